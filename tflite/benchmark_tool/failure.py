"""Reason why a run of the tool failed, in a sentence with a way out."""

import re
import signal

from tflite.benchmark_tool.lines import last_words

_CAUSES = (
    (
        re.compile(
            r"not executable: |Exec format error|wrong ELF class|unexpected e_machine|syntax error|bad ELF magic"
        ),
        "it is not a program for this processor",
    ),
    (re.compile(r"CANNOT LINK EXECUTABLE|cannot open shared object|library .* not found"), "it lacks a library there"),
    (re.compile(r"No space left on device"), "there is no space left on the device"),
    (re.compile(r"[Pp]ermission denied"), "it may not be run there"),
    (re.compile(r"not found|No such file"), "it is not there"),
)


def explain(status: int, output: str) -> str:
    """One clause about an exit status that is not 0, with the last words of the program.

    >>> explain(139, "INFO: STARTING!")
    'it crashed (SIGSEGV). Its last words: INFO: STARTING!'
    """
    said = last_words(output)
    if status in (126, 127):
        cause = next((words for form, words in _CAUSES if form.search(output)), "it could not be started")
    elif 128 < status < 128 + signal.NSIG:
        cause = f"it crashed ({_signal(status - 128)})"
    elif status < 0:
        cause = f"it crashed ({_signal(-status)})"
    else:
        cause = f"it ended with status {status}"
        cause = next((words for form, words in _CAUSES[:3] if form.search(output)), cause)
    return f"{cause}. Its last words: {said}"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
