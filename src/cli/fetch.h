/*
 * fetch.h - weft fetch from inside.
 *
 *   fetch.c      start, end, the workers
 *   job.c        one URL: attempts, body, file
 *   feed.c       the URLs: words of the command line, then the list
 *   names.c      which file names are taken
 *   progress.c   counts, the bar, the summary
 *   results.c    one line of JSON for each URL
 *
 * Memory does not grow with the list: the next line is read when a worker is free.
 */
#ifndef WEFT_CLI_FETCH_H
#define WEFT_CLI_FETCH_H

#include "cli/cli.h"

/* ---- feed.c ---- */

struct feed {
    const struct texts *words;
    size_t next_word;
    const char *path; /* of the list; NULL: none */
    weft_file *file;
    weft_semaphore *turn; /* one worker reads at a time */
    uint64_t number;      /* URLs given out */
    uint64_t line;        /* read from the list */
};

/* What a worker takes from the feed. */
struct entry {
    uint64_t number; /* 1-based position among the URLs */
    char *url;       /* as it stands in the list */
    char *out;       /* NULL: the name comes from the URL */
    char *problem;   /* NULL: none */
};

/* An exit code; what is wrong has been said. */
enum exit_code feed_open(struct feed *feed, const struct args *args);
void feed_close(struct feed *feed);
/* How many URLs there are; -1 where the list can be read only once. */
int64_t feed_count(const struct args *args);
/* 1 and an entry, 0 at the end, or negative.  Free the entry with entry_done(). */
int feed_next(struct feed *feed, struct entry *ret);
void entry_done(struct entry *entry);

/* ---- names.c ---- */

enum { NAMES_MAX = 1 << 20 };

/*
 * A set of the names used, as hashes.  When NAMES_MAX are in it, every further file gets its
 * number: memory is bounded, and no file is ever overwritten by another one of the same run.
 */
struct names {
    uint64_t *slots;
    size_t n_slots;
    size_t n;
};
/* Takes the name, or the name with the number in it where it is taken already. */
int names_take(struct names *names, const char *wanted, uint64_t number,
               char ret[FILE_NAME_MAX + 32]);
void names_done(struct names *names);

/* ---- progress.c ---- */

enum { FAILURES_SHOWN = 10 };

struct progress {
    bool silent;
    int64_t total; /* -1: not known */
    int64_t started;
    int64_t shown; /* when the last line was written */
    uint64_t ok;
    uint64_t failed;
    uint64_t retries;
    uint64_t bytes;
    char *failures[FAILURES_SHOWN];
    size_t n_failures;
};

void progress_begin(struct progress *progress, const struct args *args, int64_t total);
/* Called ten times a second. */
void progress_tick(struct progress *progress);
void progress_failed(struct progress *progress, const char *url, const char *why);
/* The summary, and the failures. */
void progress_end(struct progress *progress, bool interrupted);
void progress_done(struct progress *progress);

/* ---- job.c ---- */

struct fetch {
    const struct args *args;
    struct setup setup;
    weft_client *client;
    weft_rate_limiter *limiter; /* NULL: no limit */
    FILE *results;              /* NULL: none */
    struct feed feed;
    struct names names;
    struct progress progress;
    weft_group group;
    weft_event *finished; /* the last worker has ended */
    size_t workers;
    enum exit_code fatal; /* why everything stopped */
};

enum { BUFFER_SIZE = 65536, JSON_BODY_MAX = 64 << 20 };

/* One URL on its way. */
struct job {
    struct fetch *fetch;
    const struct entry *entry;
    char *url;    /* complete */
    char *shown;  /* without password */
    char *buffer; /* BUFFER_SIZE bytes, of the worker */
    char name[FILE_NAME_MAX + 32];
    int status; /* 0: no reply */
    int attempts;
    uint64_t bytes;
    int64_t elapsed;
    char why[512]; /* it failed; "" if it did not */
    char *json;    /* the body so far, where it must be parsed */
    size_t json_len;
    struct save save;
};

/* 0 also where the URL failed; negative: the run must end (cancelled, a folder that is full). */
int job_run(struct job *job);
void job_done(struct job *job);

/* ---- results.c ---- */

int results_write(FILE *to, const struct job *job);

#endif
