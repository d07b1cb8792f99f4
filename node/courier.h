/* node/courier.h -- takes this node's own entries from its outbox to finality on one channel.
 * Owns: home/outbox/<channel>, a thread. Depends on: ledger/outbox, node/channel. Source: docs/PROTOCOL.md 2.
 *
 *   append (durable) -> cut into a signed batch when nothing is in flight, or a batch is full -> channel_submit
 *   -> final: the outbox lets go, who waits is told | refused: the entry is put aside, who waits is told why
 *
 * So a lone entry leaves at once, and what arrives together while one batch is in flight leaves together.
 * Threads: any may call. */
#ifndef NODE_COURIER_H
#define NODE_COURIER_H

#include "ledger/outbox.h"
#include "node/channel.h"

struct courier;

struct courier_options {
    struct channel *channel;
    const struct keys *keys;
    const char *dir; /* home/outbox/<channel> */
    uint64_t bytes_max;
    void *ctx;
    void (*fatal)(void *ctx, const struct err *why); /* must not return */
};

enum err_code courier_open(const struct courier_options *o, struct courier **out, struct err *e) ERR_CHECKED;
/* Ends the thread; nobody waits any more, what is appended from now on stays in the outbox. */
void courier_stop(struct courier *c);
void courier_close(struct courier *c); /* stops first; NULL is fine */
struct outbox *courier_outbox(struct courier *c);

/* outbox_append, then sets the courier going. Durable when it returns OK. */
enum err_code courier_append(struct courier *c, const struct slice *entries, size_t count,
                             const struct outbox_position *positions, size_t position_count, struct err *e) ERR_CHECKED;

struct courier_receipt {
    uint64_t number, height; /* of the entry, of its block */
    struct digest leaf;
};
/* Appends one entry and waits until it is final: its receipt. REFUSED classes: why it can't be (it is then in the
 * outbox' table of refused entries). TIMEOUT: durable in the outbox, not final yet. */
enum err_code courier_commit(struct courier *c, struct slice entry, uint32_t timeout_ms, struct courier_receipt *out,
                             struct err *e) ERR_CHECKED;

/* From the channel's callbacks: enqueue only. */
void courier_final(struct courier *c);
void courier_fate(struct courier *c, const struct channel_fate *f);

#endif
