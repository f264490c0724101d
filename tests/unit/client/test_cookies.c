/* The jar that users have: setting, getting, listing, the file. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <weft/cookie.h>
#include <weft/file.h>
#include <weft/testing.h>

#include "fault.h"
#include "test.h"

static weft_cookies *filled(void)
{
    weft_cookies *cookies;
    ASSERT_OK(weft_cookies_new(&cookies));
    ASSERT_OK(weft_cookies_set(cookies, "a", "1", "Example.com", NULL));
    ASSERT_OK(weft_cookies_set(cookies, "a", "2", "example.com", "/x"));
    ASSERT_OK(weft_cookies_set_cookie(
        cookies, WEFT_COOKIE(.name = "b", .value = "3", .domain = "example.com", .below = true,
                             .secure = true, .expires = INT64_C(1) << 40)));
    return cookies;
}

TEST(cookies_are_got_by_name_domain_and_path)
{
    weft_cookies *cookies = filled();
    char *value = NULL;
    ASSERT_OK(weft_cookies_get(cookies, "b", NULL, NULL, &value));
    ASSERT_STR_EQ(value, "3");
    weft_free(value);
    ASSERT_OK(weft_cookies_get(cookies, "a", "example.com", "/x", &value));
    ASSERT_STR_EQ(value, "2");
    weft_free(value);
    value = NULL;
    ASSERT_INT_EQ(weft_cookies_get(cookies, "a", NULL, NULL, &value), -EEXIST);
    ASSERT_STR_EQ(weft_error_message(), "several cookies \"a\" match: say which domain and path");
    ASSERT_INT_EQ(weft_cookies_get(cookies, "c", NULL, NULL, &value), -ENOENT);
    ASSERT_INT_EQ(weft_cookies_get(cookies, "b", "other.com", NULL, &value), -ENOENT);
    ASSERT(value == NULL);
    weft_cookies_free(cookies);
}

TEST(cookies_are_listed_and_removed)
{
    weft_cookies *cookies = filled();
    weft_cookie *list;
    size_t n;
    ASSERT_OK(weft_cookies_list(cookies, &list, &n));
    ASSERT_INT_EQ(n, 3);
    ASSERT_STR_EQ(list[0].domain, "example.com");
    ASSERT_STR_EQ(list[1].path, "/x");
    ASSERT(list[2].below && list[2].secure && !list[2].http_only);
    ASSERT(list[2].expires > 0 && list[2].expires < INT64_C(1) << 40);
    weft_free(list);
    ASSERT_INT_EQ(weft_cookies_remove(cookies, "a", NULL, "/x"), 1);
    ASSERT_INT_EQ(weft_cookies_remove(cookies, NULL, "other.com", NULL), 0);
    ASSERT_INT_EQ(weft_cookies_remove(cookies, NULL, NULL, NULL), 2);
    weft_cookies_free(cookies);
}

TEST(cookies_that_cannot_be_set_are_refused)
{
    static const struct {
        weft_cookie cookie;
        const char *why;
    } rows[] = {
        {{.name = "", .value = "1", .domain = "h.example"}, "it has no name"},
        {{.name = "a", .value = "1"}, "it has no domain"},
        {{.name = "a\r\nB: c", .value = "1", .domain = "h.example"},
         "a control character or semicolon is in it"},
        {{.name = "a", .value = "1; b=2", .domain = "h.example"},
         "a control character or semicolon is in it"},
        {{.name = "a", .value = "1", .domain = "h.example", .path = "x"},
         "its path does not begin with \"/\""},
        {{.name = "a", .value = "1", .domain = "co.uk", .below = true},
         "its domain is a public suffix"},
        {{.name = "__Host-a", .value = "1", .domain = "h.example"},
         "it does not keep what the prefix of its name promises"},
        {{.name = "a=b", .value = "1", .domain = "h.example"}, "\"=\" is in its name"},
        {{.name = "a", .value = "1", .domain = "h.example/x"}, "its domain is no host"},
    };
    weft_cookies *cookies;
    ASSERT_OK(weft_cookies_new(&cookies));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        weft_cookie cookie = rows[i].cookie;
        cookie.size = sizeof cookie;
        ASSERT_INT_EQ(weft_cookies_set_cookie(cookies, &cookie), -EINVAL);
        ASSERT(strstr(weft_error_message(), rows[i].why) != NULL);
    }
    ASSERT_INT_EQ(weft_cookies_set(cookies, "a", NULL, "h.example", NULL), -EINVAL);
    ASSERT_INT_EQ(weft_cookies_remove(cookies, NULL, NULL, NULL), 0);
    weft_cookies_free(cookies);
}

TEST(cookies_of_a_response_go_with_the_next_request)
{
    weft_cookies *cookies;
    char *header = (char *)1;
    ASSERT_OK(weft_cookies_new(&cookies));
    ASSERT_INT_EQ(weft_cookies_receive(cookies, "https://h.example/a/b", "s=1; Secure"), 1);
    ASSERT_INT_EQ(weft_cookies_receive(cookies, "https://h.example/a/b", "=1"), 0);
    ASSERT_INT_EQ(weft_cookies_receive(cookies, "nonsense", "a=1"), WEFT_EINVALID_URL);
    ASSERT_OK(weft_cookies_header(cookies, "https://h.example/a/c?q", &header));
    ASSERT_STR_EQ(header, "s=1");
    weft_free(header);
    ASSERT_OK(weft_cookies_header(cookies, "http://h.example/a/c", &header));
    ASSERT(header == NULL);
    ASSERT_INT_EQ(weft_cookies_header(cookies, "", &header), WEFT_EINVALID_URL);
    weft_cookies_free(cookies);
}

TEST(cookies_are_saved_for_their_owner_and_loaded)
{
    weft_cookies *cookies = filled();
    struct stat info;
    char *value;
    const char *path = test_path("jar.txt");
    ASSERT_OK(weft_write_file(path, "old", 3));
    ASSERT_OK(weft_cookies_save(cookies, path));
    ASSERT_INT_EQ(stat(path, &info), 0);
    ASSERT_INT_EQ(info.st_mode & 0777, 0600);
    weft_cookies_free(cookies);
    ASSERT_OK(weft_cookies_new(&cookies));
    ASSERT_OK(weft_cookies_load(cookies, path));
    ASSERT_OK(weft_cookies_get(cookies, "a", NULL, "/x", &value));
    ASSERT_STR_EQ(value, "2");
    weft_free(value);
    ASSERT_INT_EQ(weft_cookies_load(cookies, test_path("missing")), -ENOENT);
    ASSERT_INT_EQ(truncate(path, (16 << 20) + 1), 0);
    ASSERT_INT_EQ(weft_cookies_load(cookies, path), -EFBIG);
    weft_cookies_free(cookies);
}

static int use_jar(void *arg)
{
    weft_cookies *cookies;
    weft_cookie *list;
    char *text = NULL;
    size_t n;
    (void)arg;
    int err = weft_cookies_new(&cookies);
    if (err < 0)
        return err;
    err = weft_cookies_set(cookies, "a", "1", "h.example", NULL);
    if (err == 0)
        err = weft_cookies_receive(cookies, "http://h.example/", "b=2");
    if (err >= 0)
        err = weft_cookies_header(cookies, "http://h.example/", &text);
    if (err == 0) {
        weft_free(text);
        err = weft_cookies_get(cookies, "b", NULL, NULL, &text);
    }
    if (err == 0) {
        weft_free(text);
        err = weft_cookies_list(cookies, &list, &n);
    }
    if (err == 0) {
        weft_free(list);
        err = weft_cookies_save(cookies, test_path("jar.txt"));
    }
    if (err == 0)
        err = weft_cookies_load(cookies, test_path("jar.txt"));
    weft_cookies_free(cookies);
    return err;
}

TEST_WITH(cookies_survive_every_fault, .limit_s = 60)
{
    FAULTS(use_jar, NULL);
}
