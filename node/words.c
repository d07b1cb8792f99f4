/* node/words.c -- see words.h. */
#include "node/words.h"

#include <time.h>

void words_typed(const char *text, struct slice *type, struct slice *name) {
    const char *colon = strchr(text, ':');
    *type = colon ? slice_of(text, (size_t)(colon - text)) : slice_none();
    *name = slice_str(colon ? colon + 1 : text);
}

/* Digits of exactly `count`; moves *p. */
static bool words_digits(const char **p, int count, int *out) {
    int v = 0;
    while (count-- > 0) {
        if (**p < '0' || **p > '9')
            return false;
        v = v * 10 + (*(*p)++ - '0');
    }
    *out = v;
    return true;
}

/* "T19:00[:00[.123]]" with "Z" or "+08:00". */
static bool words_clock(const char *p, struct tm *t, int *ms, int *ahead_min) {
    int scale = 100, hours, minutes, sign;
    if ((*p != 'T' && *p != 't' && *p != ' ') || (p++, !words_digits(&p, 2, &t->tm_hour)) || *p++ != ':' ||
        !words_digits(&p, 2, &t->tm_min))
        return false;
    if (*p == ':' && (p++, !words_digits(&p, 2, &t->tm_sec)))
        return false;
    if (*p == '.') {
        for (p++; *p >= '0' && *p <= '9'; p++, scale /= 10)
            *ms += (*p - '0') * scale;
    }
    if (t->tm_hour > 23 || t->tm_min > 59 || t->tm_sec > 60)
        return false;
    if (*p == '\0' || ((*p == 'Z' || *p == 'z') && p[1] == '\0'))
        return true;
    sign = *p == '-' ? -1 : 1;
    if ((*p != '+' && *p != '-') || (p++, !words_digits(&p, 2, &hours)) || *p++ != ':' ||
        !words_digits(&p, 2, &minutes) || *p != '\0' || hours > 23 || minutes > 59)
        return false;
    *ahead_min = sign * (hours * 60 + minutes);
    return true;
}

enum err_code words_time(const char *what, const char *text, int64_t *ms, struct err *e) {
    struct tm t = {0}, back;
    const char *p = text;
    int part = 0, ahead = 0;
    time_t s;
    if (!words_digits(&p, 4, &t.tm_year) || *p++ != '-' || !words_digits(&p, 2, &t.tm_mon) || *p++ != '-' ||
        !words_digits(&p, 2, &t.tm_mday) || (*p && !words_clock(p, &t, &part, &ahead)))
        goto bad;
    t.tm_year -= 1900;
    t.tm_mon -= 1;
    back = t;
    s = timegm(&back);
    if (back.tm_mday != t.tm_mday || back.tm_mon != t.tm_mon || t.tm_mday == 0)
        goto bad; /* 30 February */
    *ms = ((int64_t)s - (int64_t)ahead * 60) * 1000 + part;
    return ERR_OK;
bad:
    return err_set(e, ERR_USAGE, "%s: \"%.80s\" is no time; write 2026-11-22 or 2026-11-22T19:00:00Z", what, text);
}

static int words_nibble(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

enum err_code words_hex(const char *what, const char *text, uint8_t *out, size_t size, struct err *e) {
    size_t at = 0;
    const char *p = text;
    while (*p && at < size * 2) {
        int v = words_nibble(*p);
        if (*p == '-' && size == WORDS_UID) { /* a UUID's */
            p++;
            continue;
        }
        if (v < 0)
            break;
        out[at / 2] = (uint8_t)(at % 2 ? out[at / 2] | v : v << 4);
        at++;
        p++;
    }
    if (*p || at != size * 2)
        return err_set(e, ERR_USAGE, "%s: \"%.80s\" is not %zu hexadecimal digits", what, text, size * 2);
    return ERR_OK;
}
