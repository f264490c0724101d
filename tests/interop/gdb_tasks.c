/* A program that stops in one task while others wait, for test_gdb.py. */
#include <signal.h>

#include <weft.h>

#define CALL __attribute__((noinline, noclone))
static volatile int after_call;

static CALL int sleeps_inside(void)
{
    int err = weft_sleep(WEFT_SEC(1));
    after_call++;
    return err;
}

static int sleeper(void *arg)
{
    (void)arg;
    int err = sleeps_inside();
    after_call++;
    return err;
}

static CALL int stop_here(void)
{
    int err = raise(SIGTRAP);
    after_call++;
    return err;
}

static int stopper(void *arg)
{
    (void)arg;
    weft_sleep(WEFT_MS(1));
    return stop_here();
}

static int main_task(void *arg)
{
    weft_group group;
    (void)arg;
    if (weft_group_init(&group, WEFT_GROUP(.name = "workers")) < 0)
        return 1;
    weft_group_spawn_with(&group, sleeper, NULL, WEFT_SPAWN(.name = "sleeper"));
    weft_group_spawn_with(&group, stopper, NULL, WEFT_SPAWN(.name = "stopper"));
    return weft_group_wait(&group);
}

int main(void)
{
    return weft_run(main_task, NULL) != 0;
}
