/* wire/base64.c -- see base64.h. */
#include "wire/base64.h"

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_write(struct slice bytes, struct buf *out) {
    size_t i;
    for (i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        uint32_t v = (uint32_t)bytes.ptr[i] << 16;
        char four[4];
        if (left > 1)
            v |= (uint32_t)bytes.ptr[i + 1] << 8;
        if (left > 2)
            v |= bytes.ptr[i + 2];
        four[0] = base64_digits[v >> 18];
        four[1] = base64_digits[v >> 12 & 63];
        four[2] = left > 1 ? base64_digits[v >> 6 & 63] : '=';
        four[3] = left > 2 ? base64_digits[v & 63] : '=';
        buf_bytes(out, four, sizeof four);
    }
}

size_t base64_size(size_t text_len) {
    return text_len / 4 * 3;
}

static int base64_value(uint8_t c) {
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Four characters to 1..3 bytes; 0 when they are none. Only the last four may be padded. */
static size_t base64_four(const uint8_t *p, bool last, uint8_t three[3]) {
    int a = base64_value(p[0]), b = base64_value(p[1]), c = base64_value(p[2]), d = base64_value(p[3]);
    size_t len = 3;
    if (last && p[3] == '=') {
        len = p[2] == '=' ? 1 : 2;
        d = 0;
        c = len == 1 ? 0 : c;
    }
    if (a < 0 || b < 0 || c < 0 || d < 0)
        return 0;
    if ((len == 1 && (b & 15)) || (len == 2 && (c & 3)))
        return 0;
    three[0] = (uint8_t)(a << 2 | b >> 4);
    three[1] = (uint8_t)(b << 4 | c >> 2);
    three[2] = (uint8_t)(c << 6 | d);
    return len;
}

/* out may be NULL: then only checked. */
static bool base64_decode(struct slice text, uint8_t *out, size_t cap, size_t *len) {
    size_t i, at = 0;
    if (text.len % 4 != 0)
        return false;
    for (i = 0; i < text.len; i += 4) {
        uint8_t three[3];
        size_t n = base64_four(text.ptr + i, i + 4 == text.len, three);
        if (n == 0 || (out && n > cap - at))
            return false;
        if (out)
            memcpy(out + at, three, n);
        at += n;
    }
    *len = at;
    return true;
}

bool base64_read(struct slice text, uint8_t *out, size_t cap, size_t *len) {
    return base64_decode(text, out, cap, len);
}

bool base64_valid(struct slice text) {
    size_t len;
    return base64_decode(text, NULL, 0, &len);
}
