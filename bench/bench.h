/*
 * bench.h - timing loops: the best of several rounds, one line each.
 *
 *     name                          12.3 ns
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifndef BENCH_ROUNDS
#define BENCH_ROUNDS 5
#endif

/* BENCH_CLOCK=cpu in the environment. */
static inline bool bench_counts_cpu(void)
{
    const char *wanted = getenv("BENCH_CLOCK");
    return wanted != NULL && strcmp(wanted, "cpu") == 0;
}

/* ns; of this program's processor time, which others disturb little, if bench_counts_cpu(). */
static inline double bench_clock(void)
{
    static clockid_t clock = -1;
    struct timespec now;
    if (clock == -1)
        clock = bench_counts_cpu() ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC;
    clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* One line of /proc/self/status, in KiB; -1 if there is none. */
static inline long bench_status_kib(const char *key)
{
    char line[256];
    long kib = -1;
    FILE *status = fopen("/proc/self/status", "r");
    if (status == NULL)
        return -1;
    while (fgets(line, sizeof line, status) != NULL) {
        if (strncmp(line, key, strlen(key)) == 0)
            kib = strtol(line + strlen(key) + 1, NULL, 10);
    }
    fclose(status);
    return kib;
}

static inline void bench_print(const char *name, double ns)
{
    if (ns < 1e4)
        printf("%-52s %9.1f ns\n", name, ns);
    else if (ns < 1e7)
        printf("%-52s %9.1f us\n", name, ns / 1e3);
    else
        printf("%-52s %9.1f ms\n", name, ns / 1e6);
    fflush(stdout);
}

/* fn does its work n times; what is printed is the best round's time of one. */
static inline void bench_loop(const char *name, void (*fn)(long n), long n)
{
    double best = 0;
    for (int round = 0; round < BENCH_ROUNDS; round++) {
        double start = bench_clock();
        fn(n);
        double ns = (bench_clock() - start) / (double)n;
        if (round == 0 || ns < best)
            best = ns;
    }
    bench_print(name, best);
}

#endif
