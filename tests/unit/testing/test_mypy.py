import subprocess
import sys
from pathlib import Path

SOURCE = """
import skep

class Seen(skep.Record, kind="seen"):
    comm: skep.char[16]
    address: skep.u8[16]
    pid: skep.u32

def show(seen: Seen) -> None:
    reveal_type(seen.comm)
    reveal_type(seen.address)
    reveal_type(seen.pid)
    seen.pid = 7
"""


def test_the_fields_of_a_record_have_the_types_of_their_values(tmp_path: Path) -> None:
    (tmp_path / "user.py").write_text(SOURCE)
    (tmp_path / "mypy.ini").write_text("[mypy]\nstrict = True\nplugins = skep.testing.mypy\n")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir", str(tmp_path), "user.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    revealed = [line.split('"')[1] for line in done.stdout.splitlines() if "Revealed" in line]
    assert revealed == ["str", "list[int]", "int"]
    assert done.returncode == 0, done.stdout
