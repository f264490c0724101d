/* Trees, patterns, questions and attributes below a root: nothing of what lies outside is seen. */
#include <errno.h>
#include <sys/xattr.h>

#include <weft/base.h>

#include "fs_test.h"

/* r is the root; what must not be reached is beside it. */
static weft_root *open_root(void)
{
    weft_root *root = NULL;
    fs_mkdir("outside");
    fs_make("outside/secret", "secret");
    fs_mkdir("outside/deep");
    fs_mkdir("r");
    fs_mkdir("r/d");
    fs_mkdir("r/d/e");
    fs_make("r/d/e/f.txt", "text");
    fs_make("r/g.txt", "text");
    ASSERT(symlink("../outside", fs_path("r/up")) == 0);
    ASSERT(symlink(fs_path("outside"), fs_path("r/absolute")) == 0);
    ASSERT(symlink("/proc/self/root", fs_path("r/magic")) == 0);
    ASSERT(symlink("d/e", fs_path("r/inside")) == 0);
    int err = weft_root_open(fs_path("r"), &root);
    if (err == -ENOSYS)
        SKIP("no openat2 here");
    ASSERT_OK(err);
    return root;
}

static const char *const away[] = {"..",       "../outside", "/",       "up",        "up/deep",
                                   "absolute", "magic",      "d/../..", "magic/proc"};
enum { N_AWAY = sizeof away / sizeof away[0] };

/* How many entries, with folders that could not be read in *ret_errors. */
static int walk_all(weft_root *root, const char *path, const weft_walk_options *options)
{
    weft_walk *walk;
    weft_walk_entry entry;
    weft_stat_result st;
    int n = 0;
    int got;
    ASSERT_OK(weft_root_walk_open(root, path, options, &walk));
    while ((got = weft_walk_next(walk, &entry)) > 0) {
        ASSERT_INT_EQ(entry.error, 0);
        ASSERT(strstr(entry.path, "secret") == NULL);
        ASSERT_OK(weft_root_stat(root, entry.path, WEFT_NOFOLLOW, &st));
        n++;
    }
    ASSERT_INT_EQ(got, 0);
    weft_walk_close(walk);
    return n;
}

FS_TEST(root_walk_stays_inside)
{
    weft_root *root = open_root();
    weft_walk *walk = NULL;
    for (size_t i = 0; i < N_AWAY; i++) {
        ASSERT_ERR(weft_root_walk_open(root, away[i], NULL, &walk), -EXDEV);
        ASSERT_STR_HAS(weft_error_message(), away[i]);
    }
    ASSERT_ERR(weft_root_walk_open(root, "none", NULL, &walk), -ENOENT);
    ASSERT_ERR(weft_root_walk_open(root, "g.txt", NULL, &walk), -ENOTDIR);
    ASSERT_ERR(weft_root_walk_open(NULL, "d", NULL, &walk), -EINVAL);
    ASSERT(walk == NULL);
    ASSERT_INT_EQ(walk_all(root, ".", NULL), 8);
    ASSERT_INT_EQ(walk_all(root, "d", WEFT_WALK(.bottom_up = true)), 2);
    /* The link inside is entered, those that lead out are not. */
    ASSERT_INT_EQ(walk_all(root, ".", WEFT_WALK(.follow_symlinks = true)), 9);
    ASSERT_INT_EQ(walk_all(root, "inside", NULL), 1);
    weft_root_close(root);
}

/* Deeper than folders are kept open: the one above a link is found again by its path. */
FS_TEST(root_walk_finds_its_way_back_below_links)
{
    enum { DEPTH = 40 };
    char path[8 + 2 * DEPTH] = "r/t";
    weft_root *root = open_root();
    fs_mkdir("r/far");
    fs_mkdir("r/t");
    for (int i = 0; i < DEPTH; i++) {
        strcat(path, "/n");
        fs_mkdir(path);
    }
    ASSERT(rename(fs_path("r/t/n/n"), fs_path("r/far/n")) == 0);
    ASSERT(symlink("../../far/n", fs_path("r/t/n/n")) == 0);
    fs_make("r/t/last", "text");
    ASSERT_INT_EQ(walk_all(root, "t", WEFT_WALK(.follow_symlinks = true)), DEPTH + 1);
    weft_root_close(root);
}

FS_TEST(root_walk_with_a_folder_swapped_for_a_link_stays_inside)
{
    weft_root *root = open_root();
    weft_walk *walk;
    weft_walk_entry entry;
    int got;
    for (int follow = 0; follow < 2; follow++) {
        ASSERT_OK(weft_root_walk_open(root, "d", WEFT_WALK(.follow_symlinks = follow == 1), &walk));
        weft_root *kept = NULL;
        ASSERT_OK(weft_root_open(fs_path("r"), &kept));
        weft_root_close(root);
        root = kept;
        ASSERT(rename(fs_path("r/d/e"), fs_path("r/d2")) == 0);
        ASSERT(symlink("../../outside", fs_path("r/d/e")) == 0);
        while ((got = weft_walk_next(walk, &entry)) > 0)
            ASSERT(strstr(entry.path, "secret") == NULL);
        ASSERT_INT_EQ(got, 0);
        weft_walk_close(walk);
        ASSERT(unlink(fs_path("r/d/e")) == 0);
        ASSERT(rename(fs_path("r/d2"), fs_path("r/d/e")) == 0);
    }
    weft_root_close(root);
}

static void finds(weft_root *root, const char *pattern, const char *folder, const char *wanted)
{
    char **names;
    char all[256] = "";
    size_t n;
    ASSERT_OK(weft_root_glob(root, pattern, WEFT_GLOB(.root = folder), &names, &n));
    for (size_t i = 0; i < n; i++) {
        strcat(all, names[i]);
        strcat(all, " ");
    }
    ASSERT_STR_EQ(all, wanted);
    weft_free(names);
}

FS_TEST(root_glob_stays_inside)
{
    static const char *const patterns[] = {"../*", "/*", "d/../../*", "d/..", "..", "//etc/*"};
    weft_root *root = open_root();
    char **names = NULL;
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        ASSERT_ERR(weft_root_glob(root, patterns[i], NULL, &names, NULL), -EXDEV);
        ASSERT_STR_HAS(weft_error_message(), patterns[i]);
    }
    for (size_t i = 0; i < N_AWAY; i++)
        ASSERT_ERR(weft_root_glob(root, "*", WEFT_GLOB(.root = away[i]), &names, NULL), -EXDEV);
    ASSERT_ERR(weft_root_glob(root, NULL, NULL, &names, NULL), -EINVAL);
    ASSERT(names == NULL);
    finds(root, "**/*.txt", NULL, "d/e/f.txt g.txt ");
    finds(root, "*.txt", "d/e", "f.txt ");
    finds(root, "*/f.txt", NULL, "inside/f.txt ");
    finds(root, "d/*/", NULL, "d/e/ ");
    finds(root, "*/secret", NULL, "");
    finds(root, "up/*", NULL, "");
    finds(root, "up/secret", NULL, "");
    finds(root, "absolute/**", NULL, "");
    finds(root, "*u*/", NULL, "");
    finds(root, "u*", NULL, "up ");
    finds(root, "magic/*", NULL, "");
    weft_root_close(root);
}

FS_TEST(root_questions_are_answered_below_only)
{
    weft_root *root = open_root();
    weft_statvfs_result space;
    weft_statvfs_result same;
    ASSERT(symlink("nowhere", fs_path("r/broken")) == 0);
    ASSERT_INT_EQ(weft_root_exists(root, "g.txt"), 1);
    ASSERT_INT_EQ(weft_root_exists(root, "none"), 0);
    ASSERT_INT_EQ(weft_root_exists(root, "g.txt/x"), 0);
    ASSERT_INT_EQ(weft_root_exists(root, "broken"), 0);
    ASSERT_INT_EQ(weft_root_lexists(root, "broken"), 1);
    ASSERT_INT_EQ(weft_root_lexists(root, "none"), 0);
    ASSERT_INT_EQ(weft_root_is_file(root, "g.txt"), 1);
    ASSERT_INT_EQ(weft_root_is_file(root, "d"), 0);
    ASSERT_INT_EQ(weft_root_is_dir(root, "inside"), 1);
    ASSERT_INT_EQ(weft_root_is_dir(root, "none"), 0);
    ASSERT_INT_EQ(weft_root_is_symlink(root, "up"), 1);
    ASSERT_INT_EQ(weft_root_is_symlink(root, "d"), 0);
    ASSERT_INT_EQ(weft_root_is_symlink(root, "none"), 0);
    for (size_t i = 0; i < N_AWAY; i++) {
        ASSERT_ERR(weft_root_exists(root, away[i]), -EXDEV);
        ASSERT_ERR(weft_root_is_file(root, away[i]), -EXDEV);
        ASSERT_ERR(weft_root_is_dir(root, away[i]), -EXDEV);
        ASSERT_ERR(weft_root_statvfs(root, away[i], &space), -EXDEV);
        ASSERT_STR_HAS(weft_error_message(), "leads out");
    }
    ASSERT_ERR(weft_root_lexists(root, "up/secret"), -EXDEV);
    ASSERT_ERR(weft_root_is_symlink(root, "../r/up"), -EXDEV);
    ASSERT_ERR(weft_root_exists(NULL, "x"), -EINVAL);
    ASSERT_OK(weft_root_statvfs(root, "d", &space));
    ASSERT_OK(weft_statvfs(fs_path("r/d"), &same));
    ASSERT(space.total == same.total && space.block_size == same.block_size);
    ASSERT_ERR(weft_root_statvfs(root, "none", &space), -ENOENT);
    ASSERT_ERR(weft_root_statvfs(root, "d", NULL), -EINVAL);
    weft_root_close(root);
}

FS_TEST(root_touch_stays_inside)
{
    weft_root *root = open_root();
    weft_stat_result st;
    ASSERT_OK(weft_root_touch(root, "d/new", 0600, 0));
    ASSERT_OK(weft_root_stat(root, "d/new", 0, &st));
    ASSERT_INT_EQ(st.mode & 07777, 0600);
    ASSERT_OK(weft_root_utime(root, "d/new", 1, 2, 0));
    ASSERT_OK(weft_root_touch(root, "d/new", 0, 0));
    ASSERT_OK(weft_root_stat(root, "d/new", 0, &st));
    ASSERT(st.mtime > 2);
    ASSERT_ERR(weft_root_touch(root, "d/new", 0, WEFT_EXCLUSIVE), -EEXIST);
    ASSERT_OK(weft_root_touch(root, "d/only", 0, WEFT_EXCLUSIVE));
    ASSERT_ERR(weft_root_touch(root, "none/new", 0, 0), -ENOENT);
    ASSERT_ERR(weft_root_touch(root, "up/new", 0, 0), -EXDEV);
    ASSERT_ERR(weft_root_touch(root, "../new", 0, WEFT_EXCLUSIVE), -EXDEV);
    ASSERT(symlink("../outside/made", fs_path("r/dangling")) == 0);
    ASSERT_ERR(weft_root_touch(root, "dangling", 0, 0), -EXDEV);
    ASSERT_INT_EQ(fs_count("outside"), 2);
    weft_root_close(root);
}

FS_TEST(root_attributes_stay_inside)
{
    weft_root *root = open_root();
    char *value = NULL;
    char **names = NULL;
    size_t len;
    size_t n;
    for (size_t i = 0; i < N_AWAY; i++) {
        ASSERT_ERR(weft_root_getxattr(root, away[i], "user.k", 0, &value, NULL), -EXDEV);
        ASSERT_ERR(weft_root_listxattr(root, away[i], 0, &names, NULL), -EXDEV);
        ASSERT_ERR(weft_root_setxattr(root, away[i], "user.k", "v", 1, 0), -EXDEV);
        ASSERT_ERR(weft_root_removexattr(root, away[i], "user.k", 0), -EXDEV);
        ASSERT_STR_HAS(weft_error_message(), "leads out");
    }
    ASSERT_ERR(weft_root_getxattr(root, "none", "user.k", 0, &value, NULL), -ENOENT);
    ASSERT_STR_HAS(weft_error_message(), "attribute user.k of none in ");
    ASSERT_ERR(weft_root_getxattr(NULL, "g.txt", "user.k", 0, &value, NULL), -EINVAL);
    ASSERT_ERR(weft_root_listxattr(root, NULL, 0, &names, NULL), -EINVAL);
    ASSERT_ERR(weft_root_setxattr(root, "g.txt", "user.k", NULL, 1, 0), -EINVAL);
    ASSERT_ERR(weft_root_removexattr(root, "g.txt", NULL, 0), -EINVAL);
    if (setxattr(fs_path("r/g.txt"), "user.probe", "x", 1, 0) < 0) {
        weft_root_close(root);
        SKIP("the file system has no user attributes");
    }
    ASSERT_OK(weft_root_setxattr(root, "g.txt", "user.k", "a\0b", 3, WEFT_XATTR_CREATE));
    ASSERT_ERR(weft_root_setxattr(root, "g.txt", "user.k", "v", 1, WEFT_XATTR_CREATE), -EEXIST);
    ASSERT_OK(weft_root_getxattr(root, "g.txt", "user.k", 0, &value, &len));
    ASSERT_INT_EQ(len, 3);
    ASSERT_MEM_EQ(value, "a\0b", 3);
    weft_free(value);
    ASSERT_OK(weft_root_removexattr(root, "g.txt", "user.probe", 0));
    ASSERT_OK(weft_root_listxattr(root, "g.txt", 0, &names, &n));
    ASSERT_INT_EQ(n, 1);
    ASSERT_STR_EQ(names[0], "user.k");
    weft_free(names);
    /* A link inside is followed, or it is the link itself, which may have no user attributes. */
    ASSERT_OK(weft_root_setxattr(root, "inside/f.txt", "user.k", "v", 1, 0));
    ASSERT_ERR(weft_root_setxattr(root, "up", "user.k", "v", 1, WEFT_NOFOLLOW), -EPERM);
    ASSERT_OK(weft_root_listxattr(root, "up", WEFT_NOFOLLOW, &names, &n));
    ASSERT_INT_EQ(n, 0);
    weft_free(names);
    weft_root_close(root);
}

FS_TEST(root_dir_stays_inside)
{
    weft_root *root = open_root();
    weft_dir *dir = NULL;
    weft_dir_entry entry;
    weft_stat_result st;
    int n = 0;
    for (size_t i = 0; i < N_AWAY; i++) {
        ASSERT_ERR(weft_root_dir_open(root, away[i], &dir), -EXDEV);
        ASSERT_STR_HAS(weft_error_message(), away[i]);
    }
    ASSERT_ERR(weft_root_dir_open(root, "g.txt", &dir), -ENOTDIR);
    ASSERT_ERR(weft_root_dir_open(NULL, ".", &dir), -EINVAL);
    ASSERT(dir == NULL);
    ASSERT_OK(weft_root_dir_open(root, ".", &dir));
    weft_root_close(root);
    while (weft_dir_next(dir, &entry) > 0) {
        ASSERT_OK(weft_dir_stat(dir, entry.name, WEFT_NOFOLLOW, &st));
        ASSERT_INT_EQ(st.kind, entry.kind);
        n++;
    }
    ASSERT_INT_EQ(n, 6);
    ASSERT_OK(weft_dir_stat(dir, "inside", 0, &st));
    ASSERT_INT_EQ(st.kind, WEFT_KIND_DIR);
    for (size_t i = 0; i < N_AWAY; i++)
        ASSERT_ERR(weft_dir_stat(dir, away[i], 0, &st), -EXDEV);
    ASSERT_ERR(weft_dir_stat(dir, "../outside", WEFT_NOFOLLOW, &st), -EXDEV);
    weft_dir_close(dir);
}

FS_TEST(root_copy_tree_stays_inside)
{
    weft_root *root = open_root();
    char *text;
    for (size_t i = 0; i < N_AWAY; i++) {
        ASSERT_ERR(weft_root_copy_tree(root, away[i], "copy", NULL), -EXDEV);
        ASSERT_INT_EQ(weft_root_lexists(root, "copy"), 0);
    }
    ASSERT_ERR(weft_root_copy_tree(root, "d", "../copy", NULL), -EXDEV);
    ASSERT_ERR(weft_root_copy_tree(root, "d", "up/copy", NULL), -EXDEV);
    ASSERT_ERR(weft_root_copy_tree(root, "d", "up", NULL), -EEXIST);
    ASSERT_ERR(weft_root_copy_tree(root, "d", "up", WEFT_COPY_TREE(.exist_ok = true)), -ENOTDIR);
    ASSERT_ERR(weft_root_copy_tree(root, "d", NULL, NULL), -EINVAL);
    ASSERT_INT_EQ(fs_count("outside"), 2);
    ASSERT(symlink("../../outside", fs_path("r/d/away")) == 0);
    ASSERT(symlink("e/f.txt", fs_path("r/d/file")) == 0);
    ASSERT(symlink("e", fs_path("r/d/folder")) == 0);
    ASSERT_OK(weft_root_copy_tree(root, "d", "copy", WEFT_COPY_TREE(.preserve = true)));
    fs_holds("r/copy/e/f.txt", "text");
    ASSERT_OK(weft_root_readlink(root, "copy/away", &text));
    ASSERT_STR_EQ(text, "../../outside");
    weft_free(text);
    ASSERT_ERR(weft_root_copy_tree(root, "d", "copy", NULL), -EEXIST);
    ASSERT_ERR(weft_root_copy_tree(root, "d", "bad", WEFT_COPY_TREE(.follow_symlinks = true)),
               -EXDEV);
    ASSERT_INT_EQ(weft_root_lexists(root, "bad/away/secret"), 0);
    ASSERT(unlink(fs_path("r/d/away")) == 0);
    ASSERT_OK(weft_root_copy_tree(root, "d", "all",
                                  WEFT_COPY_TREE(.follow_symlinks = true, .preserve = true)));
    fs_holds("r/all/file", "text");
    fs_holds("r/all/folder/f.txt", "text");
    ASSERT_INT_EQ(weft_root_is_symlink(root, "all/folder"), 0);
    ASSERT_INT_EQ(weft_root_is_symlink(root, "all/file"), 0);
    /* Over a tree in which a link stands where a folder shall be. */
    ASSERT_OK(weft_root_mkdir(root, "trap", 0, false));
    ASSERT(symlink("../../outside/deep", fs_path("r/trap/e")) == 0);
    ASSERT(weft_root_copy_tree(root, "d", "trap", WEFT_COPY_TREE(.exist_ok = true)) < 0);
    ASSERT_INT_EQ(fs_count("outside/deep"), 0);
    weft_root_close(root);
}
