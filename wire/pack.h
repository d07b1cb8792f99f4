/* wire/pack.h -- writes canonical msgpack (docs/FORMATS.md 1) onto a buf, by msgpack-c's packer.
 * Canonical: shortest form of every integer and length; map keys are str in ascending byte order and unique
 * (the caller's duty; cursor_check verifies); no floats, no nil, no extensions.
 * Failures are the buf's sticky ones. */
#ifndef WIRE_PACK_H
#define WIRE_PACK_H

#include "wire/buf.h"

void pack_map(struct buf *b, uint32_t count);
void pack_array(struct buf *b, uint32_t count);
void pack_str(struct buf *b, struct slice s);
void pack_cstr(struct buf *b, const char *s);
void pack_bin(struct buf *b, struct slice s);
void pack_u64(struct buf *b, uint64_t v);
void pack_i64(struct buf *b, int64_t v); /* v >= 0 packs as pack_u64 does */
void pack_bool(struct buf *b, bool v);

#endif
