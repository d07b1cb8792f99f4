/* node/reading.c -- see reading.h. */
#include "node/reading.h"

enum { READING_BACK = 4096 /* heights without a certificate of their own, below the tip */ };

enum err_code reading_open(struct reading *r, struct channel *channel, struct err *e) {
    memset(r, 0, sizeof *r);
    r->channel = channel;
    return source_open(&r->src, channel_store(channel), e);
}

void reading_close(struct reading *r) {
    reading_tree_end(r);
    source_close(&r->src);
}

static enum err_code reading_cert(struct reading *r, uint64_t height, struct slice bytes,
                                  struct reading_checkpoint *out, struct err *e) {
    enum err_code rc = cert_read(bytes, &out->cert, e);
    if (rc != ERR_OK)
        return rc;
    out->height = height;
    cert_note(channel_set(r->channel), &out->cert, &out->note);
    return buf_check(&out->note, e);
}

enum err_code reading_checkpoint(struct reading *r, struct reading_checkpoint *out, struct err *e) {
    uint64_t tip = chain_reader_tip(r->src.reader)->height, height, at;
    struct slice cert;
    enum err_code rc;
    buf_init(&out->note, NOTE_MAX);
    /* The tip has one of its own, but for the short time in which a long range is imported. */
    for (height = tip; height > 0 && tip - height < READING_BACK; height--) {
        rc = chain_reader_cert(r->src.reader, height, &at, &cert, e);
        if (rc == ERR_OK)
            return reading_cert(r, at, cert, out, e);
        if (rc != ERR_NOT_FOUND)
            return rc;
    }
    return err_set(e, ERR_NOT_FOUND, "channel %s has no final block yet", channel_name(r->channel));
}

enum err_code reading_checkpoint_over(struct reading *r, uint64_t number, struct reading_checkpoint *out,
                                      struct err *e) {
    struct chain_block block;
    struct slice cert;
    uint64_t at;
    enum err_code rc;
    buf_init(&out->note, NOTE_MAX);
    if ((rc = chain_reader_block_of(r->src.reader, number, &block, e)) != ERR_OK)
        return rc == ERR_NOT_FOUND ? err_set(e, rc, "channel %s has %llu entries", channel_name(r->channel),
                                             (unsigned long long)chain_reader_tip(r->src.reader)->tree_size)
                                   : rc;
    rc = chain_reader_cert(r->src.reader, block.header.height, &at, &cert, e);
    return rc == ERR_OK ? reading_cert(r, at, cert, out, e) : rc;
}

enum err_code reading_checkpoint_at(struct reading *r, uint64_t size, struct reading_checkpoint *out, struct err *e) {
    enum err_code rc;
    if (size == 0)
        return err_set(e, ERR_USAGE, "nothing can be proven in a tree of size 0");
    if ((rc = reading_checkpoint_over(r, size - 1, out, e)) != ERR_OK)
        return rc;
    if (out->cert.tree_size != size)
        return err_set(e, ERR_MISMATCH, "no checkpoint was signed at size %llu; the next larger one is %llu",
                       (unsigned long long)size, (unsigned long long)out->cert.tree_size);
    return ERR_OK;
}

enum err_code reading_tree(struct reading *r, struct err *e) {
    enum err_code rc = index_view_open(channel_index(r->channel), &r->view, e);
    if (rc != ERR_OK)
        return rc;
    index_tree_init(&r->tree, r->view, &r->src.face);
    r->hashes = (struct tree_reader){.ctx = &r->tree, .hashes = index_tree_read};
    return ERR_OK;
}

void reading_tree_end(struct reading *r) {
    index_view_close(r->view);
    r->view = NULL;
}

enum err_code reading_proof(struct reading *r, const struct reading_checkpoint *cp, uint64_t index, struct buf *out,
                            struct err *e) {
    struct proof p = {.index = index, .checkpoint = buf_slice(&cp->note)};
    enum err_code rc = tree_inclusion(&r->hashes, index, cp->cert.tree_size, &p.path, e);
    if (rc != ERR_OK)
        return rc;
    proof_write(&p, out);
    return buf_check(out, e);
}
