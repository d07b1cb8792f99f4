/* node/node.c -- puts a node together and takes it apart again; see node.h.
 * Start: home, config, genesis, keys, connections, channels, couriers, services. Stop is the reverse. */
#include "node/node.h"

#include "audit/anchor.h"
#include "audit/annotation.h"
#include "audit/cases_module.h"
#include "ledger/fsck.h"
#include "node/api.h"
#include "node/clock.h"
#include "node/ingest/ingest.h"
#include "node/desk.h"
#include "node/faults.h"
#include "node/anchors.h"
#include "node/ingest/ingest.h"
#include "node/log.h"
#include "node/web.h"
#include "wire/mem.h"
#include "wire/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { NODE_FILES = 65536, NODE_SECRET_FILE = 64 << 10 };

/* ---- what the home holds ---- */

static enum err_code node_read_file(const char *home, const char *name, struct buf *out, struct err *e) {
    char path[4096];
    int fd;
    ssize_t n;
    snprintf(path, sizeof path, "%s/%s", home, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? err_set(e, ERR_NOT_FOUND, "%s is missing", path) : err_errno(e, "opening %s", path);
    buf_init(out, NODE_SECRET_FILE);
    do {
        uint8_t *p = buf_extend(out, 4096);
        n = p ? read(fd, p, 4096) : -1;
        if (p)
            out->len -= n > 0 ? 4096 - (size_t)n : 4096;
    } while (n > 0);
    close(fd);
    if (n < 0)
        return err_errno(e, "reading %s", path);
    buf_u8(out, 0);
    return buf_check(out, e);
}

/* Every organisation's CA as one text of PEM blocks. */
static enum err_code node_ca_pems(const struct genesis *g, const struct genesis_org *only, struct buf *out,
                                  struct err *e) {
    uint32_t i;
    for (i = 0; i < genesis_org_count(g); i++) {
        const struct genesis_org *org = genesis_org_at(g, i);
        if (only && org != only)
            continue;
        buf_append(out, org->ca); /* PEM, with its final LF */
    }
    buf_u8(out, 0);
    return buf_check(out, e);
}

static enum err_code node_load_identity(struct node *n, const char *home, struct err *e) {
    char path[4096];
    enum err_code rc;
    snprintf(path, sizeof path, "%s/genesis.assay", home);
    if ((rc = genesis_read_file(path, &n->genesis, e)) != ERR_OK)
        return rc;
    n->self = genesis_node_find(&n->genesis, n->config.body.id);
    if (!n->self)
        return err_set(e, ERR_CONFIG, "%s/node.yaml: id \"%.*s\" is not a node of %s", home,
                       SLICE_ARG(n->config.body.id), path);
    n->org = genesis_org_find(&n->genesis, n->self->org);
    n->role = genesis_node_role(&n->genesis, n->self);
    snprintf(n->id, sizeof n->id, "%.*s", SLICE_ARG(n->self->id));
    snprintf(path, sizeof path, "%s/keys", home);
    if ((rc = keys_load(&n->keys, path, e)) != ERR_OK)
        return rc;
    if (memcmp(n->keys.submit_pub.b, n->self->submit, SIGN_PUBLIC_SIZE) != 0 ||
        memcmp(n->keys.consensus_pub.b, n->self->consensus, SIGN_PUBLIC_SIZE) != 0 ||
        memcmp(n->keys.link_pub.b, n->self->link, SIGN_PUBLIC_SIZE) != 0 ||
        memcmp(n->keys.box_pub, n->self->box, KEYS_BOX_SIZE) != 0)
        return err_set(e, ERR_CONFIG, "%s: these are not the keys that genesis knows for node %s", path, n->id);
    return ERR_OK;
}

enum err_code node_load(const char *home, struct node *n, struct err *e) {
    enum err_code rc = sign_start(e);
    buf_init(&n->ca_pems, 16 << 20);
    if (rc != ERR_OK || (rc = config_read(&n->config, home, e)) != ERR_OK ||
        (rc = node_load_identity(n, home, e)) != ERR_OK ||
        (rc = node_read_file(home, "keys/tls.pem", &n->cert_pem, e)) != ERR_OK ||
        (rc = node_read_file(home, "keys/tls.key", &n->key_pem, e)) != ERR_OK ||
        (rc = node_ca_pems(&n->genesis, NULL, &n->ca_pems, e)) != ERR_OK)
        return rc;
    n->link = (struct link_self){.id = n->id,
                                 .network = n->genesis.id,
                                 .link_secret = n->keys.link,
                                 .link_public = n->keys.link_pub,
                                 .cert_pem = (const char *)n->cert_pem.ptr,
                                 .key_pem = (const char *)n->key_pem.ptr};
    return ERR_OK;
}

void node_unload(struct node *n) {
    tls_wipe(&n->key_pem);
    buf_release(&n->cert_pem);
    buf_release(&n->ca_pems);
    keys_free(&n->keys);
    genesis_release(&n->genesis);
    config_release(&n->config);
}

/* ---- messages ---- */

struct node_channel *node_channel(struct node *n, struct slice name) {
    struct node_channel *found = NULL;
    size_t i;
    for (i = 0; i < n->channel_count; i++) {
        struct node_channel *c = &n->channels[i];
        if (name.len ? slice_eq_str(name, channel_name(c->channel)) : !channel_founding(c->channel)->parent) {
            if (found)
                return NULL; /* more than one is meant */
            found = c;
        }
    }
    return found;
}

static struct node_channel *node_channel_by_id(struct node *n, const struct digest *id) {
    size_t i;
    for (i = 0; i < n->channel_count; i++)
        if (digest_eq(id, channel_id(n->channels[i].channel)))
            return &n->channels[i];
    return NULL;
}

/* A peer's bytes were at fault. Too often: no connection with it for a while. */
static void node_fault(struct node *n, struct slice peer, const struct err *why) {
    char id[LIMIT_NAME + 1];
    uint32_t i;
    snprintf(id, sizeof id, "%.*s", SLICE_ARG(peer));
    log_line(LOG_WARN, "peers", "%s sent what is refused: %s: %s", id, err_name(why->code), why->text);
    for (i = 0; i < genesis_node_count(&n->genesis); i++)
        if (slice_eq(genesis_node_at(&n->genesis, i)->id, peer) && faults_note(n->faults, i, clock_monotonic_ms()) &&
            n->peers) {
            log_line(LOG_WARN, "peers", "%s is disconnected for %d s: too much of what it sends is refused", id,
                     FAULTS_BAN_MS / 1000);
            peers_ban(n->peers, id, FAULTS_BAN_MS);
        }
}

static void node_on_message(void *ctx, const char *peer, struct slice bytes) {
    struct node *n = ctx;
    struct envelope m;
    struct node_channel *c;
    struct err e = {0};
    if (!atomic_load(&n->running))
        return;
    if (envelope_read(bytes, &m, &e) != ERR_OK) {
        node_fault(n, slice_str(peer), &e);
        return;
    }
    c = node_channel_by_id(n, &m.channel);
    if (!c) {
        err_set(&e, ERR_WRONG_NETWORK, "a message of a channel that this node is not in");
        node_fault(n, slice_str(peer), &e);
        return;
    }
    if (m.type == ENVELOPE_EVIDENCE_GET || m.type == ENVELOPE_EVIDENCE_DATA)
        desk_message(n->desk, c, peer, &m);
    else if (channel_receive(c->channel, slice_str(peer), &m, &e) == ERR_NOT_ALLOWED)
        node_fault(n, slice_str(peer), &e);
    else if (e.code != ERR_OK)
        log_line(LOG_DEBUG, "peers", "a message of %s is dropped: %s", peer, e.text);
}

static void node_on_change(struct node *n, const char *peer, bool up) {
    size_t i;
    if (!atomic_load(&n->running))
        return;
    for (i = 0; i < n->channel_count; i++)
        channel_peer(n->channels[i].channel, slice_str(peer), up);
}
static void node_on_up(void *ctx, const char *peer) {
    node_on_change(ctx, peer, true);
}
static void node_on_down(void *ctx, const char *peer) {
    node_on_change(ctx, peer, false);
}
static void node_on_peer_log(void *ctx, const char *peer, const char *text) {
    (void)ctx;
    log_line(LOG_INFO, "peers", "%s%s%s", peer, *peer ? ": " : "", text);
}

enum err_code node_send(struct node *n, struct slice to, enum envelope_type type, const struct digest *channel,
                        uint64_t request, struct slice body, struct err *e) {
    struct envelope m = {.type = type, .channel = *channel, .request = request, .body = body};
    char id[LIMIT_NAME + 1];
    struct buf b;
    enum err_code rc;
    snprintf(id, sizeof id, "%.*s", SLICE_ARG(to));
    buf_init(&b, LIMIT_MESSAGE);
    rc = envelope_write(&m, &b, e);
    if (rc == ERR_OK)
        rc = peers_send(n->peers, id, envelope_urgent(type) ? LINK_URGENT : LINK_BULK, buf_slice(&b), e);
    buf_release(&b);
    return rc;
}

/* ---- what channels and couriers ask of the node ---- */

static enum err_code node_channel_send(void *ctx, struct slice node, bool urgent, struct slice bytes, struct err *e) {
    struct node_channel *c = ctx;
    char id[LIMIT_NAME + 1];
    if (!c->node->peers)
        return err_set(e, ERR_UNREACHABLE, "not connected yet");
    snprintf(id, sizeof id, "%.*s", SLICE_ARG(node));
    return peers_send(c->node->peers, id, urgent ? LINK_URGENT : LINK_BULK, bytes, e);
}

static void node_channel_final(void *ctx, struct channel *channel) {
    struct node_channel *c = ctx;
    (void)channel;
    if (c->courier)
        courier_final(c->courier);
    if (atomic_load(&c->node->running))
        desk_moved(c->node->desk);
}

static void node_channel_fate(void *ctx, struct channel *channel, const struct channel_fate *f) {
    struct node_channel *c = ctx;
    (void)channel;
    if (c->courier)
        courier_fate(c->courier, f);
}

static void node_channel_misbehaved(void *ctx, struct channel *channel, struct slice node, const struct err *why) {
    struct node_channel *c = ctx;
    (void)channel;
    node_fault(c->node, node, why);
}

void node_fatal(const struct err *why) {
    fprintf(stderr, "assayd: stops: %s: %s\n", err_text(why->code), why->text);
    _exit(err_exit_status(why->code)); /* nothing may be written any more: no clean-up */
}
static void node_channel_fatal(void *ctx, struct channel *channel, const struct err *why) {
    (void)ctx;
    (void)channel;
    node_fatal(why);
}
static void node_courier_fatal(void *ctx, const struct err *why) {
    (void)ctx;
    node_fatal(why);
}

/* ---- start ---- */

/* What governs a channel besides standards. All nodes of a network must serve the same: it decides what is valid. */
static const struct audit_module *const node_modules[] = {&cases_module, &anchor_module, &anchor_grant_module,
                                                          &annotation_module};

static enum err_code node_open_channel(struct node *n, const struct genesis_channel *founding, struct err *e) {
    struct node_channel *c = &n->channels[n->channel_count];
    struct channel_options co = {.genesis = &n->genesis,
                                 .founding = founding,
                                 .self = n->self,
                                 .keys = &n->keys,
                                 .dir = c->dir,
                                 .modules = node_modules,
                                 .module_count = sizeof node_modules / sizeof *node_modules,
                                 .ctx = c,
                                 .send = node_channel_send,
                                 .final = node_channel_final,
                                 .fate = node_channel_fate,
                                 .misbehaved = node_channel_misbehaved,
                                 .fatal = node_channel_fatal};
    struct courier_options oo = {.keys = &n->keys,
                                 .dir = c->outbox_dir,
                                 .bytes_max = n->config.body.limits.outbox_bytes,
                                 .fatal = node_courier_fatal};
    enum err_code rc;
    c->node = n;
    snprintf(c->dir, sizeof c->dir, "%s/channels/%.*s", n->config.home, SLICE_ARG(founding->name));
    snprintf(c->outbox_dir, sizeof c->outbox_dir, "%s/outbox/%.*s", n->config.home, SLICE_ARG(founding->name));
    if ((rc = home_mkdirs(c->dir, e)) != ERR_OK || (rc = channel_open(&co, &c->channel, e)) != ERR_OK)
        return rc;
    n->channel_count++;
    oo.channel = c->channel;
    return courier_open(&oo, &c->courier, e);
}

struct node_scan {
    char path[4096 + 16];
};

/* Only what kills its reader matters here: a fault that is told by a checksum is met again, and repaired, in time. */
static enum err_code node_scan(void *scan, struct err *e) {
    enum err_code rc = fsck_first_scan(((struct node_scan *)scan)->path, e);
    return rc == ERR_CORRUPT ? ERR_OK : rc;
}

/* A truncated database file is a SIGBUS to its reader: let a child find out, before any thread is there. */
static enum err_code node_scan_channels(struct node *n, struct err *e) {
    struct node_scan scan;
    uint32_t i;
    for (i = 0; i < genesis_channel_count(&n->genesis); i++) {
        const struct genesis_channel *founding = genesis_channel_at(&n->genesis, i);
        enum err_code rc;
        snprintf(scan.path, sizeof scan.path, "%s/channels/%.*s/ledger", n->config.home, SLICE_ARG(founding->name));
        if (genesis_is_member(founding, n->self->id) && (rc = fsck_in_fork(node_scan, &scan, e)) != ERR_OK) {
            err_wrap(e,
                     "channel %.*s, in %s (`assay fsck` tells more; do not simply remove it: the node's own votes are "
                     "in it, see docs/SECURITY.md)",
                     SLICE_ARG(founding->name), scan.path);
            return rc;
        }
    }
    return ERR_OK;
}

static enum err_code node_open_channels(struct node *n, struct err *e) {
    uint32_t i;
    for (i = 0; i < genesis_channel_count(&n->genesis); i++) {
        const struct genesis_channel *founding = genesis_channel_at(&n->genesis, i);
        enum err_code rc;
        if (genesis_is_member(founding, n->self->id) && (rc = node_open_channel(n, founding, e)) != ERR_OK)
            return rc;
    }
    return ERR_OK;
}

static bool node_shares_channel(const struct node *n, const struct genesis_node *other) {
    size_t i;
    for (i = 0; i < n->channel_count; i++)
        if (genesis_is_member(channel_founding(n->channels[i].channel), other->id))
            return true;
    return false;
}

static enum err_code node_add_peers(struct node *n, struct err *e) {
    uint32_t i;
    for (i = 0; i < genesis_node_count(&n->genesis); i++) {
        const struct genesis_node *other = genesis_node_at(&n->genesis, i);
        char id[LIMIT_NAME + 1], address[LINK_ADDRESS];
        struct peers_entry entry = {.id = id, .address = address};
        struct buf ca;
        enum err_code rc;
        if (other == n->self || !node_shares_channel(n, other))
            continue;
        snprintf(id, sizeof id, "%.*s", SLICE_ARG(other->id));
        snprintf(address, sizeof address, "%.*s", SLICE_ARG(other->address));
        memcpy(entry.link_public.b, other->link, SIGN_PUBLIC_SIZE);
        buf_init(&ca, 64 << 10);
        rc = node_ca_pems(&n->genesis, genesis_org_find(&n->genesis, other->org), &ca, e);
        entry.ca_pem = (const char *)ca.ptr;
        if (rc == ERR_OK)
            rc = peers_set(n->peers, &entry, e);
        buf_release(&ca);
        if (rc != ERR_OK)
            return rc;
    }
    return ERR_OK;
}

static enum err_code node_connect(struct node *n, struct err *e) {
    struct rpc_server_config rc_config = {.ctx = n, .on_request = api_rpc_request, .on_gone = api_rpc_gone};
    struct slice listen = n->config.body.listen.len ? n->config.body.listen : n->self->address;
    char address[LINK_ADDRESS];
    const char *tap = getenv("ASSAY_CAPTURE");
    struct peers_config pc = {.self = &n->link,
                              .listen = address,
                              .ca_pems = (const char *)n->ca_pems.ptr,
                              .ctx = n,
                              .on_message = node_on_message,
                              .on_up = node_on_up,
                              .on_down = node_on_down,
                              .on_client = rpc_server_accept,
                              .log = node_on_peer_log};
    enum err_code rc = rpc_server_new(&rc_config, &n->rpc, e);
    snprintf(address, sizeof address, "%.*s", SLICE_ARG(listen));
    pc.client_ctx = n->rpc;
    if (rc == ERR_OK && tap && *tap) {
        log_line(LOG_WARN, "peers", "writing the plain text of every message to %s: for tests only", tap);
        if ((rc = tap_open(tap, &n->tap, e)) == ERR_OK)
            pc.tap = tap_hook(n->tap);
    }
    if (rc == ERR_OK)
        rc = peers_start(&pc, &n->peers, e);
    return rc == ERR_OK ? node_add_peers(n, e) : rc;
}

static enum err_code node_open_stores(struct node *n, struct err *e) {
    char path[4096];
    uint8_t *key = NULL;
    enum err_code rc;
    snprintf(path, sizeof path, "%s/spool", n->config.home);
    if ((rc = spool_open(path, &(struct spool_options){0}, &n->spool, e)) != ERR_OK || n->role != GENESIS_ENTERPRISE)
        return rc;
    snprintf(path, sizeof path, "%s/keys/vault.key", n->config.home);
    if ((rc = vault_key_load(path, &key, e)) != ERR_OK)
        return rc;
    snprintf(path, sizeof path, "%s/vault", n->config.home);
    rc = vault_open(path, key, &n->vault, e);
    sodium_free(key);
    return rc;
}

enum err_code node_start(const char *home, struct node **out, struct err *e) {
    struct node *n = mem_zalloc(1, sizeof *n);
    unsigned long files = 0;
    enum err_code rc;
    if (!n)
        return err_set(e, ERR_NO_MEMORY, "no memory for a node");
    n->started = clock_wall_ms();
    if ((rc = home_raise_files(NODE_FILES, &files, e)) != ERR_OK || (rc = node_load(home, n, e)) != ERR_OK ||
        (rc = home_open(home, &n->genesis.id, &n->home, e)) != ERR_OK ||
        (rc = faults_new(genesis_node_count(&n->genesis), &n->faults, e)) != ERR_OK ||
        (rc = node_open_stores(n, e)) != ERR_OK || (rc = node_scan_channels(n, e)) != ERR_OK ||
        (rc = node_open_channels(n, e)) != ERR_OK || (rc = api_start(n, &n->api, e)) != ERR_OK ||
        (rc = desk_new(n, &n->desk, e)) != ERR_OK)
        goto out;
    if (n->role == GENESIS_ENTERPRISE && (rc = ingest_start(n, &n->ingest, e)) != ERR_OK)
        goto out;
    atomic_store(&n->running, true);
    if ((rc = node_connect(n, e)) == ERR_OK)
        rc = desk_start(n->desk, e);
    if (rc == ERR_OK)
        rc = anchors_start(n, &n->anchors, e);
    if (rc == ERR_OK)
        rc = web_start(n, &n->web, e);
out:
    if (rc != ERR_OK) {
        node_stop(n);
        return rc;
    }
    *out = n;
    return ERR_OK;
}

void node_stop(struct node *n) {
    size_t i;
    atomic_store(&n->running, false);
    web_stop(n->web);
    for (i = 0; i < n->channel_count; i++)
        if (n->channels[i].courier)
            courier_stop(n->channels[i].courier); /* who waits for finality waits no more */
    api_stop(n->api);
    anchors_stop(n->anchors);
    desk_stop(n->desk);
    if (n->peers)
        peers_stop(n->peers);
    if (n->rpc)
        rpc_server_free(n->rpc);
    ingest_stop(n->ingest);
    for (i = 0; i < n->channel_count; i++) {
        /* The channel calls its courier until its thread has ended; the courier reads the channel's store. */
        channel_stop(n->channels[i].channel);
        courier_close(n->channels[i].courier);
        channel_close(n->channels[i].channel);
    }
    desk_free(n->desk);
    if (n->tap)
        tap_close(n->tap);
    if (n->spool)
        spool_close(n->spool);
    if (n->vault)
        vault_close(n->vault);
    faults_free(n->faults);
    node_unload(n);
    home_close(n->home);
    mem_free(n);
}
