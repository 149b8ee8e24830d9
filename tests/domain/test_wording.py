"""Schedules in words."""

from __future__ import annotations

from itertools import product

import pytest

from tui_scheduler.domain.expression import Fields
from tui_scheduler.domain.schedule import CronSchedule, parse_schedule
from tui_scheduler.domain.wording import in_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("* * * * * *", "every second"),
        ("*/15 * * * * *", "every 15 seconds"),
        ("5/15 * * * * *", "every 15 seconds from second 5"),
        ("* * * * *", "every minute"),
        ("30 * * * * *", "every minute at second 30"),
        ("10,20 * * * * *", "every minute at seconds 10 and 20"),
        ("*/5 * * * *", "every 5 minutes"),
        ("31 */5 * * * *", "every 5 minutes at second 31"),
        ("2-59/5 * * * *", "every 5 minutes from minute 2"),
        ("*/40 * * * *", "every hour at minutes 0 and 40"),  # not every 40 minutes
        ("@hourly", "every hour"),
        ("15 * * * *", "every hour at minute 15"),
        ("30 15 * * * *", "every hour at minute 15, second 30"),
        ("*/10 5 * * * *", "every 10 seconds, minute 5"),
        ("0 */2 * * *", "every 2 hours"),
        ("30 1-23/2 * * *", "every 2 hours from hour 1 at minute 30"),
        ("0 9-17 * * MON-FRI", "every hour from 09:00 through 17:00, Monday through Friday"),
        ("*/5 9-17 * * *", "every 5 minutes from 09:00 through 17:55"),
        ("* * 9 * * *", "every second from 09:00:00 through 09:59:59"),
        ("31 10-15 1 * * MON-FRI", "at second 31, minutes 10 through 15, hour 1, Monday through Friday"),
        ("@daily", "every day at 00:00"),
        ("0 12 * * *", "every day at 12:00"),
        ("30 15 12 * * *", "every day at 12:15:30"),
        ("0 9,12,17 * * *", "every day at 09:00, 12:00 and 17:00"),
        ("@weekly", "at 00:00, on Sunday"),
        ("0 9 * * SAT,SUN", "at 09:00, on Saturday and Sunday"),
        ("@monthly", "at 00:00, on day 1 of the month"),
        ("@yearly", "at 00:00, on day 1 of January"),
        ("0 9 1,15 * *", "at 09:00, on days 1 and 15 of the month"),
        ("0 9 L * *", "at 09:00, on the last day of the month"),
        ("0 9 1,L 6-8 *", "at 09:00, on day 1 and the last day of June through August"),
        ("0 9 * JAN,JUL *", "at 09:00, in January and July"),
        ("0 9 * * MON#1", "at 09:00, on the first Monday of the month"),
        ("0 9 * * MON#1,MON#3,L5", "at 09:00, on the first and third Monday and the last Friday of the month"),
        ("0 9 1 * MON", "at 09:00, on day 1 of the month or on Monday"),
        ("0 9 13 1 FRI", "at 09:00, in January, on day 13 of the month or on Friday"),
        ("0 0 1-31 * 0-7", "every day at 00:00"),
        ("@every 1s", "every second"),
        ("@every 90s", "every 90 seconds"),
        ("@every 120s", "every 2 minutes"),
        ("@every 36h", "every 36 hours"),
        ("@every 1d", "every day"),
        ("@every 1s500ms", "every 1.5 seconds"),
        ("@at 2026-12-01T09:00:00+01:00", "once on 2026-12-01 at 09:00 (+01:00)"),
        ("@at 2026-12-01T08:00:00Z", "once on 2026-12-01 at 09:00 (+01:00)"),  # in the job's own timezone
        ("@at 2026-07-01T09:00:30", "once on 2026-07-01 at 09:00:30 (+02:00)"),
        ("@at 2026-07-01T09:00:00.25", "once on 2026-07-01 at 09:00:00.25 (+02:00)"),
    ],
)
def test_a_schedule_reads_as_a_person_would_say_it(text: str, words: str) -> None:
    assert in_words(parse_schedule(text, "Europe/Berlin")) == words


TIMES = ["*", "*/15", "0", "5", "5-35/10", "1-3", "0,5,6", "7/20"]
HOURS = ["*", "*/2", "9", "1-23/2", "9-17", "8-9", "0,5,6", "0-22"]
DAYS = ["*", "1", "1-3", "L", "1,L"]
MONTHS = ["*", "1", "1-3", "*/2"]
WEEKDAYS = ["*", "1", "MON-FRI", "0,6", "1#1", "L5", "1#1,L1", "1#1,1#3,2#1,2#3", "1#1,2#3", "1,5"]


@pytest.mark.parametrize(
    "texts",
    [
        [f"{second} {minute} {hour} * * *" for second, minute, hour in product(TIMES, TIMES, HOURS)],
        [f"0 0 9 {day} {month} {weekday}" for day, month, weekday in product(DAYS, MONTHS, WEEKDAYS)],
        [f"0 * * {day} {month} {weekday}" for day, month, weekday in product(DAYS, MONTHS, WEEKDAYS)],
    ],
    ids=["times", "days", "days of a rhythm"],
)
def test_different_schedules_never_read_alike(texts: list[str]) -> None:
    meant: dict[str, Fields] = {}
    for text in texts:
        schedule = parse_schedule(text)
        assert isinstance(schedule, CronSchedule)
        assert meant.setdefault(in_words(schedule), schedule.fields) == schedule.fields, (text, in_words(schedule))
