/*
 * on_fs.c - runs a test program whose folder for temporary files lies on another file system.
 *
 *     on_fs overlay|tmpfs|ext4 PROGRAM ARGUMENT...
 *
 * The file system is mounted in a mount namespace of the program's own, and where we are not root
 * in a user namespace too; ext4 is not mounted but must be there.  What cannot be had is a skip.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROOM = PATH_MAX + 32 };

static char base[PATH_MAX];

/* The TAP of a program that has no tests here. */
_Noreturn static void skip(const char *why)
{
    printf("1..0 # SKIP %s: %s\n", why, strerrordesc_np(errno));
    exit(0);
}

static void put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        skip("no user namespace");
    close(fd);
}

static void enter_namespaces(bool user)
{
    char map[64];
    unsigned uid = geteuid();
    unsigned gid = getegid();
    if (unshare(user ? CLONE_NEWNS | CLONE_NEWUSER : CLONE_NEWNS) < 0)
        skip("no mount namespace");
    if (user) {
        put("/proc/self/setgroups", "deny");
        snprintf(map, sizeof map, "0 %u 1", uid);
        put("/proc/self/uid_map", map);
        snprintf(map, sizeof map, "0 %u 1", gid);
        put("/proc/self/gid_map", map);
    }
    if (mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0)
        skip("no mounts of our own");
}

static char *folder(const char *name)
{
    char *path = malloc(ROOM);
    if (path == NULL)
        exit(2);
    snprintf(path, ROOM, "%s/%s", base, name);
    mkdir(path, 0755);
    return path;
}

/* On top of another overlayfs there can be none: then its layers lie in memory. */
static int mount_overlay(const char *target, bool user)
{
    char options[4 * ROOM];
    const char *more = user ? ",userxattr" : "";
    snprintf(options, sizeof options, "lowerdir=%s,upperdir=%s,workdir=%s%s", folder("lower"),
             folder("upper"), folder("work"), more);
    return mount("overlay", target, "overlay", 0, options);
}

static void prepare(const char *kind)
{
    struct statfs info;
    if (strcmp(kind, "ext4") == 0) {
        errno = 0;
        if (statfs(base, &info) < 0 || info.f_type != EXT4_SUPER_MAGIC)
            skip("TMPDIR is not on ext4");
        setenv("TMPDIR", base, 1);
        return;
    }
    bool user = geteuid() != 0;
    enter_namespaces(user);
    char *target = folder("mounted");
    int err = strcmp(kind, "tmpfs") == 0 ? mount("tmpfs", target, "tmpfs", 0, "size=2g")
                                         : mount_overlay(target, user);
    if (err < 0 && strcmp(kind, "overlay") == 0 && mount("tmpfs", base, "tmpfs", 0, NULL) == 0) {
        target = folder("mounted");
        err = mount_overlay(target, user);
    }
    if (err < 0)
        skip(strcmp(kind, "tmpfs") == 0 ? "tmpfs cannot be mounted"
                                        : "overlayfs cannot be mounted");
    setenv("TMPDIR", target, 1);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    remove(path);
    return 0;
}

int main(int argc, char **argv)
{
    const char *parent = getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp";
    int status = 0;
    if (argc < 3) {
        fprintf(stderr, "usage: %s overlay|tmpfs|ext4 PROGRAM ARGUMENT...\n", argv[0]);
        return 2;
    }
    snprintf(base, sizeof base, "%s/weft-on-fs-XXXXXX", parent);
    if (mkdtemp(base) == NULL)
        return 2;
    pid_t child = fork();
    if (child == 0) {
        prepare(argv[1]);
        execvp(argv[2], argv + 2);
        _exit(127);
    }
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    nftw(base, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    if (child < 0 || WIFSIGNALED(status))
        return 2;
    return WEXITSTATUS(status);
}
