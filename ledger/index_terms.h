/* ledger/index_terms.h -- what of an entry can be asked for: (field, value) pairs as short byte strings.
 *   term = field u8 ‖ value                            value <= INDEX_TERM_VALUE bytes
 *        | field + 128 ‖ SHA-256(value)                longer ones
 * Pairs: length of the type u8 ‖ type ‖ name; source: length u8 ‖ id ‖ seq u64 BE. uid and raw hash are cut short
 * (lossy: who finds by them looks at the entry); 64 bits of a hash tell records apart well enough to find them. */
#ifndef LEDGER_INDEX_TERMS_H
#define LEDGER_INDEX_TERMS_H

#include "ledger/index_source.h"
#include "ledger/record.h"

enum { INDEX_TERM_VALUE = 128, INDEX_TERM_MAX = 1 + INDEX_TERM_VALUE, INDEX_TERM_UID = 12, INDEX_TERM_HASH = 8 };

/* Values are permanent (they stand in the index; a change needs a new index version). */
enum index_field {
    INDEX_KIND = 1,
    INDEX_SUBJECT,
    INDEX_SUBJECT_NAME,
    INDEX_SUBJECT_TYPE,
    INDEX_OBJECT,
    INDEX_OBJECT_NAME,
    INDEX_OBJECT_TYPE,
    INDEX_OP,
    INDEX_CLASS,
    INDEX_SERVER,
    INDEX_SERVICE,
    INDEX_ORG_UNIT,
    INDEX_RAW_HASH,
    INDEX_SOURCE,
    INDEX_SOURCE_SEQ,
    INDEX_UID,
    INDEX_SUBMITTER,
    INDEX_TOKEN,
    INDEX_LOG_KIND,
    INDEX_LINK_CASE,
    INDEX_LINK_EVENT,
    INDEX_LINK_PROCESS
};

struct index_term {
    uint8_t bytes[INDEX_TERM_MAX];
    size_t len;
};

void index_term_make(struct index_term *t, enum index_field field, struct slice value);
void index_term_pair(struct index_term *t, enum index_field field, struct slice type, struct slice name);
void index_term_source(struct index_term *t, struct slice id, uint64_t seq);
void index_term_kind(struct index_term *t, enum entry_kind kind);

/* An entry decoded as far as the index and queries look into it; slices borrow from entry and arena. */
struct index_doc {
    const struct index_entry *entry;
    enum entry_kind kind;
    int64_t time; /* the record's or gap's; else the block's */
    bool is_record, is_dead_letter, is_gap;
    union {
        struct record record;
        struct dead_letter dead_letter;
        struct gap gap;
    } u;
};

/* `a` belongs to this function between calls (of at least 1 MiB) and is cleared first. A final entry that does not
 * decode is only of its kind: no error but NO_MEMORY. */
enum err_code index_doc_read(const struct index_entry *entry, struct arena *a, struct index_doc *out,
                             struct err *e) ERR_CHECKED;
/* Source id and sequence of the document; false if it has none (a gap has no sequence: 0). */
bool index_doc_source(const struct index_doc *d, struct record_source *out);

typedef bool index_term_fn(void *ctx, struct slice term); /* false: out of memory, stop */
bool index_doc_terms(const struct index_doc *d, index_term_fn *each, void *ctx);

#endif
