/* tests/integration/hostile.c -- a member that lies: connects with a node's real keys and sends what no honest node
 * sends.
 *   hostile HOME PEER_ID CHANNEL OTHER_CHANNEL KIND COUNT
 * HOME's own node must be stopped. Connects as that node to PEER_ID (which must have the greater id), sends COUNT
 * messages of KIND, and prints "sent N" or "closed: WHY" when the peer ended the connection before.
 * Kinds: garbage array-bomb oversized other-channel not-member replay-epoch noncanonical bad-batch gap-batch
 * repeat-batch get-block get-range bad-block bad-vote */
#include "consensus/message.h"
#include "ledger/batch.h"
#include "ledger/entry.h"
#include "audit/annotation.h"
#include "node/clock.h"
#include "node/node.h"
#include "wire/mem.h"
#include "wire/pack.h"
#include "tests/support/client.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct hostile {
    struct node node;
    const struct genesis_channel *channel, *other;
    struct set set;
    struct link *link;
    atomic_int state; /* 0 dialling, 1 ready, 2 closed */
    atomic_uint answers;
    char why[256];
};

static void hostile_ready(void *ctx, struct link *l) {
    struct hostile *h = ctx;
    (void)l;
    atomic_store(&h->state, 1);
}
static void hostile_frame(void *ctx, struct link *l, struct slice bytes) {
    struct hostile *h = ctx;
    (void)l, (void)bytes;
    atomic_fetch_add(&h->answers, 1);
}
static void hostile_closed(void *ctx, struct link *l, enum err_code why, const char *text) {
    struct hostile *h = ctx;
    (void)l;
    snprintf(h->why, sizeof h->why, "%s: %s", err_name(why), text);
    atomic_store(&h->state, 2);
}

static void hostile_sleep(unsigned ms) {
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

static bool hostile_dial(struct hostile *h, const char *id) {
    struct link_handlers handlers = {hostile_ready, hostile_frame, NULL, hostile_closed, h};
    const struct genesis_node *to = genesis_node_find(&h->node.genesis, slice_str(id));
    struct link_target target = {.id = id, .kind = LINK_PEER};
    char address[LINK_ADDRESS];
    struct buf ca;
    struct err e = {0};
    int i;
    if (!to)
        return false;
    buf_init(&ca, 1 << 16);
    buf_append(&ca, genesis_org_find(&h->node.genesis, to->org)->ca);
    snprintf(address, sizeof address, "%.*s", SLICE_ARG(to->address));
    target.address = address;
    target.ca_pem = buf_cstr(&ca);
    memcpy(target.link_public.b, to->link, SIGN_PUBLIC_SIZE);
    if (link_dial(&h->node.link, &target, &(struct link_limits){0}, &(struct link_tap){0}, &handlers, &h->link, &e) !=
        ERR_OK)
        return false;
    for (i = 0; i < 500 && atomic_load(&h->state) == 0; i++)
        hostile_sleep(10);
    return atomic_load(&h->state) == 1;
}

static void hostile_envelope(const struct hostile *h, enum envelope_type type, const struct genesis_channel *channel,
                             struct slice body, struct buf *out) {
    struct envelope m = {.type = type, .request = 7, .body = body};
    m.channel = genesis_channel_id(&h->node.genesis, channel);
    if (envelope_write(&m, out, NULL) != ERR_OK)
        exit(2);
}

/* A vote with our own key: of another channel, another epoch, or with a broken signature. */
static void hostile_vote(const struct hostile *h, const char *kind, unsigned n, struct buf *out) {
    struct message m = {
        .type = MESSAGE_NULLIFY, .channel = h->set.channel, .epoch = h->set.epoch, .set_hash = h->set.hash};
    struct buf b;
    if (strcmp(kind, "other-channel") == 0)
        m.channel = genesis_channel_id(&h->node.genesis, h->other);
    if (strcmp(kind, "replay-epoch") == 0)
        m.epoch = n % 2 ? 2 : 7;
    m.vote = (struct cert_vote){.type = CERT_NULLIFY,
                                .epoch = m.epoch,
                                .view = 1 + n % 50,
                                .signer = (uint32_t)set_find_name(&h->set, slice_str(h->node.id))};
    randombytes_buf(m.vote.sig.b, sizeof m.vote.sig.b);
    buf_init(&b, 1 << 16);
    message_write(&m, &b);
    hostile_envelope(h, ENVELOPE_CONSENSUS, h->channel, buf_slice(&b), out);
    buf_release(&b);
}

/* Our own batch: signature broken, far past the window, or sequence number 1 with new content. */
static void hostile_batch(const struct hostile *h, const char *kind, unsigned n, struct buf *out) {
    struct batch_builder builder;
    struct digest hash, channel = genesis_channel_id(&h->node.genesis, h->channel);
    struct buf entry, carried;
    struct err e = {0};
    uint64_t seq = strcmp(kind, "gap-batch") == 0 ? 100000 + n : 1;
    buf_init(&entry, LIMIT_ENTRY);
    buf_init(&carried, BATCH_CARRIED);
    annotation_entry(slice_none(), slice_str("hostile"), &entry);
    if (batch_builder_init(&builder, &e) != ERR_OK || batch_builder_add(&builder, buf_slice(&entry), &e) != ERR_OK ||
        batch_builder_seal(&builder, &channel, seq, h->node.keys.submit, &h->node.keys.submit_pub, &carried, &hash,
                           &e) != ERR_OK)
        exit(2);
    if (strcmp(kind, "bad-batch") == 0) { /* the signature stands in the header, before the body */
        struct batch b;
        if (batch_read(buf_slice(&carried), &b, &e) != ERR_OK)
            exit(2);
        for (size_t i = 0; i + SIGN_SIZE <= carried.len; i++)
            if (memcmp(carried.ptr + i, b.header.sig.b, SIGN_SIZE) == 0) {
                carried.ptr[i + 5] ^= 1;
                break;
            }
    }
    hostile_envelope(h, ENVELOPE_BATCH, h->channel, buf_slice(&carried), out);
    batch_builder_release(&builder);
    buf_release(&carried);
    buf_release(&entry);
}

static void hostile_make(struct hostile *h, const char *kind, unsigned n, struct buf *out) {
    static const uint8_t bomb[] = {0xdd, 0x0f, 0xff, 0xff, 0xff};
    static uint8_t big[1 << 20], junk[512];
    struct buf b;
    buf_clear(out);
    buf_init(&b, LIMIT_MESSAGE);
    randombytes_buf(junk, sizeof junk);
    if (strcmp(kind, "garbage") == 0)
        buf_bytes(out, junk, sizeof junk);
    else if (strcmp(kind, "array-bomb") == 0 && n % 3 == 0)
        buf_bytes(out, bomb, sizeof bomb);
    else if (strcmp(kind, "array-bomb") == 0)
        hostile_envelope(h, n % 3 == 1 ? ENVELOPE_CONSENSUS : ENVELOPE_BATCH, h->channel, slice_of(bomb, sizeof bomb),
                         out);
    else if (strcmp(kind, "oversized") == 0)
        hostile_envelope(h, ENVELOPE_CONSENSUS, h->channel, slice_of(big, sizeof big), out);
    else if (strcmp(kind, "not-member") == 0)
        hostile_envelope(h, ENVELOPE_CONSENSUS, h->other, slice_of(junk, 40), out);
    else if (strcmp(kind, "noncanonical") == 0) { /* a map of one pair, its count in the long form */
        buf_bytes(out, "\xde\x00\x01\xa1t\x01", 6);
    } else if (strcmp(kind, "get-block") == 0)
        hostile_envelope(h, ENVELOPE_GET_BLOCK, h->channel, slice_of(junk, DIGEST_SIZE), out);
    else if (strcmp(kind, "get-range") == 0) {
        pack_u64(&b, 1);
        hostile_envelope(h, ENVELOPE_GET_RANGE, h->channel, buf_slice(&b), out);
    } else if (strcmp(kind, "bad-block") == 0)
        hostile_envelope(h, ENVELOPE_BLOCK, h->channel, slice_of(junk, 400), out);
    else if (strstr(kind, "-batch"))
        hostile_batch(h, kind, n, out);
    else
        hostile_vote(h, kind, n, out);
    buf_release(&b);
}

int main(int argc, char **argv) {
    static struct hostile h;
    struct err e = {0};
    struct buf out;
    unsigned n, count;
    if (argc != 7 || node_load(argv[1], &h.node, &e) != ERR_OK) {
        fprintf(stderr, "hostile: %s\n", e.text);
        return 2;
    }
    h.channel = genesis_channel_find(&h.node.genesis, slice_str(argv[3]));
    h.other = genesis_channel_find(&h.node.genesis, slice_str(argv[4]));
    count = (unsigned)strtoul(argv[6], NULL, 10);
    if (!h.channel || !h.other || channel_founding_set(&h.node.genesis, h.channel, &h.set, &e) != ERR_OK)
        return 2;
    if (!hostile_dial(&h, argv[2])) {
        printf("refused: %s\n", h.why);
        return 1;
    }
    buf_init(&out, LIMIT_MESSAGE);
    for (n = 0; n < count && atomic_load(&h.state) == 1; n++) {
        hostile_make(&h, argv[5], n, &out);
        while (link_send(h.link, LINK_BULK, buf_slice(&out), &e) == ERR_FULL && atomic_load(&h.state) == 1)
            hostile_sleep(2);
        if (n % 16 == 15)
            hostile_sleep(1);
    }
    for (unsigned i = 0; i < 100 && atomic_load(&h.state) == 1; i++)
        hostile_sleep(10);
    if (atomic_load(&h.state) == 2)
        printf("closed: %s\n", h.why);
    else
        printf("sent %u, answers %u\n", n, atomic_load(&h.answers));
    link_close(h.link);
    for (unsigned i = 0; i < 100 && atomic_load(&h.state) == 1; i++)
        hostile_sleep(10);
    return 0;
}
