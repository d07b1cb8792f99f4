/* tests/bench/roofline.c -- what this machine can do for four nodes without network, consensus, vault or index:
 *   roofline DIR SECONDS
 * One batch of 1,024 records of about 300 bytes at a time is compressed and signed once; then, for each of four stores
 * in turn, its signature is checked, it is inflated, hashed into the tree, and appended with a real sync. Prints one
 * JSON line: records per second that all four have, and CPU microseconds a record a node. */
#include "ledger/batch.h"
#include "ledger/home.h"
#include "ledger/store.h"
#include "ledger/tree.h"
#include "wire/pack.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROOF_NODES = 4, ROOF_BATCH = 1024 };

struct roof {
    struct store *store[ROOF_NODES];
    struct tree_frontier tree[ROOF_NODES];
    struct batch_builder builder;
    struct buf carried, raw;
    struct arena arena;
    struct sign_secret *secret;
    struct sign_public pub;
};

static double roof_clock(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void roof_die(const struct err *e) {
    fprintf(stderr, "roofline: %s: %s\n", err_name(e->code), e->text);
    exit(1);
}

/* About 300 bytes that vary as real records do: names from a pool, random hashes. */
static void roof_entries(struct roof *r, uint64_t seq, struct err *e) {
    char text[400];
    unsigned i;
    batch_builder_clear(&r->builder);
    for (i = 0; i < ROOF_BATCH; i++) {
        uint64_t x = (seq * ROOF_BATCH + i) * 0x9E3779B97F4A7C15u;
        struct digest h = digest_of(slice_of(&x, sizeof x));
        char hex[DIGEST_HEX];
        int n = snprintf(text, sizeof text,
                         "actor emp%05u staff class fund.config op /api/fund/config server trade service fund-admin "
                         "object fund F%06u status 1 time %llu amount %u.%02u request %016llx source bench %llu raw %s "
                         "note changes the limit of a fund std finance-ext 1.0.0",
                         (unsigned)(x % 20000), (unsigned)(x >> 20) % 300000, 1795000000000ull + seq,
                         (unsigned)(x >> 8) % 1000000, (unsigned)x % 100, (unsigned long long)x,
                         (unsigned long long)seq, digest_hex(&h, hex));
        buf_clear(&r->raw);
        pack_array(&r->raw, 2);
        pack_u64(&r->raw, 1);
        pack_map(&r->raw, 1);
        pack_cstr(&r->raw, "text");
        pack_str(&r->raw, slice_of(text, (size_t)n));
        if (batch_builder_add(&r->builder, buf_slice(&r->raw), e) != ERR_OK)
            roof_die(e);
    }
}

static void roof_store(struct roof *r, unsigned node, uint64_t seq, struct err *e) {
    struct batch b;
    struct batch_entries entries;
    struct store_txn *txn;
    uint8_t key[8];
    unsigned i;
    for (i = 0; i < 8; i++)
        key[i] = (uint8_t)(seq >> (56 - 8 * i));
    arena_clear(&r->arena);
    if (batch_read(buf_slice(&r->carried), &b, e) != ERR_OK || batch_verify(&b.header, e) != ERR_OK ||
        batch_open(&b, &r->raw, &r->arena, &entries, e) != ERR_OK)
        roof_die(e);
    if (tree_frontier_append(&r->tree[node], entries.leaves, entries.count, e) != ERR_OK)
        roof_die(e);
    if (store_begin_write(r->store[node], &txn, e) != ERR_OK ||
        store_append(txn, STORE_BODIES, slice_of(key, 8), buf_slice(&r->carried), e) != ERR_OK ||
        store_commit(txn, e) != ERR_OK)
        roof_die(e);
}

int main(int argc, char **argv) {
    static struct roof r;
    struct digest channel = {{1}};
    struct err e = {0};
    double start, cpu, seconds = argc > 2 ? atof(argv[2]) : 5;
    uint64_t seq = 0;
    unsigned i;
    if (argc < 2 || sign_start(&e) != ERR_OK || sign_generate(&r.secret, &r.pub, &e) != ERR_OK ||
        batch_builder_init(&r.builder, &e) != ERR_OK)
        roof_die(&e);
    buf_init(&r.carried, BATCH_CARRIED);
    buf_init(&r.raw, LIMIT_BATCH_RAW);
    arena_init(&r.arena, 4 << 20);
    for (i = 0; i < ROOF_NODES; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/roof%u", argv[1], i);
        if (home_mkdirs(path, &e) != ERR_OK ||
            store_open_lmdb(path, &(struct store_options){0}, &r.store[i], &e) != ERR_OK)
            roof_die(&e);
    }
    start = roof_clock(CLOCK_MONOTONIC);
    cpu = roof_clock(CLOCK_PROCESS_CPUTIME_ID);
    do {
        struct digest hash;
        seq++;
        roof_entries(&r, seq, &e);
        buf_clear(&r.carried);
        if (batch_builder_seal(&r.builder, &channel, seq, r.secret, &r.pub, &r.carried, &hash, &e) != ERR_OK)
            roof_die(&e);
        for (i = 0; i < ROOF_NODES; i++)
            roof_store(&r, i, seq, &e);
    } while (roof_clock(CLOCK_MONOTONIC) - start < seconds);
    cpu = roof_clock(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    start = roof_clock(CLOCK_MONOTONIC) - start;
    printf("{\"records_per_second\":%.0f,\"cpu_us_a_record_a_node\":%.2f}\n", (double)(seq * ROOF_BATCH) / start,
           cpu * 1e6 / (double)(seq * ROOF_BATCH * ROOF_NODES));
    for (i = 0; i < ROOF_NODES; i++)
        store_close(r.store[i]);
    return 0;
}
