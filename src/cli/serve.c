/*
 * serve.c - weft serve: a folder, or the echo server, until Ctrl-C.
 */
#include "cli/cli.h"

#include <string.h>
#include <sys/stat.h>

enum { DEFAULT_PORT = 8000 };

struct serving {
    const struct args *args;
    const char *folder; /* NULL: echo */
    weft_server *server;
    struct echo echo;
    bool ended;
};

static void log_request(const weft_server_request *request, int status, uint64_t bytes,
                        int64_t elapsed, void *userdata)
{
    char peer[WEFT_ADDRESS_TEXT_MAX] = "-";
    weft_address address;
    (void)userdata;
    if (weft_server_request_peer(request, &address) >= 0)
        weft_address_format(&address, peer, sizeof peer);
    fprintf(stderr, "%s  ", peer);
    escape_line(weft_server_request_method(request), stderr);
    putc(' ', stderr);
    escape_line(weft_server_request_target(request), stderr);
    fprintf(stderr, "  %d  %s  %s\n", status, human_bytes(bytes), human_time(elapsed));
}

static enum exit_code check(struct serving *serving)
{
    const struct args *args = serving->args;
    struct stat st;
    if (args->words.n > 1 || (args->words.n && args->echo)) {
        complain("'%s' is one word too many", args->words.items[args->words.n - 1]);
        return EXIT_USAGE;
    }
    if (!args->words.n && !args->echo) {
        complain("nothing to serve: a folder, or --echo");
        return EXIT_USAGE;
    }
    if (args->echo)
        return EXIT_OK;
    serving->folder = args->words.items[0];
    int err = stat(serving->folder, &st) < 0 ? -errno : S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
    if (err >= 0)
        return EXIT_OK;
    complain("%s: %s", serving->folder, err == -ENOTDIR ? "is not a folder" : weft_error_text(err));
    return EXIT_LOCAL;
}

static int make_server(struct serving *serving)
{
    const struct args *args = serving->args;
    const weft_server_options *options =
        WEFT_SERVER(.host = args->host,
                    .port = (uint16_t)(args->port < 0 ? DEFAULT_PORT : args->port),
                    .on_request = args->verbose ? log_request : NULL, .userdata = serving);
    int err = weft_server_new(options, &serving->server);
    if (err >= 0 && serving->folder)
        err = weft_server_static(serving->server, "/", serving->folder);
    else if (err >= 0)
        err = echo_init(&serving->echo, serving->server);
    return err < 0 ? err : weft_server_listen(serving->server);
}

static void announce(const struct serving *serving)
{
    const char *host = serving->args->host ? serving->args->host : "127.0.0.1";
    bool six = strchr(host, ':') && host[0] != '[';
    fputs("Serving ", stdout);
    escape_line(serving->folder ? serving->folder : "echo", stdout);
    printf(" on http://%s%s%s:%d/ (Ctrl-C stops)\n", six ? "[" : "", host, six ? "]" : "",
           weft_server_port(serving->server));
    fflush(stdout);
}

static int serve(void *arg)
{
    struct serving *serving = arg;
    int err = weft_server_serve(serving->server);
    serving->ended = true;
    return err;
}

static int serve_until_interrupted(struct serving *serving)
{
    weft_group group;
    int err = weft_group_init(&group, NULL);
    if (err < 0)
        return err;
    err = weft_group_spawn_with(&group, serve, serving, WEFT_SPAWN(.name = "serve"));
    while (err >= 0 && !serving->ended && !interrupt_seen())
        err = weft_sleep(WEFT_MS(100));
    weft_server_stop(serving->server, WEFT_SEC(5));
    int ended = weft_group_wait(&group);
    return ended < 0 ? ended : err;
}

static int main_task(void *arg)
{
    struct serving *serving = arg;
    int err = make_server(serving);
    if (err >= 0) {
        announce(serving);
        err = serve_until_interrupted(serving);
    }
    weft_server_free(serving->server);
    echo_done(&serving->echo);
    return err;
}

enum exit_code run_serve(const struct args *args)
{
    struct serving serving = {.args = args};
    enum exit_code code = check(&serving);
    if (code != EXIT_OK)
        return code;
    interrupt_catch();
    int err = weft_run(main_task, &serving);
    if (err >= 0)
        return EXIT_OK;
    complain("%s", weft_error_message());
    return exit_code_of_error(err);
}
