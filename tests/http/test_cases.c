#include "script.h"
#include "test.h"

#define CASES(name)                                                                                \
    TEST_WITH(name##_in_memory_whole, .limit_s = 30)                                               \
    {                                                                                              \
        script_run(#name, SCRIPT_WHOLE, true);                                                     \
    }                                                                                              \
    TEST_WITH(name##_in_memory_byte_by_byte, .limit_s = 30)                                        \
    {                                                                                              \
        script_run(#name, SCRIPT_BYTES, true);                                                     \
    }                                                                                              \
    TEST_WITH(name##_in_memory_split_at_random, .limit_s = 30)                                     \
    {                                                                                              \
        script_run(#name, SCRIPT_RANDOM, true);                                                    \
    }                                                                                              \
    TEST_WITH(name##_over_tcp_whole, .limit_s = 30)                                                \
    {                                                                                              \
        script_run(#name, SCRIPT_WHOLE, false);                                                    \
    }                                                                                              \
    TEST_WITH(name##_over_tcp_byte_by_byte, .limit_s = 30)                                         \
    {                                                                                              \
        script_run(#name, SCRIPT_BYTES, false);                                                    \
    }                                                                                              \
    TEST_WITH(name##_over_tcp_split_at_random, .limit_s = 30)                                      \
    {                                                                                              \
        script_run(#name, SCRIPT_RANDOM, false);                                                   \
    }

CASES(framing)
CASES(request)
CASES(connection)
CASES(redirect)
CASES(retry)
CASES(upload)
CASES(response)
CASES(proxy)
CASES(tunnel)
