/* audit/evidence.c -- see evidence.h. */
#include "audit/evidence.h"

#include "wire/limits.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>

enum {
    EVIDENCE_NPUB = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    EVIDENCE_TAG = crypto_aead_xchacha20poly1305_ietf_ABYTES
};
static const char evidence_tag[] = "assay/evidence/v1"; /* its NUL is part of the associated data */
enum { EVIDENCE_AD = sizeof evidence_tag + DIGEST_SIZE + EVIDENCE_CASE_SIZE };

/* ---- asking ---- */

/* What a record or dead letter commits to. */
static enum err_code evidence_target(struct slice bytes, struct evidence_request *r, struct err *e) {
    struct entry entry;
    struct arena a;
    union {
        struct record record;
        struct dead_letter dead;
    } u;
    enum err_code c = entry_read(bytes, &entry, e);
    if (c)
        return c;
    arena_init(&a, 1 << 20);
    if (entry.kind == ENTRY_RECORD) {
        c = record_read(entry.body, &a, &u.record, e);
        r->raw_commit = u.record.raw_commit;
        memcpy(r->raw_hash, u.record.raw_hash, DIGEST_SIZE);
    } else if (entry.kind == ENTRY_DEAD_LETTER) {
        c = schema_read(&dead_letter_schema, entry.body, &a, &u.dead, e);
        r->raw_commit = u.dead.raw_commit;
        memcpy(r->raw_hash, u.dead.raw_hash, DIGEST_SIZE);
    } else {
        c = err_set(e, ERR_NOT_ALLOWED, "a %s has no raw log", entry_kind_text(entry.kind));
    }
    arena_release(&a);
    struct digest leaf = entry_leaf(bytes);
    memcpy(r->leaf, leaf.b, DIGEST_SIZE);
    return c;
}

static enum err_code evidence_seal_parts(const struct evidence_ask *in, const uint8_t *case_id,
                                         struct evidence_part parts[2], struct buf boxes[2], struct err *e) {
    const struct evidence_party *to[2] = {&in->asker, &in->to};
    struct evidence_sealed s = {.reason = in->reason};
    struct slice objects[EVIDENCE_OBJECTS];
    struct buf plain;
    if (in->object_count > EVIDENCE_OBJECTS)
        return err_set(e, ERR_TOO_LARGE, "%u objects", in->object_count);
    memcpy(s.case_id, case_id, EVIDENCE_CASE_SIZE);
    for (uint32_t i = 0; i < in->object_count; i++)
        objects[i] = in->objects[i];
    s.objects = (struct schema_list){objects, in->object_count};
    buf_init(&plain, EVIDENCE_BOX);
    enum err_code c = schema_check(&evidence_sealed_schema, &s, e);
    if (!c) {
        schema_write(&evidence_sealed_schema, &s, &plain);
        c = buf_check(&plain, e);
    }
    for (int i = 0; !c && i < 2; i++) {
        c = sealed_make(to[i]->box, buf_slice(&plain), &boxes[i], e);
        parts[i] = (struct evidence_part){buf_slice(&boxes[i]), to[i]->node};
    }
    if (plain.ptr)
        sodium_memzero(plain.ptr, plain.len);
    buf_release(&plain);
    return c;
}

enum err_code evidence_ask(const struct evidence_ask *in, uint8_t case_id[EVIDENCE_CASE_SIZE], struct buf *entry,
                           struct err *e) {
    struct evidence_entry out = {.kind = ENTRY_EVIDENCE_REQUEST};
    struct evidence_request *r = &out.u.request;
    struct evidence_part parts[2];
    struct buf boxes[2];
    enum err_code c = evidence_target(in->bytes, r, e);
    if (c)
        return c;
    buf_init(&boxes[0], EVIDENCE_BOX);
    buf_init(&boxes[1], EVIDENCE_BOX);
    evidence_random(r->case_id);
    evidence_random(r->nonce);
    c = evidence_seal_parts(in, r->case_id, parts, boxes, e);
    if (!c) {
        r->asker = in->asker.node;
        r->asker_org = in->asker_org;
        r->by = in->by;
        r->deadline = in->deadline;
        r->entry = in->entry;
        r->sealed = (struct schema_list){parts, 2};
        r->to = in->to.node;
        memcpy(case_id, r->case_id, EVIDENCE_CASE_SIZE);
        c = evidence_entry_write(&out, entry, e);
    }
    buf_release(&boxes[0]);
    buf_release(&boxes[1]);
    return c;
}

enum err_code evidence_unseal(const struct evidence_request *r, struct slice own_node, const struct sealed_pair *own,
                              struct buf *plain, struct arena *a, struct evidence_sealed *out, struct err *e) {
    const struct evidence_part *parts = r->sealed.items;
    for (uint32_t i = 0; i < r->sealed.count; i++) {
        if (!slice_eq(parts[i].node, own_node))
            continue;
        enum err_code c = sealed_open(own, parts[i].box, plain, e);
        if (!c)
            c = schema_read(&evidence_sealed_schema, buf_slice(plain), a, out, e);
        if (!c && memcmp(out->case_id, r->case_id, EVIDENCE_CASE_SIZE) != 0)
            c = err_set(e, ERR_MISMATCH, "the sealed part belongs to another case");
        return c;
    }
    return err_set(e, ERR_NOT_FOUND, "nothing in this request is sealed to %.*s", SLICE_ARG(own_node));
}

/* ---- the ciphertext ---- */

struct digest evidence_key_commit(const uint8_t key[EVIDENCE_KEY_SIZE]) {
    return digest_tagged("assay/evidence-key/v1", slice_of(key, EVIDENCE_KEY_SIZE));
}

static void evidence_ad(const struct digest *channel, const uint8_t *case_id, uint8_t out[EVIDENCE_AD]) {
    memcpy(out, evidence_tag, sizeof evidence_tag);
    memcpy(out + sizeof evidence_tag, channel->b, DIGEST_SIZE);
    memcpy(out + sizeof evidence_tag + DIGEST_SIZE, case_id, EVIDENCE_CASE_SIZE);
}

static enum err_code evidence_encrypt(const struct evidence_give *in, const uint8_t *key, struct buf *out,
                                      struct err *e) {
    uint8_t ad[EVIDENCE_AD];
    if (in->raw.len > VAULT_RAW_MAX)
        return err_set(e, ERR_TOO_LARGE, "a raw log of %zu bytes", in->raw.len);
    buf_clear(out);
    uint8_t *nonce = buf_extend(out, EVIDENCE_NPUB);
    if (nonce)
        randombytes_buf(nonce, EVIDENCE_NPUB);
    buf_bytes(out, in->salt, COMMITMENT_SALT_SIZE);
    buf_append(out, in->raw);
    (void)buf_extend(out, EVIDENCE_TAG);
    enum err_code c = buf_check(out, e);
    if (c)
        return c;
    evidence_ad(in->channel, in->request->case_id, ad);
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(out->ptr + EVIDENCE_NPUB, NULL, out->ptr + EVIDENCE_NPUB,
                                                     COMMITMENT_SALT_SIZE + in->raw.len, ad, sizeof ad, NULL, out->ptr,
                                                     key);
    return ERR_OK;
}

bool evidence_decrypt(const struct digest *channel, const uint8_t case_id[EVIDENCE_CASE_SIZE],
                      const uint8_t key[EVIDENCE_KEY_SIZE], struct slice ciphertext, struct buf *plain,
                      uint8_t salt[COMMITMENT_SALT_SIZE], struct slice *raw) {
    uint8_t ad[EVIDENCE_AD];
    buf_clear(plain);
    if (ciphertext.len < EVIDENCE_CIPHER_OVERHEAD || ciphertext.len > EVIDENCE_CIPHER_MAX)
        return false;
    uint8_t *p = buf_extend(plain, ciphertext.len - EVIDENCE_NPUB - EVIDENCE_TAG);
    if (!p)
        return false;
    evidence_ad(channel, case_id, ad);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(p, NULL, NULL, ciphertext.ptr + EVIDENCE_NPUB,
                                                   ciphertext.len - EVIDENCE_NPUB, ad, sizeof ad, ciphertext.ptr,
                                                   key) != 0) {
        buf_clear(plain);
        return false;
    }
    memcpy(salt, p, COMMITMENT_SALT_SIZE);
    *raw = slice_of(p + COMMITMENT_SALT_SIZE, plain->len - COMMITMENT_SALT_SIZE);
    return true;
}

/* ---- answering ---- */

enum evidence_status evidence_status_of(enum vault_state s) {
    switch (s) {
    case VAULT_FOUND:
        return EVIDENCE_SENT;
    case VAULT_DAMAGED:
        return EVIDENCE_DAMAGED;
    case VAULT_ERASED:
        return EVIDENCE_ERASED;
    case VAULT_MISSING:
        break;
    }
    return EVIDENCE_MISSING;
}

static enum err_code evidence_send(const struct evidence_give *in, struct evidence_answer *a, struct buf *ciphertext,
                                   uint8_t key_box_own[SEALED_BOUND_SIZE], struct err *e) {
    uint8_t key[EVIDENCE_KEY_SIZE];
    randombytes_buf(key, sizeof key);
    enum err_code c = evidence_encrypt(in, key, ciphertext, e);
    if (!c && (!sealed_bind(in->recipient_box, key, a->key_box) || !sealed_bind(in->own_box, key, key_box_own)))
        c = err_set(e, ERR_NOT_ALLOWED, "a box key is weak");
    if (!c) {
        struct digest hash = digest_of(buf_slice(ciphertext)), commit = evidence_key_commit(key);
        memcpy(a->cipher_hash, hash.b, DIGEST_SIZE);
        memcpy(a->key_commit, commit.b, DIGEST_SIZE);
        a->cipher_size = ciphertext->len;
    }
    sodium_memzero(key, sizeof key);
    return c;
}

enum err_code evidence_give(const struct evidence_give *in, struct buf *ciphertext,
                            uint8_t key_box_own[SEALED_BOUND_SIZE], struct buf *entry, struct err *e) {
    struct evidence_entry out = {.kind = ENTRY_EVIDENCE_ANSWER};
    struct evidence_answer *a = &out.u.answer;
    enum err_code c = in->status == EVIDENCE_SENT ? evidence_send(in, a, ciphertext, key_box_own, e) : ERR_OK;
    if (c)
        return c;
    a->by = in->by;
    memcpy(a->case_id, in->request->case_id, EVIDENCE_CASE_SIZE);
    evidence_random(a->nonce);
    a->reason = in->reason;
    a->recipient = in->request->asker;
    a->request = in->request_number;
    a->status = (uint32_t)in->status;
    return evidence_entry_write(&out, entry, e);
}

/* ---- judging ---- */

__attribute__((format(printf, 3, 4))) static enum err_code evidence_say(struct evidence_judgement *j,
                                                                        enum evidence_verdict v, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(j->words, sizeof j->words, fmt, ap);
    va_end(ap);
    j->verdict = v;
    return ERR_OK;
}

/* Content of an answer that says "sent". */
static enum err_code evidence_judge_sent(const struct evidence_judge *in, struct buf *plain,
                                         struct evidence_judgement *j, struct err *e) {
    const struct evidence_answer *a = in->answer;
    if (!in->ciphertext.ptr) {
        if (in->now <= in->request->deadline)
            return err_set(e, ERR_BUSY, "the answer is in the ledger, its ciphertext has not arrived yet");
        return evidence_say(j, EVIDENCE_VERDICT_MISSING, "the answer says \"sent\", but nothing was delivered");
    }
    struct digest hash = digest_of(in->ciphertext);
    if (in->ciphertext.len != a->cipher_size || memcmp(hash.b, a->cipher_hash, DIGEST_SIZE) != 0)
        return evidence_say(j, EVIDENCE_VERDICT_DAMAGED, "what was delivered is not what the answer committed to");
    struct digest commit;
    j->has_key = sealed_bound_open(in->own, a->key_box, j->key);
    if (j->has_key)
        commit = evidence_key_commit(j->key);
    if (!j->has_key || memcmp(commit.b, a->key_commit, DIGEST_SIZE) != 0)
        return evidence_say(j, EVIDENCE_VERDICT_DAMAGED, "the one-time key %s",
                            j->has_key ? "is not the one committed to" : "does not open");
    if (!evidence_decrypt(in->channel, in->request->case_id, j->key, in->ciphertext, plain, j->salt, &j->raw)) {
        enum err_code c = buf_check(plain, e);
        return c ? c : evidence_say(j, EVIDENCE_VERDICT_DAMAGED, "the ciphertext does not open with its key");
    }
    j->checked = commitment_of((enum record_commitment)in->request->raw_commit, j->salt, j->raw);
    if (memcmp(j->checked.b, in->request->raw_hash, DIGEST_SIZE) == 0)
        return evidence_say(j, EVIDENCE_VERDICT_VERIFIED, "the log of %zu bytes is the one that was committed",
                            j->raw.len);
    return evidence_say(j, EVIDENCE_VERDICT_MISMATCH, "the log of %zu bytes is not the one that was committed",
                        j->raw.len);
}

enum err_code evidence_judge(const struct evidence_judge *in, struct buf *plain, struct evidence_judgement *out,
                             struct err *e) {
    const struct evidence_answer *a = in->answer;
    const struct evidence_request *r = in->request;
    memset(out, 0, sizeof *out);
    buf_clear(plain);
    if (!a) {
        if (in->now <= r->deadline)
            return err_set(e, ERR_BUSY, "no answer yet, and its time has not run out");
        out->late = true;
        return evidence_say(out, EVIDENCE_VERDICT_LATE, "no answer came before the deadline");
    }
    if (memcmp(a->case_id, r->case_id, EVIDENCE_CASE_SIZE) != 0 || a->request != in->request_number ||
        !slice_eq(a->recipient, r->asker))
        return err_set(e, ERR_MISMATCH, "this answer belongs to another request");
    out->late = in->answer_time > r->deadline;
    switch ((enum evidence_status)a->status) {
    case EVIDENCE_SENT:
        return evidence_judge_sent(in, plain, out, e);
    case EVIDENCE_DAMAGED:
        return evidence_say(out, EVIDENCE_VERDICT_DAMAGED, "the answering node says that its log is damaged");
    case EVIDENCE_MISSING:
        return evidence_say(out, EVIDENCE_VERDICT_MISSING, "the answering node says that it has no such log");
    case EVIDENCE_REFUSED:
        return evidence_say(out, EVIDENCE_VERDICT_REFUSED, "the answering node refuses");
    case EVIDENCE_ERASED:
        return evidence_say(out, EVIDENCE_VERDICT_ERASED, "the answering node says that the log was erased");
    }
    return err_set(e, ERR_MALFORMED, "an answer of status %u", a->status);
}

enum err_code evidence_rule(const struct evidence_judge *in, const struct evidence_judgement *j, struct slice by,
                            struct buf *entry, struct err *e) {
    struct evidence_entry out = {.kind = ENTRY_VERDICT};
    struct evidence_ruling *r = &out.u.ruling;
    r->answer = in->answer ? in->answer_number : 0;
    r->by = by;
    memcpy(r->case_id, in->request->case_id, EVIDENCE_CASE_SIZE);
    memcpy(r->checked, j->checked.b, DIGEST_SIZE);
    evidence_random(r->nonce);
    r->request = in->request_number;
    r->verdict = (uint32_t)j->verdict;
    r->words = slice_str(j->words);
    return evidence_entry_write(&out, entry, e);
}

enum err_code evidence_contest(const uint8_t case_id[EVIDENCE_CASE_SIZE], uint64_t verdict_number,
                               const uint8_t key[EVIDENCE_KEY_SIZE], struct slice by, struct slice statement,
                               struct buf *entry, struct err *e) {
    struct evidence_entry out = {.kind = ENTRY_DISPUTE};
    struct evidence_dispute *d = &out.u.dispute;
    d->by = by;
    memcpy(d->case_id, case_id, EVIDENCE_CASE_SIZE);
    if (key)
        memcpy(d->key, key, EVIDENCE_KEY_SIZE);
    evidence_random(d->nonce);
    d->statement = statement;
    d->verdict = verdict_number;
    return evidence_entry_write(&out, entry, e);
}
