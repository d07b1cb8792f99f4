/* node/ingest/source_file_watch.c -- which files there are, and what became of those we know; see source_file.h. */
#include "node/ingest/source_file_impl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WATCH_COMPARE = 8192 };

struct watch_stat {
    uint64_t dev, ino, size;
    int64_t mtime_ns;
};

static struct watch_stat watch_of(const struct stat *st) {
    return (struct watch_stat){(uint64_t)st->st_dev, (uint64_t)st->st_ino, (uint64_t)st->st_size,
                               (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec};
}

static void watch_error(struct source_file *s, const char *path, const char *what) {
    snprintf(s->error, sizeof s->error, "%.160s: %s", path, what);
}

static struct source_file_one *watch_find(struct source_file *s, const struct watch_stat *st) {
    size_t i;
    for (i = 0; i < s->count; i++)
        if (s->files[i].dev == st->dev && s->files[i].ino == st->ino)
            return &s->files[i];
    return NULL;
}

/* Do the bytes before the file's offset stand in fd too? */
static bool watch_same_tail(const struct source_file_one *f, int fd) {
    uint8_t tail[SOURCE_FILE_TAIL], mark[SOURCE_FILE_MARK], ours[SOURCE_FILE_MARK];
    size_t len;
    if (!source_file_tail_read(fd, f->offset, tail, &len))
        return false;
    source_file_mark(tail, len, mark);
    source_file_mark_of(f, ours);
    return memcmp(mark, ours, sizeof mark) == 0;
}

static void watch_learn_tail(struct source_file_one *f) {
    if (!f->tail_known)
        f->tail_known = source_file_tail_read(f->fd, f->offset, f->tail, &f->tail_len);
}

/* A place in the list, before `before` (or at the end). NULL: the list is full. */
static struct source_file_one *watch_insert(struct source_file *s, size_t before) {
    if (s->count == SOURCE_FILE_FILES) {
        watch_error(s, s->pattern, "more files than one source may have: some wait");
        return NULL;
    }
    source_file_reset(s); /* current points into the list */
    memmove(s->files + before + 1, s->files + before, (s->count - before) * sizeof *s->files);
    s->count++;
    s->files[before] = (struct source_file_one){.fd = -1};
    return &s->files[before];
}

static void watch_drop(struct source_file *s, size_t i) {
    source_file_reset(s);
    if (s->files[i].fd >= 0)
        close(s->files[i].fd);
    s->count--;
    memmove(s->files + i, s->files + i + 1, (s->count - i) * sizeof *s->files);
}

/* ---- other files of the same directory ---- */

struct watch_search {
    const struct source_file_one *want;
    bool by_inode; /* the file itself under another name; else a copy */
    int fd;        /* found, open; -1 */
    char path[SOURCE_FILE_PATH];
    struct watch_stat st;
};

static bool watch_candidate(struct watch_search *x, const char *path) {
    const struct source_file_one *f = x->want;
    struct stat st;
    struct watch_stat w;
    int fd;
    if (lstat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return false;
    w = watch_of(&st);
    if (x->by_inode ? (w.dev != f->dev || w.ino != f->ino) : (w.dev == f->dev && w.ino == f->ino))
        return false;
    if (w.size < f->offset || (!x->by_inode && f->offset < SOURCE_FILE_TAIL_MIN))
        return false;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return false;
    if (!watch_same_tail(f, fd)) {
        close(fd);
        return false;
    }
    x->fd = fd;
    x->st = w;
    snprintf(x->path, sizeof x->path, "%s", path);
    return true;
}

static bool watch_directory(struct watch_search *x, const char *dir) {
    DIR *d = opendir(dir);
    struct dirent *de;
    bool found = false;
    if (!d)
        return false;
    while (!found && (de = readdir(d)) != NULL) {
        char path[SOURCE_FILE_PATH];
        int n = snprintf(path, sizeof path, "%s/%s", dir, de->d_name);
        found = n > 0 && (size_t)n < sizeof path && watch_candidate(x, path);
    }
    closedir(d);
    return found;
}

/* Searches the directories that the pattern names. */
static bool watch_search(struct source_file *s, struct watch_search *x) {
    char dir[SOURCE_FILE_PATH];
    char *slash;
    glob_t g;
    size_t i;
    bool found = false;
    x->fd = -1;
    snprintf(dir, sizeof dir, "%s", s->pattern);
    slash = strrchr(dir, '/');
    if (!slash)
        return false;
    *(slash == dir ? slash + 1 : slash) = '\0';
    if (glob(dir, 0, NULL, &g) == 0) {
        for (i = 0; i < g.gl_pathc && !found; i++)
            found = watch_directory(x, g.gl_pathv[i]);
        globfree(&g);
    }
    return found;
}

/* ---- what was lost, and where the rest is ---- */

static void watch_lost(struct source_file *s, const struct source_file_one *f, const char *how) {
    uint64_t bytes = f->seen > f->offset ? f->seen - f->offset : 0;
    if (!bytes || f->copy)
        return;
    s->lost += bytes;
    snprintf(s->lost_reason, sizeof s->lost_reason, "a file was %s while at least %llu bytes of it were unread", how,
             (unsigned long long)s->lost);
}

/* The rest of files[i], which is no longer in it, may stand in a copy: that is read before it. Returns the new index of
 * the file. */
static size_t watch_rescue(struct source_file *s, size_t i, const char *how) {
    struct watch_search x = {.want = &s->files[i]};
    struct source_file_one *c, old = s->files[i];
    if (old.copy)
        return i;
    if (!watch_search(s, &x)) {
        watch_lost(s, &old, how);
        return i;
    }
    c = watch_find(s, &x.st);
    if (c) {
        close(x.fd);
        if (!c->copy)
            return i; /* it is read by itself: nothing of it is lost */
    } else {
        c = watch_insert(s, i);
        if (!c) {
            close(x.fd);
            watch_lost(s, &old, how);
            return i;
        }
        *c = (struct source_file_one){.dev = x.st.dev, .ino = x.st.ino, .fd = x.fd};
        snprintf(c->path, sizeof c->path, "%s", x.path);
        i++;
    }
    c->copy = false;
    c->offset = old.offset;
    c->seen = c->size = x.st.size;
    c->tail_known = false;
    source_file_mark_of(&old, c->mark);
    watch_learn_tail(c);
    c->dirty = true;
    return i;
}

static void watch_begin_anew(struct source_file *s, struct source_file_one *f) {
    if (s->current == f)
        source_file_reset(s);
    f->offset = f->seen = 0;
    f->tail_len = 0;
    f->tail_known = true;
    f->copy = false;
    f->quiet = 0;
}

/* ---- the files that we know ---- */

/* Looks at an open file; false when its content is not what we read. */
static bool watch_look(struct source_file *s, struct source_file_one *f, struct watch_stat *w) {
    struct stat st;
    if (fstat(f->fd, &st) != 0) {
        watch_error(s, f->path, strerror(errno));
        return true;
    }
    *w = watch_of(&st);
    if (w->size < f->offset)
        return false;
    if (f->tail_known && w->size == f->size && w->mtime_ns == f->mtime_ns)
        return true;
    if (!f->copy && !watch_same_tail(f, f->fd))
        return false;
    watch_learn_tail(f);
    return true;
}

static size_t watch_known(struct source_file *s, size_t i) {
    struct source_file_one *f = &s->files[i];
    struct watch_stat w = {.size = f->size, .mtime_ns = f->mtime_ns};
    if (f->present) {
        f->quiet = 0;
        f->last = false;
    }
    if (!watch_look(s, f, &w)) {
        i = watch_rescue(s, i, "truncated");
        f = &s->files[i];
        watch_begin_anew(s, f);
    } else if (f->size == w.size && f->mtime_ns == w.mtime_ns && f->seen) {
        f->quiet += !f->present;
        if (f->quiet >= SOURCE_FILE_QUIET && !f->last) {
            f->last = true; /* who wrote it has gone: a last line without LF is complete */
            f->dirty = w.size > f->offset;
        }
        return i;
    }
    f->quiet = 0;
    f->size = w.size;
    f->mtime_ns = w.mtime_ns;
    if (w.size > f->seen)
        f->seen = w.size;
    f->dirty = !f->copy && w.size > f->offset;
    if (!f->seen && !f->present) { /* empty, and gone */
        f->last = true;
        f->quiet = SOURCE_FILE_QUIET + 1;
    }
    return i;
}

/* Opens a file of the position by its inode, wherever it is now. */
static bool watch_reopen(struct source_file *s, size_t *i) {
    struct watch_search x = {.want = &s->files[*i], .by_inode = true};
    if (s->files[*i].fd >= 0)
        return true;
    if (watch_search(s, &x)) {
        s->files[*i].fd = x.fd;
        snprintf(s->files[*i].path, sizeof s->files[*i].path, "%s", x.path);
        return true;
    }
    *i = watch_rescue(s, *i, "removed");
    return false;
}

/* ---- new files ---- */

/* Is the file behind fd, so far, a copy of one that we read: 1 yes, 0 no, -1 it may become one. */
static int watch_copied(struct source_file *s, int fd, uint64_t size) {
    size_t i;
    for (i = 0; i < s->count; i++) {
        const struct source_file_one *f = &s->files[i];
        uint8_t a[WATCH_COMPARE], b[WATCH_COMPARE];
        uint64_t at = 0;
        if (f->copy || f->offset < SOURCE_FILE_TAIL_MIN || f->fd < 0)
            continue;
        if (size >= f->offset) {
            if (watch_same_tail(f, fd))
                return 1;
            continue;
        }
        while (at < size) { /* shorter: is it the beginning of ours? */
            size_t want = size - at < WATCH_COMPARE ? (size_t)(size - at) : WATCH_COMPARE;
            if (pread(fd, a, want, (off_t)at) != (ssize_t)want || pread(f->fd, b, want, (off_t)at) != (ssize_t)want ||
                memcmp(a, b, want) != 0)
                break;
            at += want;
        }
        if (at == size)
            return -1;
    }
    return 0;
}

/* Behind the last LF of the first `size` bytes, not further back than a chunk. */
static uint64_t watch_last_line(int fd, uint64_t size) {
    uint8_t chunk[8192];
    size_t want = size < sizeof chunk ? (size_t)size : sizeof chunk;
    ssize_t n = pread(fd, chunk, want, (off_t)(size - want));
    while (n > 0 && chunk[n - 1] != '\n')
        n--;
    return n > 0 ? size - want + (uint64_t)n : size == want ? 0 : size;
}

static void watch_new(struct source_file *s, const char *path, const struct watch_stat *w) {
    struct source_file_one *f;
    int fd, copied;
    if (w->size == 0)
        return; /* nothing to read, nothing to know it by */
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        watch_error(s, path, strerror(errno));
        return;
    }
    copied = s->first ? 0 : watch_copied(s, fd, w->size);
    f = copied < 0 ? NULL : watch_insert(s, s->count);
    if (!f) {
        close(fd);
        return;
    }
    *f = (struct source_file_one){.dev = w->dev,
                                  .ino = w->ino,
                                  .fd = fd,
                                  .present = true,
                                  .size = w->size,
                                  .mtime_ns = w->mtime_ns,
                                  .seen = w->size};
    snprintf(f->path, sizeof f->path, "%s", path);
    f->copy = copied > 0;
    f->tail_known = true;
    if (f->copy || (s->first && s->from_end))
        f->offset = f->copy ? w->size : watch_last_line(fd, w->size);
    f->tail_known = source_file_tail_read(fd, f->offset, f->tail, &f->tail_len);
    f->dirty = !f->copy && f->offset < w->size;
}

/* ---- a poll ---- */

struct watch_path {
    const char *path;
    struct watch_stat st;
};

static int watch_older(const void *a, const void *b) {
    const struct watch_path *x = a, *y = b;
    if (x->st.mtime_ns != y->st.mtime_ns)
        return x->st.mtime_ns < y->st.mtime_ns ? -1 : 1;
    return strcmp(x->path, y->path);
}

static size_t watch_glob(struct source_file *s, glob_t *g, struct watch_path *out) {
    size_t i, n = 0;
    for (i = 0; i < g->gl_pathc && n < SOURCE_FILE_FILES; i++) {
        struct stat st;
        if (stat(g->gl_pathv[i], &st) != 0 || !S_ISREG(st.st_mode))
            continue;
        out[n++] = (struct watch_path){g->gl_pathv[i], watch_of(&st)};
    }
    if (i < g->gl_pathc)
        watch_error(s, s->pattern, "more files than one source may have: some wait");
    qsort(out, n, sizeof *out, watch_older);
    return n;
}

static void watch_all_known(struct source_file *s) {
    size_t i;
    for (i = 0; i < s->count; i++) {
        if (s->files[i].fd < 0 && !watch_reopen(s, &i)) {
            watch_drop(s, i--);
            continue;
        }
        i = watch_known(s, i);
        if (s->files[i].last && !s->files[i].dirty && !s->files[i].present && s->files[i].quiet > SOURCE_FILE_QUIET)
            watch_drop(s, i--);
    }
}

enum err_code source_file_poll(struct source_file *s, struct err *e) {
    struct watch_path found[SOURCE_FILE_FILES];
    size_t i, n = 0;
    glob_t g;
    int rc = glob(s->pattern, 0, NULL, &g);
    if (rc == GLOB_NOSPACE)
        return err_set(e, ERR_NO_MEMORY, "no memory to look for files");
    s->error[0] = '\0';
    if (rc == 0)
        n = watch_glob(s, &g, found);
    for (i = 0; i < s->count; i++)
        s->files[i].present = false;
    for (i = 0; i < n; i++) {
        struct source_file_one *f = watch_find(s, &found[i].st);
        if (f) {
            f->present = true;
            snprintf(f->path, sizeof f->path, "%s", found[i].path);
        }
    }
    watch_all_known(s);
    for (i = 0; i < n; i++)
        if (!watch_find(s, &found[i].st))
            watch_new(s, found[i].path, &found[i].st);
    s->first = false;
    if (rc == 0)
        globfree(&g);
    return ERR_OK;
}
