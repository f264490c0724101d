/*
 * static.c - files below a folder.
 *
 * The folder is opened once; the kernel keeps every path below it (openat2 with
 * RESOLVE_BENEATH), symbolic links included.  The path is decoded once, and a segment that is
 * empty, ".", "..", or has an encoded slash, a backslash or a NUL in it is no file's name
 * here.  Only regular files are sent; folders are not listed.
 *
 * Files are read in pieces: first what the page cache has, without waiting; what it has not,
 * on a worker thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <weft/error.h>
#include <weft/thread.h>

#include "base/alloc.h"
#include "base/error_int.h"
#include "proto/date.h"
#include "proto/mime.h"
#include "server/server_int.h"

enum { SPARE_BUFFERS = 8 };

struct folder {
    int fd;
    size_t depth; /* segments of the prefix; counted, for a client may write them with escapes */
};

struct file {
    int fd;
    int64_t size;
    int64_t mtime;
    char etag[48];
    char date[WEFT__DATE_LEN + 1];
};

static void folder_free(void *arg)
{
    struct folder *folder = arg;
    close(folder->fd);
    weft__free(folder);
}

/* ---- opening ---- */

static int open_beneath(const struct folder *folder, const char *path)
{
    struct open_how how = {
        .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    int fd = (int)syscall(SYS_openat2, folder->fd, path, &how, sizeof how);
    return fd < 0 ? -errno : fd;
}

static bool segment_is_safe(const char *segment, size_t len)
{
    if (len == 0 || (len == 1 && segment[0] == '.') ||
        (len == 2 && segment[0] == '.' && segment[1] == '.'))
        return false;
    return memchr(segment, '\\', len) == NULL;
}

/* Every segment is a name; the last one may be empty, then a folder is meant. */
static bool path_is_safe(const char *path)
{
    while (*path != '\0') {
        size_t len = strcspn(path, "/");
        if (!segment_is_safe(path, len))
            return false;
        path += len;
        path += *path == '/';
    }
    return true;
}

/* "%2f" would be taken for a separator after decoding. */
static bool has_encoded_slash(struct weft__text path)
{
    for (size_t i = 0; i + 2 < path.len; i++) {
        if (path.data[i] == '%' && path.data[i + 1] == '2' && (path.data[i + 2] | 0x20) == 'f')
            return true;
    }
    return false;
}

static int status_of_open(int err)
{
    switch (err) {
    case -EACCES:
    case -EPERM:
        return 403;
    case -EMFILE:
    case -ENFILE:
    case -ENOMEM:
    case -EAGAIN:
        return 503;
    case -ENOSYS:
        return 501;
    default:
        return 404;
    }
}

/* 0, or the status to answer with; *ret_is_folder: a folder was found. */
static int open_regular(const struct folder *folder, const char *path, struct file *ret,
                        bool *ret_is_folder)
{
    struct stat st;
    int fd = open_beneath(folder, path);
    if (fd < 0)
        return status_of_open(fd);
    int err = fstat(fd, &st) < 0 ? -errno : 0;
    *ret_is_folder = err >= 0 && S_ISDIR(st.st_mode);
    if (err < 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return 404;
    }
    ret->fd = fd;
    ret->size = st.st_size;
    ret->mtime = st.st_mtim.tv_sec;
    snprintf(ret->etag, sizeof ret->etag, "\"%llx-%llx%08lx\"", (unsigned long long)st.st_size,
             (unsigned long long)st.st_mtim.tv_sec, (unsigned long)st.st_mtim.tv_nsec);
    weft__date_format(ret->mtime > 0 ? ret->mtime : 0, ret->date);
    return 0;
}

/* ---- sending ---- */

/* A buffer for a piece of a file; spare ones are linked through their first bytes. */
struct weft__file_piece {
    struct weft__file_piece *next;
};

static void *take_buffer(weft_server *server)
{
    struct weft__file_piece *piece = server->pieces;
    if (piece == NULL)
        return weft__pages_alloc(WEFT__LIMIT_SERVER_FILE_PIECE);
    server->pieces = piece->next;
    server->n_pieces--;
    return piece;
}

static void give_buffer(weft_server *server, void *buffer)
{
    struct weft__file_piece *piece = buffer;
    if (server->n_pieces == SPARE_BUFFERS) {
        weft__pages_free(buffer, WEFT__LIMIT_SERVER_FILE_PIECE);
        return;
    }
    piece->next = server->pieces;
    server->pieces = piece;
    server->n_pieces++;
}

void weft__static_free_pieces(weft_server *server)
{
    while (server->pieces != NULL) {
        struct weft__file_piece *piece = server->pieces;
        server->pieces = piece->next;
        weft__pages_free(piece, WEFT__LIMIT_SERVER_FILE_PIECE);
    }
    server->n_pieces = 0;
}

struct piece {
    int fd;
    void *data;
    size_t len;
    int64_t offset;
    int64_t n;
};

static int read_piece(void *arg)
{
    struct piece *piece = arg;
    ssize_t n;
    do
        n = pread(piece->fd, piece->data, piece->len, piece->offset);
    while (n < 0 && errno == EINTR);
    piece->n = n < 0 ? -errno : n;
    return 0;
}

/* Bytes, or 0 if the file ends before its size. */
static int64_t read_at(struct piece *piece)
{
    struct iovec iov = {piece->data, piece->len};
    ssize_t n = preadv2(piece->fd, &iov, 1, piece->offset, RWF_NOWAIT);
    if (n >= 0)
        return n;
    /* A file system that does not know the flag has its files in memory: tmpfs. */
    int err = errno == EOPNOTSUPP ? read_piece(piece) : weft_offload(read_piece, piece);
    return err < 0 ? err : piece->n;
}

static int send_range(weft_reply *reply, int fd, const struct weft__file_answer *answer,
                      void *buffer)
{
    int64_t sent = 0;
    while (sent < answer->len) {
        int64_t left = answer->len - sent;
        struct piece piece = {.fd = fd, .data = buffer, .offset = answer->first + sent};
        piece.len =
            left < WEFT__LIMIT_SERVER_FILE_PIECE ? (size_t)left : WEFT__LIMIT_SERVER_FILE_PIECE;
        int64_t n = read_at(&piece);
        if (n < 0)
            return weft__fail_with((int)n, "reading a static file");
        if (n == 0)
            return weft__fail(-EIO, "a static file became shorter while it was sent");
        int err = weft_reply_write(reply, buffer, (size_t)n);
        if (err < 0)
            return err;
        sent += n;
        /* A fast reader and a warm cache never let the task wait. */
        if (sent < answer->len && (err = weft_yield()) < 0)
            return err;
    }
    return 0;
}

static int send_file(weft_reply *reply, const struct file *file,
                     const struct weft__file_answer *answer)
{
    weft_server *server = reply->conn->server;
    if (answer->len == 0)
        return 0;
    void *buffer = take_buffer(server);
    if (buffer == NULL)
        return weft__fail_nomem();
    int err = send_range(reply, file->fd, answer, buffer);
    give_buffer(server, buffer);
    return err;
}

static int set_fields(weft_reply *reply, const char *path, const struct file *file,
                      const struct weft__file_answer *answer)
{
    char range[80];
    int err = weft_reply_set_header(reply, "ETag", file->etag);
    if (err >= 0)
        err = weft_reply_set_header(reply, "Last-Modified", file->date);
    if (err >= 0)
        err = weft_reply_set_header(reply, "Accept-Ranges", "bytes");
    if (err >= 0)
        err = weft_reply_set_header(reply, "X-Content-Type-Options", "nosniff");
    if (answer->status == 206)
        snprintf(range, sizeof range, "bytes %lld-%lld/%lld", (long long)answer->first,
                 (long long)(answer->first + answer->len - 1), (long long)file->size);
    else
        snprintf(range, sizeof range, "bytes */%lld", (long long)file->size);
    if (err >= 0 && (answer->status == 206 || answer->status == 416))
        err = weft_reply_set_header(reply, "Content-Range", range);
    if (err >= 0 && (answer->status == 200 || answer->status == 206))
        err = weft_reply_set_header(reply, "Content-Type", weft__mime_from_path(path));
    return err;
}

static int answer_file(weft_server_request *request, weft_reply *reply, const char *path,
                       const struct file *file)
{
    struct weft__file_facts facts = {file->size, file->mtime, file->etag, file->date};
    struct weft__file_answer answer;
    weft__file_answer(request, &facts, &answer);
    int err = set_fields(reply, path, file, &answer);
    if (err < 0)
        return err;
    if (answer.status == 412 || answer.status == 416)
        return weft__reply_error(reply, answer.status, NULL);
    err = weft_reply_start(reply, answer.status, answer.len);
    if (err < 0 || reply->no_body)
        return err;
    return send_file(reply, file, &answer);
}

/*
 * A folder without its slash: links in its index would lead elsewhere.  The target begins with
 * one slash and has no empty segment, so it cannot be taken for another host.
 */
static int redirect_to_slash(weft_server_request *request, weft_reply *reply)
{
    struct weft__buf location;
    weft__buf_init(&location, 2 * WEFT__LIMIT_H1_START_LINE);
    int err = weft__buf_append(&location, request->raw_path.data, request->raw_path.len);
    if (err >= 0)
        err = weft__buf_append_char(&location, '/');
    if (err >= 0 && request->raw_query.data != NULL)
        err = weft__buf_append_char(&location, '?');
    if (err >= 0 && request->raw_query.data != NULL)
        err = weft__buf_append(&location, request->raw_query.data, request->raw_query.len);
    if (err >= 0)
        err = weft__buf_append_char(&location, '\0');
    if (err >= 0)
        err = weft_reply_set_header(reply, "Location", weft__buf_bytes(&location));
    weft__buf_done(&location);
    return err < 0 ? err : weft__reply_error(reply, 301, NULL);
}

/* ---- the handler ---- */

static int answer_folder(const struct folder *folder, weft_server_request *request,
                         weft_reply *reply, const char *path)
{
    char index[WEFT__LIMIT_H1_START_LINE + sizeof "index.html"];
    struct file file;
    bool is_folder;
    snprintf(index, sizeof index, "%sindex.html", path);
    int status = open_regular(folder, index, &file, &is_folder);
    if (status != 0)
        return weft__reply_error(reply, status, NULL);
    int err = answer_file(request, reply, index, &file);
    close(file.fd);
    return err;
}

/* What follows the prefix and its slash; false if there is no such slash. */
static bool skip_prefix(struct weft__text *path, size_t depth)
{
    for (size_t i = 0; i <= depth; i++) {
        const char *slash = memchr(path->data, '/', path->len);
        if (slash == NULL)
            return false;
        path->len -= (size_t)(slash + 1 - path->data);
        path->data = slash + 1;
    }
    return true;
}

static int static_handler(weft_server_request *request, weft_reply *reply, void *arg)
{
    const struct folder *folder = arg;
    struct weft__text raw = request->raw_path;
    char path[WEFT__LIMIT_H1_START_LINE];
    struct file file;
    bool is_folder = false;
    if (!skip_prefix(&raw, folder->depth) || raw.len >= sizeof path || has_encoded_slash(raw))
        return weft__reply_error(reply, 404, NULL);
    int64_t len = weft__percent_decode(raw.data, raw.len, path);
    if (len < 0)
        return weft__reply_error(reply, 400, NULL);
    path[len] = '\0';
    if (!path_is_safe(path))
        return weft__reply_error(reply, 404, NULL);
    if (len == 0 || path[len - 1] == '/')
        return answer_folder(folder, request, reply, path);
    int status = open_regular(folder, path, &file, &is_folder);
    if (is_folder)
        return redirect_to_slash(request, reply);
    if (status != 0)
        return weft__reply_error(reply, status, NULL);
    int err = answer_file(request, reply, path, &file);
    close(file.fd);
    return err;
}

static int prefix_handler(weft_server_request *request, weft_reply *reply, void *arg)
{
    (void)arg;
    return redirect_to_slash(request, reply);
}

/* Takes folder. The prefix itself, len bytes, may have a handler of its own. */
static int add_routes(weft_server *server, const char *prefix, size_t len, struct folder *folder)
{
    char *pattern = weft__asprintf("%.*s/{path*}", (int)len, prefix);
    int err = pattern != NULL ? 0 : weft__fail_nomem();
    if (err >= 0)
        err =
            weft__routes_add(&server->routes, "GET", pattern, static_handler, folder, folder_free);
    if (err < 0) {
        folder_free(folder);
    } else if (len > 0) {
        pattern[len] = '\0';
        err = weft__routes_add(&server->routes, "GET", pattern, prefix_handler, NULL, NULL);
        err = err == -EEXIST ? 0 : err;
    }
    weft__free(pattern);
    return err;
}

int weft__static_add(weft_server *server, const char *prefix, const char *path)
{
    size_t len = strlen(prefix);
    while (len > 0 && prefix[len - 1] == '/')
        len--;
    if (memchr(prefix, '%', len) != NULL || memchr(prefix, '{', len) != NULL)
        return weft__fail(-EINVAL, "prefix \"%.200s\" of static files: no escapes or parameters",
                          prefix);
    struct folder *folder = weft__alloc(sizeof *folder);
    if (folder == NULL)
        return weft__fail_nomem();
    folder->depth = 0;
    for (size_t i = 0; i < len; i++)
        folder->depth += prefix[i] == '/';
    folder->fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder->fd < 0) {
        int err = -errno;
        weft__free(folder);
        return weft__fail_with(err, "folder \"%.300s\"", path);
    }
    return add_routes(server, prefix, len, folder);
}
