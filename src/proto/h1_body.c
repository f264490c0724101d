/*
 * h1_body.c - bodies: chunked (RFC 9112 7.1), of known length, until the end of the connection.
 *
 * The chunked decoder copies nothing: it hands out the pieces of the caller's bytes that are
 * payload.  Only a trailer section is kept, until it is whole.  Chunk extensions are checked
 * by their grammar and dropped.  A size line is bounded, and so is the sum of all bytes in
 * size lines that their sizes do not need (extensions, leading zeros): a peer must not make
 * us read a gigabyte for a few bytes of body (Go's CVE-2023-39326).  Blanks between a size and
 * its CR are no grammar, but some servers write sizes of fixed width: a client takes them.
 */
#include <errno.h>
#include <string.h>

#include <weft/error.h>

#include "base/error_int.h"
#include "base/limits.h"
#include "base/str.h"
#include "proto/chars.h"
#include "proto/h1.h"

enum { SIZE_DIGITS = 16 };

/* Where in "SIZE;name=value CR LF DATA CR LF" the next byte stands. */
enum state {
    SIZE_FIRST,
    SIZE,
    BEFORE_SEMICOLON, /* after blanks: only ";" may follow */
    NAME_FIRST,
    NAME,
    BEFORE_EQUALS, /* after blanks behind a name: "=" or ";" */
    VALUE_FIRST,
    VALUE,
    QUOTED,
    QUOTED_ESCAPE,
    QUOTED_END,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILERS_FIRST, /* behind the last chunk: CR, or the first byte of a field */
    TRAILERS_LF,
    TRAILERS,
    END,
    INVALID
};

void weft__chunked_init(struct weft__chunked *chunked, weft_headers *trailers)
{
    *chunked = (struct weft__chunked){.trailers = trailers, .state = SIZE_FIRST};
    weft__buf_init(&chunked->kept, WEFT__LIMIT_H1_TRAILERS);
}

void weft__chunked_done(struct weft__chunked *chunked)
{
    weft__buf_done(&chunked->kept);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* What may follow a complete extension name or value. */
static enum state after_item(char c)
{
    if (c == ';')
        return NAME_FIRST;
    return c == '\r' ? SIZE_LF : INVALID;
}

static enum state extension_name(enum state state, char c)
{
    bool token = weft__char_is(c, WEFT__CHAR_TOKEN);
    switch (state) {
    case BEFORE_SEMICOLON:
        return is_blank(c) ? BEFORE_SEMICOLON : c == ';' ? NAME_FIRST : INVALID;
    case NAME_FIRST:
        return is_blank(c) ? NAME_FIRST : token ? NAME : INVALID;
    case NAME:
        if (token)
            return NAME;
        if (c == '=')
            return VALUE_FIRST;
        return is_blank(c) ? BEFORE_EQUALS : after_item(c);
    default: /* BEFORE_EQUALS */
        if (c == '=')
            return VALUE_FIRST;
        return is_blank(c) ? BEFORE_EQUALS : c == ';' ? NAME_FIRST : INVALID;
    }
}

static enum state extension_value(enum state state, char c)
{
    bool token = weft__char_is(c, WEFT__CHAR_TOKEN);
    switch (state) {
    case VALUE_FIRST:
        if (c == '"')
            return QUOTED;
        return is_blank(c) ? VALUE_FIRST : token ? VALUE : INVALID;
    case VALUE:
        if (token)
            return VALUE;
        return is_blank(c) ? BEFORE_SEMICOLON : after_item(c);
    case QUOTED:
        if (c == '"')
            return QUOTED_END;
        if (c == '\\')
            return QUOTED_ESCAPE;
        return weft__char_is(c, WEFT__CHAR_TEXT) ? QUOTED : INVALID;
    case QUOTED_ESCAPE:
        return weft__char_is(c, WEFT__CHAR_TEXT) ? QUOTED : INVALID;
    default: /* QUOTED_END */
        return is_blank(c) ? BEFORE_SEMICOLON : after_item(c);
    }
}

static int invalid(const char *what, char c)
{
    return weft__fail(WEFT_EREMOTE_PROTOCOL, "chunked body: byte 0x%02x %s", (unsigned char)c,
                      what);
}

static int size_digit(struct weft__chunked *chunked, char c)
{
    int digit = weft__hex_value(c);
    if (chunked->digits++ == SIZE_DIGITS)
        return weft__fail(WEFT_EREMOTE_PROTOCOL, "chunked body: a size of more than %d digits",
                          SIZE_DIGITS);
    chunked->overhead += chunked->left == 0 && chunked->digits > 1;
    chunked->left = chunked->left * 16 + (unsigned)digit;
    chunked->state = SIZE;
    return 0;
}

static int size_line_end(struct weft__chunked *chunked, char c)
{
    if (c != '\n')
        return invalid("where the LF of a size line must stand", c);
    uint64_t total;
    if (__builtin_add_overflow(chunked->received, chunked->left, &total) || total > INT64_MAX)
        return weft__fail(WEFT_EREMOTE_PROTOCOL, "chunked body: a size beyond 2^63");
    if (chunked->overhead > WEFT__LIMIT_H1_CHUNK_OVERHEAD + chunked->received / 10)
        return weft__fail(WEFT_EHEADER_TOO_LARGE,
                          "chunked body: more than %d bytes of chunk extensions",
                          WEFT__LIMIT_H1_CHUNK_OVERHEAD);
    chunked->state = chunked->left > 0 ? DATA : TRAILERS_FIRST;
    chunked->line_len = 0;
    chunked->digits = 0;
    return 0;
}

/* One byte of a size line. */
static int size_byte(struct weft__chunked *chunked, char c)
{
    if (c != '\r' && c != '\n' && ++chunked->line_len > WEFT__LIMIT_H1_CHUNK_LINE)
        return weft__fail(WEFT_EHEADER_TOO_LARGE, "chunked body: a size line of more than %d bytes",
                          WEFT__LIMIT_H1_CHUNK_LINE);
    enum state state = chunked->state;
    if (state <= SIZE && weft__hex_value(c) >= 0)
        return size_digit(chunked, c);
    if (state == SIZE_LF)
        return size_line_end(chunked, c);
    if (state == SIZE_FIRST)
        return invalid("where a chunk size must stand", c);
    if (state == SIZE)
        state = is_blank(c) ? BEFORE_SEMICOLON : after_item(c);
    else if (state == BEFORE_SEMICOLON && c == '\r' && chunked->padded)
        state = SIZE_LF;
    else if (state <= BEFORE_EQUALS)
        state = extension_name(state, c);
    else
        state = extension_value(state, c);
    if (state == INVALID)
        return invalid("in a size line", c);
    chunked->state = state;
    chunked->overhead += c != '\r';
    return 0;
}

/*
 * Collects the trailer section and parses it; *consumed is how much of data belongs to it.
 * Parsing starts at its beginning each time, so it is done at line ends only: the number of
 * lines is bounded.
 */
static int trailer_bytes(struct weft__chunked *chunked, const char *data, size_t len,
                         size_t *consumed)
{
    size_t before = chunked->kept.len;
    size_t room = chunked->kept.max - before;
    size_t taken = len < room ? len : room;
    int err = weft__buf_append(&chunked->kept, data, taken);
    if (err < 0)
        return weft__fail_nomem();
    *consumed = taken;
    if (memchr(data, '\n', taken) == NULL && chunked->kept.len < chunked->kept.max)
        return 0;
    struct weft__h1_head head;
    weft__h1_head_init(&head);
    err = weft__h1_parse_trailers(&head, weft__buf_bytes(&chunked->kept), chunked->kept.len,
                                  &weft__h1_trailer_limits);
    if (err > 0) {
        *consumed = (size_t)err - before;
        chunked->state = END;
        err = chunked->trailers != NULL ? weft__h1_head_copy(&head, chunked->trailers) : 0;
    } else if (err < 0 && err != -ENOMEM)
        weft__fail_prefix(err, "chunked body, trailers");
    weft__h1_head_done(&head);
    return err;
}

/* One byte of CR LF between chunks or behind the last. */
static int line_end_byte(struct weft__chunked *chunked, char c)
{
    bool cr = chunked->state == DATA_CR;
    if (c != (cr ? '\r' : '\n'))
        return invalid("where a chunk must end", c);
    if (cr)
        chunked->state = DATA_LF;
    else
        chunked->state = chunked->state == DATA_LF ? SIZE_FIRST : END;
    return 0;
}

static int data_bytes(struct weft__chunked *chunked, const char *data, size_t len, size_t *consumed,
                      const char **payload, size_t *payload_len)
{
    size_t piece = len < chunked->left ? len : (size_t)chunked->left;
    chunked->left -= piece;
    chunked->received += piece;
    if (chunked->left == 0)
        chunked->state = DATA_CR;
    *payload = data;
    *payload_len = piece;
    *consumed += piece;
    return WEFT__H1_DATA;
}

int weft__chunked_next(struct weft__chunked *chunked, const char *data, size_t len,
                       size_t *consumed, const char **payload, size_t *payload_len)
{
    *consumed = 0;
    while (chunked->state != END && *consumed < len) {
        const char *p = data + *consumed;
        int err;
        if (chunked->state < DATA) {
            err = size_byte(chunked, *p);
        } else if (chunked->state == DATA) {
            return data_bytes(chunked, p, len - *consumed, consumed, payload, payload_len);
        } else if (chunked->state == TRAILERS_FIRST && *p == '\r') {
            chunked->state = TRAILERS_LF;
            err = 0;
        } else if (chunked->state < TRAILERS_FIRST || chunked->state == TRAILERS_LF) {
            err = line_end_byte(chunked, *p);
        } else {
            size_t taken = 0;
            chunked->state = TRAILERS;
            err = trailer_bytes(chunked, p, len - *consumed, &taken);
            *consumed += err < 0 ? 0 : taken;
            if (err < 0)
                return err;
            continue;
        }
        if (err < 0)
            return err;
        ++*consumed;
    }
    return chunked->state == END ? WEFT__H1_END : WEFT__H1_MORE;
}

void weft__h1_body_init(struct weft__h1_body *body, enum weft__h1_body_kind kind,
                        int64_t content_length, weft_headers *trailers)
{
    *body = (struct weft__h1_body){.kind = kind};
    if (kind == WEFT__H1_LENGTH)
        body->length = (uint64_t)content_length;
    body->ended = kind == WEFT__H1_NONE || (kind == WEFT__H1_LENGTH && body->length == 0);
    weft__chunked_init(&body->chunked, trailers);
}

void weft__h1_body_done(struct weft__h1_body *body)
{
    weft__chunked_done(&body->chunked);
}

int weft__h1_body_next(struct weft__h1_body *body, const char *data, size_t len, size_t *consumed,
                       const char **payload, size_t *payload_len)
{
    *consumed = 0;
    if (body->ended)
        return WEFT__H1_END;
    if (body->kind == WEFT__H1_CHUNKED) {
        int result = weft__chunked_next(&body->chunked, data, len, consumed, payload, payload_len);
        body->received = body->chunked.received;
        body->ended = result == WEFT__H1_END;
        return result;
    }
    if (len == 0)
        return WEFT__H1_MORE;
    if (body->kind == WEFT__H1_LENGTH && len > body->length - body->received)
        len = (size_t)(body->length - body->received);
    body->received += len;
    body->ended = body->kind == WEFT__H1_LENGTH && body->received == body->length;
    *payload = data;
    *payload_len = len;
    *consumed = len;
    return WEFT__H1_DATA;
}

int weft__h1_body_eof(struct weft__h1_body *body)
{
    if (body->ended || body->kind == WEFT__H1_UNTIL_EOF) {
        body->ended = true;
        return 0;
    }
    if (body->kind == WEFT__H1_LENGTH)
        return weft__fail(WEFT_ETRUNCATED, "the body ended after %llu of %llu bytes",
                          (unsigned long long)body->received, (unsigned long long)body->length);
    return weft__fail(WEFT_ETRUNCATED, "the body ended after %llu bytes, before its last chunk",
                      (unsigned long long)body->received);
}

size_t weft__chunk_head(uint64_t len, char head[WEFT__CHUNK_HEAD_MAX])
{
    static const char digits[] = "0123456789abcdef";
    size_t n = 1;
    for (uint64_t rest = len >> 4; rest > 0; rest >>= 4)
        n++;
    for (size_t i = 0; i < n; i++)
        head[i] = digits[(len >> (4 * (n - 1 - i))) & 15];
    head[n] = '\r';
    head[n + 1] = '\n';
    return n + 2;
}
