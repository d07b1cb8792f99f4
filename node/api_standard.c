/* node/api_standard.c -- publishing standards, and which there are. Source: docs/PROTOCOL.md 11. */
#include "audit/audit_check.h"
#include "audit/standard_lint.h"
#include "node/api.h"
#include "node/clock.h"
#include "node/service_doc.h"

#include <sodium.h>

enum { STANDARD_TIMEOUT_MS = 20000 };

enum err_code api_precheck(struct node_channel *c, struct slice bytes, struct err *e) {
    struct audit_state *state = channel_audit(c->channel);
    struct chain_tip tip = channel_tip(c->channel);
    struct audit_ctx ctx = {.height = tip.height + 1,
                            .number = tip.tree_size,
                            .time = clock_wall_ms(),
                            .submitter = audit_state_node(state, c->node->self->id),
                            .entry = bytes};
    struct entry entry;
    enum err_code rc = entry_read(bytes, &entry, e);
    if (rc == ERR_OK)
        rc = audit_check_entry(state, &ctx, &entry, NULL, e);
    audit_state_release(state);
    return rc;
}

enum err_code api_standard_publish(struct api_call *call, struct err *e) {
    struct service_publish p;
    struct service_committed done = {.height = 0};
    struct courier_receipt receipt;
    struct node_channel *c;
    uint8_t nonce[16];
    struct buf entry;
    enum err_code rc = api_params(call, &service_publish_schema, &p, e);
    if (rc != ERR_OK || (rc = api_channel(call, p.channel, &c, e)) != ERR_OK)
        return rc;
    buf_init(&entry, LIMIT_ENTRY);
    randombytes_buf(nonce, sizeof nonce);
    rc = standard_lint_publish(p.definition, call->node->self->id, p.by.len ? p.by : call->by, nonce, &entry, e);
    if (rc == ERR_OK)
        rc = api_precheck(c, buf_slice(&entry), e);
    if (rc == ERR_OK)
        rc = courier_commit(c->courier, buf_slice(&entry), STANDARD_TIMEOUT_MS, &receipt, e);
    if (rc == ERR_OK) {
        struct digest hash = digest_tagged("assay/standard/v1", p.definition);
        done.channel = slice_str(channel_name(c->channel));
        memcpy(done.hash, hash.b, DIGEST_SIZE);
        done.height = receipt.height;
        done.number = receipt.number;
        schema_write(&service_committed_schema, &done, &call->out);
    }
    buf_release(&entry);
    return rc;
}

/* One version as a document; what it points to is the state's or the arena's. */
static enum err_code standard_doc(struct api_call *call, const struct node_channel *c, const struct audit_state *s,
                                  const struct audit_version *v, struct service_standard *out, struct err *e) {
    const struct audit_policy *policy = audit_state_policy(s);
    struct slice *acked = arena_alloc(&call->arena, policy->member_count + 1, sizeof *acked);
    const struct standard_entry *h = &v->std->head;
    uint32_t count = 0;
    if (!acked)
        return err_set(e, ERR_NO_MEMORY, "no memory for the list of standards");
    for (size_t i = 0; i < policy->member_count; i++)
        if (audit_state_acked(s, v, policy->members[i].node))
            acked[count++] = policy->members[i].node;
    *out = (struct service_standard){.acked = {acked, count},
                                     .acts_from = v->acts_from,
                                     .channel = slice_str(channel_name(c->channel)),
                                     .from_parent = v->from_parent,
                                     .grace_ms = (int64_t)h->grace_ms,
                                     .id = h->id,
                                     .issuer = h->issuer,
                                     .kind = h->kind,
                                     .life = slice_str(audit_state_life_text(audit_state_life(s, v, clock_wall_ms()))),
                                     .members = policy->member_count,
                                     .mode = h->mode,
                                     .number = v->number,
                                     .published = v->time,
                                     .title = h->title,
                                     .version = h->version};
    memcpy(out->hash, v->std->hash.b, DIGEST_SIZE);
    return ERR_OK;
}

static bool standard_asked(const struct service_standard_ask *p, const struct standard_entry *h) {
    return (!p->id.len || slice_eq(p->id, h->id)) && (!p->version.len || slice_eq(p->version, h->version)) &&
           (!p->kind || p->kind == h->kind);
}

enum err_code api_standard_list(struct api_call *call, struct err *e) {
    struct service_standard_ask p;
    struct service_standards out = {.standards = {NULL, 0}};
    struct service_standard *items;
    const struct audit_version *v;
    struct audit_state *s;
    struct node_channel *c;
    size_t i, count;
    enum err_code rc = api_params(call, &service_standard_ask_schema, &p, e);
    if (rc != ERR_OK || (rc = api_channel(call, p.channel, &c, e)) != ERR_OK)
        return rc;
    s = channel_audit(c->channel);
    count = audit_state_versions(s, &v);
    items = arena_alloc(&call->arena, count + 1, sizeof *items);
    if (!items)
        rc = err_set(e, ERR_NO_MEMORY, "no memory for the list of standards");
    for (i = 0; i < count && rc == ERR_OK; i++)
        if (standard_asked(&p, &v[i].std->head))
            rc = standard_doc(call, c, s, &v[i], &items[out.standards.count++], e);
    if (rc == ERR_OK) {
        out.standards.items = items;
        schema_write(&service_standards_schema, &out, &call->out);
    }
    audit_state_release(s);
    return rc;
}

/* The newest version that fits. */
enum err_code api_standard_show(struct api_call *call, struct err *e) {
    struct service_standard_ask p;
    struct service_standard out;
    struct standard_doc doc;
    const struct audit_version *v;
    struct audit_state *s;
    struct node_channel *c;
    struct buf definition;
    size_t i;
    enum err_code rc = api_params(call, &service_standard_ask_schema, &p, e);
    if (rc != ERR_OK || (rc = api_channel(call, p.channel, &c, e)) != ERR_OK)
        return rc;
    s = channel_audit(c->channel);
    buf_init(&definition, LIMIT_ENTRY);
    for (i = audit_state_versions(s, &v); i-- > 0;)
        if (standard_asked(&p, &v[i].std->head))
            break;
    if (i == SIZE_MAX) {
        rc = err_set(e, ERR_NOT_FOUND, "channel %s has no standard %.*s %.*s", channel_name(c->channel),
                     SLICE_ARG(p.id), SLICE_ARG(p.version));
    } else if ((rc = standard_doc(call, c, s, &v[i], &out, e)) == ERR_OK) {
        doc = standard_doc_of(&v[i].std->head);
        schema_write(&standard_doc_schema, &doc, &definition);
        out.definition = buf_slice(&definition);
        schema_write(&service_standard_schema, &out, &call->out);
    }
    buf_release(&definition);
    audit_state_release(s);
    return rc;
}
