/* weft.h - everything: tasks, streams, sockets, TLS, files, signals, HTTP, retry, limits. */
#ifndef WEFT_H
#define WEFT_H

#include <weft/base.h>
#include <weft/error.h>
#include <weft/scope.h>
#include <weft/group.h>
#include <weft/run.h>
#include <weft/debug.h>
#include <weft/local.h>
#include <weft/sync.h>
#include <weft/channel.h>
#include <weft/thread.h>
#include <weft/stream.h>
#include <weft/net.h>
#include <weft/udp.h>
#include <weft/tls.h>
#include <weft/certificate.h>
#include <weft/serve.h>
#include <weft/file.h>
#include <weft/file_more.h>
#include <weft/fs.h>
#include <weft/fs_root.h>
#include <weft/fs_temp.h>
#include <weft/fs_tree.h>
#include <weft/fs_watch.h>
#include <weft/process.h>
#include <weft/signal.h>
#include <weft/retry.h>
#include <weft/limit.h>
#include <weft/url.h>
#include <weft/http.h>
#include <weft/cookie.h>
#include <weft/response.h>
#include <weft/exchange.h>
#include <weft/transport.h>
#include <weft/auth.h>
#include <weft/hooks.h>
#include <weft/client.h>
#include <weft/save.h>
#include <weft/sse.h>
#include <weft/verbs.h>
#include <weft/mock.h>
#include <weft/server.h>
#include <weft/json.h>

#endif
