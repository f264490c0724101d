/* header_more.c - what users do with header fields beside getting and setting. */
#include <errno.h>
#include <string.h>

#include <weft/error.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error_int.h"
#include "base/str.h"
#include "proto/header.h"

int weft_headers_copy(const weft_headers *headers, weft_headers **ret)
{
    weft_headers *copy = NULL;
    int err = weft_headers_new(&copy);
    if (err < 0)
        return err;
    err = weft__headers_append_all(copy, headers);
    if (err < 0) {
        weft_headers_free(copy);
        return err;
    }
    *ret = copy;
    return 0;
}

int weft_headers_get_joined(const weft_headers *headers, const char *name, char **ret)
{
    struct weft__buf text;
    const char *value = weft_headers_get(headers, name);
    if (value == NULL)
        return -ENOENT;
    weft__buf_init(&text, SIZE_MAX);
    int err = weft__buf_append_str(&text, value);
    for (size_t i = 1; err == 0 && (value = weft_headers_get_nth(headers, name, i)) != NULL; i++) {
        err = weft__buf_append_str(&text, ", ");
        if (err == 0)
            err = weft__buf_append_str(&text, value);
    }
    if (err == 0)
        err = weft__buf_take(&text, ret, NULL);
    weft__buf_done(&text);
    return err < 0 ? weft__fail_nomem() : 0;
}

/* The next element up to a comma that stands in no quoted string; false at the end. */
static bool next_element(const char **at, const char **ret, size_t *ret_len)
{
    bool quoted = false;
    size_t len = 0;
    const char *text = *at;
    if (text == NULL)
        return false;
    for (; text[len] != '\0' && (quoted || text[len] != ','); len++) {
        if (text[len] == '"')
            quoted = !quoted;
        else if (quoted && text[len] == '\\' && text[len + 1] != '\0')
            len++;
    }
    *at = text[len] == ',' ? text + len + 1 : NULL;
    *ret_len = len;
    *ret = weft__trim(text, ret_len);
    return true;
}

/* Counts into *n and *bytes, or where texts is given writes them, the texts behind the pointers. */
static void list_values(const weft_headers *headers, const char *name, bool split, char **texts,
                        char *to, size_t *n, size_t *bytes)
{
    const char *value;
    *n = 0;
    *bytes = 0;
    for (size_t i = 0; (value = weft_headers_get_nth(headers, name, i)) != NULL; i++) {
        const char *one = value;
        size_t len = strlen(value);
        const char *at = value;
        while (!split || next_element(&at, &one, &len)) {
            if (texts != NULL) {
                texts[*n] = to + *bytes;
                memcpy(to + *bytes, one, len);
                to[*bytes + len] = '\0';
            }
            (*n)++;
            *bytes += len + 1;
            if (!split)
                break;
        }
    }
}

int weft_headers_get_list(const weft_headers *headers, const char *name, bool split, char ***ret,
                          size_t *ret_n)
{
    size_t n;
    size_t bytes;
    list_values(headers, name, split, NULL, NULL, &n, &bytes);
    char **texts = weft__alloc((n + 1) * sizeof *texts + bytes);
    if (texts == NULL)
        return weft__fail_nomem();
    list_values(headers, name, split, texts, (char *)(texts + n + 1), &n, &bytes);
    texts[n] = NULL;
    *ret = texts;
    if (ret_n != NULL)
        *ret_n = n;
    return 0;
}

int weft_headers_set_default(weft_headers *headers, const char *name, const char *value)
{
    if (name != NULL && weft_headers_get(headers, name) != NULL)
        return 0;
    int err = weft_headers_add(headers, name, value);
    return err < 0 ? err : 1;
}

static bool is_first_of_name(const weft_pair *first, const weft_pair *pair)
{
    while (first < pair && !weft__ieq(first->name, pair->name))
        first++;
    return first == pair;
}

/* On a copy, so that a bad field leaves everything as it was. */
int weft_headers_update(weft_headers *headers, const weft_pair *pairs)
{
    weft_headers *copy = NULL;
    int err = weft_headers_copy(headers, &copy);
    for (const weft_pair *pair = pairs; err == 0 && pair != NULL && pair->name != NULL; pair++)
        err = is_first_of_name(pairs, pair) ? weft_headers_set(copy, pair->name, pair->value)
                                            : weft_headers_add(copy, pair->name, pair->value);
    if (err < 0) {
        weft_headers_free(copy);
        return err;
    }
    weft__headers_swap(headers, copy);
    weft_headers_free(copy);
    return 0;
}

int weft_headers_update_from(weft_headers *headers, const weft_headers *from)
{
    size_t n = weft_headers_count(from);
    weft_pair *pairs = weft__alloc((n + 1) * sizeof *pairs);
    if (pairs == NULL)
        return weft__fail_nomem();
    for (size_t i = 0; i <= n; i++)
        pairs[i] = weft_headers_at(from, i);
    int err = weft_headers_update(headers, pairs);
    weft__free(pairs);
    return err;
}

/* How many fields of a name and a value there are. */
static size_t count_same(const weft_headers *headers, weft_pair pair)
{
    size_t n = 0;
    const char *value;
    for (size_t i = 0; (value = weft_headers_get_nth(headers, pair.name, i)) != NULL; i++)
        n += strcmp(value, pair.value) == 0;
    return n;
}

bool weft_headers_equal(const weft_headers *a, const weft_headers *b)
{
    if (weft_headers_count(a) != weft_headers_count(b))
        return false;
    for (size_t i = 0; i < weft_headers_count(a); i++) {
        weft_pair pair = weft_headers_at(a, i);
        if (count_same(a, pair) != count_same(b, pair))
            return false;
    }
    return true;
}
