/* node/web_inner.h -- shared by node/web*.c alone. */
#ifndef NODE_WEB_INNER_H
#define NODE_WEB_INNER_H

#include "node/http/http.h"
#include "node/web.h"

struct web {
    struct node *node;
    struct http *http;
};

/* The channel of the path's first segment, if the key may see it; else the response is made and NULL given. */
struct node_channel *web_channel(struct web *w, const struct http_request *q, struct http_response *r);
/* Runs a method of node/api.h with these params and answers with its JSON. */
void web_call(struct web *w, const struct http_request *q, const char *method, struct slice params,
              struct http_response *r);

/* web_tiles.c */
void web_checkpoint(void *web, const struct http_request *q, struct http_response *r);
void web_tile(void *web, const struct http_request *q, struct http_response *r);
/* web_events.c */
void web_events(void *web, const struct http_request *q, struct http_response *r);
/* web_metrics.c */
void web_metrics(void *web, struct buf *out);
bool web_health(void *web, struct buf *out);

#endif
