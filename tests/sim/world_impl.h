/* tests/sim/world_impl.h -- inside of the simulated world. */
#ifndef TESTS_SIM_WORLD_IMPL_H
#define TESTS_SIM_WORLD_IMPL_H

#include "tests/sim/world.h"

#include <stdarg.h>

struct world_block {
    struct header header;
    struct digest hash;
    int parent; /* index, -1: genesis */
    uint64_t entries;
};

struct world_record {
    uint64_t view;
    enum core_record_type type;
    uint8_t *bytes;
    size_t len;
};

/* One write, durable once a sync covers it. */
struct world_op {
    enum { WORLD_OP_RECORD, WORLD_OP_BLOCK, WORLD_OP_FINAL, WORLD_OP_PRUNE } kind;
    struct world_record record;
    int block;
    uint64_t below, seq;
};

struct world_disk {
    struct world_record records[WORLD_RECORDS];
    size_t count;
    bool has[WORLD_BLOCKS];
    int final; /* block index, -1 genesis */
    uint8_t cert[CERT_BYTES_MAX];
    size_t cert_len;
};

struct world_held {
    int to;
    uint64_t after;
    uint8_t *bytes;
    size_t len;
};

struct world_node {
    uint32_t member;
    int twin; /* 0 or 1 */
    bool honest, up;
    uint64_t life; /* incarnation */
    struct core *core;
    struct world_disk *disk;
    struct world_op ops[WORLD_OPS];
    size_t op_count, syncing;
    bool sync_running;
    uint64_t seq, persisted;
    struct world_held held[WORLD_HELD];
    size_t held_count;
    bool has[WORLD_BLOCKS], valid[WORLD_BLOCKS];
    int final;
    uint8_t cert[CERT_BYTES_MAX];
    size_t cert_len;
    uint64_t pool, deadline, max_final, last_view, sync_at;
    bool pool_said;
    size_t memory;
};

struct world_voted {
    bool have[CERT_NULLIFY + 1];
    struct digest pid[CERT_NULLIFY + 1];
    struct digest sig[CERT_NULLIFY + 1];
};

enum world_what {
    WORLD_MESSAGE,
    WORLD_TICK,
    WORLD_SYNC,
    WORLD_VALIDATED,
    WORLD_PAYLOAD,
    WORLD_ENTRY,
    WORLD_CRASH,
    WORLD_RESTART,
    WORLD_STATUS,
    WORLD_CUT,
    WORLD_FORWARD
};

struct world_event {
    uint64_t at, order;
    enum world_what what;
    int node, from;
    uint64_t life, arg;
    int block;
    uint8_t *bytes;
    size_t len;
};

struct world {
    struct world_plan plan;
    struct set set;
    uint64_t rng, now, order, steps, evidence;
    struct world_event *heap;
    size_t heap_count, heap_cap;
    struct world_node *nodes[WORLD_INSTANCES];
    int node_count;
    struct world_block blocks[WORLD_BLOCKS];
    int block_count;
    bool cut[WORLD_INSTANCES][WORLD_INSTANCES];
    int side[WORLD_INSTANCES];
    struct digest chain[WORLD_BLOCKS]; /* final hash by height */
    bool chain_have[WORLD_BLOCKS];
    uint64_t top;
    struct world_voted voted[LIMIT_VALIDATORS][WORLD_VIEWS];
    struct digest notarized[WORLD_VIEWS];
    bool was_notarized[WORLD_VIEWS], was_nullified[WORLD_VIEWS], was_finalized[WORLD_VIEWS];
    struct core_update update;
    char broken[400];
    uint64_t injected;
    uint32_t liars;
};

uint64_t world_rand(struct world *w, uint64_t below);
void world_push(struct world *w, struct world_event ev); /* bytes are copied */
void world_break(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void world_trace(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int world_block_find(struct world *w, const struct digest *hash);

/* net.c */
void net_send(struct world *w, struct world_node *from, int to_node, struct slice bytes);
/* host.c: what a node's channel thread does */
void host_start(struct world *w, struct world_node *node);
void host_crash(struct world *w, struct world_node *node);
void host_event(struct world *w, struct world_node *node, const struct world_event *ev);
void host_step(struct world *w, struct world_node *node, struct core_event *ev);
/* check.c: the invariants */
void check_sent(struct world *w, struct world_node *node, struct slice bytes);
void check_update(struct world *w, struct world_node *node, const struct core_update *up);
void check_stored(struct world *w, const struct world_node *node, uint64_t view, enum core_record_type type);
void check_end(struct world *w);

#endif
