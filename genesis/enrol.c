/* genesis/enrol.c -- see enrol.h. The plan has the shape of the genesis body, so that a path in one is a path in the
 * other and every broken rule can be told with the plan's line. */
#include "genesis/enrol.h"

#include "wire/mem.h"
#include "wire/tls.h"

#include <stdio.h>

#define AT(type, member) .offset = offsetof(struct type, member)
#define OPTIONAL         .flags = SCHEMA_OPTIONAL
#define ID               .min = 1, .max = LIMIT_NAME
#define KEY              .flags = SCHEMA_OPTIONAL, .max = GENESIS_KEY_SIZE
#define SIG              .flags = SCHEMA_OPTIONAL, .max = SIGN_SIZE

enum { ENROL_DELTA_MS = 500, ENROL_ANCHOR_MS = 60000 };

static const char enrol_tag[] = "assay/enrol/v1";
static const char *const enrol_kind_names[] = {NULL, "organisation", "node", NULL};

static const struct schema_field body_fields[] = {
    {.key = "box", .type = SCHEMA_FIXED, AT(enrol_body, box), KEY},
    {.key = "ca", .type = SCHEMA_STR, OPTIONAL, AT(enrol_body, ca), .max = TLS_PEM_MAX},
    {.key = "consensus", .type = SCHEMA_FIXED, AT(enrol_body, consensus), KEY},
    {.key = "founder", .type = SCHEMA_FIXED, AT(enrol_body, founder), KEY},
    {.key = "id", .type = SCHEMA_STR, AT(enrol_body, id), ID},
    {.key = "kind", .type = SCHEMA_ENUM, AT(enrol_body, kind), .names = enrol_kind_names},
    {.key = "link", .type = SCHEMA_FIXED, AT(enrol_body, link), KEY},
    {.key = "org", .type = SCHEMA_STR, OPTIONAL, AT(enrol_body, org), .max = LIMIT_NAME},
    {.key = "submit", .type = SCHEMA_FIXED, AT(enrol_body, submit), KEY},
    {.key = "tls", .type = SCHEMA_STR, OPTIONAL, AT(enrol_body, tls), .max = TLS_PEM_MAX},
};
const struct schema enrol_body_schema = SCHEMA_OF("enrolment", struct enrol_body, body_fields);

static const struct schema_field request_fields[] = {
    {.key = "body", .type = SCHEMA_RAW, AT(enrol_request, body), .min = 1, .max = ENROL_SIZE},
    {.key = "sig_consensus", .type = SCHEMA_FIXED, AT(enrol_request, sig_consensus), SIG},
    {.key = "sig_founder", .type = SCHEMA_FIXED, AT(enrol_request, sig_founder), SIG},
    {.key = "sig_link", .type = SCHEMA_FIXED, AT(enrol_request, sig_link), SIG},
    {.key = "sig_submit", .type = SCHEMA_FIXED, AT(enrol_request, sig_submit), SIG},
};
const struct schema enrol_request_schema = SCHEMA_OF("enrolment request", struct enrol_request, request_fields);

/* ---- requests ---- */

static void enrol_signed(struct slice body, struct buf *out) {
    buf_init(out, ENROL_SIZE + sizeof enrol_tag);
    buf_bytes(out, enrol_tag, sizeof enrol_tag);
    buf_append(out, body);
}

static void enrol_sign(const struct sign_secret *key, struct slice message, uint8_t out[SIGN_SIZE]) {
    struct sign_signature sig;
    sign_make(key, message, &sig);
    memcpy(out, sig.b, SIGN_SIZE);
}

/* Writes body, signs it with the given keys (NULL: none), writes the request. */
static enum err_code enrol_request_write(const struct enrol_body *body, const struct keys *k,
                                         const struct sign_secret *founder, struct buf *out, struct err *e) {
    struct enrol_request r;
    struct buf b, message;
    enum err_code rc;
    memset(&r, 0, sizeof r);
    buf_init(&b, ENROL_SIZE);
    schema_write(&enrol_body_schema, body, &b);
    enrol_signed(buf_slice(&b), &message);
    rc = buf_check(&b, e);
    if (rc == ERR_OK)
        rc = buf_check(&message, e);
    if (rc == ERR_OK) {
        r.body = buf_slice(&b);
        if (founder)
            enrol_sign(founder, buf_slice(&message), r.sig_founder);
        if (k) {
            enrol_sign(k->consensus, buf_slice(&message), r.sig_consensus);
            enrol_sign(k->submit, buf_slice(&message), r.sig_submit);
            enrol_sign(k->link, buf_slice(&message), r.sig_link);
        }
        schema_write(&enrol_request_schema, &r, out);
        rc = buf_check(out, e);
    }
    buf_release(&b);
    buf_release(&message);
    return rc;
}

enum err_code enrol_node_request(const struct keys *k, struct slice id, struct slice org, struct slice tls_public,
                                 struct buf *out, struct err *e) {
    struct enrol_body body;
    memset(&body, 0, sizeof body);
    body.kind = ENROL_NODE;
    body.id = id;
    body.org = org;
    body.tls = tls_public;
    memcpy(body.consensus, k->consensus_pub.b, GENESIS_KEY_SIZE);
    memcpy(body.submit, k->submit_pub.b, GENESIS_KEY_SIZE);
    memcpy(body.link, k->link_pub.b, GENESIS_KEY_SIZE);
    memcpy(body.box, k->box_pub, GENESIS_KEY_SIZE);
    return enrol_request_write(&body, k, NULL, out, e);
}

enum err_code enrol_org_request(const struct sign_secret *founder, const struct sign_public *pub, struct slice id,
                                struct slice ca_pem, struct buf *out, struct err *e) {
    struct enrol_body body;
    memset(&body, 0, sizeof body);
    body.kind = ENROL_ORG;
    body.id = id;
    body.ca = ca_pem;
    memcpy(body.founder, pub->b, GENESIS_KEY_SIZE);
    return enrol_request_write(&body, NULL, founder, out, e);
}

static enum err_code enrol_proof(const char *use, const uint8_t key[GENESIS_KEY_SIZE], const uint8_t sig[SIGN_SIZE],
                                 struct slice message, const struct enrol_body *body, struct err *e) {
    struct sign_public pub;
    struct sign_signature s;
    memcpy(pub.b, key, sizeof pub.b);
    memcpy(s.b, sig, sizeof s.b);
    if (sign_public_ok(&pub) && sign_verify(&pub, message, &s))
        return ERR_OK;
    return err_set(e, ERR_BAD_SIGNATURE, "enrolment of \"%.*s\": its %s key has not signed it", SLICE_ARG(body->id),
                   use);
}

static enum err_code enrol_check_org(const struct enrol_body *b, const struct enrol_request *r, struct slice message,
                                     struct err *e) {
    struct tls_info info;
    enum err_code rc = enrol_proof("founder", b->founder, r->sig_founder, message, b, e);
    if (rc != ERR_OK)
        return rc;
    rc = tls_cert_info(b->ca, &info, e);
    if (rc != ERR_OK)
        return err_wrap(e, "enrolment of \"%.*s\": its CA certificate", SLICE_ARG(b->id));
    if (!info.is_ca || !slice_eq_str(b->id, info.subject))
        return err_set(e, ERR_MISMATCH, "enrolment of \"%.*s\": the certificate is not a CA of that name",
                       SLICE_ARG(b->id));
    return ERR_OK;
}

static enum err_code enrol_check_node(const struct enrol_body *b, const struct enrol_request *r, struct slice message,
                                      struct err *e) {
    enum err_code rc;
    if (b->org.len == 0)
        return err_set(e, ERR_MALFORMED, "enrolment of \"%.*s\": no organisation", SLICE_ARG(b->id));
    if ((rc = enrol_proof("consensus", b->consensus, r->sig_consensus, message, b, e)) != ERR_OK ||
        (rc = enrol_proof("submit", b->submit, r->sig_submit, message, b, e)) != ERR_OK)
        return rc;
    return enrol_proof("link", b->link, r->sig_link, message, b, e);
}

enum err_code enrol_read(struct slice bytes, struct enrol_body *out, struct err *e) {
    struct enrol_request r;
    struct arena none; /* neither table has a list */
    struct buf message;
    enum err_code rc;
    if (bytes.len > ENROL_SIZE)
        return err_set(e, ERR_TOO_LARGE, "enrolment request: more than %d bytes", ENROL_SIZE);
    arena_init(&none, 0);
    if ((rc = schema_read(&enrol_request_schema, bytes, &none, &r, e)) != ERR_OK ||
        (rc = schema_read(&enrol_body_schema, r.body, &none, out, e)) != ERR_OK)
        return rc;
    if (!genesis_check_name(out->id))
        return err_set(e, ERR_MALFORMED, "enrolment of \"%.*s\": no name", SLICE_ARG(out->id));
    enrol_signed(r.body, &message);
    rc = buf_check(&message, e);
    if (rc == ERR_OK)
        rc = out->kind == ENROL_ORG ? enrol_check_org(out, &r, buf_slice(&message), e)
                                    : enrol_check_node(out, &r, buf_slice(&message), e);
    buf_release(&message);
    return rc;
}

/* ---- the plan ---- */

static const struct schema_field plan_org_fields[] = {
    {.key = "affiliate_of", .type = SCHEMA_STR, OPTIONAL, AT(genesis_org, affiliate_of), .max = LIMIT_NAME},
    {.key = "id", .type = SCHEMA_STR, AT(genesis_org, id), ID},
    {.key = "name", .type = SCHEMA_STR, AT(genesis_org, name), .min = 1, .max = 256},
    {.key = "role", .type = SCHEMA_ENUM, AT(genesis_org, role), .names = genesis_role_names},
};
static const struct schema plan_org_schema = SCHEMA_OF("organisation", struct genesis_org, plan_org_fields);

static const struct schema_field plan_node_fields[] = {
    {.key = "address", .type = SCHEMA_STR, OPTIONAL, AT(genesis_node, address), .max = 262},
    {.key = "id", .type = SCHEMA_STR, AT(genesis_node, id), ID},
    {.key = "org", .type = SCHEMA_STR, AT(genesis_node, org), ID},
    {.key = "unit", .type = SCHEMA_STR, OPTIONAL, AT(genesis_node, unit), .max = 64},
};
static const struct schema plan_node_schema = SCHEMA_OF("node", struct genesis_node, plan_node_fields);

static const struct schema_field plan_channel_fields[] = {
    {.key = "anchor_ms", .type = SCHEMA_U64, OPTIONAL, AT(genesis_channel, anchor_ms), .min = 100, .max = 86400000},
    {.key = "commitment",
     .type = SCHEMA_ENUM,
     OPTIONAL,
     AT(genesis_channel, commitment),
     .names = genesis_commitment_names},
    {.key = "delta_ms", .type = SCHEMA_U64, OPTIONAL, AT(genesis_channel, delta_ms), .min = 10, .max = 60000},
    {.key = "k", .type = SCHEMA_U64, AT(genesis_channel, k), .max = LIMIT_VALIDATORS},
    {.key = "members",
     .type = SCHEMA_STRS,
     OPTIONAL,
     AT(genesis_channel, members),
     .max = LIMIT_MEMBERS,
     .item_max = LIMIT_NAME},
    {.key = "name", .type = SCHEMA_STR, AT(genesis_channel, name), ID},
    {.key = "org", .type = SCHEMA_STR, OPTIONAL, AT(genesis_channel, org), .max = LIMIT_NAME},
    {.key = "parent", .type = SCHEMA_BOOL, OPTIONAL, AT(genesis_channel, parent)},
    {.key = "validators",
     .type = SCHEMA_STRS,
     AT(genesis_channel, validators),
     .min = 1,
     .max = LIMIT_MEMBERS,
     .item_max = LIMIT_NAME},
};
static const struct schema plan_channel_schema = SCHEMA_OF("channel", struct genesis_channel, plan_channel_fields);

static const struct schema_field plan_fields[] = {
    {.key = "channels",
     .type = SCHEMA_LIST,
     AT(genesis_body, channels),
     .min = 1,
     .max = LIMIT_CHANNELS,
     .sub = &plan_channel_schema},
    {.key = "created", .type = SCHEMA_I64, OPTIONAL, AT(genesis_body, created)},
    {.key = "network", .type = SCHEMA_STR, AT(genesis_body, network), ID},
    {.key = "nodes",
     .type = SCHEMA_LIST,
     AT(genesis_body, nodes),
     .min = 1,
     .max = LIMIT_NODES,
     .sub = &plan_node_schema},
    {.key = "organisations",
     .type = SCHEMA_LIST,
     AT(genesis_body, orgs),
     .min = 1,
     .max = LIMIT_ORGS,
     .sub = &plan_org_schema},
};
static const struct schema plan_schema = SCHEMA_OF("plan", struct genesis_body, plan_fields);

/* A broken rule, found at a path of the body, told at the plan's line. */
static enum err_code enrol_told(struct enrol_plan *p, enum err_code rc, const char *path, struct err *e) {
    struct err found;
    if (rc != ERR_CONFIG || !e)
        return rc;
    found = *e;
    return yaml_refuse(&p->doc, e, path, "%s", found.text);
}

static enum err_code enrol_plan_fill(struct enrol_plan *p, struct err *e) {
    struct genesis_channel *c;
    char path[GENESIS_PATH];
    struct err mine;
    enum err_code rc = yaml_struct(&p->doc, "", &plan_schema, &p->body, e);
    uint32_t i;
    if (rc != ERR_OK)
        return rc;
    p->body.version = GENESIS_VERSION;
    c = p->body.channels.items;
    for (i = 0; i < p->body.channels.count; i++) {
        if (!c[i].commitment)
            c[i].commitment = GENESIS_SALTED;
        if (!c[i].delta_ms)
            c[i].delta_ms = ENROL_DELTA_MS;
        if (!c[i].anchor_ms && !c[i].parent)
            c[i].anchor_ms = ENROL_ANCHOR_MS;
    }
    rc = genesis_check_plan(&p->body, path, e ? e : &mine);
    return enrol_told(p, rc, path, e);
}

enum err_code enrol_plan_read(struct enrol_plan *p, const char *path, struct err *e) {
    enum err_code rc;
    memset(p, 0, sizeof *p);
    yaml_init(&p->doc);
    rc = yaml_load_file(&p->doc, path, e);
    return rc == ERR_OK ? enrol_plan_fill(p, e) : rc;
}

enum err_code enrol_plan_parse(struct enrol_plan *p, struct slice text, const char *name, struct err *e) {
    enum err_code rc;
    memset(p, 0, sizeof *p);
    yaml_init(&p->doc);
    rc = yaml_load(&p->doc, text, name, e);
    return rc == ERR_OK ? enrol_plan_fill(p, e) : rc;
}

void enrol_plan_release(struct enrol_plan *p) {
    yaml_release(&p->doc);
    memset(&p->body, 0, sizeof p->body);
}

/* ---- assembling ---- */

static enum err_code enrol_put_org(struct enrol_plan *p, const struct enrol_body *b, struct err *e) {
    int at = genesis_check_org(&p->body, b->id);
    struct genesis_org *o = (struct genesis_org *)p->body.orgs.items + (at < 0 ? 0 : at);
    if (at < 0)
        return err_set(e, ERR_CONFIG, "%s: the plan has no organisation \"%.*s\", but there is a request of it",
                       p->doc.name, SLICE_ARG(b->id));
    if (o->ca.len)
        return err_set(e, ERR_CONFIG, "two requests of organisation \"%.*s\"", SLICE_ARG(b->id));
    memcpy(o->founder, b->founder, GENESIS_KEY_SIZE);
    o->ca = b->ca;
    return ERR_OK;
}

static enum err_code enrol_put_node(struct enrol_plan *p, const struct enrol_body *b, bool *seen, struct err *e) {
    int at = genesis_check_node(&p->body, b->id);
    struct genesis_node *n = (struct genesis_node *)p->body.nodes.items + (at < 0 ? 0 : at);
    if (at < 0)
        return err_set(e, ERR_CONFIG, "%s: the plan has no node \"%.*s\", but there is a request of it", p->doc.name,
                       SLICE_ARG(b->id));
    if (!slice_eq(n->org, b->org))
        return err_set(e, ERR_CONFIG, "%s:%u: node \"%.*s\" is of \"%.*s\" here, but of \"%.*s\" in its request",
                       p->doc.name, yaml_line_of(&p->doc, "nodes"), SLICE_ARG(b->id), SLICE_ARG(n->org),
                       SLICE_ARG(b->org));
    if (seen[at])
        return err_set(e, ERR_CONFIG, "two requests of node \"%.*s\"", SLICE_ARG(b->id));
    seen[at] = true;
    memcpy(n->consensus, b->consensus, GENESIS_KEY_SIZE);
    memcpy(n->submit, b->submit, GENESIS_KEY_SIZE);
    memcpy(n->link, b->link, GENESIS_KEY_SIZE);
    memcpy(n->box, b->box, GENESIS_KEY_SIZE);
    return ERR_OK;
}

/* Has every organisation and node its keys, and every node an address? */
static enum err_code enrol_complete(struct enrol_plan *p, const bool *seen, struct err *e) {
    const struct genesis_org *o = p->body.orgs.items;
    const struct genesis_node *n = p->body.nodes.items;
    char path[GENESIS_PATH];
    uint32_t i;
    for (i = 0; i < p->body.orgs.count; i++)
        if (!o[i].ca.len) {
            snprintf(path, sizeof path, "organisations[%u].id", i);
            return yaml_refuse(&p->doc, e, path, "no request of organisation \"%.*s\" (its org.request)",
                               SLICE_ARG(o[i].id));
        }
    for (i = 0; i < p->body.nodes.count; i++) {
        snprintf(path, sizeof path, "nodes[%u].id", i);
        if (!seen[i])
            return yaml_refuse(&p->doc, e, path, "no request of node \"%.*s\" (its node.request)", SLICE_ARG(n[i].id));
        if (!n[i].address.len)
            return yaml_refuse(&p->doc, e, path, "node \"%.*s\" has no address", SLICE_ARG(n[i].id));
    }
    return ERR_OK;
}

static enum err_code enrol_write(struct enrol_plan *p, struct buf *out, struct err *e) {
    char path[GENESIS_PATH];
    struct buf body;
    enum err_code rc = genesis_check(&p->body, path, e);
    if (rc != ERR_OK)
        return enrol_told(p, rc, path, e);
    buf_init(&body, GENESIS_SIZE);
    schema_write(&genesis_body_schema, &p->body, &body);
    rc = buf_check(&body, e);
    if (rc == ERR_OK)
        rc = schema_check(&genesis_body_schema, &p->body, e);
    if (rc == ERR_OK)
        rc = genesis_write(buf_slice(&body), NULL, out, e);
    buf_release(&body);
    return rc;
}

enum err_code enrol_assemble(struct enrol_plan *p, const struct slice *requests, size_t count, int64_t created_ms,
                             struct buf *out, struct err *e) {
    bool *seen = mem_zalloc((size_t)p->body.nodes.count + 1, sizeof *seen);
    enum err_code rc = ERR_OK;
    size_t i;
    if (!seen)
        return err_set(e, ERR_NO_MEMORY, "no memory");
    for (i = 0; i < count && rc == ERR_OK; i++) {
        struct enrol_body b;
        rc = enrol_read(requests[i], &b, e);
        if (rc == ERR_OK)
            rc = b.kind == ENROL_ORG ? enrol_put_org(p, &b, e) : enrol_put_node(p, &b, seen, e);
    }
    if (rc == ERR_OK)
        rc = enrol_complete(p, seen, e);
    if (p->body.created == 0)
        p->body.created = created_ms;
    if (rc == ERR_OK)
        rc = enrol_write(p, out, e);
    mem_free(seen);
    return rc;
}
