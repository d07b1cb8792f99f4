/* consensus/recv_status.c -- STATUS arrives: who is behind whom. Obeys PROTOCOL 8.1, 8.2. */
#include "consensus/core_state.h"

void recv_status(struct core *c, const struct message *m) {
    if (m->final_height > c->final.height) {
        c->up->sync_wanted = true;
        c->up->sync_from = c->from;
        c->up->sync_height = m->final_height;
    }
    if (m->final_height < c->final.height || m->view < c->view)
        core_timer_reply(c, m->view);
}
