/* tests/scenario/stage.h -- a few real cores, moved by hand: each message, sync, timer and crash when the scenario
 * says. Owns: the cores, a model of each node's disk, the messages in flight, the fake clock, the output of commands.
 * Depends on: consensus/core.h, real Ed25519 with fixed seeds. Source: docs/PROTOCOL.md 5 to 9, which it helps to test.
 *
 * Always checked, whatever a scenario asks for (an output line that begins with BROKEN): no vote leaves before its
 * record is durable; a vote that is sent again has the same bytes; a guard record is never overwritten; finalized
 * blocks agree over all nodes and follow one another; a halted node makes no new vote.
 *
 * leader(v) is member (v - 1) mod n: the channel is chosen so. */
#ifndef TESTS_SCENARIO_STAGE_H
#define TESTS_SCENARIO_STAGE_H

#include "consensus/core.h"

enum {
    STAGE_BLOCKS = 64,
    STAGE_RECORDS = 1024,
    STAGE_OPS = 1024,
    STAGE_WAITING = 1024,
    STAGE_FLIGHT = 4096,
    STAGE_TODO = 512,
    STAGE_RULES = 32,
    STAGE_PROPS = 256,
    STAGE_SENT = 1024,
    STAGE_STEPS = 20000, /* of one command: more is a storm */
    STAGE_OUTPUT = 1 << 20
};

/* What travels: the core's types, and above them what the host itself says. */
enum stage_type { STAGE_GET_BLOCK = 0x40, STAGE_BLOCK, STAGE_GET_RANGE, STAGE_RANGE, STAGE_BATCH, STAGE_TYPES };

struct stage_bytes {
    uint8_t *ptr; /* malloc */
    size_t len;
};

struct stage_block {
    struct header header;
    struct digest hash;
    int parent; /* index, -1: genesis */
    uint64_t entries;
};

struct stage_record {
    uint64_t view;
    enum core_record_type type;
    struct stage_bytes bytes;
};

struct stage_op {
    enum { STAGE_OP_RECORD, STAGE_OP_BLOCK, STAGE_OP_FINAL, STAGE_OP_PRUNE } kind;
    struct stage_record record; /* FINAL: the certificate's bytes */
    int block;
    uint64_t below;
};

struct stage_disk {
    struct stage_record records[STAGE_RECORDS];
    size_t count;
    bool has[STAGE_BLOCKS];
    int final;
    struct stage_bytes cert;
};

struct stage_waiting {
    int to;
    uint64_t after;
    struct stage_bytes bytes;
};

enum stage_judge { STAGE_JUDGE_OK, STAGE_JUDGE_BAD, STAGE_JUDGE_LATER };

struct stage_node {
    struct core *core;
    struct core_mutation mutation;
    bool up, manual_sync, manual_build;
    enum stage_judge judge;
    struct stage_disk disk;
    struct stage_op ops[STAGE_OPS];
    size_t op_count;
    uint64_t seq, persisted;
    struct stage_waiting waiting[STAGE_WAITING];
    size_t waiting_count;
    bool has[STAGE_BLOCKS], valid[STAGE_BLOCKS], judged[STAGE_BLOCKS]; /* judged: asked and not yet answered */
    int final;
    struct stage_bytes cert;
    uint64_t pool, own, deadline, sync_at, forward_at, forward_wait;
    bool halted;
    struct core_build build; /* asked for, held back by manual_build */
};

struct stage_flight {
    uint32_t from, to;
    struct stage_bytes bytes;
    bool held;
};

/* A set of messages: all fields that are set must agree. */
struct stage_filter {
    int type;            /* 0: any */
    uint32_t from, to;   /* bitmaps; 0: any */
    uint64_t view;       /* 0: any */
    enum cert_type kind; /* of a certificate; CERT_NONE: any */
    int block;           /* index, -1: any */
};

struct stage_rule {
    enum { STAGE_RULE_HOLD, STAGE_RULE_LOSE, STAGE_RULE_STRIP } what;
    struct stage_filter filter;
};

struct stage_todo {
    uint32_t node;
    enum core_event_type type;
    int block;
    bool ok;
    struct core_build build;
};

struct stage_prop {
    struct digest pid;
    uint64_t view;
    int block;
};

struct stage_sent {
    uint32_t node;
    struct digest bytes;
    uint64_t view;
    enum message_type type;
};

struct stage {
    struct set set;
    uint32_t delta;
    struct sign_secret *secret[LIMIT_VALIDATORS];
    struct stage_node *nodes[LIMIT_VALIDATORS];
    uint64_t now;
    struct stage_block blocks[STAGE_BLOCKS];
    int block_count;
    int chain[STAGE_BLOCKS]; /* final block by height, -1: none yet */
    struct stage_flight flight[STAGE_FLIGHT];
    size_t flight_count;
    struct stage_rule rules[STAGE_RULES];
    size_t rule_count;
    struct stage_todo todo[STAGE_TODO];
    size_t todo_count;
    struct stage_prop props[STAGE_PROPS];
    size_t prop_count;
    struct stage_sent sent[STAGE_SENT];
    size_t sent_count;
    struct core_update update;
    uint64_t steps;
    struct buf out;
};

/* n members, the last `regulators` of them regulators. Never returns NULL. */
struct stage *stage_new(uint32_t n, uint32_t k, uint32_t regulators, uint32_t delta);
void stage_free(struct stage *st);
void stage_say(struct stage *st, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
struct stage_bytes stage_copy(struct slice bytes);

/* stage.c: a node's channel thread */
void stage_start(struct stage *st, uint32_t node);
void stage_crash(struct stage *st, uint32_t node);
void stage_step(struct stage *st, uint32_t node, struct core_event *ev, int sender);
/* All that follows at once: validations, builds, and syncs where they are not manual. */
void stage_settle(struct stage *st);
void stage_sync(struct stage *st, uint32_t node);
void stage_pool(struct stage *st, uint32_t node, uint64_t entries, bool forward);
void stage_recv(struct stage *st, const struct stage_flight *f);
void stage_later(struct stage *st, struct stage_todo todo);
bool stage_due(struct stage *st, uint64_t *at); /* the next timer of all */
void stage_tick(struct stage *st);              /* fires what is due now */
/* A new block with these entries; gives its index. parent -1: genesis. */
int stage_block_make(struct stage *st, int parent, uint64_t entries);
int stage_block_find(const struct stage *st, const struct digest *hash);

/* stage_net.c: what is in flight */
void stage_send(struct stage *st, uint32_t from, int to, struct slice bytes, bool first);
bool stage_match(struct stage *st, const struct stage_filter *f, const struct stage_flight *m);
void stage_rule(struct stage *st, int what, const struct stage_filter *f);
void stage_heal(struct stage *st);
/* Delivers what is in flight now and matches; false when that was nothing. */
bool stage_deliver(struct stage *st, const struct stage_filter *f);
size_t stage_drop(struct stage *st, const struct stage_filter *f);
void stage_relay(struct stage *st, const struct stage_filter *f, uint32_t by, uint32_t to, bool strip);
void stage_prop_note(struct stage *st, const struct cert_prop *prop);
/* "notarize v1 b1": type, view, block. */
void stage_name(struct stage *st, struct slice bytes, char out[80]);
void stage_block_name(const struct stage *st, int block, char out[16]);
void stage_flight_show(struct stage *st);

/* stage_forge.c: what a liar or a lost twin could send, with the real keys */
struct stage_forge {
    int type;            /* enum message_type */
    enum cert_type kind; /* of CERT, GET_CERT */
    uint32_t by, to;     /* bitmaps; of CERT: its signers */
    uint64_t view, parent_view, epoch;
    int block;
    bool other_channel, other_set, other_root, bad_sig, strip;
};
void stage_forge(struct stage *st, const struct stage_forge *f);

#endif
