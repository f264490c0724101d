/*
 * results.c - one line of JSON for each URL, written when it is done.
 */
#include "cli/fetch.h"

#include <stdlib.h>
#include <string.h>

/* Text that is not UTF-8 is shown escaped; NULL is null. */
static json_t *text_value(const char *text)
{
    if (!text)
        return json_null();
    json_t *value = json_string(text);
    if (value)
        return value;
    char *escaped = NULL;
    size_t size;
    FILE *to = open_memstream(&escaped, &size);
    if (!to)
        return NULL;
    escape_line(text, to);
    fclose(to);
    value = json_string(escaped);
    free(escaped);
    return value;
}

static json_t *object_of(const struct job *job)
{
    bool failed = job->why[0] != '\0';
    json_t *object = json_object();
    json_object_set_new(object, "url", text_value(job->shown));
    json_object_set_new(object, "status", job->status ? json_integer(job->status) : json_null());
    json_object_set_new(object, "ok", json_boolean(!failed));
    json_object_set_new(object, "error", text_value(failed ? job->why : NULL));
    json_object_set_new(object, "attempts", json_integer(job->attempts));
    json_object_set_new(object, "bytes", json_integer((json_int_t)job->bytes));
    json_object_set_new(object, "elapsed_s", json_real((double)(job->elapsed / WEFT_US(1)) / 1e6));
    json_object_set_new(object, "file", text_value(job->name[0] && !failed ? job->name : NULL));
    return object;
}

int results_write(FILE *to, const struct job *job)
{
    json_t *object = object_of(job);
    int bad = json_dumpf(object, to, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(object);
    errno = 0;
    if (bad || putc('\n', to) == EOF || fflush(to) == EOF)
        return errno ? -errno : -EIO;
    return 0;
}
