#include <string.h>

#include "base/str.h"

int weft__hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = weft__ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool weft__ieq_n(const char *a, size_t a_len, const char *b, size_t b_len)
{
    if (a_len != b_len)
        return false;
    for (size_t i = 0; i < a_len; i++) {
        if (weft__ascii_lower(a[i]) != weft__ascii_lower(b[i]))
            return false;
    }
    return true;
}

bool weft__ieq(const char *a, const char *b)
{
    return weft__ieq_n(a, strlen(a), b, strlen(b));
}

int weft__parse_u64(const char *text, size_t len, uint64_t *ret)
{
    uint64_t number = 0;
    if (len == 0)
        return -1;
    for (size_t i = 0; i < len; i++) {
        if (!weft__is_digit(text[i]))
            return -1;
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(text[i] - '0'), &number))
            return -1;
    }
    *ret = number;
    return 0;
}

size_t weft__format_u64(uint64_t number, char *digits)
{
    size_t n = 1;
    for (uint64_t rest = number; rest >= 10; rest /= 10)
        n++;
    for (size_t i = n; i-- > 0; number /= 10)
        digits[i] = (char)('0' + number % 10);
    return n;
}

const char *weft__trim(const char *text, size_t *len)
{
    while (*len > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        (*len)--;
    }
    while (*len > 0 && (text[*len - 1] == ' ' || text[*len - 1] == '\t'))
        (*len)--;
    return text;
}
