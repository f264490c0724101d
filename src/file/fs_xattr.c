/* fs_xattr.c - extended attributes. */
#include <errno.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/alloc.h"
#include "file/file_int.h"
#include "file/fs_int.h"

/* The kernel's own bounds of a value and of a list. */
enum { XATTR_BYTES = 65536 };

struct attribute {
    const char *path;
    const char *name;
    const void *data;
    char *room;
    size_t len;
    unsigned flags;
};

static bool nofollow(const struct attribute *attribute)
{
    return (attribute->flags & WEFT_NOFOLLOW) != 0;
}

static int run_get(void *arg)
{
    struct attribute *a = arg;
    ssize_t n =
        WEFT__FS_SYS("getxattr", nofollow(a) ? lgetxattr(a->path, a->name, a->room, XATTR_BYTES)
                                             : getxattr(a->path, a->name, a->room, XATTR_BYTES));
    if (n < 0)
        return weft__fs_fail(-errno, "attribute %s of %s", a->name, a->path);
    a->len = (size_t)n;
    return 0;
}

static int run_list(void *arg)
{
    struct attribute *a = arg;
    ssize_t n = WEFT__FS_SYS("listxattr", nofollow(a) ? llistxattr(a->path, a->room, XATTR_BYTES)
                                                      : listxattr(a->path, a->room, XATTR_BYTES));
    if (n < 0)
        return weft__fs_fail(-errno, "attributes of %s", a->path);
    a->len = (size_t)n;
    return 0;
}

static int run_set(void *arg)
{
    const struct attribute *a = arg;
    int flags = 0;
    if ((a->flags & WEFT_XATTR_CREATE) != 0)
        flags |= XATTR_CREATE;
    if ((a->flags & WEFT_XATTR_REPLACE) != 0)
        flags |= XATTR_REPLACE;
    int err =
        WEFT__FS_TRY("setxattr", nofollow(a) ? lsetxattr(a->path, a->name, a->data, a->len, flags)
                                             : setxattr(a->path, a->name, a->data, a->len, flags));
    return err < 0 ? weft__fs_fail(err, "set attribute %s of %s", a->name, a->path) : 0;
}

static int run_remove(void *arg)
{
    const struct attribute *a = arg;
    int err = WEFT__FS_TRY("removexattr", nofollow(a) ? lremovexattr(a->path, a->name)
                                                      : removexattr(a->path, a->name));
    return err < 0 ? weft__fs_fail(err, "remove attribute %s of %s", a->name, a->path) : 0;
}

/* Runs fn with room for all that can come, then gives what came, with a NUL behind it. */
static int fetch(weft_fn fn, struct attribute *attribute, char **ret, size_t *ret_len)
{
    attribute->room = weft__alloc(XATTR_BYTES + 1);
    if (attribute->room == NULL)
        return weft__fail_nomem();
    int err = weft__fs_run(fn, attribute);
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

int weft_getxattr(const char *path, const char *name, unsigned flags, char **ret, size_t *ret_len)
{
    if (path == NULL || name == NULL || ret == NULL)
        return weft__fail(-EINVAL, "weft_getxattr without a path, a name or a place for it");
    return fetch(run_get, &(struct attribute){.path = path, .name = name, .flags = flags}, ret,
                 ret_len);
}

int weft_listxattr(const char *path, unsigned flags, char ***ret, size_t *ret_n)
{
    char *names;
    size_t len;
    if (path == NULL || ret == NULL)
        return weft__fail(-EINVAL, "weft_listxattr without a path or a place for the names");
    int err = fetch(run_list, &(struct attribute){.path = path, .flags = flags}, &names, &len);
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

int weft_setxattr(const char *path, const char *name, const void *data, size_t len, unsigned flags)
{
    if (path == NULL || name == NULL || (data == NULL && len > 0))
        return weft__fail(-EINVAL, "weft_setxattr without a path, a name or a value");
    return weft__fs_run(
        run_set,
        &(struct attribute){.path = path, .name = name, .data = data, .len = len, .flags = flags});
}

int weft_removexattr(const char *path, const char *name, unsigned flags)
{
    if (path == NULL || name == NULL)
        return weft__fail(-EINVAL, "weft_removexattr without a path or a name");
    return weft__fs_run(run_remove,
                        &(struct attribute){.path = path, .name = name, .flags = flags});
}
