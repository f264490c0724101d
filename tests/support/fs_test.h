/*
 * fs_test.h - a test of names and trees under every executor, on a disk and in memory.
 *
 *     FS_TEST(name) { ... }          the body runs thirty-two times: each way of
 *                                    WEFT_FILE_BACKEND, outside tasks, in a lonely task and with
 *                                    company, in the test's folder and in memory
 */
#ifndef WEFT_FS_TEST_H
#define WEFT_FS_TEST_H

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <weft/file.h>
#include <weft/fs.h>
#include <weft/fs_temp.h>
#include <weft/fs_tree.h>
#include <weft/fs_watch.h>

#include "file/fs_int.h"
#include "file_test.h"

static char fs_folder[256];

/* "folder/name" in an empty folder of this run, valid until the next but seven call. */
static inline const char *fs_path(const char *name)
{
    static char paths[8][4600];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s%s%s", fs_folder, *name != '\0' ? "/" : "", name);
    return path;
}

static inline int fs_wipe_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

static inline void fs_wipe(void)
{
    nftw(fs_folder, fs_wipe_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void fs_in_place(const char *parent, void (*body)(void))
{
    snprintf(fs_folder, sizeof fs_folder, "%s/weft-fs-%d", parent, (int)getpid());
    fs_wipe();
    ASSERT(mkdir(fs_folder, 0700) == 0);
    weft__fs_fault = (struct weft__fs_fault){0};
    body();
    weft__fs_fault = (struct weft__fs_fault){0};
    fs_wipe();
}

static inline void fs_in_places(void (*body)(void))
{
    fs_in_place(test_tmpdir(), body);
    if (strcmp(test_memory_dir(), test_tmpdir()) != 0)
        fs_in_place(test_memory_dir(), body);
}

#define FS_TEST_WITH(name_, places_)                                                               \
    static void fs_body_##name_(void);                                                             \
    FILE_TEST(name_)                                                                               \
    {                                                                                              \
        places_;                                                                                   \
    }                                                                                              \
    static void fs_body_##name_(void)

#define FS_TEST(name_) FS_TEST_WITH(name_, fs_in_places(fs_body_##name_))
/* For what makes many files, of which a disk would make a test of minutes. */
#define FS_TEST_IN_MEMORY(name_)                                                                   \
    FS_TEST_WITH(name_, fs_in_place(test_memory_dir(), fs_body_##name_))

/* ---- plain helpers, not those under test ---- */

static inline void fs_make(const char *name, const char *text)
{
    FILE *file = fopen(fs_path(name), "we");
    ASSERT(file != NULL);
    fputs(text, file);
    ASSERT(fclose(file) == 0);
}

static inline void fs_mkdir(const char *name)
{
    ASSERT(mkdir(fs_path(name), 0755) == 0);
}

static inline bool fs_there(const char *name)
{
    struct stat st;
    return lstat(fs_path(name), &st) == 0;
}

static inline void fs_holds(const char *name, const char *text)
{
    char found[4096];
    FILE *file = fopen(fs_path(name), "re");
    ASSERT(file != NULL);
    size_t n = fread(found, 1, sizeof found - 1, file);
    found[n] = '\0';
    fclose(file);
    ASSERT_STR_EQ(found, text);
}

/* How many names a folder has. */
static inline int fs_count(const char *name)
{
    int n = 0;
    DIR *dir = opendir(fs_path(name));
    ASSERT(dir != NULL);
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n - 2;
}

/* How many descriptors are open. */
static inline int fs_open_files(void)
{
    int n = 0;
    DIR *dir = opendir("/proc/self/fd");
    ASSERT(dir != NULL);
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}

#endif
