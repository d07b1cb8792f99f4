/* ledger/completeness.h -- does a source's running number run on? A hole means logs that were never reported.
 * A source is named by its submitter and its id: two nodes may both call a source "dpkg".
 * Counts records, dead letters (a log that could not be decoded is there) and declared gaps (it is owed up to).
 * Derived from final entries; a hole is a fact as of the height it was read at: later entries may fill it. */
#ifndef LEDGER_COMPLETENESS_H
#define LEDGER_COMPLETENESS_H

#include "ledger/index.h"

enum { COMPLETENESS_RANGES = 512 }; /* holes kept of one source; past that the oldest are only counted */

struct completeness_range {
    uint64_t first, last; /* both included */
};

struct completeness {
    uint8_t submitter[DIGEST_SIZE];
    struct slice source; /* borrowed for the call, or the arena's */
    uint64_t contiguous; /* 1..contiguous are all there (0: not even 1) */
    uint64_t highest;    /* largest number seen */
    uint64_t records, dead_letters;
    uint64_t gap_declared;                  /* numbers that a gap notice owns up to */
    uint64_t repeated;                      /* numbers that came again */
    int64_t last_time;                      /* newest record time, ms */
    uint64_t missing;                       /* numbers below highest that neither came nor were declared */
    uint64_t holes_dropped;                 /* holes past COMPLETENESS_RANGES: counted in `missing` but not listed */
    const struct completeness_range *holes; /* ascending */
    uint32_t hole_count;
};

typedef bool completeness_fn(void *ctx, const struct completeness *c); /* false stops */

/* Every source, by submitter and id, as of the indexed height. */
enum err_code completeness_list(struct index_view *v, completeness_fn *each, void *ctx, struct err *e) ERR_CHECKED;
/* One source; NOT_FOUND. Lists live in `a`. */
enum err_code completeness_get(struct index_view *v, const uint8_t submitter[DIGEST_SIZE], struct slice source,
                               struct arena *a, struct completeness *out, struct err *e) ERR_CHECKED;

#endif
