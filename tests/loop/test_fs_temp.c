/* Replacing in one step, temporary files, roots: nothing is left, nothing is left half. */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include <weft/base.h>

#include "fs_test.h"

/* ---- in one step ---- */

static void is_clean(int n)
{
    ASSERT_INT_EQ(fs_count(""), n);
}

FS_TEST(write_atomic_replaces_and_creates)
{
    struct stat st;
    for (int durability = WEFT_DURABILITY_DATA; durability <= WEFT_DURABILITY_FULL; durability++) {
        for (int named = 0; named < 2; named++) {
            const weft_atomic_options *options =
                WEFT_ATOMIC(.durability = (weft_durability)durability);
            weft__fs_fault.no_tmpfile = named == 1;
            ASSERT_OK(weft_write_atomic(fs_path("f"), "one", 3, options));
            fs_holds("f", "one");
            ASSERT(chmod(fs_path("f"), 0604) == 0);
            ASSERT_OK(weft_write_atomic(fs_path("f"), "second", 6, options));
            fs_holds("f", "second");
            ASSERT(stat(fs_path("f"), &st) == 0);
            ASSERT_INT_EQ(st.st_mode & 07777, 0604);
            ASSERT_OK(weft_write_atomic(fs_path("f"), NULL, 0, options));
            fs_holds("f", "");
            ASSERT(unlink(fs_path("f")) == 0);
            is_clean(0);
        }
    }
}

FS_TEST(write_atomic_exclusive_never_replaces)
{
    for (int named = 0; named < 2; named++) {
        weft__fs_fault.no_tmpfile = named == 1;
        ASSERT_OK(weft_write_atomic(fs_path("f"), "one", 3, WEFT_ATOMIC(.exclusive = true)));
        ASSERT_ERR(weft_write_atomic(fs_path("f"), "two", 3, WEFT_ATOMIC(.exclusive = true)),
                   -EEXIST);
        ASSERT_STR_HAS(weft_error_message(), fs_path("f"));
        fs_holds("f", "one");
        is_clean(1);
        ASSERT(unlink(fs_path("f")) == 0);
    }
}

FS_TEST(write_atomic_goes_through_links_and_refuses_folders)
{
    fs_make("f", "old");
    fs_mkdir("d");
    ASSERT(symlink("f", fs_path("link")) == 0);
    ASSERT_OK(weft_write_atomic(fs_path("link"), "new", 3, NULL));
    fs_holds("f", "new");
    ASSERT_INT_EQ(weft_is_symlink(fs_path("link")), 1);
    ASSERT_ERR(weft_write_atomic(fs_path("d"), "x", 1, NULL), -EISDIR);
    ASSERT_ERR(weft_write_atomic(fs_path("d/"), "x", 1, NULL), -EISDIR);
    ASSERT_ERR(weft_write_atomic(fs_path("no/f"), "x", 1, NULL), -ENOENT);
    ASSERT_ERR(weft_write_atomic("", "x", 1, NULL), -EINVAL);
    is_clean(3);
}

/* As open(path, "w") would: a link that leads nowhere says where the file shall be. */
FS_TEST(write_atomic_through_links_creates_where_they_lead)
{
    fs_mkdir("d");
    ASSERT(symlink("two", fs_path("d/one")) == 0);
    ASSERT(symlink("../f", fs_path("d/two")) == 0);
    ASSERT_OK(weft_write_atomic(fs_path("d/one"), "new", 3, NULL));
    fs_holds("f", "new");
    ASSERT(symlink(fs_path("g"), fs_path("far")) == 0);
    ASSERT_OK(weft_write_atomic(fs_path("far"), "far", 3, NULL));
    fs_holds("g", "far");
    ASSERT_ERR(weft_write_atomic(fs_path("d/one"), "x", 1, WEFT_ATOMIC(.exclusive = true)),
               -EEXIST);
    ASSERT(symlink("no/f", fs_path("lost")) == 0);
    ASSERT_ERR(weft_write_atomic(fs_path("lost"), "x", 1, NULL), -ENOENT);
    ASSERT(symlink("a", fs_path("b")) == 0 && symlink("b", fs_path("a")) == 0);
    ASSERT_ERR(weft_write_atomic(fs_path("a"), "x", 1, NULL), -ELOOP);
    ASSERT_STR_HAS(weft_error_message(), fs_path("a"));
    ASSERT_INT_EQ(weft_is_symlink(fs_path("a")), 1);
    ASSERT_INT_EQ(weft_is_symlink(fs_path("d/one")), 1);
    is_clean(7);
}

FS_TEST(write_atomic_leaves_devices_and_fifos_alone)
{
    ASSERT(mkfifo(fs_path("fifo"), 0600) == 0);
    ASSERT(symlink("fifo", fs_path("link")) == 0);
    ASSERT_ERR(weft_write_atomic(fs_path("link"), "x", 1, NULL), -EINVAL);
    ASSERT_ERR(weft_write_atomic(fs_path("fifo"), "x", 1, NULL), -EINVAL);
    ASSERT_STR_HAS(weft_error_message(), fs_path("fifo"));
    ASSERT_STR_HAS(weft_error_message(), "no regular file");
    ASSERT_INT_EQ(weft_is_fifo(fs_path("fifo")), 1);
    is_clean(2);
}

/* Each step fails once: the old content is there, and nothing else. */
FS_TEST(write_atomic_failing_at_any_step_leaves_the_old_content)
{
    static const int errors[] = {ENOSPC, EIO, EACCES, EMFILE};
    ASSERT_OK(weft_write_atomic(fs_path("f"), "", 0, NULL)); /* the loop has its descriptors */
    for (int i = 0; i < 8; i++) {
        int fds = fs_open_files();
        for (unsigned nth = 1;; nth++) {
            fs_make("f", "old");
            weft__fs_fault = (struct weft__fs_fault){
                .on = true, .nth = nth, .error = errors[i % 4], .no_tmpfile = i >= 4};
            int err = weft_write_atomic(fs_path("f"), "new", 3,
                                        WEFT_ATOMIC(.durability = WEFT_DURABILITY_FULL));
            bool hit = weft__fs_fault.nth == 0;
            weft__fs_fault = (struct weft__fs_fault){0};
            is_clean(1);
            if (!hit) {
                ASSERT_OK(err);
                ASSERT_INT_GT(nth, 6);
                break;
            }
            ASSERT_INT_EQ(err, -errors[i % 4]);
            ASSERT_STR_HAS(weft_error_message(), fs_path("f"));
            /* The last step is the folder's sync: then the new one is in place. */
            char *text;
            ASSERT_OK(weft_read_file(fs_path("f"), &text, NULL));
            ASSERT(strcmp(text, "old") == 0 || (strcmp(text, "new") == 0 && nth >= 6));
            weft_free(text);
        }
        ASSERT_INT_EQ(fs_open_files(), fds);
        fs_holds("f", "new");
    }
}

static void killed_at(unsigned nth, bool named, bool *ret_over)
{
    int status;
    fs_make("f", "old");
    pid_t child = fork();
    ASSERT(child >= 0);
    if (child == 0) {
        weft__fs_fault =
            (struct weft__fs_fault){.on = true, .nth = nth, .kill = true, .no_tmpfile = named};
        weft_write_atomic(fs_path("f"), "new", 3, WEFT_ATOMIC(.durability = WEFT_DURABILITY_FULL));
        _exit(0);
    }
    ASSERT(waitpid(child, &status, 0) == child);
    *ret_over = WIFEXITED(status);
    /* Without the library: a loop here would not be one in the child. */
    char text[8] = "";
    int fd = open(fs_path("f"), O_RDONLY | O_CLOEXEC);
    ASSERT(fd >= 0 && read(fd, text, sizeof text - 1) == 3);
    close(fd);
    ASSERT(strcmp(text, "new") == 0 || (!*ret_over && strcmp(text, "old") == 0));
    /* What may be left is called as documented. */
    ASSERT_INT_LE(fs_count(""), 2);
    DIR *dir = opendir(fs_folder);
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == 'f' || strlen(entry->d_name) <= 2)
            continue;
        ASSERT(weft_fnmatch(".weft-*.tmp", entry->d_name));
        ASSERT(unlink(fs_path(entry->d_name)) == 0);
    }
    closedir(dir);
}

static void kill_everywhere(void)
{
    for (int named = 0; named < 2; named++) {
        bool over = false;
        for (unsigned nth = 1; !over; nth++)
            killed_at(nth, named == 1, &over);
    }
}

TEST(write_atomic_killed_at_any_step_leaves_old_or_new)
{
    fs_in_places(kill_everywhere);
}

/* ---- temporary files: tempfile's own cases ---- */

FS_TEST(temp_file_has_no_name)
{
    weft_file *file;
    char data[8];
    for (int named = 0; named < 2; named++) {
        weft__fs_fault.no_tmpfile = named == 1;
        ASSERT_OK(weft_temp_file(WEFT_TEMP(.dir = fs_folder), &file));
        is_clean(0);
        ASSERT_OK(weft_file_write(file, "bytes", 5));
        ASSERT_INT_EQ(weft_file_seek(file, 0, SEEK_SET), 0);
        ASSERT_INT_EQ(weft_file_read(file, data, sizeof data), 5);
        ASSERT_OK(weft_file_close(file));
    }
    ASSERT_ERR(weft_temp_file(WEFT_TEMP(.dir = fs_path("none")), &file), -ENOENT);
    ASSERT_STR_HAS(weft_error_message(), fs_path("none"));
}

FS_TEST(mkstemp_and_mkdtemp_make_private_names)
{
    weft_file *file;
    char *path;
    struct stat st;
    const weft_temp_options *options =
        WEFT_TEMP(.dir = fs_folder, .prefix = "pre-", .suffix = ".txt");
    ASSERT_OK(weft_mkstemp(options, &file, &path));
    ASSERT(weft_fnmatch("*/pre-????????????.txt", path));
    ASSERT(stat(path, &st) == 0);
    ASSERT_INT_EQ(st.st_mode & 07777, 0600);
    ASSERT_OK(weft_file_write(file, "x", 1));
    ASSERT_OK(weft_file_close(file));
    weft_free(path);
    ASSERT_OK(weft_mkdtemp(options, &path));
    ASSERT(stat(path, &st) == 0);
    ASSERT_INT_EQ(st.st_mode & 07777, 0700);
    weft_free(path);
    is_clean(2);
    ASSERT_ERR(weft_mkdtemp(WEFT_TEMP(.prefix = "a/b"), &path), -EINVAL);
    ASSERT_OK(weft_gettempdir(&path));
    ASSERT_INT_EQ(weft_is_dir(path), 1);
    weft_free(path);
}

FS_TEST(named_temp_and_temp_dir_go_away)
{
    weft_named_temp *temp;
    weft_temp_dir *dir;
    char path[600];
    ASSERT_OK(weft_named_temp_open(WEFT_TEMP(.dir = fs_folder), &temp));
    ASSERT_INT_EQ(weft_is_file(weft_named_temp_path(temp)), 1);
    ASSERT_OK(weft_file_write(weft_named_temp_file(temp), "x", 1));
    ASSERT_OK(weft_named_temp_close(temp));
    ASSERT_OK(weft_temp_dir_open(WEFT_TEMP(.dir = fs_folder), &dir));
    snprintf(path, sizeof path, "%s/a/b", weft_temp_dir_path(dir));
    ASSERT_OK(weft_mkdir(path, 0, true));
    ASSERT_OK(weft_temp_dir_close(dir));
    is_clean(0);
    ASSERT_OK(weft_temp_dir_open(WEFT_TEMP(.dir = fs_folder), &dir));
    ASSERT_OK(weft_rmdir(weft_temp_dir_path(dir)));
    ASSERT_OK(weft_temp_dir_close(dir));
    ASSERT_OK(weft_temp_dir_close(NULL));
    ASSERT_OK(weft_named_temp_close(NULL));
}

FS_TEST(temp_dir_of_a_cancelled_task_is_removed)
{
    weft_temp_dir *dir;
    weft_scope scope;
    ASSERT_OK(weft_temp_dir_open(WEFT_TEMP(.dir = fs_folder), &dir));
    weft_scope_enter(&scope, WEFT_FOREVER);
    weft_scope_cancel(&scope, "over");
    ASSERT_OK(weft_temp_dir_close(dir));
    weft_scope_exit(&scope, 0);
    is_clean(0);
}

FS_TEST(spool_stays_in_memory_until_it_is_large)
{
    weft_spool *spool;
    char data[32];
    ASSERT_OK(weft_spool_open(10, WEFT_TEMP(.dir = fs_folder), &spool));
    ASSERT_OK(weft_spool_write(spool, "12345", 5));
    ASSERT_INT_EQ(weft_spool_seek(spool, 1, SEEK_SET), 1);
    ASSERT_OK(weft_spool_write(spool, "X", 1));
    ASSERT_INT_EQ(weft_spool_read(spool, data, sizeof data), 3);
    ASSERT_MEM_EQ(data, "345", 3);
    ASSERT_INT_EQ(weft_spool_read(spool, data, sizeof data), 0);
    ASSERT(!weft_spool_is_rolled(spool));
    ASSERT_INT_EQ(weft_spool_seek(spool, 3, SEEK_END), 8);
    ASSERT_OK(weft_spool_write(spool, "ab", 2));
    ASSERT(!weft_spool_is_rolled(spool));
    ASSERT_OK(weft_spool_write(spool, "c", 1));
    ASSERT(weft_spool_is_rolled(spool));
    ASSERT_INT_EQ(weft_spool_seek(spool, 0, SEEK_SET), 0);
    ASSERT_INT_EQ(weft_spool_read(spool, data, sizeof data), 11);
    ASSERT_MEM_EQ(data, "1X345\0\0\0abc", 11);
    ASSERT_OK(weft_spool_rollover(spool));
    ASSERT_OK(weft_spool_close(spool));
    ASSERT_OK(weft_spool_open(10, NULL, &spool));
    ASSERT_ERR((int)weft_spool_seek(spool, -1, SEEK_SET), -EINVAL);
    ASSERT_ERR((int)weft_spool_seek(spool, 0, 77), -EINVAL);
    ASSERT_OK(weft_spool_close(spool));
    is_clean(0);
}

/* ---- a root ---- */

static weft_root *open_root(void)
{
    weft_root *root;
    fs_make("secret", "outside");
    fs_mkdir("out");
    fs_mkdir("r");
    fs_mkdir("r/d");
    fs_make("r/f", "inside");
    ASSERT(symlink("../secret", fs_path("r/up")) == 0);
    ASSERT(symlink(fs_path("secret"), fs_path("r/absolute")) == 0);
    ASSERT(symlink("../out", fs_path("r/out")) == 0);
    ASSERT(symlink("d/../f", fs_path("r/in")) == 0);
    ASSERT(symlink("/proc/self/root", fs_path("r/magic")) == 0);
    int err = weft_root_open(fs_path("r"), &root);
    if (err == -ENOSYS)
        SKIP("no openat2 here");
    ASSERT_OK(err);
    return root;
}

/* What changes the thing itself, where the path leads out. */
static void refuses_changes(weft_root *root, const char *path)
{
    int results[] = {weft_root_chmod(root, path, 0777),
                     weft_root_chown(root, path, WEFT_ID_KEEP, WEFT_ID_KEEP, 0),
                     weft_root_utime(root, path, 0, 0, 0),
                     weft_root_access(root, path, WEFT_ACCESS_READ),
                     weft_root_truncate(root, path, 0),
                     weft_root_copy(root, path, "g", NULL)};
    for (size_t i = 0; i < sizeof results / sizeof results[0]; i++)
        ASSERT(results[i] == -EXDEV || results[i] == -ELOOP);
    ASSERT(!fs_there("r/g"));
}

FS_TEST(root_keeps_every_path_inside)
{
    static const char *const bad[] = {"../secret",      "up",    "absolute",        "/etc/passwd",
                                      "d/../../secret", "magic", "magic/etc/passwd"};
    weft_stat_result st;
    weft_file *file;
    weft_root *root = open_root();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int err = weft_root_stat(root, bad[i], 0, &st);
        ASSERT(err == -EXDEV || err == -ELOOP);
        ASSERT_STR_HAS(weft_error_message(), bad[i]);
        err = weft_root_file_open(root, bad[i], "w", &file);
        ASSERT(err == -EXDEV || err == -ELOOP);
        refuses_changes(root, bad[i]);
    }
    ASSERT_ERR(weft_root_link(root, "../secret", "g"), -EXDEV);
    ASSERT_ERR(weft_root_link(root, "f", "../g"), -EXDEV);
    ASSERT_ERR(weft_root_copy(root, "f", "up", NULL), -ELOOP);
    ASSERT_ERR(weft_root_copy(root, "f", "out/g", NULL), -EXDEV);
    ASSERT_ERR(weft_root_write_atomic(root, "out/g", "x", 1, NULL), -EXDEV);
    ASSERT_ERR(weft_root_mkdir(root, "out/x", 0, false), -EXDEV);
    ASSERT_ERR(weft_root_mkdir(root, "out/x/y", 0, true), -EXDEV);
    ASSERT_ERR(weft_root_mkdir(root, "../x", 0, true), -EXDEV);
    ASSERT_ERR(weft_root_remove(root, "../secret"), -EXDEV);
    ASSERT_ERR(weft_root_remove(root, ".."), -EINVAL);
    ASSERT_ERR(weft_root_remove_tree(root, "../out"), -EXDEV);
    ASSERT_ERR(weft_root_remove_tree(root, "out"), -ENOTDIR);
    ASSERT_ERR(weft_root_rename(root, "f", "../f", 0), -EXDEV);
    ASSERT_ERR(weft_root_rename(root, "../secret", "g", 0), -EXDEV);
    ASSERT_ERR(weft_root_symlink(root, "x", "out/x"), -EXDEV);
    fs_holds("secret", "outside");
    ASSERT_INT_EQ(fs_count("out"), 0);
    weft_root_close(root);
}

FS_TEST(root_does_everything_below)
{
    weft_stat_result st;
    weft_file *file;
    char **names;
    char *text;
    char data[16];
    size_t n;
    weft_root *root = open_root();
    ASSERT_OK(weft_root_file_open(root, "in", "r", &file));
    ASSERT_INT_EQ(weft_file_read(file, data, sizeof data), 6);
    ASSERT_OK(weft_file_close(file));
    ASSERT_OK(weft_root_file_open(root, "d/new", "x+", &file));
    ASSERT_OK(weft_file_write(file, "x", 1));
    ASSERT_OK(weft_file_close(file));
    ASSERT_ERR(weft_root_file_open(root, "d/new", "x", &file), -EEXIST);
    ASSERT_ERR(weft_root_file_open(root, "d/new", "q", &file), -EINVAL);
    ASSERT_ERR(weft_root_file_open(root, "d", "r", &file), -EISDIR);
    ASSERT_OK(weft_root_stat(root, "up", WEFT_NOFOLLOW, &st));
    ASSERT_INT_EQ(st.kind, WEFT_KIND_SYMLINK);
    ASSERT_OK(weft_root_mkdir(root, "a/b//c/", 0, true));
    ASSERT_OK(weft_root_mkdir(root, "a/b/c", 0, true));
    ASSERT_ERR(weft_root_mkdir(root, "a/b/c", 0, false), -EEXIST);
    ASSERT_OK(weft_root_rename(root, "d/new", "a/b/c/moved", WEFT_RENAME_NOREPLACE));
    ASSERT_OK(weft_root_listdir(root, "a/b/c", &names, &n));
    ASSERT_INT_EQ(n, 1);
    ASSERT_STR_EQ(names[0], "moved");
    weft_free(names);
    ASSERT_OK(weft_root_symlink(root, "f", "soft"));
    ASSERT_OK(weft_root_readlink(root, "soft", &text));
    ASSERT_STR_EQ(text, "f");
    weft_free(text);
    ASSERT_OK(weft_root_remove(root, "soft"));
    ASSERT_OK(weft_root_remove(root, "d"));
    ASSERT_OK(weft_root_remove_tree(root, "a"));
    ASSERT(!fs_there("r/a"));
    ASSERT_ERR(weft_root_remove(root, "a"), -ENOENT);
    weft_root_close(root);
    weft_root_close(NULL);
    ASSERT_ERR(weft_root_open(fs_path("none"), &root), -ENOENT);
}

FS_TEST(root_changes_what_is_below)
{
    weft_stat_result st;
    char *text;
    weft_root *root = open_root();
    ASSERT_OK(weft_root_chmod(root, "f", 0640));
    ASSERT_OK(weft_root_utime(root, "f", 1, 2, 0));
    ASSERT_OK(weft_root_chown(root, "f", WEFT_ID_KEEP, WEFT_ID_KEEP, 0));
    ASSERT_OK(weft_root_stat(root, "f", 0, &st));
    ASSERT_INT_EQ(st.mode & 07777, 0640);
    ASSERT_INT_EQ(st.mtime, 2);
    ASSERT_OK(weft_root_utime(root, "in", 3, 4, WEFT_NOFOLLOW));
    ASSERT_OK(weft_root_chown(root, "in", WEFT_ID_KEEP, WEFT_ID_KEEP, WEFT_NOFOLLOW));
    ASSERT_OK(weft_root_stat(root, "in", WEFT_NOFOLLOW, &st));
    ASSERT_INT_EQ(st.kind, WEFT_KIND_SYMLINK);
    ASSERT_INT_EQ(st.mtime, 4);
    ASSERT_OK(weft_root_access(root, "in", WEFT_ACCESS_READ));
    ASSERT_ERR(weft_root_access(root, "f", 0777), -EINVAL);
    ASSERT_OK(weft_root_link(root, "f", "d/hard"));
    ASSERT_ERR(weft_root_link(root, "f", "d/hard"), -EEXIST);
    ASSERT_OK(weft_root_copy(root, "in", "d/copy", WEFT_COPY(.preserve = true)));
    fs_holds("r/d/copy", "inside");
    ASSERT_ERR(weft_root_copy(root, "f", "d/hard", NULL), -EINVAL);
    ASSERT_ERR(weft_root_copy(root, "d", "g", NULL), -EISDIR);
    ASSERT_OK(weft_root_copy(root, "up", "d/up", WEFT_COPY(.keep_symlinks = true)));
    ASSERT_OK(weft_root_readlink(root, "d/up", &text));
    weft_free(text);
    ASSERT_OK(weft_root_truncate(root, "d/hard", 2));
    fs_holds("r/f", "in");
    ASSERT_ERR(weft_root_truncate(root, "f", -1), -EINVAL);
    ASSERT_ERR(weft_root_truncate(root, "none", 1), -ENOENT);
    weft_root_close(root);
}

FS_TEST(root_writes_atomically_below)
{
    weft_root *root = open_root();
    ASSERT_OK(weft_root_write_atomic(root, "f", "new", 3, NULL));
    fs_holds("r/f", "new");
    ASSERT_OK(weft_root_write_atomic(root, "d/g", "full", 4,
                                     WEFT_ATOMIC(.durability = WEFT_DURABILITY_FULL)));
    fs_holds("r/d/g", "full");
    ASSERT_ERR(weft_root_write_atomic(root, "f", "x", 1, WEFT_ATOMIC(.exclusive = true)), -EEXIST);
    ASSERT_ERR(weft_root_write_atomic(root, "d", "x", 1, NULL), -EISDIR);
    ASSERT_ERR(weft_root_write_atomic(root, "f", NULL, 1, NULL), -EINVAL);
    ASSERT(mkfifo(fs_path("r/fifo"), 0600) == 0);
    ASSERT_ERR(weft_root_write_atomic(root, "fifo", "x", 1, NULL), -EINVAL);
    ASSERT_STR_HAS(weft_error_message(), "fifo in ");
    ASSERT_ERR(weft_root_mkdir(root, "f", 0, true), -EEXIST);
    ASSERT_ERR(weft_root_mkdir(root, "f/g", 0, true), -ENOTDIR);
    /* A link that leads out is replaced, not what it leads to. */
    ASSERT_OK(weft_root_write_atomic(root, "up", "here", 4, NULL));
    fs_holds("r/up", "here");
    fs_holds("secret", "outside");
    ASSERT_INT_EQ(fs_count("r/d"), 1);
    weft_root_close(root);
}

/* Between two system calls a folder becomes a link that leads out: nothing happens out there. */
static unsigned swap_at;

static void swap(unsigned step)
{
    if (step != swap_at)
        return;
    rename(fs_path("r/d"), fs_path("r/was"));
    ASSERT(symlink("../out", fs_path("r/d")) == 0 || errno == EEXIST);
}

FS_TEST(root_with_a_folder_swapped_for_a_link_stays_inside)
{
    for (swap_at = 1; swap_at < 30; swap_at++) {
        weft_file *file;
        weft_root *root = open_root();
        fs_make("out/kept", "x");
        weft__fs_fault = (struct weft__fs_fault){.on = true, .hook = swap};
        weft_root_mkdir(root, "d/x/y", 0, true);
        if (weft_root_file_open(root, "d/new", "w", &file) == 0)
            weft_file_close(file);
        weft_root_rename(root, "f", "d/f", 0);
        weft_root_remove(root, "d/kept");
        weft_root_copy(root, "in", "d/copy", NULL);
        weft_root_link(root, "in", "d/link");
        weft_root_write_atomic(root, "d/kept", "y", 1, NULL);
        weft_root_truncate(root, "d/kept", 0);
        weft_root_remove_tree(root, "d");
        weft__fs_fault = (struct weft__fs_fault){0};
        weft_root_close(root);
        ASSERT_INT_EQ(fs_count("out"), 1);
        fs_holds("out/kept", "x");
        fs_wipe();
        ASSERT(mkdir(fs_folder, 0700) == 0);
    }
}
