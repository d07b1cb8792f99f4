/* node/trust.c -- see trust.h. */
#include "node/trust.h"

#include "node/channel.h"
#include "wire/checkpoint_read.h"
#include "wire/note.h"

static enum err_code trust_fill(const struct genesis *g, const struct genesis_channel *founding, struct arena *a,
                                struct bundle_channel *out, struct err *e) {
    struct set *set = arena_alloc(a, 1, sizeof *set); /* its texts are borrowed */
    struct bundle_validator *v;
    uint32_t i;
    enum err_code rc;
    if (!set)
        return err_set(e, ERR_NO_MEMORY, "no memory for the channels");
    if ((rc = channel_founding_set(g, founding, set, e)) != ERR_OK)
        return rc;
    v = arena_alloc(a, set->n, sizeof *v);
    if (!v)
        return err_set(e, ERR_NO_MEMORY, "no memory for the channels");
    for (i = 0; i < set->n; i++)
        v[i] = (struct bundle_validator){slice_str(set->member[i].name), set->member[i].key, set->member[i].regulator};
    *out = (struct bundle_channel){.id = genesis_channel_id(g, founding),
                                   .name = founding->name,
                                   .origin = slice_str(set->origin),
                                   .epoch = set->epoch,
                                   .validators = v,
                                   .validator_count = set->n,
                                   .quorum = set->quorum.q,
                                   .regulators_min = set->k};
    return ERR_OK;
}

enum err_code trust_network(const struct genesis *g, struct arena *a, struct bundle_network *out, struct err *e) {
    uint32_t channels = genesis_channel_count(g), nodes = genesis_node_count(g), i;
    struct bundle_channel *c = arena_alloc(a, channels, sizeof *c);
    struct bundle_submitter *s = arena_alloc(a, nodes, sizeof *s);
    if (!c || !s)
        return err_set(e, ERR_NO_MEMORY, "no memory for the network");
    *out = (struct bundle_network){.id = g->id,
                                   .name = g->body.network,
                                   .channels = c,
                                   .channel_count = channels,
                                   .parent = channels,
                                   .submitters = s,
                                   .submitter_count = nodes};
    for (i = 0; i < channels; i++) {
        const struct genesis_channel *founding = genesis_channel_at(g, i);
        enum err_code rc = trust_fill(g, founding, a, &c[i], e);
        if (rc != ERR_OK)
            return rc;
        if (founding->parent)
            out->parent = i;
    }
    for (i = 0; i < nodes; i++) {
        const struct genesis_node *n = genesis_node_at(g, i);
        memcpy(s[i].key.b, n->submit, sizeof s[i].key.b);
        s[i].node = n->id;
        s[i].org = n->org;
    }
    return ERR_OK;
}

const struct bundle_channel *trust_channel(const struct bundle_network *net, struct slice name) {
    size_t i;
    for (i = 0; i < net->channel_count; i++)
        if (slice_eq(net->channels[i].name, name))
            return &net->channels[i];
    return NULL;
}

/* The channel whose checkpoints begin with this line. */
static enum err_code trust_origin(const struct genesis *g, struct slice origin, struct set *set,
                                  const struct genesis_channel **out, struct err *e) {
    uint32_t i;
    for (i = 0; i < genesis_channel_count(g); i++) {
        enum err_code rc = channel_founding_set(g, genesis_channel_at(g, i), set, e);
        if (rc != ERR_OK)
            return rc;
        if (slice_eq_str(origin, set->origin)) {
            *out = genesis_channel_at(g, i);
            return ERR_OK;
        }
    }
    return err_set(e, ERR_WRONG_NETWORK, "\"%.*s\" is no channel of network %.*s",
                   (int)(origin.len < 128 ? origin.len : 128), (const char *)origin.ptr, SLICE_ARG(g->body.network));
}

static enum err_code trust_note(const struct genesis *g, struct slice bytes, struct checkpoint_read *cp,
                                struct trust_signed *out, struct err *e) {
    struct note_key keys[LIMIT_VALIDATORS];
    const struct genesis_channel *founding = NULL;
    struct note_signed by;
    struct note note;
    struct set set;
    uint32_t i;
    enum err_code rc;
    if ((rc = note_parse(bytes, &note, e)) != ERR_OK || (rc = checkpoint_read_final(note.text, cp, e)) != ERR_OK ||
        (rc = trust_origin(g, cp->origin, &set, &founding, e)) != ERR_OK)
        return rc;
    for (i = 0; i < set.n; i++)
        if ((rc = note_key_make(slice_str(set.member[i].name), NOTE_ED25519, &set.member[i].key, &keys[i], e)) !=
            ERR_OK)
            return rc;
    if ((rc = note_verify(&note, keys, set.n, &by, e)) != ERR_OK)
        return rc;
    if (cp->epoch != set.epoch)
        return err_set(e, ERR_PROOF, "the checkpoint is of epoch %llu, genesis names the validators of epoch %llu",
                       (unsigned long long)cp->epoch, (unsigned long long)set.epoch);
    if (!set_is_quorum(&set, (uint32_t)by.by, true))
        return err_set(e, ERR_PROOF, "only %u of the %u needed validators have signed, or too few regulators", by.count,
                       set.quorum.q);
    *out = (struct trust_signed){.size = cp->size, .signers = by.count, .channel = founding->name};
    for (i = 0; i < set.n; i++)
        out->regulators += (by.by >> i & 1) && set.member[i].regulator;
    return ERR_OK;
}

enum err_code trust_checkpoint(const struct genesis *g, struct slice note, struct trust_signed *out, struct err *e) {
    struct checkpoint_read cp;
    return trust_note(g, note, &cp, out, e);
}

enum err_code trust_proof(const struct genesis *g, struct slice text, const struct digest *leaf, uint64_t *index,
                          struct trust_signed *out, struct err *e) {
    struct checkpoint_read cp;
    struct proof p;
    enum err_code rc = proof_read(text, &p, e);
    if (rc != ERR_OK || (rc = trust_note(g, p.checkpoint, &cp, out, e)) != ERR_OK)
        return rc;
    *index = p.index;
    return tree_verify_inclusion(leaf, p.index, cp.size, p.path.hash, p.path.count, &cp.root, e);
}
