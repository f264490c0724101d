/*
 * dump_probe.c - tasks that wait two calls deep, and the tree of them.
 *
 * Built on its own by test_ctx.py, for each way of switching there is.
 */
#include <unistd.h>

#include <weft/debug.h>

#define CALL __attribute__((noinline, noclone))
static volatile int after_call;

CALL int waits_inside(void)
{
    int err = weft_sleep(WEFT_SEC(100));
    after_call++;
    return err;
}

CALL int waiter(void *arg)
{
    (void)arg;
    int err = waits_inside();
    after_call++;
    return err;
}

static int main_task(void *arg)
{
    weft_group group;
    (void)arg;
    if (weft_group_init(&group, NULL) < 0)
        return -1;
    for (int i = 0; i < 3; i++)
        weft_group_spawn_with(&group, waiter, NULL, WEFT_SPAWN(.name = "waiter"));
    weft_sleep(WEFT_MS(1));
    weft_dump_tasks(STDOUT_FILENO);
    weft_group_cancel(&group, NULL);
    return weft_group_wait(&group);
}

int main(void)
{
    return weft_run_with(main_task, NULL, WEFT_RUN(.backend = WEFT_BACKEND_EPOLL)) != 0;
}
