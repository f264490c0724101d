/* test_server_static.c - files below a folder: names, conditions, ranges, what must not get out. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "server/server_int.h"
#include "server_harness.h"
#include "test.h"

#define NOT_FOUND                                                                                  \
    "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\n"                        \
    "Content-Length: 14\r\n\r\n404 Not Found\n"

static weft_server *server;
static char reply[4 * 1024 * 1024];
static char expected_etag[64];

static void write_text(const char *path, const char *text, size_t len)
{
    FILE *file = fopen(path, "wb");
    ASSERT(file != NULL);
    ASSERT_INT_EQ(fwrite(text, 1, len, file), len);
    fclose(file);
}

/* Sun, 06 Nov 1994 08:49:37 GMT */
static void set_mtime(const char *path)
{
    const struct timespec times[2] = {{.tv_sec = 784111777}, {.tv_sec = 784111777, .tv_nsec = 1}};
    ASSERT_INT_EQ(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* ROOT/www with files, and ROOT/secret.txt beside it. */
static void make_folder(void)
{
    static char www[512];
    snprintf(www, sizeof www, "%s", test_path("www"));
    ASSERT_INT_EQ(mkdir(www, 0755), 0);
    ASSERT_INT_EQ(mkdir(test_path("www/sub"), 0755), 0);
    ASSERT_INT_EQ(mkdir(test_path("www/bare"), 0755), 0);
    ASSERT_INT_EQ(mkdir(test_path("www/a b"), 0755), 0);
    write_text(test_path("secret.txt"), "secret", 6);
    write_text(test_path("www/index.html"), "<p>root", 7);
    write_text(test_path("www/ten.txt"), "0123456789", 10);
    write_text(test_path("www/empty.bin"), "", 0);
    write_text(test_path("www/sub/index.html"), "<p>sub", 6);
    write_text(test_path("www/a b/c#d.json"), "{}", 2);
    write_text(test_path("www/back\\slash"), "x", 1);
    write_text(test_path("www/100%"), "percent", 7);
    set_mtime(test_path("www/ten.txt"));
    ASSERT_INT_EQ(symlink("ten.txt", test_path("www/inside")), 0);
    ASSERT_INT_EQ(symlink("../secret.txt", test_path("www/outside")), 0);
    ASSERT_INT_EQ(symlink("/etc/passwd", test_path("www/absolute")), 0);
    ASSERT_INT_EQ(symlink("..", test_path("www/up")), 0);
    ASSERT_INT_EQ(symlink("loop", test_path("www/loop")), 0);
    ASSERT_INT_EQ(mkfifo(test_path("www/fifo"), 0644), 0);
    write_text(test_path("www/forbidden"), "x", 1);
    chmod(test_path("www/forbidden"), 0);
    ASSERT_OK(weft_server_new(NULL, &server));
    ASSERT_OK(weft_server_static(server, "/s", www));
    snprintf(expected_etag, sizeof expected_etag, "\"%x-%x%08x\"", 10, 784111777, 1);
}

static int serve_end(void *arg)
{
    return weft__server_serve_stream(server, arg);
}

/* The reply to one request, without Date and Server. */
static const char *ask(const char *method, const char *target, const char *fields)
{
    char request[2048];
    weft_group group;
    weft_stream *client;
    weft_stream *end;
    snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: a\r\n%s\r\n", method, target,
             fields);
    ASSERT_OK(weft_stream_pair(0, &client, &end));
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, serve_end, end));
    ASSERT_OK(weft_stream_write(client, request, strlen(request)));
    weft_stream_write_eof(client);
    harness_read_all(client, reply, sizeof reply);
    ASSERT_OK(weft_group_wait(&group));
    weft_stream_free(client);
    harness_normalise(reply);
    return reply;
}

static int status_of(const char *text)
{
    return (text[9] - '0') * 100 + (text[10] - '0') * 10 + text[11] - '0';
}

static const char *body_of(const char *text)
{
    return strstr(text, "\r\n\r\n") + 4;
}

TASK_TEST(static_file_has_its_fields)
{
    char expected[512];
    make_folder();
    snprintf(expected, sizeof expected,
             "HTTP/1.1 200 OK\r\nETag: %s\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
             "Accept-Ranges: bytes\r\nX-Content-Type-Options: nosniff\r\n"
             "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 10\r\n\r\n",
             expected_etag);
    ASSERT_STR_EQ(ask("HEAD", "/s/ten.txt", ""), expected);
    memcpy(expected + strlen(expected), "0123456789", 11);
    ASSERT_STR_EQ(ask("GET", "/s/ten.txt", ""), expected);
    ASSERT_STR_EQ(ask("GET", "/s/inside", "") + strlen(reply) - 10, "0123456789");
    weft_server_free(server);
}

TASK_TEST(static_names_are_found_or_not)
{
    static const struct {
        const char *target;
        int status;
        const char *body; /* NULL: not looked at */
    } rows[] = {
        {"/s/", 200, "<p>root"},
        {"/s/index.html", 200, "<p>root"},
        {"/s/empty.bin", 200, ""},
        {"/s/sub/", 200, "<p>sub"},
        {"/s/sub/?q", 200, "<p>sub"},
        {"/s/a%20b/c%23d.json", 200, "{}"},
        {"/s/100%25", 200, "percent"},
        {"/%73/%74en.txt", 200, "0123456789"},
        {"/s/inside?x=1", 200, "0123456789"},
        {"/s/ten.txt/", 404, NULL},
        {"/s/none", 404, NULL},
        {"/s/bare/", 404, NULL},
        {"/s/outside", 404, NULL},
        {"/s/absolute", 404, NULL},
        {"/s/up/secret.txt", 404, NULL},
        {"/s/loop", 404, NULL},
        {"/s/fifo", 404, NULL},
        {"/s/../secret.txt", 404, NULL},
        {"/s/sub/../ten.txt", 404, NULL},
        {"/s/./ten.txt", 404, NULL},
        {"/s/..", 404, NULL},
        {"/s/.", 404, NULL},
        {"/s/%2e%2e/secret.txt", 404, NULL},
        {"/s/%2E%2e/secret.txt", 404, NULL},
        {"/s/.%2e/secret.txt", 404, NULL},
        {"/s/..%2fsecret.txt", 404, NULL},
        {"/s/..%2Fsecret.txt", 404, NULL},
        {"/s/%252e%252e/secret.txt", 404, NULL},
        {"/s/sub%2findex.html", 404, NULL},
        {"/s/..\\secret.txt", 404, NULL},
        {"/s/back%5cslash", 404, NULL},
        {"/s//ten.txt", 404, NULL},
        {"/s//etc/passwd", 404, NULL},
        {"/s/sub//index.html", 404, NULL},
        {"/s/ten.txt%00.html", 400, NULL},
        {"/s/%c0%ae%c0%ae/secret.txt", 404, NULL},
        {"/S/ten.txt", 404, NULL},
        {"/s/ten.txt%20", 404, NULL},
    };
    make_folder();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *text = ask("GET", rows[i].target, "");
        if (status_of(text) != rows[i].status)
            printf("%s: %s\n", rows[i].target, text);
        ASSERT_INT_EQ(status_of(text), rows[i].status);
        if (rows[i].body != NULL)
            ASSERT_STR_EQ(body_of(text), rows[i].body);
        else
            ASSERT_STR_LACKS(text, "secret");
    }
    if (geteuid() != 0)
        ASSERT_INT_EQ(status_of(ask("GET", "/s/forbidden", "")), 403);
    ASSERT_INT_EQ(status_of(ask("POST", "/s/ten.txt", "")), 405);
    ASSERT_STR_HAS(reply, "Allow: GET, HEAD\r\n");
    weft_server_free(server);
}

TASK_TEST(static_long_name_is_not_found)
{
    char target[1200];
    make_folder();
    snprintf(target, sizeof target, "/s/%0300d", 1);
    ASSERT_STR_EQ(ask("GET", target, ""), NOT_FOUND);
    weft_server_free(server);
}

TASK_TEST(static_folder_without_slash_is_redirected)
{
    static const char *const rows[][2] = {
        {"/s", "\r\nLocation: /s/\r\n"},
        {"/s?x=//evil", "\r\nLocation: /s/?x=//evil\r\n"},
        {"/s/sub", "\r\nLocation: /s/sub/\r\n"},
        {"/s/sub?a=b&c", "\r\nLocation: /s/sub/?a=b&c\r\n"},
        {"/s/a%20b", "\r\nLocation: /s/a%20b/\r\n"},
        {"http://b/s/sub", "\r\nLocation: /s/sub/\r\n"},
    };
    make_folder();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ASSERT_INT_EQ(status_of(ask("GET", rows[i][0], "")), 301);
        ASSERT_STR_HAS(reply, rows[i][1]);
    }
    weft_server_free(server);
}

TASK_TEST(static_at_the_root_never_redirects_to_another_host)
{
    char www[512];
    make_folder();
    weft_server_free(server);
    snprintf(www, sizeof www, "%s", test_path("www"));
    ASSERT_OK(weft_server_new(NULL, &server));
    ASSERT_OK(weft_server_static(server, "/", www));
    ASSERT_INT_EQ(status_of(ask("GET", "//evil.example/%2e%2e", "")), 404);
    ASSERT_INT_EQ(status_of(ask("GET", "//sub", "")), 404);
    ASSERT_INT_EQ(status_of(ask("GET", "/\\sub", "")), 404);
    ASSERT_INT_EQ(status_of(ask("GET", "/sub", "")), 301);
    ASSERT_STR_HAS(reply, "\r\nLocation: /sub/\r\n");
    ASSERT_STR_EQ(body_of(ask("GET", "/", "")), "<p>root");
    weft_server_free(server);
}

struct conditional {
    const char *fields;
    int status;
    const char *has; /* in the reply; NULL: nothing special */
    const char *body;
};

static void check_conditional(const char *target, const struct conditional *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *text = ask("GET", target, rows[i].fields);
        if (status_of(text) != rows[i].status)
            printf("%s: %s\n", rows[i].fields, text);
        ASSERT_INT_EQ(status_of(text), rows[i].status);
        if (rows[i].has != NULL)
            ASSERT_STR_HAS(text, rows[i].has);
        if (rows[i].body != NULL)
            ASSERT_STR_EQ(body_of(text), rows[i].body);
    }
}

#define TAG "\"a-2ebc98a100000001\""

TASK_TEST(static_conditions_are_kept)
{
    static const struct conditional rows[] = {
        {"If-None-Match: " TAG "\r\n", 304, "ETag: " TAG, ""},
        {"If-None-Match: W/" TAG "\r\n", 304, NULL, ""},
        {"If-None-Match: \"x\", " TAG "\r\n", 304, NULL, ""},
        {"If-None-Match: *\r\n", 304, NULL, ""},
        {"If-None-Match: \"x\"\r\n", 200, NULL, "0123456789"},
        {"If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 304, NULL, ""},
        {"If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT\r\n", 304, NULL, ""},
        {"If-Modified-Since: Sun Nov  6 08:49:37 1994\r\n", 304, NULL, ""},
        {"If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT\r\n", 200, NULL, NULL},
        {"If-Modified-Since: yesterday\r\n", 200, NULL, NULL},
        {"If-None-Match: \"x\"\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 200, NULL,
         NULL},
        {"If-Match: " TAG "\r\n", 200, NULL, NULL},
        {"If-Match: *\r\n", 200, NULL, NULL},
        {"If-Match: \"x\"\r\n", 412, NULL, "412 Precondition Failed\n"},
        {"If-Match: W/" TAG "\r\n", 412, NULL, NULL},
        {"If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 200, NULL, NULL},
        {"If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT\r\n", 412, NULL, NULL},
        {"Range: bytes=0-3\r\nIf-None-Match: " TAG "\r\n", 304, NULL, ""},
    };
    make_folder();
    ASSERT_STR_EQ(expected_etag, TAG);
    check_conditional("/s/ten.txt", rows, sizeof rows / sizeof rows[0]);
    weft_server_free(server);
}

TASK_TEST(static_ranges_are_cut)
{
    static const struct conditional rows[] = {
        {"Range: bytes=0-3\r\n", 206, "Content-Range: bytes 0-3/10\r\n", "0123"},
        {"Range: bytes=3-\r\n", 206, "Content-Range: bytes 3-9/10\r\n", "3456789"},
        {"Range: bytes=9-9\r\n", 206, "Content-Length: 1\r\n", "9"},
        {"Range: bytes=-3\r\n", 206, "Content-Range: bytes 7-9/10\r\n", "789"},
        {"Range: bytes=-100\r\n", 206, "Content-Range: bytes 0-9/10\r\n", "0123456789"},
        {"Range: bytes=5-100\r\n", 206, "Content-Range: bytes 5-9/10\r\n", "56789"},
        {"Range: bytes=5-9223372036854775807\r\n", 206, "bytes 5-9/10", "56789"},
        {"Range: Bytes=0-0\r\n", 206, NULL, "0"},
        {"Range: bytes=10-\r\n", 416, "Content-Range: bytes */10\r\n",
         "416 Range Not Satisfiable\n"},
        {"Range: bytes=-0\r\n", 416, NULL, NULL},
        {"Range: bytes=18446744073709551615-\r\n", 416, NULL, NULL},
        {"Range: bytes=18446744073709551616-\r\n", 200, NULL, NULL},
        {"Range: bytes=3-2\r\n", 200, NULL, "0123456789"},
        {"Range: bytes=0-1,3-4\r\n", 200, NULL, "0123456789"},
        {"Range: bytes=0-1,0-1,0-1,0-1,0-1,0-1\r\n", 200, NULL, "0123456789"},
        {"Range: bytes=\r\n", 200, NULL, NULL},
        {"Range: bytes=-\r\n", 200, NULL, NULL},
        {"Range: bytes=a-b\r\n", 200, NULL, NULL},
        {"Range: bytes=--1\r\n", 200, NULL, NULL},
        {"Range: bytes=1\r\n", 200, NULL, NULL},
        {"Range: lines=0-1\r\n", 200, NULL, NULL},
        {"Range: bytes=0-3\r\nIf-Range: " TAG "\r\n", 206, NULL, "0123"},
        {"Range: bytes=0-3\r\nIf-Range: \"x\"\r\n", 200, NULL, NULL},
        {"Range: bytes=0-3\r\nIf-Range: W/" TAG "\r\n", 200, NULL, NULL},
        {"Range: bytes=0-3\r\nIf-Range: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 206, NULL, "0123"},
        {"Range: bytes=0-3\r\nIf-Range: Sun, 06 Nov 1994 08:49:38 GMT\r\n", 200, NULL, NULL},
    };
    static const struct conditional none[] = {
        {"Range: bytes=0-\r\n", 416, "bytes */0", NULL},
        {"Range: bytes=-5\r\n", 416, "bytes */0", NULL},
    };
    make_folder();
    check_conditional("/s/ten.txt", rows, sizeof rows / sizeof rows[0]);
    check_conditional("/s/empty.bin", none, 2);
    ASSERT_INT_EQ(status_of(ask("HEAD", "/s/ten.txt", "Range: bytes=0-3\r\n")), 200);
    weft_server_free(server);
}

TASK_TEST(static_large_file_is_sent_whole_and_in_ranges)
{
    static char large[3 * 1024 * 1024 + 17];
    make_folder();
    for (size_t i = 0; i < sizeof large; i++)
        large[i] = (char)('a' + i / 1000 % 26);
    write_text(test_path("www/large"), large, sizeof large);
    const char *body = body_of(ask("GET", "/s/large", ""));
    ASSERT_MEM_EQ(body, large, sizeof large);
    body = body_of(ask("GET", "/s/large", "Range: bytes=70000-270000\r\n"));
    ASSERT_MEM_EQ(body, large + 70000, 200001);
    ASSERT_INT_EQ(strlen(body), 200001);
    weft_server_free(server);
}

TASK_TEST(static_file_that_shrinks_cuts_the_reply)
{
    static char large[1024 * 1024];
    weft_group group;
    weft_stream *client;
    weft_stream *end;
    const char request[] = "GET /s/large HTTP/1.1\r\nHost: a\r\n\r\n";
    make_folder();
    memset(large, 'x', sizeof large);
    write_text(test_path("www/large"), large, sizeof large);
    ASSERT_OK(weft_stream_pair(4096, &client, &end));
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, serve_end, end));
    ASSERT_OK(weft_stream_write(client, request, sizeof request - 1));
    ASSERT_OK(weft_stream_read_exact(client, reply, 100));
    ASSERT_INT_EQ(truncate(test_path("www/large"), 1000), 0);
    size_t len = harness_read_all(client, reply, sizeof reply);
    ASSERT_INT_LT(len, sizeof large / 2);
    ASSERT_OK(weft_group_wait(&group));
    weft_stream_free(client);
    weft_server_free(server);
}

TEST(static_folder_that_cannot_be_served_is_refused)
{
    ASSERT_OK(weft_server_new(NULL, &server));
    ASSERT_ERR(weft_server_static(server, "/", "/nonexistent"), -ENOENT);
    ASSERT_ERR(weft_server_static(server, "/", "/etc/passwd"), -ENOTDIR);
    ASSERT_ERR(weft_server_static(server, "no-slash", "/tmp"), -EINVAL);
    ASSERT_ERR(weft_server_static(server, "/a%20b", "/tmp"), -EINVAL);
    ASSERT_ERR(weft_server_static(server, "/{x}", "/tmp"), -EINVAL);
    ASSERT_OK(weft_server_static(server, "/a", "/tmp"));
    ASSERT_ERR(weft_server_static(server, "/a/", "/tmp"), -EEXIST);
    weft_server_free(server);
}
