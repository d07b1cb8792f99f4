/* Standards as people write them: the demonstration's, and every mistake that lint must explain (PROTOCOL 11.1). */
#include "audit/standard_lint.h"
#include "wire/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define HEAD(kind) "id: x\nkind: " kind "\nversion: 1.0.0\nmode: enforce\neffective_from: 2026-01-01\nbody:\n"

static enum err_code lint(const char *text, struct standard_lint *l, struct err *e) {
    standard_lint_init(l);
    return standard_lint_yaml(l, slice_str(text), "x.yaml", NULL, 0, e);
}

static void refused(const char *text, unsigned line, const char *word) {
    struct standard_lint l;
    struct err e = {0};
    if (lint(text, &l, &e) == ERR_OK)
        fail_msg("accepted: %s", text);
    if (l.count == 0 || l.issues[0].line != line || !strstr(l.issues[0].text, word))
        fail_msg("expected line %u and '%s', got: %s", line, word, e.text);
    standard_lint_release(&l);
}

static void accepted(const char *text) {
    struct standard_lint l;
    struct err e = {0};
    if (lint(text, &l, &e) != ERR_OK)
        fail_msg("%s", e.text);
    assert_false(digest_is_zero(&l.hash));
    standard_lint_release(&l);
}

static void test_demo_standards_pass(void **state) {
    static const char *const files[] = {"finance-ext", "vocab", "operations"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        static char text[1 << 16];
        char path[64];
        FILE *f;
        snprintf(path, sizeof path, "genesis/demo/%s.yaml", files[i]);
        f = fopen(path, "r");
        assert_non_null(f);
        text[fread(text, 1, sizeof text - 1, f)] = '\0';
        fclose(f);
        accepted(text);
    }
}

static void test_op_class_mistakes_told_by_line(void **state) {
    (void)state;
    refused(HEAD("op_class") "  tree:\n    - id: a\n      parent: b\n", 9, "not in the tree");
    refused(HEAD("op_class") "  tree:\n    - id: a\n    - id: a\n", 9, "stands twice");
    refused(HEAD("op_class") "  tree:\n    - id: a\n      parent: b\n    - id: b\n      parent: a\n", 9, "a -> b -> a");
    refused(HEAD("op_class") "  tree:\n    - id: a\n  map:\n    - {match: exact, pattern: x, class_id: c}\n", 10,
            "not in the tree");
    refused(HEAD("op_class") "  tree:\n    - id: a\n  map:\n    - {match: regex, pattern: '(?=x)', class_id: a}\n", 10,
            "character 2");
    refused(
        HEAD(
            "op_class") "  tree:\n    - id: a\n    - id: b\n  map:\n    - {match: glob, pattern: '/a/*', class_id: a}\n"
                        "    - {match: glob, pattern: '*/a/', class_id: b}\n",
        12, "equal weight");
    refused(HEAD("op_class") "  tree:\n    - id: unclassified\n", 8, "in no class");
    refused(HEAD("op_class") "  default: z\n  tree:\n    - id: a\n", 7, "not in the tree");
    accepted(HEAD("op_class") "  tree:\n    - id: 风控\n      label: 风控-冻结资金\n");
}

static void test_ext_std_mistakes_told_by_line(void **state) {
    (void)state;
#define EXT(field) HEAD("ext_std") "  elements:\n    - element: actor\n      fields:\n        - " field "\n"
    refused(EXT("{name: a, type: enum}"), 10, "no values");
    refused(EXT("{name: a}"), 10, "type");
    refused(EXT("{name: a, type: str, required: true, pii: C3}"), 10, "highest sensitivity");
    refused(EXT("{name: a, type: str, pii: C3, protect: none}"), 10, "highest sensitivity");
    refused(EXT("{name: a, type: str, regex: '(a)\\1'}"), 10, "escape");
    refused(EXT("{name: a, type: str}\n        - {name: a, type: int}"), 11, "stands twice");
    refused(EXT("{name: a, type: bool, max: 3}"), 10, "max");
    refused(EXT("{name: a, type: money}"), 10, "");
    refused(HEAD("ext_std") "  elements:\n    - element: place\n      fields: [{name: a, type: str}]\n", 8,
            "none of actor");
    accepted(EXT("{name: 真实姓名, type: str, pii: C3, protect: encrypt}"));
}

static void test_vocab_mistakes_told_by_line(void **state) {
    (void)state;
    refused(HEAD("type_vocab") "  types:\n    - {name: a, aliases: [b]}\n    - {name: b, aliases: [a]}\n", 8, "cycle");
    refused(HEAD("type_vocab") "  types:\n    - {name: a, aliases: [c]}\n    - {name: b, aliases: [c]}\n", 9,
            "already");
    refused(HEAD("type_vocab") "  types:\n    - {name: a, aliases: [a]}\n", 8, "of itself");
    refused(HEAD("type_vocab") "  types:\n    - {name: a}\n    - {name: a}\n", 9, "twice");
}

static void test_head_mistakes_told_by_line(void **state) {
    (void)state;
    refused(
        "id: x\nkind: type_vocab\nversion: 1.0\nmode: flag\neffective_from: 2026-01-01\nbody: {types: [{name: a}]}\n",
        3, "not a version");
    refused("id: x\nkind: type_vocab\nversion: 1.0.0\nsupersedes: 1.0.0\nmode: flag\neffective_from: 2026-01-01\n"
            "body: {types: [{name: a}]}\n",
            4, "does not come after");
    refused("id: x\nkind: watchlist\nversion: 1.0.0\nmode: flag\neffective_from: 2026-01-01\nbody: {a: 1}\n", 2,
            "no meaning in this version");
    refused("id: X y\nkind: type_vocab\nversion: 1.0.0\nmode: flag\neffective_from: 2026-01-01\n"
            "body: {types: [{name: a}]}\n",
            1, "a-z");
    refused(HEAD("report_format") "  fields:\n    - {name: who, path: actor.nome}\n", 8, "not a place");
}

static void test_out_of_memory_anywhere_is_told(void **state) {
    struct err e;
    unsigned long n;
    (void)state;
    for (n = 1; n < 4000; n++) {
        struct standard_lint l;
        enum err_code rc;
        mem_fail_at(n);
        rc = lint(HEAD("op_class") "  tree:\n    - id: a\n  map:\n    - {match: glob, pattern: '/a/*', class_id: a}\n",
                  &l, &e);
        mem_fail_at(0);
        standard_lint_release(&l);
        if (rc == ERR_OK)
            break;
    }
    assert_in_range(n, 2, 3999);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_demo_standards_pass),           cmocka_unit_test(test_op_class_mistakes_told_by_line),
        cmocka_unit_test(test_ext_std_mistakes_told_by_line), cmocka_unit_test(test_vocab_mistakes_told_by_line),
        cmocka_unit_test(test_head_mistakes_told_by_line),    cmocka_unit_test(test_out_of_memory_anywhere_is_told),
    };
    return cmocka_run_group_tests_name("standard_lint", tests, NULL, NULL);
}
