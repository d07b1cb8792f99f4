/* node/config.c -- see config.h. */
#include "node/config.h"

#include "genesis/genesis_check.h"
#include "wire/mem.h"

#include <stdio.h>
#include <stdlib.h>

enum { CONFIG_PATH = 4096 };

#define AT(type, member) .offset = offsetof(struct type, member)
#define OPTIONAL         .flags = SCHEMA_OPTIONAL

static const char *const config_role_names[] = {NULL, "enterprise", "regulator", "observer", NULL};
static const char *const config_key_role_names[] = {NULL, "reader", "submitter", "operator", NULL};

static const struct schema_field key_fields[] = {
    {.key = "channel", .type = SCHEMA_STR, OPTIONAL, AT(config_http_key, channel), .max = LIMIT_NAME},
    {.key = "hash", .type = SCHEMA_FIXED, AT(config_http_key, hash), .max = 32},
    {.key = "name", .type = SCHEMA_STR, AT(config_http_key, name), .min = 1, .max = LIMIT_NAME},
    {.key = "role", .type = SCHEMA_ENUM, AT(config_http_key, role), .names = config_key_role_names},
};
static const struct schema key_schema = SCHEMA_OF("key", struct config_http_key, key_fields);

static const struct schema_field tls_fields[] = {
    {.key = "cert", .type = SCHEMA_STR, AT(config_http_tls, cert), .min = 1, .max = CONFIG_PATH},
    {.key = "key", .type = SCHEMA_STR, AT(config_http_tls, key), .min = 1, .max = CONFIG_PATH},
};
static const struct schema tls_schema = SCHEMA_OF("tls", struct config_http_tls, tls_fields);

static const struct schema_field http_fields[] = {
    {.key = "body_max", .type = SCHEMA_U64, OPTIONAL, AT(config_http, body_max), .min = 1024, .max = 1 << 30},
    {.key = "connections_max", .type = SCHEMA_U64, OPTIONAL, AT(config_http, connections_max), .min = 1, .max = 65536},
    {.key = "keys", .type = SCHEMA_LIST, OPTIONAL, AT(config_http, keys), .max = CONFIG_HTTP_KEYS, .sub = &key_schema},
    {.key = "listen", .type = SCHEMA_STR, OPTIONAL, AT(config_http, listen), .max = 262},
    {.key = "tls", .type = SCHEMA_PTR, OPTIONAL, AT(config_http, tls), .sub = &tls_schema},
};
static const struct schema http_schema = SCHEMA_OF("http", struct config_http, http_fields);

static const struct schema_field limits_fields[] = {
    {.key = "outbox_bytes", .type = SCHEMA_U64, OPTIONAL, AT(config_limits, outbox_bytes), .min = 1 << 20},
};
static const struct schema limits_schema = SCHEMA_OF("limits", struct config_limits, limits_fields);

static const struct schema_field config_fields[] = {
    {.key = "http", .type = SCHEMA_MAP, OPTIONAL, AT(config_body, http), .sub = &http_schema},
    {.key = "id", .type = SCHEMA_STR, AT(config_body, id), .min = 1, .max = LIMIT_NAME},
    {.key = "ingest", .type = SCHEMA_RAW, OPTIONAL, AT(config_body, ingest), .max = YAML_SIZE},
    {.key = "limits", .type = SCHEMA_MAP, OPTIONAL, AT(config_body, limits), .sub = &limits_schema},
    {.key = "listen", .type = SCHEMA_STR, OPTIONAL, AT(config_body, listen), .max = 262},
    {.key = "role", .type = SCHEMA_ENUM, AT(config_body, role), .names = config_role_names},
};
const struct schema config_schema = SCHEMA_OF("node.yaml", struct config_body, config_fields);

static void config_defaults(struct config_body *b) {
    if (!b->http.body_max)
        b->http.body_max = 8 << 20;
    if (!b->http.connections_max)
        b->http.connections_max = 64;
    if (!b->limits.outbox_bytes)
        b->limits.outbox_bytes = 1 << 30;
}

static enum err_code config_check_keys(struct config *c, struct err *e) {
    const struct config_http_key *k = c->body.http.keys.items;
    char path[64];
    uint32_t i, j;
    for (i = 0; i < c->body.http.keys.count; i++)
        for (j = 0; j < i; j++)
            if (memcmp(k[i].hash, k[j].hash, sizeof k[i].hash) == 0) {
                snprintf(path, sizeof path, "http.keys[%u].hash", i);
                return yaml_refuse(&c->doc, e, path, "the same key as \"%.*s\"'s", SLICE_ARG(k[j].name));
            }
    return ERR_OK;
}

static enum err_code config_check(struct config *c, struct err *e) {
    const struct config_body *b = &c->body;
    if (!genesis_check_name(b->id))
        return yaml_refuse(&c->doc, e, "id", "\"%.*s\" is no name: lower-case letters, digits and -", SLICE_ARG(b->id));
    if (b->listen.len && !genesis_check_address(b->listen))
        return yaml_refuse(&c->doc, e, "listen", "\"%.*s\" is no address: host:port or [v6]:port",
                           SLICE_ARG(b->listen));
    if (b->http.listen.len && !genesis_check_address(b->http.listen))
        return yaml_refuse(&c->doc, e, "http.listen", "\"%.*s\" is no address: host:port or [v6]:port",
                           SLICE_ARG(b->http.listen));
    if (b->http.listen.len && !b->http.tls && !config_loopback(b->http.listen))
        return yaml_refuse(&c->doc, e, "http.listen", "without \"tls\" only a loopback address is allowed, not %.*s",
                           SLICE_ARG(b->http.listen));
    return config_check_keys(c, e);
}

static enum err_code config_fill(struct config *c, const char *home, struct err *e) {
    enum err_code rc = yaml_struct(&c->doc, "", &config_schema, &c->body, e);
    if (rc != ERR_OK)
        return rc;
    config_defaults(&c->body);
    c->home = mem_strdup(home);
    return c->home ? config_check(c, e) : err_set(e, ERR_NO_MEMORY, "no memory");
}

enum err_code config_read(struct config *c, const char *home, struct err *e) {
    char *path = config_path(home, "node.yaml");
    enum err_code rc;
    memset(c, 0, sizeof *c);
    yaml_init(&c->doc);
    if (!path)
        return err_set(e, ERR_NO_MEMORY, "no memory");
    rc = yaml_load_file(&c->doc, path, e);
    mem_free(path);
    return rc == ERR_OK ? config_fill(c, home, e) : rc;
}

enum err_code config_parse(struct config *c, struct slice text, const char *name, const char *home, struct err *e) {
    enum err_code rc;
    memset(c, 0, sizeof *c);
    yaml_init(&c->doc);
    rc = yaml_load(&c->doc, text, name, e);
    return rc == ERR_OK ? config_fill(c, home, e) : rc;
}

void config_release(struct config *c) {
    mem_free(c->home);
    yaml_release(&c->doc);
    c->home = NULL;
    memset(&c->body, 0, sizeof c->body);
}

/* ---- addresses and paths ---- */

bool config_address(struct slice address, char host[256], uint16_t *port) {
    struct slice h = address;
    unsigned n = 0;
    size_t i;
    if (!genesis_check_address(address))
        return false;
    while (h.ptr[h.len - 1] != ':')
        h.len--;
    for (i = h.len; i < address.len; i++)
        n = n * 10 + (unsigned)(address.ptr[i] - '0');
    h.len--;
    if (h.ptr[0] == '[')
        h = slice_of(h.ptr + 1, h.len - 2);
    if (h.len > 255)
        return false;
    memcpy(host, h.ptr, h.len);
    host[h.len] = '\0';
    *port = (uint16_t)n;
    return true;
}

/* Dotted quads only: a name such as 127.example.org is no loopback address. */
bool config_loopback(struct slice address) {
    char host[256];
    uint16_t port;
    if (!config_address(address, host, &port))
        return false;
    if (strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0)
        return true;
    return strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == strlen(host);
}

char *config_path(const char *home, const char *rest) {
    size_t len = strlen(home) + strlen(rest) + 2;
    char *p = mem_alloc(len);
    if (p)
        snprintf(p, len, "%s/%s", home, rest);
    return p;
}
