/* tests/unit/test_cert.c -- checkpoint text, certificates, messages: round trips and refusals. PROTOCOL 5.1 to 5.4. */
#include "consensus/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void fill(struct set *s, struct sign_secret *secret[4]) {
    uint32_t i;
    memset(s, 0, sizeof *s);
    assert_int_equal(sign_start(NULL), ERR_OK);
    s->n = 4;
    s->k = 2;
    s->epoch = 1;
    s->protocol = SET_PROTOCOL_VERSION;
    snprintf(s->origin, sizeof s->origin, "assay/net/channel");
    for (i = 0; i < 4; i++) {
        uint8_t seed[SIGN_SEED_SIZE] = {(uint8_t)(i + 1)};
        snprintf(s->member[i].name, sizeof s->member[i].name, "n%u", i);
        s->member[i].org = s->member[i].group = i;
        s->member[i].regulator = i >= 2;
        assert_int_equal(sign_from_seed(seed, &secret[i], &s->member[i].key, NULL), ERR_OK);
    }
    assert_int_equal(set_finish(s, NULL), ERR_OK);
}

static void cert_signed(const struct set *s, struct sign_secret *secret[4], enum cert_type type, uint32_t bitmap,
                        struct cert *c) {
    uint32_t i;
    memset(c, 0, sizeof *c);
    c->type = type;
    c->epoch = 1;
    c->view = 7;
    c->bitmap = bitmap;
    c->prop = (struct cert_prop){.channel = s->channel, .epoch = 1, .set_hash = s->hash, .view = 7};
    c->prop.channel = s->channel;
    if (type != CERT_NULLIFY) {
        c->prop.height = 3;
        c->prop.block_hash = digest_of(slice_str("block"));
        c->prop.parent_view = 6;
        c->prop.parent_pid = digest_of(slice_str("parent"));
        c->pid = cert_pid(&c->prop);
    }
    if (type == CERT_FINALIZE) {
        c->tree_size = 42;
        c->tree_root = digest_of(slice_str("root"));
    }
    for (i = 0; i < 4; i++)
        if (bitmap >> i & 1u) {
            struct cert_vote v = {type, 1, 7, c->pid, c->tree_size, c->tree_root, i, {{0}}};
            struct buf b;
            buf_init(&b, CERT_STATEMENT_MAX);
            cert_statement(s, &v, &b);
            assert_int_equal(buf_check(&b, NULL), ERR_OK);
            sign_make(secret[i], buf_slice(&b), &c->sig[c->count++]);
            buf_release(&b);
        }
}

/* PROTOCOL 5.3 */
static void test_certificate_round_trip_and_refusals(void **state) {
    static const enum cert_type types[] = {CERT_NOTARIZE, CERT_FINALIZE, CERT_NULLIFY};
    struct sign_secret *secret[4];
    struct set s;
    struct cert c, back;
    struct buf b;
    uint32_t signers;
    size_t i, t;
    (void)state;
    fill(&s, secret);
    s.channel = digest_of(slice_str("channel"));
    assert_int_equal(set_finish(&s, NULL), ERR_OK);
    buf_init(&b, CERT_BYTES_MAX);
    for (t = 0; t < 3; t++) {
        cert_signed(&s, secret, types[t], 0xe, &c);
        buf_clear(&b);
        cert_write(&c, &b);
        assert_int_equal(cert_read(buf_slice(&b), &back, NULL), ERR_OK);
        assert_int_equal(cert_verify(&s, &back, &cert_ed25519, &signers, NULL), ERR_OK);
        assert_int_equal(signers, 0xe);
        for (i = 0; i < b.len; i++) { /* no byte can be changed */
            b.ptr[i] ^= 1;
            assert_true(cert_read(buf_slice(&b), &back, NULL) != ERR_OK ||
                        cert_verify(&s, &back, &cert_ed25519, NULL, NULL) != ERR_OK);
            b.ptr[i] ^= 1;
            assert_int_not_equal(cert_read(slice_of(b.ptr, i), &back, NULL), ERR_OK);
        }
    }
    cert_signed(&s, secret, CERT_FINALIZE, 0x7, &c); /* q, but one regulator of two */
    assert_int_equal(cert_verify(&s, &c, &cert_ed25519, NULL, NULL), ERR_PROOF);
    cert_signed(&s, secret, CERT_NOTARIZE, 0x7, &c); /* k is for finality alone */
    assert_int_equal(cert_verify(&s, &c, &cert_ed25519, NULL, NULL), ERR_OK);
    cert_signed(&s, secret, CERT_NULLIFY, 0x3, &c);
    assert_int_equal(cert_verify(&s, &c, &cert_ed25519, NULL, NULL), ERR_PROOF);
    buf_release(&b);
    for (i = 0; i < 4; i++)
        sign_secret_free(secret[i]);
}

/* PROTOCOL 5.3: what a FINALIZE vote signs is a checkpoint, and a certificate is a signed note. */
static void test_finalize_text_and_note_are_as_specified(void **state) {
    struct sign_secret *secret[4];
    struct set s;
    struct cert c;
    struct buf b;
    struct checkpoint cp;
    struct slice origin, text;
    const char *end;
    size_t i;
    (void)state;
    fill(&s, secret);
    s.channel = digest_of(slice_str("channel"));
    assert_int_equal(set_finish(&s, NULL), ERR_OK);
    cert_signed(&s, secret, CERT_FINALIZE, 0xe, &c);
    buf_init(&b, 4096);
    cert_note(&s, &c, &b);
    end = strstr(buf_cstr(&b), "\n\n");
    assert_non_null(end);
    assert_memory_equal(b.ptr, "assay/net/channel\n42\n", 21);
    text = slice_of(b.ptr, (size_t)(end - (const char *)b.ptr) + 1);
    assert_int_equal(checkpoint_read(text, &origin, &cp, NULL), ERR_OK);
    assert_true(slice_eq_str(origin, "assay/net/channel") && cp.tree_size == 42 && cp.view == 7);
    assert_true(digest_eq(&cp.pid, &c.pid) && digest_eq(&cp.tree_root, &c.tree_root));
    assert_true(sign_verify(&s.member[1].key, text, &c.sig[0]));
    assert_memory_equal(end + 2, "\xe2\x80\x94 n1 ", 7);
    for (i = 0; i < text.len; i++)
        assert_int_not_equal(checkpoint_read(slice_of(text.ptr, i), &origin, &cp, NULL), ERR_OK);
    assert_int_not_equal(checkpoint_read(slice_str("o\n042\nAAAA\nfinal 1 1 AAAA\n"), &origin, &cp, NULL), ERR_OK);
    buf_release(&b);
    for (i = 0; i < 4; i++)
        sign_secret_free(secret[i]);
}

/* PROTOCOL 5.1 */
static void test_set_hash_commits_to_each_field(void **state) {
    struct sign_secret *secret[4];
    struct set s, t;
    uint64_t v;
    uint32_t led[4] = {0};
    int i;
    (void)state;
    fill(&s, secret);
    for (i = 0; i < 7; i++) {
        t = s;
        if (i == 0)
            t.k = 1;
        else if (i == 1)
            t.epoch = 2;
        else if (i == 2)
            t.channel.b[0] ^= 1;
        else if (i == 3)
            t.member[2].name[0] = 'm';
        else if (i == 4)
            t.member[1].regulator = true;
        else if (i == 5)
            t.member[0].key.b[5] ^= 1;
        else
            t.member[3].org = 9;
        assert_int_equal(set_finish(&t, NULL), ERR_OK);
        assert_false(digest_eq(&t.hash, &s.hash));
    }
    for (v = 1; v <= 8; v++)
        led[set_leader(&s, v)]++;
    for (i = 0; i < 4; i++) {
        assert_int_equal(led[i], 2);
        sign_secret_free(secret[i]);
    }
    t = s;
    t.member[1].key = t.member[0].key;
    assert_int_equal(set_finish(&t, NULL), ERR_CONFIG);
}

/* PROTOCOL 5.4 */
static void test_message_of_each_type_round_trips(void **state) {
    struct message m, back;
    struct buf b, c;
    int t;
    (void)state;
    buf_init(&b, MESSAGE_HEAD_MAX);
    buf_init(&c, MESSAGE_HEAD_MAX);
    for (t = MESSAGE_PROPOSE; t <= MESSAGE_GET_CERT; t++) {
        size_t i;
        if (t == MESSAGE_CERT)
            continue;
        memset(&m, 0, sizeof m);
        m.type = (enum message_type)t;
        m.channel = m.set_hash = m.final_hash = digest_of(slice_str("x"));
        m.epoch = 1;
        m.view = m.prop.view = m.vote.view = 9;
        m.prop.height = 2;
        m.prop.block_hash = m.channel;
        m.sig.b[0] = m.vote.sig.b[0] = 1;
        m.vote.signer = 0;
        if (t != MESSAGE_NULLIFY)
            m.vote.pid = m.channel;
        if (t == MESSAGE_FINALIZE) {
            m.vote.tree_size = 1;
            m.vote.tree_root = m.channel;
        }
        buf_clear(&b);
        message_write(&m, &b);
        assert_int_equal(message_read(buf_slice(&b), &back, NULL), ERR_OK);
        buf_clear(&c);
        message_write(&back, &c);
        assert_true(slice_eq(buf_slice(&b), buf_slice(&c)));
        for (i = 0; i < b.len; i++)
            assert_int_not_equal(message_read(slice_of(b.ptr, i), &back, NULL), ERR_OK);
    }
    buf_release(&b);
    buf_release(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_certificate_round_trip_and_refusals),
        cmocka_unit_test(test_finalize_text_and_note_are_as_specified),
        cmocka_unit_test(test_set_hash_commits_to_each_field),
        cmocka_unit_test(test_message_of_each_type_round_trips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
