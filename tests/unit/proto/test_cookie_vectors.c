/* The cookie tests of the IETF's HTTP state working group, and the public suffix list's own. */
#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/http.h>

#include "base/alloc.h"
#include "proto/cookie.h"
#include "test.h"

enum { IN_2016 = 1464739200, TEXT = 64 * 1024 };

static bool is_core(const char *name)
{
    return strncmp(name, "disabled-", 9) != 0 && strncmp(name, "optional-", 9) != 0;
}

static int is_test(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return len > 5 && strcmp(entry->d_name + len - 5, "-test") == 0;
}

/* The next line of a text, without its end; NULL behind the last. */
static char *next_line(char **text)
{
    char *line = *text;
    if (*line == '\0')
        return NULL;
    size_t len = strcspn(line, "\n");
    *text = line + len + (line[len] == '\n');
    if (len > 0 && line[len - 1] == '\r')
        line[len - 1] = '\0';
    line[len] = '\0';
    return line;
}

static void slurp(const char *path, char *text)
{
    FILE *file = fopen(path, "rb");
    ASSERT(file != NULL);
    text[fread(text, 1, TEXT - 1, file)] = '\0';
    fclose(file);
}

static struct weft__cookie_place place_of(const weft_url *url)
{
    return (struct weft__cookie_place){weft_url_host(url), weft_url_path(url), false};
}

/* The Cookie line of the request that follows. */
static void converse(const char *name, char *text, char *ret, size_t size)
{
    char address[200];
    weft_url *url;
    weft_url *next;
    struct weft__jar jar;
    struct weft__buf buf;
    weft__jar_init(&jar);
    weft__buf_init(&buf, SIZE_MAX);
    snprintf(address, sizeof address, "http://home.example.org:8888/cookie-parser?%s", name);
    ASSERT_OK(weft_url_parse(address, NULL, &url));
    snprintf(address, sizeof address, "/cookie-parser-result?%s", name);
    ASSERT_OK(weft_url_join(url, address, &next));
    struct weft__cookie_place place = place_of(url);
    for (char *line; (line = next_line(&text)) != NULL;) {
        if (strncmp(line, "Set-Cookie: ", 12) == 0) {
            ASSERT(weft__jar_receive(&jar, &place, line + 12, strlen(line + 12), IN_2016) >= 0);
        } else if (strncmp(line, "Location: ", 10) == 0) {
            weft_url_free(next);
            ASSERT_OK(weft_url_join(url, line + 10, &next));
        }
    }
    place = place_of(next);
    ASSERT_OK(weft__jar_header(&jar, &place, IN_2016, &buf));
    snprintf(ret, size, "%s%.*s", buf.len > 0 ? "Cookie: " : "", (int)buf.len,
             buf.len > 0 ? weft__buf_bytes(&buf) : "");
    weft__buf_done(&buf);
    weft__jar_done(&jar);
    weft_url_free(url);
    weft_url_free(next);
}

TEST(cookie_http_state_conversations)
{
    static char text[TEXT];
    static char expected[TEXT];
    static char actual[TEXT];
    char path[600];
    const char *folder = test_shared("vectors/http-state/parser");
    struct dirent **entries;
    int n = scandir(folder, &entries, is_test, alphasort);
    int core = 0;
    int failures = 0;
    ASSERT(n > 0);
    for (int i = 0; i < n; i++) {
        char *name = entries[i]->d_name;
        snprintf(path, sizeof path, "%s/%s", folder, name);
        slurp(path, text);
        name[strlen(name) - 5] = '\0';
        snprintf(path, sizeof path, "%s/%s-expected", folder, name);
        slurp(path, expected);
        char *rest = expected;
        const char *line = next_line(&rest);
        converse(name, text, actual, sizeof actual);
        /* One file has a Set-Cookie line there: no Cookie line either. */
        if (line == NULL || strncmp(line, "Cookie: ", 8) != 0)
            line = "";
        bool same = strcmp(actual, line) == 0;
        if (!same)
            printf("%s: <%s>, not <%s>\n", name, actual, line);
        core += is_core(name);
        failures += !same && is_core(name);
        free(entries[i]);
    }
    free(entries);
    ASSERT_INT_EQ(core, 214);
    ASSERT_INT_EQ(failures, 0);
}

static void check_dates(const char *name)
{
    static char text_of[TEXT];
    json_error_t error;
    slurp(test_shared(name), text_of);
    /* A comment stands before the JSON of one. */
    const char *begin = strstr(text_of, "[\n");
    json_t *rows = begin != NULL ? json_loads(begin, 0, &error) : NULL;
    ASSERT(rows != NULL);
    int failures = 0;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_t *row = json_array_get(rows, i);
        const char *text = json_string_value(json_object_get(row, "test"));
        const char *expected = json_string_value(json_object_get(row, "expected"));
        int64_t seconds = 0;
        int64_t wanted = 0;
        int result = weft__cookie_date(text, strlen(text), &seconds);
        if (expected != NULL)
            ASSERT_INT_EQ(weft__cookie_date(expected, strlen(expected), &wanted), 0);
        if ((result == 0) != (expected != NULL) || seconds != wanted) {
            printf("%s: %d %lld, not %s\n", text, result, (long long)seconds,
                   expected != NULL ? expected : "refused");
            failures++;
        }
    }
    json_decref(rows);
    ASSERT_INT_EQ(failures, 0);
}

TEST(cookie_http_state_dates)
{
    check_dates("vectors/http-state/dates/examples.json");
    check_dates("vectors/http-state/dates/bsd-examples.json");
}
