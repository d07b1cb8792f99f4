/* node/cli/cli.h -- the frame of the `assay` program: a table of commands, their options, help, exit codes.
 * A command is one row of node/cli/commands.c: words, summary, usage, example, options, function. The frame parses the
 * options by the row's table, answers --help, suggests on a typing error, prints an error and turns it into the exit
 * status: 0 done, 1 the answer is no, 2 usage, 3 unreachable or busy, 4 refused, 5 corrupt (err_exit_status). */
#ifndef NODE_CLI_CLI_H
#define NODE_CLI_CLI_H

#include "wire/err.h"
#include "wire/slice.h"

#include <stdio.h>

enum { CLI_OPTIONS = 32 /* of a command */, CLI_GIVEN = 256 /* options on one line */, CLI_ARGS = 512 };

struct cli_option {
    const char *name; /* "home", without the dashes */
    const char *arg;  /* "DIR"; NULL: a switch */
    const char *help; /* one line */
};

struct cli_given {
    const char *name, *value; /* value "" for a switch */
};

struct cli {
    FILE *out, *err;
    bool json;   /* --json: one JSON document, or one a line, on out; nothing else there */
    bool colour; /* out is a terminal that wants it */
    const struct cli_command *command;
    struct cli_given given[CLI_GIVEN];
    size_t given_count;
    const char *args[CLI_ARGS]; /* what is no option */
    size_t arg_count;
};

struct cli_command {
    const char *words;                /* "genesis sign" */
    const char *usage;                /* "FILE --org ID --key FILE", what follows the words */
    const char *summary;              /* one line */
    const char *example;              /* whole lines, each ending in \n */
    const struct cli_option *options; /* ends with a NULL name; --json and --help are every command's */
    size_t args_min, args_max;
    enum err_code (*run)(struct cli *c, struct err *e);
};

/* The whole program; returns the exit status. commands ends with NULL words. */
int cli_main(const struct cli_command *commands, int argc, char **argv, FILE *out, FILE *err);

/* --- options of the running command --- */
const char *cli_opt(const struct cli *c, const char *name);                 /* NULL if not given; last one wins */
const char *cli_opt_nth(const struct cli *c, const char *name, size_t nth); /* repeated options; NULL past the last */
const char *cli_opt_or(const struct cli *c, const char *name, const char *other); /* value or other */
bool cli_flag(const struct cli *c, const char *name);
/* USAGE, naming the option, when it was not given. */
enum err_code cli_need(const struct cli *c, const char *name, const char **value, struct err *e) ERR_CHECKED;
/* A decimal number in [min, max]; *v is left alone when the option was not given. */
enum err_code cli_number(const struct cli *c, const char *name, uint64_t min, uint64_t max, uint64_t *v,
                         struct err *e) ERR_CHECKED;
/* Home of the node: --home, else $ASSAY_HOME, else ".". */
const char *cli_home(const struct cli *c);

#endif
