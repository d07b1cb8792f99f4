/* tests/sim/world.h -- a world of nodes around the real core: fake clock, network and disk, all from one seed.
 * Owns: everything of a run. Depends on: consensus/core.h. A seed and the commit reproduce a run byte for byte.
 *
 * Disk: what an update writes is pending until a sync that began after it has ended; a crash loses what is pending (an
 * unfinished sync may have reached the disk, or not, but only as a whole). Network: loss, delay, reordering,
 * duplication, one-way cuts until `calm_ms`, then none. Twins: a lying member runs twice with one key. */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include "consensus/core.h"

#include <stdio.h>

enum {
    WORLD_INSTANCES = 20,
    WORLD_ENTRIES = 64,
    WORLD_BLOCKS = 4096,
    WORLD_RECORDS = 4096,
    WORLD_OPS = 2048,
    WORLD_HELD = 4096,
    WORLD_VIEWS = 4096,
    WORLD_DELTA_MS = 100
};

enum world_role { WORLD_HONEST, WORLD_TWIN, WORLD_WITHHOLD, WORLD_LATE, WORLD_NULLER, WORLD_SILENT };

struct world_plan {
    uint64_t seed;
    uint32_t n, k;
    uint32_t regulators; /* bitmap */
    enum world_role role[LIMIT_VALIDATORS];
    struct core_mutation mutation, evil;          /* of honest members, of liars */
    unsigned loss, dup;                           /* in 1000 */
    uint64_t delay_ms, calm_ms, end_ms, quiet_ms; /* quiet: from here to the end no votes may be sent */
    unsigned crashes, cuts, entries;
    bool twins_split; /* each twin talks to one half of the honest until calm */
    bool crash_all;
    bool crash_at_steps; /* crash between record, sync and send */
    uint32_t away;       /* bitmap: unreachable until calm */
    uint64_t views_max;  /* 0: no bound */
    bool check_live;
    bool trace;
};

/* NULL when all held, else what broke (static text in the world's buffer). */
struct world;
struct world *world_new(const struct world_plan *plan);
const char *world_run(struct world *w);
void world_free(struct world *w);
uint64_t world_evidence(const struct world *w); /* findings against liars */
uint64_t world_blocks(const struct world *w);   /* final blocks */
uint64_t world_steps(const struct world *w);

#endif
