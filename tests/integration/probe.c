/* tests/integration/probe.c -- asks a running node, or reads the ledger of a stopped one, for the tests beside it.
 *   probe HOME submit CHANNEL COUNT CLIENTS FILE   submits; each acknowledged uid becomes a line of FILE. A refusal or
 * a lost connection is tried again until COUNT are acknowledged or SECONDS (environment, default 60) have passed. probe
 * HOME send CHANNEL FAULT          submits one record with a fault; prints "CODE: text" (exit 1) or "OK" probe HOME
 * call METHOD [CHANNEL]       prints the answer as JSON probe HOME ledger CHANNEL              of a stopped node:
 * "block HEIGHT SIZE ROOT" and "uid HEX" lines */
#include "ledger/entry.h"
#include "ledger/record.h"
#include "node/clock.h"
#include "node/node.h"
#include "tests/support/samples.h"
#include "wire/json.h"
#include "wire/mem.h"
#include "wire/pack.h"
#include "tests/support/client.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct probe {
    struct node node;
    char address[LINK_ADDRESS];
    struct buf ca;
    const char *channel;
    unsigned count;
    int64_t until_ms;
    FILE *acks;
    pthread_mutex_t lock;
    atomic_uint next, acked;
};

static void probe_hex(FILE *f, struct slice s) {
    size_t i;
    for (i = 0; i < s.len; i++)
        fprintf(f, "%02x", s.ptr[i]);
}

static enum err_code probe_open(struct probe *p, struct rpc_client **rpc, struct err *e) {
    return rpc_connect(&p->node.link, p->address, buf_cstr(&p->ca), 3000, rpc, e);
}

/* The answer of submit ends with the uid. */
static bool probe_on_uid(void *ctx, struct slice body) {
    struct slice *uid = ctx;
    static uint8_t copy[64][RECORD_UID_SIZE];
    static atomic_uint turn;
    uint8_t *to = copy[atomic_fetch_add(&turn, 1) % 64];
    if (body.len >= RECORD_UID_SIZE) {
        memcpy(to, body.ptr + body.len - RECORD_UID_SIZE, RECORD_UID_SIZE);
        *uid = slice_of(to, RECORD_UID_SIZE);
    }
    return true;
}

static void *probe_client(void *arg) {
    struct probe *p = arg;
    struct rpc_client *rpc = NULL;
    struct buf b;
    buf_init(&b, 1 << 20);
    while (atomic_load(&p->acked) < p->count && clock_monotonic_ms() < p->until_ms) {
        struct slice uid = slice_none();
        struct err e = {0};
        enum err_code rc = rpc ? ERR_OK : probe_open(p, &rpc, &e);
        buf_clear(&b);
        sample_submit(&b, p->channel, atomic_fetch_add(&p->next, 1), SAMPLE_GOOD);
        if (rc == ERR_OK)
            rc = rpc_call(rpc, "submit", buf_slice(&b), probe_on_uid, &uid, 25000, &e);
        if (rc == ERR_OK && uid.len) {
            atomic_fetch_add(&p->acked, 1);
            pthread_mutex_lock(&p->lock);
            probe_hex(p->acks, uid);
            fprintf(p->acks, " %lld\n", (long long)clock_monotonic_ms());
            fflush(p->acks);
            pthread_mutex_unlock(&p->lock);
            continue;
        }
        rpc_close(rpc);
        rpc = NULL;
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
    rpc_close(rpc);
    buf_release(&b);
    return NULL;
}

static int probe_submit(struct probe *p, unsigned clients, const char *file) {
    const char *seconds = getenv("SECONDS_MAX");
    pthread_t threads[64];
    unsigned i;
    p->until_ms = clock_monotonic_ms() + 1000 * (seconds ? atoll(seconds) : 60);
    p->acks = fopen(file, "a");
    if (!p->acks || clients > 64)
        return 2;
    pthread_mutex_init(&p->lock, NULL);
    for (i = 0; i < clients; i++)
        if (pthread_create(&threads[i], NULL, probe_client, p) != 0)
            return 2;
    for (i = 0; i < clients; i++)
        pthread_join(threads[i], NULL);
    fclose(p->acks);
    printf("%u\n", atomic_load(&p->acked));
    return atomic_load(&p->acked) >= p->count ? 0 : 1;
}

static int probe_send(struct probe *p, const char *fault) {
    static const char *const names[] = {"good",   "no-subject", "many-objects", "large", "bad-text",
                                        "future", "unknown",    "no-raw",       NULL};
    struct rpc_client *rpc = NULL;
    struct buf b;
    struct err e = {0};
    int i;
    buf_init(&b, 1 << 20);
    for (i = 0; names[i] && strcmp(names[i], fault) != 0; i++)
        continue;
    if (!names[i] || probe_open(p, &rpc, &e) != ERR_OK) {
        printf("%s: %s\n", err_name(e.code), e.text);
        return 2;
    }
    sample_submit(&b, p->channel, 1, (enum sample_fault)i);
    if (rpc_call(rpc, "submit", buf_slice(&b), NULL, NULL, 25000, &e) == ERR_OK)
        printf("OK\n");
    else
        printf("%s: %s\n", err_name(e.code), e.text);
    rpc_close(rpc);
    buf_release(&b);
    return e.code == ERR_OK ? 0 : 1;
}

static bool probe_on_json(void *ctx, struct slice body) {
    struct buf out;
    struct err e = {0};
    (void)ctx;
    buf_init(&out, 64 << 20);
    if (json_from_pack(body, &out, &e) == ERR_OK)
        puts(buf_cstr(&out));
    buf_release(&out);
    return true;
}

static int probe_call(struct probe *p, const char *method) {
    struct rpc_client *rpc = NULL;
    struct buf b;
    struct err e = {0};
    buf_init(&b, 4096);
    if (*p->channel) {
        pack_map(&b, 1);
        pack_cstr(&b, "channel");
        pack_cstr(&b, p->channel);
    }
    if (probe_open(p, &rpc, &e) != ERR_OK ||
        rpc_call(rpc, method, buf_slice(&b), probe_on_json, NULL, 10000, &e) != ERR_OK)
        printf("%s: %s\n", err_name(e.code), e.text);
    rpc_close(rpc);
    buf_release(&b);
    return e.code == ERR_OK ? 0 : 1;
}

static enum err_code probe_on_entry(void *ctx, const struct chain_reader_entry *x, struct err *e) {
    struct entry entry;
    struct record r;
    struct arena *a = ctx;
    enum err_code rc = entry_read(x->bytes, &entry, e);
    if (rc != ERR_OK || entry.kind != ENTRY_RECORD)
        return rc;
    arena_clear(a);
    if ((rc = record_read(entry.body, a, &r, e)) == ERR_OK) {
        printf("uid ");
        probe_hex(stdout, slice_of(r.uid, sizeof r.uid));
        printf("\n");
    }
    return rc;
}

static int probe_ledger(const char *home, const char *channel) {
    struct store *store = NULL;
    struct chain_reader *r = NULL;
    struct chain_block b;
    struct arena a;
    struct err e = {0};
    char path[4096];
    uint64_t h;
    enum err_code rc;
    arena_init(&a, 4 << 20);
    snprintf(path, sizeof path, "%s/channels/%s/ledger", home, channel);
    rc = store_open_lmdb(path, &(struct store_options){.read_only = true}, &store, &e);
    if (rc == ERR_OK)
        rc = chain_reader_open(store, &r, &e);
    for (h = 1; rc == ERR_OK && h <= chain_reader_tip(r)->height; h++)
        if ((rc = chain_reader_block(r, h, &b, &e)) == ERR_OK) {
            printf("block %llu %llu ", (unsigned long long)h, (unsigned long long)b.header.tree_size);
            probe_hex(stdout, digest_slice(&b.header.tree_root));
            printf("\n");
        }
    if (rc == ERR_OK)
        rc = chain_reader_each(r, 0, chain_reader_tip(r)->tree_size, probe_on_entry, &a, &e);
    if (rc != ERR_OK)
        fprintf(stderr, "probe: %s: %s\n", err_name(e.code), e.text);
    return rc == ERR_OK ? 0 : 1;
}

int main(int argc, char **argv) {
    static struct probe p;
    struct err e = {0};
    if (argc < 4)
        return 2;
    if (strcmp(argv[2], "ledger") == 0)
        return probe_ledger(argv[1], argv[3]);
    if (node_load(argv[1], &p.node, &e) != ERR_OK) {
        fprintf(stderr, "probe: %s\n", e.text);
        return 2;
    }
    snprintf(p.address, sizeof p.address, "%.*s", SLICE_ARG(p.node.config.body.listen));
    buf_init(&p.ca, 1 << 16);
    buf_append(&p.ca, p.node.org->ca);
    p.channel = argv[3];
    if (strcmp(argv[2], "submit") == 0 && argc == 7) {
        p.count = (unsigned)strtoul(argv[4], NULL, 10);
        return probe_submit(&p, (unsigned)strtoul(argv[5], NULL, 10), argv[6]);
    }
    if (strcmp(argv[2], "send") == 0 && argc == 5)
        return probe_send(&p, argv[4]);
    p.channel = argc > 4 ? argv[4] : "";
    return strcmp(argv[2], "call") == 0 ? probe_call(&p, argv[3]) : 2;
}
