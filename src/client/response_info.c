/*
 * response_info.c - what a response says about itself.
 */
#include <string.h>

#include "client/client_int.h"

int weft_response_status(const weft_response *response)
{
    return response->status;
}

const char *weft_response_reason(const weft_response *response)
{
    return response->reason;
}

const char *weft_response_http_version(const weft_response *response)
{
    return response->version;
}

const weft_headers *weft_response_headers(const weft_response *response)
{
    return &response->headers;
}

const char *weft_response_header(const weft_response *response, const char *name)
{
    return weft_headers_get(&response->headers, name);
}

const char *weft_response_url(const weft_response *response)
{
    return weft_url_href(response->url);
}

const void *weft_response_content(const weft_response *response, size_t *ret_len)
{
    if (ret_len != NULL)
        *ret_len = response->in_memory ? response->content.len : 0;
    if (!response->in_memory) {
        weft__fail_code(WEFT_ERESPONSE_NOT_READ);
        return NULL;
    }
    return weft__buf_bytes(&response->content);
}

bool weft_response_is_closed(const weft_response *response)
{
    return response->conn == NULL;
}

bool weft_response_is_stream_consumed(const weft_response *response)
{
    return response->in_memory || response->taking != WEFT__TAKES_NOTHING;
}

int weft_response_raise_for_status(weft_response *response)
{
    if (response->status < 400)
        return 0;
    return weft__fail(WEFT_EHTTP_STATUS, "%d%s%s for url %s", response->status,
                      response->reason[0] != '\0' ? " " : "", response->reason,
                      WEFT__SHOW(response->url));
}

int64_t weft_response_elapsed(const weft_response *response)
{
    return response->elapsed;
}

const char *weft_response_tls_version(const weft_response *response)
{
    return response->info->tls_version;
}

int weft_response_attempts(const weft_response *response)
{
    return response->attempts;
}

int weft_response_attempt(const weft_response *response, size_t index, weft_retry_entry *ret)
{
    if (index >= response->n_history && (index > 0 || response->n_history > 0))
        return weft__fail(-ENOENT, "attempt %zu is not remembered", index);
    if (response->n_history > 0)
        *ret = response->history[index];
    else
        *ret =
            (weft_retry_entry){.number = 1, .status = response->status, .took = response->elapsed};
    return 0;
}

int weft_response_redirects(const weft_response *response)
{
    return response->redirects;
}

int64_t weft_response_content_length(const weft_response *response)
{
    return response->content_length;
}

uint64_t weft_response_num_bytes_downloaded(const weft_response *response)
{
    return response->body.received;
}

/* ---- what the status says ---- */

bool weft_response_is_informational(const weft_response *response)
{
    return response->status >= 100 && response->status <= 199;
}

bool weft_response_is_success(const weft_response *response)
{
    return response->status >= 200 && response->status <= 299;
}

bool weft_response_is_redirect(const weft_response *response)
{
    return response->status >= 300 && response->status <= 399;
}

bool weft_response_is_client_error(const weft_response *response)
{
    return response->status >= 400 && response->status <= 499;
}

bool weft_response_is_server_error(const weft_response *response)
{
    return response->status >= 500 && response->status <= 599;
}

bool weft_response_is_error(const weft_response *response)
{
    return response->status >= 400 && response->status <= 599;
}

bool weft_response_has_redirect_location(const weft_response *response)
{
    switch (response->status) {
    case 301:
    case 302:
    case 303:
    case 307:
    case 308:
        return weft_headers_get(&response->headers, "location") != NULL;
    default:
        return false;
    }
}
