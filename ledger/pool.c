/* ledger/pool.c -- see pool.h. A submitter's window is a ring of slots, slot = seq mod LIMIT_POOL_BATCHES. */
#include "ledger/pool.h"

#include "wire/mem.h"

enum { POOL_SUBMITTERS = 2 * LIMIT_MEMBERS };
#define POOL_BYTES_TOTAL (UINT64_C(256) << 20) /* of all submitters together */

struct pool_item {
    struct batch batch; /* its body points behind this struct */
    uint8_t bytes[];
};
struct pool_window {
    struct sign_public submitter;
    uint64_t bytes;
    unsigned count;
    struct pool_item *slot[LIMIT_POOL_BATCHES];
};
struct pool {
    pool_notice_fn notice;
    void *ctx;
    struct pool_window *windows[POOL_SUBMITTERS]; /* none is empty */
    size_t count;
    struct pool_usage usage;
};

enum err_code pool_open(pool_notice_fn notice, void *ctx, struct pool **out, struct err *e) {
    struct pool *p = mem_zalloc(1, sizeof *p);
    if (!p)
        return err_set(e, ERR_NO_MEMORY, "a pool");
    p->notice = notice;
    p->ctx = ctx;
    *out = p;
    return ERR_OK;
}

void pool_close(struct pool *p) {
    size_t i, j;
    if (!p)
        return;
    for (i = 0; i < p->count; i++) {
        for (j = 0; j < LIMIT_POOL_BATCHES; j++)
            mem_free(p->windows[i]->slot[j]);
        mem_free(p->windows[i]);
    }
    mem_free(p);
}

static size_t pool_find(const struct pool *p, const struct sign_public *submitter) {
    size_t i;
    for (i = 0; i < p->count; i++)
        if (sign_public_eq(&p->windows[i]->submitter, submitter))
            break;
    return i;
}

static struct pool_item **pool_slot(struct pool_window *w, uint64_t seq) {
    return &w->slot[seq % LIMIT_POOL_BATCHES];
}

const struct batch *pool_get(const struct pool *p, const struct sign_public *submitter, uint64_t seq) {
    size_t i = pool_find(p, submitter);
    const struct pool_item *item = i < p->count ? *pool_slot(p->windows[i], seq) : NULL;
    return item && item->batch.header.seq == seq ? &item->batch : NULL;
}

static enum err_code pool_check_window(const struct pool *p, const struct batch *b, uint64_t final_seq, struct err *e) {
    uint64_t seq = b->header.seq;
    if (seq <= final_seq)
        return err_set(e, ERR_SEQUENCE, "sequence number %llu is final; the next is %llu", (unsigned long long)seq,
                       (unsigned long long)final_seq + 1);
    if (seq - final_seq > LIMIT_POOL_BATCHES)
        return err_set(e, ERR_SEQUENCE, "sequence number %llu is past the window that starts at %llu",
                       (unsigned long long)seq, (unsigned long long)final_seq + 1);
    if (p->usage.bytes + b->body.len > POOL_BYTES_TOTAL)
        return err_set(e, ERR_FULL, "the pool is full");
    return ERR_OK;
}

static enum err_code pool_window_for(struct pool *p, const struct sign_public *submitter, struct pool_window **out,
                                     struct err *e) {
    size_t i = pool_find(p, submitter);
    if (i == POOL_SUBMITTERS)
        return err_set(e, ERR_FULL, "batches of %d submitters wait already", POOL_SUBMITTERS);
    if (i == p->count) {
        p->windows[i] = mem_zalloc(1, sizeof *p->windows[i]);
        if (!p->windows[i])
            return err_set(e, ERR_NO_MEMORY, "a submitter's window");
        p->windows[i]->submitter = *submitter;
        p->count++;
    }
    *out = p->windows[i];
    return ERR_OK;
}

static void pool_window_done(struct pool *p, size_t i) {
    if (p->windows[i]->count > 0)
        return;
    mem_free(p->windows[i]);
    p->count--;
    memmove(&p->windows[i], &p->windows[i + 1], (p->count - i) * sizeof *p->windows);
}

enum err_code pool_add(struct pool *p, const struct batch *b, uint64_t final_seq, enum pool_answer *answer,
                       struct err *e) {
    struct pool_window *w = NULL;
    struct pool_item *item, **slot;
    enum err_code code = pool_check_window(p, b, final_seq, e);
    if (code == ERR_OK)
        code = pool_window_for(p, &b->header.submitter, &w, e);
    if (code != ERR_OK)
        return code;
    ERR_ASSERT(w != NULL);
    slot = pool_slot(w, b->header.seq);
    if (*slot) { /* the window is no wider than the ring, so it is the same seq */
        if (digest_eq(&(*slot)->batch.hash, &b->hash)) {
            *answer = POOL_HELD;
            return ERR_OK;
        }
        return err_set(e, ERR_CONFLICT, "another batch waits under sequence number %llu",
                       (unsigned long long)b->header.seq);
    }
    if (w->bytes + b->body.len > LIMIT_POOL_BYTES) {
        code = err_set(e, ERR_FULL, "the submitter's window of %d bytes is full", LIMIT_POOL_BYTES);
        goto out;
    }
    item = mem_alloc(sizeof *item + b->body.len);
    if (!item) {
        code = err_set(e, ERR_NO_MEMORY, "a batch in the pool");
        goto out;
    }
    item->batch = *b;
    item->batch.body = slice_of(item->bytes, b->body.len);
    memcpy(item->bytes, b->body.ptr, b->body.len);
    *slot = item;
    w->count++;
    w->bytes += b->body.len;
    p->usage.batches++;
    p->usage.bytes += b->body.len;
    p->usage.entries += b->header.count;
    *answer = POOL_TAKEN;
out:
    pool_window_done(p, pool_find(p, &b->header.submitter));
    return code;
}

size_t pool_submitters(const struct pool *p) {
    return p->count;
}

const struct sign_public *pool_submitter(const struct pool *p, size_t i) {
    ERR_ASSERT(i < p->count);
    return &p->windows[i]->submitter;
}

/* Takes a batch out of its slot, with notice. */
static void pool_leave(struct pool *p, struct pool_window *w, struct pool_item **slot, struct pool_notice n) {
    struct pool_item *item = *slot;
    *slot = NULL;
    w->count--;
    w->bytes -= item->batch.body.len;
    p->usage.batches--;
    p->usage.bytes -= item->batch.body.len;
    p->usage.entries -= item->batch.header.count;
    n.submitter = &item->batch.header.submitter;
    n.seq = item->batch.header.seq;
    n.hash = &item->batch.hash;
    if (p->notice)
        p->notice(p->ctx, &n);
    mem_free(item);
}

void pool_refuse(struct pool *p, const struct sign_public *submitter, uint64_t seq, uint32_t entry,
                 const struct err *reason) {
    size_t i = pool_find(p, submitter);
    if (!pool_get(p, submitter, seq))
        return;
    pool_leave(p, p->windows[i], pool_slot(p->windows[i], seq),
               (struct pool_notice){.fate = POOL_REFUSED, .entry = entry, .reason = reason});
    pool_window_done(p, i);
}

void pool_final(struct pool *p, const struct sign_public *submitter, uint64_t seq, const struct digest *hash,
                uint64_t height) {
    size_t i = pool_find(p, submitter), j;
    if (i == p->count)
        return;
    for (j = 0; j < LIMIT_POOL_BATCHES; j++) {
        struct pool_item **slot = &p->windows[i]->slot[j];
        bool same;
        if (!*slot || (*slot)->batch.header.seq > seq)
            continue;
        same = (*slot)->batch.header.seq == seq && digest_eq(&(*slot)->batch.hash, hash);
        pool_leave(p, p->windows[i], slot,
                   (struct pool_notice){.fate = same ? POOL_FINAL : POOL_DISPLACED, .height = height});
    }
    pool_window_done(p, i);
}

struct pool_usage pool_usage(const struct pool *p) {
    return p->usage;
}
