/* URLs with parts replaced, params, and the text of components. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/error.h>
#include <weft/http.h>

#include "fault.h"
#include "test.h"

/* Lent until the next but three calls. */
static const char *with(const char *text, const weft_url_parts *parts)
{
    static char texts[4][512];
    static int next;
    char *to = texts[next++ % 4];
    weft_url *url;
    weft_url *changed = NULL;
    ASSERT_OK(weft_url_parse(text, NULL, &url));
    int err = weft_url_with(url, parts, &changed);
    snprintf(to, sizeof texts[0], "%s", err == 0 ? weft_url_href(changed) : weft_error_name(err));
    weft_url_free(changed);
    weft_url_free(url);
    return to;
}

#define BASE "https://u:p@example.org:8443/a/b?c=d#e"

TEST(url_with_replaces_components)
{
    ASSERT_STR_EQ(with(BASE, NULL), BASE);
    ASSERT_STR_EQ(with(BASE, WEFT_URL(.scheme = "HTTP")), "http://u:p@example.org:8443/a/b?c=d#e");
    ASSERT_STR_EQ(with(BASE, WEFT_URL(.host = "B\xc3\xbc"
                                              "cher.example")),
                  "https://u:p@xn--bcher-kva.example:8443/a/b?c=d#e");
    ASSERT_STR_EQ(with(BASE, WEFT_URL(.host = "[::1]")), "https://u:p@[::1]:8443/a/b?c=d#e");
    ASSERT_STR_EQ(with(BASE, WEFT_URL(.port = 443)), "https://u:p@example.org/a/b?c=d#e");
    ASSERT_STR_EQ(with(BASE, WEFT_URL(.port = -1)), "https://u:p@example.org/a/b?c=d#e");
    ASSERT_STR_EQ(with(BASE, WEFT_URL(.username = "", .password = "")),
                  "https://example.org:8443/a/b?c=d#e");
    ASSERT_STR_EQ(with(BASE, WEFT_URL(.username = "a@b:c", .password = "x/y%41")),
                  "https://a%40b%3Ac:x%2Fy%41@example.org:8443/a/b?c=d#e");
    ASSERT_STR_EQ(with(BASE, WEFT_URL(.path = "x y/../z?#%2F\r\n")),
                  "https://u:p@example.org:8443/z%3F%23%2F%0D%0A?c=d#e");
    ASSERT_STR_EQ(with(BASE, WEFT_URL(.path = "")), "https://u:p@example.org:8443/?c=d#e");
    ASSERT_STR_EQ(with(BASE, WEFT_URL(.path = "//evil.org/")),
                  "https://u:p@example.org:8443//evil.org/?c=d#e");
    ASSERT_STR_EQ(with(BASE, WEFT_URL(.query = "")), "https://u:p@example.org:8443/a/b#e");
    ASSERT_STR_EQ(with(BASE, WEFT_URL(.query = "?")), "https://u:p@example.org:8443/a/b?#e");
    ASSERT_STR_EQ(with(BASE, WEFT_URL(.query = "x=1&y=a b#")),
                  "https://u:p@example.org:8443/a/b?x=1&y=a%20b%23#e");
    ASSERT_STR_EQ(with(BASE, WEFT_URL(.fragment = "")), "https://u:p@example.org:8443/a/b?c=d");
    ASSERT_STR_EQ(with(BASE, WEFT_URL(.fragment = "#f g")),
                  "https://u:p@example.org:8443/a/b?c=d#f%20g");
    ASSERT_STR_EQ(with("web:/x", WEFT_URL(.path = "//y")), "web:/.//y");
}

TEST(url_with_what_cannot_be_is_an_error)
{
    static const struct {
        const char *url;
        weft_url_parts parts;
    } cases[] = {
        {BASE, {.host = "a/b"}},
        {BASE, {.host = "a:1"}},
        {BASE, {.host = "a@b"}},
        {BASE, {.host = "a?b"}},
        {BASE, {.host = "a b"}},
        {BASE, {.host = ""}},
        {BASE, {.host = "[::1"}},
        {BASE, {.host = "300.1.1.1"}},
        {BASE, {.port = 65536}},
        {BASE, {.scheme = "mailto"}},
        {BASE, {.scheme = "1http"}},
        {BASE, {.scheme = "ht tp"}},
        {BASE, {.scheme = ""}},
        {BASE, {.scheme = "file"}},
        {"mailto:a@b", {.host = "c"}},
        {"mailto:a@b", {.path = "c"}},
        {"mailto:a@b", {.port = 1}},
        {"mailto:a@b", {.username = "c"}},
        {"file:///x", {.port = 1}},
        {"file:///x", {.password = "c"}},
        {"file:///x", {.scheme = "http"}},
        {"foo://h:1/x", {.scheme = "http"}},
        {"foo://h:1/x", {.host = ""}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ASSERT_STR_EQ(with(cases[i].url, &cases[i].parts), "WEFT_EINVALID_URL");
}

TEST(url_with_longer_than_a_url_is_an_error)
{
    size_t size = 70000;
    char *path = malloc(size);
    memset(path, 'x', size - 1);
    path[size - 1] = '\0';
    ASSERT_STR_EQ(with(BASE, WEFT_URL(.path = path)), "WEFT_EINVALID_URL");
    path[65600] = '\0';
    ASSERT_STR_EQ(with(BASE, WEFT_URL(.query = path)), "WEFT_EINVALID_URL");
    free(path);
}

/*
 * The setters of browsers: what they ignore is an error here, and they look for the end of a host
 * or port in the text, where here it is one component.
 */
static bool is_here(const char *attribute, const char *value)
{
    if (strpbrk(value, "\t\r\n") != NULL || value[0] == '\0')
        return false;
    if (strcmp(attribute, "hostname") == 0)
        return value[0] == '[' ? value[strlen(value) - 1] == ']'
                               : strpbrk(value, ":/?#@\\") == NULL;
    return strcmp(attribute, "protocol") != 0 || strchr(value, ':') == NULL;
}

static weft_url_parts parts_of(const char *attribute, const char *value)
{
    weft_url_parts parts = {.size = sizeof parts};
    if (strcmp(attribute, "protocol") == 0)
        parts.scheme = value;
    else if (strcmp(attribute, "username") == 0)
        parts.username = value;
    else if (strcmp(attribute, "password") == 0)
        parts.password = value;
    else if (strcmp(attribute, "hostname") == 0)
        parts.host = value;
    else if (strcmp(attribute, "pathname") == 0)
        parts.path = value;
    else if (strcmp(attribute, "search") == 0)
        parts.query = value;
    else
        parts.fragment = value;
    return parts;
}

static int check_setter(const char *attribute, const json_t *row)
{
    const char *value = json_string_value(json_object_get(row, "new_value"));
    const char *href = json_string_value(json_object_get(row, "href"));
    const char *expected =
        json_string_value(json_object_get(json_object_get(row, "expected"), "href"));
    if (expected == NULL ||
        strlen(value) != json_string_length(json_object_get(row, "new_value")) ||
        !is_here(attribute, value))
        return 0;
    weft_url_parts parts = parts_of(attribute, value);
    const char *actual = with(href, &parts);
    if (strcmp(actual, "WEFT_EINVALID_URL") == 0)
        actual = with(href, NULL);
    if (strcmp(actual, expected) != 0)
        FAIL("%s of <%s> set to <%s>: <%s>, not <%s>", attribute, href, value, actual, expected);
    return 1;
}

TEST(url_wpt_setters_agree)
{
    static const char *const attributes[] = {"protocol", "username", "password", "hostname",
                                             "pathname", "search",   "hash"};
    static const char *const files[] = {"vectors/wpt-url/setters_tests.json",
                                        "vectors/wpt-url/ada_extra_setters_tests.json"};
    int cases = 0;
    for (size_t f = 0; f < 2; f++) {
        json_error_t error;
        json_t *all = json_load_file(test_shared(files[f]), JSON_ALLOW_NUL, &error);
        ASSERT(all != NULL);
        for (size_t a = 0; a < sizeof attributes / sizeof attributes[0]; a++) {
            size_t i;
            json_t *row;
            json_array_foreach(json_object_get(all, attributes[a]), i, row) cases +=
                check_setter(attributes[a], row);
        }
        json_decref(all);
    }
    printf("%d cases\n", cases);
    ASSERT_INT_GE(cases, 100);
}

/* ---- texts ---- */

TEST(url_is_absolute_if_it_has_a_scheme)
{
    static const char *const absolute[] = {"http://a/b", "HTTPS://a", "http:a", "ws://a",
                                           "foo://x"};
    static const char *const relative[] = {"",     "/b",   "//a/b", "b?c", "?x=http://a",
                                           "#a:b", "a/b:c"};
    for (size_t i = 0; i < sizeof absolute / sizeof absolute[0]; i++)
        ASSERT(weft_url_is_absolute(absolute[i]));
    for (size_t i = 0; i < sizeof relative / sizeof relative[0]; i++)
        ASSERT(!weft_url_is_absolute(relative[i]));
}

TEST(url_host_is_shown_in_its_script)
{
    static const char *const hosts[][2] = {
        {"http://xn--bcher-kva.example/", "b\xc3\xbc"
                                          "cher.example"},
        {"http://www.xn--bcher-kva.example/", "www.b\xc3\xbc"
                                              "cher.example"},
        {"http://example.org/", "example.org"},
        {"http://[::1]/", "[::1]"},
        {"http://127.0.0.1/", "127.0.0.1"},
        {"http://xn--0/", "xn--0"},
        {"mailto:a@b", ""},
    };
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        weft_url *url;
        char *host;
        ASSERT_OK(weft_url_parse(hosts[i][0], NULL, &url));
        ASSERT_OK(weft_url_host_unicode(url, &host));
        ASSERT_STR_EQ(host, hosts[i][1]);
        weft_free(host);
        weft_url_free(url);
    }
}

TEST(url_text_is_encoded_and_decoded)
{
    char *text;
    size_t len;
    ASSERT_OK(weft_url_encode("a/b c\0\xff~-._%", 12, &text));
    ASSERT_STR_EQ(text, "a%2Fb%20c%00%FF~-._%25");
    char *back;
    ASSERT_OK(weft_url_decode(text, strlen(text), &back, &len));
    ASSERT_INT_EQ(len, 12);
    ASSERT_MEM_EQ(back, "a/b c\0\xff~-._%", 12);
    weft_free(back);
    weft_free(text);
    ASSERT_OK(weft_url_decode("%zz%4%41+%", 10, &text, NULL));
    ASSERT_STR_EQ(text, "%zz%4A+%");
    weft_free(text);
}

static const char *href(const char *text)
{
    return with(text, NULL);
}

TEST(url_encodes_each_component_by_its_rules)
{
    static const char *const kept[] = {
        "http://a/b%2Fc%2fd//e;f=g,h:@!$&'()*+~",
        "http://a/%zz%",
        "http://a/?X-Amz-Signature=a%2Bb%3D&x=a+b&y=%20/?:@",
        "http://a/?",
        "http://a/?&&=",
        "http://a/#?/",
    };
    static const char *const encoded[][2] = {
        {"http://a/b c?d e#f g", "http://a/b%20c?d%20e#f%20g"},
        {"http://a/\xc3\xa4?\xc3\xa4#\xc3\xa4", "http://a/%C3%A4?%C3%A4#%C3%A4"},
        {"http://a/\"<>`{}?\"<>'#\"<>`", "http://a/%22%3C%3E%60%7B%7D?%22%3C%3E%27#%22%3C%3E%60"},
        {"http://a/b/../c/./d", "http://a/c/d"},
        {"http://a/b/%2e%2E/c", "http://a/c"},
        {"http://a/x\r\ny", "http://a/xy"},
        {"http://a/x\x01y", "http://a/x%01y"},
        {"http://u\"<:p @a/", "http://u%22%3C:p%20@a/"},
        {"http://u:p@ss@a/", "http://u:p%40ss@a/"},
    };
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        ASSERT_STR_EQ(href(kept[i]), kept[i]);
    for (size_t i = 0; i < sizeof encoded / sizeof encoded[0]; i++)
        ASSERT_STR_EQ(href(encoded[i][0]), encoded[i][1]);
}

TEST(url_hosts_are_normalised_or_refused)
{
    static const char *const hosts[][2] = {
        {"http://EXAMPLE.Org:80/", "http://example.org/"},
        {"https://example.org:443/", "https://example.org/"},
        {"http://example.org:/", "http://example.org/"},
        {"http://127.1/", "http://127.0.0.1/"},
        {"http://0x7f.1/", "http://127.0.0.1/"},
        {"http://[0:0::1]:81/", "http://[::1]:81/"},
        {"http://\xe4\xb8\xad\xe5\x9b\xbd.icom.museum/", "http://xn--fiqs8s.icom.museum/"},
        {"http://K\xc3\xb6nigsg\xc3\xa4\xc3\x9f"
         "chen/",
         "http://xn--knigsgchen-b4a3dun/"},
        {"http://fa\xc3\x9f.de/", "http://xn--fa-hia.de/"},
    };
    static const char *const refused[] = {
        "http://a b/",
        "http://a%20b/",
        "http://",
        "http://999.999.999.999/",
        "http://1.2.3.256/",
        "http://[::1/",
        "http://[g::]/",
        "http://a:99999/",
        "http://a:x/",
        "http://a:-1/",
        "http://\xe2\x98\x83\xe2\x80\xa8/",
        "http://a\x7f/",
    };
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++)
        ASSERT_STR_EQ(href(hosts[i][0]), hosts[i][1]);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        weft_url *url;
        if (weft_url_parse(refused[i], NULL, &url) == 0)
            FAIL("<%s> became <%s>", refused[i], weft_url_href(url));
    }
}

/* ---- params ---- */

static void check_params(const weft_params *params, const char *expected)
{
    char *text;
    ASSERT_OK(weft_params_encode(params, &text));
    ASSERT_STR_EQ(text, expected);
    weft_free(text);
}

TEST(params_are_an_ordered_multimap)
{
    weft_params *params;
    ASSERT_OK(weft_params_parse("a=123&a=456&b=789&=x&c&A=1", 26, &params));
    ASSERT_INT_EQ(weft_params_count(params), 6);
    ASSERT_STR_EQ(weft_params_get(params, "a"), "123");
    ASSERT_STR_EQ(weft_params_get_nth(params, "a", 1), "456");
    ASSERT(weft_params_get_nth(params, "a", 2) == NULL);
    ASSERT_STR_EQ(weft_params_get(params, "c"), "");
    ASSERT_STR_EQ(weft_params_get(params, "A"), "1");
    ASSERT_STR_EQ(weft_params_get(params, ""), "x");
    ASSERT(weft_params_get(params, "d") == NULL);
    ASSERT_STR_EQ(weft_params_at(params, 2).name, "b");
    ASSERT(weft_params_at(params, 6).name == NULL);
    check_params(params, "a=123&a=456&b=789&=x&c=&A=1");
    ASSERT_OK(weft_params_set(params, "a", "true"));
    check_params(params, "a=true&b=789&=x&c=&A=1");
    ASSERT_OK(weft_params_set(params, "d", NULL));
    ASSERT_OK(weft_params_add(params, "b", "x y/&="));
    check_params(params, "a=true&b=789&=x&c=&A=1&d=&b=x+y%2F%26%3D");
    ASSERT_INT_EQ(weft_params_remove(params, "b"), 2);
    ASSERT_INT_EQ(weft_params_remove(params, "b"), 0);
    ASSERT_OK(weft_params_merge(params, (weft_pair[]){{"a", "1"}, {"a", "2"}, {"e", "3"}, {0}}));
    check_params(params, "a=1&=x&c=&A=1&d=&a=2&e=3");
    ASSERT_OK(weft_params_set(params, "a", weft_params_get(params, "a")));
    check_params(params, "a=1&=x&c=&A=1&d=&e=3");
    ASSERT_ERR(weft_params_add(params, NULL, "x"), -EINVAL);
    ASSERT_ERR(weft_params_set(params, NULL, "x"), -EINVAL);
    weft_params_free(params);
    ASSERT_ERR(weft_params_parse("a=%00", 5, &params), -EINVAL);
    ASSERT_OK(weft_params_new(&params));
    check_params(params, "");
    weft_params_free(params);
    weft_params_free(NULL);
}

TEST(url_params_are_set_removed_and_read)
{
    weft_url *url;
    weft_url *changed;
    weft_params *params;
    ASSERT_OK(weft_url_parse("http://a/b?x=1&y=2&x=3#f", NULL, &url));
    ASSERT_OK(weft_url_params(url, &params));
    ASSERT_STR_EQ(weft_params_get_nth(params, "x", 1), "3");
    weft_params_free(params);
    ASSERT_OK(weft_url_set_params(url, (weft_pair[]){{"x", "a b"}, {"z", "9"}, {0}}, &changed));
    ASSERT_STR_EQ(weft_url_href(changed), "http://a/b?x=a+b&y=2&z=9#f");
    weft_url_free(changed);
    ASSERT_OK(weft_url_remove_param(url, "x", &changed));
    ASSERT_STR_EQ(weft_url_href(changed), "http://a/b?y=2#f");
    weft_url_free(url);
    ASSERT_OK(weft_url_remove_param(changed, "y", &url));
    ASSERT_STR_EQ(weft_url_href(url), "http://a/b#f");
    weft_url_free(changed);
    ASSERT_OK(weft_url_params(url, &params));
    ASSERT_INT_EQ(weft_params_count(params), 0);
    weft_params_free(params);
    weft_url_free(url);
}

static int edit_everything(void *arg)
{
    weft_url *url = NULL;
    weft_url *changed = NULL;
    char *host = NULL;
    (void)arg;
    int err = weft_url_parse(BASE, NULL, &url);
    if (err == 0)
        err = weft_url_with(url,
                            WEFT_URL(.scheme = "http", .username = "a", .password = "b",
                                     .host = "xn--bcher-kva.example", .port = 1, .path = "x",
                                     .query = "y", .fragment = "z"),
                            &changed);
    if (err == 0)
        err = weft_url_host_unicode(changed, &host);
    weft_free(host);
    weft_url_free(changed);
    changed = NULL;
    if (err == 0)
        err = weft_url_set_params(url, (weft_pair[]){{"x", "1"}, {"x", "2"}, {"c", "3"}, {0}},
                                  &changed);
    weft_url_free(changed);
    changed = NULL;
    if (err == 0)
        err = weft_url_remove_param(url, "c", &changed);
    weft_url_free(changed);
    weft_url_free(url);
    return err;
}

TEST(url_operations_survive_every_fault)
{
    FAULTS(edit_everything, NULL);
}
