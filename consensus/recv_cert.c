/* consensus/recv_cert.c -- CERT arrives, of any view. Obeys PROTOCOL 5.5 (rule 1), 5.10, 8.3. */
#include "consensus/core_state.h"

void recv_cert(struct core *c, const struct message *m) {
    (void)core_cert_note(c, &m->cert, false);
}
