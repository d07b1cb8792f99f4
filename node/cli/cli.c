/* node/cli/cli.c -- see cli.h. */
#include "node/cli/cli.h"

#include "node/cli/out.h"
#include "wire/json.h"
#include "wire/mem.h"
#include "wire/near.h"
#include "wire/pack.h"
#include "wire/yaml_scalar.h"

#include <stdlib.h>
#include <unistd.h>

enum { CLI_WORDS = 3 /* at most, of one command */ };

static const struct cli_option cli_common[] = {
    {"json", NULL, "print one JSON document instead of text"},
    {"help", NULL, "explain this command"},
    {NULL, NULL, NULL},
};

/* ---- finding the command ---- */

/* Number of argv words that the command's words match from the start; 0: it does not match. */
static int cli_match(const struct cli_command *cmd, int argc, char **argv) {
    const char *w = cmd->words;
    int used = 0;
    while (*w) {
        size_t len = strcspn(w, " ");
        if (used == argc || strlen(argv[used]) != len || memcmp(w, argv[used], len) != 0)
            return 0;
        used++;
        w += len;
        w += *w == ' ';
    }
    return used;
}

static const struct cli_command *cli_find(const struct cli_command *commands, int argc, char **argv, int *used) {
    const struct cli_command *best = NULL;
    *used = 0;
    for (; commands->words; commands++) {
        int n = cli_match(commands, argc, argv);
        if (n > *used) {
            best = commands;
            *used = n;
        }
    }
    return best;
}

/* The words typed so far, joined, for messages. */
static void cli_typed(int argc, char **argv, char *out, size_t room) {
    size_t len = 0;
    int i;
    out[0] = '\0';
    for (i = 0; i < argc && i < CLI_WORDS && argv[i][0] != '-'; i++) {
        int n = snprintf(out + len, room - len, "%s%.64s", i ? " " : "", argv[i]);
        len += n > 0 && (size_t)n < room - len ? (size_t)n : 0;
    }
}

static int cli_unknown(const struct cli_command *commands, int argc, char **argv, FILE *err) {
    const struct cli_command *cmd, *best = NULL;
    char typed[256];
    size_t first = strlen(argv[0]), near = SIZE_MAX;
    bool group = false;
    cli_typed(argc, argv, typed, sizeof typed);
    for (cmd = commands; cmd->words; cmd++) {
        /* compare with as many words as the command has */
        char part[256];
        int words = 1;
        const char *p;
        size_t d;
        for (p = cmd->words; *p; p++)
            words += *p == ' ';
        cli_typed(argc < words ? argc : words, argv, part, sizeof part);
        d = near_distance(slice_str(part), slice_str(cmd->words));
        group = group || (strncmp(cmd->words, argv[0], first) == 0 && cmd->words[first] == ' ');
        if (d < near && near_enough(slice_str(part), slice_str(cmd->words))) {
            near = d;
            best = cmd;
        }
    }
    fprintf(err, "assay: no command \"%s\"", typed);
    if (best)
        fprintf(err, "; did you mean \"assay %s\"?\n", best->words);
    else
        fprintf(err, "; `assay --help` lists them\n");
    for (cmd = commands; group && cmd->words; cmd++)
        if (strncmp(cmd->words, argv[0], first) == 0 && cmd->words[first] == ' ')
            fprintf(err, "  assay %-24s %s\n", cmd->words, cmd->summary);
    return 2;
}

/* ---- help ---- */

static void cli_help_all(const struct cli_command *commands, FILE *out) {
    fputs("assay: a permissioned ledger for operation audit\n\nusage: assay COMMAND [options]\n\n", out);
    for (; commands->words; commands++)
        if (commands->summary[0]) /* none: for the program's own children */
            fprintf(out, "  %-24s %s\n", commands->words, commands->summary);
    fputs("\n`assay COMMAND --help` explains one, with an example. Every command takes --json.\n"
          "exit status: 0 done, 1 the answer is no, 2 wrong usage, 3 unreachable or busy, 4 refused, 5 corrupt\n",
          out);
}

static void cli_help_options(const struct cli_option *o, FILE *out) {
    for (; o && o->name; o++) {
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
        fprintf(out, "  %-24s %s\n", left, o->help);
    }
}

static void cli_help_one(const struct cli_command *cmd, FILE *out) {
    fprintf(out, "%s\n\nusage: assay %s%s%s\n\noptions:\n", cmd->summary, cmd->words, cmd->usage[0] ? " " : "",
            cmd->usage);
    cli_help_options(cmd->options, out);
    cli_help_options(cli_common, out);
    fprintf(out, "\nexample:\n%s", cmd->example);
}

/* ---- options ---- */

static const struct cli_option *cli_declared(const struct cli_option *o, const char *name, size_t len) {
    for (; o && o->name; o++)
        if (strlen(o->name) == len && memcmp(o->name, name, len) == 0)
            return o;
    return NULL;
}

static enum err_code cli_no_option(const struct cli *c, const char *name, size_t len, struct err *e) {
    const struct cli_option *tables[] = {c->command->options, cli_common}, *o;
    size_t t;
    for (t = 0; t < 2; t++)
        for (o = tables[t]; o && o->name; o++)
            if (near_enough(slice_of(name, len), slice_str(o->name)))
                return err_set(e, ERR_USAGE, "no option --%.*s; did you mean --%s?", (int)(len < 64 ? len : 64), name,
                               o->name);
    return err_set(e, ERR_USAGE, "no option --%.*s; `assay %s --help` lists them", (int)(len < 64 ? len : 64), name,
                   c->command->words);
}

/* One "--name", "--name value" or "--name=value"; *i moves past what was used. */
static enum err_code cli_option(struct cli *c, int argc, char **argv, int *i, struct err *e) {
    const char *name = argv[*i] + 2, *eq = strchr(name, '=');
    size_t len = eq ? (size_t)(eq - name) : strlen(name);
    const struct cli_option *o = cli_declared(c->command->options, name, len);
    const char *value = "";
    if (!o)
        o = cli_declared(cli_common, name, len);
    if (!o)
        return cli_no_option(c, name, len, e);
    if (!o->arg && eq)
        return err_set(e, ERR_USAGE, "--%s takes no value", o->name);
    if (o->arg && eq)
        value = eq + 1;
    else if (o->arg && *i + 1 < argc)
        value = argv[++*i];
    else if (o->arg)
        return err_set(e, ERR_USAGE, "--%s needs a value: --%s %s", o->name, o->name, o->arg);
    if (c->given_count == CLI_GIVEN)
        return err_set(e, ERR_USAGE, "more than %d options", CLI_GIVEN);
    c->given[c->given_count++] = (struct cli_given){o->name, value};
    return ERR_OK;
}

static enum err_code cli_parse(struct cli *c, int argc, char **argv, struct err *e) {
    enum err_code rc;
    bool options = true;
    int i;
    for (i = 0; i < argc; i++) {
        if (options && strcmp(argv[i], "--") == 0) {
            options = false;
        } else if (options && strncmp(argv[i], "--", 2) == 0) {
            if ((rc = cli_option(c, argc, argv, &i, e)) != ERR_OK)
                return rc;
        } else if (options && strcmp(argv[i], "-h") == 0) {
            c->given[c->given_count++] = (struct cli_given){"help", ""};
            return ERR_OK;
        } else if (options && argv[i][0] == '-' && argv[i][1]) {
            return err_set(e, ERR_USAGE, "no option %s", argv[i]);
        } else if (c->arg_count == CLI_ARGS) {
            return err_set(e, ERR_USAGE, "more than %d arguments", CLI_ARGS);
        } else {
            c->args[c->arg_count++] = argv[i];
        }
    }
    return ERR_OK;
}

static enum err_code cli_count(const struct cli *c, struct err *e) {
    const struct cli_command *cmd = c->command;
    if (c->arg_count < cmd->args_min || c->arg_count > cmd->args_max)
        return err_set(e, ERR_USAGE, "%s; usage: assay %s %s",
                       c->arg_count < cmd->args_min ? "an argument is missing" : "too many arguments", cmd->words,
                       cmd->usage);
    return ERR_OK;
}

const char *cli_opt_nth(const struct cli *c, const char *name, size_t nth) {
    size_t i;
    for (i = 0; i < c->given_count; i++)
        if (strcmp(c->given[i].name, name) == 0 && nth-- == 0)
            return c->given[i].value;
    return NULL;
}

const char *cli_opt(const struct cli *c, const char *name) {
    size_t i = c->given_count;
    while (i-- > 0)
        if (strcmp(c->given[i].name, name) == 0)
            return c->given[i].value;
    return NULL;
}

const char *cli_opt_or(const struct cli *c, const char *name, const char *other) {
    const char *v = cli_opt(c, name);
    return v ? v : other;
}

bool cli_flag(const struct cli *c, const char *name) {
    return cli_opt(c, name) != NULL;
}

enum err_code cli_need(const struct cli *c, const char *name, const char **value, struct err *e) {
    *value = cli_opt(c, name);
    if (*value && **value)
        return ERR_OK;
    return err_set(e, ERR_USAGE, "--%s is missing; `assay %s --help` shows an example", name, c->command->words);
}

enum err_code cli_number(const struct cli *c, const char *name, uint64_t min, uint64_t max, uint64_t *v,
                         struct err *e) {
    const char *text = cli_opt(c, name);
    uint64_t n;
    if (!text)
        return ERR_OK;
    if (!yaml_scalar_u64(slice_str(text), &n) || n < min || n > max)
        return err_set(e, ERR_USAGE, "--%s must be a number from %llu to %llu, not \"%s\"", name,
                       (unsigned long long)min, (unsigned long long)max, text);
    *v = n;
    return ERR_OK;
}

const char *cli_home(const struct cli *c) {
    const char *home = cli_opt(c, "home");
    if (!home)
        home = getenv("ASSAY_HOME");
    return home && *home ? home : ".";
}

/* ---- running ---- */

/* {"error":{"code":…,"text":…}} on out under --json; a line on err otherwise. */
static void cli_tell(struct cli *c, const struct err *e) {
    struct buf doc, text;
    struct err ignored;
    buf_init(&doc, 4096);
    buf_init(&text, 16384);
    if (c->json) {
        pack_map(&doc, 1);
        pack_cstr(&doc, "error");
        pack_map(&doc, 2);
        pack_cstr(&doc, "code");
        pack_cstr(&doc, err_name(e->code));
        pack_cstr(&doc, "text");
        pack_cstr(&doc, e->text);
        if (out_json(c, buf_slice(&doc), &ignored) == ERR_OK)
            goto out;
    }
    out_padded(&text, slice_str(e->text), 0);
    fprintf(c->err, "assay %s: %s%s%s\n", c->command->words, text.len ? "" : err_text(e->code), buf_cstr(&text), "");
out:
    buf_release(&doc);
    buf_release(&text);
}

static int cli_run(struct cli *c, int argc, char **argv) {
    struct err e = {0};
    enum err_code rc = cli_parse(c, argc, argv, &e);
    c->json = cli_flag(c, "json");
    if (rc == ERR_OK && cli_flag(c, "help")) {
        cli_help_one(c->command, c->out);
        return 0;
    }
    if (rc == ERR_OK)
        rc = cli_count(c, &e);
    if (rc == ERR_OK)
        rc = c->command->run(c, &e);
    if (rc != ERR_OK) {
        e.code = rc;
        cli_tell(c, &e);
    }
    if (fflush(c->out) != 0 || ferror(c->out)) {
        fprintf(c->err, "assay %s: the output cannot be written\n", c->command->words);
        return 5;
    }
    return err_exit_status(rc);
}

static bool cli_colour(FILE *out) {
    const char *term = getenv("TERM");
    return isatty(fileno(out)) && !getenv("NO_COLOR") && term && strcmp(term, "dumb") != 0;
}

int cli_main(const struct cli_command *table, int argc, char **argv, FILE *out, FILE *err) {
    struct cli *c;
    int used, status;
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        cli_help_all(table, argc < 2 ? err : out);
        return argc < 2 ? 2 : 0;
    }
    c = mem_zalloc(1, sizeof *c);
    if (!c) {
        fputs("assay: no memory\n", err);
        return 5;
    }
    c->out = out;
    c->err = err;
    c->colour = cli_colour(out);
    c->command = cli_find(table, argc - 1, argv + 1, &used);
    status = c->command ? cli_run(c, argc - 1 - used, argv + 1 + used) : cli_unknown(table, argc - 1, argv + 1, err);
    mem_free(c);
    return status;
}
