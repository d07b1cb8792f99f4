/* audit/cases.c -- see cases.h, where the table of transitions stands. */
#include "audit/cases.h"

#include "wire/mem.h"

#include <sodium.h>

const char *cases_state_text(enum cases_state s) {
    static const char *const texts[] = {"none", "open", "answered", "judged", "disputed", "adjudicated"};
    return texts[(unsigned)s <= CASES_ADJUDICATED ? s : 0];
}

/* ---- one case ---- */

static void cases_name(char out[CASES_ID], struct slice s) { /* at most LIMIT_NAME by the tables */
    size_t n = s.len < CASES_ID ? s.len : CASES_ID - 1;
    memcpy(out, s.ptr, n);
    out[n] = '\0';
}

static enum err_code cases_author(struct slice is, const char *must, const char *what, struct err *e) {
    return slice_eq_str(is, must)
               ? ERR_OK
               : err_set(e, ERR_NOT_ALLOWED, "%s must come from node %s, not from %.*s", what, must, SLICE_ARG(is));
}

static enum err_code cases_wrong(const struct cases_case *c, const char *what, struct err *e) {
    if (c->state == CASES_NONE)
        return err_set(e, ERR_NOT_FOUND, "%s of a case that does not exist", what);
    return err_set(e, ERR_CONFLICT, "no %s may follow: the case is %s", what, cases_state_text(c->state));
}

/* What the request says of the record must be what the record says. */
static enum err_code cases_check_record(const struct evidence_request *r, const struct cases_view *view,
                                        struct err *e) {
    struct cases_record rec;
    char org[CASES_ID];
    if (!view)
        return ERR_OK;
    enum err_code c = view->record(view->ctx, r->entry, &rec, e);
    if (!c)
        c = view->node_org(view->ctx, r->to, org, e);
    if (c)
        return c;
    if (memcmp(rec.leaf.b, r->leaf, DIGEST_SIZE) != 0 || memcmp(rec.raw_hash.b, r->raw_hash, DIGEST_SIZE) != 0 ||
        (uint32_t)rec.raw_commit != r->raw_commit)
        return err_set(e, ERR_CONFLICT, "entry %llu is not the record that the request describes",
                       (unsigned long long)r->entry);
    if (strcmp(rec.org, org) != 0)
        return err_set(e, ERR_NOT_ALLOWED, "node %.*s is of %s, but the record came from %s", SLICE_ARG(r->to), org,
                       rec.org);
    return ERR_OK;
}

static enum err_code cases_check_parts(const struct evidence_request *r, struct err *e) {
    const struct evidence_part *parts = r->sealed.items;
    bool asker = false, to = false;
    for (uint32_t i = 0; i < r->sealed.count; i++) {
        asker = asker || slice_eq(parts[i].node, r->asker);
        to = to || slice_eq(parts[i].node, r->to);
    }
    return asker && to
               ? ERR_OK
               : err_set(e, ERR_MALFORMED, "the request is not sealed to both the asker and the answering node");
}

static enum err_code cases_on_request(struct cases_case *c, const struct cases_event *ev, const struct cases_view *view,
                                      struct err *e) {
    const struct evidence_request *r = &ev->entry->u.request;
    if (c->state != CASES_NONE)
        return cases_wrong(c, "request", e);
    if (!ev->author_regulator || !slice_eq(ev->author_node, r->asker) || !slice_eq(ev->author_org, r->asker_org))
        return err_set(e, ERR_NOT_ALLOWED, "only a regulator's node may ask, and only for itself");
    if (r->deadline <= ev->time)
        return err_set(e, ERR_BAD_TIME, "the deadline has passed already");
    enum err_code code = cases_check_parts(r, e);
    if (!code)
        code = cases_check_record(r, view, e);
    if (code)
        return code;
    memset(c, 0, sizeof *c);
    c->state = CASES_OPEN;
    memcpy(c->case_id, r->case_id, EVIDENCE_CASE_SIZE);
    cases_name(c->asker, r->asker);
    cases_name(c->asker_org, r->asker_org);
    cases_name(c->to, r->to);
    c->entry = r->entry;
    c->request = ev->number;
    c->asked_at = ev->time;
    c->deadline = r->deadline;
    memcpy(c->leaf.b, r->leaf, DIGEST_SIZE);
    memcpy(c->raw_hash.b, r->raw_hash, DIGEST_SIZE);
    c->raw_commit = (enum record_commitment)r->raw_commit;
    return ERR_OK;
}

static enum err_code cases_on_answer(struct cases_case *c, const struct cases_event *ev, struct err *e) {
    const struct evidence_answer *a = &ev->entry->u.answer;
    bool late_still = c->state == CASES_JUDGED && c->answer == 0; /* then the verdict was LATE */
    if (c->state != CASES_OPEN && !late_still)
        return cases_wrong(c, "answer", e);
    enum err_code code = cases_author(ev->author_node, c->to, "the answer", e);
    if (code)
        return code;
    if (a->request != c->request || !slice_eq_str(a->recipient, c->asker))
        return err_set(e, ERR_CONFLICT, "the answer cites request %llu to %.*s, the case has %llu to %s",
                       (unsigned long long)a->request, SLICE_ARG(a->recipient), (unsigned long long)c->request,
                       c->asker);
    c->state = CASES_ANSWERED;
    c->answer = ev->number;
    c->answered_at = ev->time;
    c->late = c->late || ev->time > c->deadline;
    c->status = (enum evidence_status)a->status;
    memcpy(c->cipher_hash.b, a->cipher_hash, DIGEST_SIZE);
    memcpy(c->key_commit.b, a->key_commit, DIGEST_SIZE);
    c->cipher_size = a->cipher_size;
    return ERR_OK;
}

/* Which verdicts an answer of this status allows. */
static bool cases_verdict_fits(enum evidence_status s, enum evidence_verdict v) {
    switch (v) {
    case EVIDENCE_VERDICT_VERIFIED:
    case EVIDENCE_VERDICT_MISMATCH:
        return s == EVIDENCE_SENT;
    case EVIDENCE_VERDICT_DAMAGED:
        return s == EVIDENCE_SENT || s == EVIDENCE_DAMAGED;
    case EVIDENCE_VERDICT_MISSING:
        return s == EVIDENCE_SENT || s == EVIDENCE_MISSING;
    case EVIDENCE_VERDICT_REFUSED:
        return s == EVIDENCE_REFUSED;
    case EVIDENCE_VERDICT_ERASED:
        return s == EVIDENCE_ERASED;
    case EVIDENCE_VERDICT_LATE:
        return true;
    }
    return false;
}

static enum err_code cases_check_ruling(const struct cases_case *c, const struct evidence_ruling *r, int64_t time,
                                        struct err *e) {
    enum evidence_verdict v = (enum evidence_verdict)r->verdict;
    if (r->request != c->request || r->answer != c->answer)
        return err_set(e, ERR_CONFLICT, "the verdict cites request %llu and answer %llu, the case has %llu and %llu",
                       (unsigned long long)r->request, (unsigned long long)r->answer, (unsigned long long)c->request,
                       (unsigned long long)c->answer);
    if (v == EVIDENCE_VERDICT_LATE && (c->answer ? c->answered_at : time) <= c->deadline)
        return err_set(e, ERR_CONFLICT, "\"late\" before the deadline");
    if (c->answer && !cases_verdict_fits(c->status, v))
        return err_set(e, ERR_CONFLICT, "verdict \"%s\" on an answer \"%s\"", evidence_verdict_names[v],
                       evidence_status_names[c->status]);
    bool same = memcmp(r->checked, c->raw_hash.b, DIGEST_SIZE) == 0;
    if ((v == EVIDENCE_VERDICT_VERIFIED && !same) || (v == EVIDENCE_VERDICT_MISMATCH && same))
        return err_set(e, ERR_CONFLICT, "verdict \"%s\" against its own hash", evidence_verdict_names[v]);
    return ERR_OK;
}

static enum err_code cases_on_ruling(struct cases_case *c, const struct cases_event *ev, struct err *e) {
    const struct evidence_ruling *r = &ev->entry->u.ruling;
    if (c->state != CASES_ANSWERED && !(c->state == CASES_OPEN && r->verdict == EVIDENCE_VERDICT_LATE))
        return cases_wrong(c, "verdict", e);
    enum err_code code = cases_author(ev->author_node, c->asker, "the verdict", e);
    if (!code)
        code = cases_check_ruling(c, r, ev->time, e);
    if (code)
        return code;
    c->state = CASES_JUDGED;
    c->verdict = (enum evidence_verdict)r->verdict;
    c->verdict_entry = ev->number;
    c->judged_at = ev->time;
    c->late = c->late || r->verdict == EVIDENCE_VERDICT_LATE;
    return ERR_OK;
}

static enum err_code cases_on_dispute(struct cases_case *c, const struct cases_event *ev, struct err *e) {
    const struct evidence_dispute *d = &ev->entry->u.dispute;
    if (c->state != CASES_JUDGED)
        return cases_wrong(c, "dispute", e);
    if (!slice_eq_str(ev->author_node, c->to) && !slice_eq_str(ev->author_node, c->asker))
        return err_set(e, ERR_NOT_ALLOWED, "only %s and %s may dispute this verdict", c->to, c->asker);
    if (d->verdict != c->verdict_entry)
        return err_set(e, ERR_CONFLICT, "the dispute cites verdict %llu, the case has %llu",
                       (unsigned long long)d->verdict, (unsigned long long)c->verdict_entry);
    if (sodium_is_zero(d->key, sizeof d->key) != 1) {
        struct digest commit = digest_tagged("assay/evidence-key/v1", slice_of(d->key, sizeof d->key));
        if (!digest_eq(&commit, &c->key_commit))
            return err_set(e, ERR_CONFLICT, "the disclosed key is not the one that the answer committed to");
    }
    c->state = CASES_DISPUTED;
    c->dispute = ev->number;
    return ERR_OK;
}

static enum err_code cases_on_finding(struct cases_case *c, const struct cases_event *ev, struct err *e) {
    const struct finding *f = &ev->entry->u.finding;
    if (f->outcome == 0)
        return ERR_OK; /* any finding may mention a case */
    if (c->state != CASES_DISPUTED && c->state != CASES_ADJUDICATED)
        return cases_wrong(c, "adjudication", e);
    c->state = CASES_ADJUDICATED;
    c->outcome = (enum evidence_outcome)f->outcome;
    return ERR_OK;
}

enum err_code cases_step(struct cases_case *c, const struct cases_event *ev, const struct cases_view *view,
                         struct err *e) {
    if (ev->entry->kind == ENTRY_EVIDENCE_REQUEST)
        return cases_on_request(c, ev, view, e);
    if (ev->entry->kind == ENTRY_EVIDENCE_ANSWER)
        return cases_on_answer(c, ev, e);
    if (ev->entry->kind == ENTRY_VERDICT)
        return cases_on_ruling(c, ev, e);
    if (ev->entry->kind == ENTRY_DISPUTE)
        return cases_on_dispute(c, ev, e);
    if (ev->entry->kind == ENTRY_FINDING)
        return cases_on_finding(c, ev, e);
    return ERR_OK;
}

bool cases_overdue(const struct cases_case *c, int64_t block_time) {
    return c->state == CASES_OPEN && block_time > c->deadline;
}

/* ---- all cases ---- */

struct cases {
    struct cases_case *items; /* in the order of their requests */
    size_t count, cap;
    uint32_t *slots; /* open addressing: index into items + 1; a power of two, at most half full */
    size_t slot_count;
    uint8_t key[crypto_shorthash_KEYBYTES]; /* so that nobody can choose colliding case ids */
};

enum { CASES_FIRST = 64 };

enum err_code cases_open(struct cases **out, struct err *e) {
    struct cases *t = mem_zalloc(1, sizeof *t);
    if (!t)
        return err_set(e, ERR_NO_MEMORY, "cases");
    randombytes_buf(t->key, sizeof t->key);
    *out = t;
    return ERR_OK;
}

void cases_close(struct cases *t) {
    if (!t)
        return;
    mem_free(t->items);
    mem_free(t->slots);
    mem_free(t);
}

/* The slot of the case, or the empty one where it would be; slot_count > 0. */
static size_t cases_slot(const struct cases *t, const uint8_t *case_id) {
    uint8_t h[crypto_shorthash_BYTES];
    (void)crypto_shorthash(h, case_id, EVIDENCE_CASE_SIZE, t->key);
    size_t i = (size_t)buf_get64(h) & (t->slot_count - 1);
    while (t->slots[i] && memcmp(t->items[t->slots[i] - 1].case_id, case_id, EVIDENCE_CASE_SIZE) != 0)
        i = (i + 1) & (t->slot_count - 1);
    return i;
}

static enum err_code cases_reserve(struct cases *t, struct err *e) {
    if (t->count < t->cap)
        return ERR_OK;
    if (t->count >= CASES_MAX)
        return err_set(e, ERR_FULL, "%d evidence cases", CASES_MAX);
    size_t cap = t->cap ? t->cap * 2 : CASES_FIRST;
    struct cases_case *items = mem_realloc(t->items, cap * sizeof *items);
    if (!items)
        return err_set(e, ERR_NO_MEMORY, "cases");
    t->items = items;
    uint32_t *slots = mem_zalloc(cap * 2, sizeof *slots);
    if (!slots)
        return err_set(e, ERR_NO_MEMORY, "cases");
    mem_free(t->slots);
    t->slots = slots;
    t->slot_count = cap * 2;
    t->cap = cap;
    for (size_t i = 0; i < t->count; i++)
        t->slots[cases_slot(t, t->items[i].case_id)] = (uint32_t)i + 1;
    return ERR_OK;
}

static struct cases_case *cases_look(const struct cases *t, const uint8_t *case_id) {
    uint32_t at = t->slot_count ? t->slots[cases_slot(t, case_id)] : 0;
    return at ? &t->items[at - 1] : NULL;
}

const struct cases_case *cases_find(const struct cases *t, const uint8_t case_id[EVIDENCE_CASE_SIZE]) {
    return cases_look(t, case_id);
}

enum err_code cases_apply(struct cases *t, const struct cases_event *ev, const struct cases_view *view, struct err *e) {
    const uint8_t *id = evidence_entry_case(ev->entry);
    if (!id)
        return ERR_OK;
    struct cases_case *c = cases_look(t, id);
    if (c)
        return cases_step(c, ev, view, e);
    struct cases_case fresh = {.state = CASES_NONE};
    enum err_code code = cases_step(&fresh, ev, view, e);
    if (code || fresh.state == CASES_NONE)
        return code;
    code = cases_reserve(t, e);
    if (code)
        return code;
    t->items[t->count] = fresh;
    t->slots[cases_slot(t, fresh.case_id)] = (uint32_t)++t->count;
    return ERR_OK;
}

uint32_t cases_tick(struct cases *t, int64_t block_time) {
    uint32_t marked = 0;
    for (size_t i = 0; i < t->count; i++)
        if (cases_overdue(&t->items[i], block_time) && !t->items[i].late) {
            t->items[i].late = true;
            marked++;
        }
    return marked;
}

size_t cases_count(const struct cases *t) {
    return t->count;
}

const struct cases_case *cases_at(const struct cases *t, size_t i) {
    ERR_ASSERT(i < t->count);
    return &t->items[i];
}
