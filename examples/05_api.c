/* An API wrapper: base URL, key, defaults, JSON both ways. In Python: class APIClient. */
#include <stdio.h>
#include <stdlib.h>
#include <weft.h>

static void check(int err)
{
    if (err < 0) {
        fprintf(stderr, "%s\n", weft_error_message());
        exit(1);
    }
}

int main(int argc, char **argv)
{
    const char *key = getenv("API_KEY");
    weft_client *api;
    weft_response *r;
    json_t *users;
    json_t *created;

    check(weft_client_new(WEFT_CLIENT(.base_url = argc > 1 ? argv[1] : "https://api.example.com",
                                      .bearer = key ? key : "secret", .timeout = WEFT_SEC(10),
                                      .http2 = true),
                          &api));

    check(weft_client_get_json(api, "/users",
                               WEFT_REQUEST(.params = (weft_pair[]){{"page", "2"}, {0}}), &users));
    printf("%zu users on page 2\n", json_array_size(users));
    json_decref(users);

    check(weft_client_post_json(api, "/users", json_pack("{s:s}", "name", "Kim"), NULL, &created));
    printf("created %s\n", json_string_value(json_object_get(created, "name")));
    json_decref(created);

    check(weft_client_get(api, "/report",
                          WEFT_REQUEST(.timeout = WEFT_SEC(60), .raise_for_status = true), &r));
    printf("report: %s", weft_response_text(r, NULL));
    weft_response_free(r);

    weft_client_free(api);
    return 0;
}
