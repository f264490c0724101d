/*
 * url_parse.c - the URL parser of the WHATWG standard, section 4.4.
 *
 * The standard describes a machine that goes over the input byte by byte.  Here the same
 * decisions are taken component by component: the fragment is cut off first, then each
 * function below stands for one or two of the standard's states and names them.  Components
 * are written one behind the other into one buffer, in the order of the URL, so that the
 * path, while it is built, is always the buffer's tail and ".." can take its end away.
 */
#include <errno.h>
#include <string.h>

#include <weft/error.h>

#include "base/alloc.h"
#include "base/error_int.h"
#include "base/limits.h"
#include "base/str.h"
#include "proto/url_int.h"

/* Where a component stands in the buffer; at the end of each is a NUL. */
struct part {
    bool present;
    size_t at;
};

struct parser {
    const weft_url *base;
    struct weft__buf text;
    struct part scheme, username, password, host, path, query, fragment;
    struct weft__url_span rest; /* of the input */
    int default_port;           /* as weft__url_special_port */
    int port;
    bool opaque;
    const char *why; /* what is wrong */
};

/* ---- writing components ---- */

static const char *text_of(const struct parser *parser, struct part part)
{
    return part.present ? weft__buf_bytes(&parser->text) + part.at : NULL;
}

static void begin(struct parser *parser, struct part *part)
{
    part->present = true;
    part->at = parser->text.len;
}

static int end(struct parser *parser)
{
    return weft__buf_append_char(&parser->text, '\0');
}

static int add(struct parser *parser, struct part *part, const char *text, size_t len, unsigned set)
{
    begin(parser, part);
    int err = set != 0 ? weft__url_encode(&parser->text, text, len, set)
                       : weft__buf_append(&parser->text, text, len);
    return err < 0 ? err : end(parser);
}

/* As it stands in the base; NULL leaves it null. */
static int copy(struct parser *parser, struct part *part, const char *text)
{
    return text != NULL ? add(parser, part, text, strlen(text), 0) : 0;
}

static int invalid(struct parser *parser, const char *why)
{
    parser->why = why;
    return WEFT_EINVALID_URL;
}

/* ---- small questions ---- */

static bool is_special(const struct parser *parser)
{
    return parser->default_port >= 0;
}

static bool is_file(const struct parser *parser)
{
    return parser->default_port == 0;
}

static bool is_slash(const struct parser *parser, char c)
{
    return c == '/' || (c == '\\' && is_special(parser));
}

static bool starts_with_slash(const struct parser *parser)
{
    return parser->rest.len > 0 && is_slash(parser, parser->rest.data[0]);
}

static void skip(struct parser *parser, size_t len)
{
    parser->rest.data += len;
    parser->rest.len -= len;
}

static bool is_alpha(char c)
{
    c = weft__ascii_lower(c);
    return c >= 'a' && c <= 'z';
}

/* Letter, then ":" or "|": a drive of Windows. */
static bool is_drive(const char *text, size_t len)
{
    return len == 2 && is_alpha(text[0]) && (text[1] == ':' || text[1] == '|');
}

/* The rest is a drive letter, alone or before a slash, "?" or the end. */
static bool starts_with_drive(const struct weft__url_span *rest)
{
    return rest->len >= 2 && is_drive(rest->data, 2) &&
           (rest->len == 2 || strchr("/\\?", rest->data[2]) != NULL);
}

int weft__url_special_port(const char *scheme)
{
    static const struct {
        const char *scheme;
        int port;
    } ports[] = {{"http", 80}, {"https", 443}, {"ws", 80}, {"wss", 443}, {"ftp", 21}, {"file", 0}};
    for (size_t i = 0; i < sizeof ports / sizeof ports[0]; i++) {
        if (strcmp(ports[i].scheme, scheme) == 0)
            return ports[i].port;
    }
    return -1;
}

/* ---- path ---- */

/* "." and "..", each dot written as it is or as %2e. Returns how many dots, else 0. */
static int count_dots(const char *segment, size_t len)
{
    int dots = 0;
    while (len > 0) {
        size_t step = segment[0] == '.' ? 1 : 3;
        if (step == 3 && (len < 3 || !weft__ieq_n(segment, 3, "%2e", 3)))
            return 0;
        dots++;
        segment += step;
        len -= step;
    }
    return dots <= 2 ? dots : 0;
}

static const char *path_of(const struct parser *parser, size_t *ret_len)
{
    *ret_len = parser->text.len - parser->path.at;
    return weft__buf_bytes(&parser->text) + parser->path.at;
}

/* "shorten a url's path"; a drive letter stays. */
static void shorten_path(struct parser *parser)
{
    size_t len;
    const char *path = path_of(parser, &len);
    if (is_file(parser) && len == 3 && is_alpha(path[1]) && path[2] == ':')
        return;
    while (len > 0 && path[len - 1] != '/')
        len--;
    parser->text.len = parser->path.at + (len > 0 ? len - 1 : 0);
}

static int add_segment(struct parser *parser, const char *segment, size_t len, bool last)
{
    int dots = count_dots(segment, len);
    if (dots == 2)
        shorten_path(parser);
    if (dots > 0)
        return last ? weft__buf_append_char(&parser->text, '/') : 0;
    bool drive = is_file(parser) && parser->text.len == parser->path.at && is_drive(segment, len);
    int err = weft__buf_append_char(&parser->text, '/');
    if (err < 0)
        return err;
    if (drive) {
        err = weft__buf_append_char(&parser->text, segment[0]);
        return err < 0 ? err : weft__buf_append_char(&parser->text, ':');
    }
    return weft__url_encode(&parser->text, segment, len, WEFT__URL_PATH);
}

/* Query state, if there is one: the rest is at its end or at "?". */
static int parse_query(struct parser *parser)
{
    if (parser->rest.len == 0)
        return 0;
    skip(parser, 1);
    return add(parser, &parser->query, parser->rest.data, parser->rest.len,
               is_special(parser) ? WEFT__URL_SPECIAL_QUERY : WEFT__URL_QUERY);
}

/* Path state; the path may have a beginning already. Then the query. */
static int parse_segments(struct parser *parser)
{
    for (;;) {
        size_t len = 0;
        const char *segment = parser->rest.data;
        while (len < parser->rest.len && segment[len] != '?' && !is_slash(parser, segment[len]))
            len++;
        bool last = len == parser->rest.len || segment[len] == '?';
        int err = add_segment(parser, segment, len, last);
        if (err < 0)
            return err;
        skip(parser, last ? len : len + 1);
        if (last)
            break;
    }
    int err = end(parser);
    return err < 0 ? err : parse_query(parser);
}

/* Path start state. */
static int parse_path(struct parser *parser)
{
    begin(parser, &parser->path);
    if (starts_with_slash(parser)) {
        skip(parser, 1);
        return parse_segments(parser);
    }
    if (is_special(parser) || (parser->rest.len > 0 && parser->rest.data[0] != '?'))
        return parse_segments(parser);
    int err = end(parser);
    return err < 0 ? err : parse_query(parser);
}

/* Opaque path state. A blank before "?" or "#" would be lost, so it is encoded. */
static int parse_opaque_path(struct parser *parser, bool has_fragment)
{
    const char *query = memchr(parser->rest.data, '?', parser->rest.len);
    size_t len = query != NULL ? (size_t)(query - parser->rest.data) : parser->rest.len;
    bool blank = len > 0 && parser->rest.data[len - 1] == ' ' && (query != NULL || has_fragment);
    parser->opaque = true;
    begin(parser, &parser->path);
    int err = weft__url_encode(&parser->text, parser->rest.data, len - blank, WEFT__URL_C0);
    if (err == 0 && blank)
        err = weft__buf_append_str(&parser->text, "%20");
    if (err == 0)
        err = end(parser);
    skip(parser, len);
    return err < 0 ? err : parse_query(parser);
}

/* ---- authority ---- */

/* Port state. */
static int parse_port(struct parser *parser, const char *text, size_t len)
{
    unsigned port = 0;
    for (size_t i = 0; i < len; i++) {
        if (!weft__is_digit(text[i]))
            return invalid(parser, "the port is not a number");
        port = port * 10 + (unsigned)(text[i] - '0');
        if (port > UINT16_MAX)
            return invalid(parser, "the port is above 65535");
    }
    if (len > 0 && (int)port != parser->default_port)
        parser->port = (int)port;
    return 0;
}

static int parse_host(struct parser *parser, struct weft__url_span host)
{
    begin(parser, &parser->host);
    int err = weft__url_parse_host(&parser->text, host, is_special(parser), &parser->why);
    return err < 0 ? err : end(parser);
}

/* Host state: host [":" port]. */
static int parse_host_port(struct parser *parser, struct weft__url_span text, bool has_userinfo)
{
    size_t len = 0;
    bool inside = false;
    while (len < text.len && (inside || text.data[len] != ':')) {
        if (text.data[len] == '[' || text.data[len] == ']')
            inside = text.data[len] == '[';
        len++;
    }
    if (len == 0 && (text.len > 0 || has_userinfo || is_special(parser)))
        return invalid(parser, "no host");
    int err = parse_host(parser, (struct weft__url_span){text.data, len});
    if (err < 0 || len == text.len)
        return err;
    return parse_port(parser, text.data + len + 1, text.len - len - 1);
}

static int add_userinfo(struct parser *parser, const char *text, size_t len)
{
    const char *colon = memchr(text, ':', len);
    size_t name_len = colon != NULL ? (size_t)(colon - text) : len;
    int err = add(parser, &parser->username, text, name_len, WEFT__URL_USERINFO);
    if (err < 0 || colon == NULL)
        return err;
    return add(parser, &parser->password, colon + 1, len - name_len - 1, WEFT__URL_USERINFO);
}

/* Authority state: the rest begins behind the slashes. */
static int parse_authority(struct parser *parser)
{
    struct weft__url_span text = {parser->rest.data, 0};
    while (text.len < parser->rest.len && text.data[text.len] != '?' &&
           !is_slash(parser, text.data[text.len]))
        text.len++;
    skip(parser, text.len);
    const char *at = memrchr(text.data, '@', text.len);
    if (at != NULL) {
        size_t len = (size_t)(at - text.data);
        int err = add_userinfo(parser, text.data, len);
        if (err < 0)
            return err;
        text.data += len + 1;
        text.len -= len + 1;
    }
    int err = parse_host_port(parser, text, at != NULL);
    return err < 0 ? err : parse_path(parser);
}

/* Special authority slashes state, special authority ignore slashes state. */
static int parse_special_authority(struct parser *parser)
{
    while (starts_with_slash(parser))
        skip(parser, 1);
    return parse_authority(parser);
}

/* ---- references ---- */

static int copy_authority(struct parser *parser)
{
    const weft_url *base = parser->base;
    int err = copy(parser, &parser->username, base->username);
    if (err == 0)
        err = copy(parser, &parser->password, base->password);
    if (err == 0)
        err = copy(parser, &parser->host, base->host);
    parser->port = base->port;
    return err;
}

/* The base's path, to which the rest's segments are added, or which is taken as it is. */
static int copy_path(struct parser *parser)
{
    const weft_url *base = parser->base;
    begin(parser, &parser->path);
    int err = weft__buf_append_str(&parser->text, base->path);
    if (err < 0)
        return err;
    if (parser->rest.len == 0 || parser->rest.data[0] == '?') {
        err = end(parser);
        if (err == 0 && parser->rest.len == 0)
            return copy(parser, &parser->query, base->query);
        return err < 0 ? err : parse_query(parser);
    }
    if (is_file(parser) && starts_with_drive(&parser->rest))
        parser->text.len = parser->path.at;
    else
        shorten_path(parser);
    return parse_segments(parser);
}

/* Relative state, relative slash state. */
static int parse_relative(struct parser *parser)
{
    if (starts_with_slash(parser)) {
        skip(parser, 1);
        if (starts_with_slash(parser)) {
            skip(parser, 1);
            return is_special(parser) ? parse_special_authority(parser) : parse_authority(parser);
        }
        int err = copy_authority(parser);
        begin(parser, &parser->path);
        return err < 0 ? err : parse_segments(parser);
    }
    int err = copy_authority(parser);
    return err < 0 ? err : copy_path(parser);
}

/* File host state: the rest begins behind two slashes. */
static int parse_file_host(struct parser *parser)
{
    size_t len = 0;
    const char *text = parser->rest.data;
    while (len < parser->rest.len && text[len] != '?' && !is_slash(parser, text[len]))
        len++;
    if (is_drive(text, len)) {
        int err = add(parser, &parser->host, "", 0, 0);
        begin(parser, &parser->path);
        return err < 0 ? err : parse_segments(parser);
    }
    skip(parser, len);
    int err = len == 0 ? add(parser, &parser->host, "", 0, 0)
                       : parse_host(parser, (struct weft__url_span){text, len});
    if (err == 0 && strcmp(text_of(parser, parser->host), "localhost") == 0) {
        parser->text.len = parser->host.at;
        err = end(parser);
    }
    return err < 0 ? err : parse_path(parser);
}

/* File slash state: the rest begins behind one slash. */
static int parse_file_slash(struct parser *parser, const weft_url *base)
{
    if (starts_with_slash(parser)) {
        skip(parser, 1);
        return parse_file_host(parser);
    }
    int err = copy(parser, &parser->host, base != NULL ? base->host : "");
    begin(parser, &parser->path);
    if (err == 0 && base != NULL && !starts_with_drive(&parser->rest) && base->path[0] == '/' &&
        is_alpha(base->path[1]) && base->path[2] == ':' &&
        (base->path[3] == '/' || base->path[3] == '\0'))
        err = weft__buf_append(&parser->text, base->path, 3);
    return err < 0 ? err : parse_segments(parser);
}

/* File state: the rest begins behind "file:", or is a reference to a file URL. */
static int parse_file(struct parser *parser)
{
    const weft_url *base = parser->base;
    if (base != NULL && strcmp(base->scheme, "file") != 0)
        base = NULL;
    if (starts_with_slash(parser)) {
        skip(parser, 1);
        return parse_file_slash(parser, base);
    }
    int err = copy(parser, &parser->host, base != NULL ? base->host : "");
    if (err < 0)
        return err;
    if (base != NULL)
        return copy_path(parser);
    begin(parser, &parser->path);
    return parse_segments(parser);
}

/* ---- the whole ---- */

/* Scheme start state, scheme state: the length of the scheme before ":", 0 without one. */
static size_t find_scheme(const struct weft__url_span *text)
{
    size_t len = 0;
    if (text->len == 0 || !is_alpha(text->data[0]))
        return 0;
    while (len < text->len &&
           (is_alpha(text->data[len]) || weft__is_digit(text->data[len]) ||
            text->data[len] == '+' || text->data[len] == '-' || text->data[len] == '.'))
        len++;
    return len < text->len && text->data[len] == ':' ? len : 0;
}

static int parse_without_scheme(struct parser *parser, bool has_fragment)
{
    const weft_url *base = parser->base;
    if (base == NULL)
        return invalid(parser, "no scheme, as in \"https://\"");
    if (base->opaque && (!has_fragment || parser->rest.len > 0))
        return invalid(parser, "a relative reference, but the base has no path to begin from");
    int err = copy(parser, &parser->scheme, base->scheme);
    if (err < 0)
        return err;
    parser->default_port = weft__url_special_port(base->scheme);
    if (base->opaque) {
        parser->opaque = true;
        err = copy(parser, &parser->path, base->path);
        return err < 0 ? err : copy(parser, &parser->query, base->query);
    }
    return is_file(parser) ? parse_file(parser) : parse_relative(parser);
}

static int parse_with_scheme(struct parser *parser, size_t scheme_len, bool has_fragment)
{
    int err = add(parser, &parser->scheme, parser->rest.data, scheme_len, 0);
    if (err < 0)
        return err;
    char *scheme = weft__buf_bytes(&parser->text);
    for (size_t i = 0; i < scheme_len; i++)
        scheme[i] = weft__ascii_lower(scheme[i]);
    parser->default_port = weft__url_special_port(scheme);
    skip(parser, scheme_len + 1);
    if (is_file(parser))
        return parse_file(parser);
    bool slashes = parser->rest.len >= 2 && memcmp(parser->rest.data, "//", 2) == 0;
    if (is_special(parser)) {
        bool same = parser->base != NULL && strcmp(parser->base->scheme, scheme) == 0;
        return same && !slashes ? parse_relative(parser) : parse_special_authority(parser);
    }
    if (slashes) {
        skip(parser, 2);
        return parse_authority(parser);
    }
    if (starts_with_slash(parser))
        return parse_path(parser);
    return parse_opaque_path(parser, has_fragment);
}

static int parse(struct parser *parser)
{
    struct weft__url_span fragment = {0};
    const char *hash = memchr(parser->rest.data, '#', parser->rest.len);
    if (hash != NULL) {
        size_t len = (size_t)(hash - parser->rest.data);
        fragment = (struct weft__url_span){hash + 1, parser->rest.len - len - 1};
        parser->rest.len = len;
    }
    size_t scheme_len = find_scheme(&parser->rest);
    int err = scheme_len > 0 ? parse_with_scheme(parser, scheme_len, hash != NULL)
                             : parse_without_scheme(parser, hash != NULL);
    if (err < 0 || hash == NULL)
        return err;
    return add(parser, &parser->fragment, fragment.data, fragment.len, WEFT__URL_FRAGMENT);
}

/* Without C0 controls and blanks at both ends, and without tabs and line ends inside. */
static size_t clean(char *to, const char *text, size_t len)
{
    size_t cleaned = 0;
    while (len > 0 && (unsigned char)text[len - 1] <= ' ')
        len--;
    while (len > 0 && (unsigned char)text[0] <= ' ') {
        text++;
        len--;
    }
    for (size_t i = 0; i < len; i++) {
        if (text[i] != '\t' && text[i] != '\n' && text[i] != '\r')
            to[cleaned++] = text[i];
    }
    return cleaned;
}

static bool is_clean(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] <= ' ')
            return false;
    }
    return true;
}

int weft_url_parse(const char *text, const weft_url *base, weft_url **ret)
{
    size_t len = strlen(text);
    char *input = NULL;
    if (len > WEFT__LIMIT_URL)
        return weft__fail(WEFT_EINVALID_URL, "the URL is longer than %d bytes", WEFT__LIMIT_URL);
    struct parser parser = {.base = base, .rest = {text, len}, .port = -1};
    if (!is_clean(text, len)) {
        input = weft__alloc(len + 1);
        if (input == NULL)
            return weft__fail_nomem();
        parser.rest = (struct weft__url_span){input, clean(input, text, len)};
    }
    weft__buf_init(&parser.text, 2 * WEFT__LIMIT_URL);
    int err = parse(&parser);
    if (err == 0) {
        struct weft_url parts = {
            .scheme = text_of(&parser, parser.scheme),
            .username = text_of(&parser, parser.username),
            .password = text_of(&parser, parser.password),
            .host = text_of(&parser, parser.host),
            .path = text_of(&parser, parser.path),
            .query = text_of(&parser, parser.query),
            .fragment = text_of(&parser, parser.fragment),
            .port = parser.port,
            .opaque = parser.opaque,
        };
        err = weft__url_build(&parts, ret);
    }
    weft__buf_done(&parser.text);
    weft__free(input);
    if (err == -EMSGSIZE)
        return weft__fail(WEFT_EINVALID_URL, "the URL is longer than %d bytes", WEFT__LIMIT_URL);
    if (err == WEFT_EINVALID_URL) {
        char shown[WEFT__URL_SHOWN];
        weft__url_show(text, shown);
        return weft__fail(err, "invalid URL \"%s\": %s", shown, parser.why);
    }
    return err < 0 ? weft__fail_nomem() : 0;
}
