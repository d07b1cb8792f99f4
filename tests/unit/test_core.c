/* tests/unit/test_core.c -- the rules one by one, with forged peers. PROTOCOL 5 to 9. Real Ed25519. */
#include "consensus/core.h"
#include "wire/pack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

struct kit {
    struct set set;
    struct sign_secret *secret[4];
    struct core *core;
    struct core_update up;
    uint64_t now;
};

static void kit_sign(void *ctx, struct slice m, struct sign_signature *out) {
    sign_make(ctx, m, out);
}

/* Member `self` of four, leader of view `lead`. */
static void kit_open(struct kit *k, uint64_t lead, bool self_leads, uint32_t regulators_needed) {
    struct core_config config = {.set = &k->set, .delta_ms = 100, .verifier = cert_ed25519, .sign = kit_sign};
    struct core_event ev = {.type = CORE_EVENT_START};
    uint32_t i;
    memset(k, 0, sizeof *k);
    assert_int_equal(sign_start(NULL), ERR_OK);
    k->set.n = 4;
    k->set.k = regulators_needed;
    k->set.epoch = 1;
    k->set.protocol = SET_PROTOCOL_VERSION;
    snprintf(k->set.origin, sizeof k->set.origin, "assay/net/channel");
    for (i = 0; i < 4; i++) {
        uint8_t seed[SIGN_SEED_SIZE] = {(uint8_t)(i + 1)};
        snprintf(k->set.member[i].name, sizeof k->set.member[i].name, "n%u", i);
        k->set.member[i].org = k->set.member[i].group = i;
        k->set.member[i].regulator = i >= 2;
        assert_int_equal(sign_from_seed(seed, &k->secret[i], &k->set.member[i].key, NULL), ERR_OK);
    }
    assert_int_equal(set_finish(&k->set, NULL), ERR_OK);
    config.self = (int)((set_leader(&k->set, lead) + (self_leads ? 0 : 1)) % 4);
    config.sign_ctx = k->secret[config.self];
    assert_int_equal(core_new(&config, &k->core, NULL), ERR_OK);
    ev.u.start.final.hash = digest_of(slice_str("genesis"));
    core_step(k->core, &ev, &k->up);
}

static void kit_close(struct kit *k) {
    int i;
    core_free(k->core);
    for (i = 0; i < 4; i++)
        sign_secret_free(k->secret[i]);
}

static void kit_step(struct kit *k, struct core_event ev) {
    ev.now_ms = k->now;
    core_step(k->core, &ev, &k->up);
}

static void kit_recv(struct kit *k, const struct message *m, struct slice body) {
    struct core_event ev = {.type = CORE_EVENT_RECV};
    struct buf b;
    buf_init(&b, MESSAGE_HEAD_MAX);
    message_write(m, &b);
    buf_append(&b, body);
    ev.u.recv.bytes = buf_slice(&b);
    kit_step(k, ev);
    buf_release(&b);
}

static struct message kit_message(const struct kit *k, enum message_type type) {
    struct message m;
    memset(&m, 0, sizeof m);
    m.type = type;
    m.channel = k->set.channel;
    m.epoch = 1;
    m.set_hash = k->set.hash;
    return m;
}

static void kit_signed(const struct kit *k, struct cert_vote *v) {
    struct buf b;
    buf_init(&b, 4096);
    cert_statement(&k->set, v, &b);
    sign_make(k->secret[v->signer], buf_slice(&b), &v->sig);
    buf_release(&b);
}

static void kit_vote(struct kit *k, enum cert_type type, uint64_t view, uint32_t who, struct digest pid, char root) {
    struct message m = kit_message(k, type == CERT_NOTARIZE   ? MESSAGE_NOTARIZE
                                      : type == CERT_FINALIZE ? MESSAGE_FINALIZE
                                                              : MESSAGE_NULLIFY);
    m.vote = (struct cert_vote){.type = type, .epoch = 1, .view = view, .pid = pid, .signer = who};
    if (type == CERT_FINALIZE) {
        m.vote.tree_size = 1;
        m.vote.tree_root = digest_of(slice_of(&root, 1));
    }
    kit_signed(k, &m.vote);
    kit_recv(k, &m, slice_none());
}

static struct header kit_header(const struct kit *k, char root) {
    return (struct header){.channel = k->set.channel,
                           .epoch = 1,
                           .height = 1,
                           .prev = digest_of(slice_str("genesis")),
                           .body_len = 4,
                           .entries = 1,
                           .tree_size = 1,
                           .tree_root = digest_of(slice_of(&root, 1)),
                           .time = 5};
}

/* A block on genesis, proposed in `view` by its leader. Gives the pid. */
static struct digest kit_propose(struct kit *k, uint64_t view, char root) {
    struct message m = kit_message(k, MESSAGE_PROPOSE);
    struct cert_vote v = {.type = CERT_NOTARIZE, .epoch = 1, .view = view, .signer = set_leader(&k->set, view)};
    m.has_header = true;
    m.header = kit_header(k, root);
    m.prop = (struct cert_prop){.channel = k->set.channel,
                                .epoch = 1,
                                .set_hash = k->set.hash,
                                .view = view,
                                .height = 1,
                                .block_hash = header_hash(&m.header)};
    v.pid = cert_pid(&m.prop);
    kit_signed(k, &v);
    m.sig = v.sig;
    kit_recv(k, &m, slice_str("body"));
    return v.pid;
}

static void kit_validated(struct kit *k, char root, bool ok) {
    struct core_event ev = {.type = CORE_EVENT_VALIDATED};
    struct header h = kit_header(k, root);
    ev.u.validated.hash = header_hash(&h);
    ev.u.validated.ok = ok;
    kit_step(k, ev);
}

static const struct core_message *kit_sent(const struct kit *k, enum message_type type) {
    size_t i;
    for (i = 0; i < k->up.message_count; i++)
        if (message_type_of(k->up.messages[i].bytes) == type)
            return &k->up.messages[i];
    return NULL;
}

/* A copy of the first one; an empty message when there is none. */
static struct core_message kit_first(const struct kit *k, enum message_type type) {
    const struct core_message *m = kit_sent(k, type);
    return m ? *m : (struct core_message){.after_seq = UINT64_MAX};
}

static bool kit_recorded(const struct kit *k, enum core_record_type type) {
    size_t i;
    for (i = 0; i < k->up.record_count; i++)
        if (k->up.records[i].type == type)
            return true;
    return false;
}

static void kit_persist(struct kit *k) {
    kit_step(k, (struct core_event){.type = CORE_EVENT_PERSISTED, .u.persisted_seq = 1000});
}

/* PROTOCOL 5.7, 6.1, 6.4, 5.8, 6.2, 5.10: one block all the way. */
static void test_block_is_notarized_finalized_and_final(void **state) {
    struct kit k;
    struct digest pid;
    uint32_t me, i, sent = 0;
    (void)state;
    kit_open(&k, 1, false, 0);
    me = (set_leader(&k.set, 1) + 1) % 4;
    pid = kit_propose(&k, 1, 'r');
    assert_int_equal(k.up.validate_count, 1);
    assert_null(kit_sent(&k, MESSAGE_NOTARIZE));
    kit_validated(&k, 'r', true);
    assert_non_null(kit_sent(&k, MESSAGE_NOTARIZE));
    assert_true(kit_first(&k, MESSAGE_NOTARIZE).after_seq == k.up.seq && k.up.seq > 0);
    assert_true(kit_recorded(&k, CORE_RECORD_PROPOSAL) && kit_recorded(&k, CORE_RECORD_OWN_NOTARIZE));
    for (i = 0; i < 4 && sent < 1; i++)
        if (i != me && i != set_leader(&k.set, 1)) {
            kit_vote(&k, CERT_NOTARIZE, 1, i, pid, 0);
            sent++;
        }
    assert_int_equal(core_view(k.core), 1); /* my own vote is not durable: two of three */
    kit_persist(&k);
    assert_int_equal(core_view(k.core), 2);
    assert_true(kit_recorded(&k, CORE_RECORD_CERT_NOTARIZE) && kit_recorded(&k, CORE_RECORD_OWN_FINALIZE));
    assert_int_equal(kit_first(&k, MESSAGE_FINALIZE).after_seq, k.up.seq);
    for (i = 0; i < 4; i++)
        if (i != me && core_final_height(k.core) == 0)
            kit_vote(&k, CERT_FINALIZE, 1, i, pid, 'r');
    assert_int_equal(core_final_height(k.core), 1);
    assert_int_equal(k.up.finalized_count, 1);
    assert_true(k.up.deadline_ms == UINT64_MAX); /* PROTOCOL 7.4 */
    kit_close(&k);
}

/* PROTOCOL 5.3, 1.1: three votes of four with one regulator are no FINALIZE certificate when k is 2. An observer sees
 * it. */
static void test_finality_waits_for_k_regulators(void **state) {
    struct kit k;
    struct core_config config = {.set = &k.set, .delta_ms = 100, .verifier = cert_ed25519, .self = CORE_SELF_NONE};
    struct core_event ev = {.type = CORE_EVENT_START};
    struct digest pid;
    uint32_t i;
    (void)state;
    kit_open(&k, 1, false, 2);
    core_free(k.core);
    assert_int_equal(core_new(&config, &k.core, NULL), ERR_OK);
    ev.u.start.final.hash = digest_of(slice_str("genesis"));
    kit_step(&k, ev);
    pid = kit_propose(&k, 1, 'r');
    kit_validated(&k, 'r', true);
    for (i = 0; i < 3; i++)
        kit_vote(&k, CERT_NOTARIZE, 1, i, pid, 0);
    assert_int_equal(core_view(k.core), 2);
    for (i = 0; i < 3; i++)
        kit_vote(&k, CERT_FINALIZE, 1, i, pid, 'r');
    assert_int_equal(core_final_height(k.core), 0);
    kit_vote(&k, CERT_FINALIZE, 1, 3, pid, 'r');
    assert_int_equal(core_final_height(k.core), 1);
    assert_int_equal(k.up.message_count, 0);
    kit_close(&k);
}

/* PROTOCOL 5.10, 5.11: a quorum for another root than the block's own stops the node. */
static void test_quorum_for_another_root_halts(void **state) {
    struct kit k;
    struct digest pid;
    uint32_t me, i;
    (void)state;
    kit_open(&k, 1, false, 0);
    me = (set_leader(&k.set, 1) + 1) % 4;
    pid = kit_propose(&k, 1, 'r');
    kit_validated(&k, 'r', true);
    for (i = 0; i < 4; i++)
        if (i != me)
            kit_vote(&k, CERT_FINALIZE, 1, i, pid, 'z');
    assert_int_equal(k.up.halt, CORE_HALT_ROOT);
    assert_int_equal(core_final_height(k.core), 0);
    kit_close(&k);
}

/* PROTOCOL 5.7: a view that is skipped needs its nullification. */
static void test_proposal_that_skips_a_view_waits_for_its_nullification(void **state) {
    struct kit k;
    struct message m;
    uint32_t i;
    (void)state;
    kit_open(&k, 2, false, 0);
    /* CERT(NULLIFY, 1) makes view 2 current; a proposal in it on genesis is then justified */
    kit_propose(&k, 2, 'r');
    assert_int_equal(k.up.validate_count, 0); /* PROTOCOL 8.3: not current */
    for (i = 0; i < 4; i++)
        if (core_view(k.core) == 1 && i != (set_leader(&k.set, 2) + 1) % 4)
            kit_vote(&k, CERT_NULLIFY, 1, i, (struct digest){{0}}, 0);
    assert_int_equal(core_view(k.core), 2);
    kit_propose(&k, 2, 'r');
    kit_validated(&k, 'r', true);
    assert_non_null(kit_sent(&k, MESSAGE_NOTARIZE));
    m = kit_message(&k, MESSAGE_GET_CERT); /* PROTOCOL 8.1 */
    m.view = 1;
    kit_recv(&k, &m, slice_none());
    assert_non_null(kit_sent(&k, MESSAGE_CERT));
    kit_close(&k);
}

/* PROTOCOL 5.9, 7.2, 7.4: nothing happens in an idle view; with an entry it is given up after 2 delta. */
static void test_view_times_out_only_when_there_is_work(void **state) {
    struct kit k;
    (void)state;
    kit_open(&k, 1, false, 0);
    k.now = 100000;
    kit_step(&k, (struct core_event){.type = CORE_EVENT_TICK});
    assert_true(k.up.deadline_ms == UINT64_MAX && k.up.message_count == 0);
    kit_step(&k, (struct core_event){.type = CORE_EVENT_POOL, .u.pool_nonempty = true});
    assert_true(k.up.deadline_ms <= k.now + 200);
    k.now += 200;
    kit_step(&k, (struct core_event){.type = CORE_EVENT_TICK});
    assert_true(kit_recorded(&k, CORE_RECORD_OWN_NULLIFY));
    assert_int_equal(kit_first(&k, MESSAGE_NULLIFY).after_seq, k.up.seq); /* PROTOCOL 6.3 */
    kit_propose(&k, 1, 'r');
    kit_validated(&k, 'r', true);
    assert_null(kit_sent(&k, MESSAGE_NOTARIZE)); /* PROTOCOL 5.7: not after nullify */
    kit_close(&k);
}

/* PROTOCOL 7.6 */
static void test_dead_leader_is_given_no_time(void **state) {
    struct kit k;
    (void)state;
    kit_open(&k, 1, false, 0);
    kit_step(&k, (struct core_event){.type = CORE_EVENT_PEER, .u.peer = {set_leader(&k.set, 1), false}});
    kit_step(&k, (struct core_event){.type = CORE_EVENT_POOL, .u.pool_nonempty = true});
    assert_true(kit_recorded(&k, CORE_RECORD_OWN_NULLIFY));
    kit_close(&k);
}

/* PROTOCOL 5.9: an invalid block. */
static void test_invalid_proposal_is_nullified(void **state) {
    struct kit k;
    (void)state;
    kit_open(&k, 1, false, 0);
    kit_propose(&k, 1, 'r');
    kit_validated(&k, 'r', false);
    assert_true(kit_recorded(&k, CORE_RECORD_OWN_NULLIFY));
    kit_close(&k);
}

/* PROTOCOL 9.1 a, b, c, d, e */
static void test_each_contradiction_yields_evidence(void **state) {
    struct kit k;
    struct digest a = digest_of(slice_str("a")), b = digest_of(slice_str("b")), none = {{0}};
    uint32_t who;
    (void)state;
    kit_open(&k, 1, false, 0);
    who = (set_leader(&k.set, 1) + 2) % 4;
    kit_vote(&k, CERT_NOTARIZE, 1, who, a, 0);
    kit_vote(&k, CERT_NULLIFY, 1, who, none, 0);
    assert_int_equal(k.up.evidence_count, 0); /* legal */
    kit_vote(&k, CERT_NOTARIZE, 1, who, b, 0);
    assert_int_equal(k.up.evidence_count, 1);
    assert_int_equal(k.up.evidence[0].clause, 'a');
    assert_int_equal(k.up.evidence[0].signer, who);
    kit_vote(&k, CERT_FINALIZE, 1, who, b, 'x');
    assert_int_equal(k.up.evidence_count, 2);
    assert_int_equal(k.up.evidence[0].clause, 'd');
    assert_int_equal(k.up.evidence[1].clause, 'c');
    kit_vote(&k, CERT_FINALIZE, 1, who, b, 'y');
    assert_int_equal(k.up.evidence[0].clause == 'e' || k.up.evidence[1].clause == 'e', 1);
    kit_vote(&k, CERT_FINALIZE, 1, who, a, 'x');
    assert_int_equal(k.up.evidence[0].clause, 'b');
    kit_close(&k);
}

/* PROTOCOL 8.5 */
static void test_own_signature_that_is_not_mine_stops_voting(void **state) {
    struct kit k;
    (void)state;
    kit_open(&k, 1, false, 0);
    kit_vote(&k, CERT_NULLIFY, 1, (set_leader(&k.set, 1) + 1) % 4, (struct digest){{0}}, 0);
    assert_int_equal(k.up.halt, CORE_HALT_OWN_SIGNATURE);
    kit_step(&k, (struct core_event){.type = CORE_EVENT_POOL, .u.pool_nonempty = true});
    k.now = 1000;
    kit_step(&k, (struct core_event){.type = CORE_EVENT_TICK});
    assert_true(k.up.record_count == 0 && k.up.message_count == 0);
    kit_close(&k);
}

/* PROTOCOL 5.3, 5.4: a bad signature and another channel are the sender's fault. */
static void test_bad_signature_and_other_channel_are_blamed(void **state) {
    struct kit k;
    struct message m;
    (void)state;
    kit_open(&k, 1, false, 0);
    m = kit_message(&k, MESSAGE_NULLIFY);
    m.vote = (struct cert_vote){.type = CERT_NULLIFY, .epoch = 1, .view = 1, .signer = set_leader(&k.set, 1)};
    m.vote.sig.b[0] = 1;
    kit_recv(&k, &m, slice_none());
    assert_true(k.up.misbehaved && k.up.fault.code == ERR_BAD_SIGNATURE);
    kit_signed(&k, &m.vote);
    m.channel = digest_of(slice_str("elsewhere"));
    kit_recv(&k, &m, slice_none());
    assert_true(k.up.misbehaved && k.up.fault.code == ERR_WRONG_NETWORK);
    kit_close(&k);
}

/* PROTOCOL 8.4: after a restart the stored vote stands, and is the very same. */
static void test_restart_keeps_the_vote_and_never_signs_another(void **state) {
    struct kit k;
    struct core_config config = {.set = &k.set, .delta_ms = 100, .verifier = cert_ed25519, .sign = kit_sign};
    struct core_event ev = {.type = CORE_EVENT_START};
    struct core_record record = {1, 1, CORE_RECORD_OWN_NULLIFY, {NULL, 0}};
    struct buf vote;
    size_t i;
    (void)state;
    kit_open(&k, 1, false, 0);
    kit_step(&k, (struct core_event){.type = CORE_EVENT_PEER, .u.peer = {set_leader(&k.set, 1), false}});
    kit_step(&k, (struct core_event){.type = CORE_EVENT_POOL, .u.pool_nonempty = true});
    buf_init(&vote, 4096);
    for (i = 0; i < k.up.record_count; i++)
        if (k.up.records[i].type == CORE_RECORD_OWN_NULLIFY)
            buf_append(&vote, k.up.records[i].bytes);
    assert_true(vote.len > 0);
    core_free(k.core);
    config.self = (int)((set_leader(&k.set, 1) + 1) % 4);
    config.sign_ctx = k.secret[config.self];
    assert_int_equal(core_new(&config, &k.core, NULL), ERR_OK);
    record.bytes = buf_slice(&vote);
    ev.u.start.records = &record;
    ev.u.start.record_count = 1;
    ev.u.start.final.hash = digest_of(slice_str("genesis"));
    kit_step(&k, ev);
    kit_propose(&k, 1, 'r');
    kit_validated(&k, 'r', true);
    assert_null(kit_sent(&k, MESSAGE_NOTARIZE));
    kit_step(&k, (struct core_event){.type = CORE_EVENT_POOL, .u.pool_nonempty = true});
    k.now += 150;
    kit_step(&k, (struct core_event){.type = CORE_EVENT_TICK});
    assert_non_null(kit_sent(&k, MESSAGE_NULLIFY));
    assert_true(slice_eq(kit_first(&k, MESSAGE_NULLIFY).bytes, buf_slice(&vote)));
    buf_release(&vote);
    kit_close(&k);
}

/* PROTOCOL 5.6: a leader with work builds once, and proposes what it is given. */
static void test_leader_builds_and_proposes(void **state) {
    struct kit k;
    struct core_event ev = {.type = CORE_EVENT_PAYLOAD};
    (void)state;
    kit_open(&k, 1, true, 0);
    kit_step(&k, (struct core_event){.type = CORE_EVENT_POOL, .u.pool_nonempty = true});
    assert_true(k.up.build.wanted && k.up.build.view == 1 && k.up.build.height == 1);
    ev.u.payload.view = 1;
    ev.u.payload.ok = true;
    ev.u.payload.header = kit_header(&k, 'r');
    kit_step(&k, ev);
    assert_non_null(kit_sent(&k, MESSAGE_PROPOSE));
    assert_true(kit_first(&k, MESSAGE_PROPOSE).with_body);
    assert_int_equal(kit_first(&k, MESSAGE_PROPOSE).after_seq, k.up.seq);
    kit_close(&k);
}

/* PROTOCOL 7.1: however long nothing answers, no wait is longer than 20 s and delta. */
static void test_no_wait_is_longer_than_its_cap(void **state) {
    struct kit k;
    uint64_t longest = 0;
    int i;
    (void)state;
    kit_open(&k, 1, false, 0);
    kit_step(&k, (struct core_event){.type = CORE_EVENT_POOL, .u.pool_nonempty = true});
    for (i = 0; i < 60; i++) {
        assert_true(k.up.deadline_ms > k.now && k.up.deadline_ms - k.now <= CORE_BACKOFF_MS_MAX + 100);
        if (k.up.deadline_ms - k.now > longest)
            longest = k.up.deadline_ms - k.now;
        k.now = k.up.deadline_ms;
        kit_step(&k, (struct core_event){.type = CORE_EVENT_TICK});
    }
    assert_true(longest >= CORE_BACKOFF_MS_MAX / 2); /* and it does back off */
    kit_close(&k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_block_is_notarized_finalized_and_final),
        cmocka_unit_test(test_finality_waits_for_k_regulators),
        cmocka_unit_test(test_quorum_for_another_root_halts),
        cmocka_unit_test(test_proposal_that_skips_a_view_waits_for_its_nullification),
        cmocka_unit_test(test_view_times_out_only_when_there_is_work),
        cmocka_unit_test(test_dead_leader_is_given_no_time),
        cmocka_unit_test(test_invalid_proposal_is_nullified),
        cmocka_unit_test(test_each_contradiction_yields_evidence),
        cmocka_unit_test(test_own_signature_that_is_not_mine_stops_voting),
        cmocka_unit_test(test_bad_signature_and_other_channel_are_blamed),
        cmocka_unit_test(test_restart_keeps_the_vote_and_never_signs_another),
        cmocka_unit_test(test_leader_builds_and_proposes),
        cmocka_unit_test(test_no_wait_is_longer_than_its_cap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
