/* tests/support/scratch.c -- see scratch.h. */
#include "tests/support/scratch.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

void scratch_make(struct scratch *s) {
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(s->dir, sizeof s->dir, "%s/assay-test-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(s->dir))
        abort();
}

static int scratch_unlink(const char *path, const struct stat *st, int flag, struct FTW *ftw) {
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

void scratch_remove(struct scratch *s) {
    (void)nftw(s->dir, scratch_unlink, 16, FTW_DEPTH | FTW_PHYS);
}

const char *scratch_path(struct scratch *s, const char *name) {
    static char paths[4][2 * SCRATCH_PATH];
    static unsigned next;
    char *p = paths[next++ % 4];
    (void)snprintf(p, sizeof paths[0], "%s/%s", s->dir, name);
    return p;
}
