/*
 * json_pretty.c - re-indents JSON while it arrives.
 *
 * Only blanks between tokens change: the order of keys and the spelling of numbers and strings
 * stay.  Memory does not grow with the text.  Text that is not JSON comes out changed in
 * its blanks only, too; nothing is checked here.
 */
#include "cli/cli.h"

#include <string.h>

enum { INDENT = 4, DEPTH_BITS = 8 * 128 };

void json_pretty_init(struct json_pretty *pretty, FILE *to)
{
    *pretty = (struct json_pretty){.escaper = {.to = to, .one_line = true}};
}

static bool in_object(const struct json_pretty *pretty)
{
    size_t level = pretty->depth - 1;
    return pretty->depth && pretty->depth <= DEPTH_BITS &&
           (pretty->is_object[level / 8] >> level % 8 & 1);
}

static void new_line(struct json_pretty *pretty)
{
    /* Beyond this, text that is nested to annoy would only be blanks. */
    size_t levels = pretty->depth < 40 ? pretty->depth : 40;
    fprintf(pretty->escaper.to, "\n%*s", (int)(levels * INDENT), "");
}

static void paint(struct json_pretty *pretty, enum colour which)
{
    fputs(which ? colour(pretty->escaper.to, which) : colour_off(pretty->escaper.to),
          pretty->escaper.to);
}

static void end_word(struct json_pretty *pretty)
{
    if (pretty->in_word) {
        escape_end(&pretty->escaper);
        paint(pretty, COLOUR_NONE);
    }
    pretty->in_word = false;
}

/* Before a value, a key or a container. */
static void begin_item(struct json_pretty *pretty)
{
    if (pretty->fresh)
        new_line(pretty);
    else if (!pretty->depth && pretty->any)
        putc('\n', pretty->escaper.to);
    pretty->fresh = false;
    pretty->any = true;
}

static void open_container(struct json_pretty *pretty, char c)
{
    begin_item(pretty);
    putc(c, pretty->escaper.to);
    size_t level = pretty->depth++;
    if (level < DEPTH_BITS) {
        uint8_t bit = (uint8_t)(1 << level % 8);
        uint8_t *bits = &pretty->is_object[level / 8];
        *bits = (uint8_t)(c == '{' ? *bits | bit : *bits & ~bit);
    }
    pretty->fresh = true;
    pretty->want_key = c == '{';
}

static void close_container(struct json_pretty *pretty, char c)
{
    if (pretty->depth)
        pretty->depth--;
    if (!pretty->fresh)
        new_line(pretty);
    pretty->fresh = false;
    pretty->want_key = false;
    putc(c, pretty->escaper.to);
}

static void string_byte(struct json_pretty *pretty, char c)
{
    escape_text(&pretty->escaper, &c, 1);
    if (pretty->after_backslash) {
        pretty->after_backslash = false;
    } else if (c == '\\') {
        pretty->after_backslash = true;
    } else if (c == '"') {
        pretty->in_string = false;
        paint(pretty, COLOUR_NONE);
    }
}

static void begin_string(struct json_pretty *pretty)
{
    begin_item(pretty);
    pretty->in_string = true;
    pretty->is_key = pretty->want_key;
    paint(pretty, pretty->is_key ? CYAN : GREEN);
    putc('"', pretty->escaper.to);
}

static void word_byte(struct json_pretty *pretty, char c)
{
    if (!pretty->in_word) {
        begin_item(pretty);
        pretty->in_word = true;
        paint(pretty, c == '-' || (c >= '0' && c <= '9') ? YELLOW : MAGENTA);
    }
    escape_text(&pretty->escaper, &c, 1);
}

static void token_byte(struct json_pretty *pretty, char c)
{
    if (strchr(" \t\r\n{}[],:\"", c))
        end_word(pretty);
    switch (c) {
    case ' ':
    case '\t':
    case '\r':
    case '\n':
        break;
    case '{':
    case '[':
        open_container(pretty, c);
        break;
    case '}':
    case ']':
        close_container(pretty, c);
        break;
    case ',':
        putc(',', pretty->escaper.to);
        new_line(pretty);
        pretty->want_key = in_object(pretty);
        break;
    case ':':
        fputs(": ", pretty->escaper.to);
        pretty->want_key = false;
        break;
    case '"':
        begin_string(pretty);
        break;
    default:
        word_byte(pretty, c);
    }
}

void json_pretty_feed(struct json_pretty *pretty, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (pretty->in_string)
            string_byte(pretty, data[i]);
        else
            token_byte(pretty, data[i]);
    }
}

void json_pretty_end(struct json_pretty *pretty)
{
    end_word(pretty);
    escape_end(&pretty->escaper);
    if (pretty->in_string)
        paint(pretty, COLOUR_NONE);
    if (pretty->any)
        putc('\n', pretty->escaper.to);
}
