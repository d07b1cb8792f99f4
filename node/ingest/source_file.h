/* node/ingest/source_file.h -- lines of files that are written, rotated, truncated and copied while we read.
 * Owns: the open files of one glob, the position that makes reading exact across any kill. Depends on POSIX only.
 *
 * A file is known by (device, inode) and by its tail: the last bytes before the offset, whose hash says that what
 * stands before the offset is what was read. Position, big-endian:
 *   version u8 = 1 ‖ seq u64 ‖ count u16 ‖ count × { dev u64 ‖ ino u64 ‖ offset u64 ‖ seen u64 ‖ tail[8] }
 * offset: of the first byte that was not yet given out; seen: size when last looked at; tail: first 8 bytes of the
 * SHA-256 of the min(256, offset) bytes before the offset.
 *
 *   rename + create   the old file is found by its inode in its directory and read to its end, then the new one
 *   copytruncate      a file with the same tail at our offset is the copy: the rest is read from it; the truncated
 *                     file begins anew. No copy, though bytes were known to be unread: a gap
 *   deleted           unread bytes known: a gap
 * Invariants: F1 each line is given once, in the order of its file; F2 a line that does not end in LF waits; F3 lines
 * of seq n+1 follow n without a hole, a gap takes a number of its own.
 * One thread. */
#ifndef NODE_INGEST_SOURCE_FILE_H
#define NODE_INGEST_SOURCE_FILE_H

#include "wire/buf.h"

enum {
    SOURCE_FILE_FILES = 96,      /* of one glob, rotated ones that still matter included */
    SOURCE_FILE_TAIL = 256,      /* bytes of a tail */
    SOURCE_FILE_TAIL_MIN = 32,   /* a shorter one says too little to call two files copies of each other */
    SOURCE_FILE_QUIET = 20,      /* polls without change after which a file that is gone from the glob is done */
    SOURCE_FILE_CHUNK = 1 << 17, /* bytes read at once */
    SOURCE_FILE_PATH = 4096
};

struct source_file;

/* pattern: an absolute glob. position: as source_file_position wrote it, or absent. from_end: files that are there at
 * the very first start are read from their end. MALFORMED: a position of another form. */
enum err_code source_file_open(const char *pattern, size_t line_max, struct slice position, bool from_end,
                               struct source_file **out, struct err *e) ERR_CHECKED;
void source_file_close(struct source_file *s);

enum source_file_what { SOURCE_FILE_NOTHING, SOURCE_FILE_LINE, SOURCE_FILE_LONG, SOURCE_FILE_LOST };
struct source_file_item {
    enum source_file_what what;
    uint64_t seq;      /* its number; NOTHING has none */
    struct slice line; /* without LF and CR before it; LONG: its first line_max bytes. Until the next call */
    uint64_t bytes;    /* LONG: of the whole line; LOST: known to be lost at least */
    char reason[256];  /* LOST */
};
/* The next line of any file; NOTHING: all files are read to their last LF. Empty lines are skipped, they have no
 * number. IO errors of one file do not stop the others: they are told in source_file_error. */
enum err_code source_file_next(struct source_file *s, struct source_file_item *item, struct err *e) ERR_CHECKED;
/* Looks for new, rotated and truncated files; to be called when there was NOTHING. */
enum err_code source_file_poll(struct source_file *s, struct err *e) ERR_CHECKED;
/* Appends the position after all that was given out. */
void source_file_position(const struct source_file *s, struct buf *out);

uint64_t source_file_seq(const struct source_file *s); /* last number given; 0: none */
size_t source_file_files(const struct source_file *s);
uint64_t source_file_lag(const struct source_file *s);      /* bytes that are there and unread, as last looked at */
const char *source_file_error(const struct source_file *s); /* "": none */

#endif
