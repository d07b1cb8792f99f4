/* node/web_tiles.c -- the channel's log as C2SP tlog-tiles: checkpoint, hash tiles, entry bundles (docs/FORMATS.md 6).
 */
#include "ledger/tile.h"
#include "node/reading.h"
#include "node/web_inner.h"

static const char web_forever[] = "private, max-age=31536000, immutable";

void web_checkpoint(void *web, const struct http_request *q, struct http_response *r) {
    struct node_channel *c = web_channel(web, q, r);
    struct reading reading = {0};
    struct reading_checkpoint cp;
    struct err e = {0};
    if (!c)
        return;
    buf_init(&cp.note, NOTE_MAX);
    if (reading_open(&reading, c->channel, &e) == ERR_OK && reading_checkpoint(&reading, &cp, &e) == ERR_OK) {
        r->content_type = "text/plain; charset=utf-8";
        buf_append(&r->body, buf_slice(&cp.note));
    } else {
        http_fail_err(r, &e, NULL);
    }
    buf_release(&cp.note);
    reading_close(&reading);
}

static enum err_code web_bundle(struct reading *r, const struct tile *t, struct buf *out, struct err *e) {
    uint64_t first = t->index * TREE_TILE_WIDTH, i;
    for (i = first; i < first + t->width; i++) {
        struct chain_reader_entry x;
        enum err_code rc = chain_reader_entry(r->src.reader, i, &x, e);
        if (rc != ERR_OK)
            return rc;
        tile_entry_write(x.bytes, out);
    }
    return buf_check(out, e);
}

static enum err_code web_tile_bytes(struct reading *r, const struct tile *t, struct buf *out, struct err *e) {
    uint64_t size = chain_reader_tip(r->src.reader)->tree_size;
    enum err_code rc = tile_served(t, size, e);
    if (rc != ERR_OK)
        return rc;
    if (t->entries)
        return web_bundle(r, t, out, e);
    if ((rc = reading_tree(r, e)) == ERR_OK)
        rc = tile_hashes(&r->hashes, t, size, out, e);
    reading_tree_end(r);
    return rc;
}

void web_tile(void *web, const struct http_request *q, struct http_response *r) {
    struct node_channel *c = web_channel(web, q, r);
    struct reading reading = {0};
    struct tile t;
    struct buf path;
    struct err e = {0};
    if (!c)
        return;
    buf_init(&path, HTTP_PATH + 8);
    buf_str(&path, "tile/");
    buf_append(&path, q->segment[1]);
    if (tile_path_read(buf_slice(&path), &t, &e) != ERR_OK)
        http_fail(r, 404, ERR_NOT_FOUND, e.text, "tiles are named as in C2SP tlog-tiles");
    else if (reading_open(&reading, c->channel, &e) != ERR_OK || web_tile_bytes(&reading, &t, &r->body, &e) != ERR_OK)
        http_fail_err(r, &e, NULL);
    else {
        r->content_type = "application/octet-stream";
        r->cache_control = web_forever; /* what a tile's name names never changes, partial ones included */
    }
    reading_close(&reading);
    buf_release(&path);
}
