/*
 * file_test.h - a test of files under every executor, outside and inside tasks.
 *
 *     FILE_TEST(name) { ... }        the body runs sixteen times: each way of WEFT_FILE_BACKEND,
 *                                    outside tasks, in a lonely task, and with company
 */
#ifndef WEFT_FILE_TEST_H
#define WEFT_FILE_TEST_H

#include <stdlib.h>

#include <weft/run.h>

#include "test.h"

/* Sixteen runs of a body with many thread hops: they take their time on a busy machine. */
#define FILE_TEST(name_)                                                                           \
    static void file_##name_(void);                                                                \
    TEST_WITH(name_##_auto, .limit_s = 60)                                                         \
    {                                                                                              \
        file_test_run("auto", file_##name_);                                                       \
    }                                                                                              \
    TEST_WITH(name_##_inline, .limit_s = 60)                                                       \
    {                                                                                              \
        file_test_run("inline", file_##name_);                                                     \
    }                                                                                              \
    TEST_WITH(name_##_ring, .limit_s = 60)                                                         \
    {                                                                                              \
        file_test_run("ring", file_##name_);                                                       \
    }                                                                                              \
    TEST_WITH(name_##_pool, .limit_s = 60)                                                         \
    {                                                                                              \
        file_test_run("pool", file_##name_);                                                       \
    }                                                                                              \
    static void file_##name_(void)

/* Sleeps in the background, so that the task under test is not alone in its loop. */
static inline int file_test_company(void *arg)
{
    (void)arg;
    return weft_sleep(WEFT_FOREVER);
}

/* arg: where the body's address is. */
static inline int file_test_with_company(void *arg)
{
    void (*body)(void) = *(void (**)(void))arg;
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, file_test_company, NULL));
    body();
    weft_group_cancel(&group, "the test is over");
    weft_group_wait(&group);
    return 0;
}

static inline int file_test_alone(void *arg)
{
    void (*body)(void) = *(void (**)(void))arg;
    body();
    return 0;
}

static inline void file_test_run(const char *way, void (*body)(void))
{
    setenv("WEFT_FILE_BACKEND", way, 1);
    body();
    file_test_with_company(&body);
    ASSERT_OK(weft_run(file_test_alone, &body));
    ASSERT_OK(weft_run(file_test_with_company, &body));
}

#endif
