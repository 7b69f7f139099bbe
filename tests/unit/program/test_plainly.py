"""A script that ends by an error of skep shows its own lines; other errors, and other hooks, are left as they are."""

import subprocess
import sys
from pathlib import Path

SCRIPT = """\
import sys
import skep

{before}

@skep.raw_tp("sys_enter")
def wrong(regs, number):
    return [number]

def begin():
    skep.load(wrong)

{call}
"""


def ended(folder: Path, call: str, before: str = "") -> str:
    """What a script writes that ends by an error."""
    path = folder / "script.py"
    path.write_text(SCRIPT.format(call=call, before=before))
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    return done.stderr


def test_an_error_of_skep_shows_the_scripts_lines_and_none_of_ours(tmp_path: Path) -> None:
    text = ended(tmp_path, "begin()")
    assert text.startswith("Traceback (most recent call last):\n")
    assert text.count('  File "') == text.count(f'  File "{tmp_path}/script.py"') == 2
    assert "    skep.load(wrong)\n" in text
    assert "script.py:8:12: error: " in text
    assert "^" in text


def test_what_is_not_of_skep_is_shown_as_python_does(tmp_path: Path) -> None:
    text = ended(tmp_path, "try:\n    begin()\nexcept skep.CompileError as error:\n    1 / 0")
    assert "ZeroDivisionError: division by zero" in text
    assert "During handling of the above exception" in text


def test_a_hook_of_somebody_else_stays(tmp_path: Path) -> None:
    text = ended(tmp_path, "begin()", "sys.excepthook = lambda *_: sys.stderr.write('mine')")
    assert text == "mine"
