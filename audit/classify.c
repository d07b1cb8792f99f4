/* audit/classify.c -- see classify.h. The map is kept in order of weight, so the first rule that applies wins. */
#include "audit/classify.h"

#include <stdio.h>
#include <stdlib.h>

struct classify_entry {
    const struct standard_rule *rule;
    const struct standard_class *cls; /* NULL only while mistakes are gathered */
    const struct match *match;
    uint32_t index;    /* in the map, as written */
    uint32_t tier;     /* 3 server and service, 2 server, 1 service, 0 neither */
    uint32_t literals; /* characters */
};

struct classify {
    const struct standard_op_class *body;
    const struct standard_class **classes; /* by id */
    struct classify_entry *entries;        /* by weight, heaviest first */
    uint32_t class_count, entry_count;
};

struct classify_work {
    struct classify *c;
    struct arena *a;
    struct standard_problems *problems;
    struct err *e;
    enum err_code rc;
};

#define CLASSIFY_TELL(w, code, at, ...)                                                                                \
    do {                                                                                                               \
        enum err_code told_ = standard_problem((w)->problems, (w)->e, code, at, __VA_ARGS__);                          \
        if ((w)->rc == ERR_OK)                                                                                         \
            (w)->rc = told_;                                                                                           \
    } while (0)

/* -- the tree ------------------------------------------------------------------------------------------------------ */

static int classify_by_id(const void *x, const void *y) {
    const struct standard_class *const *a = x, *const *b = y;
    int c = slice_cmp((*a)->id, (*b)->id);
    return c ? c : (*a > *b) - (*a < *b);
}

const struct standard_class *classify_class(const struct classify *c, struct slice id) {
    uint32_t low = 0, high = c->class_count;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        int order = slice_cmp(id, c->classes[mid]->id);
        if (order == 0)
            return c->classes[mid];
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

/* Tells a cycle once: at its member that stands first. */
static void classify_cycle(struct classify_work *w, const struct standard_class *start, const char *at) {
    const struct standard_class *cls = start;
    char text[200];
    int n = snprintf(text, sizeof text, "%.*s", SLICE_ARG(start->id));
    uint32_t steps;
    for (steps = 0; steps <= w->c->class_count; steps++) {
        if (!cls->parent.len || !(cls = classify_class(w->c, cls->parent)) || cls < start)
            return;
        if (n > 0 && (size_t)n < sizeof text)
            n += snprintf(text + n, sizeof text - (size_t)n, " -> %.*s", SLICE_ARG(cls->id));
        if (cls == start) {
            CLASSIFY_TELL(w, ERR_MALFORMED, at, "a class is its own ancestor: %s", text);
            return;
        }
    }
}

static void classify_tree(struct classify_work *w) {
    const struct standard_class *tree = w->c->body->tree.items;
    uint32_t i, n = w->c->body->tree.count;
    char at[64];
    for (i = 0; i < n; i++)
        w->c->classes[i] = &tree[i];
    w->c->class_count = n;
    qsort(w->c->classes, n, sizeof *w->c->classes, classify_by_id);
    for (i = 1; i < n; i++)
        if (slice_eq(w->c->classes[i]->id, w->c->classes[i - 1]->id)) {
            snprintf(at, sizeof at, "body.tree[%td].id", w->c->classes[i] - tree);
            CLASSIFY_TELL(w, ERR_CONFLICT, at, "the class '%.*s' stands twice", SLICE_ARG(w->c->classes[i]->id));
        }
    for (i = 0; i < n; i++) {
        snprintf(at, sizeof at, "body.tree[%u].parent", i);
        if (tree[i].parent.len && !classify_class(w->c, tree[i].parent))
            CLASSIFY_TELL(w, ERR_MALFORMED, at, "the parent '%.*s' of '%.*s' is not in the tree",
                          SLICE_ARG(tree[i].parent), SLICE_ARG(tree[i].id));
        classify_cycle(w, &tree[i], at);
        snprintf(at, sizeof at, "body.tree[%u].id", i);
        if (slice_eq_str(tree[i].id, STANDARD_UNCLASSIFIED))
            CLASSIFY_TELL(w, ERR_MALFORMED, at, "'unclassified' is what is in no class");
    }
}

/* -- the map ------------------------------------------------------------------------------------------------------- */

/* Only what the weight is made of: < 0 if a is heavier. */
static int classify_weight(const struct classify_entry *a, const struct classify_entry *b) {
    if (a->tier != b->tier)
        return a->tier > b->tier ? -1 : 1;
    if ((a->rule->match == MATCH_EXACT) != (b->rule->match == MATCH_EXACT))
        return a->rule->match == MATCH_EXACT ? -1 : 1;
    if (a->literals != b->literals)
        return a->literals > b->literals ? -1 : 1;
    if (a->rule->match != b->rule->match)
        return a->rule->match < b->rule->match ? -1 : 1;
    return 0;
}

/* Then by scope and text, so that rules which might tie are neighbours. */
static int classify_order(const void *x, const void *y) {
    const struct classify_entry *a = x, *b = y;
    int c = classify_weight(a, b);
    if (!c)
        c = slice_cmp(a->rule->server, b->rule->server);
    if (!c)
        c = slice_cmp(a->rule->service, b->rule->service);
    if (!c)
        c = slice_cmp(a->rule->pattern, b->rule->pattern);
    return c ? c : (a->index > b->index) - (a->index < b->index);
}

static bool classify_same_scope(const struct classify_entry *a, const struct classify_entry *b) {
    return classify_weight(a, b) == 0 && slice_eq(a->rule->server, b->rule->server) &&
           slice_eq(a->rule->service, b->rule->service);
}

/* Two rules of one weight and scope: can a text fall under both, and does it matter? */
static enum err_code classify_ties(const struct classify_entry *a, const struct classify_entry *b, uint64_t *budget,
                                   bool *tie, struct err *e) {
    bool same_text = slice_eq(a->rule->pattern, b->rule->pattern);
    *tie = same_text;
    if (same_text || a->rule->match == MATCH_EXACT || a->rule->match == MATCH_PREFIX ||
        slice_eq(a->rule->class_id, b->rule->class_id))
        return ERR_OK;
    return match_overlap(a->match, b->match, budget, tie, e);
}

/* Told at the one that was written later. */
static void classify_tell_tie(struct classify_work *w, const struct classify_entry *a, const struct classify_entry *b) {
    const struct classify_entry *first = a->index < b->index ? a : b, *second = first == a ? b : a;
    char at[64];
    snprintf(at, sizeof at, "body.map[%u].pattern", second->index);
    CLASSIFY_TELL(w, ERR_CONFLICT, at,
                  "ties with map[%u]: '%.*s' and '%.*s' are of equal weight and can mean the same operation",
                  first->index, SLICE_ARG(first->rule->pattern), SLICE_ARG(second->rule->pattern));
}

static void classify_find_ties(struct classify_work *w) {
    const struct classify_entry *x = w->c->entries;
    uint64_t budget = CLASSIFY_BUDGET;
    uint32_t i, j;
    for (i = 0; i < w->c->entry_count; i++)
        for (j = i + 1; j < w->c->entry_count && classify_same_scope(&x[i], &x[j]); j++) {
            struct err inner;
            bool tie;
            if (classify_ties(&x[i], &x[j], &budget, &tie, &inner) != ERR_OK) {
                CLASSIFY_TELL(w, inner.code, "body.map", "%s", inner.text);
                return;
            }
            if (tie)
                classify_tell_tie(w, &x[i], &x[j]);
        }
}

static void classify_map(struct classify_work *w) {
    const struct standard_rule *map = w->c->body->map.items;
    uint32_t i;
    char at[64];
    for (i = 0; i < w->c->body->map.count; i++) {
        struct classify_entry *x = &w->c->entries[w->c->entry_count];
        struct err inner;
        *x = (struct classify_entry){.rule = &map[i], .index = i};
        x->tier = (map[i].server.len ? 2u : 0u) + (map[i].service.len ? 1u : 0u);
        snprintf(at, sizeof at, "body.map[%u].class_id", i);
        if (!(x->cls = classify_class(w->c, map[i].class_id)))
            CLASSIFY_TELL(w, ERR_MALFORMED, at, "the class '%.*s' is not in the tree", SLICE_ARG(map[i].class_id));
        snprintf(at, sizeof at, "body.map[%u].pattern", i);
        if (match_compile((enum match_kind)map[i].match, map[i].pattern, w->a, &x->match, &inner) != ERR_OK) {
            CLASSIFY_TELL(w, inner.code, at, "%s", inner.text);
            continue; /* not in the list: it cannot be weighed */
        }
        x->literals = match_literals(x->match);
        w->c->entry_count++;
    }
    qsort(w->c->entries, w->c->entry_count, sizeof *w->c->entries, classify_order);
    classify_find_ties(w);
}

enum err_code classify_compile(const struct standard_op_class *body, struct arena *a,
                               struct standard_problems *problems, const struct classify **out, struct err *e) {
    struct standard_problems mine = {0};
    struct classify_work w = {.a = a, .problems = problems ? problems : &mine, .e = e};
    w.c = arena_alloc(a, 1, sizeof *w.c);
    if (!w.c || !(w.c->classes = arena_alloc(a, body->tree.count + 1u, sizeof *w.c->classes)) ||
        !(w.c->entries = arena_alloc(a, body->map.count + 1u, sizeof *w.c->entries)))
        return err_set(e, ERR_NO_MEMORY, "compiling a classification");
    w.c->body = body;
    classify_tree(&w);
    classify_map(&w);
    if (body->default_class.len && !slice_eq_str(body->default_class, STANDARD_UNCLASSIFIED) &&
        !classify_class(w.c, body->default_class))
        CLASSIFY_TELL(&w, ERR_MALFORMED, "body.default", "the class '%.*s' is not in the tree",
                      SLICE_ARG(body->default_class));
    *out = w.c;
    return w.rc;
}

/* -- use ----------------------------------------------------------------------------------------------------------- */

static const struct classify_entry *classify_find(const struct classify *c, const struct classify_input *in) {
    uint32_t i;
    for (i = 0; i < c->entry_count; i++) {
        const struct classify_entry *x = &c->entries[i];
        if ((!x->rule->server.len || slice_eq(x->rule->server, in->server)) &&
            (!x->rule->service.len || slice_eq(x->rule->service, in->service)) && match_test(x->match, in->raw))
            return x;
    }
    return NULL;
}

static struct classify_result classify_as(const struct standard_class *cls, uint32_t rule) {
    if (!cls)
        return (struct classify_result){
            .class_id = slice_str(STANDARD_UNCLASSIFIED), .activity_id = STANDARD_ACTIVITY_OTHER, .rule = UINT32_MAX};
    return (struct classify_result){.classified = true,
                                    .class_id = cls->id,
                                    .label = cls->label,
                                    .label_en = cls->label_en,
                                    .activity_id = cls->activity_id,
                                    .severity = cls->severity,
                                    .rule = rule};
}

struct classify_result classify_op_all(const struct classify *const *sets, size_t count,
                                       const struct classify_input *in) {
    const struct classify_entry *best = NULL;
    const struct standard_class *fallback = NULL;
    size_t i;
    for (i = 0; i < count; i++) {
        const struct classify_entry *x = sets[i] ? classify_find(sets[i], in) : NULL;
        if (x && (!best || classify_weight(x, best) < 0))
            best = x;
        if (!fallback && sets[i] && sets[i]->body->default_class.len)
            fallback = classify_class(sets[i], sets[i]->body->default_class);
    }
    return best ? classify_as(best->cls, best->index) : classify_as(fallback, UINT32_MAX);
}

struct classify_result classify_op(const struct classify *c, const struct classify_input *in) {
    return classify_op_all(&c, 1, in);
}

enum err_code classify_contradicts(const struct classify *a, const struct classify *b, struct err *e) {
    uint64_t budget = CLASSIFY_BUDGET;
    uint32_t i, j;
    enum err_code rc;
    for (i = 0; i < a->class_count; i++) {
        const struct standard_class *x = a->classes[i], *y = classify_class(b, x->id);
        if (y && (x->activity_id != y->activity_id || !slice_eq(x->parent, y->parent)))
            return err_set(e, ERR_CONFLICT, "class %.*s: another activity_id or parent", SLICE_ARG(x->id));
    }
    for (i = 0; i < a->entry_count; i++)
        for (j = 0; j < b->entry_count; j++) {
            const struct classify_entry *x = &a->entries[i], *y = &b->entries[j];
            bool tie = false;
            if (!classify_same_scope(x, y) || slice_eq(x->rule->class_id, y->rule->class_id))
                continue;
            if ((rc = classify_ties(x, y, &budget, &tie, e)) != ERR_OK)
                return rc;
            if (tie)
                return err_set(e, ERR_CONFLICT, "map rules '%.*s' and '%.*s' tie", SLICE_ARG(x->rule->pattern),
                               SLICE_ARG(y->rule->pattern));
        }
    return ERR_OK;
}
