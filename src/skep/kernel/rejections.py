"""The table of rejections: what the verifier says, what it means for a program in Python, a fix.

A row is taken when its pattern is found in a message of the log, and, where it has them, ``call``
in the name of the function that the failing instruction calls, ``last`` at the beginning of that
instruction, and ``after`` in a call made earlier on the path. The first row that fits is taken: the particular
stand before the general. Texts may name groups of the pattern and what ``verifier`` adds: call,
kind, type, expected, end, map_type, allowed, acquired, release.

The patterns cover Linux 5.5 to 7.3, whose words differ; they are kept as text, since most programs
never need them.
"""

from skep.kernel.rejected_references import ACQUIRED
from skep.kernel.rejected_sections import HELD, SECTIONS
from skep.kernel.rejection import Rejection

_BOUND = "test it before this line, `if i >= N: return 0`, or cut it off, `i & (N - 1)`"
_LOCALS = "put the large ones in a PerCpuArray(value, 1) and use lookup(0)"
_LOOP = "give the loop a smaller range(...), or decide less inside of it"
_DEFECT = "this is a defect of skep: please report it with the whole log"

TABLE: tuple[Rejection, ...] = (
    # What may be None
    Rejection(
        r"'map_value_or_null'|may be NULL here \(a nullable map value",
        "the result of a map lookup may be None here",
        "test it before this line: `if value is None: return 0`",
    ),
    Rejection(
        r"mem access '(?:ringbuf|alloc)_mem_or_null'|may be NULL here \(a nullable memory",
        "the result of reserve() may be None here: the ring can be full",
        "test it after reserve(): `if record is None: return 0`",
    ),
    Rejection(
        r"mem access '\w*ptr_or_null_\w*'|may be NULL here \(a nullable kernel object",
        "a pointer to a kernel object may be None here",
        "test it before this line: `if x is None: return 0`",
    ),
    Rejection(
        r"mem access '\w+_or_null\w*'|may be NULL here",
        "a pointer may be None here",
        "test it before this line: `if x is None: return 0`",
    ),
    Rejection(
        r"Possibly NULL pointer passed to|R\d type=\w+_or_null_?\w* expected=",
        "an argument of {call} may be None here",
        "test it before this line: `if x is None: return 0`",
    ),
    Rejection(
        r"pointer arithmetic on (?P<type>\w+)_or_null\w* prohibited",
        "a field of {type} is reached although it may be None here",
        "test it before this line: `if value is None: return 0`",
    ),
    *ACQUIRED,
    # Numbers used as addresses
    Rejection(
        r"mem access '(?:scalar|inv)'|an integer scalar here",
        "a view of the packet is used after a helper that may move the packet",
        "take the view again, `ctx.view(Type, offset)`, after that call",
        after=r"xdp_adjust|skb_(?:pull|change|adjust|store|vlan|set_tunnel)|csum_replace|redirect",
    ),
    Rejection(
        r"mem access '(?:scalar|inv)'|an integer scalar here",
        "memory is used through a number, not through a pointer that the kernel knows",
        "read it with skep.probe_read_kernel(buffer, address), or probe_read_user for a process's",
    ),
    # Packets
    Rejection(
        r"invalid access to packet|outside of the packet",
        "the packet is used beyond the part that was checked to be there",
        "take it with `ctx.view(Type, offset)` and return when that is None; at a place that is not constant, "
        "take a view there",
    ),
    Rejection(
        r"helper access to the packet is not allowed",
        "{call} cannot work on the packet in programs of kind {kind}",
        "copy the bytes into a local array and give it that",
    ),
    Rejection(
        r"cannot write into packet",
        "programs of kind {kind} may read the packet, not change it",
        "change packets in xdp or tcx programs",
    ),
    Rejection(
        r"BPF_ATOMIC (?:stores|loads) \w+ R\d+ (?P<type>\w+) is not allowed",
        "an atomic operation on {type}: it works on map values only",
        "keep the number in a map",
    ),
    # Bounds
    Rejection(
        r"^invalid zero-sized read$",
        "{call} takes a map with keys",
        "a ring has reserve() and output(), no lookup",
        call=r"^map_",
    ),
    Rejection(
        r"invalid zero-sized read(?:: |$)|(?:value|mem)_size=\d+ off=\d+ size=0\b",
        "the size that {call} gets may be 0",
        "test it before this line: `if size == 0: return 0`",
    ),
    Rejection(
        r"invalid access to [\w ]+, \w+_size=\d+ off=(?P<off>-\d+)",
        "memory is used before its beginning (byte {off})",
        "an index is not negative: keep it in a u32 or u64",
    ),
    Rejection(
        r"invalid access to [\w ]+, \w+_size=(?P<size>\d+) off=(?P<off>\d+) size=(?P<width>\d+)",
        "{call} uses memory up to byte {end}, which ends at byte {size}",
        "the size is too large on this path: bound it, `min(size, {size})`",
        call=r".",
    ),
    Rejection(
        r"invalid access to [\w ]+, \w+_size=(?P<size>\d+) off=(?P<off>\d+) size=(?P<width>\d+)",
        "memory is used up to byte {end}, and ends at byte {size}",
        "an index or size is too large on this path: " + _BOUND,
    ),
    Rejection(
        r"unbounded memory access|offset is unbounded",
        "an index or size has no upper limit here",
        _BOUND,
    ),
    Rejection(
        r"min value is negative, either use unsigned",
        "the size that {call} gets may be negative, or has no upper limit",
        "keep it in a u32 or u64 and bound it, `min(size, N)` or `size & (N - 1)`",
        call=r".",
    ),
    Rejection(
        r"min value is negative",
        "an index may be negative here",
        "keep it in a u32 or u64, or test it before: `if i < 0: return 0`",
    ),
    Rejection(
        r"math between \w+ pointer and|\w+ pointer offset -?\d+ is not|pointer be out of bounds",
        "an index may be negative here, or has no upper limit",
        "keep it in a u32 or u64, and " + _BOUND,
    ),
    Rejection(
        r"access outside bounds|The verifier cannot prove offset",
        "memory is used beyond its end, or an index has no limit",
        _BOUND,
    ),
    # Local memory
    Rejection(
        r"invalid (?:unbounded )?variable-offset",
        "a local array is used at an index or with a size that may lie outside of it",
        _BOUND,
    ),
    Rejection(
        r"invalid \w+ ?\w* \w+ stack R\d+ off -?\d+\+\d+ size|poisoned",
        "local memory is read before all of it was set",
        "make it with a value, `key = Key(...)` or `buffer = u8[16]()`, which also zeroes it",
    ),
    Rejection(
        r"stack R\d+ off=-(?:51[3-9]|5[2-9]\d|[6-9]\d\d|\d{4,})",
        "the local variables of a function have more than 512 bytes",
        _LOCALS,
    ),
    Rejection(
        r"invalid [\w ]+ stack R\d+ off=",
        "{call} may use local memory beyond its end",
        "the size is too large on this path: bound it, `min(size, N)`",
        call=r".",
    ),
    Rejection(
        r"invalid [\w ]+ stack R\d+ off=",
        "local memory is used beyond its end",
        _BOUND,
    ),
    Rejection(
        r"combined stack size of (?P<calls>\d+) calls is (?P<bytes>\d+)",
        "{calls} functions that call each other have {bytes} bytes of local variables, not 512",
        _LOCALS,
        calls=True,
    ),
    Rejection(
        r"misaligned (?P<what>\w+) access .*size (?P<size>\d+)",
        "a number of {size} bytes is used at an address that is no multiple of {size}",
        "lay the field out at a multiple of its size, or read it as u8[{size}]",
    ),
    # Flow
    Rejection(
        r"program is too large\. Processed (?P<count>\d+)",
        "the kernel gave up after {count} steps: too many turns of loops, or too many branches",
        _LOOP,
    ),
    Rejection(
        r"sequence of (?P<count>\d+) jumps is too complex",
        "the kernel gave up at {count} branches that it had not followed",
        _LOOP,
    ),
    Rejection(
        r"infinite loop detected",
        "a loop may never end: the kernel comes back to it with nothing changed",
        "use `for i in range(N)` with a constant N",
    ),
    Rejection(
        r"call stack of (?P<count>\d+) frames is too deep",
        "functions call each other more than 8 deep",
        "call fewer functions from functions; a small one can be written where it is used",
        calls=True,
    ),
    Rejection(
        # Only calls are no loops that a privileged program may have.
        r"recursive call|back-edge from insn",
        "a function calls itself",
        "use a loop: `for i in range(N)`",
    ),
    Rejection(
        r"At callback return the register R0 .*should have been in (?P<range>.*)",
        "a callback returns {allowed}",
        "return 0 to go on, 1 to stop",
    ),
    Rejection(
        r"register R1 .*should have been in (?P<range>.*)",
        "bpf_throw() is given the program's result, and programs of kind {kind} return {allowed}",
        "throw one of these numbers",
    ),
    Rejection(
        r"register R0 .*should have been in (?P<range>.*)",
        "programs of kind {kind} return {allowed}",
        "return one of these numbers on every path",
    ),
    Rejection(
        r"R0 !read_ok|R0 has never been initialized|R0 is not readable",
        "the program or a function of it ends without a result on this path",
        "end every path with return and a value",
        last=r"exit",
    ),
    Rejection(
        r"R\d+ !read_ok|R\d+ has never been initialized|R\d+ is not readable",
        "a variable is used that is not set on this path",
        "give it a value before the branches: `x = u64(0)`",
    ),
    Rejection(
        r"invalid shift (?P<bits>-?\d+)",
        "a number is shifted by {bits} bits, which it does not have",
        "shift by less than the number's width, or by a variable: that is cut off to it",
    ),
    Rejection(
        r"div by zero",
        "a number is divided by a constant 0",
        "divide by another number",
    ),
    # What a kind of program may do
    Rejection(
        r"expected prog array map|misconfigured verifier",
        "tail_call() takes a ProgArray",
        "declare one: `ProgArray(entries)`",
        call=r"tail_call",
    ),
    Rejection(
        r"invalid func |invalid helper function id",
        "this kernel does not have the helper that is called here",
        "use another helper, or a later kernel",
    ),
    Rejection(
        r"(?:cannot use helper|unknown func) bpf_(?P<name>\w+)#|helper call is not allowed in",
        "{call} is not for programs of kind {kind}",
        "use another helper, or another kind of program",
    ),
    Rejection(
        r"GPL-restricted|from non-GPL compatible",
        "{call} is for programs under the GPL",
        'give the program license="GPL"',
    ),
    Rejection(
        r"calling kernel function (?:bpf_)?(?P<name>\w+) is not allowed",
        "{name}() is not for programs of kind {kind}",
        "use a helper instead, or another kind of program",
    ),
    Rejection(
        r"failed to find the address for kernel symbol '(?P<name>\w+)'",
        "this kernel lists no addresses of variables, by which it would find {name}",
        "it takes a kernel with CONFIG_KALLSYMS_ALL; `skep features` tells by helper.this_cpu_ptr",
    ),
    Rejection(
        r"might sleep|non-sleepable prog",
        "{call} may wait, and programs of kind {kind} may not",
        "use the helper that does not wait (probe_read_user for copy_from_user)",
    ),
    Rejection(
        r"cannot pass map_type (?P<map>\d+) into func",
        "{call} does not work on a map of type {map_type}",
        "give it a map of the type that it is for",
    ),
    Rejection(
        r"cannot tail call|tail_calls? (?:is|are)? ?not allowed",
        "a tail call is not possible here",
        "make it in the program itself, not in a function or callback",
    ),
    Rejection(
        r"callback unexpected regs",
        "a tail call is not possible here",
        "make it in the program itself, not in a function or callback",
        call=r"tail_call",
    ),
    *SECTIONS,
    # Locks
    Rejection(
        r"without taking a lock|spin_unlock of different lock",
        "a lock is given back that is not held",
        "take it on every path before this line: `with value.lock:` does both",
    ),
    Rejection(
        r"calls are not allowed while holding a lock|Locking two bpf_spin_locks",
        "a second lock is taken while one is held",
        "give the first back before this line",
        call=r"spin_lock",
    ),
    Rejection(
        r"calls are not allowed while holding a lock",
        "a function is called while a lock is held",
        "call it before the lock is taken, and keep its result in a variable",
    ),
    Rejection(
        r"(?:bpf_\w+|kptr) cannot be accessed|direct access to \w+ is disallowed",
        "a lock, timer or pointer in a map value is used as if it were a number",
        "use it through its own methods; a whole value cannot be copied over it",
    ),
    Rejection(
        r"progs cannot use bpf_(?P<name>\w+)",
        "programs of kind {kind} cannot use a map whose values have a {name}",
        "use another kind of program; in place of a lock, atomic_add(...) may do",
    ),
    Rejection(
        r"spin_(?:un)?lock.*(?:missing|held)|inside bpf_\w*spin_lock\w*-ed region",
        "a lock that was taken is still held here",
        "give it back on every path before this line",
    ),
    # The context
    Rejection(
        r"func '(?P<name>\w+)' doesn't have",
        "{name} gives fewer arguments than this program takes",
        "take fewer parameters",
    ),
    Rejection(
        r"invalid bpf_context access off=(?P<off>\d+)",
        "programs of kind {kind} may not write this field of the context (byte {off})",
        "keep what you need in a map",
        last=r"\*\(|lock ",
    ),
    Rejection(
        r"invalid bpf_context access off=(?P<off>\d+)",
        "programs of kind {kind} may not read this field of the context (byte {off})",
        "take another field, or another kind of program",
    ),
    Rejection(
        r"invalid sock_common access",
        "this socket may be no full one, but a request or one that waits for the last packets: such have no mark, "
        "priority, protocol and type",
        "take the full one before: `sk = skep.sk_fullsock(sk)`, which is None where there is none",
    ),
    Rejection(
        r"variable ctx access",
        "the context is used at a place that is not constant",
        "read the fields by name into variables, then choose between them",
    ),
    Rejection(
        r"dereference of modified (?P<type>\w+) ptr|must be dereferenced in its original form",
        "a field of {type} is read through an address that was computed",
        "read the field directly, in each branch that needs it",
    ),
    Rejection(
        r"same insn cannot be used with different pointers",
        "one line works on two kinds of memory, depending on the path",
        "read the value in each branch, into a variable",
    ),
    *HELD,
    # Kernel objects
    Rejection(
        r"access beyond struct (?P<name>\w+) at off (?P<off>\d+)",
        "struct {name} ends before byte {off}: the object is not of the type that is read",
        "take the object from a function that gives the larger type (skc_to_tcp_sock)",
    ),
    Rejection(
        r"access beyond the end of member (?P<name>\w+)",
        "the array {name} is read beyond its end",
        _BOUND,
    ),
    Rejection(
        r"only read is supported",
        "a kernel object is written; programs may only read them",
        "change it through a helper, or keep what you need in a map",
    ),
    Rejection(
        r"is \w*ptr_(?P<name>\w+) invalid variable offset",
        "struct {name} is read at an index that is not constant",
        "copy it first, skep.probe_read_kernel(buffer, address), and index the copy",
    ),
    Rejection(
        r"is \w*ptr_(?P<name>\w+) invalid negative access",
        "struct {name} is read before its beginning",
        "read its fields by name",
    ),
    Rejection(
        r"access user memory",
        "the address belongs to a process, not to the kernel",
        "read it with skep.probe_read_user(buffer, address)",
    ),
    Rejection(
        r"access percpu memory",
        "the object exists once for each CPU",
        "take this CPU's: skep.this_cpu_ptr(x)",
    ),
    Rejection(
        r"cannot write into (?P<type>\w+)|write into map forbidden|cannot write into rdonly",
        "memory is written that a program may only read",
        "keep what you write in a map or a local variable",
    ),
    Rejection(
        r"kernel function \w+ args#\d+ expected pointer to \w+ (?P<wanted>\w+) but R\d has a "
        r"pointer to \w+ (?P<given>\w+)",
        "{call} takes a struct {wanted}, and gets a struct {given}",
        "give it an object of that type",
    ),
    Rejection(
        r"arg#\d+ pointer type \w+ (?P<wanted>\w+) must point to",
        "{call} takes a struct {wanted}, and gets something else",
        "give it an object that a function or an argument of the program gave",
    ),
    Rejection(
        r"must be referenced or trusted|neither owning or non-owning ref|reference has not been acquired before",
        "an allocated object is used here that the program has no more",
        "use it before it is dropped, or given to a list or a tree; what was taken out has a variable of its own",
        call=r"obj_drop|list_p|rbtree|refcount",
    ),
    Rejection(
        r"must be referenced or trusted|must be a rcu pointer|untrusted_ptr",
        "{call} takes an object that cannot go away; this one can",
        "acquire it first, or take it from the arguments of the program",
    ),
    Rejection(
        r"R\d type=(?P<type>\S+) expected=(?P<expected>\w+)",
        "{call} gets {type}, where it takes {expected}",
        "give it what it takes: a local variable, a map value or a record for memory",
    ),
    # Addresses as numbers
    Rejection(
        r"R\d is not a scalar|Caller passes invalid args into func#",
        "a global function is given an address, and takes a number",
        "pass the numbers that it needs; to follow the address there, use @skep.noinline instead",
    ),
    Rejection(
        r"pointer arithmetic (?:with|on)|pointer [-+]= pointer|32-bit pointer arithmetic"
        r"|bitwise operator|tried to subtract pointer|pointer comparison prohibited",
        "an address is used as a number",
        "compute with numbers; compare pointers with None only",
    ),
    # What the compiler should not have made
    Rejection(
        r"unreachable insn|jump out of range|last insn is not|unknown opcode|bpf_ld_imm64"
        r"|frame pointer is read only|reserved fields|func_info|line_info|not pointing to valid bpf_map|not eliminated"
        r"|verifier bug|verifier internal|INVARIANTS VIOLATION|misconfigured verifier",
        "the compiled program is not one that this kernel can read",
        _DEFECT,
    ),
)
