/* genesis/keys.h -- the secret keys of a node or an organisation, and their files.
 * A file holds one key, mode 0600, in a directory of mode 0700, as one line of text:
 *   assay-key-v1 <purpose> <64 hex digits: Ed25519 seed, or X25519 secret for "box">
 * Each key has one use; the purpose is checked at loading. Never overwritten. Secrets live in guarded memory. */
#ifndef GENESIS_KEYS_H
#define GENESIS_KEYS_H

#include "wire/sign.h"

enum { KEYS_BOX_SIZE = 32 };

/* All of a node's keys but TLS. Release with keys_free. */
struct keys {
    struct sign_secret *consensus, *submit, *link;
    struct sign_public consensus_pub, submit_pub, link_pub;
    uint8_t *box_secret; /* KEYS_BOX_SIZE bytes of sodium_malloc */
    uint8_t box_pub[KEYS_BOX_SIZE];
};

enum err_code keys_make(struct keys *k, struct err *e) ERR_CHECKED;
/* Writes dir/{consensus,submit,link,box}.key, each synced; makes dir. CONFLICT if one is there already. */
enum err_code keys_save(const struct keys *k, const char *dir, struct err *e) ERR_CHECKED;
/* NOT_FOUND, MALFORMED, NOT_ALLOWED (readable by group or others). Nothing to release on error. */
enum err_code keys_load(struct keys *k, const char *dir, struct err *e) ERR_CHECKED;
void keys_free(struct keys *k);

/* One Ed25519 key, e.g. purpose "founder". */
enum err_code keys_sign_save(const struct sign_secret *secret, const char *path, const char *purpose,
                             struct err *e) ERR_CHECKED;
enum err_code keys_sign_load(const char *path, const char *purpose, struct sign_secret **secret,
                             struct sign_public *pub, struct err *e) ERR_CHECKED;

#endif
