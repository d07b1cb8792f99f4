/* tests/unit/test_cli.c -- the frame of the command line: finding, help, options, exit codes, tables. */
#include "node/api.h"
#include "node/cli/commands.h"
#include "node/cli/out.h"
#include "wire/pack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static enum err_code run_echo(struct cli *c, struct err *e) {
    uint64_t n = 7;
    enum err_code rc = cli_number(c, "count", 1, 9, &n, e);
    if (rc != ERR_OK)
        return rc;
    out_line(c, "%s|%s|%s|%llu\n", c->arg_count ? c->args[0] : "-", cli_opt_or(c, "name", "none"),
             cli_flag(c, "loud") ? "loud" : "quiet", (unsigned long long)n);
    return ERR_OK;
}
static enum err_code run_no(struct cli *c, struct err *e) {
    (void)c;
    return err_set(e, ERR_MISMATCH, "the hash \033[31mdiffers");
}
static enum err_code run_table(struct cli *c, struct err *e) {
    static const char *const head[] = {"name", "n", "note"};
    struct out_table t;
    enum err_code rc;
    out_table_init(&t, head, 3, 2);
    out_cell(&t, slice_str("顶点"));
    out_cellf(&t, "%d", 5);
    out_cell(&t, slice_str("x\ty"));
    out_cell(&t, slice_str("abc"));
    out_cellf(&t, "%d", 12345);
    out_cell(&t, slice_str(""));
    rc = out_table_print(c, &t, e);
    out_table_release(&t);
    return rc;
}

static const struct cli_option options[] = {
    {"name", "NAME", "who"}, {"loud", NULL, "shout"}, {"count", "N", "how many"}, {NULL, NULL, NULL}};
static const struct cli_command table[] = {
    {"echo", "[WORD]", "say it", "  assay echo hi\n", options, 0, 1, run_echo},
    {"proof fail", "", "always no", "  assay proof fail\n", NULL, 0, 0, run_no},
    {"proof table", "", "a table", "  assay proof table\n", NULL, 0, 0, run_table},
    {NULL, NULL, NULL, NULL, NULL, 0, 0, NULL},
};

/* Runs `line` split at spaces; compares status, and the outputs where given. */
static void expect(const char *line, int status, const char *out, const char *err) {
    char copy[256], *argv[16] = {(char *)(uintptr_t) "assay"}, *save = NULL, *w;
    char *got_out = NULL, *got_err = NULL;
    size_t out_len, err_len;
    int argc = 1, got;
    FILE *fo = open_memstream(&got_out, &out_len), *fe = open_memstream(&got_err, &err_len);
    snprintf(copy, sizeof copy, "%s", line);
    for (w = strtok_r(copy, " ", &save); w && argc < 16; w = strtok_r(NULL, " ", &save))
        argv[argc++] = w;
    got = cli_main(table, argc, argv, fo, fe);
    fclose(fo);
    fclose(fe);
    if (got != status || (out && !strstr(got_out, out)) || (err && !strstr(got_err, err)))
        fail_msg("assay %s -> %d\nout: %s\nerr: %s", line, got, got_out, got_err);
    free(got_out);
    free(got_err);
}

static void test_commands_and_options_are_found(void **state) {
    (void)state;
    expect("echo hi --name 王 --loud --count=3", 0, "hi|王|loud|3\n", NULL);
    expect("echo --name=a --name=b -- --loud", 0, "--loud|b|quiet|7\n", NULL);
    expect("echo", 0, "-|none|quiet|7\n", NULL);
}

static void test_wrong_usage_exits_2_with_a_hint(void **state) {
    (void)state;
    expect("", 2, NULL, "usage: assay COMMAND");
    expect("ehco", 2, NULL, "no command \"ehco\"; did you mean \"assay echo\"?");
    expect("proof tabel", 2, NULL, "did you mean \"assay proof table\"?");
    expect("proof", 2, NULL, "assay proof fail");
    expect("zzzzzz", 2, NULL, "`assay --help` lists them");
    expect("echo a b", 2, NULL, "too many arguments");
    expect("echo --nme x", 2, NULL, "no option --nme; did you mean --name?");
    expect("echo --name", 2, NULL, "--name needs a value: --name NAME");
    expect("echo --loud=1", 2, NULL, "--loud takes no value");
    expect("echo --count 0", 2, NULL, "--count must be a number from 1 to 9, not \"0\"");
    expect("echo -x", 2, NULL, "no option -x");
}

static void test_help_shows_an_example(void **state) {
    (void)state;
    expect("--help", 0, "proof fail", NULL);
    expect("echo --help", 0, "example:\n  assay echo hi\n", NULL);
    expect("proof fail --help", 0, "always no", NULL);
}

static void test_errors_become_exit_status_and_json(void **state) {
    (void)state;
    expect("proof fail", 1, NULL, "assay proof fail: the hash \\x1B[31mdiffers\n");
    expect("proof fail --json", 1, "{\"error\":{\"code\":\"MISMATCH\",\"text\":\"the hash \\u001b[31mdiffers\"}}\n",
           NULL);
}

static void test_tables_align_by_display_width(void **state) {
    (void)state;
    expect("proof table", 0, "name      n  note\n顶点      5  x\\x09y\nabc   12345\n", NULL);
    assert_int_equal(out_width(slice_str("e\xcc\x81顶")), 3);
    assert_int_equal(out_width(slice_str("\xff")), 4);
}

static void test_every_command_and_method_stands_once_with_an_example(void **state) {
    size_t i, j;
    (void)state;
    for (i = 0; commands[i].words; i++) {
        if (*commands[i].summary) /* one without is for the program itself */
            assert_non_null(strstr(commands[i].example, commands[i].words));
        for (j = 0; j < i; j++)
            assert_string_not_equal(commands[i].words, commands[j].words);
    }
    for (i = 1; api_methods[i].name; i++)
        assert_true(strcmp(api_methods[i - 1].name, api_methods[i].name) < 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands_and_options_are_found),
        cmocka_unit_test(test_wrong_usage_exits_2_with_a_hint),
        cmocka_unit_test(test_help_shows_an_example),
        cmocka_unit_test(test_errors_become_exit_status_and_json),
        cmocka_unit_test(test_tables_align_by_display_width),
        cmocka_unit_test(test_every_command_and_method_stands_once_with_an_example),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
