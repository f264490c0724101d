/*
 * weft/testing_net.h - a network in memory, for tests. Not in weft.h.
 *
 *     weft_testing_network *net;
 *     weft_testing_network_new(WEFT_TESTING_NETWORK(.seed = 7), &net);
 *     weft_testing_host_add(net, "server.test", NULL);
 *     weft_group_spawn(&group, serve, net);         in it: weft_testing_host_run(net, "server.test", ...)
 *     weft_get("http://server.test/", NULL, &r);    over the simulated network
 *     weft_testing_network_free(net);
 *
 * While a loop has one, all its TCP, UDP and Unix sockets and its names are simulated: weft_listen,
 * weft_dial, the HTTP client and server, TLS above them, unchanged.  With WEFT_BACKEND_VIRTUAL
 * time is exact, and one seed gives one course of events, each time.
 *
 * Tasks stand on hosts.  A task belongs to the host of weft_testing_host_run() around it; else to
 * that of the task which started it; else to "localhost", the first host.
 *
 * Connecting takes a round trip, and the server accepts half a round trip later.  A connection
 * request that is not answered is sent again after 1, 3, 7, 15, 31 and 63 s and given up after
 * 127 s.  Data takes its link's latency and its bytes divided by the bandwidth.
 */
#ifndef WEFT_TESTING_NET_H
#define WEFT_TESTING_NET_H

#include <weft/run.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_testing_network weft_testing_network;

/* What carries data from one host to another: one direction. */
typedef struct weft_testing_link {
    size_t size;
    int64_t latency;      /* ns, one way; default 0 */
    int64_t jitter;       /* ns: up to this more, drawn for each packet; default 0 */
    int64_t bandwidth;    /* bytes a second, shared by all connections; default without limit */
    size_t buffer;        /* bytes of a connection that are written and not read; default 64 KiB */
    uint64_t reset_after; /* each connection is reset when it has carried so many bytes */
    double reset;         /* chance of a packet to be a reset of its connection instead, 0 to 1 */
    double refuse;        /* chance of a connection attempt to be refused */
    double loss;          /* of packets; those of connections come 200 ms later instead */
    double duplicate;     /* of datagrams */
    double reorder;       /* of datagrams that come late, behind their followers */
} weft_testing_link;
#define WEFT_TESTING_LINK(...) WEFT_OPTIONS(weft_testing_link, __VA_ARGS__)

typedef struct weft_testing_network_options {
    size_t size;
    uint64_t seed;                 /* default: the run's, or 1 */
    const weft_testing_link *link; /* copies. Of all pairs of hosts but a host and itself */
    /* Told of each packet that is sent, lost, or arrives. */
    void (*trace)(const char *line, void *userdata);
    void *userdata; /* keeps until the network is freed */
} weft_testing_network_options;
#define WEFT_TESTING_NETWORK(...) WEFT_OPTIONS(weft_testing_network_options, __VA_ARGS__)

/**
 * weft_testing_network_new() - the calling thread's loop gets a network of its own
 * @options: borrows, NULL for defaults.
 * @ret:     gives, free with weft_testing_network_free.
 *
 * Sockets that are open already stay what they are.  Each host has Unix sockets of its own, which
 * make no files.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EBUSY the loop has one; -EINVAL a value is out of range; -ENOMEM.
 * Since:    0.1
 */
WEFT_API int weft_testing_network_new(const weft_testing_network_options *options,
                                      weft_testing_network **ret);
/**
 * weft_testing_network_free() - sockets that are opened from now on are real ones
 * @net: takes. NULL is allowed.
 *
 * Sockets that are still open fail with -ENETDOWN.
 *
 * Suspends: never.
 * Since:    0.1
 */
WEFT_API void weft_testing_network_free(weft_testing_network *net);

typedef struct weft_testing_name_options {
    size_t size;
    const char *const *addresses; /* borrows. Numeric, ended by NULL, at most 8 */
    int64_t delay;                /* ns until the answer */
    int error;                    /* the answer: WEFT_EDNS_NOT_FOUND, WEFT_EDNS or another one */
} weft_testing_name_options;
#define WEFT_TESTING_NAME(...) WEFT_OPTIONS(weft_testing_name_options, __VA_ARGS__)

/**
 * weft_testing_host_add() - a host, and its name
 * @net:     borrows.
 * @name:    copies. At most 63 bytes.
 * @options: borrows. Its addresses; NULL: the next of 10.0.0.2, 10.0.0.3 and so on.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EEXIST the name or an address is taken; -ENOSPC there are 64 already; -EINVAL; -ENOMEM.
 * Since:    0.1
 */
WEFT_API int weft_testing_host_add(weft_testing_network *net, const char *name,
                                   const weft_testing_name_options *options);
/**
 * weft_testing_host_run() - do something on a host
 * @net:  borrows.
 * @name: borrows. Of a host that was added.
 * @fn:   called with arg, by the calling task.
 * @arg:  borrows.
 *
 * Task-local values that fn sets are forgotten at its return.
 *
 * Suspends: maybe, as fn.
 * Cancel:   that of fn.
 * Return:   what fn returns, or negative.
 * Errors:   -ENOENT there is no such host; -ENOMEM; those of fn.
 * Since:    0.1
 */
WEFT_API int weft_testing_host_run(weft_testing_network *net, const char *name, weft_fn fn,
                                   void *arg);
/**
 * weft_testing_name_set() - what resolving a name gives from now on
 * @net:     borrows.
 * @name:    copies. A host's or any other one.
 * @options: borrows. Packets to an address that no host has are never answered.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -EINVAL an address that is none, or neither addresses nor an error; -ENOMEM.
 * Since:    0.1
 */
WEFT_API int weft_testing_name_set(weft_testing_network *net, const char *name,
                                   const weft_testing_name_options *options);

/**
 * weft_testing_link_set() - how data travels from one host to another, from now on
 * @net:  borrows.
 * @from: borrows. A host's name; NULL: all hosts that there are.
 * @to:   borrows. Likewise; with two NULL the links of hosts that are added later too.
 * @link: copies. What is under way keeps its time; buffers are those of later connections.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -ENOENT no such host; -EINVAL a value is out of range.
 * Since:    0.1
 */
WEFT_API int weft_testing_link_set(weft_testing_network *net, const char *from, const char *to,
                                   const weft_testing_link *link);
/**
 * weft_testing_partition() - from now on nothing gets from one host to another
 * @net:      borrows.
 * @from:     borrows. NULL: all hosts.
 * @to:       borrows. Likewise.
 * @both_ways: nor back.
 *
 * Connections live on: their data waits.  Whoever has written is told -ETIMEDOUT when nothing
 * was confirmed for 924.6 s, as Linux does it; nobody else is told.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -ENOENT no such host.
 * Since:    0.1
 */
WEFT_API int weft_testing_partition(weft_testing_network *net, const char *from, const char *to,
                                    bool both_ways);
/**
 * weft_testing_heal() - end a partition, in both directions
 * @net: borrows.
 * @a:   borrows. NULL: all hosts.
 * @b:   borrows. Likewise.
 *
 * Data that waited is on its way from now on.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -ENOENT no such host.
 * Since:    0.1
 */
WEFT_API int weft_testing_heal(weft_testing_network *net, const char *a, const char *b);
/**
 * weft_testing_reset() - the connections between two hosts are reset, now, at both ends
 * @net: borrows.
 * @a:   borrows. NULL: all hosts.
 * @b:   borrows. Likewise.
 *
 * Suspends: never.
 * Return:   how many there were, or negative.
 * Errors:   -ENOENT no such host.
 * Since:    0.1
 */
WEFT_API int weft_testing_reset(weft_testing_network *net, const char *a, const char *b);

typedef struct weft_testing_link_stats {
    uint64_t connections; /* made from the first host to the second */
    uint64_t refused;
    uint64_t resets;
    uint64_t bytes; /* of connections, that arrived */
    uint64_t datagrams;
    uint64_t lost;
    uint64_t duplicated;
    uint64_t reordered;
} weft_testing_link_stats;

/**
 * weft_testing_link_stats_get() - what went from one host to another
 * @net:  borrows.
 * @from: borrows. NULL: all hosts.
 * @to:   borrows. Likewise.
 * @ret:  borrows, is filled.
 *
 * Suspends: never.
 * Return:   0, or negative.
 * Errors:   -ENOENT no such host.
 * Since:    0.1
 */
WEFT_API int weft_testing_link_stats_get(weft_testing_network *net, const char *from,
                                         const char *to, weft_testing_link_stats *ret);
/**
 * weft_testing_network_hash() - a number for all that happened so far and when
 * @net: borrows.
 *
 * Suspends: never.
 * Return:   the same for the same course of events.
 * Since:    0.1
 */
WEFT_API uint64_t weft_testing_network_hash(const weft_testing_network *net);

#if defined(__GNUC__)
WEFT_DEFINE_AUTO(weft_testing_network, weft_testing_network_free)
#endif

#ifdef __cplusplus
}
#endif
#endif
