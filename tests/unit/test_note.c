/* tests/unit/test_note.c -- base64, signed notes and checkpoints: round trips, rules of the format, hostile input. */
#include "wire/base64.h"
#include "wire/checkpoint_read.h"
#include "wire/digest.h"
#include "wire/note.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static struct sign_secret *secret[3];
static struct note_key key[3]; /* two of type 1, one cosigner */
static const char text[] = "assay/net/acme\n7\nz2Zyb3V0AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";

static int setup(void **state) {
    static const char *const names[] = {"acme-1", "监管-2", "fin-reg"};
    struct sign_public pub;
    unsigned i;
    (void)state;
    if (sign_start(NULL) != ERR_OK)
        return -1;
    for (i = 0; i < 3; i++) {
        uint8_t seed[SIGN_SEED_SIZE];
        memset(seed, (int)i + 40, sizeof seed);
        if (sign_from_seed(seed, &secret[i], &pub, NULL) != ERR_OK ||
            note_key_make(slice_str(names[i]), i == 2 ? NOTE_COSIGNATURE : NOTE_ED25519, &pub, &key[i], NULL) != ERR_OK)
            return -1;
    }
    return 0;
}

static int teardown(void **state) {
    unsigned i;
    (void)state;
    for (i = 0; i < 3; i++)
        sign_secret_free(secret[i]);
    return 0;
}

static void test_base64_is_rfc_4648_and_nothing_else(void **state) {
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    static const char *const bad[] = {"Z",        "Zg",     "Zg=",  "Zg===", "=",      "====", "Zh==",     "Zm9=",
                                      "Zg==Zg==", "Zm9v\n", " Zg=", "Zm-_",  "Zg==\n", "Z===", "Zm9vYg==A"};
    uint8_t out[8];
    size_t i, len;
    struct buf b;
    (void)state;
    buf_init(&b, 64);
    for (i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        buf_clear(&b);
        base64_write(slice_str(pairs[i][0]), &b);
        assert_true(slice_eq_str(buf_slice(&b), pairs[i][1]));
        assert_true(base64_read(buf_slice(&b), out, sizeof out, &len));
        assert_true(slice_eq(slice_of(out, len), slice_str(pairs[i][0])));
    }
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (base64_valid(slice_str(bad[i])))
            fail_msg("accepted %s", bad[i]);
    assert_false(base64_read(slice_str("Zm9vYmFy"), out, 5, &len));
    assert_true(base64_read(slice_str("Zm9vYmFy"), out, 6, &len));
    buf_release(&b);
}

static void test_vkeys_round_trip(void **state) {
    unsigned i;
    size_t at;
    struct note_key back;
    struct buf b;
    (void)state;
    for (i = 0; i < 3; i++) {
        buf_init(&b, NOTE_VKEY_MAX);
        note_vkey_write(&key[i], &b);
        assert_int_equal(note_vkey_read(buf_slice(&b), &back, NULL), ERR_OK);
        assert_int_equal(back.type, key[i].type);
        assert_int_equal(back.id, key[i].id);
        assert_true(sign_public_eq(&back.pub, &key[i].pub) && slice_eq(back.name, key[i].name));
        for (at = 0; at < b.len; at++) { /* id binds name, type and key */
            b.ptr[at] ^= 1;
            assert_int_not_equal(note_vkey_read(buf_slice(&b), &back, NULL), ERR_OK);
            b.ptr[at] ^= 1;
        }
        buf_release(&b);
    }
}

/* The worked example of the C2SP signed-note specification. */
static void test_specification_example_verifies(void **state) {
    static const char vkey[] = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    static const char example[] =
        "This is an example message.\n\n\xE2\x80\x94 example.com/foo "
        "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
    struct note_key k;
    struct note n;
    struct note_signed by;
    (void)state;
    assert_int_equal(note_vkey_read(slice_str(vkey), &k, NULL), ERR_OK);
    assert_int_equal(k.id, 0x530d903a);
    assert_int_equal(note_parse(slice_str(example), &n, NULL), ERR_OK);
    assert_int_equal(note_verify(&n, &k, 1, &by, NULL), ERR_OK);
    assert_int_equal(by.count, 1);
}

static void test_names_are_checked(void **state) {
    static const char *const bad[] = {"",
                                      "a b",
                                      "a+b",
                                      "a\tb",
                                      "a\nb",
                                      "a\xC2\xA0"
                                      "b",
                                      "a\xE3\x80\x80"
                                      "b",
                                      "\xFF",
                                      "a\xE2\x80\xA8"};
    size_t i;
    (void)state;
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(note_name_ok(slice_str(bad[i])));
    assert_true(note_name_ok(slice_str("监管机构-1")));
    assert_true(note_name_ok(slice_str("example.com/log")));
}

static void make_note(struct buf *b) {
    buf_init(b, NOTE_MAX);
    note_begin(slice_str(text), b);
    note_sign(&key[0], secret[0], slice_str(text), 0, b);
    note_sign(&key[1], secret[1], slice_str(text), 0, b);
    note_sign(&key[2], secret[2], slice_str(text), 1700000000, b);
    assert_int_equal(buf_check(b, NULL), ERR_OK);
}

static void test_known_keys_verify_unknown_are_ignored(void **state) {
    struct buf b;
    struct note n;
    struct note_signed by;
    (void)state;
    make_note(&b);
    assert_int_equal(note_parse(buf_slice(&b), &n, NULL), ERR_OK);
    assert_true(slice_eq_str(n.text, text));
    assert_int_equal(note_verify(&n, key, 3, &by, NULL), ERR_OK);
    assert_int_equal(by.by, 7);
    assert_int_equal(by.count, 3);
    assert_int_equal(by.time[2], 1700000000);
    assert_int_equal(note_verify(&n, key + 1, 1, &by, NULL), ERR_OK);
    assert_int_equal(by.count, 1);
    assert_int_equal(by.unknown, 2);
    assert_int_equal(note_verify(&n, NULL, 0, &by, NULL), ERR_OK);
    assert_int_equal(by.count, 0);
    buf_release(&b);
}

static void test_one_bad_signature_of_a_known_key_spoils(void **state) {
    struct buf b;
    struct note n;
    struct note_signed by;
    struct sign_signature sig;
    (void)state;
    buf_init(&b, NOTE_MAX);
    note_begin(slice_str(text), &b);
    note_sign(&key[0], secret[0], slice_str(text), 0, &b);
    sign_make(secret[1], slice_str("another text\n"), &sig);
    note_add(&key[1], &sig, &b);
    assert_int_equal(note_parse(buf_slice(&b), &n, NULL), ERR_OK);
    assert_int_equal(note_verify(&n, key, 2, &by, NULL), ERR_BAD_SIGNATURE);
    assert_int_equal(by.count, 0);
    assert_int_equal(note_verify(&n, key, 1, &by, NULL), ERR_OK);
    buf_release(&b);
}

static void test_every_changed_byte_is_noticed(void **state) {
    struct buf b;
    size_t i;
    (void)state;
    make_note(&b);
    for (i = 0; i < b.len; i++) {
        struct note n;
        struct note_signed by;
        unsigned bit;
        for (bit = 0; bit < 8; bit++) {
            b.ptr[i] ^= (uint8_t)(1u << bit);
            if (note_parse(buf_slice(&b), &n, NULL) == ERR_OK && note_verify(&n, key, 3, &by, NULL) == ERR_OK)
                assert_true(by.count < 3);
            b.ptr[i] ^= (uint8_t)(1u << bit);
        }
    }
    buf_release(&b);
}

static void test_text_with_blank_lines_splits_at_the_last(void **state) {
    static const char odd[] = "one\n\n\xE2\x80\x94 acme-1 AAAA\n\ntwo\n";
    struct buf b;
    struct note n;
    struct note_signed by;
    (void)state;
    buf_init(&b, NOTE_MAX);
    note_begin(slice_str(odd), &b);
    note_sign(&key[0], secret[0], slice_str(odd), 0, &b);
    assert_int_equal(note_parse(buf_slice(&b), &n, NULL), ERR_OK);
    assert_true(slice_eq_str(n.text, odd));
    assert_int_equal(note_verify(&n, key, 1, &by, NULL), ERR_OK);
    assert_int_equal(by.count, 1);
    buf_release(&b);
}

static void test_two_keys_of_one_id_are_refused(void **state) {
    struct note_key twice[2] = {key[0], key[0]};
    struct note n = {0};
    struct note_signed by;
    (void)state;
    assert_int_equal(note_verify(&n, twice, 2, &by, NULL), ERR_USAGE);
}

#define ROOT "z2Zyb3V0AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static void test_checkpoints_have_one_reading(void **state) {
    static const char *const bad[] = {
        "\n7\n" ROOT "\n",
        "o\n07\n" ROOT "\n",
        "o\n+7\n" ROOT "\n",
        "o\n7 \n" ROOT "\n",
        "o\n18446744073709551616\n" ROOT "\n",
        "o\n7\nAAAA\n",
        "o\n7\n" ROOT,
        "o\n7\n" ROOT "\n\n",
        "o\r\n7\n" ROOT "\n",
    };
    static const char *const other[] = {
        "o\n7\n" ROOT "\nfinal 1 2 AAAA\n",
        "o\n7\n" ROOT "\nfinal 1 02 " ROOT "\n",
        "o\n7\n" ROOT "\nfinal 1  2 " ROOT "\n",
        "o\n7\n" ROOT "\nfinal 1 2 " ROOT " \n",
        "o\n7\n" ROOT "\nfinal 1 2 " ROOT "\nmore\n",
        "o\n7\n" ROOT "\nmore\nfinal 1 2 " ROOT "\n",
        "o\n7\n" ROOT "\n",
    };
    struct checkpoint_read cp;
    size_t i;
    (void)state;
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(checkpoint_read_text(slice_str(bad[i]), &cp, NULL), ERR_MALFORMED);
    for (i = 0; i < sizeof other / sizeof other[0]; i++) {
        assert_int_equal(checkpoint_read_text(slice_str(other[i]), &cp, NULL), ERR_OK);
        assert_false(cp.final);
        assert_int_equal(checkpoint_read_final(slice_str(other[i]), &cp, NULL), ERR_MALFORMED);
    }
    assert_int_equal(
        checkpoint_read_final(slice_str("o\n18446744073709551615\n" ROOT "\nfinal 3 4 " ROOT "\n"), &cp, NULL), ERR_OK);
    assert_true(cp.size == UINT64_MAX && cp.epoch == 3 && cp.view == 4 && cp.pid.b[0] == 0xCF && cp.root.b[0] == 0xCF);
    assert_true(slice_eq_str(cp.origin, "o"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base64_is_rfc_4648_and_nothing_else),
        cmocka_unit_test(test_vkeys_round_trip),
        cmocka_unit_test(test_specification_example_verifies),
        cmocka_unit_test(test_names_are_checked),
        cmocka_unit_test(test_known_keys_verify_unknown_are_ignored),
        cmocka_unit_test(test_one_bad_signature_of_a_known_key_spoils),
        cmocka_unit_test(test_every_changed_byte_is_noticed),
        cmocka_unit_test(test_text_with_blank_lines_splits_at_the_last),
        cmocka_unit_test(test_two_keys_of_one_id_are_refused),
        cmocka_unit_test(test_checkpoints_have_one_reading),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
