"""A cgroup whose processes may not run one executable: an LSM program refuses it, whatever name the file is given.

A process outside runs it; one inside runs other files. Where the kernel takes no LSM programs, that is said, and what
one can use instead. A program that reads the file and maps it by itself, as a dynamic linker does, is not held up.

    python examples/16_no_exec.py
"""

import os
import shutil
import subprocess
import tempfile

import skep

EPERM = 1

refused = skep.InodeStorage(skep.u32)
guarded = skep.CgroupArray(1)
count = skep.Array(skep.u64, 1)


@skep.lsm("bprm_check_security")
def on_exec(bprm, result):
    if result != 0 or guarded.holds_current(0) != 1:
        return result
    if refused.lookup(bprm.file.f_inode) is None:
        return result
    count.increment(0)
    return -EPERM


def root() -> str:
    """Where cgroup2 is mounted."""
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        found = [line.split() for line in mounts]
    return next((at for _, at, kind, *_ in found if kind == "cgroup2"), "/sys/fs/cgroup")


def runs(program: str, cgroup: str = "") -> str:
    """How a new process fares that runs a program, in a cgroup where one is given."""
    enter = f"echo $$ >{cgroup}/cgroup.procs && " if cgroup else ""
    command = ["sh", "-c", f"{enter}exec {program}"]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    return "ran" if done.returncode == 0 else done.stderr.strip().rpartition(": ")[2]


def main() -> None:
    cgroup = f"{root()}/skep-example-{os.getpid()}"
    os.mkdir(cgroup)
    try:
        with tempfile.TemporaryDirectory() as folder, skep.load(on_exec) as live:
            tool, renamed = f"{folder}/tool", f"{folder}/renamed"
            shutil.copy("/bin/true", tool)
            os.link(tool, renamed)
            live[refused][tool] = 1
            live[guarded][0] = cgroup
            print("outside, the tool:", runs(tool))
            print("inside,  another: ", runs("/bin/true", cgroup))
            print("inside,  the tool:", runs(tool, cgroup))
            print("inside,  renamed: ", runs(renamed, cgroup))
            print("refused:", live[count][0])
    except skep.Unsupported as reason:
        print(reason)
    finally:
        os.rmdir(cgroup)


if __name__ == "__main__":
    main()
