/* ledger/fsck.h -- recomputes one channel's ledger from its bytes and says where it is damaged.
 * Checks: the checksum of each stored value; headers, hashes and prev links; bodies against headers; batch
 * signatures, sequence numbers and roots; tree size and root of each block; certificates; the tip and the tables
 * beside it; votes and justifications (checksums). Reads only. Source: docs/PROTOCOL.md 10.
 * A damaged LMDB page can crash its reader: run it by fsck_in_child. */
#ifndef LEDGER_FSCK_H
#define LEDGER_FSCK_H

#include "ledger/chain.h"

/* X(name, text) */
/* clang-format off */
#define FSCK_KINDS(X) \
    X(META, "meta") \
    X(BLOCK, "block index") \
    X(BODY, "block body") \
    X(BATCH, "batch") \
    X(TREE, "tree root") \
    X(LINK, "link to the block below") \
    X(CERT, "certificate") \
    X(SEQ, "sequence numbers") \
    X(PENDING, "unfinalised block") \
    X(VOTE, "vote") \
    X(PROOF, "justification") \
    X(STORE, "database file")
/* clang-format on */

enum fsck_kind {
#define FSCK_ENUM(name, text) FSCK_##name,
    FSCK_KINDS(FSCK_ENUM)
#undef FSCK_ENUM
        FSCK_KIND_COUNT
};

struct fsck_fault {
    enum fsck_kind kind;
    uint64_t height;               /* 0: not of one block */
    uint64_t first_entry, entries; /* entries that this fault puts in doubt; entries 0: none */
    bool repairable;               /* by chain_replace_block with a peer's copy, or by recomputation */
    const char *text;
};

struct fsck_options {
    struct digest channel;
    chain_verify_fn verify; /* quorum of a certificate; NULL: not checked */
    void *verify_ctx;
    /* May this key submit at this height? NULL: any key may. */
    enum err_code (*submitter)(void *ctx, const struct sign_public *key, uint64_t height, struct err *e);
    void *submitter_ctx;
    void (*fault)(void *ctx, const struct fsck_fault *f);
    void (*progress)(void *ctx, uint64_t done, uint64_t total); /* blocks */
    void *ctx;
};

struct fsck_report {
    uint64_t blocks, entries, faults; /* checked, checked, found */
};

/* OK even with faults: they are in the report. Errors are those of not being able to look at all. */
enum err_code fsck_run(struct store *store, const struct fsck_options *o, struct fsck_report *report,
                       struct err *e) ERR_CHECKED;
const char *fsck_kind_text(enum fsck_kind kind);

/* Runs the program `argv[0]` with `argv` (NULL-terminated) by posix_spawn and waits; its output is ours. A signal there
 * means CORRUPT; exit 0 OK; exit 5 CORRUPT; else INTERNAL with the status. */
enum err_code fsck_in_child(char *const argv[], struct err *e) ERR_CHECKED;
/* The same by fork, for tests and for a start before any thread or nng exists: runs fn in the child. */
enum err_code fsck_in_fork(enum err_code (*fn)(void *ctx, struct err *e), void *ctx, struct err *e) ERR_CHECKED;
/* The first scan after opening: walks every page that a start would touch (all keys, all values' checksums of META,
 * PENDING, VOTES, PROOFS, BATCHES and the newest blocks). Run it in a child before the node opens the environment. */
enum err_code fsck_first_scan(const char *path, struct err *e) ERR_CHECKED;

#endif
