/* table.c - a hash table of embedded entries that remembers which was used last. */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "limit/limit_int.h"

enum { BUCKETS_FIRST = 16 };

int weft__table_init(struct weft__table *table)
{
    struct weft__entry **buckets = weft__calloc(BUCKETS_FIRST, sizeof buckets[0]);
    if (buckets == NULL)
        return -ENOMEM;
    *table = (struct weft__table){
        .buckets = buckets,
        .n_buckets = BUCKETS_FIRST,
        .seed = weft__rand_thread(),
    };
    weft__list_init(&table->recent);
    return 0;
}

void weft__table_done(struct weft__table *table)
{
    weft__free(table->buckets);
}

static inline uint64_t mix(uint64_t seed, uint64_t hash, uint64_t word)
{
    unsigned __int128 product =
        (unsigned __int128)(hash ^ word) * (seed | 1) + UINT64_C(0x9e3779b97f4a7c15);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Multiply and fold, eight bytes at a time, from a secret seed; the last eight may overlap. */
static uint64_t hash_of(uint64_t seed, const void *key, size_t len)
{
    const unsigned char *bytes = key;
    uint64_t hash = seed ^ len;
    uint64_t word = 0;
    if (len < sizeof word) {
        for (size_t i = 0; i < len; i++)
            word = word << 8 | bytes[i];
        hash = mix(seed, hash, word);
        return hash ^ (hash >> 29);
    }
    const unsigned char *last = bytes + len - sizeof word;
    for (; bytes < last; bytes += sizeof word) {
        memcpy(&word, bytes, sizeof word);
        hash = mix(seed, hash, word);
    }
    memcpy(&word, last, sizeof word);
    hash = mix(seed, hash, word);
    return hash ^ (hash >> 29);
}

static struct weft__entry **bucket_of(const struct weft__table *table, uint64_t hash)
{
    return &table->buckets[hash & (table->n_buckets - 1)];
}

struct weft__entry *weft__table_find(const struct weft__table *table, const void *key, size_t len)
{
    uint64_t hash = hash_of(table->seed, key, len);
    struct weft__entry *entry = *bucket_of(table, hash);
    while (entry != NULL &&
           (entry->hash != hash || entry->len != len || memcmp(entry->key, key, len) != 0))
        entry = entry->next;
    return entry;
}

/* Without memory for it the chains grow longer, no more. */
static void grow(struct weft__table *table)
{
    size_t n = table->n_buckets * 2;
    struct weft__entry **buckets = weft__calloc(n, sizeof buckets[0]);
    if (buckets == NULL)
        return;
    weft__free(table->buckets);
    table->buckets = buckets;
    table->n_buckets = n;
    for (struct weft__list *node = table->recent.next; node != &table->recent; node = node->next) {
        struct weft__entry *entry = WEFT__CONTAINER(node, struct weft__entry, recent);
        struct weft__entry **bucket = bucket_of(table, entry->hash);
        entry->next = *bucket;
        *bucket = entry;
    }
}

void weft__table_add(struct weft__table *table, struct weft__entry *entry)
{
    if (table->n >= table->n_buckets)
        grow(table);
    entry->hash = hash_of(table->seed, entry->key, entry->len);
    struct weft__entry **bucket = bucket_of(table, entry->hash);
    entry->next = *bucket;
    *bucket = entry;
    weft__list_push_front(&table->recent, &entry->recent);
    table->n++;
}

void weft__table_remove(struct weft__table *table, struct weft__entry *entry)
{
    struct weft__entry **link = bucket_of(table, entry->hash);
    while (*link != entry)
        link = &(*link)->next;
    *link = entry->next;
    weft__list_remove(&entry->recent);
    table->n--;
}

void weft__table_touch(struct weft__table *table, struct weft__entry *entry)
{
    if (table->recent.next == &entry->recent)
        return;
    weft__list_remove(&entry->recent);
    weft__list_push_front(&table->recent, &entry->recent);
}
