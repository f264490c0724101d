/*
 * transport.c - transports: functions that take the place of sockets.
 */
#include <errno.h>
#include <weft/serve.h>

#include "base/alloc.h"
#include "base/error_int.h"
#include "base/limits.h"
#include "client/way.h"

int weft_transport_new(int (*dial)(void *userdata, const weft_url *url, weft_stream **ret),
                       void *userdata, weft_transport **ret)
{
    if (dial == NULL)
        return weft__fail(-EINVAL, "a transport without a function");
    weft_transport *transport = weft__calloc(1, sizeof *transport);
    if (transport == NULL)
        return weft__fail_nomem();
    atomic_init(&transport->refs, 1);
    transport->dial = dial;
    transport->userdata = userdata;
    *ret = transport;
    return 0;
}

weft_transport *weft__transport_ref(weft_transport *transport)
{
    if (transport != NULL)
        atomic_fetch_add_explicit(&transport->refs, 1, memory_order_relaxed);
    return transport;
}

void weft_transport_free(weft_transport *transport)
{
    if (transport == NULL ||
        atomic_fetch_sub_explicit(&transport->refs, 1, memory_order_acq_rel) > 1)
        return;
    weft__free(transport);
}

/* ---- a server in the process ---- */

struct served {
    weft_transport base; /* first: freed as it */
    weft_group *group;
    weft_serve_fn serve;
    void *arg;
};

/* One connection, which may outlive the transport. */
struct connection {
    weft_stream *stream;
    weft_serve_fn serve;
    void *arg;
};

/* What it returns is its connection's matter alone: the client sees that end. */
static int serve_connection(void *arg)
{
    struct connection *connection = arg;
    if (connection->serve(connection->stream, connection->arg) >= 0)
        weft_stream_close(connection->stream);
    weft_stream_free(connection->stream);
    weft__free(connection);
    return 0;
}

static int dial_served(void *userdata, const weft_url *url, weft_stream **ret)
{
    const struct served *served = userdata;
    weft_stream *near;
    (void)url;
    struct connection *connection = weft__alloc(sizeof *connection);
    if (connection == NULL)
        return weft__fail_nomem();
    *connection = (struct connection){.serve = served->serve, .arg = served->arg};
    int err = weft_stream_pair(WEFT__LIMIT_STREAM_WRITE_HIGH, &near, &connection->stream);
    if (err < 0) {
        weft__free(connection);
        return err;
    }
    weft_stream *far = connection->stream;
    err = weft_group_spawn_with(served->group, serve_connection, connection,
                                WEFT_SPAWN(.name = "served"));
    if (err < 0) {
        weft_stream_free(near);
        weft_stream_free(far);
        weft__free(connection);
        return err;
    }
    *ret = near;
    return 0;
}

int weft_transport_serve(weft_group *group, weft_serve_fn serve, void *arg, weft_transport **ret)
{
    if (group == NULL || serve == NULL)
        return weft__fail(-EINVAL, "a transport without a group, or nobody who serves");
    struct served *served = weft__calloc(1, sizeof *served);
    if (served == NULL)
        return weft__fail_nomem();
    atomic_init(&served->base.refs, 1);
    served->base.dial = dial_served;
    served->base.userdata = served;
    served->group = group;
    served->serve = serve;
    served->arg = arg;
    *ret = &served->base;
    return 0;
}
