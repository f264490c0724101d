/*
 * sim_conn.c - connections of the simulated network.
 *
 * Each direction is a ring of bytes that holds what was read from the writer and not yet by the
 * reader: unsent, under way, arrived.  What is under way is a row of segments, each with its
 * time of arrival; they arrive in their order.
 */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "net/sim.h"

enum {
    SEGMENT = 1460,      /* bytes; only where the bandwidth makes a difference */
    SEGMENTS_EXTRA = 16, /* for those without data, and small ones */
    RESERVED = 2,        /* for the end and a reset */
};
static const int64_t retransmission = WEFT_MS(200);
/* tcp_retries2 of Linux is 15: 200 ms doubled nine times, then six times 120 s. */
static const int64_t give_up_after = WEFT_MS(924600);

static void arrive(struct sim_event *event);
static void give_up(struct sim_event *event);

static int pipe_init(struct sim_conn *conn, int side, struct sim_link *link)
{
    struct sim_pipe *pipe = &conn->pipes[side];
    pipe->conn = conn;
    pipe->side = side;
    pipe->link = link;
    pipe->cap = link->set.buffer;
    pipe->max_segments = (uint32_t)(pipe->cap / SEGMENT) + SEGMENTS_EXTRA;
    pipe->event.fire = arrive;
    weft__list_init(&pipe->event.node);
    pipe->give_up.fire = give_up;
    weft__list_init(&pipe->give_up.node);
    pipe->ring = weft__alloc(pipe->cap);
    pipe->segments = weft__calloc(pipe->max_segments, sizeof *pipe->segments);
    return pipe->ring != NULL && pipe->segments != NULL ? 0 : -ENOMEM;
}

static void pipe_done(struct sim_pipe *pipe)
{
    if (pipe->conn == NULL)
        return;
    weft__sim_cancel(pipe->conn->net, &pipe->event);
    weft__sim_cancel(pipe->conn->net, &pipe->give_up);
    weft__free(pipe->ring);
    weft__free(pipe->segments);
}

struct sim_conn *weft__sim_conn_new(struct sim_socket *client, struct sim_host *server,
                                    const weft_address *address)
{
    struct sim_host *host = client->host;
    struct sim_conn *conn = weft__calloc(1, sizeof *conn);
    if (conn == NULL)
        return NULL;
    conn->net = client->net;
    conn->hosts[0] = host;
    conn->hosts[1] = server;
    conn->addresses[0] = client->local;
    conn->addresses[1] = *address;
    conn->not_accepted = true;
    weft__list_init(&conn->node);
    int err = pipe_init(conn, 0, host->links[server->index]);
    if (err == 0)
        err = pipe_init(conn, 1, server->links[host->index]);
    if (err < 0) {
        weft__sim_conn_free(conn);
        return NULL;
    }
    weft__list_push_back(&conn->net->conns, &conn->node);
    return conn;
}

void weft__sim_conn_free(struct sim_conn *conn)
{
    weft__list_remove(&conn->node);
    pipe_done(&conn->pipes[0]);
    pipe_done(&conn->pipes[1]);
    weft__free(conn);
}

static void free_unused(struct sim_conn *conn)
{
    if (conn->ends[0] == NULL && conn->ends[1] == NULL && !conn->not_accepted)
        weft__sim_conn_free(conn);
}

static void record(const struct sim_pipe *pipe, const char *what, uint64_t n)
{
    struct sim_conn *conn = pipe->conn;
    weft__sim_record(conn->net, what, &conn->addresses[pipe->side], &conn->addresses[!pipe->side],
                     n);
}

static bool is_cut(const struct sim_pipe *pipe)
{
    return pipe->link->cut || pipe->conn->pipes[!pipe->side].link->cut;
}

/* Does the writer's system send the same again and again without an answer? */
static void watch(struct sim_pipe *pipe)
{
    bool unconfirmed = pipe->written > pipe->confirmed || (pipe->fin_wanted && !pipe->fin_arrived);
    bool waits = unconfirmed && is_cut(pipe) && !pipe->conn->dead[pipe->side];
    if (waits == pipe->waits)
        return;
    weft_testing_network *net = pipe->conn->net;
    pipe->waits = waits;
    if (waits)
        weft__sim_at(net, &pipe->give_up, weft__clock_add(weft__sim_now(net), give_up_after));
    else
        weft__sim_cancel(net, &pipe->give_up);
}

/* ---- sending ---- */

static struct sim_segment *first_of(struct sim_pipe *pipe)
{
    return &pipe->segments[pipe->first % pipe->max_segments];
}

static void put(struct sim_pipe *pipe, enum sim_segment_kind kind, size_t bytes)
{
    weft_testing_network *net = pipe->conn->net;
    int64_t arrival = weft__sim_travel(net, pipe->link, bytes);
    int64_t wait = retransmission;
    while (weft__sim_chance(net, pipe->link->set.loss) && wait < WEFT_SEC(100)) {
        pipe->link->stats.lost++;
        record(pipe, "lost", bytes);
        arrival = weft__clock_add(arrival, wait);
        wait *= 2;
    }
    if (arrival < pipe->last_arrival)
        arrival = pipe->last_arrival;
    pipe->last_arrival = arrival;
    pipe->sent += bytes;
    uint32_t at = (pipe->first + pipe->n_segments++) % pipe->max_segments;
    pipe->segments[at] = (struct sim_segment){pipe->sent, arrival, kind};
    if (pipe->n_segments == 1 && !pipe->stalled)
        weft__sim_at(net, &pipe->event, arrival);
}

/* The connection breaks on the way. */
static void put_break(struct sim_pipe *pipe)
{
    pipe->broken = true;
    put(pipe, SIM_RESET_BOTH, 0);
}

static void transmit(struct sim_pipe *pipe)
{
    const weft_testing_link *set = &pipe->link->set;
    while (!pipe->broken && !pipe->link->cut && pipe->n_segments + RESERVED < pipe->max_segments) {
        size_t size = (size_t)(pipe->written - pipe->sent);
        if (size == 0)
            break;
        if (set->bandwidth > 0 && size > SEGMENT)
            size = SEGMENT;
        if (set->reset_after > 0 && pipe->sent + size >= set->reset_after) {
            size = pipe->sent < set->reset_after ? (size_t)(set->reset_after - pipe->sent) : 0;
            if (size > 0)
                put(pipe, SIM_DATA, size);
            put_break(pipe);
        } else if (weft__sim_chance(pipe->conn->net, set->reset)) {
            put_break(pipe);
        } else {
            put(pipe, SIM_DATA, size);
        }
    }
    if (pipe->fin_wanted && !pipe->fin_sent && !pipe->broken && !pipe->link->cut &&
        pipe->sent == pipe->written) {
        pipe->fin_sent = true;
        put(pipe, SIM_FIN, 0);
    }
    watch(pipe);
}

/* A reset from one end to the other; what the end has sent before still arrives. */
static void put_reset(struct sim_conn *conn, int side)
{
    struct sim_pipe *pipe = &conn->pipes[side];
    if (pipe->broken || pipe->n_segments == pipe->max_segments)
        return;
    pipe->broken = true;
    put(pipe, SIM_RESET, 0);
}

/* ---- ends ---- */

static void advance(struct sim_conn *conn, int side)
{
    if (conn->ends[side] == NULL)
        return;
    weft__sim_advance_reader(conn->ends[side]);
    if (conn->ends[side] != NULL)
        weft__sim_advance_writer(conn->ends[side]);
}

static void kill_end(struct sim_conn *conn, int side)
{
    if (conn->dead[side])
        return;
    conn->dead[side] = true;
    /* Whoever has had the end of the other direction only finds out when it writes (tcp(7)). */
    conn->error[side] = conn->pipes[!side].fin_arrived ? -EPIPE : -ECONNRESET;
    conn->pipes[side].broken = true;
    watch(&conn->pipes[side]);
}

static void drop_segments(struct sim_pipe *pipe)
{
    weft__sim_cancel(pipe->conn->net, &pipe->event);
    weft__sim_cancel(pipe->conn->net, &pipe->give_up);
    pipe->waits = false;
    pipe->n_segments = 0;
    pipe->stalled = false;
    pipe->broken = true;
}

void weft__sim_conn_reset(struct sim_conn *conn)
{
    conn->pipes[0].link->stats.resets++;
    record(&conn->pipes[0], "reset", 0);
    drop_segments(&conn->pipes[0]);
    drop_segments(&conn->pipes[1]);
    kill_end(conn, 0);
    kill_end(conn, 1);
    conn->not_accepted = false;
    advance(conn, 0);
    advance(conn, 1);
    free_unused(conn);
}

/* The other end does not learn of it, unless it sends something and that gets through. */
static void give_up(struct sim_event *event)
{
    struct sim_pipe *pipe = WEFT__CONTAINER(event, struct sim_pipe, give_up);
    struct sim_conn *conn = pipe->conn;
    record(pipe, "timed out", 0);
    drop_segments(pipe);
    kill_end(conn, pipe->side);
    conn->error[pipe->side] = -ETIMEDOUT;
    /* For the reset that answers it. */
    pipe->broken = false;
    pipe->fin_wanted = false;
    pipe->sent = pipe->arrived;
    pipe->written = pipe->arrived;
    advance(conn, pipe->side);
}

void weft__sim_conn_shutdown(struct sim_socket *s)
{
    struct sim_pipe *pipe = &s->conn->pipes[s->side];
    pipe->fin_wanted = true;
    transmit(pipe);
}

void weft__sim_conn_abort(struct sim_socket *s)
{
    struct sim_conn *conn = s->conn;
    put_reset(conn, s->side);
    kill_end(conn, s->side);
    conn->error[s->side] = 0;
    advance(conn, s->side);
}

void weft__sim_conn_close(struct sim_socket *s)
{
    struct sim_conn *conn = s->conn;
    struct sim_pipe *in = &conn->pipes[!s->side];
    s->conn = NULL;
    conn->ends[s->side] = NULL;
    /* As the kernel: what arrived and was not read is answered with a reset. */
    if (in->arrived > in->read && !conn->dead[s->side]) {
        put_reset(conn, s->side);
    } else if (!conn->dead[s->side]) {
        conn->pipes[s->side].fin_wanted = true;
        transmit(&conn->pipes[s->side]);
    }
    free_unused(conn);
}

/* ---- arriving ---- */

/* The server's socket comes into being and waits to be accepted. */
static void enter_queue(struct sim_conn *conn)
{
    struct sim_socket *s;
    struct sim_socket *listener = weft__sim_find_listener(
        conn->net, conn->hosts[1], &conn->addresses[1], weft_address_port(&conn->addresses[0]));
    conn->not_accepted = false;
    if (listener == NULL ||
        weft__sim_socket_new(conn->net, conn->hosts[1], listener->family, false, &s) < 0) {
        put_reset(conn, 1);
        kill_end(conn, 1);
        free_unused(conn);
        return;
    }
    s->bound = true;
    s->connected = true;
    s->local = weft__sim_as_family(&conn->addresses[1], s->family);
    s->peer = weft__sim_as_family(&conn->addresses[0], s->family);
    s->conn = conn;
    s->side = 1;
    conn->ends[1] = s;
    weft__list_push_back(&listener->queue, &s->in_queue);
    listener->n_queued++;
    weft__sim_advance_reader(listener);
}

static void arrived_data(struct sim_pipe *pipe, uint64_t end)
{
    struct sim_conn *conn = pipe->conn;
    int to = !pipe->side;
    pipe->link->stats.bytes += end - pipe->arrived;
    pipe->arrived = end;
    if (!is_cut(pipe))
        pipe->confirmed = end;
    if (conn->ends[to] != NULL && !conn->dead[to]) {
        weft__sim_advance_reader(conn->ends[to]);
        return;
    }
    /* Nobody is there any more. */
    put_reset(conn, to);
    pipe->read = pipe->arrived;
}

static void handle(struct sim_pipe *pipe, struct sim_segment segment)
{
    static const char *const names[] = {"data", "accept", "end", "reset", "reset"};
    struct sim_conn *conn = pipe->conn;
    int to = !pipe->side;
    record(pipe, names[segment.kind], segment.end - pipe->arrived);
    switch (segment.kind) {
    case SIM_ACCEPT:
        enter_queue(conn);
        return;
    case SIM_DATA:
        arrived_data(pipe, segment.end);
        return;
    case SIM_FIN:
        pipe->fin_arrived = true;
        break;
    case SIM_RESET_BOTH:
        drop_segments(&conn->pipes[to]);
        kill_end(conn, pipe->side);
        advance(conn, pipe->side);
        __attribute__((fallthrough));
    case SIM_RESET:
        pipe->link->stats.resets++;
        kill_end(conn, to);
        break;
    }
    advance(conn, to);
    free_unused(conn);
}

static void arrive(struct sim_event *event)
{
    struct sim_pipe *pipe = WEFT__CONTAINER(event, struct sim_pipe, event);
    struct sim_segment segment = *first_of(pipe);
    if (pipe->link->cut) {
        pipe->stalled = true;
        return;
    }
    pipe->first = (pipe->first + 1) % pipe->max_segments;
    pipe->n_segments--;
    if (pipe->n_segments > 0)
        weft__sim_at(pipe->conn->net, &pipe->event, first_of(pipe)->arrival);
    transmit(pipe);
    handle(pipe, segment);
}

void weft__sim_conn_cut(struct sim_conn *conn)
{
    watch(&conn->pipes[0]);
    watch(&conn->pipes[1]);
}

void weft__sim_conn_healed(struct sim_conn *conn)
{
    for (int side = 0; side < 2; side++) {
        struct sim_pipe *pipe = &conn->pipes[side];
        if (!is_cut(pipe))
            pipe->confirmed = pipe->arrived;
        watch(pipe);
        if (pipe->link->cut)
            continue;
        if (pipe->stalled) {
            pipe->stalled = false;
            int64_t when = weft__sim_travel(conn->net, pipe->link, 0);
            for (uint32_t i = 0; i < pipe->n_segments; i++) {
                struct sim_segment *segment =
                    &pipe->segments[(pipe->first + i) % pipe->max_segments];
                segment->arrival = segment->arrival > when ? segment->arrival : when;
                pipe->last_arrival = segment->arrival;
            }
            weft__sim_at(conn->net, &pipe->event, first_of(pipe)->arrival);
        }
        transmit(pipe);
    }
}

void weft__sim_conn_established(struct sim_conn *conn, struct sim_socket *client)
{
    client->conn = conn;
    client->side = 0;
    conn->ends[0] = client;
    conn->pipes[0].link->stats.connections++;
    record(&conn->pipes[0], "connected", 0);
    put(&conn->pipes[0], SIM_ACCEPT, 0);
}

/* ---- the calls ---- */

static int take_error(struct sim_conn *conn, int side)
{
    int err = conn->error[side];
    conn->error[side] = 0;
    return err;
}

static size_t copy_out(struct sim_pipe *pipe, char *data, size_t len)
{
    size_t there = (size_t)(pipe->arrived - pipe->read);
    size_t n = len < there ? len : there;
    size_t at = (size_t)(pipe->read % pipe->cap);
    size_t first = n < pipe->cap - at ? n : pipe->cap - at;
    memcpy(data, pipe->ring + at, first);
    memcpy(data + first, pipe->ring, n - first);
    pipe->read += n;
    return n;
}

static size_t copy_in(struct sim_pipe *pipe, const char *data, size_t len)
{
    size_t room = pipe->cap - (size_t)(pipe->written - pipe->read);
    size_t n = len < room ? len : room;
    size_t at = (size_t)(pipe->written % pipe->cap);
    size_t first = n < pipe->cap - at ? n : pipe->cap - at;
    memcpy(pipe->ring + at, data, first);
    memcpy(pipe->ring, data + first, n - first);
    pipe->written += n;
    return n;
}

bool weft__sim_conn_recv(struct sim_socket *s, struct weft__op *op)
{
    struct sim_conn *conn = s->conn;
    struct sim_pipe *pipe = &conn->pipes[!s->side];
    size_t n = copy_out(pipe, op->data, op->len);
    op->result = (int64_t)n;
    if (n > 0) {
        if (conn->ends[!s->side] != NULL)
            weft__sim_advance_writer(conn->ends[!s->side]);
        return true;
    }
    op->result = take_error(conn, s->side);
    return op->result < 0 || conn->dead[s->side] || op->len == 0 || pipe->fin_arrived;
}

bool weft__sim_conn_send(struct sim_socket *s, struct weft__op *op)
{
    struct sim_conn *conn = s->conn;
    struct sim_pipe *pipe = &conn->pipes[s->side];
    while (op->progress < op->len) {
        op->result = take_error(conn, s->side);
        if (op->result < 0)
            return true;
        if (conn->dead[s->side] || pipe->fin_wanted) {
            op->result = -EPIPE;
            return true;
        }
        size_t n = copy_in(pipe, (const char *)op->data + op->progress, weft__op_send_len(op));
        if (n == 0)
            return false;
        op->progress += n;
        transmit(pipe);
    }
    op->result = (int64_t)op->len;
    return true;
}

bool weft__sim_conn_is_readable(const struct sim_socket *s)
{
    const struct sim_conn *conn = s->conn;
    const struct sim_pipe *pipe = &conn->pipes[!s->side];
    return pipe->arrived > pipe->read || pipe->fin_arrived || conn->dead[s->side];
}

bool weft__sim_conn_is_writable(const struct sim_socket *s)
{
    const struct sim_conn *conn = s->conn;
    const struct sim_pipe *pipe = &conn->pipes[s->side];
    return pipe->written - pipe->read < pipe->cap || conn->dead[s->side];
}
