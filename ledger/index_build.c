/* ledger/index_build.c -- see index_build.h. */
#include "ledger/index_build.h"

#include <stdlib.h>

#include "wire/mem.h"

enum { BUILD_SLOTS = 1024, BUILD_ARENA = 1 << 30, BUILD_DOC = 8 << 20 };

void index_build_init(struct index_build *b) {
    memset(b, 0, sizeof *b);
    arena_init(&b->arena, BUILD_ARENA);
    arena_init(&b->doc, BUILD_DOC);
}

static void build_clear_terms(struct index_build *b) {
    size_t i;
    for (i = 0; i < b->term_count; i++)
        index_post_release(&b->terms[i].post);
    b->term_count = 0;
}

void index_build_release(struct index_build *b) {
    build_clear_terms(b);
    mem_free(b->terms);
    mem_free(b->slots);
    mem_free(b->times);
    mem_free(b->leaves);
    mem_free(b->kinds);
    arena_release(&b->arena);
    arena_release(&b->doc);
    index_build_init(b);
}

void index_build_start(struct index_build *b, uint64_t first, uint64_t height, const struct digest *hash) {
    build_clear_terms(b);
    arena_clear(&b->arena);
    if (b->slots)
        memset(b->slots, 0, b->slot_cap * sizeof b->slots[0]);
    b->first = first;
    b->height = height;
    b->hash = *hash;
    b->count = 0;
    b->kind_count = 0;
    b->time_min = INT64_MAX;
    b->time_max = INT64_MIN;
}

static uint64_t build_prefix(struct slice t) {
    uint8_t p[8] = {0};
    memcpy(p, t.ptr, t.len < 8 ? t.len : 8);
    return buf_get64(p);
}

/* Multiplying hash of 8-byte words. A table of one block's terms is small; who aims at collisions slows his own
 * channel's index, not its commits. */
static uint32_t build_hash(struct slice t) {
    uint64_t h = 0x9e3779b97f4a7c15u ^ t.len, w;
    while (t.len >= 8) {
        memcpy(&w, t.ptr, 8);
        h = (h ^ w) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
        t = slice_from(t, 8);
    }
    w = 0;
    memcpy(&w, t.ptr, t.len);
    h = (h ^ w) * 0xff51afd7ed558ccdu;
    return (uint32_t)(h ^ h >> 32);
}

static bool build_grow_slots(struct index_build *b) {
    size_t cap = b->slot_cap ? b->slot_cap * 2 : BUILD_SLOTS, i, at;
    uint32_t *slots = mem_zalloc(cap, sizeof *slots);
    if (!slots)
        return false;
    for (i = 0; i < b->term_count; i++) {
        for (at = b->terms[i].hash & (cap - 1); slots[at]; at = (at + 1) & (cap - 1))
            ;
        slots[at] = (uint32_t)i + 1;
    }
    mem_free(b->slots);
    b->slots = slots;
    b->slot_cap = cap;
    return true;
}

static bool build_term(void *ctx, struct slice t) {
    struct index_build *b = ctx;
    struct index_build_term *term;
    uint32_t hash = build_hash(t);
    size_t at;
    void *grown;
    if (b->term_count * 2 >= b->slot_cap && !build_grow_slots(b))
        return false;
    for (at = hash & (b->slot_cap - 1); b->slots[at]; at = (at + 1) & (b->slot_cap - 1)) {
        term = &b->terms[b->slots[at] - 1];
        if (term->hash == hash && slice_eq(slice_of(term->ptr, term->len), t))
            return index_post_add(&term->post, b->count, 1);
    }
    if (b->term_count == b->term_cap) {
        size_t cap = b->term_cap ? b->term_cap * 2 : BUILD_SLOTS;
        if (!(grown = mem_realloc(b->terms, cap * sizeof *b->terms)))
            return false;
        b->terms = grown;
        b->term_cap = cap;
    }
    term = &b->terms[b->term_count];
    memset(term, 0, sizeof *term);
    if (!(term->ptr = arena_copy(&b->arena, t).ptr))
        return false;
    term->len = (uint32_t)t.len;
    term->hash = hash;
    term->prefix = build_prefix(t);
    b->slots[at] = (uint32_t)++b->term_count;
    return index_post_add(&term->post, b->count, 1);
}

static bool build_room(struct index_build *b) {
    size_t cap = b->entry_cap ? b->entry_cap * 2 : 4096;
    int64_t *times;
    struct digest *leaves;
    if (b->count < b->entry_cap)
        return true;
    if (!(times = mem_realloc(b->times, cap * sizeof *times)))
        return false;
    b->times = times;
    if (!(leaves = mem_realloc(b->leaves, cap * sizeof *leaves)))
        return false;
    b->leaves = leaves;
    b->entry_cap = cap;
    return true;
}

static bool build_kind(struct index_build *b, uint64_t number, enum entry_kind kind) {
    size_t cap = b->kind_cap ? b->kind_cap * 2 : 64;
    struct index_build_kind *kinds;
    if (b->kind_count == b->kind_cap) {
        if (!(kinds = mem_realloc(b->kinds, cap * sizeof *kinds)))
            return false;
        b->kinds = kinds;
        b->kind_cap = cap;
    }
    b->kinds[b->kind_count++] = (struct index_build_kind){number, kind};
    return true;
}

enum err_code index_build_add(struct index_build *b, const struct index_entry *entry, struct index_doc *doc,
                              struct err *e) {
    struct index_doc mine;
    enum err_code code;
    if (!doc)
        doc = &mine;
    ERR_ASSERT(entry->number == b->first + b->count);
    if ((code = index_doc_read(entry, &b->doc, doc, e)) != ERR_OK)
        return code;
    if (!build_room(b) || !index_doc_terms(doc, build_term, b) ||
        (doc->kind != ENTRY_RECORD && !build_kind(b, entry->number, doc->kind)))
        return err_set(e, ERR_NO_MEMORY, "index: terms of entry %llu", (unsigned long long)entry->number);
    b->times[b->count] = doc->time;
    b->leaves[b->count] = entry_leaf(entry->bytes);
    if (doc->time < b->time_min)
        b->time_min = doc->time;
    if (doc->time > b->time_max)
        b->time_max = doc->time;
    b->count++;
    return ERR_OK;
}

static int build_order(const void *a, const void *b) {
    const struct index_build_term *x = a, *y = b;
    if (x->prefix != y->prefix)
        return x->prefix < y->prefix ? -1 : 1;
    return slice_cmp(slice_of(x->ptr, x->len), slice_of(y->ptr, y->len));
}

enum err_code index_build_sort(struct index_build *b, struct err *e) {
    size_t i;
    for (i = 0; i < b->term_count; i++)
        if (!index_post_finish(&b->terms[i].post))
            return err_set(e, ERR_NO_MEMORY, "index: lists");
    if (b->term_count)
        qsort(b->terms, b->term_count, sizeof b->terms[0], build_order);
    return ERR_OK;
}
