/*
 * loop_uring.c - operations over io_uring.
 *
 * The ring is made with SINGLE_ISSUER, DEFER_TASKRUN and SUBMIT_ALL: submissions pile up while
 * tasks run and go to the kernel in the one io_uring_enter that also waits.  A cancelled
 * operation ends when its own completion has come, never before: until then the kernel may
 * write to its buffer.
 */
#include "run/run_int.h"

#if WEFT_HAVE_URING

#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>

#include "base/alloc.h"

enum { SQ_ENTRIES = 256, CQ_ENTRIES = 4096, OPCODES = 64, MESSAGE_MAX = 4096 };

#ifndef IORING_SETUP_DEFER_TASKRUN
#define IORING_SETUP_DEFER_TASKRUN (1U << 13)
#endif

struct uring_data {
    struct io_uring ring;
    uint64_t opcodes;            /* bit set of what the kernel knows */
    struct weft__list silent;    /* background sends: see start_silent */
    struct weft__list submitted; /* those that the kernel has taken */
    uint64_t wake_count;         /* where the eventfd is read to */
    bool wake_armed;
};

/* user_data of completions that nobody waits for; ops have their address. */
enum { DATA_IGNORE = 0, DATA_WAKE = 1 };

static bool probe(struct uring_data *data)
{
    struct io_uring_probe *probe = io_uring_get_probe_ring(&data->ring);
    if (probe == NULL)
        return false;
    for (int op = 0; op < OPCODES && op <= probe->last_op; op++) {
        if (io_uring_opcode_supported(probe, op))
            data->opcodes |= (uint64_t)1 << op;
    }
    io_uring_free_probe(probe);
    const uint64_t needed = (uint64_t)1 << IORING_OP_RECV | (uint64_t)1 << IORING_OP_SEND |
                            (uint64_t)1 << IORING_OP_ACCEPT | (uint64_t)1 << IORING_OP_CONNECT |
                            (uint64_t)1 << IORING_OP_POLL_ADD |
                            (uint64_t)1 << IORING_OP_ASYNC_CANCEL | (uint64_t)1 << IORING_OP_READ;
    return (data->opcodes & needed) == needed;
}

static int uring_init(struct weft__loop *loop)
{
    struct uring_data *data = weft__calloc(1, sizeof *data);
    if (data == NULL)
        return -ENOMEM;
    struct io_uring_params params = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL |
                 IORING_SETUP_CQSIZE,
        .cq_entries = CQ_ENTRIES,
    };
    int err = io_uring_queue_init_params(SQ_ENTRIES, &data->ring, &params);
    if (err == 0 && !probe(data)) {
        io_uring_queue_exit(&data->ring);
        err = -EOPNOTSUPP;
    }
    if (err < 0) {
        weft__free(data);
        return err == -ENOMEM ? -EOPNOTSUPP : err;
    }
    weft__list_init(&data->silent);
    weft__list_init(&data->submitted);
    io_uring_ring_dontfork(&data->ring);
    io_uring_register_ring_fd(&data->ring);
    loop->backend_data = data;
    return 0;
}

static void uring_done(struct weft__loop *loop)
{
    struct uring_data *data = loop->backend_data;
    /* The child of a fork has the descriptor, but not the memory of the ring. */
    if (loop->forked)
        close(data->ring.ring_fd);
    else
        io_uring_queue_exit(&data->ring);
    weft__free(data);
}

static struct io_uring_sqe *get_sqe(struct uring_data *data)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&data->ring);
    while (sqe == NULL) {
        io_uring_submit(&data->ring);
        sqe = io_uring_get_sqe(&data->ring);
    }
    return sqe;
}

static void prepare_accept(struct io_uring_sqe *sqe, const struct weft__op *op)
{
    struct weft__accepted *from = op->data;
    from->len = sizeof from->address;
    io_uring_prep_accept(sqe, op->fd->fd, (struct sockaddr *)&from->address, &from->len,
                         SOCK_CLOEXEC | SOCK_NONBLOCK);
}

static void prepare(struct io_uring_sqe *sqe, struct weft__op *op)
{
    switch (op->kind) {
    case WEFT__OP_RECV:
        io_uring_prep_recv(sqe, op->fd->fd, op->data, op->len, 0);
        if (!op->fd->maybe_readable)
            sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
        break;
    case WEFT__OP_SEND:
        /* WAITALL: the kernel goes on after a short send. */
        io_uring_prep_send(sqe, op->fd->fd, op->data, weft__op_send_len(op),
                           MSG_NOSIGNAL | MSG_WAITALL);
        break;
    case WEFT__OP_ACCEPT:
        prepare_accept(sqe, op);
        break;
    case WEFT__OP_CONNECT:
        io_uring_prep_connect(sqe, op->fd->fd, op->data, (socklen_t)op->len);
        break;
    case WEFT__OP_POLL:
        io_uring_prep_poll_add(sqe, op->fd->fd, op->flags);
        break;
    default:
        io_uring_prep_rw(op->sqe.opcode, sqe, op->sqe.fd, (void *)(uintptr_t)op->sqe.addr,
                         op->sqe.len, op->sqe.off);
        sqe->rw_flags = (int)op->sqe.op_flags;
        sqe->flags = op->sqe.flags;
        break;
    }
}

/*
 * A send that no task waits for.  Its completion would end the very wait that it shares with
 * the following receive, and cost another enter.  So it is executed at submission and never
 * later (MSG_DONTWAIT), and answers only if it did not send all: once the submissions are
 * taken and the completions handled, silence means success.
 */
static void start_silent(struct uring_data *data, struct weft__op *op)
{
    struct io_uring_sqe *sqe = get_sqe(data);
    io_uring_prep_send(sqe, op->fd->fd, op->data, op->len,
                       MSG_NOSIGNAL | MSG_WAITALL | MSG_DONTWAIT);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    io_uring_sqe_set_data(sqe, op);
    weft__list_push_back(&data->silent, &op->node);
}

static void end_silent(struct uring_data *data)
{
    struct weft__list *node;
    while ((node = weft__list_pop_front(&data->submitted)) != NULL) {
        struct weft__op *op = WEFT__CONTAINER(node, struct weft__op, node);
        weft__op_finish(op, (int64_t)op->len);
    }
}

static bool uring_start(struct weft__loop *loop, struct weft__op *op)
{
    weft__list_init(&op->node);
    if (op->kind == WEFT__OP_SEND && op->done != NULL && op->limit == 0) {
        start_silent(loop->backend_data, op);
        return false;
    }
    struct io_uring_sqe *sqe = get_sqe(loop->backend_data);
    prepare(sqe, op);
    io_uring_sqe_set_data(sqe, op);
    return false;
}

static void uring_cancel(struct weft__loop *loop, struct weft__op *op)
{
    struct io_uring_sqe *sqe = get_sqe(loop->backend_data);
    io_uring_prep_cancel(sqe, op, 0);
    io_uring_sqe_set_data64(sqe, DATA_IGNORE);
}

/* A pipe or terminal is no socket: the same operation again, as a plain read or write. */
static bool retry_as_file(struct weft__loop *loop, struct weft__op *op)
{
    struct io_uring_sqe *sqe = get_sqe(loop->backend_data);
    if (op->kind == WEFT__OP_RECV)
        io_uring_prep_read(sqe, op->fd->fd, op->data, (unsigned)op->len, (uint64_t)-1);
    else
        io_uring_prep_write(sqe, op->fd->fd, (char *)op->data + op->progress,
                            (unsigned)(op->len - op->progress), (uint64_t)-1);
    io_uring_sqe_set_data(sqe, op);
    return true;
}

/*
 * A message that came alone is mostly answered before the next one comes: to try to receive that
 * first would be in vain.  The kernel finds what is there all the same.
 */
static void note_received(struct weft__op *op, int result)
{
    op->fd->maybe_readable = result <= 0 || result > MESSAGE_MAX || (size_t)result == op->len;
}

static void complete(struct weft__loop *loop, struct weft__op *op, int result)
{
    VALGRIND_MAKE_MEM_DEFINED(op->data, op->kind == WEFT__OP_RECV && result > 0 ? result : 0);
    if (op->kind == WEFT__OP_RING && result > 0 && op->sqe.opcode == IORING_OP_READ)
        VALGRIND_MAKE_MEM_DEFINED((void *)(uintptr_t)op->sqe.addr, result);
    /* It answered, so it was not silent. */
    bool silent = !weft__list_is_empty(&op->node);
    if (silent)
        weft__list_remove(&op->node);
    if (silent && result == -EAGAIN)
        result = 0;
    bool stream = op->kind == WEFT__OP_RECV || op->kind == WEFT__OP_SEND;
    if (result == -EINTR && !op->cancelling) {
        uring_start(loop, op);
        return;
    }
    if (stream && result == -ENOTSOCK && !op->cancelling && retry_as_file(loop, op))
        return;
    if (op->kind == WEFT__OP_ACCEPT && result == -ECONNABORTED && !op->cancelling) {
        uring_start(loop, op);
        return;
    }
    if (op->kind == WEFT__OP_SEND && result >= 0) {
        op->progress += (size_t)result;
        if (op->progress < op->len && !op->cancelling) {
            struct io_uring_sqe *sqe = get_sqe(loop->backend_data);
            io_uring_prep_send(sqe, op->fd->fd, (char *)op->data + op->progress,
                               op->len - op->progress, MSG_NOSIGNAL | MSG_WAITALL);
            io_uring_sqe_set_data(sqe, op);
            return;
        }
        result = op->progress < op->len ? -ECANCELED : (int)op->len;
        weft__op_finish(op, result < 0 ? result : (int64_t)op->len);
        return;
    }
    if (op->kind == WEFT__OP_RECV)
        note_received(op, result);
    /* Interrupted by our cancellation, not by a signal. */
    if (result == -EINTR)
        result = -ECANCELED;
    weft__op_finish(op, result);
}

static void handle(struct weft__loop *loop, struct io_uring_cqe *cqe)
{
    struct uring_data *data = loop->backend_data;
    uint64_t user = io_uring_cqe_get_data64(cqe);
    if (user == DATA_WAKE)
        data->wake_armed = false;
    else if (user != DATA_IGNORE)
        complete(loop, (struct weft__op *)(uintptr_t)user, cqe->res);
}

static void reap(struct weft__loop *loop)
{
    struct uring_data *data = loop->backend_data;
    struct io_uring_cqe *cqes[64];
    unsigned n;
    while ((n = io_uring_peek_batch_cqe(&data->ring, cqes, 64)) > 0) {
        for (unsigned i = 0; i < n; i++)
            handle(loop, cqes[i]);
        io_uring_cq_advance(&data->ring, n);
    }
}

static void arm_wake(struct weft__loop *loop)
{
    struct uring_data *data = loop->backend_data;
    if (data->wake_armed)
        return;
    data->wake_armed = true;
    struct io_uring_sqe *sqe = get_sqe(data);
    io_uring_prep_read(sqe, loop->inbox->eventfd, &data->wake_count, sizeof data->wake_count, 0);
    io_uring_sqe_set_data64(sqe, DATA_WAKE);
}

static void uring_poll(struct weft__loop *loop, int64_t timeout)
{
    struct uring_data *data = loop->backend_data;
    struct io_uring_cqe *cqe;
    if (loop->hurry)
        timeout = 0;
    loop->hurry = false;
    if (timeout != 0) {
        arm_wake(loop);
        if (!weft__inbox_sleep(loop->inbox))
            timeout = 0;
    }
    if (timeout == 0) {
        io_uring_submit_and_get_events(&data->ring);
    } else if (timeout == WEFT_FOREVER) {
        io_uring_submit_and_wait(&data->ring, 1);
    } else {
        struct __kernel_timespec wait = {
            .tv_sec = timeout / 1000000000,
            .tv_nsec = timeout % 1000000000,
        };
        io_uring_submit_and_wait_timeout(&data->ring, &cqe, 1, &wait, NULL);
    }
    weft__inbox_woken(loop->inbox);
    loop->now = weft__loop_now(loop);
    if (io_uring_sq_ready(&data->ring) == 0)
        weft__list_move_all(&data->submitted, &data->silent);
    reap(loop);
    end_silent(data);
}

static bool uring_has_opcode(const struct weft__loop *loop, uint8_t opcode)
{
    const struct uring_data *data = loop->backend_data;
    return opcode < OPCODES && (data->opcodes >> opcode & 1) != 0;
}

/* Nothing is in flight on a descriptor that is closed, and the ring holds no other trace of it. */
const struct weft__backend weft__backend_uring = {
    .name = "io_uring",
    .kind = WEFT_BACKEND_URING,
    .init = uring_init,
    .done = uring_done,
    .start = uring_start,
    .cancel = uring_cancel,
    .poll = uring_poll,
    .has_opcode = uring_has_opcode,
};

#endif
