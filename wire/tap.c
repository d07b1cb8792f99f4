/* wire/tap.c -- see tap.h. */
#include "wire/tap.h"

#include "wire/buf.h"
#include "wire/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { TAP_HEAD = 2 + 8 + 4 }; /* without the id */

struct tap {
    pthread_mutex_t mtx;
    FILE *file;
};

enum err_code tap_open(const char *path, struct tap **out, struct err *e) {
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    struct tap *t = NULL;
    *out = NULL;
    if (fd < 0)
        return err_errno(e, "%s", path);
    t = mem_zalloc(1, sizeof *t);
    if (t)
        t->file = fdopen(fd, "ab");
    if (!t || !t->file) {
        close(fd);
        mem_free(t);
        return err_set(e, ERR_NO_MEMORY, "no memory for a tap");
    }
    pthread_mutex_init(&t->mtx, NULL);
    *out = t;
    return ERR_OK;
}

void tap_close(struct tap *t) {
    if (!t)
        return;
    fclose(t->file);
    pthread_mutex_destroy(&t->mtx);
    mem_free(t);
}

static void tap_frame(void *ctx, const char *peer, enum link_direction direction, struct slice bytes) {
    struct tap *t = ctx;
    struct timespec now;
    struct buf head;
    buf_init(&head, TAP_HEAD + LIMIT_NAME);
    clock_gettime(CLOCK_REALTIME, &now);
    buf_u8(&head, (uint8_t)direction);
    buf_u8(&head, (uint8_t)strlen(peer));
    buf_str(&head, peer);
    buf_be64(&head, (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
    buf_be32(&head, (uint32_t)bytes.len);
    if (!head.failed) {
        pthread_mutex_lock(&t->mtx);
        fwrite(head.ptr, 1, head.len, t->file);
        fwrite(bytes.ptr, 1, bytes.len, t->file);
        fflush(t->file); /* a killed node's capture counts too */
        pthread_mutex_unlock(&t->mtx);
    }
    buf_release(&head);
}

struct link_tap tap_hook(struct tap *t) {
    return (struct link_tap){tap_frame, t};
}

/* One record; false at the end, a torn tail, or nonsense. */
static bool tap_next(FILE *f, struct buf *body, char peer[LIMIT_NAME + 1], enum link_direction *direction) {
    uint8_t head[2], rest[12], *p;
    uint32_t len;
    if (fread(head, 1, 2, f) != 2 || head[0] > LINK_RECEIVED || head[1] > LIMIT_NAME)
        return false;
    if (fread(peer, 1, head[1], f) != head[1] || fread(rest, 1, sizeof rest, f) != sizeof rest)
        return false;
    peer[head[1]] = '\0';
    *direction = (enum link_direction)head[0];
    len = buf_get32(rest + 8);
    buf_clear(body);
    if (len == 0)
        return true;
    p = buf_extend(body, len);
    return p && fread(p, 1, len, f) == len;
}

enum err_code tap_read(const char *path,
                       void (*fn)(void *ctx, const char *peer, enum link_direction direction, struct slice bytes),
                       void *ctx, struct err *e) {
    FILE *f = fopen(path, "rbe");
    char peer[LIMIT_NAME + 1];
    enum link_direction direction;
    struct buf body;
    if (!f)
        return errno == ENOENT ? err_set(e, ERR_NOT_FOUND, "%s: no such file", path) : err_errno(e, "%s", path);
    buf_init(&body, LIMIT_MESSAGE);
    while (tap_next(f, &body, peer, &direction))
        fn(ctx, peer, direction, buf_slice(&body));
    buf_release(&body);
    fclose(f);
    return ERR_OK;
}
