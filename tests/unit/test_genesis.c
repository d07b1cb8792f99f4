/* tests/unit/test_genesis.c -- the founding document: reading, every broken rule with its words, signatures, damage. */
#include "genesis/enrol.h"
#include "genesis/genesis_show.h"
#include "node/clock.h"
#include "wire/json.h"
#include "wire/tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static const char plan_text[] =
    "network: demo\n"                                                                     /* 1 */
    "organisations:\n"                                                                    /* 2 */
    "  - {id: acme, name: 顶点, role: enterprise}\n"                                      /* 3 */
    "  - {id: fin-reg, name: 金融, role: regulator}\n"                                    /* 4 */
    "  - {id: data-reg, name: 数据, role: regulator}\n"                                   /* 5 */
    "nodes:\n"                                                                            /* 6 */
    "  - {id: a1, org: acme, address: '127.0.0.1:1', unit: 总部}\n"                       /* 7 */
    "  - {id: a2, org: acme, address: '127.0.0.1:2'}\n"                                   /* 8 */
    "  - {id: f1, org: fin-reg, address: '127.0.0.1:3'}\n"                                /* 9 */
    "  - {id: d1, org: data-reg, address: 'd.example:4'}\n"                               /* 10 */
    "  - {id: f2, org: fin-reg, address: '[::1]:5'}\n"                                    /* 11 */
    "channels:\n"                                                                         /* 12 */
    "  - {name: acme, org: acme, k: 2, validators: [a1, a2, f1, d1]}\n"                   /* 13 */
    "  - {name: top, parent: true, k: 2, validators: [a1, a2, f1, d1], members: [f2]}\n"; /* 14 */

enum { ORGS = 3, NODES = 5 };
static const char *const org_ids[ORGS] = {"acme", "fin-reg", "data-reg"};
static const char *const node_ids[NODES] = {"a1", "a2", "f1", "d1", "f2"};
static const char *const node_orgs[NODES] = {"acme", "acme", "fin-reg", "data-reg", "fin-reg"};

struct world {
    struct sign_secret *founder[ORGS];
    struct sign_public founder_pub[ORGS];
    struct keys keys[NODES];
    struct buf requests[ORGS + NODES];
    struct slice slices[ORGS + NODES];
    struct buf unsigned_, signed_;
};

static int world_make(void **state) {
    struct world *w = calloc(1, sizeof *w);
    struct err e = {0};
    struct enrol_plan plan;
    size_t i;
    assert_int_equal(sign_start(&e), ERR_OK);
    for (i = 0; i < ORGS; i++) {
        struct tls_key *key;
        struct buf pem;
        buf_init(&pem, TLS_PEM_MAX);
        buf_init(&w->requests[i], ENROL_SIZE);
        assert_int_equal(tls_key_generate(&key, &e), ERR_OK);
        assert_int_equal(tls_ca_make(key, org_ids[i], clock_wall_ms(), &pem, &e), ERR_OK);
        assert_int_equal(sign_generate(&w->founder[i], &w->founder_pub[i], &e), ERR_OK);
        assert_int_equal(enrol_org_request(w->founder[i], &w->founder_pub[i], slice_str(org_ids[i]), buf_slice(&pem),
                                           &w->requests[i], &e),
                         ERR_OK);
        tls_key_free(key);
        buf_release(&pem);
    }
    for (i = 0; i < NODES; i++) {
        buf_init(&w->requests[ORGS + i], ENROL_SIZE);
        assert_int_equal(keys_make(&w->keys[i], &e), ERR_OK);
        assert_int_equal(enrol_node_request(&w->keys[i], slice_str(node_ids[i]), slice_str(node_orgs[i]),
                                            slice_str("tls"), &w->requests[ORGS + i], &e),
                         ERR_OK);
    }
    for (i = 0; i < ORGS + NODES; i++)
        w->slices[i] = buf_slice(&w->requests[i]);
    buf_init(&w->unsigned_, GENESIS_SIZE);
    buf_init(&w->signed_, GENESIS_SIZE);
    assert_int_equal(enrol_plan_parse(&plan, slice_str(plan_text), "plan.yaml", &e), ERR_OK);
    assert_int_equal(enrol_assemble(&plan, w->slices, ORGS + NODES, 1700000000000, &w->unsigned_, &e), ERR_OK);
    enrol_plan_release(&plan);
    buf_append(&w->signed_, buf_slice(&w->unsigned_));
    for (i = ORGS; i-- > 0;) { /* in any order */
        struct buf next;
        buf_init(&next, GENESIS_SIZE);
        assert_int_equal(genesis_sign(buf_slice(&w->signed_), slice_str(org_ids[i]), w->founder[i], &next, &e), ERR_OK);
        buf_release(&w->signed_);
        w->signed_ = next;
    }
    *state = w;
    return 0;
}

static int world_free(void **state) {
    struct world *w = *state;
    size_t i;
    for (i = 0; i < ORGS; i++)
        sign_secret_free(w->founder[i]);
    for (i = 0; i < NODES; i++)
        keys_free(&w->keys[i]);
    for (i = 0; i < ORGS + NODES; i++)
        buf_release(&w->requests[i]);
    buf_release(&w->unsigned_);
    buf_release(&w->signed_);
    free(w);
    return 0;
}

static void test_signed_genesis_answers_the_node(void **state) {
    struct world *w = *state;
    struct genesis g;
    struct err e = {0};
    struct genesis_seat seats[LIMIT_VALIDATORS];
    struct genesis_power powers[LIMIT_VALIDATORS];
    const struct genesis_node *members[LIMIT_MEMBERS];
    const struct genesis_channel *c;
    struct digest id;
    struct buf b, j;
    if (genesis_read(buf_slice(&w->signed_), &g, &e) != ERR_OK)
        fail_msg("%s", e.text);
    c = genesis_channel_find(&g, slice_str("acme"));
    assert_non_null(c);
    assert_int_equal(genesis_seats(&g, c, seats), 4);
    assert_true(seats[2].regulator && !seats[0].regulator);
    assert_int_equal(genesis_seat_of(c, slice_str("d1")), 3);
    assert_int_equal(genesis_seat_of(c, slice_str("f2")), -1);
    assert_true(genesis_is_member(genesis_parent(&g), slice_str("a2")));
    assert_false(genesis_is_member(c, slice_str("f2")));
    assert_int_equal(genesis_members(&g, genesis_parent(&g), members, LIMIT_MEMBERS), 5);
    assert_ptr_equal(genesis_node_by_submit(&g, w->keys[1].submit_pub.b), genesis_node_find(&g, slice_str("a2")));
    assert_ptr_equal(genesis_node_by_link(&g, w->keys[4].link_pub.b), genesis_node_find(&g, slice_str("f2")));
    assert_null(genesis_node_by_submit(&g, w->keys[1].link_pub.b));
    assert_int_equal(genesis_check_powers(&g.body, c, powers), 3);
    assert_int_equal(powers[0].seats, 2);
    assert_true(powers[0].can_halt && !powers[0].can_fork);
    id = genesis_channel_id(&g, c);
    assert_false(digest_is_zero(&id));
    id = genesis_block_hash(&id);
    assert_int_equal(c->commitment, GENESIS_SALTED);
    buf_init(&b, GENESIS_SIZE);
    buf_init(&j, GENESIS_SIZE);
    genesis_show_text(&g, &b);
    assert_non_null(strstr(buf_cstr(&b), "顶点"));
    assert_non_null(strstr(buf_cstr(&b), "acme      2 of 4  yes            no"));
    buf_clear(&b);
    genesis_show_pack(&g, &b);
    assert_int_equal(buf_check(&b, &e), ERR_OK);
    assert_int_equal(json_from_pack(buf_slice(&b), &j, &e), ERR_OK);
    buf_release(&b);
    buf_release(&j);
    genesis_release(&g);
}

static void refuse_file(struct slice bytes, enum err_code want, const char *part) {
    struct genesis g;
    struct err e = {0};
    enum err_code rc = genesis_read(bytes, &g, &e);
    if (rc != want || !strstr(e.text, part))
        fail_msg("got %s \"%s\", want %s \"%s\"", err_name(rc), e.text, err_name(want), part);
}

static void test_missing_or_wrong_founder_is_named(void **state) {
    struct world *w = *state;
    struct genesis g;
    struct err e = {0};
    struct buf b;
    struct genesis_signature *sigs;
    refuse_file(buf_slice(&w->unsigned_), ERR_BAD_SIGNATURE, "the founder of \"acme\" has not signed");
    assert_int_equal(genesis_parse(buf_slice(&w->signed_), &g, &e), ERR_OK);
    sigs = g.signatures.items;
    buf_init(&b, GENESIS_SIZE);
    sigs[1].sig[5] ^= 1;
    assert_int_equal(genesis_write(g.body_bytes, &g.signatures, &b, &e), ERR_OK);
    refuse_file(buf_slice(&b), ERR_BAD_SIGNATURE, "the signature of the founder of \"fin-reg\" is wrong");
    sigs[1].sig[5] ^= 1;
    g.signatures.count = 2;
    buf_clear(&b);
    assert_int_equal(genesis_write(g.body_bytes, &g.signatures, &b, &e), ERR_OK);
    refuse_file(buf_slice(&b), ERR_BAD_SIGNATURE, "\"data-reg\" has not signed");
    buf_clear(&b);
    assert_int_equal(genesis_sign(buf_slice(&w->unsigned_), slice_str("acme"), w->founder[1], &b, &e), ERR_MISMATCH);
    assert_int_equal(genesis_sign(buf_slice(&w->unsigned_), slice_str("nobody"), w->founder[1], &b, &e), ERR_NOT_FOUND);
    buf_release(&b);
    genesis_release(&g);
}

/* Every third byte of the signed file flipped, and every prefix: refused, never a crash. */
static void test_any_damage_is_refused(void **state) {
    struct world *w = *state;
    struct genesis g;
    struct err e = {0};
    uint8_t *copy = malloc(w->signed_.len);
    size_t i;
    for (i = 0; i < w->signed_.len; i += 3) {
        memcpy(copy, w->signed_.ptr, w->signed_.len);
        copy[i] ^= (uint8_t)(1u << (i % 8));
        if (genesis_read(slice_of(copy, w->signed_.len), &g, &e) == ERR_OK)
            fail_msg("byte %zu flipped and still accepted", i);
        if (i % 7 == 0)
            assert_int_not_equal(genesis_read(slice_of(copy, i), &g, &e), ERR_OK);
    }
    free(copy);
}

/* The plan with `old` replaced must be refused, by the plan or by assembling, in these words. */
static void refuse_plan(struct world *w, const char *old, const char *new_, const char *words) {
    char text[4096];
    const char *at = strstr(plan_text, old);
    struct enrol_plan plan;
    struct err e = {0};
    struct buf out;
    enum err_code rc;
    assert_non_null(at);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - plan_text), plan_text, new_, at + strlen(old));
    buf_init(&out, GENESIS_SIZE);
    rc = enrol_plan_parse(&plan, slice_str(text), "plan.yaml", &e);
    if (rc == ERR_OK)
        rc = enrol_assemble(&plan, w->slices, ORGS + NODES, 1, &out, &e);
    if (rc != ERR_CONFIG || err_exit_status(rc) != 2 || strcmp(e.text, words) != 0)
        fail_msg("%s -> %s\n  gave %s \"%s\"\n  want \"%s\"", old, new_, err_name(rc), e.text, words);
    enrol_plan_release(&plan);
    buf_release(&out);
}

static void test_each_broken_rule_is_told_with_its_line(void **state) {
    struct world *w = *state;
    refuse_plan(w, "network: demo", "network: Demo",
                "plan.yaml:1: network: \"Demo\" is no name: lower-case letters, digits and -");
    refuse_plan(w, "name: 顶点", "nane: 顶点",
                "plan.yaml:3: organisations[0]: unknown key \"nane\" (did you mean \"name\"?) (and 1 more)");
    refuse_plan(w, "unit: 总部", "id: a9", "plan.yaml:7: key \"id\" is there twice (first in line 7)");
    refuse_plan(w, "{id: data-reg, name", "{id: acme, name",
                "plan.yaml:5: organisations[2].id: organisation \"acme\" is there twice");
    refuse_plan(w, "{id: a2, org: acme", "{id: a1, org: acme", "plan.yaml:8: nodes[1].id: node \"a1\" is there twice");
    refuse_plan(w, "{id: a2, org: acme", "{id: a2, org: acne", "plan.yaml:8: nodes[1].org: no organisation \"acne\"");
    refuse_plan(w, "127.0.0.1:2", "127.0.0.1:1",
                "plan.yaml:8: nodes[1].address: address 127.0.0.1:1 is node \"a1\"'s already");
    refuse_plan(w, "127.0.0.1:2", "127.0.0.1:70000",
                "plan.yaml:8: nodes[1].address: \"127.0.0.1:70000\" is no address: host:port or [v6]:port");
    refuse_plan(w, ", address: '127.0.0.1:2'", "", "plan.yaml:8: nodes[1].id: node \"a2\" has no address");
    refuse_plan(w, "name: 顶点", "name: 顶点, affiliate_of: acme",
                "plan.yaml:3: organisations[0].affiliate_of: \"acme\" is affiliated with itself in a circle");
    refuse_plan(w, "name: 顶点", "name: 顶点, affiliate_of: zz",
                "plan.yaml:3: organisations[0].affiliate_of: no organisation \"zz\"");
    refuse_plan(w, "[a1, a2, f1, d1]", "[a1, f1, d1]",
                "plan.yaml:13: channels[0].validators: 3 validators; a channel has 4 to 16");
    refuse_plan(w, "[a1, a2, f1, d1]", "[a1, a2, f1, zz]", "plan.yaml:13: channels[0].validators[3]: no node \"zz\"");
    refuse_plan(w, "[a1, a2, f1, d1]", "[a1, a2, f1, a1]", "plan.yaml:13: channels[0]: node \"a1\" is there twice");
    refuse_plan(w, "org: acme, k: 2", "org: acme, k: 1",
                "plan.yaml:13: channels[0].k: \"acme\" with its affiliates could fork this channel: it holds 2 of 4 "
                "seats, more than f = 1, and k is 1; give it fewer seats, or k of at least 2");
    refuse_plan(w, "org: acme, k: 2", "org: acme, k: 3",
                "plan.yaml:13: channels[0].k: k is 3, but only 2 validators are regulators");
    refuse_plan(w, "org: acme, k: 2", "org: fin-reg, k: 2", "plan.yaml:13: channels[0].org: no enterprise \"fin-reg\"");
    refuse_plan(w, "org: acme, k: 2", "k: 2", "plan.yaml:13: channels[0]: \"org\" is missing: whose channel is this?");
    refuse_plan(w, "name: 数据, role: regulator", "name: 数据, role: enterprise",
                "plan.yaml:13: channels[0].validators[3]: node \"d1\" is of \"data-reg\", which is neither a regulator "
                "nor an affiliate of \"acme\", whose channel this is");
    refuse_plan(w, "parent: true, k: 2", "org: acme, k: 2",
                "plan.yaml:12: channels: no parent: one channel has \"parent: true\"");
    refuse_plan(w, ", members: [f2]", "",
                "plan.yaml:14: channels[1]: the parent holds every node: 5 nodes, but only 4 here");
    refuse_plan(w, "k: 2, validators: [a1, a2, f1, d1], members: [f2]",
                "k: 3, validators: [a1, f1, d1, f2], members: [a2]",
                "plan.yaml:14: channels[1].k: \"fin-reg\" with its affiliates could fork this channel: it holds 2 of 4 "
                "seats, more than f = 1, and k is 3; give it fewer seats");
    refuse_plan(w, "{name: top", "{name: acme", "plan.yaml:14: channels[1].name: channel \"acme\" is there twice");
    refuse_plan(w, "role: enterprise", "role: boss",
                "plan.yaml:3: organisations[0].role: must be one of: enterprise, regulator, operator; not \"boss\"");
}

static void test_seventeen_validators_are_refused(void **state) {
    char text[4096];
    size_t len = 0;
    struct enrol_plan plan;
    struct err e = {0};
    int i;
    (void)state;
    len +=
        (size_t)snprintf(text, sizeof text, "network: n\norganisations: [{id: r, name: r, role: regulator}]\nnodes:\n");
    for (i = 0; i < 17; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "  - {id: n%d, org: r}\n", i);
    len +=
        (size_t)snprintf(text + len, sizeof text - len, "channels:\n  - {name: p, parent: true, k: 0, validators: [");
    for (i = 0; i < 17; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%sn%d", i ? "," : "", i);
    snprintf(text + len, sizeof text - len, "]}\n");
    assert_int_equal(enrol_plan_parse(&plan, slice_str(text), "p", &e), ERR_CONFIG);
    assert_string_equal(e.text, "p:22: channels[0].validators: 17 validators; a channel has 4 to 16");
    enrol_plan_release(&plan);
}

/* Changes the body of a good genesis and reads the (unsigned) result back. */
static void refuse_body(struct world *w, void (*change)(struct genesis_body *), const char *words) {
    struct genesis g, other;
    struct err e = {0};
    struct buf body, file;
    enum err_code rc;
    assert_int_equal(genesis_parse(buf_slice(&w->unsigned_), &g, &e), ERR_OK);
    change(&g.body);
    buf_init(&body, GENESIS_SIZE);
    buf_init(&file, GENESIS_SIZE);
    schema_write(&genesis_body_schema, &g.body, &body);
    assert_int_equal(genesis_write(buf_slice(&body), NULL, &file, &e), ERR_OK);
    rc = genesis_parse(buf_slice(&file), &other, &e);
    if (rc == ERR_OK || strcmp(e.text, words) != 0)
        fail_msg("gave %s \"%s\", want \"%s\"", err_name(rc), e.text, words);
    buf_release(&body);
    buf_release(&file);
    genesis_release(&g);
}

#define NODE(b, i) ((struct genesis_node *)(b)->nodes.items + (i))
static void change_repeat(struct genesis_body *b) {
    memcpy(NODE(b, 1)->link, NODE(b, 0)->consensus, GENESIS_KEY_SIZE);
}
static void change_founder(struct genesis_body *b) {
    memcpy(NODE(b, 2)->submit, ((struct genesis_org *)b->orgs.items)[0].founder, GENESIS_KEY_SIZE);
}
static void change_small(struct genesis_body *b) {
    memset(NODE(b, 3)->consensus, 0, GENESIS_KEY_SIZE);
    NODE(b, 3)->consensus[0] = 1; /* the neutral element */
}
static void change_box(struct genesis_body *b) {
    memset(NODE(b, 3)->box, 0, GENESIS_KEY_SIZE);
    NODE(b, 3)->box[0] = 1;
}
static void change_ca(struct genesis_body *b) {
    struct genesis_org *o = b->orgs.items;
    o[1].ca = o[0].ca;
}
static void change_version(struct genesis_body *b) {
    b->version = 2;
}
static void change_k(struct genesis_body *b) {
    ((struct genesis_channel *)b->channels.items)[0].k = 0;
}

static void test_bad_bodies_are_refused_without_a_plan(void **state) {
    struct world *w = *state;
    refuse_body(w, change_repeat,
                "nodes[1].link: the link key of \"a2\" is the consensus key of \"a1\" too; each key has one use");
    refuse_body(w, change_founder,
                "nodes[2].submit: the submit key of \"f1\" is the founder key of \"acme\" too; each key has one use");
    refuse_body(
        w, change_small,
        "nodes[3].consensus: the consensus key of \"d1\" is no sound public key (small order or not on the curve)");
    refuse_body(w, change_box,
                "nodes[3].box: the box key of \"d1\" is no sound public key (small order or not on the curve)");
    refuse_body(w, change_ca, "organisations[1].ca: \"fin-reg\" has the CA certificate of \"acme\"");
    refuse_body(w, change_version, "genesis of version 2; this program reads version 1");
    refuse_body(w, change_k,
                "channels[0].k: \"acme\" with its affiliates could fork this channel: it holds 2 of 4 seats, more than "
                "f = 1, and k is 0; give it fewer seats, or k of at least 2");
}

static void test_requests_prove_possession(void **state) {
    struct world *w = *state;
    struct enrol_body b;
    struct err e = {0};
    struct enrol_plan plan;
    struct buf out;
    struct slice twice[ORGS + NODES + 1];
    uint8_t *copy = malloc(w->slices[ORGS].len);
    size_t i;
    for (i = 0; i < w->slices[ORGS].len; i++) {
        memcpy(copy, w->slices[ORGS].ptr, w->slices[ORGS].len);
        copy[i] ^= 0x10;
        assert_int_not_equal(enrol_read(slice_of(copy, w->slices[ORGS].len), &b, &e), ERR_OK);
    }
    free(copy);
    buf_init(&out, GENESIS_SIZE);
    assert_int_equal(enrol_plan_parse(&plan, slice_str(plan_text), "plan.yaml", &e), ERR_OK);
    assert_int_equal(enrol_assemble(&plan, w->slices, ORGS + NODES - 1, 1, &out, &e), ERR_CONFIG);
    assert_string_equal(e.text, "plan.yaml:11: nodes[4].id: no request of node \"f2\" (its node.request)");
    enrol_plan_release(&plan);
    memcpy(twice, w->slices, sizeof w->slices);
    twice[ORGS + NODES] = twice[ORGS];
    assert_int_equal(enrol_plan_parse(&plan, slice_str(plan_text), "plan.yaml", &e), ERR_OK);
    assert_int_equal(enrol_assemble(&plan, twice, ORGS + NODES + 1, 1, &out, &e), ERR_CONFIG);
    assert_string_equal(e.text, "two requests of node \"a1\"");
    enrol_plan_release(&plan);
    buf_release(&out);
}

static void test_key_files_keep_their_purpose_and_mode(void **state) {
    char dir[] = "/tmp/assay-keys-XXXXXX", path[256];
    struct world *w = *state;
    struct keys k;
    struct sign_secret *s;
    struct sign_public pub;
    struct err e = {0};
    static const char *const names[] = {"consensus", "submit", "link", "box"};
    size_t i;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(keys_save(&w->keys[0], dir, &e), ERR_OK);
    assert_int_equal(keys_save(&w->keys[1], dir, &e), ERR_CONFLICT);
    assert_int_equal(keys_load(&k, dir, &e), ERR_OK);
    assert_memory_equal(k.submit_pub.b, w->keys[0].submit_pub.b, 32);
    assert_memory_equal(k.box_pub, w->keys[0].box_pub, 32);
    keys_free(&k);
    snprintf(path, sizeof path, "%s/link.key", dir);
    assert_int_equal(keys_sign_load(path, "submit", &s, &pub, &e), ERR_MALFORMED);
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(keys_load(&k, dir, &e), ERR_NOT_ALLOWED);
    for (i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s.key", dir, names[i]);
        unlink(path);
    }
    assert_int_equal(keys_load(&k, dir, &e), ERR_NOT_FOUND);
    rmdir(dir);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signed_genesis_answers_the_node),
        cmocka_unit_test(test_missing_or_wrong_founder_is_named),
        cmocka_unit_test(test_any_damage_is_refused),
        cmocka_unit_test(test_each_broken_rule_is_told_with_its_line),
        cmocka_unit_test(test_seventeen_validators_are_refused),
        cmocka_unit_test(test_bad_bodies_are_refused_without_a_plan),
        cmocka_unit_test(test_requests_prove_possession),
        cmocka_unit_test(test_key_files_keep_their_purpose_and_mode),
    };
    return cmocka_run_group_tests(tests, world_make, world_free);
}
