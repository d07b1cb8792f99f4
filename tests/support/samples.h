/* tests/support/samples.h -- records to submit, for benches and integration tests. */
#ifndef TESTS_SUPPORT_SAMPLES_H
#define TESTS_SUPPORT_SAMPLES_H

#include "wire/buf.h"

#include <stdint.h>

/* What to get wrong. */
enum sample_fault {
    SAMPLE_GOOD,
    SAMPLE_NO_SUBJECT,    /* no actor */
    SAMPLE_MANY_OBJECTS,  /* 257 of them */
    SAMPLE_LARGE,         /* 17 KiB of objects */
    SAMPLE_BAD_TEXT,      /* not UTF-8 */
    SAMPLE_FUTURE,        /* a day ahead */
    SAMPLE_UNKNOWN_FIELD, /* a field that no record has */
    SAMPLE_NO_RAW         /* no raw log */
};

/* Params of the method `submit`: a log of about 300 bytes and the elements in it; n varies all of it. channel may be
 * "". */
void sample_submit(struct buf *b, const char *channel, unsigned n, enum sample_fault fault);

#endif
