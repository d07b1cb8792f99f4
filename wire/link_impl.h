/* wire/link_impl.h -- what link.c and link_listener.c share; nobody else includes it. */
#ifndef WIRE_LINK_IMPL_H
#define WIRE_LINK_IMPL_H

#include "wire/link.h"

#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>

/* The accepting side of a link asks its listener; the listener outlives every link that is not accepted yet. */
struct link_gate {
    void *ctx;
    bool (*key_of)(void *ctx, const char *id, struct sign_public *out);
    /* As link_listen.accepted. Whatever it returns, the gate hears no more of l if true, and `gone` if false. */
    bool (*accepted)(void *ctx, struct link *l, struct link_handlers *handlers);
    /* The last call about a link that was never accepted. */
    void (*gone)(void *ctx, struct link *l, enum err_code why, const char *text);
};

/* Takes an accepted stream (always, also on failure). No callback comes before link_impl_begin. */
enum err_code link_impl_accept(const struct link_self *self, nng_stream *stream, const struct link_limits *limits,
                               const struct link_tap *tap, const struct link_gate *gate, struct link **out,
                               struct err *e) ERR_CHECKED;
void link_impl_begin(struct link *l);
/* Membership of the listener's list; the listener's lock guards both. */
struct link **link_impl_next(struct link *l);

/* TLS of one end: 1.2, both certificates demanded. name: the server's name for a client, NULL for a server. */
enum err_code link_impl_tls(const struct link_self *self, nng_tls_mode mode, const char *ca_pems, const char *name,
                            nng_tls_config **out, struct err *e) ERR_CHECKED;
/* tls+tcp://address; CONFIG if it is too long or empty. */
enum err_code link_impl_url(const char *address, char out[LINK_ADDRESS + 16], struct err *e) ERR_CHECKED;
enum err_code link_impl_code(int nng_error);
struct link_limits link_impl_limits(const struct link_limits *limits); /* with the defaults */

#endif
