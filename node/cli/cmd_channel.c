/* node/cli/cmd_channel.c -- `assay channel list|show`: the channels of a node, who decides in them, how far they are.
 */
#include "genesis/genesis_show.h"
#include "node/channel.h"
#include "node/cli/client.h"
#include "node/cli/commands.h"
#include "node/cli/doc.h"
#include "node/cli/out.h"
#include "node/node.h"
#include "node/sentence.h"
#include "wire/mem.h"
#include "wire/pack.h"

const struct cli_option cmd_channel_options[] = {
    {"home", "DIR", "the node's home (default: $ASSAY_HOME, else .)"},
    {NULL, NULL, NULL},
};

static struct slice channel_or(struct slice s, const char *other) {
    return s.len ? s : slice_str(other);
}

static void channel_row(struct out_table *t, struct slice channel) {
    uint64_t entries = doc_u64(channel, "entries"), indexed = doc_u64(channel, "indexed");
    char when[SENTENCE_TIME] = "-";
    if (doc_i64(channel, "time"))
        sentence_when(doc_i64(channel, "time"), when);
    out_cell(t, doc_str(channel, "name"));
    out_cellf(t, "%llu", (unsigned long long)doc_u64(channel, "n"));
    out_cellf(t, "%llu", (unsigned long long)doc_u64(channel, "f"));
    out_cellf(t, "%llu", (unsigned long long)doc_u64(channel, "q"));
    out_cellf(t, "%llu", (unsigned long long)doc_u64(channel, "k"));
    out_cellf(t, "%llu", (unsigned long long)doc_u64(channel, "height"));
    out_cellf(t, "%llu", (unsigned long long)entries);
    out_cellf(t, "%llu", (unsigned long long)(entries - (indexed < entries ? indexed : entries)));
    out_cellf(t, "%llu", (unsigned long long)doc_u64(channel, "outbox"));
    out_cellf(t, "%.19s", when);
    out_cell(t, channel_or(doc_str(channel, "halt"), doc_u64(channel, "sync_target") ? "catching up" : "running"));
}

enum err_code cmd_channel_list(struct cli *c, struct err *e) {
    static const char *const head[] = {
        "channel", "n", "f", "q", "k", "height", "entries", "unindexed", "outbox", "last block (UTC)", "state"};
    struct buf answer;
    struct out_table t;
    struct slice channel;
    struct doc_list l;
    enum err_code rc = client_once(c, "status", slice_none(), &answer, e);
    if (rc == ERR_OK && !c->json) {
        out_table_init(&t, head, 11, 0x1fe);
        l = doc_list(buf_slice(&answer), "channels");
        while (doc_next(&l, &channel))
            channel_row(&t, channel);
        rc = out_table_print(c, &t, e);
        out_table_release(&t);
    }
    buf_release(&answer);
    return rc;
}

/* ---- one channel ---- */

static enum err_code channel_validators(struct cli *c, const struct genesis *g, const struct genesis_channel *founding,
                                        struct slice status, struct err *e) {
    static const char *const head[] = {"  seat", "node", "organisation", "role", "address", ""};
    struct genesis_seat seats[LIMIT_VALIDATORS];
    size_t n = genesis_seats(g, founding, seats), i;
    const struct slice *members = founding->members.items;
    struct out_table t;
    enum err_code rc;
    out_table_init(&t, head, 6, 1);
    for (i = 0; i < n; i++) {
        out_cellf(&t, "%zu", i + 1);
        out_cell(&t, seats[i].node->id);
        out_cell(&t, seats[i].org->id);
        out_cellf(&t, "%s", seats[i].regulator ? "regulator" : genesis_role_names[seats[i].org->role]);
        out_cell(&t, seats[i].node->address);
        out_cellf(&t, "%s%s", slice_eq(seats[i].node->id, doc_str(status, "leader")) ? "leads this view" : "",
                  i + 1 == doc_u64(status, "seat") ? " (this node)" : "");
    }
    for (i = 0; i < founding->members.count; i++) {
        const struct genesis_node *m = genesis_node_find(g, members[i]);
        out_cellf(&t, "-");
        out_cell(&t, m->id);
        out_cell(&t, m->org);
        out_cellf(&t, "follows");
        out_cell(&t, m->address);
        out_cell(&t, slice_none());
    }
    rc = out_table_print(c, &t, e);
    out_table_release(&t);
    return rc;
}

static enum err_code channel_print(struct cli *c, const struct genesis *g, const struct genesis_channel *founding,
                                   struct slice s, struct err *e) {
    char when[SENTENCE_TIME] = "never", hex[DIGEST_HEX];
    struct digest id = genesis_channel_id(g, founding);
    struct buf powers;
    enum err_code rc;
    if (doc_i64(s, "time"))
        sentence_when(doc_i64(s, "time"), when);
    fprintf(c->out, "channel %.*s of network %.*s%s%.*s\n\n", SLICE_ARG(founding->name), SLICE_ARG(g->body.network),
            founding->parent ? ", the parent of all" : ", of enterprise ", SLICE_ARG(founding->org));
    fprintf(c->out, "  id          %s\n", digest_hex(&id, hex));
    fprintf(c->out, "  quorum      %llu of %llu validators must sign, %llu regulators among them; %llu may lie\n",
            (unsigned long long)doc_u64(s, "q"), (unsigned long long)doc_u64(s, "n"),
            (unsigned long long)doc_u64(s, "k"), (unsigned long long)doc_u64(s, "f"));
    fprintf(c->out, "  height      %llu, made at %s UTC; epoch %llu, view %llu\n",
            (unsigned long long)doc_u64(s, "height"), when, (unsigned long long)doc_u64(s, "epoch"),
            (unsigned long long)doc_u64(s, "view"));
    fprintf(c->out, "  entries     %llu, of which %llu are indexed\n", (unsigned long long)doc_u64(s, "entries"),
            (unsigned long long)doc_u64(s, "indexed"));
    fprintf(c->out, "  waiting     %llu entries in the outbox, %llu batches in the pool; %llu entries were refused\n",
            (unsigned long long)doc_u64(s, "outbox"), (unsigned long long)doc_u64(s, "pool"),
            (unsigned long long)doc_u64(s, "refused"));
    fprintf(c->out, "  connected   %llu members; %llu messages dropped, %llu refused as misbehaviour\n",
            (unsigned long long)doc_u64(s, "peers_up"), (unsigned long long)doc_u64(s, "mail_refused"),
            (unsigned long long)doc_u64(s, "misbehaved"));
    fprintf(c->out, "  state       %.*s; %llu blocks repaired since the start\n\n",
            SLICE_ARG(channel_or(doc_str(s, "halt"), doc_u64(s, "sync_target") ? "catching up" : "running")),
            (unsigned long long)doc_u64(s, "repaired"));
    if ((rc = channel_validators(c, g, founding, s, e)) != ERR_OK)
        return rc;
    buf_init(&powers, 1 << 20);
    genesis_show_powers(&g->body, founding, &powers);
    fprintf(c->out, "\nwhat each organisation alone could halt or fork:\n%s", buf_cstr(&powers));
    buf_release(&powers);
    return ERR_OK;
}

/* {"status": as channel.show, "validators": [{id, org, regulator}]} */
static enum err_code channel_json(struct cli *c, const struct genesis *g, const struct genesis_channel *founding,
                                  struct slice status, struct err *e) {
    struct genesis_seat seats[LIMIT_VALIDATORS];
    size_t n = genesis_seats(g, founding, seats), i;
    struct digest id = genesis_channel_id(g, founding);
    struct buf b;
    enum err_code rc;
    buf_init(&b, LIMIT_MESSAGE);
    pack_map(&b, 4);
    pack_cstr(&b, "id"), pack_bin(&b, digest_slice(&id));
    pack_cstr(&b, "name"), pack_str(&b, founding->name);
    pack_cstr(&b, "status"), buf_append(&b, status);
    pack_cstr(&b, "validators"), pack_array(&b, (uint32_t)n);
    for (i = 0; i < n; i++) {
        pack_map(&b, 3);
        pack_cstr(&b, "id"), pack_str(&b, seats[i].node->id);
        pack_cstr(&b, "org"), pack_str(&b, seats[i].org->id);
        pack_cstr(&b, "regulator"), pack_bool(&b, seats[i].regulator);
    }
    if ((rc = buf_check(&b, e)) == ERR_OK)
        rc = out_json(c, buf_slice(&b), e);
    buf_release(&b);
    return rc;
}

enum err_code cmd_channel_show(struct cli *c, struct err *e) {
    const struct genesis_channel *founding;
    struct client cl;
    struct buf params, answer;
    enum err_code rc = client_open(c, &cl, e);
    if (rc != ERR_OK)
        return rc;
    buf_init(&params, 256);
    buf_init(&answer, LIMIT_MESSAGE);
    pack_map(&params, 1);
    pack_cstr(&params, "channel"), pack_cstr(&params, c->args[0]);
    rc = client_ask(&cl, "channel.show", buf_slice(&params), &answer, e);
    founding = genesis_channel_find(&cl.self->genesis, slice_str(c->args[0]));
    if (rc == ERR_OK && !founding)
        rc = err_set(e, ERR_NOT_FOUND, "genesis knows no channel \"%s\"", c->args[0]);
    if (rc == ERR_OK)
        rc = c->json ? channel_json(c, &cl.self->genesis, founding, buf_slice(&answer), e)
                     : channel_print(c, &cl.self->genesis, founding, buf_slice(&answer), e);
    buf_release(&params);
    buf_release(&answer);
    client_close(&cl);
    return rc;
}
