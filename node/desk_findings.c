/* node/desk_findings.c -- findings that a regulator's node files by itself: records accepted with findings (`flag`),
 * holes in sources, and what other services propose; see desk.h, D3.
 * Every regulator scans every block with the validators' own check, so that each could file; the first connected one
 * does. What is final in the ledger is known to all and is not filed again, whoever filed it. */
#include "node/desk_inner.h"

#include "ledger/completeness.h"
#include "node/clock.h"
#include "node/log.h"
#include "wire/mem.h"

#include <stdio.h>

#define DESK_POSITION "desk-findings"

/* Holes of what was given by hand: `assay submit` numbers by its clock (node/api_submit.c), not one by one. */
static const char desk_by_hand[] = "submit";

/* ---- what is known ---- */

static uint64_t desk_key(struct slice kind, struct slice text) {
    struct digest_state s;
    struct digest d;
    uint64_t key;
    digest_init(&s);
    digest_update(&s, kind);
    digest_update(&s, slice_of("", 1));
    digest_update(&s, text);
    digest_final(&s, &d);
    key = buf_get64(d.b);
    return key ? key : 1;
}

static size_t desk_known_slot(const struct desk_scan *s, uint64_t key) {
    size_t i = (size_t)key & (s->known_slots - 1);
    while (s->known[i] && s->known[i] != key)
        i = (i + 1) & (s->known_slots - 1);
    return i;
}

static bool desk_is_known(const struct desk_scan *s, uint64_t key) {
    return s->known_slots && s->known[desk_known_slot(s, key)] != 0;
}

static enum err_code desk_know(struct desk_scan *s, uint64_t key, struct err *e) {
    if (s->known_count * 2 >= s->known_slots && s->known_slots < DESK_KNOWN) {
        struct desk_scan bigger = *s;
        bigger.known_slots = s->known_slots ? s->known_slots * 2 : 256;
        if (!(bigger.known = mem_zalloc(bigger.known_slots, sizeof *bigger.known)))
            return err_set(e, ERR_NO_MEMORY, "no memory for %zu findings", s->known_count);
        for (size_t i = 0; i < s->known_slots; i++)
            if (s->known[i])
                bigger.known[desk_known_slot(&bigger, s->known[i])] = s->known[i];
        mem_free(s->known);
        *s = bigger;
    }
    if (desk_is_known(s, key) || s->known_count * 2 >= s->known_slots)
        return ERR_OK; /* past DESK_KNOWN the oldest are known and later ones may be told twice */
    s->known[desk_known_slot(s, key)] = key;
    s->known_count++;
    return ERR_OK;
}

void desk_candidate(struct desk_channel *x, const struct desk_proposal *p, bool hole) {
    struct desk_scan *s = &x->scan;
    uint64_t key = desk_key(slice_str(p->kind), slice_str(p->text));
    struct desk_candidate *free_slot = NULL;
    if (desk_is_known(s, key))
        return;
    if (!s->candidates && !(s->candidates = mem_zalloc(DESK_CANDIDATES, sizeof *s->candidates)))
        return;
    for (size_t i = 0; i < DESK_CANDIDATES; i++) {
        if (s->candidates[i].key == key) {
            s->candidates[i].seen = true;
            return;
        }
        if (s->candidates[i].key == 0 && !free_slot)
            free_slot = &s->candidates[i];
    }
    if (free_slot)
        *free_slot =
            (struct desk_candidate){.key = key, .p = *p, .since_ms = clock_monotonic_ms(), .hole = hole, .seen = true};
}

static size_t desk_room(const struct desk_scan *s) {
    size_t room = 0;
    if (!s->candidates)
        return DESK_CANDIDATES;
    for (size_t i = 0; i < DESK_CANDIDATES; i++)
        room += s->candidates[i].key == 0;
    return room;
}

/* A finding is final: whoever filed it, it need not be filed any more. */
static enum err_code desk_learn(struct desk_channel *x, struct slice body, struct err *e) {
    struct desk_scan *s = &x->scan;
    struct finding f;
    struct arena a;
    enum err_code rc;
    arena_init(&a, 1 << 20);
    rc = schema_read(&finding_schema, body, &a, &f, e);
    if (rc == ERR_OK) {
        uint64_t key = desk_key(f.kind, f.text);
        for (size_t i = 0; s->candidates && i < DESK_CANDIDATES; i++)
            if (s->candidates[i].key == key)
                s->candidates[i].key = 0;
        rc = desk_know(s, key, e);
    }
    arena_release(&a);
    return rc;
}

/* ---- the scan ---- */

static bool desk_any_flag(const struct audit_state *s) {
    const struct audit_version *v;
    size_t i, count = audit_state_versions(s, &v);
    for (i = 0; i < count; i++)
        if (v[i].std->head.mode == STANDARD_FLAG && !v[i].revoked_at)
            return true;
    return false;
}

struct desk_scanner {
    struct desk_channel *x;
    struct audit_check check;
    bool flags; /* records may have been accepted with findings */
};

static enum err_code desk_nonconforming(struct desk_channel *x, const struct chain_reader_entry *r,
                                        const struct conform_report *report, struct err *e) {
    struct desk_proposal p = {.severity = EVIDENCE_MEDIUM, .has_subject = true, .entry = r->number, .leaf = r->leaf};
    snprintf(p.kind, sizeof p.kind, "conformance");
    snprintf(p.engine, sizeof p.engine, "conformance 1");
    const struct conform_finding *f = &report->findings[0];
    snprintf(p.text, sizeof p.text, "record %llu: %s: %s (%.*s %.*s)%s", (unsigned long long)r->number, f->field,
             f->text, SLICE_ARG(f->standard), SLICE_ARG(f->version), report->count > 1 ? ", and more" : "");
    if (desk_room(&x->scan) == 0)
        return err_set(e, ERR_FULL, "so many findings at once: the block is looked at again");
    desk_candidate(x, &p, false);
    return ERR_OK;
}

static enum err_code desk_scan_entry(void *ctx, const struct chain_reader_entry *r, struct err *e) {
    struct desk_scanner *s = ctx;
    const struct audit_member *author = audit_state_member(s->check.parent, &r->batch.submitter);
    struct conform_report report = {.count = 0};
    struct entry entry;
    enum err_code rc = entry_read(r->bytes, &entry, e);
    if (rc != ERR_OK || (entry.kind == ENTRY_RECORD && !s->flags))
        return rc;
    rc = audit_check_next(&s->check, r->number, r->bytes, author, &report, e);
    if (rc == ERR_OK && entry.kind == ENTRY_FINDING)
        rc = desk_learn(s->x, entry.body, e);
    if (rc == ERR_OK && entry.kind == ENTRY_RECORD && report.count)
        rc = desk_nonconforming(s->x, r, &report, e);
    return rc;
}

/* One block more. */
static enum err_code desk_scan_block(struct desk_channel *x, struct err *e) {
    struct desk_scan *s = &x->scan;
    struct desk_scanner scanner = {.x = x};
    struct audit_state *after;
    struct chain_block b;
    enum err_code rc = chain_reader_block(x->src.reader, s->height + 1, &b, e);
    if (rc != ERR_OK)
        return rc;
    scanner.flags = desk_any_flag(s->state);
    audit_check_begin(&scanner.check, s->state, b.header.height, b.header.time);
    rc =
        chain_reader_each(x->src.reader, b.first_entry, b.first_entry + b.header.entries, desk_scan_entry, &scanner, e);
    after = audit_check_end(&scanner.check);
    if (rc != ERR_OK) {
        audit_state_release(after);
        return rc;
    }
    audit_state_release(s->state);
    s->state = after;
    s->height++;
    s->entries = b.first_entry + b.header.entries;
    return ERR_OK;
}

/* ---- where it begins ---- */

struct desk_restore {
    struct desk_channel *x;
    uint64_t below; /* entries */
    enum err_code rc;
    struct err *e;
};

static enum err_code desk_restore_one(struct desk_restore *r, uint64_t number) {
    struct desk_scan *s = &r->x->scan;
    struct chain_reader_entry x;
    struct audit_state *child;
    struct entry entry;
    struct audit_ctx ctx;
    if ((r->rc = chain_reader_entry(r->x->src.reader, number, &x, r->e)) != ERR_OK ||
        (r->rc = entry_read(x.bytes, &entry, r->e)) != ERR_OK || !audit_state_governed(s->state, entry.kind))
        return r->rc;
    ctx = (struct audit_ctx){.height = x.height,
                             .number = number,
                             .time = x.block_time,
                             .submitter = audit_state_member(s->state, &x.batch.submitter),
                             .entry = x.bytes};
    if ((r->rc = audit_state_apply(s->state, &ctx, &entry, &child, r->e)) != ERR_OK)
        return r->rc;
    audit_state_release(s->state);
    s->state = child;
    if (entry.kind == ENTRY_FINDING)
        r->rc = desk_learn(r->x, entry.body, r->e);
    return r->rc;
}

static bool desk_restore_indexed(void *ctx, uint64_t number, enum entry_kind kind) {
    struct desk_restore *r = ctx;
    if (number >= r->below)
        return false;
    return !audit_state_governed(r->x->scan.state, kind) || desk_restore_one(r, number) == ERR_OK;
}

/* The state and the findings as of the position in the outbox: blocks below were looked at before. */
static enum err_code desk_restore(struct desk_channel *x, struct err *e) {
    struct desk_scan *s = &x->scan;
    struct desk_restore r = {.x = x, .e = e};
    struct index_view *view = NULL;
    struct chain_block b;
    struct buf position;
    uint64_t number = 0;
    enum err_code rc;
    buf_init(&position, OUTBOX_POSITION_MAX);
    rc = outbox_position_get(courier_outbox(x->c->courier), slice_str(DESK_POSITION), &position, e);
    if (rc == ERR_OK && position.len == 8)
        s->height = buf_get64(position.ptr);
    buf_release(&position);
    if (s->height > chain_reader_tip(x->src.reader)->height)
        s->height = 0; /* a ledger that was restored */
    audit_state_release(s->state);
    s->state = NULL;
    if ((rc = channel_audit_empty(x->c->channel, &s->state, e)) != ERR_OK || s->height == 0)
        return rc;
    if ((rc = chain_reader_block(x->src.reader, s->height, &b, e)) != ERR_OK)
        return rc;
    s->entries = r.below = b.first_entry + b.header.entries;
    if (index_view_open(channel_index(x->c->channel), &view, NULL) == ERR_OK) {
        number = index_view_entries(view);
        rc = index_governance(view, UINT32_MAX, 0, desk_restore_indexed, &r, e);
        index_view_close(view);
    }
    if (rc == ERR_OK)
        rc = r.rc;
    for (; rc == ERR_OK && number < r.below; number++)
        rc = desk_restore_one(&r, number);
    s->saved_height = s->height;
    return rc;
}

/* ---- holes ---- */

static bool desk_hole_source(void *ctx, const struct completeness *c) {
    struct desk_channel *x = ctx;
    struct sign_public key;
    const struct audit_member *m;
    if (!c->missing || slice_eq_str(c->source, desk_by_hand))
        return true;
    memcpy(key.b, c->submitter, sizeof key.b);
    m = audit_state_member(x->state, &key);
    for (uint32_t i = 0; m && i < c->hole_count && i < DESK_HOLES; i++) {
        struct desk_proposal p = {.severity = EVIDENCE_HIGH};
        snprintf(p.kind, sizeof p.kind, "completeness");
        snprintf(p.engine, sizeof p.engine, "completeness 1");
        snprintf(p.text, sizeof p.text,
                 "source %.*s of node %.*s: numbers %llu to %llu neither came nor were declared missing",
                 SLICE_ARG(c->source), SLICE_ARG(m->node), (unsigned long long)c->holes[i].first,
                 (unsigned long long)c->holes[i].last);
        desk_candidate(x, &p, true);
    }
    return true;
}

/* What is a hole now; what was one and is filled is forgotten. */
static void desk_holes(struct desk_channel *x) {
    struct desk_scan *s = &x->scan;
    struct index_view *view = NULL;
    int64_t now = clock_monotonic_ms();
    if (now - s->holes_ms < DESK_HOLES_MS || index_view_open(channel_index(x->c->channel), &view, NULL) != ERR_OK)
        return;
    s->holes_ms = now;
    for (size_t i = 0; s->candidates && i < DESK_CANDIDATES; i++)
        s->candidates[i].seen = false;
    if (index_view_entries(view) >= s->entries && completeness_list(view, desk_hole_source, x, NULL) == ERR_OK)
        for (size_t i = 0; s->candidates && i < DESK_CANDIDATES; i++)
            if (s->candidates[i].hole && !s->candidates[i].seen && !s->candidates[i].filed_ms)
                s->candidates[i].key = 0;
    index_view_close(view);
}

/* ---- filing ---- */

bool desk_first_regulator(struct node *n, const struct audit_state *state) {
    const struct audit_policy *p = audit_state_policy(state);
    for (size_t i = 0; i < p->member_count; i++) {
        struct peers_stats st;
        char id[LIMIT_NAME + 1];
        if (p->members[i].role != AUDIT_REGULATOR)
            continue;
        if (slice_eq_str(p->members[i].node, n->id))
            return true;
        snprintf(id, sizeof id, "%.*s", SLICE_ARG(p->members[i].node));
        if (clock_wall_ms() - n->started < DESK_SETTLE_MS) /* it may be about to connect */
            return false;
        if (n->peers && peers_stats(n->peers, id, &st, NULL) == ERR_OK && st.up)
            return false;
    }
    return false;
}

static void desk_file(struct desk *d, struct desk_channel *x, struct desk_candidate *k) {
    struct evidence_entry out = {.kind = ENTRY_FINDING};
    struct finding *f = &out.u.finding;
    struct finding_subject subject = {.entry = k->p.entry};
    struct err e = {0};
    f->by = slice_str(d->n->id);
    f->engine = slice_str(k->p.engine);
    f->kind = slice_str(k->p.kind);
    evidence_random(f->nonce);
    f->severity = k->p.severity;
    if (k->p.has_subject) {
        memcpy(subject.leaf, k->p.leaf.b, DIGEST_SIZE);
        f->subjects = (struct schema_list){&subject, 1};
    }
    f->text = slice_str(k->p.text);
    f->time = clock_wall_ms();
    k->filed_ms = clock_monotonic_ms();
    buf_clear(&d->entry);
    if (evidence_entry_write(&out, &d->entry, &e) != ERR_OK) {
        log_line(LOG_WARN, channel_name(x->c->channel), "a finding can't be written: %s", e.text);
        k->key = 0;
    } else if (desk_hand_on(x, &d->entry, "a finding")) {
        log_line(LOG_INFO, channel_name(x->c->channel), "finding: %s", k->p.text);
    }
}

/* Candidates are filed only when all blocks were looked at: else another's finding might not be known yet. */
static void desk_file_all(struct desk *d, struct desk_channel *x) {
    struct desk_scan *s = &x->scan;
    int64_t now = clock_monotonic_ms();
    bool acts = false, asked = false;
    for (size_t i = 0; s->candidates && i < DESK_CANDIDATES; i++) {
        struct desk_candidate *k = &s->candidates[i];
        if (k->key == 0 || (k->hole && now - k->since_ms < DESK_HOLE_AGE_MS) ||
            (k->filed_ms && now - k->filed_ms < DESK_AGAIN_MS))
            continue;
        if (!asked)
            acts = desk_first_regulator(d->n, x->state);
        asked = true;
        if (acts)
            desk_file(d, x, k);
    }
}

/* The position moves when nothing is owed below it, now and then: it only saves work at the next start. */
static void desk_save(struct desk_channel *x) {
    struct desk_scan *s = &x->scan;
    int64_t now = clock_monotonic_ms();
    struct outbox_position p = {.source = slice_str(DESK_POSITION)};
    struct buf b;
    struct err e = {0};
    if (s->height == s->saved_height || now - s->saved_ms < 60000 || desk_room(s) != DESK_CANDIDATES)
        return;
    s->saved_ms = now;
    buf_init(&b, 8);
    buf_be64(&b, s->height);
    p.position = buf_slice(&b);
    if (outbox_append(courier_outbox(x->c->courier), NULL, 0, &p, 1, clock_wall_ms(), &e) == ERR_OK)
        s->saved_height = s->height;
    buf_release(&b);
}

void desk_findings(struct desk *d, struct desk_channel *x) {
    struct desk_scan *s = &x->scan;
    uint64_t tip = chain_reader_tip(x->src.reader)->height, stop;
    struct err e = {0};
    enum err_code rc = ERR_OK;
    if (!s->ready) {
        if ((rc = desk_restore(x, &e)) != ERR_OK) {
            log_err(channel_name(x->c->channel), "beginning the scan for findings", &e);
            s->height = 0;
            return;
        }
        s->ready = true;
        s->saved_ms = clock_monotonic_ms();
    }
    stop = s->entries + DESK_SCAN_ENTRIES;
    while (s->height < tip && s->entries < stop && desk_room(s) > DESK_CANDIDATES / 2 &&
           (rc = desk_scan_block(x, &e)) == ERR_OK) {
    }
    if (rc != ERR_OK && rc != ERR_NOT_FOUND && rc != ERR_FULL)
        log_err(channel_name(x->c->channel), "scanning for findings", &e);
    if (s->height == tip)
        desk_holes(x);
    if (s->height == tip || rc == ERR_FULL || desk_room(s) <= DESK_CANDIDATES / 2)
        desk_file_all(d, x);
    desk_save(x);
}

void desk_findings_release(struct desk_channel *x) {
    audit_state_release(x->scan.state);
    mem_free(x->scan.known);
    mem_free(x->scan.candidates);
}
