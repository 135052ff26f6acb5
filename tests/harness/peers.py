"""Servers to talk to: nginx, openssl s_server, gnutls-serv, an HTTPS server of our own for bodies of any size, and
a raw TCP server that misbehaves as it is told."""
import contextlib
import hashlib
import http.server
import os
import shutil
import socket
import ssl
import struct
import threading

from .ports import free_port
from .process import Process

NGINX = shutil.which('nginx') or '/usr/sbin/nginx'

NGINX_CONF = """
daemon off;
master_process off;
error_log stderr warn;
pid {dir}/nginx.pid;
events {{ worker_connections 4096; }}
http {{
    access_log {dir}/access.log;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    client_max_body_size 0;
    keepalive_requests 1000000;
    default_type text/plain;
    types {{ text/plain txt; text/html html; application/json json; application/octet-stream bin; }}
    gzip on; gzip_min_length 1; gzip_types text/plain;
    server {{
        listen {listen};
        server_name _;
        {tls}
        {extra}
        root {dir}/www;
        location = / {{ return 200 "hello from {name} over $server_protocol to $http_host\\n"; }}
        location = /headers {{ return 200 "agent=$http_user_agent x=$http_x_oriel\\n"; }}
        location = /moved {{ return 302 /; }}
        location = /nothing {{ return 204; }}
        location / {{ }}
    }}
}}
"""


def nginx(folder, cert=None, http2=False, name='nginx', host='127.0.0.1', port=None, protocols='TLSv1.2 TLSv1.3',
          extra='', files=None, prefix=()):
    """nginx with one server; without a certificate it speaks plain HTTP. files: {name: bytes} served as they are."""
    port = port or free_port()
    os.makedirs(os.path.join(folder, 'www'), exist_ok=True)
    for path, content in (files or {}).items():
        with open(os.path.join(folder, 'www', path), 'wb') as f:
            f.write(content)
    tls = ''
    if cert:
        tls = (f'ssl_certificate {cert.chain}; ssl_certificate_key {cert.key}; ssl_protocols {protocols}; '
               'ssl_session_cache shared:s:1m;')
    where = f'[{host}]:{port}' if ':' in host else f'{host}:{port}'
    listen = where + (' ssl' if cert else '') + (' http2' if http2 else '')
    conf = os.path.join(folder, 'nginx.conf')
    with open(conf, 'w', encoding='utf-8') as f:
        # As root the files stay root's; nobody else is on this machine's loopback but the tests.
        user = 'user root;\n' if os.geteuid() == 0 else ''
        f.write(user + NGINX_CONF.format(dir=folder, listen=listen, tls=tls, name=name, extra=extra))
    peer = Process([NGINX, '-p', folder, '-c', conf, '-e', 'stderr'], os.path.join(folder, 'nginx.log'), prefix=prefix)
    peer.port = port
    return peer.wait_listening(port)


def s_server(folder, cert, *args, port=None, prefix=()):
    """openssl s_server. Without more arguments it answers HTTP requests with its state (-www)."""
    port = port or free_port()
    argv = ['openssl', 's_server', '-accept', str(port), '-cert', cert.cert, '-key', cert.key, '-cert_chain', cert.chain]
    peer = Process(argv + list(args or ['-www']), os.path.join(folder, f's_server-{port}.log'), prefix=prefix)
    peer.port = port
    return peer.wait_listening(port)


def gnutls_serv(folder, cert, *args, port=None, prefix=()):
    """gnutls-serv. Without more arguments it answers HTTP requests."""
    port = port or free_port()
    argv = ['gnutls-serv', '--port', str(port), '--x509certfile', cert.chain, '--x509keyfile', cert.key]
    peer = Process(argv + list(args or ['--http']), os.path.join(folder, f'gnutls-{port}.log'), prefix=prefix)
    peer.port = port
    return peer.wait_listening(port)


def pattern(count, at=0):
    """Bytes that show when one is lost, doubled or moved: the same at the same place, with a long period."""
    block = b''.join(struct.pack('>I', i * 2654435761 & 0xffffffff) for i in range(4099))
    start = at % len(block)
    whole = block[start:] + block * (count // len(block) + 1)
    return whole[:count]


def pattern_sha256(count):
    h, at = hashlib.sha256(), 0
    while at < count:
        n = min(1 << 20, count - at)
        h.update(pattern(n, at))
        at += n
    return h.hexdigest()


class _Handler(http.server.BaseHTTPRequestHandler):
    """GET /bytes/N: N bytes of pattern(). POST /sha256: the hash and size of what came. GET /cut/N: says N bytes,
    sends half and resets. GET /unclean: an answer that ends without close_notify. GET /echo: the request's head."""
    protocol_version = 'HTTP/1.1'

    def log_message(self, *_):
        pass

    def answer(self, body, status=200, **headers):
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key.replace('_', '-'), value)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        verb, _, rest = self.path[1:].partition('/')
        if verb == 'bytes':
            self.bytes(int(rest))
        elif verb == 'cut':
            self.send_response(200)
            self.send_header('Content-Length', rest)
            self.end_headers()
            self.wfile.write(pattern(int(rest) // 2))
            self.wfile.flush()
            self.server.forget(self.connection, reset=True)
        elif verb == 'unclean':
            self.send_response(200)
            self.send_header('Connection', 'close')
            self.end_headers()
            self.wfile.write(b'no end')
            self.wfile.flush()
            self.server.forget(self.connection)
        else:
            self.answer((self.requestline + '\n' + str(self.headers)).encode(), Content_Type='text/plain')

    def bytes(self, count):
        self.send_response(200)
        self.send_header('Content-Type', 'application/octet-stream')
        self.send_header('Content-Length', str(count))
        self.end_headers()
        at = 0
        while at < count:
            n = min(1 << 18, count - at)
            self.wfile.write(pattern(n, at))
            at += n

    def body(self):
        if 'chunked' in self.headers.get('Transfer-Encoding', ''):
            while size := int(self.rfile.readline(), 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return
        left = int(self.headers.get('Content-Length', 0))
        while left:
            part = self.rfile.read(min(left, 1 << 18))
            if not part:
                return
            left -= len(part)
            yield part

    def do_POST(self):
        if self.headers.get('Expect', '').lower() == '100-continue':
            pass  # BaseHTTPRequestHandler answered it already
        h, count = hashlib.sha256(), 0
        for part in self.body():
            h.update(part)
            count += len(part)
        self.answer(f'{h.hexdigest()} {count}\n'.encode())

    do_PUT = do_POST


class HttpsServer(http.server.ThreadingHTTPServer):
    """In this process, on threads; without a certificate plain HTTP. Use with `with`."""
    daemon_threads = True
    request_queue_size = 1024
    allow_reuse_address = True

    def __init__(self, cert=None, host='127.0.0.1', port=None, versions=None, alpn=('http/1.1',)):
        self.port = port or free_port()
        super().__init__((host, self.port), _Handler)
        self.context = None
        if cert:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(cert.chain, cert.key)
            if alpn:
                self.context.set_alpn_protocols(list(alpn))
            if versions:
                self.context.minimum_version, self.context.maximum_version = versions

    def finish_request(self, request, client_address):
        """On the connection's own thread, so that a slow handshake holds nobody up."""
        if self.context:
            request = self.context.wrap_socket(request, server_side=True)
        try:
            super().finish_request(request, client_address)
        finally:
            if self.context:
                self.say_goodbye(request)

    @staticmethod
    def say_goodbye(conn):
        with contextlib.suppress(OSError, ValueError):
            conn.settimeout(2)
            conn.unwrap()

    @staticmethod
    def forget(conn, reset=False):
        """Closes the TCP connection beneath TLS: no close_notify is sent."""
        if reset:
            conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        os.close(conn.detach())

    def handle_error(self, request, client_address):
        pass

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


# ---- a raw server and its manners: each is a function of an accepted socket ----


def resets(conn):
    conn.recv(1)
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))


def resets_at_once(conn):
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))


def closes(conn):
    conn.recv(1)


def hangs(conn):
    """Reads and says nothing until the other side goes."""
    while conn.recv(65536):
        pass


def speaks_plaintext(conn):
    conn.recv(65536)
    conn.sendall(b'HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n')


def speaks_first(conn):
    """As SMTP and SSH servers do; then echoes."""
    conn.sendall(b'220 hello\r\n')
    echoes(conn)


def echoes(conn):
    while data := conn.recv(65536):
        conn.sendall(data)


def garbage(conn):
    conn.recv(65536)
    conn.sendall(bytes(range(256)) * 64)


def alerts(description, level=2):
    """Answers the ClientHello with a TLS alert."""
    def behave(conn):
        conn.recv(65536)
        conn.sendall(bytes([21, 3, 3, 0, 2, level, description]))
        conn.settimeout(5)
        with contextlib.suppress(OSError):
            while conn.recv(65536):
                pass
    return behave


def sends(data, then=closes):
    """Waits for the first bytes, sends these, goes on as `then`."""
    def behave(conn):
        conn.recv(65536)
        conn.sendall(data)
        then(conn)
    return behave


def relays_part_of(port, count, then=None):
    """Stands before a real server on port and lets only so many of its bytes through, then closes or does `then`."""
    def behave(conn):
        with socket.create_connection(('127.0.0.1', port)) as up:
            threading.Thread(target=_copy, args=(conn, up), daemon=True).start()
            left = count
            while left and (data := up.recv(left)):
                conn.sendall(data)
                left -= len(data)
            if then and not left:
                then(conn)
            # Closing would not end it while the other thread reads.
            conn.shutdown(socket.SHUT_RDWR)
            up.shutdown(socket.SHUT_RDWR)
    return behave


def _copy(source, sink):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)


class RawServer:
    """Accepts, and treats each connection as told; keeps what arrived first on each. Use with `with`."""

    def __init__(self, behave, host='127.0.0.1', port=None):
        self.behave = behave
        self.accepted = 0
        self.socket = socket.create_server((host, port or 0), backlog=1024,
                                           family=socket.AF_INET6 if ':' in host else socket.AF_INET)
        self.port = self.socket.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_):
        # Closing alone would not wake the accept.
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                conn, _ = self.socket.accept()
                self.accepted += 1
                threading.Thread(target=self._one, args=(conn,), daemon=True).start()

    def _one(self, conn):
        with contextlib.suppress(OSError), conn:
            self.behave(conn)
