/*
 * sim_dial.c - making connections in the simulated network: the hand-shake, and its requests that
 * get no answer.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "net/sim.h"

enum { TRIES_MAX = 7 }; /* tcp_syn_retries of Linux is 6: after 1, 3, 7, 15, 31, 63 s */

struct sim_socket *weft__sim_find_listener(weft_testing_network *net, const struct sim_host *host,
                                           const weft_address *address, uint16_t client_port)
{
    struct sim_socket *found[16];
    size_t n = 0;
    for (size_t i = 0; i < net->n_sockets && n < 16; i++) {
        struct sim_socket *s = net->sockets[i];
        if (s != NULL && s->listening && s->host == host && !s->datagram &&
            weft__sim_address_matches(s, address))
            found[n++] = s;
    }
    /* With SO_REUSEPORT there are several. */
    return n > 0 ? found[client_port % n] : NULL;
}

static void end_dial(struct sim_socket *s, int result)
{
    s->dialling = SIM_IDLE;
    weft__sim_cancel(s->net, &s->retry);
    weft__sim_cancel(s->net, &s->step);
    weft__sim_socket_finish(&s->writer, result);
}

static struct sim_host *target_of(const struct sim_socket *s)
{
    return weft__sim_host_at(s->net, s->host, &s->peer);
}

/* ---- steps ---- */

/* The next step happens at the other end of the link, if the packet gets there. */
static void send_step(struct sim_socket *s, struct sim_link *link, enum sim_dialling dialling,
                      const char *what)
{
    bool back = dialling != SIM_SYN;
    weft__sim_record(s->net, what, back ? &s->peer : &s->local, back ? &s->local : &s->peer, 0);
    if (link == NULL || link->cut || weft__sim_chance(s->net, link->set.loss)) {
        if (link != NULL)
            link->stats.lost++;
        s->dialling = SIM_IDLE;
        return;
    }
    s->dialling = dialling;
    weft__sim_at(s->net, &s->step, weft__sim_travel(s->net, link, 0));
}

static void request_arrived(struct sim_socket *s)
{
    struct sim_host *target = target_of(s);
    struct sim_link *there = s->host->links[target->index];
    struct sim_link *back = target->links[s->host->index];
    struct sim_socket *listener =
        weft__sim_find_listener(s->net, target, &s->peer, weft_address_port(&s->local));
    s->dialling = SIM_IDLE;
    if (there->cut)
        return;
    if (listener == NULL || weft__sim_chance(s->net, there->set.refuse)) {
        there->stats.refused++;
        send_step(s, back, SIM_REFUSED, "refused");
        return;
    }
    /* The queue is full: no answer, the client will ask again. */
    if (listener->n_queued > listener->backlog)
        return;
    send_step(s, back, SIM_SYN_ACK, "granted");
}

static void step(struct sim_event *event)
{
    struct sim_socket *s = WEFT__CONTAINER(event, struct sim_socket, step);
    if (s->dialling == SIM_SYN) {
        request_arrived(s);
        return;
    }
    struct sim_host *target = target_of(s);
    if (target->links[s->host->index]->cut) {
        s->dialling = SIM_IDLE;
        return;
    }
    if (s->dialling == SIM_REFUSED) {
        end_dial(s, -ECONNREFUSED);
        return;
    }
    struct sim_conn *conn = weft__sim_conn_new(s, target, &s->peer);
    if (conn == NULL) {
        end_dial(s, -ENOMEM);
        return;
    }
    s->connected = true;
    weft__sim_conn_established(conn, s);
    end_dial(s, 0);
}

static void request(struct sim_event *event)
{
    struct sim_socket *s = WEFT__CONTAINER(event, struct sim_socket, retry);
    if (s->tries == TRIES_MAX) {
        end_dial(s, -ETIMEDOUT);
        return;
    }
    s->tries++;
    weft__sim_at(s->net, &s->retry,
                 weft__clock_add(s->dial_begun, WEFT_SEC(((int64_t)1 << s->tries) - 1)));
    if (s->dialling != SIM_IDLE)
        return;
    struct sim_host *target = target_of(s);
    send_step(s, target != NULL ? s->host->links[target->index] : NULL, SIM_SYN, "connect");
}

/* ---- beginning ---- */

/* The address that packets to the peer come from. */
static int choose_local(struct sim_socket *s)
{
    if (s->bound && !weft__sim_is_any(&s->local))
        return 0;
    uint16_t port = weft_address_port(&s->local);
    int family = weft__address_family(&s->peer);
    if (weft__sim_is_loopback(&s->peer)) {
        weft__address_parse(family == AF_INET ? "127.0.0.1" : "::1", port, &s->local);
        return 0;
    }
    for (size_t i = 0; i < s->host->n_addresses; i++) {
        if (weft__address_family(&s->host->addresses[i]) == family) {
            s->local = s->host->addresses[i];
            weft__sim_set_port(&s->local, port);
            return 0;
        }
    }
    return -ENETUNREACH;
}

static int begin(struct sim_socket *s, const struct weft__op *op)
{
    weft_address peer;
    if (s->connected || s->datagram)
        return -EISCONN;
    if (op->len > sizeof peer.opaque)
        return -EINVAL;
    weft__address_set(&peer, op->data, op->len);
    if (weft__address_family(&peer) != s->family)
        return -EAFNOSUPPORT;
    s->peer = weft__sim_plain(&peer);
    if (s->family != AF_UNIX && weft__sim_is_any(&s->peer)) {
        uint16_t port = weft_address_port(&s->peer);
        weft__address_parse(s->family == AF_INET ? "127.0.0.1" : "::1", port, &s->peer);
    }
    if (s->family == AF_UNIX)
        return 0;
    int err = s->bound ? 0 : weft__sim_bind_any(s);
    return err < 0 ? err : choose_local(s);
}

bool weft__sim_dial(struct sim_socket *s, struct weft__op *op)
{
    op->result = begin(s, op);
    if (op->result < 0)
        return true;
    s->retry.fire = request;
    s->step.fire = step;
    s->tries = 0;
    s->dialling = SIM_IDLE;
    s->dial_begun = weft__sim_now(s->net);
    request(&s->retry);
    return false;
}

void weft__sim_dial_stop(struct sim_socket *s)
{
    s->dialling = SIM_IDLE;
    weft__sim_cancel(s->net, &s->retry);
    weft__sim_cancel(s->net, &s->step);
}
