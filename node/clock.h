/* node/clock.h -- the two clocks of a node. */
#ifndef NODE_CLOCK_H
#define NODE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* ms since some start; never goes back. For timers. */
static inline int64_t clock_monotonic_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ms since 1970 UTC. For the times of blocks and records. */
static inline int64_t clock_wall_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

#endif
