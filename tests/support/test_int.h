/* test_int.h - what the files of the test framework share. */
#ifndef WEFT_TEST_INT_H
#define WEFT_TEST_INT_H

#include <limits.h>
#include <stdbool.h>

/* Exit statuses of a test's process. */
enum { TEST_EXIT_FAILED = 1, TEST_EXIT_SKIPPED = 77 };

/* Lies in memory that the runner and the test's process share. */
struct test_report {
    char tmpdir[PATH_MAX]; /* empty: none was made */
    char memory_dir[PATH_MAX];
    char skip_reason[256];
};

extern struct test_report *test_report;

/* Under a debugger or strace. */
bool test_is_traced(void);
/* And the one in memory. */
void test_remove_tmpdir(void);

#endif
