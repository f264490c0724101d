#include "storm.h"

#include <stdlib.h>

#include <weft/testing.h>

#include "test.h"

struct round {
    const struct storm *storm;
    struct storm_worker workers[STORM_WORKERS];
    weft_fn fn;
    uint64_t nth;
    int victim;
};

static int call_work(void *arg)
{
    struct storm_worker *worker = arg;
    struct round *round = worker->state;
    struct storm_worker seen = *worker;
    seen.state = round->storm->state;
    worker->result = round->storm->work(&seen);
    if (worker->result == -ECANCELED && worker->is_victim)
        return 0;
    return worker->result;
}

/* Returns whether the victim came to its checkpoint. */
static bool run_round(struct round *round)
{
    const struct storm *storm = round->storm;
    weft_group others;
    weft_group of_victim;
    storm->begin(storm->state);
    ASSERT_OK(weft_group_init(&others, WEFT_GROUP(.name = "others")));
    ASSERT_OK(weft_group_init(&of_victim, WEFT_GROUP(.name = "victim")));
    weft_testing_cancel_at((weft_scope *)(void *)&of_victim, round->nth);
    for (int i = 0; i < storm->n_workers; i++) {
        round->workers[i] =
            (struct storm_worker){.state = round, .number = i, .is_victim = i == round->victim};
        ASSERT_OK(weft_group_spawn(i == round->victim ? &of_victim : &others, call_work,
                                   &round->workers[i]));
    }
    int err = weft_group_wait(&of_victim);
    uint64_t count = weft_testing_checkpoint_count();
    weft_testing_cancel_at(NULL, 0);
    ASSERT_OK(err);
    ASSERT_OK(weft_group_wait(&others));
    storm->end(storm->state, round->workers);
    return count >= round->nth;
}

static int run_seed(void *arg)
{
    struct round *round = arg;
    round->nth = 1;
    while (run_round(round))
        round->nth++;
    return 0;
}

void storm(const struct storm *storm)
{
    struct round round = {.storm = storm};
    uint64_t seeds = 1000 / (uint64_t)test_slowness();
    bool is_real = getenv("WEFT_BACKEND") != NULL;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        round.victim = (int)(seed % (uint64_t)storm->n_workers);
        int err =
            weft_run_with(run_seed, &round,
                          WEFT_RUN(.backend = is_real ? WEFT_BACKEND_DEFAULT : WEFT_BACKEND_VIRTUAL,
                                   .seed = seed));
        if (err < 0)
            FAIL("seed %ju, cancelled at checkpoint %ju: %s", (uintmax_t)seed, (uintmax_t)round.nth,
                 weft_error_message());
    }
}
