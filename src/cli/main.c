/*
 * main.c - the weft program: which verb, and what its options say.
 */
#include "cli/cli.h"

#include <signal.h>

static enum exit_code run(struct args *args, int argc, char **argv)
{
    int err = args_parse(args, argc, argv);
    if (err < 0) {
        complain("%s", err == -ENOMEM ? "out of memory" : args->problem);
        return err == -ENOMEM ? EXIT_LOCAL : EXIT_USAGE;
    }
    if (args->help || argc < 2) {
        args_help(args, args->help ? stdout : stderr);
        return args->help ? EXIT_OK : EXIT_USAGE;
    }
    if (args->version) {
        printf("weft %s\n", weft_version());
        return EXIT_OK;
    }
    switch (args->verb) {
    case VERB_FETCH:
        return run_fetch(args);
    case VERB_SERVE:
        return run_serve(args);
    case VERB_REQUEST:
        break;
    }
    return run_request(args);
}

int main(int argc, char **argv)
{
    struct args args;
    /* A reader that has gone is an error of write(), not the end of a half-written file. */
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGPIPE, &ignore, NULL);
    enum exit_code code = run(&args, argc, argv);
    args_done(&args);
    if (fflush(stdout) != 0 && code == EXIT_OK)
        code = EXIT_LOCAL;
    return code;
}
