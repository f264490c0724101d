/* Open files beyond reading and writing: options, descriptors, locks, sockets, many at once. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <weft/base.h>
#include <weft/file_more.h>
#include <weft/net.h>
#include <weft/stream.h>

#include "file_test.h"

static void put(const char *path, const char *text)
{
    ASSERT_OK(weft_write_file(path, text, strlen(text)));
}

static void expect(const char *path, const char *text)
{
    char *data;
    ASSERT_OK(weft_read_file(path, &data, NULL));
    ASSERT_STR_EQ(data, text);
    weft_free(data);
}

/* ---- options ---- */

FILE_TEST(new_file_has_the_permissions_that_were_asked_for)
{
    struct stat st;
    weft_file *file;
    unlink(test_path("f"));
    ASSERT_OK(weft_file_open_with(test_path("f"), "w", WEFT_FILE(.mode = 0600), &file));
    ASSERT_OK(weft_file_close(file));
    ASSERT_INT_EQ(stat(test_path("f"), &st), 0);
    ASSERT_INT_EQ(st.st_mode & 0777, 0600);
}

FILE_TEST(unbuffered_writes_are_seen_at_once_and_reads_are_fresh)
{
    const char *path = test_path("f");
    char data[8];
    weft_file *file;
    ASSERT_OK(weft_file_open_with(path, "w+", WEFT_FILE(.unbuffered = true), &file));
    ASSERT_OK(weft_file_write(file, "abc", 3));
    expect(path, "abc");
    ASSERT_INT_EQ(weft_file_seek(file, 0, SEEK_SET), 0);
    ASSERT_INT_EQ(weft_file_read(file, data, 1), 1);
    int fd = open(path, O_WRONLY);
    ASSERT_INT_EQ(pwrite(fd, "XYZ", 3, 0), 3);
    close(fd);
    ASSERT_INT_EQ(weft_file_read(file, data, sizeof data), 2);
    ASSERT_MEM_EQ(data, "YZ", 2);
    ASSERT_OK(weft_file_close(file));
}

FILE_TEST(buffer_of_a_chosen_size_collects_that_much)
{
    const char *path = test_path("f");
    weft_file *file;
    ASSERT_OK(weft_file_open_with(path, "w", WEFT_FILE(.buffer = 10), &file));
    ASSERT_OK(weft_file_write(file, "12345678", 8));
    expect(path, "");
    ASSERT_OK(weft_file_write(file, "abc", 3));
    expect(path, "12345678");
    ASSERT_OK(weft_file_close(file));
    expect(path, "12345678abc");
}

FILE_TEST(options_that_contradict_are_refused)
{
    weft_file *file;
    const char *path = test_path("f");
    ASSERT_ERR(weft_file_open_with(path, "w", WEFT_FILE(.flags = O_RDWR), &file), -EINVAL);
    ASSERT_ERR(weft_file_open_with(path, "r", WEFT_FILE(.flags = O_PATH), &file), -EINVAL);
    ASSERT_ERR(weft_file_open_with(path, "wb", WEFT_FILE(.text = true), &file), -EINVAL);
    ASSERT_ERR(weft_file_open_with(path, "w", WEFT_FILE(.newline = "\n"), &file), -EINVAL);
    ASSERT_ERR(weft_file_open_with(path, "w", WEFT_FILE(.line_max = (size_t)1 << 40), &file),
               -EINVAL);
    ASSERT_ERR(weft_file_open_with(path, "w", WEFT_FILE(.text = true, .unbuffered = true), &file),
               -EINVAL);
    ASSERT_ERR(weft_file_open_with(path, "w", WEFT_FILE(.text = true, .newline = "x"), &file),
               -EINVAL);
    ASSERT_ERR(
        weft_file_open_with(path, "w", WEFT_FILE(.text = true, .encoding = "klingon"), &file),
        -EINVAL);
    ASSERT_STR_HAS(weft_error_message(), "klingon");
}

FILE_TEST(line_beyond_the_chosen_limit_is_refused_and_can_be_read)
{
    char data[16];
    char *line;
    weft_file *file;
    put(test_path("f"), "12345678\nab\n");
    ASSERT_OK(weft_file_open_with(test_path("f"), "r", WEFT_FILE(.line_max = 8), &file));
    ASSERT_ERR((int)weft_file_read_line(file, &line), WEFT_ETOO_LONG);
    ASSERT_INT_EQ(weft_file_read(file, data, 6), 6);
    ASSERT_INT_EQ(weft_file_read_line(file, &line), 3);
    ASSERT_INT_EQ(weft_file_read_line(file, &line), 3);
    ASSERT_STR_EQ(line, "ab\n");
    ASSERT_OK(weft_file_close(file));
}

FILE_TEST(direct_file_takes_aligned_and_other_transfers)
{
    enum { LEN = 70000 };
    static char data[LEN];
    static char back[LEN];
    weft_file *file;
    memset(data, 'd', LEN);
    int err = weft_file_open_with(test_path("f"), "w+", WEFT_FILE(.flags = O_DIRECT), &file);
    if (err == -EINVAL)
        SKIP("the file system has no O_DIRECT");
    ASSERT_OK(err);
    for (int i = 0; i < LEN; i += 1000)
        ASSERT_OK(weft_file_write(file, data + i, 1000));
    ASSERT_INT_EQ(weft_file_seek(file, 0, SEEK_SET), 0);
    ASSERT_INT_EQ(weft_file_read(file, back, LEN), LEN);
    ASSERT_MEM_EQ(back, data, LEN);
    ASSERT_OK(weft_file_close(file));
}

/* ---- reading in other ways ---- */

FILE_TEST(exact_read_ends_at_the_end_with_an_error)
{
    char data[16];
    weft_file *file;
    put(test_path("f"), "0123456789");
    ASSERT_OK(weft_file_open(test_path("f"), "r", &file));
    ASSERT_OK(weft_file_read_exact(file, data, 6));
    ASSERT_MEM_EQ(data, "012345", 6);
    ASSERT_ERR(weft_file_read_exact(file, data, 6), WEFT_EEOF);
    ASSERT_STR_HAS(weft_error_message(), "4 of 6");
    ASSERT_OK(weft_file_close(file));
}

FILE_TEST(rest_of_a_file_is_read_at_once)
{
    char data[16];
    char *all;
    size_t len;
    weft_file *file;
    put(test_path("f"), "0123456789");
    ASSERT_OK(weft_file_open(test_path("f"), "r+", &file));
    ASSERT_INT_EQ(weft_file_read(file, data, 3), 3);
    ASSERT_OK(weft_file_read_all(file, &all, &len));
    ASSERT_INT_EQ(len, 7);
    ASSERT_STR_EQ(all, "3456789");
    weft_free(all);
    ASSERT_OK(weft_file_read_all(file, &all, NULL));
    ASSERT_STR_EQ(all, "");
    weft_free(all);
    ASSERT_OK(weft_file_close(file));
    ASSERT_OK(weft_file_open(test_path("f"), "w", &file));
    ASSERT_ERR(weft_file_read_all(file, &all, NULL), -EBADF);
    ASSERT_OK(weft_file_close(file));
}

FILE_TEST(peek_shows_and_does_not_take)
{
    char data[16];
    const char *seen;
    weft_file *file;
    put(test_path("f"), "0123456789");
    ASSERT_OK(weft_file_open(test_path("f"), "r", &file));
    ASSERT_INT_GE(weft_file_peek(file, 0, &seen), 1);
    ASSERT_INT_EQ(seen[0], '0');
    ASSERT_INT_EQ(weft_file_peek(file, 100, &seen), 10);
    ASSERT_INT_EQ(weft_file_tell(file), 0);
    ASSERT_INT_EQ(weft_file_read_some(file, data, 4), 4);
    ASSERT_INT_EQ(weft_file_peek(file, 2, &seen), 6);
    ASSERT_MEM_EQ(seen, "456789", 6);
    ASSERT_ERR((int)weft_file_peek(file, 1 << 20, &seen), -EINVAL);
    ASSERT_INT_EQ(weft_file_read_some(file, data, 16), 6);
    ASSERT_INT_EQ(weft_file_peek(file, 1, &seen), 0);
    ASSERT_OK(weft_file_close(file));
}

FILE_TEST(parts_are_read_and_written_in_order)
{
    char a[4];
    char b[8];
    weft_file *file;
    const weft_slice slices[] = {{"01", 2}, {"", 0}, {"23456", 5}, {NULL, 0}, {"789", 3}};
    const weft_part parts[] = {{a, sizeof a}, {b, sizeof b}};
    ASSERT_OK(weft_file_open(test_path("f"), "w+", &file));
    ASSERT_OK(weft_file_writev(file, slices, 5));
    ASSERT_INT_EQ(weft_file_seek(file, 0, SEEK_SET), 0);
    ASSERT_INT_EQ(weft_file_readv(file, parts, 2), 10);
    ASSERT_MEM_EQ(a, "0123", 4);
    ASSERT_MEM_EQ(b, "456789", 6);
    ASSERT_OK(weft_file_close(file));
}

FILE_TEST(data_and_holes_are_found)
{
    weft_file *file;
    ASSERT_OK(weft_file_open(test_path("f"), "w+", &file));
    ASSERT_OK(weft_file_write_at(file, "x", 1, 1 << 20));
    ASSERT_INT_EQ(weft_file_seek(file, 0, SEEK_HOLE), 0);
    int64_t data = weft_file_seek(file, 0, SEEK_DATA);
    ASSERT(data == 0 || data == 1 << 20); /* 0: a file system without holes */
    ASSERT_ERR((int)weft_file_seek(file, 1 << 21, SEEK_DATA), -ENXIO);
    ASSERT_INT_EQ(weft_file_tell(file), data);
    ASSERT_OK(weft_file_datasync(file));
    ASSERT_OK(weft_file_close(file));
}

FILE_TEST(space_is_reserved_and_punched)
{
    char data[8];
    weft_file *file;
    ASSERT_OK(weft_file_open(test_path("f"), "w+", &file));
    ASSERT_OK(weft_file_write(file, "01234567", 8));
    int err = weft_file_allocate(file, 0, 100000, WEFT_ALLOCATE_GROW);
    if (err == -EOPNOTSUPP) {
        weft_file_close(file);
        SKIP("the file system has no fallocate");
    }
    ASSERT_OK(err);
    ASSERT_INT_EQ(weft_file_size(file), 100000);
    ASSERT_OK(weft_file_allocate(file, 0, 200000, WEFT_ALLOCATE_KEEP));
    ASSERT_INT_EQ(weft_file_size(file), 100000);
    ASSERT_INT_EQ(weft_file_read_at(file, data, 8, 0), 8);
    ASSERT_MEM_EQ(data, "01234567", 8);
    ASSERT_OK(weft_file_allocate(file, 0, 4096, WEFT_ALLOCATE_PUNCH));
    ASSERT_INT_EQ(weft_file_read_at(file, data, 8, 0), 8);
    ASSERT_MEM_EQ(data, "\0\0\0\0\0\0\0\0", 8);
    ASSERT_ERR(weft_file_allocate(file, 0, 0, WEFT_ALLOCATE_GROW), -EINVAL);
    ASSERT_ERR(weft_file_allocate(file, -1, 1, WEFT_ALLOCATE_GROW), -EINVAL);
    ASSERT_ERR(weft_file_allocate(file, 0, 1, (weft_allocate)77), -EINVAL);
    for (int i = 0; i <= WEFT_ADVICE_DONT_NEED; i++)
        ASSERT_OK(weft_file_advise(file, 0, 0, (weft_advice)i));
    ASSERT_ERR(weft_file_advise(file, 0, 0, (weft_advice)77), -EINVAL);
    ASSERT_OK(weft_file_close(file));
    ASSERT_OK(weft_file_open(test_path("f"), "r", &file));
    ASSERT_ERR(weft_file_allocate(file, 0, 1, WEFT_ALLOCATE_GROW), -EBADF);
    ASSERT_OK(weft_file_close(file));
}

FILE_TEST(file_tells_what_it_is)
{
    weft_file *file;
    weft_file *copy;
    char data[8];
    put(test_path("f"), "0123456789");
    ASSERT_OK(weft_file_open(test_path("f"), "r+b", &file));
    ASSERT_STR_EQ(weft_file_name(file), test_path("f"));
    ASSERT_STR_EQ(weft_file_mode(file), "r+b");
    ASSERT(weft_file_is_readable(file) && weft_file_is_writable(file));
    ASSERT(weft_file_is_seekable(file) && !weft_file_is_tty(file));
    ASSERT_INT_GE(weft_file_fd(file), 3);
    ASSERT_INT_EQ(weft_file_read(file, data, 4), 4);
    ASSERT_OK(weft_file_dup(file, &copy));
    ASSERT_INT_EQ(weft_file_read(copy, data, 2), 2);
    ASSERT_MEM_EQ(data, "45", 2);
    ASSERT_INT_EQ(weft_file_tell(file), 4);
    ASSERT_OK(weft_file_close(file));
    ASSERT_INT_EQ(weft_file_read(copy, data, 2), 2);
    ASSERT_MEM_EQ(data, "67", 2);
    ASSERT_OK(weft_file_close(copy));
}

TEST(backend_is_told)
{
    ASSERT_STR_HAS(weft_file_backend(), "inline, ");
}

/* ---- descriptors of the caller's ---- */

FILE_TEST(descriptor_goes_on_where_it_was_and_is_left_where_reading_ended)
{
    char data[4];
    char *line;
    weft_file *file;
    put(test_path("f"), "one\ntwo\nthree\n");
    int fd = open(test_path("f"), O_RDWR);
    ASSERT_INT_EQ(lseek(fd, 4, SEEK_SET), 4);
    ASSERT_OK(weft_file_from_fd(fd, "r+", WEFT_FILE(.keep_open = true), &file));
    ASSERT_INT_EQ(weft_file_tell(file), 4);
    ASSERT_INT_EQ(weft_file_read_line(file, &line), 4);
    ASSERT_STR_EQ(line, "two\n");
    ASSERT_OK(weft_file_close(file));
    ASSERT_INT_EQ(read(fd, data, 3), 3);
    ASSERT_MEM_EQ(data, "thr", 3);
    ASSERT_OK(weft_file_from_fd(fd, "w", NULL, &file));
    ASSERT_OK(weft_file_write(file, "EE", 2));
    ASSERT_OK(weft_file_flush(file));
    ASSERT_INT_EQ(lseek(fd, 0, SEEK_CUR), 13);
    ASSERT_OK(weft_file_close(file));
    ASSERT_INT_EQ(fcntl(fd, F_GETFD), -1);
    expect(test_path("f"), "one\ntwo\nthrEE\n");
}

FILE_TEST(descriptor_that_does_not_fit_is_refused)
{
    weft_file *file;
    put(test_path("f"), "x");
    int fd = open(test_path("f"), O_RDONLY);
    ASSERT_ERR(weft_file_from_fd(fd, "w", WEFT_FILE(.keep_open = true), &file), -EINVAL);
    ASSERT_INT_GE(fcntl(fd, F_GETFD), 0);
    ASSERT_ERR(weft_file_from_fd(fd, "w", NULL, &file), -EINVAL);
    ASSERT_INT_EQ(fcntl(fd, F_GETFD), -1);
    ASSERT_ERR(weft_file_from_fd(fd, "r", NULL, &file), -EBADF);
    ASSERT_ERR(weft_file_from_fd(-1, "r", NULL, &file), -EINVAL);
    fd = open(test_tmpdir(), O_RDONLY);
    ASSERT_ERR(weft_file_from_fd(fd, "r", NULL, &file), -EISDIR);
}

/* Two that write to one position, as a shell's commands do, do not overwrite each other. */
FILE_TEST(descriptor_shared_by_two_files_takes_turns)
{
    weft_file *a;
    weft_file *b;
    int fd = open(test_path("f"), O_RDWR | O_CREAT | O_TRUNC, 0600);
    ASSERT_OK(weft_file_from_fd(fd, "w", WEFT_FILE(.keep_open = true), &a));
    ASSERT_OK(weft_file_from_fd(fd, "w", NULL, &b));
    ASSERT_OK(weft_file_write(a, "one ", 4));
    ASSERT_OK(weft_file_flush(a));
    ASSERT_OK(weft_file_write(b, "two ", 4));
    ASSERT_OK(weft_file_flush(b));
    ASSERT_OK(weft_file_write(a, "three", 5));
    ASSERT_OK(weft_file_close(a));
    ASSERT_OK(weft_file_close(b));
    expect(test_path("f"), "one two three");
}

struct pipe_end {
    int fd;
    int64_t after;
};

static int write_later(void *arg)
{
    const struct pipe_end *end = arg;
    weft_sleep(end->after);
    ASSERT_INT_EQ(write(end->fd, "typed\n", 6), 6);
    return 0;
}

static void check_polled(int read_fd, int write_fd)
{
    struct pipe_end end = {write_fd, WEFT_MS(5)};
    weft_group group;
    weft_scope scope;
    weft_file *file;
    char *line;
    char data[8];
    int flags = fcntl(read_fd, F_GETFL);
    ASSERT_OK(weft_file_from_fd(read_fd, "r", WEFT_FILE(.keep_open = true), &file));
    weft_scope_enter(&scope, WEFT_MS(5));
    int err = (int)weft_file_read(file, data, sizeof data);
    ASSERT_ERR(weft_scope_exit(&scope, err), -ETIMEDOUT);
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, write_later, &end));
    ASSERT_INT_EQ(weft_file_read_line(file, &line), 6);
    ASSERT_STR_EQ(line, "typed\n");
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_OK(weft_file_close(file));
    ASSERT_INT_EQ(fcntl(read_fd, F_GETFL), flags);
}

FILE_TEST(pipe_that_blocks_is_read_without_blocking_and_left_as_it_was)
{
    int ends[2];
    ASSERT_INT_EQ(pipe(ends), 0);
    check_polled(ends[0], ends[1]);
    close(ends[0]);
    close(ends[1]);
}

FILE_TEST(terminal_is_read_without_blocking_and_left_as_it_was)
{
    int master;
    int slave;
    if (openpty(&master, &slave, NULL, NULL, NULL) < 0)
        SKIP("no pseudo terminals here");
    weft_file *file;
    check_polled(slave, master);
    ASSERT_OK(weft_file_from_fd(slave, "r+", WEFT_FILE(.keep_open = true), &file));
    ASSERT(weft_file_is_tty(file) && !weft_file_is_seekable(file));
    ASSERT_OK(weft_file_write(file, "out", 3));
    ASSERT_OK(weft_file_close(file));
    close(slave);
    close(master);
}

static int drain_late(void *arg)
{
    char data[4096];
    int64_t total = 0;
    while (total < 300000) {
        ssize_t n = read(*(int *)arg, data, sizeof data);
        total += n > 0 ? n : 0;
        int err = n > 0 ? 0 : weft_sleep(WEFT_MS(1));
        if (err < 0)
            return err;
    }
    return 0;
}

FILE_TEST(full_pipe_that_blocks_is_written_without_blocking)
{
    int ends[2];
    char *data = calloc(1, 300000);
    weft_group group;
    weft_file *file;
    ASSERT_INT_EQ(pipe(ends), 0);
    ASSERT_OK(weft_group_init(&group, NULL));
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    ASSERT_OK(weft_group_spawn(&group, drain_late, &ends[0]));
    ASSERT_OK(weft_file_from_fd(ends[1], "w", NULL, &file));
    ASSERT_OK(weft_file_write(file, data, 300000));
    ASSERT_OK(weft_file_close(file));
    ASSERT_OK(weft_group_wait(&group));
    close(ends[0]);
    free(data);
}

FILE_TEST(standard_descriptors_are_taken_as_they_are_now)
{
    weft_file *file;
    char *line;
    put(test_path("in"), "given\nrest");
    int old[3] = {dup(0), dup(1), dup(2)};
    int in = open(test_path("in"), O_RDONLY);
    int out = open(test_path("out"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(in, 0);
    dup2(out, 1);
    dup2(out, 2);
    int err = weft_file_stdin(&file);
    int64_t n = err < 0 ? err : weft_file_read_line(file, &line);
    bool same = n == 6 && memcmp(line, "given\n", 6) == 0;
    weft_file_close(file);
    err = weft_file_stdout(&file);
    err = err < 0 ? err : weft_file_write(file, "to stdout\n", 10);
    int closed = weft_file_close(file);
    int err2 = weft_file_stderr(&file);
    err2 = err2 < 0 ? err2 : weft_file_write(file, "to stderr\n", 10);
    int closed2 = weft_file_close(file);
    for (int i = 0; i < 3; i++) {
        dup2(old[i], i);
        close(old[i]);
    }
    close(in);
    close(out);
    ASSERT(same);
    ASSERT_INT_EQ(err + closed + err2 + closed2, 0);
    expect(test_path("out"), "to stdout\nto stderr\n");
}

/* ---- locks ---- */

static int lock_and_hold(void *arg)
{
    weft_file *file = arg;
    int err = weft_file_lock(file, NULL);
    if (err == 0)
        err = weft_sleep(WEFT_MS(10));
    return err < 0 ? err : weft_file_unlock(file, NULL);
}

static void check_lock(bool flock)
{
    const weft_lock_options exclusive = {.size = sizeof exclusive, .flock = flock};
    const weft_lock_options shared = {.size = sizeof shared, .flock = flock, .shared = true};
    weft_file *a;
    weft_file *b;
    weft_scope scope;
    put(test_path("f"), "x");
    ASSERT_OK(weft_file_open(test_path("f"), "r+", &a));
    ASSERT_OK(weft_file_open(test_path("f"), "r+", &b));
    ASSERT_OK(weft_file_lock(a, &shared));
    ASSERT_OK(weft_file_try_lock(b, &shared));
    ASSERT_ERR(weft_file_try_lock(b, &exclusive), -EAGAIN);
    ASSERT_OK(weft_file_unlock(a, &exclusive));
    ASSERT_OK(weft_file_lock(b, &exclusive));
    weft_scope_enter(&scope, WEFT_MS(10));
    int err = weft_file_lock(a, &shared);
    ASSERT_ERR(weft_scope_exit(&scope, err), -ETIMEDOUT);
    ASSERT_OK(weft_file_close(b));
    ASSERT_OK(weft_file_try_lock(a, &exclusive));
    ASSERT_OK(weft_file_close(a));
}

FILE_TEST(locks_keep_others_out)
{
    check_lock(false);
    check_lock(true);
}

FILE_TEST(ranges_are_locked_apart)
{
    weft_file *a;
    weft_file *b;
    put(test_path("f"), "x");
    ASSERT_OK(weft_file_open(test_path("f"), "r+", &a));
    ASSERT_OK(weft_file_open(test_path("f"), "r+", &b));
    ASSERT_OK(weft_file_lock(a, WEFT_LOCK(.len = 10)));
    ASSERT_OK(weft_file_try_lock(b, WEFT_LOCK(.offset = 10, .len = 10)));
    ASSERT_ERR(weft_file_try_lock(b, WEFT_LOCK(.offset = 9, .len = 1)), -EAGAIN);
    ASSERT_ERR(weft_file_try_lock(b, WEFT_LOCK(.offset = -1)), -EINVAL);
    ASSERT_ERR(weft_file_try_lock(b, WEFT_LOCK(.flock = true, .len = 1)), -EINVAL);
    ASSERT_ERR(weft_file_lock(NULL, NULL), -EINVAL);
    ASSERT_OK(weft_file_close(a));
    ASSERT_OK(weft_file_close(b));
    ASSERT_OK(weft_file_open(test_path("f"), "r", &a));
    ASSERT_ERR(weft_file_lock(a, NULL), -EBADF);
    ASSERT_OK(weft_file_close(a));
}

FILE_TEST(waiting_for_a_lock_lets_its_holder_run)
{
    weft_group group;
    weft_file *files[3];
    ASSERT_OK(weft_group_init(&group, NULL));
    for (int i = 0; i < 3; i++) {
        ASSERT_OK(weft_file_open(test_path("f"), "a", &files[i]));
        ASSERT_OK(weft_group_spawn(&group, lock_and_hold, files[i]));
    }
    ASSERT_OK(weft_group_wait(&group));
    for (int i = 0; i < 3; i++)
        ASSERT_OK(weft_file_close(files[i]));
}

/* ---- streams and sockets ---- */

FILE_TEST(file_is_a_stream)
{
    weft_file *file;
    weft_stream *stream;
    char data[16];
    ASSERT_OK(weft_file_open(test_path("f"), "w+", &file));
    ASSERT_OK(weft_file_stream(file, &stream));
    ASSERT_OK(weft_stream_write(stream, "some bytes", 10));
    ASSERT_OK(weft_stream_flush(stream));
    expect(test_path("f"), "some bytes");
    ASSERT_INT_EQ(weft_stream_read(stream, data, sizeof data), 0);
    ASSERT_OK(weft_stream_close(stream));
    weft_stream_free(stream);
    ASSERT_OK(weft_file_open(test_path("f"), "r", &file));
    ASSERT_OK(weft_file_stream(file, &stream));
    ASSERT_OK(weft_stream_read_exact(stream, data, 10));
    ASSERT_MEM_EQ(data, "some bytes", 10);
    weft_stream_free(stream);
    ASSERT_ERR(weft_file_stream(NULL, &stream), -EINVAL);
}

enum { SENT = 3000001 };

struct sender {
    weft_stream *stream;
    const char *path;
    int64_t result;
};

static int send_file(void *arg)
{
    struct sender *sender = arg;
    weft_file *file;
    ASSERT_OK(weft_file_open(sender->path, "r", &file));
    sender->result = weft_file_send(file, 1, -1, sender->stream);
    ASSERT_OK(weft_file_close(file));
    ASSERT_OK(weft_stream_close(sender->stream));
    return 0;
}

static void check_transfer(weft_stream *a, weft_stream *b)
{
    char path[512];
    weft_file *file;
    char *data = malloc(SENT);
    char *back;
    size_t len;
    for (size_t i = 0; i < SENT; i++)
        data[i] = (char)(i * 7 + i / 1000);
    snprintf(path, sizeof path, "%s", test_path("source"));
    ASSERT_OK(weft_write_file(path, data, SENT));
    struct sender sender = {.stream = a, .path = path};
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, send_file, &sender));
    ASSERT_OK(weft_file_open(test_path("target"), "w+", &file));
    ASSERT_INT_EQ(weft_file_receive(file, 0, 1000, b), 1000);
    ASSERT_INT_EQ(weft_file_receive(file, 1000, -1, b), SENT - 1001);
    ASSERT_OK(weft_file_close(file));
    ASSERT_OK(weft_group_wait(&group));
    ASSERT_INT_EQ(sender.result, SENT - 1);
    ASSERT_OK(weft_read_file(test_path("target"), &back, &len));
    ASSERT_INT_EQ(len, SENT - 1);
    ASSERT_MEM_EQ(back, data + 1, len);
    weft_free(back);
    free(data);
    weft_stream_free(a);
    weft_stream_free(b);
}

static void socket_pair(weft_stream **ret_a, weft_stream **ret_b)
{
    char path[512];
    weft_listener *listener;
    snprintf(path, sizeof path, "%s", test_path("socket"));
    unlink(path);
    ASSERT_OK(weft_listen_unix(path, NULL, &listener));
    ASSERT_OK(weft_dial_unix(path, ret_a));
    ASSERT_OK(weft_listener_accept(listener, ret_b));
    weft_listener_close(listener);
}

FILE_TEST(file_goes_through_a_socket_into_a_file)
{
    weft_stream *a;
    weft_stream *b;
    socket_pair(&a, &b);
    check_transfer(a, b);
}

FILE_TEST(file_goes_through_memory_into_a_file)
{
    weft_stream *a;
    weft_stream *b;
    ASSERT_OK(weft_stream_pair(0, &a, &b));
    check_transfer(a, b);
}

FILE_TEST(sending_is_cancelled_and_refused)
{
    weft_stream *a;
    weft_stream *b;
    weft_file *file;
    weft_scope scope;
    char *data = calloc(1, SENT);
    ASSERT_OK(weft_write_file(test_path("f"), data, SENT));
    free(data);
    socket_pair(&a, &b);
    ASSERT_OK(weft_file_open(test_path("f"), "r", &file));
    ASSERT_ERR((int)weft_file_receive(file, 0, 1, a), -EBADF);
    ASSERT_ERR((int)weft_file_send(file, -1, 1, a), -EINVAL);
    ASSERT_ERR((int)weft_file_send(file, 0, 1, NULL), -EINVAL);
    weft_scope_enter(&scope, WEFT_MS(20));
    int err = (int)weft_file_send(file, 0, -1, a);
    ASSERT_ERR(weft_scope_exit(&scope, err), -ETIMEDOUT);
    weft_stream_set_timeout(a, 0, WEFT_MS(10));
    ASSERT_ERR((int)weft_file_send(file, 0, -1, a), WEFT_EWRITE_TIMEOUT);
    weft_stream_free(b);
    err = (int)weft_file_send(file, 0, -1, a);
    ASSERT(err == -EPIPE || err == -ECONNRESET);
    weft_stream_free(a);
    ASSERT_OK(weft_file_close(file));
}

/* ---- many ---- */

/* A disk takes its time to create a file. */
enum { MANY = 300, MANY_ON_DISK = 80 };

static char paths[MANY][300];
static char texts[MANY][32];
static weft_file_item items[MANY];

static void fill_items(const char *folder)
{
    for (int i = 0; i < MANY; i++) {
        snprintf(paths[i], sizeof paths[i], "%s/weft-test-%d-%d", folder, (int)getpid(), i);
        snprintf(texts[i], sizeof texts[i], "content of %d", i);
        items[i] = (weft_file_item){.path = paths[i], .data = texts[i], .len = strlen(texts[i])};
    }
}

static int count_up(weft_file_item *item, void *arg)
{
    int *count = arg;
    ASSERT(item == &items[*count]);
    ++*count;
    return 0;
}

static void check_many(const char *folder, int n)
{
    int count = 0;
    fill_items(folder);
    ASSERT_OK(weft_write_many(items, (size_t)n, NULL));
    ASSERT_OK(
        weft_read_many(items, (size_t)n,
                       WEFT_MANY(.limit = 40, .ordered = true, .done = count_up, .arg = &count)));
    ASSERT_INT_EQ(count, n);
    for (int i = 0; i < n; i++) {
        ASSERT_STR_EQ(items[i].data, texts[i]);
        ASSERT_INT_EQ(items[i].len, strlen(texts[i]));
        weft_free(items[i].data);
    }
    for (int i = 0; i < n; i++)
        unlink(paths[i]);
}

FILE_TEST(many_files_are_written_and_read)
{
    check_many(test_tmpdir(), MANY_ON_DISK);
}

FILE_TEST(many_files_on_tmpfs_are_written_and_read)
{
    check_many(test_memory_dir(), MANY);
}

FILE_TEST(many_files_of_any_size_and_kind_are_read)
{
    static const size_t sizes[] = {0, 1, 16383, 16384, 16385, 100000, 600000};
    enum { N = sizeof sizes / sizeof sizes[0] };
    char names[N][300];
    weft_file_item mixed[N + 2] = {0};
    char *data = malloc(600000);
    for (size_t i = 0; i < 600000; i++)
        data[i] = (char)(i % 251);
    for (size_t i = 0; i < N; i++) {
        snprintf(names[i], sizeof names[i], "%s/size%zu", test_tmpdir(), i);
        ASSERT_OK(weft_write_file(names[i], data, sizes[i]));
        mixed[i].path = names[i];
    }
    unlink(test_path("link"));
    ASSERT_INT_EQ(symlink("/proc/self/status", test_path("link")), 0);
    mixed[N].path = test_path("link");
    mixed[N + 1].path = "/proc/self/comm";
    ASSERT_OK(weft_read_many(mixed, N + 2, NULL));
    for (size_t i = 0; i < N; i++) {
        ASSERT_INT_EQ(mixed[i].len, sizes[i]);
        ASSERT_MEM_EQ(mixed[i].data, data, sizes[i]);
        ASSERT_INT_EQ(mixed[i].data[sizes[i]], 0);
    }
    ASSERT_STR_HAS(mixed[N].data, "VmSize");
    for (size_t i = 0; i < N + 2; i++)
        weft_free(mixed[i].data);
    free(data);
}

/* Once for the runs of a test. */
static void write_on_disk(void)
{
    static bool written;
    fill_items(test_tmpdir());
    if (!written)
        ASSERT_OK(weft_write_many(items, MANY_ON_DISK, NULL));
    written = true;
}

FILE_TEST(many_files_with_one_missing_fail_together_or_one_by_one)
{
    write_on_disk();
    unlink(paths[77]);
    ASSERT_ERR(weft_read_many(items, MANY_ON_DISK, NULL), -ENOENT);
    ASSERT_STR_HAS(weft_error_message(), paths[77]);
    for (int i = 0; i < MANY_ON_DISK; i++)
        ASSERT(items[i].data == NULL);
    ASSERT_INT_EQ(weft_read_many(items, MANY_ON_DISK, WEFT_MANY(.collect = true)), 1);
    ASSERT_INT_EQ(items[77].error, -ENOENT);
    ASSERT(items[77].data == NULL);
    for (int i = 0; i < MANY_ON_DISK; i++) {
        ASSERT_INT_EQ(items[i].error, i == 77 ? -ENOENT : 0);
        weft_free(items[i].data);
    }
}

static int stop_soon(weft_file_item *item, void *arg)
{
    int *left = arg;
    ASSERT(item->data != NULL);
    return --*left == 0 ? -EINTR : 0;
}

FILE_TEST(many_files_are_given_up)
{
    int left = 5;
    weft_scope scope;
    write_on_disk();
    ASSERT_ERR(weft_read_many(items, MANY_ON_DISK, WEFT_MANY(.done = stop_soon, .arg = &left)),
               -EINTR);
    ASSERT(items[0].data == NULL);
    weft_scope_enter(&scope, WEFT_FOREVER);
    weft_scope_cancel(&scope, "enough");
    ASSERT_ERR(weft_read_many(items, MANY_ON_DISK, NULL), -ECANCELED);
    weft_scope_exit(&scope, 0);
    ASSERT_OK(weft_read_many(NULL, 0, NULL));
    ASSERT_ERR(weft_read_many(NULL, 1, NULL), -EINVAL);
    items[3].path = NULL;
    ASSERT_ERR(weft_read_many(items, MANY_ON_DISK, NULL), -EINVAL);
}
