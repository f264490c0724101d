#include <limits.h>
#include <pthread.h>
#include <string.h>

#include <weft/group.h>
#include <weft/testing.h>
#include <weft/thread.h>

#include "base/alloc.h"
#include "base/error_int.h"
#include "test.h"

static const struct {
    int code;
    const char *name;
    const char *text;
    weft_error_family family;
    bool retryable;
} table[] = {
#define ROW(name, number, family, retryable, text)                                                 \
    {WEFT_##name, "WEFT_" #name, text, WEFT_FAMILY_##family, retryable},
    WEFT_ERRORS(ROW)
#undef ROW
};
enum { ROWS = sizeof table / sizeof table[0] };

TEST(error_table_has_every_code_name_and_text_once)
{
    for (int i = 0; i < ROWS; i++) {
        ASSERT_INT_LE(table[i].code, -10001);
        ASSERT_INT_GE(table[i].code, -10999);
        for (int k = i + 1; k < ROWS; k++) {
            ASSERT_INT_NE(table[i].code, table[k].code);
            ASSERT(strcmp(table[i].text, table[k].text) != 0);
        }
    }
}

TEST(error_functions_answer_as_the_table_says_with_either_sign)
{
    for (int i = 0; i < ROWS; i++) {
        ASSERT_STR_EQ(weft_error_name(table[i].code), table[i].name);
        ASSERT_STR_EQ(weft_error_name(-table[i].code), table[i].name);
        ASSERT_STR_EQ(weft_error_text(table[i].code), table[i].text);
        ASSERT_STR_EQ(weft_error_text(-table[i].code), table[i].text);
        ASSERT_INT_EQ(weft_error_get_family(table[i].code), table[i].family);
        ASSERT_INT_EQ(weft_error_is_retryable(table[i].code), table[i].retryable);
    }
}

TEST(error_of_the_system_has_its_errno_name_and_text)
{
    ASSERT_STR_EQ(weft_error_name(-ENOENT), "ENOENT");
    ASSERT_STR_EQ(weft_error_name(ENOENT), "ENOENT");
    ASSERT_STR_EQ(weft_error_text(-ENOENT), "No such file or directory");
    ASSERT_STR_EQ(weft_error_text(-ECANCELED), "cancelled");
    ASSERT_INT_EQ(weft_error_get_family(-ENOENT), WEFT_FAMILY_SYSTEM);
    ASSERT(!weft_error_is_retryable(-ENOENT));
    ASSERT(!weft_error_is_retryable(-ECANCELED));
    ASSERT(!weft_error_is_retryable(-ENOMEM));
    ASSERT(!weft_error_is_retryable(-EINVAL));
    ASSERT(weft_error_is_retryable(-ECONNRESET));
    ASSERT(weft_error_is_retryable(-EAGAIN));
}

TEST(error_code_that_nobody_knows_is_called_unknown)
{
    static const int codes[] = {-9999, -10000, -11000, INT_MAX, INT_MIN, INT_MIN + 1};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        ASSERT_STR_EQ(weft_error_name(codes[i]), "unknown");
        ASSERT_STR_EQ(weft_error_text(codes[i]), "unknown error");
        ASSERT(!weft_error_is_retryable(codes[i]));
    }
}

TEST(error_of_success_is_no_error)
{
    ASSERT_STR_EQ(weft_error_text(0), "success");
    ASSERT_INT_EQ(weft_error_get_family(0), WEFT_FAMILY_NONE);
    ASSERT_INT_EQ(weft_error_get_family(5), WEFT_FAMILY_NONE);
    ASSERT(!weft_error_is_retryable(0));
    ASSERT(!weft_error_is_retryable(ECONNRESET));
    ASSERT_STR_EQ(weft_error_message(), "no error");
}

TEST(fail_sets_the_message_and_returns_the_code)
{
    ASSERT_INT_EQ(weft__fail(-EINVAL, "limit %d is above %s", 7, "5"), -EINVAL);
    ASSERT_STR_EQ(weft_error_message(), "limit 7 is above 5");
    ASSERT_INT_EQ(weft__fail_with(-ENOENT, "open %s", "/x"), -ENOENT);
    ASSERT_STR_EQ(weft_error_message(), "open /x: No such file or directory");
    ASSERT_INT_EQ(weft__fail_prefix(-ENOENT, "GET %s", "u"), -ENOENT);
    ASSERT_STR_EQ(weft_error_message(), "GET u: open /x: No such file or directory");
    ASSERT_INT_EQ(weft__fail_code(WEFT_EDNS), WEFT_EDNS);
    ASSERT_STR_EQ(weft_error_message(), "name resolution failed");
    ASSERT_INT_EQ(weft__fail_prefix(WEFT_EDNS, "host"), WEFT_EDNS);
    ASSERT_STR_EQ(weft_error_message(), "host: name resolution failed");
    ASSERT_INT_EQ(weft__fail_nomem(), -ENOMEM);
    ASSERT_STR_EQ(weft_error_message(), "Cannot allocate memory");
}

TEST(fail_with_a_part_of_the_old_message_uses_it)
{
    weft__fail(-EINVAL, "inner");
    weft__fail(-EINVAL, "outer: %s", weft_error_message());
    ASSERT_STR_EQ(weft_error_message(), "outer: inner");
}

TEST(fail_with_a_long_text_is_cut)
{
    char big[2000];
    memset(big, 'a', sizeof big);
    big[sizeof big - 1] = '\0';
    weft__fail(-EINVAL, "%s", big);
    ASSERT_INT_EQ(strlen(weft_error_message()), WEFT__ERROR_TEXT_MAX - 1);
    weft__fail_prefix(-EINVAL, "prefix");
    ASSERT_INT_EQ(strlen(weft_error_message()), WEFT__ERROR_TEXT_MAX - 1);
    ASSERT_STR_HAS(weft_error_message(), "prefix: aaa");
    weft__fail_prefix(-EINVAL, "%s", big);
    ASSERT_INT_EQ(strlen(weft_error_message()), WEFT__ERROR_TEXT_MAX - 1);
    weft__fail_with(-EINVAL, "%s", big);
    ASSERT_INT_EQ(strlen(weft_error_message()), WEFT__ERROR_TEXT_MAX - 1);
}

TEST(fail_without_memory_leaves_the_text_of_the_code)
{
    weft_testing_fail_alloc(1, true);
    ASSERT_INT_EQ(weft__fail(WEFT_EREFUSED, "127.0.0.1:1"), WEFT_EREFUSED);
    ASSERT_STR_EQ(weft_error_message(), "connection refused");
    ASSERT_INT_EQ(weft__fail_with(-ENOENT, "open"), -ENOENT);
    ASSERT_STR_EQ(weft_error_message(), "No such file or directory");
    ASSERT_INT_EQ(weft__fail_prefix(-ENOENT, "more"), -ENOENT);
    ASSERT_STR_EQ(weft_error_message(), "No such file or directory");
    ASSERT_INT_EQ(weft__fail_nomem(), -ENOMEM);
    ASSERT_STR_EQ(weft_error_message(), "Cannot allocate memory");
}

TEST(error_move_hands_the_message_over)
{
    struct weft__context child = {0};
    struct weft__context *parent = weft__context_get();
    weft__fail(-EINVAL, "of the parent");
    weft__context = &child;
    weft__fail(-ENOENT, "of the child");
    weft__context = parent;
    ASSERT_STR_EQ(weft_error_message(), "of the parent");
    weft__error_move(parent, &child);
    ASSERT_STR_EQ(weft_error_message(), "of the child");
    ASSERT(child.error_text == NULL);
    weft__error_move(parent, parent);
    ASSERT_STR_EQ(weft_error_message(), "of the child");
    weft__error_done(&child);
    weft__error_done(parent);
    ASSERT_STR_EQ(weft_error_message(), "no error");
}

TEST(error_set_is_a_sentence_of_the_program)
{
    ASSERT_INT_EQ(weft_error_set(-EPROTO, "user %d has no %s", 7, "name"), -EPROTO);
    ASSERT_STR_EQ(weft_error_message(), "user 7 has no name");
    /* The present message may be a part of it. */
    ASSERT_INT_EQ(weft_error_set(-4711, "import: %s", weft_error_message()), -4711);
    ASSERT_STR_EQ(weft_error_message(), "import: user 7 has no name");
    char long_text[600];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    weft_error_set(-EIO, "%s", long_text);
    ASSERT_INT_EQ(strlen(weft_error_message()), 511);
    weft_error_set(-EIO, "%s", "");
    ASSERT_STR_EQ(weft_error_message(), weft_error_text(-EIO));
}

TEST(error_set_without_memory_is_the_text_of_the_code)
{
    weft__error_done(weft__context_get());
    weft_testing_fail_alloc(1, false);
    ASSERT_INT_EQ(weft_error_set(-EPROTO, "user %d has no name", 7), -EPROTO);
    weft_testing_fail_alloc(0, false);
    ASSERT_STR_EQ(weft_error_message(), weft_error_text(-EPROTO));
}

static int has_no_name(void *arg)
{
    return weft_error_set(-EPROTO, "user %d has no name", *(int *)arg);
}

TASK_TEST(error_set_comes_along_with_the_task_that_failed)
{
    int user = 7;
    weft_group group;
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, has_no_name, &user));
    ASSERT_INT_EQ(weft_group_wait(&group), -EPROTO);
    ASSERT_STR_EQ(weft_error_message(), "user 7 has no name");
    weft_error_set(-EIO, "something else");
    ASSERT_INT_EQ(weft_offload(has_no_name, &user), -EPROTO);
    ASSERT_STR_EQ(weft_error_message(), "user 7 has no name");
}

TEST(error_prefix_makes_room_for_what_went_wrong)
{
    char long_text[400];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    weft__fail(-EIO, "the cause: %.*s", 150, long_text);
    weft__fail_prefix(-EIO, "%s", long_text);
    ASSERT_STR_HAS(weft_error_message(), "xxx...: the cause: xxx");
    ASSERT_INT_EQ(strlen(weft_error_message()), 511);
    /* Half of it stays whatever comes. */
    weft__fail(-EIO, "the cause: %s", long_text);
    weft__fail_prefix(-EIO, "%s", long_text);
    ASSERT_STR_HAS(weft_error_message(), "xxx...: the cause: xxx");
    ASSERT_INT_EQ(strcspn(weft_error_message(), "."), 253);
    weft__fail(-EIO, "short");
    weft__fail_prefix(-EIO, "%.100s", long_text);
    ASSERT_STR_HAS(weft_error_message(), "xxx: short");
}

static void *read_message(void *arg)
{
    bool *ret_clean = arg;
    *ret_clean = strcmp(weft_error_message(), "no error") == 0;
    weft__fail(-EIO, "of the other thread");
    weft__error_done(weft__context_get());
    return NULL;
}

TEST(error_message_belongs_to_its_thread)
{
    pthread_t thread;
    bool clean = false;
    weft__fail(-EINVAL, "of this thread");
    ASSERT_INT_EQ(pthread_create(&thread, NULL, read_message, &clean), 0);
    ASSERT_INT_EQ(pthread_join(thread, NULL), 0);
    ASSERT(clean);
    ASSERT_STR_EQ(weft_error_message(), "of this thread");
}
