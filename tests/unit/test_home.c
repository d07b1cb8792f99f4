/* Tests of ledger/home.c: docs/PROTOCOL.md 10. */
#include "ledger/home.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static void test_a_home_is_locked_bound_and_private(void **state) {
    char dir[] = "/tmp/assay-test-XXXXXX", path[128], file[256];
    struct digest net = digest_of(slice_str("a")), other = digest_of(slice_str("b"));
    struct home *h, *again;
    struct stat st;
    struct err e = {.text = ""};
    FILE *version;
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/deep//er/家", dir);
    if (home_open(path, NULL, &h, &e) != ERR_OK)
        fail_msg("%s", e.text);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(home_open(path, NULL, &again, &e), ERR_LOCKED);
    snprintf(file, sizeof file, "process %ld", (long)getpid());
    assert_non_null(strstr(e.text, file));
    assert_int_equal(home_bind(h, &net, &e), ERR_OK);
    assert_int_equal(home_bind(h, &net, &e), ERR_OK);
    assert_int_equal(home_bind(h, &other, &e), ERR_WRONG_NETWORK);
    home_close(h);
    assert_int_equal(home_open(path, &other, &again, &e), ERR_WRONG_NETWORK);
    assert_int_equal(home_open(path, &net, &h, &e), ERR_OK);
    home_close(h);
    snprintf(file, sizeof file, "%s/version", path);
    version = fopen(file, "w");
    fputs("assay-home 99\n", version);
    fclose(version);
    assert_int_equal(home_open(path, &net, &h, &e), ERR_UNSUPPORTED);
    unlink(file);
    snprintf(file, sizeof file, "%s/network", path);
    unlink(file);
    snprintf(file, sizeof file, "%s/lock", path);
    unlink(file);
    rmdir(path);
    snprintf(file, sizeof file, "%s/deep/er", dir);
    rmdir(file);
    snprintf(file, sizeof file, "%s/deep", dir);
    rmdir(file);
    rmdir(dir);
}

static void test_open_files_can_be_raised(void **state) {
    unsigned long got = 0;
    struct err e;
    (void)state;
    assert_int_equal(home_raise_files(512, &got, &e), ERR_OK);
    assert_true(got >= 512);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_home_is_locked_bound_and_private),
        cmocka_unit_test(test_open_files_can_be_raised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
