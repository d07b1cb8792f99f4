# Scenarios: make scenario, or make scenario REWRITE=1 to put what came out into the files (read the diff).
SCENARIO := $(B)/scenario/scenario
SCENARIO_SRC := $(sort $(wildcard tests/scenario/*.c))
.PHONY: scenario
scenario: $(SCENARIO) ## consensus step by step, by the files in tests/scenario (REWRITE=1)
	$(Q)$(SCENARIO) $(if $(REWRITE),--rewrite)
$(SCENARIO): $(call obj,$(SCENARIO_SRC)) $(LIB)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
tests: $(SCENARIO)
