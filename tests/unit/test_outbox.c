/* tests/unit/test_outbox.c -- the outbox against a model: O1 to O5 under random appends, seals, refusals, finality of
 * current, replaced and unknown batches, restarts; and under kill -9. */
#include "ledger/outbox.h"
#include "tests/support/scratch.h"
#include "wire/mem.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

enum { SOURCES = 3, ENTRIES = 4000, BATCHES = 4000 };

/* What was once sealed: the network may make any version final. */
struct sealed {
    uint64_t seq;
    struct digest hash;
    uint32_t count;
    uint32_t ids[64];
};

struct model {
    struct sealed *sealed;
    uint32_t sealed_count;
    unsigned final_times[ENTRIES];
    bool unordered[ENTRIES]; /* O5: the exceptions */
    uint64_t seq_max;
    uint32_t last_of[SOURCES];
    bool record;
};

struct fixture {
    struct scratch dir;
    struct outbox *box;
    struct outbox_options opt;
    struct model m;
    struct buf carried;
    struct err e;
    uint64_t seed;
};

/* An entry of the tests: source u8 ‖ number u32 ‖ some bytes. */
static uint32_t number_of(struct slice entry) {
    return buf_get32(entry.ptr + 1);
}

static enum err_code seal(void *ctx, uint64_t seq, const struct slice *entries, uint32_t count, struct buf *carried,
                          struct digest *hash, struct err *e) {
    struct fixture *f = ctx;
    size_t at = carried->len;
    buf_be64(carried, seq);
    for (uint32_t i = 0; i < count; i++) {
        buf_be16(carried, (uint16_t)entries[i].len);
        buf_append(carried, entries[i]);
    }
    enum err_code c = buf_check(carried, e);
    if (c)
        return c;
    *hash = digest_of(slice_from(buf_slice(carried), at));
    if (!f || !f->m.record)
        return ERR_OK;
    assert_true(f->m.sealed_count < BATCHES && count <= 64);
    bool filler = seq < f->m.seq_max; /* of a hole, unless its entries were in an earlier version */
    for (uint32_t i = 0; filler && i < f->m.sealed_count; i++)
        for (uint32_t j = 0; f->m.sealed[i].seq == seq && j < f->m.sealed[i].count; j++)
            filler = filler && f->m.sealed[i].ids[j] != number_of(entries[0]);
    if (filler)
        f->m.unordered[number_of(entries[0])] = true;
    f->m.seq_max = seq > f->m.seq_max ? seq : f->m.seq_max;
    struct sealed *s = &f->m.sealed[f->m.sealed_count++];
    *s = (struct sealed){.seq = seq, .hash = *hash, .count = count};
    for (uint32_t i = 0; i < count; i++)
        s->ids[i] = number_of(entries[i]);
    return ERR_OK;
}

static void open_box(struct fixture *f) {
    assert_int_equal(outbox_open(scratch_path(&f->dir, "acme"), &f->opt, &f->box, &f->e), ERR_OK);
}

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    f->m.sealed = calloc(BATCHES, sizeof *f->m.sealed);
    scratch_make(&f->dir);
    f->opt = (struct outbox_options){.seal = seal, .seal_ctx = f, .window = 6};
    buf_init(&f->carried, LIMIT_BATCH_RAW * 2);
    *state = f;
    open_box(f);
    return sodium_init() < 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    mem_fail_at(0);
    outbox_close(f->box);
    buf_release(&f->carried);
    scratch_remove(&f->dir);
    free(f->m.sealed);
    free(f);
    return 0;
}

static struct slice make_entry(uint8_t *b, uint8_t source, uint32_t number) {
    b[0] = source;
    for (int i = 0; i < 4; i++)
        b[1 + i] = (uint8_t)(number >> (24 - 8 * i));
    memset(b + 5, 'x', 20);
    return slice_of(b, 25);
}

static enum err_code append(struct fixture *f, uint32_t from, uint32_t count) {
    uint8_t bytes[64][32], pos[4];
    struct slice entries[64];
    for (uint32_t i = 0; i < count; i++)
        entries[i] = make_entry(bytes[i], (uint8_t)((from + i) % SOURCES), from + i);
    for (int i = 0; i < 4; i++)
        pos[i] = (uint8_t)((from + count) >> (24 - 8 * i));
    struct outbox_position p = {slice_str("来源"), slice_of(pos, 4)};
    return outbox_append(f->box, entries, count, &p, 1, 1000 + from, &f->e);
}

static void test_position_moves_with_entries(void **state) {
    struct fixture *f = *state;
    assert_int_equal(outbox_position_get(f->box, slice_str("来源"), &f->carried, &f->e), ERR_NOT_FOUND);
    assert_int_equal(append(f, 0, 5), ERR_OK);
    outbox_close(f->box);
    open_box(f);
    assert_int_equal(outbox_position_get(f->box, slice_str("来源"), &f->carried, &f->e), ERR_OK);
    assert_int_equal(buf_get32(f->carried.ptr), 5);
    struct outbox_stats st;
    assert_int_equal(outbox_stats(f->box, &st, &f->e), ERR_OK);
    assert_int_equal(st.entries, 5);
    assert_int_equal(st.bytes, 125);
    assert_int_equal(st.oldest, 1000);
}

static void test_full_takes_nothing(void **state) {
    struct fixture *f = *state;
    outbox_close(f->box);
    f->opt.entries_max = 10;
    open_box(f);
    assert_int_equal(append(f, 0, 8), ERR_OK);
    assert_int_equal(append(f, 8, 3), ERR_FULL);
    assert_int_equal(outbox_position_get(f->box, slice_str("来源"), &f->carried, &f->e), ERR_OK);
    assert_int_equal(buf_get32(f->carried.ptr), 8);
    assert_int_equal(append(f, 8, 2), ERR_OK);
}

static void test_resend_after_restart_is_identical(void **state) {
    struct fixture *f = *state;
    uint64_t seq, again;
    struct digest h1, h2;
    struct buf first;
    assert_int_equal(append(f, 0, 7), ERR_OK);
    assert_int_equal(outbox_cut(f->box, &seq, &f->e), ERR_OK);
    assert_int_equal(seq, 1);
    assert_int_equal(outbox_cut(f->box, &again, &f->e), ERR_NOT_FOUND);
    assert_int_equal(outbox_sealed(f->box, 1, &seq, &h1, &f->carried, &f->e), ERR_OK);
    buf_init(&first, LIMIT_BATCH_RAW);
    buf_append(&first, buf_slice(&f->carried));
    outbox_close(f->box);
    open_box(f);
    assert_int_equal(outbox_sealed(f->box, 0, &again, &h2, &f->carried, &f->e), ERR_OK);
    assert_int_equal(again, 1);
    assert_true(digest_eq(&h1, &h2) && slice_eq(buf_slice(&first), buf_slice(&f->carried)));
    buf_release(&first);
}

static void test_batch_keeps_limits(void **state) {
    struct fixture *f = *state;
    static uint8_t big[60000];
    struct slice entries[20];
    uint64_t seq;
    struct digest h;
    for (int i = 0; i < 20; i++)
        entries[i] = slice_of(big, sizeof big);
    assert_int_equal(outbox_append(f->box, entries, 20, NULL, 0, 1, &f->e), ERR_OK);
    assert_int_equal(outbox_cut(f->box, &seq, &f->e), ERR_OK);
    assert_int_equal(outbox_sealed(f->box, seq, &seq, &h, &f->carried, &f->e), ERR_OK);
    assert_int_equal(f->carried.len, 8 + 17 * (2 + sizeof big));
    assert_int_equal(outbox_cut(f->box, &seq, &f->e), ERR_OK);
    assert_int_equal(outbox_append(f->box, (struct slice[]){{big, LIMIT_ENTRY + 1}}, 1, NULL, 0, 1, &f->e),
                     ERR_TOO_LARGE);
}

static bool one_refused(void *ctx, const struct outbox_refused *r) {
    *(uint64_t *)ctx = r->id;
    assert_int_equal(number_of(r->entry), 2);
    assert_int_equal(r->code, ERR_NONCONFORMING);
    assert_true(slice_eq_str(r->reason, "缺少主体"));
    return true;
}

static void test_refused_entry_set_aside_rest_resealed(void **state) {
    struct fixture *f = *state;
    uint64_t seq, id = 0;
    struct digest h, h2;
    struct outbox_stats st;
    assert_int_equal(append(f, 0, 5), ERR_OK);
    assert_int_equal(outbox_cut(f->box, &seq, &f->e), ERR_OK);
    assert_int_equal(outbox_sealed(f->box, 1, &seq, &h, &f->carried, &f->e), ERR_OK);
    struct outbox_refusal r = {1, &h, 2, ERR_NONCONFORMING, slice_str("缺少主体"), 77};
    assert_int_equal(outbox_refuse(f->box, &r, &f->e), ERR_OK);
    assert_int_equal(outbox_refuse(f->box, &r, &f->e), ERR_NOT_FOUND); /* stale word */
    assert_int_equal(outbox_refused_each(f->box, one_refused, &id, &f->e), ERR_OK);
    assert_int_equal(outbox_sealed(f->box, 1, &seq, &h2, &f->carried, &f->e), ERR_OK);
    assert_int_equal(seq, 1);
    assert_false(digest_eq(&h, &h2));
    /* The old version becomes final after all: the refused entry must not go out a second time. */
    assert_int_equal(outbox_retry(f->box, id, slice_none(), 88, &f->e), ERR_BUSY);
    struct outbox_final fin = {.seq = 1, .hash = h};
    assert_int_equal(outbox_final(f->box, &fin, &f->e), ERR_OK);
    assert_int_equal(outbox_stats(f->box, &st, &f->e), ERR_OK);
    assert_int_equal(st.entries, 0);
    assert_int_equal(st.bytes, 0);
    assert_int_equal(st.refused, 0);
    assert_int_equal(st.next_seq, 2);
}

static void test_unknown_batch_took_seq_resealed_or_recognised(void **state) {
    struct fixture *f = *state;
    uint8_t b[32];
    uint64_t seq;
    struct outbox_stats st;
    assert_int_equal(append(f, 0, 5), ERR_OK);
    assert_int_equal(outbox_cut(f->box, &seq, &f->e), ERR_OK);
    struct outbox_final fin = {.seq = 2};
    assert_int_equal(outbox_final(f->box, &fin, &f->e), ERR_SEQUENCE);
    fin.seq = 1;
    assert_int_equal(outbox_final(f->box, &fin, &f->e), ERR_OK);
    assert_int_equal(outbox_cut(f->box, &seq, &f->e), ERR_OK);
    assert_int_equal(seq, 2);
    struct slice known = make_entry(b, 3 % SOURCES, 3);
    fin = (struct outbox_final){.seq = 2, .entries = &known, .count = 1};
    assert_int_equal(outbox_final(f->box, &fin, &f->e), ERR_OK);
    assert_int_equal(outbox_stats(f->box, &st, &f->e), ERR_OK);
    assert_int_equal(st.entries, 4);
    assert_int_equal(st.sealed_batches, 0);
    assert_int_equal(outbox_final(f->box, &fin, &f->e), ERR_OK); /* known already */
}

/* ---- against the model ---- */

/* splitmix64, so that a walk can be repeated from its seed */
static uint32_t chance(struct fixture *f, uint32_t below) {
    uint64_t z = (f->seed += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return (uint32_t)((z ^ (z >> 31)) % below);
}

static void model_final(struct fixture *f, const struct sealed *s) {
    for (uint32_t i = 0; i < s->count; i++) {
        uint32_t n = s->ids[i], source = n % SOURCES;
        assert_true(n < ENTRIES);
        assert_int_equal(++f->m.final_times[n], 1);
        if (f->m.unordered[n])
            continue;
        assert_true(n + 1 > f->m.last_of[source]);
        f->m.last_of[source] = n + 1;
    }
}

/* Any version of the next seq, old ones with a small chance. */
static bool make_final(struct fixture *f, bool newest) {
    uint64_t want = outbox_last_final(f->box) + 1;
    const struct sealed *found = NULL;
    for (uint32_t i = f->m.sealed_count; i-- > 0;)
        if (f->m.sealed[i].seq == want) {
            found = &f->m.sealed[i];
            if (newest || chance(f, 4))
                break;
        }
    if (!found)
        return false;
    struct sealed s = *found;
    struct outbox_final fin = {.seq = s.seq, .hash = s.hash};
    assert_int_equal(outbox_final(f->box, &fin, &f->e), ERR_OK);
    model_final(f, &s);
    return true;
}

struct refused_ids {
    uint64_t id[64];
    uint32_t number[64];
    uint32_t count;
};
static bool gather(void *ctx, const struct outbox_refused *r) {
    struct refused_ids *x = ctx;
    x->id[x->count] = r->id;
    x->number[x->count++] = number_of(r->entry);
    return x->count < 64;
}

static void retry_some(struct fixture *f) {
    struct refused_ids x = {.count = 0};
    assert_int_equal(outbox_refused_each(f->box, gather, &x, &f->e), ERR_OK);
    if (!x.count)
        return;
    uint32_t i = chance(f, x.count);
    enum err_code c = outbox_retry(f->box, x.id[i], slice_none(), 5, &f->e);
    assert_true(c == ERR_OK || c == ERR_BUSY);
    if (!c)
        f->m.unordered[x.number[i]] = true;
}

static void refuse_some(struct fixture *f) {
    struct digest h;
    uint64_t seq, from = outbox_last_final(f->box) + 1 + chance(f, 3);
    if (outbox_sealed(f->box, from, &seq, &h, &f->carried, &f->e))
        return;
    struct outbox_refusal r = {seq, &h, chance(f, 12), ERR_NONCONFORMING, slice_str("no"), 1};
    enum err_code c = outbox_refuse(f->box, &r, &f->e);
    assert_true(c == ERR_OK || c == ERR_NOT_FOUND);
}

static void test_random_walk_each_entry_final_once_in_order(void **state) {
    struct fixture *f = *state;
    uint32_t appended = 0;
    uint64_t seq;
    f->m.record = true;
    const char *seed = getenv("ASSAY_SEED");
    f->seed = seed ? strtoull(seed, NULL, 10) : randombytes_random();
    print_message("ASSAY_SEED=%llu\n", (unsigned long long)f->seed);
    for (int step = 0; step < 700; step++) {
        uint32_t dice = chance(f, 100), n = 1 + chance(f, 9);
        struct outbox_stats st;
        assert_int_equal(outbox_stats(f->box, &st, &f->e), ERR_OK);
        if (dice < 30 && appended + n < ENTRIES && st.entries - st.sealed_entries + n < 60) {
            assert_int_equal(append(f, appended, n), ERR_OK);
            appended += n;
        } else if (dice < 60) {
            enum err_code c = st.entries < 60 ? outbox_cut(f->box, &seq, &f->e) : ERR_BUSY;
            assert_true(c == ERR_OK || c == ERR_NOT_FOUND || c == ERR_BUSY);
        } else if (dice < 82) {
            (void)make_final(f, false);
        } else if (dice < 90) {
            refuse_some(f);
        } else if (dice < 95) {
            retry_some(f);
        } else {
            outbox_close(f->box);
            open_box(f);
        }
    }
    /* Drain: all that is not refused becomes final, exactly once. */
    for (;;) {
        enum err_code c = outbox_cut(f->box, &seq, &f->e);
        if (c != ERR_OK && !make_final(f, true)) {
            struct outbox_stats left;
            assert_int_equal(outbox_stats(f->box, &left, &f->e), ERR_OK);
            if (!left.entries)
                break;
            assert_true(left.holes > 0);
            assert_int_equal(append(f, appended++, 1), ERR_OK);
        }
    }
    struct refused_ids x = {.count = 0};
    struct outbox_stats st;
    assert_int_equal(outbox_stats(f->box, &st, &f->e), ERR_OK);
    assert_int_equal(outbox_refused_each(f->box, gather, &x, &f->e), ERR_OK);
    assert_int_equal(st.entries, 0);
    assert_int_equal(st.refused, x.count);
    assert_int_equal(st.bytes, 25 * x.count);
    for (uint32_t i = 0; i < x.count; i++)
        assert_int_equal(f->m.final_times[x.number[i]]++, 0);
    for (uint32_t i = 0; i < appended; i++)
        assert_int_equal(f->m.final_times[i], 1);
}

/* ---- kill -9 between any two operations ---- */

static void child_works(struct fixture *f, int fd) {
    f->m.record = false;
    f->opt.seal_ctx = NULL;
    if (outbox_open(scratch_path(&f->dir, "acme"), &f->opt, &f->box, NULL))
        _exit(2);
    uint32_t at = 0;
    if (!outbox_position_get(f->box, slice_str("来源"), &f->carried, NULL))
        at = buf_get32(f->carried.ptr);
    for (;; at += 3) {
        uint64_t seq;
        struct digest h;
        if (append(f, at, 3))
            _exit(2);
        uint32_t told = at + 3;
        if (write(fd, &told, sizeof told) != sizeof told)
            _exit(2);
        if (outbox_cut(f->box, &seq, NULL) == ERR_BUSY && !outbox_sealed(f->box, 0, &seq, &h, &f->carried, NULL)) {
            struct outbox_final fin = {.seq = seq, .hash = h};
            if (outbox_final(f->box, &fin, NULL))
                _exit(2);
        }
    }
}

static void test_kill_loses_and_doubles_nothing(void **state) {
    struct fixture *f = *state;
    outbox_close(f->box);
    f->box = NULL;
    uint32_t told = 0;
    for (int round = 0; round < 8; round++) {
        int p[2];
        uint32_t n = 0, v;
        assert_int_equal(pipe(p), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            child_works(f, p[1]);
        close(p[1]);
        while (n++ < 3 && read(p[0], &v, sizeof v) == sizeof v)
            told = v;
        usleep(randombytes_uniform(4000));
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        while (read(p[0], &v, sizeof v) == sizeof v)
            told = v;
        close(p[0]);
        struct outbox_stats st;
        open_box(f);
        assert_int_equal(outbox_position_get(f->box, slice_str("来源"), &f->carried, &f->e), ERR_OK);
        uint32_t at = buf_get32(f->carried.ptr);
        assert_true(at == told || at == told + 3);
        assert_int_equal(outbox_stats(f->box, &st, &f->e), ERR_OK);
        assert_int_equal(st.bytes, st.entries * 25);
        /* What is held is exactly the newest entries, without a hole. */
        struct digest h;
        uint64_t seq = 0, seen = 0;
        uint32_t next = at - (uint32_t)st.entries;
        for (uint64_t from = 0; !outbox_sealed(f->box, from, &seq, &h, &f->carried, &f->e); from = seq + 1)
            for (size_t i = 8; i < f->carried.len; i += 27, seen++)
                assert_int_equal(buf_get32(f->carried.ptr + i + 3), next++);
        assert_int_equal(seen, st.sealed_entries);
        outbox_close(f->box);
        f->box = NULL;
    }
    open_box(f);
}

static void test_out_of_memory_at_each_allocation(void **state) {
    struct fixture *f = *state;
    uint32_t at = 0;
    for (unsigned long n = 1; n < 200; n++) {
        uint64_t seq;
        struct outbox_stats st, before;
        assert_int_equal(outbox_stats(f->box, &before, &f->e), ERR_OK);
        mem_fail_at(n);
        enum err_code a = append(f, at, 2), c = outbox_cut(f->box, &seq, &f->e);
        mem_fail_at(0);
        assert_int_equal(outbox_stats(f->box, &st, &f->e), ERR_OK);
        assert_int_equal(st.entries, before.entries + (a ? 0 : 2));
        assert_int_equal(st.sealed_batches, before.sealed_batches + (c ? 0 : 1));
        at += a ? 0 : 2;
        if (!a && !c)
            return;
    }
    fail_msg("never enough memory");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_position_moves_with_entries, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_takes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_resend_after_restart_is_identical, setup, teardown),
        cmocka_unit_test_setup_teardown(test_batch_keeps_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_entry_set_aside_rest_resealed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unknown_batch_took_seq_resealed_or_recognised, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random_walk_each_entry_final_once_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_kill_loses_and_doubles_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_out_of_memory_at_each_allocation, setup, teardown),
    };
    return cmocka_run_group_tests_name("outbox", tests, NULL, NULL);
}
