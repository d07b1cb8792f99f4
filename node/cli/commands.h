/* node/cli/commands.h -- every command of `assay`. To add one: write node/cli/cmd_<words>.c with its function and its
 * option table, declare both here, add its row to node/cli/commands.c. */
#ifndef NODE_CLI_COMMANDS_H
#define NODE_CLI_COMMANDS_H

#include "node/cli/cli.h"

extern const struct cli_command commands[]; /* ends with NULL words */

/* cmd_network_init.c */
extern const struct cli_option cmd_network_init_options[];
enum err_code cmd_network_init(struct cli *c, struct err *e);
/* cmd_node_init.c */
extern const struct cli_option cmd_node_init_options[];
enum err_code cmd_node_init(struct cli *c, struct err *e);
/* cmd_org.c */
extern const struct cli_option cmd_org_init_options[];
enum err_code cmd_org_init(struct cli *c, struct err *e);
extern const struct cli_option cmd_org_certify_options[];
enum err_code cmd_org_certify(struct cli *c, struct err *e);
/* cmd_genesis.c */
extern const struct cli_option cmd_genesis_assemble_options[], cmd_genesis_sign_options[], cmd_genesis_plain_options[];
enum err_code cmd_genesis_assemble(struct cli *c, struct err *e);
enum err_code cmd_genesis_sign(struct cli *c, struct err *e);
enum err_code cmd_genesis_verify(struct cli *c, struct err *e);
enum err_code cmd_genesis_show(struct cli *c, struct err *e);
/* cmd_standard.c */
extern const struct cli_option cmd_standard_lint_options[], cmd_standard_publish_options[], cmd_standard_list_options[],
    cmd_standard_show_options[];
enum err_code cmd_standard_lint(struct cli *c, struct err *e);
enum err_code cmd_standard_publish(struct cli *c, struct err *e);
enum err_code cmd_standard_list(struct cli *c, struct err *e);
enum err_code cmd_standard_show(struct cli *c, struct err *e);
/* cmd_evidence.c */
extern const struct cli_option cmd_evidence_request_options[], cmd_evidence_list_options[],
    cmd_evidence_verify_options[], cmd_evidence_dispute_options[], cmd_evidence_export_options[],
    cmd_evidence_adjudicate_options[];
enum err_code cmd_evidence_request(struct cli *c, struct err *e);
enum err_code cmd_evidence_list(struct cli *c, struct err *e);
enum err_code cmd_evidence_verify(struct cli *c, struct err *e);
enum err_code cmd_evidence_dispute(struct cli *c, struct err *e);
enum err_code cmd_evidence_export(struct cli *c, struct err *e);
enum err_code cmd_evidence_adjudicate(struct cli *c, struct err *e);
/* cmd_findings.c */
extern const struct cli_option cmd_findings_options[];
enum err_code cmd_findings(struct cli *c, struct err *e);

#endif
