"""Real paths of cgroups, by runtime, driver and layout, and what each says."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skep.node.cgroups import (
    PATTERNS,
    Cgroup,
    CgroupMounts,
    read_membership,
    read_mounts,
    read_path,
    unified_path,
)

A = "b2a102854b4969b2ce98dc329c86b4fb2b06e4ad2cc8da9d8a7578c9cd2004a2"
B = "05c48c82caff3be3d7f1e896981dd410e81487538936914f32b624d168de9db0"
UID = "72f7f152-440c-66ac-9084-e0fc1d8a910c"
UID_ = UID.replace("-", "_")
STATIC = "a1b2c3d4e5f60718293a4b5c6d7e8f90"

CASES = [
    # plain Docker: systemd driver, cgroupfs driver, rootless, systemd inside the container
    (f"/system.slice/docker-{A}.scope", {"runtime": "docker", "container": A}),
    (f"/docker/{A}", {"runtime": "docker", "container": A}),
    (f"/docker/{A}/init.scope", {"runtime": "docker", "container": A, "unit": "init.scope"}),
    (f"/system.slice:docker:{A}", {"runtime": "docker", "container": A}),
    (
        f"/user.slice/user-1000.slice/user@1000.service/user.slice/docker-{A}.scope",
        {"runtime": "docker", "container": A},
    ),
    (
        f"/system.slice/docker-{A}.scope/system.slice/nginx.service",
        {"runtime": "docker", "container": A, "unit": "nginx.service"},
    ),
    # the kubelet with containerd: cgroupfs (as seen on a node), systemd, a driver mismatch, static pods
    (
        f"/kubepods/besteffort/pod{UID}/{A}",
        {"container": A, "pod": UID, "qos": "besteffort"},
    ),
    (f"/kubepods/burstable/pod{UID}/{A}", {"container": A, "pod": UID, "qos": "burstable"}),
    (f"/kubepods/pod{UID}/{A}", {"container": A, "pod": UID, "qos": "guaranteed"}),
    (
        (
            f"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{UID_}.slice/"
            f"cri-containerd-{A}.scope"
        ),
        {"runtime": "containerd", "container": A, "pod": UID, "qos": "besteffort"},
    ),
    (
        f"/kubepods.slice/kubepods-pod{UID_}.slice/cri-containerd-{A}.scope",
        {"runtime": "containerd", "container": A, "pod": UID, "qos": "guaranteed"},
    ),
    (
        f"/system.slice/containerd.service/kubepods-burstable-pod{UID_}.slice:cri-containerd:{A}",
        {"runtime": "containerd", "container": A, "pod": UID, "qos": "burstable"},
    ),
    (
        f"/kubepods-besteffort-pod{UID_}.slice:cri-containerd:{A}",
        {"runtime": "containerd", "container": A, "pod": UID, "qos": "besteffort"},
    ),
    (
        (
            f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{STATIC}.slice/"
            f"cri-containerd-{A}.scope"
        ),
        {"runtime": "containerd", "container": A, "pod": STATIC, "qos": "burstable"},
    ),
    (f"/kubepods/burstable/pod{STATIC}/{A}", {"container": A, "pod": STATIC, "qos": "burstable"}),
    # the pod's own cgroup, and a prefix that a distribution puts before kubepods
    (f"/kubepods/besteffort/pod{UID}", {"pod": UID, "qos": "besteffort"}),
    (
        (
            f"/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{UID_}.slice/"
            f"cri-containerd-{A}.scope"
        ),
        {"runtime": "containerd", "container": A, "pod": UID, "qos": "guaranteed"},
    ),
    # cri-dockerd
    (
        (
            f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{UID_}.slice/"
            f"docker-{A}.scope"
        ),
        {"runtime": "docker", "container": A, "pod": UID, "qos": "burstable"},
    ),
    # CRI-O: systemd, cgroupfs, a container's own cgroup namespace, its monitor
    (
        (
            f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{UID_}.slice/"
            f"crio-{A}.scope"
        ),
        {"runtime": "cri-o", "container": A, "pod": UID, "qos": "burstable"},
    ),
    (
        f"/kubepods.slice/kubepods-pod{UID_}.slice/crio-{A}.scope/container",
        {"runtime": "cri-o", "container": A, "pod": UID, "qos": "guaranteed"},
    ),
    (
        f"/kubepods/burstable/pod{UID}/crio-{A}",
        {"runtime": "cri-o", "container": A, "pod": UID, "qos": "burstable"},
    ),
    (
        f"/kubepods.slice/kubepods-pod{UID_}.slice/crio-conmon-{A}.scope",
        {"pod": UID, "qos": "guaranteed", "unit": f"crio-conmon-{A}.scope"},
    ),
    (f"/kubepods/pod{UID}/crio-conmon-{A}", {"pod": UID, "qos": "guaranteed"}),
    # podman: systemd, cgroupfs (as seen), split, rootless, in a podman pod, its monitor
    (f"/machine.slice/libpod-{A}.scope", {"runtime": "podman", "container": A}),
    (f"/machine.slice/libpod-{A}.scope/container", {"runtime": "podman", "container": A}),
    (f"/libpod_parent/libpod-{A}", {"runtime": "podman", "container": A}),
    (f"/system.slice/web.service/libpod-payload-{A}", {"runtime": "podman", "container": A}),
    (
        f"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{A}.scope/container",
        {"runtime": "podman", "container": A},
    ),
    (
        f"/machine.slice/machine-libpod_pod_{B}.slice/libpod-{A}.scope",
        {"runtime": "podman", "container": A},
    ),
    (f"/machine.slice/libpod-conmon-{A}.scope", {"unit": f"libpod-conmon-{A}.scope"}),
    ("/system.slice/web.service/supervisor", {"unit": "web.service"}),
    # containerd without a kubelet
    (f"/default/{A}", {"runtime": "containerd", "container": A}),
    (f"/k8s.io/{A}", {"runtime": "containerd", "container": A}),
    (f"/system.slice/nerdctl-{A}.scope", {"runtime": "containerd", "container": A}),
    (f"/system.slice:nerdctl:{A}", {"runtime": "containerd", "container": A}),
    # one inside the other: kind, k3s in Docker, Docker in Docker, Docker in a pod
    (
        (
            f"/system.slice/docker-{A}.scope/kubelet.slice/kubelet-kubepods.slice/"
            f"kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-pod{UID_}.slice/"
            f"cri-containerd-{B}.scope"
        ),
        {"runtime": "containerd", "container": B, "pod": UID, "qos": "besteffort", "outer": (A,)},
    ),
    (
        f"/docker/{A}/kubelet/kubepods/burstable/pod{UID}/{B}",
        {"container": B, "pod": UID, "qos": "burstable", "outer": (A,)},
    ),
    (
        f"/docker/{A}/kubepods/pod{UID}/{B}",
        {"container": B, "pod": UID, "qos": "guaranteed", "outer": (A,)},
    ),
    (f"/docker/{A}/docker/{B}", {"runtime": "docker", "container": B, "outer": (A,)}),
    (
        f"/kubepods/burstable/pod{UID}/{A}/docker/{B}",
        {
            "runtime": "docker",
            "container": B,
            "pod": UID,
            "qos": "burstable",
            "outer": (A,),
        },
    ),
    # system containers and machines
    ("/lxc/web1", {"runtime": "lxc", "container": "web1"}),
    ("/lxc.payload.web1", {"runtime": "lxc", "container": "web1"}),
    ("/lxc.payload/web1", {"runtime": "lxc", "container": "web1"}),
    (
        "/lxc/100/ns/system.slice/cron.service",
        {"runtime": "lxc", "container": "100", "unit": "cron.service"},
    ),
    ("/lxc.monitor.web1", {}),
    (
        "/machine.slice/systemd-nspawn@build.service/payload/system.slice/ssh.service",
        {"runtime": "nspawn", "container": "build", "unit": "ssh.service"},
    ),
    ("/machine.slice/machine-my\\x2dbox.scope", {"runtime": "nspawn", "container": "my-box"}),
    (
        "/machine.slice/machine-qemu\\x2d1\\x2dvm.scope",
        {"unit": "machine-qemu\\x2d1\\x2dvm.scope"},
    ),
    # Amazon ECS on instances and on Fargate
    (f"/ecs/{STATIC}/{A}", {"container": A}),
    (f"/ecs/{STATIC}/{STATIC}-3243215671", {"container": f"{STATIC}-3243215671"}),
    # seen from inside a cgroup namespace
    (f"/../../pod{UID}/{A}", {"container": A, "pod": UID}),
    (f"/../{A}", {"container": A}),
    # no container
    ("/", {}),
    ("/system.slice/ssh.service", {"unit": "ssh.service"}),
    ("/init.scope", {"unit": "init.scope"}),
    (
        (
            "/user.slice/user-1000.slice/user@1000.service/app.slice/app-org.gnome.Terminal.slice/"
            "vte-spawn-3f.scope"
        ),
        {"unit": "vte-spawn-3f.scope"},
    ),
    ("/user.slice/user-0.slice/session-3.scope", {"unit": "session-3.scope"}),
    ("/system.slice/system-getty.slice/getty@tty1.service", {"unit": "getty@tty1.service"}),
    ("/process_api/47456288df5ba661952bb8282a09d3db", {}),
    (f"/a/{A}0", {}),
    (f"/a/{A.upper()}", {}),
    (f"/srv/pod{UID}/x", {}),
]


@pytest.mark.parametrize(("path", "says"), CASES, ids=[path[:70] for path, _ in CASES])
def test_what_a_path_says(path: str, says: dict[str, object]) -> None:
    assert read_path(path) == Cgroup(path, **says)  # type: ignore[arg-type]  # a table of fields


def test_every_convention_has_a_real_path() -> None:
    segments = [p.strip("/").split("/") for p, _ in CASES]
    pairs = {(a, b) for s in segments for a, b in zip(["", *s], s, strict=False)}
    for row in PATTERNS:
        assert any(
            row.form.fullmatch(name) and (row.parent is None or row.parent.fullmatch(above))
            for above, name in pairs
        ), row


HEX = st.text("0123456789abcdef", min_size=64, max_size=64)
UIDS = st.uuids().map(str)


def _alone(runtime: str, form: str) -> st.SearchStrategy[tuple[str, dict[str, object]]]:
    """A container that is in no pod, or in that of the container around it."""
    return HEX.map(lambda name: (form.format(name), {"runtime": runtime, "container": name}))


def _in_pod(runtime: str, form: str) -> st.SearchStrategy[tuple[str, dict[str, object]]]:
    """A container of a pod, below the kubelet with the driver cgroupfs or systemd."""

    def level(name: str, pod: str, qos: str, systemd: bool) -> tuple[str, dict[str, object]]:  # noqa: FBT001 - drawn
        says: dict[str, object] = {
            "runtime": runtime,
            "container": name,
            "pod": pod,
            "qos": qos,
        }
        own = "" if qos == "guaranteed" else qos
        if not systemd:
            above = f"kubepods/{own}/pod{pod}" if own else f"kubepods/pod{pod}"
            return f"{above}/{form.format(name)}", says
        stem = f"kubepods-{own}" if own else "kubepods"
        above = f"kubepods.slice/{stem}.slice" if own else "kubepods.slice"
        pod_slice = f"{stem}-pod{pod.replace('-', '_')}.slice"
        return f"{above}/{pod_slice}/{form.format(name)}", says

    qualities = st.sampled_from(("besteffort", "burstable", "guaranteed"))
    return st.builds(level, HEX, UIDS, qualities, st.booleans())


LEVELS = st.one_of(
    _alone("docker", "docker/{}"),
    _alone("docker", "system.slice/docker-{}.scope"),
    _alone("containerd", "system.slice/nerdctl-{}.scope"),
    _alone("podman", "machine.slice/libpod-{}.scope/container"),
    _in_pod("", "{}"),
    _in_pod("containerd", "cri-containerd-{}.scope"),
    _in_pod("cri-o", "crio-{}.scope"),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(LEVELS, min_size=1, max_size=4), st.sampled_from(("", "nginx.service", "a.scope")))
def test_containers_inside_of_containers_are_read_as_they_were_made(
    levels: list[tuple[str, dict[str, object]]], unit: str
) -> None:
    path = "/" + "/".join([part for part, _ in levels] + [unit] * bool(unit))
    pod = next((says for _, says in reversed(levels) if "pod" in says), {})
    says = {name: pod[name] for name in ("pod", "qos") if pod} | levels[-1][1]
    outer = tuple(says["container"] for _, says in levels[:-1])
    assert read_path(path) == Cgroup(path, unit=unit, outer=outer, **says)  # type: ignore[arg-type]  # a table of fields
    assert read_membership(f"3:cpu:/\n0::{path} (deleted)\n") == read_path(path)


@given(st.lists(st.text(max_size=80), max_size=6))
def test_any_path_is_read(parts: list[str]) -> None:
    path = "/".join(parts)
    assert read_path(path).path == path


@given(st.text(max_size=200))
def test_any_text_is_a_membership(text: str) -> None:
    assert read_membership(text).path
    assert read_mounts(text).layout in ("unified", "hybrid", "v1", "none")


V1 = f"""\
12:pids:/docker/{A}
11:memory:/docker/{A}
4:cpu,cpuacct:/docker/{A}
1:name=systemd:/docker/{A}
"""
HYBRID_V1_ONLY = f"""\
9:name=systemd:/system.slice/docker-{A}.scope
8:pids:/system.slice/docker-{A}.scope
0::/system.slice/docker.service
"""
HYBRID_POD = f"""\
9:pids:/kubepods/besteffort/pod{UID}/{A}
1:name=systemd:/
0::/kubepods/besteffort/pod{UID}/{A}
"""
HERE = """\
9:name=systemd:/
4:memory:/process_api/47456288df5ba661952bb8282a09d3db
0::/
"""


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (V1, f"/docker/{A}"),
        (HYBRID_V1_ONLY, f"/system.slice/docker-{A}.scope"),
        (HYBRID_POD, f"/kubepods/besteffort/pod{UID}/{A}"),
        (HERE, "/process_api/47456288df5ba661952bb8282a09d3db"),
        (
            "0::/user.slice/user-0.slice/session-3.scope\n",
            "/user.slice/user-0.slice/session-3.scope",
        ),
        (f"0::/docker/{A} (deleted)\n", f"/docker/{A}"),
        ("3:net_cls:/odd/place\n", "/odd/place"),
        ("5:name=odd:/a:b\n", "/a:b"),
        ("", "/"),
    ],
)
def test_the_telling_line_of_a_membership_is_found(text: str, path: str) -> None:
    assert read_membership(text).path == path


def test_the_unified_path_of_a_membership() -> None:
    assert unified_path(HYBRID_V1_ONLY) == "/system.slice/docker.service"
    assert unified_path("0::/x (deleted)\n") == "/x"
    assert unified_path(V1) == ""


UNIFIED = "35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
HYBRID = """\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
"""
LEGACY = "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime shared:1 master:2 - cgroup cgroup rw,cpu\n"


@pytest.mark.parametrize(
    ("mountinfo", "mounts"),
    [
        (UNIFIED, CgroupMounts("unified", "/sys/fs/cgroup")),
        (HYBRID, CgroupMounts("hybrid", "/sys/fs/cgroup/unified", ("/sys/fs/cgroup/cpu",))),
        (LEGACY, CgroupMounts("v1", "", ("/sys/fs/cgroup/cpu",))),
        ("", CgroupMounts("none", "")),
        (
            "35 24 0:30 / /a\\040b\\134c rw - cgroup2 cgroup2 rw\n",
            CgroupMounts("unified", "/a b\\c"),
        ),
        (UNIFIED + "99 24 0:30 / /mnt/c rw - cgroup2 none rw\n", CgroupMounts("unified", "/mnt/c")),
        # A cgroup of it that is mounted for a container in a container; the host's own tree, seen from a container.
        (
            UNIFIED + "99 24 0:30 /a/b /x/cgroup rw - cgroup2 none rw\n",
            CgroupMounts("unified", "/sys/fs/cgroup"),
        ),
        (
            "99 24 0:30 /../../.. /host/cgroup rw - cgroup2 none rw\n" + UNIFIED,
            CgroupMounts("unified", "/host/cgroup"),
        ),
    ],
)
def test_the_layout_follows_from_the_mounts(mountinfo: str, mounts: CgroupMounts) -> None:
    assert read_mounts(mountinfo) == mounts


def test_patterns_are_anchored_and_linear() -> None:
    assert all(isinstance(row.form, re.Pattern) for row in PATTERNS)
    assert read_path("/" + "kubepods-" * 2_000 + "x").container == ""
