/* audit/vocab.h -- one name for one type of thing: user_account -> userid (SEEDS S2.26).
 * Owns: the sorted table of one type_vocab standard. Depends on: audit/standard.h. Source: docs/PROTOCOL.md 11.5. */
#ifndef AUDIT_VOCAB_H
#define AUDIT_VOCAB_H

#include "audit/standard.h"

/* Compiles and checks: no name twice, no alias twice, no alias that is a name (a chain or a cycle). */
enum err_code vocab_compile(const struct standard_vocab *body, struct arena *a, struct standard_problems *problems,
                            const struct vocab **out, struct err *e) ERR_CHECKED;
/* The name of an alias; a name gives itself; unknown gives `type` as it is. Never absent for a present type. */
struct slice vocab_name(const struct vocab *v, struct slice type);
bool vocab_knows(const struct vocab *v, struct slice type); /* as a name or an alias */
bool vocab_closed(const struct vocab *v);
/* CONFLICT if the two give one alias two names, or one's name is an alias of the other. */
enum err_code vocab_contradicts(const struct vocab *a, const struct vocab *b, struct err *e) ERR_CHECKED;

#endif
