/* cpu.c - how many processors there are to use: affinity, and the quota of control groups. */
#include "base/cpu.h"

#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

/* The whole CPUs that a control group's quota allows, at least 1; 0: no quota. */
static uint64_t quota_of(const char *folder)
{
    char path[512];
    char line[64];
    snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.max", folder);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    uint64_t quota = 0;
    uint64_t period = 0;
    if (fgets(line, sizeof line, file) != NULL) {
        /* "200000 100000", or "max 100000" */
        size_t digits = strcspn(line, " ");
        const char *second = line + digits + strspn(line + digits, " ");
        if (weft__parse_u64(line, digits, &quota) < 0 ||
            weft__parse_u64(second, strcspn(second, "\n"), &period) < 0)
            quota = 0;
    }
    fclose(file);
    if (quota == 0 || period == 0)
        return 0;
    return quota > period ? quota / period : 1;
}

static uint64_t quota(void)
{
    char line[400];
    uint64_t found = 0;
    FILE *file = fopen("/proc/self/cgroup", "re");
    if (file == NULL)
        return 0;
    while (found == 0 && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "0::", 3) != 0)
            continue;
        line[strcspn(line, "\n")] = '\0';
        found = quota_of(line + 3);
    }
    fclose(file);
    return found != 0 ? found : quota_of("");
}

size_t weft__cpu_count(pid_t thread)
{
    cpu_set_t allowed;
    uint64_t most = quota();
    /* More CPUs than the set holds: then affinity is not what limits. */
    uint64_t n = 1;
    if (sched_getaffinity(thread, sizeof allowed, &allowed) == 0)
        n = (uint64_t)CPU_COUNT(&allowed);
    return (size_t)(most != 0 && most < n ? most : n);
}
