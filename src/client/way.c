/*
 * way.c - which way a URL goes: the request's own proxy, a mount, the client's transport or
 * proxy, the environment's proxy, or straight there.
 *
 * It is chosen anew for every hop, so that a redirect goes by the rules of where it leads.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "client/h2_int.h"

/* ---- the environment ---- */

/* Set and not empty; in a set-user-id program the environment is a stranger's. */
static const char *environment(const char *name)
{
    const char *value = secure_getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

static int env_proxy(const char *lower, const char *upper, struct weft__proxy **ret)
{
    const char *name = lower;
    const char *value = environment(lower);
    if (value == NULL) {
        name = upper;
        /* CGI: a request's "Proxy:" field would set it. */
        if (strcmp(upper, "HTTP_PROXY") != 0 || environment("REQUEST_METHOD") == NULL)
            value = environment(upper);
    }
    return value != NULL ? weft__proxy_new(name, value, NULL, ret) : 0;
}

static int read_environment(struct weft__ways *ways)
{
    int err = env_proxy("http_proxy", "HTTP_PROXY", &ways->env_http);
    if (err == 0)
        err = env_proxy("https_proxy", "HTTPS_PROXY", &ways->env_https);
    if (err == 0 && ways->env_http == NULL)
        err = env_proxy("all_proxy", "ALL_PROXY", &ways->env_http);
    if (err == 0 && ways->env_https == NULL)
        err = env_proxy("all_proxy", "ALL_PROXY", &ways->env_https);
    const char *none = environment("no_proxy");
    if (none == NULL)
        none = environment("NO_PROXY");
    return err == 0 ? weft__copy_text(none, &ways->no_proxy) : err;
}

/* ---- mounts ---- */

static int add_mount(struct weft__mount *mount, const weft_mount *given)
{
    if (given->transport != NULL && given->proxy != NULL && given->proxy[0] != '\0')
        return weft__fail(-EINVAL, "a mount has either a transport or a proxy, not both");
    int err = weft__copy_text(given->pattern, &mount->text);
    if (err < 0)
        return err;
    if (weft__pattern_parse(mount->text, &mount->pattern) < 0)
        return weft__fail(-EINVAL, "\"%.100s\" is not a pattern like scheme://host:port",
                          given->pattern);
    mount->transport = weft__transport_ref(given->transport);
    if (given->proxy != NULL && given->proxy[0] != '\0')
        return weft__proxy_new("the proxy of a mount", given->proxy, given->proxy_headers,
                               &mount->proxy);
    return 0;
}

static int compare_mounts(const void *a, const void *b)
{
    const struct weft__mount *mounts[] = {a, b};
    return weft__pattern_compare(&mounts[0]->pattern, &mounts[1]->pattern);
}

static int set_mounts(struct weft__ways *ways, const weft_mount *mounts)
{
    size_t n = 0;
    while (mounts != NULL && mounts[n].pattern != NULL)
        n++;
    if (n == 0)
        return 0;
    ways->mounts = weft__calloc(n, sizeof ways->mounts[0]);
    if (ways->mounts == NULL)
        return weft__fail_nomem();
    for (; ways->n_mounts < n; ways->n_mounts++) {
        int err = add_mount(&ways->mounts[ways->n_mounts], &mounts[ways->n_mounts]);
        if (err < 0) {
            ways->n_mounts++;
            return err;
        }
    }
    qsort(ways->mounts, n, sizeof ways->mounts[0], compare_mounts);
    return 0;
}

/* ---- a client's ways ---- */

static int set_proxy(struct weft__ways *ways, const weft_client_options *options)
{
    bool given = options->proxy != NULL && options->proxy[0] != '\0';
    if (given + (options->transport != NULL) + (options->unix_socket != NULL) > 1)
        return weft__fail(-EINVAL, "a client has one of proxy, transport and unix_socket");
    if (given)
        return weft__proxy_new("proxy", options->proxy, options->proxy_headers, &ways->proxy);
    if (options->proxy_headers != NULL && options->proxy_headers[0].name != NULL)
        return weft__fail(-EINVAL, "proxy_headers without a proxy to send them to");
    return 0;
}

int weft__ways_init(struct weft__ways *ways, const weft_client_options *options)
{
    pthread_mutex_init(&ways->lock, NULL);
    ways->transport = weft__transport_ref(options->transport);
    ways->allow = options->allow_address;
    ways->allow_userdata = options->allow_userdata;
    int err = set_mounts(ways, options->mounts);
    if (err == 0)
        err = set_proxy(ways, options);
    if (err == 0 && options->proxy == NULL && options->transport == NULL &&
        options->unix_socket == NULL && options->trust_env != WEFT_OFF)
        err = read_environment(ways);
    if (err == 0)
        err = weft__copy_text(options->unix_socket, &ways->unix_socket);
    if (err == 0)
        err = weft__copy_text(options->local_address, &ways->local_address);
    if (err == 0)
        err = weft__copy_text(options->interface, &ways->interface);
    if (err == 0)
        err = weft__copy_pairs(options->resolve, &ways->resolve);
    return err == 0 ? weft__copy_pairs(options->connect_to, &ways->connect_to) : err;
}

void weft__ways_done(struct weft__ways *ways)
{
    for (size_t i = 0; i < ways->n_mounts; i++) {
        weft__free(ways->mounts[i].text);
        weft_transport_free(ways->mounts[i].transport);
        weft__proxy_unref(ways->mounts[i].proxy);
    }
    weft__free(ways->mounts);
    pthread_mutex_destroy(&ways->lock);
    for (size_t i = 0; i < WEFT__LIMIT_PROXIES; i++)
        weft__proxy_unref(ways->known[i]);
    weft_transport_free(ways->transport);
    weft__proxy_unref(ways->proxy);
    weft__proxy_unref(ways->env_http);
    weft__proxy_unref(ways->env_https);
    weft__free(ways->no_proxy);
    weft__free(ways->unix_socket);
    weft__free(ways->local_address);
    weft__free(ways->interface);
    weft__free(ways->resolve);
    weft__free(ways->connect_to);
}

/* ---- the way of one hop ---- */

static bool is_known(const struct weft__proxy *proxy, const char *text, const weft_pair *headers)
{
    size_t n = weft_headers_count(&proxy->headers);
    if (strcmp(proxy->given, text) != 0)
        return false;
    for (size_t i = 0; i < n; i++) {
        weft_pair field = weft_headers_at(&proxy->headers, i);
        if (headers == NULL || headers[i].name == NULL || headers[i].value == NULL ||
            strcmp(headers[i].name, field.name) != 0 || strcmp(headers[i].value, field.value) != 0)
            return false;
    }
    return headers == NULL || headers[n].name == NULL;
}

/* Takes the place of the one that was used longest ago. */
static void remember(struct weft__ways *ways, size_t at, struct weft__proxy *proxy)
{
    memmove(ways->known + 1, ways->known, at * sizeof ways->known[0]);
    ways->known[0] = proxy;
}

/*
 * The proxy that a request names.  The last of them are kept: what one has asked for in its
 * challenge is known the next time.
 */
static int proxy_of_request(struct weft__ways *ways, const char *text, const weft_pair *headers,
                            struct weft__proxy **ret)
{
    struct weft__proxy *proxy = NULL;
    size_t at = 0;
    int err = 0;
    pthread_mutex_lock(&ways->lock);
    while (at < WEFT__LIMIT_PROXIES && ways->known[at] != NULL &&
           !is_known(ways->known[at], text, headers))
        at++;
    if (at < WEFT__LIMIT_PROXIES && ways->known[at] != NULL) {
        proxy = ways->known[at];
    } else {
        err = weft__proxy_new("proxy", text, headers, &proxy);
        if (err == 0 && at == WEFT__LIMIT_PROXIES)
            weft__proxy_unref(ways->known[--at]);
    }
    if (err == 0) {
        remember(ways, at, proxy);
        *ret = weft__proxy_ref(proxy);
    }
    pthread_mutex_unlock(&ways->lock);
    return err;
}

static bool use_mount(struct weft__way *way, const struct weft__ways *ways, const weft_url *url)
{
    for (size_t i = 0; i < ways->n_mounts; i++) {
        const struct weft__mount *mount = &ways->mounts[i];
        if (!weft__pattern_matches(&mount->pattern, weft_url_scheme(url), weft_url_host(url),
                                   weft_url_port(url)))
            continue;
        way->transport = mount->transport;
        way->proxy = weft__proxy_ref(mount->proxy);
        return true;
    }
    return false;
}

static void use_environment(struct weft__way *way, const struct weft__ways *ways,
                            const weft_url *url)
{
    bool secure = strcmp(weft_url_scheme(url), "https") == 0;
    struct weft__proxy *proxy = secure ? ways->env_https : ways->env_http;
    if (proxy == NULL)
        return;
    if (ways->no_proxy == NULL || !weft__no_proxy_matches(ways->no_proxy, weft_url_scheme(url),
                                                          weft_url_host(url), weft_url_port(url)))
        way->proxy = weft__proxy_ref(proxy);
}

static int choose(struct weft__call *call)
{
    struct weft__ways *ways = &call->client->ways;
    const char *given = call->options->proxy;
    struct weft__way *way = &call->way;
    if (given != NULL && given[0] != '\0')
        return proxy_of_request(ways, given, call->options->proxy_headers, &way->proxy);
    if (use_mount(way, ways, call->url)) {
        if (given != NULL && way->proxy != NULL) {
            weft__proxy_unref(way->proxy);
            way->proxy = NULL;
        }
        return 0;
    }
    way->transport = ways->transport;
    if (given != NULL || way->transport != NULL)
        return 0;
    if (ways->proxy != NULL)
        way->proxy = weft__proxy_ref(ways->proxy);
    else if (call->client->dial == NULL)
        use_environment(way, ways, call->url);
    return 0;
}

static int set_key(struct weft__call *call)
{
    struct weft__way *way = &call->way;
    const char *first = way->proxy != NULL ? way->proxy->key : "";
    way->key = first;
    if (way->transport == NULL && way->server_name == NULL && !way->guest && !way->only_h1)
        return 0;
    const char *name = way->server_name != NULL ? way->server_name : "";
    int kind = way->guest + 2 * way->only_h1;
    int len = snprintf(way->small, sizeof way->small, "%s|%p|%s|%d", first, (void *)way->transport,
                       name, kind);
    way->key = way->small;
    if (len < (int)sizeof way->small)
        return 0;
    way->own_key = weft__asprintf("%s|%p|%s|%d", first, (void *)way->transport, name, kind);
    way->key = way->own_key;
    return way->key != NULL ? 0 : weft__fail_nomem();
}

int weft__way_use_h1(struct weft__call *call)
{
    struct weft__way *way = &call->way;
    way->only_h1 = true;
    weft__free(way->own_key);
    way->own_key = NULL;
    return set_key(call);
}

/* By HTTP/1.1, unless it is known that the server takes it over HTTP/2 too. */
static int choose_for_upgrade(struct weft__call *call)
{
    const struct weft__way *way = &call->way;
    if (call->client->http != WEFT__HTTP_ANY || way->only_h1 ||
        !weft__upgrade_names_protocol(call) ||
        weft__pool_takes_protocol(call->pool, call->url, way->key))
        return 0;
    return weft__way_use_h1(call);
}

/*
 * RFC 9112 3.2.2: a proxy that forwards is given the whole URL.  One that is to connect elsewhere
 * can only be told so by CONNECT; and who wants nothing but HTTP/2 goes through a tunnel too, as
 * proxies forward by HTTP/1.1.
 */
static int set_target(struct weft__call *call)
{
    struct weft__way *way = &call->way;
    if (way->proxy == NULL || !weft__proxy_is_http(way->proxy) ||
        strcmp(weft_url_scheme(call->url), "http") != 0 ||
        weft__way_is_elsewhere(&call->client->ways, call->url) ||
        call->client->http == WEFT__HTTP_2)
        return 0;
    const char *target = weft__request_target(call);
    if (target[0] == '/' || target[0] == '*')
        way->target = weft__asprintf("http://%s%s", weft_url_authority(call->url),
                                     target[0] == '/' ? target : "");
    else
        way->target = weft__strdup(target);
    return way->target != NULL ? 0 : weft__fail_nomem();
}

/* RFC 9110 11.7.2: what is for a proxy does not go through it. */
static int hide_from_origin(struct weft__call *call)
{
    struct weft__way *way = &call->way;
    if (way->proxy == NULL || weft_headers_get(call->headers, "Proxy-Authorization") == NULL)
        return 0;
    int err = weft_headers_copy(call->headers, &way->headers);
    if (err == 0)
        weft_headers_remove(way->headers, "Proxy-Authorization");
    return err;
}

/* The proxy's fields go with those of the hop; its credentials replace any that are there. */
static int set_headers(struct weft__call *call)
{
    struct weft__way *way = &call->way;
    char *authorization = NULL;
    if (way->target == NULL)
        return hide_from_origin(call);
    weft_headers_free(way->headers);
    way->headers = NULL;
    int err = weft_headers_new(&way->headers);
    if (err == 0)
        err = weft__headers_append_all(way->headers, call->headers);
    if (err == 0)
        err = weft__headers_append_all(way->headers, &way->proxy->headers);
    if (err == 0)
        err = weft__proxy_authorization(way->proxy, call->method, way->target, &authorization);
    if (err == 0 && authorization != NULL)
        err = weft_headers_set(way->headers, "Proxy-Authorization", authorization);
    weft__free(authorization);
    return err;
}

/* The server that the client's certificate and server_name are for. */
static bool is_home(const struct weft__call *call)
{
    const weft_client *client = call->client;
    if (call->foreign)
        return false;
    return client->base == NULL || weft_url_same_origin(client->base, call->url);
}

int weft__way_enter(struct weft__call *call)
{
    struct weft__way *way = &call->way;
    const weft_client *client = call->client;
    const char *server_name = call->options->server_name;
    *way = (struct weft__way){.key = ""};
    way->only_h1 = client->http != WEFT__HTTP_1 && weft__upgrade_needs_h1(call);
    int err = choose(call);
    if (err == 0 && strcmp(weft_url_scheme(call->url), "https") == 0) {
        bool home = is_home(call);
        way->guest = !home && client->tls_options->cert_file != NULL;
        if (home)
            way->server_name = server_name;
    }
    if (err == 0)
        err = set_key(call);
    if (err == 0)
        err = choose_for_upgrade(call);
    if (err == 0)
        err = set_target(call);
    if (err == 0)
        err = set_headers(call);
    if (err < 0)
        weft__way_leave(call);
    return err;
}

void weft__way_leave(struct weft__call *call)
{
    struct weft__way *way = &call->way;
    weft__proxy_unref(way->proxy);
    weft__free(way->own_key);
    weft__free(way->target);
    weft_headers_free(way->headers);
    *way = (struct weft__way){.key = ""};
}

/* ---- requests that a proxy forwards ---- */

const char *weft__way_target(const struct weft__call *call)
{
    return call->way.target != NULL ? call->way.target : weft__request_target(call);
}

const weft_headers *weft__way_headers(const struct weft__call *call)
{
    return call->way.headers != NULL ? call->way.headers : call->headers;
}

int weft__way_again(struct weft__call *call, const weft_response *response)
{
    struct weft__way *way = &call->way;
    if (way->target == NULL || response->status != 407 || way->retried ||
        !weft__body_can_repeat(call))
        return 0;
    way->retried = true;
    int again = weft__proxy_challenged(way->proxy, &response->headers);
    if (again != 1)
        return again;
    int err = set_headers(call);
    return err < 0 ? err : 1;
}

int weft__way_timed_out(const struct weft__call *call, int64_t timeout)
{
    const struct weft__way *way = &call->way;
    return weft__fail(WEFT_ECONNECT_TIMEOUT, "timed out %s after %.6g s (%s%s%s)", way->phase,
                      (double)timeout * 1e-9, weft_url_authority(call->url),
                      way->proxy != NULL ? " by the proxy " : "",
                      way->proxy != NULL ? way->proxy->shown : "");
}
