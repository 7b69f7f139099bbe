"""Variables of the kernel are read by name, those of each CPU with their types, and addresses are numbers."""

import subprocess
from types import SimpleNamespace

import pytest

import skep
from skep.btf.types import Kind
from skep.kernel.probes import probe
from skep.kernel.vmlinux import module
from tests.kernel.lang.kernel_variables import programs
from tests.kernel.lang.kernel_variables.programs import numbers

PACKET = bytes(64)


def address_of(name: str) -> int:
    """What kallsyms says."""
    with open("/proc/kallsyms", encoding="ascii") as file:
        found = (line.split() for line in file)
        return next(int(fields[0], 16) for fields in found if fields[2] == name)


@pytest.mark.requires("helper.this_cpu_ptr")
def test_a_variable_of_each_cpu_is_read() -> None:
    done = skep.run(programs.of_each_cpu, PACKET)
    assert done.verdict == 2
    found = done.maps[numbers]
    assert (found[0], found[2], found[3]) == (found[1], 1, 1)


@pytest.mark.requires("helper.this_cpu_ptr")
def test_a_number_of_each_cpu_is_read() -> None:
    with skep.load(programs.a_number_of_each_cpu) as live:
        subprocess.run(["true"], check=True)
        assert 100 <= live[numbers][4] < 200


@pytest.mark.requires("helper.this_cpu_ptr")
def test_a_variable_of_a_module_is_read_where_the_module_has_it() -> None:
    base = skep.Machine().btf
    assert base is not None
    types = module("nf_tables", base)
    there = types.find_own(Kind.VAR, "nft_pcpu_tun_ctx") if types is not None else None
    assert skep.run(programs.of_a_module, PACKET).verdict == (3 if there is None else 2)


def test_where_the_kernel_lists_no_variables_that_is_said() -> None:
    if probe("helper.this_cpu_ptr", skep.Machine().btf).on:
        skep.load(programs.of_each_cpu, attach=False).close()
        return
    with pytest.raises(skep.VerifierError, match="this kernel lists no addresses of variables"):
        skep.load(programs.of_each_cpu, attach=False)


def test_an_address_is_a_number_that_the_loader_finds() -> None:
    done = skep.run(programs.addresses, PACKET)
    assert done.verdict == 2
    there = address_of("tcp_v4_rcv")
    assert (done.maps[numbers][5], done.maps[numbers][6]) == (there, there + 16)
    assert done.maps[numbers][7] == 0


@pytest.mark.requires("helper.this_cpu_ptr")
def test_an_address_is_seen_as_a_struct() -> None:
    assert skep.run(programs.of_an_address, PACKET).verdict == 2


def test_an_address_that_is_not_tested_must_be_there() -> None:
    with pytest.raises(skep.Unsupported, match="the address of no_such_address"):
        skep.load(programs.nowhere, attach=False)


def test_the_same_as_plain_python() -> None:
    queues = [SimpleNamespace(cpu=0), SimpleNamespace(cpu=1)]
    symbols = {
        "runqueues": queues,
        "bpf_prog_active": [skep.u32(0), skep.u32(3)],
        "tcp_v4_rcv": 0x1000,
        "init_task": 0x2000,
        "no_such_address": None,
        "no_such_variable": None,
    }
    first = SimpleNamespace(pid=0, comm="swapper/0")
    kernel = skep.FakeKernel(symbols=symbols, objects={0x2000: first}, cpu=1)
    assert programs.of_each_cpu.py(PACKET, kernel=kernel) == 2
    programs.a_number_of_each_cpu.py(None, 0, None, kernel=kernel)
    assert programs.addresses.py(PACKET, kernel=kernel) == 2
    assert dict(kernel[numbers]) == {0: 1, 1: 1, 2: 1, 3: 1, 4: 103, 5: 0x1000, 6: 0x1010, 7: 0}


def test_plain_python_says_what_it_is_not_told() -> None:
    with pytest.raises(TypeError, match=r"no tcp_v4_rcv; give it: FakeKernel\(symbols="):
        programs.addresses.py(PACKET)
