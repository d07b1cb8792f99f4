/* node/web_metrics.c -- /metrics (Prometheus text 0.0.4) and /healthz. */
#include "node/clock.h"
#include "node/web_inner.h"
#include "wire/mem.h"

struct web_sample {
    struct channel_status s;
    struct outbox_stats o;
    struct store_usage store;
    const char *name;
};

/* One row a metric: how to take it from a sample. */
struct web_metric {
    const char *name, *type, *help;
    uint64_t (*of)(const struct web_sample *x);
};

#define WEB_METRICS(X)                                                                                                 \
    X(height, gauge, "newest final block", x->s.tip.height)                                                            \
    X(entries, gauge, "entries in final blocks", x->s.tip.tree_size)                                                   \
    X(indexed_entries, gauge, "entries in the index", x->s.indexed_entries)                                            \
    X(view, gauge, "consensus view", x->s.view)                                                                        \
    X(epoch, gauge, "epoch of the validator set", x->s.epoch)                                                          \
    X(pool_batches, gauge, "batches waiting for a block", x->s.pool_batches)                                           \
    X(pool_bytes, gauge, "their bytes", x->s.pool_bytes)                                                               \
    X(outbox_entries, gauge, "own entries not yet final", x->o.entries)                                                \
    X(outbox_bytes, gauge, "bytes held by the outbox", x->o.bytes)                                                     \
    X(outbox_refused, gauge, "own entries that were refused", x->o.refused)                                            \
    X(members_up, gauge, "members that are connected", x->s.peers_up)                                                  \
    X(behind_blocks, gauge, "blocks still to be fetched",                                                              \
      x->s.sync_target > x->s.tip.height ? x->s.sync_target - x->s.tip.height : 0)                                     \
    X(halted, gauge, "1 when this node no longer votes here", x->s.halt != 0)                                          \
    X(mail_refused_total, counter, "messages dropped because a queue was full", x->s.mail_refused)                     \
    X(misbehaved_total, counter, "messages refused as a member's fault", x->s.misbehaved)                              \
    X(evidence_total, counter, "proofs of double votes kept", x->s.evidence)                                           \
    X(repaired_blocks_total, counter, "damaged blocks replaced by a member's copy", x->s.repaired)                     \
    X(store_used_bytes, gauge, "bytes of the ledger's pages in use", x->store.used_bytes)

#define WEB_TAKE(name, type, help, expr)                                                                               \
    static uint64_t web_take_##name(const struct web_sample *x) {                                                      \
        return (uint64_t)(expr);                                                                                       \
    }
WEB_METRICS(WEB_TAKE)
#undef WEB_TAKE
#define WEB_ROW(name, type, help, expr) {"assay_channel_" #name, #type, help, web_take_##name},
static const struct web_metric web_channel_metrics[] = {WEB_METRICS(WEB_ROW)};
#undef WEB_ROW

static void web_head(struct buf *out, const char *name, const char *type, const char *help) {
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void web_channels(struct node *n, struct buf *out) {
    struct web_sample *x = mem_zalloc(n->channel_count + 1, sizeof *x);
    size_t i, k;
    if (!x)
        return;
    for (i = 0; i < n->channel_count; i++) {
        struct node_channel *c = &n->channels[i];
        channel_status(c->channel, &x[i].s);
        if (outbox_stats(courier_outbox(c->courier), &x[i].o, NULL) != ERR_OK)
            memset(&x[i].o, 0, sizeof x[i].o);
        x[i].store = store_usage(channel_store(c->channel));
        x[i].name = channel_name(c->channel);
    }
    for (k = 0; k < sizeof web_channel_metrics / sizeof web_channel_metrics[0]; k++) {
        const struct web_metric *m = &web_channel_metrics[k];
        web_head(out, m->name, m->type, m->help);
        for (i = 0; i < n->channel_count; i++)
            buf_printf(out, "%s{channel=\"%s\"} %llu\n", m->name, x[i].name, (unsigned long long)m->of(&x[i]));
    }
    mem_free(x);
}

static void web_peers(struct node *n, struct buf *out) {
    struct peers_stats *p = mem_zalloc(LIMIT_MEMBERS, sizeof *p);
    size_t count, i;
    if (!p)
        return;
    count = peers_stats_all(n->peers, p, LIMIT_MEMBERS);
    web_head(out, "assay_peer_up", "gauge", "1 when connected");
    for (i = 0; i < count; i++)
        buf_printf(out, "assay_peer_up{peer=\"%s\"} %d\n", p[i].id, p[i].up);
    web_head(out, "assay_peer_received_bytes_total", "counter", "bytes received from a peer");
    for (i = 0; i < count; i++)
        buf_printf(out, "assay_peer_received_bytes_total{peer=\"%s\"} %llu\n", p[i].id,
                   (unsigned long long)p[i].bytes_in);
    web_head(out, "assay_peer_sent_bytes_total", "counter", "bytes sent to a peer");
    for (i = 0; i < count; i++)
        buf_printf(out, "assay_peer_sent_bytes_total{peer=\"%s\"} %llu\n", p[i].id, (unsigned long long)p[i].bytes_out);
    mem_free(p);
}

void web_metrics(void *web, struct buf *out) {
    struct node *n = ((struct web *)web)->node;
    struct spool_stats spool = spool_stats(n->spool);
    web_head(out, "assay_uptime_seconds", "gauge", "since the node started");
    buf_printf(out, "assay_uptime_seconds %llu\n", (unsigned long long)(clock_wall_ms() - n->started) / 1000);
    web_head(out, "assay_spool_bytes", "gauge", "ciphertexts of evidence kept");
    buf_printf(out, "assay_spool_bytes %llu\n", (unsigned long long)spool.bytes);
    web_channels(n, out);
    web_peers(n, out);
}

/* "ok", or what is wrong, a line each. Catching up is no illness; a halt, and too few members for a quorum, are. */
bool web_health(void *web, struct buf *out) {
    struct node *n = ((struct web *)web)->node;
    bool ok = atomic_load(&n->running);
    size_t i;
    if (!ok)
        buf_str(out, "the node is starting or stopping\n");
    for (i = 0; i < n->channel_count; i++) {
        struct channel *c = n->channels[i].channel;
        struct channel_status s;
        channel_status(c, &s);
        if (s.halt) {
            buf_printf(out, "channel %s: this node does not vote any more (halt %d)\n", channel_name(c), s.halt);
            ok = false;
        }
        if (s.peers_up + 1 < channel_set(c)->quorum.q) {
            buf_printf(out, "channel %s: only %u members are connected\n", channel_name(c), s.peers_up);
            ok = false;
        }
    }
    if (ok)
        buf_str(out, "ok\n");
    return ok;
}
