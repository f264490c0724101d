/*
 * server_cases.c - conversations with the server, byte for byte.
 *
 * The server is harness_server() with body_max 100, head_max 2048 and fields_max 20.
 */
#include "server_harness.h"

#define H             "Host: a\r\n"
#define TEXT          "Content-Type: text/plain; charset=utf-8\r\n"
#define OK(len, body) "HTTP/1.1 200 OK\r\n" TEXT "Content-Length: " len "\r\n\r\n" body
#define OK_CLOSE(len, body)                                                                        \
    "HTTP/1.1 200 OK\r\n" TEXT "Content-Length: " len "\r\nConnection: close\r\n\r\n" body
#define HI OK("2", "hi")
#define ECHO(len, body)                                                                            \
    "HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nContent-Length: " len "\r\n\r\n" body
#define CHUNKED(body)      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" body
#define NOT_FOUND          "HTTP/1.1 404 Not Found\r\n" TEXT "Content-Length: 14\r\n\r\n404 Not Found\n"
#define CONTINUE           "HTTP/1.1 100 Continue\r\n\r\n"
#define A64                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A512               A64 A64 A64 A64 A64 A64 A64 A64
#define F5                 "a:1\r\nb:1\r\nc:1\r\nd:1\r\ne:1\r\n"
#define GET(path)          "GET " path " HTTP/1.1\r\n" H "\r\n"
#define POST(path, fields) "POST " path " HTTP/1.1\r\n" H fields "\r\n"
#define CHUNKED_IN         POST("/echo", "Transfer-Encoding: chunked\r\n")

const struct server_case server_cases[] = {
    /* ---- plain ---- */
    {"get", GET("/hi"), 0, HI},
    {"root", GET("/"), 0, HI},
    {"two_in_turn", GET("/hi") GET("/users/7"), 0, HI OK("6", "user 7")},
    {"nothing", "", 0, NULL},
    {"head", "HEAD /hi HTTP/1.1\r\n" H "\r\n" GET("/hi"), 0,
     "HTTP/1.1 200 OK\r\n" TEXT "Content-Length: 2\r\n\r\n" HI},
    {"head_of_a_stream", "HEAD /stream HTTP/1.1\r\n" H "\r\n" GET("/hi"), 0,
     "HTTP/1.1 200 OK\r\n\r\n" HI},
    {"head_of_unknown", "HEAD /none HTTP/1.1\r\n" H "\r\n", 0,
     "HTTP/1.1 404 Not Found\r\n" TEXT "Content-Length: 14\r\n\r\n"},
    {"any_method", "BREW /any HTTP/1.1\r\n" H "\r\n", 0, HI},
    {"empty_lines_before", "\r\n\r\n" GET("/hi") "\r\n" GET("/hi"), 0, HI HI},
    {"absolute_form", "GET http://b.example:80/hi?x HTTP/1.1\r\n" H "\r\n", 0, HI},
    {"absolute_form_without_path", "GET http://b.example HTTP/1.1\r\n" H "\r\n", 0, HI},
    {"absolute_form_with_query_only", "GET http://b.example?x HTTP/1.1\r\n" H "\r\n", 0, HI},
    {"tabs_around_a_value", "GET /hi HTTP/1.1\r\nHost:\t a \t\r\n\r\n", 0, HI},
    {"empty_host", "GET /hi HTTP/1.1\r\nHost:\r\n\r\n", 0, HI},
    {"ipv6_host", "GET /hi HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 0, HI},
    {"request_fields", "GET /header HTTP/1.1\r\n" H "X-A: 1\r\nX-A: 2\r\n\r\n", 0, OK("3", "1 3")},
    {"own_date_and_server", GET("/own-fields"), 0,
     "HTTP/1.1 200 OK\r\nServer: mine\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
     "Content-Type: text/html\r\nContent-Length: 1\r\n\r\nx"},

    /* ---- routes ---- */
    {"literal_before_parameter", GET("/users/me"), 0, OK("2", "me")},
    {"parameter_is_decoded", GET("/users/a%20%2Fb"), 0, OK("9", "user a /b")},
    {"escaped_literal", GET("/%68i"), 0, HI},
    {"empty_parameter", GET("/users/"), 0, NOT_FOUND},
    {"rest", GET("/files/a/b//c%2Fd"), 0, OK("13", "rest a/b//c/d")},
    {"empty_rest", GET("/files/"), 0, OK("5", "rest ")},
    {"rest_without_slash", GET("/files"), 0, NOT_FOUND},
    {"trailing_slash_is_another_path", GET("/hi/"), 0, NOT_FOUND},
    {"dots_are_not_folded", GET("/x/../hi"), 0, NOT_FOUND},
    {"not_found", GET("/none"), 0, NOT_FOUND},
    {"method_not_allowed", "PUT /hi HTTP/1.1\r\n" H "\r\n" GET("/hi"), 0,
     "HTTP/1.1 405 Method Not Allowed\r\nAllow: GET, HEAD, POST\r\n" TEXT
     "Content-Length: 23\r\n\r\n405 Method Not Allowed\n" HI},
    {"methods_are_case_sensitive", "get /hi HTTP/1.1\r\n" H "\r\n", 0,
     "HTTP/1.1 405 Method Not Allowed\r\nAllow: GET, HEAD, POST\r\n" TEXT
     "Content-Length: 23\r\n\r\n405 Method Not Allowed\n"},
    {"options_of_a_path", "OPTIONS /hi HTTP/1.1\r\n" H "\r\n", 0,
     "HTTP/1.1 204 No Content\r\nAllow: GET, HEAD, POST, OPTIONS\r\n\r\n"},
    {"options_of_the_server", "OPTIONS * HTTP/1.1\r\n" H "\r\n" GET("/hi"), 0,
     "HTTP/1.1 204 No Content\r\n\r\n" HI},
    {"query", GET("/q?x=1+2&y=%41&x=3"), 0, OK("31", "/q x=1 2 y=A /q?x=1+2&y=%41&x=3")},
    {"no_query", GET("/q"), 0, OK("13", "/q x=- y=- /q")},
    {"empty_query", GET("/q?"), 0, OK("14", "/q x=- y=- /q?")},
    {"bad_escape_in_path", GET("/users/%zz") GET("/hi"), 0, NULL, 400},
    {"cut_escape_in_path", GET("/users/%4"), 0, NULL, 400},
    {"nul_in_path", GET("/users/a%00b"), 0, NULL, 400},
    {"connect", "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", 0, NULL, 501},

    /* ---- keep-alive ---- */
    {"close_by_the_client", "GET /hi HTTP/1.1\r\n" H "Connection: close\r\n\r\n" GET("/hi"), 0,
     OK_CLOSE("2", "hi")},
    {"close_by_the_handler", GET("/close") GET("/hi"), 0, OK_CLOSE("3", "bye")},
    {"http_1_0", "GET /hi HTTP/1.0\r\n\r\n" GET("/hi"), 0, OK_CLOSE("2", "hi")},
    {"http_1_0_keep_alive", "GET /hi HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n" GET("/hi"), 0,
     "HTTP/1.1 200 OK\r\n" TEXT "Connection: keep-alive\r\nContent-Length: 2\r\n\r\nhi" HI},
    {"http_1_0_stream_ends_by_close",
     "GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" GET("/hi"), 0,
     "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nab0123456789abcdef"},
    {"connection_list", "GET /hi HTTP/1.1\r\n" H "Connection: x, Close ,y\r\n\r\n" GET("/hi"), 0,
     OK_CLOSE("2", "hi")},

    /* ---- replies ---- */
    {"stream", GET("/stream") GET("/hi"), 0,
     CHUNKED("2\r\nab\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n") HI},
    {"no_content_has_no_body", GET("/204") GET("/hi"), 0,
     "HTTP/1.1 204 No Content\r\n" TEXT "\r\n" HI},
    {"not_modified_has_no_body", GET("/304") GET("/hi"), 0,
     "HTTP/1.1 304 Not Modified\r\n" TEXT "\r\n" HI},
    {"error_of_the_handler", GET("/error") GET("/hi"), 0,
     "HTTP/1.1 500 Internal Server Error\r\n" TEXT
     "Content-Length: 34\r\n\r\n500 Internal Server Error: ENOENT\n" HI},
    {"error_after_the_start_cuts", GET("/late-error") GET("/hi"), 0, CHUNKED("2\r\nab\r\n")},
    {"handler_without_reply", GET("/nothing") GET("/hi"), 0,
     "HTTP/1.1 500 Internal Server Error\r\n" TEXT
     "Content-Length: 35\r\n\r\n500 Internal Server Error: ENODATA\n" HI},
    {"handler_writes_too_little", GET("/too-short") GET("/hi"), 0,
     "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab"},
    {"handler_writes_too_much", GET("/too-long") GET("/hi"), 0,
     "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab"},
    {"response_splitting", GET("/split"), 0,
     "HTTP/1.1 200 OK\r\nX: 1\r\nX: 2\r\n" TEXT "Content-Length: 4\r\n\r\nsafe"},

    /* ---- bodies ---- */
    {"body", POST("/echo", "Content-Length: 5\r\n") "hello" GET("/hi"), 0, ECHO("5", "hello") HI},
    {"empty_body", POST("/echo", "Content-Length: 0\r\n") GET("/hi"), 0, ECHO("0", "") HI},
    {"no_body", POST("/echo", "") GET("/hi"), 0, ECHO("0", "") HI},
    {"body_of_a_get", "GET /hi HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc" GET("/hi"), 0, HI HI},
    {"unread_body", POST("/hi", "Content-Length: 5\r\n") "hello" GET("/hi"), 0,
     OK("6", "posted") HI},
    {"unread_chunked_body",
     POST("/hi", "Transfer-Encoding: chunked\r\n") "5\r\nhello\r\n0\r\n\r\n" GET("/hi"), 0,
     OK("6", "posted") HI},
    {"unread_bad_chunked_body",
     POST("/hi", "Transfer-Encoding: chunked\r\n") "5\r\nhelloX" GET("/hi"), 0, OK("6", "posted")},
    {"body_of_unknown_path", POST("/none", "Content-Length: 5\r\n") "hello" GET("/hi"), 0,
     NOT_FOUND HI},
    {"body_at_the_limit",
     POST("/stream-echo", "Content-Length: 100\r\n") A64 "0123456789012345678901234567890123456"
                                                         "\r\n" GET("/hi"),
     0, CHUNKED("64\r\n" A64 "012345678901234567890123456789012345\r\n0\r\n\r\n"), 400},
    {"body_beyond_the_limit", POST("/echo", "Content-Length: 101\r\n") A64 GET("/hi"), 0, NULL,
     413},
    {"body_beyond_2_to_the_63", POST("/echo", "Content-Length: 9223372036854775808\r\n"), 0, NULL,
     400},
    {"largest_length", POST("/echo", "Content-Length: 9223372036854775807\r\n"), 0, NULL, 413},
    {"cut_body", POST("/echo", "Content-Length: 5\r\n") "hel", 0, NULL, 400},
    {"chunked", CHUNKED_IN "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n" GET("/hi"), 0,
     ECHO("11", "hello world") HI},
    {"chunked_in_pieces",
     POST("/stream-echo",
          "Transfer-Encoding: chunked\r\n") "a\r\n0123456789\r\n0\r\n\r\n" GET("/hi"),
     0, CHUNKED("a\r\n0123456789\r\n0\r\n\r\n") HI},
    {"chunk_extensions", CHUNKED_IN "2;a=b;c=\"d;\\\"e\";f\r\nab\r\n0;x\r\n\r\n" GET("/hi"), 0,
     ECHO("2", "ab") HI},
    {"trailers", CHUNKED_IN "2\r\nab\r\n0\r\nX: y\r\nContent-Length: 9\r\n\r\n" GET("/hi"), 0,
     ECHO("2", "ab") HI},
    {"upper_case_sizes", CHUNKED_IN "A\r\n0123456789\r\n00\r\n\r\n", 0, ECHO("10", "0123456789")},
    {"chunked_beyond_the_limit",
     CHUNKED_IN "40\r\n" A64 "\r\n40\r\n" A64 "\r\n0\r\n\r\n" GET("/hi"), 0, NULL, 413},
    {"huge_chunk_size", CHUNKED_IN "ffffffffffffffff\r\n", 0, NULL, 400},
    {"long_chunk_size", CHUNKED_IN "00000000000000001\r\na\r\n0\r\n\r\n", 0, NULL, 400},
    {"chunk_size_with_0x", CHUNKED_IN "0x1\r\na\r\n0\r\n\r\n", 0, NULL, 400},
    {"chunk_size_with_sign", CHUNKED_IN "+1\r\na\r\n0\r\n\r\n", 0, NULL, 400},
    {"chunk_size_with_blank_before", CHUNKED_IN " 1\r\na\r\n0\r\n\r\n", 0, NULL, 400},
    {"chunk_size_with_underscore", CHUNKED_IN "1_0\r\na\r\n0\r\n\r\n", 0, NULL, 400},
    {"chunk_size_missing", CHUNKED_IN "\r\na\r\n0\r\n\r\n", 0, NULL, 400},
    {"chunk_size_ends_with_lf", CHUNKED_IN "1\na\r\n0\r\n\r\n", 0, NULL, 400},
    {"chunk_data_too_long", CHUNKED_IN "1\r\nab\r\n0\r\n\r\n", 0, NULL, 400},
    {"chunk_ends_with_lf", CHUNKED_IN "1\r\na\n0\r\n\r\n", 0, NULL, 400},
    {"chunk_extension_with_lf", CHUNKED_IN "1;a\nb\r\na\r\n0\r\n\r\n", 0, NULL, 400},
    {"chunked_cut", CHUNKED_IN "5\r\nhel", 0, NULL, 400},
    {"chunked_without_end", CHUNKED_IN "1\r\na\r\n0\r\n", 0, NULL, 400},
    {"trailer_with_space", CHUNKED_IN "1\r\na\r\n0\r\nX : y\r\n\r\n", 0, NULL, 400},
    {"json", POST("/json", "Content-Length: 16\r\n") "{\"a\": [1, true]}", 0,
     "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n"
     "{\"a\":[1,true]}"},
    {"json_of_another_type", GET("/problem"), 0,
     "HTTP/1.1 422 Unprocessable Content\r\nContent-Type: application/problem+json\r\n"
     "Content-Length: 14\r\n\r\n{\"status\":422}"},
    {"bad_json", POST("/json", "Content-Length: 4\r\n") "{\"a\"" GET("/hi"), 0,
     "HTTP/1.1 400 Bad Request\r\n" TEXT "Content-Length: 16\r\n\r\n400 Bad Request\n" HI},
    {"no_json", POST("/json", ""), 0,
     "HTTP/1.1 400 Bad Request\r\n" TEXT "Content-Length: 16\r\n\r\n400 Bad Request\n"},

    /* ---- 100-continue ---- */
    {"continue_is_not_sent_before_the_body_is_read",
     POST("/hi", "Expect: 100-continue\r\nContent-Length: 5\r\n"), 0, OK_CLOSE("6", "posted")},
    {"continue_without_body", POST("/echo", "Expect: 100-continue\r\nContent-Length: 0\r\n"), 0,
     ECHO("0", "")},
    {"continue_in_http_1_0",
     "POST /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na", 0,
     "HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nContent-Length: 1\r\nConnection: close\r\n\r\na"},
    {"other_expectation", POST("/echo", "Expect: 200-ok\r\nContent-Length: 1\r\n") "a", 0, NULL,
     417},
    {"too_large_body_expected", POST("/echo", "Expect: 100-continue\r\nContent-Length: 101\r\n"), 0,
     NULL, 413},

    /* ---- smuggling and bad syntax ---- */
    {"length_and_chunked",
     POST("/echo", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") "0\r\n\r\n" GET("/hi"), 0,
     NULL, 400},
    {"chunked_and_length",
     POST("/echo", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n") "0\r\n\r\n" GET("/hi"), 0,
     NULL, 400},
    {"two_lengths", POST("/echo", "Content-Length: 1\r\nContent-Length: 2\r\n") "ab", 0, NULL, 400},
    {"two_equal_lengths", POST("/echo", "Content-Length: 1\r\nContent-Length: 1\r\n") "a", 0, NULL,
     400},
    {"list_of_lengths", POST("/echo", "Content-Length: 1, 1\r\n") "a", 0, NULL, 400},
    {"length_with_sign", POST("/echo", "Content-Length: +1\r\n") "a", 0, NULL, 400},
    {"negative_length", POST("/echo", "Content-Length: -1\r\n") "a", 0, NULL, 400},
    {"hexadecimal_length", POST("/echo", "Content-Length: 0x1\r\n") "a", 0, NULL, 400},
    {"empty_length", POST("/echo", "Content-Length:\r\n"), 0, NULL, 400},
    {"length_with_blank_inside", POST("/echo", "Content-Length: 1 0\r\n") "a", 0, NULL, 400},
    {"unknown_coding", POST("/echo", "Transfer-Encoding: gzip, chunked\r\n"), 0, NULL, 501},
    {"identity_coding", POST("/echo", "Transfer-Encoding: identity\r\n"), 0, NULL, 501},
    {"chunked_twice", POST("/echo", "Transfer-Encoding: chunked, chunked\r\n"), 0, NULL, 400},
    {"chunked_in_two_fields",
     POST("/echo", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 0, NULL, 400},
    {"chunked_with_tail", POST("/echo", "Transfer-Encoding: chunkedx\r\n"), 0, NULL, 501},
    {"empty_coding", POST("/echo", "Transfer-Encoding: \r\n"), 0, NULL, 400},
    {"chunked_in_http_1_0", "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0,
     NULL, 400},
    {"bare_lf", "GET /hi HTTP/1.1\nHost: a\n\n", 0, NULL, 400},
    {"bare_lf_in_a_field", "GET /hi HTTP/1.1\r\n" H "X: a\nY: b\r\n\r\n", 0, NULL, 400},
    {"bare_cr", "GET /hi HTTP/1.1\r\n" H "X: a\rb\r\n\r\n", 0, NULL, 400},
    {"nul_in_a_value", "GET /hi HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n", 36, NULL, 400},
    {"folded_field", "GET /hi HTTP/1.1\r\n" H "X: a\r\n b\r\n\r\n", 0, NULL, 400},
    {"blank_before_the_first_field", "GET /hi HTTP/1.1\r\n X: a\r\n" H "\r\n", 0, NULL, 400},
    {"space_before_the_colon", "GET /hi HTTP/1.1\r\nHost : a\r\n\r\n", 0, NULL, 400},
    {"field_without_colon", "GET /hi HTTP/1.1\r\n" H "X\r\n\r\n", 0, NULL, 400},
    {"field_without_name", "GET /hi HTTP/1.1\r\n" H ": x\r\n\r\n", 0, NULL, 400},
    {"no_host", "GET /hi HTTP/1.1\r\n\r\n", 0, NULL, 400},
    {"two_hosts", "GET /hi HTTP/1.1\r\n" H H "\r\n", 0, NULL, 400},
    {"bad_host", "GET /hi HTTP/1.1\r\nHost: a b\r\n\r\n", 0, NULL, 400},
    {"host_with_path", "GET /hi HTTP/1.1\r\nHost: a/b\r\n\r\n", 0, NULL, 400},
    {"host_with_user", "GET /hi HTTP/1.1\r\nHost: u@a\r\n\r\n", 0, NULL, 400},
    {"host_with_bad_port", "GET /hi HTTP/1.1\r\nHost: a:x\r\n\r\n", 0, NULL, 400},
    {"two_spaces_in_the_request_line", "GET  /hi HTTP/1.1\r\n" H "\r\n", 0, NULL, 400},
    {"space_behind_the_request_line", "GET /hi HTTP/1.1 \r\n" H "\r\n", 0, NULL, 400},
    {"tab_in_the_request_line", "GET\t/hi HTTP/1.1\r\n" H "\r\n", 0, NULL, 400},
    {"relative_target", "GET hi HTTP/1.1\r\n" H "\r\n", 0, NULL, 400},
    {"asterisk_of_a_get", "GET * HTTP/1.1\r\n" H "\r\n", 0, NULL, 400},
    {"http_0_9", "GET /hi\r\n", 0, NULL, 400},
    {"http_2_0", "GET /hi HTTP/2.0\r\n" H "\r\n", 0, NULL, 505},
    {"http_1_2", "GET /hi HTTP/1.2\r\n" H "\r\n", 0, NULL, 505},
    {"http_2_preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0, NULL, 505},
    {"lower_case_version", "GET /hi http/1.1\r\n" H "\r\n", 0, NULL, 400},
    {"tls_hello",
     "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
     "abcdefgh",
     19, NULL, 400},
    {"bad_method", "G@T /hi HTTP/1.1\r\n" H "\r\n", 0, NULL, 400},
    {"cut_head", "GET /hi HTTP/1.1\r\nHo", 0, NULL, 400},
    {"second_request_is_bad", GET("/hi") "\001\r\n\r\n", 0, HI, 400},

    /* ---- limits ---- */
    {"head_beyond_the_limit", "GET /hi HTTP/1.1\r\n" H "X: " A512 A512 A512 A512 "\r\n\r\n", 0,
     NULL, 431, .long_one = true},
    {"head_of_many_lines",
     "GET /hi HTTP/1.1\r\n" H "X: " A512 "\r\nY: " A512 "\r\nZ: " A512 "\r\nA: " A512 "\r\n\r\n", 0,
     NULL, 431, .long_one = true},
    {"twenty_fields", "GET /hi HTTP/1.1\r\n" H F5 F5 F5 "a:1\r\nb:1\r\nc:1\r\nd:1\r\n\r\n", 0, HI},
    {"twenty_one_fields", "GET /hi HTTP/1.1\r\n" H F5 F5 F5 F5 "\r\n", 0, NULL, 431},
};
const size_t n_server_cases = sizeof server_cases / sizeof server_cases[0];
