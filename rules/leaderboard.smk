rule leaderboard:
    input:
        metrics=catalogue.metric_files,
        runs=catalogue.run_files,
        histories=catalogue.history_files,
        dataset=catalogue.leaderboard_images,
        published=catalogue.published,
    output:
        csv=paths.LEADERBOARD,
        summary=report(
            paths.SUMMARY,
            caption="report/leaderboard.rst",
            category="Leaderboards",
            labels={"leaderboard": "{leaderboard}"},
        ),
        strata=paths.STRATA,
        pairs=paths.PAIRS,
        reproduction=paths.REPRODUCTION,
        ranks=report(
            paths.RANKS,
            caption="report/leaderboard.rst",
            category="Leaderboards",
            labels={"leaderboard": "{leaderboard}, ranks"},
        ),
        markdown=paths.MARKDOWN,
        latex=paths.LATEX,
    log:
        paths.log("leaderboard", "leaderboard"),
    benchmark:
        paths.benchmark("leaderboard", "leaderboard")
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=20,
    params:
        config=catalogue.slice("leaderboard"),
        code=catalogue.code("leaderboard"),
    shell:
        "python scripts/leaderboard.py --config {params.config:q} --metrics {input.metrics} --runs {input.runs}"
        " --dataset {input.dataset} --csv {output.csv} --summary {output.summary} --strata {output.strata}"
        " --pairs {output.pairs} --reproduction {output.reproduction} --ranks {output.ranks}"
        " --markdown {output.markdown} --latex {output.latex} 2>&1 | tee {log}"


rule datasets:
    input:
        summaries=catalogue.summaries,
        published=paths.PUBLISHED_DATASETS,
    output:
        csv=report(
            paths.DATASETS,
            caption="report/datasets.rst",
            category="Datasets",
            labels={"study": "{study}"},
        ),
        markdown=paths.DATASETS_MARKDOWN,
    log:
        paths.log("datasets", "study"),
    benchmark:
        paths.benchmark("datasets", "study")
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        config=catalogue.slice("datasets"),
        code=catalogue.code("datasets"),
    shell:
        "python scripts/datasets.py --config {params.config:q} --summaries {input.summaries}"
        " --csv {output.csv} --markdown {output.markdown} 2>&1 | tee {log}"


rule report:
    input:
        shown=catalogue.study_files,
        templates=catalogue.templates,
    output:
        site=report(
            directory(paths.SITE),
            caption="report/site.rst",
            htmlindex="index.html",
            category="Site",
            labels={"study": "{study}"},
        ),
    log:
        paths.log("report", "study"),
    benchmark:
        paths.benchmark("report", "study")
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        config=catalogue.slice("report"),
        code=catalogue.code("report"),
    shell:
        "python scripts/report.py --config {params.config:q} --output {output.site} 2>&1 | tee {log}"
