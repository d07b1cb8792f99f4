/* tests/sim/check.c -- what must hold at every step, by eyes that are not the core's. Source: PROTOCOL 5, 6, 9. */
#include "tests/sim/world_impl.h"

static bool check_durable(const struct world_node *node, uint64_t view, enum core_record_type type) {
    size_t i;
    for (i = 0; i < node->disk->count; i++)
        if (node->disk->records[i].view == view && node->disk->records[i].type == type)
            return true;
    return false;
}

/* Votes in the order in which they become durable: a stored vote may be sent for the first time much later. */
void check_stored(struct world *w, const struct world_node *node, uint64_t view, enum core_record_type type) {
    bool nullified = check_durable(node, view, CORE_RECORD_OWN_NULLIFY);
    if (!node->honest)
        return;
    if (nullified && (type == CORE_RECORD_OWN_NOTARIZE || type == CORE_RECORD_OWN_FINALIZE))
        world_break(w, "member %u voted (record %d) after nullify in view %llu", node->member, (int)type,
                    (unsigned long long)view);
    if (type == CORE_RECORD_OWN_NULLIFY && check_durable(node, view, CORE_RECORD_OWN_FINALIZE))
        world_break(w, "member %u nullified view %llu after finalize", node->member, (unsigned long long)view);
}

static void check_vote(struct world *w, struct world_node *node, const struct cert_vote *v) {
    static const enum core_record_type record[] = {0, CORE_RECORD_OWN_NOTARIZE, CORE_RECORD_OWN_FINALIZE,
                                                   CORE_RECORD_OWN_NULLIFY};
    struct world_voted *past = &w->voted[node->member][v->view % WORLD_VIEWS];
    struct digest sig = digest_of(slice_of(v->sig.b, SIGN_SIZE));
    if (!check_durable(node, v->view, record[v->type]) && v->view > core_final_view(node->core))
        world_break(w, "member %u sent a vote of type %d in view %llu that is not durable", node->member, v->type,
                    (unsigned long long)v->view);
    if (past->have[v->type] && (!digest_eq(&past->pid[v->type], &v->pid) || !digest_eq(&past->sig[v->type], &sig)))
        world_break(w, "member %u voted twice (type %d) in view %llu", node->member, v->type,
                    (unsigned long long)v->view);
    past->have[v->type] = true;
    past->pid[v->type] = v->pid;
    past->sig[v->type] = sig;
}

void check_sent(struct world *w, struct world_node *node, struct slice bytes) {
    struct message m;
    struct err e = {ERR_OK, ""};
    if (!node->honest)
        return;
    if (message_read(bytes, &m, &e) != ERR_OK) {
        world_break(w, "member %u sent what nobody can read: view %llu, parent %llu, %s", node->member,
                    (unsigned long long)m.prop.view, (unsigned long long)m.prop.parent_view, e.text);
        return;
    }
    if (m.type == MESSAGE_NOTARIZE || m.type == MESSAGE_FINALIZE || m.type == MESSAGE_NULLIFY) {
        if (m.vote.signer == node->member)
            check_vote(w, node, &m.vote);
        if (w->plan.check_live && w->now >= w->plan.quiet_ms)
            world_break(w, "member %u votes (type %d, view %llu) while all is idle", node->member, m.vote.type,
                        (unsigned long long)m.vote.view);
    }
    if (m.type == MESSAGE_PROPOSE) {
        struct cert_vote v = {.type = CERT_NOTARIZE, .view = m.prop.view, .pid = m.pid, .sig = m.sig};
        check_vote(w, node, &v);
    }
}

static void check_record(struct world *w, const struct core_record *r) {
    struct cert cert;
    size_t at = r->view % WORLD_VIEWS;
    if (core_record_is_guard(r->type))
        return;
    if (cert_read(r->bytes, &cert, NULL) != ERR_OK) {
        world_break(w, "a certificate that can't be read back");
        return;
    }
    if (cert.type == CERT_NOTARIZE || cert.type == CERT_FINALIZE) {
        if (w->liars <= (w->plan.n - 1) / 3 && w->was_notarized[at] && !digest_eq(&w->notarized[at], &cert.pid))
            world_break(w, "two notarizations in view %llu", (unsigned long long)r->view);
        w->was_notarized[at] = true;
        w->notarized[at] = cert.pid;
    }
    w->was_nullified[at] |= cert.type == CERT_NULLIFY;
    w->was_finalized[at] |= cert.type == CERT_FINALIZE;
    if (w->was_nullified[at] && w->was_finalized[at])
        world_break(w, "view %llu is nullified and finalized", (unsigned long long)r->view);
}

static void check_finalized(struct world *w, const struct world_node *node, const struct core_finalized *f) {
    if (f->height >= WORLD_BLOCKS)
        return;
    if (w->chain_have[f->height] && !digest_eq(&w->chain[f->height], &f->hash))
        world_break(w, "FORK: member %u finalizes another block at height %llu", node->member,
                    (unsigned long long)f->height);
    w->chain_have[f->height] = true;
    w->chain[f->height] = f->hash;
    if (f->height > w->top)
        w->top = f->height;
}

void check_update(struct world *w, struct world_node *node, const struct core_update *up) {
    size_t i;
    for (i = 0; i < up->evidence_count; i++) {
        if (w->plan.role[up->evidence[i].signer] == WORLD_HONEST && node->honest)
            world_break(w, "evidence (%c) against honest member %u", up->evidence[i].clause, up->evidence[i].signer);
        w->evidence++;
    }
    if (!node->honest)
        return;
    for (i = 0; i < up->record_count; i++)
        check_record(w, &up->records[i]);
    for (i = 0; i < up->finalized_count; i++)
        check_finalized(w, node, &up->finalized[i]);
    if (up->halt != CORE_HALT_NONE)
        world_break(w, "honest member %u halts (%d)", node->member, (int)up->halt);
    if (up->misbehaved && w->plan.role[up->sync_from < 0 ? 0 : up->sync_from] == WORLD_HONEST && w->plan.trace)
        world_trace(w, "member %u blames: %s", node->member, up->fault.text);
    if (core_memory(node->core) != node->memory)
        world_break(w, "memory grew");
    if (core_view(node->core) < node->last_view || core_final_height(node->core) < node->max_final)
        world_break(w, "member %u went back", node->member);
    if (w->plan.views_max && core_view(node->core) > w->plan.views_max)
        world_break(w, "member %u: views spin", node->member);
    node->last_view = core_view(node->core);
    node->max_final = core_final_height(node->core);
}

void check_end(struct world *w) {
    int i;
    if (!w->plan.check_live)
        return;
    for (i = 0; i < w->node_count; i++) {
        const struct world_node *node = w->nodes[i];
        uint64_t have = 0;
        int b;
        if (!node->honest)
            continue;
        for (b = node->final; b >= 0; b = w->blocks[b].parent) {
            if (have & w->blocks[b].entries)
                world_break(w, "an entry is in the chain twice");
            have |= w->blocks[b].entries;
        }
        if ((have & w->injected) != w->injected)
            world_break(w, "LIVENESS: member %u lacks entries: view %llu height %llu, %d of %d", node->member,
                        (unsigned long long)core_view(node->core), (unsigned long long)core_final_height(node->core),
                        __builtin_popcountll(have & w->injected), __builtin_popcountll(w->injected));
    }
}
