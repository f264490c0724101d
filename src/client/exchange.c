/*
 * exchange.c - how a response came: the times of its phases, its connection, its request.
 *
 * What is known of a connection is asked once, when it has been made, and shared by all its
 * responses: that costs a request two atomic operations, and a connection two system calls.
 */
#include <string.h>

#include <weft/exchange.h>

#include "base/alloc.h"
#include "base/str.h"
#include "client/client_int.h"

/* ---- times ---- */

static int64_t positive(int64_t duration)
{
    return duration > 0 ? duration : 0;
}

/* Each phase begins where the one before it ended, so that they add up to the total. */
void weft_response_timings(const weft_response *response, weft_timings *ret)
{
    const struct weft__moments *at = &response->moments;
    bool over = response->conn == NULL;
    int64_t sent = at->sent < at->first ? at->sent : at->first;
    sent = sent > at->opened ? sent : at->opened;
    int64_t first = at->first > sent ? at->first : sent;
    *ret = (weft_timings){
        .size = sizeof *ret,
        .before = positive(at->begun - response->started),
        .queue = positive(at->ready - at->begun),
        .dns = -1,
        .connect = -1,
        .tls = -1,
        .send = sent - at->opened,
        .first_byte = first - sent,
        .receive = over ? positive(response->started + response->elapsed - first) : -1,
        .total = over ? response->elapsed : -1,
    };
    if (at->reused)
        return;
    ret->dns = at->dns;
    ret->tls = at->tls;
    ret->connect = positive(at->opened - at->ready - positive(at->dns) - positive(at->tls));
}

/* ---- the connection ---- */

static int copy_texts(struct weft__conn_info *info, weft_stream *stream,
                      const struct weft__way *way)
{
    const char *alpn = weft_tls_alpn(stream);
    const char *proxy = way->proxy != NULL ? way->proxy->shown : NULL;
    int err = weft__copy_text(alpn, &info->alpn);
    return err == 0 ? weft__copy_text(proxy, &info->proxy) : err;
}

int weft__conn_info_new(weft_stream *stream, const struct weft__way *way,
                        struct weft__conn_info **ret)
{
    static atomic_uint_fast64_t last_id;
    struct weft__conn_info *info = weft__calloc(1, sizeof *info);
    if (info == NULL)
        return weft__fail_nomem();
    atomic_init(&info->refs, 1);
    info->id = atomic_fetch_add_explicit(&last_id, 1, memory_order_relaxed) + 1;
    int err = copy_texts(info, stream, way);
    if (err < 0) {
        weft__conn_info_unref(info);
        return err;
    }
    /* What is in memory has no address. */
    weft_stream_peer_address(stream, &info->peer);
    weft_stream_local_address(stream, &info->local);
    info->tls_version = weft_tls_version(stream);
    info->cipher = weft_tls_cipher(stream);
    info->certificate = weft_tls_certificate(stream);
    *ret = info;
    return 0;
}

void weft__conn_info_unref(struct weft__conn_info *info)
{
    if (info == NULL || atomic_fetch_sub_explicit(&info->refs, 1, memory_order_acq_rel) > 1)
        return;
    weft_certificate_unref(info->certificate);
    weft__free(info->alpn);
    weft__free(info->proxy);
    weft__free(info);
}

void weft_response_connection(const weft_response *response, weft_connection_info *ret)
{
    const struct weft__conn_info *info = response->info;
    *ret = (weft_connection_info){
        .size = sizeof *ret,
        .id = info->id,
        .reused = response->moments.reused,
        .protocol = weft_response_http_version(response),
        .peer = info->peer,
        .local = info->local,
        .tls_version = info->tls_version,
        .cipher = info->cipher,
        .alpn = info->alpn,
        .certificate = info->certificate,
        .proxy = info->proxy,
    };
}

/* ---- the request ---- */

/*
 * The fields of the call go over to the response, as it makes new ones for each attempt; of a
 * hedged one, whose fields are another's, there is a copy.
 */
int weft__response_keep_request(weft_response *response, struct weft__call *call)
{
    const weft_client *client = call->client;
    response->sent_kind = call->has_body ? WEFT__H1_LENGTH : WEFT__H1_NONE;
    response->sent_length = call->body_len;
    if (call->reads_body) {
        response->sent_kind = call->source.sized ? WEFT__H1_LENGTH : WEFT__H1_CHUNKED;
        response->sent_length = call->source.size;
    }
    if (call->headers == &call->own) {
        weft__headers_swap(&response->sent, &call->own);
        return 0;
    }
    if (call->headers != &client->headers && call->headers != &client->open_headers)
        return weft__headers_append_all(&response->sent, call->headers);
    response->sent_common = call->headers;
    response->client = call->client;
    weft__client_ref(response->client);
    return 0;
}

void weft__response_drop_request(weft_response *response)
{
    if (response->client != NULL)
        weft__client_unref(response->client);
    response->client = NULL;
    weft__headers_done(&response->sent);
}

const char *weft_response_request_method(const weft_response *response)
{
    return response->method;
}

static int add_framing(weft_headers *headers, const weft_response *response)
{
    char digits[WEFT__U64_DIGITS];
    if (response->sent_kind == WEFT__H1_CHUNKED)
        return weft_headers_add(headers, "Transfer-Encoding", "chunked");
    if (response->sent_kind != WEFT__H1_LENGTH)
        return 0;
    size_t len = weft__format_u64(response->sent_length, digits);
    return weft__headers_append_raw(headers, "Content-Length", 14, digits, len);
}

/* As they stood in the head: Host first, the framing last. */
static int complete(const weft_response *response, weft_headers *headers)
{
    const weft_headers *from =
        response->sent_common != NULL ? response->sent_common : &response->sent;
    const char *host = weft_headers_get(from, "host");
    int err =
        weft_headers_add(headers, "Host", host != NULL ? host : weft_url_authority(response->url));
    for (size_t i = 0; err == 0 && i < from->len; i++) {
        const char *name = weft__header_name(from, i);
        if (!weft__ieq(name, "host"))
            err = weft_headers_add(headers, name, weft__header_value(from, i));
    }
    return err == 0 ? add_framing(headers, response) : err;
}

const weft_headers *weft_response_request_headers(weft_response *response)
{
    weft_headers headers;
    if (response->sent_whole)
        return &response->sent;
    weft__headers_init(&headers);
    int err = complete(response, &headers);
    if (err == 0) {
        weft__headers_swap(&headers, &response->sent);
        response->sent_whole = true;
    }
    weft__headers_done(&headers);
    return err == 0 ? &response->sent : NULL;
}

/* ---- behind the body ---- */

const weft_headers *weft_response_trailers(const weft_response *response)
{
    return &response->trailers;
}
