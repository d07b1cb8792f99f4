/* node/ingest/source_file_impl.h -- inside of source_file*.c: reading (source_file.c), watching (source_file_watch.c).
 */
#ifndef NODE_INGEST_SOURCE_FILE_IMPL_H
#define NODE_INGEST_SOURCE_FILE_IMPL_H

#include "node/ingest/source_file.h"
#include "wire/digest.h"

enum { SOURCE_FILE_MARK = 8 };

struct source_file_one {
    uint64_t dev, ino;
    uint64_t offset, seen;
    uint8_t mark[SOURCE_FILE_MARK]; /* hash of the tail, as of the position that was read */
    bool tail_known;                /* tail holds the bytes; else only mark is known */
    uint8_t tail[SOURCE_FILE_TAIL];
    size_t tail_len;
    int fd;         /* -1: not opened yet */
    bool present;   /* the glob names it */
    bool copy;      /* of one that we read: not read itself, unless that one is truncated */
    bool dirty;     /* there may be a whole line behind the offset */
    bool last;      /* nothing will be added: a last line without LF counts */
    unsigned quiet; /* polls since it was missed and did not change */
    uint64_t size;  /* when last looked at */
    int64_t mtime_ns;
    char path[SOURCE_FILE_PATH];
};

struct source_file {
    char pattern[SOURCE_FILE_PATH];
    size_t line_max;
    bool from_end, first; /* first: no position was there, and nothing was looked at yet */
    uint64_t seq;
    struct source_file_one *files; /* in the order in which they are read */
    size_t count;
    struct source_file_one *current; /* whose bytes are in data */
    struct buf data;                 /* bytes of current from its offset - at on */
    size_t at;                       /* data[at] is at the offset */
    uint64_t lost;                   /* bytes known to be lost and not told yet */
    char lost_reason[256];
    char error[256];
};

/* --- shared --- */
void source_file_reset(struct source_file *s); /* forgets what was read ahead */
/* Remembers given bytes as the tail; and reads it from the file itself. */
void source_file_tail_add(struct source_file_one *f, struct slice given);
bool source_file_tail_read(int fd, uint64_t offset, uint8_t *out, size_t *len);
void source_file_mark(const uint8_t *tail, size_t len, uint8_t out[SOURCE_FILE_MARK]);
void source_file_mark_of(const struct source_file_one *f, uint8_t out[SOURCE_FILE_MARK]);

#endif
