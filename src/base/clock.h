/* clock.h - the real clocks; code under test asks weft_now(), which a virtual loop answers. */
#ifndef WEFT_BASE_CLOCK_H
#define WEFT_BASE_CLOCK_H

#include <stdint.h>

int64_t weft__clock_monotonic(void);
/* Seconds since 1970, for dates in headers, cookies and certificates. */
int64_t weft__clock_wall(void);
/* For tests: what answers on this thread instead; NULL: the system. */
void weft__clock_wall_from(int64_t (*source)(void));
/* when + duration without overflow: WEFT_FOREVER stays WEFT_FOREVER. */
int64_t weft__clock_add(int64_t when, int64_t duration);

#endif
