/* node/cli/client.h -- a command's connection to its own node: what is at --home says where and as whom.
 * Owns: the home's secrets while open, one rpc_client. Depends on node/node.h (node_load), wire/rpc.h.
 * The node's answers are canonical msgpack maps; --json prints them as they are with out_json. */
#ifndef NODE_CLI_CLIENT_H
#define NODE_CLI_CLIENT_H

#include "node/cli/cli.h"
#include "wire/buf.h"

enum { CLIENT_TIMEOUT_MS = 60000 /* default: the longest silence of an answer */, CLIENT_CONNECT_MS = 5000 };

struct node;
struct rpc_client;
struct client {
    struct node *self; /* config, genesis, keys, self, org of the home; no lock, no thread */
    struct rpc_client *rpc;
    struct buf ca; /* the own organisation's CA, NUL-terminated */
    char address[272];
};

/* Opens a connection to the node of cli_home(c). UNREACHABLE when no node answers there. On error *cl is empty; closing
 * it is fine. */
enum err_code client_open(struct cli *c, struct client *cl, struct err *e) ERR_CHECKED;
/* The same for a given home. */
enum err_code client_open_home(const char *home, uint32_t timeout_ms, struct client *cl, struct err *e) ERR_CHECKED;
/* The home alone, no connection: cl->self. */
enum err_code client_load(const char *home, struct client *cl, struct err *e) ERR_CHECKED;
/* Connects one that client_load filled. */
enum err_code client_reach(struct client *cl, uint32_t timeout_ms, struct err *e) ERR_CHECKED;
void client_close(struct client *cl);

/* One request; params is one canonical value or absent. on_body (may be NULL) gets each answer, in order, borrowed;
 * false stops a stream: then the result is OK and cl can only be closed. timeout_ms: the longest silence, 0 for ever.
 * Errors are the node's own, with its text. */
enum err_code client_call(struct client *cl, const char *method, struct slice params,
                          bool (*on_body)(void *ctx, struct slice body), void *ctx, uint32_t timeout_ms,
                          struct err *e) ERR_CHECKED;
/* One request with one answer, appended to *out (absent answer: nothing). */
enum err_code client_ask(struct client *cl, const char *method, struct slice params, struct buf *out,
                         struct err *e) ERR_CHECKED;
/* Open, ask, close: for a command that asks once. With --json the answer is printed as well. *out is initialised here
 * and is to be released in any case. */
enum err_code client_once(struct cli *c, const char *method, struct slice params, struct buf *out,
                          struct err *e) ERR_CHECKED;

/* The person who acts: --as NAME, else $USER, else "operator"; at most 64 bytes, for params' `by`. */
struct slice client_by(const struct cli *c);

#endif
