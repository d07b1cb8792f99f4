/* Patterns of standards against PCRE2 as an oracle (PROTOCOL 11.2). */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "audit/match.h"
#include "wire/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct arena arena;

static const struct match *compile(enum match_kind kind, const char *pattern) {
    const struct match *m = NULL;
    struct err e = {0};
    if (match_compile(kind, slice_str(pattern), &arena, &m, &e) != ERR_OK)
        fail_msg("%s: %s", pattern, e.text);
    return m;
}

static void yes(enum match_kind kind, const char *pattern, const char *text) {
    if (!match_test(compile(kind, pattern), slice_str(text)))
        fail_msg("'%s' should mean '%s'", pattern, text);
}
static void no(enum match_kind kind, const char *pattern, const char *text) {
    if (match_test(compile(kind, pattern), slice_str(text)))
        fail_msg("'%s' should not mean '%s'", pattern, text);
}

static void test_regex_examples_hold(void **state) {
    (void)state;
    yes(MATCH_REGEX, "[1-9]\\d{16}[\\dXx]", "11010519491231002X");
    no(MATCH_REGEX, "[1-9]\\d{16}[\\dXx]", "1101051949123100X");
    yes(MATCH_REGEX, "^F\\d{6}$", "F000123");
    no(MATCH_REGEX, "F\\d{6}", "xF000123");
    yes(MATCH_REGEX, "基金(经理|总监)?", "基金经理");
    yes(MATCH_REGEX, "[一-龥]{2,4}", "张三丰");
    no(MATCH_REGEX, "[一-龥]{2,4}", "张");
    yes(MATCH_REGEX, ".", "𝒳");
    no(MATCH_REGEX, ".", "\n");
    yes(MATCH_REGEX, "(a*)*", "aaaa");
    yes(MATCH_REGEX, "(|a){3}b", "ab");
    yes(MATCH_REGEX, "a|", "");
    yes(MATCH_REGEX, "[^a-y]", "z");
    yes(MATCH_REGEX, "[\\D]", "x");
    yes(MATCH_REGEX, "[a\\-z]", "-");
    yes(MATCH_REGEX, "[a-]", "-");
}

static void test_glob_and_prefix_examples_hold(void **state) {
    (void)state;
    yes(MATCH_GLOB, "/api/fund/*/config", "/api/fund/F01/config");
    no(MATCH_GLOB, "/api/fund/*/config", "/api/fund/F01/x/config");
    yes(MATCH_GLOB, "/api/**", "/api/a/b/c");
    yes(MATCH_GLOB, "/api/?", "/api/基");
    yes(MATCH_GLOB, "a\\*b", "a*b");
    no(MATCH_GLOB, "a\\*b", "axb");
    yes(MATCH_PREFIX, "/api/", "/api/x");
    no(MATCH_PREFIX, "/api/", "/ap");
    yes(MATCH_EXACT, "/api/fk_frozen", "/api/fk_frozen");
    no(MATCH_EXACT, "/api/fk_frozen", "/api/fk_frozen2");
}

static void test_outside_the_subset_refused_with_position(void **state) {
    static const struct {
        const char *pattern, *position;
    } bad[] = {
        {"(a)\\1", "character 5"}, {"a(?=b)", "character 3"},   {"a*?", "character 3"},
        {"a++", "character 3"},    {"\\bx", "character 2"},     {"[[:alpha:]]", "character 2"},
        {"*a", "character 1"},     {"a{3,2}", "character 2"},   {"a{256}", "character 2"},
        {"(a", "character 1"},     {"a)", "character 2"},       {"[a", "character 1"},
        {"a^b", "character 2"},    {"a$b", "character 2"},      {"x\\", "character 3"},
        {"[z-a]", "character 3"},  {"基金(?i)", "character 4"}, {"[]", "character 2"},
        {"a{", "character 2"},     {"\\p{Han}", "character 2"}, {"[\\d-z]", "character 4"},
        {"]", "character 1"},      {"a{,3}", "character 2"},
    };
    struct err e;
    const struct match *m;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(match_compile(MATCH_REGEX, slice_str(bad[i].pattern), &arena, &m, &e), ERR_MALFORMED);
        if (!strstr(e.text, bad[i].position))
            fail_msg("'%s' said: %s", bad[i].pattern, e.text);
    }
    assert_int_equal(match_compile(MATCH_REGEX, slice_str(""), &arena, &m, &e), ERR_MALFORMED);
    assert_int_equal(match_compile(MATCH_REGEX, slice_str("\xC3"), &arena, &m, &e), ERR_MALFORMED);
}

static void test_growing_patterns_refused_quickly(void **state) {
    struct err e;
    const struct match *m;
    char deep[64];
    (void)state;
    assert_int_equal(match_compile(MATCH_REGEX, slice_str("(((a{99}){99}){99}){99}"), &arena, &m, &e), ERR_TOO_LARGE);
    assert_int_equal(match_compile(MATCH_REGEX, slice_str("(((((){255}){255}){255}){255}){255}"), &arena, &m, &e),
                     ERR_TOO_LARGE);
    memset(deep, '(', 40);
    deep[40] = '\0';
    assert_int_equal(match_compile(MATCH_REGEX, slice_str(deep), &arena, &m, &e), ERR_MALFORMED);
}

static void test_backtracking_bombs_are_linear(void **state) {
    char text[4096];
    (void)state;
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    no(MATCH_REGEX, "(a|a)*b", text);
    no(MATCH_REGEX, "(a*)*b", text);
    no(MATCH_REGEX, "(a?){50}a{50}", text);
    no(MATCH_GLOB, "**a**a**a**b", text);
}

static void test_literals_measure_what_is_prescribed(void **state) {
    (void)state;
    assert_int_equal(match_literals(compile(MATCH_EXACT, "基金x")), 3);
    assert_int_equal(match_literals(compile(MATCH_REGEX, "ab(cd|e)f*g{2}")), 5);
    assert_int_equal(match_literals(compile(MATCH_GLOB, "/a/*")), 3);
}

static void overlap(enum match_kind k, const char *a, const char *b, bool expected) {
    uint64_t budget = 1 << 20;
    bool got;
    struct err e;
    assert_int_equal(match_overlap(compile(k, a), compile(k, b), &budget, &got, &e), ERR_OK);
    if (got != expected)
        fail_msg("'%s' and '%s'", a, b);
}

static void test_overlap_is_exact(void **state) {
    uint64_t budget = 3;
    bool got;
    struct err e;
    (void)state;
    overlap(MATCH_GLOB, "/a/*", "/*/b", true);
    overlap(MATCH_GLOB, "/a/*x", "/a/*y", false);
    overlap(MATCH_REGEX, "a*b", "a*c", false);
    overlap(MATCH_REGEX, "(aa)*", "(aaa)+", true);
    overlap(MATCH_REGEX, "(aa)+a", "(aaaa)+", false);
    overlap(MATCH_REGEX, "[a-f]+", "[g-z]+", false);
    overlap(MATCH_REGEX, "\\d+", "[^5]", true);
    assert_int_equal(match_overlap(compile(MATCH_REGEX, "a{50}"), compile(MATCH_REGEX, "a{50}"), &budget, &got, &e),
                     ERR_TOO_LARGE);
}

/* -- the oracle ------------------------------------------------------------------------------------------------------
 */

static uint32_t seed = 20260101;
static uint32_t rnd(uint32_t n) {
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

static void gen_class(char *out) {
    static const char *const items[] = {"a-c", "b", "\\d", "基", "x-z", "\\w", "\\s", "-", "\\]"};
    strcat(out, rnd(3) ? "[" : "[^");
    for (uint32_t i = 0, n = 1 + rnd(3); i < n; i++) {
        const char *item = items[rnd(9)];
        if (strcmp(item, "-") == 0 && i + 1 < n)
            item = "\\-";
        strcat(out, item);
    }
    strcat(out, "]");
}

static void gen(char *out, unsigned depth) {
    static const char *const atoms[] = {"a", "b", "c", "基", "金", ".", "\\d", "\\w", "\\W", "\\s", "\\.", "1", "\\D"};
    static const char *const quants[] = {"?", "*", "+", "{2}", "{1,}", "{0,3}", "{1,2}"};
    for (uint32_t i = 0, n = rnd(4); i < n; i++) {
        uint32_t what = rnd(8);
        if (strlen(out) > 200)
            return;
        if (what == 0 && depth > 0) {
            strcat(out, rnd(2) ? "(" : "(?:");
            gen(out, depth - 1);
            strcat(out, ")");
        } else if (what == 1) {
            gen_class(out);
        } else if (what == 2 && i > 0) {
            strcat(out, "|");
            continue;
        } else {
            strcat(out, atoms[rnd(13)]);
        }
        if (rnd(3) == 0)
            strcat(out, quants[rnd(7)]);
    }
}

static void gen_text(char *out) {
    static const char *const pieces[] = {"a", "b", "c", "基", "金", "1", ".", " ", "x", "\n", "-", "]", "é", "𝒳"};
    out[0] = '\0';
    for (uint32_t i = 0, n = rnd(9); i < n; i++)
        strcat(out, pieces[rnd(14)]);
}

static void test_regex_agrees_with_pcre2(void **state) {
    unsigned compared = 0, matched = 0;
    (void)state;
    for (unsigned round = 0; round < 4000; round++) {
        char pattern[512] = "", anchored[600], text[128];
        const struct match *m;
        struct err e;
        int code;
        PCRE2_SIZE at;
        pcre2_code *oracle;
        pcre2_match_data *data;
        gen(pattern, 3);
        if (!pattern[0] || match_compile(MATCH_REGEX, slice_str(pattern), &arena, &m, &e) == ERR_TOO_LARGE)
            continue;
        m = compile(MATCH_REGEX, pattern);
        snprintf(anchored, sizeof anchored, "\\A(?:%s)\\z", pattern);
        oracle = pcre2_compile((PCRE2_SPTR)anchored, PCRE2_ZERO_TERMINATED, PCRE2_UTF, &code, &at, NULL);
        if (!oracle)
            fail_msg("the oracle does not read '%s'", pattern);
        data = pcre2_match_data_create_from_pattern(oracle, NULL);
        for (unsigned i = 0; i < 12; i++) {
            int rc;
            gen_text(text);
            rc = pcre2_match(oracle, (PCRE2_SPTR)text, strlen(text), 0, 0, data, NULL);
            if (rc != PCRE2_ERROR_NOMATCH && rc < 0)
                continue; /* its backtracking limit; ours has none */
            if (match_test(m, slice_str(text)) != (rc > 0))
                fail_msg("'%s' on '%s': PCRE2 says %d", pattern, text, rc);
            compared++;
            matched += rc > 0;
        }
        pcre2_match_data_free(data);
        pcre2_code_free(oracle);
        arena_clear(&arena);
    }
    print_message("compared %u, of which %u match\n", compared, matched);
    assert_true(compared > 20000 && matched > 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_regex_examples_hold),
        cmocka_unit_test(test_glob_and_prefix_examples_hold),
        cmocka_unit_test(test_outside_the_subset_refused_with_position),
        cmocka_unit_test(test_growing_patterns_refused_quickly),
        cmocka_unit_test(test_backtracking_bombs_are_linear),
        cmocka_unit_test(test_literals_measure_what_is_prescribed),
        cmocka_unit_test(test_overlap_is_exact),
        cmocka_unit_test(test_regex_agrees_with_pcre2),
    };
    int rc;
    arena_init(&arena, 64 << 20);
    rc = cmocka_run_group_tests_name("match", tests, NULL, NULL);
    arena_release(&arena);
    return rc;
}
