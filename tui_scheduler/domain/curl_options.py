"""curl's options, by what a job makes of them. Names without the dashes."""

from __future__ import annotations

from typing import Final

LETTERS: Final = {
    "#": "progress-bar", "0": "http1.0", "1": "tlsv1", "2": "sslv2", "3": "sslv3", "4": "ipv4", "6": "ipv6",
    "a": "append", "A": "user-agent", "b": "cookie", "B": "use-ascii", "c": "cookie-jar", "C": "continue-at",
    "d": "data", "D": "dump-header", "e": "referer", "E": "cert", "f": "fail", "F": "form", "g": "globoff",
    "G": "get", "H": "header", "i": "include", "I": "head", "j": "junk-session-cookies", "J": "remote-header-name",
    "k": "insecure", "K": "config", "L": "location", "m": "max-time", "M": "manual", "n": "netrc", "N": "no-buffer",
    "o": "output", "O": "remote-name", "p": "proxytunnel", "P": "ftp-port", "q": "disable", "Q": "quote",
    "r": "range", "R": "remote-time", "s": "silent", "S": "show-error", "t": "telnet-option", "T": "upload-file",
    "u": "user", "U": "proxy-user", "v": "verbose", "V": "version", "w": "write-out", "x": "proxy", "X": "request",
    "y": "speed-time", "Y": "speed-limit", "z": "time-cond", "Z": "parallel", ":": "next",
}  # fmt: skip
"""The long name of each short option."""

_QUIET_FLAGS: Final = frozenset(
    {
        "progress-bar", "ipv4", "ipv6", "use-ascii", "fail", "fail-with-body", "fail-early", "include",
        "junk-session-cookies", "remote-header-name", "no-buffer", "buffer", "remote-name", "remote-name-all",
        "disable", "remote-time", "silent", "show-error", "verbose", "progress-meter", "keepalive", "create-dirs",
        "styled-output", "tcp-nodelay", "tcp-fastopen", "path-as-is", "raw", "trace-time", "trace-ids",
        "disallow-username-in-url", "basic", "sessionid", "alpn", "npn", "compressed-ssh", "show-headers",
        "suppress-connect-headers", "http1.1", "parallel", "retry-all-errors", "retry-connrefused", "post301",
        "post302", "post303", "tlsv1", "tlsv1.0", "tlsv1.1", "tlsv1.2", "tlsv1.3", "ssl-no-revoke",
    }
)  # fmt: skip
"""Without a value, and without a difference to what is sent or judged."""

_QUIET_VALUED: Final = frozenset(
    {
        "output", "output-dir", "write-out", "stderr", "trace", "trace-ascii", "trace-config", "dump-header",
        "limit-rate", "keepalive-time", "speed-time", "speed-limit", "rate", "expect100-timeout",
        "happy-eyeballs-timeout-ms", "tls-max", "proto", "proto-default", "parallel-max", "max-redirs",
    }
)  # fmt: skip
"""The same, with a value."""

_RETRIES: Final = "retries are set in the job, not by --retry"
_HTTP: Final = "jobs speak HTTP/1.1"

NOTED: Final = {
    "cookie-jar": "cookies that the answer sets are not kept (-c)",
    "connect-timeout": "--connect-timeout is left out: the job's timeout bounds the whole request",
    "retry": _RETRIES,
    "retry-delay": _RETRIES,
    "retry-max-time": _RETRIES,
    "max-filesize": "--max-filesize is left out: answers are bounded anyway",
    "location-trusted": "credentials are not sent on to another host (--location-trusted)",
    "http1.0": _HTTP,
    "http2": _HTTP,
    "http2-prior-knowledge": _HTTP,
    "http3": _HTTP,
    "http3-only": _HTTP,
    "ciphers": "the ciphers of TLS are chosen by the system",
    "tls13-ciphers": "the ciphers of TLS are chosen by the system",
}
"""Left out, with a sentence."""

_FILES: Final = "files are not sent by a job; write the body with -d"
_FORMS: Final = "multipart forms are not sent by a job; write the body with -d"
_PROXIES: Final = "requests go straight to their target, not by a proxy"
_CERTIFICATES: Final = "client certificates are not supported"
_LOGINS: Final = "only Basic and Bearer credentials are supported"
_DETOURS: Final = "requests go where their URL says, from the address that the system chooses"

REFUSED: Final = {
    "form": _FORMS,
    "form-string": _FORMS,
    "form-escape": _FORMS,
    "upload-file": _FILES,
    "append": _FILES,
    "proxy": _PROXIES,
    "preproxy": _PROXIES,
    "proxy-user": _PROXIES,
    "proxy-header": _PROXIES,
    "proxytunnel": _PROXIES,
    "socks4": _PROXIES,
    "socks4a": _PROXIES,
    "socks5": _PROXIES,
    "socks5-hostname": _PROXIES,
    "noproxy": _PROXIES,
    "cert": _CERTIFICATES,
    "cert-type": _CERTIFICATES,
    "key": _CERTIFICATES,
    "key-type": _CERTIFICATES,
    "pass": _CERTIFICATES,
    "capath": "a folder of certificates cannot be used; put them in one file with --cacert",
    "pinnedpubkey": "pinned keys are not supported; trust a certificate with --cacert",
    "digest": _LOGINS,
    "ntlm": _LOGINS,
    "negotiate": _LOGINS,
    "anyauth": _LOGINS,
    "aws-sigv4": _LOGINS,
    "netrc": "credentials are not read from a file; write them with -u",
    "netrc-file": "credentials are not read from a file; write them with -u",
    "netrc-optional": "credentials are not read from a file; write them with -u",
    "config": "options are not read from a file; write them here",
    "next": "another request begins here; one request is one job",
    "unix-socket": _DETOURS,
    "abstract-unix-socket": _DETOURS,
    "resolve": _DETOURS,
    "connect-to": _DETOURS,
    "interface": _DETOURS,
    "local-port": _DETOURS,
    "dns-servers": _DETOURS,
    "doh-url": _DETOURS,
    "continue-at": "a download cannot be continued by a job",
    "time-cond": "conditions on a time are not supported; write the header with -H",
    "request-target": "the path comes from the URL",
    "url-query": "write the query in the URL, or with -G and -d",
    "variable": "variables are not supported; write the value",
    "ftp-port": "only http and https are supported",
    "quote": "only http and https are supported",
    "telnet-option": "only http and https are supported",
    "sslv2": "SSL of this version is not supported",
    "sslv3": "SSL of this version is not supported",
    "version": "only tells its version and sends nothing",
    "manual": "only shows the manual and sends nothing",
    "help": "only shows help and sends nothing",
}
"""What a job cannot do, with a sentence."""

_NOTED_FLAGS: Final = frozenset(
    {"location-trusted", "http1.0", "http2", "http2-prior-knowledge", "http3", "http3-only"}
)

FLAGS: Final = (
    _QUIET_FLAGS | _NOTED_FLAGS | {"get", "head", "globoff", "insecure", "location", "location-trusted", "compressed"}
)
"""Known options without a value."""

VALUED: Final = (
    _QUIET_VALUED
    | (NOTED.keys() - _NOTED_FLAGS)
    | {"url", "request", "header", "data", "data-ascii", "data-binary", "data-raw", "data-urlencode", "json", "user"}
    | {"oauth2-bearer", "user-agent", "referer", "cookie", "range", "cacert", "max-time"}
)
"""Known options with a value."""


def without_no(name: str) -> str:
    """`--no-keepalive` is `--keepalive` turned round; of those that can be, none makes a difference here."""
    plain = name.removeprefix("no-")
    return plain if plain in _QUIET_FLAGS and name not in FLAGS else name
