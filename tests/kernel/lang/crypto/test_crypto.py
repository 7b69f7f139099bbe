"""A cipher is kept in a value and used by programs that could not make it."""

import pytest

import skep
from tests.kernel.lang.crypto import programs as p
from tests.kernel.lang.crypto.programs import Params

KEY = bytes(range(16))
PLAIN = bytes.fromhex("00112233445566778899aabbccddeeff")
SECRET = bytes.fromhex("69c4e0d86a7b0430d8cdb78070b4c55a")
"""The example of FIPS 197, appendix C.1."""


@pytest.mark.requires("kfunc.bpf_crypto_ctx_create")
def test_a_cipher_is_kept_and_used() -> None:
    with skep.load(p.begins, p.encrypts, attach=False) as live:
        assert live.programs["encrypts"].test_run(bytes(64)).retval == 3
        live[p.params][0] = Params(
            "skcipher", algo="ecb(aes)", key=KEY.ljust(256, b"\0"), key_len=16
        )
        live[p.blocks][0] = p.Blocks(plain=PLAIN)
        assert live.run(p.begins, b"").verdict == 0
        assert live.programs["encrypts"].test_run(bytes(64)).retval == 2
        done = live[p.blocks][0]
        assert (bytes(done.secret), bytes(done.again)) == (SECRET, PLAIN)
