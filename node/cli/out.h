/* node/cli/out.h -- what people see: aligned columns, colours, progress. Widths are those of a terminal: a Chinese
 * character takes two cells, a combining mark none. Text from outside is shown with control characters escaped. */
#ifndef NODE_CLI_OUT_H
#define NODE_CLI_OUT_H

#include "node/cli/cli.h"
#include "wire/buf.h"

enum { OUT_COLUMNS = 16, OUT_ROWS = 100000, OUT_CELL = 4096 };

/* --- table: cells gathered, then printed aligned; two spaces between columns, no trailing blanks --- */
struct out_table {
    struct buf cells; /* NUL-terminated texts, one after another */
    size_t columns, count;
    size_t width[OUT_COLUMNS];
    unsigned right; /* bit i: column i is right-aligned (numbers) */
    bool headed;
};
/* headings: `columns` texts, printed bold on a terminal; NULL: none. */
void out_table_init(struct out_table *t, const char *const *headings, size_t columns, unsigned right);
void out_cell(struct out_table *t, struct slice text);
void out_cellf(struct out_table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
enum err_code out_table_print(struct cli *c, struct out_table *t, struct err *e) ERR_CHECKED;
void out_table_release(struct out_table *t);

/* Cells that the text takes; control characters count as they are shown. */
size_t out_width(struct slice text);
/* Appends the text with control characters as \xNN; pads with spaces to `cells` if it is shorter. */
void out_padded(struct buf *b, struct slice text, size_t cells);

/* --- colour: "" when c->colour is off --- */
enum out_style { OUT_PLAIN, OUT_BOLD, OUT_GOOD, OUT_BAD, OUT_WARN, OUT_DIM };
const char *out_style(const struct cli *c, enum out_style style);

/* printf to c->out, nothing under --json. */
void out_line(struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Prints a canonical msgpack document as one line of JSON on c->out. */
enum err_code out_json(struct cli *c, struct slice canonical, struct err *e) ERR_CHECKED;

/* --- progress on stderr: a bar on a terminal, a plain line every 10 s otherwise --- */
struct out_progress {
    FILE *to;
    const char *what;
    uint64_t total, done; /* total 0: unknown */
    int64_t start_ms, shown_ms;
    bool terminal;
};
void out_progress_start(struct out_progress *p, struct cli *c, const char *what, uint64_t total);
void out_progress_at(struct out_progress *p, uint64_t done);
void out_progress_end(struct out_progress *p);

#endif
