/*
 * fault.h - operations that fail because a test wants them to: see weft_testing_fail_op.
 *
 * Code that makes a system call asks first:
 *
 *     do {
 *         err = weft__fault_io("write", &len);
 *         n = err < 0 ? err : ...write(fd, data, len)...
 *     } while (n == -EINTR);
 *
 * Plans belong to the thread that made them; a worker acts for the thread whose job it runs.
 */
#ifndef WEFT_BASE_FAULT_H
#define WEFT_BASE_FAULT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct weft__fault {
    int error;
    size_t limit;
    int64_t delay;
};

/* How many plans there are, of all threads. */
extern atomic_int weft__faults_armed;

static inline bool weft__faults_any(void)
{
    return __builtin_expect(atomic_load_explicit(&weft__faults_armed, memory_order_relaxed) != 0,
                            0);
}

/* Counts an operation; true if it is one that a plan is about. */
bool weft__fault_find(const char *name, struct weft__fault *ret);
int weft__fault_apply(const char *name, size_t *len);

/* 0, or the error that a test wants; *len may be cut. NULL: nothing is moved. */
static inline int weft__fault_io(const char *name, size_t *len)
{
    return weft__faults_any() ? weft__fault_apply(name, len) : 0;
}

static inline int weft__fault_syscall(const char *name)
{
    return weft__fault_io(name, NULL);
}

/* Whose plans count on this thread; 0: nobody's. */
uint64_t weft__fault_owner(void);
void weft__fault_act_for(uint64_t owner);

#endif
