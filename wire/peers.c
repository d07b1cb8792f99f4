/* wire/peers.c -- see peers.h.
 *
 *   row is     | event                              | becomes
 *   idle       | we dial it and its time has come   | dialling
 *   dialling   | hello done                         | up
 *   dialling   | closed                             | idle, next dial after the back-off
 *   idle, up   | its hello accepted (it dials)      | up; an older connection is closed, on_down first
 *   up         | closed                             | idle
 *   any        | banned                             | its links are closed; no dial, no acceptance until the time
 *
 * Locks, in order: a row's `events` (held while the user is called, so that a peer's callbacks come one at a time),
 * then `mtx` (the table and the rows' fields), then a link's own. No link function that calls back is called under
 * any: links call back on nng's threads only. */
#include "wire/peers.h"

#include "wire/mem.h"

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <time.h>

struct peers_row {
    struct peers *p;
    pthread_mutex_t events;
    unsigned refs; /* the table's, and one of each of its links; p->mtx guards this and all below */
    bool removed;
    char id[LIMIT_NAME + 1];
    char *address, *ca_pem;
    struct sign_public link_public;
    bool dials;
    struct link *link; /* up; one reference */
    struct link *dial; /* under way; one reference */
    int64_t dial_at;   /* monotonic ms */
    uint32_t backoff_ms;
    int64_t up_at;
    int64_t banned_until;     /* monotonic ms */
    struct peers_stats stats; /* what ended connections left, and own counters */
};

struct peers {
    struct peers_config config;
    struct link_listener *listener;
    pthread_t keeper;
    bool keeper_runs;
    pthread_mutex_t mtx;
    pthread_cond_t changed;
    bool stopping;
    struct peers_row **rows; /* ascending id */
    size_t count, cap;
    size_t links; /* whose `closed` has not come */
    uint64_t refused;
};

static int64_t peers_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void peers_log(struct peers *p, const char *peer, const char *text) {
    if (p->config.log)
        p->config.log(p->config.ctx, peer, text);
}

/* Under mtx: where the id is, or would be. */
static size_t peers_place(const struct peers *p, const char *id, bool *found) {
    size_t lo = 0, hi = p->count;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (strcmp(p->rows[mid]->id, id) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    *found = lo < p->count && strcmp(p->rows[lo]->id, id) == 0;
    return lo;
}

static struct peers_row *peers_find(const struct peers *p, const char *id) {
    bool found;
    size_t at = peers_place(p, id, &found);
    return found ? p->rows[at] : NULL;
}

/* Under mtx. */
static void peers_row_release(struct peers_row *r) {
    if (--r->refs)
        return;
    mem_free(r->address);
    mem_free(r->ca_pem);
    pthread_mutex_destroy(&r->events);
    mem_free(r);
}

/* Under mtx: the connection's numbers join the row's. */
static void peers_collect(struct peers_row *r) {
    struct link_stats s;
    link_stats(r->link, &s);
    r->stats.messages_out += s.frames_out;
    r->stats.bytes_out += s.bytes_out;
    r->stats.writes += s.writes;
    r->stats.dropped_full += s.refused_full;
    r->stats.messages_in += s.frames_in;
    r->stats.bytes_in += s.bytes_in;
}

/* Under mtx. */
static bool peers_banned(const struct peers_row *r) {
    return r->banned_until && peers_now() < r->banned_until;
}

/* --- callbacks of links; ctx is the row, which the link holds --- */

static void peers_on_frame(void *ctx, struct link *l, struct slice bytes) {
    struct peers_row *r = ctx;
    bool ours;
    pthread_mutex_lock(&r->events);
    pthread_mutex_lock(&r->p->mtx);
    ours = r->link == l && !r->removed && !peers_banned(r);
    pthread_mutex_unlock(&r->p->mtx);
    if (ours)
        r->p->config.on_message(r->p->config.ctx, r->id, bytes);
    pthread_mutex_unlock(&r->events);
}

/* Puts a link that has said hello in its place. False: the row is gone, or we stop. Takes a reference of l. */
static bool peers_install(struct peers_row *r, struct link *l) {
    struct peers *p = r->p;
    struct link *old;
    pthread_mutex_lock(&r->events);
    pthread_mutex_lock(&p->mtx);
    if (p->stopping || r->removed || peers_banned(r)) {
        pthread_mutex_unlock(&p->mtx);
        pthread_mutex_unlock(&r->events);
        return false;
    }
    old = r->link;
    if (old)
        peers_collect(r);
    link_hold(l);
    r->link = l;
    r->stats.ups++;
    r->up_at = peers_now();
    pthread_mutex_unlock(&p->mtx);
    if (old) {
        link_close(old);
        link_release(old);
        if (p->config.on_down)
            p->config.on_down(p->config.ctx, r->id);
    }
    peers_log(p, r->id, old ? "connected anew" : "connected");
    if (p->config.on_up)
        p->config.on_up(p->config.ctx, r->id);
    pthread_mutex_unlock(&r->events);
    return true;
}

static void peers_on_ready(void *ctx, struct link *l) {
    if (!peers_install(ctx, l))
        link_close(l);
}

/* Under mtx: when to dial next: doubling, with jitter of a half, so that a mesh does not dial in step. */
static void peers_plan_dial(struct peers_row *r) {
    uint32_t wait = r->backoff_ms;
    r->dial_at = peers_now() + wait / 2 + randombytes_uniform(wait + 1);
    r->backoff_ms = wait > PEERS_BACKOFF_MS_MAX / 2 ? PEERS_BACKOFF_MS_MAX : wait * 2;
    pthread_cond_broadcast(&r->p->changed);
}

static void peers_on_closed(void *ctx, struct link *l, enum err_code why, const char *text) {
    struct peers_row *r = ctx;
    struct peers *p = r->p;
    struct link *drop = NULL, *drop_dial = NULL;
    char line[200];
    pthread_mutex_lock(&r->events);
    pthread_mutex_lock(&p->mtx);
    snprintf(r->stats.last_error, sizeof r->stats.last_error, "%s", text);
    if (r->link == l) {
        peers_collect(r);
        drop = r->link;
        r->link = NULL;
        if (peers_now() - r->up_at >= PEERS_BACKOFF_MS_MAX) /* a connection that held: a fresh start */
            r->backoff_ms = PEERS_BACKOFF_MS_MIN;
    }
    if (r->dial == l) {
        drop_dial = r->dial;
        r->dial = NULL;
        peers_plan_dial(r);
    }
    pthread_mutex_unlock(&p->mtx);
    if (drop || drop_dial) {
        snprintf(line, sizeof line, "%s: %s: %s", drop ? "disconnected" : "cannot connect", err_name(why), text);
        peers_log(p, r->id, line);
    }
    if (drop && p->config.on_down)
        p->config.on_down(p->config.ctx, r->id);
    pthread_mutex_unlock(&r->events);
    if (drop)
        link_release(drop);
    if (drop_dial)
        link_release(drop_dial);
    pthread_mutex_lock(&p->mtx);
    peers_row_release(r);
    p->links--;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->mtx); /* p may be gone now */
}

static struct link_handlers peers_handlers(struct peers_row *r) {
    return (struct link_handlers){peers_on_ready, peers_on_frame, NULL, peers_on_closed, r};
}

/* --- callbacks of the listener --- */

/* Only the peers whose turn it is to dial are known to the accepting side. */
static bool peers_key_of(void *ctx, const char *id, struct sign_public *out) {
    struct peers *p = ctx;
    struct peers_row *r;
    pthread_mutex_lock(&p->mtx);
    r = peers_find(p, id);
    if (r && !r->dials && !peers_banned(r))
        *out = r->link_public;
    else
        r = NULL;
    pthread_mutex_unlock(&p->mtx);
    return r != NULL;
}

static bool peers_on_accepted(void *ctx, struct link *l, struct link_handlers *handlers) {
    struct peers *p = ctx;
    struct peers_row *r;
    if (link_kind_of(l) == LINK_CLIENT)
        return p->config.on_client && p->config.on_client(p->config.client_ctx, l, handlers);
    pthread_mutex_lock(&p->mtx);
    r = p->stopping ? NULL : peers_find(p, link_peer(l));
    if (r) {
        r->refs++;
        p->links++;
    }
    pthread_mutex_unlock(&p->mtx);
    if (!r)
        return false;
    *handlers = peers_handlers(r);
    if (peers_install(r, l))
        return true;
    pthread_mutex_lock(&p->mtx);
    peers_row_release(r);
    p->links--;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->mtx);
    return false;
}

static void peers_on_refused(void *ctx, enum err_code why, const char *text) {
    struct peers *p = ctx;
    char line[200];
    pthread_mutex_lock(&p->mtx);
    p->refused++;
    pthread_mutex_unlock(&p->mtx);
    snprintf(line, sizeof line, "refused a connection: %s: %s", err_name(why), text);
    peers_log(p, "", line);
}

/* --- dialling --- */

/* Under mtx, which it keeps: r has no connection, we dial, and its time has come. */
static void peers_dial(struct peers_row *r) {
    struct peers *p = r->p;
    struct link_target target = {r->address, r->id, r->link_public, r->ca_pem, LINK_PEER};
    struct link_handlers handlers = peers_handlers(r);
    struct err e;
    r->refs++;
    p->links++;
    if (link_dial(p->config.self, &target, &p->config.limits, &p->config.tap, &handlers, &r->dial, &e)) {
        snprintf(r->stats.last_error, sizeof r->stats.last_error, "%.*s", (int)sizeof r->stats.last_error - 1, e.text);
        peers_row_release(r);
        p->links--;
        peers_plan_dial(r);
    }
}

/* Under mtx: dials what is due; when the next is, or -1. */
static int64_t peers_dial_due(struct peers *p) {
    int64_t next = -1, now = peers_now();
    size_t i;
    for (i = 0; i < p->count; i++) {
        struct peers_row *r = p->rows[i];
        if (!r->dials || !r->address || r->dial)
            continue;
        if (peers_banned(r) && r->dial_at < r->banned_until)
            r->dial_at = r->banned_until;
        if (r->dial_at <= now)
            peers_dial(r);
        if (!r->dial && (next < 0 || r->dial_at < next))
            next = r->dial_at;
    }
    return next;
}

static void *peers_keep(void *arg) {
    struct peers *p = arg;
    pthread_mutex_lock(&p->mtx);
    while (!p->stopping) {
        int64_t next = peers_dial_due(p);
        struct timespec until = {next / 1000, next % 1000 * 1000000};
        if (next < 0)
            pthread_cond_wait(&p->changed, &p->mtx);
        else
            pthread_cond_timedwait(&p->changed, &p->mtx, &until);
    }
    pthread_mutex_unlock(&p->mtx);
    return NULL;
}

/* --- the table --- */

static struct peers_row *peers_row_new(struct peers *p, const struct peers_entry *entry) {
    struct peers_row *r = mem_zalloc(1, sizeof *r);
    if (!r)
        return NULL;
    pthread_mutex_init(&r->events, NULL);
    r->p = p;
    r->refs = 1;
    r->link_public = entry->link_public;
    r->dials = strcmp(p->config.self->id, entry->id) < 0;
    r->backoff_ms = PEERS_BACKOFF_MS_MIN;
    snprintf(r->id, sizeof r->id, "%s", entry->id);
    snprintf(r->stats.id, sizeof r->stats.id, "%s", entry->id);
    r->address = entry->address ? mem_strdup(entry->address) : NULL;
    r->ca_pem = mem_strdup(entry->ca_pem);
    if (!r->ca_pem || (entry->address && !r->address)) {
        peers_row_release(r);
        return NULL;
    }
    return r;
}

/* The row of this id, if any, leaves the table; on_down comes before the return if it was up. */
static void peers_retire(struct peers *p, const char *id) {
    struct peers_row *r;
    struct link *l = NULL;
    bool found;
    size_t at;
    pthread_mutex_lock(&p->mtx);
    r = peers_find(p, id);
    if (r)
        r->refs++;
    pthread_mutex_unlock(&p->mtx);
    if (!r)
        return;
    pthread_mutex_lock(&r->events);
    pthread_mutex_lock(&p->mtx);
    at = peers_place(p, id, &found);
    if (found && p->rows[at] == r) {
        r->removed = true;
        memmove(p->rows + at, p->rows + at + 1, (p->count - at - 1) * sizeof(struct peers_row *));
        p->count--;
        peers_row_release(r); /* the table's; ours is left */
        l = r->link;
        r->link = NULL;
        if (r->dial)
            link_close(r->dial);
    }
    pthread_mutex_unlock(&p->mtx);
    if (l) {
        link_close(l);
        link_release(l);
        if (p->config.on_down)
            p->config.on_down(p->config.ctx, r->id);
    }
    pthread_mutex_unlock(&r->events);
    pthread_mutex_lock(&p->mtx);
    peers_row_release(r);
    pthread_mutex_unlock(&p->mtx);
}

static bool peers_same(const struct peers_row *r, const struct peers_entry *entry) {
    bool address = r->address && entry->address ? strcmp(r->address, entry->address) == 0
                                                : r->address == NULL && entry->address == NULL;
    return address && sign_public_eq(&r->link_public, &entry->link_public) && strcmp(r->ca_pem, entry->ca_pem) == 0;
}

/* Under mtx. */
static enum err_code peers_room(struct peers *p, struct err *e) {
    struct peers_row **rows;
    size_t cap = p->cap ? p->cap * 2 : 16;
    if (p->count >= PEERS_MAX)
        return err_set(e, ERR_FULL, "%d peers are the limit", PEERS_MAX);
    if (p->count < p->cap)
        return ERR_OK;
    rows = mem_realloc(p->rows, cap * sizeof *rows);
    if (!rows)
        return err_set(e, ERR_NO_MEMORY, "no memory for %zu peers", cap);
    p->rows = rows;
    p->cap = cap;
    return ERR_OK;
}

/* Under mtx: a row that is not in the table joins it. */
static enum err_code peers_insert(struct peers *p, const struct peers_entry *entry, size_t at, struct err *e) {
    struct peers_row *r;
    enum err_code rc = peers_room(p, e);
    if (rc)
        return rc;
    r = peers_row_new(p, entry);
    if (!r)
        return err_set(e, ERR_NO_MEMORY, "no memory for a peer");
    memmove(p->rows + at + 1, p->rows + at, (p->count - at) * sizeof(struct peers_row *));
    p->rows[at] = r;
    p->count++;
    pthread_cond_broadcast(&p->changed);
    return ERR_OK;
}

enum err_code peers_set(struct peers *p, const struct peers_entry *entry, struct err *e) {
    enum err_code rc = ERR_OK;
    bool found, same = false;
    size_t at;
    if (!entry->id[0] || strlen(entry->id) > LIMIT_NAME || strcmp(entry->id, p->config.self->id) == 0)
        return err_set(e, ERR_CONFIG, "\"%.80s\" can be no peer of %s", entry->id, p->config.self->id);
    pthread_mutex_lock(&p->mtx);
    for (;;) {
        at = peers_place(p, entry->id, &found);
        same = found && peers_same(p->rows[at], entry);
        if (!found || same)
            break;
        pthread_mutex_unlock(&p->mtx);
        peers_retire(p, entry->id);
        pthread_mutex_lock(&p->mtx);
    }
    if (!same)
        rc = peers_insert(p, entry, at, e);
    pthread_mutex_unlock(&p->mtx);
    return rc;
}

void peers_remove(struct peers *p, const char *id) {
    peers_retire(p, id);
}

void peers_ban(struct peers *p, const char *id, uint32_t ms) {
    struct link *links[2] = {NULL, NULL};
    struct peers_row *r;
    size_t i;
    pthread_mutex_lock(&p->mtx);
    r = peers_find(p, id);
    if (r) {
        r->banned_until = peers_now() + ms;
        links[0] = r->link;
        links[1] = r->dial;
    }
    for (i = 0; i < 2; i++)
        if (links[i])
            link_hold(links[i]);
    pthread_mutex_unlock(&p->mtx);
    for (i = 0; i < 2; i++)
        if (links[i]) {
            link_close(links[i]);
            link_release(links[i]);
        }
}

enum err_code peers_send(struct peers *p, const char *id, enum link_class class, struct slice message, struct err *e) {
    struct peers_row *r;
    struct link *l = NULL;
    enum err_code rc = ERR_OK;
    pthread_mutex_lock(&p->mtx);
    r = peers_find(p, id);
    if (!r) {
        rc = err_set(e, ERR_NOT_FOUND, "%.80s is no peer", id);
    } else if (!r->link) {
        r->stats.dropped_down++;
        rc = err_set(e, ERR_UNREACHABLE, "no connection to %s", id);
    } else {
        l = r->link;
        link_hold(l);
    }
    pthread_mutex_unlock(&p->mtx);
    if (l) {
        rc = link_send(l, class, message, e);
        link_release(l);
    }
    return rc;
}

/* --- life --- */

enum err_code peers_start(const struct peers_config *config, struct peers **out, struct err *e) {
    struct peers *p = mem_zalloc(1, sizeof *p);
    struct link_listen listen = {.address = config->listen,
                                 .ca_pems = config->ca_pems,
                                 .limits = config->limits,
                                 .tap = config->tap,
                                 .ctx = p,
                                 .key_of = peers_key_of,
                                 .accepted = peers_on_accepted,
                                 .refused = peers_on_refused};
    pthread_condattr_t attr;
    enum err_code rc;
    *out = NULL;
    if (!p)
        return err_set(e, ERR_NO_MEMORY, "no memory for a mesh");
    p->config = *config;
    pthread_mutex_init(&p->mtx, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&p->changed, &attr);
    pthread_condattr_destroy(&attr);
    *out = p; /* callbacks may want it at once */
    rc = link_listener_start(config->self, &listen, &p->listener, e);
    if (!rc) {
        p->keeper_runs = pthread_create(&p->keeper, NULL, peers_keep, p) == 0;
        if (!p->keeper_runs)
            rc = err_set(e, ERR_NO_MEMORY, "no thread to dial with");
    }
    if (rc) {
        *out = NULL;
        peers_stop(p);
    }
    return rc;
}

void peers_stop(struct peers *p) {
    pthread_mutex_lock(&p->mtx);
    p->stopping = true;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->mtx);
    if (p->keeper_runs)
        pthread_join(p->keeper, NULL);
    if (p->listener)
        link_listener_stop(p->listener);
    pthread_mutex_lock(&p->mtx);
    while (p->count) {
        char id[LIMIT_NAME + 1];
        memcpy(id, p->rows[0]->id, sizeof id);
        pthread_mutex_unlock(&p->mtx);
        peers_retire(p, id);
        pthread_mutex_lock(&p->mtx);
    }
    while (p->links)
        pthread_cond_wait(&p->changed, &p->mtx);
    pthread_mutex_unlock(&p->mtx);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->mtx);
    mem_free(p->rows);
    mem_free(p);
}

uint16_t peers_port(const struct peers *p) {
    return link_listener_port(p->listener);
}

/* --- numbers --- */

/* Under mtx. */
static void peers_row_stats(struct peers_row *r, struct peers_stats *out) {
    *out = r->stats;
    out->up = r->link != NULL;
    out->dials = r->dials;
    if (r->link) {
        struct peers_stats kept = r->stats;
        peers_collect(r);
        *out = r->stats;
        r->stats = kept;
        out->up = true;
        out->dials = r->dials;
        out->queued = link_queued(r->link);
    }
}

enum err_code peers_stats(struct peers *p, const char *id, struct peers_stats *out, struct err *e) {
    enum err_code rc = ERR_OK;
    struct peers_row *r;
    pthread_mutex_lock(&p->mtx);
    r = peers_find(p, id);
    if (r)
        peers_row_stats(r, out);
    else
        rc = err_set(e, ERR_NOT_FOUND, "%.80s is no peer", id);
    pthread_mutex_unlock(&p->mtx);
    return rc;
}

size_t peers_stats_all(struct peers *p, struct peers_stats *out, size_t max) {
    size_t i;
    pthread_mutex_lock(&p->mtx);
    for (i = 0; i < p->count && i < max; i++)
        peers_row_stats(p->rows[i], &out[i]);
    pthread_mutex_unlock(&p->mtx);
    return i;
}

uint64_t peers_refused(struct peers *p) {
    uint64_t n;
    pthread_mutex_lock(&p->mtx);
    n = p->refused;
    pthread_mutex_unlock(&p->mtx);
    return n;
}
