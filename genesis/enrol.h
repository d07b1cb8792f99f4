/* genesis/enrol.h -- enrolment: nobody makes another's keys.
 * Owns: the enrolment requests, and the plan from which genesis is assembled. Key files: genesis/keys.h.
 * A request is canonical msgpack {body, sigs}; body holds public parts only; each signing key in it signs
 * "assay/enrol/v1" NUL ‖ body (proof of possession; the X25519 box key cannot sign and is vouched for by the others).
 * The plan is YAML (genesis/demo/network.yaml is one): names, addresses and channels, no key. */
#ifndef GENESIS_ENROL_H
#define GENESIS_ENROL_H

#include "genesis/genesis_check.h"
#include "genesis/keys.h"
#include "wire/yaml.h"

enum { ENROL_SIZE = 64 << 10 /* bytes of a request */ };
enum enrol_kind { ENROL_ORG = 1, ENROL_NODE };

/* Body of a request: of an organisation or of a node (the others' fields absent). */
struct enrol_body {
    uint8_t box[GENESIS_KEY_SIZE];
    struct slice ca; /* organisation: CA certificate, PEM */
    uint8_t consensus[GENESIS_KEY_SIZE];
    uint8_t founder[GENESIS_KEY_SIZE]; /* organisation */
    struct slice id;
    uint32_t kind; /* enum enrol_kind */
    uint8_t link[GENESIS_KEY_SIZE];
    struct slice org; /* node: its organisation */
    uint8_t submit[GENESIS_KEY_SIZE];
    struct slice tls; /* node: public key of its TLS certificate, PEM: for its organisation's CA, not in genesis */
};

struct enrol_request {
    struct slice body; /* RAW: what is signed */
    uint8_t sig_consensus[SIGN_SIZE];
    uint8_t sig_founder[SIGN_SIZE];
    uint8_t sig_link[SIGN_SIZE];
    uint8_t sig_submit[SIGN_SIZE];
};

extern const struct schema enrol_body_schema;
extern const struct schema enrol_request_schema;

/* --- requests --- */
enum err_code enrol_node_request(const struct keys *k, struct slice id, struct slice org, struct slice tls_public,
                                 struct buf *out, struct err *e) ERR_CHECKED;
enum err_code enrol_org_request(const struct sign_secret *founder, const struct sign_public *pub, struct slice id,
                                struct slice ca_pem, struct buf *out, struct err *e) ERR_CHECKED;
/* Decodes and checks every proof of possession; slices borrow from bytes. BAD_SIGNATURE names the key. */
enum err_code enrol_read(struct slice bytes, struct enrol_body *out, struct err *e) ERR_CHECKED;

/* --- the plan --- */
struct enrol_plan {
    struct yaml_doc doc;      /* owns all slices */
    struct genesis_body body; /* keys zero, version 1, addresses maybe absent */
};
/* Reads a plan; addresses may be absent (network init fills them). Rules that need keys are checked by enrol_assemble.
 * CONFIG with file and line. Release with enrol_plan_release, also after an error. */
enum err_code enrol_plan_read(struct enrol_plan *p, const char *path, struct err *e) ERR_CHECKED;
enum err_code enrol_plan_parse(struct enrol_plan *p, struct slice text, const char *name, struct err *e) ERR_CHECKED;
void enrol_plan_release(struct enrol_plan *p);
/* Puts the keys of the requests into the plan, checks all rules (mistakes with the plan's file and line), writes an
 * unsigned genesis file. `requests` must live as long as p. Missing, superfluous or repeated requests are CONFIG and
 * name the organisation or node. created_ms is used when the plan gives no time. */
enum err_code enrol_assemble(struct enrol_plan *p, const struct slice *requests, size_t count, int64_t created_ms,
                             struct buf *out, struct err *e) ERR_CHECKED;

#endif
