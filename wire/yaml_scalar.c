/* wire/yaml_scalar.c -- see yaml_scalar.h. Depends on libutf8proc (NFC), libsodium (hex, base64). */
#include "wire/yaml_scalar.h"

#include <sodium.h>
#include <utf8proc.h>

static bool yaml_scalar_digits(struct slice t, uint64_t *v) {
    size_t i;
    uint64_t n = 0;
    if (t.len == 0 || (t.len > 1 && t.ptr[0] == '0'))
        return false;
    for (i = 0; i < t.len; i++) {
        if (t.ptr[i] < '0' || t.ptr[i] > '9')
            return false;
        if (__builtin_mul_overflow(n, 10u, &n) || __builtin_add_overflow(n, (uint64_t)(t.ptr[i] - '0'), &n))
            return false;
    }
    *v = n;
    return true;
}

bool yaml_scalar_u64(struct slice t, uint64_t *v) {
    return yaml_scalar_digits(t, v);
}

bool yaml_scalar_i64(struct slice t, int64_t *v) {
    uint64_t n;
    bool negative = t.len > 0 && t.ptr[0] == '-';
    if (!yaml_scalar_digits(negative ? slice_from(t, 1) : t, &n))
        return false;
    if (n > (uint64_t)INT64_MAX + (negative ? 1 : 0) || (negative && n == 0))
        return false;
    *v = negative ? -(int64_t)(n - 1) - 1 : (int64_t)n;
    return true;
}

bool yaml_scalar_bool(struct slice t, bool *v) {
    *v = slice_eq_str(t, "true");
    return *v || slice_eq_str(t, "false");
}

bool yaml_scalar_null(struct slice t) {
    return t.len == 0 || slice_eq_str(t, "~") || slice_eq_str(t, "null");
}

/* ---- times ---- */

/* Exactly n digits at *at; moves past them. */
static bool yaml_scalar_fixed(struct slice t, size_t *at, size_t n, int64_t *v) {
    size_t i;
    *v = 0;
    if (t.len - *at < n)
        return false;
    for (i = 0; i < n; i++) {
        uint8_t c = t.ptr[*at + i];
        if (c < '0' || c > '9')
            return false;
        *v = *v * 10 + (c - '0');
    }
    *at += n;
    return true;
}

static bool yaml_scalar_char(struct slice t, size_t *at, const char *any) {
    if (*at >= t.len || t.ptr[*at] == 0 || !strchr(any, t.ptr[*at]))
        return false;
    (*at)++;
    return true;
}

/* Days since 1970-01-01 of a proleptic Gregorian date: years are counted from March, so that a leap day is last. */
static int64_t yaml_scalar_days(int64_t y, int64_t m, int64_t d) {
    int64_t shifted = m > 2 ? m - 3 : m + 9;
    int64_t year = m > 2 ? y : y - 1;
    return year * 365 + year / 4 - year / 100 + year / 400 + (153 * shifted + 2) / 5 + d - 1 - 719468;
}

static bool yaml_scalar_date(struct slice t, size_t *at, int64_t *days) {
    static const int64_t length[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t y, m, d, last;
    if (!yaml_scalar_fixed(t, at, 4, &y) || !yaml_scalar_char(t, at, "-") || !yaml_scalar_fixed(t, at, 2, &m) ||
        !yaml_scalar_char(t, at, "-") || !yaml_scalar_fixed(t, at, 2, &d) || m < 1 || m > 12 || y < 1)
        return false;
    last = length[m - 1] + (m == 2 && (y % 4 == 0 && (y % 100 != 0 || y % 400 == 0)) ? 1 : 0);
    *days = yaml_scalar_days(y, m, d);
    return d >= 1 && d <= last;
}

/* Digits behind the point: whole milliseconds, the rest is cut. */
static bool yaml_scalar_fraction(struct slice t, size_t *at, int64_t *ms) {
    int64_t scale = 100;
    size_t from = *at;
    while (*at < t.len && t.ptr[*at] >= '0' && t.ptr[*at] <= '9') {
        *ms += (t.ptr[*at] - '0') * scale;
        scale /= 10;
        (*at)++;
    }
    return *at > from;
}

static bool yaml_scalar_offset(struct slice t, size_t *at, int64_t *minutes) {
    int64_t h, m;
    bool west;
    *minutes = 0;
    if (yaml_scalar_char(t, at, "Zz"))
        return true;
    west = *at < t.len && t.ptr[*at] == '-';
    if (!yaml_scalar_char(t, at, "+-") || !yaml_scalar_fixed(t, at, 2, &h) || !yaml_scalar_char(t, at, ":") ||
        !yaml_scalar_fixed(t, at, 2, &m) || h > 23 || m > 59)
        return false;
    *minutes = (h * 60 + m) * (west ? -1 : 1);
    return true;
}

bool yaml_scalar_time(struct slice t, int64_t *ms) {
    size_t at = 0;
    int64_t days, h, min, s, part = 0, offset;
    if (!yaml_scalar_date(t, &at, &days))
        return false;
    *ms = days * 86400000;
    if (at == t.len)
        return true;
    if (!yaml_scalar_char(t, &at, "Tt ") || !yaml_scalar_fixed(t, &at, 2, &h) || !yaml_scalar_char(t, &at, ":") ||
        !yaml_scalar_fixed(t, &at, 2, &min) || !yaml_scalar_char(t, &at, ":") || !yaml_scalar_fixed(t, &at, 2, &s))
        return false;
    if (h > 23 || min > 59 || s > 59)
        return false;
    if (yaml_scalar_char(t, &at, ".") && !yaml_scalar_fraction(t, &at, &part))
        return false;
    if (!yaml_scalar_offset(t, &at, &offset) || at != t.len)
        return false;
    *ms += (h * 60 + min - offset) * 60000 + s * 1000 + part;
    return true;
}

/* ---- bytes ---- */

static bool yaml_scalar_is_hex(struct slice t) {
    size_t i;
    for (i = 0; i < t.len; i++) {
        uint8_t c = t.ptr[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')))
            return false;
    }
    return t.len > 0 && t.len % 2 == 0;
}

static bool yaml_scalar_hex(struct slice t, uint8_t *to, size_t room, size_t *len) {
    return yaml_scalar_is_hex(t) && sodium_hex2bin(to, room, (const char *)t.ptr, t.len, NULL, len, NULL) == 0;
}

static bool yaml_scalar_base64(struct slice t, uint8_t *to, size_t room, size_t *len) {
    return t.len > 0 && sodium_base642bin(to, room, (const char *)t.ptr, t.len, " \t\r\n", len, NULL,
                                          sodium_base64_VARIANT_ORIGINAL) == 0;
}

static bool yaml_scalar_prefix(struct slice *t, const char *prefix) {
    size_t n = strlen(prefix);
    if (t->len < n || memcmp(t->ptr, prefix, n) != 0)
        return false;
    *t = slice_from(*t, n);
    return true;
}

/* What stands between the BEGIN and END lines of exactly one block. */
static bool yaml_scalar_pem(struct slice t, struct slice *inner) {
    const uint8_t *lf = memchr(t.ptr, '\n', t.len), *end;
    if (!lf)
        return false;
    t = slice_from(t, (size_t)(lf - t.ptr) + 1);
    end = memmem(t.ptr, t.len, "-----END ", 9);
    if (!end)
        return false;
    *inner = slice_of(t.ptr, (size_t)(end - t.ptr));
    t = slice_from(t, inner->len + 9);
    return memmem(t.ptr, t.len, "-----BEGIN ", 11) == NULL;
}

bool yaml_scalar_bytes(struct slice t, struct arena *a, struct slice *out, bool *failed) {
    uint8_t *to = arena_alloc(a, 1, t.len + 1);
    size_t len = 0;
    bool ok;
    *failed = to == NULL;
    if (!to)
        return false;
    if (yaml_scalar_prefix(&t, "hex:"))
        ok = yaml_scalar_hex(t, to, t.len, &len);
    else if (yaml_scalar_prefix(&t, "base64:"))
        ok = yaml_scalar_base64(t, to, t.len, &len);
    else if (yaml_scalar_prefix(&t, "-----BEGIN "))
        ok = yaml_scalar_pem(t, &t) && yaml_scalar_base64(t, to, t.len, &len);
    else
        ok = yaml_scalar_hex(t, to, t.len, &len) || yaml_scalar_base64(t, to, t.len, &len);
    *out = slice_of(to, len);
    return ok;
}

/* ---- text ---- */

enum err_code yaml_scalar_nfc(struct slice t, struct arena *a, struct slice *out, struct err *e) {
    const utf8proc_option_t how = UTF8PROC_STABLE | UTF8PROC_COMPOSE;
    utf8proc_ssize_t need, len;
    utf8proc_int32_t *codes;
    size_t i = 0;
    while (i < t.len && t.ptr[i] < 0x80)
        i++;
    *out = t;
    if (i == t.len)
        return ERR_OK;
    need = utf8proc_decompose(t.ptr, (utf8proc_ssize_t)t.len, NULL, 0, how);
    if (need < 0)
        return err_set(e, ERR_MALFORMED, "not valid UTF-8");
    /* utf8proc_reencode writes a NUL behind the text, hence one more */
    codes = arena_alloc(a, (size_t)need + 1, sizeof *codes);
    if (!codes)
        return err_set(e, ERR_TOO_LARGE, "no room to normalise a text");
    len = utf8proc_decompose(t.ptr, (utf8proc_ssize_t)t.len, codes, need, how);
    if (len >= 0)
        len = utf8proc_reencode(codes, len, how);
    if (len < 0)
        return err_set(e, ERR_MALFORMED, "not valid UTF-8");
    *out = slice_of(codes, (size_t)len);
    return ERR_OK;
}
