/* tests/scenario/scenario.c -- runs scenario files: commands, `----`, the output that they must give, an empty line.
 *
 *   scenario [--rewrite] [FILE...]     all of tests/scenario/ by default; speaks TAP; --rewrite puts in what came out
 *
 * A file is one cluster's story. Lines that begin with # are comments, and name the clauses that the file checks. The
 * first comment line is the title. */
#include "tests/scenario/command.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

enum { SCENARIO_FILE_MAX = 1 << 20 };

struct scenario {
    const char *path;
    char *text, *at; /* the file, NUL-terminated; the next line */
    int line;
    struct stage *st;
    struct buf fresh; /* the file as it would be rewritten */
    struct buf fault; /* TAP diagnostics */
    bool broken;
};

static char *scenario_read(const char *path) {
    char *text = malloc(SCENARIO_FILE_MAX);
    FILE *f = fopen(path, "rb");
    size_t len = f && text ? fread(text, 1, SCENARIO_FILE_MAX, f) : 0;
    if (f)
        fclose(f);
    if (len == 0 || len == SCENARIO_FILE_MAX) {
        free(text);
        return NULL;
    }
    text[len] = 0;
    return text;
}

/* The next line without its end, or NULL. */
static char *scenario_line(struct scenario *s) {
    char *line = s->at, *end;
    if (!*line)
        return NULL;
    end = strchr(line, '\n');
    s->at = end ? end + 1 : line + strlen(line);
    if (end)
        *end = 0;
    s->line++;
    return line;
}

static void scenario_fault(struct scenario *s, int line, const char *what, const char *text) {
    buf_printf(&s->fault, "# %s:%d: %s\n", s->path, line, what);
    while (*text) {
        size_t len = strcspn(text, "\n");
        buf_printf(&s->fault, "#   %.*s\n", (int)len, text);
        text += len + (text[len] != 0);
    }
}

static void scenario_command(struct scenario *s, const char *line) {
    char copy[400];
    const char *wrong = NULL;
    snprintf(copy, sizeof copy, "%s", line);
    if (!command_run(&s->st, copy, &wrong)) {
        scenario_fault(s, s->line, wrong, line);
        s->broken = true;
    }
}

/* What is expected after `----`, up to an empty line, against what came out. */
static void scenario_compare(struct scenario *s) {
    struct buf want;
    int line = s->line;
    char *text;
    const char *got = s->st ? buf_cstr(&s->st->out) : "";
    buf_init(&want, STAGE_OUTPUT);
    while ((text = scenario_line(s)) && *text)
        buf_printf(&want, "%s\n", text);
    if (strcmp(buf_cstr(&want), got) != 0) {
        scenario_fault(s, line, "expected", buf_cstr(&want));
        scenario_fault(s, line, "got", got);
    }
    if (strstr(got, "BROKEN"))
        s->broken = true;
    buf_printf(&s->fresh, "----\n%s\n", got);
    if (s->st)
        buf_clear(&s->st->out);
    buf_release(&want);
}

static bool scenario_write(const struct scenario *s) {
    FILE *f = fopen(s->path, "wb");
    bool ok = f && !s->fresh.failed && fwrite(s->fresh.ptr, 1, s->fresh.len, f) == s->fresh.len;
    return f && fclose(f) == 0 && ok;
}

/* True when the file holds, or was rewritten and nothing is broken in it. */
static bool scenario_run(const char *path, bool rewrite, int number) {
    struct scenario s = {.path = path, .text = scenario_read(path)};
    char title[200] = "cannot be read", *line;
    bool ok;
    buf_init(&s.fresh, SCENARIO_FILE_MAX);
    buf_init(&s.fault, SCENARIO_FILE_MAX);
    s.at = s.text;
    while (s.text && (line = scenario_line(&s))) {
        if (s.line == 1)
            snprintf(title, sizeof title, "%s", line + (*line == '#') + (line[0] == '#' && line[1] == ' '));
        if (strcmp(line, "----") == 0) {
            scenario_compare(&s);
            continue;
        }
        buf_printf(&s.fresh, "%s\n", line);
        if (*line && *line != '#')
            scenario_command(&s, line);
    }
    if (s.st && s.st->out.len) {
        scenario_fault(&s, s.line, "output after the last ----", buf_cstr(&s.st->out));
        s.broken = true;
    }
    while (rewrite && s.fresh.len > 1 && s.fresh.ptr[s.fresh.len - 1] == '\n' && s.fresh.ptr[s.fresh.len - 2] == '\n')
        s.fresh.len--;
    ok = s.text && !s.broken && (rewrite ? scenario_write(&s) : s.fault.len == 0);
    printf("%sok %d - %s: %s\n%s", ok ? "" : "not ", number, path, title, ok ? "" : buf_cstr(&s.fault));
    stage_free(s.st);
    buf_release(&s.fresh);
    buf_release(&s.fault);
    free(s.text);
    return ok;
}

int main(int argc, char **argv) {
    bool rewrite = argc > 1 && strcmp(argv[1], "--rewrite") == 0;
    int first = rewrite ? 2 : 1, count = argc - first, bad = 0, i;
    glob_t found = {0};
    char **paths = argv + first;
    if (count == 0) {
        if (glob("tests/scenario/*.txt", 0, NULL, &found) != 0)
            return fprintf(stderr, "no scenarios: run it from the project's root\n"), 2;
        paths = found.gl_pathv;
        count = (int)found.gl_pathc;
    }
    printf("1..%d\n", count);
    for (i = 0; i < count; i++)
        bad += !scenario_run(paths[i], rewrite, i + 1);
    globfree(&found);
    return bad ? 1 : 0;
}
