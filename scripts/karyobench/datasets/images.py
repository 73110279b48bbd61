"""Image files to uint8 RGB, label files to label maps; from bytes, so that members of archives need no extraction."""

import io
import struct
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from PIL import Image, UnidentifiedImageError

from karyobench.errors import KaryobenchError

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_LARGEST = 1 << 32


def read_image(data: bytes, name: str, intensity: dict[str, Any] | None = None) -> tuple[np.ndarray, dict[str, Any]]:
    """uint8 RGB (H, W, 3) of an image file, and the attributes that tell how its intensities were changed, if at all.

    Grey is replicated; an alpha channel that is opaque everywhere is dropped. intensity, of the dataset's record: the
    two values (`range`) or the two percentiles of the image (`percentiles`) that become 0 and 255; without it other
    depths than 8 bits are refused.
    Raises KaryobenchError naming the file when it is damaged, transparent, or of another depth or layout.
    """
    return to_rgb(stored(data, name), name, intensity)


def stored(data: bytes, name: str) -> np.ndarray:
    """Pixels of an image file in its own depth, (H, W) or (H, W, 3); errors as by `read_image`."""
    return _colour_channels(_decode(data, name), name)


def to_rgb(pixels: np.ndarray, name: str, intensity: dict[str, Any] | None) -> tuple[np.ndarray, dict[str, Any]]:
    """What `read_image` gives of the pixels of a file, which `stored` reads."""
    if intensity is not None:
        pixels, notes = _rescaled(pixels, intensity, name)
    elif pixels.dtype == bool:
        pixels, notes = pixels.astype(np.uint8) * 255, {}
    elif pixels.dtype == np.uint8:
        notes = {}
    else:
        raise KaryobenchError(
            f"{name}: pixels are {pixels.dtype}, not 8-bit; set `intensity: {{percentiles: [low, high]}}` or "
            "`intensity: {{range: [low, high]}}` in the dataset's record to rescale each image"
        )
    grey = pixels.ndim == 2
    return np.ascontiguousarray(np.repeat(pixels[..., None], 3, axis=2) if grey else pixels), notes


def read_labels(data: bytes, name: str) -> np.ndarray:
    """Label map (H, W) of an image file, exact, in its own integer type.

    Raises KaryobenchError naming the file when it is damaged, in colour, not integer, or stored with loss.
    """
    if data.startswith(_JPEG):
        raise KaryobenchError(f"{name}: a JPEG does not keep labels exactly; store label maps as PNG or TIFF")
    labels = _decode(data, name)
    if labels.ndim != 2:
        raise KaryobenchError(f"{name}: has shape {labels.shape}; a label map has one channel, not colours")
    if labels.dtype != bool and not np.issubdtype(labels.dtype, np.integer):
        raise KaryobenchError(f"{name}: pixels are {labels.dtype}; a label map holds integers")
    return labels.astype(np.uint8) if labels.dtype == bool else labels


def _decode(data: bytes, name: str) -> np.ndarray:
    """Pixels as stored: (H, W) or (H, W, channels), in the file's own depth.

    Each format goes to the decoder that reports damage and keeps 16 bits: OpenCV fills what a truncated PNG lacks,
    libjpeg what a truncated JPEG lacks, and Pillow cuts 16-bit colour to 8 bits.
    """
    try:
        if data.startswith(_PNG):
            pixels = _decode_png(data)
        elif data.startswith(_TIFF):
            pixels = _decode_tiff(data)
        else:
            pixels = _decode_other(data)
    except MemoryError:
        raise
    except Exception as error:
        # The decoders raise exceptions of many unrelated kinds on damaged data; all mean the same to the user.
        raise KaryobenchError(f"{name}: damaged, truncated, or no image ({error}); replace the file") from error
    return pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels


def _decode_png(data: bytes) -> np.ndarray:
    width, height = struct.unpack(">II", data[16:24])
    _refuse_vast(width * height * 4)
    return imagecodecs.png_decode(data)


def _decode_tiff(data: bytes) -> np.ndarray:
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        _refuse_vast(file.series[0].nbytes)
        return file.asarray()


def _refuse_vast(size: int) -> None:
    """A damaged header may claim any size; without this, memory for it would be asked for."""
    if size > _LARGEST:
        raise ValueError(f"its header tells of {size} bytes of pixels")


def _decode_other(data: bytes) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(data)) as image:
            return np.asarray(image.convert("RGB") if image.mode in ("P", "YCbCr") else image)
    except UnidentifiedImageError:
        raise ValueError("its format is not known") from None


def _colour_channels(pixels: np.ndarray, name: str) -> np.ndarray:
    """Drop an opaque alpha channel. Raises KaryobenchError on a transparent one and on other layouts."""
    layout = pixels.shape[2] if pixels.ndim == 3 else pixels.ndim
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and layout not in (2, 3, 4)):
        raise KaryobenchError(f"{name}: has shape {pixels.shape}; an image is (H, W) or (H, W, 2 to 4 channels)")
    if pixels.ndim == 2 or layout == 3:
        return pixels
    opaque = np.iinfo(pixels.dtype).max if np.issubdtype(pixels.dtype, np.integer) else 1
    if (pixels[..., -1] != opaque).any():
        raise KaryobenchError(
            f"{name}: has transparent pixels in its alpha channel; flatten it onto a background first"
        )
    return pixels[..., 0] if layout == 2 else pixels[..., :3]


def _rescaled(pixels: np.ndarray, intensity: dict[str, Any], name: str) -> tuple[np.ndarray, dict[str, Any]]:
    """Stretch a range of values to 0..255; an image without contrast becomes 0."""
    levels = np.arange(np.iinfo(pixels.dtype).max + 1) if pixels.dtype in (np.uint8, np.uint16) else None
    if levels is None:
        pixels = pixels.astype(np.float64)
    if not np.isfinite(pixels).all():
        raise KaryobenchError(f"{name}: has pixels that are not finite numbers; replace them first")
    low, high = intensity["range"] if "range" in intensity else np.percentile(pixels, intensity["percentiles"])
    # Stretching the few levels of an integer image is faster than stretching its pixels.
    scaled = _stretched(pixels, low, high) if levels is None else _stretched(levels, low, high)[pixels]
    return scaled, {"intensity_range": [float(low), float(high)]}


def _stretched(values: np.ndarray, low: float, high: float) -> np.ndarray:
    with np.errstate(over="ignore"):
        scaled = (values - low) / max(high - low, np.finfo(float).tiny)
    return np.rint(np.clip(scaled, 0, 1) * 255).astype(np.uint8)
