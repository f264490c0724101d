/* Runs below deny_uring. */
#include <linux/io_uring.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "test.h"

TEST(denied_io_uring_setup_says_eperm)
{
    struct io_uring_params params = {0};
    ASSERT_INT_EQ(syscall(__NR_io_uring_setup, 1, &params), -1);
    ASSERT_INT_EQ(errno, EPERM);
}

TASK_TEST(denied_io_uring_is_replaced_by_epoll)
{
    ASSERT_STR_EQ(weft_backend_name(), "epoll");
    ASSERT_OK(weft_sleep(WEFT_MS(1)));
}
