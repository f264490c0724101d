/*
 * tasks.h - the work that several of these programs measure: switches, scopes, offloading, a tree
 * of tasks, sleepers.  Include weft.h before it.
 */
#ifndef BENCH_TASKS_H
#define BENCH_TASKS_H

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

static void scopes(long n)
{
    while (n-- > 0) {
        weft_scope scope;
        weft_scope_enter(&scope, WEFT_SEC(5));
        weft_scope_exit(&scope, 0);
    }
}

static void offloads(long n)
{
    while (n-- > 0)
        weft_offload(nothing, NULL);
}

/* ---- skynet: a tree of tasks, ten children each ---- */

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

static void skynet_tree(long n)
{
    struct skynet root = {.size = n};
    skynet(&root);
    if (root.sum != n / 2 * (n - 1))
        exit(1);
}

/* ---- sleepers ---- */

struct sleepers {
    double start_us;
    double end_us;
    double bytes;
};

static int sleep_long(void *arg)
{
    return weft_sleep(*(int64_t *)arg);
}

/* What each of n costs. */
static struct sleepers sleepers(long n)
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
    return (struct sleepers){
        .start_us = spawned / (double)n / 1e3,
        .end_us = (bench_clock() - start) / (double)n / 1e3,
        .bytes = (double)(after - before) * 1024 / (double)n,
    };
}

#endif
