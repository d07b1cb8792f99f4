/* ledger/query.h -- questions to a channel: who touched X, what did Y do, when, from where.
 * A query is a conjunction; an empty one asks for everything. Answers come in log order, either way, with the
 * unindexed tail of the blocks scanned too, so they are never stale; without any index they are merely slow.
 * Text is compared bytewise (NFC; the asker normalises). Depends on: ledger/{index,record}, wire/schema. */
#ifndef LEDGER_QUERY_H
#define LEDGER_QUERY_H

#include "ledger/index.h"
#include "ledger/record.h"

enum {
    QUERY_LIMIT_DEFAULT = 100,
    QUERY_LIMIT_MAX = 1000,   /* results of a page */
    QUERY_CURSOR_SIZE = 35,   /* text of a cursor with its NUL */
    QUERY_SCAN_MAX = 1 << 20, /* entries read from blocks for one page; the cursor goes on from there */
    QUERY_BUCKETS_MAX = 4096, /* of a histogram */
    QUERY_VALUE_MAX = 512     /* bytes of a value asked for */
};

enum query_order { QUERY_NEWEST = 0, QUERY_OLDEST = 1 };

/* Empty slice, 0 or all zero: not asked. A subject is a record's actor. */
struct query {
    struct slice class_id;
    struct slice cursor; /* of the page before; "" : first page */
    int64_t from, to;    /* record time, ms: from <= t < to; 0: open; entries without a time count by their block's */
    uint64_t kinds;      /* bits 1 << kind; 0: all */
    uint64_t limit;      /* 0: QUERY_LIMIT_DEFAULT */
    struct slice link_case, link_event, link_process;
    struct slice log_kind;
    struct slice object_name, object_type;
    bool oldest;     /* order: oldest first */
    struct slice op; /* as the log names it */
    struct slice org_unit;
    uint8_t raw_hash[DIGEST_SIZE];
    struct slice server, service;
    struct slice source_id;
    uint64_t source_seq;
    struct slice subject_name, subject_type;
    uint8_t submitter[DIGEST_SIZE];
    uint8_t token[RECORD_TOKEN_SIZE]; /* blind index */
    uint8_t uid[RECORD_UID_SIZE];
};

extern const struct schema query_schema; /* canonical form, for RPC and HTTP */

/* Exactly one canonical query; slices borrow. MALFORMED, TOO_LARGE. */
enum err_code query_read(struct slice bytes, struct arena *a, struct query *out, struct err *e) ERR_CHECKED;
void query_write(const struct query *q, struct buf *out);
/* Are its combinations sensible (a sequence needs a source, from < to, limits)? MALFORMED. */
enum err_code query_check(const struct query *q, struct err *e) ERR_CHECKED;
/* Would this entry be an answer? Decides everything but cursor and limit. For whoever watches new entries: keep one
 * arena (of at least 1 MiB) for all calls; it is cleared by each. */
enum err_code query_matches(const struct query *q, const struct index_entry *entry, struct arena *a, bool *yes,
                            struct err *e) ERR_CHECKED;

struct query_hit {
    const struct index_entry *entry; /* borrowed for the call */
    int64_t time;                    /* the record's, or its block's */
};
/* Returns an error to stop; it is passed on. */
typedef enum err_code query_hit_fn(void *ctx, const struct query_hit *hit, struct err *e);

struct query_page {
    uint32_t hits;
    bool more;                      /* a further page may hold something: cursor goes on */
    char cursor[QUERY_CURSOR_SIZE]; /* "" at the end. Oldest first: always set, so that growth can be followed */
    uint64_t read;                  /* entries read from blocks */
    uint64_t tip_entries;           /* the answer covers entries below this number */
};

/* One page. `each` runs inside a view (ledger/index.h): it copies what it needs and never waits. ix may be NULL (all is
 * scanned). A bad cursor, or one of another query, is MALFORMED. A damaged index is marked and the page answered by
 * scanning. */
enum err_code query_run(struct index *ix, const struct index_source *src, const struct query *q, query_hit_fn *each,
                        void *ctx, struct query_page *page, struct err *e) ERR_CHECKED;

struct query_histogram {
    int64_t first;          /* ms: begin of bucket 0 */
    int64_t width;          /* ms, > 0 */
    uint32_t count;         /* 1..QUERY_BUCKETS_MAX */
    uint64_t *buckets;      /* count counters, set to 0 here */
    uint64_t before, after; /* matches outside */
};
/* All matches of q (cursor and limit ignored); histogram may be NULL. */
enum err_code query_count(struct index *ix, const struct index_source *src, const struct query *q, uint64_t *count,
                          struct query_histogram *h, struct err *e) ERR_CHECKED;

#endif
