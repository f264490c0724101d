/* rand.c - xoroshiro128+ seeded by splitmix64. */
#include <sys/random.h>

#include "base/clock.h"
#include "base/rand.h"

static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t rotl(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

void weft__rand_init(struct weft__rand *rand, uint64_t seed)
{
    if (seed == 0 && getrandom(&seed, sizeof seed, GRND_NONBLOCK) != (long)sizeof seed)
        seed = (uint64_t)weft__clock_monotonic() ^ (uint64_t)(uintptr_t)rand;
    rand->state[0] = splitmix(&seed);
    rand->state[1] = splitmix(&seed);
}

uint64_t weft__rand_next(struct weft__rand *rand)
{
    uint64_t a = rand->state[0];
    uint64_t b = rand->state[1];
    uint64_t result = a + b;
    b ^= a;
    rand->state[0] = rotl(a, 24) ^ b ^ (b << 16);
    rand->state[1] = rotl(b, 37);
    return result;
}

static _Thread_local struct weft__rand thread_rand;

void weft__rand_thread_seed(uint64_t seed)
{
    weft__rand_init(&thread_rand, seed);
}

uint64_t weft__rand_thread(void)
{
    if (thread_rand.state[0] == 0 && thread_rand.state[1] == 0)
        weft__rand_init(&thread_rand, 0);
    return weft__rand_next(&thread_rand);
}

uint64_t weft__rand_below(uint64_t random, uint64_t bound)
{
    return (uint64_t)(((unsigned __int128)random * bound) >> 64);
}
