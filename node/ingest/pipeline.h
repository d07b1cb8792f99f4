/* node/ingest/pipeline.h -- one raw log through tag, extract, unify, extend and fold: a door_log, whole or dead.
 * Depends on: extract.h, extend.h, node/door.h. Pure but for the tables. Source: SEEDS S2.9-12, 22-26. */
#ifndef NODE_INGEST_PIPELINE_H
#define NODE_INGEST_PIPELINE_H

#include "node/door.h"
#include "node/ingest/ingest_config.h"

struct pipeline {
    const struct ingest_config *config;
    const struct ingest_source *source; /* NULL: none configured (a post) */
    size_t source_index;
    struct slice source_id, server, service; /* server, service: as the poster tags; the source's own win */
    struct slice org_unit;                   /* of the node, unless the source says */
    const struct audit_state *state;         /* NULL: offline, no standards */
    int64_t now;
    struct arena *arena; /* all that is made lives here */
};

/* What each step made of it, for people; texts live in the pipeline's arena. */
struct pipeline_trace {
    struct slice server, service;
    uint32_t log_type;
    struct slice extractor; /* id of the one that took it */
    size_t tried;
    size_t objects; /* before folding */
};

/* raw: the log without its line end. Never fails but for memory: what cannot be decoded is `dead` with its reason. */
enum err_code pipeline_run(const struct pipeline *p, struct slice raw, uint64_t seq, struct door_log *out,
                           struct pipeline_trace *trace, struct err *e) ERR_CHECKED;
/* Objects past the 256th (or past what a record can hold) become a count and an RFC 6962 root over their canonical
 * bytes. */
enum err_code pipeline_fold(struct record *r, struct arena *a, struct err *e) ERR_CHECKED;

#endif
