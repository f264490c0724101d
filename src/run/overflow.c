/*
 * overflow.c - a task that runs into the guard of its stack is named before the process ends.
 *
 * Everything here that runs in a signal handler writes with write(2) from a buffer on the
 * alternate stack and calls nothing else.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "run/run_int.h"

static struct sigaction old_segv;
static struct sigaction old_bus;
static pthread_once_t handler_once = PTHREAD_ONCE_INIT;
static _Thread_local char *signal_stack;
static pthread_key_t signal_stack_key;

enum { SIGNAL_STACK_SIZE = 64 * 1024 };

static void put(char **to, char *end, const char *text)
{
    while (*text != '\0' && *to < end)
        *(*to)++ = *text++;
}

static void put_number(char **to, char *end, size_t number)
{
    char digits[24];
    int n = 0;
    do {
        digits[n++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    while (n > 0 && *to < end)
        *(*to)++ = digits[--n];
}

static void report_overflow(const struct weft_task *task)
{
    char text[256];
    char *to = text;
    char *end = text + sizeof text;
    put(&to, end, "weft: stack overflow in task '");
    put(&to, end, weft_task_name(task));
    put(&to, end, "' (");
    put_number(&to, end, (task->stack.size - WEFT__STACK_GUARD) / 1024);
    put(&to, end, " KiB; weft_spawn_options.stack_size makes it larger)\n");
    if (write(STDERR_FILENO, text, (size_t)(to - text)) < 0)
        return;
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    struct weft__loop *loop = weft__loop_current;
    const struct weft_task *task = loop != NULL ? (const struct weft_task *)weft__context : NULL;
    if (task != NULL && task != &loop->native && weft__stack_is_guard(&task->stack, info->si_addr))
        report_overflow(task);
    /* Whoever was there before has the last word; by default the process ends. */
    const struct sigaction *old = number == SIGSEGV ? &old_segv : &old_bus;
    if ((old->sa_flags & SA_SIGINFO) != 0 && old->sa_sigaction != NULL) {
        old->sa_sigaction(number, info, context);
        return;
    }
    sigaction(number, old, NULL);
}

static void free_signal_stack(void *stack)
{
    stack_t none = {.ss_flags = SS_DISABLE};
    sigaltstack(&none, NULL);
    munmap(stack, SIGNAL_STACK_SIZE);
}

static void install_handler(void)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    pthread_key_create(&signal_stack_key, free_signal_stack);
    if (WEFT__ASAN || WEFT__TSAN)
        return;
    sigemptyset(&action.sa_mask);
    sigaction(SIGSEGV, &action, &old_segv);
    sigaction(SIGBUS, &action, &old_bus);
}

/* The faulting stack has no room for a handler: each thread that has a loop gets another one. */
void weft__overflow_install(void)
{
    stack_t present;
    pthread_once(&handler_once, install_handler);
    if (signal_stack != NULL || sigaltstack(NULL, &present) < 0 ||
        (present.ss_flags & SS_DISABLE) == 0)
        return;
    void *stack = mmap(NULL, SIGNAL_STACK_SIZE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stack == MAP_FAILED)
        return;
    stack_t alternate = {.ss_sp = stack, .ss_size = SIGNAL_STACK_SIZE};
    if (sigaltstack(&alternate, NULL) < 0) {
        munmap(stack, SIGNAL_STACK_SIZE);
        return;
    }
    signal_stack = stack;
    pthread_setspecific(signal_stack_key, stack);
}
