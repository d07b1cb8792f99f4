/* node/cli/procs.h -- the nodes of a directory as processes of this machine: start, find again, stop.
 * Owns: home/pid (decimal, LF), home/log. A pid counts only if /proc says that it is assayd of that very home, and it
 * is held by a pidfd while it is signalled: another process that got the number is never hit. Depends on Linux. */
#ifndef NODE_CLI_PROCS_H
#define NODE_CLI_PROCS_H

#include "node/cli/files.h"
#include "wire/limits.h"

#include <sys/types.h>

enum { PROCS_MAX = 256 };

struct procs_node {
    char id[LIMIT_NAME + 1]; /* name of its directory */
    char home[FILES_PATH];   /* absolute */
    pid_t pid;               /* 0: not running */
};
struct procs {
    struct procs_node *nodes; /* by id */
    size_t count;
};

/* The homes under dir/nodes, and which of them run. NOT_FOUND, IO, TOO_LARGE. */
enum err_code procs_find(const char *dir, struct procs *out, struct err *e) ERR_CHECKED;
void procs_release(struct procs *p);
/* Starts assayd for this home, detached, with its output appended to home/log. capture (may be NULL): a directory, for
 * tests: its messages' plain text goes to capture/<id>.tap. */
enum err_code procs_start(struct procs_node *n, const char *assayd, const char *capture, struct err *e) ERR_CHECKED;
/* Has a node that this process started ended? Then *status is as waitpid tells. */
bool procs_ended(struct procs_node *n, int *status);
/* SIGTERM, up to wait_ms, then SIGKILL (*killed). Fine if it does not run. */
enum err_code procs_stop(struct procs_node *n, int wait_ms, bool *killed, struct err *e) ERR_CHECKED;
/* Path of the assayd that lies beside this program. */
enum err_code procs_assayd(char out[FILES_PATH], struct err *e) ERR_CHECKED;

#endif
