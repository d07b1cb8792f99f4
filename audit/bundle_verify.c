/* audit/bundle_verify.c -- see bundle.h: is the entry final, and what does it say? Optional parts: bundle_more.c.
 * Every step adds its claims to the report; none trusts what an earlier one did not prove. */
#include "audit/bundle_check.h"

#include "wire/note.h"
#include "wire/utf8.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

enum { BUNDLE_SCRATCH = 1 << 20 }; /* bytes; what the lists of one entry need at most, and more */

/* Ends the text at a whole character and blanks what could command a terminal or turn the line round. */
static void bundle_check_tidy(char *text) {
    uint8_t *p = (uint8_t *)text;
    size_t len = utf8_valid_prefix(slice_str(text)), i;
    p[len] = '\0';
    for (i = 0; i < len; i++) {
        bool c1 = p[i] == 0xC2 && p[i + 1] < 0xA0;
        bool bidi =
            p[i] == 0xE2 && ((p[i + 1] == 0x80 && ((p[i + 2] >= 0xA8 && p[i + 2] <= 0xAE) || p[i + 2] < 0x90)) ||
                             (p[i + 1] == 0x81 && p[i + 2] >= 0xA6 && p[i + 2] <= 0xA9));
        if (p[i] < 0x20 || p[i] == 0x7F)
            p[i] = '?';
        if (c1)
            memset(p + i, '?', 2);
        if (bidi)
            memset(p + i, '?', 3);
    }
}

struct bundle_claim *bundle_check_add(struct bundle_check *c, enum bundle_what what, const char *fmt, ...) {
    struct bundle_claim *claim;
    va_list ap;
    ERR_ASSERT(c->report->count < BUNDLE_CLAIMS);
    claim = &c->report->claims[c->report->count++];
    *claim = (struct bundle_claim){.what = what, .state = BUNDLE_NOT_PROVEN};
    va_start(ap, fmt);
    vsnprintf(claim->claim, sizeof claim->claim, fmt, ap);
    va_end(ap);
    bundle_check_tidy(claim->claim);
    return claim;
}

void bundle_check_say(struct bundle_claim *claim, enum bundle_state state, const char *fmt, ...) {
    va_list ap;
    claim->state = state;
    va_start(ap, fmt);
    vsnprintf(claim->why, sizeof claim->why, fmt, ap);
    va_end(ap);
    bundle_check_tidy(claim->why);
}

void bundle_check_stand(const struct bundle_check *c, struct bundle_claim *claim, const char *how) {
    if (c->included == BUNDLE_PROVEN)
        bundle_check_say(claim, BUNDLE_PROVEN, "%s", how);
    else
        bundle_check_say(claim, BUNDLE_NOT_PROVEN, "%s; but the entry itself is not proven to be in the channel", how);
}

bool bundle_check_path(struct slice bytes, unsigned max, struct tree_path *out) {
    unsigned i;
    if (bytes.len % DIGEST_SIZE != 0 || bytes.len / DIGEST_SIZE > max)
        return false;
    out->count = (unsigned)(bytes.len / DIGEST_SIZE);
    for (i = 0; i < out->count; i++)
        memcpy(out->hash[i].b, bytes.ptr + (size_t)i * DIGEST_SIZE, DIGEST_SIZE);
    return true;
}

/* The keys of a validator set, as a note's verifier knows them; USAGE when the set is not one. */
static enum err_code bundle_check_keys(const struct bundle_channel *ch, struct note_key *keys, struct err *e) {
    unsigned n = ch->validator_count, i;
    unsigned q = (n + (n - 1) / 3) / 2 + 1; /* docs/PROTOCOL.md 5.1: the least that is a quorum */
    if (n == 0 || n > BUNDLE_VALIDATORS || ch->quorum < q || ch->regulators_min > n)
        return err_set(e, ERR_USAGE, "the channel's rules are not those of a validator set");
    for (i = 0; i < n; i++) {
        enum err_code rc =
            note_key_make(ch->validators[i].name, NOTE_ED25519, &ch->validators[i].consensus, &keys[i], e);
        if (rc != ERR_OK)
            return rc;
    }
    return ERR_OK;
}

enum bundle_state bundle_check_final(const struct bundle_channel *ch, struct slice bytes, struct checkpoint_read *cp,
                                     bool *read, struct err *e) {
    struct note_key keys[BUNDLE_VALIDATORS];
    struct note n;
    struct note_signed by;
    unsigned i, regulators = 0;
    *read = false;
    if (note_parse(bytes, &n, e) != ERR_OK || checkpoint_read_final(n.text, cp, e) != ERR_OK)
        return BUNDLE_FAILS;
    *read = true;
    if (!slice_eq(cp->origin, ch->origin)) {
        err_set(e, ERR_WRONG_NETWORK, "the checkpoint is of another log: %.*s",
                (int)(cp->origin.len < 160 ? cp->origin.len : 160), (const char *)cp->origin.ptr);
        return BUNDLE_FAILS;
    }
    if (cp->epoch != ch->epoch) {
        err_set(e, ERR_UNSUPPORTED,
                "the checkpoint is signed by the validators of epoch %" PRIu64
                "; the genesis file names those of %" PRIu64
                ", and this program does not yet follow the seals between them",
                cp->epoch, ch->epoch);
        return BUNDLE_NOT_PROVEN;
    }
    if (bundle_check_keys(ch, keys, e) != ERR_OK || note_verify(&n, keys, ch->validator_count, &by, e) != ERR_OK)
        return BUNDLE_FAILS;
    for (i = 0; i < ch->validator_count; i++)
        regulators += (by.by >> i & 1) && ch->validators[i].regulator;
    if (by.count < ch->quorum || regulators < ch->regulators_min) {
        err_set(e, ERR_PROOF, "%u validators have signed, %u of them regulators; it takes %u and %u", by.count,
                regulators, ch->quorum, ch->regulators_min);
        return BUNDLE_FAILS;
    }
    err_set(e, ERR_OK, "%u of %u validators have signed it, %u of them regulators (needed: %u and %u)", by.count,
            ch->validator_count, regulators, ch->quorum, ch->regulators_min);
    return BUNDLE_PROVEN;
}

enum err_code bundle_check_included(struct slice entry, uint64_t index, struct slice path_bytes,
                                    const struct checkpoint_read *cp, struct err *e) {
    struct digest leaf = tree_leaf(entry);
    struct tree_path path;
    if (!bundle_check_path(path_bytes, TREE_PATH_MAX, &path))
        return err_set(e, ERR_PROOF, "the path is not made of whole hashes");
    return tree_verify_inclusion(&leaf, index, cp->size, path.hash, path.count, &cp->root, e);
}

static const struct bundle_channel *bundle_check_channel(const struct bundle_network *net, struct slice name) {
    size_t i;
    for (i = 0; i < net->channel_count; i++)
        if (slice_eq(net->channels[i].name, name))
            return &net->channels[i];
    return NULL;
}

static void bundle_check_network(struct bundle_check *c) {
    const struct bundle *b = c->bundle;
    struct digest id;
    char hex[DIGEST_HEX];
    struct bundle_claim *claim;
    memcpy(id.b, b->network, DIGEST_SIZE);
    claim = bundle_check_add(c, BUNDLE_OF_NETWORK, "The bundle is about channel %.*s of the network %.*s.",
                             SLICE_ARG(b->channel), SLICE_ARG(c->net->name));
    if (!digest_eq(&id, &c->net->id)) {
        bundle_check_say(claim, BUNDLE_FAILS, "it names the network of another genesis file, with fingerprint %s",
                         digest_hex(&id, hex));
        return;
    }
    c->channel = bundle_check_channel(c->net, b->channel);
    if (!c->channel)
        bundle_check_say(claim, BUNDLE_FAILS, "the genesis file founds no such channel");
    else
        bundle_check_say(claim, BUNDLE_PROVEN, "the genesis file with fingerprint %s founds it", digest_hex(&id, hex));
}

static void bundle_check_checkpoint(struct bundle_check *c) {
    struct bundle_claim *claim;
    struct err why = {0};
    char hex[DIGEST_HEX];
    if (!c->channel) {
        claim = bundle_check_add(c, BUNDLE_FINAL, "The checkpoint is final.");
        bundle_check_say(claim, BUNDLE_NOT_PROVEN, "not checked, since the channel is not known");
        return;
    }
    c->final = bundle_check_final(c->channel, c->bundle->checkpoint, &c->cp, &c->cp_read, &why);
    if (c->cp_read)
        claim = bundle_check_add(c, BUNDLE_FINAL, "The channel finally holds %" PRIu64 " entries, with tree root %s.",
                                 c->cp.size, digest_hex(&c->cp.root, hex));
    else
        claim = bundle_check_add(c, BUNDLE_FINAL, "The checkpoint is final.");
    bundle_check_say(claim, c->final, "%s", why.text);
}

static void bundle_check_entry(struct bundle_check *c) {
    const struct bundle *b = c->bundle;
    struct bundle_claim *claim =
        bundle_check_add(c, BUNDLE_INCLUDED, "Entry %" PRIu64 " of the channel is the one in this bundle.", b->index);
    struct err why = {0};
    c->leaf = tree_leaf(b->entry);
    if (!c->cp_read) {
        bundle_check_say(claim, BUNDLE_NOT_PROVEN, "not checked, since the checkpoint could not be read");
        return;
    }
    if (bundle_check_included(b->entry, b->index, b->path, &c->cp, &why) != ERR_OK) {
        bundle_check_say(claim, c->included = BUNDLE_FAILS, "%s", why.text);
        return;
    }
    if (c->final == BUNDLE_PROVEN)
        bundle_check_say(claim, c->included = BUNDLE_PROVEN, "its path of %zu hashes leads to the final tree root",
                         b->path.len / DIGEST_SIZE);
    else
        bundle_check_say(claim, BUNDLE_NOT_PROVEN,
                         "its path leads to the checkpoint's root, but that is not proven to be final");
}

/* "2026-11-22 19:00:00.123 UTC" */
void bundle_check_when(int64_t ms, char out[40]) {
    time_t seconds = (time_t)(ms / 1000 - (ms % 1000 < 0));
    struct tm tm;
    char date[32];
    if (!gmtime_r(&seconds, &tm) || strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S", &tm) == 0)
        snprintf(out, 40, "%" PRId64 " ms", ms);
    else
        snprintf(out, 40, "%s.%03d UTC", date, (int)((ms % 1000 + 1000) % 1000));
}

/* A name cut to what fits a sentence. */
static int bundle_check_cut(struct slice s) {
    return (int)(s.len > 96 ? utf8_valid_prefix(slice_of(s.ptr, 96)) : s.len);
}

static struct bundle_claim *bundle_check_record(struct bundle_check *c) {
    const struct record *r = &c->record;
    const struct record_object *o = r->objects.items;
    char when[40], more[48] = "";
    bundle_check_when(r->time, when);
    if (r->objects.count > 1 || r->objects_more.count)
        snprintf(more, sizeof more, " and %" PRIu64 " more", (uint64_t)r->objects.count - 1 + r->objects_more.count);
    return bundle_check_add(
        c, BUNDLE_CONTENT, "It reports: \"%.*s\" (%.*s) did \"%.*s\" to \"%.*s\" (%.*s)%s at %s, %.*s %.*s.",
        bundle_check_cut(r->actor.name), (const char *)r->actor.name.ptr, SLICE_ARG(r->actor.type),
        bundle_check_cut(r->op.raw), (const char *)r->op.raw.ptr, bundle_check_cut(o->name), (const char *)o->name.ptr,
        SLICE_ARG(o->type), more, when, (int)(r->server.len ? r->server.len : 0),
        r->server.len ? (const char *)r->server.ptr : "", (int)(r->service.len ? r->service.len : 0),
        r->service.len ? (const char *)r->service.ptr : "");
}

static void bundle_check_content(struct bundle_check *c) {
    struct bundle_claim *claim;
    struct entry entry;
    struct err why = {0};
    enum err_code rc = entry_read(c->bundle->entry, &entry, &why);
    if (rc == ERR_OK) {
        c->body = entry.body;
        if (entry.kind == ENTRY_RECORD)
            rc = record_read(entry.body, &c->arena, &c->record, &why);
        else if (entry.kind == ENTRY_DEAD_LETTER)
            rc = schema_read(&dead_letter_schema, entry.body, &c->arena, &c->dead_letter, &why);
    }
    if (rc != ERR_OK) {
        claim = bundle_check_add(c, BUNDLE_CONTENT, "The entry can be read.");
        bundle_check_say(claim, rc == ERR_UNSUPPORTED ? BUNDLE_NOT_PROVEN : BUNDLE_FAILS, "%s", why.text);
        return;
    }
    c->kind = entry.kind;
    if (c->kind == ENTRY_RECORD)
        claim = bundle_check_record(c);
    else
        claim = bundle_check_add(c, BUNDLE_CONTENT, "The entry is of the kind \"%s\".", entry_kind_text(c->kind));
    bundle_check_stand(c, claim, "these are the entry's own bytes, in canonical form");
}

static void bundle_check_truth(struct bundle_check *c) {
    struct bundle_claim *claim = bundle_check_add(c, BUNDLE_TRUTH, "What the entry reports is what really happened.");
    bundle_check_say(claim, BUNDLE_NOT_PROVEN,
                     "no ledger proves that: it proves what was reported, by whom, and that it was not changed since");
}

static enum err_code bundle_check_verdict(struct bundle_report *r, struct err *e) {
    unsigned i;
    r->holds = true;
    for (i = 0; i < r->count; i++) {
        const struct bundle_claim *claim = &r->claims[i];
        bool needed = claim->what == BUNDLE_OF_NETWORK || claim->what == BUNDLE_FINAL || claim->what == BUNDLE_INCLUDED;
        if (claim->state == BUNDLE_PROVEN || (claim->state == BUNDLE_NOT_PROVEN && !needed))
            continue;
        r->holds = false;
        return err_set(e, ERR_PROOF, "%s: %s: %s", bundle_what_text(claim->what), bundle_state_text(claim->state),
                       claim->why);
    }
    return ERR_OK;
}

enum err_code bundle_verify(const struct bundle *b, const struct bundle_network *net, struct bundle_report *report,
                            struct err *e) {
    struct bundle_check c = {
        .bundle = b, .net = net, .report = report, .final = BUNDLE_NOT_PROVEN, .included = BUNDLE_NOT_PROVEN};
    *report = (struct bundle_report){0};
    arena_init(&c.arena, BUNDLE_MAX);
    if (!arena_alloc(&c.arena, 1, BUNDLE_SCRATCH))
        return err_set(e, ERR_NO_MEMORY, "no memory to check a bundle");
    arena_clear(&c.arena); /* keeps it: reading the entry can't run short any more */
    bundle_check_network(&c);
    bundle_check_checkpoint(&c);
    bundle_check_entry(&c);
    bundle_check_content(&c);
    if (c.channel && c.cp_read) {
        bundle_check_time(&c);
        bundle_check_author(&c);
        bundle_check_log(&c);
        bundle_check_standards(&c);
        bundle_check_anchor(&c);
        bundle_check_range(&c);
    }
    bundle_check_truth(&c);
    arena_release(&c.arena);
    return bundle_check_verdict(report, e);
}
