"""Where the roots come from that oriel believes servers by: the system's store, SSL_CERT_FILE, SSL_CERT_DIR."""
import os
import shutil
import subprocess

import pytest

from harness import client, oriel

NAME = 'www.oriel.test'
CONFIG = {'listeners': [{'bind': '127.0.0.1:PORT', 'default': 'bump'}], 'hosts': {NAME: '127.0.0.1'}}
STORE = '/etc/ssl/certs/ca-certificates.crt'


def verdict(o, https):
    client.curl(f'https://{NAME}:{https.port}/', proxy=o, cafile=o.root)
    return o.wait_event(type='connection')['tls']['server']['verdict']


@pytest.mark.parametrize('which,good', [('root', True), ('stranger', False)])
def test_ssl_cert_dir_is_a_folder_of_roots(run_oriel, certs, https, tmp_path, which, good):
    folder = tmp_path / 'roots'
    folder.mkdir()
    shutil.copy(getattr(certs, which).cert, folder / 'one.pem')
    (folder / 'README').write_text('no certificate\n', encoding='ascii')
    o = run_oriel(CONFIG, trust=None, env={'SSL_CERT_DIR': str(folder)})
    assert (verdict(o, https) == 'ok') == good


def test_ssl_cert_file_comes_before_ssl_cert_dir(run_oriel, certs, https, tmp_path):
    shutil.copy(certs.root.cert, tmp_path / 'one.pem')
    o = run_oriel(CONFIG, trust=certs.stranger.cert, env={'SSL_CERT_DIR': str(tmp_path)})
    assert verdict(o, https) != 'ok'


@pytest.fixture
def as_the_systems_store(as_root, tmp_path):
    """What goes before a command so that it sees these certificates as the system's store: a mount namespace of its own."""
    if not os.path.exists(STORE):
        pytest.skip(f'needs {STORE}')
    if subprocess.run(['unshare', '-m', 'true'], check=False, capture_output=True).returncode:
        pytest.skip('mount namespaces cannot be made here')
    return lambda roots: ['unshare', '-m', '--propagation', 'private', 'sh', '-c', f'mount --bind "$0" {STORE} && exec "$@"', str(roots)]


@pytest.mark.parametrize('which,good', [('root', True), ('stranger', False)])
def test_without_either_it_is_the_systems_store(run_oriel, certs, https, as_the_systems_store, which, good):
    o = run_oriel(CONFIG, trust=None, prefix=as_the_systems_store(getattr(certs, which).cert))
    assert (verdict(o, https) == 'ok') == good


def test_the_systems_real_store_does_not_know_the_test_root(run_oriel, https):
    assert verdict(run_oriel(CONFIG, trust=None), https) != 'ok'


def test_a_store_that_cannot_be_read_is_one_sentence(tmp_path):
    status, out, err = oriel.command(tmp_path, 'run', '--listen', '127.0.0.1:0', env={'SSL_CERT_FILE': str(tmp_path / 'missing.pem')})
    assert status != 0 and out == '' and err.count('\n') == 1 and 'SSL_CERT_FILE' in err and 'missing.pem' in err
