/* node/ingest/source_file.c -- lines out of open files, and the position; see source_file.h. */
#include "node/ingest/source_file_impl.h"

#include "wire/mem.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { POSITION_VERSION = 1, POSITION_HEAD = 11, POSITION_ONE = 40 };

/* ---- tails ---- */

void source_file_mark(const uint8_t *tail, size_t len, uint8_t out[SOURCE_FILE_MARK]) {
    struct digest d = digest_of(slice_of(tail, len));
    memcpy(out, d.b, SOURCE_FILE_MARK);
}

void source_file_mark_of(const struct source_file_one *f, uint8_t out[SOURCE_FILE_MARK]) {
    if (f->tail_known)
        source_file_mark(f->tail, f->tail_len, out);
    else
        memcpy(out, f->mark, SOURCE_FILE_MARK);
}

void source_file_tail_add(struct source_file_one *f, struct slice given) {
    size_t keep;
    if (given.len > SOURCE_FILE_TAIL)
        given = slice_from(given, given.len - SOURCE_FILE_TAIL);
    keep = SOURCE_FILE_TAIL - given.len < f->tail_len ? SOURCE_FILE_TAIL - given.len : f->tail_len;
    memmove(f->tail, f->tail + (f->tail_len - keep), keep);
    memcpy(f->tail + keep, given.ptr, given.len);
    f->tail_len = keep + given.len;
}

bool source_file_tail_read(int fd, uint64_t offset, uint8_t *out, size_t *len) {
    size_t want = offset < SOURCE_FILE_TAIL ? (size_t)offset : SOURCE_FILE_TAIL;
    ssize_t n = want ? pread(fd, out, want, (off_t)(offset - want)) : 0;
    *len = n > 0 ? (size_t)n : 0;
    return n == (ssize_t)want;
}

/* ---- reading ---- */

void source_file_reset(struct source_file *s) {
    buf_clear(&s->data);
    s->at = 0;
    s->current = NULL;
}

static void source_file_fail(struct source_file *s, struct source_file_one *f) {
    snprintf(s->error, sizeof s->error, "%.180s: %s", f->path, strerror(errno));
    f->dirty = false;
}

static struct source_file_one *source_file_pick(struct source_file *s) {
    size_t i;
    if (s->current && s->current->dirty)
        return s->current;
    source_file_reset(s);
    for (i = 0; i < s->count; i++)
        if (s->files[i].dirty && s->files[i].fd >= 0 && !s->files[i].copy)
            return &s->files[i];
    return NULL;
}

/* Moves past `len` bytes of data, a line and its end. */
static void source_file_past(struct source_file *s, struct source_file_one *f, size_t len) {
    source_file_tail_add(f, slice_of(s->data.ptr + s->at, len));
    f->offset += len;
    s->at += len;
}

static void source_file_give(struct source_file *s, struct source_file_item *item, size_t len) {
    const uint8_t *p = s->data.ptr + s->at;
    size_t text = len;
    if (text && p[text - 1] == '\n')
        text--;
    if (text && p[text - 1] == '\r')
        text--;
    *item = (struct source_file_item){.what = SOURCE_FILE_LINE, .line = slice_of(p, text), .bytes = text};
    if (text > s->line_max) {
        item->what = SOURCE_FILE_LONG;
        item->line.len = s->line_max;
    }
}

/* A line longer than data holds: where does it end? true: found, *end is the offset behind its LF. */
static bool source_file_far_end(struct source_file *s, struct source_file_one *f, uint64_t *end) {
    uint8_t chunk[8192];
    uint64_t from = f->offset + (s->data.len - s->at);
    for (;;) {
        ssize_t n = pread(f->fd, chunk, sizeof chunk, (off_t)from);
        const uint8_t *lf;
        if (n < 0)
            source_file_fail(s, f);
        if (n <= 0)
            return false;
        lf = memchr(chunk, '\n', (size_t)n);
        if (lf) {
            *end = from + (uint64_t)(lf - chunk) + 1;
            return true;
        }
        from += (uint64_t)n;
    }
}

static bool source_file_long(struct source_file *s, struct source_file_one *f, struct source_file_item *item) {
    uint64_t end;
    if (!source_file_far_end(s, f, &end)) {
        f->dirty = false;
        return false;
    }
    *item = (struct source_file_item){
        .what = SOURCE_FILE_LONG, .line = slice_of(s->data.ptr + s->at, s->line_max), .bytes = end - f->offset - 1};
    f->offset = end;
    f->tail_len = 0;
    source_file_tail_read(f->fd, end, f->tail, &f->tail_len);
    s->at = s->data.len; /* what follows is read anew; the line stays valid until the next call */
    s->current = NULL;
    return true;
}

/* Reads on; false at the end of the file. */
static bool source_file_fill(struct source_file *s, struct source_file_one *f) {
    size_t left = s->data.len - s->at;
    uint8_t *p;
    ssize_t n;
    if (s->at) {
        memmove(s->data.ptr, s->data.ptr + s->at, left);
        s->data.len = left;
        s->at = 0;
    }
    p = buf_extend(&s->data, SOURCE_FILE_CHUNK);
    if (!p) {
        errno = ENOMEM;
        source_file_fail(s, f);
        source_file_reset(s);
        return false;
    }
    n = pread(f->fd, p, SOURCE_FILE_CHUNK, (off_t)(f->offset + left));
    s->data.len = left + (n > 0 ? (size_t)n : 0);
    if (n < 0)
        source_file_fail(s, f);
    return n > 0;
}

/* true: item is set (perhaps an empty line, that is skipped); false: this file has no whole line now. */
static bool source_file_line(struct source_file *s, struct source_file_one *f, struct source_file_item *item) {
    if (s->current != f) {
        source_file_reset(s);
        s->current = f;
    }
    for (;;) {
        size_t left = s->data.len - s->at;
        const uint8_t *p = s->data.ptr + s->at, *lf = left ? memchr(p, '\n', left) : NULL;
        if (lf) {
            size_t len = (size_t)(lf - p) + 1;
            source_file_give(s, item, len);
            source_file_past(s, f, len);
            return true;
        }
        if (left > s->line_max + 1)
            return source_file_long(s, f, item);
        if (source_file_fill(s, f))
            continue;
        left = s->data.len - s->at;
        if (f->last && left) {
            source_file_give(s, item, left);
            source_file_past(s, f, left);
            return true;
        }
        f->dirty = false;
        return false;
    }
}

enum err_code source_file_next(struct source_file *s, struct source_file_item *item, struct err *e) {
    struct source_file_one *f;
    (void)e;
    *item = (struct source_file_item){.what = SOURCE_FILE_NOTHING};
    if (s->lost) {
        *item = (struct source_file_item){.what = SOURCE_FILE_LOST, .seq = ++s->seq, .bytes = s->lost};
        snprintf(item->reason, sizeof item->reason, "%s", s->lost_reason);
        s->lost = 0;
        return ERR_OK;
    }
    while ((f = source_file_pick(s)) != NULL)
        if (source_file_line(s, f, item) && item->bytes) {
            item->seq = ++s->seq;
            return ERR_OK;
        }
    item->what = SOURCE_FILE_NOTHING;
    return ERR_OK;
}

/* ---- position ---- */

void source_file_position(const struct source_file *s, struct buf *out) {
    size_t i;
    buf_u8(out, POSITION_VERSION);
    buf_be64(out, s->seq);
    buf_be16(out, (uint16_t)s->count);
    for (i = 0; i < s->count; i++) {
        const struct source_file_one *f = &s->files[i];
        uint8_t mark[SOURCE_FILE_MARK];
        source_file_mark_of(f, mark);
        buf_be64(out, f->dev);
        buf_be64(out, f->ino);
        buf_be64(out, f->copy ? UINT64_MAX : f->offset);
        buf_be64(out, f->seen > f->offset ? f->seen : f->offset);
        buf_bytes(out, mark, sizeof mark);
    }
}

static enum err_code position_read(struct source_file *s, struct slice p, struct err *e) {
    size_t i;
    if (!p.len) {
        s->first = true;
        return ERR_OK;
    }
    if (p.len < POSITION_HEAD || p.ptr[0] != POSITION_VERSION)
        return err_set(e, ERR_MALFORMED, "a position of another form");
    s->seq = buf_get64(p.ptr + 1);
    s->count = buf_get16(p.ptr + 9);
    if (s->count > SOURCE_FILE_FILES || p.len != POSITION_HEAD + s->count * POSITION_ONE) {
        s->count = 0;
        return err_set(e, ERR_MALFORMED, "a position of another form");
    }
    for (i = 0; i < s->count; i++) {
        const uint8_t *b = p.ptr + POSITION_HEAD + i * POSITION_ONE;
        struct source_file_one *f = &s->files[i];
        f->dev = buf_get64(b);
        f->ino = buf_get64(b + 8);
        f->offset = buf_get64(b + 16);
        f->seen = buf_get64(b + 24);
        f->copy = f->offset == UINT64_MAX;
        if (f->copy)
            f->offset = f->seen;
        memcpy(f->mark, b + 32, SOURCE_FILE_MARK);
        f->fd = -1;
    }
    return ERR_OK;
}

/* ---- life ---- */

enum err_code source_file_open(const char *pattern, size_t line_max, struct slice position, bool from_end,
                               struct source_file **out, struct err *e) {
    struct source_file *s = mem_zalloc(1, sizeof *s);
    enum err_code rc;
    if (!s)
        return err_set(e, ERR_NO_MEMORY, "no memory for a source");
    s->files = mem_zalloc(SOURCE_FILE_FILES, sizeof *s->files);
    snprintf(s->pattern, sizeof s->pattern, "%s", pattern);
    s->line_max = line_max;
    s->from_end = from_end;
    buf_init(&s->data, line_max + 4 * (size_t)SOURCE_FILE_CHUNK);
    rc = s->files ? position_read(s, position, e) : err_set(e, ERR_NO_MEMORY, "no memory for a source");
    if (rc != ERR_OK) {
        source_file_close(s);
        return rc;
    }
    *out = s;
    return ERR_OK;
}

void source_file_close(struct source_file *s) {
    size_t i;
    if (!s)
        return;
    for (i = 0; s->files && i < s->count; i++)
        if (s->files[i].fd >= 0)
            close(s->files[i].fd);
    mem_free(s->files);
    buf_release(&s->data);
    mem_free(s);
}

uint64_t source_file_seq(const struct source_file *s) {
    return s->seq;
}
size_t source_file_files(const struct source_file *s) {
    return s->count;
}

uint64_t source_file_lag(const struct source_file *s) {
    uint64_t lag = 0;
    size_t i;
    for (i = 0; i < s->count; i++)
        if (!s->files[i].copy && s->files[i].size > s->files[i].offset)
            lag += s->files[i].size - s->files[i].offset;
    return lag;
}

const char *source_file_error(const struct source_file *s) {
    return s->error;
}
