"""Jobs from crontabs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_scheduler.domain.crontab import read_crontab
from tui_scheduler.domain.errors import Invalid
from tui_scheduler.domain.job import Request
from tui_scheduler.domain.retry import SECOND
from tui_scheduler.domain.validation import check_values
from tui_scheduler.domain.wget import read_wget

URL = "http://x.test/a/report"
FORM = ("Content-Type", "application/x-www-form-urlencoded")
CRONTAB = r"""
# Edit this file to introduce tasks.
# m h  dom mon dow   command
SHELL=/bin/sh
MAILTO=""

# nightly report
30 2 * * 1-5 curl -fsS http://x.test/a/report > /dev/null 2>&1
*/5 * * * *  /usr/bin/wget -qO- 'http://x.test/poll?at=1\%202' || true

CRON_TZ=Europe/Berlin
@daily curl -X POST http://x.test/
# 0 0 * * * curl http://x.test/out-of-use
0 9 1 * * /usr/local/bin/backup.sh --to $HOME
@reboot curl http://x.test/up
"""


def test_a_crontab_is_jobs_and_reasons() -> None:
    report, poll, daily, backup, reboot = read_crontab(CRONTAB)
    assert [entry.line for entry in (report, poll, daily, backup, reboot)] == [8, 9, 12, 14, 15]
    assert report.spec is not None
    assert (report.spec.name, report.spec.schedule, report.spec.timezone) == ("nightly report", "30 2 * * 1-5", "UTC")
    assert report.spec.request == Request(URL, "GET")
    assert poll.spec is not None
    assert (poll.spec.name, poll.spec.request.url) == ("poll", "http://x.test/poll?at=1%202")
    assert daily.spec is not None
    assert (daily.spec.name, daily.spec.schedule, daily.spec.timezone) == ("x.test", "@daily", "Europe/Berlin")
    assert (backup.spec, backup.reason) == (None, "runs a command, not an HTTP request")
    assert (reboot.spec, reboot.reason) == (None, "runs when the machine starts, which is no time")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("* * * * *", "five fields and a command"),
        ("* * * * curl http://x.test/", "runs a command"),
        ("61 * * * * curl http://x.test/", "schedule: "),
        ("@daily", "no command"),
        ("@sometimes curl http://x.test/", "@sometimes is no schedule"),
        ("@every 5m curl http://x.test/", "@every is no schedule"),
        ("* * * * * cd /x && curl http://x.test/", "runs a command"),
        ("* * * * * curl http://x.test/ && curl http://y.test/", "another command"),
        ("* * * * * curl http://x.test/a%20b", r"written \\%"),
        ("* * * * * curl -d @file http://x.test/", "from a file"),
        ("* * * * * curl http://x.test/?t=$TOKEN", r"only a shell knows \$TOKEN"),
        ("* * * * * curl http://x.test/?t=$(date)", "a command inside a command"),
        ("* * * * * curl -m 7200 http://x.test/", "timeoutMs: must be within"),
        ("* * * * * echo curl http://x.test/", "runs a command"),
        ("* * * * * wget -r http://x.test/", "no option that a job can follow"),
        ("* * * * * wget", "one URL"),
        ("* * * * * wget -i list", "no option"),
    ],
)
def test_a_line_that_makes_no_job_says_why(line: str, reason: str) -> None:
    (entry,) = read_crontab(line)
    assert entry.spec is None
    with pytest.raises(Invalid, match=reason):
        raise Invalid("line", entry.reason or "")


def test_an_unknown_zone_is_a_reason() -> None:
    (entry,) = read_crontab("TZ=Mars/Base\n@daily curl http://x.test/")
    assert (entry.reason or "").startswith("timezone: ")


@pytest.mark.parametrize("user", ["root ", "www-data\t", "deploy ", ""])
@pytest.mark.parametrize("when", ["17 * * * *", "17\t*\t*  *\t*", "@hourly"])
def test_the_user_of_a_systems_crontab_is_no_part_of_the_command(when: str, user: str) -> None:
    (entry,) = read_crontab(f"{when} {user}/usr/bin/curl -s {URL}")
    assert entry.spec is not None
    assert (entry.spec.schedule, entry.spec.request.url) == (" ".join(when.split()), URL)


@pytest.mark.parametrize(
    ("above", "name"),
    [
        ("# send mails", "send mails"),
        ("### send mails ###", "send mails"),
        ("# ----------", "report"),
        ("#*/5 * * * * curl http://y.test", "report"),
        ("# min hour dom mon dow command", "report"),
        ("# send mails\n", "report"),
        ("# one\n# two", "two"),
        ("# send\x1b[2J mails", "send[2J mails"),
        (f"# {'x' * 300}", "x" * 200),
    ],
)
def test_a_job_is_named_by_the_comment_above_it_or_by_its_url(above: str, name: str) -> None:
    (entry,) = read_crontab(f"{above}\n* * * * * curl {URL}")
    assert entry.spec is not None
    assert entry.spec.name == name


def test_what_is_left_out_of_a_line_is_noted() -> None:
    (entry,) = read_crontab(f"* * * * * curl {URL} | mail -s done me")
    assert entry.notes == ("what its answer is piped to (mail …) is left out",)


def test_bytes_that_are_no_text_harm_nobody() -> None:
    (entry,) = read_crontab("* * * * * wget --user=\udcff http://x.test/")
    assert entry.spec is not None


@pytest.mark.parametrize(
    ("command", "request_"),
    [
        (f"wget {URL}", Request(URL, "GET", follow_redirects=True)),
        (f"wget -q -O /dev/null {URL}", Request(URL, "GET", follow_redirects=True)),
        (f"wget -qO- -t 1 {URL}", Request(URL, "GET", follow_redirects=True)),
        (f"wget --spider -nv {URL}", Request(URL, "HEAD", follow_redirects=True)),
        (f"wget --max-redirect=0 --no-check-certificate {URL}", Request(URL, "GET", tls_verify=False)),
        (f"wget --post-data 'a=1' {URL}", Request(URL, "POST", (FORM,), "a=1", follow_redirects=True)),
        (
            f"wget --method=put --body-data=x --header='Content-Type: a/b' {URL}",
            Request(URL, "PUT", (("Content-Type", "a/b"),), "x", follow_redirects=True),
        ),
        (
            f"wget --user=a --password=b -U me {URL}",
            Request(URL, "GET", (("User-Agent", "me"), ("Authorization", "Basic YTpi")), follow_redirects=True),
        ),
    ],
)
def test_a_wget_command_is_a_request(command: str, request_: Request) -> None:
    assert read_wget(command).request == request_


def test_the_time_limit_of_wget_comes_along() -> None:
    assert read_wget(f"wget --timeout=5 {URL}").timeout == 5 * SECOND


@given(
    st.text()
    | st.text("*/5 0-9,\n#%@dailyTZ=$|&>'\"\\", max_size=60).map("* * * * * curl http://x.test/ {}".format)
    | st.text("-qOtT=w \n%'\"\\http:/x.", max_size=60).map("* * * * * root wget {}".format)
)
def test_whatever_is_in_a_file_is_jobs_that_can_be_stored_and_reasons(text: str) -> None:
    for entry in read_crontab(text):
        assert (entry.spec is None) is not (entry.reason is None)
        if entry.spec is not None:
            check_values(entry.spec, created_at=0)
