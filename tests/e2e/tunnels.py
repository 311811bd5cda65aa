"""Proxies as they stand between a desk and a cluster: HTTP CONNECT, the same over TLS, and SOCKS 5."""

import contextlib
import socket
import threading


def receive(connection, count):
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            raise OSError("the client has gone")
        data += part
    return data


def hear_connect(client):
    """The host and port that are asked for, and how a yes is said."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += receive(client, 1)
    host, _, port = head.split()[1].decode().rpartition(":")
    return host, int(port), b"HTTP/1.1 200 OK\r\n\r\n"


def hear_socks(client):
    receive(client, receive(client, 2)[1])
    client.sendall(b"\x05\x00")
    kind = receive(client, 4)[3]
    host = socket.inet_ntoa(receive(client, 4)) if kind == 1 else receive(client, receive(client, 1)[0]).decode()
    return host, int.from_bytes(receive(client, 2)), b"\x05\x00\x00\x01" + bytes(6)


def copy(source, sink):
    with contextlib.suppress(OSError, ValueError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


class Proxy:
    """Tunnels to 127.0.0.1, whatever host is asked for, and keeps what was. tls: the context of its own TLS."""

    def __init__(self, hear, tls=None):
        self.hear, self.tls = hear, tls
        self.asked = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.serve, args=(self.listener.accept()[0],), daemon=True).start()

    def serve(self, client):
        with contextlib.suppress(OSError), client:
            if self.tls:
                client = self.tls.wrap_socket(client, server_side=True)
            host, port, yes = self.hear(client)
            self.asked.append((host, port))
            with socket.create_connection(("127.0.0.1", port)) as server:
                client.sendall(yes)
                back = threading.Thread(target=copy, args=(server, client), daemon=True)
                back.start()
                copy(client, server)
                back.join()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
