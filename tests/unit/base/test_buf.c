#include <string.h>

#include <weft/testing.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "test.h"

static void check_content(const struct weft__buf *buf, const char *expected)
{
    ASSERT_INT_EQ(buf->len, strlen(expected));
    if (buf->len > 0)
        ASSERT_MEM_EQ(weft__buf_bytes(buf), expected, buf->len);
}

TEST(buf_new_is_empty_and_holds_no_memory)
{
    struct weft__buf buf;
    weft__buf_init(&buf, 10);
    check_content(&buf, "");
    ASSERT(buf.data == NULL);
    weft__buf_done(&buf);
    weft__buf_done(&buf);
    ASSERT_INT_EQ(buf.max, 10);
}

TEST(buf_append_collects_in_order)
{
    struct weft__buf buf;
    weft__buf_init(&buf, 1000);
    ASSERT_OK(weft__buf_append(&buf, "ab", 2));
    ASSERT_OK(weft__buf_append(&buf, NULL, 0));
    ASSERT_OK(weft__buf_append_str(&buf, "cd"));
    ASSERT_OK(weft__buf_append_str(&buf, ""));
    ASSERT_OK(weft__buf_append_char(&buf, ':'));
    ASSERT_OK(weft__buf_append_u64(&buf, UINT64_MAX));
    ASSERT_OK(weft__buf_printf(&buf, "[%d %s]", -5, "x"));
    check_content(&buf, "abcd:18446744073709551615[-5 x]");
    weft__buf_clear(&buf);
    check_content(&buf, "");
    weft__buf_done(&buf);
}

TEST(buf_up_to_its_maximum_is_filled_and_one_byte_more_refused)
{
    struct weft__buf buf;
    weft__buf_init(&buf, 5);
    ASSERT_OK(weft__buf_append(&buf, "1234", 4));
    ASSERT_ERR(weft__buf_append(&buf, "56", 2), -EMSGSIZE);
    ASSERT_ERR(weft__buf_printf(&buf, "%d", 56), -EMSGSIZE);
    ASSERT_ERR(weft__buf_append_u64(&buf, 56), -EMSGSIZE);
    check_content(&buf, "1234");
    ASSERT_OK(weft__buf_append_char(&buf, '5'));
    ASSERT_ERR(weft__buf_append_char(&buf, '6'), -EMSGSIZE);
    check_content(&buf, "12345");
    weft__buf_consume(&buf, 1);
    ASSERT_OK(weft__buf_append_char(&buf, '6'));
    check_content(&buf, "23456");
    weft__buf_done(&buf);
}

TEST(buf_printf_may_fill_the_buffer_to_its_maximum)
{
    struct weft__buf buf;
    weft__buf_init(&buf, 5);
    ASSERT_OK(weft__buf_printf(&buf, "%05d", 42));
    check_content(&buf, "00042");
    ASSERT_INT_EQ(buf.max, 5);
    ASSERT_ERR(weft__buf_printf(&buf, "x"), -EMSGSIZE);
    ASSERT_INT_EQ(buf.max, 5);
    weft__buf_done(&buf);
}

TEST(buf_reserve_of_an_overflowing_size_is_refused)
{
    struct weft__buf buf;
    weft__buf_init(&buf, SIZE_MAX);
    ASSERT_OK(weft__buf_append_char(&buf, 'a'));
    ASSERT_ERR(weft__buf_reserve(&buf, SIZE_MAX), -EMSGSIZE);
    weft_testing_fail_alloc(1, false);
    ASSERT_ERR(weft__buf_reserve(&buf, SIZE_MAX - 1), -ENOMEM);
    check_content(&buf, "a");
    weft__buf_done(&buf);
}

TEST(buf_reserve_keeps_the_bytes_wherever_they_lie)
{
    struct weft__buf buf;
    char expected[64];
    weft__buf_init(&buf, 100000);
    memset(expected, 'x', sizeof expected);
    ASSERT_OK(weft__buf_reserve(&buf, 256));
    size_t cap = buf.cap;
    for (size_t i = 0; i < cap / sizeof expected; i++)
        ASSERT_OK(weft__buf_append(&buf, expected, sizeof expected));
    /* A short rest moves to the front of the same block, a long one into a larger block. */
    weft__buf_consume(&buf, cap - 10);
    ASSERT_OK(weft__buf_reserve(&buf, 100));
    ASSERT_INT_EQ(buf.cap, cap);
    ASSERT_INT_EQ(buf.start, 0);
    ASSERT_MEM_EQ(weft__buf_bytes(&buf), expected, 10);
    ASSERT_OK(weft__buf_reserve(&buf, cap * 3));
    ASSERT_INT_GE(buf.cap, cap * 3 + 10);
    ASSERT_MEM_EQ(weft__buf_bytes(&buf), expected, 10);
    weft__buf_done(&buf);
}

TEST(buf_space_and_commit_fill_reserved_room)
{
    struct weft__buf buf;
    size_t room;
    weft__buf_init(&buf, 300);
    ASSERT_OK(weft__buf_reserve(&buf, 280));
    char *space = weft__buf_space(&buf, &room);
    ASSERT_INT_GE(room, 280);
    ASSERT_INT_LE(room, 300);
    memset(space, 'z', 280);
    weft__buf_commit(&buf, 280);
    ASSERT_INT_EQ(buf.len, 280);
    weft__buf_space(&buf, &room);
    ASSERT_INT_LE(room, 20);
    weft__buf_done(&buf);
}

TEST(buf_consume_takes_from_the_front)
{
    struct weft__buf buf;
    weft__buf_init(&buf, 100);
    ASSERT_OK(weft__buf_append_str(&buf, "abcdef"));
    weft__buf_consume(&buf, 0);
    check_content(&buf, "abcdef");
    weft__buf_consume(&buf, 2);
    check_content(&buf, "cdef");
    ASSERT_OK(weft__buf_append_str(&buf, "gh"));
    check_content(&buf, "cdefgh");
    weft__buf_consume(&buf, 100);
    check_content(&buf, "");
    ASSERT_INT_EQ(buf.start, 0);
    weft__buf_done(&buf);
}

TEST(buf_take_gives_a_string_even_of_a_full_or_empty_buffer)
{
    struct weft__buf buf;
    char *text;
    size_t len;
    weft__buf_init(&buf, 6);
    ASSERT_OK(weft__buf_take(&buf, &text, &len));
    ASSERT_STR_EQ(text, "");
    ASSERT_INT_EQ(len, 0);
    weft__free(text);

    ASSERT_OK(weft__buf_append_str(&buf, "xabcde"));
    weft__buf_consume(&buf, 1);
    ASSERT_OK(weft__buf_append_char(&buf, 'f'));
    ASSERT_OK(weft__buf_take(&buf, &text, NULL));
    ASSERT_STR_EQ(text, "abcdef");
    weft__free(text);
    check_content(&buf, "");
    ASSERT_INT_EQ(buf.max, 6);
    ASSERT(buf.data == NULL);
}

TEST(buf_without_memory_says_so_and_keeps_its_bytes)
{
    struct weft__buf buf;
    char large[1000] = {0};
    char *text = NULL;
    weft__buf_init(&buf, 10000);
    ASSERT_OK(weft__buf_append_str(&buf, "kept"));
    weft_testing_fail_alloc(1, true);
    ASSERT_ERR(weft__buf_append(&buf, large, sizeof large), -ENOMEM);
    ASSERT_ERR(weft__buf_printf(&buf, "%1000d", 1), -ENOMEM);
    check_content(&buf, "kept");
    ASSERT_INT_EQ(buf.max, 10000);
    weft_testing_fail_alloc(0, false);

    weft__buf_done(&buf);
    weft_testing_fail_alloc(1, true);
    ASSERT_ERR(weft__buf_take(&buf, &text, NULL), -ENOMEM);
    ASSERT(text == NULL);
}

/* Random appends and consumes against a plain array. */
TEST(buf_behaves_as_a_queue_of_bytes)
{
    enum { MAX = 5000 };
    static char model[MAX];
    size_t model_len = 0;
    struct weft__buf buf;
    uint32_t random = 1;
    weft__buf_init(&buf, MAX);
    for (int i = 0; i < 20000; i++) {
        random = random * 1664525u + 1013904223u;
        size_t n = (random >> 8) % 400;
        char chunk[400];
        if (random >> 31) {
            memset(chunk, (int)(random & 0x7f), n);
            int err = weft__buf_append(&buf, chunk, n);
            ASSERT_INT_EQ(err, model_len + n > MAX ? -EMSGSIZE : 0);
            if (err == 0) {
                memcpy(model + model_len, chunk, n);
                model_len += n;
            }
        } else {
            n = n < model_len ? n : model_len;
            weft__buf_consume(&buf, n);
            memmove(model, model + n, model_len - n);
            model_len -= n;
        }
        ASSERT_INT_EQ(buf.len, model_len);
        if (model_len > 0)
            ASSERT_MEM_EQ(weft__buf_bytes(&buf), model, model_len);
    }
    weft__buf_done(&buf);
}
