/* ledger/index.c -- following the chain, committing segments, views. See index.h.
 * The commit point is one mdb_txn_commit in index_flush: terms, times, hashes, kinds, sources, segment and state
 * together. Until then a step only reads; kill -9 anywhere loses the open segment, which is read again. */
#include "ledger/index_inner.h"

#include "wire/mem.h"

enum { INDEX_SEGMENT_LIMIT = 1 << 20 };

/* Back to what is committed: the open segment is dropped. */
static void index_rewind(struct index *ix) {
    completeness_book_clear(&ix->book);
    index_build_start(&ix->build, ix->state.entries, ix->state.height, &ix->state.hash);
}

static enum err_code index_restart(struct index *ix, struct err *e) {
    enum err_code code = index_store_clear(&ix->store, e);
    if (code != ERR_OK)
        return code;
    ix->state = (struct index_state){.channel = ix->options.channel};
    ix->checked = true;
    atomic_store(&ix->store.damaged, false);
    index_rewind(ix);
    return ERR_OK;
}

/* The committed state; anything unreadable or foreign is CORRUPT. */
static enum err_code index_load(struct index *ix, struct err *e) {
    struct index_segment *list;
    MDB_txn *txn;
    uint32_t n;
    enum err_code code;
    ix->state = (struct index_state){.channel = ix->options.channel};
    if ((code = index_store_read(&ix->store, &txn, e)) != ERR_OK)
        return code;
    code = index_store_state(&ix->store, txn, &ix->state, e);
    if (code == ERR_NOT_FOUND) {
        code = ERR_OK;
    } else if (code == ERR_OK && !digest_eq(&ix->state.channel, &ix->options.channel)) {
        code = err_set(e, ERR_CORRUPT, "index: of another channel");
    } else if (code == ERR_OK) {
        code = index_segment_list(&ix->store, txn, ix->state.entries, &list, &n, e);
        if (code == ERR_OK)
            mem_free(list);
    }
    index_store_read_end(&ix->store, txn);
    return code;
}

enum err_code index_open(struct index **out, const struct index_options *o, bool *rebuilt, struct err *e) {
    struct index *ix = mem_zalloc(1, sizeof *ix);
    enum err_code code;
    bool remade = false;
    *out = NULL;
    if (!ix)
        return err_set(e, ERR_NO_MEMORY, "index");
    ix->options = *o;
    ix->options.path = NULL;
    if (ix->options.flush_entries == 0)
        ix->options.flush_entries = INDEX_FLUSH_ENTRIES;
    if (ix->options.segment_entries == 0)
        ix->options.segment_entries = INDEX_SEGMENT_ENTRIES;
    if (ix->options.fan == 0)
        ix->options.fan = INDEX_FAN;
    ERR_ASSERT(ix->options.segment_entries <= INDEX_SEGMENT_LIMIT && ix->options.fan >= 2 && ix->options.fan <= 64);
    if ((code = index_store_open(&ix->store, o->path, o->map_size, &remade, e)) != ERR_OK) {
        mem_free(ix);
        return code;
    }
    index_build_init(&ix->build);
    completeness_book_init(&ix->book);
    if ((code = index_load(ix, e)) == ERR_CORRUPT) {
        remade = true;
        code = index_restart(ix, e);
    }
    if (code != ERR_OK) {
        index_close(ix);
        return code;
    }
    index_rewind(ix);
    if (rebuilt)
        *rebuilt = remade;
    *out = ix;
    return ERR_OK;
}

void index_close(struct index *ix) {
    if (!ix)
        return;
    ERR_ASSERT(ix->store.readers == 0);
    index_build_release(&ix->build);
    completeness_book_release(&ix->book);
    index_store_close(&ix->store);
    mem_free(ix);
}

void index_mark_damaged(struct index *ix) {
    atomic_store(&ix->store.damaged, true);
}

static enum err_code flush_terms(struct index *ix, MDB_txn *txn, struct index_segment *seg, struct err *e) {
    struct index_pack_writer w;
    const struct index_build *b = &ix->build;
    enum err_code code = ERR_OK;
    size_t i;
    index_pack_begin(&w, &ix->store, txn, seg->id);
    for (i = 0; i < b->term_count && code == ERR_OK; i++)
        code = index_pack_add(&w, slice_of(b->terms[i].ptr, b->terms[i].len), b->terms[i].post.count,
                              slice_of(b->terms[i].post.ptr, b->terms[i].post.len), e);
    if (code == ERR_OK)
        code = index_pack_end(&w, e);
    seg->terms = w.terms;
    seg->bytes = w.bytes;
    index_pack_release(&w);
    return code;
}

static enum err_code flush_kinds(struct index *ix, MDB_txn *txn, struct err *e) {
    enum err_code code = ERR_OK;
    uint8_t key[8], kind;
    size_t i;
    for (i = 0; i < ix->build.kind_count && code == ERR_OK; i++) {
        index_store_be64(key, ix->build.kinds[i].number);
        kind = (uint8_t)ix->build.kinds[i].kind;
        code = index_store_put(&ix->store, txn, INDEX_DB_KINDS, slice_of(key, sizeof key), slice_of(&kind, 1),
                               MDB_APPEND, e);
    }
    return code;
}

static enum err_code flush_write(struct index *ix, MDB_txn *txn, struct index_state *state, struct err *e) {
    const struct index_build *b = &ix->build;
    struct index_segment seg = {.id = state->next_segment,
                                .first = b->first,
                                .count = b->count,
                                .time_min = b->time_min,
                                .time_max = b->time_max};
    enum err_code code;
    if (b->count) {
        if ((code = flush_terms(ix, txn, &seg, e)) != ERR_OK ||
            (code = index_segment_put(&ix->store, txn, &seg, e)) != ERR_OK ||
            (code = index_column_put_times(&ix->store, txn, b->first, b->times, b->count, e)) != ERR_OK ||
            (code = index_column_put_leaves(&ix->store, txn, b->first, b->leaves, b->count, e)) != ERR_OK ||
            (code = flush_kinds(ix, txn, e)) != ERR_OK ||
            (code = completeness_book_write(&ix->book, &ix->store, txn, e)) != ERR_OK)
            return code;
        state->next_segment++;
    }
    state->entries = b->first + b->count;
    state->height = b->height;
    state->hash = b->hash;
    return index_store_set_state(&ix->store, txn, state, e);
}

/* Commits the open segment and begins the next. */
static enum err_code index_flush(struct index *ix, struct err *e) {
    struct index_state state;
    MDB_txn *txn;
    enum err_code code, grown;
    int rc;
    if ((code = index_build_sort(&ix->build, e)) != ERR_OK)
        return code;
    do {
        state = ix->state;
        if ((rc = mdb_txn_begin(ix->store.env, NULL, 0, &txn)))
            return index_store_error(&ix->store, rc, "index: writing", e);
        if ((code = flush_write(ix, txn, &state, e)) != ERR_OK)
            mdb_txn_abort(txn);
        else if ((rc = mdb_txn_commit(txn))) /* the commit point; it syncs */
            code = index_store_error(&ix->store, rc, "index: commit", e);
        if (code == ERR_FULL && (grown = index_store_grow(&ix->store, e)) != ERR_OK)
            return grown;
    } while (code == ERR_FULL);
    if (code == ERR_OK) {
        ix->state = state;
        index_rewind(ix);
    }
    return code;
}

/* Was the index made from this very chain? A store that was restored to an older state may be shorter. */
static enum err_code step_check_chain(struct index *ix, const struct index_source *src, struct err *e) {
    struct index_block block;
    enum err_code code;
    if (ix->checked || ix->state.height == 0)
        return ERR_OK;
    code = src->block(src->ctx, ix->state.height, &block, e);
    if (code == ERR_NOT_FOUND || (code == ERR_OK && (!digest_eq(&block.hash, &ix->state.hash) ||
                                                     block.first + block.entries != ix->state.entries)))
        return err_set(e, ERR_CORRUPT, "index: not of this chain");
    ix->checked = code == ERR_OK;
    return code;
}

static enum err_code step_block(struct index *ix, const struct index_source *src, uint64_t height, uint32_t *read,
                                struct err *e) {
    struct index_build *b = &ix->build;
    struct index_block block;
    struct index_entry entry;
    struct index_doc doc;
    enum err_code code = src->block(src->ctx, height, &block, e);
    uint32_t i;
    if (code != ERR_OK)
        return code;
    if (block.first != b->first + b->count)
        return err_set(e, ERR_INTERNAL, "index: block %llu begins at entry %llu", (unsigned long long)height,
                       (unsigned long long)block.first);
    for (i = 0; i < block.entries; i++) {
        if ((code = src->entry(src->ctx, block.first + i, &entry, e)) != ERR_OK ||
            (code = index_build_add(b, &entry, &doc, e)) != ERR_OK ||
            (code = completeness_book_note(&ix->book, &ix->store, &doc, e)) != ERR_OK)
            return code;
    }
    b->height = height;
    b->hash = block.hash;
    *read += block.entries;
    return ERR_OK;
}

static enum err_code step_follow(struct index *ix, const struct index_source *src, uint32_t entries_max, bool flush,
                                 struct index_progress *out, struct err *e) {
    struct index_build *b = &ix->build;
    struct index_tip tip;
    enum err_code code;
    uint32_t read = 0;
    if ((code = step_check_chain(ix, src, e)) != ERR_OK || (code = src->tip(src->ctx, &tip, e)) != ERR_OK)
        return code;
    while (b->height < tip.height && (read < entries_max || read == 0)) {
        if ((code = step_block(ix, src, b->height + 1, &read, e)) != ERR_OK)
            return code;
        if (b->count >= ix->options.flush_entries) {
            if ((code = index_flush(ix, e)) != ERR_OK)
                return code;
            out->flushed = true;
        }
    }
    if (flush && b->height == tip.height && b->height > ix->state.height) {
        if ((code = index_flush(ix, e)) != ERR_OK)
            return code;
        out->flushed = true;
    }
    out->behind = tip.entries > ix->state.entries ? tip.entries - ix->state.entries : 0;
    return ERR_OK;
}

enum err_code index_step(struct index *ix, const struct index_source *src, uint32_t entries_max, bool flush,
                         struct index_progress *out, struct err *e) {
    enum err_code code;
    memset(out, 0, sizeof *out);
    code = atomic_load(&ix->store.damaged) ? ERR_CORRUPT : step_follow(ix, src, entries_max, flush, out, e);
    if (code == ERR_CORRUPT) { /* derived data: thrown away, never repaired */
        memset(out, 0, sizeof *out);
        out->restarted = true;
        if ((code = index_restart(ix, e)) == ERR_OK)
            code = step_follow(ix, src, entries_max, flush, out, e);
    }
    out->height = ix->state.height;
    out->entries = ix->state.entries;
    if (code != ERR_OK)
        index_rewind(ix);
    return code;
}

/* -- views -- */

static enum err_code view_load(struct index_view *v, struct err *e) {
    struct index_store *s = &v->ix->store;
    enum err_code code;
    int rc;
    if ((code = index_store_read(s, &v->txn, e)) != ERR_OK)
        return code;
    if ((code = index_store_state(s, v->txn, &v->state, e)) != ERR_OK)
        return code;
    if ((rc = mdb_cursor_open(v->txn, s->dbi[INDEX_DB_TERMS], &v->cursor)))
        return index_store_error(s, rc, "index: cursor", e);
    return index_segment_list(s, v->txn, v->state.entries, &v->segments, &v->count, e);
}

static void view_unload(struct index_view *v) {
    if (v->cursor)
        mdb_cursor_close(v->cursor);
    if (v->txn)
        index_store_read_end(&v->ix->store, v->txn);
    mem_free(v->segments);
    v->cursor = NULL;
    v->txn = NULL;
    v->segments = NULL;
    v->count = 0;
    memset(&v->state, 0, sizeof v->state);
}

enum err_code index_view_open(struct index *ix, struct index_view **out, struct err *e) {
    struct index_view *v = mem_zalloc(1, sizeof *v);
    enum err_code code;
    *out = NULL;
    if (!v)
        return err_set(e, ERR_NO_MEMORY, "index: view");
    v->ix = ix;
    if (!atomic_load(&ix->store.damaged)) {
        code = view_load(v, e);
        if (code == ERR_NOT_FOUND || code == ERR_CORRUPT) {
            view_unload(v);
        } else if (code != ERR_OK) {
            index_view_close(v);
            return code;
        }
    }
    *out = v;
    return ERR_OK;
}

void index_view_close(struct index_view *v) {
    if (!v)
        return;
    view_unload(v);
    mem_free(v);
}

uint64_t index_view_entries(const struct index_view *v) {
    return v->state.entries;
}
uint64_t index_view_height(const struct index_view *v) {
    return v->state.height;
}
uint32_t index_view_segments(const struct index_view *v) {
    return v->count;
}

enum err_code index_view_time(struct index_view *v, uint64_t number, int64_t *out, struct err *e) {
    return index_column_time(&v->ix->store, v->txn, &v->times, number, out, e);
}

enum err_code index_governance(struct index_view *v, uint32_t kinds, uint64_t from, index_governance_fn *each,
                               void *ctx, struct err *e) {
    struct index_store *s = &v->ix->store;
    uint8_t key[8];
    MDB_val k = {sizeof key, key}, value;
    MDB_cursor *c;
    struct slice kind;
    enum err_code code = ERR_OK;
    int rc;
    if (!v->txn)
        return ERR_OK;
    if ((rc = mdb_cursor_open(v->txn, s->dbi[INDEX_DB_KINDS], &c)))
        return index_store_error(s, rc, "index: cursor", e);
    index_store_be64(key, from);
    for (rc = mdb_cursor_get(c, &k, &value, MDB_SET_RANGE); rc == 0; rc = mdb_cursor_get(c, &k, &value, MDB_NEXT)) {
        if ((code = index_store_verify(s, &k, &value, &kind, e)) != ERR_OK)
            break;
        if (kind.len != 1 || k.mv_size != 8 || kind.ptr[0] > 31) {
            code = index_store_error(s, MDB_CORRUPTED, "index: kinds", e);
            break;
        }
        if ((kinds >> kind.ptr[0] & 1) && !each(ctx, buf_get64(k.mv_data), (enum entry_kind)kind.ptr[0]))
            break;
    }
    mdb_cursor_close(c);
    return code != ERR_OK || rc == 0 || rc == MDB_NOTFOUND ? code : index_store_error(s, rc, "index: kinds", e);
}

enum err_code index_tree_hashes(struct index_view *v, unsigned level, uint64_t first, uint32_t count,
                                struct digest *out, struct err *e) {
    uint64_t have = v->state.entries;
    if (level >= INDEX_COLUMN_LEVELS || !v->txn)
        return err_set(e, ERR_NOT_FOUND, "index: no such level of the tree");
    have >>= 8 * level;
    if (first > have || count > have - first)
        return err_set(e, ERR_NOT_FOUND, "index: the tree is indexed up to %llu", (unsigned long long)have);
    return index_column_hashes(&v->ix->store, v->txn, level, first, count, out, e);
}

enum err_code index_check(struct index *ix, struct err *e) {
    struct index_view *v;
    struct index_store *s = &ix->store;
    MDB_cursor *c;
    MDB_val k, value;
    struct slice out;
    enum err_code code;
    int i, rc;
    if ((code = index_view_open(ix, &v, e)) != ERR_OK)
        return code;
    if (atomic_load(&s->damaged))
        code = err_set(e, ERR_CORRUPT, "index: damaged");
    for (i = 0; i < INDEX_DB_COUNT && code == ERR_OK && v->txn; i++) {
        if ((rc = mdb_cursor_open(v->txn, s->dbi[i], &c))) {
            code = index_store_error(s, rc, "index: cursor", e);
            break;
        }
        while (code == ERR_OK && (rc = mdb_cursor_get(c, &k, &value, MDB_NEXT)) == 0)
            code = index_store_verify(s, &k, &value, &out, e);
        mdb_cursor_close(c);
        if (code == ERR_OK && rc != MDB_NOTFOUND)
            code = index_store_error(s, rc, "index: checking", e);
    }
    index_view_close(v);
    return code;
}
