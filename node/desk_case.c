/* node/desk_case.c -- evidence cases in which this node has a part: answering, serving, fetching, judging; see desk.h.
 */
#include "node/desk_inner.h"

#include "node/clock.h"
#include "node/log.h"

#include <sodium.h>

static const int64_t desk_spool_ms = (int64_t)DESK_SPOOL_DAYS * 86400000;

enum err_code desk_entry(struct chain_reader *r, uint64_t number, enum entry_kind kind, struct arena *a,
                         struct evidence_entry *out, int64_t *time, struct err *e) {
    struct chain_reader_entry x;
    struct entry entry;
    struct slice bytes;
    enum err_code rc = chain_reader_entry(r, number, &x, e);
    if (rc != ERR_OK)
        return rc;
    bytes = arena_copy(a, x.bytes);
    if (!bytes.ptr)
        return err_set(e, ERR_NO_MEMORY, "no memory for an entry");
    *time = x.block_time;
    if ((rc = entry_read(bytes, &entry, e)) != ERR_OK)
        return rc;
    if (entry.kind != kind)
        return err_set(e, ERR_MALFORMED, "entry %llu is no %s", (unsigned long long)number, entry_kind_text(kind));
    return evidence_entry_read(&entry, a, out, e);
}

static void desk_complain(const struct desk_channel *x, const char *doing, const struct cases_case *k,
                          const struct err *e) {
    if (e->code != ERR_NOT_FOUND) /* the state may be a moment ahead of the reader */
        log_line(LOG_WARN, channel_name(x->c->channel), "%s (record %llu): %s: %s", doing, (unsigned long long)k->entry,
                 err_name(e->code), e->text);
}

static void desk_alarm(const struct desk_channel *x, const char *doing, const struct cases_case *k,
                       const struct err *e) {
    log_line(LOG_WARN, channel_name(x->c->channel), "%s (record %llu): %s: %s", doing, (unsigned long long)k->entry,
             err_name(e->code), e->text);
}

/* Full: what has had its time goes first. */
static enum err_code desk_spool(struct desk *d, const struct spool_item *item, struct err *e) {
    enum err_code rc = spool_put(d->n->spool, item, e);
    uint32_t dropped = 0;
    if (rc == ERR_FULL && spool_sweep(d->n->spool, clock_wall_ms(), &dropped, e) == ERR_OK && dropped)
        rc = spool_put(d->n->spool, item, e);
    return rc;
}

/* ---- answering ---- */

/* What the request says of the record must be what the ledger says. NULL, or why not. */
static const char *desk_wrong_request(struct desk *d, struct desk_channel *x, const struct evidence_request *r) {
    struct chain_reader_entry rec;
    struct entry entry;
    union {
        struct record record;
        struct dead_letter dead;
    } u;
    const uint8_t *hash;
    uint32_t how;
    const struct audit_member *author;
    if (chain_reader_entry(x->src.reader, r->entry, &rec, NULL) != ERR_OK ||
        entry_read(rec.bytes, &entry, NULL) != ERR_OK)
        return "there is no such entry";
    author = audit_state_member(x->state, &rec.batch.submitter);
    if (!author || !slice_eq(author->org, d->n->org->id))
        return "the entry is of another organisation";
    if (entry.kind == ENTRY_RECORD && record_read(entry.body, &d->arena, &u.record, NULL) == ERR_OK) {
        hash = u.record.raw_hash;
        how = u.record.raw_commit;
    } else if (entry.kind == ENTRY_DEAD_LETTER &&
               schema_read(&dead_letter_schema, entry.body, &d->arena, &u.dead, NULL) == ERR_OK) {
        hash = u.dead.raw_hash;
        how = u.dead.raw_commit;
    } else {
        return "the entry is no record and no dead letter";
    }
    if (memcmp(rec.leaf.b, r->leaf, DIGEST_SIZE) != 0 || memcmp(hash, r->raw_hash, DIGEST_SIZE) != 0 ||
        how != r->raw_commit)
        return "the entry is not the one that the request describes";
    return NULL;
}

/* The answer to a ciphertext that is in the spool already: made, but not seen final before the last stop (D1). */
static enum err_code desk_answer_again(struct desk *d, const struct evidence_request *r, uint64_t number,
                                       const uint8_t recipient_box[SEALED_KEY_SIZE], const struct spool_item *item,
                                       struct err *e) {
    struct evidence_entry out = {.kind = ENTRY_EVIDENCE_ANSWER};
    struct evidence_answer *a = &out.u.answer;
    struct sealed_pair own = {.secret = d->n->keys.box_secret};
    struct digest hash = digest_of(item->ciphertext), commit;
    uint8_t key[EVIDENCE_KEY_SIZE];
    enum err_code rc;
    memcpy(own.pub, d->n->keys.box_pub, SEALED_KEY_SIZE);
    if (item->note.len != SEALED_BOUND_SIZE || !sealed_bound_open(&own, item->note.ptr, key) ||
        !sealed_bind(recipient_box, key, a->key_box))
        return err_set(e, ERR_CORRUPT, "the one-time key of an answer in the spool does not open");
    commit = evidence_key_commit(key);
    sodium_memzero(key, sizeof key);
    a->by = slice_str(d->n->id);
    memcpy(a->case_id, r->case_id, EVIDENCE_CASE_SIZE);
    memcpy(a->cipher_hash, hash.b, DIGEST_SIZE);
    memcpy(a->key_commit, commit.b, DIGEST_SIZE);
    a->cipher_size = item->ciphertext.len;
    evidence_random(a->nonce);
    a->recipient = r->asker;
    a->request = number;
    a->status = EVIDENCE_SENT;
    rc = evidence_entry_write(&out, &d->entry, e);
    return rc;
}

/* From the vault, or a refusal. The entry is in d->entry; with "sent" the ciphertext is durable. */
static enum err_code desk_answer_new(struct desk *d, struct desk_channel *x, const struct evidence_request *r,
                                     uint64_t number, const uint8_t recipient_box[SEALED_KEY_SIZE], struct err *e) {
    struct evidence_give in = {.channel = channel_id(x->c->channel),
                               .request = r,
                               .request_number = number,
                               .status = EVIDENCE_MISSING,
                               .by = slice_str(d->n->id)};
    uint8_t key_box[SEALED_BOUND_SIZE];
    const char *wrong = desk_wrong_request(d, x, r);
    struct vault_item item = {0};
    enum vault_state state = VAULT_MISSING;
    struct digest hash;
    enum err_code rc = ERR_OK;
    ERR_ASSERT(recipient_box && d->n);
    memcpy(in.recipient_box, recipient_box, SEALED_KEY_SIZE);
    memcpy(in.own_box, d->n->keys.box_pub, SEALED_KEY_SIZE);
    memcpy(hash.b, r->raw_hash, DIGEST_SIZE);
    if (wrong) {
        in.status = EVIDENCE_REFUSED;
        in.reason = slice_str(wrong);
    } else if (d->n->vault) {
        rc = vault_get(d->n->vault, &hash, &state, &d->raw, &item, e);
        in.status = evidence_status_of(state);
        if (rc == ERR_OK && state == VAULT_FOUND) {
            in.raw = item.raw;
            memcpy(in.salt, item.salt, sizeof in.salt);
        }
    }
    if (rc == ERR_OK)
        rc = evidence_give(&in, &d->cipher, key_box, &d->entry, e);
    sodium_memzero(in.salt, sizeof in.salt);
    if (rc == ERR_OK && in.status == EVIDENCE_SENT) {
        struct spool_item out = {.side = SPOOL_ANSWERED,
                                 .keep_until = clock_wall_ms() + desk_spool_ms,
                                 .note = slice_of(key_box, sizeof key_box),
                                 .ciphertext = buf_slice(&d->cipher)};
        memcpy(out.case_id, r->case_id, EVIDENCE_CASE_SIZE);
        rc = desk_spool(d, &out, e);
    }
    if (rc == ERR_OK)
        log_line(LOG_INFO, channel_name(x->c->channel), "evidence for record %llu, asked for by %.*s: %s",
                 (unsigned long long)r->entry, SLICE_ARG(r->asker), evidence_status_names[in.status]);
    return rc;
}

static void desk_answer(struct desk *d, struct desk_channel *x, const struct cases_case *k) {
    struct evidence_entry rq;
    const struct genesis_node *asker;
    struct spool_item item;
    int64_t time;
    struct err e = {0};
    enum err_code rc;
    if (!desk_take(x, k->case_id, ENTRY_EVIDENCE_ANSWER, DESK_AGAIN_MS))
        return;
    arena_clear(&d->arena);
    buf_clear(&d->entry);
    rc = desk_entry(x->src.reader, k->request, ENTRY_EVIDENCE_REQUEST, &d->arena, &rq, &time, &e);
    if (rc == ERR_NOT_FOUND) { /* not committed yet where the reader looks */
        desk_wait_of(x, k->case_id, ENTRY_EVIDENCE_ANSWER)->until_ms = 0;
        return;
    }
    if (rc == ERR_OK && !(asker = genesis_node_find(&d->n->genesis, rq.u.request.asker)))
        rc = err_set(&e, ERR_NOT_FOUND, "the asker is not in genesis");
    if (rc == ERR_OK && asker) {
        rc = spool_get(d->n->spool, SPOOL_ANSWERED, k->case_id, &d->cipher, &item, &e);
        if (rc == ERR_OK)
            rc = desk_answer_again(d, &rq.u.request, k->request, asker->box, &item, &e);
        if (rc == ERR_NOT_FOUND || rc == ERR_CORRUPT) {
            buf_clear(&d->entry);
            rc = desk_answer_new(d, x, &rq.u.request, k->request, asker->box, &e);
        }
    }
    if (rc != ERR_OK)
        desk_alarm(x, "answering a demand for evidence", k, &e);
    else
        (void)desk_hand_on(x, &d->entry, "an answer");
}

void desk_serve(struct desk *d, struct desk_channel *x, struct slice node, struct slice body) {
    const struct cases_case *k;
    struct spool_item item;
    struct buf out;
    struct err e = {0};
    enum err_code rc;
    if (body.len != EVIDENCE_CASE_SIZE || !(k = cases_module_find(x->state, body.ptr)))
        return;
    if (!slice_eq_str(node, k->asker) || strcmp(k->to, d->n->id) != 0) {
        log_line(LOG_WARN, channel_name(x->c->channel), "%.*s asked for evidence that is not for it", SLICE_ARG(node));
        return;
    }
    buf_init(&out, ENVELOPE_BODY);
    buf_append(&out, body);
    rc = spool_get(d->n->spool, SPOOL_ANSWERED, k->case_id, &d->cipher, &item, &e);
    if (rc == ERR_OK)
        buf_append(&out, item.ciphertext);
    else if (rc != ERR_NOT_FOUND)
        desk_alarm(x, "reading an answer from the spool", k, &e);
    if ((rc = buf_check(&out, &e)) == ERR_OK)
        rc = node_send(d->n, node, ENVELOPE_EVIDENCE_DATA, channel_id(x->c->channel), 0, buf_slice(&out), &e);
    if (rc != ERR_OK)
        log_line(LOG_DEBUG, channel_name(x->c->channel), "evidence was not sent, it will be asked for again: %s",
                 e.text);
    buf_release(&out);
}

/* ---- judging ---- */

void desk_received(struct desk *d, struct desk_channel *x, struct slice node, struct slice body) {
    const struct cases_case *k;
    struct spool_item item = {.side = SPOOL_RECEIVED, .keep_until = clock_wall_ms() + desk_spool_ms};
    struct desk_wait *w;
    struct digest hash;
    struct err e = {0};
    if (body.len <= EVIDENCE_CASE_SIZE || !(k = cases_module_find(x->state, body.ptr)))
        return;
    if (!slice_eq_str(node, k->to) || strcmp(k->asker, d->n->id) != 0 || k->state != CASES_ANSWERED)
        return;
    w = desk_wait_of(x, k->case_id, ENTRY_RECORD);
    if (!w)
        return; /* nobody asked */
    item.ciphertext = slice_from(body, EVIDENCE_CASE_SIZE);
    hash = digest_of(item.ciphertext);
    if ((item.ciphertext.len != k->cipher_size || !digest_eq(&hash, &k->cipher_hash)) && ++w->bad < DESK_BAD_MAX)
        return; /* once more, before it is held against them */
    if (item.ciphertext.len > SPOOL_ITEM_MAX)
        item.ciphertext.len = SPOOL_ITEM_MAX;
    memcpy(item.case_id, k->case_id, EVIDENCE_CASE_SIZE);
    item.note = slice_str("received");
    if (desk_spool(d, &item, &e) != ERR_OK)
        desk_alarm(x, "keeping evidence", k, &e);
    x->busy = true;
}

enum err_code desk_judge(struct node *n, struct node_channel *c, struct chain_reader *r, const struct cases_case *x,
                         int64_t now, struct arena *a, struct buf *cipher, struct buf *plain, struct desk_judged *j,
                         struct err *e) {
    struct spool_item item;
    int64_t time;
    enum err_code rc;
    memset(j, 0, sizeof *j);
    j->own.secret = n->keys.box_secret;
    memcpy(j->own.pub, n->keys.box_pub, SEALED_KEY_SIZE);
    j->in = (struct evidence_judge){.channel = channel_id(c->channel), .request_number = x->request, .now = now};
    j->in.own = &j->own;
    if ((rc = desk_entry(r, x->request, ENTRY_EVIDENCE_REQUEST, a, &j->request, &time, e)) != ERR_OK)
        return rc;
    j->in.request = &j->request.u.request;
    if (x->answer) {
        rc = desk_entry(r, x->answer, ENTRY_EVIDENCE_ANSWER, a, &j->answer, &j->in.answer_time, e);
        if (rc != ERR_OK)
            return rc;
        j->in.answer = &j->answer.u.answer;
        j->in.answer_number = x->answer;
    }
    if (x->answer && x->status == EVIDENCE_SENT) {
        rc = spool_get(n->spool, SPOOL_RECEIVED, x->case_id, cipher, &item, e);
        if (rc == ERR_OK)
            j->in.ciphertext = item.ciphertext;
        else if (rc != ERR_NOT_FOUND)
            return rc;
    }
    return evidence_judge(&j->in, plain, &j->out, e);
}

static bool desk_in_spool(struct desk *d, const struct cases_case *k) {
    struct spool_item item;
    return spool_get(d->n->spool, SPOOL_RECEIVED, k->case_id, &d->cipher, &item, NULL) == ERR_OK;
}

/* Is it time to judge, or must something come first? Asks for the ciphertext. */
static bool desk_ripe(struct desk *d, struct desk_channel *x, const struct cases_case *k, int64_t now) {
    struct err e = {0};
    int64_t from = k->answered_at > k->deadline ? k->answered_at : k->deadline;
    if (k->state == CASES_OPEN)
        return now > k->deadline + DESK_LATE_MS;
    if (k->status != EVIDENCE_SENT || desk_in_spool(d, k))
        return true;
    if (now > from + DESK_DELIVER_MS)
        return true; /* "sent", but nothing came */
    if (desk_take(x, k->case_id, ENTRY_RECORD, DESK_FETCH_MS) &&
        node_send(d->n, slice_str(k->to), ENVELOPE_EVIDENCE_GET, channel_id(x->c->channel), 0,
                  slice_of(k->case_id, EVIDENCE_CASE_SIZE), &e) != ERR_OK)
        log_line(LOG_DEBUG, channel_name(x->c->channel), "%s is not reached for its evidence: %s", k->to, e.text);
    return false;
}

static void desk_rule(struct desk *d, struct desk_channel *x, const struct cases_case *k) {
    struct desk_judged j;
    struct desk_wait *w;
    int64_t now = clock_wall_ms();
    struct err e = {0};
    enum err_code rc;
    /* A verdict of one state of the case must not hold back that of the next ("late", then the late answer). */
    w = desk_wait_of(x, k->case_id, ENTRY_VERDICT);
    if (w && w->bad != (uint32_t)k->state)
        w->until_ms = 0;
    if (!desk_ripe(d, x, k, now) || !desk_take(x, k->case_id, ENTRY_VERDICT, DESK_AGAIN_MS))
        return;
    w = desk_wait_of(x, k->case_id, ENTRY_VERDICT);
    w->bad = (uint32_t)k->state;
    arena_clear(&d->arena);
    buf_clear(&d->entry);
    rc = desk_judge(d->n, x->c, x->src.reader, k, now, &d->arena, &d->cipher, &d->plain, &j, &e);
    if (rc == ERR_OK)
        rc = evidence_rule(&j.in, &j.out, slice_str(d->n->id), &d->entry, &e);
    if (rc == ERR_OK && desk_hand_on(x, &d->entry, "a verdict"))
        log_line(LOG_INFO, channel_name(x->c->channel), "evidence for record %llu from %s: %s (%s)",
                 (unsigned long long)k->entry, k->to, evidence_verdict_names[j.out.verdict], j.out.words);
    if (rc == ERR_NOT_FOUND || rc == ERR_BUSY)
        w->until_ms = 0;
    else if (rc != ERR_OK)
        desk_complain(x, "judging evidence", k, &e);
    sodium_memzero(&j, sizeof j);
}

/* ---- all cases ---- */

static bool desk_settled(const struct cases_case *k) {
    return k->state >= CASES_DISPUTED || (k->state == CASES_JUDGED && k->answer != 0);
}

void desk_cases(struct desk *d, struct desk_channel *x) {
    size_t i, count = cases_module_count(x->state);
    for (i = x->first; i < count; i++) {
        const struct cases_case *k = cases_module_at(x->state, i);
        if (desk_settled(k)) {
            x->first += i == x->first;
            continue;
        }
        if (strcmp(k->to, d->n->id) == 0 && k->answer == 0) {
            x->busy = true;
            desk_answer(d, x, k);
        }
        if (strcmp(k->asker, d->n->id) == 0 && (k->state == CASES_OPEN || k->state == CASES_ANSWERED)) {
            x->busy = true;
            desk_rule(d, x, k);
        }
    }
}
