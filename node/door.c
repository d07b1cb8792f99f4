/* node/door.c -- see door.h. */
#include "node/door.h"

#include "audit/classify.h"
#include "audit/vocab.h"
#include "node/clock.h"
#include "wire/mem.h"
#include "wire/utf8.h"

#include <sodium.h>
#include <stdio.h>

void door_uid(uint8_t out[RECORD_UID_SIZE]) {
    uint64_t now = (uint64_t)clock_wall_ms();
    int i;
    randombytes_buf(out, RECORD_UID_SIZE);
    for (i = 0; i < 6; i++)
        out[i] = (uint8_t)(now >> (40 - 8 * i));
    out[6] = (uint8_t)(0x70 | (out[6] & 0x0F));
    out[8] = (uint8_t)(0x80 | (out[8] & 0x3F));
}

/* ---- what the standards in force fill in ---- */

void door_unify(const struct audit_state *state, int64_t now, struct record *r) {
    const struct audit_version *vocabs[AUDIT_STATE_CITED];
    size_t i, n = audit_state_active_all(state, STANDARD_VOCAB, now, vocabs, AUDIT_STATE_CITED);
    struct record_object *o = r->objects.items;
    uint32_t j;
    for (i = 0; i < n; i++) {
        const struct vocab *v = vocabs[i]->std->vocab;
        r->actor.type = vocab_name(v, r->actor.type);
        for (j = 0; j < r->objects.count; j++)
            o[j].type = vocab_name(v, o[j].type);
    }
}

static void door_classify(const struct audit_state *state, int64_t now, struct record *r) {
    const struct audit_version *versions[AUDIT_STATE_CITED];
    const struct classify *sets[AUDIT_STATE_CITED];
    struct classify_input in = {.server = r->server, .service = r->service, .raw = r->op.raw};
    struct classify_result result;
    size_t i, n = audit_state_active_all(state, STANDARD_OP_CLASS, now, versions, AUDIT_STATE_CITED);
    if (r->op.class_id.len)
        return;
    for (i = 0; i < n; i++)
        sets[i] = versions[i]->std->classify;
    result = classify_op_all(sets, n, &in);
    r->op.class_id = result.class_id;
    r->op.class_label = result.label;
    r->op.activity_id = result.activity_id;
    if (!result.classified && !r->op.note.len) {
        r->op.class_id = slice_str(STANDARD_UNCLASSIFIED);
        r->op.activity_id = STANDARD_ACTIVITY_OTHER;
        r->op.note = r->op.raw; /* in words: what the log itself calls it */
    }
}

static void door_commitment(enum genesis_commitment how, struct door_log *log, uint8_t salt[COMMITMENT_SALT_SIZE]) {
    struct digest d;
    log->record.raw_commit = how == GENESIS_PLAIN ? RECORD_PLAIN : RECORD_SALTED;
    log->record.raw_size = log->raw.len;
    if (how == GENESIS_PLAIN)
        memset(salt, 0, COMMITMENT_SALT_SIZE);
    else
        randombytes_buf(salt, COMMITMENT_SALT_SIZE);
    d = commitment_of((enum record_commitment)log->record.raw_commit, salt, log->raw);
    memcpy(log->record.raw_hash, d.b, DIGEST_SIZE);
}

static enum err_code door_record_entry(const struct audit_state *state, int64_t now, struct door_log *log,
                                       struct buf *entry, struct err *e) {
    struct record *r = &log->record;
    struct record_std std[AUDIT_STATE_CITED];
    struct record back;
    struct arena a;
    struct entry envelope;
    size_t from = entry->len;
    enum err_code rc;
    door_unify(state, now, r);
    door_classify(state, now, r);
    r->std = (struct schema_list){std, (uint32_t)conform_citations(state, now, std)};
    entry_write(ENTRY_RECORD, &record_schema, r, entry);
    arena_init(&a, 1 << 20);
    rc = buf_check(entry, e);
    if (rc == ERR_OK)
        rc = entry_read(slice_of(entry->ptr + from, entry->len - from), &envelope, e);
    if (rc == ERR_OK)
        rc = record_read(envelope.body, &a, &back, e);
    if (rc == ERR_OK)
        rc = conform_record(state, now, &back, &log->report, e);
    arena_release(&a);
    r->std = (struct schema_list){0};
    if (rc != ERR_OK)
        entry->len = from;
    return rc;
}

static void door_dead_entry(const struct door_log *log, struct buf *entry) {
    const struct record *r = &log->record;
    struct dead_letter d = {.raw_commit = r->raw_commit,
                            .raw_size = r->raw_size,
                            .reason = slice_str(log->reason),
                            .server = r->server,
                            .service = r->service,
                            .source = r->source};
    memcpy(d.raw_hash, r->raw_hash, DIGEST_SIZE);
    memcpy(d.uid, r->uid, RECORD_UID_SIZE);
    entry_write(ENTRY_DEAD_LETTER, &dead_letter_schema, &d, entry);
}

static enum err_code door_entry(const struct audit_state *state, int64_t now, struct door_log *log, bool strict,
                                struct buf *entry, struct err *e) {
    struct err why = {0};
    enum err_code rc;
    if (!log->dead) {
        rc = door_record_entry(state, now, log, entry, &why);
        if (rc == ERR_OK)
            return rc;
        if (strict || err_class_of(rc) != ERR_CLASS_REFUSED) {
            if (e)
                *e = why;
            return rc;
        }
        log->dead = true;
        snprintf(log->reason, sizeof log->reason, "%s", why.text);
    }
    door_dead_entry(log, entry);
    return buf_check(entry, e);
}

enum err_code door_try(const struct audit_state *state, enum genesis_commitment how, struct door_log *log,
                       struct buf *entry, struct err *e) {
    uint8_t salt[COMMITMENT_SALT_SIZE];
    door_uid(log->record.uid);
    door_commitment(how, log, salt);
    return door_entry(state, clock_wall_ms(), log, true, entry, e);
}

/* ---- taking ---- */

struct door_work {
    struct vault_item *items;
    struct slice *entries;
    size_t *ends;
    struct buf bytes;
};

static enum err_code door_prepare(struct node_channel *c, struct door_log *logs, size_t count, bool strict,
                                  struct door_work *w, struct err *e) {
    struct audit_state *state = channel_audit(c->channel);
    enum genesis_commitment how = (enum genesis_commitment)channel_founding(c->channel)->commitment;
    int64_t now = clock_wall_ms();
    enum err_code rc = ERR_OK;
    size_t i;
    for (i = 0; i < count && rc == ERR_OK; i++) {
        struct vault_item *item = &w->items[i];
        struct record *r = &logs[i].record;
        if (logs[i].raw.len > VAULT_RAW_MAX)
            rc = err_set(e, ERR_TOO_LARGE, "a raw log of %zu bytes (at most %d)", logs[i].raw.len, VAULT_RAW_MAX);
        if (rc != ERR_OK)
            break;
        door_uid(r->uid);
        door_commitment(how, &logs[i], item->salt);
        rc = door_entry(state, now, &logs[i], strict, &w->bytes, e);
        w->ends[i] = w->bytes.len;
        memcpy(item->raw_hash.b, r->raw_hash, DIGEST_SIZE);
        memcpy(item->meta.uid, r->uid, RECORD_UID_SIZE);
        item->how = (enum record_commitment)r->raw_commit;
        item->raw = logs[i].raw;
        item->meta.source = r->source.id;
        item->meta.seq = r->source.seq;
        item->meta.time = now;
    }
    audit_state_release(state);
    for (i = 0; i < count && rc == ERR_OK; i++) {
        size_t from = i ? w->ends[i - 1] : 0;
        w->entries[i] = slice_of(w->bytes.ptr + from, w->ends[i] - from);
    }
    return rc;
}

static void door_receipts(const struct door_log *logs, const struct door_work *w, size_t count,
                          struct door_receipt *out) {
    size_t i;
    for (i = 0; out && i < count; i++) {
        memcpy(out[i].uid, logs[i].record.uid, RECORD_UID_SIZE);
        memcpy(out[i].raw_hash.b, logs[i].record.raw_hash, DIGEST_SIZE);
        out[i].leaf = entry_leaf(w->entries[i]);
        out[i].dead = logs[i].dead;
    }
}

static enum err_code door_work_init(struct door_work *w, size_t count, struct err *e) {
    ERR_ASSERT(count <= DOOR_LOGS);
    w->items = mem_zalloc(count, sizeof *w->items);
    w->entries = mem_zalloc(count, sizeof *w->entries);
    w->ends = mem_zalloc(count, sizeof *w->ends);
    buf_init(&w->bytes, (size_t)DOOR_LOGS * LIMIT_RECORD);
    return w->items && w->entries && w->ends ? ERR_OK : err_set(e, ERR_NO_MEMORY, "no memory for %zu logs", count);
}

static void door_work_release(struct door_work *w) {
    if (w->items)
        mem_free(w->items);
    mem_free(w->entries);
    mem_free(w->ends);
    buf_release(&w->bytes);
}

static enum err_code door_vault(struct node_channel *c, const struct door_work *w, size_t count, struct err *e) {
    enum err_code rc;
    if (!c->node->vault)
        return err_set(e, ERR_NOT_ALLOWED, "%s is not an enterprise's node: it keeps no raw logs", c->node->id);
    rc = vault_put(c->node->vault, w->items, count, e);
    if (rc == ERR_IO || rc == ERR_NO_SPACE || rc == ERR_CORRUPT) {
        err_wrap(e, "the vault");
        node_fatal(e); /* a failed sync poisons the vault: only a new process may go on */
    }
    return rc;
}

/* Entries that the outbox did not take leave no raw log behind: it will come again under a fresh salt. What was there
 * before (an equal log under a plain commitment) would go with it, so plain ones stay. */
static void door_unvault(struct node_channel *c, const struct door_work *w, size_t count) {
    size_t i;
    for (i = 0; i < count; i++)
        if (w->items[i].how == RECORD_SALTED && vault_drop(c->node->vault, &w->items[i].raw_hash, NULL) != ERR_OK)
            return; /* orphans cost room, nothing else */
}

/* Is there room in the outbox? Asked before the vault is written, since a source tries again and again. */
static enum err_code door_room(struct node_channel *c, const struct door_work *w, size_t count, struct err *e) {
    struct outbox_stats s;
    uint64_t max = c->node->config.body.limits.outbox_bytes;
    enum err_code rc = count ? outbox_stats(courier_outbox(c->courier), &s, e) : ERR_OK;
    if (rc != ERR_OK || !count || !max || s.bytes + w->bytes.len <= max)
        return rc;
    return err_set(e, ERR_FULL, "the outbox holds %llu entries, %llu bytes", (unsigned long long)s.entries,
                   (unsigned long long)s.bytes);
}

enum err_code door_take(struct node_channel *c, struct door_log *logs, size_t count,
                        const struct outbox_position *positions, size_t position_count, bool strict,
                        struct door_receipt *receipts, struct err *e) {
    struct door_work w = {0};
    enum err_code rc = door_work_init(&w, count, e);
    if (rc == ERR_OK && (rc = door_prepare(c, logs, count, strict, &w, e)) == ERR_OK &&
        (rc = door_room(c, &w, count, e)) == ERR_OK && (count == 0 || (rc = door_vault(c, &w, count, e)) == ERR_OK) &&
        (rc = courier_append(c->courier, w.entries, count, positions, position_count, e)) != ERR_OK)
        door_unvault(c, &w, count);
    if (rc == ERR_OK)
        door_receipts(logs, &w, count, receipts);
    door_work_release(&w);
    return rc;
}

enum err_code door_commit(struct node_channel *c, struct door_log *log, uint32_t timeout_ms,
                          struct door_receipt *receipt, struct courier_receipt *final, struct err *e) {
    struct door_work w = {0};
    enum err_code rc = door_work_init(&w, 1, e);
    if (rc == ERR_OK && (rc = door_prepare(c, log, 1, true, &w, e)) == ERR_OK &&
        (rc = door_vault(c, &w, 1, e)) == ERR_OK) {
        door_receipts(log, &w, 1, receipt);
        rc = courier_commit(c->courier, w.entries[0], timeout_ms, final, e);
    }
    door_work_release(&w);
    return rc;
}
