/* wire/utf8.h -- is it valid UTF-8 (RFC 3629: no surrogates, no overlong form, at most U+10FFFF)? */
#ifndef WIRE_UTF8_H
#define WIRE_UTF8_H

#include "wire/slice.h"

bool utf8_valid(struct slice s);
/* Length of the longest valid prefix, in bytes. */
size_t utf8_valid_prefix(struct slice s);
/* Number of characters of a valid text. */
size_t utf8_count(struct slice s);

#endif
