/*
 * endpoint.c - what a loop keeps for its sockets: their list, buffers, and the
 * sends that no task waits for.
 *
 * A socket may outlive its loop, when a stream is freed after weft_run has returned.  At the
 * loop's end each one is told, and closes its descriptor by itself later.
 */
#include <errno.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "net/net_int.h"
#include "net/sys.h"

enum { SPARE_MAX = 64 };

struct iobuf {
    struct iobuf *next;
};

struct net {
    struct weft__loop *loop;
    struct weft__at_exit at_exit;
    struct weft__list endpoints;
    struct iobuf *spare;
    int n_spare;
    int n_sending;
};

static _Thread_local struct net net;

static void loop_ends(struct weft__at_exit *hook)
{
    struct weft__loop *loop = net.loop;
    (void)hook;
    for (struct weft__list *node = net.endpoints.next; node != &net.endpoints;) {
        struct weft__endpoint *endpoint = WEFT__CONTAINER(node, struct weft__endpoint, node);
        node = node->next;
        endpoint->stop(endpoint);
    }
    for (int64_t timeout = 0; net.n_sending > 0; timeout = WEFT_MS(10))
        loop->backend->poll(loop, timeout);
    struct weft__list *node;
    while ((node = weft__list_pop_front(&net.endpoints)) != NULL)
        WEFT__CONTAINER(node, struct weft__endpoint, node)->fd.loop = NULL;
    while (net.spare != NULL) {
        struct iobuf *buffer = net.spare;
        net.spare = buffer->next;
        weft__pages_free(buffer, WEFT__IOBUF_SIZE);
    }
    net.n_spare = 0;
    net.loop = NULL;
}

static void attach(struct weft__loop *loop)
{
    if (net.loop == loop)
        return;
    net.loop = loop;
    net.at_exit.fn = loop_ends;
    weft__list_init(&net.endpoints);
    weft__list_push_back(&loop->at_exit, &net.at_exit.node);
}

int weft__endpoint_init(struct weft__endpoint *endpoint, int descriptor,
                        void (*stop)(struct weft__endpoint *endpoint))
{
    int err = weft__fd_init(&endpoint->fd, descriptor);
    if (err < 0) {
        weft__sys_close(descriptor);
        return err;
    }
    attach(endpoint->fd.loop);
    endpoint->stop = stop;
    weft__list_push_back(&net.endpoints, &endpoint->node);
    return 0;
}

void weft__endpoint_close(struct weft__endpoint *endpoint)
{
    if (endpoint->fd.fd < 0)
        return;
    weft__list_remove(&endpoint->node);
    if (endpoint->fd.loop != NULL)
        weft__fd_close(&endpoint->fd);
    else
        weft__sys_close(endpoint->fd.fd);
    endpoint->fd.fd = -1;
}

int weft__endpoint_check(const struct weft__endpoint *endpoint, const char *what)
{
    if (endpoint->fd.fd < 0)
        return weft__fail(WEFT_ECLOSED, "%s: the socket is closed", what);
    if (endpoint->fd.loop == NULL)
        return weft__fail(WEFT_ECLOSED, "%s: the loop of this socket has ended", what);
    if (endpoint->fd.loop != weft__loop_current)
        return weft__fail(-EINVAL, "%s: the socket belongs to another thread", what);
    return 0;
}

char *weft__iobuf_take(void)
{
    struct iobuf *buffer = net.spare;
    if (buffer == NULL) {
        struct weft__loop *loop = weft__loop_get();
        if (loop == NULL)
            return NULL;
        attach(loop);
        return weft__pages_alloc(WEFT__IOBUF_SIZE);
    }
    net.spare = buffer->next;
    net.n_spare--;
    return (char *)buffer;
}

void weft__iobuf_give(char *data)
{
    if (data == NULL)
        return;
    if (net.loop == NULL || net.n_spare >= SPARE_MAX) {
        weft__pages_free(data, WEFT__IOBUF_SIZE);
        return;
    }
    struct iobuf *buffer = (struct iobuf *)(void *)data;
    buffer->next = net.spare;
    net.spare = buffer;
    net.n_spare++;
}

void weft__sending_add(int n)
{
    net.n_sending += n;
}
