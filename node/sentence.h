/* node/sentence.h -- one committed entry in words: who, when, what, to what. For show, query, watch, HTTP and reports.
 * Owns: nothing. Depends on genesis (names of submitters), ledger/record, audit's entry bodies. Pure.
 * Every kind has its words; a body that cannot be read is said to be so. Texts are the entry's own: the printer makes
 * them safe for a terminal (node/cli/out.h). */
#ifndef NODE_SENTENCE_H
#define NODE_SENTENCE_H

#include "genesis/genesis.h"
#include "ledger/entry.h"

enum { SENTENCE_PART = 1024, SENTENCE_TEXT = 8192, SENTENCE_TIME = 32 };

/* The columns of a listing, and the whole. Each is NUL-terminated UTF-8, cut at a character's end. */
struct sentence {
    enum entry_kind kind;
    int64_t time; /* the record's own, or its block's */
    char when[SENTENCE_TIME];
    char who[SENTENCE_PART];   /* "user 王芳" */
    char what[SENTENCE_PART];  /* "query users" */
    char to[SENTENCE_PART];    /* "userid 1001, userid 1002" */
    char where[SENTENCE_PART]; /* "portal/api" */
    char text[SENTENCE_TEXT];  /* one sentence, with its full stop */
};

/* entry: whole canonical bytes. submitter may be NULL: not known. */
void sentence_of(const struct genesis *g, struct slice entry, const uint8_t *submitter, int64_t block_time,
                 struct sentence *out);
/* "2026-11-22 19:00:00.123" UTC. */
void sentence_when(int64_t ms, char out[SENTENCE_TIME]);

#endif
