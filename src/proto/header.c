/* header.c - header fields: ordered, case-insensitive, repeatable, valid once they are in. */
#include <errno.h>
#include <string.h>

#include <weft/error.h>

#include "base/alloc.h"
#include "base/error_int.h"
#include "base/limits.h"
#include "base/str.h"
#include "proto/chars.h"
#include "proto/header.h"

enum { TEXT_FIRST = 512, NAME_SHOWN = 64 };

void weft__headers_init(weft_headers *headers)
{
    memset(headers, 0, offsetof(struct weft_headers, first));
    headers->entries = headers->first;
    headers->cap = WEFT__HEADERS_INLINE;
}

void weft__headers_done(weft_headers *headers)
{
    weft__free(headers->text);
    if (headers->entries != headers->first)
        weft__free(headers->entries);
    weft__headers_init(headers);
}

void weft__headers_reset(weft_headers *headers)
{
    headers->text_len = 0;
    headers->live = 0;
    headers->len = 0;
}

int weft_headers_new(weft_headers **ret)
{
    weft_headers *headers = weft__alloc(sizeof *headers);
    if (headers == NULL)
        return weft__fail_nomem();
    weft__headers_init(headers);
    *ret = headers;
    return 0;
}

void weft_headers_free(weft_headers *headers)
{
    if (headers == NULL)
        return;
    weft__headers_done(headers);
    weft__free(headers);
}

static uint32_t put(char *text, size_t *at, const char *bytes, size_t len)
{
    uint32_t start = (uint32_t)*at;
    if (len > 0)
        memcpy(text + *at, bytes, len);
    text[*at + len] = '\0';
    *at += len + 1;
    return start;
}

static int grow_entries(weft_headers *headers, size_t fields)
{
    if (headers->cap - headers->len >= fields)
        return 0;
    size_t cap = headers->cap * 2;
    if (cap < headers->len + fields)
        cap = headers->len + fields;
    bool inside = headers->entries == headers->first;
    struct weft__header *entries =
        weft__realloc(inside ? NULL : headers->entries, cap * sizeof *entries);
    if (entries == NULL)
        return weft__fail_nomem();
    if (inside)
        memcpy(entries, headers->first, headers->len * sizeof *entries);
    headers->entries = entries;
    headers->cap = cap;
    return 0;
}

/*
 * What is appended may stand in the old block itself, so that one is given to the caller, who
 * frees it after copying.
 */
static int grow_text(weft_headers *headers, size_t bytes, char **ret_old)
{
    if (headers->text_cap - headers->text_len >= bytes)
        return 0;
    size_t need = headers->live + bytes;
    size_t cap = need + need / 2;
    if (cap < TEXT_FIRST)
        cap = TEXT_FIRST;
    char *text = weft__alloc(cap);
    if (text == NULL)
        return weft__fail_nomem();
    size_t at = 0;
    for (size_t i = 0; i < headers->len; i++) {
        struct weft__header *entry = &headers->entries[i];
        entry->name = put(text, &at, headers->text + entry->name, entry->name_len);
        entry->value = put(text, &at, headers->text + entry->value, entry->value_len);
    }
    *ret_old = headers->text;
    headers->text = text;
    headers->text_len = at;
    headers->text_cap = cap;
    return 0;
}

static int reserve(weft_headers *headers, size_t fields, size_t bytes, char **ret_old)
{
    size_t room = WEFT__LIMIT_HEADERS - headers->live;
    if (fields > room / 2 || bytes > room - 2 * fields)
        return weft__fail(WEFT_EHEADER_TOO_LARGE, "header fields are larger than %d bytes",
                          WEFT__LIMIT_HEADERS);
    int err = grow_entries(headers, fields);
    return err < 0 ? err : grow_text(headers, bytes + 2 * fields, ret_old);
}

int weft__headers_reserve(weft_headers *headers, size_t fields, size_t bytes)
{
    char *old = NULL;
    int err = reserve(headers, fields, bytes, &old);
    weft__free(old);
    return err;
}

int weft__headers_append_raw(weft_headers *headers, const char *name, size_t name_len,
                             const char *value, size_t value_len)
{
    char *old = NULL;
    int err = reserve(headers, 1, name_len + value_len, &old);
    if (err < 0)
        return err;
    struct weft__header *entry = &headers->entries[headers->len++];
    entry->name_len = (uint32_t)name_len;
    entry->value_len = (uint32_t)value_len;
    entry->name = put(headers->text, &headers->text_len, name, name_len);
    entry->value = put(headers->text, &headers->text_len, value, value_len);
    headers->live += name_len + value_len + 2;
    weft__free(old);
    return 0;
}

void weft__headers_swap(weft_headers *a, weft_headers *b)
{
    weft_headers was = *a;
    *a = *b;
    *b = was;
    /* Entries that stand inside have moved along. */
    if (a->entries == b->first)
        a->entries = a->first;
    if (b->entries == a->first)
        b->entries = b->first;
}

int weft__headers_append_all(weft_headers *headers, const weft_headers *from)
{
    for (size_t i = 0; i < from->len; i++) {
        const struct weft__header *entry = &from->entries[i];
        int err = weft__headers_append_raw(headers, from->text + entry->name, entry->name_len,
                                           from->text + entry->value, entry->value_len);
        if (err < 0)
            return err;
    }
    return 0;
}

/* Only the part of a bad name that is a token is shown: behind it a secret may stand. */
static int check_name(const char *name)
{
    size_t len = 0;
    if (name == NULL || name[0] == '\0')
        return weft__fail(WEFT_ELOCAL_PROTOCOL, "a header field has an empty name");
    while (weft__char_is(name[len], WEFT__CHAR_TOKEN))
        len++;
    if (name[len] == '\0')
        return 0;
    return weft__fail(WEFT_ELOCAL_PROTOCOL,
                      "header field name \"%.*s\": byte 0x%02x is not allowed after it",
                      (int)(len > NAME_SHOWN ? NAME_SHOWN : len), name, (unsigned char)name[len]);
}

static int check_value(const char *name, const char *value, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!weft__char_is(value[i], WEFT__CHAR_TEXT))
            return weft__fail(WEFT_ELOCAL_PROTOCOL,
                              "header field \"%.*s\": its value has the control character 0x%02x",
                              NAME_SHOWN, name, (unsigned char)value[i]);
    }
    return 0;
}

/* Trims the value and checks both. */
static int check_field(const char *name, const char **value, size_t *value_len)
{
    int err = check_name(name);
    if (err < 0)
        return err;
    if (*value == NULL)
        return weft__fail(-EINVAL, "header field \"%.*s\" has no value", NAME_SHOWN, name);
    *value_len = strlen(*value);
    *value = weft__trim(*value, value_len);
    return check_value(name, *value, *value_len);
}

int weft_headers_add(weft_headers *headers, const char *name, const char *value)
{
    size_t value_len;
    int err = check_field(name, &value, &value_len);
    if (err < 0)
        return err;
    return weft__headers_append_raw(headers, name, strlen(name), value, value_len);
}

/* Index of the first field of that name from index on, or headers->len. */
static size_t find(const weft_headers *headers, size_t index, const char *name, size_t name_len)
{
    for (; index < headers->len; index++) {
        const struct weft__header *entry = &headers->entries[index];
        if (entry->name_len == name_len &&
            weft__ieq_n(headers->text + entry->name, name_len, name, name_len))
            break;
    }
    return index;
}

static size_t remove_from(weft_headers *headers, size_t index, const char *name, size_t name_len)
{
    size_t kept = index;
    for (; index < headers->len; index++) {
        struct weft__header *entry = &headers->entries[index];
        if (weft__ieq_n(headers->text + entry->name, entry->name_len, name, name_len))
            headers->live -= entry->name_len + entry->value_len + 2;
        else
            headers->entries[kept++] = *entry;
    }
    size_t removed = headers->len - kept;
    headers->len = kept;
    return removed;
}

int weft_headers_set(weft_headers *headers, const char *name, const char *value)
{
    size_t value_len;
    int err = check_field(name, &value, &value_len);
    if (err < 0)
        return err;
    size_t name_len = strlen(name);
    size_t index = find(headers, 0, name, name_len);
    err = weft__headers_append_raw(headers, name, name_len, value, value_len);
    if (err < 0 || index == headers->len - 1)
        return err;
    /* The new field takes the place of the first old one; the others go. */
    struct weft__header added = headers->entries[--headers->len];
    struct weft__header *first = &headers->entries[index];
    headers->live -= first->name_len + first->value_len + 2;
    *first = added;
    remove_from(headers, index + 1, weft__header_name(headers, index), name_len);
    return 0;
}

int weft__headers_set_pairs(weft_headers *headers, const weft_pair *pairs)
{
    for (; pairs != NULL && pairs->name != NULL; pairs++) {
        int err = weft_headers_set(headers, pairs->name, pairs->value);
        if (err < 0)
            return err;
    }
    return 0;
}

size_t weft_headers_remove(weft_headers *headers, const char *name)
{
    return remove_from(headers, 0, name, strlen(name));
}

const char *weft_headers_get(const weft_headers *headers, const char *name)
{
    return weft_headers_get_nth(headers, name, 0);
}

const char *weft_headers_get_nth(const weft_headers *headers, const char *name, size_t nth)
{
    size_t name_len = strlen(name);
    size_t index = find(headers, 0, name, name_len);
    while (nth-- > 0 && index < headers->len)
        index = find(headers, index + 1, name, name_len);
    return index < headers->len ? weft__header_value(headers, index) : NULL;
}

size_t weft_headers_count(const weft_headers *headers)
{
    return headers->len;
}

weft_pair weft_headers_at(const weft_headers *headers, size_t index)
{
    if (index >= headers->len)
        return (weft_pair){0};
    return (weft_pair){weft__header_name(headers, index), weft__header_value(headers, index)};
}

/* The second letter is compared before a function is called: few are right. */
static bool stands_at(const char *at, size_t left, const char *part, size_t len)
{
    return len <= left && weft__ascii_lower(at[1]) == part[1] && weft__ieq_n(at, len, part, len);
}

/* Each field of each request comes through here. */
static bool has_secret_part(const char *name, size_t name_len)
{
    for (size_t i = 0; i < name_len; i++) {
        const char *at = name + i;
        size_t left = name_len - i;
        bool found = false;
        switch (weft__ascii_lower(*at)) {
        case 'a':
            found = stands_at(at, left, "api-key", 7) || stands_at(at, left, "apikey", 6);
            break;
        case 'p':
            found = stands_at(at, left, "password", 8);
            break;
        case 's':
            found = stands_at(at, left, "secret", 6) || stands_at(at, left, "session", 7);
            break;
        case 't':
            found = stands_at(at, left, "token", 5);
            break;
        case 'x':
            found = stands_at(at, left, "x-auth", 6);
            break;
        default:
            break;
        }
        if (found)
            return true;
    }
    return false;
}

bool weft__header_is_secret(const char *name, size_t name_len)
{
    static const char *const names[] = {"authorization", "proxy-authorization", "cookie",
                                        "set-cookie", "www-authenticate"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (name_len > 0 && weft__ascii_lower(name[0]) == names[i][0] &&
            weft__ieq_n(name, name_len, names[i], strlen(names[i])))
            return true;
    }
    return has_secret_part(name, name_len);
}
