/*
 * cli.h - the weft program: what its files share.
 *
 * The program sees the public headers of the library only.
 */
#ifndef WEFT_CLI_H
#define WEFT_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <weft.h>

/* How the program ends: docs/cli.md lists these, tests/cli checks each. */
enum exit_code {
    EXIT_OK = 0,
    EXIT_SOME_FAILED = 1,  /* fetch: at least one URL */
    EXIT_USAGE = 2,        /* options, URLs */
    EXIT_CLIENT_ERROR = 4, /* 4xx */
    EXIT_SERVER_ERROR = 5, /* 5xx */
    EXIT_CONNECT = 6,      /* DNS, TCP */
    EXIT_TLS = 7,
    EXIT_TIMEOUT = 8,
    EXIT_LOCAL = 9,     /* a file here, or this machine */
    EXIT_PROTOCOL = 10, /* a broken, truncated or oversized reply */
    EXIT_NOT_JSON = 11,
    EXIT_INTERRUPTED = 130,
    EXIT_PIPE = 141 /* whoever read our output has gone */
};

/* ---- args.c: options ---- */

enum verb { VERB_REQUEST = 1, VERB_FETCH = 2, VERB_SERVE = 4 };

/* Values of an option that may be given more than once; entries point into argv. */
struct texts {
    const char **items;
    size_t n;
};

struct rate {
    uint32_t permits; /* 0: no limit */
    int64_t period;   /* ns */
};

/* What the command line says.  Texts point into argv, or are copies of secrets (see secrets). */
struct args {
    enum verb verb;
    bool help;
    bool version;
    struct texts words; /* neither options nor their values */

    const char *method;
    struct texts headers;
    struct texts params;
    struct texts data;
    const char *json;
    const char *user;
    const char *bearer;
    const char *output;
    const char *ca_file;
    bool http1;
    bool http2;
    bool http2_only;
    bool insecure;
    bool follow;
    bool verbose;
    bool silent;
    int64_t timeout; /* ns; 0: not given, as everywhere here */
    int64_t connect_timeout;
    int64_t max_redirects;
    int64_t retry; /* -1: not given */

    const char *list;
    const char *folder;
    const char *results;
    int64_t concurrency;
    struct rate rate;
    bool expect_json;

    bool echo;
    int64_t port; /* -1: not given */
    const char *host;

    struct texts secrets; /* copies of values that were wiped from argv */
    char problem[256];    /* why args_parse failed */
};

/* 0, or -EINVAL with args->problem set, or -ENOMEM.  Call args_done in any case. */
int args_parse(struct args *args, int argc, char **argv);
void args_done(struct args *args);
void args_help(const struct args *args, FILE *to);

/* ---- parse.c: small languages of the command line ---- */

bool parse_count(const char *text, int64_t min, int64_t max, int64_t *ret);
/* "2", "0.5", "500ms", "2s", "1m", "1h": more than 0. */
bool parse_duration(const char *text, int64_t *ret);
/* "50", "50/s", "100/m", "1000/h". */
bool parse_rate(const char *text, struct rate *ret);
/* Splits "name: value" or "name=value" at the separator; a value's leading blanks are dropped
 * after a colon.  Both go into one block that ret->name points to: free() it. */
int parse_pair(const char *text, char separator, weft_pair *ret);
/* A URL as people type it, with its scheme: gives, free(). */
int complete_url(const char *text, char **ret);

/* One line of a list: "URL" or "URL<TAB>out=name".  The line is written into. */
struct list_line {
    const char *url; /* NULL: an empty line or a comment */
    const char *out; /* NULL: none */
    const char *problem;
};
void parse_list_line(char *line, struct list_line *ret);

enum { FILE_NAME_MAX = 200 };
/* The name under which a URL's body is stored: its path's last segment, made harmless. */
void file_name_of_url(const char *path, char name[FILE_NAME_MAX]);
/* A name that may be used as it is: no folder, no dot file, no control characters. */
bool is_plain_file_name(const char *name);
/* "a.json" and 7 give "a-7.json". */
void file_name_numbered(const char *name, uint64_t number, char ret[FILE_NAME_MAX + 32]);

/* ---- text.c: what goes to a terminal ---- */

/* Text of a peer, made harmless: state across chunks. */
struct escaper {
    FILE *to;
    bool one_line;            /* line breaks and tabs are escaped too */
    bool cr;                  /* the last byte was a CR */
    unsigned char pending[4]; /* an unfinished UTF-8 sequence */
    size_t n_pending;
};
void escape_text(struct escaper *escaper, const char *data, size_t len);
/* After the last chunk: an unfinished sequence is shown too. */
void escape_end(struct escaper *escaper);
void escape_line(const char *text, FILE *to);
bool looks_like_text(const char *data, size_t len);

enum colour { COLOUR_NONE, GREEN, YELLOW, RED, CYAN, MAGENTA, DIM, BOLD };
/* The terminal's sequence, "" where the stream has no colours. */
const char *colour(FILE *to, enum colour which);
const char *colour_off(FILE *to);
bool is_terminal(FILE *to);

/* "1.2 MB"; lends until the next but three call. */
const char *human_bytes(uint64_t bytes);
/* "3.4 s", "2 min 5 s"; lends likewise. */
const char *human_time(int64_t ns);

/* ---- json_pretty.c: re-indents JSON as it comes, numbers and order untouched ---- */

struct json_pretty {
    struct escaper escaper;
    size_t depth;
    uint8_t is_object[128]; /* one bit for each level; deeper levels count as arrays */
    bool in_string;
    bool after_backslash;
    bool is_key;   /* the string that is being read */
    bool want_key; /* the next string is a key */
    bool fresh;    /* a container has just been opened */
    bool in_word;  /* a number or literal */
    bool any;      /* a value at the top has been written */
};
void json_pretty_init(struct json_pretty *pretty, FILE *to);
void json_pretty_feed(struct json_pretty *pretty, const char *data, size_t len);
void json_pretty_end(struct json_pretty *pretty);

/* ---- report.c: errors and exit codes ---- */

/* "weft: " and the message, harmless, on one line of stderr. */
void complain(const char *format, ...) WEFT_PRINTF(1, 2);
/* Why a call about a URL failed, without the URL; lends until the next call. */
const char *failure_reason(const char *url, int err);
/* The sentence for a failed call about a URL; lends until the next call. */
const char *describe_failure(const char *url, int err);
enum exit_code exit_code_of_error(int err);
enum exit_code exit_code_of_status(int status);
/* A URL without its password, for people: gives, free(); a copy where it cannot be parsed. */
char *redacted(const char *url);

/* ---- show.c: heads and bodies for people ---- */

/* body_len -1: no body. */
void show_request_head(const weft_request_event *event, const struct args *args, int64_t body_len);
void show_response_head(const weft_response *response, const char *mark, FILE *to);

enum view { VIEW_UNKNOWN, VIEW_JSON, VIEW_TEXT, VIEW_BINARY };

/* A body on its way to a terminal. */
struct body_view {
    enum view view;
    const char *type; /* the content type, NULL if none; lends until show_body_end */
    uint64_t bytes;
    bool line_open; /* the last byte was no line break */
    struct escaper escaper;
    struct json_pretty json;
};
void show_body_begin(struct body_view *view, const weft_response *response, FILE *to);
void show_body(struct body_view *view, const char *data, size_t len);
void show_body_end(struct body_view *view);

/* ---- save.c: a file that appears whole or not at all ---- */

struct save {
    char *path;
    char *part; /* path + ".part" while it is written, else NULL */
    weft_file *file;
    bool alone;
};
/* alone: an interrupt, which ends the program, removes the part. */
int save_open(struct save *save, const char *path, bool alone);
int save_write(struct save *save, const void *data, size_t len);
int save_commit(struct save *save);
/* Removes the part; also right after a failure of the above, and in a cancelled task. */
void save_abort(struct save *save);

/* ---- interrupt.c: Ctrl-C ---- */

/* SIGINT and SIGTERM remove the file that is being written, and end the program at once. */
void interrupt_exits(void);
/* NULL: no file is being written. Lends until the next call. */
void interrupt_removes(const char *path);
/* From now on the first SIGINT or SIGTERM only sets a flag; the second SIGINT kills. */
void interrupt_catch(void);
bool interrupt_seen(void);

/* ---- setup.c: options that request and fetch have in common ---- */

struct setup {
    weft_client_options options;
    weft_retry_policy retry;
    weft_pair *headers; /* ends with {0}; room for some more after n_headers */
    size_t n_headers;
    weft_pair *params;
    char *user;
    char *bearer;
};
enum { SETUP_SPARE_HEADERS = 4 };
/* An exit code; what is wrong has been said. */
enum exit_code setup_init(struct setup *setup, const struct args *args);
void setup_done(struct setup *setup);

/* ---- echo.c: a server to try clients on ---- */

struct echo {
    uint64_t requests;
    size_t current; /* handlers that run now */
    size_t highest;
    json_t *attempts; /* of /retry, by path */
};
int echo_init(struct echo *echo, weft_server *server);
void echo_done(struct echo *echo);

/* ---- the verbs ---- */

enum exit_code run_request(const struct args *args);
enum exit_code run_fetch(const struct args *args);
enum exit_code run_serve(const struct args *args);

#endif
