/* node/cli/cmd_findings.c -- `assay findings`: what engines and people concluded. */
#include "node/cli/client.h"
#include "node/cli/commands.h"
#include "node/cli/out.h"
#include "node/cli/service.h"
#include "node/service_doc.h"

const struct cli_option cmd_findings_options[] = {
    {"home", "DIR", "home of the node (default: $ASSAY_HOME, else .)"},
    {"channel", "NAME", "which channel (default: the only one besides the parent)"},
    {"from", "ENTRY", "findings from this entry on"},
    {NULL, NULL, NULL},
};

enum err_code cmd_findings(struct cli *c, struct err *e) {
    static const char *const heads[] = {"entry", "time", "severity", "kind", "by", "finding"};
    struct service_findings_ask p = {.channel = slice_str(cli_opt(c, "channel"))};
    struct service_findings all;
    struct service_call call;
    struct client cl = {.self = NULL};
    struct out_table t;
    char when[SERVICE_TIME];
    enum err_code rc = cli_number(c, "from", 0, UINT64_MAX, &p.from, e);
    if (rc != ERR_OK || (rc = client_open(c, &cl, e)) != ERR_OK)
        return rc;
    out_table_init(&t, heads, sizeof heads / sizeof *heads, 1u);
    do {
        rc =
            service_ask(c, &cl, "findings", &service_findings_ask_schema, &p, &service_findings_schema, &all, &call, e);
        for (uint32_t i = 0; rc == ERR_OK && i < all.findings.count; i++) {
            const struct service_finding *f = &((const struct service_finding *)all.findings.items)[i];
            out_cellf(&t, "%llu", (unsigned long long)f->number);
            out_cellf(&t, "%s", service_time(f->time, when));
            out_cellf(&t, "%s", evidence_severity_names[f->severity]);
            out_cell(&t, f->kind);
            out_cell(&t, f->by);
            out_cell(&t, f->text);
        }
        p.from = rc == ERR_OK ? all.next : 0;
        service_done(&call);
    } while (rc == ERR_OK && all.more);
    if (rc == ERR_OK && !c->json)
        rc = out_table_print(c, &t, e);
    out_table_release(&t);
    client_close(&cl);
    return rc;
}
