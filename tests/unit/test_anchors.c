/* Watching anchors: what is checked of an opened text, and whose turn it is to post (PROTOCOL 13). */
#include "node/anchors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const char ORIGIN[] = "assay/demo/acme";

/* The own tree: 20 entries, the root of the first n is n in every byte. */
static enum err_code own_root(void *ctx, uint64_t size, struct digest *root, struct err *e) {
    (void)ctx;
    if (size > 20)
        return err_set(e, ERR_NOT_FOUND, "only 20");
    memset(root->b, (int)size, DIGEST_SIZE);
    return ERR_OK;
}

static enum err_code check(const char *origin, uint64_t size, uint8_t root, const char *more) {
    struct checkpoint cp = {.tree_size = size, .epoch = 1, .view = 5}, got;
    struct buf b;
    struct err e = {0};
    enum err_code rc;
    memset(cp.tree_root.b, root, DIGEST_SIZE);
    buf_init(&b, 1024);
    checkpoint_text(slice_str(origin), &cp, &b);
    buf_str(&b, more);
    rc = anchors_check(buf_slice(&b), slice_str(ORIGIN), &got, own_root, NULL, &e);
    if (rc == ERR_OK)
        assert_int_equal(got.tree_size, size);
    buf_release(&b);
    return rc;
}

static void test_anchor_is_compared_with_the_own_tree(void **state) {
    (void)state;
    assert_int_equal(check(ORIGIN, 12, 12, ""), ERR_OK);
    assert_int_equal(check(ORIGIN, 12, 13, ""), ERR_MISMATCH);
    assert_int_equal(check("assay/demo/globex", 12, 12, ""), ERR_WRONG_NETWORK);
    assert_int_equal(check(ORIGIN, 21, 21, ""), ERR_NOT_FOUND);
    assert_int_equal(check(ORIGIN, 12, 12, "more\n"), ERR_MALFORMED);
}

static void test_posters_rotate_and_stand_in(void **state) {
    (void)state;
    for (uint64_t period = 100; period < 108; period++) {
        unsigned at_once = 0, at_half = 0, at_end = 0;
        for (size_t i = 0; i < 6; i++) {
            at_once += anchors_turn(period, i, 6, 0, 4000);
            at_half += anchors_turn(period, i, 6, 2000, 4000);
            at_end += anchors_turn(period, i, 6, 3999, 4000);
        }
        assert_int_equal(at_once, 1);
        assert_int_equal(at_half, 3);
        assert_int_equal(at_end, 4);
        assert_true(anchors_turn(period, (size_t)(period % 6), 6, 0, 4000));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_anchor_is_compared_with_the_own_tree),
        cmocka_unit_test(test_posters_rotate_and_stand_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
