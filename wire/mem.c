/* wire/mem.c -- see mem.h. */
#include "wire/mem.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static atomic_ulong mem_countdown; /* 0: never fail; 1: fail */

static bool mem_may(void) {
    unsigned long n = atomic_load_explicit(&mem_countdown, memory_order_relaxed);
    if (n == 0)
        return true;
    if (n > 1)
        n = atomic_fetch_sub_explicit(&mem_countdown, 1, memory_order_relaxed);
    return n > 1;
}

void mem_fail_at(unsigned long nth) {
    atomic_store(&mem_countdown, nth);
}

void *mem_alloc(size_t size) {
    return mem_may() ? malloc(size ? size : 1) : NULL;
}

void *mem_zalloc(size_t count, size_t size) {
    return mem_may() ? calloc(count ? count : 1, size ? size : 1) : NULL;
}

void *mem_realloc(void *ptr, size_t size) {
    return mem_may() ? realloc(ptr, size ? size : 1) : NULL;
}

char *mem_strndup(const char *s, size_t len) {
    char *p = len < SIZE_MAX ? mem_alloc(len + 1) : NULL;
    if (!p)
        return NULL;
    memcpy(p, s, len);
    p[len] = '\0';
    return p;
}

char *mem_strdup(const char *s) {
    return mem_strndup(s, strlen(s));
}

void mem_free(void *ptr) {
    free(ptr);
}
