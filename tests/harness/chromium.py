"""Headless Chromium with a profile and an NSS store of its own, driven over its DevTools pipe."""
import base64
import json
import os
import select
import shutil
import ssl
import subprocess
import time

from .client import clean_environment

TIME = 45


def nss_store(home, cafile):
    """A store in which the certificate is trusted to sign servers, where Chromium looks for it."""
    store = os.path.join(home, '.pki', 'nssdb')
    os.makedirs(store)
    for args in (['-N', '--empty-password'], ['-A', '-t', 'C,,', '-n', 'oriel test', '-i', str(cafile)]):
        subprocess.run(['certutil', '-d', 'sql:' + store, *args], check=True, capture_output=True, timeout=TIME)


class Chromium:
    """A browser that goes through the proxy also for loopback and speaks to nobody else. Use with `with`. prefix: what
    goes before its command."""

    def __init__(self, folder, proxy, cafile, *args, prefix=()):
        home = os.path.join(str(folder), 'home')
        nss_store(home, cafile)
        self._left, self._next, self.events = b'', 0, []
        theirs, self._to = os.pipe()
        self._from, theirs_out = os.pipe()
        program = shutil.which('chromium') or 'chromium'
        argv = [*prefix, program, '--headless=new', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-sync', '--disable-extensions',
                '--disable-background-networking', '--disable-component-update', '--disable-domain-reliability',
                '--disable-dev-shm-usage', '--disable-quic', '--remote-debugging-pipe', f'--user-data-dir={home}/profile',
                f'--proxy-server={proxy}', '--proxy-bypass-list=<-loopback>',
                # What would go around the proxy finds no name.
                '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1', *args]
        with open(os.path.join(str(folder), 'chromium.log'), 'wb') as log:
            # The pipe has to have the numbers 3 and 4.
            self.popen = subprocess.Popen(['bash', '-c', f'exec "$@" 3<&{theirs} 4>&{theirs_out}', 'bash', *argv],
                                          pass_fds=(theirs, theirs_out), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                          env=clean_environment(HOME=home, XDG_CONFIG_HOME=home, XDG_CACHE_HOME=home))
        os.close(theirs)
        os.close(theirs_out)
        target = self.call('Target.createTarget', url='about:blank')['targetId']
        self._session = self.call('Target.attachToTarget', targetId=target, flatten=True)['sessionId']
        for domain in ('Page', 'Network', 'Runtime'):
            self.call(domain + '.enable')

    def _message(self, until):
        """The next message of the browser."""
        while b'\0' not in self._left:
            ready, _, _ = select.select([self._from], [], [], max(0, until - time.monotonic()))
            data = os.read(self._from, 1 << 20) if ready else b''
            assert data, 'Chromium says nothing more'
            self._left += data
        one, self._left = self._left.split(b'\0', 1)
        return json.loads(one)

    def call(self, method, **params):
        self._next += 1
        message = {'id': self._next, 'method': method, 'params': params}
        if not method.startswith('Target.'):
            message['sessionId'] = self._session
        os.write(self._to, json.dumps(message).encode() + b'\0')
        until = time.monotonic() + TIME
        while True:
            got = self._message(until)
            if got.get('id') == self._next:
                assert 'error' not in got, f'{method}: {got}'
                return got['result']
            self.events.append(got)

    def wait(self, method, **params):
        """The parameters of the next event of this name, also one that has come already, which have these values."""
        until = time.monotonic() + TIME
        while True:
            for i, event in enumerate(self.events):
                if event.get('method') == method and all(event['params'].get(k) == v for k, v in params.items()):
                    return self.events.pop(i)['params']
            self.events.append(self._message(until))

    def go(self, url):
        """Opens the page and returns the error's text, None when there was none, and the answer's description."""
        self.events.clear()
        error = self.call('Page.navigate', url=url).get('errorText')
        if error:
            return error, None
        answer = self.wait('Network.responseReceived', type='Document')['response']
        self.wait('Page.loadEventFired')
        return None, answer

    def evaluate(self, script):
        """The value of the script, a promise's when it is kept."""
        got = self.call('Runtime.evaluate', expression=script, awaitPromise=True, returnByValue=True)
        assert 'exceptionDetails' not in got, got
        return got['result'].get('value')

    def leaf(self, origin):
        """The certificate that the browser was shown, as PEM."""
        shown = self.call('Network.getCertificate', origin=origin)['tableNames']
        return ssl.DER_cert_to_PEM_cert(base64.b64decode(shown[0]))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self._to)
        try:
            self.popen.wait(5)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
        os.close(self._from)
