/* tests/unit/test_rpc.c -- commands to a node: answers, streams, errors, clients that vanish or send nonsense. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/links.h"
#include "wire/pack.h"
#include "wire/peers.h"
#include "wire/rpc_impl.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct world {
    struct links_ca ca;
    struct links_node node;
    struct peers *peers;
    struct rpc_server *server;
    char address[32];
    pthread_mutex_t mtx;
    unsigned requests, gone;
    uint64_t conn, id;
    pthread_t streamer;
    bool streams;
    enum err_code stream_end;
    unsigned stream_full;
};

/* Sends numbers until the client goes, or 5,000 big ones: from a thread of its own, as `watch` does. */
static void *stream(void *arg) {
    struct world *w = arg;
    static uint8_t bytes[20000];
    struct err e;
    unsigned i;
    enum err_code rc = ERR_OK;
    struct buf b;
    buf_init(&b, 1 << 16);
    pack_bin(&b, slice_of(bytes, sizeof bytes));
    for (i = 0; i < 5000 && (!rc || rc == ERR_FULL); i += !rc) {
        rc = rpc_respond(w->server, w->conn, w->id, ERR_OK, NULL, buf_slice(&b), i + 1 < 5000, &e);
        if (rc == ERR_FULL) {
            w->stream_full++;
            usleep(1000);
        }
    }
    buf_release(&b);
    w->stream_end = rc;
    return NULL;
}

static void on_request(void *ctx, uint64_t conn, uint64_t id, const char *method, struct slice body) {
    struct world *w = ctx;
    struct err e;
    pthread_mutex_lock(&w->mtx);
    w->requests++;
    w->conn = conn;
    w->id = id;
    pthread_mutex_unlock(&w->mtx);
    if (strcmp(method, "echo") == 0) {
        if (rpc_respond(w->server, conn, id, ERR_OK, NULL, body, false, &e))
            abort();
    } else if (strcmp(method, "three") == 0) {
        int i;
        for (i = 0; i < 3; i++)
            if (rpc_respond(w->server, conn, id, ERR_OK, NULL, body, i < 2, &e))
                abort();
    } else if (strcmp(method, "fail") == 0) {
        if (rpc_respond(w->server, conn, id, ERR_NOT_FOUND, "没有这样的记录", slice_none(), false, &e))
            abort();
    } else if (strcmp(method, "stream") == 0) {
        w->streams = true;
        pthread_create(&w->streamer, NULL, stream, w);
    } /* "silence" gets no answer */
}

static void on_gone(void *ctx, uint64_t conn) {
    struct world *w = ctx;
    (void)conn;
    pthread_mutex_lock(&w->mtx);
    w->gone++;
    pthread_mutex_unlock(&w->mtx);
}

static void on_message(void *ctx, const char *peer, struct slice bytes) {
    (void)ctx, (void)peer, (void)bytes;
}

static int set_up(void **state) {
    struct world *w = calloc(1, sizeof *w);
    struct rpc_server_config rc = {w, on_request, on_gone};
    struct peers_config pc = {.listen = "127.0.0.1:0", .on_message = on_message, .on_client = rpc_server_accept};
    struct err e;
    pthread_mutex_init(&w->mtx, NULL);
    links_ca_make(&w->ca, "acme");
    links_node_make(&w->node, "acme-1", "acme-1", &w->ca, 1);
    pc.self = &w->node.self;
    pc.ca_pems = w->ca.pem;
    if (rpc_server_new(&rc, &w->server, &e))
        return 1;
    pc.client_ctx = w->server;
    if (peers_start(&pc, &w->peers, &e))
        return 1;
    links_address(w->address, peers_port(w->peers));
    *state = w;
    return 0;
}

static int tear_down(void **state) {
    struct world *w = *state;
    if (w->peers)
        peers_stop(w->peers);
    if (w->streams)
        pthread_join(w->streamer, NULL);
    if (w->server)
        rpc_server_free(w->server);
    links_node_free(&w->node);
    links_ca_free(&w->ca);
    free(w);
    return 0;
}

static struct rpc_client *connect_to(struct world *w) {
    struct rpc_client *c;
    struct err e;
    if (rpc_connect(&w->node.self, w->address, w->ca.pem, 3000, &c, &e))
        fail_msg("%s", e.text);
    return c;
}

static void wait_gone(struct world *w, unsigned count) {
    unsigned ms, n = 0;
    for (ms = 0; ms < 8000 && n < count; ms += 2) {
        pthread_mutex_lock(&w->mtx);
        n = w->gone;
        pthread_mutex_unlock(&w->mtx);
        usleep(2000);
    }
    assert_true(n >= count);
}

struct taken {
    unsigned count;
    size_t bytes;
    unsigned stop_at, pause_us;
    struct slice expect;
};

static bool take(void *ctx, struct slice body) {
    struct taken *t = ctx;
    t->count++;
    t->bytes += body.len;
    if (t->expect.len)
        assert_true(slice_eq(body, t->expect));
    if (t->pause_us)
        usleep(t->pause_us);
    return t->stop_at == 0 || t->count < t->stop_at;
}

static void test_call_gets_its_answer(void **state) {
    struct world *w = *state;
    struct rpc_client *c = connect_to(w);
    struct taken t = {0};
    struct buf b;
    struct err e;
    buf_init(&b, 256);
    pack_map(&b, 1);
    pack_cstr(&b, "名");
    pack_u64(&b, 300);
    t.expect = buf_slice(&b);
    assert_int_equal(rpc_call(c, "echo", buf_slice(&b), take, &t, 3000, &e), ERR_OK);
    assert_int_equal(t.count, 1);
    assert_int_equal(rpc_call(c, "three", buf_slice(&b), take, &t, 3000, &e), ERR_OK);
    assert_int_equal(t.count, 4);
    assert_int_equal(rpc_call(c, "echo", slice_none(), take, &t, 3000, &e), ERR_OK);
    assert_int_equal(t.count, 4);
    buf_release(&b);
    rpc_close(c);
    wait_gone(w, 1);
}

static void test_error_brings_code_and_text(void **state) {
    struct world *w = *state;
    struct rpc_client *c = connect_to(w);
    struct err e;
    assert_int_equal(rpc_call(c, "fail", slice_none(), NULL, NULL, 3000, &e), ERR_NOT_FOUND);
    assert_string_equal(e.text, "没有这样的记录");
    assert_int_equal(rpc_call(c, "echo", slice_none(), NULL, NULL, 3000, &e), ERR_OK); /* the connection lives on */
    rpc_close(c);
}

static void test_silence_times_out(void **state) {
    struct world *w = *state;
    struct rpc_client *c = connect_to(w);
    struct err e;
    assert_int_equal(rpc_call(c, "silence", slice_none(), NULL, NULL, 200, &e), ERR_TIMEOUT);
    rpc_close(c);
}

static void test_long_stream_to_a_slow_client_is_whole(void **state) {
    struct world *w = *state;
    struct rpc_client *c = connect_to(w);
    struct taken t = {.pause_us = 100};
    struct err e;
    assert_int_equal(rpc_call(c, "stream", slice_none(), take, &t, 5000, &e), ERR_OK);
    assert_int_equal(t.count, 5000);
    assert_true(t.bytes > 5000 * 20000); /* far over what any queue holds */
    rpc_close(c);
}

static void test_client_that_leaves_ends_its_stream(void **state) {
    struct world *w = *state;
    struct rpc_client *c = connect_to(w);
    struct taken t = {.stop_at = 3};
    struct err e;
    assert_int_equal(rpc_call(c, "stream", slice_none(), take, &t, 5000, &e), ERR_OK);
    rpc_close(c);
    wait_gone(w, 1);
    pthread_join(w->streamer, NULL);
    w->streams = false;
    assert_int_equal(w->stream_end, ERR_UNREACHABLE);
    assert_int_equal(rpc_respond(w->server, w->conn, w->id, ERR_OK, NULL, slice_none(), false, &e), ERR_UNREACHABLE);
}

static void test_node_that_stops_is_told_to_the_client(void **state) {
    struct world *w = *state;
    struct rpc_client *c = connect_to(w);
    struct err e;
    peers_stop(w->peers);
    w->peers = NULL;
    rpc_server_free(w->server);
    w->server = NULL;
    assert_int_equal(rpc_call(c, "echo", slice_none(), NULL, NULL, 3000, &e), ERR_UNREACHABLE);
    rpc_close(c);
    assert_int_equal(rpc_connect(&w->node.self, w->address, w->ca.pem, 1000, &c, &e), ERR_UNREACHABLE);
    assert_null(c);
}

static void test_clients_beyond_the_limit_are_refused(void **state) {
    struct world *w = *state;
    struct rpc_client *c[RPC_CLIENTS], *more;
    struct err e;
    int i;
    for (i = 0; i < RPC_CLIENTS; i++)
        c[i] = connect_to(w);
    assert_int_equal(rpc_connect(&w->node.self, w->address, w->ca.pem, 3000, &more, &e), ERR_NOT_ALLOWED);
    assert_int_equal(rpc_call(c[0], "echo", slice_none(), NULL, NULL, 3000, &e), ERR_OK);
    rpc_close(c[0]);
    wait_gone(w, 1);
    more = connect_to(w);
    rpc_close(more);
    for (i = 1; i < RPC_CLIENTS; i++)
        rpc_close(c[i]);
}

static void test_another_key_is_no_operator(void **state) {
    struct world *w = *state;
    struct links_node other;
    struct rpc_client *c;
    struct err e;
    links_node_make(&other, "acme-1", "acme-1", &w->ca, 1); /* rightful name and CA, another link key */
    other.self.link_public = w->node.self.link_public;      /* it knows the node's public key, as all do */
    assert_int_equal(rpc_connect(&other.self, w->address, w->ca.pem, 3000, &c, &e), ERR_BAD_SIGNATURE);
    links_node_free(&other);
}

static void ready_nothing(void *ctx, struct link *l) {
    (void)l;
    __atomic_store_n((int *)ctx, 1, __ATOMIC_SEQ_CST);
}
static void frame_nothing(void *ctx, struct link *l, struct slice bytes) {
    (void)ctx, (void)l, (void)bytes;
}
static void closed_nothing(void *ctx, struct link *l, enum err_code why, const char *text) {
    (void)l, (void)why, (void)text;
    __atomic_store_n((int *)ctx, 2, __ATOMIC_SEQ_CST);
}

static void test_nonsense_ends_only_its_own_connection(void **state) {
    static const struct slice bad[] = {
        {(const uint8_t *)"\xdd\x10\x00\x00\x00", 5}, /* 268 million elements */
        {(const uint8_t *)"\x82\xa2id\xcc\x01\xa6method\xa4"
                          "echo",
         17}, /* a long integer */
        {(const uint8_t *)"\x83\xa4"
                          "body\xc0\xa2id\x01\xa6method\xa4"
                          "echo",
         22},                                                       /* nil */
        {(const uint8_t *)"\x81\xa2id\x01", 5},                     /* no method */
        {(const uint8_t *)"\x82\xa2id\x01\xa6method\xa2\x00x", 14}, /* NUL in it */
    };
    struct world *w = *state;
    struct rpc_client *c = connect_to(w);
    struct err e;
    size_t i;
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct link_target t = {w->address, w->node.id, w->node.self.link_public, w->ca.pem, LINK_CLIENT};
        int seen = 0, ms;
        struct link_handlers h = {ready_nothing, frame_nothing, NULL, closed_nothing, &seen};
        struct link *l;
        assert_int_equal(link_dial(&w->node.self, &t, NULL, NULL, &h, &l, &e), ERR_OK);
        for (ms = 0; ms < 5000 && __atomic_load_n(&seen, __ATOMIC_SEQ_CST) == 0; ms++)
            usleep(1000);
        assert_int_equal(link_send(l, LINK_BULK, bad[i], &e), ERR_OK);
        for (ms = 0; ms < 5000 && __atomic_load_n(&seen, __ATOMIC_SEQ_CST) != 2; ms++)
            usleep(1000);
        assert_int_equal(seen, 2);
        link_release(l);
    }
    assert_int_equal(w->requests, 0);
    assert_int_equal(rpc_call(c, "echo", slice_none(), NULL, NULL, 3000, &e), ERR_OK);
    rpc_close(c);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void) {
    const struct CMUnitTest tests[] = {
        T(test_call_gets_its_answer),
        T(test_error_brings_code_and_text),
        T(test_silence_times_out),
        T(test_long_stream_to_a_slow_client_is_whole),
        T(test_client_that_leaves_ends_its_stream),
        T(test_node_that_stops_is_told_to_the_client),
        T(test_clients_beyond_the_limit_are_refused),
        T(test_another_key_is_no_operator),
        T(test_nonsense_ends_only_its_own_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
