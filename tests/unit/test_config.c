/* tests/unit/test_config.c -- node.yaml: defaults, mistakes with their line, addresses. */
#include "node/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_full_configuration_is_read(void **state) {
    static const char text[] = "id: acme-hq\nrole: enterprise\nlisten: 127.0.0.1:7000\n"
                               "http:\n  listen: 127.0.0.1:8000\n  keys:\n    - {name: 王, role: reader, hash: " HASH
                               "}\ningest:\n  sources:\n    - {file: /var/log/dpkg.log}\n";
    struct config c;
    struct err e = {0};
    (void)state;
    if (config_parse(&c, slice_str(text), "node.yaml", "/home/x", &e) != ERR_OK)
        fail_msg("%s", e.text);
    assert_int_equal(c.body.role, CONFIG_ENTERPRISE);
    assert_int_equal(c.body.http.body_max, 8 << 20);
    assert_int_equal(c.body.http.keys.count, 1);
    assert_int_equal(((struct config_http_key *)c.body.http.keys.items)[0].hash[1], 0x23);
    assert_true(c.body.ingest.len > 0);
    assert_int_equal(yaml_line_of(&c.doc, "ingest.sources[0].file"), 10);
    assert_string_equal(c.home, "/home/x");
    config_release(&c);
}

static void refuse(const char *text, const char *words) {
    struct config c;
    struct err e = {0};
    assert_int_equal(config_parse(&c, slice_str(text), "node.yaml", ".", &e), ERR_CONFIG);
    assert_string_equal(e.text, words);
    config_release(&c);
}

static void test_mistakes_are_told_with_their_line(void **state) {
    (void)state;
    refuse("id: a\nrole: boss\n", "node.yaml:2: role: must be one of: enterprise, regulator, observer; not \"boss\"");
    refuse("id: A\nrole: observer\n", "node.yaml:1: id: \"A\" is no name: lower-case letters, digits and -");
    refuse("id: a\nrole: observer\nlisten: here\n",
           "node.yaml:3: listen: \"here\" is no address: host:port or [v6]:port");
    refuse("id: a\nrole: observer\nhttp:\n  listen: 0.0.0.0:80\n",
           "node.yaml:4: http.listen: without \"tls\" only a loopback address is allowed, not 0.0.0.0:80");
    refuse("id: a\nrole: observer\nhttp: {listen: 'localhost:80',\n keys: [{name: a, role: reader, hash: " HASH
           "},\n {name: b, role: reader, hash: " HASH "}]}\n",
           "node.yaml:5: http.keys[1].hash: the same key as \"a\"'s");
    refuse("id: a\nrole: observer\nlistn: x\n", "node.yaml:3: unknown key \"listn\" (did you mean \"listen\"?)");
}

static void test_addresses_come_apart(void **state) {
    char host[256];
    uint16_t port;
    (void)state;
    assert_true(config_address(slice_str("[::1]:65535"), host, &port));
    assert_string_equal(host, "::1");
    assert_int_equal(port, 65535);
    assert_true(config_address(slice_str("node.example.org:1"), host, &port));
    assert_false(config_address(slice_str("node:0"), host, &port));
    assert_false(config_address(slice_str("node:65536"), host, &port));
    assert_false(config_address(slice_str(":80"), host, &port));
    assert_false(config_address(slice_str("[::1"), host, &port));
    assert_false(config_address(slice_str("a b:1"), host, &port));
    assert_false(config_address(slice_str(""), host, &port));
    assert_true(config_loopback(slice_str("127.9.9.9:1")));
    assert_false(config_loopback(slice_str("127.example.org:1")));
    assert_false(config_loopback(slice_str("10.0.0.1:1")));
}

static void test_missing_home_is_not_found(void **state) {
    struct config c;
    struct err e = {0};
    (void)state;
    assert_int_equal(config_read(&c, "/nowhere", &e), ERR_NOT_FOUND);
    config_release(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_configuration_is_read),
        cmocka_unit_test(test_mistakes_are_told_with_their_line),
        cmocka_unit_test(test_addresses_come_apart),
        cmocka_unit_test(test_missing_home_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
