/* genesis/genesis_show.c -- see genesis_show.h. */
#include "genesis/genesis_show.h"

#include "wire/pack.h"

#include <stdio.h>
#include <time.h>
#include <utf8proc.h>

enum { SHOW_COLUMNS = 6, SHOW_ROWS = 4096 };

/* ---- a small table: cells are measured once, written once ---- */

static size_t genesis_cells(struct slice s) {
    size_t at = 0, cells = 0;
    while (at < s.len) {
        utf8proc_int32_t code;
        utf8proc_ssize_t n = utf8proc_iterate(s.ptr + at, (utf8proc_ssize_t)(s.len - at), &code);
        int width = n > 0 ? utf8proc_charwidth(code) : 0;
        if (n <= 0 || code < 0x20 || code == 0x7f)
            cells += 4; /* \xNN */
        else
            cells += width > 0 ? (size_t)width : 0;
        at += n > 0 ? (size_t)n : 1;
    }
    return cells;
}

/* Nobody's name moves the cursor of a reader's terminal. */
static void genesis_put(struct buf *out, struct slice s) {
    size_t i;
    for (i = 0; i < s.len; i++) {
        if (s.ptr[i] < 0x20 || s.ptr[i] == 0x7f)
            buf_printf(out, "\\x%02x", s.ptr[i]);
        else if (s.ptr[i] == 0xc2 && i + 1 < s.len && s.ptr[i + 1] < 0xa0) /* C1 control characters */
            buf_printf(out, "\\x%02x", s.ptr[++i]);
        else
            buf_u8(out, s.ptr[i]);
    }
}

typedef void (*genesis_row)(const void *ctx, uint32_t row, struct slice cells[SHOW_COLUMNS], struct buf *scratch);

/* Prints `rows` rows; row SHOW_HEAD is the heading. Cells may live in scratch, which each call clears. */
#define SHOW_HEAD UINT32_MAX
static void genesis_table(struct buf *out, const void *ctx, genesis_row get, uint32_t rows, size_t columns) {
    size_t width[SHOW_COLUMNS] = {0}, c;
    struct slice cells[SHOW_COLUMNS];
    struct buf scratch;
    uint32_t r;
    buf_init(&scratch, 1 << 20);
    for (r = 0; r <= rows; r++) {
        buf_clear(&scratch);
        get(ctx, r == 0 ? SHOW_HEAD : r - 1, cells, &scratch);
        for (c = 0; c < columns; c++)
            if (genesis_cells(cells[c]) > width[c])
                width[c] = genesis_cells(cells[c]);
    }
    for (r = 0; r <= rows; r++) {
        buf_clear(&scratch);
        get(ctx, r == 0 ? SHOW_HEAD : r - 1, cells, &scratch);
        for (c = 0; c < columns; c++) {
            buf_str(out, "  ");
            genesis_put(out, cells[c]);
            if (c + 1 < columns)
                buf_printf(out, "%*s", (int)(width[c] - genesis_cells(cells[c])), "");
        }
        buf_str(out, "\n");
    }
    buf_release(&scratch);
}

static void genesis_head(struct slice cells[SHOW_COLUMNS], const char *const *names, size_t count) {
    size_t i;
    for (i = 0; i < count; i++)
        cells[i] = slice_str(names[i]);
}

static struct slice genesis_or(struct slice s, const char *other) {
    return s.len ? s : slice_str(other);
}

/* ---- tables ---- */

static bool genesis_signed_by(const struct genesis *g, struct slice org) {
    const struct genesis_signature *s = g->signatures.items;
    uint32_t i;
    for (i = 0; i < g->signatures.count; i++)
        if (slice_eq(s[i].org, org))
            return true;
    return false;
}

static void genesis_row_org(const void *ctx, uint32_t row, struct slice cells[SHOW_COLUMNS], struct buf *scratch) {
    static const char *const head[] = {"organisation", "role", "affiliate of", "signed", "name"};
    const struct genesis *g = ctx;
    const struct genesis_org *o = genesis_org_at(g, row);
    (void)scratch;
    if (!o) {
        genesis_head(cells, head, 5);
        return;
    }
    cells[0] = o->id;
    cells[1] = slice_str(genesis_role_names[o->role]);
    cells[2] = genesis_or(o->affiliate_of, "-");
    cells[3] = slice_str(genesis_signed_by(g, o->id) ? "yes" : "no");
    cells[4] = o->name;
}

static void genesis_row_node(const void *ctx, uint32_t row, struct slice cells[SHOW_COLUMNS], struct buf *scratch) {
    static const char *const head[] = {"node", "organisation", "address", "submit key", "unit"};
    const struct genesis_node *n = genesis_node_at(ctx, row);
    size_t i;
    if (!n) {
        genesis_head(cells, head, 5);
        return;
    }
    for (i = 0; i < 8; i++)
        buf_printf(scratch, "%02x", n->submit[i]);
    cells[0] = n->id;
    cells[1] = n->org;
    cells[2] = n->address;
    cells[3] = buf_slice(scratch);
    cells[4] = genesis_or(n->unit, "-");
}

struct genesis_powers_ctx {
    struct genesis_power rows[LIMIT_VALIDATORS];
    struct quorum q;
};

static void genesis_row_power(const void *ctx, uint32_t row, struct slice cells[SHOW_COLUMNS], struct buf *scratch) {
    static const char *const head[] = {"alone", "seats", "could halt it", "could fork it"};
    const struct genesis_powers_ctx *p = ctx;
    if (row == SHOW_HEAD) {
        genesis_head(cells, head, 4);
        return;
    }
    buf_printf(scratch, "%u of %u", p->rows[row].seats, p->q.n);
    cells[0] = p->rows[row].org->id;
    cells[1] = buf_slice(scratch);
    cells[2] = slice_str(p->rows[row].can_halt ? "yes" : "no");
    cells[3] = slice_str(p->rows[row].can_fork ? "YES" : "no");
}

static void genesis_list(struct buf *out, const char *label, const struct schema_list *ids) {
    const struct slice *s = ids->items;
    uint32_t i;
    if (ids->count == 0)
        return;
    buf_printf(out, "  %s", label);
    for (i = 0; i < ids->count; i++)
        buf_printf(out, "%s%.*s", i ? ", " : "", SLICE_ARG(s[i]));
    buf_str(out, "\n");
}

void genesis_show_powers(const struct genesis_body *b, const struct genesis_channel *c, struct buf *out) {
    struct genesis_powers_ctx p;
    uint32_t rows = genesis_check_powers(b, c, p.rows);
    p.q = genesis_check_quorum(c);
    buf_printf(out,
               "channel %.*s%s: %u validators, %u signatures finalize, at least %u of them regulators'; up to %u may "
               "lie\n",
               SLICE_ARG(c->name), c->parent ? " (the parent)" : "", p.q.n, p.q.q, p.q.k, p.q.f);
    genesis_table(out, &p, genesis_row_power, rows, 4);
}

static void genesis_time(int64_t ms, char out[32]) {
    time_t s = (time_t)(ms / 1000);
    struct tm tm;
    if (!gmtime_r(&s, &tm) || strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        snprintf(out, 32, "%lld ms", (long long)ms);
}

void genesis_show_text(const struct genesis *g, struct buf *out) {
    char hex[DIGEST_HEX], when[32];
    uint32_t i;
    genesis_time(g->body.created, when);
    buf_printf(out, "network      %.*s\nfingerprint  %s\nfounded      %s\n\n", SLICE_ARG(g->body.network),
               digest_hex(&g->id, hex), when);
    genesis_table(out, g, genesis_row_org, g->body.orgs.count, 5);
    buf_str(out, "\n");
    genesis_table(out, g, genesis_row_node, g->body.nodes.count, 5);
    for (i = 0; i < g->body.channels.count; i++) {
        const struct genesis_channel *c = genesis_channel_at(g, i);
        struct digest id = genesis_channel_id(g, c);
        buf_str(out, "\n");
        genesis_show_powers(&g->body, c, out);
        buf_printf(out, "  id          %s\n", digest_hex(&id, hex));
        genesis_list(out, "validators  ", &c->validators);
        genesis_list(out, "members     ", &c->members);
    }
}

/* ---- canonical msgpack; keys in ascending order ---- */

static void genesis_pack_hex(struct buf *out, const char *key, const uint8_t *bytes, size_t len) {
    char text[2 * SIGN_SIZE + 1] = "";
    size_t i;
    for (i = 0; i < len && i < SIGN_SIZE; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    pack_cstr(out, key);
    pack_cstr(out, text);
}

static void genesis_pack_str(struct buf *out, const char *key, struct slice s) {
    pack_cstr(out, key);
    pack_str(out, s);
}

static void genesis_pack_ids(struct buf *out, const char *key, const struct schema_list *ids) {
    const struct slice *s = ids->items;
    uint32_t i;
    pack_cstr(out, key);
    pack_array(out, ids->count);
    for (i = 0; i < ids->count; i++)
        pack_str(out, s[i]);
}

static void genesis_pack_u64(struct buf *out, const char *key, uint64_t v) {
    pack_cstr(out, key);
    pack_u64(out, v);
}

static void genesis_pack_channel(const struct genesis *g, const struct genesis_channel *c, struct buf *out) {
    struct genesis_power rows[LIMIT_VALIDATORS];
    uint32_t count = genesis_check_powers(&g->body, c, rows), i;
    struct quorum q = genesis_check_quorum(c);
    struct digest id = genesis_channel_id(g, c);
    pack_map(out, 14);
    genesis_pack_u64(out, "anchor_ms", c->anchor_ms);
    genesis_pack_str(out, "commitment", slice_str(genesis_commitment_names[c->commitment]));
    genesis_pack_u64(out, "delta_ms", c->delta_ms);
    genesis_pack_u64(out, "f", q.f);
    genesis_pack_hex(out, "id", id.b, DIGEST_SIZE);
    genesis_pack_u64(out, "k", q.k);
    genesis_pack_ids(out, "members", &c->members);
    genesis_pack_u64(out, "n", q.n);
    genesis_pack_str(out, "name", c->name);
    genesis_pack_str(out, "org", genesis_or(c->org, ""));
    pack_cstr(out, "parent");
    pack_bool(out, c->parent);
    pack_cstr(out, "powers");
    pack_array(out, count);
    for (i = 0; i < count; i++) {
        pack_map(out, 5);
        pack_cstr(out, "can_fork");
        pack_bool(out, rows[i].can_fork);
        pack_cstr(out, "can_halt");
        pack_bool(out, rows[i].can_halt);
        genesis_pack_str(out, "org", rows[i].org->id);
        genesis_pack_u64(out, "regulators", rows[i].regulators);
        genesis_pack_u64(out, "seats", rows[i].seats);
    }
    genesis_pack_u64(out, "q", q.q);
    genesis_pack_ids(out, "validators", &c->validators);
}

static void genesis_pack_org(const struct genesis *g, const struct genesis_org *o, struct buf *out) {
    pack_map(out, 7);
    genesis_pack_str(out, "affiliate_of", genesis_or(o->affiliate_of, ""));
    genesis_pack_str(out, "ca", o->ca);
    genesis_pack_hex(out, "founder", o->founder, GENESIS_KEY_SIZE);
    genesis_pack_str(out, "id", o->id);
    genesis_pack_str(out, "name", o->name);
    genesis_pack_str(out, "role", slice_str(genesis_role_names[o->role]));
    pack_cstr(out, "signed");
    pack_bool(out, genesis_signed_by(g, o->id));
}

static void genesis_pack_node(const struct genesis_node *n, struct buf *out) {
    pack_map(out, 8);
    genesis_pack_str(out, "address", n->address);
    genesis_pack_hex(out, "box", n->box, GENESIS_KEY_SIZE);
    genesis_pack_hex(out, "consensus", n->consensus, GENESIS_KEY_SIZE);
    genesis_pack_str(out, "id", n->id);
    genesis_pack_hex(out, "link", n->link, GENESIS_KEY_SIZE);
    genesis_pack_str(out, "org", n->org);
    genesis_pack_hex(out, "submit", n->submit, GENESIS_KEY_SIZE);
    genesis_pack_str(out, "unit", genesis_or(n->unit, ""));
}

void genesis_show_pack(const struct genesis *g, struct buf *out) {
    uint32_t i;
    pack_map(out, 7);
    pack_cstr(out, "channels");
    pack_array(out, g->body.channels.count);
    for (i = 0; i < g->body.channels.count; i++)
        genesis_pack_channel(g, genesis_channel_at(g, i), out);
    pack_cstr(out, "created");
    pack_i64(out, g->body.created);
    genesis_pack_hex(out, "fingerprint", g->id.b, DIGEST_SIZE);
    genesis_pack_str(out, "network", g->body.network);
    pack_cstr(out, "nodes");
    pack_array(out, g->body.nodes.count);
    for (i = 0; i < g->body.nodes.count; i++)
        genesis_pack_node(genesis_node_at(g, i), out);
    pack_cstr(out, "organisations");
    pack_array(out, g->body.orgs.count);
    for (i = 0; i < g->body.orgs.count; i++)
        genesis_pack_org(g, genesis_org_at(g, i), out);
    genesis_pack_u64(out, "version", g->body.version);
}
