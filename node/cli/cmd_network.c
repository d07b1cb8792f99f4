/* node/cli/cmd_network.c -- `assay network up|down|status`: all nodes of a directory that `network init` made. */
#include "node/cli/client.h"
#include "node/cli/commands.h"
#include "node/cli/doc.h"
#include "node/cli/out.h"
#include "node/cli/procs.h"
#include "node/clock.h"
#include "wire/mem.h"
#include "wire/pack.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    NETWORK_WAIT_S = 60,
    NETWORK_STOP_MS = 15000,
    NETWORK_ASK_MS = 3000,
    NETWORK_TAIL = 2000,
    NETWORK_STATUS = 1 << 20
};

const struct cli_option cmd_network_up_options[] = {
    {"dir", "DIR", "the network's directory, as made by network init"},
    {"node", "ID", "only this node (may be repeated)"},
    {"assayd", "FILE", "the node's program (default: beside this one)"},
    {"timeout", "SECONDS", "wait so long for all to be connected (default 60)"},
    {"capture", "DIR", "for tests: write the plain text of all messages to DIR/<id>.tap"},
    {NULL, NULL, NULL},
};
const struct cli_option cmd_network_down_options[] = {
    {"dir", "DIR", "the network's directory"},
    {"node", "ID", "only this node (may be repeated)"},
    {NULL, NULL, NULL},
};
const struct cli_option cmd_network_status_options[] = {
    {"dir", "DIR", "the network's directory"},
    {NULL, NULL, NULL},
};

static bool network_chosen(const struct cli *c, const char *id) {
    size_t i;
    const char *only;
    for (i = 0; (only = cli_opt_nth(c, "node", i)); i++)
        if (strcmp(only, id) == 0)
            return true;
    return i == 0;
}

static enum err_code network_open(struct cli *c, struct procs *p, struct err *e) {
    const char *dir, *only;
    size_t i, k;
    enum err_code rc = cli_need(c, "dir", &dir, e);
    if (rc != ERR_OK || (rc = procs_find(dir, p, e)) != ERR_OK)
        return rc;
    for (i = 0; (only = cli_opt_nth(c, "node", i)); i++) {
        for (k = 0; k < p->count && strcmp(p->nodes[k].id, only) != 0; k++)
            ;
        if (k == p->count) {
            procs_release(p);
            return err_set(e, ERR_NOT_FOUND, "%s holds no node \"%s\"", dir, only);
        }
    }
    return ERR_OK;
}

/* The node's own status; UNREACHABLE is a normal answer here. */
static enum err_code network_ask(const struct procs_node *n, struct buf *out, struct err *e) {
    struct client cl;
    enum err_code rc;
    buf_clear(out);
    if ((rc = client_open_home(n->home, NETWORK_ASK_MS, &cl, e)) != ERR_OK)
        return rc;
    rc = client_ask(&cl, "status", slice_none(), out, e);
    client_close(&cl);
    return rc;
}

static size_t network_peers(struct slice status, size_t *up) {
    struct doc_list l = doc_list(status, "peers");
    struct slice peer;
    size_t count = 0;
    for (*up = 0; doc_next(&l, &peer); count++)
        *up += doc_bool(peer, "up");
    return count;
}

/* ---- up ---- */

/* What the node said last, for an operator who wonders why it ended. */
static void network_tail(const struct procs_node *n, int status, struct err *e) {
    char path[FILES_PATH];
    struct buf b;
    struct slice tail;
    buf_init(&b, 64 << 20);
    if (files_path(path, n->home, "log", NULL) != ERR_OK || files_read(path, 64 << 20, &b, NULL) != ERR_OK)
        b.len = 0;
    tail = buf_slice(&b);
    while (tail.len && tail.ptr[tail.len - 1] == '\n')
        tail.len--;
    {
        size_t at = tail.len;
        while (at > 0 && tail.ptr[at - 1] != '\n')
            at--;
        tail = slice_from(tail, at);
    }
    err_set(e, WIFEXITED(status) && WEXITSTATUS(status) == 5 ? ERR_CORRUPT : ERR_UNREACHABLE,
            "%s ended with %s %d: %.*s (all of it: %s)", n->id, WIFEXITED(status) ? "status" : "signal",
            WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), (int)(tail.len < 250 ? tail.len : 250),
            tail.len ? (const char *)tail.ptr : "", path);
    buf_release(&b);
}

/* How many of its peers that were to run does the node miss? Other nodes of the directory may be down on purpose. */
static size_t network_missing(const struct procs *p, struct slice status) {
    struct doc_list l = doc_list(status, "peers");
    struct slice peer;
    size_t missing = 0, i;
    while (doc_next(&l, &peer))
        for (i = 0; i < p->count; i++)
            missing +=
                p->nodes[i].pid > 0 && slice_eq_str(doc_str(peer, "id"), p->nodes[i].id) && !doc_bool(peer, "up");
    return missing;
}

static enum err_code network_wait(struct cli *c, struct procs *p, int64_t deadline, struct err *e) {
    struct out_progress bar;
    struct buf answer;
    struct err why = {0};
    size_t i = 0, done = 0, running = 0;
    enum err_code rc = ERR_OK;
    for (i = 0; i < p->count; i++)
        running += p->nodes[i].pid > 0;
    buf_init(&answer, NETWORK_STATUS);
    out_progress_start(&bar, c, "nodes connected", running);
    for (i = 0; i < p->count && rc == ERR_OK; i++) {
        struct procs_node *n = &p->nodes[i];
        bool first = true;
        while (n->pid > 0 && rc == ERR_OK) {
            struct timespec pause = {.tv_nsec = 100000000};
            int status;
            if (procs_ended(n, &status)) {
                network_tail(n, status, e);
                rc = e->code;
            } else if (network_ask(n, &answer, &why) == ERR_OK && network_missing(p, buf_slice(&answer)) == 0) {
                out_progress_at(&bar, ++done);
                break;
            } else if (clock_monotonic_ms() > deadline) {
                rc = err_set(e, ERR_TIMEOUT, "%s is not connected to all others: %s; see %s/log", n->id,
                             why.text[0] ? why.text : "some peers do not answer", n->home);
            } else if (!first || n->pid) {
                nanosleep(&pause, NULL);
            }
            first = false;
        }
    }
    out_progress_end(&bar);
    buf_release(&answer);
    return rc;
}

enum err_code cmd_network_up(struct cli *c, struct err *e) {
    char assayd[FILES_PATH], capture[FILES_PATH];
    struct procs p;
    uint64_t seconds = NETWORK_WAIT_S;
    size_t i, started = 0, running = 0;
    enum err_code rc;
    if ((rc = cli_number(c, "timeout", 1, 3600, &seconds, e)) != ERR_OK || (rc = network_open(c, &p, e)) != ERR_OK)
        return rc;
    if (cli_opt(c, "assayd"))
        snprintf(assayd, sizeof assayd, "%s", cli_opt(c, "assayd"));
    else
        rc = procs_assayd(assayd, e);
    if (rc == ERR_OK && cli_opt(c, "capture") && ((rc = files_mkdir(cli_opt(c, "capture"), e)) == ERR_OK) &&
        !realpath(cli_opt(c, "capture"), capture))
        rc = err_errno(e, "%s", cli_opt(c, "capture"));
    for (i = 0; i < p.count && rc == ERR_OK; i++) {
        if (p.nodes[i].pid == 0 && network_chosen(c, p.nodes[i].id)) {
            rc = procs_start(&p.nodes[i], assayd, cli_opt(c, "capture") ? capture : NULL, e);
            started++;
        }
        running += p.nodes[i].pid > 0;
    }
    if (rc == ERR_OK)
        rc = network_wait(c, &p, clock_monotonic_ms() + (int64_t)seconds * 1000, e);
    if (rc == ERR_OK) {
        out_line(c, "%zu nodes are up and connected (%zu started now)\n", running, started);
        if (c->json)
            fprintf(c->out, "{\"running\":%zu,\"started\":%zu}\n", running, started);
    }
    procs_release(&p);
    return rc;
}

/* ---- down ---- */

enum err_code cmd_network_down(struct cli *c, struct err *e) {
    struct procs p;
    size_t i, stopped = 0, kills = 0;
    enum err_code rc = network_open(c, &p, e);
    if (rc != ERR_OK)
        return rc;
    for (i = 0; i < p.count && rc == ERR_OK; i++) {
        bool was = p.nodes[i].pid > 0, killed = false;
        if (!network_chosen(c, p.nodes[i].id))
            continue;
        rc = procs_stop(&p.nodes[i], NETWORK_STOP_MS, &killed, e);
        stopped += was;
        kills += killed;
        if (was && rc == ERR_OK)
            out_line(c, "%s stopped%s\n", p.nodes[i].id, killed ? " (it had to be killed)" : "");
    }
    if (rc == ERR_OK && stopped == 0)
        out_line(c, "no node of it was running\n");
    if (rc == ERR_OK && c->json)
        fprintf(c->out, "{\"killed\":%zu,\"stopped\":%zu}\n", kills, stopped);
    procs_release(&p);
    return rc;
}

/* ---- status ---- */

static void network_row(struct out_table *t, const struct procs_node *n, struct slice status, struct slice channel,
                        const struct err *why, bool first) {
    size_t up, peers = network_peers(status, &up);
    out_cellf(t, "%s", first ? n->id : "");
    out_cell(t, first ? doc_str(status, "role") : slice_none());
    out_cellf(t, "%s", !first ? "" : status.len ? "up" : n->pid ? "does not answer" : "down");
    if (status.len && first)
        out_cellf(t, "%zu/%zu", up, peers);
    else
        out_cell(t, slice_none());
    out_cell(t, doc_str(channel, "name"));
    if (channel.len) {
        out_cellf(t, "%llu", (unsigned long long)doc_u64(channel, "height"));
        out_cellf(t, "%llu", (unsigned long long)doc_u64(channel, "entries"));
        out_cellf(t, "%llu", (unsigned long long)doc_u64(channel, "outbox"));
        out_cell(t, doc_str(channel, "halt"));
    } else {
        out_cell(t, slice_none());
        out_cell(t, slice_none());
        out_cell(t, slice_none());
        out_cellf(t, "%s", n->pid ? why->text : "");
    }
}

enum err_code cmd_network_status(struct cli *c, struct err *e) {
    static const char *const head[] = {"node",   "role",    "state",  "peers", "channel",
                                       "height", "entries", "outbox", "halt"};
    struct procs p;
    struct out_table t;
    struct buf answer, doc;
    size_t i, up = 0, count;
    enum err_code rc = network_open(c, &p, e);
    if (rc != ERR_OK)
        return rc;
    out_table_init(&t, head, 9, 0xe8);
    buf_init(&answer, NETWORK_STATUS);
    buf_init(&doc, NETWORK_STATUS * 64);
    pack_map(&doc, 2);
    pack_cstr(&doc, "nodes");
    pack_array(&doc, (uint32_t)p.count);
    for (i = 0; i < p.count; i++) {
        struct procs_node *n = &p.nodes[i];
        struct err why = {0};
        bool ok = network_ask(n, &answer, &why) == ERR_OK;
        struct slice status = ok ? buf_slice(&answer) : slice_none(), channel = slice_none();
        struct doc_list l = doc_list(status, "channels");
        bool first = true;
        up += ok;
        pack_map(&doc, ok ? 4 : 3);
        pack_cstr(&doc, "id"), pack_cstr(&doc, n->id);
        pack_cstr(&doc, "pid"), pack_u64(&doc, (uint64_t)n->pid);
        if (ok)
            pack_cstr(&doc, "status"), buf_append(&doc, status);
        pack_cstr(&doc, "up"), pack_bool(&doc, ok);
        for (; doc_next(&l, &channel); first = false)
            network_row(&t, n, status, channel, &why, first);
        if (first)
            network_row(&t, n, status, slice_none(), &why, true);
    }
    count = p.count;
    pack_cstr(&doc, "up"), pack_u64(&doc, up);
    procs_release(&p);
    if ((rc = buf_check(&doc, e)) == ERR_OK)
        rc = c->json ? out_json(c, buf_slice(&doc), e) : out_table_print(c, &t, e);
    out_line(c, "\n%zu of %zu nodes answer\n", up, count);
    buf_release(&answer);
    buf_release(&doc);
    out_table_release(&t);
    return rc == ERR_OK && up == 0 ? err_set(e, ERR_UNREACHABLE, "no node answers") : rc;
}
