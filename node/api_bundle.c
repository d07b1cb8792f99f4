/* node/api_bundle.c -- "bundle.export": one entry with all that proves it offline (audit/bundle.h).
 * The checkpoint is the first that covers the entry, so that the block's time is close to its own.
 * The anchor is the oldest that covers the entry, when there is one already.
 * Standards go along when they were published on this channel; the raw log only when it is asked for and this node has
 * it in its vault. */
#include "node/api.h"

#include "audit/bundle.h"
#include "ledger/record.h"
#include "node/anchors.h"
#include "node/reading.h"
#include "node/sentence.h"
#include "wire/pack.h"

struct bundle_params {
    struct slice channel;
    uint64_t number;
    bool raw;
    uint8_t uid[RECORD_UID_SIZE];
};
static const struct schema_field bundle_params_fields[] = {
    {.key = "channel",
     .type = SCHEMA_STR,
     .flags = SCHEMA_OPTIONAL,
     .offset = offsetof(struct bundle_params, channel),
     .max = LIMIT_NAME},
    {.key = "number", .type = SCHEMA_U64, .flags = SCHEMA_OPTIONAL, .offset = offsetof(struct bundle_params, number)},
    {.key = "raw", .type = SCHEMA_BOOL, .flags = SCHEMA_OPTIONAL, .offset = offsetof(struct bundle_params, raw)},
    {.key = "uid",
     .type = SCHEMA_FIXED,
     .flags = SCHEMA_OPTIONAL,
     .offset = offsetof(struct bundle_params, uid),
     .max = RECORD_UID_SIZE},
};
static const struct schema bundle_params_schema = SCHEMA_OF("params", struct bundle_params, bundle_params_fields);

struct bundle_work {
    struct api_call *call;
    struct reading r;
    struct reading_checkpoint cp;
    struct bundle bundle;
    struct bundle_batch batch;
    struct bundle_block block;
    struct bundle_anchor anchor;
    struct bundle_raw raw;
    struct buf raw_bytes;
    struct record record;
    bool is_record;
};

static struct slice bundle_joined(struct arena *a, const struct tree_path *p) {
    return arena_copy(a, slice_of(p->hash, p->count * sizeof p->hash[0]));
}

/* ---- the entry and its batch ---- */

struct bundle_leaves {
    struct digest *leaf;
    uint64_t count;
};
static enum err_code bundle_leaf(void *ctx, const struct chain_reader_entry *x, struct err *e) {
    struct bundle_leaves *l = ctx;
    (void)e;
    l->leaf[l->count++] = x->leaf;
    return ERR_OK;
}
/* A tree_reader over the leaves of one batch. */
static enum err_code bundle_leaf_hashes(void *ctx, unsigned level, uint64_t first, uint64_t count, struct digest *out,
                                        struct err *e) {
    const struct bundle_leaves *l = ctx;
    uint64_t i;
    (void)e;
    for (i = 0; i < count; i++)
        out[i] = tree_root_of(l->leaf + ((first + i) << level), (size_t)1 << level);
    return ERR_OK;
}

static enum err_code bundle_entry(struct bundle_work *w, uint64_t number, struct err *e) {
    struct arena *a = &w->call->arena;
    struct chain_reader_entry x;
    struct bundle_leaves leaves = {.count = 0};
    struct tree_reader in_batch = {.ctx = &leaves, .hashes = bundle_leaf_hashes};
    struct tree_path path = {.count = 0};
    uint32_t index, count;
    enum err_code rc = chain_reader_entry(w->r.src.reader, number, &x, e);
    if (rc != ERR_OK)
        return rc;
    index = x.index;
    count = x.count;
    w->bundle.entry = arena_copy(a, x.bytes);
    w->bundle.index = number;
    w->batch = (struct bundle_batch){.count = count, .index = index, .seq = x.batch.seq};
    memcpy(w->batch.root, x.batch.root.b, DIGEST_SIZE);
    memcpy(w->batch.sig, x.batch.sig.b, SIGN_SIZE);
    memcpy(w->batch.submitter, x.batch.submitter.b, SIGN_PUBLIC_SIZE);
    leaves.leaf = arena_alloc(a, count, sizeof *leaves.leaf);
    if (!leaves.leaf || !w->bundle.entry.ptr)
        return err_set(e, ERR_NO_MEMORY, "no memory for a bundle");
    rc = chain_reader_each(w->r.src.reader, number - index, number - index + count, bundle_leaf, &leaves, e);
    if (rc == ERR_OK)
        rc = tree_inclusion(&in_batch, index, count, &path, e);
    if (rc != ERR_OK)
        return rc;
    w->batch.path = bundle_joined(a, &path);
    w->bundle.batch = &w->batch;
    return ERR_OK;
}

/* ---- its place and time ---- */

static enum err_code bundle_block(struct bundle_work *w, struct err *e) {
    uint8_t header[HEADER_SIZE];
    struct chain_block b;
    struct buf prop;
    enum err_code rc = chain_reader_block(w->r.src.reader, w->cp.height, &b, e);
    if (rc != ERR_OK)
        return rc;
    header_write(&b.header, header);
    buf_init(&prop, BUNDLE_PROP);
    cert_prop_write(&w->cp.cert.prop, &prop);
    w->block.header = arena_copy(&w->call->arena, slice_of(header, sizeof header));
    w->block.prop = arena_copy(&w->call->arena, buf_slice(&prop));
    w->bundle.block = &w->block;
    rc = buf_check(&prop, e);
    buf_release(&prop);
    return rc;
}

static enum err_code bundle_path(struct bundle_work *w, uint64_t number, struct slice *out, struct err *e) {
    struct tree_path path = {.count = 0};
    enum err_code rc = tree_inclusion(&w->r.hashes, number, w->cp.cert.tree_size, &path, e);
    if (rc == ERR_OK)
        *out = bundle_joined(&w->call->arena, &path);
    return rc;
}

/* ---- the standards ---- */

static enum err_code bundle_standard(struct bundle_work *w, struct audit_state *state, const struct record_std *cited,
                                     struct err *e) {
    struct bundle_entry *items = w->bundle.standards.items, *out = &items[w->bundle.standards.count];
    const struct audit_version *v;
    struct chain_reader_entry x;
    struct digest hash;
    enum err_code rc;
    memcpy(hash.b, cited->hash, DIGEST_SIZE);
    v = audit_state_by_hash(state, &hash);
    if (!v || v->from_parent || v->number >= w->cp.cert.tree_size)
        return ERR_OK; /* the verifier says that it is not carried */
    if ((rc = chain_reader_entry(w->r.src.reader, v->number, &x, e)) != ERR_OK)
        return rc;
    out->entry = arena_copy(&w->call->arena, x.bytes);
    out->index = v->number;
    w->bundle.standards.count++;
    return bundle_path(w, out->index, &out->path, e);
}

static enum err_code bundle_standards(struct bundle_work *w, struct node_channel *c, struct err *e) {
    const struct record_std *cited = w->record.std.items;
    struct audit_state *state;
    uint32_t i;
    enum err_code rc = ERR_OK;
    if (!w->is_record || w->record.std.count == 0)
        return ERR_OK;
    w->bundle.standards.items = arena_alloc(&w->call->arena, BUNDLE_STANDARDS, sizeof(struct bundle_entry));
    if (!w->bundle.standards.items)
        return err_set(e, ERR_NO_MEMORY, "no memory for a bundle");
    state = channel_audit(c->channel);
    for (i = 0; i < w->record.std.count && i < BUNDLE_STANDARDS && rc == ERR_OK; i++)
        rc = bundle_standard(w, state, &cited[i], e);
    audit_state_release(state);
    return rc;
}

/* ---- the raw log ---- */

static enum err_code bundle_raw_of(struct bundle_work *w, struct err *e) {
    struct vault *vault = w->call->node->vault;
    enum vault_state state = VAULT_MISSING;
    struct vault_item item;
    struct digest hash;
    struct err why = {0};
    enum err_code rc;
    if (!w->is_record)
        return err_set(e, ERR_NOT_FOUND, "entry %llu is no record: it has no raw log",
                       (unsigned long long)w->bundle.index);
    if (!vault)
        return err_set(e, ERR_NOT_FOUND, "this node keeps no raw logs: demand it by `assay evidence request`");
    memcpy(hash.b, w->record.raw_hash, DIGEST_SIZE);
    if ((rc = vault_get(vault, &hash, &state, &w->raw_bytes, &item, &why)) != ERR_OK)
        return err_set(e, rc, "%s", why.text);
    if (state != VAULT_FOUND)
        return err_set(
            e, ERR_NOT_FOUND,
            "the raw log of entry %llu is %s in this node's vault; the node that reported the entry keeps it",
            (unsigned long long)w->bundle.index, vault_state_text(state));
    w->raw.bytes = item.raw;
    if (item.how == RECORD_SALTED)
        memcpy(w->raw.salt, item.salt, DIGEST_SIZE);
    w->bundle.raw = &w->raw;
    return ERR_OK;
}

/* ---- the anchor on the parent ---- */

static struct node_channel *bundle_parent(struct node *n) {
    size_t i;
    for (i = 0; i < n->channel_count; i++)
        if (channel_founding(n->channels[i].channel)->parent)
            return &n->channels[i];
    return NULL;
}

/* The parent's half: its entry, and that a quorum there finalised it. */
static enum err_code bundle_anchor_entry(struct bundle_work *w, struct node_channel *parent, uint64_t number,
                                         struct err *e) {
    struct arena *a = &w->call->arena;
    struct reading r = {0};
    struct reading_checkpoint cp = {.height = 0};
    struct chain_reader_entry x;
    struct tree_path path = {.count = 0};
    enum err_code rc;
    buf_init(&cp.note, NOTE_MAX);
    if ((rc = reading_open(&r, parent->channel, e)) == ERR_OK &&
        (rc = reading_checkpoint_over(&r, number, &cp, e)) == ERR_OK && (rc = reading_tree(&r, e)) == ERR_OK &&
        (rc = tree_inclusion(&r.hashes, number, cp.cert.tree_size, &path, e)) == ERR_OK &&
        (rc = chain_reader_entry(r.src.reader, number, &x, e)) == ERR_OK) {
        w->anchor.entry = arena_copy(a, x.bytes);
        w->anchor.index = number;
        w->anchor.path = bundle_joined(a, &path);
        w->anchor.checkpoint = arena_copy(a, buf_slice(&cp.note));
    }
    reading_close(&r);
    buf_release(&cp.note);
    return rc;
}

/* Without an anchor yet, the bundle does without. */
static enum err_code bundle_anchor_of(struct bundle_work *w, struct node_channel *c, struct err *e) {
    struct node *n = w->call->node;
    struct node_channel *parent = bundle_parent(n);
    uint64_t own = w->cp.cert.tree_size, other;
    struct anchors_opening opening;
    struct tree_path path = {.count = 0};
    enum err_code rc;
    if (!n->anchors || !parent || parent == c)
        return ERR_OK;
    rc = anchors_opening(n->anchors, c, w->bundle.index + 1, &opening, e);
    if (rc != ERR_OK)
        return rc == ERR_NOT_FOUND ? ERR_OK : rc;
    other = opening.tree_size;
    if ((rc = bundle_anchor_entry(w, parent, opening.number, e)) != ERR_OK)
        return rc;
    memcpy(w->anchor.nonce, opening.nonce, DIGEST_SIZE);
    w->anchor.text = arena_copy(&w->call->arena, slice_of(opening.text, opening.text_len));
    if (other != own) {
        if ((rc = chain_reader_renew(w->r.src.reader, e)) == ERR_OK && (rc = reading_tree(&w->r, e)) == ERR_OK)
            rc = tree_consistency(&w->r.hashes, own < other ? own : other, own < other ? other : own, &path, e);
        reading_tree_end(&w->r);
        if (rc != ERR_OK)
            return rc;
        w->anchor.consistency = bundle_joined(&w->call->arena, &path);
    }
    w->bundle.anchor = &w->anchor;
    return ERR_OK;
}

/* ---- all of it ---- */

static enum err_code bundle_gather(struct bundle_work *w, struct node_channel *c, const struct bundle_params *p,
                                   struct err *e) {
    struct node *n = w->call->node;
    uint64_t number = p->number;
    struct entry entry;
    enum err_code rc;
    if ((rc = api_find_entry(&w->r, p->uid, &number, e)) != ERR_OK || (rc = bundle_entry(w, number, e)) != ERR_OK ||
        (rc = reading_checkpoint_over(&w->r, number, &w->cp, e)) != ERR_OK || (rc = bundle_block(w, e)) != ERR_OK ||
        (rc = entry_read(w->bundle.entry, &entry, e)) != ERR_OK)
        return rc;
    w->is_record = entry.kind == ENTRY_RECORD && record_read(entry.body, &w->call->arena, &w->record, NULL) == ERR_OK;
    w->bundle.channel = c->channel ? slice_str(channel_name(c->channel)) : slice_none();
    w->bundle.format = slice_str(BUNDLE_FORMAT);
    w->bundle.checkpoint = buf_slice(&w->cp.note);
    memcpy(w->bundle.network, n->genesis.id.b, DIGEST_SIZE);
    if (p->raw && (rc = bundle_raw_of(w, e)) != ERR_OK)
        return rc;
    if ((rc = reading_tree(&w->r, e)) == ERR_OK && (rc = bundle_path(w, number, &w->bundle.path, e)) == ERR_OK)
        rc = bundle_standards(w, c, e);
    reading_tree_end(&w->r);
    return rc == ERR_OK ? bundle_anchor_of(w, c, e) : rc;
}

enum err_code api_bundle_export(struct api_call *call, struct err *e) {
    struct bundle_work *w = arena_alloc(&call->arena, 1, sizeof *w);
    struct bundle_params p;
    struct node_channel *c;
    struct buf file;
    enum err_code rc = w ? api_params(call, &bundle_params_schema, &p, e) : err_set(e, ERR_NO_MEMORY, "no memory");
    if (rc != ERR_OK || (rc = api_channel(call, p.channel, &c, e)) != ERR_OK)
        return rc;
    w->call = call;
    buf_init(&w->cp.note, NOTE_MAX);
    buf_init(&w->raw_bytes, VAULT_GET_MAX);
    buf_init(&file, RPC_BODY - 4096);
    if ((rc = reading_open(&w->r, c->channel, e)) == ERR_OK && (rc = bundle_gather(w, c, &p, e)) == ERR_OK)
        rc = bundle_write(&w->bundle, &file, e);
    if (rc == ERR_OK) {
        pack_map(&call->out, 4);
        pack_cstr(&call->out, "bundle"), pack_bin(&call->out, buf_slice(&file));
        pack_cstr(&call->out, "channel"), pack_str(&call->out, w->bundle.channel);
        pack_cstr(&call->out, "number"), pack_u64(&call->out, w->bundle.index);
        pack_cstr(&call->out, "raw"), pack_bool(&call->out, w->bundle.raw != NULL);
    }
    reading_close(&w->r);
    buf_release(&w->cp.note);
    buf_release(&w->raw_bytes);
    buf_release(&file);
    return rc;
}
