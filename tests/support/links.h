/* tests/support/links.h -- a small network's certificates and keys, and a raw TLS-less socket, for tests of links. */
#ifndef TESTS_SUPPORT_LINKS_H
#define TESTS_SUPPORT_LINKS_H

#include "wire/link.h"

enum { LINKS_PEM = 4096 };

struct links_ca {
    char pem[LINKS_PEM];
    struct tls_key *key;
};
struct links_node {
    struct link_self self;
    char id[LIMIT_NAME + 1];
    char cert[LINKS_PEM], key[LINKS_PEM];
};

int64_t links_now(void); /* ms UTC */
void links_ca_make(struct links_ca *ca, const char *org);
void links_ca_free(struct links_ca *ca);
/* A node whose certificate names cert_id (usually id). network: its first byte. */
void links_node_make(struct links_node *n, const char *id, const char *cert_id, const struct links_ca *ca,
                     uint8_t network);
void links_node_free(struct links_node *n);
void links_address(char out[32], uint16_t port); /* 127.0.0.1:port */
int links_connect(uint16_t port);                /* a bare TCP socket with a time-out of 5 s, or -1 */
uint16_t links_free_port(void);                  /* one that nobody listens on just now */
/* Waits until f(ctx) is true, up to ms; the last answer. */
bool links_wait(bool (*f)(void *ctx), void *ctx, unsigned ms);

#endif
