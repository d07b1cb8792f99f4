/* node/cli/cmd_node_init.c -- `assay node init`: a node makes its keys at home and asks to be enrolled. */
#include "node/cli/commands.h"
#include "node/cli/found.h"
#include "node/cli/out.h"
#include "wire/pack.h"

const struct cli_option cmd_node_init_options[] = {
    {"home", "DIR", "the node's home (default $ASSAY_HOME, else .)"},
    {"id", "ID", "id of the node: lower-case letters, digits and -"},
    {"org", "ID", "its organisation"},
    {"role", "ROLE", "enterprise, regulator or observer (default enterprise)"},
    {"org-dir", "DIR", "the organisation's directory, if it is here: certify the node at once"},
    {"found-org", NULL, "make the organisation's keys too, in --org-dir"},
    {"listen", "ADDR", "host:port for other nodes"},
    {"http", "ADDR", "host:port of the HTTP interface"},
    {NULL, NULL, NULL},
};

static enum err_code cmd_node_made(struct cli *c, const char *home, const char *id, bool certified, struct err *e) {
    char request[FILES_PATH];
    struct buf b;
    enum err_code rc = files_path(request, home, "node.request", e);
    if (rc != ERR_OK)
        return rc;
    out_line(c, "node %s: its keys are in %s/keys; they never leave it\nsend %s to whoever assembles the genesis\n", id,
             home, request);
    if (!certified)
        out_line(c, "and to your organisation, which answers with keys/tls.pem (assay org certify)\n");
    if (!c->json)
        return ERR_OK;
    buf_init(&b, 65536);
    pack_map(&b, 4);
    pack_cstr(&b, "certified");
    pack_bool(&b, certified);
    pack_cstr(&b, "home");
    pack_cstr(&b, home);
    pack_cstr(&b, "id");
    pack_cstr(&b, id);
    pack_cstr(&b, "request");
    pack_cstr(&b, request);
    rc = buf_check(&b, e);
    if (rc == ERR_OK)
        rc = out_json(c, buf_slice(&b), e);
    buf_release(&b);
    return rc;
}

enum err_code cmd_node_init(struct cli *c, struct err *e) {
    const char *home = cli_home(c), *id, *org, *org_dir = cli_opt(c, "org-dir");
    char hash[65];
    struct found_config f = {
        .role = cli_opt_or(c, "role", "enterprise"), .listen = cli_opt(c, "listen"), .http = cli_opt(c, "http")};
    enum err_code rc;
    if ((rc = cli_need(c, "id", &id, e)) != ERR_OK || (rc = cli_need(c, "org", &org, e)) != ERR_OK)
        return rc;
    if (strcmp(f.role, "enterprise") != 0 && strcmp(f.role, "regulator") != 0 && strcmp(f.role, "observer") != 0)
        return err_set(e, ERR_USAGE, "--role must be enterprise, regulator or observer, not \"%s\"", f.role);
    if (cli_flag(c, "found-org") && !org_dir)
        return err_set(e, ERR_USAGE, "--found-org needs --org-dir DIR");
    if (cli_flag(c, "found-org") && (rc = found_org(org_dir, org, e)) != ERR_OK)
        return rc;
    f.id = id;
    if ((rc = files_mkdir(home, e)) != ERR_OK || (rc = found_node(home, id, org, org_dir, e)) != ERR_OK)
        return rc;
    if (f.http) {
        rc = found_http_key(home, hash, e);
        f.http_key = hash;
    }
    if (rc == ERR_OK)
        rc = found_config(home, &f, e);
    return rc == ERR_OK ? cmd_node_made(c, home, id, org_dir != NULL, e) : rc;
}
