/* multipart.c - multipart/form-data: boundaries, heads of parts. */
#include "proto/multipart.h"

#include <errno.h>
#include <string.h>

#include <weft/error.h>

#include "base/error_int.h"
#include "base/str.h"
#include "proto/chars.h"
#include "proto/header.h"

/* ---- boundaries ---- */

void weft__boundary_make(const uint64_t random[2], char ret[WEFT__BOUNDARY_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < 32; i++)
        ret[i] = digits[random[i / 16] >> 4 * (i % 16) & 15];
    ret[32] = '\0';
}

bool weft__boundary_is_valid(const char *boundary, size_t len)
{
    static const char others[] = "'()+_,-./:=? ";
    if (len == 0 || len > WEFT__BOUNDARY_MAX || boundary[len - 1] == ' ')
        return false;
    for (size_t i = 0; i < len; i++) {
        char lower = weft__ascii_lower(boundary[i]);
        if (!(lower >= 'a' && lower <= 'z') && !weft__is_digit(lower) &&
            (lower == '\0' || strchr(others, lower) == NULL))
            return false;
    }
    return true;
}

static const char *skip_blanks(const char *text)
{
    return text + strspn(text, " \t");
}

/* A token or a quoted string; *len may pass room, and then only room bytes are written. */
static const char *read_value(const char *text, char *to, size_t room, size_t *len)
{
    bool quoted = *text == '"';
    *len = 0;
    if (quoted)
        text++;
    while (*text != '\0' && (quoted ? *text != '"' : weft__char_is(*text, WEFT__CHAR_TOKEN))) {
        if (quoted && text[0] == '\\' && text[1] != '\0')
            text++;
        if (*len < room)
            to[*len] = *text;
        (*len)++;
        text++;
    }
    return quoted && *text == '"' ? text + 1 : text;
}

int weft__boundary_from_type(const char *type, char ret[WEFT__BOUNDARY_SIZE])
{
    char value[WEFT__BOUNDARY_SIZE];
    size_t len;
    if (!weft__ieq_n(type, strnlen(type, 10), "multipart/", 10))
        return weft__fail(-EINVAL, "the content type of a multipart body is not multipart");
    ret[0] = '\0';
    for (const char *at = strchr(type, ';'); at != NULL; at = strchr(at, ';')) {
        at = skip_blanks(at + 1);
        size_t name_len = strcspn(at, "=;");
        bool wanted = weft__ieq_n(at, name_len, "boundary", 8);
        if (at[name_len] != '=')
            continue;
        at = read_value(at + name_len + 1, value, sizeof value, &len);
        if (!wanted)
            continue;
        if (!weft__boundary_is_valid(value, len))
            return weft__fail(-EINVAL,
                              "the boundary of a multipart body has 1 to %d characters, "
                              "letters and digits above all",
                              WEFT__BOUNDARY_MAX);
        memcpy(ret, value, len);
        ret[len] = '\0';
        return 0;
    }
    return 0;
}

bool weft__boundary_occurs(const char *boundary, const void *data, size_t len)
{
    char line[WEFT__BOUNDARY_SIZE + 4] = "\r\n--";
    size_t boundary_len = strlen(boundary);
    memcpy(line + 4, boundary, boundary_len);
    if (len >= boundary_len + 2 && memcmp(data, line + 2, boundary_len + 2) == 0)
        return true;
    return len > 0 && memmem(data, len, line, boundary_len + 4) != NULL;
}

/* ---- heads ---- */

static int append_escaped(struct weft__buf *to, const char *text)
{
    int err = 0;
    for (; err == 0 && *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < ' ' || c == '"' || c == 0x7f)
            err = weft__buf_printf(to, "%%%02X", c);
        else if (c == '\\')
            err = weft__buf_append_str(to, "\\\\");
        else
            err = weft__buf_append_char(to, *text);
    }
    return err;
}

static int append_parameter(struct weft__buf *to, const char *name, const char *value)
{
    int err = weft__buf_printf(to, "; %s=\"", name);
    if (err == 0)
        err = append_escaped(to, value);
    return err < 0 ? err : weft__buf_append_char(to, '"');
}

/* The fields beside Content-Disposition: the caller's, then the type. */
static int collect_fields(weft_headers *fields, const struct weft__part_head *part)
{
    for (const weft_pair *pair = part->headers; pair != NULL && pair->name != NULL; pair++) {
        if (weft__ieq(pair->name, "content-disposition"))
            return weft__fail(-EINVAL, "the Content-Disposition of a part is made of its name and "
                                       "its filename");
        int err = weft_headers_add(fields, pair->name, pair->value);
        if (err < 0)
            return err;
    }
    if (part->content_type == NULL || weft_headers_get(fields, "content-type") != NULL)
        return 0;
    return weft_headers_add(fields, "Content-Type", part->content_type);
}

static int append_fields(struct weft__buf *to, const struct weft__part_head *part)
{
    weft_headers fields;
    weft__headers_init(&fields);
    int err = collect_fields(&fields, part);
    for (size_t i = 0; err == 0 && i < weft_headers_count(&fields); i++) {
        err = weft__buf_append_str(to, weft__header_name(&fields, i));
        if (err == 0)
            err = weft__buf_append_str(to, ": ");
        if (err == 0)
            err = weft__buf_append_str(to, weft__header_value(&fields, i));
        if (err == 0)
            err = weft__buf_append_str(to, "\r\n");
    }
    weft__headers_done(&fields);
    return err;
}

int weft__multipart_head(struct weft__buf *to, const char *boundary, bool first,
                         const struct weft__part_head *part)
{
    int err = weft__buf_printf(to, "%s--%s\r\nContent-Disposition: form-data", first ? "" : "\r\n",
                               boundary);
    if (err == 0)
        err = append_parameter(to, "name", part->name);
    if (err == 0 && part->filename != NULL)
        err = append_parameter(to, "filename", part->filename);
    if (err == 0)
        err = weft__buf_append_str(to, "\r\n");
    if (err == 0)
        err = append_fields(to, part);
    return err < 0 ? err : weft__buf_append_str(to, "\r\n");
}

int weft__multipart_end(struct weft__buf *to, const char *boundary, bool none)
{
    return weft__buf_printf(to, "%s--%s--\r\n", none ? "" : "\r\n", boundary);
}
