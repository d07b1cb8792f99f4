/* audit/match.c -- runs compiled patterns: Thompson's simulation, and the product of two programs for overlap.
 * Owns: nothing but the stack. Depends on: audit/match_program.h. Clause: see match.h (M1, M2). */
#include "audit/match.h"

#include "audit/match_program.h"
#include "wire/mem.h"

const char *const match_kind_names[] = {NULL, "exact", "prefix", "glob", "regex", NULL};

/* The next character of valid UTF-8. Bytes that are none count as one character each, so that no input can overrun. */
static uint32_t match_next(struct slice s, size_t *at) {
    uint8_t lead = s.ptr[*at];
    unsigned more = lead < 0xC0 ? 0 : lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
    uint32_t cp = more == 0 ? lead : lead & (0x3Fu >> more);
    size_t i = *at + 1;
    for (; more > 0 && i < s.len && (s.ptr[i] & 0xC0u) == 0x80u; more--, i++)
        cp = cp << 6 | (s.ptr[i] & 0x3Fu);
    *at = i;
    return cp;
}

static bool match_takes(const struct match *m, const struct match_inst *in, uint32_t cp) {
    uint32_t low = in->a, high = in->a + in->b;
    if (in->op == MATCH_OP_CHAR)
        return in->cp == cp;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (cp < m->ranges[mid].first)
            high = mid;
        else if (cp > m->ranges[mid].last)
            low = mid + 1;
        else
            return true;
    }
    return false;
}

/* The states that are alive between two characters: only those that take a character or are the end. */
struct match_set {
    uint32_t mark[MATCH_CODE_MAX]; /* == stamp: already in this set */
    uint32_t stamp;
    uint16_t list[MATCH_CODE_MAX];
    uint16_t count;
    bool end;
};

static void match_add(const struct match *m, struct match_set *set, uint16_t start) {
    uint16_t stack[MATCH_CODE_MAX]; /* a state is pushed at most once: it is marked as it is pushed */
    uint16_t depth = 0;
    if (set->mark[start] == set->stamp)
        return;
    set->mark[start] = set->stamp;
    stack[depth++] = start;
    while (depth > 0) {
        uint16_t pc = stack[--depth];
        const struct match_inst *in = &m->code[pc];
        uint16_t next[2] = {in->a, in->b};
        unsigned branches = in->op == MATCH_OP_SPLIT ? 2 : in->op == MATCH_OP_JUMP ? 1 : 0;
        if (in->op == MATCH_OP_END)
            set->end = true;
        else if (branches == 0)
            set->list[set->count++] = pc;
        for (unsigned i = 0; i < branches; i++) {
            if (set->mark[next[i]] == set->stamp)
                continue;
            set->mark[next[i]] = set->stamp;
            stack[depth++] = next[i];
        }
    }
}

static void match_set_next(struct match_set *set, uint32_t stamp) {
    set->stamp = stamp;
    set->count = 0;
    set->end = false;
}

static bool match_run(const struct match *m, struct slice text) {
    struct match_set sets[2];
    struct match_set *now = &sets[0], *then = &sets[1];
    uint32_t stamp = 1;
    size_t at = 0;
    memset(sets[0].mark, 0, m->count * sizeof sets[0].mark[0]);
    memset(sets[1].mark, 0, m->count * sizeof sets[1].mark[0]);
    match_set_next(now, stamp);
    match_add(m, now, 0);
    while (at < text.len && now->count > 0) {
        uint32_t cp = match_next(text, &at);
        struct match_set *swap = now;
        match_set_next(then, ++stamp);
        for (uint16_t i = 0; i < now->count; i++)
            if (match_takes(m, &m->code[now->list[i]], cp))
                match_add(m, then, (uint16_t)(now->list[i] + 1));
        now = then;
        then = swap;
    }
    return at == text.len && now->end;
}

bool match_test(const struct match *m, struct slice text) {
    if (m->kind == MATCH_EXACT)
        return slice_eq(m->pattern, text);
    if (m->kind == MATCH_PREFIX)
        return text.len >= m->pattern.len && slice_eq(m->pattern, slice_of(text.ptr, m->pattern.len));
    return match_run(m, text);
}

uint32_t match_literals(const struct match *m) {
    return m->literals;
}

static bool match_meet(const struct match *ma, const struct match_inst *a, const struct match *mb,
                       const struct match_inst *b) {
    uint32_t i = a->a, j = b->a, a_end = (uint32_t)a->a + a->b, b_end = (uint32_t)b->a + b->b;
    if (a->op == MATCH_OP_CHAR)
        return match_takes(mb, b, a->cp);
    if (b->op == MATCH_OP_CHAR)
        return match_takes(ma, a, b->cp);
    while (i < a_end && j < b_end) {
        const struct match_range *x = &ma->ranges[i], *y = &mb->ranges[j];
        if (x->last < y->first)
            i++;
        else if (y->last < x->first)
            j++;
        else
            return true;
    }
    return false;
}

/* Pairs of states still to be looked at; each pair enters once. */
struct match_walk {
    uint8_t *seen;   /* bit p * width + q */
    uint32_t *stack; /* p << 16 | q */
    uint32_t width, depth;
};

static void match_push(struct match_walk *w, uint32_t p, uint32_t q) {
    uint32_t bit = p * w->width + q;
    if (w->seen[bit / 8] & (1u << bit % 8))
        return;
    w->seen[bit / 8] |= (uint8_t)(1u << bit % 8);
    w->stack[w->depth++] = p << 16 | q;
}

static void match_follow(struct match_walk *w, const struct match_inst *in, uint32_t other, bool left) {
    uint32_t next[2] = {in->a, in->b};
    for (unsigned i = 0; i < (in->op == MATCH_OP_SPLIT ? 2u : 1u); i++)
        match_push(w, left ? next[i] : other, left ? other : next[i]);
}

static bool match_silent(const struct match_inst *in) {
    return in->op == MATCH_OP_SPLIT || in->op == MATCH_OP_JUMP;
}

enum err_code match_overlap(const struct match *a, const struct match *b, uint64_t *budget, bool *yes, struct err *e) {
    struct match_walk w = {.width = b->count};
    enum err_code rc = ERR_OK;
    size_t pairs = (size_t)a->count * b->count;
    *yes = false;
    w.seen = mem_zalloc(pairs / 8 + 1, 1);
    w.stack = mem_alloc(pairs * sizeof *w.stack);
    if (!w.seen || !w.stack) {
        rc = err_set(e, ERR_NO_MEMORY, "comparing two patterns");
        goto out;
    }
    match_push(&w, 0, 0);
    while (w.depth > 0 && !*yes) {
        uint32_t pair = w.stack[--w.depth], p = pair >> 16, q = pair & 0xFFFFu;
        const struct match_inst *x = &a->code[p], *y = &b->code[q];
        if ((*budget)-- == 0) {
            *budget = 0;
            rc = err_set(e, ERR_TOO_LARGE, "too many patterns of equal weight to compare: make some more specific");
            goto out;
        }
        if (match_silent(x))
            match_follow(&w, x, q, true);
        else if (match_silent(y))
            match_follow(&w, y, p, false);
        else if (x->op == MATCH_OP_END || y->op == MATCH_OP_END)
            *yes = x->op == y->op;
        else if (match_meet(a, x, b, y))
            match_push(&w, p + 1, q + 1);
    }
out:
    mem_free(w.seen);
    mem_free(w.stack);
    return rc;
}
