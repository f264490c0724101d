/*
 * condition.c - conditional and range requests for a file (RFC 9110 13 and 14).
 *
 * One range is answered, several are not: the whole file is a valid answer to any Range, and
 * many small or overlapping ranges are a known way to make a server work (CVE-2011-3192).
 */
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "proto/date.h"
#include "server/server_int.h"

/* Is the entity tag in the list of an If-Match or If-None-Match field? */
static bool tag_is_listed(const char *list, const char *etag, bool weak)
{
    struct weft__text rest = {list, strlen(list)};
    struct weft__text item;
    size_t len = strlen(etag);
    while (weft__list_next(&rest, &item)) {
        if (item.len == 1 && item.data[0] == '*')
            return true;
        if (weak && item.len > 2 && memcmp(item.data, "W/", 2) == 0) {
            item.data += 2;
            item.len -= 2;
        }
        if (item.len == len && memcmp(item.data, etag, len) == 0)
            return true;
    }
    return false;
}

static bool parse_date(const char *text, int64_t *ret)
{
    return weft__date_parse(text, strlen(text), weft__clock_wall(), ret) >= 0;
}

/* RFC 9110 13.2.2, in its order: 200 to go on, 304 or 412. */
static int evaluate(const weft_headers *headers, const struct weft__file_facts *facts)
{
    int64_t when;
    const char *match = weft_headers_get(headers, "If-Match");
    const char *unmodified = weft_headers_get(headers, "If-Unmodified-Since");
    if (match != NULL && !tag_is_listed(match, facts->etag, false))
        return 412;
    if (match == NULL && unmodified != NULL && parse_date(unmodified, &when) && facts->mtime > when)
        return 412;
    const char *none = weft_headers_get(headers, "If-None-Match");
    const char *since = weft_headers_get(headers, "If-Modified-Since");
    if (none != NULL)
        return tag_is_listed(none, facts->etag, true) ? 304 : 200;
    if (since != NULL && parse_date(since, &when) && facts->mtime <= when)
        return 304;
    return 200;
}

/* Digits up to a stop or the end: false if there are none or something else stands there. */
static bool take_number(const char **p, const char *end, char stop, int64_t *ret)
{
    const char *from = *p;
    uint64_t number;
    while (*p < end && weft__is_digit(**p))
        ++*p;
    if (*p < end && **p != stop)
        return false;
    if (weft__parse_u64(from, (size_t)(*p - from), &number) < 0)
        return false;
    *ret = number > INT64_MAX ? INT64_MAX : (int64_t)number;
    return true;
}

/* "bytes=" one range: 206 with the range, 416, or 200 if the field is to be ignored. */
static int parse_range(const char *value, int64_t size, int64_t *ret_first, int64_t *ret_len)
{
    if (strlen(value) < 6 || !weft__ieq_n(value, 6, "bytes=", 6))
        return 200;
    size_t len = strlen(value) - 6;
    const char *p = weft__trim(value + 6, &len);
    const char *end = p + len;
    int64_t first;
    int64_t last = INT64_MAX;
    if (len > 1 && *p == '-') {
        p++;
        if (!take_number(&p, end, '\0', &last) || p != end)
            return 200;
        if (last == 0 || size == 0)
            return 416;
        *ret_first = last < size ? size - last : 0;
        *ret_len = size - *ret_first;
        return 206;
    }
    if (!take_number(&p, end, '-', &first) || p == end)
        return 200;
    p++;
    if (p < end && (!take_number(&p, end, '\0', &last) || p != end || last < first))
        return 200;
    if (first >= size)
        return 416;
    *ret_first = first;
    *ret_len = (last < size - 1 ? last : size - 1) - first + 1;
    return 206;
}

/* Without If-Range, or if that still names the same file: RFC 9110 13.1.5. */
static bool range_counts(const weft_headers *headers, const struct weft__file_facts *facts)
{
    const char *condition = weft_headers_get(headers, "If-Range");
    return condition == NULL || strcmp(condition, facts->etag) == 0 ||
           strcmp(condition, facts->date) == 0;
}

void weft__file_answer(const weft_server_request *request, const struct weft__file_facts *facts,
                       struct weft__file_answer *ret)
{
    const weft_headers *headers = &request->headers;
    ret->first = 0;
    ret->len = facts->size;
    ret->status = evaluate(headers, facts);
    const char *range = weft_headers_get(headers, "Range");
    if (ret->status != 200 || range == NULL || strcmp(request->method, "GET") != 0 ||
        !range_counts(headers, facts))
        return;
    ret->status = parse_range(range, facts->size, &ret->first, &ret->len);
}
