"""Damaged and hostile variants of files: cut, flipped, exchanged, and, for archives, of each of their members."""

import io
import json
import math
import re
import struct
import zlib
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import numpy as np
import tifffile
from PIL import Image

import hostile_archives
from hostile_archives import Variant

_NUMBER = re.compile(rb"-?\d+(\.\d+)?")
_TEXTS = (".xml", ".csv", ".txt", ".json", ".geojson")
_IMAGES = (".png", ".tif", ".tiff", ".bmp", ".gif", ".jpg", ".jpeg", ".ppm")

LAUGHS = b"""<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a0 "ha">%s]><a>&a9;</a>""" % b"".join(
    b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 10)
)
"""Expands to a thousand million times `ha`."""

LEAK = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]><a>&b;</a>'


def variants(name: str, data: bytes, rng: np.random.Generator) -> Iterator[Variant]:
    """Variants of a file, whose name tells its format; those of archives include the variants of all members."""
    yield from _torn(data, rng)
    unpacked = hostile_archives.unpacked(data)
    if unpacked is None:
        yield from _exchanged(name, data)
        return
    members, pack = unpacked
    yield from hostile_archives.variants(data, members, pack)
    for member, content in members.items():
        yield f"without {member}", pack({other: body for other, body in members.items() if other != member})
        for told, body in variants(member, content, rng):
            yield f"{member}: {told}", pack(members | {member: body})


def _torn(data: bytes, rng: np.random.Generator) -> Iterator[Variant]:
    for part in (0, 0.02, 0.3, 0.7, 0.97):
        yield f"cut at {part}", data[: int(part * len(data))]
    yield "without its last byte", data[:-1]
    for reach, count in ((64, 1), (64, 4), (len(data), 1), (len(data), 8), (len(data), 64)):
        yield f"{count} flips in {reach} bytes", flipped(data, rng, reach, count)


def flipped(data: bytes, rng: np.random.Generator, reach: int, count: int) -> bytes:
    """Data with `count` of its first `reach` bytes exchanged for random ones."""
    changed = np.frombuffer(data, np.uint8).copy()
    places = rng.integers(0, max(1, min(reach, len(data))), count)
    if len(changed):
        changed[places] = rng.integers(0, 256, count)
    return changed.tobytes()


# ---------------------------------------------------------------------- files


def _exchanged(name: str, data: bytes) -> Iterator[Variant]:
    """Other content, well formed or not, under the file's name."""
    suffix = "." + name.lower().rsplit(".", 1)[-1]
    yield "a word", b"this is none of what it should be\n"
    yield "a web page", b"<!DOCTYPE html><html><body>Sign in</body></html>"
    yield "zeros", bytes(len(data))
    if suffix in _TEXTS:
        yield from _texts(data)
    if suffix == ".xml":
        yield from _xml()
        yield from _changed_xml(data)
    if suffix.endswith("json"):
        yield from _json()
        yield from _changed_json(data)
    if suffix == ".csv":
        yield "an open quote", data + b'"'
    if suffix in _IMAGES:
        yield from _images()


def _texts(data: bytes) -> Iterator[Variant]:
    for number in (b"nan", b"1e999", b"-7", b"99999999999999999999", b"", b"0.5", b"x"):
        yield f"each number is '{number.decode()}'", _NUMBER.sub(number, data)
        yield f"a number is '{number.decode()}'", _NUMBER.sub(number, data, count=1)
    yield "a zero byte", data + b"\0"
    yield "no UTF-8", data + b"\xff\xfe"
    yield "UTF-16", data.decode("utf-8", "replace").encode("utf-16")
    yield "one long field", data + b"1" * 200_000
    yield "twice", data + data


def _xml() -> Iterator[Variant]:
    yield "entities upon entities", LAUGHS
    yield "entities upon entities, UTF-16", LAUGHS.decode().encode("utf-16")
    yield "an external entity", LEAK
    yield "deeply nested", b"<a>" * 20_000 + b"</a>" * 20_000
    yield "another root", b"<a><Annotations/></a>"


def _json() -> Iterator[Variant]:
    yield "deeply nested", b"[" * 100_000
    for text in ("[]", "{}", "null", "3", '"x"', '{"type": "FeatureCollection", "features": [null, 1, {}]}'):
        yield text, text.encode()
    for shape in (
        "null",
        "[]",
        "[[]]",
        "[[1]]",
        "[[[0, 0], [1, 1]]]",
        '[[["a", "b"]]]',
        "[[[NaN, 0], [5, 0], [5, 5]]]",
    ):
        yield f"coordinates {shape}", _feature(shape).encode()
    yield "annotations of nothing", b'{"images": [{}], "annotations": [{"image_id": 1}], "categories": [null]}'


def _feature(coordinates: str) -> str:
    geometry = f'{{"type": "Polygon", "coordinates": {coordinates}}}'
    return f'{{"type": "FeatureCollection", "features": [{{"type": "Feature", "geometry": {geometry}}}]}}'


def _changed_json(data: bytes) -> Iterator[Variant]:
    """Each value in turn left out, or of another kind."""
    whole = json.loads(data)
    for holder, key in list(_places(whole)):
        kept = holder[key]
        for value in (None, "x", [], {}, -1, 1e300, math.nan, True, [[]]):
            holder[key] = value
            yield f"{key} is {value!r}", json.dumps(whole).encode()
        if isinstance(holder, dict):
            del holder[key]
            yield f"no {key}", json.dumps(whole).encode()
        holder[key] = kept


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Container and key of each value inside a JSON value; of long lists the first two alone."""
    for key in list(value) if isinstance(value, dict) else range(min(2, len(value))) if isinstance(value, list) else ():
        yield value, key
        yield from _places(value[key])


def _changed_xml(data: bytes) -> Iterator[Variant]:
    """Each attribute in turn left out or exchanged, each element left out."""
    root = ElementTree.fromstring(data)
    for parent in list(root.iter())[:60]:
        for key, kept in list(parent.attrib.items()):
            for value in ("", "x", "nan", "-1e300"):
                parent.attrib[key] = value
                yield f"{key} is '{value}'", ElementTree.tostring(root)
            del parent.attrib[key]
            yield f"no {key}", ElementTree.tostring(root)
            parent.attrib[key] = kept
        for place, child in enumerate(list(parent)[:3]):
            parent.remove(child)
            yield f"no {child.tag}", ElementTree.tostring(root)
            parent.insert(place, child)


def _images() -> Iterator[Variant]:
    """Whole images of other sizes, depths and formats; and headers that claim more than any memory holds."""
    yield "one pixel", _encoded(np.zeros((1, 1, 3), np.uint8), "PNG")
    yield "16 bits", _encoded(np.full((9, 9), 40_000, np.uint16), "TIFF")
    yield "floating point", _encoded(np.full((9, 9), np.nan, np.float32), "TIFF")
    yield "half transparent", _encoded(np.full((9, 9, 4), 99, np.uint8), "PNG")
    yield "a stack", _encoded(np.zeros((3, 9, 9), np.uint8), "TIFF")
    yield "a palette", _encoded(np.zeros((9, 9), np.uint8), "GIF")
    yield "loss", _encoded(np.zeros((9, 9, 3), np.uint8), "JPEG")
    yield "a vast PNG", _vast_png()
    yield "a vast TIFF", _vast_tiff()
    yield "a vast BMP", b"BM" + struct.pack("<IIIIiiHHIIiiII", 54, 0, 54, 40, 60_000, 60_000, 1, 24, 0, 0, 0, 0, 0, 0)
    yield "a vast PPM", b"P6 60000 60000 255\n" + bytes(100)
    yield "a vast GIF", b"GIF89a" + struct.pack("<HHBBB", 60_000, 60_000, 0, 0, 0) + b";"


def _encoded(pixels: np.ndarray, kind: str) -> bytes:
    stream = io.BytesIO()
    if kind == "TIFF":
        tifffile.imwrite(stream, pixels, photometric="minisblack")
    else:
        Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def _vast_png() -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 200_000, 200_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def _vast_tiff() -> bytes:
    tags = [(256, 4, 1, 200_000), (257, 4, 1, 200_000), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8)]
    tags += [(277, 3, 1, 1), (278, 4, 1, 200_000), (279, 4, 1, 3_600_000_000)]
    body = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags)) + body + bytes(4)
