/* tests/support/audit_world.h -- a channel for tests of audit/: two enterprise nodes, two regulators, an observer;
 * standards from YAML; a record that conforms, to be spoilt by each test. */
#ifndef TESTS_SUPPORT_AUDIT_WORLD_H
#define TESTS_SUPPORT_AUDIT_WORLD_H

#include "audit/audit_check.h"
#include "ledger/record.h"

enum { WORLD_MEMBERS = 5 };
enum { WORLD_ACME, WORLD_ACME2, WORLD_FIN, WORLD_DATA, WORLD_OBSERVER };
#define WORLD_T0 1790000000000LL /* ms: a header's time in 2026 */

struct world {
    struct audit_member members[WORLD_MEMBERS];
    struct audit_policy policy;
    struct audit_state *state;
    struct arena arena; /* what tests build */
    uint64_t height, number;
    int64_t time;
};

void world_init(struct world *w);
void world_release(struct world *w);
/* Canonical STANDARD entry of a YAML text, issued by a member. Fails the test if the text does not pass lint. */
struct slice world_standard(struct world *w, const char *yaml, unsigned member);
struct slice world_file(struct world *w, const char *path); /* NUL-terminated text in ptr */
struct slice world_act(struct world *w, uint32_t action, uint32_t kind, const char *id, const char *version,
                       unsigned member);
struct slice world_ack(struct world *w, const struct digest *hash, unsigned member);
/* One block with one entry at the world's time; on success the state moves on. */
enum err_code world_put(struct world *w, struct slice entry, unsigned member, struct conform_report *report,
                        struct err *e);
/* A record of an administrator who queries a user; cites nothing. */
struct record world_record(struct world *w);
struct slice world_entry(struct world *w, const struct record *r);
/* Cites all that is in force. */
void world_cite(struct world *w, struct record *r);
void world_pair(struct world *w, struct schema_list *dict, const char *key, const char *value); /* keeps order */

#endif
