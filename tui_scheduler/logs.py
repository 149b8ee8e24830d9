"""The log: one line per event that matters, ours and the libraries' alike; to standard error, or to a file while the
terminal shows something else.
"""

from __future__ import annotations

import fcntl
import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from typing import Final

import structlog
from structlog.typing import Processor

from tui_scheduler.console import patient_stderr
from tui_scheduler.places import log_file

_SHARED: Final[list[Processor]] = [
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


_FILE_BYTES: Final = 2 << 20
_FILES: Final = 3


def start_logging(level: int = logging.INFO) -> None:
    """Route structlog and the standard library's logging to standard error. Libraries are heard from WARNING on."""
    _start(logging.StreamHandler(patient_stderr()), level, colors=sys.stderr.isatty())


def log_to_file(level: int = logging.INFO) -> None:
    """Route all that would be written to standard error to `log_file()`: the log, Python's warnings, and what a thread
    dies of. All programs of a user that run at a time write to the same file. It is replaced by a new one at 2 MiB, and
    two old ones are kept. Where it cannot be written there is no log.
    """
    _start(_file_handler(), level, colors=False)
    logging.captureWarnings(capture=True)
    threading.excepthook = _thread_died
    sys.unraisablehook = _unraisable


def _file_handler() -> logging.Handler:
    path = log_file()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return SharedFileHandler(path, maxBytes=_FILE_BYTES, backupCount=_FILES - 1, encoding="utf-8")
    except OSError:
        return logging.NullHandler()


class SharedFileHandler(RotatingFileHandler):
    """A file that several programs append to, private to its owner. Only one at a time replaces it by a new one, and
    the others go on in that. What cannot be written is dropped: nothing may be said on a terminal that shows the UI.
    """

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if not self._is_current():
                self._reopen()
        except OSError:
            return
        super().emit(record)

    def doRollover(self) -> None:  # noqa: N802 - the library's name
        with self._alone():
            if self._is_current():
                super().doRollover()
            else:
                self._reopen()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Dropped."""

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.fchmod(descriptor, 0o600)  # what targets answer is in it, and an older one may be there
        return os.fdopen(descriptor, "a", encoding=self.encoding, errors=self.errors)

    def _is_current(self) -> bool:
        """Whether nobody has put another file in the place of the one that is open."""
        try:
            return self.stream is not None and os.path.samestat(
                os.fstat(self.stream.fileno()), os.stat(self.baseFilename)
            )
        except FileNotFoundError:
            return False

    def _reopen(self) -> None:
        former, self.stream = self.stream, self._open()
        if former is not None:
            former.close()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        descriptor = os.open(f"{self.baseFilename}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _thread_died(died: threading.ExceptHookArgs) -> None:
    name = "unknown" if died.thread is None else died.thread.name
    info = (died.exc_type, died.exc_value or died.exc_type(), died.exc_traceback)
    logging.getLogger(__name__).error("a thread died: %s", name, exc_info=info)


def _unraisable(raised: sys.UnraisableHookArgs) -> None:
    info = (raised.exc_type, raised.exc_value or raised.exc_type(), raised.exc_traceback)
    logging.getLogger(__name__).error("%s: %r", raised.err_msg or "ignored", raised.object, exc_info=info)


def _start(handler: logging.Handler, level: int, *, colors: bool) -> None:
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_SHARED,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.dev.ConsoleRenderer(
                colors=colors, exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
            ),
        ],
    )
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("tui_scheduler").setLevel(level)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
