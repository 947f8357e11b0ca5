"""The lines of a log as the tool wrote them, without what a terminal, logcat or a logger put around them."""

import re

# Each stands in front of the message; a line may have several, the outer first.
_PREFIXES = re.compile(
    r"(?:"
    r"\d\d-\d\d \d\d:\d\d:\d\d\.\d+ +\d+ +\d+ [VDIWEF] [^:]{0,40}: ?"  # logcat
    r"|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IWEF] [^ \]]+\] "  # TensorFlow
    r"|[IWEF]\d{4} [^\]]{0,80}\] "  # Abseil
    r"|(?:VERBOSE|INFO|WARN|WARNING|ERROR|FATAL): "
    r"|\[[\w./\\-]+:\d+\] ?"  # LiteRT
    r")+"
)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def whole_lines(text: str) -> list[str]:
    """The lines of a log; one at the end without a line break may have been cut off and is left out.

    >>> whole_lines("INFO: count=1 curr=85\\r\\nInference timings in us: Init: 32")
    ['count=1 curr=85']
    """
    lines = _COLOUR.sub("", text).replace("\r\n", "\n").split("\n")[:-1]
    return [_PREFIXES.sub("", line, count=1) if _PREFIXES.match(line) else line for line in lines]


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
