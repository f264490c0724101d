/*
 * bench_runtime.c - what tasks cost: switching, starting and joining, scopes, semaphores,
 * offloading, a million sleepers.
 */
#include <weft.h>

#include "tasks.h"

static void spawn_in_one_group(long n)
{
    weft_group group;
    weft_group_init(&group, NULL);
    while (n-- > 0)
        weft_group_spawn(&group, nothing, NULL);
    weft_group_wait(&group);
}

static void group_of_one(long n)
{
    while (n-- > 0) {
        weft_group group;
        weft_group_init(&group, NULL);
        weft_group_spawn(&group, nothing, NULL);
        weft_group_wait(&group);
    }
}

static weft_semaphore *semaphore;

static void semaphore_free_to_take(long n)
{
    while (n-- > 0) {
        weft_semaphore_acquire(semaphore);
        weft_semaphore_release(semaphore);
    }
}

static int acquire_many(void *arg)
{
    for (long n = *(long *)arg; n > 0; n--) {
        weft_semaphore_acquire(semaphore);
        weft_yield();
        weft_semaphore_release(semaphore);
    }
    return 0;
}

static void semaphore_contended(long n)
{
    long half = n / 2;
    weft_gather((weft_call[]){{acquire_many, &half, 0}, {acquire_many, &half, 0}}, 2, NULL);
}

static int run_all(void *arg)
{
    long n_sleepers = *(long *)arg;
    printf("back end %s\n", weft_backend_name());
    bench_loop("yield between two tasks", yields, 4000000);
    bench_loop("spawn, run, end in a group", spawn_in_one_group, 2000000);
    bench_loop("group of one: init, spawn, wait", group_of_one, 2000000);
    bench_loop("scope with a deadline that does not fire", scopes, 4000000);
    if (weft_semaphore_new(1, &semaphore) < 0)
        return -ENOMEM;
    bench_loop("semaphore, free", semaphore_free_to_take, 10000000);
    bench_loop("semaphore, two tasks", semaphore_contended, 1000000);
    weft_semaphore_free(semaphore);
    bench_loop("offload to a thread and back", offloads, 10000);
    bench_loop("skynet, a task", skynet_tree, 1000000);
    struct sleepers each = sleepers(n_sleepers);
    printf("%ld sleeping tasks: %.2f us to start each, %.2f us to end, %.0f bytes each\n",
           n_sleepers, each.start_us, each.end_us, each.bytes);
    return 0;
}

int main(int argc, char **argv)
{
    long n_sleepers = argc > 1 ? strtol(argv[1], NULL, 10) : 100000;
    return weft_run(run_all, &n_sleepers) != 0;
}
