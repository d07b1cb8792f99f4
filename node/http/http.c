/* node/http/http.c -- the server of http.h on libmicrohttpd, one thread a connection.
 * A request's life: http_on_head checks all that needs no body and may answer at once; http_on_body gathers; the last
 * call runs the handler. Nothing is done for a request that does not arrive whole. */
#include "node/http/http_impl.h"

#include "wire/mem.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { HTTP_DISCARD = 4, HTTP_EVENTS_BUFFER = 1 << 20, HTTP_LISTEN = 128 };

struct http {
    struct http_config config;
    struct MHD_Daemon *daemon;
    uint16_t port;
    atomic_bool stopping;
    pthread_mutex_t mtx; /* keys */
    struct http_key keys[HTTP_KEYS];
    size_t key_count;
};

/* One request; the connection's thread owns it. */
struct http_exchange {
    struct http *h;
    struct http_request request;
    const struct http_route *route;
    char who[HTTP_KEY_NAME + 1];
    struct buf body;
    bool too_large, handled;
    int64_t deadline;
};

static int64_t http_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

const char *http_query(const struct http_request *r, const char *name) {
    const char *value = NULL;
    size_t len = 0;
    if (MHD_lookup_connection_value_n(r->impl, MHD_GET_ARGUMENT_KIND, name, strlen(name), &value, &len) == MHD_NO)
        return NULL;
    return value ? value : "";
}

const char *http_header(const struct http_request *r, const char *name) {
    return MHD_lookup_connection_value(r->impl, MHD_HEADER_KIND, name);
}

/* --- event streams --- */

struct http_stream {
    struct http *h;
    struct http_events events;
    struct buf waiting;
    size_t sent;
    int64_t last;
};

/* Fills the connection's next piece; waits in pull, not here. */
static ssize_t http_stream_read(void *cls, uint64_t pos, char *out, size_t max) {
    struct http_stream *s = cls;
    size_t n;
    (void)pos;
    while (s->sent == s->waiting.len) {
        buf_clear(&s->waiting);
        s->sent = 0;
        if (atomic_load(&s->h->stopping) || !s->events.pull(s->events.ctx, &s->waiting) || s->waiting.failed)
            return MHD_CONTENT_READER_END_OF_STREAM;
        if (s->waiting.len == 0 && http_now() - s->last >= HTTP_EVENTS_BEAT_MS)
            buf_str(&s->waiting, ": still here\n\n");
    }
    n = s->waiting.len - s->sent < max ? s->waiting.len - s->sent : max;
    memcpy(out, s->waiting.ptr + s->sent, n);
    s->sent += n;
    s->last = http_now();
    return (ssize_t)n;
}

static void http_stream_free(void *cls) {
    struct http_stream *s = cls;
    if (s->events.close)
        s->events.close(s->events.ctx);
    buf_release(&s->waiting);
    mem_free(s);
}

static struct MHD_Response *http_stream_response(struct http *h, const struct http_events *events) {
    struct http_stream *s = mem_zalloc(1, sizeof *s);
    struct MHD_Response *out;
    if (!s) {
        if (events->close)
            events->close(events->ctx);
        return NULL;
    }
    s->h = h;
    s->events = *events;
    s->last = http_now();
    buf_init(&s->waiting, HTTP_EVENTS_BUFFER);
    buf_str(&s->waiting, ": hello\n\n"); /* so that the head goes out at once */
    out = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, http_stream_read, s, http_stream_free);
    if (!out)
        http_stream_free(s);
    return out;
}

/* --- answers --- */

/* Sends r and releases it. */
static enum MHD_Result http_answer(struct http_exchange *x, struct http_response *r, const char *allow) {
    struct MHD_Connection *c = x->request.impl;
    struct MHD_Response *out;
    enum MHD_Result rc;
    x->handled = true;
    if (r->events.pull) {
        out = http_stream_response(x->h, &r->events);
        r->content_type = "text/event-stream; charset=utf-8";
        r->cache_control = "no-store";
    } else {
        if (r->body.failed)
            http_fail(r, 500, ERR_TOO_LARGE, "the answer is too large", "ask for less at once");
        out = MHD_create_response_from_buffer(r->body.len, r->body.ptr ? (void *)r->body.ptr : (void *)"",
                                              MHD_RESPMEM_MUST_COPY);
    }
    buf_release(&r->body);
    if (!out)
        return MHD_NO;
    MHD_add_response_header(out, "Content-Type", r->content_type);
    MHD_add_response_header(out, "X-Content-Type-Options", "nosniff");
    if (r->cache_control)
        MHD_add_response_header(out, "Cache-Control", r->cache_control);
    if (r->status == 429 || r->status == 503)
        MHD_add_response_header(out, "Retry-After", "1"); /* seconds */
    if (allow)
        MHD_add_response_header(out, "Allow", allow);
    if (r->status == 401)
        MHD_add_response_header(out, "WWW-Authenticate", "Bearer");
    rc = MHD_queue_response(c, r->status, out);
    MHD_destroy_response(out);
    return rc;
}

static void http_response_init(struct http_response *r) {
    *r = (struct http_response){.status = 200, .content_type = "application/json"};
    buf_init(&r->body, HTTP_RESPONSE);
}

static enum MHD_Result http_refuse(struct http_exchange *x, unsigned status, enum err_code code, const char *text,
                                   const char *allow) {
    struct http_response r;
    http_response_init(&r);
    http_fail(&r, status, code, text, NULL);
    return http_answer(x, &r, allow);
}

/* --- who asks --- */

/* Finds the key of the header; compares with all, in constant time. False: a header, but no key of ours. */
static bool http_identify(struct http_exchange *x) {
    const char *header = http_header(&x->request, "Authorization");
    struct digest hash;
    size_t i;
    if (!header)
        return true;
    if (strncasecmp(header, "Bearer ", 7) != 0 || strlen(header + 7) > HTTP_KEY_BYTES)
        return false;
    hash = http_key_hash(slice_str(header + 7));
    pthread_mutex_lock(&x->h->mtx);
    for (i = 0; i < x->h->key_count; i++) {
        if (sodium_memcmp(hash.b, x->h->keys[i].hash.b, DIGEST_SIZE) == 0) {
            memcpy(x->who, x->h->keys[i].name, sizeof x->who);
            x->request.who = x->who;
            x->request.roles = x->h->keys[i].roles;
        }
    }
    pthread_mutex_unlock(&x->h->mtx);
    return x->request.who[0] != '\0';
}

/* --- the built-in routes --- */

static void http_health(void *ctx, const struct http_request *request, struct http_response *r) {
    struct http *h = ((struct http_exchange *)ctx)->h;
    (void)request;
    r->content_type = "text/plain; charset=utf-8";
    r->cache_control = "no-store";
    if (!h->config.health(h->config.ctx, &r->body))
        r->status = 503;
}

static void http_metrics(void *ctx, const struct http_request *request, struct http_response *r) {
    struct http *h = ((struct http_exchange *)ctx)->h;
    (void)request;
    r->content_type = "text/plain; version=0.0.4; charset=utf-8";
    r->cache_control = "no-store";
    h->config.metrics(h->config.ctx, &r->body);
}

static const struct http_route http_health_route = {"GET", "/healthz", 0, 0, http_health};
static const struct http_route http_metrics_route = {"GET", "/metrics", 0, 0, http_metrics};

static unsigned http_locate(struct http_exchange *x, struct buf *allow) {
    const struct http_config *c = &x->h->config;
    if (c->health && strcmp(x->request.path, "/healthz") == 0)
        return http_find(&http_health_route, 1, &x->request, &x->route, allow);
    if (c->metrics && strcmp(x->request.path, "/metrics") == 0)
        return http_find(&http_metrics_route, 1, &x->request, &x->route, allow);
    return http_find(c->routes, c->route_count, &x->request, &x->route, allow);
}

/* --- a request --- */

static size_t http_body_max(const struct http_exchange *x) {
    return x->route->body_max ? x->route->body_max : x->h->config.body_max;
}

/* All that can be said before the body; x->handled tells whether it was said. */
static enum MHD_Result http_on_head(struct http_exchange *x) {
    const char *length = http_header(&x->request, "Content-Length"), *last;
    char allow_bytes[128];
    struct buf allow;
    unsigned status, roles;
    buf_init(&allow, sizeof allow_bytes - 1);
    status = strlen(x->request.path) > HTTP_PATH ? 404 : http_locate(x, &allow);
    snprintf(allow_bytes, sizeof allow_bytes, "%s", buf_cstr(&allow));
    buf_release(&allow);
    if (status == 404)
        return http_refuse(x, 404, ERR_NOT_FOUND, "there is nothing at this path", NULL);
    if (status == 405)
        return http_refuse(x, 405, ERR_UNSUPPORTED, "this path does not take this method", allow_bytes);
    if (!http_identify(x))
        return http_refuse(x, 401, ERR_NOT_ALLOWED, "this key is not known here", NULL);
    roles = x->route == &http_metrics_route ? x->h->config.metrics_roles : x->route->roles;
    if (roles && !x->request.who[0])
        return http_refuse(x, 401, ERR_NOT_ALLOWED, "a key is needed", NULL);
    if (roles && !(roles & x->request.roles))
        return http_refuse(x, 403, ERR_NOT_ALLOWED, "this key has not the role for that", NULL);
    if (length && strtoull(length, NULL, 10) > http_body_max(x))
        return http_refuse(x, 413, ERR_TOO_LARGE, "the body is too large", NULL);
    buf_init(&x->body, http_body_max(x));
    last = http_header(&x->request, "Last-Event-ID");
    if (!last)
        last = http_query(&x->request, "last_event_id");
    x->request.last_event_id = last && strlen(last) <= HTTP_EVENT_ID ? last : "";
    return MHD_YES;
}

/* A piece of the body. What is too large is thrown away so that the sender hears the answer, up to a point. */
static enum MHD_Result http_on_body(struct http_exchange *x, const char *data, size_t *size, size_t *seen) {
    if (http_now() > x->deadline)
        return MHD_NO;
    *seen += *size;
    if (!x->handled && !x->too_large) {
        buf_bytes(&x->body, data, *size);
        x->too_large = x->body.failed;
    }
    if (*seen > HTTP_DISCARD * (http_body_max(x) + HTTP_HEADERS))
        return MHD_NO;
    *size = 0;
    return MHD_YES;
}

static enum MHD_Result http_on_whole(struct http_exchange *x) {
    struct http_response r;
    if (x->too_large)
        return http_refuse(x, 413, ERR_TOO_LARGE, "the body is too large", NULL);
    http_response_init(&r);
    x->request.body = buf_slice(&x->body);
    x->route->handle(x->route == &http_health_route || x->route == &http_metrics_route ? (void *)x : x->h->config.ctx,
                     &x->request, &r);
    return http_answer(x, &r, NULL);
}

struct http_state {
    struct http_exchange x;
    size_t seen; /* bytes of body */
};

static enum MHD_Result http_on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                       const char *method, const char *version, const char *data, size_t *size,
                                       void **state) {
    struct http *h = cls;
    struct http_state *s = *state;
    (void)version;
    if (!s) {
        s = mem_zalloc(1, sizeof *s);
        if (!s)
            return MHD_NO;
        *state = s;
        s->x.h = h;
        s->x.deadline = http_now() + h->config.request_ms;
        s->x.request =
            (struct http_request){.method = method, .path = url, .who = "", .last_event_id = "", .impl = connection};
        buf_init(&s->x.body, 0);
        return http_on_head(&s->x);
    }
    if (s->x.handled)
        return MHD_YES;
    if (*size)
        return http_on_body(&s->x, data, size, &s->seen);
    return http_on_whole(&s->x);
}

static void http_on_completed(void *cls, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode why) {
    struct http_state *s = *state;
    (void)cls, (void)c, (void)why;
    if (!s)
        return;
    buf_release(&s->x.body);
    mem_free(s);
    *state = NULL;
}

/* --- life --- */

struct http_address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } u;
    bool loopback;
};

/* "127.0.0.1:80", "[::1]:80", "localhost:80" */
static enum err_code http_parse_listen(const char *text, struct http_address *a, struct err *e) {
    const char *colon = text ? strrchr(text, ':') : NULL;
    char host[HTTP_LISTEN], *end;
    unsigned long port;
    size_t len;
    memset(a, 0, sizeof *a);
    if (!colon || (size_t)(colon - text) >= sizeof host || colon[1] < '0' || colon[1] > '9')
        return err_set(e, ERR_CONFIG, "\"%.80s\" is no address: host:port", text ? text : "");
    port = strtoul(colon + 1, &end, 10);
    if (*end || port > 65535)
        return err_set(e, ERR_CONFIG, "\"%.80s\" has no port", text);
    len = (size_t)(colon - text);
    memcpy(host, text, len);
    host[len] = '\0';
    if (strcmp(host, "localhost") == 0)
        snprintf(host, sizeof host, "127.0.0.1");
    if (host[0] == '[' && host[len - 1] == ']') {
        host[len - 1] = '\0';
        if (inet_pton(AF_INET6, host + 1, &a->u.v6.sin6_addr) == 1) {
            a->u.v6.sin6_family = AF_INET6;
            a->u.v6.sin6_port = htons((uint16_t)port);
            a->loopback = IN6_IS_ADDR_LOOPBACK(&a->u.v6.sin6_addr);
            return ERR_OK;
        }
    } else if (inet_pton(AF_INET, host, &a->u.v4.sin_addr) == 1) {
        a->u.v4.sin_family = AF_INET;
        a->u.v4.sin_port = htons((uint16_t)port);
        a->loopback = ntohl(a->u.v4.sin_addr.s_addr) >> 24 == 127;
        return ERR_OK;
    }
    return err_set(e, ERR_CONFIG, "\"%.80s\": the host must be a numeric address or localhost", text);
}

static enum err_code http_open(struct http *h, struct err *e) {
    bool tls = h->config.tls_cert_pem && h->config.tls_key_pem;
    unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ITC;
    struct MHD_OptionItem items[3] = {{MHD_OPTION_END, 0, NULL}};
    const union MHD_DaemonInfo *info;
    struct http_address a;
    enum err_code rc = http_parse_listen(h->config.listen, &a, e);
    if (rc)
        return rc;
    if (!a.loopback && !tls)
        return err_set(e, ERR_CONFIG, "%s is not loopback: configure a TLS certificate and key first",
                       h->config.listen);
    if (tls) {
        flags |= MHD_USE_TLS;
        items[0] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)h->config.tls_cert_pem};
        items[1] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)h->config.tls_key_pem};
        items[2] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
    }
    if (a.u.any.sa_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    h->daemon = MHD_start_daemon(flags, 0, NULL, NULL, http_on_request, h, MHD_OPTION_SOCK_ADDR, &a.u.any,
                                 MHD_OPTION_CONNECTION_LIMIT, h->config.connections, MHD_OPTION_CONNECTION_TIMEOUT,
                                 h->config.idle_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_HEADERS,
                                 MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_COMPLETED, http_on_completed, h,
                                 MHD_OPTION_ARRAY, items, MHD_OPTION_END);
    if (!h->daemon)
        return err_set(e, ERR_CONFIG, "cannot serve HTTP on %s: the address is in use or not ours%s", h->config.listen,
                       tls ? ", or the certificate and key do not fit" : "");
    info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_BIND_PORT);
    h->port = info ? info->port : 0;
    return ERR_OK;
}

enum err_code http_set_keys(struct http *h, const struct http_key *keys, size_t count, struct err *e) {
    if (count > HTTP_KEYS)
        return err_set(e, ERR_TOO_LARGE, "%zu keys; %d is the limit", count, HTTP_KEYS);
    pthread_mutex_lock(&h->mtx);
    if (count)
        memcpy(h->keys, keys, count * sizeof *keys);
    h->key_count = count;
    pthread_mutex_unlock(&h->mtx);
    return ERR_OK;
}

enum err_code http_start(const struct http_config *config, struct http **out, struct err *e) {
    struct http *h = mem_zalloc(1, sizeof *h);
    enum err_code rc;
    *out = NULL;
    if (!h)
        return err_set(e, ERR_NO_MEMORY, "no memory for the HTTP server");
    h->config = *config;
    h->config.body_max = config->body_max ? config->body_max : HTTP_BODY;
    h->config.connections = config->connections ? config->connections : HTTP_CONNECTIONS;
    h->config.idle_s = config->idle_s ? config->idle_s : HTTP_IDLE_S;
    h->config.request_ms = config->request_ms ? config->request_ms : HTTP_REQUEST_MS;
    pthread_mutex_init(&h->mtx, NULL);
    rc = http_set_keys(h, config->keys, config->key_count, e);
    if (!rc)
        rc = http_open(h, e);
    if (rc)
        http_stop(h);
    else
        *out = h;
    return rc;
}

uint16_t http_port(const struct http *h) {
    return h->port;
}

void http_stop(struct http *h) {
    atomic_store(&h->stopping, true);
    if (h->daemon)
        MHD_stop_daemon(h->daemon);
    pthread_mutex_destroy(&h->mtx);
    mem_free(h);
}
