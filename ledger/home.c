/* ledger/home.c -- see home.h. */
#include "ledger/home.h"

#include "wire/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct home {
    char path[PATH_MAX];
    int lock; /* descriptor; the lock ends with it, at the latest when the process does */
};

enum { HOME_DIR_MODE = 0700, HOME_FILE_MODE = 0600, HOME_SMALL_FILE = 256 };

enum err_code home_sync_dir(const char *path, struct err *e) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum err_code code = ERR_OK;
    if (fd < 0)
        return err_errno(e, "opening directory %s", path);
    if (fsync(fd) != 0)
        code = err_errno(e, "syncing directory %s", path);
    close(fd);
    return code;
}

/* Parent of a path, as text: "." when it has none. */
static void home_parent(const char *path, char out[PATH_MAX]) {
    char *slash;
    snprintf(out, PATH_MAX, "%s", path);
    slash = strrchr(out, '/');
    if (!slash)
        snprintf(out, PATH_MAX, ".");
    else if (slash == out)
        out[1] = '\0';
    else
        *slash = '\0';
}

static enum err_code home_mkdir(const char *path, struct err *e) {
    char parent[PATH_MAX];
    struct stat st;
    enum err_code code;
    if (mkdir(path, HOME_DIR_MODE) != 0) {
        if (errno != EEXIST)
            return err_errno(e, "making directory %s", path);
        if (stat(path, &st) != 0)
            return err_errno(e, "%s", path);
        if (!S_ISDIR(st.st_mode))
            return err_set(e, ERR_CONFIG, "%s is not a directory", path);
        return ERR_OK;
    }
    home_parent(path, parent);
    code = home_sync_dir(path, e);
    return code != ERR_OK ? code : home_sync_dir(parent, e);
}

enum err_code home_mkdirs(const char *path, struct err *e) {
    char part[PATH_MAX];
    size_t i, len = strlen(path);
    if (len == 0 || len >= sizeof part)
        return err_set(e, ERR_CONFIG, "a directory's path is empty or too long");
    for (i = 1; i <= len; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        enum err_code code = home_mkdir(part, e);
        if (code != ERR_OK)
            return code;
        while (path[i] == '/' && path[i + 1] == '/')
            i++;
    }
    return ERR_OK;
}

static enum err_code home_write_all(int fd, struct slice bytes, const char *path, struct err *e) {
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(e, "writing %s", path);
        bytes = slice_from(bytes, (size_t)n);
    }
    return ERR_OK;
}

enum err_code home_write_file(const char *path, struct slice bytes, unsigned mode, struct err *e) {
    char temp[PATH_MAX], parent[PATH_MAX];
    enum err_code code;
    int fd;
    if ((size_t)snprintf(temp, sizeof temp, "%s.new", path) >= sizeof temp)
        return err_set(e, ERR_CONFIG, "path too long: %s", path);
    fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, (mode_t)mode);
    if (fd < 0)
        return err_errno(e, "making %s", temp);
    code = home_write_all(fd, bytes, temp, e);
    if (code == ERR_OK && fsync(fd) != 0)
        code = err_errno(e, "syncing %s", temp);
    close(fd);
    if (code == ERR_OK && rename(temp, path) != 0)
        code = err_errno(e, "renaming %s", temp);
    if (code != ERR_OK) {
        unlink(temp);
        return code;
    }
    home_parent(path, parent);
    return home_sync_dir(parent, e);
}

/* A small text file without its final newline; NOT_FOUND. */
static enum err_code home_read_small(const char *path, char out[HOME_SMALL_FILE], struct err *e) {
    size_t n = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? err_set(e, ERR_NOT_FOUND, "%s is missing", path) : err_errno(e, "opening %s", path);
    while (n < HOME_SMALL_FILE - 1) {
        ssize_t r = read(fd, out + n, HOME_SMALL_FILE - 1 - n);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0) {
            close(fd);
            return err_errno(e, "reading %s", path);
        }
        if (r == 0)
            break;
        n += (size_t)r;
    }
    close(fd);
    out[n] = '\0';
    out[strcspn(out, "\n")] = '\0';
    return ERR_OK;
}

static enum err_code home_file(const struct home *h, const char *name, char out[PATH_MAX], struct err *e) {
    if ((size_t)snprintf(out, PATH_MAX, "%s/%s", h->path, name) >= PATH_MAX)
        return err_set(e, ERR_CONFIG, "path too long: %s", h->path);
    return ERR_OK;
}

static enum err_code home_take_lock(struct home *h, struct err *e) {
    char path[PATH_MAX], pid[32];
    enum err_code code = home_file(h, "lock", path, e);
    int n;
    if (code != ERR_OK)
        return code;
    h->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, HOME_FILE_MODE);
    if (h->lock < 0)
        return err_errno(e, "opening %s", path);
    if (flock(h->lock, LOCK_EX | LOCK_NB) != 0) {
        ssize_t got = errno == EWOULDBLOCK ? pread(h->lock, pid, sizeof pid - 1, 0) : -1;
        if (got < 0)
            return err_errno(e, "locking %s", path);
        pid[got] = '\0';
        pid[strcspn(pid, "\n")] = '\0';
        return err_set(e, ERR_LOCKED, "%s is in use by process %s", h->path, pid[0] ? pid : "(unknown)");
    }
    n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid()); /* for people; the lock itself is the flock */
    if (ftruncate(h->lock, 0) != 0 || pwrite(h->lock, pid, (size_t)n, 0) != n)
        return err_errno(e, "writing %s", path);
    return ERR_OK;
}

static enum err_code home_check_version(const struct home *h, struct err *e) {
    char path[PATH_MAX], text[HOME_SMALL_FILE], want[32];
    enum err_code code = home_file(h, "version", path, e);
    if (code != ERR_OK)
        return code;
    snprintf(want, sizeof want, "assay-home %d\n", HOME_VERSION);
    code = home_read_small(path, text, e);
    if (code == ERR_NOT_FOUND)
        return home_write_file(path, slice_str(want), HOME_FILE_MODE, e);
    if (code != ERR_OK)
        return code;
    want[strcspn(want, "\n")] = '\0';
    if (strcmp(text, want) != 0)
        return err_set(e, ERR_UNSUPPORTED, "%s is of version \"%s\"; this program knows \"%s\"", h->path, text, want);
    return ERR_OK;
}

enum err_code home_bind(struct home *h, const struct digest *network, struct err *e) {
    char path[PATH_MAX], text[HOME_SMALL_FILE], hex[DIGEST_HEX + 1];
    struct digest there;
    enum err_code code = home_file(h, "network", path, e);
    if (code != ERR_OK)
        return code;
    digest_hex(network, hex);
    code = home_read_small(path, text, e);
    if (code == ERR_NOT_FOUND) {
        hex[DIGEST_HEX - 1] = '\n';
        return home_write_file(path, slice_of(hex, DIGEST_HEX), HOME_FILE_MODE, e);
    }
    if (code != ERR_OK)
        return code;
    if (!digest_from_hex(slice_str(text), &there))
        return err_set(e, ERR_CORRUPT, "%s does not hold a network's fingerprint", path);
    if (!digest_eq(&there, network))
        return err_set(e, ERR_WRONG_NETWORK, "%s belongs to network %.16s…, not to %.16s…", h->path, text, hex);
    return ERR_OK;
}

enum err_code home_open(const char *path, const struct digest *network, struct home **out, struct err *e) {
    struct home *h;
    enum err_code code = home_mkdirs(path, e);
    if (code != ERR_OK)
        return code;
    h = mem_zalloc(1, sizeof *h);
    if (!h)
        return err_set(e, ERR_NO_MEMORY, "a home");
    h->lock = -1;
    snprintf(h->path, sizeof h->path, "%s", path);
    code = home_take_lock(h, e);
    if (code == ERR_OK)
        code = home_check_version(h, e);
    if (code == ERR_OK && network)
        code = home_bind(h, network, e);
    if (code != ERR_OK) {
        home_close(h);
        return code;
    }
    *out = h;
    return ERR_OK;
}

void home_close(struct home *h) {
    if (!h)
        return;
    if (h->lock >= 0)
        close(h->lock);
    mem_free(h);
}

const char *home_path(const struct home *h) {
    return h->path;
}

enum err_code home_raise_files(unsigned long want, unsigned long *got, struct err *e) {
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) != 0)
        return err_errno(e, "reading the limit of open files");
    if (r.rlim_cur < want) {
        r.rlim_cur = r.rlim_max == RLIM_INFINITY || want < r.rlim_max ? want : r.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &r) != 0)
            return err_errno(e, "raising the limit of open files");
    }
    *got = (unsigned long)r.rlim_cur;
    return ERR_OK;
}

bool home_disk_full(const char *path) {
    struct statvfs v;
    return statvfs(path, &v) == 0 && (uint64_t)v.f_bavail * v.f_frsize < 1 << 20;
}
