"""Debian packages that only tests and benchmarks need: fetched, unpacked and run in place, never installed.

``python -m tools.debian NAME...`` puts each bundle under ``.cache/debian/NAME`` and prints the folder. A bundle is
resolved with an apt state of its own (lists, sources, cache), so that the machine's stay as they are; its packages are
unpacked with ``dpkg -x``, and its programs get wrappers in ``NAME/run`` that find the unpacked libraries. A bundle
lives until it is wanted otherwise, its versions change (``--refresh`` looks) or the folder is removed. What is run is
not known here.
"""

import argparse
import fcntl
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "debian"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
CODENAME, NEXT = "bookworm", "trixie"
NEWEST = "newest"
TRIPLET = "x86_64-linux-gnu"
ENTRY = re.compile(
    r"'(?P<uri>[^']+)' (?P<file>[^_\s]+_(?P<version>[^_\s]+)_\w+\.deb) (?P<size>\d+)"
)


class Unavailable(Exception):
    """A bundle cannot be had on this machine: why."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """What one folder holds: packages by name, from which suite, with or without what they depend on.

    ``series`` is for kernels, whose package's name changes with each version: the newest of it is looked up; NEWEST is
    the newest of all. QEMU is of the backports because that of Debian 12 runs code that a guest has patched meanwhile
    (decision 0004).
    """

    packages: tuple[str, ...]
    depends: bool = True
    backports: bool = False
    series: str = ""

    @property
    def codename(self) -> str:
        """The Debian that it comes from: the newest kernel is in the backports of the one after ours."""
        return NEXT if self.series == NEWEST else CODENAME


BUNDLES = {
    "qemu": Bundle(("qemu-system-x86",), backports=True),
    "busybox": Bundle(("busybox-static",), depends=False),
    "zstd": Bundle(("zstd",), depends=False),
    "linux-6.1": Bundle(("linux-image-amd64",), depends=False, series="6.1"),
    "linux-6.12": Bundle(("linux-image-amd64",), depends=False, series="6.12", backports=True),
    "linux-newest": Bundle(("linux-image-amd64",), depends=False, series=NEWEST, backports=True),
    "clang": Bundle(("clang-19", "libbpf-dev")),
    "binutils": Bundle(("binutils-x86-64-linux-gnu",)),
    "libbpf": Bundle(("libbpf1", "libbpf-dev")),
    "bpftool": Bundle(("bpftool",)),
    "iproute2": Bundle(("iproute2",)),
    "podman": Bundle(("podman", "conmon", "runc")),
    "containerd": Bundle(("containerd", "runc")),
    "docker": Bundle(("docker.io",)),
    "bpftrace": Bundle(("bpftrace",)),
    "libbpf-tools": Bundle(("libbpf-tools",)),
    "perf": Bundle(("linux-perf",)),
    "zsh": Bundle(("zsh",)),
    "fish": Bundle(("fish",)),
    "systemd": Bundle(("systemd",)),
}


@dataclass(frozen=True, slots=True)
class Package:
    """One package of a resolved bundle; ``size`` is that of the download in bytes."""

    name: str
    version: str
    size: int


def _say(text: str) -> None:
    print(f"debian: {text}", file=sys.stderr, flush=True)


def _run(*command: str, cwd: Path | None = None) -> str:
    done: subprocess.CompletedProcess[str] = subprocess.run(
        command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no output"]
        raise Unavailable(f"{' '.join(command[:1])} failed: {last[0]}")
    return done.stdout


# ----------------------------------------------------------------------------------------------- the private apt state


def mirrors(texts: Iterable[str]) -> tuple[str, str]:
    """The URIs of the archive and of its security updates that ``texts`` (apt sources files) configure.

    Debian's own where none is configured. Both forms are read: ``deb URI SUITE ...`` and deb822 paragraphs.
    """
    found = {CODENAME: "http://deb.debian.org/debian"}
    found[f"{CODENAME}-security"] = "http://deb.debian.org/debian-security"
    for suite, uri in (pair for text in texts for pair in _entries(text)):
        if suite in found:
            found[suite] = uri.rstrip("/")
    return found[CODENAME], found[f"{CODENAME}-security"]


def _entries(text: str) -> Iterator[tuple[str, str]]:
    for line in re.findall(r"^deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)", text, re.MULTILINE):
        yield line[1], line[0]
    for paragraph in re.split(r"\n\s*\n", text):
        fields = dict(re.findall(r"^(\w[\w-]*):[ \t]*(.*)$", paragraph, re.MULTILINE))
        for suite in fields.get("Suites", "").split():
            for uri in fields.get("URIs", "").split()[:1]:
                yield suite, uri


def sources(archive: str, security: str, codename: str = CODENAME) -> str:
    """A deb822 sources file for the archive, its updates, backports and security updates; of NEXT for its backports."""
    parts = [(archive, f"{codename}-backports")]
    if codename == CODENAME:
        parts = [
            (archive, f"{CODENAME} {CODENAME}-updates {CODENAME}-backports"),
            (security, f"{CODENAME}-security"),
        ]
    return "\n".join(
        f"Types: deb\nURIs: {uri}\nSuites: {names}\nComponents: main\nSigned-By: {KEYRING}\n"
        for uri, names in parts
    )


class Apt:
    """apt-get and apt-cache on lists and sources of their own, under ``folder``, for the Debian ``codename``."""

    def __init__(self, folder: Path, codename: str = CODENAME) -> None:
        self.folder, self.codename = folder, codename
        self.fresh = False

    def __call__(self, tool: str, *arguments: str, cwd: Path | None = None) -> str:
        """What ``tool`` prints; the lists are updated before its first use."""
        if not self.fresh:
            self.update()
        return _run(tool, *self._options(), *arguments, cwd=cwd)

    def update(self) -> None:
        """Fetch the lists."""
        if not (KEYRING.exists() and shutil.which("apt-get") and shutil.which("dpkg")):
            raise Unavailable("apt-get, dpkg and Debian's keyring are needed to fetch packages")
        for name in ("lists/partial", "cache/archives/partial"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        configured = [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*.*")]
        texts = [path.read_text() for path in configured if path.is_file()]
        (self.folder / "debian.sources").write_text(sources(*mirrors(texts), self.codename))
        _say(f"fetching the package lists of {self.codename}")
        _run("apt-get", *self._options(), "-qq", "update")
        self.fresh = True

    def _options(self) -> list[str]:
        options = {
            "Dir::Etc::sourcelist": self.folder / "debian.sources",
            "Dir::Etc::sourceparts": "-",
            "Dir::State::Lists": self.folder / "lists",
            "Dir::Cache": self.folder / "cache",
            "APT::Sandbox::User": "root",
            "APT::Update::Post-Invoke-Success": "",
            "Acquire::Retries": "3",
        }
        return [part for key, value in options.items() for part in ("-o", f"{key}={value}")]


# ------------------------------------------------------------------------------------------ from a bundle to packages


def newest(shown: str, series: str) -> str:
    """The package that ``apt-cache show`` of a kernel's metapackage names for ``series`` ("6.12", NEWEST)."""
    depends: list[str] = re.findall(r"^Depends:.*?\b(linux-image-\d[\w.+-]+)", shown, re.MULTILINE)
    wanted = [name for name in depends if name.startswith(f"linux-image-{series}.")]
    if series == NEWEST:
        wanted = sorted(depends, key=_numbers, reverse=True)
    if not wanted:
        raise Unavailable(
            f"no kernel {series} among {', '.join(sorted(set(depends))) or 'nothing'}"
        )
    return wanted[0]


def _numbers(name: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", name.partition("+")[0])]


def parts(shown: str, image: str) -> tuple[str, ...]:
    """The packages that hold what ``image`` does, as ``apt-cache show`` of it tells; of Linux 7.3 several."""
    release = image.removeprefix("linux-image-")
    found = re.findall(rf"\b(linux-[a-z]+-{re.escape(release)}) \(", shown)
    return tuple(sorted(set(found) - {image})) or (image,)


def listed(printed: str) -> dict[str, Package]:
    """The packages in what ``apt-get --print-uris`` prints, by name."""
    found = {}
    for match in ENTRY.finditer(printed):
        name = match["file"].split("_")[0]
        found[name] = Package(name, unquote(match["version"]), int(match["size"]))
    return found


def resolve(bundle: Bundle, apt: Apt) -> list[Package]:
    """The packages of a bundle with their newest versions; without those that the machine has installed already."""
    names = bundle.packages
    if bundle.series:
        image = newest(apt("apt-cache", "show", *names), bundle.series)
        names = parts(apt("apt-cache", "show", image), image)
    release = ["-t", f"{bundle.codename}-backports"] if bundle.backports else []
    found = listed(apt("apt-get", "-qq", *release, "--print-uris", "download", *names))
    if bundle.depends:
        quiet = ("-qq", "--no-install-recommends", "--reinstall", "--print-uris")
        found = listed(apt("apt-get", *quiet, *release, "install", *names)) | found
    if missing := [name for name in names if name not in found]:
        raise Unavailable(f"apt-get does not offer {', '.join(missing)}")
    return sorted(found.values(), key=lambda package: package.name)


def unpack(packages: list[Package], apt: Apt, folder: Path) -> None:
    """Download ``packages`` and unpack them into ``folder``; the archives are removed again."""
    downloads = folder / "downloads"
    downloads.mkdir(parents=True)
    apt("apt-get", "-qq", "download", *(f"{p.name}={p.version}" for p in packages), cwd=downloads)
    for archive in sorted(downloads.glob("*.deb")):
        _run("dpkg", "-x", str(archive), str(folder))
    shutil.rmtree(downloads)


# --------------------------------------------------------------------------------------------------- programs in place


def libraries(folder: Path) -> list[Path]:
    """The library folders of an unpacked bundle."""
    parents = [folder / "usr/lib" / TRIPLET, folder / "lib" / TRIPLET]
    parents += [parent / "systemd" for parent in parents]  # which has some for itself
    parents += sorted((folder / "usr/lib").glob("llvm-*/lib"))
    return [path for path in parents if path.is_dir()]


def wrap(folder: Path) -> None:
    """For each program a script in ``run/`` that starts it with the bundle's libraries, wherever the folder lies."""
    (folder / "run").mkdir(exist_ok=True)
    path = ":".join(f"$at/{library.relative_to(folder)}" for library in libraries(folder))
    for program in _programs(folder):
        script = folder / "run" / program.name
        script.write_text(
            f"#!/bin/sh\nat=${{0%/*}}/..\n"
            f"LD_LIBRARY_PATH={path}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"
            f' exec "$at/{program.relative_to(folder)}" "$@"\n'
        )
        script.chmod(0o755)


def _programs(folder: Path) -> Iterator[Path]:
    for parent in ("bin", "sbin", "usr/bin", "usr/sbin"):
        for program in sorted((folder / parent).glob("*")):
            if program.is_file() and os.access(program, os.X_OK):
                yield program


# ------------------------------------------------------------------------------------------------------------ the cache


@contextmanager
def _locked(cache: Path) -> Iterator[None]:
    try:
        cache.mkdir(parents=True, exist_ok=True)
        lock = (cache / ".lock").open("w")
    except PermissionError as error:
        raise Unavailable(f"{cache} is not writable") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def manifest(bundle: Bundle, packages: list[Package]) -> str:
    """What ``bundle.json`` says of an unpacked bundle: as what it was wanted, and what it became."""
    held = {"bundle": asdict(bundle), "versions": {p.name: p.version for p in packages}}
    return json.dumps(held, indent=1, sort_keys=True)


def versions(folder: Path) -> dict[str, str]:
    """The versions of the packages of an unpacked bundle, by name; empty where there is none, or half a one."""
    try:
        found: dict[str, str] = json.loads((folder / "bundle.json").read_text())["versions"]
    except (OSError, ValueError, KeyError):
        return {}
    return found


def _told(folder: Path) -> str:
    path = folder / "bundle.json"
    return path.read_text() if path.exists() else ""


def fetch(names: Iterable[str], *, refresh: bool = False, cache: Path = CACHE) -> list[Path]:
    """The folders of bundles, made where they are missing or, with ``refresh``, out of date.

    What is there is had at once, also while somebody else fetches another bundle. Raises Unavailable with the reason
    where a bundle cannot be had.
    """
    folders = {name: cache / name for name in names}
    if refresh or not all(_kept(BUNDLES[name], folders[name]) for name in folders):
        with _locked(cache):
            apts = {CODENAME: Apt(cache / ".apt"), NEXT: Apt(cache / f".apt-{NEXT}", NEXT)}
            for name, folder in folders.items():
                _bundle(name, apts, folder, refresh=refresh)
    return list(folders.values())


def _kept(bundle: Bundle, folder: Path) -> bool:
    """Whether a folder holds a bundle as it is wanted."""
    held = [Package(*pair, size=0) for pair in versions(folder).items()]
    return bool(held) and _told(folder) == manifest(bundle, held)


def _bundle(name: str, apts: dict[str, Apt], folder: Path, *, refresh: bool) -> None:
    bundle = BUNDLES[name]
    apt = apts[bundle.codename]
    kept = _kept(bundle, folder)
    if kept and not refresh:
        return
    packages = resolve(bundle, apt)
    if kept and _told(folder) == manifest(bundle, packages):
        return
    started = time.monotonic()
    total = sum(package.size for package in packages) / 1e6
    _say(f"{name}: {len(packages)} package{'s' * (len(packages) > 1)}, {total:.1f} MB")
    new = folder.with_name(f".{name}.new")
    shutil.rmtree(new, ignore_errors=True)
    unpack(packages, apt, new)
    wrap(new)
    (new / "bundle.json").write_text(manifest(bundle, packages))
    shutil.rmtree(folder, ignore_errors=True)
    new.rename(folder)
    _say(f"{name}: unpacked in {time.monotonic() - started:.1f} s")


def program(bundle: str, name: str, *, cache: Path = CACHE) -> Path:
    """The wrapper of a program in a bundle, which is fetched first where it is missing."""
    folder = fetch([bundle], cache=cache)[0]
    script = folder / "run" / name
    if not script.exists() or not script.stat().st_mode & stat.S_IXUSR:
        raise Unavailable(f"bundle {bundle} has no program {name}")
    return script


def main(arguments: list[str] | None = None) -> int:
    """Fetch the bundles that are named; print their folders, one a line."""
    parser = argparse.ArgumentParser(prog="python -m tools.debian", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BUNDLES))
    parser.add_argument("--refresh", action="store_true", help="look for newer versions")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in BUNDLES]:
        parser.error(f"no bundle {unknown[0]!r}; there are {', '.join(BUNDLES)}")
    try:
        for folder in fetch(options.names, refresh=options.refresh):
            print(folder)
    except Unavailable as reason:
        _say(str(reason))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
