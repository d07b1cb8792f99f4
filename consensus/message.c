/* consensus/message.c -- see message.h. One table holds all fields; each type names those that it has. */
#include "consensus/message.h"

#include "wire/pack.h"

struct message_doc {
    uint8_t block[DIGEST_SIZE];
    struct slice cert;
    uint8_t channel[DIGEST_SIZE];
    uint64_t epoch;
    struct slice header;
    uint64_t height, kind;
    struct slice nulls;
    uint8_t parent[DIGEST_SIZE];
    struct slice parent_cert;
    uint64_t parent_view;
    uint8_t pid[DIGEST_SIZE], root[DIGEST_SIZE], set[DIGEST_SIZE], sig[SIGN_SIZE];
    uint64_t signer, size, view;
};

#define MESSAGE_U64(name, flags_, min_, max_)                                                                          \
    {                                                                                                                  \
        .key = #name, .type = SCHEMA_U64, .flags = (flags_), .offset = offsetof(struct message_doc, name),             \
        .min = (min_), .max = (max_)                                                                                   \
    }
#define MESSAGE_FIXED(name, flags_, size_)                                                                             \
    {                                                                                                                  \
        .key = #name, .type = SCHEMA_FIXED, .flags = (flags_), .offset = offsetof(struct message_doc, name),           \
        .max = (size_)                                                                                                 \
    }
#define MESSAGE_BIN(name, flags_, min_, max_)                                                                          \
    {                                                                                                                  \
        .key = #name, .type = SCHEMA_BIN, .flags = (flags_), .offset = offsetof(struct message_doc, name),             \
        .min = (min_), .max = (max_)                                                                                   \
    }

static const struct schema_field message_propose_fields[] = {
    MESSAGE_FIXED(block, 0, DIGEST_SIZE),
    MESSAGE_FIXED(channel, 0, DIGEST_SIZE),
    MESSAGE_U64(epoch, 0, 1, 0),
    MESSAGE_BIN(header, SCHEMA_OPTIONAL, HEADER_SIZE, HEADER_SIZE),
    MESSAGE_U64(height, 0, 1, 0),
    {.key = "nulls",
     .type = SCHEMA_RAW,
     .flags = SCHEMA_OPTIONAL,
     .offset = offsetof(struct message_doc, nulls),
     .min = 1,
     .max = MESSAGE_HEAD_MAX},
    MESSAGE_FIXED(parent, SCHEMA_OPTIONAL, DIGEST_SIZE),
    MESSAGE_BIN(parent_cert, SCHEMA_OPTIONAL, 1, CERT_BYTES_MAX),
    MESSAGE_U64(parent_view, SCHEMA_OPTIONAL, 1, 0),
    MESSAGE_FIXED(set, 0, DIGEST_SIZE),
    MESSAGE_FIXED(sig, 0, SIGN_SIZE),
    MESSAGE_U64(view, 0, 1, 0),
};
/* A signer is written plus one, since 0 is not written at all. */
static const struct schema_field message_vote_fields[] = {
    MESSAGE_FIXED(channel, 0, DIGEST_SIZE),
    MESSAGE_U64(epoch, 0, 1, 0),
    MESSAGE_FIXED(pid, SCHEMA_OPTIONAL, DIGEST_SIZE),
    MESSAGE_FIXED(root, SCHEMA_OPTIONAL, DIGEST_SIZE),
    MESSAGE_FIXED(set, 0, DIGEST_SIZE),
    MESSAGE_FIXED(sig, 0, SIGN_SIZE),
    MESSAGE_U64(signer, 0, 1, LIMIT_VALIDATORS),
    MESSAGE_U64(size, SCHEMA_OPTIONAL, 1, 0),
    MESSAGE_U64(view, 0, 1, 0),
};
static const struct schema_field message_cert_fields[] = {
    {.key = "cert", .type = SCHEMA_BIN, .offset = offsetof(struct message_doc, cert), .min = 1, .max = CERT_BYTES_MAX},
};
static const struct schema_field message_status_fields[] = {
    MESSAGE_FIXED(block, 0, DIGEST_SIZE),       MESSAGE_FIXED(channel, 0, DIGEST_SIZE), MESSAGE_U64(epoch, 0, 1, 0),
    MESSAGE_U64(height, SCHEMA_OPTIONAL, 1, 0), MESSAGE_FIXED(set, 0, DIGEST_SIZE),     MESSAGE_U64(view, 0, 1, 0),
};
static const struct schema_field message_get_cert_fields[] = {
    MESSAGE_FIXED(channel, 0, DIGEST_SIZE),
    MESSAGE_U64(epoch, 0, 1, 0),
    MESSAGE_U64(kind, SCHEMA_OPTIONAL, CERT_NOTARIZE, CERT_NULLIFY),
    MESSAGE_FIXED(set, 0, DIGEST_SIZE),
    MESSAGE_U64(view, 0, 1, 0),
};

static const struct schema message_propose = SCHEMA_OF("propose", struct message_doc, message_propose_fields);
static const struct schema message_vote = SCHEMA_OF("vote", struct message_doc, message_vote_fields);
static const struct schema message_cert = SCHEMA_OF("cert", struct message_doc, message_cert_fields);
static const struct schema message_status = SCHEMA_OF("status", struct message_doc, message_status_fields);
static const struct schema message_get_cert = SCHEMA_OF("get-cert", struct message_doc, message_get_cert_fields);

static const struct schema *message_schema(enum message_type type) {
    switch (type) {
    case MESSAGE_PROPOSE:
        return &message_propose;
    case MESSAGE_NOTARIZE:
    case MESSAGE_FINALIZE:
    case MESSAGE_NULLIFY:
        return &message_vote;
    case MESSAGE_CERT:
        return &message_cert;
    case MESSAGE_STATUS:
        return &message_status;
    case MESSAGE_GET_CERT:
        return &message_get_cert;
    case MESSAGE_NONE:
        break;
    }
    return NULL;
}

enum message_type message_type_of(struct slice bytes) {
    uint8_t t = bytes.len && bytes.ptr ? bytes.ptr[0] : 0;
    return t <= MESSAGE_GET_CERT ? (enum message_type)t : MESSAGE_NONE;
}

static enum cert_type message_vote_type(enum message_type type) {
    return type == MESSAGE_NOTARIZE ? CERT_NOTARIZE : type == MESSAGE_FINALIZE ? CERT_FINALIZE : CERT_NULLIFY;
}

static enum err_code message_from_propose(const struct message_doc *d, struct slice rest, struct message *m,
                                          struct err *e) {
    enum err_code rc;
    m->prop = (struct cert_prop){.channel = m->channel,
                                 .epoch = d->epoch,
                                 .set_hash = m->set_hash,
                                 .view = d->view,
                                 .parent_view = d->parent_view,
                                 .height = d->height};
    memcpy(m->prop.parent_pid.b, d->parent, DIGEST_SIZE);
    memcpy(m->prop.block_hash.b, d->block, DIGEST_SIZE);
    memcpy(m->sig.b, d->sig, SIGN_SIZE);
    m->pid = cert_pid(&m->prop);
    m->parent_cert = d->parent_cert;
    m->null_certs = d->nulls;
    m->body = rest;
    m->has_header = d->header.len != 0;
    if (m->has_header && (rc = header_read(d->header, &m->header, e)) != ERR_OK)
        return rc;
    if (m->prop.parent_view >= m->prop.view || (m->prop.parent_view != 0) != !digest_is_zero(&m->prop.parent_pid) ||
        (m->prop.parent_view != 0) != (m->parent_cert.len != 0))
        return err_set(e, ERR_MALFORMED, "propose: its fields do not fit together");
    return ERR_OK;
}

static enum err_code message_from_vote(const struct message_doc *d, struct message *m, struct err *e) {
    struct cert_vote *v = &m->vote;
    v->type = message_vote_type(m->type);
    v->epoch = d->epoch;
    v->view = d->view;
    v->tree_size = d->size;
    v->signer = (uint32_t)(d->signer - 1);
    memcpy(v->pid.b, d->pid, DIGEST_SIZE);
    memcpy(v->tree_root.b, d->root, DIGEST_SIZE);
    memcpy(v->sig.b, d->sig, SIGN_SIZE);
    if ((v->type == CERT_NULLIFY) != digest_is_zero(&v->pid) || (v->type == CERT_FINALIZE) != (v->tree_size != 0) ||
        (v->type == CERT_FINALIZE) != !digest_is_zero(&v->tree_root))
        return err_set(e, ERR_MALFORMED, "vote: its fields do not fit its type");
    return ERR_OK;
}

enum err_code message_read(struct slice bytes, struct message *out, struct err *e) {
    const struct schema *schema;
    struct message_doc d = {0};
    struct cursor c;
    struct arena none;
    enum err_code rc;
    memset(out, 0, sizeof *out);
    out->type = message_type_of(bytes);
    schema = message_schema(out->type);
    if (!schema)
        return err_set(e, ERR_MALFORMED, "a message of unknown type");
    if (out->type != MESSAGE_PROPOSE && bytes.len > MESSAGE_SMALL_MAX)
        return err_set(e, ERR_TOO_LARGE, "a %s of %zu bytes", schema->name, bytes.len);
    cursor_init(&c, slice_from(bytes, 1));
    arena_init(&none, 0);
    rc = schema_read_at(schema, &c, &none, &d, e);
    arena_release(&none);
    if (rc != ERR_OK)
        return rc;
    if (out->type != MESSAGE_PROPOSE && !cursor_done(&c))
        return err_set(e, ERR_MALFORMED, "%s: bytes after its end", schema->name);
    memcpy(out->channel.b, d.channel, DIGEST_SIZE);
    memcpy(out->set_hash.b, d.set, DIGEST_SIZE);
    out->epoch = d.epoch;
    out->view = d.view;
    out->final_height = d.height;
    memcpy(out->final_hash.b, d.block, DIGEST_SIZE);
    out->kind = (enum cert_type)d.kind;
    if (out->type == MESSAGE_PROPOSE)
        return message_from_propose(&d, slice_from(c.bytes, c.at), out, e);
    if (out->type == MESSAGE_CERT) {
        if ((rc = cert_read(d.cert, &out->cert, e)) != ERR_OK)
            return rc;
        out->channel = out->cert.prop.channel;
        out->set_hash = out->cert.prop.set_hash;
        out->epoch = out->cert.epoch;
        return ERR_OK;
    }
    if (schema == &message_vote)
        return message_from_vote(&d, out, e);
    return ERR_OK;
}

static void message_to_propose(const struct message *m, uint8_t header[HEADER_SIZE], struct message_doc *d) {
    d->height = m->prop.height;
    d->view = m->prop.view;
    d->parent_view = m->prop.parent_view;
    memcpy(d->parent, m->prop.parent_pid.b, DIGEST_SIZE);
    memcpy(d->block, m->prop.block_hash.b, DIGEST_SIZE);
    memcpy(d->sig, m->sig.b, SIGN_SIZE);
    d->parent_cert = m->parent_cert;
    d->nulls = m->null_certs;
    if (m->has_header) {
        header_write(&m->header, header);
        d->header = slice_of(header, HEADER_SIZE);
    }
}

void message_write(const struct message *m, struct buf *out) {
    const struct schema *schema = message_schema(m->type);
    struct message_doc d = {.epoch = m->epoch, .view = m->view, .height = m->final_height, .kind = m->kind};
    uint8_t header[HEADER_SIZE];
    struct buf cert;
    buf_init(&cert, CERT_BYTES_MAX);
    memcpy(d.channel, m->channel.b, DIGEST_SIZE);
    memcpy(d.set, m->set_hash.b, DIGEST_SIZE);
    memcpy(d.block, m->final_hash.b, DIGEST_SIZE);
    if (m->type == MESSAGE_PROPOSE) {
        message_to_propose(m, header, &d);
    } else if (m->type == MESSAGE_CERT) {
        cert_write(&m->cert, &cert);
        d.cert = buf_slice(&cert);
    } else if (schema == &message_vote) {
        d.view = m->vote.view;
        d.signer = (uint64_t)m->vote.signer + 1;
        d.size = m->vote.tree_size;
        memcpy(d.pid, m->vote.pid.b, DIGEST_SIZE);
        memcpy(d.root, m->vote.tree_root.b, DIGEST_SIZE);
        memcpy(d.sig, m->vote.sig.b, SIGN_SIZE);
    }
    buf_u8(out, (uint8_t)m->type);
    if (cert.failed)
        out->failed = true;
    else
        schema_write(schema, &d, out);
    buf_release(&cert);
}
