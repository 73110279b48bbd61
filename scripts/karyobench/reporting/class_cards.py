"""The gallery of a leaderboard of classes: a card per image, with the class that every experiment told."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from karyobench.datasets.store import Store, reading
from karyobench.reporting import gallery, overlays
from karyobench.reporting.entries import Entry
from karyobench.reporting.file_names import file_name

MOST_CARDS = 120
"""Images with a card, of about 15 KB each."""

_SIDE = 260


@dataclass(frozen=True)
class Told:
    """What one experiment says of an image. predicted: blank where it says nothing; probability: of the true class."""

    fake: bool
    predicted: str
    probability: float
    right: bool


@dataclass(frozen=True)
class ClassCard:
    """One image. image_file: a small copy, below the site; size: its width and height; drawn: by experiment."""

    image: str
    image_file: str
    size: tuple[int, int]
    label: str
    drawn: dict[str, Told]

    @property
    def anchor(self) -> str:
        """The card's id on its page."""
        return f"image-{file_name(self.image)}"

    @property
    def outcome(self) -> str:
        """Who tells the right class, fakes left out unless there is nothing else."""
        told = [each.right for each in self.drawn.values() if not each.fake]
        told = told or [each.right for each in self.drawn.values()]
        return "right by all" if all(told) else "right by some" if any(told) else "wrong by all"


def cards(firsts: Sequence[Entry], folder: Path) -> list[ClassCard]:
    """Write the small images of a leaderboard below `folder`, the site. firsts: the first seed of each experiment."""
    with reading(firsts[0].board.config["images"]) as store:
        return [_card(firsts, store, folder, image) for image in with_card(firsts, MOST_CARDS)]


def with_card(firsts: Sequence[Entry], most: int) -> list[str]:
    """Ids of the images that get a card, sorted: half of them kept for such as an experiment gets wrong."""
    wrong = {
        image
        for entry in [each for each in firsts if not each.run.fake] or firsts
        for image in entry.images["image"][entry.images["predicted"] != entry.images["label"]]
    }
    kept = gallery.spread(sorted(wrong), most // 2)
    return sorted({*kept, *gallery.with_card(firsts, most - len(kept))})


def _card(firsts: Sequence[Entry], store: Store, folder: Path, image: str) -> ClassCard:
    file = f"gallery/{file_name(firsts[0].board.config['name'])}/images/{file_name(image)}.jpg"
    small = Image.fromarray(store.image(image))
    small.thumbnail((_SIDE, _SIDE))
    overlays.save_image(folder / file, np.asarray(small))
    drawn = {entry.run.experiment: _told(entry, image) for entry in firsts}
    return ClassCard(image, file, small.size, store.attributes(image)["label"], drawn)


def _told(entry: Entry, image: str) -> Told:
    row = entry.images.set_index("image").loc[image]
    return Told(entry.run.fake, row["predicted"], float(row["true_probability"]), row["predicted"] == row["label"])
