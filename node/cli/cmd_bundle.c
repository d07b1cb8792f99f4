/* node/cli/cmd_bundle.c -- `assay bundle export|verify|explain`. Verifying needs the bundle and the genesis file,
 * nothing else: no node, no network. */
#include "audit/bundle.h"
#include "node/cli/asking.h"
#include "node/cli/commands.h"
#include "node/cli/doc.h"
#include "node/cli/files.h"
#include "node/trust.h"
#include "node/words.h"
#include "wire/mem.h"
#include "wire/pack.h"

#include <stdlib.h>

enum { BUNDLE_CLI_ARENA = 64 << 20 };

const struct cli_option cmd_bundle_export_options[] = {
    {"home", "DIR", "the node's home (default: $ASSAY_HOME, else .)"},
    {"channel", "NAME", "its channel (default: the only one besides the parent)"},
    {"out", "FILE", "where the bundle goes (default: <channel>-<entry>.assay-bundle)"},
    {"raw", NULL, "with the raw log and its salt: this discloses it to whoever gets the file"},
    {NULL, NULL, NULL},
};
const struct cli_option cmd_bundle_verify_options[] = {
    {"genesis", "FILE", "the founding document"},
    {NULL, NULL, NULL},
};

/* ---- export ---- */

static enum err_code bundle_params(struct cli *c, struct buf *params, struct err *e) {
    const char *channel = cli_opt(c, "channel"), *which = c->args[0];
    uint8_t uid[RECORD_UID_SIZE];
    bool by_uid = strlen(which) == 2 * RECORD_UID_SIZE || strlen(which) == 36, raw = cli_flag(c, "raw");
    uint64_t number = 0;
    char *end;
    enum err_code rc = by_uid ? words_hex("uid", which, uid, sizeof uid, e) : ERR_OK;
    if (rc != ERR_OK)
        return rc;
    if (!by_uid) {
        number = strtoull(which, &end, 10);
        if (which[0] < '0' || which[0] > '9' || *end)
            return err_set(e, ERR_USAGE, "\"%.80s\" is neither an entry's number nor a record's uid", which);
    }
    pack_map(params, (uint32_t)((channel != NULL) + (!by_uid && number) + raw + by_uid));
    if (channel)
        pack_cstr(params, "channel"), pack_cstr(params, channel);
    if (!by_uid && number)
        pack_cstr(params, "number"), pack_u64(params, number);
    if (raw)
        pack_cstr(params, "raw"), pack_bool(params, true);
    if (by_uid)
        pack_cstr(params, "uid"), pack_bin(params, slice_of(uid, sizeof uid));
    return ERR_OK;
}

enum err_code cmd_bundle_export(struct cli *c, struct err *e) {
    char path[FILES_PATH];
    struct client cl;
    struct buf params, answer, doc;
    struct slice file = slice_none(), a;
    enum err_code rc;
    buf_init(&params, 1024);
    buf_init(&answer, LIMIT_MESSAGE);
    buf_init(&doc, 8192);
    if ((rc = bundle_params(c, &params, e)) == ERR_OK && (rc = client_open(c, &cl, e)) == ERR_OK) {
        rc = client_ask(&cl, "bundle.export", buf_slice(&params), &answer, e);
        client_close(&cl);
    }
    a = buf_slice(&answer);
    if (rc == ERR_OK) {
        file = doc_str(a, "bundle");
        if (cli_opt(c, "out"))
            snprintf(path, sizeof path, "%s", cli_opt(c, "out"));
        else
            snprintf(path, sizeof path, "%.*s-%llu" BUNDLE_EXTENSION, SLICE_ARG(doc_str(a, "channel")),
                     (unsigned long long)doc_u64(a, "number"));
        rc = files_replace(path, file, e);
    }
    if (rc == ERR_OK)
        out_line(c, "%s: entry %llu of channel %.*s, %zu bytes, %s\n", path, (unsigned long long)doc_u64(a, "number"),
                 SLICE_ARG(doc_str(a, "channel")), file.len,
                 doc_bool(a, "raw") ? "with its raw log: take care whom you give it to" : "without its raw log");
    if (rc == ERR_OK && c->json) {
        pack_map(&doc, 5);
        pack_cstr(&doc, "bytes"), pack_u64(&doc, file.len);
        pack_cstr(&doc, "channel"), pack_str(&doc, doc_str(a, "channel"));
        pack_cstr(&doc, "file"), pack_cstr(&doc, path);
        pack_cstr(&doc, "number"), pack_u64(&doc, doc_u64(a, "number"));
        pack_cstr(&doc, "raw"), pack_bool(&doc, doc_bool(a, "raw"));
        if ((rc = buf_check(&doc, e)) == ERR_OK)
            rc = out_json(c, buf_slice(&doc), e);
    }
    buf_release(&params);
    buf_release(&answer);
    buf_release(&doc);
    return rc;
}

/* ---- verify, explain ---- */

struct bundle_reading {
    struct arena arena;
    struct buf file;
    struct bundle bundle;
    struct bundle_network net;
    struct genesis genesis;
    bool has_genesis;
    struct bundle_report report;
};

static enum err_code bundle_open(struct cli *c, struct bundle_reading *b, bool need_genesis, struct err *e) {
    const char *path = cli_opt(c, "genesis");
    enum err_code rc;
    arena_init(&b->arena, BUNDLE_CLI_ARENA);
    if ((need_genesis && (rc = cli_need(c, "genesis", &path, e)) != ERR_OK) || (rc = sign_start(e)) != ERR_OK)
        return rc;
    if (path) {
        if ((rc = genesis_read_file(path, &b->genesis, e)) != ERR_OK)
            return rc;
        b->has_genesis = true;
        if ((rc = trust_network(&b->genesis, &b->arena, &b->net, e)) != ERR_OK)
            return rc;
    }
    if ((rc = files_read(c->args[0], BUNDLE_MAX, &b->file, e)) != ERR_OK)
        return rc;
    rc = bundle_read(buf_slice(&b->file), &b->arena, &b->bundle, e);
    return rc == ERR_OK ? rc : err_wrap(e, "%s", c->args[0]);
}

static void bundle_close(struct bundle_reading *b) {
    buf_release(&b->file);
    arena_release(&b->arena);
    if (b->has_genesis)
        genesis_release(&b->genesis);
    mem_free(b);
}

static void bundle_tell(struct cli *c, const struct bundle_report *r, bool explain) {
    static const enum out_style styles[] = {OUT_GOOD, OUT_WARN, OUT_BAD};
    unsigned i;
    for (i = 0; i < r->count; i++) {
        const struct bundle_claim *k = &r->claims[i];
        struct buf b;
        buf_init(&b, 8192);
        out_padded(&b, slice_str(bundle_state_text(k->state)), 11);
        fprintf(c->out, "%s%s%s  ", out_style(c, styles[k->state]), buf_cstr(&b), out_style(c, OUT_PLAIN));
        buf_clear(&b);
        out_padded(&b, slice_str(k->claim), 0);
        fprintf(c->out, "%s\n", buf_cstr(&b));
        buf_clear(&b);
        out_padded(&b, slice_str(k->why), 0);
        if (explain || k->state != BUNDLE_PROVEN)
            fprintf(c->out, "             %s%s%s\n", out_style(c, OUT_DIM), buf_cstr(&b), out_style(c, OUT_PLAIN));
        buf_release(&b);
    }
    fprintf(c->out, "\n%s\n", r->holds ? "The bundle holds." : "The bundle does NOT hold.");
}

static enum err_code bundle_json(struct cli *c, const struct bundle_report *r, struct err *e) {
    struct buf b;
    unsigned i;
    enum err_code rc;
    buf_init(&b, 1 << 20);
    pack_map(&b, 2);
    pack_cstr(&b, "claims"), pack_array(&b, r->count);
    for (i = 0; i < r->count; i++) {
        pack_map(&b, 4);
        pack_cstr(&b, "claim"), pack_cstr(&b, r->claims[i].claim);
        pack_cstr(&b, "state"), pack_cstr(&b, bundle_state_text(r->claims[i].state));
        pack_cstr(&b, "what"), pack_cstr(&b, bundle_what_text(r->claims[i].what));
        pack_cstr(&b, "why"), pack_cstr(&b, r->claims[i].why);
    }
    pack_cstr(&b, "holds"), pack_bool(&b, r->holds);
    if ((rc = buf_check(&b, e)) == ERR_OK)
        rc = out_json(c, buf_slice(&b), e);
    buf_release(&b);
    return rc;
}

/* What the file carries, before anything of it is believed. */
static void bundle_parts(struct cli *c, const struct bundle *b, size_t bytes) {
    fprintf(c->out, "%s: %zu bytes, %s\n\n", c->args[0], bytes, BUNDLE_FORMAT);
    fprintf(c->out, "  entry       %llu of channel %.*s, %zu bytes\n", (unsigned long long)b->index,
            SLICE_ARG(b->channel), b->entry.len);
    fprintf(c->out, "  inclusion   %zu hashes up to the root that the checkpoint names\n", b->path.len / DIGEST_SIZE);
    fprintf(c->out, "  authorship  %s\n", b->batch ? "the signed header of the batch in which it came" : "-");
    fprintf(c->out, "  time        %s\n", b->block ? "the header of the block that the quorum finalised" : "-");
    fprintf(c->out, "  raw log     %s\n", b->raw ? "disclosed, with its salt" : "-");
    fprintf(c->out, "  standards   %u\n", b->standards.count);
    fprintf(c->out, "  anchor      %s\n", b->anchor ? "the opening of an anchor on the parent" : "-");
    fprintf(c->out, "  range       %s\n\n", b->range ? "all entries of a range, nothing left out" : "-");
}

static enum err_code bundle_judge(struct cli *c, bool explain, struct err *e) {
    struct bundle_reading *b = mem_zalloc(1, sizeof *b);
    enum err_code rc = b ? bundle_open(c, b, true, e) : err_set(e, ERR_NO_MEMORY, "no memory"), verdict = ERR_OK;
    struct err why = {0};
    if (rc == ERR_OK) {
        verdict = bundle_verify(&b->bundle, &b->net, &b->report, &why);
        if (verdict != ERR_OK && verdict != ERR_PROOF) {
            *e = why;
            rc = verdict;
        }
    }
    if (rc == ERR_OK && explain && !c->json)
        bundle_parts(c, &b->bundle, b->file.len);
    if (rc == ERR_OK && c->json)
        rc = bundle_json(c, &b->report, e);
    else if (rc == ERR_OK)
        bundle_tell(c, &b->report, explain);
    if (b)
        bundle_close(b);
    if (rc == ERR_OK && verdict != ERR_OK) {
        if (c->json)
            c->json = false; /* the document is out; the reason goes to the error stream */
        *e = why;
        rc = ERR_PROOF;
    }
    return rc;
}

enum err_code cmd_bundle_verify(struct cli *c, struct err *e) {
    return bundle_judge(c, false, e);
}

enum err_code cmd_bundle_explain(struct cli *c, struct err *e) {
    return bundle_judge(c, true, e);
}
