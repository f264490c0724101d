/* What it costs to start /bin/true and wait for its end, beside posix_spawn with waitpid. */
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weft.h>

#include "bench.h"

enum { COUNT = 300, AT_ONCE = 20 };

static int run_one(void *arg)
{
    (void)arg;
    return weft_process_run(WEFT_ARGV("/bin/true"), NULL, NULL);
}

static void weft_serial(long n)
{
    for (long i = 0; i < n; i++)
        run_one(NULL);
}

static void weft_at_once(long n)
{
    static char items[COUNT];
    weft_map(run_one, items, (size_t)n, 1, WEFT_MAP(.limit = AT_ONCE));
}

static void weft_captured(long n)
{
    for (long i = 0; i < n; i++) {
        weft_process_result result;
        if (weft_process_run(WEFT_ARGV("/bin/true"), WEFT_PROCESS(.capture = true), &result) == 0)
            weft_process_result_done(&result);
    }
}

static void plain_serial(long n)
{
    char *argv[] = {(char[]){"/bin/true"}, NULL};
    for (long i = 0; i < n; i++) {
        pid_t pid;
        if (posix_spawn(&pid, argv[0], NULL, NULL, argv, environ) == 0)
            waitpid(pid, NULL, 0);
    }
}

/* Our own time without the children's. */
static double own_cpu(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e9 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e3;
}

static void measure(const char *name, void (*fn)(long n))
{
    double before = own_cpu();
    bench_loop(name, fn, COUNT);
    bench_print("  own CPU", (own_cpu() - before) / (COUNT * BENCH_ROUNDS));
}

static int all(void *arg)
{
    (void)arg;
    measure("start and wait: posix_spawn, waitpid", plain_serial);
    measure("start and wait: weft_process_run", weft_serial);
    measure("start and wait: 20 at once", weft_at_once);
    measure("start, capture and wait", weft_captured);
    return 0;
}

int main(void)
{
    return weft_run(all, NULL) != 0;
}
