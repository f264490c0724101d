/* Folders and trees: reading, walking, matching, removing, under hostile changes too. */
#include <errno.h>

#include "fs_test.h"

/* A tree with each kind of entry, and hidden ones. */
static void make_tree(void)
{
    fs_mkdir("t");
    fs_mkdir("t/a");
    fs_mkdir("t/a/b");
    fs_mkdir("t/.h");
    fs_mkdir("t/empty");
    fs_make("t/f.c", "1");
    fs_make("t/a/g.c", "22");
    fs_make("t/a/b/x.txt", "333");
    fs_make("t/a/.dot.c", "");
    fs_make("t/.h/in.c", "");
    ASSERT(symlink("a", fs_path("t/link")) == 0);
    ASSERT(symlink("nowhere", fs_path("t/dangling")) == 0);
}

static void equal_list(char **names, size_t n, const char *expected)
{
    char text[4096] = "";
    size_t len = 0;
    for (size_t i = 0; i < n; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", i > 0 ? " " : "", names[i]);
    ASSERT(names[n] == NULL);
    ASSERT_STR_EQ(text, expected);
    weft_free(names);
}

/* ---- one folder ---- */

FS_TEST(listdir_gives_all_names_sorted)
{
    char **names;
    size_t n;
    make_tree();
    ASSERT_OK(weft_listdir(fs_path("t"), &names, &n));
    equal_list(names, n, ".h a dangling empty f.c link");
    ASSERT_OK(weft_listdir(fs_path("t/empty"), &names, &n));
    equal_list(names, n, "");
    ASSERT_ERR(weft_listdir(fs_path("none"), &names, &n), -ENOENT);
    ASSERT_STR_HAS(weft_error_message(), fs_path("none"));
    ASSERT_ERR(weft_listdir(fs_path("t/f.c"), &names, &n), -ENOTDIR);
}

FS_TEST(dir_tells_kinds_without_stat)
{
    weft_dir *dir;
    weft_dir_entry entry;
    weft_stat_result st;
    int n = 0;
    int got;
    make_tree();
    ASSERT_OK(weft_dir_open(fs_path("t"), &dir));
    while ((got = ASSERT_OK(weft_dir_next(dir, &entry))) > 0) {
        weft_kind wanted = WEFT_KIND_DIR;
        if (strcmp(entry.name, "f.c") == 0)
            wanted = WEFT_KIND_FILE;
        if (strcmp(entry.name, "link") == 0 || strcmp(entry.name, "dangling") == 0)
            wanted = WEFT_KIND_SYMLINK;
        ASSERT_INT_EQ(entry.kind, wanted);
        ASSERT_OK(weft_dir_stat(dir, entry.name, WEFT_NOFOLLOW, &st));
        ASSERT_INT_EQ(st.ino, entry.ino);
        n++;
    }
    ASSERT_INT_EQ(n, 6);
    ASSERT_INT_EQ(weft_dir_next(dir, &entry), 0);
    ASSERT_OK(weft_dir_stat(dir, "link", 0, &st));
    ASSERT_INT_EQ(st.kind, WEFT_KIND_DIR);
    ASSERT_ERR(weft_dir_stat(dir, "dangling", 0, &st), -ENOENT);
    weft_dir_close(dir);
    weft_dir_close(NULL);
    ASSERT_ERR(weft_dir_open(fs_path("none"), &dir), -ENOENT);
}

FS_TEST_IN_MEMORY(dir_of_thousands_is_read_in_batches)
{
    char name[64];
    weft_dir *dir;
    weft_dir_entry entry;
    int n = 0;
    fs_mkdir("many");
    for (int i = 0; i < 3000; i++) {
        snprintf(name, sizeof name, "many/a-name-of-some-length-%d", i);
        int fd = open(fs_path(name), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        ASSERT(fd >= 0);
        close(fd);
    }
    weft__fs_fault.on = true;
    ASSERT_OK(weft_dir_open(fs_path("many"), &dir));
    while (ASSERT_OK(weft_dir_next(dir, &entry)) > 0)
        n++;
    weft_dir_close(dir);
    ASSERT_INT_EQ(n, 3000);
    ASSERT_INT_LT(weft__fs_fault.count, 20);
    ASSERT_OK(weft_remove_tree(fs_path("many")));
}

/* ---- walking ---- */

/* What was seen, each name followed by what it is. */
static void walk_all(const weft_walk_options *options, const char *skip, const char *expected)
{
    weft_walk *walk;
    weft_walk_entry entry;
    char *names[64];
    size_t n = 0;
    int got;
    ASSERT_OK(weft_walk_open(fs_path("t"), options, &walk));
    size_t root = strlen(fs_path("t/"));
    while ((got = ASSERT_OK(weft_walk_next(walk, &entry))) > 0) {
        unsigned depth = 0;
        for (const char *c = entry.path + root; *c != '\0'; c++)
            depth += *c == '/';
        ASSERT_INT_EQ(entry.depth, depth);
        ASSERT_STR_HAS(entry.path, entry.name);
        ASSERT(asprintf(&names[n++], "%s%s%s", entry.path + root,
                        entry.kind == WEFT_KIND_DIR ? "/" : "", entry.error < 0 ? "!" : "") > 0);
        if (skip != NULL && strcmp(entry.name, skip) == 0)
            ASSERT_OK(weft_walk_skip(walk));
    }
    ASSERT_INT_EQ(weft_walk_next(walk, &entry), 0);
    ASSERT_ERR(weft_walk_skip(walk), -EINVAL);
    weft_walk_close(walk);
    char text[1024] = "";
    for (size_t done = 0; done < n; done++) {
        size_t least = done;
        for (size_t i = done; i < n; i++)
            least = strcmp(names[i], names[least]) < 0 ? i : least;
        char *name = names[least];
        names[least] = names[done];
        size_t len = strlen(text);
        snprintf(text + len, sizeof text - len, "%s%s", len > 0 ? " " : "", name);
        free(name);
    }
    ASSERT_STR_EQ(text, expected);
}

FS_TEST(walk_sees_every_entry_once)
{
    make_tree();
    const char *all = ".h/ .h/in.c a/ a/.dot.c a/b/ a/b/x.txt a/g.c dangling empty/ f.c link";
    walk_all(NULL, NULL, all);
    walk_all(WEFT_WALK(.bottom_up = true), NULL, all);
    walk_all(WEFT_WALK(.max_depth = 1), NULL, ".h/ a/ dangling empty/ f.c link");
    walk_all(WEFT_WALK(.max_depth = 2), NULL,
             ".h/ .h/in.c a/ a/.dot.c a/b/ a/g.c dangling empty/ f.c link");
}

FS_TEST(walk_skips_what_it_is_told_to)
{
    make_tree();
    walk_all(NULL, "a", ".h/ .h/in.c a/ dangling empty/ f.c link");
    walk_all(NULL, "b", ".h/ .h/in.c a/ a/.dot.c a/b/ a/g.c dangling empty/ f.c link");
}

FS_TEST(walk_follows_links_on_demand_but_not_in_circles)
{
    make_tree();
    ASSERT(symlink("../..", fs_path("t/a/b/up")) == 0);
    walk_all(WEFT_WALK(.follow_symlinks = true), NULL,
             ".h/ .h/in.c a/ a/.dot.c a/b/ a/b/up/! a/b/x.txt a/g.c dangling empty/ f.c link/ "
             "link/.dot.c link/b/ link/b/up/! link/b/x.txt link/g.c");
}

static void in_order(bool bottom_up)
{
    weft_walk *walk;
    weft_walk_entry entry;
    int folder = -1;
    int content = -1;
    ASSERT_OK(weft_walk_open(fs_path("t"), WEFT_WALK(.bottom_up = bottom_up), &walk));
    for (int i = 0; ASSERT_OK(weft_walk_next(walk, &entry)) > 0; i++) {
        if (strcmp(entry.name, "b") == 0)
            folder = i;
        if (strcmp(entry.name, "x.txt") == 0)
            content = i;
    }
    weft_walk_close(walk);
    ASSERT(bottom_up ? content < folder : folder < content);
}

FS_TEST(walk_bottom_up_gives_content_before_the_folder)
{
    make_tree();
    in_order(false);
    in_order(true);
}

/* Deeper than what stays open at once, and back again. */
static void make_deep(const char *name, int depth)
{
    int fd = open(fs_path(name), O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < depth; i++) {
        ASSERT(mkdirat(fd, "d", 0700) == 0);
        int file = openat(fd, i % 2 == 0 ? "a" : "z", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        ASSERT(file >= 0);
        close(file);
        int next = openat(fd, "d", O_PATH | O_DIRECTORY | O_CLOEXEC);
        ASSERT(next >= 0);
        close(fd);
        fd = next;
    }
    close(fd);
}

FS_TEST_IN_MEMORY(walk_and_removal_of_a_deep_tree_keep_few_descriptors)
{
    weft_walk *walk;
    weft_walk_entry entry;
    int n = 0;
    fs_mkdir("deep");
    make_deep("deep", 300);
    int before = fs_open_files();
    ASSERT_OK(weft_walk_open(fs_path("deep"), NULL, &walk));
    while (ASSERT_OK(weft_walk_next(walk, &entry)) > 0) {
        ASSERT_INT_EQ(entry.error, 0);
        n++;
        if (n % 100 == 0)
            ASSERT_INT_LE(fs_open_files(), before + 20);
    }
    weft_walk_close(walk);
    ASSERT_INT_EQ(n, 600);
    ASSERT_OK(weft_remove_tree(fs_path("deep")));
    ASSERT(!fs_there("deep"));
}

/* ---- removing: shutil.rmtree's own cases ---- */

FS_TEST(remove_tree_removes_everything_and_follows_nothing)
{
    make_tree();
    fs_mkdir("outside");
    fs_make("outside/kept", "x");
    ASSERT(symlink("../outside", fs_path("t/out")) == 0);
    ASSERT(symlink(fs_path("outside/kept"), fs_path("t/a/file-out")) == 0);
    ASSERT(mkfifo(fs_path("t/fifo"), 0600) == 0);
    ASSERT_OK(weft_remove_tree(fs_path("t")));
    ASSERT(!fs_there("t"));
    fs_holds("outside/kept", "x");
    make_tree();
    ASSERT_OK(weft_remove_tree(fs_path("t/")));
    ASSERT(!fs_there("t"));
}

FS_TEST(remove_tree_of_a_link_or_file_is_refused)
{
    make_tree();
    ASSERT_ERR(weft_remove_tree(fs_path("t/link")), -ENOTDIR);
    ASSERT_STR_HAS(weft_error_message(), fs_path("t/link"));
    ASSERT_ERR(weft_remove_tree(fs_path("t/link/")), -ENOTDIR);
    ASSERT_ERR(weft_remove_tree(fs_path("t/f.c")), -ENOTDIR);
    ASSERT_ERR(weft_remove_tree(fs_path("none")), -ENOENT);
    ASSERT_ERR(weft_remove_tree(fs_path("t/.")), -EINVAL);
    ASSERT_ERR(weft_remove_tree(fs_path("t/a/..")), -EINVAL);
    ASSERT_ERR(weft_remove_tree(""), -EINVAL);
    ASSERT(fs_there("t/a/b/x.txt"));
}

/* Between two system calls of the removal a folder is replaced by a link that leads elsewhere. */
static unsigned swap_at;

static void swap(unsigned step)
{
    if (step != swap_at)
        return;
    rename(fs_path("t/a"), fs_path("moved"));
    ASSERT(symlink("outside", fs_path("t/a")) == 0 || errno == EEXIST || errno == ENOENT);
}

FS_TEST_IN_MEMORY(remove_tree_with_a_folder_swapped_for_a_link_stays_inside)
{
    for (swap_at = 1; swap_at < 40; swap_at++) {
        fs_mkdir("outside");
        fs_mkdir("outside/b");
        fs_make("outside/g.c", "kept");
        fs_make("outside/b/x.txt", "kept");
        make_tree();
        weft__fs_fault = (struct weft__fs_fault){.on = true, .hook = swap};
        weft_remove_tree(fs_path("t"));
        bool swapped = weft__fs_fault.count >= swap_at;
        weft__fs_fault = (struct weft__fs_fault){0};
        fs_holds("outside/g.c", "kept");
        fs_holds("outside/b/x.txt", "kept");
        fs_wipe();
        ASSERT(mkdir(fs_folder, 0700) == 0);
        if (!swapped)
            break;
    }
    ASSERT_INT_GT(swap_at, 10);
}

/* ---- glob: the cases of CPython's test_glob ---- */

static void globs(const char *pattern, bool hidden, const char *expected)
{
    char **names;
    size_t n;
    ASSERT_OK(
        weft_glob(pattern, WEFT_GLOB(.root = fs_path("t"), .include_hidden = hidden), &names, &n));
    equal_list(names, n, expected);
}

FS_TEST(glob_literal_and_one_folder)
{
    make_tree();
    globs("a", false, "a");
    globs("none", false, "");
    globs("*", false, "a dangling empty f.c link");
    globs("*", true, ".h a dangling empty f.c link");
    globs(".*", false, ".h");
    globs("?.c", false, "f.c");
    globs("[a-f]*", false, "a dangling empty f.c");
    globs("[!a-f]*", false, "link");
    globs("[!]]*", false, "a dangling empty f.c link");
    globs("[", false, "");
    globs("*.C", false, "");
}

FS_TEST(glob_nested_folders)
{
    make_tree();
    globs("a/*", false, "a/b a/g.c");
    globs("*/*.c", false, "a/g.c link/g.c");
    globs("a//b/*", false, "a/b/x.txt");
    globs("a/.*", false, "a/.dot.c");
    globs("*/b/x.txt", false, "a/b/x.txt link/b/x.txt");
    globs("f.c/*", false, "");
}

FS_TEST(glob_folder_names_only)
{
    make_tree();
    globs("*/", false, "a/ empty/ link/");
    globs("f.c/", false, "");
    globs("a/", false, "a/");
}

FS_TEST(glob_broken_symlink)
{
    make_tree();
    globs("dang*", false, "dangling");
    globs("dangling", false, "dangling");
    globs("dangling/*", false, "");
}

FS_TEST(glob_recursive)
{
    make_tree();
    globs("**", false, "a a/b a/b/x.txt a/g.c dangling empty f.c link");
    globs("**/*.c", false, "a/g.c f.c");
    globs("**/*.c", true, ".h/in.c a/.dot.c a/g.c f.c");
    globs("a/**", false, "a/ a/b a/b/x.txt a/g.c");
    globs("**/", false, "a/ a/b/ empty/");
    globs("**/**/x.txt", false, "a/b/x.txt");
    globs("**/b/**", false, "a/b/ a/b/x.txt");
    globs("none/**", false, "");
}

FS_TEST(glob_from_the_root_and_of_a_missing_root)
{
    char pattern[600];
    char expected[600];
    char **names;
    size_t n;
    make_tree();
    snprintf(pattern, sizeof pattern, "%s/t/*.c", fs_folder);
    snprintf(expected, sizeof expected, "%s/t/f.c", fs_folder);
    ASSERT_OK(weft_glob(pattern, NULL, &names, &n));
    equal_list(names, n, expected);
    ASSERT_ERR(weft_glob("*", WEFT_GLOB(.root = fs_path("none")), &names, &n), -ENOENT);
    ASSERT_STR_HAS(weft_error_message(), fs_path("none"));
}

TEST(fnmatch_knows_classes_and_characters)
{
    ASSERT(weft_fnmatch("*.c", "x.c") && !weft_fnmatch("*.c", "x.h"));
    ASSERT(weft_fnmatch("a*b*c", "a-b-b-c") && !weft_fnmatch("a*b*c", "a-c-b"));
    ASSERT(weft_fnmatch("?", "\xc3\xa4") && !weft_fnmatch("??", "\xc3\xa4"));
    ASSERT(weft_fnmatch("[\xc3\xa0-\xc3\xbf]", "\xc3\xa4"));
    ASSERT(weft_fnmatch("[]]", "]") && weft_fnmatch("[!]]", "a") && weft_fnmatch("[a-]", "-"));
    ASSERT(weft_fnmatch("[", "[") && weft_fnmatch("[a", "[a") && weft_fnmatch("[*]", "*"));
    ASSERT(!weft_fnmatch("[*]", "a") && weft_fnmatch("", "") && !weft_fnmatch("", "a"));
    ASSERT(weft_fnmatch("?", "\xff") && weft_fnmatch("***", ""));
    /* Not exponential. */
    ASSERT(!weft_fnmatch("a*a*a*a*a*a*a*a*a*a*a*a*a*a*b",
                         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}
