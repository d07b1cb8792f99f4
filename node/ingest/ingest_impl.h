/* node/ingest/ingest_impl.h -- inside of ingest*.c: batches (ingest_batch.c), file sources (ingest_lines.c), posts
 * (ingest_post.c), life and status (ingest.c). */
#ifndef NODE_INGEST_INGEST_IMPL_H
#define NODE_INGEST_INGEST_IMPL_H

#include "node/ingest/ingest.h"
#include "node/ingest/pipeline.h"
#include "node/ingest/source_file.h"

#include <pthread.h>

enum { INGEST_ARENA_WORK = 512 << 20, INGEST_POST_LOCKS = 16 };

/* ---- a batch through pipeline and door ---- */
struct ingest_item {
    struct slice raw;
    uint64_t seq;
    uint64_t whole; /* a line that was too long: its bytes; 0: it is whole */
};
struct ingest_taker {
    struct node_channel *channel;
    const struct ingest_config *config;
    const struct ingest_source *source; /* NULL: none configured */
    size_t source_index;
    struct slice source_id, server, service;
    struct door_log *logs; /* [INGEST_BATCH] */
    struct arena work;
};
enum err_code ingest_taker_init(struct ingest_taker *t, struct err *e) ERR_CHECKED;
void ingest_taker_release(struct ingest_taker *t);
/* All items and the position, or nothing: can be repeated as it is. *dead: how many became dead letters. */
enum err_code ingest_take(struct ingest_taker *t, const struct ingest_item *items, size_t count, struct slice position,
                          uint64_t *dead, struct err *e) ERR_CHECKED;

/* ---- file sources ---- */
enum ingest_state { INGEST_READING = 1, INGEST_WAITING /* at the end */, INGEST_HELD /* outbox full, or an error */ };
struct ingest_lines {
    struct ingest *ingest;
    struct node_channel *channel;
    const struct ingest_source *source;
    size_t source_index;
    pthread_t thread;
    bool started;
    /* under ingest->lock: */
    enum ingest_state state;
    uint64_t records, dead, gaps, seq, lag, files, settled_round;
    char error[sizeof((struct err *)0)->text];
};
enum err_code ingest_lines_start(struct ingest_lines *l, struct err *e) ERR_CHECKED;

/* ---- all of it ---- */
struct ingest {
    struct node *node;
    pthread_rwlock_t gate;                    /* read: a post runs by `config`; write: it is replaced */
    pthread_mutex_t posts[INGEST_POST_LOCKS]; /* by hash of channel and source: one post at a time to a source */
    struct ingest_config *config;
    struct ingest_lines *lines;
    size_t line_count;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop;      /* [lock] */
    uint64_t round; /* [lock] of ingest_look */
};
/* Waits, at most ms; true: it is time to stop. */
bool ingest_wait(struct ingest *g, int64_t ms);

#endif
