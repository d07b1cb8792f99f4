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
PACKAGES_CHECK := clang clang-format clang-tidy libclang-rt-14-dev python3 curl iproute2

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
SUPPORT_SRC := $(sort $(wildcard tests/support/*.c))
SIM_SRC := $(sort $(wildcard tests/sim/*.c))
obj = $(patsubst %.c,$(B)/%.o,$(1))

LIB := $(B)/libassay.a
NODE_LIB := $(B)/libnode.a
PROGRAMS := $(patsubst node/%.c,$(B)/%,$(wildcard $(MAIN_SRC)))
TESTS := $(patsubst tests/unit/%.c,$(B)/unit/%,$(TEST_SRC))

.DELETE_ON_ERROR:
.PHONY: all deps deps-check tests clean help
all: $(PROGRAMS) $(LIB) ## build assayd and assay

deps: ## install the Debian packages that the build needs
	$(Q)sh tests/support/deps.sh $(PACKAGES)
deps-check: deps ## ... and those of lint and sanitizers
	$(Q)sh tests/support/deps.sh $(PACKAGES_CHECK)

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
tests: $(TESTS)

unit: $(TESTS) ## build and run the unit tests
	$(Q)set -e; for t in $(TESTS); do $$t; done

clean: ## remove all that was built
	rm -rf build
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' Makefile | sed 's/:[^#]*## /\t/' | expand -t 16

-include $(wildcard tests/*/*.mk)
-include $(shell find build/$(MODE) -name '*.d' 2>/dev/null)
