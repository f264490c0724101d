/*
 * How late a ticker of 1 ms is in a loop whose other tasks hammer files: rows of a Markdown table.
 * From what it was late the time is taken off that the loop's thread was ready to run and other
 * threads, of whichever program, had the processors: /proc/thread-self/schedstat tells it.
 *
 *     bench_files_ticker FOLDER [TICKS [ROW [LIST]]]
 *
 * ROW: only this one, from 0.  LIST: a file for the process and when each tick began and ended, in
 * ns of the monotonic clock, by which bench/compare/ticker.py asks the kernel what went on.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weft.h>

enum { FILES = 2000, FILE_BYTES = 4096, AT_ONCE = 100, TICKS_MAX = 100000 };

static char folder[256];
static char names[FILES][300];
static char content[FILE_BYTES];
static int indexes[FILES];
static int64_t late[TICKS_MAX];
static int64_t own[TICKS_MAX]; /* without what it waited for a processor */
static FILE *list;
static int n_ticks = 4000;
static int schedstat;
static long only = -1;
static bool over;
static long n_done;
static int every; /* 0: all tasks read; n: each n-th operation writes */

static void need(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "bench_files_ticker: %s: %s\n", what, weft_error_message());
    exit(1);
}

/* Nanoseconds this thread has waited for a processor. */
static int64_t run_queue(void)
{
    char text[96];
    ssize_t n = pread(schedstat, text, sizeof text - 1, 0);
    long long ran = 0;
    long long waited = 0;
    text[n > 0 ? n : 0] = '\0';
    return sscanf(text, "%lld %lld", &ran, &waited) == 2 ? waited : 0;
}

/* ---- what runs beside the ticker ---- */

static int hammer(void *arg)
{
    char *data;
    int i = *(const int *)arg;
    for (int n = i; !over; n++) {
        i = (i + 97) % FILES;
        bool write = every > 0 && n % every == 0;
        int err = write ? weft_write_file(names[i], content, FILE_BYTES)
                        : weft_read_file(names[i], &data, NULL);
        need(err == 0, "hammer");
        if (!write)
            weft_free(data);
        n_done++;
    }
    return 0;
}

/* The same through open files, whose buffers are written at the close. */
static int hammer_open(void *arg)
{
    int i = *(const int *)arg;
    while (!over) {
        weft_file *file;
        i = (i + 97) % FILES;
        need(weft_file_open(names[i], "w", &file) == 0, "open");
        need(weft_file_write(file, content, FILE_BYTES) == 0, "write");
        need(weft_file_close(file) == 0, "close");
        n_done++;
    }
    return 0;
}

/* A log: each task appends to a file of its own. */
static int hammer_append(void *arg)
{
    weft_file *file;
    char name[sizeof names[0] + 8];
    snprintf(name, sizeof name, "%s.log", names[*(const int *)arg]);
    need(weft_file_open(name, "a", &file) == 0, "open");
    while (!over) {
        need(weft_file_write(file, content, FILE_BYTES) == 0, "write");
        need(weft_file_flush(file) == 0, "flush");
        n_done++;
    }
    return weft_file_close(file);
}

/* What the machine does by itself to a loop that is busy, beside whatever else runs there. */
static int turn(void *arg)
{
    (void)arg;
    while (!over) {
        weft_yield();
        n_done++;
    }
    return 0;
}

/* ---- the ticker ---- */

static int tick(void *arg)
{
    weft_group group;
    weft_fn *work = arg;
    over = false;
    need(weft_group_init(&group, NULL) == 0, "group");
    for (int i = 0; i < AT_ONCE; i++)
        need(weft_group_spawn(&group, *work, &indexes[i]) == 0, "spawn");
    for (int i = 0; i < n_ticks; i++) {
        int64_t waited = run_queue();
        int64_t before = weft_now();
        weft_sleep(WEFT_MS(1));
        int64_t after = weft_now();
        late[i] = after - before - WEFT_MS(1);
        if (list != NULL)
            fprintf(list, "%" PRId64 " %" PRId64 "\n", before, after);
        waited = run_queue() - waited;
        own[i] = late[i] > waited ? late[i] - waited : 0;
    }
    over = true;
    return weft_group_wait(&group);
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static double of(const int64_t *values, int per_mille)
{
    return (double)values[(long)(n_ticks - 1) * per_mille / 1000] / 1e6;
}

static void report(const char *what, weft_fn work)
{
    static long row;
    if (only >= 0 && only != row++)
        return;
    n_done = 0;
    int64_t before = weft_now();
    need(weft_run(tick, &work) == 0, "ticker");
    double rate = (double)n_done * 1e6 / (double)(weft_now() - before);
    qsort(late, (size_t)n_ticks, sizeof late[0], compare);
    qsort(own, (size_t)n_ticks, sizeof own[0], compare);
    printf("| %s | %.1f | %.2f | %.2f | %.2f | %.2f | %.2f | %.2f |\n", what, rate, of(late, 500),
           of(late, 990), of(late, 999), of(own, 990), of(own, 999), of(own, 1000));
    fflush(stdout);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    n_ticks = argc > 2 ? (int)strtol(argv[2], NULL, 10) : n_ticks;
    n_ticks = n_ticks < 1 || n_ticks > TICKS_MAX ? TICKS_MAX : n_ticks;
    only = argc > 3 ? strtol(argv[3], NULL, 10) : only;
    list = argc > 4 ? fopen(argv[4], "we") : NULL;
    if (list != NULL)
        fprintf(list, "%d\n", (int)getpid());
    schedstat = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
    snprintf(folder, sizeof folder, "%s/bench_files.%d", argv[1], (int)getpid());
    need(weft_mkdir(folder, 0, true) == 0, "mkdir");
    for (int i = 0; i < FILES; i++) {
        snprintf(names[i], sizeof names[i], "%s/f%d", folder, i);
        need(weft_write_file(names[i], content, FILE_BYTES) == 0, "write");
        indexes[i] = i;
    }
    sync();
    printf("| a 1 ms ticker beside 100 tasks that, ms late | 1000/s | p50 | p99 | p99.9 | "
           "less run queue: p99 | p99.9 | most |\n|---|---:|---:|---:|---:|---:|---:|---:|\n");
    report("yield", turn);
    report("read whole files", hammer);
    every = 8;
    report("write each eighth, read the others", hammer);
    every = 1;
    report("write whole files", hammer);
    report("open, write, close", hammer_open);
    report("append and flush", hammer_append);
    close(schedstat);
    if (list != NULL)
        fclose(list);
    return weft_remove_tree(folder) == 0 ? 0 : 1;
}
