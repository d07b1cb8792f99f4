/* wire/arena.c -- see arena.h. */
#include "wire/arena.h"

#include "wire/mem.h"

#include <stdalign.h>

struct arena_chunk {
    struct arena_chunk *next;
    size_t len, cap;
    alignas(16) uint8_t bytes[];
};

enum { ARENA_CHUNK = 4096 };

void arena_init(struct arena *a, size_t max) {
    *a = (struct arena){.max = max};
}

void arena_release(struct arena *a) {
    while (a->chunks) {
        struct arena_chunk *next = a->chunks->next;
        mem_free(a->chunks);
        a->chunks = next;
    }
    a->used = 0;
    a->no_memory = false;
}

void arena_clear(struct arena *a) {
    struct arena_chunk *keep = a->chunks;
    if (!keep)
        return;
    a->chunks = keep->next;
    arena_release(a);
    keep->next = NULL;
    keep->len = 0;
    a->chunks = keep;
}

void *arena_alloc(struct arena *a, size_t count, size_t size) {
    size_t want;
    struct arena_chunk *c = a->chunks;
    void *p;
    if (__builtin_mul_overflow(count, size, &want) || want > SIZE_MAX - 15)
        return NULL;
    want = (want + 15) & ~(size_t)15;
    if (want > a->max || a->used > a->max - want)
        return NULL;
    if (!c || c->cap - c->len < want) {
        size_t cap = want > ARENA_CHUNK ? want : ARENA_CHUNK;
        if (cap < a->used / 2)
            cap = a->used / 2; /* grow geometrically */
        c = mem_alloc(sizeof *c + cap);
        if (!c) {
            a->no_memory = true;
            return NULL;
        }
        c->next = a->chunks;
        c->len = 0;
        c->cap = cap;
        a->chunks = c;
    }
    p = c->bytes + c->len;
    c->len += want;
    a->used += want;
    memset(p, 0, want);
    return p;
}

bool arena_no_memory(const struct arena *a) {
    return a->no_memory;
}

struct slice arena_copy(struct arena *a, struct slice s) {
    uint8_t *p;
    if (!s.ptr)
        return slice_none();
    p = arena_alloc(a, 1, s.len ? s.len : 1);
    if (!p)
        return slice_none();
    if (s.len)
        memcpy(p, s.ptr, s.len);
    return slice_of(p, s.len);
}

char *arena_cstr(struct arena *a, struct slice s) {
    char *p = arena_alloc(a, 1, s.len + 1);
    if (p && s.len)
        memcpy(p, s.ptr, s.len);
    return p;
}
