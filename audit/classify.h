/* audit/classify.h -- from an operation as the log names it to a class that everybody understands.
 * Owns: the compiled map of one op_class standard. Depends on: wire/, audit/match.h, standard.h.
 * Source: docs/PROTOCOL.md 11.4; SEEDS S2.44.
 *
 * A rule applies if its server and service, where given, equal the operation's, and its pattern means op.raw.
 * Of the rules that apply the most specific wins; the first difference in this list decides:
 *   1 server and service given > server only > service only > neither
 *   2 an exact pattern > any other
 *   3 more literal characters in the pattern (so /api/fund/<any>/config beats the prefix /api/fund)
 *   4 prefix > glob > regex
 * Two rules that are equal in all four and can mean the same text are a tie: refused when the standard is published.
 * So the order in which rules are written never matters. */
#ifndef AUDIT_CLASSIFY_H
#define AUDIT_CLASSIFY_H

#include "audit/standard.h"

enum { CLASSIFY_BUDGET = 4 << 20 }; /* state pairs walked while looking for ties */

struct classify_input {
    struct slice server, service; /* absent: unknown */
    struct slice raw;             /* the operation as the log names it */
};
struct classify_result {
    bool classified;       /* a rule applied, or the default is a class of the tree */
    struct slice class_id; /* "unclassified" if not */
    struct slice label, label_en;
    uint64_t activity_id, severity; /* 99 if not classified */
    uint32_t rule;                  /* index in the map; UINT32_MAX: none applied */
};

/* Compiles and checks (duplicate ids, unknown parents, cycles, unknown classes, bad patterns, ties). All problems are
 * told; the first is also the error. *out lives in `a`. */
enum err_code classify_compile(const struct standard_op_class *body, struct arena *a,
                               struct standard_problems *problems, const struct classify **out,
                               struct err *e) ERR_CHECKED;
/* Pure. Slices borrow from the standard. */
struct classify_result classify_op(const struct classify *c, const struct classify_input *in);
/* A class of the tree by its id, or NULL. */
const struct standard_class *classify_class(const struct classify *c, struct slice id);
/* Over several standards at once: the most specific rule of all; see the order above. sets[i] may be NULL. */
struct classify_result classify_op_all(const struct classify *const *sets, size_t count,
                                       const struct classify_input *in);
/* CONFLICT if two op_class standards disagree: one class id with another activity or parent, or a tie between rules. */
enum err_code classify_contradicts(const struct classify *a, const struct classify *b, struct err *e) ERR_CHECKED;

#endif
