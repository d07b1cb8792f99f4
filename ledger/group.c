/* ledger/group.c -- see group.h. */
#include "ledger/group.h"

void group_init(struct group *g) {
    *g = (struct group){0};
    pthread_mutex_init(&g->lock, NULL);
    pthread_cond_init(&g->ended, NULL);
}

void group_release(struct group *g) {
    pthread_cond_destroy(&g->ended);
    pthread_mutex_destroy(&g->lock);
}

/* Under the lock: the front of the queue, as much as may go together. */
static struct group_request *group_take(struct group *g, size_t weight_max) {
    struct group_request *list = g->first, *last = list;
    size_t weight = list->weight;
    while (last->next && last->next->weight <= weight_max - (weight < weight_max ? weight : weight_max)) {
        last = last->next;
        weight += last->weight;
    }
    g->first = last->next;
    if (!g->first)
        g->last = NULL;
    last->next = NULL;
    return list;
}

enum err_code group_commit(struct group *g, struct group_request *r, size_t weight_max, group_run run, void *ctx,
                           struct err *e) {
    r->next = NULL;
    r->done = false;
    pthread_mutex_lock(&g->lock);
    if (g->last)
        g->last->next = r;
    else
        g->first = r;
    g->last = r;
    while (!r->done) {
        struct group_request *list, *next;
        if (g->leading) {
            pthread_cond_wait(&g->ended, &g->lock);
            continue;
        }
        g->leading = true;
        list = group_take(g, weight_max);
        pthread_mutex_unlock(&g->lock);
        run(ctx, list);
        pthread_mutex_lock(&g->lock);
        for (; list; list = next) {
            next = list->next; /* its caller may be gone once it is done and the lock is free */
            list->done = true;
        }
        g->leading = false;
        pthread_cond_broadcast(&g->ended);
    }
    pthread_mutex_unlock(&g->lock);
    if (r->rc != ERR_OK && e)
        *e = r->e;
    return r->rc;
}
