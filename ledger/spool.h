/* ledger/spool.h -- ciphertexts of evidence on their way: with the answering node until a verdict, with the asker as
 * long as a dispute may need them. Durable, bounded, checksummed; what is in them only the one-time key shows.
 * Owns: home/spool (LMDB). Depends on: ledger/kv. Threads: any. */
#ifndef LEDGER_SPOOL_H
#define LEDGER_SPOOL_H

#include "wire/buf.h"
#include "wire/digest.h"

enum { SPOOL_ID_SIZE = 16, SPOOL_ITEM_MAX = 8 << 20, SPOOL_NOTE_MAX = 512 };
enum spool_side { SPOOL_ANSWERED = 1, SPOOL_RECEIVED }; /* one node can be both, in different cases */

struct spool;
struct spool_options {
    uint64_t items_max; /* 0: 4096 */
    uint64_t bytes_max; /* 0: 1 GiB */
};
enum err_code spool_open(const char *dir, const struct spool_options *o, struct spool **out, struct err *e) ERR_CHECKED;
void spool_close(struct spool *s);

struct spool_item {
    enum spool_side side;
    uint8_t case_id[SPOOL_ID_SIZE];
    int64_t keep_until; /* ms: spool_sweep may drop it afterwards */
    struct slice note;  /* opaque, e.g. the one-time key sealed to the own box key; never a key in clear */
    struct slice ciphertext;
};
/* Replaces. FULL (of items or bytes), TOO_LARGE. */
enum err_code spool_put(struct spool *s, const struct spool_item *item, struct err *e) ERR_CHECKED;
/* bytes is cleared first and holds what *out borrows. NOT_FOUND, CORRUPT. */
enum err_code spool_get(struct spool *s, enum spool_side side, const uint8_t case_id[SPOOL_ID_SIZE], struct buf *bytes,
                        struct spool_item *out, struct err *e) ERR_CHECKED;
enum err_code spool_drop(struct spool *s, enum spool_side side, const uint8_t case_id[SPOOL_ID_SIZE],
                         struct err *e) ERR_CHECKED; /* NOT_FOUND */
enum err_code spool_sweep(struct spool *s, int64_t now, uint32_t *dropped, struct err *e) ERR_CHECKED;
struct spool_stats {
    uint64_t items, bytes;
};
struct spool_stats spool_stats(struct spool *s);

#endif
