/* Evidence cases, anchors and key grants as parts of a channel's state (PROTOCOL 12, 13): who may what when, hostile
 * entries, overlays that equal a replay; the persistent map beneath. */
#include "audit/anchor.h"
#include "audit/cases_module.h"
#include "audit/pmap.h"
#include "tests/support/audit_world.h"
#include "wire/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sodium.h>

static struct world w;
static const struct audit_module *const modules[] = {&cases_module, &anchor_module, &anchor_grant_module};
static uint8_t box_pub[WORLD_MEMBERS][32], box_secret[WORLD_MEMBERS][32];
enum { PACE = 5000 };

static uint64_t pace(const void *ctx, const uint8_t channel[DIGEST_SIZE], struct slice node) {
    (void)ctx;
    return channel[0] == 7 && !slice_eq_str(node, "watcher") ? PACE : 0;
}

static void begin(bool parent) {
    struct err e;
    assert_int_equal(sign_start(&e), ERR_OK);
    world_init(&w);
    audit_state_release(w.state);
    w.policy.parent = parent;
    w.policy.anchor_pace = pace;
    assert_int_equal(audit_state_new(&w.policy, modules, 3, &w.state, &e), ERR_OK);
    w.number = 10; /* as if ten records stood before */
    for (int i = 0; i < WORLD_MEMBERS; i++)
        (void)crypto_box_keypair(box_pub[i], box_secret[i]);
}
static int up(void **state) {
    (void)state;
    begin(false);
    return 0;
}
static int up_parent(void **state) {
    (void)state;
    begin(true);
    return 0;
}
static int down(void **state) {
    (void)state;
    mem_fail_at(0);
    world_release(&w);
    return 0;
}

static void put(struct slice entry, unsigned member, enum err_code code, const char *word) {
    struct err e = {0};
    enum err_code rc = world_put(&w, entry, member, NULL, &e);
    if (rc != code || (code != ERR_OK && !strstr(e.text, word)))
        fail_msg("expected %s and '%s', got %s: %s", err_name(code), word, err_name(rc), e.text);
}

static struct slice keep(struct buf *b) {
    struct slice s = arena_copy(&w.arena, buf_slice(b));
    assert_false(b->failed);
    buf_release(b);
    return s;
}

static struct slice write_entry(const struct evidence_entry *x) {
    struct buf b;
    struct err e = {0};
    buf_init(&b, LIMIT_ENTRY);
    if (evidence_entry_write(x, &b, &e) != ERR_OK)
        fail_msg("%s", e.text);
    return keep(&b);
}

/* ---- entries of a case; `id` is the first byte of the case id ---- */

static struct slice request(uint8_t id, unsigned asker, unsigned to, uint64_t entry, int64_t deadline) {
    static uint8_t box[SEALED_OVERHEAD + 8];
    struct evidence_part parts[2] = {{slice_of(box, sizeof box), w.members[asker].node},
                                     {slice_of(box, sizeof box), w.members[to].node}};
    struct evidence_entry x = {.kind = ENTRY_EVIDENCE_REQUEST};
    struct evidence_request *r = &x.u.request;
    r->asker = w.members[asker].node;
    r->asker_org = w.members[asker].org;
    r->by = slice_str("王检查");
    r->case_id[0] = id;
    r->deadline = deadline;
    r->entry = entry;
    r->leaf[0] = r->nonce[0] = r->raw_hash[0] = 5;
    r->raw_commit = RECORD_SALTED;
    r->sealed = (struct schema_list){parts, 2};
    r->to = w.members[to].node;
    return write_entry(&x);
}
static struct slice answer(uint8_t id, uint64_t asked, const char *recipient, enum evidence_status status) {
    struct evidence_entry x = {.kind = ENTRY_EVIDENCE_ANSWER};
    struct evidence_answer *a = &x.u.answer;
    a->by = slice_str("node");
    a->case_id[0] = id;
    a->nonce[0] = 1;
    a->recipient = slice_str(recipient);
    a->request = asked;
    a->status = (uint32_t)status;
    if (status == EVIDENCE_SENT) {
        a->cipher_hash[0] = a->key_box[0] = a->key_commit[0] = 1;
        a->cipher_size = 100;
    }
    return write_entry(&x);
}
static struct slice verdict(uint8_t id, uint64_t asked, uint64_t answered, enum evidence_verdict v, uint8_t checked) {
    struct evidence_entry x = {.kind = ENTRY_VERDICT};
    struct evidence_ruling *r = &x.u.ruling;
    r->answer = answered;
    r->by = slice_str("node");
    r->case_id[0] = id;
    r->checked[0] = checked;
    r->nonce[0] = 1;
    r->request = asked;
    r->verdict = (uint32_t)v;
    return write_entry(&x);
}
static struct slice dispute(uint8_t id, uint64_t judged) {
    struct evidence_entry x = {.kind = ENTRY_DISPUTE};
    x.u.dispute.by = slice_str("李四");
    x.u.dispute.case_id[0] = id;
    x.u.dispute.nonce[0] = 1;
    x.u.dispute.statement = slice_str("不同意");
    x.u.dispute.verdict = judged;
    return write_entry(&x);
}
static struct slice finding(uint8_t id, enum evidence_outcome outcome, int64_t time) {
    struct evidence_entry x = {.kind = ENTRY_FINDING};
    struct finding *f = &x.u.finding;
    f->by = slice_str("node");
    f->case_id[0] = id;
    f->kind = slice_str(outcome ? FINDING_ADJUDICATION : "conformance");
    f->nonce[0] = 1;
    f->outcome = (uint32_t)outcome;
    f->severity = EVIDENCE_LOW;
    f->text = slice_str("record 3: no position");
    f->time = time;
    return write_entry(&x);
}

static const struct cases_case *found(uint8_t id) {
    uint8_t case_id[EVIDENCE_CASE_SIZE] = {id};
    return cases_module_find(w.state, case_id);
}

static void test_case_goes_its_way_through_the_state(void **state) {
    uint64_t asked = w.number, answered = w.number + 1, judged = w.number + 2;
    (void)state;
    put(request(1, WORLD_FIN, WORLD_ACME, 3, w.time + 1000), WORLD_FIN, ERR_OK, "");
    put(answer(1, asked, "fin-reg", EVIDENCE_SENT), WORLD_ACME, ERR_OK, "");
    put(verdict(1, asked, answered, EVIDENCE_VERDICT_VERIFIED, 5), WORLD_FIN, ERR_OK, "");
    put(dispute(1, judged), WORLD_ACME, ERR_OK, "");
    put(finding(1, EVIDENCE_VERDICT_STANDS, w.time), WORLD_DATA, ERR_OK, "");
    assert_int_equal(cases_module_count(w.state), 1);
    assert_int_equal(found(1)->state, CASES_ADJUDICATED);
    assert_int_equal(found(1)->outcome, EVIDENCE_VERDICT_STANDS);
    assert_ptr_equal(cases_module_at(w.state, 0), found(1));
    assert_null(cases_module_at(w.state, 1));
    assert_null(found(2));
}

static void test_out_of_turn_refused(void **state) {
    uint64_t asked = w.number;
    (void)state;
    put(answer(1, asked, "fin-reg", EVIDENCE_SENT), WORLD_ACME, ERR_NOT_FOUND, "does not exist");
    put(request(1, WORLD_FIN, WORLD_ACME, 3, w.time + 1000), WORLD_FIN, ERR_OK, "");
    put(request(1, WORLD_FIN, WORLD_ACME, 3, w.time + 1000), WORLD_FIN, ERR_CONFLICT, "the case is open");
    put(answer(1, asked, "fin-reg", EVIDENCE_SENT), WORLD_ACME2, ERR_NOT_ALLOWED, "acme-hq");
    put(answer(1, asked + 1, "fin-reg", EVIDENCE_SENT), WORLD_ACME, ERR_CONFLICT, "cites request");
    put(verdict(1, asked, 0, EVIDENCE_VERDICT_LATE, 0), WORLD_FIN, ERR_CONFLICT, "before the deadline");
    put(verdict(1, asked, 99, EVIDENCE_VERDICT_VERIFIED, 5), WORLD_FIN, ERR_CONFLICT, "verdict");
    put(dispute(1, 5), WORLD_ACME, ERR_CONFLICT, "no dispute");
    put(answer(1, asked, "fin-reg", EVIDENCE_SENT), WORLD_ACME, ERR_OK, "");
    put(answer(1, asked, "fin-reg", EVIDENCE_MISSING), WORLD_ACME, ERR_CONFLICT, "no answer");
    put(verdict(1, asked, asked + 1, EVIDENCE_VERDICT_VERIFIED, 6), WORLD_FIN, ERR_CONFLICT, "own hash");
    put(verdict(1, asked, asked + 1, EVIDENCE_VERDICT_VERIFIED, 5), WORLD_DATA, ERR_NOT_ALLOWED, "fin-reg");
    put(finding(1, EVIDENCE_VERDICT_FALSE, w.time), WORLD_DATA, ERR_CONFLICT, "adjudication");
}

static void test_members_places_and_times_checked(void **state) {
    (void)state;
    put(request(1, WORLD_FIN, WORLD_DATA, 3, w.time + 1000), WORLD_FIN, ERR_NOT_ALLOWED, "no enterprise's node");
    put(request(1, WORLD_FIN, WORLD_ACME, w.number, w.time + 1000), WORLD_FIN, ERR_NOT_FOUND, "not before it");
    put(request(1, WORLD_FIN, WORLD_ACME, 3, w.time), WORLD_FIN, ERR_BAD_TIME, "deadline");
    put(request(1, WORLD_ACME, WORLD_ACME2, 3, w.time + 1000), WORLD_ACME, ERR_NOT_ALLOWED, "regulator");
    put(request(1, WORLD_FIN, WORLD_ACME, 3, w.time + 1000), WORLD_DATA, ERR_NOT_ALLOWED, "for itself");
    put(finding(0, 0, w.time + LIMIT_RECORD_AHEAD_MS + 1), WORLD_FIN, ERR_BAD_TIME, "finding.time");
    put(finding(0, 0, w.time), WORLD_FIN, ERR_OK, "");
    put(finding(9, 0, w.time), WORLD_FIN, ERR_OK, ""); /* mentions a case that nobody opened */
    assert_int_equal(cases_module_count(w.state), 0);
}

static void test_late_answer_follows_a_late_verdict(void **state) {
    uint64_t asked = w.number;
    (void)state;
    put(request(1, WORLD_FIN, WORLD_ACME, 3, w.time + 1000), WORLD_FIN, ERR_OK, "");
    w.time += 1001;
    put(verdict(1, asked, 0, EVIDENCE_VERDICT_LATE, 0), WORLD_FIN, ERR_OK, "");
    put(answer(1, asked, "fin-reg", EVIDENCE_MISSING), WORLD_ACME, ERR_OK, "");
    put(verdict(1, asked, w.number - 1, EVIDENCE_VERDICT_MISSING, 0), WORLD_FIN, ERR_OK, "");
    assert_true(found(1)->late);
    assert_int_equal(found(1)->verdict, EVIDENCE_VERDICT_MISSING);
}

static void test_overlays_equal_a_replay(void **state) {
    struct audit_state *before, *a;
    struct digest left, right, start;
    uint64_t number = w.number, height = w.height;
    (void)state;
    for (uint8_t i = 1; i <= 40; i++)
        put(request(i, WORLD_FIN, WORLD_ACME, 3, w.time + 1000), WORLD_FIN, ERR_OK, "");
    before = audit_state_retain(w.state);
    start = audit_state_digest(before);
    put(answer(7, number + 6, "fin-reg", EVIDENCE_MISSING), WORLD_ACME, ERR_OK, "");
    left = audit_state_digest(w.state);
    assert_false(digest_eq(&left, &start));
    right = audit_state_digest(before);
    assert_true(digest_eq(&right, &start)); /* the overlay below is untouched */
    a = w.state;
    w.state = before; /* the other branch, then the same entry at the same place */
    w.number--;
    w.height--;
    put(answer(8, number + 7, "fin-reg", EVIDENCE_MISSING), WORLD_ACME, ERR_OK, "");
    right = audit_state_digest(w.state);
    assert_false(digest_eq(&left, &right));
    audit_state_release(a);
    /* from nothing */
    world_release(&w);
    begin(false);
    assert_int_equal(w.number, number);
    assert_int_equal(w.height, height);
    for (uint8_t i = 1; i <= 40; i++)
        put(request(i, WORLD_FIN, WORLD_ACME, 3, w.time + 1000), WORLD_FIN, ERR_OK, "");
    put(answer(7, number + 6, "fin-reg", EVIDENCE_MISSING), WORLD_ACME, ERR_OK, "");
    right = audit_state_digest(w.state);
    assert_true(digest_eq(&left, &right));
}

static void test_memory_short_changes_nothing(void **state) {
    struct slice rq = request(1, WORLD_FIN, WORLD_ACME, 3, w.time + 1000);
    (void)state;
    for (unsigned long nth = 1; nth < 200; nth++) {
        struct err e = {0};
        enum err_code rc;
        mem_fail_at(nth);
        rc = world_put(&w, rq, WORLD_FIN, NULL, &e);
        mem_fail_at(0);
        if (rc == ERR_OK)
            break;
        assert_int_equal(rc, ERR_NO_MEMORY);
        assert_int_equal(cases_module_count(w.state), 0);
    }
    assert_int_equal(cases_module_count(w.state), 1);
}

/* ---- grants ---- */

static struct slice grant(uint64_t epoch, unsigned by, size_t count, uint8_t key[ANCHOR_KEY_SIZE]) {
    struct anchor_recipient to[WORLD_MEMBERS];
    struct buf b;
    struct err e = {0};
    randombytes_buf(key, ANCHOR_KEY_SIZE);
    for (size_t i = 0; i < count; i++)
        to[i] = (struct anchor_recipient){w.members[i].node, box_pub[i]};
    buf_init(&b, LIMIT_ENTRY);
    assert_int_equal(anchor_grant_make(key, epoch, w.members[by].node, to, count, &b, &e), ERR_OK);
    return keep(&b);
}

static void test_grant_reaches_every_member_once(void **state) {
    uint8_t key[ANCHOR_KEY_SIZE], got[ANCHOR_KEY_SIZE];
    struct slice g = grant(1, WORLD_FIN, WORLD_MEMBERS, key);
    struct anchor_granted granted;
    struct entry entry;
    struct err e = {0};
    (void)state;
    assert_false(anchor_granted(w.state, &granted));
    put(grant(1, WORLD_ACME, WORLD_MEMBERS, got), WORLD_ACME, ERR_NOT_ALLOWED, "regulator");
    put(grant(1, WORLD_DATA, WORLD_MEMBERS, got), WORLD_FIN, ERR_NOT_ALLOWED, "as itself");
    put(grant(1, WORLD_FIN, WORLD_MEMBERS - 1, got), WORLD_FIN, ERR_MALFORMED, "boxes");
    put(grant(2, WORLD_FIN, WORLD_MEMBERS, got), WORLD_FIN, ERR_CONFLICT, "does not follow");
    put(g, WORLD_FIN, ERR_OK, "");
    put(grant(1, WORLD_DATA, WORLD_MEMBERS, got), WORLD_DATA, ERR_CONFLICT, "does not follow"); /* two at once */
    assert_true(anchor_granted(w.state, &granted));
    assert_int_equal(granted.epoch, 1);
    assert_int_equal(entry_read(g, &entry, &e), ERR_OK);
    for (unsigned i = 0; i < WORLD_MEMBERS; i++) {
        struct sealed_pair own = {.secret = box_secret[i]};
        memcpy(own.pub, box_pub[i], sizeof own.pub);
        assert_int_equal(anchor_grant_open(entry.body, w.members[i].node, &own, got, &e), ERR_OK);
        assert_memory_equal(got, key, ANCHOR_KEY_SIZE);
        assert_int_equal(anchor_grant_open(entry.body, w.members[(i + 1) % WORLD_MEMBERS].node, &own, got, &e),
                         ERR_BAD_SIGNATURE);
    }
    assert_int_equal(
        anchor_grant_open(entry.body, slice_str("stranger"), &(struct sealed_pair){.secret = box_secret[0]}, got, &e),
        ERR_NOT_FOUND);
}

/* ---- anchors ---- */

static const char TEXT[] = "assay/demo/acme\n12\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nfinal 1 9 "
                           "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";

static struct slice anchor_of(const uint8_t key[ANCHOR_KEY_SIZE], uint8_t channel, uint64_t period) {
    struct digest id = {{channel}};
    struct buf b;
    struct err e = {0};
    buf_init(&b, LIMIT_ENTRY);
    assert_int_equal(anchor_make(key, &id, period, slice_str(TEXT), &b, &e), ERR_OK);
    return keep(&b);
}

static void test_anchor_opens_for_key_holders_only(void **state) {
    uint8_t key[ANCHOR_KEY_SIZE] = {1}, other[ANCHOR_KEY_SIZE] = {2}, nonce[DIGEST_SIZE], want[DIGEST_SIZE];
    struct slice bytes = anchor_of(key, 7, 42);
    struct entry entry;
    struct anchor a;
    struct buf text;
    struct err e = {0};
    (void)state;
    buf_init(&text, CHECKPOINT_TEXT_MAX);
    assert_null(memmem(bytes.ptr, bytes.len, "assay/demo", 10));
    assert_int_equal(entry_read(bytes, &entry, &e), ERR_OK);
    assert_int_equal(anchor_read(entry.body, &w.arena, &a, &e), ERR_OK);
    assert_int_equal(anchor_open(key, &a, &text, nonce, &e), ERR_OK);
    assert_true(slice_eq_str(buf_slice(&text), TEXT));
    anchor_nonce(key, 42, want);
    assert_memory_equal(nonce, want, DIGEST_SIZE);
    buf_clear(&text);
    assert_int_equal(anchor_open(other, &a, &text, nonce, &e), ERR_BAD_SIGNATURE);
    a.period = 43; /* moved to another period, or another channel */
    assert_int_equal(anchor_open(key, &a, &text, nonce, &e), ERR_BAD_SIGNATURE);
    a.period = 42;
    a.channel[3] = 1;
    assert_int_equal(anchor_open(key, &a, &text, nonce, &e), ERR_BAD_SIGNATURE);
    a.channel[3] = 0;
    a.commitment[0] ^= 1; /* commits to another text than it shows to members */
    assert_int_equal(anchor_open(key, &a, &text, nonce, &e), ERR_MISMATCH);
    buf_release(&text);
    assert_int_equal(anchor_of(key, 7, 1).len, anchor_of(other, 7, 1).len);
}

static void test_one_anchor_a_channel_and_period(void **state) {
    uint8_t key[ANCHOR_KEY_SIZE] = {1};
    uint64_t now = (uint64_t)w.time / PACE;
    struct digest id = {{7}};
    struct anchor_last last;
    (void)state;
    put(anchor_of(key, 8, now), WORLD_ACME, ERR_NOT_ALLOWED, "not a member");
    put(anchor_of(key, 7, now), WORLD_OBSERVER, ERR_NOT_ALLOWED, "not a member");
    put(anchor_of(key, 7, now - 3), WORLD_ACME, ERR_BAD_TIME, "period");
    put(anchor_of(key, 7, now + 2), WORLD_ACME, ERR_BAD_TIME, "period");
    assert_false(anchor_last(w.state, &id, &last));
    put(anchor_of(key, 7, now), WORLD_ACME, ERR_OK, "");
    put(anchor_of(key, 7, now), WORLD_FIN, ERR_CONFLICT, "has one");
    put(anchor_of(key, 7, now - 1), WORLD_FIN, ERR_CONFLICT, "later one");
    w.time += PACE;
    put(anchor_of(key, 7, now + 1), WORLD_FIN, ERR_OK, "");
    assert_true(anchor_last(w.state, &id, &last));
    assert_int_equal(last.period, now + 1);
    assert_int_equal(last.number, w.number - 1);
}

static void test_anchors_on_the_parent_grants_on_channels(void **state) {
    uint8_t key[ANCHOR_KEY_SIZE];
    (void)state;
    put(anchor_of((const uint8_t[ANCHOR_KEY_SIZE]){1}, 7, (uint64_t)w.time / PACE), WORLD_ACME, ERR_UNSUPPORTED,
        "only the parent");
    world_release(&w);
    begin(true);
    put(grant(1, WORLD_FIN, WORLD_MEMBERS, key), WORLD_FIN, ERR_UNSUPPORTED, "no anchor key");
}

/* ---- the map ---- */

static void test_map_versions_are_apart(void **state) {
    struct pmap versions[65] = {{0}};
    struct err e;
    (void)state;
    for (uint64_t i = 0; i < 64; i++) {
        uint64_t key = i * 0x1000000000000001ULL, value = i; /* long common paths */
        versions[i + 1] = pmap_retain(&versions[i]);
        assert_int_equal(pmap_put(&versions[i + 1], key, &value, sizeof value, &e), ERR_OK);
        assert_int_equal(versions[i + 1].count, i + 1);
    }
    for (uint64_t v = 0; v <= 64; v++)
        for (uint64_t i = 0; i < 64; i++) {
            const uint64_t *got = pmap_get(&versions[v], i * 0x1000000000000001ULL);
            assert_true(i < v ? got && *got == i : got == NULL);
        }
    for (int v = 0; v <= 64; v += 2)
        pmap_release(&versions[v]);
    assert_int_equal(*(const uint64_t *)pmap_get(&versions[63], 62 * 0x1000000000000001ULL), 62);
    for (int v = 1; v <= 64; v += 2)
        pmap_release(&versions[v]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_case_goes_its_way_through_the_state, up, down),
        cmocka_unit_test_setup_teardown(test_out_of_turn_refused, up, down),
        cmocka_unit_test_setup_teardown(test_members_places_and_times_checked, up, down),
        cmocka_unit_test_setup_teardown(test_late_answer_follows_a_late_verdict, up, down),
        cmocka_unit_test_setup_teardown(test_overlays_equal_a_replay, up, down),
        cmocka_unit_test_setup_teardown(test_memory_short_changes_nothing, up, down),
        cmocka_unit_test_setup_teardown(test_grant_reaches_every_member_once, up, down),
        cmocka_unit_test_setup_teardown(test_anchor_opens_for_key_holders_only, up, down),
        cmocka_unit_test_setup_teardown(test_one_anchor_a_channel_and_period, up_parent, down),
        cmocka_unit_test_setup_teardown(test_anchors_on_the_parent_grants_on_channels, up, down),
        cmocka_unit_test(test_map_versions_are_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
