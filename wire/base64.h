/* wire/base64.h -- standard base64 (RFC 4648 section 4) with padding, one text for each byte string:
 * no white space, no missing padding, unused bits zero. */
#ifndef WIRE_BASE64_H
#define WIRE_BASE64_H

#include "wire/buf.h"

void base64_write(struct slice bytes, struct buf *out);
/* Bytes that a text of this length can hold at most. */
size_t base64_size(size_t text_len);
/* False unless text is base64 of at most cap bytes. *len: bytes written to out. */
bool base64_read(struct slice text, uint8_t *out, size_t cap, size_t *len);
/* False unless text is base64 (of any length): nothing is kept. */
bool base64_valid(struct slice text);

#endif
