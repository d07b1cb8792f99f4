/* ledger/query.c -- answers one page. See query.h.
 * Newest first: the unindexed tail downwards, then the segments from the newest; oldest first: the other way about.
 * Each candidate is read from the blocks and decided on once more, so the index can hide nothing but by damage, and
 * damage has a checksum. Invariant: W1 `done` marks how far the answer is complete; whatever ends the walk, a cursor
 * made of it goes on exactly there. */
#include "ledger/query_inner.h"

struct query_walk {
    const struct index_source *src;
    const struct query *q;
    struct query_plan plan;
    struct index_view *view; /* NULL: no index */
    struct query_candidates found;
    struct arena arena;
    query_hit_fn *each;
    void *ctx;
    struct query_page *page;
    uint64_t limit, tip, indexed;
    uint64_t done; /* newest first: all >= done are answered; oldest first: all < done */
    bool stop;
};

/* Looks at one entry. Sets stop, leaving `done` before it, when the page is full. */
static enum err_code walk_visit(struct query_walk *w, uint64_t number, struct err *e) {
    struct index_entry entry;
    struct index_doc doc;
    struct query_hit hit;
    enum err_code code;
    w->done = w->q->oldest ? number : number + 1;
    if (w->page->read >= QUERY_SCAN_MAX) {
        w->stop = true;
        return ERR_OK;
    }
    w->page->read++;
    if ((code = w->src->entry(w->src->ctx, number, &entry, e)) != ERR_OK ||
        (code = index_doc_read(&entry, &w->arena, &doc, e)) != ERR_OK)
        return code;
    if (query_doc_matches(w->q, &doc)) {
        if (w->page->hits == w->limit) {
            w->stop = true;
            return ERR_OK;
        }
        hit = (struct query_hit){&entry, doc.time};
        if ((code = w->each(w->ctx, &hit, e)) != ERR_OK)
            return code;
        w->page->hits++;
    }
    w->done = w->q->oldest ? number + 1 : number;
    return ERR_OK;
}

/* Every entry from where the walk stands to `end`. */
static enum err_code walk_scan(struct query_walk *w, uint64_t end, struct err *e) {
    enum err_code code = ERR_OK;
    while (code == ERR_OK && !w->stop && (w->q->oldest ? w->done < end : w->done > end))
        code = walk_visit(w, w->q->oldest ? w->done : w->done - 1, e);
    return code;
}

static enum err_code walk_segment(struct query_walk *w, uint32_t i, struct err *e) {
    const struct index_segment *seg = &w->view->segments[i];
    uint64_t end = seg->first + seg->count, number;
    enum err_code code;
    uint32_t k;
    if (w->q->oldest ? w->done >= end : w->done <= seg->first)
        return ERR_OK;
    code = query_candidates_find(&w->found, &w->plan, w->view, i, e);
    if (code == ERR_CORRUPT)
        return walk_scan(w, w->q->oldest ? end : seg->first, e);
    for (k = 0; k < w->found.count && code == ERR_OK && !w->stop; k++) {
        number = seg->first + w->found.offsets[w->q->oldest ? k : w->found.count - 1 - k];
        if (number < w->tip && (w->q->oldest ? number >= w->done : number < w->done))
            code = walk_visit(w, number, e);
    }
    if (code == ERR_OK && !w->stop)
        w->done = w->q->oldest ? end : seg->first;
    return code;
}

static enum err_code walk_newest(struct query_walk *w, struct err *e) {
    enum err_code code = walk_scan(w, w->indexed, e);
    uint32_t i;
    for (i = w->view ? w->view->count : 0; i-- > 0 && code == ERR_OK && !w->stop;)
        code = walk_segment(w, i, e);
    return code;
}

static enum err_code walk_oldest(struct query_walk *w, struct err *e) {
    enum err_code code = ERR_OK;
    uint32_t i;
    for (i = 0; w->view && i < w->view->count && code == ERR_OK && !w->stop; i++)
        code = walk_segment(w, i, e);
    return code == ERR_OK && !w->stop ? walk_scan(w, w->tip, e) : code;
}

static enum err_code walk_open(struct query_walk *w, struct index *ix, struct err *e) {
    struct index_tip tip;
    enum err_code code;
    if (ix && (code = index_view_open(ix, &w->view, e)) != ERR_OK)
        return code;
    if ((code = w->src->tip(w->src->ctx, &tip, e)) != ERR_OK) /* after the view: never older than it */
        return code;
    w->tip = tip.entries;
    w->indexed = w->view ? index_view_entries(w->view) : 0;
    if (w->indexed > w->tip)
        w->indexed = w->tip;
    query_plan_make(w->q, &w->plan);
    arena_init(&w->arena, QUERY_DOC);
    return ERR_OK;
}

static void walk_close(struct query_walk *w) {
    query_candidates_release(&w->found);
    arena_release(&w->arena);
    index_view_close(w->view);
}

enum err_code query_run(struct index *ix, const struct index_source *src, const struct query *q, query_hit_fn *each,
                        void *ctx, struct query_page *page, struct err *e) {
    struct query_walk w = {.src = src, .q = q, .each = each, .ctx = ctx, .page = page};
    uint64_t bound = q->oldest ? 0 : UINT64_MAX;
    enum err_code code;
    memset(page, 0, sizeof *page);
    w.limit = q->limit ? q->limit : QUERY_LIMIT_DEFAULT;
    if ((code = query_check(q, e)) != ERR_OK || (q->cursor.len && (code = query_cursor_read(q, &bound, e)) != ERR_OK))
        return code;
    if ((code = walk_open(&w, ix, e)) != ERR_OK)
        goto out;
    page->tip_entries = w.tip;
    w.done = bound < w.tip || q->oldest ? bound : w.tip;
    code = q->oldest ? walk_oldest(&w, e) : walk_newest(&w, e);
    if (code != ERR_OK)
        goto out;
    page->more = w.stop;
    if (w.stop || q->oldest)
        query_cursor_write(q, w.done, page->cursor);
out:
    walk_close(&w);
    return code;
}

/* -- counting -- */

struct query_tally {
    uint64_t count;
    struct query_histogram *h;
};

static void tally_add(struct query_tally *t, int64_t time) {
    uint64_t at;
    t->count++;
    if (!t->h)
        return;
    if (time < t->h->first) {
        t->h->before++;
        return;
    }
    at = ((uint64_t)time - (uint64_t)t->h->first) / (uint64_t)t->h->width;
    if (at < t->h->count)
        t->h->buckets[at]++;
    else
        t->h->after++;
}

static enum err_code tally_hit(void *ctx, const struct query_hit *hit, struct err *e) {
    (void)e;
    tally_add(ctx, hit->time);
    return ERR_OK;
}

/* Numbers [from, to) one by one. */
static enum err_code count_scan(struct query_walk *w, uint64_t from, uint64_t to, struct err *e) {
    enum err_code code = ERR_OK;
    for (; from < to && code == ERR_OK; from++) {
        w->page->read = w->page->hits = 0;
        code = walk_visit(w, from, e);
    }
    return code;
}

static enum err_code count_segment(struct query_walk *w, uint32_t i, struct query_tally *t, struct err *e) {
    const struct index_segment *seg = &w->view->segments[i];
    enum err_code code = query_candidates_find(&w->found, &w->plan, w->view, i, e);
    uint64_t count = t->count, end = seg->first + seg->count;
    int64_t time;
    uint32_t k;
    if (code == ERR_CORRUPT)
        return count_scan(w, seg->first, end, e);
    if (code == ERR_OK && !w->plan.lossy && !t->h) {
        t->count = count + w->found.count;
        return ERR_OK;
    }
    for (k = 0; k < w->found.count && code == ERR_OK; k++) {
        if (w->plan.lossy) {
            code = count_scan(w, seg->first + w->found.offsets[k], seg->first + w->found.offsets[k] + 1, e);
        } else if ((code = index_view_time(w->view, seg->first + w->found.offsets[k], &time, e)) == ERR_OK) {
            tally_add(t, time);
        }
    }
    return code;
}

static enum err_code count_all(struct index *ix, const struct index_source *src, const struct query *q,
                               struct query_tally *t, struct err *e) {
    struct query_page page = {0};
    struct query_walk w = {.src = src, .q = q, .each = tally_hit, .ctx = t, .page = &page, .limit = 1};
    enum err_code code;
    uint32_t i;
    t->count = 0;
    if (t->h) {
        memset(t->h->buckets, 0, t->h->count * sizeof t->h->buckets[0]);
        t->h->before = t->h->after = 0;
    }
    if ((code = walk_open(&w, ix, e)) == ERR_OK) {
        for (i = 0; w.view && i < w.view->count && code == ERR_OK; i++)
            code = count_segment(&w, i, t, e);
        if (code == ERR_OK)
            code = count_scan(&w, w.indexed, w.tip, e);
    }
    walk_close(&w);
    return code;
}

enum err_code query_count(struct index *ix, const struct index_source *src, const struct query *q, uint64_t *count,
                          struct query_histogram *h, struct err *e) {
    struct query plain = *q;
    struct query_tally t = {0, h};
    enum err_code code;
    plain.cursor = slice_none();
    plain.oldest = true;
    *count = 0;
    if ((code = query_check(&plain, e)) != ERR_OK)
        return code;
    if (h && (h->count == 0 || h->count > QUERY_BUCKETS_MAX || h->width <= 0))
        return err_set(e, ERR_MALFORMED, "query: 1 to %d buckets of some width", QUERY_BUCKETS_MAX);
    code = count_all(ix, src, &plain, &t, e);
    if (code == ERR_CORRUPT && ix) /* of the index, or the blocks themselves: then it fails again */
        code = count_all(NULL, src, &plain, &t, e);
    *count = t.count;
    return code;
}
