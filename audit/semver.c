/* audit/semver.c -- see semver.h. Numbers have at most 9 digits, so that they fit. */
#include "audit/semver.h"

static bool semver_digit(uint8_t c) {
    return c >= '0' && c <= '9';
}

/* A dot-separated part from *at; *at ends at the dot, at stop, or at the end. */
static struct slice semver_part(struct slice v, size_t *at, char stop) {
    size_t from = *at;
    while (*at < v.len && v.ptr[*at] != '.' && v.ptr[*at] != (uint8_t)stop)
        (*at)++;
    return slice_of(v.ptr + from, *at - from);
}

static bool semver_number(struct slice p) {
    size_t i;
    for (i = 0; i < p.len; i++)
        if (!semver_digit(p.ptr[i]))
            return false;
    return p.len > 0 && p.len <= 9 && (p.len == 1 || p.ptr[0] != '0');
}

static bool semver_word(struct slice p) {
    size_t i;
    bool digits = true;
    for (i = 0; i < p.len; i++) {
        uint8_t c = p.ptr[i];
        digits = digits && semver_digit(c);
        if (!semver_digit(c) && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && c != '-')
            return false;
    }
    return p.len > 0 && (!digits || semver_number(p));
}

bool semver_valid(struct slice v) {
    size_t at = 0;
    int i;
    if (v.len > SEMVER_LEN)
        return false;
    for (i = 0; i < 3; i++) {
        if (!semver_number(semver_part(v, &at, '-')))
            return false;
        if (i < 2 && (at >= v.len || v.ptr[at++] != '.'))
            return false;
    }
    if (at == v.len)
        return true;
    if (v.ptr[at++] != '-')
        return false;
    for (;;) {
        if (!semver_word(semver_part(v, &at, '\0')))
            return false;
        if (at == v.len)
            return true;
        at++;
    }
}

static int semver_cmp_number(struct slice a, struct slice b) {
    return a.len != b.len ? (a.len > b.len) - (a.len < b.len) : slice_cmp(a, b);
}

/* Numbers below words; numbers by value, words bytewise. */
static int semver_cmp_part(struct slice a, struct slice b) {
    bool na = semver_number(a), nb = semver_number(b);
    if (na != nb)
        return na ? -1 : 1;
    return na ? semver_cmp_number(a, b) : slice_cmp(a, b);
}

int semver_cmp(struct slice a, struct slice b) {
    size_t i = 0, j = 0;
    int k, c;
    for (k = 0; k < 3; k++) {
        c = semver_cmp_number(semver_part(a, &i, '-'), semver_part(b, &j, '-'));
        if (c)
            return c;
        i += k < 2;
        j += k < 2;
    }
    if (i == a.len || j == b.len) /* a release is above its pre-releases */
        return (i == a.len) - (j == b.len);
    for (i++, j++;; i++, j++) {
        c = semver_cmp_part(semver_part(a, &i, '\0'), semver_part(b, &j, '\0'));
        if (c)
            return c;
        if (i == a.len || j == b.len)
            return (j == b.len) - (i == a.len);
    }
}
