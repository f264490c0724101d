/* NO_PROXY, patterns of mounts, SOCKS messages. */
#include <errno.h>
#include <string.h>

#include "proto/proxy_env.h"
#include "proto/socks.h"
#include "test.h"

struct no_proxy_case {
    const char *list;
    const char *host;
    int port;
    bool matches;
};

static void check(const struct no_proxy_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool got = weft__no_proxy_matches(cases[i].list, "http", cases[i].host, cases[i].port);
        if (got != cases[i].matches)
            FAIL("\"%s\" for %s:%d: %d", cases[i].list, cases[i].host, cases[i].port, got);
    }
}

#define CHECK(...)                                                                                 \
    check((const struct no_proxy_case[]){__VA_ARGS__},                                             \
          sizeof((const struct no_proxy_case[]){__VA_ARGS__}) / sizeof(struct no_proxy_case))

TEST(no_proxy_name_matches_itself_and_below_on_label_boundaries)
{
    CHECK({"example.com", "example.com", 80, true}, {"example.com", "www.example.com", 80, true},
          {"example.com", "notexample.com", 80, false},
          {"example.com", "example.com.evil", 80, false}, {"EXAMPLE.com", "example.com", 80, true},
          {"", "example.com", 80, false}, {" , ,", "example.com", 80, false},
          {"a, b ,example.com", "example.com", 80, true},
          {"a b example.com", "example.com", 80, true});
}

TEST(no_proxy_leading_dot_matches_only_below)
{
    CHECK({".example.com", "www.example.com", 80, true}, {".example.com", "example.com", 80, false},
          {"*.example.com", "a.b.example.com", 80, true},
          {"*.example.com", "example.com", 80, false}, {".", "example.com", 80, false});
}

TEST(no_proxy_star_is_everything)
{
    CHECK({"*", "example.com", 80, true}, {"a,*", "example.com", 443, true},
          {"*", "[::1]", 80, true}, {"*:8080", "example.com", 80, false});
}

TEST(no_proxy_port_is_honoured_in_every_form)
{
    CHECK({"example.com:8080", "example.com", 8080, true},
          {"example.com:8080", "example.com", 80, false},
          {"127.0.0.1:8080", "127.0.0.1", 8080, true}, {"127.0.0.1:8080", "127.0.0.1", 80, false},
          {"[::1]:8080", "[::1]", 8080, true}, {"[::1]:8080", "[::1]", 80, false},
          {"http://example.com:8080", "example.com", 8080, true},
          {"https://example.com", "example.com", 80, false},
          {"all://example.com", "example.com", 80, true});
}

TEST(no_proxy_trailing_dot_makes_no_difference)
{
    CHECK({"example.com.", "example.com", 80, true}, {"example.com", "example.com.", 80, true},
          {"example.com", "www.example.com.", 80, true});
}

TEST(no_proxy_ipv6_with_and_without_brackets_in_any_spelling)
{
    CHECK({"::1", "[::1]", 80, true}, {"[::1]", "[::1]", 80, true},
          {"0:0:0:0:0:0:0:1", "[::1]", 80, true}, {"::2", "[::1]", 80, false},
          {"localhost", "localhost", 80, true}, {"localhost", "127.0.0.1", 80, false},
          {"127.0.0.1", "127.0.0.1", 80, true}, {"27.0.0.1", "127.0.0.1", 80, false});
}

TEST(no_proxy_cidr_matches_networks_of_both_families)
{
    CHECK({"10.0.0.0/8", "10.200.3.4", 80, true}, {"10.0.0.0/8", "11.0.0.1", 80, false},
          {"192.168.1.128/25", "192.168.1.129", 80, true},
          {"192.168.1.128/25", "192.168.1.127", 80, false}, {"0.0.0.0/0", "1.2.3.4", 80, true},
          {"10.0.0.1/32", "10.0.0.1", 80, true}, {"10.0.0.0/33", "10.0.0.0", 80, false},
          {"10.0.0.0/", "10.0.0.0", 80, false}, {"10.0.0.0/8", "10.example", 80, false},
          {"fd00::/8", "[fd12::1]", 80, true}, {"fd00::/8", "[fe80::1]", 80, false},
          {"2001:db8::/33", "[2001:db8:7fff::1]", 80, true},
          {"2001:db8::/33", "[2001:db8:8000::1]", 80, false},
          {"10.0.0.0/8", "[::ffff:a00:1]", 80, false});
}

struct pattern_case {
    const char *pattern;
    const char *scheme;
    const char *host;
    int port;
    bool matches;
};

TEST(pattern_matches_as_httpx_says)
{
    static const struct pattern_case cases[] = {
        {"http://example.com", "http", "example.com", 80, true},
        {"http://example.com", "https", "example.com", 443, false},
        {"http://example.com", "http", "other.com", 80, false},
        {"http://example.com:123", "http", "example.com", 123, true},
        {"http://example.com:123", "http", "example.com", 456, false},
        {"http://example.com:123", "http", "example.com", 80, false},
        {"all://example.com", "https", "example.com", 443, true},
        {"http://", "http", "example.com", 80, true},
        {"http://", "https", "example.com", 443, false},
        {"all://", "https", "example.com:123", 123, true},
        {"all://*", "http", "x", 80, true},
        {"all://*.example.com", "http", "www.example.com", 80, true},
        {"all://*.example.com", "http", "example.com", 80, false},
        {"all://*example.com", "http", "example.com", 80, true},
        {"all://*example.com", "http", "www.example.com", 80, true},
        {"all://*example.com", "http", "wwwexample.com", 80, false},
        {"all://*:8080", "http", "wwwexample.com", 8080, true},
        {"http://[::1]:80", "http", "[::1]", 80, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct weft__pattern pattern;
        ASSERT_INT_EQ(weft__pattern_parse(cases[i].pattern, &pattern), 0);
        if (weft__pattern_matches(&pattern, cases[i].scheme, cases[i].host, cases[i].port) !=
            cases[i].matches)
            FAIL("%s for %s://%s:%d", cases[i].pattern, cases[i].scheme, cases[i].host,
                 cases[i].port);
    }
}

TEST(pattern_that_is_none_is_refused)
{
    static const char *const bad[] = {"example.com", "://x",       "http",       "http://a/b",
                                      "http://u@h",  "http://a*b", "http://::1", ""};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct weft__pattern pattern;
        if (weft__pattern_parse(bad[i], &pattern) != -EINVAL)
            FAIL("%s was taken", bad[i]);
    }
}

TEST(patterns_are_ordered_by_port_host_and_scheme)
{
    static const char *const order[] = {"all://example.com:123",
                                        "http://www.example.com",
                                        "all://www.example.com",
                                        "http://example.com",
                                        "all://*.example.com",
                                        "http://",
                                        "all://"};
    enum { N = sizeof order / sizeof order[0] };
    for (size_t i = 0; i + 1 < N; i++) {
        struct weft__pattern a;
        struct weft__pattern b;
        ASSERT_INT_EQ(weft__pattern_parse(order[i], &a), 0);
        ASSERT_INT_EQ(weft__pattern_parse(order[i + 1], &b), 0);
        if (weft__pattern_compare(&a, &b) >= 0 || weft__pattern_compare(&b, &a) <= 0)
            FAIL("%s before %s", order[i], order[i + 1]);
    }
}

TEST(socks_messages_are_those_of_the_protocol)
{
    uint8_t out[WEFT__SOCKS_MAX];
    ASSERT_INT_EQ(weft__socks5_greeting(false, out), 3);
    ASSERT_MEM_EQ(out, "\x05\x01\x00", 3);
    ASSERT_INT_EQ(weft__socks5_greeting(true, out), 4);
    ASSERT_MEM_EQ(out, "\x05\x02\x00\x02", 4);
    ASSERT_INT_EQ(weft__socks5_password("kim", "pw", out), 8);
    ASSERT_MEM_EQ(out, "\x01\x03kim\x02pw", 8);
    ASSERT_INT_EQ(weft__socks5_request("a.example", 443, out), 16);
    ASSERT_MEM_EQ(out,
                  "\x05\x01\x00\x03\x09"
                  "a.example"
                  "\x01\xbb",
                  16);
    ASSERT_INT_EQ(weft__socks5_request("192.0.2.1", 80, out), 10);
    ASSERT_MEM_EQ(out, "\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x50", 10);
    ASSERT_INT_EQ(weft__socks5_request("[2001:db8::1]", 80, out), 22);
    ASSERT_MEM_EQ(out, "\x05\x01\x00\x04\x20\x01\x0d\xb8", 8);
    ASSERT_INT_EQ(weft__socks4_request("a.example", 80, "kim", out), 22);
    ASSERT_MEM_EQ(out, "\x04\x01\x00\x50\x00\x00\x00\x01kim\0a.example\0", 22);
    ASSERT_INT_EQ(weft__socks4_request("192.0.2.1", 80, NULL, out), 9);
    ASSERT_MEM_EQ(out, "\x04\x01\x00\x50\xc0\x00\x02\x01\0", 9);
}

TEST(socks_texts_beyond_255_bytes_are_refused)
{
    uint8_t out[WEFT__SOCKS_MAX];
    char text[257];
    memset(text, 'a', 256);
    text[256] = '\0';
    ASSERT_ERR(weft__socks5_request(text, 80, out), -EINVAL);
    ASSERT_ERR(weft__socks5_password(text, "x", out), -EINVAL);
    ASSERT_ERR(weft__socks5_password("x", text, out), -EINVAL);
    ASSERT_ERR(weft__socks4_request(text, 80, "x", out), -EINVAL);
    ASSERT_ERR(weft__socks4_request("x", 80, text, out), -EINVAL);
    ASSERT_ERR(weft__socks4_request("::1", 80, "x", out), -EINVAL);
    text[255] = '\0';
    ASSERT_INT_EQ(weft__socks5_request(text, 80, out), 262);
    ASSERT_INT_EQ(weft__socks5_password(text, text, out), 513);
}

TEST(socks5_replies_say_how_long_they_are)
{
    ASSERT_INT_EQ(weft__socks5_reply_rest((const uint8_t[]){5, 0, 0, 1, 9}), 5);
    ASSERT_INT_EQ(weft__socks5_reply_rest((const uint8_t[]){5, 0, 0, 4, 9}), 17);
    ASSERT_INT_EQ(weft__socks5_reply_rest((const uint8_t[]){5, 0, 0, 3, 255}), 257);
    ASSERT_INT_EQ(weft__socks5_reply_rest((const uint8_t[]){5, 0, 0, 2, 9}), -1);
    ASSERT_INT_EQ(weft__socks5_reply_rest((const uint8_t[]){4, 0, 0, 1, 9}), -1);
    ASSERT_STR_EQ(weft__socks5_text(5), "connection refused");
    ASSERT_STR_EQ(weft__socks5_text(200), "unknown reply");
    ASSERT_STR_EQ(weft__socks4_text(91), "request rejected or failed");
    ASSERT_STR_EQ(weft__socks4_text(92), "it could not ask who we are");
    ASSERT_STR_EQ(weft__socks4_text(93), "user name refused");
    ASSERT_STR_EQ(weft__socks4_text(0), "unknown reply");
}
