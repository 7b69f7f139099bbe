"""Programs that encrypt: one makes a cipher with its key, and keeps it for others."""

import skep
from skep import Array, CryptoReference, Struct, char, s32, u8, u32

create, release = skep.kfunc("bpf_crypto_ctx_create"), skep.kfunc("bpf_crypto_ctx_release")
encrypt, decrypt = skep.kfunc("bpf_crypto_encrypt"), skep.kfunc("bpf_crypto_decrypt")


class Params(Struct):
    """``struct bpf_crypto_params``."""

    type: char[14]
    reserved: u8[2]
    algo: char[128]
    key: u8[256]
    key_len: u32
    authsize: u32


class Cipher(Struct):
    """What is kept."""

    context: CryptoReference


class Blocks(Struct):
    """What is encrypted, and what comes out."""

    plain: u8[16]
    secret: u8[16]
    again: u8[16]


params, ciphers, blocks = Array(Params, 1), Array(Cipher, 1), Array(Blocks, 1)


@skep.syscall_program()
def begins():
    """A cipher is made where the kernel may wait."""
    asked, kept, error = params.lookup(0), ciphers.lookup(0), s32[1]()
    if asked is None or kept is None:
        return -1
    made = create(asked, error)
    if made is None:
        return error[0]
    kept.context.set(made)
    release(made)
    return 0


@skep.tc("ingress")
def encrypts(ctx):
    """It is used where packets pass."""
    kept, here = ciphers.lookup(0), blocks.lookup(0)
    if kept is None or here is None:
        return 1
    cipher = kept.context.get()
    if cipher is None:
        return 3
    plain, secret, again = skep.Dynptr(), skep.Dynptr(), skep.Dynptr()
    skep.dynptr_from_mem(here.plain, 0, plain)
    skep.dynptr_from_mem(here.secret, 0, secret)
    skep.dynptr_from_mem(here.again, 0, again)
    if encrypt(cipher, plain, secret, None) != 0 or decrypt(cipher, secret, again, None) != 0:
        return 4
    return 2
