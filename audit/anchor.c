/* audit/anchor.c -- see anchor.h. The key and the openings; the rules of the entries are in anchor_rules.c. */
#include "audit/anchor.h"

#include "audit/bundle.h"
#include "ledger/entry.h"
#include "wire/limits.h"

#include <sodium.h>

enum { ANCHOR_NPUB = 24, ANCHOR_PLAIN = 2 + CHECKPOINT_TEXT_MAX, ANCHOR_AD = DIGEST_SIZE + 8 };

#define AT(type, member) .offset = offsetof(struct type, member)

static const struct schema_field anchor_fields[] = {
    {.key = "alg", .type = SCHEMA_U64, AT(anchor, alg), .min = 1, .max = 1},
    {.key = "channel", .type = SCHEMA_FIXED, AT(anchor, channel), .max = DIGEST_SIZE},
    {.key = "commitment", .type = SCHEMA_FIXED, AT(anchor, commitment), .max = DIGEST_SIZE},
    {.key = "period", .type = SCHEMA_U64, AT(anchor, period), .min = 1},
    {.key = "sealed", .type = SCHEMA_BIN, AT(anchor, sealed), .min = ANCHOR_SEALED, .max = ANCHOR_SEALED},
};
const struct schema anchor_schema = SCHEMA_OF("anchor", struct anchor, anchor_fields);

static const struct schema_field box_fields[] = {
    {.key = "box", .type = SCHEMA_FIXED, AT(anchor_box, box), .max = SEALED_BOUND_SIZE},
    {.key = "node", .type = SCHEMA_STR, AT(anchor_box, node), .min = 1, .max = LIMIT_NAME},
};
static const struct schema box_schema = SCHEMA_OF("box", struct anchor_box, box_fields);

static const struct schema_field grant_fields[] = {
    {.key = "alg", .type = SCHEMA_U64, AT(anchor_grant, alg), .min = 1, .max = 1},
    {.key = "boxes", .type = SCHEMA_LIST, AT(anchor_grant, boxes), .min = 1, .max = LIMIT_MEMBERS, .sub = &box_schema},
    {.key = "by", .type = SCHEMA_STR, AT(anchor_grant, by), .min = 1, .max = LIMIT_NAME},
    {.key = "commit", .type = SCHEMA_FIXED, AT(anchor_grant, commit), .max = DIGEST_SIZE},
    {.key = "epoch", .type = SCHEMA_U64, AT(anchor_grant, epoch), .min = 1},
    {.key = "nonce", .type = SCHEMA_FIXED, AT(anchor_grant, nonce), .max = 16},
    {.key = "purpose", .type = SCHEMA_U64, AT(anchor_grant, purpose), .min = ANCHOR_PURPOSE, .max = ANCHOR_PURPOSE},
};
const struct schema anchor_grant_schema = SCHEMA_OF("key grant", struct anchor_grant, grant_fields);

/* ---- the key ---- */

struct digest anchor_key_commit(const uint8_t key[ANCHOR_KEY_SIZE]) {
    return digest_tagged("assay/anchor-key/v1", slice_of(key, ANCHOR_KEY_SIZE));
}

enum err_code anchor_grant_make(const uint8_t key[ANCHOR_KEY_SIZE], uint64_t epoch, struct slice by,
                                const struct anchor_recipient *to, size_t count, struct buf *entry, struct err *e) {
    struct anchor_box *boxes;
    struct anchor_grant g = {.alg = 1, .by = by, .epoch = epoch, .purpose = ANCHOR_PURPOSE};
    struct digest commit = anchor_key_commit(key);
    struct arena a;
    enum err_code rc = ERR_OK;
    if (count == 0 || count > LIMIT_MEMBERS)
        return err_set(e, ERR_TOO_LARGE, "a grant to %zu members", count);
    arena_init(&a, sizeof *boxes * (LIMIT_MEMBERS + 1));
    boxes = arena_alloc(&a, count, sizeof *boxes);
    if (!boxes) {
        rc = err_set(e, ERR_NO_MEMORY, "a grant");
        goto out;
    }
    for (size_t i = 0; i < count; i++) {
        boxes[i].node = to[i].node;
        if (!sealed_bind(to[i].box, key, boxes[i].box)) {
            rc = err_set(e, ERR_NOT_ALLOWED, "the box key of %.*s is weak", SLICE_ARG(to[i].node));
            goto out;
        }
    }
    g.boxes = (struct schema_list){boxes, (uint32_t)count};
    memcpy(g.commit, commit.b, DIGEST_SIZE);
    randombytes_buf(g.nonce, sizeof g.nonce);
    entry_write(ENTRY_KEY_GRANT, &anchor_grant_schema, &g, entry);
    rc = buf_check(entry, e);
out:
    arena_release(&a);
    return rc;
}

enum err_code anchor_grant_open(struct slice body, struct slice node, const struct sealed_pair *own,
                                uint8_t key[ANCHOR_KEY_SIZE], struct err *e) {
    struct anchor_grant g;
    const struct anchor_box *boxes;
    struct digest commit;
    struct arena a;
    enum err_code rc;
    arena_init(&a, 1 << 20);
    if ((rc = schema_read(&anchor_grant_schema, body, &a, &g, e)) != ERR_OK)
        goto out;
    boxes = g.boxes.items;
    rc = ERR_NOT_FOUND;
    for (uint32_t i = 0; i < g.boxes.count && rc == ERR_NOT_FOUND; i++)
        if (slice_eq(boxes[i].node, node))
            rc = sealed_bound_open(own, boxes[i].box, key) ? ERR_OK : ERR_BAD_SIGNATURE;
    if (rc != ERR_OK) {
        err_set(e, rc, "the grant has no box that %.*s can open", SLICE_ARG(node));
        goto out;
    }
    commit = anchor_key_commit(key);
    if (memcmp(commit.b, g.commit, DIGEST_SIZE) != 0) {
        sodium_memzero(key, ANCHOR_KEY_SIZE);
        rc = err_set(e, ERR_MISMATCH, "the key granted to %.*s is not the one committed to", SLICE_ARG(node));
    }
out:
    arena_release(&a);
    return rc;
}

/* ---- one anchor ---- */

static void anchor_be64(uint64_t v, uint8_t out[8]) {
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(v >> (56 - 8 * i));
}

void anchor_nonce(const uint8_t key[ANCHOR_KEY_SIZE], uint64_t period, uint8_t nonce[DIGEST_SIZE]) {
    uint8_t be[8];
    anchor_be64(period, be);
    (void)crypto_auth_hmacsha256(nonce, be, sizeof be, key);
}

static void anchor_box_key(const uint8_t key[ANCHOR_KEY_SIZE], uint8_t out[32]) {
    static const char label[] = "assay/anchor-box/v1"; /* with its NUL */
    (void)crypto_auth_hmacsha256(out, (const uint8_t *)label, sizeof label, key);
}

static void anchor_ad(const uint8_t channel[DIGEST_SIZE], uint64_t period, uint8_t out[ANCHOR_AD]) {
    memcpy(out, channel, DIGEST_SIZE);
    anchor_be64(period, out + DIGEST_SIZE);
}

enum err_code anchor_make(const uint8_t key[ANCHOR_KEY_SIZE], const struct digest *channel, uint64_t period,
                          struct slice text, struct buf *entry, struct err *e) {
    struct anchor an = {.alg = 1, .period = period};
    uint8_t nonce[DIGEST_SIZE], box_key[32], ad[ANCHOR_AD], plain[ANCHOR_PLAIN] = {0}, sealed[ANCHOR_SEALED];
    struct digest commitment;
    if (text.len == 0 || text.len > CHECKPOINT_TEXT_MAX)
        return err_set(e, ERR_TOO_LARGE, "a checkpoint of %zu bytes", text.len);
    plain[0] = (uint8_t)(text.len >> 8);
    plain[1] = (uint8_t)text.len;
    memcpy(plain + 2, text.ptr, text.len);
    memcpy(an.channel, channel->b, DIGEST_SIZE);
    anchor_nonce(key, period, nonce);
    commitment = bundle_anchor_commitment(nonce, text);
    memcpy(an.commitment, commitment.b, DIGEST_SIZE);
    anchor_box_key(key, box_key);
    anchor_ad(an.channel, period, ad);
    randombytes_buf(sealed, ANCHOR_NPUB);
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(sealed + ANCHOR_NPUB, NULL, plain, sizeof plain, ad, sizeof ad,
                                                     NULL, sealed, box_key);
    sodium_memzero(box_key, sizeof box_key);
    an.sealed = slice_of(sealed, sizeof sealed);
    entry_write(ENTRY_ANCHOR, &anchor_schema, &an, entry);
    return buf_check(entry, e);
}

enum err_code anchor_open(const uint8_t key[ANCHOR_KEY_SIZE], const struct anchor *a, struct buf *text,
                          uint8_t nonce[DIGEST_SIZE], struct err *e) {
    uint8_t box_key[32], ad[ANCHOR_AD], plain[ANCHOR_PLAIN];
    struct digest commitment;
    size_t len;
    int opened;
    anchor_box_key(key, box_key);
    anchor_ad(a->channel, a->period, ad);
    opened = a->sealed.len == ANCHOR_SEALED
                 ? crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL, a->sealed.ptr + ANCHOR_NPUB,
                                                              ANCHOR_SEALED - ANCHOR_NPUB, ad, sizeof ad, a->sealed.ptr,
                                                              box_key)
                 : -1;
    sodium_memzero(box_key, sizeof box_key);
    if (opened != 0)
        return err_set(e, ERR_BAD_SIGNATURE, "the anchor does not open with the channel's key");
    len = (size_t)plain[0] << 8 | plain[1];
    if (len == 0 || len > CHECKPOINT_TEXT_MAX)
        return err_set(e, ERR_BAD_SIGNATURE, "the anchor holds no text");
    anchor_nonce(key, a->period, nonce);
    commitment = bundle_anchor_commitment(nonce, slice_of(plain + 2, len));
    if (memcmp(commitment.b, a->commitment, DIGEST_SIZE) != 0)
        return err_set(e, ERR_MISMATCH, "the anchor commits to another text than the one it holds");
    buf_bytes(text, plain + 2, len);
    return buf_check(text, e);
}

enum err_code anchor_read(struct slice body, struct arena *a, struct anchor *out, struct err *e) {
    return schema_read(&anchor_schema, body, a, out, e);
}
