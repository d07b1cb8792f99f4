/* ledger/fsck_in.c -- runs a check in a process of its own: a broken page may kill its reader (SIGBUS, SIGSEGV),
 * and that death is then the answer "corrupt" instead of ours. Declared in fsck.h. */
#include "ledger/fsck.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static enum err_code fsck_in_wait(pid_t pid, struct err *e) {
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_errno(e, "waiting for the check");
    if (WIFSIGNALED(status))
        return err_set(e, ERR_CORRUPT, "the database file is damaged: its reader died of signal %d (%s)",
                       WTERMSIG(status), strsignal(WTERMSIG(status)));
    status = WEXITSTATUS(status);
    if (status == 0)
        return ERR_OK;
    if (status == err_exit_status(ERR_CORRUPT))
        return err_set(e, ERR_CORRUPT, "the check found damage");
    return err_set(e, ERR_INTERNAL, "the check ended with status %d", status);
}

enum err_code fsck_in_child(char *const argv[], struct err *e) {
    pid_t pid;
    int rc = posix_spawn(&pid, argv[0], NULL, NULL, argv, environ);
    if (rc != 0) {
        errno = rc;
        return err_errno(e, "starting %s", argv[0]);
    }
    return fsck_in_wait(pid, e);
}

enum err_code fsck_in_fork(enum err_code (*fn)(void *ctx, struct err *e), void *ctx, struct err *e) {
    pid_t pid = fork();
    if (pid < 0)
        return err_errno(e, "starting the check");
    if (pid == 0) {
        signal(SIGSEGV, SIG_DFL); /* whatever handlers we have: die of it plainly */
        signal(SIGBUS, SIG_DFL);
        _exit(err_exit_status(fn(ctx, NULL)));
    }
    return fsck_in_wait(pid, e);
}
