/*
 * names.c - the file names that a run has used: open addressing over 64-bit FNV-1a hashes.
 *
 * Two names with the same hash only cost the second one its plain name.
 */
#include "cli/fetch.h"

#include <stdlib.h>

static uint64_t hash(const char *name)
{
    uint64_t value = 14695981039346656037u;
    for (; *name; name++)
        value = (value ^ (unsigned char)*name) * 1099511628211u;
    return value ? value : 1; /* 0 is a free slot */
}

/* The slot of the hash, or the free one where it belongs. */
static uint64_t *find(uint64_t *slots, size_t n_slots, uint64_t value)
{
    size_t at = (size_t)value & (n_slots - 1);
    while (slots[at] && slots[at] != value)
        at = (at + 1) & (n_slots - 1);
    return &slots[at];
}

static int grow(struct names *names)
{
    size_t n_slots = names->n_slots ? names->n_slots * 2 : 256;
    uint64_t *slots = calloc(n_slots, sizeof *slots);
    if (!slots)
        return -ENOMEM;
    for (size_t i = 0; i < names->n_slots; i++) {
        if (names->slots[i])
            *find(slots, n_slots, names->slots[i]) = names->slots[i];
    }
    free(names->slots);
    names->slots = slots;
    names->n_slots = n_slots;
    return 0;
}

/* False: it was there already. */
static bool add(struct names *names, const char *name)
{
    uint64_t value = hash(name);
    uint64_t *slot = find(names->slots, names->n_slots, value);
    if (*slot)
        return false;
    *slot = value;
    names->n++;
    return true;
}

int names_take(struct names *names, const char *wanted, uint64_t number,
               char ret[FILE_NAME_MAX + 32])
{
    char base[FILE_NAME_MAX];
    snprintf(base, sizeof base, "%s", wanted);
    snprintf(ret, FILE_NAME_MAX + 32, "%s", wanted);
    if (names->n >= NAMES_MAX) {
        file_name_numbered(base, number, ret);
        return 0;
    }
    if (names->n * 2 >= names->n_slots && grow(names) < 0)
        return -ENOMEM;
    if (add(names, ret))
        return 0;
    /* A number that is somebody else's plain name: the next one is not. */
    for (;; number++) {
        file_name_numbered(base, number, ret);
        if (add(names, ret))
            return 0;
    }
}

void names_done(struct names *names)
{
    free(names->slots);
}
