/* node/http/http_impl.h -- what the files of the HTTP server share. */
#ifndef NODE_HTTP_HTTP_IMPL_H
#define NODE_HTTP_HTTP_IMPL_H

#include "node/http/http.h"

/* Does the path fit the pattern? Fills segment and segments of r. */
bool http_match(const char *pattern, const char *path, struct http_request *r);
/* The route of a path and method: 200, 404, or 405 with *allow = methods there are ("GET, POST"). */
unsigned http_find(const struct http_route *routes, size_t count, struct http_request *r,
                   const struct http_route **route, struct buf *allow);

#endif
