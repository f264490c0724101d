/*
 * start.c - TLS from the first byte of a connection, or from the middle of one.
 */
#include <errno.h>
#include <string.h>

#include <weft/run.h>

#include "base/error_int.h"
#include "stream/stream_int.h"
#include "tls/tls_int.h"

static int start(weft_tls *tls, weft_stream *below, const char *server_name, weft_stream **ret)
{
    if (tls->server)
        return weft_tls_accept(tls, below, ret);
    return weft_tls_connect(tls, below, server_name, ret);
}

int weft_tls_start(weft_tls *tls, weft_stream **stream, weft_reader *reader,
                   const char *server_name)
{
    weft_stream *plain = *stream;
    if (plain->reading || plain->writing)
        return weft__fail(-EBUSY, "TLS cannot start: a task is in a call on the %s stream",
                          plain->ops.name);
    size_t ahead = reader != NULL ? weft_reader_buffered(reader) : 0;
    *stream = NULL;
    if (ahead > 0) {
        weft_stream_free(plain);
        return weft__fail(WEFT_ETLS, "TLS cannot start: %zu bytes came in plain text before it",
                          ahead);
    }
    weft_stream *secure;
    int err = start(tls, plain, server_name, &secure);
    if (err < 0)
        return err;
    if (reader != NULL)
        weft__reader_rebind(reader, secure);
    *stream = secure;
    return 0;
}

static int dial(weft_tls *tls, const char *host, uint16_t port, const weft_dial_options *options,
                weft_stream **ret)
{
    weft_stream *below;
    int err = weft_dial(host, port, options, &below);
    return err < 0 ? err : weft_tls_connect(tls, below, host, ret);
}

int weft_tls_dial(weft_tls *tls, const char *host, uint16_t port, const weft_dial_options *options,
                  weft_stream **ret)
{
    weft_dial_options all = {.size = sizeof all};
    if (options != NULL)
        memcpy(&all, options, options->size < sizeof all ? options->size : sizeof all);
    int64_t timeout = all.timeout;
    if (timeout <= 0 || timeout == WEFT_FOREVER)
        return dial(tls, host, port, options, ret);
    all.size = sizeof all;
    all.timeout = 0;
    weft_scope scope;
    weft_scope_enter(&scope, timeout);
    int err = weft_scope_exit(&scope, dial(tls, host, port, &all, ret));
    if (err == -ETIMEDOUT)
        return weft__fail(WEFT_ECONNECT_TIMEOUT, "connect to %.253s:%u timed out after %.6g s",
                          host, port, (double)timeout * 1e-9);
    return err;
}
