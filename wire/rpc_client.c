/* wire/rpc_client.c -- the command's side of rpc.h: a link with a bounded mailbox, read by the caller's thread.
 * Back-pressure: the mailbox is bounded by stopping the link's receiver until the caller has taken from it; the
 * receiver is this connection's alone (L3), though it holds one of nng's threads: commands have nothing else to do. */
#include "wire/cursor.h"
#include "wire/rpc_impl.h"

#include "wire/mem.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

enum { RPC_INBOX_BYTES = 16 << 20 }; /* bytes of responses that wait for the caller */

struct rpc_inbox_node {
    struct rpc_inbox_node *next;
    size_t len;
    uint8_t bytes[];
};

struct rpc_client {
    pthread_mutex_t mtx;
    pthread_cond_t changed;
    struct link *link;
    uint64_t last_id; /* the caller's */
    bool ready, closed, closing;
    enum err_code why;
    char why_text[160];
    struct rpc_inbox_node *first, **last;
    size_t waiting; /* bytes */
};

static void rpc_client_ready(void *ctx, struct link *l) {
    struct rpc_client *c = ctx;
    (void)l;
    pthread_mutex_lock(&c->mtx);
    c->ready = true;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->mtx);
}

static void rpc_client_frame(void *ctx, struct link *l, struct slice bytes) {
    struct rpc_client *c = ctx;
    struct rpc_inbox_node *n = mem_alloc(sizeof *n + bytes.len);
    if (!n) {
        link_close(l);
        return;
    }
    n->next = NULL;
    n->len = bytes.len;
    memcpy(n->bytes, bytes.ptr, bytes.len);
    pthread_mutex_lock(&c->mtx);
    while (c->waiting > RPC_INBOX_BYTES && !c->closing)
        pthread_cond_wait(&c->changed, &c->mtx);
    *c->last = n;
    c->last = &n->next;
    c->waiting += n->len;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->mtx);
}

static void rpc_client_closed(void *ctx, struct link *l, enum err_code why, const char *text) {
    struct rpc_client *c = ctx;
    (void)l;
    pthread_mutex_lock(&c->mtx);
    c->closed = true;
    c->why = why ? why : ERR_UNREACHABLE;
    snprintf(c->why_text, sizeof c->why_text, "%s", text);
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->mtx);
}

/* Under mtx: waits for a change; false when timeout_ms (0: never) have passed since `from`. */
static bool rpc_wait(struct rpc_client *c, const struct timespec *from, uint32_t timeout_ms) {
    struct timespec until = *from;
    if (timeout_ms == 0) {
        pthread_cond_wait(&c->changed, &c->mtx);
        return true;
    }
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    return pthread_cond_timedwait(&c->changed, &c->mtx, &until) != ETIMEDOUT;
}

static struct rpc_client *rpc_client_new(void) {
    struct rpc_client *c = mem_zalloc(1, sizeof *c);
    pthread_condattr_t attr;
    if (!c)
        return NULL;
    pthread_mutex_init(&c->mtx, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&c->changed, &attr);
    pthread_condattr_destroy(&attr);
    c->last = &c->first;
    return c;
}

static struct rpc_inbox_node *rpc_inbox_pop(struct rpc_client *c) {
    struct rpc_inbox_node *n = c->first;
    if (!n)
        return NULL;
    c->first = n->next;
    if (!c->first)
        c->last = &c->first;
    c->waiting -= n->len;
    return n;
}

static void rpc_client_free(struct rpc_client *c) {
    struct rpc_inbox_node *n;
    while ((n = rpc_inbox_pop(c)) != NULL)
        mem_free(n);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->mtx);
    mem_free(c);
}

enum err_code rpc_connect(const struct link_self *self, const char *address, const char *ca_pem, uint32_t timeout_ms,
                          struct rpc_client **out, struct err *e) {
    struct link_target target = {address, self->id, self->link_public, ca_pem, LINK_CLIENT};
    struct link_limits limits = {.handshake_ms = timeout_ms};
    struct rpc_client *c = rpc_client_new();
    struct link_handlers handlers = {rpc_client_ready, rpc_client_frame, NULL, rpc_client_closed, c};
    enum err_code rc;
    *out = NULL;
    if (!c)
        return err_set(e, ERR_NO_MEMORY, "no memory for a connection");
    rc = link_dial(self, &target, &limits, NULL, &handlers, &c->link, e);
    if (rc) {
        rpc_client_free(c);
        return rc;
    }
    pthread_mutex_lock(&c->mtx);
    while (!c->ready && !c->closed)
        pthread_cond_wait(&c->changed, &c->mtx); /* the link's deadline bounds it */
    if (c->closed)
        rc = err_set(e, c->why, "no connection to the node at %s: %s", address, c->why_text);
    pthread_mutex_unlock(&c->mtx);
    if (rc)
        rpc_close(c);
    else
        *out = c;
    return rc;
}

void rpc_close(struct rpc_client *c) {
    if (!c)
        return;
    pthread_mutex_lock(&c->mtx);
    c->closing = true;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->mtx);
    link_close(c->link);
    pthread_mutex_lock(&c->mtx);
    while (!c->closed)
        pthread_cond_wait(&c->changed, &c->mtx);
    pthread_mutex_unlock(&c->mtx);
    link_release(c->link);
    rpc_client_free(c);
}

static enum err_code rpc_ask(struct rpc_client *c, const char *method, struct slice body, struct err *e) {
    struct rpc_request r = {.body = body, .id = ++c->last_id, .method = slice_str(method)};
    struct buf b;
    enum err_code rc;
    if (body.len > RPC_BODY || r.method.len == 0 || r.method.len > RPC_METHOD)
        return err_set(e, ERR_TOO_LARGE, "a request of %zu bytes", body.len);
    if (body.len && (rc = cursor_check(body, LIMIT_DEPTH - 1, e)) != ERR_OK)
        return err_wrap(e, "the request"); /* the node would end the connection without a word */
    buf_init(&b, LIMIT_MESSAGE);
    schema_write(&rpc_request_schema, &r, &b);
    rc = buf_check(&b, e);
    if (!rc)
        rc = link_send(c->link, LINK_BULK, buf_slice(&b), e);
    buf_release(&b);
    return rc;
}

/* The next frame; the caller frees it. */
static enum err_code rpc_next(struct rpc_client *c, uint32_t timeout_ms, struct rpc_inbox_node **out, struct err *e) {
    enum err_code rc = ERR_OK;
    struct timespec from;
    bool timely = true;
    clock_gettime(CLOCK_MONOTONIC, &from);
    pthread_mutex_lock(&c->mtx);
    while (!c->first && !c->closed && timely)
        timely = rpc_wait(c, &from, timeout_ms);
    *out = rpc_inbox_pop(c);
    if (!*out)
        rc = c->closed ? err_set(e, c->why, "the connection to the node has ended: %s", c->why_text)
                       : err_set(e, ERR_TIMEOUT, "the node has not answered within %u ms", timeout_ms);
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->mtx);
    return rc;
}

/* What a response says; *more: others follow. */
static enum err_code rpc_take(const struct rpc_response *r, bool (*on_body)(void *ctx, struct slice body), void *ctx,
                              bool *more, struct err *e) {
    *more = false;
    if (r->code)
        return err_set(e, err_known((int)r->code) ? (enum err_code)r->code : ERR_INTERNAL, "%.*s", SLICE_ARG(r->text));
    if (r->body.len && on_body && !on_body(ctx, r->body))
        return ERR_OK;
    *more = r->more;
    return ERR_OK;
}

enum err_code rpc_call(struct rpc_client *c, const char *method, struct slice body,
                       bool (*on_body)(void *ctx, struct slice body), void *ctx, uint32_t timeout_ms, struct err *e) {
    enum err_code rc = rpc_ask(c, method, body, e);
    bool more = true;
    while (!rc && more) {
        struct rpc_inbox_node *n;
        struct rpc_response r;
        struct arena a;
        rc = rpc_next(c, timeout_ms, &n, e);
        if (rc || !n)
            break;
        arena_init(&a, 0);
        rc = schema_read(&rpc_response_schema, slice_of(n->bytes, n->len), &a, &r, e);
        if (!rc && r.id == c->last_id) /* others belong to a call that was given up */
            rc = rpc_take(&r, on_body, ctx, &more, e);
        arena_release(&a);
        mem_free(n);
    }
    return rc;
}
