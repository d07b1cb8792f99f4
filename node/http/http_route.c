/* node/http/http_route.c -- patterns of paths, the form of errors and events. See http.h. */
#include "node/http/http_impl.h"

#include "wire/json.h"

static bool http_is_name(const char *at, const char *end) {
    return end - at >= 2 && *at == '<' && end[-1] == '>';
}

bool http_match(const char *pattern, const char *path, struct http_request *r) {
    r->segments = 0;
    if (*pattern != '/' || *path != '/')
        return false;
    for (;;) {
        const char *pattern_end = strchr(++pattern, '/'), *path_end = strchr(++path, '/');
        if (!pattern_end)
            pattern_end = pattern + strlen(pattern);
        if (!path_end)
            path_end = path + strlen(path);
        if (strcmp(pattern, "<*>") == 0)
            path_end = path + strlen(path);
        if (http_is_name(pattern, pattern_end)) {
            if (path_end == path || r->segments == HTTP_SEGMENTS)
                return false;
            r->segment[r->segments++] = slice_of(path, (size_t)(path_end - path));
        } else if (!slice_eq(slice_of(pattern, (size_t)(pattern_end - pattern)),
                             slice_of(path, (size_t)(path_end - path)))) {
            return false;
        }
        if (!*pattern_end || !*path_end)
            return *pattern_end == *path_end;
        pattern = pattern_end;
        path = path_end;
    }
}

unsigned http_find(const struct http_route *routes, size_t count, struct http_request *r,
                   const struct http_route **route, struct buf *allow) {
    size_t i;
    *route = NULL;
    for (i = 0; i < count; i++) {
        if (!http_match(routes[i].pattern, r->path, r))
            continue;
        if (strcmp(routes[i].method, r->method) == 0 ||
            (strcmp(r->method, "HEAD") == 0 && strcmp(routes[i].method, "GET") == 0)) {
            *route = &routes[i];
            return 200;
        }
        if (allow->len)
            buf_str(allow, ", ");
        buf_str(allow, routes[i].method);
    }
    return allow->len ? 405 : 404;
}

unsigned http_status_of(enum err_code code) {
    static const struct {
        enum err_code code;
        unsigned status;
    } special[] = {{ERR_OK, 200},       {ERR_TOO_LARGE, 413}, {ERR_NOT_ALLOWED, 403},   {ERR_NOT_FOUND, 404},
                   {ERR_CONFLICT, 409}, {ERR_SEQUENCE, 409},  {ERR_NONCONFORMING, 422}, {ERR_BAD_TIME, 422},
                   {ERR_FULL, 429}};
    size_t i;
    for (i = 0; i < sizeof special / sizeof special[0]; i++)
        if (special[i].code == code)
            return special[i].status;
    switch (err_class_of(code)) {
    case ERR_CLASS_BUSY:
        return 503;
    case ERR_CLASS_FATAL:
        return 500;
    case ERR_CLASS_NONE:
    case ERR_CLASS_USAGE:
    case ERR_CLASS_NO:
    case ERR_CLASS_REFUSED:
    case ERR_CLASS_MISSING:
        break;
    }
    return 400;
}

static const char *http_advice(unsigned status) {
    switch (status) {
    case 401:
        return "send the header Authorization: Bearer <key> with a key of this node";
    case 403:
        return "use a key that has the role for this";
    case 404:
        return "check the path and the names in it";
    case 405:
        return "use one of the methods in the header Allow";
    case 409:
        return "read the present state, then decide";
    case 413:
        return "send less at once";
    case 429:
    case 503:
        return "try again in a moment";
    case 500:
        return "see the node's log";
    default:
        return "correct the request";
    }
}

void http_fail(struct http_response *r, unsigned status, enum err_code code, const char *text, const char *what_to_do) {
    r->status = status;
    r->content_type = "application/json";
    r->cache_control = "no-store";
    buf_clear(&r->body);
    buf_str(&r->body, "{\"code\":");
    json_text(slice_str(err_name(code)), &r->body);
    buf_str(&r->body, ",\"error\":");
    json_text(slice_str(text && text[0] ? text : err_text(code)), &r->body);
    buf_str(&r->body, ",\"what_to_do\":");
    json_text(slice_str(what_to_do ? what_to_do : http_advice(status)), &r->body);
    buf_str(&r->body, "}\n");
}

void http_fail_err(struct http_response *r, const struct err *e, const char *what_to_do) {
    http_fail(r, http_status_of(e->code), e->code, e->text, what_to_do);
}

/* One line of an event; line ends within the value would begin another field, so they end it here. */
static void http_event_field(struct buf *out, const char *name, struct slice value) {
    size_t i;
    buf_str(out, name);
    buf_str(out, ": ");
    for (i = 0; i < value.len && value.ptr[i] != '\n' && value.ptr[i] != '\r'; i++)
        buf_u8(out, value.ptr[i]);
    buf_u8(out, '\n');
}

void http_event(struct buf *out, const char *id, const char *event, struct slice data) {
    if (id)
        http_event_field(out, "id", slice_str(id));
    if (event)
        http_event_field(out, "event", slice_str(event));
    for (;;) {
        const uint8_t *end = data.len ? memchr(data.ptr, '\n', data.len) : NULL;
        http_event_field(out, "data", end ? slice_of(data.ptr, (size_t)(end - data.ptr)) : data);
        if (!end)
            break;
        data = slice_from(data, (size_t)(end - data.ptr) + 1);
    }
    buf_u8(out, '\n');
}

struct digest http_key_hash(struct slice key) {
    return digest_of(key); /* as `printf %s KEY | sha256sum` gives it: keys are random, no word to be guessed */
}
