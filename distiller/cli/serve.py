"""`distiller serve`."""

import queue
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from distiller.cli import images
from distiller.cli.options import DataDir, check_with, check_without
from distiller.utils.terminal import one_line, print

if TYPE_CHECKING:
    import numpy as np

    from tflite import Benchmarks
    from tflite.serving import ServedModel

EPILOG = """[bold]Examples[/bold]

distiller serve student.tflite --host 0.0.0.0

distiller serve runs/demo/*-int8.tflite --data digits --host 0.0.0.0 --https

distiller serve student.tflite --images photos/ --page student.html
"""

_COUNT = 100
# Blocks of the terminal around a QR code; the standard has four, and phones read codes with two.
_MARGIN = 2
_WHITE_ON_BLACK, _PLAIN = "\x1b[97;40m", "\x1b[0m"
# Options that one file without a server has no use for.
_SERVING = ("host", "port", "https", "report")


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("serve", epilog=EPILOG)(serve)


def serve(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(help="TFLite files of image classifiers.", show_default=False)],
    data: Annotated[
        str | None,
        typer.Option(help="Test images, as in `distiller evaluate`; made-up ones by default.", show_default=False),
    ] = None,
    data_dir: DataDir = None,
    classes: images.Classes = None,
    groups: images.Groups = None,
    folder: Annotated[
        Path | None, typer.Option("--images", help="A folder of images without classes.", show_default=False)
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(
            min=1, max=10_000, help="How many images at most; by default 100, or 32 made-up ones.", show_default=False
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(help="A text file with one class name a line, where the files hold none.", show_default=False),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen at; 0.0.0.0 lets other devices of the network in.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes one that is free.")] = 0,
    https: Annotated[
        bool,
        typer.Option("--https", help="Encrypt with a certificate made now, so that a phone measures several threads."),
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(help="Folder of a run that the results go to; by default the files' own.", show_default=False),
    ] = None,
    page: Annotated[
        Path | None, typer.Option(help="Write one page with everything inside, and serve nothing.", show_default=False)
    ] = None,
) -> None:
    """Show TFLite files to a phone's browser: scan a code, measure there, compare answers, classify photos.

    LiteRT.js (Apache-2.0, 11.8 MB) is fetched from the npm registry on the first call, checked and kept.
    """
    import tflite
    from distiller.errors import InputError
    from tflite import serving

    check_without(context, "--page", page is not None, *_SERVING)
    check_with(context, "--data", data is not None, "data_dir", "classes", "groups")
    if data and folder:
        raise InputError("Expected one of --data and --images. Received both")
    if page is not None and page.is_dir():
        raise InputError(f"Expected --page as a file to write. Received: {str(page)!r}, a folder")
    where = None if page else _place(files, report)
    names = _labels(labels)
    found = _pictures(folder) if folder else []
    for file in files:
        tflite.check(file, use="run")
    models = []
    for file in files:
        pictures, truth = _images(file, data, data_dir, classes, groups, found, count or _COUNT)
        models.append(serving.read_served(file, images=pictures, truth=truth, labels=names, made_up_images=count))
    litert = _runtime()
    for model in models:
        if model.changes:
            print(f"{one_line(model.path.name)}: browsers get a copy of it: {'; '.join(model.changes)}")
    if page is not None:
        _write(page, serving.single_page(models, litert))
        return
    assert where is not None
    _serve(models, litert, host, port, https, where)


def _runtime() -> dict[str, bytes]:
    """Files of LiteRT.js, with a bar while they are fetched."""
    from distiller.utils.progress import Reporter
    from tflite.serving import runtime

    if runtime.is_kept():
        return runtime.load()
    reporter = Reporter()
    with reporter.task("fetch LiteRT.js", sum(package.bytes for package in runtime.PACKAGES)) as task:
        return runtime.load(tell=reporter.say, progress=lambda done, _: task.advance_to(done))


def _place(files: list[Path], report: Path | None) -> Path:
    """The folder of the run that results go to, or the folder of the files where they belong to none."""
    from distiller.report import content

    if report is not None:
        report = content.folder_of(report)
        content.read(report)
        return report
    return files[0].parent


def _labels(path: Path | None) -> tuple[str, ...]:
    from distiller.errors import InputError

    if path is None:
        return ()
    try:
        return tuple(line for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"Expected --labels to be a text file. Received: {str(path)!r}: {error}") from error


def _images(
    file: Path,
    data: str | None,
    data_dir: Path | None,
    classes: str | None,
    groups: str | None,
    found: list[Path],
    count: int,
) -> "tuple[np.ndarray | None, np.ndarray | None]":
    """Images for a file and their classes; None where they are made up."""
    import tflite
    from distiller.data import photos
    from distiller.errors import InputError
    from distiller.utils.backend import load_backend

    if data is not None:
        load_backend()
        dataset = images.load(data, data_dir, file, classes=classes, groups=groups)
        images.check_file(dataset, file)
        part = dataset.test.some(count)
        return part.images, part.labels
    if not found:
        return None, None
    shape = tflite.inspect(file).inputs[0].shape
    if len(shape) != 4:
        raise InputError(f"Expected a file that takes images. Received: {str(file)!r} with inputs {shape}")
    pictures = photos.read(found[:count], (shape[1], shape[2]), "images")
    if shape[3] == 1:  # as Pillow makes grey of colours
        pictures = (pictures @ [0.299, 0.587, 0.114]).round().astype("uint8")[..., None]
    return pictures, None


def _pictures(folder: Path) -> list[Path]:
    """The image files of a folder."""
    from distiller.data import photos
    from distiller.errors import InputError

    found = photos.find(folder)[0] if folder.is_dir() else []
    if not found:
        raise InputError(f"Expected --images as a folder with image files. Received: {str(folder)!r}")
    return found


def _write(path: Path, content: bytes) -> None:
    from distiller.errors import InputError
    from distiller.utils.atomic_files import write_whole

    try:
        write_whole(path, content)
    except OSError as error:
        raise InputError(f"The page cannot be written to {str(path)!r}: {error.strerror}") from None
    print(f"Page: {one_line(str(path))}, {len(content) / 1e6:.1f} MB. It holds the files and LiteRT.js (Apache-2.0)")


def _serve(
    models: "list[ServedModel]", litert: dict[str, bytes], host: str, port: int, https: bool, where: Path
) -> None:
    """Serve until Ctrl-C; results are kept as they come, and the page of a run is written again after each."""
    from distiller.errors import InputError
    from tflite import serving
    from tflite.serving import certificate, network

    reached = network.reached_as(host)
    context, fingerprint = certificate.certified([reached, "localhost", "127.0.0.1"]) if https else (None, "")
    changed: queue.Queue[Path] = queue.Queue()
    content = serving.Content(
        serving.files_of_page(models, litert), serving.body_limit(models), _receiver(models, where, changed.put)
    )
    try:
        server = serving.PageServer(content, host, port, context=context)
    except (OSError, OverflowError) as error:
        raise InputError(f"Cannot listen at {host!r}, port {port}: {getattr(error, 'strerror', error)}") from None
    address = server.address(reached)
    threading.Thread(target=server.serve_forever, name="server", daemon=True).start()
    if not network.is_loopback(reached):
        _show_code(address)
    print(address)
    if https:
        print(f"The browser asks whether to trust this machine's certificate, SHA-256 {fingerprint}")
    if network.is_loopback(reached):
        print("This machine alone reaches it. For a phone on the same network: --host 0.0.0.0")
    print(f"Results go to {one_line(str(where))}. Ctrl-C ends", flush=True)
    try:
        _write_pages(changed)
    except KeyboardInterrupt:
        pass
    finally:
        server.shutdown()
        server.server_close()
    print(f"Ended; {content.taken} result{'' if content.taken == 1 else 's'} kept")


def _write_pages(changed: "queue.Queue[Path]") -> None:
    """Write the page of a run again whenever results were added to it, in the main thread: it draws figures."""
    from distiller import report as pages

    while True:
        print(f"Report: {pages.write(changed.get())}", flush=True)


def _receiver(models: "list[ServedModel]", where: Path, added: Callable[[Path], None]) -> Callable[[bytes], str]:
    """The function that keeps what a page sent."""
    from tflite import serving

    def receive(body: bytes) -> str:
        found = serving.read_results(body, models)
        for result in found.results:
            print(_line(result), flush=True)
        for note in found.results[0].notes:
            print(f"  {note}", flush=True)
        return _keep(found, where, added)

    return receive


def _line(result: Any) -> str:
    threads = f"{result.threads} thread{'' if result.threads == 1 else 's'}"
    return (
        f"{one_line(result.path.name)} on {result.device}, {threads}: median {result.median_ms:.4g} ms, "
        f"p90 {result.p90_ms:.4g} ms"
    )


def _keep(found: "Benchmarks", where: Path, added: Callable[[Path], None]) -> str:
    """Keep results in a run, or beside the file where there is no run; returns a sentence for the phone.

    Raises:
        ModelError: they cannot be written.
    """
    import hashlib

    from distiller.errors import InputError
    from distiller.report import content, measured
    from distiller.utils.atomic_files import write_whole
    from tflite.errors import ModelError

    try:
        if (where / content.NAME).is_file():
            measured.add(where, found)
            added(where)
            return "Kept with the run, thank you."
        text = found.to_json().encode("utf-8", errors="backslashreplace")
        digest = hashlib.sha256(text).hexdigest()[:12]
        write_whole(where / f"{found.results[0].path.stem}-browser-{digest}.json", text)
    except (OSError, InputError) as error:
        print(f"Not kept: {error}", file=sys.stderr)
        raise ModelError("The computer could not keep them; its terminal says why") from None
    return "Kept beside the file, thank you."


def _show_code(address: str) -> None:
    """A QR code on a terminal, light on dark whatever its colours are; elsewhere the address alone."""
    if not sys.stdout.isatty():
        return
    import io

    import segno

    drawn = io.StringIO()
    segno.make(address, error="l", micro=False).terminal(drawn, compact=True, border=_MARGIN)
    for line in drawn.getvalue().splitlines():
        sys.stdout.write(f"{_WHITE_ON_BLACK}{line}{_PLAIN}\n")
