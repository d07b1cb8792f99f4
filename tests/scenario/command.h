/* tests/scenario/command.h -- one line of a scenario file, carried out on the stage. The list of commands stands in
 * command.c. */
#ifndef TESTS_SCENARIO_COMMAND_H
#define TESTS_SCENARIO_COMMAND_H

#include "tests/scenario/stage.h"

/* Splits `line` in place. *st is replaced by `cluster`; its `out` grows by what the command shows. False, with a text
 * in *wrong, when the line is no command. */
bool command_run(struct stage **st, char *line, const char **wrong);

#endif
