/* ledger/vault_key.c -- the vault's key file: 64 hex digits and a line feed, mode 0600, never overwritten. */
#include "ledger/vault.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

enum { VAULT_KEY_TEXT = 2 * VAULT_KEY_SIZE + 1 };

static enum err_code vault_key_make(const char *path, struct err *e) {
    uint8_t key[VAULT_KEY_SIZE];
    char text[VAULT_KEY_TEXT + 1];
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(e, "%s", path);
    randombytes_buf(key, sizeof key);
    (void)sodium_bin2hex(text, sizeof text, key, sizeof key);
    text[VAULT_KEY_TEXT - 1] = '\n';
    ssize_t n = write(fd, text, VAULT_KEY_TEXT);
    bool good = n == VAULT_KEY_TEXT && fsync(fd) == 0;
    sodium_memzero(key, sizeof key);
    sodium_memzero(text, sizeof text);
    enum err_code c = good ? ERR_OK : err_errno(e, "%s", path);
    close(fd);
    if (c)
        (void)unlink(path); /* nothing is encrypted under it yet */
    return c;
}

static enum err_code vault_key_read(int fd, const char *path, uint8_t *key, struct err *e) {
    struct stat st;
    char text[VAULT_KEY_TEXT + 1];
    size_t len = 0;
    if (fstat(fd, &st))
        return err_errno(e, "%s", path);
    if (st.st_mode & 077)
        return err_set(e, ERR_NOT_ALLOWED, "%s: others may read it (mode %o, must be 0600)", path,
                       (unsigned)st.st_mode & 0777U);
    ssize_t n = read(fd, text, sizeof text);
    if (n < 0)
        return err_errno(e, "%s", path);
    bool good = n == VAULT_KEY_TEXT && text[VAULT_KEY_TEXT - 1] == '\n' &&
                sodium_hex2bin(key, VAULT_KEY_SIZE, text, VAULT_KEY_TEXT - 1, NULL, &len, NULL) == 0 &&
                len == VAULT_KEY_SIZE;
    sodium_memzero(text, sizeof text);
    return good ? ERR_OK : err_set(e, ERR_MALFORMED, "%s: not a vault key (64 hex digits and a line feed)", path);
}

enum err_code vault_key_load(const char *path, uint8_t **key, struct err *e) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        enum err_code c = vault_key_make(path, e);
        if (c)
            return c;
        fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    if (fd < 0)
        return err_errno(e, "%s", path);
    uint8_t *k = sodium_malloc(VAULT_KEY_SIZE);
    enum err_code c = k ? vault_key_read(fd, path, k, e) : err_set(e, ERR_NO_MEMORY, "%s", path);
    close(fd);
    if (c)
        sodium_free(k);
    else
        *key = k;
    return c;
}
