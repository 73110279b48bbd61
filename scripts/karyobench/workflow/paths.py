"""Where every file of the workflow lies, relative to the working directory; braces hold Snakemake's wildcards."""

RAW = "resources/raw/{dataset}/source.json"
PARTIAL = "resources/partial/{dataset}"
DATASET = "results/datasets/{dataset}.h5"
INGESTED = "results/datasets/{dataset}.json"
PUBLISHED_SPLIT = "scripts/karyobench/datasets/published_splits/{list}.csv"
SPLIT = "results/splits/{dataset}.csv"
STAINED = "results/stain/{stain}/{dataset}.h5"
STAIN_FIGURE = "results/figures/stain/{stain}/{dataset}.svg"
PATCHES = "results/patches/{patches}.h5"
PRETRAINED_RAW = "resources/pretrained/{pretrained}/source.json"
PRETRAINED_PARTIAL = "resources/partial/pretrained/{pretrained}"
PRETRAINED = "results/pretrained/{pretrained}.safetensors"
MODEL = "results/models/{experiment}/{seed}/"
WEIGHTS = MODEL + "weights.safetensors"
HISTORY = MODEL + "history.csv"
RUN = MODEL + "run.json"
CARD = MODEL + "card.md"
CURVE = MODEL + "curve.svg"
CHECKPOINTS = "results/checkpoints/{experiment}/{seed}"
EXPORTED = "results/exported/{experiment}/{seed}/network.zip"
PREDICTIONS = "results/predictions/{experiment}/{seed}/{dataset}.h5"
MERGED = "results/merged/{experiment}/{seed}/{dataset}.h5"
CLASS_MAPS = "results/figures/classes/{experiment}/{seed}/{dataset}"
METRICS = "results/metrics/{experiment}/{seed}/{dataset}.csv"
LEADERBOARD = "results/leaderboards/{leaderboard}.csv"
SUMMARY = "results/leaderboards/{leaderboard}_summary.csv"
STRATA = "results/leaderboards/{leaderboard}_strata.csv"
PAIRS = "results/leaderboards/{leaderboard}_pairs.csv"
REPRODUCTION = "results/leaderboards/{leaderboard}_reproduction.csv"
RANKS = "results/leaderboards/{leaderboard}_ranks.svg"
MARKDOWN = "results/leaderboards/{leaderboard}.md"
LATEX = "results/leaderboards/{leaderboard}.tex"
PUBLISHED = "scripts/karyobench/reporting/published.csv"
TEMPLATES = "scripts/karyobench/reporting/templates"
DATASETS = "results/tables/{study}_datasets.csv"
DATASETS_MARKDOWN = "results/tables/{study}_datasets.md"
PUBLISHED_DATASETS = "scripts/karyobench/reporting/published_datasets.csv"
SITE = "results/site/{study}"


def log(rule: str, *wildcards: str) -> str:
    """Log file pattern of a rule: one file per job, named by its wildcards."""
    return _per_job("logs", rule, wildcards, "log")


def benchmark(rule: str, *wildcards: str) -> str:
    """Benchmark file pattern of a rule (wall time and memory as Snakemake samples them)."""
    return _per_job("benchmarks", rule, wildcards, "tsv")


def _per_job(folder: str, rule: str, wildcards: tuple[str, ...], suffix: str) -> str:
    return "/".join(["results", folder, rule, *(f"{{{name}}}" for name in wildcards)]) + f".{suffix}"
