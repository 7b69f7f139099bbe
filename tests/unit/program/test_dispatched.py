"""The form in which each subscriber of system calls is loaded. No kernel is asked where rates are given."""

from skep.kernel.dispatch.owner import Dispatcher
from skep.lang.programs import Program
from skep.lang.syscalls import CLASSIC, RAW, syscall, syscall_exit
from skep.program.dispatched import forms
from skep.program.machine import Machine
from tests.unit.lang.programs import nothing, one_call


def subscriber(number: object) -> None:
    """As many subscribers as are wanted."""


RARE = syscall("openat")(subscriber)
OFTEN = syscall("read")(subscriber)
OFTEN_AT_EXIT = syscall_exit("read")(subscriber)
UNKNOWN = syscall("a_call_of_later")(subscriber)
ALL = syscall()(subscriber)
RATES = {"read": 1e6, "openat": 1.0}


def kinds(*wanted: Program, rates: dict[str, float]) -> list[object]:
    return [one.kind for one in forms(wanted, Dispatcher(rates=rates), Machine(cache=""))]


def test_what_is_called_rarely_stays_as_it_is() -> None:
    dispatcher = Dispatcher(rates=RATES)
    assert forms([RARE, one_call], dispatcher, Machine(cache="")) == [RARE, one_call]


def test_all_of_a_side_are_hooked_where_it_is_cheaper_for_them_together() -> None:
    assert kinds(RARE, OFTEN, rates=RATES) == [RAW, RAW]
    assert kinds(RARE, OFTEN_AT_EXIT, rates=RATES) == [CLASSIC, RAW]
    assert kinds(RARE, ALL, rates=RATES) == [RAW, RAW]
    assert kinds(UNKNOWN, RARE, ALL, rates=RATES) == [CLASSIC, RAW, RAW]


def test_a_form_is_the_same_function_for_the_same_calls() -> None:
    (form,) = forms([OFTEN], Dispatcher(rates=RATES), Machine(cache=""))
    assert (form.function, form.calls, form.hook) == (OFTEN.function, OFTEN.calls, OFTEN.hook)


def test_who_wants_all_calls_and_who_wants_none_are_no_matter_of_choice() -> None:
    dispatcher = Dispatcher()
    assert forms([nothing, ALL], dispatcher, Machine(cache="")) == [nothing, ALL]
    assert dispatcher.rates is None
