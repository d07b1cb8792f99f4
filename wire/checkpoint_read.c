/* wire/checkpoint_read.c -- see checkpoint_read.h. */
#include "wire/checkpoint_read.h"

#include "wire/base64.h"
#include "wire/note.h"

static bool checkpoint_read_until(struct slice *rest, uint8_t stop, struct slice *out) {
    const uint8_t *p = rest->len ? memchr(rest->ptr, stop, rest->len) : NULL;
    if (!p)
        return false;
    *out = slice_of(rest->ptr, (size_t)(p - rest->ptr));
    *rest = slice_from(*rest, out->len + 1);
    return true;
}

/* Decimal without leading zeros. */
static bool checkpoint_read_u64(struct slice s, uint64_t *v) {
    size_t i;
    *v = 0;
    if (s.len == 0 || (s.len > 1 && s.ptr[0] == '0'))
        return false;
    for (i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
        if (__builtin_mul_overflow(*v, UINT64_C(10), v) || __builtin_add_overflow(*v, (uint64_t)(s.ptr[i] - '0'), v))
            return false;
    }
    return true;
}

static bool checkpoint_read_digest(struct slice s, struct digest *out) {
    size_t len;
    return base64_read(s, out->b, DIGEST_SIZE, &len) && len == DIGEST_SIZE;
}

/* "final <epoch> <view> <pid>" */
static bool checkpoint_read_last(struct slice line, struct checkpoint_read *out) {
    struct slice word, epoch, view;
    return checkpoint_read_until(&line, ' ', &word) && slice_eq_str(word, "final") &&
           checkpoint_read_until(&line, ' ', &epoch) && checkpoint_read_until(&line, ' ', &view) &&
           checkpoint_read_u64(epoch, &out->epoch) && checkpoint_read_u64(view, &out->view) &&
           checkpoint_read_digest(line, &out->pid);
}

enum err_code checkpoint_read_text(struct slice text, struct checkpoint_read *out, struct err *e) {
    struct slice rest = text, size, root, line;
    *out = (struct checkpoint_read){0};
    if (!note_text_ok(text))
        return err_set(e, ERR_MALFORMED, "a checkpoint that is not plain text");
    if (!checkpoint_read_until(&rest, '\n', &out->origin) || out->origin.len == 0)
        return err_set(e, ERR_MALFORMED, "a checkpoint without an origin");
    if (!checkpoint_read_until(&rest, '\n', &size) || !checkpoint_read_u64(size, &out->size))
        return err_set(e, ERR_MALFORMED, "a checkpoint without a tree size");
    if (!checkpoint_read_until(&rest, '\n', &root) || !checkpoint_read_digest(root, &out->root))
        return err_set(e, ERR_MALFORMED, "a checkpoint without a root hash of 32 bytes in base64");
    out->extension = rest.len ? rest : slice_none();
    while (checkpoint_read_until(&rest, '\n', &line)) {
        if (line.len == 0)
            return err_set(e, ERR_MALFORMED, "a checkpoint with an empty line");
        if (line.ptr == out->extension.ptr && line.len + 1 == out->extension.len && checkpoint_read_last(line, out))
            out->final = true;
    }
    if (out->final)
        out->extension = slice_none();
    return ERR_OK;
}

enum err_code checkpoint_read_final(struct slice text, struct checkpoint_read *out, struct err *e) {
    enum err_code rc = checkpoint_read_text(text, out, e);
    if (rc == ERR_OK && !out->final)
        rc = err_set(e, ERR_MALFORMED, "a checkpoint without the line that makes it final");
    return rc;
}
