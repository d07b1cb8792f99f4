/* wire/arena.h -- many small allocations, released at once, under one limit. */
#ifndef WIRE_ARENA_H
#define WIRE_ARENA_H

#include "wire/slice.h"

struct arena_chunk;
struct arena {
    struct arena_chunk *chunks;
    size_t used, max; /* bytes handed out, and the most that may be */
    bool no_memory;   /* an allocation has failed */
};

void arena_init(struct arena *a, size_t max); /* allocates nothing */
void arena_release(struct arena *a);          /* frees all; usable again */
void arena_clear(struct arena *a);            /* hands all back, keeps the newest chunk */
/* Zeroed, aligned to 16; NULL when over max or out of memory. */
void *arena_alloc(struct arena *a, size_t count, size_t size);
/* Was the last NULL for want of memory (true), or because of max? */
bool arena_no_memory(const struct arena *a);
struct slice arena_copy(struct arena *a, struct slice s); /* {NULL,0} on failure or for an absent slice */
char *arena_cstr(struct arena *a, struct slice s);        /* NUL-terminated copy or NULL */

#endif
