"""The oriel under test: $ORIEL, or build/release/src/cmd/oriel. Each has a home, state and runtime folder of its
own; nothing of the person who runs the tests is touched."""
import contextlib
import glob
import hashlib
import json
import os
import re
import signal
import subprocess
import tempfile
import threading
import time

from .client import clean_environment
from .ports import free_port
from .process import PATIENCE, children, descriptors, listening_ports, wait_until

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get('ORIEL') or os.path.join(ROOT, 'build', 'release', 'src', 'cmd', 'oriel')
BUILD = os.environ.get('ORIEL_BUILD', 'release')


def environment(folder, **more):
    """Homes below folder, and sanitizers that write what they find into files there."""
    homes = {name: os.path.join(folder, sub) for name, sub in (
        ('HOME', 'home'), ('XDG_STATE_HOME', 'state'), ('XDG_CONFIG_HOME', 'config'), ('XDG_CACHE_HOME', 'cache'),
        ('XDG_RUNTIME_DIR', 'run'))}
    for path in homes.values():
        os.makedirs(path, mode=0o700, exist_ok=True)
    log = sanitizer_log(folder)
    common = f'log_path={log}:halt_on_error=1:print_stacktrace=1'
    return clean_environment(**homes, ASAN_OPTIONS=common + ':detect_leaks=1', UBSAN_OPTIONS=common,
                             TSAN_OPTIONS=f'log_path={log}:halt_on_error=0:exitcode=66',
                             LSAN_OPTIONS=f'log_path={log}', **more)


def sanitizer_log(folder):
    """Where the sanitizers write. Their options have no place for a blank or a colon in a path."""
    if re.fullmatch(r'[\w./-]+', folder):
        return os.path.join(folder, 'sanitizer')
    return os.path.join(tempfile.gettempdir(), 'oriel-sanitizer-' + hashlib.sha256(folder.encode()).hexdigest()[:16])


def sanitizer_reports(folder):
    out = []
    for path in sorted(glob.glob(glob.escape(sanitizer_log(folder)) + '*')):
        with open(path, encoding='utf-8', errors='replace') as f:
            out.append(f.read())
    return out


def command(folder, *args, stdin=None, timeout=PATIENCE, env=None):
    """Runs one verb to its end; (exit status, stdout, stderr)."""
    done = subprocess.run([BINARY, *map(str, args)], capture_output=True, text=True, input=stdin, check=False,
                          env=environment(str(folder), **(env or {})), timeout=timeout, errors='replace')
    reports = sanitizer_reports(str(folder))
    assert not reports, '\n'.join(reports)
    return done.returncode, done.stdout, done.stderr


class Oriel:
    """`oriel run`, started and listening. Use with `with`: at the end it is asked to stop and must end well.

    config: the content of oriel.yaml as plain data, or as text; without it --listen says where. trust: the CA
    certificates that oriel accepts upstream. json: read its JSON lines; otherwise its text lines."""

    def __init__(self, folder, config=None, trust=None, args=(), env=None, json_lines=True, prefix=(), port=None,
                 wait=True):
        self.dir = str(folder)
        self.port = port or free_port()
        self.lines, self.errors, self._ended = [], [], False
        more = dict(env or {})
        if trust:
            more['SSL_CERT_FILE'] = str(trust)
        self.env = environment(self.dir, **more)
        argv = [*prefix, BINARY, 'run']
        if config is None:
            argv += ['--listen', f'127.0.0.1:{self.port}']
        else:
            self.config_path = os.path.join(self.dir, 'oriel.yaml')
            self.write_config(config)
            argv.append(self.config_path)
        if json_lines:
            argv.append('--json')
        self.argv = argv + [str(a) for a in args]
        self.popen = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, env=self.env, cwd=self.dir)
        self._readers = [threading.Thread(target=self._read, args=(pipe, into), daemon=True)
                         for pipe, into in ((self.popen.stdout, self.lines), (self.popen.stderr, self.errors))]
        for reader in self._readers:
            reader.start()
        if wait:
            try:
                self.wait_listening()
            except BaseException:
                self.popen.kill()
                raise

    def write_config(self, config):
        """As plain data it is written as JSON, which is YAML. The word PORT in it becomes the port."""
        text = config if isinstance(config, str) else json.dumps(config, indent=1)
        new = self.config_path + '.new'
        with open(new, 'w', encoding='utf-8') as f:
            f.write(text.replace('PORT', str(self.port)))
        os.rename(new, self.config_path)

    @staticmethod
    def _read(pipe, into):
        for line in pipe:
            into.append(line.decode('utf-8', 'replace').rstrip('\n'))

    # ---- where things are

    @property
    def pid(self):
        return self.popen.pid

    @property
    def proxy_url(self):
        return f'http://127.0.0.1:{self.port}'

    @property
    def root(self):
        """The bump root's certificate."""
        return os.path.join(self.dir, 'state', 'oriel', 'bump', 'ca.pem')

    @property
    def root_key(self):
        return os.path.join(self.dir, 'state', 'oriel', 'bump', 'ca-key.pem')

    def root_subject(self):
        done = subprocess.run(['openssl', 'x509', '-in', self.root, '-noout', '-subject', '-nameopt', 'RFC2253'],
                              capture_output=True, text=True, check=True)
        return done.stdout.split('=', 1)[1].strip()

    def processes(self):
        return [self.pid] + children(self.pid)

    def descriptor_count(self):
        return sum(descriptors(p) for p in self.processes())

    # ---- what it says

    def wait_listening(self, timeout=PATIENCE):
        def ready():
            assert self.popen.poll() is None, f'oriel ended with {self.popen.returncode}:\n' + self.said()
            return self.port in listening_ports(self.pid)
        wait_until(ready, 'oriel listens', timeout)
        return self

    def said(self):
        return '\n'.join(['--- stdout', *self.lines, '--- stderr', *self.errors])

    def events(self, **fields):
        """The JSON lines so far that have all these values; a key 'a__b' looks into nested objects."""
        out = []
        for line in list(self.lines):
            if not line.startswith('{'):
                continue
            event = json.loads(line)
            if all(_dig(event, key.split('__')) == value for key, value in fields.items()):
                out.append(event)
        return out

    def wait_event(self, timeout=PATIENCE, count=1, **fields):
        """Waits until there are count such events and returns the last."""
        try:
            return wait_until(lambda: len(found := self.events(**fields)) >= count and found[-1], f'an event {fields}',
                              timeout)
        except AssertionError as e:
            raise AssertionError(f'{e}\n{self.said()}') from None

    def wait_line(self, *words, timeout=PATIENCE):
        """Waits for a line, on stdout or stderr, with all these words in it, and returns it."""
        def find():
            return next((line for line in self.lines + self.errors if all(w in line for w in words)), None)
        try:
            return wait_until(find, f'a line with {words}', timeout)
        except AssertionError as e:
            raise AssertionError(f'{e}\n{self.said()}') from None

    def quiet(self, seconds=0.3):
        """Waits until nothing was said for so long."""
        last, since = -1, time.monotonic()
        while time.monotonic() - since < seconds:
            now = len(self.lines) + len(self.errors)
            if now != last:
                last, since = now, time.monotonic()
            time.sleep(0.02)
        return self

    # ---- its end

    def reload(self):
        self.popen.send_signal(signal.SIGHUP)

    def stop(self, how=signal.SIGTERM, timeout=PATIENCE):
        """Asks it to stop, and holds it to a clean end: status 0, no sanitizer's report, no process left."""
        if self._ended:
            return self
        self._ended = True
        family = self.processes()
        if self.popen.poll() is None:
            self.popen.send_signal(how)
        try:
            status = self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self._kill(family)
            raise AssertionError(f'oriel does not stop within {timeout:g} s\n' + self.said()) from None
        for reader in self._readers:
            reader.join(5)
        reports = sanitizer_reports(self.dir)
        assert not reports, '\n'.join(reports)
        assert status == 0, f'oriel ended with {status}\n' + self.said()
        wait_until(lambda: not any(_alive(p) for p in family), 'its processes are gone', 5)
        return self

    @staticmethod
    def _kill(pids):
        for pid in pids:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)

    def kill(self):
        """Without ceremony; for tests in which it ended by itself or shall not say goodbye."""
        self._ended = True
        self._kill(self.processes())
        self.popen.wait()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
        elif not self._ended:
            # The test failed already: what oriel said is worth more than how it ends.
            print(self.said())
            print('\n'.join(sanitizer_reports(self.dir)))
            self.kill()


def _dig(value, keys):
    for key in keys:
        if not isinstance(value, dict) or key not in value:
            return None
        value = value[key]
    return value


def _alive(pid):
    """A zombie is dead; who is to reap it is another matter."""
    try:
        with open(f'/proc/{pid}/stat', encoding='ascii', errors='replace') as f:
            return f.read().rsplit(')', 1)[1].split()[0] not in 'ZX'
    except OSError:
        return False
