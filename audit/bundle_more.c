/* audit/bundle_more.c -- see bundle_check.h: checks of a bundle's optional parts. The channel is known and its
 * checkpoint readable here. A part that is not carried is NOT PROVEN; one that is carried and does not hold FAILS. */
#include "audit/bundle_check.h"

#include "wire/cursor.h"
#include "wire/header.h"
#include "wire/limits.h"
#include "wire/pack.h"

#include <inttypes.h>

/* ---- when ---- */

/* Offsets of the layout that pid hashes: wire/cert.h. */
enum { PROP_TAG = 14, PROP_CHANNEL = 14, PROP_EPOCH = 46, PROP_VIEW = 86, PROP_BLOCK = 142 };

static const char *bundle_check_block(const struct bundle_check *c, struct header *h, struct err *why) {
    const uint8_t *prop = c->bundle->block->prop.ptr;
    struct digest pid = digest_of(c->bundle->block->prop);
    struct digest hash;
    if (memcmp(prop, "assay/prop/v1", PROP_TAG) != 0 || !digest_eq(&pid, &c->cp.pid))
        return "the proposal is not the one that the checkpoint names";
    if (memcmp(prop + PROP_CHANNEL, c->channel->id.b, DIGEST_SIZE) != 0 ||
        buf_get64(prop + PROP_EPOCH) != c->cp.epoch || buf_get64(prop + PROP_VIEW) != c->cp.view)
        return "the proposal is of another channel, epoch or view than the checkpoint";
    if (header_read(c->bundle->block->header, h, why) != ERR_OK)
        return why->text;
    hash = header_hash(h);
    if (memcmp(prop + PROP_BLOCK, hash.b, DIGEST_SIZE) != 0)
        return "the block's header is not the one that the proposal names";
    if (!digest_eq(&h->channel, &c->channel->id) || h->tree_size != c->cp.size ||
        !digest_eq(&h->tree_root, &c->cp.root))
        return "the block's header and the checkpoint say different trees";
    return NULL;
}

void bundle_check_time(struct bundle_check *c) {
    struct bundle_claim *claim;
    struct header h;
    struct err why = {0};
    const char *wrong;
    char when[40];
    if (!c->bundle->block) {
        claim = bundle_check_add(c, BUNDLE_TIME, "When the entry came.");
        bundle_check_say(claim, BUNDLE_NOT_PROVEN, "the bundle does not carry the block's header");
        return;
    }
    wrong = bundle_check_block(c, &h, &why);
    if (wrong) {
        claim = bundle_check_add(c, BUNDLE_TIME, "The bundle's block is the one that was finalised.");
        bundle_check_say(claim, BUNDLE_FAILS, "%s", wrong);
        return;
    }
    bundle_check_when(h.time, when);
    claim = bundle_check_add(c, BUNDLE_TIME, "The entry came %s block %" PRIu64 " of the channel, made at %s.",
                             c->bundle->index >= h.tree_size - h.entries ? "in" : "before", h.height, when);
    bundle_check_stand(c, claim, "the validators have agreed on this header, its time within 5 s of their clocks");
}

/* ---- who ---- */

static const struct bundle_submitter *bundle_check_submitter(const struct bundle_network *net,
                                                             const struct sign_public *key) {
    size_t i;
    for (i = 0; i < net->submitter_count; i++)
        if (sign_public_eq(&net->submitters[i].key, key))
            return &net->submitters[i];
    return NULL;
}

/* "assay/batch/v1" NUL ‖ channel ‖ submitter ‖ seq u64 ‖ count u32 ‖ root (ledger/batch.h). */
static bool bundle_check_batch_signed(const struct bundle_channel *ch, const struct bundle_batch *batch) {
    uint8_t bytes[15 + 32 + 32 + 8 + 4 + 32];
    struct sign_public key;
    struct sign_signature sig;
    struct buf b = {.ptr = bytes, .cap = sizeof bytes, .max = sizeof bytes}; /* never grows: filled exactly */
    buf_bytes(&b, "assay/batch/v1", 15);
    buf_append(&b, digest_slice(&ch->id));
    buf_bytes(&b, batch->submitter, SIGN_PUBLIC_SIZE);
    buf_be64(&b, batch->seq);
    buf_be32(&b, (uint32_t)batch->count);
    buf_bytes(&b, batch->root, DIGEST_SIZE);
    ERR_ASSERT(!b.failed && b.len == sizeof bytes);
    memcpy(key.b, batch->submitter, SIGN_PUBLIC_SIZE);
    memcpy(sig.b, batch->sig, SIGN_SIZE);
    return sign_verify(&key, buf_slice(&b), &sig);
}

void bundle_check_author(struct bundle_check *c) {
    const struct bundle_batch *batch = c->bundle->batch;
    const struct bundle_submitter *who;
    struct bundle_claim *claim;
    struct sign_public key;
    struct digest root;
    struct tree_path path;
    struct err why = {0};
    if (!batch) {
        claim = bundle_check_add(c, BUNDLE_AUTHOR, "Who submitted the entry.");
        bundle_check_say(claim, BUNDLE_NOT_PROVEN, "the bundle does not carry the submitter's signature");
        return;
    }
    memcpy(key.b, batch->submitter, sizeof key.b);
    memcpy(root.b, batch->root, sizeof root.b);
    who = bundle_check_submitter(c->net, &key);
    if (who)
        claim = bundle_check_add(c, BUNDLE_AUTHOR, "Node %.*s of %.*s submitted it, in its batch %" PRIu64 ".",
                                 SLICE_ARG(who->node), SLICE_ARG(who->org), batch->seq);
    else
        claim = bundle_check_add(c, BUNDLE_AUTHOR, "Who submitted the entry.");
    if (!bundle_check_path(batch->path, TREE_PATH_MAX, &path))
        bundle_check_say(claim, BUNDLE_FAILS, "the path in the batch is not made of whole hashes");
    else if (tree_verify_inclusion(&c->leaf, batch->index, batch->count, path.hash, path.count, &root, &why) != ERR_OK)
        bundle_check_say(claim, BUNDLE_FAILS, "the entry is not in the signed batch: %s", why.text);
    else if (!bundle_check_batch_signed(c->channel, batch))
        bundle_check_say(claim, BUNDLE_FAILS, "the batch's signature is bad");
    else if (!who)
        bundle_check_say(claim, BUNDLE_NOT_PROVEN, "the signature is good, but the genesis file does not name its key");
    else
        bundle_check_say(claim, BUNDLE_PROVEN,
                         "it signed the root of that batch, and the entry is number %" PRIu64 " of %" PRIu64 " in it",
                         batch->index, batch->count);
}

/* ---- the raw log ---- */

void bundle_check_log(struct bundle_check *c) {
    const struct bundle_raw *raw = c->bundle->raw;
    bool dead = c->kind == ENTRY_DEAD_LETTER;
    uint32_t commit = dead ? c->dead_letter.raw_commit : c->record.raw_commit;
    uint64_t size = dead ? c->dead_letter.raw_size : c->record.raw_size;
    const uint8_t *hash = dead ? c->dead_letter.raw_hash : c->record.raw_hash;
    struct bundle_claim *claim;
    struct digest got, salt;
    if (c->kind != ENTRY_RECORD && !dead) {
        if (raw) {
            claim = bundle_check_add(c, BUNDLE_LOG, "The raw log in this bundle is the one that was committed.");
            bundle_check_say(claim, BUNDLE_FAILS, "the entry commits to no raw log");
        }
        return;
    }
    claim = bundle_check_add(c, BUNDLE_LOG, "The raw log in this bundle is the one that was committed.");
    if (!raw) {
        bundle_check_say(claim, BUNDLE_NOT_PROVEN, "the raw log is not disclosed here; the entry holds its hash only");
        return;
    }
    memcpy(salt.b, raw->salt, sizeof salt.b);
    if (digest_is_zero(&salt) != (commit == RECORD_PLAIN)) {
        bundle_check_say(claim, BUNDLE_FAILS, "the entry's commitment is %s, but the bundle carries %s",
                         commit == RECORD_PLAIN ? "plain" : "salted", commit == RECORD_PLAIN ? "a salt" : "no salt");
        return;
    }
    got = bundle_raw_hash(commit == RECORD_PLAIN ? NULL : raw->salt, raw->bytes);
    if (memcmp(got.b, hash, DIGEST_SIZE) != 0)
        bundle_check_say(claim, BUNDLE_FAILS, "its hash is not the one that the entry commits to");
    else if (raw->bytes.len != size)
        bundle_check_say(claim, BUNDLE_FAILS, "it has %zu bytes, not %" PRIu64 " as the entry says", raw->bytes.len,
                         size);
    else
        bundle_check_stand(c, claim, "its hash is the one that the entry commits to");
}

/* ---- standards ---- */

/* A STANDARD entry's body is the definition, whose hash records cite, and these keys that say who published it:
 * audit/standard.h. */
static bool bundle_check_defines(struct slice key) {
    static const char *const others[] = {"action", "by", "issuer", "nonce", "reason"};
    size_t i;
    for (i = 0; i < sizeof others / sizeof others[0]; i++)
        if (slice_eq_str(key, others[i]))
            return false;
    return true;
}

struct bundle_definition {
    struct digest hash;
    struct slice id, version;
};

static enum err_code bundle_check_define(struct slice entry_bytes, struct bundle_definition *out, struct err *e) {
    struct entry entry;
    struct cursor c;
    struct buf pairs, whole;
    uint32_t count, kept = 0, i;
    bool has_body = false;
    enum err_code rc = entry_read(entry_bytes, &entry, e);
    *out = (struct bundle_definition){0};
    if (rc != ERR_OK)
        return rc;
    if (entry.kind != ENTRY_STANDARD)
        return err_set(e, ERR_MALFORMED, "an entry of the kind \"%s\"", entry_kind_text(entry.kind));
    buf_init(&pairs, LIMIT_ENTRY);
    buf_init(&whole, LIMIT_ENTRY + 8);
    cursor_init(&c, entry.body);
    rc = cursor_map(&c, &count, e);
    for (i = 0; rc == ERR_OK && i < count; i++) {
        struct slice key, value;
        if ((rc = cursor_str(&c, &key, e)) != ERR_OK || (rc = cursor_skip(&c, LIMIT_DEPTH - 2, &value, e)) != ERR_OK)
            break;
        if (slice_eq_str(key, "body"))
            has_body = true;
        if (slice_eq_str(key, "id") || slice_eq_str(key, "version")) {
            struct cursor v;
            cursor_init(&v, value);
            if ((rc = cursor_str(&v, slice_eq_str(key, "id") ? &out->id : &out->version, e)) != ERR_OK)
                break;
        }
        if (bundle_check_defines(key)) {
            pack_str(&pairs, key);
            buf_append(&pairs, value);
            kept++;
        }
    }
    if (rc == ERR_OK && !has_body)
        rc = err_set(e, ERR_MALFORMED, "an entry that publishes no standard");
    pack_map(&whole, kept);
    buf_append(&whole, buf_slice(&pairs));
    if (rc == ERR_OK && (rc = buf_check(&pairs, e)) == ERR_OK && (rc = buf_check(&whole, e)) == ERR_OK)
        out->hash = digest_tagged("assay/standard/v1", buf_slice(&whole));
    buf_release(&pairs);
    buf_release(&whole);
    return rc;
}

/* One standard that the record names. Marks the carried entries that serve it. */
static void bundle_check_standard(struct bundle_check *c, const struct record_std *std, uint32_t *used) {
    const struct bundle_entry *carried = c->bundle->standards.items;
    struct bundle_claim *claim =
        bundle_check_add(c, BUNDLE_STANDARD, "It was made under the standard \"%.*s\", version %.*s.",
                         SLICE_ARG(std->id), SLICE_ARG(std->version));
    struct err why = {0};
    uint32_t i;
    bundle_check_say(claim, BUNDLE_NOT_PROVEN, "the record names it by its hash; the bundle does not carry its text");
    for (i = 0; i < c->bundle->standards.count; i++) {
        struct bundle_definition def;
        if (bundle_check_define(carried[i].entry, &def, &why) != ERR_OK ||
            memcmp(def.hash.b, std->hash, DIGEST_SIZE) != 0 || !slice_eq(def.id, std->id) ||
            !slice_eq(def.version, std->version))
            continue;
        *used |= UINT32_C(1) << i;
        if (bundle_check_included(carried[i].entry, carried[i].index, carried[i].path, &c->cp, &why) != ERR_OK)
            bundle_check_say(claim, BUNDLE_FAILS, "the entry that publishes it is not in the channel: %s", why.text);
        else if (carried[i].index >= c->bundle->index)
            bundle_check_say(claim, BUNDLE_FAILS, "it was published as entry %" PRIu64 ", after the record",
                             carried[i].index);
        else
            bundle_check_stand(c, claim,
                               "the record names its hash, and the entry that publishes it is in the channel");
        return;
    }
}

void bundle_check_standards(struct bundle_check *c) {
    const struct record_std *std = c->record.std.items;
    uint32_t used = 0, i, count = c->kind == ENTRY_RECORD ? c->record.std.count : 0;
    for (i = 0; i < count; i++)
        bundle_check_standard(c, &std[i], &used);
    for (i = 0; i < c->bundle->standards.count; i++) {
        struct bundle_claim *claim;
        if (used >> i & 1)
            continue;
        claim = bundle_check_add(c, BUNDLE_STANDARD, "Standard %u in this bundle governs the entry.", i + 1);
        bundle_check_say(claim, BUNDLE_FAILS, "the entry does not name it");
    }
}

/* ---- the anchor ---- */

/* The commitment of an ANCHOR entry's body. */
static bool bundle_check_commitment(struct slice body, struct digest *out) {
    struct cursor c;
    uint32_t count, i;
    cursor_init(&c, body);
    if (cursor_map(&c, &count, NULL) != ERR_OK)
        return false;
    for (i = 0; i < count; i++) {
        struct slice key, value;
        if (cursor_str(&c, &key, NULL) != ERR_OK)
            return false;
        if (slice_eq_str(key, "commitment")) {
            if (cursor_bin(&c, &value, NULL) != ERR_OK || value.len != DIGEST_SIZE)
                return false;
            memcpy(out->b, value.ptr, DIGEST_SIZE);
            return true;
        }
        if (cursor_skip(&c, LIMIT_DEPTH - 2, NULL, NULL) != ERR_OK)
            return false;
    }
    return false;
}

/* Do the anchored checkpoint and the bundle's tell one history? NULL, or what is wrong. */
static const char *bundle_check_history(const struct bundle_check *c, const struct checkpoint_read *anchored,
                                        struct err *why) {
    const struct checkpoint_read *old = anchored->size <= c->cp.size ? anchored : &c->cp;
    const struct checkpoint_read *new = old == anchored ? &c->cp : anchored;
    struct tree_path proof;
    if (!bundle_check_path(c->bundle->anchor->consistency, TREE_CONSISTENCY_MAX, &proof))
        return "the consistency proof is not made of whole hashes";
    if (tree_verify_consistency(old->size, &old->root, new->size, &new->root, proof.hash, proof.count, why) != ERR_OK)
        return why->text;
    return NULL;
}

/* NULL, or why the anchor fails. */
static const char *bundle_check_anchored(const struct bundle_check *c, const struct checkpoint_read *parent,
                                         struct checkpoint_read *anchored, struct err *why) {
    const struct bundle_anchor *a = c->bundle->anchor;
    struct entry entry;
    struct digest want, got;
    if (bundle_check_included(a->entry, a->index, a->path, parent, why) != ERR_OK ||
        entry_read(a->entry, &entry, why) != ERR_OK)
        return why->text;
    if (entry.kind != ENTRY_ANCHOR || !bundle_check_commitment(entry.body, &want))
        return "the parent's entry is not an anchor";
    got = bundle_anchor_commitment(a->nonce, a->text);
    if (!digest_eq(&want, &got))
        return "the opening does not fit the anchor's commitment";
    if (checkpoint_read_final(a->text, anchored, why) != ERR_OK)
        return why->text;
    if (!slice_eq(anchored->origin, c->channel->origin))
        return "the anchor is of another channel";
    return bundle_check_history(c, anchored, why);
}

void bundle_check_anchor(struct bundle_check *c) {
    const struct bundle_anchor *a = c->bundle->anchor;
    const struct bundle_channel *parent =
        c->net->parent < c->net->channel_count ? &c->net->channels[c->net->parent] : NULL;
    struct bundle_claim *claim =
        bundle_check_add(c, BUNDLE_ANCHORED, "The history that holds the entry is pinned on the parent network.");
    struct checkpoint_read cp, anchored;
    struct err why = {0}, final = {0};
    enum bundle_state state;
    const char *wrong;
    bool read;
    if (!a) {
        bundle_check_say(claim, BUNDLE_NOT_PROVEN, "%s",
                         parent == c->channel ? "the channel is the parent itself, which is pinned nowhere else"
                                              : "the bundle does not carry an anchor");
        return;
    }
    if (!parent || parent == c->channel) {
        bundle_check_say(claim, BUNDLE_FAILS, "there is no parent that could hold this anchor");
        return;
    }
    state = bundle_check_final(parent, a->checkpoint, &cp, &read, &final);
    if (!read || state == BUNDLE_FAILS) {
        bundle_check_say(claim, BUNDLE_FAILS, "the parent's checkpoint: %s", final.text);
        return;
    }
    if ((wrong = bundle_check_anchored(c, &cp, &anchored, &why)) != NULL)
        bundle_check_say(claim, BUNDLE_FAILS, "%s", wrong);
    else if (state != BUNDLE_PROVEN)
        bundle_check_say(claim, BUNDLE_NOT_PROVEN, "the parent's checkpoint: %s", final.text);
    else if (anchored.size <= c->bundle->index)
        bundle_check_say(claim, BUNDLE_NOT_PROVEN, "the anchor pins the first %" PRIu64 " entries, this one is later",
                         anchored.size);
    else if (c->included != BUNDLE_PROVEN)
        bundle_check_stand(c, claim, "the anchor opens to the channel's checkpoint");
    else
        bundle_check_say(claim, BUNDLE_PROVEN,
                         "entry %" PRIu64 " of the parent commits to the channel's first %" PRIu64
                         " entries; of the parent's checkpoint %s",
                         a->index, anchored.size, final.text);
}

/* ---- complete range ---- */

void bundle_check_range(struct bundle_check *c) {
    const struct bundle_range *r = c->bundle->range;
    const struct slice *entries;
    struct digest *leaves;
    struct tree_path left, right;
    struct bundle_claim *claim;
    struct err why = {0};
    uint32_t i, records = 0;
    if (!r) {
        claim = bundle_check_add(c, BUNDLE_COMPLETE, "No other record about this exists.");
        bundle_check_say(claim, BUNDLE_NOT_PROVEN, "the bundle carries no complete range of entries");
        return;
    }
    entries = r->entries.items;
    leaves = arena_alloc(&c->arena, r->entries.count, sizeof *leaves);
    for (i = 0; i < r->entries.count; i++) {
        struct entry entry;
        records += entry_read(entries[i], &entry, NULL) == ERR_OK && entry.kind == ENTRY_RECORD;
        if (leaves)
            leaves[i] = tree_leaf(entries[i]);
    }
    claim = bundle_check_add(c, BUNDLE_COMPLETE,
                             "Entries %" PRIu64 " to %" PRIu64
                             " of the channel are exactly the %u in this bundle; records among them: %u.",
                             r->first, r->first + (r->entries.count - 1), r->entries.count, records);
    if (!leaves)
        bundle_check_say(claim, BUNDLE_NOT_PROVEN, "out of memory");
    else if (!bundle_check_path(r->left, TREE_PATH_MAX, &left) || !bundle_check_path(r->right, TREE_PATH_MAX, &right))
        bundle_check_say(claim, BUNDLE_FAILS, "the hashes beside the range are not whole");
    else if (tree_verify_range(leaves, r->entries.count, r->first, c->cp.size, left.hash, left.count, right.hash,
                               right.count, &c->cp.root, &why) != ERR_OK)
        bundle_check_say(claim, BUNDLE_FAILS, "%s", why.text);
    else if (c->final != BUNDLE_PROVEN)
        bundle_check_say(claim, BUNDLE_NOT_PROVEN, "they lead to the checkpoint's root, but that is not proven final");
    else
        bundle_check_say(claim, BUNDLE_PROVEN, "they lead, with the hashes beside them, to the final tree root");
}
