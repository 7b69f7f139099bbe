"""What a program says and hears through TLS, in plain text: taken where it calls OpenSSL's SSL_write and SSL_read.

It starts the program itself and probes no other process. Without a command, that is one that talks to itself. What a
call moved is known when it returns; the first 256 bytes are shown.

    python examples/15_tls.py [COMMAND...]
"""

import os
import signal
import subprocess
import sys

import skep

LIBRARY = "libssl.so.3"
WAYS = ("SSL_read", "SSL_write")
SHOWN = 256
TALK = """
import socket, ssl, threading
def end(server):
    how = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    how.check_hostname, how.verify_mode = False, ssl.CERT_NONE
    how.maximum_version = ssl.TLSVersion.TLSv1_2
    how.set_ciphers("aNULL:@SECLEVEL=0")  # without certificates
    return how
def serve():
    with end(True).wrap_socket(ours, server_side=True) as tls:
        tls.sendall(b"and hello to " + tls.recv(100))
ours, theirs = socket.socketpair()
threading.Thread(target=serve).start()
with end(False).wrap_socket(theirs) as tls:
    tls.sendall(b"the secret")
    tls.recv(100)
"""


class Said(skep.Record):
    size: skep.u64
    thread: skep.u32
    way: skep.u32
    data: skep.u8[SHOWN]


class Call(skep.Struct):
    data: skep.u64
    moved: skep.u64  # where the number of bytes will be; 0: it is the result


texts = skep.Ring(Said)
calls = skep.LruHash(skep.u64, Call, 1024)


@skep.uprobe()
def on_call(ssl, data):
    calls[skep.get_current_pid_tgid()] = Call(data)


@skep.uprobe()
def on_call_ex(ssl, data, size, moved):
    calls[skep.get_current_pid_tgid()] = Call(data, moved)


@skep.uretprobe()
def on_return(result: skep.s32):
    thread = skep.get_current_pid_tgid()
    call = calls.lookup(thread)
    if call is None or result <= 0:
        return
    text = texts.reserve()
    if text is None:
        return
    text.size = result
    if call.moved:
        skep.probe_read_user(text.size, call.moved)
    text.thread = skep.u32(thread)
    text.way = skep.u32(skep.get_attach_cookie())
    skep.probe_read_user(text.data, min(text.size, SHOWN), call.data)
    text.submit()


def main() -> None:
    command = sys.argv[1:] or [sys.executable, "-c", TALK]
    with skep.load(on_call, on_call_ex, on_return) as live:
        child = subprocess.Popen(["sh", "-c", 'kill -STOP $$; exec "$@"', "sh", *command])
        try:
            os.waitpid(child.pid, os.WUNTRACED)  # it has stopped, before it is the command
            for way, name in enumerate(WAYS):
                for one, place in ((on_call, name), (on_call_ex, f"{name}_ex")):
                    live.attach(one, f"{LIBRARY}:{place}", pid=child.pid)
                    live.attach(on_return, f"{LIBRARY}:{place}", pid=child.pid, cookie=way)
            os.kill(child.pid, signal.SIGCONT)
            show(live[texts], child)
        finally:
            child.kill()
            child.wait()


def show(ring: skep.LiveRing, child: subprocess.Popen[bytes]) -> None:
    """Print what comes, until the program has ended."""
    ended = False
    while not ended:
        ended = child.poll() is not None  # what came before that is in the ring by now
        for text in ring.poll(0 if ended else 0.1):
            data = bytes(text.data[: min(text.size, SHOWN)])
            print(f"{text.thread:8} {WAYS[text.way]:9} {text.size:6} {data!r}", flush=True)
    if ring.lost:
        print(f"{ring.lost} were lost: the ring was full")


if __name__ == "__main__":
    main()
