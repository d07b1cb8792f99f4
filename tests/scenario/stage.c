/* tests/scenario/stage.c -- a channel's thread as core.h demands it: persist, send, apply; with a model of a disk.
 * The ledger is a model too: a block is a set of numbered entries, its size and root follow from them. */
#include "tests/scenario/stage.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void stage_say(struct stage *st, const char *fmt, ...) {
    char line[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    buf_str(&st->out, line);
    buf_u8(&st->out, '\n');
}

struct stage_bytes stage_copy(struct slice bytes) {
    struct stage_bytes b = {malloc(bytes.len ? bytes.len : 1), bytes.len};
    if (!b.ptr)
        abort();
    if (bytes.len)
        memcpy(b.ptr, bytes.ptr, bytes.len);
    return b;
}

static void stage_sign(void *ctx, struct slice message, struct sign_signature *out) {
    sign_make(ctx, message, out);
}

struct stage *stage_new(uint32_t n, uint32_t k, uint32_t regulators, uint32_t delta) {
    struct stage *st = calloc(1, sizeof *st);
    uint32_t i;
    if (!st || sign_start(NULL) != ERR_OK)
        abort();
    st->delta = delta;
    st->set.n = n;
    st->set.k = k;
    st->set.epoch = 1;
    st->set.protocol = SET_PROTOCOL_VERSION;
    snprintf(st->set.origin, sizeof st->set.origin, "assay/net/channel");
    buf_init(&st->out, STAGE_OUTPUT);
    for (i = 0; i < STAGE_BLOCKS; i++)
        st->chain[i] = -1;
    for (i = 0; i < n; i++) {
        uint8_t seed[SIGN_SEED_SIZE] = {(uint8_t)(i + 1)};
        snprintf(st->set.member[i].name, sizeof st->set.member[i].name, "n%u", i);
        st->set.member[i].org = st->set.member[i].group = i;
        st->set.member[i].regulator = i >= n - regulators;
        st->nodes[i] = calloc(1, sizeof *st->nodes[i]);
        if (!st->nodes[i] || sign_from_seed(seed, &st->secret[i], &st->set.member[i].key, NULL) != ERR_OK)
            abort();
        st->nodes[i]->disk.final = -1;
    }
    do { /* the channel for which member 0 leads view 1 */
        st->set.channel.b[0]++;
        if (set_finish_unchecked(&st->set, NULL) != ERR_OK)
            abort();
    } while (set_leader(&st->set, 1) != 0);
    for (i = 0; i < n; i++)
        stage_start(st, i);
    stage_settle(st);
    return st;
}

void stage_free(struct stage *st) {
    uint32_t i;
    size_t k;
    if (!st)
        return;
    for (i = 0; i < st->set.n; i++) {
        struct stage_node *node = st->nodes[i];
        if (node->up)
            stage_crash(st, i);
        for (k = 0; k < node->disk.count; k++)
            free(node->disk.records[k].bytes.ptr);
        free(node->disk.cert.ptr);
        free(node);
        sign_secret_free(st->secret[i]);
    }
    for (k = 0; k < st->flight_count; k++)
        free(st->flight[k].bytes.ptr);
    buf_release(&st->out);
    free(st);
}

int stage_block_find(const struct stage *st, const struct digest *hash) {
    int i;
    for (i = 0; i < st->block_count; i++)
        if (digest_eq(&st->blocks[i].hash, hash))
            return i;
    return -1;
}

static struct digest stage_genesis(void) {
    return digest_of(slice_str("genesis"));
}

int stage_block_make(struct stage *st, int parent, uint64_t entries) {
    struct stage_block b = {.parent = parent, .entries = entries};
    const struct stage_block *p = parent >= 0 ? &st->blocks[parent] : NULL;
    uint8_t seed[DIGEST_SIZE + 8];
    int i;
    b.header = (struct header){.channel = st->set.channel,
                               .epoch = st->set.epoch,
                               .height = p ? p->header.height + 1 : 1,
                               .prev = p ? p->hash : stage_genesis(),
                               .body_len = 4,
                               .entries = (uint32_t)__builtin_popcountll(entries),
                               .time = 1};
    b.header.tree_size = (p ? p->header.tree_size : 0) + b.header.entries;
    memcpy(seed, b.header.prev.b, DIGEST_SIZE);
    memcpy(seed + DIGEST_SIZE, &entries, 8);
    b.header.tree_root = digest_of(slice_of(seed, sizeof seed));
    b.header.body_root = digest_of(slice_of(&entries, 8));
    b.hash = header_hash(&b.header);
    i = stage_block_find(st, &b.hash);
    if (i >= 0)
        return i;
    if (st->block_count == STAGE_BLOCKS)
        abort();
    st->blocks[st->block_count] = b;
    return st->block_count++;
}

/* Entries of a block and all below. */
static uint64_t stage_below(const struct stage *st, int block) {
    uint64_t have = 0;
    for (; block >= 0; block = st->blocks[block].parent)
        have |= st->blocks[block].entries;
    return have;
}

void stage_later(struct stage *st, struct stage_todo todo) {
    if (st->todo_count == STAGE_TODO)
        abort();
    st->todo[st->todo_count++] = todo;
}

static void stage_op(struct stage_node *node, struct stage_op op, struct slice bytes) {
    if (node->op_count == STAGE_OPS)
        abort();
    if (bytes.len)
        op.record.bytes = stage_copy(bytes);
    node->ops[node->op_count++] = op;
}

static void stage_apply_record(struct stage *st, uint32_t i, struct stage_record r) {
    struct stage_disk *d = &st->nodes[i]->disk;
    size_t k;
    for (k = 0; k < d->count; k++) {
        const struct stage_record *old = &d->records[k];
        if (old->view != r.view || old->type != r.type)
            continue;
        if (core_record_is_guard(r.type) &&
            (old->bytes.len != r.bytes.len || memcmp(old->bytes.ptr, r.bytes.ptr, r.bytes.len) != 0))
            stage_say(st, "BROKEN %u: another vote is recorded in view %llu", i, (unsigned long long)r.view);
        free(r.bytes.ptr);
        return;
    }
    if (d->count == STAGE_RECORDS)
        abort();
    d->records[d->count++] = r;
}

static void stage_apply(struct stage *st, uint32_t i, const struct stage_op *op) {
    struct stage_disk *d = &st->nodes[i]->disk;
    size_t k, kept = 0;
    switch (op->kind) {
    case STAGE_OP_RECORD:
        stage_apply_record(st, i, op->record);
        break;
    case STAGE_OP_BLOCK:
        d->has[op->block] = true;
        break;
    case STAGE_OP_FINAL:
        free(d->cert.ptr);
        d->final = op->block;
        d->cert = op->record.bytes;
        break;
    case STAGE_OP_PRUNE:
        for (k = 0; k < d->count; k++)
            if (d->records[k].view >= op->below)
                d->records[kept++] = d->records[k];
            else
                free(d->records[k].bytes.ptr);
        d->count = kept;
        break;
    }
}

static void stage_flush(struct stage *st, uint32_t i) {
    struct stage_node *node = st->nodes[i];
    size_t k, kept = 0;
    for (k = 0; k < node->waiting_count; k++) {
        struct stage_waiting *w = &node->waiting[k];
        if (w->after > node->persisted) {
            node->waiting[kept++] = *w;
            continue;
        }
        stage_send(st, i, w->to, slice_of(w->bytes.ptr, w->bytes.len), false);
        free(w->bytes.ptr);
    }
    node->waiting_count = kept;
}

void stage_sync(struct stage *st, uint32_t i) {
    struct stage_node *node = st->nodes[i];
    struct core_event ev = {.type = CORE_EVENT_PERSISTED, .u.persisted_seq = node->seq};
    size_t k;
    for (k = 0; k < node->op_count; k++)
        stage_apply(st, i, &node->ops[k]);
    node->op_count = 0;
    node->persisted = node->seq;
    stage_flush(st, i);
    stage_step(st, i, &ev, CORE_TO_ALL);
}

void stage_pool(struct stage *st, uint32_t i, uint64_t entries, bool forward) {
    struct stage_node *node = st->nodes[i];
    node->pool |= entries;
    if (!node->up)
        return;
    if (forward) {
        uint8_t msg[9] = {STAGE_BATCH};
        node->own |= entries;
        node->forward_wait = st->delta;
        node->forward_at = st->now + st->delta;
        memcpy(msg + 1, &entries, 8);
        if (core_leader(node->core) != i)
            stage_send(st, i, (int)core_leader(node->core), slice_of(msg, sizeof msg), false);
    }
    stage_later(st, (struct stage_todo){.node = i, .type = CORE_EVENT_POOL});
}

static void stage_judge(struct stage *st, uint32_t i, const struct core_update *up) {
    struct stage_node *node = st->nodes[i];
    char name[16];
    size_t k;
    for (k = 0; k < up->validate_count; k++) {
        const struct core_validate *v = &up->validate[k];
        int b = stage_block_find(st, &v->hash);
        bool ok = b >= 0 && (v->body.len == 4 || node->has[b]) && node->judge != STAGE_JUDGE_BAD &&
                  (st->blocks[b].parent < 0 || node->valid[st->blocks[b].parent]);
        if (ok) {
            node->has[b] = node->valid[b] = true;
            stage_op(node, (struct stage_op){.kind = STAGE_OP_BLOCK, .block = b}, slice_none());
        }
        stage_block_name(st, b, name);
        stage_say(st, "%u validates %s%s", i, name, node->judge == STAGE_JUDGE_LATER ? ", later" : ok ? "" : ": bad");
        if (node->judge == STAGE_JUDGE_LATER)
            node->judged[b] = true;
        else
            stage_later(st, (struct stage_todo){.node = i, .type = CORE_EVENT_VALIDATED, .block = b, .ok = ok});
    }
}

static void stage_finalized(struct stage *st, uint32_t i, const struct core_update *up) {
    struct stage_node *node = st->nodes[i];
    char name[16];
    size_t k;
    for (k = 0; k < up->finalized_count; k++) {
        const struct core_finalized *f = &up->finalized[k];
        int b = stage_block_find(st, &f->hash);
        stage_block_name(st, b, name);
        stage_say(st, "%u final %s, height %llu", i, name, (unsigned long long)f->height);
        if (b < 0 || !node->has[b] || st->blocks[b].parent != node->final)
            stage_say(st, "BROKEN %u: that block is not next", i);
        else if (st->chain[f->height] >= 0 && st->chain[f->height] != b)
            stage_say(st, "BROKEN %u: a fork at height %llu", i, (unsigned long long)f->height);
        else
            st->chain[f->height] = node->final = b;
        if (f->height != f->cert_height)
            continue;
        free(node->cert.ptr);
        node->cert = stage_copy(f->cert);
        stage_op(node, (struct stage_op){.kind = STAGE_OP_FINAL, .block = b}, f->cert);
    }
    if (up->finalized_count)
        stage_later(st, (struct stage_todo){.node = i, .type = CORE_EVENT_POOL});
}

static void stage_requests(struct stage *st, uint32_t i, const struct core_update *up) {
    struct stage_node *node = st->nodes[i];
    char name[16];
    size_t k;
    for (k = 0; k < up->fetch_count; k++) {
        int b = stage_block_find(st, &up->fetch[k].hash);
        uint8_t msg[5] = {STAGE_GET_BLOCK};
        if (b < 0)
            continue;
        stage_block_name(st, b, name);
        stage_say(st, "%u fetches %s", i, name);
        if (node->has[b])
            stage_later(st, (struct stage_todo){.node = i, .type = CORE_EVENT_BODY_AVAILABLE, .block = b});
        memcpy(msg + 1, &b, 4);
        if (!node->has[b])
            stage_send(st, i, CORE_TO_ALL, slice_of(msg, sizeof msg), false);
    }
    if (up->sync_wanted && st->now >= node->sync_at) {
        uint8_t msg[1] = {STAGE_GET_RANGE};
        node->sync_at = st->now + 50;
        stage_say(st, "%u wants to catch up", i);
        stage_send(st, i, up->sync_from, slice_of(msg, sizeof msg), false);
    }
    if (!up->build.wanted)
        return;
    if (node->manual_build)
        node->build = up->build;
    else
        stage_later(st, (struct stage_todo){.node = i, .type = CORE_EVENT_PAYLOAD, .build = up->build});
}

static void stage_tell(struct stage *st, uint32_t i, const struct core_update *up) {
    static const char *const halts[] = {"", "its own signature, made by another", "a fork", "another root"};
    struct stage_node *node = st->nodes[i];
    char a[80], b[80];
    size_t k;
    if (up->misbehaved)
        stage_say(st, "%u blames the sender: %s", i, up->fault.text);
    for (k = 0; k < up->evidence_count; k++) {
        stage_name(st, up->evidence[k].first, a);
        stage_name(st, up->evidence[k].second, b);
        stage_say(st, "%u has evidence (%c) against %u: %s, %s", i, up->evidence[k].clause, up->evidence[k].signer, a,
                  b);
    }
    if (up->view_changed)
        stage_say(st, "%u view %llu, leader %u", i, (unsigned long long)core_view(node->core), core_leader(node->core));
    if (up->halt != CORE_HALT_NONE && !node->halted)
        stage_say(st, "%u HALTS: %s", i, halts[up->halt]);
    node->halted = up->halt != CORE_HALT_NONE;
}

void stage_step(struct stage *st, uint32_t i, struct core_event *ev, int sender) {
    struct stage_node *node = st->nodes[i];
    struct core_update *up = &st->update;
    bool halted = node->halted;
    size_t k;
    if (++st->steps == STAGE_STEPS)
        stage_say(st, "BROKEN: a storm of %d steps", STAGE_STEPS);
    if (st->steps >= STAGE_STEPS)
        return;
    ev->now_ms = st->now;
    core_step(node->core, ev, up);
    stage_tell(st, i, up);
    if (up->seq)
        node->seq = up->seq;
    for (k = 0; k < up->record_count; k++) {
        struct stage_op op = {.kind = STAGE_OP_RECORD,
                              .record = {.view = up->records[k].view, .type = up->records[k].type}};
        if (halted && core_record_is_guard(up->records[k].type))
            stage_say(st, "BROKEN %u: votes though halted", i);
        stage_op(node, op, up->records[k].bytes);
    }
    stage_finalized(st, i, up);
    if (up->prune_below)
        stage_op(node, (struct stage_op){.kind = STAGE_OP_PRUNE, .below = up->prune_below}, slice_none());
    for (k = 0; k < up->message_count; k++) {
        const struct core_message *m = &up->messages[k];
        struct stage_waiting *w = &node->waiting[node->waiting_count++];
        struct buf b;
        uint32_t block = (uint32_t)stage_block_find(st, &m->body);
        buf_init(&b, STAGE_OUTPUT);
        buf_append(&b, m->bytes);
        if (m->with_body)
            buf_be32(&b, block);
        if (node->waiting_count == STAGE_WAITING)
            abort();
        *w = (struct stage_waiting){m->to == CORE_TO_SENDER ? sender : m->to, m->after_seq, stage_copy(buf_slice(&b))};
        buf_release(&b);
    }
    node->deadline = up->deadline_ms;
    stage_judge(st, i, up);
    stage_requests(st, i, up);
    stage_flush(st, i);
}

static void stage_build(struct stage *st, uint32_t i, const struct core_build *b) {
    struct stage_node *node = st->nodes[i];
    struct core_event ev = {.type = CORE_EVENT_PAYLOAD};
    int parent = stage_block_find(st, &b->parent), block;
    uint64_t add = node->pool & ~stage_below(st, parent);
    ev.u.payload.view = b->view;
    ev.u.payload.ok = true;
    ev.u.payload.empty = add == 0;
    if (add) {
        block = stage_block_make(st, parent, add);
        node->has[block] = node->valid[block] = true;
        stage_op(node, (struct stage_op){.kind = STAGE_OP_BLOCK, .block = block}, slice_none());
        ev.u.payload.header = st->blocks[block].header;
    }
    stage_step(st, i, &ev, CORE_TO_ALL);
}

static void stage_one(struct stage *st, const struct stage_todo *t) {
    struct stage_node *node = st->nodes[t->node];
    struct core_event ev = {.type = t->type};
    if (!node->up)
        return;
    if (t->type == CORE_EVENT_PAYLOAD) {
        stage_build(st, t->node, &t->build);
        return;
    }
    if (t->type == CORE_EVENT_POOL) {
        ev.u.pool_nonempty = (node->pool & ~stage_below(st, node->final)) != 0;
        if (!(node->own & ~stage_below(st, node->final)))
            node->own = 0;
    } else if (t->type == CORE_EVENT_VALIDATED) {
        ev.u.validated.hash = st->blocks[t->block].hash;
        ev.u.validated.ok = t->ok;
    } else {
        node->has[t->block] = true;
        ev.u.body_available.hash = st->blocks[t->block].hash;
        ev.u.body_available.header = st->blocks[t->block].header;
    }
    stage_step(st, t->node, &ev, CORE_TO_ALL);
}

void stage_settle(struct stage *st) {
    bool more = true;
    uint32_t i;
    while (more && st->steps < STAGE_STEPS) {
        more = st->todo_count > 0;
        if (more) {
            struct stage_todo t = st->todo[0];
            memmove(st->todo, st->todo + 1, --st->todo_count * sizeof st->todo[0]);
            stage_one(st, &t);
            continue;
        }
        for (i = 0; i < st->set.n && !more; i++) {
            struct stage_node *node = st->nodes[i];
            if (node->up && !node->manual_sync && (node->op_count || node->persisted < node->seq)) {
                stage_sync(st, i);
                more = true;
            }
        }
    }
}

static void stage_recv_range(struct stage *st, uint32_t i, const struct stage_flight *f) {
    struct stage_node *node = st->nodes[i];
    struct core_event ev = {.type = CORE_EVENT_SYNCED};
    struct slice cert = slice_of(f->bytes.ptr + 5, f->bytes.len - 5);
    int top, b;
    memcpy(&top, f->bytes.ptr + 1, 4);
    if (st->blocks[top].header.height <= core_final_height(node->core))
        return;
    for (b = top; b >= 0 && b != node->final; b = st->blocks[b].parent) {
        node->has[b] = node->valid[b] = true;
        stage_op(node, (struct stage_op){.kind = STAGE_OP_BLOCK, .block = b}, slice_none());
    }
    if (b != node->final)
        stage_say(st, "BROKEN %u: is offered another chain", i);
    node->final = top;
    free(node->cert.ptr);
    node->cert = stage_copy(cert);
    stage_op(node, (struct stage_op){.kind = STAGE_OP_FINAL, .block = top}, cert);
    ev.u.synced = (struct core_final){st->blocks[top].header.height, st->blocks[top].hash, cert};
    stage_say(st, "%u caught up to height %llu", i, (unsigned long long)ev.u.synced.height);
    stage_step(st, i, &ev, CORE_TO_ALL);
    stage_later(st, (struct stage_todo){.node = i, .type = CORE_EVENT_POOL});
}

void stage_recv(struct stage *st, const struct stage_flight *f) {
    struct stage_node *node = st->nodes[f->to];
    struct core_event ev = {.type = CORE_EVENT_RECV};
    uint8_t msg[5 + CERT_BYTES_MAX] = {STAGE_BLOCK};
    uint64_t entries;
    int b;
    if (!node->up)
        return;
    switch (f->bytes.ptr[0]) {
    case STAGE_GET_BLOCK:
        memcpy(&b, f->bytes.ptr + 1, 4);
        memcpy(msg + 1, &b, 4);
        if (node->has[b])
            stage_send(st, f->to, (int)f->from, slice_of(msg, 5), false);
        break;
    case STAGE_BLOCK:
        memcpy(&b, f->bytes.ptr + 1, 4);
        stage_later(st, (struct stage_todo){.node = f->to, .type = CORE_EVENT_BODY_AVAILABLE, .block = b});
        break;
    case STAGE_GET_RANGE:
        msg[0] = STAGE_RANGE;
        memcpy(msg + 1, &node->final, 4);
        memcpy(msg + 5, node->cert.ptr, node->final >= 0 ? node->cert.len : 0);
        if (node->final >= 0)
            stage_send(st, f->to, (int)f->from, slice_of(msg, 5 + node->cert.len), false);
        break;
    case STAGE_RANGE:
        stage_recv_range(st, f->to, f);
        break;
    case STAGE_BATCH:
        memcpy(&entries, f->bytes.ptr + 1, 8);
        if (entries & ~node->pool)
            stage_pool(st, f->to, entries, false);
        break;
    default:
        ev.u.recv.from = (int)f->from;
        ev.u.recv.bytes = slice_of(f->bytes.ptr, f->bytes.len);
        stage_step(st, f->to, &ev, (int)f->from);
        break;
    }
}

void stage_start(struct stage *st, uint32_t i) {
    struct stage_node *node = st->nodes[i];
    struct core_config config = {.set = &st->set,
                                 .self = (int)i,
                                 .delta_ms = st->delta,
                                 .verifier = cert_ed25519,
                                 .sign = stage_sign,
                                 .sign_ctx = st->secret[i],
                                 .mutation = &node->mutation};
    struct core_event ev = {.type = CORE_EVENT_START};
    struct core_record *records = calloc(node->disk.count + 1, sizeof *records);
    size_t k;
    int b;
    if (!records || core_new(&config, &node->core, NULL) != ERR_OK)
        abort();
    node->up = true;
    node->halted = false;
    node->seq = node->persisted = node->sync_at = 0;
    memcpy(node->has, node->disk.has, sizeof node->has);
    memset(node->valid, 0, sizeof node->valid);
    node->final = node->disk.final;
    node->cert = stage_copy(slice_of(node->disk.cert.ptr, node->disk.cert.len));
    for (b = node->final; b >= 0; b = st->blocks[b].parent)
        node->valid[b] = true;
    for (k = 0; k < node->disk.count; k++)
        records[k] = (struct core_record){st->set.epoch, node->disk.records[k].view, node->disk.records[k].type,
                                          slice_of(node->disk.records[k].bytes.ptr, node->disk.records[k].bytes.len)};
    ev.u.start.records = records;
    ev.u.start.record_count = node->disk.count;
    ev.u.start.final.height = node->final >= 0 ? st->blocks[node->final].header.height : 0;
    ev.u.start.final.hash = node->final >= 0 ? st->blocks[node->final].hash : stage_genesis();
    ev.u.start.final.cert = slice_of(node->cert.ptr, node->cert.len);
    stage_step(st, i, &ev, CORE_TO_ALL);
    free(records);
    stage_later(st, (struct stage_todo){.node = i, .type = CORE_EVENT_POOL});
}

void stage_crash(struct stage *st, uint32_t i) {
    struct stage_node *node = st->nodes[i];
    size_t k;
    for (k = 0; k < node->op_count; k++)
        free(node->ops[k].record.bytes.ptr);
    for (k = 0; k < node->waiting_count; k++)
        free(node->waiting[k].bytes.ptr);
    node->op_count = node->waiting_count = 0;
    free(node->cert.ptr);
    node->cert = (struct stage_bytes){NULL, 0};
    core_free(node->core);
    node->core = NULL;
    node->up = false;
    memset(&node->build, 0, sizeof node->build);
    node->pool = node->own; /* the outbox is durable, what others sent is not */
    memset(node->judged, 0, sizeof node->judged);
}

bool stage_due(struct stage *st, uint64_t *at) {
    uint32_t i;
    *at = UINT64_MAX;
    for (i = 0; i < st->set.n; i++) {
        const struct stage_node *node = st->nodes[i];
        if (node->up && node->deadline < *at)
            *at = node->deadline;
        if (node->up && node->own && node->forward_at < *at)
            *at = node->forward_at;
    }
    return *at != UINT64_MAX;
}

void stage_tick(struct stage *st) {
    uint32_t i;
    for (i = 0; i < st->set.n; i++) {
        struct stage_node *node = st->nodes[i];
        struct core_event ev = {.type = CORE_EVENT_TICK};
        if (node->up && node->own && node->forward_at <= st->now) {
            uint8_t msg[9] = {STAGE_BATCH};
            memcpy(msg + 1, &node->own, 8);
            stage_send(st, i, CORE_TO_ALL, slice_of(msg, sizeof msg), false);
            node->forward_wait = node->forward_wait * 2 > 20000 ? 20000 : node->forward_wait * 2;
            node->forward_at = st->now + node->forward_wait;
        }
        if (node->up && node->deadline <= st->now)
            stage_step(st, i, &ev, CORE_TO_ALL);
    }
    stage_settle(st);
}
