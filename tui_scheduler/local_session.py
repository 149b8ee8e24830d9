"""What the terminal UI runs on in this process: a store, an engine, alerts to be shown, a receiver for first steps."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Final

import structlog

from tui_scheduler.control.control import Control
from tui_scheduler.control.local import LocalControl
from tui_scheduler.control.views import AlertView
from tui_scheduler.domain.errors import SchedulerError
from tui_scheduler.echo import ReceiverThread, Reply, Respond, response
from tui_scheduler.engine.thread import EngineThread
from tui_scheduler.engine.world import Alert
from tui_scheduler.hosting import death_of, make_engine, now, start_engine, stop_engine, trouble_of
from tui_scheduler.logs import log_to_file
from tui_scheduler.places import below_home
from tui_scheduler.samples import add_samples, sample_ports
from tui_scheduler.settings import Settings
from tui_scheduler.store.database import Database, open_database

ALERTS_KEPT: Final = 200
ALERTS_A_SECOND: Final = 20
"""More than this is summed up: a target that fails thousands of times a second must not bury everything else."""

SECOND: Final = 1_000_000  # µs

log = structlog.get_logger(__name__)


class KeptAlerts:
    """Alerts from the engine until somebody takes them. From any thread; the oldest give way to new ones."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._kept: deque[AlertView] = deque(maxlen=ALERTS_KEPT)
        self._second = 0
        self._told = 0
        self._left_out: AlertView | None = None
        self._more = 0

    def __call__(self, alert: Alert) -> None:
        with self._guard:
            if alert.at // SECOND != self._second:
                self._sum_up()
                self._second, self._told = alert.at // SECOND, 0
            view = AlertView(**asdict(alert))
            if self._told < ALERTS_A_SECOND:
                self._told += 1
                self._kept.append(view)
                log.warning("alert", job=alert.job_id, name=alert.job_name, state=alert.state, reason=alert.message)
            else:
                self._left_out, self._more = view, self._more + 1

    def take(self) -> list[AlertView]:
        """All since the last time, in their order."""
        with self._guard:
            self._sum_up()
            taken = list(self._kept)
            self._kept.clear()
            return taken

    def _sum_up(self) -> None:
        last, more = self._left_out, self._more
        self._left_out, self._more = None, 0
        if last is not None:
            self._kept.append(replace(last, number=more) if more > 1 else last)
            log.warning("alerts_left_out", number=more)


class LocalSession:
    """See `tui.session`. Nothing happens before `start`; `stop` may come at any moment, during the start too.

    `load` gives the settings. `respond` is what the built-in receiver answers. `furnish` is given the control and the
    receiver's URL before the engine starts, `tidy` is called when all has stopped.
    """

    def __init__(
        self,
        load: Callable[[], Settings],
        *,
        respond: Respond = lambda _received: Reply(response(200)),
        furnish: Callable[[Control, str], None] | None = None,
        tidy: Callable[[], None] = lambda: None,
    ) -> None:
        self._load = load
        self._furnish = furnish
        self._tidy = tidy
        self._alerts = KeptAlerts()
        self._receiver = ReceiverThread(respond)
        self._guard = threading.Lock()
        self._stopping = threading.Event()
        self._start_is_over = threading.Event()
        self._opened: _Opened | None = None
        self._reviving: threading.Thread | None = None
        self._is_closed = False

    @property
    def control(self) -> Control:
        return self._there.control

    @property
    def where(self) -> str:
        return below_home(self._there.database.url.removeprefix("sqlite:///"))

    @property
    def _there(self) -> _Opened:
        assert self._opened is not None  # noqa: S101 - for the type checker: nobody gets a session before its start
        return self._opened

    def start(self) -> None:
        """Open the store and start the engine; returns early when it was told to stop. Raises `SchedulerError`."""
        log_to_file()
        try:
            opened = self._opened = self._open()
            if self._furnish is not None and not self._stopping.is_set():
                self._furnish(opened.control, self.receiver())
            elif not self._stopping.is_set():
                # Beside the start: among very many jobs the samples are not found at once.
                self._reviving = threading.Thread(target=self._revive_receiver, name="samples", daemon=True)
                self._reviving.start()
            start_engine(opened.engine)  # gives up at once when it was told to before
        except BaseException:
            self._stopping.set()
            raise
        finally:
            self._start_is_over.set()
            if self._stopping.is_set():
                self._end()

    def _open(self) -> _Opened:
        settings = self._load()
        database = open_database(settings.db)
        try:
            engine = make_engine(database, settings, self._alerts)
            control = LocalControl(
                database,
                now=now,
                wake=engine.wake,
                engine_trouble=lambda: trouble_of(engine),
                try_request=engine.try_request,
            )
        except BaseException:
            database.close()
            raise
        return _Opened(settings, database, engine, control)

    def alerts(self) -> list[AlertView]:
        """See `Session`."""
        return self._alerts.take()

    def receiver(self) -> str:
        """See `Session`."""
        with self._guard:
            return self._receiver.url or self._receiver.start()

    def _revive_receiver(self) -> None:
        """Samples of an earlier run go on calling the built-in receiver: let them find it, where nobody else is."""
        try:
            ports = sample_ports(self.control)
        except SchedulerError as error:
            log.warning("samples_not_read", reason=str(error))
            return
        for port in ports:
            with self._guard:
                if self._stopping.is_set() or self._receiver.url:
                    return
                try:
                    self._receiver.start(port, or_elsewhere=False)
                except SchedulerError as error:
                    log.info("receiver_not_started", port=port, reason=str(error))

    def load_samples(self) -> int:
        """See `Session`."""
        added, _ = add_samples(self.control, self.receiver())
        return len(added)

    def trouble(self) -> str | None:
        """See `Session`."""
        return death_of(self._there.engine)

    def stop(self) -> None:
        """See `Session`. Called again, it waits for the stop that is under way. Before there is an engine it returns
        at once: opening the store may wait for others, and has nothing to give back.
        """
        self._stopping.set()
        if self._opened is not None:
            self._opened.engine.give_up_start()
            self._start_is_over.wait()
            self._end()

    def abandon(self) -> None:
        """The process ends at once: nothing is stopped, and nothing is left that nobody would ever look for."""
        self._tidy()

    def _end(self) -> None:
        if self._reviving is not None:
            self._reviving.join()
        with self._guard:
            opened, self._is_closed, was_closed = self._opened, True, self._is_closed
            if was_closed:
                return
            if opened is not None:
                stop_engine(opened.engine, opened.settings)
                opened.database.close()
            self._receiver.stop()
            self._tidy()


@dataclass(frozen=True, slots=True)
class _Opened:
    settings: Settings
    database: Database
    engine: EngineThread
    control: LocalControl
