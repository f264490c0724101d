/*
 * limits.h - the one table of everything that a peer, a file or a caller could make large.
 *
 * X(NAME, value, what it bounds).  WEFT__LIMIT_<NAME> is the constant.  Where an option
 * overrides one, the option's documentation names the default again; docs/limits.md is
 * made from this table.
 */
#ifndef WEFT_BASE_LIMITS_H
#define WEFT_BASE_LIMITS_H

#define WEFT__LIMITS(X)                                                                            \
    X(STACK_DEFAULT, 256 * 1024, "bytes of a task's stack")                                        \
    X(STACK_MIN, 16 * 1024, "smallest stack that can be asked for, bytes")                         \
    X(STACK_MAX, 64 * 1024 * 1024, "largest stack that can be asked for, bytes")                   \
    X(TASK_NAME, 31, "bytes of a task's name that are kept")                                       \
    X(DUMP_TASKS, 1000, "tasks that are shown in one dump")                                        \
    X(DUMP_FRAMES, 48, "calls of a task that are shown in a dump")                                 \
    X(OUTCOME_MESSAGE, 207, "bytes of a message in a weft_outcome")                                \
    X(BACKGROUND_GRACE, 5, "seconds that shields of background tasks hold at a run's end")         \
    X(LOCALS, 256, "task-local values of one task")                                                \
    X(TRACE_FILE, 256 * 1024 * 1024, "bytes written to the file that WEFT_TRACE names")            \
    X(READY_BUDGET, 128, "ready tasks that run before I/O is polled")                              \
    X(WORKERS_USER, 16, "worker threads for offloaded functions without a limiter")                \
    X(WORKERS_FILES, 16, "worker threads for file work")                                           \
    X(WORKERS_DNS, 8, "worker threads for name resolution")                                        \
    X(WORKERS_MAX, 4096, "worker threads that one limiter can be given")                           \
    X(LOOPS, 1024, "loops of one weft_loops_run")                                                  \
    X(ITEM, 1024 * 1024, "bytes of an item of a queue or channel")                                 \
    X(HOST_NAME, 253, "bytes of a host name")                                                      \
    X(SERVICE_NAME, 31, "bytes of a service name")                                                 \
    X(RESOLVED_ADDRESSES, 64, "addresses of one name that are used")                               \
    X(URL, 65536, "bytes of a URL")                                                                \
    X(STREAM_LINE, 65536, "bytes of a line or record read from a stream")                          \
    X(STREAM_ALL, 64 * 1024 * 1024, "bytes of a stream read to its end at once")                   \
    X(STREAM_WRITE_HIGH, 65536, "bytes buffered for writing before a writer waits")                \
    X(TLS_SESSIONS, 256, "TLS sessions kept for resumption, of one weft_tls")                      \
    X(PROCESS_OUTPUT, 64 * 1024 * 1024, "bytes of a program's stdout or stderr read whole")        \
    X(SIGNAL_RECEIVERS, 32, "signal receivers open in a process")                                  \
    X(FILE_LINE, 1024 * 1024 * 16, "bytes of a line read from a file")                             \
    X(FILE_STREAM, 1024 * 1024 * 1024, "bytes of a pipe or device read whole")                     \
    X(FS_DEPTH, 65536, "levels of folders in a tree")                                              \
    X(FS_PATH, 1024 * 1024, "bytes of a path in a walk or a removal")                              \
    X(FS_NAMES, 256 * 1024 * 1024, "bytes of names in one list")                                   \
    X(WATCH_FOLDERS, 65536, "folders of one weft_watch")                                           \
    X(FS_SPOOL, 1024 * 1024, "bytes of a spooled file that stay in memory")                        \
    X(FS_PLACES, 1024 * 1024, "folders that a glob has still to look at")                          \
    X(H1_START_LINE, 8192, "bytes of a request or status line")                                    \
    X(H1_RESPONSE_HEAD, 256 * 1024, "bytes of a response head")                                    \
    X(H1_RESPONSE_FIELDS, 512, "fields of a response head")                                        \
    X(H1_REQUEST_HEAD, 32 * 1024, "bytes of a request head, on the server")                        \
    X(H1_REQUEST_FIELDS, 100, "fields of a request head, on the server")                           \
    X(H1_FIELD, 65536, "bytes of one field line")                                                  \
    X(H1_CHUNK_LINE, 1024, "bytes of a chunk-size line, extensions included")                      \
    X(H1_CHUNK_OVERHEAD, 16384, "bytes of chunk framing beyond a tenth of the body")               \
    X(FILENAME, 200, "bytes of a file name that a server proposes")                                \
    X(H1_TRAILERS, 16384, "bytes of a trailer section")                                            \
    X(H1_TRAILER_FIELDS, 64, "fields of a trailer section")                                        \
    X(HEADERS, 16 * 1024 * 1024, "bytes of one set of header fields")                              \
    X(H1_INTERIM, 16, "1xx responses before the final one")                                        \
    X(H2_STREAMS, 100, "streams of one HTTP/2 connection at a time")                               \
    X(H2_HEADER_LIST, 256 * 1024, "bytes of an HTTP/2 head, 32 more for each field")               \
    X(H2_CONTINUATIONS, 32, "CONTINUATION frames of one head")                                     \
    X(H2_STREAM_WINDOW, 256 * 1024, "bytes of an HTTP/2 stream that wait unread, at first")        \
    X(H2_CONNECTION_WINDOW, 1024 * 1024, "bytes of an HTTP/2 connection on their way, at first")   \
    X(H2_WINDOW_MAX, 16 * 1024 * 1024, "bytes to which HTTP/2 windows grow, all streams together") \
    X(H2_WRITE, 65536, "bytes of an HTTP/2 request body that wait for their window")               \
    X(H2_CONTROL, 65536, "bytes of HTTP/2 answers to a peer that does not read")                   \
    X(H2_ACKS, 1000, "more HTTP/2 answers to a peer that does not read")                           \
    X(H2_EMPTY_FRAMES, 10000, "HTTP/2 frames that bring nothing, at once")                         \
    X(H2_EMPTY_FRAMES_SECOND, 100, "HTTP/2 frames that bring nothing, in the long run")            \
    X(H2_FAULTS, 100, "streams of an HTTP/2 connection that its peer makes us reset at once")      \
    X(H2_REPEATS, 3, "times that a request goes out again which the server has not looked at")     \
    X(H2_REFUSING, 1000, "origins that are remembered because they want HTTP/1.1")                 \
    X(H2_ASIDE, 16 * 1024 * 1024, "bytes of a response that wait for the end of its upload")       \
    X(REDIRECTS, 20, "redirects followed")                                                         \
    X(REDIRECT_DRAIN, 65536, "bytes of a redirect's body that are read to keep the connection")    \
    X(CODINGS, 5, "content codings of one body")                                                   \
    X(CODING_MEMBERS, 1024, "gzip members or zstd frames of one body")                             \
    X(CHALLENGE, 4096, "bytes of one parameter of a challenge")                                    \
    X(SSE_EVENT, 1024 * 1024, "bytes of a server-sent event")                                      \
    X(SSE_ID, 4096, "bytes of an event's id that are sent to go on behind it")                     \
    X(SSE_RETRY, 3600, "seconds that a source of events may have us wait")                         \
    X(AUTH_TURNS, 8, "requests of one authentication")                                             \
    X(DIGEST_ORIGINS, 256, "origins whose Digest challenge is remembered")                         \
    X(DIGEST_ANSWERS, 2, "Digest answers to one request, the second to a stale nonce")             \
    X(NETRC_FILE, 1024 * 1024, "bytes of a netrc file")                                            \
    X(COOKIE, 4096, "bytes of a cookie's name and value")                                          \
    X(COOKIE_ATTRIBUTE, 1024, "bytes of one attribute of a cookie")                                \
    X(COOKIES, 3000, "cookies of one jar")                                                         \
    X(COOKIES_DOMAIN, 180, "cookies of one domain in a jar")                                       \
    X(COOKIE_FIELD, 16 * 1024, "bytes of cookies that go with one request")                        \
    X(COOKIE_FILE, 16 * 1024 * 1024, "bytes of a file of cookies")                                 \
    X(RESPONSE_LINE, 1024 * 1024, "bytes of a line of a response's body")                          \
    X(JSON_DEPTH, 128, "levels of nesting in JSON from a peer")                                    \
    X(BODY_MAX, 1024 * 1024 * 1024, "bytes of a response read into memory")                        \
    X(POOL_CONNECTIONS, 100, "connections of a client on one loop")                                \
    X(POOL_IDLE, 20, "idle connections that are kept")                                             \
    X(PROXY_ANSWER, 65536, "bytes of a proxy's answer to CONNECT")                                 \
    X(PROXIES, 16, "proxies of requests that a client remembers")                                  \
    X(CLIENT_ORIGINS, 1024, "origins whose health a client remembers")                             \
    X(SERVER_BODY, 1024 * 1024, "bytes of a request body, on the server")                          \
    X(SERVER_CONNECTIONS, 1024, "connections of a server")                                         \
    X(SERVER_PIPELINE, 32, "requests answered for one connection before others get a turn")        \
    X(SERVER_DRAIN, 65536, "bytes of a request body that are read to keep the connection")         \
    X(SERVER_FILE_PIECE, 128 * 1024, "bytes of a static file that are read at once")               \
    X(ROUTE_PARAMS, 16, "parameters of one route")                                                 \
    X(LIMITER_WINDOW, 1024 * 1024, "permits of a rate limiter's exact window")                     \
    X(LIMITER_RATES, 8, "rates of one rate limiter that must all hold")                            \
    X(LIMITER_KEYS, 10000, "keys of a keyed limiter")                                              \
    X(SERVER_PAUSE, 3600, "seconds a server's Retry-After or reset is believed")                   \
    X(ERROR_TEXT, 512, "bytes of an error message")

enum {
#define WEFT__LIMIT_ENUM(name, value, what) WEFT__LIMIT_##name = (value),
    WEFT__LIMITS(WEFT__LIMIT_ENUM)
#undef WEFT__LIMIT_ENUM
};

#endif
