/*
 * gate.h - HTTP/2 for servers of tests that speak HTTP/1.1.
 *
 * With WEFT_TEST_HTTP=2 in the environment a gate stands between client and server: what the
 * client sends over HTTP/2 the server reads as HTTP/1.1, and what it answers goes back in
 * frames.  So a test that is about the meaning of an exchange is played over both, unchanged.
 *
 * Such a gate keeps one connection of each side: it allows one stream at a time, ends the client's
 * connection when the server's ends, and the server's when the client gives a stream up.  Thus
 * what a test counts, connections above all, is the same.  Names of request fields come with
 * capitals, as the library writes them.
 */
#ifndef WEFT_TEST_GATE_H
#define WEFT_TEST_GATE_H

#include <weft.h>
#include <weft/serve.h>

/* Lets a client dial with a function of the test, and speak HTTP/2 to it where the gate is on. */
void gate_dial(weft_client *client,
               int (*dial)(void *userdata, const weft_url *url, weft_stream **ret), void *userdata);
/* As weft_stream_pair(); where the gate is on, it stands before far, its tasks in the group. */
int gate_pair(weft_group *group, size_t capacity, weft_stream **near, weft_stream **far);
/* Of a connection that speaks HTTP/2, whatever the environment says; takes it. */
int gate_open(weft_group *group, weft_stream *client, size_t capacity, weft_stream **ret);
/*
 * The same with as many streams as the client likes: each goes to a connection of its own, which
 * serve() answers in a task of the group.  Takes client.
 */
int gate_serve(weft_group *group, weft_stream *client, weft_serve_fn serve, void *arg);

#endif
