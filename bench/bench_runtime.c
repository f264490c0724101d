/*
 * bench_runtime.c - what tasks cost: switching, starting and joining, scopes, semaphores,
 * offloading, a million sleepers.
 */
#include <weft.h>

#include "bench.h"

static int yield_many(void *arg)
{
    for (long n = *(long *)arg; n > 0; n--)
        weft_yield();
    return 0;
}

/* Two tasks hand over to each other n times. */
static void yields(long n)
{
    long half = n / 2;
    weft_gather((weft_call[]){{yield_many, &half, 0}, {yield_many, &half, 0}}, 2, NULL);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

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

static void scope_not_firing(long n)
{
    while (n-- > 0) {
        weft_scope scope;
        weft_scope_enter(&scope, WEFT_SEC(5));
        weft_scope_exit(&scope, 0);
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

static void offload_round_trip(long n)
{
    while (n-- > 0)
        weft_offload(nothing, NULL);
}

/* ---- skynet: a tree of a million tasks, ten children each ---- */

struct skynet {
    long number;
    long size;
    long sum;
};

static int skynet(void *arg)
{
    struct skynet *self = arg;
    struct skynet children[10];
    weft_group group;
    if (self->size == 1) {
        self->sum = self->number;
        return 0;
    }
    weft_group_init(&group, NULL);
    for (long i = 0; i < 10; i++) {
        children[i].size = self->size / 10;
        children[i].number = self->number + i * children[i].size;
        weft_group_spawn(&group, skynet, &children[i]);
    }
    weft_group_wait(&group);
    self->sum = 0;
    for (int i = 0; i < 10; i++)
        self->sum += children[i].sum;
    return 0;
}

static void skynet_million(long n)
{
    struct skynet root = {.size = n};
    skynet(&root);
    if (root.sum != n / 2 * (n - 1))
        exit(1);
}

/* ---- sleepers ---- */

static int sleep_long(void *arg)
{
    return weft_sleep(*(int64_t *)arg);
}

static void sleepers(long n)
{
    weft_group group;
    int64_t duration = WEFT_SEC(3600);
    long before = bench_status_kib("VmRSS:") + bench_status_kib("VmPTE:");
    double start = bench_clock();
    weft_group_init(&group, NULL);
    for (long i = 0; i < n; i++) {
        if (weft_group_spawn_with(&group, sleep_long, &duration,
                                  WEFT_SPAWN(.stack_size = 64 * 1024)) < 0) {
            fprintf(stderr, "sleeper %ld: %s\n", i, weft_error_message());
            exit(1);
        }
    }
    double spawned = bench_clock() - start;
    long after = bench_status_kib("VmRSS:") + bench_status_kib("VmPTE:");
    weft_group_cancel(&group, NULL);
    start = bench_clock();
    weft_group_wait(&group);
    printf("%ld sleeping tasks: %.2f us to start each, %.2f us to end, %.0f bytes each\n", n,
           spawned / (double)n / 1e3, (bench_clock() - start) / (double)n / 1e3,
           (double)(after - before) * 1024 / (double)n);
}

static int run_all(void *arg)
{
    long n_sleepers = *(long *)arg;
    printf("back end %s\n", weft_backend_name());
    bench_loop("yield between two tasks", yields, 4000000);
    bench_loop("spawn, run, end in a group", spawn_in_one_group, 2000000);
    bench_loop("group of one: init, spawn, wait", group_of_one, 2000000);
    bench_loop("scope with a deadline that does not fire", scope_not_firing, 4000000);
    if (weft_semaphore_new(1, &semaphore) < 0)
        return -ENOMEM;
    bench_loop("semaphore, free", semaphore_free_to_take, 10000000);
    bench_loop("semaphore, two tasks", semaphore_contended, 1000000);
    weft_semaphore_free(semaphore);
    bench_loop("offload to a thread and back", offload_round_trip, 10000);
    bench_loop("skynet, a task", skynet_million, 1000000);
    sleepers(n_sleepers);
    return 0;
}

int main(int argc, char **argv)
{
    long n_sleepers = argc > 1 ? strtol(argv[1], NULL, 10) : 100000;
    return weft_run(run_all, &n_sleepers) != 0;
}
