/* genesis/genesis_check.c -- see genesis_check.h. Pure but for one scratch allocation; pairs of ids are compared by
 * sorting or by scans that the file's size bounds. */
#include "genesis/genesis_check.h"

#include "wire/mem.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* One walk: the body, and where a mistake was found. */
struct genesis_walk {
    const struct genesis_body *b;
    const struct genesis_org *orgs;
    const struct genesis_node *nodes;
    const struct genesis_channel *channels;
    char *path;
    struct err *e;
};

static struct genesis_walk genesis_walk_of(const struct genesis_body *b, char *path, struct err *e) {
    if (path)
        path[0] = '\0';
    return (struct genesis_walk){b, b->orgs.items, b->nodes.items, b->channels.items, path, e};
}

/* Says where: genesis_at(w, "channels[%u].k", i). Gives the walk back for WRONG. */
static struct genesis_walk *genesis_at(struct genesis_walk *w, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static struct genesis_walk *genesis_at(struct genesis_walk *w, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    if (w->path)
        vsnprintf(w->path, GENESIS_PATH, fmt, ap);
    va_end(ap);
    return w;
}

#define WRONG(at, ...) err_set((at)->e, ERR_CONFIG, __VA_ARGS__)

/* ---- small ones ---- */

bool genesis_check_name(struct slice id) {
    size_t i;
    if (id.len < 1 || id.len > LIMIT_NAME || id.ptr[0] == '-')
        return false;
    for (i = 0; i < id.len; i++) {
        uint8_t c = id.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
            return false;
    }
    return true;
}

bool genesis_check_address(struct slice address) {
    size_t at = address.len, i;
    unsigned port = 0;
    bool six;
    while (at > 0 && address.ptr[at - 1] != ':')
        at--;
    if (at < 2 || at - 1 > 255 || address.len - at < 1 || address.len - at > 5 || address.ptr[at] == '0')
        return false;
    for (i = at; i < address.len; i++) {
        if (address.ptr[i] < '0' || address.ptr[i] > '9')
            return false;
        port = port * 10 + (unsigned)(address.ptr[i] - '0');
    }
    six = address.ptr[0] == '[';
    if (six && (at < 5 || address.ptr[at - 2] != ']'))
        return false;
    for (i = six ? 1 : 0; i < (six ? at - 2 : at - 1); i++) {
        uint8_t c = address.ptr[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!alnum && c != '.' && !(six ? c == ':' || c == '%' : c == '-' || c == '_'))
            return false;
    }
    return port <= 65535;
}

int genesis_check_org(const struct genesis_body *b, struct slice id) {
    const struct genesis_org *o = b->orgs.items;
    uint32_t i;
    for (i = 0; i < b->orgs.count; i++)
        if (slice_eq(o[i].id, id))
            return (int)i;
    return -1;
}

int genesis_check_node(const struct genesis_body *b, struct slice id) {
    const struct genesis_node *n = b->nodes.items;
    uint32_t i;
    for (i = 0; i < b->nodes.count; i++)
        if (slice_eq(n[i].id, id))
            return (int)i;
    return -1;
}

/* The controlling organisation of one that passed C1 and C2. */
static uint32_t genesis_root(const struct genesis_body *b, uint32_t org) {
    const struct genesis_org *o = b->orgs.items;
    uint32_t steps;
    for (steps = 0; steps <= b->orgs.count && o[org].affiliate_of.len; steps++) {
        int up = genesis_check_org(b, o[org].affiliate_of);
        if (up < 0)
            break;
        org = (uint32_t)up;
    }
    return org;
}

/* ---- C1, C2, C8: organisations and nodes ---- */

static enum err_code genesis_check_orgs(struct genesis_walk *w) {
    uint32_t i, steps;
    for (i = 0; i < w->b->orgs.count; i++) {
        const struct genesis_org *o = &w->orgs[i];
        uint32_t at = i;
        if (!genesis_check_name(o->id))
            return WRONG(genesis_at(w, "organisations[%u].id", i),
                         "\"%.*s\" is no name: lower-case letters, digits and -", SLICE_ARG(o->id));
        if (genesis_check_org(w->b, o->id) != (int)i)
            return WRONG(genesis_at(w, "organisations[%u].id", i), "organisation \"%.*s\" is there twice",
                         SLICE_ARG(o->id));
        for (steps = 0; w->orgs[at].affiliate_of.len; steps++) {
            int up = genesis_check_org(w->b, w->orgs[at].affiliate_of);
            if (up < 0)
                return WRONG(genesis_at(w, "organisations[%u].affiliate_of", at), "no organisation \"%.*s\"",
                             SLICE_ARG(w->orgs[at].affiliate_of));
            if (steps >= w->b->orgs.count || up == (int)i)
                return WRONG(genesis_at(w, "organisations[%u].affiliate_of", i),
                             "\"%.*s\" is affiliated with itself in a circle", SLICE_ARG(o->id));
            at = (uint32_t)up;
        }
    }
    return ERR_OK;
}

static enum err_code genesis_check_nodes(struct genesis_walk *w) {
    uint32_t i;
    for (i = 0; i < w->b->nodes.count; i++) {
        const struct genesis_node *n = &w->nodes[i];
        if (!genesis_check_name(n->id))
            return WRONG(genesis_at(w, "nodes[%u].id", i), "\"%.*s\" is no name: lower-case letters, digits and -",
                         SLICE_ARG(n->id));
        if (genesis_check_node(w->b, n->id) != (int)i)
            return WRONG(genesis_at(w, "nodes[%u].id", i), "node \"%.*s\" is there twice", SLICE_ARG(n->id));
        if (genesis_check_org(w->b, n->org) < 0)
            return WRONG(genesis_at(w, "nodes[%u].org", i), "no organisation \"%.*s\"", SLICE_ARG(n->org));
    }
    return ERR_OK;
}

static enum err_code genesis_check_addresses(struct genesis_walk *w) {
    uint32_t i, j;
    for (i = 0; i < w->b->nodes.count; i++) {
        struct slice a = w->nodes[i].address;
        if (!genesis_check_address(a))
            return WRONG(genesis_at(w, "nodes[%u].address", i), "\"%.*s\" is no address: host:port or [v6]:port",
                         SLICE_ARG(a));
        for (j = 0; j < i; j++)
            if (slice_eq(w->nodes[j].address, a))
                return WRONG(genesis_at(w, "nodes[%u].address", i), "address %.*s is node \"%.*s\"'s already",
                             SLICE_ARG(a), SLICE_ARG(w->nodes[j].id));
    }
    return ERR_OK;
}

/* ---- C3: keys ---- */

enum genesis_use { USE_FOUNDER, USE_CONSENSUS, USE_SUBMIT, USE_LINK, USE_BOX };
static const char *const genesis_use_names[] = {"founder", "consensus", "submit", "link", "box"};

struct genesis_use_of {
    const uint8_t *key;
    enum genesis_use use;
    uint32_t index; /* of the organisation or node */
};

static int genesis_use_cmp(const void *x, const void *y) {
    const struct genesis_use_of *a = x, *b = y;
    int c = memcmp(a->key, b->key, GENESIS_KEY_SIZE);
    if (c)
        return c;
    return a->use == b->use ? (a->index > b->index) - (a->index < b->index) : (int)a->use - (int)b->use;
}

static struct genesis_walk *genesis_use_at(struct genesis_walk *w, const struct genesis_use_of *u) {
    return genesis_at(w, "%s[%u].%s", u->use == USE_FOUNDER ? "organisations" : "nodes", u->index,
                      genesis_use_names[u->use]);
}

static struct slice genesis_use_owner(const struct genesis_walk *w, const struct genesis_use_of *u) {
    return u->use == USE_FOUNDER ? w->orgs[u->index].id : w->nodes[u->index].id;
}

/* X25519: a small-order point gives the all-zero secret with every scalar, which libsodium refuses. */
static bool genesis_box_ok(const uint8_t key[GENESIS_KEY_SIZE]) {
    static const uint8_t scalar[32] = {1};
    uint8_t shared[32];
    return crypto_scalarmult(shared, scalar, key) == 0;
}

static enum err_code genesis_check_key(struct genesis_walk *w, const struct genesis_use_of *u) {
    struct sign_public pub;
    memcpy(pub.b, u->key, sizeof pub.b);
    if (u->use == USE_BOX ? genesis_box_ok(u->key) : sign_public_ok(&pub))
        return ERR_OK;
    return WRONG(genesis_use_at(w, u),
                 "the %s key of \"%.*s\" is no sound public key (small order or not on the curve)",
                 genesis_use_names[u->use], SLICE_ARG(genesis_use_owner(w, u)));
}

static enum err_code genesis_check_keys(struct genesis_walk *w) {
    size_t count = w->b->orgs.count + (size_t)w->b->nodes.count * 4, n = 0, i;
    struct genesis_use_of *all = mem_zalloc(count + 1, sizeof *all);
    enum err_code rc = ERR_OK;
    uint32_t j;
    if (!all)
        return err_set(w->e, ERR_NO_MEMORY, "no memory");
    for (j = 0; j < w->b->orgs.count; j++)
        all[n++] = (struct genesis_use_of){w->orgs[j].founder, USE_FOUNDER, j};
    for (j = 0; j < w->b->nodes.count; j++) {
        all[n++] = (struct genesis_use_of){w->nodes[j].consensus, USE_CONSENSUS, j};
        all[n++] = (struct genesis_use_of){w->nodes[j].submit, USE_SUBMIT, j};
        all[n++] = (struct genesis_use_of){w->nodes[j].link, USE_LINK, j};
        all[n++] = (struct genesis_use_of){w->nodes[j].box, USE_BOX, j};
    }
    for (i = 0; i < n && rc == ERR_OK; i++)
        rc = genesis_check_key(w, &all[i]);
    qsort(all, n, sizeof *all, genesis_use_cmp);
    for (i = 1; i < n && rc == ERR_OK; i++)
        if (memcmp(all[i - 1].key, all[i].key, GENESIS_KEY_SIZE) == 0)
            rc = WRONG(genesis_use_at(w, &all[i]),
                       "the %s key of \"%.*s\" is the %s key of \"%.*s\" too; each key has one use",
                       genesis_use_names[all[i].use], SLICE_ARG(genesis_use_owner(w, &all[i])),
                       genesis_use_names[all[i - 1].use], SLICE_ARG(genesis_use_owner(w, &all[i - 1])));
    mem_free(all);
    return rc;
}

static enum err_code genesis_check_cas(struct genesis_walk *w) {
    uint32_t i, j;
    for (i = 0; i < w->b->orgs.count; i++)
        for (j = 0; j < i; j++)
            if (slice_eq(w->orgs[i].ca, w->orgs[j].ca))
                return WRONG(genesis_at(w, "organisations[%u].ca", i), "\"%.*s\" has the CA certificate of \"%.*s\"",
                             SLICE_ARG(w->orgs[i].id), SLICE_ARG(w->orgs[j].id));
    return ERR_OK;
}

/* ---- C4..C7: channels ---- */

struct quorum genesis_check_quorum(const struct genesis_channel *c) {
    struct quorum q;
    struct err e;
    if (quorum_make(c->validators.count, (uint32_t)c->k, &q, &e) != ERR_OK)
        memset(&q, 0, sizeof q);
    return q;
}

/* Fills quorum.h's seats; group = index of the controlling organisation. */
static void genesis_quorum_seats(const struct genesis_body *b, const struct genesis_channel *c,
                                 struct quorum_seat out[LIMIT_VALIDATORS]) {
    const struct genesis_org *orgs = b->orgs.items;
    const struct genesis_node *nodes = b->nodes.items;
    const struct slice *ids = c->validators.items;
    uint32_t i;
    for (i = 0; i < c->validators.count && i < LIMIT_VALIDATORS; i++) {
        int node = genesis_check_node(b, ids[i]);
        int org = node < 0 ? -1 : genesis_check_org(b, nodes[node].org);
        ERR_ASSERT(org >= 0);
        out[i].org = (uint32_t)org;
        out[i].group = genesis_root(b, (uint32_t)org);
        out[i].regulator = orgs[org].role == GENESIS_REGULATOR;
    }
}

uint32_t genesis_check_powers(const struct genesis_body *b, const struct genesis_channel *c,
                              struct genesis_power out[LIMIT_VALIDATORS]) {
    const struct genesis_org *orgs = b->orgs.items;
    struct quorum q = genesis_check_quorum(c);
    struct quorum_seat seats[LIMIT_VALIDATORS];
    struct quorum_power rows[LIMIT_VALIDATORS];
    uint32_t i, count;
    if (q.n == 0)
        return 0;
    genesis_quorum_seats(b, c, seats);
    count = quorum_analyse(&q, seats, rows);
    for (i = 0; i < count; i++)
        out[i] = (struct genesis_power){&orgs[rows[i].group], rows[i].seats, rows[i].regulators, rows[i].can_halt,
                                        rows[i].can_fork};
    return count;
}

static enum err_code genesis_check_place(struct genesis_walk *w, uint32_t i, const char *list, uint32_t at,
                                         struct slice id) {
    const struct genesis_channel *c = &w->channels[i];
    int node = genesis_check_node(w->b, id), org, own;
    if (node < 0)
        return WRONG(genesis_at(w, "channels[%u].%s[%u]", i, list, at), "no node \"%.*s\"", SLICE_ARG(id));
    org = genesis_check_org(w->b, w->nodes[node].org);
    own = genesis_check_org(w->b, c->org);
    if (c->parent || w->orgs[org].role == GENESIS_REGULATOR ||
        (own >= 0 && genesis_root(w->b, (uint32_t)org) == genesis_root(w->b, (uint32_t)own)))
        return ERR_OK;
    return WRONG(genesis_at(w, "channels[%u].%s[%u]", i, list, at),
                 "node \"%.*s\" is of \"%.*s\", which is neither a regulator nor an affiliate of \"%.*s\", whose "
                 "channel this is",
                 SLICE_ARG(id), SLICE_ARG(w->orgs[org].id), SLICE_ARG(c->org));
}

static int genesis_id_cmp(const void *x, const void *y) {
    return slice_cmp(*(const struct slice *)x, *(const struct slice *)y);
}

/* Validators and members: known, allowed, none twice. */
static enum err_code genesis_check_places(struct genesis_walk *w, uint32_t i) {
    const struct genesis_channel *c = &w->channels[i];
    const struct slice *v = c->validators.items, *m = c->members.items;
    struct slice all[LIMIT_MEMBERS];
    size_t n = (size_t)c->validators.count + c->members.count, at;
    enum err_code rc = ERR_OK;
    uint32_t j;
    if (n > LIMIT_MEMBERS)
        return WRONG(genesis_at(w, "channels[%u].members", i), "%zu nodes, at most %d are allowed", n, LIMIT_MEMBERS);
    for (j = 0; j < c->validators.count && rc == ERR_OK; j++) {
        all[j] = v[j];
        rc = genesis_check_place(w, i, "validators", j, v[j]);
    }
    for (j = 0; j < c->members.count && rc == ERR_OK; j++) {
        all[c->validators.count + j] = m[j];
        rc = genesis_check_place(w, i, "members", j, m[j]);
    }
    if (rc != ERR_OK || n < 2)
        return rc;
    qsort(all, n, sizeof *all, genesis_id_cmp);
    for (at = 1; at < n; at++)
        if (slice_eq(all[at - 1], all[at]))
            return WRONG(genesis_at(w, "channels[%u]", i), "node \"%.*s\" is there twice", SLICE_ARG(all[at]));
    if (c->parent && n != w->b->nodes.count)
        return WRONG(genesis_at(w, "channels[%u]", i), "the parent holds every node: %u nodes, but only %zu here",
                     w->b->nodes.count, n);
    return ERR_OK;
}

static enum err_code genesis_check_enterprise(struct genesis_walk *w, uint32_t i) {
    const struct genesis_channel *c = &w->channels[i];
    int own = genesis_check_org(w->b, c->org);
    if (c->parent)
        return c->org.len == 0 ? ERR_OK
                               : WRONG(genesis_at(w, "channels[%u].org", i), "the parent is no organisation's channel");
    if (c->org.len == 0)
        return WRONG(genesis_at(w, "channels[%u]", i), "\"org\" is missing: whose channel is this?");
    if (own < 0 || w->orgs[own].role != GENESIS_ENTERPRISE)
        return WRONG(genesis_at(w, "channels[%u].org", i), "no enterprise \"%.*s\"", SLICE_ARG(c->org));
    if (c->anchor_ms == 0)
        return WRONG(genesis_at(w, "channels[%u]", i), "\"anchor_ms\" is missing: the pace of anchors on the parent");
    return ERR_OK;
}

/* C5, C6, C7: the seats. */
static enum err_code genesis_check_seats(struct genesis_walk *w, uint32_t i) {
    const struct genesis_channel *c = &w->channels[i];
    struct quorum_seat seats[LIMIT_VALIDATORS];
    struct genesis_power powers[LIMIT_VALIDATORS];
    struct quorum q;
    struct err why;
    uint32_t regulators = 0, j, rows;
    if (c->validators.count < LIMIT_VALIDATORS_MIN || c->validators.count > LIMIT_VALIDATORS)
        return WRONG(genesis_at(w, "channels[%u].validators", i), "%u validators; a channel has %d to %d",
                     c->validators.count, LIMIT_VALIDATORS_MIN, LIMIT_VALIDATORS);
    genesis_quorum_seats(w->b, c, seats);
    for (j = 0; j < c->validators.count; j++)
        regulators += seats[j].regulator;
    if (regulators == 0)
        return WRONG(genesis_at(w, "channels[%u].validators", i), "no regulator among the validators");
    if (c->k > regulators)
        return WRONG(genesis_at(w, "channels[%u].k", i), "k is %llu, but only %u validators are regulators",
                     (unsigned long long)c->k, regulators);
    if (quorum_make(c->validators.count, (uint32_t)c->k, &q, &why) == ERR_OK && quorum_check(&q, seats, &why) == ERR_OK)
        return ERR_OK;
    rows = genesis_check_powers(w->b, c, powers);
    for (j = 0; j < rows; j++) {
        uint32_t enough = q.n - q.q + 1 + powers[j].regulators;
        char cure[32] = "";
        if (powers[j].seats <= q.f)
            continue;
        if (enough <= regulators)
            snprintf(cure, sizeof cure, ", or k of at least %u", enough);
        return WRONG(genesis_at(w, "channels[%u].k", i),
                     "\"%.*s\" with its affiliates could fork this channel: it holds %u of %u seats, more than f = %u, "
                     "and k is %llu; give it fewer seats%s",
                     SLICE_ARG(powers[j].org->id), powers[j].seats, q.n, q.f, (unsigned long long)c->k, cure);
    }
    return WRONG(genesis_at(w, "channels[%u]", i), "%s", why.text);
}

static enum err_code genesis_check_channels(struct genesis_walk *w) {
    uint32_t i, j, parents = 0;
    enum err_code rc;
    for (i = 0; i < w->b->channels.count; i++) {
        const struct genesis_channel *c = &w->channels[i];
        if (!genesis_check_name(c->name))
            return WRONG(genesis_at(w, "channels[%u].name", i), "\"%.*s\" is no name: lower-case letters, digits and -",
                         SLICE_ARG(c->name));
        for (j = 0; j < i; j++)
            if (slice_eq(w->channels[j].name, c->name))
                return WRONG(genesis_at(w, "channels[%u].name", i), "channel \"%.*s\" is there twice",
                             SLICE_ARG(c->name));
        if (c->parent && ++parents > 1)
            return WRONG(genesis_at(w, "channels[%u].parent", i), "a second parent; there is exactly one");
        if ((rc = genesis_check_enterprise(w, i)) != ERR_OK || (rc = genesis_check_places(w, i)) != ERR_OK ||
            (rc = genesis_check_seats(w, i)) != ERR_OK)
            return rc;
    }
    if (parents == 0)
        return WRONG(genesis_at(w, "channels"), "no parent: one channel has \"parent: true\"");
    return ERR_OK;
}

enum err_code genesis_check_plan(const struct genesis_body *b, char path[GENESIS_PATH], struct err *e) {
    struct genesis_walk w = genesis_walk_of(b, path, e);
    enum err_code rc;
    if (!genesis_check_name(b->network))
        return WRONG(genesis_at(&w, "network"), "\"%.*s\" is no name: lower-case letters, digits and -",
                     SLICE_ARG(b->network));
    if ((rc = genesis_check_orgs(&w)) != ERR_OK || (rc = genesis_check_nodes(&w)) != ERR_OK)
        return rc;
    return genesis_check_channels(&w);
}

enum err_code genesis_check(const struct genesis_body *b, char path[GENESIS_PATH], struct err *e) {
    struct genesis_walk w = genesis_walk_of(b, path, e);
    enum err_code rc = genesis_check_plan(b, path, e);
    if (rc == ERR_OK)
        rc = genesis_check_addresses(&w);
    if (rc == ERR_OK)
        rc = genesis_check_cas(&w);
    return rc == ERR_OK ? genesis_check_keys(&w) : rc;
}
