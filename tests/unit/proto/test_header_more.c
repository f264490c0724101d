/* What users do with header fields beside getting and setting. */
#include <errno.h>
#include <string.h>

#include <weft/error.h>
#include <weft/http.h>

#include "fault.h"
#include "test.h"

static weft_headers *filled(void)
{
    weft_headers *headers;
    ASSERT_OK(weft_headers_new(&headers));
    ASSERT_OK(weft_headers_add(headers, "a", "123"));
    ASSERT_OK(weft_headers_add(headers, "A", "456"));
    ASSERT_OK(weft_headers_add(headers, "b", "789"));
    return headers;
}

TEST(headers_joined_have_commas_between)
{
    weft_headers *headers = filled();
    char *text = NULL;
    ASSERT_OK(weft_headers_get_joined(headers, "a", &text));
    ASSERT_STR_EQ(text, "123, 456");
    weft_free(text);
    text = NULL;
    ASSERT_INT_EQ(weft_headers_get_joined(headers, "c", &text), -ENOENT);
    ASSERT(text == NULL);
    weft_headers_free(headers);
}

TEST(headers_list_is_split_at_commas_where_asked)
{
    weft_headers *headers;
    char **list;
    size_t n;
    ASSERT_OK(weft_headers_new(&headers));
    ASSERT_OK(weft_headers_add(headers, "vary", "a, b"));
    ASSERT_OK(weft_headers_add(headers, "Vary", "c ,\"d, \\\", e\""));
    ASSERT_OK(weft_headers_get_list(headers, "VARY", false, &list, &n));
    ASSERT_INT_EQ(n, 2);
    ASSERT_STR_EQ(list[0], "a, b");
    ASSERT(list[2] == NULL);
    weft_free(list);
    ASSERT_OK(weft_headers_get_list(headers, "vary", true, &list, &n));
    ASSERT_INT_EQ(n, 4);
    ASSERT_STR_EQ(list[0], "a");
    ASSERT_STR_EQ(list[1], "b");
    ASSERT_STR_EQ(list[2], "c");
    ASSERT_STR_EQ(list[3], "\"d, \\\", e\"");
    weft_free(list);
    ASSERT_OK(weft_headers_get_list(headers, "none", true, &list, NULL));
    ASSERT(list[0] == NULL);
    weft_free(list);
    weft_headers_free(headers);
}

TEST(headers_default_is_set_once)
{
    weft_headers *headers = filled();
    ASSERT_INT_EQ(weft_headers_set_default(headers, "B", "1"), 0);
    ASSERT_INT_EQ(weft_headers_set_default(headers, "c", "1"), 1);
    ASSERT_INT_EQ(weft_headers_set_default(headers, "c", "2"), 0);
    ASSERT_STR_EQ(weft_headers_get(headers, "c"), "1");
    ASSERT_ERR(weft_headers_set_default(headers, "d", "a\nb"), WEFT_ELOCAL_PROTOCOL);
    weft_headers_free(headers);
}

TEST(headers_update_replaces_by_name_and_keeps_repeats)
{
    weft_headers *headers = filled();
    weft_headers *more;
    ASSERT_OK(weft_headers_update(headers, (weft_pair[]){{"c", "1"}, {"A", "x"}, {"a", "y"}, {0}}));
    ASSERT_INT_EQ(weft_headers_count(headers), 4);
    ASSERT_STR_EQ(weft_headers_at(headers, 0).name, "A");
    ASSERT_STR_EQ(weft_headers_at(headers, 0).value, "x");
    ASSERT_STR_EQ(weft_headers_at(headers, 1).name, "b");
    ASSERT_STR_EQ(weft_headers_get_nth(headers, "a", 1), "y");
    ASSERT_OK(weft_headers_update(headers, NULL));
    ASSERT_ERR(weft_headers_update(headers, (weft_pair[]){{"b", "new"}, {"x", "\n"}, {0}}),
               WEFT_ELOCAL_PROTOCOL);
    ASSERT_STR_EQ(weft_headers_get(headers, "b"), "789");
    more = filled();
    ASSERT_OK(weft_headers_update_from(headers, more));
    ASSERT_STR_EQ(weft_headers_get_nth(headers, "a", 1), "456");
    ASSERT_INT_EQ(weft_headers_count(headers), 4);
    weft_headers_free(more);
    weft_headers_free(headers);
}

TEST(headers_are_equal_in_whatever_order)
{
    weft_headers *a = filled();
    weft_headers *b;
    ASSERT_OK(weft_headers_new(&b));
    ASSERT_OK(weft_headers_add(b, "B", "789"));
    ASSERT_OK(weft_headers_add(b, "a", "456"));
    ASSERT(!weft_headers_equal(a, b));
    ASSERT_OK(weft_headers_add(b, "a", "456"));
    ASSERT(!weft_headers_equal(a, b));
    ASSERT_OK(weft_headers_set(b, "a", "123"));
    ASSERT_OK(weft_headers_add(b, "A", "456"));
    ASSERT(weft_headers_equal(a, b));
    ASSERT_OK(weft_headers_set(b, "b", "X"));
    ASSERT(!weft_headers_equal(a, b));
    weft_headers_free(a);
    weft_headers_free(b);
}

/* More fields than stand inside the object, and fewer. */
TEST(headers_copy_is_independent)
{
    weft_headers *headers = filled();
    for (int i = 0; i < 2; i++) {
        weft_headers *copy;
        ASSERT_OK(weft_headers_copy(headers, &copy));
        ASSERT(weft_headers_equal(headers, copy));
        ASSERT_OK(weft_headers_update(copy, (weft_pair[]){{"b", "1"}, {0}}));
        ASSERT_STR_EQ(weft_headers_get(headers, "b"), "789");
        ASSERT_STR_EQ(weft_headers_get(copy, "b"), "1");
        weft_headers_free(copy);
        for (int j = 0; j < 40; j++)
            ASSERT_OK(weft_headers_add(headers, "many", "x"));
    }
    weft_headers_free(headers);
}

static int use_everything(void *arg)
{
    weft_headers *headers = NULL;
    weft_headers *copy = NULL;
    char *text = NULL;
    char **list = NULL;
    (void)arg;
    int err = weft_headers_new(&headers);
    if (err == 0)
        err = weft_headers_update(headers, (weft_pair[]){{"a", "1"}, {"a", "2"}, {"b", "3"}, {0}});
    if (err == 0)
        err = weft_headers_copy(headers, &copy);
    if (err == 0)
        err = weft_headers_update_from(headers, copy);
    if (err == 0)
        err = weft_headers_get_joined(headers, "a", &text);
    if (err == 0)
        err = weft_headers_get_list(headers, "a", true, &list, NULL);
    weft_free(list);
    weft_free(text);
    weft_headers_free(copy);
    weft_headers_free(headers);
    return err;
}

TEST(headers_operations_survive_every_fault)
{
    FAULTS(use_everything, NULL);
}
