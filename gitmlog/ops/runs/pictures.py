"""Figures and images that users log, as bytes."""

from __future__ import annotations

import io
from pathlib import PurePath
from typing import Any

from gitmlog.core.errors import GitmlogError, UsageError

_FIGURES = (".png", ".svg", ".pdf", ".html", ".jpg", ".jpeg")
_IMAGES = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".gif": "GIF",
    ".bmp": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}


def _bad(problem: str, hint: str) -> UsageError:
    return UsageError(problem, kind="bad-value", hint=hint)


def _extension(path: str, known: tuple[str, ...]) -> str:
    found = PurePath(path).suffix.lower() or ".png"
    if found not in known:
        raise _bad(f"{path[:200]!r} has an ending that is none of {', '.join(known)}", "end the name with .png")
    return found


# Figures


def figure_bytes(figure: Any, path: str) -> bytes:
    """A figure of matplotlib (or its Axes, or pyplot: the current one) or of plotly, in the form that `path` ends with.

    Raises:
        UsageError: kind `bad-value`: it is no figure, or it cannot be written in that form.
    """
    extension = _extension(path, _FIGURES)
    found = _figure(figure)
    if hasattr(found, "savefig"):
        return _matplotlib(found, extension)
    if extension == ".html" and hasattr(found, "to_html"):
        return str(found.to_html()).encode("utf-8", "replace")
    if hasattr(found, "to_image"):
        return _plotly(found, extension)
    hint = "log_figure takes a matplotlib Figure or Axes, pyplot, or a plotly figure; log_image takes arrays"
    raise _bad(f"{type(figure).__name__} is no figure that can be written as {extension}", hint)


def _figure(figure: Any) -> Any:
    if hasattr(figure, "gcf"):
        return figure.gcf()
    if hasattr(figure, "savefig") or hasattr(figure, "to_image"):
        return figure
    inner = getattr(figure, "figure", None)
    return inner if hasattr(inner, "savefig") else figure


_PAGE = '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>figure</title></head>\n<body>\n{}\n</body></html>\n'


def _matplotlib(figure: Any, extension: str) -> bytes:
    """Without the time, so that equal figures have equal bytes as far as the library lets them."""
    if extension == ".html":
        picture = _matplotlib(figure, ".svg").decode("utf-8")
        return _PAGE.format(picture[picture.index("<svg") :]).encode()
    target = io.BytesIO()
    undated = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(extension)
    options = {} if undated is None else {"metadata": undated}
    figure.savefig(target, format=extension.removeprefix("."), bbox_inches="tight", **options)
    return target.getvalue()


def _plotly(figure: Any, extension: str) -> bytes:
    try:
        return bytes(figure.to_image(format=extension.removeprefix(".")))
    except (ValueError, ImportError, RuntimeError) as error:
        said = " ".join(str(error).split())[:200]
        raise _bad(
            f"plotly could not write {extension}: {said}", "python -m pip install kaleido, or end the name with .html"
        ) from error


# Images


def image_bytes(image: Any, path: str) -> bytes:
    """An image of Pillow, or an array or tensor: HxW, HxWx1, x3 or x4 (of torch also CxHxW); bytes, booleans, or 0.0 to 1.0.

    Raises:
        UsageError: kind `bad-value`: it is no image, or its values are in another range.
        GitmlogError: kind `missing-extra`: Pillow is not installed.
    """
    form = _IMAGES[_extension(path, tuple(_IMAGES))]
    picture = image if hasattr(image, "save") and hasattr(image, "mode") else _picture(image)
    if form == "JPEG" and picture.mode not in ("L", "RGB", "CMYK"):
        picture = picture.convert("RGB")
    target = io.BytesIO()
    picture.save(target, format=form)
    return target.getvalue()


def _picture(image: Any) -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        hint = "python -m pip install 'gitmlog[images]'"
        raise GitmlogError("writing an image needs Pillow", kind="missing-extra", hint=hint) from error
    array = _pixels(_array(image))
    return Image.fromarray(array[:, :, 0] if array.ndim == 3 and array.shape[2] == 1 else array)


def _array(image: Any) -> Any:
    """A numpy array, the channels last."""
    import numpy as np

    if hasattr(image, "detach"):
        tensor = image.detach().cpu()
        tensor = tensor.float() if tensor.is_floating_point() else tensor
        first = tensor.ndim == 3 and tensor.shape[0] in (1, 3, 4)
        image = (tensor.permute(1, 2, 0) if first else tensor).numpy()
    array = np.asarray(image)
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)) or 0 in array.shape:
        shape = "x".join(map(str, array.shape)) or "none"
        raise _bad(f"an image is not of the shape {shape}", "give HxW, HxWx1, HxWx3 or HxWx4; one image a call")
    return np.ascontiguousarray(array)


def _pixels(array: Any) -> Any:
    """As bytes, 0 to 255."""
    import numpy as np

    if array.dtype == np.uint8:
        return array
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    if not np.issubdtype(array.dtype, np.floating):
        raise _bad(f"an image is not of {array.dtype}", "convert it: x.astype('uint8') where it holds 0 to 255")
    least, most = float(array.min()), float(array.max())
    if not (least >= 0 and most <= 1):
        raise _bad(
            f"the values go from {least:.4g} to {most:.4g}, not from 0 to 1", "scale it: (x - x.min()) / (x.max() - x.min())"
        )
    return np.round(array * 255).astype(np.uint8)
