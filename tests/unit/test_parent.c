/* What a channel takes for proven of the parent's log: every field of an import, spoilt (PROTOCOL 11.8). */
#include "node/parent.h"

#include "ledger/tree.h"
#include "node/channel.h"
#include "wire/checkpoint.h"
#include "wire/note.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ORGS = 4, LEAVES = 7, AT = 4, STRANGER = ORGS };
enum { A1 = 1, B1 = 2, F1 = 4, D1 = 8, ALL = 15 }; /* who signs */

static const char *const names[ORGS] = {"acme", "globex", "fin-reg", "data-reg"};
static const char *const ids[ORGS] = {"a1", "b1", "f1", "d1"};

struct world {
    struct genesis g;
    struct genesis_org orgs[ORGS];
    struct genesis_node nodes[ORGS];
    struct genesis_channel channels[2];
    struct slice seats[ORGS];
    struct sign_secret *secret[ORGS + 1]; /* the last one's is nobody's */
    struct sign_public pub[ORGS + 1];
    struct digest leaves[LEAVES];
    struct tree_path path;
    struct slice hashes[TREE_CONSISTENCY_MAX];
    struct checkpoint cp;
    struct buf note;
    struct import im;
};

static enum err_code leaf_hashes(void *ctx, unsigned level, uint64_t first, uint64_t count, struct digest *out,
                                 struct err *e) {
    const struct world *w = ctx;
    (void)e;
    assert_int_equal(level, 0);
    memcpy(out, &w->leaves[first], (size_t)count * sizeof *out);
    return ERR_OK;
}

/* The note over the world's checkpoint, signed by those of the mask. */
static void sign_as(struct world *w, const char *origin, unsigned who, unsigned key_of) {
    struct buf text;
    buf_init(&text, CHECKPOINT_TEXT_MAX);
    buf_clear(&w->note);
    checkpoint_text(slice_str(origin), &w->cp, &text);
    note_begin(buf_slice(&text), &w->note);
    for (unsigned i = 0; i < ORGS; i++) {
        unsigned key = key_of == STRANGER ? STRANGER : i;
        struct note_key k;
        if (!(who >> i & 1))
            continue;
        assert_int_equal(note_key_make(slice_str(ids[i]), NOTE_ED25519, &w->pub[key], &k, NULL), ERR_OK);
        note_sign(&k, w->secret[key], buf_slice(&text), 0, &w->note);
    }
    buf_release(&text);
    w->im.note = buf_slice(&w->note);
}

static void found(struct world *w) {
    for (unsigned i = 0; i < ORGS; i++) {
        w->orgs[i] =
            (struct genesis_org){.id = slice_str(names[i]), .role = i < 2 ? GENESIS_ENTERPRISE : GENESIS_REGULATOR};
        w->nodes[i] = (struct genesis_node){.id = slice_str(ids[i]), .org = slice_str(names[i])};
        memcpy(w->nodes[i].consensus, w->pub[i].b, SIGN_PUBLIC_SIZE);
        w->seats[i] = slice_str(ids[i]);
    }
    w->channels[0] = (struct genesis_channel){.name = slice_str("acme"), .org = w->orgs[0].id, .k = 2};
    w->channels[1] = (struct genesis_channel){.name = slice_str("top"), .parent = true, .k = 2};
    w->channels[0].validators = w->channels[1].validators = (struct schema_list){w->seats, ORGS};
    w->g.body.network = slice_str("demo");
    w->g.body.orgs = (struct schema_list){w->orgs, ORGS};
    w->g.body.nodes = (struct schema_list){w->nodes, ORGS};
    w->g.body.channels = (struct schema_list){w->channels, 2};
}

static int up(void **state) {
    static const uint8_t entry[] = {0x92, ENTRY_STANDARD, 0x80};
    struct world *w = calloc(1, sizeof *w);
    struct tree_reader reader = {.ctx = w, .hashes = leaf_hashes};
    struct err e = {0};
    assert_int_equal(sign_start(&e), ERR_OK);
    for (unsigned i = 0; i <= ORGS; i++)
        assert_int_equal(sign_generate(&w->secret[i], &w->pub[i], &e), ERR_OK);
    found(w);
    for (unsigned i = 0; i < LEAVES; i++)
        memset(w->leaves[i].b, (int)i + 1, DIGEST_SIZE);
    w->im = (struct import){.entry = slice_of(entry, sizeof entry), .index = AT};
    w->leaves[AT] = tree_leaf(w->im.entry);
    assert_int_equal(tree_inclusion(&reader, AT, LEAVES, &w->path, &e), ERR_OK);
    for (unsigned i = 0; i < w->path.count; i++)
        w->hashes[i] = digest_slice(&w->path.hash[i]);
    w->im.path = (struct schema_list){w->hashes, w->path.count};
    w->cp = (struct checkpoint){.tree_size = LEAVES, .epoch = 1, .view = 9};
    w->cp.tree_root = tree_root_of(w->leaves, LEAVES);
    buf_init(&w->note, NOTE_MAX);
    sign_as(w, "assay/demo/top", ALL, 0);
    *state = w;
    return 0;
}

static int down(void **state) {
    struct world *w = *state;
    for (unsigned i = 0; i <= ORGS; i++)
        sign_secret_free(w->secret[i]);
    buf_release(&w->note);
    free(w);
    return 0;
}

static void expect(const struct world *w, enum err_code code) {
    struct err e = {0};
    enum err_code rc = parent_verify_import(&w->g, &w->im, &e);
    if (rc != code)
        fail_msg("expected %s, got %s: %s", err_name(code), err_name(rc), e.text);
}

static void test_import_of_the_parents_entry_is_proven(void **state) {
    struct world *w = *state;
    expect(w, ERR_OK);
    sign_as(w, "assay/demo/top", A1 | F1 | D1, 0);
    expect(w, ERR_OK);
}

static void test_import_needs_a_quorum_with_regulators(void **state) {
    struct world *w = *state;
    sign_as(w, "assay/demo/top", F1 | D1, 0);
    expect(w, ERR_PROOF);
    sign_as(w, "assay/demo/top", A1 | B1 | F1, 0); /* a quorum, but one regulator */
    expect(w, ERR_PROOF);
    sign_as(w, "assay/demo/top", ALL, STRANGER); /* the members' names, another network's keys */
    expect(w, ERR_PROOF);
    sign_as(w, "assay/demo/top", ALL, 0);
    w->note.ptr[slice_str("assay/demo/top\n").len] = '8'; /* the size, after it was signed */
    expect(w, ERR_BAD_SIGNATURE);
}

static void test_import_of_another_log_refused(void **state) {
    struct world *w = *state;
    sign_as(w, "assay/other/top", ALL, 0);
    expect(w, ERR_WRONG_NETWORK);
    sign_as(w, "assay/demo/acme", ALL, 0); /* the same validators, another channel of theirs */
    expect(w, ERR_WRONG_NETWORK);
    w->cp.epoch = 2;
    sign_as(w, "assay/demo/top", ALL, 0);
    expect(w, ERR_NOT_ALLOWED);
}

static void test_import_is_bound_to_its_place(void **state) {
    struct world *w = *state;
    uint8_t other[] = {0x92, ENTRY_STANDARD, 0x81};
    struct import good = w->im;
    for (uint64_t i = 0; i <= LEAVES; i++) {
        w->im.index = i;
        expect(w, i == AT ? ERR_OK : ERR_PROOF);
    }
    w->im = good;
    w->im.entry = slice_of(other, sizeof other);
    expect(w, ERR_PROOF);
    w->im = good;
    w->im.path.count--;
    expect(w, ERR_PROOF);
    w->im.path.count += 2;
    w->hashes[w->path.count] = w->hashes[0];
    expect(w, ERR_PROOF);
    w->im = good;
    w->path.hash[1].b[31] ^= 1;
    expect(w, ERR_PROOF);
    w->path.hash[1].b[31] ^= 1;
    w->hashes[1].len--;
    expect(w, ERR_MALFORMED);
    w->hashes[1].len++;
    expect(w, ERR_OK);
    w->cp.tree_root.b[0] ^= 1; /* a root that a quorum signed, but not of this tree */
    sign_as(w, "assay/demo/top", ALL, 0);
    expect(w, ERR_PROOF);
}

#define T(name) cmocka_unit_test_setup_teardown(name, up, down)
int main(void) {
    const struct CMUnitTest tests[] = {
        T(test_import_of_the_parents_entry_is_proven),
        T(test_import_needs_a_quorum_with_regulators),
        T(test_import_of_another_log_refused),
        T(test_import_is_bound_to_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
