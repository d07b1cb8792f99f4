/* node/desk.h -- what a node does by itself on the stream of final entries: acknowledges standards, answers demands for
 * evidence, fetches and judges the answers to its own, files findings.
 * Owns: one thread, its mailbox, a chain reader for each channel. Depends on: audit/, ledger/{vault,spool},
 * node/courier. Source: docs/PROTOCOL.md 12.
 *
 *   enterprise  request to this node --vault--> spool (durable) --> answer entry (outbox) ; serves EVIDENCE_GET
 *   regulator   standard on the parent --> import entry on each channel (D3)
 *               answer to this node  --EVIDENCE_GET--> spool --> judged --> verdict entry ; deadline passed --> "late"
 *               records accepted with findings, holes in sources, proposals of other services --> finding entries
 *
 * Nothing of this needs memory of its own: what is to be done follows from the channel's state and the spool, so a kill
 * at any point is made good by the next start. Only the scan for findings keeps a position, in the outbox.
 * Invariants: D1 an answer entry is handed on only when its ciphertext is durable in the spool; after a restart the
 * same ciphertext is answered with again. D2 a ciphertext leaves only to the node that asked. D3 findings and
 * imports are filed by the first connected regulator in the channel's order of members, each once.
 *
 * Messages: EVIDENCE_GET body = case id[16]; EVIDENCE_DATA body = case id[16] ‖ ciphertext (none: not here). */
#ifndef NODE_DESK_H
#define NODE_DESK_H

#include "audit/cases_module.h"
#include "audit/evidence.h"
#include "node/node.h"

struct desk;

/* new before the node is connected, start after; stop before, free after connections and channels have ended. */
enum err_code desk_new(struct node *n, struct desk **out, struct err *e) ERR_CHECKED;
enum err_code desk_start(struct desk *d, struct err *e) ERR_CHECKED;
void desk_stop(struct desk *d); /* ends the thread; NULL is fine */
void desk_free(struct desk *d); /* NULL is fine */
/* Any thread; enqueue only, what does not fit is dropped and asked for again. */
void desk_message(struct desk *d, struct node_channel *c, const char *peer, const struct envelope *m);
void desk_moved(struct desk *d); /* some channel's tip moved */

/* Something that the channel should know; filed by D3. Known by (kind, text): the text must not change from one
 * observer, or moment, to the next. */
struct desk_proposal {
    char kind[32], engine[32];
    uint32_t severity; /* enum evidence_severity */
    bool has_subject;
    uint64_t entry; /* the subject, of this channel */
    struct digest leaf;
    char text[512];
};
/* D3: is this node the first connected regulator in the channel's order of members? */
bool desk_first_regulator(struct node *n, const struct audit_state *state);
void desk_propose(struct desk *d, struct node_channel *c, const struct desk_proposal *p);

/* ---- for handlers, on any thread, with a reader of their own ---- */
/* One evidence entry by number; slices live in `a`. NOT_FOUND, MALFORMED (another kind). */
enum err_code desk_entry(struct chain_reader *r, uint64_t number, enum entry_kind kind, struct arena *a,
                         struct evidence_entry *out, int64_t *time, struct err *e) ERR_CHECKED;
/* Judges a case of this node from the ledger and the spool. `in` (what was judged by) lives in `a`, the ciphertext and
 * the log in the two buffers. As evidence_judge. */
struct desk_judged {
    struct evidence_judge in;
    struct evidence_judgement out;
    struct evidence_entry request, answer;
    struct sealed_pair own;
};
enum err_code desk_judge(struct node *n, struct node_channel *c, struct chain_reader *r, const struct cases_case *x,
                         int64_t now, struct arena *a, struct buf *cipher, struct buf *plain, struct desk_judged *j,
                         struct err *e) ERR_CHECKED;

#endif
