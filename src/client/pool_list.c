/*
 * pool_list.c - what the connections of a pool are, for whoever wants to look at them.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "client/h2_int.h"
#include "client/pool_int.h"

static size_t origin_text(const struct weft__origin *origin, char *text, size_t size)
{
    bool usual = origin->port == (origin->secure ? 443 : 80);
    char port[8] = "";
    if (!usual)
        snprintf(port, sizeof port, ":%u", origin->port);
    return (size_t)snprintf(text, size, "%s://%s%s", origin->secure ? "https" : "http",
                            origin->host, port) +
           1;
}

/* One block: the entries, and their texts behind them. */
int weft__pool_list(const struct weft__pool *pool, weft_pool_connection **ret)
{
    size_t bytes = pool->n_conns * sizeof(weft_pool_connection);
    const struct weft__list *node;
    for (node = pool->conns.next; node != &pool->conns; node = node->next) {
        const struct weft__conn *conn = WEFT__CONTAINER(node, struct weft__conn, node);
        bytes += origin_text(conn->origin, NULL, 0) + strlen(conn->origin->proxy) + 1;
    }
    weft_pool_connection *list = weft__calloc(1, bytes);
    if (list == NULL)
        return weft__fail_nomem();
    int64_t now = weft_now();
    weft_pool_connection *entry = list;
    char *text = (char *)(list + pool->n_conns);
    char *end = (char *)list + bytes;
    for (node = pool->conns.next; node != &pool->conns; node = node->next, entry++) {
        const struct weft__conn *conn = WEFT__CONTAINER(node, struct weft__conn, node);
        bool idle = !weft__list_is_empty(&conn->age);
        entry->origin = text;
        text += origin_text(conn->origin, text, (size_t)(end - text));
        size_t len = strlen(conn->origin->proxy) + 1;
        entry->proxy = len > 1 ? memcpy(text, conn->origin->proxy, len) : NULL;
        text += len;
        entry->idle = idle ? now - conn->idle_since : -1;
        entry->age = conn->stream != NULL ? now - conn->opened_at : -1;
        entry->requests = conn->stream != NULL ? conn->requests : 0;
        entry->leaving = conn->stream != NULL &&
                         (weft__pool_is_aged(conn, now) ||
                          (conn->shared != NULL && weft__list_is_empty(&conn->shared->node)));
        entry->streams = conn->shared != NULL ? conn->shared->n_lights : 0;
    }
    *ret = list;
    return 0;
}
