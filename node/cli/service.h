/* node/cli/service.h -- one question to the node by tables: params written by a schema, the answer read by one; and
 * the small forms that such commands share. */
#ifndef NODE_CLI_SERVICE_H
#define NODE_CLI_SERVICE_H

#include "node/cli/client.h"
#include "wire/schema.h"

enum { SERVICE_TIME = 32 };

struct service_call { /* what an answer's slices and lists point into */
    struct buf params, answer;
    struct arena arena;
};
/* Asks on an open connection; prints the answer under --json. *call is to be released in any case. */
enum err_code service_ask(struct cli *c, struct client *cl, const char *method, const struct schema *in,
                          const void *params, const struct schema *out, void *answer, struct service_call *call,
                          struct err *e) ERR_CHECKED;
/* Opens, asks, closes. */
enum err_code service_once(struct cli *c, const char *method, const struct schema *in, const void *params,
                           const struct schema *out, void *answer, struct service_call *call,
                           struct err *e) ERR_CHECKED;
void service_done(struct service_call *call);

/* "2026-11-22 20:13:07.123" in UTC; "-" for 0. */
const char *service_time(int64_t ms, char out[SERVICE_TIME]);
/* "90s", "5m", "2h", "500ms" or plain seconds. USAGE. */
enum err_code service_duration(const char *text, const char *what, uint64_t *ms, struct err *e) ERR_CHECKED;
/* Exactly len bytes from hex digits; dashes are skipped. False: not so. */
bool service_hex(const char *text, uint8_t *out, size_t len);
void service_hex_text(const uint8_t *bytes, size_t len, char *out); /* 2 * len + 1 bytes */

#endif
