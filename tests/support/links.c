/* tests/support/links.c -- see links.h. */
#include "tests/support/links.h"

#include "wire/tls.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static void links_must(enum err_code rc, const struct err *e) {
    if (rc) {
        fprintf(stderr, "links: %s: %s\n", err_name(rc), e->text);
        abort();
    }
}

int64_t links_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Moves the buf's text into a fixed array. */
static void links_text(struct buf *b, char out[LINKS_PEM]) {
    if (b->len >= LINKS_PEM)
        abort();
    memcpy(out, b->ptr, b->len);
    out[b->len] = '\0';
    tls_wipe(b);
}

void links_ca_make(struct links_ca *ca, const char *org) {
    struct buf b;
    struct err e;
    buf_init(&b, TLS_PEM_MAX);
    links_must(tls_key_generate(&ca->key, &e), &e);
    links_must(tls_ca_make(ca->key, org, links_now(), &b, &e), &e);
    links_text(&b, ca->pem);
}

void links_ca_free(struct links_ca *ca) {
    tls_key_free(ca->key);
}

void links_node_make(struct links_node *n, const char *id, const char *cert_id, const struct links_ca *ca,
                     uint8_t network) {
    struct tls_key *key;
    struct sign_secret *secret;
    struct buf b, pub;
    struct err e;
    memset(n, 0, sizeof *n);
    buf_init(&b, TLS_PEM_MAX);
    buf_init(&pub, TLS_PEM_MAX);
    links_must(sign_start(&e), &e);
    links_must(tls_key_generate(&key, &e), &e);
    links_must(tls_key_public_pem(key, &pub, &e), &e);
    links_must(tls_cert_make(slice_str(ca->pem), ca->key, buf_slice(&pub), cert_id, TLS_NODE_DAYS, links_now(), &b, &e),
               &e);
    links_text(&b, n->cert);
    links_must(tls_key_pem(key, &b, &e), &e);
    links_text(&b, n->key);
    buf_release(&pub);
    tls_key_free(key);
    snprintf(n->id, sizeof n->id, "%s", id);
    links_must(sign_generate(&secret, &n->self.link_public, &e), &e);
    n->self.id = n->id;
    n->self.network.b[0] = network;
    n->self.link_secret = secret;
    n->self.cert_pem = n->cert;
    n->self.key_pem = n->key;
}

void links_node_free(struct links_node *n) {
    sign_secret_free((struct sign_secret *)(uintptr_t)n->self.link_secret);
}

void links_address(char out[32], uint16_t port) {
    snprintf(out, 32, "127.0.0.1:%u", port);
}

static struct sockaddr_in links_loopback(uint16_t port) {
    struct sockaddr_in a = {0};
    a.sin_family = AF_INET;
    a.sin_port = htons(port);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

int links_connect(uint16_t port) {
    struct sockaddr_in a = links_loopback(port);
    struct timeval limit = {5, 0};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(fd, (struct sockaddr *)(void *)&a, sizeof a)) {
        close(fd);
        return -1;
    }
    return fd;
}

uint16_t links_free_port(void) {
    struct sockaddr_in a = links_loopback(0);
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)(void *)&a, sizeof a) ||
        getsockname(fd, (struct sockaddr *)(void *)&a, &len))
        abort();
    close(fd);
    return ntohs(a.sin_port);
}

bool links_wait(bool (*f)(void *ctx), void *ctx, unsigned ms) {
    unsigned waited;
    for (waited = 0; waited < ms && !f(ctx); waited += 5)
        usleep(5000);
    return f(ctx);
}
