/* node/api_evidence.c -- demanding evidence, cases as they stand, disputes, findings. Source: docs/PROTOCOL.md 12. */
#include "audit/case_file.h"
#include "ledger/query.h"
#include "node/api.h"
#include "node/clock.h"
#include "node/desk.h"
#include "node/service_doc.h"
#include "node/source.h"
#include "wire/mem.h"

#include <sodium.h>

enum { EVIDENCE_COMMIT_MS = 20000, EVIDENCE_DEADLINE_MS = 3600000, EVIDENCE_PAGE = 1000 };
enum { EVIDENCE_SEEN_MS = 5000 /* from an entry's finality to the state that holds it */ };

/* What every handler here works with. */
struct evidence_desk {
    struct node_channel *c;
    struct audit_state *state;
    struct source src;
    struct buf cipher, plain, entry;
};

static enum err_code evidence_begin(struct api_call *call, struct slice channel, struct evidence_desk *d,
                                    struct err *e) {
    enum err_code rc;
    *d = (struct evidence_desk){.c = NULL};
    buf_init(&d->cipher, SPOOL_ITEM_MAX + SPOOL_NOTE_MAX + 4096);
    buf_init(&d->plain, EVIDENCE_CIPHER_MAX);
    buf_init(&d->entry, LIMIT_ENTRY);
    if ((rc = api_channel(call, channel, &d->c, e)) != ERR_OK)
        return rc;
    d->state = channel_audit(d->c->channel);
    rc = source_open(&d->src, channel_store(d->c->channel), e);
    return rc == ERR_NOT_FOUND ? err_set(e, rc, "channel %s has no block yet", channel_name(d->c->channel)) : rc;
}

static void evidence_end(struct evidence_desk *d) {
    audit_state_release(d->state);
    source_close(&d->src);
    if (d->plain.ptr)
        sodium_memzero(d->plain.ptr, d->plain.cap);
    buf_release(&d->plain);
    buf_release(&d->cipher);
    buf_release(&d->entry);
}

/* ---- a case as a document ---- */

static void evidence_doc(const struct evidence_desk *d, const struct cases_case *k, struct service_case *out) {
    *out = (struct service_case){.answer = k->answer,
                                 .answered_at = k->answered_at,
                                 .asked_at = k->asked_at,
                                 .asker = slice_str(k->asker),
                                 .channel = slice_str(channel_name(d->c->channel)),
                                 .deadline = k->deadline,
                                 .dispute = k->dispute,
                                 .entry = k->entry,
                                 .judged_at = k->judged_at,
                                 .late = k->late || cases_overdue(k, clock_wall_ms()),
                                 .outcome = (uint32_t)k->outcome,
                                 .raw_commit = (uint32_t)k->raw_commit,
                                 .request = k->request,
                                 .state = slice_str(cases_state_text(k->state)),
                                 .status = (uint32_t)k->status,
                                 .to = slice_str(k->to),
                                 .verdict = (uint32_t)k->verdict,
                                 .verdict_entry = k->verdict_entry};
    memcpy(out->case_id, k->case_id, EVIDENCE_CASE_SIZE);
    memcpy(out->raw_hash, k->raw_hash.b, DIGEST_SIZE);
}

/* Adds who asked and the words of the verdict, and the reason where it was sealed to this node. */
static void evidence_doc_words(struct api_call *call, struct evidence_desk *d, const struct cases_case *k,
                               struct service_case *out) {
    struct sealed_pair own = {.secret = call->node->keys.box_secret};
    struct evidence_entry x;
    struct evidence_sealed sealed;
    int64_t time;
    memcpy(own.pub, call->node->keys.box_pub, SEALED_KEY_SIZE);
    if (desk_entry(d->src.reader, k->request, ENTRY_EVIDENCE_REQUEST, &call->arena, &x, &time, NULL) == ERR_OK) {
        out->by = x.u.request.by;
        if (evidence_unseal(&x.u.request, call->node->self->id, &own, &d->plain, &call->arena, &sealed, NULL) == ERR_OK)
            out->reason = arena_copy(&call->arena, sealed.reason);
    }
    if (k->verdict_entry &&
        desk_entry(d->src.reader, k->verdict_entry, ENTRY_VERDICT, &call->arena, &x, &time, NULL) == ERR_OK)
        out->words = x.u.ruling.words;
}

static const struct cases_case *evidence_case(struct evidence_desk *d, const uint8_t id[EVIDENCE_CASE_SIZE],
                                              struct err *e) {
    const struct cases_case *k = cases_module_find(d->state, id);
    if (!k)
        err_set(e, ERR_NOT_FOUND, "channel %s has no such evidence case", channel_name(d->c->channel));
    return k;
}

/* ---- request ---- */

struct evidence_search {
    uint64_t number;
    bool found;
};
static enum err_code evidence_hit(void *ctx, const struct query_hit *hit, struct err *e) {
    struct evidence_search *s = ctx;
    (void)e;
    s->number = hit->entry->number;
    s->found = true;
    return ERR_OK;
}

static enum err_code evidence_number(struct evidence_desk *d, const struct service_request *p, uint64_t *number,
                                     struct err *e) {
    struct evidence_search s = {.found = false};
    struct query q;
    struct query_page page;
    enum err_code rc;
    if (p->has_entry) {
        *number = p->entry;
        return ERR_OK;
    }
    if (sodium_is_zero(p->uid, RECORD_UID_SIZE))
        return err_set(e, ERR_USAGE, "say which record: by its number or its uid");
    memset(&q, 0, sizeof q);
    memcpy(q.uid, p->uid, RECORD_UID_SIZE);
    q.limit = 1;
    if ((rc = query_run(channel_index(d->c->channel), &d->src.face, &q, evidence_hit, &s, &page, e)) != ERR_OK)
        return rc;
    if (!s.found)
        return err_set(e, ERR_NOT_FOUND, "no record of this channel has that uid");
    *number = s.number;
    return ERR_OK;
}

/* The EVIDENCE_REQUEST entry into d->entry. */
static enum err_code evidence_demand(struct api_call *call, struct evidence_desk *d, const struct service_request *p,
                                     uint8_t case_id[EVIDENCE_CASE_SIZE], struct err *e) {
    struct evidence_ask ask = {.asker_org = call->node->org->id,
                               .by = p->by.len ? p->by : call->by,
                               .deadline =
                                   clock_wall_ms() + (p->deadline_ms ? (int64_t)p->deadline_ms : EVIDENCE_DEADLINE_MS),
                               .objects = p->objects.items,
                               .object_count = p->objects.count,
                               .reason = p->reason};
    struct chain_reader_entry x;
    const struct genesis_node *to;
    enum err_code rc;
    if (call->node->role != GENESIS_REGULATOR)
        return err_set(e, ERR_NOT_ALLOWED, "only a regulator's node may demand evidence");
    if (!p->reason.len)
        return err_set(e, ERR_USAGE, "a demand needs a reason: it is sealed to the parties");
    if ((rc = evidence_number(d, p, &ask.entry, e)) != ERR_OK ||
        (rc = chain_reader_entry(d->src.reader, ask.entry, &x, e)) != ERR_OK)
        return rc;
    ask.bytes = x.bytes;
    to = p->to.len ? genesis_node_find(&call->node->genesis, p->to)
                   : genesis_node_by_submit(&call->node->genesis, x.batch.submitter.b);
    if (!to)
        return err_set(e, ERR_NOT_FOUND, "no node \"%.*s\" in this network", SLICE_ARG(p->to));
    ask.to.node = to->id;
    memcpy(ask.to.box, to->box, SEALED_KEY_SIZE);
    ask.asker.node = call->node->self->id;
    memcpy(ask.asker.box, call->node->keys.box_pub, SEALED_KEY_SIZE);
    return evidence_ask(&ask, case_id, &d->entry, e);
}

/* Until the case is judged, or it is there and wait_ms are over. Renews d->state. */
static const struct cases_case *evidence_await(struct api_call *call, struct evidence_desk *d,
                                               const uint8_t case_id[EVIDENCE_CASE_SIZE], uint64_t wait_ms) {
    int64_t end = clock_monotonic_ms() + (int64_t)(wait_ms > 600000 ? 600000 : wait_ms);
    for (;;) {
        uint64_t height = channel_tip(d->c->channel).height;
        const struct cases_case *k;
        int64_t now = clock_monotonic_ms();
        audit_state_release(d->state);
        d->state = channel_audit(d->c->channel);
        k = cases_module_find(d->state, case_id);
        if ((k && (k->state >= CASES_JUDGED || now >= end)) || now >= end + EVIDENCE_SEEN_MS ||
            !atomic_load(&call->node->running))
            return k;
        (void)channel_wait(d->c->channel, height, now + (k ? 200 : 20));
    }
}

enum err_code api_evidence_request(struct api_call *call, struct err *e) {
    struct service_request p;
    struct service_case doc;
    struct evidence_desk d;
    struct courier_receipt receipt;
    uint8_t case_id[EVIDENCE_CASE_SIZE];
    const struct cases_case *k;
    enum err_code rc = api_params(call, &service_request_schema, &p, e);
    if (rc != ERR_OK)
        return rc;
    if ((rc = evidence_begin(call, p.channel, &d, e)) != ERR_OK ||
        (rc = evidence_demand(call, &d, &p, case_id, e)) != ERR_OK ||
        (rc = api_precheck(d.c, buf_slice(&d.entry), e)) != ERR_OK)
        goto out;
    chain_reader_pause(d.src.reader);
    if ((rc = courier_commit(d.c->courier, buf_slice(&d.entry), EVIDENCE_COMMIT_MS, &receipt, e)) != ERR_OK)
        goto out;
    k = evidence_await(call, &d, case_id, p.wait_ms);
    if ((rc = chain_reader_renew(d.src.reader, e)) != ERR_OK)
        goto out;
    if (!k) { /* final, but the state is a moment behind */
        rc = err_set(e, ERR_TIMEOUT, "the demand is final as entry %llu; its case is not seen yet",
                     (unsigned long long)receipt.number);
        goto out;
    }
    evidence_doc(&d, k, &doc);
    evidence_doc_words(call, &d, k, &doc);
    schema_write(&service_case_schema, &doc, &call->out);
out:
    evidence_end(&d);
    return rc;
}

/* ---- list, verify ---- */

/* The newest cases, at most SERVICE_DOC_LIST, oldest of them first. */
enum err_code api_evidence_list(struct api_call *call, struct err *e) {
    struct service_case_ask p;
    struct service_cases out = {.cases = {NULL, 0}};
    struct service_case *items;
    struct evidence_desk d;
    size_t count, first;
    enum err_code rc = api_params(call, &service_case_ask_schema, &p, e);
    if (rc != ERR_OK)
        return rc;
    if ((rc = evidence_begin(call, p.channel, &d, e)) != ERR_OK)
        goto out;
    count = cases_module_count(d.state);
    first = count > SERVICE_DOC_LIST ? count - SERVICE_DOC_LIST : 0;
    if (!(items = arena_alloc(&call->arena, count - first + 1, sizeof *items))) {
        rc = err_set(e, ERR_NO_MEMORY, "no memory for %zu cases", count);
        goto out;
    }
    for (size_t i = first; i < count; i++) {
        const struct cases_case *k = cases_module_at(d.state, i);
        evidence_doc(&d, k, &items[i - first]);
        if (count - first <= EVIDENCE_PAGE)
            evidence_doc_words(call, &d, k, &items[i - first]);
    }
    out.cases = (struct schema_list){items, (uint32_t)(count - first)};
    schema_write(&service_cases_schema, &out, &call->out);
out:
    evidence_end(&d);
    return rc;
}

enum err_code api_evidence_verify(struct api_call *call, struct err *e) {
    struct service_case_ask p;
    struct service_case doc;
    struct desk_judged j;
    struct evidence_desk d;
    const struct cases_case *k;
    enum err_code rc = api_params(call, &service_case_ask_schema, &p, e);
    if (rc != ERR_OK)
        return rc;
    memset(&j, 0, sizeof j);
    if ((rc = evidence_begin(call, p.channel, &d, e)) != ERR_OK)
        goto out;
    if (!(k = evidence_case(&d, p.case_id, e))) {
        rc = ERR_NOT_FOUND;
        goto out;
    }
    evidence_doc(&d, k, &doc);
    evidence_doc_words(call, &d, k, &doc);
    if (!slice_eq_str(call->node->self->id, k->asker)) {
        rc = err_set(e, ERR_NOT_ALLOWED, "the evidence of this case is with %s, who asked for it", k->asker);
        goto out;
    }
    rc = desk_judge(call->node, d.c, d.src.reader, k, clock_wall_ms(), &call->arena, &d.cipher, &d.plain, &j, e);
    if (rc != ERR_OK)
        goto out;
    doc.judged_now = slice_str(evidence_verdict_names[j.out.verdict]);
    doc.words = slice_str(j.out.words);
    memcpy(doc.checked, j.out.checked.b, DIGEST_SIZE);
    if (p.with_raw && j.out.raw.ptr) {
        doc.raw = j.out.raw;
        memcpy(doc.salt, j.out.salt, sizeof doc.salt);
    }
    schema_write(&service_case_schema, &doc, &call->out);
out:
    sodium_memzero(&j, sizeof j);
    evidence_end(&d);
    return rc;
}

/* ---- dispute, export ---- */

/* The one-time key of a case, for one of its two parties. NOT_FOUND: none was used, or it is not held here. */
static enum err_code evidence_key(struct api_call *call, struct evidence_desk *d, const struct cases_case *k,
                                  uint8_t key[EVIDENCE_KEY_SIZE], struct err *e) {
    struct sealed_pair own = {.secret = call->node->keys.box_secret};
    struct evidence_entry an;
    struct spool_item item;
    int64_t time;
    enum err_code rc = ERR_NOT_FOUND;
    memcpy(own.pub, call->node->keys.box_pub, SEALED_KEY_SIZE);
    if (k->status == EVIDENCE_SENT && slice_eq_str(call->node->self->id, k->asker)) {
        rc = desk_entry(d->src.reader, k->answer, ENTRY_EVIDENCE_ANSWER, &call->arena, &an, &time, e);
        if (rc == ERR_OK && !sealed_bound_open(&own, an.u.answer.key_box, key))
            rc = err_set(e, ERR_NOT_FOUND, "the answer's key does not open");
    } else if (k->status == EVIDENCE_SENT && slice_eq_str(call->node->self->id, k->to)) {
        rc = spool_get(call->node->spool, SPOOL_ANSWERED, k->case_id, &d->cipher, &item, e);
        if (rc == ERR_OK && (item.note.len != SEALED_BOUND_SIZE || !sealed_bound_open(&own, item.note.ptr, key)))
            rc = err_set(e, ERR_NOT_FOUND, "the answer's key does not open");
    }
    return rc == ERR_NOT_FOUND ? err_set(e, rc, "this node holds no one-time key of the case") : rc;
}

enum err_code api_evidence_dispute(struct api_call *call, struct err *e) {
    struct service_case_ask p;
    struct service_committed done = {.height = 0};
    struct courier_receipt receipt;
    struct evidence_desk d;
    const struct cases_case *k;
    uint8_t key[EVIDENCE_KEY_SIZE];
    bool has_key;
    enum err_code rc = api_params(call, &service_case_ask_schema, &p, e);
    if (rc != ERR_OK)
        return rc;
    if ((rc = evidence_begin(call, p.channel, &d, e)) != ERR_OK)
        goto out;
    if (!p.statement.len) {
        rc = err_set(e, ERR_USAGE, "a dispute needs a statement");
        goto out;
    }
    if (!(k = evidence_case(&d, p.case_id, e))) {
        rc = ERR_NOT_FOUND;
        goto out;
    }
    has_key = p.disclose && evidence_key(call, &d, k, key, NULL) == ERR_OK;
    rc = evidence_contest(k->case_id, k->verdict_entry, has_key ? key : NULL, p.by.len ? p.by : call->by, p.statement,
                          &d.entry, e);
    sodium_memzero(key, sizeof key);
    if (rc == ERR_OK)
        rc = api_precheck(d.c, buf_slice(&d.entry), e);
    chain_reader_pause(d.src.reader);
    if (rc == ERR_OK)
        rc = courier_commit(d.c->courier, buf_slice(&d.entry), EVIDENCE_COMMIT_MS, &receipt, e);
    if (rc == ERR_OK) {
        done.channel = slice_str(channel_name(d.c->channel));
        done.height = receipt.height;
        done.number = receipt.number;
        schema_write(&service_committed_schema, &done, &call->out);
    }
out:
    evidence_end(&d);
    return rc;
}

static enum err_code evidence_exhibit(struct api_call *call, struct evidence_desk *d, uint64_t number,
                                      struct case_file_exhibit *list, uint32_t *count, struct err *e) {
    struct chain_reader_entry x;
    enum err_code rc = chain_reader_entry(d->src.reader, number, &x, e);
    if (rc != ERR_OK)
        return rc;
    list[*count] =
        (struct case_file_exhibit){.entry = arena_copy(&call->arena, x.bytes), .number = number, .time = x.block_time};
    return list[(*count)++].entry.ptr ? ERR_OK : err_set(e, ERR_NO_MEMORY, "no memory for an exhibit");
}

/* All that this node has of a case, as a file that is decided offline (assay evidence adjudicate). */
enum err_code api_evidence_export(struct api_call *call, struct err *e) {
    struct service_case_ask p;
    struct service_export out;
    struct case_file_exhibit list[CASE_FILE_EXHIBITS];
    struct case_file file = {.format = slice_str(CASE_FILE_FORMAT)};
    struct evidence_desk d;
    struct spool_item item;
    const struct cases_case *k;
    const struct genesis_node *asker;
    struct buf bytes;
    uint32_t count = 0;
    enum err_code rc = api_params(call, &service_case_ask_schema, &p, e);
    if (rc != ERR_OK)
        return rc;
    buf_init(&bytes, LIMIT_MESSAGE);
    if ((rc = evidence_begin(call, p.channel, &d, e)) != ERR_OK)
        goto out;
    if (!(k = evidence_case(&d, p.case_id, e))) {
        rc = ERR_NOT_FOUND;
        goto out;
    }
    {
        const uint64_t numbers[] = {k->entry, k->request, k->answer, k->verdict_entry, k->dispute};
        for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
            if ((i == 0 || numbers[i]) && (rc = evidence_exhibit(call, &d, numbers[i], list, &count, e)) != ERR_OK)
                goto out;
    }
    file.exhibits = (struct schema_list){list, count};
    memcpy(file.case_id, k->case_id, EVIDENCE_CASE_SIZE);
    memcpy(file.channel, channel_id(d.c->channel)->b, DIGEST_SIZE);
    if ((asker = genesis_node_find(&call->node->genesis, slice_str(k->asker))))
        memcpy(file.recipient_box, asker->box, SEALED_KEY_SIZE);
    if (p.disclose && evidence_key(call, &d, k, file.key, e) != ERR_OK)
        sodium_memzero(file.key, sizeof file.key);
    rc = spool_get(call->node->spool, slice_eq_str(call->node->self->id, k->asker) ? SPOOL_RECEIVED : SPOOL_ANSWERED,
                   k->case_id, &d.cipher, &item, e);
    if (rc == ERR_OK)
        file.ciphertext = item.ciphertext;
    if (rc == ERR_OK || rc == ERR_NOT_FOUND)
        rc = case_file_write(&file, &bytes, e);
    if (rc == ERR_OK) {
        out.file = buf_slice(&bytes);
        schema_write(&service_export_schema, &out, &call->out);
    }
out:
    sodium_memzero(file.key, sizeof file.key);
    buf_release(&bytes);
    evidence_end(&d);
    return rc;
}

/* ---- findings ---- */

struct evidence_findings {
    struct api_call *call;
    struct evidence_desk *d;
    struct service_finding *items;
    uint32_t count;
    uint64_t next;
    bool more;
    enum err_code rc;
    struct err *e;
};

static bool evidence_finding(void *ctx, uint64_t number, enum entry_kind kind) {
    struct evidence_findings *s = ctx;
    struct service_finding *out = &s->items[s->count];
    const struct finding_subject *subjects;
    struct evidence_entry x;
    int64_t time;
    (void)kind;
    if (s->count == EVIDENCE_PAGE) {
        s->more = true;
        s->next = number;
        return false;
    }
    s->rc = desk_entry(s->d->src.reader, number, ENTRY_FINDING, &s->call->arena, &x, &time, s->e);
    if (s->rc != ERR_OK)
        return false;
    *out = (struct service_finding){.by = x.u.finding.by,
                                    .channel = slice_str(channel_name(s->d->c->channel)),
                                    .engine = x.u.finding.engine,
                                    .kind = x.u.finding.kind,
                                    .number = number,
                                    .outcome = x.u.finding.outcome,
                                    .severity = x.u.finding.severity,
                                    .text = x.u.finding.text,
                                    .time = x.u.finding.time};
    memcpy(out->case_id, x.u.finding.case_id, EVIDENCE_CASE_SIZE);
    subjects = x.u.finding.subjects.items;
    if (x.u.finding.subjects.count) {
        out->has_subject = true;
        out->subject = subjects[0].entry;
    }
    s->count++;
    return true;
}

enum err_code api_findings(struct api_call *call, struct err *e) {
    struct service_findings_ask p;
    struct service_findings out = {.more = false};
    struct evidence_desk d;
    struct evidence_findings s = {.call = call, .d = &d, .e = e};
    struct index_view *view = NULL;
    struct chain_reader_entry x;
    struct entry entry;
    uint64_t number, tip;
    enum err_code rc = api_params(call, &service_findings_ask_schema, &p, e);
    if (rc != ERR_OK)
        return rc;
    if ((rc = evidence_begin(call, p.channel, &d, e)) != ERR_OK)
        goto out;
    s.items = arena_alloc(&call->arena, EVIDENCE_PAGE + 1, sizeof *s.items);
    if (!s.items) {
        rc = err_set(e, ERR_NO_MEMORY, "no memory for the findings");
        goto out;
    }
    number = p.from;
    if (index_view_open(channel_index(d.c->channel), &view, NULL) == ERR_OK) {
        if (index_view_entries(view) > number)
            rc = index_governance(view, 1u << ENTRY_FINDING, number, evidence_finding, &s, e);
        if (index_view_entries(view) > number)
            number = index_view_entries(view);
        index_view_close(view);
    }
    tip = chain_reader_tip(d.src.reader)->tree_size;
    for (; rc == ERR_OK && s.rc == ERR_OK && !s.more && number < tip; number++)
        if ((rc = chain_reader_entry(d.src.reader, number, &x, e)) == ERR_OK &&
            (rc = entry_read(x.bytes, &entry, e)) == ERR_OK && entry.kind == ENTRY_FINDING)
            (void)evidence_finding(&s, number, ENTRY_FINDING);
    if (rc == ERR_OK)
        rc = s.rc;
    if (rc == ERR_OK) {
        out.findings = (struct schema_list){s.items, s.count};
        out.more = s.more;
        out.next = s.next;
        schema_write(&service_findings_schema, &out, &call->out);
    }
out:
    evidence_end(&d);
    return rc;
}
