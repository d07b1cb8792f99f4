/* node/api_proof.c -- checkpoints and proofs, in the forms that third parties read (docs/FORMATS.md 5, 6). */
#include "node/api.h"

#include "node/reading.h"
#include "wire/pack.h"

struct proof_params {
    struct slice channel;
    uint64_t from, number, size;
};
static const struct schema_field proof_fields[] = {
    {.key = "channel",
     .type = SCHEMA_STR,
     .flags = SCHEMA_OPTIONAL,
     .offset = offsetof(struct proof_params, channel),
     .max = LIMIT_NAME},
    {.key = "from", .type = SCHEMA_U64, .flags = SCHEMA_OPTIONAL, .offset = offsetof(struct proof_params, from)},
    {.key = "number", .type = SCHEMA_U64, .flags = SCHEMA_OPTIONAL, .offset = offsetof(struct proof_params, number)},
    {.key = "size", .type = SCHEMA_U64, .flags = SCHEMA_OPTIONAL, .offset = offsetof(struct proof_params, size)},
};
static const struct schema proof_schema = SCHEMA_OF("params", struct proof_params, proof_fields);

static enum err_code proof_begin(struct api_call *call, struct proof_params *p, struct reading *r, struct err *e) {
    struct node_channel *c;
    enum err_code rc = api_params(call, &proof_schema, p, e);
    if (rc != ERR_OK || (rc = api_channel(call, p->channel, &c, e)) != ERR_OK)
        return rc;
    return reading_open(r, c->channel, e);
}

static enum err_code proof_checkpoint(struct reading *r, uint64_t size, struct reading_checkpoint *cp, struct err *e) {
    return size ? reading_checkpoint_at(r, size, cp, e) : reading_checkpoint(r, cp, e);
}

static void proof_pack_checkpoint(struct buf *b, const struct reading *r, const struct reading_checkpoint *cp) {
    const struct set *set = channel_set(r->channel);
    uint32_t i;
    pack_map(b, 8);
    pack_cstr(b, "channel"), pack_cstr(b, channel_name(r->channel));
    pack_cstr(b, "epoch"), pack_u64(b, cp->cert.epoch);
    pack_cstr(b, "height"), pack_u64(b, cp->height);
    pack_cstr(b, "note"), pack_str(b, buf_slice(&cp->note));
    pack_cstr(b, "root"), pack_bin(b, digest_slice(&cp->cert.tree_root));
    pack_cstr(b, "signers"), pack_array(b, cp->cert.count);
    for (i = 0; i < set->n; i++)
        if (cp->cert.bitmap >> i & 1)
            pack_cstr(b, set->member[i].name);
    pack_cstr(b, "size"), pack_u64(b, cp->cert.tree_size);
    pack_cstr(b, "view"), pack_u64(b, cp->cert.view);
}

enum err_code api_checkpoint(struct api_call *call, struct err *e) {
    struct proof_params p;
    struct reading r = {0};
    struct reading_checkpoint cp = {.height = 0};
    enum err_code rc = proof_begin(call, &p, &r, e);
    if (rc == ERR_OK) {
        rc = proof_checkpoint(&r, p.size, &cp, e);
        if (rc == ERR_OK)
            proof_pack_checkpoint(&call->out, &r, &cp);
        buf_release(&cp.note);
    }
    reading_close(&r);
    return rc;
}

enum err_code api_proof_inclusion(struct api_call *call, struct err *e) {
    struct proof_params p;
    struct reading r = {0};
    struct reading_checkpoint cp = {.height = 0};
    struct index_entry x;
    struct buf text;
    enum err_code rc = proof_begin(call, &p, &r, e);
    buf_init(&text, PROOF_MAX);
    buf_init(&cp.note, NOTE_MAX);
    if (rc == ERR_OK && (rc = proof_checkpoint(&r, p.size, &cp, e)) == ERR_OK && p.number >= cp.cert.tree_size)
        rc = err_set(e, ERR_NOT_FOUND, "entry %llu is not among the %llu of the checkpoint",
                     (unsigned long long)p.number, (unsigned long long)cp.cert.tree_size);
    if (rc == ERR_OK && (rc = reading_tree(&r, e)) == ERR_OK &&
        (rc = reading_proof(&r, &cp, p.number, &text, e)) == ERR_OK)
        rc = r.src.face.entry(r.src.face.ctx, p.number, &x, e);
    if (rc == ERR_OK) {
        struct digest leaf = entry_leaf(x.bytes);
        pack_map(&call->out, 5);
        pack_cstr(&call->out, "channel"), pack_cstr(&call->out, channel_name(r.channel));
        pack_cstr(&call->out, "leaf"), pack_bin(&call->out, digest_slice(&leaf));
        pack_cstr(&call->out, "number"), pack_u64(&call->out, p.number);
        pack_cstr(&call->out, "proof"), pack_str(&call->out, buf_slice(&text));
        pack_cstr(&call->out, "size"), pack_u64(&call->out, cp.cert.tree_size);
    }
    reading_close(&r);
    buf_release(&text);
    buf_release(&cp.note);
    return rc;
}

static enum err_code proof_consistency(struct api_call *call, struct reading *r, const struct proof_params *p,
                                       struct err *e) {
    struct reading_checkpoint old = {.height = 0}, new = {.height = 0};
    struct tree_path path;
    unsigned i;
    enum err_code rc = reading_checkpoint_at(r, p->from, &old, e);
    if (rc == ERR_OK)
        rc = proof_checkpoint(r, p->size, &new, e);
    if (rc == ERR_OK && p->from > new.cert.tree_size)
        rc = err_set(e, ERR_NOT_FOUND, "a tree of %llu entries does not extend one of %llu",
                     (unsigned long long)new.cert.tree_size, (unsigned long long)p->from);
    if (rc == ERR_OK && (rc = reading_tree(r, e)) == ERR_OK)
        rc = tree_consistency(&r->hashes, p->from, new.cert.tree_size, &path, e);
    reading_tree_end(r);
    if (rc == ERR_OK) {
        struct buf *b = &call->out;
        pack_map(b, 4);
        pack_cstr(b, "channel"), pack_cstr(b, channel_name(r->channel));
        pack_cstr(b, "new"), proof_pack_checkpoint(b, r, &new);
        pack_cstr(b, "old"), proof_pack_checkpoint(b, r, &old);
        pack_cstr(b, "path"), pack_array(b, path.count);
        for (i = 0; i < path.count; i++)
            pack_bin(b, digest_slice(&path.hash[i]));
    }
    buf_release(&old.note);
    buf_release(&new.note);
    return rc;
}

enum err_code api_proof_consistency(struct api_call *call, struct err *e) {
    struct proof_params p;
    struct reading r = {0};
    enum err_code rc = proof_begin(call, &p, &r, e);
    if (rc == ERR_OK)
        rc = proof_consistency(call, &r, &p, e);
    reading_close(&r);
    return rc;
}
