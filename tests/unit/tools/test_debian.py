from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tools import debian
from tools.debian import Apt, Bundle, Package, Unavailable

DEB822 = """\
Types: deb
# a comment
URIs: http://mirror.example/debian/
Suites: bookworm bookworm-updates
Components: main

Types: deb
URIs: http://mirror.example/security
Suites: bookworm-security
Components: main
"""


class RecordedApt(Apt):
    """Answers as apt-get did, and notes what it is asked."""

    def __init__(self, answers: dict[str, str]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, ...]] = []

    def __call__(self, tool: str, *arguments: str, cwd: Path | None = None) -> str:
        del cwd
        self.asked.append((tool, *arguments))
        return next(answer for word, answer in self.answers.items() if word in (tool, *arguments))


DOWNLOAD = "'http://m/pool/q/qemu_7.2-1_amd64.deb' qemu_1%3a7.2-1_amd64.deb 9000 SHA256:ab\n"
INSTALL = DOWNLOAD + "'http://m/pool/a/libaio1_0.3_amd64.deb' libaio1_0.3_amd64.deb 13 MD5Sum:cd\n"
SHOWN = """\
Version: 6.12.95-1~bpo12+1
Depends: linux-image-6.12.95+deb12-amd64 (= 6.12.95-1~bpo12+1)

Version: 6.1.192-2
Depends: linux-image-6.1.0-56-amd64 (= 6.1.192-2)
"""
NEXT_SHOWN = """\
Version: 7.3.4-1~bpo13+1
Depends: linux-base-amd64 (= 7.3.4-1~bpo13+1), linux-image-7.3.4+deb13-amd64 (= 7.3.4-1~bpo13+1)

Version: 7.10.1-1~bpo13+1
Depends: linux-base-amd64 (= 7.10.1-1~bpo13+1), linux-image-7.10.1+deb13-amd64 (= 7.10.1-1~bpo13+1)
"""
SPLIT = """\
Package: linux-image-7.10.1+deb13-amd64
Depends: dracut | linux-initramfs-tool, linux-base-7.10.1+deb13-amd64 (= 1), linux-modules-7.10.1+deb13-amd64 (= 1)
"""


def test_the_mirrors_of_the_machine_are_used() -> None:
    assert debian.mirrors([DEB822]) == (
        "http://mirror.example/debian",
        "http://mirror.example/security",
    )


def test_one_line_entries_are_read_with_their_options() -> None:
    line = "deb [arch=amd64 signed-by=/k] http://m/debian bookworm main\n# deb http://no bookworm main\n"
    assert debian.mirrors([line])[0] == "http://m/debian"


def test_without_a_mirror_debian_is_asked() -> None:
    other = "deb http://packages.example/apt stable main\n"
    assert debian.mirrors([other]) == (
        "http://deb.debian.org/debian",
        "http://deb.debian.org/debian-security",
    )


def test_the_newest_kernel_of_a_series_is_not_one_of_another() -> None:
    assert debian.newest(SHOWN, "6.1") == "linux-image-6.1.0-56-amd64"
    assert debian.newest(SHOWN, "6.12") == "linux-image-6.12.95+deb12-amd64"
    with pytest.raises(Unavailable, match=r"no kernel 5\.10 among linux-image"):
        debian.newest(SHOWN, "5.10")


def test_the_newest_kernel_of_all_is_that_of_the_highest_number() -> None:
    assert debian.newest(NEXT_SHOWN, debian.NEWEST) == "linux-image-7.10.1+deb13-amd64"
    with pytest.raises(Unavailable, match="no kernel newest among nothing"):
        debian.newest("", debian.NEWEST)


def test_a_kernel_in_several_packages_is_all_of_them() -> None:
    image = "linux-image-7.10.1+deb13-amd64"
    assert debian.parts(SPLIT, image) == (
        "linux-base-7.10.1+deb13-amd64",
        "linux-modules-7.10.1+deb13-amd64",
    )
    old = "Package: linux-image-6.1.0-56-amd64\nDepends: kmod, linux-base (>= 4.3~)\n"
    assert debian.parts(old, "linux-image-6.1.0-56-amd64") == ("linux-image-6.1.0-56-amd64",)


def test_the_newest_kernel_is_of_the_next_debians_backports(tmp_path: Path) -> None:
    newest = debian.BUNDLES["linux-newest"]
    assert (newest.codename, debian.BUNDLES["linux-6.12"].codename) == ("trixie", "bookworm")
    text = debian.sources("http://m/debian", "http://m/security", newest.codename)
    assert "Suites: trixie-backports\n" in text
    assert "bookworm" not in text
    assert "security" not in text


def test_a_bundle_has_its_packages_and_what_they_depend_on() -> None:
    apt = RecordedApt({"download": DOWNLOAD, "install": INSTALL})
    assert debian.resolve(Bundle(("qemu",)), apt) == [
        Package("libaio1", "0.3", 13),
        Package("qemu", "1:7.2-1", 9000),
    ]


def test_an_installed_package_is_fetched_all_the_same() -> None:
    apt = RecordedApt({"download": DOWNLOAD, "install": ""})
    assert [p.name for p in debian.resolve(Bundle(("qemu",)), apt)] == ["qemu"]


def test_a_package_that_is_not_offered_is_named() -> None:
    apt = RecordedApt({"download": "", "install": ""})
    with pytest.raises(Unavailable, match="does not offer qemu"):
        debian.resolve(Bundle(("qemu",)), apt)


def test_a_kernel_comes_alone_and_from_backports_where_it_is_there() -> None:
    offer = "'u' linux-image-6.12.95+deb12-amd64_6.12.95-1~bpo12+1_amd64.deb 5 SHA256:0\n"
    apt = RecordedApt({"show": SHOWN, "download": offer})
    found = debian.resolve(debian.BUNDLES["linux-6.12"], apt)
    assert [p.name for p in found] == ["linux-image-6.12.95+deb12-amd64"]
    assert "bookworm-backports" in apt.asked[-1]


def test_a_wrapper_finds_the_unpacked_libraries_wherever_the_bundle_is(tmp_path: Path) -> None:
    new, final = tmp_path / "new", tmp_path / "final"
    library = new / "usr/lib" / debian.TRIPLET
    library.mkdir(parents=True)
    program = new / "usr/bin/show"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\necho "$LD_LIBRARY_PATH $1"\n')
    program.chmod(0o755)
    (new / "usr/bin/data").write_text("no program")
    debian.wrap(new)
    new.rename(final)
    shown = debian._run(str(final / "run/show"), "an argument").strip()
    assert Path(shown.split(":")[0].split()[0]).resolve() == final / library.relative_to(new)
    assert shown.endswith(" an argument")
    assert not (final / "run/data").exists()


def test_a_bundle_that_is_there_is_not_asked_for_again(tmp_path: Path) -> None:
    (tmp_path / "busybox").mkdir()
    told = debian.manifest(debian.BUNDLES["busybox"], [Package("busybox-static", "1", 900)])
    (tmp_path / "busybox/bundle.json").write_text(told)
    assert debian.fetch(["busybox"], cache=tmp_path) == [tmp_path / "busybox"]
    assert debian.versions(tmp_path / "busybox") == {"busybox-static": "1"}


def test_a_bundle_that_is_there_is_had_while_another_is_fetched(tmp_path: Path) -> None:
    (tmp_path / "busybox").mkdir()
    told = debian.manifest(debian.BUNDLES["busybox"], [Package("busybox-static", "1", 900)])
    (tmp_path / "busybox/bundle.json").write_text(told)
    with ThreadPoolExecutor(1) as pool, debian._locked(tmp_path):
        assert pool.submit(debian.fetch, ["busybox"], cache=tmp_path).result(60)


def test_a_bundle_that_is_wanted_otherwise_now_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Bundle(("busybox-static",), depends=False)
    (tmp_path / "busybox").mkdir()
    told = debian.manifest(before, [Package("busybox-static", "1", 900)])
    (tmp_path / "busybox/bundle.json").write_text(told)
    now = Bundle(("busybox-static",), depends=False, backports=True)
    monkeypatch.setitem(debian.BUNDLES, "busybox", now)
    packages = [Package("busybox-static", "2", 900)]
    monkeypatch.setattr(debian, "resolve", lambda *_: packages)
    monkeypatch.setattr(debian, "unpack", lambda *given: given[-1].mkdir())
    debian.fetch(["busybox"], cache=tmp_path)
    assert debian.versions(tmp_path / "busybox") == {"busybox-static": "2"}


@pytest.mark.parametrize("text", ['{"busybox-st', '{"busybox-static": "1"}'])
def test_half_a_bundle_holds_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "bundle.json").write_text(text)
    assert debian.versions(tmp_path) == {}


def test_an_unknown_name_is_answered_with_those_that_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        debian.main(["qemo"])
    assert "no bundle 'qemo'; there are qemu, " in capsys.readouterr().err
