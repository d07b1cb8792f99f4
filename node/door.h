/* node/door.h -- where logs become entries: the last step of ingest, and of `assay submit`.
 * For each log: a uid (UUIDv7), a fresh salt and the commitment to the raw log, the citations of the standards in
 * force, classification and vocabulary, and the whole check that validators will do. Then, in this order, so that
 * nothing is lost at any kill -9: raw logs into the vault (durable), entries and source positions into the outbox
 * (durable, one transaction). Only then may the source be acknowledged.
 * All texts must be NFC already (door_nfc). Depends on: audit/, ledger/vault, node/courier. Source: DESIGN 8, 9.
 * Threads: any. */
#ifndef NODE_DOOR_H
#define NODE_DOOR_H

#include "audit/conform.h"
#include "ledger/vault.h"
#include "node/node.h"

enum { DOOR_LOGS = 4096, DOOR_SOURCE = 64 };

struct door_log {
    struct slice raw;             /* as it came; at most VAULT_RAW_MAX */
    struct record record;         /* uid, raw_*, std: filled here; op.class_* too when the log's source gave none */
    bool dead;                    /* it could not be decoded: only source, server, service of record count */
    char reason[512];             /* dead: why (no byte of the log in it) */
    struct conform_report report; /* out: what it was accepted with */
};

/* In: extracted logs of one channel. Refused by a standard (`enforce`) or by the record's own limits: becomes a dead
 * letter with the reason, unless `strict`: then nothing is taken and the error names the field.
 * entries/uids (may be NULL): appended to `receipts`, in order, as they went in. FULL: the outbox or vault is full, try
 * later; nothing was taken. */
struct door_receipt {
    uint8_t uid[RECORD_UID_SIZE];
    struct digest leaf, raw_hash;
    bool dead;
};
enum err_code door_take(struct node_channel *c, struct door_log *logs, size_t count,
                        const struct outbox_position *positions, size_t position_count, bool strict,
                        struct door_receipt *receipts, struct err *e) ERR_CHECKED;
/* The same for one log, and waits until its entry is final (courier_commit). Always strict. */
enum err_code door_commit(struct node_channel *c, struct door_log *log, uint32_t timeout_ms,
                          struct door_receipt *receipt, struct courier_receipt *final, struct err *e) ERR_CHECKED;
/* One log, all checks and fillings, nothing kept: what `ingest test` shows. The entry is appended to `entry`. */
enum err_code door_try(const struct audit_state *state, enum genesis_commitment how, struct door_log *log,
                       struct buf *entry, struct err *e) ERR_CHECKED;

/* One name for one type of thing, by the vocabularies in force. Slices borrow from the state. */
void door_unify(const struct audit_state *state, int64_t now, struct record *r);

/* Canonical composition (NFC) of valid UTF-8, in the arena; the same slice when nothing changes. False: not UTF-8, or
 * no room. */
bool door_nfc(struct arena *a, struct slice text, struct slice *out);
/* Does that to every text of a record. MALFORMED names the field. */
enum err_code door_nfc_record(struct arena *a, struct record *r, struct err *e) ERR_CHECKED;
/* Time-ordered unique id, RFC 9562 version 7. */
void door_uid(uint8_t out[RECORD_UID_SIZE]);

#endif
