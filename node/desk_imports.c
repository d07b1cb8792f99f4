/* node/desk_imports.c -- brings what is published on the parent into the channels; see desk.h, D3 and PROTOCOL 11.8.
 * What is to be imported follows from the two states: a version that the parent has and the channel has not. One at a
 * time, in the parent's order: the next one may supersede it. */
#include "node/desk_inner.h"

#include "audit/import.h"
#include "node/clock.h"
#include "node/log.h"
#include "node/reading.h"

#include <sodium.h>

static struct desk_channel *desk_parent(struct desk *d) {
    for (size_t i = 0; i < d->n->channel_count; i++)
        if (channel_founding(d->n->channels[i].channel)->parent)
            return &d->channels[i];
    return NULL;
}

/* The parent's entry with its proof under the oldest checkpoint that covers it; *im borrows from the arena and cp. */
static enum err_code desk_import_prove(struct desk *d, struct reading *r, uint64_t number,
                                       struct reading_checkpoint *cp, struct import *im, struct err *e) {
    struct chain_reader_entry entry;
    struct tree_path path;
    struct slice *hashes = arena_alloc(&d->arena, TREE_PATH_MAX, sizeof *hashes);
    enum err_code rc;
    if (!hashes)
        return err_set(e, ERR_NO_MEMORY, "no memory for a proof");
    if ((rc = reading_checkpoint_over(r, number, cp, e)) != ERR_OK || (rc = reading_tree(r, e)) != ERR_OK)
        return rc;
    rc = tree_inclusion(&r->hashes, number, cp->cert.tree_size, &path, e);
    reading_tree_end(r);
    if (rc != ERR_OK || (rc = chain_reader_entry(r->src.reader, number, &entry, e)) != ERR_OK)
        return rc;
    for (unsigned i = 0; i < path.count; i++)
        hashes[i] = arena_copy(&d->arena, digest_slice(&path.hash[i]));
    *im = (struct import){.by = slice_str(d->n->id),
                          .entry = arena_copy(&d->arena, entry.bytes),
                          .index = number,
                          .note = buf_slice(&cp->note),
                          .path = {hashes, path.count}};
    randombytes_buf(im->nonce, sizeof im->nonce);
    return ERR_OK;
}

/* The IMPORT entry into d->entry, and would the channel take it? */
static enum err_code desk_import_make(struct desk *d, struct desk_channel *x, uint64_t number, struct err *e) {
    struct reading r = {0};
    struct reading_checkpoint cp = {.height = 0};
    struct audit_ctx ctx = {.submitter = audit_state_node(x->state, slice_str(d->n->id)), .time = clock_wall_ms()};
    struct import im;
    struct entry entry;
    const struct desk_channel *parent = desk_parent(d);
    enum err_code rc;
    if (!parent)
        return err_set(e, ERR_NOT_FOUND, "this node does not follow the parent");
    arena_clear(&d->arena);
    buf_clear(&d->entry);
    buf_init(&cp.note, IMPORT_NOTE);
    rc = reading_open(&r, parent->c->channel, e);
    if (rc == ERR_OK)
        rc = desk_import_prove(d, &r, number, &cp, &im, e);
    if (rc == ERR_OK) {
        entry_write(ENTRY_IMPORT, &import_schema, &im, &d->entry);
        rc = buf_check(&d->entry, e);
    }
    reading_close(&r);
    buf_release(&cp.note);
    ctx.entry = buf_slice(&d->entry);
    if (rc == ERR_OK && (rc = entry_read(ctx.entry, &entry, e)) == ERR_OK)
        rc = audit_check_entry(x->state, &ctx, &entry, NULL, e);
    return rc;
}

/* False: something is in the air, those behind it wait. */
static bool desk_import(struct desk *d, struct desk_channel *x, const struct audit_version *v) {
    const struct standard_entry *h = &v->std->head;
    struct desk_wait *w;
    struct err e = {0};
    if (!desk_take(x, v->std->hash.b, ENTRY_IMPORT, DESK_AGAIN_MS)) {
        w = desk_wait_of(x, v->std->hash.b, ENTRY_IMPORT);
        return w && w->bad;
    }
    w = desk_wait_of(x, v->std->hash.b, ENTRY_IMPORT);
    w->bad = desk_import_make(d, x, v->number, &e) != ERR_OK;
    if (!w->bad) {
        if (desk_hand_on(x, &d->entry, "an import"))
            log_line(LOG_INFO, channel_name(x->c->channel), "standard %.*s %.*s of the parent is brought in",
                     SLICE_ARG(h->id), SLICE_ARG(h->version));
        return false;
    }
    if (e.code == ERR_NOT_FOUND) { /* not committed yet where the reader looks */
        *w = (struct desk_wait){.kind = ENTRY_NONE};
        return false;
    }
    w->until_ms = clock_monotonic_ms() + DESK_IMPORT_MS;
    log_line(LOG_WARN, channel_name(x->c->channel), "standard %.*s %.*s of the parent cannot be imported: %s",
             SLICE_ARG(h->id), SLICE_ARG(h->version), e.text);
    return true;
}

void desk_imports(struct desk *d, struct desk_channel *x) {
    struct desk_channel *parent = desk_parent(d);
    const struct audit_version *v;
    size_t i, count;
    bool owed = false;
    if (!x->imports || !parent || x == parent || !parent->state)
        return;
    count = audit_state_versions(parent->state, &v);
    for (i = 0; i < count; i++) {
        const struct standard_entry *h = &v[i].std->head;
        if (v[i].revoked_at || v[i].suspended_at || audit_state_version(x->state, h->kind, h->id, h->version))
            continue;
        if (!owed && !desk_first_regulator(d->n, x->state))
            return; /* it may become one */
        owed = true;
        if (!desk_import(d, x, &v[i]))
            return;
    }
    x->imports = owed;
}
