/* consensus/recv_get_cert.c -- GET_CERT arrives: answered with what is held of that view. Obeys PROTOCOL 8.1. */
#include "consensus/core_state.h"

void recv_get_cert(struct core *c, const struct message *m) {
    const struct core_slot *s = core_slot(c, m->view);
    enum cert_type type;
    if (!s) {
        if (m->view <= c->final.view)
            core_timer_reply(c, m->view);
        return;
    }
    for (type = CERT_NOTARIZE; type <= CERT_NULLIFY; type++)
        if (s->has_cert[type] && (m->kind == CERT_NONE || m->kind == type))
            core_send_cert(c, CORE_TO_SENDER, &s->cert[type]);
}
