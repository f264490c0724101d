/* The URL test data of the web platform tests: what parses, to what, and what must not. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include <weft/http.h>

#include "test.h"

struct count {
    int cases;
    int failures;
};

static const char *text(const json_t *row, const char *key)
{
    const char *value = json_string_value(json_object_get(row, key));
    return value != NULL ? value : "";
}

static json_t *load(const char *name)
{
    json_error_t error;
    json_t *rows = json_load_file(test_shared(name), JSON_ALLOW_NUL, &error);
    if (rows == NULL)
        FAIL("%s: %s", name, error.text);
    return rows;
}

/* A NUL in the data cannot reach a C string: those rows are left out. */
static bool has_nul(const json_t *row, const char *key)
{
    const json_t *value = json_object_get(row, key);
    return json_is_string(value) && strlen(json_string_value(value)) != json_string_length(value);
}

static void report(struct count *count, const json_t *row, const char *what, const char *actual,
                   const char *expected)
{
    count->failures++;
    printf("<%s> against <%s>: %s is <%s>, not <%s>\n", text(row, "input"), text(row, "base"), what,
           actual, expected);
}

static void compare(struct count *count, const json_t *row, const char *key, const char *actual)
{
    if (json_object_get(row, key) != NULL && strcmp(actual, text(row, key)) != 0)
        report(count, row, key, actual, text(row, key));
}

/* "?x" or "#x" of the data; nothing for null and for empty. */
static void compare_optional(struct count *count, const json_t *row, const char *key,
                             const char *actual)
{
    const char *expected = text(row, key);
    expected += expected[0] != '\0';
    if (strcmp(actual != NULL ? actual : "", expected) != 0)
        report(count, row, key, actual != NULL ? actual : "(none)", expected);
}

static void compare_url(struct count *count, const json_t *row, const weft_url *url)
{
    char port[8] = "";
    char scheme[64];
    if (weft_url_has_port(url))
        snprintf(port, sizeof port, "%d", weft_url_port(url));
    snprintf(scheme, sizeof scheme, "%s:", weft_url_scheme(url));
    compare(count, row, "href", weft_url_href(url));
    compare(count, row, "protocol", scheme);
    compare(count, row, "username", weft_url_username(url));
    compare(count, row, "password", weft_url_password(url));
    compare(count, row, "hostname", weft_url_host(url));
    compare(count, row, "host", weft_url_authority(url));
    compare(count, row, "port", port);
    compare(count, row, "pathname", weft_url_path(url));
    compare_optional(count, row, "search", weft_url_query(url));
    compare_optional(count, row, "hash", weft_url_fragment(url));
}

static void check_row(struct count *count, const json_t *row)
{
    weft_url *base = NULL;
    weft_url *url = NULL;
    weft_url *again = NULL;
    bool must_fail = json_is_true(json_object_get(row, "failure"));
    const char *base_text = json_string_value(json_object_get(row, "base"));
    int err = base_text != NULL ? weft_url_parse(base_text, NULL, &base) : 0;
    if (err == 0)
        err = weft_url_parse(text(row, "input"), base, &url);
    count->cases++;
    if (must_fail && err == 0)
        report(count, row, "href", weft_url_href(url), "failure");
    else if (!must_fail && err < 0)
        report(count, row, "href", weft_error_message(), text(row, "href"));
    else if (!must_fail)
        compare_url(count, row, url);
    if (err == 0 && weft_url_parse(weft_url_href(url), NULL, &again) < 0)
        report(count, row, "href parsed again", weft_error_message(), weft_url_href(url));
    else if (err == 0 && strcmp(weft_url_href(again), weft_url_href(url)) != 0)
        report(count, row, "href parsed again", weft_url_href(again), weft_url_href(url));
    weft_url_free(again);
    weft_url_free(url);
    weft_url_free(base);
}

static void check_file(const char *name, int least)
{
    struct count count = {0};
    json_t *rows = load(name);
    size_t index;
    json_t *row;
    json_array_foreach(rows, index, row)
    {
        if (json_is_object(row) && !has_nul(row, "input") && !has_nul(row, "base"))
            check_row(&count, row);
    }
    json_decref(rows);
    printf("%d of %d failed\n", count.failures, count.cases);
    ASSERT_INT_EQ(count.failures, 0);
    ASSERT_INT_GE(count.cases, least);
}

TEST(url_wpt_cases_agree)
{
    check_file("vectors/wpt-url/urltestdata.json", 870);
}

TEST(url_ada_cases_agree)
{
    check_file("vectors/wpt-url/ada_extra_urltestdata.json", 25);
}

/* The one row where the standards differ: to WHATWG "http:g" is relative to another http URL. */
TEST(url_rfc_3986_references_are_resolved)
{
    static const char *const groups[] = {"normal", "abnormal"};
    json_t *rows = load("vectors/rfc3986/reference-resolution.json");
    weft_url *base;
    ASSERT_OK(weft_url_parse(text(rows, "base"), NULL, &base));
    for (size_t i = 0; i < 2; i++) {
        size_t index;
        json_t *row;
        json_array_foreach(json_object_get(rows, groups[i]), index, row)
        {
            weft_url *target;
            weft_url *expected;
            if (strcmp(text(row, "ref"), "http:g") == 0)
                continue;
            ASSERT_OK(weft_url_join(base, text(row, "ref"), &target));
            ASSERT_OK(weft_url_parse(text(row, "target"), NULL, &expected));
            ASSERT_STR_EQ(weft_url_href(target), weft_url_href(expected));
            weft_url_free(expected);
            weft_url_free(target);
        }
    }
    weft_url_free(base);
    json_decref(rows);
}

/* Of the encodings only UTF-8 is ours: query and fragment are encoded alike. */
TEST(url_queries_and_fragments_are_percent_encoded)
{
    int n = 0;
    json_t *rows = load("vectors/wpt-url/percent-encoding.json");
    size_t index;
    json_t *row;
    json_array_foreach(rows, index, row)
    {
        char input[256];
        weft_url *url;
        if (!json_is_object(row) || has_nul(row, "input"))
            continue;
        const char *expected = text(json_object_get(row, "output"), "utf-8");
        snprintf(input, sizeof input, "https://example.org/?%s#%s", text(row, "input"),
                 text(row, "input"));
        ASSERT_OK(weft_url_parse(input, NULL, &url));
        ASSERT_STR_EQ(weft_url_query(url), expected);
        ASSERT_STR_EQ(weft_url_fragment(url), expected);
        weft_url_free(url);
        n++;
    }
    json_decref(rows);
    ASSERT_INT_GE(n, 5);
}

/* What libidn2 cannot: labels beyond ASCII with hyphens at an end, or longer than DNS has them. */
enum { IDNA_DIFFERENCES = 3 };

TEST(url_domains_become_ascii)
{
    struct count count = {0};
    json_t *rows = load("vectors/wpt-url/toascii.json");
    size_t index;
    json_t *row;
    json_array_foreach(rows, index, row)
    {
        char input[2048];
        weft_url *url = NULL;
        if (!json_is_object(row) || has_nul(row, "input"))
            continue;
        snprintf(input, sizeof input, "http://%s/", text(row, "input"));
        int err = weft_url_parse(input, NULL, &url);
        const char *host = err == 0 ? weft_url_host(url) : "";
        count.cases++;
        if (strcmp(host, text(row, "output")) != 0)
            report(&count, row, "host", host, text(row, "output"));
        weft_url_free(url);
    }
    json_decref(rows);
    printf("%d of %d failed\n", count.failures, count.cases);
    ASSERT_INT_LE(count.failures, IDNA_DIFFERENCES);
}
