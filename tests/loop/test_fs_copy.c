/* Copying and moving: shutil's own cases, by each way that the kernel offers. */
#include <errno.h>
#include <sys/xattr.h>

#include <weft/base.h>

#include "fs_test.h"

/* ---- one file ---- */

static void copies_with(struct weft__fs_fault ways)
{
    static char big[3 * 1024 * 1024];
    char *data;
    size_t len;
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (char)(i * 7 + i / 4096);
    weft__fs_fault = ways;
    ASSERT_OK(weft_write_file(fs_path("big"), big, sizeof big));
    ASSERT_OK(weft_copy(fs_path("big"), fs_path("copy"), NULL));
    ASSERT_OK(weft_read_file(fs_path("copy"), &data, &len));
    ASSERT_INT_EQ(len, sizeof big);
    ASSERT_MEM_EQ(data, big, len);
    weft_free(data);
    fs_make("small", "new");
    ASSERT_OK(weft_copy(fs_path("small"), fs_path("copy"), NULL));
    fs_holds("copy", "new");
    fs_make("empty", "");
    ASSERT_OK(weft_copy(fs_path("empty"), fs_path("copy"), NULL));
    fs_holds("copy", "");
    weft__fs_fault = (struct weft__fs_fault){0};
}

FS_TEST(copy_is_the_same_by_every_way)
{
    copies_with((struct weft__fs_fault){0});
    copies_with((struct weft__fs_fault){.no_clone = true});
    copies_with((struct weft__fs_fault){.no_clone = true, .no_range = true});
}

static void keeps_holes(bool no_range)
{
    struct stat st;
    char bytes[8192];
    int fd = open(fs_path("sparse"), O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
    ASSERT(fd >= 0 && ftruncate(fd, 64 * 1024 * 1024) == 0);
    memset(bytes, 'x', sizeof bytes);
    ASSERT(pwrite(fd, bytes, sizeof bytes, 32 * 1024 * 1024) == sizeof bytes);
    close(fd);
    weft__fs_fault = (struct weft__fs_fault){.no_clone = true, .no_range = no_range};
    ASSERT_OK(weft_copy(fs_path("sparse"), fs_path("copy"), NULL));
    weft__fs_fault = (struct weft__fs_fault){0};
    ASSERT(stat(fs_path("copy"), &st) == 0);
    ASSERT_INT_EQ(st.st_size, 64 * 1024 * 1024);
    ASSERT_INT_LT(st.st_blocks * 512, 1024 * 1024);
    fd = open(fs_path("copy"), O_RDONLY | O_CLOEXEC);
    ASSERT(pread(fd, bytes, sizeof bytes, 32 * 1024 * 1024) == sizeof bytes);
    ASSERT(bytes[0] == 'x' && bytes[8191] == 'x');
    close(fd);
}

FS_TEST(copy_keeps_holes)
{
    keeps_holes(false);
    keeps_holes(true);
}

FS_TEST(copy_preserves_on_demand)
{
    struct stat from;
    struct stat to;
    char value[16];
    fs_make("f", "x");
    const struct timespec times[] = {{.tv_sec = 1000, .tv_nsec = 5},
                                     {.tv_sec = 2000, .tv_nsec = 7}};
    ASSERT(chmod(fs_path("f"), 0751) == 0);
    bool has_attributes = setxattr(fs_path("f"), "user.k", "v", 1, 0) == 0;
    ASSERT(utimensat(AT_FDCWD, fs_path("f"), times, 0) == 0);
    ASSERT(stat(fs_path("f"), &from) == 0);
    mode_t mask = umask(027);
    ASSERT_OK(weft_copy(fs_path("f"), fs_path("plain"), NULL));
    ASSERT_OK(weft_copy(fs_path("f"), fs_path("all"), WEFT_COPY(.preserve = true)));
    umask(mask);
    ASSERT(stat(fs_path("plain"), &to) == 0);
    ASSERT_INT_EQ(to.st_mode & 07777, 0750);
    ASSERT_INT_NE(to.st_mtim.tv_sec, 2000);
    ASSERT(stat(fs_path("all"), &to) == 0);
    ASSERT_INT_EQ(to.st_mode, from.st_mode);
    ASSERT_INT_EQ(to.st_mtim.tv_sec, 2000);
    ASSERT_INT_EQ(to.st_mtim.tv_nsec, 7);
    if (has_attributes)
        ASSERT_INT_EQ(getxattr(fs_path("all"), "user.k", value, sizeof value), 1);
}

FS_TEST(copy_to_itself_is_refused_and_harmless)
{
    fs_make("f", "precious");
    ASSERT(link(fs_path("f"), fs_path("hard")) == 0);
    ASSERT(symlink("f", fs_path("soft")) == 0);
    ASSERT_ERR(weft_copy(fs_path("f"), fs_path("f"), NULL), -EINVAL);
    ASSERT_STR_HAS(weft_error_message(), "same file");
    ASSERT_ERR(weft_copy(fs_path("f"), fs_path("hard"), NULL), -EINVAL);
    ASSERT_ERR(weft_copy(fs_path("f"), fs_path("soft"), NULL), -EINVAL);
    ASSERT_ERR(weft_copy(fs_path("soft"), fs_path("f"), NULL), -EINVAL);
    fs_holds("f", "precious");
}

FS_TEST(copy_of_what_is_no_file_is_refused)
{
    fs_mkdir("d");
    fs_make("f", "x");
    ASSERT(mkfifo(fs_path("fifo"), 0600) == 0);
    ASSERT_ERR(weft_copy(fs_path("d"), fs_path("x"), NULL), -EISDIR);
    ASSERT_ERR(weft_copy(fs_path("f"), fs_path("d"), NULL), -EISDIR);
    ASSERT_ERR(weft_copy(fs_path("fifo"), fs_path("x"), NULL), -EINVAL);
    ASSERT_STR_HAS(weft_error_message(), fs_path("fifo"));
    ASSERT_ERR(weft_copy("/dev/zero", fs_path("x"), NULL), -EINVAL);
    ASSERT_ERR(weft_copy(fs_path("none"), fs_path("x"), NULL), -ENOENT);
    ASSERT_ERR(weft_copy(fs_path("f"), fs_path("no/x"), NULL), -ENOENT);
    ASSERT(!fs_there("x"));
}

FS_TEST(copy_of_links_and_exclusive)
{
    char *text;
    fs_make("f", "x");
    ASSERT(symlink("f", fs_path("soft")) == 0);
    ASSERT_OK(weft_copy(fs_path("soft"), fs_path("through"), NULL));
    fs_holds("through", "x");
    ASSERT_OK(weft_copy(fs_path("soft"), fs_path("link"), WEFT_COPY(.keep_symlinks = true)));
    ASSERT_OK(weft_readlink(fs_path("link"), &text));
    ASSERT_STR_EQ(text, "f");
    weft_free(text);
    ASSERT_ERR(weft_copy(fs_path("f"), fs_path("through"), WEFT_COPY(.exclusive = true)), -EEXIST);
}

FS_TEST(copy_of_a_file_without_a_size_is_read_to_its_end)
{
    weft_stat_result st;
    ASSERT_OK(weft_copy("/proc/version", fs_path("v"), NULL));
    ASSERT_OK(weft_stat(fs_path("v"), &st));
    ASSERT_INT_GT(st.size, 10);
}

/* ---- trees ---- */

static void make_tree(void)
{
    fs_mkdir("t");
    fs_mkdir("t/a");
    fs_mkdir("t/a/b");
    fs_make("t/f", "1");
    fs_make("t/a/b/g", "2");
    ASSERT(symlink("a", fs_path("t/link")) == 0);
    const struct timespec times[] = {{.tv_sec = 1000}, {.tv_sec = 2000}};
    ASSERT(chmod(fs_path("t/a"), 0750) == 0);
    ASSERT(utimensat(AT_FDCWD, fs_path("t/a"), times, 0) == 0);
}

FS_TEST(copy_tree_copies_everything)
{
    struct stat st;
    make_tree();
    ASSERT_OK(weft_copy_tree(fs_path("t"), fs_path("u"), WEFT_COPY_TREE(.preserve = true)));
    fs_holds("u/f", "1");
    fs_holds("u/a/b/g", "2");
    ASSERT_INT_EQ(weft_is_symlink(fs_path("u/link")), 1);
    ASSERT(stat(fs_path("u/a"), &st) == 0);
    ASSERT_INT_EQ(st.st_mode & 07777, 0750);
    ASSERT_INT_EQ(st.st_mtim.tv_sec, 2000);
    ASSERT_ERR(weft_copy_tree(fs_path("t"), fs_path("u"), NULL), -EEXIST);
    fs_make("t/f", "changed");
    fs_make("u/only-here", "x");
    ASSERT(unlink(fs_path("u/link")) == 0);
    ASSERT_OK(weft_copy_tree(fs_path("t"), fs_path("u"), WEFT_COPY_TREE(.exist_ok = true)));
    fs_holds("u/f", "changed");
    fs_holds("u/only-here", "x");
}

FS_TEST(copy_tree_follows_links_on_demand)
{
    make_tree();
    ASSERT_OK(weft_copy_tree(fs_path("t"), fs_path("u"), WEFT_COPY_TREE(.follow_symlinks = true)));
    ASSERT_INT_EQ(weft_is_symlink(fs_path("u/link")), 0);
    fs_holds("u/link/b/g", "2");
    ASSERT(symlink("nowhere", fs_path("t/dangling")) == 0);
    ASSERT_ERR(weft_copy_tree(fs_path("t"), fs_path("v"), WEFT_COPY_TREE(.follow_symlinks = true)),
               -ENOENT);
    ASSERT_STR_HAS(weft_error_message(), fs_path("t/dangling"));
}

/* What a stranger put into the target must not let the copy write elsewhere. */
FS_TEST(copy_tree_goes_through_no_link_in_the_target)
{
    const weft_copy_tree_options *again = WEFT_COPY_TREE(.exist_ok = true, .preserve = true);
    make_tree();
    fs_mkdir("outside");
    fs_make("outside/kept", "kept");
    fs_mkdir("u");
    ASSERT(symlink("../outside/kept", fs_path("u/f")) == 0);
    ASSERT_ERR(weft_copy_tree(fs_path("t"), fs_path("u"), again), -ELOOP);
    ASSERT_STR_HAS(weft_error_message(), fs_path("u/f"));
    fs_holds("outside/kept", "kept");
    ASSERT(unlink(fs_path("u/f")) == 0);
    if (fs_there("u/link"))
        ASSERT(unlink(fs_path("u/link")) == 0);
    if (fs_there("u/a/b/g"))
        ASSERT(unlink(fs_path("u/a/b/g")) == 0);
    if (fs_there("u/a/b"))
        ASSERT(rmdir(fs_path("u/a/b")) == 0);
    if (fs_there("u/a"))
        ASSERT(rmdir(fs_path("u/a")) == 0);
    ASSERT(symlink("../outside", fs_path("u/a")) == 0);
    ASSERT_ERR(weft_copy_tree(fs_path("t"), fs_path("u"), again), -EEXIST);
    ASSERT_INT_EQ(fs_count("outside"), 1);
}

/* At each step in turn: what is "u/a" by then becomes a link that leads out. */
static unsigned swap_at;

static void swap_for_link(unsigned step)
{
    if (step != swap_at || !fs_there("u/a"))
        return;
    ASSERT(rename(fs_path("u/a"), fs_path("u/away")) == 0);
    ASSERT(symlink("../outside", fs_path("u/a")) == 0);
}

FS_TEST(copy_tree_with_a_folder_swapped_for_a_link_stays_inside)
{
    unsigned last = 1;
    for (swap_at = 1; swap_at <= last && swap_at < 100; swap_at++) {
        fs_wipe();
        ASSERT(mkdir(fs_folder, 0700) == 0);
        make_tree();
        fs_make("t/a/b/second", "3");
        fs_mkdir("outside");
        fs_mkdir("outside/b");
        weft__fs_fault = (struct weft__fs_fault){.on = true, .hook = swap_for_link};
        int err = weft_copy_tree(fs_path("t"), fs_path("u"), NULL);
        last = weft__fs_fault.count;
        weft__fs_fault = (struct weft__fs_fault){0};
        ASSERT(err == 0 || err == -ELOOP || err == -ENOENT || err == -ENOTDIR || err == -EEXIST);
        ASSERT_INT_EQ(fs_count("outside/b"), 0);
        ASSERT_INT_EQ(fs_count("outside"), 1);
    }
}

FS_TEST(copy_tree_of_a_deep_tree_keeps_few_descriptors)
{
    char name[512] = "t";
    fs_mkdir("t");
    for (int i = 0; i < 60; i++) {
        strcat(name, "/d");
        fs_mkdir(name);
    }
    strcat(name, "/f");
    fs_make(name, "deep");
    ASSERT_OK(weft_copy_tree(fs_path("t"), fs_path("u"), NULL));
    name[0] = 'u';
    fs_holds(name, "deep");
}

FS_TEST(copy_tree_into_itself_ends)
{
    make_tree();
    ASSERT_OK(weft_copy_tree(fs_path("t"), fs_path("t/a/copy"), NULL));
    fs_holds("t/a/copy/f", "1");
    ASSERT(!fs_there("t/a/copy/a/copy"));
    ASSERT_ERR(weft_copy_tree(fs_path("t"), fs_path("t"), WEFT_COPY_TREE(.exist_ok = true)),
               -EINVAL);
}

FS_TEST(copy_tree_of_what_is_no_folder_is_refused)
{
    fs_make("f", "");
    ASSERT_ERR(weft_copy_tree(fs_path("f"), fs_path("u"), NULL), -ENOTDIR);
    ASSERT_ERR(weft_copy_tree(fs_path("none"), fs_path("u"), NULL), -ENOENT);
    ASSERT_STR_HAS(weft_error_message(), fs_path("none"));
    ASSERT(!fs_there("u"));
}

/* ---- moving ---- */

static void moves(bool other_device)
{
    struct stat st;
    weft__fs_fault.other_device = other_device;
    weft__fs_fault.on = true;
    make_tree();
    ASSERT_OK(weft_move(fs_path("t"), fs_path("moved")));
    ASSERT(!fs_there("t"));
    fs_holds("moved/a/b/g", "2");
    ASSERT_INT_EQ(weft_is_symlink(fs_path("moved/link")), 1);
    ASSERT(stat(fs_path("moved/a"), &st) == 0);
    ASSERT_INT_EQ(st.st_mode & 07777, 0750);
    ASSERT_INT_EQ(st.st_mtim.tv_sec, 2000);
    fs_make("f", "new");
    fs_make("target", "old");
    ASSERT_OK(weft_move(fs_path("f"), fs_path("target")));
    ASSERT(!fs_there("f"));
    fs_holds("target", "new");
    ASSERT_OK(weft_move(fs_path("moved/link"), fs_path("link")));
    ASSERT_INT_EQ(weft_is_symlink(fs_path("link")), 1);
    fs_mkdir("empty");
    ASSERT_OK(weft_move(fs_path("moved"), fs_path("empty")));
    fs_holds("empty/f", "1");
    fs_mkdir("full");
    fs_make("full/x", "");
    ASSERT_ERR(weft_move(fs_path("empty"), fs_path("full")), -ENOTEMPTY);
    ASSERT_ERR(weft_move(fs_path("none"), fs_path("x")), -ENOENT);
    fs_holds("empty/f", "1");
    ASSERT_INT_EQ(fs_count(""), 4);
}

FS_TEST(move_renames)
{
    moves(false);
}

FS_TEST(move_between_file_systems_copies_and_removes)
{
    moves(true);
}

FS_TEST(move_into_itself_is_refused_and_harmless)
{
    make_tree();
    ASSERT_ERR(weft_move(fs_path("t"), fs_path("t/a/x")), -EINVAL);
    weft__fs_fault.other_device = true;
    ASSERT_ERR(weft_move(fs_path("t"), fs_path("t/a/x")), -EINVAL);
    fs_holds("t/f", "1");
    fs_holds("t/a/b/g", "2");
    ASSERT(!fs_there("t/a/x"));
}

/* Really from one to the other, where there are two. */
FILE_TEST(move_from_disk_to_memory_and_back)
{
    char there[128];
    struct stat a;
    struct stat b;
    snprintf(fs_folder, sizeof fs_folder, "%s", test_tmpdir());
    if (stat("/dev/shm", &a) < 0 || stat(fs_folder, &b) < 0 || a.st_dev == b.st_dev)
        SKIP("there is one file system only");
    snprintf(there, sizeof there, "/dev/shm/weft-move-%d", (int)getpid());
    make_tree();
    ASSERT_OK(weft_move(fs_path("t"), there));
    ASSERT(!fs_there("t"));
    ASSERT_OK(weft_move(there, fs_path("back")));
    ASSERT_INT_EQ(weft_lexists(there), 0);
    fs_holds("back/a/b/g", "2");
    ASSERT_OK(weft_remove_tree(fs_path("back")));
}
