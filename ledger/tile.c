/* ledger/tile.c -- see tile.h. */
#include "ledger/tile.h"

#include "wire/limits.h"

void tile_path_write(const struct tile *t, struct buf *out) {
    unsigned group[7], count = 0; /* 2^64 has 20 digits */
    uint64_t n = t->index;
    ERR_ASSERT(t->level <= TILE_LEVEL_MAX && t->width >= 1 && t->width <= TREE_TILE_WIDTH);
    do {
        group[count++] = (unsigned)(n % 1000);
        n /= 1000;
    } while (n > 0);
    if (t->entries)
        buf_str(out, "tile/entries/");
    else
        buf_printf(out, "tile/%u/", t->level);
    while (count-- > 1)
        buf_printf(out, "x%03u/", group[count]);
    buf_printf(out, "%03u", group[0]);
    if (t->width < TREE_TILE_WIDTH)
        buf_printf(out, ".p/%u", t->width);
}

static bool tile_skip(struct slice *s, const char *text) {
    size_t len = strlen(text);
    if (s->len < len || memcmp(s->ptr, text, len) != 0)
        return false;
    *s = slice_from(*s, len);
    return true;
}

/* 1..3 digits without a leading zero, at most max. */
static bool tile_small(struct slice *s, unsigned max, unsigned *v) {
    size_t i = 0;
    *v = 0;
    while (i < s->len && i < 3 && s->ptr[i] >= '0' && s->ptr[i] <= '9')
        *v = *v * 10 + (unsigned)(s->ptr[i++] - '0');
    if (i == 0 || (i > 1 && s->ptr[0] == '0') || *v > max)
        return false;
    *s = slice_from(*s, i);
    return true;
}

/* One group of exactly three digits onto *index. */
static bool tile_group(struct slice *s, uint64_t *index) {
    unsigned v = 0;
    size_t i;
    if (s->len < 3)
        return false;
    for (i = 0; i < 3; i++) {
        if (s->ptr[i] < '0' || s->ptr[i] > '9')
            return false;
        v = v * 10 + (unsigned)(s->ptr[i] - '0');
    }
    *s = slice_from(*s, 3);
    return !__builtin_mul_overflow(*index, UINT64_C(1000), index) && !__builtin_add_overflow(*index, v, index);
}

enum err_code tile_path_read(struct slice path, struct tile *out, struct err *e) {
    struct tile t = {.width = TREE_TILE_WIDTH};
    struct slice s = path;
    unsigned groups = 0;
    if (path.len > TILE_PATH_MAX || !tile_skip(&s, "tile/"))
        goto bad;
    if (tile_skip(&s, "entries/"))
        t.entries = true;
    else if (!tile_small(&s, TILE_LEVEL_MAX, &t.level) || !tile_skip(&s, "/"))
        goto bad;
    while (tile_skip(&s, "x")) {
        if (!tile_group(&s, &t.index) || !tile_skip(&s, "/"))
            goto bad;
        if (groups++ == 0 && t.index == 0) /* a leading group of zeros is another name of the same tile */
            goto bad;
    }
    if (!tile_group(&s, &t.index))
        goto bad;
    if (tile_skip(&s, ".p/") && (!tile_small(&s, TREE_TILE_WIDTH - 1, &t.width) || t.width == 0))
        goto bad;
    if (s.len != 0)
        goto bad;
    *out = t;
    return ERR_OK;
bad:
    return err_set(e, ERR_MALFORMED, "not the name of a tile: \"%.*s\"", (int)(path.len < 80 ? path.len : 80),
                   (const char *)path.ptr);
}

unsigned tile_width(uint64_t size, unsigned level, uint64_t index) {
    uint64_t hashes = level < 8 ? size >> (TREE_TILE_HEIGHT * level) : 0;
    uint64_t before;
    if (__builtin_mul_overflow(index, (uint64_t)TREE_TILE_WIDTH, &before) || before >= hashes)
        return 0;
    return hashes - before < TREE_TILE_WIDTH ? (unsigned)(hashes - before) : TREE_TILE_WIDTH;
}

enum err_code tile_served(const struct tile *t, uint64_t size, struct err *e) {
    unsigned width = tile_width(size, t->entries ? 0 : t->level, t->index);
    if (t->width > width)
        return err_set(e, ERR_NOT_FOUND, "a tree of %llu has %u of this tile's hashes, not %u",
                       (unsigned long long)size, width, t->width);
    return ERR_OK;
}

enum err_code tile_hashes(const struct tree_reader *r, const struct tile *t, uint64_t size, struct buf *out,
                          struct err *e) {
    struct digest hashes[TREE_TILE_WIDTH];
    enum err_code rc;
    unsigned i;
    if (t->entries)
        return err_set(e, ERR_USAGE, "an entry bundle holds entries, not hashes");
    if ((rc = tile_served(t, size, e)) != ERR_OK)
        return rc;
    /* served: level < 8 and index * 256 does not overflow */
    rc = r->hashes(r->ctx, t->level * TREE_TILE_HEIGHT, t->index * TREE_TILE_WIDTH, t->width, hashes, e);
    if (rc != ERR_OK)
        return rc;
    for (i = 0; i < t->width; i++)
        buf_append(out, digest_slice(&hashes[i]));
    return buf_check(out, e);
}

void tile_entry_write(struct slice entry, struct buf *out) {
    ERR_ASSERT(entry.len <= LIMIT_ENTRY);
    buf_be16(out, (uint16_t)entry.len);
    buf_append(out, entry);
}

enum err_code tile_entry_read(struct slice *rest, struct slice *entry, struct err *e) {
    size_t len;
    if (rest->len < 2 || rest->len - 2 < (len = buf_get16(rest->ptr)))
        return err_set(e, ERR_MALFORMED, "an entry bundle that is cut off");
    *entry = slice_of(rest->ptr + 2, len);
    *rest = slice_from(*rest, 2 + len);
    return ERR_OK;
}
