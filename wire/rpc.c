/* wire/rpc.c -- the bytes of requests and responses, and the node's side. See rpc.h.
 * Owns: the table of clients. Lock: `mtx` guards it; links are called outside it, with a reference. */
#include "wire/rpc_impl.h"

#include "wire/mem.h"

#include <pthread.h>

static const struct schema_field rpc_request_fields[] = {
    {.key = "body",
     .type = SCHEMA_RAW,
     .flags = SCHEMA_OPTIONAL,
     .offset = offsetof(struct rpc_request, body),
     .min = 1,
     .max = RPC_BODY},
    {.key = "id", .type = SCHEMA_U64, .offset = offsetof(struct rpc_request, id), .min = 1},
    {.key = "method", .type = SCHEMA_STR, .offset = offsetof(struct rpc_request, method), .min = 1, .max = RPC_METHOD},
};
const struct schema rpc_request_schema = SCHEMA_OF("request", struct rpc_request, rpc_request_fields);

static const struct schema_field rpc_response_fields[] = {
    {.key = "body",
     .type = SCHEMA_RAW,
     .flags = SCHEMA_OPTIONAL,
     .offset = offsetof(struct rpc_response, body),
     .min = 1,
     .max = RPC_BODY},
    {.key = "code",
     .type = SCHEMA_U64,
     .flags = SCHEMA_OPTIONAL,
     .offset = offsetof(struct rpc_response, code),
     .max = UINT16_MAX},
    {.key = "id", .type = SCHEMA_U64, .offset = offsetof(struct rpc_response, id), .min = 1},
    {.key = "more", .type = SCHEMA_BOOL, .flags = SCHEMA_OPTIONAL, .offset = offsetof(struct rpc_response, more)},
    {.key = "text",
     .type = SCHEMA_STR,
     .flags = SCHEMA_OPTIONAL,
     .offset = offsetof(struct rpc_response, text),
     .min = 1,
     .max = RPC_TEXT},
};
const struct schema rpc_response_schema = SCHEMA_OF("response", struct rpc_response, rpc_response_fields);

struct rpc_conn {
    struct rpc_server *server;
    uint64_t id;
    struct link *link; /* one reference, given back in `closed` */
};

struct rpc_server {
    struct rpc_server_config config;
    pthread_mutex_t mtx;
    pthread_cond_t changed;
    struct rpc_conn *conns[RPC_CLIENTS];
    uint64_t last_id;
    size_t count; /* of conns whose `closed` has not returned */
    bool stopping;
};

enum err_code rpc_server_new(const struct rpc_server_config *config, struct rpc_server **out, struct err *e) {
    struct rpc_server *s = mem_zalloc(1, sizeof *s);
    *out = s;
    if (!s)
        return err_set(e, ERR_NO_MEMORY, "no memory for a command server");
    s->config = *config;
    pthread_mutex_init(&s->mtx, NULL);
    pthread_cond_init(&s->changed, NULL);
    return ERR_OK;
}

/* A client is the operator's own command: what it sends malformed ends its connection. */
static void rpc_on_frame(void *ctx, struct link *l, struct slice bytes) {
    struct rpc_conn *c = ctx;
    struct rpc_request r;
    char method[RPC_METHOD + 1];
    struct arena a;
    struct err e;
    arena_init(&a, 0);
    if (schema_read(&rpc_request_schema, bytes, &a, &r, &e) || memchr(r.method.ptr, 0, r.method.len)) {
        link_close(l);
    } else {
        memcpy(method, r.method.ptr, r.method.len);
        method[r.method.len] = '\0';
        c->server->config.on_request(c->server->config.ctx, c->id, r.id, method, r.body);
    }
    arena_release(&a);
}

static void rpc_on_closed(void *ctx, struct link *l, enum err_code why, const char *text) {
    struct rpc_conn *c = ctx;
    struct rpc_server *s = c->server;
    size_t i;
    (void)why, (void)text;
    pthread_mutex_lock(&s->mtx);
    for (i = 0; i < RPC_CLIENTS; i++)
        if (s->conns[i] == c)
            s->conns[i] = NULL;
    pthread_mutex_unlock(&s->mtx);
    if (s->config.on_gone)
        s->config.on_gone(s->config.ctx, c->id);
    link_release(l);
    mem_free(c);
    pthread_mutex_lock(&s->mtx);
    s->count--;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->mtx); /* s may be gone now */
}

bool rpc_server_accept(void *server, struct link *l, struct link_handlers *handlers) {
    struct rpc_server *s = server;
    struct rpc_conn *c = mem_zalloc(1, sizeof *c);
    size_t i;
    if (!c)
        return false;
    pthread_mutex_lock(&s->mtx);
    for (i = 0; i < RPC_CLIENTS && s->conns[i]; i++)
        continue;
    if (s->stopping || i == RPC_CLIENTS) {
        pthread_mutex_unlock(&s->mtx);
        mem_free(c);
        return false;
    }
    link_hold(l);
    *c = (struct rpc_conn){s, ++s->last_id, l};
    s->conns[i] = c;
    s->count++;
    pthread_mutex_unlock(&s->mtx);
    *handlers = (struct link_handlers){NULL, rpc_on_frame, NULL, rpc_on_closed, c};
    return true;
}

/* The client's link with a reference, or NULL. */
static struct link *rpc_find(struct rpc_server *s, uint64_t conn) {
    struct link *l = NULL;
    size_t i;
    pthread_mutex_lock(&s->mtx);
    for (i = 0; i < RPC_CLIENTS && !l; i++)
        if (s->conns[i] && s->conns[i]->id == conn)
            l = s->conns[i]->link;
    if (l)
        link_hold(l);
    pthread_mutex_unlock(&s->mtx);
    return l;
}

enum err_code rpc_respond(struct rpc_server *s, uint64_t conn, uint64_t id, enum err_code code, const char *text,
                          struct slice body, bool more, struct err *e) {
    struct rpc_response r = {.id = id, .code = code, .body = body, .more = more};
    struct link *l = rpc_find(s, conn);
    struct buf b;
    enum err_code rc;
    if (!l)
        return err_set(e, ERR_UNREACHABLE, "the client has gone");
    buf_init(&b, LIMIT_MESSAGE);
    if (text) {
        r.text = slice_of(text, strnlen(text, RPC_TEXT));
        r.text.len = utf8_valid_prefix(r.text);
    }
    if (body.len > RPC_BODY) {
        rc = err_set(e, ERR_TOO_LARGE, "a response of %zu bytes", body.len);
    } else {
        schema_write(&rpc_response_schema, &r, &b);
        rc = buf_check(&b, e);
    }
    if (!rc)
        rc = link_send(l, LINK_BULK, buf_slice(&b), e);
    buf_release(&b);
    link_release(l);
    return rc;
}

void rpc_server_free(struct rpc_server *s) {
    size_t i;
    pthread_mutex_lock(&s->mtx);
    s->stopping = true;
    for (i = 0; i < RPC_CLIENTS; i++)
        if (s->conns[i])
            link_close(s->conns[i]->link);
    while (s->count)
        pthread_cond_wait(&s->changed, &s->mtx);
    pthread_mutex_unlock(&s->mtx);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->mtx);
    mem_free(s);
}
