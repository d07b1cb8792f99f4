/* audit/bundle.c -- see bundle.h: the file's layout, and the commitments. Its checks: bundle_verify.c. */
#include "audit/bundle.h"

#include "wire/header.h"
#include "wire/limits.h"
#include "wire/note.h"

#define AT(type, member) .offset = offsetof(struct type, member)
#define OPTIONAL         .flags = SCHEMA_OPTIONAL

/* A path is bytes; that it is whole hashes is checked where it is used. */
static const struct schema_field anchor_fields[] = {
    {.key = "checkpoint", .type = SCHEMA_STR, AT(bundle_anchor, checkpoint), .min = 1, .max = BUNDLE_NOTE},
    {.key = "consistency", .type = SCHEMA_BIN, OPTIONAL, AT(bundle_anchor, consistency), .max = BUNDLE_CONSISTENCY},
    {.key = "entry", .type = SCHEMA_BIN, AT(bundle_anchor, entry), .min = 1, .max = LIMIT_ENTRY},
    {.key = "index", .type = SCHEMA_U64, OPTIONAL, AT(bundle_anchor, index)},
    {.key = "nonce", .type = SCHEMA_FIXED, AT(bundle_anchor, nonce), .max = DIGEST_SIZE},
    {.key = "path", .type = SCHEMA_BIN, OPTIONAL, AT(bundle_anchor, path), .max = BUNDLE_PATH},
    {.key = "text", .type = SCHEMA_STR, AT(bundle_anchor, text), .min = 1, .max = BUNDLE_NOTE},
};
static const struct schema anchor_schema = SCHEMA_OF("anchor", struct bundle_anchor, anchor_fields);

static const struct schema_field batch_fields[] = {
    {.key = "count", .type = SCHEMA_U64, AT(bundle_batch, count), .min = 1, .max = LIMIT_BATCH_ENTRIES},
    {.key = "index", .type = SCHEMA_U64, OPTIONAL, AT(bundle_batch, index), .max = LIMIT_BATCH_ENTRIES},
    {.key = "path", .type = SCHEMA_BIN, OPTIONAL, AT(bundle_batch, path), .max = BUNDLE_PATH},
    {.key = "root", .type = SCHEMA_FIXED, AT(bundle_batch, root), .max = DIGEST_SIZE},
    {.key = "seq", .type = SCHEMA_U64, OPTIONAL, AT(bundle_batch, seq)},
    {.key = "sig", .type = SCHEMA_FIXED, AT(bundle_batch, sig), .max = SIGN_SIZE},
    {.key = "submitter", .type = SCHEMA_FIXED, AT(bundle_batch, submitter), .max = SIGN_PUBLIC_SIZE},
};
static const struct schema batch_schema = SCHEMA_OF("batch", struct bundle_batch, batch_fields);

static const struct schema_field block_fields[] = {
    {.key = "header", .type = SCHEMA_BIN, AT(bundle_block, header), .min = HEADER_SIZE, .max = HEADER_SIZE},
    {.key = "prop", .type = SCHEMA_BIN, AT(bundle_block, prop), .min = BUNDLE_PROP, .max = BUNDLE_PROP},
};
static const struct schema block_schema = SCHEMA_OF("block", struct bundle_block, block_fields);

static const struct schema_field entry_fields[] = {
    {.key = "entry", .type = SCHEMA_BIN, AT(bundle_entry, entry), .min = 1, .max = LIMIT_ENTRY},
    {.key = "index", .type = SCHEMA_U64, OPTIONAL, AT(bundle_entry, index)},
    {.key = "path", .type = SCHEMA_BIN, OPTIONAL, AT(bundle_entry, path), .max = BUNDLE_PATH},
};
static const struct schema entry_schema = SCHEMA_OF("standard", struct bundle_entry, entry_fields);

static const struct schema_field range_fields[] = {
    {.key = "entries",
     .type = SCHEMA_BINS,
     AT(bundle_range, entries),
     .min = 1,
     .max = BUNDLE_RANGE,
     .item_max = LIMIT_ENTRY},
    {.key = "first", .type = SCHEMA_U64, OPTIONAL, AT(bundle_range, first)},
    {.key = "left", .type = SCHEMA_BIN, OPTIONAL, AT(bundle_range, left), .max = BUNDLE_CONSISTENCY},
    {.key = "right", .type = SCHEMA_BIN, OPTIONAL, AT(bundle_range, right), .max = BUNDLE_CONSISTENCY},
};
static const struct schema range_schema = SCHEMA_OF("range", struct bundle_range, range_fields);

static const struct schema_field raw_fields[] = {
    {.key = "bytes", .type = SCHEMA_BIN, AT(bundle_raw, bytes), .min = 1, .max = BUNDLE_RAW},
    {.key = "salt", .type = SCHEMA_FIXED, OPTIONAL, AT(bundle_raw, salt), .max = DIGEST_SIZE},
};
static const struct schema raw_schema = SCHEMA_OF("raw", struct bundle_raw, raw_fields);

static const struct schema_field bundle_fields[] = {
    {.key = "anchor", .type = SCHEMA_PTR, OPTIONAL, AT(bundle, anchor), .sub = &anchor_schema},
    {.key = "batch", .type = SCHEMA_PTR, OPTIONAL, AT(bundle, batch), .sub = &batch_schema},
    {.key = "block", .type = SCHEMA_PTR, OPTIONAL, AT(bundle, block), .sub = &block_schema},
    {.key = "channel", .type = SCHEMA_STR, AT(bundle, channel), .min = 1, .max = LIMIT_NAME},
    {.key = "checkpoint", .type = SCHEMA_STR, AT(bundle, checkpoint), .min = 1, .max = BUNDLE_NOTE},
    {.key = "entry", .type = SCHEMA_BIN, AT(bundle, entry), .min = 1, .max = LIMIT_ENTRY},
    {.key = "format", .type = SCHEMA_STR, AT(bundle, format), .min = 1, .max = 32},
    {.key = "index", .type = SCHEMA_U64, OPTIONAL, AT(bundle, index)},
    {.key = "network", .type = SCHEMA_FIXED, AT(bundle, network), .max = DIGEST_SIZE},
    {.key = "path", .type = SCHEMA_BIN, OPTIONAL, AT(bundle, path), .max = BUNDLE_PATH},
    {.key = "range", .type = SCHEMA_PTR, OPTIONAL, AT(bundle, range), .sub = &range_schema},
    {.key = "raw", .type = SCHEMA_PTR, OPTIONAL, AT(bundle, raw), .sub = &raw_schema},
    {.key = "seals", .type = SCHEMA_BINS, OPTIONAL, AT(bundle, seals), .max = BUNDLE_SEALS, .item_max = BUNDLE_NOTE},
    {.key = "standards",
     .type = SCHEMA_LIST,
     OPTIONAL,
     AT(bundle, standards),
     .max = BUNDLE_STANDARDS,
     .sub = &entry_schema},
};
const struct schema bundle_schema = SCHEMA_OF("bundle", struct bundle, bundle_fields);

enum err_code bundle_read(struct slice bytes, struct arena *a, struct bundle *out, struct err *e) {
    enum err_code rc;
    if (bytes.len > BUNDLE_MAX)
        return err_set(e, ERR_TOO_LARGE, "a bundle of %zu bytes (at most %d)", bytes.len, BUNDLE_MAX);
    if ((rc = schema_read(&bundle_schema, bytes, a, out, e)) != ERR_OK)
        return rc;
    if (!slice_eq_str(out->format, BUNDLE_FORMAT))
        return err_set(e, ERR_UNSUPPORTED, "a bundle of the format \"%.*s\", not \"%s\"", SLICE_ARG(out->format),
                       BUNDLE_FORMAT);
    return ERR_OK;
}

enum err_code bundle_write(const struct bundle *b, struct buf *out, struct err *e) {
    struct bundle with = *b, back;
    struct arena a;
    size_t start = out->len;
    enum err_code rc;
    with.format = slice_str(BUNDLE_FORMAT);
    schema_write(&bundle_schema, &with, out);
    if ((rc = buf_check(out, e)) != ERR_OK)
        return rc;
    arena_init(&a, BUNDLE_MAX);
    rc = bundle_read(slice_from(buf_slice(out), start), &a, &back, e);
    arena_release(&a);
    return rc;
}

struct digest bundle_raw_hash(const uint8_t salt[DIGEST_SIZE], struct slice raw) {
    static const char tag[] = "assay/raw/v1";
    struct digest_state s;
    struct digest d;
    if (!salt)
        return digest_of(raw);
    digest_init(&s);
    digest_update(&s, slice_of(tag, sizeof tag));
    digest_update(&s, slice_of(salt, DIGEST_SIZE));
    digest_update(&s, raw);
    digest_final(&s, &d);
    return d;
}

struct digest bundle_anchor_commitment(const uint8_t nonce[DIGEST_SIZE], struct slice text) {
    static const char tag[] = "assay/anchor/v1";
    struct digest_state s;
    struct digest d;
    digest_init(&s);
    digest_update(&s, slice_of(tag, sizeof tag));
    digest_update(&s, slice_of(nonce, DIGEST_SIZE));
    digest_update(&s, text);
    digest_final(&s, &d);
    return d;
}

static void bundle_policy_key(const char *role, struct slice name, const struct sign_public *pub, struct buf *out) {
    struct note_key k;
    if (note_key_make(name, NOTE_ED25519, pub, &k, NULL) != ERR_OK)
        return; /* a name that no note can carry signs none */
    buf_printf(out, "%s ", role);
    note_vkey_write(&k, out);
    buf_u8(out, '\n');
}

void bundle_policy_write(const struct bundle_network *net, const struct bundle_channel *ch, struct buf *out) {
    char network[DIGEST_HEX], id[DIGEST_HEX];
    size_t i;
    buf_printf(out, "%s %s %.*s %u %u\n", digest_hex(&net->id, network), digest_hex(&ch->id, id), SLICE_ARG(ch->origin),
               ch->quorum, ch->regulators_min);
    for (i = 0; i < ch->validator_count; i++)
        bundle_policy_key(ch->validators[i].regulator ? "regulator" : "member", ch->validators[i].name,
                          &ch->validators[i].consensus, out);
    for (i = 0; i < net->submitter_count; i++)
        bundle_policy_key("submitter", net->submitters[i].node, &net->submitters[i].key, out);
}

const char *bundle_state_text(enum bundle_state s) {
    switch (s) {
    case BUNDLE_PROVEN:
        return "proven";
    case BUNDLE_NOT_PROVEN:
        return "not proven";
    case BUNDLE_FAILS:
        return "FAILS";
    }
    return "?";
}

const char *bundle_what_text(enum bundle_what w) {
    static const char *const texts[] = {
        [BUNDLE_OF_NETWORK] = "network",
        [BUNDLE_FINAL] = "final",
        [BUNDLE_INCLUDED] = "included",
        [BUNDLE_CONTENT] = "content",
        [BUNDLE_TIME] = "time",
        [BUNDLE_AUTHOR] = "author",
        [BUNDLE_LOG] = "log",
        [BUNDLE_STANDARD] = "standard",
        [BUNDLE_ANCHORED] = "anchored",
        [BUNDLE_COMPLETE] = "complete",
        [BUNDLE_TRUTH] = "truth",
    };
    return (size_t)w < sizeof texts / sizeof texts[0] ? texts[w] : "?";
}
