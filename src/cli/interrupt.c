/*
 * interrupt.c - Ctrl-C: ends one request at once; for the other verbs it sets a flag that a task
 * looks at every now and then.
 */
#include "cli/cli.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t seen;

static const char *volatile unfinished;
static const char *volatile tidy; /* written to the terminal at the end */

/* What cannot be written now is lost, and nobody is there to be told. */
static void put(int fd, const char *text)
{
    ssize_t n = write(fd, text, strlen(text));
    (void)n;
}

static void exit_on_signal(int number)
{
    (void)number;
    if (unfinished)
        unlink(unfinished);
    put(STDOUT_FILENO, tidy);
    if (unfinished && isatty(STDERR_FILENO))
        put(STDERR_FILENO, "\r\033[K");
    _exit(EXIT_INTERRUPTED);
}

void interrupt_removes(const char *path)
{
    unfinished = path;
}

void interrupt_exits(void)
{
    struct sigaction action = {.sa_handler = exit_on_signal};
    tidy = colour_off(stdout);
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static void on_signal(int number)
{
    (void)number;
    seen = 1;
}

void interrupt_catch(void)
{
    /* SA_RESETHAND: the second one finds the system's own handler, and kills. */
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool interrupt_seen(void)
{
    return seen != 0;
}
