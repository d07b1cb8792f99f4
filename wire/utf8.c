/* wire/utf8.c -- see utf8.h. Source: RFC 3629, section 4 (the ABNF of well-formed sequences). */
#include "wire/utf8.h"

/* Length of the well-formed character at p, 0 if there is none. */
static size_t utf8_one(const uint8_t *p, size_t left) {
    uint8_t lo = 0x80, hi = 0xBF;
    size_t n, i;
    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xC2 || p[0] > 0xF4)
        return 0;
    n = p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    if (left < n)
        return 0;
    if (p[0] == 0xE0)
        lo = 0xA0;
    else if (p[0] == 0xED)
        hi = 0x9F;
    else if (p[0] == 0xF0)
        lo = 0x90;
    else if (p[0] == 0xF4)
        hi = 0x8F;
    if (p[1] < lo || p[1] > hi)
        return 0;
    for (i = 2; i < n; i++)
        if (p[i] < 0x80 || p[i] > 0xBF)
            return 0;
    return n;
}

size_t utf8_valid_prefix(struct slice s) {
    size_t at = 0;
    while (at < s.len) {
        uint64_t word;
        size_t n;
        if (s.len - at >= 8) {
            memcpy(&word, s.ptr + at, 8);
            if (!(word & 0x8080808080808080u)) {
                at += 8;
                continue;
            }
        }
        n = utf8_one(s.ptr + at, s.len - at);
        if (n == 0)
            break;
        at += n;
    }
    return at;
}

bool utf8_valid(struct slice s) {
    return utf8_valid_prefix(s) == s.len;
}

size_t utf8_count(struct slice s) {
    size_t i, n = 0;
    for (i = 0; i < s.len; i++)
        n += (s.ptr[i] & 0xC0u) != 0x80u;
    return n;
}
