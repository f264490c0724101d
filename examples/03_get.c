/* Synchronous use: no task and no loop in sight. In Python: httpx.get, requests.get. */
#include <stdio.h>
#include <weft.h>

int main(int argc, char **argv)
{
    weft_response *r;
    int err = weft_get(argc > 1 ? argv[1] : "https://api.example.com/users", NULL, &r);
    if (err < 0) {
        fprintf(stderr, "%s\n", weft_error_message());
        return 1;
    }
    printf("%d %s\n", weft_response_status(r), weft_response_text(r, NULL));
    weft_response_free(r);
    return 0;
}
