/* wire/note.h -- signed notes (C2SP signed-note v1): a text, a blank line, signature lines.
 * Depends on: sign, base64, digest. Clause: docs/FORMATS.md 5. No allocation but the caller's buf; all borrows.
 *
 *   text, ends in LF, no control character but LF
 *   LF
 *   U+2014 SP name SP base64(key id[4] ‖ signature) LF        one or more
 *
 * key id = first 4 bytes of SHA-256(name ‖ LF ‖ type ‖ public key); vkey = name+<8 hex>+base64(type ‖ public key).
 * Ed25519 (type 1) signs the text; a cosignature (type 4) signs "cosignature/v1" LF "time <seconds>" LF ‖ text and its
 * signature is seconds u64 BE ‖ 64 B.
 * Invariants: N1 an unknown key's line changes nothing. N2 a known key's bad signature spoils the whole note.
 *             N3 one key counts once. */
#ifndef WIRE_NOTE_H
#define WIRE_NOTE_H

#include "wire/buf.h"
#include "wire/sign.h"

enum {
    NOTE_MAX = 1 << 20,  /* bytes of a whole note */
    NOTE_LINES = 100,    /* signature lines */
    NOTE_NAME = 255,     /* bytes of a key's name */
    NOTE_KEYS = 64,      /* known keys of one verification */
    NOTE_VKEY_MAX = 320, /* bytes of an encoded vkey */
    NOTE_ED25519 = 1,
    NOTE_COSIGNATURE = 4
};

/* A verifier's key. name borrows. */
struct note_key {
    struct slice name;
    unsigned type; /* NOTE_ED25519 or NOTE_COSIGNATURE */
    uint32_t id;
    struct sign_public pub;
};

struct note_line {
    struct slice name;
    uint32_t id;
    struct slice base64; /* of key id ‖ signature, known to be valid base64 */
};

struct note {
    struct slice text;  /* with its final LF: what is signed */
    struct slice block; /* the signature lines */
    unsigned count;
    struct note_line line[NOTE_LINES];
};

/* Who signed: bit i and time[i] belong to keys[i]. */
struct note_signed {
    uint64_t by;              /* bits of keys with a good signature */
    unsigned count;           /* how many these are */
    unsigned unknown;         /* lines of keys that we do not know */
    uint64_t time[NOTE_KEYS]; /* of a cosignature, POSIX seconds; else 0 */
};

/* Not empty, at most NOTE_NAME, UTF-8, no `+`, no white space of Unicode. */
bool note_name_ok(struct slice name);
uint32_t note_key_id(struct slice name, unsigned type, const struct sign_public *pub);
/* A key with its id. MALFORMED for a bad name. */
enum err_code note_key_make(struct slice name, unsigned type, const struct sign_public *pub, struct note_key *out,
                            struct err *e) ERR_CHECKED;
void note_vkey_write(const struct note_key *k, struct buf *out);
/* MALFORMED; UNSUPPORTED for another algorithm. The name borrows from text. */
enum err_code note_vkey_read(struct slice text, struct note_key *out, struct err *e) ERR_CHECKED;

/* Splits at the last blank line. MALFORMED, TOO_LARGE. Verifies nothing. */
enum err_code note_parse(struct slice bytes, struct note *out, struct err *e) ERR_CHECKED;
/* May this text be signed: ends in LF, UTF-8, no control character but LF? */
bool note_text_ok(struct slice text);
/* Checks every line of a known key. BAD_SIGNATURE when one is bad (N2), USAGE for more than NOTE_KEYS keys or two of
 * one name and id. ERR_OK with count 0 says that nobody known has signed: the caller decides. */
enum err_code note_verify(const struct note *n, const struct note_key *keys, size_t count, struct note_signed *out,
                          struct err *e) ERR_CHECKED;

/* Starts a note: the text (note_text_ok, asserted) and the blank line; signature lines follow. */
void note_begin(struct slice text, struct buf *out);
/* One signature line of type 1, made elsewhere (a FINALIZE vote). */
void note_add(const struct note_key *k, const struct sign_signature *sig, struct buf *out);
/* Signs the text and appends the line; for a cosignature `time` is POSIX seconds, else it is ignored. */
void note_sign(const struct note_key *k, const struct sign_secret *secret, struct slice text, uint64_t time,
               struct buf *out);

#endif
