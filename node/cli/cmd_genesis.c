/* node/cli/cmd_genesis.c -- `assay genesis assemble|sign|verify|show`: founding the real way. */
#include "genesis/enrol.h"
#include "genesis/genesis_show.h"
#include "node/cli/commands.h"
#include "node/cli/files.h"
#include "node/cli/out.h"
#include "node/clock.h"
#include "node/trust.h"
#include "wire/mem.h"
#include "wire/pack.h"

const struct cli_option cmd_genesis_assemble_options[] = {
    {"out", "FILE", "where the unsigned genesis goes"},
    {NULL, NULL, NULL},
};
const struct cli_option cmd_genesis_sign_options[] = {
    {"org", "ID", "the organisation that signs"},
    {"key", "FILE", "its founder.key"},
    {"out", "FILE", "where the signed genesis goes (default: in place)"},
    {NULL, NULL, NULL},
};
const struct cli_option cmd_genesis_plain_options[] = {{NULL, NULL, NULL}};
const struct cli_option cmd_genesis_show_options[] = {
    {"policy", "CHANNEL", "only what is needed to verify a bundle of this channel by hand (docs/FORMATS.md 10)"},
    {NULL, NULL, NULL},
};

/* {"complete":…, "fingerprint":…, "network":…, "signatures":…} or a line. */
static enum err_code cmd_genesis_told(struct cli *c, const struct genesis *g, const char *what, struct err *e) {
    bool complete = g->signatures.count == g->body.orgs.count;
    char hex[DIGEST_HEX];
    struct buf b;
    enum err_code rc;
    digest_hex(&g->id, hex);
    out_line(c, "%s\nnetwork      %.*s\nfingerprint  %s\nsigned by    %u of %u founders\n", what,
             SLICE_ARG(g->body.network), hex, g->signatures.count, g->body.orgs.count);
    if (!c->json)
        return ERR_OK;
    buf_init(&b, 65536);
    pack_map(&b, 4);
    pack_cstr(&b, "complete");
    pack_bool(&b, complete);
    pack_cstr(&b, "fingerprint");
    pack_cstr(&b, hex);
    pack_cstr(&b, "network");
    pack_str(&b, g->body.network);
    pack_cstr(&b, "signatures");
    pack_u64(&b, g->signatures.count);
    rc = buf_check(&b, e);
    if (rc == ERR_OK)
        rc = out_json(c, buf_slice(&b), e);
    buf_release(&b);
    return rc;
}

/* Parses bytes that were just made, tells them. */
static enum err_code cmd_genesis_tell(struct cli *c, struct slice bytes, const char *what, struct err *e) {
    struct genesis g;
    enum err_code rc = genesis_parse(bytes, &g, e);
    if (rc != ERR_OK)
        return rc;
    rc = cmd_genesis_told(c, &g, what, e);
    genesis_release(&g);
    return rc;
}

static enum err_code cmd_genesis_collect(struct cli *c, struct buf *files, struct slice *requests, struct err *e) {
    enum err_code rc = ERR_OK;
    size_t i;
    for (i = 1; i < c->arg_count && rc == ERR_OK; i++) {
        rc = files_read(c->args[i], ENROL_SIZE, &files[i - 1], e);
        requests[i - 1] = buf_slice(&files[i - 1]);
    }
    return rc;
}

enum err_code cmd_genesis_assemble(struct cli *c, struct err *e) {
    size_t count = c->arg_count - 1, i;
    struct buf *files = mem_zalloc(count + 1, sizeof *files);
    struct slice *requests = mem_zalloc(count + 1, sizeof *requests);
    struct enrol_plan plan;
    struct buf out;
    const char *to;
    enum err_code rc = cli_need(c, "out", &to, e);
    memset(&plan, 0, sizeof plan);
    buf_init(&out, GENESIS_SIZE);
    if (rc == ERR_OK && (!files || !requests))
        rc = err_set(e, ERR_NO_MEMORY, "no memory");
    if (rc == ERR_OK)
        rc = sign_start(e);
    if (rc == ERR_OK)
        rc = cmd_genesis_collect(c, files, requests, e);
    if (rc == ERR_OK)
        rc = enrol_plan_read(&plan, c->args[0], e);
    if (rc == ERR_OK)
        rc = enrol_assemble(&plan, requests, count, clock_wall_ms(), &out, e);
    if (rc == ERR_OK)
        rc = files_create(to, buf_slice(&out), e);
    if (rc == ERR_OK)
        rc = cmd_genesis_tell(c, buf_slice(&out), "assembled; each founder signs it now (assay genesis sign)", e);
    enrol_plan_release(&plan);
    for (i = 0; files && i < count; i++)
        buf_release(&files[i]);
    mem_free(files);
    mem_free(requests);
    buf_release(&out);
    return rc;
}

enum err_code cmd_genesis_sign(struct cli *c, struct err *e) {
    const char *org, *key;
    struct sign_secret *founder = NULL;
    struct sign_public pub;
    struct buf in, out;
    enum err_code rc;
    buf_init(&in, GENESIS_SIZE);
    buf_init(&out, GENESIS_SIZE);
    if ((rc = cli_need(c, "org", &org, e)) == ERR_OK && (rc = cli_need(c, "key", &key, e)) == ERR_OK &&
        (rc = keys_sign_load(key, "founder", &founder, &pub, e)) == ERR_OK)
        rc = genesis_load(c->args[0], &in, e);
    if (rc == ERR_OK)
        rc = genesis_sign(buf_slice(&in), slice_str(org), founder, &out, e);
    if (rc == ERR_OK)
        rc = files_replace(cli_opt_or(c, "out", c->args[0]), buf_slice(&out), e);
    if (rc == ERR_OK)
        rc = cmd_genesis_tell(c, buf_slice(&out), "signed; compare the fingerprint with the other founders'", e);
    sign_secret_free(founder);
    buf_release(&in);
    buf_release(&out);
    return rc;
}

enum err_code cmd_genesis_verify(struct cli *c, struct err *e) {
    struct genesis g;
    enum err_code rc = sign_start(e);
    if (rc == ERR_OK)
        rc = genesis_read_file(c->args[0], &g, e);
    if (rc != ERR_OK)
        return rc;
    rc = cmd_genesis_told(c, &g, "every founder has signed it and it keeps every rule", e);
    genesis_release(&g);
    return rc;
}

/* Policies of all channels, or of the one named. */
static enum err_code cmd_genesis_policies(const struct genesis *g, const char *only, struct buf *out, struct err *e) {
    struct bundle_network net;
    struct arena a;
    size_t i;
    bool found = false;
    enum err_code rc;
    arena_init(&a, 64 << 20);
    rc = trust_network(g, &a, &net, e);
    for (i = 0; rc == ERR_OK && i < net.channel_count; i++) {
        if (only && !slice_eq_str(net.channels[i].name, only))
            continue;
        found = true;
        if (!only)
            buf_printf(out, "\npolicy of channel %.*s, to verify by hand (docs/FORMATS.md 10)\n",
                       SLICE_ARG(net.channels[i].name));
        bundle_policy_write(&net, &net.channels[i], out);
    }
    if (rc == ERR_OK && !found)
        rc = err_set(e, ERR_NOT_FOUND, "genesis knows no channel \"%s\"", only);
    arena_release(&a);
    return rc;
}

enum err_code cmd_genesis_show(struct cli *c, struct err *e) {
    const char *policy = cli_opt(c, "policy");
    struct genesis g;
    struct buf in, b;
    enum err_code rc = sign_start(e);
    buf_init(&in, GENESIS_SIZE);
    buf_init(&b, GENESIS_SIZE * 2);
    if (rc == ERR_OK)
        rc = genesis_load(c->args[0], &in, e);
    if (rc == ERR_OK && (rc = genesis_parse(buf_slice(&in), &g, e)) == ERR_OK) {
        if (c->json)
            genesis_show_pack(&g, &b);
        else if (!policy)
            genesis_show_text(&g, &b);
        if (!c->json)
            rc = cmd_genesis_policies(&g, policy, &b, e);
        if (rc == ERR_OK)
            rc = buf_check(&b, e);
        if (rc == ERR_OK && c->json)
            rc = out_json(c, buf_slice(&b), e);
        else if (rc == ERR_OK)
            out_line(c, "%s", buf_cstr(&b));
        genesis_release(&g);
    }
    buf_release(&in);
    buf_release(&b);
    return rc;
}
