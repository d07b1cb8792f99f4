/* tests/unit/test_tree.c -- the tree against a naive model that follows RFC 6962's definitions word by word. */
#include "ledger/tree.h"
#include "wire/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

enum { MODEL_LEAVES = 700 };

static struct digest leaves[MODEL_LEAVES];

/* ---- the model ---- */

static size_t model_split(size_t n) {
    size_t k = 1;
    while (k * 2 < n)
        k *= 2;
    return k;
}

static struct digest model_mth(size_t first, size_t n) {
    struct digest l, r;
    size_t k;
    if (n == 0)
        return digest_of(slice_none());
    if (n == 1)
        return leaves[first];
    k = model_split(n);
    l = model_mth(first, k);
    r = model_mth(first + k, n - k);
    return tree_node(&l, &r);
}

static void model_path(size_t m, size_t first, size_t n, struct tree_path *out) {
    size_t k;
    if (n == 1)
        return;
    k = model_split(n);
    if (m < k) {
        model_path(m, first, k, out);
        out->hash[out->count++] = model_mth(first + k, n - k);
    } else {
        model_path(m - k, first + k, n - k, out);
        out->hash[out->count++] = model_mth(first, k);
    }
}

static void model_subproof(size_t m, size_t first, size_t n, bool whole, struct tree_path *out) {
    size_t k;
    if (m == n) {
        if (!whole)
            out->hash[out->count++] = model_mth(first, n);
        return;
    }
    k = model_split(n);
    if (m <= k) {
        model_subproof(m, first, k, whole, out);
        out->hash[out->count++] = model_mth(first + k, n - k);
    } else {
        model_subproof(m - k, first + k, n - k, false, out);
        out->hash[out->count++] = model_mth(first, k);
    }
}

/* ---- a reader over the leaves, which keeps the reader's contract honest ---- */

struct model_reader {
    uint64_t size;
    unsigned reads, tiles;
    uint64_t tile[64];
};

static enum err_code model_hashes(void *ctx, unsigned level, uint64_t first, uint64_t count, struct digest *out,
                                  struct err *e) {
    struct model_reader *m = ctx;
    uint64_t i, tile = (uint64_t)level << 56 | first / TREE_TILE_WIDTH;
    unsigned t;
    (void)e;
    assert_int_equal(level % TREE_TILE_HEIGHT, 0);
    assert_true(count >= 1 && count <= TREE_TILE_WIDTH);
    assert_int_equal(first / TREE_TILE_WIDTH, (first + count - 1) / TREE_TILE_WIDTH);
    assert_true((first + count) << level <= m->size);
    for (t = 0; t < m->tiles && m->tile[t] != tile; t++)
        continue;
    if (t == m->tiles && t < 64)
        m->tile[m->tiles++] = tile;
    m->reads++;
    for (i = 0; i < count; i++)
        out[i] = model_mth((size_t)(first + i) << level, (size_t)1 << level);
    return ERR_OK;
}

static int setup(void **state) {
    size_t i;
    (void)state;
    for (i = 0; i < MODEL_LEAVES; i++) {
        uint8_t entry[2] = {(uint8_t)(i >> 8), (uint8_t)i};
        leaves[i] = tree_leaf(slice_of(entry, i % 3));
    }
    return 0;
}

static void test_known_roots_match(void **state) {
    char hex[DIGEST_HEX];
    struct digest d = tree_root_of(NULL, 0);
    (void)state;
    assert_string_equal(digest_hex(&d, hex), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    d = tree_leaf(slice_none());
    assert_string_equal(digest_hex(&d, hex), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
}

static void test_frontier_equals_model_however_appended(void **state) {
    struct tree_frontier one = {0}, many = {0}, back;
    struct buf b;
    size_t i, at = 0;
    (void)state;
    buf_init(&b, TREE_FRONTIER_BYTES);
    for (i = 1; i <= MODEL_LEAVES; i++) {
        struct digest want, got;
        assert_int_equal(tree_frontier_append(&one, &leaves[i - 1], 1, NULL), ERR_OK);
        if (i % 37 && i != MODEL_LEAVES)
            continue;
        assert_int_equal(tree_frontier_append(&many, leaves + at, i - at, NULL), ERR_OK);
        at = i;
        assert_memory_equal(&one, &many, sizeof one);
        want = model_mth(0, i);
        got = tree_frontier_root(&many);
        assert_true(digest_eq(&want, &got));
        got = tree_root_of(leaves, i);
        assert_true(digest_eq(&want, &got));
        buf_clear(&b);
        tree_frontier_write(&many, &b);
        assert_int_equal(tree_frontier_read(buf_slice(&b), &back, NULL), ERR_OK);
        assert_memory_equal(&back, &many, sizeof back);
        assert_int_equal(tree_frontier_read(slice_of(b.ptr, b.len - 1), &back, NULL), ERR_MALFORMED);
    }
    buf_release(&b);
}

static void test_frontier_at_the_end_of_numbers_refuses(void **state) {
    struct tree_frontier f = {.size = UINT64_MAX - 1}, same;
    (void)state;
    same = f;
    assert_int_equal(tree_frontier_append(&f, leaves, 2, NULL), ERR_TOO_LARGE);
    assert_memory_equal(&f, &same, sizeof f);
    assert_int_equal(tree_frontier_append(&f, leaves, 1, NULL), ERR_OK);
    assert_int_equal(f.size, UINT64_MAX);
    assert_int_equal(tree_frontier_append(&f, leaves, 1, NULL), ERR_TOO_LARGE);
}

static const size_t sizes[] = {1, 2, 3, 4, 5, 7, 8, 9, 31, 255, 256, 257, 300, 511, 512, 513, 640, 700};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

static void check_inclusion(size_t index, size_t size) {
    struct model_reader m = {.size = size};
    struct tree_reader r = {&m, model_hashes};
    struct tree_path got, want = {0};
    struct digest root = model_mth(0, size);
    unsigned i;
    assert_int_equal(tree_inclusion(&r, index, size, &got, NULL), ERR_OK);
    assert_true(m.tiles <= 4); /* two levels of tiles, and the right edge of each */
    model_path(index, 0, size, &want);
    assert_int_equal(got.count, want.count);
    for (i = 0; i < got.count; i++)
        assert_true(digest_eq(&got.hash[i], &want.hash[i]));
    assert_int_equal(tree_verify_inclusion(&leaves[index], index, size, got.hash, got.count, &root, NULL), ERR_OK);
    /* another index, size or length is refused */
    assert_int_equal(tree_verify_inclusion(&leaves[index], index + 1, size, got.hash, got.count, &root, NULL),
                     ERR_PROOF);
    assert_int_equal(tree_verify_inclusion(&leaves[index], index, size, got.hash, got.count + 1, &root, NULL),
                     ERR_PROOF);
    if (got.count) {
        assert_int_equal(tree_verify_inclusion(&leaves[index], index, size, got.hash, got.count - 1, &root, NULL),
                         ERR_PROOF);
        got.hash[index % got.count].b[index % 32] ^= 1;
        assert_int_equal(tree_verify_inclusion(&leaves[index], index, size, got.hash, got.count, &root, NULL),
                         ERR_PROOF);
    }
}

static void test_inclusion_equals_model(void **state) {
    size_t s, i;
    (void)state;
    for (s = 0; s < SIZES; s++)
        for (i = 0; i < sizes[s]; i += 1 + sizes[s] / 23)
            check_inclusion(i, sizes[s]);
}

static void check_consistency(size_t old, size_t size) {
    struct model_reader m = {.size = size};
    struct tree_reader r = {&m, model_hashes};
    struct tree_path got, want = {0};
    struct digest old_root = model_mth(0, old), root = model_mth(0, size);
    unsigned i;
    assert_int_equal(tree_consistency(&r, old, size, &got, NULL), ERR_OK);
    assert_true(m.tiles <= 4);
    model_subproof(old, 0, size, true, &want);
    assert_int_equal(got.count, want.count);
    for (i = 0; i < got.count; i++)
        assert_true(digest_eq(&got.hash[i], &want.hash[i]));
    assert_int_equal(tree_verify_consistency(old, &old_root, size, &root, got.hash, got.count, NULL), ERR_OK);
    assert_int_equal(tree_verify_consistency(old, &old_root, size, &root, got.hash, got.count + 1, NULL), ERR_PROOF);
    if (old != size)
        assert_int_equal(tree_verify_consistency(old, &root, size, &root, got.hash, got.count, NULL), ERR_PROOF);
    for (i = 0; i < got.count; i++) {
        got.hash[i].b[i % 32] ^= 0x80;
        assert_int_equal(tree_verify_consistency(old, &old_root, size, &root, got.hash, got.count, NULL), ERR_PROOF);
        got.hash[i].b[i % 32] ^= 0x80;
    }
}

static void test_consistency_equals_model(void **state) {
    size_t s, i;
    (void)state;
    for (s = 0; s < SIZES; s++)
        for (i = 1; i <= sizes[s]; i += 1 + sizes[s] / 23)
            check_consistency(i, sizes[s]);
}

static void test_consistency_from_zero_is_refused(void **state) {
    struct model_reader m = {.size = 5};
    struct tree_reader r = {&m, model_hashes};
    struct tree_path p;
    struct digest empty = tree_empty(), root = model_mth(0, 5);
    (void)state;
    assert_int_equal(tree_consistency(&r, 0, 5, &p, NULL), ERR_USAGE);
    assert_int_equal(tree_consistency(&r, 6, 5, &p, NULL), ERR_NOT_FOUND);
    assert_int_equal(tree_verify_consistency(0, &empty, 5, &root, NULL, 0, NULL), ERR_PROOF);
    assert_int_equal(tree_verify_consistency(0, &empty, 0, &empty, NULL, 0, NULL), ERR_PROOF);
    assert_int_equal(tree_verify_consistency(6, &root, 5, &root, NULL, 0, NULL), ERR_PROOF);
    assert_int_equal(tree_inclusion(&r, 5, 5, &p, NULL), ERR_NOT_FOUND);
}

static void test_extremes_of_64_bits_are_safe(void **state) {
    struct tree_path p = {.count = 64};
    struct digest d = leaves[0], path_root = leaves[0];
    uint64_t big = UINT64_MAX;
    unsigned i, count;
    (void)state;
    for (i = 0; i < 64; i++)
        p.hash[i] = leaves[i];
    assert_int_equal(tree_verify_inclusion(&d, big, big, p.hash, 64, &d, NULL), ERR_PROOF);
    assert_int_equal(tree_verify_inclusion(&d, big, 8, p.hash, 3, &d, NULL), ERR_PROOF);
    assert_int_equal(tree_verify_inclusion(&d, 0, 0, p.hash, 0, &d, NULL), ERR_PROOF);
    /* leaf 0 of 2^64-1: 64 siblings, all to the right */
    for (i = 0; i < 64; i++)
        path_root = tree_node(&path_root, &p.hash[i]);
    assert_int_equal(tree_verify_inclusion(&d, 0, big, p.hash, 64, &path_root, NULL), ERR_OK);
    /* the last leaf, 2^64-2: all siblings to the left, none where the edge is a single leaf */
    path_root = d;
    for (i = 0; i < 63; i++)
        path_root = tree_node(&p.hash[i], &path_root);
    assert_int_equal(tree_verify_inclusion(&d, big - 1, big, p.hash, 63, &path_root, NULL), ERR_OK);
    for (count = 0; count <= TREE_CONSISTENCY_MAX; count++) {
        p.hash[64] = leaves[64];
        assert_int_equal(tree_verify_consistency(big - 1, &d, big, &d, p.hash, count, NULL), ERR_PROOF);
        assert_int_equal(tree_verify_consistency(1, &d, big, &d, p.hash, count, NULL), ERR_PROOF);
        assert_int_equal(tree_verify_consistency(UINT64_C(1) << 63, &d, big, &d, p.hash, count, NULL), ERR_PROOF);
    }
}

static void test_range_is_complete_or_refused(void **state) {
    size_t s, first, end;
    (void)state;
    for (s = 2; s < SIZES; s++)
        for (first = 0; first < sizes[s]; first += 1 + sizes[s] / 7)
            for (end = first + 1; end <= sizes[s]; end += 1 + sizes[s] / 5) {
                struct model_reader m = {.size = sizes[s]};
                struct tree_reader r = {&m, model_hashes};
                struct tree_path left, right;
                struct digest root = model_mth(0, sizes[s]);
                size_t n = end - first;
                assert_int_equal(tree_range_proof(&r, first, end, sizes[s], &left, &right, NULL), ERR_OK);
                assert_int_equal(tree_verify_range(leaves + first, n, first, sizes[s], left.hash, left.count,
                                                   right.hash, right.count, &root, NULL),
                                 ERR_OK);
                if (n > 1) /* one left out */
                    assert_int_equal(tree_verify_range(leaves + first, n - 1, first, sizes[s], left.hash, left.count,
                                                       right.hash, right.count, &root, NULL),
                                     ERR_PROOF);
                assert_int_equal(tree_verify_range(leaves + first, n, first + 1, sizes[s], left.hash, left.count,
                                                   right.hash, right.count, &root, NULL),
                                 ERR_PROOF);
            }
    {
        struct digest root = model_mth(0, 5);
        assert_int_equal(tree_verify_range(leaves, SIZE_MAX, 1, 5, NULL, 0, NULL, 0, &root, NULL), ERR_PROOF);
        assert_int_equal(tree_verify_range(leaves, 1, UINT64_MAX, 5, NULL, 0, NULL, 0, &root, NULL), ERR_PROOF);
        assert_int_equal(tree_verify_range(leaves, 1, 0, UINT64_MAX, NULL, 0, NULL, 0, &root, NULL), ERR_PROOF);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_roots_match),
        cmocka_unit_test(test_frontier_equals_model_however_appended),
        cmocka_unit_test(test_frontier_at_the_end_of_numbers_refuses),
        cmocka_unit_test(test_inclusion_equals_model),
        cmocka_unit_test(test_consistency_equals_model),
        cmocka_unit_test(test_consistency_from_zero_is_refused),
        cmocka_unit_test(test_extremes_of_64_bits_are_safe),
        cmocka_unit_test(test_range_is_complete_or_refused),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
