/* audit/match_emit.c -- writes the tree of a pattern out as instructions. See match_emit.h.
 * Steps are counted, since a repeated empty group emits nothing. */
#include "audit/match_emit.h"

static enum err_code match_emit(struct match_parser *p, enum match_op op, uint16_t a, uint16_t b, uint32_t cp) {
    if (p->code_count >= MATCH_CODE_MAX)
        return err_set(p->e, ERR_TOO_LARGE, "pattern: too long once its repeats are written out (at most %d steps)",
                       MATCH_CODE);
    p->code[p->code_count++] = (struct match_inst){(uint8_t)op, a, b, cp};
    return ERR_OK;
}

static enum err_code match_emit_node(struct match_parser *p, uint16_t node);

static enum err_code match_emit_alt(struct match_parser *p, uint16_t seq) {
    uint16_t jumps = 0xFFFF, split, here; /* jumps to the end are chained through their target until it is known */
    enum err_code rc;
    for (; p->nodes[seq].next; seq = p->nodes[seq].next) {
        split = p->code_count;
        if ((rc = match_emit(p, MATCH_OP_SPLIT, (uint16_t)(split + 1), 0, 0)) != ERR_OK ||
            (rc = match_emit_node(p, seq)) != ERR_OK)
            return rc;
        here = p->code_count;
        if ((rc = match_emit(p, MATCH_OP_JUMP, jumps, 0, 0)) != ERR_OK)
            return rc;
        jumps = here;
        p->code[split].b = p->code_count;
    }
    if ((rc = match_emit_node(p, seq)) != ERR_OK)
        return rc;
    while (jumps != 0xFFFF) {
        here = p->code[jumps].a;
        p->code[jumps].a = p->code_count;
        jumps = here;
    }
    return ERR_OK;
}

static enum err_code match_emit_repeat(struct match_parser *p, const struct match_node *n) {
    uint16_t splits = 0xFFFF, here, i;
    enum err_code rc = ERR_OK;
    for (i = 0; i < n->a && rc == ERR_OK; i++)
        rc = match_emit_node(p, n->child);
    if (rc == ERR_OK && n->b == MATCH_FOREVER) {
        here = p->code_count;
        if ((rc = match_emit(p, MATCH_OP_SPLIT, (uint16_t)(here + 1), 0, 0)) != ERR_OK ||
            (rc = match_emit_node(p, n->child)) != ERR_OK || (rc = match_emit(p, MATCH_OP_JUMP, here, 0, 0)) != ERR_OK)
            return rc;
        p->code[here].b = p->code_count;
        return ERR_OK;
    }
    for (; i < n->b && rc == ERR_OK; i++) {
        here = p->code_count;
        if ((rc = match_emit(p, MATCH_OP_SPLIT, (uint16_t)(here + 1), splits, 0)) == ERR_OK)
            rc = match_emit_node(p, n->child);
        splits = here;
    }
    while (rc == ERR_OK && splits != 0xFFFF) {
        here = p->code[splits].b;
        p->code[splits].b = p->code_count;
        splits = here;
    }
    return rc;
}

static enum err_code match_emit_node(struct match_parser *p, uint16_t node) {
    const struct match_node *n = &p->nodes[node];
    enum err_code rc = ERR_OK;
    uint16_t child;
    if (++p->steps > MATCH_STEPS)
        return err_set(p->e, ERR_TOO_LARGE, "pattern: its repeats multiply");
    switch ((enum match_node_type)n->type) {
    case MATCH_N_CHAR:
        return match_emit(p, MATCH_OP_CHAR, 0, 0, n->cp);
    case MATCH_N_SET:
        return match_emit(p, MATCH_OP_SET, n->a, n->b, 0);
    case MATCH_N_ALT:
        return match_emit_alt(p, n->child);
    case MATCH_N_REPEAT:
        return match_emit_repeat(p, n);
    case MATCH_N_SEQ:
        for (child = n->child; child && rc == ERR_OK; child = p->nodes[child].next)
            rc = match_emit_node(p, child);
        return rc;
    }
    return rc;
}

/* Saturates: a repeat of what is long already counts once. */
uint32_t match_emit_literals(const struct match_parser *p, uint16_t node) {
    const struct match_node *n = &p->nodes[node];
    uint32_t sum = 0, least = UINT32_MAX, w;
    uint16_t child;
    switch ((enum match_node_type)n->type) {
    case MATCH_N_CHAR:
        return 1;
    case MATCH_N_SET:
        return 0;
    case MATCH_N_REPEAT:
        w = n->a ? match_emit_literals(p, n->child) : 0;
        return w > MATCH_CODE ? w : w * n->a;
    case MATCH_N_SEQ:
        for (child = n->child; child; child = p->nodes[child].next)
            sum += match_emit_literals(p, child);
        return sum;
    case MATCH_N_ALT:
        for (child = n->child; child; child = p->nodes[child].next)
            if ((w = match_emit_literals(p, child)) < least)
                least = w;
        return least;
    }
    return 0;
}

enum err_code match_emit_program(struct match_parser *p, uint16_t root) {
    enum err_code rc = match_emit_node(p, root);
    return rc == ERR_OK ? match_emit(p, MATCH_OP_END, 0, 0, 0) : rc;
}
