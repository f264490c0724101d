/*
 * fake.h - servers in memory for clients on the virtual back end.
 *
 * Every connection of the client is served by a task of its own, which answers "GET /PATH" by
 * "/PATH", after N ms where the path is "/delay/N".
 */
#ifndef WEFT_TEST_FAKE_H
#define WEFT_TEST_FAKE_H

#include <weft.h>

struct fake {
    weft_group group;
    int open;           /* connections now */
    int most;           /* connections at once */
    int opened;         /* connections in all */
    int requests;       /* answered */
    int per_connection; /* after so many a connection is closed; 0: never */
    char order[256];    /* last letters of the paths, as requests came */
    int64_t dial_takes;
    bool dial_fails;
};

void fake_start(struct fake *fake);
void fake_stop(struct fake *fake);
/* Lets a client connect to it, whatever the URL. */
void fake_serve(struct fake *fake, weft_client *client);

#endif
