/* node/cli/found.c -- see found.h. */
#include "node/cli/found.h"

#include "genesis/enrol.h"
#include "node/clock.h"
#include "wire/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <unistd.h>

static enum err_code found_org_ca(const char *dir, const char *id, struct buf *pem, struct err *e) {
    char path[FILES_PATH];
    struct tls_key *key = NULL;
    enum err_code rc = tls_key_generate(&key, e);
    if (rc == ERR_OK)
        rc = tls_ca_make(key, id, clock_wall_ms(), pem, e);
    if (rc == ERR_OK)
        rc = files_path(path, dir, "ca.key", e);
    if (rc == ERR_OK)
        rc = tls_key_save(key, path, e);
    if (rc == ERR_OK)
        rc = files_path(path, dir, "ca.pem", e);
    if (rc == ERR_OK)
        rc = files_create(path, buf_slice(pem), e);
    tls_key_free(key);
    return rc;
}

enum err_code found_org(const char *dir, const char *id, struct err *e) {
    char path[FILES_PATH];
    struct sign_secret *founder = NULL;
    struct sign_public pub;
    struct buf pem, request;
    enum err_code rc = sign_start(e);
    buf_init(&pem, TLS_PEM_MAX);
    buf_init(&request, ENROL_SIZE);
    if (rc == ERR_OK && !genesis_check_name(slice_str(id)))
        rc = err_set(e, ERR_USAGE, "\"%s\" is no name: lower-case letters, digits and -", id);
    if (rc == ERR_OK)
        rc = files_mkdir(dir, e);
    if (rc == ERR_OK)
        rc = sign_generate(&founder, &pub, e);
    if (rc == ERR_OK)
        rc = files_path(path, dir, "founder.key", e);
    if (rc == ERR_OK)
        rc = keys_sign_save(founder, path, "founder", e);
    if (rc == ERR_OK)
        rc = found_org_ca(dir, id, &pem, e);
    if (rc == ERR_OK)
        rc = enrol_org_request(founder, &pub, slice_str(id), buf_slice(&pem), &request, e);
    if (rc == ERR_OK)
        rc = files_path(path, dir, "org.request", e);
    if (rc == ERR_OK)
        rc = files_create(path, buf_slice(&request), e);
    sign_secret_free(founder);
    buf_release(&pem);
    buf_release(&request);
    return rc;
}

static enum err_code found_node_keys(const char *home, struct keys *k, struct buf *tls_public, struct err *e) {
    char path[FILES_PATH];
    struct tls_key *key = NULL;
    enum err_code rc = files_path(path, home, "keys", e);
    if (rc == ERR_OK)
        rc = files_mkdir(path, e);
    if (rc == ERR_OK)
        rc = keys_make(k, e);
    if (rc == ERR_OK && (rc = keys_save(k, path, e)) != ERR_OK)
        keys_free(k);
    if (rc != ERR_OK)
        return rc;
    rc = tls_key_generate(&key, e);
    if (rc == ERR_OK)
        rc = tls_key_public_pem(key, tls_public, e);
    if (rc == ERR_OK)
        rc = files_path(path, home, "keys/tls.key", e);
    if (rc == ERR_OK)
        rc = tls_key_save(key, path, e);
    tls_key_free(key);
    if (rc != ERR_OK)
        keys_free(k);
    return rc;
}

enum err_code found_node(const char *home, const char *id, const char *org, const char *org_dir, struct err *e) {
    char path[FILES_PATH];
    struct keys k;
    struct buf tls_public, request;
    enum err_code rc = ERR_OK;
    if (!genesis_check_name(slice_str(id)) || !genesis_check_name(slice_str(org)))
        return err_set(e, ERR_USAGE, "\"%s\" or \"%s\" is no name: lower-case letters, digits and -", id, org);
    buf_init(&tls_public, TLS_PEM_MAX);
    buf_init(&request, ENROL_SIZE);
    rc = found_node_keys(home, &k, &tls_public, e);
    if (rc == ERR_OK) {
        rc = enrol_node_request(&k, slice_str(id), slice_str(org), buf_slice(&tls_public), &request, e);
        keys_free(&k);
    }
    if (rc == ERR_OK)
        rc = files_path(path, home, "node.request", e);
    if (rc == ERR_OK)
        rc = files_create(path, buf_slice(&request), e);
    if (rc == ERR_OK && org_dir) {
        rc = files_path(path, home, "keys/tls.pem", e);
        if (rc == ERR_OK)
            rc = found_certify(org_dir, buf_slice(&request), path, e);
    }
    buf_release(&tls_public);
    buf_release(&request);
    return rc;
}

enum err_code found_certify(const char *org_dir, struct slice request, const char *cert_path, struct err *e) {
    char path[FILES_PATH], id[LIMIT_NAME + 1];
    struct enrol_body b;
    struct tls_info ca;
    struct tls_key *key = NULL;
    struct buf ca_pem, cert;
    enum err_code rc = enrol_read(request, &b, e);
    buf_init(&ca_pem, TLS_PEM_MAX);
    buf_init(&cert, TLS_PEM_MAX);
    if (rc == ERR_OK && b.kind != ENROL_NODE)
        rc = err_set(e, ERR_USAGE, "this is the request of an organisation; only nodes are certified");
    if (rc == ERR_OK)
        rc = files_path(path, org_dir, "ca.pem", e);
    if (rc == ERR_OK)
        rc = files_read(path, TLS_PEM_MAX, &ca_pem, e);
    if (rc == ERR_OK)
        rc = tls_cert_info(buf_slice(&ca_pem), &ca, e);
    if (rc == ERR_OK && !slice_eq_str(b.org, ca.subject))
        rc = err_set(e, ERR_MISMATCH, "node \"%.*s\" asks for \"%.*s\", but this is the CA of \"%s\"", SLICE_ARG(b.id),
                     SLICE_ARG(b.org), ca.subject);
    if (rc == ERR_OK)
        rc = files_path(path, org_dir, "ca.key", e);
    if (rc == ERR_OK)
        rc = tls_key_load(path, &key, e);
    if (rc == ERR_OK) {
        snprintf(id, sizeof id, "%.*s", SLICE_ARG(b.id));
        rc = tls_cert_make(buf_slice(&ca_pem), key, b.tls, id, TLS_NODE_DAYS, clock_wall_ms(), &cert, e);
    }
    if (rc == ERR_OK)
        rc = files_replace(cert_path, buf_slice(&cert), e);
    tls_key_free(key);
    buf_release(&ca_pem);
    buf_release(&cert);
    return rc;
}

enum err_code found_config(const char *home, const struct found_config *f, struct err *e) {
    char path[FILES_PATH];
    struct buf b;
    enum err_code rc = files_path(path, home, "node.yaml", e);
    buf_init(&b, 65536);
    buf_printf(&b, "# How this node runs. What the network agrees on is in genesis.assay.\nid: %s\nrole: %s\n", f->id,
               f->role);
    if (f->listen)
        buf_printf(&b, "listen: %s\n", f->listen);
    if (f->http) {
        buf_printf(&b, "http:\n  listen: %s\n", f->http);
        if (f->http_key)
            buf_printf(&b,
                       "  keys: # SHA-256 of each key's text; the first key's text is in keys/http.key\n"
                       "    - {name: operator, role: operator, hash: %s}\n",
                       f->http_key);
    }
    if (rc == ERR_OK)
        rc = buf_check(&b, e);
    if (rc == ERR_OK)
        rc = files_create(path, buf_slice(&b), e);
    buf_release(&b);
    return rc;
}

enum err_code found_http_key(const char *home, char hash[65], struct err *e) {
    char path[FILES_PATH], text[44 + 2]; /* 32 bytes in base64url, LF, NUL */
    uint8_t random[32];
    struct digest d;
    size_t len;
    ssize_t put = -1;
    int fd;
    enum err_code rc = files_path(path, home, "keys/http.key", e);
    if (rc != ERR_OK)
        return rc;
    randombytes_buf(random, sizeof random);
    sodium_bin2base64(text, 45, random, sizeof random, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(random, sizeof random);
    len = strlen(text);
    d = digest_of(slice_of(text, len));
    digest_hex(&d, hash);
    text[len] = '\n';
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0)
        put = write(fd, text, len + 1);
    if (put != (ssize_t)len + 1 || fsync(fd) != 0)
        rc = err_errno(e, "%s", path);
    if (fd >= 0)
        close(fd);
    sodium_memzero(text, sizeof text);
    return rc;
}
