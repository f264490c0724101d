/* names.c - signals by name and by number. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include <weft/signal.h>

#include "base/error_int.h"
#include "base/str.h"

static const char *const names[] = {
    [SIGHUP] = "SIGHUP",       [SIGINT] = "SIGINT",   [SIGQUIT] = "SIGQUIT",
    [SIGILL] = "SIGILL",       [SIGTRAP] = "SIGTRAP", [SIGABRT] = "SIGABRT",
    [SIGBUS] = "SIGBUS",       [SIGFPE] = "SIGFPE",   [SIGKILL] = "SIGKILL",
    [SIGUSR1] = "SIGUSR1",     [SIGSEGV] = "SIGSEGV", [SIGUSR2] = "SIGUSR2",
    [SIGPIPE] = "SIGPIPE",     [SIGALRM] = "SIGALRM", [SIGTERM] = "SIGTERM",
    [SIGSTKFLT] = "SIGSTKFLT", [SIGCHLD] = "SIGCHLD", [SIGCONT] = "SIGCONT",
    [SIGSTOP] = "SIGSTOP",     [SIGTSTP] = "SIGTSTP", [SIGTTIN] = "SIGTTIN",
    [SIGTTOU] = "SIGTTOU",     [SIGURG] = "SIGURG",   [SIGXCPU] = "SIGXCPU",
    [SIGXFSZ] = "SIGXFSZ",     [SIGPROF] = "SIGPROF", [SIGVTALRM] = "SIGVTALRM",
    [SIGWINCH] = "SIGWINCH",   [SIGIO] = "SIGIO",     [SIGPWR] = "SIGPWR",
    [SIGSYS] = "SIGSYS",
};

/* From SIGRTMIN as the C library gives it out: the first two or three belong to itself. */
static const char *const realtime[] = {
    "SIGRTMIN",    "SIGRTMIN+1",  "SIGRTMIN+2",  "SIGRTMIN+3",  "SIGRTMIN+4",  "SIGRTMIN+5",
    "SIGRTMIN+6",  "SIGRTMIN+7",  "SIGRTMIN+8",  "SIGRTMIN+9",  "SIGRTMIN+10", "SIGRTMIN+11",
    "SIGRTMIN+12", "SIGRTMIN+13", "SIGRTMIN+14", "SIGRTMIN+15", "SIGRTMIN+16", "SIGRTMIN+17",
    "SIGRTMIN+18", "SIGRTMIN+19", "SIGRTMIN+20", "SIGRTMIN+21", "SIGRTMIN+22", "SIGRTMIN+23",
    "SIGRTMIN+24", "SIGRTMIN+25", "SIGRTMIN+26", "SIGRTMIN+27", "SIGRTMIN+28", "SIGRTMIN+29",
    "SIGRTMIN+30", "SIGRTMIN+31", "SIGRTMIN+32",
};

enum {
    N_NAMES = sizeof names / sizeof names[0],
    N_REALTIME = sizeof realtime / sizeof realtime[0]
};

/* Other words for the same numbers. */
static const struct {
    const char *name;
    int number;
} aliases[] = {{"POLL", SIGPOLL}, {"IOT", SIGIOT}, {"CLD", SIGCHLD}};

const char *weft_signal_name(int number)
{
    if (number >= 0 && number < N_NAMES)
        return names[number];
    if (number == SIGRTMAX)
        return "SIGRTMAX";
    if (number < SIGRTMIN || number > SIGRTMAX || number - SIGRTMIN >= N_REALTIME)
        return NULL;
    return realtime[number - SIGRTMIN];
}

/* Of "RTMIN+3" and "RTMAX-1" what follows the word: the distance, or -1. */
static int distance(const char *text, char sign)
{
    uint64_t number;
    if (text[0] == '\0')
        return 0;
    if (text[0] != sign || weft__parse_u64(text + 1, strlen(text + 1), &number) < 0 ||
        number > (uint64_t)(SIGRTMAX - SIGRTMIN))
        return -1;
    return (int)number;
}

static int realtime_number(const char *name)
{
    bool max = weft__ieq_n(name, strnlen(name, 5), "RTMAX", 5);
    if (!max && !weft__ieq_n(name, strnlen(name, 5), "RTMIN", 5))
        return -1;
    int away = distance(name + 5, max ? '-' : '+');
    if (away < 0)
        return -1;
    return max ? SIGRTMAX - away : SIGRTMIN + away;
}

static int named_number(const char *name)
{
    for (int number = 1; number < N_NAMES; number++) {
        if (names[number] != NULL && weft__ieq(name, names[number] + 3))
            return number;
    }
    for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++) {
        if (weft__ieq(name, aliases[i].name))
            return aliases[i].number;
    }
    return realtime_number(name);
}

int weft_signal_number(const char *name)
{
    uint64_t number;
    if (weft__parse_u64(name, strlen(name), &number) == 0 && number <= (uint64_t)SIGRTMAX &&
        weft_signal_name((int)number) != NULL)
        return (int)number;
    int found = named_number(weft__ieq_n(name, strnlen(name, 3), "SIG", 3) ? name + 3 : name);
    return found > 0 ? found : weft__fail(-EINVAL, "'%.32s' is no signal", name);
}
