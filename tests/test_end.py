"""What it is all for: on a machine that never saw oriel, somebody starts it as the README says, points curl and a browser
at it, and reads on the terminal what went over the wire."""
import fcntl
import os
import pty
import re
import shlex
import struct
import subprocess
import termios
import threading

import pytest

from harness import chromium, client, oriel, peers, programs
from harness.process import listening_ports, wait_until

COLOUR = re.compile(r'\x1b\[[0-9;]*m')
# In a namespace of the network where this is free, and nothing leads out.
PORT = 8080


def as_the_readme_starts_it():
    """./dev run builds first: only where that is done already, and of what is under test, is it what is started."""
    if oriel.BINARY == os.path.join(oriel.ROOT, 'build', 'release', 'src', 'cmd', 'oriel'):
        return [os.path.join(oriel.ROOT, 'dev'), 'run']
    return [oriel.BINARY, 'run']


class Terminal:
    """A program on a terminal of its own. Use with `with`."""

    def __init__(self, argv, env):
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack('HHHH', 50, 200, 0, 0))
        self._shown = b''
        self.popen = subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True)
        os.close(theirs)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        try:
            while data := os.read(self._ours, 65536):
                self._shown += data
        except OSError:
            pass  # nobody has the terminal open any more

    def text(self):
        return self._shown.decode('utf-8', 'replace').replace('\r\n', '\n')

    def line(self, *words):
        """Waits for a line with all these words."""
        def find():
            return next((line for line in self.text().split('\n')[:-1] if all(w in COLOUR.sub('', line) for w in words)), None)
        try:
            return wait_until(find, f'a line with {words}')
        except AssertionError as e:
            raise AssertionError(f'{e}\n{self.text()}') from None

    def end(self):
        self.popen.terminate()
        return self.popen.wait(20)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait()
        self._reader.join(5)
        os.close(self._ours)


@pytest.fixture
def home(tmp_path):
    """A home in which nothing is, and nothing that says where else things are."""
    at = tmp_path / 'home'
    at.mkdir(mode=0o700)
    return at


def test_on_a_fresh_home_curl_and_chromium_go_through_and_the_terminal_shows_it(net, start, certs, home, tmp_path):
    programs.need('certutil')
    inside = net.inside('client')
    cert = certs.server('localhost', names=('localhost',))
    old = start(peers.nginx, cert, name='old', prefix=inside, files={'first.txt': b'for curl'})
    new = start(peers.nginx, cert, name='new', http2=True, prefix=inside, files={'page.html': b'<title>seen</title>for Chromium'})
    env = client.clean_environment(HOME=str(home), SSL_CERT_FILE=str(certs.root.cert), TERM='xterm')
    env = {k: v for k, v in env.items() if not k.startswith('XDG_')}
    with Terminal([*inside, *as_the_readme_starts_it()], env) as terminal:
        wait_until(lambda: terminal.popen.poll() is not None or PORT in listening_ports(terminal.popen.pid), 'it listens')
        root = home / '.local' / 'state' / 'oriel' / 'bump' / 'ca.pem'
        assert 'decrypts everything' in terminal.line(f'listening on 127.0.0.1:{PORT}')
        assert str(root) in terminal.line('made a new bump root')
        # The command that it says, but for the URL.
        told = shlex.split(re.search(r'try:\s+(curl .*)', COLOUR.sub('', terminal.line('try:', 'curl'))).group(1))
        assert told == ['curl', '-x', f'http://127.0.0.1:{PORT}', '--cacert', str(root), 'https://example.com/']
        url = f'https://localhost:{old.port}/first.txt'
        done = subprocess.run([*inside, *told[:-1], '-sS', '--noproxy', '', url], capture_output=True, text=True, check=False, timeout=client.TIME,
                              env=client.clean_environment(HOME=str(home)))
        assert (done.returncode, done.stdout) == (0, 'for curl'), done.stderr
        seen = terminal.line('GET', '200', url)
        assert COLOUR.search(seen) and re.search(r'\b1\.3\b.*\bhttp/1\.1\b', COLOUR.sub('', seen)), seen

        url = f'https://localhost:{new.port}/page.html'
        with chromium.Chromium(tmp_path / 'chromium', f'http://127.0.0.1:{PORT}', root, prefix=inside) as browser:
            error, answer = browser.go(url)
            assert error is None and answer['status'] == 200
            assert browser.evaluate('document.title + document.body.innerText') == 'seenfor Chromium'
            shown = browser.leaf(f'https://localhost:{new.port}')
        issuer = subprocess.run(['openssl', 'x509', '-noout', '-issuer'], input=shown, capture_output=True, text=True, check=True).stdout
        assert 'oriel bump CA' in issuer
        assert re.search(r'\b1\.3\b.*\bh2\b', COLOUR.sub('', terminal.line('GET', '200', url)))
        assert terminal.end() == 0
