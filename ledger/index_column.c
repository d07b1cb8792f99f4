/* ledger/index_column.c -- see index_column.h. */
#include "ledger/index_column.h"

#include "ledger/index_post.h"

enum { COLUMN_TIMES_BYTES = INDEX_COLUMN_TIMES * INDEX_POST_VARINT };

static uint64_t column_zigzag(int64_t v) {
    return ((uint64_t)v << 1) ^ (v < 0 ? UINT64_MAX : 0);
}
static int64_t column_unzigzag(uint64_t v) {
    return (int64_t)((v >> 1) ^ (v & 1 ? UINT64_MAX : 0));
}

static size_t column_times_write(const int64_t *times, uint32_t count, uint8_t *out) {
    size_t n = 8;
    uint32_t i;
    index_store_be64(out, (uint64_t)times[0]);
    for (i = 1; i < count; i++)
        n += index_post_put(out + n, column_zigzag((int64_t)((uint64_t)times[i] - (uint64_t)times[i - 1])));
    return n;
}

/* Varints of 63 bits: times further apart than 2^62 ms are not stored exactly, and no record has them. */
static bool column_times_read(struct slice v, struct index_column_times *c) {
    uint64_t d;
    if (v.len < 8)
        return false;
    c->times[0] = (int64_t)buf_get64(v.ptr);
    c->count = 1;
    v = slice_from(v, 8);
    while (v.len) {
        if (c->count == INDEX_COLUMN_TIMES || !index_post_get(&v, &d))
            return false;
        c->times[c->count] = (int64_t)((uint64_t)c->times[c->count - 1] + (uint64_t)column_unzigzag(d));
        c->count++;
    }
    return true;
}

static enum err_code column_load(struct index_store *s, MDB_txn *txn, struct index_column_times *c, uint64_t chunk,
                                 struct err *e) {
    uint8_t key[8];
    struct slice v;
    enum err_code code;
    c->loaded = false;
    c->count = 0;
    index_store_be64(key, chunk);
    if ((code = index_store_get(s, txn, INDEX_DB_TIMES, slice_of(key, sizeof key), &v, e)) != ERR_OK)
        return code;
    if (!column_times_read(v, c)) {
        atomic_store(&s->damaged, true);
        return err_set(e, ERR_CORRUPT, "index: a value of times is malformed");
    }
    c->chunk = chunk;
    c->loaded = true;
    return ERR_OK;
}

enum err_code index_column_put_times(struct index_store *s, MDB_txn *txn, uint64_t first, const int64_t *times,
                                     size_t count, struct err *e) {
    struct index_column_times c = {0};
    uint8_t key[8], out[8 + COLUMN_TIMES_BYTES];
    enum err_code code;
    size_t i = 0;
    uint64_t chunk = first / INDEX_COLUMN_TIMES;
    if (count && first % INDEX_COLUMN_TIMES) {
        if ((code = column_load(s, txn, &c, chunk, e)) != ERR_OK)
            return code == ERR_NOT_FOUND ? err_set(e, ERR_CORRUPT, "index: times are missing") : code;
        c.count = (uint32_t)(first % INDEX_COLUMN_TIMES);
    }
    while (i < count) {
        while (i < count && c.count < INDEX_COLUMN_TIMES)
            c.times[c.count++] = times[i++];
        index_store_be64(key, chunk++);
        if ((code = index_store_put(s, txn, INDEX_DB_TIMES, slice_of(key, sizeof key),
                                    slice_of(out, column_times_write(c.times, c.count, out)), 0, e)) != ERR_OK)
            return code;
        c.count = 0;
    }
    return ERR_OK;
}

enum err_code index_column_time(struct index_store *s, MDB_txn *txn, struct index_column_times *c, uint64_t number,
                                int64_t *out, struct err *e) {
    enum err_code code;
    uint64_t chunk = number / INDEX_COLUMN_TIMES;
    uint32_t at = (uint32_t)(number % INDEX_COLUMN_TIMES);
    if (!(c->loaded && c->chunk == chunk) && (code = column_load(s, txn, c, chunk, e)) != ERR_OK)
        return code;
    if (at >= c->count)
        return err_set(e, ERR_NOT_FOUND, "index: no time of entry %llu", (unsigned long long)number);
    *out = c->times[at];
    return ERR_OK;
}

static void column_key(uint8_t key[9], unsigned level, uint64_t chunk) {
    key[0] = (uint8_t)level;
    index_store_be64(key + 1, chunk);
}

enum err_code index_column_hashes(struct index_store *s, MDB_txn *txn, unsigned level, uint64_t first, uint64_t count,
                                  struct digest *out, struct err *e) {
    uint8_t key[9];
    struct slice v;
    enum err_code code;
    uint64_t at, n;
    while (count) {
        column_key(key, level, first / INDEX_COLUMN_HASHES);
        if ((code = index_store_get(s, txn, INDEX_DB_HASHES, slice_of(key, sizeof key), &v, e)) != ERR_OK)
            return code;
        at = first % INDEX_COLUMN_HASHES;
        n = INDEX_COLUMN_HASHES - at < count ? INDEX_COLUMN_HASHES - at : count;
        if (v.len < (at + n) * DIGEST_SIZE)
            return err_set(e, ERR_NOT_FOUND, "index: no such hashes");
        memcpy(out, v.ptr + at * DIGEST_SIZE, n * DIGEST_SIZE);
        out += n;
        first += n;
        count -= n;
    }
    return ERR_OK;
}

static enum err_code column_put_hashes(struct index_store *s, MDB_txn *txn, unsigned level, uint64_t first,
                                       const struct digest *hashes, size_t count, struct err *e) {
    struct digest chunk[INDEX_COLUMN_HASHES];
    uint8_t key[9];
    enum err_code code;
    size_t at, n;
    while (count) {
        at = first % INDEX_COLUMN_HASHES;
        n = INDEX_COLUMN_HASHES - at < count ? INDEX_COLUMN_HASHES - at : count;
        if (at && (code = index_column_hashes(s, txn, level, first - at, at, chunk, e)) != ERR_OK)
            return code == ERR_NOT_FOUND ? err_set(e, ERR_CORRUPT, "index: hashes are missing") : code;
        memcpy(chunk + at, hashes, n * DIGEST_SIZE);
        column_key(key, level, first / INDEX_COLUMN_HASHES);
        if ((code = index_store_put(s, txn, INDEX_DB_HASHES, slice_of(key, sizeof key),
                                    slice_of(chunk, (at + n) * DIGEST_SIZE), 0, e)) != ERR_OK)
            return code;
        hashes += n;
        first += n;
        count -= n;
    }
    return ERR_OK;
}

struct digest index_column_root(const struct digest hashes[INDEX_COLUMN_TILE]) {
    static const uint8_t one = 1;
    struct digest row[INDEX_COLUMN_TILE];
    struct digest_state d;
    size_t i, n;
    memcpy(row, hashes, sizeof row);
    for (n = INDEX_COLUMN_TILE; n > 1; n /= 2)
        for (i = 0; i < n / 2; i++) {
            digest_init(&d);
            digest_update(&d, slice_of(&one, 1));
            digest_update(&d, slice_of(&row[2 * i], 2 * sizeof row[0]));
            digest_final(&d, &row[i]);
        }
    return row[0];
}

enum err_code index_column_put_leaves(struct index_store *s, MDB_txn *txn, uint64_t first, const struct digest *leaves,
                                      size_t count, struct err *e) {
    struct digest tile[INDEX_COLUMN_TILE], root;
    enum err_code code;
    uint64_t end = first + count, t;
    unsigned level;
    if ((code = column_put_hashes(s, txn, 0, first, leaves, count, e)) != ERR_OK)
        return code;
    for (level = 0; level + 1 < INDEX_COLUMN_LEVELS; level++) {
        for (t = first / INDEX_COLUMN_TILE; t < end / INDEX_COLUMN_TILE; t++) {
            if ((code = index_column_hashes(s, txn, level, t * INDEX_COLUMN_TILE, INDEX_COLUMN_TILE, tile, e)) !=
                ERR_OK)
                return code == ERR_NOT_FOUND ? err_set(e, ERR_CORRUPT, "index: hashes are missing") : code;
            root = index_column_root(tile);
            if ((code = column_put_hashes(s, txn, level + 1, t, &root, 1, e)) != ERR_OK)
                return code;
        }
        first /= INDEX_COLUMN_TILE;
        end /= INDEX_COLUMN_TILE;
    }
    return ERR_OK;
}
