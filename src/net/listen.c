/*
 * listen.c - listening sockets and accepting.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "net/net_int.h"
#include "net/sys.h"

enum { BACKLOG = 511 };

struct weft_listener {
    struct weft__endpoint endpoint;
    struct weft__op op;
    weft_address address;
    struct weft__accepted from;
    char *path; /* of a Unix socket that is removed at the end, or NULL */
    dev_t dev;
    ino_t ino;
    void (*on_shortage)(void *arg, int err);
    void *on_shortage_arg;
    bool accepting; /* a task is in accept: it frees the listener that is closed meanwhile */
    bool closed;
};

static void loop_ends(struct weft__endpoint *endpoint)
{
    (void)endpoint;
}

/* Only the file that this listener made: another one may stand there by now. */
static void remove_path(weft_listener *listener)
{
    struct stat st;
    if (listener->path != NULL && lstat(listener->path, &st) == 0 && st.st_dev == listener->dev &&
        st.st_ino == listener->ino)
        unlink(listener->path);
}

static void listener_free(weft_listener *listener)
{
    weft__endpoint_close(&listener->endpoint);
    remove_path(listener);
    weft__free(listener->path);
    weft__free(listener);
}

/* ---- making one ---- */

static int set_options(int descriptor, int family, const weft_listen_options *options)
{
    int one = 1;
    int v6only = options->only_ipv6;
    int err = weft__socket_prepare(descriptor, options->interface, options->receive_buffer,
                                   options->send_buffer);
    if (err < 0 || family == AF_UNIX)
        return err;
    weft__sys_setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    /* Accepted connections inherit it, and the probes of an idle peer. */
    weft__sys_setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (family == AF_INET6)
        weft__sys_setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof v6only);
    if (options->reuse_port &&
        weft__sys_setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) < 0)
        return -errno;
    return weft__socket_keepalive(descriptor, options->keepalive);
}

/* Does somebody accept on the Unix socket that is in the way? */
static bool is_stale(const weft_address *address)
{
    struct sockaddr_un un;
    struct stat st;
    memcpy(&un, address->opaque, sizeof un);
    if (un.sun_path[0] == '\0' || lstat(un.sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
        return false;
    int probe = weft__sock_open(AF_UNIX);
    if (probe < 0)
        return false;
    bool refused =
        connect(probe, weft__address_sockaddr(address), address->len) < 0 && errno == ECONNREFUSED;
    close(probe);
    return refused;
}

static int bind_to(int descriptor, const weft_address *address)
{
    if (weft__sys_bind(descriptor, weft__address_sockaddr(address), address->len) == 0)
        return 0;
    if (errno != EADDRINUSE || descriptor >= WEFT__SIM_FD ||
        weft__address_family(address) != AF_UNIX || !is_stale(address))
        return -errno;
    struct sockaddr_un un;
    memcpy(&un, address->opaque, sizeof un);
    unlink(un.sun_path);
    return weft__sys_bind(descriptor, weft__address_sockaddr(address), address->len) == 0 ? 0
                                                                                          : -errno;
}

static int set_mode(const weft_address *address, unsigned mode)
{
    struct sockaddr_un un;
    memcpy(&un, address->opaque, sizeof un);
    return un.sun_path[0] == '\0' || chmod(un.sun_path, mode & 07777) == 0 ? 0 : -errno;
}

static int open_bound(const weft_address *address, const weft_listen_options *options)
{
    int family = weft__address_family(address);
    int descriptor = weft__sock_open(family);
    if (descriptor < 0)
        return descriptor;
    int err = set_options(descriptor, family, options);
    if (err == 0)
        err = bind_to(descriptor, address);
    /* Nobody can connect before listen(2). */
    if (err == 0 && family == AF_UNIX && options->mode != 0 && descriptor < WEFT__SIM_FD)
        err = set_mode(address, options->mode);
    if (err == 0 &&
        weft__sys_listen(descriptor, options->backlog > 0 ? options->backlog : BACKLOG) < 0)
        err = -errno;
    if (err == 0)
        return descriptor;
    weft__sys_close(descriptor);
    return err;
}

static int fail_listen(const weft_address *address, int err)
{
    char text[WEFT_ADDRESS_TEXT_MAX] = "";
    weft_address_format(address, text, sizeof text);
    return weft__fail_with(err, "listen on %s", text);
}

static weft_listen_options take_options(const weft_listen_options *options)
{
    weft_listen_options all = {0};
    if (options != NULL)
        memcpy(&all, options, options->size < sizeof all ? options->size : sizeof all);
    return all;
}

/* Takes the descriptor, on failure too. */
static int listener_of(int descriptor, weft_listener **ret)
{
    weft_listener *listener = weft__calloc(1, sizeof *listener);
    if (listener == NULL) {
        weft__sys_close(descriptor);
        return weft__fail_nomem();
    }
    int err = weft__endpoint_init(&listener->endpoint, descriptor, loop_ends);
    if (err < 0) {
        weft__free(listener);
        return err;
    }
    struct sockaddr_storage storage = {0};
    socklen_t len = sizeof storage;
    weft__sys_getsockname(descriptor, (struct sockaddr *)&storage, &len);
    weft__address_set(&listener->address, &storage, len);
    *ret = listener;
    return 0;
}

static int listener_new(const weft_address *address, const weft_listen_options *options,
                        weft_listener **ret)
{
    weft_listen_options all = take_options(options);
    int descriptor = open_bound(address, &all);
    return descriptor >= 0 ? listener_of(descriptor, ret) : fail_listen(address, descriptor);
}

/* All addresses of both families, or of IPv4 where there is no IPv6. */
static int listen_any(uint16_t port, const weft_listen_options *options, weft_listener **ret)
{
    weft_address address;
    weft__address_parse("::", port, &address);
    int err = listener_new(&address, options, ret);
    if ((err != -EAFNOSUPPORT && err != -EADDRNOTAVAIL) || take_options(options).only_ipv6)
        return err;
    weft__address_parse("0.0.0.0", port, &address);
    return listener_new(&address, options, ret);
}

int weft_listen(const char *host, uint16_t port, const weft_listen_options *options,
                weft_listener **ret)
{
    weft_address *addresses;
    size_t n;
    if (host == NULL || host[0] == '\0')
        return listen_any(port, options, ret);
    int err = weft_resolve(host, port, &addresses, &n);
    if (err < 0)
        return err;
    err = -EADDRNOTAVAIL;
    for (size_t i = 0; i < n && (err == -EADDRNOTAVAIL || err == -EAFNOSUPPORT); i++)
        err = listener_new(&addresses[i], options, ret);
    weft__free(addresses);
    return err;
}

int weft_listen_unix(const char *path, const weft_listen_options *options, weft_listener **ret)
{
    weft_address address;
    weft_listener *listener;
    struct stat st;
    int err = weft__address_unix(path, &address);
    if (err < 0)
        return err;
    err = listener_new(&address, options, &listener);
    if (err < 0)
        return err;
    bool is_file = path[0] != '@' && listener->endpoint.fd.fd < WEFT__SIM_FD;
    if (is_file && !take_options(options).keep_file && lstat(path, &st) == 0) {
        listener->path = weft__strdup(path);
        if (listener->path == NULL) {
            unlink(path);
            listener_free(listener);
            return weft__fail_nomem();
        }
        listener->dev = st.st_dev;
        listener->ino = st.st_ino;
    }
    *ret = listener;
    return 0;
}

static int check_listening(int fd)
{
    int type = 0;
    int listening = 0;
    socklen_t len = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
        return weft__fail_with(-errno, "listen on descriptor %d", fd);
    len = sizeof listening;
    if (type != SOCK_STREAM || getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) < 0 ||
        !listening)
        return weft__fail(-EINVAL, "descriptor %d is no socket that listens for streams", fd);
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return weft__fail_with(-errno, "listen on descriptor %d", fd);
    return 0;
}

int weft_listen_fd(int fd, weft_listener **ret)
{
    int err = check_listening(fd);
    if (err == 0)
        return listener_of(fd, ret);
    if (fd >= 0)
        close(fd);
    return err;
}

/* ---- accepting ---- */

/* The connection is gone or forbidden; the next one may be fine (accept(2), "Error handling"). */
static bool is_of_connection(int err)
{
    switch (-err) {
    case ECONNABORTED:
    case EPROTO:
    case ENOPROTOOPT:
    case EPERM:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
        return true;
    default:
        return false;
    }
}

/* No descriptor or memory for a connection: it stays in the kernel's queue for later. */
static bool is_shortage(int err)
{
    return err == -EMFILE || err == -ENFILE || err == -ENOBUFS || err == -ENOMEM;
}

static int accept_one(weft_listener *listener)
{
    int64_t pause = WEFT_MS(100);
    for (;;) {
        struct weft__op *op = &listener->op;
        op->kind = WEFT__OP_ACCEPT;
        op->fd = &listener->endpoint.fd;
        op->data = &listener->from;
        int64_t result = weft__op_run(op, WEFT_FOREVER);
        if (result >= 0 || listener->closed)
            return (int)result;
        if (is_shortage((int)result)) {
            if (listener->on_shortage != NULL)
                listener->on_shortage(listener->on_shortage_arg, (int)result);
            int err = weft_sleep(pause);
            if (err < 0 || listener->closed)
                return -ECANCELED;
            pause = pause * 2 < WEFT_SEC(1) ? pause * 2 : WEFT_SEC(1);
        } else if (!is_of_connection((int)result)) {
            return (int)result;
        }
    }
}

int weft_listener_accept(weft_listener *listener, weft_stream **ret)
{
    int err = weft__endpoint_check(&listener->endpoint, "accept");
    if (err < 0)
        return err;
    if (listener->accepting)
        return weft__fail(-EBUSY, "another task is accepting on this listener");
    listener->accepting = true;
    int descriptor = accept_one(listener);
    listener->accepting = false;
    if (listener->closed) {
        if (descriptor >= 0)
            weft__sys_close(descriptor);
        listener_free(listener);
        return weft__fail(WEFT_ECLOSED, "accept: the listener was closed");
    }
    if (descriptor == -ECANCELED)
        return weft__cancel_error(weft__self());
    if (descriptor < 0) {
        char text[WEFT_ADDRESS_TEXT_MAX] = "";
        weft_address_format(&listener->address, text, sizeof text);
        return weft__fail_with(descriptor, "accept on %s", text);
    }
    if (descriptor >= WEFT__SIM_FD)
        return weft__sock_new(descriptor, NULL, ret);
    weft_address peer;
    weft__address_set(&peer, &listener->from.address, listener->from.len);
    return weft__sock_new(descriptor, &peer, ret);
}

void weft_listener_address(const weft_listener *listener, weft_address *ret)
{
    *ret = listener->address;
}

void weft__listener_on_shortage(weft_listener *listener, void (*fn)(void *arg, int err), void *arg)
{
    listener->on_shortage = fn;
    listener->on_shortage_arg = arg;
}

uint16_t weft_listener_port(const weft_listener *listener)
{
    return weft_address_port(&listener->address);
}

void weft_listener_close(weft_listener *listener)
{
    if (listener == NULL || listener->closed)
        return;
    if (!listener->accepting) {
        listener_free(listener);
        return;
    }
    listener->closed = true;
    weft__op_cancel(&listener->op);
}
