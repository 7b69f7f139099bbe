"""Where things lie in the kernel's structs that are looked for under other names, as tools and pages call them."""

import ast
import keyword
from collections.abc import Iterable

from skep.base.similar import similar

SOCKET = {
    "dport": "__sk_common.skc_dport",
    "sport": "__sk_common.skc_num",
    "daddr": "__sk_common.skc_daddr",
    "saddr": "__sk_common.skc_rcv_saddr",
    "family": "__sk_common.skc_family",
    "state": "__sk_common.skc_state",
    **{
        f"sk_{name}": f"__sk_common.skc_{name}"
        for name in (
            *("family", "state", "num", "dport", "daddr", "rcv_saddr", "v6_daddr", "v6_rcv_saddr"),
            *("net", "bound_dev_if", "prot", "cookie", "hash", "refcnt", "reuse", "reuseport"),
        )
    },
}
INET = {
    f"inet_{name}": f"sk.__sk_common.skc_{name}" for name in ("daddr", "rcv_saddr", "dport", "num")
}
"""What are macros in C, of a socket and of one of IP."""
KNOWN = {
    "task_struct": {
        "name": "comm",
        "tid": "pid",
        "ppid": "real_parent.tgid",
        "uid": "cred.uid.val",
        "gid": "cred.gid.val",
        "euid": "cred.euid.val",
        "state": "__state",
        "exe": "mm.exe_file",
        "pid_ns": "nsproxy.pid_ns_for_children",
    },
    "sock": SOCKET,
    "inet_sock": INET,
    "file": {"name": "f_path.dentry.d_name.name", "path": "f_path", "inode": "f_inode"},
    "dentry": {"name": "d_name.name", "inode": "d_inode"},
    "inode": {"ino": "i_ino", "mode": "i_mode", "size": "i_size"},
    "linux_binprm": {"path": "filename", "name": "filename", "comm": "filename"},
}
"""By struct: the word, and the way through the fields of a kernel of today."""
UNTOLD = ("_pad", "common_")
"""Fields that an error does not offer: padding, and what each tracepoint has."""
FEW = 12


def meant(node: ast.AST, struct: str, name: str, fields: Iterable[str]) -> str:
    """What to write for a field that a struct has not, at ``node``; "" where nothing is near."""
    names = list(fields)
    way = KNOWN.get(struct, {}).get(name, "")
    if way.partition(".")[0] in names:
        return f"it is .{way}"
    near = similar(name, names)
    if near and keyword.iskeyword(near) and isinstance(node, ast.Attribute):
        return f'did you mean getattr({ast.unparse(node.value)}, "{near}")?'
    shown = [one for one in names if not one.startswith(UNTOLD)]
    all_of_few = f"it has {', '.join(shown)}" if 0 < len(shown) <= FEW else ""
    return f"did you mean {near!r}?" if near else all_of_few
