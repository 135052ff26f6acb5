"""`oriel trust`: system, NSS and Java stores. Never those of this machine: a system below a folder, a HOME and a key store
of the test's own; and as root the real paths inside a mount namespace."""
import os
import re
import shutil
import subprocess

import pytest

from harness import oriel, programs
from harness.client import clean_environment, curl


class Stores:
    """A system, a home with two Firefox profiles, and a Java key store."""

    def __init__(self, one, folder):
        self.one, self.system, self.jks = one, folder / 'system', folder / 'cacerts'
        self.nickname = 'oriel-bump-' + self.sha256()[:8]
        for path in ('usr/local/share/ca-certificates', 'usr/share/ca-certificates', 'etc/ssl/certs', 'etc/ca-certificates/update.d'):
            (self.system / path).mkdir(parents=True)
        (self.system / 'etc/ca-certificates.conf').write_text('shipped.crt\n')
        self.options = ['--system-root', self.system, '--java-keystore', self.jks]
        self.home = os.path.join(one.dir, 'home')
        self.profiles = [os.path.join(self.home, path) for path in ('.mozilla/firefox/a.default', 'snap/firefox/common/.mozilla/firefox/b.default')]

    def need(self):
        for program in ('certutil', 'keytool', 'update-ca-certificates'):
            if not shutil.which(program) and not os.path.exists(f'/usr/sbin/{program}'):
                pytest.skip(f'needs {program}')
        hook = self.system / 'etc/ca-certificates/update.d/hook'
        hook.write_text(f'#!/bin/sh\ncat >>{self.one.dir}/hook.log\n')
        hook.chmod(0o755)
        other = os.path.join(self.one.dir, 'other.pem')
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=Other', '-keyout', '/dev/null', '-out',
                        other], check=True, capture_output=True)
        shutil.copy(other, self.system / 'usr/share/ca-certificates/shipped.crt')
        subprocess.run(['/usr/sbin/update-ca-certificates', *(w for pair in (
            ('--certsconf', 'etc/ca-certificates.conf'), ('--certsdir', 'usr/share/ca-certificates'), ('--localcertsdir', 'usr/local/share/ca-certificates'),
            ('--etccertsdir', 'etc/ssl/certs'), ('--hooksdir', 'nohooks')) for w in (pair[0], self.system / pair[1]))], check=True, capture_output=True, timeout=60)
        subprocess.run(['keytool', '-importcert', '-noprompt', '-alias', 'other', '-file', other, '-keystore', self.jks, '-storepass', 'changeit'], check=True,
                       capture_output=True, timeout=60)
        for profile in self.profiles:
            os.makedirs(profile)
            subprocess.run(['certutil', '-N', '-d', 'sql:' + profile, '--empty-password'], check=True)
            subprocess.run(['certutil', '-A', '-d', 'sql:' + profile, '-n', 'other', '-t', 'C,,', '-i', other], check=True)
        return self

    def sha256(self):
        der = subprocess.run(['openssl', 'x509', '-in', self.one.root, '-outform', 'DER'], capture_output=True, check=True).stdout
        return __import__('hashlib').sha256(der).hexdigest()

    def pem(self):
        return programs.first_pem(open(self.one.root, encoding='ascii').read())

    def trust(self, *words, **how):
        return oriel.command(self.one.dir, 'trust', *words, *self.options, timeout=60, **how)

    def status(self):
        code, out, err = self.trust('status')
        assert (code, err) == (0, '')
        rows = out.splitlines()
        assert rows[0].startswith('root    ')
        return [tuple(re.split(r'  +', row, maxsplit=2)) for row in rows[1:]]

    def content(self):
        """What the stores hold, by their own programs."""
        bundle = self.system / 'etc/ssl/certs/ca-certificates.crt'
        listed = {'system': bundle.read_text() if bundle.exists() else '', 'java': subprocess.run(
            ['keytool', '-list', '-keystore', self.jks, '-storepass', 'changeit'], capture_output=True, text=True, check=True, timeout=60).stdout}
        for database in [os.path.join(self.home, '.pki/nssdb'), *self.profiles]:
            if os.path.exists(database):
                listed[database] = subprocess.run(['certutil', '-L', '-d', 'sql:' + database], capture_output=True, text=True, check=True).stdout
        listed['files'] = sorted(str(p) for p in self.system.rglob('*') if not p.is_dir() and p != bundle)
        return listed


@pytest.fixture
def stores(run_oriel, tmp_path):
    return Stores(run_oriel(), tmp_path).need()


@pytest.mark.sanitized
def test_installed_then_removed_the_stores_are_as_before(stores):
    before = stores.content()
    assert {row[1] for row in stores.status()} == {'not trusted'}

    code, out, err = stores.trust('install')
    assert (code, err) == (0, '')
    assert {row[1] for row in stores.status()} == {'trusted'}
    during = stores.content()
    assert stores.pem() in during['system']
    assert stores.nickname in during['java'] and 'other' in during['java']
    for database in [os.path.join(stores.home, '.pki/nssdb'), *stores.profiles]:
        assert re.search(rf'^{stores.nickname} +C,,', during[database], re.M)

    code, removed, err = stores.trust('remove')
    assert (code, err) == (0, '')
    assert {row[1] for row in stores.status()} == {'not trusted'}
    assert stores.content() == before
    assert not os.path.exists(os.path.join(stores.home, '.pki'))
    # Hooks, such as the one that keeps Java's store, heard of both.
    made = stores.system / 'etc/ssl/certs'
    assert open(os.path.join(stores.one.dir, 'hook.log'), encoding='ascii').read() == f'+{made}/{stores.nickname}.pem\n-{made}/{stores.nickname}.pem\n'
    # Everything was said before it was done.
    for text, verb in ((out, 'add'), (removed, 'remove')):
        assert f'system: run update-ca-certificates for the system below {stores.system}\n' in text
        assert re.search(rf'^nss: {verb} {stores.nickname} (to|from) {stores.home}/\.pki/nssdb$', text, re.M)
        assert re.search(rf'^java: {verb} {stores.nickname} (to|from) {stores.jks}$', text, re.M)
    assert f'system: write {stores.system}/usr/local/share/ca-certificates/{stores.nickname}.crt\n' in out
    assert f'nss: make the database {stores.home}/.pki/nssdb\n' in out and f'nss: remove the database {stores.home}/.pki/nssdb\n' in removed


def test_a_change_is_printed_before_it_is_made(stores, tmp_path):
    """update-ca-certificates is reached with the sentence about it already on standard output."""
    said = tmp_path / 'said'
    (tmp_path / 'bin').mkdir()
    (tmp_path / 'bin' / 'update-ca-certificates').write_text(f'#!/bin/sh\ncp {said} {said}.then\nexec /usr/sbin/update-ca-certificates "$@"\n')
    (tmp_path / 'bin' / 'update-ca-certificates').chmod(0o755)
    with open(said, 'wb') as out:
        subprocess.run([oriel.BINARY, 'trust', 'install', '--store', 'system', '--system-root', str(stores.system)], stdout=out, check=True, timeout=60,
                       env=dict(stores.one.env, PATH=f'{tmp_path}/bin:{os.environ["PATH"]}'))
    assert 'system: write ' in open(f'{said}.then', encoding='ascii').read()
    assert 'system: run update-ca-certificates' in open(f'{said}.then', encoding='ascii').read()


@pytest.mark.sanitized
def test_dry_run_prints_the_same_and_changes_nothing(stores):
    before = stores.content()
    _, would, _ = stores.trust('install', '--dry-run')
    assert stores.content() == before and not os.path.exists(os.path.join(stores.home, '.pki'))
    _, did, _ = stores.trust('install')
    assert would.replace(': would ', ': ') == did
    _, would, _ = stores.trust('remove', '-n')
    assert {row[1] for row in stores.status()} == {'trusted'}
    _, did, _ = stores.trust('remove')
    assert would.replace(': would ', ': ') == did


def test_twice_is_once(stores):
    stores.trust('install')
    code, out, _ = stores.trust('install')
    assert code == 0 and all('trusted already' in line for line in out.splitlines()) and out
    stores.trust('remove')
    code, out, _ = stores.trust('remove')
    assert code == 0 and all('not trusted already' in line for line in out.splitlines()) and out


def test_a_database_that_was_there_or_is_used_stays(stores):
    """Whoever made it: what others have put in is theirs."""
    home = os.path.join(stores.home, '.pki/nssdb')
    assert stores.trust('install', '--store', 'nss')[0] == 0
    subprocess.run(['certutil', '-A', '-d', 'sql:' + home, '-n', 'mine', '-t', 'C,,', '-i', os.path.join(stores.one.dir, 'other.pem')], check=True)
    assert stores.trust('remove', '--store', 'nss')[0] == 0
    left = subprocess.run(['certutil', '-L', '-d', 'sql:' + home], capture_output=True, text=True, check=True).stdout
    assert 'mine' in left and 'oriel' not in left


def test_only_the_stores_that_are_named_are_touched(stores):
    assert stores.trust('install', '--store', 'nss,java')[0] == 0
    assert {row[0]: row[1] for row in stores.status()} == {'system': 'not trusted', 'nss': 'trusted', 'java': 'trusted'}


def test_another_root_in_the_same_place_is_not_taken_for_ours(stores, certs):
    """By the certificate, not by the name."""
    subprocess.run(['keytool', '-importcert', '-noprompt', '-alias', stores.nickname, '-file', certs.root.cert, '-keystore', stores.jks, '-storepass', 'changeit'], check=True,
                   capture_output=True, timeout=60)
    assert ('java', 'not trusted', str(stores.jks)) in stores.status()


@pytest.mark.sanitized
def test_a_root_may_be_named_without_an_oriel_that_runs(tmp_path, certs):
    if not shutil.which('certutil'):
        pytest.skip('needs certutil')
    code, out, err = oriel.command(tmp_path, 'trust', 'install', '--store', 'nss', '--ca', certs.root.cert)
    assert (code, err) == (0, '') and 'nss: add oriel-bump-' in out
    assert oriel.command(tmp_path, 'trust', 'remove', '--store', 'nss', '--ca', certs.root.cert)[0] == 0


@pytest.mark.sanitized
def test_what_cannot_be_used_is_one_sentence(tmp_path, certs):
    leaf, junk = certs.good().cert, tmp_path / 'junk'
    junk.write_bytes(os.urandom(1000))
    for words, status, word in (
            (['status', '--ca', leaf], 5, 'the certificate of no authority'), (['status', '--ca', junk], 5, 'no certificate in it'),
            (['status', '--ca', tmp_path / 'missing'], 1, 'missing'), (['status', '--ca', tmp_path], 1, str(tmp_path)),
            (['status', '--ca', certs.root.cert, '--store', 'java', '--java-keystore', tmp_path / 'none'], 1, 'none'),
            (['install', '--ca', certs.root.cert, '--store', 'java', '--java-keystore', junk], 1, 'keytool'),
            (['install', '--ca', certs.root.cert, '--store', 'system', '--system-root', tmp_path / 'nowhere'], 1, 'nowhere')):
        code, _, err = oriel.command(tmp_path, 'trust', *words, timeout=60)
        assert code == status and re.fullmatch(r'oriel: [^\n]+\n', err) and word in err, (words, code, err)


def test_one_store_that_fails_keeps_nobody_from_the_others(stores):
    stores.jks.write_bytes(b'broken')
    code, out, err = stores.trust('install')
    assert code == 1 and err.startswith('oriel: java: keytool ended with status 1')
    assert {row[0]: row[1] for row in stores.status()} == {'system': 'trusted', 'nss': 'trusted', 'java': 'not trusted'}
    assert f'java: add {stores.nickname}' in out


def test_without_the_rights_the_sentence_names_sudo(run_oriel, tmp_path):
    if os.geteuid() == 0:
        pytest.skip('needs an ordinary user')
    one = run_oriel()
    code, _, err = oriel.command(one.dir, 'trust', 'install', '--store', 'system')
    assert code == 1 and 'sudo oriel trust install --store system --ca' in err


def test_the_real_system_store_inside_a_mount_namespace(run_oriel, https, certs, tmp_path, as_root, namespaces_work):
    """What it does to Debian's own files, seen by a curl that knows of no proxy's root."""
    one = run_oriel({'listeners': [{'bind': '127.0.0.1:PORT', 'default': 'bump'}], 'hosts': {'www.oriel.test': '127.0.0.1'}})
    if not os.path.exists('/usr/sbin/update-ca-certificates'):
        pytest.skip('needs update-ca-certificates')
    subprocess.run(['cp', '-a', '/etc/ssl', tmp_path / 'ssl'], check=True)
    subprocess.run(['cp', '-a', '/usr/local/share/ca-certificates', tmp_path / 'local'], check=True)
    local = os.listdir(tmp_path / 'local')
    (tmp_path / 'hooks').mkdir()
    fetch = f'curl -sS -o /dev/null -x {one.proxy_url} https://www.oriel.test:{https.port}/real'
    script = (f'set -e; mount --make-rprivate /; mount --bind {tmp_path}/ssl /etc/ssl; mount --bind {tmp_path}/local /usr/local/share/ca-certificates; '
              f'mount --bind {tmp_path}/hooks /etc/ca-certificates/update.d; update-ca-certificates >/dev/null 2>&1; find /etc/ssl | sort >{tmp_path}/before; '
              f'if {fetch}; then exit 90; fi; "$0" trust install --store system; {fetch}; '
              f'"$0" trust remove --store system; if {fetch}; then exit 91; fi; find /etc/ssl | sort >{tmp_path}/after')
    real = os.stat('/etc/ssl/certs/ca-certificates.crt').st_mtime_ns
    # In a shell without the variables, but the runtime folder of the one that runs.
    done = subprocess.run(['unshare', '-m', 'sh', '-c', script, oriel.BINARY], capture_output=True, text=True, check=False, timeout=110,
                          env=clean_environment(XDG_RUNTIME_DIR=one.env['XDG_RUNTIME_DIR'], HOME=one.env['HOME']))
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'system: run update-ca-certificates\n' in done.stdout
    assert (tmp_path / 'before').read_text() == (tmp_path / 'after').read_text()
    assert os.stat('/etc/ssl/certs/ca-certificates.crt').st_mtime_ns == real
    assert os.listdir(tmp_path / 'local') == local
    assert one.events(type='exchange', http__status=200)
