"""Numbers that the kernel keeps in network order, which a program reads and writes as ordinary ones.

A typedef of the kernel's says so of most (``__be16``). Those of contexts are plain numbers with a comment beside them
in ``linux/bpf.h``: they are the table here. A port that fills 32 bits lies in the lower half of them, or is a number of
32 bits in network order.
"""

from skep.btf import types as btf
from skep.btf.reader import Btf
from skep.lang.types import ArrayType, IntType, be16, be32, be64
from skep.lang.values import BY_SHAPE, Type, be16_of_32

TYPEDEFS: dict[str, IntType] = {"__be16": be16, "__be32": be32, "__be64": be64}
_ENDS: dict[str, IntType] = {
    "remote_ip4": be32,
    "local_ip4": be32,
    "remote_ip6": be32,
    "local_ip6": be32,
}
CONTEXTS: dict[str, dict[str, IntType]] = {
    "__sk_buff": {**_ENDS, "remote_port": be32, "protocol": be16_of_32, "vlan_proto": be16_of_32},
    "bpf_sock": {"src_ip4": be32, "src_ip6": be32, "dst_ip4": be32, "dst_ip6": be32},
    "bpf_sock_addr": {
        "user_ip4": be32,
        "user_ip6": be32,
        "user_port": be16_of_32,
        "msg_src_ip4": be32,
        "msg_src_ip6": be32,
    },
    "bpf_sock_ops": {**_ENDS, "remote_port": be32},
    "bpf_sk_lookup": _ENDS,
    "sk_msg_md": {**_ENDS, "remote_port": be32},
    "sk_reuseport_md": {"eth_protocol": be16_of_32},
}
"""Fields of contexts by struct; of arrays, the type of an element."""


def of_typedef(reader: Btf, type_id: int) -> IntType | None:
    """The type of a number in network order, by the name of its typedef; None for any other."""
    kind = reader.type(type_id) if type_id else None
    while isinstance(kind, btf.Typedef | btf.Const | btf.Volatile | btf.TypeTag):
        if isinstance(kind, btf.Typedef) and kind.name in TYPEDEFS:
            return TYPEDEFS[kind.name]
        kind = reader.type(kind.type_id) if kind.type_id else None
    return None


def of_context(struct: str, name: str, kind: Type) -> Type:
    """The type of a field: one of a context may be in network order where its type does not say so."""
    order = CONTEXTS.get(struct, {}).get(name)
    if order is None:
        return kind
    if isinstance(kind, ArrayType):
        return ArrayType(order, kind.count)
    return order if kind is BY_SHAPE[order.bits, False] else kind
