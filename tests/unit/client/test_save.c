/* A body in a file: whole or not at all, with progress, gone on with after it broke off. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <weft.h>
#include <weft/testing.h>

#include "call_world.h"
#include "fault.h"
#include "test.h"
#include "wire.h"

#define HEAD(n) "HTTP/1.1 200 OK\r\nETag: \"v1\"\r\nContent-Length: " #n "\r\n\r\n"
#define PART(range, n, tag)                                                                        \
    "HTTP/1.1 206 Partial Content\r\nETag: \"" tag "\"\r\nContent-Range: bytes " range             \
    "\r\nContent-Length: " #n "\r\n\r\n"

struct seen {
    char text[512];
    uint64_t fails_at;
};

static int show(void *userdata, uint64_t saved, uint64_t total)
{
    struct seen *seen = userdata;
    size_t len = strlen(seen->text);
    snprintf(seen->text + len, sizeof seen->text - len, "%llu/%llu ", (unsigned long long)saved,
             (unsigned long long)total);
    return saved == seen->fails_at ? -EDQUOT : 0;
}

static void put(const char *name, const char *text)
{
    FILE *file = fopen(test_path(name), "w");
    ASSERT(file != NULL);
    fputs(text, file);
    fclose(file);
}

static const char *get(const char *name)
{
    static char text[256];
    FILE *file = fopen(test_path(name), "r");
    if (file == NULL)
        return NULL;
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

/* Nothing but the files that a test has made. */
static void check_no_rest(size_t expected)
{
    char **names;
    size_t n;
    ASSERT_OK(weft_listdir(test_tmpdir(), &names, &n));
    weft_free(names);
    ASSERT_INT_EQ(n, expected);
}

static int64_t download(struct world *world, const weft_save_options *options)
{
    return weft_client_download(world->client, URL, NULL, test_path("f"), options, NULL);
}

#define SAVE(...) download(&world, WEFT_SAVE(__VA_ARGS__))

VIRTUAL_TEST(save_puts_a_body_into_a_file)
{
    static const struct wire_answer answers[] = {
        {GOOD}, {"HTTP/1.1 404 X\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"}};
    struct seen seen = {.text = ""};
    weft_response *response;
    const weft_save_options *options = WEFT_SAVE(.on_progress = show, .userdata = &seen);
    BEGIN(.user_agent = "x");
    ASSERT_OK(weft_client_get(world.client, URL, NULL, &response));
    ASSERT_INT_EQ(weft_response_save(response, test_path("f"), options), 2);
    ASSERT_STR_EQ(get("f"), "ok");
    ASSERT_STR_EQ(weft_response_text(response, NULL), "ok");
    weft_response_free(response);
    ASSERT_OK(weft_client_stream(world.client, "GET", URL, NULL, &response));
    ASSERT_INT_EQ(weft_response_save(response, test_path("f"), options), 3);
    ASSERT_STR_EQ(get("f"), "abc");
    ASSERT_ERR((int)weft_response_save(response, "", NULL), -EINVAL);
    weft_response_free(response);
    ASSERT_STR_EQ(seen.text, "2/2 3/0 ");
    check_no_rest(1);
    end(&world);
}

VIRTUAL_TEST(save_of_a_coded_body_has_no_total)
{
    static const struct wire_answer answers[] = {
        {"HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\nContent-Length: 11\r\n\r\n"
         "\x78\x9c\x4b\x4c\x4a\x06\x00\x02\x4d\x01\x27",
         .len = 77},
        {"HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\nContent-Length: 10\r\n\r\n"
         "\x78\x9c\x4b\x4c\x4a\x06\x00\x02\x4d\x01",
         .len = 76}};
    struct seen seen = {.text = ""};
    BEGIN(.user_agent = "x");
    ASSERT_INT_EQ(SAVE(.on_progress = show, .userdata = &seen), 3);
    ASSERT_STR_EQ(get("f"), "abc");
    ASSERT_STR_EQ(seen.text, "3/0 ");
    /* One that is cut short is not saved. */
    put("f", "old");
    ASSERT_ERR((int)SAVE(.mode = 0), WEFT_EDECODING);
    ASSERT_STR_EQ(get("f"), "old");
    check_no_rest(1);
    end(&world);
}

VIRTUAL_TEST(save_that_fails_leaves_the_old_file)
{
    static const struct wire_answer answers[] = {{HEAD(9) "abc"}, {NULL}};
    struct seen seen = {.fails_at = 3};
    BEGIN(.read_timeout = WEFT_SEC(1));
    put("f", "old");
    ASSERT_ERR((int)SAVE(.mode = 0), WEFT_EREAD_TIMEOUT);
    ASSERT_STR_EQ(get("f"), "old");
    world.wire.n_requests = 0;
    ASSERT_ERR((int)SAVE(.on_progress = show, .userdata = &seen), -EDQUOT);
    ASSERT_STR_EQ(get("f"), "old");
    check_no_rest(1);
    end(&world);
}

VIRTUAL_TEST(save_where_no_folder_is_names_the_file_that_was_asked_for)
{
    static const struct wire_answer answers[] = {{GOOD}};
    BEGIN(.user_agent = "x");
    const char *path = test_path("none/f");
    ASSERT_ERR((int)weft_client_download(world.client, URL, NULL, path, NULL, NULL), -ENOENT);
    ASSERT_STR_HAS(weft_error_message(), path);
    ASSERT(strstr(weft_error_message(), ".weft-") == NULL);
    check_no_rest(0);
    end(&world);
}

VIRTUAL_TEST(save_cancelled_leaves_the_old_file)
{
    static const struct wire_answer answers[] = {{HEAD(9) "abc"}};
    weft_scope scope;
    BEGIN(.user_agent = "x");
    put("f", "old");
    weft_scope_enter(&scope, WEFT_MS(100));
    int err = (int)SAVE(.mode = 0);
    ASSERT_ERR(weft_scope_exit(&scope, err), -ETIMEDOUT);
    ASSERT_STR_EQ(get("f"), "old");
    check_no_rest(1);
    end(&world);
}

VIRTUAL_TEST(save_keeps_permissions_and_follows_links)
{
    static const struct wire_answer answers[] = {{GOOD}};
    struct stat st;
    BEGIN(.user_agent = "x");
    put("g", "old");
    ASSERT_INT_EQ(chmod(test_path("g"), 0640), 0);
    ASSERT_INT_EQ(symlink("g", test_path("f")), 0);
    ASSERT_INT_EQ(SAVE(.durability = WEFT_DURABILITY_FULL), 2);
    ASSERT_INT_EQ(lstat(test_path("f"), &st), 0);
    ASSERT(S_ISLNK(st.st_mode));
    ASSERT_INT_EQ(stat(test_path("g"), &st), 0);
    ASSERT_INT_EQ(st.st_mode & 07777, 0640);
    ASSERT_STR_EQ(get("g"), "ok");
    ASSERT_INT_EQ(SAVE(.mode = 0600, .durability = WEFT_DURABILITY_NONE), 2);
    ASSERT_INT_EQ(stat(test_path("g"), &st), 0);
    ASSERT_INT_EQ(st.st_mode & 07777, 0600);
    ASSERT_ERR((int)weft_client_download(world.client, URL, NULL, test_tmpdir(), NULL, NULL),
               -EISDIR);
    check_no_rest(2);
    end(&world);
}

VIRTUAL_TEST(save_exclusive_never_replaces)
{
    static const struct wire_answer answers[] = {{GOOD}, {GOOD, .takes = WEFT_MS(10)}};
    BEGIN(.user_agent = "x");
    ASSERT_INT_EQ(SAVE(.exclusive = true), 2);
    ASSERT_ERR((int)SAVE(.exclusive = true), -EEXIST);
    ASSERT_INT_EQ(world.wire.n_requests, 1);
    check_no_rest(1);
    end(&world);
}

VIRTUAL_TEST(download_of_an_error_changes_nothing)
{
    static const struct wire_answer answers[] = {
        {"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"},
        {PART("0-1/2", 2, "v1") "ok"},
        {"HTTP/1.1 204 X\r\n\r\n"}};
    weft_response *response = NULL;
    BEGIN(.user_agent = "x");
    put("f", "old");
    ASSERT_ERR((int)SAVE(.mode = 0), WEFT_EHTTP_STATUS);
    ASSERT_STR_HAS(weft_error_message(), "404 Not Found");
    ASSERT_ERR((int)SAVE(.mode = 0), WEFT_EHTTP_STATUS);
    ASSERT_STR_EQ(get("f"), "old");
    ASSERT_INT_EQ(weft_client_download(world.client, URL, NULL, test_path("f"), NULL, &response),
                  0);
    ASSERT_INT_EQ(weft_response_status(response), 204);
    weft_response_free(response);
    ASSERT_STR_EQ(get("f"), "");
    check_no_rest(1);
    end(&world);
}

VIRTUAL_TEST(download_goes_on_where_it_broke_off)
{
    static const struct wire_answer answers[] = {
        {HEAD(9) "abc"}, {NULL}, {PART("3-8/9", 6, "v1") "defg"},
        {NULL},          {NULL}, {PART("7-8/9", 2, "v1") "hi"}};
    struct seen seen = {.text = ""};
    BEGIN(.read_timeout = WEFT_MS(10), .headers = PAIRS({"X", "1"}));
    int64_t began = weft_now();
    ASSERT_INT_EQ(weft_client_download(
                      world.client, URL, WEFT_REQUEST(.headers = PAIRS({"Y", "2"})), test_path("f"),
                      WEFT_SAVE(.on_progress = show, .userdata = &seen, .resumes = 9), NULL),
                  9);
    ASSERT_STR_EQ(get("f"), "abcdefghi");
    ASSERT_STR_EQ(seen.text, "3/9 7/9 9/9 ");
    SENT(0, "\r\nAccept-Encoding: identity\r\n");
    UNSENT(0, "Range");
    SENT(0, "\r\nY: 2\r\n");
    size_t last = world.wire.n_requests - 1;
    SENT(last, "\r\nRange: bytes=7-\r\nIf-Range: \"v1\"\r\n");
    SENT(last, "\r\nY: 2\r\n");
    ASSERT_INT_GE(weft_now() - began, WEFT_SEC(3));
    check_no_rest(1);
    end(&world);
}

VIRTUAL_TEST(download_of_what_has_changed_begins_anew)
{
    static const struct wire_answer answers[] = {
        {HEAD(9) "abc"}, {"HTTP/1.1 200 OK\r\nETag: \"v2\"\r\nContent-Length: 4\r\n\r\nnew!"}};
    struct seen seen = {.text = ""};
    BEGIN(.read_timeout = WEFT_MS(10));
    ASSERT_INT_EQ(SAVE(.on_progress = show, .userdata = &seen, .resumes = 1), 4);
    ASSERT_STR_EQ(get("f"), "new!");
    ASSERT_STR_EQ(seen.text, "3/9 4/4 ");
    end(&world);
}

VIRTUAL_TEST(download_without_a_name_of_its_version_begins_anew)
{
    static const char *const fields[] = {
        "ETag: W/\"v1\"\r\n", "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
        "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\nDate: Sun, 06 Nov 1994 08:50:00 GMT\r\n",
        "ETag: \"v1\"\r\nContent-Encoding: x-none\r\n",
        "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\nDate: Sun, 06 Nov 1994 08:50:37 GMT\r\n"};
    for (size_t i = 0; i < 5; i++) {
        char text[256];
        snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\n%sContent-Length: 5\r\n\r\nab", fields[i]);
        const struct wire_answer answers[] = {{text}, {HEAD(5) "fresh"}};
        BEGIN(.read_timeout = WEFT_MS(10));
        ASSERT_INT_EQ(SAVE(.resumes = 1), 5);
        ASSERT_STR_EQ(get("f"), "fresh");
        if (i < 4)
            UNSENT(1, "Range");
        else
            SENT(1, "\r\nRange: bytes=2-\r\nIf-Range: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
        end(&world);
    }
}

VIRTUAL_TEST(download_does_not_take_another_part_than_it_asked_for)
{
    static const char *const parts[] = {PART("4-8/9", 5, "v1"), PART("3-8/10", 6, "v1"),
                                        PART("3-7/9", 5, "v1"), PART("3-8/*", 6, "v1"),
                                        PART("x", 6, "v1"),     "HTTP/1.1 416 X\r\n" EMPTY};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        const struct wire_answer answers[] = {{HEAD(9) "abc"}, {parts[i]}};
        BEGIN(.read_timeout = WEFT_MS(10));
        put("f", "old");
        ASSERT_ERR((int)SAVE(.resumes = 1), WEFT_EHTTP_STATUS);
        ASSERT_STR_EQ(get("f"), "old");
        check_no_rest(1);
        end(&world);
    }
}

VIRTUAL_TEST(download_whose_part_cannot_be_had_begins_anew)
{
    static const char *const parts[] = {"HTTP/1.1 416 X\r\nContent-Range: bytes */3\r\n" EMPTY,
                                        PART("4-8/9", 5, "v1")};
    for (size_t i = 0; i < 2; i++) {
        const struct wire_answer answers[] = {
            {"HTTP/1.1 200 OK\r\nETag: \"v1\"\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"},
            {parts[i]},
            {HEAD(3) "abc"}};
        BEGIN(.read_timeout = WEFT_MS(10));
        ASSERT_INT_EQ(SAVE(.resumes = 1), 3);
        ASSERT_STR_EQ(get("f"), "abc");
        SENT(1, "\r\nRange: bytes=3-\r\n");
        UNSENT(2, "Range");
        check_no_rest(1);
        end(&world);
    }
}

#define CHUNKED_PART                                                                               \
    "HTTP/1.1 206 P\r\nETag: \"v1\"\r\nContent-Range: bytes 3-8/9\r\nTransfer-Encoding: "          \
    "chunked\r\n\r\n"

VIRTUAL_TEST(download_takes_a_part_that_comes_chunked)
{
    static const struct wire_answer answers[] = {{HEAD(9) "abc"},
                                                 {CHUNKED_PART "6\r\ndefghi\r\n0\r\n\r\n"}};
    struct seen seen = {.text = ""};
    BEGIN(.read_timeout = WEFT_MS(10));
    ASSERT_INT_EQ(SAVE(.on_progress = show, .userdata = &seen, .resumes = 1), 9);
    ASSERT_STR_EQ(get("f"), "abcdefghi");
    ASSERT_STR_EQ(seen.text, "3/9 9/9 ");
    end(&world);
}

VIRTUAL_TEST(download_of_a_part_that_is_shorter_than_it_said_fails)
{
    static const struct wire_answer answers[] = {{HEAD(9) "abc"},
                                                 {CHUNKED_PART "5\r\ndefgh\r\n0\r\n\r\n"}};
    BEGIN(.read_timeout = WEFT_MS(10));
    put("f", "old");
    ASSERT_ERR((int)SAVE(.resumes = 1), WEFT_EREMOTE_PROTOCOL);
    ASSERT_STR_EQ(get("f"), "old");
    end(&world);
}

VIRTUAL_TEST(download_that_breaks_off_too_often_fails)
{
    static const struct wire_answer answers[] = {{HEAD(9) "abc"}, {PART("3-8/9", 6, "v1")}};
    BEGIN(.read_timeout = WEFT_MS(10));
    ASSERT_ERR((int)SAVE(.resumes = 2), WEFT_EREAD_TIMEOUT);
    ASSERT_INT_EQ(world.wire.n_requests, 3);
    ASSERT(get("f") == NULL);
    check_no_rest(0);
    end(&world);
}

VIRTUAL_TEST(download_asks_for_ranges_by_itself)
{
    static const struct wire_answer answers[] = {{GOOD}};
    static const char *const names[] = {"Range", "if-range", "Accept-Encoding"};
    BEGIN(.user_agent = "x");
    for (int i = 0; i < 3; i++) {
        int64_t n =
            weft_client_download(world.client, URL, WEFT_REQUEST(.headers = PAIRS({names[i], "x"})),
                                 test_path("f"), WEFT_SAVE(.resumes = 1), NULL);
        ASSERT_INT_EQ(n, i < 2 ? -EINVAL : 2);
        check_no_rest(i < 2 ? 0 : 1);
    }
    SENT(0, "\r\nAccept-Encoding: x\r\n");
    UNSENT(0, "identity");
    end(&world);
}

/* ---- names ---- */

static void check_name(const char *url, const char *field, const char *expected)
{
    char text[256];
    snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\n%s" EMPTY, field);
    const struct wire_answer answers[] = {{text}};
    weft_response *response;
    char *name;
    BEGIN(.user_agent = "x");
    ASSERT_OK(weft_client_get(world.client, url, NULL, &response));
    ASSERT_OK(weft_response_filename(response, &name));
    ASSERT_STR_EQ(name, expected);
    weft_free(name);
    weft_response_free(response);
    end(&world);
}

VIRTUAL_TEST(filename_is_that_of_the_field_or_the_url)
{
    check_name("http://a.org/x/y.txt?q#f", "", "y.txt");
    check_name("http://a.org/x/y.txt", "Content-Disposition: attachment; filename=z.txt\r\n",
               "z.txt");
    check_name("http://a.org/x/y.txt", "Content-Disposition: attachment; filename=\"..\"\r\n",
               "y.txt");
    check_name("http://a.org/x/", "Content-Disposition: inline\r\n", "download");
    check_name("http://a.org/.%2e%2fpasswd", "", "passwd");
}

/* ---- faults ---- */

static int download_once(void *arg)
{
    static const struct wire_answer answers[] = {{HEAD(9) "abc"},
                                                 {PART("3-8/9", 6, "v1") "defghi"}};
    struct wire wire;
    weft_client *client;
    weft_response *response = NULL;
    char *name = NULL;
    (void)arg;
    wire_start(&wire, answers, 2);
    int err = weft_client_new(WEFT_CLIENT(.read_timeout = WEFT_MS(10)), &client);
    if (err == 0) {
        wire_serve(&wire, client);
        err = (int)weft_client_download(client, URL, NULL, test_path("f"),
                                        WEFT_SAVE(.resumes = 1, .durability = WEFT_DURABILITY_NONE),
                                        &response);
        if (err > 0)
            err = weft_response_filename(response, &name);
        weft_free(name);
        weft_response_free(response);
        weft_client_free(client);
    }
    wire_stop(&wire);
    unlink(test_path("f"));
    if (rmdir(test_tmpdir()) < 0 && errno != EBUSY)
        return -ENOTEMPTY;
    mkdir(test_tmpdir(), 0700);
    return err;
}

TEST(download_survives_every_fault)
{
    FAULTS(download_once, NULL, .backend = WEFT_BACKEND_VIRTUAL, .any_error = true);
}
