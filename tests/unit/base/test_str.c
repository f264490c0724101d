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
