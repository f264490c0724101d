/* URLs beyond the shared test data: what is shown, origins, appending, limits, memory. */
#include <errno.h>
#include <string.h>

#include <weft/http.h>
#include <weft/testing.h>

#include "base/limits.h"
#include "proto/url.h"
#include "test.h"

static weft_url *parse(const char *text)
{
    weft_url *url;
    ASSERT_OK(weft_url_parse(text, NULL, &url));
    return url;
}

TEST(url_parts_are_lent)
{
    weft_url *url = parse("  HTTPS://us%65r:p%40ss@EXAMPLE.com:0443/a/./b/../c?q=1&r#frag  ");
    ASSERT_STR_EQ(weft_url_href(url), "https://us%65r:p%40ss@example.com/a/c?q=1&r#frag");
    ASSERT_STR_EQ(weft_url_scheme(url), "https");
    ASSERT_STR_EQ(weft_url_username(url), "us%65r");
    ASSERT_STR_EQ(weft_url_password(url), "p%40ss");
    ASSERT_STR_EQ(weft_url_host(url), "example.com");
    ASSERT_INT_EQ(weft_url_port(url), 443);
    ASSERT(!weft_url_has_port(url));
    ASSERT_STR_EQ(weft_url_path(url), "/a/c");
    ASSERT_STR_EQ(weft_url_query(url), "q=1&r");
    ASSERT_STR_EQ(weft_url_fragment(url), "frag");
    ASSERT_STR_EQ(weft_url_target(url), "/a/c?q=1&r");
    ASSERT_STR_EQ(weft_url_authority(url), "example.com");
    weft_url_free(url);
    weft_url_free(NULL);
}

TEST(url_without_parts_lends_empty_or_null)
{
    weft_url *url = parse("http://[::1]:8080");
    ASSERT_STR_EQ(weft_url_host(url), "[::1]");
    ASSERT_STR_EQ(weft_url_authority(url), "[::1]:8080");
    ASSERT_INT_EQ(weft_url_port(url), 8080);
    ASSERT(weft_url_has_port(url));
    ASSERT_STR_EQ(weft_url_username(url), "");
    ASSERT_STR_EQ(weft_url_password(url), "");
    ASSERT_STR_EQ(weft_url_target(url), "/");
    ASSERT(weft_url_query(url) == NULL);
    ASSERT(weft_url_fragment(url) == NULL);
    weft_url_free(url);
    url = parse("mailto:a@b");
    ASSERT_STR_EQ(weft_url_host(url), "");
    ASSERT_INT_EQ(weft_url_port(url), 0);
    weft_url_free(url);
    url = parse("foo://h?#");
    ASSERT_STR_EQ(weft_url_query(url), "");
    ASSERT_STR_EQ(weft_url_fragment(url), "");
    ASSERT_STR_EQ(weft_url_target(url), "/?");
    weft_url_free(url);
}

TEST(url_password_is_masked_in_redacted)
{
    static const struct {
        const char *input;
        const char *redacted;
    } rows[] = {
        {"http://user:secret@h/p?q#f", "http://user:[secure]@h/p?q#f"},
        {"http://:secret@h/", "http://:[secure]@h/"},
        {"http://user@h/", "http://user@h/"},
        {"http://user:@h/", "http://user@h/"},
        {"http://u:a@b:c@h:81/", "http://u:[secure]@h:81/"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        weft_url *url = parse(rows[i].input);
        ASSERT_STR_EQ(weft_url_redacted(url), rows[i].redacted);
        weft_url_free(url);
    }
}

TEST(url_invalid_is_named_without_its_password)
{
    static const struct {
        const char *input;
        const char *message;
    } rows[] = {
        {"http://user:secret@h:port/",
         "invalid URL \"http://[secure]@h:port/\": the port is not a number"},
        {"http://user:se/cret@h o/", "invalid URL \"http://[secure]@h o/\": "
                                     "the port is not a number"},
        {"http://h:65536/", "invalid URL \"http://h:65536/\": the port is above 65535"},
        {"http://a b/", "invalid URL \"http://a b/\": "
                        "the host has a character that no domain may have"},
        {"http://1.2.3.4.5/", "invalid URL \"http://1.2.3.4.5/\": "
                              "the host is not a valid IPv4 address"},
        {"http://[::1/", "invalid URL \"http://[::1/\": the host is not a valid IPv6 address"},
        {"http://a%zz/", "invalid URL \"http://a%zz/\": "
                         "the host has a character that no domain may have"},
        {"http://\xff/", "invalid URL \"http://?/\": the host is not a valid domain name"},
        {"http://", "invalid URL \"http://\": no host"},
        {"http://user@/x", "invalid URL \"http://[secure]@/x\": no host"},
        {"foo://a^b/",
         "invalid URL \"foo://a^b/\": the host has a character that no host may have"},
        {"example.com/a", "invalid URL \"example.com/a\": no scheme, as in \"https://\""},
        {"", "invalid URL \"\": no scheme, as in \"https://\""},
        {"/\x1b[31m", "invalid URL \"/?[31m\": no scheme, as in \"https://\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        weft_url *url = NULL;
        ASSERT_ERR(weft_url_parse(rows[i].input, NULL, &url), WEFT_EINVALID_URL);
        ASSERT_STR_EQ(weft_error_message(), rows[i].message);
        ASSERT(url == NULL);
    }
}

TEST(url_same_origin_compares_scheme_host_and_effective_port)
{
    static const struct {
        const char *a;
        const char *b;
        bool same;
    } rows[] = {
        {"http://a/x", "http://A:80/y?z", true},   {"https://a", "https://a:443", true},
        {"http://a", "https://a", false},          {"http://a", "http://b", false},
        {"http://a", "http://a:81", false},        {"http://a", "http://a.", false},
        {"http://u:p@a", "http://a", true},        {"http://127.1", "http://0x7f.1", true},
        {"http://[::1]", "http://[0:0::1]", true}, {"file:///a", "file:///a", false},
        {"mailto:a", "mailto:a", false},           {"http://a.b", "http://x.a.b", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        weft_url *a = parse(rows[i].a);
        weft_url *b = parse(rows[i].b);
        if (weft_url_same_origin(a, b) != rows[i].same)
            FAIL("%s and %s", rows[i].a, rows[i].b);
        ASSERT_INT_EQ(weft_url_same_origin(b, a), rows[i].same);
        weft_url_free(a);
        weft_url_free(b);
    }
}

TEST(url_params_are_appended_to_the_query)
{
    static const struct {
        const char *url;
        weft_pair params[3];
        const char *expected;
    } rows[] = {
        {"http://h", {{"a", "b"}}, "http://h/?a=b"},
        {"http://h/p?x=y#f", {{"a", "b"}, {"a", "c"}}, "http://h/p?x=y&a=b&a=c#f"},
        {"http://h/?", {{"a", "b"}}, "http://h/?a=b"},
        {"http://h/?#f", {{"a", "b"}}, "http://h/?a=b#f"},
        {"http://h/?x&", {{"a", "b"}}, "http://h/?x&&a=b"},
        {"http://h/?x", {{0}}, "http://h/?x"},
        {"http://h/?", {{0}}, "http://h/?"},
        {"http://h/", {{"a b", "c+d&e=f/g?h~i*j"}}, "http://h/?a+b=c%2Bd%26e%3Df%2Fg%3Fh%7Ei*j"},
        {"http://h/", {{"\xc3\xa9", "\xe2\x82\xac'"}}, "http://h/?%C3%A9=%E2%82%AC%27"},
        {"http://h/", {{"a", ""}, {"b", NULL}}, "http://h/?a=&b="},
        {"http://u:p@h:81/?q=%20", {{"a", "%"}}, "http://u:p@h:81/?q=%20&a=%25"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        weft_url *url = parse(rows[i].url);
        weft_url *result;
        ASSERT_OK(weft_url_append_params(url, rows[i].params, &result));
        ASSERT_STR_EQ(weft_url_href(result), rows[i].expected);
        weft_url_free(result);
        weft_url_free(url);
    }
}

TEST(url_append_path_follows_the_base)
{
    static const struct {
        const char *base;
        const char *relative;
        const char *expected;
    } rows[] = {
        {"http://h/api", "users", "http://h/api/users"},
        {"http://h/api", "/users", "http://h/api/users"},
        {"http://h/api/", "/users", "http://h/api/users"},
        {"http://h", "/users", "http://h/users"},
        {"http://h", "", "http://h/"},
        {"http://h/api", "", "http://h/api"},
        {"http://h/api", "/", "http://h/api/"},
        {"http://h/api", "?a=b", "http://h/api?a=b"},
        {"http://h/api", "x?a=b#c", "http://h/api/x?a=b#c"},
        /* httpx makes ".../api?k=1/" of this (#3614). */
        {"http://h/api?k=1", "/x", "http://h/api/x?k=1"},
        {"http://h/api?k=1#f", "/x?a=b", "http://h/api/x?k=1&a=b"},
        {"http://h/api", "//x", "http://h/api//x"},
        {"http://h/api", "../x", "http://h/x"},
        {"http://h/api", " /x ", "http://h/api/x"},
        {"http://h/api", "#f", "http://h/api#f"},
        {"http://h/api", "a:b", "http://h/api/a:b"},
        {"http://h/api", "/x?u=http://y/", "http://h/api/x?u=http://y/"},
        {"http://h/api", "http://other/x", "http://other/x"},
        {"http://h/api", "HTTPS://other/x", "https://other/x"},
        {"http://h/api", "https:other/x", "https://other/x"},
        {"http://h/api", "%2e%2e/x%2Fy", "http://h/x%2Fy"},
        {"http://u:p@h/api", "/x", "http://u:p@h/api/x"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        weft_url *base = parse(rows[i].base);
        weft_url *result;
        ASSERT_OK(weft__url_append_path(base, rows[i].relative, &result));
        ASSERT_STR_EQ(weft_url_href(result), rows[i].expected);
        weft_url_free(result);
        weft_url_free(base);
    }
}

TEST(url_append_path_to_an_opaque_path_is_refused)
{
    weft_url *base = parse("mailto:a");
    weft_url *result;
    ASSERT_ERR(weft__url_append_path(base, "x", &result), WEFT_EINVALID_URL);
    weft_url_free(base);
}

TEST(url_at_its_limit_is_accepted_and_beyond_refused)
{
    static char text[WEFT__LIMIT_URL + 2];
    weft_url *url;
    weft_url *longer;
    memset(text, 'a', WEFT__LIMIT_URL);
    memcpy(text, "http://h/", 9);
    ASSERT_OK(weft_url_parse(text, NULL, &url));
    ASSERT_INT_EQ(strlen(weft_url_href(url)), WEFT__LIMIT_URL);
    ASSERT_ERR(weft_url_append_params(url, (weft_pair[]){{"a", "b"}, {0}}, &longer),
               WEFT_EINVALID_URL);
    ASSERT_ERR(weft__url_append_path(url, "x", &longer), WEFT_EINVALID_URL);
    weft_url_free(url);
    text[WEFT__LIMIT_URL] = 'a';
    ASSERT_ERR(weft_url_parse(text, NULL, &url), WEFT_EINVALID_URL);
    ASSERT_STR_EQ(weft_error_message(), "the URL is longer than 65536 bytes");
    /* What is encoded becomes longer. */
    memset(text + 9, '<', WEFT__LIMIT_URL - 9);
    text[WEFT__LIMIT_URL] = '\0';
    ASSERT_ERR(weft_url_parse(text, NULL, &url), WEFT_EINVALID_URL);
    memset(text + 9, '<', 30000);
    text[30009] = '\0';
    ASSERT_ERR(weft_url_parse(text, NULL, &url), WEFT_EINVALID_URL);
    ASSERT_STR_EQ(weft_error_message(), "the URL is longer than 65536 bytes");
}

static int all_calls(void)
{
    weft_url *base = NULL;
    weft_url *url = NULL;
    weft_url *result = NULL;
    int err = weft_url_parse("http://u:p@b\xc3\xbc"
                             "cher.de:81/a/../b c?d e#f",
                             NULL, &base);
    if (err == 0)
        err = weft_url_join(base, "../x/y?z", &url);
    if (err == 0)
        err = weft_url_append_params(url, (weft_pair[]){{"a b", "c"}, {0}}, &result);
    weft_url_free(url);
    weft_url_free(result);
    url = NULL;
    if (err == 0)
        err = weft__url_append_path(base, "/x?y#z", &url);
    weft_url_free(url);
    weft_url_free(base);
    return err;
}

TEST(url_without_memory_says_so_at_each_allocation)
{
    weft_testing_fail_alloc(0, false);
    ASSERT_OK(all_calls());
    uint64_t count = weft_testing_alloc_count();
    ASSERT_INT_GT(count, 8);
    for (uint64_t nth = 1; nth <= count; nth++) {
        for (int later = 0; later < 2; later++) {
            weft_testing_fail_alloc(nth, later != 0);
            int err = all_calls();
            weft_testing_fail_alloc(0, false);
            ASSERT_INT_EQ(err, -ENOMEM);
        }
    }
}

TEST(url_shown_hides_userinfo_and_control_characters)
{
    static const struct {
        const char *text;
        const char *shown;
    } rows[] = {
        {"http://u:p@h/\n", "http://[secure]@h/?"},
        {"u:p@h", "[secure]@h"},
        {"http://h/a", "http://h/a"},
        {"http://u:p@q@h", "http://[secure]@h"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char shown[WEFT__URL_SHOWN];
        weft__url_show(rows[i].text, shown);
        ASSERT_STR_EQ(shown, rows[i].shown);
    }
}
