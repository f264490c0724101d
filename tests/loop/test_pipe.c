/* test_pipe.c - streams over pipes and over descriptors that come from elsewhere. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <weft/net.h>

#include "fault.h"
#include "stream_suite.h"

/* ---- the suite ---- */

static void make_pipes(weft_stream **a, weft_stream **b)
{
    weft_stream *read_a, *read_b, *write_a, *write_b;
    ASSERT_OK(weft_pipe(&read_a, &write_b));
    ASSERT_OK(weft_pipe(&read_b, &write_a));
    ASSERT_OK(weft_stream_staple(read_a, write_a, a));
    ASSERT_OK(weft_stream_staple(read_b, write_b, b));
}

STREAM_SUITE(pipe, make_pipes, true, WEFT_BACKEND_DEFAULT)

static void make_socketpair(weft_stream **a, weft_stream **b)
{
    ASSERT_OK(weft_socketpair(a, b));
}

STREAM_SUITE(socketpair, make_socketpair, true, WEFT_BACKEND_DEFAULT)

/* ---- one direction ---- */

TASK_TEST(pipe_end_written_closes_the_descriptor)
{
    weft_stream *reader, *writer;
    char text[8];
    ASSERT_OK(weft_pipe(&reader, &writer));
    ASSERT(weft_stream_can_write_eof(writer));
    ASSERT(!weft_stream_can_write_eof(reader));
    ASSERT_OK(weft_stream_write(writer, "last", 4));
    ASSERT_OK(weft_stream_write_eof(writer));
    ASSERT_INT_EQ(weft_stream_read(reader, text, sizeof text), 4);
    ASSERT_INT_EQ(weft_stream_read(reader, text, sizeof text), 0);
    ASSERT_ERR(weft_stream_write(writer, "x", 1), WEFT_ECLOSED);
    ASSERT_OK(weft_stream_close(writer));
    weft_stream_free(writer);
    weft_stream_free(reader);
}

TASK_TEST(pipe_used_in_the_wrong_direction_is_refused)
{
    weft_stream *reader, *writer;
    char c;
    ASSERT_OK(weft_pipe(&reader, &writer));
    ASSERT_ERR(weft_stream_write(reader, "x", 1), -EBADF);
    ASSERT_ERR((int)weft_stream_read(writer, &c, 1), -EBADF);
    ASSERT_ERR(weft_stream_write_eof(reader), -EOPNOTSUPP);
    weft_stream_free(writer);
    weft_stream_free(reader);
}

/* SIGPIPE has its default action here: it would end the test. */
TASK_TEST(pipe_without_a_reader_raises_no_signal)
{
    weft_stream *reader, *writer;
    ASSERT_OK(weft_pipe(&reader, &writer));
    weft_stream_free(reader);
    ASSERT_ERR(weft_stream_write(writer, "x", 1), -EPIPE);
    ASSERT_STR_HAS(weft_error_message(), "write to a pipe");
    ASSERT_ERR(weft_stream_write(writer, "x", 1), -EPIPE);
    weft_stream_free(writer);
}

TASK_TEST(pipe_takes_more_slices_than_one_call_of_the_system)
{
    weft_stream *reader, *writer;
    weft_slice slices[200];
    char text[200];
    for (int i = 0; i < 200; i++)
        slices[i] = (weft_slice){&"0123456789"[i % 10], 1};
    ASSERT_OK(weft_pipe(&reader, &writer));
    ASSERT_OK(weft_stream_writev(writer, slices, 200));
    ASSERT_OK(weft_stream_read_exact(reader, text, 200));
    for (int i = 0; i < 200; i++)
        ASSERT_INT_EQ(text[i], '0' + i % 10);
    weft_stream_free(writer);
    weft_stream_free(reader);
}

struct ends {
    weft_stream *reader;
    weft_stream *writer;
};

static int make_ends(void *arg)
{
    struct ends *ends = arg;
    return weft_pipe(&ends->reader, &ends->writer);
}

TEST(pipe_freed_after_its_loop_leaks_nothing)
{
    struct ends ends;
    char c;
    ASSERT_OK(weft_run(make_ends, &ends));
    ASSERT_ERR((int)weft_stream_read(ends.reader, &c, 1), WEFT_ECLOSED);
    ASSERT_ERR(weft_stream_write(ends.writer, "x", 1), WEFT_ECLOSED);
    ASSERT_STR_HAS(weft_error_message(), "loop");
    weft_stream_free(ends.writer);
    ASSERT_OK(weft_stream_close(ends.reader));
    weft_stream_free(ends.reader);
}

/* ---- from descriptors ---- */

TASK_TEST(stream_of_a_socket_descriptor_has_addresses)
{
    weft_stream *a, *b;
    weft_address address;
    int fds[2];
    ASSERT(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    ASSERT_OK(weft_stream_from_fd(fds[0], &a));
    ASSERT_OK(weft_stream_from_fd(fds[1], &b));
    ASSERT_OK(weft_stream_local_address(a, &address));
    ASSERT(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
    ASSERT(fcntl(fds[0], F_GETFD) & FD_CLOEXEC);
    char text[2];
    ASSERT_OK(weft_stream_write(a, "hi", 2));
    ASSERT_OK(weft_stream_flush(a));
    ASSERT_OK(weft_stream_read_exact(b, text, 2));
    weft_stream_free(a);
    weft_stream_free(b);
}

TASK_TEST(stream_of_a_pipe_descriptor_is_a_pipe)
{
    weft_stream *reader, *writer;
    char text[2];
    int fds[2];
    ASSERT(pipe(fds) == 0);
    ASSERT_OK(weft_stream_from_fd(fds[0], &reader));
    ASSERT_OK(weft_stream_from_fd(fds[1], &writer));
    ASSERT_OK(weft_stream_write(writer, "hi", 2));
    ASSERT_OK(weft_stream_close(writer));
    ASSERT_OK(weft_stream_read_exact(reader, text, 2));
    ASSERT_INT_EQ(weft_stream_read(reader, text, 1), 0);
    weft_stream_free(writer);
    weft_stream_free(reader);
}

/* A device that is open for both has no end that could be written alone. */
TASK_TEST(stream_of_a_device_cannot_end_one_direction)
{
    weft_stream *a;
    char c;
    int fd = open("/dev/null", O_RDWR);
    ASSERT(fd >= 0);
    ASSERT_OK(weft_stream_from_fd(fd, &a));
    ASSERT(!weft_stream_can_write_eof(a));
    ASSERT_ERR(weft_stream_write_eof(a), -EOPNOTSUPP);
    ASSERT_OK(weft_stream_write(a, "x", 1));
    ASSERT_INT_EQ(weft_stream_read(a, &c, 1), 0);
    weft_stream_free(a);
}

TASK_TEST(stream_of_what_is_no_stream_is_refused)
{
    weft_stream *stream;
    int file = open(test_path("file"), O_RDWR | O_CREAT, 0600);
    int datagram = socket(AF_INET, SOCK_DGRAM, 0);
    ASSERT(file >= 0 && datagram >= 0);
    ASSERT_ERR(weft_stream_from_fd(file, &stream), -EINVAL);
    ASSERT_ERR(weft_stream_from_fd(datagram, &stream), -EINVAL);
    ASSERT_ERR(weft_stream_from_fd(-1, &stream), -EBADF);
    /* Taken on failure too. */
    ASSERT_INT_EQ(fcntl(file, F_GETFD), -1);
    ASSERT_INT_EQ(fcntl(datagram, F_GETFD), -1);
}

TASK_TEST(staple_of_one_stream_is_refused)
{
    weft_stream *a, *b, *both;
    ASSERT_OK(weft_pipe(&a, &b));
    ASSERT_ERR(weft_stream_staple(a, a, &both), -EINVAL);
    ASSERT_ERR(weft_stream_staple(NULL, b, &both), -EINVAL);
}

/* ---- faults ---- */

static int make_all(void *arg)
{
    weft_stream *reader = NULL, *writer = NULL, *both, *c, *d;
    (void)arg;
    int err = weft_socketpair(&c, &d);
    if (err < 0)
        return err;
    weft_stream_free(c);
    weft_stream_free(d);
    err = weft_pipe(&reader, &writer);
    if (err < 0)
        return err;
    err = weft_stream_staple(reader, writer, &both);
    if (err < 0)
        return err;
    char data[3];
    err = weft_stream_write(both, "abc", 3);
    if (err == 0)
        err = weft_stream_read_exact(both, data, 3);
    if (err == 0)
        err = weft_stream_close(both);
    weft_stream_free(both);
    return err;
}

TEST(pipe_survives_every_fault)
{
    FAULTS(make_all, NULL);
}

/* ---- cut off ---- */

static int fill(void *arg)
{
    static const char data[256 * 1024];
    ASSERT_ERR(weft_stream_write(arg, data, sizeof data), WEFT_ECLOSED);
    return 0;
}

TASK_TEST(pipe_cut_off_under_its_writer_ends_for_the_reader)
{
    weft_stream *reader, *writer;
    weft_group group;
    static char data[256 * 1024];
    int64_t n;
    ASSERT_OK(weft_pipe(&reader, &writer));
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, fill, writer));
    weft_stream_abort(writer);
    ASSERT_OK(weft_group_wait(&group));
    while ((n = weft_stream_read(reader, data, sizeof data)) > 0)
        continue;
    ASSERT_INT_EQ(n, 0);
    weft_stream_free(writer);
    weft_stream_free(reader);
}
