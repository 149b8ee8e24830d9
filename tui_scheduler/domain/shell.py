"""A command line as a POSIX shell (and bash, for `$'…'`) splits it, without a shell: nothing is looked up or run.

What only a shell could fill in, a variable or the output of another command, is refused where it stands.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from tui_scheduler.domain.errors import Invalid


@dataclass(frozen=True, slots=True)
class Token:
    """A word with its quotes taken off, or an operator (`|`, `&&`, `2>`, a line break). `at` is where it begins."""

    text: str
    at: int
    is_operator: bool = False

    @property
    def is_redirection(self) -> bool:
        """Whether the word after it is a file."""
        return self.is_operator and ("<" in self.text or ">" in self.text)


_OPERATOR: Final = re.compile(r"\d*(?:<<<|<<-?|>>|>&|<&|<>|>\||<|>)|&>>?|\|\||\|&|\||&&|;;|&|;|\(|\)|\n")
_SPACE: Final = re.compile(r"(?:[ \t\r]|\\\r?\n)+")
_COMMENT: Final = re.compile(r"#[^\n]*")
_VARIABLE: Final = re.compile(r"\$(?:[A-Za-z_]\w*|[{(\d@*#?!$-])", re.ASCII)
_PLAIN: Final = re.compile(r"[^\\'\"$` \t\r\n|&;<>()]+")
_ESCAPE: Final = re.compile(
    r"\\(?:x(?P<hex>[0-9A-Fa-f]{1,2})|u(?P<short>[0-9A-Fa-f]{1,4})|U(?P<long>[0-9A-Fa-f]{1,8})|(?P<octal>[0-7]{1,3})"
    r"|c(?P<control>.)|(?P<plain>.))",
    re.DOTALL,
)
_ESCAPED: Final = {
    "a": "\a",
    "b": "\b",
    "e": "\x1b",
    "E": "\x1b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
}
_SAFE: Final = re.compile(r"[\w@%+=:,./-]+", re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_NAMED: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\", "'": "\\'"}


def split(text: str, field: str) -> list[Token]:
    """The words and operators of a command line. Raises `Invalid(field, …)` for a quote without an end, a variable,
    a command in a command.
    """
    return _Splitter(text, field).split()


def simple_command(tokens: list[Token], name: str) -> tuple[list[Token], list[str]]:
    """The words of the one command there may be, without redirections, and notes about what was left out after it.

    Raises `Invalid(name, …)` where another command begins.
    """
    words: list[Token] = []
    notes: list[str] = []
    remaining = iter(enumerate(tokens))
    for number, token in remaining:
        if token.is_redirection:
            file = next(remaining, None)
            if "<" in token.text:
                raise Invalid(name, "reads from a file, which a job cannot", position=token.at)
            if file is None or file[1].is_operator:
                raise Invalid(name, "a file is missing after this", position=token.at)
        elif not token.is_operator:
            words.append(token)
        elif token.text != "\n" or words:
            return words, notes + _what_follows(token, tokens[number + 1 :], name)
    return words, notes


def _what_follows(operator: Token, after: list[Token], name: str) -> list[str]:
    """A note about what is left out after the command; nothing for what makes no difference."""
    words = [token for token in after if token.text not in {"\n", ";", "&"}]
    if not words:
        return []
    if operator.text == "&":
        raise Invalid(name, "an & without quotes ends the command here; put the URL in quotes", position=operator.at)
    if operator.text in {"|", "|&"}:
        return [f"what its answer is piped to ({words[0].text} …) is left out"]
    if operator.text == "||":
        return [] if words[0].text in {"true", ":"} else [f"what runs when it fails ({words[0].text} …) is left out"]
    raise Invalid(name, "another command begins here; one is one job", position=words[0].at)


def quoted(word: str) -> str:
    """The word as a shell reads it back, on one line if there is a control character in it; pasting it does nothing
    but stand there.
    """
    if _SAFE.fullmatch(word):
        return word
    if not _CONTROL.search(word):
        return "'" + word.replace("'", "'\\''") + "'"
    escaped = re.sub(r"[\x00-\x1f\x7f-\x9f\\']", lambda found: _escaped(found[0]), word)
    return f"$'{escaped}'"


def _escaped(character: str) -> str:
    # \u for what is beyond ASCII: \x would be half of a character's UTF-8.
    number = ord(character)
    return _NAMED.get(character) or (f"\\x{number:02x}" if number < 0x80 else f"\\u{number:04x}")


class _Splitter:
    def __init__(self, text: str, field: str) -> None:
        self._text = text
        self._field = field
        self._at = 0

    def split(self) -> list[Token]:
        tokens: list[Token] = []
        while True:
            self._skip(_SPACE)
            self._skip(_COMMENT)
            if self._at >= len(self._text):
                return tokens
            operator = _OPERATOR.match(self._text, self._at)
            if operator:
                tokens.append(Token(operator[0], self._at, is_operator=True))
                self._at = operator.end()
            else:
                tokens.append(self._word())

    def _word(self) -> Token:
        begun = self._at
        parts: list[str] = []
        while self._at < len(self._text):
            part = self._part()
            if part is None:
                break
            parts.append(part)
        return Token("".join(parts), begun)

    def _part(self) -> str | None:
        """The next piece of a word; None where the word ends."""
        text, at = self._text, self._at
        plain = _PLAIN.match(text, at)
        if plain:
            self._at = plain.end()
            return plain[0]
        match text[at]:
            case "'":
                return self._single()
            case '"':
                self._at += 1
                return self._double(at)
            case "\\":
                return self._backslash()
            case "$" if text.startswith("$'", at):
                return self._ansi()
            case "$" if text.startswith('$"', at):
                self._at += 2
                return self._double(at)
            case "$" | "`":
                return self._literal_dollar()
        return None

    def _single(self) -> str:
        end = self._text.find("'", self._at + 1)
        if end < 0:
            raise self._wrong("this quote has no end", self._at)
        inner = self._text[self._at + 1 : end]
        self._at = end + 1
        return inner

    def _double(self, begun: int) -> str:
        parts: list[str] = []
        while self._at < len(self._text):
            character = self._text[self._at]
            if character == '"':
                self._at += 1
                return "".join(parts)
            if character in "$`":
                parts.append(self._literal_dollar())
            elif character == "\\" and self._text[self._at + 1 : self._at + 2] in tuple('"\\$`\n'):
                parts.append(self._text[self._at + 1].replace("\n", ""))
                self._at += 2
            else:
                parts.append(character)
                self._at += 1
        raise self._wrong("this quote has no end", begun)

    def _ansi(self) -> str:
        begun = self._at
        parts: list[str] = []
        self._at += 2
        while self._at < len(self._text):
            character = self._text[self._at]
            if character == "'":
                self._at += 1
                return "".join(parts)
            escape = _ESCAPE.match(self._text, self._at) if character == "\\" else None
            if escape is None:
                parts.append(character)
                self._at += 1
            else:
                parts.append(self._unescaped(escape))
                self._at = escape.end()
        raise self._wrong("this quote has no end", begun)

    def _unescaped(self, escape: re.Match[str]) -> str:
        digits = escape["hex"] or escape["short"] or escape["long"]
        number = int(digits, 16) if digits else int(escape["octal"], 8) & 0xFF if escape["octal"] else None
        if number is None and escape["control"]:
            number = ord(escape["control"]) & 0x1F
        if number is None:
            return _ESCAPED.get(escape["plain"], escape["plain"] if escape["plain"] in "\\'\"?" else escape[0])
        if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
            raise self._wrong("there is no such character", escape.start())
        if number >= 0x80 and (escape["hex"] or escape["octal"]):
            raise self._wrong("a byte beyond ASCII is no text by itself; write the character", escape.start())
        return chr(number)

    def _backslash(self) -> str:
        following = self._text[self._at + 1 : self._at + 2]
        skipped = 3 if self._text.startswith("\\\r\n", self._at) else 2
        self._at += skipped
        return "" if following in ("\n", "") or skipped == 3 else following

    def _literal_dollar(self) -> str:
        """A dollar sign that means itself."""
        variable = _VARIABLE.match(self._text, self._at)
        if self._text[self._at] == "`" or self._text.startswith("$(", self._at):
            raise self._wrong("only a shell can run a command inside a command; write what it gives", self._at)
        if variable:
            name = re.match(r"\$\{?\w*\}?", self._text[self._at :], re.ASCII)
            shown = name[0] if name else variable[0]
            raise self._wrong(f"only a shell knows {shown}; write its value", self._at)
        self._at += 1
        return "$"

    def _skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self._text, self._at)
        if found:
            self._at = found.end()

    def _wrong(self, reason: str, at: int) -> Invalid:
        return Invalid(self._field, reason, position=at)
