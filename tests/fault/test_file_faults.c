/*
 * Everything that can go wrong below a file goes wrong once: each allocation, each system call
 * of each kind, a cancellation at each checkpoint.  Whatever happens, it is reported, nothing is
 * left open or allocated (the runner counts), and the next call works.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/file_more.h>
#include <weft/testing.h>

#include "file/file_int.h"
#include "file_test.h"

enum { TEXT_LEN = 100000 };

static char text[TEXT_LEN];

static void fill_text(void)
{
    for (size_t i = 0; i < TEXT_LEN; i++)
        text[i] = i % 40 == 39 ? '\n' : (char)('a' + i % 26);
}

/*
 * What is only read lies on the disk, whose page cache is asked by RWF_NOWAIT.  The rest is
 * written, synced and created thousands of times, and lies in memory where there is tmpfs.
 */
static const char *path_of(const char *name)
{
    return strcmp(name, "in") == 0 ? test_path(name) : test_memory_path(name);
}

/* ---- what is done: 0, or the first error ---- */

static int read_whole(void)
{
    char *data;
    size_t len;
    int err = weft_read_file(path_of("in"), &data, &len);
    if (err < 0)
        return err;
    ASSERT_INT_EQ(len, TEXT_LEN);
    ASSERT_MEM_EQ(data, text, len);
    weft_free(data);
    return 0;
}

static int write_whole(void)
{
    return weft_write_file(path_of("out"), text, TEXT_LEN);
}

static int use_lines(weft_file *file)
{
    char *line;
    int64_t n;
    int64_t total = 0;
    while ((n = weft_file_read_line(file, &line)) > 0) {
        ASSERT_MEM_EQ(line, text + total, (size_t)n);
        total += n;
    }
    if (n < 0)
        return (int)n;
    ASSERT_INT_EQ(total, TEXT_LEN);
    return 0;
}

static int read_lines(void)
{
    weft_file *file;
    int err = weft_file_open(path_of("in"), "r", &file);
    if (err < 0)
        return err;
    err = use_lines(file);
    int closed = weft_file_close(file);
    return err < 0 ? err : closed;
}

static int use_cursor(weft_file *file)
{
    static char back[TEXT_LEN];
    int err = 0;
    for (size_t i = 0; i < TEXT_LEN && err == 0; i += 1000)
        err = weft_file_write(file, text + i, 1000);
    if (err < 0)
        return err;
    int64_t n = weft_file_seek(file, 0, SEEK_SET);
    if (n >= 0)
        n = weft_file_read(file, back, 100);
    if (n >= 0)
        n = weft_file_read_at(file, back + 100, 100, 100);
    if (n >= 0)
        n = weft_file_truncate(file, 150);
    if (n >= 0)
        n = weft_file_write_at(file, text + 150, 50, 150);
    if (n >= 0)
        n = weft_file_sync(file);
    if (n >= 0)
        n = weft_file_size(file);
    if (n < 0)
        return (int)n;
    ASSERT_INT_EQ(n, 200);
    ASSERT_MEM_EQ(back, text, 200);
    return 0;
}

static int write_and_read(void)
{
    weft_file *file;
    int err = weft_file_open(path_of("both"), "w+", &file);
    if (err < 0)
        return err;
    err = use_cursor(file);
    int closed = weft_file_close(file);
    return err < 0 ? err : closed;
}

static int names(void)
{
    char deep[512];
    snprintf(deep, sizeof deep, "%s/deep", path_of("folder"));
    int err = weft_mkdir(deep, 0, true);
    if (err == 0)
        err = weft_rename(deep, path_of("renamed"));
    if (err == 0)
        err = weft_remove(path_of("renamed"));
    return err;
}

static int use_text(weft_file *file)
{
    char *line;
    char *all;
    int err = weft_file_write(file, "gr\xC3\xBC\xC3\x9F\nmore\n", 12);
    int64_t n = err < 0 ? err : weft_file_seek(file, 0, SEEK_SET);
    if (n >= 0)
        n = weft_file_read_line(file, &line);
    if (n >= 0)
        n = weft_file_tell(file);
    if (n < 0)
        return (int)n;
    ASSERT_INT_EQ(n, 10);
    err = weft_file_read_all(file, &all, NULL);
    if (err < 0)
        return err;
    ASSERT_STR_EQ(all, "more\n");
    weft_free(all);
    return 0;
}

static int text_of_another_encoding(void)
{
    weft_file *file;
    int err = weft_file_open_with(path_of("text"), "w+",
                                  WEFT_FILE(.text = true, .encoding = "UTF-16LE"), &file);
    if (err < 0)
        return err;
    err = use_text(file);
    int closed = weft_file_close(file);
    return err < 0 ? err : closed;
}

static int use_extras(weft_file *file)
{
    weft_file *copy;
    const char *seen;
    char data[100];
    int64_t n = weft_file_lock(file, NULL);
    if (n >= 0)
        n = weft_file_allocate(file, 0, 8192, WEFT_ALLOCATE_GROW);
    if (n >= 0)
        n = weft_file_write(file, text, 100);
    if (n >= 0)
        n = weft_file_datasync(file);
    if (n >= 0)
        n = weft_file_seek(file, 0, SEEK_SET);
    if (n >= 0)
        n = weft_file_peek(file, 10, &seen);
    if (n >= 0)
        n = weft_file_read_exact(file, data, 100);
    if (n >= 0)
        n = weft_file_unlock(file, NULL);
    if (n >= 0)
        n = weft_file_dup(file, &copy);
    if (n < 0)
        return (int)n;
    ASSERT_MEM_EQ(data, text, 100);
    return weft_file_close(copy);
}

static int extras(void)
{
    weft_file *file;
    int err = weft_file_open_with(path_of("extra"), "w+", WEFT_FILE(.mode = 0600), &file);
    if (err < 0)
        return err;
    err = use_extras(file);
    int closed = weft_file_close(file);
    return err < 0 ? err : closed;
}

static int use_parts(weft_file *file)
{
    char a[3];
    char b[5];
    const weft_slice slices[] = {{text, 3}, {text + 3, 5}};
    const weft_part parts[] = {{a, sizeof a}, {b, sizeof b}};
    int64_t n = weft_file_writev(file, slices, 2);
    if (n >= 0)
        n = weft_file_writev_at(file, slices, 2, 8);
    if (n >= 0)
        n = weft_file_seek(file, 4, SEEK_DATA);
    if (n >= 0)
        n = weft_file_seek(file, 0, SEEK_HOLE);
    if (n >= 0)
        n = weft_file_advise(file, 0, 0, WEFT_ADVICE_RANDOM);
    if (n >= 0)
        n = weft_file_seek(file, 0, SEEK_SET);
    if (n >= 0)
        n = weft_file_readv(file, parts, 2);
    if (n >= 0)
        n = weft_file_readv_at(file, parts, 2, 8);
    /* A fault behind the first part leaves that one: the next call has the rest. */
    if (n == 3)
        n = weft_file_read_at(file, b, 5, 11);
    if (n < 0)
        return (int)n;
    ASSERT(n == 8 || n == 5);
    ASSERT_MEM_EQ(a, text, 3);
    ASSERT_MEM_EQ(b, text + 3, 5);
    return 0;
}

static int parts(void)
{
    weft_file *file;
    int err = weft_write_file(path_of("parts"), "", 0);
    if (err == 0)
        err = weft_append_file(path_of("parts"), "appended", 8);
    if (err == 0)
        err = weft_file_open(path_of("parts"), "r+", &file);
    if (err < 0)
        return err;
    err = use_parts(file);
    int closed = weft_file_close(file);
    return err < 0 ? err : closed;
}

enum { N_MANY = 10 };

static int many(void)
{
    static char paths[N_MANY][300];
    weft_file_item items[N_MANY] = {0};
    for (int i = 0; i < N_MANY; i++) {
        snprintf(paths[i], sizeof paths[i], "%s/many%d", test_memory_dir(), i);
        items[i] = (weft_file_item){.path = paths[i], .data = text, .len = (size_t)i * 3000};
    }
    int err = weft_write_many(items, N_MANY, NULL);
    if (err == 0)
        err = weft_read_many(items, N_MANY, WEFT_MANY(.limit = 4));
    for (int i = 0; i < N_MANY && err == 0; i++) {
        ASSERT_INT_EQ(items[i].len, i * 3000);
        ASSERT_MEM_EQ(items[i].data, text, items[i].len);
        weft_free(items[i].data);
    }
    return err;
}

static int (*const actions[])(void) = {
    read_whole, write_whole, read_lines, write_and_read, text_of_another_encoding,
    extras,     parts,       many,       names};
enum { N_ACTIONS = sizeof actions / sizeof actions[0] };

static void prepare(void)
{
    ASSERT_OK(weft_testing_fail_op(NULL, 0, NULL));
    fill_text();
    ASSERT_OK(weft_write_file(path_of("in"), text, TEXT_LEN));
    /* Loops and threads are made now, so that what follows counts files only. */
    for (int i = 0; i < N_ACTIONS; i++)
        ASSERT_OK(actions[i]());
}

/* ---- allocations ---- */

FILE_TEST(file_with_an_allocation_failing_reports_it)
{
    prepare();
    for (int i = 0; i < N_ACTIONS; i++) {
        bool failed = true;
        for (uint64_t nth = 1; failed; nth++) {
            weft_testing_fail_alloc(nth, false);
            int err = actions[i]();
            failed = weft_testing_alloc_count() >= nth;
            weft_testing_fail_alloc(0, false);
            ASSERT(err == 0 || err == -ENOMEM);
            ASSERT_INT_LT(nth, 1000);
        }
        weft_testing_fail_alloc(1, true);
        int err = actions[i]();
        ASSERT_INT_EQ(err, weft_testing_alloc_count() > 0 ? -ENOMEM : 0);
        weft_testing_fail_alloc(0, false);
        ASSERT_OK(actions[i]());
    }
}

/* ---- cancellation ---- */

static int cancelled_action(int (*action)(void), uint64_t nth, bool *ret_came)
{
    weft_scope scope;
    weft_scope_enter(&scope, WEFT_FOREVER);
    weft_testing_cancel_at(&scope, nth);
    int err = action();
    *ret_came = weft_scope_is_cancelled(&scope);
    weft_testing_cancel_at(NULL, 0);
    int left = weft_scope_exit(&scope, err);
    ASSERT(!*ret_came || left == 0 || left == -ECANCELED);
    return err;
}

FILE_TEST(file_cancelled_at_any_checkpoint_is_left_clean)
{
    prepare();
    for (int i = 0; i < N_ACTIONS; i++) {
        bool came = true;
        uint64_t n_refused = 0;
        for (uint64_t nth = 1; came; nth += nth < 50 ? 1 : nth / 7) {
            int err = cancelled_action(actions[i], nth, &came);
            ASSERT(err == 0 || err == -ECANCELED);
            n_refused += err == -ECANCELED;
        }
        ASSERT_INT_GT(n_refused, 0);
        ASSERT_OK(actions[i]());
    }
}

FILE_TEST(file_of_a_cancelled_task_is_written_when_it_is_closed)
{
    weft_scope scope;
    weft_file *file;
    char *data;
    ASSERT_OK(weft_file_open(test_path("f"), "w", &file));
    ASSERT_OK(weft_file_write(file, "kept", 4));
    weft_scope_enter(&scope, WEFT_FOREVER);
    weft_scope_cancel(&scope, "over");
    ASSERT_ERR(weft_file_write(file, "lost", 4), -ECANCELED);
    ASSERT_STR_HAS(weft_error_message(), "over");
    ASSERT_ERR(weft_read_file(test_path("f"), &data, NULL), -ECANCELED);
    ASSERT_OK(weft_file_close(file));
    weft_scope_exit(&scope, 0);
    ASSERT_OK(weft_read_file(test_path("f"), &data, NULL));
    ASSERT_STR_EQ(data, "kept");
    weft_free(data);
}

/* ---- system calls ---- */

static const char *const calls[] = {"open",      "read",  "write", "stat",   "fsync",
                                    "truncate",  "lock",  "close", "rename", "unlink",
                                    "fallocate", "mkdir", "rmdir"};
enum { N_CALLS = sizeof calls / sizeof calls[0] };

/* Under Valgrind not each of the many reads and writes, but the first, the last and some. */
static uint64_t after(uint64_t nth)
{
    return nth + (test_under_valgrind() && nth > 2 ? nth / 2 : 1);
}

/* Met behind data, the fault of a read is the next call's; asked again, it is gone. */
static bool reads_again(int (*action)(void))
{
    return action == text_of_another_encoding || action == parts;
}

/* The nth call fails: false if there were fewer. */
static bool fail_one(int action, const char *call, uint64_t nth, int error)
{
    ASSERT_OK(weft_testing_fail_op(call, nth, WEFT_TESTING_FAULT(.error = error)));
    int err = actions[action]();
    bool hit = weft_testing_op_count(call) >= nth;
    ASSERT_OK(weft_testing_fail_op(call, 0, NULL));
    if (err == 0 && strcmp(call, "read") == 0 && reads_again(actions[action]))
        return hit;
    if (err != (hit && error != -EINTR ? error : 0))
        FAIL("action %d, %s, number %u, %d: %d", action, call, (unsigned)nth, error, err);
    if (err < 0) {
        ASSERT_STR_HAS(weft_error_message(), "/weft-test-");
        ASSERT_STR_HAS(weft_error_message(), strerror(-error));
    }
    return hit;
}

/* Each call of that name with each error, unless there is none; interrupted, it is made again. */
static bool fail_each(int action, const char *call)
{
    static const int errors[] = {-EIO, -ENOSPC, -EDQUOT, -EMFILE, -EINTR};
    bool any = true;
    for (size_t i = 0; any && i < sizeof errors / sizeof errors[0]; i++) {
        uint64_t nth = 1;
        while (fail_one(action, call, nth, errors[i]))
            nth = after(nth);
        any = nth > 1;
    }
    return any;
}

FILE_TEST(file_with_a_system_call_failing_reports_it)
{
    prepare();
    for (int call = 0; call < N_CALLS; call++) {
        bool seen = false;
        for (int i = 0; i < N_ACTIONS; i++)
            seen |= fail_each(i, calls[call]);
        if (!seen)
            FAIL("no action makes a call of %s", calls[call]);
    }
    for (int i = 0; i < N_ACTIONS; i++)
        ASSERT_OK(actions[i]());
}

/* One call comes short, each in turn; then all of them do. */
FILE_TEST(file_transferred_in_short_pieces_is_whole)
{
    static const size_t limits[] = {1, 777, 4096, 65000};
    prepare();
    for (int call = 1; call <= 2; call++) {
        for (int action = 0; action < N_ACTIONS; action++) {
            bool hit = true;
            for (uint64_t nth = 1; hit; nth = after(nth)) {
                ASSERT_OK(weft_testing_fail_op(calls[call], nth,
                                               WEFT_TESTING_FAULT(.limit = limits[nth % 4])));
                ASSERT_OK(actions[action]());
                hit = weft_testing_op_count(calls[call]) >= nth;
                ASSERT_OK(weft_testing_fail_op(calls[call], 0, NULL));
            }
        }
        for (int i = 1; i < 4; i++) {
            ASSERT_OK(weft_testing_fail_op(
                calls[call], 1, WEFT_TESTING_FAULT(.limit = limits[i], .and_later = true)));
            for (int action = 0; action < N_ACTIONS; action++)
                ASSERT_OK(actions[action]());
            ASSERT_OK(weft_testing_fail_op(calls[call], 0, NULL));
        }
    }
    ASSERT_OK(read_whole());
}

static void fail_next(const char *call, int error)
{
    ASSERT_OK(weft_testing_fail_op(call, 1, WEFT_TESTING_FAULT(.error = error)));
}

FILE_TEST(file_whose_write_failed_keeps_the_bytes_for_the_next_flush)
{
    weft_file *file;
    char *data;
    ASSERT_OK(weft_file_open(test_path("f"), "w", &file));
    ASSERT_OK(weft_file_write(file, "precious", 8));
    fail_next("write", -ENOSPC);
    ASSERT_ERR(weft_file_flush(file), -ENOSPC);
    ASSERT_STR_HAS(weft_error_message(), test_path("f"));
    ASSERT_INT_EQ(weft_file_tell(file), 8);
    ASSERT_OK(weft_file_write(file, "!", 1));
    ASSERT_OK(weft_file_close(file));
    ASSERT_OK(weft_read_file(test_path("f"), &data, NULL));
    ASSERT_STR_EQ(data, "precious!");
    weft_free(data);
}

FILE_TEST(file_whose_close_fails_says_so_and_is_closed)
{
    weft_file *file;
    ASSERT_OK(weft_file_open(test_path("f"), "w", &file));
    fail_next("close", -EDQUOT);
    ASSERT_ERR(weft_file_close(file), -EDQUOT);
    ASSERT_STR_HAS(weft_error_message(), "close ");
    fail_next("close", -EDQUOT);
    ASSERT_ERR(weft_write_file(test_path("f"), "x", 1), -EDQUOT);
    ASSERT_OK(weft_testing_fail_op(NULL, 0, NULL));
}

/* A whole write that fails half way is an error, however much was written. */
FILE_TEST(file_on_a_full_disk_is_an_error_at_the_write)
{
    fill_text();
    ASSERT_OK(weft_testing_fail_op("write", 1, WEFT_TESTING_FAULT(.limit = 1000)));
    ASSERT_OK(weft_write_file(test_path("f"), text, TEXT_LEN));
    fail_next("write", -ENOSPC);
    ASSERT_ERR(weft_append_file(test_path("f"), text, TEXT_LEN), -ENOSPC);
    ASSERT_OK(weft_testing_fail_op(NULL, 0, NULL));
    ASSERT_STR_HAS(weft_error_message(), ": No space left on device");
}
