"""One capture of many kinds of conversations, between the programs that people use: each connection has a name, and
its flow's number is known. Capturing needs root: reading.possible() says so."""
import asyncio
import contextlib
import gzip
import http.client
import os
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import zlib

from . import client, peers, programs, reading, vary
from .capture import Capture
from .ports import free_port
from .process import PATIENCE, Process
from .reading import receive

NAME = 'www.oriel.test'
TEXT = 'text with ümlauts, "quotes" and\ta tab\n' * 40
BINARY = bytes(range(256)) * 8
PAGE = b'<!doctype html><title>oriel</title>\n'
BIG = peers.pattern(300_000)
POSTED = 'name=value&other=a b\n'
WORDS = ['hello', 'a longer text ' * 500, b'\x00\x01binary\xff']  # over the WebSocket
LINES = [(b'HELO, no protocol of note\n', b'\x00\x01\x02 nothing that is known\n')]
UPGRADED = (b'anything\x00goes', b'\xfe\xed here')


def brotli(data):
    import brotli as b  # python3-brotli: needed only where a test asks for this coding
    return b.compress(data)


def zstd(data):
    return subprocess.run(['zstd', '-q', '-c'], input=data, capture_output=True, check=True).stdout


CODINGS = {'gzip': gzip.compress, 'deflate': zlib.compress, 'br': brotli, 'zstd': zstd, 'identity': bytes}


def missing():
    """None, or what the gallery needs and this machine has not got."""
    for program in ('curl', 'zstd', 'node', 'nghttp', 'nghttpd'):
        if not shutil.which(program):
            return f'needs {program}'
    if not os.path.exists(peers.NGINX):
        return 'needs nginx'
    for module in ('brotli', 'grpc', 'google.protobuf', 'websockets'):
        try:
            __import__(module)
        except ImportError:
            return f'needs Python\'s {module}'
    return None


class Coder(peers._Handler):
    """GET /CODING/text or /CODING/binary: the body so coded. POST: the body back. GET /cut/N: half of N bytes, then
    a reset."""

    def do_GET(self):
        coding, _, kind = self.path.split('?')[0][1:].partition('/')
        if coding == 'cut':
            super().do_GET()
        elif coding == 'moved':
            self.answer(b'', 302, Location='/identity/text', Set_Cookie='a=1; Path=/; HttpOnly; Secure')
        else:
            body = TEXT.encode() if kind == 'text' else BINARY
            mime = 'text/plain; charset=utf-8' if kind == 'text' else 'application/octet-stream'
            self.answer(CODINGS[coding](body), Content_Type=mime, Content_Encoding=coding)

    def do_POST(self):
        self.answer(b''.join(self.body()), 201, Content_Type=self.headers['Content-Type'])


PIPELINED = b''.join(b'GET /pipe/%d HTTP/1.1\r\nHost: %s\r\n\r\n' % (i, NAME.encode()) for i in range(3))
CHUNKED = (b'POST /chunks HTTP/1.1\r\nHost: %s\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n'
           b'6;ext=1\r\nchunk \r\n9\r\nand chunk\r\n0\r\nX-Sum: 15\r\n\r\n' % NAME.encode())
UPGRADE = b'GET /up HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: oriel-talk\r\n\r\n' % NAME.encode()


def serve_by_hand(s):
    """HTTP/1.1 that no server of a library would say: what was pipelined is answered at once, chunked with trailers."""
    receive(s, len(PIPELINED))
    out = b''
    for i in range(3):
        body = b'answer %d' % i
        out += (b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Number\r\nContent-Type: text/plain\r\n\r\n'
                b'%x\r\n%s\r\n3\r\n...\r\n0\r\nX-Number: %d\r\n\r\n' % (len(body), body, i))
    s.sendall(out)
    receive(s, len(CHUNKED))
    s.sendall(b'HTTP/1.1 103 Early Hints\r\nLink: </x.css>\r\n\r\nHTTP/1.1 404 Not Here\r\nContent-Length: 4\r\n\r\ngone')
    receive(s, len(UPGRADE))
    s.sendall(b'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: oriel-talk\r\n\r\n')
    assert receive(s, len(UPGRADED[0])) == UPGRADED[0]
    s.sendall(UPGRADED[1])


def ask_by_hand(s):
    def head_and(n):
        got = b''
        while b'\r\n\r\n' not in got:
            got += receive(s, 1)
        return receive(s, n)
    s.sendall(PIPELINED)
    while not (got := s.recv(65536)).endswith(b'X-Number: 2\r\n\r\n'):
        assert got
    s.sendall(CHUNKED)
    head_and(0)
    head_and(4)
    s.sendall(UPGRADE)
    head_and(0)
    s.sendall(UPGRADED[0])
    receive(s, len(UPGRADED[1]))


class Tunnel:
    """TLS between two sockets of this process: what comes to `port` in plaintext goes through `tls_port` in TLS to
    `target`. For programs that would not say their secrets."""

    def __init__(self, near, far, tls_port, target):
        self.near, self.far, self.tls_port, self.target = near, far, tls_port, target
        self.port = free_port()
        self._inner = peers.RawServer(self.enter, port=self.port)
        self._outer = peers.RawServer(self.leave, port=tls_port)

    def enter(self, plain):
        with socket.create_connection(('127.0.0.1', self.tls_port)) as raw, \
                self.near.wrap_socket(raw, server_hostname=NAME) as s:
            relay(plain, s)

    def leave(self, raw):
        with self.far.wrap_socket(raw, server_side=True) as s, socket.create_connection(('127.0.0.1', self.target)) as plain:
            relay(plain, s)

    def __enter__(self):
        self._inner.__enter__()
        self._outer.__enter__()
        return self

    def __exit__(self, *_):
        self._inner.__exit__()
        self._outer.__exit__()


def relay(plain, s):
    """Until either ends; on one thread, since a TLS connection is not for two."""
    import selectors
    s.setblocking(False)
    with selectors.DefaultSelector() as ready:
        ready.register(plain, selectors.EVENT_READ)
        ready.register(s, selectors.EVENT_READ)
        while True:
            for key, _ in ready.select():
                try:
                    data = key.fileobj.recv(65536)
                except ssl.SSLWantReadError:
                    continue
                if not data:
                    with contextlib.suppress(OSError):
                        s.setblocking(True)
                        s.settimeout(1)
                        s.unwrap()
                    return
                if key.fileobj is s:
                    plain.sendall(data)
                    while s.pending():
                        plain.sendall(s.recv(65536))
                else:
                    s.setblocking(True)
                    s.sendall(data)
                    s.setblocking(False)


class Gallery:
    """Servers, a capture of what is said to them, and the key log of it."""

    PORTS = ('one', 'two', 'plain', 'coder', 'hand', 'socket', 'grpc', 'grpcs', 'nghttpd', 'bytes', 'go')

    def __init__(self, folder, certs):
        self.folder, self.certs = str(folder), certs
        self.ports = {name: free_port() for name in self.PORTS}
        self.udp = free_port()
        self.capture, self.keylog = self.file('gallery.pcap'), self.file('gallery.keys')
        self.flow = {}  # by name
        self.local = certs.good(name='localhost')
        self._until = contextlib.ExitStack()

    def file(self, name):
        return os.path.join(self.folder, name)

    def note(self, *names):
        """That these connections were made, in this order."""
        for name in names:
            assert name not in self.flow
            self.flow[name] = len(self.flow) + 1

    def url(self, port, path, scheme='https', name=NAME):
        return f'{scheme}://{name}:{self.ports[port]}{path}'

    # ---- servers

    def start(self, kind, folder, *args, **how):
        os.makedirs(self.file(folder), exist_ok=True)
        return self._until.enter_context(kind(self.file(folder), *args, **how))

    def servers(self):
        good = self.certs.good()
        files = {'page.html': PAGE, 'plain.txt': b'hello\n', 'big.bin': BIG, 'data.json': b'{"a":[1,2,3]}\n'}
        self.start(peers.nginx, 'one', good, files=files, port=self.ports['one'])
        self.start(peers.nginx, 'two', good, http2=True, files=files, port=self.ports['two'])
        self.start(peers.nginx, 'plain', files=files, port=self.ports['plain'], extra='gzip off;')
        coder = self._until.enter_context(peers.HttpsServer(good, port=self.ports['coder']))
        coder.RequestHandlerClass = Coder
        self._until.enter_context(peers.RawServer(self.tls_server(serve_by_hand), port=self.ports['hand']))
        self._until.enter_context(peers.RawServer(self.tls_server(self.answer_lines), port=self.ports['bytes']))
        env = client.clean_environment()
        behind = free_port()  # what is behind a tunnel is not captured a second time
        grpc = Process([sys.executable, os.path.join(programs.HERE, 'grpc_plain.py'), 'serve', self.ports['grpc'], behind], self.file('grpc.log'), env=env)
        self._until.enter_context(grpc).wait_listening(behind)
        self.grpcs = self.tunnel('grpcs', behind)
        os.makedirs(self.file('www'), exist_ok=True)
        for name, content in (('index.html', PAGE), ('style.css', b'p { color: red }\n')):
            with open(os.path.join(self.file('www'), name), 'wb') as f:
                f.write(content)
        behind = free_port()
        argv = ['nghttpd', '--no-tls', '-d', self.file('www'), '-p/index.html=/style.css', '--trailer=x-after: all', behind]
        nghttpd = Process(argv, self.file('nghttpd.log'))
        self._until.enter_context(nghttpd).wait_listening(behind)
        self.nghttps = self.tunnel('nghttpd', behind)
        go = Process([programs.go_binary(), 'serve', f'127.0.0.1:{self.ports["go"]}', self.local.chain, self.local.key], self.file('go.log'), env=env)
        self._until.enter_context(go).wait_listening(self.ports['go'])

    def tunnel(self, name, target):
        return self._until.enter_context(Tunnel(self.context(('h2',)), self.serving(('h2',)), self.ports[name], target))

    def serving(self, alpn=()):
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        c.load_cert_chain(self.certs.good().chain, self.certs.good().key)
        if alpn:
            c.set_alpn_protocols(list(alpn))
        return c

    def context(self, alpn=(), logged=True, **how):
        c = client.context(self.certs.root.cert, alpn, **how)
        if logged:
            c.keylog_filename = self.keylog
        return c

    def tls_server(self, behave):
        context = self.serving()

        def serve(raw):
            with context.wrap_socket(raw, server_side=True) as s:
                behave(s)
                s.recv(1)
                s.unwrap()
        return serve

    @staticmethod
    def answer_lines(s):
        for line, answer in LINES:
            assert receive(s, len(line)) == line
            s.sendall(answer)

    # ---- what is said

    def curl(self, *args, env=None, name=NAME):
        with_keys = env or client.clean_environment(SSLKEYLOGFILE=self.keylog)
        resolve = [w for port in self.ports.values() for w in ('--resolve', f'{name}:{port}:127.0.0.1')]
        return subprocess.run(['curl', '-sS', '--noproxy', '*', '--cacert', self.certs.root.cert, *resolve, *map(str, args)], capture_output=True,
                              check=False, env=with_keys, timeout=client.TIME)

    def asked(self, name, *args, status=0, **how):
        done = self.curl(*args, **how)
        assert done.returncode == status, done.stderr
        self.note(name)
        return done.stdout

    def tls(self, name, port, behave, **how):
        with socket.create_connection(('127.0.0.1', self.ports[port]), PATIENCE) as raw, \
                self.context(**how).wrap_socket(raw, server_hostname=NAME) as s:
            behave(s)
            with contextlib.suppress(OSError):
                s.unwrap()
        self.note(name)

    def ask_lines(self, s):
        for line, answer in LINES:
            s.sendall(line)
            assert receive(s, len(answer)) == answer

    def with_curl(self):
        one, two = (lambda path: self.url('one', path)), (lambda path: self.url('two', path))
        assert self.asked('http/1.1', '--http1.1', one('/plain.txt'), one('/big.bin')) == b'hello\n' + BIG
        self.asked('http/1.1, TLS 1.2', '--http1.1', '--tls-max', '1.2', one('/plain.txt?q=1'), one('/none'))
        assert self.asked('http/2', '--http2', two('/plain.txt'), two('/big.bin'), two('/data.json')) == b'hello\n' + BIG + b'{"a":[1,2,3]}\n'
        self.asked('plain', '--http1.1', self.url('plain', '/page.html', 'http'))
        urls = [self.url('coder', f'/{coding}/{kind}') for coding in CODINGS for kind in ('text', 'binary')]
        self.asked('codings', '--http1.1', *urls)
        self.asked('post', '--http1.1', '-u', 'user:password', '-b', 'c1=v1; c2=v2', '-H', 'X-Own: "quoted" ü', '--data-binary', POSTED,
                   self.url('coder', '/posted?token=secret'))
        self.asked('moved', '--http1.1', self.url('coder', '/moved'))
        self.asked('cut', '--http1.1', self.url('coder', '/cut/5000'), status=56)
        self.asked('refused', '--http1.1', '--cacert', self.certs.stranger.cert, one('/plain.txt'), status=60)
        self.asked('dark', '--http1.1', one('/plain.txt'), env=client.clean_environment())

    def with_python(self):
        self.tls('by hand', 'hand', ask_by_hand)
        self.tls('bytes', 'bytes', self.ask_lines)
        self.with_websockets()
        for kind, shown in (('unary', '1700000000'), ('stream', '3'), ('gzip', 'one' * 100), ('error', 'NOT_FOUND nothing of that name')):
            for name, port in (('grpc', self.ports['grpc']), ('grpcs', self.grpcs.port)):
                done = subprocess.run([sys.executable, os.path.join(programs.HERE, 'grpc_plain.py'), 'call', f'127.0.0.1:{port}', kind],
                                      capture_output=True, text=True, check=False, env=client.clean_environment(), timeout=client.TIME)
                assert done.stdout == shown + '\n', done.stderr
                self.note(f'{name} {kind}')

    def with_websockets(self):
        import websockets  # as missing() says

        async def echo(ws, *_):
            async for message in ws:
                await ws.send(message)

        async def talk():
            async with websockets.serve(echo, '127.0.0.1', self.ports['socket'], ssl=self.serving()):
                raw = socket.create_connection(('127.0.0.1', self.ports['socket']))
                async with websockets.connect(f'wss://{NAME}:{self.ports["socket"]}/chat?room=1', sock=raw, server_hostname=NAME, ssl=self.context()) as ws:
                    for message in WORDS:
                        await ws.send(message)
                        assert await asyncio.wait_for(ws.recv(), PATIENCE) == message
                    await ws.ping()
        asyncio.run(talk())
        self.note('websocket')

    def with_nghttp(self):
        url = f'http://127.0.0.1:{self.nghttps.port}/index.html'
        subprocess.run(['nghttp', '--trailer=x-asked: all', '-d', self.posted(), url, f'-H:authority: {NAME}'], check=True, capture_output=True,
                       env=client.clean_environment(), timeout=client.TIME)
        self.note('nghttp')

    def posted(self):
        with open(self.file('posted'), 'w', encoding='utf-8') as f:
            f.write(POSTED)
        return f.name

    NODE = '''const [url, ca] = process.argv.slice(1), u = new URL(url), o = { ca: require("fs").readFileSync(ca) };
        if (u.hash != "#2") require("https").get(url, o, r => r.pipe(process.stdout));
        else { const s = require("http2").connect(u, o), r = s.request({ ":path": u.pathname });
               r.pipe(process.stdout); r.on("end", () => s.close()); }'''

    def with_node_and_go(self):
        env = client.clean_environment(SSLKEYLOGFILE=self.keylog, SSL_CERT_FILE=self.certs.root.cert)
        url = f'https://localhost:{self.ports["go"]}/from/'
        for number, proto in (('', 'http/1.1'), ('#2', 'h2')):
            argv = ['node', '--dns-result-order=ipv4first', f'--tls-keylog={self.keylog}', '-e', self.NODE, url + 'node' + number, self.certs.root.cert]
            done = subprocess.run(argv, check=True, env=env, timeout=client.TIME, capture_output=True)
            assert b'/from/node' in done.stdout, done
            self.note(f'node {proto}')
        for version, proto in (('1.2', 'http/1.1'), ('1.3', 'h2')):
            done = subprocess.run([programs.go_binary(), 'get', url + 'go', version, proto], check=True, env=env, timeout=client.TIME, capture_output=True)
            assert b'/from/go' in done.stdout, done
            self.note(f'go {proto}')

    def with_udp(self):
        for words in (b'over UDP', b'and again'):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there:
                there.bind(('127.0.0.1', self.udp))
                there.settimeout(PATIENCE)
                s.sendto(words, ('127.0.0.1', self.udp))
                got, who = there.recvfrom(100)
                there.sendto(got, who)

    def make(self):
        expression = ' or '.join(f'port {p}' for p in (*self.ports.values(), self.udp))
        with self._until:
            self.servers()
            with Capture(self.capture, expression):
                self.with_curl()
                self.with_python()
                self.with_nghttp()
                self.with_node_and_go()
                self.with_udp()
                self._left_open()
        return self

    # ---- what is read of it

    def read(self, *args, capture=None):
        return reading.read(capture or self.capture, *args, keylog=self.keylog)

    def of(self, name, *args, capture=None):
        """What oriel read says of one connection."""
        return self.read(f'--flow={self.flow[name]}', *args, capture=capture)

    def exchanges(self, name, *args):
        return self.of(name, '--json', *args).exchanges()

    def connection(self, name, *args):
        [c] = self.of(name, '--json', *args).connections()
        return c

    def messages(self, name, *args):
        return [e for e in self.of(name, '--json', '--body', *args).events if e['type'] == 'message']

    def packets(self, name):
        """Its packets, without those of the others."""
        port = int(self.connection(name)['client']['addr'].rsplit(':', 1)[1])
        return [p for p in vary.load(self.capture) if port in p.ports]

    def _left_open(self):
        """One that has not ended when the capture does."""
        s = http.client.HTTPConnection('127.0.0.1', self.ports['plain'], timeout=PATIENCE)
        self._until.callback(s.close)
        s.request('GET', '/plain.txt')
        assert s.getresponse().read() == b'hello\n'
        self.note('open')


# ---- captures changed


def with_processes(capture, path, names, blocks=True):
    """The capture as pcapng with the process of each connection's client: names maps a client's port to (pid, name).
    As Wireshark 4.7 reads it: a custom block for each process, its number as an option of each packet."""
    def block(kind, body):
        body += b'\0' * (-len(body) % 4)
        return struct.pack('<II', kind, len(body) + 12) + body + struct.pack('<I', len(body) + 12)

    def option(code, value):
        return struct.pack('<HH', code, len(value)) + value + b'\0' * (-len(value) % 4)
    out = block(0x0a0d0d0a, struct.pack('<IHHq', 0x1a2b3c4d, 1, 0, -1)) + block(1, struct.pack('<HHI', 1, 0, 0))
    for pid, name in names.values() if blocks else ():
        entry = struct.pack('<I', pid) + option(2, name.encode()) + option(3, b'/usr/bin/' + name.encode()) + struct.pack('<I', 0)
        out += block(0xbad, struct.pack('<III', 32622, 3, len(entry)) + entry)
    for p in vary.load(capture):
        ticks = round(p.at * 1e6)
        body = struct.pack('<IIIII', 0, ticks >> 32, ticks & 0xffffffff, len(p.frame), p.wire) + p.frame
        body += b'\0' * (-len(body) % 4)
        process = next((names[port] for port in p.ports if port in names), None)
        if process:
            body += option(8, struct.pack('<II', process[0], process[0])) + struct.pack('<I', 0)
        out += block(6, body)
    with open(path, 'wb') as f:
        f.write(out)
    return str(path)
