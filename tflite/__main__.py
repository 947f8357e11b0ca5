"""`python -m tflite`: where the commands are."""

import sys

if __name__ == "__main__":
    sys.exit(
        "tflite: this package has no commands of its own. Those for TFLite files (convert, quantize, compare, inspect, "
        "evaluate, benchmark) are `distiller`'s: distiller --help"
    )
