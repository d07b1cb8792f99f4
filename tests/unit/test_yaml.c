/* tests/unit/test_yaml.c -- YAML by schema: values, every kind of mistake with its line, hostile input. */
#include "wire/json.h"
#include "wire/limits.h"
#include "wire/near.h"
#include "wire/yaml.h"
#include "wire/yaml_scalar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

struct pet {
    struct schema_list names;
    uint64_t legs;
};
struct house {
    uint8_t key[4];
    struct slice cert;
    struct schema_list extra; /* DICT */
    bool open;
    uint32_t colour;
    struct pet *guard;
    struct pet main;
    struct schema_list pets;
    struct slice any, name;
    int64_t since;
};
static const char *const colours[] = {NULL, "red", "green", NULL};
static const struct schema_field pet_fields[] = {
    {.key = "legs", .type = SCHEMA_U64, .offset = offsetof(struct pet, legs), .min = 2, .max = 8},
    {.key = "names",
     .type = SCHEMA_STRS,
     SCHEMA_OPTIONAL,
     .offset = offsetof(struct pet, names),
     .max = 2,
     .item_max = 6},
};
static const struct schema pet_schema = SCHEMA_OF("pet", struct pet, pet_fields);
#define OPT   .flags = SCHEMA_OPTIONAL
#define AT(m) .offset = offsetof(struct house, m)
static const struct schema_field house_fields[] = {
    {.key = "any", .type = SCHEMA_RAW, OPT, AT(any), .max = 200},
    {.key = "cert", .type = SCHEMA_BIN, OPT, AT(cert), .max = 64},
    {.key = "colour", .type = SCHEMA_ENUM, OPT, AT(colour), .names = colours},
    {.key = "extra", .type = SCHEMA_DICT, OPT, AT(extra), .max = 3, .key_max = 5, .item_max = 5},
    {.key = "guard", .type = SCHEMA_PTR, OPT, AT(guard), .sub = &pet_schema},
    {.key = "key", .type = SCHEMA_FIXED, OPT, AT(key), .max = 4},
    {.key = "name", .type = SCHEMA_STR, AT(name), .min = 1, .max = 12},
    {.key = "open", .type = SCHEMA_BOOL, OPT, AT(open)},
    {.key = "pets", .type = SCHEMA_LIST, OPT, AT(pets), .max = 3, .sub = &pet_schema},
    {.key = "since", .type = SCHEMA_I64, OPT, AT(since)},
};
static const struct schema house_schema = SCHEMA_OF("house", struct house, house_fields);

static enum err_code load(struct yaml_doc *doc, const char *text, struct house *h, struct err *e) {
    enum err_code rc;
    yaml_init(doc);
    rc = yaml_load(doc, slice_str(text), "t.yaml", e);
    return rc == ERR_OK ? yaml_struct(doc, "", &house_schema, h, e) : rc;
}

static void expect(const char *text, enum err_code want, const char *message) {
    struct yaml_doc doc;
    struct house h;
    struct err e = {0};
    enum err_code rc = load(&doc, text, &h, &e);
    if (rc != want || (message && strcmp(e.text, message) != 0))
        fail_msg("%s\n  gave %s \"%s\"\n  want %s \"%s\"", text, err_name(rc), e.text, err_name(want),
                 message ? message : "");
    yaml_release(&doc);
}

static void test_values_fill_the_struct_and_canonical_bytes(void **state) {
    static const char text[] = "# a house\n"
                               "name: 屋 1.0\n"
                               "pets:\n"
                               "  - {legs: 4, names: [rex, 007]}\n"
                               "  - legs: 2\n"
                               "guard: {legs: 8}\n"
                               "key: 0a0B0c0d\n"
                               "cert: AQID\n"
                               "colour: green\n"
                               "open: true\n"
                               "since: 2026-01-31T08:00:00.5+08:00\n"
                               "extra: {b: 1, a: x}\n"
                               "any: {z: [1, -2, true, 1.5, \"3\", 007], a: {}}\n";
    struct yaml_doc doc;
    struct house h;
    struct err e = {0};
    struct buf b, j;
    (void)state;
    assert_int_equal(load(&doc, text, &h, &e), ERR_OK);
    assert_true(slice_eq_str(h.name, "屋 1.0"));
    assert_int_equal(h.pets.count, 2);
    assert_true(slice_eq_str(((struct slice *)((struct pet *)h.pets.items)[0].names.items)[1], "007"));
    assert_int_equal(h.guard->legs, 8);
    assert_memory_equal(h.key, "\x0a\x0b\x0c\x0d", 4);
    assert_int_equal(h.cert.len, 3);
    assert_int_equal(h.since, 1769817600500);
    buf_init(&b, 4096);
    buf_init(&j, 4096);
    schema_write(&house_schema, &h, &b);
    assert_int_equal(buf_check(&b, &e), ERR_OK);
    assert_int_equal(schema_check(&house_schema, &h, &e), ERR_OK);
    assert_int_equal(json_from_pack(buf_slice(&b), &j, &e), ERR_OK);
    assert_string_equal(buf_cstr(&j),
                        "{\"any\":{\"a\":{},\"z\":[1,-2,true,\"1.5\",\"3\",\"007\"]},\"cert\":\"010203\","
                        "\"colour\":\"green\",\"extra\":{\"a\":\"x\",\"b\":\"1\"},\"guard\":{\"legs\":8},"
                        "\"key\":\"0a0b0c0d\",\"name\":\"屋 1.0\",\"open\":true,"
                        "\"pets\":[{\"legs\":4,\"names\":[\"rex\",\"007\"]},{\"legs\":2}],\"since\":1769817600500}");
    assert_int_equal(yaml_line_of(&doc, "pets[1].legs"), 5);
    assert_int_equal(yaml_line_of(&doc, "pets[1].nothing"), 5);
    assert_int_equal(yaml_line_of(&doc, "extra"), 12);
    assert_int_equal(yaml_line_of(&doc, "nowhere[7"), 2);
    assert_true(yaml_has(&doc, "pets[0].names[1]"));
    assert_false(yaml_has(&doc, "pets[2]"));
    assert_true(slice_eq_str(yaml_text(&doc, "colour"), "green"));
    assert_int_equal(yaml_refuse(&doc, &e, "pets[1].legs", "a bird of %d legs", 2), ERR_CONFIG);
    assert_string_equal(e.text, "t.yaml:5: pets[1].legs: a bird of 2 legs");
    buf_release(&b);
    buf_release(&j);
    yaml_release(&doc);
}

static void test_mistakes_name_file_line_and_path(void **state) {
    (void)state;
    expect("name: a\nnmae: b\n", ERR_CONFIG, "t.yaml:2: unknown key \"nmae\" (did you mean \"name\"?)");
    expect("name: a\n\nname: b\n", ERR_CONFIG, "t.yaml:3: key \"name\" is there twice (first in line 1)");
    expect("open: true\n", ERR_CONFIG, "t.yaml:1: \"name\" is missing");
    expect("name: [a]\n", ERR_CONFIG, "t.yaml:1: name: must be a text, not a list");
    expect("name:\n", ERR_CONFIG, "t.yaml:1: name: has no value; leave the key out or write a text");
    expect("name: 1234567890123\n", ERR_CONFIG, "t.yaml:1: name: has 13 bytes, at most 12 are allowed");
    expect("name: \"\"\n", ERR_CONFIG, "t.yaml:1: name: has 0 bytes, at least 1 are needed");
    expect("name: a\nopen: yes\n", ERR_CONFIG, "t.yaml:2: open: must be true or false, not \"yes\"");
    expect("name: a\ncolour: blue\n", ERR_CONFIG, "t.yaml:2: colour: must be one of: red, green; not \"blue\"");
    expect("name: a\nkey: 0a0b0c\n", ERR_CONFIG, "t.yaml:2: key: has 3 bytes, 4 are needed");
    expect("name: a\nkey: '?'\n", ERR_CONFIG, "t.yaml:2: key: must be hex digits or base64, not \"?\"");
    expect("name: a\npets: [{legs: 4},\n  {legs: 9}]\n", ERR_CONFIG, "t.yaml:3: pets[1].legs: must be at most 8");
    expect("name: a\npets: [{legs: 1}]\n", ERR_CONFIG, "t.yaml:2: pets[0].legs: must be at least 2");
    expect("name: a\npets: [{legs: four}]\n", ERR_CONFIG,
           "t.yaml:2: pets[0].legs: must be a whole number from 0 up, not \"four\"");
    expect("name: a\npets: {legs: 4}\n", ERR_CONFIG, "t.yaml:2: pets: must be a list, not a mapping");
    expect("name: a\npets: [{legs: 2},{legs: 2},{legs: 2},{legs: 2}]\n", ERR_CONFIG,
           "t.yaml:2: pets: has 4 items, at most 3 are allowed");
    expect("name: a\nextra: {toolong: x}\n", ERR_CONFIG,
           "t.yaml:2: extra.: key \"toolong\" has 7 bytes; 1 to 5 are allowed");
    expect("name: a\nextra: {k: toolong}\n", ERR_CONFIG, "t.yaml:2: extra.k: has 7 bytes, at most 5 are allowed");
    expect("name: a\nsince: 2026-02-30\n", ERR_CONFIG, NULL);
    expect("name: a\nany: {b: }\n", ERR_CONFIG,
           "t.yaml:2: any.b: has no value; leave the key out, or write \"\" for an empty text");
    expect("- a\n", ERR_CONFIG, "t.yaml:1: must be a mapping, not a list");
    expect("\nzzzz: 1\nopen: 3\nname: [x]\n", ERR_CONFIG, "t.yaml:2: unknown key \"zzzz\" (and 2 more)");
}

static void test_clever_yaml_is_refused(void **state) {
    (void)state;
    expect("", ERR_CONFIG, "t.yaml:1: the document is empty");
    expect("# only a comment\n", ERR_CONFIG, "t.yaml:1: the document is empty");
    expect("name: &x a\n", ERR_CONFIG,
           "t.yaml:1: anchors and aliases (& and *) are not allowed here; write the value out");
    expect("name: a\nany: *x\n", ERR_CONFIG,
           "t.yaml:2: anchors and aliases (& and *) are not allowed here; write the value out");
    expect("name: !!str a\n", ERR_CONFIG,
           "t.yaml:1: tags (!) are not allowed here; quote the value if it begins with one");
    expect("name: a\n---\nname: b\n", ERR_CONFIG, "t.yaml:2: a second document begins here; only one is allowed");
    expect("? [a]\n: b\n", ERR_CONFIG, "t.yaml:1: a key must be a text");
    expect("name: a\n\tbad: [\n", ERR_CONFIG, NULL);
    expect("name: \xff\xfe\n", ERR_CONFIG, NULL);
    expect("a: &a [x,x]\nb: &b [*a,*a]\n", ERR_CONFIG, NULL);
    expect("any: [[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]\n", ERR_CONFIG, "t.yaml:1: nested more than 16 deep");
}

static void test_too_large_is_refused(void **state) {
    struct yaml_doc doc;
    struct err e = {0};
    size_t i, n = (size_t)YAML_SIZE + 1;
    char *big = malloc(n);
    (void)state;
    memset(big, 'a', n);
    yaml_init(&doc);
    assert_int_equal(yaml_load(&doc, slice_of(big, n), "big", &e), ERR_TOO_LARGE);
    yaml_release(&doc);
    for (i = 0; i < n; i++)
        big[i] = i % 2 ? '1' : ',';
    big[0] = '[';
    assert_int_equal(yaml_load(&doc, slice_of(big, n - 1), "big", &e), ERR_TOO_LARGE);
    yaml_release(&doc);
    free(big);
}

static void test_many_mistakes_are_bounded(void **state) {
    char text[8192] = "";
    size_t len = 0;
    int i;
    struct yaml_doc doc;
    struct house h;
    struct err e = {0};
    (void)state;
    for (i = 0; i < 200; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "zz%03d: 1\n", i);
    assert_int_equal(load(&doc, text, &h, &e), ERR_CONFIG);
    assert_int_equal(doc.mistake_count, YAML_MISTAKES);
    assert_int_equal(yaml_refuse(&doc, &e, "zz001", "still told"), ERR_CONFIG);
    yaml_release(&doc);
}

static void test_scalars_mean_what_they_say(void **state) {
    int64_t v;
    uint64_t u;
    struct arena a;
    struct slice out;
    struct err e;
    bool failed;
    (void)state;
    assert_true(yaml_scalar_i64(slice_str("-9223372036854775808"), &v) && v == INT64_MIN);
    assert_false(yaml_scalar_i64(slice_str("-9223372036854775809"), &v));
    assert_false(yaml_scalar_i64(slice_str("-0"), &v));
    assert_true(yaml_scalar_u64(slice_str("18446744073709551615"), &u) && u == UINT64_MAX);
    assert_false(yaml_scalar_u64(slice_str("18446744073709551616"), &u));
    assert_false(yaml_scalar_u64(slice_str("01"), &u));
    assert_true(yaml_scalar_time(slice_str("1970-01-01"), &v) && v == 0);
    assert_true(yaml_scalar_time(slice_str("2024-02-29T00:00:00Z"), &v) && v == 1709164800000);
    assert_true(yaml_scalar_time(slice_str("1969-12-31 23:59:59.999Z"), &v) && v == -1);
    assert_false(yaml_scalar_time(slice_str("2023-02-29"), &v));
    assert_false(yaml_scalar_time(slice_str("2023-02-28T24:00:00Z"), &v));
    assert_false(yaml_scalar_time(slice_str("2023-02-28T00:00:00"), &v));
    arena_init(&a, 65536);
    assert_true(yaml_scalar_bytes(slice_str("-----BEGIN X-----\nAQID\nBAUG\n-----END X-----\n"), &a, &out, &failed));
    assert_true(slice_eq(out, slice_of("\1\2\3\4\5\6", 6)));
    assert_false(yaml_scalar_bytes(slice_str("-----BEGIN X-----\nAQID\n"), &a, &out, &failed));
    assert_true(yaml_scalar_bytes(slice_str("base64:abcd"), &a, &out, &failed) && out.len == 3);
    assert_true(yaml_scalar_bytes(slice_str("abcd"), &a, &out, &failed) && out.len == 2);
    assert_int_equal(yaml_scalar_nfc(slice_str("e\xcc\x81"), &a, &out, &e), ERR_OK);
    assert_true(slice_eq_str(out, "\xc3\xa9"));
    assert_int_equal(near_distance(slice_str("abc"), slice_str("acb")), 1);
    assert_int_equal(near_distance(slice_str(""), slice_str("acb")), 3);
    arena_release(&a);
}

/* Every prefix of a document, and every byte of it flipped: an answer, never a crash. */
static void test_damaged_documents_never_crash(void **state) {
    static const char text[] = "name: a\npets: [{legs: 4, names: [x]}]\nany: {z: [1, \"q\"], a: |\n  t\n}\n";
    char copy[sizeof text];
    size_t i;
    unsigned bit;
    struct yaml_doc doc;
    struct house h;
    struct err e = {0};
    (void)state;
    for (i = 0; i < sizeof text; i++)
        for (bit = 0; bit < 9; bit++) {
            memcpy(copy, text, sizeof text);
            if (bit < 8)
                copy[i] = (char)(copy[i] ^ (1 << bit));
            yaml_init(&doc);
            if (yaml_load(&doc, slice_of(copy, bit < 8 ? sizeof text - 1 : i), "d", &e) == ERR_OK &&
                yaml_struct(&doc, "", &house_schema, &h, &e) == ERR_OK)
                assert_int_equal(schema_check(&house_schema, &h, &e), ERR_OK);
            yaml_release(&doc);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_fill_the_struct_and_canonical_bytes),
        cmocka_unit_test(test_mistakes_name_file_line_and_path),
        cmocka_unit_test(test_clever_yaml_is_refused),
        cmocka_unit_test(test_too_large_is_refused),
        cmocka_unit_test(test_many_mistakes_are_bounded),
        cmocka_unit_test(test_scalars_mean_what_they_say),
        cmocka_unit_test(test_damaged_documents_never_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
