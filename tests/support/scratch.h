/* tests/support/scratch.h -- a fresh directory for a test, removed with all in it afterwards. */
#ifndef TESTS_SCRATCH_H
#define TESTS_SCRATCH_H

enum { SCRATCH_PATH = 256 };
struct scratch {
    char dir[SCRATCH_PATH];
};
void scratch_make(struct scratch *s);
void scratch_remove(struct scratch *s);
/* dir/name, in one of four rotating buffers. */
const char *scratch_path(struct scratch *s, const char *name);

#endif
