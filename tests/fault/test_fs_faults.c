/*
 * Names, trees, copies and temporary files with everything failing once: allocations, system
 * calls, cancellations.  Nothing stays open, allocated or lying about; the next call works.
 */
#include <errno.h>

#include <weft/base.h>
#include <weft/testing.h>

#include "fault.h"
#include "fs_test.h"

static int fresh(void)
{
    fs_wipe();
    ASSERT(mkdir(fs_folder, 0700) == 0);
    fs_mkdir("t");
    fs_mkdir("t/a");
    fs_make("t/a/f", "text");
    fs_make("t/g", "text");
    ASSERT(symlink("a", fs_path("t/link")) == 0);
    return 0;
}

static int names(void *arg)
{
    weft_stat_result info;
    char *text = NULL;
    (void)arg;
    fresh();
    int err = weft_stat(fs_path("t/g"), &info);
    if (err == 0)
        err = weft_rename_with(fs_path("t/g"), fs_path("t/h"), WEFT_RENAME_NOREPLACE);
    if (err == 0)
        err = weft_readlink(fs_path("t/link"), &text);
    weft_free(text);
    if (err == 0)
        err = weft_renames(fs_path("t/h"), fs_path("x/y/z"));
    return err;
}

static int lists(void *arg)
{
    char **found = NULL;
    size_t n;
    (void)arg;
    fresh();
    int err = weft_listdir(fs_path("t"), &found, &n);
    weft_free(found);
    found = NULL;
    if (err == 0)
        err = weft_glob("**/*", WEFT_GLOB(.root = fs_folder), &found, &n);
    weft_free(found);
    return err;
}

static int walks(void *arg)
{
    weft_walk *walk;
    weft_walk_entry entry;
    int got;
    (void)arg;
    fresh();
    int err = weft_walk_open(fs_path("t"), NULL, &walk);
    if (err < 0)
        return err;
    while ((got = weft_walk_next(walk, &entry)) > 0) {
        if (entry.error < 0)
            got = err = entry.error;
        if (err < 0)
            break;
    }
    weft_walk_close(walk);
    return got;
}

static int copies(void *arg)
{
    (void)arg;
    fresh();
    weft__fs_fault.no_clone = true;
    int err = weft_copy(fs_path("t/g"), fs_path("copy"), WEFT_COPY(.preserve = true));
    ASSERT(err == 0 || !fs_there("copy"));
    if (err == 0)
        err = weft_copy_tree(fs_path("t"), fs_path("u"), WEFT_COPY_TREE(.preserve = true));
    if (err == 0)
        err = weft_remove_tree(fs_path("t"));
    return err;
}

static int temps(void *arg)
{
    weft_file *file;
    weft_temp_dir *dir;
    (void)arg;
    fresh();
    int err = weft_temp_file(WEFT_TEMP(.dir = fs_folder), &file);
    if (err == 0)
        err = weft_file_close(file);
    if (err == 0)
        err = weft_temp_dir_open(WEFT_TEMP(.dir = fs_folder), &dir);
    if (err == 0)
        weft_temp_dir_close(dir);
    return err;
}

static int atomics(void *arg)
{
    (void)arg;
    fresh();
    int err = weft_write_atomic(fs_path("t/g"), "new", 3, NULL);
    fs_holds("t/g", err == 0 ? "new" : "text");
    ASSERT_INT_EQ(fs_count("t"), 3);
    return err;
}

static int roots(void *arg)
{
    weft_root *root;
    weft_file *file;
    (void)arg;
    fresh();
    int err = weft_root_open(fs_path("t"), &root);
    if (err < 0)
        return err;
    err = weft_root_file_open(root, "a/f", "r", &file);
    if (err == 0)
        err = weft_file_close(file);
    if (err == 0)
        err = weft_root_mkdir(root, "x/y", 0, true);
    if (err == 0)
        err = weft_root_copy(root, "g", "x/copy", WEFT_COPY(.preserve = true));
    if (err == 0)
        err = weft_root_write_atomic(root, "x/copy", "new", 3, NULL);
    if (err == 0)
        err = weft_root_link(root, "g", "x/hard");
    if (err == 0)
        err = weft_root_chmod(root, "g", 0600);
    if (err == 0)
        err = weft_root_utime(root, "g", 1, 2, 0);
    if (err == 0)
        err = weft_root_truncate(root, "g", 1);
    if (err == 0)
        err = weft_root_remove_tree(root, "a");
    weft_root_close(root);
    return err;
}

static int root_walk(weft_root *root)
{
    weft_walk *walk;
    weft_walk_entry entry;
    int err = weft_root_walk_open(root, ".", WEFT_WALK(.follow_symlinks = true), &walk);
    if (err < 0)
        return err;
    while ((err = weft_walk_next(walk, &entry)) > 0 && entry.error == 0)
        continue;
    weft_walk_close(walk);
    return err > 0 ? entry.error : err;
}

static int root_looks(void *arg)
{
    weft_root *root;
    weft_dir *dir;
    weft_stat_result info;
    weft_statvfs_result space;
    char **found = NULL;
    (void)arg;
    fresh();
    int err = weft_root_open(fs_path("t"), &root);
    if (err < 0)
        return err;
    err = root_walk(root);
    if (err == 0)
        err = weft_root_glob(root, "**/*", NULL, &found, NULL);
    weft_free(found);
    found = NULL;
    if (err == 0)
        err = weft_root_statvfs(root, "a", &space);
    if (err == 0)
        err = weft_root_touch(root, "new", 0, 0);
    if (err == 0)
        err = weft_root_listxattr(root, "g", 0, &found, NULL);
    weft_free(found);
    if (err == 0)
        err = weft_root_copy_tree(root, "a", "x",
                                  WEFT_COPY_TREE(.follow_symlinks = true, .preserve = true));
    if (err == 0)
        err = weft_root_dir_open(root, "x", &dir);
    if (err == 0) {
        err = weft_dir_stat(dir, "f", 0, &info);
        weft_dir_close(dir);
    }
    if (err == 0)
        err = weft_root_exists(root, "a/f");
    weft_root_close(root);
    return err < 0 ? err : 0;
}

static int watches(void *arg)
{
    weft_watch *watch;
    weft_watch_event event;
    (void)arg;
    fresh();
    int err = weft_watch_open(fs_path("t"), WEFT_WATCH(.recursive = true), &watch);
    if (err < 0)
        return err;
    fs_mkdir("t/new");
    err = weft_watch_next(watch, &event);
    weft_watch_close(watch);
    return err < 0 ? err : 0;
}

static const struct {
    const char *name;
    weft_fn fn;
} scenarios[] = {{"names", names},   {"lists", lists},           {"walks", walks},
                 {"copies", copies}, {"temps", temps},           {"atomics", atomics},
                 {"roots", roots},   {"root_looks", root_looks}, {"watches", watches}};
enum { N_SCENARIOS = sizeof scenarios / sizeof scenarios[0] };

static void place(void)
{
    snprintf(fs_folder, sizeof fs_folder, "%s/faults", test_memory_dir());
}

#define SURVIVES(name_)                                                                            \
    TEST_WITH(fs_##name_##_survive_every_fault, .limit_s = 100)                                    \
    {                                                                                              \
        place();                                                                                   \
        fault_run(#name_, name_, NULL, &(const struct fault_options){0});                          \
        fault_run(#name_, name_, NULL, &(const struct fault_options){.plain = true});              \
        fs_wipe();                                                                                 \
    }

SURVIVES(names)
SURVIVES(lists)
SURVIVES(walks)
SURVIVES(copies)
SURVIVES(temps)
SURVIVES(atomics)
SURVIVES(roots)
SURVIVES(root_looks)
SURVIVES(watches)

/* The nth system call of a scenario fails: false if there were fewer. */
static bool fail_step(int scenario, unsigned nth, int error, int fds)
{
    weft__fs_fault =
        (struct weft__fs_fault){.on = true, .nth = nth, .error = error, .no_tmpfile = nth % 2 == 0};
    int err = scenarios[scenario].fn(NULL);
    bool hit = weft__fs_fault.nth == 0;
    weft__fs_fault = (struct weft__fs_fault){0};
    /* A way that fails is left for the next one: O_TMPFILE, copy_file_range. */
    if (err != 0 && (!hit || error == EINTR || err != -error))
        FAIL("%s, number %u, %d: %d", scenarios[scenario].name, nth, error, err);
    if (err < 0)
        ASSERT_STR_HAS(weft_error_message(), fs_folder);
    ASSERT_INT_EQ(fs_open_files(), fds);
    ASSERT_INT_LT(nth, 500);
    return hit;
}

/* Each system call of each scenario fails once with each error, or is interrupted. */
FILE_TEST(fs_with_a_system_call_failing_reports_it)
{
    static const int errors[] = {ENOSPC, EDQUOT, EIO, EMFILE, EACCES, EINTR};
    place();
    for (int i = 0; i < N_SCENARIOS; i++) {
        weft__fs_fault = (struct weft__fs_fault){0};
        ASSERT_OK(scenarios[i].fn(NULL));
        int fds = fs_open_files();
        /* Under a checking tool each step has one of the errors in turn. */
        unsigned n = test_slowness() > 1 ? 1 : 6;
        for (unsigned nth = 1; fail_step(i, nth, errors[nth % 6], fds); nth++) {
            for (unsigned more = 1; more < n; more++)
                fail_step(i, nth, errors[(nth + more) % 6], fds);
        }
        ASSERT_OK(scenarios[i].fn(NULL));
    }
    fs_wipe();
}

FILE_TEST(fs_moved_in_short_pieces_is_whole)
{
    static const char *const calls[] = {"read", "write", "copy_file_range"};
    place();
    for (size_t i = 0; i < 3; i++) {
        fresh();
        ASSERT_OK(
            weft_testing_fail_op(calls[i], 1, WEFT_TESTING_FAULT(.limit = 1, .and_later = true)));
        ASSERT_OK(weft_write_atomic(fs_path("t/g"), "new", 3, NULL));
        weft__fs_fault = (struct weft__fs_fault){.no_clone = true};
        ASSERT_OK(weft_copy(fs_path("t/g"), fs_path("copy"), NULL));
        weft__fs_fault = (struct weft__fs_fault){.no_clone = true, .no_range = true};
        ASSERT_OK(weft_copy_tree(fs_path("t"), fs_path("u"), NULL));
        weft__fs_fault = (struct weft__fs_fault){0};
        ASSERT_OK(weft_testing_fail_op(calls[i], 0, NULL));
        fs_holds("t/g", "new");
        fs_holds("copy", "new");
        fs_holds("u/g", "new");
        fs_holds("u/a/f", "text");
    }
    fs_wipe();
}
