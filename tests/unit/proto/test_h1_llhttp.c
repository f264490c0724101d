/*
 * llhttp's cases as a cross-check: what that parser refuses in its strict mode is never taken
 * for whole messages here; every case has one verdict whole and byte by byte.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/error.h>

#include "base/str.h"
#include "proto/h1.h"
#include "test.h"

struct message {
    char *data;
    size_t len;
    bool request;
};

static int read_head(const struct message *message, struct weft__h1_head *head, size_t at,
                     size_t step)
{
    const struct weft__h1_limits *limits =
        message->request ? &weft__h1_request_limits : &weft__h1_response_limits;
    char *data = message->data + at;
    size_t len = message->len - at;
    int n = 0;
    for (size_t seen = 0; n == 0 && seen < len;) {
        seen = len - seen < step ? len : seen + step;
        n = message->request ? weft__h1_parse_request(head, data, seen, limits)
                             : weft__h1_parse_response(head, data, seen, limits);
    }
    return n;
}

static int read_body(const struct message *message, struct weft__h1_body *body, size_t *at)
{
    int result = WEFT__H1_DATA;
    while (result == WEFT__H1_DATA) {
        const char *payload;
        size_t payload_len;
        size_t consumed;
        result = weft__h1_body_next(body, message->data + *at, message->len - *at, &consumed,
                                    &payload, &payload_len);
        *at += consumed;
    }
    return result;
}

/*
 * The messages of the input one after the other, step bytes at once: 1 if it was all whole
 * messages, 0 if something is missing or left over, or the error.
 */
static int read_all(const struct message *message, size_t step)
{
    struct weft__h1_head head;
    size_t at = 0;
    bool over = false;
    int err = 1;
    weft__h1_head_init(&head);
    while (at < message->len && err > 0 && !over) {
        weft__h1_head_reset(&head, message->request ? NULL : "GET");
        err = read_head(message, &head, at, step);
        if (err <= 0)
            break;
        at += (size_t)err;
        struct weft__h1_body body;
        weft__h1_body_init(&body, head.body, head.content_length, NULL);
        err = read_body(message, &body, &at);
        over = head.upgrade || !head.keep_alive;
        /* Behind CONNECT comes another protocol, which llhttp calls an error. */
        if (err >= 0)
            err = weft__h1_body_eof(&body) == 0 && head.form != WEFT__H1_AUTHORITY;
        weft__h1_body_done(&body);
    }
    weft__h1_head_done(&head);
    return err < 0 ? err : err > 0 && at == message->len;
}

static void decode(const char *hex, struct message *message)
{
    message->len = strlen(hex) / 2;
    message->data = malloc(message->len + 1);
    ASSERT(message->data != NULL);
    for (size_t i = 0; i < message->len; i++)
        message->data[i] =
            (char)(weft__hex_value(hex[2 * i]) * 16 + weft__hex_value(hex[2 * i + 1]));
}

static int verdict(const json_t *row, bool request, size_t step)
{
    struct message message = {.request = request};
    decode(json_string_value(json_object_get(row, "input_hex")), &message);
    int err = read_all(&message, step < message.len ? step : message.len);
    free(message.data);
    return err;
}

TEST(llhttp_refusals_are_refused)
{
    json_error_t error;
    json_t *rows = json_load_file(test_shared("vectors/llhttp/llhttp-cases.json"), 0, &error);
    ASSERT(rows != NULL);
    int wrong = 0;
    int cases = 0;
    size_t index;
    json_t *row;
    json_array_foreach(rows, index, row)
    {
        const char *name = json_string_value(json_object_get(row, "name"));
        const char *type = json_string_value(json_object_get(row, "type"));
        bool request = strcmp(type, "request") == 0;
        if (!request && strcmp(type, "response") != 0)
            continue;
        cases++;
        int whole = verdict(row, request, SIZE_MAX);
        ASSERT_INT_EQ(verdict(row, request, 1), whole);
        /* A method of RTSP, which llhttp has a list of. */
        bool is_rtsp = strcmp(name, "HTTP protocol and ANNOUNCE method") == 0;
        if (whole > 0 && json_is_true(json_object_get(row, "expect_error")) && !is_rtsp) {
            printf("%s \"%s\" is accepted\n", type, name);
            wrong++;
        }
    }
    json_decref(rows);
    ASSERT_INT_EQ(wrong, 0);
    ASSERT_INT_GE(cases, 200);
}
