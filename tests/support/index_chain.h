/* tests/support/index_chain.h -- a chain in memory for tests of the index: random entries whose making is remembered as
 * small numbers, so that an oracle can answer queries without decoding anything. */
#ifndef TESTS_SUPPORT_INDEX_CHAIN_H
#define TESTS_SUPPORT_INDEX_CHAIN_H

#include "ledger/index_source.h"
#include "ledger/query.h"

enum { CHAIN_WORDS = 12, CHAIN_OBJECTS = 3 };

struct chain_made {
    enum entry_kind kind;
    int subject, subject_type, objects[CHAIN_OBJECTS], object_types[CHAIN_OBJECTS], object_count;
    int op, class_id, server, unit, source, submitter, token, link;
    uint64_t seq;
    int64_t time;
    uint8_t uid[RECORD_UID_SIZE], raw_hash[DIGEST_SIZE];
    struct slice bytes;
    struct buf owner; /* of bytes */
    uint64_t height;
};

struct chain {
    struct chain_made *made;
    uint64_t count, cap;
    struct index_block *blocks; /* [0] genesis */
    uint64_t block_count, block_cap;
    uint64_t seqs[CHAIN_WORDS];
    uint64_t seed;
    bool fail; /* entry() says IO */
};

extern const char *const chain_words[CHAIN_WORDS]; /* Chinese, long and plain ones */

void chain_init(struct chain *c, uint64_t seed);
void chain_release(struct chain *c);
uint64_t chain_random(struct chain *c, uint64_t below);
/* Appends a block of n random entries. records_only: for benches. */
void chain_grow(struct chain *c, uint32_t n, bool records_only);
struct index_source chain_source(struct chain *c);

/* A query by small numbers: -1 not asked. */
struct chain_question {
    int subject, subject_type, object, object_type, op, class_id, server, unit, source, submitter, token, link;
    uint64_t kinds, seq;
    int64_t from, to;
    int64_t uid_of, hash_of; /* number of an entry, or -1 */
};
void chain_ask(struct chain *c, struct chain_question *q);
struct query chain_query(const struct chain *c, const struct chain_question *q);
bool chain_answer(const struct chain *c, const struct chain_question *q, uint64_t number);

#endif
