/* wire/link_listener.c -- accepts connections for link.h: bounded, one bad peer never harms another.
 * Owns: the listening socket and the list of connections whose hello is not done. Lock order: this lock, a link's. */
#include "wire/link_impl.h"

#include "wire/mem.h"

#include <nng/supplemental/util/platform.h>
#include <pthread.h>
#include <stdio.h>

enum { LINK_LISTENER_PAUSE_MS = 100 }; /* after a failed accept (no descriptors, no memory) */

struct link_listener {
    const struct link_self *self;
    struct link_listen config; /* strings not kept */
    struct link_limits limits;
    nng_tls_config *tls;
    nng_stream_listener *listener;
    nng_aio *aio; /* accept, or a pause */
    uint16_t port;

    pthread_mutex_t mtx;
    pthread_cond_t changed;
    struct link *pending; /* each holds one reference of ours */
    uint32_t pending_count;
    bool stopping, pausing, ended;
};

static bool link_listener_key_of(void *ctx, const char *id, struct sign_public *out) {
    struct link_listener *l = ctx;
    return l->config.key_of(l->config.ctx, id, out);
}

/* A pending link leaves the list; nothing of the listener may be touched afterwards. */
static void link_listener_forget(struct link_listener *l, struct link *link) {
    struct link **at;
    pthread_mutex_lock(&l->mtx);
    for (at = &l->pending; *at != link; at = link_impl_next(*at))
        ERR_ASSERT(*at);
    *at = *link_impl_next(link);
    link_release(link); /* not the last: the caller's operation holds another */
    l->pending_count--;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->mtx);
}

static bool link_listener_accepted(void *ctx, struct link *link, struct link_handlers *handlers) {
    struct link_listener *l = ctx;
    if (!l->config.accepted(l->config.ctx, link, handlers))
        return false;
    link_listener_forget(l, link);
    return true;
}

static void link_listener_gone(void *ctx, struct link *link, enum err_code why, const char *text) {
    struct link_listener *l = ctx;
    if (l->config.refused)
        l->config.refused(l->config.ctx, why, text);
    link_listener_forget(l, link);
}

/* Under mtx. */
static void link_listener_next(struct link_listener *l) {
    if (l->stopping) {
        l->ended = true;
        pthread_cond_broadcast(&l->changed);
    } else if (l->pausing) {
        nng_sleep_aio(LINK_LISTENER_PAUSE_MS, l->aio);
    } else {
        nng_stream_listener_accept(l->listener, l->aio);
    }
}

/* Under mtx: a new connection joins the list, or is dropped. */
static struct link *link_listener_take(struct link_listener *l, nng_stream *stream, struct err *e) {
    struct link_gate gate = {l, link_listener_key_of, link_listener_accepted, link_listener_gone};
    struct link *link;
    if (l->stopping || l->pending_count >= l->limits.pending_max) {
        nng_stream_free(stream);
        err_set(e, ERR_FULL, "%u connections are being made already", l->pending_count);
        return NULL;
    }
    if (link_impl_accept(l->self, stream, &l->limits, &l->config.tap, &gate, &link, e))
        return NULL;
    *link_impl_next(link) = l->pending;
    l->pending = link;
    l->pending_count++;
    return link;
}

static void link_listener_on_accept(void *arg) {
    struct link_listener *l = arg;
    int rv = nng_aio_result(l->aio);
    struct link *link = NULL;
    struct err e = {0};
    bool refused = false;
    pthread_mutex_lock(&l->mtx);
    if (l->pausing) {
        l->pausing = false;
    } else if (rv) {
        l->pausing = true;
    } else {
        link = link_listener_take(l, nng_aio_get_output(l->aio, 0), &e);
        refused = !link && !l->stopping;
    }
    pthread_mutex_unlock(&l->mtx);
    if (link)
        link_impl_begin(link);
    if (refused && l->config.refused)
        l->config.refused(l->config.ctx, e.code, e.text);
    pthread_mutex_lock(&l->mtx);
    link_listener_next(l);
    pthread_mutex_unlock(&l->mtx);
}

static void link_listener_free(struct link_listener *l) {
    if (l->aio)
        nng_aio_free(l->aio);
    if (l->listener)
        nng_stream_listener_free(l->listener);
    if (l->tls)
        nng_tls_config_free(l->tls);
    pthread_cond_destroy(&l->changed);
    pthread_mutex_destroy(&l->mtx);
    mem_free(l);
}

static enum err_code link_listener_open(struct link_listener *l, struct err *e) {
    char url[LINK_ADDRESS + 16];
    int rv, port = 0;
    enum err_code rc = link_impl_url(l->config.address, url, e);
    if (!rc)
        rc = link_impl_tls(l->self, NNG_TLS_MODE_SERVER, l->config.ca_pems, NULL, &l->tls, e);
    if (rc)
        return rc;
    rv = nng_stream_listener_alloc(&l->listener, url);
    if (!rv)
        rv = nng_stream_listener_set_ptr(l->listener, NNG_OPT_TLS_CONFIG, l->tls);
    if (!rv)
        rv = nng_stream_listener_set_bool(l->listener, NNG_OPT_TCP_NODELAY, true);
    if (!rv)
        rv = nng_stream_listener_listen(l->listener);
    if (!rv)
        rv = nng_stream_listener_get_int(l->listener, NNG_OPT_TCP_BOUND_PORT, &port);
    if (!rv)
        rv = nng_aio_alloc(&l->aio, link_listener_on_accept, l);
    if (rv)
        return err_set(e, rv == NNG_ENOMEM ? ERR_NO_MEMORY : ERR_CONFIG, "cannot listen on %s: %s", l->config.address,
                       nng_strerror(rv));
    l->port = (uint16_t)port;
    return ERR_OK;
}

enum err_code link_listener_start(const struct link_self *self, const struct link_listen *config,
                                  struct link_listener **out, struct err *e) {
    struct link_listener *l = mem_zalloc(1, sizeof *l);
    enum err_code rc;
    *out = NULL;
    if (!l)
        return err_set(e, ERR_NO_MEMORY, "no memory for a listener");
    l->self = self;
    l->config = *config;
    l->limits = link_impl_limits(&config->limits);
    pthread_mutex_init(&l->mtx, NULL);
    pthread_cond_init(&l->changed, NULL);
    rc = link_listener_open(l, e);
    if (rc) {
        link_listener_free(l);
        return rc;
    }
    *out = l;
    pthread_mutex_lock(&l->mtx);
    link_listener_next(l);
    pthread_mutex_unlock(&l->mtx);
    return ERR_OK;
}

uint16_t link_listener_port(const struct link_listener *l) {
    return l->port;
}

void link_listener_stop(struct link_listener *l) {
    struct link *link;
    pthread_mutex_lock(&l->mtx);
    l->stopping = true;
    nng_stream_listener_close(l->listener);
    nng_aio_abort(l->aio, NNG_ECANCELED);
    for (link = l->pending; link; link = *link_impl_next(link))
        link_close(link);
    while (!l->ended || l->pending)
        pthread_cond_wait(&l->changed, &l->mtx);
    pthread_mutex_unlock(&l->mtx);
    link_listener_free(l);
}
