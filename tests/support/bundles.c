/* tests/support/bundles.c -- see bundles.h. Made of the formats' own words rather than of the code under test where
 * that is short, so that a mistake shared by writer and reader shows. */
#include "tests/support/bundles.h"

#include "ledger/record.h"
#include "wire/base64.h"
#include "wire/header.h"
#include "wire/limits.h"
#include "wire/note.h"
#include "wire/pack.h"

#include <inttypes.h>
#include <stdio.h>

enum { ENTRY_AT = 7, STANDARD_AT = 2, BATCH_FIRST = 5, BATCH_COUNT = 6 };

struct buf *bundles_part(struct bundles *b) {
    ERR_ASSERT(b->parts < BUNDLES_PARTS);
    buf_init(&b->part[b->parts], BUNDLE_MAX);
    return &b->part[b->parts++];
}

static struct sign_secret *bundles_key(uint8_t n, struct sign_public *pub) {
    uint8_t seed[SIGN_SEED_SIZE];
    struct sign_secret *secret;
    memset(seed, n, sizeof seed);
    ERR_ASSERT(sign_from_seed(seed, &secret, pub, NULL) == ERR_OK);
    return secret;
}

static void bundles_network(struct bundles *b) {
    static const char *const names[] = {"acme-head", "acme-branch", "fin-reg-1", "data-reg-1"};
    unsigned i;
    for (i = 0; i < BUNDLES_VALIDATORS; i++) {
        b->validators[i].name = slice_str(names[i]);
        b->validators[i].regulator = i >= 2;
        b->keys[i] = bundles_key((uint8_t)(i + 1), &b->validators[i].consensus);
    }
    b->submit = bundles_key(9, &b->submitter.key);
    b->submitter.node = slice_str("acme-head");
    b->submitter.org = slice_str("acme");
    for (i = 0; i < 2; i++)
        b->channels[i] = (struct bundle_channel){.id = digest_of(slice_of(&"ap"[i], 1)),
                                                 .name = slice_str(i ? "parent" : "acme"),
                                                 .origin = slice_str(i ? "assay/test/parent" : "assay/test/acme"),
                                                 .epoch = 1,
                                                 .validators = b->validators,
                                                 .validator_count = BUNDLES_VALIDATORS,
                                                 .quorum = 3,
                                                 .regulators_min = 2};
    b->net = (struct bundle_network){.id = digest_of(slice_str("genesis")),
                                     .name = slice_str("test"),
                                     .channels = b->channels,
                                     .channel_count = 2,
                                     .parent = 1,
                                     .submitters = &b->submitter,
                                     .submitter_count = 1};
}

struct slice bundles_note(struct bundles *b, struct slice text, unsigned first, unsigned end) {
    struct buf *out = bundles_part(b);
    note_begin(text, out);
    for (; first < end; first++) {
        struct note_key k;
        ERR_ASSERT(note_key_make(b->validators[first].name, NOTE_ED25519, &b->validators[first].consensus, &k, NULL) ==
                   ERR_OK);
        note_sign(&k, b->keys[first], text, 0, out);
    }
    return buf_slice(out);
}

struct slice bundles_text(struct bundles *b, struct slice origin, uint64_t epoch, uint64_t size,
                          const struct digest *root, const struct digest *pid) {
    struct buf *out = bundles_part(b);
    buf_append(out, origin);
    buf_printf(out, "\n%" PRIu64 "\n", size);
    base64_write(digest_slice(root), out);
    buf_printf(out, "\nfinal %" PRIu64 " 12 ", epoch);
    base64_write(digest_slice(pid), out);
    buf_u8(out, '\n');
    return buf_slice(out);
}

static struct digest bundles_standard(struct buf *entry) {
    struct buf def;
    struct digest hash;
    buf_init(&def, 4096);
    pack_map(&def, 4);
    pack_cstr(&def, "body"), pack_map(&def, 0);
    pack_cstr(&def, "id"), pack_cstr(&def, "fin-reg.operations");
    pack_cstr(&def, "kind"), pack_cstr(&def, "ext_std");
    pack_cstr(&def, "version"), pack_cstr(&def, "1.0.0");
    hash = digest_tagged("assay/standard/v1", buf_slice(&def));
    buf_release(&def);
    pack_array(entry, 2);
    pack_u64(entry, ENTRY_STANDARD);
    pack_map(entry, 6);
    pack_cstr(entry, "action"), pack_cstr(entry, "publish");
    pack_cstr(entry, "body"), pack_map(entry, 0);
    pack_cstr(entry, "id"), pack_cstr(entry, "fin-reg.operations");
    pack_cstr(entry, "issuer"), pack_cstr(entry, "fin-reg-1");
    pack_cstr(entry, "kind"), pack_cstr(entry, "ext_std");
    pack_cstr(entry, "version"), pack_cstr(entry, "1.0.0");
    return hash;
}

static const char bundles_log[] = "{\"user\":\"王芳\",\"op\":\"GET /api/users/1001\"}";

static void bundles_record(struct bundles *b, struct buf *entry, const struct digest *std_hash) {
    struct record_object object = {.name = slice_str("1001"), .role = RECORD_ROLE_REQUEST, .type = slice_str("userid")};
    struct record_std std = {.id = slice_str("fin-reg.operations"), .version = slice_str("1.0.0")};
    struct record r = {.actor = {.name = slice_str("王芳"), .type = slice_str("user")},
                       .objects = {&object, 1},
                       .op = {.raw = slice_str("GET /api/users")},
                       .log_type = RECORD_LOG_STRUCTURED,
                       .raw_commit = RECORD_SALTED,
                       .raw_size = sizeof bundles_log - 1,
                       .source = {slice_str("portal"), 3},
                       .std = {&std, 1},
                       .time = 1700000000123};
    struct digest hash;
    memcpy(std.hash, std_hash->b, DIGEST_SIZE);
    memset(r.uid, 1, sizeof r.uid);
    memset(b->raw.salt, 0x5A, sizeof b->raw.salt);
    b->raw.bytes = slice_of(bundles_log, sizeof bundles_log - 1);
    hash = digest_tagged("assay/raw/v1", slice_none());
    { /* SHA-256("assay/raw/v1" NUL ‖ salt ‖ raw), by hand */
        struct buf m;
        buf_init(&m, 4096);
        buf_bytes(&m, "assay/raw/v1", 13);
        buf_bytes(&m, b->raw.salt, 32);
        buf_append(&m, b->raw.bytes);
        hash = digest_of(buf_slice(&m));
        buf_release(&m);
    }
    memcpy(r.raw_hash, hash.b, DIGEST_SIZE);
    entry_write(ENTRY_RECORD, &record_schema, &r, entry);
}

/* Other entries: findings of a number, in a form that entry_read takes. */
static void bundles_entries(struct bundles *b) {
    struct digest std_hash = {{0}};
    unsigned i;
    for (i = 0; i < BUNDLES_ENTRIES; i++) {
        struct buf *e = &b->entries[i];
        buf_init(e, LIMIT_ENTRY);
        if (i == STANDARD_AT) {
            std_hash = bundles_standard(e);
        } else if (i == ENTRY_AT) {
            bundles_record(b, e, &std_hash);
        } else {
            pack_array(e, 2);
            pack_u64(e, ENTRY_FINDING);
            pack_map(e, 1);
            pack_cstr(e, "n"), pack_u64(e, i);
        }
        ERR_ASSERT(!e->failed);
        b->leaves[i] = tree_leaf(buf_slice(e));
        b->range_entries[i] = buf_slice(e);
    }
}

struct bundles_source {
    const struct digest *leaves;
    uint64_t size;
};

static enum err_code bundles_hashes(void *ctx, unsigned level, uint64_t first, uint64_t count, struct digest *out,
                                    struct err *e) {
    const struct bundles_source *s = ctx;
    uint64_t i;
    (void)e;
    ERR_ASSERT((first + count) << level <= s->size);
    for (i = 0; i < count; i++)
        out[i] = tree_root_of(s->leaves + ((first + i) << level), (size_t)1 << level);
    return ERR_OK;
}

static struct slice bundles_joined(struct bundles *b, const struct tree_path *p) {
    struct buf *out = bundles_part(b);
    unsigned i;
    for (i = 0; i < p->count; i++)
        buf_append(out, digest_slice(&p->hash[i]));
    return buf_slice(out);
}

static struct slice bundles_path(struct bundles *b, const struct digest *leaves, uint64_t index, uint64_t size) {
    struct bundles_source s = {leaves, size};
    struct tree_reader r = {&s, bundles_hashes};
    struct tree_path p;
    ERR_ASSERT(tree_inclusion(&r, index, size, &p, NULL) == ERR_OK);
    return bundles_joined(b, &p);
}

static void bundles_batch(struct bundles *b) {
    struct buf m;
    struct digest root = tree_root_of(b->leaves + BATCH_FIRST, BATCH_COUNT);
    struct sign_signature sig;
    b->batch = (struct bundle_batch){.count = BATCH_COUNT, .index = ENTRY_AT - BATCH_FIRST, .seq = 4};
    b->batch.path = bundles_path(b, b->leaves + BATCH_FIRST, ENTRY_AT - BATCH_FIRST, BATCH_COUNT);
    memcpy(b->batch.root, root.b, DIGEST_SIZE);
    memcpy(b->batch.submitter, b->submitter.key.b, SIGN_PUBLIC_SIZE);
    buf_init(&m, 4096);
    buf_bytes(&m, "assay/batch/v1", 15);
    buf_append(&m, digest_slice(&b->channels[0].id));
    buf_bytes(&m, b->submitter.key.b, SIGN_PUBLIC_SIZE);
    buf_be64(&m, 4);
    buf_be32(&m, BATCH_COUNT);
    buf_append(&m, digest_slice(&root));
    sign_make(b->submit, buf_slice(&m), &sig);
    memcpy(b->batch.sig, sig.b, SIGN_SIZE);
    buf_release(&m);
}

static struct digest bundles_block(struct bundles *b, const struct digest *root) {
    struct header h = {.channel = b->channels[0].id,
                       .epoch = 1,
                       .height = 33,
                       .entries = 20,
                       .tree_size = BUNDLES_ENTRIES,
                       .tree_root = *root,
                       .time = 1700000001000};
    struct buf *header = bundles_part(b), *prop = bundles_part(b);
    struct digest hash = header_hash(&h);
    uint8_t zero[32] = {0};
    header_write(&h, buf_extend(header, HEADER_SIZE));
    buf_bytes(prop, "assay/prop/v1", 14);
    buf_append(prop, digest_slice(&b->channels[0].id));
    buf_be64(prop, 1);
    buf_bytes(prop, zero, 32);
    buf_be64(prop, 12);
    buf_be64(prop, 11);
    buf_bytes(prop, zero, 32);
    buf_be64(prop, 33);
    buf_append(prop, digest_slice(&hash));
    b->block = (struct bundle_block){buf_slice(header), buf_slice(prop)};
    return digest_of(buf_slice(prop));
}

/* The parent holds 11 entries; number 3 pins the channel's first 256. */
static void bundles_anchor(struct bundles *b) {
    struct digest leaves[11], old_root = tree_root_of(b->leaves, 256), root, commitment, pid = {{7}};
    struct bundles_source s = {b->leaves, BUNDLES_ENTRIES};
    struct tree_reader r = {&s, bundles_hashes};
    struct tree_path p;
    struct buf *entry = bundles_part(b), m;
    unsigned i;
    memset(b->anchor.nonce, 0xA5, DIGEST_SIZE);
    b->anchor.text = bundles_text(b, b->channels[0].origin, 1, 256, &old_root, &pid);
    ERR_ASSERT(tree_consistency(&r, 256, BUNDLES_ENTRIES, &p, NULL) == ERR_OK);
    b->anchor.consistency = bundles_joined(b, &p);
    buf_init(&m, 4096);
    buf_bytes(&m, "assay/anchor/v1", 16);
    buf_bytes(&m, b->anchor.nonce, 32);
    buf_append(&m, b->anchor.text);
    commitment = digest_of(buf_slice(&m));
    buf_release(&m);
    pack_array(entry, 2);
    pack_u64(entry, ENTRY_ANCHOR);
    pack_map(entry, 2);
    pack_cstr(entry, "commitment"), pack_bin(entry, digest_slice(&commitment));
    pack_cstr(entry, "period"), pack_u64(entry, 5);
    for (i = 0; i < 11; i++)
        leaves[i] = i == 3 ? tree_leaf(buf_slice(entry)) : b->leaves[i];
    root = tree_root_of(leaves, 11);
    b->anchor.entry = buf_slice(entry);
    b->anchor.index = 3;
    b->anchor.path = bundles_path(b, leaves, 3, 11);
    b->anchor.checkpoint = bundles_note(b, bundles_text(b, b->channels[1].origin, 1, 11, &root, &pid), 1, 4);
}

static void bundles_range(struct bundles *b) {
    struct bundles_source s = {b->leaves, BUNDLES_ENTRIES};
    struct tree_reader r = {&s, bundles_hashes};
    struct tree_path left, right;
    ERR_ASSERT(tree_range_proof(&r, 5, 12, BUNDLES_ENTRIES, &left, &right, NULL) == ERR_OK);
    b->range = (struct bundle_range){.entries = {b->range_entries + 5, 7}, .first = 5};
    b->range.left = bundles_joined(b, &left);
    b->range.right = bundles_joined(b, &right);
}

void bundles_make(struct bundles *b) {
    struct digest root, pid;
    memset(b, 0, sizeof *b);
    ERR_ASSERT(sign_start(NULL) == ERR_OK);
    bundles_network(b);
    bundles_entries(b);
    root = tree_root_of(b->leaves, BUNDLES_ENTRIES);
    pid = bundles_block(b, &root);
    bundles_batch(b);
    bundles_anchor(b);
    bundles_range(b);
    b->standard = (struct bundle_entry){buf_slice(&b->entries[STANDARD_AT]), STANDARD_AT,
                                        bundles_path(b, b->leaves, STANDARD_AT, BUNDLES_ENTRIES)};
    b->bundle = (struct bundle){
        .anchor = &b->anchor,
        .batch = &b->batch,
        .block = &b->block,
        .channel = b->channels[0].name,
        .checkpoint = bundles_note(b, bundles_text(b, b->channels[0].origin, 1, BUNDLES_ENTRIES, &root, &pid), 1,
                                   BUNDLES_VALIDATORS),
        .entry = buf_slice(&b->entries[ENTRY_AT]),
        .index = ENTRY_AT,
        .path = bundles_path(b, b->leaves, ENTRY_AT, BUNDLES_ENTRIES),
        .range = &b->range,
        .raw = &b->raw,
        .standards = {&b->standard, 1}};
    memcpy(b->bundle.network, b->net.id.b, DIGEST_SIZE);
}

void bundles_release(struct bundles *b) {
    unsigned i;
    for (i = 0; i < BUNDLES_ENTRIES; i++)
        buf_release(&b->entries[i]);
    for (i = 0; i < b->parts; i++)
        buf_release(&b->part[i]);
    for (i = 0; i < BUNDLES_VALIDATORS; i++)
        sign_secret_free(b->keys[i]);
    sign_secret_free(b->submit);
}
