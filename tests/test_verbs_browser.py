"""`oriel browser`: a real one, with a throwaway profile, the proxy and the bump root; and the page that it opens."""
import contextlib
import os
import re
import signal
import subprocess
import tempfile

import pytest

from harness import oriel, peers, programs
from harness.client import curl
from harness.process import wait_until

NAME, EXPIRED = 'www.oriel.test', 'expired.oriel.test'
# Whatever else a browser asks for gets 403, and nothing of it is resolved.
CONFIG = {'listeners': [{'bind': '127.0.0.1:PORT', 'default': 'block', 'rules': [{'match': {'target': ['*.oriel.test', 'localhost']}, 'do': 'bump'}]}],
          'hosts': {NAME: '127.0.0.1', EXPIRED: '127.0.0.1'}}
# What would go around the proxy finds no name.
CHROMIUM = ['--headless', '--disable-gpu', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1']
TIME = 60


class Place:
    def __init__(self, folder, certs):
        self.stack = contextlib.ExitStack()
        self.good = self.stack.enter_context(peers.HttpsServer(certs.good()))
        self.local = self.stack.enter_context(peers.HttpsServer(certs.good(name='localhost')))
        self.expired = self.stack.enter_context(peers.HttpsServer(certs.server('browser-expired', names=(EXPIRED,), days=(-90, -3))))
        self.oriel = self.stack.enter_context(oriel.Oriel(folder, CONFIG, trust=certs.root.cert))
        # Chromium makes a socket in it, whose path has 107 bytes at most.
        self.temporary = self.stack.enter_context(tempfile.TemporaryDirectory())
        self.env = dict(self.oriel.env, TMPDIR=self.temporary)

    def start(self, *words, **how):
        return subprocess.Popen([oriel.BINARY, 'browser', *map(str, words)], env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, errors='replace', **how)

    def run(self, *words):
        popen = self.start(*words)
        try:
            out, err = popen.communicate(timeout=TIME)
        finally:
            popen.kill()
        return popen.returncode, out, err

    def left(self):
        return os.listdir(self.temporary)


@pytest.fixture(scope='module')
def place(tmp_path_factory, certs):
    programs.need('certutil')
    at = Place(tmp_path_factory.mktemp('place'), certs)
    with at.stack:
        yield at


@pytest.fixture
def chromium():
    return programs.need('chromium')


@pytest.fixture
def firefox():
    return next((name for name in ('firefox', 'firefox-esr') if programs.shutil.which(name)), None) or pytest.skip('needs firefox')


def test_chromium_goes_through_the_proxy_and_trusts_the_root(place, chromium):
    url = f'https://{NAME}:{place.good.port}/chromium'
    code, out, err = place.run(url, '--browser', chromium, '--', *CHROMIUM, '--dump-dom')
    assert code == 0 and 'GET /chromium HTTP/1.1' in out, err
    event = place.oriel.wait_event(type='exchange', http__url=url)
    assert event['tls']['client']['issuer'] == place.oriel.root_subject()
    assert 'removed at the end' in err and ('--no-sandbox' in err) == (os.geteuid() == 0)
    assert place.left() == []


def test_loopback_goes_through_the_proxy_too(place, chromium):
    url = f'https://localhost:{place.local.port}/loopback'
    code, out, err = place.run(url, '--browser', chromium, '--', *CHROMIUM, '--dump-dom')
    assert code == 0 and 'GET /loopback HTTP/1.1' in out, err
    place.oriel.wait_event(type='exchange', http__url=url)


def test_what_is_bad_stays_bad_in_the_browser(place, chromium):
    code, out, _ = place.run(f'https://{EXPIRED}:{place.expired.port}/bad', '--browser', chromium, '--', *CHROMIUM, '--dump-dom')
    assert code == 0 and 'GET /bad' not in out
    place.oriel.wait_event(type='connection', tls__sni=EXPIRED, failed=True)
    assert not place.oriel.events(type='exchange', http__host=EXPIRED)


def test_firefox_goes_through_the_proxy_and_trusts_the_root(place, firefox, tmp_path):
    url = f'https://{NAME}:{place.good.port}/firefox'
    code, _, err = place.run(url, '--browser', firefox, '--', '--headless', '--screenshot', tmp_path / 'page.png')
    assert code == 0, err
    event = place.oriel.wait_event(type='exchange', http__url=url)
    assert event['tls']['client']['issuer'] == place.oriel.root_subject()
    assert (tmp_path / 'page.png').read_bytes().startswith(b'\x89PNG')
    assert place.left() == []


def test_without_a_url_it_opens_the_page_about_the_root(place, chromium):
    code, out, err = place.run('--browser', chromium, '--', *CHROMIUM, '--dump-dom')
    assert code == 0 and '<h1>This connection goes through oriel</h1>' in out, err


def test_told_to_end_it_ends_the_browser_and_removes_the_profile(place, chromium):
    popen = place.start(f'https://{NAME}:{place.good.port}/stays', '--browser', chromium, '--', *CHROMIUM, '--remote-debugging-port=0')
    try:
        place.oriel.wait_event(type='exchange', http__url=f'https://{NAME}:{place.good.port}/stays', timeout=TIME)
        assert len(place.left()) == 1
        popen.send_signal(signal.SIGTERM)
        popen.communicate(timeout=20)
        assert place.left() == []
    finally:
        popen.kill()


def test_it_ends_with_the_browsers_status_and_gives_it_what_follows(place, tmp_path):
    """A program that only tells how it was started."""
    browser = tmp_path / 'firefox'
    browser.write_text('#!/bin/sh\nfor w; do echo "<$w>"; done; echo "$HOME"; certutil -L -d "sql:$4"; cat "$4/user.js"; exit 7\n')
    browser.chmod(0o755)
    code, out, _ = place.run('http://a.test/', '--browser', browser, '--', '-P', 'two words')
    assert code == 7 and '<-P>\n<two words>\n<http://a.test/>\n' in out
    assert f'"network.proxy.ssl_port", {place.oriel.port});' in out
    assert re.search(r'^oriel bump root +C,,', out, re.M)
    assert f'{place.temporary}/oriel-' in out and place.left() == []


@pytest.mark.sanitized
def test_without_a_browser_or_certutil_there_is_one_sentence_with_the_remedy(place, tmp_path):
    for words, word in ((['--browser', 'no\x1bsuch'], r'no\x1bsuch'), (['--browser', '/etc/passwd'], '/etc/passwd')):
        code, out, err = place.run(*words)
        assert (code, out) == (1, '') and re.fullmatch(r'oriel: [^\n]*\n', err) and word in err
    assert place.left() == []


# ---- http://oriel.internal/


def internal(one, path=''):
    return curl('http://oriel.internal/' + path, '-i', proxy=one).ok().body


@pytest.mark.sanitized
def test_the_page_serves_the_root_in_both_forms(run_oriel):
    one = run_oriel()
    head, pem = internal(one, 'ca.pem').split(b'\r\n\r\n', 1)
    assert b'Content-Type: application/x-pem-file\r\n' in head + b'\r\n'
    assert pem == open(one.root, 'rb').read()
    head, der = internal(one, 'ca.crt').split(b'\r\n\r\n', 1)
    assert b'Content-Type: application/x-x509-ca-cert\r\n' in head + b'\r\n'
    assert der == subprocess.run(['openssl', 'x509', '-in', one.root, '-outform', 'DER'], capture_output=True, check=True).stdout
    assert internal(one, 'else').startswith(b'HTTP/1.1 404 ')


SYSTEMS = ('Debian', 'Ubuntu', 'Fedora', 'openSUSE', 'macOS', 'Windows', 'iOS', 'Android', 'Firefox', 'Chromium', 'Java')


@pytest.mark.sanitized
def test_the_page_tells_the_root_apart_and_the_steps_for_each_system(run_oriel):
    one = run_oriel()
    text = internal(one).decode()
    shown = subprocess.run(['openssl', 'x509', '-in', one.root, '-noout', '-fingerprint', '-sha256'], capture_output=True, text=True, check=True).stdout
    assert shown.strip().split('=')[1] in text
    assert re.search(r'<dd>oriel bump CA \S+ \d{4}-\d\d-\d\d</dd>', text)
    titles = ' '.join(re.findall(r'<h2>(.*?)</h2>', text))
    assert [s for s in SYSTEMS if s not in titles] == []
    status, out, _ = oriel.command(one.dir, 'trust', 'status', '--store', 'nss')
    assert status == 0 and shown.strip().split('=')[1] in out


def test_a_browser_renders_the_page(place, chromium, tmp_path):
    """With words on it: a blank page of this size is a tenth as large."""
    code, _, err = place.run('--browser', chromium, '--', *CHROMIUM, '--window-size=800,1500', f'--screenshot={tmp_path}/page.png')
    assert code == 0, err
    assert (tmp_path / 'page.png').stat().st_size > 30000
    assert wait_until(lambda: place.left() == [], 'the profile is gone')
