rule normalize:
    input:
        unpack(catalogue.reference_files),
        dataset=paths.DATASET,
    output:
        dataset=paths.STAINED,
    log:
        paths.log("normalize", "stain", "dataset"),
    benchmark:
        paths.benchmark("normalize", "stain", "dataset")
    wildcard_constraints:
        dataset=r"[\w.-]+",
    conda:
        "../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        config=catalogue.slice("normalize"),
        code=catalogue.code("normalize"),
    shell:
        "python scripts/normalize.py --config {params.config:q} --dataset {input.dataset}"
        " --reference {input.reference} --reference-split {input.reference_split}"
        " --output {output.dataset} 2>&1 | tee {log}"


rule stain_figure:
    input:
        before=paths.DATASET,
        after=paths.STAINED,
    output:
        figure=report(
            paths.STAIN_FIGURE,
            caption="report/stain.rst",
            category="Stains",
            labels={"stain": "{stain}", "dataset": "{dataset}"},
        ),
    log:
        paths.log("stain_figure", "stain", "dataset"),
    benchmark:
        paths.benchmark("stain_figure", "stain", "dataset")
    wildcard_constraints:
        dataset=r"[\w.-]+",
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        config=catalogue.slice("stain_figure"),
        code=catalogue.code("stain_figure"),
    shell:
        "python scripts/stain_figure.py --config {params.config:q} --before {input.before} --after {input.after}"
        " --output {output.figure} 2>&1 | tee {log}"
