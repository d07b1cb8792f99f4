/* node/faults.h -- how often each node's bytes were at fault, and when that is too often.
 * One fault can be a bug or a broken cable; a stream of them is an attack, or costs as much. A peer that reaches
 * FAULTS_MOST is to be banned for FAULTS_BAN_MS; one fault is forgiven each FAULTS_FORGIVE_MS.
 * Threads: any. */
#ifndef NODE_FAULTS_H
#define NODE_FAULTS_H

#include "wire/err.h"

#include <stddef.h>
#include <stdint.h>

enum { FAULTS_MOST = 16, FAULTS_FORGIVE_MS = 5000, FAULTS_BAN_MS = 30000 };

struct faults;

enum err_code faults_new(size_t nodes, struct faults **out, struct err *e) ERR_CHECKED;
void faults_free(struct faults *f); /* NULL is fine */
/* Counts one of node `index` at the time `now` (monotonic ms). True: ban it now; its count starts anew. */
bool faults_note(struct faults *f, size_t index, int64_t now);

#endif
