/* genesis/genesis_show.h -- a founding document in a form for people, and as canonical msgpack for JSON. */
#ifndef GENESIS_GENESIS_SHOW_H
#define GENESIS_GENESIS_SHOW_H

#include "genesis/genesis_check.h"

/* Aligned text in UTF-8, columns padded by display width; control characters of names as \xNN. */
void genesis_show_text(const struct genesis *g, struct buf *out);
/* Canonical msgpack for wire/json.h: {channels, created, fingerprint, network, nodes,
 * organisations, version}; keys, hashes and
 * signatures as hex text; each channel with its id, n, f, q and powers; each organisation with signed true or false. */
void genesis_show_pack(const struct genesis *g, struct buf *out);
/* The table "what each organisation alone could halt or fork" of one channel. */
void genesis_show_powers(const struct genesis_body *b, const struct genesis_channel *c, struct buf *out);

#endif
