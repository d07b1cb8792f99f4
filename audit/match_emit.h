/* audit/match_emit.h -- the tree of a pattern, and the program made of it. Private to match_compile.c and
 * match_emit.c. Depends on: audit/match_program.h. */
#ifndef AUDIT_MATCH_EMIT_H
#define AUDIT_MATCH_EMIT_H

#include "audit/match_program.h"

enum {
    MATCH_NODES = 3 * MATCH_PATTERN + 8,
    MATCH_RANGES = 2 * MATCH_PATTERN + 16,
    MATCH_STEPS = 1 << 16,
    MATCH_MAX_CP = 0x10FFFF,
    MATCH_FOREVER = 0xFFFF
};

/* ALT holds SEQs, SEQ holds atoms, REPEAT holds one atom; siblings hang on next. 0 is none. */
enum match_node_type { MATCH_N_CHAR, MATCH_N_SET, MATCH_N_ALT, MATCH_N_SEQ, MATCH_N_REPEAT };
struct match_node {
    uint8_t type;
    uint16_t next, child;
    uint16_t a, b; /* SET: ranges from, count; REPEAT: min, max */
    uint32_t cp;
};

struct match_parser {
    uint32_t text[MATCH_PATTERN];
    size_t len, at;
    struct match_node nodes[MATCH_NODES];
    uint16_t node_count;
    struct match_range ranges[MATCH_RANGES];
    uint16_t range_count;
    struct match_inst code[MATCH_CODE_MAX];
    uint16_t code_count;
    unsigned depth, steps;
    struct err *e;
};

/* The program of the tree under root, its end included, into p->code. TOO_LARGE. */
enum err_code match_emit_program(struct match_parser *p, uint16_t root) ERR_CHECKED;
/* Characters that every text which the node means must hold, as written. */
uint32_t match_emit_literals(const struct match_parser *p, uint16_t root);

#endif
