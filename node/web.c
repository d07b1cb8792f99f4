/* node/web.c -- see web.h: start and stop, keys, and the routes that are queries. */
#include "node/web_inner.h"

#include "ledger/query.h"
#include "node/api.h"
#include "node/ingest/ingest.h"
#include "node/log.h"
#include "node/words.h"
#include "wire/json.h"
#include "wire/mem.h"
#include "wire/pack.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { WEB_PEM = 1 << 20, WEB_PARAMS = 64 << 10, WEB_ARENA = 64 << 20 };

/* ---- what every route needs ---- */

/* May this key see this channel? One of its rows must say so. */
static bool web_allowed(const struct web *w, const char *who, struct slice channel) {
    const struct config_http *h = &w->node->config.body.http;
    const struct config_http_key *k = h->keys.items;
    uint32_t i;
    for (i = 0; i < h->keys.count; i++)
        if (slice_eq_str(k[i].name, who) && (k[i].channel.len == 0 || slice_eq(k[i].channel, channel)))
            return true;
    return false;
}

struct node_channel *web_channel(struct web *w, const struct http_request *q, struct http_response *r) {
    struct node_channel *c = node_channel(w->node, q->segment[0]);
    if (!web_allowed(w, q->who, q->segment[0])) {
        http_fail(r, 403, ERR_NOT_ALLOWED, "this key is not for this channel", "use a key of the channel");
        return NULL;
    }
    if (!c)
        http_fail(r, 404, ERR_NOT_FOUND, "this node is not a member of such a channel", "GET /v1/status lists them");
    return c;
}

void web_call(struct web *w, const struct http_request *q, const char *method, struct slice params,
              struct http_response *r) {
    const struct api_method *m = api_find(slice_str(method));
    struct api_call call = {.node = w->node, .params = params, .by = slice_str(q->who)};
    struct err e = {0};
    enum err_code rc;
    arena_init(&call.arena, WEB_ARENA);
    buf_init(&call.out, RPC_BODY);
    rc = m->run(&call, &e);
    if (rc == ERR_OK)
        rc = buf_check(&call.out, &e);
    if (rc == ERR_OK)
        rc = json_from_pack(buf_slice(&call.out), &r->body, &e);
    if (rc == ERR_OK)
        buf_u8(&r->body, '\n');
    else {
        e.code = rc;
        http_fail_err(r, &e, NULL);
    }
    buf_release(&call.out);
    arena_release(&call.arena);
}

static void web_status(void *web, const struct http_request *q, struct http_response *r) {
    web_call(web, q, "status", slice_none(), r);
}

/* ---- a query in an address ---- */

static enum err_code web_number(const struct http_request *q, const char *name, uint64_t *out, struct err *e) {
    const char *text = http_query(q, name);
    char *end;
    if (!text)
        return ERR_OK;
    *out = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && !*end ? ERR_OK
                                                     : err_set(e, ERR_USAGE, "%s: \"%.80s\" is no number", name, text);
}

static struct slice web_text(const struct http_request *q, const char *name) {
    return slice_str(http_query(q, name));
}

static enum err_code web_kinds(const struct http_request *q, uint64_t *kinds, struct err *e) {
    struct slice rest = web_text(q, "kind"); /* "finding,verdict" */
    while (rest.len) {
        const uint8_t *comma = memchr(rest.ptr, ',', rest.len);
        struct slice one = slice_of(rest.ptr, comma ? (size_t)(comma - rest.ptr) : rest.len);
        enum entry_kind k = entry_kind_from(one);
        if (k == ENTRY_NONE)
            return err_set(e, ERR_USAGE, "kind: \"%.*s\" is none", (int)(one.len < 64 ? one.len : 64),
                           (const char *)one.ptr);
        *kinds |= (uint64_t)1 << k;
        rest = slice_from(rest, one.len + (comma != NULL));
    }
    return ERR_OK;
}

static enum err_code web_query(const struct http_request *q, struct query *out, struct err *e) {
    static const char *const time_names[] = {"from", "to"};
    int64_t *times[] = {&out->from, &out->to};
    const char *order = http_query(q, "order");
    enum err_code rc;
    size_t i;
    memset(out, 0, sizeof *out);
    for (i = 0; i < 2; i++)
        if (http_query(q, time_names[i]) &&
            (rc = words_time(time_names[i], http_query(q, time_names[i]), times[i], e)) != ERR_OK)
            return rc;
    out->subject_name = web_text(q, "subject");
    out->subject_type = web_text(q, "subject_type");
    out->object_name = web_text(q, "object");
    out->object_type = web_text(q, "object_type");
    out->op = web_text(q, "op");
    out->class_id = web_text(q, "class");
    out->server = web_text(q, "server");
    out->service = web_text(q, "service");
    out->org_unit = web_text(q, "unit");
    out->source_id = web_text(q, "source");
    out->cursor = web_text(q, "cursor");
    if (http_query(q, "raw_hash") &&
        (rc = words_hex("raw_hash", http_query(q, "raw_hash"), out->raw_hash, sizeof out->raw_hash, e)) != ERR_OK)
        return rc;
    if (http_query(q, "uid") && (rc = words_hex("uid", http_query(q, "uid"), out->uid, sizeof out->uid, e)) != ERR_OK)
        return rc;
    if ((rc = web_kinds(q, &out->kinds, e)) != ERR_OK || (rc = web_number(q, "limit", &out->limit, e)) != ERR_OK ||
        (rc = web_number(q, "source_seq", &out->source_seq, e)) != ERR_OK)
        return rc;
    if (order && strcmp(order, "oldest") != 0 && strcmp(order, "newest") != 0)
        return err_set(e, ERR_USAGE, "order: newest or oldest");
    out->oldest = order && strcmp(order, "oldest") == 0;
    return query_check(out, e);
}

static bool web_flag(const struct http_request *q, const char *name) {
    const char *v = http_query(q, name);
    return v && strcmp(v, "0") != 0 && strcmp(v, "false") != 0;
}

static void web_records(void *web, const struct http_request *q, struct http_response *r) {
    struct node_channel *c = web_channel(web, q, r);
    struct query query;
    struct buf params, inner;
    struct err e = {0};
    bool count = web_flag(q, "count"), proof = web_flag(q, "proof");
    if (!c)
        return;
    if (web_query(q, &query, &e) != ERR_OK) {
        http_fail_err(r, &e, "see docs/PROTOCOL.md (HTTP) for the parameters");
        return;
    }
    buf_init(&params, WEB_PARAMS);
    buf_init(&inner, WEB_PARAMS);
    query_write(&query, &inner);
    pack_map(&params, 1u + count + proof + (inner.len > 1));
    pack_cstr(&params, "channel"), pack_cstr(&params, channel_name(c->channel));
    if (count)
        pack_cstr(&params, "count"), pack_bool(&params, true);
    if (proof)
        pack_cstr(&params, "proof"), pack_bool(&params, true);
    if (inner.len > 1)
        pack_cstr(&params, "query"), buf_append(&params, buf_slice(&inner));
    web_call(web, q, "query", buf_slice(&params), r);
    buf_release(&params);
    buf_release(&inner);
}

static void web_entry(void *web, const struct http_request *q, struct http_response *r) {
    struct node_channel *c = web_channel(web, q, r);
    bool proof = web_flag(q, "proof");
    struct buf params;
    char text[24], *end;
    uint64_t number;
    if (!c)
        return;
    snprintf(text, sizeof text, "%.*s", SLICE_ARG(q->segment[1]));
    number = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || q->segment[1].len > 20) {
        http_fail(r, 400, ERR_USAGE, "an entry is named by its number", NULL);
        return;
    }
    buf_init(&params, 256);
    pack_map(&params, 1u + (number > 0) + proof);
    pack_cstr(&params, "channel"), pack_cstr(&params, channel_name(c->channel));
    if (number)
        pack_cstr(&params, "number"), pack_u64(&params, number);
    if (proof)
        pack_cstr(&params, "proof"), pack_bool(&params, true);
    web_call(web, q, "show", buf_slice(&params), r);
    buf_release(&params);
}

/* ---- logs in ---- */

static void web_logs_answer(const struct ingest_posted *done, struct http_response *r) {
    r->status = 202; /* durable here; final a little later: the outbox sees to that */
    buf_printf(&r->body, "{\"dead\":%llu,\"first_seq\":%llu,\"last_seq\":%llu,\"logs\":%llu,\"repeated\":%s}\n",
               (unsigned long long)done->dead, (unsigned long long)done->first_seq, (unsigned long long)done->last_seq,
               (unsigned long long)done->logs, done->repeated ? "true" : "false");
}

static void web_logs(void *web, const struct http_request *q, struct http_response *r) {
    struct web *w = web;
    struct node_channel *c = web_channel(w, q, r);
    struct ingest_post post = {.source = web_text(q, "source"),
                               .server = web_text(q, "server"),
                               .service = web_text(q, "service"),
                               .body = q->body,
                               .key = slice_str(http_header(q, "Idempotency-Key"))};
    struct ingest_posted done = {0};
    struct err e = {0};
    if (!c)
        return;
    post.channel = slice_str(channel_name(c->channel));
    if (!w->node->ingest)
        http_fail(r, 403, ERR_NOT_ALLOWED, "only an enterprise's node takes logs", NULL);
    else if (post.source.len == 0)
        http_fail(r, 400, ERR_USAGE, "say from which source: ?source=NAME", NULL);
    else if (ingest_post(w->node, &post, &done, &e) == ERR_OK)
        web_logs_answer(&done, r);
    else
        http_fail_err(
            r, &e,
            e.code == ERR_FULL ? "the outbox is full: send the same again later, with the same Idempotency-Key" : NULL);
}

/* ---- start and stop ---- */

static const struct http_route web_routes[] = {
    {"GET", "/v1/status", HTTP_OPERATE, 0, web_status},
    {"GET", "/v1/channels/<ch>/checkpoint", HTTP_READ, 0, web_checkpoint},
    {"GET", "/v1/channels/<ch>/tile/<*>", HTTP_READ, 0, web_tile},
    {"GET", "/v1/channels/<ch>/records", HTTP_READ, 0, web_records},
    {"GET", "/v1/channels/<ch>/entries/<n>", HTTP_READ, 0, web_entry},
    {"GET", "/v1/channels/<ch>/events", HTTP_READ, 0, web_events},
    {"POST", "/v1/channels/<ch>/logs", HTTP_SUBMIT, 0, web_logs},
};

static unsigned web_roles(uint32_t role) {
    switch (role) {
    case CONFIG_READER:
        return HTTP_READ;
    case CONFIG_SUBMITTER:
        return HTTP_READ | HTTP_SUBMIT;
    case CONFIG_OPERATOR:
        return HTTP_READ | HTTP_SUBMIT | HTTP_AUDIT | HTTP_OPERATE;
    default:
        return 0;
    }
}

static enum err_code web_pem(const struct node *n, struct slice name, struct buf *out, struct err *e) {
    char path[4096];
    ssize_t got;
    int fd;
    snprintf(path, sizeof path, "%s%s%.*s", name.len && name.ptr[0] == '/' ? "" : n->config.home,
             name.len && name.ptr[0] == '/' ? "" : "/", SLICE_ARG(name));
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(e, "http.tls: %s", path);
    do {
        uint8_t *p = buf_extend(out, 4096);
        got = p ? read(fd, p, 4096) : -1;
        if (p)
            out->len -= got > 0 ? 4096 - (size_t)got : 4096;
    } while (got > 0);
    close(fd);
    buf_u8(out, 0);
    return got < 0 ? err_errno(e, "http.tls: %s", path) : buf_check(out, e);
}

static enum err_code web_listen(struct web *w, struct http_config *hc, struct err *e) {
    const struct config_http *h = &w->node->config.body.http;
    const struct config_http_key *k = h->keys.items;
    struct http_key *keys = mem_zalloc(h->keys.count + 1, sizeof *keys);
    struct buf cert, key;
    uint32_t i;
    enum err_code rc = keys ? ERR_OK : err_set(e, ERR_NO_MEMORY, "no memory for the keys");
    buf_init(&cert, WEB_PEM);
    buf_init(&key, WEB_PEM);
    for (i = 0; keys && i < h->keys.count; i++) {
        snprintf(keys[i].name, sizeof keys[i].name, "%.*s", SLICE_ARG(k[i].name));
        memcpy(keys[i].hash.b, k[i].hash, DIGEST_SIZE);
        keys[i].roles = web_roles(k[i].role);
    }
    hc->keys = keys;
    hc->key_count = h->keys.count;
    if (rc == ERR_OK && h->tls && (rc = web_pem(w->node, h->tls->cert, &cert, e)) == ERR_OK &&
        (rc = web_pem(w->node, h->tls->key, &key, e)) == ERR_OK) {
        hc->tls_cert_pem = (const char *)cert.ptr;
        hc->tls_key_pem = (const char *)key.ptr;
    }
    if (rc == ERR_OK)
        rc = http_start(hc, &w->http, e);
    mem_free(keys);
    buf_release(&cert);
    if (key.ptr)
        explicit_bzero(key.ptr, key.len);
    buf_release(&key);
    return rc;
}

enum err_code web_start(struct node *n, struct web **out, struct err *e) {
    const struct config_http *h = &n->config.body.http;
    char listen[LINK_ADDRESS];
    struct http_config hc = {.listen = listen,
                             .routes = web_routes,
                             .route_count = sizeof web_routes / sizeof web_routes[0],
                             .body_max = h->body_max,
                             .connections = (unsigned)h->connections_max,
                             .health = web_health,
                             .metrics = web_metrics,
                             .metrics_roles = HTTP_OPERATE};
    struct web *w;
    enum err_code rc;
    *out = NULL;
    if (h->listen.len == 0)
        return ERR_OK;
    w = mem_zalloc(1, sizeof *w);
    if (!w)
        return err_set(e, ERR_NO_MEMORY, "no memory for HTTP");
    w->node = n;
    hc.ctx = w;
    snprintf(listen, sizeof listen, "%.*s", SLICE_ARG(h->listen));
    if ((rc = web_listen(w, &hc, e)) != ERR_OK) {
        mem_free(w);
        return err_wrap(e, "node.yaml: http");
    }
    log_line(LOG_INFO, "http", "on %s, port %u", listen, http_port(w->http));
    *out = w;
    return ERR_OK;
}

uint16_t web_port(const struct web *w) {
    return http_port(w->http);
}

void web_stop(struct web *w) {
    if (!w)
        return;
    http_stop(w->http);
    mem_free(w);
}
