/* wire/note.c -- see note.h. */
#include "wire/note.h"

#include "wire/base64.h"
#include "wire/digest.h"
#include "wire/utf8.h"

#include <inttypes.h>

enum {
    NOTE_SIG_ED25519 = 4 + SIGN_SIZE,         /* key id ‖ signature */
    NOTE_SIG_COSIGNATURE = 4 + 8 + SIGN_SIZE, /* key id ‖ seconds ‖ signature */
    NOTE_COSIGNED_HEAD = 48                   /* "cosignature/v1" LF "time " 20 digits LF */
};

static const char note_dash[] = "\xE2\x80\x94 "; /* U+2014 and a space */

/* The next character of valid UTF-8; moves *s. */
static uint32_t note_char(struct slice *s) {
    const uint8_t *p = s->ptr;
    size_t more = p[0] < 0x80 ? 0 : p[0] < 0xE0 ? 1 : p[0] < 0xF0 ? 2 : 3;
    uint32_t c = more == 0 ? p[0] : p[0] & (0x3Fu >> more);
    size_t i;
    for (i = 1; i <= more; i++)
        c = c << 6 | (p[i] & 0x3Fu);
    *s = slice_from(*s, 1 + more);
    return c;
}

/* White_Space of Unicode. */
static bool note_space(uint32_t c) {
    return (c >= 9 && c <= 13) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
           c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool note_name_ok(struct slice name) {
    if (name.len == 0 || name.len > NOTE_NAME || !utf8_valid(name))
        return false;
    while (name.len > 0) {
        uint32_t c = note_char(&name);
        if (c == '+' || c < 0x20 || note_space(c))
            return false;
    }
    return true;
}

/* UTF-8 without control characters but LF; what a note as a whole must be. */
static bool note_plain(struct slice s) {
    size_t i;
    for (i = 0; i < s.len; i++)
        if (s.ptr[i] < 0x20 && s.ptr[i] != '\n')
            return false;
    return utf8_valid(s);
}

bool note_text_ok(struct slice text) {
    return text.len > 0 && text.len < NOTE_MAX && text.ptr[text.len - 1] == '\n' && note_plain(text);
}

uint32_t note_key_id(struct slice name, unsigned type, const struct sign_public *pub) {
    uint8_t head[2] = {'\n', (uint8_t)type};
    struct digest_state s;
    struct digest d;
    digest_init(&s);
    digest_update(&s, name);
    digest_update(&s, slice_of(head, sizeof head));
    digest_update(&s, slice_of(pub->b, SIGN_PUBLIC_SIZE));
    digest_final(&s, &d);
    return buf_get32(d.b);
}

enum err_code note_key_make(struct slice name, unsigned type, const struct sign_public *pub, struct note_key *out,
                            struct err *e) {
    if (!note_name_ok(name))
        return err_set(e, ERR_MALFORMED, "a signer's name may be neither empty nor hold a space or a plus");
    if (type != NOTE_ED25519 && type != NOTE_COSIGNATURE)
        return err_set(e, ERR_UNSUPPORTED, "a note key of type %u", type);
    *out = (struct note_key){.name = name, .type = type, .id = note_key_id(name, type, pub), .pub = *pub};
    return ERR_OK;
}

void note_vkey_write(const struct note_key *k, struct buf *out) {
    uint8_t key[1 + SIGN_PUBLIC_SIZE];
    key[0] = (uint8_t)k->type;
    memcpy(key + 1, k->pub.b, SIGN_PUBLIC_SIZE);
    buf_append(out, k->name);
    buf_printf(out, "+%08" PRIx32 "+", k->id);
    base64_write(slice_of(key, sizeof key), out);
}

/* Up to the first `stop`, which is dropped; *rest is what follows. False when there is none. */
static bool note_until(struct slice *rest, uint8_t stop, struct slice *out) {
    const uint8_t *p = rest->len ? memchr(rest->ptr, stop, rest->len) : NULL;
    if (!p)
        return false;
    *out = slice_of(rest->ptr, (size_t)(p - rest->ptr));
    *rest = slice_from(*rest, out->len + 1);
    return true;
}

static bool note_hex32(struct slice s, uint32_t *v) {
    size_t i;
    *v = 0;
    if (s.len != 8)
        return false;
    for (i = 0; i < 8; i++) {
        uint8_t c = s.ptr[i];
        if (c >= '0' && c <= '9')
            *v = *v << 4 | (uint32_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            *v = *v << 4 | (uint32_t)(c - 'a' + 10);
        else
            return false;
    }
    return true;
}

enum err_code note_vkey_read(struct slice text, struct note_key *out, struct err *e) {
    struct slice name, id_text, rest = text;
    uint8_t key[1 + SIGN_PUBLIC_SIZE];
    struct sign_public pub;
    size_t len = 0;
    uint32_t id;
    enum err_code rc;
    if (text.len > NOTE_VKEY_MAX || !note_until(&rest, '+', &name) || !note_until(&rest, '+', &id_text) ||
        !note_hex32(id_text, &id) || !base64_valid(rest))
        return err_set(e, ERR_MALFORMED, "not a verifier key: expected name+8 hex digits+base64");
    if (!base64_read(rest, key, sizeof key, &len) || len != sizeof key)
        return err_set(e, ERR_MALFORMED, "a verifier key of a wrong length");
    memcpy(pub.b, key + 1, SIGN_PUBLIC_SIZE);
    if ((rc = note_key_make(name, key[0], &pub, out, e)) != ERR_OK)
        return rc;
    if (out->id != id)
        return err_set(e, ERR_MALFORMED, "a verifier key whose id is not that of its name and key");
    return ERR_OK;
}

static enum err_code note_parse_line(struct slice line, struct note_line *out, struct err *e) {
    uint8_t head[6]; /* 8 characters: the key id and two bytes of the signature */
    size_t dash = sizeof note_dash - 1, len;
    struct slice rest;
    if (line.len < dash || memcmp(line.ptr, note_dash, dash) != 0)
        return err_set(e, ERR_MALFORMED, "a signature line must begin with a dash (U+2014) and a space");
    rest = slice_from(line, dash);
    if (!note_until(&rest, ' ', &out->name) || !note_name_ok(out->name))
        return err_set(e, ERR_MALFORMED, "a signature line without a proper name");
    if (!base64_valid(rest) || rest.len < 8 || !base64_read(slice_of(rest.ptr, 8), head, sizeof head, &len) || len < 5)
        return err_set(e, ERR_MALFORMED, "a signature that is not base64 of a key id and a signature");
    out->id = buf_get32(head);
    out->base64 = rest;
    return ERR_OK;
}

enum err_code note_parse(struct slice bytes, struct note *out, struct err *e) {
    struct slice rest, line;
    size_t i;
    if (bytes.len > NOTE_MAX)
        return err_set(e, ERR_TOO_LARGE, "a signed note of %zu bytes (at most %d)", bytes.len, NOTE_MAX);
    if (!note_plain(bytes))
        return err_set(e, ERR_MALFORMED, "a signed note that is not plain UTF-8 text");
    if (bytes.len < 3 || bytes.ptr[bytes.len - 1] != '\n')
        return err_set(e, ERR_MALFORMED, "a signed note must end in a line's end");
    for (i = bytes.len - 1; i > 0; i--)
        if (bytes.ptr[i] == '\n' && bytes.ptr[i - 1] == '\n')
            break;
    if (i == 0)
        return err_set(e, ERR_MALFORMED, "a signed note without a blank line");
    out->text = slice_of(bytes.ptr, i);
    out->block = slice_from(bytes, i + 1);
    out->count = 0;
    for (rest = out->block; note_until(&rest, '\n', &line);) {
        enum err_code rc;
        if (out->count == NOTE_LINES)
            return err_set(e, ERR_MALFORMED, "a signed note with more than %d signatures", NOTE_LINES);
        if ((rc = note_parse_line(line, &out->line[out->count], e)) != ERR_OK)
            return rc;
        out->count++;
    }
    if (out->count == 0)
        return err_set(e, ERR_MALFORMED, "a signed note without a signature");
    return ERR_OK;
}

/* What a key of this type signs, onto b. */
static void note_cosigned(uint64_t time, struct slice text, struct buf *b) {
    buf_printf(b, "cosignature/v1\ntime %" PRIu64 "\n", time);
    buf_append(b, text);
}

/* Does the line's signature hold? An id of four bytes can collide, hence an unlucky stranger's line spoils too. */
static enum err_code note_check_line(const struct note *n, const struct note_line *line, const struct note_key *k,
                                     uint64_t *time, struct err *e) {
    uint8_t bytes[NOTE_SIG_COSIGNATURE];
    size_t want = k->type == NOTE_COSIGNATURE ? NOTE_SIG_COSIGNATURE : NOTE_SIG_ED25519, len = 0;
    struct sign_signature sig;
    bool good;
    *time = 0;
    if (!base64_read(line->base64, bytes, sizeof bytes, &len) || len != want)
        return err_set(e, ERR_BAD_SIGNATURE, "the signature of %.*s has a wrong length", SLICE_ARG(line->name));
    memcpy(sig.b, bytes + len - SIGN_SIZE, SIGN_SIZE);
    if (k->type == NOTE_COSIGNATURE) {
        struct buf b;
        enum err_code rc;
        *time = buf_get64(bytes + 4);
        buf_init(&b, n->text.len + NOTE_COSIGNED_HEAD);
        note_cosigned(*time, n->text, &b);
        rc = buf_check(&b, e);
        good = rc == ERR_OK && sign_verify(&k->pub, buf_slice(&b), &sig);
        buf_release(&b);
        if (rc != ERR_OK)
            return rc;
    } else {
        good = sign_verify(&k->pub, n->text, &sig);
    }
    if (!good)
        return err_set(e, ERR_BAD_SIGNATURE, "the signature of %.*s is bad", SLICE_ARG(line->name));
    return ERR_OK;
}

/* Is the same line further up? */
static bool note_repeated(const struct note *n, unsigned at) {
    unsigned i;
    for (i = 0; i < at; i++)
        if (slice_eq(n->line[i].name, n->line[at].name) && slice_eq(n->line[i].base64, n->line[at].base64))
            return true;
    return false;
}

static size_t note_find_key(const struct note_line *line, const struct note_key *keys, size_t count) {
    size_t i;
    for (i = 0; i < count; i++)
        if (keys[i].id == line->id && slice_eq(keys[i].name, line->name))
            break;
    return i;
}

enum err_code note_verify(const struct note *n, const struct note_key *keys, size_t count, struct note_signed *out,
                          struct err *e) {
    unsigned i;
    size_t k;
    *out = (struct note_signed){0};
    if (count > NOTE_KEYS)
        return err_set(e, ERR_USAGE, "more than %d known keys", NOTE_KEYS);
    for (k = 1; k < count; k++) {
        struct note_line as_line = {.name = keys[k].name, .id = keys[k].id};
        if (note_find_key(&as_line, keys, k) < k)
            return err_set(e, ERR_USAGE, "two known keys of the name %.*s and one id", SLICE_ARG(keys[k].name));
    }
    for (i = 0; i < n->count; i++) {
        enum err_code rc;
        if (note_repeated(n, i))
            continue;
        k = note_find_key(&n->line[i], keys, count);
        if (k == count) {
            out->unknown++;
            continue;
        }
        if (out->by >> k & 1) /* a second signature of one key adds nothing; Ed25519 has one a text */
            continue;
        if ((rc = note_check_line(n, &n->line[i], &keys[k], &out->time[k], e)) != ERR_OK) {
            *out = (struct note_signed){0};
            return rc;
        }
        out->by |= UINT64_C(1) << k;
        out->count++;
    }
    return ERR_OK;
}

void note_begin(struct slice text, struct buf *out) {
    ERR_ASSERT(note_text_ok(text));
    buf_append(out, text);
    buf_u8(out, '\n');
}

static void note_put_line(const struct note_key *k, struct slice tail, struct buf *out) {
    uint8_t bytes[NOTE_SIG_COSIGNATURE];
    size_t i;
    ERR_ASSERT(tail.len <= sizeof bytes - 4);
    for (i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(k->id >> (8 * (3 - i)));
    memcpy(bytes + 4, tail.ptr, tail.len);
    buf_str(out, note_dash);
    buf_append(out, k->name);
    buf_u8(out, ' ');
    base64_write(slice_of(bytes, 4 + tail.len), out);
    buf_u8(out, '\n');
}

void note_add(const struct note_key *k, const struct sign_signature *sig, struct buf *out) {
    ERR_ASSERT(k->type == NOTE_ED25519);
    note_put_line(k, slice_of(sig->b, SIGN_SIZE), out);
}

void note_sign(const struct note_key *k, const struct sign_secret *secret, struct slice text, uint64_t time,
               struct buf *out) {
    struct sign_signature sig;
    struct buf message, tail;
    ERR_ASSERT(note_text_ok(text));
    if (k->type == NOTE_ED25519) {
        sign_make(secret, text, &sig);
        note_add(k, &sig, out);
        return;
    }
    buf_init(&message, text.len + NOTE_COSIGNED_HEAD);
    buf_init(&tail, 8 + SIGN_SIZE);
    note_cosigned(time, text, &message);
    buf_be64(&tail, time);
    if (!message.failed && !tail.failed) {
        sign_make(secret, buf_slice(&message), &sig);
        buf_bytes(&tail, sig.b, SIGN_SIZE);
    }
    if (message.failed || tail.failed)
        out->failed = true; /* out of memory: the caller's buf_check tells */
    else
        note_put_line(k, buf_slice(&tail), out);
    buf_release(&message);
    buf_release(&tail);
}
