/* node/cli/cmd_fsck.c -- `assay fsck`: checks a stopped node's stores, byte by byte, and says what is damaged where.
 * Each store is read by a child process (the hidden command "fsck-store"): a broken database page kills its reader, and
 * that death is then the answer. Under --json there is one document a line: a fault each, then a report a store.
 * Depends on: ledger/{fsck,home,vault,index}, node/channel (quorum of certificates). */
#include "ledger/fsck.h"
#include "node/channel.h"
#include "node/cli/files.h"
#include "node/cli/commands.h"
#include "node/cli/out.h"
#include "node/node.h"
#include "wire/mem.h"
#include "wire/pack.h"

#include <sodium.h>
#include <unistd.h>

enum { FSCK_LINE = 8192, FSCK_SHOWN = 1000 /* faults told; the others are counted */ };

const struct cli_option cmd_fsck_options[] = {
    {"home", "DIR", "the node's home (default: $ASSAY_HOME, else .)"},
    {"channel", "NAME", "only this channel (default: all, and the vault)"},
    {"repair", NULL, "derive anew what can be: an index, the tables beside the blocks"},
    {NULL, NULL, NULL},
};
const struct cli_option cmd_fsck_store_options[] = {
    {"home", "DIR", ""},
    {"channel", "NAME", ""},
    {"repair", NULL, ""},
    {NULL, NULL, NULL},
};

/* ---- in the child ---- */

struct fsck_told {
    struct cli *c;
    const char *what;                        /* "channel acme" */
    uint64_t faults, blocks_faulty, derived; /* derived: faults that a rebuild heals */
    struct out_progress bar;
};

static void fsck_fault(void *ctx, const struct fsck_fault *f) {
    struct fsck_told *t = ctx;
    struct buf b;
    struct err e;
    t->faults++;
    t->derived += f->kind == FSCK_META || f->kind == FSCK_SEQ;
    t->blocks_faulty += f->kind == FSCK_BLOCK || f->kind == FSCK_BODY || f->kind == FSCK_BATCH;
    if (t->faults > FSCK_SHOWN)
        return;
    out_line(t->c, "%s%s%s: ", out_style(t->c, OUT_BAD), t->what, out_style(t->c, OUT_PLAIN));
    if (f->height)
        out_line(t->c, "height %llu: ", (unsigned long long)f->height);
    if (f->entries == 1)
        out_line(t->c, "entry %llu: ", (unsigned long long)f->first_entry);
    else if (f->entries)
        out_line(t->c, "entries %llu to %llu: ", (unsigned long long)f->first_entry,
                 (unsigned long long)(f->first_entry + f->entries - 1));
    out_line(t->c, "%s: %s%s\n", fsck_kind_text(f->kind), f->text,
             !f->repairable ? ""
             : f->kind == FSCK_META || f->kind == FSCK_SEQ
                 ? " (--repair derives it anew)"
                 : " (the node fetches it from the other members when it runs)");
    if (!t->c->json)
        return;
    buf_init(&b, FSCK_LINE);
    pack_map(&b, 7);
    pack_cstr(&b, "entries"), pack_u64(&b, f->entries);
    pack_cstr(&b, "first_entry"), pack_u64(&b, f->first_entry);
    pack_cstr(&b, "height"), pack_u64(&b, f->height);
    pack_cstr(&b, "kind"), pack_cstr(&b, fsck_kind_text(f->kind));
    pack_cstr(&b, "repairable"), pack_bool(&b, f->repairable);
    pack_cstr(&b, "store"), pack_cstr(&b, t->what);
    pack_cstr(&b, "text"), pack_cstr(&b, f->text);
    if (b.failed || out_json(t->c, buf_slice(&b), &e) != ERR_OK)
        fputs("{}\n", t->c->out);
    buf_release(&b);
}

static void fsck_progress(void *ctx, uint64_t done, uint64_t total) {
    struct fsck_told *t = ctx;
    t->bar.total = total;
    out_progress_at(&t->bar, done);
}

/* {checked: {a, b}, faults, store}: two named counts, a before b in the order of bytes. */
static enum err_code fsck_report(struct fsck_told *t, const char *a, uint64_t av, const char *b, uint64_t bv,
                                 struct err *e) {
    struct buf doc;
    bool sorted = strcmp(a, b) < 0; /* keys of a canonical map ascend */
    enum err_code rc;
    if (!t->c->json) {
        fprintf(t->c->out, "%s: %llu %s, %llu %s: ", t->what, (unsigned long long)av, a, (unsigned long long)bv, b);
        if (t->faults)
            fprintf(t->c->out, "%s%llu fault%s%s\n", out_style(t->c, OUT_BAD), (unsigned long long)t->faults,
                    t->faults == 1 ? "" : "s", out_style(t->c, OUT_PLAIN));
        else
            fprintf(t->c->out, "%sno fault%s\n", out_style(t->c, OUT_GOOD), out_style(t->c, OUT_PLAIN));
        return ERR_OK;
    }
    buf_init(&doc, FSCK_LINE);
    pack_map(&doc, 3);
    pack_cstr(&doc, "checked");
    pack_map(&doc, 2);
    pack_cstr(&doc, sorted ? a : b), pack_u64(&doc, sorted ? av : bv);
    pack_cstr(&doc, sorted ? b : a), pack_u64(&doc, sorted ? bv : av);
    pack_cstr(&doc, "faults"), pack_u64(&doc, t->faults);
    pack_cstr(&doc, "store"), pack_cstr(&doc, t->what);
    if ((rc = buf_check(&doc, e)) == ERR_OK)
        rc = out_json(t->c, buf_slice(&doc), e);
    buf_release(&doc);
    return rc;
}

static enum err_code fsck_rebuild(struct fsck_told *t, const char *path, const struct digest *channel, struct err *e) {
    struct store_options so = {0};
    struct store *s = NULL;
    enum err_code rc = store_open_lmdb(path, &so, &s, e);
    if (rc == ERR_OK)
        rc = chain_rebuild(s, channel, e);
    store_close(s);
    if (rc == ERR_OK)
        out_line(t->c, "%s: what stands beside the blocks was derived anew\n", t->what);
    return rc;
}

static enum err_code fsck_submitter(void *genesis, const struct sign_public *key, uint64_t height, struct err *e) {
    (void)height;
    return genesis_node_by_submit(genesis, key->b) ? ERR_OK
                                                   : err_set(e, ERR_NOT_ALLOWED, "the submitter is not in genesis");
}

static enum err_code fsck_ledger(struct fsck_told *t, const char *dir, struct genesis *g,
                                 const struct genesis_channel *founding, struct err *e) {
    char path[FILES_PATH], file[FILES_PATH];
    struct store_options so = {.read_only = true};
    struct fsck_report report = {0};
    struct store *s = NULL;
    struct set set;
    struct fsck_options o = {.channel = genesis_channel_id(g, founding),
                             .verify = channel_verify_cert,
                             .verify_ctx = &set,
                             .submitter = fsck_submitter,
                             .submitter_ctx = g,
                             .fault = fsck_fault,
                             .progress = fsck_progress,
                             .ctx = t};
    enum err_code rc;
    if ((rc = files_path(path, dir, "ledger", e)) != ERR_OK || (rc = files_path(file, path, "data.mdb", e)) != ERR_OK ||
        (rc = channel_founding_set(g, founding, &set, e)) != ERR_OK)
        return rc;
    if (!files_exists(file)) {
        out_line(t->c, "%s: nothing is stored yet\n", t->what);
        return ERR_OK;
    }
    out_progress_start(&t->bar, t->c, "blocks checked", 0);
    if ((rc = store_open_lmdb(path, &so, &s, e)) == ERR_OK)
        rc = fsck_run(s, &o, &report, e);
    store_close(s);
    if (t->bar.terminal)
        out_progress_end(&t->bar);
    if (rc != ERR_OK)
        return rc;
    if ((rc = fsck_report(t, "blocks", report.blocks, "entries", report.entries, e)) != ERR_OK)
        return rc;
    if (t->derived && !t->blocks_faulty && cli_flag(t->c, "repair") &&
        (rc = fsck_rebuild(t, path, &o.channel, e)) == ERR_OK)
        t->faults -= t->derived;
    return rc;
}

/* The index is derived: a damaged one is no loss, but it is told. */
static enum err_code fsck_index(struct fsck_told *t, const char *dir, const struct digest *channel, struct err *e) {
    char path[FILES_PATH], file[FILES_PATH], name[LIMIT_NAME + 32];
    struct fsck_told it = {.c = t->c, .what = name};
    struct index *ix = NULL;
    struct index_view *v = NULL;
    uint64_t entries = 0, segments = 0;
    bool rebuilt = false;
    enum err_code rc;
    snprintf(name, sizeof name, "index of %.80s", t->what);
    if ((rc = files_path(path, dir, "index", e)) != ERR_OK || (rc = files_path(file, path, "data.mdb", e)) != ERR_OK)
        return rc;
    if (!files_exists(file))
        return ERR_OK;
    rc = index_open(&ix, &(struct index_options){.path = path, .channel = *channel}, &rebuilt, e);
    if (rc == ERR_OK && !rebuilt && (rc = index_check(ix, e)) == ERR_OK &&
        (rc = index_view_open(ix, &v, e)) == ERR_OK) {
        entries = index_view_entries(v);
        segments = index_view_segments(v);
        index_view_close(v);
    }
    index_close(ix);
    if (rebuilt || rc == ERR_CORRUPT) {
        it.faults = 1;
        out_line(t->c, "%s: damaged%s; nothing is lost: the node builds it anew from the blocks\n", name,
                 rebuilt ? " beyond use, so it was removed" : "");
        if (rc == ERR_CORRUPT && cli_flag(t->c, "repair") && unlink(file) == 0) {
            out_line(t->c, "%s: removed\n", name);
            it.faults = 0;
        }
        rc = ERR_OK;
    }
    t->faults += it.faults;
    return rc == ERR_OK ? fsck_report(&it, "entries", entries, "segments", segments, e) : rc;
}

static enum err_code fsck_vault(struct fsck_told *t, struct node *n, struct err *e) {
    char path[FILES_PATH], keys[FILES_PATH], hex[DIGEST_HEX];
    struct vault_report r;
    struct vault *v = NULL;
    uint8_t *key = NULL;
    enum err_code rc;
    if ((rc = files_path(path, n->config.home, "vault", e)) != ERR_OK ||
        (rc = files_path(keys, n->config.home, "keys/vault.key", e)) != ERR_OK)
        return rc;
    if (n->role != GENESIS_ENTERPRISE || !files_exists(path) || !files_exists(keys))
        return ERR_OK;
    if ((rc = vault_key_load(keys, &key, e)) == ERR_OK && (rc = vault_open(path, key, &v, e)) == ERR_OK)
        rc = vault_check(v, &r, e);
    if (v)
        vault_close(v);
    sodium_free(key);
    if (rc != ERR_OK)
        return rc;
    t->faults += r.damaged + r.mismatched;
    if (r.damaged + r.mismatched)
        out_line(t->c, "vault: %llu raw logs are damaged, %llu do not match their hash; the first is %s\n",
                 (unsigned long long)r.damaged, (unsigned long long)r.mismatched, digest_hex(&r.first_bad, hex));
    return fsck_report(t, "bytes", r.bytes, "logs", r.items, e);
}

enum err_code cmd_fsck_store(struct cli *c, struct err *e) {
    struct node *n = mem_zalloc(1, sizeof *n);
    const char *channel = cli_opt(c, "channel");
    const struct genesis_channel *founding;
    char dir[FILES_PATH], what[LIMIT_NAME + 16] = "vault";
    struct fsck_told t = {.c = c, .what = what};
    struct digest id;
    enum err_code rc = n ? node_load(cli_home(c), n, e) : err_set(e, ERR_NO_MEMORY, "no memory");
    if (rc == ERR_OK && !channel) {
        rc = fsck_vault(&t, n, e);
    } else if (rc == ERR_OK) {
        founding = genesis_channel_find(&n->genesis, slice_str(channel));
        snprintf(what, sizeof what, "channel %.64s", channel);
        snprintf(dir, sizeof dir, "%.3900s/channels/%.64s", n->config.home, channel);
        if (!founding)
            rc = err_set(e, ERR_NOT_FOUND, "genesis knows no channel \"%s\"", channel);
        if (rc == ERR_OK)
            id = genesis_channel_id(&n->genesis, founding);
        if (rc == ERR_OK && (rc = fsck_ledger(&t, dir, &n->genesis, founding, e)) == ERR_OK)
            rc = fsck_index(&t, dir, &id, e);
    }
    if (n)
        node_unload(n);
    mem_free(n);
    fflush(c->out);
    if (rc == ERR_OK && t.faults)
        _exit(err_exit_status(ERR_CORRUPT)); /* told already; the parent sums up */
    return rc;
}

/* ---- the command ---- */

/* One store, in a child. A death by signal is a fault of the store too. */
static enum err_code fsck_child(struct cli *c, const char *channel, bool *faulty, struct err *e) {
    char self[] = "/proc/self/exe", word[] = "fsck-store", home_word[] = "--home", channel_word[] = "--channel",
         json[] = "--json", repair[] = "--repair", home[FILES_PATH], name[LIMIT_NAME + 1];
    char *argv[10];
    size_t at = 0;
    enum err_code rc;
    snprintf(home, sizeof home, "%s", cli_home(c));
    snprintf(name, sizeof name, "%s", channel ? channel : "");
    argv[at++] = self;
    argv[at++] = word;
    argv[at++] = home_word;
    argv[at++] = home;
    if (channel) {
        argv[at++] = channel_word;
        argv[at++] = name;
    }
    if (c->json)
        argv[at++] = json;
    if (cli_flag(c, "repair"))
        argv[at++] = repair;
    argv[at] = NULL;
    fflush(c->out);
    rc = fsck_in_child(argv, e);
    if (rc != ERR_CORRUPT)
        return rc;
    *faulty = true;
    if (strstr(e->text, "signal"))
        out_line(c, "%s%s: %s; do not simply remove it: see docs/SECURITY.md, lost files\n",
                 channel ? "channel " : "vault", name, e->text);
    return ERR_OK;
}

enum err_code cmd_fsck(struct cli *c, struct err *e) {
    struct node *n = mem_zalloc(1, sizeof *n);
    const char *only = cli_opt(c, "channel");
    struct home *home = NULL;
    bool faulty = false, found = false;
    uint32_t i;
    enum err_code rc = n ? node_load(cli_home(c), n, e) : err_set(e, ERR_NO_MEMORY, "no memory");
    if (rc == ERR_OK && (rc = home_open(cli_home(c), &n->genesis.id, &home, e)) == ERR_LOCKED)
        err_set(e, rc, "the node is running: stop it first, then check what is at rest");
    for (i = 0; rc == ERR_OK && i < genesis_channel_count(&n->genesis); i++) {
        const struct genesis_channel *founding = genesis_channel_at(&n->genesis, i);
        char name[LIMIT_NAME + 1];
        snprintf(name, sizeof name, "%.*s", SLICE_ARG(founding->name));
        if (!genesis_is_member(founding, n->self->id) || (only && strcmp(only, name) != 0))
            continue;
        found = true;
        rc = fsck_child(c, name, &faulty, e);
    }
    if (rc == ERR_OK && only && !found)
        rc = err_set(e, ERR_NOT_FOUND, "this node is not a member of a channel \"%s\"", only);
    if (rc == ERR_OK && !only && n->role == GENESIS_ENTERPRISE)
        rc = fsck_child(c, NULL, &faulty, e);
    if (home)
        home_close(home);
    if (n)
        node_unload(n);
    mem_free(n);
    if (rc == ERR_OK && faulty && !c->json)
        rc = err_set(e, ERR_CORRUPT, "there is damage, as told above");
    else if (rc == ERR_OK && faulty) {
        fflush(c->out);
        _exit(err_exit_status(ERR_CORRUPT)); /* the documents say it; no other may follow */
    }
    return rc;
}
