/* node/cli/files.c -- see files.h. */
#include "node/cli/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum err_code files_path(char out[FILES_PATH], const char *dir, const char *rest, struct err *e) {
    int n = snprintf(out, FILES_PATH, "%s/%s", dir, rest);
    return n > 0 && n < FILES_PATH ? ERR_OK : err_set(e, ERR_USAGE, "path too long: %.200s...", dir);
}

enum err_code files_mkdir(const char *path, struct err *e) {
    char part[FILES_PATH];
    size_t i, len = strlen(path);
    if (len >= sizeof part)
        return err_set(e, ERR_USAGE, "path too long: %.200s...", path);
    memcpy(part, path, len + 1);
    for (i = 1; i < len; i++) {
        if (part[i] != '/')
            continue;
        part[i] = '\0';
        if (mkdir(part, 0755) != 0 && errno != EEXIST)
            return err_errno(e, "%s", part);
        part[i] = '/';
    }
    return mkdir(path, 0700) == 0 || errno == EEXIST ? ERR_OK : err_errno(e, "%s", path);
}

static enum err_code files_sync_dir(const char *path, struct err *e) {
    char dir[FILES_PATH];
    char *slash;
    int fd;
    enum err_code rc = ERR_OK;
    snprintf(dir, sizeof dir, "%s", path);
    slash = strrchr(dir, '/');
    if (slash)
        slash[slash == dir] = '\0';
    fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0)
        rc = err_errno(e, "%s", dir);
    if (fd >= 0)
        close(fd);
    return rc;
}

static enum err_code files_put(int fd, const char *path, struct slice bytes, struct err *e) {
    enum err_code rc = ERR_OK;
    while (bytes.len > 0 && rc == ERR_OK) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);
        if (n > 0)
            bytes = slice_from(bytes, (size_t)n);
        else if (n == 0 || errno != EINTR)
            rc = err_errno(e, "%s", path);
    }
    if (rc == ERR_OK && fsync(fd) != 0)
        rc = err_errno(e, "%s", path);
    if (close(fd) != 0 && rc == ERR_OK)
        rc = err_errno(e, "%s", path);
    return rc;
}

enum err_code files_create(const char *path, struct slice bytes, struct err *e) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    enum err_code rc;
    if (fd < 0)
        return errno == EEXIST ? err_set(e, ERR_CONFLICT, "%s is there already", path) : err_errno(e, "%s", path);
    rc = files_put(fd, path, bytes, e);
    if (rc != ERR_OK) {
        unlink(path);
        return rc;
    }
    return files_sync_dir(path, e);
}

enum err_code files_replace(const char *path, struct slice bytes, struct err *e) {
    char beside[FILES_PATH + 16];
    enum err_code rc;
    int fd;
    snprintf(beside, sizeof beside, "%s.%ld.new", path, (long)getpid());
    fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_errno(e, "%s", beside);
    rc = files_put(fd, beside, bytes, e);
    if (rc == ERR_OK && rename(beside, path) != 0)
        rc = err_errno(e, "%s", path);
    if (rc != ERR_OK) {
        unlink(beside);
        return rc;
    }
    return files_sync_dir(path, e);
}

enum err_code files_read(const char *path, size_t max, struct buf *out, struct err *e) {
    FILE *f = fopen(path, "rb");
    size_t got = 1;
    enum err_code rc;
    buf_init(out, max);
    if (!f)
        return errno == ENOENT ? err_set(e, ERR_NOT_FOUND, "%s: no such file", path) : err_errno(e, "%s", path);
    while (got > 0 && !out->failed) {
        uint8_t part[4096];
        got = fread(part, 1, sizeof part, f);
        buf_bytes(out, part, got);
    }
    rc = ferror(f) ? err_errno(e, "%s", path) : buf_check(out, e);
    if (rc == ERR_TOO_LARGE)
        err_wrap(e, "%s", path);
    fclose(f);
    return rc;
}

bool files_exists(const char *path) {
    struct stat st;
    return stat(path, &st) == 0;
}
