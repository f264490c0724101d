/* Run a task, and sleep in it. In Python: asyncio.run, asyncio.sleep. */
#include <stdio.h>
#include <weft.h>

static int say_hello(void *arg)
{
    (void)arg;
    puts("Hello");
    weft_sleep(WEFT_SEC(1));
    puts("World");
    return 0;
}

int main(void)
{
    return weft_run(say_hello, NULL) != 0;
}
