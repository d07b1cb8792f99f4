/* node/cli/cmd_show.c -- `assay show` (one entry: a sentence, then everything) and `assay watch` (as they become
 * final). */
#include "node/cli/asking.h"
#include "node/cli/commands.h"
#include "node/cli/doc.h"
#include "node/trust.h"
#include "node/words.h"
#include "wire/json.h"
#include "wire/mem.h"
#include "wire/pack.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { SHOW_VALUE = 4 << 20 };

const struct cli_option cmd_show_options[] = {
    {"home", "DIR", "the node's home (default: $ASSAY_HOME, else .)"},
    {"channel", "NAME", "its channel (default: the only one besides the parent, or wherever the uid is)"},
    {"proof", NULL, "with its proof, checked offline against genesis"},
    {NULL, NULL, NULL},
};
const struct cli_option cmd_watch_options[] = {
    ASKING_OPTIONS,
    {"since", "N", "begin with this entry (default: what comes from now on)"},
    {"follow", NULL, "do not end at what is final now (the default without --since)"},
    {NULL, NULL, NULL},
};

/* ---- show ---- */

/* Every field of the body, one a line. */
static enum err_code show_fields(struct cli *c, struct slice body, struct err *e) {
    struct out_table t;
    struct buf value;
    struct cursor at;
    uint32_t count;
    enum err_code rc;
    cursor_init(&at, body);
    if ((rc = cursor_map(&at, &count, e)) != ERR_OK)
        return rc;
    buf_init(&value, SHOW_VALUE);
    out_table_init(&t, NULL, 2, 0);
    while (count-- > 0 && rc == ERR_OK) {
        struct slice key, raw;
        if ((rc = cursor_str(&at, &key, e)) != ERR_OK || (rc = cursor_skip(&at, LIMIT_DEPTH, &raw, e)) != ERR_OK)
            break;
        buf_clear(&value);
        rc = json_from_pack(raw, &value, e);
        out_cellf(&t, "  %.*s", SLICE_ARG(key));
        out_cell(&t, buf_slice(&value));
    }
    if (rc == ERR_OK)
        rc = out_table_print(c, &t, e);
    out_table_release(&t);
    buf_release(&value);
    return rc;
}

static void show_hex(struct cli *c, const char *name, struct slice bytes) {
    size_t i;
    fprintf(c->out, "  %s", name);
    for (i = 0; i < bytes.len; i++)
        fprintf(c->out, "%02x", bytes.ptr[i]);
    fputs("\n", c->out);
}

/* Text of others, safe for a terminal. */
static void show_safe(struct cli *c, const char *text) {
    struct buf b;
    buf_init(&b, SENTENCE_TEXT * 4);
    out_padded(&b, slice_str(text), 0);
    fprintf(c->out, "%s%s%s\n", out_style(c, OUT_BOLD), buf_cstr(&b), out_style(c, OUT_PLAIN));
    buf_release(&b);
}

static enum err_code show_print(struct cli *c, const struct genesis *g, struct slice channel, struct slice map,
                                struct err *e) {
    struct asking_entry *x = mem_zalloc(1, sizeof *x);
    char when[SENTENCE_TIME];
    enum err_code rc, proven = ERR_OK;
    if (!x)
        return err_set(e, ERR_NO_MEMORY, "no memory");
    buf_init(&x->bytes, LIMIT_ENTRY + 16);
    rc = asking_entry_read(g, map, x, e);
    if (rc == ERR_OK && doc_get(map, "proof").len)
        proven = asking_entry_verify(g, channel, x, e);
    if (rc == ERR_OK && c->json) {
        rc = out_json(c, map, e);
    } else if (rc == ERR_OK) {
        show_safe(c, x->words.text);
        sentence_when(doc_i64(map, "time"), when);
        fprintf(c->out, "\n  entry     %llu of channel %.*s, in block %llu of %s UTC\n  kind      %.*s\n",
                (unsigned long long)doc_u64(map, "number"), SLICE_ARG(channel),
                (unsigned long long)doc_u64(map, "height"), when, SLICE_ARG(doc_str(map, "kind")));
        fprintf(c->out, "  reported  by node %.*s of %.*s\n", SLICE_ARG(doc_str(map, "node")),
                SLICE_ARG(doc_str(map, "org")));
        show_hex(c, "leaf      ", doc_str(map, "leaf"));
        fputs("\n", c->out);
        rc = show_fields(c, doc_get(map, "body"), e);
        if (rc == ERR_OK && proven == ERR_OK && doc_get(map, "proof").len)
            fprintf(c->out,
                    "\n%s✓ in the channel's tree under a checkpoint of its validators' quorum, checked against "
                    "genesis alone%s\n\n%.*s",
                    out_style(c, OUT_GOOD), out_style(c, OUT_PLAIN), SLICE_ARG(doc_str(map, "proof")));
    }
    buf_release(&x->bytes);
    mem_free(x);
    return rc == ERR_OK ? proven : rc;
}

/* Which entry is meant: digits are a number, anything else is a uid. */
static enum err_code show_which(const char *text, uint64_t *number, uint8_t uid[RECORD_UID_SIZE], bool *by_uid,
                                struct err *e) {
    char *end;
    size_t len = strlen(text);
    *by_uid = len == 2 * RECORD_UID_SIZE || len == 36;
    if (*by_uid)
        return words_hex("uid", text, uid, RECORD_UID_SIZE, e);
    *number = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end)
        return err_set(e, ERR_USAGE, "\"%.80s\" is neither an entry's number nor a record's uid", text);
    return ERR_OK;
}

static void show_params(struct buf *out, struct slice channel, uint64_t number, const uint8_t *uid, bool proof) {
    pack_map(out, 1u + (channel.len > 0) + proof);
    if (channel.len)
        pack_cstr(out, "channel"), pack_str(out, channel);
    if (!uid)
        pack_cstr(out, "number"), pack_u64(out, number);
    if (proof)
        pack_cstr(out, "proof"), pack_bool(out, true);
    if (uid)
        pack_cstr(out, "uid"), pack_bin(out, slice_of(uid, RECORD_UID_SIZE));
}

/* The node's own channel when none is named: the only one besides the parent. */
static enum err_code show_only(const struct cli *c, const struct node *self, struct slice out[ASKING_CHANNELS],
                               size_t *count, bool by_uid, struct err *e) {
    enum err_code rc = asking_channels(c, self, out, count, e);
    if (rc != ERR_OK || by_uid || cli_opt(c, "channel"))
        return rc;
    if (*count > 2)
        return err_set(e, ERR_USAGE, "this node is in several channels: say which with --channel NAME");
    *count = 1;
    return ERR_OK;
}

enum err_code cmd_show(struct cli *c, struct err *e) {
    struct slice *channels = mem_zalloc(ASKING_CHANNELS, sizeof *channels);
    struct client cl = {0};
    struct buf params, answer;
    uint8_t uid[RECORD_UID_SIZE];
    uint64_t number = 0;
    size_t count = 0, i;
    bool by_uid = false;
    enum err_code rc =
        channels ? show_which(c->args[0], &number, uid, &by_uid, e) : err_set(e, ERR_NO_MEMORY, "no memory");
    buf_init(&params, 4096);
    buf_init(&answer, LIMIT_MESSAGE);
    if (rc == ERR_OK && (rc = client_open(c, &cl, e)) == ERR_OK)
        rc = show_only(c, cl.self, channels, &count, by_uid, e);
    for (i = 0; i < count && rc == ERR_OK; i++) {
        buf_clear(&params);
        show_params(&params, channels[i], number, by_uid ? uid : NULL, cli_flag(c, "proof"));
        rc = client_ask(&cl, "show", buf_slice(&params), &answer, e);
        if (rc == ERR_OK) {
            rc = show_print(c, &cl.self->genesis, channels[i], buf_slice(&answer), e);
            break;
        }
        if (rc == ERR_NOT_FOUND && i + 1 < count)
            rc = ERR_OK; /* the uid may be in the next channel */
    }
    client_close(&cl);
    buf_release(&params);
    buf_release(&answer);
    mem_free(channels);
    return rc;
}

/* ---- watch ---- */

struct watch {
    struct cli *c;
    const struct genesis *g;
    struct slice channel;
    bool many;
    struct asking_entry entry;
    pthread_mutex_t *lock; /* of the output: channels are watched by a thread each */
};

static bool watch_line(void *ctx, struct slice map) {
    struct watch *w = ctx;
    struct err e = {0};
    struct buf b;
    bool ok = true;
    pthread_mutex_lock(w->lock);
    if (w->c->json) {
        ok = out_json(w->c, map, &e) == ERR_OK;
    } else if (asking_entry_read(w->g, map, &w->entry, &e) == ERR_OK) {
        buf_init(&b, SENTENCE_TEXT * 4);
        out_padded(&b, slice_str(w->entry.words.text), 0);
        if (w->many)
            fprintf(w->c->out, "%s%.*s %llu%s  %s\n", out_style(w->c, OUT_DIM), SLICE_ARG(w->channel),
                    (unsigned long long)doc_u64(map, "number"), out_style(w->c, OUT_PLAIN), buf_cstr(&b));
        else
            fprintf(w->c->out, "%s%llu%s  %s\n", out_style(w->c, OUT_DIM), (unsigned long long)doc_u64(map, "number"),
                    out_style(w->c, OUT_PLAIN), buf_cstr(&b));
        buf_release(&b);
    }
    ok = fflush(w->c->out) == 0 && ok;
    pthread_mutex_unlock(w->lock);
    return ok;
}

struct watch_thread {
    struct watch watch;
    struct client client;
    struct buf params;
    struct err e;
    enum err_code rc;
    pthread_t thread;
};

static void *watch_run(void *arg) {
    struct watch_thread *t = arg;
    t->rc = client_call(&t->client, "watch", buf_slice(&t->params), watch_line, &t->watch, 0, &t->e);
    return NULL;
}

static void *watch_signal(void *arg) {
    int got;
    (void)arg;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigwait(&set, &got);
    _exit(0); /* nothing of ours is unwritten: each line was flushed */
}

/* Ctrl-C is the ordinary end of a watch. */
static enum err_code watch_catch(struct err *e) {
    pthread_t t;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (pthread_create(&t, NULL, watch_signal, NULL) != 0)
        return err_set(e, ERR_NO_MEMORY, "no thread");
    pthread_detach(t);
    return ERR_OK;
}

static enum err_code watch_start(struct cli *c, struct watch_thread *t, struct slice channel, struct err *e) {
    uint64_t since = 0;
    bool given = cli_opt(c, "since") != NULL, follow = !given || cli_flag(c, "follow");
    struct query q;
    enum err_code rc;
    buf_init(&t->params, 64 << 10);
    buf_init(&t->watch.entry.bytes, LIMIT_ENTRY + 16);
    if ((rc = cli_number(c, "since", 0, UINT64_MAX - 1, &since, e)) != ERR_OK ||
        (rc = client_open(c, &t->client, e)) != ERR_OK ||
        (rc = asking_query(c, &t->client.self->genesis, &q, e)) != ERR_OK)
        return rc;
    t->watch.channel = channel;
    t->watch.g = &t->client.self->genesis;
    pack_map(&t->params, 1u + follow + given + asking_query_any(&q));
    pack_cstr(&t->params, "channel"), pack_str(&t->params, channel);
    if (follow)
        pack_cstr(&t->params, "follow"), pack_bool(&t->params, true);
    if (given)
        pack_cstr(&t->params, "from"), pack_u64(&t->params, since + 1);
    asking_query_pack(&q, &t->params);
    return buf_check(&t->params, e);
}

enum { WATCH_CHANNELS = 8 /* at once: each takes one of the node's stream threads */ };

enum err_code cmd_watch(struct cli *c, struct err *e) {
    struct slice *channels = mem_zalloc(ASKING_CHANNELS, sizeof *channels);
    struct watch_thread *threads = mem_zalloc(WATCH_CHANNELS, sizeof *threads);
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    struct client home = {0};
    size_t count = 0, started = 0, i;
    enum err_code rc = channels && threads ? watch_catch(e) : err_set(e, ERR_NO_MEMORY, "no memory");
    if (rc == ERR_OK && (rc = client_load(cli_home(c), &home, e)) == ERR_OK)
        rc = asking_channels(c, home.self, channels, &count, e);
    if (rc == ERR_OK && count > WATCH_CHANNELS)
        rc = err_set(e, ERR_USAGE, "this node is in %zu channels: say which with --channel NAME", count);
    for (i = 0; i < count && rc == ERR_OK; i++) {
        threads[i].watch = (struct watch){.c = c, .many = count > 1, .lock = &lock};
        rc = watch_start(c, &threads[i], channels[i], e);
    }
    for (i = 0; i < count && rc == ERR_OK; i++)
        if (pthread_create(&threads[i].thread, NULL, watch_run, &threads[i]) == 0)
            started++;
        else if (started == 0)
            rc = err_set(e, ERR_NO_MEMORY, "no thread");
    for (i = 0; i < started; i++) {
        pthread_join(threads[i].thread, NULL);
        if (rc == ERR_OK && threads[i].rc != ERR_OK) {
            rc = threads[i].rc;
            *e = threads[i].e;
        }
    }
    for (i = 0; threads && i < count && i < WATCH_CHANNELS; i++) {
        client_close(&threads[i].client);
        buf_release(&threads[i].params);
        buf_release(&threads[i].watch.entry.bytes);
    }
    client_close(&home);
    mem_free(threads);
    mem_free(channels);
    return rc;
}
