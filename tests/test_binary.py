"""The executable as it is shipped: hardened as the build says."""
import re
import subprocess

import pytest

from harness import oriel

pytestmark = pytest.mark.release


def readelf(*options):
    return subprocess.run(['readelf', '-W', *options, oriel.BINARY], capture_output=True, text=True, check=True).stdout


def test_it_is_position_independent():
    assert re.search(r'Type:\s+DYN', readelf('-h'))
    assert re.search(r'FLAGS_1.*\bPIE\b', readelf('-d'))


def test_relocations_are_read_only_and_bound_at_start():
    assert 'GNU_RELRO' in readelf('-l')
    assert re.search(r'FLAGS_1.*\bNOW\b', readelf('-d'))
    assert 'TEXTREL' not in readelf('-d')


def test_no_memory_is_both_writable_and_executable():
    segments = re.findall(r'^\s+(GNU_STACK|LOAD)\s.*?((?:R|W|E| ){3})\s+0x[0-9a-f]+$', readelf('-l'), re.M)
    assert {name for name, _ in segments} == {'GNU_STACK', 'LOAD'}
    assert not [s for s in segments if 'W' in s[1] and 'E' in s[1]]


def test_the_stack_is_protected_and_calls_are_fortified():
    symbols = readelf('--dyn-syms')
    assert '__stack_chk_fail' in symbols
    assert re.search(r'__\w+_chk@', symbols.replace('__stack_chk_fail', ''))


def test_it_looks_for_libraries_only_where_the_system_does():
    dynamic = readelf('-d')
    assert 'RPATH' not in dynamic and 'RUNPATH' not in dynamic


def test_it_is_linked_against_the_systems_libraries():
    needed = set(re.findall(r'NEEDED.*\[(.*?)\]', readelf('-d')))
    assert any(n.startswith('libssl.so') for n in needed) and any(n.startswith('libcrypto.so') for n in needed)
