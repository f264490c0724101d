/*
 * json.c - JSON text through jansson, with its nesting bounded first.
 *
 * jansson takes some 300 bytes of stack for each level and allows 2048 of them; a task's stack
 * is not made for that.  So the text is scanned before: brackets outside strings are counted.
 */
#include <weft/error.h>
#include <weft/json.h>

#include "base/error_int.h"
#include "base/limits.h"
#include "proto/json.h"

/* The deepest nesting; text that is not JSON may give anything. */
static int depth_of(const char *text, size_t len, int limit)
{
    int depth = 0;
    int deepest = 0;
    bool in_string = false;
    for (size_t i = 0; i < len && deepest <= limit; i++) {
        char c = text[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            depth++;
            deepest = depth > deepest ? depth : deepest;
        } else if (c == ']' || c == '}') {
            depth--;
        }
    }
    return deepest;
}

int weft_json_parse(const char *text, size_t len, json_t **ret)
{
    json_error_t error;
    if (depth_of(text, len, WEFT__LIMIT_JSON_DEPTH) > WEFT__LIMIT_JSON_DEPTH)
        return weft__fail(WEFT_EJSON, "JSON is nested deeper than %d levels",
                          WEFT__LIMIT_JSON_DEPTH);
    json_t *json = json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (json != NULL) {
        *ret = json;
        return 0;
    }
    if (json_error_code(&error) == json_error_out_of_memory)
        return weft__fail_nomem();
    return weft__fail(WEFT_EJSON, "not valid JSON, line %d column %d: %s", error.line, error.column,
                      error.text);
}

/* ---- writing ---- */

struct writing {
    struct weft__buf *text;
    int err;
};

static int write_piece(const char *bytes, size_t len, void *arg)
{
    struct writing *writing = arg;
    writing->err = weft__buf_append(writing->text, bytes, len);
    return writing->err;
}

int weft__json_write(const json_t *value, struct weft__buf *text)
{
    struct writing writing = {.text = text};
    if (json_dump_callback(value, write_piece, &writing, JSON_COMPACT | JSON_ENCODE_ANY) == 0)
        return 0;
    if (writing.err == -ENOMEM)
        return weft__fail_nomem();
    if (writing.err < 0)
        return weft__fail(writing.err, "the JSON text is longer than %zu bytes", text->max);
    return weft__fail(-EINVAL, "the value cannot be written as JSON");
}
