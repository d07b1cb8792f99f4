/* audit/bundle_check.h -- private to the verifier: what its steps share.
 * bundle_verify.c runs the steps over the entry and its checkpoint; bundle_more.c those over the optional parts. */
#ifndef AUDIT_BUNDLE_CHECK_H
#define AUDIT_BUNDLE_CHECK_H

#include "audit/bundle.h"
#include "ledger/entry.h"
#include "ledger/record.h"
#include "ledger/tree.h"
#include "wire/checkpoint_read.h"

struct bundle_check {
    const struct bundle *bundle;
    const struct bundle_network *net;
    const struct bundle_channel *channel;
    struct bundle_report *report;
    struct arena arena;
    struct checkpoint_read cp; /* of the bundle's checkpoint; valid when cp_read */
    bool cp_read;
    enum bundle_state final, included; /* the two on which the others stand */
    struct digest leaf;
    enum entry_kind kind; /* ENTRY_NONE when the entry is not canonical or not known */
    struct slice body;
    struct record record;           /* valid when kind is ENTRY_RECORD */
    struct dead_letter dead_letter; /* ... ENTRY_DEAD_LETTER */
};

/* Adds a claim; claim's text by the format. Texts of others are made safe for a terminal. */
struct bundle_claim *bundle_check_add(struct bundle_check *c, enum bundle_what what, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void bundle_check_say(struct bundle_claim *claim, enum bundle_state state, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* PROVEN by `how`, but only as far as the entry itself is. */
void bundle_check_stand(const struct bundle_check *c, struct bundle_claim *claim, const char *how);

/* Milliseconds since 1970 as "2026-11-22 19:00:00.123 UTC". */
void bundle_check_when(int64_t ms, char out[40]);
/* Joined hashes, split. False unless whole hashes, at most max (<= TREE_CONSISTENCY_MAX). */
bool bundle_check_path(struct slice bytes, unsigned max, struct tree_path *out);
/* Is `note` a checkpoint of the channel with the quorum's signatures? Fills cp when the text can be read (*read). */
enum bundle_state bundle_check_final(const struct bundle_channel *ch, struct slice note, struct checkpoint_read *cp,
                                     bool *read, struct err *e);
/* PROOF unless the entry is number `index` in the tree of cp. */
enum err_code bundle_check_included(struct slice entry, uint64_t index, struct slice path,
                                    const struct checkpoint_read *cp, struct err *e) ERR_CHECKED;

void bundle_check_author(struct bundle_check *c);
void bundle_check_time(struct bundle_check *c);
void bundle_check_log(struct bundle_check *c);
void bundle_check_standards(struct bundle_check *c);
void bundle_check_anchor(struct bundle_check *c);
void bundle_check_range(struct bundle_check *c);

#endif
