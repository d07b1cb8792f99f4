/* node/ingest/ingest_lines.c -- the thread of one file source: read, take, wait; see ingest_impl.h. */
#include "node/ingest/ingest_impl.h"

#include "node/clock.h"
#include "node/log.h"
#include "wire/mem.h"

#include <sodium.h>
#include <stdio.h>

/* What the thread alone uses. */
struct lines_run {
    struct ingest_lines *l;
    struct source_file *file;
    struct ingest_taker taker;
    struct ingest_item *items;
    size_t count;
    struct arena raws;
    struct buf position;
};

static void lines_note(struct ingest_lines *l, enum ingest_state state, const char *error) {
    pthread_mutex_lock(&l->ingest->lock);
    l->state = state;
    snprintf(l->error, sizeof l->error, "%s", error);
    pthread_mutex_unlock(&l->ingest->lock);
}

static enum err_code lines_open(struct lines_run *r, struct err *e) {
    const struct ingest_source *s = r->l->source;
    const char *home = r->l->ingest->node->config.home;
    char path[SOURCE_FILE_PATH];
    enum err_code rc = outbox_position_get(courier_outbox(r->l->channel->courier), s->id, &r->position, e);
    if (rc == ERR_NOT_FOUND)
        buf_clear(&r->position);
    else if (rc != ERR_OK)
        return rc;
    if (s->path.ptr[0] == '/')
        snprintf(path, sizeof path, "%.*s", SLICE_ARG(s->path));
    else
        snprintf(path, sizeof path, "%s/%.*s", home, SLICE_ARG(s->path));
    r->taker = (struct ingest_taker){.channel = r->l->channel,
                                     .config = r->l->ingest->config,
                                     .source = s,
                                     .source_index = r->l->source_index,
                                     .source_id = s->id};
    r->items = mem_zalloc(INGEST_BATCH, sizeof *r->items);
    if (!r->items)
        return err_set(e, ERR_NO_MEMORY, "no memory for a batch of logs");
    if ((rc = ingest_taker_init(&r->taker, e)) != ERR_OK)
        return rc;
    return source_file_open(path, s->line_max, buf_slice(&r->position), s->start == INGEST_END, &r->file, e);
}

static void lines_position(struct lines_run *r) {
    buf_clear(&r->position);
    source_file_position(r->file, &r->position);
}

/* A loss that is known is said to everybody: a gap of one number. */
static enum err_code lines_gap(struct lines_run *r, const struct source_file_item *item, struct err *e) {
    struct gap gap = {.first = item->seq,
                      .last = item->seq,
                      .reason = slice_str(item->reason),
                      .source = r->l->source->id,
                      .time = clock_wall_ms()};
    const struct outbox_position at = {r->l->source->id, buf_slice(&r->position)};
    struct slice entry;
    struct buf b;
    enum err_code rc;
    randombytes_buf(gap.nonce, sizeof gap.nonce);
    buf_init(&b, LIMIT_ENTRY);
    entry_write(ENTRY_GAP, &gap_schema, &gap, &b);
    rc = buf_check(&b, e);
    entry = buf_slice(&b);
    if (rc == ERR_OK)
        rc = courier_append(r->l->channel->courier, &entry, 1, &at, 1, e);
    buf_release(&b);
    return rc;
}

/* Repeats until it is durable or the node stops. The outbox full: waits; an error: tells, and tries again. */
static bool lines_deliver(struct lines_run *r, const struct source_file_item *lost) {
    int64_t wait = 50;
    struct err e = {0};
    uint64_t dead = 0;
    bool told = false;
    for (;;) {
        enum err_code rc = lost ? lines_gap(r, lost, &e)
                                : ingest_take(&r->taker, r->items, r->count, buf_slice(&r->position), &dead, &e);
        if (rc == ERR_OK)
            break;
        lines_note(r->l, INGEST_HELD, e.text);
        if (!told && rc != ERR_FULL)
            log_err("ingest", "a source is held", &e);
        told = true;
        if (ingest_wait(r->l->ingest, wait))
            return false;
        wait = wait * 2 < INGEST_BACKOFF_MS ? wait * 2 : INGEST_BACKOFF_MS;
    }
    pthread_mutex_lock(&r->l->ingest->lock);
    r->l->records += lost ? 0 : r->count - dead;
    r->l->dead += dead;
    r->l->gaps += lost != NULL;
    pthread_mutex_unlock(&r->l->ingest->lock);
    return true;
}

/* Fills a batch. A loss is only ever the first item after a look, so it stands alone. */
static enum err_code lines_collect(struct lines_run *r, struct source_file_item *lost, struct err *e) {
    size_t bytes = 0;
    r->count = 0;
    lost->what = SOURCE_FILE_NOTHING;
    arena_clear(&r->raws);
    while (r->count < INGEST_BATCH && bytes < INGEST_BATCH_RAW) {
        struct source_file_item item;
        struct ingest_item *to = &r->items[r->count];
        enum err_code rc = source_file_next(r->file, &item, e);
        if (rc != ERR_OK)
            return rc;
        if (item.what == SOURCE_FILE_NOTHING)
            break;
        if (item.what == SOURCE_FILE_LOST) {
            ERR_ASSERT(r->count == 0);
            *lost = item;
            break;
        }
        to->seq = item.seq;
        to->whole = item.what == SOURCE_FILE_LONG ? item.bytes : 0;
        to->raw = arena_copy(&r->raws, item.line);
        if (!to->raw.ptr)
            return err_set(e, ERR_NO_MEMORY, "no memory for a log");
        bytes += item.line.len;
        r->count++;
    }
    lines_position(r);
    return ERR_OK;
}

/* One look at the files and all that is behind it. false: stop. */
static bool lines_turn(struct lines_run *r) {
    struct ingest *g = r->l->ingest;
    struct source_file_item lost;
    struct err e = {0};
    uint64_t round;
    pthread_mutex_lock(&g->lock);
    round = g->round;
    pthread_mutex_unlock(&g->lock);
    if (source_file_poll(r->file, &e) != ERR_OK)
        log_err("ingest", "looking for files", &e);
    for (;;) {
        if (lines_collect(r, &lost, &e) != ERR_OK) {
            lines_note(r->l, INGEST_HELD, e.text);
            return false; /* memory: the position stands, a restart goes on there */
        }
        if (r->count == 0 && lost.what == SOURCE_FILE_NOTHING)
            break;
        lines_note(r->l, INGEST_READING, source_file_error(r->file));
        if (!lines_deliver(r, lost.what == SOURCE_FILE_LOST ? &lost : NULL) || ingest_wait(g, 0))
            return false;
    }
    pthread_mutex_lock(&g->lock);
    r->l->state = INGEST_WAITING;
    snprintf(r->l->error, sizeof r->l->error, "%s", source_file_error(r->file));
    r->l->seq = source_file_seq(r->file);
    r->l->lag = source_file_lag(r->file);
    r->l->files = source_file_files(r->file);
    r->l->settled_round = round;
    pthread_mutex_unlock(&g->lock);
    return !ingest_wait(g, INGEST_POLL_MS);
}

static void *lines_main(void *arg) {
    struct lines_run r = {.l = arg};
    struct err e = {0};
    buf_init(&r.position, OUTBOX_POSITION_MAX);
    arena_init(&r.raws, INGEST_ARENA_WORK);
    if (lines_open(&r, &e) != ERR_OK) {
        log_err("ingest", "a source cannot be opened", &e);
        lines_note(r.l, INGEST_HELD, e.text);
    } else {
        while (lines_turn(&r))
            continue;
    }
    source_file_close(r.file);
    ingest_taker_release(&r.taker);
    mem_free(r.items);
    arena_release(&r.raws);
    buf_release(&r.position);
    return NULL;
}

enum err_code ingest_lines_start(struct ingest_lines *l, struct err *e) {
    l->state = INGEST_READING;
    if (pthread_create(&l->thread, NULL, lines_main, l) != 0)
        return err_set(e, ERR_NO_MEMORY, "no thread for source \"%.*s\"", SLICE_ARG(l->source->id));
    l->started = true;
    return ERR_OK;
}
