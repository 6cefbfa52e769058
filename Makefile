# billstack: targets for people and packagers. "make help" lists them.
#
# Plain make, make install and make installcheck work against any server named by PG_CONFIG and
# change nothing else. deps, check and demo also install missing Debian packages (root or sudo).
# The extension's own rules are in extension.mk, what check and demo do is in test/env and test/demo.

PG_CONFIG ?= pg_config
CXX ?= g++
export PG_CONFIG

# make's own variables must not leak into the makes that the scripts start
script = @MAKEFLAGS= MFLAGS= test/env

.DEFAULT_GOAL := all

## Build and install
all: preflight ## build the extension against PG_CONFIG (the default)
	@$(MAKE) --no-print-directory -f extension.mk all

install: all ## install it there (DESTDIR is honoured)
	@$(MAKE) --no-print-directory -f extension.mk install

uninstall: preflight ## remove it from there
	@$(MAKE) --no-print-directory -f extension.mk uninstall

installcheck: preflight ## pg_regress against the running server of PG_CONFIG, extension installed
	@$(MAKE) --no-print-directory -f extension.mk installcheck

deps: ## install the Debian packages that are missing, saying which and why
	$(script)/install_deps.sh

## Try
demo: ## private server and simulated Stripe, connected and backfilled; STRIPE_SECRET_KEY=sk_test_... for real Stripe
	@MAKEFLAGS= MFLAGS= test/demo/demo.sh

demo-clean: ## stop the demo's server and simulator and remove their files
	@MAKEFLAGS= MFLAGS= test/demo/demo.sh --clean

## Test (TESTS='...' narrows the last five)
check: ## everything: house checks, unit tests, pg_regress, TAP; ends with "N passed, N failed"
	$(script)/check.sh deps house build unit regress tap

check-long: ## the same with sanitizers, fuzzers and the long crash and fault rounds
	$(script)/check.sh --long deps house build unit sanitize fuzz regress tap

check-house: ## the rules of this code base as scripts (test/check)
	$(script)/check.sh house

check-unit: ## C++ unit tests and the simulator's, by CMake; TESTS is a regular expression
	$(script)/check.sh build-cmake unit

check-sanitize: ## the unit tests again under ASan and UBSan
	$(script)/check.sh sanitize

check-regress: ## pg_regress in a private cluster; TESTS='topic topic'
	$(script)/check.sh build regress

check-tap: ## tests of a whole server; TESTS='test/t/001_*.pl ...'
	$(script)/check.sh build tap

bench: ## figures of copying, within Stripe's limits too, of the inbox and of calls; BENCH=copy, BENCH=limits, BENCH=events, BENCH=events:a or BENCH=billing for a part
	$(script)/bench.sh

## Tidy
format: ## clang-format the C++ sources in place
	find src test -name '*.[ch]pp' -print0 | xargs -0 $$(command -v clang-format-14 || echo clang-format) -i

clean: ## remove everything built, the demo's server included
	@if test -d build; then MAKEFLAGS= MFLAGS= test/demo/demo.sh --clean --quiet; fi
	@test/env/forget.sh
	rm -rf build billstack.so results regression.diffs regression.out

distclean: clean

help: ## this list
	@awk -F ':.*## ' '/^## / { printf "\n%s\n", substr($$0, 4) } \
	    /^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile; echo

# Missing tools and headers named in one message instead of a page of compiler errors.
preflight:
	@PG_CONFIG='$(PG_CONFIG)' CXX='$(CXX)' test/env/preflight.sh

.PHONY: all install uninstall installcheck deps demo demo-clean check check-long check-house check-unit \
    check-sanitize check-regress check-tap bench format clean distclean help preflight
