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
/* cmd_ingest.c, cmd_ingest_test.c, cmd_submit.c */
extern const struct cli_option cmd_ingest_run_options[], cmd_dead_letters_options[], cmd_ingest_test_options[],
    cmd_submit_options[];
enum err_code cmd_ingest_run(struct cli *c, struct err *e);
enum err_code cmd_dead_letters(struct cli *c, struct err *e);
enum err_code cmd_ingest_test(struct cli *c, struct err *e);
enum err_code cmd_submit(struct cli *c, struct err *e);

#endif
