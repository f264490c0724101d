"""The pages for those who know another library: every concept has its row, every name exists."""

import glob
import os
import re

import tap

# What asyncio's manual and its modules export, but for what differs in name only.
ASYNCIO = """
    run debug= loop_factory= Runner Runner.run Runner.get_loop Ctrl-C create_task TaskGroup
    TaskGroup.cancel ExceptionGroup eager_task_factory eager_start Task.result exception done
    cancelled Task.get_name set_name Task.cancel CancelledError uncancel cancelling
    add_done_callback get_stack print_stack get_coro current_task all_tasks sleep(1) sleep(0)
    gather return_exceptions as_completed FIRST_COMPLETED FIRST_EXCEPTION ALL_COMPLETED
    staggered_race wait_for timeout timeout_at Timeout.reschedule when expired shield ContextVar
    copy_context context= Future ensure_future wrap_future isfuture run_coroutine_threadsafe
    call_soon_threadsafe call_soon call_later call_at loop.time add_reader add_writer sock_recv
    sock_sendall sock_connect sock_accept sock_sendfile Transport Protocol BufferedProtocol
    set_task_factory set_exception_handler set_event_loop_policy capture_call_graph
    print_call_graph future_add_to_awaited_by pstree Lock Event Condition Semaphore
    BoundedSemaphore Barrier reset abort Queue LifoQueue PriorityQueue Queue.join task_done
    Queue.shutdown QueueShutDown QueueFull QueueEmpty put_nowait to_thread run_in_executor
    set_default_executor shutdown_default_executor get_running_loop reuse_port open_connection
    create_connection happy_eyeballs_delay interleave all_errors ssl_handshake_timeout
    ssl_shutdown_timeout open_unix_connection start_server start_unix_server cleanup_socket
    backlog keep_alive Server.serve_forever Server.close wait_closed close_clients
    Server.abort_clients is_serving Server.sockets StreamReader limit= read(n) read(-1) readline
    readuntil readexactly IncompleteReadError LimitOverrunError at_eof write drain writelines
    set_write_buffer_limits write_eof can_write_eof start_tls get_extra_info setsockopt
    loop.sendfile create_datagram_endpoint getaddrinfo getnameinfo connect_read_pipe
    connect_write_pipe create_subprocess_exec create_subprocess_shell subprocess.PIPE DEVNULL
    STDOUT Process.wait Process.communicate Process.send_signal terminate kill Process.pid
    returncode Process.stdin CalledProcessError ThreadedChildWatcher add_signal_handler
    remove_signal_handler PYTHONASYNCIODEBUG slow_callback_duration destroyed awaited retrieved
    unclosed thread
""".split()

# What trio exports, and what anyio has beside it.
TRIO = """
    trio.run open_nursery start_soon nursery.start task_status.started cancel_scope child_tasks
    parent_task MultiError ExceptionGroup CancelScope shield=True reason= cancel_called
    cancelled_caught deadline relative_deadline current_effective_deadline move_on_after
    move_on_at fail_after fail_at checkpoint checkpoint_if_cancelled cancel_shielded_checkpoint
    current_task current_root_task spawn_system_task RunVar contextvars mis-nesting
    enable_ki_protection KeyboardInterrupt start_guest_run wait_task_rescheduled reschedule
    random deadlock outermost TaskHandle amap Event Lock StrictFIFOLock Condition Semaphore
    max_value WouldBlock open_memory_channel math.inf clone statistics EndOfChannel
    BrokenResourceError ClosedResourceError ParkingLot CapacityLimiter acquire_on_behalf_of
    total_tokens to_thread.run_sync limiter= abandon_on_cancel current_default_thread_limiter
    from_thread.run check_cancelled trio_token BlockingPortal run_sync_soon current_trio_token
    start_thread_soon open_tcp_stream open_ssl_over_tcp_stream open_unix_socket
    open_tcp_listeners serve_tcp serve_listeners SSLStream StapledStream TypedAttribute
    TCPConnectable send_all receive_some send_eof aclose from_stdlib_socket BusyResourceError
    ResourceGuard socketpair wait_readable notify_closing run_process deliver_cancel
    open_process Process.stdio Process.wait poll returncode send_signal open_signal_receiver
    Instrument before_run task_spawned add_instrument remove_instrument current_statistics
    RunStatistics tasks_living tasks_runnable seconds_to_next_deadline io_statistics
    child_nurseries iter_await_frames MockClock autojump_threshold MockClock.jump rate=
    wait_all_tasks_blocked Sequencer assert_checkpoints assert_no_checkpoints memory_stream_pair
    memory_stream_one_way_pair lockstep_stream_pair memory_stream_pump
    open_stream_to_socket_listener check_one_way_stream set_custom_hostname_resolver
    set_custom_socket_factory _ALLOW_DETERMINISTIC_SCHEDULING
""".split()

# What aiofiles has, and what anyio, tokio, tokio-uring and Linux have beside it.
AIOFILES = """
    open mode encoding errors newline closefd= buffering= opener loop= executor= close flush isatty read readable
    readline seek seekable tell truncate write writable writelines detach fileno() buffer closed line_buffering
    newlines name mode read1 readinto peek raw readall async stdin stdout stderr _bytes
    os.stat os.statvfs sendfile os.rename os.renames os.replace os.remove os.unlink os.mkdir os.makedirs os.rmdir
    os.removedirs os.link os.symlink os.readlink os.listdir os.scandir os.access os.getcwd wrap
    os.path.abspath os.path.exists isfile isdir islink ismount getsize getatime getmtime getctime samefile
    sameopenfile TemporaryFile NamedTemporaryFile SpooledTemporaryFile TemporaryDirectory delete= delete_on_close=
    max_size= rollover cleanup sync_open
    read_bytes read_text write_bytes write_text touch Path.glob rglob iterdir walk Path.copy copy_into shutil.move
    move_into chmod lchmod owner group hardlink_to symlink_to readlink resolve expanduser absolute is_fifo
    missing_ok exist_ok CapacityLimiter FileReadStream FileWriteStream mkstemp mkdtemp gettempdir wrap_file
    canonicalize create_dir_all remove_dir_all read_dir set_permissions sync_all sync_data set_len try_clone
    into_std OpenOptions create_new set_max_buf_size
    read_at readv_at read_exact_at write_at write_all_at writev_at_all fallocate statx
    O_TMPFILE linkat renameat2 RENAME_NOREPLACE RENAME_EXCHANGE copy_file_range FICLONE splice sync_file_range
    posix_fadvise flock birth openat2 RESOLVE_BENEATH getxattr inotify fanotify tail memfd_create SEEK_DATA SEEK_HOLE
""".split()

# What requests' modules export, what its objects have, what its users install beside it; and what
# clients have that it has not.
REQUESTS = """
    requests.get requests.head requests.post requests.put requests.patch requests.delete requests.options
    requests.request ThreadPoolExecutor params= data= json= files= headers= cookies= auth= timeout=
    allow_redirects= proxies= verify= cert= stream= hooks=
    r.status_code r.ok r.reason raise_for_status r.text r.content r.json r.headers r.url r.encoding
    apparent_encoding r.cookies r.history is_redirect is_permanent_redirect r.next r.links r.elapsed r.request
    r.raw iter_content decode_unicode iter_lines r.close r.connection
    requests.Session s.headers s.params s.auth s.cookies s.hooks max_redirects s.proxies s.stream trust_env
    s.verify s.cert s.adapters s.mount get_adapter s.close rebuild_auth should_strip_auth rebuild_method
    get_redirect_target resolve_redirects rebuild_proxies merge_environment_settings BaseUrlSession
    requests.Request Request.prepare prepare_request s.send prepared.headers prepared.url path_url prepared.body
    prepare_body prepared.copy register_hook
    HTTPAdapter pool_connections pool_maxsize pool_block max_retries Retry backoff_factor status_forcelist
    backoff_max backoff_jitter allowed_methods raise_on_status respect_retry_after_header
    remove_headers_on_redirect Retry.history BaseAdapter.send requests-mock responses proxy_manager_for
    proxy_headers init_poolmanager ssl_context= cert_verify build_response request_url
    get_connection_with_tls_context SSLAdapter FingerprintAdapter SourceAddressAdapter HostHeaderSSLAdapter
    SocketOptionsAdapter MultipartEncoder MultipartEncoderMonitor dump.dump_all requests-unixsocket requests-cache
    HTTPBasicAuth HTTPDigestAuth HTTPProxyAuth AuthBase netrc bearer requests-oauthlib auth=None requests-ntlm
    requests-kerberos AWS4Auth
    RequestsCookieJar jar.set jar.get CookieConflictError jar.items keys values get_dict list_domains list_paths
    multiple_domains jar.clear create_cookie set_cookie jar.update merge_cookies jar.copy cookiejar_from_dict
    add_dict_to_cookiejar dict_from_cookiejar extract_cookies_to_jar get_cookie_header MozillaCookieJar set_policy
    RequestException ConnectionError Timeout ConnectTimeout ReadTimeout HTTPError SSLError ProxyError
    TooManyRedirects URLRequired InvalidURL MissingSchema InvalidProxyURL InvalidSchema InvalidHeader
    ChunkedEncodingError ContentDecodingError StreamConsumedError RetryError UnrewindableBodyError
    JSONDecodeError InvalidJSONError RequestsWarning FileModeWarning RequestsDependencyWarning
    requests.codes requests.__version__ default_user_agent default_headers utils.quote utils.unquote requote_uri
    unquote_unreserved urldefragauth get_auth_from_url prepend_scheme_if_needed urljoin urlparse urlencode
    parse_dict_header parse_list_header get_encoding_from_headers get_unicode_from_response
    stream_decode_response_unicode guess_json_utf get_netrc_auth get_environ_proxies should_bypass_proxies
    select_proxy super_len rewind_body guess_filename iter_slices check_header_validity dict_to_sequence
    to_key_val_list CaseInsensitiveDict
""".split() + """
    sync and async|HTTP/2|h2c|keep-alive PING|HTTP/3|Alt-Svc|per-host limits|waiting for a slot
    dead kept connection|retry policy|default time-out|total deadline|DNS within the connect time-out|slow servers
    redirects on, 30|301 and 302 rewriting|fields of the body|stripped across origins|307 and 308
    schemes that redirects|cookie jar|Basic, Digest, netrc|NTLM, Negotiate, SigV4|custom auth flow|SOCKS|proxy auth
    NO_PROXY|gzip, deflate|bounds of decoding|request compression|charset|multipart|JSON in and out
    server-sent events, WebSocket|100-continue|middleware, hooks, trace|mock transport|Unix socket, address, interface
    names that lead elsewhere|happy eyeballs|client certificate|pin, revocation, key log|HSTS, HTTP cache|largest body
    speed limit|resume|pool introspection|a program and a server
""".replace("\n", "|").strip().split("|")

# What httpx' manual and modules have, in their order: client, requests, URLs, params, fields, bodies, auth,
# cookies, redirects, time-outs, pool, proxies, TLS, responses, hooks, exceptions, program, events.
HTTPX = """
    Client() AsyncClient() Client(auth=, verify= trust_env mounts= limits= max_redirects event_hooks= base_url
    transport= default_encoding http1= http2=True Accept Accept-Encoding client.close() RuntimeError
    client.headers USE_CLIENT_DEFAULT
    httpx.get head post put patch delete httpx.options httpx.request client.get client.head client.post client.put
    client.delete client.options client.query client.request client.stream client.build_request Request(
    client.send stream=True request.read() RequestNotRead timeout target sni_hostname trace http_version
    reason_phrase Content-Length Transfer-Encoding Expect
    httpx.URL InvalidURL url.scheme url.username url.password url.userinfo url.host url.raw_host url.port
    url.netloc url.path url.raw_path url.query url.fragment url.params str(url) repr(url) is_absolute_url
    is_relative_url url.join copy_with copy_add_param copy_set_param copy_merge_params copy_remove_param 127.1
    params= QueryParams params["a"] get_list multi_items() remove merge str(params)
    httpx.Headers headers.copy split_commas raw setdefault update repr
    content=b content="text" content=open content=generator() StreamConsumed json=value json=None data= files=
    boundary
    BasicAuth DigestAuth NetRCAuth auth_flow FunctionAuth requires_response_body auth=None https://kim:pass@host/
    client.cookies Client(cookies= Cookies() cookies.set cookies.get CookieConflict cookies.delete clear
    cookies.update cookies.jar r.cookies
    follow_redirects max_redirects=20 TooManyRedirects r.history r.next_request
    Timeout(5.0) connect= read= write= pool= ConnectTimeout ReadTimeout WriteTimeout PoolTimeout Timeout(None)
    Limits max_connections max_keepalive_connections keepalive_expiry retries uds= local_address= socket_options=
    proxy= socks5h Proxy(url, headers= ssl_context= ProxyError HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY
    SSL_CERT_FILE SSL_CERT_DIR SSLKEYLOGFILE mounts= verify=False cafile= cert=
    r.status_code r.reason_phrase r.http_version r.headers r.url r.request is_informational is_success
    is_redirect is_client_error is_server_error is_error has_redirect_location raise_for_status r.content r.text
    r.json() r.links r.encoding charset_encoding r.default_encoding num_bytes_downloaded r.elapsed network_stream
    is_closed is_stream_consumed r.read() r.close() iter_bytes() iter_bytes(1000) iter_raw iter_text iter_lines
    aread aiter_bytes aiter_raw aiter_text aiter_lines aclose StreamClosed ResponseNotRead gzip deflate br zstd
    MockTransport WSGITransport ASGITransport BaseTransport AsyncBaseTransport logger
    HTTPError RequestError TransportError TimeoutException NetworkError ConnectError ReadError WriteError CloseError
    ProtocolError LocalProtocolError RemoteProtocolError UnsupportedProtocol DecodingError HTTPStatusError
    StreamError exc.request
    httpx URL METHOD --auth --proxy --timeout --follow-redirects --no-verify --download -c -d -j -f -h -p
    client.sse max_event_size event.json() SSEError client.websocket
""".split()

# What libcurl's header has that programs of HTTP use.
LIBCURL = """
    curl_global_init curl_global_cleanup curl_version_info curl_version curl_easy_init
    curl_easy_setopt curl_easy_perform curl_easy_cleanup curl_easy_reset curl_easy_duphandle
    curl_easy_pause curl_easy_upkeep curl_easy_send curl_easy_recv curl_easy_strerror
    curl_easy_escape curl_easy_unescape curl_easy_option_by_name curl_easy_option_next curl_free
    curl_slist_append curl_slist_free_all curl_getdate CURLOPT_PRIVATE CURLOPT_NOSIGNAL
    CURLOPT_ERRORBUFFER CURLOPT_VERBOSE CURLOPT_DEBUGFUNCTION CURLOPT_URL CURLOPT_CURLU
    CURLOPT_DEFAULT_PROTOCOL CURLOPT_HTTPGET CURLOPT_NOBODY CURLOPT_POST CURLOPT_POSTFIELDS
    CURLOPT_POSTFIELDSIZE CURLOPT_COPYPOSTFIELDS CURLOPT_MIMEPOST CURLOPT_HTTPPOST
    CURLOPT_UPLOAD CURLOPT_READFUNCTION CURLOPT_READDATA CURLOPT_INFILESIZE_LARGE
    CURLOPT_SEEKFUNCTION CURLOPT_SEEKDATA CURLOPT_CUSTOMREQUEST CURLOPT_REQUEST_TARGET
    CURLOPT_PATH_AS_IS CURLOPT_HTTPHEADER CURLOPT_PROXYHEADER CURLOPT_HEADEROPT
    CURLOPT_USERAGENT CURLOPT_REFERER CURLOPT_AUTOREFERER CURLOPT_FOLLOWLOCATION
    CURLOPT_MAXREDIRS CURLOPT_POSTREDIR CURLOPT_PROTOCOLS_STR CURLOPT_REDIR_PROTOCOLS_STR
    CURLOPT_UNRESTRICTED_AUTH CURLOPT_DISALLOW_USERNAME_IN_URL CURLOPT_EXPECT_100_TIMEOUT_MS
    CURLOPT_KEEP_SENDING_ON_ERROR CURLOPT_TRAILERFUNCTION CURLOPT_RANGE
    CURLOPT_RESUME_FROM_LARGE CURLOPT_TIMECONDITION CURLOPT_TIMEVALUE CURLOPT_AWS_SIGV4
    CURLOPT_WRITEFUNCTION CURLOPT_WRITEDATA CURLOPT_HEADERFUNCTION CURLOPT_HEADERDATA
    CURLOPT_HEADER CURLOPT_XFERINFOFUNCTION CURLOPT_XFERINFODATA CURLOPT_NOPROGRESS
    CURLOPT_FAILONERROR CURLOPT_ACCEPT_ENCODING CURLOPT_HTTP_CONTENT_DECODING
    CURLOPT_TRANSFER_ENCODING CURLOPT_HTTP_TRANSFER_DECODING CURLOPT_MAXFILESIZE_LARGE
    CURLOPT_IGNORE_CONTENT_LENGTH CURLOPT_HTTP09_ALLOWED CURLOPT_HTTP200ALIASES CURLOPT_FILETIME
    CURLOPT_BUFFERSIZE CURLOPT_UPLOAD_BUFFERSIZE curl_ws_send curl_ws_recv curl_ws_meta
    CURLOPT_WS_OPTIONS CURLOPT_TIMEOUT_MS CURLOPT_CONNECTTIMEOUT_MS
    CURLOPT_SERVER_RESPONSE_TIMEOUT CURLOPT_TIMEOUT CURLOPT_LOW_SPEED_LIMIT
    CURLOPT_LOW_SPEED_TIME CURLOPT_HAPPY_EYEBALLS_TIMEOUT_MS CURLOPT_MAX_RECV_SPEED_LARGE
    CURLOPT_MAX_SEND_SPEED_LARGE CURLOPT_USERPWD CURLOPT_USERNAME CURLOPT_PASSWORD
    CURLOPT_HTTPAUTH CURLAUTH_BASIC CURLAUTH_DIGEST CURLAUTH_ANY CURLAUTH_NTLM
    CURLAUTH_NEGOTIATE CURLOPT_XOAUTH2_BEARER CURLOPT_NETRC CURLOPT_NETRC_FILE CURLOPT_COOKIE
    CURLOPT_COOKIEFILE CURLOPT_COOKIEJAR CURLOPT_COOKIELIST CURLOPT_COOKIESESSION CURLOPT_PROXY
    CURLOPT_PROXYPORT CURLOPT_PROXYTYPE CURLOPT_PROXYUSERPWD CURLOPT_PROXYAUTH CURLOPT_NOPROXY
    CURLOPT_HTTPPROXYTUNNEL CURLOPT_SUPPRESS_CONNECT_HEADERS CURLOPT_PRE_PROXY
    CURLOPT_HAPROXYPROTOCOL CURLOPT_PROXY_CAINFO CURLOPT_PROXY_SSL_VERIFYPEER
    CURLOPT_SSL_VERIFYPEER CURLOPT_SSL_VERIFYHOST CURLOPT_CAINFO CURLOPT_CAPATH
    CURLOPT_CAINFO_BLOB CURLOPT_SSLCERT_BLOB CURLOPT_SSLCERT CURLOPT_SSLKEY CURLOPT_KEYPASSWD
    CURLOPT_SSLCERTTYPE CURLOPT_SSLVERSION CURLOPT_SSL_CIPHER_LIST CURLOPT_TLS13_CIPHERS
    CURLOPT_SSL_EC_CURVES CURLOPT_PINNEDPUBLICKEY CURLOPT_CRLFILE CURLOPT_SSL_VERIFYSTATUS
    CURLOPT_SSL_SESSIONID_CACHE CURLOPT_SSL_CTX_FUNCTION CURLOPT_SSL_ENABLE_ALPN CURLOPT_HSTS
    CURLOPT_ALTSVC CURLOPT_RESOLVE CURLOPT_CONNECT_TO CURLOPT_DNS_CACHE_TIMEOUT
    CURLOPT_DNS_SERVERS CURLOPT_DNS_INTERFACE CURLOPT_DOH_URL CURLOPT_DNS_SHUFFLE_ADDRESSES
    CURLOPT_IPRESOLVE CURLOPT_INTERFACE CURLOPT_LOCALPORT CURLOPT_UNIX_SOCKET_PATH
    CURLOPT_ABSTRACT_UNIX_SOCKET CURLOPT_PREREQFUNCTION CURLOPT_OPENSOCKETFUNCTION
    CURLOPT_SOCKOPTFUNCTION CURLOPT_CLOSESOCKETFUNCTION CURLOPT_TCP_NODELAY
    CURLOPT_TCP_KEEPALIVE CURLOPT_TCP_KEEPIDLE CURLOPT_TCP_FASTOPEN CURLOPT_FORBID_REUSE
    CURLOPT_FRESH_CONNECT CURLOPT_MAXCONNECTS CURLOPT_MAXAGE_CONN CURLOPT_MAXLIFETIME_CONN
    CURLOPT_CONNECT_ONLY CURLOPT_HTTP_VERSION CURLOPT_PIPEWAIT CURLOPT_STREAM_WEIGHT
    CURLINFO_RESPONSE_CODE CURLINFO_HTTP_VERSION CURLINFO_HTTP_CONNECTCODE
    CURLINFO_EFFECTIVE_URL CURLINFO_EFFECTIVE_METHOD CURLINFO_SCHEME CURLINFO_REDIRECT_COUNT
    CURLINFO_REDIRECT_URL CURLINFO_CONTENT_TYPE CURLINFO_CONTENT_LENGTH_DOWNLOAD_T
    CURLINFO_SIZE_DOWNLOAD_T CURLINFO_SIZE_UPLOAD_T CURLINFO_CONTENT_LENGTH_UPLOAD_T
    CURLINFO_SPEED_DOWNLOAD_T CURLINFO_SPEED_UPLOAD_T CURLINFO_HEADER_SIZE CURLINFO_REQUEST_SIZE
    CURLINFO_TOTAL_TIME_T CURLINFO_NAMELOOKUP_TIME_T CURLINFO_CONNECT_TIME_T
    CURLINFO_APPCONNECT_TIME_T CURLINFO_PRETRANSFER_TIME_T CURLINFO_STARTTRANSFER_TIME_T
    CURLINFO_POSTTRANSFER_TIME_T CURLINFO_QUEUE_TIME_T CURLINFO_REDIRECT_TIME_T
    CURLINFO_NUM_CONNECTS CURLINFO_CONN_ID CURLINFO_XFER_ID CURLINFO_PRIMARY_IP
    CURLINFO_PRIMARY_PORT CURLINFO_LOCAL_IP CURLINFO_LOCAL_PORT CURLINFO_ACTIVESOCKET
    CURLINFO_LASTSOCKET CURLINFO_SSL_VERIFYRESULT CURLINFO_PROXY_SSL_VERIFYRESULT
    CURLINFO_CERTINFO CURLINFO_TLS_SSL_PTR CURLINFO_CAINFO CURLINFO_CAPATH CURLINFO_SSL_ENGINES
    CURLINFO_HTTPAUTH_AVAIL CURLINFO_PROXYAUTH_AVAIL CURLINFO_OS_ERRNO CURLINFO_PROXY_ERROR
    CURLINFO_COOKIELIST CURLINFO_RETRY_AFTER CURLINFO_FILETIME_T CURLINFO_CONDITION_UNMET
    CURLINFO_REFERER CURLINFO_PRIVATE CURLINFO_USED_PROXY curl_multi_init curl_multi_perform
    curl_multi_poll curl_multi_add_handle curl_multi_info_read curl_multi_remove_handle
    curl_multi_wakeup curl_multi_cleanup curl_multi_wait curl_multi_fdset curl_multi_waitfds
    curl_multi_socket_action CURLMOPT_SOCKETFUNCTION CURLMOPT_TIMERFUNCTION curl_multi_assign
    curl_multi_timeout curl_multi_strerror CURLMOPT_MAX_TOTAL_CONNECTIONS
    CURLMOPT_MAX_HOST_CONNECTIONS CURLMOPT_MAXCONNECTS CURLMOPT_PIPELINING
    CURLMOPT_MAX_CONCURRENT_STREAMS CURLMOPT_PUSHFUNCTION curl_share_init CURL_LOCK_DATA_CONNECT
    CURL_LOCK_DATA_SSL_SESSION CURLOPT_SHARE CURL_LOCK_DATA_COOKIE CURL_LOCK_DATA_DNS
    CURLSHOPT_LOCKFUNC curl_mime_init curl_mime_addpart curl_mime_name curl_mime_data
    curl_mime_filedata curl_mime_filename curl_mime_type curl_mime_headers curl_mime_data_cb
    curl_mime_encoder curl_mime_subparts curl_mime_free curl_url curl_url_set CURLUPART_URL
    curl_url_get CURLUPART_SCHEME CURLUPART_USER CURLUPART_PASSWORD CURLUPART_HOST
    CURLUPART_PORT CURLU_DEFAULT_PORT CURLUPART_PATH CURLUPART_QUERY CURLUPART_FRAGMENT
    curl_url_dup CURLU_APPENDQUERY CURLU_URLENCODE CURLU_URLDECODE CURLU_PUNYCODE CURLU_PUNY2IDN
    CURLU_NO_DEFAULT_PORT CURLU_DEFAULT_SCHEME CURLU_GUESS_SCHEME CURLU_NON_SUPPORT_SCHEME
    CURLU_ALLOW_SPACE curl_url_cleanup curl_url_strerror curl_easy_header CURLH_HEADER
    curl_easy_nextheader CURLH_CONNECT CURLH_TRAILER CURLH_1XX CURLE_OK CURLE_URL_MALFORMAT
    CURLE_UNSUPPORTED_PROTOCOL CURLE_COULDNT_RESOLVE_HOST CURLE_COULDNT_RESOLVE_PROXY
    CURLE_PROXY CURLE_COULDNT_CONNECT CURLE_OPERATION_TIMEDOUT CURLE_HTTP_RETURNED_ERROR
    CURLE_PARTIAL_FILE CURLE_GOT_NOTHING CURLE_SEND_ERROR CURLE_RECV_ERROR
    CURLE_SSL_CONNECT_ERROR CURLE_PEER_FAILED_VERIFICATION CURLE_SSL_PINNEDPUBKEYNOTMATCH
    CURLE_SSL_CRL_BADFILE CURLE_SSL_INVALIDCERTSTATUS CURLE_BAD_CONTENT_ENCODING
    CURLE_TOO_MANY_REDIRECTS CURLE_SEND_FAIL_REWIND CURLE_FILESIZE_EXCEEDED
    CURLE_WEIRD_SERVER_REPLY CURLE_ABORTED_BY_CALLBACK CURLE_WRITE_ERROR CURLE_READ_ERROR
    CURLE_OUT_OF_MEMORY
""".split()


def page(name):
    with open(os.path.join(tap.SOURCE, "docs", "from-python", name), encoding="utf-8") as file:
        return file.read()


def rows(text):
    """The first column of every table."""
    return [line.split("|")[1] for line in text.splitlines() if line.startswith("| ")]


def all_are_there(words, text):
    column = "\n".join(rows(text))
    missing = [word for word in words if not re.search(
        r"(?<!\w)" + re.escape(word) + (r"(?!\w)" if word[-1].isalnum() else ""), column)]
    if missing:
        raise AssertionError(f"no row for: {', '.join(missing)}")


@tap.test
def everything_of_asyncio_has_a_row():
    all_are_there(ASYNCIO, page("asyncio.md"))


@tap.test
def everything_of_trio_has_a_row():
    all_are_there(TRIO, page("trio.md"))


@tap.test
def everything_of_aiofiles_has_a_row():
    all_are_there(AIOFILES, page("aiofiles.md"))


@tap.test
def everything_of_httpx_has_a_row():
    all_are_there(HTTPX, page("httpx.md"))


@tap.test
def everything_of_requests_has_a_row():
    all_are_there([word.strip() for word in REQUESTS if word.strip()], page("requests.md"))


@tap.test
def everything_of_libcurl_has_a_row():
    all_are_there(LIBCURL, page("libcurl.md"))


@tap.test
def every_row_has_a_name_here_or_a_reason():
    for name in ("asyncio.md", "trio.md"):
        for line in page(name).splitlines():
            cells = [cell.strip() for cell in line.split("|")[1:-1]]
            if len(cells) == 3 and not cells[1] and not cells[2]:
                raise AssertionError(f"{name}: a row says nothing: {line}")


@tap.test
def every_name_in_the_pages_exists():
    declared = ""
    for path in glob.glob(os.path.join(tap.SOURCE, "include", "**", "*.h"), recursive=True):
        with open(path, encoding="utf-8") as file:
            declared += file.read()
    known = set(re.findall(r"\b(?:weft|WEFT)_\w+", declared))
    known |= {"WEFT_" + name for name in re.findall(r"^\s*X\((E\w+),", declared, re.M)}
    # Of the environment.
    known |= {"WEFT_BACKEND", "WEFT_WATCHDOG", "WEFT_DUMP_SIGNAL", "WEFT_TRACE"}
    for path in glob.glob(os.path.join(tap.SOURCE, "docs", "from-python", "*.md")):
        text = page(os.path.basename(path))
        for name in sorted(set(re.findall(r"\b(?:weft|WEFT)_[A-Za-z]\w*", text))):
            begins = name.endswith("_") and any(one.startswith(name) for one in known)
            if name not in known and not begins:
                raise AssertionError(f"{os.path.basename(path)}: there is no {name}")


tap.main()
