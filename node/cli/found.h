/* node/cli/found.h -- what founding makes on disk: an organisation's directory, a node's home. The one-machine way
 * (network init) and the real way (org init, node init, org certify) are these same functions.
 *
 *   organisation's directory (stays at the organisation)   node's home
 *     founder.key   signs genesis, 0600                       keys/{consensus,submit,link,box}.key   0600
 *     ca.key        PKCS#8 PEM, 0600                          keys/tls.key    PKCS#8 PEM, 0600
 *     ca.pem        the CA's certificate                      keys/tls.pem    certificate, once certified
 *     org.request   enrolment request                         node.request    enrolment request
 *                                                             node.yaml       configuration
 *                                                             genesis.assay   once founded */
#ifndef NODE_CLI_FOUND_H
#define NODE_CLI_FOUND_H

#include "node/cli/files.h"

/* Makes an organisation's directory. CONFLICT if keys are there already. */
enum err_code found_org(const char *dir, const char *id, struct err *e) ERR_CHECKED;
/* Makes a node's home with all keys and its request; org_dir (may be NULL): certify it at once. */
enum err_code found_node(const char *home, const char *id, const char *org, const char *org_dir,
                         struct err *e) ERR_CHECKED;
/* The organisation's CA makes the certificate of the node that the request names. MISMATCH: of another organisation. */
enum err_code found_certify(const char *org_dir, struct slice request, const char *cert_path,
                            struct err *e) ERR_CHECKED;

/* What node.yaml of a new home says. */
struct found_config {
    const char *id, *role; /* role: enterprise, regulator, observer */
    const char *listen;    /* may be NULL */
    const char *http;      /* address; may be NULL */
    const char *http_key;  /* hex of SHA-256 of an operator's key; NULL: none */
};
enum err_code found_config(const char *home, const struct found_config *f, struct err *e) ERR_CHECKED;
/* A random HTTP key: writes its text to home/keys/http.key (0600), gives the hex of its SHA-256 (65 bytes). */
enum err_code found_http_key(const char *home, char hash[65], struct err *e) ERR_CHECKED;

#endif
