/* tests/unit/test_evidence.c -- a case from request to adjudication: verdicts, false verdicts, false answers, who may
 * do what, and that sealed parts and answers are closed to others. */
#include "audit/case_file.h"
#include "audit/cases.h"
#include "tests/support/scratch.h"
#include "wire/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sodium.h>

static const char LOG[] = "{\"user\":\"李四\",\"op\":\"freeze\",\"fund\":\"F-100\"}";
enum { ASKED = 20, ANSWERED = 21, JUDGED = 22, DISPUTED = 23 };
enum { T0 = 1000, DEADLINE = 5000 };

struct node {
    struct sealed_pair box;
    uint8_t secret[SEALED_KEY_SIZE];
};

struct fixture {
    struct node reg, acme, other;
    struct digest channel;
    struct buf record, request, answer, ruling, dispute, cipher, plain;
    struct evidence_entry rq, an, ru, di;
    uint8_t salt[COMMITMENT_SALT_SIZE], key_box[SEALED_BOUND_SIZE], key[EVIDENCE_KEY_SIZE];
    uint8_t case_id[EVIDENCE_CASE_SIZE];
    struct arena a;
    struct err e;
};

static void node_make(struct node *n) {
    (void)crypto_box_keypair(n->box.pub, n->secret);
    n->box.secret = n->secret;
}

static void read_entry(struct fixture *f, const struct buf *b, struct evidence_entry *out) {
    struct entry en;
    assert_int_equal(entry_read(buf_slice(b), &en, &f->e), ERR_OK);
    assert_int_equal(evidence_entry_read(&en, &f->a, out, &f->e), ERR_OK);
}

static enum err_code ask(struct fixture *f, struct buf *out) {
    struct slice objects[] = {slice_str("fund F-100"), slice_str("李四")};
    struct evidence_ask in = {.asker_org = slice_str("fin-reg"),
                              .by = slice_str("王检查"),
                              .entry = 7,
                              .bytes = buf_slice(&f->record),
                              .deadline = DEADLINE,
                              .objects = objects,
                              .object_count = 2,
                              .reason = slice_str("complaint 2024-17")};
    in.asker.node = slice_str("fin-reg-1");
    in.to.node = slice_str("acme-hq");
    memcpy(in.asker.box, f->reg.box.pub, SEALED_KEY_SIZE);
    memcpy(in.to.box, f->acme.box.pub, SEALED_KEY_SIZE);
    return evidence_ask(&in, f->case_id, out, &f->e);
}

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    *state = f;
    if (sodium_init() < 0)
        return 1;
    node_make(&f->reg);
    node_make(&f->acme);
    node_make(&f->other);
    arena_init(&f->a, 1 << 20);
    struct buf *bufs[] = {&f->record, &f->request, &f->answer, &f->ruling, &f->dispute};
    for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++)
        buf_init(bufs[i], LIMIT_ENTRY);
    buf_init(&f->cipher, EVIDENCE_CIPHER_MAX);
    buf_init(&f->plain, EVIDENCE_CIPHER_MAX);
    randombytes_buf(f->salt, sizeof f->salt);
    memset(f->channel.b, 9, DIGEST_SIZE);
    struct digest h = commitment_of(RECORD_SALTED, f->salt, slice_str(LOG));
    struct dead_letter d = {.raw_commit = RECORD_SALTED, .raw_size = sizeof LOG - 1, .reason = slice_str("no JSON")};
    memcpy(d.raw_hash, h.b, DIGEST_SIZE);
    d.server = slice_str("core");
    d.service = slice_str("api");
    d.source = (struct record_source){slice_str("web"), 3};
    d.uid[0] = 1;
    entry_write(ENTRY_DEAD_LETTER, &dead_letter_schema, &d, &f->record);
    assert_int_equal(ask(f, &f->request), ERR_OK);
    read_entry(f, &f->request, &f->rq);
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    mem_fail_at(0);
    struct buf *bufs[] = {&f->record, &f->request, &f->answer, &f->ruling, &f->dispute, &f->cipher, &f->plain};
    for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++)
        buf_release(bufs[i]);
    arena_release(&f->a);
    free(f);
    return 0;
}

static void give(struct fixture *f, enum evidence_status status, const char *log) {
    struct evidence_give in = {.channel = &f->channel,
                               .request = &f->rq.u.request,
                               .request_number = ASKED,
                               .status = status,
                               .raw = slice_str(log),
                               .by = slice_str("node"),
                               .reason = slice_str(status == EVIDENCE_REFUSED ? "out of scope" : "")};
    memcpy(in.recipient_box, f->reg.box.pub, SEALED_KEY_SIZE);
    memcpy(in.own_box, f->acme.box.pub, SEALED_KEY_SIZE);
    memcpy(in.salt, f->salt, sizeof in.salt);
    buf_clear(&f->answer);
    assert_int_equal(evidence_give(&in, &f->cipher, f->key_box, &f->answer, &f->e), ERR_OK);
    read_entry(f, &f->answer, &f->an);
    if (status == EVIDENCE_SENT)
        assert_true(sealed_bound_open(&f->acme.box, f->key_box, f->key));
}

static struct evidence_judge judge_in(struct fixture *f) {
    return (struct evidence_judge){.channel = &f->channel,
                                   .request = &f->rq.u.request,
                                   .request_number = ASKED,
                                   .answer = &f->an.u.answer,
                                   .answer_number = ANSWERED,
                                   .answer_time = 2000,
                                   .now = 3000,
                                   .ciphertext = f->cipher.len ? buf_slice(&f->cipher) : slice_none(),
                                   .own = &f->reg.box};
}

static struct evidence_judgement judge(struct fixture *f) {
    struct evidence_judge in = judge_in(f);
    struct evidence_judgement j;
    assert_int_equal(evidence_judge(&in, &f->plain, &j, &f->e), ERR_OK);
    buf_clear(&f->ruling);
    assert_int_equal(evidence_rule(&in, &j, slice_str("王检查"), &f->ruling, &f->e), ERR_OK);
    read_entry(f, &f->ruling, &f->ru);
    return j;
}

static struct adjudicate_dossier dossier(struct fixture *f) {
    return (struct adjudicate_dossier){.channel = f->channel,
                                       .request = &f->rq.u.request,
                                       .answer = &f->an.u.answer,
                                       .ruling = &f->ru.u.ruling,
                                       .request_number = ASKED,
                                       .answer_number = ANSWERED,
                                       .ruling_number = JUDGED,
                                       .answer_time = 2000,
                                       .ruling_time = 3000,
                                       .key = f->key,
                                       .ciphertext = buf_slice(&f->cipher),
                                       .recipient_box = f->reg.box.pub,
                                       .record = buf_slice(&f->record)};
}

static struct adjudicate_decision decide(struct fixture *f, const struct adjudicate_dossier *d) {
    struct adjudicate_decision dec;
    assert_int_equal(adjudicate(d, &f->plain, &dec, &f->e), ERR_OK);
    assert_true(dec.words[0] != '\0');
    return dec;
}

static void rule_as(struct fixture *f, enum evidence_verdict v, uint8_t checked) {
    struct evidence_ruling *r = &f->ru.u.ruling;
    r->verdict = (uint32_t)v;
    memset(r->checked, checked, DIGEST_SIZE);
}

static void test_sealed_part_opens_for_parties_only(void **state) {
    struct fixture *f = *state;
    struct evidence_sealed s;
    const struct evidence_request *r = &f->rq.u.request;
    assert_int_equal(evidence_unseal(r, slice_str("acme-hq"), &f->acme.box, &f->plain, &f->a, &s, &f->e), ERR_OK);
    assert_true(slice_eq_str(s.reason, "complaint 2024-17"));
    assert_int_equal(s.objects.count, 2);
    assert_int_equal(evidence_unseal(r, slice_str("fin-reg-1"), &f->reg.box, &f->plain, &f->a, &s, &f->e), ERR_OK);
    assert_int_equal(evidence_unseal(r, slice_str("acme-hq"), &f->other.box, &f->plain, &f->a, &s, &f->e),
                     ERR_BAD_SIGNATURE);
    assert_int_equal(evidence_unseal(r, slice_str("data-reg-1"), &f->other.box, &f->plain, &f->a, &s, &f->e),
                     ERR_NOT_FOUND);
    assert_null(memmem(f->request.ptr, f->request.len, "complaint", 9));
    assert_null(memmem(f->request.ptr, f->request.len, "F-100", 5));
}

static void test_good_log_verified_altered_mismatch(void **state) {
    struct fixture *f = *state;
    give(f, EVIDENCE_SENT, LOG);
    assert_null(memmem(f->cipher.ptr, f->cipher.len, "F-100", 5));
    struct evidence_judgement j = judge(f);
    assert_int_equal(j.verdict, EVIDENCE_VERDICT_VERIFIED);
    assert_true(slice_eq_str(j.raw, LOG));
    give(f, EVIDENCE_SENT, "{\"user\":\"李四\",\"op\":\"nothing\"}");
    j = judge(f);
    assert_int_equal(j.verdict, EVIDENCE_VERDICT_MISMATCH);
    struct evidence_judge in = judge_in(f);
    in.own = &f->other.box;
    assert_int_equal(evidence_judge(&in, &f->plain, &j, &f->e), ERR_OK);
    assert_int_equal(j.verdict, EVIDENCE_VERDICT_DAMAGED);
    assert_false(j.has_key);
}

static void test_each_flipped_byte_of_ciphertext_damaged(void **state) {
    struct fixture *f = *state;
    give(f, EVIDENCE_SENT, LOG);
    for (size_t i = 0; i < f->cipher.len; i++) {
        f->cipher.ptr[i] ^= 1;
        assert_int_equal(judge(f).verdict, EVIDENCE_VERDICT_DAMAGED);
        f->cipher.ptr[i] ^= 1;
    }
    assert_int_equal(judge(f).verdict, EVIDENCE_VERDICT_VERIFIED);
}

static void test_status_and_time_give_their_verdicts(void **state) {
    struct fixture *f = *state;
    static const enum evidence_verdict want[] = {
        0, 0, EVIDENCE_VERDICT_DAMAGED, EVIDENCE_VERDICT_MISSING, EVIDENCE_VERDICT_REFUSED, EVIDENCE_VERDICT_ERASED};
    for (enum evidence_status s = EVIDENCE_DAMAGED; s <= EVIDENCE_ERASED; s++) {
        give(f, s, "");
        assert_int_equal(judge(f).verdict, want[s]);
    }
    struct evidence_judgement j;
    struct evidence_judge in = judge_in(f);
    in.answer = NULL;
    assert_int_equal(evidence_judge(&in, &f->plain, &j, &f->e), ERR_BUSY);
    in.now = DEADLINE + 1;
    assert_int_equal(evidence_judge(&in, &f->plain, &j, &f->e), ERR_OK);
    assert_int_equal(j.verdict, EVIDENCE_VERDICT_LATE);
    give(f, EVIDENCE_SENT, LOG);
    in = judge_in(f);
    in.ciphertext = slice_none();
    assert_int_equal(evidence_judge(&in, &f->plain, &j, &f->e), ERR_BUSY);
    in.now = DEADLINE + 1;
    assert_int_equal(evidence_judge(&in, &f->plain, &j, &f->e), ERR_OK);
    assert_int_equal(j.verdict, EVIDENCE_VERDICT_MISSING);
}

static void test_adjudicate_true_verdict_stands(void **state) {
    struct fixture *f = *state;
    give(f, EVIDENCE_SENT, LOG);
    (void)judge(f);
    struct adjudicate_dossier d = dossier(f);
    assert_int_equal(decide(f, &d).outcome, EVIDENCE_VERDICT_STANDS);
}

static void test_adjudicate_false_verdict_against_regulator(void **state) {
    struct fixture *f = *state;
    give(f, EVIDENCE_SENT, LOG);
    (void)judge(f);
    struct adjudicate_dossier d = dossier(f);
    rule_as(f, EVIDENCE_VERDICT_MISMATCH, 3);
    struct adjudicate_decision dec = decide(f, &d);
    assert_int_equal(dec.outcome, EVIDENCE_VERDICT_FALSE);
    assert_int_equal(dec.truth, EVIDENCE_VERDICT_VERIFIED);
    rule_as(f, EVIDENCE_VERDICT_DAMAGED, 0); /* "I could not open it": the bound box shows that he could */
    assert_int_equal(decide(f, &d).outcome, EVIDENCE_VERDICT_FALSE);
    rule_as(f, EVIDENCE_VERDICT_LATE, 0);
    assert_int_equal(decide(f, &d).outcome, EVIDENCE_VERDICT_FALSE);
    rule_as(f, EVIDENCE_VERDICT_MISSING, 0);
    assert_int_equal(decide(f, &d).outcome, EVIDENCE_UNDECIDED);
}

static void test_adjudicate_false_answer_against_enterprise(void **state) {
    struct fixture *f = *state;
    give(f, EVIDENCE_SENT, "altered");
    (void)judge(f);
    struct adjudicate_dossier d = dossier(f);
    assert_int_equal(decide(f, &d).outcome, EVIDENCE_ANSWER_FALSE);
    memcpy(f->ru.u.ruling.checked, f->rq.u.request.raw_hash, DIGEST_SIZE);
    f->ru.u.ruling.verdict = EVIDENCE_VERDICT_VERIFIED; /* a regulator who looks away */
    assert_int_equal(decide(f, &d).outcome, EVIDENCE_VERDICT_FALSE);
    give(f, EVIDENCE_SENT, LOG); /* a key box that does not open */
    f->an.u.answer.key_box[40] ^= 1;
    (void)judge(f);
    assert_int_equal(f->ru.u.ruling.verdict, EVIDENCE_VERDICT_DAMAGED);
    d = dossier(f);
    assert_int_equal(decide(f, &d).outcome, EVIDENCE_ANSWER_FALSE);
}

static void test_adjudicate_without_disclosure_undecided(void **state) {
    struct fixture *f = *state;
    uint8_t wrong[EVIDENCE_KEY_SIZE] = {1};
    give(f, EVIDENCE_SENT, LOG);
    (void)judge(f);
    struct adjudicate_dossier d = dossier(f);
    d.key = NULL;
    assert_int_equal(decide(f, &d).outcome, EVIDENCE_UNDECIDED);
    d.key = wrong;
    assert_int_equal(decide(f, &d).outcome, EVIDENCE_UNDECIDED);
    d = dossier(f);
    d.ciphertext = slice_none();
    assert_int_equal(decide(f, &d).outcome, EVIDENCE_UNDECIDED);
    struct adjudicate_decision dec;
    d = dossier(f);
    d.record = buf_slice(&f->request);
    assert_int_equal(adjudicate(&d, &f->plain, &dec, &f->e), ERR_PROOF);
    d = dossier(f);
    d.request_number = 99;
    assert_int_equal(adjudicate(&d, &f->plain, &dec, &f->e), ERR_PROOF);
}

static void test_case_file_round_trip_decides(void **state) {
    struct fixture *f = *state;
    struct buf file;
    struct case_file out;
    struct adjudicate_dossier d;
    struct adjudicate_decision dec;
    give(f, EVIDENCE_SENT, LOG);
    (void)judge(f);
    rule_as(f, EVIDENCE_VERDICT_MISMATCH, 3);
    buf_clear(&f->ruling);
    assert_int_equal(evidence_entry_write(&f->ru, &f->ruling, &f->e), ERR_OK);
    assert_int_equal(evidence_contest(f->case_id, JUDGED, f->key, slice_str("陈经理"), slice_str("it was the log"),
                                      &f->dispute, &f->e),
                     ERR_OK);
    struct case_file_exhibit x[] = {{buf_slice(&f->record), 7, slice_none(), 500},
                                    {buf_slice(&f->request), ASKED, slice_none(), T0},
                                    {buf_slice(&f->answer), ANSWERED, slice_none(), 2000},
                                    {buf_slice(&f->ruling), JUDGED, slice_none(), 3000},
                                    {buf_slice(&f->dispute), DISPUTED, slice_none(), 4000}};
    struct case_file in = {
        .ciphertext = buf_slice(&f->cipher), .exhibits = {x, 5}, .format = slice_str(CASE_FILE_FORMAT)};
    memcpy(in.case_id, f->case_id, sizeof in.case_id);
    memcpy(in.channel, f->channel.b, DIGEST_SIZE);
    memcpy(in.recipient_box, f->reg.box.pub, SEALED_KEY_SIZE);
    buf_init(&file, CASE_FILE_MAX);
    assert_int_equal(case_file_write(&in, &file, &f->e), ERR_OK);
    assert_int_equal(case_file_read(buf_slice(&file), &f->a, &out, &f->e), ERR_OK);
    assert_int_equal(case_file_dossier(&out, &f->a, &d, &f->e), ERR_OK);
    assert_int_equal(adjudicate(&d, &f->plain, &dec, &f->e), ERR_OK);
    assert_int_equal(dec.outcome, EVIDENCE_VERDICT_FALSE);
    struct buf entry;
    buf_init(&entry, LIMIT_ENTRY);
    assert_int_equal(adjudicate_entry(&d, &dec, slice_str("court"), 9000, &entry, &f->e), ERR_OK);
    buf_release(&entry);
    for (size_t cut = 0; cut < file.len; cut += 13)
        assert_int_not_equal(case_file_read(slice_of(file.ptr, cut), &f->a, &out, &f->e), ERR_OK);
    buf_release(&file);
}

/* ---- the state machine ---- */

static enum err_code view_record(void *ctx, uint64_t number, struct cases_record *out, struct err *e) {
    struct fixture *f = ctx;
    if (number != 7)
        return err_set(e, ERR_NOT_FOUND, "entry");
    memset(out, 0, sizeof *out);
    out->leaf = entry_leaf(buf_slice(&f->record));
    memcpy(out->raw_hash.b, f->rq.u.request.raw_hash, DIGEST_SIZE);
    out->raw_commit = RECORD_SALTED;
    memcpy(out->org, "acme", 5);
    return ERR_OK;
}

static enum err_code view_org(void *ctx, struct slice node, char org[CASES_ID], struct err *e) {
    (void)ctx;
    (void)e;
    memcpy(org, slice_eq_str(node, "acme-hq") ? "acme" : "else", 5);
    return ERR_OK;
}

static enum err_code apply(struct fixture *f, struct cases *t, const struct evidence_entry *en, uint64_t number,
                           int64_t time, const char *node, const char *org, bool regulator) {
    struct cases_event ev = {number, time, slice_str(node), slice_str(org), regulator, en};
    struct cases_view view = {f, view_record, view_org};
    return cases_apply(t, &ev, &view, &f->e);
}

static void test_case_goes_its_way_and_no_other(void **state) {
    struct fixture *f = *state;
    struct cases *t = NULL;
    give(f, EVIDENCE_SENT, LOG);
    (void)judge(f);
    assert_int_equal(evidence_contest(f->case_id, JUDGED, f->key, slice_str("c"), slice_str("no"), &f->dispute, &f->e),
                     ERR_OK);
    read_entry(f, &f->dispute, &f->di);
    assert_int_equal(cases_open(&t, &f->e), ERR_OK);
    assert_int_equal(apply(f, t, &f->an, ANSWERED, 2000, "acme-hq", "acme", false), ERR_NOT_FOUND);
    assert_int_equal(apply(f, t, &f->rq, ASKED, T0, "acme-hq", "acme", false), ERR_NOT_ALLOWED);
    assert_int_equal(apply(f, t, &f->rq, ASKED, DEADLINE, "fin-reg-1", "fin-reg", true), ERR_BAD_TIME);
    struct evidence_entry bad = f->rq;
    bad.u.request.to = slice_str("globex-hq"); /* not who holds the log, nor sealed to */
    assert_int_not_equal(apply(f, t, &bad, ASKED, T0, "fin-reg-1", "fin-reg", true), ERR_OK);
    bad = f->rq;
    bad.u.request.raw_hash[0] ^= 1;
    assert_int_equal(apply(f, t, &bad, ASKED, T0, "fin-reg-1", "fin-reg", true), ERR_CONFLICT);
    assert_int_equal(cases_count(t), 0);
    assert_int_equal(apply(f, t, &f->rq, ASKED, T0, "fin-reg-1", "fin-reg", true), ERR_OK);
    assert_int_equal(apply(f, t, &f->rq, ASKED, T0, "fin-reg-1", "fin-reg", true), ERR_CONFLICT);
    assert_int_equal(apply(f, t, &f->ru, JUDGED, 3000, "fin-reg-1", "fin-reg", true), ERR_CONFLICT);
    assert_int_equal(apply(f, t, &f->an, ANSWERED, 2000, "globex-hq", "globex", false), ERR_NOT_ALLOWED);
    assert_int_equal(apply(f, t, &f->an, ANSWERED, 2000, "acme-hq", "acme", false), ERR_OK);
    assert_int_equal(apply(f, t, &f->ru, JUDGED, 3000, "data-reg-1", "data-reg", true), ERR_NOT_ALLOWED);
    bad = f->ru;
    bad.u.ruling.verdict = EVIDENCE_VERDICT_MISMATCH; /* against its own hash */
    assert_int_equal(apply(f, t, &bad, JUDGED, 3000, "fin-reg-1", "fin-reg", true), ERR_CONFLICT);
    assert_int_equal(apply(f, t, &f->ru, JUDGED, 3000, "fin-reg-1", "fin-reg", true), ERR_OK);
    bad = f->di;
    bad.u.dispute.key[0] ^= 1;
    assert_int_equal(apply(f, t, &bad, DISPUTED, 3500, "acme-hq", "acme", false), ERR_CONFLICT);
    assert_int_equal(apply(f, t, &f->di, DISPUTED, 3500, "globex-hq", "globex", false), ERR_NOT_ALLOWED);
    assert_int_equal(apply(f, t, &f->di, DISPUTED, 3500, "acme-hq", "acme", false), ERR_OK);
    const struct cases_case *c = cases_find(t, f->case_id);
    assert_int_equal(c->state, CASES_DISPUTED);
    assert_false(c->late);
    cases_close(t);
}

static void test_late_case_marked_then_answered_late(void **state) {
    struct fixture *f = *state;
    struct cases *t = NULL;
    struct evidence_judgement j;
    struct evidence_judge in = judge_in(f);
    assert_int_equal(cases_open(&t, &f->e), ERR_OK);
    assert_int_equal(apply(f, t, &f->rq, ASKED, T0, "fin-reg-1", "fin-reg", true), ERR_OK);
    assert_int_equal(cases_tick(t, DEADLINE), 0);
    assert_int_equal(cases_tick(t, DEADLINE + 1), 1);
    assert_int_equal(cases_tick(t, DEADLINE + 2), 0);
    in.answer = NULL;
    in.now = DEADLINE + 1;
    assert_int_equal(evidence_judge(&in, &f->plain, &j, &f->e), ERR_OK);
    assert_int_equal(evidence_rule(&in, &j, slice_str("w"), &f->ruling, &f->e), ERR_OK);
    read_entry(f, &f->ruling, &f->ru);
    assert_int_equal(apply(f, t, &f->ru, JUDGED, DEADLINE, "fin-reg-1", "fin-reg", true), ERR_CONFLICT);
    assert_int_equal(apply(f, t, &f->ru, JUDGED, DEADLINE + 1, "fin-reg-1", "fin-reg", true), ERR_OK);
    give(f, EVIDENCE_SENT, LOG);
    assert_int_equal(apply(f, t, &f->an, 30, DEADLINE + 9, "acme-hq", "acme", false), ERR_OK);
    const struct cases_case *c = cases_find(t, f->case_id);
    assert_int_equal(c->state, CASES_ANSWERED);
    assert_true(c->late);
    cases_close(t);
}

static void test_many_cases_found_again(void **state) {
    struct fixture *f = *state;
    struct cases *t = NULL;
    assert_int_equal(cases_open(&t, &f->e), ERR_OK);
    struct evidence_entry en = f->rq;
    for (uint32_t i = 0; i < 3000; i++) {
        memcpy(en.u.request.case_id, &i, sizeof i);
        assert_int_equal(apply(f, t, &en, ASKED + i, T0, "fin-reg-1", "fin-reg", true), ERR_OK);
    }
    for (uint32_t i = 0; i < 3000; i++) {
        memcpy(en.u.request.case_id, &i, sizeof i);
        assert_int_equal(cases_find(t, en.u.request.case_id)->request, ASKED + i);
    }
    assert_null(cases_find(t, f->case_id));
    cases_close(t);
}

static void test_out_of_memory_at_each_allocation(void **state) {
    struct fixture *f = *state;
    for (unsigned long n = 1; n < 300; n++) {
        struct buf b;
        buf_init(&b, LIMIT_ENTRY);
        mem_fail_at(n);
        enum err_code c = ask(f, &b);
        mem_fail_at(0);
        buf_release(&b);
        if (!c)
            return;
    }
    fail_msg("never enough memory");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sealed_part_opens_for_parties_only, setup, teardown),
        cmocka_unit_test_setup_teardown(test_good_log_verified_altered_mismatch, setup, teardown),
        cmocka_unit_test_setup_teardown(test_each_flipped_byte_of_ciphertext_damaged, setup, teardown),
        cmocka_unit_test_setup_teardown(test_status_and_time_give_their_verdicts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_adjudicate_true_verdict_stands, setup, teardown),
        cmocka_unit_test_setup_teardown(test_adjudicate_false_verdict_against_regulator, setup, teardown),
        cmocka_unit_test_setup_teardown(test_adjudicate_false_answer_against_enterprise, setup, teardown),
        cmocka_unit_test_setup_teardown(test_adjudicate_without_disclosure_undecided, setup, teardown),
        cmocka_unit_test_setup_teardown(test_case_file_round_trip_decides, setup, teardown),
        cmocka_unit_test_setup_teardown(test_case_goes_its_way_and_no_other, setup, teardown),
        cmocka_unit_test_setup_teardown(test_late_case_marked_then_answered_late, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_cases_found_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_out_of_memory_at_each_allocation, setup, teardown),
    };
    return cmocka_run_group_tests_name("evidence", tests, NULL, NULL);
}
