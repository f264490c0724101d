/* multipart.c - a form with files as a request body (RFC 7578). */
#include "proto/multipart.h"

#include <string.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "base/rand.h"
#include "base/str.h"
#include "client/client_int.h"
#include "proto/mime.h"

enum {
    COPIED_MAX = 4096, /* bytes of a value that are copied beside its head */
    TYPE_MAX = 127,    /* bytes of a content type that follows from a name */
};

/* Whoever can choose what is in a part must not be able to guess where it ends. */
static void make_boundary(char boundary[WEFT__BOUNDARY_SIZE])
{
    uint64_t random[2];
    if (getrandom(random, sizeof random, GRND_NONBLOCK) != (int64_t)sizeof random) {
        random[0] = weft__rand_thread();
        random[1] = weft__rand_thread();
    }
    weft__boundary_make(random, boundary);
}

/* The boundary of the type, or a type with a boundary. */
static int settle_type(const char *type, char boundary[WEFT__BOUNDARY_SIZE], bool *ret_given,
                       char **ret)
{
    boundary[0] = '\0';
    if (type != NULL) {
        int err = weft__boundary_from_type(type, boundary);
        if (err < 0)
            return err;
    }
    *ret_given = boundary[0] != '\0';
    if (*ret_given) {
        *ret = weft__strdup(type);
    } else {
        make_boundary(boundary);
        *ret = weft__asprintf("%s; boundary=%s", type != NULL ? type : "multipart/form-data",
                              boundary);
    }
    return *ret != NULL ? 0 : weft__fail_nomem();
}

static int check_part(const weft_form_part *part)
{
    int sources = (part->value != NULL) + (part->path != NULL) + (part->reader != NULL);
    if (sources > 1)
        return weft__fail(-EINVAL, "part \"%s\" has one of value, path, reader", part->name);
    if (part->value == NULL && part->value_len > 0)
        return weft__fail(-EINVAL, "part \"%s\" has a value_len without a value", part->name);
    if (part->reader == NULL && (part->rewind != NULL || part->size > 0))
        return weft__fail(-EINVAL, "part \"%s\" has a rewind or a size without a reader",
                          part->name);
    return 0;
}

static const char *filename_of(const weft_form_part *part)
{
    const char *name = part->filename;
    if (name == NULL && part->path != NULL) {
        const char *slash = strrchr(part->path, '/');
        name = slash != NULL ? slash + 1 : part->path;
    }
    return name != NULL && name[0] != '\0' ? name : NULL;
}

/* What is known of a file by its name is its kind, not which characters are in it. */
static const char *type_of(const weft_form_part *part, const char *filename,
                           char room[TYPE_MAX + 1])
{
    if (part->content_type != NULL)
        return part->content_type[0] != '\0' ? part->content_type : NULL;
    if (filename == NULL)
        return NULL;
    weft__mime_bare_from_path(filename, room, TYPE_MAX + 1);
    return room;
}

static int add_value(struct weft__segments *segments, const weft_form_part *part,
                     const char *boundary, bool given)
{
    const char *value = part->value != NULL ? part->value : "";
    size_t len = part->value_len > 0 ? part->value_len : strlen(value);
    if (given && weft__boundary_occurs(boundary, value, len))
        return weft__fail(-EINVAL, "the boundary stands in the value of part \"%s\"", part->name);
    if (len > COPIED_MAX)
        return weft__segments_add_bytes(segments, value, len);
    int err = weft__buf_append(weft__segments_text(segments), value, len);
    return err < 0 ? weft__fail_nomem() : 0;
}

static int add_part(struct weft__segments *segments, const weft_form_part *part, bool first,
                    const char *boundary, bool given)
{
    char room[TYPE_MAX + 1];
    struct weft__part_head head = {
        .name = part->name, .filename = filename_of(part), .headers = part->headers};
    struct weft__source source = {.read = part->reader,
                                  .rewind = part->rewind,
                                  .userdata = part->userdata,
                                  .size = part->size,
                                  .sized = part->size > 0};
    int err = check_part(part);
    if (err < 0)
        return err;
    head.content_type = type_of(part, head.filename, room);
    err = weft__multipart_head(weft__segments_text(segments), boundary, first, &head);
    if (err == -ENOMEM)
        return weft__fail_nomem();
    if (err < 0)
        return weft__fail_prefix(err, "part \"%.64s\"", part->name);
    if (part->path != NULL)
        return weft__segments_add_file(segments, part->path);
    if (part->reader != NULL)
        return weft__segments_add_source(segments, part->name, &source);
    return add_value(segments, part, boundary, given);
}

int weft__multipart_build(const weft_form_part *parts, const char *type,
                          struct weft__multipart *ret)
{
    struct weft__multipart multipart = {0};
    char boundary[WEFT__BOUNDARY_SIZE];
    bool given;
    int err = settle_type(type, boundary, &given, &multipart.content_type);
    if (err == 0)
        err = weft__segments_new(&multipart.segments);
    const weft_form_part *part = parts;
    for (; err == 0 && part->name != NULL; part++)
        err = add_part(multipart.segments, part, part == parts, boundary, given);
    if (err == 0 &&
        weft__multipart_end(weft__segments_text(multipart.segments), boundary, part == parts) < 0)
        err = weft__fail_nomem();
    if (err < 0) {
        weft__segments_free(multipart.segments);
        weft__free(multipart.content_type);
        return err;
    }
    *ret = multipart;
    return 0;
}
