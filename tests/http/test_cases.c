#include <stdio.h>

#include "script.h"
#include "test.h"

TEST(cases_have_at_least_250_exchanges)
{
    int n = script_count();
    fprintf(stderr, "%d exchanges\n", n);
    ASSERT_INT_GE(n, 250);
}

TEST_WITH(cases_in_memory, .limit_s = 60)
{
    script_run(SCRIPT_MEMORY, true);
}

TEST_WITH(cases_over_h2_in_memory, .limit_s = 60)
{
    script_run_over_h2(SCRIPT_MEMORY, true);
}

TEST_WITH(cases_over_h2_and_tcp_in_plain_code, .limit_s = 60)
{
    script_run_over_h2(SCRIPT_TCP, false);
}

TEST_WITH(cases_over_tcp_in_tasks, .limit_s = 60)
{
    script_run(SCRIPT_TCP, true);
}

TEST_WITH(cases_over_tcp_in_plain_code, .limit_s = 60)
{
    script_run(SCRIPT_TCP, false);
}

TEST_WITH(cases_over_tls_in_tasks, .limit_s = 60)
{
    script_run(SCRIPT_TLS, true);
}

TEST_WITH(cases_over_tls_in_plain_code, .limit_s = 60)
{
    script_run(SCRIPT_TLS, false);
}
