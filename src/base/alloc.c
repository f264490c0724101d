/*
 * alloc.c - the allocator seam, with the counters by which tests fail an allocation and find
 * leaks.  The failing counter belongs to a thread, so that a test's worker threads are not hit
 * at random; the count of live blocks belongs to the process.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <weft/base.h>
#include <weft/testing.h>

#include "base/alloc.h"

static weft_allocator user_allocator;
static bool have_user_allocator;
static atomic_int_fast64_t live_blocks;
static _Thread_local uint64_t alloc_count;
static _Thread_local uint64_t fail_at;
static _Thread_local bool fail_later;

int weft_set_allocator(const weft_allocator *allocator)
{
    if (allocator == NULL) {
        have_user_allocator = false;
        return 0;
    }
    if (allocator->alloc == NULL || allocator->realloc == NULL || allocator->free == NULL)
        return -EINVAL;
    user_allocator = *allocator;
    have_user_allocator = true;
    return 0;
}

void weft_testing_fail_alloc(uint64_t nth, bool and_later)
{
    alloc_count = 0;
    fail_at = nth;
    fail_later = and_later;
}

uint64_t weft_testing_alloc_count(void)
{
    return alloc_count;
}

int64_t weft_testing_alloc_live(void)
{
    return atomic_load_explicit(&live_blocks, memory_order_relaxed);
}

int weft__alloc_should_fail(void)
{
    alloc_count++;
    return fail_at != 0 && (alloc_count == fail_at || (fail_later && alloc_count > fail_at));
}

static void count_block(int n)
{
    atomic_fetch_add_explicit(&live_blocks, n, memory_order_relaxed);
}

void *weft__alloc(size_t bytes)
{
    if (weft__alloc_should_fail())
        return NULL;
    if (bytes == 0)
        bytes = 1;
    void *block =
        have_user_allocator ? user_allocator.alloc(bytes, user_allocator.userdata) : malloc(bytes);
    if (block != NULL)
        count_block(1);
    return block;
}

void *weft__calloc(size_t n, size_t bytes)
{
    size_t total;
    if (weft__size_mul(n, bytes, &total) < 0)
        return NULL;
    void *block = weft__alloc(total);
    if (block != NULL)
        memset(block, 0, total);
    return block;
}

void *weft__realloc(void *block, size_t bytes)
{
    if (block == NULL)
        return weft__alloc(bytes);
    if (weft__alloc_should_fail())
        return NULL;
    if (bytes == 0)
        bytes = 1;
    return have_user_allocator ? user_allocator.realloc(block, bytes, user_allocator.userdata)
                               : realloc(block, bytes);
}

void weft__free(void *block)
{
    if (block == NULL)
        return;
    count_block(-1);
    if (have_user_allocator)
        user_allocator.free(block, user_allocator.userdata);
    else
        free(block);
}

void weft_free(void *block)
{
    weft__free(block);
}

char *weft__strndup(const char *text, size_t len)
{
    char *copy = weft__alloc(len + 1);
    if (copy == NULL)
        return NULL;
    memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

char *weft__strdup(const char *text)
{
    return weft__strndup(text, strlen(text));
}

char *weft__asprintf(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0)
        return NULL;
    char *text = weft__alloc((size_t)len + 1);
    if (text == NULL)
        return NULL;
    va_start(args, format);
    vsnprintf(text, (size_t)len + 1, format, args);
    va_end(args);
    return text;
}

void *weft__pages_alloc(size_t bytes)
{
    if (weft__alloc_should_fail())
        return NULL;
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pages == MAP_FAILED)
        return NULL;
    count_block(1);
    return pages;
}

void weft__pages_free(void *pages, size_t bytes)
{
    if (pages == NULL)
        return;
    count_block(-1);
    munmap(pages, bytes);
}

int weft__size_mul(size_t a, size_t b, size_t *ret)
{
    return __builtin_mul_overflow(a, b, ret) ? -1 : 0;
}

int weft__size_add(size_t a, size_t b, size_t *ret)
{
    return __builtin_add_overflow(a, b, ret) ? -1 : 0;
}
