/* audit/standard_body.c -- see standard_body.h. */
#include "audit/standard_body.h"

#include "audit/classify.h"
#include "audit/path.h"
#include "audit/vocab.h"

#include <stdio.h>

struct body_check {
    struct standard_problems *problems;
    struct arena *a;
    struct err *e;
    enum err_code rc; /* the first problem's */
};

static const char *const body_op_members[] = {"raw", "class_id", "class_label", "note", "activity_id", "status_id"};

#define BODY_TELL(c, code, at, ...)                                                                                    \
    do {                                                                                                               \
        enum err_code told_ = standard_problem((c)->problems, (c)->e, code, at, __VA_ARGS__);                          \
        if ((c)->rc == ERR_OK)                                                                                         \
            (c)->rc = told_;                                                                                           \
    } while (0)

static bool body_element_valid(struct slice el) {
    return slice_eq_str(el, "actor") || slice_eq_str(el, "op") || slice_eq_str(el, "time") ||
           (el.len > 7 && el.len <= 7 + 32 && memcmp(el.ptr, "object:", 7) == 0);
}

static void body_values(struct body_check *c, const struct standard_field *f, const char *at) {
    const struct slice *v = f->values.items;
    uint32_t i, j;
    if (f->type == STANDARD_T_ENUM && f->values.count == 0)
        BODY_TELL(c, ERR_MALFORMED, at, "type enum, but no values are listed under enum");
    if (f->type != STANDARD_T_ENUM && f->values.count > 0)
        BODY_TELL(c, ERR_MALFORMED, at, "values are listed, but the type is %s", standard_type_names[f->type]);
    for (i = 0; i < f->values.count; i++) {
        if (v[i].len == 0)
            BODY_TELL(c, ERR_MALFORMED, at, "an empty value in enum");
        for (j = 0; j < i; j++)
            if (slice_eq(v[i], v[j]))
                BODY_TELL(c, ERR_CONFLICT, at, "the value '%.*s' stands twice in enum", SLICE_ARG(v[i]));
    }
}

static bool body_is_text(uint32_t type) {
    return type == STANDARD_T_STR || type == STANDARD_T_REF;
}

static bool body_is_op_member(struct slice name) {
    size_t i;
    for (i = 0; i < sizeof body_op_members / sizeof body_op_members[0]; i++)
        if (slice_eq_str(name, body_op_members[i]))
            return true;
    return false;
}

static void body_protection(struct body_check *c, struct slice element, const struct standard_field *f,
                            const char *at) {
    bool demanded = f->protect > STANDARD_P_NONE;
    if (f->pii == STANDARD_C3 && !demanded)
        BODY_TELL(c, ERR_MALFORMED, at, "C3 is the highest sensitivity: protect must be mask, encrypt or remove");
    if (!demanded)
        return;
    if (slice_eq_str(f->name, "type") && !slice_eq_str(element, "op") && !slice_eq_str(element, "time"))
        BODY_TELL(c, ERR_MALFORMED, at, "a type cannot be protected: records are found by it");
    if (slice_eq_str(element, "time") && slice_eq_str(f->name, "time_end"))
        BODY_TELL(c, ERR_MALFORMED, at, "a time cannot be protected");
    if (slice_eq_str(element, "op") && body_is_op_member(f->name) && !slice_eq_str(f->name, "raw") &&
        !slice_eq_str(f->name, "note"))
        BODY_TELL(c, ERR_MALFORMED, at, "of an operation's own members only raw and note can be protected");
}

static void body_field(struct body_check *c, struct slice element, struct standard_field *f, const char *at) {
    char where[96];
    struct err inner;
    bool number =
        slice_eq_str(element, "op") && (slice_eq_str(f->name, "activity_id") || slice_eq_str(f->name, "status_id"));
    body_values(c, f, at);
    body_protection(c, element, f, at);
    if (f->max && !body_is_text(f->type))
        BODY_TELL(c, ERR_MALFORMED, at, "max is for str and ref only");
    if ((number || (slice_eq_str(element, "time") && slice_eq_str(f->name, "time_end"))) &&
        (f->type != STANDARD_T_INT || f->regex.len))
        BODY_TELL(c, ERR_MALFORMED, at, "this member of the record is a number: type int, no regex");
    if (!f->regex.len)
        return;
    snprintf(where, sizeof where, "%s.regex", at);
    if (!body_is_text(f->type) && f->type != STANDARD_T_INT && f->type != STANDARD_T_DEC)
        BODY_TELL(c, ERR_MALFORMED, where, "a regex has no use with type %s", standard_type_names[f->type]);
    else if (match_compile(MATCH_REGEX, f->regex, c->a, &f->match, &inner) != ERR_OK)
        BODY_TELL(c, inner.code, where, "%s", inner.text);
}

static void body_ext(struct body_check *c, struct standard_ext *ext) {
    struct standard_element *el = ext->elements.items;
    uint32_t i, j, k;
    char at[80];
    for (i = 0; i < ext->elements.count; i++) {
        struct standard_field *f = el[i].fields.items;
        snprintf(at, sizeof at, "body.elements[%u].element", i);
        if (!body_element_valid(el[i].element))
            BODY_TELL(c, ERR_MALFORMED, at, "'%.*s' is none of actor, object:<type>, object:*, op, time",
                      SLICE_ARG(el[i].element));
        for (j = 0; j < i; j++)
            if (slice_eq(el[i].element, el[j].element))
                BODY_TELL(c, ERR_CONFLICT, at, "the element '%.*s' stands twice", SLICE_ARG(el[i].element));
        for (j = 0; j < el[i].fields.count; j++) {
            snprintf(at, sizeof at, "body.elements[%u].fields[%u]", i, j);
            body_field(c, el[i].element, &f[j], at);
            for (k = 0; k < j; k++)
                if (slice_eq(f[j].name, f[k].name))
                    BODY_TELL(c, ERR_CONFLICT, at, "the field '%.*s' stands twice", SLICE_ARG(f[j].name));
        }
    }
}

static void body_report(struct body_check *c, const struct standard_report *report) {
    const struct standard_report_field *f = report->fields.items;
    uint32_t i, j;
    char at[80];
    for (i = 0; i < report->fields.count; i++) {
        snprintf(at, sizeof at, "body.fields[%u].path", i);
        if (!path_valid(f[i].path))
            BODY_TELL(c, ERR_MALFORMED, at, "'%.*s' is not a place in a record", SLICE_ARG(f[i].path));
        snprintf(at, sizeof at, "body.fields[%u].name", i);
        for (j = 0; j < i; j++)
            if (slice_eq(f[i].name, f[j].name))
                BODY_TELL(c, ERR_CONFLICT, at, "the field '%.*s' stands twice", SLICE_ARG(f[i].name));
    }
}

enum err_code standard_body_check(uint32_t kind, union standard_body *body, struct arena *a,
                                  struct standard_problems *problems, struct standard *into, struct err *e) {
    struct standard_problems mine = {0};
    struct body_check c = {problems ? problems : &mine, a, e, ERR_OK};
    const struct classify *classify = NULL;
    const struct vocab *vocab = NULL;
    switch (kind) {
    case STANDARD_EXT:
        body_ext(&c, &body->ext);
        break;
    case STANDARD_OP_CLASS:
        c.rc = classify_compile(&body->op_class, a, c.problems, &classify, e);
        break;
    case STANDARD_VOCAB:
        c.rc = vocab_compile(&body->vocab, a, c.problems, &vocab, e);
        break;
    case STANDARD_REPORT:
        body_report(&c, &body->report);
        break;
    default:
        return err_set(e, ERR_UNSUPPORTED, "a standard of this kind");
    }
    if (into) {
        into->classify = classify;
        into->vocab = vocab;
    }
    return c.rc;
}

/* -- two standards ------------------------------------------------------------------------------------------------- */

static bool body_share_value(const struct standard_field *a, const struct standard_field *b) {
    const struct slice *x = a->values.items, *y = b->values.items;
    uint32_t i, j;
    for (i = 0; i < a->values.count; i++)
        for (j = 0; j < b->values.count; j++)
            if (slice_eq(x[i], y[j]))
                return true;
    return false;
}

static enum err_code body_fields_contradict(const struct standard_field *a, const struct standard_field *b,
                                            struct err *e) {
    uint64_t budget = CLASSIFY_BUDGET;
    bool meet = true;
    if (a->type != b->type)
        return err_set(e, ERR_CONFLICT, "type %s here, type %s there", standard_type_names[a->type],
                       standard_type_names[b->type]);
    if (a->type == STANDARD_T_ENUM && !body_share_value(a, b))
        return err_set(e, ERR_CONFLICT, "no value is allowed by both");
    if (!a->match || !b->match || slice_eq(a->regex, b->regex))
        return ERR_OK;
    if (match_overlap(a->match, b->match, &budget, &meet, e) != ERR_OK)
        return e ? e->code : ERR_TOO_LARGE;
    return meet ? ERR_OK : err_set(e, ERR_CONFLICT, "no text matches both patterns");
}

static bool body_same_thing(struct slice a, struct slice b) {
    bool object = a.len > 7 && b.len > 7 && memcmp(a.ptr, "object:", 7) == 0 && memcmp(b.ptr, "object:", 7) == 0;
    return slice_eq(a, b) || (object && (slice_eq_str(a, "object:*") || slice_eq_str(b, "object:*")));
}

static enum err_code body_exts_contradict(const struct standard_ext *a, const struct standard_ext *b, struct err *e) {
    const struct standard_element *x = a->elements.items, *y = b->elements.items;
    uint32_t i, j, k, l;
    enum err_code rc;
    for (i = 0; i < a->elements.count; i++)
        for (j = 0; j < b->elements.count; j++) {
            const struct standard_field *f = x[i].fields.items, *g = y[j].fields.items;
            if (!body_same_thing(x[i].element, y[j].element))
                continue;
            for (k = 0; k < x[i].fields.count; k++)
                for (l = 0; l < y[j].fields.count; l++)
                    if (slice_eq(f[k].name, g[l].name) && (rc = body_fields_contradict(&f[k], &g[l], e)) != ERR_OK)
                        return err_wrap(e, "%.*s, field %.*s", SLICE_ARG(x[i].element), SLICE_ARG(f[k].name));
        }
    return ERR_OK;
}

enum err_code standard_body_contradicts(const struct standard *a, const struct standard *b, struct err *e) {
    enum err_code rc = ERR_OK;
    struct err mine;
    if (!e)
        e = &mine;
    if (a->head.kind != b->head.kind)
        return ERR_OK;
    if (a->head.kind == STANDARD_EXT)
        rc = body_exts_contradict(&a->body.ext, &b->body.ext, e);
    else if (a->head.kind == STANDARD_OP_CLASS)
        rc = classify_contradicts(a->classify, b->classify, e);
    else if (a->head.kind == STANDARD_VOCAB)
        rc = vocab_contradicts(a->vocab, b->vocab, e);
    if (rc != ERR_OK)
        return err_wrap(e, "%.*s %.*s contradicts %.*s %.*s", SLICE_ARG(a->head.id), SLICE_ARG(a->head.version),
                        SLICE_ARG(b->head.id), SLICE_ARG(b->head.version));
    return ERR_OK;
}
