/* audit/conform.c -- see conform.h. A record is walked once for each standard that governs it. */
#include "audit/conform.h"

#include "audit/classify.h"
#include "audit/conform_value.h"
#include "audit/path.h"
#include "audit/vocab.h"
#include "wire/limits.h"

#include <stdio.h>

struct conform {
    const struct audit_state *state;
    int64_t time;
    const struct record *r;
    struct conform_report *report;
    struct err *e;
    const struct audit_version *governing[AUDIT_STATE_CITED];
    size_t governing_count;
};

/* -- telling ------------------------------------------------------------------------------------------------------- */

/* What a standard objects to: refused, or noted, as the standard says. */
static enum err_code conform_object(struct conform *c, const struct standard *s, const char *field, const char *text) {
    struct conform_finding *f;
    if (s->head.mode == STANDARD_ENFORCE)
        return err_set(c->e, ERR_NONCONFORMING, "%s: %s (%.*s %.*s)", field, text, SLICE_ARG(s->head.id),
                       SLICE_ARG(s->head.version));
    if (!c->report)
        return ERR_OK;
    if (c->report->count < CONFORM_FINDINGS) {
        f = &c->report->findings[c->report->count];
        f->standard = s->head.id;
        f->version = s->head.version;
        snprintf(f->field, sizeof f->field, "%s", field);
        snprintf(f->text, sizeof f->text, "%s", text);
    }
    c->report->count++;
    return ERR_OK;
}

static enum err_code conform_refuse(struct conform *c, const char *field, const char *text) {
    return err_set(c->e, ERR_NONCONFORMING, "%s: %s", field, text);
}

/* -- what holds without any standard --------------------------------------------------------------------------------
 */

static enum err_code conform_times(struct conform *c) {
    const struct record *r = c->r;
    if (r->time <= 0)
        return err_set(c->e, ERR_BAD_TIME, "time: before 1970");
    if (r->time > c->time + LIMIT_RECORD_AHEAD_MS || r->time_end > c->time + LIMIT_RECORD_AHEAD_MS)
        return err_set(c->e, ERR_BAD_TIME, "%s: more than %d s past the block's time",
                       r->time > c->time + LIMIT_RECORD_AHEAD_MS ? "time" : "time_end", LIMIT_RECORD_AHEAD_MS / 1000);
    if (r->time_end != 0 && r->time_end < r->time)
        return err_set(c->e, ERR_BAD_TIME, "time_end: before time");
    return ERR_OK;
}

static bool conform_blank(struct slice s) {
    size_t i;
    for (i = 0; i < s.len; i++)
        if (s.ptr[i] != ' ' && s.ptr[i] != '\t' && s.ptr[i] != '\n' && s.ptr[i] != '\r')
            return false;
    return true;
}

static enum err_code conform_basics(struct conform *c) {
    const struct record *r = c->r;
    struct digest root;
    if (r->op.class_id.len == 0)
        return conform_refuse(c, "op.class_id", "name a class, or 'unclassified' with activity_id 99 and a note");
    if (slice_eq_str(r->op.class_id, STANDARD_UNCLASSIFIED)) {
        if (r->op.activity_id != STANDARD_ACTIVITY_OTHER)
            return conform_refuse(c, "op.activity_id", "must be 99 where nothing classifies the operation");
        if (conform_blank(r->op.note))
            return conform_refuse(c, "op.note", "must say in words what was done, since nothing classifies it");
    }
    memcpy(root.b, r->objects_more.root, DIGEST_SIZE);
    if ((r->objects_more.count > 0) != !digest_is_zero(&root))
        return conform_refuse(c, "objects_more", "needs both count and root");
    if (r->objects_more.count > 0 && r->objects.count < RECORD_OBJECTS)
        return conform_refuse(c, "objects_more", "only behind 256 objects");
    return ERR_OK;
}

/* nonce, tag and one byte at least, as base64 without padding; and never more than the place can hold */
enum { CONFORM_CIPHER_MIN = 55 };

static bool conform_base64(struct slice s) {
    size_t i;
    for (i = 0; i < s.len; i++) {
        uint8_t ch = s.ptr[i], low = ch | 0x20u;
        bool word = (low >= 'a' && low <= 'z') || (ch >= '0' && ch <= '9');
        if (!word && ch != '+' && ch != '/' && ch != '-' && ch != '_' && !(ch == '=' && i + 2 >= s.len))
            return false;
    }
    return true;
}

static enum err_code conform_one_protection(struct conform *c, const struct record_prot *p) {
    struct path_value v;
    char at[PATH_SIZE];
    snprintf(at, sizeof at, "%.*s", SLICE_ARG(p->path));
    if (!path_get(c->r, p->path, &v) || !v.text)
        return conform_refuse(c, at, "cannot be protected: not a text of a record");
    if (p->how == RECORD_REMOVED)
        return v.present && !v.fixed ? conform_refuse(c, at, "said to be removed, but it is there") : ERR_OK;
    if (!v.present)
        return conform_refuse(c, at, "said to be protected, but it is not there");
    if (p->how != RECORD_ENCRYPTED)
        return ERR_OK;
    if (p->key_id.len == 0 || p->alg != 1)
        return conform_refuse(c, at, "encrypted, but without key id and algorithm 1");
    if (v.value.len < CONFORM_CIPHER_MIN || !conform_base64(v.value))
        return conform_refuse(c, at, "said to be encrypted, but it is not a ciphertext's size and form");
    return ERR_OK;
}

static enum err_code conform_protections(struct conform *c) {
    const struct record_prot *p = c->r->prot.items;
    uint32_t i, j;
    enum err_code rc;
    for (i = 0; i < c->r->prot.count; i++) {
        for (j = 0; j < i; j++)
            if (slice_eq(p[i].path, p[j].path))
                return conform_refuse(c, "prot", "one place protected twice");
        if ((rc = conform_one_protection(c, &p[i])) != ERR_OK)
            return rc;
    }
    return ERR_OK;
}

/* -- citations ----------------------------------------------------------------------------------------------------- */

static bool conform_same_line(const struct audit_version *a, const struct audit_version *b) {
    return a->std->head.kind == b->std->head.kind && slice_eq(a->std->head.id, b->std->head.id);
}

static enum err_code conform_cited(struct conform *c, const struct record_std *cite) {
    struct digest hash;
    const struct audit_version *v;
    char field[120], text[120];
    size_t i;
    memcpy(hash.b, cite->hash, DIGEST_SIZE);
    snprintf(field, sizeof field, "std %.*s %.*s", SLICE_ARG(cite->id), SLICE_ARG(cite->version));
    if (!(v = audit_state_by_hash(c->state, &hash)))
        return conform_refuse(c, field, "no standard with this hash was published here");
    if (!slice_eq(v->std->head.id, cite->id) || !slice_eq(v->std->head.version, cite->version))
        return conform_refuse(c, field, "the hash is that of another standard or version");
    for (i = 0; i < c->governing_count; i++)
        if (conform_same_line(c->governing[i], v))
            return conform_refuse(c, field, "one standard cited twice");
    ERR_ASSERT(c->governing_count < AUDIT_STATE_CITED); /* the schema lets no more through */
    c->governing[c->governing_count++] = v;
    if (audit_state_citable(c->state, v, c->time))
        return ERR_OK;
    snprintf(text, sizeof text, "not in force: %s", audit_state_life_text(audit_state_life(c->state, v, c->time)));
    return conform_object(c, v->std, field, text);
}

/* Each standard in force must be cited, it or a citable version of its line. What is new (nothing of its line acted
 * before it) may be left out for its grace. */
static enum err_code conform_complete(struct conform *c) {
    const struct audit_version *active[AUDIT_STATE_CITED];
    size_t n = audit_state_active_all(c->state, 0, c->time, active, AUDIT_STATE_CITED), i, j;
    enum err_code rc;
    for (i = 0; i < n; i++) {
        const struct standard *s = active[i]->std;
        for (j = 0; j < c->governing_count && !conform_same_line(c->governing[j], active[i]); j++)
            ;
        if (j < c->governing_count || (!audit_state_predecessor(c->state, active[i]) &&
                                       (uint64_t)(c->time - active[i]->acts_from) < s->head.grace_ms))
            continue;
        if ((rc = conform_object(c, s, "std", "a standard in force is not cited")) != ERR_OK)
            return rc;
    }
    return ERR_OK;
}

static enum err_code conform_citation_rules(struct conform *c) {
    const struct record_std *cites = c->r->std.items;
    uint32_t i;
    enum err_code rc;
    if (c->r->std.count > AUDIT_STATE_CITED)
        return conform_refuse(c, "std", "too many standards cited");
    for (i = 0; i < c->r->std.count; i++)
        if ((rc = conform_cited(c, &cites[i])) != ERR_OK)
            return rc;
    return conform_complete(c);
}

/* -- extension standards ---------------------------------------------------------------------------------------------
 */

/* Where a field of an element stands in the record: "actor." and the like, with the place for what is not a member. */
struct conform_place {
    const char *element; /* of the standard: "actor", "object:fund", "op", "time" */
    char prefix[24];     /* "objects.3." */
    bool party;          /* has name, type and ext; otherwise own members, else custom */
};

static void conform_field_path(const struct conform_place *p, struct slice name, char out[PATH_SIZE]) {
    bool member;
    struct path_value v;
    static const struct record none;
    snprintf(out, PATH_SIZE, "%s%.*s", p->prefix, SLICE_ARG(name));
    member = p->party ? slice_eq_str(name, "name") || slice_eq_str(name, "type")
                      : path_get(&none, slice_str(out), &v) && p->prefix[0] != '\0';
    if (strcmp(p->element, "time") == 0)
        member = slice_eq_str(name, "time_end");
    if (member)
        return;
    if (p->party)
        snprintf(out, PATH_SIZE, "%sext.%.*s", p->prefix, SLICE_ARG(name));
    else
        snprintf(out, PATH_SIZE, "custom.%.*s", SLICE_ARG(name));
}

static bool conform_applies(struct slice element, const char *thing) {
    return slice_eq_str(element, thing) || (slice_eq_str(element, "object:*") && strncmp(thing, "object:", 7) == 0);
}

/* The strictest protection that any governing standard demands for a field: one of enum standard_protect. */
static uint32_t conform_demand(const struct conform *c, const char *thing, struct slice name) {
    uint32_t most = STANDARD_P_NONE, i, j;
    size_t g;
    for (g = 0; g < c->governing_count; g++) {
        const struct standard *s = c->governing[g]->std;
        const struct standard_element *el = s->body.ext.elements.items;
        if (s->head.kind != STANDARD_EXT)
            continue;
        for (i = 0; i < s->body.ext.elements.count; i++) {
            const struct standard_field *f = el[i].fields.items;
            for (j = 0; conform_applies(el[i].element, thing) && j < el[i].fields.count; j++)
                if (slice_eq(f[j].name, name) && f[j].protect > most)
                    most = f[j].protect;
        }
    }
    return most;
}

/* Is what was done to a field what is demanded? Stricter is fine, but what is required may not be destroyed. */
static const char *conform_protected(uint32_t demand, bool required, const struct record_prot *p) {
    uint32_t how = p ? p->how : 0;
    bool lossy = how == RECORD_REMOVED || how == RECORD_MASKED || how == RECORD_PSEUDONYM;
    if (demand == STANDARD_P_REMOVE)
        return how == RECORD_REMOVED ? NULL : "must be removed";
    if (how == RECORD_REMOVED)
        return required ? "is required and was removed" : NULL;
    if (demand == STANDARD_P_ENCRYPT)
        return how == RECORD_ENCRYPTED ? NULL : "must be encrypted";
    if (demand == STANDARD_P_MASK)
        return how ? NULL : "must be masked";
    return lossy && required ? "is required and was masked, which no standard demands" : NULL;
}

static enum err_code conform_field(struct conform *c, const struct standard *s, const struct conform_place *place,
                                   const struct standard_field *f) {
    char at[PATH_SIZE];
    struct path_value v = {0};
    const struct record_prot *p;
    const char *wrong;
    struct err inner;
    conform_field_path(place, f->name, at);
    if (!path_get(c->r, slice_str(at), &v))
        return ERR_OK; /* unreachable: the field's name makes a path */
    p = path_protection(c->r, slice_str(at));
    if (!v.present && !p)
        return f->required ? conform_object(c, s, at, "required, but missing") : ERR_OK;
    if ((wrong = conform_protected(conform_demand(c, place->element, f->name), f->required, p)) != NULL)
        return conform_object(c, s, at, wrong);
    if (p || !v.text)
        return ERR_OK;
    return conform_value(f, v.value, &inner) == ERR_OK ? ERR_OK : conform_object(c, s, at, inner.text);
}

static enum err_code conform_thing(struct conform *c, const struct standard *s, const struct conform_place *place) {
    const struct standard_element *el = s->body.ext.elements.items;
    uint32_t i, j;
    enum err_code rc;
    for (i = 0; i < s->body.ext.elements.count; i++) {
        const struct standard_field *f = el[i].fields.items;
        if (!conform_applies(el[i].element, place->element))
            continue;
        for (j = 0; j < el[i].fields.count; j++)
            if ((rc = conform_field(c, s, place, &f[j])) != ERR_OK)
                return rc;
    }
    return ERR_OK;
}

static enum err_code conform_ext(struct conform *c, const struct standard *s) {
    const struct record_object *o = c->r->objects.items;
    struct conform_place actor = {"actor", "actor.", true}, op = {"op", "op.", false}, time = {"time", "", false};
    uint32_t i;
    enum err_code rc;
    if ((rc = conform_thing(c, s, &actor)) != ERR_OK || (rc = conform_thing(c, s, &op)) != ERR_OK ||
        (rc = conform_thing(c, s, &time)) != ERR_OK)
        return rc;
    for (i = 0; i < c->r->objects.count; i++) {
        char element[48];
        struct conform_place object = {element, "", true};
        snprintf(element, sizeof element, "object:%.*s", SLICE_ARG(o[i].type));
        snprintf(object.prefix, sizeof object.prefix, "objects.%u.", i);
        if ((rc = conform_thing(c, s, &object)) != ERR_OK)
            return rc;
    }
    return ERR_OK;
}

/* -- the other kinds
 * --------------------------------------------------------------------------------------------------- */

static bool conform_class_known(const struct conform *c, struct slice id) {
    size_t i;
    for (i = 0; i < c->governing_count; i++)
        if (c->governing[i]->std->classify && classify_class(c->governing[i]->std->classify, id))
            return true;
    return false;
}

/* The class is of a governing tree and has its activity there. Which class it is can be recomputed only where nothing
 * is masked, so a difference is the door's and the regulators' business (a finding), not validity's. */
static enum err_code conform_class(struct conform *c, const struct standard *s) {
    const struct record_op *op = &c->r->op;
    const struct standard_class *cls;
    if (slice_eq_str(op->class_id, STANDARD_UNCLASSIFIED))
        return ERR_OK;
    if (!conform_class_known(c, op->class_id))
        return conform_object(c, s, "op.class_id", "not a class of the classification");
    cls = classify_class(s->classify, op->class_id);
    if (cls && cls->activity_id != op->activity_id)
        return conform_object(c, s, "op.activity_id", "not the activity of the record's class");
    return ERR_OK;
}

static enum err_code conform_type(struct conform *c, const struct standard *s, struct slice type, const char *at) {
    char text[128];
    struct slice name = vocab_name(s->vocab, type);
    if (!slice_eq(name, type)) {
        snprintf(text, sizeof text, "the type '%.*s' is called '%.*s'", SLICE_ARG(type), SLICE_ARG(name));
        return conform_object(c, s, at, text);
    }
    return vocab_closed(s->vocab) && !vocab_knows(s->vocab, type)
               ? conform_object(c, s, at, "a type that the vocabulary does not list")
               : ERR_OK;
}

static enum err_code conform_types(struct conform *c, const struct standard *s) {
    const struct record_object *o = c->r->objects.items;
    char at[32];
    uint32_t i;
    enum err_code rc = conform_type(c, s, c->r->actor.type, "actor.type");
    for (i = 0; i < c->r->objects.count && rc == ERR_OK; i++) {
        snprintf(at, sizeof at, "objects.%u.type", i);
        rc = conform_type(c, s, o[i].type, at);
    }
    return rc;
}

static enum err_code conform_summary(struct conform *c, const struct standard *s) {
    const struct standard_report_field *f = s->body.report.fields.items;
    uint32_t i;
    enum err_code rc = ERR_OK;
    for (i = 0; i < s->body.report.fields.count && rc == ERR_OK; i++) {
        struct path_value v = {0};
        char at[PATH_SIZE];
        snprintf(at, sizeof at, "%.*s", SLICE_ARG(f[i].path));
        if (!path_get(c->r, f[i].path, &v))
            continue;
        if (!v.present && f[i].required && !path_protection(c->r, f[i].path))
            rc = conform_object(c, s, at, "required by the report format, but missing");
        else if (v.present && v.text && f[i].max && !path_protection(c->r, f[i].path) &&
                 conform_value_chars(v.value) > f[i].max)
            rc = conform_object(c, s, at, "longer than the report format allows");
    }
    return rc;
}

static enum err_code conform_to(struct conform *c, const struct standard *s) {
    switch (s->head.kind) {
    case STANDARD_EXT:
        return conform_ext(c, s);
    case STANDARD_OP_CLASS:
        return conform_class(c, s);
    case STANDARD_VOCAB:
        return conform_types(c, s);
    default:
        return conform_summary(c, s);
    }
}

enum err_code conform_record(const struct audit_state *state, int64_t time, const struct record *r,
                             struct conform_report *report, struct err *e) {
    struct conform c = {.state = state, .time = time, .r = r, .report = report, .e = e};
    size_t i;
    enum err_code rc;
    if (report)
        *report = (struct conform_report){.count = 0};
    if ((rc = conform_times(&c)) != ERR_OK || (rc = conform_basics(&c)) != ERR_OK ||
        (rc = conform_protections(&c)) != ERR_OK || (rc = conform_citation_rules(&c)) != ERR_OK)
        return rc;
    for (i = 0; i < c.governing_count; i++)
        if ((rc = conform_to(&c, c.governing[i]->std)) != ERR_OK)
            return rc;
    return ERR_OK;
}

size_t conform_citations(const struct audit_state *state, int64_t time, struct record_std out[AUDIT_STATE_CITED]) {
    const struct audit_version *active[AUDIT_STATE_CITED];
    size_t n = audit_state_active_all(state, 0, time, active, AUDIT_STATE_CITED), i;
    for (i = 0; i < n; i++) {
        memcpy(out[i].hash, active[i]->std->hash.b, DIGEST_SIZE);
        out[i].id = active[i]->std->head.id;
        out[i].version = active[i]->std->head.version;
    }
    return n;
}
