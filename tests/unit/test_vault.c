/* tests/unit/test_vault.c -- the vault: V1 to V4, damage in every byte, kill at any moment, erasure. */
#include "ledger/kv.h"
#include "ledger/vault.h"
#include "tests/support/scratch.h"
#include "tests/support/vault_forge.h"
#include "wire/mem.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

struct fixture {
    struct scratch dir;
    struct vault *vault;
    uint8_t key[VAULT_KEY_SIZE];
    struct buf raw;
    struct err e;
};

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    scratch_make(&f->dir);
    memset(f->key, 7, sizeof f->key);
    buf_init(&f->raw, VAULT_GET_MAX);
    *state = f;
    return sodium_init() < 0 || vault_open(scratch_path(&f->dir, "vault"), f->key, &f->vault, &f->e);
}

static int teardown(void **state) {
    struct fixture *f = *state;
    mem_fail_at(0);
    vault_close(f->vault);
    buf_release(&f->raw);
    scratch_remove(&f->dir);
    free(f);
    return 0;
}

static struct vault_item item_of(const char *raw, uint8_t salt) {
    struct vault_item it = {.how = RECORD_SALTED, .raw = slice_str(raw)};
    memset(it.salt, salt, sizeof it.salt);
    it.raw_hash = commitment_of(it.how, it.salt, it.raw);
    it.meta.source = slice_str("web-访问日志");
    it.meta.seq = 9;
    it.meta.time = 1000;
    return it;
}

static enum vault_state look(struct fixture *f, const struct digest *h, struct vault_item *it) {
    enum vault_state s = 0;
    assert_int_equal(vault_get(f->vault, h, &s, &f->raw, it, &f->e), ERR_OK);
    return s;
}

static const char LOG[] = "2024-05-01 张三 queried user 42 from 10.0.0.1; and again and again and again and again";

static void test_put_get_returns_what_was_put(void **state) {
    struct fixture *f = *state;
    struct vault_item it = item_of(LOG, 1), got;
    assert_int_equal(vault_put(f->vault, &it, 1, &f->e), ERR_OK);
    assert_int_equal(vault_put(f->vault, &it, 1, &f->e), ERR_OK); /* a retry */
    vault_close(f->vault);
    assert_int_equal(vault_open(scratch_path(&f->dir, "vault"), f->key, &f->vault, &f->e), ERR_OK);
    assert_int_equal(look(f, &it.raw_hash, &got), VAULT_FOUND);
    assert_true(slice_eq(got.raw, it.raw));
    assert_memory_equal(got.salt, it.salt, sizeof it.salt);
    assert_true(slice_eq(got.meta.source, it.meta.source));
    assert_int_equal(got.meta.size, it.raw.len);
    assert_int_equal(got.meta.seq, 9);
}

static void test_get_unknown_missing_empty_found(void **state) {
    struct fixture *f = *state;
    struct vault_item it = item_of("", 1), got;
    assert_int_equal(look(f, &it.raw_hash, &got), VAULT_MISSING);
    assert_int_equal(vault_put(f->vault, &it, 1, &f->e), ERR_OK);
    assert_int_equal(look(f, &it.raw_hash, &got), VAULT_FOUND);
    assert_int_equal(got.raw.len, 0);
}

static void test_flip_of_each_byte_damaged(void **state) {
    struct fixture *f = *state;
    struct vault_item it = item_of(LOG, 2), got;
    assert_int_equal(vault_put(f->vault, &it, 1, &f->e), ERR_OK);
    size_t len = vault_forge_size(f->vault, &it.raw_hash);
    assert_true(len > 60);
    for (size_t i = 0; i < len; i++) {
        uint8_t mask = (uint8_t)(1U << (i % 8));
        assert_int_equal(vault_forge_flip(f->vault, &it.raw_hash, i, mask, &f->e), ERR_OK);
        assert_int_equal(look(f, &it.raw_hash, &got), VAULT_DAMAGED);
        assert_int_equal(got.raw.len, 0);
        assert_int_equal(vault_forge_flip(f->vault, &it.raw_hash, i, mask, &f->e), ERR_OK);
    }
    assert_int_equal(look(f, &it.raw_hash, &got), VAULT_FOUND);
}

static enum err_code rewrite(struct kv_txn *t, void *ctx, struct err *e) {
    struct { /* flips a byte below the checksum and makes the checksum anew */
        struct digest hash;
        size_t at;
        size_t len;
    } *x = ctx;
    struct slice v;
    uint8_t copy[4096];
    enum err_code c = kv_get(t, 0, digest_slice(&x->hash), &v, e);
    if (c)
        return c;
    memcpy(copy, v.ptr, v.len);
    copy[x->at] ^= 0x10;
    x->len = v.len;
    return kv_put(t, 0, digest_slice(&x->hash), slice_of(copy, v.len), e);
}

static void test_flip_with_good_checksum_damaged(void **state) {
    struct fixture *f = *state;
    struct vault_item it = item_of(LOG, 3), got;
    struct {
        struct digest hash;
        size_t at;
        size_t len;
    } x = {it.raw_hash, 0, 1};
    assert_int_equal(vault_put(f->vault, &it, 1, &f->e), ERR_OK);
    for (x.at = 0; x.at < x.len; x.at++) {
        assert_int_equal(kv_update(vault_kv(f->vault), rewrite, &x, &f->e), ERR_OK);
        assert_int_equal(look(f, &it.raw_hash, &got), VAULT_DAMAGED);
        assert_int_equal(kv_update(vault_kv(f->vault), rewrite, &x, &f->e), ERR_OK);
    }
    assert_int_equal(look(f, &it.raw_hash, &got), VAULT_FOUND);
}

static void test_forged_found_but_mismatched_deleted_missing(void **state) {
    struct fixture *f = *state;
    struct vault_item it = item_of(LOG, 4), got;
    struct vault_report r;
    assert_int_equal(vault_put(f->vault, &it, 1, &f->e), ERR_OK);
    assert_int_equal(vault_forge(f->vault, f->key, scratch_path(&f->dir, "spare"), &it.raw_hash,
                                 slice_str("nothing happened"), &f->e),
                     ERR_OK);
    assert_int_equal(look(f, &it.raw_hash, &got), VAULT_FOUND);
    assert_true(slice_eq_str(got.raw, "nothing happened"));
    struct digest is = commitment_of(got.how, got.salt, got.raw);
    assert_false(digest_eq(&is, &it.raw_hash));
    assert_int_equal(vault_check(f->vault, &r, &f->e), ERR_OK);
    assert_int_equal(r.mismatched, 1);
    assert_true(digest_eq(&r.first_bad, &it.raw_hash));
    assert_int_equal(vault_forge_delete(f->vault, &it.raw_hash, &f->e), ERR_OK);
    assert_int_equal(look(f, &it.raw_hash, &got), VAULT_MISSING);
}

static bool count_tombs(void *ctx, const struct vault_tombstone *t) {
    unsigned *n = ctx;
    assert_int_equal(t->what, VAULT_ERASE_BOTH);
    assert_true(slice_eq_str(t->reason, "法定删除"));
    *n += t->announced ? 100 : 1;
    return true;
}

static void test_erase_keeps_tombstone_and_respects_hold(void **state) {
    struct fixture *f = *state;
    struct vault_item it = item_of(LOG, 5), got;
    unsigned n = 0;
    it.meta.retain_until = 5000;
    assert_int_equal(vault_put(f->vault, &it, 1, &f->e), ERR_OK);
    struct slice why = slice_str("法定删除");
    assert_int_equal(vault_erase(f->vault, &it.raw_hash, VAULT_ERASE_SALT, 4999, why, &f->e), ERR_NOT_ALLOWED);
    assert_int_equal(vault_hold(f->vault, &it.raw_hash, true, &f->e), ERR_OK);
    assert_int_equal(vault_erase(f->vault, &it.raw_hash, VAULT_ERASE_SALT, 6000, why, &f->e), ERR_NOT_ALLOWED);
    assert_int_equal(vault_hold(f->vault, &it.raw_hash, false, &f->e), ERR_OK);
    assert_int_equal(vault_erase(f->vault, &it.raw_hash, VAULT_ERASE_SALT, 6000, why, &f->e), ERR_OK);
    assert_int_equal(look(f, &it.raw_hash, &got), VAULT_ERASED);
    assert_int_equal(vault_erase(f->vault, &it.raw_hash, VAULT_ERASE_SALT, 6000, why, &f->e), ERR_CONFLICT);
    assert_int_equal(vault_erase(f->vault, &it.raw_hash, VAULT_ERASE_RAW, 6000, why, &f->e), ERR_OK);
    assert_int_equal(vault_forge_size(f->vault, &it.raw_hash), 0);
    assert_int_equal(vault_put(f->vault, &it, 1, &f->e), ERR_OK); /* V3: never put again */
    assert_int_equal(look(f, &it.raw_hash, &got), VAULT_ERASED);
    assert_int_equal(vault_tombstones(f->vault, count_tombs, &n, &f->e), ERR_OK);
    assert_int_equal(vault_announced(f->vault, &it.raw_hash, &f->e), ERR_OK);
    assert_int_equal(vault_tombstones(f->vault, count_tombs, &n, &f->e), ERR_OK);
    assert_int_equal(n, 101);
    assert_int_equal(vault_compact(f->vault, &f->e), ERR_OK);
    assert_int_equal(look(f, &it.raw_hash, &got), VAULT_ERASED);
}

static void test_key_other_or_open_refused(void **state) {
    struct fixture *f = *state;
    const char *path = scratch_path(&f->dir, "vault.key");
    uint8_t *key = NULL, *again = NULL, other[VAULT_KEY_SIZE] = {1};
    assert_int_equal(vault_key_load(path, &key, &f->e), ERR_OK);
    assert_int_equal(vault_key_load(path, &again, &f->e), ERR_OK);
    assert_memory_equal(key, again, VAULT_KEY_SIZE);
    sodium_free(key);
    sodium_free(again);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(vault_key_load(path, &key, &f->e), ERR_NOT_ALLOWED);
    vault_close(f->vault);
    f->vault = NULL;
    assert_int_equal(vault_open(scratch_path(&f->dir, "vault"), other, &f->vault, &f->e), ERR_MISMATCH);
}

static void test_file_cut_short_is_corrupt(void **state) {
    struct fixture *f = *state;
    struct vault_item items[40];
    char text[40][64];
    for (int i = 0; i < 40; i++) {
        (void)snprintf(text[i], sizeof text[i], "log %d", i);
        items[i] = item_of(text[i], 6);
    }
    assert_int_equal(vault_put(f->vault, items, 40, &f->e), ERR_OK);
    vault_close(f->vault);
    f->vault = NULL;
    assert_int_equal(truncate(scratch_path(&f->dir, "vault/data.mdb"), 3 * 4096), 0);
    assert_int_equal(vault_open(scratch_path(&f->dir, "vault"), f->key, &f->vault, &f->e), ERR_CORRUPT);
}

/* Every Nth allocation fails: an error and nothing half done, never a crash. */
static void test_out_of_memory_at_each_allocation(void **state) {
    struct fixture *f = *state;
    for (unsigned long n = 1; n < 200; n++) {
        struct vault_item it = item_of(LOG, (uint8_t)(20 + n)), got;
        enum vault_state s = 0;
        mem_fail_at(n);
        enum err_code c = vault_put(f->vault, &it, 1, &f->e);
        buf_release(&f->raw);
        enum err_code g = c ? ERR_OK : vault_get(f->vault, &it.raw_hash, &s, &f->raw, &got, &f->e);
        mem_fail_at(0);
        if (c && c != ERR_NO_MEMORY && c != ERR_TOO_LARGE) /* buf_check does not tell them apart */
            fail_msg("allocation %lu: %s %s", n, err_name(c), f->e.text);
        assert_true(g == ERR_OK || g == ERR_NO_MEMORY || g == ERR_TOO_LARGE);
        assert_int_equal(look(f, &it.raw_hash, &got), c ? VAULT_MISSING : VAULT_FOUND);
        if (!c && !g)
            return;
    }
    fail_msg("never enough memory");
}

/* A child puts lots and tells each that is durable; it is killed at some moment. All told ones are whole (V1). */
static void test_kill_keeps_what_was_acknowledged(void **state) {
    struct fixture *f = *state;
    vault_close(f->vault);
    f->vault = NULL;
    for (int round = 0; round < 5; round++) {
        int p[2];
        assert_int_equal(pipe(p), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            for (uint32_t i = 0;; i++) {
                struct vault_item it[4];
                char text[4][32];
                for (uint32_t j = 0; j < 4; j++) {
                    (void)snprintf(text[j], sizeof text[j], "%d/%u/%u", round, i, j);
                    it[j] = item_of(text[j], 8);
                }
                if (!f->vault && vault_open(scratch_path(&f->dir, "vault"), f->key, &f->vault, NULL))
                    _exit(2);
                if (vault_put(f->vault, it, 4, NULL) || write(p[1], &i, sizeof i) != sizeof i)
                    _exit(2);
            }
        }
        close(p[1]);
        uint32_t last = 0, seen = 0;
        while (seen < 2 + (uint32_t)round * 3 && read(p[0], &last, sizeof last) == sizeof last)
            seen++;
        usleep((useconds_t)(randombytes_uniform(3000)));
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        while (read(p[0], &last, sizeof last) == sizeof last)
            seen++;
        close(p[0]);
        assert_true(seen > 0);
        assert_int_equal(vault_open(scratch_path(&f->dir, "vault"), f->key, &f->vault, &f->e), ERR_OK);
        for (uint32_t i = 0; i <= last; i++)
            for (uint32_t j = 0; j < 4; j++) {
                char text[32];
                struct vault_item it, got;
                (void)snprintf(text, sizeof text, "%d/%u/%u", round, i, j);
                it = item_of(text, 8);
                assert_int_equal(look(f, &it.raw_hash, &got), VAULT_FOUND);
                assert_true(slice_eq(got.raw, it.raw));
            }
        vault_close(f->vault);
        f->vault = NULL;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_put_get_returns_what_was_put, setup, teardown),
        cmocka_unit_test_setup_teardown(test_get_unknown_missing_empty_found, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flip_of_each_byte_damaged, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flip_with_good_checksum_damaged, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forged_found_but_mismatched_deleted_missing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_erase_keeps_tombstone_and_respects_hold, setup, teardown),
        cmocka_unit_test_setup_teardown(test_key_other_or_open_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_file_cut_short_is_corrupt, setup, teardown),
        cmocka_unit_test_setup_teardown(test_out_of_memory_at_each_allocation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_kill_keeps_what_was_acknowledged, setup, teardown),
    };
    return cmocka_run_group_tests_name("vault", tests, NULL, NULL);
}
