"""The page of a set of files: as a list of files for a server, or written as one."""

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from importlib import resources

from tflite.errors import ModelError
from tflite.serving import runtime
from tflite.serving.served_model import ServedModel

# Scripts of the page by the names that they import each other by.
_MODULES = ("source", "scaling", "engine", "measure", "device", "photo", "page")
_OF_RUNTIME = {"litert": "litert.js", "@litertjs/wasm-utils": "wasm-utils.js"}
# One file starts without a server to load from, and with one thread.
_ALONE = ("litert_wasm_internal", "litert_wasm_compat_internal")
_POLICY = (
    "default-src 'none'; script-src {scripts} data: blob: 'wasm-unsafe-eval'; style-src {style}; img-src blob:; "
    "connect-src blob:; base-uri 'none'; form-action 'none'"
)


def files_of_page(models: Sequence[ServedModel], litert: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files of a page by their names; "" is the page itself.

    Args:
        models: to show, one or more.
        litert: files of LiteRT.js, as `runtime.load` returns them.
    """
    modules = {f"{name}.js": _own(f"{name}.js") for name in _MODULES}
    places = {**{name: f"./{name}.js" for name in _MODULES}, **{name: f"./{at}" for name, at in _OF_RUNTIME.items()}}
    page = _filled(
        style='<link rel="stylesheet" href="page.css">',
        scripts=f'{_import_map(places)}\n<script type="module" src="page.js"></script>',
    )
    return {"": page, "page.css": _own("page.css"), **modules, **litert, **_data(models)}


def single_page(models: Sequence[ServedModel], litert: Mapping[str, bytes]) -> bytes:
    """The page with everything inside, LiteRT.js and the files too: it needs no server, and sends no results.

    Args:
        models: to show, one or more.
        litert: files of LiteRT.js, as `runtime.load` returns them.
    """
    kept = {name: litert[name] for build in _ALONE for name in (f"{build}.js", f"{build}.wasm")}
    held = json.dumps(
        {name: _base64(gzip.compress(content, 9, mtime=0)) for name, content in {**kept, **_data(models)}.items()}
    )
    modules = {name: _own(f"{name}.js") for name in _MODULES if name != "page"}
    modules |= {name: litert[at] for name, at in _OF_RUNTIME.items()}
    places = {name: f"data:text/javascript;base64,{_base64(content)}" for name, content in modules.items()}
    style, script = _own("page.css").decode(), _own("page.js").decode()
    scripts = f'{_import_map(places)}\n<script type="module">{script}</script>'
    policy = _POLICY.format(
        scripts=" ".join(_hash(text) for text in re.findall("<script[^>]*>(.+?)</script>", scripts, re.DOTALL)),
        style=_hash(style),
    )
    return _filled(
        policy=f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        style=f"<style>{style}</style>",
        scripts=f'<script type="application/json" id="held">{held}</script>\n{scripts}',
    )


def _data(models: Sequence[ServedModel]) -> dict[str, bytes]:
    if not models:
        raise ModelError("Expected one TFLite file or more. Received: none")
    described = {"litert": runtime.VERSION, "models": [model.described(i) for i, model in enumerate(models)]}
    found = {"description.json": json.dumps(described).encode()}
    for place, model in enumerate(models):
        found |= model.files(place)
    return found


def _import_map(places: Mapping[str, str]) -> str:
    return f'<script type="importmap">{json.dumps({"imports": dict(places)})}</script>'


def _filled(**parts: str) -> bytes:
    """The page with its parts in the places that comments keep for them."""
    text = _own("page.html").decode()
    parts["version"] = runtime.VERSION
    for name in ("policy", "style", "scripts", "version"):
        text = text.replace(f"<!-- {name} -->", parts.get(name, ""))
    return text.encode()


def _own(name: str) -> bytes:
    return resources.files("tflite.serving").joinpath("web", name).read_bytes()


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _hash(text: str) -> str:
    return f"'sha256-{_base64(hashlib.sha256(text.encode()).digest())}'"
