/* node/config.h -- home/node.yaml: how one node runs. What a network agrees on is in genesis, not here.
 * Owns: the schema, defaults, checks with file and line. The document stays in the struct, so that parts which other
 * modules own (ingest) are read by them with the right lines: yaml_struct(&c->doc, "ingest", &their_schema, ...). */
#ifndef NODE_CONFIG_H
#define NODE_CONFIG_H

#include "wire/yaml.h"

enum config_role { CONFIG_ENTERPRISE = 1, CONFIG_REGULATOR, CONFIG_OBSERVER };
/* What an HTTP key may do: reader queries and streams; submitter also posts logs; operator also metrics and admin. */
enum config_key_role { CONFIG_READER = 1, CONFIG_SUBMITTER, CONFIG_OPERATOR };

enum { CONFIG_HTTP_KEYS = 64 };

struct config_http_key {
    struct slice channel; /* only this channel, or absent: all of the node's */
    uint8_t hash[32];     /* SHA-256 of the key's text */
    struct slice name;    /* who holds it: named in access logs */
    uint32_t role;        /* enum config_key_role */
};

struct config_http_tls {
    struct slice cert, key; /* paths of PEM files, relative to home */
};

struct config_http {
    uint64_t body_max;           /* bytes of a request body; default 8 MiB */
    uint64_t connections_max;    /* default 64 */
    struct schema_list keys;     /* struct config_http_key */
    struct slice listen;         /* "host:port"; absent: no HTTP */
    struct config_http_tls *tls; /* NULL: plain, then listen must be loopback */
};

struct config_limits {
    uint64_t outbox_bytes; /* default 1 GiB */
};

struct config_body {
    struct config_http http;
    struct slice id;     /* node id of genesis */
    struct slice ingest; /* RAW; the ingest module reads it by yaml_struct(&doc, "ingest", ...) */
    struct config_limits limits;
    struct slice listen; /* "host:port" for nodes; absent: the address of genesis */
    uint32_t role;       /* enum config_role */
};

struct config {
    struct yaml_doc doc;
    struct config_body body;
    char *home; /* directory of the file */
};

extern const struct schema config_schema;

/* Reads home/node.yaml. Release with config_release, also after an error. CONFIG with file and line. */
enum err_code config_read(struct config *c, const char *home, struct err *e) ERR_CHECKED;
/* The same from text, for tests; home is as given. */
enum err_code config_parse(struct config *c, struct slice text, const char *name, const char *home,
                           struct err *e) ERR_CHECKED;
void config_release(struct config *c);
/* "host:port" or "[v6]:port" apart; host gets a NUL. False when it is neither. */
bool config_address(struct slice address, char host[256], uint16_t *port);
/* 127.0.0.0/8, ::1, localhost. */
bool config_loopback(struct slice address);
/* home + "/" + rest, to be released by mem_free; NULL when out of memory. */
char *config_path(const char *home, const char *rest);

#endif
