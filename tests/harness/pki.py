"""A certificate authority on disk, made with the openssl command: certificates of every kind that a server may
show, good and bad. Keys are made once a type and run, since RSA ones take long."""
import dataclasses
import datetime
import os
import subprocess

KEY_TYPES = {
    'p256': ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'],
    'p384': ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-384'],
    'p521': ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-521'],
    'rsa2048': ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'],
    'rsa2304': ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2304'],
    'rsa3072': ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:3072'],
    'rsa4096': ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:4096'],
    'ed25519': ['-algorithm', 'ED25519'],
}

CA_CONF = """
[ca]
default_ca = this
[this]
new_certs_dir = {dir}
database = {dir}/index.txt
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
copy_extensions = none
email_in_dn = no
[any]
countryName = optional
organizationName = optional
organizationalUnitName = optional
commonName = optional
[ext]
{extensions}
"""

LEAF = {
    'basicConstraints': 'critical,CA:FALSE',
    'keyUsage': 'critical,digitalSignature',
    'extendedKeyUsage': 'serverAuth',
    'subjectKeyIdentifier': 'hash',
    'authorityKeyIdentifier': 'keyid',
}
CA = {
    'basicConstraints': 'critical,CA:TRUE',
    'keyUsage': 'critical,keyCertSign,cRLSign',
    'subjectKeyIdentifier': 'hash',
}


def openssl(*args, text_in=None):
    done = subprocess.run(['openssl', *map(str, args)], input=text_in, capture_output=True, text=True, check=False,
                          timeout=120)
    assert done.returncode == 0, f'openssl {" ".join(map(str, args))}\n{done.stderr}'
    return done.stdout


@dataclasses.dataclass(frozen=True)
class Cert:
    """Files of one certificate. chain holds the certificate and the intermediates a server should send."""
    name: str
    cert: str
    key: str
    chain: str

    def text(self):
        return openssl('x509', '-in', self.cert, '-noout', '-text')

    def field(self, name):
        """One line of `openssl x509 -NAME`, such as subject, issuer, serial, fingerprint."""
        return openssl('x509', '-in', self.cert, '-noout', '-' + name, '-nameopt', 'RFC2253').split('=', 1)[1].strip()

    def der(self):
        return subprocess.run(['openssl', 'x509', '-in', self.cert, '-outform', 'DER'], check=True,
                              capture_output=True).stdout


def _when(days):
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)
    return at.strftime('%Y%m%d%H%M%SZ')


class Pki:
    """root and intermediate sign the good ones; stranger is a root that nobody trusts."""

    def __init__(self, folder):
        self.dir = str(folder)
        os.makedirs(self.dir, exist_ok=True)
        self._keys = {}
        self.root = self.ca('Oriel Test Root')
        self.intermediate = self.ca('Oriel Test Intermediate', issuer=self.root, path_length=0)
        self.stranger = self.ca('Oriel Test Stranger')

    def path(self, name):
        return os.path.join(self.dir, name)

    def key(self, kind, name=None):
        """A key file. Without a name one a type is shared by all who ask."""
        tag = name or 'shared'
        at = self.path(f'{kind}-{tag}.key')
        if at not in self._keys:
            openssl('genpkey', *KEY_TYPES[kind], '-out', at)
            os.chmod(at, 0o600)
            self._keys[at] = True
        return at

    def _sign(self, tag, subject, key, issuer, extensions, days):
        """issuer None signs with the own key."""
        base = self.path(tag)
        os.makedirs(base, exist_ok=True)
        with open(f'{base}/index.txt', 'w', encoding='ascii'):
            pass
        lines = '\n'.join(f'{k} = {v}' for k, v in extensions.items() if v is not None)
        with open(f'{base}/ca.cnf', 'w', encoding='utf-8') as f:
            f.write(CA_CONF.format(dir=base, extensions=lines))
        openssl('req', '-new', '-key', key, '-subj', subject, '-out', f'{base}/req.pem', '-utf8')
        who = ['-selfsign', '-keyfile', key] if issuer is None else ['-cert', issuer.cert, '-keyfile', issuer.key]
        openssl('ca', '-batch', '-notext', '-utf8', '-preserveDN', '-config', f'{base}/ca.cnf', *who, '-in',
                f'{base}/req.pem', '-out', f'{base}.pem', '-extensions', 'ext', '-startdate', _when(days[0]),
                '-enddate', _when(days[1]))
        return f'{base}.pem'

    def ca(self, name, issuer=None, key='p256', path_length=None):
        tag = name.replace(' ', '-').lower()
        extensions = dict(CA)
        if path_length is not None:
            extensions['basicConstraints'] += f',pathlen:{path_length}'
        if issuer:
            extensions['authorityKeyIdentifier'] = 'keyid'
        key_file = self.key(key, tag)
        cert = self._sign(tag, f'/O=Oriel Tests/CN={name}', key_file, issuer, extensions, (-30, 3650))
        return Cert(tag, cert, key_file, cert)

    def server(self, tag, names=('www.oriel.test',), key='p256', issuer='intermediate', days=(-10, 60),
               subject=None, with_intermediate=True, **extensions):
        """A server's certificate. names: DNS names, or IP addresses as 'IP:10.0.0.1'. issuer: 'intermediate',
        'root', 'stranger', None (self-signed) or a Cert. extensions: extendedKeyUsage='clientAuth', or None to
        leave one out."""
        signer = getattr(self, issuer) if isinstance(issuer, str) else issuer
        ext = dict(LEAF, **extensions)
        if key.startswith('rsa') and 'keyUsage' not in extensions:
            ext['keyUsage'] += ',keyEncipherment'
        if names:
            ext['subjectAltName'] = ','.join(n if ':' in n else f'DNS:{n}' for n in names)
        if signer is None:
            ext.pop('authorityKeyIdentifier')
        first = names[0].split(':')[-1] if names else tag
        key_file = self.key(key)
        cert = self._sign(tag, subject or f'/O=Oriel Tests/CN={first[:64]}', key_file, signer, ext, days)
        chain = self.path(f'{tag}-chain.pem')
        with open(chain, 'w', encoding='ascii') as out:
            for path in [cert] + ([signer.cert] if with_intermediate and signer is self.intermediate else []):
                with open(path, encoding='ascii') as f:
                    out.write(f.read())
        return Cert(tag, cert, key_file, chain)

    # The usual suspects, each made on first use.

    def _once(self, tag, **how):
        if tag not in self._keys:
            self._keys[tag] = self.server(tag, **how)
        return self._keys[tag]

    def good(self, key='p256', name='www.oriel.test'):
        return self._once(f'good-{key}-{name}', key=key, names=(name,))

    def expired(self):
        return self._once('expired', days=(-400, -3))

    def not_yet_valid(self):
        return self._once('not-yet-valid', days=(3, 400))

    def wrong_name(self):
        return self._once('wrong-name', names=('other.oriel.test',))

    def self_signed(self):
        return self._once('self-signed', issuer=None)

    def unknown_issuer(self):
        return self._once('unknown-issuer', issuer='stranger')

    def unknown_root(self):
        """The same, with the stranger's root sent along."""
        cert = self._once('unknown-root', issuer='stranger')
        with open(cert.chain, 'w', encoding='ascii') as out:
            for path in (cert.cert, self.stranger.cert):
                with open(path, encoding='ascii') as f:
                    out.write(f.read())
        return cert

    def incomplete(self):
        """Signed by the intermediate, which the server keeps to itself."""
        return self._once('incomplete', with_intermediate=False)

    def several_faults(self):
        """Expired, for another name, and signed by nobody known."""
        return self._once('several-faults', days=(-400, -3), names=('other.oriel.test',), issuer='stranger')

    def wrong_purpose(self):
        return self._once('wrong-purpose', extendedKeyUsage='clientAuth')

    def ca_as_leaf(self):
        return self._once('ca-as-leaf', issuer='root', basicConstraints='critical,CA:TRUE',
                          keyUsage='critical,keyCertSign,digitalSignature')

    def no_names(self):
        return self._once('no-names', names=(), subject='/CN=www.oriel.test')

    def huge(self, bytes_wanted=100 * 1024):
        """A certificate of about so many bytes, all of it subject alternative names."""
        count = bytes_wanted // 60
        names = ['www.oriel.test'] + [f'n{i:05d}.{"x" * 40}.oriel.test' for i in range(count)]
        return self._once(f'huge-{bytes_wanted}', names=tuple(names))
