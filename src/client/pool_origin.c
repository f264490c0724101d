/* pool_origin.c - what connections are for: an origin, and the way that leads there. */
#include <string.h>

#include "base/alloc.h"
#include "client/pool_int.h"

enum { BUCKETS_FIRST = 16 };

/* What a connection is for, and how it gets there: only those that share it are the same. */
struct key {
    const char *host;
    const char *way;
    uint32_t hash;
    uint16_t port;
    bool secure;
};

static uint32_t hash_text(uint32_t hash, const char *text)
{
    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * 16777619u;
    return hash;
}

static int grow_buckets(struct weft__pool *pool)
{
    size_t n = pool->n_buckets == 0 ? BUCKETS_FIRST : pool->n_buckets * 2;
    struct weft__origin **buckets = weft__calloc(n, sizeof(struct weft__origin *));
    if (buckets == NULL)
        return weft__fail_nomem();
    for (size_t i = 0; i < pool->n_buckets; i++) {
        while (pool->buckets[i] != NULL) {
            struct weft__origin *origin = pool->buckets[i];
            pool->buckets[i] = origin->next;
            origin->next = buckets[origin->hash & (n - 1)];
            buckets[origin->hash & (n - 1)] = origin;
        }
    }
    weft__free(pool->buckets);
    pool->buckets = buckets;
    pool->n_buckets = n;
    return 0;
}

static struct weft__origin *origin_find(struct weft__pool *pool, const struct key *key)
{
    if (pool->n_buckets == 0)
        return NULL;
    struct weft__origin *origin = pool->buckets[key->hash & (pool->n_buckets - 1)];
    for (; origin != NULL; origin = origin->next) {
        if (origin->hash == key->hash && origin->port == key->port &&
            origin->secure == key->secure && strcmp(origin->host, key->host) == 0 &&
            strcmp(origin->way, key->way) == 0)
            return origin;
    }
    return NULL;
}

/* What can be spoken with it, as long as it has not been asked. */
static enum weft__http http_of(const weft_client *client, const struct weft__way *way, bool secure)
{
    if (client->http != WEFT__HTTP_ANY)
        return client->http;
    if (way->only_h1)
        return WEFT__HTTP_1;
    /* What others make of a URL has no TLS of ours, by which the two sides could agree. */
    return secure && way->transport == NULL && client->dial == NULL ? WEFT__HTTP_ANY : WEFT__HTTP_1;
}

static struct weft__origin *origin_new(const weft_client *client, const struct key *key,
                                       const struct weft__way *way)
{
    const char *proxy = way->proxy != NULL ? way->proxy->shown : "";
    size_t host_size = strlen(key->host) + 1;
    size_t way_size = strlen(key->way) + 1;
    size_t proxy_size = strlen(proxy) + 1;
    struct weft__origin *origin =
        weft__calloc(1, sizeof *origin + host_size + way_size + proxy_size);
    if (origin == NULL)
        return NULL;
    weft__list_init(&origin->idle);
    weft__list_init(&origin->waiting);
    weft__list_init(&origin->undecided);
    weft__list_init(&origin->waiters);
    weft__list_init(&origin->shared);
    origin->http = http_of(client, way, key->secure);
    origin->hash = key->hash;
    origin->port = key->port;
    origin->secure = key->secure;
    memcpy(origin->host, key->host, host_size);
    origin->way = memcpy(origin->host + host_size, key->way, way_size);
    origin->proxy = memcpy(origin->host + host_size + way_size, proxy, proxy_size);
    return origin;
}

int weft__pool_origin_get(struct weft__pool *pool, const weft_url *url, const struct weft__way *way,
                          struct weft__origin **ret)
{
    struct key key = {
        .host = weft_url_host(url),
        .way = way->key,
        .port = (uint16_t)weft_url_port(url),
        .secure = strcmp(weft_url_scheme(url), "https") == 0,
    };
    key.hash = 2166136261u ^ key.port ^ ((uint32_t)key.secure << 16);
    key.hash = hash_text(hash_text(key.hash, key.host), key.way);
    struct weft__origin *origin = origin_find(pool, &key);
    if (origin == NULL) {
        if (pool->n_origins >= pool->n_buckets && grow_buckets(pool) < 0)
            return -ENOMEM;
        origin = origin_new(pool->client, &key, way);
        if (origin == NULL)
            return weft__fail_nomem();
        origin->next = pool->buckets[key.hash & (pool->n_buckets - 1)];
        pool->buckets[key.hash & (pool->n_buckets - 1)] = origin;
        pool->n_origins++;
    }
    origin->users++;
    *ret = origin;
    return 0;
}

void weft__pool_origin_put(struct weft__pool *pool, struct weft__origin *origin)
{
    if (--origin->users > 0)
        return;
    struct weft__origin **link = &pool->buckets[origin->hash & (pool->n_buckets - 1)];
    while (*link != origin)
        link = &(*link)->next;
    *link = origin->next;
    pool->n_origins--;
    weft__free(origin);
}

/* It is remembered as long as the pool is there, of so many origins. */
void weft__pool_origin_refuses_h2(struct weft__pool *pool, struct weft__origin *origin)
{
    if (origin->refuses_h2)
        return;
    origin->http = WEFT__HTTP_1;
    origin->refuses_h2 = true;
    if (pool->n_refusing == WEFT__LIMIT_H2_REFUSING)
        return;
    pool->n_refusing++;
    origin->users++;
}
