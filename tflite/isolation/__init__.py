"""Work on files that nobody vouches for, in a process that may end without harm.

A damaged or hostile TFLite file can crash the interpreter, hang it or use up the memory, and verifying the file first
does not rule that out. What opens such a file therefore runs in a child process with limits: `Worker` starts one,
`child` is what runs in it. This bounds accidents and simple malice; it is no sandbox for a file that takes the child
over.
"""

from tflite.isolation.limits import Limits
from tflite.isolation.worker import Worker

__all__ = ["Limits", "Worker"]
