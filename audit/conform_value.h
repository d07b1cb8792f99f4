/* audit/conform_value.h -- one value against one field of an extension standard: for the door and for validators.
 * Depends on: audit/standard.h. Source: docs/PROTOCOL.md 11.6.
 *   str   any text, `max` characters      ref   an identifier: no blanks, no control characters
 *   int   -?digits, at most 18, no leading zero           dec   the same with an optional fraction, 40 bytes
 *   date  YYYY-MM-DD of the Gregorian calendar            bool  true, false          enum  one of the values */
#ifndef AUDIT_CONFORM_VALUE_H
#define AUDIT_CONFORM_VALUE_H

#include "audit/standard.h"

/* Type, values, length and pattern; e's text has no field name in it. NONCONFORMING. */
enum err_code conform_value(const struct standard_field *f, struct slice value, struct err *e) ERR_CHECKED;
size_t conform_value_chars(struct slice value); /* characters of valid UTF-8 */

#endif
