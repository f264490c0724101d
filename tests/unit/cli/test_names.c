/*
 * test_names.c - no two files of a run have the same name.
 */
#include "cli/fetch.h"
#include "test.h"

TEST(names_are_kept_until_they_are_taken)
{
    struct names names = {0};
    char name[FILE_NAME_MAX + 32];
    ASSERT_OK(names_take(&names, "a.json", 1, name));
    ASSERT_STR_EQ(name, "a.json");
    ASSERT_OK(names_take(&names, "b.json", 2, name));
    ASSERT_STR_EQ(name, "b.json");
    ASSERT_OK(names_take(&names, "a.json", 3, name));
    ASSERT_STR_EQ(name, "a-3.json");
    names_done(&names);
}

TEST(names_numbered_ones_are_taken_too)
{
    struct names names = {0};
    char name[FILE_NAME_MAX + 32];
    ASSERT_OK(names_take(&names, "a-2", 1, name));
    ASSERT_OK(names_take(&names, "a", 2, name));
    ASSERT_STR_EQ(name, "a");
    ASSERT_OK(names_take(&names, "a", 2, name));
    ASSERT_STR_EQ(name, "a-3");
    ASSERT_OK(names_take(&names, "a-3", 3, name));
    ASSERT_STR_EQ(name, "a-3-3");
    names_done(&names);
}

TEST(names_beyond_the_maximum_are_all_numbered)
{
    struct names names = {0};
    char wanted[FILE_NAME_MAX];
    char name[FILE_NAME_MAX + 32];
    for (uint64_t i = 0; i < NAMES_MAX; i++) {
        snprintf(wanted, sizeof wanted, "f%llu", (unsigned long long)i);
        ASSERT_OK(names_take(&names, wanted, i + 1, name));
    }
    ASSERT_INT_EQ(names.n, NAMES_MAX);
    ASSERT_OK(names_take(&names, "new", 1048577, name));
    ASSERT_STR_EQ(name, "new-1048577");
    ASSERT_INT_EQ(names.n, NAMES_MAX);
    names_done(&names);
}
