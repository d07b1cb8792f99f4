/* tests/sim/sim.c -- runs seeds of the simulated world, and the mutants that it must notice.
 *
 *   sim [--seeds N] [--first S]     N worlds from seed S on; stops at the first that breaks and prints how to replay it
 *   sim --seed S [--trace]          one world
 *   sim --mutants                   each broken rule must be noticed by some world */
#include "tests/sim/world.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t sim_mix(uint64_t x) {
    x += 0x9E3779B97F4A7C15ULL;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
    return x ^ (x >> 31);
}

static void sim_calm(struct world_plan *p, uint64_t calm) {
    p->calm_ms = calm;
    p->quiet_ms = calm + 90000;
    p->end_ms = p->quiet_ms + 20000;
}

/* What happens in a seed follows from the seed alone. */
static struct world_plan sim_plan(uint64_t seed) {
    static const uint32_t sizes[] = {4, 4, 4, 5, 6, 7};
    uint64_t r = sim_mix(seed);
    struct world_plan p = {.seed = seed, .check_live = true};
    uint32_t f, i;
    p.n = sizes[r % 6];
    p.regulators = (1u << p.n) - 1u - ((1u << (p.n / 2)) - 1u); /* the upper half */
    p.k = (r >> 8) % 3 ? (uint32_t)(r >> 12) % (p.n / 2 + 1) : 0;
    p.loss = (unsigned)((r >> 16) % 200);
    p.dup = (unsigned)((r >> 24) % 100);
    p.delay_ms = (r >> 28) % 4 ? 60 : 600;
    p.crashes = (unsigned)((r >> 32) % 8);
    p.crash_all = (r >> 36) % 8 == 0;
    p.crash_at_steps = (r >> 40) % 3 == 0;
    p.cuts = (unsigned)((r >> 44) % 10);
    p.entries = 1 + (unsigned)((r >> 48) % 20);
    f = (p.n - 1) / 3;
    for (i = 0; i < f && (r >> 52) % 2; i++)
        p.role[(uint32_t)(sim_mix(r + i) % p.n)] = (enum world_role)(1 + sim_mix(r + 7 + i) % 5);
    /* Liars stay within what finality bears: live regulators for k. */
    for (i = 0; i < p.n; i++)
        if (p.role[i] != WORLD_HONEST && (p.regulators >> i & 1u) && p.k > 0)
            p.k = p.k > p.n - p.n / 2 - f ? p.n - p.n / 2 - f : p.k;
    p.twins_split = (r >> 56) % 2;
    p.evil = (struct core_mutation){.finalize_after_nullify = (r >> 57) % 2,
                                    .notarize_after_nullify = (r >> 58) % 2,
                                    .propose_low = (r >> 61) % 4 == 0,
                                    .no_null_check = (r >> 59) % 2,
                                    .no_vote_persistence = (r >> 60) % 2};
    sim_calm(&p, 4000 + (r >> 20) % 6000);
    return p;
}

/* Both of the audited organisation's nodes lie to the two regulators: n 4, q 3, k 2. */
static struct world_plan sim_plan_acme(uint64_t seed) {
    struct world_plan p = {.seed = seed, .n = 4, .k = 2, .regulators = 0xc, .delay_ms = 60, .entries = 12};
    p.role[0] = p.role[1] = WORLD_TWIN;
    p.twins_split = true;
    p.evil = (struct core_mutation){
        .finalize_after_nullify = true, .notarize_after_nullify = true, .no_null_check = seed % 2};
    sim_calm(&p, 6000);
    return p;
}

static bool sim_one(const struct world_plan *p, const char *what, uint64_t *steps, uint64_t *blocks, bool loud) {
    struct world *w = world_new(p);
    const char *broken = world_run(w);
    *steps += world_steps(w);
    *blocks += world_blocks(w);
    if (broken && loud)
        printf("%s seed %llu (n %u k %u): %s\n", what, (unsigned long long)p->seed, p->n, p->k, broken);
    else if (p->trace)
        printf("%s seed %llu (n %u k %u): held; %llu blocks, %llu steps, %llu findings\n", what,
               (unsigned long long)p->seed, p->n, p->k, (unsigned long long)world_blocks(w),
               (unsigned long long)world_steps(w), (unsigned long long)world_evidence(w));
    world_free(w);
    return broken == NULL;
}

struct sim_mutant {
    const char *name;
    struct core_mutation m;
    void (*shape)(struct world_plan *p);
};

static void sim_shape_crash(struct world_plan *p) {
    p->crashes = 8;
    p->crash_at_steps = true;
}
static void sim_shape_twins(struct world_plan *p) {
    *p = (struct world_plan){.seed = p->seed, .n = 4, .delay_ms = 60, .entries = 16, .cuts = 6, .twins_split = true};
    p->role[0] = WORLD_TWIN;
    sim_calm(p, 6000);
}
static void sim_shape_acme(struct world_plan *p) {
    *p = sim_plan_acme(p->seed);
}
static void sim_shape_lossy(struct world_plan *p) {
    p->loss = 300;
    p->delay_ms = 600;
    p->cuts = 12;
    p->entries = 20;
}
static void sim_shape_evil(struct world_plan *p) {
    sim_shape_twins(p);
    p->role[0] = WORLD_LATE;
    p->twins_split = false;
    p->evil.no_null_check = p->evil.propose_low = true;
    p->loss = 50;
    p->entries = 40;
    p->evil.notarize_after_nullify = p->evil.finalize_after_nullify = true;
}
static void sim_shape_one(struct world_plan *p) {
    p->entries = 1;
    p->loss = 250;
    p->delay_ms = 600;
}
static void sim_shape_split(struct world_plan *p) {
    *p = (struct world_plan){.seed = p->seed,
                             .n = 4,
                             .delay_ms = 60,
                             .entries = 20,
                             .crash_at_steps = true,
                             .loss = 100,
                             .check_live = true};
    sim_calm(p, 6000);
}

/* Regulators are away for five seconds while the others have work: views must not spin. */
static void sim_shape_wait(struct world_plan *p) {
    *p = (struct world_plan){.seed = p->seed,
                             .n = 7,
                             .k = 2,
                             .regulators = 0x60,
                             .delay_ms = 10,
                             .entries = 20,
                             .away = 0x60,
                             .views_max = 60};
    sim_calm(p, 6000);
}

static const struct sim_mutant sim_mutants[] = {
    {"no_vote_persistence", {.no_vote_persistence = true}, sim_shape_crash},
    {"count_unsynced", {.count_unsynced = true}, sim_shape_crash},
    {"forget_on_restart", {.forget_on_restart = true}, sim_shape_crash},
    {"no_null_check", {.no_null_check = true}, sim_shape_evil},
    {"finalize_after_nullify", {.finalize_after_nullify = true}, sim_shape_lossy},
    {"notarize_after_nullify", {.notarize_after_nullify = true}, sim_shape_lossy},
    {"quorum_too_small", {.quorum_too_small = true}, sim_shape_twins},
    {"no_regulators", {.no_regulators = true}, sim_shape_acme},
    {"no_repropose", {.no_repropose = true}, sim_shape_one},
    {"no_stale_reply", {.no_stale_reply = true}, sim_shape_split},
    {"no_backoff", {.no_backoff = true}, sim_shape_wait},
    {"idle_timers", {.idle_timers = true}, sim_shape_one},
};

static int sim_run_mutants(uint64_t tries) {
    size_t i, alive = 0;
    for (i = 0; i < sizeof sim_mutants / sizeof sim_mutants[0]; i++) {
        const struct sim_mutant *m = &sim_mutants[i];
        uint64_t seed, steps = 0, blocks = 0;
        bool killed = false, sane = true;
        for (seed = 1; seed <= tries && !killed; seed++) {
            struct world_plan p = sim_plan(seed);
            m->shape(&p);
            sane = sim_one(&p, "without the mutant,", &steps, &blocks, true) && sane;
            p.mutation = m->m;
            killed = !sim_one(&p, m->name, &steps, &blocks, true);
        }
        if (!killed)
            printf("%s SURVIVES %llu worlds\n", m->name, (unsigned long long)tries);
        alive += !killed || !sane;
    }
    printf("%zu of %zu mutants noticed\n", i - alive, i);
    return alive ? 1 : 0;
}

int main(int argc, char **argv) {
    uint64_t seeds = 100, first = 1, one = 0, s, steps = 0, blocks = 0;
    bool trace = false, mutants = false, acme = false;
    int i, failed = 0;
    clock_t began = clock();
    for (i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--trace") == 0)
            trace = true;
        else if (strcmp(argv[i], "--mutants") == 0)
            mutants = true;
        else if (strcmp(argv[i], "--acme") == 0)
            acme = true;
        else if (i + 1 < argc && strcmp(argv[i], "--seeds") == 0)
            seeds = strtoull(argv[++i], NULL, 10);
        else if (i + 1 < argc && strcmp(argv[i], "--first") == 0)
            first = strtoull(argv[++i], NULL, 10);
        else if (i + 1 < argc && strcmp(argv[i], "--seed") == 0)
            one = strtoull(argv[++i], NULL, 10);
        else
            return fprintf(stderr, "sim [--seeds N] [--first S] [--acme] | --seed S [--acme] [--trace] | --mutants\n"),
                   2;
    }
    if (mutants)
        return sim_run_mutants(seeds);
    for (s = one ? one : first; s < (one ? one + 1 : first + seeds); s++) {
        struct world_plan p = acme || (!one && s % 10 == 0) ? sim_plan_acme(s) : sim_plan(s);
        p.trace = trace;
        if (!sim_one(&p, p.k == 2 && p.role[0] == WORLD_TWIN ? "acme" : "world", &steps, &blocks, true))
            failed++;
        if (failed >= 5)
            break;
    }
    printf("%llu worlds, %d broken, %llu steps, %llu blocks, %.1f s of processor time\n",
           (unsigned long long)(s - (one ? one : first)), failed, (unsigned long long)steps, (unsigned long long)blocks,
           (double)(clock() - began) / CLOCKS_PER_SEC);
    return failed ? 1 : 0;
}
