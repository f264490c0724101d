/* 13. datagrams and signals: a server of UDP that SIGTERM ends in good order */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <weft.h>

static int answer(void *udp) /* every datagram goes back to where it came from */
{
    char data[512];
    weft_address peer;
    int64_t n;
    while ((n = weft_udp_receive_from(udp, data, sizeof data, &peer)) >= 0) {
        int err = weft_udp_send_to(udp, &peer, data, (size_t)n);
        if (err < 0)
            return err;
    }
    return (int)n;
}

static int ask(void *server)
{
    WEFT_AUTO(weft_udp) *udp = NULL;
    weft_address address;
    char data[16] = "";
    int err = weft_udp_local_address(server, &address);
    err = err < 0 ? err : weft_udp_connect("127.0.0.1", weft_address_port(&address), NULL, &udp);
    err = err < 0 ? err : weft_udp_send(udp, "ping", 4);
    err = err < 0 ? err : (int)weft_udp_receive(udp, data, sizeof data - 1);
    printf("answer: %s\n", data);
    if (err >= 0)
        raise(SIGTERM); /* as somebody would do with kill */
    return err;
}

static int main_task(void *arg)
{
    WEFT_AUTO(weft_signal_receiver) *stop = NULL;
    WEFT_AUTO(weft_udp) *udp = NULL;
    WEFT_AUTO_GROUP(group); /* is joined before the two above are freed */
    (void)arg;
    int err = weft_signal_open(WEFT_SIGNALS(SIGTERM, SIGINT), &stop);
    err = err < 0 ? err : weft_udp_open("127.0.0.1", 0, NULL, &udp);
    err = err < 0 ? err : weft_group_init(&group, NULL);
    err = err < 0 ? err : weft_group_spawn(&group, answer, udp);
    err = err < 0 ? err : weft_group_spawn(&group, ask, udp);
    if (err < 0)
        return err;
    int number = weft_signal_wait(stop, NULL);
    if (number > 0)
        printf("stopped by %s\n", weft_signal_name(number));
    weft_group_cancel(&group, "the server is to stop");
    return weft_group_wait(&group);
}

int main(void)
{
    int err = weft_run(main_task, NULL);
    if (err < 0)
        fprintf(stderr, "%s\n", weft_error_message());
    return err < 0;
}
