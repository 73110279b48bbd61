"""The page of a leaderboard's images: scatter plots, and a card per image with all systems side by side."""

from karyobench.reporting import captions, pages, scatter
from karyobench.reporting.gallery import Card
from karyobench.reporting.leaderboard import MAIN
from karyobench.reporting.pages import Shown
from karyobench.reporting.strata import strata
from karyobench.reporting.views import Record


def context(study: str, shown: Shown) -> Record:
    """Context of `images.html.j2`."""
    facts = {row["image"]: row for row in scatter.properties(shown.board).to_dict("records")}
    kinds = _kinds(shown)
    label = captions.score_labels(shown.board)[MAIN]
    return {
        "study": study,
        "root": "../",
        "board": pages.common(shown),
        "units": scatter.units(shown.board),
        "kinds": [(by, by.replace("_", " "), list(dict.fromkeys(of.values()))) for by, of in kinds.items()],
        "n_images": len(facts),
        "score": MAIN,
        "cards": [_card(card, facts[card.image], kinds) for card in shown.cards.values()],
        "series": [
            {"name": entry.run.experiment, "page": pages.page_of(entry.run.experiment), "fake": entry.run.fake}
            for entry in shown.firsts
        ],
        "size": (scatter.WIDTH, scatter.HEIGHT),
        "frame": scatter.FRAME,
        "plots": scatter.plots(shown.firsts, MAIN, label),
        "anchors": {card.image: card.anchor for card in shown.cards.values()},
    }


def _kinds(shown: Shown) -> dict[str, dict[str, str]]:
    """Stratum of each image, by kind of stratum."""
    kinds: dict[str, dict[str, str]] = {}
    for stratum in strata(shown.board):
        of = kinds.setdefault(stratum.by, {})
        of |= dict.fromkeys(shown.board.images["image"][stratum.images], stratum.name)
    return kinds


def _card(card: Card, facts: Record, kinds: dict[str, dict[str, str]]) -> Record:
    """A card with what it is sorted by: facts, and mean and range of the main score over those that compete."""
    competing = [drawn for drawn in card.drawn.values() if not drawn.fake] or list(card.drawn.values())
    scores = [drawn.scores[MAIN] for drawn in competing]
    return {
        **{"card": card, **facts, "mean": sum(scores) / len(scores), "range": max(scores) - min(scores)},
        "kinds": {by: of[card.image] for by, of in kinds.items()},
    }
