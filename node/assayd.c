/* node/assayd.c -- the node's program: assayd --home DIR. Runs until SIGTERM or SIGINT. */
#include "node/log.h"
#include "node/node.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char assayd_help[] =
    "assayd -- runs one node of an Assay network\n\n"
    "  assayd --home DIR [--debug]\n\n"
    "DIR holds node.yaml, genesis.assay and keys/ (made by `assay node init` and `assay genesis assemble`, or by\n"
    "`assay network init` for a demonstration). $ASSAY_HOME stands in for --home. Stops cleanly on SIGTERM.\n"
    "Exit status: 0 stopped, 1 a file is missing, 2 wrong usage or configuration, 3 home in use, 4 refused,\n"
    "5 damaged or out of space.\n\n"
    "Example:\n  assayd --home /var/lib/assay\n";

int main(int argc, char **argv) {
    const char *home = getenv("ASSAY_HOME");
    struct node *n = NULL;
    struct err e = {0};
    sigset_t signals;
    int i, got = 0;
    for (i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            fputs(assayd_help, stdout);
            return 0;
        }
        if (strcmp(argv[i], "--debug") == 0)
            log_set_level(LOG_DEBUG);
        else if (strcmp(argv[i], "--home") == 0 && i + 1 < argc)
            home = argv[++i];
        else {
            fprintf(stderr, "assayd: \"%s\" is not understood; see assayd --help\n", argv[i]);
            return 2;
        }
    }
    if (!home || !*home) {
        fprintf(stderr, "assayd: say where the node's home is: assayd --home DIR\n");
        return 2;
    }
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); /* before any thread: all inherit it, sigwait takes them */
    signal(SIGPIPE, SIG_IGN);
    if (node_start(home, &n, &e) != ERR_OK) {
        fprintf(stderr, "assayd: %s: %s\n", err_text(e.code), e.text);
        return err_exit_status(e.code);
    }
    log_line(LOG_INFO, "node", "%s is up on port %u", n->id, peers_port(n->peers));
    sigwait(&signals, &got);
    log_line(LOG_INFO, "node", "stopping");
    node_stop(n);
    return 0;
}
