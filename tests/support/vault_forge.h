/* tests/support/vault_forge.h -- what somebody who holds the vault's key, or its disk, can do to a stored log.
 * Works on an open vault (another process may have it open too). */
#ifndef TESTS_VAULT_FORGE_H
#define TESTS_VAULT_FORGE_H

#include "ledger/vault.h"

/* Re-encrypts `raw` under the hash of another log, with that log's salt. spare: a directory that does not exist. */
enum err_code vault_forge(struct vault *v, const uint8_t key[VAULT_KEY_SIZE], const char *spare,
                          const struct digest *raw_hash, struct slice raw, struct err *e) ERR_CHECKED;
/* Flips bits of one byte of the stored value, checksum included; at counts modulo its length. */
enum err_code vault_forge_flip(struct vault *v, const struct digest *raw_hash, size_t at, uint8_t mask,
                               struct err *e) ERR_CHECKED;
/* Removes the log without a trace. */
enum err_code vault_forge_delete(struct vault *v, const struct digest *raw_hash, struct err *e) ERR_CHECKED;
/* Length of the stored value; 0 if there is none. */
size_t vault_forge_size(struct vault *v, const struct digest *raw_hash);

#endif
