/* node/api_status.c -- how the node and its channels are. */
#include "node/api.h"

#include "consensus/core.h"
#include "node/clock.h"
#include "wire/pack.h"

static void status_u64(struct buf *b, const char *key, uint64_t v) {
    pack_cstr(b, key);
    pack_u64(b, v);
}

static void status_text(struct buf *b, const char *key, struct slice v) {
    pack_cstr(b, key);
    pack_str(b, v);
}

static const char *status_halt(int halt) {
    switch ((enum core_halt)halt) {
    case CORE_HALT_NONE:
        return "";
    case CORE_HALT_OWN_SIGNATURE:
        return "own-signature";
    case CORE_HALT_FORK:
        return "fork";
    case CORE_HALT_ROOT:
        return "root";
    }
    return "?";
}

/* One channel as a map. */
static enum err_code status_channel(struct node_channel *c, struct buf *b, struct err *e) {
    struct channel_status s;
    struct outbox_stats o;
    const struct set *set = channel_set(c->channel);
    struct pool_usage pool;
    enum err_code rc = outbox_stats(courier_outbox(c->courier), &o, e);
    if (rc != ERR_OK)
        return rc;
    channel_status(c->channel, &s);
    pool = (struct pool_usage){.batches = s.pool_batches, .bytes = s.pool_bytes};
    pack_map(b, 23);
    status_u64(b, "entries", s.tip.tree_size);
    status_u64(b, "epoch", s.epoch);
    status_u64(b, "evidence", s.evidence);
    status_u64(b, "f", set->quorum.f);
    status_text(b, "halt", slice_str(status_halt(s.halt)));
    status_u64(b, "height", s.tip.height);
    status_u64(b, "indexed", s.indexed_entries);
    status_u64(b, "k", set->k);
    status_text(b, "leader", slice_str(set->member[s.leader].name));
    status_u64(b, "mail_refused", s.mail_refused);
    status_u64(b, "misbehaved", s.misbehaved);
    status_u64(b, "n", set->n);
    status_text(b, "name", slice_str(channel_name(c->channel)));
    status_u64(b, "outbox", o.entries);
    status_u64(b, "peers_up", s.peers_up);
    status_u64(b, "pool", pool.batches);
    status_u64(b, "q", set->quorum.q);
    status_u64(b, "refused", o.refused);
    status_u64(b, "repaired", s.repaired);
    status_u64(b, "seat", channel_seat(c->channel) < 0 ? 0 : (uint64_t)channel_seat(c->channel) + 1);
    status_u64(b, "sync_target", s.sync_target);
    pack_cstr(b, "time");
    pack_i64(b, s.tip.time);
    status_u64(b, "view", s.view);
    return ERR_OK;
}

enum err_code api_channel_show(struct api_call *call, struct err *e) {
    struct node_channel *c;
    enum err_code rc = api_only_channel(call, &c, e);
    return rc == ERR_OK ? status_channel(c, &call->out, e) : rc;
}

enum err_code api_status(struct api_call *call, struct err *e) {
    struct node *n = call->node;
    struct buf *b = &call->out;
    struct peers_stats *peers = arena_alloc(&call->arena, LIMIT_MEMBERS, sizeof *peers);
    size_t i, count;
    if (!peers)
        return err_set(e, ERR_NO_MEMORY, "no memory for the peers");
    pack_map(b, 8);
    pack_cstr(b, "channels");
    pack_array(b, (uint32_t)n->channel_count);
    for (i = 0; i < n->channel_count; i++) {
        enum err_code rc = status_channel(&n->channels[i], b, e);
        if (rc != ERR_OK)
            return rc;
    }
    status_text(b, "id", slice_str(n->id));
    status_text(b, "network", n->genesis.body.network);
    pack_cstr(b, "network_id");
    pack_bin(b, digest_slice(&n->genesis.id));
    status_text(b, "org", n->org->id);
    count = peers_stats_all(n->peers, peers, LIMIT_MEMBERS);
    pack_cstr(b, "peers");
    pack_array(b, (uint32_t)count);
    for (i = 0; i < count; i++) {
        pack_map(b, 8);
        status_u64(b, "bytes_in", peers[i].bytes_in);
        status_u64(b, "bytes_out", peers[i].bytes_out);
        status_text(b, "error", slice_str(peers[i].up ? "" : peers[i].last_error));
        status_text(b, "id", slice_str(peers[i].id));
        status_u64(b, "messages_in", peers[i].messages_in);
        status_u64(b, "messages_out", peers[i].messages_out);
        pack_cstr(b, "up");
        pack_bool(b, peers[i].up);
        status_u64(b, "ups", peers[i].ups);
    }
    status_text(b, "role", slice_str(genesis_role_names[n->role]));
    status_u64(b, "uptime_ms", (uint64_t)(clock_wall_ms() - n->started));
    return ERR_OK;
}
