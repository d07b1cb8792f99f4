/* wire/peers.h -- the mesh of one node: at most one connection to each peer of a table, kept up for ever.
 * Owns: the listener, the dialling with back-off, the table. Depends on: link. Source: DESIGN 11.
 * The node of the lexicographically lower id dials; an accepted connection replaces an older one of the same peer.
 * What waits in the queue of a connection is lost with it: protocols above resend.
 *
 *   peer:  DOWN --dial, or wait for its dial--> UP --closed--> DOWN (dial again after 0.1 .. 3 s, doubling, + jitter)
 *
 * Threads: callbacks run on nng's threads, one at a time for a peer (on_up, messages in order, on_down); they must
 * only enqueue. They may call peers_send. All functions are thread-safe. nng must not be used after fork. */
#ifndef WIRE_PEERS_H
#define WIRE_PEERS_H

#include "wire/link.h"

enum { PEERS_MAX = LIMIT_NODES, PEERS_BACKOFF_MS_MIN = 100, PEERS_BACKOFF_MS_MAX = 3000 };

struct peers;

/* One row; strings are copied. */
struct peers_entry {
    const char *id;
    const char *address; /* where it listens; may be NULL for one that always dials us */
    struct sign_public link_public;
    const char *ca_pem; /* its organisation's CA */
};

struct peers_config {
    const struct link_self *self; /* borrowed until peers_stop has returned */
    const char *listen;           /* "host:port"; port 0: any */
    const char *ca_pems;          /* CAs that the listener accepts; every organisation's, concatenated PEM */
    struct link_limits limits;
    struct link_tap tap; /* tests only */
    void *ctx;
    void (*on_message)(void *ctx, const char *peer, struct slice message);
    void (*on_up)(void *ctx, const char *peer);   /* may be NULL */
    void (*on_down)(void *ctx, const char *peer); /* may be NULL */
    /* The operator's command has connected: see rpc_server_accept. NULL refuses clients. */
    bool (*on_client)(void *ctx, struct link *l, struct link_handlers *handlers);
    void *client_ctx;
    void (*log)(void *ctx, const char *peer, const char *text); /* ups, downs, refusals; peer may be ""; may be NULL */
};

enum err_code peers_start(const struct peers_config *config, struct peers **out, struct err *e) ERR_CHECKED;
/* Ends every connection and waits until no callback runs or will run; frees p. Never from a callback. */
void peers_stop(struct peers *p);
uint16_t peers_port(const struct peers *p);

/* Adds a row, or replaces it (a changed key, address or CA drops the connection). FULL at PEERS_MAX.
 * This and peers_remove may call on_down on the caller's thread: hold no lock that callbacks take. */
enum err_code peers_set(struct peers *p, const struct peers_entry *entry, struct err *e) ERR_CHECKED;
void peers_remove(struct peers *p, const char *id);
/* Ends the connection to a peer and has none with it for `ms`. Its row stays, on_down comes later. Any thread, from
 * callbacks too. */
void peers_ban(struct peers *p, const char *id, uint32_t ms);

/* Copies a message to the peer's queue. FULL: try later; UNREACHABLE: no connection; NOT_FOUND: no such peer;
 * TOO_LARGE: over LIMIT_MESSAGE. */
enum err_code peers_send(struct peers *p, const char *id, enum link_class class, struct slice message,
                         struct err *e) ERR_CHECKED;

struct peers_stats {
    char id[LIMIT_NAME + 1];
    bool up, dials; /* connected; are we the side that dials */
    uint64_t ups;   /* connections so far */
    uint64_t messages_in, bytes_in, messages_out, bytes_out;
    uint64_t writes;       /* TLS writes: messages_out / writes is the gain of coalescing */
    uint64_t dropped_full; /* sends answered with FULL */
    uint64_t dropped_down; /* sends answered with UNREACHABLE */
    uint64_t queued;       /* bytes that wait now */
    char last_error[128];  /* why it is or was down, "" if never */
};
/* NOT_FOUND unless in the table. */
enum err_code peers_stats(struct peers *p, const char *id, struct peers_stats *out, struct err *e) ERR_CHECKED;
/* All rows, at most max, in order of id; returns how many. */
size_t peers_stats_all(struct peers *p, struct peers_stats *out, size_t max);
/* Connections refused before acceptance, since the start. */
uint64_t peers_refused(struct peers *p);

#endif
