/* wire/checkpoint.c -- see checkpoint.h. */
#include "wire/checkpoint.h"

#include <inttypes.h>
#include <sodium.h>

enum { CHECKPOINT_B64 = 45 }; /* 44 characters and a NUL for 32 bytes */

static void checkpoint_b64(const struct digest *d, char out[CHECKPOINT_B64]) {
    sodium_bin2base64(out, CHECKPOINT_B64, d->b, DIGEST_SIZE, sodium_base64_VARIANT_ORIGINAL);
}

void checkpoint_text(struct slice origin, const struct checkpoint *cp, struct buf *out) {
    char root[CHECKPOINT_B64], pid[CHECKPOINT_B64];
    checkpoint_b64(&cp->tree_root, root);
    checkpoint_b64(&cp->pid, pid);
    buf_append(out, origin);
    buf_printf(out, "\n%" PRIu64 "\n%s\nfinal %" PRIu64 " %" PRIu64 " %s\n", cp->tree_size, root, cp->epoch, cp->view,
               pid);
}

/* Cuts the text before the separator off *rest. */
static bool checkpoint_cut(struct slice *rest, char end, struct slice *out) {
    const uint8_t *at = rest->len ? memchr(rest->ptr, end, rest->len) : NULL;
    if (!at)
        return false;
    *out = slice_of(rest->ptr, (size_t)(at - rest->ptr));
    *rest = slice_from(*rest, out->len + 1);
    return true;
}

static bool checkpoint_u64(struct slice s, uint64_t *out) {
    uint64_t v = 0;
    size_t i;
    if (s.len == 0 || s.len > 20)
        return false;
    for (i = 0; i < s.len; i++) {
        uint8_t digit = (uint8_t)(s.ptr[i] - '0');
        if (digit > 9 || __builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, digit, &v))
            return false;
    }
    *out = v;
    return true;
}

static bool checkpoint_digest(struct slice s, struct digest *out) {
    size_t len = 0;
    return s.len == CHECKPOINT_B64 - 1 &&
           sodium_base642bin(out->b, DIGEST_SIZE, (const char *)s.ptr, s.len, NULL, &len, NULL,
                             sodium_base64_VARIANT_ORIGINAL) == 0 &&
           len == DIGEST_SIZE;
}

enum err_code checkpoint_read(struct slice text, struct slice *origin, struct checkpoint *out, struct err *e) {
    struct slice rest = text, size, root, word, epoch, view, pid;
    struct buf again;
    bool same;
    if (text.len > CHECKPOINT_TEXT_MAX || !checkpoint_cut(&rest, '\n', origin) || !checkpoint_cut(&rest, '\n', &size) ||
        !checkpoint_cut(&rest, '\n', &root) || !checkpoint_cut(&rest, ' ', &word) ||
        !checkpoint_cut(&rest, ' ', &epoch) || !checkpoint_cut(&rest, ' ', &view) ||
        !checkpoint_cut(&rest, '\n', &pid) || rest.len != 0 || !slice_eq_str(word, "final") || origin->len == 0 ||
        origin->len > CHECKPOINT_ORIGIN_MAX || !checkpoint_u64(size, &out->tree_size) ||
        !checkpoint_digest(root, &out->tree_root) || !checkpoint_u64(epoch, &out->epoch) ||
        !checkpoint_u64(view, &out->view) || !checkpoint_digest(pid, &out->pid))
        return err_set(e, ERR_MALFORMED, "not the text of a final checkpoint");
    buf_init(&again, CHECKPOINT_TEXT_MAX);
    checkpoint_text(*origin, out, &again);
    same = !again.failed && slice_eq(buf_slice(&again), text);
    buf_release(&again);
    return same ? ERR_OK : err_set(e, ERR_MALFORMED, "the checkpoint's text is not in canonical form");
}
