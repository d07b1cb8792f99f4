/* ledger/index_post.h -- posting lists: ascending offsets of entries in a segment, coded as runs.
 *   list = run*      run = varint(gap << 1 | long) [ varint(length - 2) if long ]
 * gap counts from the end of the run before (0 for the first), so a term that every entry has costs three bytes a
 * segment and a lone entry one to three. varint: 7 bits a byte, low first, at most 5 (values < 2^35) here.
 * Invariants: P1 runs neither touch nor overlap; P2 a reader never passes `end` nor an offset >= limit. */
#ifndef LEDGER_INDEX_POST_H
#define LEDGER_INDEX_POST_H

#include "wire/slice.h"

enum { INDEX_POST_VARINT = 10 };

static inline size_t index_post_put(uint8_t *p, uint64_t v) {
    size_t n = 0;
    while (v >= 0x80) {
        p[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    p[n++] = (uint8_t)v;
    return n;
}
/* Advances *s; false at its end or on an overlong number. */
static inline bool index_post_get(struct slice *s, uint64_t *v) {
    unsigned shift = 0;
    size_t i;
    *v = 0;
    for (i = 0; i < s->len && shift < 63; i++, shift += 7) {
        *v |= (uint64_t)(s->ptr[i] & 0x7f) << shift;
        if (!(s->ptr[i] & 0x80)) {
            *s = slice_from(*s, i + 1);
            return true;
        }
    }
    return false;
}

/* A list under construction: zero it first. The newest run is still open, so a lone offset needs no memory. */
struct index_post_writer {
    uint32_t count;      /* offsets added */
    uint32_t end;        /* of the last run that is written */
    uint32_t start, run; /* the open one; run 0: none */
    uint32_t len, cap;
    uint8_t *ptr;
};

/* offset >= every one before; a repeat is ignored. False: out of memory. */
bool index_post_add(struct index_post_writer *w, uint32_t offset, uint32_t length);
bool index_post_finish(struct index_post_writer *w); /* writes the open run */
void index_post_release(struct index_post_writer *w);

struct index_post {
    struct slice bytes;
    uint32_t end, limit;
    bool bad;
};

void index_post_init(struct index_post *p, struct slice bytes, uint32_t limit);
/* The next run; false at the end, or with p->bad set on damage. */
bool index_post_next(struct index_post *p, uint32_t *start, uint32_t *length);

#endif
