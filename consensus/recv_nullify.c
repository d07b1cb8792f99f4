/* consensus/recv_nullify.c -- NULLIFY arrives. Obeys PROTOCOL 5.9, 8.1 (a vote for a past view is answered), 8.3. */
#include "consensus/core_state.h"

void recv_nullify(struct core *c, const struct message *m) {
    if (m->vote.view > core_floor(c) || (c->self >= 0 && m->vote.signer == (uint32_t)c->self))
        core_vote_note(c, &m->vote, false);
    if (m->vote.view < c->view && !c->up->misbehaved)
        core_timer_reply(c, m->vote.view);
}
