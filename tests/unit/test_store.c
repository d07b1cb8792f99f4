/* Tests of ledger/store*.c: docs/PROTOCOL.md 10. Both stores against a plain model, growth, crash, poison, faults. */
#include "ledger/store.h"
#include "tests/support/ledger_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

/* ---- system calls that LMDB makes, failing at the Nth: the program's own definitions come before libc's ---- */

static long fault_at; /* the Nth call and all after it fail; 0: none. Set in child processes only */
static int fault_errno;

static bool fault_due(void) {
    if (fault_at == 0)
        return false;
    if (fault_at > 1) {
        fault_at--;
        return false;
    }
    errno = fault_errno;
    return true;
}
ssize_t pwrite(int fd, const void *p, size_t n, off_t at) {
    return fault_due() ? -1 : syscall(SYS_pwrite64, fd, p, n, at);
}
ssize_t pwritev(int fd, const struct iovec *v, int n, off_t at) {
    return fault_due() ? -1 : syscall(SYS_pwritev, fd, v, n, (unsigned long)at, (unsigned long)((uint64_t)at >> 32));
}
ssize_t write(int fd, const void *p, size_t n) {
    return fd > 2 && fault_due() ? -1 : syscall(SYS_write, fd, p, n);
}
int fdatasync(int fd) {
    return fault_due() ? -1 : (int)syscall(SYS_fdatasync, fd);
}

/* ---- helpers ---- */

struct place {
    char dir[64];
    struct store *store;
    struct store_options o;
};

static void place_open(struct place *p, bool lmdb) {
    struct err e = {.text = ""};
    enum err_code code = lmdb ? store_open_lmdb(p->dir, &p->o, &p->store, &e) : store_open_mem(&p->store, &e);
    if (code != ERR_OK)
        fail_msg("%s", e.text);
}
static void place_make(struct place *p) {
    snprintf(p->dir, sizeof p->dir, "/tmp/assay-test-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
}
static void place_remove(struct place *p) {
    char path[96];
    snprintf(path, sizeof path, "%s/data.mdb", p->dir);
    unlink(path);
    snprintf(path, sizeof path, "%s/lock.mdb", p->dir);
    unlink(path);
    rmdir(p->dir);
}
static void put_one(struct store *s, const char *key, const char *value) {
    struct store_txn *t;
    struct err e;
    assert_int_equal(store_begin_write(s, &t, &e), ERR_OK);
    assert_int_equal(store_put(t, STORE_META, slice_str(key), slice_str(value), &e), ERR_OK);
    assert_int_equal(store_commit(t, &e), ERR_OK);
}
static enum err_code get_one(struct store *s, const char *key, char out[64]) {
    struct store_txn *t;
    struct slice v;
    struct err e;
    enum err_code code = store_begin_read(s, &t, &e);
    if (code != ERR_OK)
        return code;
    code = store_get(t, STORE_META, slice_str(key), &v, &e);
    if (code == ERR_OK)
        snprintf(out, 64, "%.*s", SLICE_ARG(v));
    store_abort(t);
    return code;
}

/* ---- the model: keys 1..255 of one byte, values by number ---- */

enum { MODEL_KEYS = 256 };
struct model {
    unsigned value[MODEL_KEYS]; /* 0: absent */
};

static void model_compare(struct store_txn *t, const struct model *m, uint64_t *seed) {
    static const enum store_seek hows[] = {STORE_AT_OR_ABOVE, STORE_ABOVE, STORE_AT_OR_BELOW, STORE_BELOW};
    unsigned i, n = 0;
    uint64_t count;
    struct err e;
    struct slice key, v;
    for (i = 1; i < MODEL_KEYS; i++) {
        uint8_t k = (uint8_t)i;
        enum err_code code = store_get(t, STORE_VOTES, slice_of(&k, 1), &v, &e);
        assert_int_equal(code, m->value[i] ? ERR_OK : ERR_NOT_FOUND);
        if (code == ERR_OK)
            assert_memory_equal(v.ptr, &m->value[i], sizeof m->value[i]);
        n += m->value[i] != 0;
    }
    assert_int_equal(store_count(t, STORE_VOTES, &count, &e), ERR_OK);
    assert_int_equal(count, n);
    for (i = 0; i < 20; i++) {
        enum store_seek how = hows[ledger_fixture_random(seed) % 4];
        uint8_t k = (uint8_t)(1 + ledger_fixture_random(seed) % 255);
        int at = k, step = how == STORE_AT_OR_ABOVE || how == STORE_ABOVE ? 1 : -1;
        bool end = how == STORE_BELOW && ledger_fixture_random(seed) % 3 == 0;
        if (end)
            at = 256;
        if (how == STORE_ABOVE || how == STORE_BELOW)
            at += step;
        while (at > 0 && at < MODEL_KEYS && !m->value[at])
            at += step;
        enum err_code code = store_seek(t, STORE_VOTES, how, end ? slice_none() : slice_of(&k, 1), &key, &v, &e);
        assert_int_equal(code, at > 0 && at < MODEL_KEYS ? ERR_OK : ERR_NOT_FOUND);
        if (code == ERR_OK)
            assert_int_equal(key.ptr[0], at);
    }
}

static void model_run(bool lmdb) {
    struct place p = {.o = {.map_bytes = 1 << 20}};
    struct model m = {{0}}, next, old;
    uint64_t seed = 42;
    unsigned i, j;
    place_make(&p);
    place_open(&p, lmdb);
    for (i = 0; i < 120; i++) {
        struct store_txn *t, *reader;
        struct err e;
        assert_int_equal(store_begin_read(p.store, &reader, &e), ERR_OK);
        old = m;
        assert_int_equal(store_begin_write(p.store, &t, &e), ERR_OK);
        assert_int_equal(store_begin_write(p.store, &reader, &e), ERR_BUSY);
        next = m;
        for (j = 0; j < 12; j++) {
            uint8_t k = (uint8_t)(1 + ledger_fixture_random(&seed) % 255);
            unsigned v = ledger_fixture_random(&seed) | 1;
            struct slice key = slice_of(&k, 1), value = slice_of(&v, sizeof v);
            switch (ledger_fixture_random(&seed) % 4) {
            case 0:
                assert_int_equal(store_put_new(t, STORE_VOTES, key, value, &e),
                                 next.value[k] == 0 || next.value[k] == v ? ERR_OK : ERR_CONFLICT);
                if (!next.value[k])
                    next.value[k] = v;
                break;
            case 1:
                assert_int_equal(store_del(t, STORE_VOTES, key, &e), next.value[k] ? ERR_OK : ERR_NOT_FOUND);
                next.value[k] = 0;
                break;
            case 2: {
                unsigned top = 255;
                while (top > 0 && !next.value[top])
                    top--;
                assert_int_equal(store_append(t, STORE_VOTES, key, value, &e), k > top ? ERR_OK : ERR_CONFLICT);
                if (k > top)
                    next.value[k] = v;
                break;
            }
            default:
                assert_int_equal(store_put(t, STORE_VOTES, key, value, &e), ERR_OK);
                next.value[k] = v;
            }
        }
        model_compare(t, &next, &seed);
        model_compare(reader, &old, &seed);
        if (ledger_fixture_random(&seed) % 4 == 0) {
            store_abort(t);
        } else {
            assert_int_equal(store_commit(t, &e), ERR_OK);
            m = next;
        }
        model_compare(reader, &old, &seed); /* its snapshot stands */
        store_abort(reader);
        if (lmdb && i % 10 == 9) {
            store_close(p.store);
            place_open(&p, true);
        }
        assert_int_equal(store_begin_read(p.store, &reader, &e), ERR_OK);
        model_compare(reader, &m, &seed);
        store_abort(reader);
    }
    store_close(p.store);
    place_remove(&p);
}

static void test_lmdb_equals_model(void **state) {
    (void)state;
    model_run(true);
}
static void test_mem_equals_model(void **state) {
    (void)state;
    model_run(false);
}

static void test_values_are_checked_on_read(void **state) {
    unsigned kind;
    (void)state;
    for (kind = 0; kind < 2; kind++) {
        struct place p = {.o = {0}};
        struct store_txn *t;
        struct slice raw, v, key;
        uint8_t bytes[64];
        struct err e;
        size_t i;
        place_make(&p);
        place_open(&p, kind);
        put_one(p.store, "k", "value");
        assert_int_equal(store_begin_write(p.store, &t, &e), ERR_OK);
        assert_int_equal(store_raw_get(t, STORE_META, slice_str("k"), &raw, &e), ERR_OK);
        assert_int_equal(raw.len, 5 + STORE_CHECKSUM);
        memcpy(bytes, raw.ptr, raw.len);
        for (i = 0; i < 5 + STORE_CHECKSUM; i++) {
            bytes[i] ^= 4;
            assert_int_equal(store_raw_put(t, STORE_META, slice_str("k"), slice_of(bytes, 13), &e), ERR_OK);
            assert_int_equal(store_get(t, STORE_META, slice_str("k"), &v, &e), ERR_CORRUPT);
            assert_int_equal(store_seek(t, STORE_META, STORE_AT_OR_ABOVE, slice_none(), &key, &v, &e), ERR_CORRUPT);
            bytes[i] ^= 4;
        }
        assert_int_equal(store_raw_put(t, STORE_META, slice_str("moved"), slice_of(bytes, 13), &e), ERR_OK);
        assert_int_equal(store_get(t, STORE_META, slice_str("moved"), &v, &e), ERR_CORRUPT); /* of another key */
        store_abort(t);
        store_close(p.store);
        place_remove(&p);
    }
}

static void *short_reader(void *ctx) {
    struct place *p = ctx;
    unsigned i;
    for (i = 0; i < 300; i++) {
        char text[64];
        assert_int_equal(get_one(p->store, "k", text), ERR_OK);
        assert_string_equal(text, "v");
    }
    return NULL;
}

static void test_map_grows_under_readers_and_file_stays_small(void **state) {
    struct place p = {.o = {.map_bytes = 1 << 20}};
    uint8_t *big = calloc(1, 200000);
    struct stat st;
    pthread_t thread;
    char path[96];
    uint64_t i;
    (void)state;
    place_make(&p);
    place_open(&p, true);
    put_one(p.store, "k", "v");
    pthread_create(&thread, NULL, short_reader, &p);
    for (i = 1; i <= 40; i++) {
        struct store_txn *t;
        struct err e = {.text = ""};
        uint8_t key[8] = {0, 0, 0, 0, 0, 0, 0, (uint8_t)i};
        assert_int_equal(store_begin_write(p.store, &t, &e), ERR_OK);
        assert_int_equal(store_append(t, STORE_BODIES, slice_of(key, 8), slice_of(big, 200000), &e), ERR_OK);
        assert_int_equal(store_commit(t, &e), ERR_OK);
    }
    pthread_join(thread, NULL);
    assert_true(store_usage(p.store).map_bytes >= 16 << 20);
    store_close(p.store);
    p.o.map_bytes = 0; /* 1 GiB of map must not be 1 GiB of file */
    place_open(&p, true);
    put_one(p.store, "k", "v");
    snprintf(path, sizeof path, "%s/data.mdb", p.dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_true(st.st_size < 12 << 20);
    store_close(p.store);
    place_remove(&p);
    free(big);
}

static void test_a_full_map_is_no_space_and_poisons_nothing_unwritten(void **state) {
    struct place p = {.o = {.map_bytes = 1 << 20, .map_bytes_max = 1 << 20}};
    uint8_t *big = calloc(1, 4 << 20);
    struct store_txn *t;
    char text[64];
    struct err e;
    (void)state;
    place_make(&p);
    place_open(&p, true);
    put_one(p.store, "k", "v");
    assert_int_equal(store_begin_write(p.store, &t, &e), ERR_OK);
    assert_int_equal(store_put(t, STORE_META, slice_str("big"), slice_of(big, 4 << 20), &e), ERR_NO_SPACE);
    store_abort(t);
    assert_int_equal(get_one(p.store, "k", text), ERR_OK);
    store_close(p.store);
    place_remove(&p);
    free(big);
}

static void test_twin_keeps_a_prefix_of_held_commits(void **state) {
    unsigned keep;
    (void)state;
    for (keep = 0; keep <= 3; keep++) {
        struct place p = {.o = {0}};
        char text[64], want[8];
        unsigned i;
        place_open(&p, false);
        put_one(p.store, "k", "0");
        store_mem_hold(p.store, true);
        for (i = 1; i <= 3; i++) {
            snprintf(want, sizeof want, "%u", i);
            put_one(p.store, "k", want);
        }
        assert_int_equal(get_one(p.store, "k", text), ERR_OK);
        assert_string_equal(text, "3");
        store_mem_crash(p.store, keep);
        snprintf(want, sizeof want, "%u", keep);
        assert_int_equal(get_one(p.store, "k", text), ERR_OK);
        assert_string_equal(text, want);
        store_close(p.store);
    }
}

static void test_a_failed_commit_poisons(void **state) {
    struct place p = {.o = {0}};
    struct store_txn *t;
    char text[64];
    struct err e;
    (void)state;
    place_open(&p, false);
    put_one(p.store, "k", "v");
    store_mem_fail_at(p.store, 1, ERR_IO);
    assert_int_equal(store_begin_write(p.store, &t, &e), ERR_OK);
    assert_int_equal(store_put(t, STORE_META, slice_str("k"), slice_str("w"), &e), ERR_OK);
    assert_int_equal(store_commit(t, &e), ERR_IO);
    assert_true(store_poisoned(p.store));
    assert_int_equal(store_begin_write(p.store, &t, &e), ERR_IO);
    assert_int_equal(get_one(p.store, "k", text), ERR_IO);
    store_mem_crash(p.store, 0);
    assert_int_equal(get_one(p.store, "k", text), ERR_OK);
    assert_string_equal(text, "v");
    store_close(p.store);
}

/* Child: opens, counts up in committed steps with the Nth write or sync failing; exits with what is promised. */
static int faulty_child(const struct place *p, long nth, int error) {
    struct store *s;
    struct err e;
    int done = 0;
    fault_at = nth;
    fault_errno = error;
    if (store_open_lmdb(p->dir, NULL, &s, &e) != ERR_OK)
        return e.code == ERR_IO || e.code == ERR_NO_SPACE ? 0 : 99;
    for (; done < 5; done++) {
        struct store_txn *t;
        char value[16];
        enum err_code code = store_begin_write(s, &t, &e);
        if (code != ERR_OK)
            break;
        snprintf(value, sizeof value, "%d", done + 1);
        code = store_put(t, STORE_META, slice_str("k"), slice_str(value), &e);
        if (code != ERR_OK) {
            store_abort(t);
            break;
        }
        code = store_commit(t, &e);
        if (code != ERR_OK) {
            if (code != (error == ENOSPC ? ERR_NO_SPACE : ERR_IO) || !store_poisoned(s))
                return 98;
            if (store_begin_write(s, &t, &e) == ERR_OK)
                return 97;
            break;
        }
    }
    return done;
}

static void test_every_failing_write_or_sync_loses_nothing_promised(void **state) {
    static const int errors[] = {EIO, ENOSPC};
    unsigned kind;
    (void)state;
    for (kind = 0; kind < 2; kind++) {
        long nth;
        int promised = -1;
        for (nth = 1; promised < 5; nth++) {
            struct place p = {.o = {0}};
            char text[64];
            int status, there = 0;
            pid_t pid;
            assert_true(nth < 60);
            place_make(&p);
            pid = fork();
            if (pid == 0)
                _exit(faulty_child(&p, nth, errors[kind]));
            assert_int_equal(waitpid(pid, &status, 0), pid);
            assert_true(WIFEXITED(status));
            promised = WEXITSTATUS(status);
            assert_true(promised <= 5);
            place_open(&p, true);
            if (get_one(p.store, "k", text) == ERR_OK)
                there = atoi(text);
            assert_true(there == promised || there == promised + 1); /* the failed one may or may not be there */
            store_close(p.store);
            place_remove(&p);
        }
        assert_true(nth > 10); /* the calls were indeed ours to fail */
    }
}

static void test_reader_slots_are_bounded(void **state) {
    struct place p = {.o = {.readers = 4}};
    struct store_txn *t[8];
    struct err e;
    unsigned n = 0, cleared;
    (void)state;
    place_make(&p);
    place_open(&p, true);
    while (n < 8 && store_begin_read(p.store, &t[n], &e) == ERR_OK)
        n++;
    assert_int_equal(n, 4);
    assert_int_equal(e.code, ERR_FULL);
    while (n > 0)
        store_abort(t[--n]);
    assert_int_equal(store_clear_dead(p.store, &cleared, &e), ERR_OK);
    store_close(p.store);
    place_remove(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lmdb_equals_model),
        cmocka_unit_test(test_mem_equals_model),
        cmocka_unit_test(test_values_are_checked_on_read),
        cmocka_unit_test(test_map_grows_under_readers_and_file_stays_small),
        cmocka_unit_test(test_a_full_map_is_no_space_and_poisons_nothing_unwritten),
        cmocka_unit_test(test_twin_keeps_a_prefix_of_held_commits),
        cmocka_unit_test(test_a_failed_commit_poisons),
        cmocka_unit_test(test_every_failing_write_or_sync_loses_nothing_promised),
        cmocka_unit_test(test_reader_slots_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
