/*
 * dump.c - what went wrong, for people: the tree of tasks, a deadlock, a stack overflow.
 *
 * Everything here that runs in a signal handler writes with write(2) into a buffer on the
 * alternate stack and calls nothing else.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "run/run_int.h"

/* ---- dumps ---- */

static const char *state_of(const struct weft_task *task)
{
    if (task->state == TASK_PARKED && task->wait != NULL && task->wait->what != NULL)
        return task->wait->what;
    return task->state <= TASK_FIRST ? "ready" : "running";
}

struct dump {
    int fd;
    int lines;
};

enum { DUMP_LINES_MAX = 200, DUMP_DEPTH_MAX = 32 };

static void dump_task(struct dump *dump, const struct weft_task *task, int depth);

static void dump_group(struct dump *dump, const struct weft__group *group, int depth)
{
    dprintf(dump->fd, "%*s%s: %zu task%s\n", depth * 2, "", group->name, group->n_children,
            group->n_children == 1 ? "" : "s");
    for (const struct weft__list *node = group->children.next; node != &group->children;
         node = node->next)
        dump_task(dump, WEFT__CONTAINER(node, const struct weft_task, sibling), depth + 1);
}

static void dump_task(struct dump *dump, const struct weft_task *task, int depth)
{
    if (dump->lines++ == DUMP_LINES_MAX)
        dprintf(dump->fd, "  (more tasks are not shown)\n");
    if (dump->lines > DUMP_LINES_MAX || depth > DUMP_DEPTH_MAX)
        return;
    dprintf(dump->fd, "%*s%s #%llu: waits for %s\n", depth * 2, "", weft_task_name(task),
            (unsigned long long)task->id, state_of(task));
    for (const struct weft__scope *scope = task->outermost; scope != NULL; scope = scope->inner) {
        if (scope->group != NULL)
            dump_group(dump, scope->group, depth + 1);
    }
}

void weft__dump(struct weft__loop *loop, int fd)
{
    struct dump dump = {.fd = fd};
    dump_task(&dump, &loop->native, 0);
}

/* ---- deadlock ---- */

/* Nothing is ready, no timer runs, no I/O is under way: nobody can ever wake anybody. */
void weft__deadlock(struct weft__loop *loop)
{
    struct weft_task *native = &loop->native;
    dprintf(STDERR_FILENO, "weft: deadlock, every task waits for another:\n");
    weft__dump(loop, STDERR_FILENO);
    if (native->outermost != NULL && !native->outermost->cancelled) {
        weft__scope_cancel_code(native->outermost, -EDEADLK, "deadlock");
        if (loop->ready_first != NULL)
            return;
    }
    if (native->state == TASK_PARKED && native->wait->cancel != NULL) {
        weft__fail_code(-EDEADLK);
        native->wait->cancel(native->wait, -EDEADLK);
        return;
    }
    dprintf(STDERR_FILENO, "weft: the deadlock cannot be undone by cancelling\n");
    abort();
}

_Noreturn void weft__dead_scope(const struct weft_task *task)
{
    dprintf(STDERR_FILENO, "weft: task '%s' returned inside a scope or group of its own\n",
            weft_task_name(task));
    abort();
}

_Noreturn void weft__forked_poll(void)
{
    static const char text[] = "weft: the child of a fork went back to its parent's event loop; "
                               "it should end by exec or _exit\n";
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
        abort();
    abort();
}

/* ---- stack overflow ---- */

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
