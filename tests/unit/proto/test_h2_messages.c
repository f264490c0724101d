/* HTTP/2 sessions: what messages look like, ours and theirs. */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "h2_frames.h"

/* ---- requests ---- */

static void open_with(struct peer *peer, struct weft__h2_request request, const char *const *pairs)
{
    weft_headers *headers;
    struct weft__h2_stream *stream;
    ASSERT_OK(weft_headers_new(&headers));
    for (; *pairs != NULL; pairs += 2)
        ASSERT_OK(weft_headers_add(headers, pairs[0], pairs[1]));
    request.headers = headers;
    if (request.method == NULL)
        request.method = "GET";
    if (request.scheme == NULL && strcmp(request.method, "CONNECT") != 0)
        request.scheme = "https";
    if (request.authority == NULL)
        request.authority = "a";
    if (request.path == NULL)
        request.path = "/";
    ASSERT_OK(weft__h2_open(peer->h2, &request, peer, &stream));
    /* What was given may be gone before the output. */
    weft_headers_free(headers);
    peer_fetch(peer);
    weft__h2_stream_free(stream);
    peer_fetch(peer);
}

#define PAIRS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define PSEUDO     ":method: GET\n:scheme: https\n:authority: a\n:path: /\n"

CONVERSATION(request_names_are_sent_in_lower_case)
{
    open_with(peer, (struct weft__h2_request){0},
              PAIRS("X-Mixed-CASE", "Kept As Is", "aCCept", "*/*"));
    ASSERT_STR_EQ(peer->fields, PSEUDO "x-mixed-case: Kept As Is\naccept: */*\n");
}

CONVERSATION(request_fields_of_a_connection_are_left_out)
{
    open_with(peer, (struct weft__h2_request){0},
              PAIRS("Connection", "keep-alive", "Keep-Alive", "timeout=5", "Transfer-Encoding",
                    "chunked", "Upgrade", "h2c", "Proxy-Connection", "close", "HTTP2-Settings",
                    "AAMAAABk", "TE", "gzip", "Content-Length", "7", "X-Kept", "1"));
    ASSERT_STR_EQ(peer->fields, PSEUDO "x-kept: 1\n");
    open_with(peer, (struct weft__h2_request){0}, PAIRS("TE", "trailers"));
    ASSERT_STR_EQ(peer->fields, PSEUDO "te: trailers\n");
}

/* RFC 9110 7.6.1 */
CONVERSATION(request_fields_that_connection_names_are_left_out)
{
    open_with(peer, (struct weft__h2_request){0},
              PAIRS("X-Hop", "1", "Connection", "close, x-hop ,, X-OTHER", "X-Kept", "2", "x-other",
                    "3", "X-Hop", "4"));
    ASSERT_STR_EQ(peer->fields, PSEUDO "x-kept: 2\n");
    open_with(peer, (struct weft__h2_request){0},
              PAIRS("connection", "a", "A", "1", "Connection", "b", "B", "2", "ab", "3"));
    ASSERT_STR_EQ(peer->fields, PSEUDO "ab: 3\n");
    /* What HTTP/1.1 wants of TE is no reason to drop it here. */
    open_with(peer, (struct weft__h2_request){0}, PAIRS("TE", "trailers", "Connection", "te"));
    ASSERT_STR_EQ(peer->fields, PSEUDO "te: trailers\n");
}

CONVERSATION(request_host_becomes_the_authority)
{
    open_with(peer, (struct weft__h2_request){.authority = "b"}, PAIRS("host", "other.example"));
    ASSERT_STR_EQ(peer->fields,
                  ":method: GET\n:scheme: https\n:authority: other.example\n:path: /\n");
}

CONVERSATION(request_length_is_sent_where_it_is_known)
{
    open_with(peer,
              (struct weft__h2_request){.sized = true, .length = 1234567890123, .has_body = true},
              PAIRS("Content-Length", "5", "a", "b"));
    ASSERT_STR_EQ(peer->fields, PSEUDO "a: b\ncontent-length: 1234567890123\n");
}

CONVERSATION(request_body_of_length_0_ends_with_the_head)
{
    const struct weft__h2_request request = {.method = "PUT",
                                             .scheme = "https",
                                             .authority = "a",
                                             .path = "/",
                                             .has_body = true,
                                             .sized = true};
    struct weft__h2_stream *stream;
    ASSERT_OK(weft__h2_open(peer->h2, &request, peer, &stream));
    ASSERT_OK(weft__h2_write_end(stream));
    peer_fetch(peer);
    ASSERT_INT_EQ(peer_expect(peer, NGHTTP2_HEADERS, 1)->flags, END_HEADERS | END_STREAM);
    ASSERT_STR_HAS(peer->fields, "content-length: 0\n");
    ASSERT(weft__h2_is_written(stream));
    weft__h2_stream_free(stream);
}

CONVERSATION(request_secrets_are_never_indexed)
{
    static char name[] = "X-Mine";
    static char *const names[] = {name, NULL};
    for (int i = 0; i < 2; i++) {
        open_with(peer, (struct weft__h2_request){.secret_fields = names},
                  PAIRS("Authorization", "Bearer abc", "Cookie", "a=1; b=2", "Proxy-Authorization",
                        "Basic eDp5", "X-Api-Key", "k", "X-Mine", "m", "User-Agent", "weft"));
        ASSERT_STR_EQ(peer->fields, PSEUDO "authorization: Bearer abc (never)\n"
                                           "cookie: a=1; b=2 (never)\n"
                                           "proxy-authorization: Basic eDp5 (never)\n"
                                           "x-api-key: k (never)\nx-mine: m (never)\n"
                                           "user-agent: weft\n");
    }
}

CONVERSATION(request_fields_that_change_do_not_fill_the_table)
{
    open_with(peer, (struct weft__h2_request){0},
              PAIRS("Range", "bytes=1-2", "If-None-Match", "\"1\"", "Traceparent", "00-1-2-3",
                    "Date", "now", "Idempotency-Key", "1"));
    /* :authority alone. */
    ASSERT_INT_LE(nghttp2_hd_inflate_get_dynamic_table_size(peer->inflater), 32 + 10 + 1);
}

CONVERSATION(request_that_is_repeated_is_a_few_bytes)
{
    const char *const pairs[] = {"User-Agent", "weft/0.1.0",      "Accept",
                                 "*/*",        "Accept-Encoding", "gzip, deflate, br, zstd",
                                 NULL};
    open_with(peer, (struct weft__h2_request){.authority = "a.example.org", .path = "/"}, pairs);
    open_with(peer, (struct weft__h2_request){.authority = "a.example.org", .path = "/"}, pairs);
    peer_expect(peer, NGHTTP2_HEADERS, 1);
    ASSERT_INT_LE(peer_expect(peer, NGHTTP2_HEADERS, 3)->len, 7);
}

CONVERSATION(request_head_beyond_its_limit_is_refused)
{
    enum { LONG = WEFT__LIMIT_H2_HEADER_LIST };
    char *value = weft__calloc(1, LONG + 1);
    const char *const names[] = {":method GET", ":scheme https", ":authority a", ":path /", "x"};
    size_t other = 0;
    weft_headers *headers;
    struct weft__h2_stream *stream = NULL;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        other += 32 + strlen(names[i]) - (i < 4);
    memset(value, 'v', LONG);
    for (int over = 0; over < 2; over++) {
        ASSERT_OK(weft_headers_new(&headers));
        value[LONG - other + (size_t)over] = '\0';
        ASSERT_OK(weft_headers_add(headers, "x", value));
        value[LONG - other + (size_t)over] = 'v';
        const struct weft__h2_request request = {
            .method = "GET", .scheme = "https", .authority = "a", .path = "/", .headers = headers};
        int err = weft__h2_open(peer->h2, &request, peer, &stream);
        weft_headers_free(headers);
        ASSERT_INT_EQ(err, over ? WEFT_EHEADER_TOO_LARGE : 0);
    }
    peer_fetch(peer);
    ASSERT_OK(weft__h2_stream_error(stream));
    ASSERT(stream->sent);
    ASSERT_INT_EQ(weft__h2_streams(peer->h2), 1);
    weft__free(value);
}

CONVERSATION(connect_has_neither_scheme_nor_path_and_goes_both_ways)
{
    const struct weft__h2_request request = {
        .method = "CONNECT", .authority = "a:1", .path = "/", .has_body = true};
    struct weft__h2_stream *stream;
    ASSERT_OK(weft__h2_open(peer->h2, &request, peer, &stream));
    peer_fetch(peer);
    ASSERT_STR_EQ(peer->fields, ":method: CONNECT\n:authority: a:1\n");
    peer_headers(peer, 1, 0, STATUS_200);
    peer_data(peer, 1, 0, "from there");
    ASSERT_OK(peer_feed(peer));
    peer_expect_data(stream, "from there");
    ASSERT_INT_EQ(weft__h2_write(stream, "from here", 9), 9);
    peer_fetch(peer);
    ASSERT_INT_EQ(peer_data_sent(peer, 1), 9);
    peer_data(peer, 1, END_STREAM, "");
    ASSERT_OK(peer_feed(peer));
    ASSERT(weft__h2_is_ended(stream));
    ASSERT_INT_EQ(weft__h2_write(stream, "more", 4), 4);
    ASSERT_OK(weft__h2_write_end(stream));
    peer_fetch(peer);
    ASSERT_INT_EQ(peer_data_sent(peer, 1), 13);
    ASSERT_INT_EQ(weft__h2_streams(peer->h2), 0);
    weft__h2_stream_free(stream);
}

CONVERSATION(connect_that_names_a_protocol_has_scheme_and_path)
{
    open_with(peer,
              (struct weft__h2_request){.method = "CONNECT",
                                        .protocol = "websocket",
                                        .scheme = "https",
                                        .path = "/chat",
                                        .has_body = true},
              PAIRS("Upgrade", "websocket", "Connection", "Upgrade", "Host", "b"));
    ASSERT_STR_EQ(peer->fields, ":method: CONNECT\n:protocol: websocket\n:scheme: https\n"
                                ":authority: b\n:path: /chat\n");
}

CONVERSATION(connect_is_to_its_authority_whatever_host_says)
{
    open_with(peer,
              (struct weft__h2_request){.method = "CONNECT", .authority = "a:1", .has_body = true},
              PAIRS("Host", "b"));
    ASSERT_STR_EQ(peer->fields, ":method: CONNECT\n:authority: a:1\n");
}

CONVERSATION(connect_that_is_refused_is_an_answer)
{
    const struct weft__h2_request request = {
        .method = "CONNECT", .authority = "a:1", .has_body = true};
    struct weft__h2_stream *stream;
    ASSERT_OK(weft__h2_open(peer->h2, &request, peer, &stream));
    peer_headers(peer, 1, 0, FIELDS({":status", "407"}, {"content-length", "2"}));
    peer_data(peer, 1, END_STREAM, "no");
    ASSERT_OK(peer_feed(peer));
    ASSERT_INT_EQ(weft__h2_status(stream), 407);
    peer_expect_data(stream, "no");
    weft__h2_stream_free(stream);
}

/* ---- responses ---- */

CONVERSATION(interim_responses_come_before_the_final_one)
{
    struct weft__h2_stream *stream = peer_get(peer, "/");
    peer_headers(peer, 1, 0, FIELDS({":status", "103"}, {"link", "</a>"}));
    ASSERT_OK(peer_feed(peer));
    ASSERT_INT_EQ(peer->interims, 1);
    ASSERT_INT_EQ(peer->interim_status, 103);
    ASSERT_STR_EQ(peer->interim_fields, "link: </a>\n");
    ASSERT_INT_EQ(weft__h2_status(stream), 0);
    peer_headers(peer, 1, 0, FIELDS({":status", "100"}));
    peer_headers(peer, 1, END_STREAM, FIELDS({":status", "200"}, {"a", "b"}));
    ASSERT_OK(peer_feed(peer));
    ASSERT_INT_EQ(peer->interims, 2);
    ASSERT_INT_EQ(weft__h2_status(stream), 200);
    ASSERT_INT_EQ(weft_headers_count(weft__h2_headers(stream)), 1);
    weft__h2_stream_free(stream);
}

CONVERSATION(interim_responses_beyond_their_limit_end_the_stream)
{
    for (int over = 0; over < 2; over++) {
        struct weft__h2_stream *stream = peer_get(peer, "/");
        for (int i = 0; i < WEFT__LIMIT_H1_INTERIM + over; i++)
            peer_headers(peer, stream->id, 0, FIELDS({":status", "102"}));
        peer_headers(peer, stream->id, END_STREAM, STATUS_200);
        ASSERT_OK(peer_feed(peer));
        ASSERT_INT_EQ(weft__h2_stream_error(stream), over ? WEFT_EREMOTE_PROTOCOL : 0);
        weft__h2_stream_free(stream);
    }
    ASSERT_INT_EQ(peer_expect(peer, NGHTTP2_RST_STREAM, 3)->code, WEFT__H2_ENHANCE_YOUR_CALM);
}

static void free_in_interim(struct weft__h2_stream *stream, void *owner, int status,
                            const weft_headers *headers)
{
    weft__h2_stream_free(stream);
}

CONVERSATION(stream_freed_by_its_interim_event_is_reset)
{
    peer->h2->events.interim = free_in_interim;
    peer_get(peer, "/");
    peer_headers(peer, 1, 0, FIELDS({":status", "103"}, {"link", "</a>"}));
    peer_headers(peer, 1, END_STREAM, STATUS_200);
    ASSERT_OK(peer_feed(peer));
    ASSERT_INT_EQ(peer_expect(peer, NGHTTP2_RST_STREAM, 1)->code, WEFT__H2_CANCEL);
    ASSERT(weft__h2_is_balanced(peer->h2));
}

CONVERSATION(interim_responses_nobody_wants_are_dropped)
{
    peer->h2->events.interim = NULL;
    struct weft__h2_stream *stream = peer_get(peer, "/");
    peer_headers(peer, 1, 0, FIELDS({":status", "103"}, {"link", "</a>"}));
    peer_headers(peer, 1, END_STREAM, STATUS_200);
    ASSERT_OK(peer_feed(peer));
    ASSERT_INT_EQ(weft_headers_count(weft__h2_headers(stream)), 0);
    weft__h2_stream_free(stream);
}

CONVERSATION(trailers_stand_behind_the_body)
{
    struct weft__h2_stream *stream = peer_get(peer, "/");
    peer_headers(peer, 1, 0, STATUS_200);
    peer_data(peer, 1, 0, "body");
    peer_headers(peer, 1, END_STREAM, FIELDS({"grpc-status", "0"}));
    ASSERT_OK(peer_feed(peer));
    ASSERT(weft__h2_is_ended(stream));
    ASSERT_OK(weft__h2_stream_error(stream));
    ASSERT_STR_EQ(weft_headers_get(weft__h2_trailers(stream), "grpc-status"), "0");
    ASSERT_INT_EQ(weft__h2_content_length(stream), -1);
    weft__h2_stream_free(stream);
}

/* Owners swap fields out; a recycled stream must not know. */
CONVERSATION(fields_are_swapped_out_and_the_next_response_has_its_own)
{
    weft_headers *mine;
    ASSERT_OK(weft_headers_new(&mine));
    for (int i = 0; i < 3; i++) {
        struct weft__h2_stream *stream = peer_get(peer, "/");
        peer_headers(peer, stream->id, END_STREAM, FIELDS({":status", "200"}, {"a", "b"}));
        ASSERT_OK(peer_feed(peer));
        weft__headers_swap(weft__h2_headers(stream), mine);
        weft__h2_stream_free(stream);
        ASSERT_INT_EQ(weft_headers_count(mine), 1);
    }
    weft_headers_free(mine);
}

static int ask(struct peer *peer, const char *method, const struct peer_field *fields, int flags,
               const char *body)
{
    const struct weft__h2_request request = {
        .method = method, .scheme = "https", .authority = "a", .path = "/"};
    struct weft__h2_stream *stream;
    ASSERT_OK(weft__h2_open(peer->h2, &request, peer, &stream));
    peer_headers(peer, stream->id, body == NULL ? flags : 0, fields);
    if (body != NULL)
        peer_data(peer, stream->id, flags, body);
    ASSERT_OK(peer_feed(peer));
    int err = weft__h2_stream_error(stream);
    ASSERT(err != 0 || weft__h2_is_ended(stream));
    weft__h2_stream_free(stream);
    peer_fetch(peer);
    ASSERT(weft__h2_is_balanced(peer->h2));
    return err;
}

/* RFC 9113 8.1.1, RFC 9110 6.4.1, 8.6, 9.3.6: what a length is worth where there is no body. */
CONVERSATION(responses_without_a_body_by_length_and_data)
{
    static const struct {
        const char *method;
        const char *status;
        const char *length; /* NULL: none */
        int without;        /* any DATA, or with an empty one */
        int with;           /* five bytes of it */
    } rows[] = {
        {"HEAD", "200", NULL, 0, WEFT_EREMOTE_PROTOCOL},
        {"HEAD", "200", "0", 0, WEFT_EREMOTE_PROTOCOL},
        {"HEAD", "200", "5", 0, WEFT_EREMOTE_PROTOCOL},
        {"HEAD", "404", "5", 0, WEFT_EREMOTE_PROTOCOL},
        {"GET", "304", NULL, 0, WEFT_EREMOTE_PROTOCOL},
        {"GET", "304", "0", 0, WEFT_EREMOTE_PROTOCOL},
        {"GET", "304", "5", 0, WEFT_EREMOTE_PROTOCOL},
        {"GET", "204", NULL, 0, WEFT_EREMOTE_PROTOCOL},
        {"GET", "204", "0", 0, WEFT_EREMOTE_PROTOCOL},
        /* It must not be sent, not even where it would be true of another method. */
        {"GET", "204", "5", WEFT_EREMOTE_PROTOCOL, WEFT_EREMOTE_PROTOCOL},
        /* 205 has none either, but is framed like any other. */
        {"GET", "205", NULL, 0, 0},
        {"GET", "205", "0", 0, WEFT_EREMOTE_PROTOCOL},
        {"GET", "200", NULL, 0, 0},
        {"GET", "200", "0", 0, WEFT_EREMOTE_PROTOCOL},
        {"GET", "200", "5", WEFT_EREMOTE_PROTOCOL, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct peer_field fields[] = {
            {":status", rows[i].status},
            {rows[i].length != NULL ? "content-length" : NULL, rows[i].length},
            {NULL, NULL}};
        int whole = rows[i].without;
        int empty = whole < 0 && strcmp(rows[i].status, "200") == 0 ? WEFT_ETRUNCATED : whole;
        ASSERT_INT_EQ(ask(peer, rows[i].method, fields, END_STREAM, NULL), whole);
        ASSERT_INT_EQ(ask(peer, rows[i].method, fields, END_STREAM, ""), empty);
        ASSERT_INT_EQ(ask(peer, rows[i].method, fields, END_STREAM, "12345"), rows[i].with);
    }
}

/* What follows a 2xx to CONNECT is no body, whatever length it says (RFC 9110 9.3.6). */
CONVERSATION(response_to_connect_has_no_length)
{
    const struct weft__h2_request request = {
        .method = "CONNECT", .authority = "a:1", .has_body = true};
    static const char *const lengths[] = {"0", "3", "1000"};
    for (size_t i = 0; i < 3; i++) {
        struct weft__h2_stream *stream;
        ASSERT_OK(weft__h2_open(peer->h2, &request, peer, &stream));
        peer_headers(peer, stream->id, 0,
                     FIELDS({":status", "200"}, {"content-length", lengths[i]}));
        peer_data(peer, stream->id, 0, "hello");
        ASSERT_OK(peer_feed(peer));
        ASSERT_OK(weft__h2_stream_error(stream));
        ASSERT_INT_EQ(weft__h2_content_length(stream), -1);
        ASSERT(!weft__h2_is_ended(stream));
        peer_expect_data(stream, "hello");
        peer_data(peer, stream->id, END_STREAM, "");
        ASSERT_OK(peer_feed(peer));
        ASSERT(weft__h2_is_ended(stream));
        weft__h2_stream_free(stream);
        /* A refusal is a response like any other. */
        ASSERT_OK(weft__h2_open(peer->h2, &request, peer, &stream));
        peer_headers(peer, stream->id, 0, FIELDS({":status", "407"}, {"content-length", "5"}));
        peer_data(peer, stream->id, END_STREAM, "hello");
        ASSERT_OK(peer_feed(peer));
        ASSERT_INT_EQ(weft__h2_content_length(stream), 5);
        ASSERT_OK(weft__h2_stream_error(stream));
        ASSERT(weft__h2_is_ended(stream));
        weft__h2_stream_free(stream);
    }
}

CONVERSATION(responses_without_a_body_may_have_a_length)
{
    const struct peer_field *sized = FIELDS({":status", "200"}, {"content-length", "1000"});
    const struct peer_field *unchanged = FIELDS({":status", "304"}, {"content-length", "1000"});
    ASSERT_OK(ask(peer, "HEAD", sized, END_STREAM, NULL));
    ASSERT_OK(ask(peer, "HEAD", sized, END_STREAM, ""));
    ASSERT_OK(ask(peer, "GET", unchanged, END_STREAM, NULL));
    ASSERT_OK(ask(peer, "GET", FIELDS({":status", "204"}), END_STREAM, NULL));
    ASSERT_OK(
        ask(peer, "GET", FIELDS({":status", "204"}, {"content-length", "0"}), END_STREAM, NULL));
}

CONVERSATION(response_body_that_contradicts_its_length_is_an_error)
{
    const struct peer_field *sized = FIELDS({":status", "200"}, {"content-length", "4"});
    ASSERT_OK(ask(peer, "GET", sized, END_STREAM, "1234"));
    ASSERT_INT_EQ(ask(peer, "GET", sized, END_STREAM, "123"), WEFT_ETRUNCATED);
    ASSERT_STR_HAS(weft_error_message(), "3 bytes");
    ASSERT_INT_EQ(ask(peer, "GET", sized, END_STREAM, NULL), WEFT_EREMOTE_PROTOCOL);
    ASSERT_INT_EQ(ask(peer, "GET", sized, END_STREAM, "12345"), WEFT_EREMOTE_PROTOCOL);
    ASSERT_INT_EQ(ask(peer, "HEAD", sized, END_STREAM, "1"), WEFT_EREMOTE_PROTOCOL);
    ASSERT_INT_EQ(ask(peer, "GET", FIELDS({":status", "304"}), END_STREAM, "1"),
                  WEFT_EREMOTE_PROTOCOL);
    ASSERT_INT_EQ(ask(peer, "GET", FIELDS({":status", "204"}), END_STREAM, "1"),
                  WEFT_EREMOTE_PROTOCOL);
    ASSERT_INT_EQ(peer_count(peer, NGHTTP2_RST_STREAM), 6);
    ASSERT_INT_EQ(peer_expect(peer, NGHTTP2_RST_STREAM, 3)->code, WEFT__H2_PROTOCOL_ERROR);
    /* The connection goes on. */
    ASSERT_OK(ask(peer, "GET", sized, END_STREAM, "1234"));
}

static char long_value[9000];

/* A field of the size that makes the head's list so long, :status counted. */
static const struct peer_field *head_of(size_t list, struct peer_field *fields)
{
    size_t len = list - (32 + 7 + 3) - (32 + 1);
    memset(long_value, 'v', len);
    long_value[len] = '\0';
    fields[0] = (struct peer_field){":status", "200"};
    fields[1] = (struct peer_field){"x", long_value};
    fields[2] = (struct peer_field){NULL, NULL};
    return fields;
}

CONVERSATION_WITH(response_head_beyond_its_limit_ends_the_stream, .header_list = 8192)
{
    struct peer_field fields[3];
    ASSERT_OK(ask(peer, "GET", head_of(8192, fields), END_STREAM, NULL));
    ASSERT_INT_EQ(ask(peer, "GET", head_of(8193, fields), END_STREAM, NULL),
                  WEFT_EHEADER_TOO_LARGE);
    ASSERT_STR_HAS(weft_error_message(), "8192 bytes");
    ASSERT_INT_EQ(peer_expect(peer, NGHTTP2_RST_STREAM, 3)->code, WEFT__H2_ENHANCE_YOUR_CALM);
    ASSERT_OK(ask(peer, "GET", head_of(8192, fields), END_STREAM, NULL));
}

CONVERSATION(malformed_responses_end_their_stream)
{
    const struct peer_field *const rows[] = {
        FIELDS({"a", "b"}),                                           /* no :status */
        FIELDS({":status", "200"}, {":status", "200"}),               /* two */
        FIELDS({":status", "2000"}),                                  /* no status */
        FIELDS({":status", ""}),                                      /* nor this */
        FIELDS({":status", "099"}),                                   /* below all */
        FIELDS({":status", "101"}),                                   /* not in HTTP/2 */
        FIELDS({"a", "b"}, {":status", "200"}),                       /* behind a field */
        FIELDS({":status", "200"}, {":path", "/"}),                   /* of requests */
        FIELDS({":status", "200"}, {":other", "x"}),                  /* of nobody */
        FIELDS({":status", "200"}, {"Upper", "x"}),                   /* upper case */
        FIELDS({":status", "200"}, {"na me", "x"}),                   /* no token */
        FIELDS({":status", "200"}, {"", "x"}),                        /* no name */
        FIELDS({":status", "200"}, {"a", "b\nc: d"}),                 /* line ends */
        FIELDS({":status", "200"}, {"a", "b\r"}),                     /* and half of them */
        FIELDS({":status", "200"}, {"connection", "close"}),          /* of connections */
        FIELDS({":status", "200"}, {"keep-alive", "1"}),              /* as this */
        FIELDS({":status", "200"}, {"transfer-encoding", "chunked"}), /* and this */
        FIELDS({":status", "200"}, {"upgrade", "h2c"}),               /* and this */
        FIELDS({":status", "200"}, {"proxy-connection", "close"}),    /* and this */
        FIELDS({":status", "200"}, {"content-length", "x"}),          /* no number */
        FIELDS({":status", "200"}, {"content-length", "-1"}),         /* below zero */
        FIELDS({":status", "200"}, {"content-length", "1"}, {"content-length", "2"}),
        FIELDS({":status", "200"}, {"content-length", "99999999999999999999"}),
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int err = ask(peer, "GET", rows[i], 0, "");
        if (err != WEFT_EREMOTE_PROTOCOL)
            FAIL("row %zu: %d", i, err);
        if (peer_count(peer, NGHTTP2_RST_STREAM) != i + 1)
            FAIL("row %zu was not reset", i);
    }
    ASSERT_OK(weft__h2_error(peer->h2));
    ASSERT_INT_EQ(peer_expect(peer, NGHTTP2_RST_STREAM, 1)->code, WEFT__H2_PROTOCOL_ERROR);
}

CONVERSATION(malformed_trailers_end_their_stream)
{
    const struct {
        int flags;
        const struct peer_field *fields;
    } rows[] = {{END_STREAM, FIELDS({":status", "200"})},
                {END_STREAM, FIELDS({"Upper", "x"})},
                {END_STREAM, FIELDS({"connection", "close"})},
                {0, FIELDS({"a", "b"})}}; /* which do not end it */
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct weft__h2_stream *stream = peer_get(peer, "/");
        peer_headers(peer, stream->id, 0, STATUS_200);
        peer_headers(peer, stream->id, rows[i].flags, rows[i].fields);
        ASSERT_OK(peer_feed(peer));
        if (weft__h2_stream_error(stream) != WEFT_EREMOTE_PROTOCOL)
            FAIL("row %zu", i);
        weft__h2_stream_free(stream);
    }
}

/* ---- early answers ---- */

CONVERSATION(early_answer_with_a_reset_is_no_error)
{
    struct weft__h2_stream *stream = peer_post(peer, "/");
    ASSERT_INT_EQ(weft__h2_write(stream, "part", 4), 4);
    peer_headers(peer, 1, 0, FIELDS({":status", "413"}));
    peer_data(peer, 1, END_STREAM, "too much");
    peer_reset(peer, 1, WEFT__H2_NO_ERROR);
    ASSERT_OK(peer_feed(peer));
    ASSERT_OK(weft__h2_stream_error(stream));
    ASSERT(weft__h2_is_ended(stream));
    ASSERT(!weft__h2_is_unprocessed(stream));
    peer_expect_data(stream, "too much");
    ASSERT_ERR((int)weft__h2_write(stream, "more", 4), -EPIPE);
    ASSERT_ERR(weft__h2_write_end(stream), -EPIPE);
    weft__h2_stream_free(stream);
    ASSERT(weft__h2_is_balanced(peer->h2));
}

CONVERSATION(early_answer_without_a_reset_lets_the_body_go_on)
{
    struct weft__h2_stream *stream = peer_post(peer, "/");
    peer_headers(peer, 1, END_STREAM, STATUS_200);
    ASSERT_OK(peer_feed(peer));
    ASSERT(weft__h2_is_ended(stream));
    ASSERT_INT_EQ(weft__h2_streams(peer->h2), 1);
    ASSERT_INT_EQ(weft__h2_write(stream, "more", 4), 4);
    ASSERT_OK(weft__h2_write_end(stream));
    peer_fetch(peer);
    ASSERT_INT_EQ(peer_data_sent(peer, 1), 4);
    ASSERT_INT_EQ(weft__h2_streams(peer->h2), 0);
    weft__h2_stream_free(stream);
    ASSERT_INT_EQ(peer_count(peer, NGHTTP2_RST_STREAM), 0);
}

CONVERSATION(early_answer_whose_body_is_given_up_is_reset)
{
    struct weft__h2_stream *stream = peer_post(peer, "/");
    peer_headers(peer, 1, END_STREAM, STATUS_200);
    ASSERT_OK(peer_feed(peer));
    weft__h2_stream_free(stream);
    peer_fetch(peer);
    ASSERT_INT_EQ(peer_expect(peer, NGHTTP2_RST_STREAM, 1)->code, WEFT__H2_CANCEL);
    ASSERT(weft__h2_is_balanced(peer->h2));
}

CONVERSATION(reset_without_an_error_before_the_end_is_one)
{
    struct weft__h2_stream *stream = peer_post(peer, "/");
    peer_headers(peer, 1, 0, STATUS_200);
    peer_reset(peer, 1, WEFT__H2_NO_ERROR);
    ASSERT_OK(peer_feed(peer));
    ASSERT_ERR(weft__h2_stream_error(stream), WEFT_EREMOTE_PROTOCOL);
    ASSERT_ERR((int)weft__h2_write(stream, "more", 4), WEFT_EREMOTE_PROTOCOL);
    weft__h2_stream_free(stream);
}

CONVERSATION(stream_reset_here_says_so)
{
    struct weft__h2_stream *stream = peer_get(peer, "/");
    weft__h2_reset(stream, WEFT__H2_CANCEL);
    weft__h2_reset(stream, WEFT__H2_CANCEL);
    ASSERT_ERR(weft__h2_stream_error(stream), -ECANCELED);
    ASSERT_INT_EQ(weft__h2_reset_code(stream), WEFT__H2_NO_ERROR);
    peer_fetch(peer);
    ASSERT_INT_EQ(peer_count(peer, NGHTTP2_RST_STREAM), 1);
    peer_headers(peer, 1, END_STREAM, STATUS_200);
    peer_reset(peer, 1, WEFT__H2_CANCEL);
    ASSERT_OK(peer_feed(peer));
    ASSERT_ERR(weft__h2_stream_error(stream), -ECANCELED);
    weft__h2_stream_free(stream);
}

CONVERSATION(stream_reset_before_it_has_left_is_never_seen)
{
    peer->quiet = true;
    struct weft__h2_stream *stream = peer_post(peer, "/");
    weft__h2_write(stream, "abc", 3);
    weft__h2_reset(stream, WEFT__H2_CANCEL);
    ASSERT(weft__h2_is_unprocessed(stream));
    weft__h2_stream_free(stream);
    peer->quiet = false;
    peer_get(peer, "/");
    ASSERT_INT_EQ(peer_expect(peer, NGHTTP2_HEADERS, 3)->flags & END_STREAM, END_STREAM);
    ASSERT_INT_EQ(peer_count(peer, NGHTTP2_RST_STREAM), 0);
}
