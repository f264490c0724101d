/*
 * proxy_env.h - to which URLs a rule applies: NO_PROXY of the environment, patterns of mounts.
 *
 * Hosts are those of parsed URLs: in lower case, A-labels, addresses normalised, IPv6 in brackets.
 */
#ifndef WEFT_PROTO_PROXY_ENV_H
#define WEFT_PROTO_PROXY_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Does an entry of a NO_PROXY list say that the host is asked directly?  Entries stand between
 * commas or blanks: "*"; a name, for itself and all below it; ".name" or "*.name", for those below
 * it; an address; a network as "10.0.0.0/8" or "fd00::/8"; each but a network with ":port" behind
 * or "scheme://" before it.
 */
bool weft__no_proxy_matches(const char *list, const char *scheme, const char *host, int port);

/* 4 or 16, the bytes of a numeric address with or without brackets; 0: it is none. */
int weft__ip_parse(const char *text, size_t len, uint8_t ip[16]);

/*
 * Cuts ":port" off the end of a host: the port, or -1 where there is none.  An IPv6 address
 * without brackets has none.
 */
int weft__cut_port(const char *text, size_t *len);

struct weft__pattern {
    const char *scheme; /* into the text it was parsed from */
    size_t scheme_len;  /* 0: any */
    const char *host;
    size_t host_len; /* 0: any */
    int port;        /* -1: any */
    bool below;      /* "*.host" */
    bool with_below; /* "*host" */
};

/* -EINVAL for what is no "scheme://host:port"; text is kept by *ret. */
int weft__pattern_parse(const char *text, struct weft__pattern *ret);
bool weft__pattern_matches(const struct weft__pattern *pattern, const char *scheme,
                           const char *host, int port);
/* Below 0: a is looked at before b. */
int weft__pattern_compare(const struct weft__pattern *a, const struct weft__pattern *b);

#endif
