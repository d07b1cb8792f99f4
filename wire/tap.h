/* wire/tap.h -- writes the plaintext of every frame to a file, for tests and the isolation search of the demo.
 * Off unless a test or a demonstration asks; it defeats TLS for whoever reads the file (mode 0600).
 *
 *   record: u8 direction (0 sent, 1 received) ‖ u8 id length ‖ id ‖ u64 BE ms since 1970 ‖ u32 BE length ‖ bytes */
#ifndef WIRE_TAP_H
#define WIRE_TAP_H

#include "wire/link.h"

struct tap;
enum err_code tap_open(const char *path, struct tap **out, struct err *e) ERR_CHECKED; /* appends */
void tap_close(struct tap *t);                                                         /* after peers_stop */
struct link_tap tap_hook(struct tap *t);
/* Calls fn for each record of a file; a torn tail ends it. */
enum err_code tap_read(const char *path,
                       void (*fn)(void *ctx, const char *peer, enum link_direction direction, struct slice bytes),
                       void *ctx, struct err *e) ERR_CHECKED;

#endif
