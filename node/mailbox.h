/* node/mailbox.h -- a bounded queue of events for one thread that reads it.
 * Any thread may put; a mail's bytes are copied. A full box refuses (FULL) what comes from outside; the owner's own
 * helpers use a reserved part, so that a flood of peers cannot starve them.
 * Invariants: M1 bytes and count never exceed their limits; M2 mails come out in the order in which they went in;
 * M3 one sender from outside holds at most its share of the box, so that a flood of one cannot starve the others. */
#ifndef NODE_MAILBOX_H
#define NODE_MAILBOX_H

#include "wire/err.h"
#include "wire/slice.h"

enum {
    MAILBOX_SHARE_COUNT = 8,
    MAILBOX_SHARE_BYTES = 4
}; /* one sender: an eighth of the mails, a quarter of the bytes */

struct mail {
    struct mail *next;
    uint32_t kind; /* the reader's own enumeration */
    int32_t from;  /* the reader's own meaning, -1 none */
    void *ref;     /* carried as it is; the reader knows who owns it */
    bool shared;   /* counts in its sender's share; the mailbox' own */
    size_t len;
    uint8_t bytes[];
};

struct mailbox;

struct mailbox *mailbox_new(size_t count_max, size_t bytes_max, struct err *e); /* NULL: no memory */
void mailbox_free(struct mailbox *m);                                           /* frees mails still in it */
/* inner: the sender belongs to this node, and may use the reserved quarter. Else `from` names who must share. */
enum err_code mailbox_put(struct mailbox *m, uint32_t kind, int32_t from, struct slice bytes, void *ref, bool inner,
                          struct err *e) ERR_CHECKED;
/* All that is there, oldest first, at most count_max; waits until deadline_ms of clock_monotonic_ms() (-1: for ever)
 * if there is none. NULL at the deadline or when woken. The caller frees each by mailbox_mail_free. */
struct mail *mailbox_take(struct mailbox *m, int64_t deadline_ms, unsigned count_max);
void mailbox_mail_free(struct mail *mail);
void mailbox_wake(struct mailbox *m);      /* lets mailbox_take return */
size_t mailbox_refused(struct mailbox *m); /* mails refused since the start */

#endif
