# Assay -- build, demo and test. `make help` lists the targets.
MODE ?= release
B := build/$(MODE)
ifeq ($(origin CC),default)
CC := gcc
endif
V ?= 0
Q := $(if $(filter 1,$(V)),,@)

PACKAGES := build-essential pkg-config libsodium-dev liblmdb-dev libnng-dev libmsgpack-dev libcmocka-dev \
            libzstd-dev libssl-dev libpcre2-dev libyaml-dev libyajl-dev libmicrohttpd-dev libmbedtls-dev \
            libutf8proc-dev
PACKAGES_TEST := python3 curl openssl
PACKAGES_CHECK := clang clang-format clang-tidy libclang-rt-14-dev

WARN := -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
        -Wcast-qual -Wvla -Wformat=2 -Wswitch-enum -Wnull-dereference -Wno-format-nonliteral
WERROR := $(if $(CI),-Werror,)
CFLAGS_release := -O2 -g -D_FORTIFY_SOURCE=2
CFLAGS_debug := -O0 -g
CFLAGS_asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
CFLAGS_tsan := -O1 -g -fsanitize=thread -fno-omit-frame-pointer
CFLAGS_cov := -O0 -g --coverage
HARDEN := -fstack-protector-strong -fPIE $(if $(findstring clang,$(CC)),,-fstack-clash-protection)
CPPFLAGS := -I. -D_GNU_SOURCE $(patsubst -I%,-isystem %,$(shell pkg-config --cflags libsodium libmicrohttpd 2>/dev/null))
CFLAGS := -std=c11 -pthread $(WARN) $(WERROR) $(HARDEN) $(CFLAGS_$(MODE))
LDFLAGS := -pthread -pie -Wl,-z,relro,-z,now $(filter -fsanitize=% --coverage,$(CFLAGS_$(MODE)))
LDLIBS := -lnng -lmsgpackc -llmdb -lzstd -lsodium -lcrypto -lpcre2-8 -lyaml -lyajl -lmicrohttpd -lmbedx509 -lmbedcrypto -lutf8proc -lm

LIB_SRC := $(sort $(wildcard wire/*.c consensus/*.c ledger/*.c audit/*.c audit/*/*.c genesis/*.c))
NODE_SRC := $(sort $(wildcard node/*.c node/ingest/*.c node/http/*.c node/cli/*.c))
MAIN_SRC := node/assayd.c node/assay.c
NODE_LIB_SRC := $(filter-out $(MAIN_SRC),$(NODE_SRC))
TEST_SRC := $(sort $(wildcard tests/unit/test_*.c))
SUPPORT_SRC := $(sort $(filter-out tests/support/make_%.c,$(wildcard tests/support/*.c)))
SIM_SRC := $(sort $(wildcard tests/sim/*.c))
obj = $(patsubst %.c,$(B)/%.o,$(1))

LIB := $(B)/libassay.a
NODE_LIB := $(B)/libnode.a
PROGRAMS := $(patsubst node/%.c,$(B)/%,$(wildcard $(MAIN_SRC)))
TESTS := $(patsubst tests/unit/%.c,$(B)/unit/%,$(TEST_SRC))

.DELETE_ON_ERROR:
.PHONY: all deps deps-test deps-check tests test unit integration lint format ci install clean help
all: $(PROGRAMS) $(LIB) ## build assayd and assay (MODE=release|debug|asan|tsan|cov, CI=1: warnings are errors)

deps: ## install the Debian packages that the build needs
	$(Q)sh tests/support/deps.sh $(PACKAGES)
deps-test: ## ... and those of the tests
	$(Q)sh tests/support/deps.sh $(PACKAGES) $(PACKAGES_TEST)
deps-check: ## ... and those of lint and the sanitizers
	$(Q)sh tests/support/deps.sh $(PACKAGES) $(PACKAGES_TEST) $(PACKAGES_CHECK)

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(LIB): $(call obj,$(LIB_SRC))
	@mkdir -p $(@D); rm -f $@
	$(Q)ar rcs $@ $^
$(NODE_LIB): $(call obj,$(NODE_LIB_SRC))
	@mkdir -p $(@D); rm -f $@
	$(Q)ar rcs $@ $^
$(PROGRAMS): $(B)/%: $(B)/node/%.o $(NODE_LIB) $(LIB)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(B)/unit/%: $(B)/tests/unit/%.o $(call obj,$(SUPPORT_SRC)) $(NODE_LIB) $(LIB)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) $($(notdir $@)_LDFLAGS) -o $@ $^ -lcmocka $(LDLIBS)
tests: $(TESTS) $(PROGRAMS)

INTEGRATION := $(sort $(wildcard tests/integration/test_*.sh tests/integration/test_*.py))
SIM_SEEDS ?= 1000
test: deps-test ## all tests: unit, simulation, integration; installs what is missing
	$(Q)$(MAKE) --no-print-directory -j$$(nproc) tests benches $(B)/sim/sim
	$(Q)ASSAY_BUILD=$(B) sh tests/run.sh $(TESTS) $(B)/scenario/scenario "$(B)/sim/sim --seeds $(SIM_SEEDS)" "$(B)/sim/sim --mutants" $(INTEGRATION)
unit: tests $(B)/sim/sim ## build and run the unit tests, scenarios and a short simulation alone
	$(Q)ASSAY_BUILD=$(B) sh tests/run.sh $(TESTS) $(B)/scenario/scenario "$(B)/sim/sim --seeds 100"
integration: tests benches ## build and run the tests with real processes alone
	$(Q)ASSAY_BUILD=$(B) sh tests/run.sh $(INTEGRATION)

C_FILES = $(shell git ls-files '*.c' '*.h')
lint: deps-check ## formatting, layers, names, static analysis
	$(Q)clang-format --dry-run -Werror $(C_FILES)
	$(Q)sh tests/support/lint_layers.sh
	$(Q)$(MAKE) --no-print-directory -j$$(nproc) $(LIB) $(NODE_LIB)
	$(Q)sh tests/support/lint_prefix.sh $(call obj,$(LIB_SRC) $(NODE_LIB_SRC))
	$(Q)printf '%s\n' $(LIB_SRC) $(NODE_SRC) | xargs -P $$(nproc) -I{} clang-tidy --quiet {} -- $(CPPFLAGS) -std=c11
format: ## let clang-format write
	$(Q)clang-format -i $(C_FILES)
ci: ## what decides whether a change lands
	bash .ci/run
install: all ## copy the programs to $(DESTDIR)$(PREFIX)/bin
	install -D -m 0755 $(B)/assayd $(DESTDIR)$(PREFIX)/bin/assayd
	install -D -m 0755 $(B)/assay $(DESTDIR)$(PREFIX)/bin/assay
PREFIX ?= /usr/local

clean: ## remove all that was built
	rm -rf build
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' Makefile | sed 's/:[^#]*## /\t/' | expand -t 16

-include $(wildcard tests/*/*.mk)
-include $(shell find build/$(MODE) -name '*.d' 2>/dev/null)
