/* Names: what they stand for, moved, linked, removed; permissions, owners, times, attributes. */
#include <errno.h>
#include <sys/xattr.h>

#include <weft/testing.h>

#include "fs_test.h"

/* ---- stat ---- */

FS_TEST(stat_says_what_the_kernel_says)
{
    weft_stat_result got;
    struct stat st;
    fs_make("f", "12345");
    ASSERT(stat(fs_path("f"), &st) == 0);
    ASSERT_OK(weft_stat(fs_path("f"), &got));
    ASSERT_INT_EQ(got.size, 5);
    ASSERT_INT_EQ(got.kind, WEFT_KIND_FILE);
    ASSERT_INT_EQ(got.mode, st.st_mode);
    ASSERT_INT_EQ(got.ino, st.st_ino);
    ASSERT_INT_EQ(got.dev, st.st_dev);
    ASSERT_INT_EQ(got.nlink, 1);
    ASSERT_INT_EQ(got.uid, st.st_uid);
    ASSERT_INT_EQ(got.gid, st.st_gid);
    ASSERT_INT_EQ(got.allocated, st.st_blocks * 512);
    ASSERT_INT_EQ(got.mtime, st.st_mtim.tv_sec * WEFT_SEC(1) + st.st_mtim.tv_nsec);
    ASSERT_INT_EQ(got.ctime, st.st_ctim.tv_sec * WEFT_SEC(1) + st.st_ctim.tv_nsec);
    ASSERT(got.btime == 0 || (got.btime > 0 && got.btime <= got.ctime));
}

FS_TEST(stat_of_a_missing_name_says_which)
{
    weft_stat_result got = {.size = 77};
    ASSERT_ERR(weft_stat(fs_path("none"), &got), -ENOENT);
    ASSERT_STR_HAS(weft_error_message(), fs_path("none"));
    ASSERT_INT_EQ(got.size, 77);
    fs_make("f", "");
    ASSERT_ERR(weft_stat(fs_path("f/below"), &got), -ENOTDIR);
    ASSERT_ERR(weft_stat(NULL, &got), -EINVAL);
}

FS_TEST(lstat_looks_at_the_link)
{
    weft_stat_result got;
    fs_make("f", "12345");
    ASSERT_OK(weft_symlink("f", fs_path("link")));
    ASSERT_OK(weft_lstat(fs_path("link"), &got));
    ASSERT_INT_EQ(got.kind, WEFT_KIND_SYMLINK);
    ASSERT_OK(weft_stat(fs_path("link"), &got));
    ASSERT_INT_EQ(got.kind, WEFT_KIND_FILE);
}

FS_TEST(fstat_counts_what_is_buffered)
{
    weft_stat_result got;
    weft_file *file;
    ASSERT_OK(weft_file_open(fs_path("f"), "w", &file));
    ASSERT_OK(weft_file_write(file, "123", 3));
    ASSERT_OK(weft_fstat(file, &got));
    ASSERT_INT_EQ(got.size, 3);
    ASSERT_OK(weft_file_close(file));
}

FS_TEST(predicates_know_each_kind)
{
    fs_make("f", "");
    fs_mkdir("d");
    ASSERT(mkfifo(fs_path("p"), 0600) == 0);
    ASSERT_OK(weft_symlink("nowhere", fs_path("dangling")));
    ASSERT_OK(weft_symlink("loop", fs_path("loop")));
    ASSERT_INT_EQ(weft_exists(fs_path("f")), 1);
    ASSERT_INT_EQ(weft_exists(fs_path("d")), 1);
    ASSERT_INT_EQ(weft_exists(fs_path("none")), 0);
    ASSERT_INT_EQ(weft_exists(fs_path("f/none")), 0);
    ASSERT_INT_EQ(weft_exists(fs_path("dangling")), 0);
    ASSERT_INT_EQ(weft_exists(fs_path("loop")), 0);
    ASSERT_INT_EQ(weft_lexists(fs_path("dangling")), 1);
    ASSERT_INT_EQ(weft_is_file(fs_path("f")), 1);
    ASSERT_INT_EQ(weft_is_file(fs_path("d")), 0);
    ASSERT_INT_EQ(weft_is_dir(fs_path("d")), 1);
    ASSERT_INT_EQ(weft_is_dir(fs_path("f")), 0);
    ASSERT_INT_EQ(weft_is_symlink(fs_path("dangling")), 1);
    ASSERT_INT_EQ(weft_is_symlink(fs_path("f")), 0);
    ASSERT_INT_EQ(weft_is_fifo(fs_path("p")), 1);
    ASSERT_INT_EQ(weft_is_socket(fs_path("p")), 0);
    ASSERT_INT_EQ(weft_is_char_device("/dev/null"), 1);
    ASSERT_INT_EQ(weft_is_block_device("/dev/null"), 0);
    ASSERT_INT_EQ(weft_is_mount("/proc"), 1);
    ASSERT_INT_EQ(weft_is_mount(fs_path("d")), 0);
    ASSERT_INT_EQ(weft_is_mount(fs_path("none")), 0);
    ASSERT_ERR(weft_exists(NULL), -EINVAL);
}

FS_TEST(same_file_is_known_by_both_names)
{
    fs_make("a", "");
    fs_make("b", "");
    ASSERT_OK(weft_link(fs_path("a"), fs_path("c")));
    ASSERT_INT_EQ(weft_same_file(fs_path("a"), fs_path("c")), 1);
    ASSERT_INT_EQ(weft_same_file(fs_path("a"), fs_path("b")), 0);
    ASSERT_ERR(weft_same_file(fs_path("a"), fs_path("none")), -ENOENT);
    ASSERT_STR_HAS(weft_error_message(), fs_path("none"));
}

FS_TEST(statvfs_counts_bytes)
{
    weft_statvfs_result got;
    ASSERT_OK(weft_statvfs(fs_path(""), &got));
    ASSERT_INT_GT(got.total, 0);
    ASSERT_INT_LE(got.available, got.free);
    ASSERT_INT_LE(got.free, got.total);
    ASSERT_INT_EQ(got.name_max, 255);
    ASSERT(!got.read_only);
    ASSERT_ERR(weft_statvfs(fs_path("none"), &got), -ENOENT);
}

/* ---- renaming, linking, removing ---- */

FS_TEST(rename_noreplace_refuses_and_exchange_swaps)
{
    fs_make("a", "A");
    fs_make("b", "B");
    ASSERT_ERR(weft_rename_with(fs_path("a"), fs_path("b"), WEFT_RENAME_NOREPLACE), -EEXIST);
    ASSERT_STR_HAS(weft_error_message(), fs_path("b"));
    ASSERT_OK(weft_rename_with(fs_path("a"), fs_path("b"), WEFT_RENAME_EXCHANGE));
    fs_holds("a", "B");
    fs_holds("b", "A");
    ASSERT_OK(weft_rename_with(fs_path("a"), fs_path("c"), WEFT_RENAME_NOREPLACE));
    ASSERT(!fs_there("a"));
    ASSERT_OK(weft_rename_with(fs_path("c"), fs_path("b"), 0));
    fs_holds("b", "B");
    ASSERT_ERR(weft_rename_with(fs_path("b"), fs_path("none"), WEFT_RENAME_EXCHANGE), -ENOENT);
    ASSERT_ERR(weft_rename_with(fs_path("b"), fs_path("c"), 3), -EINVAL);
    ASSERT_ERR(weft_rename_with(fs_path("b"), fs_path("c"), 64), -EINVAL);
}

FS_TEST(renames_makes_and_prunes_folders)
{
    fs_mkdir("old");
    fs_mkdir("old/deep");
    fs_make("old/deep/f", "x");
    fs_make("keep", "x");
    ASSERT_OK(weft_renames(fs_path("old/deep/f"), fs_path("new/as/deep/g")));
    fs_holds("new/as/deep/g", "x");
    ASSERT(!fs_there("old"));
    ASSERT(fs_there("keep"));
    ASSERT_ERR(weft_renames(fs_path("none"), fs_path("x")), -ENOENT);
}

static void refuse_mkdir(unsigned nth, int error)
{
    ASSERT_OK(weft_testing_fail_op("mkdir", nth, WEFT_TESTING_FAULT(.error = error)));
}

/* Not -ENOENT, which the step after would say; a folder that is there is none to be made. */
FS_TEST(folders_that_may_not_be_made_are_reported_so)
{
    fs_make("f", "x");
    refuse_mkdir(1, -EACCES);
    ASSERT_ERR(weft_mkdir(fs_path("f"), 0, false), -EACCES);
    const char *deep = fs_path("new/x/y");
    unsigned above = 0;
    for (const char *c = fs_path("new"); *c != '\0'; c++)
        above += *c == '/';
    refuse_mkdir(above, -EACCES);
    ASSERT_ERR(weft_mkdir(deep, 0, true), -EACCES);
    ASSERT_STR_HAS(weft_error_message(), deep);
    refuse_mkdir(1, -EROFS);
    ASSERT_OK(weft_mkdir(deep, 0, true));
    weft__fs_fault = (struct weft__fs_fault){.on = true, .nth = above, .error = EACCES};
    ASSERT_ERR(weft_renames(fs_path("f"), fs_path("no/g")), -EACCES);
    weft__fs_fault = (struct weft__fs_fault){0};
    ASSERT_STR_HAS(weft_error_message(), "mkdir ");
    ASSERT(fs_there("f"));
}

FS_TEST(unlink_rmdir_and_removedirs_keep_to_their_kind)
{
    fs_make("f", "");
    fs_mkdir("d");
    fs_mkdir("d/e");
    fs_mkdir("d/e/g");
    fs_make("stays", "");
    ASSERT_ERR(weft_unlink(fs_path("d")), -EISDIR);
    ASSERT_ERR(weft_rmdir(fs_path("f")), -ENOTDIR);
    ASSERT_ERR(weft_rmdir(fs_path("d")), -ENOTEMPTY);
    ASSERT_STR_HAS(weft_error_message(), fs_path("d"));
    ASSERT_OK(weft_removedirs(fs_path("d/e/g")));
    ASSERT(!fs_there("d"));
    ASSERT(fs_there("stays"));
    ASSERT_OK(weft_unlink(fs_path("f")));
    ASSERT_ERR(weft_unlink(fs_path("f")), -ENOENT);
    fs_mkdir("d");
    ASSERT_OK(weft_rmdir(fs_path("d")));
}

FS_TEST(links_say_where_they_lead)
{
    char *text;
    char expected[5000];
    fs_make("f", "x");
    ASSERT_OK(weft_symlink("f", fs_path("link")));
    ASSERT_ERR(weft_symlink("f", fs_path("link")), -EEXIST);
    ASSERT_STR_HAS(weft_error_message(), fs_path("link"));
    ASSERT_OK(weft_readlink(fs_path("link"), &text));
    ASSERT_STR_EQ(text, "f");
    weft_free(text);
    ASSERT_ERR(weft_readlink(fs_path("f"), &text), -EINVAL);
    ASSERT_OK(weft_realpath(fs_path("./link"), &text));
    ASSERT(realpath(fs_path("f"), expected) != NULL);
    ASSERT_STR_EQ(text, expected);
    weft_free(text);
    ASSERT_ERR(weft_realpath(fs_path("none"), &text), -ENOENT);
    ASSERT_OK(weft_link(fs_path("f"), fs_path("hard")));
    ASSERT_ERR(weft_link(fs_path("f"), fs_path("hard")), -EEXIST);
}

FS_TEST(abspath_is_only_words)
{
    static const char *const cases[][2] = {
        {"/", "/"},           {"//a///b/", "/a/b"},       {"/a/./b/../c", "/a/c"},
        {"/..", "/"},         {"/../../a", "/a"},         {"/a/..", "/"},
        {"/a/...", "/a/..."}, {"/a/.b/..c", "/a/.b/..c"},
    };
    char *text;
    char *folder;
    char expected[5000];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ASSERT_OK(weft_abspath(cases[i][0], &text));
        ASSERT_STR_EQ(text, cases[i][1]);
        weft_free(text);
    }
    ASSERT_OK(weft_getcwd(&folder));
    snprintf(expected, sizeof expected, "%s/b", folder);
    ASSERT_OK(weft_abspath("a/../b", &text));
    ASSERT_STR_EQ(text, expected);
    weft_free(text);
    weft_free(folder);
}

/* ---- permissions, owners, times ---- */

FS_TEST(chmod_and_access_agree)
{
    weft_stat_result got;
    fs_make("f", "");
    ASSERT_OK(weft_chmod(fs_path("f"), 0640));
    ASSERT_OK(weft_stat(fs_path("f"), &got));
    ASSERT_INT_EQ(got.mode & 07777, 0640);
    ASSERT_OK(weft_access(fs_path("f"), WEFT_ACCESS_READ | WEFT_ACCESS_WRITE));
    ASSERT_ERR(weft_access(fs_path("f"), WEFT_ACCESS_EXECUTE), -EACCES);
    ASSERT_OK(weft_access(fs_path("f"), WEFT_ACCESS_EXISTS));
    ASSERT_ERR(weft_access(fs_path("none"), WEFT_ACCESS_EXISTS), -ENOENT);
    ASSERT_ERR(weft_access(fs_path("f"), 8), -EINVAL);
    ASSERT_ERR(weft_chmod(fs_path("none"), 0), -ENOENT);
}

FS_TEST(chown_keeps_what_it_is_told_to_keep)
{
    weft_stat_result got;
    fs_make("f", "");
    ASSERT_OK(weft_chown(fs_path("f"), WEFT_ID_KEEP, (unsigned)getgid(), 0));
    if (geteuid() == 0) {
        ASSERT_OK(weft_chown(fs_path("f"), 12, WEFT_ID_KEEP, 0));
        ASSERT_OK(weft_stat(fs_path("f"), &got));
        ASSERT_INT_EQ(got.uid, 12);
        ASSERT_INT_EQ(got.gid, getgid());
    }
    ASSERT_ERR(weft_chown(fs_path("none"), WEFT_ID_KEEP, WEFT_ID_KEEP, WEFT_NOFOLLOW), -ENOENT);
}

FS_TEST(utime_sets_what_it_is_told_to_the_nanosecond)
{
    weft_stat_result before;
    weft_stat_result after;
    fs_make("f", "");
    ASSERT_OK(weft_utime(fs_path("f"), 1234567890123456789, WEFT_TIME_OMIT, 0));
    ASSERT_OK(weft_stat(fs_path("f"), &before));
    ASSERT_INT_EQ(before.atime, 1234567890123456789);
    ASSERT_OK(weft_utime(fs_path("f"), WEFT_TIME_OMIT, -1500000000, 0));
    ASSERT_OK(weft_stat(fs_path("f"), &after));
    ASSERT_INT_EQ(after.atime, before.atime);
    ASSERT_INT_EQ(after.mtime, -1500000000);
    ASSERT_OK(weft_utime(fs_path("f"), WEFT_TIME_NOW, WEFT_TIME_NOW, 0));
    ASSERT_OK(weft_stat(fs_path("f"), &after));
    ASSERT_INT_GT(after.mtime, before.atime);
    ASSERT_OK(weft_symlink("f", fs_path("link")));
    ASSERT_OK(weft_utime(fs_path("link"), 7, 7, WEFT_NOFOLLOW));
    ASSERT_OK(weft_lstat(fs_path("link"), &before));
    ASSERT_INT_EQ(before.mtime, 7);
}

FS_TEST(truncate_and_touch_change_a_file_by_name)
{
    weft_stat_result got;
    fs_make("f", "12345");
    ASSERT_OK(weft_truncate(fs_path("f"), 2));
    fs_holds("f", "12");
    ASSERT_OK(weft_truncate(fs_path("f"), 100));
    ASSERT_OK(weft_stat(fs_path("f"), &got));
    ASSERT_INT_EQ(got.size, 100);
    ASSERT_ERR(weft_truncate(fs_path("f"), -1), -EINVAL);
    ASSERT_ERR(weft_truncate(fs_path("none"), 0), -ENOENT);
    ASSERT_OK(weft_touch(fs_path("new"), 0600, 0));
    ASSERT_OK(weft_stat(fs_path("new"), &got));
    ASSERT_INT_EQ(got.mode & 07777, 0600);
    ASSERT_ERR(weft_touch(fs_path("new"), 0, WEFT_EXCLUSIVE), -EEXIST);
    ASSERT_OK(weft_utime(fs_path("new"), 0, 0, 0));
    ASSERT_OK(weft_touch(fs_path("new"), 0, 0));
    ASSERT_OK(weft_stat(fs_path("new"), &got));
    ASSERT_INT_GT(got.mtime, 0);
    ASSERT_ERR(weft_touch(fs_path("no/folder"), 0, 0), -ENOENT);
}

/* ---- attributes ---- */

FS_TEST(xattr_is_set_listed_read_and_removed)
{
    char *value;
    char **names;
    size_t n;
    fs_make("f", "");
    if (setxattr(fs_path("f"), "user.probe", "x", 1, 0) < 0)
        return; /* tmpfs has them since 6.6 only */
    removexattr(fs_path("f"), "user.probe");
    ASSERT_OK(weft_setxattr(fs_path("f"), "user.colour", "red\0!", 5, 0));
    ASSERT_ERR(weft_setxattr(fs_path("f"), "user.colour", "", 0, WEFT_XATTR_CREATE), -EEXIST);
    ASSERT_ERR(weft_setxattr(fs_path("f"), "user.other", "", 0, WEFT_XATTR_REPLACE), -ENODATA);
    ASSERT_OK(weft_getxattr(fs_path("f"), "user.colour", 0, &value, &n));
    ASSERT_INT_EQ(n, 5);
    ASSERT_MEM_EQ(value, "red\0!", 6);
    weft_free(value);
    ASSERT_OK(weft_listxattr(fs_path("f"), 0, &names, &n));
    ASSERT_INT_EQ(n, 1);
    ASSERT_STR_EQ(names[0], "user.colour");
    ASSERT(names[1] == NULL);
    weft_free(names);
    ASSERT_OK(weft_removexattr(fs_path("f"), "user.colour", 0));
    ASSERT_ERR(weft_getxattr(fs_path("f"), "user.colour", 0, &value, NULL), -ENODATA);
    ASSERT_STR_HAS(weft_error_message(), "user.colour");
    ASSERT_STR_HAS(weft_error_message(), fs_path("f"));
    ASSERT_ERR(weft_removexattr(fs_path("f"), "user.colour", 0), -ENODATA);
    ASSERT_OK(weft_listxattr(fs_path("f"), WEFT_NOFOLLOW, &names, &n));
    ASSERT_INT_EQ(n, 0);
    weft_free(names);
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

/* Asks until the ticker has had its turns; if it never gets one, the time limit ends this. */
FILE_TEST(stat_of_cached_names_lets_a_ticker_tick)
{
    struct ticker ticker = {0};
    weft_stat_result got;
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, tick, &ticker));
    while (ticker.ticks < 3)
        ASSERT_OK(weft_stat("/tmp", &got));
    ticker.over = true;
    ASSERT_OK(weft_group_wait(&group));
}
