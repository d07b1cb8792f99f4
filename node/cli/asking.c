/* node/cli/asking.c -- see asking.h. */
#include "node/cli/asking.h"

#include "node/cli/doc.h"
#include "node/trust.h"
#include "node/words.h"
#include "wire/pack.h"

#include <stdio.h>
#include <stdlib.h>

static enum err_code asking_kinds(const struct cli *c, uint64_t *kinds, struct err *e) {
    const char *kind;
    size_t i;
    for (i = 0; (kind = cli_opt_nth(c, "kind", i)); i++) {
        enum entry_kind k = entry_kind_from(slice_str(kind));
        if (k == ENTRY_NONE)
            return err_set(e, ERR_USAGE,
                           "--kind: \"%s\" is none; record, dead-letter, standard, evidence-request, "
                           "evidence-answer, verdict, dispute, finding, gap, acknowledgement, anchor ...",
                           kind);
        *kinds |= (uint64_t)1 << k;
    }
    return ERR_OK;
}

static enum err_code asking_source(const struct cli *c, struct query *q, struct err *e) {
    const char *source = cli_opt(c, "source"), *colon = source ? strrchr(source, ':') : NULL;
    char *end;
    if (!source)
        return ERR_OK;
    q->source_id = slice_str(source);
    if (colon && colon[1]) {
        q->source_seq = strtoull(colon + 1, &end, 10);
        if (*end == '\0' && colon[1] >= '0' && colon[1] <= '9' && q->source_seq)
            q->source_id = slice_of(source, (size_t)(colon - source));
        else
            q->source_seq = 0; /* a colon of the id's own */
    }
    return q->source_id.len ? ERR_OK : err_set(e, ERR_USAGE, "--source: \"%s\" names no source", source);
}

static enum err_code asking_node(const struct cli *c, const struct genesis *g, struct query *q, struct err *e) {
    const char *id = cli_opt(c, "node");
    const struct genesis_node *n = id ? genesis_node_find(g, slice_str(id)) : NULL;
    if (id && !n)
        return err_set(e, ERR_USAGE, "--node: genesis knows no node \"%s\"", id);
    if (n)
        memcpy(q->submitter, n->submit, sizeof q->submitter);
    return ERR_OK;
}

static struct slice asking_text(const struct cli *c, const char *option) {
    return slice_str(cli_opt_or(c, option, ""));
}

enum err_code asking_query(const struct cli *c, const struct genesis *g, struct query *q, struct err *e) {
    enum err_code rc;
    memset(q, 0, sizeof *q);
    if (cli_opt(c, "subject"))
        words_typed(cli_opt(c, "subject"), &q->subject_type, &q->subject_name);
    if (cli_opt(c, "subject-name"))
        q->subject_name = asking_text(c, "subject-name");
    if (cli_opt(c, "object"))
        words_typed(cli_opt(c, "object"), &q->object_type, &q->object_name);
    if (cli_opt(c, "object-name"))
        q->object_name = asking_text(c, "object-name");
    q->op = asking_text(c, "op");
    q->class_id = asking_text(c, "class");
    q->server = asking_text(c, "server");
    q->service = asking_text(c, "service");
    q->org_unit = asking_text(c, "unit");
    if ((rc = asking_kinds(c, &q->kinds, e)) != ERR_OK || (rc = asking_source(c, q, e)) != ERR_OK ||
        (rc = asking_node(c, g, q, e)) != ERR_OK)
        return rc;
    if (cli_opt(c, "from") && (rc = words_time("--from", cli_opt(c, "from"), &q->from, e)) != ERR_OK)
        return rc;
    if (cli_opt(c, "to") && (rc = words_time("--to", cli_opt(c, "to"), &q->to, e)) != ERR_OK)
        return rc;
    if (cli_opt(c, "raw-hash") &&
        (rc = words_hex("--raw-hash", cli_opt(c, "raw-hash"), q->raw_hash, sizeof q->raw_hash, e)) != ERR_OK)
        return rc;
    if ((rc = query_check(q, e)) != ERR_OK)
        return err_set(e, ERR_USAGE, "the time range is empty");
    return ERR_OK;
}

bool asking_query_any(const struct query *q) {
    struct buf b;
    bool any;
    buf_init(&b, 64 << 10);
    query_write(q, &b);
    any = b.failed || b.len > 1; /* more than an empty map */
    buf_release(&b);
    return any;
}

void asking_query_pack(const struct query *q, struct buf *out) {
    if (asking_query_any(q)) {
        pack_cstr(out, "query");
        query_write(q, out);
    }
}

enum err_code asking_channels(const struct cli *c, const struct node *self, struct slice out[ASKING_CHANNELS],
                              size_t *count, struct err *e) {
    const char *only = cli_opt(c, "channel");
    const struct genesis_channel *parent = NULL;
    uint32_t i;
    *count = 0;
    if (only) {
        out[(*count)++] = slice_str(only); /* the node says whether it is in it */
        return ERR_OK;
    }
    for (i = 0; i < genesis_channel_count(&self->genesis) && *count < ASKING_CHANNELS - 1; i++) {
        const struct genesis_channel *ch = genesis_channel_at(&self->genesis, i);
        if (!genesis_is_member(ch, self->self->id))
            continue;
        if (ch->parent)
            parent = ch;
        else
            out[(*count)++] = ch->name;
    }
    if (parent)
        out[(*count)++] = parent->name;
    return *count ? ERR_OK : err_set(e, ERR_NOT_FOUND, "this node is a member of no channel");
}

enum err_code asking_entry_read(const struct genesis *g, struct slice map, struct asking_entry *out, struct err *e) {
    const struct genesis_node *n = genesis_node_find(g, doc_str(map, "node"));
    enum err_code rc;
    out->map = map;
    buf_clear(&out->bytes);
    pack_array(&out->bytes, 2);
    pack_u64(&out->bytes, doc_u64(map, "kind_id"));
    buf_append(&out->bytes, doc_get(map, "body"));
    if ((rc = buf_check(&out->bytes, e)) != ERR_OK)
        return rc;
    sentence_of(g, buf_slice(&out->bytes), n ? n->submit : NULL, doc_i64(map, "time"), &out->words);
    return ERR_OK;
}

enum err_code asking_entry_verify(const struct genesis *g, struct slice channel, const struct asking_entry *x,
                                  struct err *e) {
    struct digest leaf = entry_leaf(buf_slice(&x->bytes));
    struct trust_signed by;
    uint64_t index = 0;
    enum err_code rc = trust_proof(g, doc_str(x->map, "proof"), &leaf, &index, &by, e);
    if (rc != ERR_OK)
        return rc;
    if (index != doc_u64(x->map, "number") || !slice_eq(by.channel, channel))
        return err_set(e, ERR_PROOF, "the proof is of another entry");
    return ERR_OK;
}
