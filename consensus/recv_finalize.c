/* consensus/recv_finalize.c -- FINALIZE arrives. Obeys PROTOCOL 5.8, 5.10, 8.1, 8.3. */
#include "consensus/core_state.h"

void recv_finalize(struct core *c, const struct message *m) {
    const struct core_slot *s;
    if (m->vote.view > core_floor(c) || (c->self >= 0 && m->vote.signer == (uint32_t)c->self))
        core_vote_note(c, &m->vote, false);
    if (c->up->misbehaved)
        return;
    /* Answered when that view's block is final here: else the vote is still of use. */
    s = core_slot(c, m->vote.view);
    if (m->vote.view <= c->final.view ||
        (s && s->has_cert[CERT_NOTARIZE] && s->cert[CERT_NOTARIZE].prop.height <= c->final.height))
        core_timer_reply(c, m->vote.view);
}
