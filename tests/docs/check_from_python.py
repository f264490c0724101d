"""The pages for those who know asyncio and trio: every concept has its row, every name exists."""

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
    # Of the environment.
    known |= {"WEFT_BACKEND", "WEFT_WATCHDOG", "WEFT_DUMP_SIGNAL", "WEFT_TRACE"}
    for path in glob.glob(os.path.join(tap.SOURCE, "docs", "from-python", "*.md")):
        text = page(os.path.basename(path))
        for name in sorted(set(re.findall(r"\b(?:weft|WEFT)_[A-Za-z]\w*", text))):
            begins = name.endswith("_") and any(one.startswith(name) for one in known)
            if name not in known and not begins:
                raise AssertionError(f"{os.path.basename(path)}: there is no {name}")


tap.main()
