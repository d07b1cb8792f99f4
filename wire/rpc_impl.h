/* wire/rpc_impl.h -- the documents that rpc.c and rpc_client.c share; nobody else includes it but tests. */
#ifndef WIRE_RPC_IMPL_H
#define WIRE_RPC_IMPL_H

#include "wire/rpc.h"
#include "wire/schema.h"
#include "wire/utf8.h"

struct rpc_request {
    struct slice body; /* one canonical value, or absent */
    uint64_t id;       /* from 1, the client's own */
    struct slice method;
};
struct rpc_response {
    struct slice body;
    uint64_t code; /* enum err_code; 0 absent */
    uint64_t id;
    bool more;
    struct slice text;
};
extern const struct schema rpc_request_schema, rpc_response_schema;

#endif
