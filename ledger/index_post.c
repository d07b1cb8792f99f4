/* ledger/index_post.c -- see index_post.h. */
#include "ledger/index_post.h"

#include "wire/mem.h"

static bool post_close_run(struct index_post_writer *w) {
    uint8_t out[2 * INDEX_POST_VARINT];
    uint8_t *grown;
    size_t n;
    uint32_t cap;
    if (w->run == 0)
        return true;
    n = index_post_put(out, (uint64_t)(w->start - w->end) << 1 | (w->run > 1));
    if (w->run > 1)
        n += index_post_put(out + n, w->run - 2);
    if (w->len + n > w->cap) {
        cap = w->cap ? w->cap * 2 : 16;
        while (cap < w->len + n)
            cap *= 2;
        if (!(grown = mem_realloc(w->ptr, cap)))
            return false;
        w->ptr = grown;
        w->cap = cap;
    }
    memcpy(w->ptr + w->len, out, n);
    w->len += (uint32_t)n;
    w->end = w->start + w->run;
    w->run = 0;
    return true;
}

bool index_post_add(struct index_post_writer *w, uint32_t offset, uint32_t length) {
    if (w->run && offset < w->start + w->run)
        return true;
    if (w->run && offset == w->start + w->run) {
        w->run += length;
    } else {
        if (!post_close_run(w))
            return false;
        w->start = offset;
        w->run = length;
    }
    w->count += length;
    return true;
}

bool index_post_finish(struct index_post_writer *w) {
    return post_close_run(w);
}

void index_post_release(struct index_post_writer *w) {
    mem_free(w->ptr);
    memset(w, 0, sizeof *w);
}

void index_post_init(struct index_post *p, struct slice bytes, uint32_t limit) {
    *p = (struct index_post){.bytes = bytes, .limit = limit};
}

bool index_post_next(struct index_post *p, uint32_t *start, uint32_t *length) {
    uint64_t gap, more = 0;
    if (p->bytes.len == 0 || p->bad)
        return false;
    p->bad = true;
    if (!index_post_get(&p->bytes, &gap))
        return false;
    if ((gap & 1) && !index_post_get(&p->bytes, &more))
        return false;
    more += (gap & 1) ? 2 : 1;
    gap >>= 1;
    if (gap > p->limit || more > p->limit || p->end + gap + more > p->limit)
        return false;
    p->bad = false;
    *start = p->end + (uint32_t)gap;
    *length = (uint32_t)more;
    p->end = *start + *length;
    return true;
}
