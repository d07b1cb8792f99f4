/* audit/match.h -- which texts does a pattern of a standard mean? Alike on every node, in linear time.
 * Owns: the compiled program of one pattern. Depends on: wire/. Source: docs/PROTOCOL.md 11.2.
 * Why our own: a validator may not disagree with another because of a library's version, and may not be stalled by a
 * pattern (backtracking). Patterns always mean the whole text. Texts and patterns are UTF-8; one character is one
 * code point; case counts.
 *
 * regex  := ['^'] alt ['$']                      anchors are allowed only at the very ends, and change nothing
 * alt    := seq { '|' seq }                      seq := { atom [quant] }
 * atom   := character | '.' (any but LF) | class | '(' alt ')' | '(?:' alt ')' | escape
 * class  := '[' ['^'] item { item } ']'          item := character | character '-' character | \d \w \s | escape
 * escape := \d \D \w \W \s \S (ASCII) | \n \r \t | '\' and an ASCII punctuation character
 * quant  := '?' | '*' | '+' | '{m}' | '{m,}' | '{m,n}'      m <= n <= 255; one quant an atom, always all that fits
 * Refused: back references, look-around, lazy and possessive quantifiers, \b \p \x, named classes, options.
 *
 * glob   := character | '?' (one but '/') | '*' (any run without '/') | '**' (any run) | '\' and a character
 *
 * Invariants: M1 time <= MATCH_CODE x characters; M2 no allocation and no recursion while matching. */
#ifndef AUDIT_MATCH_H
#define AUDIT_MATCH_H

#include "wire/arena.h"
#include "wire/err.h"

enum {
    MATCH_PATTERN = 512, /* bytes of a pattern */
    MATCH_CODE = 512,    /* instructions of a program */
    MATCH_GROUPS = 16,   /* nesting */
    MATCH_REPEAT = 255
};

enum match_kind { MATCH_EXACT = 1, MATCH_PREFIX, MATCH_GLOB, MATCH_REGEX };
extern const char *const match_kind_names[]; /* for SCHEMA_ENUM: [0] NULL */

struct match; /* opaque; lives in the arena that it was compiled into, immutable, shareable between threads */

/* MALFORMED names the position (in characters, from 1) and what is wrong there; TOO_LARGE; NO_MEMORY. */
enum err_code match_compile(enum match_kind kind, struct slice pattern, struct arena *a, const struct match **out,
                            struct err *e) ERR_CHECKED;
/* text is valid UTF-8 of any length. */
bool match_test(const struct match *m, struct slice text);
/* Characters that the pattern prescribes literally: the measure of how specific it is. */
uint32_t match_literals(const struct match *m);
/* Is there a text that both mean? Exact, by walking both programs together. *budget counts down the state pairs
 * walked: TOO_LARGE when it is used up. */
enum err_code match_overlap(const struct match *a, const struct match *b, uint64_t *budget, bool *yes,
                            struct err *e) ERR_CHECKED;

#endif
