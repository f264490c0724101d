/* Pipes and devices: they wait in the loop, can be cancelled, and never hang the process. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <weft/base.h>
#include <weft/file.h>
#include <weft/file_more.h>
#include <weft/stream.h>

#include "file_test.h"

static const char *make_fifo(void)
{
    const char *path = test_path("fifo");
    unlink(path);
    ASSERT_INT_EQ(mkfifo(path, 0600), 0);
    return path;
}

static int write_late(void *arg)
{
    weft_file *file;
    weft_sleep(WEFT_MS(5));
    ASSERT_OK(weft_file_open(arg, "w", &file));
    ASSERT_OK(weft_file_write(file, "one\ntw", 6));
    weft_sleep(WEFT_MS(5));
    ASSERT_OK(weft_file_write(file, "o\n", 2));
    ASSERT_OK(weft_file_close(file));
    return 0;
}

FILE_TEST(fifo_is_read_as_its_writer_writes)
{
    const char *path = make_fifo();
    weft_group group;
    weft_file *file;
    char *line;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, write_late, (void *)(uintptr_t)path));
    ASSERT_OK(weft_file_open(path, "r", &file));
    ASSERT_INT_EQ(weft_file_read_line(file, &line), 4);
    ASSERT_STR_EQ(line, "one\n");
    ASSERT_INT_EQ(weft_file_read_line(file, &line), 4);
    ASSERT_STR_EQ(line, "two\n");
    ASSERT_INT_EQ(weft_file_read_line(file, &line), 0);
    ASSERT_ERR((int)weft_file_tell(file), -ESPIPE);
    ASSERT_ERR((int)weft_file_seek(file, 0, SEEK_SET), -ESPIPE);
    ASSERT_ERR((int)weft_file_size(file), -ESPIPE);
    ASSERT_OK(weft_file_close(file));
    ASSERT_OK(weft_group_wait(&group));
}

FILE_TEST(fifo_is_read_whole)
{
    const char *path = make_fifo();
    weft_group group;
    char *data;
    size_t len;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, write_late, (void *)(uintptr_t)path));
    ASSERT_OK(weft_read_file(path, &data, &len));
    ASSERT_INT_EQ(len, 8);
    ASSERT_STR_EQ(data, "one\ntwo\n");
    weft_free(data);
    ASSERT_OK(weft_group_wait(&group));
}

enum { LARGE = 300000 };

static int read_late(void *arg)
{
    char *data;
    size_t len;
    weft_sleep(WEFT_MS(5));
    ASSERT_OK(weft_read_file(arg, &data, &len));
    ASSERT_INT_EQ(len, LARGE);
    for (size_t i = 0; i < LARGE; i++)
        ASSERT_INT_EQ(data[i], 'x');
    weft_free(data);
    return 0;
}

FILE_TEST(fifo_takes_more_than_it_holds)
{
    const char *path = make_fifo();
    weft_group group;
    char *data = malloc(LARGE);
    memset(data, 'x', LARGE);
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, read_late, (void *)(uintptr_t)path));
    ASSERT_OK(weft_write_file(path, data, LARGE));
    ASSERT_OK(weft_group_wait(&group));
    free(data);
}

FILE_TEST(fifo_without_the_other_side_can_be_given_up)
{
    const char *path = make_fifo();
    weft_scope scope;
    weft_file *file;
    char *data;
    weft_scope_enter(&scope, WEFT_MS(20));
    int err = weft_file_open(path, "w", &file);
    ASSERT_ERR(weft_scope_exit(&scope, err), -ETIMEDOUT);

    ASSERT_OK(weft_file_open(path, "r", &file));
    weft_scope_enter(&scope, WEFT_MS(20));
    char c;
    err = (int)weft_file_read(file, &c, 1);
    ASSERT_ERR(weft_scope_exit(&scope, err), -ETIMEDOUT);
    ASSERT_OK(weft_file_close(file));

    weft_scope_enter(&scope, WEFT_MS(20));
    err = weft_read_file(path, &data, NULL);
    ASSERT_ERR(weft_scope_exit(&scope, err), -ETIMEDOUT);
}

FILE_TEST(fifo_whose_reader_left_is_an_error_and_no_signal)
{
    const char *path = make_fifo();
    weft_file *reader;
    weft_file *writer;
    ASSERT_OK(weft_file_open(path, "r", &reader));
    ASSERT_OK(weft_file_open(path, "w", &writer));
    ASSERT_OK(weft_file_close(reader));
    ASSERT_ERR(weft_file_write(writer, "x", 1), -EPIPE);
    ASSERT_OK(weft_file_close(writer));
}

FILE_TEST(devices_are_read_and_written)
{
    char data[100000] = {0};
    weft_file *file;
    ASSERT_OK(weft_file_open("/dev/zero", "r", &file));
    data[9] = 1;
    ASSERT_INT_EQ(weft_file_read(file, data, 10), 10);
    ASSERT_INT_EQ(data[9], 0);
    ASSERT_OK(weft_file_close(file));
    ASSERT_OK(weft_file_open("/dev/null", "r+", &file));
    ASSERT_INT_EQ(weft_file_read(file, data, sizeof data), 0);
    ASSERT_OK(weft_file_write(file, data, sizeof data));
    ASSERT_OK(weft_file_close(file));
    ASSERT_OK(weft_file_open("/dev/full", "w", &file));
    ASSERT_ERR(weft_file_write(file, "x", 1), -ENOSPC);
    ASSERT_STR_EQ(weft_error_message(), "write /dev/full: No space left on device");
    ASSERT_OK(weft_file_close(file));
    ASSERT_OK(weft_write_file("/dev/null", "x", 1));
}

struct user {
    weft_file *file;
    int result;
};

static int read_one(void *arg)
{
    struct user *user = arg;
    char c;
    user->result = (int)weft_file_read(user->file, &c, 1);
    return 0;
}

FILE_TEST(position_used_by_two_tasks_is_refused)
{
    const char *path = make_fifo();
    weft_file *file;
    struct user users[2];
    weft_group group;
    char *line;
    ASSERT_OK(weft_file_open(path, "r+", &file));
    ASSERT_OK(weft_group_init(&group, NULL));
    for (int i = 0; i < 2; i++) {
        users[i] = (struct user){.file = file, .result = 77};
        ASSERT_OK(weft_group_spawn(&group, read_one, &users[i]));
    }
    ASSERT_INT_EQ(users[1].result, -EBUSY);
    ASSERT_ERR((int)weft_file_read_line(file, &line), -EBUSY);
    ASSERT_ERR(weft_file_close(file), -EBUSY);
    weft_group_cancel(&group, "enough");
    weft_group_wait(&group);
    ASSERT_INT_EQ(users[0].result, -ECANCELED);
    ASSERT_OK(weft_file_close(file));
}

/* ---- what comes from a stream into a file ---- */

enum { COMES = 24 * 65536 };

static int write_much(void *arg)
{
    char data[65536];
    memset(data, 'x', sizeof data);
    for (int i = 0; i < COMES / (int)sizeof data; i++)
        ASSERT_OK(weft_stream_write(arg, data, sizeof data));
    return weft_stream_close(arg);
}

static void receive(int64_t len)
{
    struct stat st;
    weft_stream *a;
    weft_stream *b;
    weft_group group;
    weft_file *file;
    ASSERT_OK(weft_stream_pair(0, &a, &b));
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, write_much, a));
    ASSERT_OK(weft_file_open(test_path("f"), "w", &file));
    ASSERT_INT_EQ(weft_file_receive(file, 0, len, b), COMES);
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(fstat(weft_file_fd(file), &st), 0);
    ASSERT_INT_EQ(st.st_size, COMES);
    ASSERT_INT_LE(st.st_blocks * 512, COMES + 65536);
    ASSERT_OK(weft_file_close(file));
    weft_stream_free(a);
    weft_stream_free(b);
}

FILE_TEST(space_reserved_for_what_does_not_come_is_given_back)
{
    receive(COMES);
    receive((int64_t)64 * COMES);
    receive(INT64_MAX); /* more than there can be */
    receive(-1);
}
