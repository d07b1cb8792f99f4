/* node/mailbox.c -- see mailbox.h. */
#include "node/mailbox.h"

#include "node/clock.h"
#include "wire/limits.h"
#include "wire/mem.h"

#include <pthread.h>
#include <time.h>

enum { MAILBOX_SENDERS = LIMIT_MEMBERS };

/* What one sender from outside has waiting; free when count is 0. */
struct mailbox_sender {
    int32_t from;
    size_t count, bytes;
};

struct mailbox {
    struct mailbox_sender senders[MAILBOX_SENDERS];
    size_t sender_count; /* slots in use or used once */
    pthread_mutex_t lock;
    pthread_cond_t arrived;
    struct mail *first, *last;
    size_t count, bytes, count_max, bytes_max, refused;
    bool woken;
};

struct mailbox *mailbox_new(size_t count_max, size_t bytes_max, struct err *e) {
    struct mailbox *m = mem_zalloc(1, sizeof *m);
    pthread_condattr_t attr;
    if (!m) {
        err_set(e, ERR_NO_MEMORY, "no memory for a mailbox");
        return NULL;
    }
    m->count_max = count_max;
    m->bytes_max = bytes_max;
    pthread_mutex_init(&m->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&m->arrived, &attr);
    pthread_condattr_destroy(&attr);
    return m;
}

void mailbox_mail_free(struct mail *mail) {
    mem_free(mail);
}

void mailbox_free(struct mailbox *m) {
    if (!m)
        return;
    while (m->first) {
        struct mail *next = m->first->next;
        mailbox_mail_free(m->first);
        m->first = next;
    }
    pthread_cond_destroy(&m->arrived);
    pthread_mutex_destroy(&m->lock);
    mem_free(m);
}

/* The sender's slot, a free one if it has none; NULL when all are taken. */
static struct mailbox_sender *mailbox_sender(struct mailbox *m, int32_t from) {
    struct mailbox_sender *open = NULL;
    size_t i;
    for (i = 0; i < m->sender_count; i++) {
        if (m->senders[i].count && m->senders[i].from == from)
            return &m->senders[i];
        if (!m->senders[i].count && !open)
            open = &m->senders[i];
    }
    if (!open && m->sender_count < MAILBOX_SENDERS)
        open = &m->senders[m->sender_count++];
    if (open)
        *open = (struct mailbox_sender){.from = from};
    return open;
}

/* Nobody outside may fill the box alone: the others' mail must find room. */
static bool mailbox_has_share(const struct mailbox *m, const struct mailbox_sender *s, size_t bytes) {
    return s && s->count < m->count_max / MAILBOX_SHARE_COUNT && bytes <= m->bytes_max / MAILBOX_SHARE_BYTES &&
           s->bytes <= m->bytes_max / MAILBOX_SHARE_BYTES - bytes;
}

enum err_code mailbox_put(struct mailbox *m, uint32_t kind, int32_t from, struct slice bytes, void *ref, bool inner,
                          struct err *e) {
    size_t share = inner ? 4 : 3; /* quarters of the box */
    struct mail *mail;
    struct mailbox_sender *sender = NULL;
    enum err_code rc = ERR_OK;
    pthread_mutex_lock(&m->lock);
    if (from >= 0 && !inner) {
        sender = mailbox_sender(m, from);
        if (!mailbox_has_share(m, sender, bytes.len)) {
            m->refused++;
            rc = err_set(e, ERR_FULL, "the sender's share of the mailbox is full");
            goto out;
        }
    }
    if (m->count >= m->count_max / 4 * share || bytes.len > m->bytes_max / 4 * share ||
        m->bytes > m->bytes_max / 4 * share - bytes.len) {
        m->refused++;
        rc = err_set(e, ERR_FULL, "mailbox full (%zu mails, %zu bytes)", m->count, m->bytes);
        goto out;
    }
    mail = mem_alloc(sizeof *mail + bytes.len);
    if (!mail) {
        rc = err_set(e, ERR_NO_MEMORY, "no memory for a mail of %zu bytes", bytes.len);
        goto out;
    }
    *mail = (struct mail){.kind = kind, .from = from, .ref = ref, .len = bytes.len, .shared = sender != NULL};
    if (bytes.len)
        memcpy(mail->bytes, bytes.ptr, bytes.len);
    if (m->last)
        m->last->next = mail;
    else
        m->first = mail;
    m->last = mail;
    m->count++;
    m->bytes += mail->len;
    if (sender) {
        sender->count++;
        sender->bytes += mail->len;
    }
    pthread_cond_signal(&m->arrived);
out:
    pthread_mutex_unlock(&m->lock);
    return rc;
}

struct mail *mailbox_take(struct mailbox *m, int64_t deadline_ms, unsigned count_max) {
    struct mail *list, *last = NULL;
    pthread_mutex_lock(&m->lock);
    while (!m->first && !m->woken) {
        struct timespec until = {.tv_sec = deadline_ms / 1000, .tv_nsec = deadline_ms % 1000 * 1000000};
        if (deadline_ms < 0)
            pthread_cond_wait(&m->arrived, &m->lock);
        else if (clock_monotonic_ms() >= deadline_ms || pthread_cond_timedwait(&m->arrived, &m->lock, &until))
            break;
    }
    m->woken = false;
    list = m->first;
    while (m->first && count_max-- > 0) {
        last = m->first;
        m->first = last->next;
        m->count--;
        m->bytes -= last->len;
        if (last->shared) {
            struct mailbox_sender *sender = mailbox_sender(m, last->from);
            sender->count--;
            sender->bytes -= last->len;
        }
    }
    if (last)
        last->next = NULL;
    else
        list = NULL;
    if (!m->first)
        m->last = NULL;
    pthread_mutex_unlock(&m->lock);
    return list;
}

void mailbox_wake(struct mailbox *m) {
    pthread_mutex_lock(&m->lock);
    m->woken = true;
    pthread_cond_signal(&m->arrived);
    pthread_mutex_unlock(&m->lock);
}

size_t mailbox_refused(struct mailbox *m) {
    size_t n;
    pthread_mutex_lock(&m->lock);
    n = m->refused;
    pthread_mutex_unlock(&m->lock);
    return n;
}
