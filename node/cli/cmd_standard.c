/* node/cli/cmd_standard.c -- `assay standard lint|publish|list|show`. */
#include "audit/standard_lint.h"
#include "node/cli/client.h"
#include "node/cli/commands.h"
#include "node/cli/files.h"
#include "node/cli/out.h"
#include "node/cli/service.h"
#include "node/node.h"
#include "node/service_doc.h"
#include "wire/json.h"
#include "wire/mem.h"
#include "wire/pack.h"

const struct cli_option cmd_standard_lint_options[] = {{NULL, NULL, NULL}};
const struct cli_option cmd_standard_publish_options[] = {
    {"home", "DIR", "home of the regulator's node (default: $ASSAY_HOME, else .)"},
    {"channel", "NAME", "where it is published; may be repeated"},
    {"all-channels", NULL, "on every channel of the node but the parent"},
    {"parent", NULL, "on the parent: every channel imports it from there"},
    {"as", "NAME", "the person who publishes (default: $USER)"},
    {NULL, NULL, NULL},
};
const struct cli_option cmd_standard_list_options[] = {
    {"home", "DIR", "home of the node (default: $ASSAY_HOME, else .)"},
    {"channel", "NAME", "which channel (default: the only one besides the parent)"},
    {NULL, NULL, NULL},
};
const struct cli_option cmd_standard_show_options[] = {
    {"home", "DIR", "home of the node (default: $ASSAY_HOME, else .)"},
    {"channel", "NAME", "which channel (default: the only one besides the parent)"},
    {"version", "V", "which version (default: the newest)"},
    {NULL, NULL, NULL},
};

/* ---- lint: offline ---- */

static void standard_issues_json(struct buf *b, const struct standard_lint *l) {
    pack_cstr(b, "issues");
    pack_array(b, (uint32_t)l->count);
    for (size_t i = 0; i < l->count && i < STANDARD_LINT_ISSUES; i++) {
        pack_map(b, 3);
        pack_cstr(b, "line");
        pack_u64(b, l->issues[i].line);
        pack_cstr(b, "path");
        pack_cstr(b, l->issues[i].path);
        pack_cstr(b, "text");
        pack_cstr(b, l->issues[i].text);
    }
}

static enum err_code standard_lint_json(struct cli *c, const char *name, const struct standard_lint *l, struct err *e) {
    char hex[DIGEST_HEX];
    struct buf b;
    enum err_code rc;
    buf_init(&b, 1 << 20);
    pack_map(&b, l->count ? 2 : 5);
    pack_cstr(&b, "file");
    pack_cstr(&b, name);
    if (!l->count) {
        pack_cstr(&b, "hash");
        pack_cstr(&b, digest_hex(&l->hash, hex));
        pack_cstr(&b, "id");
        pack_str(&b, l->id);
    }
    standard_issues_json(&b, l);
    if (!l->count) {
        pack_cstr(&b, "version");
        pack_str(&b, l->version);
    }
    rc = buf_check(&b, e);
    if (rc == ERR_OK)
        rc = out_json(c, buf_slice(&b), e);
    buf_release(&b);
    return rc;
}

/* Lints one file into *l and tells the mistakes. */
static enum err_code standard_lint_file(struct cli *c, const char *path, struct standard_lint *l, struct err *e) {
    struct buf text;
    char hex[DIGEST_HEX];
    enum err_code rc = files_read(path, LIMIT_ENTRY * 4, &text, e);
    standard_lint_init(l);
    if (rc == ERR_OK)
        rc = standard_lint_yaml(l, buf_slice(&text), path, NULL, 0, e);
    buf_release(&text);
    for (size_t i = 0; i < l->count && i < STANDARD_LINT_ISSUES; i++)
        out_line(c, "%s%s:%u: %s: %s%s\n", out_style(c, OUT_BAD), path, l->issues[i].line, l->issues[i].path,
                 l->issues[i].text, out_style(c, OUT_PLAIN));
    if (rc == ERR_OK)
        out_line(c, "%s: %.*s %.*s is well formed, hash %s\n", path, SLICE_ARG(l->id), SLICE_ARG(l->version),
                 digest_hex(&l->hash, hex));
    return rc;
}

enum err_code cmd_standard_lint(struct cli *c, struct err *e) {
    struct standard_lint *l = mem_zalloc(1, sizeof *l);
    enum err_code rc = l ? sign_start(e) : err_set(e, ERR_NO_MEMORY, "no memory");
    enum err_code worst = rc;
    for (size_t i = 0; i < c->arg_count && rc == ERR_OK; i++) {
        enum err_code one = standard_lint_file(c, c->args[i], l, e);
        if (one != ERR_OK)
            worst = one;
        if (c->json && (one == ERR_OK || l->count))
            rc = standard_lint_json(c, c->args[i], l, e);
        standard_lint_release(l);
        if (one != ERR_OK && one != ERR_CONFIG)
            break;
    }
    mem_free(l);
    return rc == ERR_OK ? worst : rc;
}

/* ---- publish ---- */

static enum err_code standard_publish_on(struct cli *c, struct client *cl, struct slice channel,
                                         const struct standard_lint *l, struct err *e) {
    struct service_publish p = {.by = client_by(c), .channel = channel, .definition = buf_slice(&l->definition)};
    struct service_committed done;
    struct service_call call;
    enum err_code rc =
        service_ask(c, cl, "standard.publish", &service_publish_schema, &p, &service_committed_schema, &done, &call, e);
    if (rc == ERR_OK)
        out_line(c, "%.*s %.*s is published on %.*s: entry %llu, block %llu\n", SLICE_ARG(l->id), SLICE_ARG(l->version),
                 SLICE_ARG(done.channel), (unsigned long long)done.number, (unsigned long long)done.height);
    service_done(&call);
    return rc == ERR_OK ? rc : err_wrap(e, "channel %.*s", SLICE_ARG(channel));
}

/* On the parent, on the channels named, on all, or on the only one. */
static enum err_code standard_publish_all(struct cli *c, struct client *cl, const struct standard_lint *l,
                                          struct err *e) {
    const struct node *n = cl->self;
    const char *name;
    size_t i;
    enum err_code rc = ERR_OK;
    if (!cli_flag(c, "all-channels") && !cli_flag(c, "parent") && !cli_opt(c, "channel"))
        return standard_publish_on(c, cl, slice_none(), l, e);
    if (cli_flag(c, "parent"))
        rc = standard_publish_on(c, cl, genesis_parent(&n->genesis)->name, l, e);
    for (i = 0; rc == ERR_OK && (name = cli_opt_nth(c, "channel", i)) != NULL; i++)
        rc = standard_publish_on(c, cl, slice_str(name), l, e);
    for (i = 0; rc == ERR_OK && cli_flag(c, "all-channels") && i < genesis_channel_count(&n->genesis); i++) {
        const struct genesis_channel *ch = genesis_channel_at(&n->genesis, (uint32_t)i);
        if (!ch->parent && genesis_is_member(ch, n->self->id))
            rc = standard_publish_on(c, cl, ch->name, l, e);
    }
    return rc;
}

enum err_code cmd_standard_publish(struct cli *c, struct err *e) {
    struct standard_lint *l = mem_zalloc(1, sizeof *l);
    struct client cl = {.self = NULL};
    enum err_code rc = l ? client_open(c, &cl, e) : err_set(e, ERR_NO_MEMORY, "no memory");
    for (size_t i = 0; i < c->arg_count && rc == ERR_OK; i++) {
        struct buf text;
        rc = files_read(c->args[i], LIMIT_ENTRY * 4, &text, e);
        standard_lint_init(l);
        if (rc == ERR_OK)
            rc = standard_lint_yaml(l, buf_slice(&text), c->args[i], NULL, 0, e);
        buf_release(&text);
        if (rc == ERR_OK)
            rc = standard_publish_all(c, &cl, l, e);
        standard_lint_release(l);
    }
    client_close(&cl);
    mem_free(l);
    return rc;
}

/* ---- list, show ---- */

enum err_code cmd_standard_list(struct cli *c, struct err *e) {
    static const char *const heads[] = {"id",        "version",      "kind", "state", "mode",
                                        "acts from", "acknowledged", "from", "title"};
    struct service_standard_ask p = {.channel = slice_str(cli_opt(c, "channel"))};
    struct service_standards all;
    struct service_call call;
    struct out_table t;
    char when[SERVICE_TIME];
    enum err_code rc =
        service_once(c, "standard.list", &service_standard_ask_schema, &p, &service_standards_schema, &all, &call, e);
    out_table_init(&t, heads, sizeof heads / sizeof *heads, 0);
    for (uint32_t i = 0; rc == ERR_OK && i < all.standards.count; i++) {
        const struct service_standard *s = &((const struct service_standard *)all.standards.items)[i];
        out_cell(&t, s->id);
        out_cell(&t, s->version);
        out_cellf(&t, "%s", standard_kind_names[s->kind]);
        out_cell(&t, s->life);
        out_cellf(&t, "%s", s->mode ? standard_mode_names[s->mode] : "");
        out_cellf(&t, "%s", service_time(s->acts_from, when));
        out_cellf(&t, "%u of %llu", s->acked.count, (unsigned long long)s->members);
        out_cellf(&t, "%s", s->from_parent ? "parent" : "");
        out_cell(&t, s->title);
    }
    if (rc == ERR_OK && !c->json)
        rc = out_table_print(c, &t, e);
    out_table_release(&t);
    service_done(&call);
    return rc;
}

enum err_code cmd_standard_show(struct cli *c, struct err *e) {
    struct service_standard_ask p = {.channel = slice_str(cli_opt(c, "channel")),
                                     .id = slice_str(c->args[0]),
                                     .version = slice_str(cli_opt(c, "version"))};
    struct service_standard s;
    struct service_call call;
    struct buf text;
    char when[SERVICE_TIME], hex[DIGEST_HEX];
    struct digest hash;
    enum err_code rc =
        service_once(c, "standard.show", &service_standard_ask_schema, &p, &service_standard_schema, &s, &call, e);
    buf_init(&text, 1 << 20);
    if (rc == ERR_OK && !c->json) {
        memcpy(hash.b, s.hash, DIGEST_SIZE);
        out_line(c, "%.*s\n%.*s %.*s (%s), %.*s on channel %.*s since %s\nissued by %.*s%s as entry %llu\nhash %s\n",
                 SLICE_ARG(s.title), SLICE_ARG(s.id), SLICE_ARG(s.version), standard_kind_names[s.kind],
                 SLICE_ARG(s.life), SLICE_ARG(s.channel), service_time(s.acts_from, when), SLICE_ARG(s.issuer),
                 s.from_parent ? " on the parent, imported" : "", (unsigned long long)s.number, digest_hex(&hash, hex));
        out_line(c, "acknowledged by %u of %llu:", s.acked.count, (unsigned long long)s.members);
        for (uint32_t i = 0; i < s.acked.count; i++)
            out_line(c, " %.*s", SLICE_ARG(((const struct slice *)s.acked.items)[i]));
        rc = json_from_pack(s.definition, &text, e);
        out_line(c, "\n%s\n", buf_cstr(&text));
    }
    buf_release(&text);
    service_done(&call);
    return rc;
}
