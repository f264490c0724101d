/* sim.c - the simulated network: hosts, names, links, partitions. */
#include "net/sim.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/str.h"

static _Thread_local weft_testing_network *current;

weft_testing_network *weft__sim_current(void)
{
    return current;
}

bool weft__sim_is_on(void)
{
    return current != NULL;
}

/* ---- addresses ---- */

static const unsigned char mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

/* The bytes of the address alone. */
static const unsigned char *ip_of(const weft_address *address, size_t *ret_len)
{
    const unsigned char *bytes = (const unsigned char *)address->opaque;
    if (weft__address_family(address) == AF_INET) {
        *ret_len = sizeof(struct in_addr);
        return bytes + offsetof(struct sockaddr_in, sin_addr);
    }
    *ret_len = sizeof(struct in6_addr);
    return bytes + offsetof(struct sockaddr_in6, sin6_addr);
}

static bool is_unix(const weft_address *address)
{
    return weft__address_family(address) == AF_UNIX;
}

bool weft__sim_same_ip(const weft_address *a, const weft_address *b)
{
    if (is_unix(a) || is_unix(b))
        return a->len == b->len && memcmp(a->opaque, b->opaque, a->len) == 0;
    size_t a_len;
    size_t b_len;
    const unsigned char *a_ip = ip_of(a, &a_len);
    const unsigned char *b_ip = ip_of(b, &b_len);
    return a_len == b_len && memcmp(a_ip, b_ip, a_len) == 0;
}

bool weft__sim_is_any(const weft_address *address)
{
    static const unsigned char zero[16];
    size_t len;
    if (is_unix(address))
        return address->len == sizeof(sa_family_t);
    const unsigned char *ip = ip_of(address, &len);
    return memcmp(ip, zero, len) == 0;
}

bool weft__sim_is_loopback(const weft_address *address)
{
    static const unsigned char one[16] = {[15] = 1};
    size_t len;
    if (is_unix(address))
        return true;
    const unsigned char *ip = ip_of(address, &len);
    return len == 4 ? ip[0] == 127 : memcmp(ip, one, len) == 0;
}

bool weft__sim_is_multicast(const weft_address *address)
{
    size_t len;
    if (is_unix(address))
        return false;
    const unsigned char *ip = ip_of(address, &len);
    return len == 4 ? ip[0] >= 224 && ip[0] < 240 : ip[0] == 0xff;
}

void weft__sim_set_port(weft_address *address, uint16_t port)
{
    /* At the same place in both families. */
    struct sockaddr_in in;
    memcpy(&in, address->opaque, sizeof in);
    in.sin_port = htons(port);
    memcpy(address->opaque, &in, sizeof in);
}

weft_address weft__sim_plain(const weft_address *address)
{
    weft_address plain = *address;
    size_t len;
    const unsigned char *ip = ip_of(address, &len);
    if (!is_unix(address) && len == 16 && memcmp(ip, mapped_prefix, sizeof mapped_prefix) == 0) {
        weft__address_from_ip(ip + 12, 4, &plain);
        weft__sim_set_port(&plain, weft_address_port(address));
    }
    return plain;
}

weft_address weft__sim_as_family(const weft_address *address, int family)
{
    weft_address mapped = *address;
    unsigned char ip[16];
    size_t len;
    const unsigned char *plain = ip_of(address, &len);
    if (family == AF_INET6 && len == 4) {
        memcpy(ip, mapped_prefix, sizeof mapped_prefix);
        memcpy(ip + 12, plain, 4);
        weft__address_from_ip(ip, sizeof ip, &mapped);
        weft__sim_set_port(&mapped, weft_address_port(address));
    }
    return mapped;
}

struct sim_host *weft__sim_host_at(weft_testing_network *net, struct sim_host *host,
                                   const weft_address *address)
{
    if (weft__sim_is_loopback(address) || weft__sim_is_any(address))
        return host;
    for (size_t i = 0; i < net->n_hosts; i++) {
        for (size_t k = 0; k < net->hosts[i]->n_addresses; k++) {
            if (weft__sim_same_ip(&net->hosts[i]->addresses[k], address))
                return net->hosts[i];
        }
    }
    return NULL;
}

/* ---- names ---- */

static struct sim_name *find_name(weft_testing_network *net, const char *name)
{
    size_t len = strlen(name);
    if (len > 0 && name[len - 1] == '.')
        len--;
    for (struct weft__list *node = net->names.next; node != &net->names; node = node->next) {
        struct sim_name *found = WEFT__CONTAINER(node, struct sim_name, node);
        if (weft__ieq_n(found->name, strlen(found->name), name, len))
            return found;
    }
    return NULL;
}

static int parse_addresses(const char *const *texts, weft_address *ret, size_t *ret_n)
{
    size_t n = 0;
    for (; texts != NULL && texts[n] != NULL; n++) {
        if (n == SIM_ADDRESSES_MAX)
            return weft__fail(-EINVAL, "more than %d addresses of one name", SIM_ADDRESSES_MAX);
        int err = weft_address_parse(texts[n], 0, &ret[n]);
        if (err < 0)
            return err;
    }
    *ret_n = n;
    return 0;
}

static int check_name(const char *name)
{
    size_t len = strlen(name);
    if (len == 0 || len > SIM_NAME_MAX)
        return weft__fail(-EINVAL, "the name of a simulated host has 1 to %d bytes", SIM_NAME_MAX);
    return 0;
}

static void read_name_options(const weft_testing_name_options *options,
                              weft_testing_name_options *ret)
{
    if (options != NULL)
        memcpy(ret, options, options->size < sizeof *ret ? options->size : sizeof *ret);
}

static int put_name(weft_testing_network *net, const struct sim_name *wanted)
{
    struct sim_name *name = find_name(net, wanted->name);
    bool is_new = name == NULL;
    if (is_new)
        name = weft__alloc(sizeof *name);
    if (name == NULL)
        return weft__fail_nomem();
    struct weft__list node = name->node;
    *name = *wanted;
    name->node = node;
    if (is_new)
        weft__list_push_back(&net->names, &name->node);
    return 0;
}

int weft_testing_name_set(weft_testing_network *net, const char *name,
                          const weft_testing_name_options *options)
{
    weft_testing_name_options all = {0};
    struct sim_name wanted = {.n_addresses = 0};
    int err = check_name(name);
    read_name_options(options, &all);
    if (err == 0)
        err = parse_addresses(all.addresses, wanted.addresses, &wanted.n_addresses);
    if (err < 0)
        return err;
    if (wanted.n_addresses == 0 && all.error >= 0)
        return weft__fail(-EINVAL, "%s has neither an address nor an error", name);
    memcpy(wanted.name, name, strlen(name));
    wanted.delay = all.delay;
    wanted.error = all.error < 0 ? all.error : 0;
    return put_name(net, &wanted);
}

int weft__sim_resolve(const char *host, uint16_t port, weft_address **ret, size_t *ret_n)
{
    struct sim_name *name = find_name(current, host);
    if (name == NULL)
        return weft__fail(WEFT_EDNS_NOT_FOUND,
                          "resolving %s: the simulated network has no such name", host);
    struct sim_name answer = *name;
    if (answer.delay > 0) {
        int err = weft_sleep(answer.delay);
        if (err < 0)
            return err;
    }
    if (answer.error < 0)
        return weft__fail_with(answer.error, "resolving %s", host);
    weft_address *list = weft__alloc(answer.n_addresses * sizeof *list);
    if (list == NULL)
        return weft__fail_nomem();
    for (size_t i = 0; i < answer.n_addresses; i++) {
        list[i] = answer.addresses[i];
        weft__sim_set_port(&list[i], port);
    }
    weft__addresses_interleave(list, answer.n_addresses);
    *ret = list;
    *ret_n = answer.n_addresses;
    return 0;
}

/* ---- links ---- */

static int check_chance(const char *what, double chance)
{
    if (chance >= 0 && chance <= 1)
        return 0;
    return weft__fail(-EINVAL, "%s is %g; a chance is from 0 to 1", what, chance);
}

static int read_link(const weft_testing_link *link, weft_testing_link *ret)
{
    weft_testing_link all = {0};
    if (link != NULL)
        memcpy(&all, link, link->size < sizeof all ? link->size : sizeof all);
    if (all.latency < 0 || all.jitter < 0 || all.bandwidth < 0)
        return weft__fail(-EINVAL, "a link with a negative latency, jitter or bandwidth");
    const struct {
        const char *what;
        double chance;
    } chances[] = {{"reset", all.reset},
                   {"refuse", all.refuse},
                   {"loss", all.loss},
                   {"duplicate", all.duplicate},
                   {"reorder", all.reorder}};
    for (size_t i = 0; i < sizeof chances / sizeof chances[0]; i++) {
        int err = check_chance(chances[i].what, chances[i].chance);
        if (err < 0)
            return err;
    }
    if (all.buffer == 0)
        all.buffer = 64 * 1024;
    *ret = all;
    return 0;
}

int64_t weft__sim_travel(weft_testing_network *net, struct sim_link *link, size_t bytes)
{
    int64_t now = weft__sim_now(net);
    int64_t left = now;
    if (link->set.bandwidth > 0 && bytes > 0) {
        if (link->busy_until <= now) {
            link->busy_until = now;
            link->remainder = 0;
        }
        unsigned __int128 units =
            (unsigned __int128)bytes * (uint64_t)WEFT_SEC(1) + link->remainder;
        link->busy_until += (int64_t)(units / (uint64_t)link->set.bandwidth);
        link->remainder = (uint64_t)(units % (uint64_t)link->set.bandwidth);
        left = link->busy_until;
    }
    int64_t more = link->set.jitter > 0 ? weft__sim_draw(net, link->set.jitter + 1) : 0;
    return weft__clock_add(left, link->set.latency + more);
}

static struct sim_host *find_host(weft_testing_network *net, const char *name)
{
    for (size_t i = 0; i < net->n_hosts; i++) {
        if (weft__ieq_n(net->hosts[i]->name, strlen(net->hosts[i]->name), name, strlen(name)))
            return net->hosts[i];
    }
    return NULL;
}

static int check_host(weft_testing_network *net, const char *name)
{
    if (name == NULL || find_host(net, name) != NULL)
        return 0;
    return weft__fail(-ENOENT, "the simulated network has no host %s", name);
}

static bool is_meant(const struct sim_host *host, const char *name)
{
    return name == NULL || weft__ieq_n(host->name, strlen(host->name), name, strlen(name));
}

/* The links from one host to another, or from all to all but themselves, one after another. */
struct walk {
    weft_testing_network *net;
    const char *from;
    const char *to;
    size_t i;
};

static struct sim_link *walk_next(struct walk *walk)
{
    weft_testing_network *net = walk->net;
    while (walk->i < net->n_hosts * net->n_hosts) {
        struct sim_host *from = net->hosts[walk->i / net->n_hosts];
        struct sim_host *to = net->hosts[walk->i % net->n_hosts];
        walk->i++;
        bool itself = from == to && (walk->from == NULL || walk->to == NULL);
        if (!itself && is_meant(from, walk->from) && is_meant(to, walk->to))
            return from->links[to->index];
    }
    return NULL;
}

static int walk_begin(struct walk *walk, weft_testing_network *net, const char *from,
                      const char *to)
{
    *walk = (struct walk){.net = net, .from = from, .to = to};
    int err = check_host(net, from);
    return err < 0 ? err : check_host(net, to);
}

int weft_testing_link_set(weft_testing_network *net, const char *from, const char *to,
                          const weft_testing_link *link)
{
    weft_testing_link all;
    struct walk walk;
    int err = walk_begin(&walk, net, from, to);
    if (err == 0)
        err = read_link(link, &all);
    if (err < 0)
        return err;
    if (from == NULL && to == NULL)
        net->link = all;
    for (struct sim_link *one; (one = walk_next(&walk)) != NULL;)
        one->set = all;
    return 0;
}

static int set_cut(weft_testing_network *net, const char *from, const char *to, bool cut)
{
    struct walk walk;
    int err = walk_begin(&walk, net, from, to);
    if (err < 0)
        return err;
    for (struct sim_link *one; (one = walk_next(&walk)) != NULL;)
        one->cut = cut;
    return 0;
}

int weft_testing_partition(weft_testing_network *net, const char *from, const char *to,
                           bool both_ways)
{
    int err = set_cut(net, from, to, true);
    if (err == 0 && both_ways)
        err = set_cut(net, to, from, true);
    for (struct weft__list *node = net->conns.next; node != &net->conns; node = node->next)
        weft__sim_conn_cut(WEFT__CONTAINER(node, struct sim_conn, node));
    return err;
}

int weft_testing_heal(weft_testing_network *net, const char *a, const char *b)
{
    int err = set_cut(net, a, b, false);
    if (err == 0)
        err = set_cut(net, b, a, false);
    if (err < 0)
        return err;
    for (struct weft__list *node = net->conns.next; node != &net->conns;) {
        struct sim_conn *conn = WEFT__CONTAINER(node, struct sim_conn, node);
        node = node->next;
        weft__sim_conn_healed(conn);
    }
    return 0;
}

int weft_testing_reset(weft_testing_network *net, const char *a, const char *b)
{
    int n = 0;
    int err = check_host(net, a);
    if (err == 0)
        err = check_host(net, b);
    if (err < 0)
        return err;
    for (struct weft__list *node = net->conns.next; node != &net->conns;) {
        struct sim_conn *conn = WEFT__CONTAINER(node, struct sim_conn, node);
        node = node->next;
        bool there = is_meant(conn->hosts[0], a) && is_meant(conn->hosts[1], b);
        bool back = is_meant(conn->hosts[0], b) && is_meant(conn->hosts[1], a);
        if ((!there && !back) || (conn->dead[0] && conn->dead[1]))
            continue;
        weft__sim_conn_reset(conn);
        n++;
    }
    return n;
}

int weft_testing_link_stats_get(weft_testing_network *net, const char *from, const char *to,
                                weft_testing_link_stats *ret)
{
    weft_testing_link_stats sum = {0};
    struct walk walk;
    int err = walk_begin(&walk, net, from, to);
    if (err < 0)
        return err;
    for (const struct sim_link *one; (one = walk_next(&walk)) != NULL;) {
        sum.connections += one->stats.connections;
        sum.refused += one->stats.refused;
        sum.resets += one->stats.resets;
        sum.bytes += one->stats.bytes;
        sum.datagrams += one->stats.datagrams;
        sum.lost += one->stats.lost;
        sum.duplicated += one->stats.duplicated;
        sum.reordered += one->stats.reordered;
    }
    *ret = sum;
    return 0;
}

uint64_t weft_testing_network_hash(const weft_testing_network *net)
{
    return net->hash;
}

/* ---- hosts ---- */

/* Links between the new host and all, itself included. */
static int make_links(weft_testing_network *net, struct sim_host *host)
{
    for (size_t i = 0; i <= host->index; i++) {
        struct sim_host *other = i < host->index ? net->hosts[i] : host;
        struct sim_link *there = weft__calloc(1, sizeof *there);
        struct sim_link *back = other != host ? weft__calloc(1, sizeof *back) : there;
        if (there == NULL || back == NULL) {
            weft__free(there);
            weft__free(back == there ? NULL : back);
            return weft__fail_nomem();
        }
        there->set = net->link;
        if (other == host)
            there->set = (weft_testing_link){.buffer = 64 * 1024};
        back->set = there->set;
        host->links[i] = there;
        other->links[host->index] = back;
    }
    return 0;
}

static void host_free(weft_testing_network *net, struct sim_host *host)
{
    for (size_t i = 0; i <= host->index; i++) {
        struct sim_host *other = i < host->index ? net->hosts[i] : host;
        if (other != host) {
            weft__free(other->links[host->index]);
            other->links[host->index] = NULL;
        }
        weft__free(host->links[i]);
    }
    weft__free(host);
}

static int set_addresses(weft_testing_network *net, struct sim_host *host,
                         const weft_testing_name_options *options)
{
    char text[16];
    const char *own[] = {text, NULL};
    snprintf(text, sizeof text, "10.0.0.%zu", host->index + 1);
    const char *const *texts = options->addresses != NULL ? options->addresses : own;
    int err = parse_addresses(texts, host->addresses, &host->n_addresses);
    if (err < 0)
        return err;
    for (size_t i = 0; i < host->n_addresses; i++) {
        if (weft__sim_host_at(net, host, &host->addresses[i]) != NULL)
            return weft__fail(-EEXIST, "the address %s of %s is taken", texts[i], host->name);
    }
    return 0;
}

int weft_testing_host_add(weft_testing_network *net, const char *name,
                          const weft_testing_name_options *options)
{
    weft_testing_name_options all = {0};
    struct sim_name entry = {.n_addresses = 0};
    int err = check_name(name);
    if (err < 0)
        return err;
    if (find_host(net, name) != NULL)
        return weft__fail(-EEXIST, "the simulated network has a host %s", name);
    if (net->n_hosts == SIM_HOSTS_MAX)
        return weft__fail(-ENOSPC, "a simulated network has at most %d hosts", SIM_HOSTS_MAX);
    struct sim_host *host = weft__calloc(1, sizeof *host);
    if (host == NULL)
        return weft__fail_nomem();
    host->index = net->n_hosts;
    host->last_port = 49151;
    memcpy(host->name, name, strlen(name));
    read_name_options(options, &all);
    err = set_addresses(net, host, &all);
    if (err == 0)
        err = make_links(net, host);
    if (err == 0) {
        memcpy(entry.name, name, strlen(name));
        memcpy(entry.addresses, host->addresses, sizeof entry.addresses);
        entry.n_addresses = host->n_addresses;
        entry.delay = all.delay;
        entry.error = all.error < 0 ? all.error : 0;
        err = put_name(net, &entry);
    }
    if (err < 0) {
        host_free(net, host);
        return err;
    }
    net->hosts[net->n_hosts++] = host;
    return 0;
}

struct sim_host *weft__sim_host_of_task(const weft_testing_network *net)
{
    struct sim_host *host = weft_local_get(net->place);
    return host != NULL ? host : net->hosts[0];
}

int weft_testing_host_run(weft_testing_network *net, const char *name, weft_fn fn, void *arg)
{
    int err = check_host(net, name);
    if (err < 0)
        return err;
    struct weft__locals *before = weft__locals_capture();
    err = weft_local_set(net->place, find_host(net, name));
    if (err == 0)
        err = fn(arg);
    weft__locals_restore(before);
    return err;
}

/* ---- the whole ---- */

static void loop_ends(struct weft__at_exit *hook)
{
    weft_testing_network *net = WEFT__CONTAINER(hook, weft_testing_network, at_exit);
    weft__sim_detach(net);
    weft__sim_events_stop(net);
    net->loop = NULL;
    current = NULL;
}

static void free_all(weft_testing_network *net)
{
    while (net->n_hosts > 0) {
        struct sim_host *host = net->hosts[--net->n_hosts];
        host_free(net, host);
    }
    struct weft__list *node;
    while ((node = weft__list_pop_front(&net->names)) != NULL)
        weft__free(WEFT__CONTAINER(node, struct sim_name, node));
    weft_local_free(net->place);
    weft__free(net->sockets);
    weft__free(net);
}

void weft_testing_network_free(weft_testing_network *net)
{
    if (net == NULL)
        return;
    if (net->loop != NULL) {
        weft__list_remove(&net->at_exit.node);
        loop_ends(&net->at_exit);
    }
    free_all(net);
}

int weft_testing_network_new(const weft_testing_network_options *options,
                             weft_testing_network **ret)
{
    weft_testing_network_options all = {0};
    weft_testing_link link;
    if (options != NULL)
        memcpy(&all, options, options->size < sizeof all ? options->size : sizeof all);
    int err = read_link(all.link, &link);
    if (err < 0)
        return err;
    struct weft__loop *loop = weft__loop_get();
    if (loop == NULL)
        return weft__context_get()->error_code;
    if (current != NULL)
        return weft__fail(-EBUSY, "this loop has a simulated network already");
    weft_testing_network *net = weft__calloc(1, sizeof *net);
    if (net == NULL)
        return weft__fail_nomem();
    *net = (weft_testing_network){.loop = loop,
                                  .link = link,
                                  .hash = 0xcbf29ce484222325u,
                                  .started = weft__loop_now(loop),
                                  .trace = all.trace,
                                  .userdata = all.userdata};
    weft__list_init(&net->conns);
    weft__list_init(&net->datagrams);
    weft__list_init(&net->names);
    uint64_t seed = all.seed != 0 ? all.seed : loop->seed;
    weft__rand_init(&net->rand, seed != 0 ? seed : 1);
    err = weft__sim_events_start(net) < 0 ? weft__fail_nomem() : 0;
    if (err == 0)
        err = weft_local_new(NULL, &net->place);
    if (err == 0)
        err = weft_testing_host_add(net, "localhost", NULL);
    if (err < 0) {
        weft__sim_events_stop(net);
        free_all(net);
        return err;
    }
    net->at_exit.fn = loop_ends;
    weft__list_push_front(&loop->at_exit, &net->at_exit.node);
    weft__sim_attach(net);
    current = net;
    *ret = net;
    return 0;
}
