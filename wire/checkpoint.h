/* wire/checkpoint.h -- the text that a FINALIZE vote signs: a C2SP tlog-checkpoint with one more line.
 * Source: docs/FORMATS.md 5. Each line ends in LF; the signed bytes are the text with its final LF.
 *
 *   assay/<network>/<channel>
 *   <tree size, decimal>
 *   <tree root, standard base64>
 *   final <epoch> <view> <pid, standard base64> */
#ifndef WIRE_CHECKPOINT_H
#define WIRE_CHECKPOINT_H

#include "wire/buf.h"
#include "wire/digest.h"

enum { CHECKPOINT_ORIGIN_MAX = 160, CHECKPOINT_TEXT_MAX = 384 };

struct checkpoint {
    uint64_t tree_size;
    struct digest tree_root;
    uint64_t epoch, view;
    struct digest pid;
};

/* Appends the text to `out` (sticky failure there). origin: without LF, at most CHECKPOINT_ORIGIN_MAX bytes. */
void checkpoint_text(struct slice origin, const struct checkpoint *cp, struct buf *out);
/* Reads exactly such a text; *origin borrows. MALFORMED on any other byte: rewriting gives the same bytes. */
enum err_code checkpoint_read(struct slice text, struct slice *origin, struct checkpoint *out,
                              struct err *e) ERR_CHECKED;

#endif
