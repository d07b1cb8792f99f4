/* wire/link_queue.h -- the frames that wait for one connection: two classes, bounded in count and bytes, coalesced.
 * Owner: the link, under its lock. A frame is stored as it goes out: u32 BE length ‖ bytes. */
#ifndef WIRE_LINK_QUEUE_H
#define WIRE_LINK_QUEUE_H

#include "wire/buf.h"
#include "wire/link.h"

struct link_queue_node;
struct link_queue {
    struct {
        struct link_queue_node *first, **last;
        size_t count, bytes, count_max, bytes_max;
    } classes[LINK_CLASSES];
    /* The write under way: either `write` holds coalesced frames or `big` is one frame alone. */
    struct buf write;
    struct link_queue_node *big;
    size_t written; /* of it */
};

void link_queue_init(struct link_queue *q, const struct link_limits *limits);
void link_queue_release(struct link_queue *q);
/* Empties the classes; leaves a write under way alone. */
void link_queue_drop(struct link_queue *q);
/* FULL or NO_MEMORY. An empty frame is a ping and ignores the limits. */
enum err_code link_queue_put(struct link_queue *q, enum link_class class, struct slice bytes,
                             struct err *e) ERR_CHECKED;
bool link_queue_empty(const struct link_queue *q); /* nothing waits and nothing is under way */
size_t link_queue_bytes(const struct link_queue *q);
/* What to write next, urgent first; absent when nothing waits. */
struct slice link_queue_next(struct link_queue *q);
/* So many bytes of the last link_queue_next have gone. */
void link_queue_advance(struct link_queue *q, size_t len);

#endif
