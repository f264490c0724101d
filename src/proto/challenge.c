/*
 * challenge.c - challenges.  A comma stands both between parameters and between challenges: a
 * word that no "=" follows begins a new one.
 */
#include <string.h>

#include "base/str.h"
#include "proto/auth.h"
#include "proto/chars.h"

static void skip_blanks(struct weft__text *rest)
{
    while (rest->len > 0 && (*rest->data == ' ' || *rest->data == '\t')) {
        rest->data++;
        rest->len--;
    }
}

static void skip_commas(struct weft__text *rest)
{
    skip_blanks(rest);
    while (rest->len > 0 && *rest->data == ',') {
        rest->data++;
        rest->len--;
        skip_blanks(rest);
    }
}

static struct weft__text take_word(struct weft__text *rest)
{
    struct weft__text word = {rest->data, 0};
    while (word.len < rest->len && weft__char_is(word.data[word.len], WEFT__CHAR_TOKEN))
        word.len++;
    rest->data += word.len;
    rest->len -= word.len;
    return word;
}

/* A token, or a quoted string with its quotes. */
static struct weft__text take_value(struct weft__text *rest)
{
    struct weft__text value = {rest->data, 0};
    if (rest->len > 0 && rest->data[0] == '"') {
        value.len = 1;
        while (value.len < rest->len && rest->data[value.len] != '"')
            value.len += rest->data[value.len] == '\\' && value.len + 1 < rest->len ? 2 : 1;
        value.len += value.len < rest->len;
    } else {
        while (value.len < rest->len && rest->data[value.len] != ',' &&
               rest->data[value.len] != ' ' && rest->data[value.len] != '\t')
            value.len++;
    }
    rest->data += value.len;
    rest->len -= value.len;
    return value;
}

/* "name = value"; false, and nothing is taken, where something else stands. */
static bool take_param(struct weft__text *rest, struct weft__text *name, struct weft__text *value)
{
    struct weft__text at = *rest;
    *name = take_word(&at);
    skip_blanks(&at);
    if (name->len == 0 || at.len == 0 || *at.data != '=')
        return false;
    at.data++;
    at.len--;
    skip_blanks(&at);
    /* Behind "=" a token68 has nothing or another "=". */
    if (at.len == 0 || *at.data == ',' || *at.data == '=')
        return false;
    *value = take_value(&at);
    *rest = at;
    return true;
}

/* As Basic and Negotiate have: any characters up to the comma. */
static void take_token68(struct weft__text *rest)
{
    while (rest->len > 0 && *rest->data != ',') {
        rest->data++;
        rest->len--;
    }
}

bool weft__challenge_next(struct weft__text *rest, struct weft__challenge *ret)
{
    struct weft__text name;
    struct weft__text value;
    for (;;) {
        skip_commas(rest);
        if (rest->len == 0)
            return false;
        ret->scheme = take_word(rest);
        if (ret->scheme.len > 0)
            break;
        take_token68(rest); /* no challenge: what stands there is passed over */
    }
    skip_blanks(rest);
    ret->params.data = rest->data;
    if (!take_param(rest, &name, &value)) {
        take_token68(rest);
        ret->params.len = (size_t)(rest->data - ret->params.data);
        return true;
    }
    for (;;) {
        ret->params.len = (size_t)(rest->data - ret->params.data);
        skip_commas(rest);
        if (rest->len == 0 || !take_param(rest, &name, &value))
            return true;
    }
}

static int append_unquoted(struct weft__buf *buf, struct weft__text value)
{
    if (value.len < 2 || value.data[0] != '"')
        return weft__buf_append(buf, value.data, value.len);
    size_t end = value.len - (value.data[value.len - 1] == '"');
    for (size_t i = 1; i < end; i++) {
        i += value.data[i] == '\\' && i + 1 < end;
        int err = weft__buf_append_char(buf, value.data[i]);
        if (err < 0)
            return err;
    }
    return 0;
}

int weft__challenge_param(const struct weft__challenge *challenge, const char *name,
                          struct weft__buf *buf)
{
    struct weft__text rest = challenge->params;
    struct weft__text found;
    struct weft__text value;
    for (;;) {
        skip_commas(&rest);
        if (rest.len == 0 || !take_param(&rest, &found, &value))
            return 0;
        if (weft__ieq_n(found.data, found.len, name, strlen(name))) {
            int err = append_unquoted(buf, value);
            return err < 0 ? err : 1;
        }
    }
}
