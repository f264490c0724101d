/* Cookies by RFC 6265bis: dates, domains, paths, what is stored, what is sent. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <weft/testing.h>

#include "base/limits.h"
#include "proto/cookie.h"
#include "test.h"

enum { NOW = 1790000000 }; /* 2026-09-21 */

static struct weft__jar jar;

static struct weft__cookie_place place_of(const char *host, const char *path, bool secure)
{
    return (struct weft__cookie_place){host, path, secure};
}

static int receive(const char *host, const char *path, bool secure, const char *text)
{
    struct weft__cookie_place place = place_of(host, path, secure);
    return weft__jar_receive(&jar, &place, text, strlen(text), NOW);
}

static const char *sent_at(const char *host, const char *path, bool secure, int64_t now)
{
    static char text[64 * 1024];
    struct weft__cookie_place place = place_of(host, path, secure);
    struct weft__buf buf;
    weft__buf_init(&buf, SIZE_MAX);
    ASSERT_OK(weft__jar_header(&jar, &place, now, &buf));
    snprintf(text, sizeof text, "%.*s", (int)buf.len, buf.len > 0 ? weft__buf_bytes(&buf) : "");
    weft__buf_done(&buf);
    return text;
}

static const char *sent(const char *host, const char *path)
{
    return sent_at(host, path, false, NOW);
}

static void empty(void)
{
    weft__jar_done(&jar);
}

TEST(cookie_dates_in_any_form)
{
    static const struct {
        const char *text;
        int64_t seconds; /* -1: none */
    } rows[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
        {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
        {"Sun Nov  6 08:49:37 1994", 784111777},
        {"1994 8:49:37 6 november", 784111777},
        {"06-nov-1994 08:49:37 +0100 whatever", 784111777},
        {"Thu, 01-Jan-70 00:00:00 GMT", 0},
        {"Fri, 01 Jan 2069 00:00:00", 3124224000},
        {"01 Jan 69 00:00:00", 3124224000},
        {"01 Jan 70 00:00:00", 0},
        {"29 Feb 2024 12:00:00", 1709208000},
        {"29 Feb 2023 12:00:00", -1},
        {"31 Apr 2024 12:00:00", -1},
        {"01 Jan 1600 00:00:00", -1},
        {"01 Jan 1601 00:00:00", -11644473600},
        {"01 Jan 2024 24:00:00", -1},
        {"01 Jan 2024 23:60:00", -1},
        {"01 Jan 2024 23:59:60", -1},
        {"01 Jan 2024", -1},
        {"2024 23:59:59 Jan", -1},
        {"01 2024 23:59:59", -1},
        {"32 Jan 2024 23:59:59", -1},
        {"001 Jan 2024 23:59:59", -1},
        {"01 Jan 20240 23:59:59", -1},
        {"01 Jan 2024 123:59:59", -1},
        {"", -1},
        {"soon", -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t seconds = -1;
        int result = weft__cookie_date(rows[i].text, strlen(rows[i].text), &seconds);
        if (result != (rows[i].seconds == -1 ? -1 : 0) || seconds != rows[i].seconds)
            FAIL("%s: %d, %lld", rows[i].text, result, (long long)seconds);
    }
}

TEST(cookie_domain_matches_at_labels_only)
{
    static const struct {
        const char *host;
        const char *domain;
        bool matches;
    } rows[] = {
        {"example.com", "example.com", true},
        {"www.example.com", "example.com", true},
        {"a.b.example.com", "example.com", true},
        {"notexample.com", "example.com", false},
        {"example.com", "www.example.com", false},
        {"com", "example.com", false},
        {"127.0.0.1", "127.0.0.1", true},
        {"127.0.0.1", "0.0.1", false},
        {"x.0.0.1", "0.0.1", false},
        {"[::1]", "[::1]", true},
        {"example.com.", "example.com", false},
        {"example.com", "", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (weft__cookie_domain_matches(rows[i].host, rows[i].domain) != rows[i].matches)
            FAIL("%s %s", rows[i].host, rows[i].domain);
    }
}

TEST(cookie_path_matches_at_slashes_only)
{
    static const struct {
        const char *path;
        const char *cookie;
        bool matches;
    } rows[] = {
        {"/", "/", true},         {"/foo", "/", true},         {"/foo", "/foo", true},
        {"/foo/", "/foo", true},  {"/foo/bar", "/foo", true},  {"/foobar", "/foo", false},
        {"/foo", "/foo/", false}, {"/foo/bar", "/foo/", true}, {"/", "/foo", false},
        {"/FOO", "/foo", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (weft__cookie_path_matches(rows[i].path, rows[i].cookie) != rows[i].matches)
            FAIL("%s %s", rows[i].path, rows[i].cookie);
    }
}

/* CVE-2023-46218: mixed case; CVE-2022-27779: the root's dot. */
TEST(cookie_for_a_public_suffix_is_refused)
{
    static const char *const domains[] = {"com",   ".com", "co.uk",           "CO.UK",
                                          "Co.Uk", "com.", "co.uk.",          "github.io",
                                          "test",  "uk",   "s3.amazonaws.com"};
    for (size_t i = 0; i < sizeof domains / sizeof domains[0]; i++) {
        char text[100];
        snprintf(text, sizeof text, "a=b; Domain=%s", domains[i]);
        ASSERT_INT_EQ(receive("www.example.com", "/", true, text), 0);
        ASSERT_INT_EQ(receive("www.example.co.uk", "/", true, text), 0);
        ASSERT_INT_EQ(receive("www.example.co.uk.", "/", true, text), 0);
        ASSERT_INT_EQ(receive("x.github.io", "/", true, text), 0);
        ASSERT_INT_EQ(receive("a.s3.amazonaws.com", "/", true, text), 0);
    }
    ASSERT_INT_EQ(jar.n, 0);
    /* Its own host may: the cookie is for that host alone. */
    ASSERT_INT_EQ(receive("github.io", "/", true, "own=1; Domain=github.io"), 1);
    ASSERT_INT_EQ(receive("localhost", "/", true, "local=1; Domain=localhost"), 1);
    ASSERT_STR_EQ(sent("github.io", "/"), "own=1");
    ASSERT_STR_EQ(sent("x.github.io", "/"), "");
    ASSERT_STR_EQ(sent("localhost", "/"), "local=1");
    ASSERT_STR_EQ(sent("a.localhost", "/"), "");
    empty();
}

TEST(cookie_without_domain_goes_to_its_host_only)
{
    ASSERT_INT_EQ(receive("www.example.com", "/", false, "host=1"), 1);
    ASSERT_INT_EQ(receive("www.example.com", "/", false, "site=2; domain=.Example.COM"), 1);
    ASSERT_INT_EQ(receive("www.example.com", "/", false, "x=3; domain=other.com"), 0);
    ASSERT_INT_EQ(receive("www.example.com", "/", false, "x=3; domain=a.www.example.com"), 0);
    ASSERT_STR_EQ(sent("www.example.com", "/"), "host=1; site=2");
    ASSERT_STR_EQ(sent("a.www.example.com", "/"), "site=2");
    ASSERT_STR_EQ(sent("example.com", "/"), "site=2");
    ASSERT_STR_EQ(sent("badexample.com", "/"), "");
    empty();
}

/* curl CVE-2014-3613. */
TEST(cookie_of_an_address_goes_to_that_address_only)
{
    ASSERT_INT_EQ(receive("127.0.0.1", "/", false, "a=1; domain=127.0.0.1"), 1);
    ASSERT_INT_EQ(receive("127.0.0.1", "/", false, "b=1; domain=0.0.1"), 0);
    ASSERT_INT_EQ(receive("[::1]", "/", false, "c=1"), 1);
    ASSERT_STR_EQ(sent("127.0.0.1", "/"), "a=1");
    ASSERT_STR_EQ(sent("[::1]", "/"), "c=1");
    ASSERT_STR_EQ(sent("1.127.0.0.1", "/"), "");
    empty();
}

TEST(cookie_path_is_the_folder_of_its_request_by_default)
{
    ASSERT_INT_EQ(receive("h.example", "/a/b/c", false, "x=1"), 1);
    ASSERT_INT_EQ(receive("h.example", "/a", false, "y=1"), 1);
    ASSERT_INT_EQ(receive("h.example", "/a/b/c", false, "z=1; path=relative"), 1);
    ASSERT_INT_EQ(receive("h.example", "/a/b/c", false, "q=1; path=/q; path="), 1);
    ASSERT_STR_EQ(sent("h.example", "/a/b"), "x=1; z=1; q=1; y=1");
    ASSERT_STR_EQ(sent("h.example", "/a/bc"), "y=1");
    empty();
}

TEST(cookie_secure_needs_https)
{
    ASSERT_INT_EQ(receive("example.com", "/", false, "s=1; secure"), 0);
    ASSERT_INT_EQ(receive("example.com", "/", true, "s=1; Secure; HttpOnly; SameSite=lax"), 1);
    ASSERT_STR_EQ(sent("example.com", "/"), "");
    ASSERT_STR_EQ(sent_at("example.com", "/", true, NOW), "s=1");
    /* What came over http neither replaces nor hides it: CVE-2025-9086 was about path "/". */
    ASSERT_INT_EQ(receive("example.com", "/", false, "s=2"), 0);
    ASSERT_INT_EQ(receive("example.com", "/", false, "s=2; path=/login"), 0);
    ASSERT_INT_EQ(receive("www.example.com", "/", false, "s=2; domain=example.com"), 0);
    ASSERT_INT_EQ(receive("www.example.com", "/", false, "other=2; domain=example.com"), 1);
    ASSERT_STR_EQ(sent_at("example.com", "/", true, NOW), "s=1; other=2");
    ASSERT_INT_EQ(receive("example.com", "/", true, "s=3"), 1);
    ASSERT_STR_EQ(sent("example.com", "/"), "s=3; other=2");
    empty();
}

TEST(cookie_name_prefix_is_a_promise)
{
    static const struct {
        const char *text;
        bool secure;
        int stored;
    } rows[] = {
        {"__Secure-a=1; Secure", true, 1},
        {"__Secure-a=1", true, 0},
        {"__secure-a=1", true, 0},
        {"__Secure-a=1; Secure", false, 0},
        {"__Host-a=1; Secure; Path=/", true, 1},
        {"__Host-a=1; Secure", true, 0},
        {"__HOST-a=1; Secure; Path=/x", true, 0},
        {"__Host-a=1; Secure; Path=/; Domain=example.com", true, 0},
        {"__Host-a=1; Path=/", true, 0},
        {"__Hostile=1", true, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        ASSERT_INT_EQ(receive("example.com", "/x/y", rows[i].secure, rows[i].text), rows[i].stored);
    empty();
}

TEST(cookie_age_counts_before_its_date)
{
    static const struct {
        const char *text;
        int64_t lives; /* seconds; 0: not at all; -1: to the end of the session */
    } rows[] = {
        {"a=1", -1},
        {"a=1; max-age=10", 10},
        {"a=1; max-age=10; expires=Thu, 01 Jan 1970 00:00:00 GMT", 10},
        {"a=1; expires=Thu, 01 Jan 1970 00:00:00 GMT", 0},
        {"a=1; expires=01 Jan 1601 00:00:00", 0},
        {"a=1; max-age=0", 0},
        {"a=1; max-age=-1", 0},
        {"a=1; max-age=-", -1},
        {"a=1; max-age=", -1},
        {"a=1; max-age=1x", -1},
        {"a=1; max-age=+1", -1},
        {"a=1; max-age=99999999999999999999999999", 400 * 86400},
        {"a=1; expires=Fri, 31 Dec 9999 23:59:59 GMT", 400 * 86400},
        {"a=1; expires=never", -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ASSERT_INT_EQ(receive("h.example", "/", false, rows[i].text), 1);
        int64_t lives = rows[i].lives;
        const char *now = sent("h.example", "/");
        if ((lives != 0) != (strcmp(now, "a=1") == 0))
            FAIL("%s: sent \"%s\"", rows[i].text, now);
        if (lives > 0) {
            ASSERT_STR_EQ(sent_at("h.example", "/", false, NOW + lives - 1), "a=1");
            ASSERT_STR_EQ(sent_at("h.example", "/", false, NOW + lives), "");
        } else if (lives < 0) {
            ASSERT_STR_EQ(sent_at("h.example", "/", false, NOW * (int64_t)100), "a=1");
        }
        empty();
    }
}

TEST(cookie_expired_takes_its_like_away)
{
    receive("h.example", "/", false, "a=1; path=/x");
    receive("h.example", "/", false, "a=2");
    ASSERT_INT_EQ(receive("h.example", "/", false, "a=; max-age=0"), 1);
    ASSERT_STR_EQ(sent("h.example", "/x"), "a=1");
    ASSERT_INT_EQ(jar.n, 1);
    empty();
}

TEST(cookie_lines_that_are_ignored)
{
    static const char *const lines[] = {
        "",
        "=",
        "=x",
        "novalue",
        "; secure",
        " ;a=b",
        "a\x01=b",
        "a=b\x7f",
        "a=b\x08"
        "c",
        "a\x1f=b",
        "a=b; path=/\x02",
        "a\tb=c",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        if (receive("h.example", "/", false, lines[i]) != 0)
            FAIL("row %zu was stored", i);
    }
    struct weft__cookie_place place = place_of("h.example", "/", false);
    ASSERT_INT_EQ(weft__jar_receive(&jar, &place, "a=b\0c", 5, NOW), 0);
    ASSERT_INT_EQ(weft__jar_receive(&jar, &place, "a=b\r\nc", 6, NOW), 0);
}

TEST(cookie_values_are_sent_as_they_came)
{
    receive("h.example", "/", false, " q = \"a b\" ");
    receive("h.example", "/", false, "e=a=b==");
    receive("h.example", "/", false, "c=a,b\tc; x");
    receive("h.example", "/", false, "u=\xc3\xa9");
    ASSERT_STR_EQ(sent("h.example", "/"), "q=\"a b\"; e=a=b==; c=a,b\tc; u=\xc3\xa9");
    empty();
}

TEST(cookies_go_longest_path_first_then_oldest)
{
    receive("h.example", "/", false, "a=1");
    receive("h.example", "/", false, "b=1; path=/x/y");
    receive("h.example", "/", false, "c=1; path=/x");
    receive("h.example", "/", false, "d=1; path=/x/y");
    receive("h.example", "/", false, "a=2"); /* keeps the place of the one it replaces */
    receive("h.example", "/", false, "e=1");
    ASSERT_STR_EQ(sent("h.example", "/x/y"), "b=1; d=1; c=1; a=2; e=1");
    empty();
}

/* curl CVE-2022-32205: a server could make every later request too large to be accepted. */
TEST(cookies_have_limits)
{
    char text[WEFT__LIMIT_COOKIE + 100];
    memset(text, 'v', sizeof text);
    memcpy(text, "n=", 2);
    text[WEFT__LIMIT_COOKIE + 1] = '\0'; /* "=" does not count */
    ASSERT_INT_EQ(receive("h.example", "/", false, text), 1);
    text[WEFT__LIMIT_COOKIE + 1] = 'v';
    text[WEFT__LIMIT_COOKIE + 2] = '\0';
    ASSERT_INT_EQ(receive("h.example", "/", false, text), 0);
    empty();

    memset(text, 'p', sizeof text);
    memcpy(text, "n=1; path=/", 11);
    text[10 + WEFT__LIMIT_COOKIE_ATTRIBUTE] = '\0';
    ASSERT_INT_EQ(receive("h.example", "/", false, text), 1);
    ASSERT_STR_EQ(sent("h.example", "/"), "");
    text[10 + WEFT__LIMIT_COOKIE_ATTRIBUTE] = 'p';
    text[11 + WEFT__LIMIT_COOKIE_ATTRIBUTE] = '\0'; /* too long: the attribute does not count */
    ASSERT_INT_EQ(receive("h.example", "/", false, text), 1);
    ASSERT_STR_EQ(sent("h.example", "/"), "n=1");
    empty();

    for (int i = 0; i < 20; i++) {
        snprintf(text, 20, "n%02d=", i);
        memset(text + 4, 'v', 2000);
        text[2004] = '\0';
        receive("h.example", "/", false, text);
    }
    ASSERT_INT_EQ(strlen(sent("h.example", "/")), 8 * 2004 + 7 * 2);
    empty();
}

TEST(jar_keeps_what_was_used_lately)
{
    char text[64];
    for (int i = 0; i < WEFT__LIMIT_COOKIES_DOMAIN; i++) {
        snprintf(text, sizeof text, "n%d=1; path=/%d", i, i);
        receive("h.example", "/", false, text);
    }
    ASSERT_STR_EQ(sent("h.example", "/0"), "n0=1");
    receive("h.example", "/", false, "new=1; path=/new");
    ASSERT_INT_EQ(jar.n, WEFT__LIMIT_COOKIES_DOMAIN);
    ASSERT_STR_EQ(sent("h.example", "/0"), "n0=1");
    ASSERT_STR_EQ(sent("h.example", "/1"), "");
    ASSERT_STR_EQ(sent("h.example", "/new"), "new=1");
    for (int i = 0; i < WEFT__LIMIT_COOKIES; i++) {
        char host[32];
        snprintf(host, sizeof host, "h%d.example", i / 100);
        snprintf(text, sizeof text, "n%d=1", i);
        ASSERT_INT_EQ(receive(host, "/", false, text), 1);
    }
    ASSERT_INT_EQ(jar.n, WEFT__LIMIT_COOKIES);
    empty();
}

TEST(jar_is_read_back_as_it_was_written)
{
    struct weft__buf buf;
    size_t skipped;
    receive("www.example.com", "/", true, "b=1; secure; domain=example.com; max-age=100");
    receive("www.example.com", "/", false, "a=x\ty; path=/p; httponly");
    receive("www.example.com", "/", false, "empty=");
    receive("www.example.com", "/", false, "late=1; max-age=5");
    weft__buf_init(&buf, SIZE_MAX);
    ASSERT_OK(weft__jar_print(&jar, NOW + 5, &buf));
    empty();
    const char *text = strstr(weft__buf_bytes(&buf), "\n\n") + 2;
    const char *expected = ".example.com\tTRUE\t/\tTRUE\t1790000100\tb\t1\n"
                           "#HttpOnly_www.example.com\tFALSE\t/p\tFALSE\t0\ta\tx\ty\n"
                           "www.example.com\tFALSE\t/\tFALSE\t0\tempty\t\n";
    ASSERT_MEM_EQ(text, expected, strlen(expected));
    ASSERT_OK(weft__jar_parse(&jar, weft__buf_bytes(&buf), buf.len, NOW, &skipped));
    ASSERT_INT_EQ(skipped, 0);
    ASSERT_INT_EQ(jar.n, 3);
    ASSERT_STR_EQ(sent_at("www.example.com", "/p", true, NOW), "a=x\ty; b=1; empty=");
    ASSERT_STR_EQ(sent_at("x.example.com", "/p", true, NOW), "b=1");
    weft__buf_done(&buf);
    empty();
}

TEST(jar_skips_lines_that_are_no_cookies)
{
    static const char text[] = "# comment\r\n"
                               "\r\n"
                               "short\tTRUE\t/\n"
                               ".com\tTRUE\t/\tFALSE\t0\tsuffix\t1\n"
                               "h.example\tFALSE\trelative\tFALSE\t0\ta\t1\n"
                               "h.example\tFALSE\t/\tFALSE\tsoon\ta\t1\n"
                               "h.example\tFALSE\t/\tFALSE\t0\t\tnoname\n"
                               "h.example\tFALSE\t/\tFALSE\t0\t__Host-x\t1\n"
                               "h.example\tFALSE\t/\tFALSE\t1\told\t1\n"
                               "h.example\tFALSE\t/\tFALSE\t0\tnul\0l\t1\n"
                               "H.Example\tFALSE\t/\tFALSE\t99999999999999999999\thuge\t1\n"
                               "H.Example\tFALSE\t/\tFALSE\t0\tlast\t1";
    size_t skipped;
    ASSERT_OK(weft__jar_parse(&jar, text, sizeof text - 1, NOW, &skipped));
    ASSERT_INT_EQ(skipped, 8);
    ASSERT_STR_EQ(sent("h.example", "/"), "last=1");
    empty();
}

static int use_jar(void)
{
    struct weft__cookie_place place = place_of("h.example", "/", false);
    struct weft__buf buf;
    size_t skipped;
    weft__buf_init(&buf, SIZE_MAX);
    int err = weft__jar_receive(&jar, &place, "a=1", 3, NOW);
    if (err >= 0)
        err = weft__jar_header(&jar, &place, NOW, &buf);
    if (err >= 0)
        err = weft__jar_print(&jar, NOW, &buf);
    if (err >= 0)
        err = weft__jar_parse(&jar, "h.example\tFALSE\t/\tFALSE\t0\tb\t1", 29, NOW, &skipped);
    weft__buf_done(&buf);
    empty();
    return err;
}

TEST(jar_without_memory_is_enomem)
{
    uint64_t nth = 0;
    int err = -ENOMEM;
    while (err == -ENOMEM) {
        weft_testing_fail_alloc(++nth, false);
        err = use_jar();
        weft_testing_fail_alloc(0, false);
    }
    ASSERT_OK(err);
    ASSERT(nth > 5);
}
