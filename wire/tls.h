/* wire/tls.h -- makes and reads the X.509 certificates of the links between nodes (libcrypto, P-256, SHA-256).
 * An organisation has one CA: self-signed, CN = organisation id. A node has one certificate from it: CN and
 * dNSName = node id, for both ends of TLS. No signing requests: the CA's holder needs the node's public key only.
 * Depends on: err, buf, digest. Source: DESIGN 11.
 * Times are int64 milliseconds UTC; X.509 itself keeps whole seconds. PEM is text without the NUL in slices. */
#ifndef WIRE_TLS_H
#define WIRE_TLS_H

#include "wire/buf.h"
#include "wire/digest.h"
#include "wire/err.h"
#include "wire/limits.h"

enum {
    TLS_PEM_MAX = 8192,       /* bytes of one PEM object that is read */
    TLS_CA_YEARS = 10,        /* life of an organisation's CA */
    TLS_NODE_DAYS = 825,      /* default life of a node's certificate */
    TLS_BACKDATE_MS = 3600000 /* certificates begin an hour before `now`: clocks differ */
};

struct tls_key; /* opaque: a P-256 key pair */

enum err_code tls_key_generate(struct tls_key **out, struct err *e) ERR_CHECKED;
/* Reads a PKCS#8 or SEC1 PEM; anything but P-256 is UNSUPPORTED. */
enum err_code tls_key_from_pem(struct slice pem, struct tls_key **out, struct err *e) ERR_CHECKED;
void tls_key_free(struct tls_key *key); /* wipes; NULL is fine */
/* Appends the private key as PKCS#8 PEM; the caller wipes the buf (tls_wipe). */
enum err_code tls_key_pem(const struct tls_key *key, struct buf *out, struct err *e) ERR_CHECKED;
/* Appends the public half as "PUBLIC KEY" PEM: what an enrolment request carries. */
enum err_code tls_key_public_pem(const struct tls_key *key, struct buf *out, struct err *e) ERR_CHECKED;
/* Writes the private key to a new file, mode 0600, synced; CONFLICT if the file exists. */
enum err_code tls_key_save(const struct tls_key *key, const char *path, struct err *e) ERR_CHECKED;
enum err_code tls_key_load(const char *path, struct tls_key **out, struct err *e) ERR_CHECKED;
/* Zeroes the bytes and releases the buf. */
void tls_wipe(struct buf *b);

/* Appends the PEM of a CA certificate for `org`, valid for TLS_CA_YEARS. */
enum err_code tls_ca_make(const struct tls_key *key, const char *org, int64_t now, struct buf *out,
                          struct err *e) ERR_CHECKED;
/* Appends the PEM of a certificate for node `id`, whose public key is `public_pem`, by the CA. It ends after `days`
 * or with the CA's own certificate, whichever is first. MISMATCH if ca_key is not the key of ca_pem. */
enum err_code tls_cert_make(struct slice ca_pem, const struct tls_key *ca_key, struct slice public_pem, const char *id,
                            unsigned days, int64_t now, struct buf *out, struct err *e) ERR_CHECKED;

struct tls_info {
    char subject[LIMIT_NAME + 1];  /* CN */
    char issuer[LIMIT_NAME + 1];   /* CN of the issuer */
    int64_t not_before, not_after; /* ms UTC */
    bool is_ca;
    struct digest fingerprint; /* SHA-256 of the DER, what `openssl x509 -fingerprint -sha256` shows */
};
enum err_code tls_cert_info(struct slice pem, struct tls_info *out, struct err *e) ERR_CHECKED;
/* Would a peer that pins `ca_pem` take `pem` as node `id` at time `now`? BAD_SIGNATURE, BAD_TIME or MISMATCH if not. */
enum err_code tls_cert_check(struct slice pem, struct slice ca_pem, const char *id, int64_t now,
                             struct err *e) ERR_CHECKED;
/* MISMATCH unless the certificate is over this key. */
enum err_code tls_cert_match(struct slice pem, const struct tls_key *key, struct err *e) ERR_CHECKED;

#endif
