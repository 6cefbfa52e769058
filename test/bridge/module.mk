# Modules for tests, with copies of the sources they try; not linked to the extension.
#   bridge_test.so  the bridge with functions that break every rule they can, for test/t/010_bridge.pl
#   ask_test.so     the backend's side of the request slots, for test/t/031_interrupts.pl
# Called from the top: make -f test/bridge/module.mk PG_CONFIG=...
PG_CONFIG ?= pg_config
CXX ?= g++
out = build/bridge

bridge_sources = $(addprefix src/pg/bridge/,guard.cpp error.cpp scope.cpp datum.cpp spi.cpp) \
    src/core/secret_bytes.cpp
ask_sources = $(bridge_sources) $(addprefix src/pg/,worker/requests.cpp bridge/slot_codec.cpp worker/shared_state.cpp)
object = $(patsubst %.cpp,$(out)/%.o,$(1))
bridge_objects = $(call object,$(wildcard test/bridge/*.cpp) $(bridge_sources))
ask_objects = $(call object,$(wildcard test/ask/*.cpp) $(ask_sources))

flags = -std=c++20 -O2 -Wall -Wextra -Wno-register -fPIC -fvisibility=hidden -Isrc \
    -isystem $(shell $(PG_CONFIG) --includedir-server) -isystem $(shell $(PG_CONFIG) --includedir)

all: $(out)/bridge_test.so $(out)/ask_test.so $(out)/libslow_resolver.so

$(out)/bridge_test.so: $(bridge_objects)
	$(CXX) -shared -o $@ $(bridge_objects)

$(out)/ask_test.so: $(ask_objects)
	$(CXX) -shared -o $@ $(ask_objects)

# To be preloaded: looking up *.slow.invalid hangs.
$(out)/libslow_resolver.so: test/env/slow_resolver.cpp
	@mkdir -p $(@D)
	$(CXX) -std=c++20 -O2 -fPIC -shared -o $@ $< -ldl

$(out)/%.o: %.cpp test/bridge/module.mk
	@mkdir -p $(@D)
	$(CXX) $(CXXFLAGS) $(CPPFLAGS) $(flags) -MMD -MP -c -o $@ $<

-include $(sort $(bridge_objects:.o=.d) $(ask_objects:.o=.d))
