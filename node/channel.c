/* node/channel.c -- a channel's life: opening, the thread's loop, closing. See channel.h. */
#include "node/channel_inner.h"
#include "node/clock.h"
#include "node/log.h"
#include "node/parent.h"
#include "wire/mem.h"

#include <stdio.h>
#include <unistd.h>

/* ---- the validator set ---- */

static uint32_t channel_org_index(const struct genesis *g, struct slice org) {
    uint32_t i;
    for (i = 0; i < genesis_org_count(g); i++)
        if (slice_eq(genesis_org_at(g, i)->id, org))
            return i;
    return UINT32_MAX;
}

/* The organisation at the end of the line of affiliation; genesis has no circle (genesis/check.h C2). */
static uint32_t channel_group(const struct genesis *g, const struct genesis_org *org) {
    while (org->affiliate_of.len)
        org = genesis_org_find(g, org->affiliate_of);
    return channel_org_index(g, org->id);
}

enum err_code channel_founding_set(const struct genesis *g, const struct genesis_channel *founding, struct set *out,
                                   struct err *e) {
    struct genesis_seat seats[LIMIT_VALIDATORS];
    size_t i, n = genesis_seats(g, founding, seats);
    memset(out, 0, sizeof *out);
    out->channel = genesis_channel_id(g, founding);
    snprintf(out->origin, sizeof out->origin, "assay/%.*s/%.*s", SLICE_ARG(g->body.network), SLICE_ARG(founding->name));
    out->epoch = 1;
    out->protocol = SET_PROTOCOL_VERSION;
    out->n = (uint32_t)n;
    out->k = (uint32_t)founding->k;
    for (i = 0; i < n; i++) {
        struct set_member *m = &out->member[i];
        snprintf(m->name, sizeof m->name, "%.*s", SLICE_ARG(seats[i].node->id));
        m->org = channel_org_index(g, seats[i].org->id);
        m->group = channel_group(g, seats[i].org);
        m->regulator = seats[i].regulator;
        memcpy(m->key.b, seats[i].node->consensus, SIGN_PUBLIC_SIZE);
    }
    return set_finish(out, e);
}

enum err_code channel_verify_cert(void *set, const struct header *h, const struct digest *hash, struct slice bytes,
                                  struct err *e) {
    struct cert cert;
    enum err_code rc = cert_read(bytes, &cert, e);
    if (rc != ERR_OK)
        return rc;
    if (cert.type != CERT_FINALIZE || cert.prop.height != h->height || !digest_eq(&cert.prop.block_hash, hash) ||
        cert.tree_size != h->tree_size || !digest_eq(&cert.tree_root, &h->tree_root))
        return err_set(e, ERR_PROOF, "the certificate is not of block %llu", (unsigned long long)h->height);
    return cert_verify(set, &cert, &cert_ed25519, NULL, e);
}

/* ---- opening ---- */

/* audit_policy.anchor_pace, by genesis. */
static uint64_t channel_anchor_pace(const void *genesis, const uint8_t id[DIGEST_SIZE], struct slice node) {
    const struct genesis *g = genesis;
    uint32_t i;
    for (i = 0; i < genesis_channel_count(g); i++) {
        const struct genesis_channel *ch = genesis_channel_at(g, i);
        struct digest d = genesis_channel_id(g, ch);
        if (memcmp(d.b, id, DIGEST_SIZE) == 0)
            return !ch->parent && genesis_is_member(ch, node) ? ch->anchor_ms : 0;
    }
    return 0;
}

enum err_code channel_audit_empty(struct channel *c, struct audit_state **out, struct err *e) {
    const struct genesis_node *nodes[LIMIT_MEMBERS];
    size_t i, n = genesis_members(c->o.genesis, c->o.founding, nodes, LIMIT_MEMBERS);
    struct audit_member *members = mem_zalloc(n, sizeof *members);
    struct audit_policy policy = {.members = members,
                                  .member_count = n,
                                  .parent = c->o.founding->parent,
                                  .verify_import = parent_verify_import,
                                  .verify_ctx = c->o.genesis,
                                  .anchor_pace = channel_anchor_pace,
                                  .anchor_ctx = c->o.genesis};
    enum err_code rc;
    if (!members)
        return err_set(e, ERR_NO_MEMORY, "no memory for %zu members", n);
    for (i = 0; i < n; i++) {
        enum genesis_role role = genesis_node_role(c->o.genesis, nodes[i]);
        members[i].node = nodes[i]->id;
        members[i].org = nodes[i]->org;
        members[i].role = role == GENESIS_ENTERPRISE  ? AUDIT_ENTERPRISE
                          : role == GENESIS_REGULATOR ? AUDIT_REGULATOR
                                                      : AUDIT_OBSERVER;
        memcpy(members[i].submit.b, nodes[i]->submit, SIGN_PUBLIC_SIZE);
    }
    rc = audit_state_new(&policy, c->o.modules, c->o.module_count, out, e);
    mem_free(members);
    return rc;
}

/* The rules' state at the tip: from what is final, by the index where it reaches. */
static enum err_code channel_open_rules(struct channel *c, struct err *e) {
    struct audit_state *state = NULL;
    struct source src = {0};
    struct digest hash = block_genesis(&c->id);
    enum err_code rc = channel_audit_empty(c, &state, e);
    if (rc != ERR_OK)
        return rc;
    rc = source_open(&src, c->store, e);
    if (rc == ERR_OK) {
        hash = chain_reader_tip(src.reader)->hash;
        rc = rules_replay(state, c->index, &src.face, &state, e);
        source_close(&src);
    } else if (rc == ERR_NOT_FOUND) {
        rc = ERR_OK; /* not founded yet */
    } else {
        audit_state_release(state);
    }
    return rc == ERR_OK ? rules_new(state, &hash, &c->rules, e) : rc;
}

static enum err_code channel_open_ledger(struct channel *c, struct err *e) {
    struct chain_options co = {.channel = c->id, .store = c->store};
    enum err_code rc = pool_open(channel_batch_notice, c, &c->pool, e);
    if (rc != ERR_OK || (rc = channel_open_rules(c, e)) != ERR_OK)
        return rc;
    co.pool = c->pool;
    co.rules = rules_callbacks(c->rules);
    return chain_open(&co, &c->chain, e);
}

struct channel_restored {
    struct core_record *records;
    size_t count, room;
    struct arena arena;
};

static enum err_code channel_restore_one(void *ctx, struct journal_key key, struct slice bytes, struct err *e) {
    struct channel_restored *r = ctx;
    if (r->count == r->room) {
        size_t room = r->room ? r->room * 2 : 64;
        struct core_record *p = mem_realloc(r->records, room * sizeof *p);
        if (!p)
            return err_set(e, ERR_NO_MEMORY, "no memory for %zu records", room);
        r->records = p;
        r->room = room;
    }
    r->records[r->count] = (struct core_record){.epoch = key.epoch,
                                                .view = key.view,
                                                .type = (enum core_record_type)key.type,
                                                .bytes = arena_copy(&r->arena, bytes)};
    if (!r->records[r->count++].bytes.ptr)
        return err_set(e, ERR_NO_MEMORY, "no memory for a record");
    return ERR_OK;
}

/* Gives the core what it had made durable. */
static enum err_code channel_start_core(struct channel *c, struct err *e) {
    struct channel_restored r = {0};
    struct core_event ev = {.type = CORE_EVENT_START};
    const struct chain_tip *tip = chain_tip(c->chain);
    struct store_txn *txn = NULL;
    enum err_code rc = store_begin_read(c->store, &txn, e);
    bool own_cert;
    arena_init(&r.arena, 256 << 20);
    if (rc == ERR_OK)
        rc = journal_load(txn, JOURNAL_VOTES, c->set.epoch, 0, channel_restore_one, &r, e);
    if (rc == ERR_OK)
        rc = journal_load(txn, JOURNAL_PROOFS, c->set.epoch, 0, channel_restore_one, &r, e);
    store_abort(txn);
    if (rc == ERR_OK && tip->height > 0) {
        rc = channel_tip_cert(c, &own_cert, e);
        if (rc == ERR_OK && !own_cert)
            rc = err_set(e, ERR_CORRUPT, "block %llu has no certificate", (unsigned long long)tip->height);
    }
    if (rc == ERR_OK) {
        ev.u.start.records = r.records;
        ev.u.start.record_count = r.count;
        ev.u.start.final = (struct core_final){.height = tip->height, .hash = tip->hash, .cert = buf_slice(&c->cert)};
        channel_step(c, &ev);
        channel_settle(c);
    }
    arena_release(&r.arena);
    mem_free(r.records);
    return rc == ERR_OK ? ERR_OK : err_wrap(e, "restoring the votes");
}

static void channel_sign(void *ctx, struct slice message, struct sign_signature *out) {
    const struct keys *keys = ctx;
    sign_make(keys->consensus, message, out);
}

static enum err_code channel_open_core(struct channel *c, struct err *e) {
    union {
        const struct keys *in;
        void *out;
    } keys = {c->o.keys};
    struct core_config config = {.set = &c->set,
                                 .self = c->self,
                                 .delta_ms = (uint32_t)c->o.founding->delta_ms,
                                 .verifier = cert_ed25519,
                                 .sign = channel_sign,
                                 .sign_ctx = keys.out};
    enum err_code rc = core_new(&config, &c->core, e);
    return rc == ERR_OK ? channel_start_core(c, e) : rc;
}

/* Renames a directory; what was put aside before goes. */
static enum err_code channel_put_aside(const char *path, const char *aside, struct err *e) {
    static const char *const files[] = {"data.mdb", "lock.mdb"};
    char old[4200];
    size_t i;
    for (i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(old, sizeof old, "%s/%s", aside, files[i]);
        (void)unlink(old);
    }
    (void)rmdir(aside);
    return rename(path, aside) == 0 ? ERR_OK : err_errno(e, "putting %s aside", path);
}

static enum err_code channel_open_files(struct channel *c, struct err *e) {
    char path[4096], aside[4096];
    struct index_options io = {.path = path, .channel = c->id};
    bool rebuilt = false;
    enum err_code rc;
    snprintf(path, sizeof path, "%s/ledger", c->o.dir);
    if ((rc = home_mkdirs(path, e)) != ERR_OK || (rc = store_open_lmdb(path, &(struct store_options){0}, &c->store, e)))
        return rc;
    snprintf(path, sizeof path, "%s/index", c->o.dir);
    rc = index_open(&c->index, &io, &rebuilt, e);
    if (rc == ERR_CORRUPT || rc == ERR_IO) { /* derived data that can't even be opened: put aside, and anew */
        log_err(c->area, "the index cannot be opened", e);
        snprintf(aside, sizeof aside, "%s/index.damaged", c->o.dir);
        if ((rc = channel_put_aside(path, aside, e)) == ERR_OK)
            rc = index_open(&c->index, &io, &rebuilt, e);
        rebuilt = true;
    }
    if (rc != ERR_OK)
        return rc;
    if (rebuilt)
        log_line(LOG_WARN, c->area, "the index was damaged or old: it is built anew from the blocks");
    return ERR_OK;
}

/* ---- the thread ---- */

static int64_t channel_next_deadline(const struct channel *c) {
    int64_t first = channel_batch_deadline(c);
    if (c->stopped)
        return clock_monotonic_ms() + 1000;
    if (c->status_ms < first)
        first = c->status_ms;
    if (c->sync.request && c->sync.until_ms < first)
        first = c->sync.until_ms;
    if (c->deadline_ms < (uint64_t)first)
        first = (int64_t)c->deadline_ms;
    if (repair_deadline(c) < first)
        first = repair_deadline(c);
    return first;
}

static void channel_send_status(struct channel *c, int64_t now) {
    const struct genesis_node *nodes[LIMIT_MEMBERS];
    size_t i, n = genesis_members(c->o.genesis, c->o.founding, nodes, LIMIT_MEMBERS);
    struct slice bytes;
    if (now < c->status_ms)
        return;
    c->status_ms = now + CHANNEL_STATUS_MS;
    buf_clear(&c->body);
    core_status(c->core, &c->body);
    bytes = channel_envelope(c, ENVELOPE_CONSENSUS, 0, buf_slice(&c->body));
    for (i = 0; i < n; i++)
        if (!slice_eq(nodes[i]->id, c->o.self->id))
            channel_send_bytes(c, channel_member(c, nodes[i]->id), true, bytes);
}

static void channel_tick(struct channel *c) {
    int64_t now = clock_monotonic_ms();
    struct core_event ev = {.type = CORE_EVENT_TICK};
    if (c->stopped)
        return;
    if ((uint64_t)now >= c->deadline_ms)
        channel_step(c, &ev);
    channel_batch_tick(c, now);
    channel_sync_tick(c, now);
    repair_tick(c, now);
    channel_send_status(c, now);
}

static void *channel_run(void *arg) {
    struct channel *c = arg;
    bool stop = false;
    while (!stop) {
        struct mail *m = mailbox_take(c->box, channel_next_deadline(c), CHANNEL_DRAIN);
        while (m) {
            struct mail *next = m->next;
            if (m->kind == CHANNEL_MAIL_STOP)
                stop = true;
            else
                channel_mail(c, m);
            mailbox_mail_free(m);
            m = next;
        }
        channel_tick(c);
        channel_settle(c);
    }
    return NULL;
}

enum err_code channel_open(const struct channel_options *o, struct channel **out, struct err *e) {
    struct channel *c = mem_zalloc(1, sizeof *c);
    pthread_condattr_t attr;
    enum err_code rc;
    if (!c)
        return err_set(e, ERR_NO_MEMORY, "no memory for a channel");
    c->o = *o;
    snprintf(c->name, sizeof c->name, "%.*s", SLICE_ARG(o->founding->name));
    snprintf(c->area, sizeof c->area, "channel %s", c->name);
    c->sender = -1;
    c->id = genesis_channel_id(o->genesis, o->founding);
    buf_init(&c->body, LIMIT_MESSAGE);
    buf_init(&c->wire, LIMIT_MESSAGE);
    buf_init(&c->cert, JOURNAL_RECORD);
    pthread_mutex_init(&c->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&c->moved, &attr);
    pthread_condattr_destroy(&attr);
    if ((rc = channel_founding_set(o->genesis, o->founding, &c->set, e)) != ERR_OK)
        goto out;
    c->self = set_find_name(&c->set, o->self->id);
    c->up = mem_zalloc(1, sizeof *c->up);
    c->box = mailbox_new(CHANNEL_MAILS, CHANNEL_MAIL_BYTES, e);
    c->follower_box = mailbox_new(1024, 4 << 20, e);
    c->served = mem_zalloc(genesis_node_count(o->genesis), sizeof *c->served);
    if (!c->up || !c->box || !c->follower_box || !c->served) {
        rc = err_set(e, ERR_NO_MEMORY, "no memory for a channel");
        goto out;
    }
    if ((rc = channel_open_files(c, e)) != ERR_OK || (rc = channel_open_ledger(c, e)) != ERR_OK)
        goto out;
    c->status.tip = *chain_tip(c->chain);
    if ((rc = channel_open_core(c, e)) != ERR_OK)
        goto out;
    channel_publish(c);
    if (pthread_create(&c->follower, NULL, follower_run, c) != 0) {
        rc = err_set(e, ERR_NO_MEMORY, "no thread");
        goto out;
    }
    if (pthread_create(&c->thread, NULL, channel_run, c) != 0)
        channel_fatal(c, &(struct err){.code = ERR_NO_MEMORY, .text = "no thread"});
    c->threads = true;
    log_line(LOG_INFO, c->area, "open at height %llu, %llu entries, seat %d of %u",
             (unsigned long long)c->status.tip.height, (unsigned long long)c->status.tip.tree_size, c->self, c->set.n);
out:
    if (rc != ERR_OK) {
        err_wrap(e, "channel %s", c->name);
        channel_close(c);
        return rc;
    }
    *out = c;
    return ERR_OK;
}

static void channel_end_thread(struct mailbox *box, uint32_t kind, pthread_t thread) {
    while (mailbox_put(box, kind, -1, slice_none(), NULL, true, NULL) != ERR_OK) {
        struct timespec t = {.tv_nsec = 10000000}; /* it is being emptied */
        nanosleep(&t, NULL);
    }
    pthread_join(thread, NULL);
}

void channel_stop(struct channel *c) {
    pthread_mutex_lock(&c->lock);
    c->closing = true;
    pthread_cond_broadcast(&c->moved);
    pthread_mutex_unlock(&c->lock);
    if (!c->threads)
        return;
    channel_end_thread(c->box, CHANNEL_MAIL_STOP, c->thread);
    channel_end_thread(c->follower_box, FOLLOWER_MAIL_STOP, c->follower);
    c->threads = false;
}

void channel_close(struct channel *c) {
    if (!c)
        return;
    channel_stop(c);
    store_abort(c->txn);
    core_free(c->core);
    if (c->chain)
        chain_close(c->chain);
    rules_free(c->rules);
    if (c->pool)
        pool_close(c->pool);
    while (c->held_first) {
        struct channel_held *next = c->held_first->next;
        mem_free(c->held_first);
        c->held_first = next;
    }
    channel_batch_release(c);
    index_close(c->index);
    store_close(c->store);
    mailbox_free(c->box);
    mailbox_free(c->follower_box);
    buf_release(&c->body);
    buf_release(&c->wire);
    buf_release(&c->cert);
    mem_free(c->served);
    pthread_cond_destroy(&c->moved);
    pthread_mutex_destroy(&c->lock);
    mem_free(c->up);
    mem_free(c);
}

/* ---- asked by other threads ---- */

const char *channel_name(const struct channel *c) {
    return c->name;
}
const struct digest *channel_id(const struct channel *c) {
    return &c->id;
}
const struct genesis_channel *channel_founding(const struct channel *c) {
    return c->o.founding;
}
const struct set *channel_set(const struct channel *c) {
    return &c->set;
}
int channel_seat(const struct channel *c) {
    return c->self;
}
struct store *channel_store(struct channel *c) {
    return c->store;
}
struct index *channel_index(struct channel *c) {
    return c->index;
}
const char *channel_dir(const struct channel *c) {
    return c->o.dir;
}

void channel_status(struct channel *c, struct channel_status *out) {
    pthread_mutex_lock(&c->lock);
    *out = c->status;
    pthread_mutex_unlock(&c->lock);
    out->mail_refused = mailbox_refused(c->box);
}

struct chain_tip channel_tip(struct channel *c) {
    struct chain_tip tip;
    pthread_mutex_lock(&c->lock);
    tip = c->status.tip;
    pthread_mutex_unlock(&c->lock);
    return tip;
}

bool channel_wait(struct channel *c, uint64_t height, int64_t deadline_ms) {
    struct timespec until = {.tv_sec = deadline_ms / 1000, .tv_nsec = deadline_ms % 1000 * 1000000};
    bool above;
    pthread_mutex_lock(&c->lock);
    while (c->status.tip.height <= height && !c->closing)
        if (pthread_cond_timedwait(&c->moved, &c->lock, &until) != 0)
            break;
    above = c->status.tip.height > height;
    pthread_mutex_unlock(&c->lock);
    return above;
}

struct audit_state *channel_audit(struct channel *c) {
    return rules_tip(c->rules);
}
