/* node/ingest/extract_regex.c -- extractor of text by PCRE2 with JIT: places are named groups.
 * The pattern means the whole log. Match, depth and heap limits hold, so that no log can stall its source. */
#include "node/ingest/extract.h"

#include "wire/mem.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum { REGEX_MATCH_LIMIT = 500000, REGEX_DEPTH_LIMIT = 10000, REGEX_HEAP_KIB = 16384 };

struct regex {
    pcre2_code *code;
    pcre2_match_context *context; /* read only while matching */
};

static enum err_code regex_compile(struct extractor *x, struct slice pattern, struct err *e) {
    struct regex *r = mem_zalloc(1, sizeof *r);
    int code = 0;
    PCRE2_SIZE at = 0;
    /* A light reader (no configuration of an extractor) looks for its pattern anywhere. */
    uint32_t options = PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C | (x->config ? PCRE2_ANCHORED | PCRE2_ENDANCHORED : 0);
    if (!r)
        return err_set(e, ERR_NO_MEMORY, "no memory for a pattern");
    x->impl = r;
    r->code = pcre2_compile(pattern.ptr, pattern.len, options, &code, &at, NULL);
    if (!r->code) {
        PCRE2_UCHAR why[160];
        pcre2_get_error_message(code, why, sizeof why);
        return err_set(e, ERR_MALFORMED, "at byte %zu: %s", (size_t)at, (const char *)why);
    }
    r->context = pcre2_match_context_create(NULL);
    if (!r->context)
        return err_set(e, ERR_NO_MEMORY, "no memory for a pattern");
    pcre2_set_match_limit(r->context, REGEX_MATCH_LIMIT);
    pcre2_set_depth_limit(r->context, REGEX_DEPTH_LIMIT);
    pcre2_set_heap_limit(r->context, REGEX_HEAP_KIB);
    if (pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE) != 0)
        return ERR_OK; /* no JIT on this machine: interpreted, slower */
    return ERR_OK;
}

static void regex_release(struct extractor *x) {
    struct regex *r = x->impl;
    if (!r)
        return;
    pcre2_match_context_free(r->context);
    pcre2_code_free(r->code);
    mem_free(r);
    x->impl = NULL;
}

static enum err_code regex_place(const struct extractor *x, struct extract_ref *ref, struct arena *a, struct err *e) {
    const struct regex *r = x->impl;
    char *name = arena_cstr(a, ref->text);
    int group = name ? pcre2_substring_number_from_name(r->code, (PCRE2_SPTR)name) : PCRE2_ERROR_NOMEMORY;
    if (group <= 0)
        return err_set(e, ERR_MALFORMED, "the pattern has no group (?<%.*s>...)", SLICE_ARG(ref->text));
    ref->group = (uint32_t)group;
    return ERR_OK;
}

static enum err_code regex_open(const struct extractor *x, struct extract_log *log, struct extract_view *v,
                                bool *applies, struct err *e) {
    const struct regex *r = x->impl;
    pcre2_match_data *m = pcre2_match_data_create_from_pattern(r->code, NULL);
    int n;
    *applies = false;
    if (!m)
        return err_set(e, ERR_NO_MEMORY, "no memory for a match");
    n = pcre2_match(r->code, log->text.ptr, log->text.len, 0, PCRE2_NO_UTF_CHECK, m, r->context);
    if (n > 0) {
        *applies = true;
        *v = (struct extract_view){.log = log, .match = m};
        return ERR_OK;
    }
    pcre2_match_data_free(m);
    if (n == PCRE2_ERROR_NOMATCH)
        return ERR_OK;
    return err_set(e, ERR_MALFORMED, "the pattern reached its limits on this log (PCRE2 %d)", n);
}

static void regex_close(const struct extractor *x, struct extract_view *v) {
    (void)x;
    pcre2_match_data_free(v->match);
}

static bool regex_values(struct extract_view *v, const struct extract_ref *ref, bool nodes,
                         struct extract_values *out) {
    const PCRE2_SIZE *o = pcre2_get_ovector_pointer(v->match);
    PCRE2_SIZE from = o[2 * ref->group], to = o[2 * ref->group + 1];
    (void)nodes;
    out->count = 0;
    if (from == PCRE2_UNSET || to <= from)
        return true;
    if (!out->room) {
        out->items = arena_alloc(v->log->arena, 1, sizeof *out->items);
        out->room = out->items ? 1 : 0;
    }
    if (!out->room)
        return false;
    out->items[0] = slice_of(v->log->text.ptr + from, to - from);
    out->count = 1;
    return true;
}

const struct extract_type extract_regex_type = {.name = "regex",
                                                .compile = regex_compile,
                                                .release = regex_release,
                                                .place = regex_place,
                                                .open = regex_open,
                                                .close = regex_close,
                                                .values = regex_values};
