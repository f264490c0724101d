/*
 * route.c - from method and path to handler.
 *
 * Patterns form a tree, one level for each segment.  At each level the path's segment is tried
 * as a literal, then as "{name}", then as the beginning of "{name*}"; a branch that ends
 * without a route for the method is left again.  A node is visited at most once a request, as
 * its depth says how much of the path was taken, and the recursion is as deep as the longest
 * pattern, whatever the path.
 *
 * Segments are cut before they are decoded: "%2F" never separates.
 */
#include <errno.h>
#include <string.h>

#include <weft/error.h>

#include "base/alloc.h"
#include "base/error_int.h"
#include "base/str.h"
#include "proto/chars.h"
#include "server/server_int.h"

int64_t weft__percent_decode(const char *text, size_t len, char *to)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == '%') {
            int high = len - i > 2 ? weft__hex_value(text[i + 1]) : -1;
            int low = len - i > 2 ? weft__hex_value(text[i + 2]) : -1;
            if (high < 0 || low < 0)
                return -1;
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (c == '\0')
            return -1;
        to[n++] = c;
    }
    return (int64_t)n;
}

/* Does the encoded segment say the same as the literal? */
static bool segment_is(struct weft__text segment, const struct weft__route_node *node)
{
    if (segment.len == node->len && memcmp(segment.data, node->text, node->len) == 0)
        return true;
    if (memchr(segment.data, '%', segment.len) == NULL)
        return false;
    size_t n = 0;
    for (size_t i = 0; i < segment.len; i++, n++) {
        char c = segment.data[i];
        if (n == node->len)
            return false;
        if (c == '%' && segment.len - i > 2) {
            c = (char)(weft__hex_value(segment.data[i + 1]) * 16 +
                       weft__hex_value(segment.data[i + 2]));
            i += 2;
        }
        if (c != node->text[n])
            return false;
    }
    return n == node->len;
}

/* ---- matching ---- */

struct search {
    const char *method; /* NULL: visit all, for Allow */
    const char *end;    /* of the path */
    struct weft__route_match *match;
    struct weft__buf *allow;
    int err;
};

static bool is_listed(const struct weft__buf *buf, const char *method)
{
    struct weft__text rest = {weft__buf_bytes(buf), buf->len};
    struct weft__text item;
    while (buf->len > 0 && weft__list_next(&rest, &item)) {
        if (item.len == strlen(method) && memcmp(item.data, method, item.len) == 0)
            return true;
    }
    return false;
}

static void allow(struct search *search, const char *method)
{
    if (search->err < 0 || is_listed(search->allow, method))
        return;
    if (search->allow->len > 0)
        search->err = weft__buf_append_str(search->allow, ", ");
    if (search->err >= 0)
        search->err = weft__buf_append_str(search->allow, method);
}

/* The best of the routes that a pattern has: the method itself, GET for HEAD, any. */
static bool choose(struct search *search, const struct weft__route *routes)
{
    const struct weft__route *get = NULL;
    const struct weft__route *any = NULL;
    for (const struct weft__route *route = routes; route != NULL; route = route->next) {
        if (search->method == NULL) {
            if (route->method != NULL)
                allow(search, route->method);
            if (route->method != NULL && strcmp(route->method, "GET") == 0)
                allow(search, "HEAD");
        } else if (route->method == NULL) {
            any = route;
        } else if (strcmp(route->method, search->method) == 0) {
            search->match->route = route;
            return true;
        } else if (strcmp(route->method, "GET") == 0) {
            get = route;
        }
    }
    if (search->method == NULL)
        return false;
    search->match->route = get != NULL && strcmp(search->method, "HEAD") == 0 ? get : any;
    return search->match->route != NULL;
}

static bool descend(struct search *search, const struct weft__route_node *node, const char *p);

/* The segment is node's; the next one begins at next, or there is none. */
static bool enter(struct search *search, const struct weft__route_node *node, const char *next)
{
    if (next == NULL)
        return choose(search, node->routes);
    return descend(search, node, next);
}

static bool descend(struct search *search, const struct weft__route_node *node, const char *p)
{
    struct weft__route_match *match = search->match;
    size_t left = (size_t)(search->end - p);
    const char *slash = memchr(p, '/', left);
    struct weft__text segment = {p, slash != NULL ? (size_t)(slash - p) : left};
    const char *next = slash != NULL ? slash + 1 : NULL;
    for (const struct weft__route_node *child = node->first; child != NULL; child = child->next) {
        if (segment_is(segment, child) && enter(search, child, next))
            return true;
    }
    if (node->param != NULL && segment.len > 0) {
        match->values[match->n_values++] = segment;
        if (enter(search, node->param, next))
            return true;
        match->n_values--;
    }
    if (node->rest == NULL)
        return false;
    match->values[match->n_values++] = (struct weft__text){p, left};
    if (choose(search, node->rest))
        return true;
    match->n_values--;
    return false;
}

void weft__routes_match(const struct weft__route_node *root, const char *method,
                        struct weft__text path, struct weft__route_match *ret)
{
    struct search search = {.method = method, .end = path.data + path.len, .match = ret};
    ret->route = NULL;
    ret->n_values = 0;
    if (root != NULL)
        descend(&search, root, path.data + 1);
}

int weft__routes_allow(const struct weft__route_node *root, struct weft__text path,
                       struct weft__buf *buf)
{
    struct weft__route_match match = {.n_values = 0};
    struct search search = {.end = path.data + path.len, .match = &match, .allow = buf};
    if (root != NULL)
        descend(&search, root, path.data + 1);
    return search.err;
}

/* ---- adding ---- */

static struct weft__route_node *node_new(const char *text, size_t len)
{
    struct weft__route_node *node = weft__calloc(1, sizeof *node + len + 1);
    if (node == NULL) {
        weft__fail_nomem();
        return NULL;
    }
    node->len = len;
    memcpy(node->text, text, len);
    return node;
}

/* The child for a segment of a pattern, made if need be. */
static struct weft__route_node *child_for(struct weft__route_node *node, struct weft__text segment)
{
    struct weft__route_node **place = &node->param;
    if (segment.len == 0 || segment.data[0] != '{') {
        place = &node->first;
        while (*place != NULL && ((*place)->len != segment.len ||
                                  memcmp((*place)->text, segment.data, segment.len) != 0))
            place = &(*place)->next;
    }
    if (*place == NULL)
        *place = node_new(segment.data, segment.len);
    return *place;
}

static bool is_name(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = weft__ascii_lower(text[i]);
        if (!(c >= 'a' && c <= 'z') && !weft__is_digit(c) && c != '_')
            return false;
    }
    return len > 0;
}

static int bad_pattern(const char *pattern, const char *what)
{
    return weft__fail(-EINVAL, "route pattern \"%.200s\": %s", pattern, what);
}

/* A pattern as it is taken apart. */
struct pattern {
    const char *text;
    const char *rest; /* not looked at yet; NULL: the end */
    struct weft__text segment;
    struct weft__text names[WEFT__LIMIT_ROUTE_PARAMS];
    size_t n_names;
    bool is_rest; /* the segment was "{name*}" */
};

static int add_name(struct pattern *pattern, const char *name, size_t len)
{
    if (!is_name(name, len))
        return bad_pattern(pattern->text, "a parameter is a whole segment: {name} or {name*}");
    for (size_t i = 0; i < pattern->n_names; i++) {
        if (pattern->names[i].len == len && memcmp(pattern->names[i].data, name, len) == 0)
            return bad_pattern(pattern->text, "two parameters of one name");
    }
    if (pattern->n_names == WEFT__LIMIT_ROUTE_PARAMS)
        return weft__fail(-EINVAL, "route pattern \"%.200s\": more than %d parameters",
                          pattern->text, WEFT__LIMIT_ROUTE_PARAMS);
    pattern->names[pattern->n_names++] = (struct weft__text){name, len};
    return 0;
}

static int next_segment(struct pattern *pattern)
{
    const char *slash = strchr(pattern->rest, '/');
    size_t len = slash != NULL ? (size_t)(slash - pattern->rest) : strlen(pattern->rest);
    struct weft__text segment = {pattern->rest, len};
    pattern->segment = segment;
    pattern->rest = slash != NULL ? slash + 1 : NULL;
    if (len == 0 || segment.data[0] != '{') {
        if (memchr(segment.data, '{', len) != NULL || memchr(segment.data, '}', len) != NULL)
            return bad_pattern(pattern->text, "a parameter is a whole segment: {name} or {name*}");
        return 0;
    }
    pattern->is_rest = len > 3 && memcmp(segment.data + len - 2, "*}", 2) == 0;
    if (segment.data[len - 1] != '}')
        return bad_pattern(pattern->text, "a parameter is a whole segment: {name} or {name*}");
    if (pattern->is_rest && pattern->rest != NULL)
        return bad_pattern(pattern->text, "{name*} stands at the end");
    return add_name(pattern, segment.data + 1, len - 2 - pattern->is_rest);
}

static struct weft__route *route_new(const char *method, const struct pattern *pattern)
{
    size_t bytes = method != NULL ? strlen(method) + 1 : 0;
    for (size_t i = 0; i < pattern->n_names; i++)
        bytes += pattern->names[i].len + 1;
    struct weft__route *route = weft__calloc(1, sizeof *route + bytes);
    if (route == NULL) {
        weft__fail_nomem();
        return NULL;
    }
    char *to = route->text;
    for (size_t i = 0; i < pattern->n_names; i++) {
        memcpy(to, pattern->names[i].data, pattern->names[i].len);
        route->params[i] = to;
        to += pattern->names[i].len + 1;
    }
    route->n_params = pattern->n_names;
    if (method != NULL) {
        memcpy(to, method, strlen(method));
        route->method = to;
    }
    return route;
}

static int insert(struct weft__route **list, struct weft__route *route, const char *pattern)
{
    for (; *list != NULL; list = &(*list)->next) {
        const char *other = (*list)->method;
        if (other == route->method ||
            (other != NULL && route->method != NULL && strcmp(other, route->method) == 0))
            return weft__fail(-EEXIST, "there is a route for %.40s \"%.200s\" already",
                              other != NULL ? other : "any method of", pattern);
    }
    *list = route;
    return 0;
}

int weft__routes_add(struct weft__route_node **root, const char *method, const char *text,
                     weft_handler handler, void *arg, void (*free_arg)(void *arg))
{
    if (method != NULL && strcmp(method, "*") == 0)
        method = NULL;
    if (method != NULL &&
        (method[0] == '\0' || !weft__chars_all(method, strlen(method), WEFT__CHAR_TOKEN)))
        return weft__fail(-EINVAL, "route \"%.200s\": the method is not a token", text);
    if (text[0] != '/')
        return bad_pattern(text, "it does not begin with \"/\"");
    if (*root == NULL && (*root = node_new("", 0)) == NULL)
        return -ENOMEM;
    struct weft__route_node *node = *root;
    struct pattern pattern = {.text = text, .rest = text + 1};
    while (pattern.rest != NULL) {
        int err = next_segment(&pattern);
        if (err < 0)
            return err;
        if (!pattern.is_rest && (node = child_for(node, pattern.segment)) == NULL)
            return -ENOMEM;
    }
    struct weft__route *route = route_new(method, &pattern);
    if (route == NULL)
        return -ENOMEM;
    route->handler = handler;
    route->arg = arg;
    int err = insert(pattern.is_rest ? &node->rest : &node->routes, route, text);
    if (err < 0) {
        weft__free(route);
        return err;
    }
    route->free_arg = free_arg;
    return 0;
}

static void free_routes(struct weft__route *route)
{
    while (route != NULL) {
        struct weft__route *next = route->next;
        if (route->free_arg != NULL)
            route->free_arg(route->arg);
        weft__free(route);
        route = next;
    }
}

void weft__routes_free(struct weft__route_node *node)
{
    while (node != NULL) {
        struct weft__route_node *next = node->next;
        free_routes(node->routes);
        free_routes(node->rest);
        weft__routes_free(node->param);
        weft__routes_free(node->first);
        weft__free(node);
        node = next;
    }
}
