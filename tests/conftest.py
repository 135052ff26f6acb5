"""Fixtures of the end-to-end tests."""
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from harness import gallery as gallery_of, netns, oriel, peers, pki, reading  # noqa: E402  (after the path is set)

SHARED = os.path.join(os.path.dirname(oriel.ROOT), 'shared')


def pytest_collection_modifyitems(items):
    for item in items:
        if 'release' in item.keywords and oriel.BUILD != 'release':
            item.add_marker(pytest.mark.skip(reason='for the release build: sanitized ones have no sandbox'))


# ---- what a test may need ----


@pytest.fixture(scope='session')
def as_root():
    if os.geteuid() != 0:
        pytest.skip('needs root')


@pytest.fixture(scope='session')
def shared():
    """The folder of captures and notes beside the checkout, where there is one."""
    if not os.path.isdir(SHARED):
        pytest.skip('needs the folder ../shared')
    return SHARED


@pytest.fixture(scope='session')
def namespaces_work():
    why = netns.possible()
    if why:
        pytest.skip(why)


@pytest.fixture
def net(namespaces_work):
    with netns.Net() as n:
        yield n


@pytest.fixture(scope='session')
def certs(tmp_path_factory):
    return pki.Pki(tmp_path_factory.mktemp('pki'))


@pytest.fixture
def start(tmp_path):
    """Starts peers that are ended after the test: start(peers.nginx, cert, http2=True)."""
    running = []

    def begin(kind, *args, **how):
        folder = tmp_path / f'peer{len(running)}'
        folder.mkdir()
        running.append(kind(str(folder), *args, **how))
        return running[-1]
    yield begin
    for peer in reversed(running):
        peer.__exit__(None, None, None)


@pytest.fixture
def run_oriel(tmp_path, certs):
    """Starts oriel; at the end of the test it must end well. Trusts the test root upstream unless told."""
    running = []

    def begin(config=None, trust=certs.root.cert, **how):
        folder = tmp_path / f'oriel{len(running)}'
        folder.mkdir()
        running.append(oriel.Oriel(folder, config, trust=trust, **how))
        return running[-1]
    yield begin
    for one in reversed(running):
        one.stop()


@pytest.fixture
def https(certs):
    """An HTTPS server of our own with a good certificate for www.oriel.test."""
    with peers.HttpsServer(certs.good()) as server:
        yield server


@pytest.fixture
def soaking():
    """soaking(small, large): which of the numbers this run uses."""
    return lambda small, large: large if os.environ.get('ORIEL_SOAK') else small


@pytest.fixture(scope='session')
def gallery(certs, tmp_path_factory):
    """One capture of many kinds of conversations, and its key log."""
    why = reading.possible() or gallery_of.missing()
    if why:
        pytest.skip(why)
    return gallery_of.Gallery(tmp_path_factory.mktemp('gallery'), certs).make()
