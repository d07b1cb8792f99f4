/* tests/sim/world.c -- clock, random numbers, event queue and network of the simulated world. */
#include "tests/sim/world_impl.h"

#include <stdlib.h>

uint64_t world_rand(struct world *w, uint64_t below) {
    w->rng ^= w->rng << 13; /* xorshift64 */
    w->rng ^= w->rng >> 7;
    w->rng ^= w->rng << 17;
    return below ? w->rng * 0x2545F4914F6CDD1DULL % below : 0;
}

static bool world_before(const struct world_event *a, const struct world_event *b) {
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

void world_push(struct world *w, struct world_event ev) {
    size_t i = w->heap_count++;
    ev.order = w->order++;
    if (i == w->heap_cap) {
        w->heap_cap = w->heap_cap ? w->heap_cap * 2 : 1024;
        w->heap = realloc(w->heap, w->heap_cap * sizeof *w->heap);
    }
    if (ev.len) {
        uint8_t *copy = malloc(ev.len);
        memcpy(copy, ev.bytes, ev.len);
        ev.bytes = copy;
    }
    for (; i > 0 && world_before(&ev, &w->heap[(i - 1) / 2]); i = (i - 1) / 2)
        w->heap[i] = w->heap[(i - 1) / 2];
    w->heap[i] = ev;
}

static struct world_event world_pop(struct world *w) {
    struct world_event top = w->heap[0], last = w->heap[--w->heap_count];
    size_t i = 0, child;
    while ((child = 2 * i + 1) < w->heap_count) {
        if (child + 1 < w->heap_count && world_before(&w->heap[child + 1], &w->heap[child]))
            child++;
        if (!world_before(&w->heap[child], &last))
            break;
        w->heap[i] = w->heap[child];
        i = child;
    }
    w->heap[i] = last;
    return top;
}

void world_break(struct world *w, const char *fmt, ...) {
    va_list ap;
    int n;
    if (w->broken[0])
        return;
    n = snprintf(w->broken, sizeof w->broken, "at %llu ms: ", (unsigned long long)w->now);
    va_start(ap, fmt);
    vsnprintf(w->broken + n, sizeof w->broken - (size_t)n, fmt, ap);
    va_end(ap);
}

void world_trace(struct world *w, const char *fmt, ...) {
    va_list ap;
    if (!w->plan.trace)
        return;
    printf("%7llu  ", (unsigned long long)w->now);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
}

int world_block_find(struct world *w, const struct digest *hash) {
    int i;
    for (i = w->block_count - 1; i >= 0; i--)
        if (digest_eq(&w->blocks[i].hash, hash))
            return i;
    return -1;
}

static int world_index(const struct world *w, int node) {
    int i;
    for (i = 0; i < w->node_count; i++)
        if ((int)w->nodes[i]->member == node % 16 && w->nodes[i]->twin == node / 16)
            return i;
    return -1;
}

static void net_trace(struct world *w, const struct world_node *a, const struct world_node *b, struct slice bytes) {
    struct message m;
    struct cert_vote v;
    if (!w->plan.trace || bytes.ptr[0] >= 0x40 || message_read(bytes, &m, NULL) != ERR_OK)
        return;
    v = m.vote;
    world_trace(w, "  %u%s -> %u%s type %d view %llu", a->member, a->twin ? "'" : "", b->member, b->twin ? "'" : "",
                (int)m.type,
                (unsigned long long)(m.type == MESSAGE_PROPOSE ? m.prop.view
                                     : m.type == MESSAGE_CERT  ? m.cert.view
                                     : v.view                  ? v.view
                                                               : m.view));
}

void net_send(struct world *w, struct world_node *from, int to, struct slice bytes) {
    struct world_node *node = w->nodes[to];
    enum world_role role = w->plan.role[from->member];
    bool calm = w->now >= w->plan.calm_ms;
    int self = world_index(w, (int)from->member + 16 * from->twin), copies;
    uint64_t delay = 1 + world_rand(w, calm ? 10 : w->plan.delay_ms);
    if (!calm && (w->cut[self][to] || world_rand(w, 1000) < w->plan.loss))
        return;
    if (!calm && ((w->plan.away >> from->member & 1u) || (w->plan.away >> node->member & 1u)))
        return;
    if (role == WORLD_SILENT || (role == WORLD_WITHHOLD && world_rand(w, 3) == 0))
        return;
    if (role == WORLD_WITHHOLD && bytes.ptr[0] == MESSAGE_PROPOSE && world_rand(w, 2))
        return;
    if (role == WORLD_LATE)
        delay += world_rand(w, 3000);
    if (w->plan.twins_split && (role == WORLD_TWIN || w->plan.role[node->member] == WORLD_TWIN) && !calm &&
        w->side[self] != w->side[to])
        return;
    net_trace(w, from, node, bytes);
    for (copies = !calm && world_rand(w, 1000) < w->plan.dup ? 2 : 1; copies > 0; copies--) {
        union {
            const uint8_t *in;
            uint8_t *out;
        } p = {bytes.ptr};
        world_push(w, (struct world_event){.at = w->now + delay,
                                           .what = WORLD_MESSAGE,
                                           .node = (int)node->member + 16 * node->twin,
                                           .from = self,
                                           .bytes = p.out,
                                           .len = bytes.len,
                                           .life = 0});
        delay += world_rand(w, 50);
    }
}

static void world_cuts(struct world *w) {
    int i, j, kind = (int)world_rand(w, 3);
    memset(w->cut, 0, sizeof w->cut);
    for (i = 0; i < w->node_count; i++)
        if (!w->plan.twins_split)
            w->side[i] = (int)world_rand(w, 2);
    for (i = 0; i < w->node_count; i++)
        for (j = 0; j < w->node_count; j++)
            w->cut[i][j] = kind == 0 ? w->side[i] != w->side[j] : kind == 1 ? world_rand(w, 4) == 0 : false;
}

static void world_schedule(struct world *w) {
    const struct world_plan *p = &w->plan;
    unsigned i;
    int k;
    for (i = 0; i < p->crashes; i++) {
        uint64_t at = world_rand(w, p->calm_ms), back = at + world_rand(w, 400);
        int node = (int)world_rand(w, p->n);
        for (k = 0; k < (int)p->n; k++)
            if (p->crash_all || k == node) {
                world_push(w, (struct world_event){.at = at, .what = WORLD_CRASH, .node = k});
                world_push(w, (struct world_event){.at = back, .what = WORLD_RESTART, .node = k});
            }
    }
    for (i = 0; i < p->cuts; i++)
        world_push(w, (struct world_event){.at = world_rand(w, p->calm_ms), .what = WORLD_CUT});
    for (i = 0; i < p->entries && i < 60; i++) {
        uint32_t who;
        do
            who = (uint32_t)world_rand(w, p->n);
        while (p->role[who] != WORLD_HONEST);
        w->injected |= 1ULL << i;
        world_push(w, (struct world_event){
                          .at = world_rand(w, p->calm_ms), .what = WORLD_ENTRY, .node = (int)who, .arg = 1ULL << i});
    }
    world_push(w, (struct world_event){.at = p->calm_ms, .what = WORLD_RESTART, .node = -1});
    for (k = 0; k < w->node_count; k++)
        world_push(w, (struct world_event){.at = 1000 + world_rand(w, 1000),
                                           .what = WORLD_STATUS,
                                           .node = (int)w->nodes[k]->member + 16 * w->nodes[k]->twin});
}

struct world *world_new(const struct world_plan *plan) {
    struct world *w = calloc(1, sizeof *w);
    uint32_t i;
    int t;
    w->plan = *plan;
    w->rng = plan->seed * 0x9E3779B97F4A7C15ULL + 0x1234567;
    w->set.epoch = 1;
    w->set.protocol = SET_PROTOCOL_VERSION;
    w->set.n = plan->n;
    w->set.k = plan->k;
    w->set.channel = digest_of(slice_of(&plan->seed, 8));
    snprintf(w->set.origin, sizeof w->set.origin, "assay/sim/channel");
    for (i = 0; i < plan->n; i++) {
        w->liars += plan->role[i] != WORLD_HONEST;
        snprintf(w->set.member[i].name, sizeof w->set.member[i].name, "n%u", i);
        w->set.member[i].org = w->set.member[i].group = i;
        w->set.member[i].regulator = plan->regulators >> i & 1u;
        memcpy(w->set.member[i].key.b, digest_of(slice_of(&i, 4)).b, 32);
        for (t = 0; t <= (plan->role[i] == WORLD_TWIN); t++) {
            struct world_node *node = calloc(1, sizeof *node);
            node->member = i;
            node->twin = t;
            node->honest = plan->role[i] == WORLD_HONEST;
            node->disk = calloc(1, sizeof *node->disk);
            node->disk->final = -1;
            w->nodes[w->node_count] = node;
            w->side[w->node_count++] = plan->role[i] == WORLD_TWIN ? t : (int)(i & 1u);
        }
    }
    if (set_finish_unchecked(&w->set, NULL) != ERR_OK)
        abort();
    return w;
}

static void world_one(struct world *w, struct world_event *ev) {
    int at = world_index(w, ev->node), i;
    struct world_node *node = w->nodes[at >= 0 ? at : 0];
    switch (ev->what) {
    case WORLD_CUT:
        world_cuts(w);
        return;
    case WORLD_CRASH:
        if (w->now < w->plan.calm_ms && at >= 0)
            host_crash(w, node);
        return;
    case WORLD_RESTART:
        for (i = 0; i < w->node_count; i++)
            if ((ev->node < 0 || i == at) && !w->nodes[i]->up)
                host_start(w, w->nodes[i]);
        return;
    case WORLD_STATUS:
        ev->at = w->now + 2000;
        world_push(w, *ev);
        break;
    case WORLD_ENTRY:
    case WORLD_FORWARD:
        if (!node->up) { /* the outbox of a node that is down speaks when it is up */
            ev->at = w->now + 100;
            world_push(w, *ev);
            return;
        }
        break;
    case WORLD_MESSAGE:
        if (w->plan.crash_at_steps && w->now < w->plan.calm_ms && node->honest && node->up && world_rand(w, 200) == 0) {
            host_crash(w, node);
            world_push(w, (struct world_event){
                              .at = w->now + 1 + world_rand(w, 100), .what = WORLD_RESTART, .node = ev->node});
        }
        break;
    case WORLD_TICK:
    case WORLD_SYNC:
    case WORLD_VALIDATED:
    case WORLD_PAYLOAD:
        if (node->life != ev->life)
            return;
        break;
    }
    if (node->up)
        host_event(w, node, ev);
}

const char *world_run(struct world *w) {
    int i;
    for (i = 0; i < w->node_count; i++)
        host_start(w, w->nodes[i]);
    world_schedule(w);
    while (w->heap_count && !w->broken[0]) {
        struct world_event ev = world_pop(w);
        if (ev.at > w->plan.end_ms) {
            if (ev.len)
                free(ev.bytes);
            break;
        }
        if (ev.at > w->now)
            w->now = ev.at;
        world_one(w, &ev);
        if (ev.len)
            free(ev.bytes);
    }
    if (!w->broken[0])
        check_end(w);
    return w->broken[0] ? w->broken : NULL;
}

void world_free(struct world *w) {
    size_t k;
    int i;
    for (i = 0; i < w->node_count; i++) {
        struct world_node *node = w->nodes[i];
        if (node->up)
            host_crash(w, node);
        for (k = 0; k < node->disk->count; k++)
            free(node->disk->records[k].bytes);
        free(node->disk);
        free(node);
    }
    for (k = 0; k < w->heap_count; k++)
        if (w->heap[k].len)
            free(w->heap[k].bytes);
    free(w->heap);
    free(w);
}

uint64_t world_evidence(const struct world *w) {
    return w->evidence;
}
uint64_t world_blocks(const struct world *w) {
    return w->top;
}
uint64_t world_steps(const struct world *w) {
    return w->steps;
}
