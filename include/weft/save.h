/*
 * weft/save.h - the body of a response in a file that appears whole or not at all.
 *
 *     static int show(void *userdata, uint64_t saved, uint64_t total)
 *     {
 *         return fprintf(stderr, "\r%llu of %llu bytes", (unsigned long long)saved,
 *                        (unsigned long long)total) < 0 ? -EIO : 0;
 *     }
 *
 *     err = weft_client_download(client, "https://example.org/big.iso", NULL, "big.iso",
 *                                WEFT_SAVE(.on_progress = show, .resumes = 5), NULL);
 *
 * Bytes go into a file ".weft-*.tmp" beside the one that is wanted, which is renamed at the end:
 * nobody ever sees half a file under the name.  Only a process that is killed leaves it behind.
 */
#ifndef WEFT_SAVE_H
#define WEFT_SAVE_H

#include <weft/client.h>
#include <weft/fs_temp.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_save_options {
    size_t size;
    /* After each piece: bytes in the file, and how many there will be, 0 if that is not known.  An
       error ends the call with it, and nothing is left. */
    int (*on_progress)(void *userdata, uint64_t saved, uint64_t total);
    void *userdata;
    unsigned mode;  /* permissions; default those of the old file, of a new one 0666 and umask */
    bool exclusive; /* -EEXIST if the file exists */
    weft_durability durability; /* as of weft_write_atomic(); default WEFT_DURABILITY_DATA */
    int resumes; /* of a download: how often a body that breaks off is asked for again, from where
                    it stopped if the server can and has it still as it was; default 0 */
} weft_save_options;
#define WEFT_SAVE(...) WEFT_OPTIONS(weft_save_options, __VA_ARGS__)

/**
 * weft_response_save() - put the body into a file
 * @response: borrows. As a stream, of which nothing was read, or in memory.
 * @path:     borrows. What a symbolic link leads to is replaced, not the link.
 * @options:  borrows, NULL for defaults.
 *
 * Whatever the status: an error page is a body too.  Content codings are undone as for
 * weft_response_read().
 *
 * Suspends: yes, until the end of the body and of its writing.
 * Cancel:   -ECANCELED, the old file is there and nothing else is left; so after any failure.
 * Return:   bytes of the file, or negative.
 * Errors:   -EEXIST; -EISDIR; -ENOSPC, -EACCES and what else files say; those of
 *           weft_response_read(), on_progress and weft_write_atomic(); -ENOMEM.
 * Source:   httpx: response.iter_bytes() into a file; curl --output.
 * Since:    0.1
 */
WEFT_API int64_t weft_response_save(weft_response *response, const char *path,
                                    const weft_save_options *options);

/**
 * weft_client_download() - GET a URL into a file
 * @client:  borrows.
 * @url:     borrows. Absolute, or appended to the client's base_url.
 * @options: borrows, NULL for defaults.
 * @path:    borrows. As for weft_response_save().
 * @save:    borrows, NULL for defaults.
 * @ret:     gives, free with weft_response_free(), a response without its body. NULL: not wanted.
 *
 * Any status but 2xx is WEFT_EHTTP_STATUS, and the file is as it was.  A total time is that of each
 * request.
 *
 * With resumes, nothing is coded on the way.  A body that breaks off is asked for again after 1 s,
 * 2 s and so on, at most 10 s.  By Range, where the server has named a version of it (a strong
 * ETag, or Last-Modified at least a minute before Date): If-Range sees to it that no two versions
 * are mixed.  Otherwise, where it has changed, and where the part cannot be had (416), it begins
 * anew.
 *
 * Suspends: yes, as weft_client_stream() and weft_response_save().
 * Cancel:   -ECANCELED, the old file is there and nothing else is left; so after any failure.
 * Return:   bytes of the file, or negative.
 * Errors:   WEFT_EHTTP_STATUS; -EINVAL a field Range or If-Range; those of weft_client_stream()
 *           and weft_response_save().
 * Source:   curl --output --retry; RFC 9110 13.1.5, 14.
 * Since:    0.1
 */
WEFT_API int64_t weft_client_download(weft_client *client, const char *url,
                                      const weft_request_options *options, const char *path,
                                      const weft_save_options *save, weft_response **ret);

/**
 * weft_response_filename() - a safe name for a file with the body
 * @response: borrows.
 * @ret:      gives, free with weft_free(). UTF-8, at most 200 bytes (FILENAME).
 *
 * By Content-Disposition, filename* before filename, else by the last segment of the URL, else
 * "download".  It is one component of a path, not hidden, without controls, marks that turn the
 * direction of text, and what Windows does not take.  Whether there is such a file already is for
 * the caller to look at: .exclusive.
 *
 * Suspends: never.
 * Return:   0, or -ENOMEM.
 * Source:   curl --remote-header-name; RFC 6266, RFC 8187.
 * Since:    0.1
 */
WEFT_API int weft_response_filename(const weft_response *response, char **ret);

#ifdef __cplusplus
}
#endif
#endif
