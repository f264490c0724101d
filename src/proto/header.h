/*
 * header.h - inside weft_headers: entries are offsets into one block of text.
 *
 * Names and values stand in the block with a NUL behind each, so that they can be lent as
 * C strings.  What is replaced or removed stays behind as garbage until the block grows,
 * which copies only what is alive.
 */
#ifndef WEFT_PROTO_HEADER_H
#define WEFT_PROTO_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/http.h>

enum { WEFT__HEADERS_INLINE = 16 };

struct weft__header {
    uint32_t name; /* offset in text */
    uint32_t name_len;
    uint32_t value; /* offset in text */
    uint32_t value_len;
};

struct weft_headers {
    char *text;
    size_t text_len; /* used, garbage included */
    size_t text_cap;
    size_t live;                  /* bytes of text that entries refer to */
    struct weft__header *entries; /* first, or a block */
    size_t len;
    size_t cap;
    struct weft__header first[WEFT__HEADERS_INLINE];
};

/* For headers that live inside another object; nothing is allocated. */
void weft__headers_init(weft_headers *headers);
void weft__headers_done(weft_headers *headers);
/* No fields, memory kept for the next message. */
void weft__headers_reset(weft_headers *headers);

/* Appends without looking at the bytes: a parser has. Copies. */
int weft__headers_append_raw(weft_headers *headers, const char *name, size_t name_len,
                             const char *value, size_t value_len);
/* Room for that many more fields and bytes of names and values, so that appending cannot fail. */
int weft__headers_reserve(weft_headers *headers, size_t fields, size_t bytes);
/* Each gets what the other has. */
void weft__headers_swap(weft_headers *a, weft_headers *b);
/* All fields of one behind those of another. */
int weft__headers_append_all(weft_headers *headers, const weft_headers *from);
/* As set, for each of pairs, which ends with {0}; NULL is none. */
int weft__headers_set_pairs(weft_headers *headers, const weft_pair *pairs);

static inline const char *weft__header_name(const weft_headers *headers, size_t index)
{
    return headers->text + headers->entries[index].name;
}

static inline const char *weft__header_value(const weft_headers *headers, size_t index)
{
    return headers->text + headers->entries[index].value;
}

/* A field whose value must not be shown to people: Authorization, cookies, keys, tokens. */
bool weft__header_is_secret(const char *name, size_t name_len);

#endif
