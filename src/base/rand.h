/* rand.h - fast random numbers for jitter and shuffles; nothing secret comes from here. */
#ifndef WEFT_BASE_RAND_H
#define WEFT_BASE_RAND_H

#include <stdint.h>

struct weft__rand {
    uint64_t state[2];
};

/* seed 0: from the kernel. */
void weft__rand_init(struct weft__rand *rand, uint64_t seed);
uint64_t weft__rand_next(struct weft__rand *rand);
/* Of the calling thread, seeded from the kernel at its first use. */
uint64_t weft__rand_thread(void);
/* For tests: from here on the thread's numbers follow from a seed; 0: from the kernel again. */
void weft__rand_thread_seed(uint64_t seed);
/* Uniform in 0 .. bound - 1; bound > 0. */
uint64_t weft__rand_below(uint64_t random, uint64_t bound);

#endif
