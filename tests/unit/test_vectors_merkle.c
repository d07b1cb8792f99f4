/* tests/unit/test_vectors_merkle.c -- the public RFC 6962 proofs (transparency-dev/merkle testdata).
 * A hash that is not of 32 bytes can't even be handed to the verifier: it counts as refused, except for the roots of
 * consistency proofs (some vectors use a word for a root), which are padded with zeros. */
#include "ledger/tree.h"
#include "tests/support/vectors.h"
#include "wire/base64.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <cmocka.h>

static unsigned checked;

static bool read_hash(const char *text, bool pad, struct digest *out) {
    size_t len;
    memset(out, 0, sizeof *out);
    return base64_read(slice_str(text), out->b, sizeof out->b, &len) && (pad || len == DIGEST_SIZE);
}

static bool read_proof(yajl_val v, struct tree_path *out) {
    size_t i, n = vectors_count(v);
    out->count = 0;
    for (i = 0; i < n; i++) {
        yajl_val item = vectors_item(v, i);
        if (i == TREE_CONSISTENCY_MAX || !YAJL_IS_STRING(item) ||
            !read_hash(YAJL_GET_STRING(item), false, &out->hash[out->count++]))
            return false;
    }
    return true;
}

static bool accepts_inclusion(yajl_val v) {
    struct digest root, leaf;
    struct tree_path p;
    return read_hash(vectors_text(v, "root"), false, &root) && read_hash(vectors_text(v, "leafHash"), false, &leaf) &&
           read_proof(vectors_get(v, "proof"), &p) &&
           tree_verify_inclusion(&leaf, vectors_u64(v, "leafIdx"), vectors_u64(v, "treeSize"), p.hash, p.count, &root,
                                 NULL) == ERR_OK;
}

static bool accepts_consistency(yajl_val v) {
    struct digest one, two;
    struct tree_path p;
    return read_hash(vectors_text(v, "root1"), true, &one) && read_hash(vectors_text(v, "root2"), true, &two) &&
           read_proof(vectors_get(v, "proof"), &p) &&
           tree_verify_consistency(vectors_u64(v, "size1"), &one, vectors_u64(v, "size2"), &two, p.hash, p.count,
                                   NULL) == ERR_OK;
}

static void check_folder(const char *folder, bool (*accepts)(yajl_val)) {
    DIR *d = opendir(folder);
    struct dirent *f;
    assert_non_null(d);
    while ((f = readdir(d)) != NULL) {
        char path[4096];
        struct stat st;
        if (f->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, f->d_name);
        assert_int_equal(stat(path, &st), 0);
        if (S_ISDIR(st.st_mode)) {
            check_folder(path, accepts);
        } else {
            yajl_val v = vectors_json(path);
            assert_non_null(v);
            if (accepts(v) == vectors_bool(v, "wantErr"))
                fail_msg("%s: %s", path, accepts(v) ? "accepted" : "refused");
            checked++;
            yajl_tree_free(v);
        }
    }
    closedir(d);
}

static void test_public_proofs_agree(void **state) {
    const char *root = vectors_path("conformance/merkle/testdata");
    char folder[4096];
    (void)state;
    if (!root)
        skip();
    snprintf(folder, sizeof folder, "%s/inclusion", root);
    check_folder(folder, accepts_inclusion);
    snprintf(folder, sizeof folder, "%s/consistency", root);
    check_folder(folder, accepts_consistency);
    printf("%u proofs agree\n", checked);
    assert_true(checked >= 196);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_public_proofs_agree)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
