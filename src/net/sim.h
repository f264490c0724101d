/*
 * sim.h - the simulated network from inside.
 *
 *   sim.c         the network: hosts, names, links, partitions
 *   sim_event.c   what happens when, and the record of it
 *   sim_conn.c    connections: two pipes of bytes
 *   sim_dial.c    making them
 *   sim_datagram.c
 *   sim_socket.c  sockets: the system calls, and the operations that wait
 *
 * It stands between the loop and its back end: operations on its own sockets stay here, and wait
 * for events that one timer of the loop brings about.  An operation that waits here is not
 * counted in loop->n_pending: nothing outside this thread can end it.
 */
#ifndef WEFT_NET_SIM_H
#define WEFT_NET_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/local.h>
#include <weft/testing_net.h>

#include "base/list.h"
#include "base/rand.h"
#include "net/net_int.h"
#include "net/sys.h"
#include "run/run_int.h"

enum { SIM_HOSTS_MAX = 64, SIM_ADDRESSES_MAX = 8, SIM_NAME_MAX = 63, SIM_GROUPS_MAX = 4 };

struct sim_event {
    struct weft__list node; /* in net->events, in their order */
    int64_t when;
    void (*fire)(struct sim_event *event);
};

struct sim_link {
    weft_testing_link set;
    weft_testing_link_stats stats;
    int64_t busy_until; /* with a bandwidth: when what was sent so far has left */
    uint64_t remainder; /* of the last division by the bandwidth */
    bool cut;
};

struct sim_host {
    char name[SIM_NAME_MAX + 1];
    weft_address addresses[SIM_ADDRESSES_MAX];
    size_t n_addresses;
    size_t index;
    uint16_t last_port;
    struct sim_link *links[SIM_HOSTS_MAX]; /* to each host */
};

struct sim_name {
    struct weft__list node;
    char name[SIM_NAME_MAX + 1];
    weft_address addresses[SIM_ADDRESSES_MAX];
    size_t n_addresses;
    int64_t delay;
    int error;
};

struct sim_socket;

struct weft_testing_network {
    struct weft__loop *loop; /* NULL once that has ended */
    const struct weft__backend *below;
    struct weft__backend backend;
    struct weft__at_exit at_exit;
    struct weft__timer timer; /* always started, so that starting it never fails */
    struct weft__list events;
    struct weft__list conns;
    struct weft__list datagrams; /* all, under way or not read yet */
    struct weft__list names;
    weft_local *place; /* of a task: its host */
    struct sim_host *hosts[SIM_HOSTS_MAX];
    size_t n_hosts;
    struct sim_socket **sockets; /* by number */
    size_t n_sockets;
    size_t first_unused;
    weft_testing_link link;
    struct weft__rand rand;
    uint64_t hash;
    int64_t started;
    void (*trace)(const char *line, void *userdata);
    void *userdata;
};

/* ---- sim_event.c ---- */

int64_t weft__sim_now(const weft_testing_network *net);
void weft__sim_at(weft_testing_network *net, struct sim_event *event, int64_t when);
void weft__sim_cancel(weft_testing_network *net, struct sim_event *event);
int weft__sim_events_start(weft_testing_network *net);
void weft__sim_events_stop(weft_testing_network *net);
/* From 0 to below bound. */
int64_t weft__sim_draw(weft_testing_network *net, int64_t bound);
bool weft__sim_chance(weft_testing_network *net, double chance);
void weft__sim_record(weft_testing_network *net, const char *what, const weft_address *from,
                      const weft_address *to, uint64_t n);

/* ---- sim.c ---- */

/* Of the calling thread's loop, or NULL. */
weft_testing_network *weft__sim_current(void);
/* On which the calling task stands. */
struct sim_host *weft__sim_host_of_task(const weft_testing_network *net);
/* The host to which packets for an address go that are sent on host; NULL: none. */
struct sim_host *weft__sim_host_at(weft_testing_network *net, struct sim_host *host,
                                   const weft_address *address);
bool weft__sim_is_any(const weft_address *address);
bool weft__sim_is_loopback(const weft_address *address);
bool weft__sim_is_multicast(const weft_address *address);
bool weft__sim_same_ip(const weft_address *a, const weft_address *b);
void weft__sim_set_port(weft_address *address, uint16_t port);
/* The address as a socket of that family sees it: IPv4 in IPv6 (RFC 4291, section 2.5.5.2). */
weft_address weft__sim_as_family(const weft_address *address, int family);
/* And the plain one again. */
weft_address weft__sim_plain(const weft_address *address);
/* What a packet of so many bytes takes from now on. */
int64_t weft__sim_travel(weft_testing_network *net, struct sim_link *link, size_t bytes);

/* ---- sockets ---- */

enum sim_dialling { SIM_IDLE, SIM_SYN, SIM_REFUSED, SIM_SYN_ACK };

struct sim_socket {
    weft_testing_network *net;
    struct sim_host *host;
    int fd;
    int family;
    bool datagram;
    bool bound;
    bool listening;
    bool reuse_port; /* or address, of datagrams */
    bool only_ipv6;
    bool connected;
    int error; /* of a datagram that was refused */
    weft_address local;
    weft_address peer;
    struct weft__op *reader;
    struct weft__op *writer;
    /* a listener, or a socket that waits in its queue */
    struct weft__list queue;
    struct weft__list in_queue;
    int n_queued;
    int backlog;
    /* a connection, or one to be */
    struct sim_conn *conn;
    int side;
    enum sim_dialling dialling;
    struct sim_event retry;
    struct sim_event step;
    int64_t dial_begun;
    int tries;
    /* datagrams that have arrived */
    struct weft__list inbox;
    size_t inbox_bytes;
    weft_address groups[SIM_GROUPS_MAX];
    size_t n_groups;
};

int weft__sim_socket_new(weft_testing_network *net, struct sim_host *host, int family,
                         bool datagram, struct sim_socket **ret);
struct sim_socket *weft__sim_socket_find(int fd);
/* Tries again what waits on the socket. */
void weft__sim_advance_reader(struct sim_socket *s);
void weft__sim_advance_writer(struct sim_socket *s);
void weft__sim_socket_finish(struct weft__op **op, int64_t result);
void weft__sim_socket_free(struct sim_socket *s);
/* Binds to any address and a free port. */
int weft__sim_bind_any(struct sim_socket *s);
bool weft__sim_address_matches(const struct sim_socket *s, const weft_address *address);
void weft__sim_attach(weft_testing_network *net);
void weft__sim_detach(weft_testing_network *net);

/* ---- connections ---- */

enum sim_segment_kind { SIM_DATA, SIM_ACCEPT, SIM_FIN, SIM_RESET, SIM_RESET_BOTH };

struct sim_segment {
    uint64_t end;
    int64_t arrival;
    enum sim_segment_kind kind;
};

/* One direction. Positions count from the beginning: read, confirmed <= arrived <= sent <= written. */
struct sim_pipe {
    struct sim_event event;   /* the first segment arrives */
    struct sim_event give_up; /* while nothing is confirmed because of a partition */
    struct sim_conn *conn;
    int side; /* that writes */
    struct sim_link *link;
    char *ring;
    size_t cap;
    uint64_t read;
    uint64_t arrived;
    uint64_t confirmed; /* to the writer */
    uint64_t sent;
    uint64_t written;
    int64_t last_arrival;
    struct sim_segment *segments;
    uint32_t n_segments;
    uint32_t first;
    uint32_t max_segments;
    bool fin_wanted;
    bool fin_sent;
    bool fin_arrived;
    bool broken;  /* nothing more is sent */
    bool stalled; /* its first segment has met a partition */
    bool waits;   /* give_up is arranged */
};

struct sim_conn {
    struct weft__list node;
    weft_testing_network *net;
    struct sim_pipe pipes[2]; /* of the client's data, of the server's */
    struct sim_socket *ends[2];
    struct sim_host *hosts[2];
    weft_address addresses[2];
    int error[2]; /* to be reported once */
    bool dead[2];
    bool not_accepted; /* the server does not know of it yet */
};

struct sim_conn *weft__sim_conn_new(struct sim_socket *client, struct sim_host *server,
                                    const weft_address *address);
/* The handshake is over at the client. */
void weft__sim_conn_established(struct sim_conn *conn, struct sim_socket *client);
void weft__sim_conn_free(struct sim_conn *conn);
void weft__sim_conn_close(struct sim_socket *s);
void weft__sim_conn_abort(struct sim_socket *s);
void weft__sim_conn_shutdown(struct sim_socket *s);
/* At both ends, at once. */
void weft__sim_conn_reset(struct sim_conn *conn);
void weft__sim_conn_cut(struct sim_conn *conn);
void weft__sim_conn_healed(struct sim_conn *conn);
/* True: op->result is set. */
bool weft__sim_conn_recv(struct sim_socket *s, struct weft__op *op);
bool weft__sim_conn_send(struct sim_socket *s, struct weft__op *op);
bool weft__sim_conn_is_readable(const struct sim_socket *s);
bool weft__sim_conn_is_writable(const struct sim_socket *s);

/* ---- making connections ---- */

struct sim_socket *weft__sim_find_listener(weft_testing_network *net, const struct sim_host *host,
                                           const weft_address *address, uint16_t client_port);
/* True: op->result is set. */
bool weft__sim_dial(struct sim_socket *s, struct weft__op *op);
void weft__sim_dial_stop(struct sim_socket *s);

/* ---- datagrams ---- */

void weft__sim_datagrams_drop(struct sim_socket *s);
void weft__sim_datagrams_done(weft_testing_network *net);
/* As the system calls: 0 or negative. */
int weft__sim_join(struct sim_socket *s, const weft_address *group);
int weft__sim_leave(struct sim_socket *s, const weft_address *group);

#endif
