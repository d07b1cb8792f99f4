/* wire/slice.h -- borrowed bytes.
 * A slice never owns; it is valid as long as what it points into. An absent value is {NULL, 0}. */
#ifndef WIRE_SLICE_H
#define WIRE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const uint8_t *ptr;
    size_t len;
};

static inline struct slice slice_of(const void *ptr, size_t len) {
    return (struct slice){(const uint8_t *)ptr, len};
}
static inline struct slice slice_str(const char *s) {
    return (struct slice){(const uint8_t *)s, s ? strlen(s) : 0};
}
static inline struct slice slice_none(void) {
    return (struct slice){NULL, 0};
}
static inline bool slice_eq(struct slice a, struct slice b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}
static inline bool slice_eq_str(struct slice a, const char *s) {
    return slice_eq(a, slice_str(s));
}
/* Bytewise order, shorter first on a common prefix. */
static inline int slice_cmp(struct slice a, struct slice b) {
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n ? memcmp(a.ptr, b.ptr, n) : 0;
    return c ? c : (a.len > b.len) - (a.len < b.len);
}
/* The part from `from` to the end; from <= len. */
static inline struct slice slice_from(struct slice a, size_t from) {
    return (struct slice){a.ptr + from, a.len - from};
}

/* For printf("%.*s"): SLICE_ARG(s) gives the two arguments. */
#define SLICE_ARG(s) (int)(s).len, (const char *)(s).ptr

#endif
