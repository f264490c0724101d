/* alloc.h - the allocator seam: every allocation of the library goes through it. */
#ifndef WEFT_BASE_ALLOC_H
#define WEFT_BASE_ALLOC_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* NULL when there is no memory, or when a test made this allocation fail. */
void *weft__alloc(size_t bytes);
void *weft__calloc(size_t n, size_t bytes);
/* As realloc; on failure the old block stays as it was. */
void *weft__realloc(void *block, size_t bytes);
void weft__free(void *block);

char *weft__strdup(const char *text);
char *weft__strndup(const char *text, size_t len);
char *weft__asprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Page-aligned memory straight from the kernel, for I/O buffers: copies from a socket or file
 * to page+16, where a large malloc block begins, run at half speed.  bytes is rounded up.
 */
void *weft__pages_alloc(size_t bytes);
void weft__pages_free(void *pages, size_t bytes);

/* For code that maps memory by itself: counts as an allocation, and says if it is to fail. */
int weft__alloc_should_fail(void);

/* -1 on overflow. */
int weft__size_mul(size_t a, size_t b, size_t *ret);
int weft__size_add(size_t a, size_t b, size_t *ret);

#endif
