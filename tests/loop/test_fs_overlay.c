/* The same calls on overlayfs, where one can be mounted: files of the lower layer change too. */
#include <errno.h>
#include <sched.h>
#include <sys/mount.h>

#include <weft/base.h>

#include "fs_test.h"

static void mount_overlay(void)
{
    char options[2048];
    const char *base = test_tmpdir();
    snprintf(options, sizeof options, "lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work", base,
             base, base);
    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0)
        SKIP("no mount namespace: errno %d", errno);
    mkdir(test_path("lower"), 0755);
    mkdir(test_path("upper"), 0755);
    mkdir(test_path("work"), 0755);
    mkdir(test_path("merged"), 0755);
    snprintf(fs_folder, sizeof fs_folder, "%s/lower", base);
    fs_mkdir("t");
    fs_mkdir("t/a");
    fs_make("t/a/f", "below");
    fs_make("t/g", "below");
    snprintf(fs_folder, sizeof fs_folder, "%s/merged", base);
    if (mount("overlay", fs_folder, "overlay", 0, options) < 0)
        SKIP("overlayfs cannot be mounted: errno %d", errno);
}

static void use_overlay(void)
{
    weft_stat_result info;
    weft_file *file;
    char **names;
    size_t n;
    ASSERT_OK(weft_stat(fs_path("t/g"), &info));
    ASSERT_INT_EQ(info.size, 5);
    ASSERT_OK(weft_write_atomic(fs_path("t/g"), "above", 5,
                                WEFT_ATOMIC(.durability = WEFT_DURABILITY_FULL)));
    fs_holds("t/g", "above");
    ASSERT_OK(weft_copy(fs_path("t/a/f"), fs_path("copy"), WEFT_COPY(.preserve = true)));
    fs_holds("copy", "below");
    ASSERT_OK(weft_copy_tree(fs_path("t"), fs_path("u"), NULL));
    ASSERT_OK(weft_glob("**/f", WEFT_GLOB(.root = fs_folder), &names, &n));
    ASSERT_INT_EQ(n, 2);
    weft_free(names);
    ASSERT_OK(weft_temp_file(WEFT_TEMP(.dir = fs_folder), &file));
    ASSERT_OK(weft_file_write(file, "x", 1));
    ASSERT_OK(weft_file_close(file));
    ASSERT_OK(weft_move(fs_path("u"), fs_path("v")));
    ASSERT_OK(weft_remove_tree(fs_path("v")));
    ASSERT_OK(weft_unlink(fs_path("copy")));
    ASSERT_INT_EQ(fs_count(""), 1);
}

FILE_TEST(overlay_is_a_file_system_like_others)
{
    static bool mounted;
    if (!mounted)
        mount_overlay();
    mounted = true;
    use_overlay();
}

/* A folder of the lower layer is removed with whiteouts. */
TEST(overlay_lower_tree_is_removed)
{
    mount_overlay();
    ASSERT_OK(weft_remove_tree(fs_path("t")));
    ASSERT_INT_EQ(fs_count(""), 0);
    ASSERT_INT_EQ(umount2(fs_folder, MNT_DETACH), 0);
}
