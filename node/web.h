/* node/web.h -- the node's HTTP face: queries, tlog-tiles, events, metrics, on node/http.
 * Owns: the routes and their meaning; keys and roles come from node.yaml (http.keys). The answers of queries are those
 * of the commands (node/api.h), as JSON. Source: DESIGN 11, docs/FORMATS.md 6. A key that is bound to a channel sees no
 * other.
 *
 *   GET  /healthz                                 ok, or why not                         no key
 *   GET  /metrics                                 Prometheus text                        operator
 *   GET  /v1/status                               as `assay channel list`                operator
 *   GET  /v1/channels/<ch>/checkpoint             signed note                            reader
 *   GET  /v1/channels/<ch>/tile/<L>/<N>[.p/<W>]   hashes                                 reader
 *   GET  /v1/channels/<ch>/tile/entries/<N>...    entry bundles                          reader
 *   GET  /v1/channels/<ch>/records?...            a query                                reader
 *   GET  /v1/channels/<ch>/entries/<n>[?proof=1]  one entry                              reader
 *   GET  /v1/channels/<ch>/events                 each entry as it becomes final (SSE); event id = its number
 *   POST /v1/channels/<ch>/logs?source=ID[&server=..][&service=..]  NDJSON, a log a line      submitter
 *        202 when they are durable here; 429 with Retry-After when the outbox is full; Idempotency-Key: a repeated
 *        post with the same key takes nothing twice */
#ifndef NODE_WEB_H
#define NODE_WEB_H

#include "node/node.h"

struct web;

/* OK and *out NULL when node.yaml has no http.listen. CONFIG, IO. */
enum err_code web_start(struct node *n, struct web **out, struct err *e) ERR_CHECKED;
uint16_t web_port(const struct web *w);
void web_stop(struct web *w); /* NULL is fine */

#endif
