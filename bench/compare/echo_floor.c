/*
 * echo_floor.c - the least an echo server does with epoll, and the load for all of them.
 *
 *     echo_floor serve                          level-triggered, two system calls a request
 *     echo_floor load PORT CONNECTIONS REQUESTS 64 bytes there and back on each, one at a time
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PIECE = 64, EVENTS = 256 };

static void fail(const char *what)
{
    fprintf(stderr, "echo_floor: %s: errno %d\n", what, errno);
    exit(1);
}

static int poll_for(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static void take(int epoll, int listener)
{
    int one = 1;
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    poll_for(epoll, fd);
}

static void answer(int fd)
{
    char data[4096];
    ssize_t n = read(fd, data, sizeof data);
    if (n > 0 && write(fd, data, (size_t)n) == n)
        return;
    if (n == 0 || errno != EAGAIN)
        close(fd);
}

static void serve(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    struct epoll_event events[EVENTS];
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (bind(listener, (struct sockaddr *)&address, len) < 0 || listen(listener, 511) < 0 ||
        getsockname(listener, (struct sockaddr *)&address, &len) < 0 ||
        poll_for(epoll, listener) < 0)
        fail("listening");
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        int n = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == listener)
                take(epoll, listener);
            else
                answer(events[i].data.fd);
        }
    }
}

static void load(int port, int connections, long requests)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct epoll_event events[EVENTS];
    char data[PIECE] = "";
    int one = 1;
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < connections; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0 || poll_for(epoll, fd) < 0)
            fail("connecting");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (write(fd, data, sizeof data) != sizeof data)
            fail("writing");
    }
    /* To the last answer: a connection that is reset is more work for the server. */
    long to_send = requests - connections;
    while (requests > 0) {
        int n = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < n; i++, requests--) {
            if (read(events[i].data.fd, data, sizeof data) != sizeof data)
                fail("reading");
            if (to_send-- > 0 && write(events[i].data.fd, data, sizeof data) != sizeof data)
                fail("writing");
        }
    }
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "serve") == 0)
        serve();
    if (argc == 5 && strcmp(argv[1], "load") == 0) {
        load((int)strtol(argv[2], NULL, 10), (int)strtol(argv[3], NULL, 10),
             strtol(argv[4], NULL, 10));
        return 0;
    }
    fprintf(stderr, "usage: echo_floor serve | load PORT CONNECTIONS REQUESTS\n");
    return 2;
}
