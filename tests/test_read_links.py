"""oriel read on captures of every kind of link and tunnel."""
import shutil

import pytest

from harness import links, reading, vary, wrap
from harness.capture import tshark
from harness.peers import pattern
from harness.reading import read, said

STEPS = [('client', b'hello, server\n'), ('server', pattern(300000, 1)), ('client', pattern(100000, 2)), ('server', b'bye\n')]
# tshark takes the first for what it is only when told, and of the second it reads no length.
NOT_FOR_TSHARK = {'QinQ as of old', 'ERSPAN I', 'SNAP'}


def assert_read(path, talk, client=None, server=None):
    assert said(path, 'client', keylog=talk.keylog) == talk.client
    assert said(path, 'server', keylog=talk.keylog) == talk.server
    [c] = read(path, '--json', keylog=talk.keylog).ok().connections()
    assert c['decrypted'] is True
    for key, want in (('client', client), ('server', server)):
        assert want is None or want in str(c[key]), c[key]


@pytest.mark.parametrize('name', links.KINDS)
def test_a_conversation_over_a_real_link(certs, tmp_path, name):
    why = links.possible()
    if why:
        pytest.skip(why)
    try:
        with links.Cable(links.KINDS[name]) as cable:
            talk = links.talk(tmp_path, certs, cable, STEPS)
            ends = cable.address('client'), cable.address('server')
    except links.Cable.Missing as e:
        pytest.skip(f'the kernel has no {name}: {e}')
    assert_read(talk.capture, talk, *ends)


@pytest.mark.parametrize('name, shown', [
    ('ethernet, super-segments of BIG TCP', 'frame.len > 65600'),
    ('ethernet', 'tcp.len > 1500'),
    ('VXLAN in IPv4 fragments', 'ip.flags.mf == 1'),
])
def test_what_a_real_link_does_to_much_at_once(certs, tmp_path, name, shown):
    """That the captures above are what their names say."""
    why = links.possible() or (None if shutil.which('tshark') else 'needs tshark')
    if why:
        pytest.skip(why)
    with links.Cable(links.KINDS[name]) as cable:
        talk = links.talk(tmp_path, certs, cable, [('client', b'go'), ('server', pattern(4000000, 3))])
    if not tshark(talk.capture, shown, 'frame.len'):
        pytest.skip(f'the kernel made no packet with {shown}')
    assert_read(talk.capture, talk)


@pytest.fixture(scope='module')
def loopback(certs, tmp_path_factory):
    why = reading.possible()
    if why:
        pytest.skip(why)
    talk = reading.talk(tmp_path_factory.mktemp('talk'), certs, STEPS)
    return talk, vary.segmented(vary.load(talk.capture), 1400)


@pytest.mark.parametrize('name', wrap.WRAPPERS)
def test_a_conversation_in_a_wrapping(loopback, tmp_path, name):
    talk, packets = loopback
    path = wrap.save(tmp_path / 'wrapped.pcap', packets, name)
    if shutil.which('tshark') and name not in NOT_FOR_TSHARK:
        # Another reader sees the same segments in it: the wrapping is right.
        want = sum(1 for p in packets if p.payload)
        assert len(tshark(path, f'tcp.port == {talk.port} && tcp.len > 0', 'tcp.len')) == want
    assert_read(path, talk)
