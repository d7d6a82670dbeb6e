"""The undo stack by itself."""

from __future__ import annotations

import signal
import threading

import pytest

from nitro.cloud.errors import ApiError
from nitro.cloud.teardown import RENEWAL_PAUSES, SEARCH_PAUSES, Keep, Lifetime, Undo
from nitro.errors import Interrupted, NitroError
from nitro.progress import Reporter


class Notes(Reporter):
    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def filled(undo: Undo, removed: list[str]) -> None:
    for name, kind in (
        ("image", Lifetime.IMAGE),
        ("object", Lifetime.SCRATCH),
        ("group", Lifetime.INSTANCE),
        ("instance", Lifetime.INSTANCE),
    ):
        undo.push(name, kind, id=name, remove=removed.append)


@pytest.mark.parametrize(
    ("keep", "gone"),
    [
        (Keep.NOTHING, ["instance", "group", "object", "image"]),
        (Keep.IMAGE, ["instance", "group", "object"]),
        (Keep.INSTANCE, ["object"]),
    ],
)
def test_success_keeps_what_was_asked_for(keep: Keep, gone: list[str]) -> None:
    removed: list[str] = []
    with Undo(keep) as undo:
        filled(undo, removed)
    assert removed == gone
    assert len(undo.kept) == 4 - len(gone)


@pytest.mark.parametrize("keep", list(Keep))
@pytest.mark.parametrize("proven", [False, True])
@pytest.mark.parametrize("failure", [ZeroDivisionError, KeyboardInterrupt, Interrupted])
def test_failure_keeps_what_is_proven_and_shows_through(
    keep: Keep, proven: bool, failure: type[BaseException]
) -> None:
    """An interrupted run keeps nothing: its user has thought better of it."""
    removed: list[str] = []
    error = Interrupted if failure is KeyboardInterrupt else failure
    report = Notes()
    with pytest.raises(error), Undo(keep, report) as undo:  # noqa: PT012
        filled(undo, removed)
        undo.entries[0].proven = undo.entries[1].proven = proven
        raise failure("x")
    kept = proven and keep is not Keep.NOTHING and failure is ZeroDivisionError
    assert removed == ["instance", "group", "object", *(() if kept else ("image",))]
    assert ("the image is kept: the next run goes on from it" in report.notes) == kept


def test_one_failure_does_not_stop_the_rest() -> None:
    removed: list[str] = []

    def fail(id_: str) -> None:
        raise NitroError("still in use")

    report = Notes()
    left = pytest.raises(NitroError, match="could not remove stubborn")
    with left, Undo(report=report) as undo:
        undo.push("first", Lifetime.INSTANCE, id="first", remove=removed.append)
        undo.push("stubborn", Lifetime.INSTANCE, id="x", remove=fail)
        undo.push("last", Lifetime.INSTANCE, id="last", remove=removed.append)
    assert removed == ["last", "first"]
    assert report.notes == ["could not remove stubborn: still in use"]


@pytest.mark.parametrize("renewed_after", [2, len(RENEWAL_PAUSES), 100])
def test_expired_credentials_may_be_renewed_during_the_clean_up(renewed_after: int) -> None:
    """For a while, all in all; a credential that has expired for good holds nothing up."""
    report, removed, slept = Notes(), list[str](), list[float]()
    refusals = iter(range(renewed_after))

    def remove(id_: str) -> None:
        if next(refusals, None) is not None:
            raise ApiError("it has expired", hint=None, code="RequestExpired")
        removed.append(id_)

    undo = Undo(Keep.NOTHING, report=report, sleep=slept.append)
    for name in ("group", "instance"):
        undo.push(name, Lifetime.INSTANCE, id=name, remove=remove)
    left = undo.unwind(Keep.NOTHING)
    renewed = renewed_after <= len(RENEWAL_PAUSES)
    assert (removed, left) == (
        (["instance", "group"], []) if renewed else ([], ["instance", "group"])
    )
    assert slept == list(RENEWAL_PAUSES[:renewed_after])
    assert len(report.notes) == len(left)


def test_what_was_not_heard_of_is_looked_for() -> None:
    removed: list[str] = []
    looks = iter([[], [], ["i-1", "i-2"]])
    with (
        pytest.raises(Interrupted),
        Undo(sleep=lambda _: None) as undo,
        undo.making("x", Lifetime.INSTANCE, find=lambda: next(looks), remove=removed.append),
    ):
        raise KeyboardInterrupt
    assert removed == ["i-1", "i-2"]


@pytest.mark.parametrize(("unclear", "searched"), [(False, 0), (True, 1)])
def test_a_clear_refusal_made_nothing(unclear: bool, searched: int) -> None:
    looked: list[str] = []

    def find() -> list[str]:
        looked.append("")
        return ["id"]

    error = ApiError("no", hint=None, code="X", may_have_happened=unclear)
    with (
        pytest.raises(ApiError),
        Undo() as undo,
        undo.making("x", Lifetime.INSTANCE, find=find, remove=lambda _: None),
    ):
        raise error
    assert len(looked) == searched


def test_a_second_interrupt_abandons_the_rest_and_names_it() -> None:
    removed: list[str] = []

    def impatient(id_: str) -> None:
        signal.raise_signal(signal.SIGINT)
        removed.append(id_)
        signal.raise_signal(signal.SIGINT)

    report = Notes()
    with pytest.raises(Interrupted) as caught, Undo(report=report) as undo:  # noqa: PT012
        undo.push("bucket", Lifetime.IMAGE, id="bucket", remove=removed.append)
        undo.push("slow instance", Lifetime.INSTANCE, id="i-1", remove=impatient)
        undo.push("client", Lifetime.INSTANCE, id="i-2", remove=removed.append)
        raise KeyboardInterrupt
    assert removed == ["i-2", "i-1"]
    assert caught.value.what == "interrupted; left behind: slow instance, bucket"
    assert "nitro destroy" in str(caught.value.hint)
    assert report.notes == [
        "still cleaning up; press Ctrl-C again to leave the rest behind",
        "clean-up abandoned; left behind: slow instance, bucket",
    ]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


class SignalsAtCleanUp(Notes):
    """A second signal arrives just when the clean-up begins."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number

    def stage(self, title: str):
        signal.raise_signal(self._number)
        return super().stage(title)


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_two_signals_in_a_moment_do_not_skip_the_clean_up(first: int, second: int) -> None:
    removed: list[str] = []
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(Interrupted), Undo(report=SignalsAtCleanUp(second)) as undo:  # noqa: PT012
        undo.push("instance", Lifetime.INSTANCE, id="i-1", remove=removed.append)
        signal.raise_signal(first)
    assert removed == ["i-1"]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_taken_back_early_is_not_taken_back_twice() -> None:
    removed: list[str] = []
    with Undo(Keep.NOTHING) as undo:
        entry = undo.push("object", Lifetime.SCRATCH, id="key", remove=removed.append)
        undo.remove(entry)
        assert removed == ["key"]
    assert removed == ["key"]


def test_nested_stacks_unwind_from_the_inside_and_tell_once() -> None:
    removed: list[str] = []
    with pytest.raises(Interrupted) as caught, Undo(Keep.INSTANCE) as outer:  # noqa: PT012
        outer.push("server", Lifetime.INSTANCE, id="server", remove=removed.append)
        with Undo(Keep.INSTANCE) as inner:
            inner.push("client", Lifetime.INSTANCE, id="client", remove=removed.append)
            raise KeyboardInterrupt
    assert removed == ["client", "server"]
    assert caught.value.what == "interrupted"


def test_a_defect_in_one_removal_does_not_stop_the_rest() -> None:
    removed: list[str] = []

    def broken(id_: str) -> None:
        raise KeyError(id_)

    left = pytest.raises(NitroError, match="could not remove broken")
    with left, Undo(Keep.NOTHING) as undo:
        undo.push("first", Lifetime.INSTANCE, id="first", remove=removed.append)
        undo.push("broken", Lifetime.INSTANCE, id="x", remove=broken)
    assert removed == ["first"]


def test_what_was_not_heard_of_is_looked_for_with_pauses() -> None:
    pauses: list[float] = []
    with (
        pytest.raises(ZeroDivisionError),
        Undo(sleep=pauses.append) as undo,
        undo.making("x", Lifetime.INSTANCE, find=list, remove=lambda _: None),
    ):
        raise ZeroDivisionError
    assert pauses == list(SEARCH_PAUSES)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_either_signal_during_the_clean_up_is_told_to_wait_and_handlers_are_put_back(
    number: signal.Signals,
) -> None:
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    removed: list[str] = []
    report = Notes()

    def interrupted(id_: str) -> None:
        signal.raise_signal(number)
        removed.append(id_)

    with Undo(Keep.NOTHING, report=report) as undo:
        undo.push("first", Lifetime.INSTANCE, id="first", remove=removed.append)
        undo.push("last", Lifetime.INSTANCE, id="last", remove=interrupted)
    assert removed == ["last", "first"]
    assert report.notes == ["still cleaning up; press Ctrl-C again to leave the rest behind"]
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_thread_that_cleans_up_holds_no_signal_back() -> None:
    begun, go_on = threading.Event(), threading.Event()
    removed: list[str] = []

    def remove(id_: str) -> None:
        begun.set()
        go_on.wait(10)
        removed.append(id_)

    def work() -> None:
        with Undo(Keep.NOTHING) as undo:
            undo.push("client", Lifetime.INSTANCE, id="client", remove=remove)

    thread = threading.Thread(target=work)
    try:
        with pytest.raises(Interrupted), Undo(Keep.NOTHING):  # noqa: PT012
            thread.start()
            assert begun.wait(10)
            signal.raise_signal(signal.SIGTERM)
    finally:
        go_on.set()
        thread.join()
    assert removed == ["client"]


def test_what_an_ended_wait_leaves_is_removed_outside_without_a_note() -> None:
    removed: list[str] = []
    report = Notes()

    def remove(id_: str) -> None:
        removed.append(id_)
        if len(removed) == 1:
            raise Interrupted("interrupted")

    with Undo(Keep.NOTHING, report=report) as outer:
        with Undo(Keep.NOTHING, report=report, outer=outer) as inner:
            inner.push("client", Lifetime.INSTANCE, id="client", remove=remove)
        assert removed == ["client"]
    assert removed == ["client", "client"]
    assert report.notes == []
