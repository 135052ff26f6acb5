"""The mimic certificate beside the origin's: what is wrong stays wrong, unless a rule says otherwise; what is right
is the same, but for what cannot be."""
import re
import ssl
import subprocess

import pytest

from harness import client, peers, process, raw
from harness.oriel import Oriel

UNTRUSTED = 'unable to get local issuer certificate'
# What a client says of the certificate, the verdict in the line, and whether the untrusted twin has signed it.
FAULTS = {
    'expired': ('certificate has expired', 'expired', False),
    'not_yet_valid': ('certificate is not yet valid', 'not-yet-valid', False),
    'wrong_name': ('no alternative certificate subject name matches', 'wrong-name', False),
    'wrong_purpose': ('unsuitable certificate purpose', 'wrong-purpose', False),
    # That an issuer is unknown shows only when it was sent along; else an intermediate may be missing.
    'unknown_issuer': (UNTRUSTED, 'incomplete', True),
    'unknown_root': (UNTRUSTED, 'unknown-issuer', True),
    'self_signed': (UNTRUSTED, 'self-signed', True),
    'incomplete': (UNTRUSTED, 'incomplete', True),
    'several_faults': (UNTRUSTED, 'incomplete', True),
}
faulty = pytest.mark.parametrize('kind', list(FAULTS))


def mimic_of(oriel, port, name=raw.NAME):
    """The certificate that a client is shown, in DER."""
    with client.tls_through(oriel.port, name, port, verify=False) as s:
        return s.getpeercert(binary_form=True)


def x509(der, *args):
    """What `openssl x509` prints of it."""
    return subprocess.run(['openssl', 'x509', '-inform', 'DER', '-noout', '-nameopt', 'RFC2253', *args], input=der,
                          capture_output=True, check=True).stdout.decode()


def extension(der, name):
    """The lines below an extension's name; None when there is none."""
    m = re.search(rf'^ +X509v3 {name}:(.*)\n((?: {{16,}}.*\n)+)', client.certificate_text(der), re.M)
    return m and (m.group(1).strip() + ' ' + ' '.join(m.group(2).split())).strip()


def strict(oriel, der, tmp_path, *more):
    """`openssl verify -x509_strict` of a mimic; its complaint, or 'OK'."""
    path = tmp_path / 'mimic.pem'
    path.write_text(ssl.DER_cert_to_PEM_cert(der), encoding='ascii')
    done = subprocess.run(['openssl', 'verify', '-x509_strict', '-purpose', 'sslserver', '-CAfile', oriel.root, *more,
                           str(path)], capture_output=True, text=True, check=False)
    return 'OK' if done.returncode == 0 else done.stderr


# ---- certificates that do not verify ----


@pytest.mark.sanitized
@faulty
def test_what_is_wrong_stays_wrong(start, certs, run_oriel, kind):
    """mirror is the default."""
    complaint, verdict, twin = FAULTS[kind]
    server = start(peers.nginx, getattr(certs, kind)())
    url = f'https://{raw.NAME}:{server.port}/'
    oriel = run_oriel(raw.egress())
    got = client.curl(url, proxy=oriel, cafile=oriel.root)
    assert got.code == 60 and complaint in got.log, got.log
    line = oriel.wait_event(type='connection')
    assert line['tls']['server']['verdict'] == verdict
    # curl looks at the name when the handshake is over.
    assert line.get('failure') == (None if kind == 'wrong_name' else 'client-rejects-certificate')
    # Somebody who does not look gets through, and finds the same signer.
    careless = client.curl(url, '-k', proxy=oriel).ok()
    assert ('(untrusted)' in careless.issuer) is twin and 'oriel bump CA' in careless.issuer
    line = oriel.wait_event(type='connection', count=2)
    assert line['failed'] is False and line['reason'].startswith(line['tls']['server']['verdict_reason'])


@faulty
def test_block_lets_none_of_them_pass(start, certs, run_oriel, kind):
    server = start(peers.nginx, getattr(certs, kind)())
    oriel = run_oriel(raw.egress(raw.bump(**{'invalid-upstream': 'block'})))
    got = client.curl(f'https://{raw.NAME}:{server.port}/', '-k', proxy=oriel)
    assert got.code == 35 and 'alert access denied' in got.log
    line = oriel.wait_event(type='connection', failure='upstream-certificate', side='server', action='block')
    assert line['tls']['server']['verdict'] == FAULTS[kind][1]


@faulty
def test_allow_shows_a_certificate_that_verifies(start, certs, run_oriel, tmp_path, kind):
    server = start(peers.nginx, getattr(certs, kind)())
    oriel = run_oriel(raw.egress(raw.bump(**{'invalid-upstream': 'allow'})))
    got = client.curl(f'https://{raw.NAME}:{server.port}/', proxy=oriel, cafile=oriel.root).ok()
    assert got.status == 200 and 'untrusted' not in got.issuer
    line = oriel.wait_event(type='connection', failed=False)
    assert line['tls']['server']['verdict'] == FAULTS[kind][1]
    assert line['reason'].endswith('`invalid-upstream: allow` hides it from the client')
    assert strict(oriel, mimic_of(oriel, server.port), tmp_path, '-verify_hostname', raw.NAME) == 'OK'


@pytest.mark.sanitized
def test_allow_is_for_the_name_that_was_asked_for(start, certs, run_oriel):
    """Also when another name was asked for before, and for an address."""
    server = start(peers.nginx, certs.wrong_name())
    oriel = run_oriel(raw.egress(raw.bump(**{'invalid-upstream': 'allow'}), hosts={'third.test': '127.0.0.1'}))
    for name in (raw.NAME, 'third.test', raw.NAME, '127.0.0.1', 'other.oriel.test'):
        assert client.curl(f'https://{name}:{server.port}/', proxy=oriel, cafile=oriel.root).ok().status == 200
    names = extension(mimic_of(oriel, server.port, 'third.test'), 'Subject Alternative Name')
    assert names == 'DNS:other.oriel.test, DNS:third.test'
    # What verifies is not touched.
    assert extension(mimic_of(oriel, server.port, 'other.oriel.test'), 'Subject Alternative Name') == 'DNS:other.oriel.test'


@pytest.mark.sanitized
def test_several_faults_stay_several(start, certs, run_oriel):
    origin = certs.several_faults()
    server = start(peers.nginx, origin)
    oriel = run_oriel(raw.egress())
    mimic = mimic_of(oriel, server.port)
    assert x509(mimic, '-dates') == x509(origin.der(), '-dates')
    assert extension(mimic, 'Subject Alternative Name') == 'DNS:other.oriel.test'
    assert '(untrusted)' in x509(mimic, '-issuer')
    reason = oriel.wait_event(type='connection')['tls']['server']['verdict_reason']
    assert 'Oriel Test Stranger' in reason


def test_the_twin_is_another_key_that_no_root_vouches_for(start, certs, run_oriel, tmp_path):
    server = start(peers.nginx, certs.unknown_issuer())
    oriel = run_oriel(raw.egress())
    assert 'unable to get local issuer certificate' in strict(oriel, mimic_of(oriel, server.port), tmp_path)
    issued = (tmp_path / 'oriel0/state/oriel/bump/issued.log')
    process.wait_until(lambda: 'by=twin' in issued.read_text(), 'the keeper has logged it')


# ---- certificates that do ----

KEYS = [  # the origin's key, the mimic's, and why it differs
    ('p256', 'P-256', None), ('p384', 'P-384', None), ('rsa2048', '2048 bit', None), ('rsa3072', '3072 bit', None),
    ('ed25519', 'P-256', "the origin's key is Ed25519, the nearest kept ready is EC P-256"),
    ('p521', 'P-384', 'EC P-521, the nearest kept ready is EC P-384'),
    ('rsa2304', '2048 bit', 'RSA 2304, the nearest kept ready is RSA 2048'),
    pytest.param('rsa4096', '4096 bit', None, marks=pytest.mark.release),
]


@pytest.mark.parametrize('origin,wanted,why', KEYS)
def test_type_and_strength_of_the_key(start, certs, run_oriel, tmp_path, origin, wanted, why):
    """RSA keys become ready in the background: until then the nearest serves, and the line says so."""
    server = start(peers.s_server, certs.good(origin))
    oriel = run_oriel(raw.egress())
    url = f'https://{raw.NAME}:{server.port}/'
    seen = []

    def right():
        assert client.curl(url, proxy=oriel, cafile=oriel.root).ok().status == 200
        seen.append(oriel.wait_event(type='connection', count=len(seen) + 1).get('reason', ''))
        return 'is not ready yet' not in seen[-1]
    process.wait_until(right, 'the key is ready', timeout=60, every=0.2)
    if why:
        assert why in seen[-1]
    else:
        assert seen[-1] == ''
    mimic = mimic_of(oriel, server.port)
    assert wanted in client.certificate_text(mimic)
    assert strict(oriel, mimic, tmp_path) == 'OK'
    if origin in ('rsa3072', 'rsa4096'):
        assert re.search(rf'^RSA {wanted[:4]} is not ready yet, (EC P-256|RSA \d+) serves$', seen[0])


def test_keys_are_kept_for_the_next_start(start, certs, run_oriel, tmp_path):
    """So that a size that was made once is ready at once. The files are for their owner alone."""
    server = start(peers.s_server, certs.good('rsa2048'))
    first = run_oriel(raw.egress())
    pool = tmp_path / 'oriel0/state/oriel/bump/pool'
    process.wait_until(lambda: (pool / 'rsa2048.der').exists(), 'an RSA key is made', timeout=60)
    process.wait_until(lambda: '2048 bit' in client.certificate_text(mimic_of(first, server.port)), 'and is used')
    key = x509(mimic_of(first, server.port), '-pubkey')
    first.stop()
    with Oriel(first.dir, raw.egress(), trust=certs.root.cert) as second:
        assert x509(mimic_of(second, server.port), '-pubkey') == key
    assert {oct(p.stat().st_mode & 0o777) for p in pool.iterdir()} == {'0o600'}


RICH = {
    'subject': '/C=DE/O=Oriel Tests/OU=Größe \\/ Maß/CN=www.oriel.test',
    'names': ('www.oriel.test', '*.oriel.test', 'xn--bcher-kva.test', 'IP:192.0.2.7', 'IP:2001:db8::7',
              'email:root@oriel.test', 'URI:https://www.oriel.test/who'),
    'days': (-7, 91),
    'extendedKeyUsage': 'serverAuth,clientAuth,1.3.6.1.5.5.7.3.17',
    'keyUsage': 'critical,digitalSignature,keyAgreement',
    'certificatePolicies': '1.2.3.4.5',
}
LOST = {
    'authorityInfoAccess': 'OCSP;URI:http://ocsp.oriel.test/', 'crlDistributionPoints': 'URI:http://crl.oriel.test/',
    'tlsfeature': 'status_request', '1.3.6.1.4.1.11129.2.4.2': 'DER:04:02:00:00', '1.2.3.4.5.6': 'DER:05:00',
}


@pytest.fixture
def rich(start, certs, run_oriel):
    """(oriel, the origin in DER, its mimic)."""
    how = {k: v for k, v in RICH.items() if k not in ('subject', 'names', 'days')}
    origin = certs.server('rich', names=RICH['names'], subject=RICH['subject'], days=RICH['days'], **how, **LOST)
    server = start(peers.s_server, origin)
    oriel = run_oriel(raw.egress())
    return oriel, origin.der(), mimic_of(oriel, server.port)


def test_the_mimic_says_what_the_origin_says(rich):
    _, origin, mimic = rich
    for what in ('-subject', '-dates'):
        assert x509(mimic, what) == x509(origin, what)
    for name in ('Subject Alternative Name', 'Key Usage', 'Extended Key Usage', 'Certificate Policies',
                 'Basic Constraints'):
        assert extension(mimic, name) == extension(origin, name) is not None, name
    names = extension(mimic, 'Subject Alternative Name')
    assert names.count('DNS:') == 3 and names.count('IP Address:') == 2 and 'URI:' in names and 'email:' in names


@pytest.mark.sanitized
def test_the_mimic_has_nothing_of_what_speaks_of_the_real_one(rich, tmp_path):
    """What was dropped is in the issuance log, what is not known as such."""
    _, origin, mimic = rich
    for word in ('ocsp.oriel.test', 'crl.oriel.test', 'TLS Feature', 'CT Precertificate SCTs', '1.2.3.4.5.6'):
        assert word in client.certificate_text(origin) and word not in client.certificate_text(mimic)
    issued = tmp_path / 'oriel0/state/oriel/bump/issued.log'
    line = process.wait_until(lambda: next((x for x in issued.read_text().splitlines() if 'www.oriel.test' in x), None),
                              'the keeper has logged it')
    assert '1.2.3.4.5.6 not known' in line
    for oid in ('1.3.6.1.5.5.7.1.1', '2.5.29.31', '1.3.6.1.5.5.7.1.24', '1.3.6.1.4.1.11129.2.4.2'):
        assert f'{oid} ' in line.split('dropped="')[1]


def test_identifiers_and_serial_are_made_afresh(rich):
    oriel, origin, mimic = rich
    for name in ('Subject Key Identifier', 'Authority Key Identifier'):
        assert extension(mimic, name) != extension(origin, name) and extension(mimic, name)
    root = subprocess.run(['openssl', 'x509', '-in', oriel.root, '-outform', 'DER'], capture_output=True, check=True).stdout
    assert extension(mimic, 'Authority Key Identifier').endswith(extension(root, 'Subject Key Identifier'))
    assert x509(mimic, '-serial') != x509(origin, '-serial') and '=-' not in x509(mimic, '-serial')
    assert len(x509(mimic, '-serial').strip()) >= len('serial=') + 28


def test_every_mimic_has_a_serial_of_its_own(start, certs, run_oriel):
    """And the same origin the same mimic for as long as it is kept."""
    a, b = start(peers.s_server, certs.good()), start(peers.s_server, certs.good(name='other.oriel.test'))
    oriel = run_oriel(raw.egress())
    first, again, other = mimic_of(oriel, a.port), mimic_of(oriel, a.port), mimic_of(oriel, b.port, 'other.oriel.test')
    assert first == again and x509(first, '-serial') != x509(other, '-serial')


def test_the_mimic_is_accepted_in_strict_mode(rich, tmp_path):
    oriel, _, mimic = rich
    for name in ('www.oriel.test', 'anything.oriel.test', 'xn--bcher-kva.test'):
        assert strict(oriel, mimic, tmp_path, '-verify_hostname', name) == 'OK'
    assert strict(oriel, mimic, tmp_path, '-verify_ip', '192.0.2.7') == 'OK'
    assert 'hostname mismatch' in strict(oriel, mimic, tmp_path, '-verify_hostname', 'elsewhere.test')


def test_the_mimic_of_a_ca_certificate_is_none(start, certs, run_oriel, tmp_path):
    server = start(peers.s_server, certs.ca_as_leaf())
    oriel = run_oriel(raw.egress())
    mimic = mimic_of(oriel, server.port)
    assert extension(mimic, 'Basic Constraints') == 'critical CA:FALSE'
    assert extension(mimic, 'Key Usage') == 'critical Digital Signature'
    assert strict(oriel, mimic, tmp_path) == 'OK'


@pytest.mark.sanitized
def test_a_bare_certificate_gets_what_every_mimic_has(start, certs, run_oriel, tmp_path):
    bare = certs.server('bare', basicConstraints=None, keyUsage=None, extendedKeyUsage=None, subjectKeyIdentifier=None,
                        authorityKeyIdentifier=None)
    server = start(peers.s_server, bare)
    oriel = run_oriel(raw.egress())
    mimic = mimic_of(oriel, server.port)
    assert extension(mimic, 'Basic Constraints') == 'critical CA:FALSE'
    assert extension(mimic, 'Key Usage') is None and extension(mimic, 'Subject Key Identifier')
    assert strict(oriel, mimic, tmp_path) == 'OK'
