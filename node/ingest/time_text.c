/* node/ingest/time_text.c -- see time_text.h. Calendar by arithmetic of our own: no locale, no time_t. */
#include "node/ingest/time_text.h"

enum { TIME_TEXT_YEARS = 9999 };

struct time_text_parts {
    int64_t year, month, day, hour, minute, second, ms;
    bool epoch, zoned;
    int64_t epoch_s;
    int32_t zone_min;
};

struct time_text_scan {
    struct slice s;
    size_t at;
};

static bool scan_char(struct time_text_scan *x, char c) {
    if (x->at >= x->s.len || x->s.ptr[x->at] != (uint8_t)c)
        return false;
    x->at++;
    return true;
}

static bool scan_digit(const struct time_text_scan *x, size_t at) {
    return at < x->s.len && x->s.ptr[at] >= '0' && x->s.ptr[at] <= '9';
}

/* min..max digits. */
static bool scan_number(struct time_text_scan *x, unsigned min, unsigned max, int64_t *v) {
    unsigned n = 0;
    *v = 0;
    while (n < max && scan_digit(x, x->at)) {
        *v = *v * 10 + (x->s.ptr[x->at] - '0');
        x->at++;
        n++;
    }
    return n >= min;
}

/* Digits of a fraction; past the third they are below a millisecond. */
static bool scan_fraction(struct time_text_scan *x, int64_t *ms) {
    unsigned n = 0;
    *ms = 0;
    for (; scan_digit(x, x->at) && n < 18; n++, x->at++)
        if (n < 3)
            *ms = *ms * 10 + (x->s.ptr[x->at] - '0');
    for (unsigned i = n; i < 3 && n > 0; i++)
        *ms *= 10;
    return n > 0;
}

static bool scan_zone(struct time_text_scan *x, struct time_text_parts *p) {
    int64_t h, m = 0;
    bool west;
    if (scan_char(x, 'Z') || scan_char(x, 'z')) {
        p->zoned = true;
        p->zone_min = 0;
        return true;
    }
    west = x->at < x->s.len && x->s.ptr[x->at] == '-';
    if (!scan_char(x, '+') && !scan_char(x, '-'))
        return false;
    if (!scan_number(x, 2, 2, &h))
        return false;
    if (scan_char(x, ':') || scan_digit(x, x->at)) {
        if (!scan_number(x, 2, 2, &m))
            return false;
    }
    if (h > 14 || m > 59)
        return false;
    p->zoned = true;
    p->zone_min = (int32_t)(west ? -(h * 60 + m) : h * 60 + m);
    return true;
}

static const char *const time_text_months[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                               "jul", "aug", "sep", "oct", "nov", "dec"};
static const char *const time_text_long[] = {"january", "february", "march",     "april",   "may",      "june",
                                             "july",    "august",   "september", "october", "november", "december"};

static size_t scan_letters(const struct time_text_scan *x, char out[16]) {
    size_t n = 0;
    while (n < 15 && x->at + n < x->s.len && ((x->s.ptr[x->at + n] | 32) >= 'a') &&
           ((x->s.ptr[x->at + n] | 32) <= 'z')) {
        out[n] = (char)(x->s.ptr[x->at + n] | 32);
        n++;
    }
    out[n] = '\0';
    return n;
}

static bool scan_month(struct time_text_scan *x, int64_t *month) {
    char word[16];
    size_t n = scan_letters(x, word);
    for (int i = 0; i < 12; i++)
        if (strcmp(word, time_text_months[i]) == 0 || strcmp(word, time_text_long[i]) == 0) {
            *month = i + 1;
            x->at += n;
            return true;
        }
    return false;
}

static bool leap(int64_t y) {
    return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

/* Days since 1970-01-01 of a date of the Gregorian calendar. */
static int64_t days_of(int64_t y, int64_t m, int64_t d) {
    int64_t era, yoe, doy;
    y -= m <= 2;
    era = y / 400;
    yoe = y - era * 400;
    doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static enum err_code parts_ms(const struct time_text *t, const struct time_text_parts *p, int64_t *ms, struct err *e) {
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int32_t zone = p->zoned ? p->zone_min : t->zone_min;
    if (p->epoch) {
        *ms = p->epoch_s * 1000 + p->ms;
        return ERR_OK;
    }
    if (p->year < 1970 || p->year > TIME_TEXT_YEARS || p->month < 1 || p->month > 12 || p->day < 1 ||
        p->day > lengths[p->month - 1] + (p->month == 2 && leap(p->year)) || p->hour > 23 || p->minute > 59 ||
        p->second > 60)
        return err_set(e, ERR_MALFORMED, "no date of the calendar");
    if (!p->zoned && !t->zoned)
        return err_set(e, ERR_MALFORMED, "states no zone, and none is configured");
    *ms =
        (((days_of(p->year, p->month, p->day) * 24 + p->hour) * 60 + p->minute - zone) * 60 + p->second) * 1000 + p->ms;
    return ERR_OK;
}

static bool parse_rfc3339(struct time_text_scan *x, struct time_text_parts *p) {
    if (!scan_number(x, 4, 4, &p->year) || !scan_char(x, '-') || !scan_number(x, 2, 2, &p->month) ||
        !scan_char(x, '-') || !scan_number(x, 2, 2, &p->day) ||
        !(scan_char(x, 'T') || scan_char(x, 't') || scan_char(x, ' ')) || !scan_number(x, 2, 2, &p->hour) ||
        !scan_char(x, ':') || !scan_number(x, 2, 2, &p->minute) || !scan_char(x, ':') ||
        !scan_number(x, 2, 2, &p->second))
        return false;
    if ((scan_char(x, '.') || scan_char(x, ',')) && !scan_fraction(x, &p->ms))
        return false;
    return x->at == x->s.len || scan_zone(x, p);
}

static bool parse_epoch(struct time_text_scan *x, bool ms, struct time_text_parts *p) {
    int64_t v;
    p->epoch = true;
    if (!scan_number(x, 1, ms ? 16 : 13, &v))
        return false;
    p->epoch_s = ms ? v / 1000 : v;
    p->ms = ms ? v % 1000 : 0;
    if (!scan_char(x, '.'))
        return true;
    if (!ms)
        return scan_fraction(x, &p->ms);
    return scan_fraction(x, &v); /* below a millisecond */
}

static bool parse_one(struct time_text_scan *x, char c, struct time_text_parts *p) {
    char word[16];
    size_t n;
    switch (c) {
    case 'Y':
        return scan_number(x, 4, 4, &p->year);
    case 'y':
        if (!scan_number(x, 2, 2, &p->year))
            return false;
        p->year += p->year <= 68 ? 2000 : 1900;
        return true;
    case 'm':
        return scan_number(x, 1, 2, &p->month);
    case 'e':
        while (scan_char(x, ' '))
            continue;
        return scan_number(x, 1, 2, &p->day);
    case 'd':
        return scan_number(x, 1, 2, &p->day);
    case 'H':
        return scan_number(x, 1, 2, &p->hour);
    case 'M':
        return scan_number(x, 2, 2, &p->minute);
    case 'S':
        return scan_number(x, 2, 2, &p->second);
    case 'f':
        return scan_fraction(x, &p->ms);
    case 'b':
    case 'B':
        return scan_month(x, &p->month);
    case 'a':
    case 'A':
        n = scan_letters(x, word);
        x->at += n;
        return n > 0;
    case 'z':
        return scan_zone(x, p);
    case 's':
        p->epoch = true;
        return scan_number(x, 1, 13, &p->epoch_s);
    case 'F':
        return scan_number(x, 4, 4, &p->year) && scan_char(x, '-') && scan_number(x, 2, 2, &p->month) &&
               scan_char(x, '-') && scan_number(x, 2, 2, &p->day);
    case 'T':
        return scan_number(x, 2, 2, &p->hour) && scan_char(x, ':') && scan_number(x, 2, 2, &p->minute) &&
               scan_char(x, ':') && scan_number(x, 2, 2, &p->second);
    default:
        return scan_char(x, c);
    }
}

static bool parse_pattern(const struct time_text *t, struct time_text_scan *x, struct time_text_parts *p) {
    size_t i;
    for (i = 0; i < t->pattern.len; i++) {
        char c = (char)t->pattern.ptr[i];
        if (c == '%' && i + 1 < t->pattern.len) {
            if (!parse_one(x, (char)t->pattern.ptr[++i], p))
                return false;
        } else if (c == ' ') {
            if (!scan_char(x, ' '))
                return false;
            while (scan_char(x, ' '))
                continue;
        } else if (!scan_char(x, c)) {
            return false;
        }
    }
    return true;
}

enum err_code time_text_parse(const struct time_text *t, struct slice text, int64_t *ms, struct err *e) {
    struct time_text_parts p = {0};
    struct time_text_scan x = {text, 0};
    bool ok = false;
    switch (t->kind) {
    case TIME_TEXT_RFC3339:
        ok = parse_rfc3339(&x, &p);
        break;
    case TIME_TEXT_EPOCH_S:
    case TIME_TEXT_EPOCH_MS:
        ok = parse_epoch(&x, t->kind == TIME_TEXT_EPOCH_MS, &p);
        break;
    case TIME_TEXT_PATTERN:
        ok = parse_pattern(t, &x, &p);
        break;
    }
    if (!ok || x.at != text.len)
        return err_set(e, ERR_MALFORMED, "not of the configured format (differs at byte %zu)", x.at);
    return parts_ms(t, &p, ms, e);
}

bool time_text_zone(struct slice zone, int32_t *minutes) {
    struct time_text_scan x = {zone, 0};
    struct time_text_parts p = {0};
    if (slice_eq_str(zone, "UTC")) {
        *minutes = 0;
        return true;
    }
    if (!scan_zone(&x, &p) || x.at != zone.len)
        return false;
    *minutes = p.zone_min;
    return true;
}

static enum err_code check_pattern(struct slice pattern, struct err *e) {
    static const char known[] = "YymedHMSfbBaAzsFT%";
    bool year = false, month = false, day = false;
    size_t i;
    for (i = 0; i < pattern.len; i++) {
        char c;
        if (pattern.ptr[i] != '%')
            continue;
        if (++i == pattern.len)
            return err_set(e, ERR_MALFORMED, "ends in a lone %%");
        c = (char)pattern.ptr[i];
        if (c == '\0' || !strchr(known, c))
            return err_set(e, ERR_MALFORMED, "%%%c is not known", c);
        year |= c == 'Y' || c == 'y' || c == 'F' || c == 's';
        month |= c == 'm' || c == 'b' || c == 'B' || c == 'F' || c == 's';
        day |= c == 'd' || c == 'e' || c == 'F' || c == 's';
    }
    return year && month && day
               ? ERR_OK
               : err_set(e, ERR_MALFORMED, "needs year, month and day (or rfc3339, epoch_s, epoch_ms)");
}

enum err_code time_text_compile(struct slice format, struct slice zone, struct time_text *out, struct err *e) {
    *out = (struct time_text){.kind = TIME_TEXT_PATTERN, .pattern = format};
    if (zone.len) {
        if (!time_text_zone(zone, &out->zone_min))
            return err_set(e, ERR_MALFORMED, "\"%.*s\" is no zone: UTC or an offset such as +08:00", SLICE_ARG(zone));
        out->zoned = true;
    }
    if (!format.len || slice_eq_str(format, "rfc3339"))
        out->kind = TIME_TEXT_RFC3339;
    else if (slice_eq_str(format, "epoch_s"))
        out->kind = TIME_TEXT_EPOCH_S;
    else if (slice_eq_str(format, "epoch_ms"))
        out->kind = TIME_TEXT_EPOCH_MS;
    else
        return check_pattern(format, e);
    return ERR_OK;
}
