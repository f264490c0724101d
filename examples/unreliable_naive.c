/* Calling an unreliable API, first step: the loop that everybody writes. */
#include <stdio.h>
#include <weft.h>

static int fetch_report(const char *url)
{
    for (int i = 0; i < 3; i++) {
        weft_response *r;
        if (weft_get(url, NULL, &r) == 0) {
            int status = weft_response_status(r);
            if (status == 200)
                printf("%d after %d calls\n", status, i + 1);
            weft_response_free(r);
            if (status == 200)
                return 0;
        }
        weft_sleep(WEFT_SEC(1));
    }
    return -1;
}

int main(int argc, char **argv)
{
    return fetch_report(argc > 1 ? argv[1] : "http://localhost:8000/retry/2/naive") != 0;
}
