/*
 * date.c - HTTP dates.  Days are counted in years that begin in March, so that the leap day is
 * the last one (Howard Hinnant's algorithm).
 */
#include <stdbool.h>
#include <string.h>

#include "base/str.h"
#include "proto/date.h"

enum { DAY = 86400, YEAR_MAX = 9999 };

static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char weekdays[7][10] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                     "Thursday", "Friday", "Saturday"};

struct date {
    int year;
    int month; /* 1..12 */
    int day;   /* 1..31 */
    int hour;
    int minute;
    int second; /* 60: a leap second */
    int weekday;
};

/* Since 1970-01-01. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static struct date date_of(int64_t unix_seconds)
{
    int64_t days = unix_seconds / DAY;
    int seconds = (int)(unix_seconds % DAY);
    int64_t shifted = days + 719468;
    int64_t era = shifted / 146097;
    int64_t day_of_era = shifted - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153;
    struct date date = {
        .month = (int)(month < 10 ? month + 3 : month - 9),
        .day = (int)(day_of_year - (153 * month + 2) / 5 + 1),
        .hour = seconds / 3600,
        .minute = seconds / 60 % 60,
        .second = seconds % 60,
        .weekday = (int)((days + 4) % 7),
    };
    date.year = (int)(year_of_era + era * 400) + (date.month <= 2);
    return date;
}

static char *put_digits(char *to, int number, int digits)
{
    for (int i = digits - 1; i >= 0; i--) {
        to[i] = (char)('0' + number % 10);
        number /= 10;
    }
    return to + digits;
}

void weft__date_format(int64_t unix_seconds, char text[WEFT__DATE_LEN + 1])
{
    struct date date = date_of(unix_seconds);
    memcpy(text, "Sun, 06 Nov 1994 08:49:37 GMT", WEFT__DATE_LEN + 1);
    memcpy(text, weekdays[date.weekday], 3);
    put_digits(text + 5, date.day, 2);
    memcpy(text + 8, months[date.month - 1], 3);
    put_digits(text + 12, date.year, 4);
    put_digits(text + 17, date.hour, 2);
    put_digits(text + 20, date.minute, 2);
    put_digits(text + 23, date.second, 2);
}

struct scan {
    const char *p;
    const char *end;
    bool failed;
};

static void expect(struct scan *scan, const char *literal)
{
    size_t len = strlen(literal);
    if (scan->failed || (size_t)(scan->end - scan->p) < len || memcmp(scan->p, literal, len) != 0)
        scan->failed = true;
    else
        scan->p += len;
}

static int number(struct scan *scan, int digits)
{
    int value = 0;
    if (scan->failed || scan->end - scan->p < digits) {
        scan->failed = true;
        return 0;
    }
    for (; digits > 0; digits--, scan->p++) {
        scan->failed = scan->failed || !weft__is_digit(*scan->p);
        value = value * 10 + (*scan->p - '0');
    }
    return scan->failed ? 0 : value;
}

static int month(struct scan *scan)
{
    for (int i = 0; i < 12 && !scan->failed && scan->end - scan->p >= 3; i++) {
        if (memcmp(scan->p, months[i], 3) == 0) {
            scan->p += 3;
            return i + 1;
        }
    }
    scan->failed = true;
    return 1;
}

static void clock_time(struct scan *scan, struct date *date)
{
    date->hour = number(scan, 2);
    expect(scan, ":");
    date->minute = number(scan, 2);
    expect(scan, ":");
    date->second = number(scan, 2);
}

/* "06 Nov 1994 08:49:37 GMT" */
static void scan_imf(struct scan *scan, struct date *date)
{
    date->day = number(scan, 2);
    expect(scan, " ");
    date->month = month(scan);
    expect(scan, " ");
    date->year = number(scan, 4);
    expect(scan, " ");
    clock_time(scan, date);
    expect(scan, " GMT");
}

/* "06-Nov-94 08:49:37 GMT" */
static void scan_rfc850(struct scan *scan, struct date *date, int64_t now)
{
    int this_year = date_of(now > 0 ? now : 0).year;
    date->day = number(scan, 2);
    expect(scan, "-");
    date->month = month(scan);
    expect(scan, "-");
    date->year = this_year / 100 * 100 + number(scan, 2);
    if (date->year > this_year + 50)
        date->year -= 100;
    expect(scan, " ");
    clock_time(scan, date);
    expect(scan, " GMT");
}

/* "Nov  6 08:49:37 1994" */
static void scan_asctime(struct scan *scan, struct date *date)
{
    date->month = month(scan);
    expect(scan, " ");
    if (!scan->failed && scan->p < scan->end && *scan->p == ' ') {
        scan->p++;
        date->day = number(scan, 1);
    } else {
        date->day = number(scan, 2);
    }
    expect(scan, " ");
    clock_time(scan, date);
    expect(scan, " ");
    date->year = number(scan, 4);
}

static bool is_valid(const struct date *date)
{
    static const int lengths[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = date->year % 4 == 0 && (date->year % 100 != 0 || date->year % 400 == 0);
    if (date->year < 1601 || date->year > YEAR_MAX || date->day < 1 ||
        date->day > lengths[date->month - 1] || (date->month == 2 && date->day == 29 && !leap))
        return false;
    return date->hour <= 23 && date->minute <= 59 && date->second <= 60;
}

static int seconds_of(const struct date *date, int64_t *ret)
{
    if (!is_valid(date))
        return -1;
    *ret = days_of(date->year, date->month, date->day) * DAY + date->hour * 3600 +
           date->minute * 60 + date->second;
    return 0;
}

/* Skips the day's name, which says nothing that the date does not; its length, or 0. */
static size_t weekday_len(const char *text, size_t len)
{
    for (int i = 0; i < 7; i++) {
        size_t full = strlen(weekdays[i]);
        if (len > full && memcmp(text, weekdays[i], full) == 0)
            return full;
        if (len > 3 && memcmp(text, weekdays[i], 3) == 0 && (text[3] == ',' || text[3] == ' '))
            return 3;
    }
    return 0;
}

int weft__date_parse(const char *text, size_t len, int64_t now, int64_t *ret)
{
    struct date date = {.month = 1};
    size_t name = weekday_len(text, len);
    if (name == 0)
        return -1;
    struct scan scan = {text + name, text + len, false};
    if (name == 3 && text[3] == ' ') {
        scan.p++;
        scan_asctime(&scan, &date);
    } else {
        expect(&scan, ", ");
        if (name == 3)
            scan_imf(&scan, &date);
        else
            scan_rfc850(&scan, &date, now);
    }
    if (scan.failed || scan.p != scan.end)
        return -1;
    return seconds_of(&date, ret);
}

int weft__date_seconds(const int date[6], int64_t *ret)
{
    struct date parts = {.year = date[0],
                         .month = date[1],
                         .day = date[2],
                         .hour = date[3],
                         .minute = date[4],
                         .second = date[5]};
    if (parts.month < 1 || parts.month > 12)
        return -1;
    return seconds_of(&parts, ret);
}
