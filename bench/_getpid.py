"""A loop of getpid without Python in it: ``python -m bench._getpid CALLS`` prints CPU ns per call.

The loop is machine code made by LLVM in this process, so that no C compiler is needed.
"""

import ctypes  # noqa: TID251 - calls a loop of machine code, not the kernel
import os
import sys
import time

import llvmlite.binding as llvm  # noqa: TID251 - makes the loop; nothing of skep runs here

LOOP = """
define i64 @loop(i64 %calls) {
entry:
  br label %body
body:
  %i = phi i64 [ 0, %entry ], [ %next, %body ]
  %pid = call i64 asm sideeffect "syscall", "={rax},{rax},~{rcx},~{r11},~{memory}"(i64 39)
  %next = add i64 %i, 1
  %more = icmp ult i64 %next, %calls
  br i1 %more, label %body, label %end
end:
  ret i64 %pid
}
"""


def main(calls: int) -> float:
    """CPU ns per call on the last CPU of those allowed."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    llvm.initialize_native_asmparser()
    module = llvm.parse_assembly(LOOP)
    machine = llvm.Target.from_default_triple().create_target_machine()
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    loop = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(engine.get_function_address("loop"))
    loop(calls // 20)
    start = time.process_time_ns()
    pid = loop(calls)
    used = time.process_time_ns() - start
    if pid != os.getpid():
        raise RuntimeError(f"getpid gave {pid}")
    return used / calls


if __name__ == "__main__":
    print(main(int(sys.argv[1])))
