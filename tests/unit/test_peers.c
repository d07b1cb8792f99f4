/* tests/unit/test_peers.c -- a mesh on loopback: up, down, back, floods, changes of the table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/links.h"
#include "wire/buf.h"
#include "wire/peers.h"
#include "wire/tap.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct mate {
    struct links_node node;
    struct peers *peers;
    uint16_t port;
    pthread_mutex_t mtx;
    unsigned ups, downs, messages;
    bool wrong_order; /* a message while down, or up twice */
    bool stall;
    uint32_t last;
    char from[LIMIT_NAME + 1];
};

enum { MATES = 3 };
struct world {
    struct links_ca ca;
    struct mate m[MATES];
};

static void on_up(void *ctx, const char *peer) {
    struct mate *m = ctx;
    (void)peer;
    pthread_mutex_lock(&m->mtx);
    m->ups++;
    pthread_mutex_unlock(&m->mtx);
}

static void on_down(void *ctx, const char *peer) {
    struct mate *m = ctx;
    (void)peer;
    pthread_mutex_lock(&m->mtx);
    m->downs++;
    m->wrong_order |= m->downs > m->ups;
    pthread_mutex_unlock(&m->mtx);
}

static bool stalled(struct mate *m) {
    bool v;
    pthread_mutex_lock(&m->mtx);
    v = m->stall;
    pthread_mutex_unlock(&m->mtx);
    return v;
}

static void on_message(void *ctx, const char *peer, struct slice bytes) {
    struct mate *m = ctx;
    pthread_mutex_lock(&m->mtx);
    m->messages++;
    m->wrong_order |= m->ups == 0;
    m->last = bytes.len >= 4 ? buf_get32(bytes.ptr) : 0;
    snprintf(m->from, sizeof m->from, "%s", peer);
    pthread_mutex_unlock(&m->mtx);
    while (stalled(m))
        usleep(1000);
}

static void mate_start(struct world *w, struct mate *m, const struct link_limits *limits, struct link_tap tap) {
    char listen[32];
    struct peers_config c = {.self = &m->node.self,
                             .listen = listen,
                             .ca_pems = w->ca.pem,
                             .tap = tap,
                             .ctx = m,
                             .on_message = on_message,
                             .on_up = on_up,
                             .on_down = on_down};
    struct err e;
    links_address(listen, m->port);
    if (limits)
        c.limits = *limits;
    if (peers_start(&c, &m->peers, &e))
        fail_msg("%s", e.text);
    m->port = peers_port(m->peers);
}

static void mate_meets(struct world *w, struct mate *m, const struct mate *other) {
    char address[32];
    struct peers_entry entry = {other->node.id, address, other->node.self.link_public, w->ca.pem};
    struct err e;
    links_address(address, other->port);
    if (peers_set(m->peers, &entry, &e))
        fail_msg("%s", e.text);
}

static int set_up(void **state) {
    static const char *const ids[MATES] = {"node-a", "node-b", "node-c"};
    struct world *w = calloc(1, sizeof *w);
    int i;
    links_ca_make(&w->ca, "acme");
    for (i = 0; i < MATES; i++) {
        links_node_make(&w->m[i].node, ids[i], ids[i], &w->ca, 1);
        pthread_mutex_init(&w->m[i].mtx, NULL);
    }
    *state = w;
    return 0;
}

static int tear_down(void **state) {
    struct world *w = *state;
    int i, wrong = 0;
    for (i = 0; i < MATES; i++) {
        if (w->m[i].peers)
            peers_stop(w->m[i].peers);
        wrong |= w->m[i].wrong_order;
        links_node_free(&w->m[i].node);
    }
    links_ca_free(&w->ca);
    free(w);
    return wrong;
}

static unsigned peek(struct mate *m, const unsigned *what) {
    unsigned v;
    pthread_mutex_lock(&m->mtx);
    v = *what;
    pthread_mutex_unlock(&m->mtx);
    return v;
}

#define WAIT(mate, what, count) wait_for((mate), &(mate)->what, (count))
static void wait_for(struct mate *m, const unsigned *what, unsigned count) {
    unsigned ms;
    for (ms = 0; ms < 10000 && peek(m, what) < count; ms += 2)
        usleep(2000);
    assert_true(peek(m, what) >= count);
}

static enum err_code say(struct mate *m, const struct mate *to, uint32_t n, enum link_class class) {
    uint8_t bytes[200] = {(uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};
    struct err e;
    return peers_send(m->peers, to->node.id, class, slice_of(bytes, sizeof bytes), &e);
}

static const struct link_tap no_tap;

static void start_two(struct world *w, const struct link_limits *limits) {
    mate_start(w, &w->m[0], limits, no_tap);
    mate_start(w, &w->m[1], limits, no_tap);
    mate_meets(w, &w->m[0], &w->m[1]);
    mate_meets(w, &w->m[1], &w->m[0]);
    WAIT(&w->m[0], ups, 1);
    WAIT(&w->m[1], ups, 1);
}

static void test_mesh_of_three_talks_over_one_connection_a_pair(void **state) {
    struct world *w = *state;
    struct peers_stats s[MATES];
    int i, j;
    for (i = 0; i < MATES; i++)
        mate_start(w, &w->m[i], NULL, no_tap);
    for (i = 0; i < MATES; i++)
        for (j = 0; j < MATES; j++)
            if (i != j)
                mate_meets(w, &w->m[i], &w->m[j]);
    for (i = 0; i < MATES; i++)
        WAIT(&w->m[i], ups, 2);
    for (i = 0; i < MATES; i++)
        for (j = 0; j < MATES; j++)
            if (i != j)
                assert_int_equal(say(&w->m[i], &w->m[j], 1, LINK_URGENT), ERR_OK);
    for (i = 0; i < MATES; i++)
        WAIT(&w->m[i], messages, 2);
    usleep(300000);
    for (i = 0; i < MATES; i++) {
        assert_int_equal(w->m[i].ups, 2);
        assert_int_equal(w->m[i].downs, 0);
        assert_int_equal(peers_stats_all(w->m[i].peers, s, MATES), 2);
        assert_true(s[0].up && s[1].up);
        assert_int_equal(s[0].ups, 1);
        assert_int_equal(s[0].messages_in, 1);
        assert_int_equal(s[0].messages_out, 1);
    }
    assert_true(s[0].dials == false && s[1].dials == false); /* node-c dials nobody */
}

static void test_unknown_and_absent_peers_are_told_apart(void **state) {
    struct world *w = *state;
    struct peers_stats s;
    struct err e;
    mate_start(w, &w->m[0], NULL, no_tap);
    assert_int_equal(say(&w->m[0], &w->m[1], 1, LINK_URGENT), ERR_NOT_FOUND);
    w->m[1].port = links_free_port();
    mate_meets(w, &w->m[0], &w->m[1]);
    assert_int_equal(say(&w->m[0], &w->m[1], 1, LINK_URGENT), ERR_UNREACHABLE);
    usleep(300000);
    assert_int_equal(peers_stats(w->m[0].peers, "node-b", &s, &e), ERR_OK);
    assert_false(s.up);
    assert_true(s.dials);
    assert_true(s.dropped_down == 1);
    assert_true(s.last_error[0] != 0);
    assert_int_equal(peers_stats(w->m[0].peers, "node-x", &s, &e), ERR_NOT_FOUND);
    assert_int_equal(peers_set(w->m[0].peers, &(struct peers_entry){.id = "node-a", .ca_pem = w->ca.pem}, &e),
                     ERR_CONFIG);
    assert_int_equal(peek(&w->m[0], &w->m[0].downs), 0);
}

static void test_peer_that_dies_and_returns_is_found_again(void **state) {
    struct world *w = *state;
    int round;
    start_two(w, NULL);
    for (round = 1; round <= 2; round++) { /* the accepting side dies first, then the dialling one */
        struct mate *dead = &w->m[round == 1 ? 1 : 0], *alive = &w->m[round == 1 ? 0 : 1];
        unsigned ups = peek(alive, &alive->ups), downs = peek(alive, &alive->downs), got;
        peers_stop(dead->peers);
        dead->peers = NULL;
        WAIT(alive, downs, downs + 1);
        assert_int_equal(say(alive, dead, 1, LINK_URGENT), ERR_UNREACHABLE);
        mate_start(w, dead, NULL, no_tap); /* on its old port */
        mate_meets(w, dead, alive);
        WAIT(alive, ups, ups + 1);
        got = peek(dead, &dead->messages);
        assert_int_equal(say(alive, dead, 7, LINK_URGENT), ERR_OK);
        WAIT(dead, messages, got + 1);
        assert_int_equal(dead->last, 7);
    }
}

static void test_flood_keeps_order_and_is_coalesced(void **state) {
    struct world *w = *state;
    struct peers_stats s;
    struct err e;
    uint32_t i;
    start_two(w, NULL);
    for (i = 1; i <= 20000; i++)
        while (say(&w->m[0], &w->m[1], i, LINK_URGENT) == ERR_FULL)
            usleep(500);
    WAIT(&w->m[1], messages, 20000);
    assert_int_equal(w->m[1].last, 20000);
    assert_string_equal(w->m[1].from, "node-a");
    assert_int_equal(peers_stats(w->m[0].peers, "node-b", &s, &e), ERR_OK);
    assert_int_equal(s.messages_out, 20000);
    assert_true(s.writes < 10000);
}

static void test_flood_to_a_stalled_peer_meets_the_limit(void **state) {
    struct world *w = *state;
    struct link_limits limits = {.bulk_bytes = 1 << 20};
    struct peers_stats s;
    enum err_code rc = ERR_OK;
    unsigned n = 0, full = 0;
    struct err e;
    start_two(w, &limits);
    pthread_mutex_lock(&w->m[1].mtx);
    w->m[1].stall = true;
    pthread_mutex_unlock(&w->m[1].mtx);
    for (n = 0; n < 200000; n++) {
        rc = say(&w->m[0], &w->m[1], n, LINK_BULK);
        full += rc == ERR_FULL;
        assert_true(rc == ERR_OK || rc == ERR_FULL);
        if (full == 1000)
            break;
    }
    assert_int_equal(full, 1000);
    assert_int_equal(peers_stats(w->m[0].peers, "node-b", &s, &e), ERR_OK);
    assert_true(s.queued <= (1 << 20) + 2 * LINK_WRITE);
    assert_int_equal(s.dropped_full, 1000);
    assert_true(s.up);
    pthread_mutex_lock(&w->m[1].mtx);
    w->m[1].stall = false;
    pthread_mutex_unlock(&w->m[1].mtx);
    WAIT(&w->m[1], messages, (unsigned)s.messages_out); /* what was taken arrives */
}

static void test_removed_peer_goes_down_and_is_not_dialled(void **state) {
    struct world *w = *state;
    start_two(w, NULL);
    peers_remove(w->m[0].peers, "node-b");
    assert_int_equal(peek(&w->m[0], &w->m[0].downs), 1);
    WAIT(&w->m[1], downs, 1);
    assert_int_equal(say(&w->m[0], &w->m[1], 1, LINK_URGENT), ERR_NOT_FOUND);
    usleep(500000);
    assert_int_equal(peek(&w->m[0], &w->m[0].ups), 1);
    peers_remove(w->m[0].peers, "node-b"); /* again: nothing */
    mate_meets(w, &w->m[0], &w->m[1]);
    WAIT(&w->m[0], ups, 2);
    mate_meets(w, &w->m[0], &w->m[1]); /* the same row: nothing happens */
    assert_int_equal(peek(&w->m[0], &w->m[0].downs), 1);
}

static void test_changed_key_keeps_the_old_holder_out(void **state) {
    struct world *w = *state;
    struct links_node fresh;
    char address[32];
    struct err e;
    start_two(w, NULL);
    links_node_make(&fresh, "node-a", "node-a", &w->ca, 1);
    links_address(address, w->m[0].port);
    assert_int_equal(
        peers_set(w->m[1].peers, &(struct peers_entry){"node-a", address, fresh.self.link_public, w->ca.pem}, &e),
        ERR_OK);
    assert_int_equal(peek(&w->m[1], &w->m[1].downs), 1);
    usleep(600000);
    assert_int_equal(peek(&w->m[1], &w->m[1].ups), 1);
    assert_true(peers_refused(w->m[1].peers) > 0);
    links_node_free(&fresh);
}

struct tapped {
    unsigned sent, received;
    bool secret;
};

static void on_tapped(void *ctx, const char *peer, enum link_direction direction, struct slice bytes) {
    struct tapped *t = ctx;
    assert_string_equal(peer, "node-b");
    *(direction == LINK_SENT ? &t->sent : &t->received) += 1;
    t->secret |= memmem(bytes.ptr, bytes.len, "王芳 transfers", 16) != NULL;
}

static void test_tap_captures_plaintext_both_ways(void **state) {
    struct world *w = *state;
    struct tapped seen = {0};
    struct tap *tap;
    char path[64];
    struct err e;
    snprintf(path, sizeof path, "/tmp/assay-tap-%d", (int)getpid());
    assert_int_equal(tap_open(path, &tap, &e), ERR_OK);
    mate_start(w, &w->m[0], NULL, tap_hook(tap));
    mate_start(w, &w->m[1], NULL, no_tap);
    mate_meets(w, &w->m[0], &w->m[1]);
    mate_meets(w, &w->m[1], &w->m[0]);
    WAIT(&w->m[0], ups, 1);
    WAIT(&w->m[1], ups, 1);
    assert_int_equal(peers_send(w->m[0].peers, "node-b", LINK_BULK, slice_str("王芳 transfers"), &e), ERR_OK);
    assert_int_equal(say(&w->m[1], &w->m[0], 3, LINK_BULK), ERR_OK);
    WAIT(&w->m[0], messages, 1);
    WAIT(&w->m[1], messages, 1);
    peers_stop(w->m[0].peers);
    w->m[0].peers = NULL;
    tap_close(tap);
    assert_int_equal(tap_read(path, on_tapped, &seen, &e), ERR_OK);
    assert_true(seen.secret);
    assert_int_equal(seen.sent, 3);     /* open, proof, message */
    assert_int_equal(seen.received, 3); /* reply, verdict, message */
    unlink(path);
}

static void test_port_in_use_is_a_configuration_error(void **state) {
    struct world *w = *state;
    struct peers_config c = {
        .self = &w->m[1].node.self, .ca_pems = w->ca.pem, .on_message = on_message, .ctx = &w->m[1]};
    char listen[32];
    struct peers *p;
    struct err e;
    mate_start(w, &w->m[0], NULL, no_tap);
    links_address(listen, w->m[0].port);
    c.listen = listen;
    assert_int_equal(peers_start(&c, &p, &e), ERR_CONFIG);
    assert_null(p);
    assert_non_null(strstr(e.text, listen));
}

static void test_stop_under_fire_is_clean(void **state) {
    struct world *w = *state;
    int round, i;
    for (round = 0; round < 5; round++) {
        for (i = 0; i < MATES; i++)
            mate_start(w, &w->m[i], NULL, no_tap);
        for (i = 0; i < MATES * MATES; i++)
            if (i / MATES != i % MATES)
                mate_meets(w, &w->m[i / MATES], &w->m[i % MATES]);
        usleep((unsigned)round * 15000); /* in the midst of dials and hellos */
        for (i = 0; i < 500; i++)
            (void)say(&w->m[0], &w->m[1], 1, LINK_BULK);
        for (i = 0; i < MATES; i++) {
            peers_stop(w->m[i].peers);
            w->m[i].peers = NULL;
            assert_int_equal(w->m[i].ups, w->m[i].downs);
        }
    }
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void) {
    const struct CMUnitTest tests[] = {
        T(test_mesh_of_three_talks_over_one_connection_a_pair), T(test_unknown_and_absent_peers_are_told_apart),
        T(test_peer_that_dies_and_returns_is_found_again),      T(test_flood_keeps_order_and_is_coalesced),
        T(test_flood_to_a_stalled_peer_meets_the_limit),        T(test_removed_peer_goes_down_and_is_not_dialled),
        T(test_changed_key_keeps_the_old_holder_out),           T(test_tap_captures_plaintext_both_ways),
        T(test_port_in_use_is_a_configuration_error),           T(test_stop_under_fire_is_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
