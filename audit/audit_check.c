/* audit/audit_check.c -- see audit_check.h. One function a kind; the rules of standards are in audit_rules.c. */
#include "audit/audit_check.h"

#include "audit/audit_rules.h"
#include "wire/limits.h"

enum { AUDIT_CHECK_ARENA = 4 << 20 };

static enum err_code check_role(const struct audit_ctx *ctx, unsigned mask, enum entry_kind kind, struct err *e) {
    if (mask & (unsigned)ctx->submitter->role)
        return ERR_OK;
    return err_set(e, ERR_NOT_ALLOWED, "%s: %.*s may not submit this kind", entry_kind_text(kind),
                   SLICE_ARG(ctx->submitter->node));
}

static enum err_code check_record(const struct audit_state *state, const struct audit_ctx *ctx, struct slice body,
                                  struct arena *a, struct conform_report *report, struct err *e) {
    struct record r;
    enum err_code rc = record_read(body, a, &r, e);
    return rc == ERR_OK ? conform_record(state, ctx->time, &r, report, e) : rc;
}

static enum err_code check_gap(const struct audit_ctx *ctx, struct slice body, struct arena *a, struct err *e) {
    struct gap g;
    enum err_code rc = schema_read(&gap_schema, body, a, &g, e);
    if (rc != ERR_OK)
        return rc;
    if (g.last < g.first)
        return err_set(e, ERR_MALFORMED, "gap: last comes before first");
    if (g.time <= 0 || g.time > ctx->time + LIMIT_RECORD_AHEAD_MS)
        return err_set(e, ERR_BAD_TIME, "gap.time: too far past the block's time");
    return ERR_OK;
}

static enum err_code check_dead_letter(struct slice body, struct arena *a, struct err *e) {
    struct dead_letter d;
    return schema_read(&dead_letter_schema, body, a, &d, e);
}

static enum err_code check_by_kind(const struct audit_state *state, const struct audit_ctx *ctx,
                                   const struct entry *entry, struct arena *a, struct conform_report *report,
                                   struct err *e) {
    const struct audit_module *module = audit_state_module_of(state, entry->kind);
    enum err_code rc;
    switch (entry->kind) {
    case ENTRY_RECORD:
        rc = check_role(ctx, AUDIT_ENTERPRISE, entry->kind, e);
        return rc == ERR_OK ? check_record(state, ctx, entry->body, a, report, e) : rc;
    case ENTRY_DEAD_LETTER:
        rc = check_role(ctx, AUDIT_ENTERPRISE, entry->kind, e);
        return rc == ERR_OK ? check_dead_letter(entry->body, a, e) : rc;
    case ENTRY_GAP:
        rc = check_role(ctx, AUDIT_ENTERPRISE, entry->kind, e);
        return rc == ERR_OK ? check_gap(ctx, entry->body, a, e) : rc;
    case ENTRY_STANDARD:
        return audit_rules_standard(state, ctx, entry->body, NULL, e);
    case ENTRY_ACKNOWLEDGEMENT:
        return audit_rules_ack(state, ctx, entry->body, a, e);
    case ENTRY_IMPORT:
        return audit_rules_import(state, ctx, entry->body, a, e);
    case ENTRY_EVIDENCE_REQUEST:
    case ENTRY_EVIDENCE_ANSWER:
    case ENTRY_VERDICT:
    case ENTRY_DISPUTE:
    case ENTRY_FINDING:
    case ENTRY_KEY_GRANT:
    case ENTRY_ERASURE:
    case ENTRY_ANNOTATION:
    case ENTRY_ACCESS_LOG:
    case ENTRY_ANCHOR:
        if (module)
            return module->check(audit_state_part(state, module), state, ctx, entry, e);
        break;
    case ENTRY_NONE:
    case ENTRY_CONFIGURATION:
    case ENTRY_VOUCHER:
    case ENTRY_ARCHIVE:
        break;
    }
    return err_set(e, ERR_UNSUPPORTED, "entries of kind %s are not supported in this version",
                   entry_kind_text(entry->kind) ? entry_kind_text(entry->kind) : "?");
}

static enum err_code check_in(const struct audit_state *state, const struct audit_ctx *ctx, const struct entry *entry,
                              struct arena *a, struct conform_report *report, struct err *e) {
    if (report)
        *report = (struct conform_report){.count = 0};
    if (!ctx->submitter)
        return err_set(e, ERR_NOT_ALLOWED, "the submitter is not a member of the channel");
    return check_by_kind(state, ctx, entry, a, report, e);
}

enum err_code audit_check_entry(const struct audit_state *state, const struct audit_ctx *ctx, const struct entry *entry,
                                struct conform_report *report, struct err *e) {
    struct arena a;
    enum err_code rc;
    arena_init(&a, AUDIT_CHECK_ARENA);
    rc = check_in(state, ctx, entry, &a, report, e);
    arena_release(&a);
    return rc;
}

void audit_check_begin(struct audit_check *b, struct audit_state *parent, uint64_t height, int64_t time) {
    *b = (struct audit_check){.parent = audit_state_retain(parent), .height = height, .time = time};
    b->now = audit_state_retain(parent);
    arena_init(&b->arena, AUDIT_CHECK_ARENA);
}

enum err_code audit_check_next(struct audit_check *b, uint64_t number, struct slice bytes,
                               const struct audit_member *submitter, struct conform_report *report, struct err *e) {
    struct audit_ctx ctx = {
        .height = b->height, .number = number, .time = b->time, .submitter = submitter, .entry = bytes};
    struct audit_state *child;
    struct entry entry;
    enum err_code rc;
    arena_clear(&b->arena);
    if ((rc = entry_read(bytes, &entry, e)) != ERR_OK)
        return rc;
    if (!audit_state_governed(b->now, entry.kind))
        return check_in(b->parent, &ctx, &entry, &b->arena, report, e);
    if ((rc = check_in(b->now, &ctx, &entry, &b->arena, report, e)) != ERR_OK ||
        (rc = audit_state_apply(b->now, &ctx, &entry, &child, e)) != ERR_OK)
        return rc;
    audit_state_release(b->now);
    b->now = child;
    return ERR_OK;
}

struct audit_state *audit_check_end(struct audit_check *b) {
    struct audit_state *child = b->now;
    audit_state_release(b->parent);
    arena_release(&b->arena);
    *b = (struct audit_check){0};
    return child;
}
