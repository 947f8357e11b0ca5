"""Work for another process, of which that process dies; a module of its own, because the other must import it."""

import os
import signal


def killed(*_):
    os.kill(os.getpid(), signal.SIGKILL)
