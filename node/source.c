/* node/source.c -- see source.h. */
#include "node/source.h"

static enum err_code source_tip(void *ctx, struct index_tip *out, struct err *e) {
    const struct chain_tip *tip = chain_reader_tip(ctx);
    (void)e;
    *out = (struct index_tip){.height = tip->height, .entries = tip->tree_size};
    return ERR_OK;
}

static enum err_code source_block(void *ctx, uint64_t height, struct index_block *out, struct err *e) {
    struct chain_block b;
    enum err_code rc = chain_reader_block(ctx, height, &b, e);
    if (rc == ERR_OK)
        *out = (struct index_block){.height = height,
                                    .first = b.first_entry,
                                    .entries = b.header.entries,
                                    .time = b.header.time,
                                    .hash = b.hash};
    return rc;
}

static enum err_code source_entry(void *ctx, uint64_t number, struct index_entry *out, struct err *e) {
    struct chain_reader_entry x;
    enum err_code rc = chain_reader_entry(ctx, number, &x, e);
    if (rc != ERR_OK)
        return rc;
    *out = (struct index_entry){.number = number, .height = x.height, .block_time = x.block_time, .bytes = x.bytes};
    memcpy(out->submitter, x.batch.submitter.b, sizeof out->submitter);
    return ERR_OK;
}

enum err_code source_open(struct source *s, struct store *store, struct err *e) {
    enum err_code rc = chain_reader_open(store, &s->reader, e);
    s->face = (struct index_source){.ctx = s->reader, .tip = source_tip, .block = source_block, .entry = source_entry};
    return rc;
}

void source_close(struct source *s) {
    chain_reader_close(s->reader);
    s->reader = NULL;
}
