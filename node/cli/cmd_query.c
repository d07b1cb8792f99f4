/* node/cli/cmd_query.c -- `assay query`: who touched X, what did Y do, when, from where; over all channels of the node.
 * With --proof each hit carries its proof, and is checked here against genesis alone before it gets its tick. */
#include "node/cli/asking.h"
#include "node/cli/commands.h"
#include "node/cli/doc.h"
#include "node/trust.h"
#include "wire/mem.h"
#include "wire/pack.h"

#include <stdlib.h>

enum { QUERY_GATHER = 512 << 20 /* bytes of answers held at once */, QUERY_BAR = 40, QUERY_COLUMNS_MAX = 48 };

const struct cli_option cmd_query_options[] = {
    ASKING_OPTIONS,
    {"limit", "N", "at most so many of each channel (default 100, at most 1000 a page)"},
    {"cursor", "TEXT", "go on where an answer of one channel ended"},
    {"newest", NULL, "newest first (the default)"},
    {"oldest", NULL, "oldest first"},
    {"all", NULL, "follow the cursors to the end"},
    {"count", NULL, "only how many"},
    {"histogram", "N", "counts in N parts of the time from --from to --to"},
    {"proof", NULL, "with a proof for each, checked offline against genesis"},
    {NULL, NULL, NULL},
};

struct query_found {
    struct slice channel;
    struct slice map; /* in its page */
    int64_t time;
    uint64_t number;
};

struct query_run {
    struct cli *c;
    struct client client;
    struct query query;
    struct slice channels[ASKING_CHANNELS];
    size_t channel_count;
    struct buf *pages; /* answers, one after another */
    size_t page_count, bytes;
    struct query_found *found;
    size_t count, room;
    uint64_t verified, failed;
    struct slice more_channel; /* whose cursor is told */
    struct slice more_cursor;
    size_t more; /* channels that have more */
};

static void query_params(const struct query_run *r, struct slice channel, struct buf *out) {
    bool count = cli_flag(r->c, "count"), proof = cli_flag(r->c, "proof");
    uint64_t buckets = 0;
    buf_clear(out);
    (void)!cli_number(r->c, "histogram", 1, 512, &buckets, NULL);
    pack_map(out, 1u + count + proof + (buckets > 0) + asking_query_any(&r->query));
    pack_cstr(out, "channel"), pack_str(out, channel);
    if (count)
        pack_cstr(out, "count"), pack_bool(out, true);
    if (buckets)
        pack_cstr(out, "histogram"), pack_u64(out, buckets);
    if (proof)
        pack_cstr(out, "proof"), pack_bool(out, true);
    asking_query_pack(&r->query, out);
}

static enum err_code query_ask(struct query_run *r, struct slice channel, struct slice *answer, struct err *e) {
    struct buf params, *page;
    struct buf *pages = mem_realloc(r->pages, (r->page_count + 1) * sizeof *pages);
    enum err_code rc;
    if (!pages)
        return err_set(e, ERR_NO_MEMORY, "no memory for an answer");
    r->pages = pages;
    page = &pages[r->page_count++];
    buf_init(page, LIMIT_MESSAGE);
    buf_init(&params, 64 << 10);
    query_params(r, channel, &params);
    rc = buf_check(&params, e);
    if (rc == ERR_OK)
        rc = client_ask(&r->client, "query", buf_slice(&params), page, e);
    buf_release(&params);
    r->bytes += page->len;
    if (rc == ERR_OK && r->bytes > QUERY_GATHER)
        rc = err_set(e, ERR_TOO_LARGE, "the answer is too large for one listing: use --limit, --from and --to");
    *answer = buf_slice(page);
    return rc;
}

static enum err_code query_gather(struct query_run *r, struct slice channel, struct slice answer, struct err *e) {
    struct doc_list l = doc_list(answer, "hits");
    struct query_found f = {.channel = channel};
    while (doc_next(&l, &f.map)) {
        if (r->count == r->room) {
            size_t room = r->room ? r->room * 2 : 256;
            struct query_found *more = mem_realloc(r->found, room * sizeof *more);
            if (!more)
                return err_set(e, ERR_NO_MEMORY, "no memory for the hits");
            r->found = more;
            r->room = room;
        }
        f.time = doc_i64(f.map, "time");
        f.number = doc_u64(f.map, "number");
        r->found[r->count++] = f;
    }
    return ERR_OK;
}

/* All pages of one channel that the options ask for. */
static enum err_code query_channel(struct query_run *r, struct slice channel, struct err *e) {
    struct slice answer, first_cursor = r->query.cursor;
    bool more = true;
    enum err_code rc = ERR_OK;
    while (rc == ERR_OK && more) {
        size_t before = r->count;
        if ((rc = query_ask(r, channel, &answer, e)) != ERR_OK || (rc = query_gather(r, channel, answer, e)) != ERR_OK)
            break;
        more = doc_bool(answer, "more") && doc_str(answer, "cursor").len;
        r->query.cursor = doc_str(answer, "cursor");
        /* A page with nothing in it only means that many entries were read: go on by oneself. */
        if (more && !cli_flag(r->c, "all") && r->count > before) {
            r->more++;
            r->more_channel = channel;
            r->more_cursor = r->query.cursor;
            break;
        }
    }
    r->query.cursor = first_cursor;
    return rc;
}

static int query_newest(const void *a, const void *b) {
    const struct query_found *x = a, *y = b;
    int order = (x->time < y->time) - (x->time > y->time);
    if (order)
        return order;
    order = slice_cmp(x->channel, y->channel);
    return order ? order : (x->number < y->number) - (x->number > y->number);
}
static int query_oldest(const void *a, const void *b) {
    return query_newest(b, a);
}

static enum err_code query_row(struct query_run *r, struct out_table *t, const struct query_found *f,
                               struct asking_entry *x, struct err *e) {
    const struct genesis *g = &r->client.self->genesis;
    enum err_code rc = asking_entry_read(g, f->map, x, e);
    if (rc != ERR_OK)
        return rc;
    if (cli_flag(r->c, "proof")) {
        struct err why = {0};
        rc = asking_entry_verify(g, f->channel, x, &why);
        r->verified += rc == ERR_OK;
        r->failed += rc != ERR_OK;
        out_cellf(t, "%s", rc == ERR_OK ? "\xe2\x9c\x93" : why.text);
    }
    out_cell(t, slice_str(x->words.when));
    out_cell(t, slice_str(x->words.who));
    out_cell(t, slice_str(x->words.what));
    out_cell(t, slice_str(x->words.to));
    out_cell(t, slice_str(x->words.where));
    if (r->channel_count > 1)
        out_cell(t, f->channel);
    out_cellf(t, "%llu", (unsigned long long)f->number);
    return ERR_OK;
}

static enum err_code query_print(struct query_run *r, struct err *e) {
    static const char *const head[] = {"proof", "time (UTC)", "who", "what", "to what", "where", "channel", "entry"};
    static const char *const head_one[] = {"proof", "time (UTC)", "who", "what", "to what", "where", "entry"};
    bool proof = cli_flag(r->c, "proof"), many = r->channel_count > 1;
    struct asking_entry *x = mem_zalloc(1, sizeof *x);
    struct out_table t;
    size_t i, columns = (many ? 8u : 7u) - !proof;
    enum err_code rc = ERR_OK;
    if (!x)
        return err_set(e, ERR_NO_MEMORY, "no memory");
    buf_init(&x->bytes, LIMIT_ENTRY + 16);
    out_table_init(&t, (many ? head : head_one) + !proof, columns, 1u << (columns - 1));
    for (i = 0; i < r->count && rc == ERR_OK; i++)
        rc = query_row(r, &t, &r->found[i], x, e);
    if (rc == ERR_OK && r->count)
        rc = out_table_print(r->c, &t, e);
    out_table_release(&t);
    buf_release(&x->bytes);
    mem_free(x);
    if (rc != ERR_OK)
        return rc;
    fprintf(r->c->out, "%s%zu %s", r->count ? "\n" : "", r->count, r->count == 1 ? "entry" : "entries");
    if (proof)
        fprintf(r->c->out, "; %llu proven here against the genesis file alone", (unsigned long long)r->verified);
    if (r->more == 1)
        fprintf(r->c->out, "; there may be more: --all, or --channel %.*s --cursor %.*s", SLICE_ARG(r->more_channel),
                SLICE_ARG(r->more_cursor));
    else if (r->more)
        fprintf(r->c->out, "; there may be more in %zu channels: --all, or one --channel at a time", r->more);
    fputs("\n", r->c->out);
    return ERR_OK;
}

/* {"answers": [what each channel's node answered, page by page], ...} */
static enum err_code query_json(struct query_run *r, struct err *e) {
    struct asking_entry *x = mem_zalloc(1, sizeof *x);
    bool proof = cli_flag(r->c, "proof");
    struct buf doc;
    size_t i;
    enum err_code rc = ERR_OK;
    if (!x)
        return err_set(e, ERR_NO_MEMORY, "no memory");
    buf_init(&x->bytes, LIMIT_ENTRY + 16);
    for (i = 0; proof && i < r->count && rc == ERR_OK; i++)
        if ((rc = asking_entry_read(&r->client.self->genesis, r->found[i].map, x, e)) == ERR_OK) {
            bool ok = asking_entry_verify(&r->client.self->genesis, r->found[i].channel, x, NULL) == ERR_OK;
            r->verified += ok;
            r->failed += !ok;
        }
    buf_release(&x->bytes);
    mem_free(x);
    buf_init(&doc, QUERY_GATHER);
    pack_map(&doc, proof ? 3 : 2);
    pack_cstr(&doc, "answers"), pack_array(&doc, (uint32_t)r->page_count);
    for (i = 0; i < r->page_count; i++)
        buf_append(&doc, buf_slice(&r->pages[i]));
    pack_cstr(&doc, "hits"), pack_u64(&doc, r->count);
    if (proof)
        pack_cstr(&doc, "proven"), pack_u64(&doc, r->verified);
    if (rc == ERR_OK)
        rc = buf_check(&doc, e);
    if (rc == ERR_OK)
        rc = out_json(r->c, buf_slice(&doc), e);
    buf_release(&doc);
    return rc;
}

static void query_histogram(struct query_run *r, struct slice answer) {
    struct doc_list l = doc_list(answer, "buckets");
    int64_t first = doc_i64(answer, "first"), width = doc_i64(answer, "width");
    uint64_t counts[512] = {0}, most = 1;
    struct slice item;
    size_t n = 0, i;
    while (n < 512 && doc_next(&l, &item)) {
        struct cursor at;
        cursor_init(&at, item);
        if (cursor_u64(&at, &counts[n], NULL) != ERR_OK)
            counts[n] = 0;
        most = counts[n] > most ? counts[n] : most;
        n++;
    }
    for (i = 0; i < n; i++) {
        char when[SENTENCE_TIME], bar[QUERY_BAR + 1];
        size_t filled = (size_t)(counts[i] * QUERY_BAR / most);
        memset(bar, '#', filled);
        bar[filled] = '\0';
        sentence_when(first + (int64_t)i * width, when);
        fprintf(r->c->out, "%.19s  %10llu  %s\n", when, (unsigned long long)counts[i], bar);
    }
}

static enum err_code query_counts(struct query_run *r, struct err *e) {
    uint64_t total = 0;
    size_t i;
    enum err_code rc = ERR_OK;
    for (i = 0; i < r->channel_count && rc == ERR_OK; i++) {
        struct slice answer;
        if ((rc = query_ask(r, r->channels[i], &answer, e)) != ERR_OK)
            break;
        total += doc_u64(answer, "count");
        out_line(r->c, "%.*s: %llu\n", SLICE_ARG(r->channels[i]), (unsigned long long)doc_u64(answer, "count"));
        if (!r->c->json)
            query_histogram(r, answer);
    }
    if (rc == ERR_OK && r->c->json)
        rc = query_json(r, e);
    if (rc == ERR_OK && r->channel_count > 1)
        out_line(r->c, "all: %llu\n", (unsigned long long)total);
    return rc;
}

static enum err_code query_check_options(struct query_run *r, struct err *e) {
    struct cli *c = r->c;
    uint64_t buckets = 0, limit = 0;
    enum err_code rc;
    if ((rc = cli_number(c, "limit", 1, QUERY_LIMIT_MAX, &limit, e)) != ERR_OK ||
        (rc = cli_number(c, "histogram", 1, 512, &buckets, e)) != ERR_OK)
        return rc;
    if (cli_flag(c, "newest") && cli_flag(c, "oldest"))
        return err_set(e, ERR_USAGE, "either --newest or --oldest");
    if (cli_opt(c, "cursor") && !cli_opt(c, "channel"))
        return err_set(e, ERR_USAGE, "a --cursor belongs to one --channel");
    if (buckets && !cli_opt(c, "from"))
        return err_set(e, ERR_USAGE, "--histogram needs --from");
    r->query.limit = limit ? limit : cli_flag(c, "all") ? QUERY_LIMIT_MAX : 0;
    r->query.oldest = cli_flag(c, "oldest");
    r->query.cursor = slice_str(cli_opt_or(c, "cursor", ""));
    return ERR_OK;
}

enum err_code cmd_query(struct cli *c, struct err *e) {
    struct query_run *r = mem_zalloc(1, sizeof *r);
    size_t i;
    enum err_code rc;
    if (!r)
        return err_set(e, ERR_NO_MEMORY, "no memory");
    r->c = c;
    rc = client_load(cli_home(c), &r->client, e);
    if (rc == ERR_OK)
        rc = asking_query(c, &r->client.self->genesis, &r->query, e);
    if (rc == ERR_OK)
        rc = query_check_options(r, e);
    if (rc == ERR_OK)
        rc = asking_channels(c, r->client.self, r->channels, &r->channel_count, e);
    if (rc == ERR_OK)
        rc = client_reach(&r->client, CLIENT_CONNECT_MS, e);
    if (rc == ERR_OK && (cli_flag(c, "count") || cli_opt(c, "histogram"))) {
        rc = query_counts(r, e);
    } else if (rc == ERR_OK) {
        for (i = 0; i < r->channel_count && rc == ERR_OK; i++)
            rc = query_channel(r, r->channels[i], e);
        if (rc == ERR_OK && r->count)
            qsort(r->found, r->count, sizeof *r->found, r->query.oldest ? query_oldest : query_newest);
        if (rc == ERR_OK)
            rc = c->json ? query_json(r, e) : query_print(r, e);
    }
    if (rc == ERR_OK && r->failed)
        rc = err_set(e, ERR_PROOF, "%llu of the proofs do not hold", (unsigned long long)r->failed);
    client_close(&r->client);
    for (i = 0; i < r->page_count; i++)
        buf_release(&r->pages[i]);
    mem_free(r->pages);
    mem_free(r->found);
    mem_free(r);
    return rc;
}
