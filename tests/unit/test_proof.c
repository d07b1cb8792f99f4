/* tests/unit/test_proof.c -- tiles by name, width and bytes; proofs as text, made from tiles alone and verified. */
#include "ledger/proof.h"
#include "ledger/tile.h"
#include "wire/base64.h"
#include "wire/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

enum { LEAVES = 70000 };

static struct digest *leaves, level8[LEAVES / 256], level16[1];
static const uint64_t size = LEAVES;

static int setup(void **state) {
    static struct digest store[LEAVES];
    size_t i;
    (void)state;
    leaves = store;
    for (i = 0; i < LEAVES; i++)
        leaves[i] = tree_leaf(slice_of(&i, sizeof i));
    for (i = 0; i < LEAVES / 256; i++)
        level8[i] = tree_root_of(leaves + i * 256, 256);
    level16[0] = tree_root_of(level8, 256);
    return sign_start(NULL) != ERR_OK;
}

static enum err_code stored(void *ctx, unsigned level, uint64_t first, uint64_t count, struct digest *out,
                            struct err *e) {
    const struct digest *from = level == 0 ? leaves : level == 8 ? level8 : level16;
    unsigned *reads = ctx;
    (void)e;
    assert_true(level <= 16 && (first + count) << level <= size);
    memcpy(out, from + first, count * sizeof *out);
    ++*reads;
    return ERR_OK;
}

static void check_name(struct tile t, const char *want) {
    struct tile back;
    struct buf b;
    buf_init(&b, 128);
    tile_path_write(&t, &b);
    assert_string_equal(buf_cstr(&b), want);
    assert_int_equal(tile_path_read(buf_slice(&b), &back, NULL), ERR_OK);
    assert_true(back.entries == t.entries && back.level == t.level && back.width == t.width && back.index == t.index);
    buf_release(&b);
}

static void test_names_of_tiles_round_trip(void **state) {
    (void)state;
    check_name((struct tile){.index = 1234067, .width = 256}, "tile/0/x001/x234/067");
    check_name((struct tile){.index = 0, .width = 256}, "tile/0/000");
    check_name((struct tile){.level = 63, .index = 999, .width = 1}, "tile/63/999.p/1");
    check_name((struct tile){.entries = true, .index = 1000, .width = 255}, "tile/entries/x001/000.p/255");
    check_name((struct tile){.index = UINT64_MAX, .width = 256}, "tile/0/x018/x446/x744/x073/x709/x551/615");
}

static void test_other_names_are_refused(void **state) {
    static const char *const bad[] = {"",
                                      "tile/0/00",
                                      "tile/0/0000",
                                      "tile/00/000",
                                      "tile/64/000",
                                      "tile/-1/000",
                                      "tile/0/000.p/0",
                                      "tile/0/000.p/256",
                                      "tile/0/000.p/01",
                                      "tile/0/000.p/",
                                      "tile/0/000.p",
                                      "tile/0/000/",
                                      "tile/0/001/000",
                                      "tile/0/x001",
                                      "tile/0/x000/001",
                                      "tile/0/x01/001",
                                      "tile/0/x001/../001",
                                      "tile/entries/000.p/7x",
                                      "tile/entry/000",
                                      "/tile/0/000",
                                      "tile/0/x018/x446/x744/x073/x709/x551/616",
                                      "tile/0/x999/x999/x999/x999/x999/x999/999"};
    struct tile t;
    size_t i;
    (void)state;
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (tile_path_read(slice_str(bad[i]), &t, NULL) != ERR_MALFORMED)
            fail_msg("accepted %s", bad[i]);
    assert_int_equal(tile_path_read(slice_of("tile/0/000\0", 11), &t, NULL), ERR_MALFORMED);
}

static void test_widths_follow_the_size(void **state) {
    (void)state;
    assert_int_equal(tile_width(0, 0, 0), 0);
    assert_int_equal(tile_width(255, 0, 0), 255);
    assert_int_equal(tile_width(256, 0, 0), 256);
    assert_int_equal(tile_width(256, 0, 1), 0);
    assert_int_equal(tile_width(257, 0, 1), 1);
    assert_int_equal(tile_width(255, 1, 0), 0);
    assert_int_equal(tile_width(70000, 0, 273), 112);
    assert_int_equal(tile_width(70000, 1, 1), 17);
    assert_int_equal(tile_width(70000, 2, 0), 1);
    assert_int_equal(tile_width(70000, 3, 0), 0);
    assert_int_equal(tile_width(UINT64_MAX, 7, 0), 255);
    assert_int_equal(tile_width(UINT64_MAX, 8, 0), 0);
    assert_int_equal(tile_width(UINT64_MAX, 63, 0), 0);
    assert_int_equal(tile_width(UINT64_MAX, 0, UINT64_MAX), 0);
}

static void test_tiles_hold_their_hashes(void **state) {
    unsigned reads = 0;
    struct tree_reader r = {&reads, stored};
    struct tile t = {.level = 1, .index = 1, .width = 17};
    struct buf b;
    (void)state;
    buf_init(&b, TILE_BYTES);
    assert_int_equal(tile_hashes(&r, &t, size, &b, NULL), ERR_OK);
    assert_int_equal(b.len, 17 * 32);
    assert_memory_equal(b.ptr, level8 + 256, b.len);
    buf_clear(&b);
    t.width = 18;
    assert_int_equal(tile_hashes(&r, &t, size, &b, NULL), ERR_NOT_FOUND);
    t = (struct tile){.index = 3, .width = 256};
    assert_int_equal(tile_hashes(&r, &t, size, &b, NULL), ERR_OK);
    assert_int_equal(b.len, TILE_BYTES);
    assert_memory_equal(b.ptr, leaves + 768, b.len);
    t.entries = true;
    assert_int_equal(tile_hashes(&r, &t, size, &b, NULL), ERR_USAGE);
    buf_release(&b);
}

static void test_entry_bundles_round_trip(void **state) {
    struct buf b;
    struct slice rest, entry;
    (void)state;
    buf_init(&b, 1 << 18);
    tile_entry_write(slice_str("one"), &b);
    tile_entry_write(slice_none(), &b);
    assert_memory_equal(b.ptr, "\0\3one\0\0", 7);
    rest = buf_slice(&b);
    assert_int_equal(tile_entry_read(&rest, &entry, NULL), ERR_OK);
    assert_true(slice_eq_str(entry, "one"));
    assert_int_equal(tile_entry_read(&rest, &entry, NULL), ERR_OK);
    assert_int_equal(entry.len, 0);
    assert_int_equal(tile_entry_read(&rest, &entry, NULL), ERR_MALFORMED);
    rest = slice_of("\0\4one", 5);
    assert_int_equal(tile_entry_read(&rest, &entry, NULL), ERR_MALFORMED);
    buf_release(&b);
}

static void test_proof_text_round_trips_and_verifies(void **state) {
    unsigned reads = 0;
    struct tree_reader r = {&reads, stored};
    struct proof p = {.has_extra = true, .extra = "x", .extra_len = 1, .index = 65537}, back;
    struct digest root = tree_root_of(leaves, LEAVES), pid = {{1}};
    struct buf text, note, out, again;
    struct sign_secret *secret;
    struct note_key key;
    struct note_signed by;
    struct sign_public pub;
    uint8_t seed[32] = {5};
    size_t i;
    (void)state;
    buf_init(&text, 1000), buf_init(&note, 4000), buf_init(&out, PROOF_MAX), buf_init(&again, PROOF_MAX);
    assert_int_equal(sign_from_seed(seed, &secret, &pub, NULL), ERR_OK);
    assert_int_equal(note_key_make(slice_str("v1"), NOTE_ED25519, &pub, &key, NULL), ERR_OK);
    buf_printf(&text, "assay/n/c\n%d\n", LEAVES);
    base64_write(digest_slice(&root), &text);
    buf_str(&text, "\nfinal 1 2 ");
    base64_write(digest_slice(&pid), &text);
    buf_str(&text, "\n");
    note_begin(buf_slice(&text), &note);
    note_sign(&key, secret, buf_slice(&text), 0, &note);
    assert_int_equal(tree_inclusion(&r, p.index, size, &p.path, NULL), ERR_OK);
    assert_true(reads <= 20);
    p.checkpoint = buf_slice(&note);
    proof_write(&p, &out);
    assert_int_equal(proof_read(buf_slice(&out), &back, NULL), ERR_OK);
    proof_write(&back, &again);
    assert_true(slice_eq(buf_slice(&out), buf_slice(&again)));
    assert_int_equal(proof_verify(&back, &leaves[p.index], slice_str("assay/n/c"), &key, 1, &by, NULL), ERR_OK);
    assert_int_equal(by.count, 1);
    assert_int_equal(proof_verify(&back, &leaves[1], slice_str("assay/n/c"), &key, 1, &by, NULL), ERR_PROOF);
    assert_int_equal(proof_verify(&back, &leaves[p.index], slice_str("assay/n/d"), &key, 1, &by, NULL),
                     ERR_WRONG_NETWORK);
    for (i = 0; i < out.len; i++) { /* only the extra data, which nothing binds, may change */
        out.ptr[i] ^= 1;
        if (proof_read(buf_slice(&out), &back, NULL) == ERR_OK &&
            proof_verify(&back, &leaves[p.index], slice_str("assay/n/c"), &key, 1, &by, NULL) == ERR_OK &&
            by.count == 1)
            assert_true(back.extra_len != 1 || back.extra[0] != 'x');
        out.ptr[i] ^= 1;
    }
    sign_secret_free(secret);
    buf_release(&text), buf_release(&note), buf_release(&out), buf_release(&again);
}

static void test_malformed_proofs_are_refused(void **state) {
    static const char *const bad[] = {
        "",
        "c2sp.org/tlog-proof@v2\nindex 0\n\nx\n",
        "c2sp.org/tlog-proof@v1\n",
        "c2sp.org/tlog-proof@v1\nindex 00\n\nx\n",
        "c2sp.org/tlog-proof@v1\nindex 18446744073709551616\n\nx\n",
        "c2sp.org/tlog-proof@v1\nindex 0\nAAAA\n\nx\n",
        "c2sp.org/tlog-proof@v1\nindex 0\n\n",
        "c2sp.org/tlog-proof@v1\nindex 0\n",
        "c2sp.org/tlog-proof@v1\nextra A\nindex 0\n\nx\n",
        "c2sp.org/tlog-proof@v1\nindex 0\nextra AAAA\n\nx\n",
    };
    struct proof p;
    size_t i;
    (void)state;
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(proof_read(slice_str(bad[i]), &p, NULL), ERR_MALFORMED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_of_tiles_round_trip),    cmocka_unit_test(test_other_names_are_refused),
        cmocka_unit_test(test_widths_follow_the_size),       cmocka_unit_test(test_tiles_hold_their_hashes),
        cmocka_unit_test(test_entry_bundles_round_trip),     cmocka_unit_test(test_proof_text_round_trips_and_verifies),
        cmocka_unit_test(test_malformed_proofs_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
