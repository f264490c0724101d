/*
 * What test_fs_faults.c and test_file_faults.c leave out, so that each call about files and names
 * that allocates or may wait has met every fault.
 */
#include <errno.h>
#include <fcntl.h>

#include <weft/base.h>
#include <weft/file_more.h>
#include <weft/stream.h>

#include "fault.h"
#include "fs_test.h"

static void fresh(void)
{
    fs_wipe();
    ASSERT(mkdir(fs_folder, 0700) == 0);
    fs_mkdir("a");
    fs_make("a/f", "text");
    fs_make("g", "text");
    ASSERT(symlink("a", fs_path("link")) == 0);
}

/* A call's result, if those before were good: a yes is none to go on with. */
static int then(int err, int result)
{
    return err < 0 ? err : result < 0 ? result : 0;
}
#define THEN(...) err = err < 0 ? err : then(err, (__VA_ARGS__))

static int questions(void *arg)
{
    weft_stat_result info;
    weft_statvfs_result room;
    int err = 0;
    (void)arg;
    fresh();
    const char *g = fs_path("g");
    THEN(weft_lstat(g, &info));
    THEN(weft_statvfs(g, &room));
    THEN(weft_exists(g));
    THEN(weft_lexists(g));
    THEN(weft_is_file(g));
    THEN(weft_is_dir(g));
    THEN(weft_is_symlink(g));
    THEN(weft_is_fifo(g));
    THEN(weft_is_socket(g));
    THEN(weft_is_char_device(g));
    THEN(weft_is_block_device(g));
    THEN(weft_is_mount(g));
    THEN(weft_same_file(g, fs_path("a/f")));
    THEN(weft_access(g, WEFT_ACCESS_READ));
    return err;
}

static int changes(void *arg)
{
    int err = 0;
    (void)arg;
    fresh();
    const char *g = fs_path("g");
    THEN(weft_chmod(g, 0640));
    THEN(weft_chown(g, WEFT_ID_KEEP, WEFT_ID_KEEP, 0));
    THEN(weft_utime(g, 1, 2, 0));
    THEN(weft_truncate(g, 2));
    THEN(weft_touch(fs_path("new"), 0, 0));
    THEN(weft_link(g, fs_path("hard")));
    THEN(weft_symlink("g", fs_path("soft")));
    THEN(weft_unlink(fs_path("a/f")));
    THEN(weft_rmdir(fs_path("a")));
    THEN(weft_mkdir(fs_path("x/y"), 0, true));
    THEN(weft_removedirs(fs_path("x/y")));
    THEN(weft_move(fs_path("g"), fs_path("moved")));
    return err;
}

static int texts(void *arg)
{
    char *text[4] = {0};
    char **found = NULL;
    size_t len;
    int err = 0;
    (void)arg;
    fresh();
    const char *g = fs_path("g");
    THEN(weft_realpath(g, &text[0]));
    THEN(weft_abspath("x", &text[1]));
    THEN(weft_getcwd(&text[2]));
    THEN(weft_setxattr(g, "user.a", "1", 1, 0));
    THEN(weft_getxattr(g, "user.a", 0, &text[3], &len));
    THEN(weft_listxattr(g, 0, &found, NULL));
    THEN(weft_removexattr(g, "user.a", 0));
    for (int i = 0; i < 4; i++)
        weft_free(text[i]);
    weft_free(found);
    return err == -EOPNOTSUPP ? 0 : err;
}

static int folder(void *arg)
{
    weft_dir *dir;
    weft_dir_entry entry;
    (void)arg;
    fresh();
    int err = weft_dir_open(fs_folder, &dir);
    if (err < 0)
        return err;
    while ((err = weft_dir_next(dir, &entry)) > 0)
        continue;
    weft_dir_close(dir);
    return err;
}

static int temporary(void *arg)
{
    const weft_temp_options *here = WEFT_TEMP(.dir = fs_folder);
    weft_named_temp *named = NULL;
    weft_file *file = NULL;
    char *text[3] = {0};
    (void)arg;
    fresh();
    int err = weft_gettempdir(&text[0]);
    THEN(weft_mkstemp(here, &file, &text[1]));
    THEN(weft_file_close(file));
    THEN(weft_mkdtemp(here, &text[2]));
    THEN(weft_named_temp_open(here, &named));
    THEN(weft_named_temp_close(named));
    for (int i = 0; i < 3; i++)
        weft_free(text[i]);
    return err;
}

static int spool(void *arg)
{
    weft_spool *spool;
    char data[8];
    (void)arg;
    fresh();
    int err = weft_spool_open(4, WEFT_TEMP(.dir = fs_folder), &spool);
    if (err < 0)
        return err;
    THEN(weft_spool_write(spool, "abcd", 4));
    THEN(weft_spool_write(spool, "e", 1));
    THEN((int)weft_spool_seek(spool, 1, SEEK_SET));
    THEN((int)weft_spool_read(spool, data, sizeof data));
    THEN(weft_spool_rollover(spool));
    int closed = weft_spool_close(spool);
    return err < 0 ? err : closed;
}

static int root_names(weft_root *root)
{
    weft_stat_result info;
    char *text = NULL;
    char **found = NULL;
    int err = weft_root_stat(root, "g", 0, &info);
    THEN(weft_root_lexists(root, "g"));
    THEN(weft_root_is_file(root, "g"));
    THEN(weft_root_is_dir(root, "g"));
    THEN(weft_root_is_symlink(root, "g"));
    THEN(weft_root_access(root, "g", WEFT_ACCESS_READ));
    THEN(weft_root_listdir(root, ".", &found, NULL));
    THEN(weft_root_readlink(root, "link", &text));
    THEN(weft_root_chown(root, "g", WEFT_ID_KEEP, WEFT_ID_KEEP, 0));
    THEN(weft_root_symlink(root, "g", "soft"));
    THEN(weft_root_rename(root, "soft", "softer", 0));
    THEN(weft_root_remove(root, "softer"));
    weft_free(text);
    weft_free(found);
    return err;
}

static int root_attributes(weft_root *root)
{
    char *text = NULL;
    int err = weft_root_setxattr(root, "g", "user.a", "1", 1, 0);
    THEN(weft_root_getxattr(root, "g", "user.a", 0, &text, NULL));
    THEN(weft_root_removexattr(root, "g", "user.a", 0));
    weft_free(text);
    return err == -EOPNOTSUPP ? 0 : err;
}

static int below(void *arg)
{
    weft_root *root;
    (void)arg;
    fresh();
    int err = weft_root_open(fs_folder, &root);
    if (err < 0)
        return err;
    THEN(root_names(root));
    THEN(root_attributes(root));
    weft_root_close(root);
    return err;
}

static int open_file(void *arg)
{
    weft_stat_result info;
    weft_file *file;
    char data[8];
    (void)arg;
    fresh();
    int fd = open(fs_path("g"), O_RDWR | O_CLOEXEC);
    int err = weft_file_from_fd(fd, "r+", WEFT_FILE(.name = "g"), &file);
    if (err < 0)
        return err;
    THEN((int)weft_file_read_some(file, data, sizeof data));
    THEN(weft_file_write(file, "more", 4));
    THEN(weft_fstat(file, &info));
    THEN(weft_file_try_lock(file, NULL));
    int closed = weft_file_close(file);
    return err < 0 ? err : closed;
}

static int streams(void *arg)
{
    weft_file *file;
    weft_stream *stream;
    char data[8];
    (void)arg;
    fresh();
    int err = weft_file_open(fs_path("g"), "r", &file);
    THEN(weft_file_stream(file, &stream));
    if (err < 0)
        return err;
    THEN((int)weft_stream_read(stream, data, sizeof data));
    weft_stream_free(stream);
    THEN(weft_follow(fs_path("g"), WEFT_FOLLOW(.from_start = true), &stream));
    if (err < 0)
        return err;
    THEN((int)weft_stream_read(stream, data, sizeof data));
    weft_stream_free(stream);
    return err;
}

static int standard(void *arg)
{
    int (*const opens[])(weft_file **) = {weft_file_stdin, weft_file_stdout, weft_file_stderr};
    (void)arg;
    for (int i = 0; i < 3; i++) {
        weft_file *file;
        int err = opens[i](&file);
        if (err == 0)
            err = weft_file_close(file);
        if (err < 0)
            return err;
    }
    return 0;
}

#define SURVIVES(name_)                                                                            \
    TEST_WITH(fs_##name_##_survive_every_fault, .limit_s = 100)                                    \
    {                                                                                              \
        snprintf(fs_folder, sizeof fs_folder, "%s/faults", test_memory_dir());                     \
        fault_run(#name_, name_, NULL, &(const struct fault_options){0});                          \
        fault_run(#name_, name_, NULL, &(const struct fault_options){.plain = true});              \
        fs_wipe();                                                                                 \
    }

SURVIVES(questions)
SURVIVES(changes)
SURVIVES(texts)
SURVIVES(folder)
SURVIVES(temporary)
SURVIVES(spool)
SURVIVES(below)
SURVIVES(open_file)
SURVIVES(streams)
SURVIVES(standard)
