/*
 * setup.c - from the options that request and fetch share to a client's settings.
 */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

static enum exit_code out_of_memory(void)
{
    complain("out of memory");
    return EXIT_LOCAL;
}

static enum exit_code add_pairs(const struct texts *texts, char separator, const char *what,
                                weft_pair *pairs)
{
    for (size_t i = 0; i < texts->n; i++) {
        int err = parse_pair(texts->items[i], separator, &pairs[i]);
        if (err == -ENOMEM)
            return out_of_memory();
        if (err < 0) {
            complain("'%s' is not %s", texts->items[i], what);
            return EXIT_USAGE;
        }
    }
    return EXIT_OK;
}

static enum exit_code set_user(struct setup *setup, const char *text)
{
    weft_pair pair;
    int err = parse_pair(text, ':', &pair);
    if (err == -ENOMEM)
        return out_of_memory();
    if (err < 0) {
        complain("-u expects NAME:PASSWORD");
        return EXIT_USAGE;
    }
    setup->user = (char *)pair.name;
    setup->options.username = pair.name;
    /* A password may begin with blanks, which parse_pair drops. */
    setup->options.password = strchr(text, ':') + 1;
    return EXIT_OK;
}

static enum exit_code set_bearer(struct setup *setup, const char *text)
{
    if (text[0] == '@') {
        size_t len;
        int err = weft_read_file(text + 1, &setup->bearer, &len);
        if (err < 0) {
            complain("%s: %s", text + 1, weft_error_text(err));
            return EXIT_LOCAL;
        }
        setup->bearer[strcspn(setup->bearer, "\r\n")] = '\0';
        text = setup->bearer;
    }
    setup->options.bearer = text;
    return EXIT_OK;
}

static void set_options(struct setup *setup, const struct args *args)
{
    weft_client_options *options = &setup->options;
    *options = (weft_client_options){
        .size = sizeof *options,
        .headers = setup->headers,
        .timeout = args->timeout,
        .connect_timeout = args->connect_timeout,
        .http2 = args->http2,
        .http1 = args->http2_only ? WEFT_OFF : WEFT_ON,
        .insecure_no_verify = args->insecure,
        .ca_file = args->ca_file,
        .follow_redirects = args->follow ? WEFT_ON : WEFT_OFF,
        .max_redirects = (int)args->max_redirects,
    };
    setup->retry = (weft_retry_policy){
        .size = sizeof setup->retry,
        .wait = {WEFT_WAIT_RANDOM_EXPONENTIAL, .multiplier = WEFT_MS(100), .max = WEFT_SEC(20)},
        .budget_percent = -1, /* --retry N is N, and few run at once */
    };
}

static enum exit_code check_files(const struct args *args)
{
    char *text;
    size_t len;
    if (!args->ca_file)
        return EXIT_OK;
    int err = weft_read_file(args->ca_file, &text, &len);
    if (err < 0) {
        complain("%s: %s", args->ca_file, weft_error_text(err));
        return EXIT_LOCAL;
    }
    weft_free(text);
    return EXIT_OK;
}

enum exit_code setup_init(struct setup *setup, const struct args *args)
{
    *setup = (struct setup){.n_headers = args->headers.n};
    setup->headers = calloc(args->headers.n + SETUP_SPARE_HEADERS + 1, sizeof(weft_pair));
    setup->params = calloc(args->params.n + 1, sizeof(weft_pair));
    if (!setup->headers || !setup->params)
        return out_of_memory();
    set_options(setup, args);
    enum exit_code code =
        add_pairs(&args->headers, ':', "a header field such as 'Name: value'", setup->headers);
    if (code == EXIT_OK)
        code = add_pairs(&args->params, '=', "a query parameter such as name=value", setup->params);
    if (code == EXIT_OK && args->http1 && (args->http2 || args->http2_only)) {
        complain("--http1.1 and HTTP/2: one of the two");
        code = EXIT_USAGE;
    }
    if (code == EXIT_OK && args->user && args->bearer) {
        complain("-u and --bearer exclude each other");
        code = EXIT_USAGE;
    }
    if (code == EXIT_OK && args->user)
        code = set_user(setup, args->user);
    if (code == EXIT_OK && args->bearer)
        code = set_bearer(setup, args->bearer);
    if (code == EXIT_OK)
        code = check_files(args);
    if (code == EXIT_OK && args->insecure && !args->silent)
        complain("warning: certificates are not checked (-k)");
    return code;
}

static void free_pairs(weft_pair *pairs, size_t n)
{
    for (size_t i = 0; pairs && i < n; i++)
        free((char *)pairs[i].name);
    free(pairs);
}

static void wipe(char *secret)
{
    if (secret)
        explicit_bzero(secret, strlen(secret));
}

void setup_done(struct setup *setup)
{
    free_pairs(setup->headers, setup->n_headers);
    size_t n = 0;
    while (setup->params && setup->params[n].name)
        n++;
    free_pairs(setup->params, n);
    wipe(setup->user);
    free(setup->user);
    wipe(setup->bearer);
    weft_free(setup->bearer);
}
