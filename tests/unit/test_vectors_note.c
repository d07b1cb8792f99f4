/* tests/unit/test_vectors_note.c -- public vectors of signed notes and checkpoints (golang.org/x/mod,
 * transparency-dev). */
#include "tests/support/vectors.h"
#include "wire/base64.h"
#include "wire/checkpoint_read.h"
#include "wire/note.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static yajl_val vectors;

static int setup(void **state) {
    const char *path = vectors_path("conformance/note/note_vectors.json");
    (void)state;
    vectors = path ? vectors_json(path) : NULL;
    return path && !vectors ? -1 : sign_start(NULL) != ERR_OK;
}

static int teardown(void **state) {
    (void)state;
    yajl_tree_free(vectors);
    return 0;
}

static void test_verifier_keys_agree(void **state) {
    yajl_val good, bad;
    size_t i;
    (void)state;
    if (!vectors)
        skip();
    good = vectors_get(vectors, "verifier_keys");
    bad = vectors_get(vectors, "bad_verifier_keys");
    for (i = 0; i < vectors_count(good); i++) {
        struct slice text = slice_str(YAJL_GET_STRING(vectors_item(good, i)));
        struct note_key k;
        struct buf b;
        assert_int_equal(note_vkey_read(text, &k, NULL), ERR_OK);
        buf_init(&b, NOTE_VKEY_MAX);
        note_vkey_write(&k, &b);
        assert_true(slice_eq(buf_slice(&b), text));
        buf_release(&b);
    }
    for (i = 0; i < vectors_count(bad); i++) {
        struct note_key k;
        assert_int_not_equal(note_vkey_read(slice_str(YAJL_GET_STRING(vectors_item(bad, i))), &k, NULL), ERR_OK);
    }
}

static void test_signing_gives_the_public_note(void **state) {
    yajl_val sign;
    struct buf text, want, got;
    struct slice skey, name;
    const char *p;
    uint8_t seed[1 + SIGN_SEED_SIZE];
    size_t len;
    struct sign_secret *secret;
    struct sign_public pub;
    struct note_key k;
    (void)state;
    if (!vectors)
        skip();
    sign = vectors_get(vectors, "sign");
    buf_init(&text, NOTE_MAX);
    buf_init(&want, NOTE_MAX);
    buf_init(&got, NOTE_MAX);
    assert_true(vectors_hex(vectors_text(sign, "text_hex"), &text));
    assert_true(vectors_hex(vectors_text(sign, "signed_hex"), &want));
    /* PRIVATE+KEY+<name>+<id>+<base64 of type and seed> */
    p = vectors_text(sign, "skey") + strlen("PRIVATE+KEY+");
    name = slice_of(p, (size_t)(strchr(p, '+') - p));
    skey = slice_str(strchr(p + name.len + 1, '+') + 1);
    assert_true(base64_read(skey, seed, sizeof seed, &len) && len == sizeof seed);
    assert_int_equal(sign_from_seed(seed + 1, &secret, &pub, NULL), ERR_OK);
    assert_int_equal(note_key_make(name, seed[0], &pub, &k, NULL), ERR_OK);
    note_begin(buf_slice(&text), &got);
    note_sign(&k, secret, buf_slice(&text), 0, &got);
    assert_true(slice_eq(buf_slice(&got), buf_slice(&want)));
    sign_secret_free(secret);
    buf_release(&text);
    buf_release(&want);
    buf_release(&got);
}

static void check_open(yajl_val v) {
    struct note_key keys[8];
    yajl_val list = vectors_get(v, "verifiers");
    const char *want = vectors_text(v, "result");
    struct note n;
    struct note_signed by;
    struct buf b;
    size_t i, count = vectors_count(list);
    enum err_code rc;
    assert_true(count <= 8);
    for (i = 0; i < count; i++)
        assert_int_equal(note_vkey_read(slice_str(YAJL_GET_STRING(vectors_item(list, i))), &keys[i], NULL), ERR_OK);
    buf_init(&b, NOTE_MAX);
    assert_true(vectors_hex(vectors_text(v, "note_hex"), &b));
    rc = note_parse(buf_slice(&b), &n, NULL);
    if (strcmp(want, "malformed") == 0) {
        assert_int_equal(rc, ERR_MALFORMED);
    } else {
        assert_int_equal(rc, ERR_OK);
        rc = note_verify(&n, keys, count, &by, NULL);
        assert_int_equal(rc, strcmp(want, "invalid_signature") == 0 ? ERR_BAD_SIGNATURE : ERR_OK);
        if (rc == ERR_OK) {
            assert_int_equal(by.count, vectors_u64(v, "verified"));
            assert_int_equal(by.unknown, vectors_u64(v, "unverified"));
            assert_int_equal(strcmp(want, "unverified") == 0, by.count == 0);
        }
    }
    buf_release(&b);
}

static void test_notes_open_as_elsewhere(void **state) {
    yajl_val open;
    size_t i;
    (void)state;
    if (!vectors)
        skip();
    open = vectors_get(vectors, "open");
    for (i = 0; i < vectors_count(open); i++)
        check_open(vectors_item(open, i));
    assert_true(i >= 14);
}

/* The vectors' texts put 8 or more bytes where a root stands; ours must be 32. One accepted there has empty lines,
 * which tlog-checkpoint forbids. */
static void test_checkpoint_bodies_agree(void **state) {
    yajl_val list, tree;
    struct buf b;
    struct checkpoint_read cp;
    struct digest leaf;
    uint8_t hello[12] = "\0hello world";
    size_t i;
    (void)state;
    if (!vectors)
        skip();
    list = vectors_get(vectors, "checkpoint_body");
    buf_init(&b, NOTE_MAX);
    for (i = 0; i < vectors_count(list); i++) {
        yajl_val v = vectors_item(list, i);
        bool want = vectors_bool(v, "formats_accepts") && vectors_bool(v, "root_is_32_bytes");
        buf_clear(&b);
        assert_true(vectors_hex(vectors_text(v, "text_hex"), &b));
        assert_int_equal(checkpoint_read_text(buf_slice(&b), &cp, NULL) == ERR_OK, want);
    }
    tree = vectors_item(vectors_get(vectors, "tree"), 0);
    buf_clear(&b);
    assert_true(vectors_hex(vectors_text(tree, "text_hex"), &b));
    assert_int_equal(checkpoint_read_text(buf_slice(&b), &cp, NULL), ERR_OK);
    assert_int_equal(cp.size, vectors_u64(tree, "size"));
    leaf = digest_of(slice_of(hello, sizeof hello));
    assert_true(digest_eq(&leaf, &cp.root));
    assert_false(cp.final);
    assert_int_equal(checkpoint_read_final(buf_slice(&b), &cp, NULL), ERR_MALFORMED);
    buf_release(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verifier_keys_agree),
        cmocka_unit_test(test_signing_gives_the_public_note),
        cmocka_unit_test(test_notes_open_as_elsewhere),
        cmocka_unit_test(test_checkpoint_bodies_agree),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
