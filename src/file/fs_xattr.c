/* fs_xattr.c - extended attributes. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/alloc.h"
#include "file/file_int.h"
#include "file/fs_int.h"

/* The kernel's own bounds of a value and of a list. */
enum { XATTR_BYTES = 65536 };

struct attribute {
    const weft_root *root; /* NULL: none */
    const char *path;
    const char *at; /* what the system calls take */
    const char *verb;
    const char *name;
    const void *data;
    char *room;
    size_t len;
    unsigned flags;
    int (*call)(struct attribute *);
};

/* What was found below a root is no name any more that could be followed. */
static bool nofollow(const struct attribute *attribute)
{
    return attribute->root == NULL && (attribute->flags & WEFT_NOFOLLOW) != 0;
}

static int get(struct attribute *a)
{
    ssize_t n =
        WEFT__FS_TRY("getxattr", nofollow(a) ? lgetxattr(a->at, a->name, a->room, XATTR_BYTES)
                                             : getxattr(a->at, a->name, a->room, XATTR_BYTES));
    a->len = n > 0 ? (size_t)n : 0;
    return n < 0 ? (int)n : 0;
}

static int list(struct attribute *a)
{
    ssize_t n = WEFT__FS_TRY("listxattr", nofollow(a) ? llistxattr(a->at, a->room, XATTR_BYTES)
                                                      : listxattr(a->at, a->room, XATTR_BYTES));
    a->len = n > 0 ? (size_t)n : 0;
    return n < 0 ? (int)n : 0;
}

static int set(struct attribute *a)
{
    int flags = 0;
    if ((a->flags & WEFT_XATTR_CREATE) != 0)
        flags |= XATTR_CREATE;
    if ((a->flags & WEFT_XATTR_REPLACE) != 0)
        flags |= XATTR_REPLACE;
    return WEFT__FS_TRY("setxattr", nofollow(a) ? lsetxattr(a->at, a->name, a->data, a->len, flags)
                                                : setxattr(a->at, a->name, a->data, a->len, flags));
}

static int drop(struct attribute *a)
{
    return WEFT__FS_TRY("removexattr",
                        nofollow(a) ? lremovexattr(a->at, a->name) : removexattr(a->at, a->name));
}

static int run_below(struct attribute *a)
{
    char found[WEFT__FS_FOUND];
    int flags = (a->flags & WEFT_NOFOLLOW) != 0 ? O_NOFOLLOW : 0;
    int fd = weft__fs_root_find(a->root, a->path, flags, found);
    if (fd < 0)
        return fd;
    a->at = found;
    int err = a->call(a);
    close(fd);
    return err;
}

static int run(void *arg)
{
    struct attribute *a = arg;
    char verb[WEFT__FS_NAME + 32];
    a->at = a->path;
    int err = a->root != NULL ? run_below(a) : a->call(a);
    if (err >= 0)
        return 0;
    snprintf(verb, sizeof verb, "%s%s%s of", a->verb, a->name != NULL ? " " : "",
             a->name != NULL ? a->name : "");
    return a->root != NULL ? weft__fs_root_fail(a->root, err, verb, a->path)
                           : weft__fs_fail(err, "%s %s", verb, a->path);
}

/* Makes room for all that can come, then gives what came, with a NUL behind it. */
static int fetch(struct attribute *attribute, char **ret, size_t *ret_len)
{
    attribute->room = weft__alloc(XATTR_BYTES + 1);
    if (attribute->room == NULL)
        return weft__fail_nomem();
    int err = weft__fs_run(run, attribute);
    if (err < 0) {
        weft__free(attribute->room);
        return err;
    }
    attribute->room[attribute->len] = '\0';
    char *fitting = weft__realloc(attribute->room, attribute->len + 1);
    *ret = fitting != NULL ? fitting : attribute->room;
    if (ret_len != NULL)
        *ret_len = attribute->len;
    return 0;
}

static int fetch_names(struct attribute *attribute, char ***ret, size_t *ret_n)
{
    char *names;
    size_t len;
    int err = fetch(attribute, &names, &len);
    if (err < 0)
        return err;
    struct weft__buf bytes = {.data = names, .len = len, .cap = len + 1, .max = XATTR_BYTES};
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += names[i] == '\0';
    err = weft__fs_strings(&bytes, n, false, ret, ret_n);
    weft__free(names);
    return err;
}

int weft_getxattr(const char *path, const char *name, unsigned flags, char **ret, size_t *ret_len)
{
    struct attribute attribute = {
        .path = path, .name = name, .flags = flags, .verb = "attribute", .call = get};
    if (path == NULL || name == NULL || ret == NULL)
        return weft__fail(-EINVAL, "weft_getxattr without a path, a name or a place for it");
    return fetch(&attribute, ret, ret_len);
}

int weft_listxattr(const char *path, unsigned flags, char ***ret, size_t *ret_n)
{
    struct attribute attribute = {.path = path, .flags = flags, .verb = "attributes", .call = list};
    if (path == NULL || ret == NULL)
        return weft__fail(-EINVAL, "weft_listxattr without a path or a place for the names");
    return fetch_names(&attribute, ret, ret_n);
}

int weft_setxattr(const char *path, const char *name, const void *data, size_t len, unsigned flags)
{
    struct attribute attribute = {.path = path,
                                  .name = name,
                                  .data = data,
                                  .len = len,
                                  .flags = flags,
                                  .verb = "set attribute",
                                  .call = set};
    if (path == NULL || name == NULL || (data == NULL && len > 0))
        return weft__fail(-EINVAL, "weft_setxattr without a path, a name or a value");
    return weft__fs_run(run, &attribute);
}

int weft_removexattr(const char *path, const char *name, unsigned flags)
{
    struct attribute attribute = {
        .path = path, .name = name, .flags = flags, .verb = "remove attribute", .call = drop};
    if (path == NULL || name == NULL)
        return weft__fail(-EINVAL, "weft_removexattr without a path or a name");
    return weft__fs_run(run, &attribute);
}

/* ---- below a root ---- */

int weft_root_getxattr(weft_root *root, const char *path, const char *name, unsigned flags,
                       char **ret, size_t *ret_len)
{
    struct attribute attribute = {
        .root = root, .path = path, .name = name, .flags = flags, .verb = "attribute", .call = get};
    if (root == NULL || path == NULL || name == NULL || ret == NULL)
        return weft__fail(-EINVAL,
                          "weft_root_getxattr without a root, a path, a name or a place for it");
    return fetch(&attribute, ret, ret_len);
}

int weft_root_listxattr(weft_root *root, const char *path, unsigned flags, char ***ret,
                        size_t *ret_n)
{
    struct attribute attribute = {
        .root = root, .path = path, .flags = flags, .verb = "attributes", .call = list};
    if (root == NULL || path == NULL || ret == NULL)
        return weft__fail(-EINVAL,
                          "weft_root_listxattr without a root, a path or a place for the names");
    return fetch_names(&attribute, ret, ret_n);
}

int weft_root_setxattr(weft_root *root, const char *path, const char *name, const void *data,
                       size_t len, unsigned flags)
{
    struct attribute attribute = {.root = root,
                                  .path = path,
                                  .name = name,
                                  .data = data,
                                  .len = len,
                                  .flags = flags,
                                  .verb = "set attribute",
                                  .call = set};
    if (root == NULL || path == NULL || name == NULL || (data == NULL && len > 0))
        return weft__fail(-EINVAL, "weft_root_setxattr without a root, a path, a name or a value");
    return weft__fs_run(run, &attribute);
}

int weft_root_removexattr(weft_root *root, const char *path, const char *name, unsigned flags)
{
    struct attribute attribute = {.root = root,
                                  .path = path,
                                  .name = name,
                                  .flags = flags,
                                  .verb = "remove attribute",
                                  .call = drop};
    if (root == NULL || path == NULL || name == NULL)
        return weft__fail(-EINVAL, "weft_root_removexattr without a root, a path or a name");
    return weft__fs_run(run, &attribute);
}
