/* tests/unit/test_extract_regex.c -- text logs, and the times that logs state. */
#include "node/ingest/pipeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct ingest_config config;
static struct arena arena;
static struct door_log out;

static void load(const char *text) {
    struct err e = {0};
    arena_init(&arena, 64 << 20);
    if (ingest_config_parse(&config, slice_str(text), "node.yaml", ".", &e) != ERR_OK)
        fail_msg("%s", e.text);
}
static int teardown(void **state) {
    (void)state;
    ingest_config_release(&config);
    arena_release(&arena);
    return 0;
}

static const struct record *run(const char *raw) {
    struct pipeline p = {.config = &config, .source_id = slice_str("s"), .arena = &arena};
    struct err e = {0};
    p.source = ingest_config_source(&config, p.source_id, &p.source_index);
    assert_int_equal(pipeline_run(&p, slice_str(raw), 1, &out, NULL, &e), ERR_OK);
    return &out.record;
}
static void is(struct slice s, const char *text) {
    if (!slice_eq_str(s, text))
        fail_msg("\"%.*s\" is not \"%s\"", SLICE_ARG(s), text);
}

static const char ssh[] =
    "ingest:\n"
    "  sources:\n"
    "    - {id: s, kind: lines, path: /x, zone: +08:00, actor: {type: staff, name: 值班}, tag: {pattern: ' "
    "(?<host>\\S+) sshd', server: host, service: =sshd}}\n"
    "  log_types:\n"
    "    - {log_type: text, extractors: [login, any]}\n"
    "  extractors:\n"
    "    - id: login\n"
    "      type: regex\n"
    "      pattern: '(?<t>\\S+ \\S+) \\S+ sshd: (?<op>Accepted|Failed) for (?<user>\\S+)? ?from (?<ip>\\S+)'\n"
    "      actor: {name: user, type: =account}\n"
    "      time: {at: t, format: '%F %T'}\n"
    "      op: op\n"
    "      objects: [{type: =ip, name: ip, role: request}]\n"
    "    - id: any\n"
    "      type: regex\n"
    "      pattern: '(?<t>\\S+ \\S+) \\S+ sshd: (?<op>.*?) on (?<ips>.*)'\n"
    "      time: {at: t, format: '%F %T'}\n"
    "      op: op\n"
    "      objects: [{type: =ip, name: ips, role: request, split: ','}]\n";

static void test_named_groups_become_elements(void **state) {
    const struct record *r;
    (void)state;
    load(ssh);
    r = run("2026-11-22 10:00:00 主机一 sshd: Accepted for 李娜 from 10.1.1.1");
    if (out.dead)
        fail_msg("%s", out.reason);
    is(r->actor.name, "李娜");
    assert_false(r->actor.assigned);
    is(r->server, "主机一");
    is(r->service, "sshd");
    is(r->op.raw, "Accepted");
    assert_int_equal(r->log_type, RECORD_LOG_TEXT);
    assert_int_equal(r->time, 1795312800000LL);
    r = run("2026-11-22 10:00:00 h sshd: Failed for from 10.1.1.1"); /* names none: the assigned one */
    is(r->actor.name, "值班");
    assert_true(r->actor.assigned);
}

static void test_extractors_are_tried_in_order(void **state) {
    const struct record *r;
    (void)state;
    load(ssh);
    r = run("2026-11-22 10:00:00 h sshd: restarted on a, b,c");
    is(r->op.raw, "restarted");
    assert_int_equal(r->objects.count, 3);
    assert_true(r->actor.assigned);
    run("something else");
    assert_true(out.dead);
    assert_string_equal(out.reason, "no extractor knows such a log");
}

static void test_evil_pattern_reaches_its_limit(void **state) {
    char raw[200];
    (void)state;
    load("ingest:\n  sources:\n    - {id: s, kind: lines, path: /x, extractors: [x], actor: {type: a, name: b}}\n  "
         "extractors:\n"
         "    - {id: x, type: regex, pattern: '(?<a>(x+x+)+[yz])', time: {at: a}, op: a, objects: [{type: =t, name: a, "
         "role: request}]}\n");
    memset(raw, 'x', sizeof raw);
    raw[sizeof raw - 1] = '\0';
    run(raw);
    assert_true(out.dead);
    assert_non_null(strstr(out.reason, "limits"));
}

static void time_is(const char *format, const char *zone, const char *text, int64_t want) {
    struct time_text t;
    struct err e = {0};
    int64_t ms = -1;
    if (time_text_compile(slice_str(format), slice_str(zone), &t, &e) != ERR_OK)
        fail_msg("%s: %s", format, e.text);
    if (time_text_parse(&t, slice_str(text), &ms, &e) != ERR_OK && want >= 0)
        fail_msg("%s: %s: %s", format, text, e.text);
    if (ms != want)
        fail_msg("%s: %s: %lld", format, text, (long long)ms);
}

static void test_times_in_all_formats(void **state) {
    (void)state;
    time_is("rfc3339", "", "1970-01-01T00:00:00Z", 0);
    time_is("rfc3339", "", "2024-02-29T23:59:59.999999+05:30", 1709231399999LL);
    time_is("rfc3339", "", "2023-02-29T23:59:59Z", -1);
    time_is("rfc3339", "", "2024-01-01T00:00:00", -1); /* no zone, none stated */
    time_is("rfc3339", "-01:00", "2024-01-01 00:00:00", 1704070800000LL);
    time_is("rfc3339", "", "2024-01-01T00:00:00Z!", -1);
    time_is("epoch_s", "", "1700000000.5", 1700000000500LL);
    time_is("epoch_ms", "", "1700000000123", 1700000000123LL);
    time_is("epoch_ms", "", "17000000001230000000", -1);
    time_is("%d/%b/%Y:%H:%M:%S %z", "", "10/Oct/2000:13:55:36 -0700", 971211336000LL);
    time_is("%Y-%m-%d %H:%M:%S,%f", "UTC", "2024-01-01 00:00:00,25", 1704067200250LL);
    time_is("%a %b %e %T %Y", "Z", "Mon Jan  1 00:00:00 2024", 1704067200000LL);
    time_is("%Y年%m月%d日 %T", "+08:00", "2024年1月1日 08:00:00", 1704067200000LL);
}

static void test_formats_that_would_guess_are_refused(void **state) {
    static const char *const bad[] = {"%b %e %T", "%T", "%F %Q", "%F %"};
    struct time_text t;
    struct err e;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(time_text_compile(slice_str(bad[i]), slice_none(), &t, &e), ERR_MALFORMED);
    assert_int_equal(time_text_compile(slice_str("%F"), slice_str("Asia"), &t, &e), ERR_MALFORMED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_named_groups_become_elements, teardown),
        cmocka_unit_test_teardown(test_extractors_are_tried_in_order, teardown),
        cmocka_unit_test_teardown(test_evil_pattern_reaches_its_limit, teardown),
        cmocka_unit_test(test_times_in_all_formats),
        cmocka_unit_test(test_formats_that_would_guess_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
