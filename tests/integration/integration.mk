# Helpers of the integration tests: clients and hostile peers that speak to real processes.
PROBES := $(patsubst tests/integration/%.c,$(B)/integration/%,$(wildcard tests/integration/*.c))
$(PROBES): $(B)/integration/%: $(B)/tests/integration/%.o $(call obj,$(SUPPORT_SRC)) $(NODE_LIB) $(LIB)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lcmocka $(LDLIBS)
.PHONY: probes
probes: $(PROBES) $(PROGRAMS)
# Programs that tests with real processes use.
TOOLS := $(patsubst tests/integration/tools/%.c,$(B)/tools/%,$(wildcard tests/integration/tools/*.c))
$(TOOLS): $(B)/tools/%: $(B)/tests/integration/tools/%.o $(call obj,$(SUPPORT_SRC)) $(NODE_LIB) $(LIB)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lcmocka $(LDLIBS)
.PHONY: tools
tools: $(TOOLS)
tests: $(TOOLS)
tests: $(PROBES)
