/* genesis/keys.c -- see keys.h. A key is written with O_EXCL, mode 0600, synced with its directory. */
#include "genesis/keys.h"

#include "wire/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEYS_PATH = 4096, KEYS_LINE = 160 };
static const char keys_magic[] = "assay-key-v1";

enum err_code keys_make(struct keys *k, struct err *e) {
    enum err_code rc;
    memset(k, 0, sizeof *k);
    if ((rc = sign_start(e)) != ERR_OK || (rc = sign_generate(&k->consensus, &k->consensus_pub, e)) != ERR_OK ||
        (rc = sign_generate(&k->submit, &k->submit_pub, e)) != ERR_OK ||
        (rc = sign_generate(&k->link, &k->link_pub, e)) != ERR_OK)
        goto out;
    k->box_secret = sodium_malloc(KEYS_BOX_SIZE);
    if (!k->box_secret) {
        rc = err_set(e, ERR_NO_MEMORY, "no guarded memory for a key");
        goto out;
    }
    crypto_box_keypair(k->box_pub, k->box_secret);
out:
    if (rc != ERR_OK)
        keys_free(k);
    return rc;
}

void keys_free(struct keys *k) {
    sign_secret_free(k->consensus);
    sign_secret_free(k->submit);
    sign_secret_free(k->link);
    sodium_free(k->box_secret);
    memset(k, 0, sizeof *k);
}

/* ---- files ---- */

static enum err_code keys_sync_dir(const char *path, struct err *e) {
    char dir[KEYS_PATH];
    char *slash;
    int fd;
    enum err_code rc = ERR_OK;
    snprintf(dir, sizeof dir, "%s", path);
    slash = strrchr(dir, '/');
    if (slash)
        slash[slash == dir] = '\0';
    fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0)
        rc = err_errno(e, "%s", dir);
    if (fd >= 0)
        close(fd);
    return rc;
}

static enum err_code keys_write(const char *path, const char *purpose, const uint8_t secret[32], struct err *e) {
    char line[KEYS_LINE];
    size_t len, done = 0;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    enum err_code rc = ERR_OK;
    if (fd < 0)
        return errno == EEXIST ? err_set(e, ERR_CONFLICT, "%s is there already; keys are never overwritten", path)
                               : err_errno(e, "%s", path);
    snprintf(line, sizeof line, "%s %s ", keys_magic, purpose);
    len = strlen(line);
    sodium_bin2hex(line + len, sizeof line - len, secret, 32);
    len += 64;
    line[len++] = '\n';
    while (done < len && rc == ERR_OK) {
        ssize_t n = write(fd, line + done, len - done);
        if (n > 0)
            done += (size_t)n;
        else if (n == 0 || errno != EINTR)
            rc = err_errno(e, "%s", path);
    }
    sodium_memzero(line, sizeof line);
    if (rc == ERR_OK && fsync(fd) != 0)
        rc = err_errno(e, "%s", path);
    if (close(fd) != 0 && rc == ERR_OK)
        rc = err_errno(e, "%s", path);
    if (rc != ERR_OK) {
        unlink(path); /* a half-written key helps nobody, and would stand in the way */
        return rc;
    }
    return keys_sync_dir(path, e);
}

/* The line must be exactly magic, purpose, 64 digits, LF. */
static enum err_code keys_parse(const char *path, const char *purpose, const char *line, size_t len, uint8_t secret[32],
                                struct err *e) {
    char want[KEYS_LINE];
    int n = snprintf(want, sizeof want, "%s %s ", keys_magic, purpose);
    size_t head = n > 0 ? (size_t)n : 0, got = 0;
    if (len < head || memcmp(line, want, head) != 0)
        return err_set(e, ERR_MALFORMED, "%s: not a key file of purpose \"%s\"", path, purpose);
    if (len != head + 65 || line[len - 1] != '\n' ||
        sodium_hex2bin(secret, 32, line + head, 64, NULL, &got, NULL) != 0 || got != 32)
        return err_set(e, ERR_MALFORMED, "%s: damaged key file", path);
    return ERR_OK;
}

static enum err_code keys_read(const char *path, const char *purpose, uint8_t secret[32], struct err *e) {
    char line[KEYS_LINE];
    struct stat st;
    ssize_t len = -1;
    enum err_code rc;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? err_set(e, ERR_NOT_FOUND, "%s: no such key", path) : err_errno(e, "%s", path);
    if (fstat(fd, &st) != 0 || (len = read(fd, line, sizeof line)) < 0)
        rc = err_errno(e, "%s", path);
    else if (st.st_mode & (S_IRWXG | S_IRWXO))
        rc = err_set(e, ERR_NOT_ALLOWED, "%s: others can read this key; chmod 600 it, and think of it as known", path);
    else
        rc = keys_parse(path, purpose, line, (size_t)len, secret, e);
    sodium_memzero(line, sizeof line);
    close(fd);
    return rc;
}

enum err_code keys_sign_save(const struct sign_secret *secret, const char *path, const char *purpose, struct err *e) {
    uint8_t seed[SIGN_SEED_SIZE];
    enum err_code rc;
    sign_seed(secret, seed);
    rc = keys_write(path, purpose, seed, e);
    sodium_memzero(seed, sizeof seed);
    return rc;
}

enum err_code keys_sign_load(const char *path, const char *purpose, struct sign_secret **secret,
                             struct sign_public *pub, struct err *e) {
    uint8_t seed[SIGN_SEED_SIZE];
    enum err_code rc = sign_start(e);
    *secret = NULL;
    if (rc == ERR_OK)
        rc = keys_read(path, purpose, seed, e);
    if (rc == ERR_OK)
        rc = sign_from_seed(seed, secret, pub, e);
    sodium_memzero(seed, sizeof seed);
    return rc;
}

static enum err_code keys_path(char out[KEYS_PATH], const char *dir, const char *name, struct err *e) {
    int n = snprintf(out, KEYS_PATH, "%s/%s.key", dir, name);
    return n > 0 && n < KEYS_PATH ? ERR_OK : err_set(e, ERR_USAGE, "path too long: %s", dir);
}

static enum err_code keys_box_load(struct keys *k, const char *path, struct err *e) {
    enum err_code rc;
    k->box_secret = sodium_malloc(KEYS_BOX_SIZE);
    if (!k->box_secret)
        return err_set(e, ERR_NO_MEMORY, "no guarded memory for a key");
    rc = keys_read(path, "box", k->box_secret, e);
    if (rc == ERR_OK && crypto_scalarmult_base(k->box_pub, k->box_secret) != 0)
        rc = err_set(e, ERR_MALFORMED, "%s: damaged key file", path);
    return rc;
}

enum err_code keys_save(const struct keys *k, const char *dir, struct err *e) {
    const struct sign_secret *const secrets[] = {k->consensus, k->submit, k->link};
    static const char *const names[] = {"consensus", "submit", "link"};
    char path[KEYS_PATH];
    enum err_code rc = ERR_OK;
    size_t i;
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return err_errno(e, "%s", dir);
    for (i = 0; i < 3 && rc == ERR_OK; i++) {
        rc = keys_path(path, dir, names[i], e);
        if (rc == ERR_OK)
            rc = keys_sign_save(secrets[i], path, names[i], e);
    }
    if (rc == ERR_OK)
        rc = keys_path(path, dir, "box", e);
    return rc == ERR_OK ? keys_write(path, "box", k->box_secret, e) : rc;
}

enum err_code keys_load(struct keys *k, const char *dir, struct err *e) {
    struct {
        const char *name;
        struct sign_secret **secret;
        struct sign_public *pub;
    } const rows[] = {{"consensus", &k->consensus, &k->consensus_pub},
                      {"submit", &k->submit, &k->submit_pub},
                      {"link", &k->link, &k->link_pub}};
    char path[KEYS_PATH];
    enum err_code rc = sign_start(e);
    size_t i;
    memset(k, 0, sizeof *k);
    for (i = 0; i < 3 && rc == ERR_OK; i++) {
        rc = keys_path(path, dir, rows[i].name, e);
        if (rc == ERR_OK)
            rc = keys_sign_load(path, rows[i].name, rows[i].secret, rows[i].pub, e);
    }
    if (rc == ERR_OK)
        rc = keys_path(path, dir, "box", e);
    if (rc == ERR_OK)
        rc = keys_box_load(k, path, e);
    if (rc != ERR_OK)
        keys_free(k);
    return rc;
}
