/* A program with tasks on two loops and names that need care, for test_trace.py. */
#include <stdio.h>

#include <weft.h>

static int naps(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20; i++)
        weft_sleep(WEFT_US(100));
    return 3;
}

static int fails(void *arg)
{
    (void)arg;
    weft_yield();
    return -5;
}

static int main_task(void *arg, size_t index)
{
    weft_group group;
    (void)arg;
    if (weft_group_init(&group, WEFT_GROUP(.collect = true)) < 0)
        return 1;
    weft_group_spawn_with(&group, naps, NULL, WEFT_SPAWN(.name = "\"nap\" \\ \t\xc3\xa4\x7f"));
    weft_group_spawn_with(&group, fails, NULL, WEFT_SPAWN(.name = index == 0 ? "first" : "second"));
    weft_group_wait(&group);
    return 0;
}

static int sits(void *arg)
{
    (void)arg;
    putchar('r');
    fflush(stdout);
    return weft_sleep(WEFT_SEC(100));
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1)
        return weft_run(sits, NULL) != 0;
    return weft_loops_run(2, main_task, NULL, NULL) != 0;
}
