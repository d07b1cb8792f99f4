/* ledger/index.h -- everything about a channel that is derived from its blocks, behind the tip.
 * Owns: the LMDB environment at `path` (home/channels/<name>/index): inverted terms in immutable segments, record
 * times, hashes of the RFC 6962 tree, the list of governance entries, the state of each source. Nothing here is truth:
 * it may be deleted at any time and comes back from the blocks. Depends on: LMDB, wire/, ledger/{entry,record,tree}.
 * Source: docs/ARCHITECTURE.md (storage).
 * Threads: one indexer thread calls index_step and index_merge_step; any thread may take views.
 * Invariants: I1 a commit advances terms, times, tree, governance, sources and the indexed height together;
 * I2 live segments are adjacent, begin at entry 0 and end at the indexed size; I3 a value whose checksum fails is never
 * used: the index counts as damaged, views say that nothing is indexed, the next step starts anew from block 1. */
#ifndef LEDGER_INDEX_H
#define LEDGER_INDEX_H

#include <pthread.h>

#include "ledger/entry.h"
#include "ledger/index_source.h"

enum {
    INDEX_FLUSH_ENTRIES = 1 << 14,   /* default: the open segment is written when it holds so many entries */
    INDEX_SEGMENT_ENTRIES = 1 << 18, /* default: segments are merged up to this size */
    INDEX_FAN = 8,                   /* default: so many neighbours of like size are merged */
    INDEX_READERS = 126              /* views at a time */
};

struct index_options {
    const char *path;         /* directory; made if absent (its parent must exist) */
    struct digest channel;    /* an index of another channel is thrown away */
    uint32_t flush_entries;   /* 0: default */
    uint32_t segment_entries; /* 0: default; at most 1 << 20 */
    uint32_t fan;             /* 0: default; 2..64 */
    size_t map_size;          /* bytes at the start; 0: 64 MiB; doubles when full */
};

struct index; /* opaque */

/* Opens or makes. An index that is damaged, truncated, older or of another channel is removed and made anew (empty):
 * *rebuilt (may be NULL) says so. IO, NO_SPACE, NO_MEMORY. */
enum err_code index_open(struct index **out, const struct index_options *o, bool *rebuilt, struct err *e) ERR_CHECKED;
void index_close(struct index *ix); /* no view may be open; NULL is fine */

struct index_progress {
    uint64_t height;  /* indexed and durable up to this block */
    uint64_t entries; /* ... and so many entries */
    uint64_t behind;  /* final entries not yet durable in the index */
    bool flushed;     /* this step wrote a segment */
    bool restarted;   /* this step found damage and started anew */
};

/* Reads at most about entries_max entries (whole blocks) of new final blocks; writes and syncs the open segment when it
 * is full, or, with `flush`, when the tip is reached. Call in a loop while behind > 0, then with flush every few 100
 * ms. After a fatal error other than CORRUPT: close and reopen. Nothing is lost by kill -9 at any instant. */
enum err_code index_step(struct index *ix, const struct index_source *src, uint32_t entries_max, bool flush,
                         struct index_progress *out, struct err *e) ERR_CHECKED;
/* Merges one run of small neighbours, if there is one; *more: call again. */
enum err_code index_merge_step(struct index *ix, bool *more, struct err *e) ERR_CHECKED;

/* A damaged index was met (any thread): the next step rebuilds. */
void index_mark_damaged(struct index *ix);
/* Reads and checks every value: CORRUPT (and marked damaged) if one is bad. For fsck, in a child process. */
enum err_code index_check(struct index *ix, struct err *e) ERR_CHECKED;

/* -- views: a consistent snapshot, for one thread, short-lived --
 * The map can only grow while no view is open, and growing holds up new views: so a thread holds one view at a time,
 * and never while it waits for a network. */
struct index_view; /* opaque */

enum err_code index_view_open(struct index *ix, struct index_view **out, struct err *e) ERR_CHECKED;
void index_view_close(struct index_view *v);             /* NULL is fine */
uint64_t index_view_entries(const struct index_view *v); /* entries indexed: 0 .. n-1 */
uint64_t index_view_height(const struct index_view *v);
uint32_t index_view_segments(const struct index_view *v);

/* Numbers of all entries that are not records, in log order, whose kind's bit (1 << kind) is in `kinds`, from `from`
 * on. `each` returns false to stop. The unindexed tail is not covered: scan on from index_view_entries. */
typedef bool index_governance_fn(void *ctx, uint64_t number, enum entry_kind kind);
enum err_code index_governance(struct index_view *v, uint32_t kinds, uint64_t from, index_governance_fn *each,
                               void *ctx, struct err *e) ERR_CHECKED;

/* Hashes of the tree: hash `n` of tile level `level` (0: leaf hashes; level L: root of 256^L leaves), all complete.
 * NOT_FOUND past what is indexed. */
enum err_code index_tree_hashes(struct index_view *v, unsigned level, uint64_t first, uint32_t count,
                                struct digest *out, struct err *e) ERR_CHECKED;

#endif
