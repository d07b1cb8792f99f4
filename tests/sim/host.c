/* tests/sim/host.c -- a channel's thread in the simulated world: carries out updates as core.h demands.
 * The ledger is a model: a block's body is its number and a set of entries; tree size and root are derived. */
#include "tests/sim/world_impl.h"

#include "wire/mem.h"

#include <stdlib.h>

/* Host messages: a byte above the core's types. */
enum { HOST_FETCH = 0x40, HOST_BODY, HOST_SYNC, HOST_SYNCED, HOST_ENTRIES };

static int host_name(const struct world_node *node) {
    return (int)node->member + (node->twin ? 16 : 0);
}

static void host_apply(struct world *w, struct world_node *node, const struct world_op *op) {
    struct world_disk *d = node->disk;
    size_t i, kept = 0;
    switch (op->kind) {
    case WORLD_OP_RECORD:
        for (i = 0; i < d->count; i++)
            if (d->records[i].view == op->record.view && d->records[i].type == op->record.type) {
                if (core_record_is_guard(op->record.type) && node->honest &&
                    (d->records[i].len != op->record.len ||
                     memcmp(d->records[i].bytes, op->record.bytes, op->record.len) != 0))
                    world_break(w, "member %u: a guard record would be overwritten in view %llu", node->member,
                                (unsigned long long)op->record.view);
                free(op->record.bytes);
                return;
            }
        check_stored(w, node, op->record.view, op->record.type);
        if (d->count < WORLD_RECORDS)
            d->records[d->count++] = op->record;
        break;
    case WORLD_OP_BLOCK:
        d->has[op->block] = true;
        break;
    case WORLD_OP_FINAL:
        d->final = op->block;
        memcpy(d->cert, op->record.bytes, op->record.len);
        d->cert_len = op->record.len;
        free(op->record.bytes);
        break;
    case WORLD_OP_PRUNE:
        for (i = 0; i < d->count; i++)
            if (d->records[i].view >= op->below)
                d->records[kept++] = d->records[i];
            else
                free(d->records[i].bytes);
        d->count = kept;
        break;
    }
}

static void host_op(struct world *w, struct world_node *node, struct world_op op, struct slice bytes) {
    if (bytes.len) {
        op.record.bytes = malloc(bytes.len);
        op.record.len = bytes.len;
        memcpy(op.record.bytes, bytes.ptr, bytes.len);
    }
    op.seq = node->seq;
    if (node->op_count < WORLD_OPS)
        node->ops[node->op_count++] = op;
    else
        world_break(w, "too many pending writes");
}

static void host_sync_begin(struct world *w, struct world_node *node) {
    if (node->sync_running || (node->op_count == 0 && node->persisted == node->seq))
        return;
    node->sync_running = true;
    node->syncing = node->op_count;
    world_push(w, (struct world_event){.at = w->now + 1 + world_rand(w, 12),
                                       .what = WORLD_SYNC,
                                       .node = host_name(node),
                                       .life = node->life,
                                       .arg = node->seq});
}

static void host_sync_apply(struct world *w, struct world_node *node) {
    size_t i;
    for (i = 0; i < node->syncing; i++)
        host_apply(w, node, &node->ops[i]);
    memmove(node->ops, node->ops + node->syncing, (node->op_count - node->syncing) * sizeof node->ops[0]);
    node->op_count -= node->syncing;
    node->syncing = 0;
    node->sync_running = false;
}

static void host_broadcast(struct world *w, struct world_node *node, int to, struct slice bytes) {
    int i;
    for (i = 0; i < w->node_count; i++)
        if (w->nodes[i]->member != node->member && (to == CORE_TO_ALL || w->nodes[i]->member == (uint32_t)to))
            net_send(w, node, i, bytes);
}

static void host_flush(struct world *w, struct world_node *node) {
    size_t i, kept = 0;
    for (i = 0; i < node->held_count; i++) {
        struct world_held *h = &node->held[i];
        if (h->after > node->persisted) {
            node->held[kept++] = *h;
            continue;
        }
        check_sent(w, node, slice_of(h->bytes, h->len));
        host_broadcast(w, node, h->to, slice_of(h->bytes, h->len));
        free(h->bytes);
    }
    node->held_count = kept;
}

static uint64_t host_chain(const struct world *w, int block) {
    uint64_t have = 0;
    for (; block >= 0; block = w->blocks[block].parent)
        have |= w->blocks[block].entries;
    return have;
}

static void host_pool(struct world *w, struct world_node *node) {
    bool some = (node->pool & ~host_chain(w, node->final)) != 0;
    struct core_event ev = {.type = CORE_EVENT_POOL, .u.pool_nonempty = some};
    node->pool_said = some;
    host_step(w, node, &ev);
}

static void host_build(struct world *w, struct world_node *node, const struct core_build *b) {
    struct core_event ev = {.type = CORE_EVENT_PAYLOAD};
    int parent = world_block_find(w, &b->parent), i;
    uint64_t add = node->pool & ~host_chain(w, parent);
    struct world_block *nb = &w->blocks[w->block_count];
    struct header *h = &nb->header;
    uint8_t seed[80] = {0};
    (void)i;
    ev.u.payload.view = b->view;
    ev.u.payload.ok = true;
    ev.u.payload.empty = add == 0;
    if (add && w->block_count < WORLD_BLOCKS) {
        memset(nb, 0, sizeof *nb);
        nb->parent = parent;
        nb->entries = add;
        h->channel = w->set.channel;
        h->epoch = w->set.epoch;
        h->height = b->height;
        h->prev = b->parent;
        h->body_len = 4;
        h->entries = (uint32_t)__builtin_popcountll(add);
        h->tree_size = (parent >= 0 ? w->blocks[parent].header.tree_size : 0) + h->entries;
        memcpy(seed, h->prev.b, 32);
        memcpy(seed + 32, &add, 8);
        h->tree_root = digest_of(slice_of(seed, 40));
        h->time = (int64_t)w->now;
        h->body_root = digest_of(slice_of(&add, 8));
        nb->hash = header_hash(h);
        i = world_block_find(w, &nb->hash);
        if (i < 0)
            i = w->block_count++;
        node->has[i] = node->valid[i] = true;
        host_op(w, node, (struct world_op){.kind = WORLD_OP_BLOCK, .block = i}, slice_none());
        ev.u.payload.header = *h;
    }
    host_step(w, node, &ev);
}

static void host_messages(struct world *w, struct world_node *node, const struct core_update *up, int sender) {
    size_t i;
    for (i = 0; i < up->message_count; i++) {
        const struct core_message *m = &up->messages[i];
        struct world_held *h = &node->held[node->held_count];
        uint32_t block = 0;
        if (node->held_count == WORLD_HELD)
            return;
        h->to = m->to == CORE_TO_SENDER ? sender : m->to;
        h->after = m->after_seq;
        h->len = m->bytes.len + (m->with_body ? 4 : 0);
        h->bytes = malloc(h->len);
        memcpy(h->bytes, m->bytes.ptr, m->bytes.len);
        if (m->with_body) {
            block = (uint32_t)world_block_find(w, &m->body);
            memcpy(h->bytes + m->bytes.len, &block, 4);
        }
        node->held_count++;
    }
}

static void host_finalized(struct world *w, struct world_node *node, const struct core_update *up) {
    size_t i;
    for (i = 0; i < up->finalized_count; i++) {
        int b = world_block_find(w, &up->finalized[i].hash);
        if (b < 0 || !node->has[b] || w->blocks[b].parent != node->final) {
            world_break(w, "member %u: a final block that is not here, or not next", node->member);
            return;
        }
        node->final = b;
        if (up->finalized[i].height == up->finalized[i].cert_height) {
            memcpy(node->cert, up->finalized[i].cert.ptr, up->finalized[i].cert.len);
            node->cert_len = up->finalized[i].cert.len;
            host_op(w, node, (struct world_op){.kind = WORLD_OP_FINAL, .block = b}, up->finalized[i].cert);
        }
    }
}

static void host_requests(struct world *w, struct world_node *node, const struct core_update *up) {
    size_t i;
    for (i = 0; i < up->validate_count; i++) {
        const struct core_validate *v = &up->validate[i];
        int b = world_block_find(w, &v->hash);
        bool ok = b >= 0 && (v->body.len == 4 || node->has[b]) && header_hash(&v->header).b[0] == v->hash.b[0];
        if (ok && (w->blocks[b].parent < 0 || node->valid[w->blocks[b].parent])) {
            node->has[b] = node->valid[b] = true;
            host_op(w, node, (struct world_op){.kind = WORLD_OP_BLOCK, .block = b}, slice_none());
        } else {
            ok = false;
        }
        world_push(w, (struct world_event){.at = w->now + world_rand(w, 4),
                                           .what = WORLD_VALIDATED,
                                           .node = host_name(node),
                                           .life = node->life,
                                           .block = b,
                                           .arg = ok});
    }
    for (i = 0; i < up->validate_count; i++)
        world_trace(w, "member %u validates height %llu", node->member,
                    (unsigned long long)up->validate[i].header.height);
    for (i = 0; i < up->fetch_count; i++) {
        world_trace(w, "member %u fetches height %llu", node->member, (unsigned long long)up->fetch[i].height);
        int b = world_block_find(w, &up->fetch[i].hash);
        uint8_t msg[5] = {HOST_FETCH};
        if (b < 0)
            continue;
        if (node->has[b])
            world_push(
                w,
                (struct world_event){
                    .at = w->now + 1, .what = WORLD_PAYLOAD, .node = host_name(node), .life = node->life, .block = b});
        memcpy(msg + 1, &b, 4);
        host_broadcast(w, node, CORE_TO_ALL, slice_of(msg, 5));
    }
    if (up->sync_wanted && w->now >= node->sync_at) {
        uint8_t msg[1] = {HOST_SYNC};
        node->sync_at = w->now + 50;
        host_broadcast(w, node, up->sync_from, slice_of(msg, 1));
    }
}

static int host_sender; /* of the event in hand; one thread */

void host_step(struct world *w, struct world_node *node, struct core_event *ev) {
    struct core_update *up = mem_alloc(sizeof *up);
    struct core_build build;
    size_t i;
    if (w->broken[0] || !up) {
        mem_free(up);
        return;
    }
    ev->now_ms = w->now;
    core_step(node->core, ev, up);
    w->steps++;
    check_update(w, node, up);
    if (up->seq)
        node->seq = up->seq;
    for (i = 0; i < up->record_count; i++)
        host_op(w, node,
                (struct world_op){.kind = WORLD_OP_RECORD,
                                  .record = {.view = up->records[i].view, .type = up->records[i].type}},
                up->records[i].bytes);
    host_finalized(w, node, up);
    if (up->prune_below)
        host_op(w, node, (struct world_op){.kind = WORLD_OP_PRUNE, .below = up->prune_below}, slice_none());
    host_messages(w, node, up, host_sender);
    host_flush(w, node);
    host_requests(w, node, up);
    host_sync_begin(w, node);
    if (up->view_changed && w->plan.role[node->member] == WORLD_NULLER) {
        struct message m = {.type = MESSAGE_NULLIFY, .channel = w->set.channel, .epoch = 1, .set_hash = w->set.hash};
        struct buf b, t;
        buf_init(&b, 4096);
        buf_init(&t, 4096);
        m.vote =
            (struct cert_vote){.type = CERT_NULLIFY, .epoch = 1, .view = core_view(node->core), .signer = node->member};
        cert_statement(&w->set, &m.vote, &t);
        memset(m.vote.sig.b, 0, SIGN_SIZE);
        buf_bytes(&t, w->set.member[node->member].key.b, 32);
        memcpy(m.vote.sig.b, digest_of(buf_slice(&t)).b, 32);
        message_write(&m, &b);
        host_broadcast(w, node, CORE_TO_ALL, buf_slice(&b));
        buf_release(&b);
        buf_release(&t);
    }
    if (up->deadline_ms == UINT64_MAX)
        node->deadline = 0;
    else if (up->deadline_ms != node->deadline) {
        node->deadline = up->deadline_ms;
        world_push(w, (struct world_event){.at = up->deadline_ms,
                                           .what = WORLD_TICK,
                                           .node = host_name(node),
                                           .life = node->life,
                                           .arg = up->deadline_ms});
    }
    build = up->build;
    i = up->finalized_count;
    if (up->view_changed)
        world_trace(w, "member %u%s: view %llu final %llu", node->member, node->twin ? "'" : "",
                    (unsigned long long)core_view(node->core), (unsigned long long)core_final_height(node->core));
    mem_free(up);
    if (i)
        host_pool(w, node);
    if (build.wanted)
        host_build(w, node, &build);
}

static void host_forward(struct world *w, struct world_node *node, bool all) {
    uint8_t msg[9] = {HOST_ENTRIES};
    memcpy(msg + 1, &node->pool, 8);
    host_broadcast(w, node, all ? CORE_TO_ALL : (int)core_leader(node->core), slice_of(msg, 9));
}

static void host_message(struct world *w, struct world_node *node, const struct world_event *we) {
    struct core_event ev = {.type = CORE_EVENT_RECV};
    struct world_node *from = w->nodes[we->from];
    uint8_t msg[5 + CERT_BYTES_MAX] = {HOST_BODY};
    uint64_t entries;
    int b, i;
    if (we->bytes[0] < HOST_FETCH) {
        ev.u.recv.from = (int)from->member;
        ev.u.recv.bytes = slice_of(we->bytes, we->len);
        host_step(w, node, &ev);
        return;
    }
    switch (we->bytes[0]) {
    case HOST_FETCH:
        memcpy(&b, we->bytes + 1, 4);
        if (node->has[b]) {
            memcpy(msg + 1, &b, 4);
            net_send(w, node, we->from, slice_of(msg, 5));
        }
        return;
    case HOST_BODY:
        memcpy(&b, we->bytes + 1, 4);
        node->has[b] = true;
        ev = (struct core_event){.type = CORE_EVENT_BODY_AVAILABLE};
        ev.u.body_available.hash = w->blocks[b].hash;
        ev.u.body_available.header = w->blocks[b].header;
        host_step(w, node, &ev);
        return;
    case HOST_SYNC:
        if (node->final < 0)
            return;
        msg[0] = HOST_SYNCED;
        memcpy(msg + 1, &node->final, 4);
        memcpy(msg + 5, node->cert, node->cert_len);
        net_send(w, node, we->from, slice_of(msg, 5 + node->cert_len));
        return;
    case HOST_SYNCED:
        memcpy(&b, we->bytes + 1, 4);
        if (w->blocks[b].header.height <= core_final_height(node->core))
            return;
        for (i = b; i >= 0 && i != node->final; i = w->blocks[i].parent) {
            node->has[i] = node->valid[i] = true;
            host_op(w, node, (struct world_op){.kind = WORLD_OP_BLOCK, .block = i}, slice_none());
        }
        if (i != node->final) {
            world_break(w, "FORK: member %u is offered another chain", node->member);
            return;
        }
        node->final = b;
        node->cert_len = we->len - 5;
        memcpy(node->cert, we->bytes + 5, node->cert_len);
        host_op(w, node, (struct world_op){.kind = WORLD_OP_FINAL, .block = b}, slice_of(we->bytes + 5, we->len - 5));
        ev = (struct core_event){.type = CORE_EVENT_SYNCED};
        ev.u.synced =
            (struct core_final){w->blocks[b].header.height, w->blocks[b].hash, slice_of(we->bytes + 5, we->len - 5)};
        host_step(w, node, &ev);
        host_pool(w, node);
        return;
    case HOST_ENTRIES:
        memcpy(&entries, we->bytes + 1, 8);
        if (entries & ~node->pool) {
            node->pool |= entries;
            host_pool(w, node);
        }
        return;
    default:
        return;
    }
}

static bool host_verify(void *ctx, const struct sign_public *pub, struct slice msg, const struct sign_signature *sig) {
    struct digest_state st;
    struct digest d;
    (void)ctx;
    digest_init(&st);
    digest_update(&st, msg);
    digest_update(&st, slice_of(pub->b, 32));
    digest_final(&st, &d);
    return memcmp(d.b, sig->b, 32) == 0;
}

static void host_sign(void *ctx, struct slice msg, struct sign_signature *out) {
    struct digest_state st;
    struct digest d;
    memset(out, 0, sizeof *out);
    digest_init(&st);
    digest_update(&st, msg);
    digest_update(&st, slice_of(((struct sign_public *)ctx)->b, 32));
    digest_final(&st, &d);
    memcpy(out->b, d.b, 32);
}

void host_start(struct world *w, struct world_node *node) {
    struct core_config config = {.set = &w->set,
                                 .self = (int)node->member,
                                 .delta_ms = WORLD_DELTA_MS,
                                 .verifier = {host_verify, NULL},
                                 .sign = host_sign,
                                 .sign_ctx = &w->set.member[node->member].key,
                                 .mutation = node->honest ? &w->plan.mutation : &w->plan.evil};
    struct core_event ev = {.type = CORE_EVENT_START};
    struct core_record *records = calloc(node->disk->count + 1, sizeof *records);
    size_t i;
    int b;
    if (core_new(&config, &node->core, NULL) != ERR_OK)
        abort();
    node->up = true;
    node->life++;
    node->op_count = node->syncing = node->held_count = 0;
    node->sync_running = false;
    node->seq = node->persisted = node->deadline = node->last_view = node->sync_at = 0;
    node->memory = core_memory(node->core);
    memcpy(node->has, node->disk->has, sizeof node->has);
    memset(node->valid, 0, sizeof node->valid);
    node->final = node->disk->final;
    node->cert_len = node->disk->cert_len;
    memcpy(node->cert, node->disk->cert, node->cert_len);
    node->max_final = node->final >= 0 ? w->blocks[node->final].header.height : 0;
    for (b = node->final; b >= 0; b = w->blocks[b].parent)
        node->valid[b] = true;
    for (i = 0; i < node->disk->count; i++)
        records[i] = (struct core_record){1, node->disk->records[i].view, node->disk->records[i].type,
                                          slice_of(node->disk->records[i].bytes, node->disk->records[i].len)};
    ev.u.start.records = records;
    ev.u.start.record_count = node->disk->count;
    ev.u.start.final.height = node->max_final;
    ev.u.start.final.hash = node->final >= 0 ? w->blocks[node->final].hash : digest_of(slice_str("genesis"));
    ev.u.start.final.cert = slice_of(node->cert, node->cert_len);
    host_step(w, node, &ev);
    free(records);
    host_pool(w, node);
}

void host_crash(struct world *w, struct world_node *node) {
    size_t i;
    if (!node->up)
        return;
    if (node->sync_running && world_rand(w, 2)) /* the sync had reached the disk, nobody had heard */
        host_sync_apply(w, node);
    for (i = 0; i < node->op_count; i++)
        free(node->ops[i].record.bytes);
    for (i = 0; i < node->held_count; i++)
        free(node->held[i].bytes);
    node->op_count = node->held_count = 0;
    core_free(node->core);
    node->core = NULL;
    node->up = false;
    node->life++;
    world_trace(w, "member %u crashes", node->member);
}

void host_event(struct world *w, struct world_node *node, const struct world_event *we) {
    struct core_event ev = {.type = CORE_EVENT_TICK};
    struct buf b;
    host_sender = CORE_TO_ALL;
    switch (we->what) {
    case WORLD_MESSAGE:
        host_sender = (int)w->nodes[we->from]->member;
        host_message(w, node, we);
        host_sender = CORE_TO_ALL;
        break;
    case WORLD_TICK:
        if (we->arg != node->deadline)
            break; /* another deadline has replaced it */
        node->deadline = 0;
        host_step(w, node, &ev);
        break;
    case WORLD_SYNC:
        host_sync_apply(w, node);
        node->persisted = we->arg;
        ev = (struct core_event){.type = CORE_EVENT_PERSISTED, .u.persisted_seq = we->arg};
        host_flush(w, node);
        host_step(w, node, &ev);
        break;
    case WORLD_VALIDATED:
        ev = (struct core_event){.type = CORE_EVENT_VALIDATED};
        if (we->block >= 0)
            ev.u.validated.hash = w->blocks[we->block].hash;
        ev.u.validated.ok = we->arg;
        host_step(w, node, &ev);
        break;
    case WORLD_PAYLOAD: /* a fetch that the own disk answers */
        ev = (struct core_event){.type = CORE_EVENT_BODY_AVAILABLE};
        ev.u.body_available.hash = w->blocks[we->block].hash;
        ev.u.body_available.header = w->blocks[we->block].header;
        host_step(w, node, &ev);
        break;
    case WORLD_ENTRY:
        node->pool |= we->arg;
        host_pool(w, node);
        host_forward(w, node, false);
        world_push(w, (struct world_event){.at = w->now + WORLD_DELTA_MS, .what = WORLD_FORWARD, .node = we->node});
        break;
    case WORLD_FORWARD: /* until final: the outbox */
        if (node->pool & ~host_chain(w, node->final)) {
            host_forward(w, node, true);
            world_push(w, (struct world_event){.at = w->now + 300, .what = WORLD_FORWARD, .node = we->node});
        }
        break;
    case WORLD_STATUS:
        buf_init(&b, MESSAGE_SMALL_MAX);
        core_status(node->core, &b);
        host_broadcast(w, node, CORE_TO_ALL, buf_slice(&b));
        buf_release(&b);
        break;
    case WORLD_CRASH:
    case WORLD_RESTART:
    case WORLD_CUT:
        break;
    }
}
