from snakemake.utils import min_version

min_version("9.0")


configfile: "config.yaml"


report: "rules/report/workflow.rst"


include: "rules/common.smk"
include: "rules/data.smk"
include: "rules/stain.smk"
include: "rules/patches.smk"
include: "rules/pretrained.smk"
include: "rules/train.smk"
include: "rules/predict.smk"
include: "rules/evaluate.smk"
include: "rules/leaderboard.smk"


rule all:
    default_target: True
    input:
        catalogue.targets,
