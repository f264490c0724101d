/*
 * text_io.c - reading and writing a file that is open as text, at its position.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "file/text_int.h"

enum { PIECE = 16 * 1024 };

static int fail_bytes(const struct weft_file *file)
{
    int64_t at = file->handle.stream ? -1 : weft__cursor_tell(file);
    if (at < 0)
        return weft__fail(-EILSEQ, "read %s: byte 0x%02x is not %s", file->path, file->text->bad,
                          file->text->encoding);
    return weft__fail(-EILSEQ, "read %s: byte 0x%02x at offset %lld is not %s", file->path,
                      file->text->bad, (long long)at, file->text->encoding);
}

static int fail(const struct weft_file *file, int64_t err, const char *verb)
{
    if (err == -EILSEQ)
        return fail_bytes(file);
    return weft__file_fail(err, verb, file->path);
}

static void uncut(struct weft__text *text)
{
    if (text->has_cut)
        text->chars[text->pos] = text->cut;
    text->has_cut = false;
}

/* ---- decoding what comes next ---- */

/* The byte order of UTF-16 and UTF-32 stands at the start, wherever reading begins. */
static int learn_order(struct weft_file *file, struct weft_task *self, enum weft__file_way way)
{
    unsigned char mark[4] = {0};
    file->text->order_unknown = false;
    if (file->handle.stream)
        return 0; /* iconv sees the start itself */
    int64_t n = weft__file_do_read(self, way, &file->handle, mark, sizeof mark, 0);
    if (n < 2)
        return n < 0 ? (int)n : 0;
    bool wide = strcasecmp(file->text->encoding, "UTF-32") == 0;
    bool big = wide ? mark[2] == 0xFE && mark[3] == 0xFF : mark[0] == 0xFE && mark[1] == 0xFF;
    bool little = mark[0] == 0xFF && mark[1] == 0xFE;
    if (!big && !little)
        return weft__text_set_order(file->text, false);
    /* At the start the mark is behind us now. */
    if (weft__cursor_tell(file) == 0) {
        char skipped[4];
        n = weft__cursor_read_full(file, self, way, skipped, wide ? 4 : 2);
        weft__text_reset(file->text, weft__cursor_tell(file));
    }
    return n < 0 ? (int)n : weft__text_set_order(file->text, big);
}

static int skip_signature(struct weft_file *file, struct weft_task *self, enum weft__file_way way)
{
    char mark[3];
    while (file->rend - file->rpos < sizeof mark) {
        int64_t n = weft__cursor_fill(file, self, way);
        if (n <= 0)
            return (int)n;
    }
    if (memcmp(file->bytes + file->rpos, "\xEF\xBB\xBF", sizeof mark) == 0) {
        file->rpos += sizeof mark;
        weft__text_reset(file->text, weft__cursor_tell(file));
    }
    return 0;
}

static int begin_decoding(struct weft_file *file, struct weft_task *self, enum weft__file_way way)
{
    struct weft__text *text = file->text;
    if (text->order_unknown)
        return learn_order(file, self, way);
    if (text->signature && weft__cursor_tell(file) == 0 && text->end == 0)
        return skip_signature(file, self, way);
    return 0;
}

/* What was read of chars makes room; the marks move along. */
static void compact(struct weft__text *text)
{
    if (text->last.index <= (int64_t)text->pos)
        text->base = text->last;
    memmove(text->chars, text->chars + text->pos, text->end - text->pos);
    text->base.index -= (int64_t)text->pos;
    text->last.index -= (int64_t)text->pos;
    text->end -= text->pos;
    text->pos = 0;
}

/* Decodes more: the number of new bytes of chars, 0 at the end. */
static int64_t decode_more(struct weft_file *file, struct weft_task *self, enum weft__file_way way)
{
    struct weft__text *text = file->text;
    bool final = false;
    int64_t n = begin_decoding(file, self, way);
    if (n < 0)
        return n;
    if (text->pos > 0)
        compact(text);
    for (;;) {
        size_t used;
        size_t before = text->end;
        size_t len = file->rend - file->rpos;
        if (len > 0) {
            text->last = (struct weft__text_mark){weft__cursor_tell(file), (int64_t)text->end,
                                                  text->skip_lf};
            if (text->end == 0)
                text->base = text->last;
            n = weft__text_decode(text, file->bytes + file->rpos, len < PIECE ? len : PIECE, final,
                                  &used);
            file->rpos += used;
            if (text->end > before)
                return (int64_t)(text->end - before);
            if (n < 0)
                return n;
            if (used > 0 && file->rend > file->rpos)
                continue;
        }
        if (final) {
            text->bad = len > 0 ? (unsigned char)file->bytes[file->rpos] : 0;
            return file->rend > file->rpos ? -EILSEQ : 0;
        }
        n = weft__cursor_fill(file, self, way);
        if (n < 0)
            return n;
        final = n == 0;
    }
}

/* ---- reading ---- */

int64_t weft__text_read(struct weft_file *file, struct weft_task *self, enum weft__file_way way,
                        char *data, size_t len, bool full)
{
    struct weft__text *text = file->text;
    size_t done = 0;
    uncut(text);
    while (done < len) {
        if (text->pos == text->end) {
            int64_t n = decode_more(file, self, way);
            if (n < 0 && done == 0)
                return fail(file, n, "read");
            if (n <= 0)
                break;
        }
        size_t n = text->end - text->pos < len - done ? text->end - text->pos : len - done;
        memcpy(data + done, text->chars + text->pos, n);
        text->pos += n;
        done += n;
        if (!full || file->handle.stream || weft__file_pace(self) < 0)
            break;
    }
    return (int64_t)done;
}

/* The length of the first line of text, its end included; 0: there is none yet. */
static size_t line_end(const struct weft__text *text, size_t seen, bool final)
{
    const char *line = text->chars + text->pos;
    size_t len = text->end - text->pos;
    if (text->newline == WEFT__NEWLINE_TRANSLATE || text->newline == WEFT__NEWLINE_LF) {
        const char *end = memchr(line + seen, '\n', len - seen);
        return end == NULL ? 0 : (size_t)(end - line) + 1;
    }
    for (size_t i = seen > 0 ? seen - 1 : 0; i < len; i++) {
        if (line[i] != '\r' && (line[i] != '\n' || text->newline != WEFT__NEWLINE_ANY))
            continue;
        if (line[i] == '\n' || text->newline == WEFT__NEWLINE_CR)
            return i + 1;
        if (i + 1 < len && line[i + 1] == '\n')
            return i + 2;
        if (text->newline == WEFT__NEWLINE_ANY && (i + 1 < len || final))
            return i + 1;
    }
    return 0;
}

int64_t weft__text_read_line(struct weft_file *file, struct weft_task *self,
                             enum weft__file_way way, char **ret)
{
    struct weft__text *text = file->text;
    size_t seen = 0;
    size_t len = 0;
    int64_t n = 1;
    uncut(text);
    while (len == 0 && n > 0) {
        if (text->end > text->pos)
            len = line_end(text, seen, false);
        seen = text->end - text->pos;
        if ((len > 0 ? len : seen) > file->line_max)
            return weft__fail(WEFT_ETOO_LONG, "read %s: a line longer than %zu bytes (FILE_LINE)",
                              file->path, file->line_max);
        if (len == 0)
            n = decode_more(file, self, way);
    }
    if (n < 0 && len == 0)
        return fail(file, n, "read");
    if (len == 0 && seen > 0)
        len = line_end(text, 0, true);
    if (len == 0)
        len = seen;
    if (len == 0)
        return 0;
    *ret = text->chars + text->pos;
    text->pos += len;
    text->cut = text->chars[text->pos];
    text->chars[text->pos] = '\0';
    text->has_cut = true;
    return (int64_t)len;
}

/* ---- places ---- */

/* Decodes one character of data: how many bytes it has; 0: it is not whole, or none; -ENOMEM. */
static int64_t step(struct weft__text *probe, const char *data, size_t len)
{
    size_t used = 0;
    for (size_t n = 1; used == 0 && n <= len; n++) {
        int err = weft__text_decode(probe, data, n, false, &used);
        if (err == -ENOMEM)
            return err;
        if (err < 0)
            break;
    }
    return (int64_t)used;
}

/* The bytes of data that make what is missing of the first want bytes of text. */
static int64_t count_piece(struct weft__text *probe, const char *data, size_t len, size_t want)
{
    size_t used = 0;
    int64_t n = 1;
    while (probe->end < want && n > 0) {
        n = step(probe, data + used, len - used);
        used += n > 0 ? (size_t)n : 0;
    }
    return n < 0 ? n : (int64_t)used;
}

/* How many bytes of the file make the first want bytes of text, from a mark on. */
static int64_t count_raw(struct weft_file *file, struct weft_task *self, enum weft__file_way way,
                         const struct weft__text_mark *mark, size_t want)
{
    struct weft__text *probe;
    int64_t used = 0;
    int64_t n = weft__text_copy(file->text, &probe);
    if (n < 0)
        return n;
    probe->skip_lf = mark->skip_lf;
    char *data = weft__alloc(PIECE);
    n = data == NULL ? -ENOMEM : 1;
    while (n > 0 && probe->end < want) {
        n = weft__file_do_read(self, way, &file->handle, data, PIECE, mark->raw + used);
        if (n > 0)
            n = count_piece(probe, data, (size_t)n, want);
        used += n > 0 ? n : 0;
    }
    /* A "\n" behind a "\r" is part of it, and adds nothing. */
    if (n > 0 && probe->skip_lf)
        n = weft__file_do_read(self, way, &file->handle, data, 8, mark->raw + used);
    if (n > 0 && probe->skip_lf) {
        size_t before = probe->end;
        n = step(probe, data, (size_t)n < 8 ? (size_t)n : 8);
        used += n > 0 && probe->end == before ? n : 0;
    }
    weft__text_free(probe);
    weft__free(data);
    return n < 0 ? n : used;
}

int64_t weft__text_tell(struct weft_file *file, struct weft_task *self, enum weft__file_way way)
{
    struct weft__text *text = file->text;
    uncut(text);
    /* The "\n" of a "\r\n" whose first half was read: it is behind this place. */
    if (text->pos == text->end && text->skip_lf) {
        int64_t n = decode_more(file, self, way);
        if (n < 0 && n != -EILSEQ)
            return n;
    }
    if (text->pos == text->end)
        return weft__cursor_tell(file);
    size_t want = (size_t)((int64_t)text->pos - text->base.index);
    int64_t n = count_raw(file, self, way, &text->base, want);
    return n < 0 ? n : text->base.raw + n;
}

int64_t weft__text_seek(struct weft_file *file, struct weft_task *self, enum weft__file_way way,
                        int64_t offset, int whence)
{
    uncut(file->text);
    if (whence != SEEK_SET && offset != 0)
        return -EINVAL;
    if (whence == SEEK_CUR && file->text->pos < file->text->end) {
        offset = weft__text_tell(file, self, way);
        whence = SEEK_SET;
    }
    if (offset < 0)
        return offset;
    int64_t target = weft__cursor_seek(file, self, way, offset, whence);
    if (target >= 0)
        weft__text_reset(file->text, target);
    return target;
}

/* ---- writing ---- */

/* What was decoded ahead is forgotten: writing begins where reading ended. */
static int begin_writing(struct weft_file *file, struct weft_task *self, enum weft__file_way way)
{
    struct weft__text *text = file->text;
    uncut(text);
    if (text->pos < text->end) {
        int64_t here = weft__text_seek(file, self, way, 0, SEEK_CUR);
        if (here < 0)
            return (int)here;
    }
    if (file->handle.append && file->pending == 0)
        file->at_end = true;
    int err = file->handle.stream ? 0 : weft__cursor_settle(file);
    weft__text_reset(text, 0);
    return err;
}

static int fail_text(const struct weft_file *file, const char *data, size_t len, size_t bad)
{
    enum weft__utf8 then;
    weft__utf8_span(data, len, &then);
    if (file->text->in != NULL && then == WEFT__UTF8_VALID)
        return weft__fail(-EILSEQ, "write %s: %s lacks a character of the text", file->path,
                          file->text->encoding);
    return weft__fail(-EILSEQ, "write %s: byte 0x%02x at offset %zu of the text is not UTF-8",
                      file->path, (unsigned char)data[bad], bad);
}

int weft__text_write(struct weft_file *file, struct weft_task *self, enum weft__file_way way,
                     const char *data, size_t len)
{
    char *bytes;
    size_t n_bytes;
    size_t bad;
    int err = begin_writing(file, self, way);
    if (err < 0)
        return weft__file_fail(err, "write", file->path);
    bool at_start = !file->handle.stream && weft__cursor_tell(file) == 0;
    err = weft__text_encode(file->text, data, len, at_start, &bytes, &n_bytes, &bad);
    if (err == -EILSEQ)
        return fail_text(file, data, len, bad);
    if (err < 0)
        return weft__file_fail(err, "write", file->path);
    if (at_start && file->text->signature)
        err = weft__cursor_write(file, self, way, "\xEF\xBB\xBF", 3);
    if (err == 0)
        err = weft__cursor_write(file, self, way, bytes, n_bytes);
    weft__free(bytes);
    return err < 0 ? weft__file_fail(err, "write", file->path) : 0;
}
