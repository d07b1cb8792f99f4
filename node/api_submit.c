/* node/api_submit.c -- one record, given by its elements and its raw log; answers when it is final. */
#include "node/api.h"

#include "node/clock.h"
#include "node/door.h"
#include "wire/pack.h"

enum { SUBMIT_TIMEOUT_MS = 20000 };

struct submit_params {
    struct slice channel;
    bool no_wait;
    struct slice raw;
    struct record record;
};
static const struct schema_field submit_fields[] = {
    {.key = "channel",
     .type = SCHEMA_STR,
     .flags = SCHEMA_OPTIONAL,
     .offset = offsetof(struct submit_params, channel),
     .max = LIMIT_NAME},
    {.key = "no_wait",
     .type = SCHEMA_BOOL,
     .flags = SCHEMA_OPTIONAL,
     .offset = offsetof(struct submit_params, no_wait)},
    {.key = "raw", .type = SCHEMA_BIN, .offset = offsetof(struct submit_params, raw), .min = 1, .max = VAULT_RAW_MAX},
    {.key = "record",
     .type = SCHEMA_MAP,
     .offset = offsetof(struct submit_params, record),
     .sub = &record_draft_schema},
};
static const struct schema submit_schema = SCHEMA_OF("params", struct submit_params, submit_fields);

enum err_code api_submit(struct api_call *call, struct err *e) {
    struct submit_params p;
    struct node_channel *c;
    struct door_log log = {0};
    struct door_receipt receipt;
    struct courier_receipt final = {0};
    enum err_code rc = api_params(call, &submit_schema, &p, e);
    if (rc != ERR_OK || (rc = api_channel(call, p.channel, &c, e)) != ERR_OK ||
        (rc = door_nfc_record(&call->arena, &p.record, e)) != ERR_OK)
        return rc;
    log.record = p.record;
    log.raw = p.raw;
    if (!log.record.log_type)
        log.record.log_type = RECORD_LOG_TEXT;
    if (!log.record.source.id.len) {
        log.record.source.id = slice_str("submit");
        log.record.source.seq = (uint64_t)clock_wall_ms();
    }
    if (!log.record.org_unit.len)
        log.record.org_unit = call->node->self->unit;
    rc = p.no_wait ? door_take(c, &log, 1, NULL, 0, true, &receipt, e)
                   : door_commit(c, &log, SUBMIT_TIMEOUT_MS, &receipt, &final, e);
    if (rc != ERR_OK)
        return rc;
    pack_map(&call->out, p.no_wait ? 2 : 5); /* canonical: `final` is absent where it is false */
    if (!p.no_wait) {
        pack_cstr(&call->out, "final");
        pack_bool(&call->out, true);
        pack_cstr(&call->out, "height");
        pack_u64(&call->out, final.height);
        pack_cstr(&call->out, "number");
        pack_u64(&call->out, final.number);
    }
    pack_cstr(&call->out, "raw_hash");
    pack_bin(&call->out, digest_slice(&receipt.raw_hash));
    pack_cstr(&call->out, "uid");
    pack_bin(&call->out, slice_of(receipt.uid, RECORD_UID_SIZE));
    return ERR_OK;
}
