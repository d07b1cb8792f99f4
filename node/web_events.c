/* node/web_events.c -- each entry as it becomes final, as server-sent events. The event's id is the entry's number, so
 * a client that comes again with Last-Event-ID goes on behind it; ?from=N begins with entry N; without either the
 * stream begins with what comes next. ?once=1 ends it at the tip. */
#include "node/api.h"
#include "node/clock.h"
#include "node/reading.h"
#include "node/web_inner.h"
#include "wire/json.h"
#include "wire/mem.h"

#include <stdio.h>
#include <stdlib.h>

enum { WEB_EVENTS = 64 /* in one piece */, WEB_EVENT_MAX = 1 << 20 };

struct web_stream {
    struct web *web;
    struct channel *channel;
    struct reading reading;
    uint64_t next;
    bool once;
    struct buf pack, json; /* scratch */
};

static void web_stream_close(void *ctx) {
    struct web_stream *s = ctx;
    reading_close(&s->reading);
    buf_release(&s->pack);
    buf_release(&s->json);
    mem_free(s);
}

static bool web_stream_event(struct web_stream *s, struct buf *out) {
    struct index_entry x;
    struct err e = {0};
    char id[24];
    buf_clear(&s->pack);
    buf_clear(&s->json);
    if (s->reading.src.face.entry(s->reading.src.face.ctx, s->next, &x, &e) != ERR_OK)
        return false;
    api_entry_pack(s->web->node, &x, slice_none(), &s->pack);
    if (s->pack.failed || json_from_pack(buf_slice(&s->pack), &s->json, &e) != ERR_OK)
        return false;
    snprintf(id, sizeof id, "%llu", (unsigned long long)s->next);
    http_event(out, id, "entry", buf_slice(&s->json));
    s->next++;
    return true;
}

static bool web_stream_pull(void *ctx, struct buf *out) {
    struct web_stream *s = ctx;
    struct err e = {0};
    unsigned i;
    if (!atomic_load(&s->web->node->running) || chain_reader_renew(s->reading.src.reader, &e) != ERR_OK)
        return false;
    for (i = 0; i < WEB_EVENTS && s->next < chain_reader_tip(s->reading.src.reader)->tree_size; i++)
        if (!web_stream_event(s, out))
            return false;
    if (i == 0 && s->once)
        return false;
    if (i == 0) {
        uint64_t height = chain_reader_tip(s->reading.src.reader)->height;
        chain_reader_pause(s->reading.src.reader);
        (void)channel_wait(s->channel, height, clock_monotonic_ms() + HTTP_EVENTS_POLL_MS);
    } else {
        chain_reader_pause(s->reading.src.reader); /* the client may be slow */
    }
    return true;
}

/* Where to begin. False: the id is no number. */
static bool web_stream_from(const struct http_request *q, uint64_t size, uint64_t *next) {
    const char *from = http_query(q, "from"), *last = q->last_event_id;
    const char *text = last && *last ? last : from;
    char *end;
    *next = size;
    if (!text)
        return true;
    *next = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || *next > size)
        return false;
    *next += text == last;
    return true;
}

void web_events(void *web, const struct http_request *q, struct http_response *r) {
    struct node_channel *c = web_channel(web, q, r);
    const char *once = http_query(q, "once");
    struct web_stream *s;
    struct err e = {0};
    if (!c)
        return;
    s = mem_zalloc(1, sizeof *s);
    if (!s) {
        http_fail(r, 503, ERR_NO_MEMORY, "no memory for a stream", NULL);
        return;
    }
    s->web = web;
    s->channel = c->channel;
    s->once = once && strcmp(once, "0") != 0;
    buf_init(&s->pack, WEB_EVENT_MAX);
    buf_init(&s->json, WEB_EVENT_MAX);
    if (reading_open(&s->reading, c->channel, &e) != ERR_OK) {
        http_fail_err(r, &e, NULL);
        web_stream_close(s);
    } else if (!web_stream_from(q, chain_reader_tip(s->reading.src.reader)->tree_size, &s->next)) {
        http_fail(r, 400, ERR_USAGE, "no entry has this number yet", "resume with the id of an event that you got");
        web_stream_close(s);
    } else {
        chain_reader_pause(s->reading.src.reader);
        r->events = (struct http_events){.pull = web_stream_pull, .close = web_stream_close, .ctx = s};
    }
}
