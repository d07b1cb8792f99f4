/* tests/integration/tools/vault_tool.c -- does to a node's vault what a thief of its key, or its disk, can do; the node
 * may be running. vault_tool HOME forge|flip|delete RAW_HASH_HEX */
#include "tests/support/vault_forge.h"
#include "wire/sign.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
    char path[4096], spare[4096];
    struct vault *v = NULL;
    struct digest hash;
    uint8_t *key = NULL;
    struct err e = {0};
    enum err_code rc = sign_start(&e);
    if (argc != 4 || !digest_from_hex(slice_str(argv[3]), &hash)) {
        fprintf(stderr, "vault_tool HOME forge|flip|delete RAW_HASH_HEX\n");
        return 2;
    }
    snprintf(path, sizeof path, "%s/keys/vault.key", argv[1]);
    if (rc == ERR_OK)
        rc = vault_key_load(path, &key, &e);
    snprintf(path, sizeof path, "%s/vault", argv[1]);
    snprintf(spare, sizeof spare, "%s/vault.forged.%.8s", argv[1], argv[3]);
    if (rc == ERR_OK)
        rc = vault_open(path, key, &v, &e);
    if (rc == ERR_OK && strcmp(argv[2], "forge") == 0)
        rc = vault_forge(v, key, spare, &hash, slice_str("{\"user\":\"nobody\",\"op\":\"nothing\"}"), &e);
    else if (rc == ERR_OK && strcmp(argv[2], "flip") == 0)
        rc = vault_forge_flip(v, &hash, vault_forge_size(v, &hash) / 2, 0x10, &e);
    else if (rc == ERR_OK)
        rc = vault_forge_delete(v, &hash, &e);
    if (rc != ERR_OK)
        fprintf(stderr, "vault_tool: %s\n", e.text);
    if (v)
        vault_close(v);
    sodium_free(key);
    return rc == ERR_OK ? 0 : 1;
}
