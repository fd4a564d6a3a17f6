# SPDX-License-Identifier: Apache-2.0
"""An event that is waited for: set by any thread, by a handler, or given up by what a handler raises."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable

import pytest

from doctor_maintenance.interruptible import InterruptibleEvent

MANY = 300_000
"""More than the operating system keeps of bytes that nobody reads."""


def on_another_thread(function: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    return thread


def hit_a_thread_and_wait(event: InterruptibleEvent) -> None:
    """Send a signal to a thread that is not the main one, and wait."""
    on_another_thread(lambda: signal.pthread_kill(threading.get_ident(), signal.SIGUSR1))
    event.wait()


def test_it_is_over_when_another_thread_sets_it() -> None:
    with InterruptibleEvent() as event:
        assert not event.is_set()
        setting = on_another_thread(event.set)
        event.wait()
        setting.join()
        assert event.is_set()


def test_what_was_set_before_is_not_waited_for() -> None:
    with InterruptibleEvent() as event:
        event.set()
        event.wait()


def test_setting_it_without_end_blocks_nobody() -> None:
    with InterruptibleEvent() as event:
        for _ in range(MANY):
            event.set()
        event.wait()


def test_setting_it_after_it_was_left_is_no_error() -> None:
    with InterruptibleEvent() as event:
        pass
    event.set()
    assert event.is_set()


def test_what_a_handler_raises_ends_the_wait_whichever_thread_the_signal_came_to() -> None:
    before = signal.signal(signal.SIGUSR1, signal.default_int_handler)
    try:
        with InterruptibleEvent() as event:
            with pytest.raises(KeyboardInterrupt):
                hit_a_thread_and_wait(event)
            assert not event.is_set()
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_handler_that_sets_it_ends_the_wait() -> None:
    with InterruptibleEvent() as event:
        before = signal.signal(signal.SIGUSR1, lambda *_: event.set())
        try:
            hit_a_thread_and_wait(event)
        finally:
            signal.signal(signal.SIGUSR1, before)


def test_a_thread_that_gets_no_signals_may_wait_too() -> None:
    over = threading.Event()

    def wait() -> None:
        with InterruptibleEvent() as event:
            on_another_thread(event.set)
            event.wait()
            over.set()

    on_another_thread(wait)
    assert over.wait(10)


def test_who_was_woken_by_signals_before_is_again_afterwards() -> None:
    with InterruptibleEvent() as outer:
        with InterruptibleEvent():
            pass
        before = signal.signal(signal.SIGUSR1, lambda *_: outer.set())
        try:
            hit_a_thread_and_wait(outer)
        finally:
            signal.signal(signal.SIGUSR1, before)
