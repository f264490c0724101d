/* Stacks: an overflow is reported by name; many reuses. */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft/error.h>

#include "base/rand.h"
#include "run/run_int.h"
#include "test.h"

/* Its depth is what its argument's low bits say: never ending, as far as the compiler can see. */
static __attribute__((noinline)) int recurse(volatile char *above)
{
    volatile char block[512];
    block[0] = above[0];
    if (block[0] == 1)
        return 0;
    return recurse(block) + block[0];
}

static int overflow(void *arg)
{
    volatile char zero = 0;
    (void)arg;
    return recurse(&zero);
}

static void run_overflow(void *arg)
{
    weft_run_with(overflow, NULL, WEFT_RUN(.name = "deep-thinker", .stack_size = *(size_t *)arg));
}

static void skip_where_faults_belong_to_others(void)
{
    if (WEFT__ASAN || WEFT__TSAN || RUNNING_ON_VALGRIND)
        SKIP("the tool reports overflows itself");
}

TEST(stack_overflow_is_reported_with_the_name_of_the_task)
{
    static const size_t sizes[] = {16 * 1024, 256 * 1024, 1024 * 1024};
    skip_where_faults_belong_to_others();
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char output[2048];
        size_t size = sizes[i];
        int status = test_fork(run_overflow, &size, output, sizeof output);
        ASSERT_STR_HAS(output, "stack overflow in task 'deep-thinker'");
        ASSERT_STR_HAS(output, "stack_size");
        ASSERT(WIFSIGNALED(status));
        ASSERT(WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGBUS);
    }
}

static int overflow_in_a_child(void *arg)
{
    weft_group group;
    (void)arg;
    int err = weft_group_init(&group, NULL);
    if (err < 0)
        return err;
    weft_group_spawn_with(&group, overflow, NULL, WEFT_SPAWN(.name = "the-child"));
    return weft_group_wait(&group);
}

static void run_overflow_in_a_child(void *arg)
{
    (void)arg;
    weft_run(overflow_in_a_child, NULL);
}

TEST(stack_overflow_of_a_child_names_the_child)
{
    char output[2048];
    skip_where_faults_belong_to_others();
    test_fork(run_overflow_in_a_child, NULL, output, sizeof output);
    ASSERT_STR_HAS(output, "stack overflow in task 'the-child'");
}

static int read_null(void *arg)
{
    return *(volatile int *)arg;
}

static void run_read_null(void *arg)
{
    weft_run(read_null, arg);
}

/* Any other fault is none of ours: the process dies of it as it would without us. */
TEST(stack_fault_elsewhere_is_not_called_an_overflow)
{
    char output[2048];
    skip_where_faults_belong_to_others();
    int status = test_fork(run_read_null, NULL, output, sizeof output);
    ASSERT_STR_LACKS(output, "stack overflow");
    ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

/* ---- reuse ---- */

static const size_t mixed_sizes[] = {0, 16384, 30000, 65536, 262144, 1000000};

static int churn(void *arg)
{
    volatile char block[8000];
    uint64_t draw = *(uint64_t *)arg;
    memset((char *)block, (int)(draw & 0xff), sizeof block);
    int err = weft_sleep((int64_t)(draw % 50));
    for (size_t i = 0; i < sizeof block; i++) {
        if (block[i] != (char)(draw & 0xff))
            return -EPROTO;
    }
    return err;
}

/* Nobody's stack is anybody else's, through waves of tasks of all sizes. */
VIRTUAL_TEST(stacks_are_reused_and_never_shared)
{
    struct weft__rand rand;
    uint64_t draws[300];
    weft__rand_init(&rand, 3);
    for (int wave = 0; wave < 30; wave++) {
        weft_group group;
        int n = 1 + (int)(weft__rand_next(&rand) % 300);
        ASSERT_OK(weft_group_init(&group, NULL));
        for (int i = 0; i < n; i++) {
            draws[i] = weft__rand_next(&rand);
            ASSERT_OK(weft_group_spawn_with(&group, churn, &draws[i],
                                            WEFT_SPAWN(.stack_size = mixed_sizes[draws[i] % 6])));
        }
        ASSERT_OK(weft_group_wait(&group));
    }
}

/* The floating-point state that a caller may rely on survives a switch. */
static int compute(void *arg)
{
    double x = *(double *)arg;
    double sum = 0;
    for (int i = 0; i < 100; i++) {
        sum += x / (i + 1);
        if (weft_yield() < 0)
            return -1;
    }
    double again = 0;
    for (int i = 0; i < 100; i++)
        again += x / (i + 1);
    return sum == again ? 0 : -EPROTO;
}

VIRTUAL_TEST(numbers_survive_switching)
{
    double numbers[] = {1.5, -2.25, 1e300, 3.0e-12};
    weft_call calls[4];
    for (int i = 0; i < 4; i++)
        calls[i] = (weft_call){compute, &numbers[i]};
    ASSERT_OK(weft_gather(calls, 4, NULL));
}
