/* node/cli/cmd_evidence.c -- `assay evidence request|list|verify|dispute|export|adjudicate`. Exit 1: the evidence does
 * not verify, or the verdict does not stand. */
#include "audit/case_file.h"
#include "genesis/genesis.h"
#include "node/cli/client.h"
#include "node/cli/commands.h"
#include "node/cli/files.h"
#include "node/cli/out.h"
#include "node/cli/service.h"
#include "node/service_doc.h"
#include "wire/pack.h"

#include <stdlib.h>

#define HOME_OPTION                                                                                                    \
    { "home", "DIR", "home of the node (default: $ASSAY_HOME, else .)" }
#define CHANNEL_OPTION                                                                                                 \
    { "channel", "NAME", "which channel (default: the only one besides the parent)" }
#define AS_OPTION                                                                                                      \
    { "as", "NAME", "the person who acts (default: $USER)" }

const struct cli_option cmd_evidence_request_options[] = {
    HOME_OPTION,
    CHANNEL_OPTION,
    {"reason", "TEXT", "why; sealed to the two parties"},
    {"deadline", "TIME", "how long the enterprise has (default 1h): 90s, 5m, 2h, 7d"},
    {"object", "NAME", "what it is about; sealed; may be repeated"},
    {"to", "NODE", "the node that shall answer (default: the one that submitted the record)"},
    {"wait", "TIME", "how long to wait for the verdict (default 30s; 0: not at all)"},
    AS_OPTION,
    {NULL, NULL, NULL},
};
const struct cli_option cmd_evidence_list_options[] = {HOME_OPTION, CHANNEL_OPTION, {NULL, NULL, NULL}};
const struct cli_option cmd_evidence_verify_options[] = {
    HOME_OPTION,
    CHANNEL_OPTION,
    {"export", "FILE", "write the case to a file (.assay-case) for offline adjudication"},
    {"raw", "FILE", "write the raw log that was received"},
    {NULL, NULL, NULL},
};
const struct cli_option cmd_evidence_export_options[] = {
    HOME_OPTION,
    CHANNEL_OPTION,
    {"out", "FILE", "where it goes (.assay-case)"},
    {"no-key", NULL, "do not disclose the one-time key (the log in the file stays closed)"},
    {NULL, NULL, NULL},
};
const struct cli_option cmd_evidence_dispute_options[] = {
    HOME_OPTION,
    CHANNEL_OPTION,
    {"statement", "TEXT", "what is disputed, for everybody to read"},
    {"disclose", NULL, "disclose the one-time key on the channel: every member can then open the log"},
    AS_OPTION,
    {NULL, NULL, NULL},
};
const struct cli_option cmd_evidence_adjudicate_options[] = {
    {"genesis", "FILE", "the network's genesis: the channel and the asker's key are checked against it"},
    {NULL, NULL, NULL},
};

/* ---- what people see ---- */

static void evidence_tell(struct cli *c, const struct service_case *k) {
    char id[2 * EVIDENCE_CASE_SIZE + 1], when[SERVICE_TIME];
    bool good = k->verdict == EVIDENCE_VERDICT_VERIFIED;
    service_hex_text(k->case_id, EVIDENCE_CASE_SIZE, id);
    out_line(c, "case      %s on channel %.*s\n", id, SLICE_ARG(k->channel));
    out_line(c, "record    entry %llu; %.*s of %.*s asked %.*s\n", (unsigned long long)k->entry, SLICE_ARG(k->by),
             SLICE_ARG(k->asker), SLICE_ARG(k->to));
    if (k->reason.len)
        out_line(c, "reason    %.*s\n", SLICE_ARG(k->reason));
    out_line(c, "deadline  %s%s\n", service_time(k->deadline, when), k->late ? " (missed)" : "");
    out_line(c, "answer    %s", k->status ? evidence_status_names[k->status] : "none yet");
    if (k->answer)
        out_line(c, " (entry %llu, %s)", (unsigned long long)k->answer, service_time(k->answered_at, when));
    out_line(c, "\nverdict   %s%s%s", out_style(c, good ? OUT_GOOD : OUT_BAD),
             k->verdict ? evidence_verdict_names[k->verdict] : "none yet", out_style(c, OUT_PLAIN));
    if (k->verdict_entry)
        out_line(c, " (entry %llu)", (unsigned long long)k->verdict_entry);
    out_line(c, "\n");
    if (k->judged_now.len)
        out_line(c, "judged    again now: %.*s\n", SLICE_ARG(k->judged_now));
    if (k->words.len)
        out_line(c, "          %.*s\n", SLICE_ARG(k->words));
    if (k->outcome)
        out_line(c, "decided   %s\n", evidence_outcome_names[k->outcome]);
}

/* The exit status of a case: 0 verified, 1 not, 3 not judged yet. */
static enum err_code evidence_result(uint32_t verdict, struct err *e) {
    if (verdict == EVIDENCE_VERDICT_VERIFIED)
        return ERR_OK;
    if (verdict == 0)
        return err_set(e, ERR_TIMEOUT, "no verdict yet: see `assay evidence list`");
    return err_set(e, ERR_MISMATCH, "the evidence is not verified: %s", evidence_verdict_names[verdict]);
}

/* ---- request ---- */

/* Number or uid. */
static enum err_code evidence_which(const char *text, struct service_request *p, struct err *e) {
    char *end;
    if (service_hex(text, p->uid, RECORD_UID_SIZE))
        return ERR_OK;
    memset(p->uid, 0, sizeof p->uid);
    if (*text >= '0' && *text <= '9') {
        p->entry = strtoull(text, &end, 10);
        p->has_entry = *end == '\0';
    }
    return p->has_entry ? ERR_OK
                        : err_set(e, ERR_USAGE, "\"%s\" is neither an entry's number nor a record's uid", text);
}

enum err_code cmd_evidence_request(struct cli *c, struct err *e) {
    struct service_request p = {.by = client_by(c), .channel = slice_str(cli_opt(c, "channel")), .wait_ms = 30000};
    struct slice objects[EVIDENCE_OBJECTS];
    struct service_case k;
    struct service_call call = {.answer = {0}};
    const char *reason, *object;
    enum err_code rc;
    if ((rc = evidence_which(c->args[0], &p, e)) != ERR_OK || (rc = cli_need(c, "reason", &reason, e)) != ERR_OK ||
        (rc = service_duration(cli_opt_or(c, "deadline", "1h"), "--deadline", &p.deadline_ms, e)) != ERR_OK ||
        (rc = service_duration(cli_opt_or(c, "wait", "30s"), "--wait", &p.wait_ms, e)) != ERR_OK)
        return rc;
    p.reason = slice_str(reason);
    p.to = slice_str(cli_opt(c, "to"));
    p.objects.items = objects;
    while (p.objects.count < EVIDENCE_OBJECTS && (object = cli_opt_nth(c, "object", p.objects.count)) != NULL)
        objects[p.objects.count++] = slice_str(object);
    rc = service_once(c, "evidence.request", &service_request_schema, &p, &service_case_schema, &k, &call, e);
    if (rc == ERR_OK) {
        evidence_tell(c, &k);
        rc = p.wait_ms || k.verdict ? evidence_result(k.verdict, e) : ERR_OK;
    }
    service_done(&call);
    return rc;
}

/* ---- list ---- */

enum err_code cmd_evidence_list(struct cli *c, struct err *e) {
    static const char *const heads[] = {"case", "record", "asked", "by", "of", "state", "answer", "verdict", "decided"};
    struct service_case_ask p = {.channel = slice_str(cli_opt(c, "channel"))};
    struct service_cases all;
    struct service_call call;
    struct out_table t;
    enum err_code rc =
        service_once(c, "evidence.list", &service_case_ask_schema, &p, &service_cases_schema, &all, &call, e);
    out_table_init(&t, heads, sizeof heads / sizeof *heads, 1u << 1);
    for (uint32_t i = 0; rc == ERR_OK && i < all.cases.count; i++) {
        const struct service_case *k = &((const struct service_case *)all.cases.items)[i];
        char id[2 * EVIDENCE_CASE_SIZE + 1], when[SERVICE_TIME];
        service_hex_text(k->case_id, EVIDENCE_CASE_SIZE, id);
        out_cellf(&t, "%s", id);
        out_cellf(&t, "%llu", (unsigned long long)k->entry);
        out_cellf(&t, "%s", service_time(k->asked_at, when));
        out_cell(&t, k->asker);
        out_cell(&t, k->to);
        out_cellf(&t, "%.*s%s", SLICE_ARG(k->state), k->late ? ", late" : "");
        out_cellf(&t, "%s", k->status ? evidence_status_names[k->status] : "-");
        out_cellf(&t, "%s", k->verdict ? evidence_verdict_names[k->verdict] : "-");
        out_cellf(&t, "%s", k->outcome ? evidence_outcome_names[k->outcome] : "-");
    }
    if (rc == ERR_OK && !c->json)
        rc = out_table_print(c, &t, e);
    out_table_release(&t);
    service_done(&call);
    return rc;
}

/* ---- verify, export, dispute ---- */

static enum err_code evidence_ask_of(struct cli *c, struct service_case_ask *p, struct err *e) {
    *p = (struct service_case_ask){.by = client_by(c), .channel = slice_str(cli_opt(c, "channel"))};
    if (!service_hex(c->args[0], p->case_id, EVIDENCE_CASE_SIZE))
        return err_set(e, ERR_USAGE, "\"%s\" is no case: 32 hex digits, see `assay evidence list`", c->args[0]);
    return ERR_OK;
}

static enum err_code evidence_export_to(struct cli *c, const struct service_case_ask *p, const char *path,
                                        struct err *e) {
    struct service_export out;
    struct service_call call;
    bool json = c->json;
    enum err_code rc;
    c->json = false; /* the file is the answer */
    rc = service_once(c, "evidence.export", &service_case_ask_schema, p, &service_export_schema, &out, &call, e);
    c->json = json;
    if (rc == ERR_OK)
        rc = files_replace(path, out.file, e);
    if (rc == ERR_OK)
        out_line(c, "written to %s: `assay evidence adjudicate %s` decides it without a node\n", path, path);
    service_done(&call);
    return rc;
}

enum err_code cmd_evidence_verify(struct cli *c, struct err *e) {
    struct service_case_ask p;
    struct service_case k;
    struct service_call call = {.answer = {0}};
    const char *raw = cli_opt(c, "raw"), *file = cli_opt(c, "export");
    enum err_code rc = evidence_ask_of(c, &p, e);
    uint32_t verdict = 0;
    if (rc != ERR_OK)
        return rc;
    p.with_raw = raw != NULL;
    rc = service_once(c, "evidence.verify", &service_case_ask_schema, &p, &service_case_schema, &k, &call, e);
    if (rc == ERR_OK) {
        evidence_tell(c, &k);
        for (uint32_t i = 1; evidence_verdict_names[i]; i++)
            if (slice_eq_str(k.judged_now, evidence_verdict_names[i]))
                verdict = i;
        if (raw && k.raw.len)
            rc = files_replace(raw, k.raw, e);
    }
    service_done(&call);
    p.disclose = true;
    if (rc == ERR_OK && file)
        rc = evidence_export_to(c, &p, file, e);
    return rc == ERR_OK ? evidence_result(verdict, e) : rc;
}

enum err_code cmd_evidence_export(struct cli *c, struct err *e) {
    struct service_case_ask p;
    const char *path;
    enum err_code rc = evidence_ask_of(c, &p, e);
    if (rc != ERR_OK || (rc = cli_need(c, "out", &path, e)) != ERR_OK)
        return rc;
    p.disclose = !cli_flag(c, "no-key");
    return evidence_export_to(c, &p, path, e);
}

enum err_code cmd_evidence_dispute(struct cli *c, struct err *e) {
    struct service_case_ask p;
    struct service_committed done;
    struct service_call call = {.answer = {0}};
    const char *statement;
    enum err_code rc = evidence_ask_of(c, &p, e);
    if (rc != ERR_OK || (rc = cli_need(c, "statement", &statement, e)) != ERR_OK)
        return rc;
    p.statement = slice_str(statement);
    p.disclose = cli_flag(c, "disclose");
    rc = service_once(c, "evidence.dispute", &service_case_ask_schema, &p, &service_committed_schema, &done, &call, e);
    if (rc == ERR_OK)
        out_line(c, "the verdict is disputed: entry %llu, block %llu\n", (unsigned long long)done.number,
                 (unsigned long long)done.height);
    service_done(&call);
    return rc;
}

/* ---- adjudicate: offline ---- */

/* The channel must be of this network, and the asker's box key the one that genesis names. */
static enum err_code evidence_check_genesis(const char *path, const struct case_file *f, struct adjudicate_dossier *d,
                                            uint8_t box[SEALED_KEY_SIZE], struct err *e) {
    const struct genesis_node *asker;
    struct genesis g;
    bool known = false;
    enum err_code rc = genesis_read_file(path, &g, e);
    if (rc != ERR_OK)
        return rc;
    for (uint32_t i = 0; i < genesis_channel_count(&g) && !known; i++) {
        struct digest id = genesis_channel_id(&g, genesis_channel_at(&g, i));
        known = memcmp(id.b, f->channel, DIGEST_SIZE) == 0;
    }
    asker = genesis_node_find(&g, d->request->asker);
    if (!known)
        rc = err_set(e, ERR_WRONG_NETWORK, "the case is of a channel that this genesis does not found");
    else if (!asker)
        rc = err_set(e, ERR_PROOF, "the asker %.*s is no node of this network", SLICE_ARG(d->request->asker));
    else
        memcpy(box, asker->box, SEALED_KEY_SIZE);
    d->recipient_box = box;
    genesis_release(&g);
    return rc;
}

static enum err_code evidence_decided(struct cli *c, const struct adjudicate_dossier *d,
                                      const struct adjudicate_decision *dec, struct err *e) {
    const char *truth = dec->truth ? evidence_verdict_names[dec->truth] : "";
    struct buf b;
    enum err_code rc;
    out_line(c, "verdict   %s (entry %llu)\ndecision  %s%s%s\n", evidence_verdict_names[d->ruling->verdict],
             (unsigned long long)d->ruling_number,
             out_style(c, (uint32_t)dec->truth == d->ruling->verdict ? OUT_GOOD : OUT_BAD),
             evidence_outcome_names[dec->outcome], out_style(c, OUT_PLAIN));
    if (*truth)
        out_line(c, "truth     %s\n", truth);
    out_line(c, "because   %s\n", dec->words);
    buf_init(&b, 1 << 16);
    pack_map(&b, 4);
    pack_cstr(&b, "outcome");
    pack_cstr(&b, evidence_outcome_names[dec->outcome]);
    pack_cstr(&b, "truth");
    pack_cstr(&b, truth);
    pack_cstr(&b, "verdict");
    pack_cstr(&b, evidence_verdict_names[d->ruling->verdict]);
    pack_cstr(&b, "words");
    pack_cstr(&b, dec->words);
    rc = buf_check(&b, e);
    if (rc == ERR_OK && c->json)
        rc = out_json(c, buf_slice(&b), e);
    buf_release(&b);
    return rc;
}

enum err_code cmd_evidence_adjudicate(struct cli *c, struct err *e) {
    const char *genesis = cli_opt(c, "genesis");
    struct adjudicate_dossier d;
    struct adjudicate_decision dec;
    struct case_file f;
    struct arena a;
    struct buf in, plain;
    uint8_t box[SEALED_KEY_SIZE];
    enum err_code rc = sign_start(e);
    arena_init(&a, 64 << 20);
    buf_init(&plain, EVIDENCE_CIPHER_MAX);
    buf_init(&in, CASE_FILE_MAX);
    if (rc == ERR_OK)
        rc = files_read(c->args[0], CASE_FILE_MAX, &in, e);
    if (rc == ERR_OK && (rc = case_file_read(buf_slice(&in), &a, &f, e)) == ERR_OK &&
        (rc = case_file_dossier(&f, &a, &d, e)) == ERR_OK && genesis)
        rc = evidence_check_genesis(genesis, &f, &d, box, e);
    if (rc == ERR_OK && (rc = adjudicate(&d, &plain, &dec, e)) == ERR_OK)
        rc = evidence_decided(c, &d, &dec, e);
    if (rc == ERR_OK && (dec.outcome == EVIDENCE_VERDICT_FALSE || dec.outcome == EVIDENCE_UNDECIDED))
        rc = err_set(e, ERR_MISMATCH, "the verdict does not stand: %s", evidence_outcome_names[dec.outcome]);
    buf_release(&in);
    buf_release(&plain);
    arena_release(&a);
    return rc;
}
