/* Request heads with their bodies, each at every split; see h1_replay.h for the notation. */
#include <string.h>

#include "h1_replay.h"
#include "proto/h1.h"
#include "test.h"

#define CHECK_ALL(rows)                                                                            \
    for (size_t i = 0; i < sizeof(rows) / sizeof((rows)[0]); i++)                                  \
    h1_check(H1_REQUEST, &(rows)[i])

static const struct h1_case request_valid_is_understood_rows[] = {
    {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "1.1 GET / keep none {Host:a} \"\" end"},
    {"GET / HTTP/1.0\r\n\r\n", "1.0 GET / close none \"\" end"},
    {"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "1.1 GET / keep none {Host:a} \"\" end"},
    {"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "1.1 GET / keep none {Host:a} \"\" end"},
    {"GET / HTTP/1.1\r\nhOST:a\r\n\r\n", "1.1 GET / keep none {hOST:a} \"\" end"},
    {"M-SEARCH /a?b=c HTTP/1.1\r\nHost: a\r\n\r\n",
     "1.1 M-SEARCH /a?b=c keep none {Host:a} \"\" end"},
    {"!#$%&'*+-.^_`|~x /a HTTP/1.1\r\nHost: a\r\n\r\n",
     "1.1 !#$%&'*+-.^_`|~x /a keep none {Host:a} \"\" end"},
    {"get / HTTP/1.1\r\nHost: a\r\n\r\n", "1.1 get / keep none {Host:a} \"\" end"},
    {"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
     "1.1 GET / close none {Host:a} {Connection:close} \"\" end"},
    {"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
     "1.1 GET / keep upgrade none {Host:a} {Connection:Upgrade} {Upgrade:websocket} \"\" end"},
    {"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n\r\n",
     "1.1 GET / keep none {Host:a} {Connection:Upgrade, HTTP2-Settings} \"\" end"},
    {"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n",
     "1.1 GET / keep none {Host:a} {Upgrade:h2c} \"\" end"},
    {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
     "1.0 GET / keep none {Connection:keep-alive} \"\" end"},
    {"GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
     "1.0 GET / close none {Connection:upgrade} {Upgrade:x} \"\" end"},
    {"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
     "1.1 POST / keep expect len {Host:a} {Expect:100-continue} {Content-Length:2} \"hi\" end"},
    {"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\nhi",
     "1.1 POST / keep expect len {Host:a} {Expect:100-Continue} {Content-Length:2} \"hi\" end"},
    {"POST / HTTP/1.1\r\nHost: a\r\nExpect: other\r\nContent-Length: 2\r\n\r\nhi",
     "1.1 POST / keep len {Host:a} {Expect:other} {Content-Length:2} \"hi\" end"},
    {"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
     "1.0 POST / close len {Expect:100-continue} {Content-Length:2} \"hi\" end"},
    {"GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n",
     "1.1 GET / keep none {Host:a} {User-Agent:curl/7.88.1} {Accept:*/*} \"\" end"},
    {"GET / HTTP/1.1\r\nHost: a\r\nX: \x80\xff\tb\r\n\r\n",
     "1.1 GET / keep none {Host:a} {X:<80><ff><09>b} \"\" end"},
    {"GET / HTTP/1.1\r\nHost: a\r\nX:\r\nY: \r\n\r\n",
     "1.1 GET / keep none {Host:a} {X:} {Y:} \"\" end"},
    {"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
     "1.1 GET / keep none {Host:a} \"\" +27"},
};

TEST(request_valid_is_understood)
{
    CHECK_ALL(request_valid_is_understood_rows);
}

static const struct h1_case request_framing_follows_rfc_9112_rows[] = {
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
     "1.1 POST / keep len {Host:a} {Content-Length:5} \"hello\" end"},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
     "1.1 POST / keep len {Host:a} {Content-Length:0} \"\" end"},
    {"POST / HTTP/1.1\r\nHost: a\r\n\r\n", "1.1 POST / keep none {Host:a} \"\" end"},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET /",
     "1.1 POST / keep len {Host:a} {Content-Length:5} \"hello\" +5"},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
     "1.1 POST / keep chunked {Host:a} {Transfer-Encoding:chunked} \"abc\" end"},
    {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
     "1.1 GET / keep len {Host:a} {Content-Length:3} \"abc\" end"},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe",
     "1.1 POST / keep len {Host:a} {Content-Length:5} \"he\" cut"},
    {"HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
     "1.1 HEAD / keep len {Host:a} {Content-Length:2} \"hi\" end"},
    {"POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi",
     "1.0 POST / close len {Content-Length:2} \"hi\" end"},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked,\r\n\r\n0\r\n\r\n",
     "1.1 POST / keep chunked {Host:a} {Transfer-Encoding:chunked,} \"\" end"},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
     "!message head: Content-Length together with Transfer-Encoding"},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n",
     "!message head: Content-Length together with Transfer-Encoding"},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
     "!message head: more than one Content-Length"},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
     "!message head: more than one Content-Length"},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nhello",
     "!message head: Content-Length is not a number"},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello",
     "!message head: Content-Length is not a number"},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\nhello",
     "!message head: Content-Length is not a number"},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\nhello",
     "!message head: Content-Length is not a number"},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\nhello",
     "!message head: Content-Length is not a number"},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775808\r\n\r\n",
     "!message head: Content-Length is not a number"},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\v\r\n\r\nhello",
     "!message head, line 3: control character 0x0b"},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n",
     "!message head: chunked twice in Transfer-Encoding"},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
     "!message head: a transfer coding other than chunked"},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n",
     "!message head: a transfer coding other than chunked"},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n",
     "!message head: a transfer coding other than chunked"},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n",
     "!message head: a transfer coding other than chunked"},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked;q=1\r\n\r\n",
     "!message head: a transfer coding other than chunked"},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n",
     "!message head: an empty Transfer-Encoding"},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
     "identity\r\n\r\n",
     "!message head: a transfer coding other than chunked"},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n",
     "!message head, line 3: byte 0x20 in a field name"},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n",
     "!message head, line 4: a folded field"},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0b"
     "chunked\r\n\r\n",
     "!message head, line 3: control character 0x0b"},
    {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     "!message head: Transfer-Encoding in HTTP/1.0"},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer_Encoding: chunked\r\n\r\n",
     "1.1 POST / keep none {Host:a} {Transfer_Encoding:chunked} \"\" end"},
};

TEST(request_framing_follows_rfc_9112)
{
    CHECK_ALL(request_framing_follows_rfc_9112_rows);
}

static const struct h1_case request_target_has_the_form_of_its_method_rows[] = {
    {"GET / HTTP/1.0\r\n\r\n", "1.0 GET / close none \"\" end"},
    {"GET // HTTP/1.0\r\n\r\n", "1.0 GET // close none \"\" end"},
    {"GET /a/b;c=d?e=f&g HTTP/1.0\r\n\r\n", "1.0 GET /a/b;c=d?e=f&g close none \"\" end"},
    {"GET /? HTTP/1.0\r\n\r\n", "1.0 GET /? close none \"\" end"},
    {"GET /a??b HTTP/1.0\r\n\r\n", "1.0 GET /a??b close none \"\" end"},
    {"GET /%41%zz HTTP/1.0\r\n\r\n",
     "!message head, line 1: a bad percent escape in the request target"},
    {"GET /%4 HTTP/1.0\r\n\r\n",
     "!message head, line 1: a bad percent escape in the request target"},
    {"GET /% HTTP/1.0\r\n\r\n",
     "!message head, line 1: a bad percent escape in the request target"},
    {"GET /a?100% HTTP/1.0\r\n\r\n", "1.0 GET /a?100% close none \"\" end"},
    {"GET /a|b^{c} HTTP/1.0\r\n\r\n", "1.0 GET /a|b^{c} close none \"\" end"},
    {"GET /~!$&'()*+,;=:@-._ HTTP/1.0\r\n\r\n", "1.0 GET /~!$&'()*+,;=:@-._ close none \"\" end"},
    {"GET /a#b HTTP/1.0\r\n\r\n", "!message head, line 1: byte 0x23 in the request target"},
    {"GET /\xc3\xa9 HTTP/1.0\r\n\r\n", "!message head, line 1: byte 0xc3 in the request target"},
    {"GET /\"a HTTP/1.0\r\n\r\n", "!message head, line 1: byte 0x22 in the request target"},
    {"GET /<a> HTTP/1.0\r\n\r\n", "!message head, line 1: byte 0x3c in the request target"},
    {"GET /a\\b HTTP/1.0\r\n\r\n", "1.0 GET /a\\b close none \"\" end"},
    {"GET /a\x7f HTTP/1.0\r\n\r\n", "!message head, line 1: control character 0x7f"},
    {"GET /a\x01 HTTP/1.0\r\n\r\n", "!message head, line 1: control character 0x01"},
    {"GET /a\tb HTTP/1.0\r\n\r\n", "!message head, line 1: byte 0x09 in the request target"},
    {"GET http://example.com/a?b HTTP/1.0\r\n\r\n",
     "1.0 GET http://example.com/a?b close none \"\" end"},
    {"GET http://example.com HTTP/1.0\r\n\r\n", "1.0 GET http://example.com close none \"\" end"},
    {"GET http://example.com?a HTTP/1.0\r\n\r\n",
     "1.0 GET http://example.com?a close none \"\" end"},
    {"GET HTTPS://[::1]:8080/ HTTP/1.0\r\n\r\n", "1.0 GET HTTPS://[::1]:8080/ close none \"\" end"},
    {"GET urn+x-1.a://h/ HTTP/1.0\r\n\r\n", "1.0 GET urn+x-1.a://h/ close none \"\" end"},
    {"GET http:// HTTP/1.0\r\n\r\n",
     "!message head, line 1: the request target is neither a path nor a URL"},
    {"GET http:///a HTTP/1.0\r\n\r\n",
     "!message head, line 1: the request target is neither a path nor a URL"},
    {"GET http:/a HTTP/1.0\r\n\r\n",
     "!message head, line 1: the request target is neither a path nor a URL"},
    {"GET http:a HTTP/1.0\r\n\r\n",
     "!message head, line 1: the request target is neither a path nor a URL"},
    {"GET 1http://a/ HTTP/1.0\r\n\r\n",
     "!message head, line 1: the request target is neither a path nor a URL"},
    {"GET http://a:99999/ HTTP/1.0\r\n\r\n",
     "!message head, line 1: the request target is neither a path nor a URL"},
    {"GET http://a:b/ HTTP/1.0\r\n\r\n",
     "!message head, line 1: the request target is neither a path nor a URL"},
    {"GET http://u@a/ HTTP/1.0\r\n\r\n",
     "!message head, line 1: the request target is neither a path nor a URL"},
    {"GET http://u:p@a/ HTTP/1.0\r\n\r\n",
     "!message head, line 1: the request target is neither a path nor a URL"},
    {"GET http://[::1/ HTTP/1.0\r\n\r\n",
     "!message head, line 1: the request target is neither a path nor a URL"},
    {"GET http://a/%zz HTTP/1.0\r\n\r\n",
     "!message head, line 1: the request target is neither a path nor a URL"},
    {"GET http://a:/ HTTP/1.0\r\n\r\n", "1.0 GET http://a:/ close none \"\" end"},
    {"GET a HTTP/1.0\r\n\r\n",
     "!message head, line 1: the request target is neither a path nor a URL"},
    {"GET a/b HTTP/1.0\r\n\r\n",
     "!message head, line 1: the request target is neither a path nor a URL"},
    {"GET ?a HTTP/1.0\r\n\r\n",
     "!message head, line 1: the request target is neither a path nor a URL"},
    {"GET * HTTP/1.0\r\n\r\n", "!message head, line 1: the target \"*\" is for OPTIONS only"},
    {"OPTIONS * HTTP/1.0\r\n\r\n", "1.0 OPTIONS * close none \"\" end"},
    {"OPTIONS / HTTP/1.0\r\n\r\n", "1.0 OPTIONS / close none \"\" end"},
    {"OPTIONS http://a HTTP/1.0\r\n\r\n", "1.0 OPTIONS http://a close none \"\" end"},
    {"OPTIONS ** HTTP/1.0\r\n\r\n",
     "!message head, line 1: the request target is neither a path nor a URL"},
    {"options * HTTP/1.0\r\n\r\n", "!message head, line 1: the target \"*\" is for OPTIONS only"},
    {"GET example.com:80 HTTP/1.0\r\n\r\n",
     "!message head, line 1: the request target is neither a path nor a URL"},
    {"CONNECT example.com:443 HTTP/1.0\r\n\r\n", "1.0 CONNECT example.com:443 close none \"\" end"},
    {"CONNECT [::1]:443 HTTP/1.0\r\n\r\n", "1.0 CONNECT [::1]:443 close none \"\" end"},
    {"CONNECT 1.2.3.4:1 HTTP/1.0\r\n\r\n", "1.0 CONNECT 1.2.3.4:1 close none \"\" end"},
    {"CONNECT example.com HTTP/1.0\r\n\r\n",
     "!message head, line 1: the target of CONNECT is not host:port"},
    {"CONNECT example.com: HTTP/1.0\r\n\r\n",
     "!message head, line 1: the target of CONNECT is not host:port"},
    {"CONNECT example.com:0 HTTP/1.0\r\n\r\n",
     "!message head, line 1: the target of CONNECT is not host:port"},
    {"CONNECT example.com:65536 HTTP/1.0\r\n\r\n",
     "!message head, line 1: the target of CONNECT is not host:port"},
    {"CONNECT :443 HTTP/1.0\r\n\r\n",
     "!message head, line 1: the target of CONNECT is not host:port"},
    {"CONNECT / HTTP/1.0\r\n\r\n", "!message head, line 1: the target of CONNECT is not host:port"},
    {"CONNECT http://a/ HTTP/1.0\r\n\r\n",
     "!message head, line 1: the target of CONNECT is not host:port"},
    {"CONNECT a:1/ HTTP/1.0\r\n\r\n",
     "!message head, line 1: the target of CONNECT is not host:port"},
    {"CONNECT u@a:1 HTTP/1.0\r\n\r\n",
     "!message head, line 1: the target of CONNECT is not host:port"},
    {"CONNECT * HTTP/1.0\r\n\r\n", "!message head, line 1: the target of CONNECT is not host:port"},
    {"connect a:1 HTTP/1.0\r\n\r\n",
     "!message head, line 1: the request target is neither a path nor a URL"},
    {"CONNECT ::1:443 HTTP/1.0\r\n\r\n",
     "!message head, line 1: the target of CONNECT is not host:port"},
};

TEST(request_target_has_the_form_of_its_method)
{
    CHECK_ALL(request_target_has_the_form_of_its_method_rows);
}

static const struct h1_case request_host_is_one_valid_host_rows[] = {
    {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "1.1 GET / keep none {Host:a} \"\" end"},
    {"GET / HTTP/1.1\r\nHost:a\r\n\r\n", "1.1 GET / keep none {Host:a} \"\" end"},
    {"GET / HTTP/1.1\r\nHost: a:80\r\n\r\n", "1.1 GET / keep none {Host:a:80} \"\" end"},
    {"GET / HTTP/1.1\r\nHost: a:\r\n\r\n", "1.1 GET / keep none {Host:a:} \"\" end"},
    {"GET / HTTP/1.1\r\nHost:\r\n\r\n", "1.1 GET / keep none {Host:} \"\" end"},
    {"GET / HTTP/1.1\r\nHost: \r\n\r\n", "1.1 GET / keep none {Host:} \"\" end"},
    {"GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n",
     "1.1 GET / keep none {Host:127.0.0.1:8080} \"\" end"},
    {"GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n", "1.1 GET / keep none {Host:[::1]} \"\" end"},
    {"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "1.1 GET / keep none {Host:[::1]:80} \"\" end"},
    {"GET / HTTP/1.1\r\nHost: [::ffff:1.2.3.4]\r\n\r\n",
     "1.1 GET / keep none {Host:[::ffff:1.2.3.4]} \"\" end"},
    {"GET / HTTP/1.1\r\nHost: a_b-c.d~e\r\n\r\n", "1.1 GET / keep none {Host:a_b-c.d~e} \"\" end"},
    {"GET / HTTP/1.1\r\nHost: %41.b\r\n\r\n", "1.1 GET / keep none {Host:%41.b} \"\" end"},
    {"GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", "1.1 GET / keep none {Host:a,b} \"\" end"},
    {"GET / HTTP/1.1\r\n\r\n", "!message head: no Host"},
    {"GET http://a/ HTTP/1.1\r\n\r\n", "!message head: no Host"},
    {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "!message head: more than one Host"},
    {"GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n", "!message head: more than one Host"},
    {"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", "!message head: more than one Host"},
    {"GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", "1.1 GET http://a/ keep none {Host:b} \"\" end"},
    {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "!message head: Host is not a host name or address"},
    {"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", "!message head: Host is not a host name or address"},
    {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "!message head: Host is not a host name or address"},
    {"GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n",
     "!message head: Host is not a host name or address"},
    {"GET / HTTP/1.1\r\nHost: a:x\r\n\r\n", "!message head: Host is not a host name or address"},
    {"GET / HTTP/1.1\r\nHost: a:-1\r\n\r\n", "!message head: Host is not a host name or address"},
    {"GET / HTTP/1.1\r\nHost: a:+80\r\n\r\n", "!message head: Host is not a host name or address"},
    {"GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n",
     "!message head: Host is not a host name or address"},
    {"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", "!message head: Host is not a host name or address"},
    {"GET / HTTP/1.1\r\nHost: http://a\r\n\r\n",
     "!message head: Host is not a host name or address"},
    {"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", "!message head: Host is not a host name or address"},
    {"GET / HTTP/1.1\r\nHost: ::1\r\n\r\n", "!message head: Host is not a host name or address"},
    {"GET / HTTP/1.1\r\nHost: []\r\n\r\n", "!message head: Host is not a host name or address"},
    {"GET / HTTP/1.1\r\nHost: [::g]\r\n\r\n", "!message head: Host is not a host name or address"},
    {"GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", "!message head: Host is not a host name or address"},
    {"GET / HTTP/1.1\r\nHost: [1.2.3.4]\r\n\r\n",
     "!message head: Host is not a host name or address"},
    {"GET / HTTP/1.1\r\nHost: [::1%25eth0]\r\n\r\n",
     "!message head: Host is not a host name or address"},
    {"GET / HTTP/1.1\r\nHost: a%zz\r\n\r\n", "!message head: Host is not a host name or address"},
    {"GET / HTTP/1.1\r\nHost: a%4\r\n\r\n", "!message head: Host is not a host name or address"},
    {"GET / HTTP/1.1\r\nHost: \xc3\xa9\r\n\r\n",
     "!message head: Host is not a host name or address"},
    {"GET / HTTP/1.1\r\nHost: a?b\r\n\r\n", "!message head: Host is not a host name or address"},
    {"GET / HTTP/1.1\r\nHost: a#b\r\n\r\n", "!message head: Host is not a host name or address"},
    {"GET / HTTP/1.1\r\nHost: \"a\"\r\n\r\n", "!message head: Host is not a host name or address"},
    {"GET / HTTP/1.1\r\nHost: a\\b\r\n\r\n", "!message head: Host is not a host name or address"},
    {"GET / HTTP/1.1\r\nHost: <a>\r\n\r\n", "!message head: Host is not a host name or address"},
    {"GET / HTTP/1.1\r\nHost: [v1.a]\r\n\r\n", "!message head: Host is not a host name or address"},
    {"GET / HTTP/1.1\r\nHost: a[::1]\r\n\r\n", "!message head: Host is not a host name or address"},
};

TEST(request_host_is_one_valid_host)
{
    CHECK_ALL(request_host_is_one_valid_host_rows);
}

static const struct h1_case request_malformed_is_refused_rows[] = {
    {"GET /\r\n", "!message head, line 1: no HTTP version after the request target"},
    {"GET / HTTP/1.2\r\n\r\n", "!message head, line 1: HTTP version 1.2 is not supported"},
    {"GET / HTTP/0.9\r\n\r\n", "!message head, line 1: HTTP version 0.9 is not supported"},
    {"GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
     "!message head, line 1: no HTTP version where one must stand"},
    {"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
     "!message head, line 1: no request target after the method"},
    {"GET /  HTTP/1.1\r\nHost: a\r\n\r\n",
     "!message head, line 1: no HTTP version where one must stand"},
    {"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n",
     "!message head, line 1: the method is not a token followed by one space"},
    {"GET /\tHTTP/1.1\r\nHost: a\r\n\r\n",
     "!message head, line 1: byte 0x09 in the request target"},
    {" GET / HTTP/1.1\r\nHost: a\r\n\r\n",
     "!message head, line 1: the method is not a token followed by one space"},
    {"GET\r\n", "!message head, line 1: the method is not a token followed by one space"},
    {"GET \r\n", "!message head, line 1: no request target after the method"},
    {"/ HTTP/1.1\r\n", "!message head, line 1: the method is not a token followed by one space"},
    {"GET / http/1.1\r\n", "!message head, line 1: no HTTP version where one must stand"},
    {"GET / HTTP/1.1x\r\n", "!message head, line 1: no HTTP version where one must stand"},
    {"GET / HTTP/1\r\n", "!message head, line 1: no HTTP version where one must stand"},
    {"GET / HTTP/1.\r\n", "!message head, line 1: no HTTP version where one must stand"},
    {"GET / HTTPS/1.1\r\n", "!message head, line 1: no HTTP version where one must stand"},
    {"GET / 1.1\r\n", "!message head, line 1: no HTTP version where one must stand"},
    {"GET /a b HTTP/1.1\r\n", "!message head, line 1: no HTTP version where one must stand"},
    {"G(T / HTTP/1.1\r\n",
     "!message head, line 1: the method is not a token followed by one space"},
    {"G\xc3T / HTTP/1.1\r\n",
     "!message head, line 1: the method is not a token followed by one space"},
    {"GE\"T / HTTP/1.1\r\n",
     "!message head, line 1: the method is not a token followed by one space"},
    {"G,T / HTTP/1.1\r\n",
     "!message head, line 1: the method is not a token followed by one space"},
    {"GET: / HTTP/1.1\r\n",
     "!message head, line 1: the method is not a token followed by one space"},
    {"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "!message head, line 1: a line ends with LF alone"},
    {"\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", "!message head, line 1: CR without LF"},
    {"GET / HTTP/1.1\nHost: a\n\n", "!message head, line 1: a line ends with LF alone"},
    {"GET / HTTP/1.1\r\nHost: a\n\r\n", "!message head, line 2: a line ends with LF alone"},
    {"GET / HTTP/1.1\r\nHost: a\r\n\n", "!message head, line 3: a line ends with LF alone"},
    {"GET / HTTP/1.1\rHost: a\r\n\r\n", "!message head, line 1: CR without LF"},
    {"GET / HTTP/1.1\r\nHost: a\r\nA : b\r\n\r\n",
     "!message head, line 3: byte 0x20 in a field name"},
    {"GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n c\r\n\r\n", "!message head, line 4: a folded field"},
    {"GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n\tc\r\n\r\n", "!message head, line 4: a folded field"},
    {"GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n \r\n\r\n", "!message head, line 4: a folded field"},
    {"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
     "!message head, line 2: whitespace before the first field"},
    {"GET / HTTP/1.1\r\n \r\nHost: a\r\n\r\n",
     "!message head, line 2: whitespace before the first field"},
    {"GET / HTTP/1.1\r\nHost: a\r\nA\r\n\r\n", "!message head, line 3: a field without a colon"},
    {"GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", "!message head, line 3: a field without a name"},
    {"GET / HTTP/1.1\r\nHost: a\r\nA b: c\r\n\r\n",
     "!message head, line 3: byte 0x20 in a field name"},
    {"GET / HTTP/1.1\r\nHost: a\r\nA: \x01\r\n\r\n",
     "!message head, line 3: control character 0x01"},
    {"GET / HTTP/1.1\r\nHost: a\r\nA: \x7f\r\n\r\n",
     "!message head, line 3: control character 0x7f"},
    {"GET / HTTP/1.1\r\nHost: a\r\nA: b\rc\r\n\r\n", "!message head, line 3: CR without LF"},
    {"GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n\rB: c\r\n\r\n", "!message head, line 4: CR without LF"},
    {"GET / HTTP/1.1\r\nHost: a\r\nA: \0\r\n\r\n", "!message head, line 3: control character 0x00",
     .len = 33},
    {"GET /\0 HTTP/1.1\r\n", "!message head, line 1: control character 0x00", .len = 17},
    {"\0GET / HTTP/1.1\r\nHost: a\r\n", "!message head, line 1: control character 0x00", .len = 26},
    {"\x16\x03\x01\x02\x00\x01\x00", "!message head, line 1: control character 0x16", .len = 7},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
     "!message head, line 1: HTTP version 2.0 is not supported"},
    {"\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
     "!message head, line 9: too many empty lines before the request line"},
    {"G", "more"},
    {"GET /", "more"},
    {"GET / HTTP/1.1\r\n", "more"},
    {"GET / HTTP/1.1\r\nHost: a\r\n", "more"},
    {"\r\n", "more"},
    {"\r", "more"},
};

TEST(request_malformed_is_refused)
{
    CHECK_ALL(request_malformed_is_refused_rows);
}

TEST(request_refused_says_what_to_answer)
{
    static const struct {
        const char *input;
        int status;
    } rows[] = {
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/2.0\r\n", 505},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
        {"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
        {"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", 400},
    };
    struct weft__h1_head head;
    weft__h1_head_init(&head);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        weft__h1_head_reset(&head, NULL);
        ASSERT_ERR(weft__h1_parse_request(&head, rows[i].input, strlen(rows[i].input),
                                          &weft__h1_request_limits),
                   WEFT_EREMOTE_PROTOCOL);
        ASSERT_INT_EQ(head.status, rows[i].status);
    }
    weft__h1_head_done(&head);
}

TEST(request_target_form_is_told)
{
    static const struct {
        const char *input;
        enum weft__h1_target_form form;
    } rows[] = {
        {"GET /a HTTP/1.0\r\n\r\n", WEFT__H1_ORIGIN},
        {"GET http://a/ HTTP/1.0\r\n\r\n", WEFT__H1_ABSOLUTE},
        {"CONNECT a:1 HTTP/1.0\r\n\r\n", WEFT__H1_AUTHORITY},
        {"OPTIONS * HTTP/1.0\r\n\r\n", WEFT__H1_ASTERISK},
    };
    struct weft__h1_head head;
    weft__h1_head_init(&head);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        weft__h1_head_reset(&head, NULL);
        ASSERT_OK(weft__h1_parse_request(&head, rows[i].input, strlen(rows[i].input),
                                         &weft__h1_request_limits));
        ASSERT_INT_EQ(head.form, rows[i].form);
        ASSERT(head.host.data == NULL);
    }
    weft__h1_head_done(&head);
}
