#include <weft/sync.h>

#include "test.h"

VIRTUAL_TEST(semaphore_bounded_released_once_too_often_is_refused)
{
    weft_semaphore *semaphore;
    ASSERT_OK(weft_semaphore_new_bounded(2, &semaphore));
    ASSERT_ERR(weft_semaphore_release(semaphore), -EOVERFLOW);
    ASSERT_OK(weft_semaphore_acquire(semaphore));
    ASSERT_OK(weft_semaphore_release(semaphore));
    ASSERT_ERR(weft_semaphore_release(semaphore), -EOVERFLOW);
    ASSERT_INT_EQ(weft_semaphore_available(semaphore), 2);
    weft_semaphore_free(semaphore);
    ASSERT_OK(weft_semaphore_new(1, &semaphore));
    ASSERT_OK(weft_semaphore_release(semaphore));
    ASSERT_INT_EQ(weft_semaphore_available(semaphore), 2);
    weft_semaphore_free(semaphore);
}
