/* ledger/completeness_book.c -- see completeness_book.h. */
#include "ledger/completeness_book.h"

#include "wire/mem.h"

enum { BOOK_NUMBERS = 9, BOOK_HEAD = (BOOK_NUMBERS + 1) * 8, BOOK_SLOTS = 64 };

void completeness_book_init(struct completeness_book *b) {
    memset(b, 0, sizeof *b);
}

void completeness_state_release(struct completeness_state *st) {
    mem_free(st->ranges);
    memset(st, 0, sizeof *st);
}

void completeness_book_clear(struct completeness_book *b) {
    size_t i;
    for (i = 0; i < b->count; i++)
        completeness_state_release(&b->states[i]);
    b->count = b->last = 0;
    if (b->slots)
        memset(b->slots, 0, b->slot_cap * sizeof b->slots[0]);
}

void completeness_book_release(struct completeness_book *b) {
    completeness_book_clear(b);
    mem_free(b->states);
    mem_free(b->slots);
    completeness_book_init(b);
}

static bool state_room(struct completeness_state *st, uint32_t need) {
    struct completeness_range *grown;
    uint32_t cap = st->cap ? st->cap * 2 : 8;
    if (need <= st->cap)
        return true;
    if (cap < need)
        cap = need;
    if (!(grown = mem_realloc(st->ranges, cap * sizeof *grown)))
        return false;
    st->ranges = grown;
    st->cap = cap;
    return true;
}

static void state_drop_front(struct completeness_state *st, uint32_t n) {
    st->count -= n;
    memmove(st->ranges, st->ranges + n, st->count * sizeof st->ranges[0]);
}

static bool state_touches(uint64_t last, uint64_t first) {
    return last == UINT64_MAX || last + 1 >= first;
}

enum err_code completeness_state_cover(struct completeness_state *st, uint64_t first, uint64_t last, struct err *e) {
    struct completeness_range *r;
    uint32_t i, j;
    if (last > st->highest)
        st->highest = last;
    if (first > last || last <= st->contiguous)
        return ERR_OK;
    if (!state_room(st, st->count + 1))
        return err_set(e, ERR_NO_MEMORY, "index: holes of a source");
    r = st->ranges;
    for (i = st->count; i > 0 && r[i - 1].first > first; i--)
        ;
    if (i > 0 && state_touches(r[i - 1].last, first))
        first = r[--i].first;
    for (j = i; j < st->count && state_touches(last, r[j].first); j++)
        last = r[j].last > last ? r[j].last : last;
    /* r[i..j) melt into one */
    memmove(r + i + 1, r + j, (st->count - j) * sizeof *r);
    r[i] = (struct completeness_range){first, last};
    st->count = st->count - (j - i) + 1;
    if (st->count > COMPLETENESS_RANGES && !state_touches(st->contiguous, r[0].first)) {
        st->holes_dropped++;
        st->missing_dropped += r[0].first - st->contiguous - 1;
        st->contiguous = r[0].first - 1;
    }
    while (st->count && state_touches(st->contiguous, st->ranges[0].first)) {
        if (st->ranges[0].last > st->contiguous)
            st->contiguous = st->ranges[0].last;
        state_drop_front(st, 1);
    }
    return ERR_OK;
}

static bool state_has(const struct completeness_state *st, uint64_t seq) {
    uint32_t low = 0, high = st->count, mid;
    if (seq <= st->contiguous)
        return true;
    while (low < high) {
        mid = low + (high - low) / 2;
        if (st->ranges[mid].last < seq)
            low = mid + 1;
        else
            high = mid;
    }
    return low < st->count && st->ranges[low].first <= seq;
}

enum err_code completeness_state_read(struct slice key, struct slice v, struct completeness_state *out, struct err *e) {
    uint64_t *const numbers[BOOK_NUMBERS - 1] = {&out->contiguous,    &out->highest,        &out->records,
                                                 &out->dead_letters,  &out->gap_declared,   &out->repeated,
                                                 &out->holes_dropped, &out->missing_dropped};
    size_t i;
    if (key.len < DIGEST_SIZE || key.len > COMPLETENESS_KEY || v.len < BOOK_HEAD || (v.len - BOOK_HEAD) % 16 ||
        (v.len - BOOK_HEAD) / 16 > COMPLETENESS_RANGES)
        return err_set(e, ERR_CORRUPT, "index: the state of a source is malformed");
    memcpy(out->key, key.ptr, key.len);
    out->key_len = key.len;
    for (i = 0; i < BOOK_NUMBERS - 1; i++)
        *numbers[i] = buf_get64(v.ptr + 8 * i);
    out->last_time = (int64_t)buf_get64(v.ptr + 64);
    out->count = 0;
    if (!state_room(out, (uint32_t)((v.len - BOOK_HEAD) / 16) + 1))
        return err_set(e, ERR_NO_MEMORY, "index: holes of a source");
    for (i = BOOK_HEAD; i < v.len; i += 16)
        out->ranges[out->count++] = (struct completeness_range){buf_get64(v.ptr + i), buf_get64(v.ptr + i + 8)};
    return ERR_OK;
}

static void state_write(const struct completeness_state *st, struct buf *out) {
    uint32_t i;
    buf_be64(out, st->contiguous);
    buf_be64(out, st->highest);
    buf_be64(out, st->records);
    buf_be64(out, st->dead_letters);
    buf_be64(out, st->gap_declared);
    buf_be64(out, st->repeated);
    buf_be64(out, st->holes_dropped);
    buf_be64(out, st->missing_dropped);
    buf_be64(out, (uint64_t)st->last_time);
    buf_be64(out, 0);
    for (i = 0; i < st->count; i++) {
        buf_be64(out, st->ranges[i].first);
        buf_be64(out, st->ranges[i].last);
    }
}

enum err_code completeness_book_write(const struct completeness_book *b, struct index_store *s, MDB_txn *txn,
                                      struct err *e) {
    struct buf v;
    size_t i;
    enum err_code code = ERR_OK;
    buf_init(&v, BOOK_HEAD + 16 * COMPLETENESS_RANGES);
    for (i = 0; i < b->count && code == ERR_OK; i++) {
        buf_clear(&v);
        state_write(&b->states[i], &v);
        code = v.failed ? err_set(e, ERR_NO_MEMORY, "index: state of a source")
                        : index_store_put(s, txn, INDEX_DB_SOURCES, slice_of(b->states[i].key, b->states[i].key_len),
                                          buf_slice(&v), 0, e);
    }
    buf_release(&v);
    return code;
}

static enum err_code book_load(struct index_store *s, struct slice key, struct completeness_state *st, struct err *e) {
    MDB_txn *txn;
    struct slice v;
    enum err_code code;
    memset(st, 0, sizeof *st);
    st->last_time = INT64_MIN;
    memcpy(st->key, key.ptr, key.len);
    st->key_len = key.len;
    if ((code = index_store_read(s, &txn, e)) != ERR_OK)
        return code;
    code = index_store_get(s, txn, INDEX_DB_SOURCES, key, &v, e);
    if (code == ERR_OK)
        code = completeness_state_read(key, v, st, e);
    else if (code == ERR_NOT_FOUND)
        code = ERR_OK;
    index_store_read_end(s, txn);
    if (code != ERR_OK)
        completeness_state_release(st);
    return code;
}

static uint32_t book_hash(struct slice key) {
    uint32_t h = 2166136261u;
    size_t i;
    for (i = 0; i < key.len; i++)
        h = (h ^ key.ptr[i]) * 16777619u;
    return h;
}

static struct slice book_key(const struct completeness_state *st) {
    return slice_of(st->key, st->key_len);
}

static bool book_room(struct completeness_book *b) {
    struct completeness_state *grown;
    size_t cap = b->cap ? b->cap * 2 : BOOK_SLOTS / 2, i, at;
    uint32_t *slots;
    if (b->count < b->cap)
        return true;
    if (!(grown = mem_realloc(b->states, cap * sizeof *grown)))
        return false;
    b->states = grown;
    if (!(slots = mem_zalloc(cap * 2, sizeof *slots)))
        return false;
    for (i = 0; i < b->count; i++) {
        for (at = book_hash(book_key(&grown[i])) & (cap * 2 - 1); slots[at]; at = (at + 1) & (cap * 2 - 1))
            ;
        slots[at] = (uint32_t)i + 1;
    }
    mem_free(b->slots);
    b->slots = slots;
    b->slot_cap = cap * 2;
    b->cap = cap;
    return true;
}

static enum err_code book_find(struct completeness_book *b, struct index_store *s, struct slice key, struct err *e) {
    enum err_code code;
    size_t at;
    if (b->last < b->count && slice_eq(book_key(&b->states[b->last]), key))
        return ERR_OK;
    if (!book_room(b))
        return err_set(e, ERR_NO_MEMORY, "index: states of sources");
    for (at = book_hash(key) & (b->slot_cap - 1); b->slots[at]; at = (at + 1) & (b->slot_cap - 1))
        if (slice_eq(book_key(&b->states[b->slots[at] - 1]), key)) {
            b->last = b->slots[at] - 1;
            return ERR_OK;
        }
    if ((code = book_load(s, key, &b->states[b->count], e)) != ERR_OK)
        return code;
    b->last = b->count;
    b->slots[at] = (uint32_t)++b->count;
    return ERR_OK;
}

enum err_code completeness_book_note(struct completeness_book *b, struct index_store *s, const struct index_doc *d,
                                     struct err *e) {
    uint8_t key[COMPLETENESS_KEY];
    struct record_source source;
    struct completeness_state *st;
    enum err_code code;
    if (!index_doc_source(d, &source) || source.id.len > COMPLETENESS_KEY - DIGEST_SIZE || source.id.len == 0)
        return ERR_OK;
    memcpy(key, d->entry->submitter, DIGEST_SIZE);
    memcpy(key + DIGEST_SIZE, source.id.ptr, source.id.len);
    if ((code = book_find(b, s, slice_of(key, DIGEST_SIZE + source.id.len), e)) != ERR_OK)
        return code;
    st = &b->states[b->last];
    if (d->is_gap) {
        if (d->u.gap.last < d->u.gap.first)
            return ERR_OK;
        if (__builtin_add_overflow(st->gap_declared, d->u.gap.last - d->u.gap.first + 1, &st->gap_declared))
            st->gap_declared = UINT64_MAX;
        return completeness_state_cover(st, d->u.gap.first, d->u.gap.last, e);
    }
    st->records += d->is_record;
    st->dead_letters += d->is_dead_letter;
    st->repeated += state_has(st, source.seq);
    if (d->time > st->last_time)
        st->last_time = d->time;
    return completeness_state_cover(st, source.seq, source.seq, e);
}
