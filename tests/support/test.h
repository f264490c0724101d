/*
 * test.h - the test framework.
 *
 *     TEST(url_without_host_is_refused)
 *     {
 *         ASSERT_ERR(weft__url_parse("http://", &url), WEFT_EINVALID_URL);
 *     }
 *
 * A test registers itself.  The runner (test_main.c) gives each one a process of its own, a
 * time limit, and afterwards counts descriptors, allocations and tasks.  A failed assertion
 * ends the process at once, from whatever task or thread it stands in.
 */
#ifndef WEFT_TEST_H
#define WEFT_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/error.h>
#include <weft/run.h>

struct test_case {
    const char *name;
    void (*run)(void);
    const char *file;
    int line;
    int limit_s; /* 0: the default */
};

/* A test with settings: TEST_WITH(a_million_tasks_sleep, .limit_s = 60). */
#define TEST_WITH(name_, ...)                                                                      \
    static void test_##name_(void);                                                                \
    static const struct test_case test_case_##name_ = {#name_, test_##name_, __FILE__, __LINE__,   \
                                                       __VA_ARGS__};                               \
    static const struct test_case *const test_entry_##name_                                        \
        __attribute__((used, section("weft_tests"))) = &test_case_##name_;                         \
    static void test_##name_(void)

#define TEST(name_) TEST_WITH(name_, .limit_s = 0)

/* The body runs as the main task of a loop: of the default back end, or of the virtual one. */
#define TASK_TEST(name_)    TEST_IN_LOOP(name_, WEFT_BACKEND_DEFAULT, .limit_s = 0)
#define VIRTUAL_TEST(name_) TEST_IN_LOOP(name_, WEFT_BACKEND_VIRTUAL, .limit_s = 0)

#define TEST_IN_LOOP(name_, backend_, ...)                                                         \
    static void body_##name_(void);                                                                \
    TEST_WITH(name_, __VA_ARGS__)                                                                  \
    {                                                                                              \
        const struct test_case body = {.run = body_##name_};                                       \
        ASSERT_OK(weft_run_with(test_call_body, (void *)&body, WEFT_RUN(.backend = (backend_))));  \
    }                                                                                              \
    static void body_##name_(void)

/* The first value is what came, the second what it should be. */
#define ASSERT(condition)                                                                          \
    ((condition) ? (void)0 : test_fail(__FILE__, __LINE__, "%s is false", #condition))

#define ASSERT_INT_EQ(actual, expected) TEST_INT(actual, ==, expected)
#define ASSERT_INT_NE(actual, expected) TEST_INT(actual, !=, expected)
#define ASSERT_INT_LT(actual, expected) TEST_INT(actual, <, expected)
#define ASSERT_INT_LE(actual, expected) TEST_INT(actual, <=, expected)
#define ASSERT_INT_GT(actual, expected) TEST_INT(actual, >, expected)
#define ASSERT_INT_GE(actual, expected) TEST_INT(actual, >=, expected)

#define TEST_INT(actual, op, expected)                                                             \
    do {                                                                                           \
        intmax_t test_a = (intmax_t)(actual);                                                      \
        intmax_t test_e = (intmax_t)(expected);                                                    \
        if (!(test_a op test_e))                                                                   \
            test_fail(__FILE__, __LINE__, "%s: expected %s %jd, actual %jd", #actual, #op, test_e, \
                      test_a);                                                                     \
    } while (0)

#define ASSERT_STR_EQ(actual, expected)                                                            \
    test_str_eq(__FILE__, __LINE__, #actual, (actual), (expected))
/* text contains part. */
#define ASSERT_STR_HAS(text, part)   test_str_has(__FILE__, __LINE__, #text, (text), (part), true)
#define ASSERT_STR_LACKS(text, part) test_str_has(__FILE__, __LINE__, #text, (text), (part), false)
#define ASSERT_MEM_EQ(actual, expected, len)                                                       \
    test_mem_eq(__FILE__, __LINE__, #actual, (actual), (expected), (len))
/* 0 or more; prints weft_error_message() otherwise. */
#define ASSERT_OK(call)        test_ok(__FILE__, __LINE__, #call, (call))
#define ASSERT_ERR(call, code) test_err(__FILE__, __LINE__, #call, (call), (code))

#define FAIL(...) test_fail(__FILE__, __LINE__, __VA_ARGS__)
#define SKIP(...) test_skip(__VA_ARGS__)

_Noreturn void test_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
_Noreturn void test_skip(const char *format, ...) __attribute__((format(printf, 1, 2)));
void test_str_eq(const char *file, int line, const char *what, const char *actual,
                 const char *expected);
void test_str_has(const char *file, int line, const char *what, const char *text, const char *part,
                  bool wanted);
void test_mem_eq(const char *file, int line, const char *what, const void *actual,
                 const void *expected, size_t len);
/* Returns err, so that a count can be used. */
int test_ok(const char *file, int line, const char *what, int err);
void test_err(const char *file, int line, const char *what, int err, int expected);

/* A weft_fn: runs the struct test_case that is arg. */
int test_call_body(void *arg);

/* The test's own folder, made at the first call and removed with all that is in it. */
const char *test_tmpdir(void);
/* "tmpdir/name", valid until the next but seven call. */
const char *test_path(const char *name);
/* The same in memory, for what makes thousands of files or syncs them: on tmpfs if there is one. */
const char *test_memory_dir(void);
const char *test_memory_path(const char *name);

/* The project's own folder; and the build folder. */
const char *test_source_root(void);
const char *test_build_root(void);
/* A file of ../shared (or of WEFT_SHARED); skips the test where it is absent. */
const char *test_shared(const char *name);

/*
 * Runs fn in a child process, for tests of how a program dies.  What it wrote to stdout and
 * stderr goes into output, cut to size - 1 bytes and ended by a NUL.  Returns the wait status.
 */
int test_fork(void (*fn)(void *arg), void *arg, char *output, size_t size);

/* How much slower than plain code this build or this tool runs: 1 to 20. */
int test_slowness(void);
/* WEFT_TEST_HTTP=2: tests of the client play over HTTP/2, through a gate (gate.h). */
bool test_is_over_h2(void);
/* Why a test or a case of the program "suite/name" is not played so, from tests/over_h2.tsv. */
const char *test_not_over_h2(const char *program, const char *name);
/* A name in that table that the program does not have; NULL: there is none. */
const char *test_not_over_h2_stray(const char *program, bool (*has)(const char *name));

/* Under Valgrind, where everything is twenty times slower and io_uring is not used. */
bool test_under_valgrind(void);

#endif
