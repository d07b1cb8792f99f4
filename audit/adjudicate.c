/* audit/adjudicate.c -- see adjudicate.h.
 * Works out what the verdict should have been (`truth`) and compares. Where the truth is "mismatch" or "damaged" on an
 * answer that says "sent", the answer is false; where the verdict says otherwise than the truth, the verdict is. */
#include "audit/adjudicate.h"

#include "ledger/entry.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>

__attribute__((format(printf, 2, 3))) static void adjudicate_say(struct adjudicate_decision *d, const char *fmt, ...) {
    size_t at = strlen(d->words);
    va_list ap;
    if (at && at + 1 < sizeof d->words) {
        d->words[at++] = ' ';
        d->words[at] = '\0';
    }
    va_start(ap, fmt);
    (void)vsnprintf(d->words + at, sizeof d->words - at, fmt, ap);
    va_end(ap);
}

/* ---- do the parts belong together? ---- */

static enum err_code adjudicate_check_record(const struct adjudicate_dossier *d, struct err *e) {
    struct entry entry;
    struct arena a;
    struct record record;
    struct dead_letter dead;
    const uint8_t *raw_hash = NULL;
    uint32_t commit = 0;
    if (!d->record.ptr)
        return ERR_OK;
    struct digest leaf = entry_leaf(d->record);
    if (memcmp(leaf.b, d->request->leaf, DIGEST_SIZE) != 0)
        return err_set(e, ERR_PROOF, "the record is not the one that was asked about");
    arena_init(&a, 1 << 20);
    enum err_code c = entry_read(d->record, &entry, e);
    if (!c && entry.kind == ENTRY_RECORD) {
        c = record_read(entry.body, &a, &record, e);
        raw_hash = record.raw_hash;
        commit = record.raw_commit;
    } else if (!c) {
        c = schema_read(&dead_letter_schema, entry.body, &a, &dead, e);
        raw_hash = dead.raw_hash;
        commit = dead.raw_commit;
    }
    if (!c && (commit != d->request->raw_commit || memcmp(raw_hash, d->request->raw_hash, DIGEST_SIZE) != 0))
        c = err_set(e, ERR_PROOF, "the request names another hash than the record");
    arena_release(&a);
    return c;
}

static bool adjudicate_same_case(const uint8_t *a, const uint8_t *b) {
    return memcmp(a, b, EVIDENCE_CASE_SIZE) == 0;
}

static enum err_code adjudicate_check(const struct adjudicate_dossier *d, struct err *e) {
    const struct evidence_request *r = d->request;
    const struct evidence_ruling *v = d->ruling;
    if (!adjudicate_same_case(r->case_id, v->case_id) || v->request != d->request_number)
        return err_set(e, ERR_PROOF, "the verdict is not about this request");
    if (v->answer && (!d->answer || v->answer != d->answer_number))
        return err_set(e, ERR_PROOF, "the verdict is about answer %llu, which is not here",
                       (unsigned long long)v->answer);
    if (d->answer && (!adjudicate_same_case(d->answer->case_id, r->case_id) ||
                      d->answer->request != d->request_number || !slice_eq(d->answer->recipient, r->asker)))
        return err_set(e, ERR_PROOF, "the answer is not one to this request");
    if (d->dispute &&
        (!adjudicate_same_case(d->dispute->case_id, r->case_id) || d->dispute->verdict != d->ruling_number))
        return err_set(e, ERR_PROOF, "the dispute is not about this verdict");
    return adjudicate_check_record(d, e);
}

/* ---- what should the verdict have been? 0: undecided ---- */

static enum evidence_verdict adjudicate_late(const struct adjudicate_dossier *d, struct adjudicate_decision *out) {
    bool before = d->answer && (d->ruling->answer || d->answer_number < d->ruling_number);
    int64_t when = before ? d->answer_time : d->ruling_time;
    if (when == 0) {
        adjudicate_say(out, "The block time that decides it is not known.");
        return 0;
    }
    if (when > d->request->deadline) {
        adjudicate_say(out, before ? "The answer's block is past the deadline."
                                   : "There was no answer, and the verdict's block is past the deadline.");
        return EVIDENCE_VERDICT_LATE;
    }
    adjudicate_say(out, before ? "The answer stands in a block before the deadline."
                               : "The verdict was given before the deadline had passed.");
    return 0;
}

static const uint8_t *adjudicate_key(const struct adjudicate_dossier *d) {
    if (d->key)
        return d->key;
    return d->dispute && sodium_is_zero(d->dispute->key, EVIDENCE_KEY_SIZE) != 1 ? d->dispute->key : NULL;
}

/* Is there what it takes to open the answer? */
static bool adjudicate_disclosed(const struct adjudicate_dossier *d, const uint8_t *key,
                                 struct adjudicate_decision *out) {
    struct digest is;
    if (!key) {
        adjudicate_say(out, "The one-time key was not disclosed.");
        return false;
    }
    is = evidence_key_commit(key);
    if (memcmp(is.b, d->answer->key_commit, DIGEST_SIZE) != 0) {
        adjudicate_say(out, "The key that was disclosed is not the one that the answer committed to.");
        return false;
    }
    return true;
}

static enum evidence_verdict adjudicate_content(const struct adjudicate_dossier *d, const uint8_t *key,
                                                struct buf *plain, struct adjudicate_decision *out,
                                                struct digest *checked, enum err_code *code, struct err *e) {
    uint8_t salt[COMMITMENT_SALT_SIZE];
    struct slice raw;
    if (!d->ciphertext.ptr) {
        adjudicate_say(out, "The ciphertext was not disclosed.");
        return 0;
    }
    struct digest is = digest_of(d->ciphertext);
    if (memcmp(is.b, d->answer->cipher_hash, DIGEST_SIZE) != 0 || d->ciphertext.len != d->answer->cipher_size) {
        adjudicate_say(out, "The ciphertext that was disclosed is not the one that the answer committed to.");
        return 0;
    }
    if (!evidence_decrypt(&d->channel, d->request->case_id, key, d->ciphertext, plain, salt, &raw)) {
        *code = buf_check(plain, e);
        adjudicate_say(out, "The ciphertext that the answer committed to does not open with the key it committed to.");
        return EVIDENCE_VERDICT_DAMAGED;
    }
    *checked = commitment_of((enum record_commitment)d->request->raw_commit, salt, raw);
    bool same = memcmp(checked->b, d->request->raw_hash, DIGEST_SIZE) == 0;
    adjudicate_say(out, "The answer opens to a log of %zu bytes, which %s the one that was committed.", raw.len,
                   same ? "is" : "is not");
    return same ? EVIDENCE_VERDICT_VERIFIED : EVIDENCE_VERDICT_MISMATCH;
}

static enum evidence_verdict adjudicate_sent(const struct adjudicate_dossier *d, struct buf *plain,
                                             struct adjudicate_decision *out, enum err_code *code, struct err *e) {
    const uint8_t *key = adjudicate_key(d);
    uint8_t box[SEALED_BOUND_SIZE];
    struct digest checked = {{0}};
    if (!adjudicate_disclosed(d, key, out))
        return 0;
    if (d->recipient_box) {
        if (!sealed_bind(d->recipient_box, key, box) || memcmp(box, d->answer->key_box, sizeof box) != 0) {
            adjudicate_say(out, "The answer's sealed key is not this key sealed to the asker: it could not be opened.");
            return EVIDENCE_VERDICT_DAMAGED;
        }
        adjudicate_say(out, "The asker was given the key that opens the answer.");
    }
    enum evidence_verdict truth = adjudicate_content(d, key, plain, out, &checked, code, e);
    if (truth == EVIDENCE_VERDICT_VERIFIED && d->ruling->verdict == EVIDENCE_VERDICT_MISSING) {
        adjudicate_say(out, "Whether it was delivered in time, no ledger shows.");
        return 0;
    }
    if (truth == EVIDENCE_VERDICT_MISMATCH && d->ruling->verdict == EVIDENCE_VERDICT_MISMATCH &&
        memcmp(checked.b, d->ruling->checked, DIGEST_SIZE) != 0)
        adjudicate_say(out, "The verdict names another hash than the one computed here.");
    return truth;
}

static enum evidence_verdict adjudicate_truth(const struct adjudicate_dossier *d, struct buf *plain,
                                              struct adjudicate_decision *out, enum err_code *code, struct err *e) {
    static const enum evidence_verdict of_status[] = {
        [EVIDENCE_DAMAGED] = EVIDENCE_VERDICT_DAMAGED,
        [EVIDENCE_MISSING] = EVIDENCE_VERDICT_MISSING,
        [EVIDENCE_REFUSED] = EVIDENCE_VERDICT_REFUSED,
        [EVIDENCE_ERASED] = EVIDENCE_VERDICT_ERASED,
    };
    if (!d->answer || d->ruling->verdict == EVIDENCE_VERDICT_LATE)
        return adjudicate_late(d, out);
    if (d->answer->status == EVIDENCE_SENT)
        return adjudicate_sent(d, plain, out, code, e);
    adjudicate_say(out, "The answer itself says \"%s\".", evidence_status_names[d->answer->status]);
    return of_status[d->answer->status];
}

/* ---- who is right? ---- */

static void adjudicate_conclude(const struct adjudicate_dossier *d, struct adjudicate_decision *out) {
    enum evidence_verdict said = (enum evidence_verdict)d->ruling->verdict;
    bool sent = d->answer && d->answer->status == EVIDENCE_SENT;
    bool bad = sent && (out->truth == EVIDENCE_VERDICT_MISMATCH || out->truth == EVIDENCE_VERDICT_DAMAGED);
    if (!out->truth) {
        out->outcome = EVIDENCE_UNDECIDED;
        adjudicate_say(out, "So it can't be decided whether the verdict \"%s\" is right.",
                       evidence_verdict_names[said]);
    } else if (bad && said != EVIDENCE_VERDICT_VERIFIED) {
        out->outcome = EVIDENCE_ANSWER_FALSE;
        adjudicate_say(out, "So the answer was false; the verdict was \"%s\", and \"%s\" is right.",
                       evidence_verdict_names[said], evidence_verdict_names[out->truth]);
    } else if (said == out->truth) {
        out->outcome = EVIDENCE_VERDICT_STANDS;
        adjudicate_say(out, "So the verdict \"%s\" stands.", evidence_verdict_names[said]);
    } else {
        out->outcome = EVIDENCE_VERDICT_FALSE;
        adjudicate_say(out, "So the verdict \"%s\" was false: \"%s\" is right%s.", evidence_verdict_names[said],
                       evidence_verdict_names[out->truth], bad ? ", and the answer was false too" : "");
    }
}

/* A LATE that is disproved by block times is false whatever else the answer holds. */
static bool adjudicate_late_false(const struct adjudicate_dossier *d) {
    bool before = d->answer && (d->ruling->answer || d->answer_number < d->ruling_number);
    int64_t when = before ? d->answer_time : d->ruling_time;
    return d->ruling->verdict == EVIDENCE_VERDICT_LATE && when != 0 && when <= d->request->deadline;
}

enum err_code adjudicate(const struct adjudicate_dossier *d, struct buf *plain, struct adjudicate_decision *out,
                         struct err *e) {
    enum err_code code = ERR_OK;
    memset(out, 0, sizeof *out);
    buf_clear(plain);
    enum err_code c = adjudicate_check(d, e);
    if (c)
        return c;
    out->truth = adjudicate_truth(d, plain, out, &code, e);
    if (code)
        return code;
    if (adjudicate_late_false(d)) {
        out->outcome = EVIDENCE_VERDICT_FALSE;
        adjudicate_say(out, "So the verdict \"late\" was false.");
        return ERR_OK;
    }
    adjudicate_conclude(d, out);
    return ERR_OK;
}

enum err_code adjudicate_entry(const struct adjudicate_dossier *d, const struct adjudicate_decision *dec,
                               struct slice by, int64_t now, struct buf *entry, struct err *e) {
    static const enum evidence_severity severity[] = {
        [EVIDENCE_VERDICT_STANDS] = EVIDENCE_MEDIUM,
        [EVIDENCE_VERDICT_FALSE] = EVIDENCE_HIGH,
        [EVIDENCE_ANSWER_FALSE] = EVIDENCE_HIGH,
        [EVIDENCE_UNDECIDED] = EVIDENCE_LOW,
    };
    struct evidence_entry out = {.kind = ENTRY_FINDING};
    struct finding *f = &out.u.finding;
    struct finding_subject subject = {.entry = d->request->entry};
    memcpy(subject.leaf, d->request->leaf, DIGEST_SIZE);
    f->by = by;
    memcpy(f->case_id, d->request->case_id, EVIDENCE_CASE_SIZE);
    f->engine = slice_str("adjudicate 1");
    f->kind = slice_str(FINDING_ADJUDICATION);
    evidence_random(f->nonce);
    f->outcome = (uint32_t)dec->outcome;
    f->severity = (uint32_t)severity[dec->outcome];
    f->subjects = (struct schema_list){&subject, 1};
    f->text = slice_str(dec->words);
    f->time = now;
    return evidence_entry_write(&out, entry, e);
}
