# The extension itself, built by PGXS. Kept apart from the Makefile because PGXS claims the target
# "check" for itself and cannot even be included on a machine without PostgreSQL's development files.
# Called by the Makefile: make -f extension.mk PG_CONFIG=... (V=1 shows the compiler's arguments)

EXTENSION = billstack
MODULE_big = billstack
PGFILEDESC = "billstack - Stripe billing inside the database"

# The control file is the only place that names the version.
version := $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" billstack.control)

module_dirs = core crypto json http stripe sync pg
source_dirs = $(wildcard $(addprefix src/,$(module_dirs))) $(patsubst %/,%,$(wildcard src/pg/*/))
sources = $(wildcard $(addsuffix /*.cpp,$(source_dirs)))
OBJS = $(patsubst src/%.cpp,build/obj/%.o,$(sources))

install_parts = $(sort $(wildcard sql/install/*.sql))
install_script = build/sql/billstack--$(version).sql
DATA = $(wildcard sql/upgrade/*.sql)
DATA_built = $(install_script)

PG_CPPFLAGS = -Isrc -DBILLSTACK_VERSION='"$(version)"'
PG_CXXFLAGS = -std=c++20 -O2 -Wall -Wextra -Wno-register -fPIC -fvisibility=hidden
ifdef WERROR
PG_CXXFLAGS += -Werror
endif
# PGXS links with the C compiler, hence -lstdc++.
SHLIB_LINK = -lcurl -lssl -lcrypto -ljansson -lsimdjson -lstdc++ -lpthread

# "make installcheck" tests a server that runs already and has the extension installed: the topics that
# need neither worker nor simulator.
REGRESS = $(shell sed -n '/^# With the simulator/q; s/^test: *//p' test/regress.schedule 2>/dev/null)
REGRESS_OPTS = --outputdir=build/installcheck
REGRESS_PREP = build/installcheck
EXTRA_CLEAN = build

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
# The bitcode rule ignores PG_CXXFLAGS and would compile C++20 as C++14; bitcode serves only JIT inlining.
override with_llvm = no
include $(PGXS)

# The server's headers as system headers: our warnings stay ours. PGXS's own -I. is of no use here.
override CPPFLAGS := $(filter-out -I. -I./,$(patsubst -I$(includedir_server),-isystem $(includedir_server),$(patsubst -I$(includedir_internal),-isystem $(includedir_internal),$(CPPFLAGS))))

build/obj/%.o: src/%.cpp extension.mk billstack.control
	@mkdir -p $(@D)
	$(if $(V),,@echo '  CXX $<'; )$(CXX) $(CXXFLAGS) $(CPPFLAGS) -MMD -MP -c -o $@ $<

-include $(OBJS:.o=.d)

# A source file that goes away must leave the library too.
billstack$(DLSUFFIX): $(source_dirs)

# Joined in name order. The folder is a prerequisite so that a removed part is noticed.
$(install_script): $(install_parts) sql/install billstack.control
	@mkdir -p $(@D)
	cat /dev/null $(install_parts) > $@.tmp && mv $@.tmp $@

build/installcheck:
	mkdir -p $@
