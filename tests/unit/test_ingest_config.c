/* tests/unit/test_ingest_config.c -- the section `ingest`: mistakes with file and line, choosing, tables, the demo's
 * own. */
#include "node/ingest/ingest_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define X                                                                                                              \
    "  extractors:\n    - {id: x, type: json, time: {at: t}, op: o, objects: [{type: =t, name: n, role: request}]}\n"

static void refuse(const char *text, const char *words) {
    struct ingest_config c;
    struct err e = {0};
    assert_int_equal(ingest_config_parse(&c, slice_str(text), "node.yaml", ".", &e), ERR_CONFIG);
    assert_string_equal(e.text, words);
    ingest_config_release(&c);
}

static void test_mistakes_are_told_with_file_and_line(void **state) {
    (void)state;
    refuse("ingest:\n" X "  sources:\n    - {id: a, kind: lines, extractors: [x]}\n",
           "node.yaml:5: ingest.sources[0]: a source of kind lines needs a \"path\"");
    refuse("ingest:\n" X "  sources:\n    - {id: a, kind: lines, path: p, extractors: [y]}\n",
           "node.yaml:5: ingest.sources[0].extractors[0]: no extractor is called \"y\"");
    refuse("ingest:\n" X
           "  sources:\n    - {id: a, kind: http, extractors: [x]}\n    - {id: a, kind: http, extractors: [x]}\n",
           "node.yaml:6: ingest.sources[1].id: \"a\" stands twice");
    refuse("ingest:\n" X "  sources:\n    - {id: a, kind: http}\n",
           "node.yaml:5: ingest.sources[0]: names no \"extractors\", and there is neither \"map\" nor \"log_types\"");
    refuse("ingest:\n" X "  sources:\n    - {id: a, kind: http, extractors: [x], zone: CST}\n",
           "node.yaml:5: ingest.sources[0].zone: \"CST\" is no zone: UTC or an offset such as +08:00");
    refuse("ingest:\n  extractors:\n    - {id: x, type: regex, time: {at: t}, op: o, objects: [{type: =t, name: n, "
           "role: request}]}\n",
           "node.yaml:3: ingest.extractors[0].pattern: is missing: an extractor of type regex needs one");
    refuse("ingest:\n  extractors:\n    - id: x\n      type: regex\n      pattern: '(?<t>a'\n      time: {at: t}\n     "
           " op: o\n"
           "      objects: [{type: =t, name: n, role: request}]\n",
           "node.yaml:5: ingest.extractors[0].pattern: at byte 6: missing closing parenthesis");
    refuse("ingest:\n  extractors:\n    - id: x\n      type: regex\n      pattern: '(?<t>a)'\n      time: {at: t}\n    "
           "  op: o\n"
           "      objects: [{type: =t, name: n, role: request}]\n",
           "node.yaml:7: ingest.extractors[0].op: o: the pattern has no group (?<o>...)");
    refuse("ingest:\n  extractors:\n    - {id: x, type: json, time: {at: t, format: '%T'}, op: o, objects: [{type: =t, "
           "name: n, role: request}]}\n",
           "node.yaml:3: ingest.extractors[0].time.format: needs year, month and day (or rfc3339, epoch_s, epoch_ms)");
    refuse("ingest:\n" X "  map:\n    - {server: a, extractors: [x]}\n    - {server: a, log_type: text}\n",
           "node.yaml:6: ingest.map[1]: server and service as in map[0]");
    refuse("ingest:\n" X "  extend:\n    - {element: actor, table: people}\n",
           "node.yaml:5: ingest.extend[0].table: no table is called \"people\"");
    refuse("ingest:\n  sorces: []\n", "node.yaml:2: ingest: unknown key \"sorces\" (did you mean \"sources\"?)");
}

static void test_most_specific_rule_chooses(void **state) {
    static const char text[] =
        "ingest:\n  extractors:\n"
        "    - {id: a, type: json, time: {at: t}, op: o, objects: [{type: =t, name: n, role: request}]}\n"
        "    - {id: b, type: json, time: {at: t}, op: o, objects: [{type: =t, name: n, role: request}]}\n"
        "  map:\n    - {log_type: text}\n    - {server: s, extractors: [b, a]}\n    - {server: s, service: i, "
        "log_type: sql, extractors: [a]}\n"
        "  log_types:\n    - {log_type: text, extractors: [a]}\n";
    struct ingest_config c;
    struct ingest_choice x;
    struct err e = {0};
    (void)state;
    if (ingest_config_parse(&c, slice_str(text), "node.yaml", ".", &e) != ERR_OK)
        fail_msg("%s", e.text);
    x = ingest_config_choose(&c, NULL, slice_str("s"), slice_str("i"), RECORD_LOG_TEXT);
    assert_int_equal(x.count, 1);
    assert_int_equal(x.log_type, RECORD_LOG_SQL);
    x = ingest_config_choose(&c, NULL, slice_str("s"), slice_str("j"), RECORD_LOG_STRUCTURED);
    assert_int_equal(x.count, 2);
    assert_true(slice_eq_str(x.tried[0]->config->id, "b"));
    x = ingest_config_choose(&c, NULL, slice_str("other"), slice_none(), RECORD_LOG_STRUCTURED);
    assert_int_equal(x.count, 1);
    assert_int_equal(x.log_type, RECORD_LOG_TEXT);
    ingest_config_release(&c);
    assert_int_equal(ingest_config_looks(slice_str(" {\"a\":1}")), RECORD_LOG_STRUCTURED);
    assert_int_equal(ingest_config_looks(slice_str("SELECT 1")), RECORD_LOG_SQL);
    assert_int_equal(ingest_config_looks(slice_str("selected")), RECORD_LOG_TEXT);
}

static void test_tables_are_csv_in_utf8(void **state) {
    struct lookup *t = NULL;
    struct err e = {0};
    (void)state;
    assert_int_equal(lookup_parse(slice_str("\xEF\xBB\xBFid,name,note\r\na,张伟,\"x, \"\"y\"\"\n2\"\n\nb,,\n"), "t.csv",
                                  slice_str("id"), &t, &e),
                     ERR_OK);
    assert_int_equal(lookup_rows(t), 2);
    assert_true(slice_eq_str(lookup_cell(t, lookup_find(t, slice_str("a")), 2), "x, \"y\"\n2"));
    assert_int_equal(lookup_cell(t, lookup_find(t, slice_str("b")), 1).len, 0);
    assert_int_equal(lookup_find(t, slice_str("c")), -1);
    lookup_free(t);
    assert_int_equal(lookup_parse(slice_str("id,name\na,1\na,2\n"), "t.csv", slice_str("id"), &t, &e), ERR_CONFIG);
    assert_string_equal(e.text, "t.csv: row 3: \"a\" stands in row 2 already");
    assert_int_equal(lookup_parse(slice_str("id,name\na\n"), "t.csv", slice_str("id"), &t, &e), ERR_CONFIG);
    assert_string_equal(e.text, "t.csv:2: not as many cells as the first row");
    assert_int_equal(lookup_parse(slice_str("id\n\"a\n"), "t.csv", slice_str("id"), &t, &e), ERR_CONFIG);
    assert_int_equal(lookup_parse(slice_str(""), "t.csv", slice_str("id"), &t, &e), ERR_CONFIG);
    assert_int_equal(lookup_parse(slice_str("a\n"), "t.csv", slice_str("id"), &t, &e), ERR_CONFIG);
    assert_int_equal(lookup_parse(slice_str("id\n\xff\n"), "t.csv", slice_str("id"), &t, &e), ERR_CONFIG);
}

static void test_demo_configuration_is_sound(void **state) {
    static char text[1 << 16];
    FILE *f = fopen("genesis/demo/ingest-acme.yaml", "r");
    struct ingest_config c;
    struct err e = {0};
    (void)state;
    assert_non_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    if (ingest_config_parse(&c, slice_str(text), "ingest-acme.yaml", "genesis/demo", &e) != ERR_OK)
        fail_msg("%s", e.text);
    assert_int_equal(c.body.sources.count, 3);
    ingest_config_release(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mistakes_are_told_with_file_and_line),
        cmocka_unit_test(test_most_specific_rule_chooses),
        cmocka_unit_test(test_tables_are_csv_in_utf8),
        cmocka_unit_test(test_demo_configuration_is_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
