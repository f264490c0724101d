/*
 * segments.c - a body of bytes, files and functions one behind another.
 *
 * A file is looked at when the request is made, and opened when its turn comes: a form of a
 * thousand files has one of them open.  It is sent as long as it was said to be or not at all;
 * whoever writes to it meanwhile is found out before the last piece leaves.
 */
#include <string.h>

#include <weft/file.h>
#include <weft/fs.h>

#include "base/alloc.h"
#include "client/client_int.h"

enum kind { TEXT, BYTES, PATH, SOURCE };

struct segment {
    enum kind kind;
    size_t offset;    /* TEXT: in the text */
    const void *data; /* BYTES */
    char *name;       /* PATH: the path; SOURCE: for messages; its own */
    struct weft__source source;
    uint64_t size;
    bool sized;
};

struct weft__segments {
    struct segment *list;
    size_t n;
    size_t cap;
    struct weft__buf text;
    size_t text_used; /* bytes of text that are in segments */
    size_t at;        /* the segment that is read */
    uint64_t done;    /* bytes of it */
    weft_file *file;  /* of it */
    char *kept;       /* bytes of the caller's, where they are its own now */
};

int weft__segments_new(struct weft__segments **ret)
{
    struct weft__segments *segments = weft__alloc(sizeof *segments);
    if (segments == NULL)
        return weft__fail_nomem();
    *segments = (struct weft__segments){0};
    weft__buf_init(&segments->text, SIZE_MAX);
    *ret = segments;
    return 0;
}

static void close_file(struct weft__segments *segments)
{
    if (segments->file != NULL)
        weft_file_close(segments->file);
    segments->file = NULL;
}

void weft__segments_free(struct weft__segments *segments)
{
    if (segments == NULL)
        return;
    close_file(segments);
    weft__buf_done(&segments->text);
    for (size_t i = 0; i < segments->n; i++)
        weft__free(segments->list[i].name);
    weft__free(segments->kept);
    weft__free(segments->list);
    weft__free(segments);
}

/* ---- making them ---- */

struct weft__buf *weft__segments_text(struct weft__segments *segments)
{
    return &segments->text;
}

static int add(struct weft__segments *segments, const struct segment *segment)
{
    if (segments->n == segments->cap) {
        size_t cap = segments->cap == 0 ? 8 : 2 * segments->cap;
        struct segment *list = weft__realloc(segments->list, cap * sizeof *list);
        if (list == NULL)
            return weft__fail_nomem();
        segments->list = list;
        segments->cap = cap;
    }
    segments->list[segments->n++] = *segment;
    return 0;
}

/* A file is opened, and a function asked, when whoever gave the name may be gone. */
static int add_named(struct weft__segments *segments, struct segment *segment, const char *name)
{
    int err = weft__segments_add_text(segments);
    if (err < 0)
        return err;
    segment->name = weft__strdup(name);
    if (segment->name == NULL)
        return weft__fail_nomem();
    err = add(segments, segment);
    if (err < 0)
        weft__free(segment->name);
    return err;
}

int weft__segments_add_text(struct weft__segments *segments)
{
    size_t len = segments->text.len - segments->text_used;
    struct segment segment = {
        .kind = TEXT, .offset = segments->text_used, .size = len, .sized = true};
    if (len == 0)
        return 0;
    segments->text_used = segments->text.len;
    return add(segments, &segment);
}

int weft__segments_add_bytes(struct weft__segments *segments, const void *data, size_t len)
{
    struct segment segment = {.kind = BYTES, .data = data, .size = len, .sized = true};
    int err = weft__segments_add_text(segments);
    return err < 0 ? err : add(segments, &segment);
}

int weft__segments_add_file(struct weft__segments *segments, const char *path)
{
    struct segment segment = {.kind = PATH};
    weft_stat_result stat;
    int err = weft_stat(path, &stat);
    if (err < 0)
        return err;
    if (stat.kind == WEFT_KIND_DIR)
        return weft__fail_with(-EISDIR, "%s", path);
    segment.sized = stat.kind == WEFT_KIND_FILE;
    segment.size = segment.sized ? (uint64_t)stat.size : 0;
    return add_named(segments, &segment, path);
}

int weft__segments_add_source(struct weft__segments *segments, const char *name,
                              const struct weft__source *source)
{
    struct segment segment = {
        .kind = SOURCE, .source = *source, .size = source->size, .sized = source->sized};
    return add_named(segments, &segment, name);
}

/* ---- reading them ---- */

static int64_t read_bytes(const struct weft__segments *segments, const struct segment *segment,
                          void *data, size_t len)
{
    const char *from = segment->data;
    uint64_t left = segment->size - segments->done;
    size_t n = left < len ? (size_t)left : len;
    if (segment->kind == TEXT)
        from = weft__buf_bytes(&segments->text) + segment->offset;
    if (n > 0)
        memcpy(data, from + segments->done, n);
    return (int64_t)n;
}

static int changed(const struct segment *segment, const char *how)
{
    return weft__fail(WEFT_ELOCAL_PROTOCOL,
                      "\"%s\" has become %s than the %ju bytes it had when the request began",
                      segment->name, how, (uintmax_t)segment->size);
}

/* The last piece waits until it is known to be the last. */
static int64_t read_file(struct weft__segments *segments, const struct segment *segment, void *data,
                         size_t len)
{
    char more;
    if (segments->file == NULL) {
        int err = weft_file_open(segment->name, "r", &segments->file);
        if (err < 0)
            return err;
    }
    uint64_t left = segment->sized ? segment->size - segments->done : UINT64_MAX;
    int64_t n = weft_file_read(segments->file, data, left < len ? (size_t)left : len);
    if (n < 0 || !segment->sized)
        return n;
    if (n == 0 && left > 0)
        return changed(segment, "shorter");
    if ((uint64_t)n == left) {
        int64_t beyond = weft_file_read(segments->file, &more, 1);
        if (beyond < 0)
            return beyond;
        if (beyond > 0)
            return changed(segment, "longer");
    }
    return n;
}

static int64_t read_source(const struct weft__segments *segments, const struct segment *segment,
                           void *data, size_t len)
{
    uint64_t left = segment->sized ? segment->size - segments->done : UINT64_MAX;
    size_t want = left < len ? (size_t)left : len;
    if (want == 0)
        return 0;
    int64_t n = segment->source.read(segment->source.userdata, data, want);
    if (n > 0 && (uint64_t)n > want)
        return weft__fail(-EINVAL,
                          "reader of part \"%s\" returned %jd, more than the %zu it was "
                          "asked for",
                          segment->name, (intmax_t)n, want);
    if (n == 0 && segment->sized)
        return weft__fail(WEFT_ELOCAL_PROTOCOL, "part \"%s\" ended after %ju of %ju bytes",
                          segment->name, (uintmax_t)segments->done, (uintmax_t)segment->size);
    return n;
}

static int64_t read_one(struct weft__segments *segments, const struct segment *segment, void *data,
                        size_t len)
{
    if (segment->kind == PATH)
        return read_file(segments, segment, data, len);
    if (segment->kind == SOURCE)
        return read_source(segments, segment, data, len);
    return read_bytes(segments, segment, data, len);
}

/* As body_reader.  What is in memory comes together in one piece, before anything that waits. */
static int64_t read_segments(void *userdata, void *data, size_t len)
{
    struct weft__segments *segments = userdata;
    size_t filled = 0;
    while (segments->at < segments->n && filled < len) {
        const struct segment *segment = &segments->list[segments->at];
        bool waits = segment->kind == PATH || segment->kind == SOURCE;
        if (waits && filled > 0)
            break;
        int64_t n = read_one(segments, segment, (char *)data + filled, len - filled);
        if (n < 0)
            return n;
        filled += (size_t)n;
        segments->done += (uint64_t)n;
        if (n == 0 || (segment->sized && segments->done == segment->size)) {
            close_file(segments);
            segments->at++;
            segments->done = 0;
        }
        if (waits && n > 0)
            break;
    }
    return (int64_t)filled;
}

static int rewind_segments(void *userdata)
{
    struct weft__segments *segments = userdata;
    close_file(segments);
    for (size_t i = 0; i < segments->n && i <= segments->at; i++) {
        const struct segment *segment = &segments->list[i];
        int err = segment->kind == SOURCE ? segment->source.rewind(segment->source.userdata) : 0;
        if (err < 0)
            return err;
    }
    segments->at = 0;
    segments->done = 0;
    return 0;
}

int weft__segments_finish(struct weft__segments *segments, struct weft__source *ret)
{
    struct weft__source source = {
        .read = read_segments, .rewind = rewind_segments, .userdata = segments, .sized = true};
    int err = weft__segments_add_text(segments);
    if (err < 0)
        return err;
    for (size_t i = 0; i < segments->n; i++) {
        const struct segment *segment = &segments->list[i];
        /* What is no regular file gives its bytes once. */
        if ((segment->kind == PATH && !segment->sized) ||
            (segment->kind == SOURCE && segment->source.rewind == NULL))
            source.rewind = NULL;
        source.sized = source.sized && segment->sized;
        if (segment->size > (uint64_t)INT64_MAX - source.size)
            return weft__fail(-EINVAL, "the parts of the request body are too large together");
        source.size += segment->size;
    }
    *ret = source;
    return 0;
}

int weft__segments_keep(struct weft__segments *segments)
{
    size_t len = 0;
    for (size_t i = segments->at; i < segments->n; i++)
        len += segments->list[i].kind == BYTES ? (size_t)segments->list[i].size : 0;
    if (len == 0 || segments->kept != NULL)
        return 0;
    segments->kept = weft__alloc(len);
    if (segments->kept == NULL)
        return weft__fail_nomem();
    char *to = segments->kept;
    for (size_t i = segments->at; i < segments->n; i++) {
        struct segment *segment = &segments->list[i];
        if (segment->kind != BYTES)
            continue;
        memcpy(to, segment->data, (size_t)segment->size);
        segment->data = to;
        to += segment->size;
    }
    return 0;
}

bool weft__segments_is_text(const struct weft__segments *segments)
{
    return segments->n == 0 || (segments->n == 1 && segments->list[0].kind == TEXT);
}
