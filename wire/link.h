/* wire/link.h -- one connection: nng_stream (tls+tcp), signed hello, frames.
 * Owns: the TLS set-up of both ends, the hello, framing, the bounded outbound queue of a connection.
 * Depends on: nng, sign, buf, mem. Source: DESIGN 11, docs/PROTOCOL.md (links).
 *
 * Frame:   u32 BE length (1..LIMIT_MESSAGE) ‖ bytes. Length 0 is a ping: it shows life, nobody sees it.
 * Write:   frames that wait are coalesced, urgent before bulk, into one TLS write of up to LINK_WRITE bytes.
 * Hello:   four frames, before anything else; see link_hello.h. The certificate alone is no identity: on the
 *          accepting side the hello is. On the dialling side the certificate's name and the CA of the peer's own
 *          organisation are checked too, so that no other organisation's CA can put itself in between.
 *
 * Invariants: L1 no frame reaches the owner before `ready`; L2 `closed` comes exactly once and last; L3 frames of one
 * link arrive one at a time, in order within a class; L4 memory for input grows only with bytes received.
 * Threads: callbacks run on nng's threads and must only enqueue; they may call link_send and link_close. All
 * functions are thread-safe. nng must not be used after fork. */
#ifndef WIRE_LINK_H
#define WIRE_LINK_H

#include "wire/digest.h"
#include "wire/err.h"
#include "wire/limits.h"
#include "wire/sign.h"
#include "wire/slice.h"

enum {
    LINK_VERSION = 1,
    LINK_WRITE = 65536,       /* bytes coalesced into one write */
    LINK_HANDSHAKE_MS = 5000, /* from connection to the hello's end */
    LINK_PING_MS = 5000,      /* a quiet link sends a ping this often */
    LINK_IDLE_MS = 20000,     /* a link that says nothing for so long is dead */
    LINK_URGENT_COUNT = 4096, /* frames that may wait */
    LINK_URGENT_BYTES = 8 << 20,
    LINK_BULK_COUNT = 1024,
    LINK_BULK_BYTES = 32 << 20,
    LINK_PENDING_MAX = 64, /* accepted connections whose hello is not done */
    LINK_ADDRESS = 256     /* bytes of "host:port" */
};

enum link_kind { LINK_PEER = 1, LINK_CLIENT = 2 };
enum link_class { LINK_URGENT, LINK_BULK, LINK_CLASSES };

/* Who we are; borrowed by all links made from it, until the last is closed. PEM texts are NUL-terminated. */
struct link_self {
    const char *id;
    struct digest network;
    const struct sign_secret *link_secret;
    struct sign_public link_public;
    const char *cert_pem;
    const char *key_pem;
};

/* 0 means the default above. */
struct link_limits {
    uint32_t handshake_ms, ping_ms, idle_ms;
    uint32_t urgent_count, urgent_bytes, bulk_count, bulk_bytes;
    uint32_t pending_max;
};

enum link_direction { LINK_SENT, LINK_RECEIVED };
/* Sees the plaintext of every frame (hellos included) of every link made with it. For tests; NULL is off. */
struct link_tap {
    void (*frame)(void *ctx, const char *peer, enum link_direction direction, struct slice bytes);
    void *ctx;
};

struct link;

struct link_handlers {
    void (*ready)(void *ctx, struct link *l); /* dialler only: the hello is done; may be NULL */
    void (*frame)(void *ctx, struct link *l, struct slice bytes);
    void (*drained)(void *ctx, struct link *l); /* the queue has become empty; may be NULL */
    /* The last call. why: UNREACHABLE, TIMEOUT, BAD_SIGNATURE, NOT_ALLOWED, WRONG_NETWORK, UNSUPPORTED, MALFORMED,
     * TOO_LARGE, or OK after link_close. */
    void (*closed)(void *ctx, struct link *l, enum err_code why, const char *text);
    void *ctx;
};

struct link_target {
    const char *address; /* "host:port", "[v6]:port" */
    const char *id;      /* the peer's node id: TLS server name and hello */
    struct sign_public link_public;
    const char *ca_pem; /* the CA of the peer's organisation, and no other */
    enum link_kind kind;
};

/* Begins to dial; the result comes as ready or closed, within handshake_ms. Strings of target are copied.
 * An error means that neither will come. *out holds one reference: link_release. */
enum err_code link_dial(const struct link_self *self, const struct link_target *target,
                        const struct link_limits *limits, const struct link_tap *tap,
                        const struct link_handlers *handlers, struct link **out, struct err *e) ERR_CHECKED;

void link_hold(struct link *l);
void link_release(struct link *l);
/* Starts closing; `closed` follows unless it has come. Frames that still wait are dropped. */
void link_close(struct link *l);
/* Copies a frame into the queue. FULL at a limit, UNREACHABLE when closed or not yet ready, TOO_LARGE. */
enum err_code link_send(struct link *l, enum link_class class, struct slice bytes, struct err *e) ERR_CHECKED;
/* Queued bytes of all classes. */
size_t link_queued(struct link *l);
/* The peer's id; after ready. Valid as long as the reference. */
const char *link_peer(const struct link *l);
enum link_kind link_kind_of(const struct link *l);

struct link_stats {
    uint64_t frames_in, bytes_in, frames_out, bytes_out, writes, refused_full;
};
void link_stats(struct link *l, struct link_stats *out);

struct link_listener;

struct link_listen {
    const char *address; /* "host:port"; port 0: any, see link_listener_port */
    const char *ca_pems; /* every organisation's CA, concatenated PEM */
    struct link_limits limits;
    struct link_tap tap;
    void *ctx;
    /* The link key that a peer of this id must hold; false: not known here. Kind CLIENT never asks: it must hold the
     * node's own link key. */
    bool (*key_of)(void *ctx, const char *id, struct sign_public *out);
    /* A hello is done. Return true after filling *handlers to take the link (with one reference of your own);
     * false refuses it. No frame comes before the return. */
    bool (*accepted)(void *ctx, struct link *l, struct link_handlers *handlers);
    /* A connection was refused or failed before acceptance; for logs and counters; may be NULL. */
    void (*refused)(void *ctx, enum err_code why, const char *text);
};
enum err_code link_listener_start(const struct link_self *self, const struct link_listen *config,
                                  struct link_listener **out, struct err *e) ERR_CHECKED;
uint16_t link_listener_port(const struct link_listener *l);
/* Stops accepting, closes what is not accepted yet, waits for it. Accepted links live on. */
void link_listener_stop(struct link_listener *l);

#endif
