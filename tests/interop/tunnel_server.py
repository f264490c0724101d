"""tunnel_server.py PORT - HTTP/2 by python3-h2, with RFC 8441: a WebSocket's bytes are echoed.

Certificate and key are cert.pem and key.pem of the current folder.
"""

import socket
import ssl
import sys
import threading

import h2.config
import h2.connection
import h2.events
import h2.settings


class Connection:
    def __init__(self, stream):
        self.stream = stream
        config = h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        self.h2 = h2.connection.H2Connection(config=config)
        self.waiting = {}  # of tunnels: what is not sent yet
        self.ended = set()

    def begin(self):
        self.h2.local_settings = h2.settings.Settings(
            client=False,
            initial_values={h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL: 1,
                            h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 100})
        self.h2.initiate_connection()

    def push(self, stream_id):
        data = self.waiting[stream_id]
        while data:
            room = min(self.h2.local_flow_control_window(stream_id), 16384, len(data))
            if room == 0:
                return
            self.h2.send_data(stream_id, bytes(data[:room]))
            del data[:room]
        if stream_id in self.ended:
            self.ended.remove(stream_id)
            del self.waiting[stream_id]
            self.h2.end_stream(stream_id)

    def on_request(self, event):
        fields = dict(event.headers)
        if fields[":method"] == "CONNECT":
            taken = fields.get(":protocol") == "websocket" and fields.get(":path") == "/tunnel"
            self.h2.send_headers(event.stream_id, [(":status", "200" if taken else "400")],
                                 end_stream=not taken)
            if taken:
                self.waiting[event.stream_id] = bytearray()
        else:
            self.h2.send_headers(event.stream_id, [(":status", "200")])
            self.h2.send_data(event.stream_id, b"hi", end_stream=True)

    def on_event(self, event):
        if isinstance(event, h2.events.RequestReceived):
            self.on_request(event)
        elif isinstance(event, h2.events.DataReceived):
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            if event.stream_id in self.waiting:
                self.waiting[event.stream_id] += event.data
                self.push(event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            if event.stream_id in self.waiting:
                self.ended.add(event.stream_id)
                self.push(event.stream_id)
        elif isinstance(event, h2.events.StreamReset):
            self.waiting.pop(event.stream_id, None)
            self.ended.discard(event.stream_id)
        elif isinstance(event, h2.events.WindowUpdated):
            for stream_id in list(self.waiting):
                self.push(stream_id)

    def run(self):
        self.begin()
        while True:
            self.stream.sendall(self.h2.data_to_send())
            data = self.stream.recv(65536)
            if not data:
                return
            for event in self.h2.receive_data(data):
                self.on_event(event)


def serve(context, plain):
    try:
        with context.wrap_socket(plain, server_side=True) as stream:
            Connection(stream).run()
    except OSError:
        plain.close()


def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("cert.pem", "key.pem")
    context.set_alpn_protocols(["h2"])
    with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listener:
        while True:
            plain, _peer = listener.accept()
            threading.Thread(target=serve, args=(context, plain), daemon=True).start()


main()
