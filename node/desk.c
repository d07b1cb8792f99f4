/* node/desk.c -- the desk's thread, its mail, and acknowledgements; see desk.h. */
#include "node/desk_inner.h"

#include "node/clock.h"
#include "node/log.h"
#include "wire/mem.h"

#include <sodium.h>

/* ---- what is in the air ---- */

struct desk_wait *desk_wait_of(struct desk_channel *x, const uint8_t *id, enum entry_kind kind) {
    for (size_t i = 0; i < DESK_WAITS; i++)
        if (x->waits[i].kind == kind && memcmp(x->waits[i].id, id, EVIDENCE_CASE_SIZE) == 0)
            return &x->waits[i];
    return NULL;
}

bool desk_take(struct desk_channel *x, const uint8_t *id, enum entry_kind kind, int64_t again_ms) {
    int64_t now = clock_monotonic_ms();
    struct desk_wait *w = desk_wait_of(x, id, kind);
    if (w && now < w->until_ms)
        return false;
    for (size_t i = 0; i < DESK_WAITS && !w; i++)
        if (x->waits[i].kind == ENTRY_NONE || now - x->waits[i].until_ms > DESK_AGAIN_MS) {
            w = &x->waits[i];
            *w = (struct desk_wait){.kind = kind};
            memcpy(w->id, id, EVIDENCE_CASE_SIZE);
        }
    if (!w)
        return false; /* so much is in the air that this can wait */
    w->until_ms = now + again_ms;
    return true;
}

bool desk_hand_on(struct desk_channel *x, struct buf *entry, const char *what) {
    struct slice bytes = buf_slice(entry);
    struct err e = {0};
    enum err_code rc = buf_check(entry, &e);
    if (rc == ERR_OK)
        rc = courier_append(x->c->courier, &bytes, 1, NULL, 0, &e);
    if (rc != ERR_OK)
        log_line(LOG_WARN, channel_name(x->c->channel), "%s could not be handed on, will be tried again: %s", what,
                 e.text);
    return rc == ERR_OK;
}

/* ---- acknowledgements ---- */

static void desk_acknowledge(struct desk *d, struct desk_channel *x) {
    const struct audit_version *v;
    size_t i, count = audit_state_versions(x->state, &v);
    for (i = 0; i < count; i++) {
        struct standard_ack ack = {.node = slice_str(d->n->id)};
        if (v[i].revoked_at || audit_state_acked(x->state, &v[i], ack.node))
            continue;
        x->busy = true;
        if (!desk_take(x, v[i].std->hash.b, ENTRY_ACKNOWLEDGEMENT, DESK_AGAIN_MS))
            continue;
        memcpy(ack.hash, v[i].std->hash.b, DIGEST_SIZE);
        randombytes_buf(ack.nonce, sizeof ack.nonce);
        buf_clear(&d->entry);
        entry_write(ENTRY_ACKNOWLEDGEMENT, &standard_ack_schema, &ack, &d->entry);
        if (desk_hand_on(x, &d->entry, "an acknowledgement"))
            log_line(LOG_INFO, channel_name(x->c->channel), "standard %.*s %.*s fetched and acknowledged",
                     SLICE_ARG(v[i].std->head.id), SLICE_ARG(v[i].std->head.version));
    }
}

/* ---- what was refused ---- */

struct desk_refusals {
    uint64_t ids[64];
    size_t count;
};

/* Entries that this node makes by itself are made anew, or were made by another meanwhile; those of people stay. */
static bool desk_refusal(void *ctx, const struct outbox_refused *r) {
    const unsigned own = 1u << ENTRY_ACKNOWLEDGEMENT | 1u << ENTRY_ANCHOR | 1u << ENTRY_KEY_GRANT |
                         1u << ENTRY_EVIDENCE_ANSWER | 1u << ENTRY_VERDICT | 1u << ENTRY_IMPORT;
    struct desk_refusals *d = ctx;
    struct entry entry;
    if (entry_read(r->entry, &entry, NULL) == ERR_OK && own & 1u << entry.kind)
        d->ids[d->count++] = r->id;
    return d->count < sizeof d->ids / sizeof *d->ids;
}

static void desk_discard(struct desk_channel *x) {
    struct desk_refusals d = {.count = 0};
    struct outbox *o = courier_outbox(x->c->courier);
    int64_t now = clock_monotonic_ms();
    struct err e = {0};
    if (now - x->discard_ms < DESK_DISCARD_MS)
        return;
    x->discard_ms = now;
    if (outbox_refused_each(o, desk_refusal, &d, &e) != ERR_OK)
        return;
    for (size_t i = 0; i < d.count; i++)
        if (outbox_discard(o, d.ids[i], &e) != ERR_OK)
            log_line(LOG_DEBUG, channel_name(x->c->channel), "discarding a refused entry: %s", e.text);
}

/* ---- the thread ---- */

struct desk_channel *desk_channel_of(struct desk *d, const struct node_channel *c) {
    return &d->channels[c - d->n->channels];
}

/* A snapshot of the channel as it is now; false: it has no block yet. */
static bool desk_look(struct desk_channel *x) {
    struct err e = {0};
    enum err_code rc =
        x->open ? chain_reader_renew(x->src.reader, &e) : source_open(&x->src, channel_store(x->c->channel), &e);
    if (rc != ERR_OK) {
        if (rc != ERR_NOT_FOUND)
            log_err(channel_name(x->c->channel), "the desk cannot read the ledger", &e);
        return false;
    }
    x->open = true;
    return true;
}

static void desk_turn(struct desk *d, struct desk_channel *x) {
    struct audit_state *now = channel_audit(x->c->channel);
    bool moved = now != x->state;
    audit_state_release(x->state);
    x->state = now;
    for (size_t i = 0; moved && i < d->n->channel_count; i++) /* of the parent: all others have a look */
        d->channels[i].imports |= x == &d->channels[i] || channel_founding(x->c->channel)->parent;
    if (!desk_look(x))
        return;
    if (moved || x->busy) {
        x->busy = false;
        desk_acknowledge(d, x);
        desk_cases(d, x);
    }
    if (d->n->role == GENESIS_REGULATOR) {
        desk_findings(d, x);
        desk_imports(d, x);
    }
    chain_reader_pause(x->src.reader);
    desk_discard(x);
}

static void desk_mail(struct desk *d, struct mail *m) {
    struct desk_channel *x = desk_channel_of(d, m->ref);
    struct desk_proposal p;
    struct slice node;
    if (m->kind == DESK_MAIL_PROPOSE) {
        memcpy(&p, m->bytes, sizeof p);
        desk_candidate(x, &p, false);
        return;
    }
    if (!x->state || !x->open || chain_reader_renew(x->src.reader, NULL) != ERR_OK)
        return;                               /* asked again later */
    node = slice_str((const char *)m->bytes); /* desk_message put it there, with its NUL */
    if (m->kind == DESK_MAIL_GET)
        desk_serve(d, x, node, slice_from(slice_of(m->bytes, m->len), node.len + 1));
    else
        desk_received(d, x, node, slice_from(slice_of(m->bytes, m->len), node.len + 1));
    chain_reader_pause(x->src.reader);
}

static void *desk_run(void *arg) {
    struct desk *d = arg;
    while (!d->stop) {
        struct mail *m = mailbox_take(d->box, clock_monotonic_ms() + DESK_TICK_MS, 64);
        while (m) {
            struct mail *next = m->next;
            if (m->kind == DESK_MAIL_STOP)
                d->stop = true;
            else
                desk_mail(d, m);
            mailbox_mail_free(m);
            m = next;
        }
        for (size_t i = 0; i < d->n->channel_count && !d->stop; i++)
            desk_turn(d, &d->channels[i]);
    }
    return NULL;
}

/* ---- from other threads ---- */

void desk_message(struct desk *d, struct node_channel *c, const char *peer, const struct envelope *m) {
    struct buf b;
    struct err e = {0};
    enum err_code rc;
    buf_init(&b, LIMIT_MESSAGE + LIMIT_NAME);
    buf_bytes(&b, peer, strlen(peer) + 1);
    buf_append(&b, m->body);
    rc = buf_check(&b, &e);
    if (rc == ERR_OK)
        rc = mailbox_put(d->box, m->type == ENVELOPE_EVIDENCE_GET ? DESK_MAIL_GET : DESK_MAIL_DATA, -1, buf_slice(&b),
                         c, false, &e);
    if (rc != ERR_OK)
        log_line(LOG_DEBUG, "desk", "a message of %s is dropped: %s", peer, e.text);
    buf_release(&b);
}

void desk_moved(struct desk *d) {
    mailbox_wake(d->box);
}

void desk_propose(struct desk *d, struct node_channel *c, const struct desk_proposal *p) {
    if (d->n->role == GENESIS_REGULATOR &&
        mailbox_put(d->box, DESK_MAIL_PROPOSE, -1, slice_of(p, sizeof *p), c, true, NULL) != ERR_OK)
        log_line(LOG_WARN, channel_name(c->channel), "a finding is not filed, the desk is busy: %s", p->text);
}

/* ---- life ---- */

enum err_code desk_new(struct node *n, struct desk **out, struct err *e) {
    struct desk *d = mem_zalloc(1, sizeof *d);
    if (!d)
        return err_set(e, ERR_NO_MEMORY, "no memory for the desk");
    d->n = n;
    arena_init(&d->arena, 16 << 20);
    buf_init(&d->cipher, SPOOL_ITEM_MAX + SPOOL_NOTE_MAX + 4096);
    buf_init(&d->plain, EVIDENCE_CIPHER_MAX);
    buf_init(&d->raw, VAULT_GET_MAX);
    buf_init(&d->entry, LIMIT_ENTRY);
    d->box = mailbox_new(DESK_MAILS, DESK_MAIL_BYTES, e);
    d->channels = mem_zalloc(n->channel_count + 1, sizeof *d->channels);
    if (!d->box || !d->channels) {
        desk_free(d);
        return err_set(e, ERR_NO_MEMORY, "no memory for the desk");
    }
    for (size_t i = 0; i < n->channel_count; i++) {
        d->channels[i].c = &n->channels[i];
        d->channels[i].busy = true;
        d->channels[i].imports = true;
    }
    *out = d;
    return ERR_OK;
}

enum err_code desk_start(struct desk *d, struct err *e) {
    if (pthread_create(&d->thread, NULL, desk_run, d) != 0)
        return err_set(e, ERR_NO_MEMORY, "no thread for the desk");
    d->started = true;
    return ERR_OK;
}

void desk_stop(struct desk *d) {
    if (!d || !d->started)
        return;
    while (mailbox_put(d->box, DESK_MAIL_STOP, -1, slice_none(), NULL, true, NULL) != ERR_OK) {
        struct timespec t = {.tv_nsec = 10000000};
        nanosleep(&t, NULL);
    }
    pthread_join(d->thread, NULL);
    d->started = false;
    for (size_t i = 0; i < d->n->channel_count; i++) {
        struct desk_channel *x = &d->channels[i];
        desk_findings_release(x);
        audit_state_release(x->state);
        x->state = NULL;
        if (x->open)
            source_close(&x->src);
        x->open = false;
    }
}

static void desk_wipe(struct buf *b) {
    if (b->ptr)
        sodium_memzero(b->ptr, b->cap);
    buf_release(b);
}

void desk_free(struct desk *d) {
    if (!d)
        return;
    mailbox_free(d->box);
    mem_free(d->channels);
    arena_release(&d->arena);
    buf_release(&d->cipher);
    buf_release(&d->entry);
    desk_wipe(&d->plain);
    desk_wipe(&d->raw);
    mem_free(d);
}
