/* wire/link.c -- see link.h.
 *
 *   state     | event                                  | next
 *   DIALLING  | connected: start TLS, send open         | REPLY
 *   REPLY     | reply, signature good: send proof       | VERDICT
 *   VERDICT   | verdict 0: ready                        | LIVE
 *   OPEN      | open is for us, key known: send reply   | PROOF
 *   PROOF     | proof good, accepted: send verdict 0    | LIVE
 *   OPEN,PROOF| anything wrong: send verdict            | DRAIN
 *   DRAIN     | the other side closes, or the deadline  | CLOSED     (input is thrown away; a close of ours right
 *             |                                         |             after the write could overtake the verdict)
 *   any       | link_close, failure, deadline           | CLOSED
 *
 * Every operation of nng under way counts in `pending` and is started and closed under `mtx` (nng never calls back
 * on the starter's stack). `closed` is called when the state is CLOSED and pending is 0. */
#include "wire/link_impl.h"

#include "wire/link_hello.h"
#include "wire/link_queue.h"
#include "wire/mem.h"

#include <nng/supplemental/util/platform.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>

enum { LINK_INPUT = 32768 }; /* bytes of input buffer that a quiet link keeps */

enum link_state { LINK_DIALLING, LINK_REPLY, LINK_VERDICT, LINK_OPEN, LINK_PROOF, LINK_LIVE, LINK_DRAIN, LINK_CLOSED };

struct link {
    pthread_mutex_t mtx;           /* guards all but what is said to be fixed or the receiver's */
    const struct link_self *self;  /* fixed */
    struct link_limits limits;     /* fixed */
    struct link_tap tap;           /* fixed */
    struct link_gate gate;         /* fixed; ctx NULL for a dialler */
    struct link_handlers handlers; /* fixed from LIVE on */
    struct sign_public peer_key;   /* fixed (dialler), or the receiver's until LIVE */
    struct link_hello hello;       /* the receiver's */
    char peer[LIMIT_NAME + 1];     /* dialler: fixed; acceptor: before LIVE the receiver's */
    bool dials;                    /* fixed */
    bool accepted;                 /* the owner has it: `closed` is due to the owner, not to the gate */
    bool held;                     /* nothing is written for now */

    enum link_state state;
    enum err_code why;
    char why_text[160];
    unsigned refs, pending;

    nng_stream_dialer *dialer;
    nng_tls_config *tls;
    nng_stream *stream;
    nng_aio *dial_aio, *recv_aio, *send_aio, *timer_aio;
    nng_time last_in, last_out;

    uint8_t *in; /* the receiver's */
    size_t in_cap, in_len;

    struct link_queue queue;
    bool sending;
    struct link_stats stats;
    struct link *next; /* the listener's */
};

struct link **link_impl_next(struct link *l) {
    return &l->next;
}

/* --- life --- */

static void link_destroy(struct link *l) {
    /* Their operations are over; freeing an aio from its own callback needs the reaper. */
    nng_aio *aios[] = {l->dial_aio, l->recv_aio, l->send_aio, l->timer_aio};
    size_t i;
    for (i = 0; i < sizeof aios / sizeof aios[0]; i++)
        if (aios[i])
            nng_aio_reap(aios[i]);
    if (l->stream)
        nng_stream_free(l->stream);
    if (l->dialer)
        nng_stream_dialer_free(l->dialer);
    if (l->tls)
        nng_tls_config_free(l->tls);
    link_queue_release(&l->queue);
    mem_free(l->in);
    pthread_mutex_destroy(&l->mtx);
    mem_free(l);
}

void link_hold(struct link *l) {
    pthread_mutex_lock(&l->mtx);
    l->refs++;
    pthread_mutex_unlock(&l->mtx);
}

void link_release(struct link *l) {
    bool last;
    pthread_mutex_lock(&l->mtx);
    last = --l->refs == 0;
    pthread_mutex_unlock(&l->mtx);
    if (last)
        link_destroy(l);
}

/* Under mtx. The first reason stays. */
static void link_shut(struct link *l, enum err_code why, const char *text) {
    if (l->state == LINK_CLOSED)
        return;
    l->state = LINK_CLOSED;
    if (!l->why_text[0]) {
        l->why = why;
        snprintf(l->why_text, sizeof l->why_text, "%s", text);
    }
    link_queue_drop(&l->queue);
    if (l->dialer)
        nng_stream_dialer_close(l->dialer);
    if (l->dial_aio)
        nng_aio_abort(l->dial_aio, NNG_ECANCELED);
    if (l->stream)
        nng_stream_close(l->stream);
    nng_aio_abort(l->recv_aio, NNG_ECANCELED);
    nng_aio_abort(l->send_aio, NNG_ECANCELED);
    nng_aio_abort(l->timer_aio, NNG_ECANCELED);
}

static void link_shut_unlocked(struct link *l, enum err_code why, const char *text) {
    pthread_mutex_lock(&l->mtx);
    link_shut(l, why, text);
    pthread_mutex_unlock(&l->mtx);
}

void link_close(struct link *l) {
    link_shut_unlocked(l, ERR_OK, "closed here");
}

/* Under mtx: one more operation of nng is under way. */
static void link_begin_op(struct link *l) {
    l->pending++;
    l->refs++;
}

/* The end of a callback, mtx held; lets go of it. Maybe the end of the link. */
static void link_end_op(struct link *l) {
    bool over = --l->pending == 0 && l->state == LINK_CLOSED;
    pthread_mutex_unlock(&l->mtx);
    if (over) {
        if (l->dials || l->accepted)
            l->handlers.closed(l->handlers.ctx, l, l->why, l->why_text);
        else
            l->gate.gone(l->gate.ctx, l, l->why, l->why_text);
    }
    link_release(l);
}

enum err_code link_impl_code(int n) {
    switch (n) {
    case NNG_ETIMEDOUT:
        return ERR_TIMEOUT;
    case NNG_ECRYPTO:
    case NNG_EPEERAUTH:
        return ERR_BAD_SIGNATURE;
    case NNG_ENOMEM:
        return ERR_NO_MEMORY;
    default:
        return ERR_UNREACHABLE;
    }
}

/* --- writing --- */

/* Under mtx: starts the next write if none is under way. */
static void link_kick(struct link *l) {
    struct slice s;
    nng_iov iov;
    if (l->sending || l->held || !l->stream || l->state == LINK_CLOSED)
        return;
    s = link_queue_next(&l->queue);
    if (s.len == 0)
        return;
    l->stats.writes++;
    iov.iov_buf = (void *)(uintptr_t)s.ptr;
    iov.iov_len = s.len;
    l->sending = true;
    nng_aio_set_iov(l->send_aio, 1, &iov);
    nng_aio_set_timeout(l->send_aio, (nng_duration)l->limits.idle_ms);
    link_begin_op(l);
    nng_stream_send(l->stream, l->send_aio);
}

static void link_sent(void *arg) {
    struct link *l = arg;
    int rv = nng_aio_result(l->send_aio);
    bool drained = false;
    pthread_mutex_lock(&l->mtx);
    l->sending = false;
    if (rv) {
        link_shut(l, link_impl_code(rv), nng_strerror(rv));
    } else {
        size_t n = nng_aio_count(l->send_aio);
        l->stats.bytes_out += n;
        l->last_out = nng_clock();
        link_queue_advance(&l->queue, n);
        link_kick(l);
        drained = !l->sending && l->state == LINK_LIVE && (l->dials || l->accepted) && l->handlers.drained;
    }
    if (drained) {
        pthread_mutex_unlock(&l->mtx);
        l->handlers.drained(l->handlers.ctx, l);
        pthread_mutex_lock(&l->mtx);
    }
    link_end_op(l);
}

static void link_tap_frame(const struct link *l, enum link_direction direction, struct slice bytes) {
    if (l->tap.frame)
        l->tap.frame(l->tap.ctx, l->peer, direction, bytes);
}

/* Under mtx. Hello frames go whatever the limits: the queue is empty then. */
static void link_put_hello(struct link *l, const struct buf *frame) {
    struct err e;
    if (buf_check(frame, &e) || link_queue_put(&l->queue, LINK_URGENT, buf_slice(frame), &e))
        link_shut(l, e.code, e.text);
}

enum err_code link_send(struct link *l, enum link_class class, struct slice bytes, struct err *e) {
    enum err_code rc;
    if (bytes.len == 0 || bytes.len > LIMIT_MESSAGE)
        return err_set(e, ERR_TOO_LARGE, "a frame of %zu bytes", bytes.len);
    pthread_mutex_lock(&l->mtx);
    if (l->state != LINK_LIVE) {
        rc = err_set(e, ERR_UNREACHABLE, "no connection to %s", l->peer);
    } else {
        rc = link_queue_put(&l->queue, class, bytes, e);
        l->stats.refused_full += rc == ERR_FULL;
        if (!rc) {
            l->stats.frames_out++;
            link_kick(l);
        }
    }
    pthread_mutex_unlock(&l->mtx);
    if (!rc)
        link_tap_frame(l, LINK_SENT, bytes);
    return rc;
}

/* --- the hello --- */

/* Sends one frame of the hello and moves on; from the receiver or the dialler's callback. */
static void link_hello_send(struct link *l, const struct buf *frame, enum link_state next) {
    pthread_mutex_lock(&l->mtx);
    if (l->state != LINK_CLOSED) {
        l->state = next;
        link_put_hello(l, frame);
        link_kick(l);
    }
    pthread_mutex_unlock(&l->mtx);
    link_tap_frame(l, LINK_SENT, buf_slice(frame));
}

/* The acceptor says why, and goes. */
static void link_refuse(struct link *l, enum err_code why, const char *text) {
    struct buf frame;
    buf_init(&frame, LINK_HELLO_MAX);
    link_hello_write_verdict(why, &frame);
    pthread_mutex_lock(&l->mtx);
    if (l->state != LINK_CLOSED && !l->why_text[0]) {
        l->why = why;
        snprintf(l->why_text, sizeof l->why_text, "%s", text);
    }
    link_queue_drop(&l->queue);
    l->held = false;
    pthread_mutex_unlock(&l->mtx);
    link_hello_send(l, &frame, LINK_DRAIN);
    buf_release(&frame);
}

static enum err_code link_check_open(struct link *l, struct err *e) {
    const struct link_hello *h = &l->hello;
    if (h->version != LINK_VERSION)
        return err_set(e, ERR_UNSUPPORTED, "%s speaks version %u of the protocol", h->dialler, h->version);
    if (!digest_eq(&h->network, &l->self->network))
        return err_set(e, ERR_WRONG_NETWORK, "%s is of another network", h->dialler);
    if (strcmp(h->acceptor, l->self->id) != 0)
        return err_set(e, ERR_NOT_ALLOWED, "%s looks for %s here", h->dialler, h->acceptor);
    if (h->kind == LINK_CLIENT) {
        l->peer_key = l->self->link_public;
        if (strcmp(h->dialler, l->self->id) == 0)
            return ERR_OK;
    } else if (h->kind == LINK_PEER && strcmp(h->dialler, l->self->id) != 0 &&
               l->gate.key_of(l->gate.ctx, h->dialler, &l->peer_key)) {
        return ERR_OK;
    }
    return err_set(e, ERR_NOT_ALLOWED, "%s is not allowed to connect here", h->dialler);
}

static void link_on_open(struct link *l, struct slice bytes) {
    struct err e;
    struct buf frame;
    if (link_hello_read_open(bytes, &l->hello, &e)) {
        link_refuse(l, e.code, e.text);
        return;
    }
    memcpy(l->peer, l->hello.dialler, sizeof l->peer);
    if (link_check_open(l, &e)) {
        link_refuse(l, e.code, e.text);
        return;
    }
    randombytes_buf(l->hello.nonce_acceptor, LINK_HELLO_NONCE);
    buf_init(&frame, LINK_HELLO_MAX);
    link_hello_write_reply(&l->hello, l->self->link_secret, &frame);
    link_hello_send(l, &frame, LINK_PROOF);
    buf_release(&frame);
}

static void link_on_proof(struct link *l, struct slice bytes) {
    struct err e;
    struct buf frame;
    struct link_handlers handlers = {0};
    bool taken;
    if (link_hello_read_proof(bytes, &l->hello, &l->peer_key, &e)) {
        link_refuse(l, e.code, e.text);
        return;
    }
    buf_init(&frame, LINK_HELLO_MAX);
    link_hello_write_verdict(ERR_OK, &frame);
    pthread_mutex_lock(&l->mtx);
    l->held = true; /* the verdict goes first, whatever the owner sends from its callback */
    pthread_mutex_unlock(&l->mtx);
    link_hello_send(l, &frame, LINK_LIVE);
    buf_release(&frame);
    taken = l->gate.accepted(l->gate.ctx, l, &handlers);
    if (!taken) {
        link_refuse(l, ERR_NOT_ALLOWED, "refused");
        return;
    }
    pthread_mutex_lock(&l->mtx);
    l->handlers = handlers;
    l->accepted = true;
    l->held = false;
    nng_aio_abort(l->timer_aio, NNG_EINTR); /* from the hello's deadline to pings */
    link_kick(l);
    pthread_mutex_unlock(&l->mtx);
}

static void link_on_reply(struct link *l, struct slice bytes) {
    struct err e;
    struct buf frame;
    if (link_hello_read_reply(bytes, &l->hello, &l->peer_key, &e)) {
        link_shut_unlocked(l, e.code, e.text);
        return;
    }
    buf_init(&frame, LINK_HELLO_MAX);
    link_hello_write_proof(&l->hello, l->self->link_secret, &frame);
    link_hello_send(l, &frame, LINK_VERDICT);
    buf_release(&frame);
}

static void link_on_verdict(struct link *l, enum link_state state, struct slice bytes) {
    enum err_code code = link_hello_read_verdict(bytes);
    char text[160];
    bool live = false;
    if (code || state != LINK_VERDICT) {
        snprintf(text, sizeof text, "%s refuses us: %s", l->peer, err_text(code ? code : ERR_MALFORMED));
        link_shut_unlocked(l, code ? code : ERR_MALFORMED, text);
        return;
    }
    pthread_mutex_lock(&l->mtx);
    if (l->state != LINK_CLOSED) {
        l->state = LINK_LIVE;
        nng_aio_abort(l->timer_aio, NNG_EINTR);
        live = true;
    }
    pthread_mutex_unlock(&l->mtx);
    if (live && l->handlers.ready)
        l->handlers.ready(l->handlers.ctx, l);
}

/* --- reading; one callback at a time --- */

/* One whole frame. False: the link is done for. */
static bool link_take_frame(struct link *l, struct slice bytes) {
    enum link_state state;
    unsigned step;
    pthread_mutex_lock(&l->mtx);
    state = l->state;
    l->stats.frames_in += bytes.len > 0 && state == LINK_LIVE;
    pthread_mutex_unlock(&l->mtx);
    if (state == LINK_CLOSED)
        return false;
    if (state == LINK_DRAIN)
        return true;
    if (bytes.len == 0)
        return state == LINK_LIVE;
    if (state == LINK_LIVE) {
        link_tap_frame(l, LINK_RECEIVED, bytes);
        l->handlers.frame(l->handlers.ctx, l, bytes);
        return true;
    }
    step = link_hello_step(bytes);
    if (state == LINK_OPEN && step == LINK_HELLO_STEP_OPEN)
        link_on_open(l, bytes);
    else if (state == LINK_PROOF && step == LINK_HELLO_STEP_PROOF)
        link_on_proof(l, bytes);
    else if (state == LINK_REPLY && step == LINK_HELLO_STEP_REPLY)
        link_on_reply(l, bytes);
    else if ((state == LINK_REPLY || state == LINK_VERDICT) && step == LINK_HELLO_STEP_VERDICT)
        link_on_verdict(l, state, bytes);
    else
        link_shut_unlocked(l, ERR_MALFORMED, "no hello, or out of turn");
    link_tap_frame(l, LINK_RECEIVED, bytes); /* after: only now is the peer's name known */
    return true;
}

/* Takes the whole frames of the input, keeps the rest. False on a frame that is too long. */
static bool link_take_frames(struct link *l) {
    size_t at = 0;
    bool going = true;
    while (going && l->in_len - at >= 4) {
        size_t len = buf_get32(l->in + at);
        bool live;
        pthread_mutex_lock(&l->mtx);
        live = l->state == LINK_LIVE;
        pthread_mutex_unlock(&l->mtx);
        if (len > (live ? LIMIT_MESSAGE : LINK_HELLO_MAX)) {
            link_shut_unlocked(l, live ? ERR_TOO_LARGE : ERR_MALFORMED, "a frame over the limit");
            return false; /* also in DRAIN: whoever is being refused says no more */
        }
        if (l->in_len - at - 4 < len)
            break;
        going = link_take_frame(l, slice_of(l->in + at + 4, len));
        at += 4 + len;
    }
    memmove(l->in, l->in + at, l->in_len - at);
    l->in_len -= at;
    return going;
}

/* Room for more input: grows by doubling as bytes come, never by what a header claims; shrinks when quiet. */
static bool link_make_room(struct link *l) {
    size_t cap = l->in_cap;
    uint8_t *p;
    if (l->in_len == cap)
        cap = cap ? cap * 2 : LINK_INPUT;
    else if (l->in_len < LINK_INPUT / 2 && cap > 4 * LINK_INPUT)
        cap = LINK_INPUT;
    if (cap > (size_t)LIMIT_MESSAGE + LINK_INPUT)
        cap = (size_t)LIMIT_MESSAGE + LINK_INPUT;
    if (cap == l->in_cap)
        return true;
    p = mem_realloc(l->in, cap);
    if (!p)
        return false;
    l->in = p;
    l->in_cap = cap;
    return true;
}

/* Under mtx. */
static void link_start_recv(struct link *l) {
    nng_iov iov;
    if (l->state == LINK_CLOSED)
        return;
    if (!link_make_room(l)) {
        link_shut(l, ERR_NO_MEMORY, "no memory for input");
        return;
    }
    iov.iov_buf = l->in + l->in_len;
    iov.iov_len = l->in_cap - l->in_len;
    nng_aio_set_iov(l->recv_aio, 1, &iov);
    nng_aio_set_timeout(l->recv_aio, NNG_DURATION_INFINITE);
    link_begin_op(l);
    nng_stream_recv(l->stream, l->recv_aio);
}

static void link_received(void *arg) {
    struct link *l = arg;
    int rv = nng_aio_result(l->recv_aio);
    bool more = false;
    if (!rv) {
        size_t n = nng_aio_count(l->recv_aio);
        l->in_len += n;
        pthread_mutex_lock(&l->mtx);
        l->stats.bytes_in += n;
        l->last_in = nng_clock();
        pthread_mutex_unlock(&l->mtx);
        more = link_take_frames(l);
    }
    pthread_mutex_lock(&l->mtx);
    if (rv)
        link_shut(l, link_impl_code(rv), nng_strerror(rv));
    if (more)
        link_start_recv(l);
    link_end_op(l);
}

/* --- time --- */

/* Under mtx: until the hello's deadline, then every ping_ms. */
static void link_start_timer(struct link *l) {
    if (l->state == LINK_CLOSED)
        return;
    link_begin_op(l);
    nng_sleep_aio((nng_duration)(l->state == LINK_LIVE ? l->limits.ping_ms : l->limits.handshake_ms), l->timer_aio);
}

static void link_tick(void *arg) {
    struct link *l = arg;
    struct err e;
    nng_time now = nng_clock();
    pthread_mutex_lock(&l->mtx);
    if (l->state != LINK_LIVE && l->state != LINK_CLOSED)
        link_shut(l, ERR_TIMEOUT, "no hello in time");
    else if (l->state == LINK_LIVE && now > l->last_in + l->limits.idle_ms)
        link_shut(l, ERR_TIMEOUT, "the peer has gone silent");
    else if (l->state == LINK_LIVE && now >= l->last_out + l->limits.ping_ms / 2 && link_queue_empty(&l->queue))
        if (!link_queue_put(&l->queue, LINK_URGENT, slice_none(), &e))
            link_kick(l);
    link_start_timer(l);
    link_end_op(l);
}

/* --- both ends --- */

struct link_limits link_impl_limits(const struct link_limits *in) {
    struct link_limits out = in ? *in : (struct link_limits){0};
#define LINK_DEFAULT(field, value) out.field = out.field ? out.field : (value)
    LINK_DEFAULT(handshake_ms, LINK_HANDSHAKE_MS);
    LINK_DEFAULT(ping_ms, LINK_PING_MS);
    LINK_DEFAULT(idle_ms, LINK_IDLE_MS);
    LINK_DEFAULT(urgent_count, LINK_URGENT_COUNT);
    LINK_DEFAULT(urgent_bytes, LINK_URGENT_BYTES);
    LINK_DEFAULT(bulk_count, LINK_BULK_COUNT);
    LINK_DEFAULT(bulk_bytes, LINK_BULK_BYTES);
    LINK_DEFAULT(pending_max, LINK_PENDING_MAX);
#undef LINK_DEFAULT
    return out;
}

enum err_code link_impl_url(const char *address, char out[LINK_ADDRESS + 16], struct err *e) {
    if (!address || !address[0] || strlen(address) >= LINK_ADDRESS || !strrchr(address, ':') || strchr(address, '/'))
        return err_set(e, ERR_CONFIG, "\"%.80s\" is no address: host:port", address ? address : "");
    snprintf(out, LINK_ADDRESS + 16, "tls+tcp://%s", address);
    return ERR_OK;
}

enum err_code link_impl_tls(const struct link_self *self, nng_tls_mode mode, const char *ca_pems, const char *name,
                            nng_tls_config **out, struct err *e) {
    nng_tls_config *cfg = NULL;
    const char *what = "TLS set-up";
    int rv = nng_tls_config_alloc(&cfg, mode);
    if (!rv)
        rv = nng_tls_config_version(cfg, NNG_TLS_1_2, NNG_TLS_1_2);
    if (!rv)
        rv = nng_tls_config_auth_mode(cfg, NNG_TLS_AUTH_MODE_REQUIRED);
    if (!rv && (what = "the CA certificates", true))
        rv = nng_tls_config_ca_chain(cfg, ca_pems, NULL);
    if (!rv && (what = "the node's certificate and key", true))
        rv = nng_tls_config_own_cert(cfg, self->cert_pem, self->key_pem, NULL);
    if (!rv && name)
        rv = nng_tls_config_server_name(cfg, name);
    if (rv) {
        if (cfg)
            nng_tls_config_free(cfg);
        return err_set(e, rv == NNG_ENOMEM ? ERR_NO_MEMORY : ERR_CONFIG, "%s: %s", what, nng_strerror(rv));
    }
    *out = cfg;
    return ERR_OK;
}

static void link_dialled(void *arg);

static enum err_code link_new(const struct link_self *self, const struct link_limits *limits,
                              const struct link_tap *tap, struct link **out, struct err *e) {
    struct link *l = mem_zalloc(1, sizeof *l);
    *out = NULL;
    if (!l)
        return err_set(e, ERR_NO_MEMORY, "no memory for a connection");
    pthread_mutex_init(&l->mtx, NULL);
    l->refs = 1;
    l->self = self;
    l->limits = link_impl_limits(limits);
    if (tap)
        l->tap = *tap;
    link_queue_init(&l->queue, &l->limits);
    l->last_in = l->last_out = nng_clock();
    if (nng_aio_alloc(&l->recv_aio, link_received, l) || nng_aio_alloc(&l->send_aio, link_sent, l) ||
        nng_aio_alloc(&l->timer_aio, link_tick, l) || nng_aio_alloc(&l->dial_aio, link_dialled, l)) {
        link_destroy(l);
        return err_set(e, ERR_NO_MEMORY, "no memory for a connection");
    }
    *out = l;
    return ERR_OK;
}

enum err_code link_impl_accept(const struct link_self *self, nng_stream *stream, const struct link_limits *limits,
                               const struct link_tap *tap, const struct link_gate *gate, struct link **out,
                               struct err *e) {
    enum err_code rc = link_new(self, limits, tap, out, e);
    if (rc) {
        nng_stream_free(stream);
        return rc;
    }
    (*out)->stream = stream;
    (*out)->gate = *gate;
    (*out)->state = LINK_OPEN;
    return ERR_OK;
}

void link_impl_begin(struct link *l) {
    pthread_mutex_lock(&l->mtx);
    link_begin_op(l); /* so that `gone` comes even if all that follows fails */
    link_start_timer(l);
    link_start_recv(l);
    link_end_op(l);
}

static void link_dialled(void *arg) {
    struct link *l = arg;
    int rv = nng_aio_result(l->dial_aio);
    struct buf frame;
    bool up = false;
    pthread_mutex_lock(&l->mtx);
    if (!rv) {
        l->stream = nng_aio_get_output(l->dial_aio, 0);
        up = l->state != LINK_CLOSED;
    }
    if (rv)
        link_shut(l, link_impl_code(rv), nng_strerror(rv));
    if (!up)
        goto out;
    pthread_mutex_unlock(&l->mtx);
    buf_init(&frame, LINK_HELLO_MAX);
    link_hello_write_open(&l->hello, &frame);
    link_hello_send(l, &frame, LINK_REPLY);
    buf_release(&frame);
    pthread_mutex_lock(&l->mtx);
    link_start_recv(l);
out:
    link_end_op(l);
}

static enum err_code link_prepare_dial(struct link *l, const struct link_target *t, struct err *e) {
    char url[LINK_ADDRESS + 16];
    enum err_code rc = link_impl_url(t->address, url, e);
    int rv;
    if (rc)
        return rc;
    if (strlen(t->id) > LIMIT_NAME || strlen(l->self->id) > LIMIT_NAME)
        return err_set(e, ERR_CONFIG, "an id of over %d bytes", LIMIT_NAME);
    rc = link_impl_tls(l->self, NNG_TLS_MODE_CLIENT, t->ca_pem, t->id, &l->tls, e);
    if (rc)
        return rc;
    rv = nng_stream_dialer_alloc(&l->dialer, url);
    if (!rv)
        rv = nng_stream_dialer_set_ptr(l->dialer, NNG_OPT_TLS_CONFIG, l->tls);
    if (!rv) /* off by default under TLS: each small message would wait 40 ms for an acknowledgement */
        rv = nng_stream_dialer_set_bool(l->dialer, NNG_OPT_TCP_NODELAY, true);
    if (rv)
        return err_set(e, rv == NNG_ENOMEM ? ERR_NO_MEMORY : ERR_CONFIG, "%s: %s", t->address, nng_strerror(rv));
    l->hello.version = LINK_VERSION;
    l->hello.kind = (uint8_t)t->kind;
    l->hello.network = l->self->network;
    snprintf(l->hello.dialler, sizeof l->hello.dialler, "%s", l->self->id);
    snprintf(l->hello.acceptor, sizeof l->hello.acceptor, "%s", t->id);
    randombytes_buf(l->hello.nonce_dialler, LINK_HELLO_NONCE);
    snprintf(l->peer, sizeof l->peer, "%s", t->id);
    l->peer_key = t->link_public;
    return ERR_OK;
}

enum err_code link_dial(const struct link_self *self, const struct link_target *target,
                        const struct link_limits *limits, const struct link_tap *tap,
                        const struct link_handlers *handlers, struct link **out, struct err *e) {
    struct link *l;
    enum err_code rc = link_new(self, limits, tap, &l, e);
    *out = NULL;
    if (rc)
        return rc;
    l->dials = true;
    l->handlers = *handlers;
    l->state = LINK_DIALLING;
    rc = link_prepare_dial(l, target, e);
    if (rc) {
        link_destroy(l);
        return rc;
    }
    *out = l; /* before the first callback can come */
    pthread_mutex_lock(&l->mtx);
    link_start_timer(l);
    link_begin_op(l);
    nng_aio_set_timeout(l->dial_aio, (nng_duration)l->limits.handshake_ms);
    nng_stream_dialer_dial(l->dialer, l->dial_aio);
    pthread_mutex_unlock(&l->mtx);
    return ERR_OK;
}

/* --- questions --- */

size_t link_queued(struct link *l) {
    size_t n;
    pthread_mutex_lock(&l->mtx);
    n = link_queue_bytes(&l->queue);
    pthread_mutex_unlock(&l->mtx);
    return n;
}

const char *link_peer(const struct link *l) {
    return l->peer;
}

enum link_kind link_kind_of(const struct link *l) {
    return (enum link_kind)l->hello.kind;
}

void link_stats(struct link *l, struct link_stats *out) {
    pthread_mutex_lock(&l->mtx);
    *out = l->stats;
    pthread_mutex_unlock(&l->mtx);
}
