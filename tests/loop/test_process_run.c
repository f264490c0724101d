/* Processes: talking to them through pipes, communicate and run. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft/process.h>

#include "fault.h"
#include "process/process_int.h"
#include "test.h"

static void expect_no_child(void)
{
    siginfo_t info;
    ASSERT_INT_EQ(waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT), -1);
    ASSERT_INT_EQ(errno, ECHILD);
}

static weft_process *start_piped(const char *command)
{
    weft_process *process;
    ASSERT_OK(weft_process_start(WEFT_ARGV(command),
                                 WEFT_PROCESS(.shell = true, .in = WEFT_STDIO_PIPE,
                                              .out = WEFT_STDIO_PIPE, .err = WEFT_STDIO_PIPE,
                                              .grace = -1),
                                 &process));
    return process;
}

/* ---- streams ---- */

TASK_TEST(process_is_talked_to_line_by_line)
{
    weft_reader *reader;
    char *line;
    weft_process *process = start_piped("while read a; do echo \"<$a>\"; done; echo bye >&2");
    ASSERT_OK(weft_reader_new(weft_process_stdout(process), 0, &reader));
    for (int i = 0; i < 3; i++) {
        ASSERT_OK(weft_stream_write(weft_process_stdin(process), "hello\n", 6));
        ASSERT_INT_EQ(weft_reader_read_line(reader, &line), 8);
        ASSERT_STR_EQ(line, "<hello>\n");
    }
    ASSERT_OK(weft_stream_write_eof(weft_process_stdin(process)));
    ASSERT_INT_EQ(weft_reader_read_line(reader, &line), 0);
    char text[4];
    ASSERT_OK(weft_stream_read_exact(weft_process_stderr(process), text, 4));
    ASSERT_MEM_EQ(text, "bye\n", 4);
    ASSERT_OK(weft_process_wait(process, NULL));
    weft_reader_free(reader);
    weft_process_free(process);
}

TASK_TEST(process_output_is_read_after_its_end)
{
    char text[6];
    weft_process *process = start_piped("printf ended!");
    ASSERT_OK(weft_process_wait(process, NULL));
    ASSERT_OK(weft_stream_read_exact(weft_process_stdout(process), text, 6));
    ASSERT_MEM_EQ(text, "ended!", 6);
    ASSERT_INT_EQ(weft_stream_read(weft_process_stdout(process), text, 6), 0);
    weft_process_free(process);
}

TASK_TEST(process_stdin_that_nobody_reads_any_more_is_epipe_and_no_signal)
{
    static const char much[128 * 1024];
    weft_process *process = start_piped("exit 0");
    ASSERT_OK(weft_process_wait(process, NULL));
    ASSERT_ERR(weft_stream_write(weft_process_stdin(process), much, sizeof much), -EPIPE);
    weft_process_free(process);
}

TASK_TEST(process_finds_its_pipe_as_dev_stdin)
{
    weft_process_result result;
    ASSERT_OK(weft_process_run(WEFT_ARGV("wc", "-c", "/dev/stdin"),
                               WEFT_PROCESS(.input = "abc", .input_len = 3, .capture = true),
                               &result));
    ASSERT_STR_EQ(result.out, "3 /dev/stdin\n");
    weft_process_result_done(&result);
}

/* ---- communicate ---- */

TASK_TEST(process_communicate_feeds_and_collects_more_than_pipes_hold)
{
    size_t len = 2 * 1024 * 1024 / (size_t)test_slowness();
    weft_process_result result;
    char *input = malloc(len);
    ASSERT(input != NULL);
    for (size_t i = 0; i < len; i++)
        input[i] = (char)('a' + i % 23);
    weft_process *process = start_piped("tee /dev/stderr");
    ASSERT_OK(weft_process_communicate(process, input, len, &result));
    ASSERT_INT_EQ(result.returncode, 0);
    ASSERT_INT_EQ(result.out_len, len);
    ASSERT_INT_EQ(result.err_len, len);
    ASSERT_MEM_EQ(result.out, input, len);
    ASSERT_MEM_EQ(result.err, input, len);
    ASSERT(!result.cut);
    weft_process_result_done(&result);
    weft_process_free(process);
    free(input);
}

TASK_TEST(process_communicate_ignores_a_program_that_does_not_read)
{
    static const char much[256 * 1024];
    weft_process_result result;
    weft_process *process = start_piped("exec <&-; echo done");
    ASSERT_OK(weft_process_communicate(process, much, sizeof much, &result));
    ASSERT_STR_EQ(result.out, "done\n");
    weft_process_result_done(&result);
    weft_process_free(process);
}

TASK_TEST(process_communicate_with_empty_input_ends_stdin)
{
    weft_process_result result;
    weft_process *process = start_piped("cat; echo end");
    ASSERT_OK(weft_process_communicate(process, NULL, 0, &result));
    ASSERT_STR_EQ(result.out, "end\n");
    ASSERT_STR_EQ(result.err, "");
    weft_process_result_done(&result);
    weft_process_free(process);
}

TASK_TEST(process_communicate_without_pipes_waits)
{
    weft_process *process;
    weft_process_result result;
    ASSERT_OK(weft_process_start(WEFT_ARGV("sh", "-c", "exit 6"), NULL, &process));
    ASSERT_ERR(weft_process_communicate(process, "x", 1, &result), -EINVAL);
    ASSERT_OK(weft_process_communicate(process, NULL, 0, &result));
    ASSERT_INT_EQ(result.returncode, 6);
    ASSERT(result.out == NULL && result.err == NULL);
    weft_process_free(process);
}

/* The one that is left behind is told by a pipe of the test's own to go. */
TASK_TEST(process_communicate_does_not_wait_for_a_grandchild)
{
    weft_process *process;
    weft_process_result result;
    ASSERT_OK(weft_process_start(WEFT_ARGV("echo mine; sleep 100 & echo $! >&2"),
                                 WEFT_PROCESS(.shell = true, .out = WEFT_STDIO_PIPE,
                                              .err = WEFT_STDIO_PIPE, .pipe_grace = WEFT_MS(20)),
                                 &process));
    ASSERT_OK(weft_process_communicate(process, NULL, 0, &result));
    ASSERT_STR_EQ(result.out, "mine\n");
    ASSERT(result.cut);
    ASSERT_INT_EQ(result.returncode, 0);
    kill((pid_t)strtol(result.err, NULL, 10), SIGKILL);
    weft_process_result_done(&result);
    weft_process_free(process);
}

/* How long it took to read what was there, and to leave the grandchild alone. */
static int64_t communicate_without_grace(void)
{
    weft_process *process;
    weft_process_result result;
    ASSERT_OK(weft_process_start(WEFT_ARGV("echo mine; sleep 100 & echo $! >&2"),
                                 WEFT_PROCESS(.shell = true, .out = WEFT_STDIO_PIPE,
                                              .err = WEFT_STDIO_PIPE, .pipe_grace = -1),
                                 &process));
    ASSERT_OK(weft_process_wait(process, NULL));
    int64_t ended = weft_now();
    ASSERT_OK(weft_process_communicate(process, NULL, 0, &result));
    int64_t took = weft_now() - ended;
    ASSERT_STR_EQ(result.out, "mine\n");
    ASSERT(result.cut);
    kill((pid_t)strtol(result.err, NULL, 10), SIGKILL);
    weft_process_result_done(&result);
    weft_process_free(process);
    return took;
}

/* The default would be 0.5 s, each time; a busy machine is that slow once. */
TASK_TEST(process_communicate_without_grace_does_not_wait)
{
    int tries = 1;
    while (communicate_without_grace() >= WEFT_MS(500))
        ASSERT_INT_LT(tries++, 10);
}

TASK_TEST(process_wait_does_not_wait_for_a_grandchild)
{
    char text[32] = "";
    weft_process *process = start_piped("sleep 100 & echo $!");
    ASSERT_OK(weft_process_wait(process, NULL));
    ASSERT_INT_GT(weft_stream_read(weft_process_stdout(process), text, sizeof text - 1), 0);
    kill((pid_t)strtol(text, NULL, 10), SIGKILL);
    weft_process_free(process);
}

TASK_TEST(process_output_at_its_limit_is_given_and_beyond_it_refused)
{
    weft_process_result result;
    const weft_process_options options = {
        .size = sizeof options, .shell = true, .capture = true, .output_max = 1000};
    ASSERT_OK(weft_process_run(WEFT_ARGV("printf %01000d 1"), &options, &result));
    ASSERT_INT_EQ(result.out_len, 1000);
    weft_process_result_done(&result);
    ASSERT_ERR(weft_process_run(WEFT_ARGV("printf %01001d 1"), &options, &result), WEFT_ETOO_LONG);
    ASSERT_STR_HAS(weft_error_message(), "stdout of 'printf %01001d 1' is longer than 1000 bytes");
    ASSERT_ERR(weft_process_run(WEFT_ARGV("yes >&2"), &options, &result), WEFT_ETOO_LONG);
    ASSERT_STR_HAS(weft_error_message(), "stderr");
    expect_no_child();
}

TASK_TEST(process_communicate_that_is_cancelled_stops_and_reaps)
{
    weft_scope scope;
    weft_process_result result;
    weft_process *process = start_piped("cat; exec sleep 100");
    weft_scope_enter(&scope, WEFT_MS(5));
    ASSERT_ERR(weft_scope_exit(&scope, weft_process_communicate(process, "x", 1, &result)),
               -ETIMEDOUT);
    int code;
    ASSERT_INT_EQ(weft_process_poll(process, &code), 1);
    ASSERT_INT_EQ(code, -SIGKILL);
    weft_process_free(process);
    expect_no_child();
}

TASK_TEST(process_run_cancelled_terminates_first_and_kills_after_the_grace)
{
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_MS(5));
    int err = weft_process_run(WEFT_ARGV("trap '' TERM; while :; do sleep 0.01; done"),
                               WEFT_PROCESS(.shell = true, .grace = WEFT_MS(10)), NULL);
    ASSERT_ERR(weft_scope_exit(&scope, err), -ETIMEDOUT);
    expect_no_child();
}

/* ---- run ---- */

TASK_TEST(process_run_gives_code_output_and_errors)
{
    weft_process_result result;
    ASSERT_OK(weft_process_run(
        WEFT_ARGV("cat; echo no >&2; exit 3"),
        WEFT_PROCESS(.shell = true, .capture = true, .input = "in", .input_len = 2), &result));
    ASSERT_INT_EQ(result.returncode, 3);
    ASSERT_STR_EQ(result.out, "in");
    ASSERT_STR_EQ(result.err, "no\n");
    weft_process_result_done(&result);
    ASSERT_OK(weft_process_run(WEFT_ARGV("true"), NULL, NULL));
}

TASK_TEST(process_run_with_check_says_what_the_program_said)
{
    weft_process_result result;
    ASSERT_ERR(weft_process_run(WEFT_ARGV("echo out; echo it broke >&2; echo more >&2; exit 3"),
                                WEFT_PROCESS(.shell = true, .capture = true, .check = true),
                                &result),
               WEFT_EPROCESS);
    ASSERT_STR_HAS(weft_error_message(), "ended with exit code 3: it broke");
    ASSERT_STR_LACKS(weft_error_message(), "more: ");
    ASSERT_STR_EQ(result.out, "out\n");
    ASSERT_INT_EQ(result.returncode, 3);
    weft_process_result_done(&result);
    ASSERT_ERR(
        weft_process_run(WEFT_ARGV("kill -9 $$"), WEFT_PROCESS(.shell = true, .check = true), NULL),
        WEFT_EPROCESS);
    ASSERT_STR_EQ(weft_error_message(), "'kill -9 $$' was ended by signal 9");
    ASSERT_OK(weft_process_run(WEFT_ARGV("true"), WEFT_PROCESS(.check = true), NULL));
}

TASK_TEST(process_run_with_input_and_stdin_is_refused)
{
    ASSERT_ERR(
        weft_process_run(WEFT_ARGV("cat"), WEFT_PROCESS(.input = "", .in = WEFT_STDIO_PIPE), NULL),
        -EINVAL);
    ASSERT_ERR(weft_process_run(WEFT_ARGV("/no/such/program"), NULL, NULL), -ENOENT);
}

TEST(process_run_works_outside_weft_run)
{
    weft_process_result result;
    ASSERT_OK(weft_process_run(WEFT_ARGV("cat"),
                               WEFT_PROCESS(.capture = true, .input = "plain", .input_len = 5),
                               &result));
    ASSERT_STR_EQ(result.out, "plain");
    weft_process_result_done(&result);
    expect_no_child();
}

/* ---- faults ---- */

static int run_once(void *arg)
{
    weft_process_result result;
    (void)arg;
    int err = weft_process_run(WEFT_ARGV("/bin/cat"),
                               WEFT_PROCESS(.capture = true, .input = "x", .input_len = 1,
                                            .env = (weft_pair[]){{"A", "b"}, {0}}, .grace = -1),
                               &result);
    expect_no_child();
    if (err < 0)
        return err;
    ASSERT_STR_EQ(result.out, "x");
    weft_process_result_done(&result);
    return 0;
}

static int wait_once(void *arg)
{
    weft_process *process;
    (void)arg;
    int err = weft_process_start(WEFT_ARGV("true"), NULL, &process);
    if (err < 0)
        return err;
    err = weft_process_wait(process, NULL);
    weft_process_free(process);
    expect_no_child();
    return err;
}

TEST_WITH(process_survives_every_fault, .limit_s = 60)
{
    FAULTS(wait_once, NULL);
    FAULTS(run_once, NULL, .max_cases = test_under_valgrind() ? 4 : 100);
}

TEST_WITH(process_without_pidfds_survives_every_fault, .limit_s = 60)
{
    weft__process_no_pidfd = true;
    FAULTS(wait_once, NULL, .plain = true);
}
