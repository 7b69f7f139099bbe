"""What keeps programs, maps and links: pins, and programs that use maps."""

import os

import skep
from skep.kernel import objects
from skep.kernel.bpf import DOOR
from skep.kernel.keeping import maps_by_program, pins

kept = skep.Hash(skep.u32, skep.u64, 4)


@skep.raw_tp("sched_process_exit")
def keeps(task):  # type: ignore[no-untyped-def]
    """Use the map."""
    kept.increment(1)


def test_pins_name_what_they_keep_wherever_they_lie(bpffs: str) -> None:
    os.mkdir(f"{bpffs}/below")
    with skep.load(keeps) as live:
        (link,) = live.links["keeps"]
        program = objects.program_info(DOOR, live.programs["keeps"].fd).id
        live[kept].pin(f"{bpffs}/below/kept")
        live.programs["keeps"].pin(f"{bpffs}/keeps")
        link.pin(f"{bpffs}/link")  # type: ignore[union-attr]
        every = pins(mounts=[bpffs, bpffs])
        found = {pin.path.removeprefix(f"{bpffs}/"): pin for pin in every}
        assert len(every) == len(found)
        assert set(found) == {"below/kept", "keeps", "link"}
        assert found["below/kept"][:2] == ("map", live[kept].info().id)
        assert found["keeps"][:2] == ("prog", program)
        assert found["link"].kind == "link"
        os.unlink(f"{bpffs}/link")
    assert [pin.kind for pin in pins(mounts=[bpffs])] == ["prog", "map"]


def test_what_is_no_pin_is_passed_over(tmp_path: str) -> None:
    with open(f"{tmp_path}/file", "w", encoding="utf-8"):
        pass
    assert pins(mounts=[str(tmp_path), "/no/such/folder"]) == []


def test_a_program_keeps_its_maps() -> None:
    with skep.load(keeps) as live:
        program = objects.program_info(DOOR, live.programs["keeps"].fd).id
        assert maps_by_program()[program] == (live[kept].info().id,)
