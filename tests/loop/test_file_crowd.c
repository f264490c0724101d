/* Many tasks that read whole files at once, of every kind, each gets its own bytes. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <weft/base.h>
#include <weft/file_more.h>

#include "file_test.h"

enum { READS = 600, LARGE = 300000 };

static char large[LARGE];

struct kind {
    const char *name;
    const char *bytes;
    size_t len;
    int error;
};

static const struct kind kinds[] = {
    {"small", "a few bytes", 11, 0}, {"page", large, 4096, 0},      {"more", large, 4097, 0},
    {"large", large, LARGE, 0},      {"empty", "", 0, 0},           {"link", "a few bytes", 11, 0},
    {"folder", NULL, 0, -EISDIR},    {"missing", NULL, 0, -ENOENT},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static char names[KINDS][300];

static void make_kinds(void)
{
    for (size_t i = 0; i < LARGE; i++)
        large[i] = (char)(i % 251);
    for (size_t i = 0; i < KINDS; i++) {
        snprintf(names[i], sizeof names[i], "%s/%s", test_tmpdir(), kinds[i].name);
        if (strcmp(kinds[i].name, "link") == 0)
            ASSERT(symlink("small", names[i]) == 0 || errno == EEXIST);
        else if (kinds[i].error == -EISDIR)
            ASSERT(mkdir(names[i], 0700) == 0 || errno == EEXIST);
        else if (kinds[i].error == 0)
            ASSERT_OK(weft_write_file(names[i], kinds[i].bytes, kinds[i].len));
    }
}

static int read_kind(void *arg)
{
    size_t i = *(const size_t *)arg;
    char *data;
    size_t len;
    int err = weft_read_file(names[i], &data, &len);
    ASSERT_INT_EQ(err, kinds[i].error);
    if (err < 0) {
        ASSERT_STR_HAS(weft_error_message(), names[i]);
        return 0;
    }
    ASSERT_INT_EQ(len, kinds[i].len);
    ASSERT_MEM_EQ(data, kinds[i].bytes, len);
    ASSERT_INT_EQ(data[len], 0);
    weft_free(data);
    return 0;
}

FILE_TEST(crowd_reads_files_of_every_kind)
{
    static size_t which[READS];
    make_kinds();
    for (size_t i = 0; i < READS; i++)
        which[i] = i % KINDS;
    ASSERT_OK(weft_map(read_kind, which, READS, sizeof which[0], WEFT_MAP(.limit = 100)));
}

/* ---- one of them waits for a pipe ---- */

static int read_pipe(void *arg)
{
    char *data;
    size_t len;
    int err = weft_read_file(arg, &data, &len);
    if (err < 0)
        return err;
    ASSERT_STR_EQ(data, "one, two");
    weft_free(data);
    return 0;
}

static int read_small(void *arg)
{
    for (int i = 0; i < 20; i++)
        read_kind(arg);
    return 0;
}

static int read_pipe_as_one_of_many(void *arg)
{
    weft_file_item items[4] = {
        {.path = names[0]}, {.path = arg}, {.path = names[1]}, {.path = "/proc/self/maps"}};
    int err = weft_read_many(items, 4, NULL);
    if (err < 0)
        return err;
    ASSERT_STR_EQ(items[1].data, "one, two");
    ASSERT_STR_HAS(items[3].data, "[stack]");
    for (int i = 0; i < 4; i++)
        weft_free(items[i].data);
    return 0;
}

static void with_pipe(weft_fn reader)
{
    static const size_t zero;
    char path[300];
    weft_group group;
    make_kinds();
    snprintf(path, sizeof path, "%s/pipe", test_tmpdir());
    ASSERT(mkfifo(path, 0600) == 0 || errno == EEXIST);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    ASSERT_INT_GE(fd, 0);
    ASSERT_INT_EQ(write(fd, "one,", 4), 4);
    ASSERT_OK(weft_group_init(&group, NULL));
    for (int i = 0; i < 20; i++)
        ASSERT_OK(weft_group_spawn(&group, read_small, (void *)(uintptr_t)&zero));
    ASSERT_OK(weft_group_spawn(&group, reader, path));
    for (int i = 0; i < 20; i++)
        ASSERT_OK(weft_group_spawn(&group, read_small, (void *)(uintptr_t)&zero));
    /* With the last descriptor of a pipe its bytes go: the reader has to have it open. */
    int unread = 1;
    while (unread > 0) {
        ASSERT_OK(weft_sleep(WEFT_MS(5)));
        ASSERT_INT_EQ(ioctl(fd, FIONREAD, &unread), 0);
    }
    ASSERT_INT_EQ(write(fd, " two", 4), 4);
    close(fd);
    ASSERT_OK(weft_group_wait(&group));
}

FILE_TEST(crowd_with_a_pipe_reads_it_to_its_end)
{
    with_pipe(read_pipe);
}

FILE_TEST(many_files_with_a_pipe_and_one_of_proc_are_read_to_their_ends)
{
    with_pipe(read_pipe_as_one_of_many);
}

/* ---- given up ---- */

static int read_for_ever(void *arg)
{
    char *data;
    int err;
    (void)arg;
    while ((err = weft_read_file(names[1], &data, NULL)) == 0)
        weft_free(data);
    return err;
}

FILE_TEST(crowd_that_is_cancelled_leaves_nothing_open)
{
    weft_group group;
    make_kinds();
    ASSERT_OK(weft_group_init(&group, NULL));
    for (int i = 0; i < 50; i++)
        ASSERT_OK(weft_group_spawn(&group, read_for_ever, NULL));
    ASSERT_OK(weft_sleep(WEFT_MS(3)));
    weft_group_cancel(&group, "enough");
    weft_group_wait(&group);
}

/* The only task there is has a time limit, and never has to wait. */
FILE_TEST(reader_of_cached_files_meets_its_deadline)
{
    weft_scope scope;
    make_kinds();
    weft_scope_enter(&scope, WEFT_MS(3));
    int err = read_for_ever(NULL);
    ASSERT_INT_EQ(weft_scope_exit(&scope, err), -ETIMEDOUT);
}
