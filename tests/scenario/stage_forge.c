/* tests/scenario/stage_forge.c -- messages that a liar, or a twin of a node, could send: made with the real keys. */
#include "tests/scenario/stage.h"

#include <stdlib.h>

static struct message stage_forge_head(const struct stage *st, const struct stage_forge *f) {
    struct message m;
    memset(&m, 0, sizeof m);
    m.type = (enum message_type)f->type;
    m.channel = f->other_channel ? digest_of(slice_str("elsewhere")) : st->set.channel;
    m.epoch = f->epoch ? f->epoch : st->set.epoch;
    m.set_hash = f->other_set ? digest_of(slice_str("another set")) : st->set.hash;
    m.view = f->view;
    m.kind = f->kind;
    return m;
}

/* What view and block a proposal would have; its parent is that of `parent_view`, for which some proposal is known. */
static struct cert_prop stage_forge_prop(const struct stage *st, const struct stage_forge *f, const struct message *m) {
    const struct stage_block *b = &st->blocks[f->block];
    struct cert_prop p = {m->channel, m->epoch, m->set_hash, f->view, f->parent_view, {{0}}, b->header.height, b->hash};
    size_t i;
    for (i = 0; f->parent_view && i < st->prop_count; i++)
        if (st->props[i].view == f->parent_view && (st->props[i].block == b->parent || st->props[i].block == f->block))
            p.parent_pid = st->props[i].pid;
    return p;
}

/* Another set signs other bytes: the copy has what the message claims. */
static void stage_forge_sign(const struct stage *st, const struct message *m, const struct stage_forge *f,
                             struct cert_vote *v) {
    struct set *claimed = malloc(sizeof *claimed);
    struct buf b;
    if (!claimed)
        abort();
    *claimed = st->set;
    claimed->channel = m->channel;
    claimed->epoch = m->epoch;
    claimed->hash = m->set_hash;
    buf_init(&b, 4096);
    cert_statement(claimed, v, &b);
    sign_make(st->secret[v->signer], buf_slice(&b), &v->sig);
    if (f->bad_sig)
        v->sig.b[7] ^= 1;
    buf_release(&b);
    free(claimed);
}

static struct digest stage_forge_root(const struct stage *st, const struct stage_forge *f) {
    return f->other_root ? digest_of(slice_str("another root")) : st->blocks[f->block].header.tree_root;
}

static struct cert_vote stage_forge_vote(const struct stage *st, const struct stage_forge *f, const struct message *m,
                                         enum cert_type type, const struct digest *pid, uint32_t signer) {
    struct cert_vote v = {.type = type, .epoch = m->epoch, .view = f->view, .signer = signer};
    if (type != CERT_NULLIFY)
        v.pid = *pid;
    if (type == CERT_FINALIZE) {
        v.tree_size = st->blocks[f->block].header.tree_size;
        v.tree_root = stage_forge_root(st, f);
    }
    stage_forge_sign(st, m, f, &v);
    return v;
}

static void stage_forge_cert(const struct stage *st, const struct stage_forge *f, struct message *m,
                             const struct cert_prop *prop, const struct digest *pid) {
    uint32_t i;
    m->cert = (struct cert){.type = f->kind, .epoch = m->epoch, .view = f->view, .bitmap = f->by};
    m->cert.prop = *prop;
    if (f->kind == CERT_NULLIFY)
        m->cert.prop =
            (struct cert_prop){.channel = m->channel, .epoch = m->epoch, .set_hash = m->set_hash, .view = f->view};
    else
        m->cert.pid = *pid;
    if (f->kind == CERT_FINALIZE) {
        m->cert.tree_size = st->blocks[f->block].header.tree_size;
        m->cert.tree_root = stage_forge_root(st, f);
    }
    for (i = 0; i < st->set.n; i++)
        if (f->by >> i & 1u)
            m->cert.sig[m->cert.count++] = stage_forge_vote(st, f, m, f->kind, pid, i).sig;
}

static void stage_forge_send(struct stage *st, const struct stage_forge *f, uint32_t from, const struct message *m) {
    struct stage_flight flight = {.from = from};
    struct buf b;
    uint32_t block = (uint32_t)f->block;
    buf_init(&b, STAGE_OUTPUT);
    message_write(m, &b);
    if (m->type == MESSAGE_PROPOSE && m->has_header && !f->strip)
        buf_be32(&b, block);
    flight.bytes = stage_copy(buf_slice(&b));
    for (flight.to = 0; flight.to < st->set.n; flight.to++)
        if (f->to >> flight.to & 1u) {
            stage_recv(st, &flight);
            stage_settle(st);
        }
    free(flight.bytes.ptr);
    buf_release(&b);
}

void stage_forge(struct stage *st, const struct stage_forge *f) {
    struct message m = stage_forge_head(st, f);
    struct cert_prop prop = {.view = 0};
    struct digest pid = {{0}};
    enum cert_type type = f->type == MESSAGE_NULLIFY    ? CERT_NULLIFY
                          : f->type == MESSAGE_FINALIZE ? CERT_FINALIZE
                                                        : CERT_NOTARIZE;
    uint32_t i, from = 0;
    if (f->block >= 0) {
        prop = stage_forge_prop(st, f, &m);
        pid = cert_pid(&prop);
        stage_prop_note(st, &prop);
    }
    for (i = st->set.n; i-- > 0;)
        if (f->by >> i & 1u)
            from = i;
    if (m.type == MESSAGE_CERT) {
        stage_forge_cert(st, f, &m, &prop, &pid);
    } else if (m.type == MESSAGE_PROPOSE) {
        m.prop = prop;
        m.has_header = true;
        m.header = st->blocks[f->block].header;
        m.sig = stage_forge_vote(st, f, &m, CERT_NOTARIZE, &pid, set_leader(&st->set, f->view)).sig;
    } else if (m.type == MESSAGE_STATUS) {
        m.final_height = f->block >= 0 ? st->blocks[f->block].header.height : 0;
        m.final_hash = f->block >= 0 ? st->blocks[f->block].hash : st->set.hash;
    } else if (m.type != MESSAGE_GET_CERT) {
        m.vote = stage_forge_vote(st, f, &m, type, &pid, from);
    }
    stage_forge_send(st, f, from, &m);
}
