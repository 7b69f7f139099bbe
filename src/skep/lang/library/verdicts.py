"""What programs on packets answer, by the kernel's names."""

from enum import IntEnum


class Xdp(IntEnum):
    """Verdicts of XDP (``enum xdp_action``)."""

    ABORTED = 0
    DROP = 1
    PASS = 2
    TX = 3
    REDIRECT = 4


class Tc(IntEnum):
    """Verdicts of tc and netkit (``enum tcx_action_base``): NEXT goes on in the next program, PASS past all others."""

    NEXT = -1
    PASS = 0
    DROP = 2
    REDIRECT = 7
