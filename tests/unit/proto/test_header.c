#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <weft/http.h>
#include <weft/testing.h>

#include "base/limits.h"
#include "proto/header.h"
#include "test.h"

static weft_headers *make(const weft_pair *pairs)
{
    weft_headers *headers;
    ASSERT_OK(weft_headers_new(&headers));
    for (; pairs->name != NULL; pairs++)
        ASSERT_OK(weft_headers_add(headers, pairs->name, pairs->value));
    return headers;
}

/* "Name=value;" of all. */
static const char *all(const weft_headers *headers)
{
    static char text[1024];
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < weft_headers_count(headers); i++) {
        weft_pair pair = weft_headers_at(headers, i);
        used += (size_t)snprintf(text + used, sizeof text - used, "%s=%s;", pair.name, pair.value);
    }
    return text;
}

TEST(headers_keep_order_case_and_repeats)
{
    weft_headers *headers =
        make((weft_pair[]){{"Set-Cookie", "a"}, {"X-Y", "1"}, {"set-cookie", "b"}, {0}});
    ASSERT_STR_EQ(all(headers), "Set-Cookie=a;X-Y=1;set-cookie=b;");
    ASSERT_STR_EQ(weft_headers_get(headers, "SET-COOKIE"), "a");
    ASSERT_STR_EQ(weft_headers_get_nth(headers, "set-cookie", 1), "b");
    ASSERT(weft_headers_get_nth(headers, "set-cookie", 2) == NULL);
    ASSERT(weft_headers_get(headers, "Set-Cooki") == NULL);
    ASSERT(weft_headers_at(headers, 3).name == NULL);
    weft_headers_free(headers);
    weft_headers_free(NULL);
}

TEST(headers_set_keeps_the_first_place_and_drops_the_rest)
{
    weft_headers *headers =
        make((weft_pair[]){{"A", "1"}, {"B", "2"}, {"a", "3"}, {"C", "4"}, {0}});
    ASSERT_OK(weft_headers_set(headers, "a", "new"));
    ASSERT_STR_EQ(all(headers), "a=new;B=2;C=4;");
    ASSERT_OK(weft_headers_set(headers, "D", "5"));
    ASSERT_STR_EQ(all(headers), "a=new;B=2;C=4;D=5;");
    ASSERT_OK(weft_headers_set(headers, "d", ""));
    ASSERT_STR_EQ(all(headers), "a=new;B=2;C=4;d=;");
    weft_headers_free(headers);
}

TEST(headers_remove_counts_what_is_gone)
{
    weft_headers *headers = make((weft_pair[]){{"A", "1"}, {"B", "2"}, {"a", "3"}, {0}});
    ASSERT_INT_EQ(weft_headers_remove(headers, "A"), 2);
    ASSERT_INT_EQ(weft_headers_remove(headers, "A"), 0);
    ASSERT_STR_EQ(all(headers), "B=2;");
    weft_headers_free(headers);
}

TEST(headers_values_are_trimmed)
{
    weft_headers *headers = make((weft_pair[]){{"A", " \t x y\tz \t "}, {"B", " "}, {0}});
    ASSERT_STR_EQ(all(headers), "A=x y\tz;B=;");
    weft_headers_free(headers);
}

TEST(headers_that_would_break_a_message_are_refused)
{
    static const struct {
        const char *name;
        const char *value;
        const char *message;
    } rows[] = {
        {"", "x", "a header field has an empty name"},
        {NULL, "x", "a header field has an empty name"},
        {"A B", "x", "header field name \"A\": byte 0x20 is not allowed after it"},
        {"A:", "x", "header field name \"A\": byte 0x3a is not allowed after it"},
        {"A\r\nB", "x", "header field name \"A\": byte 0x0d is not allowed after it"},
        {"\xc3\xa9", "x", "header field name \"\": byte 0xc3 is not allowed after it"},
        {"Authorization: Bearer s3cret", "x",
         "header field name \"Authorization\": byte 0x3a is not allowed after it"},
        {"A", "b\r\nC: d", "header field \"A\": its value has the control character 0x0d"},
        {"A", "b\nC: d", "header field \"A\": its value has the control character 0x0a"},
        {"A", "\x01", "header field \"A\": its value has the control character 0x01"},
        {"A", "\x7f", "header field \"A\": its value has the control character 0x7f"},
        {"Authorization", "s3cret\r\n",
         "header field \"Authorization\": its value has the control character 0x0d"},
        {"A", "x\r\n", "header field \"A\": its value has the control character 0x0d"},
    };
    weft_headers *headers = make((weft_pair[]){{0}});
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ASSERT_ERR(weft_headers_add(headers, rows[i].name, rows[i].value), WEFT_ELOCAL_PROTOCOL);
        ASSERT_STR_EQ(weft_error_message(), rows[i].message);
        ASSERT_ERR(weft_headers_set(headers, rows[i].name, rows[i].value), WEFT_ELOCAL_PROTOCOL);
    }
    ASSERT_ERR(weft_headers_add(headers, "A", NULL), -EINVAL);
    ASSERT_INT_EQ(weft_headers_count(headers), 0);
    ASSERT_OK(weft_headers_add(headers, "!#$%&'*+-.^_`|~09azAZ", "\xc3\xa9\x80\xff"));
    weft_headers_free(headers);
}

TEST(headers_many_and_changing_stay_right)
{
    weft_headers *headers = make((weft_pair[]){{0}});
    char name[16];
    char value[64];
    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof name, "N%d", i);
        snprintf(value, sizeof value, "value %d", i);
        ASSERT_OK(weft_headers_add(headers, name, value));
    }
    ASSERT_STR_EQ(weft_headers_get(headers, "n1999"), "value 1999");
    ASSERT_STR_EQ(weft_headers_get(headers, "n0"), "value 0");
    for (int i = 0; i < 2000; i += 2) {
        snprintf(name, sizeof name, "N%d", i);
        ASSERT_INT_EQ(weft_headers_remove(headers, name), 1);
    }
    ASSERT_INT_EQ(weft_headers_count(headers), 1000);
    ASSERT_STR_EQ(weft_headers_at(headers, 999).value, "value 1999");
    weft_headers_free(headers);
}

/* What is replaced must not pile up. */
TEST(headers_set_again_and_again_does_not_grow)
{
    weft_headers *headers = make((weft_pair[]){{"Keep", "me"}, {0}});
    char value[100];
    for (int i = 0; i < 100000; i++) {
        snprintf(value, sizeof value, "value number %d", i);
        ASSERT_OK(weft_headers_set(headers, "X-Id", value));
    }
    ASSERT_INT_LT(headers->text_cap, 4096);
    ASSERT_STR_EQ(all(headers), "Keep=me;X-Id=value number 99999;");
    weft_headers_free(headers);
}

TEST(headers_may_be_given_their_own_texts)
{
    weft_headers *headers = make((weft_pair[]){{"A", "a value that stands in the block"}, {0}});
    for (int i = 0; i < 200; i++) {
        weft_pair pair = weft_headers_at(headers, 0);
        ASSERT_OK(weft_headers_add(headers, pair.name, pair.value));
    }
    for (int i = 0; i < 200; i++) {
        weft_pair pair = weft_headers_at(headers, 0);
        ASSERT_OK(weft_headers_set(headers, pair.name, pair.value));
        ASSERT_INT_EQ(weft_headers_count(headers), 1);
    }
    ASSERT_STR_EQ(all(headers), "A=a value that stands in the block;");
    weft_headers_free(headers);
}

TEST(headers_beyond_their_limit_are_refused)
{
    weft_headers *headers = make((weft_pair[]){{0}});
    ASSERT_OK(weft__headers_reserve(headers, 1, WEFT__LIMIT_HEADERS - 2));
    ASSERT_ERR(weft__headers_reserve(headers, 1, WEFT__LIMIT_HEADERS - 1), WEFT_EHEADER_TOO_LARGE);
    ASSERT_ERR(weft__headers_reserve(headers, SIZE_MAX, 1), WEFT_EHEADER_TOO_LARGE);
    ASSERT_ERR(weft__headers_reserve(headers, 1, SIZE_MAX), WEFT_EHEADER_TOO_LARGE);
    weft_headers_free(headers);
}

TEST(headers_reserved_need_no_memory)
{
    weft_headers *headers = make((weft_pair[]){{0}});
    ASSERT_OK(weft__headers_reserve(headers, 40, 400));
    weft_testing_fail_alloc(1, true);
    for (int i = 0; i < 40; i++)
        ASSERT_OK(weft__headers_append_raw(headers, "Name1", 5, "value", 5));
    weft_testing_fail_alloc(0, false);
    weft__headers_reset(headers);
    ASSERT_INT_EQ(weft_headers_count(headers), 0);
    ASSERT_OK(weft_headers_add(headers, "A", "b"));
    ASSERT_STR_EQ(all(headers), "A=b;");
    weft_headers_free(headers);
}

TEST(headers_without_memory_stay_as_they_were)
{
    weft_headers *headers = NULL;
    weft_testing_fail_alloc(1, false);
    ASSERT_ERR(weft_headers_new(&headers), -ENOMEM);
    ASSERT(headers == NULL);
    weft_testing_fail_alloc(0, false);
    headers = make((weft_pair[]){{"A", "1"}, {"B", "2"}, {0}});
    static char value[5000];
    memset(value, 'x', sizeof value - 1);
    weft_testing_fail_alloc(1, false);
    ASSERT_ERR(weft_headers_set(headers, "A", value), -ENOMEM);
    weft_testing_fail_alloc(0, false);
    ASSERT_STR_EQ(all(headers), "A=1;B=2;");
    for (int i = 2; i < WEFT__HEADERS_INLINE; i++)
        ASSERT_OK(weft_headers_add(headers, "C", "3"));
    weft_testing_fail_alloc(1, false);
    ASSERT_ERR(weft_headers_add(headers, "D", "4"), -ENOMEM);
    weft_testing_fail_alloc(0, false);
    ASSERT_INT_EQ(weft_headers_count(headers), WEFT__HEADERS_INLINE);
    weft_headers_free(headers);
}

TEST(headers_from_pairs_and_from_others)
{
    weft_headers *headers = make((weft_pair[]){{"A", "1"}, {0}});
    weft_headers *more = make((weft_pair[]){{"a", "2"}, {"B", "3"}, {0}});
    ASSERT_OK(weft__headers_append_all(headers, more));
    ASSERT_STR_EQ(all(headers), "A=1;a=2;B=3;");
    ASSERT_OK(weft__headers_set_pairs(headers, (weft_pair[]){{"a", "x"}, {"c", "y"}, {0}}));
    ASSERT_OK(weft__headers_set_pairs(headers, NULL));
    ASSERT_STR_EQ(all(headers), "a=x;B=3;c=y;");
    ASSERT_ERR(weft__headers_set_pairs(headers, (weft_pair[]){{"a b", "x"}, {0}}),
               WEFT_ELOCAL_PROTOCOL);
    weft_headers_free(more);
    weft_headers_free(headers);
}

TEST(header_secrets_are_known_by_name)
{
    static const char *const secret[] = {
        "Authorization", "proxy-authorization", "COOKIE", "Set-Cookie", "X-Api-Key", "X-Auth-User",
        "my-token",      "X-Client-Secret",     "APIKEY", "Sessionid",  "Password"};
    static const char *const open[] = {"Accept", "Host", "Content-Type", "Authorizations",
                                       "",       "X",    "Toke",         "X-Aut"};
    for (size_t i = 0; i < sizeof secret / sizeof secret[0]; i++)
        ASSERT(weft__header_is_secret(secret[i], strlen(secret[i])));
    for (size_t i = 0; i < sizeof open / sizeof open[0]; i++)
        ASSERT(!weft__header_is_secret(open[i], strlen(open[i])));
}
