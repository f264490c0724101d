/*
 * coding.c - the chain of decoders of one body.
 *
 * Stages stand in the order in which they run: the coding named last was applied last, and is
 * undone first.  Each later stage pulls from the one before it through a small buffer.
 */
#include "proto/coding.h"

#include <string.h>

#include <weft/error.h>

#include "base/alloc.h"
#include "base/error_int.h"
#include "base/limits.h"
#include "base/str.h"
#include "proto/coding_int.h"

enum { BETWEEN = 16 * 1024 };

struct stage {
    const struct weft__codec *codec;
    void *state;
    const char *data; /* what it has still to take, of a stage that is not the first */
    size_t len;
    bool ended; /* it has given its last byte, and found everything in order */
    char *between;
};

struct weft__decoder {
    size_t n;
    bool last; /* the first stage gets nothing more */
    struct stage stages[WEFT__LIMIT_CODINGS];
};

static const struct {
    const char *name;
    const struct weft__codec *codec;
} known[] = {
    {"gzip", &weft__codec_gzip},       {"x-gzip", &weft__codec_gzip}, /* RFC 9110 8.4.1.3 */
    {"deflate", &weft__codec_deflate}, {"br", &weft__codec_brotli},
    {"zstd", &weft__codec_zstd},       {"identity", NULL},
};

enum { UNKNOWN = 0, NOTHING = 1, FOUND = 2 };

static int find_codec(const char *name, size_t len, const struct weft__codec **ret)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strlen(known[i].name) == len && weft__ieq_n(known[i].name, len, name, len)) {
            *ret = known[i].codec;
            return known[i].codec != NULL ? FOUND : NOTHING;
        }
    }
    return UNKNOWN;
}

/* Adds the codings of one field value to the list; false: one is unknown. */
static bool list_codecs(const char *value, const struct weft__codec **list, size_t *n)
{
    while (*value != '\0') {
        size_t len = strcspn(value, ",");
        const char *name = value;
        size_t name_len = len;
        value += len + (value[len] == ',');
        name = weft__trim(name, &name_len);
        const struct weft__codec *codec;
        int found = name_len == 0 ? NOTHING : find_codec(name, name_len, &codec);
        if (found == UNKNOWN)
            return false;
        if (found == FOUND && (*n)++ < WEFT__LIMIT_CODINGS)
            list[*n - 1] = codec;
    }
    return true;
}

static int add_stage(struct weft__decoder *decoder, const struct weft__codec *codec)
{
    struct stage *stage = &decoder->stages[decoder->n];
    if (decoder->n > 0 && (stage->between = weft__alloc(BETWEEN)) == NULL)
        return weft__fail_nomem();
    stage->codec = codec;
    decoder->n++;
    stage->state = weft__calloc(1, codec->size);
    if (stage->state == NULL)
        return weft__fail_nomem();
    return codec->init(stage->state);
}

int weft__decoder_new(const char *const *values, size_t n, struct weft__decoder **ret)
{
    const struct weft__codec *list[WEFT__LIMIT_CODINGS];
    size_t n_list = 0;
    *ret = NULL;
    for (size_t i = 0; i < n; i++) {
        if (!list_codecs(values[i], list, &n_list))
            return 0;
    }
    if (n_list > WEFT__LIMIT_CODINGS)
        return weft__fail(WEFT_EDECODING, "%zu content codings, at most %d are undone", n_list,
                          WEFT__LIMIT_CODINGS);
    if (n_list == 0)
        return 0;
    struct weft__decoder *decoder = weft__calloc(1, sizeof *decoder);
    if (decoder == NULL)
        return weft__fail_nomem();
    for (size_t i = n_list; i > 0; i--) {
        int err = add_stage(decoder, list[i - 1]);
        if (err < 0) {
            weft__decoder_free(decoder);
            return err;
        }
    }
    *ret = decoder;
    return 0;
}

void weft__decoder_free(struct weft__decoder *decoder)
{
    if (decoder == NULL)
        return;
    for (size_t i = 0; i < WEFT__LIMIT_CODINGS; i++) {
        struct stage *stage = &decoder->stages[i];
        if (stage->state != NULL)
            stage->codec->done(stage->state);
        weft__free(stage->state);
        weft__free(stage->between);
    }
    weft__free(decoder);
}

/* The stage's input is over. */
static int finish(struct stage *stage)
{
    if (!stage->codec->whole(stage->state))
        return weft__fail(WEFT_EDECODING, "the %s coding of the body ends too early",
                          stage->codec->name);
    stage->ended = true;
    return 0;
}

/* Fills stage i's input from the stage before it: 1, 0: nothing more for now, or an error. */
static int refill(struct weft__decoder *decoder, size_t i);

static int64_t pull(struct weft__decoder *decoder, size_t i, char *out, size_t out_len)
{
    struct stage *stage = &decoder->stages[i];
    while (!stage->ended) {
        int64_t n = stage->codec->step(stage->state, &stage->data, &stage->len, out, out_len);
        if (n != 0)
            return n;
        int filled = i > 0 ? refill(decoder, i) : 0;
        if (filled < 0)
            return filled;
        if (filled > 0)
            continue;
        if (i > 0 ? !decoder->stages[i - 1].ended : !decoder->last)
            return 0;
        int err = finish(stage);
        if (err < 0)
            return err;
    }
    return 0;
}

/* Never deeper than there are codings. */
static int refill(struct weft__decoder *decoder, size_t i)
{
    struct stage *stage = &decoder->stages[i];
    int64_t n = pull(decoder, i - 1, stage->between, BETWEEN);
    if (n <= 0)
        return (int)n;
    stage->data = stage->between;
    stage->len = (size_t)n;
    return 1;
}

int64_t weft__decoder_next(struct weft__decoder *decoder, const char **data, size_t *len, bool last,
                           char *out, size_t out_len)
{
    struct stage *first = &decoder->stages[0];
    first->data = *data;
    first->len = *len;
    decoder->last = last;
    int64_t n = pull(decoder, decoder->n - 1, out, out_len);
    *data = first->data;
    *len = first->len;
    return n;
}

int weft__coding_corrupt(const char *name, const char *why)
{
    return weft__fail(WEFT_EDECODING, "the %s coding of the body is corrupt: %s", name,
                      why != NULL ? why : "bad data");
}

int weft__coding_trailing(const char *name)
{
    return weft__fail(WEFT_EDECODING, "bytes follow the end of the body's %s coding", name);
}
