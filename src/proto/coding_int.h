/* coding_int.h - one content coding as the chain of coding.c sees it. */
#ifndef WEFT_PROTO_CODING_INT_H
#define WEFT_PROTO_CODING_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct weft__codec {
    const char *name;
    size_t size; /* of its state, which starts as zeros */
    int (*init)(void *state);
    void (*done)(void *state); /* after a failed or missing init as well */
    /*
     * Takes from *data what it can; how many bytes went into out, 0 only when all of *data is
     * taken.  WEFT_EDECODING, -ENOMEM with a message.
     */
    int64_t (*step)(void *state, const char **data, size_t *len, char *out, size_t out_len);
    /* The input is over: is the output whole?  Nothing at all is. */
    bool (*whole)(const void *state);
};

extern const struct weft__codec weft__codec_gzip;
extern const struct weft__codec weft__codec_deflate;
extern const struct weft__codec weft__codec_brotli;
extern const struct weft__codec weft__codec_zstd;

int weft__coding_corrupt(const char *name, const char *why);
/* Bytes behind the end of the coded data. */
int weft__coding_trailing(const char *name);

#endif
