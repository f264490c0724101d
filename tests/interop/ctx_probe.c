/*
 * ctx_probe.c - a context that begins, is switched to and from, and ends, three times over,
 * with live values in integer and floating-point registers on both sides.
 *
 * Built on its own by test_ctx.py, for each way of switching there is.
 */
#include <stdio.h>
#include <stdlib.h>

#include "run/ctx.h"

enum { ROUNDS = 3, SWITCHES = 5, STACK = 65536 };

static struct weft__ctx outside;
static struct weft__ctx inside;
static int count;
static double product = 2;

static void *entry(void *arg)
{
    weft__ctx_began();
    for (int i = 0; i < SWITCHES; i++) {
        count += *(int *)arg;
        product *= 1.5;
        weft__ctx_switch(&inside, &outside);
    }
    return weft__ctx_end(&inside, &outside);
}

int main(void)
{
    int step = 1;
    double sum = 1.25;
    char *stack = aligned_alloc(16, STACK);
    if (stack == NULL)
        return 1;
    for (int round = 0; round < ROUNDS; round++) {
        weft__ctx_init(&inside, stack, STACK, entry, &step);
        weft__ctx_enter(&outside, &inside);
        sum *= 2;
        for (int i = 0; i < SWITCHES; i++) {
            weft__ctx_switch(&outside, &inside);
            sum += 1;
        }
    }
    printf("count %d sum %g product %.3f\n", count, sum, product);
    free(stack);
    return 0;
}
