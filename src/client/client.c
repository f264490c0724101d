/*
 * client.c - a client: configuration that never changes, and a pool for each loop that uses it.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "client/auth_int.h"
#include "client/client_int.h"
#include "tls/tls_int.h"
#include "client/cookies_int.h"
#include "proto/coding.h"

#define PHASE_TIMEOUT WEFT_SEC(5)
#define IDLE_TIMEOUT  WEFT_SEC(5)

/* ---- configuration ---- */

static int check_time(const char *name, int64_t given, int64_t usual, int64_t *ret)
{
    if (given < 0)
        return weft__fail(-EINVAL, "%s is negative", name);
    *ret = given != 0 ? given : usual;
    return 0;
}

static int set_times(weft_client *client, const weft_client_options *options)
{
    struct weft__settings *settings = &client->settings;
    int err = check_time("timeout", options->timeout, WEFT_FOREVER, &settings->total);
    if (err == 0)
        err = check_time("connect_timeout", options->connect_timeout, PHASE_TIMEOUT,
                         &settings->connect);
    if (err == 0)
        err = check_time("read_timeout", options->read_timeout, PHASE_TIMEOUT, &settings->read);
    if (err == 0)
        err = check_time("write_timeout", options->write_timeout, PHASE_TIMEOUT, &settings->write);
    if (err == 0)
        err = check_time("pool_timeout", options->pool_timeout, WEFT_FOREVER, &settings->pool);
    if (err == 0)
        err = check_time("low_speed_time", options->low_speed_time, WEFT_SEC(30),
                         &settings->low_speed_time);
    settings->low_speed_limit = options->low_speed_limit;
    if (err == 0)
        err = check_time("idle_timeout", options->idle_timeout, IDLE_TIMEOUT,
                         &client->limits.idle_timeout);
    if (err == 0)
        err = check_time("connection_lifetime", options->connection_lifetime, WEFT_FOREVER,
                         &client->limits.lifetime);
    return err;
}

static size_t or_default(size_t given, size_t usual)
{
    return given != 0 ? given : usual;
}

static void set_limits(weft_client *client, const weft_client_options *options)
{
    struct weft__settings *settings = &client->settings;
    client->user_limits = options->limits;
    client->limits.connections = or_default(options->max_connections, WEFT__LIMIT_POOL_CONNECTIONS);
    client->limits.per_origin = or_default(options->max_per_origin, SIZE_MAX);
    client->limits.idle = or_default(options->max_idle, WEFT__LIMIT_POOL_IDLE);
    settings->body_max = options->body_max != 0 ? options->body_max : WEFT__LIMIT_BODY_MAX;
    settings->follow_redirects = options->follow_redirects > 0;
    settings->raise_for_status = options->raise_for_status > 0;
    settings->decode = options->decode >= 0;
    settings->line_max = or_default(options->line_max, WEFT__LIMIT_RESPONSE_LINE);
    settings->max_redirects =
        options->max_redirects != 0 ? options->max_redirects : WEFT__LIMIT_REDIRECTS;
    if (settings->max_redirects < 0)
        settings->max_redirects = 0;
}

int weft__copy_text(const char *text, char **ret)
{
    if (text == NULL)
        return 0;
    *ret = weft__strdup(text);
    return *ret != NULL ? 0 : weft__fail_nomem();
}

/* One block: the pairs, and the texts behind them. */
int weft__copy_pairs(const weft_pair *pairs, weft_pair **ret)
{
    size_t n = 0;
    size_t bytes = 0;
    for (; pairs != NULL && pairs[n].name != NULL; n++)
        bytes +=
            strlen(pairs[n].name) + 1 + (pairs[n].value != NULL ? strlen(pairs[n].value) : 0) + 1;
    if (n == 0)
        return 0;
    weft_pair *copy = weft__calloc(1, (n + 1) * sizeof *copy + bytes);
    if (copy == NULL)
        return weft__fail_nomem();
    char *text = (char *)(copy + n + 1);
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(pairs[i].name) + 1;
        copy[i].name = memcpy(text, pairs[i].name, len);
        text += len;
        if (pairs[i].value == NULL)
            continue;
        len = strlen(pairs[i].value) + 1;
        copy[i].value = memcpy(text, pairs[i].value, len);
        text += len;
    }
    *ret = copy;
    return 0;
}

/* One block: the pointers, and the texts behind them. */
static int copy_names(const char *const *names, char ***ret)
{
    size_t n = 0;
    size_t bytes = 0;
    for (; names != NULL && names[n] != NULL; n++)
        bytes += strlen(names[n]) + 1;
    if (n == 0)
        return 0;
    char **copy = weft__calloc(1, (n + 1) * sizeof *copy + bytes);
    if (copy == NULL)
        return weft__fail_nomem();
    char *text = (char *)(copy + n + 1);
    for (size_t i = 0; i < n; i++) {
        size_t size = strlen(names[i]) + 1;
        copy[i] = memcpy(text, names[i], size);
        text += size;
    }
    *ret = copy;
    return 0;
}

bool weft__client_is_secret(const weft_client *client, const char *name, size_t len)
{
    for (char **at = client->secret_fields; at != NULL && *at != NULL; at++) {
        if (weft__ieq_n(*at, strlen(*at), name, len))
            return true;
    }
    return weft__header_is_secret(name, len);
}

static int set_retry(weft_client *client, const weft_retry_policy *policy)
{
    size_t n = 0;
    if (policy == NULL)
        return 0;
    weft__retry_policy_fill_http(policy, &client->retry);
    while (client->retry.statuses[n] != 0)
        n++;
    client->retry_statuses = weft__alloc((n + 1) * sizeof(int));
    if (client->retry_statuses == NULL)
        return weft__fail_nomem();
    memcpy(client->retry_statuses, client->retry.statuses, (n + 1) * sizeof(int));
    client->retry.statuses = client->retry_statuses;
    client->settings.retry = &client->retry;
    int err = weft__copy_text(client->retry.attempt_field, &client->retry_field);
    client->retry.attempt_field = client->retry_field;
    return err;
}

static int set_credentials(weft_client *client, const weft_client_options *options)
{
    char *value = NULL;
    if (options->password != NULL && options->username == NULL)
        return weft__fail(-EINVAL, "a password without a username");
    if (options->auth != NULL) {
        if (options->bearer != NULL || options->username != NULL)
            return weft__fail(-EINVAL, "a client has one of auth, bearer and username");
        const char *fixed = weft__auth_fixed_value(options->auth);
        if (fixed != NULL)
            return weft_headers_set(&client->headers, "Authorization", fixed);
        client->auth = weft_auth_ref(options->auth);
        return 0;
    }
    if (options->bearer != NULL) {
        if (options->username != NULL)
            return weft__fail(-EINVAL, "a client has either bearer or username, not both");
        value = weft__asprintf("Bearer %s", options->bearer);
        if (value == NULL)
            return weft__fail_nomem();
    } else if (options->username != NULL) {
        const char *password = options->password != NULL ? options->password : "";
        if (strchr(options->username, ':') != NULL)
            return weft__fail(-EINVAL, "a user name for Basic cannot have a colon");
        int err = weft__basic_value(options->username, strlen(options->username), password,
                                    strlen(password), &value);
        if (err < 0)
            return err;
    } else {
        return 0;
    }
    int err = weft_headers_set(&client->headers, "Authorization", value);
    weft__free(value);
    return err;
}

static int set_headers(weft_client *client, const weft_client_options *options)
{
    weft_headers *headers = &client->headers;
    const char *agent = options->user_agent != NULL ? options->user_agent : "weft/" WEFT_VERSION;
    const char *codings = options->accept_encoding;
    if (codings == NULL)
        codings = options->decode >= 0 ? WEFT__ACCEPT_ENCODING : "";
    int err = weft_headers_set(headers, "Accept", "*/*");
    if (err == 0 && codings[0] != '\0')
        err = weft_headers_set(headers, "Accept-Encoding", codings);
    if (err == 0)
        err = weft_headers_set(headers, "User-Agent", agent);
    if (err == 0)
        err = set_credentials(client, options);
    if (err == 0)
        err = weft__request_merge(headers, options->headers, NULL);
    if (err == 0)
        err = weft__request_check_headers(headers, &client->close);
    for (size_t i = 0; err == 0 && i < headers->len; i++) {
        const struct weft__header *entry = &headers->entries[i];
        if (!weft__client_is_secret(client, weft__header_name(headers, i), entry->name_len))
            err = weft__headers_append_raw(&client->open_headers, weft__header_name(headers, i),
                                           entry->name_len, weft__header_value(headers, i),
                                           entry->value_len);
    }
    return err;
}

static int set_base(weft_client *client, const char *base_url)
{
    if (base_url == NULL || base_url[0] == '\0')
        return 0;
    int err = weft_url_parse(base_url, NULL, &client->base);
    err = err == 0 ? weft__request_check_url(client->base) : err;
    return err < 0 ? weft__fail_prefix(err, "base_url") : 0;
}

static int set_cookies(weft_client *client, const weft_client_options *options)
{
    if (options->no_cookies && options->cookies != NULL)
        return weft__fail(-EINVAL, "a client has either cookies or no_cookies, not both");
    if (options->no_cookies)
        return 0;
    if (options->cookies == NULL)
        return weft_cookies_new(&client->cookies);
    client->cookies = weft__cookies_ref(options->cookies);
    return 0;
}

static weft_tls_options whole_tls(const weft_tls_options *given)
{
    weft_tls_options all = {0};
    if (given != NULL)
        memcpy(&all, given, given->size > 0 && given->size < sizeof all ? given->size : sizeof all);
    all.size = sizeof all;
    return all;
}

/* ca_file and its like of the client stand for those of .tls. */
static int set_tls(weft_client *client, const weft_client_options *options)
{
    weft_tls_options all = whole_tls(options->tls);
    if (options->ca_file != NULL)
        all.ca_file = options->ca_file;
    if (options->ca_dir != NULL)
        all.ca_dir = options->ca_dir;
    all.insecure_no_verify = all.insecure_no_verify || options->insecure_no_verify;
    all.ignore_env = all.ignore_env || options->trust_env == WEFT_OFF;
    int err = weft__tls_options_copy(&all, &client->tls_options);
    if (err < 0 || options->proxy_tls == NULL)
        return err;
    all = whole_tls(options->proxy_tls);
    all.ignore_env = all.ignore_env || options->trust_env == WEFT_OFF;
    return weft__tls_options_copy(&all, &client->proxy_tls);
}

static int set_encoding(weft_client *client, const char *label)
{
    if (label == NULL)
        return 0;
    int err = weft__encoding_check(label);
    if (err == 0)
        err = weft__copy_text(label, &client->encoding);
    client->settings.encoding = client->encoding;
    return err;
}

static int configure(weft_client *client, const weft_client_options *options)
{
    int err = set_times(client, options);
    set_limits(client, options);
    if (err == 0)
        err = set_base(client, options->base_url);
    if (err == 0)
        err = copy_names(options->secret_fields, &client->secret_fields);
    if (err == 0)
        err = set_headers(client, options);
    if (err == 0)
        err = weft__copy_pairs(options->params, &client->params);
    if (err == 0)
        err = set_retry(client, options->retry);
    if (err == 0)
        err = set_tls(client, options);
    if (err == 0)
        err = weft__ways_init(&client->ways, options);
    if (err == 0)
        err = set_encoding(client, options->default_encoding);
    if (err == 0)
        err = set_cookies(client, options);
    if (options->hooks != NULL)
        memcpy(&client->hooks, options->hooks,
               options->hooks->size > 0 && options->hooks->size < sizeof client->hooks
                   ? options->hooks->size
                   : sizeof client->hooks);
    client->https_only = options->https_only;
    if (options->http1 == WEFT_OFF)
        client->http = WEFT__HTTP_2;
    else if (options->http2)
        client->http = WEFT__HTTP_ANY;
    client->ping_interval = options->ping_interval;
    client->ping_timeout = options->ping_timeout > 0 ? options->ping_timeout : WEFT_SEC(5);
    return err;
}

/* ---- life ---- */

int weft_client_new(const weft_client_options *options, weft_client **ret)
{
    static atomic_uint_fast64_t next_id;
    weft_client_options all = {0};
    if (options != NULL)
        memcpy(&all, options,
               options->size > 0 && options->size < sizeof all ? options->size : sizeof all);
    weft_client *client = weft__calloc(1, sizeof *client);
    if (client == NULL)
        return weft__fail_nomem();
    client->refs = 1;
    client->id = atomic_fetch_add(&next_id, 1) + 1;
    pthread_mutex_init(&client->lock, NULL);
    weft__list_init(&client->pools);
    weft__list_init(&client->health);
    weft__headers_init(&client->headers);
    weft__headers_init(&client->open_headers);
    int err = configure(client, &all);
    if (err < 0) {
        weft__client_unref(client);
        return weft__fail_prefix(err, "client");
    }
    *ret = client;
    return 0;
}

void weft__client_ref(weft_client *client)
{
    atomic_fetch_add_explicit(&client->refs, 1, memory_order_relaxed);
}

void weft__client_unref(weft_client *client)
{
    if (atomic_fetch_sub_explicit(&client->refs, 1, memory_order_acq_rel) != 1)
        return;
    pthread_mutex_destroy(&client->lock);
    weft__health_done(client);
    for (size_t i = 0; i < WEFT__TLS_KINDS; i++)
        weft_tls_free(client->tls[i]);
    weft__tls_options_free(client->tls_options);
    weft__tls_options_free(client->proxy_tls);
    weft__ways_done(&client->ways);
    weft_url_free(client->base);
    weft_cookies_free(client->cookies);
    weft_auth_free(client->auth);
    weft__free(client->secret_fields);
    weft__headers_done(&client->headers);
    weft__headers_done(&client->open_headers);
    weft__free(client->params);
    weft__free(client->retry_statuses);
    weft__free(client->retry_field);
    weft__free(client->encoding);
    weft__free(client);
}

/*
 * Pools of other loops are closed by a message to their threads.  Under the lock a pool that
 * is still in the list has a loop that can be sent one: the end of a loop takes it out.
 */
static struct weft__pool *close_pools(weft_client *client)
{
    struct weft__pool *own = NULL;
    struct weft__list *node;
    pthread_mutex_lock(&client->lock);
    client->closed = true;
    while ((node = weft__list_pop_front(&client->pools)) != NULL) {
        struct weft__pool *pool = WEFT__CONTAINER(node, struct weft__pool, node);
        if (pool->loop == weft__loop_current)
            own = pool;
        else
            weft__pool_close_remote(pool);
    }
    pthread_mutex_unlock(&client->lock);
    return own;
}

void weft_client_free(weft_client *client)
{
    if (client == NULL)
        return;
    struct weft__pool *own = close_pools(client);
    if (own != NULL) {
        weft__pool_enter(own);
        weft__pool_close(own);
        weft__pool_finish(own);
        weft__pool_leave(own);
    }
    weft__client_unref(client);
}

int weft_client_close(weft_client *client, weft_client_closing how)
{
    if (how == WEFT_CLOSE_ABORT)
        client->aborts = true;
    struct weft__pool *own = close_pools(client);
    if (own == NULL)
        return 0;
    int err = 0;
    weft__pool_enter(own);
    weft__pool_close(own);
    if (how == WEFT_CLOSE_DRAIN)
        err = weft__pool_drain(own);
    weft__pool_finish(own);
    weft__pool_leave(own);
    return err;
}

/* ---- what calls need of it ---- */

/* The last pool that this thread used: looked at before the list, without the lock. */
static _Thread_local struct {
    uint64_t client_id;
    struct weft__loop *loop;
    struct weft__pool *pool;
} last_pool;

static struct weft__pool *find_pool(const weft_client *client, const struct weft__loop *loop)
{
    for (struct weft__list *node = client->pools.next; node != &client->pools; node = node->next) {
        struct weft__pool *pool = WEFT__CONTAINER(node, struct weft__pool, node);
        if (pool->loop == loop)
            return pool;
    }
    return NULL;
}

int weft__client_pool(weft_client *client, struct weft__pool **ret)
{
    struct weft_task *self = weft__self();
    if (self == NULL)
        return weft__context_get()->error_code;
    struct weft__loop *loop = self->loop;
    if (last_pool.client_id == client->id && last_pool.loop == loop) {
        *ret = last_pool.pool;
        return 0;
    }
    int err = 0;
    pthread_mutex_lock(&client->lock);
    struct weft__pool *pool = find_pool(client, loop);
    if (pool == NULL && client->closed)
        err = weft__fail_code(WEFT_ECLIENT_CLOSED);
    else if (pool == NULL)
        err = weft__pool_new(client, loop, &pool);
    if (err == 0 && weft__list_is_empty(&pool->node))
        weft__list_push_back(&client->pools, &pool->node);
    pthread_mutex_unlock(&client->lock);
    if (err < 0)
        return err;
    last_pool.client_id = client->id;
    last_pool.loop = loop;
    last_pool.pool = pool;
    *ret = pool;
    return 0;
}

void weft__client_forget_pool(const struct weft__pool *pool)
{
    if (last_pool.pool == pool)
        last_pool.client_id = 0;
}

/* A proxy is not the server: neither certificate nor pins of ours are for it. */
static int make_tls(const weft_client *client, enum weft__tls_kind kind, weft_tls **ret)
{
    static const char *const protocols[] = {"h2", "http/1.1", NULL};
    static const char *const h2[] = {"h2", NULL};
    weft_tls_options all = *client->tls_options;
    if (kind == WEFT__TLS_PROXY && client->proxy_tls != NULL) {
        all = *client->proxy_tls;
        all.alpn = NULL;
        return weft_tls_new_client(&all, ret);
    }
    if (kind != WEFT__TLS_HOME && kind != WEFT__TLS_HOME_H1) {
        all.cert_file = NULL;
        all.key_file = NULL;
        all.key_password = NULL;
    }
    if (kind == WEFT__TLS_PROXY) {
        all.pins = NULL;
        all.alpn = NULL;
        all.ocsp = false;
    } else if (kind == WEFT__TLS_HOME_H1 || kind == WEFT__TLS_GUEST_H1) {
        all.alpn = protocols + 1;
    } else if (all.alpn == NULL) {
        all.alpn = client->http == WEFT__HTTP_2 ? h2 : protocols + (client->http == WEFT__HTTP_1);
    }
    return weft_tls_new_client(&all, ret);
}

int weft__client_tls(weft_client *client, enum weft__tls_kind kind, weft_tls **ret)
{
    int err = 0;
    pthread_mutex_lock(&client->lock);
    if (client->tls[kind] == NULL)
        err = make_tls(client, kind, &client->tls[kind]);
    if (err == 0)
        *ret = client->tls[kind];
    pthread_mutex_unlock(&client->lock);
    return err;
}

int weft_client_pool_list(weft_client *client, weft_pool_connection **ret, size_t *ret_n)
{
    struct weft__pool *pool = NULL;
    pthread_mutex_lock(&client->lock);
    if (weft__loop_current != NULL)
        pool = find_pool(client, weft__loop_current);
    pthread_mutex_unlock(&client->lock);
    *ret_n = 0;
    *ret = NULL;
    if (pool == NULL || pool->n_conns == 0)
        return 0;
    int err = weft__pool_list(pool, ret);
    if (err == 0)
        *ret_n = pool->n_conns;
    return err;
}

void weft_client_pool_stats(weft_client *client, weft_pool_stats *ret)
{
    struct weft__pool *pool = NULL;
    pthread_mutex_lock(&client->lock);
    if (weft__loop_current != NULL)
        pool = find_pool(client, weft__loop_current);
    pthread_mutex_unlock(&client->lock);
    *ret = (weft_pool_stats){0};
    if (pool == NULL)
        return;
    ret->size = pool->n_conns;
    ret->idle = pool->n_idle;
    ret->active = pool->n_conns - pool->n_idle;
    ret->waiting = pool->n_waiting;
    ret->opened = pool->opened;
}
