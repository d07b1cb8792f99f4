/* tests/unit/test_bundle.c -- bundles: what holds, what lacks, what was tampered with; every byte flipped once. */
#include "tests/support/bundles.h"
#include "ledger/entry.h"
#include "wire/mem.h"
#include "wire/pack.h"
#include "wire/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static struct bundles make;
static struct bundle_report report;

static int setup(void **state) {
    (void)state;
    bundles_make(&make);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    bundles_release(&make);
    return 0;
}

/* Written, read back and verified. */
static enum err_code through(const struct bundle *b) {
    struct buf bytes;
    struct arena a;
    struct bundle back;
    struct err e = {0};
    enum err_code rc;
    buf_init(&bytes, BUNDLE_MAX);
    arena_init(&a, BUNDLE_MAX);
    assert_int_equal(bundle_write(b, &bytes, &e), ERR_OK);
    assert_int_equal(bundle_read(buf_slice(&bytes), &a, &back, &e), ERR_OK);
    rc = bundle_verify(&back, &make.net, &report, &e);
    assert_int_equal(rc == ERR_OK, report.holds);
    arena_release(&a);
    buf_release(&bytes);
    return rc;
}

static const struct bundle_claim *claim_of(enum bundle_what what) {
    unsigned i;
    for (i = 0; i < report.count; i++)
        if (report.claims[i].what == what)
            return &report.claims[i];
    fail_msg("no claim about %s", bundle_what_text(what));
    return NULL;
}

static void assert_state(enum bundle_what what, enum bundle_state state) {
    const struct bundle_claim *c = claim_of(what);
    if (c && c->state != state)
        fail_msg("%s: %s: %s (%s)", bundle_what_text(what), bundle_state_text(c->state), c->claim, c->why);
}

static void test_whole_bundle_is_proven(void **state) {
    unsigned i;
    (void)state;
    assert_int_equal(through(&make.bundle), ERR_OK);
    assert_int_equal(report.count, 11);
    for (i = 0; i < report.count; i++) {
        const struct bundle_claim *c = &report.claims[i];
        assert_int_equal(c->state, c->what == BUNDLE_TRUTH ? BUNDLE_NOT_PROVEN : BUNDLE_PROVEN);
        assert_true(c->claim[0] && c->why[0] && utf8_valid(slice_str(c->claim)));
    }
    assert_non_null(strstr(claim_of(BUNDLE_CONTENT)->claim, "王芳"));
    assert_non_null(strstr(claim_of(BUNDLE_AUTHOR)->claim, "acme-head of acme"));
    assert_non_null(
        strstr(claim_of(BUNDLE_TIME)->claim, "before block 33 of the channel, made at 2023-11-14 22:13:21"));
}

static void test_what_is_not_carried_is_not_proven(void **state) {
    struct bundle b = make.bundle;
    (void)state;
    b.anchor = NULL;
    b.batch = NULL;
    b.block = NULL;
    b.range = NULL;
    b.raw = NULL;
    b.standards.count = 0;
    assert_int_equal(through(&b), ERR_OK);
    assert_state(BUNDLE_FINAL, BUNDLE_PROVEN);
    assert_state(BUNDLE_INCLUDED, BUNDLE_PROVEN);
    assert_state(BUNDLE_CONTENT, BUNDLE_PROVEN);
    assert_state(BUNDLE_TIME, BUNDLE_NOT_PROVEN);
    assert_state(BUNDLE_AUTHOR, BUNDLE_NOT_PROVEN);
    assert_state(BUNDLE_LOG, BUNDLE_NOT_PROVEN);
    assert_state(BUNDLE_STANDARD, BUNDLE_NOT_PROVEN);
    assert_state(BUNDLE_ANCHORED, BUNDLE_NOT_PROVEN);
    assert_state(BUNDLE_COMPLETE, BUNDLE_NOT_PROVEN);
}

/* Any one byte changed, in any way: refused, or at least it does not hold. The note carries exactly the quorum. */
static void test_every_flipped_byte_is_noticed(void **state) {
    struct buf bytes;
    struct arena a;
    size_t i, holds = 0;
    (void)state;
    buf_init(&bytes, BUNDLE_MAX);
    arena_init(&a, BUNDLE_MAX);
    assert_int_equal(bundle_write(&make.bundle, &bytes, NULL), ERR_OK);
    for (i = 0; i < bytes.len; i++) {
        uint8_t old = bytes.ptr[i], bit = (uint8_t)(1u << (i % 8));
        struct bundle back;
        bytes.ptr[i] ^= bit;
        if (bundle_read(buf_slice(&bytes), &a, &back, NULL) == ERR_OK &&
            bundle_verify(&back, &make.net, &report, NULL) == ERR_OK) {
            printf("holds with byte %zu of %zu changed\n", i, bytes.len);
            holds++;
        }
        arena_clear(&a);
        bytes.ptr[i] = old;
    }
    assert_int_equal(holds, 0);
    for (i = 0; i < bytes.len; i += 13) { /* cut off anywhere */
        struct bundle back;
        assert_int_not_equal(bundle_read(slice_of(bytes.ptr, i), &a, &back, NULL), ERR_OK);
        arena_clear(&a);
    }
    arena_release(&a);
    buf_release(&bytes);
}

static void test_too_few_signatures_fail(void **state) {
    struct bundle b = make.bundle;
    struct slice text;
    const uint8_t *blank;
    (void)state;
    blank = memmem(b.checkpoint.ptr, b.checkpoint.len, "\n\n", 2);
    text = slice_of(b.checkpoint.ptr, (size_t)(blank - b.checkpoint.ptr) + 1);
    b.checkpoint = bundles_note(&make, text, 2, 4); /* both regulators, but two are no quorum */
    assert_int_equal(through(&b), ERR_PROOF);
    assert_state(BUNDLE_FINAL, BUNDLE_FAILS);
    assert_state(BUNDLE_INCLUDED, BUNDLE_NOT_PROVEN);
    assert_state(BUNDLE_LOG, BUNDLE_NOT_PROVEN);
    b.checkpoint = bundles_note(&make, text, 0, 3); /* three, but one regulator: k is 2 */
    assert_int_equal(through(&b), ERR_PROOF);
    assert_state(BUNDLE_FINAL, BUNDLE_FAILS);
    b.checkpoint = bundles_note(&make, text, 0, 4);
    assert_int_equal(through(&b), ERR_OK);
}

static void test_other_networks_channels_and_epochs_do_not_hold(void **state) {
    struct bundle b = make.bundle;
    struct bundle_channel *ch = &make.channels[0];
    (void)state;
    b.network[0] ^= 1;
    assert_int_equal(through(&b), ERR_PROOF);
    assert_state(BUNDLE_OF_NETWORK, BUNDLE_FAILS);
    b = make.bundle;
    b.channel = slice_str("globex");
    assert_int_equal(through(&b), ERR_PROOF);
    b.channel = slice_str("parent"); /* exists, same validators, other origin */
    assert_int_equal(through(&b), ERR_PROOF);
    assert_state(BUNDLE_FINAL, BUNDLE_FAILS);
    ch->epoch = 2;
    assert_int_equal(through(&make.bundle), ERR_PROOF);
    assert_state(BUNDLE_FINAL, BUNDLE_NOT_PROVEN);
    ch->epoch = 1;
    ch->quorum = 2; /* less than any quorum of four: the caller's rules are refused, not believed */
    assert_int_equal(through(&make.bundle), ERR_PROOF);
    ch->quorum = 3;
}

static void test_wrong_log_salt_or_size_fails(void **state) {
    struct bundle b = make.bundle;
    struct bundle_raw raw = make.raw;
    (void)state;
    b.raw = &raw;
    raw.salt[0] ^= 1;
    assert_int_equal(through(&b), ERR_PROOF);
    assert_state(BUNDLE_LOG, BUNDLE_FAILS);
    memset(raw.salt, 0, sizeof raw.salt);
    assert_int_equal(through(&b), ERR_PROOF);
    assert_state(BUNDLE_LOG, BUNDLE_FAILS);
    raw = make.raw;
    raw.bytes.len--;
    assert_int_equal(through(&b), ERR_PROOF);
    assert_state(BUNDLE_LOG, BUNDLE_FAILS);
}

static void test_foreign_parts_fail(void **state) {
    struct bundle b = make.bundle;
    struct bundle_batch batch = make.batch;
    struct bundle_anchor anchor = make.anchor;
    struct bundle_entry std = make.standard;
    struct bundle_range range = make.range;
    struct slice entries[BUNDLES_ENTRIES];
    (void)state;
    b.batch = &batch;
    batch.index++;
    assert_int_equal(through(&b), ERR_PROOF);
    assert_state(BUNDLE_AUTHOR, BUNDLE_FAILS);
    batch = make.batch;
    batch.seq++;
    assert_int_equal(through(&b), ERR_PROOF);
    assert_state(BUNDLE_AUTHOR, BUNDLE_FAILS);
    b = make.bundle;
    make.submitter.key.b[0] ^= 1; /* a key that genesis does not name */
    assert_int_equal(through(&b), ERR_OK);
    assert_state(BUNDLE_AUTHOR, BUNDLE_NOT_PROVEN);
    make.submitter.key.b[0] ^= 1;
    b.anchor = &anchor;
    anchor.consistency = slice_none();
    assert_int_equal(through(&b), ERR_PROOF);
    assert_state(BUNDLE_ANCHORED, BUNDLE_FAILS);
    anchor = make.anchor;
    anchor.nonce[31] ^= 1;
    assert_int_equal(through(&b), ERR_PROOF);
    b = make.bundle;
    b.standards.items = &std;
    std.index = 3;
    assert_int_equal(through(&b), ERR_PROOF);
    assert_state(BUNDLE_STANDARD, BUNDLE_FAILS);
    std.entry = b.entry; /* not a standard at all */
    assert_int_equal(through(&b), ERR_PROOF);
    b = make.bundle;
    b.range = &range; /* an entry left out in the middle of the range */
    memcpy(entries, make.range_entries + 5, sizeof entries[0] * 2);
    memcpy(entries + 2, make.range_entries + 8, sizeof entries[0] * 4);
    range.entries.items = entries;
    range.entries.count = 6;
    assert_int_equal(through(&b), ERR_PROOF);
    assert_state(BUNDLE_COMPLETE, BUNDLE_FAILS);
}

static void test_forked_history_fails(void **state) {
    struct bundle b = make.bundle;
    struct bundle_anchor anchor = make.anchor;
    struct digest other = digest_of(slice_str("another history")), pid = {{1}};
    (void)state;
    /* the anchored root is another one, opening and parent being right: only the history check can tell */
    b.anchor = &anchor;
    anchor.text = bundles_text(&make, make.channels[0].origin, 1, 256, &other, &pid);
    {
        struct buf *entry = bundles_part(&make);
        struct digest commitment = bundle_anchor_commitment(anchor.nonce, anchor.text), root;
        pack_array(entry, 2);
        pack_u64(entry, ENTRY_ANCHOR);
        pack_map(entry, 1);
        pack_cstr(entry, "commitment"), pack_bin(entry, digest_slice(&commitment));
        root = tree_leaf(buf_slice(entry));
        anchor.entry = buf_slice(entry);
        anchor.index = 0;
        anchor.path = slice_none();
        anchor.checkpoint = bundles_note(&make, bundles_text(&make, make.channels[1].origin, 1, 1, &root, &pid), 1, 4);
    }
    assert_int_equal(through(&b), ERR_PROOF);
    assert_state(BUNDLE_ANCHORED, BUNDLE_FAILS);
    assert_non_null(strstr(claim_of(BUNDLE_ANCHORED)->why, "root"));
}

static void test_words_of_others_are_made_safe(void **state) {
    struct bundle b = make.bundle;
    unsigned i;
    (void)state;
    b.channel = slice_str("a\x1b[2J\n\xE2\x80\xAE\xC2\x9B");
    assert_int_equal(bundle_verify(&b, &make.net, &report, NULL), ERR_PROOF);
    for (i = 0; i < report.count; i++) {
        assert_null(strpbrk(report.claims[i].claim, "\x1b\n"));
        assert_null(strstr(report.claims[i].claim, "\xE2\x80\xAE"));
        assert_true(utf8_valid(slice_str(report.claims[i].claim)));
    }
}

static void test_malformed_files_are_refused(void **state) {
    static const uint8_t huge[] = {0xDD, 0x10, 0, 0, 0}, map[] = {0xDF, 0xFF, 0xFF, 0xFF, 0xFF};
    struct arena a;
    struct bundle b;
    (void)state;
    arena_init(&a, BUNDLE_MAX);
    assert_int_equal(bundle_read(slice_of(huge, sizeof huge), &a, &b, NULL), ERR_MALFORMED);
    assert_int_equal(bundle_read(slice_of(map, sizeof map), &a, &b, NULL), ERR_MALFORMED);
    assert_int_equal(bundle_read(slice_none(), &a, &b, NULL), ERR_MALFORMED);
    arena_release(&a);
}

static uint32_t next_random(uint32_t *seed) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

/* Several edits at once: overwritten, cut out, repeated. What is still readable must not hold. */
static void test_random_edits_never_hold(void **state) {
    uint32_t seed = 20261122;
    struct buf good, bad;
    struct arena a;
    unsigned round, readable = 0;
    (void)state;
    buf_init(&good, BUNDLE_MAX), buf_init(&bad, BUNDLE_MAX);
    arena_init(&a, BUNDLE_MAX);
    assert_int_equal(bundle_write(&make.bundle, &good, NULL), ERR_OK);
    for (round = 0; round < 3000; round++) {
        unsigned edits = 1 + next_random(&seed) % 3;
        struct bundle back;
        buf_clear(&bad);
        buf_append(&bad, buf_slice(&good));
        while (edits-- > 0) {
            size_t at = next_random(&seed) % bad.len, len = 1 + next_random(&seed) % 40, i;
            len = len < bad.len - at ? len : bad.len - at;
            switch (next_random(&seed) % 3) {
            case 0:
                for (i = 0; i < len; i++)
                    bad.ptr[at + i] = (uint8_t)next_random(&seed);
                break;
            case 1:
                memmove(bad.ptr + at, bad.ptr + at + len, bad.len - at - len);
                bad.len -= len;
                break;
            default:
                memmove(bad.ptr + at, bad.ptr + next_random(&seed) % (bad.len - len + 1), len);
                break;
            }
        }
        if (slice_eq(buf_slice(&bad), buf_slice(&good)) || bundle_read(buf_slice(&bad), &a, &back, NULL) != ERR_OK) {
            arena_clear(&a);
            continue;
        }
        readable++;
        if (bundle_verify(&back, &make.net, &report, NULL) == ERR_OK)
            fail_msg("round %u holds", round);
        arena_clear(&a);
    }
    assert_true(readable > 100);
    arena_release(&a);
    buf_release(&good), buf_release(&bad);
}

static void test_no_memory_never_proves_more(void **state) {
    unsigned long n;
    (void)state;
    for (n = 1; n < 12; n++) {
        enum err_code rc;
        mem_fail_at(n);
        rc = bundle_verify(&make.bundle, &make.net, &report, NULL);
        mem_fail_at(0);
        assert_int_equal(rc == ERR_OK, report.holds);
    }
    assert_int_equal(through(&make.bundle), ERR_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_bundle_is_proven),
        cmocka_unit_test(test_what_is_not_carried_is_not_proven),
        cmocka_unit_test(test_every_flipped_byte_is_noticed),
        cmocka_unit_test(test_too_few_signatures_fail),
        cmocka_unit_test(test_other_networks_channels_and_epochs_do_not_hold),
        cmocka_unit_test(test_wrong_log_salt_or_size_fails),
        cmocka_unit_test(test_foreign_parts_fail),
        cmocka_unit_test(test_forked_history_fails),
        cmocka_unit_test(test_words_of_others_are_made_safe),
        cmocka_unit_test(test_malformed_files_are_refused),
        cmocka_unit_test(test_random_edits_never_hold),
        cmocka_unit_test(test_no_memory_never_proves_more),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
