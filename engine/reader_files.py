"""Files as they lie there: bytes in pieces, unpacked where they are gzipped; texts with their lines. For `readers`."""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from .errors import InvalidInput

MOST_DEPTH = 50
MOST_CHARACTERS = 10_000_000  # of one line
_PIECE = 64 * 1024
_GZIPPED = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row of a file: the line that it begins on, its values by column, and the position of each column from 1."""

    line: int
    values: dict[str, str | None]
    columns: dict[str, int]


@dataclass(frozen=True, slots=True)
class File:
    """A file with how it is written."""

    path: Path
    form: str
    encoding: str
    separator: str
    rows_path: str

    def refuse(self, line: int, said: str) -> NoReturn:
        raise InvalidInput(f"{self.path}:{line}: {said}")

    def pieces(self) -> Iterator[bytes]:
        """The file in pieces, unpacked where it is gzipped; the last one is empty."""
        try:
            with self.path.open("rb") as opened:
                is_packed = opened.peek(2)[:2] == _GZIPPED
                self._refuse_packed(is_packed)
                source = gzip.GzipFile(fileobj=opened) if is_packed else opened
                while piece := source.read(_PIECE):
                    yield piece
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise InvalidInput(f"{self.path}: it is gzipped, and broken: {error}") from None
        except OSError as error:
            raise InvalidInput(f"{self.path}: cannot be read: {error.strerror or error}") from None
        yield b""

    def _refuse_packed(self, is_packed: bool) -> None:
        """A small file may unpack to a large one; whatever is held as a whole must be seen in its size."""
        if is_packed and self.form == "json":
            raise InvalidInput(f"{self.path}: a json file is held as a whole: unpack it first, to see how large it is")

    def texts(self) -> Iterator[str]:
        """The decoded text in pieces, without a byte order mark."""
        decoding = decoder(self)
        before, line, is_first = 0, 1, True
        for piece in self.pieces():
            pending = len(decoding.getstate()[0])
            try:
                text = decoding.decode(piece, final=not piece)
            except UnicodeDecodeError as error:
                self._refuse_bytes(error, before - pending, line)
            except UnicodeError as error:
                self.refuse(line, f"this is not {self.encoding}: {error}")
            if is_first and text:
                text, is_first = text.removeprefix("\ufeff"), False
            self._refuse_nul(text, line)
            before, line = before + len(piece), line + text.count("\n")
            yield text

    def lines(self) -> Iterator[str]:
        """The lines with their ends. Only a line feed ends a line: other separators may stand in a text."""
        rest, number = "", 1
        for text in self.texts():
            *whole, rest = (rest + text).split("\n")
            for line in whole:
                yield line + "\n"
            number += len(whole)
            if len(rest) > MOST_CHARACTERS:
                self.refuse(number, f"the line is longer than {MOST_CHARACTERS:,} characters")
        if rest:
            yield rest

    def _refuse_bytes(self, error: UnicodeDecodeError, start: int, line: int) -> NoReturn:
        line += error.object[: error.start].decode(error.encoding, "replace").count("\n")
        encoding = self.encoding or "utf-8"
        other = "say its `encoding`, such as windows-1252" if encoding == "utf-8" else "say another `encoding`"
        said = f"the byte 0x{error.object[error.start]:02x} at offset {start + error.start} is not {encoding}"
        self.refuse(line, f"{said}; save the file as {encoding}, or {other}")

    def _refuse_nul(self, text: str, line: int) -> None:
        if "\0" in text:
            line += text.count("\n", 0, text.index("\0"))
            self.refuse(line, "a NUL character; only text is read (is this utf-16? then say so as `encoding`)")


def decoder(file: File) -> codecs.IncrementalDecoder:
    encoding = file.encoding or "utf-8"
    try:
        "x".encode(encoding)  # Refuses what is a codec but none of text.
        return codecs.getincrementaldecoder(encoding)()
    except (LookupError, UnicodeError):
        said = f"`{encoding}` is not an encoding; known are utf-8, windows-1252, iso-8859-1, utf-16 and others"
        raise InvalidInput(f"{file.path}: {said}") from None
