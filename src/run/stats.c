/*
 * stats.c - what a loop has and has done.
 */
#include <weft/debug.h>

#include "base/limits.h"
#include "run/run_int.h"

/* All budget that was ever spent. */
static uint64_t turns_of(const struct weft__loop *loop)
{
    return loop->n_turns + (uint64_t)(WEFT__LIMIT_READY_BUDGET - loop->budget);
}

int weft_run_stats(weft_run_statistics *ret)
{
    struct weft__loop *loop = weft__loop_get();
    if (loop == NULL)
        return weft__context_get()->error_code;
    size_t ready = 0;
    for (const struct weft_task *task = loop->ready_first; task != NULL; task = task->next_ready)
        ready += task != &loop->native;
    bool in_task = weft__context != &loop->native.context;
    int64_t next = weft__timers_next(&loop->timers);
    int64_t left = next - weft__loop_now(loop);
    *ret = (weft_run_statistics){
        .tasks = loop->n_tasks,
        .ready = ready,
        .parked = loop->n_tasks - ready - in_task,
        .spawned = loop->next_id,
        .switches = turns_of(loop) - loop->n_spent,
        .polls = loop->debug.n_polls,
        .timers = loop->timers.n,
        .pending = loop->n_pending,
        .stacks = loop->stacks.n_live - loop->n_free_tasks,
        .stacks_cached = loop->stacks.n_free + loop->n_free_tasks,
        .stack_bytes = loop->stacks.mapped,
        .next_deadline = next == WEFT_FOREVER ? WEFT_FOREVER
                         : left > 0           ? left
                                              : 0,
        .backend = loop->backend->name,
    };
    return 0;
}
