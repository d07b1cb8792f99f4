/* wire/rpc.h -- requests of the `assay` command to its own node, over a link of kind CLIENT.
 * Request {body, id, method}, response {body, code, id, more, text}: canonical msgpack; bodies are canonical msgpack
 * of the methods' own. A request gets one response, or several with `more`, the last without it.
 * Depends on: link, schema. Source: docs/PROTOCOL.md (commands).
 * Server callbacks run on nng's threads: enqueue only. */
#ifndef WIRE_RPC_H
#define WIRE_RPC_H

#include "wire/link.h"

enum {
    RPC_CLIENTS = 96, /* connections of commands at once */
    RPC_METHOD = 64,  /* bytes of a method's name */
    RPC_TEXT = 1024,  /* bytes of an error's text */
    RPC_OVERHEAD = 2048,
    RPC_BODY = LIMIT_MESSAGE - RPC_OVERHEAD,
    RPC_TIMEOUT_MS = 30000 /* default of a call */
};

/* --- the node's side --- */
struct rpc_server;

struct rpc_server_config {
    void *ctx;
    /* conn and id name the request; method and body are borrowed for the call. body is one canonical value or absent.
     */
    void (*on_request)(void *ctx, uint64_t conn, uint64_t id, const char *method, struct slice body);
    void (*on_gone)(void *ctx, uint64_t conn); /* the client went: stop streams to it; may be NULL */
};
enum err_code rpc_server_new(const struct rpc_server_config *config, struct rpc_server **out,
                             struct err *e) ERR_CHECKED;
/* Fits peers_config.on_client with client_ctx = the server. */
bool rpc_server_accept(void *server, struct link *l, struct link_handlers *handlers);
/* Any thread; never blocks. UNREACHABLE: the client has gone (end the stream). FULL: its queue is full (try the same
 * response later). code OK needs no text. body must be one canonical value or absent. */
enum err_code rpc_respond(struct rpc_server *s, uint64_t conn, uint64_t id, enum err_code code, const char *text,
                          struct slice body, bool more, struct err *e) ERR_CHECKED;
/* Closes all clients, waits until no callback runs; frees. */
void rpc_server_free(struct rpc_server *s);

/* --- the command's side; one thread at a time --- */
struct rpc_client;

/* Connects to the own node: self is what the home holds; ca_pem the own organisation's CA.
 * UNREACHABLE or TIMEOUT when no node answers, others as link.h says. self is borrowed until rpc_close. */
enum err_code rpc_connect(const struct link_self *self, const char *address, const char *ca_pem, uint32_t timeout_ms,
                          struct rpc_client **out, struct err *e) ERR_CHECKED;
void rpc_close(struct rpc_client *c); /* NULL is fine */
/* One request. on_body is called, on the calling thread, for each response's body that is not absent; false stops the
 * stream (the result is then OK and c can only be closed). timeout_ms: the longest silence, 0 for ever.
 * Returns the node's code with its text, or the link's failure. on_body may be NULL. */
enum err_code rpc_call(struct rpc_client *c, const char *method, struct slice body,
                       bool (*on_body)(void *ctx, struct slice body), void *ctx, uint32_t timeout_ms,
                       struct err *e) ERR_CHECKED;

#endif
