/* A million tasks at once, on the system's default settings. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

static int sleep_one_second(void *arg)
{
    (void)arg;
    return weft_sleep(WEFT_SEC(1));
}

static long available_mib(void)
{
    char line[128];
    long kib = 0;
    FILE *meminfo = fopen("/proc/meminfo", "re");
    if (meminfo == NULL)
        return 0;
    while (fgets(line, sizeof line, meminfo) != NULL) {
        if (sscanf(line, "MemAvailable: %ld", &kib) == 1)
            break;
    }
    fclose(meminfo);
    return kib / 1024;
}

static int a_million_sleepers(void *arg)
{
    weft_group group;
    (void)arg;
    int err = weft_group_init(&group, NULL);
    if (err < 0)
        return err;
    for (int i = 0; i < 1000000 && err == 0; i++)
        err = weft_group_spawn_with(&group, sleep_one_second, NULL,
                                    WEFT_SPAWN(.stack_size = 64 * 1024));
    ASSERT_OK(err);
    ASSERT_INT_EQ(weft_task_count(), 1000001);
    return weft_group_wait(&group);
}

TEST_WITH(a_million_tasks_sleep_at_once, .limit_s = 120)
{
    const char *backend = getenv("WEFT_BACKEND");
    if (backend != NULL && strcmp(backend, "epoll") == 0)
        SKIP("the back end does not matter here, once is enough");
    if (test_slowness() > 1)
        SKIP("too slow under this tool");
    if (available_mib() < 7000)
        SKIP("%ld MiB of memory are available, 7000 are needed", available_mib());
    ASSERT_OK(weft_run_with(a_million_sleepers, NULL, WEFT_RUN(.backend = WEFT_BACKEND_VIRTUAL)));
    ASSERT_INT_EQ(weft_task_count(), 0);
}
