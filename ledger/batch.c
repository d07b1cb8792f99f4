/* ledger/batch.c -- see batch.h. */
#include "ledger/batch.h"

#include "ledger/entry.h"
#include "ledger/tree.h"
#include "wire/mem.h"
#include "wire/pack.h"

#include <zstd.h>

enum { BATCH_LEVEL = 1, BATCH_PLAIN_BELOW = 512, BATCH_PREFIX = 2 };

static const char batch_tag[15] = "assay/batch/v1";

#define BATCH_FIXED(key_, member)                                                                                      \
    {                                                                                                                  \
        .key = key_, .type = SCHEMA_FIXED, .offset = offsetof(struct batch_header, member),                            \
        .max = sizeof(((struct batch_header *)0)->member)                                                              \
    }
#define BATCH_U64(key_, member, min_, max_, flags_)                                                                    \
    {                                                                                                                  \
        .key = key_, .type = SCHEMA_U64, .flags = flags_, .offset = offsetof(struct batch_header, member),             \
        .min = min_, .max = max_                                                                                       \
    }

static const struct schema_field batch_header_fields[] = {
    BATCH_FIXED("channel", channel),
    BATCH_U64("count", count, 1, LIMIT_BATCH_ENTRIES, 0),
    BATCH_U64("enc", enc, 0, BATCH_ZSTD, SCHEMA_OPTIONAL),
    BATCH_U64("raw_len", raw_len, 1, LIMIT_BATCH_RAW, 0),
    BATCH_FIXED("root", root),
    BATCH_U64("seq", seq, 1, UINT64_MAX - 1, 0),
    BATCH_FIXED("sig", sig),
    BATCH_FIXED("submitter", submitter),
};
const struct schema batch_header_schema = SCHEMA_OF("batch", struct batch_header, batch_header_fields);

/* ---- building ---- */

enum err_code batch_builder_init(struct batch_builder *b, struct err *e) {
    buf_init(&b->raw, LIMIT_BATCH_RAW);
    b->count = 0;
    b->leaves = mem_zalloc(LIMIT_BATCH_ENTRIES, sizeof *b->leaves);
    return b->leaves ? ERR_OK : err_set(e, ERR_NO_MEMORY, "a batch");
}

void batch_builder_release(struct batch_builder *b) {
    buf_release(&b->raw);
    mem_free(b->leaves);
    b->leaves = NULL;
    b->count = 0;
}

void batch_builder_clear(struct batch_builder *b) {
    buf_clear(&b->raw);
    b->count = 0;
}

enum err_code batch_builder_add(struct batch_builder *b, struct slice entry, struct err *e) {
    struct entry x;
    enum err_code code = entry_read(entry, &x, e);
    if (code != ERR_OK)
        return code;
    if (b->count == LIMIT_BATCH_ENTRIES || b->raw.len + BATCH_PREFIX + entry.len > LIMIT_BATCH_RAW)
        return err_set(e, ERR_FULL, "the batch is full");
    buf_be16(&b->raw, (uint16_t)entry.len);
    buf_append(&b->raw, entry);
    if (b->raw.failed)
        return err_set(e, ERR_NO_MEMORY, "an entry of a batch");
    b->leaves[b->count++] = entry_leaf(entry);
    return ERR_OK;
}

/* Compresses raw onto out; false when that saves nothing (out is then cleared) or fails. */
static bool batch_compress(struct slice raw, struct buf *out) {
    size_t bound = ZSTD_compressBound(raw.len), n;
    uint8_t *p;
    if (raw.len < BATCH_PLAIN_BELOW)
        return false;
    p = buf_extend(out, bound);
    n = p ? ZSTD_compress(p, bound, raw.ptr, raw.len, BATCH_LEVEL) : 0;
    if (!p || ZSTD_isError(n) || n >= raw.len) {
        buf_clear(out);
        return false;
    }
    out->len = n;
    return true;
}

enum err_code batch_builder_seal(const struct batch_builder *b, const struct digest *channel, uint64_t seq,
                                 const struct sign_secret *secret, const struct sign_public *submitter, struct buf *out,
                                 struct digest *hash, struct err *e) {
    uint8_t bytes[BATCH_SIGNED_SIZE];
    struct batch batch = {.body = buf_slice(&b->raw)};
    struct batch_header *h = &batch.header;
    struct buf packed;
    if (b->count == 0)
        return err_set(e, ERR_USAGE, "a batch without an entry");
    buf_init(&packed, ZSTD_COMPRESSBOUND((size_t)LIMIT_BATCH_RAW));
    h->channel = *channel;
    h->submitter = *submitter;
    h->seq = seq;
    h->count = b->count;
    h->root = batch_root(b->leaves, b->count);
    h->raw_len = b->raw.len;
    if (batch_compress(batch.body, &packed)) {
        h->enc = BATCH_ZSTD;
        batch.body = buf_slice(&packed);
    }
    batch_signed_bytes(h, bytes);
    sign_make(secret, slice_of(bytes, sizeof bytes), &h->sig);
    if (hash)
        *hash = digest_of(slice_of(bytes, sizeof bytes));
    batch_write(&batch, out);
    buf_release(&packed);
    return buf_check(out, e);
}

/* ---- reading ---- */

void batch_signed_bytes(const struct batch_header *h, uint8_t out[BATCH_SIGNED_SIZE]) {
    struct buf b = {.ptr = out, .cap = BATCH_SIGNED_SIZE, .max = BATCH_SIGNED_SIZE}; /* never grows */
    buf_bytes(&b, batch_tag, sizeof batch_tag);
    buf_append(&b, digest_slice(&h->channel));
    buf_bytes(&b, h->submitter.b, sizeof h->submitter.b);
    buf_be64(&b, h->seq);
    buf_be32(&b, (uint32_t)h->count);
    buf_append(&b, digest_slice(&h->root));
    ERR_ASSERT(!b.failed && b.len == BATCH_SIGNED_SIZE);
}

struct digest batch_hash(const struct batch_header *h) {
    uint8_t bytes[BATCH_SIGNED_SIZE];
    batch_signed_bytes(h, bytes);
    return digest_of(slice_of(bytes, sizeof bytes));
}

enum err_code batch_verify(const struct batch_header *h, struct err *e) {
    uint8_t bytes[BATCH_SIGNED_SIZE];
    batch_signed_bytes(h, bytes);
    if (!sign_verify(&h->submitter, slice_of(bytes, sizeof bytes), &h->sig))
        return err_set(e, ERR_BAD_SIGNATURE, "batch %llu is not signed by its submitter", (unsigned long long)h->seq);
    return ERR_OK;
}

static enum err_code batch_check_form(const struct batch *b, struct err *e) {
    const struct batch_header *h = &b->header;
    if (h->raw_len < h->count * (BATCH_PREFIX + 1))
        return err_set(e, ERR_MALFORMED, "a batch declares %llu entries in %llu bytes", (unsigned long long)h->count,
                       (unsigned long long)h->raw_len);
    if (b->body.len == 0 || (h->enc == BATCH_PLAIN && b->body.len != h->raw_len) ||
        (h->enc == BATCH_ZSTD && b->body.len >= h->raw_len))
        return err_set(e, ERR_MALFORMED, "a batch's body of %zu bytes does not go with a declared %llu", b->body.len,
                       (unsigned long long)h->raw_len);
    return ERR_OK;
}

enum err_code batch_read_at(struct cursor *c, struct batch *out, struct err *e) {
    struct arena none;
    uint32_t items;
    enum err_code code = cursor_array(c, &items, e);
    if (code == ERR_OK && items != 2)
        code = err_set(e, ERR_MALFORMED, "a batch is a list of two, not of %u", items);
    if (code != ERR_OK)
        return code;
    arena_init(&none, 1); /* a header has no list */
    code = schema_read_at(&batch_header_schema, c, &none, &out->header, e);
    arena_release(&none);
    if (code == ERR_OK)
        code = cursor_bin(c, &out->body, e);
    if (code == ERR_OK)
        code = batch_check_form(out, e);
    if (code == ERR_OK)
        out->hash = batch_hash(&out->header);
    return code;
}

enum err_code batch_read(struct slice bytes, struct batch *out, struct err *e) {
    struct cursor c;
    enum err_code code;
    if (bytes.len > BATCH_CARRIED)
        return err_set(e, ERR_TOO_LARGE, "a batch of %zu bytes", bytes.len);
    cursor_init(&c, bytes);
    code = batch_read_at(&c, out, e);
    if (code == ERR_OK && !cursor_done(&c))
        code = err_set(e, ERR_MALFORMED, "bytes behind a batch");
    return code;
}

void batch_write(const struct batch *b, struct buf *out) {
    pack_array(out, 2);
    schema_write(&batch_header_schema, &b->header, out);
    pack_bin(out, b->body);
}

/* ---- opening ---- */

/* One zstd frame and nothing else, of exactly the declared length, straight into a buffer of that length: neither
 * declared window nor content can make it take more. */
static enum err_code batch_inflate(const struct batch *b, struct buf *raw, struct err *e) {
    size_t want = (size_t)b->header.raw_len, n;
    unsigned long long says = ZSTD_getFrameContentSize(b->body.ptr, b->body.len);
    uint8_t *p;
    if (says == ZSTD_CONTENTSIZE_ERROR || (says != ZSTD_CONTENTSIZE_UNKNOWN && says != want))
        return err_set(e, ERR_MALFORMED, "a batch's frame does not hold the declared %zu bytes", want);
    n = ZSTD_findFrameCompressedSize(b->body.ptr, b->body.len);
    if (ZSTD_isError(n) || n != b->body.len)
        return err_set(e, ERR_MALFORMED, "a batch's body is not exactly one frame");
    p = buf_extend(raw, want);
    if (!p)
        return err_set(e, ERR_NO_MEMORY, "opening a batch");
    n = ZSTD_decompress(p, want, b->body.ptr, b->body.len);
    if (ZSTD_isError(n))
        return err_set(e, ERR_MALFORMED, "a batch does not inflate: %s", ZSTD_getErrorName(n));
    if (n != want)
        return err_set(e, ERR_MALFORMED, "a batch inflates to %zu bytes and declares %zu", n, want);
    return ERR_OK;
}

static enum err_code batch_split(struct slice raw, uint32_t count, struct batch_entries *out, struct err *e) {
    size_t at = 0;
    uint32_t i;
    for (i = 0; i < count; i++) {
        size_t len;
        if (raw.len - at < BATCH_PREFIX)
            return err_set(e, ERR_MALFORMED, "a batch of %u entries ends in entry %u", count, i);
        len = buf_get16(raw.ptr + at);
        at += BATCH_PREFIX;
        if (len == 0 || raw.len - at < len)
            return err_set(e, ERR_MALFORMED, "entry %u of a batch is cut or empty", i);
        out->items[i] = slice_of(raw.ptr + at, len);
        out->leaves[i] = entry_leaf(out->items[i]);
        at += len;
    }
    if (at != raw.len)
        return err_set(e, ERR_MALFORMED, "%zu bytes behind the last entry of a batch", raw.len - at);
    return ERR_OK;
}

enum err_code batch_open(const struct batch *b, struct buf *raw, struct arena *a, struct batch_entries *out,
                         struct err *e) {
    uint32_t count = (uint32_t)b->header.count;
    struct digest root;
    enum err_code code = ERR_OK;
    ERR_ASSERT(raw->max >= LIMIT_BATCH_RAW && count <= LIMIT_BATCH_ENTRIES);
    buf_clear(raw);
    if (b->header.enc == BATCH_PLAIN)
        buf_append(raw, b->body);
    else
        code = batch_inflate(b, raw, e);
    if (code == ERR_OK)
        code = buf_check(raw, e);
    if (code != ERR_OK)
        return code;
    out->raw = buf_slice(raw);
    out->count = count;
    out->items = arena_alloc(a, count, sizeof *out->items);
    out->leaves = arena_alloc(a, count, sizeof *out->leaves);
    if (!out->items || !out->leaves)
        return err_set(e, ERR_NO_MEMORY, "entries of a batch");
    code = batch_split(out->raw, count, out, e);
    if (code != ERR_OK)
        return code;
    root = batch_root(out->leaves, count);
    if (!digest_eq(&root, &b->header.root))
        return err_set(e, ERR_MISMATCH, "the entries of batch %llu are not those of its root",
                       (unsigned long long)b->header.seq);
    return ERR_OK;
}

struct digest batch_root(const struct digest *leaves, uint32_t count) {
    return tree_root_of(leaves, count);
}
