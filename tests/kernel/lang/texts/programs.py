"""Programs with arrays of bytes and text: parts, comparison, search, and what is known beforehand."""

import skep
from skep import Global, Hash, Struct, char, s32, u8, u16, u32
from tests.kernel.lang.both import Given

PREFIX = "ab"
MISSING, GONE = "zsh", "ksh"
MAGIC = b"/a"


class Path(Struct):
    """A piece of text in a map, at an odd place."""

    length: u8
    name: char[21]
    raw: u8[10]
    words: u16[6]


class Kept(Struct):
    """What is kept."""

    path: Path
    other: Path


kept = Global(Kept)
paths = Hash(u32, Path, 8)


def noted(result: u32, bit: u32):
    """A truth value as a bit."""
    return result << 1 | bit


@skep.xdp
def parts(ctx):
    """Parts of arrays are copied, compared and set."""
    v = ctx.view(Given)
    if v is None:
        return 0
    local = u8[16]()
    local[2:10] = v.data[4:12]
    local[-3:] = b"xyz"
    local[:2] = v.data[:2]
    v.out[:16] = local
    v.out[20:24] = local[1:5]
    v.out[30:33] = b"\x01\x02\x03"
    words = u16[6]()
    words[1:3] = kept.path.words[3:5]
    words[2] += 7
    kept.path.words[0:2] = words[1:3]
    row = local[4:12]
    row[0] = 200
    return local[4] + len(row) + words[2]


@skep.xdp
def equal(ctx):
    """Bytes beside bytes that are known, and beside each other."""
    v = ctx.view(Given)
    if v is None:
        return 0
    n: u32 = 0
    n = noted(n, v.data[:1] == b"/")
    n = noted(n, v.data[1:4] != b"abb")
    n = noted(n, v.data[:2] == v.data[2:4])
    n = noted(n, v.data[8:24] == v.data[8:24])
    n = noted(n, v.data[5:7] == b"\0\0")
    n = noted(n, v.data.startswith(MAGIC))
    n = noted(n, not v.data.endswith(b"a"))
    n = noted(n, v.data[2:9].endswith(b"\0"))
    local = u8[12]()
    local[:] = v.data[3:15]
    n = noted(n, local == v.data[3:15] and local[1:] != v.data[3:14])
    return noted(n, local[4:8] == b"abab")


@skep.xdp
def sought(ctx):
    """Searches in bytes: in a packet, on the stack, in a map."""
    v = ctx.view(Given)
    if v is None:
        return 0
    kept.path.raw = v.data[10:20]
    local = u8[30]()
    local[:] = v.data[:30]
    n = v.data.find(b"/")
    n = n * 31 + local.find(b"ab")
    n = n * 31 + local.find(b"a/b")
    n = n * 31 + kept.path.raw.find(MAGIC)
    n += b"bb" in local
    n += b"bbb" not in v.data[:20]
    if b"b/" in kept.path.raw:
        n += 1000
    return n


@skep.xdp
def text(ctx):
    """Text ends at its first NUL."""
    v = ctx.view(Given)
    if v is None:
        return 0
    name = char[16]()
    name[:4] = v.data[:4]
    kept.path.name[:6] = v.data[2:8]
    n: u32 = 0
    n = noted(n, name == "ab")
    n = noted(n, name == "")
    n = noted(n, name.startswith(PREFIX))
    n = noted(n, name.endswith("b"))
    n = noted(n, "b" in name)
    n = noted(n, name[:4] == "abab")
    n = noted(n, kept.path.name.endswith("ba"))
    n = noted(n, kept.path.name == name)
    n = noted(n, name[:3] != kept.path.name[:3])
    found = name.find("a")
    return s32_of(n) * 10 + found


def s32_of(n: u32):
    """A small number with a sign."""
    return skep.s32(n)


@skep.xdp
def set_text(ctx):
    """Text that is known goes to fields, to new memory, and to keys."""
    v = ctx.view(Given)
    if v is None:
        return 0
    path = Path(name="hello", raw=b"0123456789")
    path.name = PREFIX
    if v.e & 1:
        path.name = "a name that is longer"
    paths[5] = path
    found = paths.lookup(5)
    if found is None:
        return 1
    found.name[1:3] = "XY"
    kept.other = found
    if v.e & 2:
        kept.other.name = ""
    v.out[:21] = found.name
    v.out[32:42] = found.raw
    return found.name.find("XY") + found.name.endswith("longer") * 100


@skep.xdp
def exact(ctx):
    """Text that fills its array has no NUL."""
    v = ctx.view(Given)
    if v is None:
        return 0
    name = char[4]()
    name[:] = v.data[:4]
    full = char[4]()
    full = name
    n: u32 = 0
    n = noted(n, full == "abab")
    n = noted(n, full.endswith("ab"))
    n = noted(n, full.endswith("abab"))
    n = noted(n, full.startswith("abab"))
    return noted(n, full.find("b") == 3)


@skep.tp_btf("sched_process_exec")
def of_tasks(task, old_pid, bprm):
    """Text of the kernel's objects."""
    comm = task.comm
    if comm == "true" and comm.startswith("tr") and comm.endswith("ue") and "ru" in task.comm:
        found = task.comm.find("u")
        names[task.tgid] = found if task.comm == comm and task.comm[1:4] == "rue" else 9


@skep.tp_btf("sched_process_exec")
def of_addresses(task, old_pid, bprm):
    """Text at addresses: of the kernel, and of the process."""
    path = skep.kernel_string(bprm.filename, 64)
    if not path.endswith("/true"):
        return
    argument = skep.user_string(task.mm.arg_start, 32)
    names[task.tgid] = 1 + (argument == "its own name") + (len(path) == 64) * 10


shells = Hash(char[8], u32, 8)


@skep.xdp
def keys(ctx):
    """Text that is known is a key."""
    shells["sh"] = 1
    shells.increment("sh", 4)
    found = shells.lookup("sh")
    if found is None or "fish" in shells or MISSING in shells:
        return 1
    del shells[GONE]
    return 2 if found == 5 and "bash" in shells else 0


stations = Hash(u8[6], u32, 8)
pairs = Hash(u32[2], u32, 8)


@skep.xdp
def arrays(ctx):
    """Arrays are keys."""
    stations[b"\x02\0\0\0\0\x01"] = 1
    pair = u32[2]()
    pair[1] = 7
    pairs[pair] = 2
    return 2 if b"abcdef" in stations else 1


names = Hash(u32, u32, 1024)
NAMES, MAGICS = frozenset({"ab", "a", "bb"}), (b"ab", b"ba", b"a/")


@skep.xdp
def one_of_several(ctx):
    """Text and bytes that are, or are not, one of several."""
    v = ctx.view(Given)
    if v is None:
        return 0
    kept.path.name[:] = "ab"
    kept.path.name[0] = v.data[0]
    kept.path.name[1] = v.data[1] * u8(v.e & 1)
    found = noted(kept.path.name in NAMES, kept.path.name not in ("b", "zsh", PREFIX))
    found = noted(found, v.data[:2] in MAGICS)
    for at in range(8):
        found = noted(found, v.data[at : at + 2] in (b"aa", b"bb"))
    return s32(found)


ALL = (parts, equal, sought, text, set_text, exact, one_of_several)
