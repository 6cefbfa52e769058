# bridge_test.so: the bridge's own sources with functions that break every rule they can, for
# test/t/010_bridge.pl. Not linked to the extension. Called from the top:
# make -f test/bridge/module.mk PG_CONFIG=...
PG_CONFIG ?= pg_config
CXX ?= g++
out = build/bridge

sources = $(wildcard test/bridge/*.cpp) \
    $(addprefix src/pg/,guard.cpp error.cpp scope.cpp datum.cpp spi.cpp) src/core/secret_bytes.cpp
objects = $(patsubst %.cpp,$(out)/%.o,$(sources))

flags = -std=c++20 -O2 -Wall -Wextra -Wno-register -fPIC -fvisibility=hidden -Isrc \
    -isystem $(shell $(PG_CONFIG) --includedir-server) -isystem $(shell $(PG_CONFIG) --includedir)

$(out)/bridge_test.so: $(objects)
	$(CXX) -shared -o $@ $(objects)

$(out)/%.o: %.cpp test/bridge/module.mk
	@mkdir -p $(@D)
	$(CXX) $(CXXFLAGS) $(CPPFLAGS) $(flags) -MMD -MP -c -o $@ $<

-include $(objects:.o=.d)
