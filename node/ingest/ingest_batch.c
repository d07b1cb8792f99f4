/* node/ingest/ingest_batch.c -- a batch of raw logs through pipeline and door; see ingest_impl.h.
 * Every attempt begins at the raw logs: records borrow from the standards of their attempt. */
#include "node/ingest/ingest_impl.h"

#include "node/clock.h"
#include "wire/mem.h"

#include <stdio.h>

enum err_code ingest_taker_init(struct ingest_taker *t, struct err *e) {
    arena_init(&t->work, INGEST_ARENA_WORK);
    t->logs = mem_zalloc(INGEST_BATCH, sizeof *t->logs);
    return t->logs ? ERR_OK : err_set(e, ERR_NO_MEMORY, "no memory for a batch of logs");
}

void ingest_taker_release(struct ingest_taker *t) {
    mem_free(t->logs);
    arena_release(&t->work);
}

static enum err_code take_one(const struct pipeline *p, const struct ingest_item *item, struct door_log *log,
                              struct err *e) {
    enum err_code rc = pipeline_run(p, item->raw, item->seq, log, NULL, e);
    if (rc == ERR_OK && item->whole) {
        log->dead = true;
        snprintf(log->reason, sizeof log->reason, "a log of %llu bytes (at most %zu): its beginning is kept",
                 (unsigned long long)item->whole, item->raw.len);
    }
    return rc;
}

enum err_code ingest_take(struct ingest_taker *t, const struct ingest_item *items, size_t count, struct slice position,
                          uint64_t *dead, struct err *e) {
    const struct outbox_position at = {t->source_id, position};
    struct audit_state *state = channel_audit(t->channel->channel);
    struct pipeline p = {.config = t->config,
                         .source = t->source,
                         .source_index = t->source_index,
                         .source_id = t->source_id,
                         .server = t->server,
                         .service = t->service,
                         .org_unit = t->channel->node->self->unit,
                         .state = state,
                         .now = clock_wall_ms(),
                         .arena = &t->work};
    enum err_code rc = ERR_OK;
    size_t i;
    arena_clear(&t->work);
    for (i = 0; i < count && rc == ERR_OK; i++)
        rc = take_one(&p, &items[i], &t->logs[i], e);
    if (rc == ERR_OK)
        rc = door_take(t->channel, t->logs, count, &at, 1, false, NULL, e);
    audit_state_release(state);
    for (i = 0, *dead = 0; rc == ERR_OK && i < count; i++)
        *dead += t->logs[i].dead;
    return rc;
}
