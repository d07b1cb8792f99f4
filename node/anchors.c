/* node/anchors.c -- see anchors.h. */
#include "node/anchors.h"

#include "ledger/index_tree.h"
#include "ledger/tree.h"
#include "node/clock.h"
#include "node/desk.h"
#include "node/log.h"
#include "node/mailbox.h"
#include "node/source.h"
#include "wire/cert.h"
#include "wire/mem.h"

#include <pthread.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>

#define ANCHORS_POSITION "anchors"
enum {
    ANCHORS_TICK_MS = 200,
    ANCHORS_GRANT_MS = 20000, /* before a grant that did not become final is tried anew */
    ANCHORS_AHEAD_MS = 60000, /* how long an anchor may be ahead of the own ledger */
    ANCHORS_STEP = 4096,      /* entries of the parent looked at in one turn */
    ANCHORS_SAVE_MS = 60000
};

struct anchors_seen {
    uint64_t number, period, tree_size;
};

struct anchors_channel { /* the thread's, but for what is marked */
    struct node_channel *c;
    uint64_t pace;
    size_t index, count; /* own place among the members */
    struct source src;
    bool open;
    uint64_t epoch; /* of the key; 0: none */
    int64_t grant_ms;
    uint64_t posted;  /* newest period that this node posted for */
    uint64_t checked; /* entries of the parent looked at */
    uint64_t saved;
    int64_t saved_ms, ahead_since_ms, key_since;
    uint8_t *key;                           /* [lock] ANCHOR_KEY_SIZE, guarded */
    struct anchors_seen seen[ANCHORS_KEPT]; /* [lock] a ring */
    uint64_t seen_count;                    /* [lock] ever */
};

struct anchors {
    struct node *n;
    struct node_channel *parent;
    struct source parent_src;
    bool parent_open;
    struct mailbox *box;
    pthread_t thread;
    pthread_mutex_t lock;
    bool started;
    struct anchors_channel *channels;
    size_t count;
    struct arena arena;
    struct buf entry, text;
};

/* ---- pure ---- */

bool anchors_turn(uint64_t period, size_t index, size_t count, int64_t into_ms, uint64_t pace_ms) {
    uint64_t after = (index + count - (size_t)(period % count)) % count; /* places behind the one whose turn it is */
    return after < 4 && into_ms >= 0 && (uint64_t)into_ms >= after * (pace_ms / 4);
}

enum err_code anchors_check(struct slice text, struct slice origin, struct checkpoint *out,
                            enum err_code (*root_at)(void *ctx, uint64_t size, struct digest *root, struct err *e),
                            void *ctx, struct err *e) {
    struct slice told;
    struct digest root;
    enum err_code rc = checkpoint_read(text, &told, out, e);
    if (rc != ERR_OK)
        return rc;
    if (!slice_eq(told, origin))
        return err_set(e, ERR_WRONG_NETWORK, "it is of %.*s", SLICE_ARG(told));
    if ((rc = root_at(ctx, out->tree_size, &root, e)) != ERR_OK)
        return rc;
    if (!digest_eq(&root, &out->tree_root))
        return err_set(e, ERR_MISMATCH, "it tells another root of the first %llu entries than the ledger here has",
                       (unsigned long long)out->tree_size);
    return ERR_OK;
}

/* ---- reading ---- */

static bool anchors_look(struct source *src, bool *open, struct node_channel *c) {
    struct err e = {0};
    enum err_code rc = *open ? chain_reader_renew(src->reader, &e) : source_open(src, channel_store(c->channel), &e);
    if (rc != ERR_OK && rc != ERR_NOT_FOUND)
        log_err(channel_name(c->channel), "anchors: reading the ledger", &e);
    *open = *open || rc == ERR_OK;
    return rc == ERR_OK;
}

static enum err_code anchors_root_at(void *ctx, uint64_t size, struct digest *root, struct err *e) {
    struct anchors_channel *x = ctx;
    struct index_view *view = NULL;
    struct index_tree tree;
    struct tree_reader reader = {.ctx = &tree, .hashes = index_tree_read};
    enum err_code rc;
    if (size == 0 || size > chain_reader_tip(x->src.reader)->tree_size)
        return err_set(e, ERR_NOT_FOUND, "it tells of %llu entries, the ledger here has %llu", (unsigned long long)size,
                       (unsigned long long)chain_reader_tip(x->src.reader)->tree_size);
    if (index_view_open(channel_index(x->c->channel), &view, NULL) != ERR_OK)
        view = NULL;
    index_tree_init(&tree, view, &x->src.face);
    rc = tree_range_root(&reader, 0, size, root, e);
    index_view_close(view);
    return rc;
}

/* ---- the key ---- */

static enum err_code anchors_grant(struct anchors *a, struct anchors_channel *x, uint64_t epoch, struct err *e) {
    const struct genesis_node *nodes[LIMIT_MEMBERS];
    struct anchor_recipient to[LIMIT_MEMBERS];
    size_t n = genesis_members(&a->n->genesis, channel_founding(x->c->channel), nodes, LIMIT_MEMBERS);
    uint8_t key[ANCHOR_KEY_SIZE];
    struct slice bytes;
    enum err_code rc;
    for (size_t i = 0; i < n; i++)
        to[i] = (struct anchor_recipient){nodes[i]->id, nodes[i]->box};
    randombytes_buf(key, sizeof key);
    buf_clear(&a->entry);
    rc = anchor_grant_make(key, epoch, slice_str(a->n->id), to, n, &a->entry, e);
    sodium_memzero(key, sizeof key); /* it comes back by the entry */
    bytes = buf_slice(&a->entry);
    return rc == ERR_OK ? courier_append(x->c->courier, &bytes, 1, NULL, 0, e) : rc;
}

static void anchors_propose(struct anchors *a, struct anchors_channel *x, uint32_t severity, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
static void anchors_propose(struct anchors *a, struct anchors_channel *x, uint32_t severity, const char *fmt, ...) {
    struct desk_proposal p = {.severity = severity};
    va_list ap;
    snprintf(p.kind, sizeof p.kind, "anchor");
    snprintf(p.engine, sizeof p.engine, "anchors 1");
    va_start(ap, fmt);
    vsnprintf(p.text, sizeof p.text, fmt, ap);
    va_end(ap);
    desk_propose(a->n->desk, x->c, &p);
}

static void anchors_open_key(struct anchors *a, struct anchors_channel *x, const struct anchor_granted *g) {
    struct sealed_pair own = {.secret = a->n->keys.box_secret};
    struct chain_reader_entry r;
    struct entry entry;
    uint8_t key[ANCHOR_KEY_SIZE];
    struct err e = {0};
    enum err_code rc = chain_reader_entry(x->src.reader, g->number, &r, &e);
    if (rc == ERR_NOT_FOUND)
        return; /* the state is a moment ahead */
    memcpy(own.pub, a->n->keys.box_pub, SEALED_KEY_SIZE);
    if (rc == ERR_OK && (rc = entry_read(r.bytes, &entry, &e)) == ERR_OK)
        rc = anchor_grant_open(entry.body, slice_str(a->n->id), &own, key, &e);
    x->epoch = g->epoch; /* what does not open now never will */
    if (rc != ERR_OK) {
        log_err(channel_name(x->c->channel), "opening the anchor key", &e);
        anchors_propose(a, x, EVIDENCE_HIGH, "the anchor key granted in entry %llu does not open for node %s",
                        (unsigned long long)g->number, a->n->id);
        return;
    }
    pthread_mutex_lock(&a->lock);
    if (!x->key)
        x->key = sodium_malloc(ANCHOR_KEY_SIZE);
    if (x->key)
        memcpy(x->key, key, ANCHOR_KEY_SIZE);
    pthread_mutex_unlock(&a->lock);
    sodium_memzero(key, sizeof key);
    x->key_since = clock_wall_ms();
    log_line(LOG_INFO, channel_name(x->c->channel), "anchor key of epoch %llu received", (unsigned long long)g->epoch);
}

/* True: there is a key. */
static bool anchors_key(struct anchors *a, struct anchors_channel *x, const struct audit_state *state) {
    int64_t now = clock_monotonic_ms();
    struct anchor_granted g;
    struct err e = {0};
    if (anchor_granted(state, &g)) {
        if (g.epoch != x->epoch)
            anchors_open_key(a, x, &g);
    } else if (now >= x->grant_ms && desk_first_regulator(a->n, state)) {
        x->grant_ms = now + ANCHORS_GRANT_MS;
        if (anchors_grant(a, x, 1, &e) != ERR_OK)
            log_err(channel_name(x->c->channel), "granting the anchor key", &e);
    }
    return x->key != NULL;
}

/* ---- posting ---- */

/* The newest checkpoint text that is final, into a->text. */
static enum err_code anchors_text(struct anchors *a, struct anchors_channel *x, struct err *e) {
    const struct chain_tip *tip = chain_reader_tip(x->src.reader);
    struct checkpoint cp;
    struct cert cert;
    struct slice bytes;
    uint64_t at;
    enum err_code rc = chain_reader_cert(x->src.reader, tip->height, &at, &bytes, e);
    if (rc != ERR_OK || (rc = cert_read(bytes, &cert, e)) != ERR_OK)
        return rc;
    cp = (struct checkpoint){.tree_size = cert.tree_size,
                             .tree_root = cert.tree_root,
                             .epoch = cert.epoch,
                             .view = cert.view,
                             .pid = cert.pid};
    buf_clear(&a->text);
    checkpoint_text(slice_str(channel_set(x->c->channel)->origin), &cp, &a->text);
    return buf_check(&a->text, e);
}

static void anchors_post(struct anchors *a, struct anchors_channel *x, const struct anchor_last *last) {
    int64_t now = clock_wall_ms();
    uint64_t period = (uint64_t)now / x->pace;
    struct slice bytes;
    struct err e = {0};
    enum err_code rc;
    if (last->period >= period || x->posted >= period || chain_reader_tip(x->src.reader)->tree_size == 0 ||
        !anchors_turn(period, x->index, x->count, (int64_t)((uint64_t)now % x->pace), x->pace))
        return;
    x->posted = period;
    buf_clear(&a->entry);
    rc = anchors_text(a, x, &e);
    if (rc == ERR_OK)
        rc = anchor_make(x->key, channel_id(x->c->channel), period, buf_slice(&a->text), &a->entry, &e);
    bytes = buf_slice(&a->entry);
    if (rc == ERR_OK)
        rc = courier_append(a->parent->courier, &bytes, 1, NULL, 0, &e);
    if (rc != ERR_OK && rc != ERR_NOT_FOUND)
        log_line(LOG_WARN, channel_name(x->c->channel), "no anchor in period %llu: %s", (unsigned long long)period,
                 e.text);
}

/* ---- watching ---- */

/* NOT_FOUND: the anchor is ahead of this node's ledger. */
static enum err_code anchors_verify(struct anchors *a, struct anchors_channel *x, const struct anchor *an,
                                    uint64_t number, struct err *e) {
    uint8_t nonce[DIGEST_SIZE];
    struct checkpoint cp;
    enum err_code rc;
    buf_clear(&a->text);
    if ((rc = anchor_open(x->key, an, &a->text, nonce, e)) == ERR_OK)
        rc = anchors_check(buf_slice(&a->text), slice_str(channel_set(x->c->channel)->origin), &cp, anchors_root_at, x,
                           e);
    if (rc != ERR_OK)
        return rc;
    pthread_mutex_lock(&a->lock);
    x->seen[x->seen_count++ % ANCHORS_KEPT] = (struct anchors_seen){number, an->period, cp.tree_size};
    pthread_mutex_unlock(&a->lock);
    return ERR_OK;
}

/* One entry of the parent; false: stop here for now. */
static bool anchors_see(struct anchors *a, struct anchors_channel *x, uint64_t number) {
    struct chain_reader_entry r;
    struct entry entry;
    struct anchor an;
    struct err e = {0};
    int64_t now = clock_monotonic_ms();
    enum err_code rc = chain_reader_entry(a->parent_src.reader, number, &r, &e);
    if (rc != ERR_OK)
        return false;
    if (entry_read(r.bytes, &entry, &e) != ERR_OK || entry.kind != ENTRY_ANCHOR)
        return true;
    arena_clear(&a->arena);
    if (anchor_read(entry.body, &a->arena, &an, &e) != ERR_OK ||
        memcmp(an.channel, channel_id(x->c->channel)->b, DIGEST_SIZE) != 0)
        return true;
    rc = anchors_verify(a, x, &an, number, &e);
    if (rc == ERR_NOT_FOUND) { /* we may be behind */
        if (x->ahead_since_ms == 0)
            x->ahead_since_ms = now;
        if (now - x->ahead_since_ms < ANCHORS_AHEAD_MS)
            return false;
    }
    x->ahead_since_ms = 0;
    if (rc == ERR_NOT_FOUND)
        anchors_propose(a, x, EVIDENCE_HIGH,
                        "anchor of period %llu (parent entry %llu) tells of entries that never became final",
                        (unsigned long long)an.period, (unsigned long long)number);
    else if (rc != ERR_OK && err_class_of(rc) != ERR_CLASS_FATAL)
        anchors_propose(a, x, EVIDENCE_CRITICAL, "anchor of period %llu (parent entry %llu) is wrong: %s",
                        (unsigned long long)an.period, (unsigned long long)number, e.text);
    if (rc != ERR_OK)
        log_line(LOG_WARN, channel_name(x->c->channel), "anchor in the parent's entry %llu: %s: %s",
                 (unsigned long long)number, err_name(rc), e.text);
    return true;
}

static void anchors_save(struct anchors_channel *x) {
    struct outbox_position p = {.source = slice_str(ANCHORS_POSITION)};
    int64_t now = clock_monotonic_ms();
    struct buf b;
    if (x->checked == x->saved || now - x->saved_ms < ANCHORS_SAVE_MS)
        return;
    x->saved_ms = now;
    buf_init(&b, 8);
    buf_be64(&b, x->checked);
    p.position = buf_slice(&b);
    if (outbox_append(courier_outbox(x->c->courier), NULL, 0, &p, 1, clock_wall_ms(), NULL) == ERR_OK)
        x->saved = x->checked;
    buf_release(&b);
}

static void anchors_restore(struct anchors_channel *x) {
    struct buf b;
    buf_init(&b, OUTBOX_POSITION_MAX);
    if (outbox_position_get(courier_outbox(x->c->courier), slice_str(ANCHORS_POSITION), &b, NULL) == ERR_OK &&
        b.len == 8)
        x->checked = x->saved = buf_get64(b.ptr);
    buf_release(&b);
    x->saved_ms = clock_monotonic_ms();
}

static void anchors_watch(struct anchors *a, struct anchors_channel *x, const struct anchor_last *last) {
    uint64_t tip = chain_reader_tip(a->parent_src.reader)->tree_size, stop = x->checked + ANCHORS_STEP;
    int64_t now = clock_wall_ms(), patience = (int64_t)(ANCHORS_MISSING + 1) * (int64_t)x->pace;
    uint64_t period = (uint64_t)now / x->pace;
    if (x->checked > tip)
        x->checked = 0; /* a parent that was restored */
    while (x->checked < tip && x->checked < stop && anchors_see(a, x, x->checked))
        x->checked++;
    anchors_save(x);
    /* The poster of a moment ago may be us: nobody is blamed before this node itself has been up so long. */
    if (now - a->n->started < patience || now - x->key_since < patience ||
        chain_reader_tip(x->src.reader)->tree_size == 0 || last->period + ANCHORS_MISSING >= period)
        return;
    if (last->period)
        anchors_propose(a, x, EVIDENCE_HIGH, "no anchor on the parent for %d periods and more after period %llu",
                        ANCHORS_MISSING, (unsigned long long)last->period);
    else
        anchors_propose(a, x, EVIDENCE_HIGH, "no anchor on the parent at all, %d periods after the key was granted",
                        ANCHORS_MISSING);
}

/* ---- the thread ---- */

static void anchors_turn_of(struct anchors *a, struct anchors_channel *x) {
    struct audit_state *state = channel_audit(x->c->channel), *parent = channel_audit(a->parent->channel);
    struct anchor_last last = {.period = 0};
    (void)anchor_last(parent, channel_id(x->c->channel), &last);
    /* A channel without a block has no reader yet; its key comes first of all. */
    if (!anchors_look(&x->src, &x->open, x->c)) {
        if (channel_tip(x->c->channel).height == 0)
            (void)anchors_key(a, x, state);
    } else if (anchors_key(a, x, state)) {
        anchors_post(a, x, &last);
        if (a->parent_open)
            anchors_watch(a, x, &last);
    }
    if (x->open)
        chain_reader_pause(x->src.reader);
    audit_state_release(state);
    audit_state_release(parent);
}

static void *anchors_run(void *arg) {
    struct anchors *a = arg;
    for (;;) {
        struct mail *m = mailbox_take(a->box, clock_monotonic_ms() + ANCHORS_TICK_MS, 1);
        if (m) {
            mailbox_mail_free(m);
            return NULL;
        }
        (void)anchors_look(&a->parent_src, &a->parent_open, a->parent);
        for (size_t i = 0; i < a->count; i++)
            anchors_turn_of(a, &a->channels[i]);
        if (a->parent_open)
            chain_reader_pause(a->parent_src.reader);
    }
}

static void anchors_setup(struct anchors *a) {
    const struct genesis_node *nodes[LIMIT_MEMBERS];
    for (size_t i = 0; i < a->n->channel_count; i++) {
        struct node_channel *c = &a->n->channels[i];
        const struct genesis_channel *f = channel_founding(c->channel);
        struct anchors_channel *x = &a->channels[a->count];
        if (f->parent)
            a->parent = c;
        if (f->parent || f->anchor_ms == 0)
            continue;
        x->c = c;
        x->pace = f->anchor_ms;
        x->count = genesis_members(&a->n->genesis, f, nodes, LIMIT_MEMBERS);
        for (x->index = 0; x->index < x->count && nodes[x->index] != a->n->self; x->index++) {
        }
        anchors_restore(x);
        a->count++;
    }
}

enum err_code anchors_start(struct node *n, struct anchors **out, struct err *e) {
    struct anchors *a = mem_zalloc(1, sizeof *a);
    if (!a)
        return err_set(e, ERR_NO_MEMORY, "no memory for anchors");
    a->n = n;
    pthread_mutex_init(&a->lock, NULL);
    arena_init(&a->arena, 1 << 20);
    buf_init(&a->entry, LIMIT_ENTRY);
    buf_init(&a->text, CHECKPOINT_TEXT_MAX);
    a->channels = mem_zalloc(n->channel_count + 1, sizeof *a->channels);
    a->box = mailbox_new(4, 64, e);
    if (!a->channels || !a->box)
        goto out;
    anchors_setup(a);
    if (a->parent && a->count) {
        if (pthread_create(&a->thread, NULL, anchors_run, a) != 0)
            goto out;
        a->started = true;
    }
    *out = a;
    return ERR_OK;
out:
    anchors_stop(a);
    return err_set(e, ERR_NO_MEMORY, "no memory for anchors");
}

void anchors_stop(struct anchors *a) {
    if (!a)
        return;
    if (a->started) {
        while (mailbox_put(a->box, 1, -1, slice_none(), NULL, true, NULL) != ERR_OK) {
            struct timespec t = {.tv_nsec = 10000000};
            nanosleep(&t, NULL);
        }
        pthread_join(a->thread, NULL);
    }
    for (size_t i = 0; a->channels && i < a->count; i++) {
        if (a->channels[i].open)
            source_close(&a->channels[i].src);
        sodium_free(a->channels[i].key);
    }
    if (a->parent_open)
        source_close(&a->parent_src);
    pthread_mutex_destroy(&a->lock);
    mailbox_free(a->box);
    mem_free(a->channels);
    arena_release(&a->arena);
    buf_release(&a->entry);
    buf_release(&a->text);
    mem_free(a);
}

/* ---- for others ---- */

/* The kept one, and a copy of the key. */
static bool anchors_pick(struct anchors *a, const struct node_channel *c, uint64_t size, struct anchors_seen *out,
                         uint8_t key[ANCHOR_KEY_SIZE]) {
    bool found = false;
    pthread_mutex_lock(&a->lock);
    for (size_t i = 0; i < a->count && !found; i++) {
        struct anchors_channel *x = &a->channels[i];
        uint64_t first = x->seen_count > ANCHORS_KEPT ? x->seen_count - ANCHORS_KEPT : 0;
        if (x->c != c || !x->key)
            continue;
        for (uint64_t k = first; k < x->seen_count && !found; k++) {
            *out = x->seen[k % ANCHORS_KEPT];
            found = out->tree_size >= size;
        }
        memcpy(key, x->key, ANCHOR_KEY_SIZE);
    }
    pthread_mutex_unlock(&a->lock);
    return found;
}

enum err_code anchors_opening(struct anchors *a, const struct node_channel *c, uint64_t size,
                              struct anchors_opening *out, struct err *e) {
    uint8_t key[ANCHOR_KEY_SIZE];
    struct anchors_seen seen;
    struct chain_reader *r = NULL;
    struct chain_reader_entry x;
    struct entry entry;
    struct anchor an;
    struct arena arena;
    struct buf text;
    enum err_code rc;
    if (!a || !anchors_pick(a, c, size, &seen, key))
        return err_set(e, ERR_NOT_FOUND, "no anchor covers %llu entries of channel %s yet", (unsigned long long)size,
                       channel_name(c->channel));
    arena_init(&arena, 1 << 20);
    buf_init(&text, CHECKPOINT_TEXT_MAX);
    if ((rc = chain_reader_open(channel_store(a->parent->channel), &r, e)) == ERR_OK &&
        (rc = chain_reader_entry(r, seen.number, &x, e)) == ERR_OK && (rc = entry_read(x.bytes, &entry, e)) == ERR_OK &&
        (rc = anchor_read(entry.body, &arena, &an, e)) == ERR_OK)
        rc = anchor_open(key, &an, &text, out->nonce, e);
    sodium_memzero(key, sizeof key);
    if (rc == ERR_OK) {
        out->number = seen.number;
        out->period = seen.period;
        out->tree_size = seen.tree_size;
        memcpy(out->text, text.ptr, text.len);
        out->text_len = text.len;
    }
    chain_reader_close(r);
    arena_release(&arena);
    buf_release(&text);
    return rc;
}
