/* node/http/http.h -- a bounded HTTP/1.1 server on libmicrohttpd: routes, keys with roles, bodies, event streams.
 * Owns: listening, limits, authentication, matching, the form of errors. The meaning of each route is the caller's.
 * Depends on: wire (err, buf, digest). Source: DESIGN 11.
 * Threads: one for each connection, so handlers and pulls may block; they run concurrently.
 *
 * Order of checks: limits -> route (404) -> method (405) -> key (401) -> role (403) -> length (413) -> body -> handler.
 * A request whose body does not arrive whole has no effect: the handler is not called. */
#ifndef NODE_HTTP_HTTP_H
#define NODE_HTTP_HTTP_H

#include "wire/buf.h"
#include "wire/digest.h"
#include "wire/err.h"

enum {
    HTTP_SEGMENTS = 12,       /* of a path */
    HTTP_PATH = 1024,         /* bytes of a path */
    HTTP_HEADERS = 32768,     /* bytes of the request's head (and of libmicrohttpd's memory for a connection) */
    HTTP_BODY = 8 << 20,      /* default limit of a body */
    HTTP_CONNECTIONS = 64,    /* default, streams included */
    HTTP_IDLE_S = 10,         /* a connection that does nothing for so long is closed */
    HTTP_REQUEST_MS = 60000,  /* a request's body must be here by then */
    HTTP_RESPONSE = 64 << 20, /* bytes of one response body */
    HTTP_KEY_NAME = 64,
    HTTP_KEY_BYTES = 128, /* of a key as sent */
    HTTP_KEYS = 256,
    HTTP_EVENTS_POLL_MS = 250,   /* how long one pull may wait */
    HTTP_EVENTS_BEAT_MS = 10000, /* a quiet stream sends a comment */
    HTTP_EVENT_ID = 128
};

/* Who may: a set of bits; a route names the roles of which one is needed, 0: anybody, without a key. */
enum http_role { HTTP_READ = 1, HTTP_SUBMIT = 2, HTTP_AUDIT = 4, HTTP_OPERATE = 8 };

struct http_key {
    char name[HTTP_KEY_NAME + 1]; /* whose it is; for logs and `by` */
    struct digest hash;           /* http_key_hash of the key: the key itself is not kept */
    unsigned roles;
};
struct digest http_key_hash(struct slice key);

struct http_request {
    const char *method, *path;
    struct slice segment[HTTP_SEGMENTS]; /* what the pattern's <…> matched, percent-decoded, in order */
    size_t segments;
    struct slice body; /* whole; decoded from chunks */
    const char *who;   /* name of the key, or "" */
    unsigned roles;
    const char *last_event_id; /* header Last-Event-ID or query last_event_id, or "" */
    void *impl;
};
/* First value of ?name=, percent-decoded; NULL if absent, "" if empty. Valid during the handler. */
const char *http_query(const struct http_request *r, const char *name);
const char *http_header(const struct http_request *r, const char *name);

/* A stream of server-sent events. pull appends whole events by http_event and may wait up to HTTP_EVENTS_POLL_MS for
 * the first; false ends the stream. close is called once, whatever ends it. */
struct http_events {
    bool (*pull)(void *ctx, struct buf *out);
    void (*close)(void *ctx); /* may be NULL */
    void *ctx;
};
/* Appends one event; data may have several lines; id (resumes after it) and event may be NULL. */
void http_event(struct buf *out, const char *id, const char *event, struct slice data);

struct http_response {
    unsigned status;           /* 200 */
    const char *content_type;  /* constant text; "application/json" */
    const char *cache_control; /* constant text or NULL: "no-store" */
    struct buf body;
    struct http_events events; /* with pull: a stream instead of body */
};
/* Makes it {"code","error","what_to_do"}. what_to_do may be NULL: a general advice for the code. */
void http_fail(struct http_response *r, unsigned status, enum err_code code, const char *text, const char *what_to_do);
/* ... with the status that belongs to the code: 400, 401.. 404, 409, 413, 422, 429, 500, 503. */
void http_fail_err(struct http_response *r, const struct err *e, const char *what_to_do);
unsigned http_status_of(enum err_code code);
struct http_route {
    const char *method;  /* "GET" (answers HEAD too), "POST", ... */
    const char *pattern; /* "/v1/channels/<ch>/records"; a last "<*>" matches all that is left, slashes included */
    unsigned roles;
    size_t body_max; /* 0: the server's */
    void (*handle)(void *ctx, const struct http_request *request, struct http_response *response);
};

struct http_config {
    const char *listen;                     /* "127.0.0.1:0", "[::1]:8080", "localhost:8080": numeric, port 0 any */
    const char *tls_cert_pem, *tls_key_pem; /* both or none; an address that is not loopback needs them */
    const struct http_route *routes;        /* borrowed until http_stop; the first match wins */
    size_t route_count;
    const struct http_key *keys; /* copied */
    size_t key_count;
    void *ctx; /* of the handlers */
    size_t body_max;
    unsigned connections, idle_s, request_ms; /* 0: the defaults */
    /* GET /healthz: true is 200, false 503; text from the callback. GET /metrics: Prometheus text. NULL: 404. */
    bool (*health)(void *ctx, struct buf *out);
    void (*metrics)(void *ctx, struct buf *out);
    unsigned metrics_roles; /* 0: open to whoever reaches the address */
};

struct http;
/* CONFIG: a bad address, one that is not loopback without TLS, in use, bad certificate. */
enum err_code http_start(const struct http_config *config, struct http **out, struct err *e) ERR_CHECKED;
uint16_t http_port(const struct http *h);
/* Replaces the keys. TOO_LARGE over HTTP_KEYS. */
enum err_code http_set_keys(struct http *h, const struct http_key *keys, size_t count, struct err *e) ERR_CHECKED;
/* Ends streams, waits for handlers; frees. */
void http_stop(struct http *h);

#endif
