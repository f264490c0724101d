/*
 * test_parse.c - the small languages of the command line.
 */
#include "cli/cli.h"
#include "test.h"

#include <stdlib.h>
#include <string.h>

TEST(count_takes_what_is_between_its_limits)
{
    int64_t n = -7;
    ASSERT(parse_count("1", 1, 10, &n) && n == 1);
    ASSERT(parse_count("10", 1, 10, &n) && n == 10);
    ASSERT(parse_count("9223372036854775807", 0, INT64_MAX, &n) && n == INT64_MAX);
    n = -7;
    ASSERT(!parse_count("11", 1, 10, &n));
    ASSERT(!parse_count("0", 1, 10, &n));
    ASSERT(!parse_count("", 0, 10, &n));
    ASSERT(!parse_count("-1", 0, 10, &n));
    ASSERT(!parse_count("1x", 0, 10, &n));
    ASSERT(!parse_count(" 1", 0, 10, &n));
    ASSERT(!parse_count("9223372036854775808", 0, INT64_MAX, &n));
    ASSERT_INT_EQ(n, -7);
}

TEST(duration_knows_units_and_fractions)
{
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {{"2", WEFT_SEC(2)},       {"2s", WEFT_SEC(2)},     {"0.5", WEFT_MS(500)},
                {".5", WEFT_MS(500)},     {"500ms", WEFT_MS(500)}, {"1m", WEFT_SEC(60)},
                {"1.5min", WEFT_SEC(90)}, {"1h", WEFT_SEC(3600)},  {"10us", WEFT_US(10)},
                {"5.", WEFT_SEC(5)}};
    static const char *const bad[] = {"",   "0",  "0s",  "-1", "1d",       "1 s",
                                      "ms", ".s", "1e3", "x",  "1000001h", "inf"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        int64_t ns = 0;
        if (!parse_duration(good[i].text, &ns) || ns != good[i].ns)
            FAIL("'%s' gave %lld", good[i].text, (long long)ns);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t ns = -7;
        if (parse_duration(bad[i], &ns) || ns != -7)
            FAIL("'%s' was taken", bad[i]);
    }
}

TEST(rate_knows_seconds_minutes_hours)
{
    struct rate rate = {0};
    ASSERT(parse_rate("50", &rate) && rate.permits == 50 && rate.period == WEFT_SEC(1));
    ASSERT(parse_rate("5/s", &rate) && rate.permits == 5 && rate.period == WEFT_SEC(1));
    ASSERT(parse_rate("100/m", &rate) && rate.permits == 100 && rate.period == WEFT_SEC(60));
    ASSERT(parse_rate("9/h", &rate) && rate.permits == 9 && rate.period == WEFT_SEC(3600));
    static const char *const bad[] = {"", "0", "5/", "5/2s", "5/d", "x", "-5", "5 /s"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (parse_rate(bad[i], &rate))
            FAIL("'%s' was taken", bad[i]);
    }
}

TEST(pair_splits_at_the_first_separator)
{
    weft_pair pair;
    ASSERT_OK(parse_pair("Accept:  text/html; q=1:2", ':', &pair));
    ASSERT_STR_EQ(pair.name, "Accept");
    ASSERT_STR_EQ(pair.value, "text/html; q=1:2");
    free((char *)pair.name);
    ASSERT_OK(parse_pair("a= b=c", '=', &pair));
    ASSERT_STR_EQ(pair.name, "a");
    ASSERT_STR_EQ(pair.value, " b=c");
    free((char *)pair.name);
    ASSERT_ERR(parse_pair("no separator", ':', &pair), -EINVAL);
    ASSERT_ERR(parse_pair(": value", ':', &pair), -EINVAL);
}

TEST(url_without_scheme_is_https_unless_local)
{
    static const char *const cases[][2] = {
        {"example.com", "https://example.com"},
        {"example.com:8080/a", "https://example.com:8080/a"},
        {"http://example.com", "http://example.com"},
        {"HTTPS://example.com", "HTTPS://example.com"},
        {"ftp://example.com", "ftp://example.com"},
        {"localhost", "http://localhost"},
        {"LOCALHOST:3000/x", "http://LOCALHOST:3000/x"},
        {"localhost.example.com", "https://localhost.example.com"},
        {"localhost?a=1", "http://localhost?a=1"},
        {"127.0.0.1/x", "http://127.0.0.1/x"},
        {"127.1:80", "http://127.1:80"},
        {"127.0.0.1.example.com", "https://127.0.0.1.example.com"},
        {"[::1]:8000/", "http://[::1]:8000/"},
        {"[::2]/", "https://[::2]/"},
        {"kim:pw@localhost/", "http://kim:pw@localhost/"},
        {"localhost@example.com/", "https://localhost@example.com/"},
        {":8000/users", "http://localhost:8000/users"},
        {":/users", "http://localhost/users"},
        {"example.com/?next=http://x/", "https://example.com/?next=http://x/"},
        {"ht!tp://x", "ht!tp://x"},
        {"1http://x/y", "1http://x/y"},
        {"http:/x", "http:/x"},
        {"HTTPS:/x/y", "HTTPS:/x/y"},
        {"http:8080", "https://http:8080"},
        {"://example.com/", "https://example.com/"},
        {"://localhost/", "http://localhost/"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *url;
        ASSERT_OK(complete_url(cases[i][0], &url));
        ASSERT_STR_EQ(url, cases[i][1]);
        free(url);
    }
}

static struct list_line line_of(const char *text)
{
    static char copy[256];
    struct list_line line;
    snprintf(copy, sizeof copy, "%s", text);
    parse_list_line(copy, &line);
    return line;
}

TEST(list_line_comments_blanks_and_line_ends_are_dropped)
{
    ASSERT(!line_of("").url);
    ASSERT(!line_of(" \t\r\n").url);
    ASSERT(!line_of("# http://h/\n").url);
    ASSERT_STR_EQ(line_of("http://h/\r\n").url, "http://h/");
    ASSERT_STR_EQ(line_of("  http://h/#part \n").url, "http://h/#part");
    ASSERT(!line_of("http://h/").out);
    ASSERT(!line_of("http://h/").problem);
}

TEST(list_line_takes_a_name)
{
    struct list_line line = line_of("http://h/a\tout=b c.json\r\n");
    ASSERT_STR_EQ(line.url, "http://h/a");
    ASSERT_STR_EQ(line.out, "b c.json");
    ASSERT(!line.problem);
}

TEST(list_line_mistakes_are_told)
{
    ASSERT_STR_EQ(line_of("http://h/ out=x").problem,
                  "a URL has no blanks (out=NAME stands after a tab)");
    ASSERT_STR_EQ(line_of("http://h/\tsize=3").problem, "after the URL only out=NAME may stand");
    ASSERT_STR_EQ(line_of("http://h/\tout=../x").problem, "out= wants a plain file name");
    ASSERT_STR_EQ(line_of("http://h/\tout=").problem, "out= wants a plain file name");
    ASSERT_STR_EQ(line_of("http://h/\tout=.rc").problem, "out= wants a plain file name");
}

TEST(file_name_of_url_is_harmless)
{
    static const char *const cases[][2] = {
        {"/a/users.json", "users.json"},
        {"/", "index"},
        {"", "index"},
        {"/a/b/", "b"},
        {"/..", "_."},
        {"/.bashrc", "_bashrc"},
        {"/-rf", "_rf"},
        {"/a%2Fb", "a_b"},
        {"/%2e%2e", "_."},
        {"/a%00b", "a_b"},
        {"/a%0ab%1b", "a_b_"},
        {"/a%zz", "a_zz"},
        {"/K%c3%a4se.txt", "K__se.txt"},
        {"/x?y=/z", "x"},
        {"/a b\\c", "a_b_c"},
        {"/v1.2~x@3", "v1.2~x@3"},
    };
    char name[FILE_NAME_MAX];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        file_name_of_url(cases[i][0], name);
        ASSERT_STR_EQ(name, cases[i][1]);
        ASSERT(is_plain_file_name(name));
    }
}

TEST(file_name_is_cut_at_its_maximum)
{
    char path[1000];
    char name[FILE_NAME_MAX];
    memset(path, 'a', sizeof path - 1);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    file_name_of_url(path, name);
    ASSERT_INT_EQ(strlen(name), FILE_NAME_MAX - 1);
}

TEST(file_name_number_stands_before_the_ending)
{
    char name[FILE_NAME_MAX + 32];
    file_name_numbered("a.tar.gz", 7, name);
    ASSERT_STR_EQ(name, "a.tar-7.gz");
    file_name_numbered("users", 12, name);
    ASSERT_STR_EQ(name, "users-12");
    file_name_numbered("_rc", 1, name);
    ASSERT_STR_EQ(name, "_rc-1");
}
