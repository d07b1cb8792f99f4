/* tests/bench/load.c -- a client that submits records to a running node and measures.
 *   load --home DIR [--channel NAME] [--clients N] [--count N] [--pause MS]
 * Each client has a connection of its own, submits one record at a time and waits until it is final. Prints count,
 * seconds, records/s and the latency's p50, p99 and maximum in milliseconds, as one JSON line. */
#include "node/node.h"
#include "tests/support/samples.h"
#include "wire/mem.h"
#include "tests/support/client.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct load {
    struct node *node;
    char address[LINK_ADDRESS];
    const char *ca, *channel;
    unsigned clients, count, pause_ms;
    int64_t *micros;
    atomic_uint next, failed;
};

static int64_t load_micros(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void *load_client(void *arg) {
    struct load *l = arg;
    struct rpc_client *rpc = NULL;
    struct buf b;
    struct err e = {0};
    unsigned n;
    buf_init(&b, 1 << 20);
    if (rpc_connect(&l->node->link, l->address, l->ca, 5000, &rpc, &e) != ERR_OK) {
        fprintf(stderr, "load: %s\n", e.text);
        atomic_fetch_add(&l->failed, 1);
        return NULL;
    }
    while ((n = atomic_fetch_add(&l->next, 1)) < l->count) {
        int64_t from;
        buf_clear(&b);
        sample_submit(&b, l->channel, n, SAMPLE_GOOD);
        from = load_micros();
        if (rpc_call(rpc, "submit", buf_slice(&b), NULL, NULL, 30000, &e) != ERR_OK) {
            fprintf(stderr, "load: %s: %s\n", err_name(e.code), e.text);
            atomic_fetch_add(&l->failed, 1);
            break;
        }
        l->micros[n] = load_micros() - from;
        if (l->pause_ms) {
            struct timespec t = {.tv_sec = l->pause_ms / 1000, .tv_nsec = l->pause_ms % 1000 * 1000000L};
            nanosleep(&t, NULL);
        }
    }
    rpc_close(rpc);
    buf_release(&b);
    return NULL;
}

static int load_cmp(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    struct load l = {.channel = "", .clients = 1, .count = 100};
    struct node *n = mem_zalloc(1, sizeof *n);
    const char *home = NULL;
    pthread_t *threads;
    struct buf ca;
    struct err e = {0};
    int64_t from, took;
    unsigned i;
    int a;
    for (a = 1; a + 1 < argc; a += 2) {
        if (strcmp(argv[a], "--home") == 0)
            home = argv[a + 1];
        else if (strcmp(argv[a], "--channel") == 0)
            l.channel = argv[a + 1];
        else if (strcmp(argv[a], "--clients") == 0)
            l.clients = (unsigned)strtoul(argv[a + 1], NULL, 10);
        else if (strcmp(argv[a], "--count") == 0)
            l.count = (unsigned)strtoul(argv[a + 1], NULL, 10);
        else if (strcmp(argv[a], "--pause") == 0)
            l.pause_ms = (unsigned)strtoul(argv[a + 1], NULL, 10);
    }
    if (!home || !n || l.clients == 0 || l.count == 0 || node_load(home, n, &e) != ERR_OK) {
        fprintf(stderr, "load: %s\n", home ? e.text : "--home DIR is needed");
        return 2;
    }
    l.node = n;
    snprintf(l.address, sizeof l.address, "%.*s", SLICE_ARG(n->config.body.listen));
    buf_init(&ca, 1 << 16);
    buf_append(&ca, n->org->ca);
    l.ca = buf_cstr(&ca);
    l.micros = mem_zalloc(l.count, sizeof *l.micros);
    threads = mem_zalloc(l.clients, sizeof *threads);
    if (!l.micros || !threads)
        return 1;
    from = load_micros();
    for (i = 0; i < l.clients; i++)
        if (pthread_create(&threads[i], NULL, load_client, &l) != 0)
            return 1;
    for (i = 0; i < l.clients; i++)
        pthread_join(threads[i], NULL);
    took = load_micros() - from;
    qsort(l.micros, l.count, sizeof *l.micros, load_cmp);
    printf("{\"clients\":%u,\"count\":%u,\"failed\":%u,\"seconds\":%.3f,\"records_per_second\":%.0f,\"p50_ms\":%.2f,"
           "\"p99_ms\":%.2f,\"max_ms\":%.2f}\n",
           l.clients, l.count, atomic_load(&l.failed), (double)took / 1e6, l.count / ((double)took / 1e6),
           (double)l.micros[l.count / 2] / 1e3, (double)l.micros[l.count * 99 / 100] / 1e3,
           (double)l.micros[l.count - 1] / 1e3);
    return atomic_load(&l.failed) ? 1 : 0;
}
