/*
 * transport.c - transports: functions that take the place of sockets.
 */
#include <errno.h>

#include "base/alloc.h"
#include "base/error_int.h"
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
