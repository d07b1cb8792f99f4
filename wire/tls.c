/* wire/tls.c -- see tls.h. */
#include "wire/tls.h"

#include "wire/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <openssl/x509_vfy.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { TLS_SERIAL = 16, TLS_DAY_S = 86400 };

struct tls_key {
    EVP_PKEY *pkey;
};

/* Records what the library says about its newest failure, and forgets the rest. */
static enum err_code tls_fail(struct err *e, enum err_code code, const char *what) {
    const char *why = ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();
    return err_set(e, code, "%s%s%s", what, why ? ": " : "", why ? why : "");
}

static enum err_code tls_key_wrap(EVP_PKEY *pkey, struct tls_key **out, struct err *e) {
    *out = mem_alloc(sizeof **out);
    if (!*out) {
        EVP_PKEY_free(pkey);
        return err_set(e, ERR_NO_MEMORY, "no memory for a key");
    }
    (*out)->pkey = pkey;
    return ERR_OK;
}

static bool tls_is_p256(const EVP_PKEY *pkey) {
    char group[32];
    size_t len = 0;
    if (!EVP_PKEY_is_a(pkey, "EC") || !EVP_PKEY_get_group_name(pkey, group, sizeof group, &len))
        return false;
    return strcmp(group, "prime256v1") == 0 || strcmp(group, "P-256") == 0;
}

enum err_code tls_key_generate(struct tls_key **out, struct err *e) {
    EVP_PKEY *pkey = EVP_EC_gen("P-256");
    *out = NULL;
    if (!pkey)
        return tls_fail(e, ERR_INTERNAL, "cannot make a P-256 key");
    return tls_key_wrap(pkey, out, e);
}

static BIO *tls_bio(struct slice pem) {
    if (pem.len == 0 || pem.len > TLS_PEM_MAX)
        return NULL;
    return BIO_new_mem_buf(pem.ptr, (int)pem.len);
}

/* No passphrase is ever asked for on the terminal. */
static int tls_no_passphrase(char *into, int size, int writing, void *ctx) {
    (void)into, (void)size, (void)writing, (void)ctx;
    return -1;
}

enum err_code tls_key_from_pem(struct slice pem, struct tls_key **out, struct err *e) {
    BIO *bio = tls_bio(pem);
    EVP_PKEY *pkey;
    *out = NULL;
    if (!bio)
        return err_set(e, ERR_MALFORMED, "a private key of %zu bytes", pem.len);
    pkey = PEM_read_bio_PrivateKey(bio, NULL, tls_no_passphrase, NULL);
    BIO_free(bio);
    if (!pkey)
        return tls_fail(e, ERR_MALFORMED, "not a private key in PEM");
    if (!tls_is_p256(pkey)) {
        EVP_PKEY_free(pkey);
        return err_set(e, ERR_UNSUPPORTED, "the key of a link must be of P-256");
    }
    return tls_key_wrap(pkey, out, e);
}

void tls_key_free(struct tls_key *key) {
    if (!key)
        return;
    EVP_PKEY_free(key->pkey);
    mem_free(key);
}

void tls_wipe(struct buf *b) {
    if (b->ptr)
        sodium_memzero(b->ptr, b->cap);
    buf_release(b);
}

/* Appends what a memory BIO holds, and frees it. */
static enum err_code tls_drain(BIO *bio, struct buf *out, struct err *e) {
    char *text = NULL;
    long len = BIO_get_mem_data(bio, &text);
    if (len > 0) {
        buf_bytes(out, text, (size_t)len);
        sodium_memzero(text, (size_t)len);
    }
    BIO_free(bio);
    return buf_check(out, e);
}

enum err_code tls_key_pem(const struct tls_key *key, struct buf *out, struct err *e) {
    BIO *bio = BIO_new(BIO_s_mem());
    if (!bio || !PEM_write_bio_PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL, NULL)) {
        BIO_free(bio);
        return tls_fail(e, ERR_NO_MEMORY, "cannot write a private key");
    }
    return tls_drain(bio, out, e);
}

enum err_code tls_key_public_pem(const struct tls_key *key, struct buf *out, struct err *e) {
    BIO *bio = BIO_new(BIO_s_mem());
    if (!bio || !PEM_write_bio_PUBKEY(bio, key->pkey)) {
        BIO_free(bio);
        return tls_fail(e, ERR_NO_MEMORY, "cannot write a public key");
    }
    return tls_drain(bio, out, e);
}

static enum err_code tls_write_all(int fd, struct slice bytes, const char *path, struct err *e) {
    while (bytes.len) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(e, "%s", path);
        bytes = slice_from(bytes, (size_t)n);
    }
    return fsync(fd) ? err_errno(e, "%s", path) : ERR_OK;
}

enum err_code tls_key_save(const struct tls_key *key, const char *path, struct err *e) {
    enum err_code rc;
    struct buf pem;
    int fd = -1;
    buf_init(&pem, TLS_PEM_MAX);
    rc = tls_key_pem(key, &pem, e);
    if (rc)
        goto out;
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        rc = errno == EEXIST ? err_set(e, ERR_CONFLICT, "%s exists; a key is never overwritten", path)
                             : err_errno(e, "%s", path);
        goto out;
    }
    rc = tls_write_all(fd, buf_slice(&pem), path, e);
    if (close(fd) && !rc)
        rc = err_errno(e, "%s", path);
    if (rc)
        unlink(path);
out:
    tls_wipe(&pem);
    return rc;
}

enum err_code tls_key_load(const char *path, struct tls_key **out, struct err *e) {
    enum err_code rc;
    uint8_t bytes[TLS_PEM_MAX + 1];
    size_t len = 0;
    ssize_t n;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    *out = NULL;
    if (fd < 0)
        return errno == ENOENT ? err_set(e, ERR_NOT_FOUND, "%s: no such file", path) : err_errno(e, "%s", path);
    do {
        n = read(fd, bytes + len, sizeof bytes - len);
        if (n > 0)
            len += (size_t)n;
    } while (len < sizeof bytes && (n > 0 || (n < 0 && errno == EINTR)));
    rc = n < 0 ? err_errno(e, "%s", path) : tls_key_from_pem(slice_of(bytes, len), out, e);
    if (rc && n >= 0)
        err_wrap(e, "%s", path);
    close(fd);
    sodium_memzero(bytes, sizeof bytes);
    return rc;
}

static enum err_code tls_read_cert(struct slice pem, X509 **out, struct err *e) {
    BIO *bio = tls_bio(pem);
    *out = NULL;
    if (!bio)
        return err_set(e, ERR_MALFORMED, "a certificate of %zu bytes", pem.len);
    *out = PEM_read_bio_X509(bio, NULL, tls_no_passphrase, NULL);
    BIO_free(bio);
    return *out ? ERR_OK : tls_fail(e, ERR_MALFORMED, "not a certificate in PEM");
}

static bool tls_set_name(X509_NAME *name, const char *cn) {
    return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0) == 1;
}

/* Positive, random, 16 bytes. */
static bool tls_set_serial(X509 *cert) {
    uint8_t bytes[TLS_SERIAL];
    BIGNUM *n;
    bool ok;
    randombytes_buf(bytes, sizeof bytes);
    bytes[0] = (uint8_t)((bytes[0] & 0x7f) | 0x40);
    n = BN_bin2bn(bytes, sizeof bytes, NULL);
    ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert));
    BN_free(n);
    return ok;
}

static bool tls_add_ext(X509 *cert, X509 *issuer, int nid, const char *value) {
    X509V3_CTX ctx;
    X509_EXTENSION *ext;
    bool ok;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    ok = ext && X509_add_ext(cert, ext, -1);
    X509_EXTENSION_free(ext);
    return ok;
}

static bool tls_set_times(X509 *cert, int64_t from_s, int64_t to_s) {
    return ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)from_s) &&
           ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)to_s);
}

/* A certificate becomes a name of files, TLS and certificates: only what the network's rule for ids allows. */
static enum err_code tls_check_name(const char *name, struct err *e) {
    size_t len = strlen(name), i;
    if (len == 0 || len > LIMIT_NAME || name[0] == '-')
        return err_set(e, ERR_USAGE, "\"%.80s\" is no id: 1 to %d of a-z 0-9 -", name, LIMIT_NAME);
    for (i = 0; i < len; i++)
        if (!((name[i] >= 'a' && name[i] <= 'z') || (name[i] >= '0' && name[i] <= '9') || name[i] == '-'))
            return err_set(e, ERR_USAGE, "\"%.80s\" is no id: 1 to %d of a-z 0-9 -", name, LIMIT_NAME);
    return ERR_OK;
}

static enum err_code tls_append_cert(X509 *cert, struct buf *out, struct err *e) {
    BIO *bio = BIO_new(BIO_s_mem());
    if (!bio || !PEM_write_bio_X509(bio, cert)) {
        BIO_free(bio);
        return tls_fail(e, ERR_NO_MEMORY, "cannot write a certificate");
    }
    return tls_drain(bio, out, e);
}

enum err_code tls_ca_make(const struct tls_key *key, const char *org, int64_t now, struct buf *out, struct err *e) {
    enum err_code rc = tls_check_name(org, e);
    X509 *cert;
    int64_t from = (now - TLS_BACKDATE_MS) / 1000;
    if (rc)
        return rc;
    cert = X509_new();
    if (!cert || !X509_set_version(cert, X509_VERSION_3) || !tls_set_serial(cert) ||
        !tls_set_name(X509_get_subject_name(cert), org) || !X509_set_issuer_name(cert, X509_get_subject_name(cert)) ||
        !tls_set_times(cert, from, now / 1000 + (int64_t)TLS_CA_YEARS * 365 * TLS_DAY_S) ||
        !X509_set_pubkey(cert, key->pkey) ||
        !tls_add_ext(cert, cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
        !tls_add_ext(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign") ||
        !tls_add_ext(cert, cert, NID_subject_key_identifier, "hash") || !X509_sign(cert, key->pkey, EVP_sha256()))
        rc = tls_fail(e, ERR_INTERNAL, "cannot make a CA certificate");
    else
        rc = tls_append_cert(cert, out, e);
    X509_free(cert);
    return rc;
}

static int64_t tls_time_ms(const ASN1_TIME *t) {
    struct tm tm = {0};
    if (!ASN1_TIME_to_tm(t, &tm))
        return 0;
    return (int64_t)timegm(&tm) * 1000;
}

enum err_code tls_cert_make(struct slice ca_pem, const struct tls_key *ca_key, struct slice public_pem, const char *id,
                            unsigned days, int64_t now, struct buf *out, struct err *e) {
    X509 *ca = NULL, *cert = NULL;
    EVP_PKEY *public_key = NULL;
    BIO *bio = NULL;
    char san[LIMIT_NAME + 8];
    int64_t end = now / 1000 + (int64_t)days * TLS_DAY_S;
    enum err_code rc = tls_check_name(id, e);
    if (!rc)
        rc = tls_read_cert(ca_pem, &ca, e);
    if (rc)
        goto out;
    if (X509_check_private_key(ca, ca_key->pkey) != 1) {
        rc = tls_fail(e, ERR_MISMATCH, "the key is not that of the CA's certificate");
        goto out;
    }
    bio = tls_bio(public_pem);
    public_key = bio ? PEM_read_bio_PUBKEY(bio, NULL, tls_no_passphrase, NULL) : NULL;
    if (!public_key || !tls_is_p256(public_key)) {
        rc = tls_fail(e, ERR_MALFORMED, "not a P-256 public key in PEM");
        goto out;
    }
    if (end > tls_time_ms(X509_get0_notAfter(ca)) / 1000)
        end = tls_time_ms(X509_get0_notAfter(ca)) / 1000;
    snprintf(san, sizeof san, "DNS:%s", id);
    cert = X509_new();
    if (!cert || !X509_set_version(cert, X509_VERSION_3) || !tls_set_serial(cert) ||
        !tls_set_name(X509_get_subject_name(cert), id) || !X509_set_issuer_name(cert, X509_get_subject_name(ca)) ||
        !tls_set_times(cert, (now - TLS_BACKDATE_MS) / 1000, end) || !X509_set_pubkey(cert, public_key) ||
        !tls_add_ext(cert, ca, NID_basic_constraints, "critical,CA:FALSE") ||
        !tls_add_ext(cert, ca, NID_key_usage, "critical,digitalSignature") ||
        !tls_add_ext(cert, ca, NID_ext_key_usage, "serverAuth,clientAuth") ||
        !tls_add_ext(cert, ca, NID_subject_alt_name, san) ||
        !tls_add_ext(cert, ca, NID_subject_key_identifier, "hash") ||
        !tls_add_ext(cert, ca, NID_authority_key_identifier, "keyid") || !X509_sign(cert, ca_key->pkey, EVP_sha256()))
        rc = tls_fail(e, ERR_INTERNAL, "cannot make a node's certificate");
    else
        rc = tls_append_cert(cert, out, e);
out:
    X509_free(cert);
    X509_free(ca);
    EVP_PKEY_free(public_key);
    BIO_free(bio);
    return rc;
}

static void tls_copy_cn(const X509_NAME *name, char out[LIMIT_NAME + 1]) {
    out[0] = '\0';
    X509_NAME_get_text_by_NID(name, NID_commonName, out, LIMIT_NAME + 1);
}

enum err_code tls_cert_info(struct slice pem, struct tls_info *out, struct err *e) {
    X509 *cert;
    unsigned len = 0;
    enum err_code rc = tls_read_cert(pem, &cert, e);
    memset(out, 0, sizeof *out);
    if (rc)
        return rc;
    tls_copy_cn(X509_get_subject_name(cert), out->subject);
    tls_copy_cn(X509_get_issuer_name(cert), out->issuer);
    out->not_before = tls_time_ms(X509_get0_notBefore(cert));
    out->not_after = tls_time_ms(X509_get0_notAfter(cert));
    out->is_ca = X509_check_ca(cert) > 0;
    if (!X509_digest(cert, EVP_sha256(), out->fingerprint.b, &len))
        rc = tls_fail(e, ERR_INTERNAL, "cannot hash a certificate");
    X509_free(cert);
    return rc;
}

/* Which of our errors is an error of X509_verify_cert. */
static enum err_code tls_verify_code(int code) {
    switch (code) {
    case X509_V_ERR_CERT_NOT_YET_VALID:
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return ERR_BAD_TIME;
    case X509_V_ERR_HOSTNAME_MISMATCH:
        return ERR_MISMATCH;
    default:
        return ERR_BAD_SIGNATURE;
    }
}

enum err_code tls_cert_check(struct slice pem, struct slice ca_pem, const char *id, int64_t now, struct err *e) {
    X509 *cert = NULL, *ca = NULL;
    X509_STORE *store = NULL;
    X509_STORE_CTX *ctx = NULL;
    enum err_code rc = tls_read_cert(pem, &cert, e);
    if (!rc)
        rc = tls_read_cert(ca_pem, &ca, e);
    if (rc)
        goto out;
    store = X509_STORE_new();
    ctx = X509_STORE_CTX_new();
    if (!store || !ctx || !X509_STORE_add_cert(store, ca) || !X509_STORE_CTX_init(ctx, store, cert, NULL)) {
        rc = tls_fail(e, ERR_NO_MEMORY, "cannot verify a certificate");
        goto out;
    }
    X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(ctx), (time_t)(now / 1000));
    X509_VERIFY_PARAM_set1_host(X509_STORE_CTX_get0_param(ctx), id, 0);
    if (X509_verify_cert(ctx) != 1) {
        int code = X509_STORE_CTX_get_error(ctx);
        ERR_clear_error();
        rc = err_set(e, tls_verify_code(code), "certificate of %s: %s", id, X509_verify_cert_error_string(code));
    }
out:
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    X509_free(cert);
    X509_free(ca);
    return rc;
}

enum err_code tls_cert_match(struct slice pem, const struct tls_key *key, struct err *e) {
    X509 *cert;
    enum err_code rc = tls_read_cert(pem, &cert, e);
    if (rc)
        return rc;
    if (X509_check_private_key(cert, key->pkey) != 1)
        rc = tls_fail(e, ERR_MISMATCH, "the certificate is of another key");
    X509_free(cert);
    return rc;
}
