/* ledger/store_impl.h -- what the two stores share; for store*.c only.
 * store.c adds checksums, insert-if-absent and poisoning on top of these raw operations. */
#ifndef LEDGER_STORE_IMPL_H
#define LEDGER_STORE_IMPL_H

#include "ledger/store.h"

#include <stdatomic.h>

struct store_ops {
    void (*close)(struct store *s);
    enum err_code (*begin)(struct store *s, bool write, struct store_txn **out, struct err *e);
    enum err_code (*commit)(struct store_txn *t, struct err *e);
    void (*abort)(struct store_txn *t);
    enum err_code (*get)(struct store_txn *t, enum store_table table, struct slice key, struct slice *raw,
                         struct err *e);
    /* Value and tail are stored as one. CONFLICT when `append` and the key is not above all. */
    enum err_code (*put)(struct store_txn *t, enum store_table table, struct slice key, struct slice value,
                         struct slice tail, bool append, struct err *e);
    enum err_code (*del)(struct store_txn *t, enum store_table table, struct slice key, struct err *e);
    enum err_code (*seek)(struct store_txn *t, enum store_table table, enum store_seek how, struct slice from,
                          struct slice *key, struct slice *raw, struct err *e);
    enum err_code (*count)(struct store_txn *t, enum store_table table, uint64_t *count, struct err *e);
    enum err_code (*clear_dead)(struct store *s, unsigned *cleared, struct err *e);
    struct store_usage (*usage)(struct store *s);
};

/* First member of each kind of store and transaction. */
struct store {
    const struct store_ops *ops;
    atomic_int poison; /* enum err_code of the failure; set by the writer, read by all */
    bool writing;      /* a write transaction is open; owner: the channel's thread */
};
struct store_txn {
    struct store *store;
    bool write;
};

#endif
