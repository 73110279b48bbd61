"""The page of a leaderboard's images: scatter plots, and a card per image with all systems side by side."""

from karyobench.reporting import captions, pages, scatter
from karyobench.reporting.class_cards import ClassCard
from karyobench.reporting.gallery import Card
from karyobench.reporting.pages import Shown
from karyobench.reporting.strata import strata
from karyobench.reporting.views import Record


def template(shown: Shown) -> str:
    """Name of the page's template."""
    return "class_images.html.j2" if shown.board.kind.classes else "images.html.j2"


def context(study: str, shown: Shown) -> Record:
    """Context of the page's template."""
    kinds = _kinds(shown)
    return {
        "study": study,
        "root": "../",
        "board": pages.common(shown),
        "kinds": [(by, by.replace("_", " "), list(dict.fromkeys(of.values()))) for by, of in kinds.items()],
        "n_images": len(shown.board.images),
        "series": [
            {"name": entry.run.experiment, "page": pages.page_of(entry.run.experiment), "fake": entry.run.fake}
            for entry in shown.firsts
        ],
        **(_of_classes(shown, kinds) if shown.board.kind.classes else _of_objects(shown, kinds)),
    }


def _of_classes(shown: Shown, kinds: dict[str, dict[str, str]]) -> Record:
    return {"cards": [_class_card(card, kinds) for card in shown.cards.values()]}


def _class_card(card: ClassCard, kinds: dict[str, dict[str, str]]) -> Record:
    """A card with what it is sorted by: mean and range of the true class's probability over those that compete."""
    told = [each for each in card.drawn.values() if not each.fake] or list(card.drawn.values())
    given = [each.probability for each in told]
    order = {"mean": sum(given) / len(given), "range": max(given) - min(given)}
    return {"card": card, **order, "kinds": {by: of[card.image] for by, of in kinds.items()}}


def _of_objects(shown: Shown, kinds: dict[str, dict[str, str]]) -> Record:
    facts = {row["image"]: row for row in scatter.properties(shown.board).to_dict("records")}
    main = shown.board.kind.main
    label = captions.score_labels(shown.board)[main]
    return {
        "units": scatter.units(shown.board),
        "score": main,
        "cards": [_card(card, facts[card.image], kinds, main) for card in shown.cards.values()],
        "size": (scatter.WIDTH, scatter.HEIGHT),
        "frame": scatter.FRAME,
        "plots": scatter.plots(shown.firsts, main, label),
        "anchors": {card.image: card.anchor for card in shown.cards.values()},
    }


def _kinds(shown: Shown) -> dict[str, dict[str, str]]:
    """Stratum of each image, by kind of stratum."""
    kinds: dict[str, dict[str, str]] = {}
    for stratum in strata(shown.board):
        of = kinds.setdefault(stratum.by, {})
        of |= dict.fromkeys(shown.board.images["image"][stratum.images], stratum.name)
    return kinds


def _card(card: Card, facts: Record, kinds: dict[str, dict[str, str]], main: str) -> Record:
    """A card with what it is sorted by: facts, and mean and range of the main score over those that compete."""
    competing = [drawn for drawn in card.drawn.values() if not drawn.fake] or list(card.drawn.values())
    scores = [drawn.scores[main] for drawn in competing]
    return {
        **{"card": card, **facts, "mean": sum(scores) / len(scores), "range": max(scores) - min(scores)},
        "kinds": {by: of[card.image] for by, of in kinds.items()},
    }
