"""Ingest writes the schema with all attributes, and refuses what would make a score meaningless."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from karyobench import files
from karyobench.datasets import image_types, store
from karyobench.datasets.download import download
from karyobench.datasets.ingest import ingest
from karyobench.errors import KaryobenchError

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
RECEIPT = Path("raw/d/source.json")
OUTPUT = Path("d.h5")
SUMMARY = Path("d.json")
RNG = np.random.default_rng(0)


@pytest.fixture
def record(workdir: Path) -> dict[str, Any]:
    """Record of two local image and label pairs; the second has no nuclei. The first's labels have gaps."""
    labels = np.zeros((30, 40), np.uint16)
    labels[2:6, 2:6], labels[10:20, 10:30], labels[25:, 35:] = 900, 4, 70
    save(workdir, "one", RNG.integers(0, 256, (30, 40, 3), np.uint8), labels)
    save(workdir, "two", RNG.integers(0, 256, (20, 20, 3), np.uint8), np.zeros((20, 20), np.uint8))
    pairs = [{"id": i, "image": f"{i}.tif", "labels": f"{i}_labels.tif"} for i in ("one", "two")]
    return {"dataset": "d", "reader": "pairs", "pairs": pairs, "image_type": "he", "mpp": 0.5, "truth": "manual"}


def save(workdir: Path, name: str, image: np.ndarray, labels: np.ndarray) -> None:
    (workdir / "mine").mkdir(exist_ok=True)
    tifffile.imwrite(workdir / f"mine/{name}.tif", image)
    tifffile.imwrite(workdir / f"mine/{name}_labels.tif", labels)


def run(record: dict[str, Any]) -> None:
    download("d", {"local": "mine"}, "", Path("partial"), RECEIPT)
    ingest(record, RECEIPT, OUTPUT, SUMMARY)


def run_fields(monkeypatch: pytest.MonkeyPatch, fields: list[store.Field], **record: Any) -> dict[str, Any]:
    """Ingest fields as if a reader had given them; the summary."""
    save(Path(), "any", np.zeros((2, 2), np.uint8), np.zeros((2, 2), np.uint8))
    download("d", {"local": "mine"}, "", Path("partial"), RECEIPT)
    monkeypatch.setattr("karyobench.datasets.ingest.find", lambda name: lambda raw, receipt, record: iter(fields))
    ingest({"dataset": "d", "reader": "mine", "truth": "manual", "image_type": "he"} | record, RECEIPT, OUTPUT, SUMMARY)
    return json.loads(SUMMARY.read_text())


def drawn(image_id: str, colour: tuple[int, int, int], **changes: Any) -> store.Field:
    """An image of one colour with seeded noise, and one object."""
    noise = np.random.default_rng(files.digest(image_id).encode()[0]).integers(-9, 10, (8, 9, 1))
    labels = np.zeros((8, 9), np.uint8)
    labels[2:4, 2:4] = 3
    given = {"instances": labels, "attributes": {"source_file": image_id}} | changes
    return store.Field(image_id, np.clip(colour + noise, 0, 255).astype(np.uint8), **given)


def test_images_labels_and_attributes(record: dict[str, Any]) -> None:
    run(record)
    with store.reading(OUTPUT) as images:
        assert images.ids == ["one", "two"]
        assert images.about == {
            **{"dataset": "d", "truth": "manual", "objects": "nuclei", "subset": ""},
            **{"n_images": 2, "n_instances": 3},
        }
        one = images.field("one")
        assert np.array_equal(one.image, tifffile.imread("mine/one.tif"))
        assert one.attributes == {
            "dataset": "d",
            "image_type": "he",
            "group": "one",
            "parent": "one",
            "box": [0, 0, 30, 40],
            "mpp": 0.5,
            "truth": "manual",
            "source_file": "one.tif",
            "sha256": files.digest(b"(30, 40, 3)" + one.image.tobytes()),
            "n_instances": 3,
        }


def test_labels_are_renumbered_in_their_order(record: dict[str, Any]) -> None:
    run(record)
    stored = tifffile.imread("mine/one_labels.tif")
    with store.reading(OUTPUT) as images:
        labels = images.instances("one")
    assert labels.dtype == np.int32
    for old, new in ((0, 0), (4, 1), (70, 2), (900, 3)):
        assert np.all(labels[stored == old] == new)


def test_an_image_without_nuclei_is_kept_with_an_empty_truth(record: dict[str, Any]) -> None:
    run(record)
    with store.reading(OUTPUT) as images:
        assert images.attributes("two")["n_instances"] == 0
        assert not images.instances("two").any()


def test_a_truth_without_background_starts_at_1(record: dict[str, Any], workdir: Path) -> None:
    save(workdir, "two", RNG.integers(0, 256, (4, 4, 3), np.uint8), np.full((4, 4), 9, np.uint8))
    run(record)
    with store.reading(OUTPUT) as images:
        assert np.unique(images.instances("two")).tolist() == [1]


def test_regions(record: dict[str, Any]) -> None:
    boxes = {"one": {"train": [[0, 0, 30, 15]], "test": [[0, 25, 30, 40]]}, "two": {"train": [[0, 0, 20, 20]]}}
    run(record | {"regions": {"guard": 10, "boxes": boxes}})
    with store.reading(OUTPUT) as images:
        assert images.ids == ["one-test1", "one-train1", "two-train1"]
        assert images.about["n_instances"] == 4
        test = images.field("one-test1")
    assert np.unique(test.instances).tolist() == [0, 1, 2]
    wanted = {"parent": "one", "group": "one", "box": [0, 25, 30, 40], "region_split": "test", "n_instances": 2}
    assert test.attributes | wanted == test.attributes


def test_unknown_pixel_size_leaves_no_attribute(record: dict[str, Any]) -> None:
    run(record | {"mpp": None})
    with store.reading(OUTPUT) as images:
        assert "mpp" not in images.attributes("one")


def test_two_runs_give_the_same_bytes(record: dict[str, Any]) -> None:
    run(record)
    first = OUTPUT.read_bytes(), SUMMARY.read_bytes()
    run(record)
    assert (OUTPUT.read_bytes(), SUMMARY.read_bytes()) == first


def test_a_subset_is_told(record: dict[str, Any]) -> None:
    run(record)
    receipt = json.loads(RECEIPT.read_text())
    RECEIPT.write_text(json.dumps(receipt | {"subset": "2 of 9 images"}))
    ingest(record, RECEIPT, OUTPUT, SUMMARY)
    with store.reading(OUTPUT) as images:
        assert images.about["subset"] == "2 of 9 images"
    assert json.loads(SUMMARY.read_text())["subset"] == "2 of 9 images"


def test_the_summary_tells_counts_findings_and_what_differs_from_published_ones(record: dict[str, Any]) -> None:
    run(record | {"counts": {"images": 2, "objects": 7, "why": "four were withdrawn"}})
    found = json.loads(SUMMARY.read_text())
    total = found["rows"][0]
    assert [total[key] for key in ("images", "objects", "empty", "width_min", "width_max")] == [2, 3, 1, 20, 40]
    checks = {check["check"]: check["amount"] for check in found["checks"]}
    assert (checks["unused labels"], checks["images without objects"], checks["grey images"]) == (897, 1, 0)
    assert [stated["why"] for stated in found["published"]] == ["", "four were withdrawn"]


@pytest.mark.parametrize(
    ("attributes", "told"),
    [({"label": "bening"}, "of class 'bening'.*did you mean 'benign'"), ({}, "has no class")],
)
def test_an_image_of_no_listed_class_is_refused(
    monkeypatch: pytest.MonkeyPatch, workdir: Path, attributes: dict[str, Any], told: str
) -> None:
    about = {"source_file": "a", **attributes}
    item = drawn("a", (200, 90, 160), instances=None, attributes=about)
    with pytest.raises(KaryobenchError, match=f"image 'a' .*{told}"):
        run_fields(monkeypatch, [item], objects="classes", classes=["benign", "malignant"])


def test_a_class_alone_is_truth(monkeypatch: pytest.MonkeyPatch, workdir: Path) -> None:
    about = {"source_file": "a", "label": "benign"}
    found = run_fields(monkeypatch, [drawn("a", (200, 90, 160), instances=None, attributes=about)], objects="classes")
    with store.reading(OUTPUT) as images:
        assert (images.instances("a"), images.attributes("a")["label"]) == (None, "benign")
        assert "n_instances" not in images.attributes("a")
        assert (images.about["objects"], images.about["n_instances"]) == ("classes", 0)
    assert [(row["by"], row["objects"]) for row in found["rows"]] == [
        ("all", None),
        ("image_type", None),
        ("label", None),
    ]


def test_layers_are_kept_in_the_types_of_the_schema(monkeypatch: pytest.MonkeyPatch, workdir: Path) -> None:
    layers = {"ignore": np.eye(8, 9, dtype=np.int64), "second": np.full((8, 9), 7, np.uint8)}
    points = np.array([[0, 0], [7, 8]])
    fields = [
        drawn("a", (200, 90, 160), layers=layers),
        drawn("b", (200, 90, 160), instances=None, layers={"points": points}),
    ]
    run_fields(monkeypatch, fields)
    with store.reading(OUTPUT) as images:
        kept = images.layers("a")
        assert {name: str(layer.dtype) for name, layer in kept.items()} == {"ignore": "uint8", "second": "int32"}
        assert all(np.array_equal(kept[name], layers[name]) for name in layers)
        assert images.layers("b")["points"].dtype == np.float64
        assert [images.attributes(name)["n_instances"] for name in "ab"] == [1, 2]


def test_labels_that_may_not_be_written_to(monkeypatch: pytest.MonkeyPatch, workdir: Path) -> None:
    field = drawn("a", (200, 90, 160))
    field.instances.flags.writeable = False
    run_fields(monkeypatch, [field])
    with store.reading(OUTPUT) as images:
        assert np.unique(images.instances("a")).tolist() == [0, 1]


def coloured() -> list[store.Field]:
    """Three kinds of images; the reader knows the kind of the first, is wrong about the second, silent on others."""
    he, dark, bright = (190, 100, 180), (12, 12, 12), (215, 215, 215)
    fields = [drawn(f"{name}{k}", colour) for name, colour in (("d", dark), ("h", he), ("w", bright)) for k in range(4)]
    fields[0].attributes["image_type"] = "fluorescence"
    fields[1].attributes["image_type"] = "he"
    return fields


def test_kmeans_names_the_types_when_all_images_are_read(monkeypatch: pytest.MonkeyPatch, workdir: Path) -> None:
    found = run_fields(monkeypatch, coloured(), image_type="kmeans")
    with store.reading(OUTPUT) as images:
        about = {image_id: images.attributes(image_id) for image_id in images.ids}
    kinds = {"d": "fluorescence", "h": "he", "w": "brightfield"}
    assert {image_id: a["image_type"] for image_id, a in about.items()} == {i: kinds[i[0]] for i in about}
    assert [about[i].get("image_type_known") for i in ("d0", "d1", "d2")] == ["fluorescence", "he", None]
    np.testing.assert_allclose(about["w1"]["colour_statistics"], image_types.statistics(coloured()[9].image))
    assert found["typing"]["confusion"] == {"fluorescence": {"fluorescence": 1}, "he": {"fluorescence": 1}}
    assert {r["value"]: r["images"] for r in found["rows"] if r["by"] == "image_type"} == dict.fromkeys(
        kinds.values(), 4
    )


def test_kmeans_goes_by_the_statistics_of_a_reader_that_saw_other_pixels(
    monkeypatch: pytest.MonkeyPatch, workdir: Path
) -> None:
    fields = coloured()
    fields[0].attributes["colour_statistics"] = image_types.statistics(fields[4].image).tolist()
    run_fields(monkeypatch, fields, image_type="kmeans")
    with store.reading(OUTPUT) as images:
        assert images.attributes("d0")["image_type"] == "he"
        assert images.attributes("d1")["image_type"] == "fluorescence"


def test_the_same_pixels_within_a_group_are_kept_and_told(monkeypatch: pytest.MonkeyPatch, workdir: Path) -> None:
    first = drawn("a", (200, 90, 160), attributes={"source_file": "a", "group": "patient"})
    again = store.Field("b", first.image, None, first.attributes | {"label": "benign"})
    found = run_fields(monkeypatch, [first, again])
    assert {c["check"]: c["amount"] for c in found["checks"]}["images repeated in a group"] == 1


def test_truth_and_image_of_different_shape(record: dict[str, Any], workdir: Path) -> None:
    save(workdir, "two", RNG.integers(0, 256, (20, 20, 3), np.uint8), np.zeros((20, 19), np.uint8))
    with pytest.raises(KaryobenchError, match=r"dataset 'd': image 'two': .* shape \(20, 19\), the image \(20, 20\)"):
        run(record)
    assert not OUTPUT.exists()


def test_negative_labels(record: dict[str, Any], workdir: Path) -> None:
    save(workdir, "two", RNG.integers(0, 256, (20, 20, 3), np.uint8), np.full((20, 20), -2, np.int16))
    with pytest.raises(KaryobenchError, match="image 'two': the truth has the negative label -2"):
        run(record)


def test_the_same_pixels_twice_name_both_images(record: dict[str, Any], workdir: Path) -> None:
    save(workdir, "two", tifffile.imread("mine/one.tif"), np.zeros((30, 40), np.uint8))
    with pytest.raises(KaryobenchError, match="images 'one' and 'two' have the same pixels"):
        run(record)


def test_the_same_id_twice(record: dict[str, Any]) -> None:
    record["pairs"][1]["id"] = "one"
    with pytest.raises(KaryobenchError, match="image id 'one' occurs twice"):
        run(record)


@pytest.mark.parametrize("image_id", ["", "a/b", "."])
def test_ids_that_cannot_be(image_id: str, record: dict[str, Any]) -> None:
    record["pairs"][0]["id"] = image_id
    with pytest.raises(KaryobenchError, match="cannot be an image id"):
        run(record)


def test_a_reader_that_finds_nothing(record: dict[str, Any]) -> None:
    with pytest.raises(KaryobenchError, match="dataset 'd': the reader 'pairs' found no images"):
        run(record | {"pairs": []})


def test_an_image_type_must_come_from_somewhere(record: dict[str, Any]) -> None:
    with pytest.raises(KaryobenchError, match="image 'one': the reader 'pairs' names no image type; set `image_type`"):
        run(record | {"image_type": None})


def test_the_steps_end_with_one_message_and_leave_the_last_result(record: dict[str, Any], workdir: Path) -> None:
    run(record)
    before = OUTPUT.read_bytes(), SUMMARY.read_bytes()
    (workdir / "mine/one.tif").write_bytes((workdir / "mine/one.tif").read_bytes()[:500])
    download("d", {"local": "mine"}, "", Path("partial"), RECEIPT)
    command = [sys.executable, SCRIPTS / "ingest.py", "--config", json.dumps(record)]
    done = subprocess.run(
        [*command, "--receipt", RECEIPT, "--output", OUTPUT, "--summary", SUMMARY], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.count("error:") == 1
    assert "mine/one.tif: damaged, truncated, or no image" in done.stderr
    assert "Traceback" not in done.stderr
    assert (OUTPUT.read_bytes(), SUMMARY.read_bytes()) == before


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.integers(1, 2**31 - 10))
def test_renumbering_keeps_the_partition_and_the_order(values: list[int], step: int) -> None:
    from karyobench.datasets.ingest import _described

    stored = np.array([values], np.int64) * step
    field = store.Field("x", np.zeros((1, len(values), 3), np.uint8), stored)
    labels = _described(field).instances
    names = sorted(set(stored[stored > 0].tolist()))
    assert labels.ravel().tolist() == [names.index(v) + 1 if v else 0 for v in stored.ravel().tolist()]
