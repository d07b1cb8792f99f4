/* ledger/group.h -- group commit: callers that come while a change is being synced share the next one.
 * The first caller leads: it takes all requests that wait, runs them as one durable change, and tells the others.
 * Invariant: a request's caller returns only after the change that holds it has ended. */
#ifndef LEDGER_GROUP_H
#define LEDGER_GROUP_H

#include "wire/err.h"

#include <pthread.h>
#include <stddef.h>

/* First member of a caller's own request; lives on its stack. */
struct group_request {
    struct group_request *next; /* of the same run */
    size_t weight;              /* in the owner's unit */
    bool done;
    enum err_code rc; /* set by the run, with e */
    struct err e;
};

struct group {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    struct group_request *first, *last; /* waiting */
    bool leading;
};

/* Carries out the requests of the list, in order, and sets rc and e of each. */
typedef void (*group_run)(void *ctx, struct group_request *list);

void group_init(struct group *g);
void group_release(struct group *g);
/* Joins; returns when r is done, with its rc. A run takes requests of at most weight_max together, one at least. */
enum err_code group_commit(struct group *g, struct group_request *r, size_t weight_max, group_run run, void *ctx,
                           struct err *e) ERR_CHECKED;

#endif
