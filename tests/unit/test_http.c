/* tests/unit/test_http.c -- the HTTP server with HTTP written by hand: bodies whole, chunked, half-sent, too large;
 * keys, methods, slow clients, event streams. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/http/http.h"
#include "tests/support/links.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct world {
    struct http *http;
    atomic_uint posts, closes;
    atomic_size_t bytes;
    char reply[1 << 16];
};

static void on_post(void *ctx, const struct http_request *q, struct http_response *r) {
    struct world *w = ctx;
    const char *x = http_query(q, "x");
    w->posts++;
    w->bytes += q->body.len;
    buf_printf(&r->body, "ch=%.*s who=%s x=%s len=%zu", SLICE_ARG(q->segment[0]), q->who, x ? x : "-", q->body.len);
}

static void on_tile(void *ctx, const struct http_request *q, struct http_response *r) {
    (void)ctx;
    buf_printf(&r->body, "%zu:%.*s", q->segments, SLICE_ARG(q->segment[q->segments - 1]));
}

static void on_error(void *ctx, const struct http_request *q, struct http_response *r) {
    struct err e;
    (void)ctx, (void)q;
    err_set(&e, ERR_FULL, "满了 \"quoted\"\n");
    http_fail_err(r, &e, NULL);
}

struct feed {
    struct world *w;
    unsigned next;
};

static bool feed_pull(void *ctx, struct buf *out) {
    struct feed *f = ctx;
    char id[16];
    if (f->next > 5) {
        usleep(50000);
        return true;
    }
    snprintf(id, sizeof id, "%u", f->next++);
    http_event(out, id, "record", slice_str("line one\nline two"));
    return true;
}

static void feed_close(void *ctx) {
    struct feed *f = ctx;
    f->w->closes++;
    free(f);
}

static void on_events(void *ctx, const struct http_request *q, struct http_response *r) {
    struct feed *f = calloc(1, sizeof *f);
    f->w = ctx;
    f->next = (unsigned)atoi(q->last_event_id) + 1;
    r->events = (struct http_events){feed_pull, feed_close, f};
}

static bool health(void *ctx, struct buf *out) {
    (void)ctx;
    buf_str(out, "ok\n");
    return true;
}

static void metrics(void *ctx, struct buf *out) {
    (void)ctx;
    buf_str(out, "assay_up 1\n");
}

static const struct http_route routes[] = {
    {"POST", "/v1/channels/<ch>/logs", HTTP_SUBMIT, 0, on_post},
    {"GET", "/v1/channels/<ch>/tile/<*>", HTTP_READ, 0, on_tile},
    {"GET", "/v1/channels/<ch>/events", HTTP_READ, 0, on_events},
    {"GET", "/error", 0, 0, on_error},
};

static int set_up(void **state) {
    struct world *w = calloc(1, sizeof *w);
    struct http_key keys[2] = {{.name = "shipper", .roles = HTTP_SUBMIT}, {.name = "reader", .roles = HTTP_READ}};
    struct http_config c = {.listen = "127.0.0.1:0",
                            .routes = routes,
                            .route_count = 4,
                            .keys = keys,
                            .key_count = 2,
                            .ctx = w,
                            .body_max = 100000,
                            .idle_s = 1,
                            .request_ms = 2000,
                            .health = health,
                            .metrics = metrics,
                            .metrics_roles = HTTP_READ | HTTP_OPERATE};
    struct err e;
    keys[0].hash = http_key_hash(slice_str("s3cret"));
    keys[1].hash = http_key_hash(slice_str("r3ader"));
    if (http_start(&c, &w->http, &e)) {
        fprintf(stderr, "%s\n", e.text);
        return 1;
    }
    *state = w;
    return 0;
}

static int tear_down(void **state) {
    struct world *w = *state;
    http_stop(w->http);
    free(w);
    return 0;
}

static int open_to(struct world *w) {
    int fd = links_connect(http_port(w->http));
    assert_true(fd >= 0);
    return fd;
}

static void put(int fd, const char *text) {
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Reads until the text is there, the end, or the time-out; true if it came. */
static bool get(struct world *w, int fd, const char *until) {
    size_t len = 0;
    w->reply[0] = '\0';
    while (len + 1 < sizeof w->reply) {
        ssize_t n = recv(fd, w->reply + len, sizeof w->reply - 1 - len, 0);
        if (n <= 0)
            break;
        len += (size_t)n;
        w->reply[len] = '\0';
        if (until && strstr(w->reply, until))
            return true;
    }
    return until && strstr(w->reply, until);
}

/* One request on a connection of its own; its status. */
static int ask(struct world *w, const char *text) {
    int fd = open_to(w), status = 0;
    put(fd, text);
    get(w, fd, NULL);
    close(fd);
    if (sscanf(w->reply, "HTTP/1.1 %d", &status) != 1)
        return -1;
    return status;
}

#define HOST    "Host: x\r\nConnection: close\r\n"
#define SHIPPER "Authorization: Bearer s3cret\r\n"
#define READER  "Authorization: Bearer r3ader\r\n"
#define LOGS    "POST /v1/channels/acme/logs?x=a%20b HTTP/1.1\r\n"

static void test_whole_body_reaches_the_handler(void **state) {
    struct world *w = *state;
    assert_int_equal(ask(w, LOGS HOST SHIPPER "Content-Length: 5\r\n\r\nhello"), 200);
    assert_non_null(strstr(w->reply, "ch=acme who=shipper x=a b len=5"));
}

static void test_chunked_body_reaches_the_handler(void **state) {
    struct world *w = *state;
    int fd = open_to(w);
    put(fd, LOGS HOST SHIPPER "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    usleep(100000);
    put(fd, "A\r\n0123456789\r\n");
    usleep(100000);
    put(fd, "0\r\n\r\n");
    assert_true(get(w, fd, "len=13"));
    close(fd);
    assert_int_equal(w->posts, 1);
}

static void test_half_sent_body_has_no_effect(void **state) {
    struct world *w = *state;
    int fd = open_to(w), other = open_to(w);
    put(fd, LOGS HOST SHIPPER "Content-Length: 50\r\n\r\nhalf");
    put(other, LOGS HOST SHIPPER "Transfer-Encoding: chunked\r\n\r\n9\r\nhal");
    get(w, fd, NULL); /* until the server gives up */
    close(fd);
    get(w, other, NULL);
    close(other);
    assert_int_equal(w->posts, 0);
    assert_int_equal(ask(w, LOGS HOST SHIPPER "Content-Length: 0\r\n\r\n"), 200);
    assert_int_equal(w->posts, 1);
}

static void test_oversized_bodies_are_413(void **state) {
    struct world *w = *state;
    static char chunk[1001];
    int fd, i;
    assert_int_equal(ask(w, LOGS HOST SHIPPER "Content-Length: 100001\r\n\r\n"), 413);
    assert_non_null(strstr(w->reply, "\"code\":\"TOO_LARGE\""));
    memset(chunk, 'a', 1000);
    fd = open_to(w);
    put(fd, LOGS HOST SHIPPER "Transfer-Encoding: chunked\r\n\r\n");
    for (i = 0; i < 150; i++) {
        put(fd, "3e8\r\n");
        put(fd, chunk);
        put(fd, "\r\n");
    }
    put(fd, "0\r\n\r\n");
    assert_true(get(w, fd, "413"));
    close(fd);
    assert_int_equal(ask(w, LOGS HOST SHIPPER "Content-Length: 99999999999999999999\r\n\r\n") / 100, 4);
    assert_int_equal(w->posts, 0);
}

static void test_endless_chunks_are_cut(void **state) {
    struct world *w = *state;
    static char chunk[4097];
    int fd = open_to(w), i;
    ssize_t n = 1;
    memset(chunk, 'a', 4096);
    put(fd, LOGS HOST SHIPPER "Transfer-Encoding: chunked\r\n\r\n");
    for (i = 0; i < 20000 && n > 0; i++) {
        n = send(fd, "1000\r\n", 6, MSG_NOSIGNAL);
        if (n > 0)
            n = send(fd, chunk, 4096, MSG_NOSIGNAL);
        if (n > 0)
            n = send(fd, "\r\n", 2, MSG_NOSIGNAL);
    }
    assert_true(i < 20000);
    close(fd);
    assert_int_equal(w->posts, 0);
}

static void test_keys_and_roles_are_enforced(void **state) {
    struct world *w = *state;
    assert_int_equal(ask(w, LOGS HOST "Content-Length: 1\r\n\r\nx"), 401);
    assert_non_null(strstr(w->reply, "WWW-Authenticate: Bearer"));
    assert_non_null(strstr(w->reply, "what_to_do"));
    assert_int_equal(ask(w, LOGS HOST "Authorization: Bearer wrong\r\nContent-Length: 1\r\n\r\nx"), 401);
    assert_int_equal(ask(w, LOGS HOST "Authorization: Basic czNjcmV0\r\nContent-Length: 1\r\n\r\nx"), 401);
    assert_int_equal(ask(w, LOGS HOST READER "Content-Length: 1\r\n\r\nx"), 403);
    assert_int_equal(ask(w, "GET /v1/channels/acme/tile/0/x001/234 HTTP/1.1\r\n" HOST READER "\r\n"), 200);
    assert_non_null(strstr(w->reply, "2:0/x001/234"));
    assert_int_equal(ask(w, "GET /metrics HTTP/1.1\r\n" HOST "\r\n"), 401);
    assert_int_equal(ask(w, "GET /metrics HTTP/1.1\r\n" HOST READER "\r\n"), 200);
    assert_non_null(strstr(w->reply, "assay_up 1"));
    assert_int_equal(w->posts, 0);
}

static void test_wrong_method_and_path_say_so(void **state) {
    struct world *w = *state;
    assert_int_equal(ask(w, "GET /v1/channels/acme/logs HTTP/1.1\r\n" HOST SHIPPER "\r\n"), 405);
    assert_non_null(strstr(w->reply, "Allow: POST"));
    assert_int_equal(ask(w, "DELETE /healthz HTTP/1.1\r\n" HOST "\r\n"), 405);
    assert_int_equal(ask(w, "GET /nothing HTTP/1.1\r\n" HOST "\r\n"), 404);
    assert_int_equal(ask(w, "GET /v1/channels//events HTTP/1.1\r\n" HOST READER "\r\n"), 404);
    assert_int_equal(ask(w, "GET /v1/channels/acme/events/x HTTP/1.1\r\n" HOST READER "\r\n"), 404);
    assert_int_equal(ask(w, "GET /healthz HTTP/1.1\r\n" HOST "\r\n"), 200);
    assert_int_equal(ask(w, "HEAD /healthz HTTP/1.1\r\n" HOST "\r\n"), 200);
    assert_int_equal(ask(w, "GET /error HTTP/1.1\r\n" HOST "\r\n"), 429);
    assert_non_null(strstr(w->reply, "\"error\":\"满了 \\\"quoted\\\"\\n\""));
}

static void test_slow_and_garbage_clients_are_dropped(void **state) {
    struct world *w = *state;
    int slow = open_to(w), junk = open_to(w), drip = open_to(w), i;
    char big[60000];
    put(slow, "GET /healthz HT");
    put(junk, "\x16\x03\x01\x02\r\n\r\n");
    put(drip, LOGS HOST SHIPPER "Content-Length: 1000\r\n\r\n");
    for (i = 0; i < 20; i++) { /* never idle, never done */
        if (send(drip, "x", 1, MSG_NOSIGNAL) != 1)
            break;
        usleep(200000);
    }
    assert_true(i < 20);
    get(w, slow, NULL);
    get(w, junk, NULL);
    close(slow);
    close(junk);
    close(drip);
    memset(big, 'h', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    memcpy(big, "GET /healthz HTTP/1.1\r\nX: ", 26);
    i = ask(w, big);
    assert_true(i == -1 || i / 100 == 4);
    assert_int_equal(w->posts, 0);
    assert_int_equal(ask(w, "GET /healthz HTTP/1.1\r\n" HOST "\r\n"), 200);
}

static void test_events_stream_and_resume(void **state) {
    struct world *w = *state;
    int fd = open_to(w);
    put(fd, "GET /v1/channels/acme/events HTTP/1.1\r\nHost: x\r\n" READER "\r\n");
    assert_true(get(w, fd, "id: 5\nevent: record\ndata: line one\ndata: line two\n\n"));
    assert_non_null(strstr(w->reply, "text/event-stream"));
    assert_non_null(strstr(w->reply, "id: 1\n"));
    close(fd);
    fd = open_to(w);
    put(fd, "GET /v1/channels/acme/events HTTP/1.1\r\nHost: x\r\nLast-Event-ID: 3\r\n" READER "\r\n");
    assert_true(get(w, fd, "id: 5\n"));
    assert_null(strstr(w->reply, "id: 3\n"));
    assert_non_null(strstr(w->reply, "id: 4\n"));
    close(fd);
}

static void test_addresses_that_are_not_loopback_need_tls(void **state) {
    static const char *const bad[] = {"0.0.0.0:0", "[::]:0",      "192.0.2.1:80",    "example:80",
                                      "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", ""};
    struct http_config c = {.routes = routes, .route_count = 4};
    struct http *h;
    struct err e;
    size_t i;
    (void)state;
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        c.listen = bad[i];
        assert_int_equal(http_start(&c, &h, &e), ERR_CONFIG);
        assert_null(h);
    }
    c.listen = "localhost:0";
    assert_int_equal(http_start(&c, &h, &e), ERR_OK);
    http_stop(h);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void) {
    const struct CMUnitTest tests[] = {
        T(test_whole_body_reaches_the_handler), T(test_chunked_body_reaches_the_handler),
        T(test_half_sent_body_has_no_effect),   T(test_oversized_bodies_are_413),
        T(test_endless_chunks_are_cut),         T(test_keys_and_roles_are_enforced),
        T(test_wrong_method_and_path_say_so),   T(test_slow_and_garbage_clients_are_dropped),
        T(test_events_stream_and_resume),       cmocka_unit_test(test_addresses_that_are_not_loopback_need_tls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
