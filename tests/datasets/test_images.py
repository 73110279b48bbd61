"""Image files become 8-bit RGB exactly or not at all; label files keep every value."""

import io
from collections.abc import Callable

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from karyobench.datasets import images
from karyobench.errors import KaryobenchError

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (40, 50), np.uint8)
RGB = RNG.integers(0, 256, (40, 50, 3), np.uint8)


def png(pixels: np.ndarray) -> bytes:
    return imagecodecs.png_encode(pixels)


def tif(pixels: np.ndarray, **options: object) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels, **options)
    return stream.getvalue()


def pillow(pixels: np.ndarray | Image.Image, kind: str) -> bytes:
    stream = io.BytesIO()
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(stream, kind)
    return stream.getvalue()


def lzw(pixels: np.ndarray) -> bytes:
    return tif(pixels, compression="lzw", predictor=True)


def bmp(pixels: np.ndarray) -> bytes:
    return pillow(pixels, "BMP")


@pytest.mark.parametrize("encode", [png, tif, lzw, bmp])
def test_colour_and_grey_come_back_exactly(encode: Callable[[np.ndarray], bytes]) -> None:
    assert np.array_equal(images.read_image(encode(RGB), "x")[0], RGB)
    assert np.array_equal(images.read_image(encode(GREY), "x")[0], np.stack([GREY] * 3, axis=2))


def test_an_image_is_contiguous_uint8_without_notes() -> None:
    pixels, notes = images.read_image(png(GREY), "x")
    assert (pixels.dtype, pixels.shape, pixels.flags.c_contiguous, notes) == (np.uint8, (40, 50, 3), True, {})


def test_a_jpeg_is_close_to_its_original() -> None:
    smooth = np.add.outer(np.arange(64), np.arange(64)).astype(np.uint8)
    pixels, _ = images.read_image(pillow(smooth, "JPEG"), "x")
    assert np.abs(pixels[..., 0].astype(int) - smooth).max() <= 8


def test_black_and_white() -> None:
    stored = GREY > 100
    pixels, _ = images.read_image(tif(stored, photometric="minisblack"), "x")
    assert np.array_equal(pixels[..., 0], np.where(stored, 255, 0))
    assert np.array_equal(images.read_image(pillow(stored, "PNG"), "x")[0], pixels)


@pytest.mark.parametrize("colour", [RGB, GREY[..., None]])
def test_an_opaque_alpha_channel_is_dropped(colour: np.ndarray) -> None:
    alpha = np.full((*GREY.shape, 1), 255, np.uint8)
    pixels, _ = images.read_image(png(np.concatenate([colour, alpha], axis=2)), "x")
    assert np.array_equal(pixels, np.broadcast_to(colour, RGB.shape))


def test_one_transparent_pixel_is_refused() -> None:
    alpha = np.full((*GREY.shape, 1), 255, np.uint8)
    alpha[3, 4] = 254
    with pytest.raises(KaryobenchError, match=r"slide\.png: has transparent pixels .* alpha"):
        images.read_image(png(np.concatenate([RGB, alpha], axis=2)), "slide.png")


@pytest.mark.parametrize("encode", [png, tif])
@pytest.mark.parametrize("pixels", [GREY, RGB])
def test_16_bits_are_refused_without_a_rule(encode: Callable, pixels: np.ndarray) -> None:
    with pytest.raises(KaryobenchError, match="deep: pixels are uint16, not 8-bit; set `intensity:"):
        images.read_image(encode(pixels.astype(np.uint16) * 257), "deep")


def test_percentiles_become_0_and_255() -> None:
    """Worked by hand: of 0, 10, ..., 1000 the percentiles 10 and 90 are 100 and 900; 500 lies halfway."""
    stored = np.arange(0, 1010, 10, np.uint16)[None]
    pixels, notes = images.read_image(tif(stored), "x", {"percentiles": [10, 90]})
    assert notes == {"intensity_range": [100.0, 900.0]}
    assert pixels[0, [0, 10, 30, 50, 90, 100], 0].tolist() == [0, 0, 64, 128, 255, 255]


def test_an_image_without_contrast_becomes_black() -> None:
    assert not images.read_image(tif(np.full((8, 8), 700, np.uint16)), "x", {"percentiles": [1, 99]})[0].any()


def test_floats_with_holes_are_refused() -> None:
    stored = np.ones((8, 8), np.float32)
    stored[0, 0] = np.nan
    with pytest.raises(KaryobenchError, match="not finite"):
        images.read_image(tif(stored), "x", {"percentiles": [1, 99]})


@pytest.mark.parametrize("shape", [(3, 40, 50), (5, 40, 50), (40, 50, 5)])
def test_other_layouts_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(KaryobenchError, match=r"stack: has shape \(\d+, \d+, \d+\)"):
        images.read_image(tif(np.zeros(shape, np.uint8), photometric="minisblack"), "stack")


@pytest.mark.parametrize("encode", [png, tif, lzw, lambda p: pillow(p, "JPEG"), bmp])
@pytest.mark.parametrize("part", [0.0, 0.01, 0.4, 0.9])
def test_a_truncated_image_is_named(encode: Callable, part: float) -> None:
    whole = encode(RGB)
    with pytest.raises(KaryobenchError, match=r"slide: damaged, truncated, or no image .*; replace the file"):
        images.read_image(whole[: int(len(whole) * part)], "slide")


@pytest.mark.parametrize("encode", [png, lambda pixels: tif(pixels, compression="zlib")])
def test_a_damaged_image_is_named(encode: Callable) -> None:
    data = bytearray(encode(RGB))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(KaryobenchError, match="slide: damaged"):
        images.read_image(bytes(data), "slide")


@given(arrays.arrays(st.sampled_from([np.uint8, np.uint16]), arrays.array_shapes(min_dims=2, max_dims=2, max_side=9)))
def test_labels_keep_every_value(labels: np.ndarray) -> None:
    for encode in (png, tif):
        assert np.array_equal(images.read_labels(encode(labels), "x"), labels)


def test_32_bit_labels() -> None:
    labels = np.array([[0, 70_000], [2**31 - 1, 1]], np.int32)
    assert np.array_equal(images.read_labels(tif(labels), "x"), labels)


def test_binary_labels_are_integers() -> None:
    assert images.read_labels(tif(GREY > 9), "x").dtype == np.uint8


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (png(RGB), r"truth: has shape \(40, 50, 3\); a label map has one channel"),
        (pillow(Image.fromarray(RGB).quantize(8), "PNG"), "one channel, not colours"),
        (tif(GREY.astype(np.float32)), "truth: pixels are float32; a label map holds integers"),
        (pillow(GREY, "JPEG"), "truth: a JPEG does not keep labels exactly"),
        (png(GREY)[:100], "truth: damaged"),
    ],
)
def test_labels_that_are_none(data: bytes, told: str) -> None:
    with pytest.raises(KaryobenchError, match=told):
        images.read_labels(data, "truth")


def test_a_given_range_becomes_0_and_255_in_every_image() -> None:
    pixels = np.array([[90, 100, 300, 500, 900]], np.uint16)
    image, notes = images.read_image(tif(pixels), "a.tif", {"range": [100, 500]})
    assert image[0, :, 0].tolist() == [0, 0, 128, 255, 255]
    assert notes == {"intensity_range": [100.0, 500.0]}


@given(
    arrays.arrays(st.sampled_from([np.uint8, np.uint16]), (3, 4)),
    st.tuples(st.integers(0, 100), st.integers(0, 100)).map(sorted),
)
def test_levels_are_stretched_as_pixels_would_be(pixels: np.ndarray, percentiles: list[int]) -> None:
    rule = {"percentiles": percentiles}
    levels, pixelwise = (images.to_rgb(pixels.astype(kind), "x", rule) for kind in (pixels.dtype, np.int64))
    assert np.array_equal(levels[0], pixelwise[0])
    assert levels[1] == pixelwise[1]
