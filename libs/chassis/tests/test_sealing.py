"""Sealed secrets: read with the same key alone."""

import base64
from collections.abc import Callable

import pytest

from chassis.sealing import Unreadable, seal, sealing_key, unseal

KEY, OTHER = b"k" * 32, b"o" * 32


def test_what_is_sealed_is_read_with_the_same_key() -> None:
    sealed = seal("密钥".encode(), KEY)

    assert unseal(sealed, KEY).decode() == "密钥"
    assert seal("密钥".encode(), KEY) != sealed


@pytest.mark.parametrize(
    "broken",
    [lambda: "", lambda: "nothing", lambda: "a.b.c.d.e", lambda: seal(b"x", OTHER), lambda: seal(b"x", KEY)[:-4]],
    ids=["empty", "a word", "five parts", "of another key", "cut off"],
)
def test_what_this_key_did_not_seal_is_unreadable(broken: Callable[[], str]) -> None:
    with pytest.raises(Unreadable):
        unseal(broken(), KEY)


def test_a_key_is_32_bytes_of_base64() -> None:
    assert sealing_key(base64.b64encode(KEY).decode()) == KEY
    for wrong in ("", "not base64!", base64.b64encode(KEY[:-1]).decode()):
        with pytest.raises(ValueError, match="32 bytes"):
            sealing_key(wrong)
