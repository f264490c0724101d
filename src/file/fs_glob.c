/*
 * fs_glob.c - names that match a pattern.
 *
 * Without recursion: a stack of (folder, rest of the pattern) is worked off, one open folder at
 * a time.  "**" enters folders but not symbolic links, so there are no cycles.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "file/file_int.h"
#include "file/fs_int.h"

struct place {
    char *path;       /* "" for where the pattern begins */
    const char *rest; /* of the pattern */
    bool below;       /* a "**" led here: its own name has been given */
};

struct glob {
    struct weft__fs_job job;
    const char *pattern;
    weft_glob_options options;
    struct weft__fs_scan scan;
    struct weft__buf names;
    struct place *places;
    size_t n_places;
    size_t cap_places;
    size_t n_names;
    const weft_root *below; /* whose folder is not left */
    int root;
};

/* ---- one name against one part of a pattern ---- */

/* A character of UTF-8, or a byte that is none. */
static uint32_t take_char(const char **text)
{
    const unsigned char *c = (const unsigned char *)*text;
    size_t more = c[0] >= 0xf0 ? 3 : c[0] >= 0xe0 ? 2 : c[0] >= 0xc0 ? 1 : 0;
    uint32_t value = more == 0 ? c[0] : c[0] & (0x3fu >> more);
    for (size_t i = 1; i <= more; i++) {
        if ((c[i] & 0xc0) != 0x80) {
            (*text)++;
            return c[0];
        }
        value = value << 6 | (c[i] & 0x3f);
    }
    *text += more + 1;
    return value;
}

/* "[...]" at p; the end of it, or NULL if it never ends and is an ordinary character. */
static const char *match_class(const char *p, const char *end, uint32_t wanted, bool *ret_match)
{
    bool found = false;
    const char *at = p + 1;
    const bool negated = at < end && *at == '!';
    at += negated;
    const char *first = at;
    while (at < end && (*at != ']' || at == first)) {
        uint32_t low = take_char(&at);
        uint32_t high = low;
        if (at + 1 < end && at[0] == '-' && at[1] != ']') {
            at++;
            high = take_char(&at);
        }
        found = found || (wanted >= low && wanted <= high);
    }
    *ret_match = found != negated;
    return at < end ? at + 1 : NULL;
}

/* One character against what stands at *p, which moves on; but not for a star. */
static bool match_one(const char **p, const char *end, uint32_t wanted)
{
    bool match;
    if (**p == '?') {
        (*p)++;
        return true;
    }
    const char *after = **p == '[' ? match_class(*p, end, wanted, &match) : NULL;
    if (after != NULL) {
        *p = after;
        return match;
    }
    return take_char(p) == wanted;
}

static bool matches(const char *p, size_t len, const char *name)
{
    const char *end = p + len;
    const char *star = NULL;
    const char *mark = NULL;
    while (*name != '\0') {
        if (p < end && *p == '*') {
            star = ++p;
            mark = name;
            continue;
        }
        const char *next = name;
        if (p < end && match_one(&p, end, take_char(&next))) {
            name = next;
            continue;
        }
        if (star == NULL)
            return false;
        p = star;
        take_char(&mark);
        name = mark;
    }
    while (p < end && *p == '*')
        p++;
    return p == end;
}

/* ---- what was found, what is to do ---- */

static int emit(struct glob *glob, const char *path, const char *tail)
{
    int err = weft__buf_append_str(&glob->names, path);
    if (err == 0)
        err = weft__buf_append(&glob->names, tail, strlen(tail) + 1);
    if (err == 0)
        glob->n_names++;
    return err;
}

static char *join(const char *path, const char *name, size_t len)
{
    const char *slash = *path != '\0' && path[strlen(path) - 1] != '/' ? "/" : "";
    return weft__asprintf("%s%s%.*s", path, slash, (int)len, name);
}

/* Takes path, also on failure. */
static int push(struct glob *glob, char *path, const char *rest, bool below)
{
    if (path == NULL)
        return -ENOMEM;
    if (glob->n_places == glob->cap_places) {
        size_t cap = glob->cap_places == 0 ? 16 : glob->cap_places * 2;
        void *bigger = cap > WEFT__LIMIT_FS_PLACES
                           ? NULL
                           : weft__realloc(glob->places, cap * sizeof *glob->places);
        if (bigger == NULL) {
            weft__free(path);
            return cap > WEFT__LIMIT_FS_PLACES ? -EMSGSIZE : -ENOMEM;
        }
        glob->places = bigger;
        glob->cap_places = cap;
    }
    glob->places[glob->n_places++] = (struct place){path, rest, below};
    return 0;
}

/* ---- parts of a pattern ---- */

struct part {
    const char *text;
    size_t len;
    const char *rest; /* NULL: it is the last */
    bool deep;        /* "**" */
};

static struct part next_part(const char *text)
{
    struct part part = {.text = text, .len = strcspn(text, "/")};
    part.deep = part.len == 2 && memcmp(text, "**", 2) == 0;
    if (text[part.len] == '/')
        part.rest = text + part.len + strspn(text + part.len, "/");
    /* Several in a row are one. */
    while (part.deep && part.rest != NULL && strncmp(part.rest, "**/", 3) == 0)
        part.rest += 2 + strspn(part.rest + 2, "/");
    if (part.deep && part.rest != NULL && strcmp(part.rest, "**") == 0)
        part.rest = NULL;
    return part;
}

static bool has_magic(const struct part *part)
{
    return memchr(part->text, '*', part->len) != NULL ||
           memchr(part->text, '?', part->len) != NULL || memchr(part->text, '[', part->len) != NULL;
}

/* What cannot be read has no names that match. */
static bool is_nothing(int err)
{
    return err == -ENOENT || err == -ENOTDIR || err == -EACCES || err == -ELOOP || err == -EPERM ||
           err == -ENAMETOOLONG || err == -EXDEV;
}

static int open_at(const struct glob *glob, const char *path, int flags)
{
    const char *name = *path == '\0' ? "." : path;
    if (glob->below != NULL)
        return weft__fs_beneath(glob->root, name, flags, 0);
    return WEFT__FS_TRY("open", openat(glob->root, name, flags | O_CLOEXEC));
}

/* flags: 0 or AT_SYMLINK_NOFOLLOW. */
static int stat_at(const struct glob *glob, const char *path, int flags, struct stat *ret)
{
    if (glob->below == NULL)
        return WEFT__FS_TRY("stat", fstatat(glob->root, *path == '\0' ? "." : path, ret, flags));
    int fd = open_at(glob, path, O_PATH | (flags != 0 ? O_NOFOLLOW : 0));
    if (fd < 0)
        return fd;
    int err = WEFT__FS_TRY("stat", fstat(fd, ret));
    close(fd);
    return err;
}

/* 1, 0, or what is no answer. */
static int kind_at(const struct glob *glob, const char *path, int flags, bool want_dir)
{
    struct stat st;
    int err = stat_at(glob, path, flags, &st);
    if (err == 0)
        return !want_dir || S_ISDIR(st.st_mode);
    return is_nothing(err) ? 0 : err;
}

/* A folder's name gets a slash behind it. */
static int emit_folder(struct glob *glob, const char *path)
{
    if (*path == '\0')
        return 0;
    int there = kind_at(glob, path, 0, true);
    if (there <= 0)
        return there;
    return emit(glob, path, path[strlen(path) - 1] == '/' ? "" : "/");
}

static int literal(struct glob *glob, const struct place *place, const struct part *part)
{
    if (part->len == 0) /* the pattern ends in a slash */
        return emit_folder(glob, place->path);
    char *path = join(place->path, part->text, part->len);
    if (part->rest != NULL || path == NULL)
        return push(glob, path, part->rest, false);
    int there = kind_at(glob, path, AT_SYMLINK_NOFOLLOW, false);
    if (there > 0)
        there = emit(glob, path, "");
    weft__free(path);
    return there;
}

static bool is_hidden(const struct glob *glob, const struct part *part, const char *name)
{
    return name[0] == '.' && !glob->options.include_hidden && (part->deep || part->text[0] != '.');
}

static int deep_entry(struct glob *glob, const struct place *place, const struct part *part,
                      const char *path, unsigned char type)
{
    struct stat st;
    int err = part->rest == NULL ? emit(glob, path, "") : 0;
    if (err == 0 && type == DT_UNKNOWN && stat_at(glob, path, AT_SYMLINK_NOFOLLOW, &st) == 0)
        type = (unsigned char)IFTODT(st.st_mode);
    if (err == 0 && type == DT_DIR)
        err = push(glob, weft__strdup(path), place->rest, true);
    return err;
}

static int plain_entry(struct glob *glob, const struct part *part, const char *path,
                       unsigned char type)
{
    if (part->rest == NULL)
        return emit(glob, path, "");
    if (type != DT_DIR && type != DT_LNK && type != DT_UNKNOWN)
        return 0;
    return push(glob, weft__strdup(path), part->rest, false);
}

static int one_entry(struct glob *glob, const struct place *place, const struct part *part,
                     const struct weft__fs_entry *entry)
{
    int err = weft__fs_tick(&glob->job);
    if (err < 0 || is_hidden(glob, part, entry->name))
        return err;
    if (!part->deep && !matches(part->text, part->len, entry->name))
        return 0;
    char *path = join(place->path, entry->name, strlen(entry->name));
    if (path == NULL)
        return -ENOMEM;
    err = part->deep ? deep_entry(glob, place, part, path, entry->type)
                     : plain_entry(glob, part, path, entry->type);
    weft__free(path);
    return err;
}

static int scan(struct glob *glob, const struct place *place, const struct part *part)
{
    struct weft__fs_entry entry;
    int err;
    int fd = open_at(glob, place->path, O_RDONLY | O_DIRECTORY | (place->below ? O_NOFOLLOW : 0));
    if (fd < 0)
        return is_nothing(fd) ? 0 : fd;
    glob->scan.pos = 0;
    glob->scan.end = 0;
    while ((err = weft__fs_scan_next(&glob->scan, fd, &entry)) > 0) {
        err = one_entry(glob, place, part, &entry);
        if (err < 0)
            break;
    }
    close(fd);
    return err;
}

static int expand(struct glob *glob, const struct place *place)
{
    struct part part = next_part(place->rest);
    if (!part.deep && !has_magic(&part))
        return literal(glob, place, &part);
    int err = 0;
    if (part.deep && part.rest != NULL)
        err = push(glob, weft__strdup(place->path), part.rest, false);
    else if (part.deep && !place->below)
        err = emit_folder(glob, place->path);
    return err < 0 ? err : scan(glob, place, &part);
}

/* ---- the call ---- */

static int work(struct glob *glob)
{
    const char *start = glob->pattern + strspn(glob->pattern, "/");
    int err = push(glob, weft__strdup(start != glob->pattern ? "/" : ""), start, false);
    while (err == 0 && glob->n_places > 0) {
        struct place place = glob->places[--glob->n_places];
        err = expand(glob, &place);
        if (err == 0)
            err = weft__fs_tick(&glob->job);
        weft__free(place.path);
    }
    return err;
}

static int run_glob(void *arg)
{
    struct glob *glob = arg;
    const char *root = glob->options.root;
    int err = 0;
    if (glob->below != NULL) {
        const char *folder = root != NULL ? root : ".";
        glob->root =
            weft__fs_beneath(weft__fs_root_fd(glob->below), folder, O_PATH | O_DIRECTORY, 0);
        if (glob->root < 0)
            return weft__fs_root_fail(glob->below, glob->root, "glob in", folder);
    } else if (root != NULL) {
        glob->root = WEFT__FS_SYS("open", open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (glob->root < 0)
            err = -errno;
    }
    if (err < 0)
        return weft__fs_fail(err, "glob in %s", root);
    err = work(glob);
    if (glob->root >= 0)
        close(glob->root);
    if (err == -EMSGSIZE)
        return weft__fail(WEFT_ETOO_LONG, "glob %s: more than %d MiB of names, or too deep",
                          glob->pattern, WEFT__LIMIT_FS_NAMES / (1024 * 1024));
    if (err < 0 && glob->below != NULL)
        return weft__fs_root_fail(glob->below, err, "glob", glob->pattern);
    if (err < 0 && root != NULL)
        return weft__fs_fail(err, "glob %s in %s", glob->pattern, root);
    return err < 0 ? weft__fs_fail(err, "glob %s", glob->pattern) : 0;
}

static int start(const weft_root *root, const char *pattern, const weft_glob_options *options,
                 char ***ret, size_t *ret_n)
{
    struct glob glob = {.pattern = pattern, .below = root, .root = AT_FDCWD};
    if (strlen(pattern) >= WEFT__FS_PATH)
        return weft__fail(-ENAMETOOLONG, "glob %.64s...: the pattern is too long", pattern);
    weft__fs_options(&glob.options, sizeof glob.options, options);
    weft__buf_init(&glob.names, WEFT__LIMIT_FS_NAMES);
    int err = weft__fs_run_long(run_glob, &glob.job);
    if (err == 0)
        err = weft__fs_strings(&glob.names, glob.n_names, true, ret, ret_n);
    while (glob.n_places > 0)
        weft__free(glob.places[--glob.n_places].path);
    weft__free(glob.places);
    weft__free(glob.scan.bytes);
    weft__buf_done(&glob.names);
    return err;
}

int weft_glob(const char *pattern, const weft_glob_options *options, char ***ret, size_t *ret_n)
{
    if (pattern == NULL || ret == NULL)
        return weft__fail(-EINVAL, "weft_glob without a pattern or a place for the names");
    return start(NULL, pattern, options, ret, ret_n);
}

/* A pattern that begins with a slash, or goes up. */
static bool leads_away(const char *pattern)
{
    if (*pattern == '/')
        return true;
    for (const char *at = pattern; *at != '\0'; at += strspn(at, "/")) {
        size_t len = strcspn(at, "/");
        if (len == 2 && memcmp(at, "..", 2) == 0)
            return true;
        at += len;
    }
    return false;
}

int weft_root_glob(weft_root *root, const char *pattern, const weft_glob_options *options,
                   char ***ret, size_t *ret_n)
{
    if (root == NULL || pattern == NULL || ret == NULL)
        return weft__fail(-EINVAL, "weft_root_glob without a root, a pattern or a place for names");
    if (leads_away(pattern))
        return weft__fs_root_fail(root, -EXDEV, "glob", pattern);
    return start(root, pattern, options, ret, ret_n);
}

bool weft_fnmatch(const char *pattern, const char *name)
{
    return pattern != NULL && name != NULL && matches(pattern, strlen(pattern), name);
}
