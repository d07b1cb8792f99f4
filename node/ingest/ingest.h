/* node/ingest/ingest.h -- an enterprise's logs on their way to its channels: every source of node.yaml, running.
 *
 *   source -> tag -> extract -> unify -> extend -> classify -> hash -> outbox
 *   [a thread each, or an HTTP post]  [pipeline.h]          [node/door.h: vault, then outbox with the position]
 *
 * Owns: its own reading of home/node.yaml (section `ingest`), a thread for each file source, the positions of all
 * sources (kept by the outbox, in the transaction of the entries they cover). Depends on node/door, node/courier.
 * Source: DESIGN 8, 9; SEEDS S2.5-31, 38-46.
 * Invariants: I1 a source's position moves only with the entries that it covers, so each log is committed exactly once
 * across any kill; I2 a source's running number has no hole: a log becomes a record, a dead letter, or a declared gap;
 * I3 a full outbox stops reading, nothing is dropped. */
#ifndef NODE_INGEST_INGEST_H
#define NODE_INGEST_INGEST_H

#include "node/node.h"

enum {
    INGEST_BATCH = 1024,        /* logs of one turn through the door */
    INGEST_BATCH_RAW = 2 << 20, /* ... and their bytes */
    INGEST_POLL_MS = 150,       /* a source that is at its end looks again */
    INGEST_BACKOFF_MS = 2000,   /* longest wait while the outbox is full */
    INGEST_KEYS = 80,           /* idempotency keys remembered for one posting source */
    INGEST_KEY_MAX = 256        /* bytes of one */
};

struct ingest;

/* Reads node.yaml and starts every source. A node without the section gets an ingest that only takes posts.
 * CONFIG with file and line: nothing runs then. */
enum err_code ingest_start(struct node *n, struct ingest **out, struct err *e) ERR_CHECKED;
void ingest_stop(struct ingest *g); /* NULL is fine; what was read is durable or will be read again */
/* Reads node.yaml anew and starts all sources anew from their positions. On CONFIG the old ones go on. */
enum err_code ingest_restart(struct ingest *g, struct err *e) ERR_CHECKED;

/* Asks every source to look once more; until it has done so and found nothing, it is not `settled`. */
void ingest_look(struct ingest *g);
/* A canonical map {outbox, refused, sources: [{channel, dead, error, files, gaps, id, kind, lag, records, seq, settled,
 * state}]}: outbox counts entries that are not final yet, refused those that validators refused. */
void ingest_status(struct ingest *g, struct buf *out);

/* --- POST /v1/channels/<ch>/logs --- */
struct ingest_post {
    struct slice channel;         /* name; absent: the only one */
    struct slice source;          /* 1..64 bytes; a configured source of kind http, or any other name (then server and
                                     service choose the extractors) */
    struct slice server, service; /* optional: as the poster tags it; a configured source's own win */
    struct slice body;            /* NDJSON: one log a line */
    struct slice key;             /* idempotency key, or absent */
};
struct ingest_posted {
    uint64_t first_seq, last_seq; /* the source's running numbers that the logs got; 0: no log */
    uint64_t logs, dead;          /* taken, and how many of them as dead letters */
    bool repeated;                /* the key was known: nothing was taken now, these are the numbers of then */
};
/* Durable when it returns OK: all logs are in vault and outbox. Same key and body again: the first answer, or, after a
 * kill in the middle, the rest. CONFLICT: same key, other body. FULL: part may have been taken; send the same again
 * with the same key. NOT_FOUND: no such channel; CONFIG: no extractor is configured for these logs. Any thread. */
enum err_code ingest_post(struct node *n, const struct ingest_post *p, struct ingest_posted *out,
                          struct err *e) ERR_CHECKED;

#endif
