/* node/sentence.c -- see sentence.h. */
#include "node/sentence.h"

#include "audit/evidence_entries.h"
#include "audit/import.h"
#include "audit/standard.h"
#include "ledger/record.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

enum { SENTENCE_ARENA = 24 << 20, SENTENCE_OBJECTS = 4 /* named in a sentence; the others are counted */ };

/* snprintf that cuts at a character's end. */
static void put(char *out, size_t room, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void put(char *out, size_t room, const char *fmt, ...) {
    size_t len = strlen(out), end;
    va_list ap;
    int n;
    va_start(ap, fmt);
    n = vsnprintf(out + len, room - len, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n < room - len)
        return;
    end = room - 1;
    while (end > len && ((uint8_t)out[end - 1] & 0xc0) == 0x80)
        end--;
    if (end > len && (uint8_t)out[end - 1] >= 0xc0)
        end--; /* the lead of a character that was cut */
    out[end] = '\0';
}
#define PUT(field, ...) put(field, sizeof(field), __VA_ARGS__)

void sentence_when(int64_t ms, char out[SENTENCE_TIME]) {
    time_t s = (time_t)(ms / 1000 - (ms % 1000 < 0));
    int rest = (int)(ms - (int64_t)s * 1000);
    struct tm t;
    if (!gmtime_r(&s, &t) || t.tm_year > 8099 || t.tm_year < -1900) {
        snprintf(out, SENTENCE_TIME, "%lld ms", (long long)ms);
        return;
    }
    snprintf(out, SENTENCE_TIME, "%04d-%02d-%02d %02d:%02d:%02d.%03d", (t.tm_year + 1900) % 10000, (t.tm_mon + 1) % 100,
             t.tm_mday % 100, t.tm_hour % 100, t.tm_min % 100, t.tm_sec % 100, rest % 1000);
}

/* Who put it there: "acme-hq of acme". */
static void sentence_author(const struct genesis *g, const uint8_t *submitter, struct sentence *s) {
    const struct genesis_node *n = submitter && g ? genesis_node_by_submit(g, submitter) : NULL;
    if (n)
        PUT(s->who, "%.*s of %.*s", SLICE_ARG(n->id), SLICE_ARG(n->org));
    else
        PUT(s->who, "a node that genesis does not know");
}

/* Person `by` at the author's node. */
static void sentence_by(struct slice by, struct sentence *s) {
    char node[SENTENCE_PART];
    if (!by.len)
        return;
    memcpy(node, s->who, sizeof node);
    s->who[0] = '\0';
    PUT(s->who, "%.*s at %.900s", SLICE_ARG(by), node);
}

static void sentence_place(struct slice server, struct slice service, struct sentence *s) {
    PUT(s->where, "%.*s%s%.*s", SLICE_ARG(server), server.len && service.len ? "/" : "", SLICE_ARG(service));
}

static void sentence_record(struct slice body, struct arena *a, struct sentence *s) {
    struct record r;
    const struct record_object *o;
    uint32_t i;
    if (record_read(body, a, &r, NULL) != ERR_OK) {
        PUT(s->what, "a record that cannot be read");
        return;
    }
    s->time = r.time;
    s->who[0] = '\0';
    PUT(s->who, "%.*s%s%.*s%s", SLICE_ARG(r.actor.type), r.actor.type.len ? " " : "", SLICE_ARG(r.actor.name),
        r.actor.assigned ? " (assigned)" : "");
    if (r.op.class_label.len)
        PUT(s->what, "%.*s", SLICE_ARG(r.op.class_label));
    else if (r.op.class_id.len && !slice_eq_str(r.op.class_id, STANDARD_UNCLASSIFIED))
        PUT(s->what, "%.*s", SLICE_ARG(r.op.class_id));
    else
        PUT(s->what, "%.*s", SLICE_ARG(r.op.raw));
    if (r.op.status_id == 2)
        PUT(s->what, " (failed)");
    o = r.objects.items;
    for (i = 0; i < r.objects.count && i < SENTENCE_OBJECTS; i++)
        PUT(s->to, "%s%.*s%s%.*s", i ? ", " : "", SLICE_ARG(o[i].type), o[i].type.len ? " " : "", SLICE_ARG(o[i].name));
    if (r.objects.count + r.objects_more.count > SENTENCE_OBJECTS)
        PUT(s->to, " and %llu more", (unsigned long long)(r.objects.count + r.objects_more.count - SENTENCE_OBJECTS));
    sentence_place(r.server, r.service, s);
    sentence_when(s->time, s->when);
    PUT(s->text, "%s, at %s UTC, did: %s", s->who, s->when, s->what);
    if (s->to[0])
        PUT(s->text, ", to %s", s->to);
    if (s->where[0])
        PUT(s->text, ", on %s", s->where);
    PUT(s->text, ".");
}

static void sentence_standard(struct slice body, struct arena *a, struct sentence *s) {
    static const char *const done[] = {NULL, "published", "suspended", "resumed", "revoked"};
    struct standard_entry x;
    if (standard_read_entry(body, a, &x, NULL) != ERR_OK)
        return;
    sentence_by(x.by, s);
    PUT(s->what, "%s", done[x.action]);
    PUT(s->to, "standard %.*s %.*s (%s%s%.*s)", SLICE_ARG(x.id), SLICE_ARG(x.version), standard_kind_names[x.kind],
        x.title.len ? ": " : "", SLICE_ARG(x.title));
}

static void sentence_ack(struct slice body, struct arena *a, struct sentence *s) {
    struct standard_ack x;
    struct digest d;
    char hex[DIGEST_HEX];
    if (schema_read(&standard_ack_schema, body, a, &x, NULL) != ERR_OK)
        return;
    sentence_by(x.by, s);
    memcpy(d.b, x.hash, sizeof d.b);
    PUT(s->what, "acknowledged");
    PUT(s->to, "the standard with hash %.16s…", digest_hex(&d, hex));
}

static void sentence_case(const uint8_t id[EVIDENCE_CASE_SIZE], char out[9]) {
    snprintf(out, 9, "%02x%02x%02x%02x", id[0], id[1], id[2], id[3]);
}

static void sentence_evidence(const struct entry *entry, struct arena *a, struct sentence *s) {
    struct evidence_entry x;
    char id[9] = "";
    if (evidence_entry_read(entry, a, &x, NULL) != ERR_OK)
        return;
    if (evidence_entry_case(&x))
        sentence_case(evidence_entry_case(&x), id);
    switch ((int)x.kind) { /* those of evidence_entry_kind */
    case ENTRY_EVIDENCE_REQUEST:
        sentence_by(x.u.request.by, s);
        PUT(s->what, "demanded the raw log");
        PUT(s->to, "of entry %llu from %.*s (case %s)", (unsigned long long)x.u.request.entry,
            SLICE_ARG(x.u.request.to), id);
        break;
    case ENTRY_EVIDENCE_ANSWER:
        sentence_by(x.u.answer.by, s);
        PUT(s->what, "answered: %s", evidence_status_names[x.u.answer.status]);
        PUT(s->to, "request %llu of %.*s (case %s)", (unsigned long long)x.u.answer.request,
            SLICE_ARG(x.u.answer.recipient), id);
        break;
    case ENTRY_VERDICT:
        sentence_by(x.u.ruling.by, s);
        PUT(s->what, "judged: %s", evidence_verdict_names[x.u.ruling.verdict]);
        PUT(s->to, "the answer to request %llu (case %s)", (unsigned long long)x.u.ruling.request, id);
        break;
    case ENTRY_DISPUTE:
        sentence_by(x.u.dispute.by, s);
        PUT(s->what, "disputed");
        PUT(s->to, "verdict %llu (case %s)", (unsigned long long)x.u.dispute.verdict, id);
        break;
    case ENTRY_FINDING: {
        const struct finding *f = &x.u.finding;
        const struct finding_subject *subject = f->subjects.items;
        sentence_by(f->by.len ? f->by : f->engine, s);
        PUT(s->what, "found (%.*s, %s): %.*s", SLICE_ARG(f->kind), evidence_severity_names[f->severity],
            SLICE_ARG(f->text));
        if (f->subjects.count)
            PUT(s->to, "entry %llu", (unsigned long long)subject->entry);
        if (f->subjects.count > 1)
            PUT(s->to, " and %u more", f->subjects.count - 1);
        if (f->time)
            s->time = f->time;
        break;
    }
    case ENTRY_ERASURE:
        sentence_by(x.u.erasure.by, s);
        PUT(s->what, "erased (%s)", evidence_erase_names[x.u.erasure.what]);
        PUT(s->to, "the raw log of entry %llu: %.*s", (unsigned long long)x.u.erasure.entry,
            SLICE_ARG(x.u.erasure.reason));
        break;
    default:
        break;
    }
}

static void sentence_dead_letter(struct slice body, struct arena *a, struct sentence *s) {
    struct dead_letter x;
    if (schema_read(&dead_letter_schema, body, a, &x, NULL) != ERR_OK)
        return;
    PUT(s->what, "committed a log that could not be decoded: %.*s", SLICE_ARG(x.reason));
    PUT(s->to, "number %llu of source %.*s", (unsigned long long)x.source.seq, SLICE_ARG(x.source.id));
    sentence_place(x.server, x.service, s);
}

static void sentence_gap(struct slice body, struct arena *a, struct sentence *s) {
    struct gap x;
    if (schema_read(&gap_schema, body, a, &x, NULL) != ERR_OK)
        return;
    PUT(s->what, "declared a gap: %.*s", SLICE_ARG(x.reason));
    PUT(s->to, "numbers %llu to %llu of source %.*s", (unsigned long long)x.first, (unsigned long long)x.last,
        SLICE_ARG(x.source));
    if (x.time)
        s->time = x.time;
}

static void sentence_import(struct slice body, struct arena *a, struct sentence *s) {
    struct import x;
    struct entry inner;
    if (import_read(body, a, &x, NULL) != ERR_OK)
        return;
    sentence_by(x.by, s);
    PUT(s->what, "imported");
    PUT(s->to, "entry %llu of the parent channel", (unsigned long long)x.index);
    if (entry_read(x.entry, &inner, NULL) == ERR_OK)
        PUT(s->to, " (%s)", entry_kind_text(inner.kind));
}

/* Kinds whose bodies this version does not read further, or that are sealed. */
static void sentence_plain(enum entry_kind kind, struct sentence *s) {
    switch (kind) {
    case ENTRY_ANCHOR:
        PUT(s->what, "anchored a channel's checkpoint (sealed for its members)");
        break;
    case ENTRY_KEY_GRANT:
        PUT(s->what, "granted a key to members (sealed)");
        break;
    case ENTRY_CONFIGURATION:
        PUT(s->what, "changed the channel's configuration");
        break;
    case ENTRY_VOUCHER:
        PUT(s->what, "issued a voucher");
        break;
    case ENTRY_ARCHIVE:
        PUT(s->what, "archived a range of the channel");
        break;
    case ENTRY_ANNOTATION:
        PUT(s->what, "annotated");
        break;
    case ENTRY_ACCESS_LOG:
        PUT(s->what, "committed its log of accesses");
        break;
    case ENTRY_NONE:
    case ENTRY_RECORD:
    case ENTRY_DEAD_LETTER:
    case ENTRY_STANDARD:
    case ENTRY_EVIDENCE_REQUEST:
    case ENTRY_EVIDENCE_ANSWER:
    case ENTRY_VERDICT:
    case ENTRY_DISPUTE:
    case ENTRY_FINDING:
    case ENTRY_IMPORT:
    case ENTRY_GAP:
    case ENTRY_ERASURE:
    case ENTRY_ACKNOWLEDGEMENT:
        PUT(s->what, "committed a%s %s that this version cannot read", kind == ENTRY_NONE ? "n" : "",
            kind == ENTRY_NONE ? "entry" : entry_kind_text(kind));
        break;
    }
}

static void sentence_body(const struct entry *entry, struct arena *a, struct sentence *s) {
    switch (entry->kind) {
    case ENTRY_STANDARD:
        sentence_standard(entry->body, a, s);
        break;
    case ENTRY_ACKNOWLEDGEMENT:
        sentence_ack(entry->body, a, s);
        break;
    case ENTRY_EVIDENCE_REQUEST:
    case ENTRY_EVIDENCE_ANSWER:
    case ENTRY_VERDICT:
    case ENTRY_DISPUTE:
    case ENTRY_FINDING:
    case ENTRY_ERASURE:
        sentence_evidence(entry, a, s);
        break;
    case ENTRY_DEAD_LETTER:
        sentence_dead_letter(entry->body, a, s);
        break;
    case ENTRY_GAP:
        sentence_gap(entry->body, a, s);
        break;
    case ENTRY_IMPORT:
        sentence_import(entry->body, a, s);
        break;
    case ENTRY_NONE:
    case ENTRY_RECORD:
    case ENTRY_KEY_GRANT:
    case ENTRY_CONFIGURATION:
    case ENTRY_VOUCHER:
    case ENTRY_ARCHIVE:
    case ENTRY_ANNOTATION:
    case ENTRY_ACCESS_LOG:
    case ENTRY_ANCHOR:
        break;
    }
    if (!s->what[0])
        sentence_plain(entry->kind, s);
}

void sentence_of(const struct genesis *g, struct slice entry, const uint8_t *submitter, int64_t block_time,
                 struct sentence *s) {
    struct arena a;
    struct entry x = {.kind = ENTRY_NONE};
    memset(s, 0, sizeof *s);
    arena_init(&a, SENTENCE_ARENA);
    s->time = block_time;
    sentence_author(g, submitter, s);
    if (entry_read(entry, &x, NULL) != ERR_OK)
        x.kind = ENTRY_NONE;
    s->kind = x.kind;
    if (x.kind == ENTRY_RECORD)
        sentence_record(x.body, &a, s);
    if (!s->text[0]) {
        sentence_body(&x, &a, s);
        sentence_when(s->time, s->when);
        PUT(s->text, "%s, at %s UTC, %s%s%s.", s->who, s->when, s->what, s->to[0] ? ": " : "", s->to);
    }
    arena_release(&a);
}
