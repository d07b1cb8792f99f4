/* tests/unit/test_verify_by_hand.c -- makes a bundle and lets the lines of docs/FORMATS.md verify it, in a language and
 * with tools that share no code with us. */
#include "tests/support/bundles.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static void write_file(const char *path, struct slice bytes) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes.ptr, 1, bytes.len, f), bytes.len);
    assert_int_equal(fclose(f), 0);
}

static void test_documented_lines_verify_a_bundle(void **state) {
    static const char script[] = "tests/integration/verify_by_hand.sh";
    static struct bundles b;
    char folder[] = "/tmp/assay-by-hand-XXXXXX", bundle[64], policy[64], command[256];
    struct buf bytes;
    int status;
    (void)state;
    if (access(script, R_OK) != 0) {
        printf("skipped: not run from the project's root\n");
        skip();
    }
    assert_non_null(mkdtemp(folder));
    snprintf(bundle, sizeof bundle, "%s/one%s", folder, BUNDLE_EXTENSION);
    snprintf(policy, sizeof policy, "%s/policy", folder);
    bundles_make(&b);
    buf_init(&bytes, BUNDLE_MAX);
    assert_int_equal(bundle_write(&b.bundle, &bytes, NULL), ERR_OK);
    write_file(bundle, buf_slice(&bytes));
    buf_clear(&bytes);
    bundle_policy_write(&b.net, &b.channels[0], &bytes);
    write_file(policy, buf_slice(&bytes));
    snprintf(command, sizeof command, "sh %s %s %s", script, bundle, policy);
    fflush(stdout);
    status = system(command);
    unlink(bundle);
    unlink(policy);
    rmdir(folder);
    buf_release(&bytes);
    bundles_release(&b);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_documented_lines_verify_a_bundle)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
