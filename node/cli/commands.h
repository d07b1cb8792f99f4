/* node/cli/commands.h -- every command of `assay`. To add one: write node/cli/cmd_<words>.c with its function and its
 * option table, declare both here, add its row to node/cli/commands.c. */
#ifndef NODE_CLI_COMMANDS_H
#define NODE_CLI_COMMANDS_H

#include "node/cli/cli.h"

extern const struct cli_command commands[]; /* ends with NULL words */

/* cmd_network_init.c */
extern const struct cli_option cmd_network_init_options[];
enum err_code cmd_network_init(struct cli *c, struct err *e);
/* cmd_network.c */
extern const struct cli_option cmd_network_up_options[], cmd_network_down_options[], cmd_network_status_options[];
enum err_code cmd_network_up(struct cli *c, struct err *e);
enum err_code cmd_network_down(struct cli *c, struct err *e);
enum err_code cmd_network_status(struct cli *c, struct err *e);
/* cmd_node_init.c */
extern const struct cli_option cmd_node_init_options[];
enum err_code cmd_node_init(struct cli *c, struct err *e);
/* cmd_org.c */
extern const struct cli_option cmd_org_init_options[];
enum err_code cmd_org_init(struct cli *c, struct err *e);
extern const struct cli_option cmd_org_certify_options[];
enum err_code cmd_org_certify(struct cli *c, struct err *e);
/* cmd_genesis.c */
extern const struct cli_option cmd_genesis_assemble_options[], cmd_genesis_sign_options[], cmd_genesis_plain_options[],
    cmd_genesis_show_options[];
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
/* cmd_channel.c */
extern const struct cli_option cmd_channel_options[];
enum err_code cmd_channel_list(struct cli *c, struct err *e);
enum err_code cmd_channel_show(struct cli *c, struct err *e);
/* cmd_query.c */
extern const struct cli_option cmd_query_options[];
enum err_code cmd_query(struct cli *c, struct err *e);
/* cmd_show.c */
extern const struct cli_option cmd_show_options[], cmd_watch_options[];
enum err_code cmd_show(struct cli *c, struct err *e);
enum err_code cmd_watch(struct cli *c, struct err *e);
/* cmd_proof.c */
extern const struct cli_option cmd_checkpoint_options[], cmd_proof_verify_options[];
enum err_code cmd_checkpoint(struct cli *c, struct err *e);
enum err_code cmd_proof_inclusion(struct cli *c, struct err *e);
enum err_code cmd_proof_consistency(struct cli *c, struct err *e);
enum err_code cmd_proof_verify(struct cli *c, struct err *e);
/* cmd_fsck.c */
extern const struct cli_option cmd_fsck_options[], cmd_fsck_store_options[];
enum err_code cmd_fsck(struct cli *c, struct err *e);
enum err_code cmd_fsck_store(struct cli *c, struct err *e);
/* cmd_bundle.c */
extern const struct cli_option cmd_bundle_export_options[], cmd_bundle_verify_options[];
enum err_code cmd_bundle_export(struct cli *c, struct err *e);
enum err_code cmd_bundle_verify(struct cli *c, struct err *e);
enum err_code cmd_bundle_explain(struct cli *c, struct err *e);
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
