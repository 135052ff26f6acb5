"""NIST's Public Key Interoperability Test Suite (PKITS 1.0.1) through `oriel certs verify`. Each message of the suite
carries one path and its CRLs; what is to come of it says NIST's document: the name of most tests has it, and where
the initial policies matter the table below. `oriel` leaves the verdict to libcrypto; where that differs from NIST's, the
reason stands in DIFFERENCES."""
import base64
import functools
import glob
import json
import os
import re

import pytest

from harness import oriel

DATA = '/usr/lib/python3/dist-packages/cryptography_vectors/x509/PKITS_data'
AT = '2020-06-01'  # NIST's certificates are valid from 2010 to 2030

pytestmark = pytest.mark.skipif(not os.path.isdir(DATA), reason='no python3-cryptography-vectors')

EXPLICIT, NO_MAPPING, NO_ANY = '--require-policy', '--inhibit-mapping', '--inhibit-any-policy'
NIST = {n: f'2.16.840.1.101.3.2.1.48.{n}' for n in range(1, 7)}


def policy(*numbers):
    return [word for n in numbers for word in ('--policy', NIST[n])]


# Test, its subtests: (options, does it validate).
SUBTESTS = {
    'AllCertificatesSamePolicyTest1': [([EXPLICIT], True), ([*policy(1), EXPLICIT], True), ([*policy(2), EXPLICIT], False),
                                       ([*policy(1, 2), EXPLICIT], True)],
    'AllCertificatesNoPoliciesTest2': [([], True), ([EXPLICIT], False)],
    'DifferentPoliciesTest3': [([], True), ([EXPLICIT], False), ([*policy(1, 2), EXPLICIT], False)],
    'DifferentPoliciesTest4': [([], False)],
    'DifferentPoliciesTest5': [([], False)],
    'OverlappingPoliciesTest6': [([], True), (policy(1), True), (policy(2), False)],
    'DifferentPoliciesTest7': [([], False)],
    'DifferentPoliciesTest8': [([], False)],
    'DifferentPoliciesTest9': [([], False)],
    'AllCertificatesSamePoliciesTest10': [([], True), (policy(1), True), (policy(2), True)],
    'AllCertificatesAnyPolicyTest11': [([], True), (policy(1), True)],
    'DifferentPoliciesTest12': [([], False)],
    'AllCertificatesSamePoliciesTest13': [(policy(1), True), (policy(2), True), (policy(3), True)],
    'AnyPolicyTest14': [(policy(1), True), (policy(2), False)],
    'UserNoticeQualifierTest15': [([], True)],
    'UserNoticeQualifierTest16': [([], True)],
    'UserNoticeQualifierTest17': [([], True)],
    'UserNoticeQualifierTest18': [(policy(1), True), (policy(2), True)],
    'UserNoticeQualifierTest19': [([], True)],
    'CPSPointerQualifierTest20': [([EXPLICIT], True)],
    'ValidPolicyMappingTest1': [(policy(1), True), (policy(2), False), ([*policy(1), NO_MAPPING], False)],
    'InvalidPolicyMappingTest2': [([], False), ([NO_MAPPING], False)],
    'ValidPolicyMappingTest3': [(policy(1), False), (policy(2), True)],
    'ValidPolicyMappingTest5': [(policy(1), True), (policy(6), False)],
    'ValidPolicyMappingTest6': [(policy(1), True), (policy(6), False)],
    'ValidPolicyMappingTest12': [(policy(1), True), (policy(2), True)],
    'inhibitAnyPolicyTest3': [([], True), ([NO_ANY], False)],
    'MissingCRLTest1': [([], False)],
}

# Where libcrypto decides otherwise, and why.
DIFFERENCES = {
    'ValidDSAParameterInheritanceTest5': 'libcrypto 3 reads no DSA key without parameters; NIST does not ask this of everybody',
    'ValidcRLIssuerTest30': 'the CRL covers the certificate of its own issuer; libcrypto ends the circle by a failure, as NIST allows',
}
# What our reader refuses before anything is verified: a malformed BIT STRING of a signature.
UNREADABLE = {'InvalidDSASignatureTest6'}


def messages():
    return sorted(os.path.basename(p)[len('Signed'):-len('.eml')] for p in glob.glob(DATA + '/smime/*.eml'))


def cases():
    for name in messages():
        if name in UNREADABLE:
            continue
        known = SUBTESTS.get(name) or [([], not name.startswith('Invalid'))]
        if name not in SUBTESTS:
            assert re.match('(Inv|V)alid', name), name
        for number, (options, good) in enumerate(known, 1):
            yield pytest.param(name, options, good, id=f'{name}.{number}' if len(known) > 1 else name)


@functools.cache
def leaves():
    found = []
    for path in sorted(glob.glob(DATA + '/certs/*EE.crt')):
        with open(path, 'rb') as f:
            found.append((path, f.read()))
    return found


def unpack(name, folder):
    """Writes the message's signature, which is PKCS#7 with the path and its CRLs; (that file, the leaf's)."""
    with open(f'{DATA}/smime/Signed{name}.eml', encoding='ascii') as f:
        text = f.read()
    part = text[text.index('smime.p7s"\n\n') if 'smime.p7s"\n\n' in text else text.rindex('filename="smime.p7s"'):]
    body = part.split('\n\n', 1)[1].split('\n--', 1)[0]
    der = base64.b64decode(body)
    at = folder / 'path.p7b'
    at.write_bytes(der)
    there = [path for path, cert in leaves() if cert in der]
    assert len(there) == 1, there
    return at, there[0]


def verify(folder, leaf, bundle, *options):
    status, out, err = oriel.command(folder, 'certs', 'verify', leaf, '--ca', DATA + '/certs/TrustAnchorRootCertificate.crt', '--untrusted', bundle,
                                     '--crl', bundle, '--at', AT, '--allow-weak', '--json', *options)
    assert err == '', err
    return status, json.loads(out)


@pytest.mark.parametrize('name', sorted(UNREADABLE))
def test_what_is_malformed_is_refused_in_one_sentence(name, tmp_path):
    bundle, leaf = unpack(name, tmp_path)
    status, out, err = oriel.command(tmp_path, 'certs', 'verify', leaf, '--untrusted', bundle)
    assert status == 5 and out == '' and err.count('\n') == 1 and leaf in err


@pytest.mark.parametrize('name, options, good', cases() if os.path.isdir(DATA) else [])
def test_pkits(name, options, good, tmp_path):
    bundle, leaf = unpack(name, tmp_path)
    # NIST's default settings ask for any policy; the policy machinery is at work all the same.
    always = [] if '--policy' in options else ['--policy', '2.5.29.32.0']
    status, report = verify(tmp_path, leaf, bundle, *options, *always)
    expected = good if name not in DIFFERENCES else not good
    assert status == (0 if expected else 1), report
    assert report['ok'] == expected
    chosen = [p for p in report['paths'] if p['chosen']]
    if expected:
        assert len(chosen) == 1 and chosen[0]['holds'], report
    for path in chosen:
        assert path['holds'] == expected, report
        assert all(f['sentence'] and f['word'] for f in path['faults'])


def test_every_test_of_the_suite_is_there():
    assert len(messages()) == 224
    assert set(SUBTESTS) <= set(messages())
