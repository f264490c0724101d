/* netrc.c - the file in which ftp, curl and Python look for a host's user name and password. */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error_int.h"
#include "base/limits.h"
#include "base/str.h"
#include "proto/auth.h"

struct reader {
    const char *at;
    const char *end;
    unsigned line;
    struct weft__buf word;
};

struct entry {
    char *login;
    char *password;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip_line(struct reader *reader)
{
    while (reader->at < reader->end && *reader->at != '\n')
        reader->at++;
}

static int append(struct reader *reader, char c)
{
    return weft__buf_append_char(&reader->word, c) < 0 ? weft__fail_nomem() : 0;
}

/* A word may stand in quotes, with a backslash before what would end it. */
static int take_word(struct reader *reader, char quote)
{
    int err = 0;
    while (err == 0 && reader->at < reader->end) {
        char c = *reader->at;
        if (quote != '\0' ? c == quote : is_blank(c))
            break;
        if (c == '\n')
            reader->line++;
        if (c == '\\' && reader->at + 1 < reader->end)
            c = *++reader->at;
        reader->at++;
        err = append(reader, c);
    }
    if (err == 0 && quote != '\0') {
        if (reader->at == reader->end)
            return weft__fail(-EINVAL, "netrc, line %u: a quotation does not end", reader->line);
        reader->at++;
    }
    return err < 0 ? err : append(reader, '\0');
}

/* 1: the next word is in reader->word; 0: there is none. */
static int next_word(struct reader *reader)
{
    while (reader->at < reader->end && is_blank(*reader->at))
        reader->line += *reader->at++ == '\n';
    if (reader->at == reader->end)
        return 0;
    weft__buf_clear(&reader->word);
    bool quoted = *reader->at == '"';
    reader->at += quoted;
    int err = take_word(reader, quoted ? '"' : '\0');
    return err < 0 ? err : 1;
}

static bool is(const struct reader *reader, const char *keyword)
{
    return strcmp(weft__buf_bytes(&reader->word), keyword) == 0;
}

/* The word after a keyword. */
static int argument(struct reader *reader)
{
    int result = next_word(reader);
    if (result == 0)
        return weft__fail(-EINVAL, "netrc, line %u: the file ends after a keyword", reader->line);
    return result < 0 ? result : 0;
}

static int set(struct reader *reader, char **at)
{
    int err = argument(reader);
    if (err < 0)
        return err;
    char *copy = weft__strdup(weft__buf_bytes(&reader->word));
    if (copy == NULL)
        return weft__fail_nomem();
    weft__free(*at);
    *at = copy;
    return 0;
}

/* A macro lasts up to an empty line. */
static int skip_macro(struct reader *reader)
{
    int err = argument(reader);
    if (err < 0)
        return err;
    skip_line(reader);
    while (reader->at < reader->end) {
        const char *line = ++reader->at;
        reader->line++;
        skip_line(reader);
        if (reader->at == line || (reader->at == line + 1 && *line == '\r'))
            return 0;
    }
    return 0;
}

static void entry_done(struct entry *entry)
{
    weft__free(entry->login);
    weft__free(entry->password);
}

/* What has been read so far of the file. */
struct search {
    const char *host;
    struct entry found;
    struct entry standard; /* of "default" */
    struct entry other;    /* of a host that is not the one */
    struct entry *present;
    bool has_found;
    bool has_standard;
};

static int begin_machine(struct reader *reader, struct search *search)
{
    int err = argument(reader);
    if (err < 0)
        return err;
    search->present = &search->other;
    if (!search->has_found && weft__ieq(weft__buf_bytes(&reader->word), search->host)) {
        search->has_found = true;
        search->present = &search->found;
    }
    return 0;
}

static int take_keyword(struct reader *reader, struct search *search)
{
    if (is(reader, "machine"))
        return begin_machine(reader, search);
    if (is(reader, "default")) {
        search->present = search->has_standard ? &search->other : &search->standard;
        search->has_standard = true;
        return 0;
    }
    if (is(reader, "macdef"))
        return skip_macro(reader);
    if (weft__buf_bytes(&reader->word)[0] == '#') {
        skip_line(reader);
        return 0;
    }
    if (search->present != NULL && (is(reader, "login") || is(reader, "user")))
        return set(reader, &search->present->login);
    if (search->present != NULL && is(reader, "password"))
        return set(reader, &search->present->password);
    if (search->present != NULL && is(reader, "account"))
        return argument(reader);
    return weft__fail(-EINVAL, "netrc, line %u: an unknown keyword", reader->line);
}

static int give(struct search *search, bool or_default, char **ret_login, char **ret_password)
{
    struct entry *entry = search->has_found ? &search->found : &search->standard;
    if (!search->has_found && !(or_default && search->has_standard))
        return 0;
    if (entry->login == NULL)
        entry->login = weft__strdup("");
    if (entry->password == NULL)
        entry->password = weft__strdup("");
    if (entry->login == NULL || entry->password == NULL)
        return weft__fail_nomem();
    *ret_login = entry->login;
    *ret_password = entry->password;
    memset(entry, 0, sizeof *entry);
    return 1;
}

int weft__netrc_find(const char *text, size_t len, const char *host, bool or_default,
                     char **ret_login, char **ret_password)
{
    struct reader reader = {.at = text, .end = text + len, .line = 1};
    struct search search = {.host = host};
    int result;
    weft__buf_init(&reader.word, SIZE_MAX);
    while ((result = next_word(&reader)) > 0) {
        result = take_keyword(&reader, &search);
        if (result < 0)
            break;
    }
    if (result == 0)
        result = give(&search, or_default, ret_login, ret_password);
    entry_done(&search.found);
    entry_done(&search.standard);
    entry_done(&search.other);
    weft__buf_done(&reader.word);
    return result;
}
