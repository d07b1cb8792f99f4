/* tests/support/ledger_fixture.h -- entries, batches, temporary directories and chains for tests of ledger/. */
#ifndef TESTS_SUPPORT_LEDGER_FIXTURE_H
#define TESTS_SUPPORT_LEDGER_FIXTURE_H

#include "ledger/chain.h"

enum { FIXTURE_SUBMITTERS = 3 };

struct ledger_fixture {
    char dir[64]; /* empty: an in-memory store */
    struct digest channel;
    struct store *store;
    struct pool *pool;
    struct chain *chain;
    struct sign_secret *secret[FIXTURE_SUBMITTERS];
    struct sign_public key[FIXTURE_SUBMITTERS];
    unsigned fate[4];       /* notices by enum pool_fate */
    unsigned finals, drops; /* of the rules */
    const char *refuse;     /* entries with this text do not conform */
};

void ledger_fixture_open(struct ledger_fixture *f, bool lmdb);
void ledger_fixture_close(struct ledger_fixture *f);
void ledger_fixture_reopen(struct ledger_fixture *f); /* chain, pool and (LMDB) store anew */
/* An annotation entry with this text, onto a cleared buffer. */
void ledger_fixture_entry(struct buf *out, const char *text);
/* A carried batch of `count` entries "<text> <i>". */
void ledger_fixture_batch(struct ledger_fixture *f, unsigned who, uint64_t seq, unsigned count, const char *text,
                          struct buf *out);
/* ... submitted to the chain. */
enum err_code ledger_fixture_submit(struct ledger_fixture *f, unsigned who, uint64_t seq, unsigned count,
                                    const char *text, struct err *e);
/* Builds above parent; persists; returns the hash. */
struct digest ledger_fixture_block(struct ledger_fixture *f, const struct digest *parent, int64_t now);
void ledger_fixture_finalize(struct ledger_fixture *f, const struct digest *hash);
/* Submits and finalizes one block of each of the submitters with n entries. */
void ledger_fixture_grow(struct ledger_fixture *f, unsigned blocks, unsigned entries);
uint32_t ledger_fixture_random(uint64_t *state);

#endif
