/* Forms with files, files as bodies, text and JSON: the exact bytes, replay, files that change. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <jansson.h>
#include <weft.h>

#include "call_world.h"
#include "client/client_int.h"
#include "test.h"

#define AS_B .content_type = "multipart/form-data; boundary=b"
#define PARTS(...)                                                                                 \
    .multipart = (const weft_form_part[])                                                          \
    {                                                                                              \
        __VA_ARGS__,                                                                               \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }
#define FIELD(name) "--b\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n"

static const weft_retry_policy at_once = {.wait = {WEFT_WAIT_NONE}};
static const struct wire_answer good[] = {{GOOD}};
static const struct wire_answer again[] = {{BUSY}, {GOOD}};

static int post(struct world *world, const weft_request_options *options)
{
    return request(world, "PUT", URL, options);
}

/* What a request with these options has for a body. */
static void check_body(const weft_request_options *options, const char *expected)
{
    struct world world;
    begin(&world, good, 1, NULL);
    ASSERT_INT_EQ(post(&world, options), 200);
    ASSERT_STR_EQ(body_of(&world.wire, 0), expected);
    end(&world);
}

static void check_refused(const weft_request_options *options, int error, const char *message)
{
    struct world world;
    begin(&world, good, 1, NULL);
    ASSERT_ERR(post(&world, options), error);
    ASSERT_STR_HAS(weft_error_message(), message);
    ASSERT_INT_EQ(world.wire.dials, 0);
    end(&world);
}

static const char *file_of(const char *name, const char *text)
{
    const char *path = test_path(name);
    ASSERT_OK(weft_write_file(path, text, strlen(text)));
    return path;
}

/* ---- exact bytes ---- */

TASK_TEST(multipart_of_fields_and_files_is_exact)
{
    const char *path = file_of("test.txt", "<file content>");
    check_body(
        WEFT_REQUEST(
            AS_B, PARTS({.name = "text", .value = "abc"}, {.name = "text", .value = "def"},
                        {.name = "empty"}, {.name = "file", .path = path},
                        {.name = "bytes", .value = "a\0b", .value_len = 3, .filename = "b.bin"})),
        FIELD("text") "abc\r\n" FIELD("text") "def\r\n" FIELD(
            "empty") "\r\n"
                     "--b\r\nContent-Disposition: form-data; name=\"file\"; "
                     "filename=\"test.txt\"\r\n"
                     "Content-Type: text/plain\r\n\r\n<file content>\r\n"
                     "--b\r\nContent-Disposition: form-data; name=\"bytes\"; filename=\"b.bin\"\r\n"
                     "Content-Type: application/octet-stream\r\n\r\na");
}

TASK_TEST(multipart_has_a_boundary_of_its_own_each_time)
{
    struct world world;
    char boundary[2][64];
    begin(&world, good, 1, NULL);
    for (size_t i = 0; i < 2; i++) {
        char expected[256];
        ASSERT_INT_EQ(post(&world, WEFT_REQUEST(PARTS({.name = "a", .value = "1"}))), 200);
        const char *type =
            strstr(world.wire.requests[i], "\r\nContent-Type: multipart/form-data; boundary=");
        ASSERT(type != NULL);
        ASSERT_INT_EQ(sscanf(strstr(type, "boundary="), "boundary=%63[0-9a-f]\r\n", boundary[i]),
                      1);
        ASSERT_INT_EQ(strlen(boundary[i]), 32);
        snprintf(expected, sizeof expected,
                 "--%s\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--%s--\r\n",
                 boundary[i], boundary[i]);
        ASSERT_STR_EQ(body_of(&world.wire, i), expected);
        snprintf(expected, sizeof expected, "\r\nContent-Length: %zu\r\n",
                 strlen(body_of(&world.wire, i)));
        ASSERT_STR_HAS(world.wire.requests[i], expected);
    }
    ASSERT(strcmp(boundary[0], boundary[1]) != 0);
    end(&world);
}

TASK_TEST(multipart_takes_the_boundary_of_a_given_type)
{
    static const weft_pair field[] = {{"content-type", "multipart/form-data; boundary=\"b\""}, {0}};
    static const weft_pair bare[] = {{"Content-Type", "multipart/related; type=\"x\""}, {0}};
    struct world world;
    begin(&world, good, 1, NULL);
    ASSERT_INT_EQ(post(&world, WEFT_REQUEST(.headers = field, PARTS({.name = "a"}))), 200);
    ASSERT_STR_EQ(body_of(&world.wire, 0), FIELD("a") "\r\n--b--\r\n");
    ASSERT_STR_HAS(world.wire.requests[0],
                   "\r\nContent-Type: multipart/form-data; boundary=\"b\"\r\n");
    ASSERT_INT_EQ(post(&world, WEFT_REQUEST(.headers = bare, PARTS({.name = "a"}))), 200);
    ASSERT_STR_HAS(world.wire.requests[1],
                   "\r\nContent-Type: multipart/related; type=\"x\"; boundary=");
    end(&world);
}

TASK_TEST(multipart_without_parts_is_its_end)
{
    check_body(WEFT_REQUEST(AS_B, .multipart = (const weft_form_part[]){{0}}), "--b--\r\n");
}

TASK_TEST(multipart_names_and_types_of_parts_can_be_chosen)
{
    static const weft_pair fields[] = {{"Expires", "0"}, {0}};
    const char *path = file_of("photo.png", "P");
    check_body(
        WEFT_REQUEST(AS_B,
                     PARTS({.name = "1", .path = path, .filename = "x.svg"},
                           {.name = "2", .path = path, .filename = ""},
                           {.name = "3", .path = path, .content_type = ""},
                           {.name = "4", .path = path, .content_type = "a/b", .headers = fields},
                           {.name = "5", .value = "v", .content_type = "text/csv"})),
        "--b\r\nContent-Disposition: form-data; name=\"1\"; filename=\"x.svg\"\r\n"
        "Content-Type: image/svg+xml\r\n\r\nP\r\n" FIELD(
            "2") "P\r\n"
                 "--b\r\nContent-Disposition: form-data; name=\"3\"; "
                 "filename=\"photo.png\"\r\n\r\nP\r\n"
                 "--b\r\nContent-Disposition: form-data; name=\"4\"; filename=\"photo.png\"\r\n"
                 "Expires: 0\r\nContent-Type: a/b\r\n\r\nP\r\n"
                 "--b\r\nContent-Disposition: form-data; name=\"5\"\r\nContent-Type: "
                 "text/csv\r\n\r\nv\r\n"
                 "--b--\r\n");
}

/* ---- parts by functions ---- */

#define READER(text) .reader = read_text, .rewind = rewind_text, .userdata = (text)

TASK_TEST(multipart_part_of_unknown_size_makes_it_chunked)
{
    struct text text = {"hello"};
    struct world world;
    begin(&world, again, 2, WEFT_CLIENT(.retry = &at_once));
    ASSERT_INT_EQ(post(&world, WEFT_REQUEST(AS_B, PARTS({.name = "a", READER(&text)}))), 200);
    for (size_t i = 0; i < 2; i++) {
        ASSERT_STR_HAS(world.wire.requests[i], "\r\nTransfer-Encoding: chunked\r\n");
        ASSERT_STR_EQ(body_of(&world.wire, i),
                      test_is_over_h2() ? "3f\r\n" FIELD("a") "hello\r\n--b--\r\n\r\n0\r\n\r\n"
                                        : "31\r\n" FIELD("a") "\r\n5\r\nhello\r\n"
                                                              "9\r\n\r\n--b--\r\n\r\n0\r\n\r\n");
    }
    ASSERT_INT_EQ(text.rewinds, 1);
    end(&world);
}

TASK_TEST(multipart_part_of_known_size_is_held_to_it)
{
    struct text text = {"hello world"};
    struct world world;
    check_body(WEFT_REQUEST(AS_B, PARTS({.name = "a", .size = 5, READER(&text)})),
               FIELD("a") "hello\r\n--b--\r\n");
    begin(&world, good, 1, WEFT_CLIENT(.retry = &at_once));
    ASSERT_ERR(post(&world, WEFT_REQUEST(AS_B, PARTS({.name = "a", .size = 9, READER(&text)}))),
               WEFT_ELOCAL_PROTOCOL);
    ASSERT_STR_HAS(weft_error_message(), "part \"a\" ended after 6 of 9 bytes");
    ASSERT_INT_EQ(world.wire.dials, 1);
    end(&world);
}

static int64_t read_too_much(void *userdata, void *data, size_t len)
{
    (void)userdata;
    (void)data;
    return (int64_t)len + 1;
}

static int64_t read_error(void *userdata, void *data, size_t len)
{
    (void)userdata;
    (void)data;
    (void)len;
    return -EIO;
}

TASK_TEST(multipart_part_whose_function_fails_ends_the_call)
{
    struct world world;
    begin(&world, good, 1, NULL);
    ASSERT_ERR(post(&world, WEFT_REQUEST(PARTS({.name = "a", .reader = read_error}))), -EIO);
    ASSERT_ERR(post(&world, WEFT_REQUEST(PARTS({.name = "a", .reader = read_too_much}))), -EINVAL);
    ASSERT_STR_HAS(weft_error_message(), "reader of part \"a\" returned ");
    end(&world);
}

TASK_TEST(multipart_part_that_cannot_be_rewound_is_sent_once)
{
    static const struct wire_answer moved[] = {{MOVED}, {GOOD}};
    struct text text = {"hello"};
    struct world world;
    begin(&world, moved, 2, WEFT_CLIENT(.follow_redirects = WEFT_ON));
    ASSERT_ERR(
        post(&world, WEFT_REQUEST(PARTS({.name = "a", .reader = read_text, .userdata = &text}))),
        WEFT_ENOT_REPLAYABLE);
    ASSERT_INT_EQ(world.wire.n_requests, 1);
    end(&world);
}

/* ---- files ---- */

TASK_TEST(multipart_files_are_sent_again_from_their_beginning)
{
    const char *path = file_of("a.json", "{}");
    struct world world;
    const char *expected =
        "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.json\"\r\n"
        "Content-Type: application/json\r\n\r\n{}\r\n" FIELD("a") "1\r\n--b--\r\n";
    begin(&world, again, 2, WEFT_CLIENT(.retry = &at_once));
    ASSERT_INT_EQ(post(&world, WEFT_REQUEST(AS_B, PARTS({.name = "f", .path = path},
                                                        {.name = "a", .value = "1"}))),
                  200);
    ASSERT_STR_EQ(body_of(&world.wire, 0), expected);
    ASSERT_STR_EQ(body_of(&world.wire, 1), expected);
    end(&world);
}

TASK_TEST(multipart_redirected_to_a_get_has_no_type)
{
    static const struct wire_answer other[] = {{OTHER}, {GOOD}};
    struct world world;
    begin(&world, other, 2, WEFT_CLIENT(.follow_redirects = WEFT_ON));
    ASSERT_INT_EQ(post(&world, WEFT_REQUEST(PARTS({.name = "a", .value = "1"}))), 200);
    ASSERT_STR_HAS(world.wire.requests[1], "GET /y HTTP/1.1\r\n");
    ASSERT_STR_LACKS(world.wire.requests[1], "multipart");
    end(&world);
}

TASK_TEST(file_is_a_body_of_its_size_and_type)
{
    const char *path = file_of("list.csv", "a,b\n");
    struct world world;
    begin(&world, again, 2, WEFT_CLIENT(.retry = &at_once));
    ASSERT_INT_EQ(post(&world, WEFT_REQUEST(.file = path)), 200);
    for (size_t i = 0; i < 2; i++) {
        ASSERT_STR_HAS(world.wire.requests[i], "\r\nContent-Type: text/csv\r\n");
        ASSERT_STR_HAS(world.wire.requests[i], "\r\nContent-Length: 4\r\n");
        ASSERT_STR_EQ(body_of(&world.wire, i), "a,b\n");
    }
    ASSERT_INT_EQ(post(&world, WEFT_REQUEST(.file = path, .content_type = "x/y")), 200);
    ASSERT_STR_HAS(world.wire.requests[2], "\r\nContent-Type: x/y\r\n");
    end(&world);
}

TASK_TEST(file_that_is_empty_is_a_body_of_length_0)
{
    struct world world;
    const char *path = file_of("none", "");
    begin(&world, good, 1, NULL);
    ASSERT_INT_EQ(post(&world, WEFT_REQUEST(.file = path)), 200);
    ASSERT_STR_HAS(world.wire.requests[0], "\r\nContent-Length: 0\r\n");
    ASSERT_STR_HAS(world.wire.requests[0], "\r\nContent-Type: application/octet-stream\r\n");
    end(&world);
}

/* Larger than what is held of it, and than the stream to the server. */
TASK_TEST(file_larger_than_any_buffer_is_sent_whole)
{
    enum { SIZE = 200000 };
    char *text = malloc(SIZE + 1);
    memset(text, 'x', SIZE);
    text[SIZE] = '\0';
    const char *path = file_of("large", text);
    struct world world;
    begin(&world, good, 1, NULL);
    ASSERT_INT_EQ(post(&world, WEFT_REQUEST(.file = path)), 200);
    ASSERT_STR_HAS(world.wire.requests[0], "\r\nContent-Length: 200000\r\n");
    ASSERT_INT_EQ(strspn(body_of(&world.wire, 0), "x"), SIZE);
    free(text);
    end(&world);
}

/* A part that is read while the file before it is changed: by the function of the part before. */
struct change {
    const char *path;
    const char *text;
};

static int64_t change_file(void *userdata, void *data, size_t len)
{
    struct change *change = userdata;
    (void)data;
    (void)len;
    ASSERT_OK(weft_write_file(change->path, change->text, strlen(change->text)));
    return 0;
}

TASK_TEST(file_that_shrinks_or_grows_while_it_is_sent_is_an_error)
{
    static const char *const texts[] = {"hell", "", "hello!"};
    static const char *const how[] = {"shorter", "shorter", "longer"};
    for (size_t i = 0; i < 3; i++) {
        const char *path = file_of("changing", "hello");
        struct change change = {path, texts[i]};
        struct world world;
        char message[512];
        begin(&world, good, 1, WEFT_CLIENT(.retry = &at_once));
        ASSERT_ERR(post(&world, WEFT_REQUEST(
                                    PARTS({.name = "a", .reader = change_file, .userdata = &change},
                                          {.name = "f", .path = path}))),
                   WEFT_ELOCAL_PROTOCOL);
        snprintf(message, sizeof message,
                 "\"%s\" has become %s than the 5 bytes it had when the request began", path,
                 how[i]);
        ASSERT_STR_HAS(weft_error_message(), message);
        ASSERT_INT_EQ(world.wire.dials, 1);
        end(&world);
    }
}

static int feed_pipe(void *arg)
{
    weft_file *file;
    ASSERT_OK(weft_file_open(arg, "w", &file));
    ASSERT_OK(weft_file_write(file, "hello", 5));
    return weft_file_close(file);
}

TASK_TEST(file_without_a_size_is_chunked_and_sent_once)
{
    char path[512];
    weft_group group;
    struct world world;
    snprintf(path, sizeof path, "%s/pipe", test_tmpdir());
    ASSERT_INT_EQ(mkfifo(path, 0600), 0);
    begin(&world, again, 2, WEFT_CLIENT(.retry = &at_once));
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, feed_pipe, path));
    ASSERT_INT_EQ(post(&world, WEFT_REQUEST(.file = path)), 503);
    ASSERT_STR_HAS(world.wire.requests[0], "\r\nTransfer-Encoding: chunked\r\n");
    ASSERT_STR_EQ(body_of(&world.wire, 0), "5\r\nhello\r\n0\r\n\r\n");
    ASSERT_OK(weft_group_wait(&group));
    end(&world);
}

TASK_TEST(file_that_is_not_there_or_a_folder_is_refused_before_anything_is_sent)
{
    char gone[512];
    snprintf(gone, sizeof gone, "%s/gone", test_tmpdir());
    check_refused(WEFT_REQUEST(.file = gone), -ENOENT, "/gone");
    check_refused(WEFT_REQUEST(PARTS({.name = "f", .path = gone})), -ENOENT, "/gone");
    check_refused(WEFT_REQUEST(.file = test_tmpdir()), -EISDIR, test_tmpdir());
}

/* ---- text and JSON ---- */

TASK_TEST(text_and_json_are_bodies_with_their_types)
{
    struct world world;
    json_t *object = json_pack("{s:i, s:[s]}", "a", 1, "b", "\xc3\xa4");
    json_t *null = json_null();
    begin(&world, good, 1, NULL);
    ASSERT_INT_EQ(post(&world, WEFT_REQUEST(.text = "h\xc3\xa4llo")), 200);
    ASSERT_STR_HAS(world.wire.requests[0], "\r\nContent-Type: text/plain; charset=utf-8\r\n");
    ASSERT_STR_EQ(body_of(&world.wire, 0), "h\xc3\xa4llo");
    ASSERT_INT_EQ(post(&world, WEFT_REQUEST(.json = object)), 200);
    ASSERT_STR_HAS(world.wire.requests[1], "\r\nContent-Type: application/json\r\n");
    ASSERT_STR_EQ(body_of(&world.wire, 1), "{\"a\":1,\"b\":[\"\xc3\xa4\"]}");
    ASSERT_INT_EQ(post(&world, WEFT_REQUEST(.json = null)), 200);
    ASSERT_STR_EQ(body_of(&world.wire, 2), "null");
    ASSERT_INT_EQ(post(&world, WEFT_REQUEST(.text = "")), 200);
    ASSERT_STR_HAS(world.wire.requests[3], "\r\nContent-Length: 0\r\n");
    json_decref(object);
    end(&world);
}

TASK_TEST(json_that_is_no_json_is_refused)
{
    json_t *bad = json_stringn_nocheck("\xff", 1);
    check_refused(WEFT_REQUEST(.json = bad), -EINVAL, "");
    json_decref(bad);
}

/* ---- what is refused ---- */

TASK_TEST(multipart_that_contradicts_itself_is_refused)
{
    struct text text = {"x"};
    check_refused(WEFT_REQUEST(PARTS({.name = "a", .value = "1", .path = "/x"})), -EINVAL,
                  "part \"a\" has one of value, path, reader");
    check_refused(WEFT_REQUEST(PARTS({.name = "a", .value = "1", READER(&text)})), -EINVAL,
                  "part \"a\" has one of value, path, reader");
    check_refused(WEFT_REQUEST(PARTS({.name = "a", .value_len = 1})), -EINVAL,
                  "value_len without a value");
    check_refused(WEFT_REQUEST(PARTS({.name = "a", .size = 1})), -EINVAL, "without a reader");
    check_refused(WEFT_REQUEST(PARTS({.name = "a", .content_type = "a\r\nb"})),
                  WEFT_ELOCAL_PROTOCOL, "part \"a\": header field \"Content-Type\"");
    check_refused(WEFT_REQUEST(AS_B, PARTS({.name = "a", .value = "x\r\n--b\r\n"})), -EINVAL,
                  "the boundary stands in the value of part \"a\"");
    check_refused(WEFT_REQUEST(.content_type = "text/plain", PARTS({.name = "a"})), -EINVAL,
                  "is not multipart");
    check_refused(WEFT_REQUEST(PARTS({.name = "a"}), .text = "x"), -EINVAL, "a request has one of");
    check_refused(WEFT_REQUEST(.file = "/x", .content = "x"), -EINVAL, "a request has one of");
    check_refused(WEFT_REQUEST(PARTS({.name = "a", .size = UINT64_MAX / 2, READER(&text)},
                                     {.name = "b", .size = UINT64_MAX / 2, READER(&text)})),
                  -EINVAL, "too large together");
}
