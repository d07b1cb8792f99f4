/* node/cli/cmd_submit.c -- `assay submit`: one record by hand; prints where it stands once it is final. */
#include "ledger/record.h"
#include "node/cli/client.h"
#include "node/cli/commands.h"
#include "node/cli/files.h"
#include "node/cli/out.h"
#include "ledger/vault.h"
#include "wire/pack.h"
#include "wire/yaml.h"

#include <stdio.h>

const struct cli_option cmd_submit_options[] = {
    {"home", "DIR", "home of the node (default: $ASSAY_HOME, or .)"},
    {"channel", "NAME", "which channel, if the node is in several"},
    {"raw", "FILE", "the raw log (default: the text of the record itself)"},
    {"no-wait", NULL, "return when it is durable in the outbox, not when it is final"},
    {NULL, NULL, NULL},
};

struct submit_answer {
    bool final;
    uint64_t height, number;
    uint8_t raw_hash[32], uid[RECORD_UID_SIZE];
};
static const struct schema_field answer_fields[] = {
    {.key = "final", .type = SCHEMA_BOOL, .flags = SCHEMA_OPTIONAL, .offset = offsetof(struct submit_answer, final)},
    {.key = "height", .type = SCHEMA_U64, .flags = SCHEMA_OPTIONAL, .offset = offsetof(struct submit_answer, height)},
    {.key = "number", .type = SCHEMA_U64, .flags = SCHEMA_OPTIONAL, .offset = offsetof(struct submit_answer, number)},
    {.key = "raw_hash", .type = SCHEMA_FIXED, .offset = offsetof(struct submit_answer, raw_hash), .max = 32},
    {.key = "uid", .type = SCHEMA_FIXED, .offset = offsetof(struct submit_answer, uid), .max = RECORD_UID_SIZE},
};
static const struct schema answer_schema = SCHEMA_OF("answer", struct submit_answer, answer_fields);

static enum err_code submit_read(const char *path, size_t max, struct buf *out, struct err *e) {
    if (strcmp(path, "-") != 0)
        return files_read(path, max, out, e);
    buf_init(out, max);
    for (size_t n = 1; n;) {
        uint8_t *p = buf_extend(out, 8192);
        n = p ? fread(p, 1, 8192, stdin) : 0;
        if (p)
            out->len -= 8192 - n;
    }
    return ferror(stdin) ? err_errno(e, "reading standard input") : buf_check(out, e);
}

static enum err_code submit_params(struct cli *c, struct slice text, struct slice raw, struct buf *params,
                                   struct err *e) {
    const char *channel = cli_opt(c, "channel");
    struct yaml_doc doc;
    enum err_code rc;
    yaml_init(&doc);
    rc = yaml_load(&doc, text, c->args[0], e);
    if (rc == ERR_OK) {
        pack_map(params, 2u + (channel != NULL) + cli_flag(c, "no-wait"));
        if (channel) {
            pack_cstr(params, "channel");
            pack_cstr(params, channel);
        }
        if (cli_flag(c, "no-wait")) {
            pack_cstr(params, "no_wait");
            pack_bool(params, true);
        }
        pack_cstr(params, "raw");
        pack_bin(params, raw);
        pack_cstr(params, "record");
        rc = yaml_bytes(&doc, "", &record_draft_schema, params, e);
    }
    yaml_release(&doc);
    return rc == ERR_OK ? buf_check(params, e) : rc;
}

static enum err_code submit_tell(struct cli *c, struct slice answer, struct err *e) {
    struct submit_answer a;
    struct arena arena;
    char uid[2 * RECORD_UID_SIZE + 1];
    enum err_code rc;
    arena_init(&arena, 4096);
    rc = schema_read(&answer_schema, answer, &arena, &a, e);
    arena_release(&arena);
    if (rc != ERR_OK)
        return rc;
    for (size_t i = 0; i < RECORD_UID_SIZE; i++)
        snprintf(uid + 2 * i, 3, "%02x", a.uid[i]);
    if (a.final)
        out_line(c, "final\nuid     %s\nentry   %llu\nheight  %llu\n", uid, (unsigned long long)a.number,
                 (unsigned long long)a.height);
    else
        out_line(c, "durable in the outbox; it becomes final when a quorum has it\nuid     %s\n", uid);
    return ERR_OK;
}

enum err_code cmd_submit(struct cli *c, struct err *e) {
    struct buf text, raw, params, answer;
    enum err_code rc;
    buf_init(&raw, VAULT_RAW_MAX);
    buf_init(&params, VAULT_RAW_MAX + (1 << 20));
    buf_init(&answer, 0);
    rc = submit_read(c->args[0], YAML_SIZE, &text, e);
    if (rc == ERR_OK && cli_opt(c, "raw"))
        rc = submit_read(cli_opt(c, "raw"), VAULT_RAW_MAX, &raw, e);
    if (rc == ERR_OK)
        rc = submit_params(c, buf_slice(&text), cli_opt(c, "raw") ? buf_slice(&raw) : buf_slice(&text), &params, e);
    if (rc == ERR_OK)
        rc = client_once(c, "submit", buf_slice(&params), &answer, e);
    if (rc == ERR_OK)
        rc = submit_tell(c, buf_slice(&answer), e);
    else if (err_class_of(rc) == ERR_CLASS_REFUSED)
        err_wrap(e, "the record is refused");
    buf_release(&text);
    buf_release(&raw);
    buf_release(&params);
    buf_release(&answer);
    return rc;
}
