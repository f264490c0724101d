/* params.c - the pairs of a query as something that can be changed. */
#include <errno.h>
#include <string.h>

#include <weft/error.h>
#include <weft/http.h>

#include "base/alloc.h"
#include "base/error_int.h"

/* Each pair is one block: its name, NUL, its value, NUL; the name is where it begins. */
struct weft_params {
    weft_pair *pairs;
    size_t len;
    size_t cap;
};

int weft_params_new(weft_params **ret)
{
    weft_params *params = weft__alloc(sizeof *params);
    if (params == NULL)
        return weft__fail_nomem();
    *params = (weft_params){0};
    *ret = params;
    return 0;
}

void weft_params_free(weft_params *params)
{
    if (params == NULL)
        return;
    for (size_t i = 0; i < params->len; i++)
        weft__free((char *)params->pairs[i].name);
    weft__free(params->pairs);
    weft__free(params);
}

int weft_params_parse(const char *text, size_t len, weft_params **ret)
{
    weft_params *params;
    weft_pair *pairs;
    int err = weft_params_new(&params);
    if (err < 0)
        return err;
    err = weft_form_decode(text, len, &pairs);
    if (err == 0) {
        for (const weft_pair *pair = pairs; err == 0 && pair->name != NULL; pair++)
            err = weft_params_add(params, pair->name, pair->value);
        weft_free(pairs);
    }
    if (err < 0) {
        weft_params_free(params);
        return err;
    }
    *ret = params;
    return 0;
}

static int make_pair(const char *name, const char *value, weft_pair *ret)
{
    if (name == NULL)
        return weft__fail(-EINVAL, "a param without a name");
    if (value == NULL)
        value = "";
    size_t name_size = strlen(name) + 1;
    size_t value_size = strlen(value) + 1;
    char *block = weft__alloc(name_size + value_size);
    if (block == NULL)
        return weft__fail_nomem();
    memcpy(block, name, name_size);
    memcpy(block + name_size, value, value_size);
    *ret = (weft_pair){block, block + name_size};
    return 0;
}

int weft_params_add(weft_params *params, const char *name, const char *value)
{
    weft_pair pair;
    if (params->len == params->cap) {
        size_t cap = params->cap == 0 ? 8 : 2 * params->cap;
        weft_pair *pairs = weft__realloc(params->pairs, cap * sizeof *pairs);
        if (pairs == NULL)
            return weft__fail_nomem();
        params->pairs = pairs;
        params->cap = cap;
    }
    int err = make_pair(name, value, &pair);
    if (err == 0)
        params->pairs[params->len++] = pair;
    return err;
}

static size_t find(const weft_params *params, size_t from, const char *name)
{
    while (from < params->len && strcmp(params->pairs[from].name, name) != 0)
        from++;
    return from;
}

static size_t remove_from(weft_params *params, size_t from, const char *name)
{
    size_t kept = from;
    for (size_t i = from; i < params->len; i++) {
        if (strcmp(params->pairs[i].name, name) == 0)
            weft__free((char *)params->pairs[i].name);
        else
            params->pairs[kept++] = params->pairs[i];
    }
    size_t removed = params->len - kept;
    params->len = kept;
    return removed;
}

int weft_params_set(weft_params *params, const char *name, const char *value)
{
    weft_pair pair;
    size_t index = name != NULL ? find(params, 0, name) : params->len;
    if (index == params->len)
        return weft_params_add(params, name, value);
    int err = make_pair(name, value, &pair);
    if (err < 0)
        return err;
    remove_from(params, index + 1, pair.name);
    weft__free((char *)params->pairs[index].name);
    params->pairs[index] = pair;
    return 0;
}

/* The first one of a name replaces what was there before, further ones stand behind it. */
int weft_params_merge(weft_params *params, const weft_pair *pairs)
{
    const weft_pair *first = pairs;
    for (; pairs != NULL && pairs->name != NULL; pairs++) {
        const weft_pair *before = first;
        while (before < pairs && strcmp(before->name, pairs->name) != 0)
            before++;
        int err = before == pairs ? weft_params_set(params, pairs->name, pairs->value)
                                  : weft_params_add(params, pairs->name, pairs->value);
        if (err < 0)
            return err;
    }
    return 0;
}

size_t weft_params_remove(weft_params *params, const char *name)
{
    return remove_from(params, 0, name);
}

const char *weft_params_get(const weft_params *params, const char *name)
{
    return weft_params_get_nth(params, name, 0);
}

const char *weft_params_get_nth(const weft_params *params, const char *name, size_t nth)
{
    size_t index = find(params, 0, name);
    while (nth-- > 0 && index < params->len)
        index = find(params, index + 1, name);
    return index < params->len ? params->pairs[index].value : NULL;
}

size_t weft_params_count(const weft_params *params)
{
    return params->len;
}

weft_pair weft_params_at(const weft_params *params, size_t index)
{
    return index < params->len ? params->pairs[index] : (weft_pair){0};
}

int weft_params_encode(const weft_params *params, char **ret)
{
    weft_pair *pairs = weft__alloc((params->len + 1) * sizeof *pairs);
    if (pairs == NULL)
        return weft__fail_nomem();
    if (params->len > 0)
        memcpy(pairs, params->pairs, params->len * sizeof *pairs);
    pairs[params->len] = (weft_pair){0};
    int err = weft_form_encode(pairs, ret, NULL);
    weft__free(pairs);
    return err;
}

/* ---- those of a URL ---- */

int weft_url_params(const weft_url *url, weft_params **ret)
{
    const char *query = weft_url_query(url);
    return weft_params_parse(query != NULL ? query : "", query != NULL ? strlen(query) : 0, ret);
}

static int with_params(const weft_url *url, const weft_params *params, weft_url **ret)
{
    char *query;
    int err = weft_params_encode(params, &query);
    if (err < 0)
        return err;
    err = weft_url_with(url, WEFT_URL(.query = query), ret);
    weft_free(query);
    return err;
}

int weft_url_set_params(const weft_url *url, const weft_pair *pairs, weft_url **ret)
{
    weft_params *params;
    int err = weft_url_params(url, &params);
    if (err < 0)
        return err;
    err = weft_params_merge(params, pairs);
    if (err == 0)
        err = with_params(url, params, ret);
    weft_params_free(params);
    return err;
}

int weft_url_remove_param(const weft_url *url, const char *name, weft_url **ret)
{
    weft_params *params;
    int err = weft_url_params(url, &params);
    if (err < 0)
        return err;
    weft_params_remove(params, name);
    err = with_params(url, params, ret);
    weft_params_free(params);
    return err;
}
