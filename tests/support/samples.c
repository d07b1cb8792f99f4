/* tests/support/samples.c -- see samples.h. Keys of each map in ascending order. */
#include "tests/support/samples.h"

#include "node/clock.h"
#include "wire/pack.h"

#include <stdio.h>

enum { SAMPLE_DAY_MS = 86400000 };

static void sample_pair(struct buf *b, const char *key, const char *value) {
    pack_cstr(b, key);
    pack_cstr(b, value);
}

static void sample_object(struct buf *b, const char *name) {
    pack_map(b, 3);
    sample_pair(b, "name", name);
    sample_pair(b, "role", "request");
    sample_pair(b, "type", "fund");
}

static void sample_objects(struct buf *b, const char *fund, enum sample_fault fault) {
    uint32_t i, count = fault == SAMPLE_MANY_OBJECTS ? 257 : fault == SAMPLE_LARGE ? 72 : 1;
    pack_cstr(b, "objects");
    pack_array(b, count);
    for (i = 0; i < count; i++) {
        char name[256];
        snprintf(name, sizeof name, "%s-%0*u", fund, fault == SAMPLE_LARGE ? 220 : 3, i);
        sample_object(b, count == 1 ? fund : name);
    }
}

static void sample_op(struct buf *b) {
    pack_cstr(b, "op");
    pack_map(b, 5);
    pack_cstr(b, "activity_id");
    pack_u64(b, 99);
    sample_pair(b, "class_id", "unclassified");
    sample_pair(b, "note", "changes a fund's configuration");
    sample_pair(b, "raw", "/api/fund/config");
    pack_cstr(b, "status_id");
    pack_u64(b, 1);
}

void sample_submit(struct buf *b, const char *channel, unsigned n, enum sample_fault fault) {
    char raw[512], actor[32], fund[32], amount[32];
    bool with_actor = fault != SAMPLE_NO_SUBJECT, with_raw = fault != SAMPLE_NO_RAW;
    snprintf(actor, sizeof actor, fault == SAMPLE_BAD_TEXT ? "emp\xff%05u" : "emp%05u", n * 7919u % 20000u);
    snprintf(fund, sizeof fund, "F%06u", n * 104729u % 300000u);
    snprintf(amount, sizeof amount, "%u.%02u", n * 31u % 1000000u, n % 100u);
    snprintf(raw, sizeof raw,
             "{\"ts\":%lld,\"user\":\"%s\",\"path\":\"/api/fund/%s/config\",\"method\":\"POST\",\"status\":200,"
             "\"amount\":\"%s\",\"request_id\":\"%08x-%08x\",\"client\":\"10.1.%u.%u\",\"agent\":\"desk/4.2\"}",
             (long long)clock_wall_ms(), actor, fund, amount, n * 2654435761u, n, n % 250u, n / 250u % 250u);
    pack_map(b, (*channel ? 2u : 1u) + with_raw);
    if (*channel)
        sample_pair(b, "channel", channel);
    if (with_raw) {
        pack_cstr(b, "raw");
        pack_bin(b, slice_str(raw));
    }
    pack_cstr(b, "record");
    pack_map(b, 8u + with_actor + (fault == SAMPLE_UNKNOWN_FIELD));
    if (with_actor) {
        pack_cstr(b, "actor");
        pack_map(b, 2);
        sample_pair(b, "name", actor);
        sample_pair(b, "type", "user");
    }
    if (fault == SAMPLE_UNKNOWN_FIELD)
        sample_pair(b, "bogus", "x");
    pack_cstr(b, "custom");
    pack_map(b, 1);
    sample_pair(b, "amount", amount);
    sample_pair(b, "log_kind", "other");
    sample_pair(b, "log_type", "structured");
    sample_objects(b, fund, fault);
    sample_op(b);
    sample_pair(b, "server", "trade");
    sample_pair(b, "service", "fund-admin");
    pack_cstr(b, "time");
    pack_i64(b, clock_wall_ms() + (fault == SAMPLE_FUTURE ? SAMPLE_DAY_MS : 0));
}
