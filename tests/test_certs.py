"""oriel certs: a manifest in certyaml's format, and the files that it stands for, kept right on every run."""
import datetime
import json
import os
import re
import resource
import shutil
import signal
import subprocess

import pytest

from harness import oriel
from harness.pki import openssl

pytestmark = pytest.mark.release

HIERARCHY = r"""
subject: cn=server-root-ca
---
subject: cn=server-sub-ca,o=Acme\, Inc.
issuer: cn=server-root-ca
ca: true
key_type: RSA
---
subject: CN=John Doe,OU=People,O=Company,c=FI
issuer: cn=server-sub-ca,o=Acme\, Inc.
filename: server
sans:
  - URI:spiffe://a/b
  - DNS:server.example
  - IP:127.0.0.1
  - IP:::1
  - email:a@b.example
key_usages:
ext_key_usages: [ServerAuth, ClientAuth, Any]
crl_distribution_points: [http://localhost/crl, http://localhost/other]
ocsp: [http://localhost/ocsp]
expires: 1h30m
---
subject: cn=revoked
issuer: cn=server-root-ca
revoked: yes
serial: 0x10
key_type: ED25519
---
subject: cn=old,OU=b,OU=a,dc=x,dc=y,e=foo@bar
issuer: cn=server-root-ca
not_before: 2020-01-01T00:00:00Z
not_after: 2021-01-01T00:00:00+02:00
key_size: 384
KEY_USAGES: [DigitalSignature, KeyAgreement]
"""
CHAIN = """
subject: cn=root
---
subject: cn=sub
issuer: cn=root
ca: true
---
subject: cn=leaf
issuer: cn=sub
sans: [DNS:leaf.example]
ext_key_usages: [ServerAuth, ClientAuth]
"""


class Folder:
    """A folder with a manifest, in which certificates are made."""

    def __init__(self, path):
        self.path = path
        self.dir = path / 'out'
        self.dir.mkdir()

    def run(self, text=None, *options):
        if text is not None:
            (self.path / 'certs.yaml').write_text(text, encoding='utf-8')
        return oriel.command(self.path, 'certs', '-d', self.dir, *options, self.path / 'certs.yaml')

    def good(self, text=None, *options):
        status, out, err = self.run(text, *options)
        assert (status, err) == (0, ''), err
        return out

    def read(self, name):
        return (self.dir / name).read_bytes()

    def cert(self, name, *what):
        return openssl('x509', '-in', self.dir / f'{name}.pem', '-noout', *what)

    def files(self):
        return {str(p.relative_to(self.dir)): p.read_bytes() for p in self.dir.rglob('*') if p.is_file()}

    def crl(self, name):
        text = openssl('crl', '-in', self.dir / f'{name}-crl.pem', '-noout', '-text')
        number = int(re.search(r'CRL Number: \n\s+(\w+)', text).group(1), 0)
        return number, re.findall(r'Serial Number: (\w+)', text)


@pytest.fixture(name='folder')
def _folder(tmp_path):
    return Folder(tmp_path)


def verifies(folder, name='leaf', root='root', *more):
    done = subprocess.run(['openssl', 'verify', '-x509_strict', *more, '-CAfile', folder.dir / f'{root}.pem', '-untrusted',
                           folder.dir / f'{name}.pem', folder.dir / f'{name}.pem'], capture_output=True, text=True, check=False)
    return done.returncode == 0


def key_fits(folder, name):
    of_cert = folder.cert(name, '-pubkey')
    return of_cert == openssl('pkey', '-in', folder.dir / f'{name}-key.pem', '-pubout')


# certyaml itself

@pytest.fixture(scope='session', name='certyaml')
def _certyaml(tmp_path_factory):
    """Its program: $CERTYAML, or built from the Go module proxy."""
    if os.environ.get('CERTYAML'):
        return os.environ['CERTYAML']
    if not shutil.which('go'):
        pytest.skip('certyaml: go is not here')
    where = tmp_path_factory.mktemp('certyaml')
    done = subprocess.run(['go', 'install', 'github.com/tsaarni/certyaml/cmd/certyaml@latest'], capture_output=True,
                          text=True, check=False, timeout=300, env={**os.environ, 'GOBIN': str(where), 'GOFLAGS': '-mod=mod'})
    if done.returncode:
        pytest.skip('certyaml: the module proxy does not have it')
    return str(where / 'certyaml')


def lines_of(folder, name):
    """The text of a certificate without what must differ: key, signature, identifiers of keys."""
    text = folder.cert(name, '-text', '-nameopt', 'RFC2253,show_type')
    text = re.sub(r'(pub|Modulus):\n(\s+[0-9a-f:]+\n)+', r'\1\n', text)
    text = re.sub(r'Signature Value:\n(\s+[0-9a-f:]+\n?)+', '', text)
    text = re.sub(r'(Authority Key Identifier: \n\s+)(keyid:)?[0-9A-F:]+', r'\1-', text)
    return [line.strip() for line in text.splitlines() if line.strip()]


# What differs on purpose: a pattern of lines, and why.
INTENDED = (
    (r'Serial Number:.*|([0-9a-f]{2}:){15}[0-9a-f]{2}', 'random numbers instead of the clock'),
    (r'Not Before: .*|Not After : .*|Validity', 'a minute back, for clocks that are slow'),
    (r'X509v3 Subject Key Identifier:|([0-9A-F]{2}:){19}[0-9A-F]{2}', 'every certificate has one, not only CAs'),
    (r'Digital Signature(, Key Encipherment)?', 'only RSA can encrypt keys'),
)


def test_the_files_and_certificates_are_those_of_certyaml(folder, certyaml, tmp_path):
    (tmp_path / 'other').mkdir()
    other = Folder(tmp_path / 'other')
    folder.good(HIERARCHY)
    subprocess.run([certyaml, '-d', other.dir, tmp_path / 'certs.yaml'], check=True, capture_output=True, timeout=60)
    theirs = other.files()
    assert set(theirs) - {'certs.state'} == set(folder.files())
    for name in ('server-root-ca', 'server-sub-ca', 'server', 'revoked', 'old'):
        a, b = lines_of(other, name), lines_of(folder, name)
        for line in set(a) ^ set(b):
            assert any(re.fullmatch(pattern, line) for pattern, _ in INTENDED), (name, line)
        assert [n.count(b'BEGIN CERT') for n in (theirs[f'{name}.pem'], folder.read(f'{name}.pem'))] in ([1, 1], [2, 2])
    assert folder.crl('server-root-ca')[1] == other.crl('server-root-ca')[1] == ['10']


def test_what_certyaml_made_is_taken_over_as_it_is_and_its_state_left(folder, certyaml):
    (folder.path / 'certs.yaml').write_text(HIERARCHY, encoding='utf-8')
    subprocess.run([certyaml, '-d', folder.dir, folder.path / 'certs.yaml'], check=True, capture_output=True, timeout=60)
    before = folder.files()
    assert 'Writing' not in folder.good()
    assert folder.files() == before and 'certs.state' in before


# What is made

def test_the_files_have_their_names_modes_and_forms(folder):
    out = folder.good(HIERARCHY)
    assert f'Writing: {folder.dir}/server.pem {folder.dir}/server-key.pem' in out
    assert f'Writing CRL: {folder.dir}/server-root-ca-crl.pem' in out
    names = {'server-root-ca', 'server-sub-ca', 'server', 'revoked', 'old'}
    assert set(folder.files()) == {f'{n}{s}.pem' for n in names for s in ('', '-key')} | {'server-root-ca-crl.pem'}
    for name in os.listdir(folder.dir):
        mode = (folder.dir / name).stat().st_mode & 0o777
        assert mode == (0o600 if name.endswith('-key.pem') else 0o644), name
    assert folder.read('server-key.pem').startswith(b'-----BEGIN PRIVATE KEY-----')
    assert folder.read('server.pem').count(b'BEGIN CERT') == 2
    assert folder.cert('server', '-subject', '-nameopt', 'RFC2253') == 'subject=CN=John Doe,OU=People,O=Company,C=FI\n'
    assert not (folder.dir / 'certs.state').exists()


def test_every_certificate_passes_the_strict_rules_of_openssl(folder):
    folder.good(HIERARCHY)
    assert verifies(folder, 'server', 'server-root-ca') and verifies(folder, 'revoked', 'server-root-ca')
    assert verifies(folder, 'old', 'server-root-ca', '-no_check_time')
    assert not verifies(folder, 'revoked', 'server-root-ca', '-crl_check', '-CRLfile',
                        str(folder.dir / 'server-root-ca-crl.pem'))


@pytest.mark.skipif(not shutil.which('certtool'), reason='certtool is not here')
def test_gnutls_accepts_the_chain(folder):
    folder.good(CHAIN)
    done = subprocess.run(['certtool', '--verify', '--load-ca-certificate', folder.dir / 'root.pem', '--infile',
                           folder.dir / 'leaf.pem'], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and 'Chain verification output: Verified' in done.stdout, done.stdout


@pytest.mark.skipif(not shutil.which('certutil'), reason='certutil is not here')
def test_nss_accepts_the_chain(folder):
    folder.good(CHAIN)
    db = f'sql:{folder.path}'
    run = lambda *args: subprocess.run(['certutil', *args, '-d', db], capture_output=True, text=True, check=False)
    assert run('-N', '--empty-password').returncode == 0
    for name, trust in (('root', 'C,,'), ('sub', ',,'), ('leaf', ',,')):
        assert run('-A', '-n', name, '-t', trust, '-i', str(folder.dir / f'{name}.pem')).returncode == 0
    done = run('-V', '-n', 'leaf', '-u', 'V', '-e')
    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(not shutil.which('go'), reason='go is not here')
def test_go_accepts_the_chain(folder):
    folder.good(CHAIN)
    (folder.path / 'v.go').write_text('''package main
import ("crypto/tls"; "crypto/x509"; "os")
func main() {
	root, _ := os.ReadFile(os.Args[1]); pair, err := tls.LoadX509KeyPair(os.Args[2], os.Args[3])
	if err != nil { panic(err) }
	roots, others := x509.NewCertPool(), x509.NewCertPool()
	roots.AppendCertsFromPEM(root)
	for _, der := range pair.Certificate[1:] { c, _ := x509.ParseCertificate(der); others.AddCert(c) }
	leaf, _ := x509.ParseCertificate(pair.Certificate[0])
	if _, err = leaf.Verify(x509.VerifyOptions{DNSName: "leaf.example", Roots: roots, Intermediates: others}); err != nil { panic(err) }
}
''')
    done = subprocess.run(['go', 'run', folder.path / 'v.go', *(folder.dir / n for n in ('root.pem', 'leaf.pem', 'leaf-key.pem'))],
                          capture_output=True, text=True, check=False, timeout=120,
                          env={**os.environ, 'GOCACHE': str(folder.path / 'cache'), 'GO111MODULE': 'off'})
    assert done.returncode == 0, done.stderr


def test_usages_fit_the_key_and_serials_are_random_and_dates_go_back_a_minute(folder):
    folder.good(CHAIN.replace('cn=leaf', 'cn=leaf\nkey_type: RSA', 1) + '---\nsubject: cn=ec\nissuer: cn=sub\n')
    assert 'Digital Signature, Key Encipherment' in folder.cert('leaf', '-text')
    assert 'Key Encipherment' not in folder.cert('ec', '-text')
    serials = {folder.cert(n, '-serial') for n in ('root', 'sub', 'leaf', 'ec')}
    assert len(serials) == 4 and all(len(s.strip()) == len('serial=') + 32 for s in serials)
    start = datetime.datetime.strptime(folder.cert('ec', '-startdate').strip(), 'notBefore=%b %d %H:%M:%S %Y GMT')
    assert 50 < (datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None) - start).total_seconds() < 180
    for name in ('root', 'sub', 'leaf', 'ec'):
        assert 'Subject Key Identifier' in folder.cert(name, '-text')
        assert ('Authority Key Identifier' in folder.cert(name, '-text')) == (name != 'root')


def test_profiles_path_length_name_constraints_and_must_staple(folder):
    folder.good('defaults: {key_type: RSA, expires: 48h}\n---\n'
                'subject: cn=root\nprofile: ca\npath_length: 0\n'
                'name_constraints: {permitted: [DNS:.example, "IP:10.0.0.0/8"], excluded: [DNS:bad.example]}\n---\n'
                + ''.join(f'subject: cn={n}\nissuer: cn=root\nprofile: {p}\nsans: [DNS:{n}]\nmust_staple: on\n---\n'
                          for n, p in (('a.example', 'server'), ('b.example', 'client'), ('c.test', 'peer'))))
    assert verifies(folder, 'a.example') and not verifies(folder, 'c.test')
    text = folder.cert('root', '-text')
    assert 'CA:TRUE, pathlen:0' in text and 'IP:10.0.0.0/255.0.0.0' in text and 'RSA' in text
    usages = {n: re.search(r'Extended Key Usage: \n\s+(.*)', folder.cert(n, '-text')).group(1)
              for n in ('a.example', 'b.example', 'c.test')}
    assert usages == {'a.example': 'TLS Web Server Authentication', 'b.example': 'TLS Web Client Authentication',
                      'c.test': 'TLS Web Server Authentication, TLS Web Client Authentication'}
    assert 'status_request' in folder.cert('a.example', '-text')


# Kept right

def test_a_second_run_changes_nothing(folder):
    folder.good(HIERARCHY)
    before = folder.files()
    out = folder.good()
    assert folder.files() == before
    assert re.findall(r'^No changes: skipping (\S+)$', out, re.M) == ['server-root-ca', 'server-sub-ca', 'server', 'revoked', 'old']


@pytest.mark.parametrize('change, told', [
    (('DNS:leaf.example', 'DNS:other.example'), '  sans: DNS:leaf.example -> DNS:other.example'),
    (('subject: cn=leaf\n', 'subject: cn=leaf,o=new\nfilename: leaf\n'), '  subject: CN=leaf -> CN=leaf,O=new'),
    (('cn=leaf\n', 'cn=leaf\nexpires: 48h\n'), '  expires: 31536000s -> 172800s'),
    (('cn=leaf\n', 'cn=leaf\nserial: 5\n'), '  serial: another'),
    (('cn=leaf\n', 'cn=leaf\nocsp: [http://o]\n'), '  ocsp: nothing -> OCSP - URI:http://o'),
    (('ServerAuth, ', ''), '  ext_key_usages: TLS Web Server Authentication, TLS Web Client Authentication -> '),
    (('issuer: cn=sub', 'issuer: cn=root'), '  issuer: CN=sub -> CN=root'),
])
def test_a_changed_entry_is_issued_again_with_its_key_and_says_what_changed(folder, change, told):
    folder.good(CHAIN)
    before = folder.files()
    changed = CHAIN.replace(*change)
    out = folder.good(changed, '--dry-run')
    assert told in out and f'Would write: {folder.dir}/leaf.pem\n' in out and folder.files() == before
    assert told in folder.good()
    after = folder.files()
    assert {n for n in after if after[n] != before[n]} == {'leaf.pem'}
    assert verifies(folder) and key_fits(folder, 'leaf')
    assert 'Writing' not in folder.good()


def test_another_kind_of_key_is_made_and_fits(folder):
    folder.good(CHAIN)
    out = folder.good(CHAIN.replace('cn=leaf\n', 'cn=leaf\nkey_type: ED25519\n'))
    assert '  key: EC P-256 -> ED25519 256' in out and key_fits(folder, 'leaf') and verifies(folder)


def test_what_hangs_from_a_ca_made_anew_is_issued_again(folder):
    folder.good(CHAIN)
    os.remove(folder.dir / 'root.pem')
    os.remove(folder.dir / 'root-key.pem')
    before = folder.files()
    out = folder.good()
    assert out.count('issuer: has another key now') == 1 and 'leaf.pem\n  chain: is another now' in out
    assert verifies(folder) and folder.files()['leaf-key.pem'] == before['leaf-key.pem']
    os.remove(folder.dir / 'sub-key.pem')
    folder.good()
    assert verifies(folder) and 'Writing' not in folder.good()


def test_expired_and_soon_expiring_ones_are_renewed_with_their_key(folder):
    short = CHAIN.replace('cn=leaf\n', 'cn=leaf\nexpires: 5h\n')
    folder.good(short)
    before = folder.files()
    assert 'Writing' not in folder.good()
    assert 'Writing' not in folder.good(None, '--renew-before=3h')
    out = folder.good(None, '--renew-before', '6h')
    assert re.search(r'leaf\.pem\n  validity: expires \d{4}-', out)
    assert {n for n, b in folder.files().items() if b != before[n]} == {'leaf.pem'} and verifies(folder)
    late = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
    folder.good(CHAIN.replace('cn=leaf\n', f'cn=leaf\nnot_before: {late:%Y-%m-%dT00:00:00Z}\nexpires: 1h\n'))
    assert not verifies(folder)
    assert 'expired' in folder.good(CHAIN.replace('cn=leaf\n', 'cn=leaf\nexpires: 1h\n')) and verifies(folder)


def test_dates_that_the_manifest_says_are_meant(folder):
    folder.good(HIERARCHY)
    assert 'skipping old' in folder.good(None, '--renew-before=12h')


def test_revoking_works_on_existing_ones_and_numbers_rise(folder):
    folder.good(CHAIN)
    assert not (folder.dir / 'sub-crl.pem').exists()
    serial = folder.cert('leaf', '-serial').strip().split('=')[1]
    out = folder.good(CHAIN + 'revoked: true\n')
    assert f'Writing CRL: {folder.dir}/sub-crl.pem' in out and 'skipping leaf' in out
    first, listed = folder.crl('sub')
    assert listed == [serial] and 'Writing' not in folder.good()
    os.remove(folder.dir / 'sub-crl.pem')
    folder.good()
    again = folder.crl('sub')[0]
    assert again >= first
    folder.good(CHAIN)
    last, listed = folder.crl('sub')
    assert last > again and listed == []


def test_a_list_is_fresh_again_before_it_ends_and_its_number_higher(folder):
    folder.good(CHAIN + 'revoked: true\n')
    number = folder.crl('sub')[0]
    cnf = folder.path / 'ca.cnf'
    (folder.path / 'index.txt').write_text('')
    (folder.path / 'number').write_text(f'{number + 7:X}' if len(f'{number + 7:X}') % 2 == 0 else f'0{number + 7:X}')
    cnf.write_text(f'[ca]\ndefault_ca=d\n[d]\ndatabase={folder.path}/index.txt\ncrlnumber={folder.path}/number\ndefault_md=sha256\n')
    openssl('ca', '-config', cnf, '-gencrl', '-crl_lastupdate', '20200101000000Z', '-crl_nextupdate', '20200108000000Z', '-keyfile',
            folder.dir / 'sub-key.pem', '-cert', folder.dir / 'sub.pem', '-out', folder.dir / 'sub-crl.pem')
    folder.good()
    assert folder.crl('sub')[0] > number and len(folder.crl('sub')[1]) == 1


def test_rekey_makes_new_keys_for_all(folder):
    folder.good(CHAIN)
    before = folder.files()
    folder.good(None, '--rekey')
    assert all(before[n] != b for n, b in folder.files().items())
    assert verifies(folder) and all(key_fits(folder, n) for n in ('root', 'sub', 'leaf'))


def test_a_key_that_is_another_gets_its_certificate(folder):
    folder.good(CHAIN)
    shutil.copy(folder.dir / 'root-key.pem', folder.dir / 'leaf-key.pem')
    assert "key: is not the certificate's" in folder.good()
    assert key_fits(folder, 'leaf') and verifies(folder)


def test_check_answers_by_its_status_and_writes_nothing(folder):
    status, _, _ = folder.run(CHAIN, '--check')
    assert status == 1 and folder.files() == {}
    folder.good()
    assert folder.run(None, '--check')[0] == 0
    assert folder.run(CHAIN + 'must_staple: true\n', '--check')[0] == 1


def test_json_says_what_was_done_and_why(folder):
    rows = [json.loads(line) for line in folder.good(CHAIN, '--json').splitlines()]
    assert [(os.path.basename(r['file']), r['action'], r['new_key']) for r in rows] == [
        (f'{n}.pem', 'new', True) for n in ('root', 'sub', 'leaf')]
    rows = [json.loads(line) for line in folder.good(CHAIN.replace('leaf.example', 'x.example'), '--json').splitlines()]
    assert rows[2]['action'] == 'changed' and rows[2]['new_key'] is False
    assert rows[2]['changes'] == [{'field': 'sans', 'have': 'DNS:leaf.example', 'want': 'DNS:x.example'}]
    assert rows[0]['action'] == 'keep' and rows[2]['not_after'] - rows[2]['not_before'] == 8760 * 3600


# Documents

def test_documents_are_parted_as_yaml_says(folder):
    text = '# only a comment\n---\n# and another\n---\nsubject: cn=a\r\nsans: &names\r\n  - DNS:a\n  - DNS:b\n--- # more\nsubject: cn=b\n...\n---\nsubject: cn=c\n---'
    folder.good(text)
    assert {'a.pem', 'b.pem', 'c.pem'} <= set(folder.files())


def test_a_document_of_any_size_is_read(folder):
    names = '\n'.join(f'  - DNS:n{i:05d}.{"x" * 40}.example' for i in range(2000))
    folder.good(f'subject: cn=big\nsans:\n{names}\n---\nsubject: cn=after\n')
    assert folder.cert('big', '-text').count('DNS:') == 2000 and (folder.dir / 'after.pem').exists()


def test_aliases_merges_and_unset_values(folder):
    folder.good('defaults: &d {key_type: RSA}\n---\nsubject: cn=a\nsans: [DNS:a]\next_key_usages:\nkey_usages: ~\n'
                'crl_distribution_points: &u [http://c]\nocsp: *u\n<<: {expires: 1h}\n')
    assert 'OCSP - URI:http://c' in folder.cert('a', '-text')


# Outputs

@pytest.fixture(name='many')
def _many(folder):
    folder.good(CHAIN.replace('cn=sub\nissuer', 'cn=sub\noutputs: [truststore, hashed]\nissuer')
                + 'outputs: [pkcs12, truststore, combined, kubernetes, hashed]\n')
    return folder


def test_the_outputs_are_there_with_their_modes_and_stay(many):
    made = {n: oct((many.dir / n).stat().st_mode & 0o777) for n in many.files() if n.startswith('leaf')}
    hashed = [n for n in made if '-hashed/' in n]
    assert len(hashed) == 2 and all(made.pop(n) == '0o644' for n in hashed)
    assert made == {'leaf.pem': '0o644', 'leaf-key.pem': '0o600', 'leaf.p12': '0o600', 'leaf-trust.p12': '0o644',
                    'leaf-combined.pem': '0o600', 'leaf-secret.yaml': '0o600'}
    before = many.files()
    assert 'Writing' not in many.good() and many.files() == before
    many.good(None, '--rekey')
    assert all(before[n] != b for n, b in many.files().items())


def test_pkcs12_holds_key_and_chain(many):
    text = openssl('pkcs12', '-in', many.dir / 'leaf.p12', '-passin', 'pass:changeit', '-nodes')
    assert text.count('BEGIN CERT') == 3 and text.count('PRIVATE KEY') == 2


@pytest.mark.skipif(not shutil.which('keytool'), reason='keytool is not here')
def test_keytool_accepts_trust_store_and_key_store(many):
    def listed(name):
        return subprocess.run(['keytool', '-list', '-keystore', many.dir / name, '-storepass', 'changeit', '-J-Duser.language=en'],
                              capture_output=True, text=True, check=True, timeout=60).stdout
    assert listed('sub-trust.p12').count('trustedCertEntry') == listed('leaf-trust.p12').count('trustedCertEntry') == 1
    assert 'PrivateKeyEntry' in listed('leaf.p12')


def test_the_combined_file_and_the_secret_hold_the_pair(many):
    assert many.read('leaf-combined.pem') == many.read('leaf.pem') + many.read('leaf-key.pem')
    text = many.read('leaf-secret.yaml').decode()
    data = dict(re.findall(r'^  (\w+\.\w+): (\S+)$', text, re.M))
    decode = lambda name: subprocess.run(['base64', '-d'], input=data[name].encode(), capture_output=True, check=True).stdout
    assert 'type: kubernetes.io/tls' in text and 'name: leaf' in text
    assert (decode('tls.crt'), decode('tls.key'), decode('ca.crt')) == tuple(
        many.read(n) for n in ('leaf.pem', 'leaf-key.pem', 'root.pem'))


def test_the_hashed_folder_is_one_for_openssl(many):
    done = subprocess.run(['openssl', 'verify', '-CApath', many.dir / 'leaf-hashed', many.dir / 'leaf.pem'],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_request_gets_its_certificate_and_no_key(folder):
    openssl('req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', folder.path / 'k', '-out',
            folder.path / 'r.csr', '-subj', '/CN=asker', '-addext', 'subjectAltName=DNS:asker.example')
    folder.good(CHAIN + '---\nfilename: asked\nissuer: cn=sub\ncsr: r.csr\n')
    assert 'asked-key.pem' not in folder.files() and verifies(folder, 'asked')
    assert 'DNS:asker.example' in folder.cert('asked', '-text') and 'CN = asker' in folder.cert('asked', '-subject')
    assert folder.cert('asked', '-pubkey') == openssl('pkey', '-in', folder.path / 'k', '-pubout')
    assert 'Writing' not in folder.good()


def test_a_ca_key_is_encrypted_when_told_and_works(folder):
    (folder.path / 'secret').write_text('correct horse\n')
    folder.good(CHAIN)
    text = CHAIN.replace('cn=root\n', 'cn=root\nkey_passphrase_file: secret\n', 1)
    before = folder.files()
    assert 'the key is not encrypted' in folder.good(text)
    assert folder.read('root-key.pem').startswith(b'-----BEGIN ENCRYPTED PRIVATE KEY-----')
    assert folder.read('root.pem') == before['root.pem'] and 'Writing' not in folder.good()
    os.remove(folder.dir / 'sub.pem')
    folder.good()
    assert verifies(folder)
    status, _, err = folder.run(CHAIN)
    assert status == 5 and 'root-key.pem: private key: it is encrypted, and the passphrase is not given' in err


# Shortcuts

def test_a_self_signed_certificate_by_its_name(tmp_path):
    status, out, err = oriel.command(tmp_path, 'certs', '-d', tmp_path, 'self-signed', 'www.example')
    assert status == 0, err
    text = openssl('x509', '-in', tmp_path / 'www.example.pem', '-noout', '-text')
    assert 'DNS:www.example' in text and 'TLS Web Server Authentication' in text and 'www.example-key.pem' in out
    assert oriel.command(tmp_path, 'certs', '-d', tmp_path, 'self-signed', '192.0.2.1')[0] == 0
    assert 'IP Address:192.0.2.1' in openssl('x509', '-in', tmp_path / '192.0.2.1.pem', '-noout', '-text')
    status, _, err = oriel.command(tmp_path, 'certs', 'self-signed', '../x')
    assert status == 5 and err.count('\n') == 1


def test_the_lab_is_the_usual_mutual_tls_set(folder):
    status, _, err = oriel.command(folder.path, 'certs', '-d', folder.dir, 'lab')
    assert status == 0, err
    assert set(folder.files()) == {f'{n}{s}.pem' for n in ('root', 'intermediate', 'server', 'client') for s in ('', '-key')}
    assert verifies(folder, 'server', 'root', '-purpose', 'sslserver', '-verify_hostname', 'localhost')
    assert verifies(folder, 'client', 'root', '-purpose', 'sslclient')


# Bad input: one sentence with its place, and nothing is written.

@pytest.mark.parametrize('text, told', [
    ('subject: cn=a\n\tsans: []\n', 'certs.yaml:2:1: a tab'),
    ('subject: cn=a\nsan: []\n', 'certs.yaml:2:1: unknown key "san" (did you mean sans?)'),
    ('subject: cn=a\nissuer: cn=b\n---\nsubject: cn=b\nissuer: cn=a\n', 'certs.yaml:1:1: a cycle of issuers'),
    ('subject: cn=a\nissuer: cn=b\n---\nsubject: cn=b\n', 'certs.yaml:1:1: issuer field defined but CA certificate `cn=b` not found before this one; it stands in line 4'),
    ('subject: cn=a\nissuer: CN=b\n', 'certs.yaml:1:1: issuer field defined but CA certificate `CN=b` not found; expected'),
    ('subject: cn=a\n---\nsubject: CN=a\n', 'certs.yaml:3:1: a second entry for the file a'),
    ('subject: cn=a-key\n---\nsubject: CN=a\n', 'certs.yaml:3:1: a second entry for the file a-key.pem'),
    ('subject: cn=a\nexpires: -1\n', 'certs.yaml:2:10: expires: expected a duration'),
    ('subject: cn=a\nexpires: 1d\n', 'certs.yaml:2:10: expires: expected a duration'),
    ('subject: "cn=a\\0b"\n', 'certs.yaml:1:10: subject: character 5 is a control character'),
    ('subject: cn=a\\00b\n', 'certs.yaml:1:1: subject: "cn=a\\\\00b": a NUL'),
    ('subject: cn=../a\n', 'certs.yaml:1:1: a file "../a" would leave the folder'),
    ('filename: /etc/a\n', 'certs.yaml:1:11: a file "/etc/a" would leave the folder'),
    ('subject: cn=a\nserial: -5\n', 'certs.yaml:2:9: serial: expected a number'),
    ('subject: cn=a\nrevoked: true\n', 'certs.yaml:1:1: cannot revoke self-signed certificate: cn=a'),
    ('subject: cn=a\nsans: [a]\n', 'certs.yaml:2:8: expected a name with DNS:'),
    ('subject: cn=a\nkey_type: ec\n', 'certs.yaml:2:11: key_type contains invalid value: "ec" (did you mean EC?)'),
    ('subject: cn=a\nsubject: cn=b\n', 'certs.yaml:2:1: subject is there twice'),
    ('ca: yes\n', 'certs.yaml:1:1: either subject or filename field must be defined'),
    ('subject: cn=a\nsans: &a [*a]\n', 'certs.yaml:2:11: *a stands within what it stands for'),
    ('- a\n', 'certs.yaml:1:1: expected the keys of a certificate'),
])
def test_a_bad_manifest_is_one_sentence_with_its_place(folder, text, told):
    status, _, err = folder.run(text)
    assert status == 4 and err.count('\n') == 1 and told in err, err
    assert folder.files() == {}


def test_a_key_that_cannot_be_read_is_never_replaced(folder):
    (folder.dir / 'root-key.pem').write_text('nonsense')
    status, _, err = folder.run(CHAIN)
    assert status == 5 and err.endswith('root-key.pem: private key: not a key in PEM\n') and len(folder.files()) == 1


def test_bad_requests_are_refused(folder):
    (folder.path / 'r.csr').write_text('nonsense')
    status, _, err = folder.run(CHAIN + '---\nfilename: x\nissuer: cn=sub\ncsr: r.csr\n')
    assert status == 5 and err == 'oriel: r.csr: CSR: not a certification request in PEM or DER\n' and folder.files() == {}


def test_a_folder_that_is_not_there_is_said(tmp_path):
    (tmp_path / 'certs.yaml').write_text(CHAIN)
    status, _, err = oriel.command(tmp_path, 'certs', '-d', tmp_path / 'no', tmp_path / 'certs.yaml')
    assert status == 1 and 'make the folder first' in err
    status, _, err = oriel.command(tmp_path, 'certs', tmp_path / 'no.yaml')
    assert status == 1 and err.count('\n') == 1


def test_a_disk_that_is_full_leaves_everything_as_it_was(folder):
    folder.good(CHAIN)
    before = folder.files()

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
    done = subprocess.run([oriel.BINARY, 'certs', '-d', folder.dir, '--rekey', folder.path / 'certs.yaml'], capture_output=True,
                          text=True, check=False, preexec_fn=limit, env=oriel.environment(str(folder.path)))
    assert done.returncode == 1 and done.stderr.count('\n') == 1 and folder.files() == before
