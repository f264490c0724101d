/* Watching folders and following files: what happens is reported, and waiting can be ended. */
#include <errno.h>

#include <weft/base.h>
#include <weft/stream.h>

#include "fs_test.h"

static void next_is(weft_watch *watch, weft_watch_kind kind, const char *path, const char *from)
{
    weft_watch_event event;
    ASSERT_INT_EQ(ASSERT_OK(weft_watch_next(watch, &event)), 1);
    ASSERT_STR_EQ(event.path, fs_path(path));
    ASSERT_INT_EQ(event.kind, kind);
    ASSERT((event.from != NULL) == (from != NULL));
    if (from != NULL)
        ASSERT_STR_EQ(event.from, fs_path(from));
}

FS_TEST(watch_of_a_folder_reports_what_happens_in_it)
{
    weft_watch *watch;
    weft_watch_event event;
    fs_mkdir("w");
    ASSERT_OK(weft_watch_open(fs_path("w/"), NULL, &watch));
    fs_make("w/a", "text");
    next_is(watch, WEFT_WATCH_CREATED, "w/a", NULL);
    next_is(watch, WEFT_WATCH_MODIFIED, "w/a", NULL);
    ASSERT(rename(fs_path("w/a"), fs_path("w/b")) == 0);
    next_is(watch, WEFT_WATCH_MOVED, "w/b", "w/a");
    ASSERT(rename(fs_path("w/b"), fs_path("away")) == 0);
    next_is(watch, WEFT_WATCH_DELETED, "w/b", NULL);
    ASSERT(rename(fs_path("away"), fs_path("w/c")) == 0);
    next_is(watch, WEFT_WATCH_CREATED, "w/c", NULL);
    ASSERT(unlink(fs_path("w/c")) == 0);
    next_is(watch, WEFT_WATCH_DELETED, "w/c", NULL);
    ASSERT(rmdir(fs_path("w")) == 0);
    next_is(watch, WEFT_WATCH_DELETED, "w", NULL);
    ASSERT_INT_EQ(weft_watch_next(watch, &event), 0);
    weft_watch_close(watch);
    weft_watch_close(NULL);
    ASSERT_ERR(weft_watch_open(fs_path("none"), NULL, &watch), -ENOENT);
    ASSERT_STR_HAS(weft_error_message(), fs_path("none"));
}

FS_TEST(watch_of_a_tree_follows_new_and_moved_folders)
{
    weft_watch *watch;
    fs_mkdir("w");
    fs_mkdir("w/d");
    ASSERT_OK(weft_watch_open(fs_path("w"), WEFT_WATCH(.recursive = true), &watch));
    fs_make("w/d/f", "");
    next_is(watch, WEFT_WATCH_CREATED, "w/d/f", NULL);
    fs_mkdir("w/new");
    fs_make("w/new/early", "");
    next_is(watch, WEFT_WATCH_CREATED, "w/new", NULL);
    next_is(watch, WEFT_WATCH_CREATED, "w/new/early", NULL);
    ASSERT(unlink(fs_path("w/new/early")) == 0);
    next_is(watch, WEFT_WATCH_DELETED, "w/new/early", NULL);
    ASSERT(rename(fs_path("w/d"), fs_path("w/e")) == 0);
    next_is(watch, WEFT_WATCH_MOVED, "w/e", "w/d");
    ASSERT(unlink(fs_path("w/e/f")) == 0);
    next_is(watch, WEFT_WATCH_DELETED, "w/e/f", NULL);
    weft_watch_close(watch);
}

FS_TEST(watch_that_waits_ends_with_its_scope)
{
    weft_watch *watch;
    weft_watch_event event;
    weft_scope scope;
    ASSERT_OK(weft_watch_open(fs_path(""), NULL, &watch));
    weft_scope_enter(&scope, WEFT_MS(5));
    int got = weft_watch_next(watch, &event);
    ASSERT_INT_EQ(weft_scope_exit(&scope, got), -ETIMEDOUT);
    fs_make("f", "");
    next_is(watch, WEFT_WATCH_CREATED, "f", NULL);
    weft_watch_close(watch);
}

/* Whatever fails once on the way, a call may say so, but what happened is reported. */
FS_TEST(watch_of_a_new_folder_that_fails_once_loses_no_event)
{
    static const int errors[] = {-ENOSPC, -ENOMEM, -EMFILE, -EIO};
    weft_watch *watch;
    weft_watch_event event;
    for (unsigned nth = 1; nth <= 4; nth++) {
        char name[32];
        unsigned seen = 0;
        fs_mkdir("w");
        ASSERT_OK(weft_watch_open(fs_path("w"), WEFT_WATCH(.recursive = true), &watch));
        snprintf(name, sizeof name, "w/new%u", nth);
        fs_mkdir(name);
        snprintf(name, sizeof name, "w/new%u/early", nth);
        fs_make(name, "");
        weft__fs_fault = (struct weft__fs_fault){.on = true, .nth = nth, .error = -errors[nth - 1]};
        for (int calls = 0; seen != 3; calls++) {
            ASSERT_INT_LT(calls, 6);
            int got = weft_watch_next(watch, &event);
            ASSERT(got == 1 || got == errors[nth - 1]);
            if (got == 1)
                seen |= strcmp(event.path, fs_path(name)) == 0 ? 2 : 1;
        }
        weft__fs_fault = (struct weft__fs_fault){0};
        weft_watch_close(watch);
        fs_wipe();
        ASSERT(mkdir(fs_folder, 0700) == 0);
    }
}

static long queue_length(void)
{
    char text[32] = "";
    FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "re");
    if (file == NULL || fgets(text, sizeof text, file) == NULL)
        SKIP("the length of the queue cannot be read");
    fclose(file);
    return strtol(text, NULL, 10);
}

TASK_TEST(watch_says_that_events_were_lost_and_goes_on)
{
    weft_watch *watch;
    weft_watch_event event = {0};
    long most = queue_length();
    if (most > 100000 || test_under_valgrind())
        SKIP("the queue is too long to be filled");
    snprintf(fs_folder, sizeof fs_folder, "%s", test_memory_dir());
    fs_mkdir("w");
    ASSERT_OK(weft_watch_open(fs_path("w"), WEFT_WATCH(.recursive = true), &watch));
    for (long i = 0; i <= most / 2; i++) {
        ASSERT(symlink("x", fs_path("w/link")) == 0);
        ASSERT(unlink(fs_path("w/link")) == 0);
    }
    /* Of this one nothing is heard. */
    fs_mkdir("w/new");
    while (event.kind != WEFT_WATCH_OVERFLOW)
        ASSERT_INT_EQ(ASSERT_OK(weft_watch_next(watch, &event)), 1);
    ASSERT_STR_EQ(event.path, fs_path("w"));
    fs_make("w/new/f", "");
    next_is(watch, WEFT_WATCH_CREATED, "w/new/f", NULL);
    weft_watch_close(watch);
}

/* ---- following ---- */

static void add(const char *name, const char *text)
{
    FILE *file = fopen(fs_path(name), "ae");
    ASSERT(file != NULL);
    fputs(text, file);
    ASSERT(fclose(file) == 0);
}

static void comes(weft_stream *stream, const char *text)
{
    char data[64] = "";
    ASSERT_OK(weft_stream_read_exact(stream, data, strlen(text)));
    ASSERT_STR_EQ(data, text);
}

FS_TEST(follow_gives_what_is_added_through_truncation_and_rotation)
{
    weft_stream *stream;
    fs_make("log", "old\n");
    ASSERT_OK(weft_follow(fs_path("log"), NULL, &stream));
    add("log", "one\n");
    comes(stream, "one\n");
    ASSERT(truncate(fs_path("log"), 0) == 0);
    add("log", "two\n");
    comes(stream, "two\n");
    add("log", "last\n");
    ASSERT(rename(fs_path("log"), fs_path("log.1")) == 0);
    fs_make("log", "three\n");
    comes(stream, "last\nthree\n");
    ASSERT(unlink(fs_path("log")) == 0);
    fs_make("log", "four\n");
    comes(stream, "four\n");
    weft_stream_free(stream);
    ASSERT_OK(weft_follow(fs_path("log"), WEFT_FOLLOW(.from_start = true), &stream));
    comes(stream, "four\n");
    weft_stream_free(stream);
}

FS_TEST(follow_of_a_file_that_appears_later_and_of_none)
{
    weft_stream *stream;
    char data[8];
    ASSERT_OK(weft_follow(fs_path("log"), NULL, &stream));
    weft_stream_set_timeout(stream, WEFT_MS(5), WEFT_FOREVER);
    ASSERT_ERR((int)weft_stream_read(stream, data, sizeof data), WEFT_EREAD_TIMEOUT);
    add("log", "x");
    comes(stream, "x");
    ASSERT_ERR(weft_stream_write(stream, "x", 1), -EBADF);
    weft_stream_free(stream);
    fs_mkdir("d");
    ASSERT_ERR(weft_follow(fs_path("d"), NULL, &stream), -EINVAL);
}
