"""What a terminal showed becomes a picture, letter by letter and colour by colour."""

from xml.etree import ElementTree as ET

from tools.debian import ROOT
from tools.picture import COLOURS, LETTER, MARGIN, WIDTH, Run, plain, runs, svg, told

LINE = "\x1b[2m10:00:00.000\x1b[0m \x1b[32mexec\x1b[0m  a & <b>"
SPACE = "{http://www.w3.org/2000/svg}"


def test_a_line_is_read_with_its_styles_and_without_them() -> None:
    assert runs(LINE) == [
        Run("10:00:00.000", "dim"),
        Run(" "),
        Run("exec", "green"),
        Run("  a & <b>"),
    ]
    assert plain(LINE + "  ") == "10:00:00.000 exec  a & <b>"


def test_each_run_of_letters_stands_at_its_column_in_its_colour() -> None:
    picture = ET.fromstring(svg(["", LINE], 40, "a <title>"))
    assert picture.findtext(f"{SPACE}title") == "a <title>"
    texts = picture.findall(f".//{SPACE}text")
    assert [text.text for text in texts] == ["10:00:00.000", "exec", "  a & <b>"]
    columns = [(int(text.get("x", "")) - MARGIN) // LETTER for text in texts]
    assert columns == [0, 13, 17]
    assert [text.get("fill") for text in texts] == [COLOURS[name] for name in ("dim", "green", "")]
    assert len({text.get("y") for text in texts}) == 1


def test_only_the_events_of_the_commands_are_left() -> None:
    events = [
        "10:00:00.000 exec curl[12]",
        "10:00:00.001 exec other[123]",
        "10:00:00.002 drop - :81, 60 B",
    ]
    assert told(["POWER", "", "TIME", *events, "", "2 events"], [12]) == [
        "POWER",
        "",
        "TIME",
        events[0],
        events[2],
    ]


def test_the_picture_of_the_readme_shows_what_its_text_says() -> None:
    picture = ET.fromstring((ROOT / "docs/up.svg").read_text())
    lines: dict[str, str] = {}
    for text in picture.iter(f"{SPACE}text"):
        column = (int(text.get("x", "")) - MARGIN) // LETTER
        y = text.get("y", "")
        lines[y] = lines.get(y, "").ljust(column) + (text.text or "")
    written = (ROOT / "docs/up.txt").read_text().splitlines()
    assert [line.rstrip() for line in lines.values()] == [line for line in written if line]
    assert max(map(len, written)) <= WIDTH
