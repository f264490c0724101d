/* Many tasks and many files: nobody starves, nothing is mixed up, threads do not disturb. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <weft/base.h>
#include <weft/file.h>

#include "file/file_int.h"
#include "file_test.h"

/* A disk takes its time to create a file. */
enum { FILES = 1000, FILES_ON_DISK = 150, TASKS = 200 };

static char folder[256];

static int read_numbered(void *arg)
{
    char path[512];
    char expected[32];
    char *data;
    int i = *(const int *)arg;
    snprintf(path, sizeof path, "%s/%d", folder, i);
    snprintf(expected, sizeof expected, "content of %d", i);
    int err = weft_read_file(path, &data, NULL);
    if (err < 0)
        return err;
    ASSERT_STR_EQ(data, expected);
    weft_free(data);
    return 0;
}

static int write_numbered(void *arg)
{
    char path[512];
    char content[32];
    int i = *(const int *)arg;
    snprintf(path, sizeof path, "%s/%d", folder, i);
    size_t len = (size_t)snprintf(content, sizeof content, "content of %d", i);
    return weft_write_file(path, content, len);
}

static int remove_numbered(void *arg)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%d", folder, *(const int *)arg);
    return weft_remove(path);
}

static void write_read_remove(size_t n)
{
    static int numbers[FILES];
    for (int i = 0; i < FILES; i++)
        numbers[i] = i;
    const weft_map_options *options = WEFT_MAP(.limit = TASKS);
    ASSERT_OK(weft_mkdir(folder, 0, true));
    ASSERT_OK(weft_map(write_numbered, numbers, n, sizeof numbers[0], options));
    ASSERT_OK(weft_map(read_numbered, numbers, n, sizeof numbers[0], options));
    ASSERT_OK(weft_map(remove_numbered, numbers, n, sizeof numbers[0], options));
    ASSERT_OK(weft_remove(folder));
}

FILE_TEST(files_by_the_hundred_are_written_and_read_by_as_many_tasks)
{
    snprintf(folder, sizeof folder, "%s", test_path("many"));
    write_read_remove(FILES_ON_DISK);
}

FILE_TEST(files_by_the_thousand_are_written_and_read_on_tmpfs)
{
    snprintf(folder, sizeof folder, "%s", test_memory_path("many"));
    write_read_remove(FILES);
}

/* ---- fairness ---- */

struct ticker {
    int ticks;
    bool over;
};

static int tick(void *arg)
{
    struct ticker *ticker = arg;
    while (!ticker->over) {
        int err = weft_sleep(WEFT_MS(1));
        if (err < 0)
            return err;
        ticker->ticks++;
    }
    return 0;
}

/* Reads until the ticker has had its turns; if it never gets one, the time limit ends this. */
FILE_TEST(reader_of_cached_files_lets_a_ticker_tick)
{
    struct ticker ticker = {0};
    weft_group group;
    char *data;
    const char *path = test_path("f");
    ASSERT_OK(weft_write_file(path, "x", 1));
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, tick, &ticker));
    while (ticker.ticks < 3) {
        ASSERT_OK(weft_read_file(path, &data, NULL));
        weft_free(data);
    }
    ticker.over = true;
    ASSERT_OK(weft_group_wait(&group));
}

/* Who read last, and how often it was another one's turn. */
struct turns {
    weft_file *file;
    const void *last;
    int changes;
    int reads;
};

static int read_in_turn(void *arg)
{
    struct turns *turns = *(struct turns **)arg;
    char byte;
    for (int i = 0; i < 100; i++) {
        ASSERT_INT_EQ(weft_file_read_at(turns->file, &byte, 1, 0), 1);
        turns->changes += turns->last != arg;
        turns->last = arg;
        if (++turns->reads > 150)
            break; /* some may be over, and the others alone */
    }
    return 0;
}

/* A task that has slept comes after all that are ready: the turn of each must be short. */
TASK_TEST(task_that_reads_what_is_cached_gives_way_after_some_reads)
{
    struct turns turns = {0};
    struct turns *tasks[3] = {&turns, &turns, &turns};
    setenv("WEFT_FILE_BACKEND", "auto", 1);
    ASSERT_OK(weft_write_file(test_path("f"), "x", 1));
    ASSERT_OK(weft_file_open(test_path("f"), "r", &turns.file));
    ASSERT_OK(weft_map(read_in_turn, tasks, 3, sizeof tasks[0], NULL));
    /* A single turn may be longer while a worker reads for the others. */
    ASSERT_INT_GE(turns.changes, turns.reads / 4);
    ASSERT_OK(weft_file_close(turns.file));
}

FILE_TEST(reader_of_lines_lets_a_ticker_tick)
{
    struct ticker ticker = {0};
    weft_group group;
    weft_file *file;
    char *line;
    ASSERT_OK(weft_file_open(test_path("f"), "w+", &file));
    for (int i = 0; i < 100000; i++)
        ASSERT_OK(weft_file_write(file, "a line of text\n", 15));
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, tick, &ticker));
    while (ticker.ticks < 3) {
        if (weft_file_read_line(file, &line) == 0)
            ASSERT_INT_EQ(weft_file_seek(file, 0, SEEK_SET), 0);
    }
    ticker.over = true;
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_OK(weft_file_close(file));
}

FILE_TEST(writer_lets_a_ticker_tick)
{
    struct ticker ticker = {0};
    weft_group group;
    weft_file *file;
    ASSERT_OK(weft_file_open(test_path("f"), "w+", &file));
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, tick, &ticker));
    while (ticker.ticks < 3)
        ASSERT_OK(weft_file_write_at(file, "some bytes", 10, 0));
    ticker.over = true;
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_OK(weft_file_close(file));
}

/* ---- positions shared ---- */

struct part {
    weft_file *file;
    int64_t offset;
};

enum { PART = 70000 };

static int write_part(void *arg)
{
    const struct part *part = arg;
    char *data = malloc(PART);
    memset(data, (int)('a' + part->offset / PART), PART);
    int err = weft_file_write_at(part->file, data, PART, part->offset);
    free(data);
    return err;
}

static int read_part(void *arg)
{
    const struct part *part = arg;
    char *data = malloc(PART);
    int64_t n = weft_file_read_at(part->file, data, PART, part->offset);
    ASSERT_INT_EQ(n, PART);
    for (int i = 0; i < PART; i++)
        ASSERT_INT_EQ(data[i], 'a' + part->offset / PART);
    free(data);
    return 0;
}

FILE_TEST(file_is_written_and_read_by_position_by_many_tasks)
{
    enum { PARTS = 20 };
    struct part parts[PARTS];
    weft_file *file;
    ASSERT_OK(weft_file_open(test_path("f"), "w+", &file));
    for (int i = 0; i < PARTS; i++)
        parts[i] = (struct part){.file = file, .offset = (int64_t)i * PART};
    ASSERT_OK(weft_map(write_part, parts, PARTS, sizeof parts[0], NULL));
    ASSERT_OK(weft_map(read_part, parts, PARTS, sizeof parts[0], NULL));
    ASSERT_OK(weft_file_close(file));
}

/* ---- threads ---- */

static void *thread_main(void *arg)
{
    char path[512];
    int number = *(const int *)arg;
    char *data;
    snprintf(path, sizeof path, "%s/thread%d", folder, number);
    for (int i = 0; i < 200; i++) {
        ASSERT_OK(weft_write_file(path, "some bytes", 10));
        ASSERT_OK(weft_read_file(path, &data, NULL));
        ASSERT_STR_EQ(data, "some bytes");
        weft_free(data);
        ASSERT_OK(weft_read_file("/proc/self/comm", &data, NULL));
        weft_free(data);
    }
    ASSERT_OK(weft_remove(path));
    return NULL;
}

TEST(files_are_used_by_several_threads)
{
    pthread_t threads[4];
    int numbers[4];
    snprintf(folder, sizeof folder, "%s", test_tmpdir());
    for (int i = 0; i < 4; i++) {
        numbers[i] = i;
        ASSERT_INT_EQ(pthread_create(&threads[i], NULL, thread_main, &numbers[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

/* ---- the variable that forces a way ---- */

TEST(backend_that_is_forced_is_told)
{
    setenv("WEFT_FILE_BACKEND", "pool", 1);
    ASSERT_STR_EQ(weft__file_backend(), "pool");
}

TEST(backend_that_is_unknown_counts_as_auto)
{
    setenv("WEFT_FILE_BACKEND", "carrier-pigeon", 1);
    ASSERT_STR_EQ(weft__file_backend(), "auto");
}
