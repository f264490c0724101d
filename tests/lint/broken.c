/* Tests that fail in every way the runner knows; test_runner.py reads what it makes of them. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "test.h"

TEST(passes_in_silence)
{
    puts("not shown");
    ASSERT_OK(3);
}

TEST(skips)
{
    SKIP("reason %d", 7);
}

TEST(fails_an_assertion)
{
    fputs("shown\n", stderr);
    ASSERT_INT_EQ(1 + 1, 3);
}

TEST(compares_strings)
{
    ASSERT_STR_EQ("a\r\n", "b");
}

TEST(compares_bytes)
{
    ASSERT_MEM_EQ("abcd", "abXd", 4);
}

TEST(expects_success)
{
    ASSERT_OK(WEFT_EDNS);
}

TEST(expects_an_error)
{
    ASSERT_ERR(0, -ENOMEM);
}

TEST(leaks_a_descriptor)
{
    ASSERT(open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0);
}

TEST(closes_a_descriptor)
{
    close(STDIN_FILENO);
}

TEST(leaks_a_block)
{
    ASSERT(weft__alloc(10) != NULL);
}

TEST(crashes)
{
    raise(SIGSEGV);
}

TEST(exits_by_itself)
{
    exit(3);
}

TEST_WITH(hangs, .limit_s = 1)
{
    for (;;)
        pause();
}

TEST_IN_LOOP(hangs_in_a_task, WEFT_BACKEND_DEFAULT, .limit_s = 1)
{
    weft_sleep(WEFT_SEC(3600));
}

TEST(leaves_a_folder_that_the_runner_removes)
{
    FILE *file = fopen(test_path("file"), "w");
    ASSERT(file != NULL);
    fclose(file);
    FAIL("folder %s", test_tmpdir());
}

static void say_and_die(void *arg)
{
    fputs(arg, stderr);
    fflush(NULL);
    _exit(9);
}

TEST(fork_gives_output_and_status)
{
    char text[] = "abcdef";
    char output[4];
    int status = test_fork(say_and_die, text, output, sizeof output);
    ASSERT_INT_EQ(status, 9 << 8);
    ASSERT_STR_EQ(output, "abc");
}
