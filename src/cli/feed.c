/*
 * feed.c - the URLs to fetch: the words of the command line, then the lines of the list.
 */
#include "cli/fetch.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *path_of(const char *list)
{
    return strcmp(list, "-") == 0 ? "/dev/stdin" : list;
}

static enum exit_code list_failed(const struct feed *feed, int err)
{
    complain("%s: %s", strcmp(feed->path, "-") == 0 ? "standard input" : feed->path,
             weft_error_text(err));
    return EXIT_LOCAL;
}

enum exit_code feed_open(struct feed *feed, const struct args *args)
{
    *feed = (struct feed){.words = &args->words, .path = args->list};
    if (!args->list && !args->words.n) {
        complain("no URLs given (as words, or -i LIST)");
        return EXIT_USAGE;
    }
    if (weft_semaphore_new(1, &feed->turn) < 0) {
        complain("out of memory");
        return EXIT_LOCAL;
    }
    if (!args->list)
        return EXIT_OK;
    int err = weft_file_open(path_of(args->list), "r", &feed->file);
    return err < 0 ? list_failed(feed, err) : EXIT_OK;
}

void feed_close(struct feed *feed)
{
    if (feed->file)
        weft_file_close(feed->file);
    weft_semaphore_free(feed->turn);
}

int64_t feed_count(const struct args *args)
{
    struct stat st;
    weft_file *file;
    char *line;
    int64_t n = (int64_t)args->words.n;
    if (!args->list)
        return n;
    if (strcmp(args->list, "-") == 0 || stat(args->list, &st) < 0 || !S_ISREG(st.st_mode) ||
        weft_file_open(args->list, "r", &file) < 0)
        return -1;
    int64_t len;
    while ((len = weft_file_read_line(file, &line)) > 0) {
        size_t blanks = strspn(line, " \t\r\n");
        n += line[blanks] && line[blanks] != '#';
    }
    weft_file_close(file);
    return len < 0 ? -1 : n;
}

static char *copy(const char *text)
{
    return text ? strdup(text) : NULL;
}

static int fill(struct feed *feed, const struct list_line *line, struct entry *ret)
{
    *ret = (struct entry){++feed->number, copy(line->url), copy(line->out), copy(line->problem)};
    if (ret->url && (ret->out || !line->out) && (ret->problem || !line->problem))
        return 1;
    entry_done(ret);
    return -ENOMEM;
}

/* The next line with a URL. */
static int next_of_list(struct feed *feed, struct entry *ret)
{
    for (;;) {
        struct list_line line;
        char *text;
        int64_t len = weft_file_read_line(feed->file, &text);
        if (len <= 0)
            return (int)len;
        feed->line++;
        bool binary = memchr(text, '\0', (size_t)len) != NULL;
        parse_list_line(text, &line);
        if (binary && line.url)
            line.problem = "a URL has no NUL bytes";
        if (line.url)
            return fill(feed, &line, ret);
    }
}

static int next(struct feed *feed, struct entry *ret)
{
    if (feed->next_word < feed->words->n) {
        struct list_line line = {.url = feed->words->items[feed->next_word++]};
        return fill(feed, &line, ret);
    }
    if (!feed->file)
        return 0;
    int err = next_of_list(feed, ret);
    if (err < 0 && err != -ECANCELED)
        complain("%s: line %llu: %s", feed->path, (unsigned long long)feed->line + 1,
                 weft_error_text(err));
    return err;
}

int feed_next(struct feed *feed, struct entry *ret)
{
    int err = weft_semaphore_acquire(feed->turn);
    if (err < 0)
        return err;
    err = next(feed, ret);
    weft_semaphore_release(feed->turn);
    return err;
}

void entry_done(struct entry *entry)
{
    free(entry->url);
    free(entry->out);
    free(entry->problem);
}
