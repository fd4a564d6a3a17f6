# SPDX-License-Identifier: Apache-2.0
"""The lines that a probe and a service exchange."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doctor_maintenance.probe import Responder
from doctor_maintenance.probe.wire import (
    answer,
    check_nonce,
    decode_answer,
    encode_probe,
    encode_suffix,
)


def test_the_lines_are_as_documented() -> None:
    suffix = encode_suffix(Responder("app-0", "1234"))

    assert encode_probe(17, "run1") == b"17 run1"
    assert answer(b"17 run1", suffix) == b"17 run1 app-0 1234"
    assert decode_answer(b"17 run1 app-0 1234", "run1") == (17, Responder("app-0", "1234"))


def test_a_guest_that_knows_only_its_name_is_who_by_its_name() -> None:
    decoded = decode_answer(b"0 n guest-a", "n")

    assert decoded == (0, Responder("guest-a"))
    assert decoded[1].who == "guest-a"


@given(
    st.integers(0, 10**17),
    st.text(min_size=1, max_size=60).filter(lambda text: text.isprintable() and text.strip()),
    st.uuids(),
)
def test_a_name_with_spaces_survives_the_way(seq: int, name: str, instance_id: object) -> None:
    line = answer(encode_probe(seq, "n"), encode_suffix(Responder(name, str(instance_id))))

    assert line is not None
    decoded = decode_answer(line, "n")
    assert decoded == (seq, Responder(name, str(instance_id)))


@pytest.mark.parametrize(
    "line", [b"", b"x", b"1", b"-1 n", b"1 n\x00", b"1 " + b"n" * 65, b"1" * 19 + b" n", b"1 n n"]
)
def test_what_is_no_probe_is_not_answered(line: bytes) -> None:
    assert answer(line, b" a b") is None


@pytest.mark.parametrize(
    "line", [b"", b"1", b"1 other a b", b"x n a b", b"1 n", b"1 n ", b"9" * 19 + b" n a", b"\xff"]
)
def test_what_is_no_answer_to_us_is_ignored(line: bytes) -> None:
    assert decode_answer(line, "n") is None


@given(st.binary(max_size=100))
def test_no_packet_can_hurt_either_side(line: bytes) -> None:
    answer(line, b" a b")
    decode_answer(line, "n")


def test_a_name_cannot_begin_another_line() -> None:
    assert encode_suffix(Responder("a\nb", "c")) == b" a?b c"


@pytest.mark.parametrize("nonce", ["", "a b", "a\n", "x" * 65])
def test_a_nonce_that_would_break_the_line_is_refused(nonce: str) -> None:
    with pytest.raises(ValueError, match="nonce"):
        check_nonce(nonce)
