/* node/service_doc.h -- what the methods on standards, evidence and findings are asked and answer: one table a
 * document, read and written by the node and by the command alike. Source: docs/PROTOCOL.md (commands). Empty values
 * are absent. Times in ms since 1970 UTC; entry numbers 0: none. */
#ifndef NODE_SERVICE_DOC_H
#define NODE_SERVICE_DOC_H

#include "audit/cases.h"
#include "audit/standard.h"

enum { SERVICE_DOC_LIST = 4096, SERVICE_DOC_RAW = VAULT_RAW_MAX + 4096 };

/* ---- standards ---- */
struct service_publish { /* standard.publish */
    struct slice by, channel;
    struct slice definition; /* canonical, as standard_lint makes it */
};
struct service_standard_ask { /* standard.list, standard.show */
    struct slice channel, id, version;
    uint32_t kind;
};
struct service_standard {
    struct schema_list acked; /* STRS: node ids */
    int64_t acts_from;
    struct slice channel;
    struct slice definition; /* RAW; show only */
    bool from_parent;        /* published there, imported here */
    int64_t grace_ms;
    uint8_t hash[DIGEST_SIZE];
    struct slice id, issuer;
    uint32_t kind;
    struct slice life;
    uint64_t members; /* of the channel: how many acknowledgements there can be */
    uint32_t mode;
    uint64_t number; /* its entry */
    int64_t published;
    struct slice title, version;
};
struct service_standards {
    struct schema_list standards; /* of struct service_standard */
};
struct service_committed { /* what was made final */
    struct slice channel;
    uint8_t hash[DIGEST_SIZE];
    uint64_t height, number;
};
extern const struct schema service_publish_schema, service_standard_ask_schema, service_standard_schema,
    service_standards_schema, service_committed_schema;

/* ---- evidence ---- */
struct service_request { /* evidence.request; the record by its number or by its uid */
    struct slice by, channel;
    uint64_t deadline_ms; /* from now; default one hour */
    uint64_t entry;
    bool has_entry;
    struct schema_list objects; /* STRS */
    struct slice reason, to;
    uint8_t uid[RECORD_UID_SIZE];
    uint64_t wait_ms; /* how long to wait for the verdict; 0: not at all */
};
struct service_case_ask { /* evidence.list, verify, dispute, export */
    struct slice by;
    uint8_t case_id[EVIDENCE_CASE_SIZE];
    struct slice channel;
    bool disclose; /* export: put the one-time key into the file; dispute: into the entry */
    struct slice statement;
    bool with_raw; /* verify: give the log too */
};
struct service_case {
    uint64_t answer;
    int64_t answered_at, asked_at;
    struct slice asker, by;
    uint8_t case_id[EVIDENCE_CASE_SIZE];
    struct slice channel;
    uint8_t checked[DIGEST_SIZE]; /* verify: the hash as computed now */
    int64_t deadline;
    uint64_t dispute, entry;
    int64_t judged_at;
    struct slice judged_now; /* verify: the verdict as of now */
    bool late;
    uint32_t outcome; /* enum evidence_outcome */
    struct slice raw; /* verify, with_raw */
    uint32_t raw_commit;
    uint8_t raw_hash[DIGEST_SIZE];
    struct slice reason; /* of the request, where it was sealed to this node */
    uint64_t request;
    uint8_t salt[COMMITMENT_SALT_SIZE]; /* verify, with_raw */
    struct slice state;
    uint32_t status; /* enum evidence_status */
    struct slice to;
    uint32_t verdict; /* enum evidence_verdict */
    uint64_t verdict_entry;
    struct slice words;
};
struct service_cases {
    struct schema_list cases; /* of struct service_case */
};
struct service_export {
    struct slice file; /* bytes of a .assay-case */
};
struct service_finding {
    struct slice by;
    uint8_t case_id[EVIDENCE_CASE_SIZE];
    struct slice channel, engine, kind;
    uint64_t number; /* its entry */
    uint32_t outcome, severity;
    uint64_t subject; /* the first entry that it names; see has_subject */
    bool has_subject;
    struct slice text;
    int64_t time;
};
struct service_findings {
    struct schema_list findings; /* of struct service_finding, oldest first */
    bool more;
    uint64_t next; /* more: ask on from this entry */
};
struct service_findings_ask {
    struct slice channel;
    uint64_t from;
};
extern const struct schema service_request_schema, service_case_ask_schema, service_case_schema, service_cases_schema,
    service_export_schema, service_finding_schema, service_findings_schema, service_findings_ask_schema;

#endif
