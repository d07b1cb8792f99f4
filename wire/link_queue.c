/* wire/link_queue.c -- see link_queue.h. */
#include "wire/link_queue.h"

#include "wire/mem.h"

struct link_queue_node {
    struct link_queue_node *next;
    size_t len;
    uint8_t bytes[];
};

void link_queue_init(struct link_queue *q, const struct link_limits *limits) {
    memset(q, 0, sizeof *q);
    q->classes[LINK_URGENT].count_max = limits->urgent_count;
    q->classes[LINK_URGENT].bytes_max = limits->urgent_bytes;
    q->classes[LINK_BULK].count_max = limits->bulk_count;
    q->classes[LINK_BULK].bytes_max = limits->bulk_bytes;
    q->classes[LINK_URGENT].last = &q->classes[LINK_URGENT].first;
    q->classes[LINK_BULK].last = &q->classes[LINK_BULK].first;
    buf_init(&q->write, LINK_WRITE);
}

static struct link_queue_node *link_queue_pop(struct link_queue *q, enum link_class class) {
    struct link_queue_node *n = q->classes[class].first;
    q->classes[class].first = n->next;
    if (!n->next)
        q->classes[class].last = &q->classes[class].first;
    q->classes[class].count--;
    q->classes[class].bytes -= n->len;
    return n;
}

void link_queue_drop(struct link_queue *q) {
    unsigned c;
    for (c = 0; c < LINK_CLASSES; c++)
        while (q->classes[c].first)
            mem_free(link_queue_pop(q, (enum link_class)c));
}

void link_queue_release(struct link_queue *q) {
    link_queue_drop(q);
    mem_free(q->big);
    q->big = NULL;
    buf_release(&q->write);
}

enum err_code link_queue_put(struct link_queue *q, enum link_class class, struct slice bytes, struct err *e) {
    struct link_queue_node *n;
    size_t len = bytes.len + 4;
    if (bytes.len > 0 && (q->classes[class].count >= q->classes[class].count_max ||
                          q->classes[class].bytes + len > q->classes[class].bytes_max))
        return err_set(e, ERR_FULL, "%zu frames, %zu bytes wait already", q->classes[class].count,
                       q->classes[class].bytes);
    n = mem_alloc(sizeof *n + len);
    if (!n)
        return err_set(e, ERR_NO_MEMORY, "no memory for a frame of %zu bytes", len);
    n->next = NULL;
    n->len = len;
    n->bytes[0] = (uint8_t)(bytes.len >> 24);
    n->bytes[1] = (uint8_t)(bytes.len >> 16);
    n->bytes[2] = (uint8_t)(bytes.len >> 8);
    n->bytes[3] = (uint8_t)bytes.len;
    if (bytes.len)
        memcpy(n->bytes + 4, bytes.ptr, bytes.len);
    *q->classes[class].last = n;
    q->classes[class].last = &n->next;
    q->classes[class].count++;
    q->classes[class].bytes += len;
    return ERR_OK;
}

bool link_queue_empty(const struct link_queue *q) {
    return !q->classes[LINK_URGENT].first && !q->classes[LINK_BULK].first && !q->big && q->write.len == 0;
}

size_t link_queue_bytes(const struct link_queue *q) {
    return q->classes[LINK_URGENT].bytes + q->classes[LINK_BULK].bytes + (q->big ? q->big->len : q->write.len) -
           q->written;
}

/* Copies what fits of a class behind the write; false when its next frame does not fit. */
static bool link_queue_gather(struct link_queue *q, enum link_class class) {
    while (q->classes[class].first) {
        struct link_queue_node *n = q->classes[class].first;
        if (n->len > LINK_WRITE - q->write.len)
            return false;
        buf_bytes(&q->write, n->bytes, n->len);
        if (q->write.failed) { /* no memory: this frame goes alone, or after what is gathered */
            q->write.failed = false;
            return false;
        }
        mem_free(link_queue_pop(q, class));
    }
    return true;
}

struct slice link_queue_next(struct link_queue *q) {
    if (!q->big && q->write.len == 0) {
        if (link_queue_gather(q, LINK_URGENT))
            link_queue_gather(q, LINK_BULK);
        if (q->write.len == 0) {
            enum link_class class = q->classes[LINK_URGENT].first ? LINK_URGENT : LINK_BULK;
            if (!q->classes[class].first)
                return slice_none();
            q->big = link_queue_pop(q, class);
        }
    }
    return slice_from(q->big ? slice_of(q->big->bytes, q->big->len) : buf_slice(&q->write), q->written);
}

void link_queue_advance(struct link_queue *q, size_t len) {
    size_t all = q->big ? q->big->len : q->write.len;
    ERR_ASSERT(len <= all - q->written);
    q->written += len;
    if (q->written < all)
        return;
    q->written = 0;
    mem_free(q->big);
    q->big = NULL;
    buf_clear(&q->write);
}
