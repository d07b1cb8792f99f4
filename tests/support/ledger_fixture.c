/* tests/support/ledger_fixture.c -- see ledger_fixture.h. */
#include "tests/support/ledger_fixture.h"

#include "wire/mem.h"
#include "wire/pack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static void fixture_notice(void *ctx, const struct pool_notice *n) {
    ((struct ledger_fixture *)ctx)->fate[n->fate]++;
}
static enum err_code fixture_entry(void *ctx, const struct chain_context *c, const struct chain_entry *x,
                                   struct err *e) {
    struct ledger_fixture *f = ctx;
    (void)c;
    if (f->refuse && memmem(x->bytes.ptr, x->bytes.len, f->refuse, strlen(f->refuse)))
        return err_set(e, ERR_NONCONFORMING, "the text is refused");
    return ERR_OK;
}
static void fixture_final(void *ctx, const struct digest *hash, const struct header *h) {
    (void)hash;
    (void)h;
    ((struct ledger_fixture *)ctx)->finals++;
}
static void fixture_drop(void *ctx, const struct digest *hash) {
    (void)hash;
    ((struct ledger_fixture *)ctx)->drops++;
}

static void fixture_open_chain(struct ledger_fixture *f) {
    struct err e = {.text = ""};
    struct chain_options o = {.channel = f->channel};
    if (pool_open(fixture_notice, f, &f->pool, &e) != ERR_OK)
        fail_msg("%s", e.text);
    o.store = f->store;
    o.pool = f->pool;
    o.rules = (struct chain_rules){.ctx = f, .entry = fixture_entry, .final = fixture_final, .drop = fixture_drop};
    if (chain_open(&o, &f->chain, &e) != ERR_OK)
        fail_msg("%s", e.text);
}

static void fixture_open_store(struct ledger_fixture *f) {
    struct err e = {.text = ""};
    enum err_code code = f->dir[0] ? store_open_lmdb(f->dir, NULL, &f->store, &e) : store_open_mem(&f->store, &e);
    if (code != ERR_OK)
        fail_msg("%s", e.text);
}

void ledger_fixture_open(struct ledger_fixture *f, bool lmdb) {
    uint8_t seed[SIGN_SEED_SIZE] = {0};
    struct err e;
    unsigned i;
    *f = (struct ledger_fixture){.channel = digest_of(slice_str("channel"))};
    assert_int_equal(sign_start(&e), ERR_OK);
    if (lmdb) {
        snprintf(f->dir, sizeof f->dir, "/tmp/assay-test-XXXXXX");
        assert_non_null(mkdtemp(f->dir));
    }
    for (i = 0; i < FIXTURE_SUBMITTERS; i++) {
        seed[0] = (uint8_t)(i + 1);
        assert_int_equal(sign_from_seed(seed, &f->secret[i], &f->key[i], &e), ERR_OK);
    }
    fixture_open_store(f);
    fixture_open_chain(f);
}

void ledger_fixture_reopen(struct ledger_fixture *f) {
    chain_close(f->chain);
    pool_close(f->pool);
    if (f->dir[0]) {
        store_close(f->store);
        fixture_open_store(f);
    }
    fixture_open_chain(f);
}

void ledger_fixture_close(struct ledger_fixture *f) {
    char path[96];
    unsigned i;
    chain_close(f->chain);
    pool_close(f->pool);
    store_close(f->store);
    for (i = 0; i < FIXTURE_SUBMITTERS; i++)
        sign_secret_free(f->secret[i]);
    if (!f->dir[0])
        return;
    snprintf(path, sizeof path, "%s/data.mdb", f->dir);
    unlink(path);
    snprintf(path, sizeof path, "%s/lock.mdb", f->dir);
    unlink(path);
    rmdir(f->dir);
}

void ledger_fixture_entry(struct buf *out, const char *text) {
    buf_clear(out);
    pack_array(out, 2);
    pack_u64(out, ENTRY_ANNOTATION);
    pack_map(out, 1);
    pack_cstr(out, "text");
    pack_cstr(out, text);
}

void ledger_fixture_batch(struct ledger_fixture *f, unsigned who, uint64_t seq, unsigned count, const char *text,
                          struct buf *out) {
    struct batch_builder b;
    struct buf entry;
    struct err e = {.text = ""};
    unsigned i;
    char line[256];
    buf_init(&entry, LIMIT_ENTRY);
    assert_int_equal(batch_builder_init(&b, &e), ERR_OK);
    for (i = 0; i < count; i++) {
        snprintf(line, sizeof line, "%s %u", text, i);
        ledger_fixture_entry(&entry, line);
        assert_int_equal(batch_builder_add(&b, buf_slice(&entry), &e), ERR_OK);
    }
    buf_clear(out);
    if (batch_builder_seal(&b, &f->channel, seq, f->secret[who], &f->key[who], out, NULL, &e) != ERR_OK)
        fail_msg("%s", e.text);
    batch_builder_release(&b);
    buf_release(&entry);
}

enum err_code ledger_fixture_submit(struct ledger_fixture *f, unsigned who, uint64_t seq, unsigned count,
                                    const char *text, struct err *e) {
    struct buf bytes;
    enum pool_answer answer;
    enum err_code code;
    buf_init(&bytes, BATCH_CARRIED);
    ledger_fixture_batch(f, who, seq, count, text, &bytes);
    code = chain_submit(f->chain, buf_slice(&bytes), 1000, &answer, NULL, NULL, e);
    buf_release(&bytes);
    return code;
}

struct digest ledger_fixture_block(struct ledger_fixture *f, const struct digest *parent, int64_t now) {
    struct digest at = *parent, hash;
    struct store_txn *txn;
    struct header h;
    struct buf body;
    struct err e = {.text = ""};
    buf_init(&body, LIMIT_BLOCK_BODY);
    if (chain_build(f->chain, &at, 1, NULL, now, &h, &hash, &body, &e) != ERR_OK)
        fail_msg("%s", e.text);
    assert_int_equal(store_begin_write(f->store, &txn, &e), ERR_OK);
    assert_int_equal(chain_persist(f->chain, txn, &hash, &e), ERR_OK);
    assert_int_equal(store_commit(txn, &e), ERR_OK);
    buf_release(&body);
    return hash;
}

void ledger_fixture_finalize(struct ledger_fixture *f, const struct digest *hash) {
    struct digest at = *hash; /* the caller's may be the chain's own */
    struct store_txn *txn;
    struct err e = {.text = ""};
    assert_int_equal(store_begin_write(f->store, &txn, &e), ERR_OK);
    if (chain_finalize(f->chain, txn, &at, digest_slice(&at), &e) != ERR_OK)
        fail_msg("%s", e.text);
    assert_int_equal(store_commit(txn, &e), ERR_OK);
    chain_apply(f->chain);
}

void ledger_fixture_grow(struct ledger_fixture *f, unsigned blocks, unsigned entries) {
    struct err e = {.text = ""};
    unsigned i, who;
    char text[64];
    for (i = 0; i < blocks; i++) {
        struct digest hash;
        for (who = 0; who < FIXTURE_SUBMITTERS; who++) {
            snprintf(text, sizeof text, "block %u of %u", i, who);
            if (ledger_fixture_submit(f, who, chain_final_seq(f->chain, &f->key[who]) + 1, entries, text, &e) != ERR_OK)
                fail_msg("%s", e.text);
        }
        hash = ledger_fixture_block(f, &chain_tip(f->chain)->hash, 1000 + (int64_t)i);
        ledger_fixture_finalize(f, &hash);
    }
}

uint32_t ledger_fixture_random(uint64_t *state) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33);
}
