/* cpu.h - how many processors there are to use. */
#ifndef WEFT_BASE_CPU_H
#define WEFT_BASE_CPU_H

#include <stddef.h>
#include <sys/types.h>

/* Those that a thread may run on, 0 the calling one, within the quota of its control group. */
size_t weft__cpu_count(pid_t thread);

#endif
