/* ledger/spool.c -- see spool.h.
 * Table items: side u8 ‖ case[16] -> keep until i64 ‖ note length u16 ‖ note ‖ ciphertext. Totals are counted at
 * opening. */
#include "ledger/spool.h"

#include "ledger/kv.h"
#include "wire/mem.h"

#include <pthread.h>

enum { SPOOL_ITEMS };
static const char *const spool_tables[] = {"items"};
enum { SPOOL_KEY = 1 + SPOOL_ID_SIZE, SPOOL_HEAD = 10 };

struct spool {
    struct kv *kv;
    struct spool_options opt;
    pthread_mutex_t lock; /* guards st, orders the changes */
    struct spool_stats st;
};

struct spool_change {
    struct spool *s;
    struct spool_stats st; /* as it will be */
    uint8_t key[SPOOL_KEY];
    struct buf value;
    int64_t now;
    uint32_t dropped;
};

static void spool_key(uint8_t key[SPOOL_KEY], enum spool_side side, const uint8_t case_id[SPOOL_ID_SIZE]) {
    key[0] = (uint8_t)side;
    memcpy(key + 1, case_id, SPOOL_ID_SIZE);
}

static enum err_code spool_total(struct spool *s, struct err *e) {
    struct kv_txn *t = NULL;
    struct slice key = slice_none(), value;
    enum err_code c = kv_read(s->kv, &t, e);
    while (!c) {
        c = kv_seek(t, SPOOL_ITEMS, key, key.len > 0, &key, &value, e);
        if (c == ERR_CORRUPT && key.len) { /* found out by who asks for it */
            value = slice_none();
            c = ERR_OK;
        }
        if (!c) {
            s->st.items++;
            s->st.bytes += value.len;
        }
    }
    kv_read_end(t);
    return c == ERR_NOT_FOUND ? ERR_OK : c;
}

enum err_code spool_open(const char *dir, const struct spool_options *o, struct spool **out, struct err *e) {
    const struct kv_options ko = {.tables = spool_tables, .table_count = 1};
    struct spool *s = mem_zalloc(1, sizeof *s);
    if (!s)
        return err_set(e, ERR_NO_MEMORY, "spool");
    pthread_mutex_init(&s->lock, NULL);
    s->opt.items_max = o->items_max ? o->items_max : 4096;
    s->opt.bytes_max = o->bytes_max ? o->bytes_max : 1ULL << 30;
    enum err_code c = kv_open(dir, &ko, &s->kv, e);
    if (!c)
        c = spool_total(s, e);
    if (c)
        spool_close(s);
    else
        *out = s;
    return c;
}

void spool_close(struct spool *s) {
    if (!s)
        return;
    kv_close(s->kv);
    pthread_mutex_destroy(&s->lock);
    mem_free(s);
}

struct spool_stats spool_stats(struct spool *s) {
    pthread_mutex_lock(&s->lock);
    struct spool_stats st = s->st;
    pthread_mutex_unlock(&s->lock);
    return st;
}

/* Removes the key and its share of the totals. NOT_FOUND. */
static enum err_code spool_remove(struct kv_txn *t, struct spool_stats *st, struct slice key, struct err *e) {
    struct slice value;
    enum err_code c = kv_get(t, SPOOL_ITEMS, key, &value, e);
    if (c && c != ERR_CORRUPT)
        return c;
    st->items--;
    st->bytes -= c || value.len > st->bytes ? 0 : value.len;
    return kv_del(t, SPOOL_ITEMS, key, e);
}

static enum err_code spool_put_one(struct kv_txn *t, void *ctx, struct err *e) {
    struct spool_change *g = ctx;
    struct slice key = slice_of(g->key, SPOOL_KEY);
    g->st = g->s->st;
    enum err_code c = spool_remove(t, &g->st, key, e);
    if (c && c != ERR_NOT_FOUND)
        return c;
    g->st.items++;
    g->st.bytes += g->value.len;
    if (g->st.items > g->s->opt.items_max || g->st.bytes > g->s->opt.bytes_max)
        return err_set(e, ERR_FULL, "the spool would hold %llu items, %llu bytes", (unsigned long long)g->st.items,
                       (unsigned long long)g->st.bytes);
    return kv_put(t, SPOOL_ITEMS, key, buf_slice(&g->value), e);
}

static enum err_code spool_drop_one(struct kv_txn *t, void *ctx, struct err *e) {
    struct spool_change *g = ctx;
    g->st = g->s->st;
    return spool_remove(t, &g->st, slice_of(g->key, SPOOL_KEY), e);
}

static enum err_code spool_sweep_all(struct kv_txn *t, void *ctx, struct err *e) {
    struct spool_change *g = ctx;
    struct slice key, value, from = slice_none();
    uint8_t at[SPOOL_KEY];
    g->st = g->s->st;
    g->dropped = 0;
    for (;;) {
        enum err_code c = kv_seek(t, SPOOL_ITEMS, from, from.len > 0, &key, &value, e);
        if (c == ERR_NOT_FOUND)
            return ERR_OK;
        if ((c && c != ERR_CORRUPT) || key.len != SPOOL_KEY)
            return c ? c : err_set(e, ERR_CORRUPT, "spool");
        bool over = !c && value.len >= SPOOL_HEAD && (int64_t)buf_get64(value.ptr) < g->now;
        memcpy(at, key.ptr, SPOOL_KEY);
        from = slice_of(at, SPOOL_KEY);
        if (over && (c = spool_remove(t, &g->st, from, e)) != ERR_OK)
            return c;
        g->dropped += over;
    }
}

static enum err_code spool_update(struct spool *s, kv_change fn, struct spool_change *g, struct err *e) {
    g->s = s;
    pthread_mutex_lock(&s->lock);
    enum err_code c = kv_update(s->kv, fn, g, e);
    if (!c)
        s->st = g->st;
    pthread_mutex_unlock(&s->lock);
    return c;
}

enum err_code spool_put(struct spool *s, const struct spool_item *item, struct err *e) {
    struct spool_change g = {.dropped = 0};
    if (item->ciphertext.len > SPOOL_ITEM_MAX || item->note.len > SPOOL_NOTE_MAX)
        return err_set(e, ERR_TOO_LARGE, "ciphertext of %zu bytes, note of %zu", item->ciphertext.len, item->note.len);
    spool_key(g.key, item->side, item->case_id);
    buf_init(&g.value, SPOOL_ITEM_MAX + SPOOL_NOTE_MAX + SPOOL_HEAD);
    buf_be64(&g.value, (uint64_t)item->keep_until);
    buf_be16(&g.value, (uint16_t)item->note.len);
    buf_append(&g.value, item->note);
    buf_append(&g.value, item->ciphertext);
    enum err_code c = buf_check(&g.value, e);
    if (!c)
        c = spool_update(s, spool_put_one, &g, e);
    buf_release(&g.value);
    return c;
}

enum err_code spool_get(struct spool *s, enum spool_side side, const uint8_t case_id[SPOOL_ID_SIZE], struct buf *bytes,
                        struct spool_item *out, struct err *e) {
    struct kv_txn *t = NULL;
    struct slice value;
    uint8_t key[SPOOL_KEY];
    spool_key(key, side, case_id);
    buf_clear(bytes);
    memset(out, 0, sizeof *out);
    enum err_code c = kv_read(s->kv, &t, e);
    if (!c)
        c = kv_get(t, SPOOL_ITEMS, slice_of(key, SPOOL_KEY), &value, e);
    if (!c) {
        buf_append(bytes, value);
        c = buf_check(bytes, e);
    }
    kv_read_end(t);
    if (c)
        return c;
    size_t note = bytes->len >= SPOOL_HEAD ? buf_get16(bytes->ptr + 8) : SIZE_MAX;
    if (bytes->len < SPOOL_HEAD || bytes->len - SPOOL_HEAD < note)
        return err_set(e, ERR_CORRUPT, "spool item of %zu bytes", bytes->len);
    out->side = side;
    memcpy(out->case_id, case_id, SPOOL_ID_SIZE);
    out->keep_until = (int64_t)buf_get64(bytes->ptr);
    out->note = slice_of(bytes->ptr + SPOOL_HEAD, note);
    out->ciphertext = slice_from(buf_slice(bytes), SPOOL_HEAD + note);
    return ERR_OK;
}

enum err_code spool_drop(struct spool *s, enum spool_side side, const uint8_t case_id[SPOOL_ID_SIZE], struct err *e) {
    struct spool_change g = {.dropped = 0};
    spool_key(g.key, side, case_id);
    return spool_update(s, spool_drop_one, &g, e);
}

enum err_code spool_sweep(struct spool *s, int64_t now, uint32_t *dropped, struct err *e) {
    struct spool_change g = {.now = now};
    enum err_code c = spool_update(s, spool_sweep_all, &g, e);
    *dropped = c ? 0 : g.dropped;
    return c;
}
