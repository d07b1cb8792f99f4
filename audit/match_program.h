/* audit/match_program.h -- the program of a pattern, as match_compile.c makes it and match.c runs it. Private to both.
 * A state is an index into code; a state that takes a character goes on to the one behind it. */
#ifndef AUDIT_MATCH_PROGRAM_H
#define AUDIT_MATCH_PROGRAM_H

#include "audit/match.h"

enum { MATCH_CODE_MAX = MATCH_CODE + 8 }; /* an exact text or prefix of MATCH_PATTERN characters fits too */

enum match_op { MATCH_OP_CHAR, MATCH_OP_SET, MATCH_OP_SPLIT, MATCH_OP_JUMP, MATCH_OP_END };

struct match_range {
    uint32_t first, last; /* code points, both included */
};
struct match_inst {
    uint8_t op;
    uint16_t a, b; /* SPLIT: both targets; JUMP: a; SET: ranges from a, b of them, ascending and apart */
    uint32_t cp;   /* CHAR */
};
struct match {
    enum match_kind kind;
    struct slice pattern;
    uint32_t literals;
    uint16_t count; /* instructions */
    struct match_inst *code;
    struct match_range *ranges;
};

#endif
