rule leaderboard:
    input:
        metrics=catalogue.metric_files,
        runs=catalogue.run_files,
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
        " --dataset {input.dataset} --csv {output.csv} --summary {output.summary} --markdown {output.markdown}"
        " --latex {output.latex} 2>&1 | tee {log}"


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
