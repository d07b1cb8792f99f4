/* node/ingest/ingest_post.c -- logs that are posted; see ingest.h. Position of a posting source, big-endian:
 *   version u8 = 2 ‖ seq u64 ‖ count u16 ‖ count × { key[16] ‖ body[8] ‖ first u64 ‖ lines u32 ‖ dead u32 }
 * key, body: from the SHA-256 of the idempotency key and of the body; first: number of the first log; lines: how many
 * logs of it are durable. The newest key stands last. */
#include "node/ingest/ingest_impl.h"

#include "wire/mem.h"

enum { POST_VERSION = 2, POST_HEAD = 11, POST_ONE = 40, POST_KEY = 16, POST_BODY = 8 };

struct post_key {
    uint8_t key[POST_KEY], body[POST_BODY];
    uint64_t first;
    uint32_t lines, dead;
};
struct post_run {
    const struct ingest_post *post;
    struct ingest_taker taker;
    uint64_t seq;
    struct post_key keys[INGEST_KEYS];
    size_t key_count;
    struct post_key *mine; /* NULL: no key */
    struct buf position;
    struct ingest_item *items;
    size_t line_max;
};

static enum err_code post_position_read(struct post_run *r, struct err *e) {
    const uint8_t *p;
    size_t i, count;
    enum err_code rc =
        outbox_position_get(courier_outbox(r->taker.channel->courier), r->taker.source_id, &r->position, e);
    if (rc == ERR_NOT_FOUND)
        return ERR_OK;
    if (rc != ERR_OK)
        return rc;
    p = r->position.ptr;
    count = r->position.len >= POST_HEAD ? buf_get16(p + 9) : 0;
    if (r->position.len < POST_HEAD || p[0] != POST_VERSION || count > INGEST_KEYS ||
        r->position.len != POST_HEAD + count * POST_ONE)
        return err_set(e, ERR_CONFLICT, "source \"%.*s\" is not one that posts", SLICE_ARG(r->taker.source_id));
    r->seq = buf_get64(p + 1);
    r->key_count = count;
    for (i = 0, p += POST_HEAD; i < count; i++, p += POST_ONE) {
        struct post_key *k = &r->keys[i];
        memcpy(k->key, p, POST_KEY);
        memcpy(k->body, p + 16, POST_BODY);
        k->first = buf_get64(p + 24);
        k->lines = buf_get32(p + 32);
        k->dead = buf_get32(p + 36);
    }
    return ERR_OK;
}

static void post_position_write(struct post_run *r) {
    size_t i;
    buf_clear(&r->position);
    buf_u8(&r->position, POST_VERSION);
    buf_be64(&r->position, r->seq);
    buf_be16(&r->position, (uint16_t)r->key_count);
    for (i = 0; i < r->key_count; i++) {
        buf_bytes(&r->position, r->keys[i].key, POST_KEY);
        buf_bytes(&r->position, r->keys[i].body, POST_BODY);
        buf_be64(&r->position, r->keys[i].first);
        buf_be32(&r->position, r->keys[i].lines);
        buf_be32(&r->position, r->keys[i].dead);
    }
}

/* Finds the key, or remembers it. */
static enum err_code post_key(struct post_run *r, struct err *e) {
    struct digest key = digest_of(r->post->key), body = digest_of(r->post->body);
    size_t i;
    if (!r->post->key.len)
        return ERR_OK;
    for (i = 0; i < r->key_count; i++)
        if (memcmp(r->keys[i].key, key.b, POST_KEY) == 0) {
            if (memcmp(r->keys[i].body, body.b, POST_BODY) != 0)
                return err_set(e, ERR_CONFLICT, "this idempotency key was used for other logs");
            r->mine = &r->keys[i];
            return ERR_OK;
        }
    if (r->key_count == INGEST_KEYS) {
        r->key_count--;
        memmove(r->keys, r->keys + 1, r->key_count * sizeof *r->keys);
    }
    r->mine = &r->keys[r->key_count++];
    *r->mine = (struct post_key){.first = r->seq + 1};
    memcpy(r->mine->key, key.b, POST_KEY);
    memcpy(r->mine->body, body.b, POST_BODY);
    return ERR_OK;
}

/* The next line that is not empty; false at the end. */
static bool post_line(struct slice *rest, struct slice *line) {
    while (rest->len) {
        const uint8_t *lf = memchr(rest->ptr, '\n', rest->len);
        size_t len = lf ? (size_t)(lf - rest->ptr) : rest->len;
        *line = slice_of(rest->ptr, len);
        *rest = slice_from(*rest, lf ? len + 1 : len);
        if (line->len && line->ptr[line->len - 1] == '\r')
            line->len--;
        if (line->len)
            return true;
    }
    return false;
}

/* Takes the logs from the one numbered `skip` on, batch by batch. */
static enum err_code post_take(struct post_run *r, uint64_t skip, struct ingest_posted *out, struct err *e) {
    struct slice rest = r->post->body, line;
    bool more = post_line(&rest, &line);
    enum err_code rc = ERR_OK;
    for (; more && skip; skip--)
        more = post_line(&rest, &line);
    while (more && rc == ERR_OK) {
        size_t count = 0, bytes = 0;
        uint64_t dead = 0;
        for (; more && count < INGEST_BATCH && bytes < INGEST_BATCH_RAW; count++) {
            bool is_long = line.len > r->line_max;
            r->items[count] = (struct ingest_item){.raw = slice_of(line.ptr, is_long ? r->line_max : line.len),
                                                   .seq = ++r->seq,
                                                   .whole = is_long ? line.len : 0};
            bytes += line.len;
            more = post_line(&rest, &line);
        }
        if (r->mine)
            r->mine->lines += (uint32_t)count;
        post_position_write(r);
        rc = ingest_take(&r->taker, r->items, count, buf_slice(&r->position), &dead, e);
        if (rc != ERR_OK)
            break;
        out->logs += count;
        out->dead += dead;
        if (r->mine)
            r->mine->dead += (uint32_t)dead;
    }
    if (rc == ERR_OK && r->mine && out->dead) { /* so that a repetition is told the same */
        const struct outbox_position at = {r->taker.source_id, buf_slice(&r->position)};
        post_position_write(r);
        rc = courier_append(r->taker.channel->courier, NULL, 0, &at, 1, e);
    }
    return rc;
}

static enum err_code post_run(struct post_run *r, struct ingest_posted *out, struct err *e) {
    struct slice rest = r->post->body, line;
    uint64_t total = 0, done;
    enum err_code rc;
    if ((rc = post_position_read(r, e)) != ERR_OK || (rc = post_key(r, e)) != ERR_OK)
        return rc;
    while (post_line(&rest, &line))
        total++;
    done = r->mine ? r->mine->lines : 0;
    out->first_seq = total ? (r->mine ? r->mine->first : r->seq + 1) : 0;
    if (total && done == total) {
        *out = (struct ingest_posted){r->mine->first, r->mine->first + total - 1, total, r->mine->dead, true};
        return ERR_OK;
    }
    r->items = mem_zalloc(INGEST_BATCH, sizeof *r->items);
    if (!r->items)
        return err_set(e, ERR_NO_MEMORY, "no memory for a batch of logs");
    if ((rc = ingest_taker_init(&r->taker, e)) == ERR_OK)
        rc = post_take(r, done, out, e);
    out->logs += done;
    out->last_seq = total ? r->seq : 0;
    return rc;
}

static enum err_code post_check(struct ingest *g, const struct ingest_post *p, struct post_run *r, struct err *e) {
    struct slice rest = p->body, line;
    r->taker.source = ingest_config_source(g->config, p->source, &r->taker.source_index);
    r->line_max = r->taker.source ? r->taker.source->line_max : INGEST_LINE;
    if (!p->source.len || p->source.len > OUTBOX_SOURCE_MAX)
        return err_set(e, ERR_USAGE, "a source's name has 1 to %d bytes", OUTBOX_SOURCE_MAX);
    if (p->server.len > 64 || p->service.len > 64 || p->key.len > INGEST_KEY_MAX)
        return err_set(e, ERR_USAGE, "server and service have at most 64 bytes, an idempotency key %d", INGEST_KEY_MAX);
    if (r->taker.source && r->taker.source->kind != INGEST_HTTP)
        return err_set(e, ERR_CONFLICT, "source \"%.*s\" reads files: nothing can be posted to it",
                       SLICE_ARG(p->source));
    if (r->taker.source && node_channel(g->node, r->taker.source->channel) != r->taker.channel)
        return err_set(e, ERR_CONFLICT, "source \"%.*s\" belongs to another channel", SLICE_ARG(p->source));
    if ((!r->taker.source || !r->taker.source->tag) && post_line(&rest, &line)) {
        const struct ingest_source *s = r->taker.source;
        struct slice server = s && s->server.len ? s->server : p->server;
        struct slice service = s && s->service.len ? s->service : p->service;
        if (!ingest_config_choose(g->config, s, server, service, ingest_config_looks(line)).count)
            return err_set(e, ERR_CONFIG,
                           "no extractor is configured for source \"%.*s\", server \"%.*s\", service \"%.*s\"",
                           SLICE_ARG(p->source), SLICE_ARG(server), SLICE_ARG(service));
    }
    return ERR_OK;
}

enum err_code ingest_post(struct node *n, const struct ingest_post *p, struct ingest_posted *out, struct err *e) {
    struct ingest *g = n->ingest;
    struct node_channel *c = node_channel(n, p->channel);
    struct post_run *r;
    pthread_mutex_t *turn;
    enum err_code rc;
    *out = (struct ingest_posted){0};
    if (!c)
        return err_set(e, ERR_NOT_FOUND, "this node is not a member of a channel \"%.*s\"", SLICE_ARG(p->channel));
    if (!g)
        return err_set(e, ERR_NOT_ALLOWED, "%s is not an enterprise's node: it takes no logs", n->id);
    r = mem_zalloc(1, sizeof *r);
    if (!r)
        return err_set(e, ERR_NO_MEMORY, "no memory for a post");
    turn = &g->posts[digest_of(p->source).b[0] % INGEST_POST_LOCKS];
    r->post = p;
    buf_init(&r->position, OUTBOX_POSITION_MAX);
    pthread_rwlock_rdlock(&g->gate);
    pthread_mutex_lock(turn);
    r->taker.channel = c;
    r->taker.config = g->config;
    r->taker.source_id = p->source;
    r->taker.server = p->server;
    r->taker.service = p->service;
    rc = g->config ? post_check(g, p, r, e) : err_set(e, ERR_BUSY, "ingest is stopping");
    if (rc == ERR_OK)
        rc = post_run(r, out, e);
    pthread_mutex_unlock(turn);
    pthread_rwlock_unlock(&g->gate);
    ingest_taker_release(&r->taker);
    mem_free(r->items);
    buf_release(&r->position);
    mem_free(r);
    return rc;
}
