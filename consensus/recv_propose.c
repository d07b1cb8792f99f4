/* consensus/recv_propose.c -- PROPOSE arrives. Obeys PROTOCOL 5.7 (rule 3), 8.3. */
#include "consensus/core_state.h"

/* Inline certificates are used like any others: verified, then kept. */
static bool recv_propose_certs(struct core *c, const struct message *m) {
    struct err e = {ERR_OK, ""};
    struct cursor cur;
    struct slice bytes;
    uint32_t count, i;
    if (m->parent_cert.len && !core_cert_note_bytes(c, m->parent_cert))
        return false;
    if (!m->null_certs.len)
        return true;
    cursor_init(&cur, m->null_certs);
    if (cursor_array(&cur, &count, &e) != ERR_OK || count == 0 || count > MESSAGE_NULL_CERTS) {
        err_set(&e, ERR_MALFORMED, "propose: its list of nullifications");
        core_fault(c, &e);
        return false;
    }
    for (i = 0; i < count; i++) {
        if (cursor_bin(&cur, &bytes, &e) != ERR_OK) {
            core_fault(c, &e);
            return false;
        }
        if (c->up->record_count + 8 > CORE_RECORDS_MAX)
            return true; /* the rest comes with the leader's next retry */
        if (!core_cert_note_bytes(c, bytes))
            return false;
    }
    return true;
}

/* Header and body are not what the leader signed: anyone may have cut or changed them on the way (PROTOCOL 2.6). So a
 * copy that does not fit is its sender's fault, and no word on the proposal. */
static void recv_propose_block(struct core *c, const struct message *m) {
    struct core_block *b = core_block_want(c, &m->prop.block_hash, m->prop.height, m->prop.view);
    struct err e = {ERR_OK, ""};
    struct digest hash;
    if (!b) {
        if (m->prop.height > c->final.height) { /* far ahead of me */
            c->up->sync_wanted = true;
            c->up->sync_from = c->from;
            c->up->sync_height = m->prop.height - 1;
        }
        return;
    }
    if (m->has_header && b->state == CORE_BLOCK_WANT) {
        hash = header_hash(&m->header);
        if (digest_eq(&hash, &m->prop.block_hash) && m->header.body_len == m->body.len)
            core_block_have(c, b, &m->header, m->body);
        else {
            err_set(&e, ERR_MALFORMED, "propose: header or body is not what the proposal names");
            core_fault(c, &e);
        }
    }
    if (b->state == CORE_BLOCK_WANT && c->up->fetch_count < CORE_FETCH_MAX)
        c->up->fetch[c->up->fetch_count++] = (struct core_fetch){b->hash, b->height};
}

void recv_propose(struct core *c, const struct message *m) {
    struct cert_vote vote = {.type = CERT_NOTARIZE,
                             .epoch = m->epoch,
                             .view = m->prop.view,
                             .pid = m->pid,
                             .signer = set_leader(&c->set, m->prop.view),
                             .sig = m->sig};
    struct err e = {ERR_OK, ""};
    struct core_slot *s;
    if (m->prop.view <= c->final.view) {
        core_timer_reply(c, m->prop.view);
        return;
    }
    if (cert_vote_verify(&c->set, &vote, &c->verifier, &e) != ERR_OK) {
        core_fault(c, &e);
        return;
    }
    if (!recv_propose_certs(c, m) || m->prop.view > c->view)
        return;
    s = core_slot_make(c, m->prop.view);
    if (!s)
        return;
    if ((int)vote.signer == c->self && !s->has_own[CERT_NOTARIZE]) {
        core_vote_note(c, &vote, true); /* my own proposal, which I never made: stops me */
        return;
    }
    if (!s->has_prop) {
        s->has_prop = true;
        s->prop = m->prop;
        s->pid = m->pid;
        s->prop_sig = m->sig;
    }
    core_vote_note(c, &vote, true);
    if (!digest_eq(&s->pid, &m->pid))
        return; /* the first one counts; core_vote_note has kept the evidence */
    recv_propose_block(c, m);
    core_vote_recount(c, s);
    if (s->view == c->view && core_propose_justified(c, s) == CORE_JUSTIFIED_NO)
        core_propose_missing(c, CORE_TO_SENDER);
    if (s->view < c->view && !s->has_cert[CERT_NOTARIZE])
        core_timer_reply(c, s->view);
}
