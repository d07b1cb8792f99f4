/* wire/mem.h -- the one door to the heap.
 * Every allocation of the project goes through here, so that tests can make the Nth one fail.
 * All functions return NULL when memory is short; mem_free(NULL) is fine. */
#ifndef WIRE_MEM_H
#define WIRE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t size);                /* uninitialised; size 0 gives a unique pointer */
void *mem_zalloc(size_t count, size_t size); /* zeroed; refuses an overflowing product */
void *mem_realloc(void *ptr, size_t size);
char *mem_strdup(const char *s);
char *mem_strndup(const char *s, size_t len);
void mem_free(void *ptr);

/* Tests only: the Nth allocation from now on (1 = the next) and all after it fail; 0 switches off. */
void mem_fail_at(unsigned long nth);

#endif
