/* node/cli/out.c -- see out.h. Widths by libutf8proc, so that they do not depend on the locale. */
#include "node/cli/out.h"

#include "node/clock.h"
#include "wire/json.h"

#include <stdarg.h>
#include <unistd.h>
#include <utf8proc.h>

enum { OUT_BAR = 30, OUT_SHOW_MS = 100, OUT_PLAIN_MS = 10000, OUT_TABLE_BYTES = 64 << 20, OUT_JSON = 64 << 20 };

/* ---- width ---- */

/* The next character: its bytes, its cells, and whether it must be escaped. */
static size_t out_next(struct slice t, size_t *cells, bool *escape) {
    utf8proc_int32_t code;
    utf8proc_ssize_t n = utf8proc_iterate(t.ptr, (utf8proc_ssize_t)t.len, &code);
    int width;
    *escape = n <= 0 || code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x202a && code <= 0x202e) ||
              (code >= 0x2066 && code <= 0x2069); /* bidirectional overrides reorder what a reader sees */
    if (*escape) {
        n = n <= 0 ? 1 : n;
        *cells = (size_t)n * 4;
        return (size_t)n;
    }
    width = utf8proc_charwidth(code);
    *cells = width > 0 ? (size_t)width : 0;
    return (size_t)n;
}

size_t out_width(struct slice text) {
    size_t at = 0, cells = 0, c;
    bool escape;
    while (at < text.len) {
        at += out_next(slice_from(text, at), &c, &escape);
        cells += c;
    }
    return cells;
}

void out_padded(struct buf *b, struct slice text, size_t cells) {
    size_t at = 0, c, n, i, used = 0;
    bool escape;
    while (at < text.len) {
        n = out_next(slice_from(text, at), &c, &escape);
        if (!escape)
            buf_bytes(b, text.ptr + at, n);
        for (i = 0; escape && i < n; i++)
            buf_printf(b, "\\x%02X", text.ptr[at + i]);
        at += n;
        used += c;
    }
    for (; used < cells; used++)
        buf_u8(b, ' ');
}

/* ---- table ---- */

void out_table_init(struct out_table *t, const char *const *headings, size_t columns, unsigned right) {
    size_t i;
    memset(t, 0, sizeof *t);
    buf_init(&t->cells, OUT_TABLE_BYTES);
    t->columns = columns < OUT_COLUMNS ? columns : OUT_COLUMNS;
    t->right = right;
    t->headed = headings != NULL;
    for (i = 0; headings && i < t->columns; i++)
        out_cell(t, slice_str(headings[i]));
}

void out_cell(struct out_table *t, struct slice text) {
    size_t column = t->count % t->columns, from = t->cells.len, width;
    if (text.len > OUT_CELL)
        text.len = OUT_CELL;
    out_padded(&t->cells, text, 0);
    if (t->cells.failed)
        return;
    width = out_width(slice_of(t->cells.ptr + from, t->cells.len - from));
    buf_u8(&t->cells, 0);
    if (width > t->width[column])
        t->width[column] = width;
    t->count++;
}

void out_cellf(struct out_table *t, const char *fmt, ...) {
    char text[OUT_CELL];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    out_cell(t, slice_str(text));
}

static void out_row(struct cli *c, const struct out_table *t, struct buf *line, const char **at, bool head) {
    size_t i, pad;
    buf_clear(line);
    for (i = 0; i < t->columns; i++) {
        struct slice cell = slice_str(*at);
        pad = t->width[i] - out_width(cell);
        *at += cell.len + 1;
        if (i > 0)
            buf_str(line, "  ");
        if (t->right >> i & 1)
            buf_printf(line, "%*s", (int)pad, "");
        buf_append(line, cell);
        if (!(t->right >> i & 1) && i + 1 < t->columns)
            buf_printf(line, "%*s", (int)pad, "");
    }
    while (line->len > 0 && line->ptr[line->len - 1] == ' ')
        line->len--;
    fprintf(c->out, "%s%s%s\n", head ? out_style(c, OUT_BOLD) : "", buf_cstr(line),
            head ? out_style(c, OUT_PLAIN) : "");
}

enum err_code out_table_print(struct cli *c, struct out_table *t, struct err *e) {
    const char *at = (const char *)t->cells.ptr;
    size_t row, rows = t->count / t->columns;
    struct buf line;
    enum err_code rc = buf_check(&t->cells, e);
    buf_init(&line, OUT_COLUMNS * (OUT_CELL * 4 + 8));
    for (row = 0; rc == ERR_OK && row < rows; row++) {
        out_row(c, t, &line, &at, row == 0 && t->headed);
        rc = buf_check(&line, e);
    }
    buf_release(&line);
    return rc;
}

void out_table_release(struct out_table *t) {
    buf_release(&t->cells);
    t->count = 0;
}

/* ---- lines ---- */

const char *out_style(const struct cli *c, enum out_style style) {
    static const char *const codes[] = {"\033[0m", "\033[1m", "\033[32m", "\033[31m", "\033[33m", "\033[2m"};
    return c->colour ? codes[style] : "";
}

void out_line(struct cli *c, const char *fmt, ...) {
    va_list ap;
    if (c->json)
        return;
    va_start(ap, fmt);
    vfprintf(c->out, fmt, ap);
    va_end(ap);
}

enum err_code out_json(struct cli *c, struct slice canonical, struct err *e) {
    struct buf text;
    enum err_code rc;
    buf_init(&text, OUT_JSON);
    rc = json_from_pack(canonical, &text, e);
    if (rc == ERR_OK)
        rc = buf_check(&text, e);
    if (rc == ERR_OK)
        fprintf(c->out, "%s\n", buf_cstr(&text));
    buf_release(&text);
    return rc;
}

/* ---- progress ---- */

static void out_progress_show(struct out_progress *p, int64_t now, bool last) {
    uint64_t rate = now > p->start_ms ? p->done * 1000 / (uint64_t)(now - p->start_ms) : 0;
    int filled = p->total ? (int)(p->done >= p->total ? OUT_BAR : p->done * OUT_BAR / p->total) : 0;
    char bar[OUT_BAR + 1];
    memset(bar, '.', OUT_BAR);
    memset(bar, '#', (size_t)filled);
    bar[OUT_BAR] = '\0';
    if (p->terminal && p->total)
        fprintf(p->to, "\r%s [%s] %llu/%llu  %llu/s \033[K%s", p->what, bar, (unsigned long long)p->done,
                (unsigned long long)p->total, (unsigned long long)rate, last ? "\n" : "");
    else if (p->terminal)
        fprintf(p->to, "\r%s %llu  %llu/s \033[K%s", p->what, (unsigned long long)p->done, (unsigned long long)rate,
                last ? "\n" : "");
    else
        fprintf(p->to, "%s: %llu%s%.0llu  %llu/s\n", p->what, (unsigned long long)p->done, p->total ? " of " : "",
                (unsigned long long)p->total, (unsigned long long)rate);
    fflush(p->to);
    p->shown_ms = now;
}

void out_progress_start(struct out_progress *p, struct cli *c, const char *what, uint64_t total) {
    *p = (struct out_progress){.to = c->err, .what = what, .total = total};
    p->start_ms = p->shown_ms = clock_monotonic_ms();
    p->terminal = isatty(fileno(c->err)) == 1;
    if (p->terminal)
        out_progress_show(p, p->start_ms, false);
}

void out_progress_at(struct out_progress *p, uint64_t done) {
    int64_t now = clock_monotonic_ms();
    p->done = done;
    if (now - p->shown_ms >= (p->terminal ? OUT_SHOW_MS : OUT_PLAIN_MS))
        out_progress_show(p, now, false);
}

void out_progress_end(struct out_progress *p) {
    out_progress_show(p, clock_monotonic_ms(), true);
}
