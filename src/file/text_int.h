/*
 * text_int.h - the codec of a file that is open as text, without its input and output.
 *
 * Decoded text is UTF-8 whatever the file holds.  chars[pos .. end) is what was decoded and not
 * read yet; base says where in the file the piece began that pos lies in, so that the place of
 * any character is found again by decoding from there.
 */
#ifndef WEFT_FILE_TEXT_INT_H
#define WEFT_FILE_TEXT_INT_H

#include <iconv.h>

#include "file/file_int.h"

enum weft__newline {
    WEFT__NEWLINE_TRANSLATE, /* "\r" and "\r\n" become "\n" */
    WEFT__NEWLINE_ANY,       /* each of the three ends a line and is left as it is */
    WEFT__NEWLINE_LF,
    WEFT__NEWLINE_CR,  /* written for "\n" */
    WEFT__NEWLINE_CRLF /* written for "\n" */
};

/* A place between two pieces that were decoded. */
struct weft__text_mark {
    int64_t raw;   /* in the file */
    int64_t index; /* in chars; negative: what stood there was read */
    bool skip_lf;  /* the state of the decoder */
};

struct weft__text {
    iconv_t in; /* NULL: the file is UTF-8 */
    iconv_t out;
    char encoding[32];
    enum weft__newline newline;
    bool replace;
    bool signature; /* a byte order mark at the start of a UTF-8 file is taken away, and written */
    bool order_unknown; /* UTF-16 or UTF-32, whose byte order the start of the file tells */
    char order;         /* 'L' or 'B' once it is known */
    bool skip_lf;       /* a "\r" became "\n": a "\n" that follows is part of it */
    bool has_cut;       /* a line that is lent has its NUL at pos */
    char cut;
    unsigned bad; /* the byte that could not be decoded */
    char *chars;
    size_t pos;
    size_t end;
    size_t cap;
    struct weft__text_mark base;
    struct weft__text_mark last;
};

enum weft__utf8 { WEFT__UTF8_VALID, WEFT__UTF8_CUT, WEFT__UTF8_BAD };

/* How much of data is valid UTF-8 from its start, and what comes then. */
size_t weft__utf8_span(const char *data, size_t len, enum weft__utf8 *ret_then);

/*
 * Decodes the bytes behind chars; *ret_used of them.  Less than all: a character is cut off, or
 * the next one is no such thing: then the result is -EILSEQ, and what came before is decoded.
 */
int weft__text_decode(struct weft__text *text, const char *data, size_t len, bool final,
                      size_t *ret_used);
/* Nothing is decoded; raw: the place that comes next. */
void weft__text_reset(struct weft__text *text, int64_t raw);
/* Encodes UTF-8 for the file: gives *ret, free with weft__free(); *ret_bad where it is not. */
int weft__text_encode(struct weft__text *text, const char *data, size_t len, bool at_start,
                      char **ret, size_t *ret_len, size_t *ret_bad);
/* A descriptor for decoding whose byte order is known. */
int weft__text_set_order(struct weft__text *text, bool big);

#endif
