/*
 * script.h - conversations between the client and a scripted server, from files.
 *
 * A file has cases, each begun by "=== name".  The lines of a case:
 *
 *     client KEY=VALUE ...     options of the client; values end at a blank, "_" stands for one
 *     call METHOD URL KEY=VALUE ...
 *     expect 200 [BODY]        the call's status and, with escapes, its whole body
 *     expect error NAME [TEXT] the call's error (* is any), and a part of its message
 *     expect header NAME VALUE / trailer NAME VALUE
 *     expect tunnel BYTES [ANSWER]   the connection can be taken, and has these bytes to read
 *     expect attempts N / redirects N / opened N / idle N / url URL / elapsed MS
 *     wait MS                  before the next call
 *     events URL KEY=VALUE ... opens a source of events: reconnect, last, max, wait
 *     expect event TYPE ID DATA / end / event_error NAME
 *     accept [AUTHORITY]       a new connection, for that host
 *     > LINE                   the client sends this line and CR LF
 *     >~ LINE                  ... a line like this, where * is any text
 *     >| TEXT                  the client sends these bytes, with escapes
 *     < LINE                   the server sends this line and CR LF
 *     <| TEXT                  the server sends these bytes, with escapes
 *     <* N TEXT                ... N times
 *     request METHOD TARGET [AUTHORITY]   the client sends a head without anything unusual
 *     head METHOD TARGET [AUTHORITY]      ... its beginning; further lines follow
 *     source METHOD TARGET [AUTHORITY]    ... that of a source of events
 *     reply STATUS [BODY]                 the server sends a response with Content-Length
 *     pause MS                 the server does nothing for a while
 *     drip MS N                the server sends N bytes, one after each pause
 *     upload N                 the client sends N more bytes
 *     tls                      the server goes on by TLS, with a certificate for example.org
 *     silent                   the client sends nothing more and keeps the connection open
 *     closed                   the client closes the connection
 *     close / reset            the server does
 *     skip                     the server reads and forgets what the client sends from here on
 *
 * Calls and the server's lines run side by side; calls one after the other, and so do the
 * server's lines.  Escapes: \r \n \t \0 \\ \xNN.
 */
#ifndef WEFT_HTTP_SCRIPT_H
#define WEFT_HTTP_SCRIPT_H

#include <stdbool.h>

enum script_split { SCRIPT_WHOLE, SCRIPT_BYTES, SCRIPT_RANDOM };
enum script_over { SCRIPT_MEMORY, SCRIPT_TCP, SCRIPT_TLS };

/*
 * Plays every case of tests/http/cases whole, byte by byte and split at random; a mismatch fails
 * the test, naming its line.  In memory they have a virtual clock, and tasks on both sides;
 * elsewhere the client's calls are made in a task or in plain code, and many cases are played at a
 * time.  WEFT_HTTP_CASE=TEXT plays only those whose name has the text in it.
 */
void script_run(enum script_over over, bool in_tasks);
/*
 * The same over HTTP/2, whole only: the servers have a gate before them.  Those that
 * tests/over_h2.tsv lists are left out.
 */
void script_run_over_h2(enum script_over over, bool in_tasks);
/* How many requests the servers of the cases read. */
int script_count(void);

#endif
