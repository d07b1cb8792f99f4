/* genesis/genesis.c -- see genesis.h. The tables and the file; the rules are in genesis_check.c. */
#include "genesis/genesis.h"

#include "genesis/genesis_check.h"
#include "wire/mem.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>

enum { GENESIS_ARENA = 64 << 20, GENESIS_CA = 8192 };

static const char genesis_tag[] = "assay/genesis/v1";

const char *const genesis_role_names[] = {NULL, "enterprise", "regulator", "operator", NULL};
const char *const genesis_commitment_names[] = {NULL, "salted", "plain", NULL};

#define AT(type, member) .offset = offsetof(struct type, member)
#define OPTIONAL         .flags = SCHEMA_OPTIONAL
#define ID               .min = 1, .max = LIMIT_NAME
#define KEY              .max = GENESIS_KEY_SIZE

static const struct schema_field org_fields[] = {
    {.key = "affiliate_of", .type = SCHEMA_STR, OPTIONAL, AT(genesis_org, affiliate_of), .max = LIMIT_NAME},
    {.key = "ca", .type = SCHEMA_STR, AT(genesis_org, ca), .min = 1, .max = GENESIS_CA},
    {.key = "founder", .type = SCHEMA_FIXED, AT(genesis_org, founder), KEY},
    {.key = "id", .type = SCHEMA_STR, AT(genesis_org, id), ID},
    {.key = "name", .type = SCHEMA_STR, AT(genesis_org, name), .min = 1, .max = 256},
    {.key = "role", .type = SCHEMA_ENUM, AT(genesis_org, role), .names = genesis_role_names},
};
static const struct schema org_schema = SCHEMA_OF("organisation", struct genesis_org, org_fields);

static const struct schema_field node_fields[] = {
    {.key = "address", .type = SCHEMA_STR, AT(genesis_node, address), .min = 1, .max = 262},
    {.key = "box", .type = SCHEMA_FIXED, AT(genesis_node, box), KEY},
    {.key = "consensus", .type = SCHEMA_FIXED, AT(genesis_node, consensus), KEY},
    {.key = "id", .type = SCHEMA_STR, AT(genesis_node, id), ID},
    {.key = "link", .type = SCHEMA_FIXED, AT(genesis_node, link), KEY},
    {.key = "org", .type = SCHEMA_STR, AT(genesis_node, org), ID},
    {.key = "submit", .type = SCHEMA_FIXED, AT(genesis_node, submit), KEY},
    {.key = "unit", .type = SCHEMA_STR, OPTIONAL, AT(genesis_node, unit), .max = 64},
};
static const struct schema node_schema = SCHEMA_OF("node", struct genesis_node, node_fields);

static const struct schema_field channel_fields[] = {
    {.key = "anchor_ms", .type = SCHEMA_U64, OPTIONAL, AT(genesis_channel, anchor_ms), .max = 86400000},
    {.key = "commitment", .type = SCHEMA_ENUM, AT(genesis_channel, commitment), .names = genesis_commitment_names},
    {.key = "delta_ms", .type = SCHEMA_U64, AT(genesis_channel, delta_ms), .min = 10, .max = 60000},
    {.key = "k", .type = SCHEMA_U64, OPTIONAL, AT(genesis_channel, k), .max = LIMIT_VALIDATORS},
    {.key = "members",
     .type = SCHEMA_STRS,
     OPTIONAL,
     AT(genesis_channel, members),
     .max = LIMIT_MEMBERS,
     .item_max = LIMIT_NAME},
    {.key = "name", .type = SCHEMA_STR, AT(genesis_channel, name), ID},
    {.key = "org", .type = SCHEMA_STR, OPTIONAL, AT(genesis_channel, org), .max = LIMIT_NAME},
    {.key = "parent", .type = SCHEMA_BOOL, OPTIONAL, AT(genesis_channel, parent)},
    {.key = "validators",
     .type = SCHEMA_STRS,
     AT(genesis_channel, validators),
     .min = 1,
     .max = LIMIT_MEMBERS,
     .item_max = LIMIT_NAME},
};
static const struct schema channel_schema = SCHEMA_OF("channel", struct genesis_channel, channel_fields);

static const struct schema_field body_fields[] = {
    {.key = "channels",
     .type = SCHEMA_LIST,
     AT(genesis_body, channels),
     .min = 1,
     .max = LIMIT_CHANNELS,
     .sub = &channel_schema},
    {.key = "created", .type = SCHEMA_I64, AT(genesis_body, created)},
    {.key = "network", .type = SCHEMA_STR, AT(genesis_body, network), ID},
    {.key = "nodes", .type = SCHEMA_LIST, AT(genesis_body, nodes), .min = 1, .max = LIMIT_NODES, .sub = &node_schema},
    {.key = "organisations",
     .type = SCHEMA_LIST,
     AT(genesis_body, orgs),
     .min = 1,
     .max = LIMIT_ORGS,
     .sub = &org_schema},
    {.key = "version", .type = SCHEMA_U64, AT(genesis_body, version), .min = 1},
};
const struct schema genesis_body_schema = SCHEMA_OF("genesis", struct genesis_body, body_fields);

static const struct schema_field signature_fields[] = {
    {.key = "org", .type = SCHEMA_STR, AT(genesis_signature, org), ID},
    {.key = "sig", .type = SCHEMA_FIXED, AT(genesis_signature, sig), .max = SIGN_SIZE},
};
static const struct schema signature_schema = SCHEMA_OF("signature", struct genesis_signature, signature_fields);

static const struct schema_field file_fields[] = {
    {.key = "body", .type = SCHEMA_RAW, AT(genesis_file, body), .min = 1, .max = GENESIS_SIZE},
    {.key = "signatures",
     .type = SCHEMA_LIST,
     OPTIONAL,
     AT(genesis_file, signatures),
     .max = LIMIT_ORGS,
     .sub = &signature_schema},
};
const struct schema genesis_file_schema = SCHEMA_OF("genesis.assay", struct genesis_file, file_fields);

/* ---- reading ---- */

static enum err_code genesis_decode(struct genesis *g, struct err *e) {
    struct genesis_file file;
    char path[GENESIS_PATH];
    enum err_code rc = schema_read(&genesis_file_schema, g->bytes, &g->arena, &file, e);
    if (rc == ERR_OK)
        rc = schema_read(&genesis_body_schema, file.body, &g->arena, &g->body, e);
    if (rc != ERR_OK)
        return rc;
    if (g->body.version != GENESIS_VERSION)
        return err_set(e, ERR_UNSUPPORTED, "genesis of version %llu; this program reads version %d",
                       (unsigned long long)g->body.version, GENESIS_VERSION);
    g->body_bytes = file.body;
    g->signatures = file.signatures;
    g->id = genesis_fingerprint(file.body);
    rc = genesis_check(&g->body, path, e);
    if (rc == ERR_CONFIG && path[0])
        rc = err_wrap(e, "%s", path);
    return rc;
}

enum err_code genesis_parse(struct slice bytes, struct genesis *g, struct err *e) {
    enum err_code rc;
    memset(g, 0, sizeof *g);
    arena_init(&g->arena, GENESIS_ARENA);
    if (bytes.len > GENESIS_SIZE)
        return err_set(e, ERR_TOO_LARGE, "genesis: more than %d bytes", GENESIS_SIZE);
    g->bytes = arena_copy(&g->arena, slice_of(bytes.ptr ? bytes.ptr : (const uint8_t *)"", bytes.len));
    if (!g->bytes.ptr)
        return err_set(e, ERR_NO_MEMORY, "genesis: no memory");
    rc = genesis_decode(g, e);
    if (rc != ERR_OK)
        genesis_release(g);
    return rc;
}

/* What a founder signs: tag, NUL, body. */
static void genesis_signed(struct slice body, struct buf *out) {
    buf_init(out, GENESIS_SIZE + sizeof genesis_tag);
    buf_bytes(out, genesis_tag, sizeof genesis_tag);
    buf_append(out, body);
}

static const struct genesis_signature *genesis_signature_find(const struct schema_list *list, struct slice org) {
    const struct genesis_signature *s = list->items;
    uint32_t i;
    for (i = 0; i < list->count; i++)
        if (slice_eq(s[i].org, org))
            return &s[i];
    return NULL;
}

static enum err_code genesis_verify_one(const struct genesis *g, const struct genesis_org *org, struct slice message,
                                        struct err *e) {
    const struct genesis_signature *s = genesis_signature_find(&g->signatures, org->id);
    struct sign_public key;
    struct sign_signature sig;
    if (!s)
        return err_set(e, ERR_BAD_SIGNATURE, "the founder of \"%.*s\" has not signed this genesis", SLICE_ARG(org->id));
    memcpy(key.b, org->founder, sizeof key.b);
    memcpy(sig.b, s->sig, sizeof sig.b);
    if (!sign_verify(&key, message, &sig))
        return err_set(e, ERR_BAD_SIGNATURE, "the signature of the founder of \"%.*s\" is wrong", SLICE_ARG(org->id));
    return ERR_OK;
}

enum err_code genesis_verify(const struct genesis *g, struct err *e) {
    const struct genesis_signature *s = g->signatures.items;
    const struct genesis_org *orgs = g->body.orgs.items;
    struct buf message;
    enum err_code rc;
    uint32_t i;
    genesis_signed(g->body_bytes, &message);
    rc = buf_check(&message, e);
    for (i = 0; i < g->body.orgs.count && rc == ERR_OK; i++)
        rc = genesis_verify_one(g, &orgs[i], buf_slice(&message), e);
    buf_release(&message);
    if (rc != ERR_OK)
        return rc;
    if (g->signatures.count != g->body.orgs.count)
        return err_set(e, ERR_MALFORMED, "genesis: %u signatures for %u organisations", g->signatures.count,
                       g->body.orgs.count);
    for (i = 0; i < g->signatures.count; i++)
        if (!slice_eq(s[i].org, orgs[i].id))
            return err_set(e, ERR_MALFORMED, "genesis: the signatures are not in the organisations' order");
    return ERR_OK;
}

enum err_code genesis_read(struct slice bytes, struct genesis *g, struct err *e) {
    enum err_code rc = genesis_parse(bytes, g, e);
    if (rc != ERR_OK)
        return rc;
    rc = genesis_verify(g, e);
    if (rc != ERR_OK)
        genesis_release(g);
    return rc;
}

enum err_code genesis_read_file(const char *path, struct genesis *g, struct err *e) {
    struct buf b;
    enum err_code rc = genesis_load(path, &b, e);
    memset(g, 0, sizeof *g);
    if (rc == ERR_OK && (rc = genesis_read(buf_slice(&b), g, e)) != ERR_OK)
        rc = err_wrap(e, "%s", path);
    buf_release(&b);
    return rc;
}

enum err_code genesis_load(const char *path, struct buf *out, struct err *e) {
    FILE *f = fopen(path, "rb");
    size_t got = 1;
    enum err_code rc;
    buf_init(out, GENESIS_SIZE);
    if (!f)
        return errno == ENOENT ? err_set(e, ERR_NOT_FOUND, "%s: no such file", path) : err_errno(e, "%s", path);
    while (got > 0 && !out->failed) {
        uint8_t part[4096];
        got = fread(part, 1, sizeof part, f);
        buf_bytes(out, part, got);
    }
    rc = ferror(f) ? err_errno(e, "%s", path) : buf_check(out, e);
    fclose(f);
    return rc;
}

void genesis_release(struct genesis *g) {
    arena_release(&g->arena);
    memset(g, 0, sizeof *g);
}

/* ---- making ---- */

struct digest genesis_fingerprint(struct slice body) {
    return digest_tagged(genesis_tag, body);
}

enum err_code genesis_write(struct slice body, const struct schema_list *signatures, struct buf *out, struct err *e) {
    struct genesis_file file = {.body = body};
    if (signatures)
        file.signatures = *signatures;
    schema_write(&genesis_file_schema, &file, out);
    return buf_check(out, e);
}

static enum err_code genesis_add(const struct genesis *g, const struct genesis_org *org,
                                 const struct sign_secret *founder, struct buf *out, struct err *e) {
    struct genesis_signature *sigs = mem_zalloc(g->body.orgs.count, sizeof *sigs);
    struct schema_list list = {sigs, 0};
    struct buf message;
    struct sign_signature sig;
    enum err_code rc;
    uint32_t i;
    if (!sigs)
        return err_set(e, ERR_NO_MEMORY, "no memory");
    genesis_signed(g->body_bytes, &message);
    rc = buf_check(&message, e);
    for (i = 0; i < g->body.orgs.count && rc == ERR_OK; i++) {
        const struct genesis_org *o = genesis_org_at(g, i);
        const struct genesis_signature *old = genesis_signature_find(&g->signatures, o->id);
        if (o == org) {
            sign_make(founder, buf_slice(&message), &sig);
            sigs[list.count].org = o->id;
            memcpy(sigs[list.count++].sig, sig.b, SIGN_SIZE);
        } else if (old) {
            sigs[list.count++] = *old;
        }
    }
    if (rc == ERR_OK)
        rc = genesis_write(g->body_bytes, &list, out, e);
    buf_release(&message);
    mem_free(sigs);
    return rc;
}

/* The public half of a key. */
static enum err_code genesis_public(const struct sign_secret *secret, struct sign_public *pub, struct err *e) {
    uint8_t seed[SIGN_SEED_SIZE];
    struct sign_secret *copy = NULL;
    enum err_code rc;
    sign_seed(secret, seed);
    rc = sign_from_seed(seed, &copy, pub, e);
    sodium_memzero(seed, sizeof seed);
    sign_secret_free(copy);
    return rc;
}

enum err_code genesis_sign(struct slice file, struct slice org, const struct sign_secret *founder, struct buf *out,
                           struct err *e) {
    struct genesis g;
    const struct genesis_org *o;
    struct sign_public pub;
    enum err_code rc = genesis_parse(file, &g, e);
    if (rc != ERR_OK)
        return rc;
    o = genesis_org_find(&g, org);
    if (!o)
        rc = err_set(e, ERR_NOT_FOUND, "genesis: no organisation \"%.*s\"", SLICE_ARG(org));
    else if ((rc = genesis_public(founder, &pub, e)) == ERR_OK && memcmp(pub.b, o->founder, sizeof pub.b) != 0)
        rc = err_set(e, ERR_MISMATCH, "this is not the founder key of \"%.*s\"", SLICE_ARG(org));
    else if (rc == ERR_OK)
        rc = genesis_add(&g, o, founder, out, e);
    genesis_release(&g);
    return rc;
}

/* ---- asking ---- */

uint32_t genesis_channel_count(const struct genesis *g) {
    return g->body.channels.count;
}
const struct genesis_channel *genesis_channel_at(const struct genesis *g, uint32_t i) {
    return i < g->body.channels.count ? (const struct genesis_channel *)g->body.channels.items + i : NULL;
}
uint32_t genesis_node_count(const struct genesis *g) {
    return g->body.nodes.count;
}
const struct genesis_node *genesis_node_at(const struct genesis *g, uint32_t i) {
    return i < g->body.nodes.count ? (const struct genesis_node *)g->body.nodes.items + i : NULL;
}
uint32_t genesis_org_count(const struct genesis *g) {
    return g->body.orgs.count;
}
const struct genesis_org *genesis_org_at(const struct genesis *g, uint32_t i) {
    return i < g->body.orgs.count ? (const struct genesis_org *)g->body.orgs.items + i : NULL;
}

const struct genesis_org *genesis_org_find(const struct genesis *g, struct slice id) {
    int i = genesis_check_org(&g->body, id);
    return i < 0 ? NULL : genesis_org_at(g, (uint32_t)i);
}

const struct genesis_node *genesis_node_find(const struct genesis *g, struct slice id) {
    int i = genesis_check_node(&g->body, id);
    return i < 0 ? NULL : genesis_node_at(g, (uint32_t)i);
}

const struct genesis_node *genesis_node_by_submit(const struct genesis *g, const uint8_t key[GENESIS_KEY_SIZE]) {
    uint32_t i;
    for (i = 0; i < g->body.nodes.count; i++)
        if (memcmp(genesis_node_at(g, i)->submit, key, GENESIS_KEY_SIZE) == 0)
            return genesis_node_at(g, i);
    return NULL;
}

const struct genesis_node *genesis_node_by_link(const struct genesis *g, const uint8_t key[GENESIS_KEY_SIZE]) {
    uint32_t i;
    for (i = 0; i < g->body.nodes.count; i++)
        if (memcmp(genesis_node_at(g, i)->link, key, GENESIS_KEY_SIZE) == 0)
            return genesis_node_at(g, i);
    return NULL;
}

const struct genesis_channel *genesis_channel_find(const struct genesis *g, struct slice name) {
    uint32_t i;
    for (i = 0; i < g->body.channels.count; i++)
        if (slice_eq(genesis_channel_at(g, i)->name, name))
            return genesis_channel_at(g, i);
    return NULL;
}

const struct genesis_channel *genesis_parent(const struct genesis *g) {
    uint32_t i;
    for (i = 0; i < g->body.channels.count; i++)
        if (genesis_channel_at(g, i)->parent)
            return genesis_channel_at(g, i);
    return NULL;
}

enum genesis_role genesis_node_role(const struct genesis *g, const struct genesis_node *n) {
    const struct genesis_org *o = genesis_org_find(g, n->org);
    ERR_ASSERT(o != NULL);
    return (enum genesis_role)o->role;
}

struct digest genesis_channel_id(const struct genesis *g, const struct genesis_channel *c) {
    uint8_t bytes[DIGEST_SIZE + LIMIT_NAME];
    ERR_ASSERT(c->name.len <= LIMIT_NAME);
    memcpy(bytes, g->id.b, DIGEST_SIZE);
    memcpy(bytes + DIGEST_SIZE, c->name.ptr, c->name.len);
    return digest_tagged("assay/channel/v1", slice_of(bytes, DIGEST_SIZE + c->name.len));
}

struct digest genesis_block_hash(const struct digest *channel_id) {
    return digest_tagged("assay/genesis-block/v1", digest_slice(channel_id));
}

size_t genesis_seats(const struct genesis *g, const struct genesis_channel *c,
                     struct genesis_seat out[LIMIT_VALIDATORS]) {
    const struct slice *ids = c->validators.items;
    uint32_t i;
    for (i = 0; i < c->validators.count && i < LIMIT_VALIDATORS; i++) {
        out[i].node = genesis_node_find(g, ids[i]);
        ERR_ASSERT(out[i].node != NULL);
        out[i].org = genesis_org_find(g, out[i].node->org);
        ERR_ASSERT(out[i].org != NULL);
        out[i].regulator = out[i].org->role == GENESIS_REGULATOR;
    }
    return i;
}

static int genesis_index(const struct schema_list *ids, struct slice id) {
    const struct slice *s = ids->items;
    uint32_t i;
    for (i = 0; i < ids->count; i++)
        if (slice_eq(s[i], id))
            return (int)i;
    return -1;
}

int genesis_seat_of(const struct genesis_channel *c, struct slice node_id) {
    return genesis_index(&c->validators, node_id);
}

bool genesis_is_member(const struct genesis_channel *c, struct slice node_id) {
    return genesis_index(&c->validators, node_id) >= 0 || genesis_index(&c->members, node_id) >= 0;
}

size_t genesis_members(const struct genesis *g, const struct genesis_channel *c, const struct genesis_node **out,
                       size_t room) {
    const struct schema_list *lists[] = {&c->validators, &c->members};
    size_t count = 0, l;
    uint32_t i;
    for (l = 0; l < 2; l++)
        for (i = 0; i < lists[l]->count; i++, count++)
            if (count < room)
                out[count] = genesis_node_find(g, ((const struct slice *)lists[l]->items)[i]);
    return count;
}
