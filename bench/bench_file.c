/*
 * What files cost, next to the plain system calls.  The files are made in a folder of their
 * own under TMPDIR (or /tmp) and stay in the page cache: nothing here measures a disk.
 *
 *     bench_file [FOLDER]
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <weft.h>

enum { FILES = 10000, FILE_BYTES = 4096, LINES = 2000000, BIG_BYTES = 256 * 1024 * 1024, RUNS = 5 };

static char folder[256];

static int64_t cpu_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * 1000000000 + now.tv_nsec;
}

static void name_of(long i, char *path, size_t size)
{
    snprintf(path, size, "%s/f%ld", folder, i);
}

static int check(int err)
{
    if (err < 0)
        fprintf(stderr, "bench_file: %s\n", weft_error_message());
    if (err < 0)
        exit(1);
    return err;
}

/* The best of some runs, wall and CPU time, per operation. */
static void report(const char *what, void (*run)(void), long n, const char *unit)
{
    int64_t best = INT64_MAX;
    int64_t best_cpu = INT64_MAX;
    for (int i = 0; i < RUNS; i++) {
        int64_t cpu = cpu_now();
        int64_t start = weft_now();
        run();
        int64_t took = weft_now() - start;
        cpu = cpu_now() - cpu;
        best = took < best ? took : best;
        best_cpu = cpu < best_cpu ? cpu : best_cpu;
    }
    printf("%-52s %10.1f %10.1f  %s\n", what, (double)best / (double)n,
           (double)best_cpu / (double)n, unit);
    fflush(stdout);
}

/* ---- lines ---- */

static void read_lines(void)
{
    char path[300];
    char *line;
    long n = 0;
    weft_file *file;
    snprintf(path, sizeof path, "%s/lines", folder);
    check(weft_file_open(path, "r", &file));
    while (weft_file_read_line(file, &line) > 0)
        n++;
    check(weft_file_close(file));
    if (n != LINES)
        exit(1);
}

static void getline_lines(void)
{
    char path[300];
    char *line = NULL;
    size_t room = 0;
    long n = 0;
    snprintf(path, sizeof path, "%s/lines", folder);
    FILE *file = fopen(path, "r");
    while (getline(&line, &room, file) > 0)
        n++;
    free(line);
    fclose(file);
    if (n != LINES)
        exit(1);
}

/* ---- whole small files ---- */

static void plain_file(long i)
{
    char path[300];
    struct stat st;
    name_of(i, path, sizeof path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        exit(1);
    char *data = malloc((size_t)st.st_size + 1);
    if (read(fd, data, (size_t)st.st_size) != st.st_size)
        exit(1);
    close(fd);
    free(data);
}

static int weft_whole_file(void *arg)
{
    char path[300];
    char *data;
    size_t len;
    name_of(*(const int *)arg, path, sizeof path);
    check(weft_read_file(path, &data, &len));
    weft_free(data);
    return len == FILE_BYTES ? 0 : -1;
}

static int indexes[FILES];

static void plain_files(void)
{
    for (long i = 0; i < FILES; i++)
        plain_file(i);
}

static void weft_files(void)
{
    for (long i = 0; i < FILES; i++)
        check(weft_whole_file(&indexes[i]));
}

static void same_plain_file(void)
{
    for (long i = 0; i < FILES; i++)
        plain_file(0);
}

static void same_weft_file(void)
{
    for (long i = 0; i < FILES; i++)
        check(weft_whole_file(&indexes[0]));
}

static int map_files(void *arg)
{
    (void)arg;
    return weft_map(weft_whole_file, indexes, FILES, sizeof indexes[0], WEFT_MAP(.limit = 100));
}

static void concurrent_files(void)
{
    check(weft_run(map_files, NULL));
}

static weft_file_item items[FILES];
static char names[FILES][300];

static int take_item(weft_file_item *item, void *arg)
{
    (void)arg;
    weft_free(item->data);
    item->data = NULL;
    return item->len == FILE_BYTES ? 0 : -1;
}

static int read_items(void *arg)
{
    (void)arg;
    for (int i = 0; i < FILES; i++) {
        name_of(i, names[i], sizeof names[i]);
        items[i] = (weft_file_item){.path = names[i]};
    }
    return weft_read_many(items, FILES, WEFT_MANY(.limit = 100, .done = take_item));
}

static void many_files(void)
{
    check(weft_run(read_items, NULL));
}

/* ---- writing ---- */

static char content[FILE_BYTES];

static void plain_writes(void)
{
    char path[300];
    for (long i = 0; i < FILES; i++) {
        name_of(i, path, sizeof path);
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (fd < 0 || write(fd, content, sizeof content) != sizeof content)
            exit(1);
        close(fd);
    }
}

static int write_one(void *arg)
{
    char path[300];
    name_of(*(const int *)arg, path, sizeof path);
    return check(weft_write_file(path, content, sizeof content));
}

static int write_items(void *arg)
{
    (void)arg;
    for (int i = 0; i < FILES; i++) {
        name_of(i, names[i], sizeof names[i]);
        items[i] = (weft_file_item){.path = names[i], .data = content, .len = FILE_BYTES};
    }
    return weft_write_many(items, FILES, NULL);
}

static void many_writes(void)
{
    check(weft_run(write_items, NULL));
}

static int map_writes(void *arg)
{
    (void)arg;
    return weft_map(write_one, indexes, FILES, sizeof indexes[0], WEFT_MAP(.limit = 100));
}

static void concurrent_writes(void)
{
    check(weft_run(map_writes, NULL));
}

/* ---- one large file, sequential ---- */

static size_t chunk;

static void plain_big(void)
{
    char path[300];
    snprintf(path, sizeof path, "%s/big", folder);
    char *data = aligned_alloc(4096, chunk);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (read(fd, data, chunk) > 0)
        continue;
    close(fd);
    free(data);
}

static void weft_big(void)
{
    char path[300];
    weft_file *file;
    snprintf(path, sizeof path, "%s/big", folder);
    char *data = aligned_alloc(4096, chunk);
    check(weft_file_open(path, "r", &file));
    while (weft_file_read(file, data, chunk) > 0)
        continue;
    check(weft_file_close(file));
    free(data);
}

/* ---- */

static void make_files(void)
{
    char path[300];
    weft_file *file;
    for (int i = 0; i < FILES; i++) {
        indexes[i] = i;
        check(write_one(&indexes[i]));
    }
    snprintf(path, sizeof path, "%s/lines", folder);
    check(weft_file_open(path, "w", &file));
    for (int i = 0; i < LINES; i++) {
        char line[64];
        int len = snprintf(line, sizeof line, "line %d of a text that is read again\n", i);
        check(weft_file_write(file, line, (size_t)len));
    }
    check(weft_file_close(file));
    snprintf(path, sizeof path, "%s/big", folder);
    check(weft_file_open(path, "w", &file));
    for (int i = 0; i < BIG_BYTES / FILE_BYTES; i++)
        check(weft_file_write(file, content, sizeof content));
    check(weft_file_close(file));
}

static void remove_files(void)
{
    char path[300];
    for (long i = 0; i < FILES; i++) {
        name_of(i, path, sizeof path);
        weft_remove(path);
    }
    snprintf(path, sizeof path, "%s/lines", folder);
    weft_remove(path);
    snprintf(path, sizeof path, "%s/big", folder);
    weft_remove(path);
    weft_remove(folder);
}

int main(int argc, char **argv)
{
    const char *base = argc > 1 ? argv[1] : getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/bench_file.%d", base != NULL ? base : "/tmp",
             (int)getpid());
    check(weft_mkdir(folder, 0, true));
    make_files();
    printf("%-52s %10s %10s\n", "", "wall", "CPU");
    report("lines, getline", getline_lines, LINES, "ns/line");
    report("lines, weft_file_read_line", read_lines, LINES, "ns/line");
    report("the same 4 KiB file, open fstat read close", same_plain_file, FILES, "ns/file");
    report("the same 4 KiB file, weft_read_file", same_weft_file, FILES, "ns/file");
    report("10,000 files of 4 KiB, open fstat read close", plain_files, FILES, "ns/file");
    report("10,000 files of 4 KiB, weft_read_file, one by one", weft_files, FILES, "ns/file");
    report("10,000 files of 4 KiB, weft_read_file, 100 at once", concurrent_files, FILES,
           "ns/file");
    report("10,000 files of 4 KiB, weft_read_many, 100 at once", many_files, FILES, "ns/file");
    report("10,000 files of 4 KiB written, open write close", plain_writes, FILES, "ns/file");
    report("10,000 files of 4 KiB, weft_write_file, 100 at once", concurrent_writes, FILES,
           "ns/file");
    report("10,000 files of 4 KiB, weft_write_many", many_writes, FILES, "ns/file");
    for (chunk = 65536; chunk <= 1048576; chunk *= 16) {
        char what[64];
        snprintf(what, sizeof what, "256 MiB by %zu KiB, read", chunk / 1024);
        report(what, plain_big, BIG_BYTES / 1048576, "ns/MiB");
        snprintf(what, sizeof what, "256 MiB by %zu KiB, weft_file_read", chunk / 1024);
        report(what, weft_big, BIG_BYTES / 1048576, "ns/MiB");
    }
    remove_files();
    return 0;
}
