/* ledger/tile.h -- tlog-tiles (C2SP): the names, widths and bytes of the tiles of a channel's tree.
 * Depends on: ledger/tree. Clause: docs/FORMATS.md 6.
 *   tile/<L>/<N>[.p/<W>]          256 (or W) hashes of level 8L, 8192 (or 32 W) bytes
 *   tile/entries/<N>[.p/<W>]      256 (or W) entries, each uint16 BE length ‖ bytes
 * N stands in groups of three digits, all but the last with `x`: 1234067 -> x001/x234/067. L is 0..63 without leading
 * zeros, W 1..255. One tile has one name: anything else is refused. */
#ifndef LEDGER_TILE_H
#define LEDGER_TILE_H

#include "ledger/tree.h"

enum { TILE_LEVEL_MAX = 63, TILE_PATH_MAX = 64, TILE_BYTES = TREE_TILE_WIDTH * 32 };

struct tile {
    bool entries;   /* an entry bundle; level is then 0 */
    unsigned level; /* 0..63 */
    unsigned width; /* 1..256; 256 is a full tile */
    uint64_t index;
};

/* "tile/0/x001/067.p/12" without a NUL; t keeps its limits (asserted). */
void tile_path_write(const struct tile *t, struct buf *out);
/* MALFORMED unless exactly the one name of a tile. */
enum err_code tile_path_read(struct slice path, struct tile *out, struct err *e) ERR_CHECKED;
/* Hashes (or entries) that this tile has in a tree of `size`: 0 (not there) .. 256. */
unsigned tile_width(uint64_t size, unsigned level, uint64_t index);
/* NOT_FOUND unless a tree of `size` has it: a full tile when it is full, a partial one up to the width reached. */
enum err_code tile_served(const struct tile *t, uint64_t size, struct err *e) ERR_CHECKED;
/* Appends a hash tile's bytes. NOT_FOUND as tile_served; USAGE for an entry bundle; the reader's errors. */
enum err_code tile_hashes(const struct tree_reader *r, const struct tile *t, uint64_t size, struct buf *out,
                          struct err *e) ERR_CHECKED;
/* Appends one entry in the form of an entry bundle; at most LIMIT_ENTRY bytes (asserted: entries are checked before).
 */
void tile_entry_write(struct slice entry, struct buf *out);
/* Takes the next entry off a bundle: *rest moves past it. MALFORMED when cut off. */
enum err_code tile_entry_read(struct slice *rest, struct slice *entry, struct err *e) ERR_CHECKED;

#endif
