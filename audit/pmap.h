/* audit/pmap.h -- a persistent map from u64 to small plain values: every change makes a new map that shares all but one
 * path with the old one. For the parts of an audit state, of which each unfinalised block keeps its own.
 * Owns: counted nodes (16 children each, low nibble of the key first) and counted values of one size a map.
 * Invariants: P1 a node or value that is shared is never written; P2 equal sets of pairs give equal shapes, whatever
 * the order of changes. Depth is at most 16, and about log16(count) where keys are spread in their low bits. Threads:
 * any may read and release; counting is atomic. */
#ifndef AUDIT_PMAP_H
#define AUDIT_PMAP_H

#include "wire/err.h"

#include <stddef.h>
#include <stdint.h>

struct pmap_node;
struct pmap { /* {0} is the empty map; copying the struct needs pmap_retain */
    struct pmap_node *root;
    size_t count;
};

struct pmap pmap_retain(const struct pmap *m);
void pmap_release(struct pmap *m);
/* Borrowed as long as the map; NULL if there is none. */
const void *pmap_get(const struct pmap *m, uint64_t key);
/* *m becomes the map with the value (copied) under the key; what others retained stays as it was. On error unchanged.
 */
enum err_code pmap_put(struct pmap *m, uint64_t key, const void *value, size_t size, struct err *e) ERR_CHECKED;
/* Every pair, in an order that depends on the keys alone. */
void pmap_each(const struct pmap *m, void (*fn)(void *ctx, uint64_t key, const void *value), void *ctx);

#endif
