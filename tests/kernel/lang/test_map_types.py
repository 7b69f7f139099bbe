"""Every type of map in a program: as plain Python and in the kernel, with the same outcome."""

import ipaddress
from collections.abc import Mapping
from copy import copy
from typing import Any

import pytest

import skep
from skep.base.errors import BadInput, KernelError
from skep.kernel import cpus
from skep.lang.programs import Program
from tests.kernel.lang import map_programs as p
from tests.kernel.lang.map_programs import Inner, Job, Settings, State

PACKET = bytes(20)
NETWORKS = {ipaddress.ip_network("10.0.0.0/8"): 1, ipaddress.ip_network("10.1.0.0/16"): 2}
PREFIXES = {skep.Prefix4(8, 0x0A000000): 1, skep.Prefix4(16, 0x0A010000): 2}


def plain(program: Program, maps: Mapping[Any, Any]) -> int:
    kernel = skep.FakeKernel()
    for declared, content in maps.items():
        for key, value in content.items():
            kernel[declared][key] = value
    return program.py(PACKET, kernel=kernel)


@pytest.mark.parametrize("program", [p.queues, p.stacks, p.blooms], ids=lambda one: one.name)
def test_maps_without_keys(program: Program) -> None:
    assert plain(program, {}) == p.PASS
    assert skep.run(program, PACKET).verdict == p.PASS


@pytest.mark.parametrize("length", [20, 490, 600])
@pytest.mark.parametrize(
    "program", [p.walks_with_memory, p.sums_with_memory], ids=lambda one: one.name
)
def test_a_function_of_entries_keeps_what_it_finds_in_memory(program: Program, length: int) -> None:
    kernel = skep.FakeKernel()
    packet = bytes(length)
    found = skep.run(program, packet).verdict
    assert found == program.py(packet, kernel=kernel)
    wanted = {
        p.walks_with_memory: max(key * 7 % 61 for key in range(length)) * 1_000_000
        + min(length + 1, 501) * 1000
        + min(length, 500),
        p.sums_with_memory: (1 << 20) - sum(range(length)),
    }
    assert found == wanted[program]


def test_what_queues_hold_is_seen_and_given() -> None:
    done = skep.run(p.queues, PACKET)
    assert done.maps == {p.todo: [Job(3, 7)]}
    assert skep.run(p.stacks, PACKET, maps={p.last: []}).maps == {p.last: [6, 5]}
    assert skep.run(p.queues, PACKET, maps={p.todo: [Job(1, 1)]}).verdict == 10
    assert skep.run(p.blooms, PACKET, maps={p.known: [20]}).verdict == 10


def test_a_queue_is_used_from_python() -> None:
    with skep.load(p.queues, p.blooms, attach=False) as live:
        live[p.todo].push(Job(7, 8))
        assert live[p.todo].peek() == live[p.todo].pop() == Job(7, 8)
        with pytest.raises(IndexError, match="empty queue"):
            live[p.todo].pop()
        live[p.todo].push(Job(1))
        live[p.todo].push(Job(2))
        with pytest.raises(KernelError, match="the map is full: it is declared for 2"):
            live[p.todo].push(Job(3))
        live[p.todo].push(Job(3), drop_oldest=True)
        assert list(live[p.todo]) == [Job(2), Job(3)]
        live[p.known].add(77)
        assert (77 in live[p.known], 78 in live[p.known]) == (True, False)


CHAIN = {1: p.goes_on, 2: p.ends}


def test_a_tail_call_goes_on_in_another_program() -> None:
    kernel = skep.FakeKernel()
    kernel[p.steps].update(CHAIN)
    assert p.begins.py(PACKET, kernel=kernel) == p.PASS
    assert dict(kernel[p.path]) == {0: 111}
    with skep.load(p.begins, p.goes_on, p.ends, attach=False) as live:
        for index, program in CHAIN.items():
            live[p.steps][index] = program
        assert list(live[p.steps]) == [1, 2]
        assert live[p.steps][2] == live.programs["ends"].info().id
        assert live.programs["begins"].test_run(PACKET).retval == p.PASS
        assert live[p.path][0] == 111
        del live[p.steps][1]
        assert live.programs["begins"].test_run(PACKET).retval == 10


def test_a_function_that_goes_on_in_another_program_comes_back_with_what_that_gives() -> None:
    kernel = skep.FakeKernel()
    with skep.load(p.asks, p.goes_on, p.ends, attach=False) as live:
        for chain in ({}, {1: p.goes_on}, CHAIN, {2: p.ends}):
            live[p.path][0] = kernel[p.path][0] = 0
            for index in list(live[p.steps]):
                del live[p.steps][index]
            kernel[p.steps].clear()
            for index, program in chain.items():
                live[p.steps][index] = kernel[p.steps][index] = program
            found = live.programs["asks"].test_run(PACKET).retval
            assert p.asks.py(PACKET, kernel=kernel) == found
            assert kernel[p.path][0] == live[p.path][0]
        assert found == 5160


def test_a_chain_of_programs_ends() -> None:
    kernel = skep.FakeKernel()
    kernel[p.steps][0] = p.forever
    assert p.forever.py(PACKET, kernel=kernel) == p.TX
    with skep.load(p.forever, attach=False) as live:
        live[p.steps][0] = p.forever
        assert live.programs["forever"].test_run(PACKET).retval == p.TX
        assert live[p.path][0] == kernel[p.path][0] == 34


def test_a_program_of_another_kind_is_refused() -> None:
    with (
        skep.load(p.begins, p.other_kind, attach=False) as live,
        pytest.raises(KernelError, match="all programs in it are of the kind"),
    ):
        live[p.steps][1] = p.other_kind


def test_only_loaded_programs_are_put_into_an_array_of_programs() -> None:
    with skep.load(p.begins, attach=False) as live:
        with pytest.raises(BadInput, match="ends: this program was not loaded here"):
            live[p.steps][1] = p.ends
        with pytest.raises(TypeError, match="steps takes loaded programs, not 5"):
            live[p.steps][1] = 5
        with pytest.raises(IndexError, match="places 0 to 3, not 4"):
            live[p.steps][4] = p.begins
        with pytest.raises(KeyError):
            live[p.steps][1]
        with pytest.raises(KeyError):
            del live[p.steps][1]
        assert (len(live[p.steps]), 1 in live[p.steps]) == (0, False)


MAPS = {p.pods: {7: {1: 5}}, p.pages: {1: {3: 2}}}


def test_maps_in_maps() -> None:
    assert plain(p.nested, MAPS) == p.PASS
    done = skep.run(p.nested, PACKET, maps=MAPS)
    assert done.verdict == p.PASS
    assert done.maps[p.pods] == {7: {1: 7, 3: 4}}
    assert done.maps[p.pages] == {1: {0: 0, 1: 0, 2: 0, 3: 42}}


def test_maps_in_maps_are_used_from_python() -> None:
    with skep.load(p.nested, attach=False) as live:
        pods, pages = live[p.pods], live[p.pages]
        pods.update({7: {1: 5}, 9: [(1, 6), (2, 7)]})
        assert (len(pods), 7 in pods, 8 in pods, len(pages)) == (2, True, False, 0)
        assert pods[7][1] == 5
        assert pods[7] is pods[7]
        pods[7][2] = 8
        assert dict(pods[7].items()) == {1: 5, 2: 8}
        before = pods[7]
        with pods.new({3: 3}) as other:
            pods[7] = other
        assert before.fd == -1
        assert dict(pods[7].items()) == {3: 3}
        assert sorted((key, dict(inner.items())) for key, inner in pods.items()) == [
            (7, {3: 3}),
            (9, {1: 6, 2: 7}),
        ]
        del pods[7]
        assert list(pods) == [9]
        pages[1] = {0: 1}
        with pytest.raises(IndexError):
            pages[3] = {}
        assert 3 not in pages
        with pytest.raises(KeyError):
            pages[2]
        del pages[1]
        assert list(pages.keys()) == []
        pods.clear()
        assert len(pods) == 0


def test_a_map_of_maps_takes_what_fits_its_pattern_only() -> None:
    with skep.load(p.nested, attach=False) as live:
        pods = live[p.pods]
        with pytest.raises(ValueError, match="pods_in: value is a u64"):
            pods[7] = {1: -1}
        with pytest.raises(TypeError, match="pods takes maps, or dicts"):
            pods[7] = 5
        with pytest.raises(KernelError, match=r"EINVAL\] \(the map is not as its pattern"):
            pods[7] = live[p.pages]
        assert len(pods) == 0


def test_variables_are_attributes() -> None:
    with skep.load(p.variables, attach=False) as live:
        state = live[p.state]
        assert (state.hits, state.inner.name, state.inner.many) == (40, "begin", [1, 2, 3])
        assert live.programs["variables"].test_run(PACKET).retval == p.PASS
        assert (state.hits, state.under, state.inner.many[1]) == (43, -1, 7)
        state.hits = 1 << 63
        state.inner.many = [9, 9, 9]
        state.inner.many[2] = 8
        state.inner.name = "bend"
        live.programs["variables"].test_run(PACKET)
        assert state.hits == (1 << 63) + 3
        assert copy(state.inner) == Inner(0, "bend", [9, 14, 8])
        assert state[0] == copy(state)
        state.inner = Inner(name="again")
        assert state[0].inner == Inner(name="again")


@pytest.mark.parametrize(
    ("name", "value", "error", "text"),
    [
        ("hits", -1, ValueError, "state.hits is a u64"),
        ("under", 1 << 63, ValueError, "state.under is a s64"),
        ("inner", 5, TypeError, "state.inner is a Inner"),
        ("hitz", 5, AttributeError, "state has no variable 'hitz'; it has hits, under, inner"),
    ],
)
def test_variables_take_what_fits(
    name: str, value: object, error: type[Exception], text: str
) -> None:
    with skep.load(p.variables, attach=False) as live:
        with pytest.raises(error, match=text):
            setattr(live[p.state], name, value)
        with pytest.raises(IndexError, match=r"state.inner.many has elements 0 to 2, not 3"):
            live[p.state].inner.many[3] = 1
        assert live[p.state][0] == p.state.initial


def test_constants_are_set_before_the_program_is_loaded() -> None:
    assert plain(p.variables, {}) == p.PASS
    off = {p.settings: Settings(on=0, limit=9), p.state: State(hits=7)}
    with skep.load(p.variables, attach=False, initial=off) as live:
        assert live.programs["variables"].test_run(PACKET).retval == p.DROP
        assert (live[p.settings].limit, live[p.state].hits) == (9, 7)
        with pytest.raises(TypeError, match=r"settings is constant.*initial="):
            live[p.settings].limit = 5
        small = live.programs["variables"].info().xlated_size
    with skep.load(p.variables, attach=False) as live:
        assert live.programs["variables"].info().xlated_size > small  # what is off is left out


def test_first_values_are_those_of_globals_that_are_used() -> None:
    with pytest.raises(BadInput, match="for a Global that no program here uses"):
        skep.load(p.queues, attach=False, initial={p.state: State()})
    with pytest.raises(ValueError, match=r"state: initial.hits is a u64"):
        skep.load(p.variables, attach=False, initial={p.state: State(hits=-1)})


def test_the_values_of_all_cpus_are_seen_in_a_program() -> None:
    kernel = skep.FakeKernel()
    kernel[p.by_size][1] = [40, 60]
    assert p.over_cpus.py(PACKET, kernel=kernel) == p.PASS
    count = len(cpus.possible())
    before = [100] + [0] * (count - 1)
    assert skep.run(p.over_cpus, PACKET, maps={p.by_size: {1: before}}).verdict == p.PASS


def test_networks_are_keys_of_routes() -> None:
    assert plain(p.prefixes, {p.routes: PREFIXES}) == p.PASS
    done = skep.run(p.prefixes, PACKET, maps={p.routes: NETWORKS})
    assert (done.verdict, done.maps[p.routes]) == (p.PASS, NETWORKS)
