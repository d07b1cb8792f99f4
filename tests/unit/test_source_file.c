/* tests/unit/test_source_file.c -- every line once, whatever happens to the files and to the reader. */
#include "node/ingest/source_file.h"
#include "tests/support/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { LINE_MAX_BYTES = 256 };

static struct scratch dir;

static int setup(void **state) {
    (void)state;
    scratch_make(&dir);
    return 0;
}
static int teardown(void **state) {
    (void)state;
    scratch_remove(&dir);
    return 0;
}

static void write_to(const char *name, const char *mode, const char *text) {
    FILE *f = fopen(scratch_path(&dir, name), mode);
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    fclose(f);
}
static void append(const char *name, const char *text) {
    write_to(name, "a", text);
}
static void moved(const char *from, const char *to) {
    char a[512], b[512];
    snprintf(a, sizeof a, "%s", scratch_path(&dir, from));
    snprintf(b, sizeof b, "%s", scratch_path(&dir, to));
    assert_int_equal(rename(a, b), 0);
}
static void copied(const char *from, const char *to) {
    char buffer[65536];
    FILE *in = fopen(scratch_path(&dir, from), "r"), *out = fopen(scratch_path(&dir, to), "w");
    size_t n;
    assert_non_null(in);
    assert_non_null(out);
    while ((n = fread(buffer, 1, sizeof buffer, in)) > 0)
        assert_int_equal(fwrite(buffer, 1, n, out), n);
    fclose(in);
    fclose(out);
}

static struct source_file *opened(const char *pattern, struct slice position) {
    struct source_file *s = NULL;
    struct err e = {0};
    if (source_file_open(scratch_path(&dir, pattern), LINE_MAX_BYTES, position, false, &s, &e) != ERR_OK)
        fail_msg("%s", e.text);
    assert_int_equal(source_file_poll(s, &e), ERR_OK);
    return s;
}

/* All that is there now: "seq:line|..."; LONG as "long(bytes)", LOST as "lost(bytes)". */
static const char *drained(struct source_file *s) {
    static char out[1 << 16];
    struct source_file_item item;
    struct err e = {0};
    size_t n = 0;
    assert_int_equal(source_file_poll(s, &e), ERR_OK);
    out[0] = '\0';
    for (;;) {
        assert_int_equal(source_file_next(s, &item, &e), ERR_OK);
        if (item.what == SOURCE_FILE_NOTHING)
            return out;
        n += (size_t)snprintf(out + n, sizeof out - n, "%llu:", (unsigned long long)item.seq);
        if (item.what == SOURCE_FILE_LINE)
            n += (size_t)snprintf(out + n, sizeof out - n, "%.*s|", SLICE_ARG(item.line));
        else
            n += (size_t)snprintf(out + n, sizeof out - n, "%s(%llu)|", item.what == SOURCE_FILE_LONG ? "long" : "lost",
                                  (unsigned long long)item.bytes);
    }
}

static void test_partial_line_waits(void **state) {
    struct source_file *s;
    (void)state;
    append("a.log", "one\r\ntwo\n\nthr");
    s = opened("a.log", slice_none());
    assert_string_equal(drained(s), "1:one|2:two|");
    assert_int_equal(source_file_lag(s), 3);
    append("a.log", "ee");
    assert_string_equal(drained(s), "");
    append("a.log", "!\nfour\n");
    assert_string_equal(drained(s), "3:three!|4:four|");
    assert_int_equal(source_file_lag(s), 0);
    source_file_close(s);
}

static void test_long_line_is_told_with_its_size(void **state) {
    struct source_file *s;
    char text[400000];
    (void)state;
    memset(text, 'x', sizeof text);
    memcpy(text, "short\n", 6);
    text[300006] = '\n';
    memcpy(text + sizeof text - 6, "\nend\n", 6);
    text[6 + 300001] = '\n'; /* a line of 300000, an empty one, then one of the rest */
    write_to("a.log", "w", text);
    s = opened("a.log", slice_none());
    assert_string_equal(drained(s), "1:short|2:long(300000)|3:long(99986)|4:end|");
    source_file_close(s);
}

static void test_rename_and_create_is_followed(void **state) {
    struct source_file *s;
    (void)state;
    append("a.log", "one\n");
    s = opened("a.log", slice_none());
    assert_string_equal(drained(s), "1:one|");
    append("a.log", "two\n");
    moved("a.log", "a.log.1");
    append("a.log", "four\n");
    append("a.log.1", "three\n");
    assert_string_equal(drained(s), "2:two|3:three|4:four|");
    append("a.log.1", "late and whole\nlast without end");
    append("a.log", "five\n");
    assert_string_equal(drained(s), "5:late and whole|6:five|");
    for (int i = 1; i < SOURCE_FILE_QUIET; i++)
        assert_string_equal(drained(s), "");
    assert_string_equal(drained(s), "7:last without end|");
    for (int i = 0; i < 3; i++)
        assert_string_equal(drained(s), "");
    assert_int_equal(source_file_files(s), 1); /* the old one is done */
    source_file_close(s);
}

static void test_copytruncate_reads_the_rest_from_the_copy(void **state) {
    struct source_file *s;
    (void)state;
    append("a.log", "the first line, long enough to tell\nthe second line\n");
    s = opened("a.log*", slice_none());
    assert_string_equal(drained(s), "1:the first line, long enough to tell|2:the second line|");
    append("a.log", "unread when it was copied\n");
    copied("a.log", "a.log.1");
    write_to("a.log", "w", "new\n");
    assert_string_equal(drained(s), "3:unread when it was copied|4:new|");
    assert_string_equal(drained(s), "");
    append("a.log", "newer\n");
    assert_string_equal(drained(s), "5:newer|");
    source_file_close(s);
}

static void test_copy_that_matches_the_glob_is_not_read_twice(void **state) {
    struct source_file *s;
    (void)state;
    append("a.log", "the first line, long enough to tell\nthe second line\n");
    s = opened("a.log*", slice_none());
    drained(s);
    copied("a.log", "a.log.1");
    assert_string_equal(drained(s), "");
    write_to("a.log", "w", "x\n");
    assert_string_equal(drained(s), "3:x|");
    source_file_close(s);
}

static void test_truncation_with_unread_bytes_is_a_loss(void **state) {
    struct source_file *s;
    (void)state;
    append("a.log", "one\nunfinished");
    s = opened("a.log", slice_none());
    assert_string_equal(drained(s), "1:one|");
    write_to("a.log", "w", "x\n");
    assert_string_equal(drained(s), "2:lost(10)|3:x|");
    write_to("a.log", "w", "yy\n"); /* regrown past the offset: known by its tail */
    assert_string_equal(drained(s), "4:yy|");
    source_file_close(s);
}

static struct source_file *resumed(struct source_file *s, const char *pattern) {
    struct buf position;
    struct source_file *again;
    buf_init(&position, 4096);
    source_file_position(s, &position);
    source_file_close(s);
    again = opened(pattern, buf_slice(&position));
    buf_release(&position);
    return again;
}

static void test_resumes_in_a_file_that_was_rotated_meanwhile(void **state) {
    struct source_file *s;
    (void)state;
    append("a.log", "one\ntwo\n");
    s = opened("a.log", slice_none());
    assert_string_equal(drained(s), "1:one|2:two|");
    append("a.log", "three\n");
    moved("a.log", "old.1");
    append("a.log", "four\n");
    s = resumed(s, "a.log");
    assert_string_equal(drained(s), "3:three|4:four|");
    append("a.log", "unread\n");
    assert_int_equal(source_file_poll(s, NULL), ERR_OK); /* seen, not read */
    unlink(scratch_path(&dir, "a.log"));
    append("a.log", "five\n");
    s = resumed(s, "a.log");
    assert_string_equal(drained(s), "5:lost(7)|6:five|");
    source_file_close(s);
}

/* The reader is killed at random points and goes on from the last kept position; the files are rotated at random, also
 * several times between two looks. What was kept, together, must be every line once, with numbers without a hole. */
static void test_kill_at_random_points_gives_each_line_once(void **state) {
    static uint8_t seen[20000];
    struct source_file *s;
    struct buf position;
    unsigned written = 0, rounds, rotated = 0, i;
    uint64_t kept_seq = 0;
    (void)state;
    srand(7);
    buf_init(&position, 4096);
    append("a.log", "");
    s = opened("a.log*", slice_none());
    for (rounds = 0; rounds < 800; rounds++) {
        unsigned add = rounds < 700 ? (unsigned)rand() % 20 : 0, take = (unsigned)rand() % 25, lines[25];
        struct source_file_item item;
        char text[64], name[32];
        for (i = 0; i < add; i++) {
            snprintf(text, sizeof text, "this is line number %08u of all\n", written++);
            append("a.log", text);
        }
        if (rand() % 12 == 0 && rounds < 700) {
            snprintf(name, sizeof name, "a.log.%u", ++rotated);
            moved("a.log", name);
            append("a.log", "");
        }
        assert_int_equal(source_file_poll(s, NULL), ERR_OK);
        for (i = 0; i < take; i++) {
            assert_int_equal(source_file_next(s, &item, NULL), ERR_OK);
            if (item.what == SOURCE_FILE_NOTHING)
                break;
            assert_int_equal(item.what, SOURCE_FILE_LINE);
            assert_int_equal(item.seq, kept_seq + i + 1);
            assert_int_equal(item.line.len, 35);
            snprintf(text, sizeof text, "%.*s", SLICE_ARG(item.line));
            lines[i] = (unsigned)atoi(text + 20);
            assert_in_range(lines[i], 0, written - 1);
        }
        if (rand() % 3 || rounds == 0) { /* the batch is durable */
            kept_seq += i;
            while (i > 0)
                seen[lines[--i]]++;
            buf_clear(&position);
            source_file_position(s, &position);
        } else { /* killed before */
            source_file_close(s);
            s = opened("a.log*", buf_slice(&position));
        }
    }
    for (;;) {
        struct source_file_item item;
        char text[64];
        assert_int_equal(source_file_next(s, &item, NULL), ERR_OK);
        if (item.what == SOURCE_FILE_NOTHING)
            break;
        snprintf(text, sizeof text, "%.*s", SLICE_ARG(item.line));
        seen[atoi(text + 20)]++;
        assert_int_equal(item.seq, ++kept_seq);
    }
    assert_true(written > 5000 && rotated > 30);
    for (i = 0; i < written; i++)
        assert_int_equal(seen[i], 1);
    assert_int_equal(kept_seq, written);
    source_file_close(s);
    buf_release(&position);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_partial_line_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_line_is_told_with_its_size, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rename_and_create_is_followed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_copytruncate_reads_the_rest_from_the_copy, setup, teardown),
        cmocka_unit_test_setup_teardown(test_copy_that_matches_the_glob_is_not_read_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(test_truncation_with_unread_bytes_is_a_loss, setup, teardown),
        cmocka_unit_test_setup_teardown(test_resumes_in_a_file_that_was_rotated_meanwhile, setup, teardown),
        cmocka_unit_test_setup_teardown(test_kill_at_random_points_gives_each_line_once, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
