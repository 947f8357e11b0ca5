"""The lines of a log as the tool wrote them, without what a terminal, logcat or a logger put around them."""

import re

_DAY = r"(?:\d{4}-)?\d\d-\d\d"
_CLOCK = r"\d\d:\d\d:\d\d[.,]\d{1,9}"
# A time of day, with its zone, or seconds since 1970 or since the phone was switched on.
_TIME = rf"(?:{_DAY}[ T]{_CLOCK}(?: ?[+-]\d\d:?\d\d|Z)?| *\d{{1,10}}\.\d{{3,9}})"
_LEVEL = "[VDIWEFSA]"
# Process and thread, and before them the user where it is asked for: 1000, root, u0_a123.
_PROCESS = r"\( *(?:[\w.-]+[: ] *)?\d+(?:: *\d+)?\)"

# Each stands in front of the message; a line may have several, the outer first.
_PREFIXES = re.compile(
    r"(?:"
    rf"{_TIME} +(?:[\w.-]+:? +)?\d+ +\d+ {_LEVEL} [^:]{{0,60}}: ?"  # logcat -v threadtime, and -v uid of it
    rf"|(?:{_TIME} +)?{_LEVEL}/[^:(]{{0,60}}{_PROCESS}: ?"  # logcat -v time and -v brief
    rf"|{_LEVEL}{_PROCESS} "  # logcat -v process and -v thread
    rf"|{_TIME} +\d+-\d+/\S{{1,99}} {_LEVEL}/[^:]{{0,60}}: ?"  # Android Studio until 2022
    rf"|{_TIME} +\d+-\d+ +\S[^\n]{{0,150}}? {_LEVEL} {{1,2}}"  # Android Studio since
    rf"|{_CLOCK} +(?:\S[^\n]{{0,60}}? )?{_LEVEL} {{1,2}}"  # the same, with little beside the message
    rf"|{_LEVEL}/[\w. -]{{0,60}}: ?"  # logcat -v tag
    rf"|{_TIME} \S[^\[\n]{{0,60}}\[\d+:(?:0x)?[\da-f]+\] ?"  # Xcode
    r"|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S{1,60} [^\[:]{1,60}\[\d+\](?: <\w+>)?: ?"  # syslog, of an iPhone too
    r"|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IWEF] [^ \]]+\] "  # TensorFlow
    r"|[IWEF]\d{4} [^\]]{0,80}\] "  # Abseil
    r"|(?:VERBOSE|INFO|WARN|WARNING|ERROR|FATAL): "
    r"|\[[\w./\\-]+:\d+\] ?"  # LiteRT
    rf"|{_DAY}[ T]{_CLOCK}(?:Z|[+-]\d\d:?\d\d)? +"  # a server that builds
    r"|> ?|[ \t]+"  # a quotation, an indentation
    r")+"
)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# logcat -v process has the tag at the end.
_NAMED_AT_THE_END = re.compile(rf"\s*{_LEVEL}{_PROCESS} (.*?)  \([^()]{{0,60}}\)")


def whole_lines(text: str) -> list[str]:
    """The lines of a log; one at the end without a line break may have been cut off and is left out.

    >>> whole_lines("INFO: count=1 curr=85\\r\\nInference timings in us: Init: 32")
    ['count=1 curr=85']
    """
    lines = re.sub(r"\r+\n", "\n", _COLOUR.sub("", text)).split("\n")[:-1]
    return [_message(line) for line in lines]


def _message(line: str) -> str:
    if named := _NAMED_AT_THE_END.fullmatch(line):
        line = named[1]
    return _PREFIXES.sub("", line, count=1) if _PREFIXES.match(line) else line


def printable(text: str) -> str:
    """Text of someone else's without what would steer a terminal.

    >>> printable("a\x1b[31mb\\tc\u202e")
    'a [31mb c '
    """
    return "".join(letter if letter.isprintable() else " " for letter in text)


def last_words(text: str, most: int = 6) -> str:
    """The end of what a program printed, for an error message; its complaints where there are some.

    >>> last_words("STARTING!\\nERROR: Failed to load model x\\nBenchmarking failed.\\n")
    'ERROR: Failed to load model x | Benchmarking failed.'
    """
    lines = [line.strip() for line in _COLOUR.sub("", text).splitlines() if line.strip()]
    complaints = [line for line in lines if re.search(r"error|fatal|fail|cannot|denied|not found|abort", line, re.I)]
    return " | ".join(printable(line[:200]) for line in (complaints or lines)[-most:]) or "nothing"
