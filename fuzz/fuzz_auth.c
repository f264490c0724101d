/*
 * fuzz_auth.c - challenges and netrc files: what answers one has no line end in it; files are
 * searched to an end.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "proto/auth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct weft__digest_request request = {"GET", "/", "user", "secret", "0a4f113b"};
    struct weft__digest digest;
    const char *text = (const char *)data;
    char *login;
    char *password;
    char *answer;
    if (weft__digest_from_challenge(text, size, &digest) > 0) {
        if (weft__digest_answer(&digest, &request, &answer) < 0 || strpbrk(answer, "\r\n") != NULL)
            abort();
        weft__free(answer);
        weft__digest_done(&digest);
    }
    if (weft__netrc_find(text, size, "h", true, &login, &password) > 0) {
        weft__free(login);
        weft__free(password);
    }
    return 0;
}
