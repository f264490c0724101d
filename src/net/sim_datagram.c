/* sim_datagram.c - datagrams of the simulated network. */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "net/sim.h"

enum { DATAGRAM_MAX = 65507 };
static const int64_t late_by = WEFT_MS(1);

struct sim_datagram {
    struct weft__list node;    /* in net->datagrams */
    struct weft__list waiting; /* in the inbox of its socket */
    struct sim_event event;
    weft_testing_network *net;
    struct sim_link *link;
    struct sim_host *host;
    weft_address from;
    weft_address to;
    size_t len;
    char data[];
};

static void datagram_free(struct sim_datagram *datagram)
{
    weft__list_remove(&datagram->node);
    weft__list_remove(&datagram->waiting);
    weft__sim_cancel(datagram->net, &datagram->event);
    weft__free(datagram);
}

void weft__sim_datagrams_done(weft_testing_network *net)
{
    while (!weft__list_is_empty(&net->datagrams))
        datagram_free(WEFT__CONTAINER(net->datagrams.next, struct sim_datagram, node));
}

void weft__sim_datagrams_drop(struct sim_socket *s)
{
    while (!weft__list_is_empty(&s->inbox))
        datagram_free(WEFT__CONTAINER(s->inbox.next, struct sim_datagram, waiting));
}

/* ---- groups ---- */

static size_t find_group(const struct sim_socket *s, const weft_address *group)
{
    size_t i = 0;
    while (i < s->n_groups && !weft__sim_same_ip(&s->groups[i], group))
        i++;
    return i;
}

int weft__sim_join(struct sim_socket *s, const weft_address *group)
{
    if (!weft__sim_is_multicast(group) || !s->datagram)
        return -EINVAL;
    if (find_group(s, group) < s->n_groups)
        return -EADDRINUSE;
    if (s->n_groups == SIM_GROUPS_MAX)
        return -ENOBUFS;
    s->groups[s->n_groups++] = *group;
    return 0;
}

int weft__sim_leave(struct sim_socket *s, const weft_address *group)
{
    size_t i = find_group(s, group);
    if (i == s->n_groups)
        return -EADDRNOTAVAIL;
    s->groups[i] = s->groups[--s->n_groups];
    return 0;
}

/* ---- arriving ---- */

static bool is_receiver(const struct sim_socket *s, const struct sim_datagram *datagram)
{
    if (s == NULL || !s->datagram || s->host != datagram->host ||
        !weft__sim_address_matches(s, &datagram->to))
        return false;
    return !s->connected || (weft__sim_same_ip(&s->peer, &datagram->from) &&
                             weft_address_port(&s->peer) == weft_address_port(&datagram->from));
}

/* A connected one goes first; several share the senders out. */
static struct sim_socket *find_receiver(const struct sim_datagram *datagram)
{
    weft_testing_network *net = datagram->net;
    struct sim_socket *found[16];
    size_t n = 0;
    for (size_t i = 0; i < net->n_sockets && n < 16; i++) {
        struct sim_socket *s = net->sockets[i];
        if (!is_receiver(s, datagram))
            continue;
        if (s->connected)
            return s;
        found[n++] = s;
    }
    return n > 0 ? found[weft_address_port(&datagram->from) % n] : NULL;
}

/* What the answer "port unreachable" brings about at a connected sender. */
static void refuse(const struct sim_datagram *datagram)
{
    weft_testing_network *net = datagram->net;
    for (size_t i = 0; i < net->n_sockets; i++) {
        struct sim_socket *s = net->sockets[i];
        if (s == NULL || !s->datagram || !s->connected ||
            weft_address_port(&s->local) != weft_address_port(&datagram->from) ||
            !weft__sim_same_ip(&s->peer, &datagram->to))
            continue;
        s->error = -ECONNREFUSED;
        weft__sim_advance_reader(s);
        return;
    }
}

static void lose(const struct sim_datagram *datagram)
{
    datagram->link->stats.lost++;
    weft__sim_record(datagram->net, "lost", &datagram->from, &datagram->to, datagram->len);
}

/* Takes the datagram. */
static void deliver(struct sim_datagram *datagram, struct sim_socket *s)
{
    if (s->inbox_bytes + datagram->len > datagram->link->set.buffer) {
        lose(datagram);
        datagram_free(datagram);
        return;
    }
    weft__sim_record(datagram->net, "datagram", &datagram->from, &datagram->to, datagram->len);
    weft__list_push_back(&s->inbox, &datagram->waiting);
    s->inbox_bytes += datagram->len;
    weft__sim_advance_reader(s);
}

static struct sim_datagram *datagram_new(const struct sim_datagram *head, const void *data)
{
    struct sim_datagram *datagram = weft__alloc(sizeof *datagram + head->len);
    if (datagram == NULL)
        return NULL;
    *datagram = *head;
    memcpy(datagram->data, data, head->len);
    weft__list_init(&datagram->event.node);
    weft__list_init(&datagram->waiting);
    weft__list_push_back(&head->net->datagrams, &datagram->node);
    return datagram;
}

/* To each member on the host; where there is none it is not even lost. */
static void arrived_for_group(struct sim_datagram *datagram)
{
    weft_testing_network *net = datagram->net;
    for (size_t i = 0; i < net->n_sockets; i++) {
        struct sim_socket *s = net->sockets[i];
        if (!is_receiver(s, datagram) || find_group(s, &datagram->to) == s->n_groups)
            continue;
        struct sim_datagram *copy = datagram_new(datagram, datagram->data);
        if (copy != NULL)
            deliver(copy, s);
        else
            lose(datagram);
    }
}

static void arrived(struct sim_event *event)
{
    struct sim_datagram *datagram = WEFT__CONTAINER(event, struct sim_datagram, event);
    struct sim_socket *s = NULL;
    if (datagram->link->cut) {
        lose(datagram);
    } else if (weft__sim_is_multicast(&datagram->to)) {
        arrived_for_group(datagram);
    } else if ((s = find_receiver(datagram)) != NULL) {
        deliver(datagram, s);
        return;
    } else {
        lose(datagram);
        refuse(datagram);
    }
    datagram_free(datagram);
}

/* ---- sending ---- */

static int send_one(const struct sim_socket *s, struct sim_host *host,
                    const struct sim_datagram *head, const void *data, bool again)
{
    weft_testing_network *net = s->net;
    struct sim_link *link = host != NULL ? s->host->links[host->index] : NULL;
    weft__sim_record(net, again ? "again" : "send", &head->from, &head->to, head->len);
    if (link == NULL || link->cut || weft__sim_chance(net, link->set.loss)) {
        if (link != NULL)
            link->stats.lost++;
        return 0;
    }
    struct sim_datagram *datagram = datagram_new(head, data);
    if (datagram == NULL)
        return -ENOBUFS;
    datagram->host = host;
    datagram->link = link;
    datagram->event.fire = arrived;
    int64_t when = weft__sim_travel(net, link, head->len);
    if (weft__sim_chance(net, link->set.reorder)) {
        link->stats.reordered++;
        when = weft__clock_add(when, late_by + weft__sim_draw(net, link->set.latency + late_by));
    }
    link->stats.datagrams++;
    weft__sim_at(net, &datagram->event, when);
    if (!again && weft__sim_chance(net, link->set.duplicate)) {
        link->stats.duplicated++;
        return send_one(s, host, head, data, true);
    }
    return 0;
}

/* To all hosts, as if all were in one network. */
static int send_to_group(const struct sim_socket *s, const struct sim_datagram *head,
                         const void *data)
{
    int err = 0;
    for (size_t i = 0; i < s->net->n_hosts && err == 0; i++)
        err = send_one(s, s->net->hosts[i], head, data, false);
    return err;
}

/* What the receiver sees as the sender: no socket sends from "any address". */
static int source(const struct sim_socket *s, const weft_address *to, weft_address *ret)
{
    uint16_t port = weft_address_port(&s->local);
    int family = weft__address_family(to);
    *ret = weft__sim_plain(&s->local);
    if (!weft__sim_is_any(&s->local))
        return 0;
    if (weft__sim_is_loopback(to))
        return weft__address_parse(family == AF_INET ? "127.0.0.1" : "::1", port, ret);
    for (size_t i = 0; i < s->host->n_addresses; i++) {
        if (weft__address_family(&s->host->addresses[i]) != family)
            continue;
        *ret = s->host->addresses[i];
        weft__sim_set_port(ret, port);
        return 0;
    }
    return -ENETUNREACH;
}

static int send_to(struct sim_socket *s, const void *data, size_t len, const weft_address *address)
{
    if (!s->datagram)
        return -EOPNOTSUPP;
    if (s->error < 0) {
        int err = s->error;
        s->error = 0;
        return err;
    }
    if (address == NULL && !s->connected)
        return -EDESTADDRREQ;
    if (len > DATAGRAM_MAX)
        return -EMSGSIZE;
    int err = s->bound ? 0 : weft__sim_bind_any(s);
    if (err < 0)
        return err;
    struct sim_datagram head = {.net = s->net, .len = len};
    head.to = weft__sim_plain(address != NULL ? address : &s->peer);
    err = source(s, &head.to, &head.from);
    if (err < 0)
        return err;
    if (weft__sim_is_multicast(&head.to))
        return send_to_group(s, &head, data);
    return send_one(s, weft__sim_host_at(s->net, s->host, &head.to), &head, data, false);
}

ssize_t weft__sim_sendto(int fd, const void *data, size_t len, const struct sockaddr *address,
                         socklen_t address_len)
{
    struct sim_socket *s = weft__sim_socket_find(fd);
    weft_address to;
    if (s == NULL) {
        errno = EBADF;
        return -1;
    }
    if (address != NULL)
        weft__address_set(&to, address, address_len);
    int err = send_to(s, data, len, address != NULL ? &to : NULL);
    errno = err < 0 ? -err : errno;
    return err < 0 ? -1 : (ssize_t)len;
}

ssize_t weft__sim_recvfrom(int fd, void *data, size_t len, struct sockaddr *address,
                           socklen_t *address_len)
{
    struct sim_socket *s = weft__sim_socket_find(fd);
    if (s == NULL) {
        errno = EBADF;
        return -1;
    }
    if (s->error < 0) {
        errno = -s->error;
        s->error = 0;
        return -1;
    }
    if (weft__list_is_empty(&s->inbox)) {
        errno = EAGAIN;
        return -1;
    }
    struct sim_datagram *datagram = WEFT__CONTAINER(s->inbox.next, struct sim_datagram, waiting);
    size_t n = datagram->len;
    weft_address from = weft__sim_as_family(&datagram->from, s->family);
    memcpy(data, datagram->data, n < len ? n : len);
    if (address != NULL) {
        memcpy(address, from.opaque, from.len < *address_len ? from.len : *address_len);
        *address_len = from.len;
    }
    s->inbox_bytes -= n;
    datagram_free(datagram);
    return (ssize_t)n;
}
