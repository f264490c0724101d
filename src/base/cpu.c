/* cpu.c - how many processors there are to use: affinity, and the quota of control groups. */
#include "base/cpu.h"

#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

/* The smallest quota of a group and those that it lies in: a service's is often that of its slice. */
static uint64_t quota_within(char *folder)
{
    uint64_t least = 0;
    for (;;) {
        uint64_t found = quota_of(folder);
        if (found != 0 && (least == 0 || found < least))
            least = found;
        char *slash = strrchr(folder, '/');
        if (slash == NULL)
            return least;
        *slash = '\0';
    }
}

static uint64_t quota(void)
{
    char line[400];
    char *folder = NULL;
    FILE *file = fopen("/proc/self/cgroup", "re");
    if (file == NULL)
        return 0;
    while (folder == NULL && fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "0::", 3) == 0)
            folder = line + 3;
    }
    fclose(file);
    return folder != NULL ? quota_within(folder) : quota_of("");
}

size_t weft__cpu_count(pid_t thread)
{
    cpu_set_t allowed;
    uint64_t most = quota();
    uint64_t n;
    if (sched_getaffinity(thread, sizeof allowed, &allowed) == 0)
        n = (uint64_t)CPU_COUNT(&allowed);
    else /* more CPUs than the set holds: then affinity is not what limits */
        n = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN);
    return (size_t)(most != 0 && most < n ? most : n);
}
