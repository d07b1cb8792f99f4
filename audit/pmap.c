/* audit/pmap.c -- see pmap.h. */
#include "audit/pmap.h"

#include "wire/mem.h"

#include <stdatomic.h>
#include <string.h>

enum { PMAP_FAN = 16, PMAP_BITS = 4, PMAP_DEPTH = 16 };

/* Both kinds of children begin with their count. */
struct pmap_leaf {
    _Atomic uint32_t refs;
    uint64_t key;
    max_align_t value[];
};
struct pmap_node {
    _Atomic uint32_t refs;
    uint16_t leaves; /* bit i: child i is a leaf */
    union {
        struct pmap_node *node;
        struct pmap_leaf *leaf;
    } child[PMAP_FAN]; /* NULL: none */
};

static unsigned pmap_slot(uint64_t key, unsigned depth) {
    return (unsigned)(key >> (depth * PMAP_BITS)) & (PMAP_FAN - 1);
}

static bool pmap_is_leaf(const struct pmap_node *n, unsigned i) {
    return (n->leaves >> i & 1u) != 0;
}

static void pmap_node_release(struct pmap_node *n) {
    if (!n || atomic_fetch_sub_explicit(&n->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (unsigned i = 0; i < PMAP_FAN; i++) {
        if (!pmap_is_leaf(n, i))
            pmap_node_release(n->child[i].node); /* at most PMAP_DEPTH deep */
        else if (atomic_fetch_sub_explicit(&n->child[i].leaf->refs, 1, memory_order_acq_rel) == 1)
            mem_free(n->child[i].leaf);
    }
    mem_free(n);
}

struct pmap pmap_retain(const struct pmap *m) {
    if (m->root)
        atomic_fetch_add_explicit(&m->root->refs, 1, memory_order_relaxed);
    return *m;
}

void pmap_release(struct pmap *m) {
    pmap_node_release(m->root);
    *m = (struct pmap){0};
}

const void *pmap_get(const struct pmap *m, uint64_t key) {
    const struct pmap_node *n = m->root;
    for (unsigned depth = 0; n; depth++) {
        unsigned i = pmap_slot(key, depth);
        if (pmap_is_leaf(n, i))
            return n->child[i].leaf->key == key ? n->child[i].leaf->value : NULL;
        n = n->child[i].node;
    }
    return NULL;
}

/* A copy of n (NULL: an empty node) that shares its children. */
static struct pmap_node *pmap_copy(const struct pmap_node *n) {
    struct pmap_node *c = mem_zalloc(1, sizeof *c);
    if (!c)
        return NULL;
    atomic_init(&c->refs, 1);
    if (!n)
        return c;
    c->leaves = n->leaves;
    for (unsigned i = 0; i < PMAP_FAN; i++) {
        c->child[i] = n->child[i];
        if (pmap_is_leaf(n, i))
            atomic_fetch_add_explicit(&c->child[i].leaf->refs, 1, memory_order_relaxed);
        else if (c->child[i].node)
            atomic_fetch_add_explicit(&c->child[i].node->refs, 1, memory_order_relaxed);
    }
    return c;
}

/* A new node: n with the leaf added or replaced; the leaf's reference goes into it on success. NULL: no memory. */
static struct pmap_node *pmap_with(const struct pmap_node *n, unsigned depth, struct pmap_leaf *leaf, bool *added) {
    struct pmap_node *c = pmap_copy(n), *below;
    unsigned i = pmap_slot(leaf->key, depth);
    if (!c)
        return NULL;
    if (!pmap_is_leaf(c, i) && !c->child[i].node) {
        c->child[i].leaf = leaf;
        c->leaves = (uint16_t)(c->leaves | 1u << i);
        *added = true;
        return c;
    }
    if (pmap_is_leaf(c, i) && c->child[i].leaf->key == leaf->key) {
        if (atomic_fetch_sub_explicit(&c->child[i].leaf->refs, 1, memory_order_acq_rel) == 1)
            mem_free(c->child[i].leaf);
        c->child[i].leaf = leaf;
        *added = false;
        return c;
    }
    if (pmap_is_leaf(c, i)) { /* two keys with one path so far: both go one level down */
        bool ignored;
        struct pmap_node *pair = pmap_with(NULL, depth + 1, c->child[i].leaf, &ignored);
        below = pair ? pmap_with(pair, depth + 1, leaf, added) : NULL;
        if (!below) {
            if (pair) /* it holds the reference that c had */
                atomic_fetch_add_explicit(&c->child[i].leaf->refs, 1, memory_order_relaxed);
            pmap_node_release(pair);
            pmap_node_release(c);
            return NULL;
        }
        pmap_node_release(pair);
        c->leaves = (uint16_t)(c->leaves & ~(1u << i));
    } else {
        below = pmap_with(c->child[i].node, depth + 1, leaf, added);
        if (!below) {
            pmap_node_release(c);
            return NULL;
        }
        pmap_node_release(c->child[i].node);
    }
    c->child[i].node = below;
    return c;
}

enum err_code pmap_put(struct pmap *m, uint64_t key, const void *value, size_t size, struct err *e) {
    struct pmap_leaf *leaf = mem_alloc(sizeof *leaf + size);
    struct pmap_node *root;
    bool added = false;
    if (!leaf)
        return err_set(e, ERR_NO_MEMORY, "a state's part");
    atomic_init(&leaf->refs, 1);
    leaf->key = key;
    memcpy(leaf->value, value, size);
    if (!(root = pmap_with(m->root, 0, leaf, &added))) {
        mem_free(leaf);
        return err_set(e, ERR_NO_MEMORY, "a state's part");
    }
    pmap_node_release(m->root);
    m->root = root;
    m->count += added;
    return ERR_OK;
}

static void pmap_walk(const struct pmap_node *n, void (*fn)(void *ctx, uint64_t key, const void *value), void *ctx) {
    for (unsigned i = 0; n && i < PMAP_FAN; i++) {
        if (pmap_is_leaf(n, i))
            fn(ctx, n->child[i].leaf->key, n->child[i].leaf->value);
        else
            pmap_walk(n->child[i].node, fn, ctx);
    }
}

void pmap_each(const struct pmap *m, void (*fn)(void *ctx, uint64_t key, const void *value), void *ctx) {
    pmap_walk(m->root, fn, ctx);
}
