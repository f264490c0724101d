/*
 * h2_fake.h - an HTTP/2 server in memory that answers by a list, frame by frame.
 *
 * Requests are told apart by their order alone.
 */
#ifndef WEFT_TEST_H2_FAKE_H
#define WEFT_TEST_H2_FAKE_H

#include <weft.h>

enum h2_act_kind {
    H2_ANSWER,
    H2_ECHO,   /* 200, and each piece of the body as it comes */
    H2_MIRROR, /* the same, as far as windows reach; takes no more than it can give back */
    H2_RESET,  /* RST_STREAM with code */
    H2_GOAWAY, /* with code, and the stream before this one as the last */
    H2_CLOSE,  /* the connection */
    H2_NOISE,  /* a frame that may not come */
    H2_NEVER
};

struct h2_act {
    enum h2_act_kind kind;
    int status;    /* 0: 200 */
    int interim;   /* 1xx before it; 0: none */
    size_t body;   /* bytes of the response */
    int64_t takes; /* before anything is sent */
    uint32_t code;
    bool early;   /* once the head has come, whatever the body */
    bool unended; /* the body has no end */
    bool trailer;
    bool stops;        /* RST_STREAM(NO_ERROR) behind it: no more of the body is wanted */
    bool deaf;         /* nothing that comes is credited */
    const char *name;  /* a field of the response; NULL: none */
    const char *value; /* of it */
};

struct h2_fake {
    weft_group group;
    const struct h2_act *acts; /* the last one repeats */
    size_t n_acts;
    uint32_t max_streams;  /* 0: not said */
    bool takes_protocol;   /* says that it takes an extended CONNECT */
    bool keeps_window;     /* no credit is given for what comes */
    int64_t settings_take; /* before they are sent, and anything is read */
    int64_t dial_takes;
    size_t holds; /* bytes on their way over a connection; 0: 1 MiB */
    int dials;
    int requests;
    int open; /* connections */
    int resets;
    uint32_t reset_code; /* of the last one */
    int goaways;         /* that the client has sent */
    int pongs;
    int settings_acks;
    size_t uploaded;   /* bytes of bodies */
    int ends;          /* bodies that came to their end */
    char fields[1024]; /* of the last request: "name: value\n" each */
    uint64_t credit;   /* of the connection */
    bool mute;         /* pings are not answered */
    weft_stream *last; /* the newest connection's; NULL once it has ended */
};

void h2_fake_start(struct h2_fake *fake, const struct h2_act *acts, size_t n);
void h2_fake_stop(struct h2_fake *fake);
/* A client that speaks HTTP/2 to it, whatever the URL. */
void h2_fake_serve(struct h2_fake *fake, weft_client *client);
/* One connection to its end; takes the stream. */
int h2_fake_converse(struct h2_fake *fake, weft_stream *stream);
/* On the newest connection. */
void h2_fake_settings(struct h2_fake *fake, uint32_t max_streams);
void h2_fake_setting(struct h2_fake *fake, unsigned char setting, uint32_t value);
void h2_fake_goaway(struct h2_fake *fake, uint32_t last, uint32_t code);
/* id 0: of the connection. */
void h2_fake_credit(struct h2_fake *fake, uint32_t id, uint32_t bytes);
void h2_fake_close(struct h2_fake *fake);
void h2_fake_ping(struct h2_fake *fake);
void h2_fake_data(struct h2_fake *fake, uint32_t id, const char *text, bool end);
void h2_fake_reset(struct h2_fake *fake, uint32_t id, uint32_t code);

#endif
