/* Whole files, modes, names, positions. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <weft/base.h>
#include <weft/file.h>

#include "file_test.h"

static void put(const char *path, const char *text)
{
    ASSERT_OK(weft_write_file(path, text, strlen(text)));
}

static void expect(const char *path, const char *text)
{
    char *data;
    size_t len;
    ASSERT_OK(weft_read_file(path, &data, &len));
    ASSERT_INT_EQ(len, strlen(text));
    ASSERT_STR_EQ(data, text);
    weft_free(data);
}

/* ---- whole files ---- */

static void round_trip(const char *path, size_t len)
{
    char *data = malloc(len + 1);
    char *back;
    size_t back_len;
    for (size_t i = 0; i < len; i++)
        data[i] = (char)(i * 31 + i / 251);
    ASSERT_OK(weft_write_file(path, data, len));
    ASSERT_OK(weft_read_file(path, &back, &back_len));
    ASSERT_INT_EQ(back_len, len);
    ASSERT_MEM_EQ(back, data, len);
    ASSERT_INT_EQ(back[len], 0);
    weft_free(back);
    free(data);
}

FILE_TEST(whole_file_of_any_size_comes_back_as_written)
{
    const size_t sizes[] = {0, 1, 4095, 4096, 4097, 65536, 65537, 262143, 262144, 262145, 1500000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        round_trip(test_path("f"), sizes[i]);
}

FILE_TEST(whole_file_on_tmpfs_comes_back_as_written)
{
    char path[64];
    snprintf(path, sizeof path, "/dev/shm/weft-test-%d", (int)getpid());
    round_trip(path, 4096);
    round_trip(path, 300000);
    ASSERT_OK(weft_remove(path));
}

FILE_TEST(file_of_proc_without_a_size_is_read_whole)
{
    char *data;
    size_t len;
    ASSERT_OK(weft_read_file("/proc/self/status", &data, &len));
    ASSERT_STR_HAS(data, "VmSize");
    ASSERT_INT_EQ(strlen(data), len);
    weft_free(data);
    ASSERT_OK(weft_read_file("/sys/kernel/mm/transparent_hugepage/enabled", &data, NULL));
    ASSERT_STR_HAS(data, "never");
    weft_free(data);
}

FILE_TEST(write_of_a_shorter_text_truncates)
{
    put(test_path("f"), "a longer text");
    put(test_path("f"), "short");
    expect(test_path("f"), "short");
}

FILE_TEST(append_creates_and_then_adds)
{
    const char *path = test_path("log");
    unlink(path);
    ASSERT_OK(weft_append_file(path, "one\n", 4));
    ASSERT_OK(weft_append_file(path, "two\n", 4));
    ASSERT_OK(weft_append_file(path, NULL, 0));
    expect(path, "one\ntwo\n");
}

FILE_TEST(whole_read_of_a_missing_file_names_it)
{
    char *data = (char *)"untouched";
    size_t len = 77;
    ASSERT_ERR(weft_read_file("/nowhere/at/all", &data, &len), -ENOENT);
    ASSERT_STR_EQ(weft_error_message(), "open /nowhere/at/all: No such file or directory");
    ASSERT_STR_EQ(data, "untouched");
    ASSERT_INT_EQ(len, 77);
}

FILE_TEST(whole_read_of_a_folder_says_so)
{
    char *data;
    ASSERT_ERR(weft_read_file(test_tmpdir(), &data, NULL), -EISDIR);
    ASSERT_STR_HAS(weft_error_message(), test_tmpdir());
    ASSERT_ERR(weft_write_file(test_tmpdir(), "x", 1), -EISDIR);
}

FILE_TEST(write_to_a_full_device_says_so)
{
    ASSERT_ERR(weft_write_file("/dev/full", "x", 1), -ENOSPC);
    ASSERT_STR_EQ(weft_error_message(), "write /dev/full: No space left on device");
}

FILE_TEST(file_without_permission_is_refused)
{
    if (geteuid() == 0)
        return;
    char *data;
    put(test_path("secret"), "x");
    chmod(test_path("secret"), 0);
    ASSERT_ERR(weft_read_file(test_path("secret"), &data, NULL), -EACCES);
}

FILE_TEST(open_without_a_free_descriptor_is_an_error)
{
    struct rlimit old;
    char *data;
    weft_file *file;
    put(test_path("f"), "x");
    ASSERT_OK(weft_sleep(0));
    getrlimit(RLIMIT_NOFILE, &old);
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){.rlim_cur = 0, .rlim_max = old.rlim_max});
    int read_err = weft_read_file(test_path("f"), &data, NULL);
    int open_err = weft_file_open(test_path("f"), "r", &file);
    setrlimit(RLIMIT_NOFILE, &old);
    ASSERT_INT_EQ(read_err, -EMFILE);
    ASSERT_INT_EQ(open_err, -EMFILE);
    expect(test_path("f"), "x");
}

FILE_TEST(arguments_that_make_no_sense_are_refused)
{
    weft_file *file;
    ASSERT_ERR(weft_read_file(NULL, NULL, NULL), -EINVAL);
    ASSERT_ERR(weft_write_file("x", NULL, 1), -EINVAL);
    ASSERT_ERR(weft_file_open(NULL, "r", &file), -EINVAL);
    ASSERT_ERR((int)weft_file_tell(NULL), -EINVAL);
    ASSERT_ERR((int)weft_file_read(NULL, NULL, 0), -EINVAL);
    ASSERT_ERR((int)weft_file_size(NULL), -EINVAL);
    ASSERT_ERR(weft_mkdir("", 0, false), -EINVAL);
    ASSERT_ERR(weft_rename(NULL, "x"), -EINVAL);
    ASSERT_ERR(weft_remove(NULL), -EINVAL);
    ASSERT_OK(weft_file_close(NULL));
}

/* ---- modes ---- */

static const struct mode_case {
    const char *mode;
    bool readable;
    bool writable;
    bool truncates;
    bool creates;
    bool appends;
    bool exclusive;
} mode_cases[] = {
    {"r", true, false, false, false, false, false}, {"r+", true, true, false, false, false, false},
    {"w", false, true, true, true, false, false},   {"w+", true, true, true, true, false, false},
    {"a", false, true, false, true, true, false},   {"a+", true, true, false, true, true, false},
    {"x", false, true, false, true, false, true},   {"x+", true, true, false, true, false, true},
};

/* Each call on a file that holds "0123456789" and was opened like that. */
static void check_opened(weft_file *file, const struct mode_case *mode)
{
    char data[32];
    bool old = !mode->truncates && !mode->exclusive;
    ASSERT_INT_EQ(weft_file_size(file), old ? 10 : 0);
    ASSERT_INT_EQ(weft_file_tell(file), mode->appends ? 10 : 0);
    ASSERT_INT_EQ(weft_file_seek(file, 4, SEEK_SET), 4);
    if (mode->readable) {
        ASSERT_INT_EQ(weft_file_read(file, data, 3), old ? 3 : 0);
        ASSERT_INT_EQ(weft_file_tell(file), old ? 7 : 4);
        ASSERT_INT_EQ(weft_file_read_at(file, data, 2, 8), old ? 2 : 0);
    } else {
        char *line;
        ASSERT_ERR((int)weft_file_read(file, data, 3), -EBADF);
        ASSERT_ERR((int)weft_file_read_line(file, &line), -EBADF);
        ASSERT_ERR((int)weft_file_read_at(file, data, 2, 8), -EBADF);
    }
    if (mode->writable) {
        ASSERT_OK(weft_file_write(file, "AB", 2));
        ASSERT_OK(weft_file_flush(file));
        ASSERT_OK(weft_file_truncate(file, 20));
        ASSERT_INT_EQ(weft_file_size(file), 20);
        ASSERT_OK(weft_file_sync(file));
    } else {
        ASSERT_ERR(weft_file_write(file, "AB", 2), -EBADF);
        ASSERT_ERR(weft_file_write_at(file, "AB", 2, 0), -EBADF);
        ASSERT_ERR(weft_file_truncate(file, 20), -EBADF);
        ASSERT_OK(weft_file_flush(file));
    }
    if (mode->appends)
        ASSERT_ERR(weft_file_write_at(file, "AB", 2, 0), -EBADF);
}

static void check_mode(const struct mode_case *mode, const char *text)
{
    const char *path = test_path("f");
    weft_file *file;
    unlink(path);
    if (!mode->creates)
        ASSERT_ERR(weft_file_open(path, text, &file), -ENOENT);
    put(path, "0123456789");
    if (mode->exclusive) {
        ASSERT_ERR(weft_file_open(path, text, &file), -EEXIST);
        unlink(path);
    }
    ASSERT_OK(weft_file_open(path, text, &file));
    check_opened(file, mode);
    ASSERT_OK(weft_file_close(file));
}

FILE_TEST(modes_allow_what_python_allows)
{
    static const char *const kinds[] = {"", "b", "t"};
    for (size_t i = 0; i < sizeof mode_cases / sizeof mode_cases[0]; i++) {
        for (size_t kind = 0; kind < 3; kind++) {
            char text[8];
            snprintf(text, sizeof text, "%s%s", mode_cases[i].mode, kinds[kind]);
            check_mode(&mode_cases[i], text);
        }
    }
}

FILE_TEST(modes_that_python_refuses_are_refused)
{
    static const char *const bad[] = {"",    "+",   "b", "rw", "ra", "r++",
                                      "rbt", "rbb", "U", "rU", "r "};
    weft_file *file;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ASSERT_ERR(weft_file_open(test_path("f"), bad[i], &file), -EINVAL);
    put(test_path("f"), "x");
    ASSERT_OK(weft_file_open(test_path("f"), "+br", &file));
    ASSERT_OK(weft_file_close(file));
}

FILE_TEST(append_and_read_starts_at_the_end_and_writes_there)
{
    const char *path = test_path("f");
    char data[32];
    weft_file *file;
    put(path, "0123456789");
    ASSERT_OK(weft_file_open(path, "a+", &file));
    ASSERT_INT_EQ(weft_file_read(file, data, sizeof data), 0);
    ASSERT_INT_EQ(weft_file_seek(file, 0, SEEK_SET), 0);
    ASSERT_INT_EQ(weft_file_read(file, data, 4), 4);
    ASSERT_MEM_EQ(data, "0123", 4);
    ASSERT_OK(weft_file_write(file, "abc", 3));
    ASSERT_INT_EQ(weft_file_tell(file), 13);
    ASSERT_INT_EQ(weft_file_read(file, data, sizeof data), 0);
    ASSERT_INT_EQ(weft_file_seek(file, -5, SEEK_END), 8);
    ASSERT_INT_EQ(weft_file_read(file, data, sizeof data), 5);
    ASSERT_MEM_EQ(data, "89abc", 5);
    ASSERT_OK(weft_file_close(file));
    expect(path, "0123456789abc");
}

FILE_TEST(append_goes_behind_what_others_appended_meanwhile)
{
    const char *path = test_path("f");
    weft_file *file;
    put(path, "");
    ASSERT_OK(weft_file_open(path, "a", &file));
    ASSERT_OK(weft_file_write(file, "mine\n", 5));
    ASSERT_OK(weft_append_file(path, "theirs\n", 7));
    ASSERT_OK(weft_file_flush(file));
    ASSERT_INT_EQ(weft_file_tell(file), 12);
    ASSERT_OK(weft_file_close(file));
    expect(path, "theirs\nmine\n");
}

FILE_TEST(reads_and_writes_interleave_at_one_position)
{
    const char *path = test_path("f");
    char data[8];
    weft_file *file;
    put(path, "0123456789");
    ASSERT_OK(weft_file_open(path, "r+", &file));
    ASSERT_INT_EQ(weft_file_read(file, data, 3), 3);
    ASSERT_OK(weft_file_write(file, "AB", 2));
    ASSERT_INT_EQ(weft_file_tell(file), 5);
    ASSERT_INT_EQ(weft_file_read(file, data, 2), 2);
    ASSERT_MEM_EQ(data, "56", 2);
    ASSERT_OK(weft_file_write(file, "C", 1));
    ASSERT_INT_EQ(weft_file_seek(file, 0, SEEK_CUR), 8);
    ASSERT_INT_EQ(weft_file_read(file, data, sizeof data), 2);
    ASSERT_OK(weft_file_write(file, "tail", 4));
    ASSERT_OK(weft_file_close(file));
    expect(path, "012AB56C89tail");
}

FILE_TEST(positional_calls_leave_the_cursor_alone)
{
    const char *path = test_path("f");
    char data[16];
    weft_file *file;
    put(path, "0123456789");
    ASSERT_OK(weft_file_open(path, "r+", &file));
    ASSERT_INT_EQ(weft_file_read(file, data, 2), 2);
    ASSERT_OK(weft_file_write_at(file, "XY", 2, 4));
    ASSERT_INT_EQ(weft_file_tell(file), 2);
    ASSERT_INT_EQ(weft_file_read(file, data, sizeof data), 8);
    ASSERT_MEM_EQ(data, "23XY6789", 8);
    ASSERT_OK(weft_file_write(file, "ab", 2));
    ASSERT_INT_EQ(weft_file_read_at(file, data, sizeof data, 9), 3);
    ASSERT_MEM_EQ(data, "9ab", 3);
    ASSERT_INT_EQ(weft_file_read_at(file, data, sizeof data, 100), 0);
    ASSERT_ERR((int)weft_file_read_at(file, data, 1, -1), -EINVAL);
    ASSERT_OK(weft_file_write_at(file, "z", 1, 13));
    ASSERT_INT_EQ(weft_file_size(file), 14);
    ASSERT_OK(weft_file_close(file));
}

FILE_TEST(parts_at_a_place_leave_the_cursor_alone)
{
    static char large[10000];
    char a[3];
    char b[6];
    weft_file *file;
    memset(large, 'x', sizeof large);
    ASSERT_OK(weft_file_open(test_path("f"), "w+", &file));
    const weft_slice slices[] = {
        {"one", 3}, {NULL, 0}, {large, sizeof large}, {"two", 3}, {"3", 1}};
    ASSERT_OK(weft_file_writev_at(file, slices, 5, 5));
    ASSERT_OK(weft_file_writev_at(file, NULL, 0, 5));
    ASSERT_INT_EQ(weft_file_tell(file), 0);
    ASSERT_INT_EQ(weft_file_size(file), 5 + 3 + sizeof large + 3 + 1);
    const weft_part parts[] = {{a, 3}, {large, sizeof large}, {b, 6}};
    ASSERT_INT_EQ(weft_file_readv_at(file, parts, 3, 5), 3 + sizeof large + 4);
    ASSERT_MEM_EQ(a, "one", 3);
    ASSERT_MEM_EQ(b, "two3", 4);
    ASSERT_INT_EQ(large[9999], 'x');
    ASSERT_INT_EQ(weft_file_readv_at(file, parts, 3, 1 << 20), 0);
    ASSERT_ERR((int)weft_file_readv_at(file, parts, 3, -1), -EINVAL);
    ASSERT_ERR(weft_file_writev_at(file, slices, 5, -1), -EINVAL);
    ASSERT_OK(weft_file_close(file));
}

FILE_TEST(large_positional_transfers_are_whole)
{
    enum { LEN = 1000003 };
    const char *path = test_path("f");
    char *data = malloc(LEN);
    char *back = malloc(LEN + 10);
    weft_file *file;
    for (size_t i = 0; i < LEN; i++)
        data[i] = (char)(i % 253);
    ASSERT_OK(weft_file_open(path, "w+", &file));
    ASSERT_OK(weft_file_write_at(file, data, LEN, 5));
    ASSERT_INT_EQ(weft_file_read_at(file, back, LEN, 5), LEN);
    ASSERT_MEM_EQ(back, data, LEN);
    ASSERT_INT_EQ(weft_file_seek(file, 5, SEEK_SET), 5);
    ASSERT_INT_EQ(weft_file_read(file, back, 10), 10);
    ASSERT_INT_EQ(weft_file_read(file, back + 10, LEN), LEN - 10);
    ASSERT_MEM_EQ(back, data, LEN);
    ASSERT_OK(weft_file_close(file));
    free(data);
    free(back);
}

FILE_TEST(seek_goes_where_it_is_told)
{
    const char *path = test_path("f");
    char data[16];
    weft_file *file;
    put(path, "0123456789");
    ASSERT_OK(weft_file_open(path, "r", &file));
    ASSERT_INT_EQ(weft_file_read(file, data, 5), 5);
    ASSERT_INT_EQ(weft_file_seek(file, 2, SEEK_CUR), 7);
    ASSERT_INT_EQ(weft_file_read(file, data, 1), 1);
    ASSERT_INT_EQ(data[0], '7');
    ASSERT_INT_EQ(weft_file_seek(file, -7, SEEK_CUR), 1);
    ASSERT_INT_EQ(weft_file_read(file, data, 1), 1);
    ASSERT_INT_EQ(data[0], '1');
    ASSERT_INT_EQ(weft_file_seek(file, 5, SEEK_END), 15);
    ASSERT_INT_EQ(weft_file_read(file, data, 1), 0);
    ASSERT_ERR((int)weft_file_seek(file, -1, SEEK_SET), -EINVAL);
    ASSERT_ERR((int)weft_file_seek(file, -11, SEEK_END), -EINVAL);
    ASSERT_ERR((int)weft_file_seek(file, INT64_MAX, SEEK_CUR), -EINVAL);
    ASSERT_ERR((int)weft_file_seek(file, 0, 77), -EINVAL);
    ASSERT_INT_EQ(weft_file_tell(file), 15);
    ASSERT_OK(weft_file_close(file));
}

FILE_TEST(many_small_writes_arrive_in_order)
{
    const char *path = test_path("f");
    char *data;
    size_t len;
    weft_file *file;
    ASSERT_OK(weft_file_open(path, "w", &file));
    for (int i = 0; i < 20000; i++) {
        char text[16];
        snprintf(text, sizeof text, "%09d\n", i);
        ASSERT_OK(weft_file_write(file, text, 10));
    }
    ASSERT_INT_EQ(weft_file_tell(file), 200000);
    ASSERT_OK(weft_file_close(file));
    ASSERT_OK(weft_read_file(path, &data, &len));
    ASSERT_INT_EQ(len, 200000);
    for (int i = 0; i < 20000; i++) {
        char text[16];
        snprintf(text, sizeof text, "%09d\n", i);
        ASSERT_MEM_EQ(data + (size_t)i * 10, text, 10);
    }
    weft_free(data);
}

FILE_TEST(truncate_cuts_and_lengthens)
{
    const char *path = test_path("f");
    char data[16];
    weft_file *file;
    put(path, "0123456789");
    ASSERT_OK(weft_file_open(path, "r+", &file));
    ASSERT_INT_EQ(weft_file_read(file, data, 2), 2);
    ASSERT_OK(weft_file_truncate(file, 4));
    ASSERT_INT_EQ(weft_file_read(file, data, sizeof data), 2);
    ASSERT_OK(weft_file_truncate(file, 6));
    ASSERT_INT_EQ(weft_file_read(file, data, sizeof data), 2);
    ASSERT_MEM_EQ(data, "\0\0", 2);
    ASSERT_ERR(weft_file_truncate(file, -1), -EINVAL);
    ASSERT_OK(weft_file_close(file));
}

FILE_TEST(deferred_write_error_is_reported_by_close)
{
    struct rlimit old;
    weft_file *file;
    ASSERT_OK(weft_file_open(test_path("f"), "w", &file));
    ASSERT_OK(weft_file_write(file, "text", 4));
    getrlimit(RLIMIT_FSIZE, &old);
    sigaction(SIGXFSZ, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){.rlim_cur = 0, .rlim_max = old.rlim_max});
    int flushed = weft_file_flush(file);
    int closed = weft_file_close(file);
    setrlimit(RLIMIT_FSIZE, &old);
    ASSERT_INT_EQ(flushed, -EFBIG);
    ASSERT_INT_EQ(closed, -EFBIG);
    ASSERT_STR_HAS(weft_error_message(), "File too large");
}

/* ---- names ---- */

FILE_TEST(folders_are_made_with_their_parents_and_removed)
{
    const char *top = test_path("a");
    char deep[512];
    struct stat st;
    snprintf(deep, sizeof deep, "%s//b/c/", top);
    ASSERT_ERR(weft_mkdir(deep, 0, false), -ENOENT);
    ASSERT_OK(weft_mkdir(deep, 0700, true));
    ASSERT_OK(weft_mkdir(deep, 0700, true));
    ASSERT_INT_EQ(stat(deep, &st), 0);
    ASSERT_INT_EQ(st.st_mode & 0777, 0700);
    ASSERT_ERR(weft_mkdir(top, 0, false), -EEXIST);
    ASSERT_ERR(weft_remove(top), -ENOTEMPTY);
    ASSERT_STR_HAS(weft_error_message(), top);
    ASSERT_OK(weft_remove(deep));
    snprintf(deep, sizeof deep, "%s/b", top);
    ASSERT_OK(weft_remove(deep));
    put(deep, "a file");
    snprintf(deep, sizeof deep, "%s/b/c", top);
    ASSERT_ERR(weft_mkdir(deep, 0, true), -ENOTDIR);
    snprintf(deep, sizeof deep, "%s/b", top);
    ASSERT_ERR(weft_mkdir(deep, 0, true), -EEXIST);
    ASSERT_OK(weft_remove(deep));
    ASSERT_OK(weft_remove(top));
    ASSERT_ERR(weft_remove(top), -ENOENT);
}

FILE_TEST(rename_replaces)
{
    put(test_path("from"), "new");
    put(test_path("to"), "old");
    ASSERT_OK(weft_rename(test_path("from"), test_path("to")));
    expect(test_path("to"), "new");
    ASSERT_ERR(weft_rename(test_path("from"), test_path("to")), -ENOENT);
    ASSERT_STR_HAS(weft_error_message(), test_path("from"));
    ASSERT_STR_HAS(weft_error_message(), test_path("to"));
}
