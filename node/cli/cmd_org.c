/* node/cli/cmd_org.c -- `assay org init` and `assay org certify`: an organisation's own keys and its CA. */
#include "genesis/enrol.h"
#include "node/cli/commands.h"
#include "node/cli/found.h"
#include "node/cli/out.h"
#include "wire/pack.h"

const struct cli_option cmd_org_init_options[] = {
    {"id", "ID", "id of the organisation: lower-case letters, digits and -"},
    {"dir", "DIR", "where its keys stay; guard it"},
    {NULL, NULL, NULL},
};

const struct cli_option cmd_org_certify_options[] = {
    {"dir", "DIR", "the organisation's directory, with ca.key"},
    {"out", "FILE", "where the certificate goes; the node keeps it as keys/tls.pem"},
    {NULL, NULL, NULL},
};

/* {"made":…} of a list of key-value texts. */
static enum err_code cmd_org_json(struct cli *c, const char *const *pairs, uint32_t count, struct err *e) {
    struct buf b;
    enum err_code rc = ERR_OK;
    uint32_t i;
    if (!c->json)
        return ERR_OK;
    buf_init(&b, 65536);
    pack_map(&b, count);
    for (i = 0; i < count * 2; i++)
        pack_cstr(&b, pairs[i]);
    rc = buf_check(&b, e);
    if (rc == ERR_OK)
        rc = out_json(c, buf_slice(&b), e);
    buf_release(&b);
    return rc;
}

enum err_code cmd_org_init(struct cli *c, struct err *e) {
    const char *id, *dir;
    char request[FILES_PATH];
    enum err_code rc;
    if ((rc = cli_need(c, "id", &id, e)) != ERR_OK || (rc = cli_need(c, "dir", &dir, e)) != ERR_OK ||
        (rc = found_org(dir, id, e)) != ERR_OK || (rc = files_path(request, dir, "org.request", e)) != ERR_OK)
        return rc;
    out_line(c,
             "organisation %s: founder key and CA are in %s; they never leave it\n"
             "send %s to whoever assembles the genesis\n",
             id, dir, request);
    return cmd_org_json(c, (const char *const[]){"dir", dir, "id", id, "request", request}, 3, e);
}

enum err_code cmd_org_certify(struct cli *c, struct err *e) {
    const char *dir, *to;
    struct buf request;
    enum err_code rc;
    if ((rc = cli_need(c, "dir", &dir, e)) != ERR_OK || (rc = cli_need(c, "out", &to, e)) != ERR_OK ||
        (rc = sign_start(e)) != ERR_OK)
        return rc;
    rc = files_read(c->args[0], ENROL_SIZE, &request, e);
    if (rc == ERR_OK)
        rc = found_certify(dir, buf_slice(&request), to, e);
    buf_release(&request);
    if (rc != ERR_OK)
        return rc;
    out_line(c, "certificate written to %s\n", to);
    return cmd_org_json(c, (const char *const[]){"certificate", to}, 1, e);
}
