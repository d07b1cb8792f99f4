/* node/ingest/lookup.c -- see lookup.h. An open-addressed table of row numbers over the key column. */
#include "node/ingest/lookup.h"

#include "node/door.h"
#include "wire/arena.h"
#include "wire/mem.h"
#include "wire/utf8.h"

#include <errno.h>
#include <stdio.h>

struct lookup {
    struct arena arena;  /* NFC texts that differ from the file's */
    struct buf text;     /* the file; unquoted cells are rewritten in place */
    struct slice *cells; /* row by row */
    size_t cell_count, cell_room;
    size_t columns, rows; /* without the heading */
    size_t key;
    uint32_t *slots; /* row + 1 */
    size_t slot_count;
};

struct lookup_reading {
    struct lookup *t;
    const char *name;
    size_t at;
    unsigned line;
    struct err *e;
};

#define LOOKUP_REFUSE(x, ...) lookup_refuse((x), __VA_ARGS__)
static enum err_code lookup_refuse(struct lookup_reading *x, const char *text) {
    return err_set(x->e, ERR_CONFIG, "%s:%u: %s", x->name, x->line, text);
}

static enum err_code add_cell(struct lookup_reading *x, struct slice cell) {
    struct lookup *t = x->t;
    struct slice text = slice_none();
    if (t->cell_count == t->cell_room) {
        size_t room = t->cell_room ? t->cell_room * 2 : 1024;
        struct slice *p = mem_realloc(t->cells, room * sizeof *p);
        if (!p)
            return err_set(x->e, ERR_NO_MEMORY, "no memory for %s", x->name);
        t->cells = p;
        t->cell_room = room;
    }
    if (!door_nfc(&t->arena, cell, &text))
        return LOOKUP_REFUSE(x, "no valid UTF-8, or no memory");
    t->cells[t->cell_count++] = text;
    return ERR_OK;
}

/* "a ""quoted"" cell", unescaped in place. */
static enum err_code read_quoted(struct lookup_reading *x, struct slice *cell) {
    uint8_t *p = x->t->text.ptr;
    size_t len = x->t->text.len, from = ++x->at, to = from;
    for (;;) {
        if (x->at == len)
            return LOOKUP_REFUSE(x, "a quote that does not end");
        if (p[x->at] == '"') {
            if (x->at + 1 < len && p[x->at + 1] == '"')
                x->at++;
            else
                break;
        }
        if (p[x->at] == '\n')
            x->line++;
        p[to++] = p[x->at++];
    }
    x->at++;
    *cell = slice_of(p + from, to - from);
    if (x->at < len && p[x->at] != ',' && p[x->at] != '\n' && p[x->at] != '\r')
        return LOOKUP_REFUSE(x, "text behind a quoted cell");
    return ERR_OK;
}

/* One cell, and whether the row ends behind it. */
static enum err_code read_cell(struct lookup_reading *x, bool *end) {
    const uint8_t *p = x->t->text.ptr;
    size_t len = x->t->text.len, from = x->at;
    struct slice cell = slice_none();
    enum err_code rc = ERR_OK;
    if (x->at < len && p[x->at] == '"') {
        rc = read_quoted(x, &cell);
    } else {
        while (x->at < len && p[x->at] != ',' && p[x->at] != '\n' && p[x->at] != '\r')
            x->at++;
        cell = slice_of(p + from, x->at - from);
    }
    if (rc == ERR_OK)
        rc = add_cell(x, cell);
    *end = x->at == len || p[x->at] != ',';
    if (!*end)
        x->at++;
    if (*end && x->at < len && p[x->at] == '\r')
        x->at++;
    if (*end && x->at < len && p[x->at] == '\n')
        x->at++;
    return rc;
}

static enum err_code read_rows(struct lookup_reading *x) {
    struct lookup *t = x->t;
    while (x->at < t->text.len) {
        size_t from = t->cell_count;
        bool end = false;
        enum err_code rc;
        while (!end)
            if ((rc = read_cell(x, &end)) != ERR_OK)
                return rc;
        if (t->cell_count - from == 1 && t->cells[from].len == 0) {
            t->cell_count = from; /* an empty line */
        } else if (t->columns == 0) {
            t->columns = t->cell_count - from;
            if (t->columns > LOOKUP_COLUMNS)
                return LOOKUP_REFUSE(x, "too many columns");
        } else if (t->cell_count - from != t->columns) {
            return LOOKUP_REFUSE(x, "not as many cells as the first row");
        } else if (++t->rows > LOOKUP_ROWS) {
            return LOOKUP_REFUSE(x, "too many rows");
        }
        x->line++;
    }
    return t->columns ? ERR_OK : LOOKUP_REFUSE(x, "empty: the first row must name the columns");
}

static uint64_t lookup_hash(struct slice s) {
    uint64_t h = 1469598103934665603ULL;
    for (size_t i = 0; i < s.len; i++)
        h = (h ^ s.ptr[i]) * 1099511628211ULL;
    return h ^ (h >> 29);
}

static struct slice row_key(const struct lookup *t, size_t row) {
    return t->cells[(row + 1) * t->columns + t->key];
}

static size_t lookup_slot(const struct lookup *t, struct slice key) {
    size_t i = (size_t)lookup_hash(key) & (t->slot_count - 1);
    while (t->slots[i] && !slice_eq(row_key(t, t->slots[i] - 1), key))
        i = (i + 1) & (t->slot_count - 1);
    return i;
}

static enum err_code build_index(struct lookup_reading *x, struct slice key) {
    struct lookup *t = x->t;
    int column = lookup_column(t, key);
    size_t i;
    if (column < 0)
        return err_set(x->e, ERR_CONFIG, "%s:1: no column is called \"%.*s\"", x->name, SLICE_ARG(key));
    t->key = (size_t)column;
    for (t->slot_count = 16; t->slot_count < t->rows * 2; t->slot_count *= 2)
        continue;
    t->slots = mem_zalloc(t->slot_count, sizeof *t->slots);
    if (!t->slots)
        return err_set(x->e, ERR_NO_MEMORY, "no memory for %s", x->name);
    for (i = 0; i < t->rows; i++) {
        size_t slot = lookup_slot(t, row_key(t, i));
        if (t->slots[slot])
            return err_set(x->e, ERR_CONFIG, "%s: row %zu: \"%.*s\" stands in row %u already", x->name, i + 2,
                           SLICE_ARG(row_key(t, i)), t->slots[slot] + 1);
        t->slots[slot] = (uint32_t)(i + 1);
    }
    return ERR_OK;
}

static enum err_code lookup_build(struct lookup *t, const char *name, struct slice key, struct err *e) {
    struct lookup_reading x = {.t = t, .name = name, .line = 1, .e = e};
    enum err_code rc;
    if (!utf8_valid(buf_slice(&t->text)))
        return err_set(e, ERR_CONFIG, "%s: no valid UTF-8 at byte %zu", name, utf8_valid_prefix(buf_slice(&t->text)));
    if (t->text.len >= 3 && memcmp(t->text.ptr, "\xEF\xBB\xBF", 3) == 0)
        x.at = 3;
    rc = read_rows(&x);
    return rc == ERR_OK ? build_index(&x, key) : rc;
}

static struct lookup *lookup_new(void) {
    struct lookup *t = mem_zalloc(1, sizeof *t);
    if (t) {
        arena_init(&t->arena, LOOKUP_BYTES);
        buf_init(&t->text, LOOKUP_BYTES);
    }
    return t;
}

enum err_code lookup_parse(struct slice csv, const char *name, struct slice key, struct lookup **out, struct err *e) {
    struct lookup *t = lookup_new();
    enum err_code rc;
    if (!t)
        return err_set(e, ERR_NO_MEMORY, "no memory for %s", name);
    buf_append(&t->text, csv);
    rc = buf_check(&t->text, e);
    if (rc == ERR_OK)
        rc = lookup_build(t, name, key, e);
    if (rc != ERR_OK)
        lookup_free(t);
    else
        *out = t;
    return rc;
}

enum err_code lookup_load(const char *path, struct slice key, struct lookup **out, struct err *e) {
    FILE *f = fopen(path, "rbe");
    struct lookup *t;
    enum err_code rc = ERR_OK;
    if (!f)
        return err_set(e, ERR_CONFIG, "%s: %s", path, strerror(errno));
    t = lookup_new();
    for (size_t n = 1; t && n > 0;) {
        uint8_t *p = buf_extend(&t->text, 1 << 16);
        n = p ? fread(p, 1, 1 << 16, f) : 0;
        if (p)
            t->text.len -= (1 << 16) - n;
    }
    if (ferror(f))
        rc = err_set(e, ERR_CONFIG, "%s: cannot be read", path);
    fclose(f);
    if (!t)
        return err_set(e, ERR_NO_MEMORY, "no memory for %s", path);
    if (rc == ERR_OK)
        rc = buf_check(&t->text, e);
    if (rc == ERR_OK)
        rc = lookup_build(t, path, key, e);
    if (rc != ERR_OK)
        lookup_free(t);
    else
        *out = t;
    return rc;
}

void lookup_free(struct lookup *t) {
    if (!t)
        return;
    arena_release(&t->arena);
    buf_release(&t->text);
    mem_free(t->cells);
    mem_free(t->slots);
    mem_free(t);
}

int lookup_column(const struct lookup *t, struct slice name) {
    for (size_t i = 0; i < t->columns; i++)
        if (slice_eq(t->cells[i], name))
            return (int)i;
    return -1;
}
size_t lookup_columns(const struct lookup *t) {
    return t->columns;
}
struct slice lookup_column_name(const struct lookup *t, size_t column) {
    return t->cells[column];
}
size_t lookup_rows(const struct lookup *t) {
    return t->rows;
}

int64_t lookup_find(const struct lookup *t, struct slice key) {
    return (int64_t)t->slots[lookup_slot(t, key)] - 1;
}

struct slice lookup_cell(const struct lookup *t, int64_t row, int column) {
    struct slice cell;
    if (row < 0 || column < 0)
        return slice_none();
    cell = t->cells[((size_t)row + 1) * t->columns + (size_t)column];
    return cell.len ? cell : slice_none();
}
