/*
 * Files beside plain system calls, as rows of Markdown tables: bench/compare/files.py adds what
 * other runtimes need for the same and prints it all.
 *
 *     bench_files FOLDER [MIB]        MIB: of the large file, 1024 unless told
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <weft.h>

enum { FILES = 10000, FILE_BYTES = 4096, AT_ONCE = 100, RUNS = 7, PIECE = 1024 * 1024 };

static char folder[256];
static char names[FILES][300];
static char content[FILE_BYTES];
static weft_file_item items[FILES];
static int indexes[FILES];
static long big_mib = 1024;

static void need(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "bench_files: %s: %s\n", what, weft_error_message());
    exit(1);
}

static double seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

struct way {
    const char *what;
    void (*prepare)(void);
    void (*run)(void);
    double wall;
    double cpu;
};

static void run_once(struct way *way)
{
    if (way->prepare != NULL)
        way->prepare();
    double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    double start = seconds(CLOCK_MONOTONIC);
    way->run();
    double wall = seconds(CLOCK_MONOTONIC) - start;
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    way->wall = way->wall == 0 || wall < way->wall ? wall : way->wall;
    way->cpu = way->cpu == 0 || cpu < way->cpu ? cpu : way->cpu;
}

/*
 * The best of some runs of each way, in turn, so that what else the machine does meets them all:
 * microseconds of each of n operations, and the CPU beside that of the first.
 */
static void rows(struct way *ways, size_t n_ways, double n)
{
    for (int i = 0; i < RUNS; i++) {
        for (size_t k = 0; k < n_ways; k++)
            run_once(&ways[k]);
    }
    for (size_t k = 0; k < n_ways; k++)
        printf("| %s | %.2f | %.2f | %.2f |\n", ways[k].what, ways[k].wall * 1e6 / n,
               ways[k].cpu * 1e6 / n, ways[k].cpu / ways[0].cpu);
    fflush(stdout);
}

#define ROWS(n_, ...)                                                                              \
    do {                                                                                           \
        struct way ways_[] = {__VA_ARGS__};                                                        \
        rows(ways_, sizeof ways_ / sizeof ways_[0], n_);                                           \
    } while (0)

/* ---- many small files ---- */

static void plain_read(void)
{
    struct stat st;
    for (int i = 0; i < FILES; i++) {
        int fd = open(names[i], O_RDONLY | O_CLOEXEC);
        need(fd >= 0 && fstat(fd, &st) == 0, "open");
        char *data = malloc((size_t)st.st_size + 1);
        need(read(fd, data, (size_t)st.st_size) == FILE_BYTES, "read");
        close(fd);
        free(data);
    }
}

static int read_one(void *arg)
{
    char *data;
    size_t len;
    need(weft_read_file(names[*(const int *)arg], &data, &len) == 0, "read");
    weft_free(data);
    return len == FILE_BYTES ? 0 : -1;
}

static int read_by_tasks(void *arg)
{
    (void)arg;
    return weft_map(read_one, indexes, FILES, sizeof indexes[0], WEFT_MAP(.limit = AT_ONCE));
}

static void tasks_read(void)
{
    need(weft_run(read_by_tasks, NULL) == 0, "read");
}

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
    for (int i = 0; i < FILES; i++)
        items[i] = (weft_file_item){.path = names[i]};
    return weft_read_many(items, FILES, WEFT_MANY(.limit = AT_ONCE, .done = take_item));
}

static void many_read(void)
{
    need(weft_run(read_items, NULL) == 0, "read_many");
}

/* The files' pages leave the page cache; the folder's stay. */
static void cool(void)
{
    for (int i = 0; i < FILES; i++) {
        int fd = open(names[i], O_RDONLY | O_CLOEXEC);
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        close(fd);
    }
}

static void plain_write(void)
{
    for (int i = 0; i < FILES; i++) {
        int fd = open(names[i], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        need(fd >= 0 && write(fd, content, FILE_BYTES) == FILE_BYTES, "write");
        close(fd);
    }
}

static int write_items(void *arg)
{
    (void)arg;
    for (int i = 0; i < FILES; i++)
        items[i] = (weft_file_item){.path = names[i], .data = content, .len = FILE_BYTES};
    return weft_write_many(items, FILES, WEFT_MANY(.limit = AT_ONCE));
}

static void many_write(void)
{
    need(weft_run(write_items, NULL) == 0, "write_many");
}

static void remove_all(void)
{
    for (int i = 0; i < FILES; i++)
        unlink(names[i]);
}

static void plain_one(void)
{
    struct stat st;
    for (int i = 0; i < FILES; i++) {
        int fd = open(names[0], O_RDONLY | O_CLOEXEC);
        need(fd >= 0 && fstat(fd, &st) == 0, "open");
        char *data = malloc((size_t)st.st_size + 1);
        need(read(fd, data, (size_t)st.st_size) == FILE_BYTES, "read");
        close(fd);
        free(data);
    }
}

static void weft_one(void)
{
    for (int i = 0; i < FILES; i++)
        read_one(&indexes[0]);
}

/* ---- one large file ---- */

static char big_name[300];
static char *piece;

static void plain_big(void)
{
    int fd = open(big_name, O_RDONLY | O_CLOEXEC);
    while (read(fd, piece, PIECE) > 0)
        continue;
    close(fd);
}

static void weft_big(void)
{
    weft_file *file;
    need(weft_file_open(big_name, "r", &file) == 0, "open");
    while (weft_file_read(file, piece, PIECE) > 0)
        continue;
    need(weft_file_close(file) == 0, "close");
}

static void make_big(void)
{
    weft_file *file;
    need(weft_file_open(big_name, "w", &file) == 0, "open");
    for (long i = 0; i < big_mib; i++)
        need(weft_file_write(file, piece, PIECE) == 0, "write");
    need(weft_file_close(file) == 0, "close");
}

/* ---- lines ---- */

static void getline_lines(void)
{
    char *line = NULL;
    size_t room = 0;
    FILE *file = fopen(big_name, "re");
    while (getline(&line, &room, file) > 0)
        continue;
    free(line);
    fclose(file);
}

static void weft_lines(void)
{
    char *line;
    weft_file *file;
    need(weft_file_open(big_name, "r", &file) == 0, "open");
    while (weft_file_read_line(file, &line) > 0)
        continue;
    need(weft_file_close(file) == 0, "close");
}

static void make_lines(void)
{
    weft_file *file;
    need(weft_file_open(big_name, "w", &file) == 0, "open");
    for (int i = 0; i < 1000000; i++)
        need(weft_file_write(file, "a line of a text that is read again\n", 36) == 0, "write");
    need(weft_file_close(file) == 0, "close");
}

static void title(const char *what)
{
    printf("\n| %s | wall | CPU | CPU, of the first |\n|---|---:|---:|---:|\n", what);
}

static void small_files(void)
{
    title("10,000 files of 4 KiB, 100 at once, us a file");
    ROWS(FILES, {"hot, open fstat read close", NULL, plain_read},
         {"hot, `weft_read_file` by tasks", NULL, tasks_read},
         {"hot, `weft_read_many`", NULL, many_read});
    ROWS(FILES, {"cold, open fstat read close", cool, plain_read},
         {"cold, `weft_read_file` by tasks", cool, tasks_read},
         {"cold, `weft_read_many`", cool, many_read});
    ROWS(FILES, {"one file again and again, open fstat read close", NULL, plain_one},
         {"one file again and again, `weft_read_file`", NULL, weft_one});
}

static void name_files(const char *parent)
{
    snprintf(folder, sizeof folder, "%s/bench_files.%d", parent, (int)getpid());
    need(weft_mkdir(folder, 0, true) == 0, "mkdir");
    for (int i = 0; i < FILES; i++)
        snprintf(names[i], sizeof names[i], "%s/f%d", folder, i);
}

/* In memory: on a disk its journal would be measured, which is busy for seconds afterwards. */
static void created_files(void)
{
    char kept[sizeof folder];
    memcpy(kept, folder, sizeof kept);
    name_files("/dev/shm");
    title("10,000 files of 4 KiB in memory, us a file");
    ROWS(FILES, {"created, open write close", remove_all, plain_write},
         {"created, `weft_write_many`", remove_all, many_write});
    ROWS(FILES, {"read, open fstat read close", NULL, plain_read},
         {"read, `weft_read_many`", NULL, many_read});
    ROWS(FILES, {"one file again and again, open fstat read close", NULL, plain_one},
         {"one file again and again, `weft_read_file`", NULL, weft_one});
    need(weft_remove_tree(folder) == 0, "remove");
    memcpy(folder, kept, sizeof kept);
    for (int i = 0; i < FILES; i++)
        snprintf(names[i], sizeof names[i], "%s/f%d", folder, i);
}

static void large_file(void)
{
    char plain[64];
    char ours[64];
    title("one file, us");
    make_lines();
    ROWS(1000, {"1000 lines, getline", NULL, getline_lines},
         {"1000 lines, `weft_file_read_line`", NULL, weft_lines});
    if (big_mib == 0)
        return;
    make_big();
    snprintf(plain, sizeof plain, "a MiB of %ld by 1 MiB, read", big_mib);
    snprintf(ours, sizeof ours, "a MiB of %ld by 1 MiB, `weft_file_read`", big_mib);
    ROWS((double)big_mib, {plain, NULL, plain_big}, {ours, NULL, weft_big});
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    big_mib = argc > 2 ? strtol(argv[2], NULL, 10) : big_mib;
    name_files(argv[1]);
    snprintf(big_name, sizeof big_name, "%s/big", folder);
    piece = aligned_alloc(4096, PIECE);
    need(piece != NULL, "memory");
    memset(piece, 'x', PIECE);
    for (int i = 0; i < FILES; i++)
        indexes[i] = i;
    plain_write();
    sync();
    small_files();
    created_files();
    large_file();
    free(piece);
    return weft_remove_tree(folder) == 0 ? 0 : 1;
}
