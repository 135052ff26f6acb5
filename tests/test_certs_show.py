"""`oriel certs show` and `oriel certs verify`: what they say of a certificate against openssl and GnuTLS's certtool, files in every
form, a real server, and one sentence for what cannot be used."""
import base64
import hashlib
import json
import re
import shutil
import subprocess

import pytest

from harness import oriel, pki as pki_module
from harness.ports import free_port
from harness.process import Process, wait_until, listening_ports

pytestmark = pytest.mark.sanitized


@pytest.fixture(scope='module')
def pki(tmp_path_factory):
    return pki_module.Pki(tmp_path_factory.mktemp('pki'))


def show(folder, *args, status=0, **env):
    got, out, err = oriel.command(folder, 'certs', 'show', *args, '--json', env=env)
    assert got == status, err
    return json.loads(out) if not status else err


def text(folder, *args, **env):
    status, out, err = oriel.command(folder, 'certs', 'show', *args, env=env)
    assert status == 0 and err == '', err
    return out


def verify(folder, *args, status=0):
    got, out, err = oriel.command(folder, 'certs', 'verify', *args, '--json')
    assert (got, err) == (status, ''), (out, err)
    return json.loads(out)


def words(notes):
    return {n['word'] for n in notes}


def faults(report):
    return {f['word'] for p in report['paths'] for f in p['faults']}


# ---- what is said


def test_it_says_what_openssl_says(pki, tmp_path):
    cert = pki.good()
    one = show(tmp_path, cert.cert)['certificates'][0]
    assert one['serial'].replace(':', '') == cert.field('serial')
    assert one['sha256'] == cert.field('fingerprint') or one['sha256'] == pki_module.openssl(
        'x509', '-in', cert.cert, '-noout', '-fingerprint', '-sha256').split('=', 1)[1].strip()
    assert one['names'] == ['DNS:www.oriel.test'] and one['key'] == 'EC P-256'
    assert one['subject'] == cert.field('subject') and one['issuer'] == cert.field('issuer')
    spki = subprocess.run(['openssl', 'x509', '-in', cert.cert, '-noout', '-pubkey'], capture_output=True, check=True).stdout
    der = subprocess.run(['openssl', 'pkey', '-pubin', '-outform', 'DER'], input=spki, capture_output=True, check=True).stdout
    assert one['pin'] == 'sha256/' + base64.b64encode(hashlib.sha256(der).digest()).decode()
    assert one['key_usage'] == ['digitalSignature'] and one['extended_key_usage'] == ['serverAuth']
    assert {e['name']: e['critical'] for e in one['extensions']}['basic constraints']


@pytest.mark.skipif(not shutil.which('certtool'), reason='no certtool')
def test_it_says_what_certtool_says(pki, tmp_path):
    cert = pki.server('for-certtool', names=('a.oriel.test', 'IP:192.0.2.7', 'email:x@oriel.test', 'URI:spiffe://oriel/x'), key='rsa2048')
    told = subprocess.run(['certtool', '--infile', cert.cert, '--certificate-info'], capture_output=True, text=True, check=True).stdout
    one = show(tmp_path, cert.cert)['certificates'][0]
    pin = re.search(r'pin-sha256:(\S+)', told).group(1)
    assert one['pin'] == 'sha256/' + pin
    assert re.search(r'Serial Number \(hex\): ([0-9a-f]+)', told).group(1).upper() == one['serial'].replace(':', '')
    assert one['names'] == ['DNS:a.oriel.test', 'IP:192.0.2.7', 'email:x@oriel.test', 'URI:spiffe://oriel/x']
    for name in ('a.oriel.test', '192.0.2.7', 'x@oriel.test', 'spiffe://oriel/x'):
        assert name in told


def test_a_good_one_has_nothing_to_be_warned_of(pki, tmp_path):
    cert = pki.good()
    out = text(tmp_path, cert.chain, '--ca', pki.root.cert)
    assert out.splitlines()[1] == '  nothing to warn of'
    assert 'verified: this machine trusts it' in out and 'days left' in out
    tree = out[out.index('chain\n'):].splitlines()
    assert [line.strip(' -') for line in tree[1:4]] == ['Oriel Test Root (trusted here)', 'Oriel Test Intermediate', 'www.oriel.test']


WARNED = [
    ('expired', lambda p: p.expired(), 'expired'),
    ('not yet valid', lambda p: p.not_yet_valid(), 'not-yet-valid'),
    ('soon', lambda p: p.server('soon', days=(-80, 5)), 'expires-soon'),
    ('no names', lambda p: p.no_names(), 'no-san'),
    ('other name', lambda p: p.server('other', names=('b.oriel.test',), subject='/CN=a.oriel.test'), 'name-not-in-san'),
    ('CA as leaf', lambda p: p.ca_as_leaf(), 'ca-as-leaf'),
    ('too long', lambda p: p.server('long', days=(-1, 900)), 'too-long'),
    ('no purpose', lambda p: p.server('no-eku', extendedKeyUsage=None), 'no-eku'),
    ('client', lambda p: p.wrong_purpose(), 'not-for-servers'),
    ('usage', lambda p: p.server('usage', keyUsage='digitalSignature,keyEncipherment'), 'key-usage'),
    ('no signature', lambda p: p.server('no-ds', keyUsage='keyAgreement'), 'no-digital-signature'),
    ('cert sign', lambda p: p.server('cert-sign', keyUsage='digitalSignature,keyCertSign'), 'cert-sign'),
]


@pytest.mark.parametrize('make, word', [w[1:] for w in WARNED], ids=[w[0] for w in WARNED])
def test_warnings(pki, tmp_path, make, word):
    cert = make(pki)
    notes = show(tmp_path, cert.cert)['certificates'][0]['notes']
    assert word in words(notes), notes
    found = next(n for n in notes if n['word'] == word)
    out = text(tmp_path, cert.cert).splitlines()
    at = next(i for i, line in enumerate(out) if found['sentence'] in line)
    assert at < next(i for i, line in enumerate(out) if line.startswith('certificate 1')), 'warnings come first'
    assert not found['remedy'] or found['remedy'] in out[at + 1]


def openssl_self_signed(folder, *args):
    key, cert = folder / 'k.pem', folder / 'c.pem'
    pki_module.openssl('req', '-x509', '-nodes', '-keyout', key, '-out', cert, '-days', '30', *args)
    return cert


def test_weak_keys_signatures_and_serials(pki, tmp_path):
    weak = openssl_self_signed(tmp_path, '-newkey', 'rsa:1024', '-subj', '/CN=weak.oriel.test')
    assert 'weak-key' in words(show(tmp_path, weak)['certificates'][0]['notes'])
    pki_module.openssl('req', '-new', '-key', pki.key('p256'), '-subj', '/CN=x', '-out', tmp_path / 'r.pem')
    pki_module.openssl('x509', '-req', '-in', tmp_path / 'r.pem', '-CA', pki.root.cert, '-CAkey', pki.root.key, '-sha1', '-set_serial', '7', '-out', tmp_path / 's.pem')
    notes = words(show(tmp_path, tmp_path / 's.pem')['certificates'][0]['notes'])
    assert notes >= {'weak-signature', 'short-serial', 'old-version'}


def concat(path, *parts):
    path.write_bytes(b''.join(open(p, 'rb').read() for p in parts))
    return path


def test_the_order_of_a_chain(pki, tmp_path):
    cert = pki.good()
    shuffled = concat(tmp_path / 'a.pem', cert.cert, pki.root.cert, pki.intermediate.cert)
    assert 'order' in words(show(tmp_path, shuffled)['notes'])
    whole = concat(tmp_path / 'b.pem', cert.chain, pki.root.cert)
    assert words(show(tmp_path, whole)['notes']) == {'root-sent'}
    stray = concat(tmp_path / 'c.pem', cert.chain, pki.stranger.cert)
    assert 'stray' in words(show(tmp_path, stray)['notes'])
    twice = concat(tmp_path / 'd.pem', cert.chain, pki.intermediate.cert)
    assert 'sent-twice' in words(show(tmp_path, twice)['notes'])


def test_name_constraints(pki, tmp_path):
    narrow = dict(pki_module.CA, nameConstraints='critical,permitted;DNS:ok.oriel.test')
    cert = pki._sign('narrow', '/CN=Narrow', pki.key('p256', 'narrow'), None, narrow, (-1, 100))
    ca = pki_module.Cert('narrow', cert, pki.key('p256', 'narrow'), cert)
    bad = pki.server('outside', names=('bad.oriel.test',), issuer=ca)
    good = pki.server('inside', names=('x.ok.oriel.test',), issuer=ca)
    assert 'name-constraints' in words(show(tmp_path, concat(tmp_path / 'x.pem', bad.cert, cert))['notes'])
    assert faults(verify(tmp_path, bad.cert, '--ca', cert, status=1)) == {'name-constraints'}
    assert verify(tmp_path, good.cert, '--ca', cert)['ok']


# ---- forms


def test_every_form(pki, tmp_path):
    cert = pki.good()
    forms = {'der': tmp_path / 'c.der', 'p7': tmp_path / 'c.p7b', 'p12': tmp_path / 'c.p12', 'locked': tmp_path / 'l.p12'}
    forms['der'].write_bytes(cert.der())
    pki_module.openssl('crl2pkcs7', '-nocrl', '-certfile', cert.chain, '-outform', 'DER', '-out', forms['p7'])
    pki_module.openssl('pkcs12', '-export', '-in', cert.chain, '-inkey', cert.key, '-passout', 'pass:', '-out', forms['p12'])
    pki_module.openssl('pkcs12', '-export', '-in', cert.chain, '-inkey', cert.key, '-passout', 'pass:secret', '-out', forms['locked'])
    password = tmp_path / 'password'
    password.write_text('secret\n')
    expected = show(tmp_path, cert.cert)['certificates'][0]['sha256']
    for name, path in forms.items():
        more = ['--password-file', password] if name == 'locked' else []
        assert expected in [c['sha256'] for c in show(tmp_path, path, *more)['certificates']], name
    assert 'password' in show(tmp_path, forms['locked'], status=5)
    status, out, _ = oriel.command(tmp_path, 'certs', 'show', '-', stdin=open(cert.cert, encoding='ascii').read())
    assert status == 0 and 'www.oriel.test' in out


def test_requests_and_revocation_lists(pki, tmp_path):
    request = tmp_path / 'r.csr'
    pki_module.openssl('req', '-new', '-key', pki.key('p256'), '-subj', '/CN=asked', '-addext', 'subjectAltName=DNS:asked.oriel.test', '-out', request)
    told = show(tmp_path, request)['requests'][0]
    assert told == {'subject': 'CN=asked', 'names': ['DNS:asked.oriel.test'], 'key': 'EC P-256'}
    listed = show(tmp_path, revoke(pki, tmp_path, pki.good()))['crls'][0]
    assert [r['serial'].replace(':', '') for r in listed['revoked']] == [pki.good().field('serial')]


def revoke(pki, folder, cert):
    """A CRL of the intermediate in which cert stands."""
    (folder / 'index').write_text('')
    (folder / 'ca.cnf').write_text(f'[ca]\ndefault_ca=x\n[x]\ndatabase={folder}/index\ndefault_md=sha256\ndefault_crl_days=7\n')
    ca = ['-config', folder / 'ca.cnf', '-cert', pki.intermediate.cert, '-keyfile', pki.intermediate.key]
    pki_module.openssl('ca', *ca, '-revoke', cert.cert)
    pki_module.openssl('ca', *ca, '-gencrl', '-out', folder / 'crl.pem')
    return folder / 'crl.pem'


# ---- a server


def test_a_server(pki, tmp_path):
    cert, port = pki.good(), free_port()
    argv = ['openssl', 's_server', '-accept', f'127.0.0.1:{port}', '-cert', cert.cert, '-key', cert.key, '-cert_chain', pki.intermediate.cert, '-quiet']
    server = Process(argv, tmp_path / 'server.log')
    try:
        wait_until(lambda: port in listening_ports(server.pid), 'the server listens')
        got = show(tmp_path, f'127.0.0.1:{port}', '--ca', pki.root.cert, '--name', 'www.oriel.test')
        assert got['verdict']['ok'] and len(got['certificates']) == 2
        assert got['certificates'][0]['sha256'] == show(tmp_path, cert.cert)['certificates'][0]['sha256']
        got = show(tmp_path, f'localhost:{port}', '--ca', pki.stranger.cert)
        assert not got['verdict']['ok'] and words(got['notes']) >= {'no-issuer', 'wrong-name'}
    finally:
        server.stop()
    err = show(tmp_path, f'127.0.0.1:{port}', status=1)
    assert err.count('\n') == 1 and 'refused' in err


# ---- verify


def test_the_verdict_is_that_of_openssl_verify(pki, tmp_path):
    made = [pki.good(), pki.expired(), pki.not_yet_valid(), pki.self_signed(), pki.unknown_issuer(), pki.unknown_root(), pki.incomplete(),
            pki.wrong_purpose(), pki.ca_as_leaf()]
    for cert in made:
        theirs = subprocess.run(['openssl', 'verify', '-CAfile', pki.root.cert, '-untrusted', cert.chain, '-purpose', 'sslserver', cert.cert],
                                capture_output=True, text=True, check=False)
        status, out, err = oriel.command(tmp_path, 'certs', 'verify', cert.chain, '--ca', pki.root.cert, '--purpose', 'server', '--json')
        report = json.loads(out)
        assert (status == 0) == (theirs.returncode == 0) == report['ok'], (cert, out, err, theirs.stderr)
        if status:
            number = int(re.search(r'error (\d+) at', theirs.stderr).group(1))
            assert number == report['error'], (cert, out, theirs.stderr)
            assert all(p['faults'] for p in report['paths'])


def test_each_reason(pki, tmp_path):
    root = ['--ca', pki.root.cert]
    assert faults(verify(tmp_path, pki.expired().chain, *root, status=1)) == {'expired'}
    assert verify(tmp_path, pki.expired().chain, *root, '--at', '2020-01-01', status=1)['paths'][0]['faults']
    assert faults(verify(tmp_path, pki.incomplete().cert, *root, status=1)) == {'no-issuer'}
    assert verify(tmp_path, pki.incomplete().cert, *root, '--untrusted', pki.intermediate.cert)['ok']
    assert faults(verify(tmp_path, pki.good().chain, *root, '--name', 'else.oriel.test', status=1)) == {'wrong-name'}
    assert verify(tmp_path, pki.good().chain, *root, '--name', 'www.oriel.test')['ok']
    assert faults(verify(tmp_path, pki.good().chain, *root, '--purpose', 'client', status=1)) == {'purpose'}
    assert faults(verify(tmp_path, pki.self_signed().cert, *root, status=1)) == {'self-signed'}
    crl = revoke(pki, tmp_path, pki.good())
    assert faults(verify(tmp_path, pki.good().chain, *root, '--crl', crl, status=1)) == {'revoked', 'no-crl'}


def test_every_candidate_path_is_told(pki, tmp_path):
    """Two roots of one name, of which one has signed the certificate."""
    other = pki_module.Pki(tmp_path / 'other')
    leaf = pki.server('by-root', issuer='root')
    both = concat(tmp_path / 'both.pem', other.root.cert, pki.root.cert)
    report = verify(tmp_path, leaf.cert, '--ca', both)
    assert report['ok'] and len(report['paths']) == 2
    assert [p['holds'] for p in report['paths'] if p['chosen']] == [True]
    failed = next(p for p in report['paths'] if not p['chosen'])
    assert {f['word'] for f in failed['faults']} >= {'key-identifier', 'signature'}
    assert any('RFC 5280, 6.1.3' in f['section'] for f in failed['faults'])
    status, out, _ = oriel.command(tmp_path, 'certs', 'verify', leaf.cert, '--ca', other.root.cert)
    assert status == 1 and out.startswith('not verified\n  libcrypto: ') and '    no: ' in out and '        -> ' in out


# ---- bad input


def bad_inputs(pki, folder):
    key = pki.key('p256')
    with open(pki.good().cert, 'rb') as f:
        pem = f.read()
    made = {
        'empty': b'', 'garbage': b'\x00\x01\x02hello', 'cut.der': pki.good().der()[:-20], 'cut.pem': pem[:-40], 'sequence': b'\x30\x03\x02\x01\x00',
        'base64': pem.replace(b'M', b'!'), 'text': b'this is no certificate\n', 'long': b'\x30\x84\xff\xff\xff\xff',
    }
    for name, content in made.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in made] + [key, folder / 'is-not-there.pem', folder]


def test_bad_input_gets_one_sentence(pki, tmp_path):
    for path in bad_inputs(pki, tmp_path):
        for action in ('show', 'verify'):
            status, out, err = oriel.command(tmp_path, 'certs', action, path)
            assert status in (1, 5) and out == '', (path, out)
            assert err.startswith('oriel: ') and err.count('\n') == 1 and str(path) in err, err


def test_options_that_cannot_be_are_refused(pki, tmp_path):
    cert = pki.good().cert
    for options in (['--at', 'yesterday'], ['--at', '2020-13-01'], ['--purpose', 'everything'], ['--policy', 'x y'], ['--ca', pki.key('p256')],
                    ['--crl', cert], ['--untrusted', tmp_path / 'nothing']):
        status, out, err = oriel.command(tmp_path, 'certs', 'verify', cert, *options)
        assert status in (1, 2, 5) and out == '' and err.count('\n') == 1, (options, err)
    for target in ('a b:99999', ':443', 'host:0', 'host:x'):
        status, out, err = oriel.command(tmp_path, 'certs', 'show', target)
        assert status == 2 and out == '' and err.count('\n') == 1, (target, err)


def test_text_of_certificates_goes_through_the_escaper(pki, tmp_path):
    evil = pki.server('evil', subject='/CN=a\x1b[31m\u202eb', names=('x.oriel.test', 'URI:http://x/\x1b[2J'))
    out = text(tmp_path, evil.cert)
    assert '\x1b' not in out and '\u202e' not in out and '\\x1b[31m' in out
    assert '\x1b' not in json.dumps(show(tmp_path, evil.cert), ensure_ascii=False)
