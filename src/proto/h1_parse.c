/*
 * h1_parse.c - message heads, strictly by the grammar of RFC 9112.
 *
 * A head is read line by line.  find_line() looks at every byte once, eight at a time, for
 * the first that no field value may hold; it is the CR of a CR LF, or an error.  A whole
 * line is then cut up with the token table, and its parts are kept as pointers into the
 * caller's bytes.  An incomplete line leaves "scanned" where the next call goes on, so that
 * feeding single bytes costs no more than feeding all.  What the fields mean is worked out
 * in h1_frame.c when the last line has come.
 *
 * Refused although some peers accept it: bare CR and LF, control characters, a space before
 * the colon, HTTP/0.9, versions other than 1.0 and 1.1, whitespace before the first field.
 * Accepted although the grammar does not know it: a status line without the space that
 * precedes an empty reason (RFC 9112 4 allows that leniency, and servers need it).
 */
#include <endian.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <weft/error.h>

#include "base/alloc.h"
#include "base/error_int.h"
#include "base/limits.h"
#include "base/str.h"
#include "proto/chars.h"
#include "proto/h1_int.h"
#include "proto/header.h"

enum { STAGE_START, STAGE_FIELDS };
enum { EMPTY_LINES = 8 }; /* before a request line */

const struct weft__h1_limits weft__h1_response_limits = {
    .start_line = WEFT__LIMIT_H1_START_LINE,
    .head = WEFT__LIMIT_H1_RESPONSE_HEAD,
    .field = WEFT__LIMIT_H1_FIELD,
    .fields = WEFT__LIMIT_H1_RESPONSE_FIELDS,
};
const struct weft__h1_limits weft__h1_request_limits = {
    .start_line = WEFT__LIMIT_H1_START_LINE,
    .head = WEFT__LIMIT_H1_REQUEST_HEAD,
    .field = WEFT__LIMIT_H1_FIELD,
    .fields = WEFT__LIMIT_H1_REQUEST_FIELDS,
};
const struct weft__h1_limits weft__h1_trailer_limits = {
    .head = WEFT__LIMIT_H1_TRAILERS,
    .field = WEFT__LIMIT_H1_TRAILERS,
    .fields = WEFT__LIMIT_H1_TRAILER_FIELDS,
};

/* What differs between the three kinds of head. */
enum kind { RESPONSE, REQUEST, TRAILERS };

struct parser {
    struct weft__h1_head *head;
    const struct weft__h1_limits *limits;
    const char *data;
    size_t len;
    char *writable; /* data, where lines may be unfolded in place; else NULL */
    enum kind kind;
};

void weft__h1_head_init(struct weft__h1_head *head)
{
    head->fields = head->first;
    head->fields_cap = WEFT__H1_INLINE_FIELDS;
    weft__h1_head_reset(head, NULL);
}

void weft__h1_head_done(struct weft__h1_head *head)
{
    if (head->fields != head->first)
        weft__free(head->fields);
    weft__h1_head_init(head);
}

void weft__h1_head_reset(struct weft__h1_head *head, const char *reply_to)
{
    struct weft__h1_field *fields = head->fields;
    size_t fields_cap = head->fields_cap;
    memset(head, 0, offsetof(struct weft__h1_head, first));
    head->fields = fields;
    head->fields_cap = fields_cap;
    head->reply_to = reply_to;
    head->content_length = -1;
    head->line_no = 1;
}

static void move(const char **pointer, const char *from, const char *to)
{
    if (*pointer != NULL)
        *pointer = to + ((uintptr_t)*pointer - (uintptr_t)from);
}

void weft__h1_head_rebase(struct weft__h1_head *head, const char *data)
{
    const char *from = head->data;
    head->data = data;
    if (from == NULL || from == data)
        return;
    move(&head->method.data, from, data);
    move(&head->target.data, from, data);
    move(&head->host.data, from, data);
    move(&head->reason.data, from, data);
    for (size_t i = 0; i < head->fields_len; i++) {
        move(&head->fields[i].name, from, data);
        move(&head->fields[i].value, from, data);
    }
}

const struct weft__h1_field *weft__h1_head_find(const struct weft__h1_head *head, const char *name)
{
    size_t name_len = strlen(name);
    for (size_t i = 0; i < head->fields_len; i++) {
        if (weft__ieq_n(head->fields[i].name, head->fields[i].name_len, name, name_len))
            return &head->fields[i];
    }
    return NULL;
}

int weft__h1_head_copy(const struct weft__h1_head *head, weft_headers *headers)
{
    size_t bytes = 0;
    for (size_t i = 0; i < head->fields_len; i++)
        bytes += head->fields[i].name_len + head->fields[i].value_len;
    int err = weft__headers_reserve(headers, head->fields_len, bytes);
    for (size_t i = 0; i < head->fields_len && err >= 0; i++) {
        const struct weft__h1_field *field = &head->fields[i];
        err = weft__headers_append_raw(headers, field->name, field->name_len, field->value,
                                       field->value_len);
    }
    return err;
}

int weft__h1_refuse(struct weft__h1_head *head, int status, int code, const char *format, ...)
{
    char text[WEFT__ERROR_TEXT_MAX / 2];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    head->status = status;
    if (head->line_no == 0)
        return weft__fail(code, "message head: %s", text);
    return weft__fail(code, "message head, line %u: %s", head->line_no, text);
}

static int bad(struct parser *parser, const char *what)
{
    return weft__h1_refuse(parser->head, 400, WEFT_EREMOTE_PROTOCOL, "%s", what);
}

#define EACH_BYTE(b) (0x0101010101010101ULL * (b))

/*
 * The first byte from p on that is not text, or end.  The words find the lowest byte below
 * 0x20 or equal to 0x7f exactly: a borrow can only spoil the bytes above a hit.
 */
static const char *skip_text(const char *p, const char *end)
{
    while (end - p >= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        word = le64toh(word);
        uint64_t low = (word - EACH_BYTE(0x20)) & ~word;
        uint64_t del = word ^ EACH_BYTE(0x7f);
        del = (del - EACH_BYTE(1)) & ~del;
        uint64_t hit = (low | del) & EACH_BYTE(0x80);
        if (hit == 0) {
            p += 8;
            continue;
        }
        p += __builtin_ctzll(hit) / 8;
        if (*p != '\t')
            return p;
        p++;
    }
    while (p < end && weft__char_is(*p, WEFT__CHAR_TEXT))
        p++;
    return p;
}

/* How many bytes the present line may use with its CR LF, and what is wrong beyond them. */
struct room {
    size_t bytes;
    size_t limit;
    const char *what;
    int status;
};

static struct room line_room(const struct parser *parser)
{
    const struct weft__h1_limits *limits = parser->limits;
    const struct weft__h1_head *head = parser->head;
    bool start = head->stage == STAGE_START;
    size_t line = start ? limits->start_line : limits->field;
    size_t rest = limits->head > head->line ? limits->head - head->line : 0;
    if (line + 2 > rest)
        return (struct room){rest, limits->head, "the head", 431};
    if (start)
        return (struct room){line + 2, line, "the line", parser->kind == REQUEST ? 414 : 431};
    return (struct room){line + 2, line, "the field", 431};
}

/* The next line, without CR LF, to *ret: 1, 0 if it is not whole, or an error. */
static int find_line(struct parser *parser, struct weft__text *ret)
{
    struct weft__h1_head *head = parser->head;
    struct room room = line_room(parser);
    const char *line = parser->data + head->line;
    bool full = parser->len - head->line >= room.bytes;
    const char *end = full ? line + room.bytes : parser->data + parser->len;
    const char *p = skip_text(parser->data + head->scanned, end);
    head->scanned = (size_t)(p - parser->data);
    if (end - p >= 2 && p[0] == '\r' && p[1] == '\n') {
        *ret = (struct weft__text){line, (size_t)(p - line)};
        return 1;
    }
    if (p < end && *p == '\n')
        return bad(parser, "a line ends with LF alone");
    if (end - p >= 2 && *p == '\r')
        return bad(parser, "CR without LF");
    if (p < end && *p != '\r')
        return weft__h1_refuse(head, 400, WEFT_EREMOTE_PROTOCOL, "control character 0x%02x",
                               (unsigned char)*p);
    if (full)
        return weft__h1_refuse(head, room.status, WEFT_EHEADER_TOO_LARGE,
                               "%s is longer than %zu bytes", room.what, room.limit);
    return 0;
}

static void next_line(struct weft__h1_head *head, const struct weft__text *line)
{
    head->line += line->len + 2;
    head->scanned = head->line;
    head->line_no++;
}

/* "HTTP/1.0" or "HTTP/1.1", RFC 9112 2.3. */
static int parse_version(struct parser *parser, const char *text, size_t len)
{
    if (len == 8 && memcmp(text, "HTTP/1.", 7) == 0 && (text[7] == '0' || text[7] == '1')) {
        parser->head->minor = text[7] - '0';
        return 0;
    }
    if (len == 8 && memcmp(text, "HTTP/", 5) == 0 && weft__is_digit(text[5]) && text[6] == '.' &&
        weft__is_digit(text[7]))
        return weft__h1_refuse(parser->head, 505, WEFT_EREMOTE_PROTOCOL,
                               "HTTP version %.3s is not supported", text + 5);
    return bad(parser, "no HTTP version where one must stand");
}

/* HTTP-version SP status-code [ SP reason-phrase ] */
static int parse_status_line(struct parser *parser, struct weft__text line)
{
    struct weft__h1_head *head = parser->head;
    int err = parse_version(parser, line.data, line.len < 8 ? line.len : 8);
    if (err < 0)
        return err;
    const char *code = line.data + 9;
    if (line.len < 12 || line.data[8] != ' ' || !weft__is_digit(code[0]) ||
        !weft__is_digit(code[1]) || !weft__is_digit(code[2]) ||
        (line.len > 12 && line.data[12] != ' '))
        return bad(parser, "the status is not three digits between spaces");
    int status = (code[0] - '0') * 100 + (code[1] - '0') * 10 + (code[2] - '0');
    if (status < 100)
        return bad(parser, "the status is below 100");
    head->status = status;
    size_t skip = line.len > 12 ? 13 : 12;
    head->reason = (struct weft__text){line.data + skip, line.len - skip};
    return 0;
}

/* method SP request-target SP HTTP-version */
static int parse_request_line(struct parser *parser, struct weft__text line)
{
    struct weft__h1_head *head = parser->head;
    const char *end = line.data + line.len;
    const char *p = line.data;
    while (p < end && weft__char_is(*p, WEFT__CHAR_TOKEN))
        p++;
    if (p == line.data || p == end || *p != ' ')
        return bad(parser, "the method is not a token followed by one space");
    head->method = (struct weft__text){line.data, (size_t)(p - line.data)};
    const char *target = ++p;
    while (p < end && weft__char_is(*p, WEFT__CHAR_TARGET))
        p++;
    head->target = (struct weft__text){target, (size_t)(p - target)};
    if (p == target)
        return bad(parser, "no request target after the method");
    if (p == end)
        return bad(parser, "no HTTP version after the request target");
    if (*p != ' ')
        return weft__h1_refuse(head, 400, WEFT_EREMOTE_PROTOCOL,
                               "byte 0x%02x in the request target", (unsigned char)*p);
    p++;
    int err = parse_version(parser, p, (size_t)(end - p));
    return err < 0 ? err : weft__h1_check_target(head);
}

static int parse_start(struct parser *parser, struct weft__text line)
{
    struct weft__h1_head *head = parser->head;
    if (parser->kind == REQUEST && line.len == 0) {
        if (head->line_no > EMPTY_LINES)
            return bad(parser, "too many empty lines before the request line");
        return 0;
    }
    int err = parser->kind == REQUEST ? parse_request_line(parser, line)
                                      : parse_status_line(parser, line);
    if (err < 0)
        return err;
    head->stage = STAGE_FIELDS;
    return 0;
}

static int grow_fields(struct weft__h1_head *head)
{
    size_t cap = head->fields_cap * 2;
    bool inside = head->fields == head->first;
    struct weft__h1_field *fields =
        weft__realloc(inside ? NULL : head->fields, cap * sizeof *fields);
    if (fields == NULL)
        return weft__fail_nomem();
    if (inside)
        memcpy(fields, head->first, sizeof head->first);
    head->fields = fields;
    head->fields_cap = cap;
    return 0;
}

/* obs-fold: line break and blanks become blanks, and the value goes on (RFC 9112 5.2). */
static int unfold(struct parser *parser, struct weft__text line)
{
    struct weft__h1_head *head = parser->head;
    if (head->fields_len == 0)
        return bad(parser, "whitespace before the first field");
    if (parser->writable == NULL)
        return bad(parser, "a folded field");
    struct weft__h1_field *field = &head->fields[head->fields_len - 1];
    const char *value_end = field->value + field->value_len;
    const char *end = line.data + line.len;
    if ((size_t)(end - field->name) > parser->limits->field)
        return weft__h1_refuse(head, 431, WEFT_EHEADER_TOO_LARGE,
                               "the field is longer than %zu bytes", parser->limits->field);
    size_t rest_len = line.len;
    const char *rest = weft__trim(line.data, &rest_len);
    if (rest_len == 0)
        return 0;
    if (field->value_len == 0) {
        field->value = rest;
        field->value_len = (uint32_t)rest_len;
        return 0;
    }
    memset(parser->writable + (value_end - parser->data), ' ', (size_t)(rest - value_end));
    field->value_len = (uint32_t)(rest + rest_len - field->value);
    return 0;
}

/* field-name ":" OWS field-value OWS */
static int parse_field(struct parser *parser, struct weft__text line)
{
    struct weft__h1_head *head = parser->head;
    if (line.data[0] == ' ' || line.data[0] == '\t')
        return unfold(parser, line);
    const char *end = line.data + line.len;
    const char *p = line.data;
    while (p < end && weft__char_is(*p, WEFT__CHAR_TOKEN))
        p++;
    if (p == end)
        return bad(parser, "a field without a colon");
    if (*p != ':')
        return weft__h1_refuse(head, 400, WEFT_EREMOTE_PROTOCOL, "byte 0x%02x in a field name",
                               (unsigned char)*p);
    if (p == line.data)
        return bad(parser, "a field without a name");
    if (head->fields_len >= parser->limits->fields)
        return weft__h1_refuse(head, 431, WEFT_EHEADER_TOO_LARGE, "more than %zu fields",
                               parser->limits->fields);
    if (head->fields_len == head->fields_cap) {
        int err = grow_fields(head);
        if (err < 0)
            return err;
    }
    struct weft__h1_field *field = &head->fields[head->fields_len++];
    field->name = line.data;
    field->name_len = (uint32_t)(p - line.data);
    size_t value_len = (size_t)(end - p - 1);
    field->value = weft__trim(p + 1, &value_len);
    field->value_len = (uint32_t)value_len;
    return 0;
}

static int finish(struct parser *parser)
{
    parser->head->line_no = 0; /* what is wrong now is wrong with the head as a whole */
    if (parser->kind == REQUEST)
        return weft__h1_frame_request(parser->head);
    if (parser->kind == RESPONSE)
        return weft__h1_frame_response(parser->head);
    return 0;
}

static int parse(struct parser *parser)
{
    struct weft__h1_head *head = parser->head;
    weft__h1_head_rebase(head, parser->data);
    for (;;) {
        struct weft__text line = {0};
        int err = find_line(parser, &line);
        if (err <= 0)
            return err;
        if (head->stage == STAGE_FIELDS && line.len == 0) {
            err = finish(parser);
            return err < 0 ? err : (int)(head->line + 2);
        }
        err = head->stage == STAGE_START ? parse_start(parser, line) : parse_field(parser, line);
        if (err < 0)
            return err;
        next_line(head, &line);
    }
}

int weft__h1_parse_response(struct weft__h1_head *head, char *data, size_t len,
                            const struct weft__h1_limits *limits)
{
    struct parser parser = {head, limits, data, len, .writable = data, .kind = RESPONSE};
    return parse(&parser);
}

int weft__h1_parse_request(struct weft__h1_head *head, const char *data, size_t len,
                           const struct weft__h1_limits *limits)
{
    struct parser parser = {head, limits, data, len, .kind = REQUEST};
    return parse(&parser);
}

int weft__h1_parse_trailers(struct weft__h1_head *head, const char *data, size_t len,
                            const struct weft__h1_limits *limits)
{
    struct parser parser = {head, limits, data, len, .kind = TRAILERS};
    head->stage = STAGE_FIELDS;
    return parse(&parser);
}
