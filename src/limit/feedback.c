/*
 * feedback.c - what Retry-After and the rate limit fields of a response say.
 *
 *     Retry-After: 120  |  Fri, 31 Dec 1999 23:59:59 GMT               RFC 9110 10.2.3
 *     RateLimit: "default";r=50;t=30                                   httpapi draft, from -09
 *     RateLimit-Policy: "default";q=100;w=60
 *     RateLimit: limit=100, remaining=50, reset=30                     drafts -07, -08
 *     (X-)RateLimit-Limit: 100  or  100, 100;w=60                      the wild, older drafts
 *     (X-)RateLimit-Remaining: 50
 *     (X-)RateLimit-Reset: 30  |  1700000000  |  1700000000000         seconds, date in s or ms
 *
 * What cannot be read is as if it were absent.  Of several policies the one counts that allows
 * least.  Dates are compared with the response's own Date, so that a wrong clock on either side
 * does no harm.
 */
#include <string.h>

#include "base/str.h"
#include "limit/limit_int.h"

/* From here on a number of seconds is a date (2001), or a date in milliseconds (33658). */
static const uint64_t epoch_from = UINT64_C(1000000000);
static const uint64_t epoch_ms_from = UINT64_C(1000000000000);

struct piece {
    const char *text;
    size_t len;
};

static struct piece trimmed(const char *text, size_t len)
{
    struct piece piece = {.len = len};
    piece.text = weft__trim(text, &piece.len);
    return piece;
}

/* Cuts what stands before the next separator, outside of quotes, off rest. */
static bool next_piece(struct piece *rest, char separator, struct piece *ret)
{
    if (rest->text == NULL)
        return false;
    bool quoted = false;
    size_t i = 0;
    for (; i < rest->len && (quoted || rest->text[i] != separator); i++) {
        if (rest->text[i] == '"')
            quoted = !quoted;
    }
    *ret = trimmed(rest->text, i);
    if (i == rest->len)
        *rest = (struct piece){0};
    else
        *rest = (struct piece){rest->text + i + 1, rest->len - i - 1};
    return true;
}

/* A number; digits after a point are cut off, as some send them. */
static bool read_number(struct piece piece, uint64_t *ret)
{
    const char *point = memchr(piece.text, '.', piece.len);
    uint64_t fraction;
    size_t whole = point != NULL ? (size_t)(point - piece.text) : piece.len;
    if (point != NULL && weft__parse_u64(point + 1, piece.len - whole - 1, &fraction) < 0)
        return false;
    return weft__parse_u64(piece.text, whole, ret) == 0;
}

static bool read_value(const char *value, uint64_t *ret)
{
    return value != NULL && read_number(trimmed(value, strlen(value)), ret);
}

/* Seconds in nanoseconds, as far as they go. */
static int64_t seconds(uint64_t s)
{
    return s < (uint64_t)(WEFT__SPAN_MAX / WEFT_SEC(1)) ? WEFT_SEC(s) : WEFT__SPAN_MAX;
}

/* ---- dates ---- */

static bool two_digits(const char *text, int *ret)
{
    if (!weft__is_digit(text[0]) || !weft__is_digit(text[1]))
        return false;
    *ret = (text[0] - '0') * 10 + (text[1] - '0');
    return true;
}

/* Days since 1970-01-01, of the Gregorian calendar. */
static int64_t days_of(int year, int month, int day)
{
    int y = month <= 2 ? year - 1 : year;
    int m = month <= 2 ? month + 9 : month - 3;
    return 365 * (int64_t)y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT", the one form that may be sent. */
static bool read_date(const char *value, int64_t *ret)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    static const char form[] = "aaa, 00 aaa 0000 00:00:00 GMT";
    struct piece date = trimmed(value, strlen(value));
    int day;
    int century;
    int year;
    int hour;
    int minute;
    int second;
    if (date.len != sizeof form - 1)
        return false;
    for (size_t i = 0; i < date.len; i++) {
        if (strchr(" ,:GMT", form[i]) != NULL && date.text[i] != form[i])
            return false;
    }
    const char *month = months;
    while (*month != '\0' && memcmp(month, date.text + 8, 3) != 0)
        month += 3;
    if (*month == '\0' || !two_digits(date.text + 5, &day) ||
        !two_digits(date.text + 12, &century) || !two_digits(date.text + 14, &year) ||
        !two_digits(date.text + 17, &hour) || !two_digits(date.text + 20, &minute) ||
        !two_digits(date.text + 23, &second))
        return false;
    if (day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60)
        return false;
    int64_t days = days_of(century * 100 + year, (int)(month - months) / 3 + 1, day);
    *ret = days * 86400 + hour * 3600 + minute * 60 + second;
    return true;
}

/* ---- the fields ---- */

static int64_t until(int64_t date, int64_t now)
{
    return date > now ? seconds((uint64_t)(date - now)) : 0;
}

static int64_t read_retry_after(const char *value, int64_t now)
{
    uint64_t s;
    int64_t date;
    if (value == NULL)
        return -1;
    if (read_value(value, &s))
        return seconds(s);
    return read_date(value, &date) ? until(date, now) : -1;
}

static int64_t read_reset(uint64_t number, int64_t now)
{
    if (number >= epoch_ms_from)
        number /= 1000;
    else if (number < epoch_from)
        return seconds(number);
    return number < INT64_MAX ? until((int64_t)number, now) : -1;
}

/* The parameter of an item: "name";key=7 */
static bool parameter(struct piece item, const char *key, uint64_t *ret)
{
    struct piece part;
    while (next_piece(&item, ';', &part)) {
        const char *equals = memchr(part.text, '=', part.len);
        if (equals == NULL)
            continue;
        size_t len = (size_t)(equals - part.text);
        struct piece name = trimmed(part.text, len);
        struct piece number = trimmed(equals + 1, part.len - len - 1);
        if (weft__ieq_n(name.text, name.len, key, strlen(key)))
            return read_number(number, ret);
    }
    return false;
}

static struct piece whole(const char *value)
{
    return value != NULL ? trimmed(value, strlen(value)) : (struct piece){0};
}

/* What a list item is called: all before its parameters. */
static struct piece name_of(struct piece item)
{
    struct piece name = {0};
    next_piece(&item, ';', &name);
    return name;
}

static void read_policy(const char *value, struct piece name, struct weft__advice *advice)
{
    struct piece list = whole(value);
    struct piece item;
    while (next_piece(&list, ',', &item)) {
        struct piece other = name_of(item);
        uint64_t quota;
        uint64_t window;
        if (name.text != NULL &&
            (other.len != name.len || memcmp(other.text, name.text, name.len) != 0))
            continue;
        bool found = parameter(item, "q", &quota);
        /* "100;w=60" of the older drafts. */
        if (!found && !read_number(other, &quota))
            continue;
        advice->quota = quota;
        if (parameter(item, "w", &window))
            advice->window = seconds(window);
        return;
    }
}

/* t / r: the larger, the slower. */
static bool is_slower(uint64_t remaining, int64_t reset, const struct weft__advice *than)
{
    if (than->reset < 0)
        return true;
    if (remaining == 0 || than->remaining == 0)
        return remaining == 0 && (than->remaining != 0 || reset > than->reset);
    return (double)reset / (double)remaining > (double)than->reset / (double)than->remaining;
}

/* The list of "name";r=50;t=30; and limit=100, remaining=50, reset=30. */
static bool read_ratelimit(const weft_feedback *feedback, struct weft__advice *advice)
{
    struct piece list = whole(feedback->ratelimit);
    struct piece slowest = {0};
    struct piece item;
    while (next_piece(&list, ',', &item)) {
        uint64_t r;
        uint64_t t;
        if (!parameter(item, "r", &r) || !parameter(item, "t", &t) ||
            !is_slower(r, seconds(t), advice))
            continue;
        advice->remaining = r;
        advice->reset = seconds(t);
        slowest = name_of(item);
    }
    if (slowest.text != NULL)
        read_policy(feedback->ratelimit_policy, slowest, advice);
    return slowest.text != NULL;
}

/* limit=100, remaining=50, reset=30: the same three as separate items. */
static bool read_older(const weft_feedback *feedback, int64_t now, struct weft__advice *advice)
{
    struct piece list = whole(feedback->ratelimit);
    struct piece item;
    uint64_t remaining = UINT64_MAX;
    uint64_t reset = UINT64_MAX;
    uint64_t quota = 0;
    while (next_piece(&list, ',', &item)) {
        parameter(item, "remaining", &remaining);
        parameter(item, "reset", &reset);
        parameter(item, "limit", &quota);
    }
    if (remaining == UINT64_MAX || reset == UINT64_MAX)
        return false;
    advice->remaining = remaining;
    advice->reset = read_reset(reset, now);
    read_policy(feedback->ratelimit_policy, (struct piece){0}, advice);
    if (advice->quota == 0)
        advice->quota = quota;
    return true;
}

/* Three fields of their own. */
static void read_wild(const weft_feedback *feedback, int64_t now, struct weft__advice *advice)
{
    uint64_t number;
    struct piece list = whole(feedback->limit);
    struct piece first;
    if (next_piece(&list, ',', &first) && read_number(name_of(first), &number))
        advice->quota = number;
    if (list.text != NULL)
        read_policy(feedback->limit + (list.text - feedback->limit), (struct piece){0}, advice);
    if (!read_value(feedback->remaining, &number))
        return;
    advice->remaining = number;
    if (read_value(feedback->reset, &number))
        advice->reset = read_reset(number, now);
}

void weft__advice_read(const weft_feedback *feedback, int64_t now, struct weft__advice *ret)
{
    struct weft__advice advice = {.pause = -1, .reset = -1};
    int64_t date;
    if (feedback->date != NULL && read_date(feedback->date, &date))
        now = date;
    advice.pause = read_retry_after(feedback->retry_after, now);
    if (!read_ratelimit(feedback, &advice) && !read_older(feedback, now, &advice))
        read_wild(feedback, now, &advice);
    *ret = advice;
}
