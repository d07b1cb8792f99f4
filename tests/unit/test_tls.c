/* tests/unit/test_tls.c -- certificates: what is made is what is read, and what must not pass does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/links.h"
#include "wire/tls.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_ca_info_reads_back(void **state) {
    struct links_ca ca;
    struct tls_info info;
    struct err e;
    int64_t now = links_now();
    (void)state;
    links_ca_make(&ca, "acme");
    assert_int_equal(tls_cert_info(slice_str(ca.pem), &info, &e), ERR_OK);
    assert_string_equal(info.subject, "acme");
    assert_string_equal(info.issuer, "acme");
    assert_true(info.is_ca);
    assert_true(info.not_before <= now - TLS_BACKDATE_MS && info.not_before > now - TLS_BACKDATE_MS - 10000);
    assert_true(info.not_after > now + INT64_C(9) * 365 * 86400000);
    assert_false(digest_is_zero(&info.fingerprint));
    links_ca_free(&ca);
}

static void test_node_certificate_checks_only_for_its_ca_name_and_time(void **state) {
    struct links_ca ca, other;
    struct links_node n;
    struct tls_info info;
    struct err e;
    int64_t now = links_now();
    (void)state;
    links_ca_make(&ca, "acme");
    links_ca_make(&other, "acme"); /* same name, other key */
    links_node_make(&n, "acme-1", "acme-1", &ca, 1);
    assert_int_equal(tls_cert_info(slice_str(n.cert), &info, &e), ERR_OK);
    assert_string_equal(info.subject, "acme-1");
    assert_string_equal(info.issuer, "acme");
    assert_false(info.is_ca);
    assert_int_equal(tls_cert_check(slice_str(n.cert), slice_str(ca.pem), "acme-1", now, &e), ERR_OK);
    assert_int_equal(tls_cert_check(slice_str(n.cert), slice_str(ca.pem), "acme-2", now, &e), ERR_MISMATCH);
    assert_int_equal(tls_cert_check(slice_str(n.cert), slice_str(other.pem), "acme-1", now, &e), ERR_BAD_SIGNATURE);
    assert_int_equal(tls_cert_check(slice_str(n.cert), slice_str(ca.pem), "acme-1", info.not_after + 1000, &e),
                     ERR_BAD_TIME);
    assert_int_equal(tls_cert_check(slice_str(n.cert), slice_str(ca.pem), "acme-1", info.not_before - 1000, &e),
                     ERR_BAD_TIME);
    links_node_free(&n);
    links_ca_free(&ca);
    links_ca_free(&other);
}

static void test_certificate_from_a_foreign_ca_key_is_refused(void **state) {
    struct links_ca ca, other;
    struct buf out, pub;
    struct err e;
    (void)state;
    buf_init(&out, TLS_PEM_MAX);
    buf_init(&pub, TLS_PEM_MAX);
    links_ca_make(&ca, "acme");
    links_ca_make(&other, "globex");
    assert_int_equal(tls_key_public_pem(other.key, &pub, &e), ERR_OK);
    assert_int_equal(tls_cert_make(slice_str(ca.pem), other.key, buf_slice(&pub), "x", 10, links_now(), &out, &e),
                     ERR_MISMATCH);
    assert_int_equal(tls_cert_make(slice_str(ca.pem), ca.key, buf_slice(&pub), "Not An Id", 10, links_now(), &out, &e),
                     ERR_USAGE);
    assert_int_equal(tls_cert_make(slice_str(ca.pem), ca.key, slice_str("junk"), "x", 10, links_now(), &out, &e),
                     ERR_MALFORMED);
    assert_int_equal(out.len, 0);
    buf_release(&out);
    buf_release(&pub);
    links_ca_free(&ca);
    links_ca_free(&other);
}

static void test_key_file_is_private_and_never_overwritten(void **state) {
    char path[64];
    struct tls_key *key, *back = NULL;
    struct buf a, b;
    struct stat st;
    struct err e;
    (void)state;
    snprintf(path, sizeof path, "/tmp/assay-tls-%d.pem", (int)getpid());
    buf_init(&a, TLS_PEM_MAX);
    buf_init(&b, TLS_PEM_MAX);
    assert_int_equal(tls_key_generate(&key, &e), ERR_OK);
    assert_int_equal(tls_key_save(key, path, &e), ERR_OK);
    assert_int_equal(tls_key_save(key, path, &e), ERR_CONFLICT);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(tls_key_load(path, &back, &e), ERR_OK);
    assert_int_equal(tls_key_public_pem(key, &a, &e), ERR_OK);
    assert_int_equal(tls_key_public_pem(back, &b, &e), ERR_OK);
    assert_true(slice_eq(buf_slice(&a), buf_slice(&b)));
    unlink(path);
    tls_key_free(back);
    assert_int_equal(tls_key_load(path, &back, &e), ERR_NOT_FOUND);
    assert_null(back);
    tls_key_free(key);
    tls_wipe(&a);
    tls_wipe(&b);
}

static void test_garbage_pem_is_malformed(void **state) {
    struct tls_key *key;
    struct tls_info info;
    struct err e;
    char big[TLS_PEM_MAX + 2];
    (void)state;
    memset(big, 'a', sizeof big);
    assert_int_equal(
        tls_key_from_pem(slice_str("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), &key, &e),
        ERR_MALFORMED);
    assert_int_equal(tls_key_from_pem(slice_none(), &key, &e), ERR_MALFORMED);
    assert_int_equal(tls_cert_info(slice_of(big, sizeof big), &info, &e), ERR_MALFORMED);
    assert_int_equal(tls_cert_info(slice_of(big, 100), &info, &e), ERR_MALFORMED);
}

static void test_certificate_of_another_key_does_not_match(void **state) {
    struct links_ca ca, other;
    struct err e;
    (void)state;
    links_ca_make(&ca, "acme");
    links_ca_make(&other, "globex");
    assert_int_equal(tls_cert_match(slice_str(ca.pem), ca.key, &e), ERR_OK);
    assert_int_equal(tls_cert_match(slice_str(ca.pem), other.key, &e), ERR_MISMATCH);
    links_ca_free(&ca);
    links_ca_free(&other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ca_info_reads_back),
        cmocka_unit_test(test_node_certificate_checks_only_for_its_ca_name_and_time),
        cmocka_unit_test(test_certificate_from_a_foreign_ca_key_is_refused),
        cmocka_unit_test(test_key_file_is_private_and_never_overwritten),
        cmocka_unit_test(test_garbage_pem_is_malformed),
        cmocka_unit_test(test_certificate_of_another_key_does_not_match),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
