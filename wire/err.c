/* wire/err.c -- see err.h. No dependency. */
#include "wire/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    enum err_code code;
    enum err_class cls;
    const char *name;
    const char *text;
} err_table[] = {
#define ERR_ROW(name_, value_, class_, text_) {ERR_##name_, ERR_CLASS_##class_, #name_, text_},
    ERR_LIST(ERR_ROW)
#undef ERR_ROW
};

static size_t err_row(int value) {
    size_t i;
    for (i = 0; i < sizeof err_table / sizeof err_table[0]; i++)
        if ((int)err_table[i].code == value)
            return i;
    return SIZE_MAX;
}

/* A cut inside a UTF-8 character would make the whole text unprintable in JSON. */
static void err_trim(struct err *e) {
    size_t n = strlen(e->text);
    size_t lead = n;
    if (n + 1 < sizeof e->text)
        return;
    while (lead > 0 && ((unsigned char)e->text[lead - 1] & 0xC0u) == 0x80u)
        lead--;
    if (lead > 0 && ((unsigned char)e->text[lead - 1] & 0x80u))
        e->text[lead - 1] = '\0';
}

#undef err_set /* the analyzer's wrappers */
#undef err_wrap
#undef err_errno

/* Appends ": " and text at n, as far as there is room. */
static void err_append(struct err *e, int n, const char *text) {
    const char *const parts[2] = {": ", text};
    size_t at = n < 0 ? 0 : (size_t)n, i;
    if (at > sizeof e->text - 1)
        at = sizeof e->text - 1;
    for (i = 0; i < 2 && at < sizeof e->text; i++) {
        size_t len = strlen(parts[i]), room = sizeof e->text - 1 - at;
        if (len > room)
            len = room;
        memcpy(e->text + at, parts[i], len);
        at += len;
        e->text[at] = '\0';
    }
    err_trim(e);
}

enum err_code err_set(struct err *e, enum err_code code, const char *fmt, ...) {
    va_list ap;
    if (!e)
        return code;
    e->code = code;
    va_start(ap, fmt);
    vsnprintf(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
    err_trim(e);
    return code;
}

enum err_code err_wrap(struct err *e, const char *fmt, ...) {
    char old[sizeof e->text];
    va_list ap;
    int n;
    if (!e)
        return ERR_INTERNAL;
    memcpy(old, e->text, sizeof old);
    va_start(ap, fmt);
    n = vsnprintf(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
    err_append(e, n, old);
    return e->code;
}

enum err_code err_errno(struct err *e, const char *fmt, ...) {
    int saved = errno;
    enum err_code code = saved == ENOSPC || saved == EDQUOT ? ERR_NO_SPACE : saved == ENOMEM ? ERR_NO_MEMORY : ERR_IO;
    va_list ap;
    int n;
    if (!e)
        return code;
    e->code = code;
    va_start(ap, fmt);
    n = vsnprintf(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
    err_append(e, n, strerror(saved));
    return code;
}

const char *err_name(enum err_code code) {
    size_t i = err_row((int)code);
    return i == SIZE_MAX ? "UNKNOWN" : err_table[i].name;
}

const char *err_text(enum err_code code) {
    size_t i = err_row((int)code);
    return i == SIZE_MAX ? "unknown error" : err_table[i].text;
}

enum err_class err_class_of(enum err_code code) {
    size_t i = err_row((int)code);
    return i == SIZE_MAX ? ERR_CLASS_FATAL : err_table[i].cls;
}

bool err_known(int value) {
    return err_row(value) != SIZE_MAX;
}

int err_exit_status(enum err_code code) {
    switch (err_class_of(code)) {
    case ERR_CLASS_NONE:
        return 0;
    case ERR_CLASS_NO:
    case ERR_CLASS_MISSING:
        return 1;
    case ERR_CLASS_USAGE:
        return 2;
    case ERR_CLASS_BUSY:
        return 3;
    case ERR_CLASS_REFUSED:
        return 4;
    case ERR_CLASS_FATAL:
        break;
    }
    return 5;
}

_Noreturn void err_assert_failed(const char *cond, const char *file, int line) {
    fprintf(stderr, "assay: invariant broken at %s:%d: %s -- this is a defect in assay; the node stops\n", file, line,
            cond);
    abort();
}
