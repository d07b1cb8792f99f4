# The simulation: make sim SEEDS=2000, or make sim SEED=42 for one world with its trace.
SIM := $(B)/sim/sim
SEEDS ?= 300
.PHONY: sim
sim: $(SIM) ## consensus in simulated worlds, and its mutants (SEEDS=N or SEED=S)
	$(Q)echo "commit $$(git rev-parse --short HEAD 2>/dev/null)"
	$(Q)$(SIM) $(if $(SEED),--seed $(SEED) --trace,--seeds $(SEEDS))
	$(Q)$(if $(SEED),true,$(SIM) --mutants)
$(SIM): $(call obj,$(SIM_SRC)) $(LIB)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
