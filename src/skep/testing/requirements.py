"""Whether a test may be skipped for a feature that the kernel lacks, or must fail because the kernel should have it.

The kernel's probes say what is missing. It is accepted where the release is older than the feature, where a policy of
the host refuses it, where the kernel's own configuration says that it was built without, and where the machine and not
the kernel decides. Anything else is a defect of the probe, of the test or of skep, and must not hide behind a skip.
"""

import gzip
import platform
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from skep.base.frozen import frozen
from skep.base.similar import similar
from skep.kernel.probe_table import FEATURES
from skep.kernel.probes import Probe, State, probe
from skep.program.machine import Machine

MACHINE = (
    "cap.",
    "event.",
    "fs.",
    "helper.probe_write_user",
)  # of rights, processors, mounts and lockdown a kernel's release says nothing
# Features by the option of the kernel's configuration that they need, where Debian's or others' kernels lack one.
OPTIONS = {
    "helper.override_return": "CONFIG_BPF_KPROBE_OVERRIDE",
    "helper.this_cpu_ptr": "CONFIG_KALLSYMS_ALL",
    "kfunc.bpf_arena_alloc_pages": "CONFIG_MMU",
    "kfunc.bpf_skb_ct_lookup": "CONFIG_NF_CONNTRACK",
    "kfunc.bpf_xdp_ct_lookup": "CONFIG_NF_CONNTRACK",
    "kfunc.scx_bpf_dsq_insert": "CONFIG_SCHED_CLASS_EXT",
    "kind.kprobe": "CONFIG_KPROBE_EVENTS",
    "kind.kprobe_multi": "CONFIG_FPROBE",
    "kind.kprobe_session": "CONFIG_FPROBE",
    "kind.kretprobe": "CONFIG_KPROBE_EVENTS",
    "kind.kretprobe_multi": "CONFIG_FPROBE",
    "kind.kretsyscall": "CONFIG_KPROBE_EVENTS",
    "kind.ksyscall": "CONFIG_KPROBE_EVENTS",
    "kind.netkit_peer": "CONFIG_NETKIT",
    "kind.netkit_primary": "CONFIG_NETKIT",
    "link.kprobe": "CONFIG_KPROBE_EVENTS",
    "link.kprobe_multi": "CONFIG_FPROBE",
    "link.kprobe_session": "CONFIG_FPROBE",
    "link.netfilter": "CONFIG_NETFILTER_BPF_LINK",
    "link.netkit": "CONFIG_NETKIT",
    "link.tcx": "CONFIG_NET_XGRESS",
    "link.uprobe": "CONFIG_UPROBE_EVENTS",
    "link.uprobe_multi": "CONFIG_UPROBES",
    "map.xskmap": "CONFIG_XDP_SOCKETS",
    "prog.lirc_mode2": "CONFIG_BPF_LIRC_MODE2",
    "prog.lsm": "CONFIG_BPF_LSM",
    "prog.lsm_cgroup": "CONFIG_BPF_LSM",
    "prog.netfilter": "CONFIG_NETFILTER_BPF_LINK",
}


@frozen
class Verdict:
    """Whether the lack of a feature is accepted, and the sentence that says which and why."""

    accepted: bool
    reason: str


def judge(found: Probe, release: str, option: Callable[[str], bool | None]) -> Verdict:
    """Judge a feature that is not on. ``option`` tells whether the kernel has an option, None where nothing tells."""
    lack = f"{found.name}: {found.why}"
    if found.state is State.REFUSED or found.name.startswith(MACHINE):
        return Verdict(accepted=True, reason=lack)
    if not found.since or _numbers(release) < _numbers(found.since):
        return Verdict(accepted=True, reason=f"{found.name}: since Linux {found.since or 'later'}")
    wanted = OPTIONS.get(found.name)
    if wanted and option(wanted) is False:
        return Verdict(accepted=True, reason=f"{found.name}: this kernel has no {wanted}")
    return Verdict(
        accepted=False, reason=f"{lack}; yet Linux {found.since} brought it, and this is {release}"
    )


def _numbers(release: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", release)[:2])


def configured(option: str) -> bool | None:
    """Whether the running kernel was built with ``option``; None where its configuration cannot be read."""
    text = _configuration()
    return None if text is None else re.search(rf"^{option}=[ym]$", text, re.MULTILINE) is not None


def _configuration() -> str | None:
    try:
        with gzip.open("/proc/config.gz", "rt", encoding="ascii") as config:
            return config.read()
    except OSError:
        pass
    try:
        with open(f"/boot/config-{platform.release()}", encoding="ascii") as config:
            return config.read()
    except OSError:
        return None


@dataclass(slots=True)
class Requirements:
    """The features that were asked for so far, each probed once."""

    verdicts: dict[str, Verdict | None] = field(default_factory=dict)

    def lack(self, feature: str) -> Verdict | None:
        """None where the running kernel offers ``feature``; one that no probe is for is never accepted."""
        if feature not in FEATURES:
            near = similar(feature, FEATURES)
            hint = f"did you mean {near!r}?" if near else "`skep features` lists them"
            return Verdict(accepted=False, reason=f"there is no feature {feature!r}; {hint}")
        if feature not in self.verdicts:
            found = probe(feature, Machine().btf)
            judged = None if found.on else judge(found, platform.release(), configured)
            self.verdicts[feature] = judged
        return self.verdicts[feature]
