/*
 * bench_h1_parse.c - HTTP/1 heads: parsing a response as a web server sends it, writing a
 * request as the client does.
 */
#include <weft/http.h>

#include "proto/h1.h"

#include "bench.h"

static const char response[] = "HTTP/1.1 200 OK\r\n"
                               "Server: nginx/1.22.1\r\n"
                               "Date: Mon, 23 Nov 2026 08:00:00 GMT\r\n"
                               "Content-Type: application/json; charset=utf-8\r\n"
                               "Content-Length: 1024\r\n"
                               "Last-Modified: Sun, 22 Nov 2026 08:00:00 GMT\r\n"
                               "Connection: keep-alive\r\n"
                               "ETag: \"6561a1b0-400\"\r\n"
                               "Accept-Ranges: bytes\r\n"
                               "\r\n";

static const char request[] = "GET /users/42?page=2 HTTP/1.1\r\n"
                              "Host: api.example.com\r\n"
                              "Accept: */*\r\n"
                              "User-Agent: weft/0.1.0\r\n"
                              "Authorization: Bearer 0123456789abcdef\r\n"
                              "\r\n";

static void parse_response(long n)
{
    struct weft__h1_head head;
    char data[sizeof response];
    memcpy(data, response, sizeof response);
    weft__h1_head_init(&head);
    while (n-- > 0) {
        weft__h1_head_reset(&head, "GET");
        if (weft__h1_parse_response(&head, data, sizeof response - 1, &weft__h1_response_limits) !=
            (int)sizeof response - 1)
            exit(1);
    }
    weft__h1_head_done(&head);
}

static void parse_request(long n)
{
    struct weft__h1_head head;
    weft__h1_head_init(&head);
    while (n-- > 0) {
        weft__h1_head_reset(&head, NULL);
        if (weft__h1_parse_request(&head, request, sizeof request - 1, &weft__h1_request_limits) !=
            (int)sizeof request - 1)
            exit(1);
    }
    weft__h1_head_done(&head);
}

static void parse_url(long n)
{
    while (n-- > 0) {
        weft_url *url;
        if (weft_url_parse("https://api.example.com/users/42?page=2", NULL, &url) < 0)
            exit(1);
        weft_url_free(url);
    }
}

int main(void)
{
    printf("response head of %zu bytes, request head of %zu bytes\n", sizeof response - 1,
           sizeof request - 1);
    bench_loop("parse a response head, 8 fields", parse_response, 1000000);
    bench_loop("parse a request head, 4 fields", parse_request, 1000000);
    bench_loop("parse a URL", parse_url, 1000000);
    return 0;
}
