/* tests/unit/test_link.c -- connections on real loopback sockets: who gets in, who does not, and that the good pair
 * does not notice the bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/links.h"
#include "wire/link_hello.h"
#include "wire/link_impl.h"
#include "wire/mem.h"

#include <nng/nng.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* One end of links: what its callbacks have seen. */
struct side {
    pthread_mutex_t mtx;
    unsigned ready, closed, drained, accepted, refused;
    enum err_code why, refused_why;
    char text[200], peer[LIMIT_NAME + 1];
    size_t frames, bytes;
    uint8_t last[64];
    size_t last_len;
    bool echo, refuse, greet, stall;
    struct link *link; /* the acceptor's newest, with a reference */
    struct links_node *node, *known;
};

static void on_ready(void *ctx, struct link *l) {
    struct side *s = ctx;
    (void)l;
    pthread_mutex_lock(&s->mtx);
    s->ready++;
    pthread_mutex_unlock(&s->mtx);
}

static void on_frame(void *ctx, struct link *l, struct slice bytes) {
    struct side *s = ctx;
    struct err e;
    pthread_mutex_lock(&s->mtx);
    s->frames++;
    s->bytes += bytes.len;
    s->last_len = bytes.len < sizeof s->last ? bytes.len : sizeof s->last;
    memcpy(s->last, bytes.ptr, s->last_len);
    pthread_mutex_unlock(&s->mtx);
    while (s->stall)
        usleep(1000);
    if (s->echo && link_send(l, LINK_URGENT, bytes, &e))
        abort();
}

static void on_drained(void *ctx, struct link *l) {
    struct side *s = ctx;
    (void)l;
    pthread_mutex_lock(&s->mtx);
    s->drained++;
    pthread_mutex_unlock(&s->mtx);
}

static void on_closed(void *ctx, struct link *l, enum err_code why, const char *text) {
    struct side *s = ctx;
    (void)l;
    pthread_mutex_lock(&s->mtx);
    s->closed++;
    s->why = why;
    snprintf(s->text, sizeof s->text, "%s", text);
    pthread_mutex_unlock(&s->mtx);
}

static bool key_of(void *ctx, const char *id, struct sign_public *out) {
    struct side *s = ctx;
    if (!s->known || strcmp(id, s->known->id) != 0)
        return false;
    *out = s->known->self.link_public;
    return true;
}

static struct link_handlers handlers_of(struct side *s) {
    return (struct link_handlers){on_ready, on_frame, on_drained, on_closed, s};
}

static bool on_accepted(void *ctx, struct link *l, struct link_handlers *handlers) {
    struct side *s = ctx;
    struct err e;
    if (s->refuse)
        return false;
    link_hold(l);
    pthread_mutex_lock(&s->mtx);
    if (s->link)
        link_release(s->link);
    s->link = l;
    s->accepted++;
    snprintf(s->peer, sizeof s->peer, "%s", link_peer(l));
    pthread_mutex_unlock(&s->mtx);
    if (s->greet && link_send(l, LINK_URGENT, slice_str("greeting"), &e))
        abort();
    *handlers = handlers_of(s);
    return true;
}

static void on_refused(void *ctx, enum err_code why, const char *text) {
    struct side *s = ctx;
    pthread_mutex_lock(&s->mtx);
    s->refused++;
    s->refused_why = why;
    snprintf(s->text, sizeof s->text, "%s", text);
    pthread_mutex_unlock(&s->mtx);
}

static unsigned peek(struct side *s, const unsigned *what) {
    unsigned v;
    pthread_mutex_lock(&s->mtx);
    v = *what;
    pthread_mutex_unlock(&s->mtx);
    return v;
}

#define WAIT(side, what, count) wait_for((side), &(side)->what, (count))
static void wait_for(struct side *s, const unsigned *what, unsigned count) {
    unsigned ms;
    for (ms = 0; ms < 8000 && peek(s, what) < count; ms += 2)
        usleep(2000);
    assert_true(peek(s, what) >= count);
}

static void wait_frames(struct side *s, size_t count) {
    unsigned ms;
    for (ms = 0; ms < 8000; ms += 2) {
        size_t n;
        pthread_mutex_lock(&s->mtx);
        n = s->frames;
        pthread_mutex_unlock(&s->mtx);
        if (n >= count)
            return;
        usleep(2000);
    }
    fail();
}

struct world {
    struct links_ca acme, globex;
    struct links_node a, b; /* acme's a dials, globex's b listens */
    struct side dial, listen;
    struct link_listener *listener;
    struct link_limits limits;
    char cas[2 * LINKS_PEM], address[32];
};

static int set_up(void **state) {
    struct world *w = calloc(1, sizeof *w);
    links_ca_make(&w->acme, "acme");
    links_ca_make(&w->globex, "globex");
    links_node_make(&w->a, "acme-1", "acme-1", &w->acme, 1);
    links_node_make(&w->b, "globex-1", "globex-1", &w->globex, 1);
    snprintf(w->cas, sizeof w->cas, "%s%s", w->acme.pem, w->globex.pem);
    pthread_mutex_init(&w->dial.mtx, NULL);
    pthread_mutex_init(&w->listen.mtx, NULL);
    w->listen.known = &w->a;
    w->limits.handshake_ms = 1500;
    *state = w;
    return 0;
}

static void listen_now(struct world *w) {
    struct link_listen config = {"127.0.0.1:0", w->cas, w->limits,   {NULL, NULL},
                                 &w->listen,    key_of, on_accepted, on_refused};
    struct err e;
    if (link_listener_start(&w->b.self, &config, &w->listener, &e))
        fail_msg("%s", e.text);
    links_address(w->address, link_listener_port(w->listener));
}

static int tear_down(void **state) {
    struct world *w = *state;
    struct link *l;
    if (w->listener)
        link_listener_stop(w->listener);
    l = w->listen.link;
    if (l) {
        link_close(l);
        WAIT(&w->listen, closed, w->listen.accepted);
        link_release(l);
    }
    links_node_free(&w->a);
    links_node_free(&w->b);
    links_ca_free(&w->acme);
    links_ca_free(&w->globex);
    free(w);
    return 0;
}

static struct link *dial_as(struct world *w, const struct link_self *self, const struct link_target *t) {
    struct link_handlers h = handlers_of(&w->dial);
    struct link *l;
    struct err e;
    if (link_dial(self, t, &w->limits, NULL, &h, &l, &e))
        fail_msg("%s", e.text);
    return l;
}

static struct link_target target_b(struct world *w) {
    return (struct link_target){w->address, w->b.id, w->b.self.link_public, w->globex.pem, LINK_PEER};
}

/* Ends a dialled link and waits for its last callback. */
static void end(struct world *w, struct link *l) {
    link_close(l);
    WAIT(&w->dial, closed, 1);
    link_release(l);
}

static void expect_dial_fails(struct world *w, const struct link_self *self, const struct link_target *t,
                              enum err_code why) {
    struct link *l = dial_as(w, self, t);
    struct err e;
    WAIT(&w->dial, closed, 1);
    assert_int_equal(w->dial.ready, 0);
    assert_int_equal(link_send(l, LINK_URGENT, slice_str("x"), &e), ERR_UNREACHABLE);
    assert_int_equal(w->dial.frames, 0);
    assert_int_equal(w->listen.accepted, 0);
    if (why != w->dial.why)
        fail_msg("%s: %s", err_name(w->dial.why), w->dial.text);
    link_release(l);
}

static void test_good_pair_exchanges_frames(void **state) {
    struct world *w = *state;
    struct link_target t;
    struct link *l;
    struct err e;
    listen_now(w);
    w->listen.echo = w->listen.greet = true;
    t = target_b(w);
    l = dial_as(w, &w->a.self, &t);
    WAIT(&w->dial, ready, 1);
    assert_string_equal(w->listen.peer, "acme-1");
    assert_string_equal(link_peer(l), "globex-1");
    wait_frames(&w->dial, 1);
    assert_memory_equal(w->dial.last, "greeting", 8);
    assert_int_equal(link_send(l, LINK_BULK, slice_str("hello"), &e), ERR_OK);
    wait_frames(&w->dial, 2);
    assert_memory_equal(w->dial.last, "hello", 5);
    assert_int_equal(link_send(l, LINK_BULK, slice_none(), &e), ERR_TOO_LARGE);
    end(w, l);
    assert_int_equal(w->dial.why, ERR_OK);
    WAIT(&w->listen, closed, 1);
    assert_int_equal(w->listen.refused, 0);
}

static void test_largest_message_passes_and_a_larger_is_refused(void **state) {
    struct world *w = *state;
    uint8_t *big = calloc(1, LIMIT_MESSAGE + 1);
    struct link_target t;
    struct link *l;
    struct err e;
    listen_now(w);
    t = target_b(w);
    l = dial_as(w, &w->a.self, &t);
    WAIT(&w->dial, ready, 1);
    big[0] = 7;
    assert_int_equal(link_send(l, LINK_BULK, slice_of(big, LIMIT_MESSAGE), &e), ERR_OK);
    assert_int_equal(link_send(l, LINK_BULK, slice_of(big, LIMIT_MESSAGE + 1), &e), ERR_TOO_LARGE);
    wait_frames(&w->listen, 1);
    assert_int_equal(w->listen.bytes, LIMIT_MESSAGE);
    assert_int_equal(w->listen.last[0], 7);
    end(w, l);
    free(big);
}

static void test_small_frames_are_coalesced_in_order(void **state) {
    struct world *w = *state;
    struct link_stats stats;
    struct link_target t;
    struct link *l;
    uint8_t n[8] = {0};
    unsigned i;
    struct err e;
    listen_now(w);
    t = target_b(w);
    l = dial_as(w, &w->a.self, &t);
    WAIT(&w->dial, ready, 1);
    for (i = 1; i <= 3000; i++) {
        n[0] = (uint8_t)(i >> 8);
        n[1] = (uint8_t)i;
        assert_int_equal(link_send(l, LINK_URGENT, slice_of(n, sizeof n), &e), ERR_OK);
    }
    wait_frames(&w->listen, 3000);
    assert_int_equal(w->listen.last[0] << 8 | w->listen.last[1], 3000);
    link_stats(l, &stats);
    assert_int_equal(stats.frames_out, 3000);
    assert_true(stats.writes < 1000);
    end(w, l);
}

static void test_certificate_of_another_ca_is_refused_on_both_sides(void **state) {
    struct world *w = *state;
    struct links_ca rogue;
    struct links_node m;
    struct link_target t;
    links_ca_make(&rogue, "acme");
    links_node_make(&m, "acme-1", "acme-1", &rogue, 1);
    m.self.link_secret = NULL;
    listen_now(w);
    t = target_b(w);
    /* the acceptor does not know the dialler's CA; even the right link key does not help */
    {
        struct link_self self = m.self;
        struct link *l;
        self.link_secret = w->a.self.link_secret;
        self.link_public = w->a.self.link_public;
        l = dial_as(w, &self, &t);
        WAIT(&w->dial, closed, 1);
        WAIT(&w->listen, refused, 1);
        assert_int_equal(w->dial.ready, 0);
        assert_int_equal(w->listen.accepted, 0);
        link_release(l);
    }
    /* the dialler pins the CA of the peer's own organisation: another member's CA will not do */
    w->dial.closed = 0;
    t.ca_pem = w->acme.pem;
    expect_dial_fails(w, &w->a.self, &t, ERR_BAD_SIGNATURE);
    links_ca_free(&rogue);
}

static void test_certificate_of_another_node_is_refused(void **state) {
    struct world *w = *state;
    struct links_node other;
    struct link_target t;
    struct link_self b = w->b.self;
    /* b shows the certificate of globex-2, rightly signed by globex's CA */
    links_node_make(&other, "globex-2", "globex-2", &w->globex, 1);
    w->b.self.cert_pem = other.cert;
    w->b.self.key_pem = other.key;
    listen_now(w);
    t = target_b(w);
    expect_dial_fails(w, &w->a.self, &t, ERR_BAD_SIGNATURE);
    w->b.self = b;
    links_node_free(&other);
}

static void test_hello_with_another_key_is_refused(void **state) {
    struct world *w = *state;
    struct links_node other;
    struct link_self self = w->a.self;
    struct link_target t;
    links_node_make(&other, "acme-9", "acme-9", &w->acme, 1);
    self.link_secret = other.self.link_secret; /* a's name and certificate, another's link key */
    listen_now(w);
    t = target_b(w);
    expect_dial_fails(w, &self, &t, ERR_BAD_SIGNATURE);
    WAIT(&w->listen, refused, 1);
    assert_int_equal(w->listen.refused_why, ERR_BAD_SIGNATURE);
    links_node_free(&other);
}

static void test_acceptor_with_another_key_is_refused(void **state) {
    struct world *w = *state;
    struct link_target t;
    listen_now(w);
    t = target_b(w);
    t.link_public = w->a.self.link_public;
    expect_dial_fails(w, &w->a.self, &t, ERR_BAD_SIGNATURE);
}

static void test_hello_of_another_network_is_refused(void **state) {
    struct world *w = *state;
    struct link_self self = w->a.self;
    struct link_target t;
    self.network.b[0] = 2;
    listen_now(w);
    t = target_b(w);
    expect_dial_fails(w, &self, &t, ERR_WRONG_NETWORK);
    WAIT(&w->listen, refused, 1);
    assert_int_equal(w->listen.refused_why, ERR_WRONG_NETWORK);
}

static void test_unknown_node_is_refused(void **state) {
    struct world *w = *state;
    struct link_target t;
    w->listen.known = NULL;
    listen_now(w);
    t = target_b(w);
    expect_dial_fails(w, &w->a.self, &t, ERR_NOT_ALLOWED);
}

static void test_client_hello_needs_the_nodes_own_key(void **state) {
    struct world *w = *state;
    struct link_target t;
    struct link *l;
    listen_now(w);
    t = target_b(w);
    t.kind = LINK_CLIENT;
    expect_dial_fails(w, &w->a.self, &t, ERR_NOT_ALLOWED); /* a peer is no operator */
    w->dial.closed = 0;
    l = dial_as(w, &w->b.self, &t);
    WAIT(&w->dial, ready, 1);
    assert_string_equal(w->listen.peer, "globex-1");
    end(w, l);
}

static void test_owner_may_refuse_after_the_hello(void **state) {
    struct world *w = *state;
    struct link_target t;
    w->listen.refuse = true;
    listen_now(w);
    t = target_b(w);
    expect_dial_fails(w, &w->a.self, &t, ERR_NOT_ALLOWED);
    WAIT(&w->listen, refused, 1);
}

/* --- those who speak no TLS, or TLS only --- */

static void test_garbage_and_silence_are_dropped_without_harm(void **state) {
    struct world *w = *state;
    struct link_target t;
    struct link *l;
    char junk[4096];
    int fd[4], i;
    struct err e;
    memset(junk, 'A', sizeof junk);
    listen_now(w);
    w->listen.echo = true;
    t = target_b(w);
    for (i = 0; i < 4; i++)
        fd[i] = links_connect(link_listener_port(w->listener));
    assert_int_equal(send(fd[0], junk, sizeof junk, MSG_NOSIGNAL), sizeof junk);
    assert_int_equal(send(fd[1], "\x16\x03\x01\x02", 4, MSG_NOSIGNAL), 4); /* the start of a TLS record, then silence */
    close(fd[2]);
    l = dial_as(w, &w->a.self, &t);
    WAIT(&w->dial, ready, 1);
    assert_int_equal(link_send(l, LINK_URGENT, slice_str("still here"), &e), ERR_OK);
    wait_frames(&w->dial, 1);
    WAIT(&w->listen, refused, 4);
    assert_int_equal(recv(fd[3], junk, sizeof junk, 0), 0); /* the silent one was closed, in time */
    assert_int_equal(link_send(l, LINK_URGENT, slice_str("and still"), &e), ERR_OK);
    wait_frames(&w->dial, 2);
    end(w, l);
    for (i = 0; i < 4; i++)
        if (i != 2)
            close(fd[i]);
}

static void test_idle_connections_beyond_the_limit_are_refused(void **state) {
    struct world *w = *state;
    int fd[14], i, open = 0, tries;
    w->limits.pending_max = 4;
    w->limits.handshake_ms = 3000;
    listen_now(w);
    for (i = 0; i < 14; i++)
        assert_true((fd[i] = links_connect(link_listener_port(w->listener))) >= 0);
    WAIT(&w->listen, refused, 10);
    assert_int_equal(w->listen.refused_why, ERR_FULL);
    for (tries = 0; tries < 100 && open != 4; tries++) { /* the end reaches the refused a moment after the count */
        struct timespec t = {.tv_nsec = 10000000};
        nanosleep(&t, NULL);
        for (i = 0, open = 0; i < 14; i++) {
            char c;
            open += recv(fd[i], &c, 1, MSG_DONTWAIT) < 0; /* the refused are at their end */
        }
    }
    assert_int_equal(open, 4);
    WAIT(&w->listen, refused, 14); /* the others when their time is over */
    for (i = 0; i < 14; i++)
        close(fd[i]);
}

/* A TLS stream with a rightful certificate, to speak frames by hand. */
struct raw {
    nng_tls_config *cfg;
    nng_stream_dialer *dialer;
    nng_stream *stream;
    nng_aio *aio;
};

static void raw_open(struct raw *r, struct world *w) {
    char url[64];
    struct err e;
    snprintf(url, sizeof url, "tls+tcp://%s", w->address);
    assert_int_equal(link_impl_tls(&w->a.self, NNG_TLS_MODE_CLIENT, w->globex.pem, w->b.id, &r->cfg, &e), ERR_OK);
    assert_int_equal(nng_stream_dialer_alloc(&r->dialer, url), 0);
    assert_int_equal(nng_stream_dialer_set_ptr(r->dialer, NNG_OPT_TLS_CONFIG, r->cfg), 0);
    assert_int_equal(nng_aio_alloc(&r->aio, NULL, NULL), 0);
    nng_aio_set_timeout(r->aio, 5000);
    nng_stream_dialer_dial(r->dialer, r->aio);
    nng_aio_wait(r->aio);
    assert_int_equal(nng_aio_result(r->aio), 0);
    r->stream = nng_aio_get_output(r->aio, 0);
}

static int raw_io(struct raw *r, void *bytes, size_t len, bool send) {
    size_t done = 0;
    while (done < len) {
        nng_iov iov = {(uint8_t *)bytes + done, len - done};
        nng_aio_set_iov(r->aio, 1, &iov);
        if (send)
            nng_stream_send(r->stream, r->aio);
        else
            nng_stream_recv(r->stream, r->aio);
        nng_aio_wait(r->aio);
        if (nng_aio_result(r->aio))
            return nng_aio_result(r->aio);
        done += nng_aio_count(r->aio);
    }
    return 0;
}

static int raw_send(struct raw *r, const struct buf *frame) {
    uint8_t bytes[512] = {0, 0, (uint8_t)(frame->len >> 8), (uint8_t)frame->len};
    memcpy(bytes + 4, frame->ptr, frame->len);
    return raw_io(r, bytes, 4 + frame->len, true);
}

static int raw_recv(struct raw *r, uint8_t frame[512], size_t *len) {
    uint8_t head[4];
    int rv = raw_io(r, head, 4, false);
    *len = rv ? 0 : buf_get32(head);
    return rv || *len > 512 ? NNG_EPROTO : raw_io(r, frame, *len, false);
}

static void raw_close(struct raw *r) {
    nng_stream_free(r->stream);
    nng_stream_dialer_free(r->dialer);
    nng_tls_config_free(r->cfg);
    nng_aio_free(r->aio);
}

static void hello_of(struct world *w, struct link_hello *h) {
    memset(h, 0, sizeof *h);
    h->version = LINK_VERSION;
    h->kind = LINK_PEER;
    h->network = w->a.self.network;
    snprintf(h->dialler, sizeof h->dialler, "%s", w->a.id);
    snprintf(h->acceptor, sizeof h->acceptor, "%s", w->b.id);
    memset(h->nonce_dialler, 5, sizeof h->nonce_dialler);
}

static void test_replayed_hello_is_refused(void **state) {
    struct world *w = *state;
    struct link_hello h;
    struct buf open, proof;
    uint8_t frame[512];
    size_t len;
    struct raw r;
    struct err e;
    listen_now(w);
    buf_init(&open, 512);
    buf_init(&proof, 512);
    hello_of(w, &h);
    link_hello_write_open(&h, &open);
    raw_open(&r, w); /* the honest run */
    assert_int_equal(raw_send(&r, &open), 0);
    assert_int_equal(raw_recv(&r, frame, &len), 0);
    assert_int_equal(link_hello_step(slice_of(frame, len)), LINK_HELLO_STEP_REPLY);
    assert_int_equal(link_hello_read_reply(slice_of(frame, len), &h, &w->b.self.link_public, &e), ERR_OK);
    link_hello_write_proof(&h, w->a.self.link_secret, &proof);
    assert_int_equal(raw_send(&r, &proof), 0);
    assert_int_equal(raw_recv(&r, frame, &len), 0);
    assert_int_equal(link_hello_step(slice_of(frame, len)), LINK_HELLO_STEP_VERDICT);
    assert_int_equal(link_hello_read_verdict(slice_of(frame, len)), ERR_OK);
    WAIT(&w->listen, accepted, 1);
    raw_close(&r);
    raw_open(&r, w); /* the same bytes again: the acceptor's nonce is another */
    assert_int_equal(raw_send(&r, &open), 0);
    assert_int_equal(raw_recv(&r, frame, &len), 0);
    assert_int_equal(raw_send(&r, &proof), 0);
    assert_int_equal(raw_recv(&r, frame, &len), 0);
    assert_int_equal(link_hello_read_verdict(slice_of(frame, len)), ERR_BAD_SIGNATURE);
    raw_close(&r);
    WAIT(&w->listen, refused, 1);
    assert_int_equal(w->listen.accepted, 1);
    buf_release(&open);
    buf_release(&proof);
}

static void test_acceptors_signature_is_no_diallers(void **state) {
    struct world *w = *state;
    struct link_hello h;
    struct buf frame;
    struct err e;
    buf_init(&frame, 512);
    hello_of(w, &h);
    link_hello_write_reply(&h, w->a.self.link_secret, &frame);
    memmove(frame.ptr + LINK_HELLO_TAG + 1, frame.ptr + LINK_HELLO_TAG + 1 + LINK_HELLO_NONCE, SIGN_SIZE);
    frame.ptr[LINK_HELLO_TAG] = LINK_HELLO_STEP_PROOF;
    frame.len = LINK_HELLO_PROOF;
    assert_int_equal(link_hello_step(buf_slice(&frame)), LINK_HELLO_STEP_PROOF);
    assert_int_equal(link_hello_read_proof(buf_slice(&frame), &h, &w->a.self.link_public, &e), ERR_BAD_SIGNATURE);
    buf_release(&frame);
}

static void test_unsupported_version_and_bad_id_are_refused(void **state) {
    struct world *w = *state;
    struct link_hello h;
    struct buf frame;
    uint8_t in[512];
    size_t len;
    struct raw r;
    struct err e;
    listen_now(w);
    buf_init(&frame, 512);
    hello_of(w, &h);
    h.version = 9;
    link_hello_write_open(&h, &frame);
    raw_open(&r, w);
    assert_int_equal(raw_send(&r, &frame), 0);
    assert_int_equal(raw_recv(&r, in, &len), 0);
    assert_int_equal(link_hello_read_verdict(slice_of(in, len)), ERR_UNSUPPORTED);
    raw_close(&r);
    frame.ptr[LINK_HELLO_TAG + 1 + 2 + 1 + DIGEST_SIZE + 1] = '\n'; /* first byte of the dialler's id */
    assert_int_equal(link_hello_read_open(buf_slice(&frame), &h, &e), ERR_MALFORMED);
    frame.ptr[LINK_HELLO_TAG + 1 + 2 + 1 + DIGEST_SIZE] = 65; /* its length */
    assert_int_equal(link_hello_read_open(buf_slice(&frame), &h, &e), ERR_MALFORMED);
    assert_int_equal(link_hello_step(slice_of(frame.ptr, frame.len - 1)), 0);
    buf_release(&frame);
}

static void test_oversized_frame_header_before_the_hello_drops(void **state) {
    struct world *w = *state;
    uint8_t head[4] = {0, 0, 4, 0}, c;
    struct raw r;
    listen_now(w);
    raw_open(&r, w);
    assert_int_equal(raw_io(&r, head, 4, true), 0);
    assert_true(raw_io(&r, &c, 1, false) != 0);
    WAIT(&w->listen, refused, 1);
    assert_int_equal(w->listen.refused_why, ERR_MALFORMED);
    raw_close(&r);
}

/* Says hello by hand as acme-1 and leaves a live connection. */
static void raw_hello(struct raw *r, struct world *w) {
    struct link_hello h;
    struct buf f;
    uint8_t in[512];
    size_t len;
    struct err e;
    buf_init(&f, 512);
    hello_of(w, &h);
    raw_open(r, w);
    link_hello_write_open(&h, &f);
    assert_int_equal(raw_send(r, &f), 0);
    assert_int_equal(raw_recv(r, in, &len), 0);
    assert_int_equal(link_hello_read_reply(slice_of(in, len), &h, &w->b.self.link_public, &e), ERR_OK);
    buf_clear(&f);
    link_hello_write_proof(&h, w->a.self.link_secret, &f);
    assert_int_equal(raw_send(r, &f), 0);
    assert_int_equal(raw_recv(r, in, &len), 0);
    assert_int_equal(link_hello_read_verdict(slice_of(in, len)), ERR_OK);
    WAIT(&w->listen, accepted, 1);
    buf_release(&f);
}

static void test_oversized_frame_header_after_the_hello_drops(void **state) {
    struct world *w = *state;
    uint8_t head[5] = {0x7f, 0xff, 0xff, 0xff, 0};
    struct raw r;
    listen_now(w);
    raw_hello(&r, w);
    assert_int_equal(raw_io(&r, head, 5, true), 0);
    WAIT(&w->listen, closed, 1);
    assert_int_equal(w->listen.why, ERR_TOO_LARGE);
    raw_close(&r);
}

static void test_half_open_peer_is_dropped_by_silence(void **state) {
    struct world *w = *state;
    struct raw r;
    w->limits.ping_ms = 100;
    w->limits.idle_ms = 400;
    listen_now(w);
    raw_hello(&r, w); /* then nothing: no ping either */
    WAIT(&w->listen, closed, 1);
    assert_int_equal(w->listen.why, ERR_TIMEOUT);
    raw_close(&r);
}

static void test_pings_keep_a_quiet_link(void **state) {
    struct world *w = *state;
    struct link_target t;
    struct link *l;
    w->limits.ping_ms = 100;
    w->limits.idle_ms = 400;
    listen_now(w);
    t = target_b(w);
    l = dial_as(w, &w->a.self, &t);
    WAIT(&w->dial, ready, 1);
    usleep(1200000);
    assert_int_equal(peek(&w->dial, &w->dial.closed), 0);
    assert_int_equal(w->dial.frames + w->listen.frames, 0);
    end(w, l);
}

static void test_stalled_reader_fills_the_queue_and_is_dropped(void **state) {
    struct world *w = *state;
    static uint8_t bytes[4096];
    enum err_code rc = ERR_OK;
    unsigned sent = 0;
    struct raw r;
    struct err e;
    w->limits.urgent_count = 100;
    w->limits.bulk_bytes = 1 << 20;
    w->limits.ping_ms = 200;
    w->limits.idle_ms = 1000;
    listen_now(w);
    raw_hello(&r, w); /* and never reads again */
    while (!rc && sent < 100000) {
        rc = link_send(w->listen.link, LINK_BULK, slice_of(bytes, sizeof bytes), &e);
        sent += !rc;
    }
    assert_int_equal(rc, ERR_FULL);
    assert_true(link_queued(w->listen.link) <= (1 << 20) + 2 * LINK_WRITE);
    for (sent = 0; sent < 200; sent++)
        rc = link_send(w->listen.link, LINK_URGENT, slice_of(bytes, 10), &e); /* the other class has its own room */
    assert_int_equal(rc, ERR_FULL);
    WAIT(&w->listen, closed, 1);
    assert_int_equal(w->listen.why, ERR_TIMEOUT);
    raw_close(&r);
}

static void test_nobody_there_is_unreachable(void **state) {
    struct world *w = *state;
    struct link_target t;
    links_address(w->address, links_free_port());
    t = target_b(w);
    expect_dial_fails(w, &w->a.self, &t, ERR_UNREACHABLE);
}

static void test_bad_address_is_a_configuration_error(void **state) {
    struct world *w = *state;
    struct link_handlers h = handlers_of(&w->dial);
    struct link_target t = target_b(w);
    struct link *l;
    struct err e;
    t.address = "nowhere";
    assert_int_equal(link_dial(&w->a.self, &t, NULL, NULL, &h, &l, &e), ERR_CONFIG);
    t.address = "127.0.0.1:1";
    t.ca_pem = "no certificate";
    assert_int_equal(link_dial(&w->a.self, &t, NULL, NULL, &h, &l, &e), ERR_CONFIG);
    assert_int_equal(w->dial.closed, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void) {
    const struct CMUnitTest tests[] = {
        T(test_good_pair_exchanges_frames),
        T(test_largest_message_passes_and_a_larger_is_refused),
        T(test_small_frames_are_coalesced_in_order),
        T(test_certificate_of_another_ca_is_refused_on_both_sides),
        T(test_certificate_of_another_node_is_refused),
        T(test_hello_with_another_key_is_refused),
        T(test_acceptor_with_another_key_is_refused),
        T(test_hello_of_another_network_is_refused),
        T(test_unknown_node_is_refused),
        T(test_client_hello_needs_the_nodes_own_key),
        T(test_owner_may_refuse_after_the_hello),
        T(test_garbage_and_silence_are_dropped_without_harm),
        T(test_idle_connections_beyond_the_limit_are_refused),
        T(test_replayed_hello_is_refused),
        T(test_acceptors_signature_is_no_diallers),
        T(test_unsupported_version_and_bad_id_are_refused),
        T(test_oversized_frame_header_before_the_hello_drops),
        T(test_oversized_frame_header_after_the_hello_drops),
        T(test_half_open_peer_is_dropped_by_silence),
        T(test_pings_keep_a_quiet_link),
        T(test_stalled_reader_fills_the_queue_and_is_dropped),
        T(test_nobody_there_is_unreachable),
        T(test_bad_address_is_a_configuration_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
