"""Lets one press of Ctrl-C end the work, even where something between swallows the exception that it raises.

Python raises it wherever the program is just then. Where a library has called back and makes another error of it, or an
object is ended that nobody needs any more, the exception is lost; the press is not.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class _Press:
    """Whether Ctrl-C was pressed."""

    is_there = False


@contextmanager
def one_press_ends() -> Iterator[None]:
    """Remember a press while this lasts. Where whoever began the process ignores it, or handles it, that stays so."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    hook = sys.unraisablehook
    _Press.is_there = False
    signal.signal(signal.SIGINT, _remember)
    sys.unraisablehook = lambda lost: None if issubclass(lost.exc_type, KeyboardInterrupt) else hook(lost)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.unraisablehook = hook
        _Press.is_there = False


def heed() -> None:
    """End the work here if Ctrl-C was pressed; asked between pieces of work, and before one is written for good."""
    if _Press.is_there:
        raise KeyboardInterrupt


def _remember(*_: Any) -> None:
    _Press.is_there = True
    raise KeyboardInterrupt
