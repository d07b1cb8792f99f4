/* node/cli/cmd_ingest.c -- `assay ingest run` and `assay ingest dead-letters`: the node's own ingest, from outside. */
#include "ledger/record.h"
#include "node/cli/client.h"
#include "node/cli/commands.h"
#include "node/cli/out.h"
#include "node/clock.h"
#include "wire/pack.h"
#include "wire/rpc.h"

#include <time.h>

enum { INGEST_ASK_MS = 250 };

const struct cli_option cmd_ingest_run_options[] = {
    {"home", "DIR", "home of the node (default: $ASSAY_HOME, or .)"},
    {"once", NULL, "wait until every source is read to its end and all of it is final"},
    {"expect", "N", "with --once: how many logs there will be, for the progress bar"},
    {"timeout", "S", "with --once: give up after so many seconds (default 600)"},
    {NULL, NULL, NULL},
};

struct run_source {
    struct slice channel, error, id, kind, state;
    uint64_t dead, files, gaps, lag, records, seq;
    bool settled;
};
struct run_status {
    uint64_t outbox, refused;
    struct schema_list sources;
};
#define RUN_TEXT(member)                                                                                               \
    {                                                                                                                  \
        .key = #member, .type = SCHEMA_STR, .flags = SCHEMA_OPTIONAL, .offset = offsetof(struct run_source, member),   \
        .max = 4096                                                                                                    \
    }
#define RUN_NUMBER(member)                                                                                             \
    { .key = #member, .type = SCHEMA_U64, .flags = SCHEMA_OPTIONAL, .offset = offsetof(struct run_source, member) }
static const struct schema_field source_fields[] = {
    RUN_TEXT(channel),
    RUN_NUMBER(dead),
    RUN_TEXT(error),
    RUN_NUMBER(files),
    RUN_NUMBER(gaps),
    RUN_TEXT(id),
    RUN_TEXT(kind),
    RUN_NUMBER(lag),
    RUN_NUMBER(records),
    RUN_NUMBER(seq),
    {.key = "settled", .type = SCHEMA_BOOL, .flags = SCHEMA_OPTIONAL, .offset = offsetof(struct run_source, settled)},
    RUN_TEXT(state),
};
static const struct schema source_schema = SCHEMA_OF("source", struct run_source, source_fields);
/* The node leaves empty texts and zeros in its answer, which the reader of documents refuses: read them leniently. */
static enum err_code run_read_source(struct cursor *c, struct run_source *s, struct err *e) {
    uint32_t n, i;
    enum err_code rc = cursor_map(c, &n, e);
    *s = (struct run_source){0};
    for (i = 0; i < n && rc == ERR_OK; i++) {
        struct slice key;
        size_t f;
        rc = cursor_str(c, &key, e);
        f = rc == ERR_OK ? schema_find(&source_schema, key) : 0;
        if (rc != ERR_OK || f == source_schema.count) {
            if (rc == ERR_OK)
                rc = cursor_skip(c, LIMIT_DEPTH, NULL, e);
            continue;
        }
        if (source_fields[f].type == SCHEMA_STR)
            rc = cursor_str(c, (struct slice *)(void *)((char *)s + source_fields[f].offset), e);
        else if (source_fields[f].type == SCHEMA_U64)
            rc = cursor_u64(c, (uint64_t *)(void *)((char *)s + source_fields[f].offset), e);
        else
            rc = cursor_bool(c, &s->settled, e);
    }
    return rc;
}

static enum err_code run_read(struct slice doc, struct arena *a, struct run_status *s, struct err *e) {
    struct cursor c;
    struct run_source *items;
    uint32_t n, i, count = 0;
    struct slice key;
    enum err_code rc;
    cursor_init(&c, doc);
    *s = (struct run_status){0};
    if ((rc = cursor_map(&c, &n, e)) != ERR_OK || (rc = cursor_str(&c, &key, e)) != ERR_OK ||
        (rc = cursor_u64(&c, &s->outbox, e)) != ERR_OK || (rc = cursor_str(&c, &key, e)) != ERR_OK ||
        (rc = cursor_u64(&c, &s->refused, e)) != ERR_OK || (rc = cursor_str(&c, &key, e)) != ERR_OK ||
        (rc = cursor_array(&c, &count, e)) != ERR_OK)
        return rc;
    items = arena_alloc(a, count + 1u, sizeof *items);
    if (!items)
        return err_set(e, ERR_NO_MEMORY, "no memory for the status");
    for (i = 0; i < count && rc == ERR_OK; i++)
        rc = run_read_source(&c, &items[i], e);
    s->sources = (struct schema_list){items, count};
    return rc;
}

static enum err_code run_print(struct cli *c, const struct run_status *s, struct err *e) {
    static const char *const headings[] = {"SOURCE",  "CHANNEL", "STATE", "FILES",  "NUMBER",
                                           "RECORDS", "DEAD",    "GAPS",  "UNREAD", ""};
    const struct run_source *x = s->sources.items;
    struct out_table t;
    enum err_code rc;
    uint32_t i;
    out_table_init(&t, headings, 10, 0x1F8);
    for (i = 0; i < s->sources.count; i++) {
        out_cell(&t, x[i].id);
        out_cell(&t, x[i].channel);
        out_cell(&t, x[i].state);
        out_cellf(&t, "%llu", (unsigned long long)x[i].files);
        out_cellf(&t, "%llu", (unsigned long long)x[i].seq);
        out_cellf(&t, "%llu", (unsigned long long)x[i].records);
        out_cellf(&t, "%llu", (unsigned long long)x[i].dead);
        out_cellf(&t, "%llu", (unsigned long long)x[i].gaps);
        out_cellf(&t, "%llu", (unsigned long long)x[i].lag);
        out_cell(&t, x[i].error);
    }
    rc = out_table_print(c, &t, e);
    out_table_release(&t);
    out_line(c, "%llu entries wait for finality%s\n", (unsigned long long)s->outbox,
             s->refused ? "; some were refused (assay ingest dead-letters)" : "");
    return rc;
}

static bool run_done(const struct run_status *s, uint64_t *taken) {
    const struct run_source *x = s->sources.items;
    bool done = s->outbox == 0;
    uint32_t i;
    *taken = 0;
    for (i = 0; i < s->sources.count; i++) {
        done = done && x[i].settled;
        *taken += x[i].records + x[i].dead + x[i].gaps;
    }
    *taken -= *taken < s->outbox ? *taken : s->outbox;
    return done;
}

/* Asks until all is final. */
static enum err_code run_follow(struct cli *c, struct client *cl, struct buf *answer, struct arena *a,
                                struct run_status *s, struct err *e) {
    uint64_t expect = 0, timeout = 600, taken;
    struct out_progress bar;
    int64_t until;
    enum err_code rc;
    if ((rc = cli_number(c, "expect", 1, UINT64_MAX, &expect, e)) != ERR_OK ||
        (rc = cli_number(c, "timeout", 1, 86400, &timeout, e)) != ERR_OK)
        return rc;
    until = clock_monotonic_ms() + (int64_t)timeout * 1000;
    out_progress_start(&bar, c, "logs final", expect);
    while (!run_done(s, &taken) && rc == ERR_OK) {
        struct timespec wait = {.tv_nsec = INGEST_ASK_MS * 1000000L};
        out_progress_at(&bar, taken);
        if (clock_monotonic_ms() > until) {
            rc = err_set(e, ERR_TIMEOUT, "after %llu s not all is final: %llu entries wait in the outbox",
                         (unsigned long long)timeout, (unsigned long long)s->outbox);
            break;
        }
        nanosleep(&wait, NULL);
        buf_clear(answer);
        arena_clear(a);
        rc = client_ask(cl, "ingest.status", slice_none(), answer, e);
        if (rc == ERR_OK)
            rc = run_read(buf_slice(answer), a, s, e);
    }
    out_progress_at(&bar, taken);
    out_progress_end(&bar);
    return rc;
}

enum err_code cmd_ingest_run(struct cli *c, struct err *e) {
    struct client cl;
    struct buf answer;
    struct arena a;
    struct run_status s;
    enum err_code rc = client_open(c, &cl, e);
    buf_init(&answer, RPC_BODY);
    arena_init(&a, 4 << 20);
    if (rc == ERR_OK)
        rc = client_ask(&cl, "ingest.run", slice_none(), &answer, e);
    if (rc == ERR_OK)
        rc = run_read(buf_slice(&answer), &a, &s, e);
    if (rc == ERR_OK && cli_flag(c, "once"))
        rc = run_follow(c, &cl, &answer, &a, &s, e);
    if (rc == ERR_OK && c->json)
        rc = out_json(c, buf_slice(&answer), e);
    else if (rc == ERR_OK)
        rc = run_print(c, &s, e);
    client_close(&cl);
    arena_release(&a);
    buf_release(&answer);
    return rc;
}

/* ---- dead letters ---- */

const struct cli_option cmd_dead_letters_options[] = {
    {"home", "DIR", "home of the node (default: $ASSAY_HOME, or .)"},
    {"channel", "NAME", "which channel, if the node is in several"},
    {"from", "N", "from this entry number on"},
    {"limit", "N", "at most so many (default and at most 1000)"},
    {NULL, NULL, NULL},
};

static enum err_code dead_params(struct cli *c, struct buf *params, struct err *e) {
    const char *channel = cli_opt(c, "channel");
    uint64_t from = 0, limit = 0;
    enum err_code rc;
    if ((rc = cli_number(c, "from", 0, UINT64_MAX, &from, e)) != ERR_OK ||
        (rc = cli_number(c, "limit", 1, 1000, &limit, e)) != ERR_OK)
        return rc;
    pack_map(params, 0u + (channel != NULL) + (from > 0) + (limit > 0));
    if (channel) {
        pack_cstr(params, "channel");
        pack_cstr(params, channel);
    }
    if (from) {
        pack_cstr(params, "from");
        pack_u64(params, from);
    }
    if (limit) {
        pack_cstr(params, "limit");
        pack_u64(params, limit);
    }
    return buf_check(params, e);
}

/* One letter's row: the map's keys are number, raw_hash, reason, seq, server, service, source, time, uid. */
static enum err_code dead_row(struct cursor *c, struct out_table *t, struct err *e) {
    struct slice key, raw, reason, server, service, source, uid;
    uint64_t number, seq;
    int64_t time;
    uint32_t n;
    enum err_code rc;
    if ((rc = cursor_map(c, &n, e)) != ERR_OK || (rc = cursor_str(c, &key, e)) != ERR_OK ||
        (rc = cursor_u64(c, &number, e)) != ERR_OK || (rc = cursor_str(c, &key, e)) != ERR_OK ||
        (rc = cursor_bin(c, &raw, e)) != ERR_OK || (rc = cursor_str(c, &key, e)) != ERR_OK ||
        (rc = cursor_str(c, &reason, e)) != ERR_OK || (rc = cursor_str(c, &key, e)) != ERR_OK ||
        (rc = cursor_u64(c, &seq, e)) != ERR_OK || (rc = cursor_str(c, &key, e)) != ERR_OK ||
        (rc = cursor_str(c, &server, e)) != ERR_OK || (rc = cursor_str(c, &key, e)) != ERR_OK ||
        (rc = cursor_str(c, &service, e)) != ERR_OK || (rc = cursor_str(c, &key, e)) != ERR_OK ||
        (rc = cursor_str(c, &source, e)) != ERR_OK || (rc = cursor_str(c, &key, e)) != ERR_OK ||
        (rc = cursor_i64(c, &time, e)) != ERR_OK || (rc = cursor_str(c, &key, e)) != ERR_OK ||
        (rc = cursor_bin(c, &uid, e)) != ERR_OK)
        return rc;
    out_cellf(t, "%llu", (unsigned long long)number);
    out_cell(t, source);
    out_cellf(t, "%llu", (unsigned long long)seq);
    out_cell(t, server);
    out_cell(t, service);
    out_cell(t, reason);
    return ERR_OK;
}

static enum err_code dead_print(struct cli *c, struct slice answer, struct err *e) {
    static const char *const headings[] = {"ENTRY", "SOURCE", "NUMBER", "SERVER", "SERVICE", "REASON"};
    struct out_table t;
    struct cursor cur;
    struct slice key;
    uint64_t next, id;
    int64_t time;
    uint32_t n, count = 0, refused = 0, i;
    enum err_code rc;
    cursor_init(&cur, answer);
    out_table_init(&t, headings, 6, 0x5);
    if ((rc = cursor_map(&cur, &n, e)) == ERR_OK && (rc = cursor_str(&cur, &key, e)) == ERR_OK)
        rc = cursor_array(&cur, &count, e);
    for (i = 0; i < count && rc == ERR_OK; i++)
        rc = dead_row(&cur, &t, e);
    if (rc == ERR_OK && count)
        rc = out_table_print(c, &t, e);
    out_table_release(&t);
    if (rc == ERR_OK)
        out_line(c, "%u dead letter%s\n", count, count == 1 ? "" : "s");
    if (rc != ERR_OK || (rc = cursor_str(&cur, &key, e)) != ERR_OK || (rc = cursor_u64(&cur, &next, e)) != ERR_OK ||
        (rc = cursor_str(&cur, &key, e)) != ERR_OK || (rc = cursor_array(&cur, &refused, e)) != ERR_OK)
        return rc;
    for (i = 0; i < refused; i++) {
        struct slice reason;
        if ((rc = cursor_map(&cur, &n, e)) != ERR_OK || (rc = cursor_str(&cur, &key, e)) != ERR_OK ||
            (rc = cursor_u64(&cur, &id, e)) != ERR_OK || (rc = cursor_str(&cur, &key, e)) != ERR_OK ||
            (rc = cursor_str(&cur, &reason, e)) != ERR_OK || (rc = cursor_str(&cur, &key, e)) != ERR_OK ||
            (rc = cursor_i64(&cur, &time, e)) != ERR_OK)
            return rc;
        out_line(c, "refused by validators, kept in the outbox as %llu: %.*s\n", (unsigned long long)id,
                 SLICE_ARG(reason));
    }
    return ERR_OK;
}

enum err_code cmd_dead_letters(struct cli *c, struct err *e) {
    struct buf params, answer;
    enum err_code rc;
    buf_init(&params, 4096);
    buf_init(&answer, 0);
    rc = dead_params(c, &params, e);
    if (rc == ERR_OK)
        rc = client_once(c, "dead-letters", buf_slice(&params), &answer, e);
    if (rc == ERR_OK && !c->json)
        rc = dead_print(c, buf_slice(&answer), e);
    buf_release(&params);
    buf_release(&answer);
    return rc;
}
