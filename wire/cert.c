/* wire/cert.c -- see cert.h. */
#include "wire/cert.h"

#include "wire/pack.h"

#include <sodium.h>
#include <stdio.h>

#define CERT_PROP_TAG "assay/prop/v1"
enum { CERT_PROP = 160 /* bytes behind the tag */ };

static bool cert_verify_ed25519(void *ctx, const struct sign_public *pub, struct slice message,
                                const struct sign_signature *sig) {
    (void)ctx;
    return sign_verify(pub, message, sig);
}

const struct cert_verifier cert_ed25519 = {cert_verify_ed25519, NULL};

static uint8_t *cert_put(uint8_t *p, uint64_t v) {
    int i;
    for (i = 56; i >= 0; i -= 8)
        *p++ = (uint8_t)(v >> i);
    return p;
}

static uint8_t *cert_put_digest(uint8_t *p, const struct digest *d) {
    memcpy(p, d->b, DIGEST_SIZE);
    return p + DIGEST_SIZE;
}

static void cert_prop_bytes(const struct cert_prop *prop, uint8_t bytes[CERT_PROP]) {
    uint8_t *p = bytes;
    p = cert_put_digest(p, &prop->channel);
    p = cert_put(p, prop->epoch);
    p = cert_put_digest(p, &prop->set_hash);
    p = cert_put(p, prop->view);
    p = cert_put(p, prop->parent_view);
    p = cert_put_digest(p, &prop->parent_pid);
    p = cert_put(p, prop->height);
    p = cert_put_digest(p, &prop->block_hash);
    ERR_ASSERT(p == bytes + CERT_PROP);
}

struct digest cert_pid(const struct cert_prop *prop) {
    uint8_t bytes[CERT_PROP];
    cert_prop_bytes(prop, bytes);
    return digest_tagged(CERT_PROP_TAG, slice_of(bytes, sizeof bytes));
}

void cert_prop_write(const struct cert_prop *prop, struct buf *out) {
    uint8_t bytes[CERT_PROP];
    cert_prop_bytes(prop, bytes);
    buf_bytes(out, CERT_PROP_TAG, sizeof CERT_PROP_TAG); /* its NUL too */
    buf_bytes(out, bytes, sizeof bytes);
}

void cert_statement(const struct set *s, const struct cert_vote *vote, struct buf *out) {
    static const char tag[13] = "assay/bft/v1";
    if (vote->type == CERT_FINALIZE) {
        struct checkpoint cp = {vote->tree_size, vote->tree_root, vote->epoch, vote->view, vote->pid};
        checkpoint_text(slice_str(s->origin), &cp, out);
        return;
    }
    buf_bytes(out, tag, sizeof tag);
    buf_u8(out, (uint8_t)vote->type);
    buf_bytes(out, s->channel.b, DIGEST_SIZE);
    buf_be64(out, vote->epoch);
    buf_bytes(out, s->hash.b, DIGEST_SIZE);
    buf_be64(out, vote->view);
    buf_bytes(out, vote->pid.b, DIGEST_SIZE);
}

enum err_code cert_vote_verify(const struct set *s, const struct cert_vote *vote, const struct cert_verifier *v,
                               struct err *e) {
    struct buf b;
    enum err_code rc;
    if (vote->epoch != s->epoch || vote->signer >= s->n)
        return err_set(e, ERR_NOT_ALLOWED, "a vote of another epoch, or by no member");
    buf_init(&b, CERT_STATEMENT_MAX);
    cert_statement(s, vote, &b);
    rc = buf_check(&b, e);
    if (rc == ERR_OK && !v->verify(v->ctx, &s->member[vote->signer].key, buf_slice(&b), &vote->sig))
        rc = err_set(e, ERR_BAD_SIGNATURE, "the vote that claims to be %s's in view %llu", s->member[vote->signer].name,
                     (unsigned long long)vote->view);
    buf_release(&b);
    return rc;
}

/* What is on the wire; `sigs` is the concatenation of the signatures. */
struct cert_doc {
    uint64_t bits;
    uint8_t block[DIGEST_SIZE], channel[DIGEST_SIZE];
    uint64_t epoch, height;
    uint8_t parent[DIGEST_SIZE];
    uint64_t parent_view;
    uint8_t root[DIGEST_SIZE], set[DIGEST_SIZE];
    struct slice sigs;
    uint64_t size, type, view;
};

#define CERT_U64(name, flags_, min_, max_)                                                                             \
    {                                                                                                                  \
        .key = #name, .type = SCHEMA_U64, .flags = (flags_), .offset = offsetof(struct cert_doc, name), .min = (min_), \
        .max = (max_)                                                                                                  \
    }
#define CERT_FIXED(name, flags_)                                                                                       \
    {                                                                                                                  \
        .key = #name, .type = SCHEMA_FIXED, .flags = (flags_), .offset = offsetof(struct cert_doc, name),              \
        .max = DIGEST_SIZE                                                                                             \
    }

static const struct schema_field cert_fields[] = {
    CERT_U64(bits, 0, 1, (1u << LIMIT_VALIDATORS) - 1),
    CERT_FIXED(block, SCHEMA_OPTIONAL),
    CERT_FIXED(channel, 0),
    CERT_U64(epoch, 0, 1, 0),
    CERT_U64(height, SCHEMA_OPTIONAL, 1, 0),
    CERT_FIXED(parent, SCHEMA_OPTIONAL),
    CERT_U64(parent_view, SCHEMA_OPTIONAL, 1, 0),
    CERT_FIXED(root, SCHEMA_OPTIONAL),
    CERT_FIXED(set, 0),
    {.key = "sigs",
     .type = SCHEMA_BIN,
     .offset = offsetof(struct cert_doc, sigs),
     .min = SIGN_SIZE,
     .max = SIGN_SIZE * LIMIT_VALIDATORS},
    CERT_U64(size, SCHEMA_OPTIONAL, 1, 0),
    CERT_U64(type, 0, CERT_NOTARIZE, CERT_NULLIFY),
    CERT_U64(view, 0, 1, 0),
};
static const struct schema cert_schema = SCHEMA_OF("certificate", struct cert_doc, cert_fields);

void cert_write(const struct cert *c, struct buf *out) {
    uint8_t sigs[SIGN_SIZE * LIMIT_VALIDATORS];
    struct cert_doc d = {.bits = c->bitmap,
                         .epoch = c->epoch,
                         .height = c->prop.height,
                         .parent_view = c->prop.parent_view,
                         .size = c->tree_size,
                         .type = c->type,
                         .view = c->view};
    uint32_t i;
    for (i = 0; i < c->count; i++)
        memcpy(sigs + i * SIGN_SIZE, c->sig[i].b, SIGN_SIZE);
    d.sigs = slice_of(sigs, (size_t)c->count * SIGN_SIZE);
    memcpy(d.block, c->prop.block_hash.b, DIGEST_SIZE);
    memcpy(d.channel, c->prop.channel.b, DIGEST_SIZE);
    memcpy(d.parent, c->prop.parent_pid.b, DIGEST_SIZE);
    memcpy(d.root, c->tree_root.b, DIGEST_SIZE);
    memcpy(d.set, c->prop.set_hash.b, DIGEST_SIZE);
    schema_write(&cert_schema, &d, out);
}

static void cert_from_doc(const struct cert_doc *d, struct cert *out) {
    uint32_t i;
    memset(out, 0, sizeof *out);
    out->type = (enum cert_type)d->type;
    out->epoch = out->prop.epoch = d->epoch;
    out->view = out->prop.view = d->view;
    out->bitmap = (uint32_t)d->bits;
    out->count = (uint32_t)__builtin_popcount(out->bitmap);
    out->tree_size = d->size;
    out->prop.height = d->height;
    out->prop.parent_view = d->parent_view;
    memcpy(out->prop.block_hash.b, d->block, DIGEST_SIZE);
    memcpy(out->prop.channel.b, d->channel, DIGEST_SIZE);
    memcpy(out->prop.parent_pid.b, d->parent, DIGEST_SIZE);
    memcpy(out->prop.set_hash.b, d->set, DIGEST_SIZE);
    memcpy(out->tree_root.b, d->root, DIGEST_SIZE);
    for (i = 0; i < d->sigs.len / SIGN_SIZE && i < out->count; i++)
        memcpy(out->sig[i].b, d->sigs.ptr + i * SIGN_SIZE, SIGN_SIZE);
    if (out->type != CERT_NULLIFY)
        out->pid = cert_pid(&out->prop);
}

/* Fields that the type does not have must be absent; those that it needs, present. */
static bool cert_shape_ok(const struct cert *c) {
    bool parent = !digest_is_zero(&c->prop.parent_pid);
    if (c->type == CERT_NULLIFY)
        return digest_is_zero(&c->prop.block_hash) && c->prop.height == 0 && c->prop.parent_view == 0 && !parent &&
               c->tree_size == 0 && digest_is_zero(&c->tree_root);
    if (digest_is_zero(&c->prop.block_hash) || c->prop.height == 0 || c->prop.parent_view >= c->view ||
        parent != (c->prop.parent_view != 0))
        return false;
    return c->type == CERT_FINALIZE ? c->tree_size > 0 && !digest_is_zero(&c->tree_root)
                                    : c->tree_size == 0 && digest_is_zero(&c->tree_root);
}

enum err_code cert_read(struct slice bytes, struct cert *out, struct err *e) {
    struct cert_doc d = {0};
    struct arena none;
    enum err_code rc;
    arena_init(&none, 0);
    rc = schema_read(&cert_schema, bytes, &none, &d, e);
    arena_release(&none);
    if (rc != ERR_OK)
        return rc;
    cert_from_doc(&d, out);
    if (d.sigs.len != (size_t)out->count * SIGN_SIZE || !cert_shape_ok(out))
        return err_set(e, ERR_MALFORMED, "certificate: its fields do not fit together");
    return ERR_OK;
}

void cert_vote_of(const struct cert *c, uint32_t i, struct cert_vote *out) {
    uint32_t bit = 0, seen = 0;
    for (bit = 0; bit < LIMIT_VALIDATORS; bit++)
        if ((c->bitmap >> bit & 1u) && seen++ == i)
            break;
    *out = (struct cert_vote){.type = c->type,
                              .epoch = c->epoch,
                              .view = c->view,
                              .pid = c->pid,
                              .tree_size = c->tree_size,
                              .tree_root = c->tree_root,
                              .signer = bit,
                              .sig = c->sig[i]};
}

enum err_code cert_verify(const struct set *s, const struct cert *c, const struct cert_verifier *v, uint32_t *signers,
                          struct err *e) {
    uint32_t i;
    if (c->epoch != s->epoch || !digest_eq(&c->prop.channel, &s->channel) || !digest_eq(&c->prop.set_hash, &s->hash))
        return err_set(e, ERR_NOT_ALLOWED, "a certificate of another channel, epoch or validator set");
    if (!set_is_quorum(s, c->bitmap, c->type == CERT_FINALIZE))
        return err_set(e, ERR_PROOF, "a certificate without a quorum: signers %x of %u", c->bitmap, s->n);
    for (i = 0; i < c->count; i++) {
        struct cert_vote vote;
        enum err_code rc;
        cert_vote_of(c, i, &vote);
        if ((rc = cert_vote_verify(s, &vote, v, e)) != ERR_OK)
            return rc;
    }
    if (signers)
        *signers = c->bitmap;
    return ERR_OK;
}

/* Key id of C2SP signed-note: first 4 bytes of SHA-256(name ‖ LF ‖ 0x01 ‖ key). */
static void cert_note_line(const struct set_member *m, const struct sign_signature *sig, struct buf *out) {
    char text[sodium_base64_ENCODED_LEN(4 + SIGN_SIZE, sodium_base64_VARIANT_ORIGINAL)];
    uint8_t bytes[4 + SIGN_SIZE];
    struct digest_state st;
    struct digest id;
    digest_init(&st);
    digest_update(&st, slice_str(m->name));
    digest_update(&st, slice_of("\n\x01", 2));
    digest_update(&st, slice_of(m->key.b, SIGN_PUBLIC_SIZE));
    digest_final(&st, &id);
    memcpy(bytes, id.b, 4);
    memcpy(bytes + 4, sig->b, SIGN_SIZE);
    sodium_bin2base64(text, sizeof text, bytes, sizeof bytes, sodium_base64_VARIANT_ORIGINAL);
    buf_printf(out, "\xe2\x80\x94 %s %s\n", m->name, text);
}

void cert_note(const struct set *s, const struct cert *c, struct buf *out) {
    struct cert_vote vote;
    uint32_t i;
    for (i = 0; i < c->count; i++) {
        cert_vote_of(c, i, &vote);
        if (i == 0) {
            cert_statement(s, &vote, out);
            buf_str(out, "\n");
        }
        cert_note_line(&s->member[vote.signer], &vote.sig, out);
    }
}
