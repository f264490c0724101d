#include <string.h>

#include "base/str.h"
#include "test.h"

TEST(hex_value_knows_every_digit_and_nothing_else)
{
    static const char digits[] = "0123456789abcdef";
    for (int c = 0; c < 256; c++) {
        int expected = -1;
        for (int i = 0; i < 16; i++) {
            if (digits[i] == c || (i > 9 && digits[i] - 32 == c))
                expected = i;
        }
        ASSERT_INT_EQ(weft__hex_value((char)c), expected);
    }
}

TEST(ascii_lower_changes_capital_letters_only)
{
    for (int c = 0; c < 256; c++) {
        char expected = c >= 'A' && c <= 'Z' ? (char)(c + 32) : (char)c;
        ASSERT_INT_EQ(weft__ascii_lower((char)c), expected);
    }
}

TEST(is_digit_knows_ten_characters)
{
    for (int c = 0; c < 256; c++)
        ASSERT_INT_EQ(weft__is_digit((char)c), c >= '0' && c <= '9');
}

TEST(ieq_ignores_the_case_of_ascii_letters)
{
    ASSERT(weft__ieq("Content-Type", "cONTENT-tYPE"));
    ASSERT(weft__ieq("", ""));
    ASSERT(!weft__ieq("a", ""));
    ASSERT(!weft__ieq("Host", "Hosts"));
    ASSERT(!weft__ieq("@", "`"));
    ASSERT(!weft__ieq("[", "{"));
    ASSERT(!weft__ieq("\xc4", "\xe4"));
}

TEST(ieq_n_looks_at_the_given_bytes_only)
{
    ASSERT(weft__ieq_n("abcX", 3, "ABCY", 3));
    ASSERT(!weft__ieq_n("abc", 3, "ab", 2));
    ASSERT(weft__ieq_n("a\0b", 3, "A\0B", 3));
    ASSERT(!weft__ieq_n("a\0b", 3, "A\0C", 3));
}

static int parse(const char *text, uint64_t *ret)
{
    return weft__parse_u64(text, strlen(text), ret);
}

TEST(parse_u64_reads_up_to_the_largest_number)
{
    uint64_t number;
    ASSERT_INT_EQ(parse("0", &number), 0);
    ASSERT(number == 0);
    ASSERT_INT_EQ(parse("00042", &number), 0);
    ASSERT(number == 42);
    ASSERT_INT_EQ(parse("18446744073709551615", &number), 0);
    ASSERT(number == UINT64_MAX);
}

TEST(parse_u64_refuses_all_but_digits_and_leaves_the_result)
{
    static const char *const bad[] = {"",    "-1",  "+1",   " 1",
                                      "1 ",  "1x",  "0x10", "18446744073709551616",
                                      "1e3", "1_0", "\xb2", "99999999999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint64_t number = 7;
        ASSERT_INT_EQ(parse(bad[i], &number), -1);
        ASSERT(number == 7);
    }
}

TEST(format_u64_writes_what_parse_reads)
{
    static const uint64_t numbers[] = {0,          1,          9,   10,         99,  100,
                                       4294967295, 4294967296, 255, UINT64_MAX, 1000};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        char digits[WEFT__U64_DIGITS];
        uint64_t number;
        size_t len = weft__format_u64(numbers[i], digits);
        ASSERT(len <= sizeof digits);
        ASSERT_INT_EQ(weft__parse_u64(digits, len, &number), 0);
        ASSERT(number == numbers[i]);
    }
}

static void check_trim(const char *text, const char *expected)
{
    size_t len = strlen(text);
    const char *trimmed = weft__trim(text, &len);
    ASSERT_INT_EQ(len, strlen(expected));
    ASSERT_MEM_EQ(trimmed, expected, len);
}

TEST(trim_removes_blanks_and_tabs_at_both_ends)
{
    check_trim("", "");
    check_trim(" \t ", "");
    check_trim("a", "a");
    check_trim(" \ta b\t ", "a b");
    check_trim("\ra\n", "\ra\n");
}
