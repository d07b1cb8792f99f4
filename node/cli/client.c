/* node/cli/client.c -- see client.h. */
#include "node/cli/client.h"

#include "node/cli/out.h"
#include "node/node.h"
#include "wire/mem.h"

#include <stdlib.h>

enum err_code client_reach(struct client *cl, uint32_t timeout_ms, struct err *e) {
    const char *home = cl->self->config.home;
    const struct config_body *config = &cl->self->config.body;
    struct slice listen = config->listen.len ? config->listen : cl->self->self->address;
    char host[256];
    uint16_t port;
    enum err_code rc;
    if (!config_address(listen, host, &port))
        return err_set(e, ERR_CONFIG, "%s/node.yaml: listen: \"%.*s\" is no address", home, SLICE_ARG(listen));
    /* A node that listens everywhere is reached at home. */
    if (strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0)
        snprintf(host, sizeof host, "127.0.0.1");
    snprintf(cl->address, sizeof cl->address, strchr(host, ':') ? "[%.240s]:%u" : "%.240s:%u", host, port);
    buf_init(&cl->ca, 1 << 20);
    buf_append(&cl->ca, genesis_org_find(&cl->self->genesis, cl->self->self->org)->ca);
    buf_u8(&cl->ca, 0);
    if ((rc = buf_check(&cl->ca, e)) != ERR_OK)
        return rc;
    rc = rpc_connect(&cl->self->link, cl->address, (const char *)cl->ca.ptr, timeout_ms, &cl->rpc, e);
    if (rc == ERR_UNREACHABLE || rc == ERR_TIMEOUT)
        return err_set(e, ERR_UNREACHABLE, "no node answers at %s; start it with `assayd --home %s`", cl->address,
                       home);
    return rc == ERR_OK ? rc : err_wrap(e, "the node at %s", cl->address);
}

enum err_code client_load(const char *home, struct client *cl, struct err *e) {
    enum err_code rc;
    memset(cl, 0, sizeof *cl);
    cl->self = mem_zalloc(1, sizeof *cl->self);
    if (!cl->self)
        return err_set(e, ERR_NO_MEMORY, "no memory for a home");
    rc = node_load(home, cl->self, e);
    if (rc != ERR_OK)
        client_close(cl);
    return rc;
}

enum err_code client_open_home(const char *home, uint32_t timeout_ms, struct client *cl, struct err *e) {
    enum err_code rc = client_load(home, cl, e);
    if (rc == ERR_OK && (rc = client_reach(cl, timeout_ms, e)) != ERR_OK)
        client_close(cl);
    return rc;
}

enum err_code client_open(struct cli *c, struct client *cl, struct err *e) {
    return client_open_home(cli_home(c), CLIENT_CONNECT_MS, cl, e);
}

void client_close(struct client *cl) {
    rpc_close(cl->rpc);
    buf_release(&cl->ca);
    if (cl->self)
        node_unload(cl->self);
    mem_free(cl->self);
    memset(cl, 0, sizeof *cl);
}

enum err_code client_call(struct client *cl, const char *method, struct slice params,
                          bool (*on_body)(void *ctx, struct slice body), void *ctx, uint32_t timeout_ms,
                          struct err *e) {
    enum err_code rc = rpc_call(cl->rpc, method, params, on_body, ctx, timeout_ms, e);
    if (rc == ERR_TIMEOUT && e && !e->text[0])
        return err_set(e, rc, "the node at %s did not answer in time", cl->address);
    return rc;
}

static bool client_keep(void *ctx, struct slice body) {
    struct buf *out = ctx;
    buf_append(out, body);
    return !out->failed;
}

enum err_code client_ask(struct client *cl, const char *method, struct slice params, struct buf *out, struct err *e) {
    enum err_code rc = client_call(cl, method, params, client_keep, out, CLIENT_TIMEOUT_MS, e);
    return rc == ERR_OK ? buf_check(out, e) : rc;
}

enum err_code client_once(struct cli *c, const char *method, struct slice params, struct buf *out, struct err *e) {
    struct client cl;
    enum err_code rc;
    buf_init(out, LIMIT_MESSAGE);
    if ((rc = client_open(c, &cl, e)) != ERR_OK)
        return rc;
    rc = client_ask(&cl, method, params, out, e);
    client_close(&cl);
    return rc == ERR_OK && c->json ? out_json(c, buf_slice(out), e) : rc;
}

struct slice client_by(const struct cli *c) {
    const char *by = cli_opt(c, "as");
    struct slice s;
    if (!by || !*by)
        by = getenv("USER");
    s = slice_str(by && *by ? by : "operator");
    while (s.len > LIMIT_NAME || (s.len && s.len < strlen((const char *)s.ptr) && (s.ptr[s.len] & 0xc0) == 0x80))
        s.len--; /* cut at a character's end */
    return s;
}
