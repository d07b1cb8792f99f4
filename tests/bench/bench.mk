# Programs that measure. `make bench` runs them (tests/bench/bench.sh).
BENCHES := $(patsubst tests/bench/%.c,$(B)/bench/%,$(wildcard tests/bench/*.c))
$(BENCHES): $(B)/bench/%: $(B)/tests/bench/%.o $(call obj,$(SUPPORT_SRC)) $(NODE_LIB) $(LIB)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lcmocka $(LDLIBS)
.PHONY: benches
benches: $(BENCHES)
BENCH_SECONDS ?= 60
.PHONY: bench
bench: deps-test ## measure: throughput, latency, CPU, disk, and the roofline of this machine (BENCH_SECONDS=60)
	$(Q)$(MAKE) --no-print-directory -j$$(nproc) all benches
	$(Q)python3 tests/bench/bench.py $(B) $(BENCH_SECONDS)
