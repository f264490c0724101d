/*
 * sock.c - streams over TCP and Unix sockets.
 *
 * Reading goes straight into the caller's memory.  A small write is copied and put off: it
 * rides with the next read of the same stream (one io_uring_enter for both), and goes at the
 * latest before the loop waits.  Two buffers serve that: one flies, owned by the kernel until
 * its completion, while the other one fills.  A large write is sent from the caller's memory
 * by an operation that the task waits for.
 *
 * The struct outlives its stream while a send flies; the send's end frees it then.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "net/net_int.h"
#include "net/sys.h"

enum {
    HIGH = WEFT__LIMIT_STREAM_WRITE_HIGH,
    DIRECT_MIN = 16 * 1024,      /* slices of a large write below this are copied */
    OP_MAX = 1024 * 1024 * 1024, /* bytes of one operation */
    CLOSE_SECONDS = 60,          /* of a close without a write time-out */
    LOOKS = 4,                   /* in a write time-out, whether something moves */
};

struct sock {
    struct weft__endpoint endpoint;
    struct weft__op recv;
    struct weft__op send;      /* of flying, or of a large write */
    struct weft__flush flush;  /* while something fills and nothing flies */
    struct weft__list waiters; /* the writer that waits for room or for the end of it all */
    char *filling;
    size_t filling_len;
    char *flying;
    int error;    /* of a send that no task waited for; writes report it from then on */
    int lost;     /* what a send learned of the connection, and the system says only once */
    bool torn;    /* the error: a write was cut short by its own task */
    bool orphan;  /* the stream is gone */
    bool closing; /* the descriptor closes when the send has ended */
    size_t high;  /* unsent bytes, from which on a writer waits */
    size_t low;   /* and until how many */
    int64_t read_timeout;
    int64_t write_timeout;
    weft_address peer; /* len 0: not asked for yet */
};

/* ---- errors ---- */

static const weft_address *peer_of(struct sock *sock)
{
    struct sockaddr_storage storage = {0};
    socklen_t len = sizeof storage;
    if (sock->peer.len == 0 && sock->endpoint.fd.fd >= 0 &&
        weft__sys_getpeername(sock->endpoint.fd.fd, (struct sockaddr *)&storage, &len) == 0)
        weft__address_set(&sock->peer, &storage, len);
    return &sock->peer;
}

static void peer_text(struct sock *sock, char text[WEFT_ADDRESS_TEXT_MAX])
{
    const weft_address *peer = peer_of(sock);
    bool nameless = peer->len <= sizeof(sa_family_t);
    if (nameless || weft_address_format(peer, text, WEFT_ADDRESS_TEXT_MAX) < 0)
        memcpy(text, "the peer", sizeof "the peer");
}

static int fail_op(struct sock *sock, const char *what, int err)
{
    char peer[WEFT_ADDRESS_TEXT_MAX];
    if (err == -ECANCELED)
        return weft__cancel_error(weft__self());
    /* The kernel was asked for a socket of a simulated network that was freed. */
    if (err == -EBADF && sock->endpoint.fd.fd >= WEFT__SIM_FD)
        err = -ENETDOWN;
    peer_text(sock, peer);
    return weft__fail_with(err, "%s %s", what, peer);
}

static int fail_timeout(struct sock *sock, int code, const char *what, int64_t timeout)
{
    char peer[WEFT_ADDRESS_TEXT_MAX];
    peer_text(sock, peer);
    return weft__fail(code, "%s %s: nothing moved for %.6g s", what, peer, (double)timeout * 1e-9);
}

static int fail_earlier(struct sock *sock)
{
    char peer[WEFT_ADDRESS_TEXT_MAX];
    peer_text(sock, peer);
    if (sock->torn)
        return weft__fail(sock->error, "write to %s: an earlier write was cut short", peer);
    return weft__fail_with(sock->error, "write to %s", peer);
}

/* ---- sending in the background ---- */

static void release(struct sock *sock)
{
    weft__endpoint_close(&sock->endpoint);
    if (sock->orphan)
        weft__free(sock);
}

static void drop_filling(struct sock *sock)
{
    weft__list_remove(&sock->flush.node);
    weft__iobuf_give(sock->filling);
    sock->filling = NULL;
    sock->filling_len = 0;
}

static void push(struct sock *sock);

static void send_done(struct weft__op *op)
{
    struct sock *sock = WEFT__CONTAINER(op, struct sock, send);
    weft__sending_add(-1);
    weft__iobuf_give(sock->flying);
    sock->flying = NULL;
    if (op->result < 0) {
        sock->lost = (int)op->result;
        if (sock->error == 0)
            sock->error = (int)op->result;
        drop_filling(sock);
    }
    if (sock->closing || sock->orphan) {
        release(sock);
        return;
    }
    push(sock);
    weft__waitq_wake_all(&sock->waiters, 0);
}

/* Begins to send what fills, unless something flies: then its end does. */
static void push(struct sock *sock)
{
    if (sock->filling_len == 0 || sock->flying != NULL)
        return;
    struct weft__op *op = &sock->send;
    weft__list_remove(&sock->flush.node);
    sock->flying = sock->filling;
    op->kind = WEFT__OP_SEND;
    op->fd = &sock->endpoint.fd;
    op->done = send_done;
    op->data = sock->flying;
    op->len = sock->filling_len;
    sock->filling = NULL;
    sock->filling_len = 0;
    weft__sending_add(1);
    weft__op_start(op);
}

static void flush_due(struct weft__flush *flush)
{
    push(WEFT__CONTAINER(flush, struct sock, flush));
}

static void loop_ends(struct weft__endpoint *endpoint)
{
    struct sock *sock = WEFT__CONTAINER(endpoint, struct sock, endpoint);
    drop_filling(sock);
    if (sock->flying != NULL)
        weft__op_cancel(&sock->send);
}

/* ---- reading ---- */

static int64_t sock_read(void *self, void *data, size_t len)
{
    struct sock *sock = self;
    int err = weft__endpoint_check(&sock->endpoint, "read");
    if (err < 0)
        return err;
    push(sock);
    struct weft__op *op = &sock->recv;
    op->data = data;
    op->len = len < OP_MAX ? len : OP_MAX;
    int64_t n = weft__op_run(op, sock->read_timeout);
    if (__builtin_expect(n > 0, 1))
        return n;
    /* No end of the data: a send has taken the socket's error, and left nothing but this. */
    if (n == 0 && (sock->lost == -ECONNRESET || sock->lost == -ETIMEDOUT) && len > 0)
        return fail_op(sock, "read from", sock->lost);
    if (n == 0)
        return 0;
    if (n == -ETIMEDOUT && op->timed_out)
        return fail_timeout(sock, WEFT_EREAD_TIMEOUT, "read from", sock->read_timeout);
    return fail_op(sock, "read from", (int)n);
}

/* ---- writing ---- */

/* What the kernel has not got rid of yet: while that changes, the peer takes data. */
static int unsent(const struct sock *sock)
{
    return weft__sys_unsent(sock->endpoint.fd.fd);
}

/*
 * How long to wait before it is looked whether anything moves: a part of the time-out, so that one
 * that began while something still moved is not twice as long.
 */
static int64_t look_after(const struct sock *sock, int64_t quiet)
{
    int64_t timeout = sock->write_timeout;
    int64_t left = timeout - quiet;
    int64_t part = timeout / LOOKS > 0 ? timeout / LOOKS : 1;
    return timeout == WEFT_FOREVER ? timeout : part < left ? part : left;
}

/* Waits until the send that flies has ended. */
static int wait_sent(struct sock *sock)
{
    struct weft__waiter waiter;
    for (int64_t quiet = 0;;) {
        sock->endpoint.fd.loop->hurry = true;
        if (sock->write_timeout == WEFT_FOREVER)
            return (int)weft__waitq_wait(&sock->waiters, &waiter, "write");
        int before = unsent(sock);
        int64_t wait = look_after(sock, quiet);
        weft_scope scope;
        weft_scope_enter(&scope, wait);
        int err = (int)weft__waitq_wait(&sock->waiters, &waiter, "write");
        err = weft_scope_exit(&scope, err);
        if (err != -ETIMEDOUT)
            return err;
        quiet = unsent(sock) == before ? quiet + wait : 0;
        if (quiet >= sock->write_timeout)
            return fail_timeout(sock, WEFT_EWRITE_TIMEOUT, "write to", sock->write_timeout);
    }
}

/* With limits of its own a socket counts what flies too, and lets a writer go on only at low. */
static bool has_room(const struct sock *sock, size_t len, bool waited)
{
    size_t unsent_len = sock->filling_len + (sock->flying != NULL ? sock->send.len : 0);
    if (len > HIGH)
        return unsent_len == 0;
    if (sock->filling_len + len > HIGH)
        return false;
    if (sock->high == HIGH || unsent_len == 0)
        return true;
    return waited ? unsent_len <= sock->low : unsent_len + len <= sock->high;
}

/* Until len bytes fit into the buffer that fills; HIGH + 1: until nothing fills or flies. */
static int wait_room(struct sock *sock, size_t len)
{
    for (bool waited = false;; waited = true) {
        if (sock->error != 0)
            return fail_earlier(sock);
        if (has_room(sock, len, waited))
            return 0;
        push(sock);
        if (sock->flying == NULL)
            continue;
        int err = wait_sent(sock);
        if (err < 0)
            return err;
    }
}

static int copy(struct sock *sock, const weft_slice *slices, size_t n)
{
    if (sock->filling == NULL) {
        sock->filling = weft__iobuf_take();
        if (sock->filling == NULL)
            return weft__fail_nomem();
    }
    for (size_t i = 0; i < n; i++) {
        memcpy(sock->filling + sock->filling_len, slices[i].data, slices[i].len);
        sock->filling_len += slices[i].len;
    }
    /* Another task's read may have sent off what was there: the end of that sends this. */
    if (sock->flying != NULL)
        sock->endpoint.fd.loop->hurry = true;
    else if (weft__list_is_empty(&sock->flush.node))
        weft__list_push_back(&sock->endpoint.fd.loop->flushes, &sock->flush.node);
    return 0;
}

/* From the caller's memory; *ret_sent: how much went, also on failure. */
static int send_direct(struct sock *sock, const char *data, size_t len, bool *ret_begun)
{
    struct weft__op *op = &sock->send;
    int64_t quiet = 0;
    int err = wait_room(sock, HIGH + 1);
    while (err == 0 && len > 0) {
        int before = unsent(sock);
        int64_t wait = look_after(sock, quiet);
        op->kind = WEFT__OP_SEND;
        op->fd = &sock->endpoint.fd;
        op->data = (void *)(uintptr_t)data;
        op->len = len < OP_MAX ? len : OP_MAX;
        op->progress = 0;
        int64_t n = weft__op_run(op, wait);
        size_t sent = n >= 0 ? (size_t)n : op->progress;
        *ret_begun = *ret_begun || sent > 0;
        data += sent;
        len -= sent;
        quiet = sent == 0 && unsent(sock) == before ? quiet + wait : 0;
        if (n >= 0)
            continue;
        if (n != -ETIMEDOUT || !op->timed_out) {
            sock->lost = (int)n;
            err = fail_op(sock, "write to", (int)n);
        } else if (quiet >= sock->write_timeout)
            err = fail_timeout(sock, WEFT_EWRITE_TIMEOUT, "write to", sock->write_timeout);
    }
    return err;
}

static int write_large(struct sock *sock, const weft_slice *slices, size_t n)
{
    bool begun = false;
    int err = 0;
    for (size_t i = 0; i < n && err == 0; i++) {
        if (slices[i].len >= DIRECT_MIN) {
            err = send_direct(sock, slices[i].data, slices[i].len, &begun);
            continue;
        }
        err = wait_room(sock, slices[i].len);
        if (err == 0)
            err = copy(sock, &slices[i], 1);
        begun = begun || err == 0;
    }
    if (err < 0 && begun && sock->error == 0) {
        sock->error = -EPIPE;
        sock->torn = true;
    }
    return err;
}

static int begin_write(struct sock *sock)
{
    int err = weft__endpoint_check(&sock->endpoint, "write");
    if (err == 0)
        err = weft__checkpoint(weft__self());
    if (err == 0 && sock->error != 0)
        err = fail_earlier(sock);
    return err;
}

static int sock_writev(void *self, const weft_slice *slices, size_t n)
{
    struct sock *sock = self;
    size_t total = 0;
    int err = begin_write(sock);
    if (err < 0)
        return err;
    for (size_t i = 0; i < n && total <= HIGH; i++)
        total += slices[i].len < HIGH ? slices[i].len : HIGH + 1;
    if (total > HIGH)
        return write_large(sock, slices, n);
    err = wait_room(sock, total);
    return err < 0 ? err : copy(sock, slices, n);
}

static int sock_flush(void *self)
{
    struct sock *sock = self;
    int err = begin_write(sock);
    return err < 0 ? err : wait_room(sock, HIGH + 1);
}

static int sock_write_eof(void *self)
{
    struct sock *sock = self;
    int err = sock_flush(sock);
    if (err == 0 && weft__sys_shutdown_write(sock->endpoint.fd.fd) < 0)
        err = fail_op(sock, "end of writing to", -errno);
    return err;
}

/* ---- the rest ---- */

static void sock_set_timeout(void *self, int64_t read, int64_t write)
{
    struct sock *sock = self;
    sock->read_timeout = read;
    sock->write_timeout = write;
}

static void sock_set_write_limits(void *self, size_t high, size_t low)
{
    struct sock *sock = self;
    sock->high = high;
    sock->low = low;
}

/* Disconnecting a TCP socket sends a reset; a Unix socket ends both directions. */
static void sock_abort(void *self)
{
    struct sock *sock = self;
    const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
    if (sock->endpoint.fd.fd < 0)
        return;
    drop_filling(sock);
    if (sock->error == 0)
        sock->error = -EPIPE;
    if (sock->endpoint.fd.fd >= WEFT__SIM_FD) {
        weft__sim_abort(sock->endpoint.fd.fd);
        return;
    }
    connect(sock->endpoint.fd.fd, &nowhere, sizeof nowhere);
    shutdown(sock->endpoint.fd.fd, SHUT_RDWR);
}

/* Without waiting: what still flies is cancelled, and its end closes the descriptor. */
static void shut(struct sock *sock)
{
    if (sock->endpoint.fd.loop == NULL) {
        weft__endpoint_close(&sock->endpoint);
        return;
    }
    drop_filling(sock);
    if (sock->flying != NULL) {
        sock->closing = true;
        weft__op_cancel(&sock->send);
    } else {
        weft__endpoint_close(&sock->endpoint);
    }
}

static int sock_close(void *self)
{
    struct sock *sock = self;
    if (sock->write_timeout == WEFT_FOREVER)
        sock->write_timeout = WEFT_SEC(CLOSE_SECONDS);
    int err = 0;
    if (sock->filling_len > 0 || sock->flying != NULL || sock->error != 0)
        err = sock_flush(sock);
    shut(sock);
    return err;
}

static void sock_free(void *self)
{
    struct sock *sock = self;
    struct weft__loop *loop = sock->endpoint.fd.loop;
    if (sock->endpoint.fd.fd >= 0 && loop != NULL) {
        /* What fits into the kernel's buffer still goes. */
        push(sock);
        if (sock->flying != NULL)
            loop->backend->poll(loop, 0);
    }
    if (sock->endpoint.fd.fd >= 0 && !sock->closing)
        shut(sock);
    if (sock->flying != NULL)
        loop->backend->poll(loop, 0);
    if (sock->flying != NULL)
        sock->orphan = true;
    else
        weft__free(sock);
}

static int sock_is_quiet(void *self)
{
    struct sock *sock = self;
    char byte;
    if (sock->endpoint.fd.fd < 0 || sock->error != 0)
        return 0;
    if (sock->endpoint.fd.fd >= WEFT__SIM_FD)
        return weft__sim_is_quiet(sock->endpoint.fd.fd);
    return recv(sock->endpoint.fd.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

static int sock_direct(void *self, weft_stream_direct *ret)
{
    struct sock *sock = self;
    bool quiet = sock->filling_len == 0 && sock->flying == NULL && sock->error == 0;
    /* Of a simulated one there is no descriptor to give. */
    if (!quiet || sock->endpoint.fd.fd >= WEFT__SIM_FD ||
        weft__endpoint_check(&sock->endpoint, "use") < 0)
        return -EBUSY;
    *ret = (weft_stream_direct){sock->endpoint.fd.fd, sock->read_timeout, sock->write_timeout};
    return 0;
}

static const weft_stream_ops sock_ops = {
    .size = sizeof sock_ops,
    .name = "socket",
    .read = sock_read,
    .writev = sock_writev,
    .flush = sock_flush,
    .write_eof = sock_write_eof,
    .set_timeout = sock_set_timeout,
    .close = sock_close,
    .free = sock_free,
    .is_quiet = sock_is_quiet,
    .direct = sock_direct,
    .set_write_limits = sock_set_write_limits,
    .abort = sock_abort,
};

int weft__sock_new(int descriptor, const weft_address *peer, weft_stream **ret)
{
    struct sock *sock = weft__calloc(1, sizeof *sock);
    if (sock == NULL) {
        weft__sys_close(descriptor);
        return weft__fail_nomem();
    }
    int err = weft__endpoint_init(&sock->endpoint, descriptor, loop_ends);
    if (err < 0) {
        weft__free(sock);
        return err;
    }
    sock->recv.kind = WEFT__OP_RECV;
    sock->recv.fd = &sock->endpoint.fd;
    sock->flush.fn = flush_due;
    weft__list_init(&sock->flush.node);
    weft__list_init(&sock->waiters);
    sock->read_timeout = WEFT_FOREVER;
    sock->write_timeout = WEFT_FOREVER;
    sock->high = HIGH;
    if (peer != NULL)
        sock->peer = *peer;
    return weft_stream_new(&sock_ops, sock, ret);
}

/* ---- connecting ---- */

int weft__sock_open(int family)
{
    int descriptor = weft__sys_socket(family, SOCK_STREAM);
    if (descriptor < 0)
        return -errno;
    int one = 1;
    if (family != AF_UNIX)
        weft__sys_setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return descriptor;
}

/* A Unix socket whose queue of connections is full says EAGAIN, and there is no event to wait for. */
static int connect_op(struct sock *sock, const weft_address *address)
{
    int64_t pause = WEFT_MS(1);
    for (;;) {
        struct weft__op op = {
            .kind = WEFT__OP_CONNECT,
            .fd = &sock->endpoint.fd,
            .data = weft__address_sockaddr(address),
            .len = address->len,
        };
        int err = (int)weft__op_run(&op, WEFT_FOREVER);
        if (err != -EAGAIN)
            return err;
        err = weft_sleep(pause);
        if (err < 0)
            return err;
        pause = pause < WEFT_MS(100) ? pause * 2 : pause;
    }
}

/* The end that is ours; an address of the wrong family is the attempt's failure. */
static int bind_local(int descriptor, int family, const weft_dial_options *options)
{
    const char *host = options->local_host;
    weft_address local;
    if (family == AF_UNIX || (host == NULL && options->local_port == 0))
        return 0;
    if (host == NULL)
        host = family == AF_INET6 ? "::" : "0.0.0.0";
    if (weft__address_parse(host, options->local_port, &local) < 0)
        return -EINVAL;
    if (weft__address_family(&local) != family)
        return -EAFNOSUPPORT;
    int err = weft__sys_bind(descriptor, weft__address_sockaddr(&local), local.len);
    return err < 0 ? -errno : 0;
}

int weft__sock_connect(const weft_address *address, const weft_dial_options *options,
                       weft_stream **ret)
{
    weft_stream *stream;
    int family = weft__address_family(address);
    int descriptor = weft__sock_open(family);
    if (descriptor < 0)
        return descriptor;
    int err = weft__sock_new(descriptor, address, &stream);
    if (err < 0)
        return err;
    err = weft__socket_prepare(descriptor, options->interface, options->receive_buffer,
                               options->send_buffer);
    if (err == 0 && family != AF_UNIX)
        err = weft__socket_keepalive(descriptor, options->keepalive);
    if (err == 0)
        err = bind_local(descriptor, family, options);
    if (err == 0)
        err = connect_op(weft_stream_get_self(stream, &sock_ops), address);
    if (err < 0) {
        weft_stream_free(stream);
        return err;
    }
    *ret = stream;
    return 0;
}

/* ---- addresses ---- */

static struct sock *bottom(weft_stream *stream)
{
    for (weft_stream *below; (below = weft_stream_below(stream)) != NULL;)
        stream = below;
    return weft_stream_get_self(stream, &sock_ops);
}

int weft__sock_fd(weft_stream *stream)
{
    const struct sock *sock = weft_stream_get_self(stream, &sock_ops);
    return sock != NULL ? sock->endpoint.fd.fd : -1;
}

int weft_stream_peer_address(weft_stream *stream, weft_address *ret)
{
    struct sock *sock = bottom(stream);
    if (sock == NULL)
        return weft__fail(-ENOTSOCK, "the stream has no socket below it");
    const weft_address *peer = peer_of(sock);
    if (peer->len == 0)
        return weft__fail(-ENOTCONN, "the socket has no peer any more");
    *ret = *peer;
    return 0;
}

int weft_stream_local_address(weft_stream *stream, weft_address *ret)
{
    struct sock *sock = bottom(stream);
    struct sockaddr_storage storage = {0};
    socklen_t len = sizeof storage;
    if (sock == NULL)
        return weft__fail(-ENOTSOCK, "the stream has no socket below it");
    if (weft__sys_getsockname(sock->endpoint.fd.fd, (struct sockaddr *)&storage, &len) < 0)
        return weft__fail_with(-errno, "the local address of a stream");
    weft__address_set(ret, &storage, len);
    return 0;
}
