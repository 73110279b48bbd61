"""Every file of a leaderboard, as text: tables for programs, pages for people, the picture of its ranking."""

from karyobench import files
from karyobench.reporting import captions, critical, latex, leaderboard, ranks, reproduction, strata, tables
from karyobench.reporting.runs import Board

KINDS = ("csv", "summary", "strata", "pairs", "reproduction", "ranks", "markdown", "latex")


def texts(board: Board) -> dict[str, str]:
    """Text of each of KINDS; equal for equal inputs."""
    compared = ranks.comparison(board)
    rivals = compared.only(ranks.ranked(board))
    summary, facts = leaderboard.summary(board, compared), leaderboard.published_rows(board)
    against = reproduction.table(board)
    label, name = captions.score_labels(board)[board.kind.main], f"ranks-{files.digest(board.config['name'])[:8]}"
    return {
        "csv": leaderboard.csv_text(leaderboard.measured(board)),
        "summary": leaderboard.csv_text(summary, facts),
        "strata": leaderboard.csv_text(strata.table(board)),
        "pairs": leaderboard.csv_text(ranks.pairs(rivals)),
        "reproduction": leaderboard.csv_text(against),
        "ranks": critical.picture(rivals, board.kind.main, label, name),
        "markdown": tables.markdown(board, summary, facts, against),
        "latex": latex.latex(board, summary, facts, against),
    }
