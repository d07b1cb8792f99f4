/* node/cli/commands.c -- the table of all commands; one row each, in the order of `assay --help`. */
#include "node/cli/commands.h"

/* clang-format off */
const struct cli_command commands[] = {
    {"network init", "FILE --dir DIR", "found a whole network on this machine (demonstration only)",
     "  assay network init genesis/demo/network.yaml --dir demo-home\n",
     cmd_network_init_options, 1, 1, cmd_network_init},
    {"org init", "--id ID --dir DIR", "make an organisation's founder key and CA, at home",
     "  assay org init --id acme --dir /etc/assay/acme\n",
     cmd_org_init_options, 0, 0, cmd_org_init},
    {"org certify", "REQUEST --dir DIR --out FILE", "make the TLS certificate of one of the organisation's nodes",
     "  assay org certify node.request --dir /etc/assay/acme --out tls.pem\n",
     cmd_org_certify_options, 1, 1, cmd_org_certify},
    {"node init", "--id ID --org ID [--home DIR] [--org-dir DIR]", "make a node's keys at home and its enrolment request",
     "  assay node init --home /var/lib/assay --id acme-hq --org acme --listen 10.0.0.5:7400 --http 127.0.0.1:7480\n",
     cmd_node_init_options, 0, 0, cmd_node_init},
    {"genesis assemble", "PLAN REQUEST... --out FILE", "put a plan and all enrolment requests together",
     "  assay genesis assemble network.yaml *.request --out genesis.assay\n",
     cmd_genesis_assemble_options, 1, CLI_ARGS, cmd_genesis_assemble},
    {"genesis sign", "FILE --org ID --key FILE [--out FILE]", "sign a genesis with an organisation's founder key",
     "  assay genesis sign genesis.assay --org acme --key /etc/assay/acme/founder.key\n",
     cmd_genesis_sign_options, 1, 1, cmd_genesis_sign},
    {"genesis verify", "FILE", "check every founder's signature and every rule",
     "  assay genesis verify genesis.assay\n",
     cmd_genesis_plain_options, 1, 1, cmd_genesis_verify},
    {"genesis show", "FILE", "show who founds what, and what each alone could halt or fork",
     "  assay genesis show genesis.assay\n",
     cmd_genesis_plain_options, 1, 1, cmd_genesis_show},
    {NULL, NULL, NULL, NULL, NULL, 0, 0, NULL},
};
/* clang-format on */
