#include <arpa/inet.h>
#include <string.h>

#include "base/str.h"
#include "proto/chars.h"
#include "proto/host.h"

bool weft__percent_is_valid(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] != '%')
            continue;
        if (len - i < 3 || weft__hex_value(text[i + 1]) < 0 || weft__hex_value(text[i + 2]) < 0)
            return false;
        i += 2;
    }
    return true;
}

static bool is_ip_literal(const char *text, size_t len)
{
    char address[INET6_ADDRSTRLEN];
    unsigned char bytes[16];
    if (len < 4 || text[len - 1] != ']' || len - 2 >= sizeof address)
        return false;
    memcpy(address, text + 1, len - 2);
    address[len - 2] = '\0';
    return strlen(address) == len - 2 && inet_pton(AF_INET6, address, bytes) == 1;
}

static bool host_is_valid(const char *text, size_t len)
{
    if (len > 0 && text[0] == '[')
        return is_ip_literal(text, len);
    for (size_t i = 0; i < len; i++) {
        if (text[i] != '%' && !weft__char_is(text[i], WEFT__CHAR_REG_NAME))
            return false;
    }
    return weft__percent_is_valid(text, len);
}

bool weft__host_port_is_valid(const char *text, size_t len, size_t *ret_host_len, int *ret_port)
{
    size_t host_len = 0;
    bool inside = false; /* brackets */
    while (host_len < len && (inside || text[host_len] != ':')) {
        if (text[host_len] == '[' || text[host_len] == ']')
            inside = text[host_len] == '[';
        host_len++;
    }
    int port = -1;
    if (host_len + 1 < len) {
        uint64_t number;
        if (weft__parse_u64(text + host_len + 1, len - host_len - 1, &number) < 0 ||
            number > UINT16_MAX)
            return false;
        port = (int)number;
    }
    *ret_host_len = host_len;
    *ret_port = port;
    return host_is_valid(text, host_len);
}
