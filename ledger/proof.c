/* ledger/proof.c -- see proof.h. */
#include "ledger/proof.h"

#include "wire/base64.h"
#include "wire/checkpoint_read.h"

#include <inttypes.h>

static const char proof_title[] = "c2sp.org/tlog-proof@v1";

void proof_write(const struct proof *p, struct buf *out) {
    unsigned i;
    buf_printf(out, "%s\n", proof_title);
    if (p->has_extra) {
        buf_str(out, "extra ");
        base64_write(slice_of(p->extra, p->extra_len), out);
        buf_u8(out, '\n');
    }
    buf_printf(out, "index %" PRIu64 "\n", p->index);
    for (i = 0; i < p->path.count; i++) {
        base64_write(digest_slice(&p->path.hash[i]), out);
        buf_u8(out, '\n');
    }
    buf_u8(out, '\n');
    buf_append(out, p->checkpoint);
}

static bool proof_line(struct slice *rest, struct slice *line) {
    const uint8_t *p = rest->len ? memchr(rest->ptr, '\n', rest->len) : NULL;
    if (!p)
        return false;
    *line = slice_of(rest->ptr, (size_t)(p - rest->ptr));
    *rest = slice_from(*rest, line->len + 1);
    return true;
}

static bool proof_prefix(struct slice *line, const char *word) {
    size_t len = strlen(word);
    if (line->len < len || memcmp(line->ptr, word, len) != 0)
        return false;
    *line = slice_from(*line, len);
    return true;
}

static bool proof_u64(struct slice s, uint64_t *v) {
    size_t i;
    *v = 0;
    if (s.len == 0 || (s.len > 1 && s.ptr[0] == '0'))
        return false;
    for (i = 0; i < s.len; i++)
        if (s.ptr[i] < '0' || s.ptr[i] > '9' || __builtin_mul_overflow(*v, UINT64_C(10), v) ||
            __builtin_add_overflow(*v, (uint64_t)(s.ptr[i] - '0'), v))
            return false;
    return true;
}

enum err_code proof_read(struct slice text, struct proof *out, struct err *e) {
    struct slice rest = text, line;
    size_t len;
    if (text.len > PROOF_MAX)
        return err_set(e, ERR_TOO_LARGE, "a proof of %zu bytes (at most %d)", text.len, PROOF_MAX);
    *out = (struct proof){0};
    if (!proof_line(&rest, &line) || !slice_eq_str(line, proof_title))
        return err_set(e, ERR_MALFORMED, "not a proof: the first line must be \"%s\"", proof_title);
    if (!proof_line(&rest, &line))
        return err_set(e, ERR_MALFORMED, "a proof that is cut off");
    if (proof_prefix(&line, "extra ")) {
        if (!base64_read(line, out->extra, PROOF_EXTRA, &out->extra_len))
            return err_set(e, ERR_MALFORMED, "a proof whose extra data is not base64 of at most %d bytes", PROOF_EXTRA);
        out->has_extra = true;
        if (!proof_line(&rest, &line))
            return err_set(e, ERR_MALFORMED, "a proof that is cut off");
    }
    if (!proof_prefix(&line, "index ") || !proof_u64(line, &out->index))
        return err_set(e, ERR_MALFORMED, "a proof without an index");
    for (;;) {
        if (!proof_line(&rest, &line))
            return err_set(e, ERR_MALFORMED, "a proof without a checkpoint");
        if (line.len == 0)
            break;
        if (out->path.count == TREE_PATH_MAX)
            return err_set(e, ERR_MALFORMED, "a proof of more than %d hashes", TREE_PATH_MAX);
        if (!base64_read(line, out->path.hash[out->path.count].b, DIGEST_SIZE, &len) || len != DIGEST_SIZE)
            return err_set(e, ERR_MALFORMED, "hash %u of the proof is not base64 of 32 bytes", out->path.count + 1);
        out->path.count++;
    }
    if (rest.len == 0)
        return err_set(e, ERR_MALFORMED, "a proof without a checkpoint");
    out->checkpoint = rest;
    return ERR_OK;
}

enum err_code proof_verify(const struct proof *p, const struct digest *leaf, struct slice origin,
                           const struct note_key *keys, size_t key_count, struct note_signed *signed_by,
                           struct err *e) {
    struct note n;
    struct checkpoint_read c;
    enum err_code rc;
    *signed_by = (struct note_signed){0};
    if ((rc = note_parse(p->checkpoint, &n, e)) != ERR_OK || (rc = checkpoint_read_text(n.text, &c, e)) != ERR_OK)
        return rc;
    if (!slice_eq(c.origin, origin))
        return err_set(e, ERR_WRONG_NETWORK, "a proof of the log %.*s, not of %.*s",
                       (int)(c.origin.len < 100 ? c.origin.len : 100), (const char *)c.origin.ptr,
                       (int)(origin.len < 100 ? origin.len : 100), (const char *)origin.ptr);
    rc = tree_verify_inclusion(leaf, p->index, c.size, p->path.hash, p->path.count, &c.root, e);
    if (rc != ERR_OK)
        return rc;
    return note_verify(&n, keys, key_count, signed_by, e);
}
