"""What a cgroup's path says: container, runtime, pod and its quality of service, systemd unit.

Pure: text -> value. Runtimes name cgroups by convention, not by contract; the conventions are the
table PATTERNS, and each row has real paths in its test. The innermost container of a path counts,
so that kind, k3s in Docker and Docker in Docker name the container that a process is really in.
"""

import re

from skep.base.frozen import frozen

_ID = r"(?P<id>[0-9a-f]{64})"
_UID = r"(?P<uid>[0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32})"


@frozen
class Cgroup:
    """A cgroup's path and what it says; a text is empty where the path says nothing of it.

    ``runtime``: docker, containerd, cri-o, podman, lxc, nspawn, or "" where only an id is known.
    ``qos`` is besteffort, burstable or guaranteed. ``outer``: ids of the containers around this
    one, outermost first.
    """

    path: str
    runtime: str = ""
    container: str = ""
    pod: str = ""
    qos: str = ""
    unit: str = ""
    outer: tuple[str, ...] = ()


@frozen
class Pattern:
    """A convention: a segment of a path that fits ``form`` is a container of ``runtime``.

    ``parent``, where given, is what the segment above must be.
    """

    runtime: str
    form: re.Pattern[str]
    parent: re.Pattern[str] | None = None


def _row(runtime: str, form: str, parent: str = "") -> Pattern:
    return Pattern(runtime, re.compile(form), re.compile(parent) if parent else None)


PATTERNS: tuple[Pattern, ...] = (
    _row("docker", rf"docker-{_ID}\.scope"),
    _row("docker", rf"[^:]*:docker:{_ID}"),
    _row("docker", _ID, r"docker"),
    _row("containerd", rf"cri-containerd-{_ID}\.scope"),
    _row("containerd", rf"[^:]*:cri-containerd:{_ID}"),
    _row("containerd", rf"nerdctl-{_ID}\.scope"),
    _row("containerd", rf"[^:]*:nerdctl:{_ID}"),
    _row("containerd", _ID, r"default|k8s\.io"),
    _row("cri-o", rf"crio-{_ID}(?:\.scope)?"),
    _row("podman", rf"libpod-(?:payload-)?{_ID}(?:\.scope)?"),
    _row("lxc", r"lxc\.payload[.](?P<id>[^/]+)"),
    _row("lxc", r"(?P<id>[^/]+)", r"lxc(?:\.payload)?"),
    _row("nspawn", r"payload", r"systemd-nspawn@.+\.service"),
    _row("nspawn", r"machine-(?P<id>(?!libpod_pod_|qemu).+)\.scope"),
    _row("", _ID),
    _row("", r"(?P<id>[0-9a-f]{32}-[0-9]+)", r"[0-9a-f]{32}"),
)
"""The conventions, tried in order against each segment from the innermost outward. A bare id
names no runtime: below a pod containerd and Docker write the same path, and the runtimes' sockets
are asked in turn. Where a runtime keeps a helper beside a container (crio-conmon-ID, lxc.monitor.ID)
the helper is in none.

Sources: the drivers of runc (libcontainer/cgroups/systemd, fs), containerd/cri, CRI-O, libpod,
lxc's lxc.cgroup.dir.payload, systemd's machine units; ECS's task agent writes the last form on
Fargate.
"""

_POD = re.compile(
    rf"(?:.*kubepods(?:-(?:besteffort|burstable|guaranteed))?-)?pod{_UID}(?:\.slice)?(?::.*)?"
)
_QOS = re.compile(
    r"(?:.*kubepods-)?(besteffort|burstable|guaranteed)(?:-pod.*)?(?:\.slice)?(?::.*)?"
)
_KUBEPODS = re.compile(r"(?:.*-)?kubepods(?:\.slice)?")
_UNIT = re.compile(r"[^/]+\.(?:service|scope|socket|mount|swap)")
_NSPAWN_UNIT = re.compile(r"systemd-nspawn@(.+)\.service")


def read_path(path: str) -> Cgroup:
    """What ``path`` says, as /proc/PID/cgroup or a directory below the cgroup mount gives it."""
    segments = [s for s in path.split("/") if s and s != ".."]
    found = [(i, row, name) for i in range(len(segments)) for row, name in _container(segments, i)]
    start = 0
    runtime = container = ""
    if found:
        start, row, container = found[-1]
        runtime = row.runtime
    pod, qos = _pod(segments, start if found else len(segments) - 1)
    return Cgroup(
        path,
        runtime=runtime,
        container=container,
        pod=pod,
        qos=qos,
        unit=_unit(segments[start + 1 :] if found else segments),
        outer=tuple(name for _, _, name in found[:-1]),
    )


def _container(segments: list[str], index: int) -> list[tuple[Pattern, str]]:
    """The first row that the segment fits, with the container's id, as a list of one or none."""
    segment, parent = segments[index], segments[index - 1] if index else ""
    for row in PATTERNS:
        match = row.form.fullmatch(segment)
        if match and (row.parent is None or row.parent.fullmatch(parent)):
            return [(row, _plain(match.groupdict().get("id") or _machine(parent)))]
    return []


def _machine(parent: str) -> str:
    match = _NSPAWN_UNIT.fullmatch(parent)
    return match[1] if match else parent


def _plain(name: str) -> str:
    """``name`` without systemd's escapes of a character as four."""
    return _ESCAPE.sub(lambda m: chr(int(m[1], 16)), name) if "\\" in name else name


def _pod(segments: list[str], last: int) -> tuple[str, str]:
    """The pod's uid and QoS, from the pod segment nearest above (or at) ``last``."""
    for i in range(last, -1, -1):
        match = _POD.fullmatch(segments[i])
        if match and (i == 0 or "kubepods" in segments[i] or "kubepods" in "/".join(segments[:i])):
            return match["uid"].replace("_", "-"), _qos(segments[i::-1])
    return "", ""


def _qos(upward: list[str]) -> str:
    for segment in upward:
        match = _QOS.fullmatch(segment)
        if match:
            return match[1]
        if _KUBEPODS.fullmatch(segment):
            break
    return "guaranteed" if any("kubepods" in segment for segment in upward) else ""


def _unit(segments: list[str]) -> str:
    """The innermost systemd unit that is no slice; a monitor's scope is one too."""
    return next((s for s in reversed(segments) if _UNIT.fullmatch(s)), "")


PREFERRED = ("", "name=systemd", "pids", "memory", "cpu", "devices", "freezer", "cpuset")


def read_membership(text: str) -> Cgroup:
    """What /proc/PID/cgroup says: the unified path where it names a container, else v1's best.

    In the hybrid layout a runtime may use v1 only: then the unified path is "/" or the runtime's
    own unit.
    """
    paths = {}
    for line in text.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number.isdigit() and path.startswith("/"):
            for controller in controllers.split(","):
                paths[controller] = path.removesuffix(" (deleted)")
    read = [read_path(paths[name]) for name in PREFERRED if name in paths]
    read += [read_path(path) for name, path in paths.items() if name not in PREFERRED]
    best = next((c for c in read if c.container), None)
    return best or next((c for c in read if c.path != "/"), Cgroup("/"))


def unified_path(text: str) -> str:
    """The path of /proc/PID/cgroup in the unified hierarchy, "" where there is none."""
    for line in text.splitlines():
        if line.startswith("0::/"):
            return line[3:].removesuffix(" (deleted)")
    return ""


@frozen
class CgroupMounts:
    """Where cgroups are mounted.

    ``layout``: unified (v2 only), hybrid (v1 controllers, v2 beside them), v1, none.
    """

    layout: str
    unified: str
    legacy: tuple[str, ...] = ()


def read_mounts(mountinfo: str) -> CgroupMounts:
    """The cgroup mounts in /proc/self/mountinfo (proc(5)). Of several of version 2 the widest counts, then the last."""
    unified, widest, legacy = "", 0, []
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        before, after = left.split(" "), right.split(" ")
        if len(before) < 6 or not after[0].startswith("cgroup"):
            continue
        point = _OCTAL.sub(lambda m: chr(int(m[1], 8)), before[4])
        if after[0] != "cgroup2":
            legacy.append(point)
        elif not unified or _breadth(before[3]) >= widest:
            unified, widest = point, _breadth(before[3])
    layout = {(True, False): "unified", (True, True): "hybrid", (False, True): "v1"}
    return CgroupMounts(layout.get((bool(unified), bool(legacy)), "none"), unified, tuple(legacy))


def _breadth(root: str) -> int:
    """How far above the root of the reader's namespace a mount begins; below 0 for one of a cgroup inside of it."""
    return sum(1 if part == ".." else -1 for part in root.split("/") if part)


_ESCAPE = re.compile(r"\\x([0-9a-f]{2})")
_OCTAL = re.compile(r"\\([0-7]{3})")
