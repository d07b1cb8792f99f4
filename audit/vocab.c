/* audit/vocab.c -- see vocab.h. Names stand in the table too, each as its own alias. */
#include "audit/vocab.h"

#include <stdio.h>
#include <stdlib.h>

struct vocab_row {
    struct slice text, name;
    uint32_t type;  /* index, as written */
    uint32_t alias; /* index in its aliases; UINT32_MAX: the name itself */
};

struct vocab {
    struct vocab_row *rows; /* by text */
    uint32_t count;
    bool closed;
};

/* Names before aliases of the same text, then as written. */
static int vocab_order(const void *x, const void *y) {
    const struct vocab_row *a = x, *b = y;
    int c = slice_cmp(a->text, b->text);
    if (!c)
        c = (b->alias == UINT32_MAX) - (a->alias == UINT32_MAX);
    if (!c)
        c = (a->type > b->type) - (a->type < b->type);
    return c ? c : (a->alias > b->alias) - (a->alias < b->alias);
}

static const struct vocab_row *vocab_find(const struct vocab *v, struct slice text) {
    uint32_t low = 0, high = v->count;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (slice_cmp(v->rows[mid].text, text) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low < v->count && slice_eq(v->rows[low].text, text) ? &v->rows[low] : NULL;
}

/* The row that says `text` is an alias, if any. */
static const struct vocab_row *vocab_find_alias(const struct vocab *v, struct slice text) {
    const struct vocab_row *r = vocab_find(v, text), *end = v->rows + v->count;
    for (; r && r < end && slice_eq(r->text, text); r++)
        if (r->alias != UINT32_MAX)
            return r;
    return NULL;
}

/* Following alias -> name from this row, does one come back to it? */
static bool vocab_cyclic(const struct vocab *v, const struct vocab_row *row) {
    struct slice at = row->name;
    uint32_t steps;
    for (steps = 0; steps <= v->count; steps++) {
        const struct vocab_row *next;
        if (slice_eq(at, row->text))
            return true;
        if (!(next = vocab_find_alias(v, at)))
            return false;
        at = next->name;
    }
    return false;
}

static enum err_code vocab_clash(const struct vocab *v, const struct vocab_row *first, const struct vocab_row *second,
                                 struct standard_problems *problems, struct err *e) {
    char at[64];
    if (second->alias == UINT32_MAX) {
        snprintf(at, sizeof at, "body.types[%u].name", second->type);
        return standard_problem(problems, e, ERR_CONFLICT, at, "the type '%.*s' stands twice", SLICE_ARG(second->name));
    }
    snprintf(at, sizeof at, "body.types[%u].aliases[%u]", second->type, second->alias);
    if (first->alias != UINT32_MAX)
        return standard_problem(problems, e, ERR_CONFLICT, at, "'%.*s' is an alias of '%.*s' already",
                                SLICE_ARG(second->text), SLICE_ARG(first->name));
    if (slice_eq(second->text, second->name))
        return standard_problem(problems, e, ERR_CONFLICT, at, "'%.*s' is an alias of itself", SLICE_ARG(second->text));
    return standard_problem(problems, e, ERR_CONFLICT, at,
                            vocab_cyclic(v, second) ? "a cycle: '%.*s' stands for '%.*s', which leads back to it"
                                                    : "'%.*s' is a name itself, so it cannot stand for '%.*s'",
                            SLICE_ARG(second->text), SLICE_ARG(second->name));
}

enum err_code vocab_compile(const struct standard_vocab *body, struct arena *a, struct standard_problems *problems,
                            const struct vocab **out, struct err *e) {
    struct standard_problems mine = {0};
    const struct standard_vocab_type *types = body->types.items;
    struct vocab *v = arena_alloc(a, 1, sizeof *v);
    size_t rows = body->types.count;
    uint32_t i, j;
    enum err_code rc = ERR_OK, told;
    problems = problems ? problems : &mine;
    for (i = 0; i < body->types.count; i++)
        rows += types[i].aliases.count;
    if (!v || !(v->rows = arena_alloc(a, rows + 1, sizeof *v->rows)))
        return err_set(e, ERR_NO_MEMORY, "compiling a vocabulary");
    v->closed = body->closed;
    for (i = 0; i < body->types.count; i++) {
        const struct slice *aliases = types[i].aliases.items;
        v->rows[v->count++] = (struct vocab_row){types[i].name, types[i].name, i, UINT32_MAX};
        for (j = 0; j < types[i].aliases.count; j++)
            v->rows[v->count++] = (struct vocab_row){aliases[j], types[i].name, i, j};
    }
    qsort(v->rows, v->count, sizeof *v->rows, vocab_order);
    for (i = 1; i < v->count; i++)
        if (slice_eq(v->rows[i].text, v->rows[i - 1].text)) {
            told = vocab_clash(v, &v->rows[i - 1], &v->rows[i], problems, e);
            rc = rc ? rc : told;
        }
    *out = v;
    return rc;
}

struct slice vocab_name(const struct vocab *v, struct slice type) {
    const struct vocab_row *r = vocab_find(v, type);
    return r ? r->name : type;
}

bool vocab_knows(const struct vocab *v, struct slice type) {
    return vocab_find(v, type) != NULL;
}

bool vocab_closed(const struct vocab *v) {
    return v->closed;
}

enum err_code vocab_contradicts(const struct vocab *a, const struct vocab *b, struct err *e) {
    uint32_t i;
    for (i = 0; i < a->count; i++) {
        const struct vocab_row *x = &a->rows[i], *y = vocab_find(b, x->text);
        if (y && !slice_eq(x->name, y->name))
            return err_set(e, ERR_CONFLICT, "'%.*s' stands for '%.*s' in one and for '%.*s' in the other",
                           SLICE_ARG(x->text), SLICE_ARG(x->name), SLICE_ARG(y->name));
    }
    return ERR_OK;
}
