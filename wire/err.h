/* wire/err.h -- the one error idiom of the project.
 * Owns: the list of error codes (values are permanent: they cross the wire and
 * reach scripts as exit statuses), and the caller-owned error context.
 * Idiom: a fallible function returns an err_code and takes `struct err *e` last;
 * the origin calls err_set, callers may err_wrap a prefix on the way up.
 * e may be NULL: the text is then dropped. */
#ifndef WIRE_ERR_H
#define WIRE_ERR_H

#include <stdbool.h>

/* What the caller should do about an error. */
enum err_class {
    ERR_CLASS_NONE,    /* no error */
    ERR_CLASS_USAGE,   /* the operator's words or files are wrong: explain, exit 2 */
    ERR_CLASS_NO,      /* the answer is no (a proof fails, evidence mismatches): exit 1 */
    ERR_CLASS_REFUSED, /* somebody else's bytes are wrong: drop, count, keep evidence; exit 4 */
    ERR_CLASS_BUSY,    /* try again later, elsewhere: exit 3 */
    ERR_CLASS_MISSING, /* not here: the caller decides; exit 1 */
    ERR_CLASS_FATAL    /* I/O, corruption, own invariant: stop the node; exit 5 */
};

/* X(name, permanent value, class, text) */
#define ERR_LIST(X)                                                                                                    \
    X(OK, 0, NONE, "ok")                                                                                               \
    X(USAGE, 1, USAGE, "wrong usage")                                                                                  \
    X(CONFIG, 2, USAGE, "wrong configuration")                                                                         \
    X(MALFORMED, 10, REFUSED, "malformed")                                                                             \
    X(TOO_LARGE, 11, REFUSED, "too large")                                                                             \
    X(BAD_SIGNATURE, 12, REFUSED, "bad signature")                                                                     \
    X(NOT_ALLOWED, 13, REFUSED, "not allowed")                                                                         \
    X(WRONG_NETWORK, 14, REFUSED, "of another network or channel")                                                     \
    X(NONCONFORMING, 15, REFUSED, "does not conform to the standard")                                                  \
    X(SEQUENCE, 16, REFUSED, "out of sequence")                                                                        \
    X(BAD_TIME, 17, REFUSED, "time out of bounds")                                                                     \
    X(UNSUPPORTED, 18, REFUSED, "not supported")                                                                       \
    X(CONFLICT, 19, REFUSED, "conflicts with what is there")                                                           \
    X(PROOF, 20, NO, "proof fails")                                                                                    \
    X(MISMATCH, 21, NO, "does not match")                                                                              \
    X(BUSY, 30, BUSY, "busy")                                                                                          \
    X(UNREACHABLE, 31, BUSY, "unreachable")                                                                            \
    X(TIMEOUT, 32, BUSY, "timed out")                                                                                  \
    X(FULL, 33, BUSY, "full")                                                                                          \
    X(NOT_FOUND, 40, MISSING, "not found")                                                                             \
    X(IO, 50, FATAL, "input/output error")                                                                             \
    X(NO_SPACE, 51, FATAL, "no space left")                                                                            \
    X(NO_MEMORY, 52, FATAL, "out of memory")                                                                           \
    X(LOCKED, 53, BUSY, "in use by another process")                                                                   \
    X(CORRUPT, 60, FATAL, "corrupt")                                                                                   \
    X(INTERNAL, 61, FATAL, "internal error")

enum err_code {
#define ERR_ENUM(name, value, class_, text) ERR_##name = (value),
    ERR_LIST(ERR_ENUM)
#undef ERR_ENUM
};

struct err {
    enum err_code code;
    char text[480]; /* UTF-8, NUL-terminated, truncated at a character's end */
};

#define ERR_CHECKED __attribute__((warn_unused_result))

/* Records code and text at the origin of an error. Returns code. */
enum err_code err_set(struct err *e, enum err_code code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Puts a prefix and ": " before the text. Returns the code that e holds (ERR_INTERNAL when e is NULL). */
enum err_code err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* err_set with strerror(errno) appended; ENOSPC and EDQUOT become NO_SPACE, ENOMEM NO_MEMORY, others IO. */
enum err_code err_errno(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#ifdef __clang_analyzer__ /* lets it know that an error that was set is not OK, which it cannot see across files */
static inline enum err_code err_told(enum err_code code) {
    if (code == ERR_OK)
        __builtin_unreachable();
    return code;
}
#define err_set(e, code, ...) (err_set(e, code, __VA_ARGS__), err_told(code))
#define err_wrap(e, ...)      err_told(err_wrap(e, __VA_ARGS__))
#define err_errno(e, ...)     err_told(err_errno(e, __VA_ARGS__))
#endif

const char *err_name(enum err_code code); /* "BAD_SIGNATURE" */
const char *err_text(enum err_code code); /* "bad signature" */
enum err_class err_class_of(enum err_code code);
bool err_known(int value);               /* is it one of the list */
int err_exit_status(enum err_code code); /* 0 done, 1 no, 2 usage, 3 busy, 4 refused, 5 corrupt */

/* Own invariants only, never a peer's input; stays on in release. */
#define ERR_ASSERT(cond) ((cond) ? (void)0 : err_assert_failed(#cond, __FILE__, __LINE__))
_Noreturn void err_assert_failed(const char *cond, const char *file, int line);

#endif
