/* node/ingest/ingest.c -- life and status of a node's ingest; see ingest.h. */
#include "node/ingest/ingest_impl.h"

#include "node/clock.h"
#include "node/log.h"
#include "wire/mem.h"
#include "wire/pack.h"
#include "wire/utf8.h"

#include <stdio.h>

static const char *const ingest_state_names[] = {"", "reading", "waiting", "held"};

bool ingest_wait(struct ingest *g, int64_t ms) {
    int64_t until = clock_monotonic_ms() + ms;
    const struct timespec at = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};
    uint64_t round;
    bool stop;
    pthread_mutex_lock(&g->lock);
    round = g->round;
    while (ms > 0 && !g->stop && g->round == round)
        if (pthread_cond_timedwait(&g->wake, &g->lock, &at) != 0)
            break;
    stop = g->stop;
    pthread_mutex_unlock(&g->lock);
    return stop;
}

/* ---- starting and stopping the sources of one configuration ---- */

static enum err_code ingest_load(struct ingest *g, struct ingest_config **out, struct err *e) {
    struct ingest_config *c = mem_zalloc(1, sizeof *c);
    const struct ingest_source *s;
    enum err_code rc;
    uint32_t i;
    if (!c)
        return err_set(e, ERR_NO_MEMORY, "no memory for ingest");
    rc = ingest_config_read(c, g->node->config.home, e);
    s = c->body.sources.items;
    for (i = 0; rc == ERR_OK && i < c->body.sources.count; i++)
        if (!node_channel(g->node, s[i].channel)) {
            char at[64];
            snprintf(at, sizeof at, "ingest.sources[%u].channel", i);
            rc = yaml_refuse(&c->file.doc, e, at, "this node is not a member of a channel \"%.*s\"",
                             SLICE_ARG(s[i].channel));
        }
    if (rc != ERR_OK) {
        ingest_config_release(c);
        mem_free(c);
        return rc;
    }
    *out = c;
    return ERR_OK;
}

static void ingest_halt(struct ingest *g) {
    size_t i;
    pthread_mutex_lock(&g->lock);
    g->stop = true;
    pthread_cond_broadcast(&g->wake);
    pthread_mutex_unlock(&g->lock);
    for (i = 0; i < g->line_count; i++)
        if (g->lines[i].started)
            pthread_join(g->lines[i].thread, NULL);
    mem_free(g->lines);
    g->lines = NULL;
    g->line_count = 0;
    if (g->config) {
        ingest_config_release(g->config);
        mem_free(g->config);
    }
    g->config = NULL;
}

static enum err_code ingest_go(struct ingest *g, struct err *e) {
    const struct ingest_source *s = g->config->body.sources.items;
    struct ingest_lines *lines = mem_zalloc(g->config->body.sources.count + 1, sizeof *lines);
    enum err_code rc = lines ? ERR_OK : err_set(e, ERR_NO_MEMORY, "no memory for sources");
    uint32_t i;
    g->stop = false;
    g->lines = lines;
    for (i = 0; rc == ERR_OK && i < g->config->body.sources.count; i++) {
        struct ingest_lines *l = &lines[g->line_count];
        if (s[i].kind != INGEST_LINES)
            continue;
        *l = (struct ingest_lines){
            .ingest = g, .channel = node_channel(g->node, s[i].channel), .source = &s[i], .source_index = i};
        g->line_count++;
        rc = ingest_lines_start(l, e);
    }
    if (rc == ERR_OK && g->line_count)
        log_line(LOG_INFO, "ingest", "%zu sources are read", g->line_count);
    return rc;
}

enum err_code ingest_start(struct node *n, struct ingest **out, struct err *e) {
    struct ingest *g = mem_zalloc(1, sizeof *g);
    pthread_condattr_t attr;
    enum err_code rc;
    int i;
    if (!g)
        return err_set(e, ERR_NO_MEMORY, "no memory for ingest");
    g->node = n;
    g->round = 1;
    pthread_rwlock_init(&g->gate, NULL);
    pthread_mutex_init(&g->lock, NULL);
    for (i = 0; i < INGEST_POST_LOCKS; i++)
        pthread_mutex_init(&g->posts[i], NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&g->wake, &attr);
    pthread_condattr_destroy(&attr);
    rc = ingest_load(g, &g->config, e);
    if (rc == ERR_OK)
        rc = ingest_go(g, e);
    if (rc != ERR_OK)
        ingest_stop(g);
    else
        *out = g;
    return rc;
}

void ingest_stop(struct ingest *g) {
    int i;
    if (!g)
        return;
    pthread_rwlock_wrlock(&g->gate);
    ingest_halt(g);
    pthread_rwlock_unlock(&g->gate);
    pthread_cond_destroy(&g->wake);
    for (i = 0; i < INGEST_POST_LOCKS; i++)
        pthread_mutex_destroy(&g->posts[i]);
    pthread_mutex_destroy(&g->lock);
    pthread_rwlock_destroy(&g->gate);
    mem_free(g);
}

enum err_code ingest_restart(struct ingest *g, struct err *e) {
    struct ingest_config *c = NULL;
    enum err_code rc = ingest_load(g, &c, e);
    if (rc != ERR_OK)
        return rc;
    pthread_rwlock_wrlock(&g->gate);
    ingest_halt(g);
    g->config = c;
    rc = ingest_go(g, e);
    pthread_rwlock_unlock(&g->gate);
    ingest_look(g);
    return rc;
}

void ingest_look(struct ingest *g) {
    pthread_mutex_lock(&g->lock);
    g->round++;
    pthread_cond_broadcast(&g->wake);
    pthread_mutex_unlock(&g->lock);
}

/* ---- status ---- */

static void status_number(struct buf *b, const char *key, uint64_t v) {
    pack_cstr(b, key);
    pack_u64(b, v);
}
static void status_text(struct buf *b, const char *key, struct slice v) {
    pack_cstr(b, key);
    pack_str(b, v);
}

static void status_source(const struct ingest *g, const struct ingest_lines *l, struct buf *b) {
    struct slice error = slice_str(l->error);
    pack_map(b, 12);
    status_text(b, "channel", slice_str(channel_name(l->channel->channel)));
    status_number(b, "dead", l->dead);
    status_text(b, "error", slice_of(error.ptr, utf8_valid_prefix(error))); /* a path may have been cut */
    status_number(b, "files", l->files);
    status_number(b, "gaps", l->gaps);
    status_text(b, "id", l->source->id);
    status_text(b, "kind", slice_str("lines"));
    status_number(b, "lag", l->lag);
    status_number(b, "records", l->records);
    status_number(b, "seq", l->seq);
    pack_cstr(b, "settled");
    pack_bool(b, l->settled_round >= g->round);
    status_text(b, "state", slice_str(ingest_state_names[l->state]));
}

void ingest_status(struct ingest *g, struct buf *out) {
    uint64_t waiting = 0, refused = 0;
    size_t i;
    for (i = 0; i < g->node->channel_count; i++) {
        struct outbox_stats o;
        if (outbox_stats(courier_outbox(g->node->channels[i].courier), &o, NULL) != ERR_OK)
            continue;
        waiting += o.entries;
        refused += o.refused;
    }
    pthread_rwlock_rdlock(&g->gate);
    pthread_mutex_lock(&g->lock);
    pack_map(out, 3);
    status_number(out, "outbox", waiting);
    status_number(out, "refused", refused);
    pack_cstr(out, "sources");
    pack_array(out, (uint32_t)g->line_count);
    for (i = 0; i < g->line_count; i++)
        status_source(g, &g->lines[i], out);
    pthread_mutex_unlock(&g->lock);
    pthread_rwlock_unlock(&g->gate);
}
