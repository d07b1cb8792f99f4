/* node/cli/procs.c -- see procs.h. */
#include "node/cli/procs.h"

#include "wire/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Is this pid an assayd of this home? */
static bool procs_is(pid_t pid, const char *home) {
    char path[64], line[2 * FILES_PATH];
    size_t len = 0, at = 0, home_len = strlen(home);
    ssize_t n;
    const char *base;
    bool found = false;
    int fd;
    snprintf(path, sizeof path, "/proc/%ld/cmdline", (long)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    while (len < sizeof line - 1 && (n = read(fd, line + len, sizeof line - 1 - len)) > 0)
        len += (size_t)n;
    close(fd);
    line[len] = '\0';
    base = strrchr(line, '/');
    base = base ? base + 1 : line;
    if (len == 0 || strcmp(base, "assayd") != 0)
        return false;
    while (at < len && !found) {
        found = strncmp(line + at, home, home_len) == 0 && line[at + home_len] == '\0';
        at += strlen(line + at) + 1;
    }
    return found;
}

static void procs_look(struct procs_node *n) {
    char path[FILES_PATH];
    struct buf b;
    long pid;
    n->pid = 0;
    buf_init(&b, 64);
    if (files_path(path, n->home, "pid", NULL) == ERR_OK && files_exists(path) &&
        files_read(path, 63, &b, NULL) == ERR_OK) {
        pid = strtol(buf_cstr(&b), NULL, 10);
        if (pid > 1 && procs_is((pid_t)pid, n->home))
            n->pid = (pid_t)pid;
    }
    buf_release(&b);
}

static int procs_order(const void *a, const void *b) {
    return strcmp(((const struct procs_node *)a)->id, ((const struct procs_node *)b)->id);
}

static enum err_code procs_add(struct procs *p, const char *nodes, const char *id, struct err *e) {
    char path[FILES_PATH], config[FILES_PATH];
    struct procs_node *n = &p->nodes[p->count];
    enum err_code rc;
    if (id[0] == '.' || strlen(id) > LIMIT_NAME)
        return ERR_OK;
    if ((rc = files_path(path, nodes, id, e)) != ERR_OK || (rc = files_path(config, path, "node.yaml", e)) != ERR_OK)
        return rc;
    if (!files_exists(config))
        return ERR_OK;
    if (p->count == PROCS_MAX)
        return err_set(e, ERR_TOO_LARGE, "%s: more than %d nodes", nodes, PROCS_MAX);
    memcpy(n->id, id, strlen(id) + 1); /* at most LIMIT_NAME, as was checked */
    if (!realpath(path, n->home))
        return err_errno(e, "%s", path);
    procs_look(n);
    p->count++;
    return ERR_OK;
}

enum err_code procs_find(const char *dir, struct procs *out, struct err *e) {
    char nodes[FILES_PATH];
    struct dirent *d;
    DIR *list;
    enum err_code rc;
    memset(out, 0, sizeof *out);
    if ((rc = files_path(nodes, dir, "nodes", e)) != ERR_OK)
        return rc;
    list = opendir(nodes);
    if (!list)
        return errno == ENOENT
                   ? err_set(e, ERR_NOT_FOUND,
                             "%s is no network's directory; `assay network init FILE --dir %s` makes one", dir, dir)
                   : err_errno(e, "%s", nodes);
    out->nodes = mem_zalloc(PROCS_MAX, sizeof *out->nodes);
    if (!out->nodes)
        rc = err_set(e, ERR_NO_MEMORY, "no memory");
    while (rc == ERR_OK && (d = readdir(list)))
        rc = procs_add(out, nodes, d->d_name, e);
    closedir(list);
    if (rc == ERR_OK && out->count == 0)
        rc = err_set(e, ERR_NOT_FOUND, "%s holds no node's home", nodes);
    if (rc == ERR_OK)
        qsort(out->nodes, out->count, sizeof *out->nodes, procs_order);
    else
        procs_release(out);
    return rc;
}

void procs_release(struct procs *p) {
    mem_free(p->nodes);
    memset(p, 0, sizeof *p);
}

enum err_code procs_assayd(char out[FILES_PATH], struct err *e) {
    ssize_t n = readlink("/proc/self/exe", out, FILES_PATH - 8);
    char *slash;
    if (n <= 0)
        return err_errno(e, "/proc/self/exe");
    out[n] = '\0';
    slash = strrchr(out, '/');
    snprintf(slash ? slash + 1 : out, (size_t)(FILES_PATH - (slash ? slash + 1 - out : 0)), "assayd");
    return access(out, X_OK) == 0 ? ERR_OK
                                  : err_set(e, ERR_NOT_FOUND, "%s is not there; say where with --assayd FILE", out);
}

/* The environment with ASSAY_CAPTURE set; the array and its first string are one allocation. */
static char **procs_environment(const char *value) {
    size_t count = 0, i, at = 1;
    char **env;
    while (environ[count])
        count++;
    env = mem_zalloc(1, (count + 2) * sizeof *env + strlen(value) + 1);
    if (!env)
        return NULL;
    env[0] = (char *)(env + count + 2);
    memcpy(env[0], value, strlen(value) + 1);
    for (i = 0; i < count; i++)
        if (strncmp(environ[i], "ASSAY_CAPTURE=", 14) != 0)
            env[at++] = environ[i];
    return env;
}

static enum err_code procs_spawn(struct procs_node *n, const char *assayd, char **env, struct err *e) {
    char log[FILES_PATH], home_word[] = "--home", *program = mem_alloc(strlen(assayd) + 1);
    char *argv[] = {program, home_word, n->home, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, all;
    int failed;
    enum err_code rc = files_path(log, n->home, "log", e);
    if (rc != ERR_OK || !program) {
        mem_free(program);
        return rc != ERR_OK ? rc : err_set(e, ERR_NO_MEMORY, "no memory");
    }
    memcpy(program, assayd, strlen(assayd) + 1);
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attr);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&files, 1, 2);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    failed = posix_spawn(&n->pid, assayd, &files, &attr, argv, env);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attr);
    mem_free(program);
    if (failed) {
        n->pid = 0;
        errno = failed;
        return err_errno(e, "starting %s", assayd);
    }
    return ERR_OK;
}

enum err_code procs_start(struct procs_node *n, const char *assayd, const char *capture, struct err *e) {
    char path[FILES_PATH], value[FILES_PATH + 80], text[24];
    char **env = NULL;
    enum err_code rc;
    if (capture) {
        snprintf(value, sizeof value, "ASSAY_CAPTURE=%.4000s/%s.tap", capture, n->id);
        env = procs_environment(value);
        if (!env)
            return err_set(e, ERR_NO_MEMORY, "no memory");
    }
    rc = procs_spawn(n, assayd, env ? env : environ, e);
    mem_free(env);
    if (rc != ERR_OK)
        return rc;
    snprintf(text, sizeof text, "%ld\n", (long)n->pid);
    if ((rc = files_path(path, n->home, "pid", e)) == ERR_OK)
        rc = files_replace(path, slice_str(text), e);
    return rc;
}

bool procs_ended(struct procs_node *n, int *status) {
    if (n->pid <= 0 || waitpid(n->pid, status, WNOHANG) != n->pid)
        return false;
    n->pid = 0;
    return true;
}

/* True when the process has ended within wait_ms. */
static bool procs_gone(int pidfd, int wait_ms) {
    struct pollfd p = {.fd = pidfd, .events = POLLIN};
    int rc;
    do
        rc = poll(&p, 1, wait_ms);
    while (rc < 0 && errno == EINTR);
    return rc > 0;
}

enum err_code procs_stop(struct procs_node *n, int wait_ms, bool *killed, struct err *e) {
    char path[FILES_PATH];
    int fd, status;
    enum err_code rc = ERR_OK;
    *killed = false;
    if (n->pid > 0) {
        fd = pidfd_open(n->pid, 0);
        if (fd >= 0 && procs_is(n->pid, n->home)) { /* checked while held */
            if (pidfd_send_signal(fd, SIGTERM, NULL, 0) != 0 && errno != ESRCH)
                rc = err_errno(e, "stopping %s (process %ld)", n->id, (long)n->pid);
            if (rc == ERR_OK && !procs_gone(fd, wait_ms)) {
                *killed = true;
                if (pidfd_send_signal(fd, SIGKILL, NULL, 0) != 0 || !procs_gone(fd, wait_ms))
                    rc = err_set(e, ERR_TIMEOUT, "%s (process %ld) does not end", n->id, (long)n->pid);
            }
        } else if (fd < 0 && errno != ESRCH) {
            rc = err_errno(e, "finding process %ld", (long)n->pid);
        }
        if (fd >= 0)
            close(fd);
        (void)waitpid(n->pid, &status, WNOHANG); /* if it is a child of ours */
    }
    if (rc == ERR_OK && files_path(path, n->home, "pid", e) == ERR_OK && unlink(path) != 0 && errno != ENOENT)
        rc = err_errno(e, "%s", path);
    if (rc == ERR_OK)
        n->pid = 0;
    return rc;
}
