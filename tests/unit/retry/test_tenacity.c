/* The waits and stops of tenacity, number by number: tenacity.tsv is what tenacity itself says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/retry.h>

#include "test.h"

enum { FIELDS_MAX = 10, WAITS_LEAST = 300, STOPS_LEAST = 80 };

static int64_t ns(const char *seconds)
{
    return (int64_t)(strtod(seconds, NULL) * 1e9 + 0.5);
}

static const weft_wait parts[] = {
    {WEFT_WAIT_FIXED, .min = WEFT_SEC(3)},
    {WEFT_WAIT_RANDOM, .min = WEFT_SEC(1), .max = WEFT_SEC(2)},
    {WEFT_WAIT_EXPONENTIAL, .multiplier = WEFT_SEC(1), .max = WEFT_SEC(10), .min = WEFT_SEC(2)},
};

static weft_wait_kind wait_kind(const char *name)
{
    static const struct {
        const char *name;
        weft_wait_kind kind;
    } kinds[] = {
        {"none", WEFT_WAIT_NONE},
        {"fixed", WEFT_WAIT_FIXED},
        {"random", WEFT_WAIT_RANDOM},
        {"incrementing", WEFT_WAIT_INCREMENTING},
        {"exponential", WEFT_WAIT_EXPONENTIAL},
        {"random_exponential", WEFT_WAIT_RANDOM_EXPONENTIAL},
        {"exponential_jitter", WEFT_WAIT_EXPONENTIAL_JITTER},
        {"chain", WEFT_WAIT_CHAIN},
        {"sum", WEFT_WAIT_SUM},
        {"combine", WEFT_WAIT_SUM},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].name, name) == 0)
            return kinds[i].kind;
    }
    FAIL("no wait is called %s", name);
    return WEFT_WAIT_DEFAULT;
}

/* Seconds are doubles there: so much they may be off. */
static void check_near(const char *what, int attempt, int64_t actual, int64_t expected)
{
    int64_t off = actual > expected ? actual - expected : expected - actual;
    if (off > 2 + expected / 1000000000)
        FAIL("%s, attempt %d: %jd ns, tenacity says %jd", what, attempt, (intmax_t)actual,
             (intmax_t)expected);
}

static void check_wait(char *const fields[FIELDS_MAX])
{
    const weft_wait wait = {
        .kind = wait_kind(fields[1]),
        .multiplier = ns(fields[2]),
        .min = ns(fields[3]),
        .max = ns(fields[4]),
        .jitter = ns(fields[5]),
        .base = strtod(fields[6], NULL),
        .parts = parts,
        .n_parts = 3,
    };
    int attempt = (int)strtol(fields[7], NULL, 10);
    int64_t least = strtoll(fields[8], NULL, 10);
    int64_t most = strtoll(fields[9], NULL, 10);
    if (wait.kind != WEFT_WAIT_SUM) {
        check_near(fields[1], attempt, weft_wait_compute(&wait, attempt, 0), least);
        check_near(fields[1], attempt, weft_wait_compute(&wait, attempt, UINT64_MAX), most);
        return;
    }
    /* The parts of a sum draw apart: no single value gives all of them their most. */
    for (uint64_t i = 0; i < 2000; i++) {
        int64_t value = weft_wait_compute(&wait, attempt, i * UINT64_C(0x9e3779b97f4a7c15));
        ASSERT_INT_GE(value, least);
        ASSERT_INT_LE(value, most);
    }
}

static void check_stop(char *const fields[FIELDS_MAX])
{
    static const weft_stop both[] = {{WEFT_STOP_ATTEMPTS, .attempts = 3},
                                     {WEFT_STOP_AFTER, .time = WEFT_SEC(10)}};
    const char *name = fields[1];
    weft_stop stop = {.parts = both, .n_parts = 2};
    if (strcmp(name, "attempts") == 0)
        stop = (weft_stop){WEFT_STOP_ATTEMPTS, .attempts = (int)strtol(fields[2], NULL, 10)};
    else if (strcmp(name, "after") == 0)
        stop = (weft_stop){WEFT_STOP_AFTER, .time = ns(fields[2])};
    else if (strcmp(name, "before") == 0)
        stop = (weft_stop){WEFT_STOP_BEFORE, .time = ns(fields[2])};
    else if (strcmp(name, "any") == 0)
        stop.kind = WEFT_STOP_ANY;
    else if (strcmp(name, "all") == 0)
        stop.kind = WEFT_STOP_ALL;
    else
        ASSERT_STR_EQ(name, "never");
    const weft_attempt attempt = {
        .size = sizeof attempt,
        .number = (int)strtol(fields[3], NULL, 10),
        .elapsed = ns(fields[4]),
        .wait = ns(fields[5]),
    };
    if (weft_stop_reached(&stop, &attempt) != (fields[6][0] == '1'))
        FAIL("stop %s %s at attempt %s, %s s, %s s to come: tenacity says %s", name, fields[2],
             fields[3], fields[4], fields[5], fields[6]);
}

static size_t split(char *line, char *fields[FIELDS_MAX])
{
    size_t n = 0;
    line[strcspn(line, "\n")] = '\0';
    while (n < FIELDS_MAX) {
        fields[n++] = line;
        line += strcspn(line, "\t");
        if (*line == '\0')
            break;
        *line++ = '\0';
    }
    return n;
}

TEST(waits_and_stops_are_those_of_tenacity)
{
    char path[512];
    char line[512];
    char *fields[FIELDS_MAX];
    size_t waits = 0;
    size_t stops = 0;
    snprintf(path, sizeof path, "%s/tests/unit/retry/tenacity.tsv", test_source_root());
    FILE *file = fopen(path, "r");
    ASSERT(file != NULL);
    while (fgets(line, sizeof line, file) != NULL) {
        if (line[0] == '#')
            continue;
        size_t n = split(line, fields);
        if (strcmp(fields[0], "wait") == 0) {
            ASSERT_INT_EQ(n, 10);
            check_wait(fields);
            waits++;
        } else {
            ASSERT_INT_EQ(n, 7);
            check_stop(fields);
            stops++;
        }
    }
    fclose(file);
    ASSERT_INT_GE(waits, WAITS_LEAST);
    ASSERT_INT_GE(stops, STOPS_LEAST);
}
