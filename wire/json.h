/* wire/json.h -- canonical msgpack as JSON text, for people's programs (--json, HTTP).
 * Bytes become lower-case hex; numbers keep every digit; texts are escaped by RFC 8259. */
#ifndef WIRE_JSON_H
#define WIRE_JSON_H

#include "wire/buf.h"

/* Appends one value's JSON on one line, no LF. MALFORMED unless `doc` is one canonical value. */
enum err_code json_from_pack(struct slice doc, struct buf *out, struct err *e) ERR_CHECKED;
/* A JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD. */
void json_text(struct slice text, struct buf *out);

#endif
