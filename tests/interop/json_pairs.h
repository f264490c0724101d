/* json_pairs.h - arrays of pairs in JSON, as options want them. */
#ifndef JSON_PAIRS_H
#define JSON_PAIRS_H

#include <string.h>

#include <weft.h>

enum { PAIRS = 16 };

/* NULL where the object has no such member. */
static inline const weft_pair *pairs_of(const json_t *object, const char *key,
                                        weft_pair pairs[PAIRS])
{
    const json_t *rows = json_object_get(object, key);
    size_t n = json_array_size(rows);
    memset(pairs, 0, PAIRS * sizeof *pairs);
    for (size_t i = 0; i < n && i < PAIRS - 1; i++) {
        const json_t *row = json_array_get(rows, i);
        pairs[i].name = json_string_value(json_array_get(row, 0));
        pairs[i].value = json_string_value(json_array_get(row, 1));
    }
    return rows != NULL ? pairs : NULL;
}

#endif
