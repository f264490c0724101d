/*
 * save.c - a body in a file, which appears whole or not at all.
 *
 *   1. ".weft-XXXXXXXXXXXX.tmp" is made beside the file.
 *   2. It gets the bytes.  When they break off, a download goes on with Range and If-Range, or
 *      anew, in the same file.
 *   3. It gets the permissions of the old file, is synced, closed, and renamed.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <weft/file.h>
#include <weft/fs.h>
#include <weft/save.h>

#include "base/alloc.h"
#include "base/str.h"
#include "client/client_int.h"
#include "file/fs_int.h"
#include "proto/date.h"
#include "proto/filename.h"

enum { PIECE = 128 * 1024, ATTEMPTS = 100, VALIDATOR_MAX = 256 };

/* How long removing may take once the call is cancelled. */
#define CLEANUP_TIME WEFT_SEC(5)

struct saving {
    weft_save_options options;
    char *path; /* what is replaced: behind links */
    char *temp;
    weft_file *file;
    char *piece;
    uint64_t saved;
    uint64_t total; /* 0: not known */
    uint64_t whole; /* what a part says of all of it; 0: it is no part */
};

/* ---- the temporary file ---- */

static int set_path(struct saving *saving, const char *path)
{
    if (weft_is_symlink(path) == 1 && weft_realpath(path, &saving->path) == 0)
        return 0;
    saving->path = weft__strdup(path);
    return saving->path != NULL ? 0 : weft__fail_nomem();
}

static int open_temp(struct saving *saving)
{
    char name[WEFT__FS_TEMP_NAME];
    size_t folder = weft__fs_dir_len(saving->path);
    unsigned mode = saving->options.mode != 0 ? saving->options.mode & 07777 : 0666;
    int err = -EEXIST;
    for (int i = 0; i < ATTEMPTS && err == -EEXIST; i++) {
        weft__fs_temp_name(name);
        weft__free(saving->temp);
        saving->temp = weft__asprintf("%.*s%s", (int)folder, saving->path, name);
        if (saving->temp == NULL)
            return weft__fail_nomem();
        err = weft_file_open_with(saving->temp, "x", WEFT_FILE(.mode = mode), &saving->file);
    }
    if (err < 0) {
        weft__free(saving->temp);
        saving->temp = NULL;
    }
    /* The caller knows the name that it gave. */
    return err < 0 && err != -ECANCELED && err != -ENOMEM
               ? weft__fail_with(err, "write %s", saving->path)
               : err;
}

static int begin(struct saving *saving, const char *path, const weft_save_options *options)
{
    *saving = (struct saving){.file = NULL};
    if (path == NULL || path[0] == '\0')
        return weft__fail(-EINVAL, "a body cannot be saved without a path");
    weft__fs_options(&saving->options, sizeof saving->options, options);
    int err = set_path(saving, path);
    if (err < 0)
        return err;
    if (weft_is_dir(saving->path) == 1)
        return weft__fail(-EISDIR, "%s is a folder", saving->path);
    if (saving->options.exclusive && weft_lexists(saving->path) == 1)
        return weft__fail(-EEXIST, "%s exists", saving->path);
    saving->piece = weft__alloc(PIECE);
    if (saving->piece == NULL)
        return weft__fail_nomem();
    return open_temp(saving);
}

/* The new file looks like the old one. */
static int dress(struct saving *saving)
{
    weft_stat_result st;
    if (saving->options.mode != 0)
        return weft_chmod(saving->temp, saving->options.mode & 07777);
    if (weft_stat(saving->path, &st) < 0)
        return 0;
    return weft_chmod(saving->temp, st.mode & 07777);
}

static int finish(struct saving *saving)
{
    weft_durability durability = saving->options.durability;
    int err = weft_file_flush(saving->file);
    if (err == 0)
        err = dress(saving);
    if (err == 0 && durability != WEFT_DURABILITY_NONE)
        err = weft_file_datasync(saving->file);
    if (err < 0)
        return err;
    weft_file *file = saving->file;
    saving->file = NULL;
    err = weft_file_close(file);
    if (err < 0)
        return err;
    unsigned flags = saving->options.exclusive ? WEFT_RENAME_NOREPLACE : 0;
    err = weft_rename_with(saving->temp, saving->path, flags);
    if (err < 0)
        return err;
    weft__free(saving->temp);
    saving->temp = NULL;
    return durability == WEFT_DURABILITY_FULL ? weft__fs_sync_parent(saving->path) : 0;
}

/* Also after a success. Returns err, with its message. */
static int end(struct saving *saving, int err)
{
    weft_scope shield;
    if (saving->file != NULL || saving->temp != NULL) {
        char message[WEFT__ERROR_TEXT_MAX];
        snprintf(message, sizeof message, "%s", weft_error_message());
        weft_scope_enter_shield(&shield, CLEANUP_TIME);
        if (saving->file != NULL)
            weft_file_close(saving->file);
        /* Without memory for a job it is removed on the spot: nothing may be left. */
        if (saving->temp != NULL && weft_unlink(saving->temp) < 0)
            unlink(saving->temp);
        weft_scope_exit(&shield, 0);
        weft__fail(err, "%s", message);
    }
    weft__free(saving->temp);
    weft__free(saving->path);
    weft__free(saving->piece);
    return err;
}

/* ---- the body ---- */

/* What will be in the file once the response is over; of a coded one nobody knows. */
static uint64_t total_of(const struct saving *saving, const weft_response *response)
{
    bool coded = response->decode && response->decoder != NULL;
    if (saving->whole > 0)
        return saving->whole;
    if (response->in_memory)
        return response->content.len;
    if (coded || response->content_length < 0 || strcmp(response->method, "HEAD") == 0)
        return 0;
    return saving->saved + (uint64_t)response->content_length;
}

static int progress(const struct saving *saving)
{
    const weft_save_options *options = &saving->options;
    if (options->on_progress == NULL)
        return 0;
    int err = options->on_progress(options->userdata, saving->saved, saving->total);
    if (err < 0 && weft__context_get()->error_code != err)
        weft__fail_code(err);
    return err < 0 ? err : 0;
}

/* A part that ended well, where it said that it would? */
static int check_whole(const struct saving *saving)
{
    if (saving->whole == 0 || saving->saved == saving->whole)
        return 0;
    return weft__fail(WEFT_EREMOTE_PROTOCOL, "the last part ended at %ju of %ju bytes",
                      (uintmax_t)saving->saved, (uintmax_t)saving->whole);
}

/* *ret_broken: it was the connection's fault. */
static int receive(struct saving *saving, weft_response *response, bool *ret_broken)
{
    int err = weft__response_take(response, WEFT__TAKES_BYTES);
    if (err == 0 && !response->in_memory && response->conn != NULL)
        err = weft__decode_begin(response);
    if (err < 0)
        return err;
    saving->total = total_of(saving, response);
    for (;;) {
        int64_t n = weft_response_read(response, saving->piece, PIECE);
        *ret_broken = n < 0 && weft_error_is_retryable((int)n);
        if (n <= 0)
            return n < 0 ? (int)n : check_whole(saving);
        err = weft_file_write(saving->file, saving->piece, (size_t)n);
        saving->saved += (uint64_t)n;
        if (err == 0)
            err = progress(saving);
        if (err < 0)
            return err;
    }
}

int64_t weft_response_save(weft_response *response, const char *path,
                           const weft_save_options *options)
{
    struct saving saving;
    bool broken;
    int err = begin(&saving, path, options);
    if (err == 0)
        err = receive(&saving, response, &broken);
    if (err == 0)
        err = finish(&saving);
    err = end(&saving, err);
    return err < 0 ? err : (int64_t)saving.saved;
}

/* ---- downloads ---- */

struct download {
    weft_client *client;
    const char *url;
    weft_request_options options;
    weft_pair *headers;            /* those of the options, and room for three */
    size_t n_headers;              /* of the options */
    char validator[VALIDATOR_MAX]; /* of the version that is being loaded; "": none */
    char range[WEFT__U64_DIGITS + 16];
    struct saving saving;
};

static int set_options(struct download *download, const weft_request_options *options)
{
    size_t n = 0;
    if (options != NULL)
        memcpy(&download->options, options,
               options->size > 0 && options->size < sizeof *options ? options->size
                                                                    : sizeof *options);
    download->options.size = sizeof download->options;
    const weft_pair *given = download->options.headers;
    bool chosen = false;
    for (; given != NULL && given[n].name != NULL; n++) {
        if (weft__ieq(given[n].name, "range") || weft__ieq(given[n].name, "if-range"))
            return weft__fail(-EINVAL, "a download asks for ranges by itself");
        chosen = chosen || weft__ieq(given[n].name, "accept-encoding");
    }
    download->headers = weft__calloc(n + 4, sizeof download->headers[0]);
    if (download->headers == NULL)
        return weft__fail_nomem();
    for (size_t i = 0; i < n; i++)
        download->headers[i] = given[i];
    if (download->saving.options.resumes > 0 && !chosen)
        download->headers[n++] = (weft_pair){"Accept-Encoding", "identity"};
    download->n_headers = n;
    download->options.headers = download->headers;
    return 0;
}

static bool parse_date(const weft_response *response, const char *name, int64_t *ret)
{
    const char *text = weft_headers_get(&response->headers, name);
    return text != NULL && weft__date_parse(text, strlen(text), INT64_C(253402300799), ret) == 0;
}

/* RFC 9110 8.8.2.2, 13.1.5: what names one version, to the byte. */
static void keep_validator(struct download *download, const weft_response *response)
{
    int64_t modified;
    int64_t date;
    const char *tag = weft_headers_get(&response->headers, "etag");
    const char *found = NULL;
    download->validator[0] = '\0';
    if (weft_headers_get(&response->headers, "content-encoding") != NULL)
        return;
    if (tag != NULL && tag[0] == '"')
        found = tag;
    else if (parse_date(response, "last-modified", &modified) &&
             parse_date(response, "date", &date) && modified + 60 <= date)
        found = weft_headers_get(&response->headers, "last-modified");
    if (found != NULL && strlen(found) < VALIDATOR_MAX)
        memcpy(download->validator, found, strlen(found) + 1);
}

/* "bytes 100-199/200": the part that was asked for, up to the end of the whole. */
static bool is_rest(const struct saving *saving, const weft_response *response, uint64_t *ret_whole)
{
    const char *value = weft_headers_get(&response->headers, "content-range");
    const char *dash = value != NULL ? strchr(value, '-') : NULL;
    const char *slash = dash != NULL ? strchr(dash, '/') : NULL;
    uint64_t first;
    uint64_t last;
    uint64_t whole;
    if (slash == NULL || !weft__ieq_n(value, 6, "bytes ", 6) ||
        weft__parse_u64(value + 6, (size_t)(dash - value) - 6, &first) < 0 ||
        weft__parse_u64(dash + 1, (size_t)(slash - dash) - 1, &last) < 0 ||
        weft__parse_u64(slash + 1, strlen(slash + 1), &whole) < 0)
        return false;
    /* One that is sent chunked has no length of its own. */
    uint64_t len =
        response->content_length < 0 ? whole - first : (uint64_t)response->content_length;
    *ret_whole = whole;
    return first == saving->saved && last + 1 == whole && whole > first && len == whole - first &&
           (saving->total == 0 || whole == saving->total);
}

static int start_over(struct saving *saving)
{
    int err = weft_file_flush(saving->file);
    if (err == 0)
        err = weft_file_truncate(saving->file, 0);
    int64_t at = err == 0 ? weft_file_seek(saving->file, 0, SEEK_SET) : err;
    saving->saved = 0;
    return at < 0 ? (int)at : 0;
}

static void set_range(struct download *download)
{
    size_t n = download->n_headers;
    memset(&download->headers[n], 0, 3 * sizeof download->headers[0]);
    if (download->saving.saved == 0 || download->validator[0] == '\0')
        return;
    snprintf(download->range, sizeof download->range, "bytes=%llu-",
             (unsigned long long)download->saving.saved);
    download->headers[n] = (weft_pair){"Range", download->range};
    download->headers[n + 1] = (weft_pair){"If-Range", download->validator};
}

static int ask(struct download *download, weft_response **ret)
{
    struct saving *saving = &download->saving;
    saving->whole = 0;
    set_range(download);
    bool part = download->headers[download->n_headers].name != NULL;
    int err = weft_client_stream(download->client, "GET", download->url, &download->options, ret);
    if (err < 0)
        return err;
    int status = weft_response_status(*ret);
    if (part && status == 206 && is_rest(saving, *ret, &saving->whole))
        return 0;
    saving->whole = 0;
    if (part && (status == 206 || status == 416)) {
        /* Not what was asked for: all of it, then, which no range can get wrong. */
        weft_response_free(*ret);
        *ret = NULL;
        download->validator[0] = '\0';
        return ask(download, ret);
    }
    if (status / 100 != 2 || status == 206)
        return weft__fail(WEFT_EHTTP_STATUS, "%d %s for url %s", status, (*ret)->reason,
                          WEFT__SHOW((*ret)->url));
    keep_validator(download, *ret);
    return saving->saved > 0 ? start_over(saving) : 0;
}

static int load(struct download *download, weft_response **ret)
{
    static const weft_wait waits = {WEFT_WAIT_EXPONENTIAL, .multiplier = WEFT_SEC(1),
                                    .max = WEFT_SEC(10)};
    struct saving *saving = &download->saving;
    for (int resumed = 0;;) {
        bool broken = false;
        int err = ask(download, ret);
        if (err == 0)
            err = receive(saving, *ret, &broken);
        else if (*ret == NULL)
            broken = resumed > 0 && weft_error_is_retryable(err);
        if (err == 0 || !broken || resumed == saving->options.resumes)
            return err;
        weft_response_free(*ret);
        *ret = NULL;
        err = weft_sleep(weft_wait_compute(&waits, ++resumed, 0));
        if (err < 0)
            return err;
    }
}

int64_t weft_client_download(weft_client *client, const char *url,
                             const weft_request_options *options, const char *path,
                             const weft_save_options *save, weft_response **ret)
{
    struct download download = {.client = client, .url = url};
    weft_response *response = NULL;
    int err = begin(&download.saving, path, save);
    if (err == 0)
        err = set_options(&download, options);
    if (err == 0)
        err = load(&download, &response);
    if (err == 0)
        err = finish(&download.saving);
    err = end(&download.saving, err);
    weft__free(download.headers);
    if (err < 0 || ret == NULL)
        weft_response_free(response);
    else
        *ret = response;
    return err < 0 ? err : (int64_t)download.saving.saved;
}

/* ---- names ---- */

int weft_response_filename(const weft_response *response, char **ret)
{
    char name[WEFT__FILENAME_SIZE];
    const char *value = weft_headers_get(&response->headers, "content-disposition");
    if ((value == NULL || !weft__filename_of_disposition(value, strlen(value), name)) &&
        !weft__filename_of_path(weft_url_path(response->url), name))
        snprintf(name, sizeof name, "download");
    char *text = weft__strdup(name);
    if (text == NULL)
        return weft__fail_nomem();
    *ret = text;
    return 0;
}
