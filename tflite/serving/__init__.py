"""TFLite files in the browser of a phone: a page that measures them, and a small server for it.

read_served    a file, the copy of it that a browser takes, images, and the interpreter's answers to them
files_of_page  the files of the page; single_page writes it as one
Content, PageServer  what is served under a secret address, and the server
read_results   what a page sent back, as benchmarks
"""

from tflite.serving.page import files_of_page, single_page
from tflite.serving.results import body_limit, read_results
from tflite.serving.served_model import ServedModel, read_served
from tflite.serving.server import Content, PageServer

__all__ = [
    "Content",
    "PageServer",
    "ServedModel",
    "body_limit",
    "files_of_page",
    "read_results",
    "read_served",
    "single_page",
]
