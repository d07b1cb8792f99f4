/* tests/unit/test_vectors_ed25519.c -- Project Wycheproof's Ed25519 signatures against wire/sign. */
#include "tests/support/vectors.h"
#include "wire/sign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static bool accepts(const struct sign_public *pub, yajl_val test) {
    struct buf msg, sig;
    struct sign_signature s;
    bool good;
    buf_init(&msg, 1 << 16);
    buf_init(&sig, 1 << 16);
    assert_true(vectors_hex(vectors_text(test, "msg"), &msg) && vectors_hex(vectors_text(test, "sig"), &sig));
    good = sig.len == SIGN_SIZE; /* another length can't be handed over */
    if (good) {
        memcpy(s.b, sig.ptr, SIGN_SIZE);
        good = sign_verify(pub, msg.len ? buf_slice(&msg) : slice_str(""), &s);
    }
    buf_release(&msg);
    buf_release(&sig);
    return good;
}

static void test_wycheproof_signatures_agree(void **state) {
    const char *path = vectors_path("conformance/ed25519/wycheproof_ed25519_test.json");
    yajl_val v, groups;
    size_t g, t, checked = 0;
    (void)state;
    if (!path)
        skip();
    assert_int_equal(sign_start(NULL), ERR_OK);
    v = vectors_json(path);
    assert_non_null(v);
    groups = vectors_get(v, "testGroups");
    for (g = 0; g < vectors_count(groups); g++) {
        yajl_val group = vectors_item(groups, g), tests = vectors_get(group, "tests");
        struct sign_public pub;
        struct buf key;
        buf_init(&key, 64);
        assert_true(vectors_hex(vectors_text(vectors_get(group, "publicKey"), "pk"), &key));
        assert_int_equal(key.len, SIGN_PUBLIC_SIZE);
        memcpy(pub.b, key.ptr, SIGN_PUBLIC_SIZE);
        for (t = 0; t < vectors_count(tests); t++) {
            yajl_val test = vectors_item(tests, t);
            bool want = strcmp(vectors_text(test, "result"), "valid") == 0;
            if (accepts(&pub, test) != want)
                fail_msg("case %llu", (unsigned long long)vectors_u64(test, "tcId"));
            checked++;
        }
        buf_release(&key);
    }
    printf("%zu signatures agree\n", checked);
    assert_int_equal(checked, vectors_u64(v, "numberOfTests"));
    yajl_tree_free(v);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_wycheproof_signatures_agree)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
