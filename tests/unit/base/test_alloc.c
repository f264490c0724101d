#include <stdlib.h>
#include <string.h>

#include <weft/testing.h>

#include "base/alloc.h"
#include "test.h"

TEST(alloc_of_nothing_gives_a_block)
{
    void *block = weft__alloc(0);
    ASSERT(block != NULL);
    block = weft__realloc(block, 0);
    ASSERT(block != NULL);
    weft__free(block);
    weft__free(NULL);
    weft_free(NULL);
}

TEST(alloc_counts_live_blocks)
{
    int64_t live = weft_testing_alloc_live();
    void *a = weft__alloc(10);
    void *b = weft__calloc(3, 4);
    char *c = weft__strdup("text");
    void *pages = weft__pages_alloc(10000);
    ASSERT_INT_EQ(weft_testing_alloc_live(), live + 4);
    a = weft__realloc(a, 20);
    ASSERT_INT_EQ(weft_testing_alloc_live(), live + 4);
    weft__free(a);
    weft_free(b);
    weft__free(c);
    weft__pages_free(pages, 10000);
    weft__pages_free(NULL, 10000);
    ASSERT_INT_EQ(weft_testing_alloc_live(), live);
}

TEST(calloc_gives_zeros_and_refuses_an_overflow)
{
    static const char zeros[400];
    void *block = weft__calloc(100, 4);
    ASSERT_MEM_EQ(block, zeros, sizeof zeros);
    weft__free(block);
    ASSERT(weft__calloc(SIZE_MAX / 2, 3) == NULL);
}

TEST(realloc_of_null_allocates_and_keeps_bytes_when_growing)
{
    char *block = weft__realloc(NULL, 4);
    ASSERT(block != NULL);
    memcpy(block, "abc", 4);
    block = weft__realloc(block, 100000);
    ASSERT(block != NULL);
    ASSERT_STR_EQ(block, "abc");
    weft__free(block);
}

TEST(strings_are_copied_and_formatted)
{
    char *copy = weft__strdup("copy");
    char *part = weft__strndup("part of it", 4);
    char *text = weft__asprintf("%s-%d", "n", 12);
    ASSERT_STR_EQ(copy, "copy");
    ASSERT_STR_EQ(part, "part");
    ASSERT_STR_EQ(text, "n-12");
    weft__free(copy);
    weft__free(part);
    weft__free(text);
}

TEST(pages_begin_at_a_page)
{
    char *pages = weft__pages_alloc(5000);
    ASSERT(pages != NULL);
    ASSERT_INT_EQ((uintptr_t)pages % 4096, 0);
    pages[8191] = 'x';
    weft__pages_free(pages, 5000);
    ASSERT(weft__pages_alloc(SIZE_MAX / 2) == NULL);
}

TEST(size_arithmetic_reports_overflow)
{
    size_t size;
    ASSERT_INT_EQ(weft__size_add(3, 4, &size), 0);
    ASSERT_INT_EQ(size, 7);
    ASSERT_INT_EQ(weft__size_mul(3, 4, &size), 0);
    ASSERT_INT_EQ(size, 12);
    ASSERT_INT_EQ(weft__size_add(SIZE_MAX, 1, &size), -1);
    ASSERT_INT_EQ(weft__size_mul(SIZE_MAX, 2, &size), -1);
}

TEST(fail_alloc_hits_the_nth_allocation_once)
{
    weft_testing_fail_alloc(2, false);
    void *first = weft__alloc(1);
    void *second = weft__alloc(1);
    void *third = weft__alloc(1);
    ASSERT(first != NULL && second == NULL && third != NULL);
    ASSERT_INT_EQ(weft_testing_alloc_count(), 3);
    weft__free(first);
    weft__free(third);
}

TEST(fail_alloc_hits_the_nth_and_all_later_ones)
{
    weft_testing_fail_alloc(2, true);
    void *first = weft__alloc(1);
    ASSERT(first != NULL);
    ASSERT(weft__alloc(1) == NULL);
    ASSERT(weft__alloc(1) == NULL);
    weft_testing_fail_alloc(0, false);
    ASSERT_INT_EQ(weft_testing_alloc_count(), 0);
    void *after = weft__alloc(1);
    ASSERT(after != NULL);
    weft__free(first);
    weft__free(after);
}

TEST(fail_alloc_reaches_every_function_of_the_seam)
{
    char *block = weft__strdup("old");
    weft_testing_fail_alloc(1, true);
    ASSERT(weft__alloc(1) == NULL);
    ASSERT(weft__calloc(1, 1) == NULL);
    ASSERT(weft__realloc(NULL, 1) == NULL);
    ASSERT(weft__realloc(block, 100) == NULL);
    ASSERT(weft__strdup("a") == NULL);
    ASSERT(weft__strndup("a", 1) == NULL);
    ASSERT(weft__asprintf("a") == NULL);
    ASSERT(weft__pages_alloc(1) == NULL);
    ASSERT(weft__alloc_should_fail());
    ASSERT_INT_EQ(weft_testing_alloc_count(), 9);
    ASSERT_STR_EQ(block, "old");
    weft__free(block);
}

struct counts {
    int allocs;
    int reallocs;
    int frees;
};

static void *count_alloc(size_t bytes, void *userdata)
{
    ((struct counts *)userdata)->allocs++;
    return malloc(bytes);
}

static void *count_realloc(void *block, size_t bytes, void *userdata)
{
    ((struct counts *)userdata)->reallocs++;
    return realloc(block, bytes);
}

static void count_free(void *block, void *userdata)
{
    ((struct counts *)userdata)->frees++;
    free(block);
}

TEST(set_allocator_sends_every_call_to_the_given_functions)
{
    struct counts counts = {0};
    weft_allocator allocator = {.size = sizeof allocator,
                                .alloc = count_alloc,
                                .realloc = count_realloc,
                                .free = count_free,
                                .userdata = &counts};
    ASSERT_OK(weft_set_allocator(&allocator));
    void *block = weft__realloc(weft__alloc(5), 50);
    weft_free(weft__strdup("x"));
    weft__free(block);
    ASSERT_OK(weft_set_allocator(NULL));
    weft__free(weft__alloc(1));
    ASSERT_INT_EQ(counts.allocs, 2);
    ASSERT_INT_EQ(counts.reallocs, 1);
    ASSERT_INT_EQ(counts.frees, 2);
}

TEST(set_allocator_without_a_function_is_refused)
{
    struct counts counts = {0};
    const weft_allocator whole = {.size = sizeof whole,
                                  .alloc = count_alloc,
                                  .realloc = count_realloc,
                                  .free = count_free,
                                  .userdata = &counts};
    weft_allocator part = whole;
    part.alloc = NULL;
    ASSERT_ERR(weft_set_allocator(&part), -EINVAL);
    part = whole;
    part.realloc = NULL;
    ASSERT_ERR(weft_set_allocator(&part), -EINVAL);
    part = whole;
    part.free = NULL;
    ASSERT_ERR(weft_set_allocator(&part), -EINVAL);
    weft__free(weft__alloc(1));
    ASSERT_INT_EQ(counts.allocs, 0);
}
