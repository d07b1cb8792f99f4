/* node/api.c -- the table of methods and the threads that run them; see api.h. */
#include "node/api.h"

#include "node/clock.h"
#include "node/log.h"
#include "node/mailbox.h"
#include "wire/mem.h"
#include "wire/pack.h"

#include <pthread.h>
#include <stdio.h>

const struct api_method api_methods[] = {
    {"bundle.export", api_bundle_export, false},
    {"channel.show", api_channel_show, false},
    {"checkpoint", api_checkpoint, false},
    {"dead-letters", api_dead_letters, false},
    {"evidence.dispute", api_evidence_dispute, true},
    {"evidence.export", api_evidence_export, true},
    {"evidence.list", api_evidence_list, false},
    {"evidence.request", api_evidence_request, true},
    {"evidence.verify", api_evidence_verify, false},
    {"findings", api_findings, false},
    {"ingest.run", api_ingest_run, true},
    {"ingest.status", api_ingest_status, false},
    {"proof.consistency", api_proof_consistency, false},
    {"proof.inclusion", api_proof_inclusion, false},
    {"query", api_query, false},
    {"show", api_show, false},
    {"standard.list", api_standard_list, false},
    {"standard.publish", api_standard_publish, true},
    {"standard.show", api_standard_show, false},
    {"status", api_status, false},
    {"submit", api_submit, true},
    {"watch", api_watch, false},
    {NULL, NULL, false},
};

/* One request of a command. */
struct api_job {
    uint64_t conn, id;
    const struct api_method *method;
};

enum { API_MAIL_JOB = 1, API_MAIL_STOP };

struct api {
    struct node *node;
    struct mailbox *box;
    pthread_mutex_t lock;
    pthread_t threads[API_THREADS]; /* [lock] started as they are needed, for a call may wait for finality */
    size_t count, busy;             /* [lock] */
};

struct api_rpc_door {
    uint64_t conn, id;
};

const struct api_method *api_find(struct slice name) {
    size_t i;
    for (i = 0; api_methods[i].name; i++)
        if (slice_eq_str(name, api_methods[i].name))
            return &api_methods[i];
    return NULL;
}

static bool api_rpc_part(struct api_call *call) {
    const struct api_rpc_door *d = call->door;
    enum err_code rc;
    while ((rc = rpc_respond(call->node->rpc, d->conn, d->id, ERR_OK, NULL, buf_slice(&call->out), true, NULL)) ==
               ERR_FULL &&
           atomic_load(&call->node->running)) {
        struct timespec t = {.tv_nsec = 5000000}; /* the client reads slowly */
        nanosleep(&t, NULL);
    }
    buf_clear(&call->out);
    return rc == ERR_OK;
}

static void api_run(struct api *a, struct mail *m) {
    struct api_job job;
    struct err e = {0};
    struct api_rpc_door door;
    struct api_call call = {.node = a->node, .by = slice_str("operator"), .part = api_rpc_part, .door = &door};
    enum err_code rc;
    memcpy(&job, m->bytes, sizeof job);
    door = (struct api_rpc_door){job.conn, job.id};
    call.params = slice_of(m->bytes + sizeof job, m->len - sizeof job);
    arena_init(&call.arena, 64 << 20);
    buf_init(&call.out, RPC_BODY);
    rc = job.method->run(&call, &e);
    if (rc == ERR_OK)
        rc = buf_check(&call.out, &e);
    if (rpc_respond(a->node->rpc, job.conn, job.id, rc, rc == ERR_OK ? NULL : e.text,
                    rc == ERR_OK ? buf_slice(&call.out) : slice_none(), false, NULL) != ERR_OK)
        log_line(LOG_DEBUG, "api", "%s: the client has gone", job.method->name);
    arena_release(&call.arena);
    buf_release(&call.out);
}

static void *api_work(void *arg) {
    struct api *a = arg;
    for (;;) {
        struct mail *m = mailbox_take(a->box, -1, 1);
        bool stop = m && m->kind == API_MAIL_STOP;
        if (m && !stop) {
            api_run(a, m);
            pthread_mutex_lock(&a->lock);
            a->busy--;
            pthread_mutex_unlock(&a->lock);
        }
        mailbox_mail_free(m);
        if (stop)
            return NULL;
    }
}

/* Queues a job, and starts a thread when all are taken. */
static enum err_code api_queue(struct api *a, struct slice job, struct err *e) {
    enum err_code rc;
    pthread_mutex_lock(&a->lock);
    rc = mailbox_put(a->box, API_MAIL_JOB, -1, job, NULL, true, e);
    if (rc == ERR_OK && ++a->busy > a->count && a->count < API_THREADS &&
        pthread_create(&a->threads[a->count], NULL, api_work, a) == 0)
        a->count++;
    pthread_mutex_unlock(&a->lock);
    return rc;
}

void api_rpc_request(void *node, uint64_t conn, uint64_t id, const char *method, struct slice body) {
    struct node *n = node;
    struct api_job job = {conn, id, api_find(slice_str(method))};
    struct buf b;
    struct err e = {0};
    enum err_code rc = ERR_OK;
    buf_init(&b, LIMIT_MESSAGE);
    buf_bytes(&b, &job, sizeof job);
    buf_append(&b, body);
    if (!job.method)
        rc = err_set(&e, ERR_UNSUPPORTED, "this node knows no method \"%s\": is the command of another version?",
                     method);
    else if (!n->api || !atomic_load(&n->running))
        rc = err_set(&e, ERR_BUSY, "the node is starting or stopping: try again");
    else
        rc = api_queue(n->api, buf_slice(&b), &e);
    buf_release(&b);
    if (rc != ERR_OK && rpc_respond(n->rpc, conn, id, rc, e.text, slice_none(), false, NULL) != ERR_OK)
        log_line(LOG_DEBUG, "api", "%s: the client has gone", method);
}

void api_rpc_gone(void *node, uint64_t conn) {
    (void)node;
    (void)conn; /* rpc_respond tells the handler */
}

enum err_code api_start(struct node *n, struct api **out, struct err *e) {
    struct api *a = mem_zalloc(1, sizeof *a);
    if (!a)
        return err_set(e, ERR_NO_MEMORY, "no memory for the api");
    a->node = n;
    pthread_mutex_init(&a->lock, NULL);
    a->box = mailbox_new(API_QUEUE, 64 << 20, e);
    if (!a->box || pthread_create(&a->threads[0], NULL, api_work, a) != 0) {
        api_stop(a);
        return err_set(e, ERR_NO_MEMORY, "no thread for the api");
    }
    a->count = 1;
    *out = a;
    return ERR_OK;
}

void api_stop(struct api *a) {
    size_t i;
    if (!a)
        return;
    for (i = 0; i < a->count; i++)
        while (mailbox_put(a->box, API_MAIL_STOP, -1, slice_none(), NULL, true, NULL) != ERR_OK) {
            struct timespec t = {.tv_nsec = 10000000}; /* it is being emptied */
            nanosleep(&t, NULL);
        }
    for (i = 0; i < a->count; i++)
        pthread_join(a->threads[i], NULL);
    mailbox_free(a->box);
    pthread_mutex_destroy(&a->lock);
    mem_free(a);
}

/* ---- helpers for handlers ---- */

enum err_code api_params(struct api_call *call, const struct schema *s, void *out, struct err *e) {
    static const uint8_t empty_map = 0x80;
    struct slice params = call->params.len ? call->params : slice_of(&empty_map, 1);
    return schema_read(s, params, &call->arena, out, e);
}

enum err_code api_channel(struct api_call *call, struct slice name, struct node_channel **out, struct err *e) {
    struct buf names;
    size_t i;
    *out = node_channel(call->node, name);
    if (*out)
        return ERR_OK;
    buf_init(&names, 4096);
    for (i = 0; i < call->node->channel_count; i++)
        buf_printf(&names, "%s%s", i ? ", " : "", channel_name(call->node->channels[i].channel));
    if (name.len)
        err_set(e, ERR_NOT_FOUND, "this node is not a member of a channel \"%.*s\"; its channels: %s", SLICE_ARG(name),
                buf_cstr(&names));
    else
        err_set(e, ERR_USAGE, "say which channel: %s", buf_cstr(&names));
    buf_release(&names);
    return e->code;
}

struct api_channel_params {
    struct slice channel;
};
static const struct schema_field api_channel_fields[] = {
    {.key = "channel",
     .type = SCHEMA_STR,
     .flags = SCHEMA_OPTIONAL,
     .offset = offsetof(struct api_channel_params, channel),
     .max = LIMIT_NAME},
};
static const struct schema api_channel_schema = SCHEMA_OF("params", struct api_channel_params, api_channel_fields);

enum err_code api_only_channel(struct api_call *call, struct node_channel **out, struct err *e) {
    struct api_channel_params p;
    enum err_code rc = api_params(call, &api_channel_schema, &p, e);
    return rc == ERR_OK ? api_channel(call, p.channel, out, e) : rc;
}

struct slice api_hex(struct api_call *call, struct slice bytes) {
    static const char digits[] = "0123456789abcdef";
    char *p = arena_alloc(&call->arena, 2, bytes.len + 1);
    size_t i;
    if (!p)
        return slice_none();
    for (i = 0; i < bytes.len; i++) {
        p[2 * i] = digits[bytes.ptr[i] >> 4];
        p[2 * i + 1] = digits[bytes.ptr[i] & 15];
    }
    return slice_of(p, 2 * bytes.len);
}
