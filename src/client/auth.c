/*
 * auth.c - who may speak for a call, and the simple ways to do it.
 *
 * Before each request the object fills call->auth_fields, which then replace the request's own;
 * after each response it may ask for another request.  Nothing of it outlives a redirect to another
 * origin.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/file.h>
#include <weft/fs.h>

#include "base/alloc.h"
#include "base/str.h"
#include "client/auth_int.h"
#include "proto/auth.h"

/* ---- life ---- */

static const struct weft__auth_kind nobody = {0};
static weft_auth none = {.kind = &nobody, .refs = 1};

weft_auth *weft_auth_none(void)
{
    return &none;
}

void weft__auth_init(weft_auth *auth, const struct weft__auth_kind *kind)
{
    auth->kind = kind;
    atomic_init(&auth->refs, 1);
}

weft_auth *weft_auth_ref(weft_auth *auth)
{
    if (auth != &none)
        atomic_fetch_add_explicit(&auth->refs, 1, memory_order_relaxed);
    return auth;
}

void weft_auth_free(weft_auth *auth)
{
    if (auth == NULL || auth == &none ||
        atomic_fetch_sub_explicit(&auth->refs, 1, memory_order_acq_rel) > 1)
        return;
    if (auth->kind->done != NULL)
        auth->kind->done(auth);
    weft__free(auth);
}

/* ---- for a call ---- */

static bool is_downgrade(const struct weft__call *call)
{
    return call->was_secure && strcmp(weft_url_scheme(call->url), "https") != 0;
}

static bool names_itself(const weft_pair *pairs)
{
    for (; pairs != NULL && pairs->name != NULL; pairs++) {
        if (weft__ieq(pairs->name, "authorization"))
            return true;
    }
    return false;
}

/* Who speaks for this hop; NULL: what the fields say is all. */
static weft_auth *choose(const struct weft__call *call)
{
    const weft_request_options *options = call->options;
    weft_auth *auth = options->auth;
    bool home = !call->foreign;
    if (auth == NULL) {
        auth = call->client->auth;
        if (auth == NULL || names_itself(options->headers))
            return NULL;
        home = weft__request_is_home(call);
    }
    if (home || auth == &none || (auth->kind->other_hosts && !is_downgrade(call)))
        return auth;
    return NULL;
}

int weft__auth_set(struct weft__call *call, const char *value)
{
    return weft_headers_set(&call->auth_fields, "Authorization", value);
}

static int apply(struct weft__call *call)
{
    const weft_headers *fields = &call->auth_fields;
    for (size_t i = 0; i < fields->len; i++)
        weft_headers_remove(&call->own, weft__header_name(fields, i));
    return weft__headers_append_all(&call->own, fields);
}

int weft__auth_before(struct weft__call *call)
{
    if (call->options->auth == NULL && call->client->auth == NULL)
        return 0;
    weft_auth *auth = choose(call);
    call->auth = auth;
    if (auth == NULL)
        return 0;
    int err = weft__request_own(call);
    if (err < 0)
        return err;
    if (call->options->auth != &none || !names_itself(call->options->headers))
        weft_headers_remove(&call->own, "authorization");
    if (auth->kind->before != NULL)
        err = auth->kind->before(auth, call);
    return err < 0 ? err : apply(call);
}

bool weft__auth_holds(const struct weft__call *call, const weft_response *response)
{
    const weft_auth *auth = call->auth;
    return auth != NULL && auth->kind->after != NULL &&
           (response->status == 401 || (auth->kind->every_status && response->status >= 400));
}

int weft__auth_after(struct weft__call *call, weft_response *response)
{
    weft_auth *auth = call->auth;
    if (auth == NULL || auth->kind->after == NULL || call->auth_turn >= WEFT__LIMIT_AUTH_TURNS - 1)
        return 0;
    if (response->status != 401 && !auth->kind->every_status)
        return 0;
    int result = auth->kind->after(auth, call, response);
    if (result > 0)
        call->auth_turn++;
    return result;
}

void weft__auth_leave(struct weft__call *call)
{
    call->auth = NULL;
    call->auth_turn = 0;
    call->auth_begun = false;
    weft__headers_reset(&call->auth_fields);
}

/* ---- the same value for all requests ---- */

struct fixed {
    weft_auth auth;
    char value[];
};

static int fixed_before(weft_auth *auth, struct weft__call *call)
{
    return weft__auth_set(call, ((struct fixed *)auth)->value);
}

static const struct weft__auth_kind fixed_kind = {.before = fixed_before};

const char *weft__auth_fixed_value(const weft_auth *auth)
{
    return auth->kind == &fixed_kind ? ((const struct fixed *)auth)->value : NULL;
}

static int make_fixed(const char *value, weft_auth **ret)
{
    weft_headers headers;
    weft__headers_init(&headers);
    int err = weft_headers_set(&headers, "Authorization", value);
    weft__headers_done(&headers);
    if (err < 0)
        return err;
    size_t size = strlen(value) + 1;
    struct fixed *fixed = weft__alloc(sizeof *fixed + size);
    if (fixed == NULL)
        return weft__fail_nomem();
    weft__auth_init(&fixed->auth, &fixed_kind);
    memcpy(fixed->value, value, size);
    *ret = &fixed->auth;
    return 0;
}

int weft_auth_basic(const char *username, const char *password, weft_auth **ret)
{
    char *value;
    if (username == NULL || password == NULL)
        return weft__fail(-EINVAL, "a user name or password is missing");
    if (strchr(username, ':') != NULL)
        return weft__fail(-EINVAL, "a user name for Basic cannot have a colon");
    int err = weft__basic_value(username, strlen(username), password, strlen(password), &value);
    if (err < 0)
        return err;
    err = make_fixed(value, ret);
    weft__free(value);
    return err;
}

int weft_auth_bearer(const char *token, weft_auth **ret)
{
    if (token == NULL || token[0] == '\0')
        return weft__fail(-EINVAL, "a token is missing");
    char *value = weft__asprintf("Bearer %s", token);
    if (value == NULL)
        return weft__fail_nomem();
    int err = make_fixed(value, ret);
    weft__free(value);
    return err;
}

/* ---- netrc ---- */

struct netrc {
    weft_auth auth;
    char *text;
    size_t len;
};

static int netrc_value(const struct netrc *netrc, const char *host, bool foreign, char **ret)
{
    char *login;
    char *password;
    int result = weft__netrc_find(netrc->text, netrc->len, host, !foreign, &login, &password);
    if (result <= 0)
        return result;
    result = weft__basic_value(login, strlen(login), password, strlen(password), ret);
    weft__free(login);
    weft__free(password);
    return result < 0 ? result : 1;
}

static int netrc_before(weft_auth *auth, struct weft__call *call)
{
    char host[WEFT__LIMIT_HOST_NAME + 1];
    char *value;
    const char *text = weft_url_host(call->url);
    size_t brackets = text[0] == '[' ? 1 : 0; /* around an IPv6 address */
    snprintf(host, sizeof host, "%.*s", (int)(strlen(text) - 2 * brackets), text + brackets);
    int result = netrc_value((struct netrc *)auth, host, call->foreign, &value);
    weft__headers_reset(&call->auth_fields);
    if (result <= 0)
        return result;
    result = weft__auth_set(call, value);
    weft__free(value);
    return result;
}

static void netrc_done(weft_auth *auth)
{
    struct netrc *netrc = (struct netrc *)auth;
    weft_free(netrc->text);
}

static const struct weft__auth_kind netrc_kind = {
    .before = netrc_before,
    .done = netrc_done,
    .other_hosts = true,
};

static int read_netrc(const char *path, char **ret, size_t *ret_len)
{
    weft_stat_result info;
    int err = weft_stat(path, &info);
    if (err < 0)
        return err;
    if (info.size > WEFT__LIMIT_NETRC_FILE)
        return weft__fail(-EFBIG, "%s: %llu bytes, a netrc file may have %d", path,
                          (unsigned long long)info.size, WEFT__LIMIT_NETRC_FILE);
    return weft_read_file(path, ret, ret_len);
}

static int usual_path(char **ret)
{
    const char *named = getenv("NETRC");
    const char *home = getenv("HOME");
    if (named != NULL && named[0] != '\0')
        *ret = weft__strdup(named);
    else if (home != NULL && home[0] != '\0')
        *ret = weft__asprintf("%s/.netrc", home);
    else
        return weft__fail(-ENOENT, "there is no netrc file: neither NETRC nor HOME is set");
    return *ret != NULL ? 0 : weft__fail_nomem();
}

int weft_auth_netrc(const char *path, weft_auth **ret)
{
    char *usual = NULL;
    char *text = NULL;
    char *value = NULL;
    size_t len = 0;
    int err = path == NULL ? usual_path(&usual) : 0;
    if (err == 0)
        err = read_netrc(path != NULL ? path : usual, &text, &len);
    weft__free(usual);
    if (err < 0)
        return err;
    struct netrc *netrc = weft__alloc(sizeof *netrc);
    if (netrc == NULL) {
        weft_free(text);
        return weft__fail_nomem();
    }
    weft__auth_init(&netrc->auth, &netrc_kind);
    netrc->text = text;
    netrc->len = len;
    /* Is it such a file at all? */
    err = netrc_value(netrc, "", false, &value);
    if (err < 0) {
        weft_auth_free(&netrc->auth);
        return err;
    }
    if (err > 0)
        weft__free(value);
    *ret = &netrc->auth;
    return 0;
}

/* ---- a flow of the caller's ---- */

struct custom {
    weft_auth auth;
    weft_auth_flow flow;
};

static int take_step(const struct custom *custom, struct weft__call *call, weft_response *response)
{
    const weft_auth_step step = {
        .size = sizeof step,
        .method = call->method,
        .url = weft_url_href(call->url),
        .target = weft__request_target(call),
        .body = call->has_body && !call->reads_body ? call->body : NULL,
        .body_len = call->has_body && !call->reads_body ? call->body_len : 0,
        .response = response,
        .turn = response != NULL ? call->auth_turn + 1 : 0,
        .fields = &call->auth_fields,
    };
    weft__headers_reset(&call->auth_fields);
    int result = custom->flow.step(custom->flow.userdata, &step);
    if (result < 0 && weft__context_get()->error_code != result)
        weft__fail_code(result);
    return result;
}

static int custom_before(weft_auth *auth, struct weft__call *call)
{
    if (call->auth_begun)
        return 0;
    int result = take_step((struct custom *)auth, call, NULL);
    call->auth_begun = result >= 0;
    return result < 0 ? result : 0;
}

static int custom_after(weft_auth *auth, struct weft__call *call, weft_response *response)
{
    const struct custom *custom = (struct custom *)auth;
    int err = custom->flow.response_body ? weft_response_read_all(response) : 0;
    if (err == 0)
        err = take_step(custom, call, response);
    return err > 0 ? 1 : err;
}

static void custom_done(weft_auth *auth)
{
    const struct custom *custom = (struct custom *)auth;
    if (custom->flow.drop != NULL)
        custom->flow.drop(custom->flow.userdata);
}

static const struct weft__auth_kind custom_kind = {
    .before = custom_before,
    .after = custom_after,
    .done = custom_done,
    .every_status = true,
};

int weft_auth_custom(const weft_auth_flow *flow, weft_auth **ret)
{
    if (flow == NULL || flow->step == NULL)
        return weft__fail(-EINVAL, "a flow without a function");
    struct custom *custom = weft__calloc(1, sizeof *custom);
    if (custom == NULL)
        return weft__fail_nomem();
    weft__auth_init(&custom->auth, &custom_kind);
    memcpy(&custom->flow, flow,
           flow->size > 0 && flow->size < sizeof *flow ? flow->size : sizeof *flow);
    *ret = &custom->auth;
    return 0;
}
