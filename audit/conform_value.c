/* audit/conform_value.c -- see conform_value.h. */
#include "audit/conform_value.h"

#include "wire/utf8.h"

static size_t value_digits(struct slice s, size_t at) {
    size_t n = 0;
    while (at + n < s.len && s.ptr[at + n] >= '0' && s.ptr[at + n] <= '9')
        n++;
    return n;
}

/* The length of -?(0|[1-9][0-9]*) at the start, or 0. */
static size_t value_integer(struct slice s) {
    size_t sign = s.len > 0 && s.ptr[0] == '-', n = value_digits(s, sign);
    if (n == 0 || n > 18 || (n > 1 && s.ptr[sign] == '0') || (sign && n == 1 && s.ptr[1] == '0' && s.len == 2))
        return 0;
    return sign + n;
}

static bool value_decimal(struct slice s) {
    size_t n = value_integer(s), fraction;
    if (n == 0 || s.len > 40)
        return false;
    if (n == s.len)
        return true;
    fraction = value_digits(s, n + 1);
    return s.ptr[n] == '.' && fraction > 0 && n + 1 + fraction == s.len;
}

static unsigned value_number(struct slice s, size_t at, size_t n) {
    unsigned v = 0;
    while (n-- > 0)
        v = v * 10 + (unsigned)(s.ptr[at++] - '0');
    return v;
}

static bool value_date(struct slice s) {
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned year, month, day, last;
    bool leap;
    if (s.len != 10 || s.ptr[4] != '-' || s.ptr[7] != '-' || value_digits(s, 0) != 4 || value_digits(s, 5) != 2 ||
        value_digits(s, 8) != 2)
        return false;
    year = value_number(s, 0, 4);
    month = value_number(s, 5, 2);
    day = value_number(s, 8, 2);
    if (month < 1 || month > 12)
        return false;
    leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    last = days[month - 1] + (month == 2 && leap ? 1u : 0u);
    return day >= 1 && day <= last;
}

static bool value_listed(const struct standard_field *f, struct slice value) {
    const struct slice *v = f->values.items;
    uint32_t i;
    for (i = 0; i < f->values.count; i++)
        if (slice_eq(v[i], value))
            return true;
    return false;
}

static bool value_identifier(struct slice s) {
    size_t i;
    for (i = 0; i < s.len; i++)
        if (s.ptr[i] <= ' ' || s.ptr[i] == 127)
            return false;
    return s.len > 0;
}

static const char *value_wrong(const struct standard_field *f, struct slice v) {
    switch ((enum standard_type)f->type) {
    case STANDARD_T_STR:
        return NULL;
    case STANDARD_T_INT:
        return value_integer(v) == v.len ? NULL : "not a whole number";
    case STANDARD_T_DEC:
        return value_decimal(v) ? NULL : "not a decimal number like -12.50";
    case STANDARD_T_DATE:
        return value_date(v) ? NULL : "not a date like 2026-01-31";
    case STANDARD_T_BOOL:
        return slice_eq_str(v, "true") || slice_eq_str(v, "false") ? NULL : "neither true nor false";
    case STANDARD_T_ENUM:
        return value_listed(f, v) ? NULL : "not one of the values that the standard lists";
    case STANDARD_T_REF:
        return value_identifier(v) ? NULL : "not an identifier (blanks or control characters)";
    }
    return "of an unknown type";
}

size_t conform_value_chars(struct slice value) {
    return utf8_count(value);
}

enum err_code conform_value(const struct standard_field *f, struct slice value, struct err *e) {
    const char *wrong = value.len == 0 ? "empty" : value_wrong(f, value);
    if (wrong)
        return err_set(e, ERR_NONCONFORMING, "%s", wrong);
    if (f->max && utf8_count(value) > f->max)
        return err_set(e, ERR_NONCONFORMING, "longer than %llu characters", (unsigned long long)f->max);
    if (f->match && !match_test(f->match, value))
        return err_set(e, ERR_NONCONFORMING, "does not match the pattern %.*s", SLICE_ARG(f->regex));
    return ERR_OK;
}
