/* wire/checkpoint_read.h -- reads the text of a checkpoint (C2SP tlog-checkpoint v1, docs/FORMATS.md 5); its writer
 * is wire/checkpoint.h.
 *   <origin> LF <tree size, decimal> LF <root, base64> LF, then Assay's line: final <epoch> <view> <pid, base64> LF
 * A text has one reading and one form: what is read and written again gives the same bytes. */
#ifndef WIRE_CHECKPOINT_READ_H
#define WIRE_CHECKPOINT_READ_H

#include "wire/digest.h"
#include "wire/err.h"

struct checkpoint_read {
    struct slice origin; /* borrows from the text */
    uint64_t size;
    struct digest root;
    bool final; /* Assay's fourth line is there, and nothing behind it */
    uint64_t epoch, view;
    struct digest pid;
    struct slice extension; /* other logs: all behind the third line; else absent */
};

/* The three lines that every log has; other lines are kept in `extension` unless they are exactly ours. */
enum err_code checkpoint_read_text(struct slice text, struct checkpoint_read *out, struct err *e) ERR_CHECKED;
/* As above, but MALFORMED unless it is a checkpoint of Assay: the final line and nothing else. */
enum err_code checkpoint_read_final(struct slice text, struct checkpoint_read *out, struct err *e) ERR_CHECKED;

#endif
