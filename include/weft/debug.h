/*
 * weft/debug.h - seeing inside: what every task waits for, and where.
 */
#ifndef WEFT_DEBUG_H
#define WEFT_DEBUG_H

#include <weft/run.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * weft_task_id() - the number of a task, as it stands in dumps
 * @task: borrows. NULL is allowed.
 *
 * Suspends: never.
 * Return:   1 for the first task of a loop, and so on; 0 for what stands for the thread.
 * Since:    0.1
 */
WEFT_API uint64_t weft_task_id(const weft_task *task);

/**
 * weft_dump_tasks() - print the tree of tasks of the calling thread's loop
 * @fd: where to, as STDERR_FILENO.
 *
 * Each task has its name and number, what it waits for and since when, and its call stack,
 * innermost call first; scopes and groups have the time that is left, and why they were
 * cancelled.  Of tasks of a group that do the same, four are shown and the others counted.  At
 * most 1000 tasks are shown, and 48 calls of each.  Offsets in brackets are what addr2line -e
 * takes.  Needs no memory.  The descriptor is written to without regard for others: where it may
 * block, so does the loop.
 *
 * Suspends: never.
 * Source:   asyncio.print_call_graph, Task.print_stack.
 * Since:    0.1
 */
WEFT_API void weft_dump_tasks(int fd);

#ifdef __cplusplus
}
#endif
#endif
