/* node/faults.c -- see faults.h. */
#include "node/faults.h"

#include "wire/mem.h"

#include <pthread.h>

struct faults_row {
    uint32_t count;
    int64_t since; /* the last time that some were forgiven */
};

struct faults {
    pthread_mutex_t lock;
    size_t nodes;
    struct faults_row rows[];
};

enum err_code faults_new(size_t nodes, struct faults **out, struct err *e) {
    struct faults *f = mem_zalloc(1, sizeof *f + nodes * sizeof *f->rows);
    if (!f)
        return err_set(e, ERR_NO_MEMORY, "no memory for %zu nodes", nodes);
    pthread_mutex_init(&f->lock, NULL);
    f->nodes = nodes;
    *out = f;
    return ERR_OK;
}

void faults_free(struct faults *f) {
    if (!f)
        return;
    pthread_mutex_destroy(&f->lock);
    mem_free(f);
}

bool faults_note(struct faults *f, size_t index, int64_t now) {
    struct faults_row *r;
    int64_t forgiven;
    bool ban;
    ERR_ASSERT(index < f->nodes);
    pthread_mutex_lock(&f->lock);
    r = &f->rows[index];
    forgiven = (now - r->since) / FAULTS_FORGIVE_MS;
    if (forgiven > 0) {
        r->count = forgiven >= r->count ? 0 : r->count - (uint32_t)forgiven;
        r->since = now;
    }
    ban = ++r->count >= FAULTS_MOST;
    if (ban)
        r->count = 0;
    pthread_mutex_unlock(&f->lock);
    return ban;
}
