/* node/api.h -- what a node can be asked: one handler a method, the same for commands (rpc) and HTTP.
 * Owns: the table of methods, the worker threads that run them.
 * A handler reads canonical params by a schema of its own and writes canonical msgpack answers: maps whose keys are in
 * ascending order. It runs on a worker thread and may wait. Files api_*.c hold the handlers, a theme each.
 * Source: docs/PROTOCOL.md (commands). */
#ifndef NODE_API_H
#define NODE_API_H

#include "node/node.h"

enum { API_THREADS = 128 /* calls at once */, API_QUEUE = 512 };

struct api_call {
    struct node *node;
    struct slice params; /* canonical map, or absent */
    struct slice by;     /* the person who asks, by the door's word: operator of the home, or the HTTP key's name */
    struct arena arena;  /* for the handler's reading */
    struct buf out;      /* the answer, or one part of it */
    /* Sends out as one part of several and clears it; false: the asker has gone, stop. */
    bool (*part)(struct api_call *call);
    void *door; /* the door's own */
};

typedef enum err_code (*api_handler)(struct api_call *call, struct err *e);

struct api_method {
    const char *name;
    api_handler run;
    bool writes; /* needs more than the right to read */
};

extern const struct api_method api_methods[]; /* ends with a NULL name */
const struct api_method *api_find(struct slice name);

enum err_code api_start(struct node *n, struct api **out, struct err *e) ERR_CHECKED;
void api_stop(struct api *a);
/* Callbacks of the rpc server: ctx is the node. */
void api_rpc_request(void *node, uint64_t conn, uint64_t id, const char *method, struct slice body);
void api_rpc_gone(void *node, uint64_t conn);

/* ---- helpers for handlers ---- */
/* Params by schema; absent params are an empty map. */
enum err_code api_params(struct api_call *call, const struct schema *s, void *out, struct err *e) ERR_CHECKED;
/* The channel that `name` means; NOT_FOUND tells which there are. */
enum err_code api_channel(struct api_call *call, struct slice name, struct node_channel **out,
                          struct err *e) ERR_CHECKED;
/* Like the above, for params that hold nothing but {channel}. */
enum err_code api_only_channel(struct api_call *call, struct node_channel **out, struct err *e) ERR_CHECKED;
/* Would this entry of this node be valid now? So that what can't be is told at once and never enters the outbox. */
enum err_code api_precheck(struct node_channel *c, struct slice entry, struct err *e) ERR_CHECKED;
/* Hex text of bytes, in the arena. */
struct slice api_hex(struct api_call *call, struct slice bytes);

struct reading;
struct index_entry;
/* One entry as a map, as node/api_query.c draws it. proof: a tlog-proof's text, or absent. */
void api_entry_pack(const struct node *n, const struct index_entry *x, struct slice proof, struct buf *b);
/* Number of the record with this uid; *number stays as it is for an all-zero uid. NOT_FOUND. (api_query.c) */
enum err_code api_find_entry(struct reading *r, const uint8_t uid[RECORD_UID_SIZE], uint64_t *number,
                             struct err *e) ERR_CHECKED;

/* ---- handlers, by file ---- */
enum err_code api_status(struct api_call *call, struct err *e); /* api_status.c */
enum err_code api_channel_show(struct api_call *call, struct err *e);
enum err_code api_checkpoint(struct api_call *call, struct err *e); /* api_proof.c */
enum err_code api_proof_inclusion(struct api_call *call, struct err *e);
enum err_code api_proof_consistency(struct api_call *call, struct err *e);
enum err_code api_bundle_export(struct api_call *call, struct err *e); /* api_bundle.c */
enum err_code api_query(struct api_call *call, struct err *e);         /* api_query.c */
enum err_code api_show(struct api_call *call, struct err *e);
enum err_code api_watch(struct api_call *call, struct err *e);
enum err_code api_submit(struct api_call *call, struct err *e);           /* api_submit.c */
enum err_code api_standard_publish(struct api_call *call, struct err *e); /* api_standard.c */
enum err_code api_standard_list(struct api_call *call, struct err *e);
enum err_code api_standard_show(struct api_call *call, struct err *e);
enum err_code api_evidence_request(struct api_call *call, struct err *e); /* api_evidence.c */
enum err_code api_evidence_list(struct api_call *call, struct err *e);
enum err_code api_evidence_verify(struct api_call *call, struct err *e);
enum err_code api_evidence_dispute(struct api_call *call, struct err *e);
enum err_code api_evidence_export(struct api_call *call, struct err *e);
enum err_code api_findings(struct api_call *call, struct err *e);
enum err_code api_ingest_status(struct api_call *call, struct err *e); /* api_ingest.c */
enum err_code api_ingest_run(struct api_call *call, struct err *e);
enum err_code api_dead_letters(struct api_call *call, struct err *e);

#endif
