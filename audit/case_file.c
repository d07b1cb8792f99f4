/* audit/case_file.c -- see case_file.h. */
#include "audit/case_file.h"

#include "ledger/entry.h"
#include "wire/limits.h"

#include <sodium.h>

#define AT(type, member) .offset = offsetof(struct type, member)
#define OPTIONAL         .flags = SCHEMA_OPTIONAL
static const struct schema_field exhibit_fields[] = {
    {.key = "entry", .type = SCHEMA_BIN, AT(case_file_exhibit, entry), .min = 1, .max = LIMIT_ENTRY},
    {.key = "number", .type = SCHEMA_U64, OPTIONAL, AT(case_file_exhibit, number)},
    {.key = "proof", .type = SCHEMA_BIN, OPTIONAL, AT(case_file_exhibit, proof), .max = CASE_FILE_PROOF},
    {.key = "time", .type = SCHEMA_I64, OPTIONAL, AT(case_file_exhibit, time)},
};
static const struct schema exhibit_schema = SCHEMA_OF("exhibit", struct case_file_exhibit, exhibit_fields);

static const struct schema_field case_file_fields[] = {
    {.key = "case_id", .type = SCHEMA_FIXED, AT(case_file, case_id), .max = EVIDENCE_CASE_SIZE},
    {.key = "channel", .type = SCHEMA_FIXED, AT(case_file, channel), .max = DIGEST_SIZE},
    {.key = "ciphertext", .type = SCHEMA_BIN, OPTIONAL, AT(case_file, ciphertext), .max = EVIDENCE_CIPHER_MAX},
    {.key = "exhibits",
     .type = SCHEMA_LIST,
     AT(case_file, exhibits),
     .min = 1,
     .max = CASE_FILE_EXHIBITS,
     .sub = &exhibit_schema},
    {.key = "format", .type = SCHEMA_STR, AT(case_file, format), .min = 1, .max = 32},
    {.key = "key", .type = SCHEMA_FIXED, OPTIONAL, AT(case_file, key), .max = EVIDENCE_KEY_SIZE},
    {.key = "recipient_box", .type = SCHEMA_FIXED, OPTIONAL, AT(case_file, recipient_box), .max = SEALED_KEY_SIZE},
};
const struct schema case_file_schema = SCHEMA_OF("case file", struct case_file, case_file_fields);

static enum err_code case_file_check(const struct case_file *c, struct err *e) {
    const struct case_file_exhibit *x = c->exhibits.items;
    if (!slice_eq_str(c->format, CASE_FILE_FORMAT))
        return err_set(e, ERR_UNSUPPORTED, "case file of format \"%.*s\"", SLICE_ARG(c->format));
    for (uint32_t i = 1; i < c->exhibits.count; i++)
        if (x[i].number <= x[i - 1].number)
            return err_set(e, ERR_MALFORMED, "exhibits are not in the order of their numbers");
    return ERR_OK;
}

enum err_code case_file_write(const struct case_file *c, struct buf *out, struct err *e) {
    enum err_code code = schema_check(&case_file_schema, c, e);
    if (!code)
        code = case_file_check(c, e);
    if (code)
        return code;
    schema_write(&case_file_schema, c, out);
    return buf_check(out, e);
}

enum err_code case_file_read(struct slice bytes, struct arena *a, struct case_file *out, struct err *e) {
    if (bytes.len > CASE_FILE_MAX)
        return err_set(e, ERR_TOO_LARGE, "case file of %zu bytes", bytes.len);
    enum err_code c = schema_read(&case_file_schema, bytes, a, out, e);
    return c ? c : case_file_check(out, e);
}

/* ---- the dossier ---- */

struct case_file_parts {
    struct evidence_entry *entry[CASE_FILE_EXHIBITS]; /* NULL: of another kind or case */
};

static enum err_code case_file_parse(const struct case_file *c, struct arena *a, struct case_file_parts *p,
                                     struct err *e) {
    const struct case_file_exhibit *x = c->exhibits.items;
    for (uint32_t i = 0; i < c->exhibits.count; i++) {
        struct entry entry;
        enum err_code code = entry_read(x[i].entry, &entry, e);
        p->entry[i] = NULL;
        if (code)
            return err_wrap(e, "exhibit %u", i);
        if (!evidence_entry_kind(entry.kind))
            continue;
        struct evidence_entry *en = arena_alloc(a, 1, sizeof *en);
        if (!en)
            return err_set(e, ERR_NO_MEMORY, "exhibit %u", i);
        code = evidence_entry_read(&entry, a, en, e);
        if (code)
            return err_wrap(e, "exhibit %u", i);
        const uint8_t *id = evidence_entry_case(en);
        if (id && memcmp(id, c->case_id, EVIDENCE_CASE_SIZE) == 0)
            p->entry[i] = en;
    }
    return ERR_OK;
}

/* The newest exhibit of a kind, with this number if it is not 0; count if there is none. */
static uint32_t case_file_find(const struct case_file *c, const struct case_file_parts *p, enum entry_kind kind,
                               uint64_t number) {
    const struct case_file_exhibit *x = c->exhibits.items;
    for (uint32_t i = c->exhibits.count; i-- > 0;)
        if (p->entry[i] && p->entry[i]->kind == kind && (number == 0 || x[i].number == number))
            return i;
    return c->exhibits.count;
}

enum err_code case_file_dossier(const struct case_file *c, struct arena *a, struct adjudicate_dossier *out,
                                struct err *e) {
    const struct case_file_exhibit *x = c->exhibits.items;
    struct case_file_parts p;
    memset(out, 0, sizeof *out);
    enum err_code code = case_file_parse(c, a, &p, e);
    if (code)
        return code;
    uint32_t none = c->exhibits.count, ruling = case_file_find(c, &p, ENTRY_VERDICT, 0);
    if (ruling == none)
        return err_set(e, ERR_PROOF, "there is no verdict of this case in the file");
    out->ruling = &p.entry[ruling]->u.ruling;
    out->ruling_number = x[ruling].number;
    out->ruling_time = x[ruling].time;
    uint32_t request = case_file_find(c, &p, ENTRY_EVIDENCE_REQUEST, out->ruling->request);
    if (request == none)
        return err_set(e, ERR_PROOF, "request %llu is not in the file", (unsigned long long)out->ruling->request);
    out->request = &p.entry[request]->u.request;
    out->request_number = x[request].number;
    uint32_t answer = case_file_find(c, &p, ENTRY_EVIDENCE_ANSWER, out->ruling->answer);
    if (answer != none) {
        out->answer = &p.entry[answer]->u.answer;
        out->answer_number = x[answer].number;
        out->answer_time = x[answer].time;
    }
    uint32_t dispute = case_file_find(c, &p, ENTRY_DISPUTE, 0);
    if (dispute != none && p.entry[dispute]->u.dispute.verdict == out->ruling_number)
        out->dispute = &p.entry[dispute]->u.dispute;
    for (uint32_t i = 0; i < c->exhibits.count; i++)
        if (x[i].number == out->request->entry)
            out->record = x[i].entry;
    memcpy(out->channel.b, c->channel, DIGEST_SIZE);
    out->ciphertext = c->ciphertext;
    out->key = sodium_is_zero(c->key, sizeof c->key) == 1 ? NULL : c->key;
    out->recipient_box = sodium_is_zero(c->recipient_box, sizeof c->recipient_box) == 1 ? NULL : c->recipient_box;
    return ERR_OK;
}
