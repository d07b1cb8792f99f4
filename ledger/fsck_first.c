/* ledger/fsck_first.c -- the first scan after opening: touches what a start would touch. Declared in fsck.h. */
#include "ledger/fsck.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { FSCK_FIRST_NEWEST = 64 }; /* blocks, bodies and certificates that are read */

static enum err_code fsck_first_touch(struct store_txn *t, enum store_table table, enum store_seek how, uint64_t most,
                                      struct err *e) {
    uint8_t at[STORE_KEY_MAX];
    struct slice from = slice_none(), key, v;
    bool up = how == STORE_AT_OR_ABOVE;
    uint64_t i;
    for (i = 0; i < most; i++) {
        enum err_code code = store_seek(t, table, i == 0 ? how : up ? STORE_ABOVE : STORE_BELOW, from, &key, &v, e);
        if (code != ERR_OK)
            return code == ERR_NOT_FOUND ? ERR_OK : code;
        if (key.len > sizeof at)
            return err_set(e, ERR_CORRUPT, "a key of %zu bytes", key.len);
        memcpy(at, key.ptr, key.len);
        from = slice_of(at, key.len);
    }
    return ERR_OK;
}

enum err_code fsck_first_scan(const char *path, struct err *e) {
    struct store_options o = {.read_only = true};
    struct store *s = NULL;
    struct store_txn *t = NULL;
    char file[STORE_PATH];
    enum err_code code;
    if ((size_t)snprintf(file, sizeof file, "%s/data.mdb", path) >= sizeof file)
        return err_set(e, ERR_CONFIG, "path too long: %s", path);
    if (access(file, F_OK) != 0 && errno == ENOENT)
        return ERR_OK; /* nothing is there yet */
    code = store_open_lmdb(path, &o, &s, e);
    if (code == ERR_OK)
        code = store_begin_read(s, &t, e);
    if (code == ERR_OK)
        code = fsck_first_touch(t, STORE_META, STORE_AT_OR_ABOVE, UINT64_MAX, e);
    if (code == ERR_OK)
        code = fsck_first_touch(t, STORE_PENDING, STORE_AT_OR_ABOVE, UINT64_MAX, e);
    if (code == ERR_OK)
        code = fsck_first_touch(t, STORE_BATCHES, STORE_AT_OR_ABOVE, UINT64_MAX, e);
    if (code == ERR_OK)
        code = fsck_first_touch(t, STORE_VOTES, STORE_AT_OR_ABOVE, UINT64_MAX, e);
    if (code == ERR_OK)
        code = fsck_first_touch(t, STORE_PROOFS, STORE_AT_OR_ABOVE, UINT64_MAX, e);
    if (code == ERR_OK)
        code = fsck_first_touch(t, STORE_CERTS, STORE_BELOW, FSCK_FIRST_NEWEST, e);
    if (code == ERR_OK)
        code = fsck_first_touch(t, STORE_BLOCKS, STORE_BELOW, FSCK_FIRST_NEWEST, e);
    if (code == ERR_OK)
        code = fsck_first_touch(t, STORE_BODIES, STORE_BELOW, FSCK_FIRST_NEWEST, e);
    store_abort(t);
    store_close(s);
    return code;
}
