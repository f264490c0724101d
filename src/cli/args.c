/*
 * args.c - the options: one table drives parsing, the help and the suggestions.
 *
 * GNU habits: options and words may be mixed, "--" ends the options, -Lk is -L -k, -XPUT is
 * -X PUT, --name=value is --name value.  Values of options that carry a secret are copied and
 * wiped from argv, where every user of the machine can read them.
 */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum kind { SWITCH, TEXT, TEXTS, SECRET, TIME, COUNT, RATE };

struct option {
    char letter; /* 0: none */
    const char *name;
    const char *value; /* what the help calls it; NULL: a switch */
    unsigned verbs;
    enum kind kind;
    size_t offset; /* in struct args */
    int64_t min;   /* COUNT */
    int64_t max;
    const char *help;
};

#define AT(field) offsetof(struct args, field)
#define REQUEST   VERB_REQUEST
#define FETCH     VERB_FETCH
#define SERVE     VERB_SERVE
#define BOTH      (VERB_REQUEST | VERB_FETCH)
#define ALL       (VERB_REQUEST | VERB_FETCH | VERB_SERVE)

static const struct option options[] = {
    {'X', "request", "METHOD", REQUEST, TEXT, AT(method), 0, 0, "the method; also as first word"},
    {'d', "data", "TEXT", REQUEST, TEXTS, AT(data), 0, 0,
     "the body, @FILE or @- for standard input; POST"},
    {0, "json", "TEXT", REQUEST, TEXT, AT(json), 0, 0, "the same, sent as application/json"},
    {'q', "query", "N=V", REQUEST, TEXTS, AT(params), 0, 0, "appended to the URL's query"},
    {'o', "output", "FILE", REQUEST, TEXT, AT(output), 0, 0,
     "write the body there, once it is whole"},
    {'i', "input", "LIST", FETCH, TEXT, AT(list), 0, 0, "a file of URLs, one a line; - for stdin"},
    {'d', "dir", "DIR", FETCH, TEXT, AT(folder), 0, 0, "save the bodies there (made if missing)"},
    {0, "results", "FILE", FETCH, TEXT, AT(results), 0, 0,
     "one line of JSON for each URL; - for stdout"},
    {'c', "concurrency", "N", FETCH, COUNT, AT(concurrency), 1, 100000,
     "so many at once (default 32)"},
    {0, "rate", "N[/s|/m|/h]", FETCH, RATE, AT(rate), 0, 0, "so many requests a second, minute"},
    {0, "expect-json", NULL, BOTH, SWITCH, AT(expect_json), 0, 0,
     "a body that is not JSON is a failure"},
    {'H', "header", "'N: V'", BOTH, TEXTS, AT(headers), 0, 0, "a header field to send"},
    {'u', "user", "NAME:PASS", BOTH, SECRET, AT(user), 0, 0, "Basic authentication"},
    {0, "bearer", "TOKEN", BOTH, SECRET, AT(bearer), 0, 0,
     "bearer token, or @FILE to read it from"},
    {'L', "follow", NULL, BOTH, SWITCH, AT(follow), 0, 0, "follow redirects"},
    {0, "max-redirects", "N", BOTH, COUNT, AT(max_redirects), 1, 1000, "so many (default 20)"},
    {0, "retry", "N", BOTH, COUNT, AT(retry), 0, 1000,
     "try again up to N times (default 0; fetch: 2)"},
    {'t', "timeout", "TIME", BOTH, TIME, AT(timeout), 0, 0,
     "for all of a URL: 2, 0.5, 500ms, 1m (default none)"},
    {0, "connect-timeout", "TIME", BOTH, TIME, AT(connect_timeout), 0, 0,
     "DNS, TCP and TLS (default 5s)"},
    {0, "http1.1", NULL, BOTH, SWITCH, AT(http1), 0, 0, "speak HTTP/1.1 (default)"},
    {0, "http2", NULL, BOTH, SWITCH, AT(http2), 0, 0,
     "speak HTTP/2 where an https server does too"},
    {0, "http2-prior-knowledge", NULL, BOTH, SWITCH, AT(http2_only), 0, 0,
     "speak nothing but HTTP/2, over http too"},
    {'k', "insecure", NULL, BOTH, SWITCH, AT(insecure), 0, 0, "accept any certificate"},
    {0, "cacert", "FILE", BOTH, TEXT, AT(ca_file), 0, 0, "trust these certificates (PEM) only"},
    {0, "echo", NULL, SERVE, SWITCH, AT(echo), 0, 0, "a server that answers about the request"},
    {0, "host", "HOST", SERVE, TEXT, AT(host), 0, 0, "address to listen on (default 127.0.0.1)"},
    {'p', "port", "N", SERVE, COUNT, AT(port), 0, 65535,
     "port to listen on (default 8000; 0: any free one)"},
    {'v', "verbose", NULL, REQUEST | SERVE, SWITCH, AT(verbose), 0, 0,
     "heads of request and reply, or access log"},
    {'s', "silent", NULL, BOTH, SWITCH, AT(silent), 0, 0, "no progress, warnings and hints"},
    {0, "version", NULL, ALL, SWITCH, AT(version), 0, 0, "print the version"},
    {'h', "help", NULL, ALL, SWITCH, AT(help), 0, 0, "print this"},
};
enum { N_OPTIONS = sizeof options / sizeof options[0] };

static int fail(struct args *args, const char *format, ...) WEFT_PRINTF(2, 3);

static int fail(struct args *args, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(args->problem, sizeof args->problem, format, list);
    va_end(list);
    return -EINVAL;
}

static int texts_add(struct texts *texts, const char *item)
{
    const char **items = realloc(texts->items, (texts->n + 1) * sizeof *items);
    if (!items)
        return -ENOMEM;
    items[texts->n++] = item;
    texts->items = items;
    return 0;
}

static int take_secret(struct args *args, char *value, const char **ret)
{
    char *copy = strdup(value);
    if (!copy || texts_add(&args->secrets, copy) < 0) {
        free(copy);
        return -ENOMEM;
    }
    memset(value, '*', strlen(value));
    *ret = copy;
    return 0;
}

static const char *verb_name(enum verb verb)
{
    return verb == VERB_FETCH ? "weft fetch" : verb == VERB_SERVE ? "weft serve" : "weft";
}

/* Levenshtein distance, of short words. */
static size_t distance(const char *a, const char *b)
{
    size_t row[40];
    size_t len = strlen(b);
    if (len >= sizeof row / sizeof row[0])
        return SIZE_MAX;
    for (size_t j = 0; j <= len; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < len; j++) {
            size_t best = diagonal + (a[i] != b[j]);
            diagonal = row[j + 1];
            best = row[j] + 1 < best ? row[j] + 1 : best;
            row[j + 1] = row[j + 1] + 1 < best ? row[j + 1] + 1 : best;
        }
    }
    return row[len];
}

static int unknown_option(struct args *args, const char *given, const char *name)
{
    const struct option *nearest = NULL;
    size_t least = 3;
    for (size_t i = 0; i < N_OPTIONS; i++) {
        const struct option *option = &options[i];
        size_t far = distance(name, option->name);
        bool prefix = strlen(name) >= 3 && !strncmp(option->name, name, strlen(name));
        if (option->verbs & args->verb && (far < least || prefix)) {
            nearest = option;
            least = prefix ? 0 : far;
        }
    }
    if (nearest)
        return fail(args, "unknown option %s (did you mean --%s?)", given, nearest->name);
    return fail(args, "unknown option %s (see %s --help)", given, verb_name(args->verb));
}

/* letter 0: by name, of which len bytes count. */
static const struct option *find(unsigned verbs, char letter, const char *name, size_t len)
{
    for (size_t i = 0; i < N_OPTIONS; i++) {
        const struct option *option = &options[i];
        if (!(option->verbs & verbs))
            continue;
        if (letter ? option->letter == letter
                   : !strncmp(option->name, name, len) && !option->name[len])
            return option;
    }
    return NULL;
}

static const struct option *find_or_fail(struct args *args, char letter, const char *name,
                                         size_t len)
{
    char given[64];
    const struct option *option = find(args->verb, letter, name, len);
    if (option)
        return option;
    if (letter)
        snprintf(given, sizeof given, "-%c", letter);
    else
        snprintf(given, sizeof given, "--%.*s", (int)len, name);
    option = find(ALL, letter, name, len);
    if (option)
        fail(args, "option %s belongs to %s", given,
             verb_name(option->verbs & VERB_REQUEST ? VERB_REQUEST
                                                    : (enum verb)(option->verbs & ~args->verb)));
    else
        unknown_option(args, given, letter ? "" : given + 2);
    return NULL;
}

static int store(struct args *args, const struct option *option, const char *given, char *value)
{
    void *field = (char *)args + option->offset;
    switch (option->kind) {
    case SWITCH:
        *(bool *)field = true;
        return 0;
    case TEXT:
        *(const char **)field = value;
        return 0;
    case TEXTS:
        return texts_add(field, value);
    case SECRET:
        return take_secret(args, value, field);
    case TIME:
        if (parse_duration(value, field))
            return 0;
        return fail(args, "%s expects a time such as 2, 0.5, 500ms or 1m, not '%s'", given, value);
    case COUNT:
        if (parse_count(value, option->min, option->max, field))
            return 0;
        return fail(args, "%s expects a number from %lld to %lld, not '%s'", given,
                    (long long)option->min, (long long)option->max, value);
    case RATE:
        if (parse_rate(value, field))
            return 0;
        return fail(args, "%s expects a rate such as 50/s or 100/m, not '%s'", given, value);
    }
    return -EINVAL;
}

/* *next is the word after the option; it moves on if the option takes it. */
static int parse_long(struct args *args, char *word, char ***next)
{
    char given[64];
    char *equals = strchr(word, '=');
    size_t len = equals ? (size_t)(equals - word) : strlen(word);
    const struct option *option = find_or_fail(args, 0, word, len);
    if (!option)
        return -EINVAL;
    snprintf(given, sizeof given, "--%s", option->name);
    if (!option->value && equals)
        return fail(args, "%s takes no value", given);
    if (!option->value || equals)
        return store(args, option, given, equals ? equals + 1 : NULL);
    if (!**next)
        return fail(args, "%s expects %s after it", given, option->value);
    return store(args, option, given, *(*next)++);
}

static int parse_short(struct args *args, char *letters, char ***next)
{
    for (char *at = letters; *at; at++) {
        char given[] = {'-', *at, 0};
        const struct option *option = find_or_fail(args, *at, NULL, 0);
        if (!option)
            return -EINVAL;
        if (option->value && at[1])
            return store(args, option, given, at + 1);
        if (option->value && !**next)
            return fail(args, "%s expects %s after it", given, option->value);
        int err = store(args, option, given, option->value ? *(*next)++ : NULL);
        if (err < 0 || option->value)
            return err;
    }
    return 0;
}

int args_parse(struct args *args, int argc, char **argv)
{
    char **next = argv + (argc > 0);
    *args = (struct args){.verb = VERB_REQUEST, .retry = -1, .port = -1};
    if (argc > 1 && !strcmp(argv[1], "fetch"))
        args->verb = VERB_FETCH;
    else if (argc > 1 && !strcmp(argv[1], "serve"))
        args->verb = VERB_SERVE;
    if (args->verb != VERB_REQUEST)
        next++;
    /* As for other programs with verbs; hosts of these names have a scheme, a port or a path. */
    if (argc == 2) {
        args->help = !strcmp(argv[1], "help");
        args->version = !strcmp(argv[1], "version");
    }
    bool words_only = false;
    while (*next) {
        char *word = *next++;
        int err;
        if (words_only || word[0] != '-' || !word[1]) {
            err = texts_add(&args->words, word);
        } else if (!strcmp(word, "--")) {
            words_only = true;
            continue;
        } else {
            err = word[1] == '-' ? parse_long(args, word + 2, &next)
                                 : parse_short(args, word + 1, &next);
        }
        if (err < 0)
            return err;
    }
    return 0;
}

void args_done(struct args *args)
{
    for (size_t i = 0; i < args->secrets.n; i++) {
        explicit_bzero((char *)args->secrets.items[i], strlen(args->secrets.items[i]));
        free((char *)args->secrets.items[i]);
    }
    struct texts *all[] = {&args->words, &args->headers, &args->params, &args->data,
                           &args->secrets};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        free(all[i]->items);
}

static void help_options(unsigned verb, FILE *to)
{
    for (size_t i = 0; i < N_OPTIONS; i++) {
        const struct option *option = &options[i];
        char left[48];
        char letter[] = {'-', option->letter, ',', 0};
        if (!(option->verbs & verb))
            continue;
        snprintf(left, sizeof left, "%s --%s%s%s", option->letter ? letter : "   ", option->name,
                 option->value ? " " : "", option->value ? option->value : "");
        fprintf(to, "  %-27s %s\n", left, option->help);
    }
}

void args_help(const struct args *args, FILE *to)
{
    if (args->verb == VERB_FETCH)
        fputs("weft fetch [URL...] [-i LIST]: many URLs, with limits, retries and results\n\n"
              "A line of LIST is a URL, or a URL, a tab and out=NAME; # starts a comment.\n\n",
              to);
    else if (args->verb == VERB_SERVE)
        fputs("weft serve DIR: serve a folder\n"
              "weft serve --echo: a server to try clients on; / lists what it answers\n\n",
              to);
    else
        fputs("weft [METHOD] URL        one request\n"
              "weft fetch -i LIST       many URLs, with limits, retries and results\n"
              "weft serve DIR | --echo  a folder, or a server to try clients on\n\n"
              "On a terminal the reply is shown readable; into a pipe go the body's bytes and\n"
              "nothing else. https:// is assumed, http:// for localhost and :PORT/PATH.\n\n",
              to);
    help_options(args->verb, to);
    if (args->verb == VERB_REQUEST)
        fputs("\nExit: 0 a whole 2xx or 3xx reply, 2 usage, 4 a 4xx and 5 a 5xx reply, 6 DNS or\n"
              "connecting, 7 TLS, 8 time, 9 a local file, 10 a broken reply, 130 interrupted.\n"
              "weft fetch --help and weft serve --help tell about the others.\n",
              to);
    else if (args->verb == VERB_FETCH)
        fputs("\nExit: 0 all came, 1 some failed, 2 usage, 9 a local file, 130 interrupted.\n", to);
}
