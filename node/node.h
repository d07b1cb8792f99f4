/* node/node.h -- one running node: what assayd is made of, and who may touch what.
 * Owns: the home, the keys, the connections, a channel actor and a courier for each channel it is a member of, the
 * vault and the spool, and the services on the stream of committed entries. Source: docs/ARCHITECTURE.md.
 *
 *   peers --> channel actors <-- couriers <-- outboxes <-- ingest, desk, commands
 *                  | tip moved
 *                  +--> desk (evidence, acknowledgements), anchors, watchers
 *   commands (rpc), HTTP --> api (node/api.h): one handler a method, on its own worker threads
 *
 * Everything here is constant between node_start and node_stop, except where a module guards its own. */
#ifndef NODE_NODE_H
#define NODE_NODE_H

#include "genesis/genesis.h"
#include "genesis/keys.h"
#include "ledger/home.h"
#include "ledger/spool.h"
#include "ledger/vault.h"
#include "node/channel.h"
#include "node/config.h"
#include "node/courier.h"
#include "wire/peers.h"
#include "wire/rpc.h"
#include "wire/tap.h"

#include <stdatomic.h>

struct api;
struct desk;
struct anchors;
struct ingest;
struct web;

struct faults;

struct node_channel {
    struct node *node;
    struct channel *channel;
    struct courier *courier;
    char dir[4096], outbox_dir[4096];
};

struct node {
    struct config config;
    struct genesis genesis;
    const struct genesis_node *self;
    const struct genesis_org *org;
    enum genesis_role role;
    struct keys keys;
    struct home *home;
    struct buf cert_pem, key_pem, ca_pems; /* NUL-terminated PEM texts */
    char id[LIMIT_NAME + 1];
    struct link_self link;
    struct peers *peers;
    struct faults *faults; /* of peers */
    struct rpc_server *rpc;
    struct tap *tap;
    struct node_channel channels[LIMIT_CHANNELS];
    size_t channel_count;
    struct vault *vault; /* enterprises only */
    struct spool *spool;
    struct api *api;
    struct desk *desk;
    struct anchors *anchors;
    struct ingest *ingest; /* enterprises only */
    struct web *web;       /* HTTP; NULL when not configured */
    int64_t started;       /* wall ms */
    atomic_bool running;   /* services may be called */
};

/* Starts the node of this home. On error nothing is left behind. LOCKED, WRONG_NETWORK, CONFIG, IO, CORRUPT ... */
enum err_code node_start(const char *home, struct node **out, struct err *e) ERR_CHECKED;
void node_stop(struct node *n);

/* NULL when this node is not a member of it. An absent name means the only channel besides the parent, if there is
 * one. */
struct node_channel *node_channel(struct node *n, struct slice name);
/* The disk or an own invariant failed: says so and ends the process at once, for nothing may be written any more. */
_Noreturn void node_fatal(const struct err *why);
/* Sends an envelope to a node. */
enum err_code node_send(struct node *n, struct slice to, enum envelope_type type, const struct digest *channel,
                        uint64_t request, struct slice body, struct err *e) ERR_CHECKED;
/* A home's secrets for the command line: config, genesis, keys, certificate; no lock, no thread. */
enum err_code node_load(const char *home, struct node *n, struct err *e) ERR_CHECKED;
void node_unload(struct node *n);

#endif
