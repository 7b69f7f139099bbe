"""A cgroup whose processes may not connect to one address. A process outside connects; one inside is refused.

python examples/06_refuse.py
"""

import os
import socket
import subprocess
import sys

import skep

REFUSED = 0x7F000002  # 127.0.0.2
REFUSE, ALLOW = 0, 1
CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])))"

attempts = skep.Array(skep.u64, 2)


@skep.cgroup("connect4")
def on_connect(ctx):
    verdict = REFUSE if ctx.user_ip4 == REFUSED else ALLOW
    attempts.increment(skep.u32(verdict))
    return verdict


def root() -> str:
    """Where cgroup2 is mounted."""
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        found = [line.split() for line in mounts]
    return next((at for _, at, kind, *_ in found if kind == "cgroup2"), "/sys/fs/cgroup")


def connects(address: str, port: int, cgroup: str = "") -> str:
    """How a new process fares that connects, in a cgroup where one is given."""
    command = [sys.executable, "-c", CONNECT, address, str(port)]
    if cgroup:
        command = ["sh", "-c", f'echo $$ >{cgroup}/cgroup.procs; exec "$@"', "sh", *command]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    return "connected" if done.returncode == 0 else done.stderr.strip().splitlines()[-1]


def main() -> None:
    cgroup = f"{root()}/skep-example-{os.getpid()}"
    os.mkdir(cgroup)
    try:
        with skep.load(on_connect) as live, socket.create_server(("0.0.0.0", 0)) as server:
            port = server.getsockname()[1]
            live.attach(on_connect, cgroup)
            print("outside, to 127.0.0.2:", connects("127.0.0.2", port))
            print("inside,  to 127.0.0.1:", connects("127.0.0.1", port, cgroup))
            print("inside,  to 127.0.0.2:", connects("127.0.0.2", port, cgroup))
            print("refused: {}, allowed: {}".format(*live[attempts].values()))
    finally:
        os.rmdir(cgroup)


if __name__ == "__main__":
    main()
