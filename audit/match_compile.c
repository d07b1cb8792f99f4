/* audit/match_compile.c -- from a pattern's text to its program: parse into a small tree, then emit.
 * Depends on: audit/match_emit.h. Clause: the grammar of match.h. Bounds: MATCH_PATTERN characters in, MATCH_CODE
 * instructions out, MATCH_GROUPS nesting; the emitter also counts its steps, since a repeated empty group emits
 * nothing. */
#include "audit/match_emit.h"
#include "wire/utf8.h"

static enum err_code match_bad(struct match_parser *p, size_t at, const char *what) {
    return err_set(p->e, ERR_MALFORMED, "pattern, character %zu: %s", at + 1, what);
}

static uint16_t match_node(struct match_parser *p, enum match_node_type type) {
    ERR_ASSERT(p->node_count < MATCH_NODES); /* three nodes a character at most */
    p->nodes[p->node_count].type = (uint8_t)type;
    return p->node_count++;
}

static bool match_more(const struct match_parser *p) {
    return p->at < p->len;
}
static bool match_at(const struct match_parser *p, uint32_t c) {
    return p->at < p->len && p->text[p->at] == c;
}

/* -- sets -------------------------------------------------------------------------------------------------------- */

static enum err_code match_range(struct match_parser *p, uint32_t first, uint32_t last) {
    if (p->range_count == MATCH_RANGES)
        return err_set(p->e, ERR_TOO_LARGE, "pattern: too many character ranges");
    p->ranges[p->range_count++] = (struct match_range){first, last};
    return ERR_OK;
}

/* Sorts and joins the ranges from `from` on, and takes their complement if asked. */
static enum err_code match_normalise(struct match_parser *p, uint16_t from, bool complement) {
    struct match_range *r = p->ranges + from;
    size_t n = (size_t)(p->range_count - from), i, j, out = 0;
    uint32_t low = 0;
    for (i = 1; i < n; i++) {
        struct match_range x = r[i];
        for (j = i; j > 0 && r[j - 1].first > x.first; j--)
            r[j] = r[j - 1];
        r[j] = x;
    }
    for (i = 0; i < n; i++) {
        if (out > 0 && r[i].first <= r[out - 1].last + 1) {
            if (r[i].last > r[out - 1].last)
                r[out - 1].last = r[i].last;
        } else {
            r[out++] = r[i];
        }
    }
    if (complement) {
        struct match_range last = {0, 0};
        n = out;
        out = 0;
        for (i = 0; i < n; i++) {
            struct match_range x = r[i];
            if (x.first > low)
                r[out++] = (struct match_range){low, x.first - 1};
            low = x.last + 1;
        }
        last = (struct match_range){low, MATCH_MAX_CP};
        p->range_count = (uint16_t)(from + out);
        return low <= MATCH_MAX_CP ? match_range(p, last.first, last.last) : ERR_OK;
    }
    p->range_count = (uint16_t)(from + out);
    return ERR_OK;
}

/* \d \w \s and their complements, as ranges that are already sorted. */
static enum err_code match_shorthand(struct match_parser *p, uint32_t letter) {
    static const struct match_range digit[] = {{'0', '9'}}, space[] = {{9, 13}, {' ', ' '}},
                                    word[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
    uint32_t lower = letter | 0x20u, low = 0;
    const struct match_range *r = lower == 'd' ? digit : lower == 's' ? space : word;
    size_t n = lower == 'd' ? 1 : lower == 's' ? 2 : 4, i;
    enum err_code rc = ERR_OK;
    for (i = 0; i < n && rc == ERR_OK; i++) {
        rc = lower == letter ? match_range(p, r[i].first, r[i].last) : match_range(p, low, r[i].first - 1);
        low = r[i].last + 1;
    }
    return rc == ERR_OK && lower != letter ? match_range(p, low, MATCH_MAX_CP) : rc;
}

static bool match_is_shorthand(uint32_t c) {
    return c == 'd' || c == 'D' || c == 'w' || c == 'W' || c == 's' || c == 'S';
}

/* Behind a backslash: the one character that is meant. */
static enum err_code match_escaped(struct match_parser *p, uint32_t *cp) {
    uint32_t c = p->text[p->at];
    bool punct = c > ' ' && c < 127 && !(c >= '0' && c <= '9') && !((c | 0x20u) >= 'a' && (c | 0x20u) <= 'z');
    if (!punct && c != 'n' && c != 'r' && c != 't')
        return match_bad(p, p->at, "this escape is outside the subset (\\d \\w \\s \\n \\r \\t and punctuation)");
    *cp = c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c;
    p->at++;
    return ERR_OK;
}

/* One end of a class's item; *wide if it was a shorthand, whose ranges are then already there. */
static enum err_code match_class_end(struct match_parser *p, uint32_t *cp, bool *wide) {
    *wide = false;
    if (!match_more(p))
        return match_bad(p, p->at, "the class has no ]");
    if (match_at(p, '['))
        return match_bad(p, p->at, "write \\[ inside a class");
    if (!match_at(p, '\\')) {
        *cp = p->text[p->at++];
        return ERR_OK;
    }
    if (++p->at == p->len)
        return match_bad(p, p->at, "nothing behind the backslash");
    *wide = match_is_shorthand(p->text[p->at]);
    return *wide ? match_shorthand(p, p->text[p->at++]) : match_escaped(p, cp);
}

static enum err_code match_class(struct match_parser *p, uint16_t *node) {
    size_t start = p->at++;
    uint16_t from = p->range_count;
    bool complement = match_at(p, '^'), wide, wide_end;
    uint32_t first = 0, last;
    enum err_code rc;
    p->at += complement;
    if (match_at(p, ']'))
        return match_bad(p, p->at, "an empty class (write \\] for the bracket itself)");
    while (!match_at(p, ']')) {
        if ((rc = match_class_end(p, &first, &wide)) != ERR_OK)
            return rc;
        last = first;
        if (match_at(p, '-') && p->at + 1 < p->len && p->text[p->at + 1] != ']') {
            size_t dash = p->at++;
            if ((rc = match_class_end(p, &last, &wide_end)) != ERR_OK)
                return rc;
            if (wide || wide_end || last < first)
                return match_bad(p, dash, "not a range");
        }
        if (!wide && (rc = match_range(p, first, last)) != ERR_OK)
            return rc;
        if (!match_more(p))
            return match_bad(p, start, "the class has no ]");
    }
    p->at++;
    if ((rc = match_normalise(p, from, complement)) != ERR_OK)
        return rc;
    *node = match_node(p, MATCH_N_SET);
    p->nodes[*node].a = from;
    p->nodes[*node].b = (uint16_t)(p->range_count - from);
    return ERR_OK;
}

static enum err_code match_set_of(struct match_parser *p, uint32_t letter, uint16_t *node) {
    uint16_t from = p->range_count;
    enum err_code rc = ERR_OK;
    if (letter == '.') {
        if ((rc = match_range(p, 0, '\n' - 1)) == ERR_OK)
            rc = match_range(p, '\n' + 1, MATCH_MAX_CP);
    } else {
        rc = match_shorthand(p, letter);
    }
    *node = match_node(p, MATCH_N_SET);
    p->nodes[*node].a = from;
    p->nodes[*node].b = (uint16_t)(p->range_count - from);
    return rc;
}

/* -- grammar ----------------------------------------------------------------------------------------------------- */

static enum err_code match_alt(struct match_parser *p, uint16_t *node);

static enum err_code match_group(struct match_parser *p, uint16_t *node) {
    size_t start = p->at++;
    enum err_code rc;
    if (match_at(p, '?')) {
        if (p->at + 1 >= p->len || p->text[p->at + 1] != ':')
            return match_bad(p, p->at, "only (?: is in the subset: no look-around, names or options");
        p->at += 2;
    }
    if (++p->depth > MATCH_GROUPS)
        return match_bad(p, start, "groups nested too deep");
    if ((rc = match_alt(p, node)) != ERR_OK)
        return rc;
    p->depth--;
    if (!match_at(p, ')'))
        return match_bad(p, start, "the group has no )");
    p->at++;
    return ERR_OK;
}

static enum err_code match_atom(struct match_parser *p, uint16_t *node) {
    uint32_t c = p->text[p->at];
    enum err_code rc;
    switch (c) {
    case '(':
        return match_group(p, node);
    case '[':
        return match_class(p, node);
    case '.':
        p->at++;
        return match_set_of(p, '.', node);
    case '*':
    case '+':
    case '?':
    case '{':
        return match_bad(p, p->at, "nothing to repeat here (put a backslash before it if it is meant itself)");
    case ']':
    case '}':
        return match_bad(p, p->at, "write \\] or \\} for the bracket itself");
    case '^':
    case '$':
        return match_bad(p, p->at, "an anchor inside: a pattern always means the whole text");
    default:
        break;
    }
    p->at++;
    if (c == '\\') {
        if (!match_more(p))
            return match_bad(p, p->at, "nothing behind the backslash");
        if (match_is_shorthand(p->text[p->at])) {
            p->at++;
            return match_set_of(p, p->text[p->at - 1], node);
        }
        if ((rc = match_escaped(p, &c)) != ERR_OK)
            return rc;
    }
    *node = match_node(p, MATCH_N_CHAR);
    p->nodes[*node].cp = c;
    return ERR_OK;
}

static bool match_number(struct match_parser *p, uint32_t *n) {
    size_t from = p->at;
    *n = 0;
    while (match_more(p) && p->text[p->at] >= '0' && p->text[p->at] <= '9' && *n <= MATCH_REPEAT)
        *n = *n * 10 + (p->text[p->at++] - '0');
    return p->at > from;
}

/* {m} {m,} {m,n}, at the brace */
static enum err_code match_braces(struct match_parser *p, uint32_t *min, uint32_t *max) {
    size_t start = p->at++;
    if (!match_number(p, min))
        return match_bad(p, start, "a repeat is {m}, {m,} or {m,n}");
    *max = *min;
    if (match_at(p, ',')) {
        p->at++;
        if (match_at(p, '}'))
            *max = MATCH_FOREVER;
        else if (!match_number(p, max))
            return match_bad(p, start, "a repeat is {m}, {m,} or {m,n}");
    }
    if (*min > MATCH_REPEAT || (*max > MATCH_REPEAT && *max != MATCH_FOREVER))
        return match_bad(p, start, "at most 255 repeats");
    if (!match_at(p, '}'))
        return match_bad(p, start, "a repeat is {m}, {m,} or {m,n}");
    if (*max < *min)
        return match_bad(p, start, "a repeat from more to fewer");
    p->at++;
    return ERR_OK;
}

static bool match_quant_here(const struct match_parser *p) {
    return match_at(p, '*') || match_at(p, '+') || match_at(p, '?') || match_at(p, '{');
}

static enum err_code match_quant(struct match_parser *p, uint16_t *node) {
    uint32_t min = 0, max = MATCH_FOREVER;
    uint16_t repeat;
    enum err_code rc;
    if (!match_quant_here(p))
        return ERR_OK;
    if (match_at(p, '{')) {
        if ((rc = match_braces(p, &min, &max)) != ERR_OK)
            return rc;
    } else {
        min = match_at(p, '+');
        max = match_at(p, '?') ? 1 : MATCH_FOREVER;
        p->at++;
    }
    if (match_quant_here(p))
        return match_bad(p, p->at, "a second repeat: lazy and possessive ones are outside the subset");
    repeat = match_node(p, MATCH_N_REPEAT);
    p->nodes[repeat].child = *node;
    p->nodes[repeat].a = (uint16_t)min;
    p->nodes[repeat].b = (uint16_t)max;
    *node = repeat;
    return ERR_OK;
}

static bool match_final_anchor(const struct match_parser *p) {
    return p->depth == 0 && match_at(p, '$') && p->at + 1 == p->len;
}

static enum err_code match_seq(struct match_parser *p, uint16_t *node) {
    uint16_t last = 0, atom = 0;
    enum err_code rc;
    *node = match_node(p, MATCH_N_SEQ);
    while (match_more(p) && !match_at(p, '|') && !match_at(p, ')') && !match_final_anchor(p)) {
        if ((rc = match_atom(p, &atom)) != ERR_OK || (rc = match_quant(p, &atom)) != ERR_OK)
            return rc;
        if (last)
            p->nodes[last].next = atom;
        else
            p->nodes[*node].child = atom;
        last = atom;
    }
    return ERR_OK;
}

static enum err_code match_alt(struct match_parser *p, uint16_t *node) {
    uint16_t seq, last;
    enum err_code rc;
    *node = match_node(p, MATCH_N_ALT);
    if ((rc = match_seq(p, &seq)) != ERR_OK)
        return rc;
    p->nodes[*node].child = last = seq;
    while (match_at(p, '|')) {
        p->at++;
        if ((rc = match_seq(p, &seq)) != ERR_OK)
            return rc;
        p->nodes[last].next = seq;
        last = seq;
    }
    return ERR_OK;
}

static enum err_code match_parse_regex(struct match_parser *p, uint16_t *root) {
    enum err_code rc;
    p->at = match_at(p, '^');
    if ((rc = match_alt(p, root)) != ERR_OK)
        return rc;
    if (match_final_anchor(p))
        p->at++;
    return match_more(p) ? match_bad(p, p->at, "a ) without its (") : ERR_OK;
}

/* Exact, prefix and glob are sequences; they use the same tree. */
static enum err_code match_parse_plain(struct match_parser *p, enum match_kind kind, uint16_t *root) {
    uint16_t last = 0, atom, repeat;
    enum err_code rc;
    *root = match_node(p, MATCH_N_SEQ);
    while (match_more(p) || kind == MATCH_PREFIX) {
        uint32_t c = match_more(p) ? p->text[p->at] : 0;
        bool tail = !match_more(p), star = tail || (kind == MATCH_GLOB && c == '*');
        bool any = tail || (star && p->at + 1 < p->len && p->text[p->at + 1] == '*');
        if (star || (kind == MATCH_GLOB && c == '?')) {
            uint16_t from = p->range_count;
            rc = any ? match_range(p, 0, MATCH_MAX_CP) : match_range(p, 0, '/' - 1);
            if (rc == ERR_OK && !any)
                rc = match_range(p, '/' + 1, MATCH_MAX_CP);
            if (rc != ERR_OK)
                return rc;
            atom = match_node(p, MATCH_N_SET);
            p->nodes[atom].a = from;
            p->nodes[atom].b = (uint16_t)(p->range_count - from);
            p->at += any && !tail;
        } else {
            if (kind == MATCH_GLOB && c == '\\' && ++p->at == p->len)
                return match_bad(p, p->at, "nothing behind the backslash");
            atom = match_node(p, MATCH_N_CHAR);
            p->nodes[atom].cp = p->text[p->at];
        }
        p->at++;
        if (star) {
            repeat = match_node(p, MATCH_N_REPEAT);
            p->nodes[repeat].child = atom;
            p->nodes[repeat].b = MATCH_FOREVER;
            atom = repeat;
        }
        if (last)
            p->nodes[last].next = atom;
        else
            p->nodes[*root].child = atom;
        last = atom;
        if (tail)
            break;
    }
    return ERR_OK;
}

static enum err_code match_decode(struct match_parser *p, struct slice s) {
    size_t i = 0;
    if (s.len == 0)
        return err_set(p->e, ERR_MALFORMED, "an empty pattern");
    if (s.len > MATCH_PATTERN)
        return err_set(p->e, ERR_TOO_LARGE, "a pattern of %zu bytes (at most %d)", s.len, MATCH_PATTERN);
    if (!utf8_valid(s))
        return err_set(p->e, ERR_MALFORMED, "the pattern is not valid UTF-8");
    while (i < s.len) {
        uint8_t lead = s.ptr[i++];
        unsigned more = lead < 0x80 ? 0 : lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
        uint32_t cp = more ? lead & (0x3Fu >> more) : lead;
        for (; more; more--)
            cp = cp << 6 | (s.ptr[i++] & 0x3Fu);
        p->text[p->len++] = cp;
    }
    return ERR_OK;
}

enum err_code match_compile(enum match_kind kind, struct slice pattern, struct arena *a, const struct match **out,
                            struct err *e) {
    struct arena work;
    struct match_parser *p;
    struct match *m;
    uint16_t root = 0;
    enum err_code rc;
    arena_init(&work, sizeof *p + 4096);
    if (!(p = arena_alloc(&work, 1, sizeof *p)) || !(m = arena_alloc(a, 1, sizeof *m))) {
        rc = err_set(e, ERR_NO_MEMORY, "compiling a pattern");
        goto out;
    }
    p->e = e;
    p->node_count = 1; /* 0 is none */
    if ((rc = match_decode(p, pattern)) != ERR_OK)
        goto out;
    rc = kind == MATCH_REGEX ? match_parse_regex(p, &root) : match_parse_plain(p, kind, &root);
    if (rc != ERR_OK || (rc = match_emit_program(p, root)) != ERR_OK)
        goto out;
    m->kind = kind;
    m->literals = match_emit_literals(p, root);
    m->count = p->code_count;
    m->pattern = arena_copy(a, pattern);
    m->code = arena_alloc(a, p->code_count, sizeof *m->code);
    m->ranges = arena_alloc(a, (size_t)p->range_count + 1, sizeof *m->ranges);
    if (!m->pattern.ptr || !m->code || !m->ranges) {
        rc = err_set(e, ERR_NO_MEMORY, "compiling a pattern");
        goto out;
    }
    memcpy(m->code, p->code, p->code_count * sizeof *m->code);
    memcpy(m->ranges, p->ranges, p->range_count * sizeof *m->ranges);
    *out = m;
out:
    arena_release(&work);
    return rc;
}
