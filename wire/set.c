/* wire/set.c -- see set.h. set_hash = SHA-256 of
 * "assay/set/v1" NUL ‖ channel[32] ‖ epoch u64 ‖ protocol u32 ‖ k u32 ‖ n u32 ‖ for each member: name length u8 ‖ name
 * ‖ org u32 ‖ group u32 ‖ regulator u8 ‖ key[32]; integers big-endian. */
#include "wire/set.h"

#include "wire/buf.h"

void set_seats(const struct set *s, struct quorum_seat out[LIMIT_VALIDATORS]) {
    uint32_t i;
    for (i = 0; i < s->n; i++)
        out[i] = (struct quorum_seat){s->member[i].org, s->member[i].group, s->member[i].regulator};
}

static enum err_code set_hash_of(struct set *s, struct err *e) {
    struct buf b;
    uint8_t seed[DIGEST_SIZE + 8];
    struct digest turn;
    enum err_code rc;
    uint32_t i;
    ERR_ASSERT(s->n > 0); /* quorum_make came before */
    buf_init(&b, 4096);
    buf_bytes(&b, s->channel.b, DIGEST_SIZE);
    buf_be64(&b, s->epoch);
    memcpy(seed, b.ptr ? b.ptr : s->channel.b, b.ptr ? sizeof seed : DIGEST_SIZE);
    buf_be32(&b, s->protocol);
    buf_be32(&b, s->k);
    buf_be32(&b, s->n);
    for (i = 0; i < s->n; i++) {
        const struct set_member *m = &s->member[i];
        buf_u8(&b, (uint8_t)strlen(m->name));
        buf_str(&b, m->name);
        buf_be32(&b, m->org);
        buf_be32(&b, m->group);
        buf_u8(&b, m->regulator);
        buf_bytes(&b, m->key.b, SIGN_PUBLIC_SIZE);
    }
    rc = buf_check(&b, e);
    if (rc == ERR_OK) {
        s->hash = digest_tagged("assay/set/v1", buf_slice(&b));
        turn = digest_tagged("assay/leader/v1", slice_of(seed, sizeof seed));
        s->offset = buf_get32(turn.b) % s->n;
    }
    buf_release(&b);
    return rc;
}

enum err_code set_finish_unchecked(struct set *s, struct err *e) {
    enum err_code rc = quorum_make(s->n, s->k, &s->quorum, e);
    uint32_t i, j;
    if (rc != ERR_OK)
        return rc;
    if (s->protocol != SET_PROTOCOL_VERSION)
        return err_set(e, ERR_UNSUPPORTED, "protocol version %u", s->protocol);
    if (s->epoch == 0)
        return err_set(e, ERR_CONFIG, "epochs begin at 1");
    for (i = 0; i < s->n; i++)
        for (j = 0; j < i; j++)
            if (strcmp(s->member[i].name, s->member[j].name) == 0 ||
                sign_public_eq(&s->member[i].key, &s->member[j].key))
                return err_set(e, ERR_CONFIG, "validators %u and %u share a name or a key", j, i);
    return set_hash_of(s, e);
}

enum err_code set_finish(struct set *s, struct err *e) {
    struct quorum_seat seats[LIMIT_VALIDATORS];
    enum err_code rc = set_finish_unchecked(s, e);
    if (rc != ERR_OK)
        return rc;
    set_seats(s, seats);
    return quorum_check(&s->quorum, seats, e);
}

uint32_t set_leader(const struct set *s, uint64_t view) {
    return (uint32_t)((view % s->n + s->offset) % s->n);
}

int set_find_key(const struct set *s, const struct sign_public *key) {
    uint32_t i;
    for (i = 0; i < s->n; i++)
        if (sign_public_eq(&s->member[i].key, key))
            return (int)i;
    return -1;
}

int set_find_name(const struct set *s, struct slice name) {
    uint32_t i;
    for (i = 0; i < s->n; i++)
        if (slice_eq_str(name, s->member[i].name))
            return (int)i;
    return -1;
}

bool set_is_quorum(const struct set *s, uint32_t bitmap, bool final) {
    uint32_t votes = 0, regulators = 0, i;
    if (bitmap >> s->n)
        return false;
    for (i = 0; i < s->n; i++) {
        votes += bitmap >> i & 1u;
        regulators += (bitmap >> i & 1u) && s->member[i].regulator;
    }
    return votes >= s->quorum.q && (!final || regulators >= s->quorum.k);
}
