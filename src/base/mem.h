/* The heap. Everything is zeroed when it is made; secrets are wiped by their owners (secret.h). */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include "base/bytes.h"

void *mem_new(size_t n) MUST_CHECK;			/* zeroed; NULL when there is none */
void *mem_new_array(size_t count, size_t n) MUST_CHECK; /* checks the product */
/* Grows or shrinks; new bytes are not zeroed. On failure NULL, and p is as it was. */
void *mem_resize(void *p, size_t n) MUST_CHECK;
void *mem_dup(struct bytes b) MUST_CHECK; /* with a NUL after the last byte */
char *mem_str(const char *s) MUST_CHECK;
void mem_free(void *p);
void mem_freep(void *pointer_to_pointer); /* for AUTO(mem_freep) */
void mem_wipe(void *p, size_t n);	  /* never optimised away */

/* For tests: the n-th allocation from now on (1 is the next) in this thread fails, and all after
 * it until it is called with 0. */
void mem_fail_at(size_t n);

#endif
