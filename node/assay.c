/* node/assay.c -- the command line. Everything is in node/cli/. */
#include "node/cli/commands.h"

int main(int argc, char **argv) {
    return cli_main(commands, argc, argv, stdout, stderr);
}
