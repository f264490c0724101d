/* 10. threads: blocking work, a call back into the loop, several loops */
#include <errno.h>
#include <stdio.h>
#include <weft.h>

struct search {
    long limit;
    long primes;
};

static int report(void *arg) /* on the loop: it may use what tasks use */
{
    int err = weft_sleep(WEFT_MS(1));
    printf("%d%%\n", *(int *)arg);
    return err;
}

static int count_primes(void *arg) /* on a worker thread: it may block */
{
    struct search *search = arg;
    int percent = 50;
    for (long n = 2; n < search->limit; n++) {
        long d = 2;
        while (d * d <= n && n % d != 0)
            d++;
        search->primes += d * d > n;
        if (n == search->limit / 2)
            weft_call_from_thread(report, &percent);
        if (weft_offload_is_cancelled())
            return -ECANCELED;
    }
    return 0;
}

static int square(void *arg, size_t index) /* on a loop and a thread of its own */
{
    long result = (long)(index * index);
    int err = weft_sleep(WEFT_MS(1));
    return err < 0 ? err : weft_sender_send(arg, &result);
}

static int main_task(void *arg)
{
    struct search search = {.limit = 10000};
    weft_sender *sender;
    weft_receiver *receiver;
    long sum = 0;
    long value;
    (void)arg;
    int err = weft_offload_with(
        count_primes, &search,
        WEFT_OFFLOAD(.name = "primes", .abandon_on_cancel = true, .arg_size = sizeof search));
    if (err < 0)
        return err;
    printf("%ld primes below %ld\n", search.primes, search.limit);
    err = weft_channel_new(sizeof(long), WEFT_CHANNEL(.capacity = 4, .shared = true), &sender,
                           &receiver);
    if (err < 0)
        return err;
    err = weft_loops_run(4, square, sender, NULL);
    weft_sender_free(sender);
    while (err == 0 && weft_receiver_receive(receiver, &value) == 0)
        sum += value;
    weft_receiver_free(receiver);
    printf("sum of squares: %ld\n", sum);
    return err;
}

int main(void)
{
    return weft_run(main_task, NULL) != 0;
}
