/* test_server_peers.c - other people's clients against the server. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server_harness.h"
#include "test.h"

/* Runs a program beside the server and returns its exit status; 127: it is not installed. */
static int run_program(char *const argv[], const char *output)
{
    pid_t child = fork();
    ASSERT(child >= 0);
    if (child == 0) {
        int fd = open(output, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(fd, 1);
        dup2(fd, 2);
        execvp(argv[0], argv);
        _exit(127);
    }
    int status;
    while (waitpid(child, &status, WNOHANG) == 0)
        ASSERT_OK(weft_sleep(WEFT_MS(5)));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int serve(void *arg)
{
    return weft_server_serve(arg);
}

/* The program ran to its end and wrote what was expected; "URL" in argv becomes the server's. */
static void check_program(const char *const *words, const char *expected)
{
    static char texts[16][2048];
    char *argv[17] = {NULL};
    char output[8192];
    weft_group group;
    weft_server *server = harness_server(NULL);
    ASSERT_OK(weft_server_listen(server));
    ASSERT_OK(weft_server_static(server, "/s", test_tmpdir()));
    ASSERT_OK(weft_group_init(&group, NULL));
    ASSERT_OK(weft_group_spawn(&group, serve, server));
    for (size_t i = 0; words[i] != NULL; i++) {
        const char *url = strstr(words[i], "URL");
        int before = url != NULL ? (int)(url - words[i]) : 0;
        if (url != NULL)
            snprintf(texts[i], sizeof texts[i], "%.*shttp://127.0.0.1:%u%s", before, words[i],
                     weft_server_port(server), url + 3);
        else
            snprintf(texts[i], sizeof texts[i], "%s", words[i]);
        argv[i] = texts[i];
    }
    int status = run_program(argv, test_path("output"));
    weft_server_stop(server, WEFT_SEC(5));
    ASSERT_OK(weft_group_wait(&group));
    weft_server_free(server);
    if (status == 127)
        SKIP("%s is not installed", words[0]);
    FILE *file = fopen(test_path("output"), "rb");
    size_t len = fread(output, 1, sizeof output - 1, file);
    output[len] = '\0';
    fclose(file);
    ASSERT_STR_EQ(output, expected);
    ASSERT_INT_EQ(status, 0);
}

TASK_TEST(server_serves_curl)
{
    check_program((const char *const[]){"curl", "-sS", "URL/hi", "URL/users/a%20b", "URL/stream",
                                        "URL/q?x=1", NULL},
                  "hiuser a bab0123456789abcdef/q x=1 y=- /q?x=1");
}

TASK_TEST(server_serves_curl_with_a_body_and_100_continue)
{
    FILE *file = fopen(test_path("body"), "wb");
    for (int i = 0; i < 1000; i++)
        fprintf(file, "%07d", i);
    fclose(file);
    char at[600];
    snprintf(at, sizeof at, "@%s", test_path("body"));
    check_program((const char *const[]){"curl", "-sS", "-H", "Expect: 100-continue",
                                        "--expect100-timeout", "15", "--data-binary", at, "-o",
                                        test_path("copy"), "-w", "%{http_code} %{size_download}",
                                        "URL/echo", NULL},
                  "200 7000");
}

TASK_TEST(server_serves_curl_with_ranges_and_head)
{
    FILE *file = fopen(test_path("body"), "wb");
    fputs("0123456789", file);
    fclose(file);
    check_program((const char *const[]){"curl", "-sS", "-r", "2-4", "URL/s/body", NULL}, "234");
}

TASK_TEST(server_serves_curl_head_without_waiting)
{
    check_program((const char *const[]){"curl", "-sSI", "-o", test_path("head"), "-w",
                                        "%{http_code}", "URL/hi", NULL},
                  "200");
}

TASK_TEST(server_serves_python_http_client)
{
    static const char script[] =
        "import http.client, sys, urllib.parse\n"
        "u = urllib.parse.urlsplit(sys.argv[1])\n"
        "c = http.client.HTTPConnection(u.hostname, u.port, timeout=10)\n"
        "def say(*a, **k):\n"
        "    c.request(*a, **k)\n"
        "    r = c.getresponse()\n"
        "    print(r.status, r.read().decode().strip(), r.will_close)\n"
        "say('GET', '/hi')\n"
        "sock = c.sock\n"
        "say('HEAD', '/hi')\n"
        "say('GET', '/204')\n"
        "say('GET', '/stream')\n"
        "say('POST', '/echo', body=b'x' * 5)\n"
        "say('POST', '/echo', body=iter([b'ab', b'cd']), encode_chunked=True,\n"
        "    headers={'Transfer-Encoding': 'chunked'})\n"
        "say('GET', '/none')\n"
        "say('DELETE', '/hi')\n"
        "print(c.sock is sock)\n"
        "say('GET', '/close')\n";
    check_program((const char *const[]){"python3", "-c", script, "URL", NULL},
                  "200 hi False\n200  False\n204  False\n200 ab0123456789abcdef False\n"
                  "200 xxxxx False\n200 abcd False\n404 404 Not Found False\n"
                  "405 405 Method Not Allowed False\nTrue\n200 bye True\n");
}
