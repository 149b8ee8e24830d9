"""The log: one line per event that matters, ours and the libraries' alike; to standard error, or to a file while the
terminal shows something else.
"""

from __future__ import annotations

import logging
import sys
import threading
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
    dies of. The file is replaced by a new one at 2 MiB, and two old ones are kept. Where it cannot be written there is
    no log.
    """
    _start(_file_handler(), level, colors=False)
    logging.captureWarnings(capture=True)
    threading.excepthook = _thread_died
    sys.unraisablehook = _unraisable


def _file_handler() -> logging.Handler:
    path = log_file()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handler = RotatingFileHandler(path, maxBytes=_FILE_BYTES, backupCount=_FILES - 1, encoding="utf-8")
    except OSError:
        return logging.NullHandler()
    path.chmod(0o600)  # what targets answer is in it
    return handler


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
