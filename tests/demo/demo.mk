# What the demonstration needs beside the programs: something that does damage, and something that searches.
DEMO_PROGRAMS := $(patsubst tests/demo/%.c,$(B)/demo/%,$(wildcard tests/demo/*.c))
$(DEMO_PROGRAMS): $(B)/demo/%: $(B)/tests/demo/%.o $(call obj,$(SUPPORT_SRC)) $(NODE_LIB) $(LIB)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lcmocka $(LDLIBS)

.PHONY: demo demo-build demo-stop
demo: deps-test ## the main job, end to end, with real processes (KEEP=1 leaves the network running)
	$(Q)$(MAKE) --no-print-directory -j$$(nproc) demo-build
	$(Q)python3 genesis/demo/run.py --build $(B) $(if $(filter 1,$(KEEP)),--keep)
demo-build: $(PROGRAMS) $(DEMO_PROGRAMS) $(B)/make_logs $(B)/bench/load
demo-stop: ## end the network that `make demo KEEP=1` left running
	$(Q)python3 genesis/demo/run.py --build $(B) --stop
