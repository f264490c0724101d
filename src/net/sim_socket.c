/*
 * sim_socket.c - sockets of the simulated network: the system calls, and the operations that
 * the loop's back end would have got.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "net/sim.h"

enum { FIRST_SOCKETS = 16, PORTS_FROM = 49152 };

/* ---- the table ---- */

struct sim_socket *weft__sim_socket_find(int fd)
{
    weft_testing_network *net = weft__sim_current();
    if (net == NULL || fd < WEFT__SIM_FD || (size_t)(fd - WEFT__SIM_FD) >= net->n_sockets)
        return NULL;
    return net->sockets[fd - WEFT__SIM_FD];
}

static int grow(weft_testing_network *net)
{
    size_t n = net->n_sockets > 0 ? net->n_sockets * 2 : FIRST_SOCKETS;
    struct sim_socket **sockets = weft__realloc(net->sockets, n * sizeof(struct sim_socket *));
    if (sockets == NULL)
        return -ENOMEM;
    memset(sockets + net->n_sockets, 0, (n - net->n_sockets) * sizeof(struct sim_socket *));
    net->sockets = sockets;
    net->n_sockets = n;
    return 0;
}

int weft__sim_socket_new(weft_testing_network *net, struct sim_host *host, int family,
                         bool datagram, struct sim_socket **ret)
{
    while (net->first_unused < net->n_sockets && net->sockets[net->first_unused] != NULL)
        net->first_unused++;
    if (net->first_unused == net->n_sockets && grow(net) < 0)
        return -ENOMEM;
    struct sim_socket *s = weft__calloc(1, sizeof *s);
    if (s == NULL)
        return -ENOMEM;
    s->net = net;
    s->host = host;
    s->family = family;
    s->datagram = datagram;
    weft__list_init(&s->queue);
    weft__list_init(&s->in_queue);
    weft__list_init(&s->inbox);
    weft__list_init(&s->retry.node);
    weft__list_init(&s->step.node);
    if (family == AF_UNIX)
        weft__address_set(&s->local, &(const sa_family_t){AF_UNIX}, sizeof(sa_family_t));
    else
        weft__address_parse(family == AF_INET ? "0.0.0.0" : "::", 0, &s->local);
    s->fd = WEFT__SIM_FD + (int)net->first_unused;
    net->sockets[net->first_unused] = s;
    *ret = s;
    return 0;
}

void weft__sim_socket_free(struct sim_socket *s)
{
    weft_testing_network *net = s->net;
    size_t index = (size_t)(s->fd - WEFT__SIM_FD);
    while (!weft__list_is_empty(&s->queue))
        weft__sim_socket_free(WEFT__CONTAINER(s->queue.next, struct sim_socket, in_queue));
    weft__list_remove(&s->in_queue);
    weft__sim_dial_stop(s);
    weft__sim_datagrams_drop(s);
    net->sockets[index] = NULL;
    if (index < net->first_unused)
        net->first_unused = index;
    if (s->conn != NULL)
        weft__sim_conn_close(s);
    weft__free(s);
}

/* ---- addresses and ports ---- */

bool weft__sim_address_matches(const struct sim_socket *s, const weft_address *address)
{
    weft_address local = weft__sim_plain(&s->local);
    if (!s->bound || weft_address_port(&local) != weft_address_port(address))
        return false;
    if (!weft__sim_is_any(&local))
        return weft__sim_same_ip(&local, address);
    return s->family == weft__address_family(address) || (s->family == AF_INET6 && !s->only_ipv6);
}

static bool in_use(const struct sim_socket *s, const weft_address *address)
{
    weft_testing_network *net = s->net;
    uint16_t port = weft_address_port(address);
    for (size_t i = 0; i < net->n_sockets; i++) {
        const struct sim_socket *other = net->sockets[i];
        if (other == NULL || other == s || other->host != s->host || !other->bound ||
            other->datagram != s->datagram || weft_address_port(&other->local) != port)
            continue;
        /* As with SO_REUSEADDR, which listeners have: their connections do not count. */
        if (other->connected || (other->reuse_port && s->reuse_port))
            continue;
        bool kin =
            s->family == other->family || (s->family != AF_UNIX && other->family != AF_UNIX &&
                                           !s->only_ipv6 && !other->only_ipv6);
        if (!kin)
            continue;
        if (weft__sim_is_any(address) || weft__sim_is_any(&other->local) ||
            weft__sim_same_ip(address, &other->local))
            return true;
    }
    return false;
}

static int bind_to(struct sim_socket *s, const weft_address *address)
{
    weft_address local = *address;
    if (s->bound)
        return -EINVAL;
    if (weft__address_family(&local) != s->family)
        return -EAFNOSUPPORT;
    weft_address plain = weft__sim_plain(&local);
    if (!weft__sim_is_any(&plain) && weft__sim_host_at(s->net, s->host, &plain) != s->host)
        return -EADDRNOTAVAIL;
    bool wants_port = s->family != AF_UNIX && weft_address_port(address) == 0;
    for (int tries = 0; wants_port && tries <= UINT16_MAX; tries++) {
        uint16_t next =
            s->host->last_port == UINT16_MAX ? PORTS_FROM : (uint16_t)(s->host->last_port + 1);
        s->host->last_port = next;
        weft__sim_set_port(&local, next);
        if (!in_use(s, &local))
            break;
    }
    if (in_use(s, &local))
        return -EADDRINUSE;
    s->local = local;
    s->bound = true;
    return 0;
}

int weft__sim_bind_any(struct sim_socket *s)
{
    weft_address any = s->local;
    return bind_to(s, &any);
}

/* ---- operations ---- */

void weft__sim_socket_finish(struct weft__op **at, int64_t result)
{
    struct weft__op *op = *at;
    if (op == NULL)
        return;
    *at = NULL;
    op->loop->n_pending++;
    weft__op_finish(op, result);
}

static bool try_accept(struct sim_socket *s, struct weft__op *op)
{
    op->result = -EINVAL;
    if (!s->listening)
        return true;
    struct weft__list *node = weft__list_pop_front(&s->queue);
    if (node == NULL)
        return false;
    s->n_queued--;
    op->result = WEFT__CONTAINER(node, struct sim_socket, in_queue)->fd;
    return true;
}

static bool try_poll(struct sim_socket *s, struct weft__op *op)
{
    bool in = s->error < 0;
    bool out = true;
    if (s->datagram)
        in = in || !weft__list_is_empty(&s->inbox);
    else if (s->listening)
        in = !weft__list_is_empty(&s->queue);
    else if (s->conn != NULL)
        in = weft__sim_conn_is_readable(s);
    if (s->conn != NULL)
        out = weft__sim_conn_is_writable(s);
    op->result =
        (in && (op->flags & POLLIN) ? POLLIN : 0) | (out && (op->flags & POLLOUT) ? POLLOUT : 0);
    return op->result != 0;
}

/* True when it has ended. */
static bool try_op(struct sim_socket *s, struct weft__op *op)
{
    switch (op->kind) {
    case WEFT__OP_RECV:
    case WEFT__OP_SEND:
        op->result = -ENOTCONN;
        if (s->conn == NULL)
            return true;
        return op->kind == WEFT__OP_RECV ? weft__sim_conn_recv(s, op) : weft__sim_conn_send(s, op);
    case WEFT__OP_ACCEPT:
        return try_accept(s, op);
    case WEFT__OP_POLL:
        return try_poll(s, op);
    default:
        op->result = -EOPNOTSUPP;
        return true;
    }
}

static void advance(struct sim_socket *s, struct weft__op **at)
{
    struct weft__op *op = *at;
    if (op != NULL && op->kind != WEFT__OP_CONNECT && try_op(s, op))
        weft__sim_socket_finish(at, op->result);
}

void weft__sim_advance_reader(struct sim_socket *s)
{
    advance(s, &s->reader);
}

void weft__sim_advance_writer(struct sim_socket *s)
{
    advance(s, &s->writer);
}

static bool is_reader(const struct weft__op *op)
{
    return op->kind == WEFT__OP_RECV || op->kind == WEFT__OP_ACCEPT ||
           (op->kind == WEFT__OP_POLL && (op->flags & POLLIN) != 0);
}

static bool is_ours(const struct weft__op *op)
{
    return op->fd != NULL && op->fd->fd >= WEFT__SIM_FD;
}

static bool sim_start(struct weft__loop *loop, struct weft__op *op)
{
    if (!is_ours(op))
        return weft__sim_current()->below->start(loop, op);
    struct sim_socket *s = weft__sim_socket_find(op->fd->fd);
    op->result = -EBADF;
    if (s == NULL)
        return true;
    struct weft__op **at = is_reader(op) ? &s->reader : &s->writer;
    op->result = -EBUSY;
    if (*at != NULL)
        return true;
    if (op->kind == WEFT__OP_CONNECT ? weft__sim_dial(s, op) : try_op(s, op))
        return true;
    *at = op;
    loop->n_pending--;
    return false;
}

static void sim_cancel(struct weft__loop *loop, struct weft__op *op)
{
    struct sim_socket *s = is_ours(op) ? weft__sim_socket_find(op->fd->fd) : NULL;
    if (s == NULL) {
        weft__sim_current()->below->cancel(loop, op);
        return;
    }
    if (op->kind == WEFT__OP_CONNECT)
        weft__sim_dial_stop(s);
    weft__sim_socket_finish(is_reader(op) ? &s->reader : &s->writer, -ECANCELED);
}

static void sim_forget(struct weft__loop *loop, struct weft__fd *fd)
{
    const struct weft__backend *below = weft__sim_current()->below;
    if (fd->fd >= WEFT__SIM_FD)
        weft__sim_close(fd->fd);
    else if (below->forget != NULL)
        below->forget(loop, fd);
}

void weft__sim_attach(weft_testing_network *net)
{
    net->below = net->loop->backend;
    net->backend = *net->below;
    net->backend.start = sim_start;
    net->backend.cancel = sim_cancel;
    net->backend.forget = sim_forget;
    net->loop->backend = &net->backend;
}

/* Sockets that are still open become numbers without a meaning. */
void weft__sim_detach(weft_testing_network *net)
{
    net->loop->backend = net->below;
    for (size_t i = 0; i < net->n_sockets; i++) {
        if (net->sockets[i] == NULL)
            continue;
        weft__sim_socket_finish(&net->sockets[i]->reader, -ENETDOWN);
        weft__sim_socket_finish(&net->sockets[i]->writer, -ENETDOWN);
    }
    for (size_t i = 0; i < net->n_sockets; i++) {
        if (net->sockets[i] != NULL)
            weft__sim_socket_free(net->sockets[i]);
    }
    while (!weft__list_is_empty(&net->conns))
        weft__sim_conn_free(WEFT__CONTAINER(net->conns.next, struct sim_conn, node));
    weft__sim_datagrams_done(net);
}

/* ---- system calls ---- */

static int fail(int err)
{
    errno = -err;
    return -1;
}

int weft__sys_socket(int family, int type)
{
    weft_testing_network *net = weft__sim_current();
    struct sim_socket *s;
    int err;
    while ((err = weft__fault_syscall("socket")) == -EINTR)
        ;
    if (err < 0)
        return fail(err);
    if (net == NULL || (family != AF_INET && family != AF_INET6 && family != AF_UNIX))
        return socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sim_host *host = weft__sim_host_of_task(net);
    err = weft__sim_socket_new(net, host, family, type == SOCK_DGRAM, &s);
    return err < 0 ? fail(err) : s->fd;
}

int weft__sim_bind(int fd, const struct sockaddr *address, socklen_t len)
{
    struct sim_socket *s = weft__sim_socket_find(fd);
    weft_address local;
    if (s == NULL)
        return fail(-EBADF);
    weft__address_set(&local, address, len);
    int err = bind_to(s, &local);
    return err < 0 ? fail(err) : 0;
}

/* Of datagrams only: connections are made by an operation. */
int weft__sim_connect(int fd, const struct sockaddr *address, socklen_t len)
{
    struct sim_socket *s = weft__sim_socket_find(fd);
    weft_address peer;
    if (s == NULL)
        return fail(-EBADF);
    if (!s->datagram)
        return fail(-EOPNOTSUPP);
    int err = s->bound ? 0 : weft__sim_bind_any(s);
    if (err < 0)
        return fail(err);
    weft__address_set(&peer, address, len);
    s->peer = weft__sim_plain(&peer);
    s->connected = true;
    return 0;
}

int weft__sim_listen(int fd, int backlog)
{
    struct sim_socket *s = weft__sim_socket_find(fd);
    if (s == NULL)
        return fail(-EBADF);
    int err = s->bound ? 0 : weft__sim_bind_any(s);
    if (err < 0)
        return fail(err);
    s->listening = true;
    s->backlog = backlog;
    return 0;
}

int weft__sim_shutdown(int fd)
{
    struct sim_socket *s = weft__sim_socket_find(fd);
    if (s == NULL)
        return fail(-EBADF);
    if (s->conn == NULL)
        return fail(-ENOTCONN);
    weft__sim_conn_shutdown(s);
    return 0;
}

int weft__sim_name(int fd, bool peer, struct sockaddr *address, socklen_t *len)
{
    struct sim_socket *s = weft__sim_socket_find(fd);
    if (s == NULL)
        return fail(-EBADF);
    if (peer && !s->connected)
        return fail(-ENOTCONN);
    const weft_address *from = peer ? &s->peer : &s->local;
    memcpy(address, from->opaque, from->len < *len ? from->len : *len);
    *len = from->len;
    return 0;
}

int weft__sim_setsockopt(int fd, int level, int name, const void *value)
{
    struct sim_socket *s = weft__sim_socket_find(fd);
    if (s == NULL)
        return fail(-EBADF);
    if (level == SOL_SOCKET && (name == SO_REUSEPORT || (name == SO_REUSEADDR && s->datagram)))
        s->reuse_port = *(const int *)value != 0;
    if (level == IPPROTO_IPV6 && name == IPV6_V6ONLY)
        s->only_ipv6 = *(const int *)value != 0;
    return 0;
}

int weft__sim_change_group(int fd, const weft_address *group, bool join)
{
    struct sim_socket *s = weft__sim_socket_find(fd);
    int err = -EBADF;
    if (s != NULL)
        err = join ? weft__sim_join(s, group) : weft__sim_leave(s, group);
    return err < 0 ? fail(err) : 0;
}

int weft__sim_unsent(int fd)
{
    struct sim_socket *s = weft__sim_socket_find(fd);
    if (s == NULL || s->conn == NULL)
        return -1;
    const struct sim_pipe *pipe = &s->conn->pipes[s->side];
    /* What waits for a reader is confirmed in full; while it is read, it shrinks. */
    return (int)(pipe->written - pipe->read);
}

bool weft__sim_is_quiet(int fd)
{
    struct sim_socket *s = weft__sim_socket_find(fd);
    return s != NULL && s->conn != NULL && !weft__sim_conn_is_readable(s);
}

void weft__sim_abort(int fd)
{
    struct sim_socket *s = weft__sim_socket_find(fd);
    if (s != NULL && s->conn != NULL)
        weft__sim_conn_abort(s);
}

void weft__sim_close(int fd)
{
    struct sim_socket *s = weft__sim_socket_find(fd);
    if (s != NULL)
        weft__sim_socket_free(s);
}
