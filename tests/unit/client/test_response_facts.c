/* What a response says of itself: its status and what follows from it, its reason, URL and sizes. */
#include <stdio.h>
#include <string.h>

#include <weft.h>

#include "call_world.h"

/* ---- statuses ---- */

static const struct {
    int status;
    const char *head;   /* what stands behind the status */
    const char *reason; /* of the response */
    bool success;
    bool redirect;
    bool client_error;
    bool server_error;
    bool location;
} statuses[] = {
    {200, " OK\r\n" EMPTY, "OK", true, false, false, false, false},
    {204, " No Content\r\n\r\n", "No Content", true, false, false, false, false},
    {299, " Odd, But Fine\r\n" EMPTY, "Odd, But Fine", true, false, false, false, false},
    {300, " Multiple Choices\r\nLocation: /y\r\n" EMPTY, "Multiple Choices", .redirect = true},
    {301, " Moved Permanently\r\nLocation: /y\r\n" EMPTY, "Moved Permanently", .redirect = true,
     .location = true},
    {303, " See Other\r\n" EMPTY, "See Other", .redirect = true},
    {304, " Not Modified\r\nLocation: /y\r\n\r\n", "Not Modified", .redirect = true},
    {307, " Temporary Redirect\r\nlocation: /y\r\n" EMPTY, "Temporary Redirect", .redirect = true,
     .location = true},
    {308, "\r\nLocation: /y\r\n" EMPTY, "", .redirect = true, .location = true},
    {400, " Bad Request\r\n" EMPTY, "Bad Request", .client_error = true},
    {404, "\r\n" EMPTY, "", .client_error = true},
    {499, " Odd\r\n" EMPTY, "Odd", .client_error = true},
    {500, " Internal Server Error\r\n" EMPTY, "Internal Server Error", .server_error = true},
    {599, " \r\n" EMPTY, "", .server_error = true},
    {600, " Beyond\r\n" EMPTY, "Beyond", false},
    {999, " Far Beyond\r\n" EMPTY, "Far Beyond", false},
};

static void check_status(size_t i)
{
    char text[256];
    struct wire_answer answer = {text};
    struct world world;
    weft_response *response = NULL;
    snprintf(text, sizeof text, "HTTP/1.1 %d%s", statuses[i].status, statuses[i].head);
    begin(&world, &answer, 1, NULL);
    ASSERT_OK(weft_client_get(world.client, URL, NULL, &response));
    ASSERT_INT_EQ(weft_response_status(response), statuses[i].status);
    /* HTTP/2 has no reason phrases. */
    ASSERT_STR_EQ(weft_response_reason(response),
                  test_is_over_h2() ? weft_status_reason(statuses[i].status) : statuses[i].reason);
    ASSERT(!(weft_response_is_informational(response)));
    ASSERT_INT_EQ(weft_response_is_success(response), statuses[i].success);
    ASSERT_INT_EQ(weft_response_is_redirect(response), statuses[i].redirect);
    ASSERT_INT_EQ(weft_response_is_client_error(response), statuses[i].client_error);
    ASSERT_INT_EQ(weft_response_is_server_error(response), statuses[i].server_error);
    ASSERT_INT_EQ(weft_response_is_error(response),
                  statuses[i].client_error || statuses[i].server_error);
    ASSERT_INT_EQ(weft_response_has_redirect_location(response), statuses[i].location);
    bool error = statuses[i].status >= 400; /* RFC 9110 15: what is beyond is like 5xx */
    ASSERT_INT_EQ(weft_response_raise_for_status(response), error ? WEFT_EHTTP_STATUS : 0);
    if (error) {
        snprintf(text, sizeof text, "%d", statuses[i].status);
        ASSERT_STR_HAS(weft_error_message(), text);
        ASSERT_STR_HAS(weft_error_message(), " for url " URL);
    }
    weft_response_free(response);
    end(&world);
}

VIRTUAL_TEST(status_says_what_follows_from_it)
{
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
        check_status(i);
}

VIRTUAL_TEST(status_that_is_raised_hides_the_password)
{
    static const struct wire_answer answer = {"HTTP/1.1 403 Forbidden\r\n" EMPTY};
    struct world world;
    weft_response *response = NULL;
    begin(&world, &answer, 1, NULL);
    ASSERT_OK(weft_client_get(world.client, "http://kim:hidden@example.org/x", NULL, &response));
    ASSERT_STR_HAS(weft_response_url(response), "kim:hidden@");
    ASSERT_ERR(weft_response_raise_for_status(response), WEFT_EHTTP_STATUS);
    ASSERT_STR_HAS(weft_error_message(), "403 Forbidden for url http://");
    ASSERT_STR_LACKS(weft_error_message(), "hidden");
    weft_response_free(response);
    end(&world);
}

/* ---- fields ---- */

VIRTUAL_TEST(fields_of_a_response_keep_their_order_case_and_repeats)
{
    static const struct wire_answer answer = {
        "HTTP/1.1 200 OK\r\nX-b: 1\r\nx-A: 2\r\nX-B: 3\r\nEmpty:\r\nContent-Length: 2\r\n\r\nok"};
    static const weft_pair expected[] = {
        {"X-b", "1"}, {"x-A", "2"}, {"X-B", "3"}, {"Empty", ""}, {"Content-Length", "2"}};
    struct world world;
    weft_response *response = NULL;
    begin(&world, &answer, 1, NULL);
    ASSERT_OK(weft_client_get(world.client, URL, NULL, &response));
    const weft_headers *headers = weft_response_headers(response);
    ASSERT_INT_EQ(weft_headers_count(headers), 5);
    for (size_t i = 0; i < 5; i++) {
        const char *name = weft_headers_at(headers, i).name;
        if (!test_is_over_h2())
            ASSERT_STR_EQ(name, expected[i].name);
        ASSERT_INT_EQ(strcasecmp(name, expected[i].name), 0);
        ASSERT_STR_EQ(weft_headers_at(headers, i).value, expected[i].value);
    }
    ASSERT_STR_EQ(weft_response_header(response, "x-b"), "1");
    ASSERT_STR_EQ(weft_headers_get_nth(headers, "x-b", 1), "3");
    ASSERT(weft_response_header(response, "x-c") == NULL);
    ASSERT_INT_EQ(weft_response_content_length(response), 2);
    weft_response_free(response);
    end(&world);
}

/* ---- a body as it comes ---- */

VIRTUAL_TEST(bytes_of_a_stream_are_counted_as_they_come)
{
    static const struct wire_answer answer = {
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"};
    struct world world;
    weft_response *response = NULL;
    char data[8];
    uint64_t got = 0;
    int64_t n;
    begin(&world, &answer, 1, NULL);
    ASSERT_OK(weft_client_stream(world.client, "GET", URL, NULL, &response));
    ASSERT_INT_EQ(weft_response_num_bytes_downloaded(response), 0);
    ASSERT_INT_EQ(weft_response_content_length(response), -1);
    ASSERT(!(weft_response_is_stream_consumed(response)));
    while ((n = weft_response_read(response, data, 2)) > 0) {
        got += (uint64_t)n;
        ASSERT(weft_response_num_bytes_downloaded(response) >= got);
        ASSERT(weft_response_is_stream_consumed(response));
    }
    ASSERT_INT_EQ(n, 0);
    ASSERT_INT_EQ(got, 7);
    ASSERT_INT_EQ(weft_response_num_bytes_downloaded(response), 7);
    ASSERT(weft_response_is_closed(response));
    ASSERT_INT_EQ(weft_response_read(response, data, 2), 0);
    weft_response_free(response);
    end(&world);
}

VIRTUAL_TEST(body_without_bytes_has_no_pieces)
{
    static const struct wire_answer answers[] = {
        {"HTTP/1.1 200 OK\r\n" EMPTY},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        {"HTTP/1.1 204 No Content\r\n\r\n"}};
    struct world world;
    char data[8];
    const void *piece;
    const char *text;
    size_t len;
    begin(&world, answers, 3, NULL);
    for (int i = 0; i < 3; i++) {
        weft_response *response = NULL;
        ASSERT_OK(weft_client_stream(world.client, "GET", URL, NULL, &response));
        if (i == 0)
            ASSERT_INT_EQ(weft_response_read_chunk(response, 8, &piece), 0);
        else if (i == 1)
            ASSERT_INT_EQ(weft_response_read_line(response, &text, &len), 0);
        else
            ASSERT_INT_EQ(weft_response_read_raw(response, data, sizeof data), 0);
        weft_response_free(response);
    }
    end(&world);
}

VIRTUAL_TEST(text_of_a_stream_is_there_once_it_was_read)
{
    static const struct wire_answer answer = {GOOD};
    struct world world;
    weft_response *response = NULL;
    size_t len = 99;
    begin(&world, &answer, 1, NULL);
    ASSERT_OK(weft_client_stream(world.client, "GET", URL, NULL, &response));
    ASSERT(weft_response_text(response, &len) == NULL);
    ASSERT_STR_HAS(weft_error_message(), "not read");
    ASSERT(weft_response_content(response, &len) == NULL);
    ASSERT_INT_EQ(weft_response_elapsed(response), 0);
    ASSERT_OK(weft_response_read_all(response));
    ASSERT_OK(weft_response_read_all(response));
    ASSERT_STR_EQ(weft_response_text(response, &len), "ok");
    ASSERT_INT_EQ(len, 2);
    weft_response_free(response);
    end(&world);
}

/* ---- what a client adds ---- */

VIRTUAL_TEST(params_of_client_and_request_are_both_sent)
{
    static const struct wire_answer answer = {GOOD};
    struct world world;
    weft_response *response = NULL;
    begin(&world, &answer, 1, WEFT_CLIENT(.params = PAIRS({"first", "str"})));
    ASSERT_OK(weft_client_get(world.client, "http://example.org/q?zero=0",
                              WEFT_REQUEST(.params = PAIRS({"second", "a b"}, {"second", "&"})),
                              &response));
    ASSERT_STR_EQ(weft_response_url(response),
                  "http://example.org/q?zero=0&first=str&second=a+b&second=%26");
    ASSERT_STR_HAS(world.wire.requests[0],
                   "GET /q?zero=0&first=str&second=a+b&second=%26 HTTP/1.1\r\n");
    weft_response_free(response);
    ASSERT_INT_EQ(request(&world, "GET", "http://example.org/q", NULL), 200);
    ASSERT_STR_HAS(world.wire.requests[1], "GET /q?first=str HTTP/1.1\r\n");
    end(&world);
}
