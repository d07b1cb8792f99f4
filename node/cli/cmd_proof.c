/* node/cli/cmd_proof.c -- `assay checkpoint`, `assay proof inclusion|consistency|verify`.
 * What is printed is what third parties read: C2SP signed notes and tlog-proofs (docs/FORMATS.md 5, 6). */
#include "node/cli/asking.h"
#include "node/cli/commands.h"
#include "node/cli/doc.h"
#include "node/cli/files.h"
#include "node/trust.h"
#include "node/words.h"
#include "wire/base64.h"
#include "wire/mem.h"
#include "wire/pack.h"

#include <stdlib.h>

const struct cli_option cmd_checkpoint_options[] = {
    {"home", "DIR", "the node's home (default: $ASSAY_HOME, else .)"},
    {"channel", "NAME", "which channel (default: the only one besides the parent)"},
    {"size", "N", "the checkpoint at this size (default: the newest)"},
    {NULL, NULL, NULL},
};
const struct cli_option cmd_proof_verify_options[] = {
    {"genesis", "FILE", "the founding document"},
    {"entry", "FILE", "the entry's bytes (as in the body of a bundle)"},
    {"leaf", "HEX", "the entry's leaf hash instead"},
    {NULL, NULL, NULL},
};

static enum err_code proof_number(const char *text, const char *what, uint64_t *out, struct err *e) {
    char *end;
    *out = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0'
               ? ERR_OK
               : err_set(e, ERR_USAGE, "%s: \"%.80s\" is no number", what, text);
}

/* Asks `method` of the channel of the options, with up to three numbers. */
static enum err_code proof_ask(struct cli *c, const char *method, const uint64_t *from, const uint64_t *number,
                               uint64_t size, struct buf *answer, struct err *e) {
    const char *channel = cli_opt(c, "channel");
    struct buf params;
    enum err_code rc;
    buf_init(&params, 512);
    pack_map(&params, (uint32_t)((channel != NULL) + (from != NULL) + (number && *number) + (size > 0)));
    if (channel)
        pack_cstr(&params, "channel"), pack_cstr(&params, channel);
    if (from)
        pack_cstr(&params, "from"), pack_u64(&params, *from);
    if (number && *number)
        pack_cstr(&params, "number"), pack_u64(&params, *number);
    if (size)
        pack_cstr(&params, "size"), pack_u64(&params, size);
    rc = client_once(c, method, buf_slice(&params), answer, e);
    buf_release(&params);
    return rc;
}

enum err_code cmd_checkpoint(struct cli *c, struct err *e) {
    struct buf answer;
    uint64_t size = 0;
    enum err_code rc = cli_number(c, "size", 1, UINT64_MAX, &size, e);
    if (rc != ERR_OK)
        return rc;
    if ((rc = proof_ask(c, "checkpoint", NULL, NULL, size, &answer, e)) == ERR_OK)
        out_line(c, "%.*s", SLICE_ARG(doc_str(buf_slice(&answer), "note")));
    buf_release(&answer);
    return rc;
}

enum err_code cmd_proof_inclusion(struct cli *c, struct err *e) {
    struct buf answer;
    uint64_t size = 0, number;
    enum err_code rc;
    if ((rc = cli_number(c, "size", 1, UINT64_MAX, &size, e)) != ERR_OK ||
        (rc = proof_number(c->args[0], "the entry", &number, e)) != ERR_OK)
        return rc;
    if ((rc = proof_ask(c, "proof.inclusion", NULL, &number, size, &answer, e)) == ERR_OK)
        out_line(c, "%.*s", SLICE_ARG(doc_str(buf_slice(&answer), "proof")));
    buf_release(&answer);
    return rc;
}

/* Hashes one a line, in base64, then both signed checkpoints. */
static enum err_code proof_print(struct cli *c, struct slice answer, struct err *e) {
    struct slice old = doc_get(answer, "old"), new = doc_get(answer, "new"), item, hash;
    struct doc_list l = doc_list(answer, "path");
    struct buf line;
    enum err_code rc = ERR_OK;
    fprintf(c->out, "the tree of %llu entries extends the one of %llu; %u hashes prove it:\n",
            (unsigned long long)doc_u64(new, "size"), (unsigned long long)doc_u64(old, "size"), l.left);
    buf_init(&line, 128);
    while (doc_next(&l, &item) && rc == ERR_OK) {
        struct cursor at;
        cursor_init(&at, item);
        buf_clear(&line);
        if ((rc = cursor_bin(&at, &hash, e)) == ERR_OK) {
            base64_write(hash, &line);
            fprintf(c->out, "%s\n", buf_cstr(&line));
        }
    }
    buf_release(&line);
    fprintf(c->out, "\nfrom\n%.*s\nto\n%.*s", SLICE_ARG(doc_str(old, "note")), SLICE_ARG(doc_str(new, "note")));
    return rc;
}

enum err_code cmd_proof_consistency(struct cli *c, struct err *e) {
    struct buf answer;
    uint64_t from, to = 0;
    enum err_code rc;
    if ((rc = proof_number(c->args[0], "FROM", &from, e)) != ERR_OK ||
        (c->arg_count > 1 && (rc = proof_number(c->args[1], "TO", &to, e)) != ERR_OK))
        return rc;
    if (from == 0)
        return err_set(e, ERR_USAGE, "from size 0 nothing can be proven");
    if ((rc = proof_ask(c, "proof.consistency", &from, NULL, to, &answer, e)) == ERR_OK && !c->json)
        rc = proof_print(c, buf_slice(&answer), e);
    buf_release(&answer);
    return rc;
}

static enum err_code proof_leaf(struct cli *c, struct digest *leaf, struct err *e) {
    struct buf entry;
    enum err_code rc;
    if (cli_opt(c, "leaf"))
        return words_hex("--leaf", cli_opt(c, "leaf"), leaf->b, DIGEST_SIZE, e);
    if (!cli_opt(c, "entry"))
        return err_set(e, ERR_USAGE, "say which entry the proof is of: --leaf HEX or --entry FILE");
    rc = files_read(cli_opt(c, "entry"), LIMIT_ENTRY, &entry, e);
    if (rc == ERR_OK)
        *leaf = entry_leaf(buf_slice(&entry));
    buf_release(&entry);
    return rc;
}

static enum err_code proof_tell(struct cli *c, const struct trust_signed *by, const uint64_t *index, struct err *e) {
    struct buf b;
    enum err_code rc;
    if (index)
        out_line(c, "%sproven%s: entry %llu of channel %.*s is in its tree of %llu entries", out_style(c, OUT_GOOD),
                 out_style(c, OUT_PLAIN), (unsigned long long)*index, SLICE_ARG(by->channel),
                 (unsigned long long)by->size);
    else
        out_line(c, "%sproven%s: a checkpoint of channel %.*s with %llu entries", out_style(c, OUT_GOOD),
                 out_style(c, OUT_PLAIN), SLICE_ARG(by->channel), (unsigned long long)by->size);
    out_line(c, ", signed by %u validators, %u of them regulators\n", by->signers, by->regulators);
    if (!c->json)
        return ERR_OK;
    buf_init(&b, 4096);
    pack_map(&b, index ? 6 : 5);
    pack_cstr(&b, "channel"), pack_str(&b, by->channel);
    pack_cstr(&b, "holds"), pack_bool(&b, true);
    if (index)
        pack_cstr(&b, "number"), pack_u64(&b, *index);
    pack_cstr(&b, "regulators"), pack_u64(&b, by->regulators);
    pack_cstr(&b, "signers"), pack_u64(&b, by->signers);
    pack_cstr(&b, "size"), pack_u64(&b, by->size);
    rc = out_json(c, buf_slice(&b), e);
    buf_release(&b);
    return rc;
}

enum err_code cmd_proof_verify(struct cli *c, struct err *e) {
    static const char magic[] = "c2sp.org/tlog-proof@v1\n";
    const char *path;
    struct genesis g;
    struct buf text;
    struct digest leaf;
    struct trust_signed by;
    uint64_t index = 0;
    bool proof;
    enum err_code rc;
    if ((rc = cli_need(c, "genesis", &path, e)) != ERR_OK || (rc = sign_start(e)) != ERR_OK ||
        (rc = genesis_read_file(path, &g, e)) != ERR_OK)
        return rc;
    rc = files_read(c->args[0], PROOF_MAX, &text, e);
    proof = rc == ERR_OK && text.len > sizeof magic && memcmp(text.ptr, magic, sizeof magic - 1) == 0;
    if (rc == ERR_OK && proof) {
        if ((rc = proof_leaf(c, &leaf, e)) == ERR_OK)
            rc = trust_proof(&g, buf_slice(&text), &leaf, &index, &by, e);
    } else if (rc == ERR_OK) {
        rc = trust_checkpoint(&g, buf_slice(&text), &by, e);
    }
    if (rc == ERR_BAD_SIGNATURE || rc == ERR_WRONG_NETWORK)
        rc = ERR_PROOF; /* here it is the answer, not a refusal: exit 1 */
    if (rc == ERR_OK)
        rc = proof_tell(c, &by, proof ? &index : NULL, e);
    buf_release(&text);
    genesis_release(&g);
    return rc;
}
