/* audit/audit_rules.c -- see audit_rules.h. */
#include "audit/audit_rules.h"

#include "audit/import.h"
#include "audit/standard_body.h"

static enum err_code rules_room(const struct audit_state *s, const struct standard *std, struct err *e) {
    const struct audit_version *all;
    size_t n = audit_state_versions(s, &all), i, j, lines = 1;
    if (n >= AUDIT_STATE_VERSIONS || audit_state_bytes(s) + std->bytes.len > AUDIT_STATE_BYTES)
        return err_set(e, ERR_TOO_LARGE, "the channel holds as many standards as it may (%d versions, %d bytes)",
                       AUDIT_STATE_VERSIONS, AUDIT_STATE_BYTES);
    for (i = 0; i < n; i++) {
        const struct standard_entry *h = &all[i].std->head;
        bool counted = all[i].revoked_at != 0 || (h->kind == std->head.kind && slice_eq(h->id, std->head.id));
        for (j = 0; j < i && !counted; j++)
            counted = !all[j].revoked_at && slice_eq(all[j].std->head.id, h->id);
        lines += !counted;
    }
    if (lines > AUDIT_STATE_CITED)
        return err_set(e, ERR_TOO_LARGE, "a record can cite %d standards: revoke one first", AUDIT_STATE_CITED);
    return ERR_OK;
}

/* Versions of one id rise, name the one that they follow, and act in that order. */
static enum err_code rules_line(const struct audit_state *s, int64_t time, const struct standard *std, struct err *e) {
    const struct standard_entry *h = &std->head;
    const struct audit_version *all, *last = NULL;
    size_t n = audit_state_versions(s, &all), i;
    int64_t acts_from = h->effective_from > time ? h->effective_from : time;
    for (i = 0; i < n; i++) {
        const struct standard_entry *v = &all[i].std->head;
        if (!slice_eq(v->id, h->id))
            continue;
        if (v->kind != h->kind)
            return err_set(e, ERR_CONFLICT, "id: %.*s is a %s already", SLICE_ARG(h->id), standard_kind_names[v->kind]);
        if (semver_cmp(h->version, v->version) <= 0)
            return err_set(e, ERR_CONFLICT, "version: %.*s does not come after %.*s, which is published",
                           SLICE_ARG(h->version), SLICE_ARG(v->version));
        if (!all[i].revoked_at)
            last = &all[i];
    }
    if (!last)
        return h->supersedes.len
                   ? err_set(e, ERR_CONFLICT, "supersedes: there is no %.*s to supersede", SLICE_ARG(h->supersedes))
                   : ERR_OK;
    if (!slice_eq(h->supersedes, last->std->head.version))
        return err_set(e, ERR_CONFLICT, "supersedes: must be %.*s, the newest version",
                       SLICE_ARG(last->std->head.version));
    if (acts_from < last->acts_from)
        return err_set(e, ERR_CONFLICT, "effective_from: before that of %.*s, which it supersedes",
                       SLICE_ARG(last->std->head.version));
    return ERR_OK;
}

/* Against every other line's versions that are or will be in force. */
static enum err_code rules_agree(const struct audit_state *s, int64_t time, const struct standard *std, struct err *e) {
    const struct audit_version *all;
    size_t n = audit_state_versions(s, &all), i;
    enum err_code rc;
    for (i = 0; i < n; i++) {
        enum audit_life life = audit_state_life(s, &all[i], time);
        if (life == AUDIT_REVOKED || life == AUDIT_SUPERSEDED || slice_eq(all[i].std->head.id, std->head.id))
            continue;
        if ((rc = standard_body_contradicts(std, all[i].std, e)) != ERR_OK)
            return rc;
    }
    return ERR_OK;
}

enum err_code audit_rules_publish(const struct audit_state *s, int64_t time, const struct standard *std,
                                  struct err *e) {
    enum err_code rc;
    if ((rc = rules_line(s, time, std, e)) != ERR_OK || (rc = rules_room(s, std, e)) != ERR_OK)
        return rc;
    return rules_agree(s, time, std, e);
}

static enum err_code rules_issuer(const struct audit_state *s, const struct audit_ctx *ctx,
                                  const struct standard_entry *h, struct err *e) {
    if (!slice_eq(h->issuer, ctx->submitter->node))
        return err_set(e, ERR_NOT_ALLOWED, "standard.issuer: %.*s, but %.*s submits it", SLICE_ARG(h->issuer),
                       SLICE_ARG(ctx->submitter->node));
    if (!audit_state_may_issue(s, ctx->submitter, h->kind))
        return err_set(e, ERR_NOT_ALLOWED, "%.*s may not issue standards of kind %s", SLICE_ARG(ctx->submitter->node),
                       standard_kind_names[h->kind]);
    return ERR_OK;
}

/* suspend, resume, revoke: by the organisation that issued it, and only where it makes a difference; those of the
 * parent in the parent's order, so that an old one cannot be repeated. */
static enum err_code rules_act(const struct audit_state *s, const struct audit_ctx *ctx, const struct standard_entry *h,
                               const struct import *im, struct err *e) {
    const struct audit_version *v = audit_state_version(s, h->kind, h->id, h->version);
    const struct audit_member *issuer;
    bool suspended;
    if (!v)
        return err_set(e, ERR_NOT_FOUND, "no standard %.*s %.*s", SLICE_ARG(h->id), SLICE_ARG(h->version));
    if (v->from_parent != (im != NULL))
        return err_set(e, ERR_NOT_ALLOWED, "%.*s %.*s was published on %s: it is %s there", SLICE_ARG(h->id),
                       SLICE_ARG(h->version), v->from_parent ? "the parent" : "the channel",
                       standard_action_names[h->action]);
    if (im && im->index <= v->parent_number)
        return err_set(e, ERR_CONFLICT, "import: entry %llu of the parent is not after %llu, which is imported",
                       (unsigned long long)im->index, (unsigned long long)v->parent_number);
    issuer = audit_state_node(s, v->std->head.issuer);
    if (!im && (!issuer || !slice_eq(issuer->org, ctx->submitter->org)))
        return err_set(e, ERR_NOT_ALLOWED, "%.*s %.*s was issued by another organisation", SLICE_ARG(h->id),
                       SLICE_ARG(h->version));
    suspended = v->suspended_at != 0;
    if (v->revoked_at || (h->action == STANDARD_SUSPEND && suspended) || (h->action == STANDARD_RESUME && !suspended))
        return err_set(e, ERR_CONFLICT, "%s: %.*s %.*s is %s", standard_action_names[h->action], SLICE_ARG(h->id),
                       SLICE_ARG(h->version), audit_state_life_text(audit_state_life(s, v, ctx->time)));
    return ERR_OK;
}

enum err_code audit_rules_standard(const struct audit_state *s, const struct audit_ctx *ctx, struct slice body,
                                   const struct import *im, struct err *e) {
    const struct standard *std = NULL;
    struct standard_entry h;
    struct arena a;
    enum err_code rc;
    arena_init(&a, LIMIT_ENTRY);
    if ((rc = standard_read_entry(body, &a, &h, e)) != ERR_OK || (!im && (rc = rules_issuer(s, ctx, &h, e)) != ERR_OK))
        goto out;
    if (h.action != STANDARD_PUBLISH) {
        rc = rules_act(s, ctx, &h, im, e);
        goto out;
    }
    if (audit_state_version(s, h.kind, h.id, h.version)) {
        rc = err_set(e, ERR_CONFLICT, "%.*s %.*s is published already", SLICE_ARG(h.id), SLICE_ARG(h.version));
        goto out;
    }
    if ((rc = standard_read(body, &std, e)) == ERR_OK)
        rc = audit_rules_publish(s, ctx->time, std, e);
out:
    standard_release(std);
    arena_release(&a);
    return rc;
}

enum err_code audit_rules_ack(const struct audit_state *s, const struct audit_ctx *ctx, struct slice body,
                              struct arena *a, struct err *e) {
    struct standard_ack ack;
    struct digest hash;
    const struct audit_version *v;
    enum err_code rc = schema_read(&standard_ack_schema, body, a, &ack, e);
    if (rc != ERR_OK)
        return rc;
    if (!slice_eq(ack.node, ctx->submitter->node))
        return err_set(e, ERR_NOT_ALLOWED, "acknowledgement.node: a node acknowledges only for itself");
    memcpy(hash.b, ack.hash, DIGEST_SIZE);
    if (!(v = audit_state_by_hash(s, &hash)))
        return err_set(e, ERR_NOT_FOUND, "acknowledgement of a standard that was not published here");
    if (v->revoked_at || audit_state_acked(s, v, ack.node))
        return err_set(e, ERR_CONFLICT, "%.*s %.*s is %s", SLICE_ARG(v->std->head.id), SLICE_ARG(v->std->head.version),
                       v->revoked_at ? "revoked" : "acknowledged already");
    return ERR_OK;
}

enum err_code audit_rules_import(const struct audit_state *s, const struct audit_ctx *ctx, struct slice body,
                                 struct arena *a, struct err *e) {
    const struct audit_policy *p = audit_state_policy(s);
    struct import im;
    struct entry inner;
    enum err_code rc;
    if (p->parent || !p->verify_import)
        return err_set(e, ERR_UNSUPPORTED, "import: this channel has no parent to import from");
    if ((rc = import_read(body, a, &im, e)) != ERR_OK || (rc = p->verify_import(p->verify_ctx, &im, e)) != ERR_OK ||
        (rc = entry_read(im.entry, &inner, e)) != ERR_OK)
        return rc;
    return audit_rules_standard(s, ctx, inner.body, &im, e);
}
