/* h2_error.c - why a stream ended before its response was whole, in words. */
#include <errno.h>

#include "base/error_int.h"
#include "base/limits.h"
#include "proto/h2_int.h"

const char *weft__h2_code_name(uint32_t code)
{
    static const char *const names[] = {
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY",
        "HTTP_1_1_REQUIRED",
    };
    return code < sizeof names / sizeof names[0] ? names[code] : "an unknown error";
}

static int peer_error(const struct weft__h2_stream *stream)
{
    const struct weft__h2 *h2 = stream->h2;
    if (stream->peer_reset)
        return weft__fail(WEFT_EREMOTE_PROTOCOL, "HTTP/2: the server reset the stream (%s)",
                          weft__h2_code_name(stream->code));
    if (stream->unprocessed)
        return weft__fail(WEFT_EDISCONNECTED,
                          "HTTP/2: the server leaves (%s) and has not looked at the request",
                          weft__h2_code_name(h2->goaway_code));
    if (stream->cut_short)
        return weft__fail(WEFT_ETRUNCATED, "HTTP/2: the body has %llu bytes, and was to have %lld",
                          (unsigned long long)stream->received, (long long)stream->content_length);
    if (stream->interims > WEFT__LIMIT_H1_INTERIM)
        return weft__fail(WEFT_EREMOTE_PROTOCOL, "HTTP/2: more than %d interim responses",
                          WEFT__LIMIT_H1_INTERIM);
    return weft__fail(WEFT_EREMOTE_PROTOCOL, "HTTP/2: the server broke the protocol: %s",
                      nghttp2_strerror(stream->fault != 0 ? stream->fault : NGHTTP2_ERR_PROTO));
}

static int truncated(const struct weft__h2_stream *stream)
{
    const char *why = stream->h2->text;
    if (stream->status == 0)
        return weft__fail(WEFT_ETRUNCATED, "%s within the head of its response", why);
    if (stream->content_length >= 0)
        return weft__fail(WEFT_ETRUNCATED, "%s: the body ended after %llu of %lld bytes", why,
                          (unsigned long long)stream->received, (long long)stream->content_length);
    return weft__fail(WEFT_ETRUNCATED, "%s: the body ended after %llu bytes, before its end", why,
                      (unsigned long long)stream->received);
}

int weft__h2_stream_error(const struct weft__h2_stream *stream)
{
    const struct weft__h2 *h2 = stream->h2;
    if (stream->ended || !stream->over)
        return 0;
    switch (stream->error) {
    case 0:
        return peer_error(stream);
    case -ECANCELED:
        return weft__fail(-ECANCELED, "HTTP/2: the stream was reset here");
    case -ENOMEM:
        return weft__fail_nomem();
    case WEFT_EHEADER_TOO_LARGE:
        return weft__fail(WEFT_EHEADER_TOO_LARGE,
                          "HTTP/2: the header fields are larger than %u bytes",
                          (unsigned)h2->options.header_list);
    case WEFT_ETRUNCATED:
        return truncated(stream);
    case WEFT_EDISCONNECTED:
        return weft__fail(WEFT_EDISCONNECTED, "%s without sending a response", h2->text);
    default:
        return weft__fail(stream->error, "%s", h2->text);
    }
}
